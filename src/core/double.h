/*
 * double.h - functions in double for setting up: logarithms, angles, and what stays accurate
 * next to zero.
 *
 * Products, sums and divisions alone, no libm: any machine, the same bits.  kr_exp is in real.h.
 * docs/numerics.md has the measured errors.
 */
#ifndef KR_DOUBLE_H
#define KR_DOUBLE_H

#include "core/bits.h"

/* Any argument: NaN stays NaN; of a negative number NaN, of 0 -infinity. */
double kr_log(double x);
/* log(1 + x) */
double kr_log1p(double x);
/* exp(x) - 1 */
double kr_expm1(double x);
double kr_sinh(double x);
/* Both at once, of an angle of any size: NaN for NaN and infinity. */
void   kr_sin_cos(double x, double *sine, double *cosine);

KR_INLINE double kr_magnitude_double(double x)
{
    return kr_double_of(kr_bits_of_double(x) & 0x7fffffffffffffffu);
}

/* x 2^k; a subnormal result may be rounded twice. */
KR_INLINE double kr_scale_double(double x, int k)
{
    k = k > 2200 ? 2200 : k < -2200 ? -2200 : k;
    for (; k > 1000; k -= 1000)
        x *= 0x1p1000;
    for (; k < -1000; k += 1000)
        x *= 0x1p-1000;
    return x * kr_double_of((uint64_t)(1023 + k) << 52);
}

#endif
