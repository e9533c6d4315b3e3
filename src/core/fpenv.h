/*
 * fpenv.h - round to nearest, no flush to zero, no traps; and the host's setting back after.
 *
 * Every public call that computes stands between enter and leave, so that a host which plays
 * with rounding or flushes denormals gets the same numbers as one that does not.
 */
#ifndef KR_FPENV_H
#define KR_FPENV_H

#include "core/build.h"

#if defined(__i386__) && defined(__SSE__) && defined(__GNUC__)

/* Conversions of 64-bit integers go through the x87 there, so that its settings count as well. */
typedef struct kr_fpenv { uint32_t sse, x87[7]; } kr_fpenv;

KR_INLINE kr_fpenv kr_fpenv_enter(void)
{
    uint32_t ours = 0x1f80;
    uint16_t x87 = 0x37f;               /* all masked, nearest, 64 bits of mantissa */
    kr_fpenv host;

    __asm__ volatile("stmxcsr %0" : "=m"(host.sse) : : "memory");
    __asm__ volatile("fnstenv %0" : "=m"(host.x87) : : "memory");
    __asm__ volatile("ldmxcsr %0" : : "m"(ours) : "memory");
    __asm__ volatile("fldcw %0" : : "m"(x87) : "memory");
    return host;
}

KR_INLINE void kr_fpenv_leave(kr_fpenv host)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(host.sse) : "memory");
    __asm__ volatile("fldenv %0" : : "m"(host.x87) : "memory");
}

#elif defined(__x86_64__) && defined(__GNUC__)

typedef uint32_t kr_fpenv;

KR_INLINE kr_fpenv kr_fpenv_enter(void)
{
    uint32_t host, ours = 0x1f80;       /* MXCSR: all masked, nearest, no FTZ, no DAZ */

    __asm__ volatile("stmxcsr %0" : "=m"(host) : : "memory");
    __asm__ volatile("ldmxcsr %0" : : "m"(ours) : "memory");
    return host;
}

KR_INLINE void kr_fpenv_leave(kr_fpenv host)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(host) : "memory");
}

#elif defined(__aarch64__) && defined(__GNUC__)

typedef struct kr_fpenv { uint64_t control, flags; } kr_fpenv;

KR_INLINE void kr_fpenv_set(kr_fpenv env)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(env.control) : "memory");
    __asm__ volatile("msr fpsr, %0" : : "r"(env.flags) : "memory");
}

KR_INLINE kr_fpenv kr_fpenv_enter(void)
{
    kr_fpenv host, ours = { 0, 0 };     /* nearest, no FZ, no traps, no alternative halves */

    __asm__ volatile("mrs %0, fpcr" : "=r"(host.control) : : "memory");
    __asm__ volatile("mrs %0, fpsr" : "=r"(host.flags) : : "memory");
    kr_fpenv_set(ours);
    return host;
}

KR_INLINE void kr_fpenv_leave(kr_fpenv host)
{
    kr_fpenv_set(host);
}

#elif defined(__arm__) && defined(__GNUC__) && defined(__ARM_FP)

typedef uint32_t kr_fpenv;

KR_INLINE void kr_fpenv_leave(kr_fpenv host)
{
    __asm__ volatile("vmsr fpscr, %0" : : "r"(host) : "memory");
}

/* Nearest, no FZ, no DN, no traps, no alternative halves; the length of vectors is the compiler's. */
KR_INLINE kr_fpenv kr_fpenv_enter(void)
{
    kr_fpenv host;

    __asm__ volatile("vmrs %0, fpscr" : "=r"(host) : : "memory");
    kr_fpenv_leave(host & 0x00370000u);
    return host;
}

#elif defined(__arm__) && defined(__GNUC__)

/* Floats by the compiler's library: nothing can be set. */
typedef struct kr_fpenv { int nothing; } kr_fpenv;

KR_INLINE kr_fpenv kr_fpenv_enter(void)
{
    return (kr_fpenv){ 0 };
}

KR_INLINE void kr_fpenv_leave(kr_fpenv host)
{
    (void)host;
}

#else

#include <fenv.h>

typedef fenv_t kr_fpenv;

KR_INLINE kr_fpenv kr_fpenv_enter(void)
{
    fenv_t host;

    fegetenv(&host);
    fesetenv(FE_DFL_ENV);
    return host;
}

KR_INLINE void kr_fpenv_leave(kr_fpenv host)
{
    fesetenv(&host);
}

#endif

#endif
