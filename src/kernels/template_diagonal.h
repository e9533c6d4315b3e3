/*
 * template_diagonal.h - diagonal complex recurrences, for template.h: KR_V channels by a few states
 * at a time, which stay in registers over all rows with what belongs to them.
 */

/* Numbers of some states of KR_V channels, parts apart. */
typedef struct KR_NAME(complex_states) {
    V re[KR_DIAGONAL_STATES], im[KR_DIAGONAL_STATES];
} KR_NAME(complex_states);

KR_INLINE KR_NAME(complex_states) KR_NAME(load_states)(const float *from, const size_t stride, const size_t count)
{
    KR_NAME(complex_states) s;

    KR_UNROLL
    for (size_t i = 0; i < count; i++) {
        s.re[i] = V_LOAD(from + stride * i);
        s.im[i] = V_LOAD(from + stride * i + 16);
    }
    return s;
}

/* h = a h + x for each; what becomes too small is +0, which is seldom, so all are looked at together. */
KR_INLINE void KR_NAME(rotate_states)(KR_NAME(complex_states) *h, const KR_NAME(complex_states) *a,
                                      const KR_NAME(complex_states) *low, V x, const size_t count, const int precise)
{
    V least = V_MOST(), tiny = V_SET(KR_TINY);

    KR_UNROLL
    for (size_t i = 0; i < count; i++) {
        V re = h->re[i], im = h->im[i], real = x, imaginary;

        if (precise) {
            real = V_FMA(low->re[i], re, V_FNMA(low->im[i], im, x));
            imaginary = V_FMA(a->im[i], re, V_FMA(low->re[i], im, V_FMA(low->im[i], re, V_ZERO())));
        } else {
            imaginary = V_FMA(a->im[i], re, V_ZERO());
        }
        h->re[i] = V_FMA(a->re[i], re, V_FNMA(a->im[i], im, real));
        h->im[i] = V_FMA(a->re[i], im, imaginary);
        least = V_LEAST(least, h->re[i]);
        least = V_LEAST(least, h->im[i]);
    }
    if (V_BELOW(least, tiny))
        KR_UNROLL
        for (size_t i = 0; i < count; i++) {
            h->re[i] = V_FLUSH(h->re[i], tiny);
            h->im[i] = V_FLUSH(h->im[i], tiny);
        }
}

/* 'count' states of KR_V channels, from state 'from' on, over all rows; y carries the sum over states. */
KR_INLINE void KR_NAME(diagonal_states)(const kr_diagonal *p, size_t c, const size_t n, size_t from,
                                        const size_t count, const int precise)
{
    size_t                  at = (c / 16 * p->states + from) * 16;
    const float            *from_a = p->a + 4 * at + c % 16;
    float                  *memory = p->h + 2 * at + c % 16;
    KR_NAME(complex_states) h = KR_NAME(load_states)(memory, 32, count);
    KR_NAME(complex_states) a = KR_NAME(load_states)(from_a, 64, count);
    KR_NAME(complex_states) low = KR_NAME(load_states)(from_a + 32, 64, count);
    KR_NAME(complex_states) read = KR_NAME(load_states)(p->c + 2 * at + c % 16, 32, count);
    V                       d = KR_NAME(v_load)(p->d + c, n);

    for (size_t t = 0; t < p->rows; t++) {
        float *to = p->y + t * p->y_stride + c;
        V      x = KR_NAME(v_load)(p->x + t * p->x_stride + c, n);
        V      y = from ? KR_NAME(v_load)(to, n) : V_MUL(d, x);

        KR_NAME(rotate_states)(&h, &a, &low, x, count, precise);
        KR_UNROLL
        for (size_t i = 0; i < count; i++)
            y = V_FMA(read.im[i], h.im[i], V_FMA(read.re[i], h.re[i], y));
        KR_NAME(v_store)(to, y, n);
    }
    KR_UNROLL
    for (size_t i = 0; i < count; i++) {
        V_STORE(memory + 32 * i, h.re[i]);
        V_STORE(memory + 32 * i + 16, h.im[i]);
    }
}

/* The same without y. */
KR_INLINE void KR_NAME(diagonal_ends)(const kr_diagonal *p, size_t c, const size_t n, size_t from,
                                      const size_t count, const int precise)
{
    size_t                  at = (c / 16 * p->states + from) * 16;
    const float            *from_a = p->a + 4 * at + c % 16;
    float                  *memory = p->h + 2 * at + c % 16;
    KR_NAME(complex_states) h = KR_NAME(load_states)(memory, 32, count);
    KR_NAME(complex_states) a = KR_NAME(load_states)(from_a, 64, count);
    KR_NAME(complex_states) low = KR_NAME(load_states)(from_a + 32, 64, count);

    for (size_t t = 0; t < p->rows; t++)
        KR_NAME(rotate_states)(&h, &a, &low, KR_NAME(v_load)(p->x + t * p->x_stride + c, n), count, precise);
    KR_UNROLL
    for (size_t i = 0; i < count; i++) {
        V_STORE(memory + 32 * i, h.re[i]);
        V_STORE(memory + 32 * i + 16, h.im[i]);
    }
}

/* As many as there are, 'count' at a time, from state 'from' on; returns the first that is left. */
KR_INLINE size_t KR_NAME(diagonal_pass)(const kr_diagonal *p, size_t c, const size_t n, size_t from,
                                        const size_t count, const int precise)
{
    for (; from + count <= p->states; from += count)
        if (p->y)
            KR_NAME(diagonal_states)(p, c, n, from, count, precise);
        else
            KR_NAME(diagonal_ends)(p, c, n, from, count, precise);
    return from;
}

KR_INLINE void KR_NAME(diagonal_channels)(const kr_diagonal *p, size_t c, const size_t n, const int precise)
{
    size_t from = KR_NAME(diagonal_pass)(p, c, n, 0, KR_DIAGONAL_STATES, precise);

    if (KR_DIAGONAL_STATES > 4)
        from = KR_NAME(diagonal_pass)(p, c, n, from, 4, precise);
    KR_NAME(diagonal_pass)(p, c, n, from, 1, precise);
}

static void KR_NAME(diagonal_plainly)(const kr_diagonal *p)
{
    size_t c = 0;

    for (; c + KR_V <= p->channels; c += KR_V)
        KR_NAME(diagonal_channels)(p, c, KR_V, 0);
    if (c < p->channels)
        KR_NAME(diagonal_channels)(p, c, p->channels - c, 0);
}

static void KR_NAME(diagonal_precisely)(const kr_diagonal *p)
{
    size_t c = 0;

    for (; c + KR_V <= p->channels; c += KR_V)
        KR_NAME(diagonal_channels)(p, c, KR_V, 1);
    if (c < p->channels)
        KR_NAME(diagonal_channels)(p, c, p->channels - c, 1);
}

/* A few rows at a time through all channels: what they touch stays in the cache. */
static void KR_NAME(diagonal)(const kr_diagonal *p)
{
    for (size_t t = 0; t < p->rows; t += KR_DIAGONAL_ROWS) {
        kr_diagonal part = *p;

        part.x += t * p->x_stride;
        part.y = p->y ? p->y + t * p->y_stride : NULL;
        part.rows = kr_min(p->rows - t, KR_DIAGONAL_ROWS);
        if (p->precise)
            KR_NAME(diagonal_precisely)(&part);
        else
            KR_NAME(diagonal_plainly)(&part);
    }
}

static void KR_NAME(diagonal_combine)(float *end, const float *a, const float *before, size_t count)
{
    V tiny = V_SET(KR_TINY);

    for (; count > 0; count--, end += 32, before += 32, a += 64)
        for (size_t j = 0; j < 16; j += KR_V) {
            V old_re = V_LOAD(before + j), old_im = V_LOAD(before + j + 16);
            V low_re = V_LOAD(a + j + 32), low_im = V_LOAD(a + j + 48);
            V re = V_FMA(low_re, old_re, V_FNMA(low_im, old_im, V_LOAD(end + j)));
            V im = V_FMA(low_re, old_im, V_FMA(low_im, old_re, V_LOAD(end + j + 16)));

            re = V_FMA(V_LOAD(a + j), old_re, V_FNMA(V_LOAD(a + j + 16), old_im, re));
            im = V_FMA(V_LOAD(a + j), old_im, V_FMA(V_LOAD(a + j + 16), old_re, im));
            V_STORE(end + j, V_FLUSH(re, tiny));
            V_STORE(end + j + 16, V_FLUSH(im, tiny));
        }
}
