/* scale.c - every channel times a number of its own, plus another: x w + b. */
#include "layers/layer.h"

typedef struct scaling {
    const float *weight;        /* [width] */
    const float *bias;          /* [width] or NULL */
} scaling;

static krait_status scale_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    return KRAIT_OK;
}

static void scale_weights(const kr_layer *layer, kr_wants *wants)
{
    kr_want_floats(wants, "weight", KR_AT(scaling, weight), layer->in_width, 0);
    kr_want_floats(wants, "bias", KR_AT(scaling, bias), layer->in_width, 1);
}

static void scale_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const scaling *p = layer->params;

    context->kernels->scale(out->data, in->data, p->weight, p->bias, kr_rows_count(in), in->width);
}

extern const kr_layer_type kr_layer_scale;
const kr_layer_type kr_layer_scale = {
    .name = "scale", .flags = KR_ROW_WISE, .params_size = sizeof(scaling),
    .shape = scale_shape, .weights = scale_weights, .run = scale_run,
};
