/*
 * s4d.c - diagonal state spaces (Gu, Gupta, Goel and Re, arXiv 2206.11893; state-spaces/s4, models/s4/s4.py
 * with mode 'diag', and s4d.py, its minimal form).
 *
 *     dt = f(inv_dt) rate                    A = -f(A_real) - i f(A_imag)
 *     zoh:       a = exp(dt A)                            b = (a - 1) / A B
 *     bilinear:  a = (1 + dt A / 2) / (1 - dt A / 2)      b = dt / (1 - dt A / 2) B
 *     dirac:     a = exp(dt A), b = B;       async: a = exp(dt A), b of zoh for a row whose own dt is 1
 *     dss:       a = exp(dt A)                            b of dss.h's softmax times B, and no factor 2
 *     h = a h + b u                          per channel, 'states' complex numbers each
 *     y = 2 Re(sum of C h) + D u
 *
 * In the minimal form A = -f(log_A_real) + i f(A_imag) and B = 1; H3's has that A, and a B.  With a 'tile' the
 * channels are those of the tensors, again and again.  Here b goes into C, so that h is that of
 * b = 1; all this in double, beforehand.  A row's own dt multiplies dt, and its u is then multiplied
 * by what its b is of that of a row whose own is 1.  With several heads C and D have a row for each and y comes head by
 * head: every head of a channel has states of its own, which are the same.  DSS is dss.h, without
 * the factor 2.
 *
 * Bidirectional: C has rows for as many heads again, which read states that run from the last row to the first, and
 * of these what they were before the row itself came: y[t] += 2 Re(sum of C' h'), h' of the rows behind t.
 */
#include "layers/convolve.h"
#include "layers/dss.h"
#include "layers/share.h"
#include "layers/transform.h"
#include "scan/diagonal.h"
#include "scan/timed.h"

#include <string.h>

#include "core/complex.h"

#define S4D_PI      3.14159265358979323846
#define S4D_PRECISE 0x1p-8      /* a nearer to the unit circle is held as two floats: docs/numerics.md */

enum { S4D_FULL, S4D_MINIMAL, S4D_H3, S4D_DSS };
enum { S4D_ZOH, S4D_BILINEAR, S4D_DIRAC, S4D_ASYNC, S4D_BY_LENGTH };

typedef struct s4d {
    size_t       states, heads, copies, tile;
    int          form, discretization, real, imag, step;
    int          tied, fast, bidirectional, real_valued;
    int          version, two_steps;    /* of DSS */
    size_t       length;
    float        rate, bandlimit;
    const float *dt;            /* [width], or [width][states]; here and below width without the tile */
    const float *a_real, *a_imag;       /* [copies][states]; DSS: [states], with dt of [width] or [width][2] */
    const float *lambda;        /* DSS: [states][2] instead */
    const float *b;             /* [copies][states][2] or NULL: 1 */
    const float *c;             /* [heads][width][states][2] */
    const float *d;             /* [heads][width] or NULL: 0 */
    const float *initial;       /* [width][states][2]: b h before the first row; NULL: zeros */
    /* made of them, for heads · width channels: kr_diagonal's a, that to the power of a segment, its c */
    float       *a, *power, *read, *start;
    double      *z;             /* as kr_timed's */
    int          rule;
    float       *back, *none;   /* bidirectional: of the second heads, their c and d, which is 0 */
    uint32_t    *reach;         /* of every panel of 16: kr_convolution */
    float       *skip;          /* d for all channels */
    int          precise;
} s4d;

static const char *const s4d_forms[] = { "full", "minimal", "h3", "dss", NULL };
static const char *const s4d_versions[] = KR_DSS_NAMES;
static const char *const s4d_discretizations[] = { "zoh", "bilinear", "dirac", "async", "dss", NULL };
static const char *const s4d_transforms[] = KR_THROUGH_NAMES;

static const kr_option s4d_options[] = {
    { "states",   KR_COUNT,  KR_AT(s4d, states), 1, KR_MOST_STATES, 32, NULL },
    { "channels", KR_COUNT,  KR_AT(s4d, heads),  1, 4096, 1, NULL },
    { "copies",   KR_COUNT,  KR_AT(s4d, copies), 0, KR_MOST_WIDTH, 0, NULL },
    { "tile",     KR_COUNT | KR_LATE, KR_AT(s4d, tile), 1, KR_MOST_WIDTH, 1, NULL },
    { "form",     KR_CHOICE, KR_AT(s4d, form),   0, 0, S4D_FULL, s4d_forms },
    { "discretization", KR_CHOICE, KR_AT(s4d, discretization), 0, 0, S4D_ZOH, s4d_discretizations },
    { "real",     KR_CHOICE, KR_AT(s4d, real),   0, 0, KR_THROUGH_EXP, s4d_transforms },
    { "imag",     KR_CHOICE, KR_AT(s4d, imag),   0, 0, KR_THROUGH_NONE, s4d_transforms },
    { "step",     KR_CHOICE, KR_AT(s4d, step),   0, 0, KR_THROUGH_EXP, s4d_transforms },
    { "tied",     KR_FLAG,   KR_AT(s4d, tied),   0, 1, 1, NULL },
    { "fast",     KR_FLAG,   KR_AT(s4d, fast),   0, 1, 0, NULL },
    { "rate",     KR_REAL,   KR_AT(s4d, rate),   1e-9, 1e9, 1, NULL },
    { "bandlimit", KR_REAL,  KR_AT(s4d, bandlimit), 0, 1e9, 0, NULL },
    { "bidirectional", KR_FLAG | KR_LATE, KR_AT(s4d, bidirectional), 0, 1, 0, NULL },
    { "is_real",  KR_FLAG | KR_LATE,   KR_AT(s4d, real_valued), 0, 1, 0, NULL },
    { "version",  KR_CHOICE | KR_LATE, KR_AT(s4d, version), 0, 0, KR_DSS_EXP, s4d_versions },
    { "sep_dt_re_im", KR_FLAG | KR_LATE, KR_AT(s4d, two_steps), 0, 1, 1, NULL },
    { "length",   KR_COUNT | KR_LATE,  KR_AT(s4d, length), 0, 1 << 30, 0, NULL },
    { 0 }
};

/* Channels that the tensors have. */
static size_t s4d_width(const kr_layer *layer)
{
    return layer->in_width / ((const s4d *)layer->params)->tile;
}

static size_t s4d_copies(const kr_layer *layer)
{
    const s4d *p = layer->params;

    return p->copies ? p->copies : s4d_width(layer);
}

static krait_status s4d_shape(kr_layer *layer, krait_message *message)
{
    const s4d *p = layer->params;

    if (layer->in_width % p->tile != 0)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: a tile of %zu for %zu channels", layer->path,
                       p->tile, layer->in_width);
    if (s4d_width(layer) % s4d_copies(layer) != 0)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: %zu copies of A for %zu channels", layer->path,
                       p->copies, s4d_width(layer));
    if ((double)layer->in_width * (double)p->heads > KR_MOST_WIDTH)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: %zu heads of %zu channels are too many",
                       layer->path, p->heads, layer->in_width);
    if (p->length == 0 && (p->form == S4D_DSS ? p->version == KR_DSS_SOFTMAX : p->discretization == S4D_BY_LENGTH))
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: what is divided by a sum over the length needs the"
                       " 'length' that it was trained with", layer->path);
    layer->out_width = p->heads * layer->in_width;
    layer->whole = p->bidirectional;
    layer->uses_time = !p->bidirectional && p->form != S4D_DSS && p->discretization != S4D_BY_LENGTH;
    return KRAIT_OK;
}

static void s4d_weights_of_dss(const s4d *p, size_t width, kr_wants *wants)
{
    int log_im = p->version == KR_DSS_EXP_RE_IM || p->version == KR_DSS_EXP_RE_IM_NO_SCALE;

    kr_want_table(wants, "kernel.log_dt", KR_AT(s4d, dt), width, p->two_steps ? 2 : 1);
    if (kr_dss_pairs(p->version)) {
        kr_want_table(wants, "kernel.Lambda", KR_AT(s4d, lambda), p->states, 2);
        return;
    }
    kr_want_floats(wants, "kernel.Lambda_log_neg_re", KR_AT(s4d, a_real), p->states, 0);
    kr_want_floats(wants, log_im ? "kernel.Lambda_log_im" : "kernel.Lambda_im", KR_AT(s4d, a_imag), p->states, 0);
}

static void s4d_weights(const kr_layer *layer, kr_wants *wants)
{
    static const struct { const char *dt, *a_real, *a_imag, *b, *c; } names[] = {
        { "kernel.inv_dt", "kernel.A_real", "kernel.A_imag", "kernel.B", "kernel.C" },
        { "kernel.log_dt", "kernel.log_A_real", "kernel.A_imag", NULL, "kernel.C" },
        { "kernel.kernel.log_dt", "kernel.kernel.inv_A_real", "kernel.kernel.A_imag", "kernel.kernel.B",
          "kernel.kernel.C" },
        { NULL, NULL, NULL, NULL, "kernel.W" },
    };
    const s4d *p = layer->params;
    size_t     width = s4d_width(layer), copies = s4d_copies(layer), parts = p->real_valued ? 1 : 2;
    uint64_t   c[4] = { p->bidirectional ? 2 * p->heads : p->heads, width, p->states, parts };
    uint64_t   b[4] = { copies, p->states, parts };

    if (p->form == S4D_DSS) {
        s4d_weights_of_dss(p, width, wants);
    } else {
        kr_want_table(wants, names[p->form].dt, KR_AT(s4d, dt), width, p->tied ? 1 : p->states);
        kr_want_table(wants, names[p->form].a_real, KR_AT(s4d, a_real), copies, p->states);
        if (!p->real_valued)
            kr_want_table(wants, names[p->form].a_imag, KR_AT(s4d, a_imag), copies, p->states);
    }
    kr_want_array(wants, names[p->form].c, KR_AT(s4d, c), c, 4);
    if (names[p->form].b) {
        kr_want_array(wants, names[p->form].b, KR_AT(s4d, b), b, 3);
        wants->list[wants->count - 1].optional = p->form == S4D_FULL;
    }
    kr_want_table(wants, "D", KR_AT(s4d, d), p->heads, width);
    wants->list[wants->count - 1].optional = p->form == S4D_FULL || p->form == S4D_DSS;
    if (p->bidirectional)
        return;
    kr_want_pairs(wants, "initial_state", KR_AT(s4d, initial), width, p->states);
    wants->list[wants->count - 1].optional = 1;
}

/* ---- setting up, in double --------------------------------------------------------------------- */

/* A state of a channel: what it is multiplied with, what the input is, and what is read of it without that. */
typedef struct s4d_pole { kr_complex z, a, b, read; } s4d_pole;

static kr_complex s4d_number(const s4d *p, const float *from, size_t i)
{
    return p->real_valued ? kr_complex_of((double)from[i], 0)
                          : kr_complex_of((double)from[2 * i], (double)from[2 * i + 1]);
}

static s4d_pole s4d_pole_of_dss(const kr_layer *layer, size_t channel, size_t n)
{
    const s4d   *p = layer->params;
    size_t       width = s4d_width(layer), from = channel % width, head = channel / layer->in_width;
    const float *dt = p->dt + from * (p->two_steps ? 2 : 1);
    double       re = kr_dss_pairs(p->version) ? (double)p->lambda[2 * n] : (double)p->a_real[n];
    double       im = kr_dss_pairs(p->version) ? (double)p->lambda[2 * n + 1] : (double)p->a_imag[n];
    kr_complex   lambda = kr_dss_lambda(p->version, re, im), z;
    s4d_pole     pole;

    z.re = kr_exp((double)dt[0]) * (double)p->rate * lambda.re;
    z.im = kr_exp((double)dt[p->two_steps]) * (double)p->rate * lambda.im;
    pole.z = z;
    pole.a = kr_complex_exp(z);
    pole.b = kr_dss_factor(p->version, lambda, z, p->length);
    pole.read = kr_complex_multiply(pole.b, s4d_number(p, p->c, (head * width + from) * p->states + n));
    return pole;
}

static s4d_pole s4d_pole_of_s4(const kr_layer *layer, size_t channel, size_t n)
{
    const s4d *p = layer->params;
    size_t     width = s4d_width(layer), from = channel % width, head = channel / layer->in_width;
    size_t     at = from % s4d_copies(layer) * p->states + n;
    double     given = (double)p->dt[p->tied ? from : from * p->states + n], twice = 2;
    double     own = kr_through(p->step, p->fast ? kr_sinh(given) : given), dt = own * (double)p->rate;
    double     imag = p->real_valued ? 0 : kr_through(p->imag, (double)p->a_imag[at]);
    kr_complex one = kr_complex_of(1, 0), half, below;
    kr_complex z = kr_complex_of(-dt * kr_through(p->real, (double)p->a_real[at]),
                                 p->form == S4D_FULL ? -dt * imag : dt * imag);
    s4d_pole   pole;

    half = kr_complex_scale(z, 0.5);
    below = kr_complex_subtract(one, half);
    pole.z = z;
    if (p->discretization != S4D_BILINEAR && p->discretization != S4D_BY_LENGTH) {
        pole.a = kr_complex_exp(z);
        pole.b = p->discretization == S4D_DIRAC ? one : kr_complex_scale(kr_complex_exprel(z), dt);
    } else if (p->discretization == S4D_BY_LENGTH) {
        pole.a = kr_complex_exp(z);
        pole.b = kr_dss_factor(KR_DSS_SOFTMAX, kr_complex_scale(z, 1 / dt), z, p->length);
        twice = 1;
    } else {
        pole.a = kr_complex_divide(kr_complex_add(one, half), below);
        pole.b = kr_complex_divide(kr_complex_of(dt, 0), below);
    }
    pole.read = kr_complex_multiply(kr_complex_scale(pole.b, twice),
                                    s4d_number(p, p->c, (head * width + from) * p->states + n));
    if (p->b) {
        kr_complex b = s4d_number(p, p->b, at);

        pole.read = kr_complex_multiply(pole.read, b);
        pole.b = kr_complex_multiply(pole.b, b);
    }
    if (p->bandlimit > 0 && own * kr_magnitude_double(imag) / (2 * S4D_PI) >= (double)p->bandlimit / 2)
        pole.read = kr_complex_of(0, 0);
    return pole;
}

static s4d_pole s4d_pole_of(const kr_layer *layer, size_t channel, size_t n)
{
    return ((const s4d *)layer->params)->form == S4D_DSS ? s4d_pole_of_dss(layer, channel, n)
                                                         : s4d_pole_of_s4(layer, channel, n);
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
    kr_convolution_extend(&p->reach[channel / KR_LANES], kr_complex_magnitude(held));
    held = kr_complex_power(held, kr_diagonal_segment(p->states));
    s4d_split(held.re, power);
    s4d_split(held.im, power + KR_LANES);
}

static void s4d_put_back(s4d *p, size_t channel, size_t n, s4d_pole pole)
{
    float *to = p->back + 2 * (channel / KR_LANES * p->states + n) * KR_LANES + channel % KR_LANES;

    to[0] = (float)pole.read.re;
    to[KR_LANES] = (float)-pole.read.im;
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
    p->reach = kr_carve_bytes(carve, numbers / KR_LANES, sizeof *p->reach);
    p->back = kr_carve_floats(carve, p->bidirectional ? numbers : 0, 2 * p->states);
    p->none = kr_carve_floats(carve, p->bidirectional ? numbers : 0, 1);
    p->skip = kr_carve_floats(carve, numbers, 1);
    if (!carve->base)
        return;
    if (p->bidirectional) {
        memset(p->back, 0, numbers * 2 * p->states * sizeof *p->back);
        memset(p->none, 0, numbers * sizeof *p->none);
    }
    for (size_t i = 0; i < numbers / KR_LANES; i++)
        p->reach[i] = 1;
    for (size_t c = 0; c < channels; c++)
        p->skip[c] = p->d ? p->d[c / layer->in_width * s4d_width(layer) + c % s4d_width(layer)] : 0.0f;
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
            if (p->bidirectional)
                s4d_put_back(p, c, n, s4d_pole_of(layer, channels + c, n));
            if (p->initial)
                s4d_put_start(p, c, c % layer->in_width % s4d_width(layer), n, pole.b);
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
    if (p->bidirectional)
        kr_part_add(parts, "back", KR_PART_CHANNELS, layer->out_width, 2 * p->states);
}

typedef struct s4d_room {
    float *u;                   /* [rows][heads · width]: what comes, once for each head; NULL with one */
    float *turned, *back;       /* [rows][heads · width]: from last to first, and what is made of that; or NULL */
    kr_timed_room timed;        /* and of a scan's segments */
} s4d_room;

static kr_convolution s4d_convolution(const kr_layer *layer)
{
    const s4d *p = layer->params;

    return (kr_convolution){ .channels = layer->out_width,
                             .numbers = 2 * KR_LANES * p->states, .reach = p->reach };
}

static s4d_room s4d_take(const kr_layer *layer, size_t rows, size_t tasks, kr_carve *carve)
{
    const s4d *p = layer->params;
    s4d_room   room = { 0 };

    if (p->heads > 1)
        room.u = kr_carve_floats(carve, rows, layer->out_width);
    if (p->bidirectional) {
        room.turned = kr_carve_floats(carve, rows, layer->out_width);
        room.back = kr_carve_floats(carve, rows, layer->out_width);
    }
    room.timed = kr_timed_take(rows, layer->out_width, p->states, tasks, carve);
    return room;
}

static void s4d_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    kr_convolution of = s4d_convolution(layer);

    s4d_take(layer, most->rows, most->tasks, carve);
    kr_convolve_scratch(&of, most, carve);
}

/* A run in one direction, and how its tasks share it. */
typedef struct s4d_job {
    const kr_layer   *layer;
    kr_context       *context;
    const kr_rows    *in;
    s4d_room          room;
    const float      *u;        /* [rows][heads · width] */
    float            *out;
    const float      *read, *d;
    size_t            memory;   /* floats before its states in what a lane remembers */
    uint64_t          work;
    kr_shares         shares;
} s4d_job;

/* Rows from..to-1 of one episode, the task's channels. */
static void s4d_episode(const s4d_job *run, const kr_share *share, float *h, size_t from, size_t to)
{
    const s4d *p = run->layer->params;
    size_t     width = run->layer->out_width, c = share->from;
    kr_diagonal job = { p->a + c * p->states * 4, run->read + c * p->states * 2, run->d + c, run->u + from * width + c,
                        width, h + c * p->states * 2, run->out + from * width + c, width, to - from,
                        share->to - c, p->states, p->precise };

    if (run->context->mode == KRAIT_SCAN)
        kr_diagonal_scan(run->context->kernels, &job, p->power, &run->context->tasks, run->room.timed.summaries);
    else
        run->context->kernels->diagonal(&job);
}

/* Of a panel, for a convolution. */
static void s4d_panel(const void *job, size_t panel, const kr_panel_rows *rows, float *h)
{
    static const float zeros[KR_LANES] = { 0 };
    const s4d_job *run = job;
    const s4d     *p = run->layer->params;
    size_t         c = panel * KR_LANES;
    kr_diagonal    part = { p->a + c * p->states * 4, run->read + c * p->states * 2, run->d + c,
                            rows->x ? rows->x : zeros, rows->x ? rows->x_stride : 0, h, rows->y, rows->y_stride,
                            rows->rows, kr_min(KR_LANES, run->layer->out_width - c), p->states, p->precise };

    run->context->kernels->diagonal(&part);
}

static void s4d_convolve(s4d_job *run)
{
    size_t      width = run->layer->out_width;
    kr_convolve job = { s4d_convolution(run->layer), run->u, run->out, width, width, run->memory, run->work };

    job.of.run = s4d_panel;
    job.of.job = run;
    job.of.kernels = run->context->kernels;
    kr_convolve_run(run->layer, run->context, run->in, &job);
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
    const float     *read = run->read + c * p->states * 2, *d = run->d + c;
    float           *y = rows->ends ? NULL : run->out + at;
    kr_diagonal       steady = { p->a + c * p->states * 4, read, d, run->u + at, width, rows->state, y, width,
                                 rows->rows, n, p->states, p->precise };
    kr_diagonal_timed timed = { rows->sets, rows->set, read, d, run->u + at, width, rows->state, y, width,
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

/* Do rows have times that count? */
static int s4d_is_timed(const s4d_job *run)
{
    return run->in->dt && run->layer->uses_time;
}

static void s4d_lanes(const s4d_job *run, const kr_share *share, kr_timed_sets *sets)
{
    const kr_rows *in = run->in;
    size_t         numbers = ((const s4d *)run->layer->params)->states * 2;

    for (size_t lane = share->lane; lane < share->lane_end; lane++) {
        float *memory = kr_layer_memory(run->layer, run->context, lane);
        size_t end = in->first[lane + 1];

        for (size_t from = in->first[lane], to; from < end; from = to) {
            to = kr_rows_episode(in, from, end);
            if (in->reset && in->reset[from])
                kr_layer_begin(run->layer, memory, run->memory + share->from * numbers,
                               kr_pad16(share->to - share->from) * numbers);
            if (s4d_is_timed(run) && !kr_timed_steady(in->dt + from, to - from))
                s4d_timed_episode(run, share, sets, memory + run->memory, from, to);
            else
                s4d_episode(run, share, memory + run->memory, from, to);
        }
    }
}

static void s4d_task(void *argument, size_t task)
{
    const s4d_job *run = argument;
    kr_share       share = kr_share_of(&run->shares, task, run->in->lanes, run->layer->out_width), panel = share;

    if (!s4d_is_timed(run)) {
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

static void s4d_direction(s4d_job *job)
{
    size_t used = job->context->scratch.used;

    if (job->context->mode == KRAIT_CONVOLUTION && !s4d_is_timed(job))   /* pool may bring times */
        s4d_convolve(job);
    else if (job->context->mode == KRAIT_SCAN)
        s4d_lanes(job, &(kr_share){ 0, job->in->lanes, 0, job->layer->out_width }, NULL);
    else
        kr_tasks_run(&job->context->tasks, s4d_task, job, job->shares.channels * job->shares.lanes);
    job->context->scratch.used = used;
}

/* Calls 'each' with the rows from..to-1 of every episode. */
static void s4d_episodes(const s4d_job *job, void (*each)(const s4d_job *job, size_t from, size_t to))
{
    for (size_t lane = 0; lane < job->in->lanes; lane++)
        for (size_t from = job->in->first[lane], to; from < job->in->first[lane + 1]; from = to) {
            to = kr_rows_episode(job->in, from, job->in->first[lane + 1]);
            each(job, from, to);
        }
}

static void s4d_turn_round(const s4d_job *job, size_t from, size_t to)
{
    size_t width = job->layer->out_width;

    for (size_t i = from; i < to; i++)
        memcpy(job->room.turned + i * width, job->u + (from + to - 1 - i) * width, width * sizeof *job->u);
}

/* What row t + 1 left behind it, seen from the end, is added to row t. */
static void s4d_add_back(const s4d_job *job, size_t from, size_t to)
{
    size_t width = job->layer->out_width;

    for (size_t t = from; t + 1 < to; t++)
        job->context->kernels->add(job->out + t * width, job->room.back + (from + to - 2 - t) * width, width);
}

static void s4d_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const s4d *p = layer->params;
    size_t     rows = kr_rows_count(in), width = layer->out_width;
    s4d_room   room = s4d_take(layer, rows, context->tasks.most, &context->scratch);
    s4d_job    job = { layer, context, in, room, in->data, out->data, p->read, p->skip, 0,
                       (uint64_t)rows * width * p->states * (p->precise ? 10 : 6), { 0, 0 } };

    job.shares = kr_shares_for(&context->tasks, job.work, in->lanes, width);
    if (p->heads > 1) {
        s4d_spread(&job, rows, p->heads);
        job.u = job.room.u;
    }
    s4d_direction(&job);
    if (p->bidirectional) {
        s4d_job back = job;

        s4d_episodes(&job, s4d_turn_round);
        back.u = job.room.turned;
        back.out = job.room.back;
        back.read = p->back;
        back.d = p->none;
        back.memory = kr_pad16(width) * 2 * p->states;
        s4d_direction(&back);
        s4d_episodes(&job, s4d_add_back);
    }
}

extern const kr_layer_type kr_layer_s4d;
const kr_layer_type kr_layer_s4d = {
    .name = "s4d", .flags = KR_CONVOLVES, .params_size = sizeof(s4d), .options = s4d_options, .shape = s4d_shape,
    .weights = s4d_weights, .prepare = s4d_prepare, .memory = s4d_memory, .start = s4d_start, .scratch = s4d_scratch,
    .run = s4d_run,
};
