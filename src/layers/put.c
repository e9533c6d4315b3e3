/* put.c - x, kept under a name: for a get further on, and for the caller. */
#include "layers/layer.h"

#include <string.h>

typedef struct put {
    kr_name_ref as;
} put;

static const kr_option put_options[] = {
    { "as", KR_PUT, KR_AT(put, as), 0, 0, KR_REQUIRED, NULL },
    { 0 }
};

static krait_status put_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    layer->pinned = 1;
    return KRAIT_OK;
}

static krait_status put_flow(kr_layer *layer, kr_flows *flows, kr_flow *flow)
{
    const put *p = layer->params;
    kr_slot   *slot = &flows->slots[p->as.index];

    slot->flow = *flow;
    slot->put = layer;
    slot->output = flow->in_order;
    return KRAIT_OK;
}

/* Steps of the model, or of the 'over' around: where they are in the lanes is kept with them. */
static void put_shape_of(const kr_layer *layer, const kr_context *context, const kr_rows *in, kr_rows *kept)
{
    const kr_rows *steps = layer->in.axis && layer->in.axis->own_axis ? context->steps : in;

    kept->lanes = steps->lanes;
    kept->first = steps->first;
    if (layer->in.whole && kept->room->first) {
        memcpy(kept->room->first, steps->first, (steps->lanes + 1) * sizeof *steps->first);
        kept->first = kept->room->first;
    }
}

static void put_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const put *p = layer->params;
    kr_rows   *kept = &context->kept[p->as.index];
    size_t     count = kr_rows_count(in) * in->width;
    size_t     skip = context->step * layer->in.sequences * layer->in.rows.plus * in->width;

    put_shape_of(layer, context, in, kept);
    if (count) {
        memcpy(kept->room->data + skip, in->data, count * sizeof *in->data);
        memcpy(out->data, in->data, count * sizeof *in->data);
    }
}

extern const kr_layer_type kr_layer_put;
const kr_layer_type kr_layer_put = {
    .name = "put", .flags = KR_ANY_GRID, .params_size = sizeof(put), .options = put_options,
    .shape = put_shape, .flow = put_flow, .run = put_run,
};
