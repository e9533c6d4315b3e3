/* test_linear.c - dense solving and powers: residuals, and what is refused. */
#include "core/linear.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/random.h"
#include "test.h"

enum { MOST = 33 };

typedef struct matrices {
    kr_complex a[MOST * MOST], f[MOST * MOST], b[MOST * MOST], x[MOST * MOST], spare[2 * MOST * MOST];
} matrices;

static void fill_random(kr_complex *a, size_t count, kr_random *random)
{
    for (size_t i = 0; i < count; i++) {
        a[i].re = (double)kr_random_unit(random);
        a[i].im = (double)kr_random_unit(random);
    }
}

/* max |a x - b| / (max of the row sums of |a| times max |x|) */
static double residual(const kr_complex *a, const kr_complex *x, const kr_complex *b, size_t n,
                       size_t columns)
{
    double worst = 0, norm = 0, most = 0;

    for (size_t i = 0; i < n; i++) {
        double row = 0;

        for (size_t k = 0; k < n; k++)
            row += hypot(a[i * n + k].re, a[i * n + k].im);
        norm = fmax(norm, row);
        for (size_t j = 0; j < columns; j++) {
            long double re = -(long double)b[i * columns + j].re, im = -(long double)b[i * columns + j].im;

            for (size_t k = 0; k < n; k++) {
                kr_complex p = a[i * n + k], q = x[k * columns + j];

                re += (long double)p.re * q.re - (long double)p.im * q.im;
                im += (long double)p.re * q.im + (long double)p.im * q.re;
            }
            worst = fmax(worst, (double)hypotl(re, im));
            most = fmax(most, hypot(x[i * columns + j].re, x[i * columns + j].im));
        }
    }
    return worst / (norm * most);
}

/*
 * Random ones, ones with tiny pivots where rows must change, and Hilbert's, whose condition is
 * beyond double: the residual stays small all the same.
 */
TEST(linear_solves)
{
    matrices *m = malloc(sizeof *m);
    kr_random random = kr_random_from(1);
    size_t    pivots[MOST];

    CHECK_OR_RETURN(m != NULL);
    for (size_t trial = 0; trial < 300; trial++) {
        size_t n = 1 + trial % MOST, columns = 1 + trial % 3;

        fill_random(m->a, n * n, &random);
        fill_random(m->b, n * columns, &random);
        for (size_t i = 0; i < n * n; i++) {
            if (trial % 3 == 1 && i % (n + 1) == 0)
                m->a[i] = kr_complex_scale(m->a[i], 0x1p-60);
            if (trial % 3 == 2)
                m->a[i] = kr_complex_of(1 / (1 + (double)(i / n) + (double)(i % n)), 0);
        }
        memcpy(m->f, m->a, sizeof m->a);
        memcpy(m->x, m->b, sizeof m->b);
        test_note("trial %zu, %zu by %zu", trial, n, n);
        CHECK(kr_linear_factor(m->f, n, pivots));
        kr_linear_solve(m->f, pivots, n, m->x, columns);
        if (!CHECK(residual(m->a, m->x, m->b, n, columns) < 2e-15))
            break;
    }
    test_note("%s", "");
    free(m);
}

TEST(linear_refuses_singular)
{
    kr_complex zero[4] = { { 0, 0 }, { 0, 0 }, { 0, 0 }, { 0, 0 } };
    kr_complex rank1[4] = { { 1, 0 }, { 2, 0 }, { 2, 0 }, { 4, 0 } };
    kr_complex endless[4] = { { HUGE_VAL, 0 }, { 2, 0 }, { 2, 0 }, { 4, 0 } };
    kr_complex none[4] = { { NAN, 0 }, { 2, 0 }, { 2, 0 }, { NAN, 0 } };
    size_t     pivots[2];

    CHECK(!kr_linear_factor(zero, 2, pivots));
    CHECK(!kr_linear_factor(rank1, 2, pivots));
    CHECK(!kr_linear_factor(endless, 2, pivots));
    CHECK(!kr_linear_factor(none, 2, pivots));
    CHECK(kr_linear_factor(zero, 0, pivots));
}

/* a^13 by twelve products; powers of a rotation, which keep to the circle. */
TEST(linear_powers)
{
    matrices *m = malloc(sizeof *m);
    kr_random random = kr_random_from(2);
    enum { N = 7 };

    CHECK_OR_RETURN(m != NULL);
    fill_random(m->a, N * N, &random);
    memcpy(m->f, m->a, sizeof m->a);
    memcpy(m->x, m->a, sizeof m->a);
    for (int i = 1; i < 13; i++) {
        kr_linear_multiply(m->b, m->x, m->a, N);
        memcpy(m->x, m->b, sizeof m->b);
    }
    kr_linear_power(m->f, N, 13, m->spare);
    for (size_t i = 0; i < N * N; i++)
        if (!(CHECK_CLOSE(m->f[i].re, m->x[i].re, 1e-11) & CHECK_CLOSE(m->f[i].im, m->x[i].im, 1e-11)))
            break;
    memcpy(m->f, m->a, sizeof m->a);
    kr_linear_power(m->f, N, 0, m->spare);
    for (size_t i = 0; i < N * N; i++)
        CHECK(m->f[i].re == (i % (N + 1) == 0 ? 1 : 0) && m->f[i].im == 0);
    kr_linear_power(m->a, N, 1, m->spare);
    CHECK(m->a[3].re == m->a[3].re);
    for (size_t i = 0; i < 4; i++)
        m->a[i] = kr_complex_of(i == 0 || i == 3 ? cos(0.001) : i == 1 ? -sin(0.001) : sin(0.001), 0);
    kr_linear_power(m->a, 2, 16000, m->spare);
    CHECK_CLOSE(m->a[0].re, cos(16), 1e-11);
    CHECK_CLOSE(m->a[2].re, sin(16), 1e-11);
    free(m);
}
