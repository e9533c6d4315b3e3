/* neon_dot.c - the kernel table for AArch64 with the dot products of ARMv8.2. */
#include "core/real.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "kernels/times.h"

#if defined(__aarch64__) && defined(__GNUC__) && !KR_BIG_ENDIAN

#include <arm_neon.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

#define KR_NEON_DOT
#define KR_NAME(name) name##_neon_dot
#include "kernels/words_neon.h"
#include "kernels/template.h"

static const kr_kernels table_neon_dot = KR_TABLE("neon_dot");

#include "kernels/words_end.h"
#undef KR_NEON_DOT

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const kr_kernels *kr_kernels_neon_dot(void);
const kr_kernels *kr_kernels_neon_dot(void) { return &table_neon_dot; }

#else

const kr_kernels *kr_kernels_neon_dot(void);
const kr_kernels *kr_kernels_neon_dot(void) { return NULL; }

#endif
