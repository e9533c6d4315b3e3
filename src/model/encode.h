/* encode.h - numbers as blocks of small integers with scales, as GGUF has them. */
#ifndef KR_ENCODE_H
#define KR_ENCODE_H

#include "kernels/codes.h"

/*
 * The largest magnitude that a block may hold, and a block for numbers within it, none of them NaN:
 * the same bytes on every machine.  Blocks of Q2_K and Q3_K are not written: their limit is 0, as is
 * that of types without blocks.
 */
float kr_encode_limit(int32_t type);
void  kr_encode_block(const kr_layout *t, const float *x, unsigned char *block);
/* The bytes of a block of these codes, one for every 32 numbers: what kr_codes_read() reads. */
void  kr_encode_codes(const kr_layout *t, const kr_codes *codes, unsigned char *block);

#endif
