/*
 * chain.c - layers one after another: sequence, repeat and a model's own root.
 *
 * Two buffers of the greatest width between two children take turns.
 */
#include "layers/layer.h"

static size_t chain_width(const kr_layer *layer, size_t from, size_t to)
{
    size_t width = 0;

    for (size_t i = from; i + 1 < to; i++)
        if (layer->children[i]->out_width > width)
            width = layer->children[i]->out_width;
    return width;
}

static void chain_buffers(const kr_layer *layer, size_t from, size_t to, size_t rows,
                          kr_carve *carve, float *buffers[2])
{
    size_t width = chain_width(layer, from, to);

    buffers[0] = to - from > 1 ? kr_carve_floats(carve, rows, width) : NULL;
    buffers[1] = to - from > 2 ? kr_carve_floats(carve, rows, width) : NULL;
}

void kr_chain_scratch(const kr_layer *layer, size_t from, size_t to, size_t rows, kr_carve *carve)
{
    float *buffers[2];
    size_t used = carve->used;

    chain_buffers(layer, from, to, rows, carve, buffers);
    for (size_t i = from; i < to; i++)
        kr_layer_scratch(layer->children[i], rows, carve);
    carve->used = used;
}

void kr_chain_run(const kr_layer *layer, size_t from, size_t to, kr_context *context,
                  const kr_rows *in, kr_rows *out)
{
    float  *buffers[2];
    size_t  used = context->scratch.used;
    kr_rows at = *in;

    chain_buffers(layer, from, to, kr_rows_count(in), &context->scratch, buffers);
    for (size_t i = from; i < to; i++) {
        kr_rows next = at;

        next.data = i + 1 < to ? buffers[(i - from) % 2] : out->data;
        next.width = layer->children[i]->out_width;
        next.tokens = NULL;
        kr_layer_run(layer->children[i], context, &at, &next);
        at = next;
    }
    *out = at;
    context->scratch.used = used;
}
