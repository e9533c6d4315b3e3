/* plain_fourier.c - what the kernel of convolutions does: scan/fft.h says what is where; plain.c has the rest. */
#include "core/real.h"
#include "kernels/plain.h"

typedef struct plain_number { float re, im; } plain_number;

/* Number i of lane j. */
static plain_number plain_get(const float *x, size_t i, size_t j)
{
    return (plain_number){ x[i * 2 * KR_LANES + j], x[i * 2 * KR_LANES + KR_LANES + j] };
}

static void plain_put(float *x, size_t i, size_t j, float re, float im)
{
    x[i * 2 * KR_LANES + j] = re;
    x[i * 2 * KR_LANES + KR_LANES + j] = im;
}

/* a b, and a times what b is mirrored in. */
static plain_number plain_times(plain_number a, plain_number b)
{
    return (plain_number){ kr_fma(-a.im, b.im, a.re * b.re), kr_fma(a.re, b.im, a.im * b.re) };
}

static plain_number plain_back(plain_number a, plain_number b)
{
    return plain_times(a, (plain_number){ b.re, -b.im });
}

/* Four numbers a quarter of 'size' apart become four: numbers 0, 1, 2, 3 of each four frequencies. */
static void plain_four(float *x, size_t size, size_t k, size_t j, const float *w)
{
    size_t       q = size / 4;
    plain_number a = plain_get(x, k, j), b = plain_get(x, k + q, j), c = plain_get(x, k + 2 * q, j);
    plain_number d = plain_get(x, k + 3 * q, j), e, f, g;

    plain_put(x, k, j, (a.re + c.re) + (b.re + d.re), (a.im + c.im) + (b.im + d.im));
    e = plain_times((plain_number){ (a.re - c.re) + (b.im - d.im), (a.im - c.im) - (b.re - d.re) },
                    (plain_number){ w[0], w[1] });
    f = plain_times((plain_number){ (a.re + c.re) - (b.re + d.re), (a.im + c.im) - (b.im + d.im) },
                    (plain_number){ w[2], w[3] });
    g = plain_times((plain_number){ (a.re - c.re) - (b.im - d.im), (a.im - c.im) + (b.re - d.re) },
                    (plain_number){ w[4], w[5] });
    plain_put(x, k + q, j, e.re, e.im);
    plain_put(x, k + 2 * q, j, f.re, f.im);
    plain_put(x, k + 3 * q, j, g.re, g.im);
}

/* The way back. */
static void plain_four_back(float *x, size_t size, size_t k, size_t j, const float *w)
{
    size_t       q = size / 4;
    plain_number a = plain_get(x, k, j), b = plain_back(plain_get(x, k + q, j), (plain_number){ w[0], w[1] });
    plain_number c = plain_back(plain_get(x, k + 2 * q, j), (plain_number){ w[2], w[3] });
    plain_number d = plain_back(plain_get(x, k + 3 * q, j), (plain_number){ w[4], w[5] });

    plain_put(x, k, j, (a.re + c.re) + (b.re + d.re), (a.im + c.im) + (b.im + d.im));
    plain_put(x, k + q, j, (a.re - c.re) - (b.im - d.im), (a.im - c.im) + (b.re - d.re));
    plain_put(x, k + 2 * q, j, (a.re + c.re) - (b.re + d.re), (a.im + c.im) - (b.im + d.im));
    plain_put(x, k + 3 * q, j, (a.re - c.re) + (b.im - d.im), (a.im - c.im) - (b.re - d.re));
}

static void plain_two(float *x, size_t k, size_t j)
{
    plain_number a = plain_get(x, k, j), b = plain_get(x, k + 1, j);

    plain_put(x, k, j, a.re + b.re, a.im + b.im);
    plain_put(x, k + 1, j, a.re - b.re, a.im - b.im);
}

/* Of lane j of n numbers. */
static void plain_transform(float *x, size_t n, size_t j, const float *twiddles)
{
    size_t size = n;

    for (; size >= 4; size /= 4)
        for (size_t from = 0; from < n; from += size)
            for (size_t k = 0; k < size / 4; k++)
                plain_four(x + from * 2 * KR_LANES, size, k, j, twiddles + 6 * (size / 4 - 1 + k));
    for (size_t from = 0; size == 2 && from < n; from += 2)
        plain_two(x, from, j);
}

static void plain_transform_back(float *x, size_t n, size_t j, const float *twiddles)
{
    size_t size = 1;

    while (size * 4 <= n)
        size *= 4;
    for (size_t from = 0; size < n && from < n; from += 2)
        plain_two(x, from, j);
    for (size = size < n ? 8 : 4; size <= n; size *= 4)
        for (size_t from = 0; from < n; from += size)
            for (size_t k = 0; k < size / 4; k++)
                plain_four_back(x + from * 2 * KR_LANES, size, k, j, twiddles + 6 * (size / 4 - 1 + k));
}

/* Row t of the two blocks' number in lane j; zero where there is none. */
static float plain_row(const kr_fourier *p, size_t t, size_t j)
{
    if (t < p->length)
        return p->before ? p->before[t * p->x_stride + j] : 0;
    t -= p->length;
    return t < p->rows ? p->x[t * p->x_stride + j] : 0;
}

static void plain_fold_rows(const kr_fourier *p, size_t j)
{
    for (size_t t = 0; t < (p->pairs ? 2 : 1) * p->length; t++) {
        const float *angle = p->angles + (p->pairs ? 0 : 2 * t * p->angle_step);
        plain_number z = { 0, 0 };

        if (j < p->channels) {
            z.re = plain_row(p, t, j);
            z.im = p->pairs ? plain_row(p, t, p->channels + j) : plain_row(p, t + p->length, j);
        }
        if (!p->pairs)
            z = plain_times(z, (plain_number){ angle[0], angle[1] });
        plain_put(p->work, t, j, z.re, z.im);
    }
}

static void plain_unfold_rows(const kr_fourier *p, size_t j)
{
    for (size_t t = 0; j < p->channels && t < p->rows; t++) {
        const float *angle = p->angles + (p->pairs ? 0 : 2 * t * p->angle_step);
        plain_number z = plain_get(p->work, p->pairs ? p->length + t : t, j);
        float       *y = p->y + t * p->y_stride + j;

        if (!p->pairs) {
            z.im = kr_fma(-z.re, angle[1], z.im * angle[0]);
            y[0] = p->add ? y[0] + z.im : z.im;
            continue;
        }
        y[0] = p->add ? y[0] + z.re : z.re;
        y[p->channels] = p->add ? y[p->channels] + z.im : z.im;
    }
}

void kr_plain_fourier(const kr_fourier *p)
{
    size_t n = (p->pairs ? 2 : 1) * p->length;

    for (size_t j = 0; j < KR_LANES; j++) {
        plain_fold_rows(p, j);
        plain_transform(p->work, n, j, p->twiddles);
        for (size_t i = 0; i < n; i++) {
            plain_number z = plain_get(p->work, i, j);

            if (p->spectrum)
                z = plain_times(z, plain_get(p->spectrum, i, j));
            else
                z = (plain_number){ z.re * (1.0f / (float)n), z.im * (1.0f / (float)n) };
            plain_put(p->work, i, j, z.re, z.im);
        }
        if (!p->spectrum)
            continue;
        plain_transform_back(p->work, n, j, p->twiddles);
        plain_unfold_rows(p, j);
    }
}
