/* linear.c - factoring, solving, powers. */
#include "core/linear.h"

static void swap_rows(kr_complex *a, kr_complex *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kr_complex t = a[i];

        a[i] = b[i];
        b[i] = t;
    }
}

/* to -= factor * from */
static void subtract_row(kr_complex *to, const kr_complex *from, kr_complex factor, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = kr_complex_subtract(to[i], kr_complex_multiply(factor, from[i]));
}

int kr_linear_factor(kr_complex *a, size_t n, size_t *pivots)
{
    for (size_t k = 0; k < n; k++) {
        size_t best = k;
        double most;

        for (size_t i = k + 1; i < n; i++)
            if (kr_complex_size(a[i * n + k]) > kr_complex_size(a[best * n + k]))
                best = i;
        most = kr_complex_size(a[best * n + k]);
        if (!(most > 0 && most <= DBL_MAX))
            return 0;
        pivots[k] = best;
        if (best != k)
            swap_rows(a + best * n, a + k * n, n);
        for (size_t i = k + 1; i < n; i++) {
            kr_complex factor = kr_complex_divide(a[i * n + k], a[k * n + k]);

            a[i * n + k] = factor;
            subtract_row(a + i * n + k + 1, a + k * n + k + 1, factor, n - k - 1);
        }
    }
    return 1;
}

void kr_linear_solve(const kr_complex *factors, const size_t *pivots, size_t n, kr_complex *b,
                     size_t columns)
{
    for (size_t k = 0; k < n; k++)
        if (pivots[k] != k)
            swap_rows(b + k * columns, b + pivots[k] * columns, columns);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            subtract_row(b + i * columns, b + k * columns, factors[i * n + k], columns);
    for (size_t i = n; i-- > 0;) {
        for (size_t k = n; --k > i;)
            subtract_row(b + i * columns, b + k * columns, factors[i * n + k], columns);
        for (size_t j = 0; j < columns; j++)
            b[i * columns + j] = kr_complex_divide(b[i * columns + j], factors[i * n + i]);
    }
}

void kr_linear_multiply(kr_complex *out, const kr_complex *a, const kr_complex *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++)
            out[i * n + j] = kr_complex_of(0, 0);
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < n; j++)
                out[i * n + j] = kr_complex_add(out[i * n + j],
                                                kr_complex_multiply(a[i * n + k], b[k * n + j]));
    }
}

static void copy_numbers(kr_complex *to, const kr_complex *from, size_t count)
{
    memcpy(to, from, count * sizeof *to);
}

void kr_linear_power(kr_complex *a, size_t n, uint64_t exponent, kr_complex *spare)
{
    size_t      count = n * n;
    kr_complex *power = spare, *next = spare + count;

    for (size_t i = 0; i < count; i++)
        power[i] = kr_complex_of(i % (n + 1) == 0 ? 1 : 0, 0);
    for (; exponent; exponent >>= 1) {
        if (exponent & 1) {
            kr_linear_multiply(next, power, a, n);
            copy_numbers(power, next, count);
        }
        if (exponent > 1) {
            kr_linear_multiply(next, a, a, n);
            copy_numbers(a, next, count);
        }
    }
    copy_numbers(a, power, count);
}
