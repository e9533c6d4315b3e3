/* avx2.c - the kernel table for x86 with AVX2, FMA and F16C. */
#include "core/real.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "kernels/times.h"

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif

#define KR_NAME(name) name##_avx2
#include "kernels/words_avx2.h"
#include "kernels/template.h"

static const kr_kernels table_avx2 = KR_TABLE("avx2");

#include "kernels/words_end.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const kr_kernels *kr_kernels_avx2(void);
const kr_kernels *kr_kernels_avx2(void) { return &table_avx2; }

#else

const kr_kernels *kr_kernels_avx2(void);
const kr_kernels *kr_kernels_avx2(void) { return NULL; }

#endif
