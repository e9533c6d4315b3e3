/*
 * oracle.c - numbers, weights and the layers that work row by row, in double precision.
 *
 *     t s  rows     c  channels     n  states     k  taps     u v x y z  as in the papers
 */
#include "layers/oracle_parts.h"

/* ---- options and weights ------------------------------------------------------------- */

const char *oracle_option_text(const layer *l, const char *name)
{
    for (size_t i = 0; i < l->n_options; i++)
        if (strcmp(l->options[i].name, name) == 0)
            return l->options[i].text;
    return NULL;
}

double option(const layer *l, const char *name, double fallback)
{
    const char *text = oracle_option_text(l, name);

    return text ? strtod(text, NULL) : fallback;
}

size_t size_option(const layer *l, const char *name, size_t fallback)
{
    return (size_t)option(l, name, (double)fallback);
}

int option_is(const layer *l, const char *name, const char *text)
{
    const char *given = oracle_option_text(l, name);

    return given && strcmp(given, text) == 0;
}

void want(layer *l, const char *slot, double low, double high, size_t a, size_t b, size_t c)
{
    weight *w = &l->weights[l->n_weights++];

    *w = (weight){ .slot = slot, .shape = { a, b, c }, .low = low, .high = high };
    w->dimensions = c ? 3 : b ? 2 : 1;
    w->count = a * (b ? b : 1) * (c ? c : 1);
}

void want_matrix(layer *l, const char *slot, size_t outputs, size_t inputs)
{
    double most = sqrt(3.0 / (double)inputs);

    want(l, slot, -most, most, outputs, inputs, 0);
    l->weights[l->n_weights - 1].matrix = 1;
}

void want_bias(layer *l, const char *flag, const char *slot, size_t count)
{
    if (oracle_option_text(l, flag))
        want(l, slot, -0.5, 0.5, count, 0, 0);
}

const weight *get_weight(const layer *l, const char *slot)
{
    for (size_t i = 0; i < l->n_weights; i++)
        if (strcmp(l->weights[i].slot, slot) == 0)
            return &l->weights[i];
    return NULL;
}

/* ---- sums and functions ---------------------------------------------------------------- */

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

number silu(number x)
{
    return of(SILU, x);
}

number softplus(number x)
{
    return of(SOFTPLUS, x);
}

/* A block of 32 inputs rounded to 255 steps. */
static double step_error(const number *x, size_t k)
{
    double most = 0;

    for (size_t i = k / 32 * 32; i < k / 32 * 32 + 32; i++)
        most = fmax(most, fabs(x[i].v) + x[i].e);
    return 1.01 * most / 254;
}

void product(const weight *w, const weight *bias, const number *x, size_t x_stride, number *y,
             size_t rows)
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

/* ---- leaves -------------------------------------------------------------------------- */

void same_width(layer *l)
{
    l->out = l->in;
}

static void activation_run(const layer *l, const oracle_rows *in, number *out)
{
    memcpy(out, in->x, in->count * l->in * sizeof *out);
    of_all(function_named(oracle_option_text(l, "kind")), out, in->count * l->in);
}

/* (x - running_mean) / sqrt(running_var + eps) * weight + bias */
static void batch_norm_shape(layer *l)
{
    l->out = l->in;
    want(l, "running_mean", -1, 1, l->in, 0, 0);
    want(l, "running_var", 0.1, 3, l->in, 0, 0);
    if (oracle_option_text(l, "weight"))
        want(l, "weight", -1.5, 1.5, l->in, 0, 0);
    want_bias(l, "bias", "bias", l->in);
}

static void batch_norm_run(const layer *l, const oracle_rows *in, number *out)
{
    const weight *w = get_weight(l, "weight"), *bias = get_weight(l, "bias");

    for (size_t t = 0; t < in->count; t++)
        for (size_t c = 0; c < l->in; c++) {
            number x = in->x[t * l->in + c];
            double variance = get_weight(l, "running_var")->data[c] + option(l, "eps", 1e-5);
            double mean = get_weight(l, "running_mean")->data[c];
            double scale = (w ? w->data[c] : 1) / sqrt(variance);
            double most = apart(scale * x.v, apart(scale * mean, bias ? bias->data[c] : 0));

            out[t * l->in + c].v = (x.v - mean) * scale + (bias ? bias->data[c] : 0);
            out[t * l->in + c].e = apart(x.e * scale, 2 * HALF_UNIT * most) + TINY;
        }
}

static void embed_shape(layer *l)
{
    l->in = l->out = size_option(l, "width", 0);
    want(l, "weight", -1.5, 1.5, l->vocabulary, l->out, 0);
    l->weights[l->n_weights - 1].matrix = 1;
}

static void embed_run(const layer *l, const oracle_rows *in, number *out)
{
    const weight *table = get_weight(l, "weight");

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
    const weight *w = get_weight(l, "weight"), *b = get_weight(l, "bias");
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
    product(get_weight(l, "weight"), get_weight(l, "bias"), in->x, l->in, out, in->count);
}

static void rms_norm_shape(layer *l)
{
    l->out = l->in;
    want(l, "weight", 0.5, 1.5, l->in, 0, 0);
}

void rms_row(const number *x, size_t width, double eps, const weight *w, number *y)
{
    double squares = 0, off = 0, size, relative;

    for (size_t c = 0; c < width; c++) {
        squares += x[c].v * x[c].v;
        off = apart(off, x[c].v * x[c].e);
    }
    size = sqrt(squares / (double)width + eps);
    relative = off / (size * size * (double)width) + (6 + sqrt((double)width)) * HALF_UNIT;
    for (size_t c = 0; c < width; c++) {
        double by = w ? w->data[c] : 1, v = x[c].v / size * by;

        y[c] = (number){ v, apart(x[c].e / size * by, v * relative) + TINY };
    }
}

static void rms_norm_run(const layer *l, const oracle_rows *in, number *out)
{
    for (size_t t = 0; t < in->count; t++)
        rms_row(in->x + t * l->in, l->in, option(l, "eps", 1e-5), get_weight(l, "weight"),
                out + t * l->in);
}

static void scale_shape(layer *l)
{
    l->out = l->in;
    want(l, "weight", -2, 2, l->in, 0, 0);
    want_bias(l, "bias", "bias", l->in);
}

static void scale_run(const layer *l, const oracle_rows *in, number *out)
{
    const weight *w = get_weight(l, "weight"), *b = get_weight(l, "bias");

    for (size_t i = 0; i < in->count * l->in; i++) {
        out[i] = times(in->x[i], exact(w->data[i % l->in]));
        if (b)
            out[i] = plus(out[i], exact(b->data[i % l->in]));
    }
}

static void identity_run(const layer *l, const oracle_rows *in, number *out)
{
    memcpy(out, in->x, in->count * l->in * sizeof *out);
}

/* ---- all of them --------------------------------------------------------------------- */

static const oracle_type types[] = {
    { "activation", same_width, activation_run, NULL },
    { "batch_norm", batch_norm_shape, batch_norm_run, NULL },
    { "branches", branches_shape, NULL, branches_make },
    { "contract", contract_shape, contract_run, NULL },
    { "conv", conv_shape, conv_run, NULL },
    { "define", chain_shape, NULL, chain_make },
    { "embed", embed_shape, embed_run, NULL },
    { "get", get_shape, NULL, get_make },
    { "glu", glu_shape, glu_run, NULL },
    { "identity", same_width, identity_run, NULL },
    { "insert", insert_shape, NULL, insert_make },
    { "layer_norm", layer_norm_shape, layer_norm_run, NULL },
    { "linear", linear_shape, linear_run, NULL },
    { "log_softmax", same_width, log_softmax_run, NULL },
    { "lru", lru_shape, lru_run, NULL },
    { "lssl", lssl_shape, lssl_run, NULL },
    { "mamba1", mamba1_shape, mamba1_run, NULL },
    { "mamba2", mamba2_shape, mamba2_run, NULL },
    { "normalize", same_width, normalize_run, NULL },
    { "outer", outer_shape, outer_run, NULL },
    { "over", chain_shape, NULL, over_make },
    { "patch", patch_shape, NULL, patch_make },
    { "permute", chain_shape, NULL, permute_make },
    { "pool", pool_shape, NULL, pool_make },
    { "position", position_shape, position_run, NULL },
    { "put", same_width, NULL, put_make },
    { "repeat", chain_shape, NULL, chain_make },
    { "residual", chain_shape, NULL, residual_make },
    { "reverse", chain_shape, NULL, reverse_make },
    { "rms_norm", rms_norm_shape, rms_norm_run, NULL },
    { "s4", s4_shape, s4_run, NULL },
    { "s4d", s4d_shape, s4d_run, NULL },
    { "s5", s5_shape, s5_run, NULL },
    { "scale", scale_shape, scale_run, NULL },
    { "selective_scan", selective_scan_shape, selective_scan_run, NULL },
    { "sequence", chain_shape, NULL, chain_make },
    { "shift", shift_shape, shift_run, NULL },
    { "slice", slice_shape, slice_run, NULL },
    { "use", chain_shape, NULL, chain_make },
};

const oracle_type *oracle_named(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

/* ---- rows ---------------------------------------------------------------------------- */

oracle_rows rows_made(const oracle_rows *like, size_t count, size_t width)
{
    oracle_rows rows = *like;

    rows.count = count;
    rows.width = width;
    rows.tokens = NULL;
    rows.x = room(count * width);
    rows.dt = calloc(count + 1, sizeof *rows.dt);
    memcpy(rows.dt, like->dt, (count < like->count ? count : like->count) * sizeof *rows.dt);
    return rows;
}

void oracle_rows_free(oracle_rows *rows)
{
    free(rows->x), free(rows->dt);
    *rows = (oracle_rows){ 0 };
}

oracle_rows rows_through(const layer *l, const oracle_rows *in)
{
    oracle_rows out;

    if (l->type->make)
        return l->type->make(l, in);
    out = rows_made(in, in->count, l->out);
    l->type->run(l, in, out.x);
    for (size_t i = 0; in->peak && i < out.count * out.width; i++)
        *in->peak = isnan(out.x[i].v) ? INFINITY : fmax(*in->peak, fabs(out.x[i].v));
    return out;
}

/* Steps from..to-1 are one episode. */
static oracle_rows run_episode(const layer *tree, const oracle_stream *stream, size_t from,
                               size_t to)
{
    size_t       cells = stream->grid[0] * stream->grid[1], count = (to - from) * cells;
    oracle_slots slots = { 0 };
    oracle_rows  in = { count, tree->in, { stream->grid[0], stream->grid[1] }, .slots = &slots };
    oracle_rows  out;

    in.whole = oracle_whole(tree);
    in.peak = stream->peak;
    in.tokens = stream->tokens ? stream->tokens + from : NULL;
    in.x = room(count * tree->in);
    in.dt = calloc(count, sizeof *in.dt);
    for (size_t i = 0; stream->features && i < count * tree->in; i++)
        in.x[i] = exact(stream->features[from * cells * tree->in + i]);
    for (size_t t = 0; t < count; t++)
        in.dt[t] = stream->dt ? (double)stream->dt[from + t / cells] : 1;
    out = rows_through(tree, &in);
    oracle_rows_free(&in);
    for (size_t i = 0; i < slots.count; i++)
        oracle_rows_free(&slots.of[i].rows);
    return out;
}

oracle_rows oracle_run(const layer *tree, const oracle_stream *stream)
{
    oracle_rows all = { 0 };

    if (stream->peak)
        *stream->peak = 0;
    for (size_t from = 0, to; from < stream->count; from = to) {
        oracle_rows one;

        for (to = from + 1; to < stream->count && !(stream->reset && stream->reset[to]);)
            to++;
        one = run_episode(tree, stream, from, to);
        if (from > 0)
            append_rows(&all, &one);
        else
            all = one;
        if (from > 0)
            oracle_rows_free(&one);
    }
    return all;
}
