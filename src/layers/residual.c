/* residual.c - x + f(x). */
#include "layers/layer.h"

static krait_status residual_shape(kr_layer *layer, krait_message *message)
{
    size_t inner = layer->children[0]->out_width;

    if (inner != layer->in_width)
        return kr_fail(message, KRAIT_ERR_SHAPE, "%.100s: residual of width %zu around a layer that makes %zu",
                       layer->path, layer->in_width, inner);
    layer->out_width = inner;
    return KRAIT_OK;
}

static void residual_scratch(const kr_layer *layer, size_t rows, kr_carve *carve)
{
    kr_layer_scratch(layer->children[0], rows, carve);
}

static void residual_run(const kr_layer *layer, kr_context *context, const kr_rows *in,
                         kr_rows *out)
{
    kr_layer_run(layer->children[0], context, in, out);
    context->kernels->add(out->data, in->data, kr_rows_count(in) * in->width);
}

extern const kr_layer_type kr_layer_residual;
const kr_layer_type kr_layer_residual = {
    .name = "residual", .children = KR_ONE,
    .shape = residual_shape, .scratch = residual_scratch, .run = residual_run,
};
