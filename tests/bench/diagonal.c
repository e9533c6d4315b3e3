/*
 * diagonal.c - nanoseconds a row of 64 channels of 64 complex states, as S4D has them, in blocks of 64 rows.
 *
 *     diagonal [--quick]
 *
 * By every kernel table that the CPU has, one thread, best of several.  zeros: nothing but zeros comes and
 * nothing is remembered, which is what the slowest way through the flush looks like.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/kernels.h"
#include "support/random.h"

enum { CHANNELS = 64, STATES = 64, ROWS = 64, NUMBERS = CHANNELS * STATES };

typedef struct bank {
    _Alignas(64) float a[4 * NUMBERS];          /* as layers have it */
    float c[2 * NUMBERS], h[2 * NUMBERS], d[CHANNELS], x[ROWS * CHANNELS], y[ROWS * CHANNELS];
} bank;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void fill(bank *b, int zeros)
{
    kr_random random = kr_random_from(1);

    memset(b, 0, sizeof *b);
    for (size_t i = 0; i < 4 * NUMBERS; i++)
        b->a[i] = i / 16 % 4 > 1 ? 1e-9f : i / 16 % 4 ? 0.2f : 0.9f + 0.05f * kr_random_unit(&random);
    for (size_t i = 0; i < 2 * NUMBERS; i++)
        b->c[i] = kr_random_unit(&random);
    for (size_t i = 0; i < ROWS * CHANNELS && !zeros; i++)
        b->x[i] = kr_random_unit(&random);
}

static double row(const kr_kernels *kernels, bank *b, int precise, int zeros, int tries)
{
    kr_diagonal p = { b->a, b->c, b->d, b->x, CHANNELS, b->h, b->y, CHANNELS, ROWS, CHANNELS, STATES, precise };
    double      best = 1e30;

    fill(b, zeros);
    for (int i = 0; i < tries; i++) {
        double from = now(), took;

        for (int k = 0; k < 10; k++)
            kernels->diagonal(&p);
        took = (now() - from) / (10 * ROWS);
        best = took < best ? took : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    static const char *const tables[] = { "plain", "avx2", "avx512", "neon", "neon_dot" };
    bank *b = aligned_alloc(64, sizeof *b);
    int   quick = argc > 1 && strcmp(argv[1], "--quick") == 0;

    if (!b)
        return 1;
    printf("diagonal, %d channels of %d states, ns a row: one float for a, two, one and zeros\n", CHANNELS, STATES);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const kr_kernels *kernels = kr_kernels_named(tables[i]);
        int               tries = quick || i == 0 ? 3 : 300;

        if (kernels)
            printf("%-8s %8.0f %8.0f %8.0f\n", tables[i], row(kernels, b, 0, 0, tries), row(kernels, b, 1, 0, tries),
                   row(kernels, b, 0, 1, tries));
    }
    free(b);
    return 0;
}
