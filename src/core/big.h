/*
 * big.h - non-negative integers of a bounded size, for decimal numbers to be exact.
 *
 * Nothing is checked here.  The largest number that core/number.c makes, 10^801 * 2^126 or
 * 5^1131 with as much, has 88 words.
 */
#ifndef KR_BIG_H
#define KR_BIG_H

#include "core/build.h"

enum { KR_BIG_WORDS = 100 };

/* Words of 32 bits, the lowest first, none of the highest zero. */
typedef struct kr_big {
    int      count;
    uint32_t word[KR_BIG_WORDS];
} kr_big;

KR_INLINE int kr_bit_length(uint64_t x)
{
    int n = 0;

    for (; x; x >>= 1)
        n++;
    return n;
}

void     kr_big_start(kr_big *b, uint64_t value);
/* b = b * factor + more */
void     kr_big_scale(kr_big *b, uint32_t factor, uint32_t more);
void     kr_big_times_5(kr_big *b, int power);
void     kr_big_shift(kr_big *b, int bits);
/* b = b / 10^9; returns the remainder. */
uint32_t kr_big_take_9_digits(kr_big *b);
/*
 * num / den = q * 2^exponent, q of 63 or 64 bits and cut off; 'more' says whether anything was.
 * Neither is 0; both are destroyed.
 */
uint64_t kr_big_divide(kr_big *num, kr_big *den, int *exponent, int *more);

#endif
