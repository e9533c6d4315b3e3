/*
 * test_complex.c - complex numbers in double, against long double.
 *
 * Errors are those of the number as a whole, relative to its magnitude.
 */
#include "core/complex.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/random.h"
#include "test.h"

typedef struct exact { long double re, im; } exact;

static double part(kr_random *random, int spread)
{
    int shift = (int)(kr_random_u32(random) % (unsigned)(2 * spread + 1)) - spread;

    return ldexp((double)(int64_t)kr_random_u64(random) * 0x1p-63, shift);
}

static double distance(kr_complex got, exact want)
{
    return (double)(hypotl((long double)got.re - want.re, (long double)got.im - want.im) /
                    hypotl(want.re, want.im));
}

static exact exact_product(exact a, exact b)
{
    exact c = { a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };

    return c;
}

/* (exp(z) - 1) / z by its series where z is small, and otherwise as it stands. */
static exact exact_exprel(kr_complex z)
{
    long double s = sinl(0.5L * z.im);
    exact       sum = { 1, 0 }, term = { 1, 0 }, w = { z.re, z.im }, less;

    if (fabs(z.re) + fabs(z.im) < 1) {
        for (int k = 2; k < 30; k++) {
            term = exact_product(term, w);
            term.re /= k;
            term.im /= k;
            sum.re += term.re;
            sum.im += term.im;
        }
        return sum;
    }
    less.re = expm1l(w.re) * cosl(w.im) - 2 * s * s;
    less.im = expl(w.re) * sinl(w.im);
    s = w.re * w.re + w.im * w.im;
    w.re /= s;
    w.im /= -s;
    return exact_product(less, w);
}

TEST(complex_division)
{
    kr_random random = kr_random_from(1);
    double    worst = 0;

    for (int i = 0; i < 200000; i++) {
        kr_complex a = { part(&random, 300), part(&random, 300) };
        kr_complex b = { part(&random, 300), part(&random, 300) };
        kr_complex q = kr_complex_divide(a, b), root = kr_complex_sqrt(a);
        exact      x = { q.re, q.im }, y = { b.re, b.im }, r = { root.re, root.im };
        double     error;

        error = fmax(distance(a, exact_product(x, y)), distance(a, exact_product(r, r)));
        worst = error > worst ? error : worst;
        CHECK(root.re >= 0);
    }
    if (getenv("KRAIT_SWEEP"))
        printf("complex division and root: %.3g\n", worst);
    test_note("%g", worst);
    CHECK(worst < 8e-16);
    test_note("%s", "");
}

/* Where squares overflow or vanish, at zero, and on the cut of the root. */
TEST(complex_functions)
{
    kr_complex big = { DBL_MAX, -DBL_MAX }, tiny = { 0x1p-1074, 0x1p-1074 }, zero = { 0, 0 }, z;

    z = kr_complex_divide(big, big);
    CHECK(z.re == 1 && z.im == 0);
    z = kr_complex_divide(tiny, tiny);
    CHECK(z.re == 1 && z.im == 0);
    z = kr_complex_divide(big, zero);
    CHECK(isnan(z.re) && isnan(z.im));
    z = kr_complex_divide(kr_complex_of(3, 4), kr_complex_of(0, 2));
    CHECK(z.re == 2 && z.im == -1.5);
    CHECK(kr_complex_magnitude(kr_complex_of(3e300, -4e300)) == 5e300);
    CHECK(kr_complex_magnitude(kr_complex_of(0x3p-1070, 0x4p-1070)) == 0x5p-1070);
    CHECK(kr_complex_magnitude(zero) == 0 && isnan(kr_complex_magnitude(kr_complex_of(NAN, 1))));
    z = kr_complex_sqrt(kr_complex_of(-4, 0));
    CHECK(z.re == 0 && z.im == 2);
    z = kr_complex_sqrt(kr_complex_of(-3, -4));
    CHECK(z.re == 1 && z.im == -2);
    z = kr_complex_sqrt(kr_complex_of(0, 0x1p-1001));
    CHECK(z.re == 0x1p-501 && z.im == 0x1p-501);
    z = kr_complex_sqrt(zero);
    CHECK(z.re == 0 && z.im == 0);
    z = kr_complex_power(kr_complex_of(1, 1), 9);
    CHECK(z.re == 16 && z.im == 16);
    z = kr_complex_power(zero, 0);
    CHECK(z.re == 1 && z.im == 0);
    z = kr_complex_exp(kr_complex_of(0, 0));
    CHECK(z.re == 1 && z.im == 0);
    CHECK(kr_complex_square(kr_complex_of(3, 4)) == 25 && kr_complex_size(kr_complex_of(-3, 4)) == 7);
}

TEST(complex_exponentials_near_nothing)
{
    kr_random  random = kr_random_from(2);
    double     worst = 0, error;
    kr_complex where = { 0, 0 }, z = kr_complex_exprel(where);

    CHECK(z.re == 1 && z.im == 0);
    z = kr_complex_exprel(kr_complex_of(NAN, 0));
    CHECK(isnan(z.re));
    for (int i = 0; i < 200000; i++) {
        kr_complex w = { part(&random, i % 60), part(&random, i % 60) };
        exact      want;

        if (i % 3 == 0) {                       /* next to a multiple of 2 pi i */
            w.re *= 0x1p-40;
            w.im = w.im * 0x1p-40 + 6.283185307179586 * (i % 1000);
        }
        if (fabs(w.re) > 600)
            w.re = fmod(w.re, 600);
        w.im = fmod(w.im, 1e9);
        want.re = expl(w.re) * cosl(w.im);
        want.im = expl(w.re) * sinl(w.im);
        error = fmax(distance(kr_complex_exp(w), want),
                     distance(kr_complex_exprel(w), exact_exprel(w)));
        if (!(error <= worst))
            worst = error, where = w;
    }
    if (getenv("KRAIT_SWEEP"))
        printf("exp and (exp(z) - 1) / z: %.3g at %a %a\n", worst, where.re, where.im);
    test_note("%g at %a %a", worst, where.re, where.im);
    CHECK(worst < 8e-16);
    test_note("%s", "");
}
