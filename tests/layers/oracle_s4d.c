/*
 * oracle_s4d.c - s4d as a convolution: y[t] = D u[t] + sum over s <= t of K[t - s] u[s], with the kernel
 * K[l] = 2 Re(sum of C b a^l) in polar form.
 */
#include "layers/oracle_parts.h"

#define PI        3.14159265358979323846
#define FLUSHED   0x1p-100          /* parts of states below it become zero */

/* One state of one channel: a = radius e^(i angle), and what is read of a^l. */
typedef struct pole { double radius, angle, b_re, b_im, re, im, start_re, start_im; } pole;

/* State t without b: its parts, their error. */
typedef struct held { double re, im, size, e; } held;

static size_t s4d_states(const layer *l)
{
    return size_option(l, "states", 32);
}

/* Channels that the tensors have. */
static size_t s4d_rows(const layer *l)
{
    return l->in / size_option(l, "tile", 1);
}

static size_t s4d_copies_of(const layer *l)
{
    return size_option(l, "copies", s4d_rows(l));
}

enum slots { STEP, REAL, IMAG, READ, ENTER };

static const char *slot(const layer *l, enum slots which)
{
    static const char *const full[] = { "kernel.inv_dt", "kernel.A_real", "kernel.A_imag", "kernel.C", "kernel.B" };
    static const char *const minimal[] = { "kernel.log_dt", "kernel.log_A_real", "kernel.A_imag", "kernel.C", NULL };
    static const char *const h3[] = { "kernel.kernel.log_dt", "kernel.kernel.inv_A_real", "kernel.kernel.A_imag",
                                      "kernel.kernel.C", "kernel.kernel.B" };

    return option_is(l, "form", "minimal") ? minimal[which] : option_is(l, "form", "h3") ? h3[which] : full[which];
}

/* DSS: no conjugates, Lambda for all channels, steps of their own for its parts. */
static void dss_shape(layer *l)
{
    size_t      n = s4d_states(l), outs = size_option(l, "channels", 1), heads = outs * (option_is(l, "bidirectional", "true") ? 2 : 1);
    size_t      shape[4] = { heads, l->in, n, 2 };
    const char *version = oracle_option_text(l, "version");
    double      slow = oracle_option_text(l, "slow") ? 5 : 0;
    weight     *c;

    version = version ? version : "exp";
    want(l, "kernel.log_dt", -3 - slow, 0 - slow, l->in, option_is(l, "sep_dt_re_im", "false") ? 1 : 2, 0);
    if (strncmp(version, "exp", 3) != 0) {
        want(l, "kernel.Lambda", -1, 0.3, n, 2, 0);
    } else {
        want(l, "kernel.Lambda_log_neg_re", -1.5, 0.5, n, 0, 0);
        want(l, strstr(version, "im") ? "kernel.Lambda_log_im" : "kernel.Lambda_im", -2, 2, n, 0, 0);
    }
    want(l, "kernel.W", -1, 1, heads * l->in, n, 2);
    c = &l->weights[l->n_weights - 1];
    memcpy(c->shape, shape, sizeof shape);
    c->dimensions = 4;
    if (!oracle_option_text(l, "no_d"))
        want(l, "D", -1, 1, outs, l->in, 0);
}

void s4d_shape(layer *l)
{
    size_t n = s4d_states(l), heads = size_option(l, "channels", 1), copies = s4d_copies_of(l);
    size_t rows = s4d_rows(l), both = option_is(l, "bidirectional", "true") ? 2 : 1;
    size_t parts = option_is(l, "is_real", "true") ? 1 : 2;
    int    tied = !option_is(l, "tied", "false"), h3 = option_is(l, "form", "h3");
    /* a next to the unit circle; or so far from it that a state is soon forgotten */
    double slow = oracle_option_text(l, "slow") ? 5 : oracle_option_text(l, "fading") ? -3 : 0;
    double least = option_is(l, "real", "none") ? 0.05 : -1.5;  /* nothing grows */
    weight *c;

    l->out = heads * l->in;
    if (option_is(l, "form", "dss")) {
        dss_shape(l);
        return;
    }
    want(l, slot(l, STEP), -3 - slow, 0 - slow, rows, tied ? 1 : n, 0);
    want(l, slot(l, REAL), least, 0.5, copies, n, 0);
    if (parts == 2)
        want(l, slot(l, IMAG), -2, 6, copies, n, 0);
    want(l, slot(l, READ), -1, 1, both * heads * rows, n, parts);
    c = &l->weights[l->n_weights - 1];
    c->shape[0] = both * heads, c->shape[1] = rows, c->shape[2] = n, c->shape[3] = parts;
    c->dimensions = 4;
    if (slot(l, ENTER) && (h3 || oracle_option_text(l, "with_b")))
        want(l, slot(l, ENTER), -1, 1, copies, n, parts);
    if (!oracle_option_text(l, "no_d"))
        want(l, "D", -1, 1, heads, rows, 0);
    if (oracle_option_text(l, "initial"))
        want(l, "initial_state", -2, 2, rows, n, 2);
}

double through(const layer *l, const char *name, const char *fallback, double x)
{
    const char *kind = oracle_option_text(l, name);

    kind = kind ? kind : fallback;
    return strcmp(kind, "exp") == 0       ? exp(x)
           : strcmp(kind, "relu") == 0    ? fmax(x, 0) + 1e-4
           : strcmp(kind, "sigmoid") == 0 ? 1 / (1 + exp(-x))
           : strcmp(kind, "softplus") == 0 ? log1p(exp(x)) : x;
}

/* The state at the beginning over b = (u, v). */
static void set_start(const layer *l, size_t at, double u, double v, pole *p)
{
    const weight *initial = get_weight(l, "initial_state");

    p->start_re = p->start_im = 0;
    if (initial) {
        double re = initial->data[at], im = initial->data[at + 1];

        p->start_re = (re * u + im * v) / (u * u + v * v);
        p->start_im = (im * u - re * v) / (u * u + v * v);
    }
}

/* p.re + i p.im = (re + i im) (x + i y) */
static void set_product(pole *p, double re, double im, double x, double y)
{
    p->re = re * x - im * y;
    p->im = re * y + im * x;
}

/*
 * What official code writes as (exp(z) - 1) conj(q) / (|q|^2 + 1e-7), q = (exp(z L) - 1) A: multiplied with p.
 * 'least' instead of the sum, and without L, where it is a maximum.
 */
static void divide_by_sum(pole *p, double a_re, double a_im, double z_re, double z_im, double length, int least)
{
    double u = expm1(z_re) * cos(z_im) - 2 * sin(z_im / 2) * sin(z_im / 2), v = exp(z_re) * sin(z_im);
    double w = expm1(length * z_re) * cos(length * z_im) - 2 * pow(sin(length * z_im / 2), 2);
    double x = exp(length * z_re) * sin(length * z_im), q_re = least ? a_re : w * a_re - x * a_im;
    double q_im = least ? a_im : w * a_im + x * a_re, square = q_re * q_re + q_im * q_im, re = p->re, im = p->im;
    double below = least ? fmax(square, 1e-7) : square + 1e-7;

    set_product(p, re, im, (u * q_re + v * q_im) / below, (v * q_re - u * q_im) / below);
}

/* Of DSS. */
static pole dss_pole_of(const layer *l, size_t k, size_t n)
{
    const char   *version = oracle_option_text(l, "version");
    const weight *lambda = get_weight(l, "kernel.Lambda"), *w = get_weight(l, "kernel.W"), *dt = get_weight(l, "kernel.log_dt");
    const weight *im = get_weight(l, "kernel.Lambda_im"), *log_im = get_weight(l, "kernel.Lambda_log_im");
    size_t        h = k % l->in, steps = option_is(l, "sep_dt_re_im", "false") ? 1 : 2;
    double        x = lambda ? lambda->data[2 * n] : -exp(get_weight(l, "kernel.Lambda_log_neg_re")->data[n]);
    double        y = lambda ? lambda->data[2 * n + 1] : im ? im->data[n] : exp(log_im->data[n]);
    double        z_re, z_im, length = option(l, "length", 0);
    int           grows;
    pole          p = { .b_re = 1 };

    version = version ? version : "exp";
    x = strstr(version, "clip") ? fmin(x, 1e-4) : x;
    grows = strcmp(version, "softmax") == 0 && x > 0;
    z_re = exp(dt->data[h * steps]) * option(l, "rate", 1) * x;
    z_im = exp(dt->data[h * steps + steps - 1]) * option(l, "rate", 1) * y;
    p.radius = exp(z_re), p.angle = z_im;
    p.re = w->data[(k * s4d_states(l) + n) * 2], p.im = w->data[(k * s4d_states(l) + n) * 2 + 1];
    if (strcmp(version, "softmax") == 0) {
        divide_by_sum(&p, x, y, grows ? -z_re : z_re, grows ? -z_im : z_im, length, 0);
        if (grows)
            set_product(&p, p.re, p.im, exp(-z_re * (length - 1)) * cos(z_im * (length - 1)),
                        -exp(-z_re * (length - 1)) * sin(z_im * (length - 1)));
    } else if (!strstr(version, "no-scale")) {
        divide_by_sum(&p, x, y, z_re, z_im, 1, 1);
    }
    return p;
}

static double number_of(const layer *l, const weight *w, size_t i, size_t part)
{
    return option_is(l, "is_real", "true") ? (part ? 0 : (double)w->data[i]) : (double)w->data[2 * i + part];
}

/* Of a row that is so many steps behind the one before it. */
static pole pole_of(const layer *l, size_t k, size_t n, double steps)
{
    int           full = slot(l, STEP)[7] == 'i', tied = !option_is(l, "tied", "false");
    size_t        states = s4d_states(l), h = k % l->in % s4d_rows(l), at = h % s4d_copies_of(l) * states + n;
    size_t        from = (k / l->in * s4d_rows(l) + h) * states + n;
    const weight *b = slot(l, ENTER) ? get_weight(l, slot(l, ENTER)) : NULL, *c = get_weight(l, slot(l, READ));
    double        step = get_weight(l, slot(l, STEP))->data[tied ? h : h * states + n];
    double        real = get_weight(l, slot(l, REAL))->data[at];
    const weight *of_imag = get_weight(l, slot(l, IMAG));
    double        imag = of_imag ? through(l, "imag", "none", of_imag->data[at]) : 0;
    double        own = through(l, "step", "exp", option_is(l, "fast", "true") ? sinh(step) : step);
    double        one = own * option(l, "rate", 1), dt = one * steps, band = option(l, "bandlimit", 0);
    double        x = -through(l, "real", "exp", real), y = full ? -imag : imag, u, v, r, i, square;
    double        c_re = number_of(l, c, from, 0), c_im = number_of(l, c, from, 1);
    double        b_re = b ? number_of(l, b, at, 0) : 1, b_im = b ? number_of(l, b, at, 1) : 0;
    pole          p;

    if (option_is(l, "discretization", "dss")) {
        p = (pole){ .radius = exp(dt * x), .angle = dt * y, .b_re = 1, .re = c_re * b_re - c_im * b_im,
                    .im = c_re * b_im + c_im * b_re };
        divide_by_sum(&p, x, y, dt * x, dt * y, option(l, "length", 0), 0);
        return p;
    }
    if (option_is(l, "discretization", "bilinear")) {
        u = 1 - dt * x / 2, v = -dt * y / 2;            /* below the line */
        p.radius = hypot(1 + dt * x / 2, dt * y / 2) / hypot(u, v);
        p.angle = atan2(dt * y / 2, 1 + dt * x / 2) - atan2(v, u);
        square = u * u + v * v;
        r = dt * u / square, i = -dt * v / square;
    } else {
        p.radius = exp(dt * x);
        p.angle = dt * y;
        u = expm1(dt * x) * cos(p.angle) - 2 * sin(p.angle / 2) * sin(p.angle / 2);     /* a - 1 */
        v = p.radius * sin(p.angle);
        square = x * x + y * y;
        if (option_is(l, "discretization", "async")) {
            double s = sin(one * y / 2);

            u = expm1(one * x) * cos(one * y) - 2 * s * s, v = exp(one * x) * sin(one * y);
        }
        r = (u * x + v * y) / square, i = (v * x - u * y) / square;
        if (option_is(l, "discretization", "dirac"))
            r = 1, i = 0;
    }
    p.b_re = r, p.b_im = i;
    u = r * b_re - i * b_im, v = r * b_im + i * b_re;
    set_start(l, (h * states + n) * 2, u, v, &p);
    p.re = 2 * (u * c_re - v * c_im), p.im = 2 * (u * c_im + v * c_re);
    if (band > 0 && own * fabs(imag) / (2 * PI) >= band / 2)
        p.re = p.im = 0;
    return p;
}

/*
 * The state at row t, as a multiple of the b of a step; p: of every row, 'step' of a step.  What rounds a does so in
 * every row alike: that error adds up, the others wander.
 */
static held held_at(const pole *p, const pole *step, const number *u, size_t stride, size_t t, const held *before)
{
    held   h = { 0, 0, 0, 0 };
    double wandering = 0, drift = 0, turn = 0, size = 1, square = step->b_re * step->b_re + step->b_im * step->b_im;

    for (size_t s = t + 1; s-- > 0;) {
        double re = square > 0 ? (p[s].b_re * step->b_re + p[s].b_im * step->b_im) / square : 0;
        double im = square > 0 ? (p[s].b_im * step->b_re - p[s].b_re * step->b_im) / square : 0, gain = hypot(re, im);

        h.re += size * (cos(turn) * re - sin(turn) * im) * u[s * stride].v;
        h.im += size * (sin(turn) * re + cos(turn) * im) * u[s * stride].v;
        wandering = apart(wandering, size * gain * (u[s * stride].e + 3 * HALF_UNIT * fabs(u[s * stride].v)));
        wandering = apart(wandering, size * (s < t ? 2 * HALF_UNIT * before[s].size : 0));
        drift += s < t ? size * HALF_UNIT * before[s].size : 0;
        size *= p[s].radius, turn += p[s].angle;
    }
    h.re += size * (cos(turn) * step->start_re - sin(turn) * step->start_im);
    h.im += size * (cos(turn) * step->start_im + sin(turn) * step->start_re);
    wandering = apart(wandering, size * 3 * HALF_UNIT * hypot(step->start_re, step->start_im));
    drift += size * HALF_UNIT * hypot(step->start_re, step->start_im);
    h.size = hypot(h.re, h.im);
    h.e = apart(apart(wandering, drift), 2 * HALF_UNIT * h.size) + fmin(FLUSHED, h.size);
    return h;
}

/* out[t] of output k += what the states of rows u say with C's row 'from', for the rows t = next + step, next + 2 step... */
static void add_states(const layer *l, size_t k, size_t from, const number *u, size_t stride, const double *dt,
                       size_t count, number *out, size_t next, ptrdiff_t step, held *h)
{
    pole *rows = calloc(count + 1, sizeof *rows);
    int   form_dss = option_is(l, "form", "dss");

    for (size_t n = 0; n < s4d_states(l); n++) {
        pole p = form_dss ? dss_pole_of(l, from, n) : pole_of(l, from, n, 1);

        for (size_t t = 0; t < count; t++) {
            number *y = &out[(size_t)((ptrdiff_t)next + (ptrdiff_t)t * step) * l->out + k];
            double  size = hypot(p.re, p.im);

            rows[t] = dt ? pole_of(l, from, n, dt[t]) : p;
            h[t] = held_at(rows, &p, u, stride, t, h);
            add_to(y, (number){ p.re * h[t].re, apart(size * h[t].e, HALF_UNIT * size * h[t].size) + TINY });
            add_to(y, (number){ -p.im * h[t].im, apart(size * h[t].e, HALF_UNIT * size * h[t].size) + TINY });
        }
    }
    free(rows);
}

/* The rows behind each row, from the last on, with the second half of C. */
static void add_later(const layer *l, size_t k, const oracle_rows *in, number *out, held *h)
{
    number *turned = calloc(in->count + 1, sizeof *turned);

    for (size_t t = 0; t < in->count; t++)
        turned[t] = in->x[(in->count - 1 - t) * l->in + k % l->in];
    add_states(l, k, l->out + k, turned, 1, NULL, in->count - 1, out, in->count - 2, -1, h);
    free(turned);
}

void s4d_run(const layer *l, const oracle_rows *in, number *out)
{
    const weight *d = get_weight(l, "D");
    held         *h = calloc(in->count + 1, sizeof *h);
    int           timed = !option_is(l, "bidirectional", "true") && !option_is(l, "form", "dss") &&
                          !option_is(l, "discretization", "dss");

    for (size_t k = 0; k < l->out; k++) {
        for (size_t t = 0; t < in->count; t++)
            out[t * l->out + k] = d ? times(exact(d->data[k / l->in * s4d_rows(l) + k % s4d_rows(l)]),
                                            in->x[t * l->in + k % l->in]) : exact(0);
        add_states(l, k, k, in->x + k % l->in, l->in, timed ? in->dt : NULL, in->count, out, 0, 1, h);
        if (option_is(l, "bidirectional", "true") && in->count > 1)
            add_later(l, k, in, out, h);
    }
    free(h);
}
