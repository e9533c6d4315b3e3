/*
 * outer.c - rows [k | v], cut into heads: all products of a number of k with one of v of the same head.
 *
 *     y[i][j][head] = k[head][i] v[head][j]       i, j below head_dim
 *
 * Heads are neighbours in y: a state space for every (i, j) is one for each of them, again and again.
 */
#include "layers/layer.h"

typedef struct outer_heads {
    size_t size;                /* of a head */
} outer_heads;

static const kr_option outer_options[] = {
    { "head_dim", KR_COUNT, KR_AT(outer_heads, size), 1, 4096, KR_REQUIRED, NULL },
    { 0 }
};

static krait_status outer_shape(kr_layer *layer, krait_message *message)
{
    const outer_heads *p = layer->params;
    size_t       width = layer->in_width / 2;

    if (layer->in_width % 2 || width % p->size)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: %zu numbers are no two rows of heads of %zu",
                       layer->path, layer->in_width, p->size);
    if ((double)width * (double)p->size > KR_MOST_WIDTH)
        return kr_fail(message, KRAIT_ERR_SHAPE,
                       "description: %.100s: %zu products of each of %zu numbers are too many", layer->path, p->size,
                       width);
    layer->out_width = width * p->size;
    return KRAIT_OK;
}

static void outer_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const outer_heads *p = layer->params;
    size_t       width = in->width / 2, size = p->size, heads = width / size, rows = kr_rows_count(in);

    (void)context;
    for (size_t r = 0; r < rows; r++) {
        const float *k = in->data + r * in->width, *v = k + width;
        float       *y = out->data + r * out->width;

        for (size_t pair = 0; pair < size * size; pair++)
            for (size_t head = 0; head < heads; head++)
                y[pair * heads + head] = k[head * size + pair / size] * v[head * size + pair % size];
    }
}

extern const kr_layer_type kr_layer_outer;
const kr_layer_type kr_layer_outer = {
    .name = "outer", .flags = KR_ROW_WISE, .params_size = sizeof(outer_heads), .options = outer_options,
    .shape = outer_shape, .run = outer_run,
};
