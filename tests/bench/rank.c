/*
 * rank.c - nanoseconds a row of 64 channels of 32 complex states that meet in sums, as S4 has them.
 *
 *     rank [--quick]
 *
 * By every kernel table that the CPU has, one thread, best of several: blocks of 64 rows, and a row at a time.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/kernels.h"
#include "support/random.h"

enum { CHANNELS = 64, STATES = 32, ROWS = 64, MOST_NUMBERS = 21 };

typedef struct bank {
    float w[MOST_NUMBERS * CHANNELS * STATES], x[2 * CHANNELS * STATES], d[CHANNELS], u[ROWS * CHANNELS], y[ROWS * CHANNELS];
} bank;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void fill(bank *b, size_t rank)
{
    kr_random random = kr_random_from(1);
    size_t    numbers = kr_rank_numbers(rank);

    memset(b, 0, sizeof *b);
    for (size_t i = 0; i < numbers * CHANNELS * STATES; i++) {
        size_t at = i / 16 % numbers;

        b->w[i] = at == KR_RANK_D       ? 0.9f + 0.05f * kr_random_unit(&random)
                  : at == KR_RANK_D + 1 ? 0.2f
                  : at < KR_RANK_B      ? 1e-9f
                  : at == KR_RANK_Q     ? 1.0f
                  : at >= KR_RANK_W     ? 0.01f * kr_random_unit(&random) : kr_random_unit(&random);
    }
    for (size_t i = 0; i < ROWS * CHANNELS; i++)
        b->u[i] = kr_random_unit(&random);
}

static double row(const kr_kernels *kernels, bank *b, size_t rank, int precise, size_t rows, int tries)
{
    kr_rank p = { b->w, b->d, b->u, CHANNELS, b->x, b->y, CHANNELS, rows, CHANNELS, STATES, rank, precise };
    double  best = 1e30;

    fill(b, rank);
    for (int i = 0; i < tries; i++) {
        double from = now(), took;

        for (size_t k = 0; k < 10 * ROWS; k += rows)
            kernels->rank(&p);
        took = (now() - from) / (10 * ROWS);
        best = took < best ? took : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    static const char *const tables[] = { "plain", "avx2", "avx512", "neon", "neon_dot" };
    bank *b = aligned_alloc(64, sizeof *b);         /* as krait has its memory */
    int   quick = argc > 1 && strcmp(argv[1], "--quick") == 0;

    if (!b)
        return 1;
    printf("rank, %d channels of %d states, ns a row: one sum with one float, two floats, those row by row, two sums\n",
           CHANNELS, STATES);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const kr_kernels *kernels = kr_kernels_named(tables[i]);
        int               tries = quick || i == 0 ? 3 : 300;

        if (kernels)
            printf("%-8s %8.0f %8.0f %8.0f %8.0f\n", tables[i], row(kernels, b, 1, 0, ROWS, tries),
                   row(kernels, b, 1, 1, ROWS, tries), row(kernels, b, 1, 1, 1, tries), row(kernels, b, 2, 1, ROWS, tries));
    }
    free(b);
    return 0;
}
