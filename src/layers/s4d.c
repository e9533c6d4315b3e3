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
#include "layers/s4d.h"

#include <string.h>

#include "core/complex.h"
#include "layers/dss.h"
#include "layers/transform.h"
#include "scan/convolution.h"
#include "scan/diagonal.h"
#include "scan/timed.h"

#define S4D_PI      3.14159265358979323846
#define S4D_PRECISE 0x1p-8      /* a nearer to the unit circle is held as two floats: docs/numerics.md */

enum { S4D_FULL, S4D_MINIMAL, S4D_H3, S4D_DSS };
enum { S4D_ZOH, S4D_BILINEAR, S4D_DIRAC, S4D_ASYNC, S4D_BY_LENGTH };


static const char *const s4d_forms[] = { "full", "minimal", "h3", "dss", NULL };
static const char *const s4d_versions[] = KR_DSS_NAMES;
static const char *const s4d_discretizations[] = { "zoh", "bilinear", "dirac", "async", "dss", NULL };
static const char *const s4d_transforms[] = KR_THROUGH_NAMES;

static const kr_option s4d_options[] = {
    { "states",   KR_COUNT,  KR_AT(kr_s4d, states), 1, KR_MOST_STATES, 32, NULL },
    { "channels", KR_COUNT,  KR_AT(kr_s4d, heads),  1, 4096, 1, NULL },
    { "copies",   KR_COUNT,  KR_AT(kr_s4d, copies), 0, KR_MOST_WIDTH, 0, NULL },
    { "tile",     KR_COUNT | KR_LATE, KR_AT(kr_s4d, tile), 1, KR_MOST_WIDTH, 1, NULL },
    { "form",     KR_CHOICE, KR_AT(kr_s4d, form),   0, 0, S4D_FULL, s4d_forms },
    { "discretization", KR_CHOICE, KR_AT(kr_s4d, discretization), 0, 0, S4D_ZOH, s4d_discretizations },
    { "real",     KR_CHOICE, KR_AT(kr_s4d, real),   0, 0, KR_THROUGH_EXP, s4d_transforms },
    { "imag",     KR_CHOICE, KR_AT(kr_s4d, imag),   0, 0, KR_THROUGH_NONE, s4d_transforms },
    { "step",     KR_CHOICE, KR_AT(kr_s4d, step),   0, 0, KR_THROUGH_EXP, s4d_transforms },
    { "tied",     KR_FLAG,   KR_AT(kr_s4d, tied),   0, 1, 1, NULL },
    { "fast",     KR_FLAG,   KR_AT(kr_s4d, fast),   0, 1, 0, NULL },
    { "rate",     KR_REAL,   KR_AT(kr_s4d, rate),   1e-9, 1e9, 1, NULL },
    { "bandlimit", KR_REAL,  KR_AT(kr_s4d, bandlimit), 0, 1e9, 0, NULL },
    { "bidirectional", KR_FLAG | KR_LATE, KR_AT(kr_s4d, bidirectional), 0, 1, 0, NULL },
    { "is_real",  KR_FLAG | KR_LATE,   KR_AT(kr_s4d, real_valued), 0, 1, 0, NULL },
    { "version",  KR_CHOICE | KR_LATE, KR_AT(kr_s4d, version), 0, 0, KR_DSS_EXP, s4d_versions },
    { "sep_dt_re_im", KR_FLAG | KR_LATE, KR_AT(kr_s4d, two_steps), 0, 1, 1, NULL },
    { "length",   KR_COUNT | KR_LATE,  KR_AT(kr_s4d, length), 0, 1 << 30, 0, NULL },
    { 0 }
};

/* Channels that the tensors have. */
static size_t s4d_width(const kr_layer *layer)
{
    return layer->in_width / ((const kr_s4d *)layer->params)->tile;
}

static size_t s4d_copies(const kr_layer *layer)
{
    const kr_s4d *p = layer->params;

    return p->copies ? p->copies : s4d_width(layer);
}

static krait_status s4d_shape(kr_layer *layer, krait_message *message)
{
    const kr_s4d *p = layer->params;

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

static void s4d_weights_of_dss(const kr_s4d *p, size_t width, kr_wants *wants)
{
    int log_im = p->version == KR_DSS_EXP_RE_IM || p->version == KR_DSS_EXP_RE_IM_NO_SCALE;

    kr_want_table(wants, "kernel.log_dt", KR_AT(kr_s4d, dt), width, p->two_steps ? 2 : 1);
    if (kr_dss_pairs(p->version)) {
        kr_want_table(wants, "kernel.Lambda", KR_AT(kr_s4d, lambda), p->states, 2);
        return;
    }
    kr_want_floats(wants, "kernel.Lambda_log_neg_re", KR_AT(kr_s4d, a_real), p->states, 0);
    kr_want_floats(wants, log_im ? "kernel.Lambda_log_im" : "kernel.Lambda_im", KR_AT(kr_s4d, a_imag), p->states, 0);
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
    const kr_s4d *p = layer->params;
    size_t     width = s4d_width(layer), copies = s4d_copies(layer), parts = p->real_valued ? 1 : 2;
    uint64_t   c[4] = { p->bidirectional ? 2 * p->heads : p->heads, width, p->states, parts };
    uint64_t   b[4] = { copies, p->states, parts };

    if (p->form == S4D_DSS) {
        s4d_weights_of_dss(p, width, wants);
    } else {
        kr_want_table(wants, names[p->form].dt, KR_AT(kr_s4d, dt), width, p->tied ? 1 : p->states);
        kr_want_table(wants, names[p->form].a_real, KR_AT(kr_s4d, a_real), copies, p->states);
        if (!p->real_valued)
            kr_want_table(wants, names[p->form].a_imag, KR_AT(kr_s4d, a_imag), copies, p->states);
    }
    kr_want_array(wants, names[p->form].c, KR_AT(kr_s4d, c), c, 4);
    if (names[p->form].b) {
        kr_want_array(wants, names[p->form].b, KR_AT(kr_s4d, b), b, 3);
        wants->list[wants->count - 1].optional = p->form == S4D_FULL;
    }
    kr_want_table(wants, "D", KR_AT(kr_s4d, d), p->heads, width);
    wants->list[wants->count - 1].optional = p->form == S4D_FULL || p->form == S4D_DSS;
    if (p->bidirectional)
        return;
    kr_want_pairs(wants, "initial_state", KR_AT(kr_s4d, initial), width, p->states);
    wants->list[wants->count - 1].optional = 1;
}

/* ---- setting up, in double --------------------------------------------------------------------- */

/* A state of a channel: what it is multiplied with, what the input is, and what is read of it without that. */
typedef struct s4d_pole { kr_complex z, a, b, read; } s4d_pole;

static kr_complex s4d_number(const kr_s4d *p, const float *from, size_t i)
{
    return p->real_valued ? kr_complex_of((double)from[i], 0)
                          : kr_complex_of((double)from[2 * i], (double)from[2 * i + 1]);
}

static s4d_pole s4d_pole_of_dss(const kr_layer *layer, size_t channel, size_t n)
{
    const kr_s4d   *p = layer->params;
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
    const kr_s4d *p = layer->params;
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
    return ((const kr_s4d *)layer->params)->form == S4D_DSS ? s4d_pole_of_dss(layer, channel, n)
                                                         : s4d_pole_of_s4(layer, channel, n);
}

/* x as two floats, of which none is subnormal; 'low' KR_LANES * 2 behind. */
static double s4d_split(double x, float *to)
{
    to[0] = kr_flush((float)x);
    to[2 * KR_LANES] = kr_flush((float)(x - (double)to[0]));
    return (double)to[0] + (double)to[2 * KR_LANES];
}

static void s4d_put(kr_s4d *p, size_t channel, size_t n, s4d_pole pole)
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

static void s4d_put_back(kr_s4d *p, size_t channel, size_t n, s4d_pole pole)
{
    float *to = p->back + 2 * (channel / KR_LANES * p->states + n) * KR_LANES + channel % KR_LANES;

    to[0] = (float)pole.read.re;
    to[KR_LANES] = (float)-pole.read.im;
}

/* The official state has b in it, h is without. */
static void s4d_put_start(kr_s4d *p, size_t channel, size_t from, size_t n, kr_complex b)
{
    const float *given = p->initial + 2 * (from * p->states + n);
    float       *to = p->start + 2 * (channel / KR_LANES * p->states + n) * KR_LANES + channel % KR_LANES;
    kr_complex   h = kr_complex_divide(kr_complex_of((double)given[0], (double)given[1]), b);

    to[0] = kr_flush((float)h.re);
    to[KR_LANES] = kr_flush((float)h.im);
}

static void s4d_prepare(kr_layer *layer, kr_carve *carve)
{
    kr_s4d   *p = layer->params;
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
    const kr_s4d *p = layer->params;

    return p->initial ? p->start : NULL;
}

extern const kr_layer_type kr_layer_s4d;
const kr_layer_type kr_layer_s4d = {
    .name = "s4d", .flags = KR_CONVOLVES, .params_size = sizeof(kr_s4d), .options = s4d_options, .shape = s4d_shape,
    .weights = s4d_weights, .prepare = s4d_prepare, .memory = kr_s4d_memory, .start = s4d_start, .scratch = kr_s4d_scratch,
    .run = kr_s4d_run,
};
