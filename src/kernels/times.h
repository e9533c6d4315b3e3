/*
 * times.h - numbers of the kernel discretize: exp(x + i y) - 1 and exp(x + i y) in double, of products, sums and
 * quotients alone, so that one and the same text in vectors gives the same bits.
 *
 * x = n ln 2 + r and y = k pi / 2 + f; Taylor's polynomials of exp(r) - 1, sin f and cos f - 1.  The errors are
 * 7.0e-12 of |exp| and 9.1e-12 of |exp - 1|, which is what two floats hold; an angle has the digits that y has.
 */
#ifndef KR_TIMES_H
#define KR_TIMES_H

#include "core/complex.h"

#define KR_TIMES_ROUND   0x1.8p52               /* adding it rounds to an integer, which is in the low bits */
#define KR_TIMES_LOW     -700.0                 /* bounds of x: nothing is infinite as a float */
#define KR_TIMES_HIGH    88.0
#define KR_TIMES_TURN    0x1p45                 /* of |y|: k then has 45 bits */
#define KR_TIMES_LOG2_E  0x1.71547652b82fep+0
#define KR_TIMES_LN2_1   0x1.62e42fee00000p-1   /* 32 bits of ln 2, and the rest */
#define KR_TIMES_LN2_2   0x1.a39ef35793c76p-33
#define KR_TIMES_2_PI    0x1.45f306dc9c883p-1
#define KR_TIMES_PI2_1   0x1.921fb54400000p+0   /* 33 bits of pi / 2, 33 more, and the rest */
#define KR_TIMES_PI2_2   0x1.0b4611a600000p-34
#define KR_TIMES_PI2_3   0x1.3198a2e037073p-69

/* 1 / 10!, ..., 1 / 2!;  -1 / 11!, 1 / 9!, ..., -1 / 3!;  1 / 12!, -1 / 10!, ..., -1 / 2! */
#define KR_TIMES_EXPONENTIAL { 0x1.27e4fb7789f5cp-22, 0x1.71de3a556c734p-19, 0x1.a01a01a01a01ap-16, \
    0x1.a01a01a01a01ap-13, 0x1.6c16c16c16c17p-10, 0x1.1111111111111p-7, 0x1.5555555555555p-5, \
    0x1.5555555555555p-3, 0.5 }
#define KR_TIMES_SINE        { -0x1.ae64567f544e4p-26, 0x1.71de3a556c734p-19, -0x1.a01a01a01a01ap-13, \
    0x1.1111111111111p-7, -0x1.5555555555555p-3 }
#define KR_TIMES_COSINE      { 0x1.1eed8eff8d898p-29, -0x1.27e4fb7789f5cp-22, 0x1.a01a01a01a01ap-16, \
    -0x1.6c16c16c16c17p-10, 0x1.5555555555555p-5, -0.5 }
enum { KR_TIMES_E = 9, KR_TIMES_S = 5, KR_TIMES_C = 6 };

KR_INLINE double kr_times_flush(double x)
{
    return (x < 0 ? -x : x) < (double)KR_TINY ? 0.0 : x;
}

/* What a row multiplies a state with, and that - 1, without loss next to 1. */
typedef struct kr_times_turn { kr_complex a, less; } kr_times_turn;

KR_INLINE kr_times_turn kr_times_exp(double x, double y)
{
    static const double e[KR_TIMES_E] = KR_TIMES_EXPONENTIAL, s[KR_TIMES_S] = KR_TIMES_SINE;
    static const double c[KR_TIMES_C] = KR_TIMES_COSINE;
    double   shifted, n, r, q = e[0], scale, less, size, k, f, square, sine = s[0], below = c[0], cosine, minus;
    uint64_t quarter;

    x = KR_TIMES_HIGH < x ? KR_TIMES_HIGH : x;
    x = KR_TIMES_LOW > x ? KR_TIMES_LOW : x;
    shifted = x * KR_TIMES_LOG2_E + KR_TIMES_ROUND;
    n = shifted - KR_TIMES_ROUND;
    r = (x - n * KR_TIMES_LN2_1) - n * KR_TIMES_LN2_2;
    for (int i = 1; i < KR_TIMES_E; i++)
        q = q * r + e[i];
    q = q * r * r + r;
    scale = kr_double_of((kr_bits_of_double(shifted) << 52) + 0x3ff0000000000000u);
    less = scale * q + (scale - 1.0);
    size = scale * q + scale;

    y = KR_TIMES_TURN < y ? KR_TIMES_TURN : y;
    y = -KR_TIMES_TURN > y ? -KR_TIMES_TURN : y;
    shifted = y * KR_TIMES_2_PI + KR_TIMES_ROUND;
    quarter = kr_bits_of_double(shifted);
    k = shifted - KR_TIMES_ROUND;
    f = ((y - k * KR_TIMES_PI2_1) - k * KR_TIMES_PI2_2) - k * KR_TIMES_PI2_3;
    square = f * f;
    for (int i = 1; i < KR_TIMES_S; i++)
        sine = sine * square + s[i];
    sine = sine * square * f + f;
    for (int i = 1; i < KR_TIMES_C; i++)
        below = below * square + c[i];
    below = below * square;
    cosine = quarter & 1 ? sine : 1.0 + below;
    sine = quarter & 1 ? 1.0 + below : sine;
    cosine = (quarter + 1) & 2 ? -cosine : cosine;
    sine = quarter & 2 ? -sine : sine;
    minus = quarter & 3 ? cosine - 1.0 : below;
    return (kr_times_turn){ { size * cosine, size * sine }, { less * cosine + minus, size * sine } };
}

/* z / (1 - z / 2) is what a is more than 1; by: 1 / (1 - z / 2). */
KR_INLINE kr_times_turn kr_times_bilinear(double x, double y, kr_complex *by)
{
    double     re = 1.0 - 0.5 * x, im = 0.5 * y, square = kr_complex_rounded(re * re) + kr_complex_rounded(im * im);
    kr_complex less;

    *by = kr_complex_of(re / square, im / square);
    less = kr_complex_multiply(kr_complex_of(x, y), *by);
    return (kr_times_turn){ { 1.0 + less.re, less.im }, less };
}

#endif
