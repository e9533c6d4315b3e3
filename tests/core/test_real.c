/*
 * test_real.c - measured errors of the scalar functions, and what must be exact.
 *
 * Bounds are just above the measured maxima that docs/numerics.md states.  A test looks at 1 in
 * 997 of the floats; KRAIT_SWEEP=1 looks at all of them (minutes) and -v is not needed: it prints.
 */
#include "core/real.h"

#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/fpenv.h"
#include "support/random.h"
#include "test.h"

#if defined(__SSE__) && defined(__GNUC__)
#include <xmmintrin.h>
#endif

/* ---- errors -------------------------------------------------------------------------------- */

/* |got - want| in units of the last place of a float of that size. */
static double float_ulps(float got, double want)
{
    int exponent;

    if (want == 0)
        return got == 0 ? 0 : HUGE_VAL;
    frexp(want, &exponent);
    return fabs((double)got - want) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

typedef struct function {
    const char *name;
    float     (*ours)(float x);
    double    (*exact)(double x);
    float       low, high;              /* where the bound holds */
    double      bound;                  /* ulps */
} function;

static float  our_exp(float x)          { return kr_expf(x); }
static float  our_sigmoid(float x)      { return kr_sigmoid(x); }
static float  our_silu(float x)         { return kr_silu(x); }
static float  our_softplus(float x)     { return kr_softplus(x); }
static float  our_log1p(float x)        { return kr_log1p_unit(x); }
static double exact_sigmoid(double x)   { return 1 / (1 + exp(-x)); }
static double exact_silu(double x)      { return x / (1 + exp(-x)); }
static double exact_softplus(double x)  { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }

/* Every 'stride'th float of one sign from the smallest magnitude to the largest. */
static double sweep(const function *f, uint32_t sign, float low, float high, uint32_t stride, float *where)
{
    double worst = 0;

    for (uint64_t u = kr_bits_of(low); u <= kr_bits_of(high); u += stride) {
        float  x = kr_float_of((uint32_t)u | sign);
        double error = float_ulps(f->ours(x), f->exact(x));

        if (error > worst) {
            worst = error;
            *where = x;
        }
    }
    return worst;
}

static void measure(const function *f)
{
    const char *all = getenv("KRAIT_SWEEP");
    uint32_t    stride = all && all[0] ? 1 : 997;
    float       where = 0, other = 0;
    double      worst = 0, negative = 0;

    if (f->high > 0)
        worst = sweep(f, 0, f->low > 0 ? f->low : 0, f->high, stride, &where);
    if (f->low < 0)
        negative = sweep(f, 0x80000000u, f->high < 0 ? -f->high : 0, -f->low, stride, &other);
    if (negative > worst)
        where = other, worst = negative;
    if (stride == 1)
        printf("%s over [%g, %g]: %.4f ulp at %a\n", f->name, f->low, f->high, worst, where);
    test_note("%s: %.4f ulp at %a", f->name, worst, where);
    CHECK(worst <= f->bound);
    test_note("%s", "");
}

TEST(real_errors)
{
    static const function functions[] = {
        { "exp",      our_exp,      exp,            KR_EXP_LOW, KR_EXP_HIGH, 1.0 },
        { "sigmoid",  our_sigmoid,  exact_sigmoid,  -87.0f,     88.0f,       1.0 },
        { "silu",     our_silu,     exact_silu,     -87.0f,     FLT_MAX,     1.0 },
        { "softplus", our_softplus, exact_softplus, -87.0f,     FLT_MAX,     1.0 },
        { "log1p",    our_log1p,    log1p,          0,          1,           1.0 },
    };

    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        measure(&functions[i]);
}
