/*
 * blocks.h - GGUF's blocks: 32 or 256 small integers of a row beside their scales.
 *
 * In every type a number is scale q + offset, where scale and offset belong to a run of 16 or 32
 * numbers.  A block's bytes, first to last (halves and qh little-endian):
 *
 *     Q4_0  d, q[16]                      Q2_K  scales[16], q[64], d, dmin
 *     Q4_1  d, m, q[16]                   Q3_K  h[32], q[64], scales[12], d
 *     Q5_0  d, qh, q[16]                  Q4_K  d, dmin, scales[12], q[128]
 *     Q5_1  d, m, qh, q[16]               Q5_K  d, dmin, scales[12], h[32], q[128]
 *     Q8_0  d, q[32]                      Q6_K  q[128], h[64], scales[16], d
 */
#ifndef KR_BLOCKS_H
#define KR_BLOCKS_H

#include "core/bits.h"

enum { KR_BLOCKS_MOST = 256, KR_BLOCKS_RUNS = 16 };     /* numbers and runs of the largest block */

/* A block as integers; the floats are scale[i / run] q[i] + offset[i / run]. */
typedef struct kr_blocks_open {
    int    numbers, run;
    int8_t q[KR_BLOCKS_MOST];
    float  scale[KR_BLOCKS_RUNS];
    float  offset[KR_BLOCKS_RUNS];      /* -0 where the type has none: adding it changes nothing */
} kr_blocks_open;

/* Numbers and bytes of one block; 0 if the type is none of blocks. */
size_t kr_blocks_numbers(int32_t type);
size_t kr_blocks_bytes(int32_t type);

/* Is it one of the types above? */
KR_INLINE int kr_type_is_block(int32_t type)
{
    return kr_blocks_numbers(type) != 0;
}

/* Of a type above: its integers, or its numbers as ggml makes them, bit for bit but for NaN's payload. */
void kr_blocks_unfold(int32_t type, const unsigned char *block, kr_blocks_open *open);
void kr_blocks_read(int32_t type, const unsigned char *block, float *x);

/*
 * Choose a block for numbers of at most kr_blocks_limit() in magnitude, none of them NaN: of any
 * type above but Q2_K and Q3_K, whose limit is 0.  The same bytes on every machine.
 */
float kr_blocks_limit(int32_t type);
void  kr_blocks_write(int32_t type, const float *x, unsigned char *block);

#endif
