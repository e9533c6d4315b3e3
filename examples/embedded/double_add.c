/*
 * double_add.c - sums of doubles for a Cortex-M without an instruction for them.
 *
 * libgcc's (gcc 12, ieee754-df.S) rounds wrongly where exponents are 33 apart and the difference falls below the
 * larger one's power of two: 1.0 - 0x1.8d8b83ff65a98p-33 is one unit off.  krait's self-test sees that, and no model
 * opens.  The linker puts these in its place: -Wl,--wrap=__aeabi_dadd,--wrap=__aeabi_dsub,--wrap=__aeabi_drsub.
 */
#include <stdint.h>

#define SIGN      0x8000000000000000u
#define INFINITE  0x7ff0000000000000u
#define QUIET_NAN 0x7ff8000000000000u

uint64_t __wrap___aeabi_dadd(uint64_t a, uint64_t b);
uint64_t __wrap___aeabi_dsub(uint64_t a, uint64_t b);
uint64_t __wrap___aeabi_drsub(uint64_t a, uint64_t b);

/* Three more bits below: two, and whether anything else was lost. */
static uint64_t mantissa(uint64_t x)
{
    uint64_t fraction = x & 0x000fffffffffffffu;

    return (x & INFINITE ? fraction | 0x0010000000000000u : fraction) << 3;
}

static uint64_t rounded(uint64_t sign, unsigned exponent, uint64_t m)
{
    unsigned below = m & 7;

    m = ((uint64_t)(exponent - 1) << 52) + (m >> 3);    /* the leading bit is in the exponent, or there is none */
    m += below > 4 || (below == 4 && (m & 1));
    return sign | (m < INFINITE ? m : INFINITE);
}

uint64_t __wrap___aeabi_dadd(uint64_t a, uint64_t b)
{
    uint64_t x = a & ~SIGN, y = b & ~SIGN, m, less, sign;
    unsigned exponent, apart;

    if (x < y) {
        uint64_t kept = a;

        a = b, b = kept;
        kept = x, x = y, y = kept;
    }
    sign = a & SIGN;
    if (x > INFINITE)
        return a | QUIET_NAN;
    if (x == INFINITE)
        return y == INFINITE && sign != (b & SIGN) ? QUIET_NAN : a;
    if (x == y && sign != (b & SIGN))
        return 0;
    if (y == 0)
        return a;
    exponent = x >> 52 ? (unsigned)(x >> 52) : 1;
    apart = exponent - (y >> 52 ? (unsigned)(y >> 52) : 1);
    m = mantissa(x), less = mantissa(y);
    if (apart > 0)
        less = apart > 60 ? 1 : less >> apart | ((less & (((uint64_t)1 << apart) - 1)) != 0);
    m = sign == (b & SIGN) ? m + less : m - less;
    if (m >> 56) {
        m = m >> 1 | (m & 1);
        exponent++;
    }
    while (!(m >> 55) && exponent > 1) {
        m <<= 1;
        exponent--;
    }
    return rounded(sign, exponent, m);
}

uint64_t __wrap___aeabi_dsub(uint64_t a, uint64_t b)
{
    return __wrap___aeabi_dadd(a, b ^ SIGN);
}

uint64_t __wrap___aeabi_drsub(uint64_t a, uint64_t b)
{
    return __wrap___aeabi_dadd(b, a ^ SIGN);
}
