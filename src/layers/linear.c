/* linear.c - y = W x + b; also the head of a language model. */
#include "layers/layer.h"

typedef struct linear {
    size_t       width;
    kr_matrix    weight;        /* [width][in] */
    const float *bias;          /* [width] or NULL */
} linear;

static const kr_option linear_options[] = {
    { "width", KR_COUNT, KR_AT(linear, width), 1, KR_MOST_WIDTH, KR_REQUIRED, NULL },
    { 0 }
};

static krait_status linear_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = ((const linear *)layer->params)->width;
    return KRAIT_OK;
}

static void linear_weights(const kr_layer *layer, kr_wants *wants)
{
    kr_want_matrix(wants, "weight", KR_AT(linear, weight), layer->out_width, layer->in_width);
    kr_want_floats(wants, "bias", KR_AT(linear, bias), layer->out_width, 1);
}

static void linear_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    kr_product_scratch(&((const linear *)layer->params)->weight, most->rows, carve);
}

static void linear_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const linear *p = layer->params;

    kr_product_run(context, &p->weight, p->bias, in->data, in->width, out->data, out->width,
                   kr_rows_count(in));
}

extern const kr_layer_type kr_layer_linear;
const kr_layer_type kr_layer_linear = {
    .name = "linear", .flags = KR_ROW_WISE, .params_size = sizeof(linear),
    .options = linear_options, .shape = linear_shape, .weights = linear_weights,
    .scratch = linear_scratch, .run = linear_run,
};
