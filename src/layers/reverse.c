/*
 * reverse.c - f of an episode's rows from last to first, put back in order.
 *
 * A row's dt is the interval that ends at it.  Seen from the end, the interval before a row is that
 * which began at it: dt of the row after; the last row, now the first, gets the first row's.
 */
#include "layers/layer.h"

#include <string.h>

static krait_status reverse_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->children[0]->out_width;
    layer->whole = 1;
    return KRAIT_OK;
}

static void reverse_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    kr_room_take(carve, kr_extent_sum(0, most->rows, layer->in_width), most, 1);
    kr_layer_scratch(layer->children[0], most, carve);
}

/* Rows from..to-1 of 'in' backwards into 'data', which may be in's own. */
static void reverse_data(float *data, const float *in, size_t width, size_t from, size_t to)
{
    for (size_t low = from, high = to - 1; low <= high && high < to; low++, high--)
        for (size_t c = 0; c < width; c++) {
            float last = in[high * width + c];

            data[high * width + c] = in[low * width + c];
            data[low * width + c] = last;
        }
}

/* The first stays, the others turn round; twice gives what was. */
static void reverse_times(float *dt, const float *in, size_t from, size_t to)
{
    dt[from] = in[from];
    for (size_t low = from + 1, high = to - 1; low <= high && high < to; low++, high--) {
        float last = in[high];

        dt[high] = in[low];
        dt[low] = last;
    }
}

/* Every episode of 'in' into 'out', whose data may be in's own, and dt if it has a room for it. */
static void reverse_rows(const kr_rows *in, float *data, float *dt)
{
    for (size_t lane = 0; lane < in->lanes; lane++)
        for (size_t from = in->first[lane], to; from < in->first[lane + 1]; from = to) {
            to = kr_rows_episode(in, from, in->first[lane + 1]);
            reverse_data(data, in->data, in->width, from, to);
            if (in->dt)
                reverse_times(dt, in->dt, from, to);
        }
}

static void reverse_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const kr_layer *child = layer->children[0];
    kr_extent       extent = { in->lanes, kr_rows_count(in), 0, 1 };
    kr_room         room = kr_room_take(&context->scratch, extent.rows * in->width, &extent, 1);
    kr_rows         turned = kr_room_rows(&room, in);

    reverse_rows(in, room.data, room.dt);
    turned.dt = in->dt ? room.dt : NULL;
    kr_layer_run(child, context, &turned, out);
    if (child->reshapes) {
        reverse_rows(out, out->data, out->room->dt);
    } else {
        reverse_rows(&(kr_rows){ .data = out->data, .width = out->width, .lanes = out->lanes, .first = out->first,
                                 .cells = 1, .reset = out->reset }, out->data, NULL);
        out->dt = in->dt;
    }
}

extern const kr_layer_type kr_layer_reverse;
const kr_layer_type kr_layer_reverse = {
    .name = "reverse", .children = KR_ONE, .shape = reverse_shape, .scratch = reverse_scratch,
    .run = reverse_run,
};
