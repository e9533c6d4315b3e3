/*
 * s4.c - state spaces that are diagonal plus low rank (Gu, Goel and Re, arXiv 2111.00396; state-spaces/s4,
 * models/s4/s4.py with mode 'dplr').
 *
 *     dt = f(inv_dt) rate                    a = -f(A_real) - i f(A_imag)
 *     A = diag(a) - P^T conj(P)              over 'states' numbers and their conjugates, P of 'rank' rows
 *     Abar = (1 - dt A / 2)^-1 (1 + dt A / 2)           Bbar = (1 - dt A / 2)^-1 dt B
 *     x = Abar x + Bbar u                    per channel
 *     y = 2 Re(sum of C x) + D u             C (1 - Abar^L) is what is stored, L = l_kernel / rate; 0: C itself
 *
 * A row takes time in the number of states: meet.h has the form.  There every state is scaled so that it counts in
 * the first sum as it is, and C and Bbar accordingly; all this in double, beforehand.  Heads are those of s4d.
 */
#include "layers/convolve.h"
#include "layers/meet.h"
#include "layers/share.h"
#include "layers/transform.h"

#include <string.h>

#define S4_PI       3.14159265358979323846
#define S4_PRECISE  0x1p-8      /* states nearer to the unit circle take two floats: docs/numerics.md */
#define S4_FAR      65536       /* a power at which a reach is looked for where C asks for none */
#define S4_APART    0x1p-30     /* what counts less than this in the first sum, beside the most, does not */

typedef struct s4 {
    size_t       states, rank, heads, copies, length;
    int          real, imag, step;
    int          tied, fast, real_valued;
    float        rate, bandlimit;
    const float *dt;            /* [width], or [width][states] */
    const float *a_real, *a_imag;       /* [copies][states]; a_imag NULL: 0 */
    const float *p;             /* [rank][copies][states][2]; without [2] where all is real-valued */
    const float *b;             /* [copies][states][2] */
    const float *c;             /* [heads][width][states][2] */
    const float *d;             /* [heads][width] or NULL */
    float       *w;             /* made of them, for heads · width channels: kr_rank's */
    uint32_t    *reach;         /* of every panel of 16: kr_convolution */
    int          precise;
} s4;

static const char *const s4_through[] = KR_THROUGH_NAMES;

static const kr_option s4_options[] = {
    { "states",    KR_COUNT,  KR_AT(s4, states), 1, 1024, 32, NULL },
    { "rank",      KR_COUNT,  KR_AT(s4, rank),   1, KR_MOST_RANK, 1, NULL },
    { "channels",  KR_COUNT,  KR_AT(s4, heads),  1, 4096, 1, NULL },
    { "copies",    KR_COUNT,  KR_AT(s4, copies), 0, KR_MOST_WIDTH, 0, NULL },
    { "l_kernel",  KR_COUNT,  KR_AT(s4, length), 0, 1 << 30, 0, NULL },
    { "real",      KR_CHOICE, KR_AT(s4, real),   0, 0, KR_THROUGH_EXP, s4_through },
    { "imag",      KR_CHOICE, KR_AT(s4, imag),   0, 0, KR_THROUGH_NONE, s4_through },
    { "step",      KR_CHOICE, KR_AT(s4, step),   0, 0, KR_THROUGH_EXP, s4_through },
    { "tied",      KR_FLAG,   KR_AT(s4, tied),   0, 1, 1, NULL },
    { "fast",      KR_FLAG,   KR_AT(s4, fast),   0, 1, 0, NULL },
    { "is_real",   KR_FLAG,   KR_AT(s4, real_valued), 0, 1, 0, NULL },
    { "rate",      KR_REAL,   KR_AT(s4, rate),   1e-9, 1e9, 1, NULL },
    { "bandlimit", KR_REAL,   KR_AT(s4, bandlimit), 0, 1e9, 0, NULL },
    { 0 }
};

static size_t s4_copies(const kr_layer *layer)
{
    const s4 *p = layer->params;

    return p->copies ? p->copies : layer->in_width;
}

static krait_status s4_shape(kr_layer *layer, krait_message *message)
{
    const s4 *p = layer->params;

    if (layer->in_width % s4_copies(layer) != 0)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: %zu copies of A for %zu channels", layer->path,
                       p->copies, layer->in_width);
    if ((double)layer->in_width * (double)p->heads > KR_MOST_WIDTH)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: %zu heads of %zu channels are too many",
                       layer->path, p->heads, layer->in_width);
    layer->out_width = p->heads * layer->in_width;
    return KRAIT_OK;
}

static void s4_weights(const kr_layer *layer, kr_wants *wants)
{
    const s4 *p = layer->params;
    size_t    width = layer->in_width, copies = s4_copies(layer), parts = p->real_valued ? 1 : 2;
    uint64_t  low[4] = { p->rank, copies, p->states, parts }, b[3] = { copies, p->states, parts };
    uint64_t  c[4] = { p->heads, width, p->states, parts };

    kr_want_table(wants, "kernel.inv_dt", KR_AT(s4, dt), width, p->tied ? 1 : p->states);
    kr_want_table(wants, "kernel.A_real", KR_AT(s4, a_real), copies, p->states);
    if (!p->real_valued)
        kr_want_table(wants, "kernel.A_imag", KR_AT(s4, a_imag), copies, p->states);
    kr_want_array(wants, "kernel.P", KR_AT(s4, p), low, 4);
    kr_want_array(wants, "kernel.B", KR_AT(s4, b), b, 3);
    kr_want_array(wants, "kernel.C", KR_AT(s4, c), c, 4);
    kr_want_table(wants, "D", KR_AT(s4, d), p->heads, width);
    wants->list[wants->count - 1].optional = 1;
}

/* ---- setting up, in double --------------------------------------------------------------------- */

static kr_complex s4_number(const s4 *p, const float *from, size_t i)
{
    return p->real_valued ? kr_complex_of((double)from[i], 0)
                          : kr_complex_of((double)from[2 * i], (double)from[2 * i + 1]);
}

/* dt before the rate. */
static double s4_own_step(const s4 *p, size_t channel, size_t n)
{
    double given = (double)p->dt[p->tied ? channel : channel * p->states + n];

    return kr_through(p->step, p->fast ? kr_sinh(given) : given);
}

static double s4_imaginary(const s4 *p, size_t at)
{
    return p->real_valued ? 0 : kr_through(p->imag, (double)p->a_imag[at]);
}

/* a, dt, P and B of a channel, and what the rule makes of them. */
static void s4_gather(const kr_layer *layer, size_t channel, kr_meet *m)
{
    const s4 *p = layer->params;
    size_t    copies = s4_copies(layer), from = channel % copies * p->states;

    for (size_t n = 0; n < p->states; n++) {
        m->dt[n] = s4_own_step(p, channel, n) * (double)p->rate;
        m->a[n] = kr_complex_of(-kr_through(p->real, (double)p->a_real[from + n]), -s4_imaginary(p, from + n));
        m->b[n] = s4_number(p, p->b, from + n);
        for (size_t r = 0; r < p->rank; r++)
            m->p[r * p->states + n] = s4_number(p, p->p, r * copies * p->states + from + n);
    }
    kr_meet_discretize(m);
}

/* L: what C was stored for, at this rate; ties to even, as Python rounds. */
static uint64_t s4_length(const s4 *p)
{
    double   exact = (double)p->length / (double)p->rate;
    uint64_t length = (uint64_t)exact;
    double   rest = exact - (double)length;

    return length + (rest > 0.5 || (rest >= 0.5 && length % 2 == 1));
}

/* The stored C of a head of a channel, without what is above the band's limit, and without 1 - Abar^L. */
static void s4_read(const kr_layer *layer, size_t channel, size_t head, kr_meet *m)
{
    const s4 *p = layer->params;
    size_t    from = channel % s4_copies(layer) * p->states, at = (head * layer->in_width + channel) * p->states;

    for (size_t n = 0; n < p->states; n++) {
        double turns = s4_own_step(p, channel, n) * kr_magnitude_double(s4_imaginary(p, from + n)) / (2 * S4_PI);

        m->c[n] = s4_number(p, p->c, at + n);
        if (p->bandlimit > 0 && turns >= (double)p->bandlimit / 2)
            m->c[n] = kr_complex_of(0, 0);
    }
    if (s4_length(p) > 0)
        kr_meet_undo(m);
}

/* As two floats, of which none is subnormal, 'apart' from each other; those of -x for a minus. */
static void s4_split(double x, float *to, size_t apart)
{
    to[0] = kr_flush((float)x);
    to[apart] = kr_flush((float)(x - (double)to[0]));
}

static void s4_put_two(kr_complex z, float *to, double sign)
{
    s4_split(z.re, to, 2 * KR_LANES);
    s4_split(sign * z.im, to + KR_LANES, 2 * KR_LANES);
}

static void s4_put_one(kr_complex z, float *to, double sign)
{
    to[0] = (float)z.re;
    to[KR_LANES] = (float)(sign * z.im);
}

/* What x is multiplied with, so that it counts in the first sum as it is; 1 where it counts for nothing there. */
static kr_complex s4_scale(const kr_meet *m, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < m->states; i++)
        if (kr_complex_size(m->q[i]) > most)
            most = kr_complex_size(m->q[i]);
    return kr_complex_size(m->q[n]) > most * S4_APART ? m->q[n] : kr_complex_of(1, 0);
}

/* The numbers of channel 'to' from those of m. */
static void s4_put(s4 *p, size_t to, const kr_meet *m)
{
    size_t numbers = kr_rank_numbers(p->rank);

    for (size_t n = 0; n < p->states; n++) {
        kr_complex scale = s4_scale(m, n);
        float     *at = p->w + (to / KR_LANES * p->states + n) * numbers * KR_LANES + to % KR_LANES;

        s4_put_two(m->d[n], at + KR_RANK_D * KR_LANES, 1);
        s4_put_one(kr_complex_multiply(m->b[n], scale), at + KR_RANK_B * KR_LANES, 1);
        s4_put_one(kr_complex_scale(kr_complex_divide(m->c[n], scale), 2), at + KR_RANK_C * KR_LANES, -1);
        at[KR_RANK_Q * KR_LANES] = kr_complex_size(kr_complex_subtract(m->q[n], scale)) > 0 ? 0.0f : 1.0f;
        for (size_t r = 0; r < p->rank; r++) {
            const kr_complex *w = m->w + r * p->states, *q = m->q + r * p->states;

            s4_put_two(kr_complex_scale(kr_complex_multiply(w[n], scale), -2), at + (KR_RANK_W + 4 * r) * KR_LANES, 1);
            if (r > 0)
                s4_put_two(kr_complex_divide(q[n], scale), at + kr_rank_q(p->rank, r) * KR_LANES, -1);
        }
    }
}

/* All heads of a channel. */
static void s4_prepare_channel(const kr_layer *layer, size_t channel, kr_meet *m)
{
    s4 *p = layer->params;

    s4_gather(layer, channel, m);
    kr_meet_power(m, s4_length(p) > 0 ? s4_length(p) : S4_FAR);
    for (size_t n = 0; n < p->states; n++)
        p->precise |= kr_complex_magnitude(m->d[n]) > 1 - S4_PRECISE;
    for (size_t head = 0; head < p->heads; head++) {
        size_t    to = head * layer->in_width + channel;
        uint32_t *reach = &p->reach[to / KR_LANES];

        s4_read(layer, channel, head, m);
        s4_put(p, to, m);
        *reach = m->reach > *reach ? m->reach : *reach;
    }
}

static void s4_prepare(kr_layer *layer, kr_carve *carve)
{
    s4     *p = layer->params;
    size_t  panels = kr_pad16(layer->out_width) / KR_LANES, numbers = 0, used;
    kr_meet m;

    if (!kr_mul_fits(kr_rank_numbers(p->rank), p->states, &numbers))
        carve->broken = 1;
    p->w = kr_carve_floats(carve, panels * KR_LANES, numbers);
    p->reach = kr_carve_bytes(carve, panels, sizeof *p->reach);
    used = carve->used;
    m = kr_meet_take(p->states, p->rank, carve);
    carve->used = used;
    if (!carve->base || carve->broken)
        return;
    memset(p->w, 0, panels * KR_LANES * numbers * sizeof *p->w);
    p->precise = 0;
    for (size_t i = 0; i < panels; i++)
        p->reach[i] = 1;
    for (size_t channel = 0; channel < layer->in_width; channel++)
        s4_prepare_channel(layer, channel, &m);
}

/* ---- running ------------------------------------------------------------------------------------ */

static void s4_memory(const kr_layer *layer, kr_parts *parts)
{
    const s4 *p = layer->params;

    kr_part_add(parts, "ssm", KR_PART_CHANNELS, layer->out_width, 2 * p->states);
}

/* [rows][heads · width]: what comes, once for each head; NULL with one. */
static float *s4_take(const kr_layer *layer, size_t rows, kr_carve *carve)
{
    return ((const s4 *)layer->params)->heads > 1 ? kr_carve_floats(carve, rows, layer->out_width) : NULL;
}

static kr_convolution s4_convolution(const kr_layer *layer)
{
    const s4 *p = layer->params;

    return (kr_convolution){ .channels = layer->out_width, .numbers = 2 * KR_LANES * p->states, .reach = p->reach };
}

static void s4_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    kr_convolution of = s4_convolution(layer);

    s4_take(layer, most->rows, carve);
    kr_convolve_scratch(&of, most, carve);
}

/* A run, and how its tasks share it. */
typedef struct s4_job {
    const kr_layer   *layer;
    const kr_context *context;
    const kr_rows    *in;
    const float      *u;        /* [rows][heads · width] */
    float            *out;
    kr_shares         shares;
} s4_job;

/* Rows from..to-1 of one episode, the task's channels. */
static void s4_episode(const s4_job *run, const kr_share *share, float *x, size_t from, size_t to)
{
    const s4 *p = run->layer->params;
    size_t    width = run->layer->out_width, c = share->from;
    kr_rank   job = { p->w + c * p->states * kr_rank_numbers(p->rank), p->d ? p->d + c : NULL,
                      run->u + from * width + c, width, x + c * p->states * 2, run->out + from * width + c, width,
                      to - from, share->to - c, p->states, p->rank, p->precise };

    run->context->kernels->rank(&job);
}

static void s4_task(void *argument, size_t task)
{
    const s4_job  *run = argument;
    const kr_rows *in = run->in;
    size_t         numbers = ((const s4 *)run->layer->params)->states * 2;
    kr_share       share = kr_share_of(&run->shares, task, in->lanes, run->layer->out_width);

    for (size_t lane = share.lane; lane < share.lane_end; lane++) {
        float *x = kr_layer_memory(run->layer, run->context, lane);
        size_t end = in->first[lane + 1];

        for (size_t from = in->first[lane], to; from < end; from = to) {
            to = kr_rows_episode(in, from, end);
            if (in->reset && in->reset[from])
                memset(x + share.from * numbers, 0, kr_pad16(share.to - share.from) * numbers * sizeof *x);
            s4_episode(run, &share, x, from, to);
        }
    }
}

/* Of a panel, for a convolution. */
static void s4_panel(const void *job, size_t panel, const kr_panel_rows *rows, float *x)
{
    static const float zeros[KR_LANES] = { 0 };
    const s4_job      *run = job;
    const s4          *p = run->layer->params;
    size_t             c = panel * KR_LANES;
    kr_rank            part = { p->w + c * p->states * kr_rank_numbers(p->rank), p->d ? p->d + c : NULL,
                                rows->x ? rows->x : zeros, rows->x ? rows->x_stride : 0, x, rows->y, rows->y_stride,
                                rows->rows, kr_min(KR_LANES, run->layer->out_width - c), p->states, p->rank, p->precise };

    run->context->kernels->rank(&part);
}

static void s4_convolve(s4_job *run, kr_context *context, uint64_t work)
{
    size_t      width = run->layer->out_width;
    kr_convolve job = { s4_convolution(run->layer), run->u, run->out, width, width, 0, work };

    job.of.run = s4_panel;
    job.of.job = run;
    job.of.kernels = context->kernels;
    kr_convolve_run(run->layer, context, run->in, &job);
}

static void s4_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const s4 *p = layer->params;
    size_t    rows = kr_rows_count(in), width = layer->out_width;
    uint64_t  work = (uint64_t)rows * width * p->states * (p->precise ? 17 : 11) * p->rank;
    float    *u = s4_take(layer, rows, &context->scratch);
    s4_job    job = { layer, context, in, u ? u : in->data, out->data,
                      kr_shares_for(&context->tasks, work, in->lanes, width) };

    for (size_t i = 0; u && i < rows * p->heads; i++)
        memcpy(u + i * in->width, in->data + i / p->heads * in->width, in->width * sizeof *u);
    if (context->mode == KRAIT_CONVOLUTION)
        s4_convolve(&job, context, work);
    else
        kr_tasks_run(&context->tasks, s4_task, &job, job.shares.channels * job.shares.lanes);
}

extern const kr_layer_type kr_layer_s4;
const kr_layer_type kr_layer_s4 = {
    .name = "s4", .flags = KR_CONVOLVES, .params_size = sizeof(s4), .options = s4_options, .shape = s4_shape,
    .weights = s4_weights, .prepare = s4_prepare, .memory = s4_memory, .scratch = s4_scratch, .run = s4_run,
};
