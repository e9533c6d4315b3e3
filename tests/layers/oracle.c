/*
 * oracle.c - the layer types in double precision.
 *
 *     t s  rows     c  channels     n  states     k  taps     u v x y z  as in the papers
 */
#include "layers/oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HALF_UNIT 0x1p-24           /* most relative error of one rounding to float32 */
#define TINY      1e-36             /* below this float32 loses digits or is zero */

typedef oracle_number number;
typedef oracle_layer  layer;
typedef oracle_weight weight;

/* ---- options and weights ------------------------------------------------------------- */

const char *oracle_option_text(const layer *l, const char *name)
{
    for (size_t i = 0; i < l->n_options; i++)
        if (strcmp(l->options[i].name, name) == 0)
            return l->options[i].text;
    return NULL;
}

static double option(const layer *l, const char *name, double fallback)
{
    const char *text = oracle_option_text(l, name);

    return text ? strtod(text, NULL) : fallback;
}

static size_t size_option(const layer *l, const char *name, size_t fallback)
{
    return (size_t)option(l, name, (double)fallback);
}

static void want(layer *l, const char *slot, double low, double high, size_t a, size_t b, size_t c)
{
    weight *w = &l->weights[l->n_weights++];

    *w = (weight){ .slot = slot, .shape = { a, b, c }, .low = low, .high = high };
    w->dimensions = c ? 3 : b ? 2 : 1;
    w->count = a * (b ? b : 1) * (c ? c : 1);
}

/* Of a size that leaves sums about as large as their terms. */
static void want_matrix(layer *l, const char *slot, size_t outputs, size_t inputs)
{
    double most = sqrt(3.0 / (double)inputs);

    want(l, slot, -most, most, outputs, inputs, 0);
    l->weights[l->n_weights - 1].matrix = 1;
}

/* Optional weights are there if an option says so that krait does not know: a word alone. */
static void want_bias(layer *l, const char *flag, const char *slot, size_t count)
{
    if (oracle_option_text(l, flag))
        want(l, slot, -0.5, 0.5, count, 0, 0);
}

static const weight *get(const layer *l, const char *slot)
{
    for (size_t i = 0; i < l->n_weights; i++)
        if (strcmp(l->weights[i].slot, slot) == 0)
            return &l->weights[i];
    return NULL;
}

/* ---- numbers with errors ------------------------------------------------------------- */

static number *room(size_t count)
{
    return calloc(count + 1, sizeof(number));
}

static number exact(double v)
{
    return (number){ v, 0 };
}

/* Errors that know nothing of each other, together. */
static double apart(double a, double b)
{
    return sqrt(a * a + b * b);
}

static number times(number a, number b)
{
    double v = a.v * b.v;

    return (number){ v, apart(apart(a.v * b.e, b.v * a.e), HALF_UNIT * v) + TINY };
}

static number plus(number a, number b)
{
    double v = a.v + b.v;

    return (number){ v, apart(apart(a.e, b.e), HALF_UNIT * v) };
}

/* Every partial sum is rounded; other orders have others of about their size. */
static void add_to(number *sum, number term)
{
    sum->v += term.v;
    sum->e = apart(sum->e, term.e);
    sum->e = apart(sum->e, HALF_UNIT * apart(sum->v, term.v));
}

enum function { SILU, SIGMOID, SOFTPLUS, RELU, TANH, GELU, GELU_TANH, NONE };

static enum function function_named(const char *name)
{
    static const char *const names[] = {
        "silu", "sigmoid", "softplus", "relu", "tanh", "gelu", "gelu_tanh"
    };
    int f = 0;

    while (f < NONE && strcmp(names[f], name) != 0)
        f++;
    return (enum function)f;
}

/* GELU's tanh form has an error in proportion to the exponent, which is about x^2 below zero. */
static number of(enum function f, number x)
{
    static const double slope[] = { 1.1, 0.25, 1, 1, 1, 1.13, 1.13, 1 };
    double              v = x.v, steps = 8;

    switch (f) {
    case SILU:     v = x.v / (1 + exp(-x.v)); break;
    case SIGMOID:  v = 1 / (1 + exp(-x.v)); break;
    case SOFTPLUS: v = x.v > 0 ? x.v + log1p(exp(-x.v)) : log1p(exp(x.v)); break;
    case RELU:     v = x.v > 0 ? x.v : 0; break;
    case TANH:     v = tanh(x.v); break;
    case GELU:     v = x.v * erfc(-x.v / sqrt(2)) / 2; break;
    case GELU_TANH:
        v = x.v / (1 + exp(-2 * sqrt(2 / acos(-1)) * (x.v + 0.044715 * pow(x.v, 3))));
        steps += x.v < 0 ? 2 * x.v * x.v : 0;
        break;
    case NONE:     return x;
    }
    return (number){ v, apart(slope[f] * x.e, steps * HALF_UNIT * v) + TINY };
}

static void of_all(enum function f, number *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = of(f, x[i]);
}

/* A block of 32 inputs rounded to 255 steps. */
static double step_error(const number *x, size_t k)
{
    double most = 0;

    for (size_t i = k / 32 * 32; i < k / 32 * 32 + 32; i++)
        most = fmax(most, fabs(x[i].v) + x[i].e);
    return 1.01 * most / 254;
}

/* y = W x + bias */
static void product(const weight *w, const weight *bias, const number *x, size_t x_stride,
                    number *y, size_t rows)
{
    size_t outputs = w->shape[0], inputs = w->shape[1];

    for (size_t t = 0; t < rows; t++)
        for (size_t o = 0; o < outputs; o++) {
            number s = { 0, 0 };

            if (bias)
                add_to(&s, exact(bias->data[o]));
            for (size_t k = 0; k < inputs; k++) {
                number in = x[t * x_stride + k];

                if (w->quantised)
                    in.e = apart(in.e, step_error(x + t * x_stride, k));
                add_to(&s, (number){ w->data[o * inputs + k] * in.v,
                                     fabs(w->data[o * inputs + k]) * in.e });
            }
            y[t * outputs + o] = s;
        }
}

/* y[t] = bias + sum over k of w[k] x[t - (taps - 1) + k], nothing before the episode's begin */
static void convolve(const weight *w, const weight *bias, size_t taps, const oracle_rows *in,
                     const number *x, size_t x_stride, size_t channels, number *y)
{
    for (size_t t = 0; t < in->count; t++)
        for (size_t c = 0; c < channels; c++) {
            number s = { 0, 0 };

            if (bias)
                add_to(&s, exact(bias->data[c]));
            for (size_t k = 0; k < taps; k++)
                if (t + k >= in->begin[t] + taps - 1)
                    add_to(&s, times(exact(w->data[c * taps + k]),
                                     x[(t + k - (taps - 1)) * x_stride + c]));
            y[t * channels + c] = s;
        }
}

/* ---- leaves -------------------------------------------------------------------------- */

static void same_width(layer *l)
{
    l->out = l->in;
}

static void activation_run(const layer *l, const oracle_rows *in, number *out)
{
    memcpy(out, in->x, in->count * l->in * sizeof *out);
    of_all(function_named(oracle_option_text(l, "kind")), out, in->count * l->in);
}

static void conv_shape(layer *l)
{
    l->out = l->in;
    want(l, "weight", -1, 1, l->in, 1, size_option(l, "taps", 0));
    want_bias(l, "bias", "bias", l->in);
}

static void conv_run(const layer *l, const oracle_rows *in, number *out)
{
    convolve(get(l, "weight"), get(l, "bias"), size_option(l, "taps", 0), in, in->x, l->in, l->in,
             out);
}

static void embed_shape(layer *l)
{
    l->in = l->out = size_option(l, "width", 0);
    want(l, "weight", -1.5, 1.5, l->vocabulary, l->out, 0);
    l->weights[l->n_weights - 1].matrix = 1;
}

static void embed_run(const layer *l, const oracle_rows *in, number *out)
{
    const weight *table = get(l, "weight");

    for (size_t t = 0; t < in->count; t++)
        for (size_t c = 0; c < l->out; c++)
            out[t * l->out + c] = in->tokens && in->tokens[t] >= 0
                                      ? exact(table->data[(size_t)in->tokens[t] * l->out + c])
                                      : in->x[t * l->out + c];
}

static void glu_shape(layer *l)
{
    l->out = l->in / 2;
}

/* y = value f(gate), where the gate is the second half unless it says first */
static void glu_run(const layer *l, const oracle_rows *in, number *out)
{
    const char *kind = oracle_option_text(l, "kind"), *gate = oracle_option_text(l, "gate");
    int         first = gate && strcmp(gate, "first") == 0;

    for (size_t t = 0; t < in->count; t++)
        for (size_t c = 0; c < l->out; c++) {
            number one = in->x[t * l->in + c], two = in->x[t * l->in + l->out + c];

            out[t * l->out + c] = times(first ? two : one,
                                        of(function_named(kind ? kind : "sigmoid"), first ? one : two));
        }
}

static void layer_norm_shape(layer *l)
{
    l->out = l->in;
    if (!oracle_option_text(l, "no_weight"))
        want(l, "weight", 0.5, 1.5, l->in, 0, 0);
    want_bias(l, "bias", "bias", l->in);
}

/* y = (x - mean) / sqrt(variance + eps) * w + b */
static void layer_norm_run(const layer *l, const oracle_rows *in, number *out)
{
    const weight *w = get(l, "weight"), *b = get(l, "bias");
    double        eps = option(l, "eps", 1e-5), n = (double)l->in;

    for (size_t t = 0; t < in->count; t++) {
        number *y = out + t * l->in, mean = { 0, 0 };
        double  squares = 0, off = 0, size, relative;

        for (size_t c = 0; c < l->in; c++)
            add_to(&mean, in->x[t * l->in + c]);
        mean = (number){ mean.v / n, apart(mean.e, HALF_UNIT * mean.v) / n };
        for (size_t c = 0; c < l->in; c++) {
            y[c] = plus(in->x[t * l->in + c], (number){ -mean.v, mean.e });
            squares += y[c].v * y[c].v;
            off = apart(off, y[c].v * y[c].e);
        }
        size = sqrt(squares / n + eps);
        relative = off / (size * size * n) + (6 + sqrt(n)) * HALF_UNIT;
        for (size_t c = 0; c < l->in; c++) {
            y[c] = times((number){ y[c].v / size, apart(y[c].e / size, y[c].v / size * relative) },
                         exact(w ? w->data[c] : 1));
            if (b)
                y[c] = plus(y[c], exact(b->data[c]));
        }
    }
}

static void linear_shape(layer *l)
{
    l->out = size_option(l, "width", 0);
    want_matrix(l, "weight", l->out, l->in);
    want_bias(l, "bias", "bias", l->out);
}

static void linear_run(const layer *l, const oracle_rows *in, number *out)
{
    product(get(l, "weight"), get(l, "bias"), in->x, l->in, out, in->count);
}

static void rms_norm_shape(layer *l)
{
    l->out = l->in;
    want(l, "weight", 0.5, 1.5, l->in, 0, 0);
}

/* y = x / sqrt(mean(x^2) + eps) * w */
static void rms_norm_run(const layer *l, const oracle_rows *in, number *out)
{
    const weight *w = get(l, "weight");
    double        eps = option(l, "eps", 1e-5);

    for (size_t t = 0; t < in->count; t++) {
        const number *x = in->x + t * l->in;
        double        squares = 0, off = 0, size, relative;

        for (size_t c = 0; c < l->in; c++) {
            squares += x[c].v * x[c].v;
            off = apart(off, x[c].v * x[c].e);
        }
        size = sqrt(squares / (double)l->in + eps);
        relative = off / (size * size * (double)l->in) + (6 + sqrt((double)l->in)) * HALF_UNIT;
        for (size_t c = 0; c < l->in; c++) {
            double v = x[c].v / size * w->data[c];

            out[t * l->in + c].v = v;
            out[t * l->in + c].e = apart(x[c].e / size * w->data[c], v * relative) + TINY;
        }
    }
}

static void scale_shape(layer *l)
{
    l->out = l->in;
    want(l, "weight", -2, 2, l->in, 0, 0);
    want_bias(l, "bias", "bias", l->in);
}

static void scale_run(const layer *l, const oracle_rows *in, number *out)
{
    const weight *w = get(l, "weight"), *b = get(l, "bias");

    for (size_t i = 0; i < in->count * l->in; i++) {
        out[i] = times(in->x[i], exact(w->data[i % l->in]));
        if (b)
            out[i] = plus(out[i], exact(b->data[i % l->in]));
    }
}

/* ---- Mamba-1 ------------------------------------------------------------------------- */

/* [x; z], r, B, C and dt of every row, under the names of mamba_simple.py. */
typedef struct mamba1 {
    size_t  inner, states, taps, rank, wide;
    number *xz, *x, *rbc, *dt, *y;
} mamba1;

static mamba1 mamba1_sizes(const layer *l)
{
    mamba1 m = { 0 };

    m.inner = size_option(l, "inner", 0);
    m.states = size_option(l, "states", 16);
    m.taps = size_option(l, "taps", 4);
    m.rank = size_option(l, "rank", 0);
    m.wide = m.rank + 2 * m.states;
    return m;
}

static void mamba1_shape(layer *l)
{
    mamba1 m = mamba1_sizes(l);

    l->out = l->in;
    want_matrix(l, "in_proj.weight", 2 * m.inner, l->in);
    want_bias(l, "bias", "in_proj.bias", 2 * m.inner);
    want(l, "conv1d.weight", -1, 1, m.inner, 1, m.taps);
    want_bias(l, "conv_bias", "conv1d.bias", m.inner);
    want_matrix(l, "x_proj.weight", m.wide, m.inner);
    want_matrix(l, "dt_proj.weight", m.inner, m.rank);
    if (!oracle_option_text(l, "no_dt_bias"))
        want(l, "dt_proj.bias", -3, 0.5, m.inner, 0, 0);
    if (oracle_option_text(l, "plain_a"))
        want(l, "A", -4, -0.05, m.inner, m.states, 0);
    else
        want(l, "A_log", -2, 1.5, m.inner, m.states, 0);
    want(l, "D", 0.5, 1.5, m.inner, 0, 0);
    want_matrix(l, "out_proj.weight", l->in, m.inner);
    want_bias(l, "bias", "out_proj.bias", l->in);
}

static double mamba1_a(const layer *l, size_t i)
{
    const weight *a = get(l, "A"), *a_log = get(l, "A_log");

    return a ? a->data[i] : -exp(a_log->data[i]);
}

/*
 * y[t] = sum over n of C[t][n] h[n] + D x[t], where the recurrence is multiplied out:
 * h[n] = sum over s <= t of exp(A[n] (dt[s+1] + ... + dt[t])) dt[s] x[s] B[s][n].
 */
static number mamba1_scan(const layer *l, const mamba1 *m, const oracle_rows *in, size_t t,
                          size_t c)
{
    number y = { 0, 0 };
    size_t wide = m->wide;

    for (size_t n = 0; n < m->states; n++) {
        double a = mamba1_a(l, c * m->states + n);
        number past = { 0, 0 }, h = { 0, 0 };

        for (size_t s = t + 1; s-- > in->begin[t];) {
            number dt = m->dt[s * m->inner + c], decay = exact(exp(a * past.v));

            decay.e = HALF_UNIT * (6.0 * (double)(t - s) - 3 * a * past.v) - a * past.e;
            decay.e = decay.v * expm1(decay.e);
            add_to(&h, times(decay, times(times(dt, m->x[s * m->inner + c]),
                                          m->rbc[s * wide + m->rank + n])));
            past = (number){ past.v + dt.v, apart(past.e, dt.e) };
        }
        add_to(&y, times(m->rbc[t * wide + m->rank + m->states + n], h));
    }
    add_to(&y, times(exact(get(l, "D")->data[c]), m->x[t * m->inner + c]));
    return y;
}

static void mamba1_run(const layer *l, const oracle_rows *in, number *out)
{
    mamba1 m = mamba1_sizes(l);
    size_t count = in->count;

    m.xz = room(count * 2 * m.inner);
    m.x = room(count * m.inner);
    m.rbc = room(count * m.wide);
    m.dt = room(count * m.inner);
    m.y = room(count * m.inner);
    product(get(l, "in_proj.weight"), get(l, "in_proj.bias"), in->x, l->in, m.xz, count);
    convolve(get(l, "conv1d.weight"), get(l, "conv1d.bias"), m.taps, in, m.xz, 2 * m.inner, m.inner,
             m.x);
    of_all(SILU, m.x, count * m.inner);
    product(get(l, "x_proj.weight"), NULL, m.x, m.inner, m.rbc, count);
    product(get(l, "dt_proj.weight"), get(l, "dt_proj.bias"), m.rbc, m.wide, m.dt, count);
    of_all(SOFTPLUS, m.dt, count * m.inner);
    for (size_t t = 0; t < count; t++)
        for (size_t c = 0; c < m.inner; c++)
            m.y[t * m.inner + c] = times(mamba1_scan(l, &m, in, t, c),
                                         of(SILU, m.xz[t * 2 * m.inner + m.inner + c]));
    product(get(l, "out_proj.weight"), get(l, "out_proj.bias"), m.y, m.inner, out, count);
    free(m.xz), free(m.x), free(m.rbc), free(m.dt), free(m.y);
}

/* ---- composites ---------------------------------------------------------------------- */

static void chain_shape(layer *l)
{
    l->in = l->children[0]->in;
    l->out = l->children[l->n_children - 1]->out;
}

static void chain_run(const layer *l, const oracle_rows *in, number *out)
{
    oracle_rows at = *in;
    number     *before = NULL;

    for (size_t i = 0; i < l->n_children; i++) {
        const layer *child = l->children[i];
        number      *next = room(in->count * child->out);

        child->type->run(child, &at, next);
        at.x = next;
        at.tokens = NULL;
        free(before);
        before = next;
    }
    memcpy(out, before, in->count * l->out * sizeof *out);
    free(before);
}

static void residual_run(const layer *l, const oracle_rows *in, number *out)
{
    const layer *child = l->children[0];

    child->type->run(child, in, out);
    for (size_t i = 0; i < in->count * l->in; i++)
        out[i] = plus(in->x[i], out[i]);
}

/* ---- all of them --------------------------------------------------------------------- */

static const oracle_type types[] = {
    { "activation", same_width, activation_run },
    { "conv", conv_shape, conv_run },
    { "embed", embed_shape, embed_run },
    { "glu", glu_shape, glu_run },
    { "layer_norm", layer_norm_shape, layer_norm_run },
    { "linear", linear_shape, linear_run },
    { "mamba1", mamba1_shape, mamba1_run },
    { "repeat", chain_shape, chain_run },
    { "residual", chain_shape, residual_run },
    { "rms_norm", rms_norm_shape, rms_norm_run },
    { "scale", scale_shape, scale_run },
    { "sequence", chain_shape, chain_run },
};

const oracle_type *oracle_named(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

void oracle_run(const layer *tree, size_t count, const int32_t *tokens, const float *features,
                const uint8_t *reset, number *out)
{
    number     *x = room(count * tree->in);
    size_t     *begin = calloc(count + 1, sizeof *begin);
    oracle_rows in = { count, tokens, x, begin };

    for (size_t i = 0; features && i < count * tree->in; i++)
        x[i] = exact(features[i]);
    for (size_t t = 1; t < count; t++)
        begin[t] = reset && reset[t] ? t : begin[t - 1];
    tree->type->run(tree, &in, out);
    free(x), free(begin);
}
