/*
 * codes.h - weights that are codes of a few bits with shared scales: how a record of their panels is built.
 *
 * core/panels.def has a line for each type.  A record holds, for every output of the strip and 32 or 256 inputs:
 *
 *   halves: [halves][width] half floats: d, and m of types with minima
 *   then for every 32 inputs
 *     scales: [scales][width] bytes
 *     low:    [low][width][4] bytes: 'low' bits of each code
 *     high:   [high][width][4] bytes: the bits above
 *
 * Code k of 32 is in byte k % 4 of plane k / 4 % bits, from bit k / 4 / bits * bits on: so that a mask and a shift make
 * four neighbouring codes of each output, as products of integers want them.  A weight is
 *
 *   one part, no scales      d (code - zero)              d code + m
 *   one part, scales s, t    d s code - m t
 *   two parts, scales s      d s[part] (code - zero)      d (s[part] & 15) code - m (s[part] >> 4)
 *
 * where a part is 16 inputs and scales of two parts without minima have a sign.
 */
#ifndef KR_CODES_H
#define KR_CODES_H

#include "core/bits.h"
#include "kernels/kernels.h"

typedef struct kr_layout {
    int32_t type;
    size_t  inputs, file, halves, scales, parts, low, high;
    int32_t zero;
} kr_layout;

/* All zero for types without blocks. */
KR_INLINE kr_layout kr_layout_of(int32_t type)
{
    switch (type) {
#define KR_PANELS(name, TYPE, ...) case TYPE: return (kr_layout){ TYPE, __VA_ARGS__ };
#include "core/panels.def"
#undef KR_PANELS
    default: return (kr_layout){ .type = type };
    }
}

/* Bytes of a record for one output: of 32 inputs, and of all. */
KR_INLINE size_t kr_layout_block(const kr_layout t)
{
    return t.scales + 4 * (t.low + t.high);
}

KR_INLINE size_t kr_layout_record(const kr_layout t)
{
    return 2 * t.halves + t.inputs / KR_BLOCK * kr_layout_block(t);
}

/* Where the b-th 32 inputs of a record begin. */
KR_INLINE size_t kr_layout_at(const kr_layout t, size_t width, size_t b)
{
    return width * (2 * t.halves + b * kr_layout_block(t));
}

/* 32 weights of one output: what a file's block or a record says of them. */
typedef struct kr_codes {
    uint16_t half[2];
    uint8_t  scale[2], code[KR_BLOCK];
} kr_codes;

/* The b-th 32 of a block as files have it. */
void kr_codes_read(const kr_layout *t, const unsigned char *block, size_t b, kr_codes *codes);
/* The b-th 32 in column 'column' of a record, from there and to there. */
void kr_codes_get(const kr_layout *t, const unsigned char *record, size_t width, size_t column, size_t b,
                   kr_codes *codes);
void kr_codes_put(const kr_layout *t, unsigned char *record, size_t width, size_t column, size_t b,
                   const kr_codes *codes);
/* As floats. */
void kr_codes_floats(const kr_layout *t, const kr_codes *codes, float *weights);

#endif
