/*
 * template_heads.h - Mamba-2: its recurrence, and the small parts of its matrix form.
 *
 * Included by template.h.  The states of a head stand as a matrix in panels does, so KR_V channels of one state
 * are a vector, and B and C are numbers that all of them share.
 */

static void KR_NAME(pace)(const kr_pace *p)
{
    for (size_t r = 0; r < p->rows; r++)
        for (size_t i = 0; i < p->heads; i += KR_V) {
            size_t n = kr_min(KR_V, p->heads - i);
            V      dt = KR_NAME(v_load)(p->raw + r * p->raw_stride + i, n);

            if (p->bias)
                dt = V_ADD(dt, KR_NAME(v_load)(p->bias + i, n));
            dt = KR_NAME(v_softplus)(dt);
            dt = V_MIN(V_SET(p->high), V_MAX(V_SET(p->low), dt));
            KR_NAME(v_store)(p->dt + r * p->heads + i, dt, n);
            dt = KR_NAME(v_exp)(V_MUL(dt, KR_NAME(v_load)(p->a + i, n)));
            KR_NAME(v_store)(p->decay + r * p->heads + i, dt, n);
        }
}

/* ---- the recurrence ------------------------------------------------------------------------ */

/* KR_V channels of a head: from channel 'at' of the rows, states 'wide' apart. */
typedef struct KR_NAME(part) {
    size_t head, at, wide;
    float *h;
} KR_NAME(part);

/*
 * 'count' states of 'vectors' such neighbours over all rows, in registers; sums are kept from one such pass
 * to the next of a segment.
 */
KR_INLINE void KR_NAME(head_states)(const kr_heads *p, const KR_NAME(part) *part, V sums[][KR_HEAD_VECTORS], const size_t n,
                                    size_t from, const size_t count, const size_t vectors)
{
    float *memory = part->h + from * part->wide;
    V      h[KR_HEAD_STATES][KR_HEAD_VECTORS], tiny = V_SET(KR_TINY);

    KR_UNROLL
    for (size_t i = 0; i < count; i++)
        KR_UNROLL
        for (size_t v = 0; v < vectors; v++)
            h[i][v] = V_LOAD(memory + i * part->wide + v * KR_V);
    for (size_t t = 0; t < p->rows; t++) {
        const float *b = p->b + t * p->bc_stride + from, *c = p->c + t * p->bc_stride + from;
        const float *x = p->x + t * p->x_stride + part->at;
        V            decay = V_SET(p->decay[t * p->dt_stride + part->head]), dtx[KR_HEAD_VECTORS];
        V            y[KR_HEAD_VECTORS], least = V_MOST();

        KR_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            dtx[v] = V_MUL(V_SET(p->dt[t * p->dt_stride + part->head]), KR_NAME(v_load)(x + v * KR_V, n));
            y[v] = from % KR_SEGMENT ? sums[t][v] : V_ZERO();
        }
        KR_UNROLL
        for (size_t i = 0; i < count; i++)
            KR_UNROLL
            for (size_t v = 0; v < vectors; v++) {
                h[i][v] = V_FMA(decay, h[i][v], V_MUL(dtx[v], V_SET(b[i])));
                least = V_LEAST(least, h[i][v]);
            }
        if (V_BELOW(least, tiny))
            KR_UNROLL
            for (size_t i = 0; i < count; i++)
                KR_UNROLL
                for (size_t v = 0; v < vectors; v++)
                    h[i][v] = V_FLUSH(h[i][v], tiny);
        KR_UNROLL
        for (size_t i = 0; i < count; i++)
            KR_UNROLL
            for (size_t v = 0; v < vectors; v++)
                y[v] = V_FMA(V_SET(c[i]), h[i][v], y[v]);
        KR_UNROLL
        for (size_t v = 0; v < vectors; v++)
            sums[t][v] = y[v];
    }
    KR_UNROLL
    for (size_t i = 0; i < count; i++)
        KR_UNROLL
        for (size_t v = 0; v < vectors; v++)
            V_STORE(memory + i * part->wide + v * KR_V, h[i][v]);
}

/* A segment's sums join the total in y, behind the last of them d x. */
KR_INLINE void KR_NAME(head_sums)(const kr_heads *p, const KR_NAME(part) *part, V sums[][KR_HEAD_VECTORS], const size_t n,
                                  int first, int last, const size_t vectors)
{
    for (size_t t = 0; t < p->rows; t++)
        KR_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            float *y = p->y + t * p->y_stride + part->at + v * KR_V;
            V      total = V_ADD(first ? V_ZERO() : KR_NAME(v_load)(y, n), sums[t][v]);

            if (last)
                total = V_FMA(KR_NAME(v_load)(p->d + part->at + v * KR_V, n),
                              KR_NAME(v_load)(p->x + t * p->x_stride + part->at + v * KR_V, n), total);
            KR_NAME(v_store)(y, total, n);
        }
}

KR_INLINE void KR_NAME(head_part)(const kr_heads *p, const KR_NAME(part) *part, const size_t n, const size_t vectors)
{
    V sums[KR_SCAN_ROWS][KR_HEAD_VECTORS];

    for (size_t from = 0; from < p->states; from += KR_SEGMENT) {
        size_t to = kr_min(p->states, from + KR_SEGMENT), k = from;

        for (; k + KR_HEAD_STATES <= to; k += KR_HEAD_STATES)
            KR_NAME(head_states)(p, part, sums, n, k, KR_HEAD_STATES, vectors);
        for (; k < to; k++)
            KR_NAME(head_states)(p, part, sums, n, k, 1, vectors);
        KR_NAME(head_sums)(p, part, sums, n, from == 0, to == p->states, vectors);
    }
}

/* As many vectors at once as a strip has of them, then one by one. */
static void KR_NAME(head_rows)(const kr_heads *p)
{
    const kr_matrix layout = { NULL, p->width, p->states, KRAIT_F32 };
    const size_t    floats = kr_pad16(p->width) * p->states;

    for (size_t head = 0; head < p->heads; head++)
        for (size_t c = 0; c < p->width;) {
            KR_NAME(part) part = { head, head * p->width + c, kr_pack_width(&layout, c),
                                   p->h + head * floats + kr_pack_index(&layout, c, 0) };

            if (c % KR_CHUNK + KR_HEAD_VECTORS * KR_V <= KR_CHUNK && c + KR_HEAD_VECTORS * KR_V <= p->width) {
                KR_NAME(head_part)(p, &part, KR_V, KR_HEAD_VECTORS);
                c += KR_HEAD_VECTORS * KR_V;
            } else if (c + KR_V <= p->width) {
                KR_NAME(head_part)(p, &part, KR_V, 1);
                c += KR_V;
            } else {
                KR_NAME(head_part)(p, &part, p->width - c, 1);
                c = p->width;
            }
        }
}

/* A few rows at a time through all channels: what they touch stays in the cache. */
static void KR_NAME(heads)(const kr_heads *p)
{
    for (size_t t = 0; t < p->rows; t += KR_SCAN_ROWS) {
        kr_heads part = *p;

        part.x += t * p->x_stride;
        part.dt += t * p->dt_stride;
        part.decay += t * p->dt_stride;
        part.b += t * p->bc_stride;
        part.c += t * p->bc_stride;
        part.y += t * p->y_stride;
        part.rows = kr_min(p->rows - t, KR_SCAN_ROWS);
        KR_NAME(head_rows)(&part);
    }
}

/* ---- the matrix form ------------------------------------------------------------------------ */

/* One more decay of KR_V rows: products and their distances from 1; what is left of them goes to 'left'. */
KR_INLINE void KR_NAME(fade_on)(float *product, float *below, float *left, float decay)
{
    V more = V_FLUSH(V_MUL(V_LOAD(product), V_SET(decay)), V_SET(KR_TINY));
    V less = V_FMA(V_SET(decay), V_LOAD(below), V_SET(decay - 1.0f));

    V_STORE(product, more);
    V_STORE(below, less);
    V_STORE(left, KR_NAME(v_nearer)(V_ADD(V_SET(1.0f), less), more));
}

static void KR_NAME(fade)(const kr_fade *p)
{
    float product[KR_CHUNK] = { 0 }, below[KR_CHUNK] = { 0 }, left[KR_CHUNK] = { 0 };
    float since[16] = { 1 }, since_below[16] = { 0 }, found[16];

    for (size_t i = 0; i < p->rows; i++) {
        float  decay = p->decay[i * p->decay_stride], *weights = p->weights + i * KR_CHUNK;
        size_t end = kr_pad16(i + 1);

        for (size_t j = 0; j < end; j += KR_V)
            KR_NAME(fade_on)(product + j, below + j, left + j, decay);
        KR_NAME(fade_on)(since, since_below, found, decay);
        p->since[i] = found[0];
        left[i] = product[i] = 1;
        below[i] = 0;
        for (size_t j = 0; j < end; j += KR_V)
            V_STORE(weights + j, V_MUL(V_LOAD(left + j), V_LOAD(p->products + i * KR_CHUNK + j)));
        for (size_t j = i + 1; j < end; j++)
            weights[j] = product[j] = below[j] = 0;
    }
    for (size_t j = 0; j < p->rows; j++)
        p->left[j] = left[j];
}

KR_INLINE void KR_NAME(chunk_channels)(const kr_chunk *p, size_t r, size_t c, const size_t n)
{
    V y = V_FMA(V_SET(p->since[r]), V_LOAD(p->before + r * KR_CHUNK + c), V_LOAD(p->now + r * KR_CHUNK + c));

    y = V_FMA(KR_NAME(v_load)(p->d + c, n), KR_NAME(v_load)(p->x + r * p->x_stride + c, n), y);
    KR_NAME(v_store)(p->y + r * p->y_stride + c, y, n);
}

static void KR_NAME(chunk)(const kr_chunk *p)
{
    for (size_t r = 0; r < p->rows; r++) {
        size_t c = 0;

        for (; c + KR_V <= p->width; c += KR_V)
            KR_NAME(chunk_channels)(p, r, c, KR_V);
        if (c < p->width)
            KR_NAME(chunk_channels)(p, r, c, p->width - c);
    }
}

static void KR_NAME(weigh)(float *y, size_t y_stride, const float *x, size_t x_stride, const float *w,
                           size_t w_stride, size_t rows, size_t width)
{
    for (; rows > 0; rows--, x += x_stride, y += y_stride, w += w_stride) {
        size_t c = 0;

        for (; c + KR_V <= width; c += KR_V)
            V_STORE(y + c, V_MUL(V_LOAD(x + c), V_SET(*w)));
        if (c < width)
            V_STORE_N(y + c, V_MUL(V_LOAD_N(x + c, width - c), V_SET(*w)), width - c);
    }
}
