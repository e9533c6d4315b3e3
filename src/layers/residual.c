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

static krait_status residual_flow(kr_layer *layer, kr_flows *flows, kr_flow *flow)
{
    krait_status status = kr_flow_through(layer->children[0], flows, flow);

    if (status == KRAIT_OK && (!kr_flow_same(&layer->in, flow) || layer->children[0]->reshapes))
        return kr_fail(flows->message, KRAIT_ERR_SHAPE,
                       "description: %.100s: residual around a layer that makes another number of rows", layer->path);
    return status;
}

static void residual_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    kr_layer_scratch(layer->children[0], most, carve);
}

static void residual_run(const kr_layer *layer, kr_context *context, const kr_rows *in,
                         kr_rows *out)
{
    kr_layer_run(layer->children[0], context, in, out);
    kr_rows_add(context, out->data, in->data, kr_rows_count(in) * in->width);
}

extern const kr_layer_type kr_layer_residual;
const kr_layer_type kr_layer_residual = {
    .name = "residual", .children = KR_ONE, .flags = KR_ANY_GRID, .shape = residual_shape,
    .flow = residual_flow, .scratch = residual_scratch, .run = residual_run,
};
