/* identity.c - x as it is: one of several branches. */
#include "layers/layer.h"

#include <string.h>

static krait_status identity_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    return KRAIT_OK;
}

static void identity_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    size_t count = kr_rows_count(in) * in->width;

    (void)layer;
    (void)context;
    if (count)
        memcpy(out->data, in->data, count * sizeof *out->data);
}

extern const kr_layer_type kr_layer_identity;
const kr_layer_type kr_layer_identity = {
    .name = "identity", .flags = KR_ROW_WISE, .shape = identity_shape, .run = identity_run,
};
