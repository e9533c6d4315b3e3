/*
 * real.h - the scalar arithmetic that defines every number krait computes.
 *
 * No libm here: its results differ between systems.  Vector kernels do the same operations on
 * many numbers at once and so get the same bits.  docs/numerics.md has the measured errors.
 */
#ifndef KR_REAL_H
#define KR_REAL_H

#include "core/bits.h"

#if !defined(KR_SOFT_FMA) && (defined(__FMA__) || defined(__aarch64__) || defined(__FP_FAST_FMAF))
#define KR_HARD_FMA 1
#else
#define KR_HARD_FMA 0
#endif

/*
 * a * b + c rounded once.  Where the target has no instruction: the product is exact in double,
 * the sum is rounded to odd there (the exact rest of the two-sum tells whether anything was
 * lost), and rounding that to float is then the only rounding that counts.
 */
KR_INLINE float kr_fma_soft(float a, float b, float c)
{
    double   product = (double)a * b, sum = product + c;
    double   part = sum - product, rest = (product - (sum - part)) + (c - part);
    uint64_t bits = kr_bits_of_double(sum);

    if ((rest > 0 || rest < 0) && !(bits & 1))
        bits += (rest > 0) == (sum > 0) ? 1 : (uint64_t)-1;
    return (float)kr_double_of(bits);
}

KR_INLINE float kr_fma(float a, float b, float c)
{
#if KR_HARD_FMA
    return __builtin_fmaf(a, b, c);
#else
    return kr_fma_soft(a, b, c);
#endif
}

/* sqrt is an instruction or correctly rounded in every libm: the one function taken from there. */
float  kr_sqrt(float x);
double kr_sqrt_double(double x);

/* Recurrent values below this become +0, by definition: they would decay into subnormals. */
#define KR_TINY 0x1p-100f

KR_INLINE float kr_flush(float h)
{
    return (h < 0 ? -h : h) < KR_TINY ? 0.0f : h;
}

#define KR_MOST 0x1.fffffep127f

/*
 * A product of decays, never 0 nor infinite: 0 times an infinite state were NaN, where row after row it
 * stays infinite, and so were infinity times a state of 0.  NaN stays.
 */
#define KR_DECAY_LOW 0x1p-126f

KR_INLINE float kr_decay(float p)
{
    float capped = KR_MOST < p ? KR_MOST : p;

    return KR_DECAY_LOW > capped ? KR_DECAY_LOW : capped;
}

/* 'near' down to 0.5, 'far', there or below, where it is less. */
KR_INLINE float kr_nearer(float near, float far)
{
    float kept = (near < 0 ? -near : near) < 0.5f ? 0.0f : near, low = 0.5f < far ? 0.5f : far;

    return low > kept ? low : kept;
}

KR_INLINE float kr_magnitude(float x)
{
    return kr_float_of(kr_bits_of(x) & 0x7fffffffu);
}

/*
 * +0 for x < 0, else x, also where it is -0 or NaN.  In integers: clang 14 for AArch64 makes of
 * the comparison a maximum in which +0 is more than -0.
 */
KR_INLINE float kr_relu(float x)
{
    uint32_t bits = kr_bits_of(x);

    return kr_float_of(bits - 0x80000001u <= 0x7f7fffffu ? 0 : bits);
}

/*
 * exp(x): x = n ln 2 + r, a polynomial of degree 6 in r, times 2^n.  The argument is clamped to
 * [-87, 88.375], so the result is never zero, subnormal or infinite; NaN stays NaN.
 */
#define KR_EXP_LOW   -87.0f
#define KR_EXP_HIGH  88.375f
#define KR_LOG2_E    0x1.715476p+0f
#define KR_LN2_HIGH  0x1.62e400p-1f         /* 15 bits: n times it is exact */
#define KR_LN2_LOW   0x1.7f7d1cp-20f        /* ln 2 - KR_LN2_HIGH */
#define KR_ROUND     12582912.0f            /* 1.5 * 2^23: adding it rounds to an integer */
#define KR_EXP_2     0.4999999403953552f
#define KR_EXP_3     0.1666652113199234f
#define KR_EXP_4     0.041668277233839035f
#define KR_EXP_5     0.008368686772882938f
#define KR_EXP_6     0.0013819823507219553f

KR_INLINE float kr_expf(float x)
{
    float clamped = KR_EXP_HIGH < x ? KR_EXP_HIGH : x;
    float shifted, n, r, p;

    clamped = KR_EXP_LOW > clamped ? KR_EXP_LOW : clamped;
    shifted = kr_fma(clamped, KR_LOG2_E, KR_ROUND);     /* n in the low bits */
    n = shifted - KR_ROUND;
    r = kr_fma(n, -KR_LN2_HIGH, clamped);
    r = kr_fma(n, -KR_LN2_LOW, r);
    p = kr_fma(KR_EXP_6, r, KR_EXP_5);
    p = kr_fma(p, r, KR_EXP_4);
    p = kr_fma(p, r, KR_EXP_3);
    p = kr_fma(p, r, KR_EXP_2);
    p = kr_fma(p, r, 1.0f);
    p = kr_fma(p, r, 1.0f);
    return p * kr_float_of((kr_bits_of(shifted) << 23) + 0x3f800000u);
}

/* 1 / (1 + exp(-x)) */
KR_INLINE float kr_sigmoid(float x)
{
    return 1.0f / (1.0f + kr_expf(-x));
}

/* x sigmoid(x) */
KR_INLINE float kr_silu(float x)
{
    return x / (1.0f + kr_expf(-x));
}

/* log(1 + e) for e in [0, 1], as 2 atanh(e / (2 + e)) */
#define KR_ATANH_1 0.3333320617675781f
#define KR_ATANH_2 0.20010867714881897f
#define KR_ATANH_3 0.13999314606189728f
#define KR_ATANH_4 0.14013350009918213f

KR_INLINE float kr_log1p_unit(float e)
{
    float s = e / (2.0f + e), z = s * s, p;

    p = kr_fma(KR_ATANH_4, z, KR_ATANH_3);
    p = kr_fma(p, z, KR_ATANH_2);
    p = kr_fma(p, z, KR_ATANH_1);
    p = p * z;
    s = s + s;
    return kr_fma(s, p, s);
}

/* log(1 + exp(x)), for any x: max(x, 0) + log1p(exp(-|x|)) */
KR_INLINE float kr_softplus(float x)
{
    float magnitude = x < 0 ? -x : x;

    return kr_relu(x) + kr_log1p_unit(kr_expf(-magnitude));
}

/*
 * tanh(x) = -m / (2 + m) where m = exp(-2 |x|) - 1 = 2^n (exp(r) - 1) + (2^n - 1): accurate next
 * to zero, too.  Beyond 10 it is 1.
 */
#define KR_TANH_HIGH 10.0f

KR_INLINE float kr_tanh(float x)
{
    float a = kr_magnitude(x), shifted, n, r, p, power, m;

    a = -2.0f * (KR_TANH_HIGH < a ? KR_TANH_HIGH : a);
    shifted = kr_fma(a, KR_LOG2_E, KR_ROUND);
    n = shifted - KR_ROUND;
    r = kr_fma(n, -KR_LN2_HIGH, a);
    r = kr_fma(n, -KR_LN2_LOW, r);
    p = kr_fma(KR_EXP_6, r, KR_EXP_5);
    p = kr_fma(p, r, KR_EXP_4);
    p = kr_fma(p, r, KR_EXP_3);
    p = kr_fma(p, r, KR_EXP_2);
    p = kr_fma(r * r, p, r);
    power = kr_float_of((kr_bits_of(shifted) << 23) + 0x3f800000u);
    m = kr_fma(power, p, power - 1.0f);
    m = kr_magnitude(m) / (2.0f + m);
    return kr_float_of(kr_bits_of(m) | (kr_bits_of(x) & 0x80000000u));
}

/*
 * x Phi(x) = max(x, 0) - |x| Phi(-|x|), and Phi(-a) = exp(-a^2 / 2) P(a) / Q(a), where all
 * coefficients are positive and nothing cancels.  a^2 is taken with its rounding error.  The
 * exponential is flushed, so that far below zero it is +0 and not a subnormal number.
 */
#define KR_GELU_HIGH 12.0f
#define KR_PHI_P0 0.5f
#define KR_PHI_P1 0.432428177536f
#define KR_PHI_P2 0.178915836546f
#define KR_PHI_P3 0.0391839013426f
#define KR_PHI_P4 0.00390274665207f
#define KR_PHI_Q1 1.66274120374f
#define KR_PHI_Q2 1.18450380396f
#define KR_PHI_Q3 0.458071749177f
#define KR_PHI_Q4 0.0982281577971f
#define KR_PHI_Q5 0.00978255773066f

KR_INLINE float kr_gelu(float x)
{
    float a = kr_magnitude(x), square, rest, e, p, q;

    a = KR_GELU_HIGH < a ? KR_GELU_HIGH : a;
    square = a * a;
    rest = kr_fma(a, a, -square);
    e = kr_expf(-0.5f * square);
    e = kr_flush(kr_fma(e, -0.5f * rest, e));
    p = kr_fma(KR_PHI_P4, a, KR_PHI_P3);
    p = kr_fma(p, a, KR_PHI_P2);
    p = kr_fma(p, a, KR_PHI_P1);
    p = kr_fma(p, a, KR_PHI_P0);
    q = kr_fma(KR_PHI_Q5, a, KR_PHI_Q4);
    q = kr_fma(q, a, KR_PHI_Q3);
    q = kr_fma(q, a, KR_PHI_Q2);
    q = kr_fma(q, a, KR_PHI_Q1);
    q = kr_fma(q, a, 1.0f);
    return kr_fma(-e, a * p / q, kr_relu(x));
}

/*
 * 0.5 x (1 + tanh(u)) = x / (1 + exp(-2 u)) with 2 u = x (A + B x^2), in the same form:
 * max(x, 0) - |x| e / (1 + e) with e = exp(-|2 u|), flushed.
 */
#define KR_GELU_A 1.5957691216057308f       /* 2 sqrt(2 / pi) */
#define KR_GELU_B 0.07135481282548254f      /* 0.044715 times it */

KR_INLINE float kr_gelu_tanh(float x)
{
    float a = kr_magnitude(x), e;

    a = KR_GELU_HIGH < a ? KR_GELU_HIGH : a;
    e = kr_flush(kr_expf(-a * kr_fma(KR_GELU_B, a * a, KR_GELU_A)));
    return kr_fma(-e, a / (1.0f + e), kr_relu(x));
}

/* exp in double for setting up, of products and sums alone: any machine, the same bits. */
double kr_exp(double x);

#endif
