/*
 * mamba2.c - the Mamba-2 mixer (Dao and Gu, arXiv 2405.21060; state-spaces/mamba, modules/mamba2.py).
 *
 *     [z; x; B; C; dt] = in_proj u                    heads * head_dim twice, groups * states twice, heads
 *     [x; B; C]        = silu(conv([x; B; C]))        depthwise, causal
 *     dt               = softplus(dt + dt_bias)       within dt_min .. dt_max
 *     h                = exp(dt A) h + dt x B         per channel of a head, 'states' numbers each; A of the head
 *     y                = C h + D x                    B and C are the group's: head / (heads / groups)
 *     y                = rms(y silu(z)) norm.weight   norm "rms"; over norm_size channels each, 0: over all
 *     y                = rms(y) norm.weight silu(z)   with norm_before_gate
 *     y                = y silu(z)                    norm "none"
 *     out              = out_proj y
 *
 * h begins with zeros, or with the weight init_states (mamba2_simple.py's) if the option of that name says so.
 */
#include "core/real.h"
#include "layers/layer.h"
#include "layers/window.h"
#include "scan/ssd.h"

typedef struct mamba2 {
    size_t       heads, head_dim, states, groups, taps, norm_size;
    int          norm;          /* index into mamba2_norms */
    int          before_gate;
    int          skip;          /* index into mamba2_skips */
    int          learned;       /* there are initial states */
    float        norm_eps, dt_min, dt_max;
    size_t       inner, mixed;  /* channels of x; those of the convolution */
    kr_matrix    in_proj;       /* [inner + mixed + heads][width] */
    kr_matrix    out_proj;      /* [width][inner] */
    const float *in_bias, *out_bias, *conv_bias, *dt_bias;      /* or NULL */
    const float *conv;          /* [mixed][taps] */
    const float *a;             /* [heads], negative in every trained model */
    const float *given_d;       /* [heads] or [inner] */
    const float *norm_weight;   /* [inner] or NULL: 1 */
    const float *initial;       /* [inner][states] or NULL: 0 */
    float       *d;             /* [inner] */
    float       *start;         /* what a lane remembers first, as it lies; NULL: zeros */
} mamba2;

enum { MAMBA2_NO_NORM, MAMBA2_RMS };
enum { MAMBA2_NO_SKIP, MAMBA2_OF_HEADS, MAMBA2_OF_CHANNELS };

static const char *const mamba2_norms[] = { "none", "rms", NULL };
static const char *const mamba2_skips[] = { "none", "heads", "channels", NULL };

static const kr_option mamba2_options[] = {
    { "heads",     KR_COUNT,  KR_AT(mamba2, heads),     1, KR_MOST_STATES, KR_REQUIRED, NULL },
    { "head_dim",  KR_COUNT,  KR_AT(mamba2, head_dim),  1, 16384,          KR_REQUIRED, NULL },
    { "states",    KR_COUNT,  KR_AT(mamba2, states),    1, KR_MOST_STATES, 128, NULL },
    { "groups",    KR_COUNT,  KR_AT(mamba2, groups),    1, KR_MOST_STATES, 1,   NULL },
    { "taps",      KR_COUNT,  KR_AT(mamba2, taps),      1, 4096,           4,   NULL },
    { "norm",      KR_CHOICE, KR_AT(mamba2, norm),      0, 0, MAMBA2_RMS, mamba2_norms },
    { "norm_size", KR_COUNT,  KR_AT(mamba2, norm_size), 0, KR_MOST_WIDTH,  0,   NULL },
    { "norm_eps",  KR_REAL,   KR_AT(mamba2, norm_eps),  0, 1, 1e-5, NULL },
    { "norm_before_gate", KR_FLAG, KR_AT(mamba2, before_gate), 0, 1, 0, NULL },
    { "D",         KR_CHOICE, KR_AT(mamba2, skip),      0, 0, MAMBA2_OF_HEADS, mamba2_skips },
    { "init_states", KR_FLAG, KR_AT(mamba2, learned),   0, 1, 0, NULL },
    { "dt_min",    KR_REAL,   KR_AT(mamba2, dt_min),    0, 1e30, 0, NULL },
    { "dt_max",    KR_REAL,   KR_AT(mamba2, dt_max),    0, 1e30, 0, NULL },     /* 0: there is none */
    { 0 }
};

static krait_status mamba2_shape(kr_layer *layer, krait_message *message)
{
    mamba2 *p = layer->params;
    size_t  most = (size_t)KR_MOST_WIDTH;

    layer->out_width = layer->in_width;
    p->inner = p->heads * p->head_dim;          /* at most 2^30 */
    if (p->heads % p->groups != 0)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: %zu heads in %zu groups", layer->path, p->heads,
                       p->groups);
    if (p->inner > most || p->groups > most / p->states)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: more than %zu channels", layer->path, most);
    p->mixed = p->inner + 2 * p->groups * p->states;
    if (p->norm_size == 0)
        p->norm_size = p->inner;
    if (p->inner % p->norm_size != 0)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: a norm of each %zu of %zu channels", layer->path,
                       p->norm_size, p->inner);
    if (p->dt_max == 0)
        p->dt_max = kr_float_of(0x7f800000u);
    if (p->dt_min > p->dt_max)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: 'dt_min' is above 'dt_max'", layer->path);
    return KRAIT_OK;
}

/* As GGUF has it: a line for each of 'rows'; other files have one for all. */
static void mamba2_want_lines(kr_wants *wants, const char *slot, size_t at, size_t rows, size_t width)
{
    uint64_t shape[4] = { rows, width };

    kr_want_array(wants, slot, at, shape, 2);
    wants->list[wants->count - 1].flat = 1;
}

static void mamba2_weights(const kr_layer *layer, kr_wants *wants)
{
    const mamba2 *p = layer->params;
    size_t        width = layer->in_width, wide = p->inner + p->mixed + p->heads;

    kr_want_matrix(wants, "in_proj.weight", KR_AT(mamba2, in_proj), wide, width);
    kr_want_floats(wants, "in_proj.bias", KR_AT(mamba2, in_bias), wide, 1);
    kr_want_channels(wants, "conv1d.weight", KR_AT(mamba2, conv), p->mixed, p->taps);
    kr_want_floats(wants, "conv1d.bias", KR_AT(mamba2, conv_bias), p->mixed, 1);
    kr_want_floats(wants, "dt_bias", KR_AT(mamba2, dt_bias), p->heads, 1);
    mamba2_want_lines(wants, "A", KR_AT(mamba2, a), p->heads, 1);
    wants->list[wants->count - 1].logarithm = "A_log";
    if (p->skip)
        mamba2_want_lines(wants, "D", KR_AT(mamba2, given_d), p->heads, p->skip == MAMBA2_OF_HEADS ? 1 : p->head_dim);
    if (p->norm == MAMBA2_RMS) {
        mamba2_want_lines(wants, "norm.weight", KR_AT(mamba2, norm_weight), p->inner / p->norm_size, p->norm_size);
        wants->list[wants->count - 1].optional = 1;
    }
    if (p->learned)
        kr_want_array(wants, "init_states", KR_AT(mamba2, initial),
                      (const uint64_t[]){ p->heads, p->head_dim, p->states }, 3);
    kr_want_matrix(wants, "out_proj.weight", KR_AT(mamba2, out_proj), width, p->inner);
    kr_want_floats(wants, "out_proj.bias", KR_AT(mamba2, out_bias), width, 1);
}

/* The convolution's window, then the states. */
static void mamba2_memory(const kr_layer *layer, kr_parts *parts)
{
    const mamba2 *p = layer->params;

    if (p->taps > 1)
        kr_part_add(parts, "conv", KR_PART_ROWS, p->taps - 1, p->mixed);
    kr_part_heads(parts, "ssm", p->heads, p->head_dim, p->states);
}

/* D of every channel, and the memory of a lane that begins. */
static void mamba2_prepare(kr_layer *layer, kr_carve *carve)
{
    mamba2  *p = layer->params;
    kr_parts parts = { .count = 0 };
    size_t   window = (p->taps - 1) * kr_pad16(p->mixed), count = window + p->heads * kr_pad16(p->head_dim) * p->states;

    p->d = kr_carve_floats(carve, p->inner, 1);
    p->start = p->learned ? kr_carve_floats(carve, count, 1) : NULL;
    if (!carve->base || carve->broken)
        return;
    for (size_t c = 0; c < p->inner; c++)
        p->d[c] = p->skip == MAMBA2_NO_SKIP ? 0.0f : p->given_d[p->skip == MAMBA2_OF_HEADS ? c / p->head_dim : c];
    if (!p->learned)
        return;
    memset(p->start, 0, count * sizeof *p->start);
    mamba2_memory(layer, &parts);
    for (size_t i = 0; i < p->inner * p->states; i++)
        p->start[window + kr_part_index(&parts.list[parts.count - 1], i)] = kr_flush(p->initial[i]);
}

static const float *mamba2_start(const kr_layer *layer)
{
    return ((const mamba2 *)layer->params)->start;
}

/* Rows between the projections, and how many parts of lanes and of channels or heads their tasks have. */
typedef struct mamba2_work {
    const kr_layer   *layer;
    const mamba2     *p;
    const kr_context *context;
    const kr_rows    *in;
    size_t       rows, wide;    /* wide: of what in_proj makes */
    float       *projected;     /* [rows][wide]: z, x, B, C, dt */
    float       *mixed;         /* [rows][mixed]: x, B, C */
    float       *dt, *decay;    /* [rows][heads] */
    float       *y;             /* [rows][inner] */
    unsigned char *rooms;       /* of kr_ssd_take(), one for each task */
    size_t       room_bytes;
    size_t       parts, lanes;
} mamba2_work;

static mamba2_work mamba2_take(const mamba2 *p, size_t rows, size_t tasks, kr_carve *carve)
{
    mamba2_work w = { .p = p, .rows = rows, .wide = p->inner + p->mixed + p->heads };
    kr_carve    room = { 0 };

    kr_ssd_take(p->states, &room);
    carve->broken |= room.broken;
    w.room_bytes = room.used;
    w.projected = kr_carve_floats(carve, rows, w.wide);
    w.mixed = kr_carve_floats(carve, rows, p->mixed);
    w.dt = kr_carve_floats(carve, rows, p->heads);
    w.decay = kr_carve_floats(carve, rows, p->heads);
    w.y = kr_carve_floats(carve, rows, p->inner);
    w.rooms = kr_carve_bytes(carve, tasks, room.used);
    return w;
}

static size_t mamba2_most_tasks(size_t tasks)
{
    return tasks > 1 ? tasks : 1;
}

static void mamba2_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    const mamba2 *p = layer->params;

    mamba2_take(p, most->rows, mamba2_most_tasks(most->tasks), carve);
    kr_product_scratch(&p->in_proj, most->rows, carve);
    kr_product_scratch(&p->out_proj, most->rows, carve);
}

/* ---- lane by lane, for the channels or heads of a task --------------------------------------------- */

/* Where a pass finds what a lane remembers. */
static float *mamba2_window(const mamba2_work *w, size_t lane)
{
    return kr_layer_memory(w->layer, w->context, lane);
}

static float *mamba2_states(const mamba2_work *w, size_t lane)
{
    return mamba2_window(w, lane) + (w->p->taps - 1) * kr_pad16(w->p->mixed);
}

typedef struct mamba2_cut { size_t lane, lane_end, from, to; } mamba2_cut;

/* Of 'count' things in multiples of 'grain'. */
static mamba2_cut mamba2_cut_of(const mamba2_work *w, size_t task, size_t count, size_t grain)
{
    size_t part = task % w->parts, lanes = task / w->parts;

    return (mamba2_cut){ kr_tasks_cut(w->in->lanes, 1, w->lanes, lanes), kr_tasks_cut(w->in->lanes, 1, w->lanes, lanes + 1),
                         kr_tasks_cut(count, grain, w->parts, part), kr_tasks_cut(count, grain, w->parts, part + 1) };
}

/* x, B and C of rows from..to-1 of an episode; the window is cleared where a new one begins. */
static void mamba2_convolve(const mamba2_work *w, size_t lane, mamba2_cut cut, size_t from, size_t to, int fresh)
{
    const mamba2 *p = w->p;
    size_t        stride = kr_pad16(p->mixed), width = cut.to - cut.from;
    float        *window = mamba2_window(w, lane) + cut.from;
    const float  *x = w->projected + from * w->wide + p->inner + cut.from;
    kr_conv       job = { p->conv + cut.from * p->taps, p->conv_bias ? p->conv_bias + cut.from : NULL, x, w->wide, window,
                          stride, w->mixed + from * p->mixed + cut.from, p->mixed, to - from, width, p->taps, 1 };

    for (size_t i = 0; fresh && i + 1 < p->taps; i++)
        kr_layer_begin(w->layer, mamba2_window(w, lane), i * stride + cut.from, kr_pad16(width));
    w->context->kernels->conv(&job);
    kr_window_push(window, p->taps - 1, stride, x, w->wide, to - from, width);
}

/* y of rows from..to-1 of an episode, group by group of the task's heads. */
static void mamba2_scan(const mamba2_work *w, size_t lane, mamba2_cut cut, size_t from, size_t to, int fresh,
                        const kr_ssd_room *room)
{
    const mamba2 *p = w->p;
    size_t        one = kr_pad16(p->head_dim) * p->states, each = p->heads / p->groups;
    float        *h = mamba2_states(w, lane);
    const float  *row = w->mixed + from * p->mixed;

    if (fresh)
        kr_layer_begin(w->layer, mamba2_window(w, lane), (size_t)(h - mamba2_window(w, lane)) + cut.from * one,
                       (cut.to - cut.from) * one);
    for (size_t head = cut.from, end; head < cut.to; head = end) {
        size_t   g = head / each, at = head * p->head_dim;
        kr_heads job = { row + at, w->dt + from * p->heads + head, w->decay + from * p->heads + head,
                         row + p->inner + g * p->states, row + p->inner + (p->groups + g) * p->states, p->d + at,
                         h + head * one, w->y + from * p->inner + at, p->mixed, p->heads, p->mixed, p->inner,
                         to - from, 0, p->head_dim, p->states };

        end = kr_min((g + 1) * each, cut.to);
        job.heads = end - head;
        if (w->context->mode == KRAIT_SCAN)
            kr_ssd_run(w->context->kernels, &job, room);
        else
            w->context->kernels->heads(&job);
    }
}

/* Every episode of the cut's lanes: the convolution where there is no room, else the scan. */
static void mamba2_lanes(const mamba2_work *w, mamba2_cut cut, const kr_ssd_room *room)
{
    const kr_rows *in = w->in;

    for (size_t lane = cut.lane; lane < cut.lane_end && cut.from < cut.to; lane++)
        for (size_t from = in->first[lane], to, end = in->first[lane + 1]; from < end; from = to) {
            int fresh = in->reset && in->reset[from];

            to = kr_rows_episode(in, from, end);
            if (room)
                mamba2_scan(w, lane, cut, from, to, fresh, room);
            else
                mamba2_convolve(w, lane, cut, from, to, fresh);
        }
}

/* ---- tasks ------------------------------------------------------------------------------------------ */

static void mamba2_task_convolve(void *argument, size_t task)
{
    const mamba2_work *w = argument;

    mamba2_lanes(w, mamba2_cut_of(w, task, w->p->mixed, KR_LANES), NULL);
}

static void mamba2_task_scan(void *argument, size_t task)
{
    const mamba2_work *w = argument;
    kr_carve           carve = { .base = w->rooms + task * w->room_bytes };
    kr_ssd_room        room = kr_ssd_take(w->p->states, &carve);

    mamba2_lanes(w, mamba2_cut_of(w, task, w->p->heads, 1), &room);
}

/* Gate and norm of rows from..to-1, in place. */
static void mamba2_task_gate(void *argument, size_t from, size_t to)
{
    const mamba2_work *w = argument;
    const mamba2      *p = w->p;
    const kr_kernels  *k = w->context->kernels;
    float             *y = w->y + from * p->inner;
    kr_gate            gate = { y, w->projected + from * w->wide, p->inner, w->wide, y, p->inner, to - from, p->inner,
                                KR_SILU };

    if (!p->before_gate || p->norm == MAMBA2_NO_NORM)
        k->gate(&gate);
    for (size_t r = from; p->norm == MAMBA2_RMS && r < to; r++)
        for (size_t c = 0; c < p->inner; c += p->norm_size)
            k->rms_norm(w->y + r * p->inner + c, w->y + r * p->inner + c, p->norm_weight ? p->norm_weight + c : NULL,
                        p->norm_eps, 1, p->norm_size);
    if (p->before_gate && p->norm == MAMBA2_RMS)
        k->gate(&gate);
}

static void mamba2_pace(void *argument, size_t from, size_t to)
{
    const mamba2_work *w = argument;
    const mamba2      *p = w->p;
    kr_pace            job = { w->projected + from * w->wide + p->inner + p->mixed, w->wide, p->dt_bias, p->a, p->dt_min,
                               p->dt_max, w->dt + from * p->heads, w->decay + from * p->heads, to - from, p->heads };

    w->context->kernels->pace(&job);
}

/* Tasks of 'pieces' parts each, of lanes where there are more tasks than pieces. */
static void mamba2_tasks(mamba2_work *w, krait_task_fn task, uint64_t work, size_t pieces)
{
    const kr_tasks *tasks = &w->context->tasks;
    size_t          n = kr_tasks_for(tasks, work, SIZE_MAX);

    w->parts = kr_min(n, pieces);
    w->lanes = kr_min(n / w->parts, w->in->lanes);
    kr_tasks_run(tasks, task, w, w->parts * w->lanes);
}

static void mamba2_ranges(mamba2_work *w, kr_range_fn range, size_t width)
{
    const kr_tasks *tasks = &w->context->tasks;

    kr_tasks_ranges(tasks, range, w, w->rows, 1,
                    kr_tasks_for(tasks, (uint64_t)w->rows * width * 2 * KR_WORK_NUMBER, w->rows));
}

static void mamba2_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const mamba2 *p = layer->params;
    size_t        rows = kr_rows_count(in);
    mamba2_work   w = mamba2_take(p, rows, mamba2_most_tasks(context->tasks.most), &context->scratch);
    uint64_t      state = (uint64_t)p->inner * p->states;

    if (rows == 0)
        return;
    w.layer = layer;
    w.context = context;
    w.in = in;
    kr_product_run(context, &p->in_proj, p->in_bias, in->data, in->width, w.projected, w.wide, rows);
    mamba2_tasks(&w, mamba2_task_convolve, (uint64_t)rows * p->mixed * (p->taps + KR_WORK_NUMBER),
                 kr_pad16(p->mixed) / KR_LANES);
    mamba2_ranges(&w, mamba2_pace, p->heads);
    mamba2_tasks(&w, mamba2_task_scan, state * (3 * (uint64_t)rows + 4 * KR_WORK_BYTE * in->lanes), p->heads);
    mamba2_ranges(&w, mamba2_task_gate, p->inner);
    kr_product_run(context, &p->out_proj, p->out_bias, w.y, p->inner, out->data, out->width, rows);
}

extern const kr_layer_type kr_layer_mamba2;
const kr_layer_type kr_layer_mamba2 = {
    .name = "mamba2", .params_size = sizeof(mamba2), .options = mamba2_options,
    .shape = mamba2_shape, .weights = mamba2_weights, .memory = mamba2_memory, .prepare = mamba2_prepare,
    .start = mamba2_start, .scratch = mamba2_scratch, .run = mamba2_run,
};
