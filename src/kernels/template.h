/*
 * template.h - every kernel over the vector words of one instruction set.
 *
 * Included once by each <isa>.c inside its target region, after its words and KR_NAME, which
 * makes the names its own.  plain.c says what each kernel computes; here the same operations
 * are done on KR_V outputs or channels at once.  Tiles have constant sizes, given as constant
 * arguments to functions that are always inlined, so that their sums live in registers.
 */

/* ---- elementary functions: core/real.h, word by word ----------------------------- */

/*
 * exp of 'count' vectors, step by step for all of them: the chain of one is long, and a CPU that
 * looks only so far ahead would wait for it.
 */
KR_INLINE void KR_NAME(v_exp_all)(V *x, const size_t count)
{
    V shifted[KR_EXP_VECTORS], p[KR_EXP_VECTORS];

#define KR_EACH KR_UNROLL for (size_t i = 0; i < count; i++)
    KR_EACH x[i] = V_MIN(V_SET(KR_EXP_HIGH), x[i]);
    KR_EACH x[i] = V_MAX(V_SET(KR_EXP_LOW), x[i]);
    KR_EACH shifted[i] = V_FMA(x[i], V_SET(KR_LOG2_E), V_SET(KR_ROUND));
    KR_EACH p[i] = V_SUB(shifted[i], V_SET(KR_ROUND));
    KR_EACH x[i] = V_FMA(p[i], V_SET(-KR_LN2_HIGH), x[i]);
    KR_EACH x[i] = V_FMA(p[i], V_SET(-KR_LN2_LOW), x[i]);
    KR_EACH p[i] = V_FMA(V_SET(KR_EXP_6), x[i], V_SET(KR_EXP_5));
    KR_EACH p[i] = V_FMA(p[i], x[i], V_SET(KR_EXP_4));
    KR_EACH p[i] = V_FMA(p[i], x[i], V_SET(KR_EXP_3));
    KR_EACH p[i] = V_FMA(p[i], x[i], V_SET(KR_EXP_2));
    KR_EACH p[i] = V_FMA(p[i], x[i], V_SET(1.0f));
    KR_EACH p[i] = V_FMA(p[i], x[i], V_SET(1.0f));
    KR_EACH x[i] = V_MUL(p[i], V_POWER(shifted[i]));
#undef KR_EACH
}

KR_INLINE V KR_NAME(v_exp)(V x)
{
    KR_NAME(v_exp_all)(&x, 1);
    return x;
}

KR_INLINE V KR_NAME(v_sigmoid)(V x)
{
    return V_DIV(V_SET(1.0f), V_ADD(V_SET(1.0f), KR_NAME(v_exp)(V_NEGATE(x))));
}

KR_INLINE V KR_NAME(v_silu)(V x)
{
    return V_DIV(x, V_ADD(V_SET(1.0f), KR_NAME(v_exp)(V_NEGATE(x))));
}

KR_INLINE V KR_NAME(v_softplus)(V x)
{
    V e = KR_NAME(v_exp)(V_NEGATE(V_ABS(x)));
    V s = V_DIV(e, V_ADD(V_SET(2.0f), e)), z = V_MUL(s, s), p;

    p = V_FMA(V_SET(KR_ATANH_4), z, V_SET(KR_ATANH_3));
    p = V_FMA(p, z, V_SET(KR_ATANH_2));
    p = V_FMA(p, z, V_SET(KR_ATANH_1));
    p = V_MUL(p, z);
    s = V_ADD(s, s);
    return V_ADD(V_RELU(x), V_FMA(s, p, s));
}

KR_INLINE V KR_NAME(v_tanh)(V x)
{
    V a = V_MUL(V_SET(-2.0f), V_MIN(V_SET(KR_TANH_HIGH), V_ABS(x)));
    V shifted = V_FMA(a, V_SET(KR_LOG2_E), V_SET(KR_ROUND)), n = V_SUB(shifted, V_SET(KR_ROUND));
    V r = V_FMA(n, V_SET(-KR_LN2_LOW), V_FMA(n, V_SET(-KR_LN2_HIGH), a)), p, power, m;

    p = V_FMA(V_SET(KR_EXP_6), r, V_SET(KR_EXP_5));
    p = V_FMA(p, r, V_SET(KR_EXP_4));
    p = V_FMA(p, r, V_SET(KR_EXP_3));
    p = V_FMA(p, r, V_SET(KR_EXP_2));
    p = V_FMA(V_MUL(r, r), p, r);
    power = V_POWER(shifted);
    m = V_FMA(power, p, V_SUB(power, V_SET(1.0f)));
    return V_WITH_SIGN(V_DIV(V_ABS(m), V_ADD(V_SET(2.0f), m)), x);
}

KR_INLINE V KR_NAME(v_gelu)(V x)
{
    V a = V_MIN(V_SET(KR_GELU_HIGH), V_ABS(x)), square = V_MUL(a, a);
    V rest = V_FMA(a, a, V_NEGATE(square)), e = KR_NAME(v_exp)(V_MUL(V_SET(-0.5f), square)), p, q;

    e = V_FMA(e, V_MUL(V_SET(-0.5f), rest), e);
    e = V_FLUSH(e, V_SET(KR_TINY));
    p = V_FMA(V_SET(KR_PHI_P4), a, V_SET(KR_PHI_P3));
    p = V_FMA(p, a, V_SET(KR_PHI_P2));
    p = V_FMA(p, a, V_SET(KR_PHI_P1));
    p = V_FMA(p, a, V_SET(KR_PHI_P0));
    q = V_FMA(V_SET(KR_PHI_Q5), a, V_SET(KR_PHI_Q4));
    q = V_FMA(q, a, V_SET(KR_PHI_Q3));
    q = V_FMA(q, a, V_SET(KR_PHI_Q2));
    q = V_FMA(q, a, V_SET(KR_PHI_Q1));
    q = V_FMA(q, a, V_SET(1.0f));
    return V_FMA(V_NEGATE(e), V_DIV(V_MUL(a, p), q), V_RELU(x));
}

KR_INLINE V KR_NAME(v_gelu_tanh)(V x)
{
    V a = V_MIN(V_SET(KR_GELU_HIGH), V_ABS(x)), e;

    e = V_FMA(V_SET(KR_GELU_B), V_MUL(a, a), V_SET(KR_GELU_A));
    e = KR_NAME(v_exp)(V_MUL(V_NEGATE(a), e));
    e = V_FLUSH(e, V_SET(KR_TINY));
    return V_FMA(V_NEGATE(e), V_DIV(a, V_ADD(V_SET(1.0f), e)), V_RELU(x));
}

/* n of KR_V numbers; n == KR_V is a constant where it matters and costs nothing. */
KR_INLINE V KR_NAME(v_load)(const float *p, size_t n)
{
    return n == KR_V ? V_LOAD(p) : V_LOAD_N(p, n);
}

KR_INLINE void KR_NAME(v_store)(float *p, V a, size_t n)
{
    if (n == KR_V)
        V_STORE(p, a);
    else
        V_STORE_N(p, a, n);
}

/* ---- products with float weights ---------------------------------------------------- */

/* Vectors in a panel of 16 outputs, and in the four panels of a strip. */
enum { KR_NAME(PER_PANEL) = 16 / KR_V, KR_NAME(MOST) = 4 * KR_NAME(PER_PANEL) };

/* One strip of a product: where it is, and how wide. */
typedef struct KR_NAME(strip) {
    size_t output, width;       /* its first output; outputs with padding */
} KR_NAME(strip);

/* Where a segment ends: add to what is there, at the very end the bias, and store. */
KR_INLINE void KR_NAME(finish)(const kr_product *p, float *y, size_t output, V sum, int first, int last)
{
    sum = V_ADD(first ? V_ZERO() : V_LOAD(y), sum);
    if (last && p->bias)
        sum = V_ADD(sum, V_LOAD(p->bias + output));
    V_STORE(y, sum);
}

/* The same for the n outputs, fewer than KR_V, that a matrix ends with; none if n is 0. */
static KR_NOINLINE void KR_NAME(finish_part)(const kr_product *p, float *y, size_t output, V sum, int first,
                                             int last)
{
    size_t n = p->w->outputs > output ? p->w->outputs - output : 0;

    if (n >= KR_V) {
        KR_NAME(finish)(p, y, output, sum, first, last);
    } else if (n > 0) {
        sum = V_ADD(first ? V_ZERO() : V_LOAD_N(y, n), sum);
        if (last && p->bias)
            sum = V_ADD(sum, V_LOAD_N(p->bias + output, n));
        V_STORE_N(y, sum, n);
    }
}

#define W_NAME(name) KR_NAME(name##_f32)
#define W_TYPE       float
#define W_LOAD(p)    V_LOAD(p)
#include "kernels/template_product.h"

#define W_NAME(name) KR_NAME(name##_f16)
#define W_TYPE       uint16_t
#define W_LOAD(p)    V_HALF(p)
#include "kernels/template_product.h"

#define W_NAME(name) KR_NAME(name##_bf16)
#define W_TYPE       uint16_t
#define W_LOAD(p)    V_BFLOAT(p)
#include "kernels/template_product.h"

#include "kernels/template_block.h"

/* ---- sequence kernels: KR_V channels at a time ---------------------------------------- */

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

static void KR_NAME(conv)(const kr_conv *p)
{
    for (size_t t = 0; t < p->rows; t++) {
        size_t c = 0;

        for (; c + KR_V <= p->channels; c += KR_V)
            KR_NAME(conv_channels)(p, t, c, KR_V);
        if (c < p->channels)
            KR_NAME(conv_channels)(p, t, c, p->channels - c);
    }
}

/*
 * 'count' states of KR_V channels, from state 'from' on, over all rows.  The states stay in
 * registers over time; y carries the sum over states from one such pass to the next.
 */
KR_INLINE void KR_NAME(scan_states)(const kr_selective *p, size_t c, const size_t n, size_t from,
                                    const size_t count)
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
        V dt = KR_NAME(v_load)(p->dt + t * p->dt_stride + c, n);
        V dtx = V_MUL(dt, KR_NAME(v_load)(p->x + t * p->x_stride + c, n));
        V y = from ? KR_NAME(v_load)(p->y + t * p->y_stride + c, n) : V_ZERO();

        KR_UNROLL
        for (size_t i = 0; i < count; i += KR_EXP_VECTORS) {
            const size_t group = count - i < KR_EXP_VECTORS ? count - i : KR_EXP_VECTORS;
            V            decay[KR_EXP_VECTORS];

            KR_UNROLL
            for (size_t j = 0; j < group; j++)
                decay[j] = V_MUL(dt, V_LOAD(a + 16 * (i + j)));
            KR_NAME(v_exp_all)(decay, group);
            KR_UNROLL
            for (size_t j = 0; j < group; j++) {
                V new = V_FMA(decay[j], h[i + j], V_MUL(dtx, V_SET(b[i + j])));

                h[i + j] = V_FLUSH(new, tiny);
                y = V_FMA(V_SET(read[i + j]), h[i + j], y);
            }
        }
        KR_NAME(v_store)(p->y + t * p->y_stride + c, y, n);
    }
    KR_UNROLL
    for (size_t i = 0; i < count; i++)
        V_STORE(memory + 16 * i, h[i]);
}

KR_INLINE void KR_NAME(selective_channels)(const kr_selective *p, size_t c, const size_t n)
{
    V      d = KR_NAME(v_load)(p->d + c, n);
    size_t from = 0;

    for (; from + KR_SCAN_STATES <= p->states; from += KR_SCAN_STATES)
        KR_NAME(scan_states)(p, c, n, from, KR_SCAN_STATES);
    for (; from < p->states; from++)
        KR_NAME(scan_states)(p, c, n, from, 1);
    for (size_t t = 0; t < p->rows; t++) {
        float *y = p->y + t * p->y_stride + c;
        V      sum = KR_NAME(v_load)(y, n);

        sum = V_FMA(d, KR_NAME(v_load)(p->x + t * p->x_stride + c, n), sum);
        if (p->z)
            sum = V_MUL(sum, KR_NAME(v_silu)(KR_NAME(v_load)(p->z + t * p->z_stride + c, n)));
        KR_NAME(v_store)(y, sum, n);
    }
}

/* A few rows at a time through all channels: what they touch stays in the cache. */
static void KR_NAME(selective)(const kr_selective *p)
{
    for (size_t t = 0; t < p->rows; t += KR_SCAN_ROWS) {
        kr_selective part = *p;
        size_t       c = 0;

        part.x += t * p->x_stride;
        part.dt += t * p->dt_stride;
        part.z = p->z ? p->z + t * p->z_stride : NULL;
        part.b += t * p->bc_stride;
        part.c += t * p->bc_stride;
        part.y += t * p->y_stride;
        part.rows = kr_min(p->rows - t, KR_SCAN_ROWS);
        for (; c + KR_V <= p->channels; c += KR_V)
            KR_NAME(selective_channels)(&part, c, KR_V);
        if (c < p->channels)
            KR_NAME(selective_channels)(&part, c, p->channels - c);
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
            KR_NAME(v_exp_all)(decay, group);
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

/* ---- rows ------------------------------------------------------------------------------ */

/* The 16 chains of squares, folded by halves. */
KR_INLINE float KR_NAME(sum_squares)(const float *x, size_t width)
{
    V      chain[KR_NAME(PER_PANEL)];
    float  sum[16];
    size_t k = 0;

    for (size_t j = 0; j < KR_NAME(PER_PANEL); j++)
        chain[j] = V_ZERO();
    for (; k + 16 <= width; k += 16)
        KR_UNROLL
        for (size_t j = 0; j < KR_NAME(PER_PANEL); j++) {
            V a = V_LOAD(x + k + j * KR_V);

            chain[j] = V_FMA(a, a, chain[j]);
        }
    for (size_t j = 0; j < KR_NAME(PER_PANEL); j++)
        V_STORE(sum + j * KR_V, chain[j]);
    for (size_t j = 0; k < width; k++, j++)
        sum[j] = kr_fma(x[k], x[k], sum[j]);
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++)
            sum[j] = sum[j] + sum[j + half];
    return sum[0];
}

static void KR_NAME(rms_norm)(float *y, const float *x, const float *w, float eps, size_t rows,
                              size_t width)
{
    for (; rows > 0; rows--, x += width, y += width) {
        float  factor = 1.0f / kr_sqrt(KR_NAME(sum_squares)(x, width) / (float)width + eps);
        size_t k = 0;

        for (; k + KR_V <= width; k += KR_V) {
            V z = V_MUL(V_LOAD(x + k), V_SET(factor));

            V_STORE(y + k, w ? V_MUL(z, V_LOAD(w + k)) : z);
        }
        for (; k < width; k++)
            y[k] = w ? x[k] * factor * w[k] : x[k] * factor;
    }
}

#include "kernels/template_diagonal.h"
#include "kernels/template_rank.h"
#include "kernels/template_heads.h"
#include "kernels/template_rows.h"
#include "kernels/template_turn.h"
#include "kernels/template_times.h"
#include "kernels/template_fourier.h"

#undef KR_TABLE
#define KR_TABLE(text) { \
    text, \
    KR_NAME(product_f32), KR_NAME(product_f16), KR_NAME(product_bf16), KR_NAME(product_blocks), \
    KR_NAME(quantize), KR_NAME(conv), KR_NAME(selective), KR_NAME(selective_summary), KR_NAME(combine), \
    KR_NAME(pace), KR_NAME(heads), KR_NAME(fade), KR_NAME(chunk), KR_NAME(weigh), \
    KR_NAME(diagonal), KR_NAME(diagonal_combine), KR_NAME(turn), \
    KR_NAME(discretize), KR_NAME(turn_timed), KR_NAME(diagonal_timed), KR_NAME(rank), \
    KR_NAME(fourier), KR_NAME(liquid), \
    KR_NAME(rms_norm), KR_NAME(layer_norm), KR_NAME(activate), KR_NAME(gate), KR_NAME(add), KR_NAME(multiply), KR_NAME(scale) \
}
