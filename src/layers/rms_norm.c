/* rms_norm.c - x / sqrt(mean(x^2) + eps) * w (Zhang and Sennrich, arXiv 1910.07467). */
#include "layers/layer.h"

typedef struct rms_norm {
    float        eps;
    const float *weight;        /* [width] */
} rms_norm;

static const kr_option rms_norm_options[] = {
    { "eps", KR_REAL, KR_AT(rms_norm, eps), 0, 1, 1e-5, NULL },
    { 0 }
};

static krait_status rms_norm_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    return KRAIT_OK;
}

static void rms_norm_weights(const kr_layer *layer, kr_wants *wants)
{
    kr_want_floats(wants, "weight", KR_AT(rms_norm, weight), layer->in_width, 0);
}

static void rms_norm_run(const kr_layer *layer, kr_context *context, const kr_rows *in,
                         kr_rows *out)
{
    const rms_norm *p = layer->params;

    context->kernels->rms_norm(out->data, in->data, p->weight, p->eps, kr_rows_count(in),
                               in->width);
}

extern const kr_layer_type kr_layer_rms_norm;
const kr_layer_type kr_layer_rms_norm = {
    .name = "rms_norm", .flags = KR_ROW_WISE, .params_size = sizeof(rms_norm),
    .options = rms_norm_options, .shape = rms_norm_shape, .weights = rms_norm_weights,
    .run = rms_norm_run,
};
