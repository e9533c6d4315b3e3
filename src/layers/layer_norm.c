/* layer_norm.c - (x - mean) / sqrt(variance + eps) * w + b (Ba and others, arXiv 1607.06450). */
#include "layers/layer.h"

typedef struct layer_norm {
    float        eps;
    const float *weight, *bias; /* [width] or NULL */
} layer_norm;

static const kr_option layer_norm_options[] = {
    { "eps", KR_REAL, KR_AT(layer_norm, eps), 0, 1, 1e-5, NULL },
    { 0 }
};

static krait_status layer_norm_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    return KRAIT_OK;
}

static void layer_norm_weights(const kr_layer *layer, kr_wants *wants)
{
    kr_want_floats(wants, "weight", KR_AT(layer_norm, weight), layer->in_width, 1);
    kr_want_floats(wants, "bias", KR_AT(layer_norm, bias), layer->in_width, 1);
}

static void layer_norm_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const layer_norm *p = layer->params;

    context->kernels->layer_norm(out->data, in->data, p->weight, p->bias, p->eps, kr_rows_count(in),
                                 in->width);
}

extern const kr_layer_type kr_layer_layer_norm;
const kr_layer_type kr_layer_layer_norm = {
    .name = "layer_norm", .flags = KR_ROW_WISE, .params_size = sizeof(layer_norm),
    .options = layer_norm_options, .shape = layer_norm_shape, .weights = layer_norm_weights,
    .run = layer_norm_run,
};
