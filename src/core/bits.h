/* bits.h - floats as bits, 16-bit floats, little-endian bytes. */
#ifndef KR_BITS_H
#define KR_BITS_H

#include <string.h>

#include "core/build.h"

KR_INLINE uint32_t kr_bits_of(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

KR_INLINE float kr_float_of(uint32_t u)
{
    float x;

    memcpy(&x, &u, sizeof x);
    return x;
}

KR_INLINE uint64_t kr_bits_of_double(double x)
{
    uint64_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

KR_INLINE double kr_double_of(uint64_t u)
{
    double x;

    memcpy(&x, &u, sizeof x);
    return x;
}

/* IEEE binary16 -> binary32, exact; NaN payloads are kept, quieted as hardware does. */
KR_INLINE float kr_float_of_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = h & 0x7fffu;

    if (rest >= 0x7c00u)        /* infinity, NaN */
        return kr_float_of(sign | 0x7f800000u | (rest & 0x3ffu) << 13 | (rest > 0x7c00u ? 0x400000u : 0));
    if (rest >= 0x400u)         /* normal: rebias the exponent by 112 */
        return kr_float_of(sign | ((rest << 13) + 0x38000000u));
    return kr_float_of(sign | kr_bits_of((float)rest * 0x1p-24f));
}

/* binary32 -> binary16, round to nearest even; one canonical NaN. */
KR_INLINE uint16_t kr_half_of_float(float x)
{
    uint32_t u = kr_bits_of(x), sign = u >> 16 & 0x8000u, rest = u & 0x7fffffffu;

    if (rest > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (rest >= 0x477ff000u)    /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (rest < 0x38800000u) {   /* below 2^-14: adding 0.5 leaves the rounded multiple of 2^-24 */
        float shifted = kr_float_of(rest) + 0.5f;

        return (uint16_t)(sign | (kr_bits_of(shifted) - 0x3f000000u));
    }
    rest += 0xc8000fffu + (rest >> 13 & 1);     /* rebias, round to even */
    return (uint16_t)(sign | rest >> 13);
}

KR_INLINE float kr_float_of_bfloat(uint16_t b)
{
    return kr_float_of((uint32_t)b << 16);
}

/* binary32 -> bfloat16, round to nearest even; NaN stays NaN. */
KR_INLINE uint16_t kr_bfloat_of_float(float x)
{
    uint32_t u = kr_bits_of(x);

    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 0x40u);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

KR_INLINE uint16_t kr_load_u16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

KR_INLINE uint32_t kr_load_u32(const unsigned char *p)
{
    return (uint32_t)kr_load_u16(p) | (uint32_t)kr_load_u16(p + 2) << 16;
}

KR_INLINE void kr_store_u16(unsigned char *p, uint16_t v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
}

KR_INLINE void kr_store_u32(unsigned char *p, uint32_t v)
{
    kr_store_u16(p, (uint16_t)v);
    kr_store_u16(p + 2, (uint16_t)(v >> 16));
}

KR_INLINE void kr_store_u64(unsigned char *p, uint64_t v)
{
    kr_store_u32(p, (uint32_t)v);
    kr_store_u32(p + 4, (uint32_t)(v >> 32));
}

/* Every NaN as one NaN: hashes and saved states. */
KR_INLINE uint32_t kr_canonical_bits(float x)
{
    return x != x ? 0x7fc00000u : kr_bits_of(x);
}

#endif
