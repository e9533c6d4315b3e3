/* fast.h - what KRAIT_OPEN_FAST puts in the place of exact products. */
#ifndef KR_FAST_H
#define KR_FAST_H

#include "kernels/kernels.h"

/* The table with these in it; NULL where the compiler's target is another machine. */
const kr_kernels *kr_fast_avx512_bf16(void);
/* On x86 alone. */
void kr_fast_product_f16(const kr_product *p);
void kr_fast_product_bf16(const kr_product *p);

#endif
