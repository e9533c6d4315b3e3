/*
 * shift.c - H3's shift state space (Fu, Dao and others, arXiv 2212.14052; HazyResearch/H3,
 * src/models/ssm/ss_kernel_shift.py).
 *
 *     x = (x moved on by one place) + B u         per channel, 'states' numbers
 *     y = sum of C x + D u
 *
 * A row reaches y for 'states' rows, with k[i] = sum over n of B[n] C[n + i]: that is a convolution, and its window
 * is all that there is to remember.
 */
#include "layers/conv.h"

#include <string.h>

typedef struct shift_taps {
    kr_conv_params conv;        /* taps: states */
    const float   *b, *c;       /* [width][states] */
    const float   *d;           /* [width] or NULL */
} shift_taps;

static const kr_option shift_options[] = {
    { "states", KR_COUNT, KR_AT(shift_taps, conv.taps), 1, 4096, 64, NULL },
    { 0 }
};

static void shift_weights(const kr_layer *layer, kr_wants *wants)
{
    size_t states = ((const shift_taps *)layer->params)->conv.taps;

    kr_want_table(wants, "ssm_k_kernel.kernel.B", KR_AT(shift_taps, b), layer->in_width, states);
    kr_want_table(wants, "ssm_k_kernel.kernel.C", KR_AT(shift_taps, c), layer->in_width, states);
    kr_want_floats(wants, "ssm_k_D", KR_AT(shift_taps, d), layer->in_width, 1);
}

static void shift_prepare(kr_layer *layer, kr_carve *carve)
{
    shift_taps *p = layer->params;
    size_t taps = p->conv.taps, numbers = kr_pad16(layer->in_width);
    float *made = kr_carve_floats(carve, numbers, taps);

    if (!carve->base)
        return;
    memset(made, 0, numbers * taps * sizeof *made);
    for (size_t channel = 0; channel < layer->in_width; channel++)
        for (size_t i = 0; i < taps; i++) {
            const float *b = p->b + channel * taps, *c = p->c + channel * taps;
            double       sum = i == 0 && p->d ? (double)p->d[channel] : 0;

            for (size_t n = 0; n + i < taps; n++)
                sum += (double)b[n] * (double)c[n + i];
            made[(channel / KR_LANES * taps + taps - 1 - i) * KR_LANES + channel % KR_LANES] = (float)sum;
        }
    p->conv.weight = made;
}

extern const kr_layer_type kr_layer_shift;
const kr_layer_type kr_layer_shift = {
    .name = "shift", .params_size = sizeof(shift_taps), .options = shift_options, .shape = kr_conv_shape,
    .weights = shift_weights, .prepare = shift_prepare, .memory = kr_conv_memory, .run = kr_conv_run,
};
