/* test_dense.c - products, factors and the exponential of real matrices, of sizes around those that loops are cut at. */
#include <math.h>
#include <stdlib.h>

#include "core/dense.h"
#include "support/random.h"
#include "test.h"

enum { MOST = 21 };

static double entry(kr_random *random)
{
    return (double)kr_random_unit(random) + 0x1p-24 * (double)kr_random_unit(random);
}

static void fill(double *a, size_t count, kr_random *random)
{
    for (size_t i = 0; i < count; i++)
        a[i] = entry(random);
}

static double apart(const double *a, const double *b, size_t count)
{
    double worst = 0;

    for (size_t i = 0; i < count; i++)
        worst = isnan(a[i] - b[i]) ? INFINITY : fmax(worst, fabs(a[i] - b[i]));
    return worst;
}

/* a times its solution is the right side, of which the first columns are the unit matrix. */
static void check_solved(size_t n, kr_random *random)
{
    double a[MOST * MOST], factors[MOST * MOST], x[MOST * MOST], back[MOST * MOST], unit[MOST * MOST] = { 0 };
    size_t pivots[MOST];

    fill(a, n * n, random);
    for (size_t i = 0; i < n * n; i++)
        factors[i] = a[i], x[i] = unit[i] = i % (n + 1) == 0;
    if (!CHECK(kr_dense_factor(factors, n, pivots)))
        return;
    kr_dense_solve(factors, pivots, n, x, n);
    kr_dense_multiply(back, a, x, n);
    test_note("%zu", n);
    CHECK(apart(back, unit, n * n) <= 1e-11);
    for (size_t i = 0; i < n; i++)              /* one column alone */
        back[i] = unit[i * n];
    kr_dense_solve(factors, pivots, n, back, 1);
    for (size_t i = 0; i < n; i++)
        CHECK(fabs(back[i] - x[i * n]) <= 1e-11);
    test_note("%s", "");
}

TEST(dense_solves)
{
    kr_random random = kr_random_from(31);
    double    flat[4] = { 1, 2, 2, 4 }, nothing[1] = { 0 }, endless[1] = { INFINITY }, none[1] = { NAN };
    size_t    pivots[2];

    for (size_t n = 1; n <= MOST; n++)
        check_solved(n, &random);
    CHECK_INT(kr_dense_factor(flat, 2, pivots), 0);
    CHECK_INT(kr_dense_factor(nothing, 1, pivots), 0);
    CHECK_INT(kr_dense_factor(endless, 1, pivots), 0);
    CHECK_INT(kr_dense_factor(none, 1, pivots), 0);
}

/* A rotation, something that ends, a decay; and exp(a) exp(-a) = 1 of any. */
TEST(dense_exp)
{
    kr_random random = kr_random_from(32);
    double    spare[2 * MOST * MOST];

    for (double angle = 1e-8; angle < 200; angle *= 7) {
        double turn[4] = { -0.25, -angle, angle, -0.25 }, size = exp(-0.25);
        double expected[4] = { size * cos(angle), -size * sin(angle), size * sin(angle), size * cos(angle) };
        double shift[9] = { 0, angle, 0, 0, 0, angle, 0, 0, 0 }, ends[9] = { 1, angle, angle * angle / 2, 0, 1, angle, 0, 0, 1 };
        double decay[1] = { -angle }, left[1] = { exp(-angle) };

        kr_dense_exp(turn, 2, spare);
        kr_dense_exp(shift, 3, spare);
        kr_dense_exp(decay, 1, spare);
        test_note("%g", angle);
        CHECK(apart(turn, expected, 4) <= 4e-15 * (1 + angle));
        CHECK(apart(shift, ends, 9) <= 4e-15 * (1 + angle) * (1 + angle));
        CHECK(apart(decay, left, 1) <= 4e-15 * (1 + angle));
        test_note("%s", "");
    }
    for (size_t n = 1; n <= MOST; n++) {
        double a[MOST * MOST], back[MOST * MOST], product[MOST * MOST], unit[MOST * MOST] = { 0 };

        fill(a, n * n, &random);
        for (size_t i = 0; i < n * n; i++)
            back[i] = -a[i], unit[i] = i % (n + 1) == 0;
        kr_dense_exp(a, n, spare);
        kr_dense_exp(back, n, spare);
        kr_dense_multiply(product, a, back, n);
        CHECK(apart(product, unit, n * n) <= 1e-11);
    }
}

TEST(dense_exp_of_no_number)
{
    double spare[8], a[4] = { 1, NAN, 0, 1 }, b[4] = { 1, 0, INFINITY, 1 };

    kr_dense_exp(a, 2, spare);
    kr_dense_exp(b, 2, spare);
    CHECK(isnan(a[0]) && isnan(b[3]));
}
