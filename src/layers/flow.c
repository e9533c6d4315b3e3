/* flow.c - how many rows flow where: when a model is built, when a state is laid out, in a run. */
#include "layers/layer.h"

#include <string.h>

/* ---- when a model is built --------------------------------------------------------------- */

int kr_flow_same(const kr_flow *a, const kr_flow *b)
{
    return a->rows.each == b->rows.each && a->rows.plus == b->rows.plus && a->grid[0] == b->grid[0] &&
           a->grid[1] == b->grid[1] && a->axis == b->axis && a->whole == b->whole;
}

/* What a subtree is follows from its children, where the type's own flow() has not said it. */
static void flow_subtree(kr_layer *layer)
{
    int transparent = layer->n_children > 0 && (layer->type->flags & KR_ANY_GRID) && !layer->own_axis;
    int row_wise = transparent;

    layer->resizes |= layer->type->extent != NULL && layer->n_children == 0;
    for (size_t i = 0; i < layer->n_children; i++) {
        const kr_layer *child = layer->children[i];

        row_wise &= child->row_wise;
        layer->pinned |= child->pinned;
        layer->resizes |= child->resizes || layer->own_axis;
        layer->reshapes |= child->reshapes && !layer->own_axis;
    }
    if (layer->n_children == 0)
        row_wise = (layer->type->flags & KR_ROW_WISE) != 0;
    if (layer->own_axis)
        row_wise = !layer->pinned;
    layer->row_wise = row_wise && !layer->reshapes;
}

krait_status kr_flow_through(kr_layer *layer, kr_flows *flows, kr_flow *flow)
{
    krait_status status = KRAIT_OK;

    layer->in = *flow;
    if (kr_flow_cells(flow) > 1 && !(layer->type->flags & (KR_ROW_WISE | KR_ANY_GRID)))
        return kr_fail(flows->message, KRAIT_ERR_SHAPE,
                       "description: %.100s: '%s' runs along a sequence but is given a grid: put it into an 'over'",
                       layer->path, layer->type->name);
    if (layer->type->flow)
        status = layer->type->flow(layer, flows, flow);
    else
        for (size_t i = 0; i < layer->n_children && status == KRAIT_OK; i++)
            status = kr_flow_through(layer->children[i], flows, flow);
    layer->out = *flow;
    flow_subtree(layer);
    return status;
}

int kr_flow_needs_whole(const kr_layer *layer)
{
    int whole = layer->whole;

    for (size_t i = 0; i < layer->n_children && !layer->own_axis; i++)
        whole |= kr_flow_needs_whole(layer->children[i]);
    return whole;
}

krait_status kr_flow_beyond(const kr_limit *limit, size_t rows, krait_status status, krait_message *message)
{
    size_t      wanted = rows < limit->least ? limit->least : limit->most;
    const char *how = limit->least == limit->most ? "" : rows < limit->least ? "at least " : "at most ";

    if (limit->least <= rows && rows <= limit->most)
        return KRAIT_OK;
    return kr_fail(message, status, "%s%.100s: takes %s%zu rows, an episode has %zu",
                   status == KRAIT_ERR_SHAPE ? "description: " : "", limit->layer->path, how, wanted, rows);
}

krait_status kr_flow_limit(kr_flows *flows, const kr_layer *layer, kr_count rows, size_t least, size_t most)
{
    kr_limit limit = { layer, rows, least, most };

    if (rows.each == 0)
        return kr_flow_beyond(&limit, rows.plus, KRAIT_ERR_SHAPE, flows->message);
    if (flows->n_limits == KR_MOST_LIMITS)
        return kr_fail(flows->message, KRAIT_ERR_UNSUPPORTED,
                       "description: %.100s: more than %d layers that bound the length of sequences", layer->path,
                       (int)KR_MOST_LIMITS);
    flows->limits[flows->n_limits++] = limit;
    return KRAIT_OK;
}

/* ---- when a state is laid out --------------------------------------------------------------- */

size_t kr_extent_sum(size_t a, size_t n, size_t b)
{
    size_t product, sum;

    return kr_mul_fits(n, b, &product) && kr_add_fits(a, product, &sum) ? sum : SIZE_MAX;
}

void kr_layer_extent(const kr_layer *layer, kr_extent *extent)
{
    if (!layer->resizes)
        return;
    if (layer->type->extent)
        layer->type->extent(layer, extent);
    else
        for (size_t i = 0; i < layer->n_children; i++)
            kr_layer_extent(layer->children[i], extent);
}

kr_room kr_room_take(kr_carve *carve, size_t floats, const kr_extent *most, int others)
{
    kr_room room = { 0 };

    room.data = kr_carve_floats(carve, floats, 1);
    if (others) {
        room.first = kr_carve_bytes(carve, most->lanes + 1, sizeof *room.first);
        room.dt = kr_carve_floats(carve, most->rows, 1);
        room.reset = kr_carve_bytes(carve, most->rows, 1);
    }
    return room;
}

kr_room kr_room_for(kr_carve *carve, const kr_layer *layer, const kr_extent *most)
{
    kr_extent extent = *most;

    kr_layer_extent(layer, &extent);
    return kr_room_take(carve, kr_extent_sum(0, extent.rows, layer->out_width), &extent, layer->reshapes);
}

/* ---- in a run ---------------------------------------------------------------------------------- */

kr_extent kr_rows_extent(const kr_rows *rows)
{
    kr_extent extent = { rows->lanes, kr_rows_count(rows), rows->lanes, 1 };

    for (size_t i = 0; rows->reset && i < rows->first[rows->lanes]; i++)
        extent.episodes += rows->reset[i] != 0;
    return extent;
}

kr_rows kr_room_rows(const kr_room *room, const kr_rows *in)
{
    kr_rows rows = *in;

    rows.data = room->data;
    rows.tokens = NULL;
    rows.room = room;
    return rows;
}

void kr_rows_copy_shape(const kr_rows *in, kr_rows *out)
{
    const kr_room *room = out->room;
    size_t         steps = in->first[in->lanes];

    memcpy(room->first, in->first, (in->lanes + 1) * sizeof *room->first);
    if (in->dt && steps)
        memcpy(room->dt, in->dt, steps * sizeof *room->dt);
    if (in->reset && steps)
        memcpy(room->reset, in->reset, steps);
    out->first = room->first;
    out->dt = in->dt ? room->dt : NULL;
    out->reset = in->reset ? room->reset : NULL;
}
