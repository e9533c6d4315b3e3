/*
 * oracle_s4.c - s4 and lssl as dense matrices: A = diag(a) - P^T conj(P) over real and imaginary parts, the bilinear rule by
 * elimination, (1 - Abar^L) by multiplying L times, and y as a convolution with C Abar^l Bbar.  The exponential of
 * lssl's A is Taylor's series of 2^-10 of it, squared ten times.
 */
#include "layers/oracle_parts.h"

#define PI      3.14159265358979323846
#define FLUSHED 1e-28               /* a part of a state that, scaled, may be below 2^-100, becomes zero */

/* Of one channel and head: 'wide' is twice the number of states, real parts first. */
typedef struct dense {
    size_t  wide, pairs;        /* pairs: wide / 2 if there are any */
    double *step;               /* [wide][wide]: Abar */
    double *enter, *leave;      /* [wide]: Bbar; C, so that y = leave x */
    double *join;               /* [wide]: how strongly a state meets the others in a step */
} dense;

static size_t s4_states(const layer *l)
{
    return size_option(l, "states", 32);
}

static size_t s4_copies_of(const layer *l)
{
    return size_option(l, "copies", l->in);
}

static void want_four(layer *l, const char *slot, double low, double high, const size_t shape[4])
{
    weight *w;

    want(l, slot, low, high, shape[0] * shape[1], shape[2], shape[3]);
    w = &l->weights[l->n_weights - 1];
    memcpy(w->shape, shape, 4 * sizeof *shape);
    w->dimensions = 4;
}

void s4_shape(layer *l)
{
    size_t n = s4_states(l), heads = size_option(l, "channels", 1), copies = s4_copies_of(l);
    size_t parts = option_is(l, "is_real", "true") ? 1 : 2;
    int    tied = !option_is(l, "tied", "false");
    double slow = oracle_option_text(l, "slow") ? 5 : 0;        /* Abar next to the unit circle */
    double least = option_is(l, "real", "none") ? 0.05 : -1.5;  /* nothing grows */

    l->out = heads * l->in;
    want(l, "kernel.inv_dt", -3 - slow, 0 - slow, l->in, tied ? 1 : n, 0);
    want(l, "kernel.A_real", least, 0.5, copies, n, 0);
    if (parts == 2)
        want(l, "kernel.A_imag", -2, 6, copies, n, 0);
    want_four(l, "kernel.P", -0.8, 0.8, (size_t[]){ size_option(l, "rank", 1), copies, n, parts });
    want(l, "kernel.B", -1, 1, copies, n, parts);
    want_four(l, "kernel.C", -1, 1, (size_t[]){ heads, l->in, n, parts });
    if (!oracle_option_text(l, "no_d"))
        want(l, "D", -1, 1, heads, l->in, 0);
}

/* ---- matrices ----------------------------------------------------------------------------------- */

static double *numbers(size_t count)
{
    return calloc(count + 1, sizeof(double));
}

/* b of n by columns becomes a^-1 b; a is lost. */
static void eliminate(double *a, size_t n, double *b, size_t columns)
{
    for (size_t k = 0; k < n; k++) {
        size_t best = k;

        for (size_t i = k; i < n; i++)
            best = fabs(a[i * n + k]) > fabs(a[best * n + k]) ? i : best;
        for (size_t j = 0; j < n + columns; j++) {
            double *x = j < n ? &a[k * n + j] : &b[k * columns + j - n];
            double *y = j < n ? &a[best * n + j] : &b[best * columns + j - n], t = *x;

            *x = *y, *y = t;
        }
        for (size_t i = 0; i < n; i++) {
            double factor = a[i * n + k] / a[k * n + k];

            for (size_t j = 0; i != k && j < n + columns; j++)
                if (j < n)
                    a[i * n + j] -= factor * a[k * n + j];
                else
                    b[i * columns + j - n] -= factor * b[k * columns + j - n];
        }
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < columns; j++)
            b[i * columns + j] /= a[i * n + i];
}

/* row = row a */
static void pass_row(double *row, const double *a, size_t n)
{
    double *made = numbers(n);

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            made[j] += row[i] * a[i * n + j];
    memcpy(row, made, n * sizeof *row);
    free(made);
}

/* ---- a channel ---------------------------------------------------------------------------------- */

static double part_of(const weight *w, size_t i, size_t part, int real_valued)
{
    return real_valued ? (part ? 0 : (double)w->data[i]) : (double)w->data[2 * i + part];
}

static double own_step(const layer *l, size_t h, size_t n)
{
    double given = get_weight(l, "kernel.inv_dt")->data[option_is(l, "tied", "false") ? h * s4_states(l) + n : h];

    return through(l, "step", "exp", option_is(l, "fast", "true") ? sinh(given) : given);
}

/* A of continuous time, every row times its dt. */
static void fill_matrix(const layer *l, size_t h, double *a, double *join)
{
    size_t        n = s4_states(l), wide = 2 * n, copies = s4_copies_of(l), at = h % copies * n;
    int           real_valued = option_is(l, "is_real", "true");
    const weight *p = get_weight(l, "kernel.P"), *imag = get_weight(l, "kernel.A_imag");

    for (size_t i = 0; i < n; i++) {
        double dt = own_step(l, h, i) * option(l, "rate", 1);
        double re = -through(l, "real", "exp", get_weight(l, "kernel.A_real")->data[at + i]);
        double im = imag ? -through(l, "imag", "none", imag->data[at + i]) : 0;

        a[i * wide + i] = a[(n + i) * wide + n + i] = dt * re;
        a[i * wide + n + i] = -dt * im;
        a[(n + i) * wide + i] = dt * im;
        for (size_t r = 0; r < size_option(l, "rank", 1); r++)
            for (size_t j = 0; j < n; j++)
                for (size_t part = 0; part < 2; part++) {
                    double by = -2 * dt * part_of(p, r * copies * n + at + i, part, real_valued);
                    double other_re = by * part_of(p, r * copies * n + at + j, 0, real_valued);
                    double other_im = by * part_of(p, r * copies * n + at + j, 1, real_valued);

                    a[(part * n + i) * wide + j] += other_re;
                    a[(part * n + i) * wide + n + j] += other_im;
                    join[i] += fabs(by) * (fabs(other_re) + fabs(other_im)) / (fabs(by) + 1e-30);
                }
    }
}

static size_t length_of(const layer *l)
{
    return (size_t)nearbyint(option(l, "l_kernel", 0) / option(l, "rate", 1));
}

static void undo(const layer *l, dense *m)
{
    size_t  n = m->wide;
    double *power = numbers(n * n), *left = numbers(n * n);

    for (size_t i = 0; i < n * n; i++)
        power[i] = i % (n + 1) == 0;
    for (size_t k = 0; k < length_of(l); k++)
        for (size_t i = 0; i < n; i++)
            pass_row(power + i * n, m->step, n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            left[j * n + i] = (i == j) - power[i * n + j];
    if (length_of(l) > 0)
        eliminate(left, n, m->leave, 1);
    free(power), free(left);
}

static dense channel_of(const layer *l, size_t k)
{
    size_t        n = s4_states(l), wide = 2 * n, h = k % l->in, at = h % s4_copies_of(l) * n;
    int           real_valued = option_is(l, "is_real", "true");
    const weight *imag = get_weight(l, "kernel.A_imag");
    dense         m = { wide, n, numbers(wide * wide), numbers(wide), numbers(wide), numbers(wide) };
    double       *a = numbers(wide * wide), *left = numbers(wide * wide), *right = numbers(wide * (wide + 1));

    fill_matrix(l, h, a, m.join);
    for (size_t i = 0; i < wide; i++) {
        double dt = own_step(l, h, i % n) * option(l, "rate", 1);

        for (size_t j = 0; j < wide; j++) {
            left[i * wide + j] = (i == j) - a[i * wide + j] / 2;
            right[i * (wide + 1) + j] = (i == j) + a[i * wide + j] / 2;
        }
        right[i * (wide + 1) + wide] = dt * part_of(get_weight(l, "kernel.B"), at + i % n, i / n, real_valued);
    }
    eliminate(left, wide, right, wide + 1);
    for (size_t i = 0; i < wide; i++) {
        double turns = imag ? own_step(l, h, i % n) * fabs(through(l, "imag", "none", imag->data[at + i % n])) : 0;
        double band = option(l, "bandlimit", 0);

        memcpy(m.step + i * wide, right + i * (wide + 1), wide * sizeof *m.step);
        m.enter[i] = right[i * (wide + 1) + wide];
        m.leave[i] = (i < n ? 2 : -2) * part_of(get_weight(l, "kernel.C"), k * n + i % n, i / n, real_valued);
        if (band > 0 && turns / (2 * PI) >= band / 2)
            m.leave[i] = 0;
    }
    undo(l, &m);
    free(a), free(left), free(right);
    return m;
}

static void free_channel(dense *m)
{
    free(m->step), free(m->enter), free(m->leave), free(m->join);
}

/* ---- rows --------------------------------------------------------------------------------------- */

/* What rounding leaves in a state: of its own, and of the sums that it shares with the others. */
static double rounded(const dense *m, const double *x, size_t i)
{
    size_t n = m->pairs, own = n ? i % n : i;
    double shared = 0;

    for (size_t j = 0; !n && j < m->wide; j++)
        shared = fmax(shared, fabs(x[j]));
    if (n == 0)
        return HALF_UNIT * m->join[i] * shared + fmin(FLUSHED, fabs(x[i]));
    for (size_t j = 0; j < n; j++)
        shared = fmax(shared, hypot(x[j], x[n + j]));
    return HALF_UNIT * (3 * hypot(x[own], x[n + own]) + m->join[own] * shared) +
           fmin(FLUSHED, hypot(x[own], x[n + own]));
}

/* The states behind every row, [rows][wide]; and the rows leave Abar^l, [rows][wide]. */
static void run_channel(const dense *m, const number *u, size_t stride, size_t rows, double *x, double *read)
{
    for (size_t t = 0; t < rows; t++) {
        for (size_t i = 0; i < m->wide; i++) {
            double sum = m->enter[i] * u[t * stride].v;

            for (size_t j = 0; t > 0 && j < m->wide; j++)
                sum += m->step[i * m->wide + j] * x[(t - 1) * m->wide + j];
            x[t * m->wide + i] = sum;
        }
        memcpy(read + t * m->wide, t ? read + (t - 1) * m->wide : m->leave, m->wide * sizeof *read);
        if (t > 0)
            pass_row(read + t * m->wide, m->step, m->wide);
    }
}

static void run_channels(const layer *l, dense (*of)(const layer *l, size_t k), const oracle_rows *in, number *out)
{
    const weight *d = get_weight(l, "D");

    for (size_t k = 0; k < l->out; k++) {
        dense         m = of(l, k);
        double       *x = numbers(in->count * m.wide), *read = numbers(in->count * m.wide);
        const number *u = in->x + k % l->in;

        run_channel(&m, u, l->in, in->count, x, read);
        for (size_t t = 0; t < in->count; t++) {
            number y = d ? times(exact(d->data[k]), u[t * l->in]) : exact(0);
            double drift = 0;

            for (size_t i = 0; i < m.wide; i++)
                add_to(&y, (number){ m.leave[i] * x[t * m.wide + i],
                                     2 * HALF_UNIT * fabs(m.leave[i] * x[t * m.wide + i]) + TINY });
            for (size_t s = 0; s <= t; s++) {
                double kernel = 0;

                for (size_t i = 0; i < m.wide; i++) {
                    double by = fabs(read[(t - s) * m.wide + i]), error = rounded(&m, x + s * m.wide, i);

                    kernel += read[(t - s) * m.wide + i] * m.enter[i];
                    y.e = apart(y.e, by * error);
                    drift += s < t ? by * error / 3 : 0;
                }
                y.e = apart(y.e, kernel * u[s * l->in].e);
            }
            y.e = apart(y.e, drift / 3);
            out[t * l->out + k] = y;
        }
        free(x), free(read);
        free_channel(&m);
    }
}

void s4_run(const layer *l, const oracle_rows *in, number *out)
{
    run_channels(l, channel_of, in, out);
}

/* ---- lssl --------------------------------------------------------------------------------------- */

void lssl_shape(layer *l)
{
    size_t n = size_option(l, "states", 0), heads = size_option(l, "channels", 1), copies = s4_copies_of(l);
    int    fades = oracle_option_text(l, "fades") != NULL;      /* of one state: so fast that one float is enough */

    l->out = heads * l->in;
    want(l, "log_dt", fades ? -2 : -6, fades ? 0 : -3, l->in, 0, 0);
    want(l, "A", fades ? -3 : -1, fades ? -0.5 : 1, copies, n, n);
    want(l, "B", -1, 1, copies, n, 0);
    want(l, "C", -1, 1, heads, l->in, n);
    if (!oracle_option_text(l, "no_d"))
        want(l, "D", -1, 1, heads, l->in, 0);
}

/* a b of n by n, into a new one. */
static double *product_of(const double *a, const double *b, size_t n)
{
    double *made = numbers(n * n);

    memcpy(made, a, n * n * sizeof *made);
    for (size_t i = 0; i < n; i++)
        pass_row(made + i * n, b, n);
    return made;
}

/* a becomes exp(a). */
static void exponentiate(double *a, size_t n)
{
    double *term = numbers(n * n), *sum = numbers(n * n), *next;

    for (size_t i = 0; i < n * n; i++)
        a[i] /= 1024, sum[i] = term[i] = i % (n + 1) == 0;
    for (int k = 1; k < 15; k++) {
        next = product_of(term, a, n);
        for (size_t i = 0; i < n * n; i++)
            sum[i] += next[i] /= k;
        free(term), term = next;
    }
    for (int k = 0; k < 10; k++) {
        next = product_of(sum, sum, n);
        free(sum), sum = next;
    }
    memcpy(a, sum, n * n * sizeof *a);
    free(sum), free(term);
}

static dense lssl_channel_of(const layer *l, size_t k)
{
    size_t        n = size_option(l, "states", 0), wide = n + 1, h = k % l->in, copy = h % s4_copies_of(l);
    double        dt = exp(get_weight(l, "log_dt")->data[h]);
    const weight *a = get_weight(l, "A"), *b = get_weight(l, "B"), *c = get_weight(l, "C");
    int           zoh = option_is(l, "discretization", "zoh");
    dense         m = { n, 0, numbers(n * n), numbers(n), numbers(n), numbers(n) };
    double       *whole = numbers(wide * wide), *left = numbers(n * n), *right = numbers(n * wide);

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= n; j++) {
            double by = dt * (double)(j < n ? a->data[(copy * n + i) * n + j] : b->data[copy * n + i]);

            whole[i * wide + j] = by;
            right[i * wide + j] = j < n ? (i == j) + by / 2 : by;
            if (j < n)
                left[i * n + j] = (i == j) - by / 2;
        }
    exponentiate(whole, wide);
    eliminate(left, n, right, wide);
    for (size_t i = 0; i < n; i++) {
        memcpy(m.step + i * n, (zoh ? whole : right) + i * wide, n * sizeof *m.step);
        m.enter[i] = (zoh ? whole : right)[i * wide + n];
        m.leave[i] = c->data[k * n + i];
        for (size_t j = 0; j < n; j++)
            m.join[i] += 2 * fabs(m.step[i * n + j]);
    }
    free(whole), free(left), free(right);
    return m;
}

void lssl_run(const layer *l, const oracle_rows *in, number *out)
{
    run_channels(l, lssl_channel_of, in, out);
}
