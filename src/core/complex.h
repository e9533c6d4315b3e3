/*
 * complex.h - complex numbers in double, for setting up.
 *
 * A pair and no type of C: how a compiler multiplies and divides that is its own affair.
 */
#ifndef KR_COMPLEX_H
#define KR_COMPLEX_H

#include "core/double.h"
#include "core/real.h"

typedef struct kr_complex {
    double re, im;
} kr_complex;

KR_INLINE kr_complex kr_complex_of(double re, double im)
{
    kr_complex z = { re, im };

    return z;
}

KR_INLINE kr_complex kr_complex_add(kr_complex a, kr_complex b)
{
    return kr_complex_of(a.re + b.re, a.im + b.im);
}

KR_INLINE kr_complex kr_complex_subtract(kr_complex a, kr_complex b)
{
    return kr_complex_of(a.re - b.re, a.im - b.im);
}

/*
 * A product that is rounded before it is added to: of vectors of complex products gcc 12 makes
 * fmaddsub where the machine has it, whatever -ffp-contract says.
 */
KR_INLINE double kr_complex_rounded(double product)
{
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("" : "+m"(product));
#endif
    return product;
}

KR_INLINE kr_complex kr_complex_multiply(kr_complex a, kr_complex b)
{
    double re = kr_complex_rounded(a.re * b.re), im = kr_complex_rounded(a.re * b.im);

    return kr_complex_of(re - kr_complex_rounded(a.im * b.im),
                         im + kr_complex_rounded(a.im * b.re));
}

KR_INLINE kr_complex kr_complex_scale(kr_complex a, double by)
{
    return kr_complex_of(a.re * by, a.im * by);
}

KR_INLINE kr_complex kr_complex_conjugate(kr_complex a)
{
    return kr_complex_of(a.re, -a.im);
}

/* |re| + |im|: between |z| and 1.42 |z|, for comparing sizes. */
KR_INLINE double kr_complex_size(kr_complex a)
{
    return kr_magnitude_double(a.re) + kr_magnitude_double(a.im);
}

/* |z|^2; may overflow or vanish. */
KR_INLINE double kr_complex_square(kr_complex a)
{
    return a.re * a.re + a.im * a.im;
}

double     kr_complex_magnitude(kr_complex a);
/* Right wherever the quotient is a normal number; by zero NaN. */
kr_complex kr_complex_divide(kr_complex a, kr_complex b);
kr_complex kr_complex_sqrt(kr_complex a);       /* the root with re >= 0 */
kr_complex kr_complex_exp(kr_complex z);
/* exp(z) - 1, accurate as a whole next to every multiple of 2 pi i. */
kr_complex kr_complex_expm1(kr_complex z);
/* (exp(z) - 1) / z, 1 at zero: what holding an input for one step does to a state. */
kr_complex kr_complex_exprel(kr_complex z);
/* a^n by squaring: a^0 = 1. */
kr_complex kr_complex_power(kr_complex a, uint64_t n);

#endif
