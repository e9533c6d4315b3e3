/* probe.c - a buffer read from end to end, and chains of fma that wait for nothing. */
#include "cli/probe.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { PROBE_BYTES = 256 << 20 };

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void read_512(const float *x)
{
    __m512 sums[8] = { { 0 } };

    for (size_t i = 0; i < PROBE_BYTES / sizeof *x; i += 8 * 16)
#pragma GCC unroll 8
        for (size_t j = 0; j < 8; j++)
            sums[j] = _mm512_add_ps(sums[j], _mm512_load_ps(x + i + 16 * j));
    __asm__ volatile("" : : "m"(sums));
}

__attribute__((target("avx2"))) static void read_256(const float *x)
{
    __m256 sums[8] = { { 0 } };

    for (size_t i = 0; i < PROBE_BYTES / sizeof *x; i += 8 * 8)
#pragma GCC unroll 8
        for (size_t j = 0; j < 8; j++)
            sums[j] = _mm256_add_ps(sums[j], _mm256_load_ps(x + i + 8 * j));
    __asm__ volatile("" : : "m"(sums));
}
#endif

static void read_plain(const float *x)
{
    uint64_t        sum = 0;
    const uint64_t *words = (const uint64_t *)(const void *)x;

    for (size_t i = 0; i < PROBE_BYTES / sizeof *words; i++)
        sum += words[i];
    __asm__ volatile("" : : "r"(sum));
}

double probe_bandwidth(probe *p)
{
    void        (*read)(const float *x) = read_plain;
    double        start;

    if (!p->buffer) {
        if (!(p->buffer = aligned_alloc(64, PROBE_BYTES)))
            return 0;
        memset(p->buffer, 0, PROBE_BYTES);      /* or all of it is one page of zeros */
    }
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        read = read_256;
    if (__builtin_cpu_supports("avx512f"))
        read = read_512;
#endif
    start = progress_clock();
    read(p->buffer);
    return PROBE_BYTES / (progress_clock() - start);
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static double fma_512(long rounds)
{
    __m512 a[12];

    for (int j = 0; j < 12; j++)
        a[j] = _mm512_set1_ps((float)j);
    for (long i = 0; i < rounds; i++)
#pragma GCC unroll 12
        for (int j = 0; j < 12; j++)
            a[j] = _mm512_fmadd_ps(a[j], _mm512_set1_ps(0.5f), _mm512_set1_ps(1.0f));
    __asm__ volatile("" : : "m"(a));
    return (double)rounds * 12 * 16 * 2;
}

__attribute__((target("avx2,fma"))) static double fma_256(long rounds)
{
    __m256 a[12];

    for (int j = 0; j < 12; j++)
        a[j] = _mm256_set1_ps((float)j);
    for (long i = 0; i < rounds; i++)
#pragma GCC unroll 12
        for (int j = 0; j < 12; j++)
            a[j] = _mm256_fmadd_ps(a[j], _mm256_set1_ps(0.5f), _mm256_set1_ps(1.0f));
    __asm__ volatile("" : : "m"(a));
    return (double)rounds * 12 * 8 * 2;
}
#endif

double probe_fma(void)
{
#if defined(__x86_64__)
    double start = progress_clock(), done;

    if (__builtin_cpu_supports("avx512f"))
        done = fma_512(2000000);
    else if (__builtin_cpu_supports("avx2"))
        done = fma_256(2000000);
    else
        return 0;
    return done / (progress_clock() - start);
#else
    return 0;
#endif
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512vnni"))) static double dot_512(long rounds)
{
    __m512i a[12], w = _mm512_set1_epi8(1), x = _mm512_set1_epi8(2);

    for (int j = 0; j < 12; j++)
        a[j] = _mm512_set1_epi32(j);
    for (long i = 0; i < rounds; i++)
#pragma GCC unroll 12
        for (int j = 0; j < 12; j++)
            a[j] = _mm512_dpbusd_epi32(a[j], w, x);
    __asm__ volatile("" : : "m"(a));
    return (double)rounds * 12 * 64 * 2;
}

__attribute__((target("avx2"))) static double dot_256(long rounds)
{
    __m256i a[8], w = _mm256_set1_epi8(1), x = _mm256_set1_epi8(2);

    for (int j = 0; j < 8; j++)
        a[j] = _mm256_set1_epi32(j);
    for (long i = 0; i < rounds; i++)
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++) {
            __asm__ volatile("" : "+x"(x));     /* or one product would do for all */
            a[j] = _mm256_add_epi32(a[j], _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1)));
        }
    __asm__ volatile("" : : "m"(a));
    return (double)rounds * 8 * 32 * 2;
}
#endif

double probe_dot(void)
{
#if defined(__x86_64__)
    double start = progress_clock(), done;

    if (__builtin_cpu_supports("avx512vnni"))
        done = dot_512(2000000);
    else if (__builtin_cpu_supports("avx2"))
        done = dot_256(2000000);
    else
        return 0;
    return done / (progress_clock() - start);
#else
    return 0;
#endif
}

void probe_end(probe *p)
{
    free(p->buffer);
    p->buffer = NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double probe_median(double *x, size_t count)
{
    qsort(x, count, sizeof *x, by_size);
    return x[count / 2];
}
