/* get.c - the rows that a put has kept, whatever x is. */
#include "layers/layer.h"

#include <string.h>

typedef struct get {
    kr_name_ref as;
} get;

static const kr_option get_options[] = {
    { "as", KR_GET, KR_AT(get, as), 0, 0, KR_REQUIRED, NULL },
    { 0 }
};

static krait_status get_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = ((const get *)layer->params)->as.width;
    layer->pinned = 1;
    return KRAIT_OK;
}

static krait_status get_flow(kr_layer *layer, kr_flows *flows, kr_flow *flow)
{
    const kr_slot *slot = &flows->slots[((const get *)layer->params)->as.index];

    if (!slot->put || !kr_flow_same(&slot->flow, flow))
        return kr_fail(flows->message, KRAIT_ERR_SHAPE,
                       "description: %.100s: the rows kept as '%.64s' are others in number or axis than those here",
                       layer->path, slot->name);
    return KRAIT_OK;
}

static void get_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const kr_rows *kept = &context->kept[((const get *)layer->params)->as.index];
    size_t         count = kr_rows_count(in) * out->width;
    size_t         skip = context->step * layer->in.sequences * layer->in.rows.plus * out->width;

    if (count)
        memcpy(out->data, kept->room->data + skip, count * sizeof *out->data);
}

extern const kr_layer_type kr_layer_get;
const kr_layer_type kr_layer_get = {
    .name = "get", .flags = KR_ANY_GRID, .params_size = sizeof(get), .options = get_options,
    .shape = get_shape, .flow = get_flow, .run = get_run,
};
