/* insert.c - rows of its own among those of every episode: class tokens, registers. */
#include "layers/layer.h"

#include <string.h>

enum insert_at { INSERT_FIRST, INSERT_MIDDLE, INSERT_LAST };

typedef struct insert {
    int          at;
    size_t       rows;
    const float *weight;        /* [rows][width] */
} insert;

static const char *const insert_places[] = { "first", "middle", "last", NULL };

static const kr_option insert_options[] = {
    { "at",   KR_CHOICE, KR_AT(insert, at),   0, 0, KR_REQUIRED, insert_places },
    { "rows", KR_COUNT,  KR_AT(insert, rows), 1, KR_MOST_STATES, 1, NULL },
    { 0 }
};

static krait_status insert_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    layer->whole = layer->reshapes = 1;
    return KRAIT_OK;
}

static void insert_weights(const kr_layer *layer, kr_wants *wants)
{
    kr_want_table(wants, "weight", KR_AT(insert, weight), ((const insert *)layer->params)->rows, layer->in_width);
}

static krait_status insert_flow(kr_layer *layer, kr_flows *flows, kr_flow *flow)
{
    (void)flows;
    flow->rows.plus = kr_extent_sum(flow->rows.plus, 1, ((const insert *)layer->params)->rows);
    return KRAIT_OK;
}

static void insert_extent(const kr_layer *layer, kr_extent *extent)
{
    extent->rows = kr_extent_sum(extent->rows, ((const insert *)layer->params)->rows, extent->episodes);
}

/* 'count' rows of data behind the 'row' that 'out' has. */
static void insert_copy(kr_rows *out, size_t row, const float *data, const float *dt, size_t count)
{
    memcpy(out->data + row * out->width, data, count * out->width * sizeof *data);
    memset(out->room->reset + row, 0, count);
    for (size_t i = 0; i < count; i++)
        out->room->dt[row + i] = dt ? dt[i] : 1.0f;
}

/* Rows from..to-1 of 'in' with the others among them; returns where the next episode goes. */
static size_t insert_episode(const insert *p, const kr_rows *in, size_t from, size_t to, kr_rows *out, size_t row)
{
    size_t       n = to - from, before = p->at == INSERT_FIRST ? 0 : p->at == INSERT_MIDDLE ? n / 2 : n;
    const float *x = in->data + from * in->width, *dt = in->dt ? in->dt + from : NULL;

    insert_copy(out, row, x, dt, before);
    insert_copy(out, row + before, p->weight, NULL, p->rows);
    insert_copy(out, row + before + p->rows, x + before * in->width, dt ? dt + before : NULL, n - before);
    out->room->reset[row] = in->reset ? in->reset[from] : 0;
    return row + n + p->rows;
}

static void insert_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const kr_room *room = out->room;
    size_t         row = 0;

    (void)context;
    for (size_t lane = 0; lane < in->lanes; lane++) {
        room->first[lane] = row;
        for (size_t from = in->first[lane], to; from < in->first[lane + 1]; from = to) {
            to = kr_rows_episode(in, from, in->first[lane + 1]);
            row = insert_episode(layer->params, in, from, to, out, row);
        }
    }
    room->first[in->lanes] = row;
    out->first = room->first;
    out->dt = in->dt ? room->dt : NULL;
    out->reset = in->reset ? room->reset : NULL;
}

extern const kr_layer_type kr_layer_insert;
const kr_layer_type kr_layer_insert = {
    .name = "insert", .params_size = sizeof(insert), .options = insert_options, .shape = insert_shape,
    .weights = insert_weights, .flow = insert_flow, .extent = insert_extent, .run = insert_run,
};
