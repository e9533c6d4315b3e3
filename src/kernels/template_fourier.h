/*
 * template_fourier.h - Fourier transforms of 16 channels side by side, for template.h.
 *
 * A number is [2][16], so nothing is ever moved within a vector.  Passes go depth first: a part of
 * a transform that fits the first cache is finished before the next is begun.
 */

enum { KR_NAME(NEAR) = 256 };               /* numbers, 32 KB */

typedef struct KR_NAME(number) { V re, im; } KR_NAME(number);

KR_INLINE KR_NAME(number) KR_NAME(n_get)(const float *x)
{
    return (KR_NAME(number)){ V_LOAD(x), V_LOAD(x + 16) };
}

KR_INLINE void KR_NAME(n_put)(float *x, KR_NAME(number) a)
{
    V_STORE(x, a.re);
    V_STORE(x + 16, a.im);
}

KR_INLINE KR_NAME(number) KR_NAME(n_add)(KR_NAME(number) a, KR_NAME(number) b)
{
    return (KR_NAME(number)){ V_ADD(a.re, b.re), V_ADD(a.im, b.im) };
}

KR_INLINE KR_NAME(number) KR_NAME(n_sub)(KR_NAME(number) a, KR_NAME(number) b)
{
    return (KR_NAME(number)){ V_SUB(a.re, b.re), V_SUB(a.im, b.im) };
}

/* a - i b, a + i b */
KR_INLINE KR_NAME(number) KR_NAME(n_right)(KR_NAME(number) a, KR_NAME(number) b)
{
    return (KR_NAME(number)){ V_ADD(a.re, b.im), V_SUB(a.im, b.re) };
}

KR_INLINE KR_NAME(number) KR_NAME(n_left)(KR_NAME(number) a, KR_NAME(number) b)
{
    return (KR_NAME(number)){ V_SUB(a.re, b.im), V_ADD(a.im, b.re) };
}

KR_INLINE KR_NAME(number) KR_NAME(n_times)(KR_NAME(number) a, KR_NAME(number) b)
{
    return (KR_NAME(number)){ V_FNMA(a.im, b.im, V_MUL(a.re, b.re)), V_FMA(a.re, b.im, V_MUL(a.im, b.re)) };
}

KR_INLINE KR_NAME(number) KR_NAME(n_back)(KR_NAME(number) a, KR_NAME(number) b)
{
    return (KR_NAME(number)){ V_FMA(a.im, b.im, V_MUL(a.re, b.re)), V_FNMA(a.re, b.im, V_MUL(a.im, b.re)) };
}

/* The same number in all lanes. */
KR_INLINE KR_NAME(number) KR_NAME(n_all)(const float *w)
{
    return (KR_NAME(number)){ V_SET(w[0]), V_SET(w[1]) };
}

/* ---- passes ---------------------------------------------------------------------------------------- */

KR_INLINE void KR_NAME(pass_four)(float *x, size_t size, const float *w)
{
    size_t q = size / 4 * 32;

    for (size_t k = 0; k < q; k += 32, w += 6)
        for (size_t j = k; j < k + 16; j += KR_V) {
            KR_NAME(number) a = KR_NAME(n_get)(x + j), b = KR_NAME(n_get)(x + q + j);
            KR_NAME(number) c = KR_NAME(n_get)(x + 2 * q + j), d = KR_NAME(n_get)(x + 3 * q + j);
            KR_NAME(number) ac = KR_NAME(n_add)(a, c), bd = KR_NAME(n_add)(b, d);

            a = KR_NAME(n_sub)(a, c);
            b = KR_NAME(n_sub)(b, d);
            KR_NAME(n_put)(x + j, KR_NAME(n_add)(ac, bd));
            KR_NAME(n_put)(x + q + j, KR_NAME(n_times)(KR_NAME(n_right)(a, b), KR_NAME(n_all)(w)));
            KR_NAME(n_put)(x + 2 * q + j, KR_NAME(n_times)(KR_NAME(n_sub)(ac, bd), KR_NAME(n_all)(w + 2)));
            KR_NAME(n_put)(x + 3 * q + j, KR_NAME(n_times)(KR_NAME(n_left)(a, b), KR_NAME(n_all)(w + 4)));
        }
}

KR_INLINE void KR_NAME(pass_four_back)(float *x, size_t size, const float *w)
{
    size_t q = size / 4 * 32;

    for (size_t k = 0; k < q; k += 32, w += 6)
        for (size_t j = k; j < k + 16; j += KR_V) {
            KR_NAME(number) a = KR_NAME(n_get)(x + j);
            KR_NAME(number) b = KR_NAME(n_back)(KR_NAME(n_get)(x + q + j), KR_NAME(n_all)(w));
            KR_NAME(number) c = KR_NAME(n_back)(KR_NAME(n_get)(x + 2 * q + j), KR_NAME(n_all)(w + 2));
            KR_NAME(number) d = KR_NAME(n_back)(KR_NAME(n_get)(x + 3 * q + j), KR_NAME(n_all)(w + 4));
            KR_NAME(number) ac = KR_NAME(n_add)(a, c), bd = KR_NAME(n_add)(b, d);

            a = KR_NAME(n_sub)(a, c);
            b = KR_NAME(n_sub)(b, d);
            KR_NAME(n_put)(x + j, KR_NAME(n_add)(ac, bd));
            KR_NAME(n_put)(x + q + j, KR_NAME(n_left)(a, b));
            KR_NAME(n_put)(x + 2 * q + j, KR_NAME(n_sub)(ac, bd));
            KR_NAME(n_put)(x + 3 * q + j, KR_NAME(n_right)(a, b));
        }
}

/* Neighbours, of n numbers. */
static void KR_NAME(pass_two)(float *x, size_t n)
{
    for (size_t k = 0; k < n * 32; k += 64)
        for (size_t j = k; j < k + 16; j += KR_V) {
            KR_NAME(number) a = KR_NAME(n_get)(x + j), b = KR_NAME(n_get)(x + 32 + j);

            KR_NAME(n_put)(x + j, KR_NAME(n_add)(a, b));
            KR_NAME(n_put)(x + 32 + j, KR_NAME(n_sub)(a, b));
        }
}

static void KR_NAME(transform)(float *x, size_t n, const float *twiddles)
{
    size_t size = n;

    if (n > KR_NAME(NEAR)) {
        KR_NAME(pass_four)(x, n, twiddles + 6 * (n / 4 - 1));
        for (size_t i = 0; i < 4; i++)
            KR_NAME(transform)(x + i * (n / 4) * 32, n / 4, twiddles);
        return;
    }
    for (; size >= 4; size /= 4)
        for (size_t from = 0; from < n; from += size)
            KR_NAME(pass_four)(x + from * 32, size, twiddles + 6 * (size / 4 - 1));
    if (size == 2)
        KR_NAME(pass_two)(x, n);
}

static void KR_NAME(transform_back)(float *x, size_t n, const float *twiddles)
{
    size_t size = 4;

    if (n > KR_NAME(NEAR)) {
        for (size_t i = 0; i < 4; i++)
            KR_NAME(transform_back)(x + i * (n / 4) * 32, n / 4, twiddles);
        KR_NAME(pass_four_back)(x, n, twiddles + 6 * (n / 4 - 1));
        return;
    }
    for (size_t left = n; left > 1; left /= 4)
        if (left == 2) {
            KR_NAME(pass_two)(x, n);
            size = 8;
        }
    for (; size <= n; size *= 4)
        for (size_t from = 0; from < n; from += size)
            KR_NAME(pass_four_back)(x + from * 32, size, twiddles + 6 * (size / 4 - 1));
}

/* ---- rows in and out --------------------------------------------------------------------------------- */

/* n numbers of a row, which may be none. */
KR_INLINE V KR_NAME(row_load)(const float *row, size_t n)
{
    return row && n ? KR_NAME(v_load)(row, n) : V_ZERO();
}

KR_INLINE void KR_NAME(row_store)(float *row, V a, size_t n, int add)
{
    KR_NAME(v_store)(row, add ? V_ADD(KR_NAME(v_load)(row, n), a) : a, n);
}

/* Rows from..to-1 of the numbers; those without a row are zero. */
static void KR_NAME(fold_rows)(const kr_fourier *p)
{
    size_t stride = p->x_stride;

    for (size_t t = 0; t < p->length; t++) {
        const float *before = p->before ? p->before + t * stride : NULL;
        const float *x = t < p->rows ? p->x + t * stride : NULL, *angle = p->angles + 2 * t * p->angle_step;

        for (size_t j = 0; j < 16; j += KR_V) {
            size_t          n = p->channels > j ? kr_min(p->channels - j, KR_V) : 0;
            KR_NAME(number) z = { KR_NAME(row_load)(before ? before + j : NULL, n),
                                  KR_NAME(row_load)(x ? x + j : NULL, n) };

            KR_NAME(n_put)(p->work + t * 32 + j, KR_NAME(n_times)(z, KR_NAME(n_all)(angle)));
        }
    }
}

static void KR_NAME(fold_pairs)(const kr_fourier *p)
{
    for (size_t t = 0; t < 2 * p->length; t++) {
        const float *row = t < p->length             ? (p->before ? p->before + t * p->x_stride : NULL)
                         : t < p->length + p->rows ? p->x + (t - p->length) * p->x_stride : NULL;

        for (size_t j = 0; j < 16; j += KR_V) {
            size_t          n = p->channels > j ? kr_min(p->channels - j, KR_V) : 0;
            KR_NAME(number) z = { KR_NAME(row_load)(row ? row + j : NULL, n),
                                  KR_NAME(row_load)(row ? row + p->channels + j : NULL, n) };

            KR_NAME(n_put)(p->work + t * 32 + j, z);
        }
    }
}

static void KR_NAME(unfold_rows)(const kr_fourier *p)
{
    for (size_t t = 0; t < p->rows; t++) {
        const float *angle = p->angles + 2 * t * p->angle_step;

        for (size_t j = 0; j < p->channels; j += KR_V) {
            KR_NAME(number) z = KR_NAME(n_get)(p->work + t * 32 + j);
            V               y = V_FNMA(z.re, V_SET(angle[1]), V_MUL(z.im, V_SET(angle[0])));

            KR_NAME(row_store)(p->y + t * p->y_stride + j, y, kr_min(p->channels - j, KR_V), p->add);
        }
    }
}

static void KR_NAME(unfold_pairs)(const kr_fourier *p)
{
    for (size_t t = 0; t < p->rows; t++)
        for (size_t j = 0; j < p->channels; j += KR_V) {
            KR_NAME(number) z = KR_NAME(n_get)(p->work + (p->length + t) * 32 + j);
            size_t          n = kr_min(p->channels - j, KR_V);
            float          *y = p->y + t * p->y_stride + j;

            KR_NAME(row_store)(y, z.re, n, p->add);
            KR_NAME(row_store)(y + p->channels, z.im, n, p->add);
        }
}

static void KR_NAME(fourier)(const kr_fourier *p)
{
    size_t n = (p->pairs ? 2 : 1) * p->length;
    V      part = V_SET(1.0f / (float)n);

    if (p->pairs)
        KR_NAME(fold_pairs)(p);
    else
        KR_NAME(fold_rows)(p);
    KR_NAME(transform)(p->work, n, p->twiddles);
    if (!p->spectrum) {
        for (size_t i = 0; i < n * 32; i += KR_V)
            V_STORE(p->work + i, V_MUL(V_LOAD(p->work + i), part));
        return;
    }
    for (size_t i = 0; i < n * 32; i += 32)
        for (size_t j = i; j < i + 16; j += KR_V)
            KR_NAME(n_put)(p->work + j, KR_NAME(n_times)(KR_NAME(n_get)(p->work + j), KR_NAME(n_get)(p->spectrum + j)));
    KR_NAME(transform_back)(p->work, n, p->twiddles);
    if (p->pairs)
        KR_NAME(unfold_pairs)(p);
    else
        KR_NAME(unfold_rows)(p);
}
