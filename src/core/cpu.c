/* cpu.c - cpuid and xgetbv, or what Linux says; what cannot be asked for is not there. */
#include "core/cpu.h"

#include "core/build.h"

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)

#include <cpuid.h>

typedef struct cpu_leaf { unsigned a, b, c, d; } cpu_leaf;

static cpu_leaf cpu_ask_part(unsigned leaf, unsigned part)
{
    cpu_leaf r = { 0, 0, 0, 0 };

    if ((unsigned)__get_cpuid_max(0, NULL) >= leaf)
        __cpuid_count(leaf, part, r.a, r.b, r.c, r.d);
    return r;
}

static cpu_leaf cpu_ask(unsigned leaf)
{
    return cpu_ask_part(leaf, 0);
}

/* Does the system save these register sets (xcr0 bits) on a switch? */
static int cpu_saves(unsigned bits)
{
    unsigned low, high;

    if (!(cpu_ask(1).c & 1u << 27))             /* OSXSAVE */
        return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & bits) == bits;
}

int kr_cpu_has_avx2(void)
{
    const unsigned fma = 1u << 12, avx = 1u << 28, f16c = 1u << 29, avx2 = 1u << 5;

    return cpu_saves(0x6) && (cpu_ask(1).c & (fma | avx | f16c)) == (fma | avx | f16c) &&
           (cpu_ask(7).b & avx2);
}

int kr_cpu_has_avx512(void)
{
    const unsigned f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31, vnni = 1u << 11;

    return kr_cpu_has_avx2() && cpu_saves(0xe6) &&
           (cpu_ask(7).b & (f | dq | bw | vl)) == (f | dq | bw | vl) && (cpu_ask(7).c & vnni);
}

int kr_cpu_has_avx512_bf16(void)
{
    return kr_cpu_has_avx512() && cpu_ask(7).a >= 1 && (cpu_ask_part(7, 1).a & 1u << 5);
}

#else

int kr_cpu_has_avx2(void)        { return 0; }
int kr_cpu_has_avx512(void)      { return 0; }
int kr_cpu_has_avx512_bf16(void) { return 0; }

#endif

#if defined(__aarch64__)

int kr_cpu_has_neon(void) { return 1; }

#if defined(__ARM_FEATURE_DOTPROD)

int kr_cpu_has_neon_dot(void) { return 1; }

#elif defined(__linux__)

#include <sys/auxv.h>

int kr_cpu_has_neon_dot(void)
{
    /* What a compiler may use beside it for ARMv8.2: atomics, rounding multiplication. */
    const unsigned long want = 1ul << 20 | 1ul << 8 | 1ul << 12;

    return (getauxval(AT_HWCAP) & want) == want;
}

#else

int kr_cpu_has_neon_dot(void) { return 0; }

#endif

#else

int kr_cpu_has_neon(void)     { return 0; }
int kr_cpu_has_neon_dot(void) { return 0; }

#endif
