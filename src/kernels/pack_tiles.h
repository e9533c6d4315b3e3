/*
 * pack_tiles.h - squares of numbers turned over in registers: row-major tensors become panels so.
 *
 * Only bytes move, so that the order of bytes and the type of numbers mean nothing here.  GNU C's vectors
 * are compiled to what each machine has; without them the same squares are turned by single words.
 */
#ifndef KR_PACK_TILES_H
#define KR_PACK_TILES_H

#include <string.h>

#include "core/build.h"

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define KR_TILES_VECTORS 1
#endif
#endif

#ifdef KR_TILES_VECTORS

typedef uint32_t kr_tiles_words __attribute__((vector_size(16)));
typedef uint16_t kr_tiles_halves __attribute__((vector_size(16)));

/* 4 words each of 4 rows, 'from' bytes apart, to 4 rows 'to' words apart, with 'flip' in every word. */
KR_INLINE void kr_tiles_turn4(uint32_t *to, size_t to_stride, const unsigned char *rows, size_t stride, uint32_t flip)
{
    kr_tiles_words in[4], half[4], out[4], mask = { flip, flip, flip, flip };

    KR_UNROLL
    for (size_t i = 0; i < 4; i++) {
        memcpy(&in[i], rows + i * stride, 16);
        in[i] ^= mask;
    }
    half[0] = __builtin_shufflevector(in[0], in[1], 0, 4, 1, 5);
    half[1] = __builtin_shufflevector(in[2], in[3], 0, 4, 1, 5);
    half[2] = __builtin_shufflevector(in[0], in[1], 2, 6, 3, 7);
    half[3] = __builtin_shufflevector(in[2], in[3], 2, 6, 3, 7);
    out[0] = __builtin_shufflevector(half[0], half[1], 0, 1, 4, 5);
    out[1] = __builtin_shufflevector(half[0], half[1], 2, 3, 6, 7);
    out[2] = __builtin_shufflevector(half[2], half[3], 0, 1, 4, 5);
    out[3] = __builtin_shufflevector(half[2], half[3], 2, 3, 6, 7);
    KR_UNROLL
    for (size_t i = 0; i < 4; i++)
        memcpy(to + i * to_stride, &out[i], 16);
}

/* 8 halves of words each of 8 rows, likewise. */
KR_INLINE void kr_tiles_turn8(uint16_t *to, size_t to_stride, const unsigned char *rows, size_t stride)
{
    kr_tiles_halves in[8], pairs[8];
    kr_tiles_words  p[8], q[8];

    KR_UNROLL
    for (size_t i = 0; i < 8; i++)
        memcpy(&in[i], rows + i * stride, 16);
    KR_UNROLL
    for (size_t i = 0; i < 4; i++) {        /* pairs of rows side by side: columns 0..3, then 4..7 */
        pairs[i] = __builtin_shufflevector(in[2 * i], in[2 * i + 1], 0, 8, 1, 9, 2, 10, 3, 11);
        pairs[4 + i] = __builtin_shufflevector(in[2 * i], in[2 * i + 1], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    memcpy(p, pairs, sizeof p);
    KR_UNROLL
    for (size_t i = 0; i < 8; i += 2) {     /* fours of rows: two columns each */
        q[i] = __builtin_shufflevector(p[i], p[i + 1], 0, 4, 1, 5);
        q[i + 1] = __builtin_shufflevector(p[i], p[i + 1], 2, 6, 3, 7);
    }
    KR_UNROLL
    for (size_t i = 0; i < 2; i++) {
        kr_tiles_words out[4] = { __builtin_shufflevector(q[4 * i], q[4 * i + 2], 0, 1, 4, 5),
                                  __builtin_shufflevector(q[4 * i], q[4 * i + 2], 2, 3, 6, 7),
                                  __builtin_shufflevector(q[4 * i + 1], q[4 * i + 3], 0, 1, 4, 5),
                                  __builtin_shufflevector(q[4 * i + 1], q[4 * i + 3], 2, 3, 6, 7) };

        for (size_t k = 0; k < 4; k++)
            memcpy(to + (4 * i + k) * to_stride, &out[k], 16);
    }
}

#else

KR_INLINE void kr_tiles_turn4(uint32_t *to, size_t to_stride, const unsigned char *rows, size_t stride, uint32_t flip)
{
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++) {
            uint32_t word;

            memcpy(&word, rows + i * stride + 4 * k, 4);
            to[k * to_stride + i] = word ^ flip;
        }
}

KR_INLINE void kr_tiles_turn8(uint16_t *to, size_t to_stride, const unsigned char *rows, size_t stride)
{
    for (size_t i = 0; i < 8; i++)
        for (size_t k = 0; k < 8; k++)
            memcpy(to + k * to_stride + i, rows + i * stride + 2 * k, 2);
}

#endif

#endif
