/* patch.c - windows of a grid as rows, in the order of a convolution's weight: (channel, y, x). */
#include "layers/layer.h"

typedef struct patch {
    size_t height, width, down, right;
} patch;

static const kr_option patch_options[] = {
    { "height", KR_COUNT, KR_AT(patch, height), 1, 65536, KR_REQUIRED, NULL },
    { "width",  KR_COUNT, KR_AT(patch, width),  1, 65536, KR_REQUIRED, NULL },
    { "down",   KR_COUNT, KR_AT(patch, down),   1, 65536, 0, NULL },
    { "right",  KR_COUNT, KR_AT(patch, right),  1, 65536, 0, NULL },
    { 0 }
};

static krait_status patch_shape(kr_layer *layer, krait_message *message)
{
    patch *p = layer->params;

    p->down = p->down ? p->down : p->height;
    p->right = p->right ? p->right : p->width;
    if (!kr_mul_fits(layer->in_width, p->height * p->width, &layer->out_width) ||
        layer->out_width > (size_t)KR_MOST_WIDTH)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: patches of too many numbers", layer->path);
    return KRAIT_OK;
}

static krait_status patch_flow(kr_layer *layer, kr_flows *flows, kr_flow *flow)
{
    const patch *p = layer->params;

    if (kr_flow_cells(flow) <= 1 || flow->grid[0] < p->height || flow->grid[1] < p->width)
        return kr_fail(flows->message, KRAIT_ERR_SHAPE,
                       "description: %.100s: patches of %zu x %zu over a grid of %zu x %zu", layer->path, p->height,
                       p->width, flow->grid[0], flow->grid[1]);
    flow->grid[0] = (flow->grid[0] - p->height) / p->down + 1;
    flow->grid[1] = (flow->grid[1] - p->width) / p->right + 1;
    return KRAIT_OK;
}

static void patch_extent(const kr_layer *layer, kr_extent *extent)
{
    extent->rows = kr_extent_sum(0, extent->rows / kr_flow_cells(&layer->in), kr_flow_cells(&layer->out));
}

/* One window; x is its first cell. */
static void patch_window(const patch *p, const float *x, size_t columns, size_t channels, float *y)
{
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < p->height; i++)
            for (size_t j = 0; j < p->width; j++)
                *y++ = x[(i * columns + j) * channels + c];
}

static void patch_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const patch *p = layer->params;
    size_t       columns = layer->in.grid[1], channels = in->width;
    float       *y = out->data;

    (void)context;
    for (size_t s = 0; s < in->first[in->lanes]; s++)
        for (size_t i = 0; i < layer->out.grid[0]; i++)
            for (size_t j = 0; j < layer->out.grid[1]; j++, y += out->width) {
                size_t cell = s * in->cells + i * p->down * columns + j * p->right;

                patch_window(p, in->data + cell * channels, columns, channels, y);
            }
}

extern const kr_layer_type kr_layer_patch;
const kr_layer_type kr_layer_patch = {
    .name = "patch", .flags = KR_ROW_WISE | KR_ANY_GRID, .params_size = sizeof(patch),
    .options = patch_options, .shape = patch_shape, .flow = patch_flow, .extent = patch_extent,
    .run = patch_run,
};
