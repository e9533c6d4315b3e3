/* conv.h - depthwise causal convolutions, for layers that make their taps of something else. */
#ifndef KR_LAYER_CONV_H
#define KR_LAYER_CONV_H

#include "layers/layer.h"

/* The first thing in such a layer's params: its shape, memory and run are those below. */
typedef struct kr_conv_params {
    size_t       taps;
    const float *weight;        /* [width][taps] as channels; the newest row meets the last tap */
    const float *bias;          /* [width] or NULL */
} kr_conv_params;

krait_status kr_conv_shape(kr_layer *layer, krait_message *message);
void         kr_conv_memory(const kr_layer *layer, kr_parts *parts);
void         kr_conv_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out);

#endif
