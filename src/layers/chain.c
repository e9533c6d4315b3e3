/*
 * chain.c - layers one after another: sequence, repeat and a model's own root.
 *
 * Two rooms, each as large as the largest of what passes between two children, take turns.
 */
#include "layers/layer.h"

/* The most floats and rows that stand between two children, and whether any hands on other lanes. */
typedef struct chain_need {
    size_t    floats;
    kr_extent most;
    int       others;
} chain_need;

static chain_need chain_measure(const kr_layer *layer, size_t from, size_t to, kr_extent extent)
{
    chain_need need = { 0, extent, 0 };

    for (size_t i = from; i + 1 < to; i++) {
        const kr_layer *child = layer->children[i];
        size_t          floats;

        if (child->resizes)
            kr_layer_extent(child, &extent);
        floats = kr_extent_sum(0, extent.rows, child->out_width);
        need.others |= child->reshapes;
        need.most.rows = extent.rows > need.most.rows ? extent.rows : need.most.rows;
        need.floats = floats > need.floats ? floats : need.floats;
    }
    return need;
}

static void chain_rooms(const kr_layer *layer, size_t from, size_t to, const kr_extent *most,
                        kr_carve *carve, kr_room rooms[2])
{
    chain_need need = chain_measure(layer, from, to, *most);

    rooms[0] = rooms[1] = (kr_room){ 0 };
    if (to - from > 1)
        rooms[0] = kr_room_take(carve, need.floats, &need.most, need.others);
    if (to - from > 2)
        rooms[1] = kr_room_take(carve, need.floats, &need.most, need.others);
}

void kr_chain_scratch(const kr_layer *layer, size_t from, size_t to, const kr_extent *most,
                      kr_carve *carve)
{
    kr_room   rooms[2];
    kr_extent extent = *most;
    size_t    used = carve->used;

    chain_rooms(layer, from, to, most, carve, rooms);
    for (size_t i = from; i < to; i++) {
        kr_layer_scratch(layer->children[i], &extent, carve);
        kr_layer_extent(layer->children[i], &extent);
    }
    carve->used = used;
}

static int chain_any(const kr_layer *layer, size_t from, size_t to, int reshapes)
{
    int any = 0;

    if (!(reshapes ? layer->reshapes : layer->resizes))
        return 0;
    for (size_t i = from; i < to; i++)
        any |= reshapes ? layer->children[i]->reshapes : layer->children[i]->resizes;
    return any;
}

/* The rows that are there: their episodes count only where a child makes others of them. */
static kr_extent chain_extent(const kr_layer *layer, size_t from, size_t to, const kr_rows *in)
{
    return chain_any(layer, from, to, 0) ? kr_rows_extent(in)
                                         : (kr_extent){ in->lanes, kr_rows_count(in), in->lanes, 1 };
}

/* Do lanes, times or resets of the rows stand where those of the next ones will? */
static int chain_shape_is_in(const kr_rows *rows, const kr_room *room)
{
    return rows->first == room->first || (rows->dt && rows->dt == room->dt) ||
           (rows->reset && rows->reset == room->reset);
}

void kr_chain_run(const kr_layer *layer, size_t from, size_t to, kr_context *context,
                  const kr_rows *in, kr_rows *out)
{
    kr_room   rooms[2];
    size_t    used = context->scratch.used;
    kr_rows   at = *in;
    kr_extent extent = chain_extent(layer, from, to, in);

    chain_rooms(layer, from, to, &extent, &context->scratch, rooms);
    for (size_t i = from; i < to; i++) {
        kr_rows next = *out;

        if (i + 1 < to) {
            next.data = rooms[(i - from) % 2].data;
            next.room = &rooms[(i - from) % 2];
            /* A layer before the last made them and the last handed them on. */
            if (i > from && layer->children[i]->reshapes && chain_shape_is_in(&at, next.room))
                kr_rows_copy_shape(&at, &at);
        }
        kr_layer_run(layer->children[i], context, &at, &next);
        at = next;
    }
    at.room = out->room;
    if (chain_any(layer, from, to, 1) && at.first != at.room->first)
        kr_rows_copy_shape(&at, &at);   /* they stand in a room of this chain */
    *out = at;
    context->scratch.used = used;
}
