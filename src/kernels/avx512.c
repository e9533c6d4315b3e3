/* avx512.c - the kernel table for x86 with AVX-512 F, BW, DQ, VL and VNNI. */
#include "core/real.h"
#include "kernels/fast.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "kernels/times.h"

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")
#endif

#define KR_NAME(name) name##_avx512
#include "kernels/words_avx512.h"
#include "kernels/template.h"

static const kr_kernels table_avx512 = KR_TABLE("avx512");
static const kr_kernels table_avx512_bf16 = KR_TABLE_OF("avx512_bf16", kr_fast_product_f16, kr_fast_product_bf16);

#include "kernels/words_end.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const kr_kernels *kr_kernels_avx512(void);
const kr_kernels *kr_kernels_avx512(void) { return &table_avx512; }
const kr_kernels *kr_fast_avx512_bf16(void) { return &table_avx512_bf16; }

#else

const kr_kernels *kr_kernels_avx512(void);
const kr_kernels *kr_kernels_avx512(void) { return NULL; }
const kr_kernels *kr_fast_avx512_bf16(void) { return NULL; }

#endif
