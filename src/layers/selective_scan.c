/*
 * selective_scan.c - the recurrence of Mamba alone (Gu and Dao, arXiv 2312.00752; state-spaces/mamba,
 * ops/selective_scan_interface.py): rows are [u | dt | B | C | z].
 *
 *     dt = softplus(dt + dt_bias)         or without the softplus
 *     h  = exp(dt A) h + dt B u           per channel, 'states' numbers each
 *     y  = (C h + D u) silu(z)            or without the gate
 */
#include "layers/layer.h"
#include "layers/share.h"
#include "scan/selective.h"

#include <string.h>

typedef struct selective_scan {
    size_t       inner, states, groups;
    int          gate, softplus;
    const float *a;             /* [inner][states] in panels */
    const float *d;             /* [inner] or NULL */
    const float *dt_bias;       /* [inner] or NULL */
    float       *zeros;         /* [inner], for an absent D */
} selective_scan;

static const kr_option selective_scan_options[] = {
    { "inner",    KR_COUNT, KR_AT(selective_scan, inner),    1, KR_MOST_WIDTH,  KR_REQUIRED, NULL },
    { "states",   KR_COUNT, KR_AT(selective_scan, states),   1, KR_MOST_STATES, 16, NULL },
    { "groups",   KR_COUNT, KR_AT(selective_scan, groups),   1, KR_MOST_WIDTH,  1,  NULL },
    { "gate",     KR_FLAG,  KR_AT(selective_scan, gate),     0, 1, 1, NULL },
    { "softplus", KR_FLAG,  KR_AT(selective_scan, softplus), 0, 1, 1, NULL },
    { 0 }
};

/* Groups are scanned one by one, each a whole number of panels. */
static krait_status selective_scan_shape(kr_layer *layer, krait_message *message)
{
    const selective_scan *p = layer->params;
    size_t                wanted = (p->gate ? 3 : 2) * p->inner + 2 * p->groups * p->states;

    if (p->inner % p->groups != 0)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: %zu groups of %zu channels", layer->path,
                       p->groups, p->inner);
    if (p->groups > 1 && p->inner / p->groups % KR_LANES != 0)
        return kr_fail(message, KRAIT_ERR_UNSUPPORTED,
                       "description: %.100s: 'groups' must have a multiple of 16 channels each, not %zu", layer->path,
                       p->inner / p->groups);
    if (layer->in_width != wanted)
        return kr_fail(message, KRAIT_ERR_SHAPE,
                       "description: %.100s: rows [u | dt | B | C%s] of %zu numbers are wanted, not %zu", layer->path,
                       p->gate ? " | z" : "", wanted, layer->in_width);
    layer->out_width = p->inner;
    return KRAIT_OK;
}

static void selective_scan_weights(const kr_layer *layer, kr_wants *wants)
{
    const selective_scan *p = layer->params;

    kr_want_channels(wants, "A", KR_AT(selective_scan, a), p->inner, p->states);
    wants->list[wants->count - 1].logarithm = "A_log";
    kr_want_floats(wants, "D", KR_AT(selective_scan, d), p->inner, 1);
    kr_want_floats(wants, "dt_bias", KR_AT(selective_scan, dt_bias), p->inner, 1);
}

static void selective_scan_prepare(kr_layer *layer, kr_carve *carve)
{
    selective_scan *p = layer->params;

    p->zeros = kr_carve_floats(carve, p->inner, 1);
    if (carve->base)
        memset(p->zeros, 0, p->inner * sizeof *p->zeros);
}

static void selective_scan_memory(const kr_layer *layer, kr_parts *parts)
{
    const selective_scan *p = layer->params;

    kr_part_add(parts, "ssm", KR_PART_CHANNELS, p->inner, p->states);
}

typedef struct selective_scan_room {
    float *dt;                  /* [rows][inner] */
    float *summaries;           /* of the segments of a group's channels */
} selective_scan_room;

static selective_scan_room selective_scan_take(const selective_scan *p, size_t rows, kr_carve *carve)
{
    selective_scan_room room;

    room.dt = kr_carve_floats(carve, rows, p->inner);
    room.summaries = kr_selective_take(rows, p->inner / p->groups, p->states, carve);
    return room;
}

static void selective_scan_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    selective_scan_take(layer->params, most->rows, carve);
}

/* A run, and how its tasks share it. */
typedef struct selective_scan_job {
    const kr_layer   *layer;
    const kr_context *context;
    const kr_rows    *in;
    selective_scan_room room;
    float            *out;              /* [rows][inner] */
    kr_shares         shares;
} selective_scan_job;

/* dt of the task's rows and channels, ready for use. */
static void selective_scan_times(const selective_scan_job *run, const kr_share *share)
{
    const selective_scan *p = run->layer->params;
    const kr_rows        *in = run->in;

    for (size_t r = in->first[share->lane]; r < in->first[share->lane_end]; r++) {
        const float *from = in->data + r * in->width + p->inner;
        float       *dt = run->room.dt + r * p->inner;

        for (size_t c = share->from; c < share->to; c++)
            dt[c] = p->dt_bias ? from[c] + p->dt_bias[c] : from[c];
        if (p->softplus)
            run->context->kernels->activate(dt + share->from, share->to - share->from, KR_SOFTPLUS);
    }
}

/* Rows from..to-1 of one episode, group by group of the task's channels. */
static void selective_scan_episode(const selective_scan_job *run, const kr_share *share, float *h, size_t from,
                                   size_t to)
{
    const selective_scan *p = run->layer->params;
    const kr_rows        *in = run->in;
    size_t                channels = p->inner / p->groups, end;
    const float          *row = in->data + from * in->width, *b = row + 2 * p->inner;

    for (size_t c = share->from; c < share->to; c = end) {
        size_t       g = c / channels;
        kr_selective job = { .a = p->a + c * p->states, .d = (p->d ? p->d : p->zeros) + c, .x = row + c,
                             .dt = run->room.dt + from * p->inner + c, .x_stride = in->width, .dt_stride = p->inner,
                             .z_stride = in->width, .b = b + g * p->states,
                             .c = b + (p->groups + g) * p->states, .bc_stride = in->width,
                             .h = h + c * p->states, .y = run->out + from * p->inner + c, .y_stride = p->inner,
                             .rows = to - from, .states = p->states };

        end = kr_min((g + 1) * channels, share->to);
        job.channels = end - c;
        if (p->gate)
            job.z = b + 2 * p->groups * p->states + c;
        if (run->context->mode == KRAIT_SCAN)
            kr_selective_scan(run->context->kernels, &job, &run->context->tasks, run->room.summaries);
        else
            run->context->kernels->selective(&job);
    }
}

static void selective_scan_lanes(const selective_scan_job *run, const kr_share *share)
{
    const selective_scan *p = run->layer->params;
    const kr_rows        *in = run->in;

    for (size_t lane = share->lane; lane < share->lane_end; lane++) {
        float *h = kr_layer_memory(run->layer, run->context, lane);
        size_t end = in->first[lane + 1];

        for (size_t from = in->first[lane], to; from < end; from = to) {
            to = kr_rows_episode(in, from, end);
            if (in->reset && in->reset[from])
                kr_layer_begin(run->layer, h, share->from * p->states, kr_pad16(share->to - share->from) * p->states);
            selective_scan_episode(run, share, h, from, to);
        }
    }
}

/* A scan in segments has tasks of its own. */
static void selective_scan_task(void *argument, size_t task)
{
    const selective_scan_job *run = argument;
    const selective_scan     *p = run->layer->params;
    kr_share                  share = kr_share_of(&run->shares, task, run->in->lanes, p->inner);

    selective_scan_times(run, &share);
    if (run->context->mode != KRAIT_SCAN)
        selective_scan_lanes(run, &share);
}

static void selective_scan_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const selective_scan *p = layer->params;
    size_t                rows = kr_rows_count(in);
    uint64_t              work = (uint64_t)rows * p->inner * (p->states * KR_WORK_STATE + 2 * KR_WORK_NUMBER);
    selective_scan_job    job = { layer, context, in, selective_scan_take(p, rows, &context->scratch), out->data,
                                  kr_shares_for(&context->tasks, work, in->lanes, p->inner) };

    kr_tasks_run(&context->tasks, selective_scan_task, &job, job.shares.channels * job.shares.lanes);
    if (context->mode == KRAIT_SCAN)
        selective_scan_lanes(&job, &(kr_share){ 0, in->lanes, 0, p->inner });
}

extern const kr_layer_type kr_layer_selective_scan;
const kr_layer_type kr_layer_selective_scan = {
    .name = "selective_scan", .params_size = sizeof(selective_scan), .options = selective_scan_options,
    .shape = selective_scan_shape, .weights = selective_scan_weights, .prepare = selective_scan_prepare,
    .memory = selective_scan_memory, .scratch = selective_scan_scratch, .run = selective_scan_run,
};
