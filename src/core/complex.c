/* complex.c - division, roots and exponentials of complex numbers. */
#include "core/complex.h"

/* The power of two at or below the larger part's magnitude, and z divided by it. */
static int split_exponent(kr_complex *z)
{
    double   a = kr_magnitude_double(z->re), b = kr_magnitude_double(z->im), most = a > b ? a : b;
    int      k = 0;

    if (!(most > 0) || most > DBL_MAX)
        return 0;
    if (most < 0x1p-1022) {
        z->re *= 0x1p54;
        z->im *= 0x1p54;
        most *= 0x1p54;
        k = -54;
    }
    k += (int)(kr_bits_of_double(most) >> 52) - 1023;
    most = kr_double_of(kr_bits_of_double(most) & 0x7ff0000000000000u);
    z->re /= most;
    z->im /= most;
    return k;
}

double kr_complex_magnitude(kr_complex a)
{
    int k = split_exponent(&a);

    return kr_scale_double(kr_sqrt_double(kr_complex_square(a)), k);
}

kr_complex kr_complex_divide(kr_complex a, kr_complex b)
{
    int        k = split_exponent(&a) - split_exponent(&b);
    double     square = kr_complex_square(b);
    kr_complex q = kr_complex_multiply(a, kr_complex_conjugate(b));

    return kr_complex_of(kr_scale_double(q.re / square, k), kr_scale_double(q.im / square, k));
}

kr_complex kr_complex_sqrt(kr_complex a)
{
    int    k = split_exponent(&a), odd = k & 1;
    double large, small;

    if (!(kr_complex_size(a) > 0))
        return a;
    if (odd)
        a = kr_complex_scale(a, 2);
    large = kr_sqrt_double(0.5 * (kr_sqrt_double(kr_complex_square(a)) + kr_magnitude_double(a.re)));
    small = 0.5 * kr_magnitude_double(a.im) / large;
    k = (k - odd) / 2;
    large = kr_scale_double(large, k);
    small = kr_scale_double(small, k);
    if (a.re < 0)
        return kr_complex_of(small, a.im < 0 ? -large : large);
    return kr_complex_of(large, a.im < 0 ? -small : small);
}

kr_complex kr_complex_exp(kr_complex z)
{
    double size = kr_exp(z.re), sine, cosine;

    kr_sin_cos(z.im, &sine, &cosine);
    return kr_complex_of(size * cosine, size * sine);
}

kr_complex kr_complex_expm1(kr_complex z)
{
    double less = kr_expm1(z.re), sine, cosine, half, unused;

    kr_sin_cos(z.im, &sine, &cosine);
    kr_sin_cos(0.5 * z.im, &half, &unused);
    return kr_complex_of(less * cosine - 2 * half * half, (less + 1) * sine);
}

kr_complex kr_complex_exprel(kr_complex z)
{
    if (!(kr_complex_size(z) > 0) && z.re == z.re && z.im == z.im)
        return kr_complex_of(1, 0);
    return kr_complex_divide(kr_complex_expm1(z), z);
}

kr_complex kr_complex_power(kr_complex a, uint64_t n)
{
    kr_complex power = kr_complex_of(1, 0);

    for (; n; n >>= 1, a = kr_complex_multiply(a, a))
        if (n & 1)
            power = kr_complex_multiply(power, a);
    return power;
}
