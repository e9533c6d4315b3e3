/*
 * hash.h - one 64-bit hash for model ids, weights, states and the checksum of saved forms.
 *
 * Of values, not of memory: words go in as numbers, so every machine gets the same result.
 * Each word is mixed by a multiplication and a shift; it finds damage and differences, it is
 * no defence against somebody who looks for collisions.
 */
#ifndef KR_HASH_H
#define KR_HASH_H

#include "core/bits.h"

#define KR_HASH_START 0x6b72616974303031ull     /* "krait001" */

KR_INLINE uint64_t kr_hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
    return hash ^ hash >> 29;
}

/* Bytes as little-endian words, then their count. */
KR_INLINE uint64_t kr_hash_bytes(uint64_t hash, const void *bytes, size_t count)
{
    const unsigned char *p = bytes;
    size_t               i;

    for (i = 0; i + 8 <= count; i += 8)
        hash = kr_hash_word(hash, (uint64_t)kr_load_u32(p + i) | (uint64_t)kr_load_u32(p + i + 4) << 32);
    if (i < count) {
        uint64_t word = 0;

        for (; i < count; i++)
            word |= (uint64_t)p[i] << 8 * (i % 8);
        hash = kr_hash_word(hash, word);
    }
    return kr_hash_word(hash, count);
}

KR_INLINE uint64_t kr_hash_text(uint64_t hash, const char *text)
{
    return kr_hash_bytes(hash, text, strlen(text));
}

/* Floats by value, every NaN the same. */
KR_INLINE uint64_t kr_hash_floats(uint64_t hash, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = kr_hash_word(hash, kr_canonical_bits(x[i]));
    return hash;
}

#endif
