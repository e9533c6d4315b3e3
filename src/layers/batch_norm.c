/*
 * batch_norm.c - (x - mean) / sqrt(var + eps) * w + b with the statistics of training (Ioffe and
 * Szegedy, arXiv 1502.03167): x * factor + shift, of which both are made in double beforehand.
 */
#include "layers/layer.h"

#include "core/real.h"

typedef struct batch_norm {
    float        eps;
    const float *weight, *bias;         /* [width] or NULL */
    const float *mean, *variance;       /* [width] */
    float       *factor, *shift;        /* [width], made of them */
} batch_norm;

static const kr_option batch_norm_options[] = {
    { "eps", KR_REAL, KR_AT(batch_norm, eps), 0, 1, 1e-5, NULL },
    { 0 }
};

static krait_status batch_norm_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    return KRAIT_OK;
}

static void batch_norm_weights(const kr_layer *layer, kr_wants *wants)
{
    size_t width = layer->in_width;

    kr_want_floats(wants, "weight", KR_AT(batch_norm, weight), width, 1);
    kr_want_floats(wants, "bias", KR_AT(batch_norm, bias), width, 1);
    kr_want_floats(wants, "running_mean", KR_AT(batch_norm, mean), width, 0);
    kr_want_floats(wants, "running_var", KR_AT(batch_norm, variance), width, 0);
}

static void batch_norm_prepare(kr_layer *layer, kr_carve *carve)
{
    batch_norm *p = layer->params;

    p->factor = kr_carve_floats(carve, layer->in_width, 1);
    p->shift = kr_carve_floats(carve, layer->in_width, 1);
    for (size_t c = 0; carve->base && c < layer->in_width; c++) {
        double w = p->weight ? p->weight[c] : 1.0, b = p->bias ? p->bias[c] : 0.0;
        double factor = w / kr_sqrt_double((double)p->variance[c] + (double)p->eps);

        p->factor[c] = (float)factor;
        p->shift[c] = (float)(b - p->mean[c] * factor);
    }
}

static void batch_norm_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const batch_norm *p = layer->params;

    context->kernels->scale(out->data, in->data, p->factor, p->shift, kr_rows_count(in), in->width);
}

extern const kr_layer_type kr_layer_batch_norm;
const kr_layer_type kr_layer_batch_norm = {
    .name = "batch_norm", .flags = KR_ROW_WISE, .params_size = sizeof(batch_norm),
    .options = batch_norm_options, .shape = batch_norm_shape, .weights = batch_norm_weights,
    .prepare = batch_norm_prepare, .run = batch_norm_run,
};
