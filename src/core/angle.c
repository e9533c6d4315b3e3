/*
 * angle.c - sine and cosine in double of any angle.
 *
 * The angle is reduced exactly: x = m 2^e with m of 53 bits, and of the bits of 2 / pi only the
 * 192 matter that give m (2 / pi) 2^e modulo 4 to 2^-137.  No double is nearer than 2^-61 to a
 * multiple of pi / 2, relative to pi / 2, so 70 bits of the rest are always right.
 */
#include <math.h>

#include "core/double.h"

enum { WORDS = 6 };             /* of 32 bits, the lowest first */

/* The fraction's bits of 2 / pi behind 64 zeros, for angles of which none may be left out. */
static const uint32_t two_over_pi[] = {
    0x00000000, 0x00000000, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041,
    0xfe5163ab, 0xdebbc561, 0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e,
    0xe88235f5, 0x2ebb4484, 0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4, 0x9c845f8b, 0xbdf9283b,
    0x1ff897ff, 0xde05980f, 0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d,
    0x7527bac7, 0xebe5f17b, 0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046
};

#define HALF_PI      0x1.921fb54442d18p+0
#define HALF_PI_REST 0x1.1a62633145c07p-54

/* m 2^e 2 / pi modulo 4, in units of 2^-190. */
static void turn_quarters(uint64_t m, int e, uint32_t out[WORDS])
{
    unsigned skip = (unsigned)(e + 62), shift = skip % 32;
    uint64_t sum = 0, carry = 0, word[WORDS];

    for (unsigned i = 0; i < WORDS; i++) {
        const uint32_t *at = two_over_pi + skip / 32 + (WORDS - 1 - i);

        word[i] = shift ? at[0] << shift | at[1] >> (32 - shift) : at[0];
        sum = word[i] * (m & 0xffffffffu) + (sum >> 32);
        out[i] = (uint32_t)sum;
    }
    for (unsigned i = 1; i < WORDS; i++) {
        carry += word[i - 1] * (m >> 32) + out[i];
        out[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* The angle's distance from the nearest multiple of pi / 2 as two doubles; which one, modulo 4. */
static unsigned reduce_angle(double x, double *r, double *rest)
{
    uint64_t bits = kr_bits_of_double(x), top = 0, next;
    int      e = (int)(bits >> 52 & 0x7ff) - 1075, negative, exponent = 2, left;
    uint32_t q[WORDS];
    unsigned quarter;
    double   high, low, a, b;

    turn_quarters((bits & 0xfffffffffffffu) | (uint64_t)1 << 52, e, q);
    quarter = q[WORDS - 1] >> 30;
    negative = q[WORDS - 1] >> 29 & 1;
    quarter += (unsigned)negative;
    q[WORDS - 1] = negative ? q[WORDS - 1] | 0xc0000000u : q[WORDS - 1] & 0x3fffffffu;
    if (negative)
        for (unsigned i = 0, carry = 1; i < WORDS; i++) {
            q[i] = ~q[i] + carry;
            carry = carry && q[i] == 0;
        }
    for (left = WORDS - 1; left > 2 && q[left] == 0; left--)
        exponent -= 32;
    top = (uint64_t)q[left] << 32 | q[left - 1];
    next = (uint64_t)q[left - 2] << 32 | (left > 2 ? q[left - 3] : 0);
    for (; top != 0 && !(top >> 63); exponent--) {
        top = top << 1 | next >> 63;
        next <<= 1;
    }
    high = kr_scale_double((double)(top >> 11), exponent - 53);
    low = kr_scale_double((double)((top & 0x7ff) << 42 | next >> 22), exponent - 106);
    /* The product with pi / 2, exact but for its last bits: halves of 26 bits. */
    a = high * 134217729.0;
    a = a - (a - high);
    b = 0x1.921fb5p+0;
    *r = high * HALF_PI;
    *rest = ((a * b - *r) + a * (HALF_PI - b) + (high - a) * b) + (high - a) * (HALF_PI - b);
    *rest += high * HALF_PI_REST + low * HALF_PI;
    if (negative) {
        *r = -*r;
        *rest = -*rest;
    }
    return quarter & 3;
}

/* Taylor's polynomials to the powers 17 and 16, |r| <= pi / 4. */
static double sine_near_zero(double r, double rest)
{
    double z = r * r, p = 0;

    for (int i = 17; i >= 5; i -= 2)
        p = (1 + p) * (-z / (i * (i - 1)));
    return r + (r * z * ((1 + p) * -0x1.5555555555555p-3) + rest * (1 - 0.5 * z));
}

static double cosine_near_zero(double r, double rest)
{
    double z = r * r, p = 0, half = 0.5 * z, first = 1 - half;

    for (int i = 18; i >= 6; i -= 2)
        p = (1 + p) * (-z / (i * (i - 1)));
    return first + (((1 - first) - half) + (z * z * ((1 + p) * (1.0 / 24)) - r * rest));
}

void kr_sin_cos(double x, double *sine, double *cosine)
{
    double   r = kr_magnitude_double(x), rest = 0, s, c;
    unsigned quarter = 0;

    if (!(r <= DBL_MAX)) {
        *sine = *cosine = (double)NAN;
        return;
    }
    if (r > 0.78539816339744830)
        quarter = reduce_angle(r, &r, &rest);
    s = sine_near_zero(r, rest);
    c = cosine_near_zero(r, rest);
    *sine = quarter == 0 ? s : quarter == 1 ? c : quarter == 2 ? -s : -c;
    *cosine = quarter == 0 ? c : quarter == 1 ? -s : quarter == 2 ? -c : s;
    if (kr_bits_of_double(x) >> 63)
        *sine = -*sine;
}
