/* repeat.c - {"n": 10, "of": f}: n layers like f with weights of their own, one after another. */
#include "layers/layer.h"

static krait_status repeat_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->children[layer->n_children - 1]->out_width;
    return KRAIT_OK;
}

static void repeat_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    kr_chain_scratch(layer, 0, layer->n_children, most, carve);
}

static void repeat_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    kr_chain_run(layer, 0, layer->n_children, context, in, out);
}

extern const kr_layer_type kr_layer_repeat;
const kr_layer_type kr_layer_repeat = {
    .name = "repeat", .children = KR_REPEAT, .flags = KR_ANY_GRID,
    .shape = repeat_shape, .scratch = repeat_scratch, .run = repeat_run,
};
