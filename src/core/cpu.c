/* cpu.c - cpuid and xgetbv; a CPU without them has nothing that is asked for. */
#include "core/cpu.h"

#include "core/build.h"

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)

#include <cpuid.h>

typedef struct cpu_leaf { unsigned a, b, c, d; } cpu_leaf;

static cpu_leaf cpu_ask(unsigned leaf)
{
    cpu_leaf r = { 0, 0, 0, 0 };

    if ((unsigned)__get_cpuid_max(0, NULL) >= leaf)
        __cpuid_count(leaf, 0, r.a, r.b, r.c, r.d);
    return r;
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

#else

int kr_cpu_has_avx2(void)   { return 0; }
int kr_cpu_has_avx512(void) { return 0; }

#endif
