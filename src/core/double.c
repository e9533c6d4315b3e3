/* double.c - exponentials and logarithms in double. */
#include "core/double.h"

#include <math.h>

#include "core/real.h"

#define LN2_HIGH 0x1.62e42feep-1            /* 32 bits: a multiple up to 2^21 is exact */
#define LN2_LOW  0x1.a39ef35793c76p-33

/*
 * x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); log(1 + f) = 2 atanh(s), s = f / (2 + f),
 * written as f - f^2/2 + s (f^2/2 + R) so that the largest term is exact.
 */
double kr_log(double x)
{
    int      k = 0;
    uint64_t bits;
    double   f, s, z, half, r = 0;

    if (x != x || x < 0)
        return (double)NAN;
    if (x < 0x1p-1022) {
        if (x <= 0)
            return -HUGE_VAL;
        x *= 0x1p54;
        k = -54;
    }
    if (x > DBL_MAX)
        return x;
    bits = kr_bits_of_double(x);
    k += (int)(bits >> 52) - 1023;
    x = kr_double_of((bits & 0xfffffffffffffu) | (uint64_t)1023 << 52);
    if (x > 1.4142135623730951) {
        x *= 0.5;
        k++;
    }
    f = x - 1;
    s = f / (2 + f);
    z = s * s;
    for (int i = 23; i >= 3; i -= 2)        /* z is below 0.0295: the next is lost */
        r = (r + 2.0 / i) * z;
    half = 0.5 * f * f;
    return k * LN2_HIGH - ((half - (s * (half + r) + k * LN2_LOW)) - f);
}

double kr_log1p(double x)
{
    double u = 1 + x, rest;

    if (!(u > 0) || u > DBL_MAX)
        return kr_log(u);
    rest = x < 1 ? x - (u - 1) : 1 - (u - x);       /* what 1 + x lost */
    return kr_log(u) + rest / u;
}

/* x = n ln 2 + r + rest; exp(r) - 1 by Taylor's polynomial, then 2^n times it and 2^n - 1. */
double kr_expm1(double x)
{
    double n, high, low, r, rest, p = 0, power;

    if (x != x || x > 40)
        return kr_exp(x);
    if (x < -40)
        return -1;
    n = (x * 0x1.71547652b82fep+0 + 0x1.8p52) - 0x1.8p52;
    high = x - n * LN2_HIGH;
    low = n * LN2_LOW;
    r = high - low;
    rest = (high - r) - low;
    for (int i = 15; i >= 3; i--)
        p = (p + 1) * (r / i);
    p = 0.5 * r * r * (p + 1);
    p = r + (p + (rest + rest * r));
    if (!(n > 0 || n < 0))
        return p;
    power = kr_double_of((uint64_t)((int64_t)n + 1023) << 52);
    return power * p + (power - 1);
}

double kr_sinh(double x)
{
    double a = kr_magnitude_double(x), e, y;

    if (x != x)
        return x;
    if (a > 709) {                  /* exp may be infinite where half of it is not */
        y = kr_exp(0.5 * a);
        y = 0.5 * y * y;
    } else if (a > 40) {
        y = 0.5 * kr_exp(a);
    } else {
        e = kr_expm1(a);
        y = 0.5 * (e + e / (e + 1));
    }
    return x < 0 ? -y : x > 0 ? y : x;
}
