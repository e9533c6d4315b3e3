/*
 * template_rank.h - diagonal states that meet in a few sums, for template.h: KR_V channels at a time, row
 * after row, since the sums of a row are wanted by all states of the next.
 *
 * A few states at a time are looked at together for what is to be flushed, which is seldom.
 */

/* Of KR_V channels: the input and the sums of the row before; the sums and y of this one. */
typedef struct KR_NAME(rank_row) {
    V u, sums[KR_MOST_RANK], next[KR_MOST_RANK], real, imaginary;
} KR_NAME(rank_row);

/* To sum r, 1 or more. */
KR_INLINE V KR_NAME(rank_sum)(const float *w, V re, V im, const size_t rank, size_t r, const int precise, V sum)
{
    const float *q = w + kr_rank_q(rank, r) * 16;

    if (precise)
        sum = V_FMA(V_LOAD(q + 48), im, V_FMA(V_LOAD(q + 32), re, sum));
    return V_FMA(V_LOAD(q + 16), im, V_FMA(V_LOAD(q), re, sum));
}

/* Two sums stay in registers; loops are for what is behind them. */
KR_INLINE void KR_NAME(rank_sums)(const float *w, V re, V im, const size_t rank, const int precise, V *sums)
{
    sums[0] = V_FMA(V_LOAD(w + KR_RANK_Q * 16), re, sums[0]);
    if (rank > 1)
        sums[1] = KR_NAME(rank_sum)(w, re, im, rank, 1, precise, sums[1]);
    for (size_t r = 2; r < rank; r++)
        sums[r] = KR_NAME(rank_sum)(w, re, im, rank, r, precise, sums[r]);
}

/* What a sum brings to one part of a state. */
KR_INLINE V KR_NAME(rank_met)(const float *w, V sum, V to, const int precise)
{
    if (precise)
        to = V_FMA(V_LOAD(w + 32), sum, to);
    return V_FMA(V_LOAD(w), sum, to);
}

KR_INLINE V KR_NAME(rank_meet)(const float *w, const V *sums, V to, const size_t rank, const int precise)
{
    to = KR_NAME(rank_met)(w, sums[0], to, precise);
    if (rank > 1)
        to = KR_NAME(rank_met)(w + 64, sums[1], to, precise);
    for (size_t r = 2; r < rank; r++)
        to = KR_NAME(rank_met)(w + 64 * r, sums[r], to, precise);
    return to;
}

/* 'count' states, one behind the other, of one row. */
KR_INLINE void KR_NAME(rank_states)(const float *w, float *x, KR_NAME(rank_row) *row, const size_t count,
                                    const size_t rank, const int precise)
{
    const size_t numbers = kr_rank_numbers(rank) * 16;
    V            new_re[KR_RANK_STATES], new_im[KR_RANK_STATES], least = V_MOST(), tiny = V_SET(KR_TINY);

    KR_UNROLL
    for (size_t i = 0; i < count; i++) {
        const float *own = w + i * numbers;
        V            old_re = V_LOAD(x + 32 * i), old_im = V_LOAD(x + 32 * i + 16);
        V            re = V_MUL(V_LOAD(own + KR_RANK_B * 16), row->u);
        V            im = V_MUL(V_LOAD(own + KR_RANK_B * 16 + 16), row->u);

        if (precise) {
            re = V_FMA(V_LOAD(own + 32), old_re, V_FNMA(V_LOAD(own + 48), old_im, re));
            im = V_FMA(V_LOAD(own + 32), old_im, V_FMA(V_LOAD(own + 48), old_re, im));
        }
        re = V_FMA(V_LOAD(own), old_re, V_FNMA(V_LOAD(own + 16), old_im, re));
        im = V_FMA(V_LOAD(own), old_im, V_FMA(V_LOAD(own + 16), old_re, im));
        new_re[i] = KR_NAME(rank_meet)(own + KR_RANK_W * 16, row->sums, re, rank, precise);
        new_im[i] = KR_NAME(rank_meet)(own + KR_RANK_W * 16 + 16, row->sums, im, rank, precise);
        least = V_LEAST(least, new_re[i]);
        least = V_LEAST(least, new_im[i]);
    }
    if (V_BELOW(least, tiny))
        KR_UNROLL
        for (size_t i = 0; i < count; i++) {
            new_re[i] = V_FLUSH(new_re[i], tiny);
            new_im[i] = V_FLUSH(new_im[i], tiny);
        }
    KR_UNROLL
    for (size_t i = 0; i < count; i++) {
        const float *own = w + i * numbers;

        V_STORE(x + 32 * i, new_re[i]);
        V_STORE(x + 32 * i + 16, new_im[i]);
        KR_NAME(rank_sums)(own, new_re[i], new_im[i], rank, precise, row->next);
        row->real = V_FMA(V_LOAD(own + KR_RANK_C * 16), new_re[i], row->real);
        row->imaginary = V_FMA(V_LOAD(own + KR_RANK_C * 16 + 16), new_im[i], row->imaginary);
    }
}

/* All rows of n channels from channel c on. */
KR_INLINE void KR_NAME(rank_channels)(const kr_rank *p, size_t c, size_t n, const size_t rank, const int precise)
{
    const size_t      numbers = kr_rank_numbers(rank) * 16;
    const float      *w = p->w + c / 16 * p->states * numbers + c % 16;
    float            *x = p->x + c / 16 * p->states * 32 + c % 16;
    V                 d = p->d ? KR_NAME(v_load)(p->d + c, n) : V_ZERO();
    KR_NAME(rank_row) row;

    KR_UNROLL
    for (size_t r = 0; r < KR_MOST_RANK; r++)
        row.sums[r] = row.next[r] = V_ZERO();
    for (size_t i = 0; i < p->states; i++)
        KR_NAME(rank_sums)(w + i * numbers, V_LOAD(x + 32 * i), V_LOAD(x + 32 * i + 16), rank, precise, row.sums);
    for (size_t t = 0; t < p->rows; t++) {
        size_t i = 0;

        row.u = KR_NAME(v_load)(p->u + t * p->u_stride + c, n);
        row.real = p->d ? V_MUL(d, row.u) : V_ZERO();
        row.imaginary = V_ZERO();
        row.next[0] = row.next[1] = V_ZERO();
        for (size_t r = 2; r < rank; r++)
            row.next[r] = V_ZERO();
        for (; i + KR_RANK_STATES <= p->states; i += KR_RANK_STATES)
            KR_NAME(rank_states)(w + i * numbers, x + 32 * i, &row, KR_RANK_STATES, rank, precise);
        for (; i < p->states; i++)
            KR_NAME(rank_states)(w + i * numbers, x + 32 * i, &row, 1, rank, precise);
        row.sums[0] = row.next[0];
        row.sums[1] = row.next[1];
        for (size_t r = 2; r < rank; r++)
            row.sums[r] = row.next[r];
        if (p->y)
            KR_NAME(v_store)(p->y + t * p->y_stride + c, V_ADD(row.real, row.imaginary), n);
    }
}

KR_INLINE void KR_NAME(rank_all)(const kr_rank *p, const size_t rank, const int precise)
{
    for (size_t c = 0; c < p->channels; c += KR_V)
        KR_NAME(rank_channels)(p, c, kr_min(p->channels - c, KR_V), rank, precise);
}

/* A function for each: the compiler has less to keep in mind. */
static void KR_NAME(rank_1)(const kr_rank *p) { KR_NAME(rank_all)(p, 1, 0); }
static void KR_NAME(rank_1_precise)(const kr_rank *p) { KR_NAME(rank_all)(p, 1, 1); }
static void KR_NAME(rank_2)(const kr_rank *p) { KR_NAME(rank_all)(p, 2, 0); }
static void KR_NAME(rank_2_precise)(const kr_rank *p) { KR_NAME(rank_all)(p, 2, 1); }
static void KR_NAME(rank_any)(const kr_rank *p) { KR_NAME(rank_all)(p, p->rank, p->precise); }

static void KR_NAME(rank)(const kr_rank *p)
{
    if (p->rank == 1 && p->precise)
        KR_NAME(rank_1_precise)(p);
    else if (p->rank == 1)
        KR_NAME(rank_1)(p);
    else if (p->rank == 2 && p->precise)
        KR_NAME(rank_2_precise)(p);
    else if (p->rank == 2)
        KR_NAME(rank_2)(p);
    else
        KR_NAME(rank_any)(p);
}
