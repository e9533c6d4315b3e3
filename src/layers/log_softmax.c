/*
 * log_softmax.c - the logarithms of probabilities that are as the exponentials of a row: x - m - log(sum of
 * exp(x - m)), where m is the row's largest.
 */
#include "layers/layer.h"

#include "core/double.h"
#include "core/real.h"

static krait_status log_softmax_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    return KRAIT_OK;
}

/* NaN among them makes all of them NaN: it is in the sum. */
static void log_softmax_row(float *y, const float *x, size_t width)
{
    float most = x[0], sum = 0, logarithm;

    for (size_t i = 1; i < width; i++)
        most = x[i] > most ? x[i] : most;
    for (size_t i = 0; i < width; i++)
        sum = sum + kr_expf(x[i] - most);
    logarithm = (float)kr_log((double)sum);
    for (size_t i = 0; i < width; i++)
        y[i] = (x[i] - most) - logarithm;
}

/* kr_layer_run() cuts row-wise layers into tasks. */
static void log_softmax_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    size_t rows = kr_rows_count(in), width = in->width;

    (void)layer;
    (void)context;
    for (size_t r = 0; r < rows; r++)
        log_softmax_row(out->data + r * width, in->data + r * width, width);
}

extern const kr_layer_type kr_layer_log_softmax;
const kr_layer_type kr_layer_log_softmax = {
    .name = "log_softmax", .flags = KR_ROW_WISE, .shape = log_softmax_shape, .run = log_softmax_run,
};
