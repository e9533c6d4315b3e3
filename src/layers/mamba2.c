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

enum { MAMBA2_STRIP = 64, MAMBA2_LONG = 8 };     /* outputs of a product that belong together; rows from which on heads run one by one */

/* Rows between the projections, and how many parts of lanes and of channels or heads their tasks have. */
typedef struct mamba2_work {
    const kr_layer   *layer;
    const mamba2     *p;
    const kr_context *context;
    const kr_rows    *in;
    size_t       rows, wide;    /* wide: of what in_proj makes */
    float       *projected;     /* [rows][wide]: z, x, B, C, dt */
    float       *mixed;         /* [rows][mixed]: x, B, C */
    float       *dt, *decay;    /* [rows][heads], of a task's lanes and heads together */
    float       *y;             /* [rows][inner] */
    unsigned char *rooms;       /* of kr_ssd_take(), one for each task */
    size_t       room_bytes;
    kr_product   in_proj, out_proj;
    size_t       parts, lanes;
} mamba2_work;

static void mamba2_take(mamba2_work *w, const mamba2 *p, size_t rows, size_t tasks, kr_carve *carve)
{
    kr_carve room = { 0 };

    kr_ssd_take(p->states, &room);
    carve->broken |= room.broken;
    w->p = p;
    w->rows = rows;
    w->wide = p->inner + p->mixed + p->heads;
    w->room_bytes = room.used;
    w->projected = kr_carve_floats(carve, rows, w->wide);
    w->mixed = kr_carve_floats(carve, rows, p->mixed);
    w->dt = kr_carve_floats(carve, rows, p->heads);
    w->decay = kr_carve_floats(carve, rows, p->heads);
    w->y = kr_carve_floats(carve, rows, p->inner);
    w->rooms = kr_carve_bytes(carve, tasks, room.used);
    kr_product_take(&w->in_proj, &p->in_proj, rows, carve);
    kr_product_take(&w->out_proj, &p->out_proj, rows, carve);
}

static size_t mamba2_most_tasks(size_t tasks)
{
    return tasks > 1 ? tasks : 1;
}

static void mamba2_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    mamba2_work w;

    mamba2_take(&w, layer->params, most->rows, mamba2_most_tasks(most->tasks), carve);
}

static void mamba2_start_work(mamba2_work *w, const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const mamba2 *p = layer->params;

    mamba2_take(w, p, kr_rows_count(in), mamba2_most_tasks(context->tasks.most), &context->scratch);
    w->layer = layer;
    w->context = context;
    w->in = in;
    w->in_proj.bias = p->in_bias;
    w->in_proj.x = in->data;
    w->in_proj.x_stride = in->width;
    w->in_proj.y = w->projected;
    w->in_proj.y_stride = w->wide;
    w->out_proj.bias = p->out_bias;
    w->out_proj.x = w->y;
    w->out_proj.x_stride = p->inner;
    w->out_proj.y = out->data;
    w->out_proj.y_stride = out->width;
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

/* Lanes, channels or heads, and of heads the steps that stand ready: [rows of the lanes][heads of the cut]. */
typedef struct mamba2_cut {
    size_t       lane, lane_end, from, to;
    const float *dt, *decay;
    const kr_ssd_room *room;
} mamba2_cut;

/* Of 'count' things in multiples of 'grain'. */
static mamba2_cut mamba2_cut_of(const mamba2_work *w, size_t task, size_t count, size_t grain)
{
    size_t part = task % w->parts, lanes = task / w->parts;

    return (mamba2_cut){ kr_tasks_cut(w->in->lanes, 1, w->lanes, lanes), kr_tasks_cut(w->in->lanes, 1, w->lanes, lanes + 1),
                         kr_tasks_cut(count, grain, w->parts, part), kr_tasks_cut(count, grain, w->parts, part + 1),
                         NULL, NULL, NULL };
}

/* x, B and C of rows from..to-1 of an episode; the window is cleared where a new one begins. */
static void mamba2_convolve(const mamba2_work *w, size_t lane, const mamba2_cut *cut, size_t from, size_t to)
{
    const mamba2 *p = w->p;
    size_t        stride = kr_pad16(p->mixed), width = cut->to - cut->from;
    float        *window = mamba2_window(w, lane) + cut->from;
    const float  *x = w->projected + from * w->wide + p->inner + cut->from;
    kr_conv       job = { p->conv + cut->from * p->taps, p->conv_bias ? p->conv_bias + cut->from : NULL, x, w->wide, window,
                          stride, w->mixed + from * p->mixed + cut->from, p->mixed, to - from, width, p->taps, 1 };

    if (w->in->reset && w->in->reset[from])
        for (size_t i = 0; i + 1 < p->taps; i++)
            kr_layer_begin(w->layer, mamba2_window(w, lane), i * stride + cut->from, kr_pad16(width));
    w->context->kernels->conv(&job);
    kr_window_push(window, p->taps - 1, stride, x, w->wide, to - from, width);
}

/* y *= silu(z) of rows from..to-1, channels at..at+width-1. */
static void mamba2_gate(const mamba2_work *w, size_t from, size_t to, size_t at, size_t width)
{
    float  *y = w->y + from * w->p->inner + at;
    kr_gate gate = { y, w->projected + from * w->wide + at, w->p->inner, w->wide, y, w->p->inner, to - from, width,
                     KR_SILU };

    w->context->kernels->gate(&gate);
}

static int mamba2_gates_last(const mamba2 *p)
{
    return p->before_gate && p->norm == MAMBA2_RMS;
}

/* y of rows from..to-1 of an episode for some heads of a group. */
static void mamba2_heads(const mamba2_work *w, const mamba2_cut *cut, float *h, size_t head, size_t heads, size_t from,
                         size_t to)
{
    const mamba2 *p = w->p;
    size_t        one = kr_pad16(p->head_dim) * p->states, g = head / (p->heads / p->groups), at = head * p->head_dim;
    size_t        row = from - w->in->first[cut->lane], stride = cut->to - cut->from;
    const float  *mixed = w->mixed + from * p->mixed;
    kr_heads      job = { mixed + at, cut->dt + row * stride + head - cut->from, cut->decay + row * stride + head - cut->from,
                          mixed + p->inner + g * p->states, mixed + p->inner + (p->groups + g) * p->states, p->d + at,
                          h + head * one, w->y + from * p->inner + at, p->mixed, stride, p->mixed, p->inner,
                          to - from, heads, p->head_dim, p->states };

    if (w->context->mode == KRAIT_SCAN)
        kr_ssd_run(w->context->kernels, &job, cut->room);
    else
        w->context->kernels->heads(&job);
    if (!mamba2_gates_last(p))
        mamba2_gate(w, from, to, at, heads * p->head_dim);
}

/*
 * The same for all of the task's heads, group by group; of many rows head by head, so that its states and what comes out of
 * them wait in the cache for the rows behind and the gate.
 */
static void mamba2_scan(const mamba2_work *w, size_t lane, const mamba2_cut *cut, size_t from, size_t to)
{
    const mamba2 *p = w->p;
    size_t        one = kr_pad16(p->head_dim) * p->states, each = p->heads / p->groups;
    float        *h = mamba2_states(w, lane);

    if (w->in->reset && w->in->reset[from])
        kr_layer_begin(w->layer, mamba2_window(w, lane), (size_t)(h - mamba2_window(w, lane)) + cut->from * one,
                       (cut->to - cut->from) * one);
    for (size_t head = cut->from, end; head < cut->to; head = end) {
        end = kr_min((head / each + 1) * each, cut->to);
        if (to - from >= MAMBA2_LONG && w->context->mode != KRAIT_SCAN)
            end = head + 1;
        mamba2_heads(w, cut, h, head, end - head, from, to);
    }
}

typedef void mamba2_pass(const mamba2_work *w, size_t lane, const mamba2_cut *cut, size_t from, size_t to);

/* Every episode of the cut's lanes. */
static void mamba2_lanes(const mamba2_work *w, const mamba2_cut *cut, mamba2_pass *pass)
{
    const kr_rows *in = w->in;

    for (size_t lane = cut->lane; lane < cut->lane_end && cut->from < cut->to; lane++)
        for (size_t from = in->first[lane], to, end = in->first[lane + 1]; from < end; from = to) {
            to = kr_rows_episode(in, from, end);
            pass(w, lane, cut, from, to);
        }
}

/* ---- tasks ------------------------------------------------------------------------------------------ */

/* Do strips of in_proj's outputs hold whole panels of the convolution's channels? */
static int mamba2_is_aligned(const mamba2 *p)
{
    return p->inner % MAMBA2_STRIP == 0;
}

/*
 * Some outputs of in_proj, strip by strip, and where channels of the convolution are among them those are
 * convolved while they are at hand.
 */
static void mamba2_task_in(void *argument, size_t from, size_t to)
{
    const mamba2_work *w = argument;
    size_t             inner = w->p->inner, few = w->rows < MAMBA2_LONG * w->in->lanes, end;

    for (; from < to; from = end) {
        mamba2_cut cut = { .lane_end = w->in->lanes };

        end = few ? to : kr_min(from + MAMBA2_STRIP, to);
        kr_product_outputs(w->context->kernels, &w->in_proj, from, end);
        cut.from = from > inner ? from - inner : 0;
        cut.to = end > inner ? kr_min(end - inner, w->p->mixed) : 0;
        if (mamba2_is_aligned(w->p))
            mamba2_lanes(w, &cut, mamba2_convolve);
    }
}

static void mamba2_task_convolve(void *argument, size_t task)
{
    const mamba2_work *w = argument;
    mamba2_cut         cut = mamba2_cut_of(w, task, w->p->mixed, KR_LANES);

    mamba2_lanes(w, &cut, mamba2_convolve);
}

/* Steps and decays of the cut's lanes and heads, one behind another in the task's own piece of all. */
static void mamba2_pace(const mamba2_work *w, mamba2_cut *cut)
{
    const mamba2 *p = w->p;
    size_t        first = w->in->first[cut->lane], rows = w->in->first[cut->lane_end] - first, at = cut->from;
    size_t        own = first * p->heads + rows * at;
    kr_pace       job = { w->projected + first * w->wide + p->inner + p->mixed + at, w->wide,
                          p->dt_bias ? p->dt_bias + at : NULL, p->a + at, p->dt_min, p->dt_max, w->dt + own, w->decay + own,
                          rows, cut->to - at };

    w->context->kernels->pace(&job);
    cut->dt = w->dt + own;
    cut->decay = w->decay + own;
}

static void mamba2_task_scan(void *argument, size_t task)
{
    const mamba2_work *w = argument;
    kr_carve           carve = { .base = w->rooms + task * w->room_bytes };
    mamba2_cut         cut = mamba2_cut_of(w, task, w->p->heads, 1);
    kr_ssd_room        room;

    if (w->context->mode == KRAIT_SCAN) {
        room = kr_ssd_take(w->p->states, &carve);
        cut.room = &room;
    }
    mamba2_pace(w, &cut);
    mamba2_lanes(w, &cut, mamba2_scan);
}

/* Norm of rows from..to-1, in place, a gate that comes behind it, and the integers that out_proj may want of them. */
static void mamba2_task_norm(void *argument, size_t from, size_t to)
{
    const mamba2_work *w = argument;
    const mamba2      *p = w->p;
    const kr_kernels  *k = w->context->kernels;

    for (size_t r = from; p->norm == MAMBA2_RMS && r < to; r++)
        for (size_t c = 0; c < p->inner; c += p->norm_size)
            k->rms_norm(w->y + r * p->inner + c, w->y + r * p->inner + c, p->norm_weight ? p->norm_weight + c : NULL,
                        p->norm_eps, 1, p->norm_size);
    if (mamba2_gates_last(p))
        mamba2_gate(w, from, to, 0, p->inner);
    kr_product_rows(k, &w->out_proj, from, to);
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

static void mamba2_ranges(mamba2_work *w, kr_range_fn range, size_t count, size_t grain, uint64_t work)
{
    kr_tasks_ranges(&w->context->tasks, range, w, count, grain,
                    kr_tasks_for(&w->context->tasks, work, (count + grain - 1) / grain));
}

static void mamba2_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const mamba2 *p = layer->params;
    uint64_t      rows = kr_rows_count(in), state = (uint64_t)p->inner * p->states;
    uint64_t      convolved = rows * p->mixed * (p->taps + KR_WORK_NUMBER);
    mamba2_work   w;

    if (rows == 0)
        return;
    mamba2_start_work(&w, layer, context, in, out);
    kr_product_integers(context, &w.in_proj);
    mamba2_ranges(&w, mamba2_task_in, w.wide, MAMBA2_STRIP,
                  kr_product_work(&p->in_proj, w.rows) + (mamba2_is_aligned(p) ? convolved : 0));
    if (!mamba2_is_aligned(p))
        mamba2_tasks(&w, mamba2_task_convolve, convolved, kr_pad16(p->mixed) / KR_LANES);
    mamba2_tasks(&w, mamba2_task_scan, state * (3 * rows + 4 * KR_WORK_BYTE * in->lanes) + rows * p->inner * KR_WORK_NUMBER,
                 p->heads);
    mamba2_ranges(&w, mamba2_task_norm, w.rows, 1, rows * p->inner * KR_WORK_NUMBER);
    kr_product_all(context, &w.out_proj);
}

extern const kr_layer_type kr_layer_mamba2;
const kr_layer_type kr_layer_mamba2 = {
    .name = "mamba2", .params_size = sizeof(mamba2), .options = mamba2_options,
    .shape = mamba2_shape, .weights = mamba2_weights, .memory = mamba2_memory, .prepare = mamba2_prepare,
    .start = mamba2_start, .scratch = mamba2_scratch, .run = mamba2_run,
};
