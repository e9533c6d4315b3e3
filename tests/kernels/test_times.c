/* test_times.c - exp(x + i y) and that - 1, of which coefficients of rows with a time are made, against long double. */
#include <math.h>

#include "kernels/times.h"
#include "support/random.h"
#include "test.h"

enum { TRIES = 200000 };

/* 2^-40 to 2^20, of either sign where 'both'. */
static double any_size(kr_random *random, int both)
{
    double x = ldexp(1 + fabs((double)kr_random_unit(random)), (int)(kr_random_u32(random) % 60) - 40);

    return both && kr_random_u32(random) % 2 ? -x : x;
}

/* As it counts: a beside its size, a - 1 beside its own. */
TEST(times_errors)
{
    kr_random random = kr_random_from(41);
    double    a = 0, less = 0;

    for (int i = 0; i < TRIES; i++) {
        double        x = -any_size(&random, 0), y = any_size(&random, 1);
        kr_times_turn t;
        long double   re, im, minus, half = sinl((long double)y / 2), size;

        if (x < -60)
            x = -kr_random_unit(&random) * 60 - 60;
        t = kr_times_exp(x, y);
        size = expl((long double)x);
        re = size * cosl((long double)y), im = size * sinl((long double)y);
        minus = expm1l((long double)x) * cosl((long double)y) - 2 * half * half;
        a = fmax(a, (double)(hypotl(t.a.re - re, t.a.im - im) / size));
        less = fmax(less, (double)(hypotl(t.less.re - minus, t.less.im - im) / hypotl(minus, im)));
    }
    test_note("a %g, a - 1 %g", a, less);
    CHECK(a < 1e-11);
    CHECK(less < 1.2e-11);
    test_note("%s", "");
}

/* Whatever comes, nothing is infinite: beyond bounds it is taken as at them. */
TEST(times_bounds)
{
    static const double odd[] = { 0, -0.0, 1e-300, -1e30, 1e30, -1e308, 1e308, 700, -700, -701, 88, 1e13 };

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
            kr_times_turn t = kr_times_exp(odd[i], odd[k]);

            CHECK(fabs(t.a.re) < 2e38 && fabs(t.a.im) < 2e38 && fabs(t.less.re) < 2e38);
            CHECK(odd[i] > -700 || kr_times_flush(t.a.re) == 0);
        }
    CHECK(isnan(kr_times_exp((double)NAN, 0).a.re) && isnan(kr_times_exp(0, (double)NAN).a.im));
}
