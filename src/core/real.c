/* real.c - the double functions of set-up, and the square root. */
#include "core/real.h"

#include <math.h>

float kr_sqrt(float x)
{
    return sqrtf(x);
}

double kr_sqrt_double(double x)
{
    return sqrt(x);
}

double kr_exp(double x)
{
    static const double inverse[] = {       /* 1 / k! for k = 13 down to 0 */
        0x1.6124613a86d09p-33, 0x1.1eed8eff8d898p-29, 0x1.ae64567f544e4p-26,
        0x1.27e4fb7789f5cp-22, 0x1.71de3a556c734p-19, 0x1.a01a01a01a01ap-16,
        0x1.a01a01a01a01ap-13, 0x1.6c16c16c16c17p-10, 0x1.1111111111111p-7,
        0x1.5555555555555p-5,  0x1.5555555555555p-3,  0.5, 1.0, 1.0
    };
    const double round = 0x1.8p52;
    double       n, r, p = 0;

    if (x != x)
        return x;
    if (x > 709.7)
        return HUGE_VAL;
    if (x < -708.0)
        return 0;
    n = (x * 0x1.71547652b82fep+0 + round) - round;
    r = x - n * 0x1.62e42feep-1;            /* 32 bits of ln 2: the product is exact */
    r = r - n * 0x1.a39ef35793c76p-33;
    for (size_t i = 0; i < sizeof inverse / sizeof *inverse; i++)
        p = p * r + inverse[i];
    return p * kr_double_of((uint64_t)((int64_t)n + 1023) << 52);
}
