/*
 * eigen.c - by the form of Schur: a = Q T Q^*, Q unitary and T upper triangular.
 *
 * Householder's reflections bring a to Hessenberg form, steps of QR with Wilkinson's shift bring
 * its subdiagonal to zero from below, back substitution gives the eigenvectors of T, and Q times
 * them is the result.
 */
#include "core/eigen.h"

#define EPSILON 0x1p-52

/* Rows i and i + 1, or columns, as [c s; -conj(s) c] acts on them. */
typedef struct rotation {
    double     c;
    kr_complex s;
} rotation;

/* v of 'count' becomes w with (1 - 2 w w^*) v along the first axis; 0 if nothing is to be done. */
static int make_reflection(kr_complex *v, size_t count, kr_complex *first)
{
    double     most = 0, square = 0, size, length;
    kr_complex phase = { 1, 0 };

    for (size_t i = 0; i < count; i++)
        if (kr_complex_size(v[i]) > most)
            most = kr_complex_size(v[i]);
    for (size_t i = 1; i < count && most > 0; i++)
        square += kr_complex_square(kr_complex_scale(v[i], 1 / most));
    if (!(square > 0))
        return 0;
    for (size_t i = 0; i < count; i++)
        v[i] = kr_complex_scale(v[i], 1 / most);
    size = kr_complex_magnitude(v[0]);
    length = kr_sqrt_double(square + size * size);
    if (size > 0)
        phase = kr_complex_scale(v[0], 1 / size);
    *first = kr_complex_scale(phase, -length * most);
    v[0] = kr_complex_scale(phase, size + length);      /* the same sign: nothing cancels */
    length = kr_sqrt_double(square + (size + length) * (size + length));
    for (size_t i = 0; i < count; i++)
        v[i] = kr_complex_scale(v[i], 1 / length);
    return 1;
}

/* Rows from 'first' on, columns from 'from' on: a = (1 - 2 w w^*) a. */
static void reflect_rows(kr_complex *a, size_t n, size_t first, size_t from, const kr_complex *w)
{
    for (size_t j = from; j < n; j++) {
        kr_complex sum = { 0, 0 };

        for (size_t i = first; i < n; i++)
            sum = kr_complex_add(sum, kr_complex_multiply(kr_complex_conjugate(w[i - first]),
                                                          a[i * n + j]));
        sum = kr_complex_scale(sum, 2);
        for (size_t i = first; i < n; i++)
            a[i * n + j] = kr_complex_subtract(a[i * n + j], kr_complex_multiply(w[i - first], sum));
    }
}

/* Columns from 'first' on: a = a (1 - 2 w w^*). */
static void reflect_columns(kr_complex *a, size_t n, size_t first, const kr_complex *w)
{
    for (size_t i = 0; i < n; i++) {
        kr_complex sum = { 0, 0 };

        for (size_t j = first; j < n; j++)
            sum = kr_complex_add(sum, kr_complex_multiply(a[i * n + j], w[j - first]));
        sum = kr_complex_scale(sum, 2);
        for (size_t j = first; j < n; j++)
            a[i * n + j] = kr_complex_subtract(
                a[i * n + j], kr_complex_multiply(sum, kr_complex_conjugate(w[j - first])));
    }
}

static void make_hessenberg(kr_complex *a, size_t n, kr_complex *q, kr_complex *w)
{
    for (size_t i = 0; i < n * n; i++)
        q[i] = kr_complex_of(i % (n + 1) == 0 ? 1 : 0, 0);
    for (size_t k = 0; k + 2 < n; k++) {
        kr_complex first;

        for (size_t i = k + 1; i < n; i++)
            w[i - k - 1] = a[i * n + k];
        if (!make_reflection(w, n - k - 1, &first))
            continue;
        reflect_rows(a, n, k + 1, k + 1, w);
        a[(k + 1) * n + k] = first;
        for (size_t i = k + 2; i < n; i++)
            a[i * n + k] = kr_complex_of(0, 0);
        reflect_columns(a, n, k + 1, w);
        reflect_columns(q, n, k + 1, w);
    }
}

/* The eigenvalue of the lower right 2 by 2 of the block that ends at 'end' nearest to its corner. */
static kr_complex choose_shift(const kr_complex *t, size_t n, size_t end)
{
    kr_complex a = t[(end - 1) * n + end - 1], b = t[(end - 1) * n + end];
    kr_complex c = t[end * n + end - 1], d = t[end * n + end];
    kr_complex half = kr_complex_scale(kr_complex_subtract(a, d), 0.5);
    kr_complex product = kr_complex_multiply(b, c), root;

    if (!(kr_complex_size(product) > 0))
        return d;
    root = kr_complex_sqrt(kr_complex_add(kr_complex_multiply(half, half), product));
    if (half.re * root.re + half.im * root.im < 0)
        root = kr_complex_scale(root, -1);
    return kr_complex_subtract(d, kr_complex_divide(product, kr_complex_add(half, root)));
}

/* That takes (a, b) to (r, 0); *r is given back. */
static rotation make_rotation(kr_complex a, kr_complex b, kr_complex *r)
{
    double     x = kr_complex_magnitude(a), y = kr_complex_magnitude(b), length;
    rotation   g = { 1, { 0, 0 } };
    kr_complex phase = { 1, 0 };

    *r = a;
    if (!(y > 0))
        return g;
    length = kr_complex_magnitude(kr_complex_of(x, y));
    if (x > 0)
        phase = kr_complex_of(a.re / x, a.im / x);
    g.c = x / length;
    g.s = kr_complex_multiply(phase, kr_complex_of(b.re / length, -b.im / length));
    *r = kr_complex_scale(phase, length);
    return g;
}

/* (x, y) = (c x + s y, c y - conj(s) x) */
static void rotate(rotation g, kr_complex *x, kr_complex *y)
{
    kr_complex sum = kr_complex_add(kr_complex_scale(*x, g.c), kr_complex_multiply(g.s, *y));

    *y = kr_complex_subtract(kr_complex_scale(*y, g.c),
                             kr_complex_multiply(kr_complex_conjugate(g.s), *x));
    *x = sum;
}

/* One step on the block from 'start' to 'end', both included: rows chased down, columns behind. */
static void step_qr(kr_complex *t, size_t n, size_t start, size_t end, kr_complex shift,
                    kr_complex *q)
{
    kr_complex lead = kr_complex_subtract(t[start * n + start], shift);
    kr_complex below = t[(start + 1) * n + start], r;

    for (size_t k = start; k < end; k++) {
        rotation g = make_rotation(lead, below, &r), back;
        size_t   last = k + 2 < end ? k + 2 : end;

        if (k > start) {
            t[k * n + k - 1] = r;
            t[(k + 1) * n + k - 1] = kr_complex_of(0, 0);
        }
        for (size_t j = k; j < n; j++)
            rotate(g, &t[k * n + j], &t[(k + 1) * n + j]);
        back = g;
        back.s = kr_complex_conjugate(g.s);
        for (size_t i = 0; i <= last; i++)
            rotate(back, &t[i * n + k], &t[i * n + k + 1]);
        for (size_t i = 0; i < n; i++)
            rotate(back, &q[i * n + k], &q[i * n + k + 1]);
        if (k + 1 < end) {
            lead = t[(k + 1) * n + k];
            below = t[(k + 2) * n + k];
        }
    }
}

/* The first row of the block that ends at 'end': above it the subdiagonal is as good as zero. */
static size_t find_start(kr_complex *t, size_t n, size_t end)
{
    size_t start = end;

    for (; start > 0; start--) {
        kr_complex *below = &t[start * n + start - 1];
        double      near = kr_complex_size(t[start * n + start]) +
                           kr_complex_size(t[(start - 1) * n + start - 1]);

        if (kr_complex_size(*below) <= EPSILON * (near > 0 ? near : 1)) {
            *below = kr_complex_of(0, 0);
            break;
        }
    }
    return start;
}

static int make_triangular(kr_complex *t, size_t n, kr_complex *q)
{
    size_t end = n - 1, left = KR_EIGEN_STEPS * n, tries = 0;

    while (end > 0) {
        size_t     start = find_start(t, n, end);
        kr_complex shift;

        if (start == end) {
            end--;
            tries = 0;
            continue;
        }
        if (left-- == 0)
            return 0;
        shift = choose_shift(t, n, end);
        if (++tries % 10 == 0)          /* a cycle is left by any other shift */
            shift = kr_complex_add(t[end * n + end],
                                   kr_complex_of(kr_complex_size(t[end * n + end - 1]), 0));
        step_qr(t, n, start, end, shift, q);
    }
    return 1;
}

/* Column k of q becomes q times the eigenvector k of t, whose entries below k are zero. */
static void take_vector(const kr_complex *t, size_t n, size_t k, kr_complex *q,
                        kr_complex *x)
{
    double most = 1, square = 0;

    x[k] = kr_complex_of(1, 0);
    for (size_t i = k; i-- > 0;) {
        kr_complex sum = { 0, 0 }, gap = kr_complex_subtract(t[k * n + k], t[i * n + i]);

        for (size_t j = i + 1; j <= k; j++)
            sum = kr_complex_add(sum, kr_complex_multiply(t[i * n + j], x[j]));
        if (kr_complex_size(gap) < EPSILON)      /* equal eigenvalues: as if a little apart */
            gap = kr_complex_of(EPSILON, 0);
        x[i] = kr_complex_divide(sum, gap);
        if (kr_complex_size(x[i]) > most)
            most = kr_complex_size(x[i]);
        if (most > 0x1p500) {
            for (size_t j = i; j <= k; j++)
                x[j] = kr_complex_scale(x[j], 1 / most);
            most = 1;
        }
    }
    for (size_t i = 0; i <= k; i++)
        x[i] = kr_complex_scale(x[i], 1 / most);
    for (size_t i = 0; i < n; i++) {
        kr_complex sum = { 0, 0 };

        for (size_t j = 0; j <= k; j++)
            sum = kr_complex_add(sum, kr_complex_multiply(q[i * n + j], x[j]));
        q[i * n + k] = sum;
        square += kr_complex_square(sum);
    }
    for (size_t i = 0; i < n; i++)
        q[i * n + k] = kr_complex_scale(q[i * n + k], 1 / kr_sqrt_double(square));
}

int kr_eigen_find(kr_complex *a, size_t n, kr_complex *values, kr_complex *vectors,
                  kr_complex *spare)
{
    double norm = 0;
    int    k = 0;

    for (size_t i = 0; i < n * n; i++) {
        double size = kr_complex_size(a[i]);

        if (!(size <= DBL_MAX))
            return 0;
        norm = size > norm ? size : norm;
    }
    if (norm > 0)                       /* about 1 from here on: squares neither vanish nor overflow */
        k = (int)(kr_bits_of_double(norm) >> 52) - 1023;
    for (size_t i = 0; i < n * n; i++)
        a[i] = kr_complex_of(kr_scale_double(a[i].re, -k), kr_scale_double(a[i].im, -k));
    make_hessenberg(a, n, vectors, spare);
    if (n > 0 && !make_triangular(a, n, vectors))
        return 0;
    for (size_t j = n; j-- > 0;) {      /* from the last: columns before it are still Q's */
        values[j] = kr_complex_of(kr_scale_double(a[j * n + j].re, k),
                                  kr_scale_double(a[j * n + j].im, k));
        take_vector(a, n, j, vectors, spare);
    }
    return 1;
}
