/* plain.h - the functions of plain.c's table that stand in files of their own. */
#ifndef KR_PLAIN_H
#define KR_PLAIN_H

#include "kernels/kernels.h"

/* plain_blocks.c */
void kr_plain_product_blocks(const kr_product *p);
/* plain_heads.c */
void kr_plain_pace(const kr_pace *p);
void kr_plain_heads(const kr_heads *p);
void kr_plain_fade(const kr_fade *p);
void kr_plain_chunk(const kr_chunk *p);
void kr_plain_weigh(float *y, size_t y_stride, const float *x, size_t x_stride, const float *w, size_t w_stride,
                    size_t rows, size_t width);
/* plain_times.c */
void kr_plain_discretize(const kr_discretize *p);
void kr_plain_turn_timed(const kr_turn_timed *p);
void kr_plain_diagonal_timed(const kr_diagonal_timed *p);
/* plain_fourier.c */
void kr_plain_fourier(const kr_fourier *p);

#endif
