/*
 * oracle_lti.c - s5 and lru: the recurrence multiplied out, y[t] = Re(sum over s <= t of C a^(t - s) B u[s]) + D u[t],
 * with a as modulus and angle, where rows have a time between them the product of the a's of rows s + 1 to t; a liquid
 * one row by row.
 */
#include "layers/oracle_parts.h"

#define FLUSHED 0x1p-100            /* states below it become zero */

/* A complex state: modulus and angle of a; what B and C are multiplied with. */
typedef struct pole { double modulus, angle, b_re, b_im, c; } pole;

/* initial: what states are at the beginning. */
static void want_initial(layer *l, size_t states)
{
    if (oracle_option_text(l, "initial"))
        want(l, "initial_state", -2, 2, states, 2, 0);
}

/* ---- parameters ------------------------------------------------------------------------ */

/*
 * Words that krait does not know: slow has small steps, far slower ones than a float's digits allow for; what is
 * fading is soon forgotten.
 */
void s5_shape(layer *l)
{
    size_t p = size_option(l, "states", 0), slow = oracle_option_text(l, "slow") != NULL;
    int    other = oracle_option_text(l, "half") && !option_is(l, "half", "none");
    double most = option_is(l, "liquid", "true") ? 0.2 / (double)l->in : 0.5;  /* else states grow without bound */

    l->out = l->in;
    if (option_is(l, "lambda", "pairs")) {
        want(l, "Lambda", -1, -0.05, p, 2, 0);
    } else {
        want(l, "Lambda_re", -1, oracle_option_text(l, "clip_eigs") ? 0.1 : -0.05, p, 0, 0);
        want(l, "Lambda_im", -4, 4, p, 0, 0);
    }
    want(l, "B", -most, most, p, l->in, 2);
    want(l, "C", -0.5, 0.5, l->in, other ? 2 * p : p, 2);
    want(l, "log_step", slow ? -9 : -3, slow ? -6 : 0.5, p, 1, 0);
    if (!oracle_option_text(l, "no_d"))
        want(l, "D", -1, 1, l->in, 0, 0);
    want_initial(l, p);
}

void lru_shape(layer *l)
{
    size_t n = size_option(l, "states", 0);
    double slow = oracle_option_text(l, "slow") ? -5 : oracle_option_text(l, "fading") ? 2.5 : 0;

    l->out = l->in;
    want(l, "nu_log", -3 + slow, 0.5 + slow, n, 0, 0);
    want(l, "theta_log", -3, 1.1, n, 0, 0);
    want(l, "gamma_log", -2, 0, n, 0, 0);
    want(l, "B_re", -0.5, 0.5, n, l->in, 0);
    want(l, "B_im", -0.5, 0.5, n, l->in, 0);
    want(l, "C_re", -0.5, 0.5, l->in, n, 0);
    want(l, "C_im", -0.5, 0.5, l->in, n, 0);
    if (!oracle_option_text(l, "no_d"))
        want(l, "D", -1, 1, l->in, 0, 0);
    want_initial(l, n);
}

static double s5_at(const layer *l, const char *slot, size_t i)
{
    return (double)get_weight(l, slot)->data[i];
}

/* numerator / denominator */
static void divide(double re, double im, double below_re, double below_im, double *out_re, double *out_im)
{
    double size = below_re * below_re + below_im * below_im;

    *out_re = (re * below_re + im * below_im) / size;
    *out_im = (im * below_re - re * below_im) / size;
}

/* (exp(dt z) - 1) / z, with no difference of large numbers. */
static void held(double re, double im, double dt, double *out_re, double *out_im)
{
    double grown = expm1(re * dt), turned = sin(im * dt / 2);

    divide(grown * cos(im * dt) - 2 * turned * turned, exp(re * dt) * sin(im * dt), re, im, out_re, out_im);
}

/* Of a row that is so many steps behind the one before it. */
static pole s5_pole(const layer *l, size_t i, double steps)
{
    double own = option(l, "step_rescale", 1) * exp(s5_at(l, "log_step", i)), dt = own * steps;
    int    pairs = option_is(l, "lambda", "pairs");
    double re = pairs ? s5_at(l, "Lambda", 2 * i) : s5_at(l, "Lambda_re", i), a_re, a_im;
    double im = pairs ? s5_at(l, "Lambda", 2 * i + 1) : s5_at(l, "Lambda_im", i);
    double width = option(l, "bandlimit", 0);
    pole   p = { 0 };

    if (option_is(l, "clip_eigs", "true"))
        re = fmin(re, -1e-4);
    if (option_is(l, "discretization", "bilinear")) {
        divide(1 + re * dt / 2, im * dt / 2, 1 - re * dt / 2, -im * dt / 2, &a_re, &a_im);
        divide(dt, 0, 1 - re * dt / 2, -im * dt / 2, &p.b_re, &p.b_im);
    } else {
        a_re = exp(re * dt) * cos(im * dt);
        a_im = exp(re * dt) * sin(im * dt);
        held(re, im, option_is(l, "discretization", "async") ? own : dt, &p.b_re, &p.b_im);
    }
    if (option_is(l, "discretization", "dirac"))
        p.b_re = 1, p.b_im = 0;
    p.modulus = hypot(a_re, a_im);
    p.angle = atan2(a_im, a_re);
    p.c = option_is(l, "conj_sym", "false") ? 1 : 2;
    if (width > 0 && exp(s5_at(l, "log_step", i)) * fabs(im) / (2 * acos(-1)) >= width / 2)
        p.c = 0;
    return p;
}

static pole lru_pole(const layer *l, size_t i, double steps)
{
    (void)steps;
    return (pole){ exp(-exp(s5_at(l, "nu_log", i))), exp(s5_at(l, "theta_log", i)), exp(s5_at(l, "gamma_log", i)), 0,
                   1 };
}

/* ---- rows -------------------------------------------------------------------------------- */

/* A number that is rounded to a float once. */
static number rounded(double v)
{
    return (number){ v, HALF_UNIT * fabs(v) + TINY };
}

/* What B makes of row t for state i. */
static void drive(const layer *l, const pole *p, const oracle_rows *in, size_t t, size_t i, number *re, number *im)
{
    const weight *pairs = get_weight(l, "B"), *real = get_weight(l, "B_re"), *other = get_weight(l, "B_im");
    double        degree = option(l, "degree", 1);

    *re = *im = exact(0);
    for (size_t h = 0; h < l->in; h++) {
        size_t at = i * l->in + h;
        double b_re = pairs ? pairs->data[2 * at] : real->data[at], b_im = pairs ? pairs->data[2 * at + 1]
                                                                                  : other->data[at];

        double all_re = p->b_re * b_re - p->b_im * b_im, all_im = p->b_re * b_im + p->b_im * b_re;
        double size = pow(hypot(all_re, all_im), degree), angle = degree * atan2(all_im, all_re);

        add_to(re, times(rounded(size * cos(angle)), in->x[t * l->in + h]));
        add_to(im, times(rounded(size * sin(angle)), in->x[t * l->in + h]));
    }
}

/* (re, im) += a v, where a is of n rows: its size and angle. */
static void add_turned(double size, double angle, size_t n, const number v[2], number *re, number *im)
{
    double e = HALF_UNIT * (1 + 3 * (double)n) * size;
    number a_re = { size * cos(angle), e }, a_im = { size * sin(angle), e };

    add_to(re, times(a_re, v[0]));
    add_to(re, times(exact(-1), times(a_im, v[1])));
    add_to(im, times(a_re, v[1]));
    add_to(im, times(a_im, v[0]));
}

/* x[t] = sum over s <= t of a^(t - s) v[s] + a^(t + 1) start; p: of every row */
static void multiplied_out(const pole *p, const number *v, size_t t, const number *start, number *re, number *im)
{
    double size = 1, angle = 0;

    *re = *im = exact(0);
    for (size_t s = t + 1; s-- > 0;) {
        add_turned(size, angle, t - s, v + 2 * s, re, im);
        size *= p[s].modulus, angle += p[s].angle;
    }
    if (start)
        add_turned(size, angle, t + 1, start, re, im);
}

/* x = (a + v) x + v */
static void liquid_row(const pole *p, const number *v, number *re, number *im)
{
    number a_re = plus(rounded(p->modulus * cos(p->angle)), v[0]), was = *re;
    number a_im = plus(rounded(p->modulus * sin(p->angle)), v[1]), next = v[0];

    add_to(&next, times(a_re, *re));
    add_to(&next, times(exact(-1), times(a_im, *im)));
    *re = next;
    next = v[1];
    add_to(&next, times(a_re, *im));
    add_to(&next, times(a_im, was));
    *im = next;
}

/* One state's part of all outputs of all rows. */
static void add_state(const layer *l, pole (*pole_of)(const layer *, size_t, double), const oracle_rows *in, size_t i,
                      number *out)
{
    const weight *pairs = get_weight(l, "C"), *real = get_weight(l, "C_re"), *other = get_weight(l, "C_im");
    const weight *initial = get_weight(l, "initial_state");
    int           liquid = option_is(l, "liquid", "true"), halves = pairs && pairs->shape[1] > size_option(l, "states", 0);
    size_t        columns = size_option(l, "states", 0) * (halves ? 2 : 1);
    size_t        column = i + (option_is(l, "half", "second") ? columns / 2 : 0);
    number       *v = room(2 * in->count), start[2];
    pole         *p = calloc(in->count + 1, sizeof *p);
    number        re = start[0] = exact(initial ? initial->data[2 * i] : 0);
    number        im = start[1] = exact(initial ? initial->data[2 * i + 1] : 0);

    for (size_t t = 0; t < in->count; t++) {
        p[t] = pole_of(l, i, liquid || option(l, "degree", 1) > 1 ? 1 : in->dt[t]);
        drive(l, &p[t], in, t, i, &v[2 * t], &v[2 * t + 1]);
        if (liquid)
            liquid_row(&p[t], v + 2 * t, &re, &im);
        else
            multiplied_out(p, v, t, initial ? start : NULL, &re, &im);
        re.e = apart(re.e, fmin(FLUSHED, fabs(re.v)));
        im.e = apart(im.e, fmin(FLUSHED, fabs(im.v)));
        for (size_t h = 0; h < l->in; h++) {
            size_t at = h * columns + column;
            double c_re = pairs ? pairs->data[2 * at] : real->data[at];
            double c_im = pairs ? pairs->data[2 * at + 1] : other->data[at];

            add_to(&out[t * l->in + h], times(rounded(p[t].c * c_re), re));
            add_to(&out[t * l->in + h], times(rounded(-p[t].c * c_im), im));
        }
    }
    free(v), free(p);
}

static void run_poles(const layer *l, const oracle_rows *in, number *out,
                      pole (*pole_of)(const layer *, size_t, double))
{
    const weight *d = get_weight(l, "D");
    size_t        count = in->count * l->in;

    for (size_t i = 0; i < count; i++)
        out[i] = exact(0);
    for (size_t i = 0; i < size_option(l, "states", 0); i++)
        add_state(l, pole_of, in, i, out);
    for (size_t i = 0; d && i < count; i++)
        add_to(&out[i], times(exact(d->data[i % l->in]), in->x[i]));
}

void s5_run(const layer *l, const oracle_rows *in, number *out)
{
    run_poles(l, in, out, s5_pole);
}

void lru_run(const layer *l, const oracle_rows *in, number *out)
{
    run_poles(l, in, out, lru_pole);
}
