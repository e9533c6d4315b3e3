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

/*
 * y of the states as they are, unless it is NULL; then h = a h + x for each.  Side by side: the chain of y is long, and a
 * CPU that looks only so far ahead would wait for it.  What becomes too small is +0: looked for in all states together,
 * unless they are fading.
 */
KR_INLINE void KR_NAME(rotate_states)(KR_NAME(complex_states) *h, const KR_NAME(complex_states) *a,
                                      const KR_NAME(complex_states) *low, const KR_NAME(complex_states) *read, V *y,
                                      V x, const size_t count, const int precise, const kr_liveliness alive)
{
    const size_t second = count > 4;        /* a chain of its own, where that is long */
    V            least[2] = { V_MOST(), V_MOST() }, tiny = V_SET(KR_TINY);

    KR_UNROLL
    for (size_t i = 0; i < count; i++) {
        V re = h->re[i], im = h->im[i], real = x, imaginary;

        if (y)
            *y = V_FMA(read->im[i], im, V_FMA(read->re[i], re, *y));
        if (precise) {
            real = V_FMA(low->re[i], re, V_FNMA(low->im[i], im, x));
            imaginary = V_FMA(a->im[i], re, V_FMA(low->re[i], im, V_FMA(low->im[i], re, V_ZERO())));
        } else {
            imaginary = V_FMA(a->im[i], re, V_ZERO());
        }
        h->re[i] = V_FMA(a->re[i], re, V_FNMA(a->im[i], im, real));
        h->im[i] = V_FMA(a->re[i], im, imaginary);
        if (alive == KR_STILL) {
            h->re[i] = re;
            h->im[i] = im;
        }
        if (alive == KR_LIVELY) {
            least[0] = V_LEAST(least[0], h->re[i]);
            least[second] = V_LEAST(least[second], h->im[i]);
        }
    }
    if (second)
        least[0] = V_LEAST(least[0], least[1]);
    if (alive == KR_FADING || V_BELOW(least[0], tiny))
        KR_UNROLL
        for (size_t i = 0; i < count; i++) {
            h->re[i] = V_FLUSH(h->re[i], tiny);
            h->im[i] = V_FLUSH(h->im[i], tiny);
        }
}

/* Of states in memory and the rows that come to them; c and n: their channels. */
KR_INLINE kr_liveliness KR_NAME(liveliness)(const kr_diagonal *p, const float *memory, size_t c, const size_t n,
                                            const size_t count)
{
    V        least = V_MOST();
    uint32_t any = 0;

    for (size_t i = 0; i < 2 * count; i++)
        least = V_LEAST(least, V_LOAD(memory + 16 * i));
    if (!V_BELOW(least, V_SET(KR_TINY)))
        return KR_LIVELY;
    for (size_t i = 0; i < 2 * count; i++)
        for (size_t j = 0; j < KR_V; j++)
            any |= kr_bits_of(memory[16 * i + j]) << 1;
    for (size_t t = 0; t < p->rows && !any; t++)
        for (size_t j = 0; j < n; j++)
            any |= kr_bits_of(p->x[t * p->x_stride + c + j]) << 1;
    return any ? KR_FADING : KR_STILL;
}

/* y of a row before its states from 'from' on. */
KR_INLINE V KR_NAME(diagonal_begin)(const kr_diagonal *p, size_t t, size_t c, const size_t n, size_t from, V d)
{
    return from ? KR_NAME(v_load)(p->y + t * p->y_stride + c, n)
                : V_MUL(d, KR_NAME(v_load)(p->x + t * p->x_stride + c, n));
}

/* Over all rows; y, unless it is not wanted, carries the sum over the states before 'from' and is given theirs. */
KR_INLINE void KR_NAME(rotate_rows)(const kr_diagonal *p, float *memory, size_t c, const size_t n, size_t from,
                                    const size_t count, const int precise, const int reads,
                                    const kr_liveliness alive)
{
    size_t                  at = (c / 16 * p->states + from) * 16;
    const float            *from_a = p->a + 4 * at + c % 16;
    KR_NAME(complex_states) h = KR_NAME(load_states)(memory, 32, count);
    KR_NAME(complex_states) a = KR_NAME(load_states)(from_a, 64, count);
    KR_NAME(complex_states) low = KR_NAME(load_states)(from_a + 32, 64, count);
    KR_NAME(complex_states) read = KR_NAME(load_states)(p->c + 2 * at + c % 16, 32, count);
    V                       d = KR_NAME(v_load)(p->d + c, n);

    if (alive != KR_STILL)
        KR_NAME(rotate_states)(&h, &a, &low, NULL, NULL, KR_NAME(v_load)(p->x + c, n), count, precise, alive);
    for (size_t t = 1; t < p->rows; t++) {
        V x = KR_NAME(v_load)(p->x + t * p->x_stride + c, n), y;

        if (reads)
            y = KR_NAME(diagonal_begin)(p, t - 1, c, n, from, d);
        KR_NAME(rotate_states)(&h, &a, &low, &read, reads ? &y : NULL, x, count, precise, alive);
        if (reads)
            KR_NAME(v_store)(p->y + (t - 1) * p->y_stride + c, y, n);
    }
    if (reads) {
        V y = KR_NAME(diagonal_begin)(p, p->rows - 1, c, n, from, d);

        KR_UNROLL
        for (size_t i = 0; i < count; i++)
            y = V_FMA(read.im[i], h.im[i], V_FMA(read.re[i], h.re[i], y));
        KR_NAME(v_store)(p->y + (p->rows - 1) * p->y_stride + c, y, n);
    }
    KR_UNROLL
    for (size_t i = 0; i < count; i++) {
        V_STORE(memory + 32 * i, h.re[i]);
        V_STORE(memory + 32 * i + 16, h.im[i]);
    }
}

/* 'count' states of KR_V channels, from state 'from' on. */
KR_INLINE void KR_NAME(diagonal_states)(const kr_diagonal *p, size_t c, const size_t n, size_t from,
                                        const size_t count, const int precise, const int reads)
{
    float *memory = p->h + 2 * (c / 16 * p->states + from) * 16 + c % 16;

    switch (KR_NAME(liveliness)(p, memory, c, n, count)) {
    case KR_LIVELY: KR_NAME(rotate_rows)(p, memory, c, n, from, count, precise, reads, KR_LIVELY); break;
    case KR_FADING: KR_NAME(rotate_rows)(p, memory, c, n, from, count, precise, reads, KR_FADING); break;
    case KR_STILL:
        if (reads)
            KR_NAME(rotate_rows)(p, memory, c, n, from, count, 0, 1, KR_STILL);
    }
}

/* As many as there are, 'count' at a time, from state 'from' on; returns the first that is left. */
KR_INLINE size_t KR_NAME(diagonal_pass)(const kr_diagonal *p, size_t c, const size_t n, size_t from,
                                        const size_t count, const int precise)
{
    for (; from + count <= p->states; from += count)
        if (p->y)
            KR_NAME(diagonal_states)(p, c, n, from, count, precise, 1);
        else
            KR_NAME(diagonal_states)(p, c, n, from, count, precise, 0);
    return from;
}

KR_INLINE void KR_NAME(diagonal_channels)(const kr_diagonal *p, size_t c, const size_t n, const int precise)
{
    size_t from = KR_NAME(diagonal_pass)(p, c, n, 0, KR_DIAGONAL_STATES, precise);

    if (KR_DIAGONAL_STATES > 4)
        from = KR_NAME(diagonal_pass)(p, c, n, from, 4, precise);
    KR_NAME(diagonal_pass)(p, c, n, from, 1, precise);
}

/* One state of KR_V channels in the one row that there is; returns what becomes of y. */
KR_INLINE V KR_NAME(diagonal_once)(const kr_diagonal *p, size_t c, size_t state, V x, V y, const int precise)
{
    size_t       at = (c / 16 * p->states + state) * 16;
    const float *a = p->a + 4 * at + c % 16, *read = p->c + 2 * at + c % 16;
    float       *h = p->h + 2 * at + c % 16;
    V            re = V_LOAD(h), im = V_LOAD(h + 16), real = x, imaginary, tiny = V_SET(KR_TINY);

    if (precise) {
        real = V_FMA(V_LOAD(a + 32), re, V_FNMA(V_LOAD(a + 48), im, x));
        imaginary = V_FMA(V_LOAD(a + 16), re, V_FMA(V_LOAD(a + 32), im, V_FMA(V_LOAD(a + 48), re, V_ZERO())));
    } else {
        imaginary = V_FMA(V_LOAD(a + 16), re, V_ZERO());
    }
    real = V_FLUSH(V_FMA(V_LOAD(a), re, V_FNMA(V_LOAD(a + 16), im, real)), tiny);
    imaginary = V_FLUSH(V_FMA(V_LOAD(a), im, imaginary), tiny);
    V_STORE(h, real);
    V_STORE(h + 16, imaginary);
    return V_FMA(V_LOAD(read + 16), imaginary, V_FMA(V_LOAD(read), real, y));
}

/*
 * One row of as many channels as there are in pairs of vectors; returns the first that is left.  Nothing can stay in
 * registers for a next row, but two sums run side by side; with four, their panels get in each other's way in the cache.
 */
KR_INLINE size_t KR_NAME(diagonal_row)(const kr_diagonal *p, const int precise)
{
    size_t c = 0;

    for (; c + 2 * KR_V <= p->channels; c += 2 * KR_V) {
        V x[2], y[2];

        KR_UNROLL
        for (size_t i = 0; i < 2; i++) {
            x[i] = V_LOAD(p->x + c + i * KR_V);
            y[i] = V_MUL(V_LOAD(p->d + c + i * KR_V), x[i]);
        }
        for (size_t state = 0; state < p->states; state++)
            KR_UNROLL
            for (size_t i = 0; i < 2; i++)
                y[i] = KR_NAME(diagonal_once)(p, c + i * KR_V, state, x[i], y[i], precise);
        if (!p->y)
            continue;
        KR_UNROLL
        for (size_t i = 0; i < 2; i++)
            V_STORE(p->y + c + i * KR_V, y[i]);
    }
    return c;
}

static void KR_NAME(diagonal_plainly)(const kr_diagonal *p)
{
    size_t c = p->rows == 1 ? KR_NAME(diagonal_row)(p, 0) : 0;

    for (; c + KR_V <= p->channels; c += KR_V)
        KR_NAME(diagonal_channels)(p, c, KR_V, 0);
    if (c < p->channels)
        KR_NAME(diagonal_channels)(p, c, p->channels - c, 0);
}

static void KR_NAME(diagonal_precisely)(const kr_diagonal *p)
{
    size_t c = p->rows == 1 ? KR_NAME(diagonal_row)(p, 1) : 0;

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
