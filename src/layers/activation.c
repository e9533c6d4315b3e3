/* activation.c - a function of every number alone. */
#include "layers/layer.h"

#include <string.h>

typedef struct activation {
    int kind;                   /* KR_SILU, ... */
} activation;

static const char *const activation_kinds[] = {      /* as in kernels.h */
    "silu", "sigmoid", "softplus", "relu", "tanh", "gelu", "gelu_tanh", NULL
};

static const kr_option activation_options[] = {
    { "kind", KR_CHOICE, KR_AT(activation, kind), 0, 0, KR_REQUIRED, activation_kinds },
    { 0 }
};

static krait_status activation_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    return KRAIT_OK;
}

static void activation_run(const kr_layer *layer, kr_context *context, const kr_rows *in,
                           kr_rows *out)
{
    const activation *p = layer->params;
    size_t            count = kr_rows_count(in) * in->width;

    if (count)
        memcpy(out->data, in->data, count * sizeof(float));
    context->kernels->activate(out->data, count, p->kind);
}

extern const kr_layer_type kr_layer_activation;
const kr_layer_type kr_layer_activation = {
    .name = "activation", .flags = KR_ROW_WISE, .params_size = sizeof(activation),
    .options = activation_options, .shape = activation_shape, .run = activation_run,
};
