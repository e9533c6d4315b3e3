/* test_eigen.c - eigenvalues and eigenvectors: residuals, known values, defective matrices. */
#include "core/eigen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/random.h"
#include "test.h"

enum { MOST = 64 };

typedef struct eigen {
    kr_complex a[MOST * MOST], copy[MOST * MOST], vectors[MOST * MOST], values[MOST], spare[MOST];
} eigen;

static double size_of(kr_complex z)
{
    return hypot(z.re, z.im);
}

/* The largest |a v - value v| over all pairs, over the largest row sum; lengths are 1. */
static double pairs_residual(const eigen *e, size_t n)
{
    double worst = 0, norm = 0;

    for (size_t i = 0; i < n; i++) {
        double row = 0;

        for (size_t k = 0; k < n; k++)
            row += size_of(e->copy[i * n + k]);
        norm = fmax(norm, row);
    }
    for (size_t j = 0; j < n; j++) {
        double length = 0;

        for (size_t i = 0; i < n; i++) {
            kr_complex sum = { 0, 0 };

            for (size_t k = 0; k < n; k++)
                sum = kr_complex_add(sum, kr_complex_multiply(e->copy[i * n + k], e->vectors[k * n + j]));
            sum = kr_complex_subtract(sum, kr_complex_multiply(e->values[j], e->vectors[i * n + j]));
            worst = fmax(worst, size_of(sum));
            length += kr_complex_square(e->vectors[i * n + j]);
        }
        CHECK_CLOSE(length, 1, 1e-13);
    }
    return norm > 0 ? worst / norm : worst;
}

static int find(eigen *e, size_t n)
{
    memcpy(e->copy, e->a, sizeof e->a);
    return CHECK(kr_eigen_find(e->a, n, e->values, e->vectors, e->spare));
}

/* Full, real, sparse, graded over 2^40, and nearly triangular ones. */
TEST(eigen_random)
{
    eigen    *e = malloc(sizeof *e);
    kr_random random = kr_random_from(1);
    double    worst = 0;

    CHECK_OR_RETURN(e != NULL);
    for (size_t trial = 0; trial < 150; trial++) {
        size_t n = trial < 50 ? 1 + trial : trial < 149 ? 1 + trial % 13 : MOST;

        for (size_t i = 0; i < n * n; i++) {
            double re = (double)kr_random_unit(&random), im = (double)kr_random_unit(&random);
            double by = 1;

            if (trial % 5 == 1)
                im = 0;
            if (trial % 5 == 2 && kr_random_u32(&random) % 4)
                by = 0;
            if (trial % 5 == 3)
                by = ldexp(1, -(int)(40 * (i / n) / n));
            if (trial % 5 == 4 && i / n > i % n)
                by = 0x1p-30;
            e->a[i] = kr_complex_of(re * by, im * by);
        }
        test_note("trial %zu, %zu by %zu", trial, n, n);
        if (!find(e, n))
            break;
        worst = fmax(worst, pairs_residual(e, n));
        if (!CHECK(worst < 3e-15))
            break;
    }
    if (getenv("KRAIT_SWEEP"))
        printf("eigenvectors of random matrices: residual %.3g\n", worst);
    test_note("%s", "");
    free(e);
}

/* |value - the nearest of those found|. */
static double nearest(const eigen *e, size_t n, kr_complex value)
{
    double best = HUGE_VAL;

    for (size_t j = 0; j < n; j++)
        best = fmin(best, size_of(kr_complex_subtract(e->values[j], value)));
    return best;
}

/*
 * Cyclic shifts of both directions: the roots of unity.  The one that is of Hessenberg form has
 * zeros in its corner, and steps shifted by zero would go round for ever.
 */
TEST(eigen_known_values)
{
    eigen *e = malloc(sizeof *e);
    enum { N = 24 };

    CHECK_OR_RETURN(e != NULL);
    for (int turn = 0; turn < 2; turn++) {
        memset(e, 0, sizeof *e);
        for (size_t i = 0; i < N; i++)
            e->a[turn ? (i + 1) % N * N + i : i * N + (i + 1) % N] = kr_complex_of(1, 0);
        if (!find(e, N))
            continue;
        CHECK(pairs_residual(e, N) < 3e-15);
        for (size_t k = 0; k < N; k++)
            CHECK(nearest(e, N, kr_complex_of(cos((double)k * 6.283185307179586 / N),
                                              sin((double)k * 6.283185307179586 / N))) < 1e-14);
    }
    memset(e, 0, sizeof *e);                    /* upper triangular: its diagonal, exactly */
    for (size_t i = 0; i < N; i++)
        for (size_t j = i; j < N; j++)
            e->a[i * N + j] = kr_complex_of((double)(i + 1), (double)j / (double)(1 + i));
    if (find(e, N))
        for (size_t k = 0; k < N; k++)
            CHECK(nearest(e, N, kr_complex_of((double)(k + 1), (double)k / (double)(1 + k))) == 0);
    free(e);
}

/*
 * A block of Jordan has one eigenvector: all come out next to it, and values as far off as the
 * n-th root of a rounding.  A multiple of the identity and zero have any.
 */
TEST(eigen_defective)
{
    eigen *e = malloc(sizeof *e);
    enum { N = 6 };

    CHECK_OR_RETURN(e != NULL);
    for (int turn = 0; turn < 4; turn++) {
        memset(e, 0, sizeof *e);
        for (size_t i = 0; i < N; i++) {
            if (turn != 3)
                e->a[i * N + i] = kr_complex_of(0.5, turn == 2 ? 1 : 0.25);
            if (turn < 2 && i + 1 < N)
                e->a[turn == 0 ? i * N + i + 1 : (i + 1) * N + i] = kr_complex_of(1, 0);
        }
        test_note("turn %d", turn);
        if (!find(e, N))
            break;
        CHECK(pairs_residual(e, N) < 3e-15);
        for (size_t j = 0; j < N && turn < 2; j++)
            CHECK(size_of(kr_complex_subtract(e->values[j], kr_complex_of(0.5, 0.25))) < 1e-2);
    }
    test_note("%s", "");
    free(e);
}

/* Sizes whose squares overflow or vanish; nothing; and what is refused. */
TEST(eigen_extremes)
{
    eigen    *e = malloc(sizeof *e);
    kr_random random = kr_random_from(5);
    enum { N = 5 };

    CHECK_OR_RETURN(e != NULL);
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < N * N; i++)
            e->a[i] = kr_complex_of((double)kr_random_unit(&random) * (turn ? 0x1p-800 : 0x1p1000), 0);
        if (find(e, N))
            CHECK(pairs_residual(e, N) < 3e-15);
    }
    CHECK(kr_eigen_find(e->a, 0, e->values, e->vectors, e->spare));
    e->a[3].im = NAN;
    CHECK(!kr_eigen_find(e->a, N, e->values, e->vectors, e->spare));
    e->a[3].im = HUGE_VAL;
    CHECK(!kr_eigen_find(e->a, N, e->values, e->vectors, e->spare));
    free(e);
}

static void mix(uint64_t *hash, kr_complex z)
{
    *hash = (*hash ^ kr_bits_of_double(z.re)) * 0x100000001b3u;
    *hash = (*hash ^ kr_bits_of_double(z.im)) * 0x100000001b3u;
}

/* Products and sums alone: one number for every compiler, level and machine. */
TEST(eigen_bits)
{
    eigen     *e = malloc(sizeof *e);
    kr_random  random = kr_random_from(6);
    kr_complex *spare;
    uint64_t   hash = 0xcbf29ce484222325u;
    size_t     pivots[MOST];
    enum { N = 20 };

    CHECK_OR_RETURN(e != NULL);
    spare = e->vectors;
    for (size_t i = 0; i < N * N; i++) {
        e->a[i].re = (double)kr_random_unit(&random);
        e->a[i].im = (double)kr_random_unit(&random);
    }
    kr_linear_power(e->a, N, 5, spare);
    for (size_t i = 0; i < N * N; i++)
        mix(&hash, e->copy[i] = e->a[i]);
    CHECK(kr_linear_factor(e->copy, N, pivots));
    for (size_t i = 0; i < N; i++)
        spare[i] = kr_complex_exprel(kr_complex_scale(e->a[i], 0x1p-4));
    kr_linear_solve(e->copy, pivots, N, spare, 1);
    for (size_t i = 0; i < N; i++)
        mix(&hash, spare[i]);
    CHECK(kr_eigen_find(e->a, N, e->values, e->vectors, e->spare));
    for (size_t i = 0; i < N; i++)
        mix(&hash, e->values[i]);
    for (size_t i = 0; i < N * N; i++)
        mix(&hash, e->vectors[i]);
    CHECK_U64(hash, 0x8e919a937aa878ddu);
    free(e);
}
