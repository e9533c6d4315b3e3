/* glu.c - half of the row times a function of the other half (Dauphin and others, arXiv 1612.08083). */
#include "layers/layer.h"

typedef struct glu {
    int kind;                   /* index into glu_kinds */
    int gate_first;             /* the function is of the first half */
} glu;

static const char *const glu_kinds[] = {
    "sigmoid", "silu", "gelu", "gelu_tanh", "relu", "tanh", "none", NULL
};
static const int glu_functions[] = {
    KR_SIGMOID, KR_SILU, KR_GELU, KR_GELU_TANH, KR_RELU, KR_TANH, KR_NONE
};
static const char *const glu_gates[] = { "second", "first", NULL };

static const kr_option glu_options[] = {
    { "kind", KR_CHOICE, KR_AT(glu, kind), 0, 0, 0, glu_kinds },
    { "gate", KR_CHOICE, KR_AT(glu, gate_first), 0, 0, 0, glu_gates },
    { 0 }
};

static krait_status glu_shape(kr_layer *layer, krait_message *message)
{
    if (layer->in_width % 2)
        return kr_fail(message, KRAIT_ERR_SHAPE, "%.100s: glu of an odd width, %zu", layer->path,
                       layer->in_width);
    layer->out_width = layer->in_width / 2;
    return KRAIT_OK;
}

static void glu_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const glu *p = layer->params;
    kr_gate    gate = { 0 };

    gate.a = in->data + (p->gate_first ? out->width : 0);
    gate.g = in->data + (p->gate_first ? 0 : out->width);
    gate.y = out->data;
    gate.a_stride = gate.g_stride = in->width;
    gate.y_stride = gate.width = out->width;
    gate.rows = kr_rows_count(in);
    gate.kind = glu_functions[p->kind];
    context->kernels->gate(&gate);
}

extern const kr_layer_type kr_layer_glu;
const kr_layer_type kr_layer_glu = {
    .name = "glu", .flags = KR_ROW_WISE, .params_size = sizeof(glu),
    .options = glu_options, .shape = glu_shape, .run = glu_run,
};
