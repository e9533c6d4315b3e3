/* oracle_mamba2.c - Mamba-2's mixer, its recurrence multiplied out. */
#include "layers/oracle_parts.h"

#define FLUSHED 0x1p-100            /* states below it become zero */

/* [z | x | B | C | dt] of every row, under the names of mamba2.py. */
typedef struct mamba2 {
    size_t  heads, head_dim, states, groups, taps, inner, mixed, wide;
    number *zxbcdt, *xbc, *dt, *y;
} mamba2;

static mamba2 mamba2_sizes(const layer *l)
{
    mamba2 m = { 0 };

    m.heads = size_option(l, "heads", 0);
    m.head_dim = size_option(l, "head_dim", 0);
    m.states = size_option(l, "states", 128);
    m.groups = size_option(l, "groups", 1);
    m.taps = size_option(l, "taps", 4);
    m.inner = m.heads * m.head_dim;
    m.mixed = m.inner + 2 * m.groups * m.states;
    m.wide = m.inner + m.mixed + m.heads;
    return m;
}

static size_t mamba2_norm_size(const layer *l, const mamba2 *m)
{
    size_t size = size_option(l, "norm_size", 0);

    return size ? size : m->inner;
}

void mamba2_shape(layer *l)
{
    mamba2 m = mamba2_sizes(l);
    size_t size = mamba2_norm_size(l, &m);

    l->out = l->in;
    want_matrix(l, "in_proj.weight", m.wide, l->in);
    want_bias(l, "bias", "in_proj.bias", m.wide);
    want_matrix(l, "out_proj.weight", l->in, m.inner);
    want_bias(l, "bias", "out_proj.bias", l->in);
    want(l, "conv1d.weight", -1, 1, m.mixed, 1, m.taps);
    want_bias(l, "conv_bias", "conv1d.bias", m.mixed);
    if (!oracle_option_text(l, "no_dt_bias"))
        want(l, "dt_bias", -4, 0.5, m.heads, 0, 0);
    if (oracle_option_text(l, "plain_a"))
        want(l, "A", -4, -0.05, m.heads, oracle_option_text(l, "lines") ? 1 : 0, 0);
    else
        want(l, "A_log", -2, 1.5, m.heads, 0, 0);
    if (!option_is(l, "D", "none"))
        want(l, "D", 0.5, 1.5, option_is(l, "D", "channels") ? m.inner : m.heads, 0, 0);
    if (option_is(l, "init_states", "true"))
        want(l, "init_states", -1, 1, m.heads, m.head_dim, m.states);
    if (option_is(l, "norm", "none") || oracle_option_text(l, "no_weight"))
        return;
    if (oracle_option_text(l, "lines"))
        want(l, "norm.weight", 0.5, 1.5, m.inner / size, size, 0);
    else
        want(l, "norm.weight", 0.5, 1.5, m.inner, 0, 0);
}

static void mamba2_mix(const layer *l, mamba2 *m, const oracle_rows *in)
{
    const weight *bias = get_weight(l, "dt_bias");
    double        low = option(l, "dt_min", 0), high = option(l, "dt_max", 0);

    product(get_weight(l, "in_proj.weight"), get_weight(l, "in_proj.bias"), in->x, l->in, m->zxbcdt, in->count);
    convolve(get_weight(l, "conv1d.weight"), get_weight(l, "conv1d.bias"), m->taps, in->count, m->zxbcdt + m->inner, m->wide,
             m->mixed, m->xbc);
    for (size_t i = 0; i < in->count * m->mixed; i++)
        m->xbc[i] = silu(m->xbc[i]);
    for (size_t t = 0; t < in->count; t++)
        for (size_t h = 0; h < m->heads; h++) {
            number dt = m->zxbcdt[t * m->wide + m->inner + m->mixed + h];

            dt = softplus(bias ? plus(dt, exact(bias->data[h])) : dt);
            dt.v = fmax(dt.v, low);
            dt.v = high > 0 ? fmin(dt.v, high) : dt.v;
            m->dt[t * m->heads + h] = dt;
        }
}

static double mamba2_a(const layer *l, size_t head)
{
    const weight *a = get_weight(l, "A"), *a_log = get_weight(l, "A_log");

    return a ? a->data[head] : -exp(a_log->data[head]);
}

/* exp(a past), a product of so many decays. */
static number mamba2_left(double a, number past, size_t rows)
{
    number left = exact(exp(a * past.v));

    left.e = HALF_UNIT * (6.0 * (double)rows + 3 * fabs(a * past.v)) + fabs(a) * past.e;
    left.e = fabs(left.v * expm1(fmin(left.e, 1)));
    return left;
}

/* y[t] of a channel: as scan_at() of oracle_scan.c, with one A for the head. */
static number mamba2_at(const layer *l, const mamba2 *m, size_t t, size_t channel)
{
    const weight *d = get_weight(l, "D"), *initial = get_weight(l, "init_states");
    size_t        head = channel / m->head_dim, g = head / (m->heads / m->groups);
    size_t        b = m->inner + g * m->states, c = b + m->groups * m->states;
    double        a = mamba2_a(l, head);
    number        y = { 0, 0 };

    for (size_t n = 0; n < m->states; n++) {
        number past = { 0, 0 }, h = { 0, 0 };

        for (size_t s = t + 1; s-- > 0;) {
            number dt = m->dt[s * m->heads + head];

            add_to(&h, times(mamba2_left(a, past, t - s),
                             times(times(dt, m->xbc[s * m->mixed + channel]), m->xbc[s * m->mixed + b + n])));
            past = (number){ past.v + dt.v, apart(past.e, dt.e) };
        }
        if (initial)
            add_to(&h, times(mamba2_left(a, past, t + 1), exact(initial->data[channel * m->states + n])));
        h.e = apart(h.e, fmin(FLUSHED, fabs(h.v)));
        add_to(&y, times(m->xbc[t * m->mixed + c + n], h));
    }
    if (d)
        add_to(&y, times(exact(d->data[d->count == m->heads ? head : channel]), m->xbc[t * m->mixed + channel]));
    return y;
}

/* The gate and the norm of one row. */
static void mamba2_gate(const layer *l, const mamba2 *m, const number *z, number *y)
{
    const weight *w = get_weight(l, "norm.weight");
    size_t        size = mamba2_norm_size(l, m);
    int           normed = !option_is(l, "norm", "none"), late = normed && option_is(l, "norm_before_gate", "true");

    for (size_t c = 0; !late && c < m->inner; c++)
        y[c] = times(y[c], silu(z[c]));
    for (size_t c = 0; normed && c < m->inner; c += size) {
        weight part = { 0 };

        if (w) {
            part = *w;
            part.data += c;
        }
        rms_row(y + c, size, option(l, "norm_eps", 1e-5), w ? &part : NULL, y + c);
    }
    for (size_t c = 0; late && c < m->inner; c++)
        y[c] = times(y[c], silu(z[c]));
}

void mamba2_run(const layer *l, const oracle_rows *in, number *out)
{
    mamba2 m = mamba2_sizes(l);

    m.zxbcdt = room(in->count * m.wide);
    m.xbc = room(in->count * m.mixed);
    m.dt = room(in->count * m.heads);
    m.y = room(in->count * m.inner);
    mamba2_mix(l, &m, in);
    for (size_t t = 0; t < in->count; t++) {
        for (size_t c = 0; c < m.inner; c++) {
            number y = m.y[t * m.inner + c] = mamba2_at(l, &m, t, c);

            if (in->peak)               /* the norm's squares must be floats, too */
                *in->peak = isnan(y.v) ? INFINITY : fmax(*in->peak, sqrt(fabs(y.v)));
        }
        mamba2_gate(l, &m, m.zxbcdt + t * m.wide, m.y + t * m.inner);
    }
    product(get_weight(l, "out_proj.weight"), get_weight(l, "out_proj.bias"), m.y, m.inner, out, in->count);
    free(m.zxbcdt), free(m.xbc), free(m.dt), free(m.y);
}
