/*
 * mamba1.c - the Mamba-1 mixer (Gu and Dao, arXiv 2312.00752; state-spaces/mamba,
 * modules/mamba_simple.py).
 *
 *     [x; z]    = in_proj u                           inner channels each
 *     x         = silu(conv(x))                       depthwise, causal
 *     [r; B; C] = x_proj x                            rank, states, states
 *     r, B, C   = rms(r), rms(B), rms(C)              with norm "rms": Falcon-Mamba, Jamba
 *     dt        = softplus(dt_proj r + dt_proj.bias)
 *     h         = exp(dt A) h + dt B x                per channel, 'states' numbers each
 *     y         = (C h + D x) silu(z)
 *     out       = out_proj y
 *
 * With project "none" rows are [x | z] and y goes out: two directions may share their projections.
 */
#include "layers/layer.h"
#include "layers/window.h"
#include "scan/selective.h"

typedef struct mamba1 {
    size_t       inner, states, taps, rank;
    int          bare;          /* index into mamba1_projects */
    int          normed;        /* index into mamba1_norms */
    float        norm_eps;
    kr_matrix    in_proj;       /* [2 inner][width] */
    kr_matrix    x_proj;        /* [rank + 2 states][inner] */
    kr_matrix    dt_proj;       /* [inner][rank] */
    kr_matrix    out_proj;      /* [width][inner] */
    const float *in_bias, *out_bias, *conv_bias;    /* or NULL */
    const float *dt_bias;       /* [inner] or NULL */
    const float *conv;          /* [inner][taps] */
    const float *a;             /* [inner][states], negative in every trained model */
    const float *d;             /* [inner] */
    const float *dt_norm, *b_norm, *c_norm;         /* [rank], [states], [states] or NULL: 1 */
} mamba1;

static const char *const mamba1_projects[] = { "both", "none", NULL };
static const char *const mamba1_norms[] = { "none", "rms", NULL };

static const kr_option mamba1_options[] = {
    { "inner",  KR_COUNT, KR_AT(mamba1, inner),  1, KR_MOST_WIDTH,  KR_REQUIRED, NULL },
    { "states", KR_COUNT, KR_AT(mamba1, states), 1, KR_MOST_STATES, 16, NULL },
    { "taps",   KR_COUNT, KR_AT(mamba1, taps),   1, 4096,           4,  NULL },
    { "rank",   KR_COUNT, KR_AT(mamba1, rank),   1, KR_MOST_WIDTH,  KR_REQUIRED, NULL },
    { "project", KR_CHOICE | KR_LATE, KR_AT(mamba1, bare), 0, 0,    0,  mamba1_projects },
    { "norm",   KR_CHOICE | KR_LATE, KR_AT(mamba1, normed), 0, 0,   0,  mamba1_norms },
    { "norm_eps", KR_REAL | KR_LATE, KR_AT(mamba1, norm_eps), 0, 1, 1e-6, NULL },
    { 0 }
};

static krait_status mamba1_shape(kr_layer *layer, krait_message *message)
{
    const mamba1 *p = layer->params;

    layer->out_width = p->bare ? p->inner : layer->in_width;
    if (p->bare && layer->in_width != 2 * p->inner)
        return kr_fail(message, KRAIT_ERR_SHAPE,
                       "description: %.100s: without projections rows [x | z] of %zu numbers are wanted, not %zu",
                       layer->path, 2 * p->inner, layer->in_width);
    return KRAIT_OK;
}

static void mamba1_weights(const kr_layer *layer, kr_wants *wants)
{
    const mamba1 *p = layer->params;
    size_t        width = layer->in_width, inner = p->inner;

    if (!p->bare) {
        kr_want_matrix(wants, "in_proj.weight", KR_AT(mamba1, in_proj), 2 * inner, width);
        kr_want_floats(wants, "in_proj.bias", KR_AT(mamba1, in_bias), 2 * inner, 1);
    }
    kr_want_channels(wants, "conv1d.weight", KR_AT(mamba1, conv), inner, p->taps);
    kr_want_floats(wants, "conv1d.bias", KR_AT(mamba1, conv_bias), inner, 1);
    kr_want_matrix(wants, "x_proj.weight", KR_AT(mamba1, x_proj), p->rank + 2 * p->states, inner);
    kr_want_matrix(wants, "dt_proj.weight", KR_AT(mamba1, dt_proj), inner, p->rank);
    kr_want_floats(wants, "dt_proj.bias", KR_AT(mamba1, dt_bias), inner, 1);
    kr_want_channels(wants, "A", KR_AT(mamba1, a), inner, p->states);
    wants->list[wants->count - 1].logarithm = "A_log";
    kr_want_floats(wants, "D", KR_AT(mamba1, d), inner, 0);
    if (!p->bare) {
        kr_want_matrix(wants, "out_proj.weight", KR_AT(mamba1, out_proj), width, inner);
        kr_want_floats(wants, "out_proj.bias", KR_AT(mamba1, out_bias), width, 1);
    }
    if (p->normed) {
        kr_want_floats(wants, "dt_norm.weight", KR_AT(mamba1, dt_norm), p->rank, 1);
        kr_want_floats(wants, "b_norm.weight", KR_AT(mamba1, b_norm), p->states, 1);
        kr_want_floats(wants, "c_norm.weight", KR_AT(mamba1, c_norm), p->states, 1);
    }
}

/* The convolution's window, then the scan's states. */
static void mamba1_memory(const kr_layer *layer, kr_parts *parts)
{
    const mamba1 *p = layer->params;

    if (p->taps > 1)
        kr_part_add(parts, "conv", KR_PART_ROWS, p->taps - 1, p->inner);
    kr_part_add(parts, "ssm", KR_PART_CHANNELS, p->inner, p->states);
}

enum {
    MAMBA1_STRIP = 64,          /* outputs of a product that belong together */
    MAMBA1_BLOCK = 1 << 14,     /* numbers between a product and what takes them at once: 64 KiB, little of an L2 cache */
    MAMBA1_LONG = 8             /* rows of a lane from which on blocks pay: with fewer its states weigh more than its rows */
};

/*
 * Rows between the projections, and what runs over them.  What in_proj makes of x, and dt_proj of dt, is
 * only ever a block of some channels, in each task's part of 'block'; y stands where z was.
 */
typedef struct mamba1_work {
    const kr_layer   *layer;
    const mamba1     *p;
    const kr_context *context;
    const kr_rows    *in;
    float       *gate;          /* [rows][inner]: z, then y; NULL: both are the layer's own rows */
    const float *z;
    float       *y;
    size_t       z_stride;
    float       *x;             /* [rows][inner] */
    float       *block;         /* [rows][inner, padded to strips]; SCAN: dt of all channels */
    float       *rbc;           /* [rows][rank + 2 states] */
    float       *summaries;     /* of the scan's segments */
    kr_product in_proj, x_proj, dt_proj, out_proj;
    size_t rows, tasks;         /* tasks: that now run */
} mamba1_work;

static size_t mamba1_strips(size_t channels)
{
    return (channels + MAMBA1_STRIP - 1) / MAMBA1_STRIP;
}

/* Sets what takes scratch; written field by field, as all of this counts in a step of a small layer. */
static void mamba1_take(mamba1_work *w, const mamba1 *p, size_t rows, kr_carve *carve)
{
    w->p = p;
    w->rows = rows;
    w->gate = NULL;
    if (!p->bare) {
        w->gate = kr_carve_floats(carve, rows, p->inner);
        kr_product_take(&w->in_proj, &p->in_proj, rows, carve);
        kr_product_take(&w->out_proj, &p->out_proj, rows, carve);
    }
    w->x = kr_carve_floats(carve, rows, p->inner);
    w->block = kr_carve_floats(carve, rows, mamba1_strips(p->inner) * MAMBA1_STRIP);
    w->rbc = kr_carve_floats(carve, rows, p->rank + 2 * p->states);
    w->summaries = kr_selective_take(rows, p->inner, p->states, carve);
    kr_product_take(&w->x_proj, &p->x_proj, rows, carve);
    kr_product_take(&w->dt_proj, &p->dt_proj, rows, carve);
}

static void mamba1_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    mamba1_work w;

    mamba1_take(&w, layer->params, most->rows, carve);
}

static void mamba1_product(kr_product *product, const float *bias, const float *x, size_t x_stride, float *y,
                           size_t y_stride)
{
    product->bias = bias;
    product->x = x;
    product->x_stride = x_stride;
    product->y = y;
    product->y_stride = y_stride;
}

static void mamba1_start(mamba1_work *w, const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const mamba1 *p = layer->params;
    size_t        wide = p->rank + 2 * p->states;

    mamba1_take(w, p, kr_rows_count(in), &context->scratch);
    w->layer = layer;
    w->context = context;
    w->in = in;
    w->z = p->bare ? in->data + p->inner : w->gate;
    w->y = p->bare ? out->data : w->gate;
    w->z_stride = p->bare ? in->width : p->inner;
    if (!p->bare) {
        mamba1_product(&w->in_proj, p->in_bias, in->data, in->width, NULL, 0);
        mamba1_product(&w->out_proj, p->out_bias, w->y, p->inner, out->data, out->width);
    }
    mamba1_product(&w->x_proj, NULL, w->x, p->inner, w->rbc, wide);
    mamba1_product(&w->dt_proj, p->dt_bias, w->rbc, wide, NULL, 0);
}

/* ---- lane by lane, for the channels of a task ------------------------------------------------ */

/* Channels from a multiple of 64 to another, or to the last, and numbers of theirs: x before the convolution, or dt. */
typedef struct mamba1_cut {
    size_t       from, to;
    const float *data;          /* of channel 'from' in row 0 */
    size_t       stride;
} mamba1_cut;

/* What one lane remembers. */
typedef struct mamba1_state {
    float *window;              /* [taps - 1][inner, padded] */
    float *h;                   /* [inner / 16][states][16] */
} mamba1_state;

static mamba1_state mamba1_lane(const kr_layer *layer, const kr_context *context, size_t lane)
{
    const mamba1 *p = layer->params;
    float        *memory = kr_layer_memory(layer, context, lane);

    return (mamba1_state){ memory, memory + (p->taps - 1) * kr_pad16(p->inner) };
}

/* x = silu(conv(x)) of rows from..to-1, one episode of one lane. */
static void mamba1_convolve(const mamba1_work *w, mamba1_state state, mamba1_cut cut, size_t from, size_t to)
{
    const mamba1 *p = w->p;
    size_t        inner = p->inner, stride = kr_pad16(inner), c = cut.from, width = cut.to - cut.from;
    const float  *x = cut.data + from * cut.stride;
    kr_conv       job = { p->conv + c * p->taps, p->conv_bias ? p->conv_bias + c : NULL, x, cut.stride,
                          state.window + c, stride, w->x + from * inner + c, inner, to - from, width, p->taps, 1 };

    w->context->kernels->conv(&job);
    kr_window_push(state.window + c, p->taps - 1, stride, x, cut.stride, to - from, width);
}

/* A new episode begins: each pass clears what it is about to use. */
static void mamba1_forget(const mamba1 *p, int scan, mamba1_state state, mamba1_cut cut)
{
    size_t width = kr_pad16(cut.to - cut.from);

    if (scan)
        memset(state.h + cut.from * p->states, 0, width * p->states * sizeof *state.h);
    else
        for (size_t i = 0; i + 1 < p->taps; i++)
            memset(state.window + i * kr_pad16(p->inner) + cut.from, 0, width * sizeof *state.window);
}

static void mamba1_scan(const mamba1_work *w, mamba1_state state, mamba1_cut cut, size_t from, size_t to)
{
    const mamba1 *p = w->p;
    size_t        inner = p->inner, wide = p->rank + 2 * p->states, c = cut.from;
    const float  *bc = w->rbc + from * wide + p->rank;
    kr_selective  job = { p->a + c * p->states, p->d + c, w->x + from * inner + c, cut.data + from * cut.stride,
                          w->z + from * w->z_stride + c, inner, cut.stride, w->z_stride,
                          bc, bc + p->states, wide, state.h + c * p->states, w->y + from * inner + c, inner,
                          to - from, cut.to - c, p->states, w->context->mode != KRAIT_SCAN };

    if (w->context->mode == KRAIT_SCAN)
        kr_selective_scan(w->context->kernels, &job, &w->context->tasks, w->summaries);
    else
        w->context->kernels->selective(&job);
}

typedef void mamba1_pass(const mamba1_work *w, mamba1_state state, mamba1_cut cut, size_t from, size_t to);

/* Runs 'pass' for every episode of every lane. */
static void mamba1_lanes(const mamba1_work *w, mamba1_cut cut, mamba1_pass *pass)
{
    const kr_rows *in = w->in;

    for (size_t lane = 0; lane < in->lanes; lane++) {
        mamba1_state state = mamba1_lane(w->layer, w->context, lane);
        size_t       end = in->first[lane + 1];

        for (size_t from = in->first[lane], to; from < end; from = to) {
            to = kr_rows_episode(in, from, end);
            if (in->reset && in->reset[from])
                mamba1_forget(w->p, pass == mamba1_scan, state, cut);
            pass(w, state, cut, from, to);
        }
    }
}

/* ---- tasks, each of some strips of channels ----------------------------------------------------- */

/* Channels of a block: all of the task's, or so few that a block of many rows stays in the cache. */
static size_t mamba1_width(const mamba1_work *w)
{
    size_t strips = MAMBA1_BLOCK / MAMBA1_STRIP / w->rows;

    if (w->rows < MAMBA1_LONG * w->in->lanes)
        return w->p->inner;
    return MAMBA1_STRIP * (strips ? strips : 1);
}

/* z of outputs from..to-1 of in_proj. */
static void mamba1_gates(const mamba1_work *w, size_t from, size_t to)
{
    kr_product_block(w->context->kernels, &w->in_proj, from, to, w->gate + (from - w->p->inner), w->p->inner);
}

/*
 * x of the cut's channels before the convolution, in the task's block.  Where x ends within a strip, the strip's
 * first z come with it: up to output 'z'.
 */
static void mamba1_raw(const mamba1_work *w, mamba1_cut *cut, float *block, size_t z)
{
    size_t inner = w->p->inner, width = cut->to - cut->from, end = cut->to < inner ? cut->to : z;

    cut->stride = end - cut->from;
    cut->data = block;
    kr_product_block(w->context->kernels, &w->in_proj, cut->from, end, block, cut->stride);
    for (size_t r = 0; r < w->rows && cut->stride > width; r++)
        memcpy(w->gate + r * inner, block + r * cut->stride + width, (cut->stride - width) * sizeof *block);
}

/* x of the task's channels, as far as x_proj wants it; and its part of z, which nobody needs before all tasks are done. */
static void mamba1_task_in(void *argument, size_t task)
{
    const mamba1_work *w = argument;
    size_t             inner = w->p->inner, end = 2 * inner, z = kr_min(mamba1_strips(inner) * MAMBA1_STRIP, end);
    size_t             from = kr_tasks_cut(inner, MAMBA1_STRIP, w->tasks, task), width = mamba1_width(w);
    size_t             to = kr_tasks_cut(inner, MAMBA1_STRIP, w->tasks, task + 1);

    for (size_t c = from; c < to; c += width) {
        mamba1_cut cut = { c, kr_min(c + width, to), w->in->data + c, w->in->width };

        if (!w->p->bare)
            mamba1_raw(w, &cut, w->block + w->rows * from, z);
        mamba1_lanes(w, cut, mamba1_convolve);
        kr_product_columns(w->context->kernels, &w->x_proj, cut.from, cut.to);
    }
    if (!w->p->bare)
        mamba1_gates(w, z + kr_tasks_cut(end - z, MAMBA1_STRIP, w->tasks, task),
                     z + kr_tasks_cut(end - z, MAMBA1_STRIP, w->tasks, task + 1));
}

/* dt, y and what out_proj wants of it, of the task's channels. */
static void mamba1_task_scan(void *argument, size_t task)
{
    const mamba1_work *w = argument;
    const kr_kernels  *k = w->context->kernels;
    size_t             from = kr_tasks_cut(w->p->inner, MAMBA1_STRIP, w->tasks, task), width = mamba1_width(w);
    size_t             to = kr_tasks_cut(w->p->inner, MAMBA1_STRIP, w->tasks, task + 1);
    float             *block = w->block + w->rows * from;

    for (size_t c = from; c < to; c += width) {
        mamba1_cut cut = { c, kr_min(c + width, to), block, kr_min(c + width, to) - c };

        kr_product_block(k, &w->dt_proj, cut.from, cut.to, block, cut.stride);
        mamba1_lanes(w, cut, mamba1_scan);
        if (!w->p->bare)
            kr_product_columns(k, &w->out_proj, cut.from, cut.to);
    }
}

/* dt alone, for a scan in segments, which has tasks of its own. */
static void mamba1_task_times(void *argument, size_t task)
{
    const mamba1_work *w = argument;
    size_t             from = kr_tasks_cut(w->p->inner, MAMBA1_STRIP, w->tasks, task);
    size_t             to = kr_tasks_cut(w->p->inner, MAMBA1_STRIP, w->tasks, task + 1);

    kr_product_block(w->context->kernels, &w->dt_proj, from, to, w->block + from, w->p->inner);
    for (size_t r = 0; r < w->rows; r++)
        w->context->kernels->activate(w->block + r * w->p->inner + from, to - from, KR_SOFTPLUS);
}

/* The same for all channels, in segments. */
static void mamba1_segments(const mamba1_work *w)
{
    mamba1_lanes(w, (mamba1_cut){ 0, w->p->inner, w->block, w->p->inner }, mamba1_scan);
    if (!w->p->bare)
        kr_product_columns(w->context->kernels, &w->out_proj, 0, w->p->inner);
}

/* r, B and C of rows from..to-1, in place. */
static void mamba1_task_norms(void *argument, size_t from, size_t to)
{
    const mamba1_work *w = argument;
    const mamba1      *p = w->p;
    const kr_kernels  *k = w->context->kernels;
    size_t             rank = p->rank, states = p->states;
    float             *rbc = w->rbc + from * (rank + 2 * states);

    for (; from < to; from++, rbc += rank + 2 * states) {
        k->rms_norm(rbc, rbc, p->dt_norm, p->norm_eps, 1, rank);
        k->rms_norm(rbc + rank, rbc + rank, p->b_norm, p->norm_eps, 1, states);
        k->rms_norm(rbc + rank + states, rbc + rank + states, p->c_norm, p->norm_eps, 1, states);
    }
}

static void mamba1_normalise(mamba1_work *w)
{
    size_t wide = w->p->rank + 2 * w->p->states;

    kr_tasks_ranges(&w->context->tasks, mamba1_task_norms, w, w->rows, 1,
                    kr_tasks_for(&w->context->tasks, (uint64_t)w->rows * wide * KR_WORK_NUMBER, w->rows));
}

static void mamba1_tasks(mamba1_work *w, krait_task_fn task, uint64_t work)
{
    w->tasks = kr_tasks_for(&w->context->tasks, work, (w->p->inner + MAMBA1_STRIP - 1) / MAMBA1_STRIP);
    kr_tasks_run(&w->context->tasks, task, w, w->tasks);
}

static void mamba1_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const mamba1 *p = layer->params;
    uint64_t      numbers = (uint64_t)kr_rows_count(in) * p->inner;
    mamba1_work   w;

    if (numbers == 0)
        return;
    mamba1_start(&w, layer, context, in, out);
    if (!p->bare)
        kr_product_integers(context, &w.in_proj);
    mamba1_tasks(&w, mamba1_task_in, numbers * (p->taps + KR_WORK_NUMBER) +
                                     (p->bare ? 0 : kr_product_work(&p->in_proj, w.rows)));
    kr_product_all(context, &w.x_proj);
    if (p->normed)
        mamba1_normalise(&w);
    kr_product_integers(context, &w.dt_proj);
    mamba1_tasks(&w, context->mode == KRAIT_SCAN ? mamba1_task_times : mamba1_task_scan,
                 numbers * (p->states * KR_WORK_STATE + 2 * KR_WORK_NUMBER) + kr_product_work(&p->dt_proj, w.rows));
    if (context->mode == KRAIT_SCAN)
        mamba1_segments(&w);
    if (!p->bare)
        kr_product_all(context, &w.out_proj);
}

extern const kr_layer_type kr_layer_mamba1;
const kr_layer_type kr_layer_mamba1 = {
    .name = "mamba1", .params_size = sizeof(mamba1), .options = mamba1_options,
    .shape = mamba1_shape, .weights = mamba1_weights, .memory = mamba1_memory,
    .scratch = mamba1_scratch, .run = mamba1_run,
};
