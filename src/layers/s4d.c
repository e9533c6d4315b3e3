/*
 * s4d.c - diagonal state spaces (Gu, Gupta, Goel and Re, arXiv 2206.11893; state-spaces/s4, models/s4/s4.py
 * with mode 'diag', and s4d.py, its minimal form).
 *
 *     dt = f(inv_dt) rate                    A = -f(A_real) - i f(A_imag)
 *     zoh:       a = exp(dt A)                            b = (a - 1) / A B
 *     bilinear:  a = (1 + dt A / 2) / (1 - dt A / 2)      b = dt / (1 - dt A / 2) B
 *     dirac:     a = exp(dt A), b = B;       async: a = exp(dt A), b of zoh for a row whose own dt is 1
 *     h = a h + b u                          per channel, 'states' complex numbers each
 *     y = 2 Re(sum of C h) + D u
 *
 * In the minimal form A = -f(log_A_real) + i f(A_imag) and B = 1.  Here b goes into C, so that h is that of
 * b = 1; all this in double, beforehand.  A row's own dt multiplies dt, and its u is then
 * multiplied by what its b is of that of a row whose own is 1.  With several heads C and D have a row for each and y comes head by
 * head: every head of a channel has states of its own, which are the same.
 */
#include "layers/layer.h"
#include "layers/share.h"
#include "scan/diagonal.h"
#include "scan/timed.h"

#include <string.h>

#include "core/complex.h"

#define S4D_PI      3.14159265358979323846
#define S4D_PRECISE 0x1p-8      /* a nearer to the unit circle is held as two floats: docs/numerics.md */

enum { S4D_FULL, S4D_MINIMAL };
enum { S4D_ZOH, S4D_BILINEAR, S4D_DIRAC, S4D_ASYNC };
enum { S4D_EXP, S4D_NONE, S4D_RELU, S4D_SIGMOID, S4D_SOFTPLUS };

typedef struct s4d {
    size_t       states, heads, copies;
    int          form, discretization, real, imag, step;
    int          tied, fast;
    float        rate, bandlimit;
    const float *dt;            /* [width], or [width][states] */
    const float *a_real, *a_imag;       /* [copies][states] */
    const float *b;             /* [copies][states][2] or NULL: 1 */
    const float *c;             /* [heads][width][states][2] */
    const float *d;             /* [heads][width] */
    const float *initial;       /* [width][states][2]: b h before the first row; NULL: zeros */
    /* made of them, for heads · width channels: kr_diagonal's a, that to the power of a segment, its c */
    float       *a, *power, *read, *start;
    double      *z;             /* as kr_timed's */
    int          rule;
    int          precise;
} s4d;

static const char *const s4d_forms[] = { "full", "minimal", NULL };
static const char *const s4d_discretizations[] = { "zoh", "bilinear", "dirac", "async", NULL };
static const char *const s4d_transforms[] = { "exp", "none", "relu", "sigmoid", "softplus", NULL };

static const kr_option s4d_options[] = {
    { "states",   KR_COUNT,  KR_AT(s4d, states), 1, KR_MOST_STATES, 32, NULL },
    { "channels", KR_COUNT,  KR_AT(s4d, heads),  1, 4096, 1, NULL },
    { "copies",   KR_COUNT,  KR_AT(s4d, copies), 0, KR_MOST_WIDTH, 0, NULL },
    { "form",     KR_CHOICE, KR_AT(s4d, form),   0, 0, S4D_FULL, s4d_forms },
    { "discretization", KR_CHOICE, KR_AT(s4d, discretization), 0, 0, S4D_ZOH, s4d_discretizations },
    { "real",     KR_CHOICE, KR_AT(s4d, real),   0, 0, S4D_EXP, s4d_transforms },
    { "imag",     KR_CHOICE, KR_AT(s4d, imag),   0, 0, S4D_NONE, s4d_transforms },
    { "step",     KR_CHOICE, KR_AT(s4d, step),   0, 0, S4D_EXP, s4d_transforms },
    { "tied",     KR_FLAG,   KR_AT(s4d, tied),   0, 1, 1, NULL },
    { "fast",     KR_FLAG,   KR_AT(s4d, fast),   0, 1, 0, NULL },
    { "rate",     KR_REAL,   KR_AT(s4d, rate),   1e-9, 1e9, 1, NULL },
    { "bandlimit", KR_REAL,  KR_AT(s4d, bandlimit), 0, 1e9, 0, NULL },
    { 0 }
};

static size_t s4d_copies(const kr_layer *layer)
{
    const s4d *p = layer->params;

    return p->copies ? p->copies : layer->in_width;
}

static krait_status s4d_shape(kr_layer *layer, krait_message *message)
{
    const s4d *p = layer->params;

    if (layer->in_width % s4d_copies(layer) != 0)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: %zu copies of A for %zu channels", layer->path,
                       p->copies, layer->in_width);
    if ((double)layer->in_width * (double)p->heads > KR_MOST_WIDTH)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: %zu heads of %zu channels are too many",
                       layer->path, p->heads, layer->in_width);
    layer->out_width = p->heads * layer->in_width;
    layer->uses_time = 1;
    return KRAIT_OK;
}

static void s4d_weights(const kr_layer *layer, kr_wants *wants)
{
    const s4d *p = layer->params;
    int        full = p->form == S4D_FULL;
    size_t     width = layer->in_width, copies = s4d_copies(layer);
    uint64_t   c[4] = { p->heads, width, p->states, 2 }, b[4] = { copies, p->states, 2 };

    kr_want_table(wants, full ? "kernel.inv_dt" : "kernel.log_dt", KR_AT(s4d, dt), width, p->tied ? 1 : p->states);
    kr_want_table(wants, full ? "kernel.A_real" : "kernel.log_A_real", KR_AT(s4d, a_real), copies, p->states);
    kr_want_table(wants, "kernel.A_imag", KR_AT(s4d, a_imag), copies, p->states);
    kr_want_array(wants, "kernel.C", KR_AT(s4d, c), c, 4);
    if (full) {
        kr_want_array(wants, "kernel.B", KR_AT(s4d, b), b, 3);
        wants->list[wants->count - 1].optional = 1;
    }
    kr_want_table(wants, "D", KR_AT(s4d, d), p->heads, width);
    kr_want_pairs(wants, "initial_state", KR_AT(s4d, initial), width, p->states);
    wants->list[wants->count - 1].optional = 1;
}

/* ---- setting up, in double --------------------------------------------------------------------- */

static double s4d_transformed(int transform, double x)
{
    switch (transform) {
    case S4D_EXP:      return kr_exp(x);
    case S4D_RELU:     return (x > 0 ? x : 0) + 1e-4;
    case S4D_SIGMOID:  return 1 / (1 + kr_exp(-x));
    case S4D_SOFTPLUS: return x > 20 ? x : kr_log1p(kr_exp(x));     /* as PyTorch has it */
    default:           return x;
    }
}

/* A state of a channel: what it is multiplied with, what the input is, and what is read of it without that. */
typedef struct s4d_pole { kr_complex z, a, b, read; } s4d_pole;

static s4d_pole s4d_pole_of(const kr_layer *layer, size_t channel, size_t n)
{
    const s4d *p = layer->params;
    size_t     from = channel % layer->in_width, at = from % s4d_copies(layer) * p->states + n;
    double     given = (double)p->dt[p->tied ? from : from * p->states + n];
    double     own = s4d_transformed(p->step, p->fast ? kr_sinh(given) : given), dt = own * (double)p->rate;
    double     imag = s4d_transformed(p->imag, (double)p->a_imag[at]);
    kr_complex one = kr_complex_of(1, 0), half, below;
    kr_complex z = kr_complex_of(-dt * s4d_transformed(p->real, (double)p->a_real[at]),
                                 p->form == S4D_FULL ? -dt * imag : dt * imag);
    const float *c = p->c + (channel * p->states + n) * 2, *b = p->b ? p->b + 2 * at : NULL;
    s4d_pole     pole;

    half = kr_complex_scale(z, 0.5);
    below = kr_complex_subtract(one, half);
    pole.z = z;
    if (p->discretization != S4D_BILINEAR) {
        pole.a = kr_complex_exp(z);
        pole.b = p->discretization == S4D_DIRAC ? one : kr_complex_scale(kr_complex_exprel(z), dt);
    } else {
        pole.a = kr_complex_divide(kr_complex_add(one, half), below);
        pole.b = kr_complex_divide(kr_complex_of(dt, 0), below);
    }
    pole.read = kr_complex_multiply(kr_complex_scale(pole.b, 2), kr_complex_of((double)c[0], (double)c[1]));
    if (b) {
        kr_complex given_b = kr_complex_of((double)b[0], (double)b[1]);

        pole.read = kr_complex_multiply(pole.read, given_b);
        pole.b = kr_complex_multiply(pole.b, given_b);
    }
    if (p->bandlimit > 0 && own * kr_magnitude_double(imag) / (2 * S4D_PI) >= (double)p->bandlimit / 2)
        pole.read = kr_complex_of(0, 0);
    return pole;
}

/* x as two floats, of which none is subnormal; 'low' KR_LANES * 2 behind. */
static double s4d_split(double x, float *to)
{
    to[0] = kr_flush((float)x);
    to[2 * KR_LANES] = kr_flush((float)(x - (double)to[0]));
    return (double)to[0] + (double)to[2 * KR_LANES];
}

static void s4d_put(s4d *p, size_t channel, size_t n, s4d_pole pole)
{
    size_t     at = (channel / KR_LANES * p->states + n) * KR_LANES, lane = channel % KR_LANES;
    float     *a = p->a + 4 * at + lane, *power = p->power + 4 * at + lane, *read = p->read + 2 * at + lane;
    kr_complex held;

    held.re = s4d_split(pole.a.re, a);
    held.im = s4d_split(pole.a.im, a + KR_LANES);
    read[0] = (float)pole.read.re;
    read[KR_LANES] = (float)-pole.read.im;
    if (!p->precise)
        held = kr_complex_of((double)a[0], (double)a[KR_LANES]);
    held = kr_complex_power(held, kr_diagonal_segment(p->states));
    s4d_split(held.re, power);
    s4d_split(held.im, power + KR_LANES);
}

/* The official state has b in it, h is without. */
static void s4d_put_start(s4d *p, size_t channel, size_t from, size_t n, kr_complex b)
{
    const float *given = p->initial + 2 * (from * p->states + n);
    float       *to = p->start + 2 * (channel / KR_LANES * p->states + n) * KR_LANES + channel % KR_LANES;
    kr_complex   h = kr_complex_divide(kr_complex_of((double)given[0], (double)given[1]), b);

    to[0] = kr_flush((float)h.re);
    to[KR_LANES] = kr_flush((float)h.im);
}

static void s4d_prepare(kr_layer *layer, kr_carve *carve)
{
    s4d   *p = layer->params;
    size_t channels = layer->out_width, numbers = kr_pad16(channels);

    p->a = kr_carve_floats(carve, numbers, 4 * p->states);
    p->power = kr_carve_floats(carve, numbers, 4 * p->states);
    p->read = kr_carve_floats(carve, numbers, 2 * p->states);
    p->start = kr_carve_floats(carve, numbers, 2 * p->states);
    p->z = kr_carve_bytes(carve, numbers, 4 * p->states * sizeof *p->z);
    if (!carve->base)
        return;
    memset(p->a, 0, numbers * 4 * p->states * sizeof *p->a);
    memset(p->power, 0, numbers * 4 * p->states * sizeof *p->power);
    memset(p->read, 0, numbers * 2 * p->states * sizeof *p->read);
    memset(p->start, 0, numbers * 2 * p->states * sizeof *p->start);
    memset(p->z, 0, numbers * 4 * p->states * sizeof *p->z);
    p->rule = p->discretization == S4D_ZOH ? KR_HOLD : p->discretization == S4D_BILINEAR ? KR_BILINEAR : KR_IMPULSE;
    p->precise = 0;
    for (size_t c = 0; c < channels && !p->precise; c++)
        for (size_t n = 0; n < p->states; n++)
            p->precise |= kr_complex_magnitude(s4d_pole_of(layer, c, n).a) > 1 - S4D_PRECISE;
    for (size_t c = 0; c < channels; c++)
        for (size_t n = 0; n < p->states; n++) {
            s4d_pole pole = s4d_pole_of(layer, c, n);

            s4d_put(p, c, n, pole);
            kr_timed_put(p->z, c, n, p->states, p->rule, pole.z);
            if (p->initial)
                s4d_put_start(p, c, c % layer->in_width, n, pole.b);
        }
}

static const float *s4d_start(const kr_layer *layer)
{
    const s4d *p = layer->params;

    return p->initial ? p->start : NULL;
}

/* ---- running ------------------------------------------------------------------------------------ */

static void s4d_memory(const kr_layer *layer, kr_parts *parts)
{
    const s4d *p = layer->params;

    kr_part_add(parts, "ssm", KR_PART_CHANNELS, layer->out_width, 2 * p->states);
}

typedef struct s4d_room {
    float *u;                   /* [rows][heads · width]: what comes, once for each head; NULL with one */
    kr_timed_room timed;        /* and of a scan's segments */
} s4d_room;

static s4d_room s4d_take(const kr_layer *layer, size_t rows, size_t tasks, kr_carve *carve)
{
    const s4d *p = layer->params;
    s4d_room   room = { 0 };

    if (p->heads > 1)
        room.u = kr_carve_floats(carve, rows, layer->out_width);
    room.timed = kr_timed_take(rows, layer->out_width, p->states, tasks, carve);
    return room;
}

static void s4d_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    s4d_take(layer, most->rows, most->tasks, carve);
}

/* A run, and how its tasks share it. */
typedef struct s4d_job {
    const kr_layer   *layer;
    const kr_context *context;
    const kr_rows    *in;
    s4d_room          room;
    const float      *u;        /* [rows][heads · width] */
    float            *out;
    kr_shares         shares;
} s4d_job;

/* Rows from..to-1 of one episode, the task's channels. */
static void s4d_episode(const s4d_job *run, const kr_share *share, float *h, size_t from, size_t to)
{
    const s4d *p = run->layer->params;
    size_t     width = run->layer->out_width, c = share->from;
    kr_diagonal job = { p->a + c * p->states * 4, p->read + c * p->states * 2, p->d + c, run->u + from * width + c,
                        width, h + c * p->states * 2, run->out + from * width + c, width, to - from,
                        share->to - c, p->states, p->precise };

    if (run->context->mode == KRAIT_SCAN)
        kr_diagonal_scan(run->context->kernels, &job, p->power, &run->context->tasks, run->room.timed.summaries);
    else
        run->context->kernels->diagonal(&job);
}

/* Rows of an episode with a time between them: of one panel, as kr_timed has it. */
typedef struct s4d_timed {
    const s4d_job *run;
    size_t         first;       /* the episode's row */
} s4d_timed;

static void s4d_timed_rows(const void *argument, const kr_timed_rows *rows)
{
    const s4d_timed *job = argument;
    const s4d_job   *run = job->run;
    const s4d       *p = run->layer->params;
    size_t           width = run->layer->out_width, c = rows->panel * KR_LANES, n = kr_min(KR_LANES, width - c);
    size_t           at = (job->first + rows->row) * width + c;
    const float     *read = p->read + c * p->states * 2;
    float           *y = rows->ends ? NULL : run->out + at;
    kr_diagonal       steady = { p->a + c * p->states * 4, read, p->d + c, run->u + at, width, rows->state, y, width,
                                 rows->rows, n, p->states, p->precise };
    kr_diagonal_timed timed = { rows->sets, rows->set, read, p->d + c, run->u + at, width, rows->state, y, width,
                                rows->rows, n, p->states };

    if (rows->set)
        run->context->kernels->diagonal_timed(&timed);
    else
        run->context->kernels->diagonal(&steady);
}

/* 'sets' are those of the share, which is a panel; NULL: all channels are scanned in segments. */
static void s4d_timed_episode(const s4d_job *run, const kr_share *share, kr_timed_sets *sets, float *h, size_t from,
                              size_t to)
{
    const s4d    *p = run->layer->params;
    s4d_timed     own = { run, from };
    kr_timed      timed = { run->context->kernels, p->z, p->a, p->precise, p->rule, run->layer->out_width, p->states,
                            run->in->dt + from, &own, s4d_timed_rows };
    kr_timed_rows rows = { .panel = share->from / KR_LANES, .rows = to - from,
                           .state = h + share->from * p->states * 2 };

    if (sets)
        kr_timed_run(&timed, sets, &rows);
    else
        kr_timed_scan(&timed, to - from, h, &run->context->tasks, &run->room.timed);
}

static void s4d_lanes(const s4d_job *run, const kr_share *share, kr_timed_sets *sets)
{
    const kr_rows *in = run->in;
    size_t         numbers = ((const s4d *)run->layer->params)->states * 2;

    for (size_t lane = share->lane; lane < share->lane_end; lane++) {
        float *h = kr_layer_memory(run->layer, run->context, lane);
        size_t end = in->first[lane + 1];

        for (size_t from = in->first[lane], to; from < end; from = to) {
            to = kr_rows_episode(in, from, end);
            if (in->reset && in->reset[from])
                kr_layer_begin(run->layer, h, share->from * numbers, kr_pad16(share->to - share->from) * numbers);
            if (in->dt && !kr_timed_steady(in->dt + from, to - from))
                s4d_timed_episode(run, share, sets, h, from, to);
            else
                s4d_episode(run, share, h, from, to);
        }
    }
}

static void s4d_task(void *argument, size_t task)
{
    const s4d_job *run = argument;
    kr_share       share = kr_share_of(&run->shares, task, run->in->lanes, run->layer->out_width), panel = share;

    if (!run->in->dt) {
        s4d_lanes(run, &share, NULL);
        return;
    }
    for (panel.from = share.from; panel.from < share.to; panel.from = panel.to) {
        kr_timed_sets sets = kr_timed_sets_of(&run->room.timed, ((const s4d *)run->layer->params)->states, task);

        panel.to = kr_min(panel.from + KR_LANES, share.to);
        s4d_lanes(run, &panel, &sets);
    }
}

static void s4d_spread(const s4d_job *run, size_t rows, size_t heads)
{
    size_t width = run->in->width;

    for (size_t i = 0; i < rows * heads; i++)
        memcpy(run->room.u + i * width, run->in->data + i / heads * width, width * sizeof *run->room.u);
}

static void s4d_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const s4d *p = layer->params;
    size_t     rows = kr_rows_count(in), width = layer->out_width;
    uint64_t   work = (uint64_t)rows * width * p->states * (p->precise ? 10 : 6);
    s4d_job    job = { layer, context, in, s4d_take(layer, rows, context->tasks.most, &context->scratch), in->data, out->data,
                       kr_shares_for(&context->tasks, work, in->lanes, width) };

    if (p->heads > 1) {
        s4d_spread(&job, rows, p->heads);
        job.u = job.room.u;
    }
    if (context->mode == KRAIT_SCAN)
        s4d_lanes(&job, &(kr_share){ 0, in->lanes, 0, width }, NULL);
    else
        kr_tasks_run(&context->tasks, s4d_task, &job, job.shares.channels * job.shares.lanes);
}

extern const kr_layer_type kr_layer_s4d;
const kr_layer_type kr_layer_s4d = {
    .name = "s4d", .params_size = sizeof(s4d), .options = s4d_options, .shape = s4d_shape,
    .weights = s4d_weights, .prepare = s4d_prepare, .memory = s4d_memory, .start = s4d_start, .scratch = s4d_scratch,
    .run = s4d_run,
};
