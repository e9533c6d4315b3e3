/*
 * template_selective.h - the depthwise convolution, and Mamba's selective scan.
 *
 * Included by template.h.  KR_V channels at a time.
 */

/* Row t of KR_V channels: the taps meet rows of the window and then of x. */
KR_INLINE void KR_NAME(conv_channels)(const kr_conv *p, size_t t, size_t c, const size_t n)
{
    const float *w = p->w + c / 16 * p->taps * 16 + c % 16;
    V            sum = p->bias ? KR_NAME(v_load)(p->bias + c, n) : V_ZERO();

    for (size_t k = 0; k < p->taps; k++) {
        size_t       at = t + k;
        const float *x = at < p->taps - 1 ? p->window + at * p->window_stride
                                          : p->x + (at - (p->taps - 1)) * p->x_stride;

        sum = V_FMA(V_LOAD(w + 16 * k), KR_NAME(v_load)(x + c, n), sum);
    }
    KR_NAME(v_store)(p->y + t * p->y_stride + c, p->silu ? KR_NAME(v_silu)(sum) : sum, n);
}

/* Four taps, which nearly every model has: weights and the rows that they meet stay in registers. */
KR_INLINE void KR_NAME(conv_four)(const kr_conv *p, size_t c, const size_t n)
{
    const float *w = p->w + c / 16 * 64 + c % 16, *window = p->window + c;
    V            w0 = V_LOAD(w), w1 = V_LOAD(w + 16), w2 = V_LOAD(w + 32), w3 = V_LOAD(w + 48);
    V            bias = p->bias ? KR_NAME(v_load)(p->bias + c, n) : V_ZERO();
    V            x0 = KR_NAME(v_load)(window, n), x1 = KR_NAME(v_load)(window + p->window_stride, n);
    V            x2 = KR_NAME(v_load)(window + 2 * p->window_stride, n);

    for (size_t t = 0; t < p->rows; t++) {
        V x3 = KR_NAME(v_load)(p->x + t * p->x_stride + c, n), sum = V_FMA(w0, x0, bias);

        sum = V_FMA(w3, x3, V_FMA(w2, x2, V_FMA(w1, x1, sum)));
        KR_NAME(v_store)(p->y + t * p->y_stride + c, p->silu ? KR_NAME(v_silu)(sum) : sum, n);
        x0 = x1, x1 = x2, x2 = x3;
    }
}

static void KR_NAME(conv)(const kr_conv *p)
{
    size_t whole = p->channels / KR_V * KR_V, part = p->channels - whole;

    if (p->taps == 4) {
        for (size_t c = 0; c < whole; c += KR_V)
            KR_NAME(conv_four)(p, c, KR_V);
        if (part)
            KR_NAME(conv_four)(p, whole, part);
        return;
    }
    for (size_t t = 0; t < p->rows; t++) {
        for (size_t c = 0; c < whole; c += KR_V)
            KR_NAME(conv_channels)(p, t, c, KR_V);
        if (part)
            KR_NAME(conv_channels)(p, t, whole, part);
    }
}

/*
 * A block of rows of up to 64 channels, vector by vector: dt ready for use, and the sums of y.  They stand here
 * rather than in the rows so that nothing of a block is written but its states and the y behind the gate.
 */
enum { KR_NAME(STRIP) = 64 / KR_V, KR_NAME(VECTORS) = 4 };           /* vectors; a vector's rows are as many cells apart */

typedef struct KR_NAME(cell) { V dt, y; } KR_NAME(cell);

KR_INLINE void KR_NAME(scan_times)(const kr_selective *p, KR_NAME(cell) *cell, size_t c, const size_t n)
{
    for (size_t t = 0; t < p->rows; t++) {
        V dt = KR_NAME(v_load)(p->dt + t * p->dt_stride + c, n);

        cell[t * KR_NAME(STRIP)].dt = p->softplus ? KR_NAME(v_softplus)(dt) : dt;
    }
}

/*
 * Do all products dt a of the block lie where exp takes them as they are?  Then neither bound has to be held
 * for any of them.  NaN among them does not count, since it would pass; and a few rows are not worth the question.
 */
KR_INLINE int KR_NAME(scan_is_tame)(const kr_selective *p, const KR_NAME(cell) *cell, size_t c)
{
    const float *a = p->a + c / 16 * p->states * 16 + c % 16;
    V            least = V_ZERO(), most = V_ZERO(), low = V_ZERO(), high = V_ZERO();

    if (p->rows < KR_SCAN_ROWS / 4)
        return 0;
    for (size_t i = 0; i < p->states; i++) {
        least = V_MIN(V_LOAD(a + 16 * i), least);
        most = V_MAX(V_LOAD(a + 16 * i), most);
    }
    for (size_t t = 0; t < p->rows; t++) {
        low = V_MIN(cell[t * KR_NAME(STRIP)].dt, low);
        high = V_MAX(cell[t * KR_NAME(STRIP)].dt, high);
    }
    return !V_BELOW(low, V_ZERO()) && !V_BELOW(V_NEGATE(most), V_ZERO()) &&
           !V_BELOW(V_MUL(high, least), V_SET(KR_EXP_LOW));
}

/*
 * 'count' states of KR_V channels, from state 'from' on, over all rows.  The states stay in
 * registers over time; y carries the sum over states from one such pass to the next.
 */
KR_INLINE void KR_NAME(scan_states)(const kr_selective *p, KR_NAME(cell) *cell, size_t c, const size_t n, size_t from,
                                    const size_t count, const int held)
{
    size_t       at = (c / 16 * p->states + from) * 16 + c % 16;
    const float *a = p->a + at;
    float       *memory = p->h + at;
    V            h[KR_SCAN_STATES], tiny = V_SET(KR_TINY);

    KR_UNROLL
    for (size_t i = 0; i < count; i++)
        h[i] = V_LOAD(memory + 16 * i);
    for (size_t t = 0; t < p->rows; t++) {
        const float *b = p->b + t * p->bc_stride + from, *read = p->c + t * p->bc_stride + from;
        V            dt = cell[t * KR_NAME(STRIP)].dt, dtx = V_MUL(dt, KR_NAME(v_load)(p->x + t * p->x_stride + c, n));
        V            y = from ? cell[t * KR_NAME(STRIP)].y : V_ZERO(), least = V_MOST();

        KR_UNROLL
        for (size_t i = 0; i < count; i += KR_EXP_VECTORS) {
            const size_t group = count - i < KR_EXP_VECTORS ? count - i : KR_EXP_VECTORS;
            V            decay[KR_EXP_VECTORS];

            KR_UNROLL
            for (size_t j = 0; j < group; j++)
                decay[j] = V_MUL(dt, V_LOAD(a + 16 * (i + j)));
            KR_NAME(v_exp_all)(decay, group, held);
            KR_UNROLL
            for (size_t j = 0; j < group; j++) {
                h[i + j] = V_FMA(decay[j], h[i + j], V_MUL(dtx, V_SET(b[i + j])));
                least = V_LEAST(least, h[i + j]);
            }
        }
        if (V_BELOW(least, tiny))
            KR_UNROLL
            for (size_t i = 0; i < count; i++)
                h[i] = V_FLUSH(h[i], tiny);
        KR_UNROLL
        for (size_t i = 0; i < count; i++)
            y = V_FMA(V_SET(read[i]), h[i], y);
        cell[t * KR_NAME(STRIP)].y = y;
    }
    KR_UNROLL
    for (size_t i = 0; i < count; i++)
        V_STORE(memory + 16 * i, h[i]);
}

/* y of all states, without d x and the gate. */
KR_INLINE void KR_NAME(scan_sums)(const kr_selective *p, KR_NAME(cell) *cell, size_t c, const size_t n, const int held)
{
    size_t from = 0;

    for (; from + KR_SCAN_STATES <= p->states; from += KR_SCAN_STATES)
        KR_NAME(scan_states)(p, cell, c, n, from, KR_SCAN_STATES, held);
    for (; from < p->states; from++)
        KR_NAME(scan_states)(p, cell, c, n, from, 1, held);
}

KR_INLINE void KR_NAME(scan_channels)(const kr_selective *p, KR_NAME(cell) *cell, size_t c, const size_t n)
{
    if (KR_NAME(scan_is_tame)(p, cell, c))
        KR_NAME(scan_sums)(p, cell, c, n, 0);
    else
        KR_NAME(scan_sums)(p, cell, c, n, 1);
}

KR_INLINE void KR_NAME(scan_gate)(const kr_selective *p, const KR_NAME(cell) *cell, size_t c, const size_t n)
{
    V d = KR_NAME(v_load)(p->d + c, n);

    for (size_t t = 0; t < p->rows; t++) {
        V y = V_FMA(d, KR_NAME(v_load)(p->x + t * p->x_stride + c, n), cell[t * KR_NAME(STRIP)].y);

        if (p->z)
            y = V_MUL(y, KR_NAME(v_silu)(KR_NAME(v_load)(p->z + t * p->z_stride + c, n)));
        KR_NAME(v_store)(p->y + t * p->y_stride + c, y, n);
    }
}

/* All rows of a block, 64 channels at a time: what they touch stays in the cache, and functions of many are under way at once. */
static void KR_NAME(scan_block)(const kr_selective *p)
{
    KR_NAME(cell) cells[KR_SCAN_ROWS * KR_NAME(STRIP)];

    for (size_t from = 0; from < p->channels; from += 64) {
        size_t whole = kr_min(p->channels - from, 64) / KR_V, part = kr_min(p->channels - from, 64) % KR_V;
        size_t rest = from + whole * KR_V;

        for (size_t i = 0; i < whole; i++)
            KR_NAME(scan_times)(p, cells + i, from + i * KR_V, KR_V);
        if (part)
            KR_NAME(scan_times)(p, cells + whole, rest, part);
        for (size_t i = 0; i < whole; i++)
            KR_NAME(scan_channels)(p, cells + i, from + i * KR_V, KR_V);
        if (part)
            KR_NAME(scan_channels)(p, cells + whole, rest, part);
        for (size_t i = 0; i < whole; i++)
            KR_NAME(scan_gate)(p, cells + i, from + i * KR_V, KR_V);
        if (part)
            KR_NAME(scan_gate)(p, cells + whole, rest, part);
    }
}

/* 'count' states of the only row, from state 'from' on: y goes on. */
KR_INLINE V KR_NAME(scan_step)(const kr_selective *p, V dt, V dtx, V y, size_t c, size_t from, const size_t count)
{
    size_t       at = (c / 16 * p->states + from) * 16 + c % 16;
    const float *a = p->a + at, *b = p->b + from, *read = p->c + from;
    float       *memory = p->h + at;
    V            decay[KR_EXP_VECTORS];

    KR_UNROLL
    for (size_t i = 0; i < count; i++)
        decay[i] = V_MUL(dt, V_LOAD(a + 16 * i));
    KR_NAME(v_exp_all)(decay, count, 1);
    KR_UNROLL
    for (size_t i = 0; i < count; i++) {
        V h = V_FLUSH(V_FMA(decay[i], V_LOAD(memory + 16 * i), V_MUL(dtx, V_SET(b[i]))), V_SET(KR_TINY));

        V_STORE(memory + 16 * i, h);
        y = V_FMA(V_SET(read[i]), h, y);
    }
    return y;
}

KR_INLINE void KR_NAME(scan_one)(const kr_selective *p, V dt, size_t c, const size_t n)
{
    V      x = KR_NAME(v_load)(p->x + c, n), dtx = V_MUL(dt, x), y = V_ZERO();
    size_t from = 0;

    for (; from + KR_EXP_VECTORS <= p->states; from += KR_EXP_VECTORS)
        y = KR_NAME(scan_step)(p, dt, dtx, y, c, from, KR_EXP_VECTORS);
    for (; from < p->states; from++)
        y = KR_NAME(scan_step)(p, dt, dtx, y, c, from, 1);
    y = V_FMA(KR_NAME(v_load)(p->d + c, n), x, y);
    if (p->z)
        y = V_MUL(y, KR_NAME(v_silu)(KR_NAME(v_load)(p->z + c, n)));
    KR_NAME(v_store)(p->y + c, y, n);
}

/*
 * A single row needs no block: everything of a vector stays in registers.  The functions of dt, which all
 * of its states wait for, are under way for several vectors at once.
 */
static void KR_NAME(scan_row)(const kr_selective *p)
{
    V      dt[KR_NAME(VECTORS)];
    size_t c = 0;

    for (; c + KR_NAME(VECTORS) * KR_V <= p->channels; c += KR_NAME(VECTORS) * KR_V) {
        KR_UNROLL
        for (size_t i = 0; i < KR_NAME(VECTORS); i++)
            dt[i] = V_LOAD(p->dt + c + i * KR_V);
        if (p->softplus)
            KR_UNROLL
            for (size_t i = 0; i < KR_NAME(VECTORS); i++)
                dt[i] = KR_NAME(v_softplus)(dt[i]);
        for (size_t i = 0; i < KR_NAME(VECTORS); i++)
            KR_NAME(scan_one)(p, dt[i], c + i * KR_V, KR_V);
    }
    for (; c < p->channels; c += KR_V) {
        size_t n = kr_min(p->channels - c, KR_V);

        dt[0] = KR_NAME(v_load)(p->dt + c, n);
        KR_NAME(scan_one)(p, p->softplus ? KR_NAME(v_softplus)(dt[0]) : dt[0], c, n);
    }
}

static void KR_NAME(selective)(const kr_selective *p)
{
    if (p->rows == 1) {
        KR_NAME(scan_row)(p);
        return;
    }
    for (size_t t = 0; t < p->rows; t += KR_SCAN_ROWS) {
        kr_selective part = *p;

        part.x += t * p->x_stride;
        part.dt += t * p->dt_stride;
        part.z = p->z ? p->z + t * p->z_stride : NULL;
        part.b += t * p->bc_stride;
        part.c += t * p->bc_stride;
        part.y += t * p->y_stride;
        part.rows = kr_min(p->rows - t, KR_SCAN_ROWS);
        KR_NAME(scan_block)(&part);
    }
}

/* What scan_states does, without y; and the product of the decays, as its distance from 1. */
KR_INLINE void KR_NAME(end_states)(const kr_selective *p, float *distance, float *end, size_t c, const size_t n,
                                   size_t from, const size_t count)
{
    size_t       at = (c / 16 * p->states + from) * 16 + c % 16;
    const float *a = p->a + at;
    V            h[KR_SCAN_STATES], below[KR_SCAN_STATES], tiny = V_SET(KR_TINY);

    distance += at;
    end += at;
    KR_UNROLL
    for (size_t i = 0; i < count; i++) {
        h[i] = V_LOAD(end + 16 * i);
        below[i] = V_LOAD(distance + 16 * i);
    }
    for (size_t t = 0; t < p->rows; t++) {
        const float *b = p->b + t * p->bc_stride + from;
        V            dt = KR_NAME(v_load)(p->dt + t * p->dt_stride + c, n);
        V            dtx = V_MUL(dt, KR_NAME(v_load)(p->x + t * p->x_stride + c, n));

        KR_UNROLL
        for (size_t i = 0; i < count; i += KR_EXP_VECTORS) {
            const size_t group = count - i < KR_EXP_VECTORS ? count - i : KR_EXP_VECTORS;
            V            decay[KR_EXP_VECTORS];

            KR_UNROLL
            for (size_t j = 0; j < group; j++)
                decay[j] = V_MUL(dt, V_LOAD(a + 16 * (i + j)));
            KR_NAME(v_exp_all)(decay, group, 1);
            KR_UNROLL
            for (size_t j = 0; j < group; j++) {
                V new = V_FMA(decay[j], h[i + j], V_MUL(dtx, V_SET(b[i + j])));

                h[i + j] = V_FLUSH(new, tiny);
                below[i + j] = V_FMA(decay[j], below[i + j], V_SUB(decay[j], V_SET(1.0f)));
            }
        }
    }
    KR_UNROLL
    for (size_t i = 0; i < count; i++) {
        V_STORE(end + 16 * i, h[i]);
        V_STORE(distance + 16 * i, below[i]);
    }
}

KR_INLINE void KR_NAME(end_channels)(const kr_selective *p, float *distance, float *end, size_t c, const size_t n)
{
    size_t from = 0;

    for (; from + KR_SCAN_STATES <= p->states; from += KR_SCAN_STATES)
        KR_NAME(end_states)(p, distance, end, c, n, from, KR_SCAN_STATES);
    for (; from < p->states; from++)
        KR_NAME(end_states)(p, distance, end, c, n, from, 1);
}

KR_INLINE V KR_NAME(v_decay)(V p)
{
    return V_MAX(V_SET(KR_DECAY_LOW), V_MIN(V_SET(KR_MOST), p));
}

KR_INLINE V KR_NAME(v_nearer)(V near, V far)
{
    V kept = V_FLUSH(near, V_SET(0.5f));

    return V_MAX(V_MIN(V_SET(0.5f), far), kept);
}

/* Distances from 1 become products; below 0.5 they are exp of the time that all rows take. */
KR_INLINE void KR_NAME(decay_channels)(const kr_selective *p, float *decay, size_t c, const size_t n)
{
    size_t at = c / 16 * p->states * 16 + c % 16;
    V      total = V_ZERO();

    for (size_t from = 0; from < p->rows; from += KR_TIMES) {
        size_t to = kr_min(p->rows, from + KR_TIMES);
        V      sum = V_ZERO();

        for (size_t t = from; t < to; t++)
            sum = V_ADD(sum, KR_NAME(v_load)(p->dt + t * p->dt_stride + c, n));
        total = V_ADD(total, sum);
    }
    for (size_t i = 0; i < p->states; i++, at += 16) {
        V near = V_ADD(V_SET(1.0f), V_LOAD(decay + at)), far = KR_NAME(v_exp)(V_MUL(total, V_LOAD(p->a + at)));

        V_STORE(decay + at, KR_NAME(v_decay)(KR_NAME(v_nearer)(near, far)));
    }
}

/* A few rows at a time, as selective(). */
static void KR_NAME(selective_summary)(const kr_selective *p, float *decay, float *end)
{
    size_t count = kr_pad16(p->channels) * p->states, c = 0;

    for (size_t i = 0; i < count; i += KR_V) {
        V_STORE(decay + i, V_ZERO());
        V_STORE(end + i, V_ZERO());
    }
    for (size_t t = 0; t < p->rows; t += KR_SCAN_ROWS) {
        kr_selective part = *p;

        part.x += t * p->x_stride;
        part.dt += t * p->dt_stride;
        part.b += t * p->bc_stride;
        part.rows = kr_min(p->rows - t, KR_SCAN_ROWS);
        for (c = 0; c + KR_V <= p->channels; c += KR_V)
            KR_NAME(end_channels)(&part, decay, end, c, KR_V);
        if (c < p->channels)
            KR_NAME(end_channels)(&part, decay, end, c, p->channels - c);
    }
    for (c = 0; c + KR_V <= p->channels; c += KR_V)
        KR_NAME(decay_channels)(p, decay, c, KR_V);
    if (c < p->channels)
        KR_NAME(decay_channels)(p, decay, c, p->channels - c);
}

static void KR_NAME(combine)(float *decay, float *end, const float *before_decay, const float *before_end,
                             size_t count)
{
    for (size_t i = 0; i < count; i += KR_V) {
        size_t n = kr_min(KR_V, count - i);
        V      left = KR_NAME(v_load)(decay + i, n);
        V      sum = V_FMA(left, KR_NAME(v_load)(before_end + i, n), KR_NAME(v_load)(end + i, n));

        KR_NAME(v_store)(end + i, V_FLUSH(sum, V_SET(KR_TINY)), n);
        if (before_decay) {
            left = V_MUL(KR_NAME(v_load)(before_decay + i, n), left);
            KR_NAME(v_store)(decay + i, KR_NAME(v_decay)(left), n);
        }
    }
}
