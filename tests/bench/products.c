/*
 * products.c - products of every weight type: as fast as memory brings weights, as fast as units multiply.
 *
 *     products [--quick] [--table NAME] [TYPE ...]
 *
 * One thread, by its own CPU time, since machines are shared.  A row from memory and from the cache of a core (GB/s of
 * weights), the time of 2, 4 and 8 rows over that of one, and 512 rows (G operations/s, two for a product and its sum).
 * Limits are probed before and after each try, in the same seconds: the best of all tries on either side is compared.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/probe.h"
#include "core/panels.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "support/random.h"

enum { INPUTS = 1536, OUTPUTS = 256, MOST_ROWS = 512 };

static const struct weight_type {
    const char *name;
    int32_t     type;
} types[] = {
    { "F32", KRAIT_F32 },   { "F16", KRAIT_F16 },   { "BF16", KRAIT_BF16 }, { "Q8_0", KRAIT_Q8_0 },
    { "Q4_0", KRAIT_Q4_0 }, { "Q4_1", KRAIT_Q4_1 }, { "Q5_0", KRAIT_Q5_0 }, { "Q5_1", KRAIT_Q5_1 },
    { "Q2_K", KRAIT_Q2_K }, { "Q3_K", KRAIT_Q3_K }, { "Q4_K", KRAIT_Q4_K }, { "Q5_K", KRAIT_Q5_K },
    { "Q6_K", KRAIT_Q6_K },
};

typedef struct bench {
    const kr_kernels *kernels;
    unsigned char    *weights;          /* 'room' bytes, of which a matrix has as many as it wants */
    size_t            room;
    float            *x, *y;
    kr_q8            *q;
    int               tries;
} bench;

static double clock_of(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A probe's answer, which is by the clock on the wall, by CPU time. */
static double limit_of(double rate, double cpu, double wall)
{
    return rate * (clock_of(CLOCK_MONOTONIC) - wall) / (clock_of(CLOCK_THREAD_CPUTIME_ID) - cpu);
}

static double memory_rate(probe *machine)
{
    double cpu = clock_of(CLOCK_THREAD_CPUTIME_ID), wall = clock_of(CLOCK_MONOTONIC);

    return limit_of(probe_bandwidth(machine), cpu, wall);
}

static double unit_rate(int integers)
{
    double cpu = clock_of(CLOCK_THREAD_CPUTIME_ID), wall = clock_of(CLOCK_MONOTONIC);

    return limit_of(integers ? probe_dot() : probe_fma(), cpu, wall);
}

static size_t strip_bytes(int32_t type)
{
    uint64_t bytes = 0;

    kr_panels_bytes(type, KR_STRIP, INPUTS, &bytes);
    return (size_t)bytes;
}

/* Bytes that make finite weights of every type: halves and floats from 2^-14 to 2, whose sums stay finite. */
static void fill(bench *b)
{
    kr_random random = kr_random_from(1);

    for (size_t i = 0; i < b->room; i++)
        b->weights[i] = (unsigned char)(kr_random_u32(&random) & 0x3f);
    for (size_t i = 0; i < (size_t)MOST_ROWS * INPUTS; i++)
        b->x[i] = kr_random_unit(&random);
    b->kernels->quantize(b->q, b->x, INPUTS, MOST_ROWS, INPUTS);
}

/* Seconds of the fastest product of so many outputs and rows. */
static double seconds(bench *b, int32_t type, size_t outputs, size_t rows, int tries)
{
    kr_matrix  w = { b->weights, outputs, INPUTS, type };
    kr_product p = { &w, NULL, b->x, INPUTS, b->q, b->y, outputs, rows };
    double     best = 1e30;

    for (int i = 0; i < tries; i++) {
        double start = clock_of(CLOCK_THREAD_CPUTIME_ID), took;

        kr_kernels_product(b->kernels, &p);
        took = clock_of(CLOCK_THREAD_CPUTIME_ID) - start;
        best = took < best ? took : best;
    }
    return best;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void measure(bench *b, const struct weight_type *type, probe *machine)
{
    size_t bytes = strip_bytes(type->type), large = b->room / bytes, small = 400 * 1024 / bytes;
    int    integers = kr_layout_of(type->type).inputs != 0;
    double memory = 0, memory_limit = 0, cache, one = 1e30, few[3] = { 1e30, 1e30, 1e30 }, many = 0, limit = 0;

    small = small ? small : 1;
    memory_rate(machine);               /* touches the buffer */
    for (int i = 0; i < b->tries; i++) {
        memory_limit = larger(memory_limit, memory_rate(machine));
        one = -larger(-one, -seconds(b, type->type, large * KR_STRIP, 1, 1));
        for (size_t f = 0; f < 3; f++)
            few[f] = -larger(-few[f], -seconds(b, type->type, large * KR_STRIP, (size_t)2 << f, 1));
        limit = larger(limit, unit_rate(integers));
        many = larger(many, 2.0 * OUTPUTS * INPUTS * MOST_ROWS / seconds(b, type->type, OUTPUTS, MOST_ROWS, 5));
    }
    memory = (double)(large * bytes) / one;
    cache = (double)(small * bytes) / seconds(b, type->type, small * KR_STRIP, 1, 40 * b->tries);
    printf("%-5s  %5.1f of %5.1f GB/s %4.0f %%  %6.1f GB/s   x%4.2f x%4.2f x%4.2f  %6.1f of %5.1f G/s %4.0f %%\n", type->name,
           memory / 1e9, memory_limit / 1e9, memory / memory_limit * 100, cache / 1e9, few[0] / one, few[1] / one,
           few[2] / one, many / 1e9, limit / 1e9, limit > 0 ? many / limit * 100 : 0.0);
    fflush(stdout);
}

static int wanted(int argc, char **argv, int from, const char *name)
{
    for (int i = from; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return 1;
    return from == argc;
}

int main(int argc, char **argv)
{
    bench b = { kr_kernels_best(), NULL, (size_t)96 << 20, NULL, NULL, NULL, 9 };
    probe machine = { NULL };
    int   from = 1;

    for (; from < argc && strncmp(argv[from], "--", 2) == 0; from++) {
        if (strcmp(argv[from], "--quick") == 0)
            b.tries = 3;
        else if (strcmp(argv[from], "--table") == 0 && from + 1 < argc)
            b.kernels = kr_kernels_named(argv[++from]);
    }
    b.weights = aligned_alloc(64, b.room);
    b.x = aligned_alloc(64, (size_t)MOST_ROWS * INPUTS * sizeof *b.x);
    b.q = aligned_alloc(64, ((size_t)MOST_ROWS * INPUTS / KR_BLOCK * sizeof *b.q + 63) / 64 * 64);
    b.y = aligned_alloc(64, (size_t)8 * b.room / sizeof(float));
    if (!b.kernels || !b.weights || !b.x || !b.q || !b.y)
        return 1;
    fill(&b);
    printf("products, %s, one thread, %d inputs: a row from memory, from cache; 2, 4, 8 rows; 512 rows\n",
           b.kernels->name, INPUTS);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        if (wanted(argc, argv, from, types[t].name))
            measure(&b, &types[t], &machine);
    probe_end(&machine);
    free(b.weights), free(b.x), free(b.q), free(b.y);
    return 0;
}
