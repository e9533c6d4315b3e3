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

/* Rows between the projections. */
typedef struct mamba1_work {
    const float *xz;            /* [rows][2 inner] */
    float *projected, *made;    /* room for xz and y, or NULL: they are the layer's own rows */
    float *x, *dt, *y;          /* [rows][inner] */
    float *rbc;                 /* [rows][rank + 2 states] */
} mamba1_work;

static mamba1_work mamba1_take(const mamba1 *p, size_t rows, kr_carve *carve)
{
    mamba1_work w = { 0 };

    if (!p->bare) {
        w.projected = kr_carve_floats(carve, rows, 2 * p->inner);
        w.made = kr_carve_floats(carve, rows, p->inner);
    }
    w.x = kr_carve_floats(carve, rows, p->inner);
    w.dt = kr_carve_floats(carve, rows, p->inner);
    w.rbc = kr_carve_floats(carve, rows, p->rank + 2 * p->states);
    return w;
}

static void mamba1_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    const mamba1 *p = layer->params;

    mamba1_take(p, most->rows, carve);
    if (!p->bare)
        kr_product_scratch(&p->in_proj, most->rows, carve);
    kr_product_scratch(&p->x_proj, most->rows, carve);
    kr_product_scratch(&p->dt_proj, most->rows, carve);
    if (!p->bare)
        kr_product_scratch(&p->out_proj, most->rows, carve);
}

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
static void mamba1_convolve(const mamba1 *p, kr_context *context, const mamba1_work *w,
                            mamba1_state state, size_t from, size_t to)
{
    size_t       inner = p->inner, stride = kr_pad16(inner);
    const float *x = w->xz + from * 2 * inner;
    kr_conv      job = { p->conv, p->conv_bias, x, 2 * inner, state.window, stride,
                         w->x + from * inner, inner, to - from, inner, p->taps, 1 };

    context->kernels->conv(&job);
    kr_window_push(state.window, p->taps - 1, stride, x, 2 * inner, to - from, inner);
}

/* A new episode begins: each pass clears what it is about to use. */
static void mamba1_forget(const mamba1 *p, int scan, mamba1_state state)
{
    size_t inner = kr_pad16(p->inner);

    if (scan)
        memset(state.h, 0, inner * p->states * sizeof *state.h);
    else
        memset(state.window, 0, (p->taps - 1) * inner * sizeof *state.window);
}

static void mamba1_scan(const mamba1 *p, kr_context *context, const mamba1_work *w,
                        mamba1_state state, size_t from, size_t to)
{
    size_t       inner = p->inner, wide = p->rank + 2 * p->states;
    const float *bc = w->rbc + from * wide + p->rank;
    kr_selective job = { p->a, p->d, w->x + from * inner, w->dt + from * inner,
                         w->xz + from * 2 * inner + inner, inner, inner, 2 * inner,
                         bc, bc + p->states, wide, state.h, w->y + from * inner, inner,
                         to - from, inner, p->states };

    context->kernels->selective(&job);
}

typedef void mamba1_pass(const mamba1 *p, kr_context *context, const mamba1_work *w,
                         mamba1_state state, size_t from, size_t to);

/* Runs 'pass' for every episode of every lane. */
static void mamba1_lanes(const kr_layer *layer, kr_context *context, const kr_rows *in,
                         const mamba1_work *w, mamba1_pass *pass)
{
    for (size_t lane = 0; lane < in->lanes; lane++) {
        mamba1_state state = mamba1_lane(layer, context, lane);
        size_t       end = in->first[lane + 1];

        for (size_t from = in->first[lane], to; from < end; from = to) {
            to = kr_rows_episode(in, from, end);
            if (in->reset && in->reset[from])
                mamba1_forget(layer->params, pass == mamba1_scan, state);
            pass(layer->params, context, w, state, from, to);
        }
    }
}

/* r, B and C of every row, in place. */
static void mamba1_normalise(const mamba1 *p, kr_context *context, float *rbc, size_t rows)
{
    const kr_kernels *k = context->kernels;
    size_t            rank = p->rank, states = p->states;

    for (; rows > 0; rows--, rbc += rank + 2 * states) {
        k->rms_norm(rbc, rbc, p->dt_norm, p->norm_eps, 1, rank);
        k->rms_norm(rbc + rank, rbc + rank, p->b_norm, p->norm_eps, 1, states);
        k->rms_norm(rbc + rank + states, rbc + rank + states, p->c_norm, p->norm_eps, 1, states);
    }
}

static void mamba1_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const mamba1 *p = layer->params;
    size_t        rows = kr_rows_count(in), wide = p->rank + 2 * p->states;
    mamba1_work   w = mamba1_take(p, rows, &context->scratch);

    w.xz = p->bare ? in->data : w.projected;
    w.y = p->bare ? out->data : w.made;
    if (!p->bare)
        kr_product_run(context, &p->in_proj, p->in_bias, in->data, in->width, w.projected, 2 * p->inner, rows);
    mamba1_lanes(layer, context, in, &w, mamba1_convolve);
    kr_product_run(context, &p->x_proj, NULL, w.x, p->inner, w.rbc, wide, rows);
    if (p->normed)
        mamba1_normalise(p, context, w.rbc, rows);
    kr_product_run(context, &p->dt_proj, p->dt_bias, w.rbc, wide, w.dt, p->inner, rows);
    context->kernels->activate(w.dt, rows * p->inner, KR_SOFTPLUS);
    mamba1_lanes(layer, context, in, &w, mamba1_scan);
    if (!p->bare)
        kr_product_run(context, &p->out_proj, p->out_bias, w.y, p->inner, out->data, out->width, rows);
}

extern const kr_layer_type kr_layer_mamba1;
const kr_layer_type kr_layer_mamba1 = {
    .name = "mamba1", .params_size = sizeof(mamba1), .options = mamba1_options,
    .shape = mamba1_shape, .weights = mamba1_weights, .memory = mamba1_memory,
    .scratch = mamba1_scratch, .run = mamba1_run,
};
