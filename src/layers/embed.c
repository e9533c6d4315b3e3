/* embed.c - a token's row of a table; a row without a token keeps its features. */
#include "layers/layer.h"

#include <string.h>

#include "kernels/pack.h"

typedef struct embed {
    size_t    width;
    kr_matrix weight;           /* [vocabulary][width] */
} embed;

static const kr_option embed_options[] = {
    { "width", KR_COUNT, KR_AT(embed, width), 1, KR_MOST_WIDTH, KR_REQUIRED, NULL },
    { 0 }
};

static krait_status embed_shape(kr_layer *layer, krait_message *message)
{
    if (layer->vocabulary == 0)
        return kr_fail(message, KRAIT_ERR_SHAPE, "%.100s: embed takes tokens, but its input is features",
                       layer->path);
    layer->in_width = layer->out_width = ((const embed *)layer->params)->width;
    return KRAIT_OK;
}

static void embed_weights(const kr_layer *layer, kr_wants *wants)
{
    kr_want_matrix(wants, "weight", KR_AT(embed, weight), layer->vocabulary, layer->out_width);
}

static void embed_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const embed *p = layer->params;

    (void)context;
    for (size_t r = 0; r < kr_rows_count(in); r++) {
        float *row = out->data + r * out->width;

        if (in->tokens && in->tokens[r] >= 0)
            kr_pack_read_row(&p->weight, (size_t)in->tokens[r], row);
        else
            memcpy(row, in->data + r * out->width, out->width * sizeof *row);
    }
}

extern const kr_layer_type kr_layer_embed;
const kr_layer_type kr_layer_embed = {
    .name = "embed", .flags = KR_ROW_WISE | KR_TAKES_TOKEN, .params_size = sizeof(embed),
    .options = embed_options, .shape = embed_shape, .weights = embed_weights, .run = embed_run,
};
