/*
 * permute.c - f of an episode's rows in another order, put back where they came from.
 *
 * Row k of what f is given is row order[k].  The order stands in the description, one for all
 * sequences, or comes with every call under a name.
 */
#include "layers/layer.h"

#include <string.h>

typedef struct permute {
    kr_list     order;
    kr_name_ref input;
} permute;

static const kr_option permute_options[] = {
    { "order", KR_LIST,  KR_AT(permute, order), 0, KR_MOST_WIDTH, 0, NULL },
    { "input", KR_ORDER, KR_AT(permute, input), 0, 0, 0, NULL },
    { 0 }
};

/* Does every number below their count stand in the list? */
static int permute_is_order(const kr_list *order)
{
    for (size_t i = 0; i < order->count; i++) {
        if (order->items[i] >= order->count || order->marks[order->items[i]])
            return 0;
        order->marks[order->items[i]] = 1;
    }
    return order->count > 0;
}

static krait_status permute_shape(kr_layer *layer, krait_message *message)
{
    const permute *p = layer->params;
    int            named = p->input.index != KR_NO_NAME;

    if (named == (p->order.items != NULL))
        return kr_fail(message, KRAIT_ERR_FORMAT, "description: %.100s: permute takes either 'order' or 'input'",
                       layer->path);
    if (!named && !permute_is_order(&p->order))
        return kr_fail(message, KRAIT_ERR_FORMAT,
                       "description: %.100s: 'order' of %zu does not hold every number below that once",
                       layer->path, p->order.count);
    layer->out_width = layer->children[0]->out_width;
    layer->whole = 1;
    layer->pinned = named;
    return KRAIT_OK;
}

static krait_status permute_flow(kr_layer *layer, kr_flows *flows, kr_flow *flow)
{
    const permute *p = layer->params;
    krait_status   status;

    if (p->order.items) {
        status = kr_flow_limit(flows, layer, flow->rows, p->order.count, p->order.count);
    } else {
        kr_named *input = &flows->inputs[p->input.index];
        int       steps = flow->axis == NULL && flow->rows.each == 1 && flow->rows.plus == 0;
        int       cells = flow->axis && flow->in_order && flow->sequences == 1 &&
                          flow->rows.plus == kr_flow_cells(&flow->axis->in);

        if ((!steps && !cells) || (input->cells && (input->steps != steps || (cells && input->cells != flow->rows.plus))))
            return kr_fail(flows->message, KRAIT_ERR_SHAPE,
                           "description: %.100s: the order '%.64s' must be of the model's own steps, or of all cells "
                           "of a grid", layer->path, input->name);
        input->steps = steps;
        input->cells = steps ? 1 : flow->rows.plus;
        status = KRAIT_OK;
    }
    return status == KRAIT_OK ? kr_flow_through(layer->children[0], flows, flow) : status;
}

static void permute_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    const kr_layer *child = layer->children[0];

    kr_room_take(carve, kr_extent_sum(0, most->rows, layer->in_width), most, 1);
    if (!child->reshapes)
        kr_room_take(carve, kr_extent_sum(0, most->rows, layer->out_width), most, 0);
    kr_layer_scratch(child, most, carve);
}

/* The place, in its sequence, of row k of the episode that begins at step 'from'. */
static size_t permute_at(const permute *p, const kr_layer *layer, const kr_context *context, size_t from,
                         size_t k)
{
    const int32_t *order;

    if (p->order.items)
        return p->order.items[k];
    order = context->orders[p->input.index];
    if (layer->in.axis) {
        size_t cells = layer->in.rows.plus;

        return (size_t)order[context->source[context->step + from / cells] * cells + k];
    }
    return (size_t)order[context->source[from] + k];
}

/* 1: rows in order to their places; 0: the other way. */
static void permute_rows(const kr_layer *layer, const kr_context *context, const kr_rows *rows,
                         const float *in, float *out, size_t width, int back)
{
    const permute *p = layer->params;

    for (size_t lane = 0; lane < rows->lanes; lane++)
        for (size_t from = rows->first[lane], to; from < rows->first[lane + 1]; from = to) {
            to = kr_rows_episode(rows, from, rows->first[lane + 1]);
            for (size_t k = 0; k < to - from; k++) {
                size_t at = from + permute_at(p, layer, context, from, k), source = back ? from + k : at;

                memcpy(out + (back ? at : from + k) * width, in + source * width, width * sizeof *out);
            }
        }
}

static void permute_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const kr_layer *child = layer->children[0];
    kr_extent       extent = { in->lanes, kr_rows_count(in), 0, 1 };
    kr_room         room = kr_room_take(&context->scratch, extent.rows * in->width, &extent, 1), made;
    kr_rows         ordered = kr_room_rows(&room, in), result;

    permute_rows(layer, context, in, in->data, room.data, in->width, 0);
    if (in->dt)
        permute_rows(layer, context, in, in->dt, room.dt, 1, 0);
    ordered.dt = in->dt ? room.dt : NULL;
    if (child->reshapes) {              /* what it makes has no places to go back to */
        kr_layer_run(child, context, &ordered, out);
        return;
    }
    made = kr_room_take(&context->scratch, extent.rows * out->width, &extent, 0);
    result = kr_room_rows(&made, in);
    kr_layer_run(child, context, &ordered, &result);
    permute_rows(layer, context, in, made.data, out->data, out->width, 1);
}

extern const kr_layer_type kr_layer_permute;
const kr_layer_type kr_layer_permute = {
    .name = "permute", .children = KR_ONE, .params_size = sizeof(permute), .options = permute_options,
    .shape = permute_shape, .flow = permute_flow, .scratch = permute_scratch, .run = permute_run,
};
