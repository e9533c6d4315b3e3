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
 * looks only so far ahead would wait for it.  'held': they may lie outside the bounds of the argument.
 */
KR_INLINE void KR_NAME(v_exp_all)(V *x, const size_t count, const int held)
{
    V n[KR_EXP_VECTORS], shifted[KR_EXP_VECTORS], p[KR_EXP_VECTORS];

#define KR_EACH KR_UNROLL for (size_t i = 0; i < count; i++)
    if (held) {
        KR_EACH x[i] = V_MIN(V_SET(KR_EXP_HIGH), x[i]);
        KR_EACH x[i] = V_MAX(V_SET(KR_EXP_LOW), x[i]);
    }
    KR_EACH shifted[i] = V_FMA(x[i], V_SET(KR_LOG2_E), V_SET(KR_ROUND));
    KR_EACH n[i] = V_SUB(shifted[i], V_SET(KR_ROUND));
    KR_EACH x[i] = V_FMA(n[i], V_SET(-KR_LN2_HIGH), x[i]);
    KR_EACH x[i] = V_FMA(n[i], V_SET(-KR_LN2_LOW), x[i]);
    KR_EACH p[i] = V_FMA(V_SET(KR_EXP_6), x[i], V_SET(KR_EXP_5));
    KR_EACH p[i] = V_FMA(p[i], x[i], V_SET(KR_EXP_4));
    KR_EACH p[i] = V_FMA(p[i], x[i], V_SET(KR_EXP_3));
    KR_EACH p[i] = V_FMA(p[i], x[i], V_SET(KR_EXP_2));
    KR_EACH p[i] = V_FMA(p[i], x[i], V_SET(1.0f));
    KR_EACH p[i] = V_FMA(p[i], x[i], V_SET(1.0f));
    KR_EACH x[i] = V_TIMES_POWER(p[i], n[i], shifted[i]);
#undef KR_EACH
}

KR_INLINE V KR_NAME(v_exp)(V x)
{
    KR_NAME(v_exp_all)(&x, 1, 1);
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

#include "kernels/template_selective.h"
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
