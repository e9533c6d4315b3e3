/*
 * selftest.c - fixed sums that come out wrong when a compiler flag changes arithmetic.
 *
 * Macros show some of those flags (core/build.h); -fassociative-math, -freciprocal-math,
 * -ffp-contract=fast and their like in one file of many show only in results.  The inputs are
 * volatile, so that nothing is computed by the compiler.
 */
#include "kernels/selftest.h"

#include "core/real.h"
#include "kernels/pack.h"

/* (a * b) - a * b is zero unless one of the two products was kept wide. */
static int selftest_scalar(void)
{
    volatile float  a = 0x1.000002p0f, b = 0x1.fffffep-1f, big = 0x1p30f, one = 1.0f, tiny = 0x1p-130f;
    volatile double x = 0x1.0000000000001p0, y = 0x1.fffffffffffffp-1;
    float           product = a * b, contracted = a * b - product;
    double          wide = x * y, also = x * y - wide;
    float           grouped = (one + big) - big, divided = one / (a * 3.0f), down = tiny * 0.5f;

    return contracted == 0.0f && also == 0.0 && grouped == 0.0f && down == 0x1p-131f &&
           kr_bits_of(divided) == 0x3eaaaaa9u &&
           kr_fma(a, b, -product) == kr_fma_soft(a, b, -product) && kr_fma(a, b, -product) != 0.0f;
}

static void selftest_fill(float *x, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)((int32_t)(seed >> 8) - 8388608) * 0x1p-23f;
    }
}

static int selftest_equal(const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (kr_canonical_bits(a[i]) != kr_canonical_bits(b[i]))
            return 0;
    return 1;
}

enum { SELFTEST_IN = 20, SELFTEST_OUT = 32 };

/* One small call of the kernels that add and multiply without fma beside it. */
static void selftest_run(const kr_kernels *k, float *y)
{
    float         weights[SELFTEST_IN * SELFTEST_OUT], x[SELFTEST_OUT], bias[SELFTEST_OUT];
    float         a[2 * SELFTEST_OUT], h[2 * SELFTEST_OUT], bc[4], dt[SELFTEST_OUT];
    kr_matrix     w = { weights, SELFTEST_OUT, SELFTEST_IN, KRAIT_F32 };
    kr_product    product = { &w, bias, x, SELFTEST_IN, NULL, y, SELFTEST_OUT, 1 };
    kr_selective  scan = { a, bias, x, dt, x, SELFTEST_OUT, SELFTEST_OUT, SELFTEST_OUT, bc, bc + 2, 4, h,
                           y + SELFTEST_OUT, SELFTEST_OUT, 1, SELFTEST_OUT, 2 };

    selftest_fill(weights, SELFTEST_IN * SELFTEST_OUT, 1);
    selftest_fill(x, SELFTEST_OUT, 2);
    selftest_fill(bias, SELFTEST_OUT, 3);
    selftest_fill(a, 2 * SELFTEST_OUT, 4);
    selftest_fill(h, 2 * SELFTEST_OUT, 5);
    selftest_fill(bc, 4, 6);
    selftest_fill(dt, SELFTEST_OUT, 7);
    k->product_f32(&product);
    k->activate(dt, SELFTEST_OUT, KR_SOFTPLUS);
    k->selective(&scan);
    k->rms_norm(y + 2 * SELFTEST_OUT, x, bias, 1e-5f, 1, SELFTEST_OUT);
}

int kr_selftest(const kr_kernels *kernels)
{
    float ours[3 * SELFTEST_OUT], plain[3 * SELFTEST_OUT];

    selftest_run(kernels, ours);
    selftest_run(&kr_kernels_plain, plain);
    return selftest_scalar() && selftest_equal(ours, plain, 3 * SELFTEST_OUT);
}
