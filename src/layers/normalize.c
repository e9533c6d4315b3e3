/*
 * normalize.c - (x - mean) / std of every channel, with numbers that stand in the description: what
 * a model was given in training instead of the raw numbers.
 */
#include "layers/layer.h"

typedef struct normalizing {
    kr_reals mean, std;         /* one for all channels, or one for each */
} normalizing;

/* A std below the least that float32 holds whole would be a division by zero. */
static const kr_option normalize_options[] = {
    { "mean", KR_REALS, KR_AT(normalizing, mean), -1e30, 1e30, KR_REQUIRED, NULL },
    { "std",  KR_REALS, KR_AT(normalizing, std),  1e-30, 1e30, KR_REQUIRED, NULL },
    { 0 }
};

static krait_status normalize_shape(kr_layer *layer, krait_message *message)
{
    const normalizing *p = layer->params;
    const kr_reals    *both[2] = { &p->mean, &p->std };

    for (int i = 0; i < 2; i++)
        if (both[i]->count != 1 && both[i]->count != layer->in_width)
            return kr_fail(message, KRAIT_ERR_SHAPE,
                           "description: %.100s: '%s' has %zu numbers for %zu channels",
                           layer->path, i ? "std" : "mean", both[i]->count, layer->in_width);
    layer->out_width = layer->in_width;
    return KRAIT_OK;
}

static void normalize_run(const kr_layer *layer, kr_context *context, const kr_rows *in,
                          kr_rows *out)
{
    const normalizing *p = layer->params;

    (void)context;
    for (size_t r = 0; r < kr_rows_count(in); r++)
        for (size_t c = 0; c < in->width; c++) {
            float mean = p->mean.items[p->mean.count > 1 ? c : 0];
            float std = p->std.items[p->std.count > 1 ? c : 0];

            out->data[r * in->width + c] = (in->data[r * in->width + c] - mean) / std;
        }
}

extern const kr_layer_type kr_layer_normalize;
const kr_layer_type kr_layer_normalize = {
    .name = "normalize", .flags = KR_ROW_WISE, .params_size = sizeof(normalizing),
    .options = normalize_options, .shape = normalize_shape, .run = normalize_run,
};
