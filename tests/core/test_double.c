/*
 * test_double.c - measured errors of the functions of set-up, against long double.
 *
 * Bounds are just above the measured maxima that docs/numerics.md states; KRAIT_SWEEP=1 prints
 * these.
 */
#include "core/double.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/random.h"
#include "test.h"

enum { TRIALS = 1000000 };

static double unit_of(kr_random *random)
{
    return (double)(int64_t)kr_random_u64(random) * 0x1p-63;
}

/* |got - want| in units of the last place of a double of that size. */
static double double_ulps(double got, long double want)
{
    int exponent;

    if (want == 0)
        return got == 0 ? 0 : HUGE_VAL;
    frexpl(want, &exponent);
    return (double)(fabsl((long double)got - want) /
                    ldexpl(1, (exponent < -1021 ? -1021 : exponent) - 53));
}

typedef struct function64 {
    const char   *name;
    double      (*ours)(double x);
    long double (*exact)(long double x);
    double      (*argument)(kr_random *random, int i);
    double        bound;                    /* ulps */
} function64;

static double our_sine(double x)
{
    double sine, cosine;

    kr_sin_cos(x, &sine, &cosine);
    return sine;
}

static double our_cosine(double x)
{
    double sine, cosine;

    kr_sin_cos(x, &sine, &cosine);
    return cosine;
}

/* Any size of number; next to 1; subnormal ones. */
static double any_positive(kr_random *random, int i)
{
    double unit = fabs(unit_of(random)) + 0x1p-60;

    return i % 3 == 0 ? ldexp(unit, i % 2000 - 1000) : i % 3 == 1 ? 1 + ldexp(unit_of(random), -(i % 50) - 2)
                      : ldexp(unit, -1022 - i % 40);
}

static double above_minus_one(kr_random *random, int i)
{
    double unit = unit_of(random);

    return i % 3 == 0 ? ldexp(unit, -(i % 64)) : i % 3 == 1 ? unit * 0.999 : ldexp(fabs(unit), i % 100);
}

static double exponents(kr_random *random, int i)
{
    double unit = unit_of(random);

    return i % 3 == 0 ? ldexp(unit, -(i % 64)) : i % 3 == 1 ? unit * 3 : unit * 700;
}

/* Small ones, phases up to 1e6, any size at all, and the doubles next to multiples of pi / 2. */
static double angles(kr_random *random, int i)
{
    double unit = unit_of(random);

    switch (i % 4) {
    case 0: return ldexp(unit, 2 - i % 40);
    case 1: return unit * 1e6;
    case 2: return ldexp(unit, i % 1024);
    default: return rint(unit * 1e9) * 1.5707963267948966;
    }
}

static void measure_double(const function64 *f)
{
    kr_random random = kr_random_from(1);
    double    worst = 0, where = 0;

    for (int i = 0; i < TRIALS; i++) {
        double x = f->argument(&random, i), error = double_ulps(f->ours(x), f->exact(x));

        if (!(error <= worst))
            worst = error, where = x;
    }
    if (getenv("KRAIT_SWEEP"))
        printf("%s in double: %.4f ulp at %a\n", f->name, worst, where);
    test_note("%s: %.4f ulp at %a", f->name, worst, where);
    CHECK(worst <= f->bound);
    test_note("%s", "");
}

TEST(double_errors)
{
    static const function64 functions[] = {
        { "log",   kr_log,     logl,   any_positive,    0.70 },
        { "log1p", kr_log1p,   log1pl, above_minus_one, 1.60 },
        { "expm1", kr_expm1,   expm1l, exponents,       1.50 },
        { "sinh",  kr_sinh,    sinhl,  exponents,       2.10 },
        { "sin",   our_sine,   sinl,   angles,          0.90 },
        { "cos",   our_cosine, cosl,   angles,          0.90 },
    };

    if (LDBL_MANT_DIG < 64)
        SKIP("long double is no better than double here");
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        measure_double(&functions[i]);
}

TEST(double_ends)
{
    double sine, cosine;

    CHECK(kr_log(1) == 0 && kr_log(0) == -HUGE_VAL && kr_log(-0.0) == -HUGE_VAL);
    CHECK(kr_log(HUGE_VAL) == HUGE_VAL && isnan(kr_log(-1)) && isnan(kr_log(NAN)));
    CHECK(kr_log1p(-1) == -HUGE_VAL && isnan(kr_log1p(-1.5)) && isnan(kr_log1p(NAN)));
    CHECK(kr_log1p(HUGE_VAL) == HUGE_VAL && kr_log1p(0x1p-1074) == 0x1p-1074);
    CHECK(kr_expm1(0) == 0 && kr_expm1(-0x1p-1074) == -0x1p-1074 && kr_expm1(-1e300) == -1);
    CHECK(kr_expm1(-HUGE_VAL) == -1 && kr_expm1(HUGE_VAL) == HUGE_VAL && isnan(kr_expm1(NAN)));
    CHECK(kr_sinh(HUGE_VAL) == HUGE_VAL && kr_sinh(-HUGE_VAL) == -HUGE_VAL && isnan(kr_sinh(NAN)));
    CHECK(kr_sinh(-0.5) == -kr_sinh(0.5) && signbit(kr_sinh(-0.0)));
    kr_sin_cos(-0.0, &sine, &cosine);
    CHECK(sine == 0 && signbit(sine) && cosine == 1);
    kr_sin_cos(HUGE_VAL, &sine, &cosine);
    CHECK(isnan(sine) && isnan(cosine));
    kr_sin_cos(NAN, &sine, &cosine);
    CHECK(isnan(sine) && isnan(cosine));
    /* The double nearest to a multiple of pi / 2, relative to it: 2^-61 of it is left. */
    kr_sin_cos(0x1.6ac5b262ca1ffp+849, &sine, &cosine);
    CHECK_CLOSE(fabs(cosine), 4.6871659242546276e-19, 1e-34);
    CHECK(fabs(sine) == 1);
}

/* sin is odd, cos even, and both know all four quarters. */
TEST(double_angles_of_either_sign)
{
    kr_random random = kr_random_from(3);

    for (int i = 0; i < 20000; i++) {
        double x = angles(&random, i), sine, cosine, other, same;

        kr_sin_cos(x, &sine, &cosine);
        kr_sin_cos(-x, &other, &same);
        test_note("%a", x);
        if (!(CHECK(other == -sine && same == cosine) &
              CHECK_CLOSE(sine * sine + cosine * cosine, 1, 4e-16)))
            return;
    }
    test_note("%s", "");
}

TEST(double_scale)
{
    static const int exponents_tried[] = { 0, 1, -1, 52, -1021, 1023, 2097, -2097, 5000, -5000 };

    for (size_t i = 0; i < sizeof exponents_tried / sizeof *exponents_tried; i++) {
        int k = exponents_tried[i];

        test_note("2^%d", k);
        CHECK(kr_scale_double(1.5, k) == ldexp(1.5, k));
        CHECK(kr_scale_double(-0x1p-1074, k) == ldexp(-0x1p-1074, k));
        CHECK(kr_scale_double(DBL_MAX, k) == ldexp(DBL_MAX, k));
    }
    test_note("%s", "");
}
