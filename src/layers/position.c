/* position.c - x plus a row for each place in the episode: a learned position embedding. */
#include "layers/layer.h"

typedef struct position {
    size_t       rows;
    const float *weight;        /* [rows][width] */
} position;

static const kr_option position_options[] = {
    { "rows", KR_COUNT, KR_AT(position, rows), 1, KR_MOST_WIDTH, KR_REQUIRED, NULL },
    { 0 }
};

static krait_status position_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    layer->whole = 1;
    return KRAIT_OK;
}

static void position_weights(const kr_layer *layer, kr_wants *wants)
{
    kr_want_table(wants, "weight", KR_AT(position, weight), ((const position *)layer->params)->rows,
                  layer->in_width);
}

static krait_status position_flow(kr_layer *layer, kr_flows *flows, kr_flow *flow)
{
    return kr_flow_limit(flows, layer, flow->rows, 0, ((const position *)layer->params)->rows);
}

static void position_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const position *p = layer->params;

    (void)context;
    for (size_t lane = 0; lane < in->lanes; lane++)
        for (size_t from = in->first[lane], to; from < in->first[lane + 1]; from = to) {
            const float *x = in->data + from * in->width;
            float       *y = out->data + from * in->width;

            to = kr_rows_episode(in, from, in->first[lane + 1]);
            for (size_t i = 0; i < (to - from) * in->width; i++)
                y[i] = x[i] + p->weight[i];
        }
}

extern const kr_layer_type kr_layer_position;
const kr_layer_type kr_layer_position = {
    .name = "position", .params_size = sizeof(position), .options = position_options,
    .shape = position_shape, .weights = position_weights, .flow = position_flow, .run = position_run,
};
