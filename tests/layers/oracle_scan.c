/* oracle_scan.c - conv, mamba1 and selective_scan: what looks back along a sequence. */
#include "layers/oracle_parts.h"

/* ---- conv ---------------------------------------------------------------------------- */

/* y[t] = bias + sum over k of w[k] x[t - (taps - 1) + k], nothing before the first row */
void convolve(const weight *w, const weight *bias, size_t taps, size_t count,
                     const number *x, size_t x_stride, size_t channels, number *y)
{
    for (size_t t = 0; t < count; t++)
        for (size_t c = 0; c < channels; c++) {
            number s = { 0, 0 };

            if (bias)
                add_to(&s, exact(bias->data[c]));
            for (size_t k = 0; k < taps; k++)
                if (t + k >= taps - 1)
                    add_to(&s, times(exact(w->data[c * taps + k]),
                                     x[(t + k - (taps - 1)) * x_stride + c]));
            y[t * channels + c] = s;
        }
}

void conv_shape(layer *l)
{
    l->out = l->in;
    want(l, "weight", -1, 1, l->in, 1, size_option(l, "taps", 0));
    want_bias(l, "bias", "bias", l->in);
}

void conv_run(const layer *l, const oracle_rows *in, number *out)
{
    convolve(get_weight(l, "weight"), get_weight(l, "bias"), size_option(l, "taps", 0), in->count,
             in->x, l->in, l->in, out);
}

#define FLUSHED 0x1p-100            /* states below it become zero */

/* ---- the scan ------------------------------------------------------------------------ */

/* Row t begins at [t * stride] of each; B and C have a piece for every group. */
typedef struct scan {
    size_t        inner, states, groups;
    const number *u, *dt, *b, *c;
    size_t        u_stride, dt_stride, bc_stride;
} scan;

/* The step of a row that is 'dt' away from the one before. */
static number in_time(number step, double dt)
{
    return !SCANS_IN_TIME || dt == 1 ? step : times(step, exact(dt));
}

static double scan_a(const layer *l, size_t i)
{
    const weight *a = get_weight(l, "A"), *a_log = get_weight(l, "A_log");

    return a ? a->data[i] : -exp(a_log->data[i]);
}

static void want_scan(layer *l, size_t inner, size_t states)
{
    if (oracle_option_text(l, "plain_a"))
        want(l, "A", -4, -0.05, inner, states, 0);
    else
        want(l, "A_log", -2, 1.5, inner, states, 0);
    if (!oracle_option_text(l, "no_d"))
        want(l, "D", 0.5, 1.5, inner, 0, 0);
}

/*
 * y[t] = sum over n of C[t][n] h[n] + D u[t], where the recurrence is multiplied out:
 * h[n] = sum over s <= t of exp(A[n] (dt[s+1] + ... + dt[t])) dt[s] u[s] B[s][n].
 */
static number scan_at(const layer *l, const scan *p, size_t t, size_t c)
{
    const weight *d = get_weight(l, "D");
    size_t        group = c / (p->inner / p->groups) * p->states;
    number        y = { 0, 0 };

    for (size_t n = 0; n < p->states; n++) {
        double a = scan_a(l, c * p->states + n);
        number past = { 0, 0 }, h = { 0, 0 };

        for (size_t s = t + 1; s-- > 0;) {
            number dt = p->dt[s * p->dt_stride + c], decay = exact(exp(a * past.v));

            decay.e = HALF_UNIT * (6.0 * (double)(t - s) + 3 * fabs(a * past.v)) + fabs(a) * past.e;
            decay.e = fabs(decay.v * expm1(fmin(decay.e, 1)));
            add_to(&h, times(decay, times(times(dt, p->u[s * p->u_stride + c]),
                                          p->b[s * p->bc_stride + group + n])));
            past = (number){ past.v + dt.v, apart(past.e, dt.e) };
        }
        h.e = apart(h.e, fmin(FLUSHED, fabs(h.v)));
        add_to(&y, times(p->c[t * p->bc_stride + group + n], h));
    }
    if (d)
        add_to(&y, times(exact(d->data[c]), p->u[t * p->u_stride + c]));
    return y;
}

/* ---- selective_scan ------------------------------------------------------------------ */

static scan selective_sizes(const layer *l)
{
    scan p = { 0 };

    p.inner = size_option(l, "inner", 0);
    p.states = size_option(l, "states", 16);
    p.groups = size_option(l, "groups", 1);
    return p;
}

void selective_scan_shape(layer *l)
{
    scan p = selective_sizes(l);

    l->out = p.inner;
    want_scan(l, p.inner, p.states);
    if (oracle_option_text(l, "dt_bias"))
        want(l, "dt_bias", option_is(l, "softplus", "false") ? 0 : -3, 0.5, p.inner, 0, 0);
}

/* Rows [u | dt | B | C | z]. */
void selective_scan_run(const layer *l, const oracle_rows *in, number *out)
{
    scan          p = selective_sizes(l);
    const weight *bias = get_weight(l, "dt_bias");
    number       *dt = room(in->count * p.inner);

    for (size_t t = 0; t < in->count; t++)
        for (size_t c = 0; c < p.inner; c++) {
            number v = in->x[t * l->in + p.inner + c];

            if (bias)
                v = plus(v, exact(bias->data[c]));
            if (!option_is(l, "softplus", "false"))
                v = softplus(v);
            dt[t * p.inner + c] = in_time(v, in->dt[t]);
        }
    p.u = in->x;
    p.dt = dt;
    p.b = in->x + 2 * p.inner;
    p.c = p.b + p.groups * p.states;
    p.u_stride = p.bc_stride = l->in;
    p.dt_stride = p.inner;
    for (size_t t = 0; t < in->count; t++)
        for (size_t c = 0; c < p.inner; c++) {
            number y = scan_at(l, &p, t, c);

            if (!option_is(l, "gate", "false"))
                y = times(y, silu(in->x[t * l->in + 2 * p.inner + 2 * p.groups * p.states + c]));
            out[t * p.inner + c] = y;
        }
    free(dt);
}

/* ---- Mamba-1 ------------------------------------------------------------------------- */

/* [x; z], r, B, C and dt of every row, under the names of mamba_simple.py. */
typedef struct mamba1 {
    size_t  inner, states, taps, rank, wide;
    int     project;
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
    m.project = !option_is(l, "project", "none");
    return m;
}

void mamba1_shape(layer *l)
{
    mamba1 m = mamba1_sizes(l);

    l->out = m.project ? l->in : m.inner;
    if (m.project) {
        want_matrix(l, "in_proj.weight", 2 * m.inner, l->in);
        want_bias(l, "bias", "in_proj.bias", 2 * m.inner);
        want_matrix(l, "out_proj.weight", l->in, m.inner);
        want_bias(l, "bias", "out_proj.bias", l->in);
    }
    want(l, "conv1d.weight", -1, 1, m.inner, 1, m.taps);
    want_bias(l, "conv_bias", "conv1d.bias", m.inner);
    want_matrix(l, "x_proj.weight", m.wide, m.inner);
    want_matrix(l, "dt_proj.weight", m.inner, m.rank);
    if (!oracle_option_text(l, "no_dt_bias"))
        want(l, "dt_proj.bias", -3, 0.5, m.inner, 0, 0);
    want_scan(l, m.inner, m.states);
    if (oracle_option_text(l, "norm_weights")) {
        want(l, "dt_norm.weight", 0.5, 1.5, m.rank, 0, 0);
        want(l, "b_norm.weight", 0.5, 1.5, m.states, 0, 0);
        want(l, "c_norm.weight", 0.5, 1.5, m.states, 0, 0);
    }
}

/* Falcon-Mamba's norms of r, B and C, Jamba's if they have weights. */
static void mamba1_norms(const layer *l, const mamba1 *m, size_t count)
{
    double eps = option(l, "norm_eps", 1e-6);

    for (size_t t = 0; option_is(l, "norm", "rms") && t < count; t++) {
        number *row = m->rbc + t * m->wide;
        number *b = row + m->rank, *c = b + m->states;

        rms_row(row, m->rank, eps, get_weight(l, "dt_norm.weight"), row);
        rms_row(b, m->states, eps, get_weight(l, "b_norm.weight"), b);
        rms_row(c, m->states, eps, get_weight(l, "c_norm.weight"), c);
    }
}

/* The convolution, and what it makes of x: dt, B, C. */
static void mamba1_select(const layer *l, mamba1 *m, const oracle_rows *in)
{
    size_t count = in->count;

    convolve(get_weight(l, "conv1d.weight"), get_weight(l, "conv1d.bias"), m->taps, count, m->xz,
             2 * m->inner, m->inner, m->x);
    for (size_t i = 0; i < count * m->inner; i++)
        m->x[i] = silu(m->x[i]);
    product(get_weight(l, "x_proj.weight"), NULL, m->x, m->inner, m->rbc, count);
    mamba1_norms(l, m, count);
    product(get_weight(l, "dt_proj.weight"), get_weight(l, "dt_proj.bias"), m->rbc, m->wide, m->dt,
            count);
    for (size_t i = 0; i < count * m->inner; i++)
        m->dt[i] = in_time(softplus(m->dt[i]), in->dt[i / m->inner]);
}

void mamba1_run(const layer *l, const oracle_rows *in, number *out)
{
    mamba1 m = mamba1_sizes(l);
    size_t count = in->count;
    scan   p = { m.inner, m.states, 1, .u_stride = m.inner, .dt_stride = m.inner };

    m.xz = room(count * 2 * m.inner);
    m.x = room(count * m.inner);
    m.rbc = room(count * m.wide);
    m.dt = room(count * m.inner);
    m.y = room(count * m.inner);
    if (m.project)
        product(get_weight(l, "in_proj.weight"), get_weight(l, "in_proj.bias"), in->x, l->in, m.xz,
                count);
    else
        memcpy(m.xz, in->x, count * 2 * m.inner * sizeof *m.xz);
    mamba1_select(l, &m, in);
    p.u = m.x, p.dt = m.dt, p.b = m.rbc + m.rank, p.c = p.b + m.states;
    p.bc_stride = m.wide;
    for (size_t t = 0; t < count; t++)
        for (size_t c = 0; c < m.inner; c++)
            m.y[t * m.inner + c] = times(scan_at(l, &p, t, c),
                                         silu(m.xz[t * 2 * m.inner + m.inner + c]));
    if (m.project)
        product(get_weight(l, "out_proj.weight"), get_weight(l, "out_proj.bias"), m.y, m.inner, out,
                count);
    else
        memcpy(out, m.y, count * m.inner * sizeof *out);
    free(m.xz), free(m.x), free(m.rbc), free(m.dt), free(m.y);
}
