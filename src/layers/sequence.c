/* sequence.c - [a, b, ...]: b of a of the input. */
#include "layers/layer.h"

static krait_status sequence_shape(kr_layer *layer, krait_message *message)
{
    if (layer->n_children == 0)
        return kr_fail(message, KRAIT_ERR_FORMAT, "%.100s: a sequence needs at least one layer",
                       layer->path);
    layer->out_width = layer->children[layer->n_children - 1]->out_width;
    return KRAIT_OK;
}

static void sequence_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    kr_chain_scratch(layer, 0, layer->n_children, most, carve);
}

static void sequence_run(const kr_layer *layer, kr_context *context, const kr_rows *in,
                         kr_rows *out)
{
    kr_chain_run(layer, 0, layer->n_children, context, in, out);
}

extern const kr_layer_type kr_layer_sequence;
const kr_layer_type kr_layer_sequence = {
    .name = "sequence", .children = KR_CHAIN, .flags = KR_TAKES_TOKEN | KR_ANY_GRID,
    .shape = sequence_shape, .scratch = sequence_scratch, .run = sequence_run,
};
