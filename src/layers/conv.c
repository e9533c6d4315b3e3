/* conv.c - depthwise causal convolution along the rows of each lane, zeros before the first. */
#include "layers/layer.h"
#include "layers/window.h"

typedef struct conv {
    size_t       taps;
    const float *weight;        /* [width][taps], the newest row meets the last tap */
    const float *bias;          /* [width] or NULL */
} conv;

static const kr_option conv_options[] = {
    { "taps", KR_COUNT, KR_AT(conv, taps), 1, 4096, KR_REQUIRED, NULL },
    { 0 }
};

static krait_status conv_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    return KRAIT_OK;
}

static void conv_weights(const kr_layer *layer, kr_wants *wants)
{
    const conv *p = layer->params;

    kr_want_channels(wants, "weight", KR_AT(conv, weight), layer->in_width, p->taps);
    kr_want_floats(wants, "bias", KR_AT(conv, bias), layer->in_width, 1);
}

static void conv_memory(const kr_layer *layer, kr_parts *parts)
{
    const conv *p = layer->params;

    if (p->taps > 1)
        kr_part_add(parts, "window", KR_PART_ROWS, p->taps - 1, layer->in_width);
}

static void conv_episode(const kr_layer *layer, kr_context *context, const kr_rows *in,
                         kr_rows *out, float *window, size_t from, size_t to)
{
    const conv *p = layer->params;
    size_t      width = in->width, stride = kr_pad16(width);
    const float *x = in->data + from * width;
    kr_conv     job = { p->weight, p->bias, x, width, window, stride, out->data + from * width,
                        width, to - from, width, p->taps, 0 };

    context->kernels->conv(&job);
    kr_window_push(window, p->taps - 1, stride, x, width, to - from, width);
}

static void conv_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const conv *p = layer->params;

    for (size_t lane = 0; lane < in->lanes; lane++) {
        float *window = kr_layer_memory(layer, context, lane);
        size_t end = in->first[lane + 1];

        for (size_t from = in->first[lane], to; from < end; from = to) {
            to = kr_rows_episode(in, from, end);
            if (in->reset && in->reset[from])
                memset(window, 0, (p->taps - 1) * kr_pad16(in->width) * sizeof *window);
            conv_episode(layer, context, in, out, window, from, to);
        }
    }
}

extern const kr_layer_type kr_layer_conv;
const kr_layer_type kr_layer_conv = {
    .name = "conv", .params_size = sizeof(conv), .options = conv_options, .shape = conv_shape,
    .weights = conv_weights, .memory = conv_memory, .run = conv_run,
};
