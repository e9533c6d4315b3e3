/*
 * build.h - what every file of krait is compiled with, and what it refuses.
 *
 * The promise that results are the same bits everywhere (docs/numerics.md) can be broken by
 * compiler flags.  What macros can show is refused here; the rest is found by the self-test
 * that opening a model runs (core/selftest.c).
 */
#ifndef KR_BUILD_H
#define KR_BUILD_H

#include <float.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__FAST_MATH__)
#error "krait: compile without -ffast-math and -Ofast: they change results"
#endif
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "krait: compile without -ffinite-math-only: NaN checks would vanish"
#endif
#if defined(_M_FP_FAST)
#error "krait: compile without /fp:fast: it changes results"
#endif
#if FLT_EVAL_METHOD != 0 && defined(__s390__)
#error "krait: floats are computed in wider registers; on s390x add -fexcess-precision=fast"
#elif FLT_EVAL_METHOD != 0
#error "krait: floats are computed in wider registers; on 32-bit x86 add -msse2 -mfpmath=sse"
#endif
#if CHAR_BIT != 8
#error "krait: bytes must have 8 bits"
#endif

_Static_assert(sizeof(float) == 4 && FLT_MANT_DIG == 24, "krait: float must be binary32");
_Static_assert(sizeof(double) == 8 && DBL_MANT_DIG == 53, "krait: double must be binary64");

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define KR_BIG_ENDIAN 1
#else
#define KR_BIG_ENDIAN 0
#endif

#if defined(__GNUC__)
#define KR_INLINE     static inline __attribute__((always_inline))
#define KR_NOINLINE   __attribute__((noinline))
#define KR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define KR_INLINE     static inline
#define KR_NOINLINE
#define KR_PRINTF(f, a)
#endif

/* Unroll a short loop fully, so that small arrays of vectors live in registers. */
#define KR_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define KR_UNROLL KR_PRAGMA(clang loop unroll(full))
#define KR_UNROLL_LATE
#elif defined(__GNUC__)
#define KR_UNROLL KR_PRAGMA(GCC unroll 16)
#define KR_UNROLL_LATE KR_UNROLL
#else
#define KR_UNROLL
#define KR_UNROLL_LATE
#endif

/* Everything is laid out in multiples of one vector of 16 floats, on every machine. */
#define KR_LANES 16u
#define KR_ALIGN 64u

KR_INLINE size_t kr_pad16(size_t n)
{
    return (n + KR_LANES - 1) & ~(size_t)(KR_LANES - 1);
}

KR_INLINE size_t kr_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* a * b and a + b that say whether they fit: every size that a file or caller decides. */
KR_INLINE int kr_mul_fits(size_t a, size_t b, size_t *product)
{
    if (b != 0 && a > SIZE_MAX / b)
        return 0;
    *product = a * b;
    return 1;
}

KR_INLINE int kr_add_fits(size_t a, size_t b, size_t *sum)
{
    if (a > SIZE_MAX - b)
        return 0;
    *sum = a + b;
    return 1;
}

#endif
