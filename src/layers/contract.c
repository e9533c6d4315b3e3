/*
 * contract.c - rows [q | x], x as outer.c makes it: each head's matrix times its q.
 *
 *     y[j][head] = sum over i of x[i][j][head] q[head][i]
 *
 * As in H3 (h3.py) heads are neighbours in y, though they are far apart in q.
 */
#include "layers/layer.h"

typedef struct contract {
    size_t size;                /* of a head */
} contract;

static const kr_option contract_options[] = {
    { "head_dim", KR_COUNT, KR_AT(contract, size), 1, 4096, KR_REQUIRED, NULL },
    { 0 }
};

static krait_status contract_shape(kr_layer *layer, krait_message *message)
{
    const contract *p = layer->params;
    size_t          width = layer->in_width / (1 + p->size);

    if (layer->in_width % (1 + p->size) || width % p->size)
        return kr_fail(message, KRAIT_ERR_SHAPE,
                       "description: %.100s: %zu numbers are no row and matrices of heads of %zu", layer->path,
                       layer->in_width, p->size);
    layer->out_width = width;
    return KRAIT_OK;
}

static void contract_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const contract *p = layer->params;
    size_t          size = p->size, width = out->width, heads = width / size, rows = kr_rows_count(in);

    (void)context;
    for (size_t r = 0; r < rows; r++) {
        const float *q = in->data + r * in->width, *x = q + width;
        float       *y = out->data + r * width;

        for (size_t j = 0; j < size; j++)
            for (size_t head = 0; head < heads; head++) {
                float sum = x[j * heads + head] * q[head * size];

                for (size_t i = 1; i < size; i++)
                    sum += x[(i * size + j) * heads + head] * q[head * size + i];
                y[j * heads + head] = sum;
            }
    }
}

extern const kr_layer_type kr_layer_contract;
const kr_layer_type kr_layer_contract = {
    .name = "contract", .flags = KR_ROW_WISE, .params_size = sizeof(contract), .options = contract_options,
    .shape = contract_shape, .run = contract_run,
};
