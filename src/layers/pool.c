/*
 * pool.c - one row out of the rows of an episode.
 *
 * In a causal model it is the running value: at every row, over the episode so far.  Where
 * sequences come whole it is one row for each episode.  A mean weighs rows with their dt; its sums
 * are held as two floats each, so that they do not stall however long the episode.
 */
#include "layers/layer.h"

#include <string.h>

#include "core/real.h"

enum pool_kind { POOL_MEAN, POOL_MAX, POOL_LAST, POOL_TOKEN };

typedef struct pool {
    int    kind;
    size_t index;
} pool;

static const char *const pool_kinds[] = { "mean", "max", "last", "token", NULL };

static const kr_option pool_options[] = {
    { "kind",  KR_CHOICE, KR_AT(pool, kind),  0, 0, KR_REQUIRED, pool_kinds },
    { "index", KR_COUNT,  KR_AT(pool, index), 0, KR_MOST_WIDTH, 0, NULL },
    { 0 }
};

static krait_status pool_shape(kr_layer *layer, krait_message *message)
{
    const pool *p = layer->params;

    if (p->index && p->kind != POOL_TOKEN)
        return kr_fail(message, KRAIT_ERR_FORMAT, "description: %.100s: 'index' is for kind 'token'", layer->path);
    layer->out_width = layer->in_width;
    layer->whole = p->kind == POOL_TOKEN;
    layer->uses_time = p->kind == POOL_MEAN;
    return KRAIT_OK;
}

static krait_status pool_flow(kr_layer *layer, kr_flows *flows, kr_flow *flow)
{
    const pool  *p = layer->params;
    krait_status status = KRAIT_OK;

    if (p->kind == POOL_TOKEN)
        status = kr_flow_limit(flows, layer, flow->rows, p->index + 1, SIZE_MAX);
    if (status != KRAIT_OK)
        return status;
    if (!flow->whole)
        return KRAIT_OK;
    flow->rows = (kr_count){ 0, 1 };
    layer->reshapes = layer->resizes = 1;
    return KRAIT_OK;
}

static void pool_extent(const kr_layer *layer, kr_extent *extent)
{
    if (layer->reshapes)
        extent->rows = extent->episodes;
}

static void pool_memory(const kr_layer *layer, kr_parts *parts)
{
    const pool *p = layer->params;

    if (p->kind == POOL_MEAN)
        kr_part_add(parts, "sum", KR_PART_ROWS, 2, layer->in_width);
    if (p->kind == POOL_MAX)
        kr_part_add(parts, "max", KR_PART_ROWS, 1, layer->in_width);
    if (p->kind == POOL_MEAN || p->kind == POOL_MAX)
        kr_part_add(parts, "time", KR_PART_ROWS, 1, 2);
}

/* What is remembered, and where: high and low parts of sums, the time over which they go. */
typedef struct pool_state {
    float *high, *low;          /* [width]; max: high alone */
    float *time;                /* high and low; max: 1 once there was a row */
} pool_state;

static pool_state pool_lane(const kr_layer *layer, const kr_context *context, size_t lane)
{
    const pool *p = layer->params;
    pool_state  s = { 0 };
    size_t      width = kr_pad16(layer->in_width);

    if (p->kind == POOL_MEAN || p->kind == POOL_MAX) {
        s.high = kr_layer_memory(layer, context, lane);
        s.low = s.high + width;
        s.time = s.high + (p->kind == POOL_MEAN ? 2 : 1) * width;
    }
    return s;
}

static void pool_forget(const kr_layer *layer, pool_state s)
{
    if (s.high)
        kr_layer_begin(layer, s.high, 0, layer->memory_bytes / sizeof *s.high);
}

/* (high, low) += term + rest, with what each addition loses kept in low. */
static void pool_add(float *high, float *low, float term, float rest)
{
    float sum = *high + term, part = sum - *high;
    float lost = (*high - (sum - part)) + (term - part), small = *low + (lost + rest);

    *high = sum + small;
    *low = small - (*high - sum);
}

/* One more row; the mean so far goes to y. */
static void pool_mean(pool_state s, const float *x, const float *dt, float *y, size_t width)
{
    float time;

    pool_add(&s.time[0], &s.time[1], dt ? *dt : 1.0f, 0.0f);
    time = s.time[0] + s.time[1];
    for (size_t c = 0; c < width; c++) {
        float term = dt ? *dt * x[c] : x[c];

        pool_add(&s.high[c], &s.low[c], term, dt ? kr_fma(*dt, x[c], -term) : 0.0f);
        y[c] = time > 0.0f ? (s.high[c] + s.low[c]) / time : x[c];
    }
}

/* NaN once seen stays. */
static void pool_max(pool_state s, const float *x, float *y, size_t width)
{
    int begun = s.time[0] > 0.0f;

    for (size_t c = 0; c < width; c++) {
        if (!begun || x[c] > s.high[c] || x[c] != x[c])
            s.high[c] = x[c];
        y[c] = s.high[c];
    }
    s.time[0] = 1.0f;
}

static void pool_row(const kr_layer *layer, pool_state s, const kr_rows *in, size_t row, float *y)
{
    const pool  *p = layer->params;
    const float *x = in->data + row * in->width;

    if (p->kind == POOL_MEAN)
        pool_mean(s, x, in->dt ? &in->dt[row] : NULL, y, in->width);
    else if (p->kind == POOL_MAX)
        pool_max(s, x, y, in->width);
    else
        memcpy(y, x, in->width * sizeof *y);
}

/* Rows from..to-1 of one episode into row 'row' of 'out'. */
static void pool_episode(const kr_layer *layer, pool_state s, const kr_rows *in, size_t from, size_t to,
                         kr_rows *out, size_t row)
{
    const pool *p = layer->params;
    float      *y = out->data + row * out->width;

    if (p->kind == POOL_TOKEN)
        from = to = from + p->index + 1;
    if (p->kind == POOL_LAST || p->kind == POOL_TOKEN)
        pool_row(layer, s, in, to - 1, y);
    else
        for (size_t r = from; r < to; r++)
            pool_row(layer, s, in, r, y);
}

static void pool_run_whole(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const kr_room *room = out->room;
    size_t         row = 0;

    for (size_t lane = 0; lane < in->lanes; lane++) {
        pool_state s = pool_lane(layer, context, lane);

        room->first[lane] = row;
        for (size_t from = in->first[lane], to; from < in->first[lane + 1]; from = to, row++) {
            to = kr_rows_episode(in, from, in->first[lane + 1]);
            pool_forget(layer, s);
            pool_episode(layer, s, in, from, to, out, row);
            room->reset[row] = in->reset ? in->reset[from] : 0;
            room->dt[row] = 0;
            for (size_t r = from; r < to; r++)
                room->dt[row] += in->dt ? in->dt[r] : 1.0f;
        }
    }
    room->first[in->lanes] = row;
    out->first = room->first;
    out->dt = room->dt;
    out->reset = in->reset ? room->reset : NULL;
}

static void pool_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    if (layer->reshapes) {
        pool_run_whole(layer, context, in, out);
        return;
    }
    for (size_t lane = 0; lane < in->lanes; lane++) {
        pool_state s = pool_lane(layer, context, lane);

        for (size_t r = in->first[lane]; r < in->first[lane + 1]; r++) {
            if (in->reset && in->reset[r])
                pool_forget(layer, s);
            pool_row(layer, s, in, r, out->data + r * out->width);
        }
    }
}

extern const kr_layer_type kr_layer_pool;
const kr_layer_type kr_layer_pool = {
    .name = "pool", .params_size = sizeof(pool), .options = pool_options, .shape = pool_shape,
    .memory = pool_memory, .flow = pool_flow, .extent = pool_extent, .run = pool_run,
};
