/* dense.c - products, factors and the exponential of real matrices. */
#include "core/dense.h"

#include <string.h>

#include "core/double.h"

enum { DENSE_COLUMNS = 8 };         /* of a product at once: sums that a compiler keeps in registers */

/* Columns from..from+7 of all rows. */
static void multiply_columns(double *out, const double *a, const double *b, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i++) {
        double sum[DENSE_COLUMNS] = { 0 };

        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < DENSE_COLUMNS; j++)
                sum[j] = sum[j] + a[i * n + k] * b[k * n + from + j];
        memcpy(out + i * n + from, sum, sizeof sum);
    }
}

void kr_dense_multiply(double *out, const double *a, const double *b, size_t n)
{
    size_t j = 0;

    for (; j + DENSE_COLUMNS <= n; j += DENSE_COLUMNS)
        multiply_columns(out, a, b, n, j);
    for (; j < n; j++)
        for (size_t i = 0; i < n; i++) {
            double sum = 0;

            for (size_t k = 0; k < n; k++)
                sum = sum + a[i * n + k] * b[k * n + j];
            out[i * n + j] = sum;
        }
}

static void exchange_rows(double *a, double *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double t = a[i];

        a[i] = b[i];
        b[i] = t;
    }
}

/* to -= factor * from */
static void take_row(double *to, const double *from, double factor, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = to[i] - factor * from[i];
}

int kr_dense_factor(double *a, size_t n, size_t *pivots)
{
    for (size_t k = 0; k < n; k++) {
        size_t best = k;
        double most;

        for (size_t i = k + 1; i < n; i++)
            if (kr_magnitude_double(a[i * n + k]) > kr_magnitude_double(a[best * n + k]))
                best = i;
        most = kr_magnitude_double(a[best * n + k]);
        if (!(most > 0 && most <= DBL_MAX))
            return 0;
        pivots[k] = best;
        if (best != k)
            exchange_rows(a + best * n, a + k * n, n);
        for (size_t i = k + 1; i < n; i++) {
            double factor = a[i * n + k] / a[k * n + k];

            a[i * n + k] = factor;
            take_row(a + i * n + k + 1, a + k * n + k + 1, factor, n - k - 1);
        }
    }
    return 1;
}

void kr_dense_solve(const double *factors, const size_t *pivots, size_t n, double *b, size_t columns)
{
    for (size_t k = 0; k < n; k++)
        if (pivots[k] != k)
            exchange_rows(b + k * columns, b + pivots[k] * columns, columns);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            take_row(b + i * columns, b + k * columns, factors[i * n + k], columns);
    for (size_t i = n; i-- > 0;) {
        for (size_t k = n; --k > i;)
            take_row(b + i * columns, b + k * columns, factors[i * n + k], columns);
        for (size_t j = 0; j < columns; j++)
            b[i * columns + j] = b[i * columns + j] / factors[i * n + i];
    }
}

/* The largest sum of magnitudes of a row. */
static double largest_row(const double *a, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < n; i++) {
        double sum = 0;

        for (size_t j = 0; j < n; j++)
            sum = sum + kr_magnitude_double(a[i * n + j]);
        most = sum <= most ? most : sum;        /* NaN counts as more */
    }
    return most;
}

/* Halved until no row sums to more than 1/2; Taylor's sum of 18 terms, by Horner; squared as often. */
void kr_dense_exp(double *a, size_t n, double *spare)
{
    double *sum = spare, *next = spare + n * n, most = largest_row(a, n);
    int     halvings = 0;

    if (!(most <= 1e300)) {
        for (size_t i = 0; i < n * n; i++)
            a[i] = kr_double_of(0x7ff8000000000000u);
        return;
    }
    for (; most > 0.5; most = most / 2)
        halvings++;
    for (size_t i = 0; i < n * n; i++) {
        a[i] = kr_scale_double(a[i], -halvings);
        sum[i] = i % (n + 1) == 0 ? 1 : 0;
    }
    for (int term = 18; term > 0; term--) {
        kr_dense_multiply(next, a, sum, n);
        for (size_t i = 0; i < n * n; i++)
            sum[i] = next[i] / term + (i % (n + 1) == 0 ? 1 : 0);
    }
    for (; halvings > 0; halvings--) {
        kr_dense_multiply(next, sum, sum, n);
        memcpy(sum, next, n * n * sizeof *sum);
    }
    memcpy(a, sum, n * n * sizeof *a);
}
