/* big.c - schoolbook methods: numbers here have at most some eighty words. */
#include "core/big.h"

#include <string.h>

static int big_bits(const kr_big *b)
{
    return b->count ? 32 * (b->count - 1) + kr_bit_length(b->word[b->count - 1]) : 0;
}

void kr_big_start(kr_big *b, uint64_t value)
{
    b->count = 0;
    for (; value; value >>= 32)
        b->word[b->count++] = (uint32_t)value;
}

void kr_big_scale(kr_big *b, uint32_t factor, uint32_t more)
{
    uint64_t carry = more;

    for (int i = 0; i < b->count; i++) {
        carry += (uint64_t)b->word[i] * factor;
        b->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry)
        b->word[b->count++] = (uint32_t)carry;
}

void kr_big_times_5(kr_big *b, int power)
{
    for (; power >= 13; power -= 13)
        kr_big_scale(b, 1220703125u, 0);
    while (power-- > 0)
        kr_big_scale(b, 5, 0);
}

void kr_big_shift(kr_big *b, int bits)
{
    int words = bits / 32, rest = bits % 32;

    if (b->count == 0)
        return;
    if (rest)
        kr_big_scale(b, (uint32_t)1 << rest, 0);
    memmove(b->word + words, b->word, (size_t)b->count * sizeof b->word[0]);
    memset(b->word, 0, (size_t)words * sizeof b->word[0]);
    b->count += words;
}

uint32_t kr_big_take_9_digits(kr_big *b)
{
    uint64_t rest = 0;

    for (int i = b->count; i-- > 0;) {
        rest = rest << 32 | b->word[i];
        b->word[i] = (uint32_t)(rest / 1000000000u);
        rest %= 1000000000u;
    }
    while (b->count && b->word[b->count - 1] == 0)
        b->count--;
    return (uint32_t)rest;
}

/*
 * One word of a quotient: at[0..n] -= q * by[0..n), q as large as possible.  by's highest bit
 * is set, so the estimate from the highest words is at most 2 too large.
 */
static uint32_t big_divide_step(uint32_t *at, const kr_big *by)
{
    int      n = by->count;
    uint64_t top = (uint64_t)at[n] << 32 | at[n - 1], q = top / by->word[n - 1];
    uint64_t carry = 0, borrow = 0;

    if (q > UINT32_MAX)
        q = UINT32_MAX;
    for (int i = 0; i <= n; i++) {
        carry += i < n ? q * by->word[i] : 0;
        borrow = (uint64_t)at[i] - (uint32_t)carry - borrow;
        at[i] = (uint32_t)borrow;
        borrow = borrow >> 63;
        carry >>= 32;
    }
    while (borrow) {
        uint64_t sum = 0;

        for (int i = 0; i <= n; i++) {
            sum += (uint64_t)at[i] + (i < n ? by->word[i] : 0);
            at[i] = (uint32_t)sum;
            sum >>= 32;
        }
        borrow -= sum;          /* the carry out of the top cancels it */
        q--;
    }
    return (uint32_t)q;
}

uint64_t kr_big_divide(kr_big *num, kr_big *den, int *exponent, int *more)
{
    int      up = (32 - big_bits(den) % 32) % 32, n, shift;
    uint64_t q;

    kr_big_shift(den, up);
    shift = big_bits(den) + 63 - big_bits(num);
    if (shift < 0) {
        int words = (31 - shift) / 32;

        kr_big_shift(den, 32 * words);
        up += 32 * words;
        shift += 32 * words;
    }
    kr_big_shift(num, shift);
    n = den->count;
    while (num->count < n + 2)
        num->word[num->count++] = 0;
    q = (uint64_t)big_divide_step(num->word + 1, den) << 32;
    q |= big_divide_step(num->word, den);
    *more = 0;
    for (int i = 0; i < n; i++)
        *more |= num->word[i] != 0;
    *exponent = up - shift;
    return q;
}
