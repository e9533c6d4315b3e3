/* slice.c - some neighbouring numbers of every row. */
#include "layers/layer.h"

#include <string.h>

typedef struct slice {
    size_t from, width;
} slice;

static const kr_option slice_options[] = {
    { "from",  KR_COUNT, KR_AT(slice, from),  0, KR_MOST_WIDTH, 0, NULL },
    { "width", KR_COUNT, KR_AT(slice, width), 1, KR_MOST_WIDTH, KR_REQUIRED, NULL },
    { 0 }
};

static krait_status slice_shape(kr_layer *layer, krait_message *message)
{
    const slice *p = layer->params;

    if (p->from + p->width > layer->in_width)
        return kr_fail(message, KRAIT_ERR_SHAPE, "%.100s: slice of %zu numbers from %zu on out of %zu",
                       layer->path, p->width, p->from, layer->in_width);
    layer->out_width = p->width;
    return KRAIT_OK;
}

static void slice_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const slice *p = layer->params;

    (void)context;
    for (size_t r = 0; r < kr_rows_count(in); r++)
        memcpy(out->data + r * p->width, in->data + r * in->width + p->from, p->width * sizeof *out->data);
}

extern const kr_layer_type kr_layer_slice;
const kr_layer_type kr_layer_slice = {
    .name = "slice", .flags = KR_ROW_WISE, .params_size = sizeof(slice), .options = slice_options,
    .shape = slice_shape, .run = slice_run,
};
