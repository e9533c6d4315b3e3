/*
 * plain.c - what every kernel does, in loops one can read.
 *
 * This text is the definition: the order of every sum and the place of every rounding.  The
 * vector tables are written apart from it, so that a slip is not in both.
 */
#include "core/real.h"
#include "kernels/pack.h"
#include "kernels/plain.h"

typedef float plain_weight(const kr_matrix *w, size_t output, size_t input);

static float plain_f32(const kr_matrix *w, size_t output, size_t input)
{
    return kr_pack_f32(w->data, kr_pack_index(w, output, input));
}

static float plain_f16(const kr_matrix *w, size_t output, size_t input)
{
    return kr_float_of_half(kr_pack_u16(w->data, kr_pack_index(w, output, input)));
}

static float plain_bf16(const kr_matrix *w, size_t output, size_t input)
{
    return kr_float_of_bfloat(kr_pack_u16(w->data, kr_pack_index(w, output, input)));
}

/* One chain of fma over ascending k in segments of 64 terms; segments are added in order. */
KR_INLINE float plain_dot(const kr_product *p, const float *x, size_t output, plain_weight *weight)
{
    float total = 0;

    for (size_t from = 0; from < p->w->inputs; from += KR_SEGMENT) {
        size_t to = kr_min(p->w->inputs, from + KR_SEGMENT);
        float  sum = 0;

        for (size_t k = from; k < to; k++)
            sum = kr_fma(weight(p->w, output, k), x[k], sum);
        total = total + sum;
    }
    return total;
}

KR_INLINE void plain_product(const kr_product *p, plain_weight *weight)
{
    for (size_t r = 0; r < p->rows; r++)
        for (size_t o = 0; o < p->w->outputs; o++) {
            float sum = plain_dot(p, p->x + r * p->x_stride, o, weight);

            p->y[r * p->y_stride + o] = p->bias ? sum + p->bias[o] : sum;
        }
}

static void plain_product_f32(const kr_product *p)  { plain_product(p, plain_f32); }
static void plain_product_f16(const kr_product *p)  { plain_product(p, plain_f16); }
static void plain_product_bf16(const kr_product *p) { plain_product(p, plain_bf16); }

/* q = x * (127 / max) to the nearest even integer; a block with NaN or infinity has scale NaN. */
static void plain_quantize_block(kr_q8 *q, const float *x)
{
    uint32_t most = 0;
    float    max, inverse;

    for (size_t k = 0; k < KR_BLOCK; k++) {
        uint32_t magnitude = kr_bits_of(x[k]) & 0x7fffffffu;

        most = magnitude > most ? magnitude : most;
    }
    max = kr_float_of(most);
    *q = (kr_q8){ 0 };
    if (most >= 0x7f800000u) {
        q->scale = kr_float_of(0x7fc00000u);
        return;
    }
    if (max < KR_TINY)
        return;
    inverse = 127.0f / max;
    q->scale = max / 127.0f;
    for (size_t k = 0; k < KR_BLOCK; k++) {
        q->q[k] = (int8_t)((x[k] * inverse + KR_ROUND) - KR_ROUND);
        q->sum += q->q[k];
        q->first += k < KR_BLOCK / 2 ? q->q[k] : 0;
    }
}

static void plain_quantize(kr_q8 *q, const float *x, size_t x_stride, size_t rows, size_t inputs)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < inputs; k += KR_BLOCK)
            plain_quantize_block(q++, x + r * x_stride + k);
}

/* One chain from the bias, the oldest row first. */
static void plain_conv(const kr_conv *p)
{
    for (size_t t = 0; t < p->rows; t++)
        for (size_t c = 0; c < p->channels; c++) {
            const float *w = p->w + c / KR_LANES * p->taps * KR_LANES + c % KR_LANES;
            float        sum = p->bias ? p->bias[c] : 0.0f;

            for (size_t k = 0; k < p->taps; k++) {
                size_t at = t + k;      /* in the window followed by x */
                float  x = at < p->taps - 1 ? p->window[at * p->window_stride + c]
                                            : p->x[(at - (p->taps - 1)) * p->x_stride + c];

                sum = kr_fma(w[k * KR_LANES], x, sum);
            }
            p->y[t * p->y_stride + c] = p->silu ? kr_silu(sum) : sum;
        }
}

/* The states of a channel are summed in one chain, ascending; then d x, then the gate. */
static void plain_selective(const kr_selective *p)
{
    for (size_t t = 0; t < p->rows; t++)
        for (size_t c = 0; c < p->channels; c++) {
            size_t       at = c / KR_LANES * p->states * KR_LANES + c % KR_LANES;
            const float *b = p->b + t * p->bc_stride, *read = p->c + t * p->bc_stride;
            float        dt = p->dt[t * p->dt_stride + c], x = p->x[t * p->x_stride + c];
            float        dtx, y = 0;

            dt = p->softplus ? kr_softplus(dt) : dt;
            dtx = dt * x;
            for (size_t n = 0; n < p->states; n++, at += KR_LANES) {
                float decay = kr_expf(dt * p->a[at]);

                p->h[at] = kr_flush(kr_fma(decay, p->h[at], dtx * b[n]));
                y = kr_fma(read[n], p->h[at], y);
            }
            y = kr_fma(p->d[c], x, y);
            p->y[t * p->y_stride + c] = p->z ? y * kr_silu(p->z[t * p->z_stride + c]) : y;
        }
}

/* The time that a channel's rows take: chains of 32 rows from +0, added in order. */
static float plain_time(const kr_selective *p, size_t channel)
{
    float total = 0;

    for (size_t from = 0; from < p->rows; from += KR_TIMES) {
        float sum = 0;

        for (size_t t = from; t < kr_min(p->rows, from + KR_TIMES); t++)
            sum = sum + p->dt[t * p->dt_stride + channel];
        total = total + sum;
    }
    return total;
}

/*
 * The states that rows from +0 end in; and the product of the decays.  Of decays next to 1 it is made as its
 * distance from 1, so that it is the product of what these are as floats; small ones are exp of the sum of times,
 * of which neither nearness to 0 nor length takes digits.
 */
static void plain_selective_summary(const kr_selective *p, float *decay, float *end)
{
    for (size_t i = 0; i < kr_pad16(p->channels) * p->states; i++)
        decay[i] = 1, end[i] = 0;
    for (size_t c = 0; c < p->channels; c++) {
        float  time = plain_time(p, c);
        size_t at = c / KR_LANES * p->states * KR_LANES + c % KR_LANES;

        for (size_t n = 0; n < p->states; n++, at += KR_LANES) {
            float below = 0;                            /* the product - 1 */

            for (size_t t = 0; t < p->rows; t++) {
                float dt = p->dt[t * p->dt_stride + c], dtx = dt * p->x[t * p->x_stride + c];
                float factor = kr_expf(dt * p->a[at]);

                end[at] = kr_flush(kr_fma(factor, end[at], dtx * p->b[t * p->bc_stride + n]));
                below = kr_fma(factor, below, factor - 1.0f);
            }
            decay[at] = kr_decay(kr_nearer(1.0f + below, kr_expf(time * p->a[at])));
        }
    }
}

static void plain_combine(float *decay, float *end, const float *before_decay, const float *before_end, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        end[i] = kr_flush(kr_fma(decay[i], before_end[i], end[i]));
        if (before_decay)
            decay[i] = kr_decay(before_decay[i] * decay[i]);
    }
}

/* a h + (re, im) of one state; parts stand 16 apart. */
KR_INLINE void plain_rotate(const float *a, const float *h, float re, float im, int precise, float *to)
{
    float old_re = h[0], old_im = h[KR_LANES];

    if (precise) {
        re = kr_fma(a[2 * KR_LANES], old_re, kr_fma(-a[3 * KR_LANES], old_im, re));
        im = kr_fma(a[2 * KR_LANES], old_im, kr_fma(a[3 * KR_LANES], old_re, im));
    }
    to[0] = kr_flush(kr_fma(a[0], old_re, kr_fma(-a[KR_LANES], old_im, re)));
    to[KR_LANES] = kr_flush(kr_fma(a[0], old_im, kr_fma(a[KR_LANES], old_re, im)));
}

/* One chain from d x over the states, ascending: of each the real part of h, then its imaginary one. */
static void plain_diagonal(const kr_diagonal *p)
{
    for (size_t t = 0; t < p->rows; t++)
        for (size_t c = 0; c < p->channels; c++) {
            size_t at = c / KR_LANES * p->states * KR_LANES, lane = c % KR_LANES;
            float  x = p->x[t * p->x_stride + c], y = p->y ? p->d[c] * x : 0.0f;

            for (size_t n = 0; n < p->states; n++, at += KR_LANES) {
                float *h = p->h + 2 * at + lane;

                plain_rotate(p->a + 4 * at + lane, h, x, 0.0f, p->precise, h);
                if (p->y)
                    y = kr_fma(p->c[2 * at + lane + KR_LANES], h[KR_LANES], kr_fma(p->c[2 * at + lane], h[0], y));
            }
            if (p->y)
                p->y[t * p->y_stride + c] = y;
        }
}

static void plain_diagonal_combine(float *end, const float *a, const float *before, size_t count)
{
    for (; count > 0; count--, end += 2 * KR_LANES, before += 2 * KR_LANES, a += 4 * KR_LANES)
        for (size_t i = 0; i < KR_LANES; i++)
            plain_rotate(a + i, before + i, end[i], end[i + KR_LANES], 1, end + i);
}

/* What a state that is now (re, im) adds to the sums of the next row. */
KR_INLINE void plain_rank_sums(const float *w, float re, float im, size_t rank, int precise, float *sums)
{
    sums[0] = kr_fma(w[KR_RANK_Q * KR_LANES], re, sums[0]);
    for (size_t r = 1; r < rank; r++) {
        const float *q = w + kr_rank_q(rank, r) * KR_LANES;

        if (precise)
            sums[r] = kr_fma(q[3 * KR_LANES], im, kr_fma(q[2 * KR_LANES], re, sums[r]));
        sums[r] = kr_fma(q[KR_LANES], im, kr_fma(q[0], re, sums[r]));
    }
}

/* One part of a state: x of its own part, z of the other, whose d comes with the sign that it has here. */
KR_INLINE float plain_rank_part(const float *w, const float *sums, float u, float x, float z, size_t part, size_t rank,
                                int precise)
{
    const float *d = w + KR_RANK_D * KR_LANES;
    float        sign = part ? 1.0f : -1.0f, to = w[(KR_RANK_B + part) * KR_LANES] * u;

    if (precise)
        to = kr_fma(d[2 * KR_LANES], x, kr_fma(sign * d[3 * KR_LANES], z, to));
    to = kr_fma(d[0], x, kr_fma(sign * d[KR_LANES], z, to));
    for (size_t r = 0; r < rank; r++) {
        const float *by = w + (KR_RANK_W + 4 * r + part) * KR_LANES;

        if (precise)
            to = kr_fma(by[2 * KR_LANES], sums[r], to);
        to = kr_fma(by[0], sums[r], to);
    }
    return kr_flush(to);
}

/* Row after row: all states of a channel, with the sums of the row before; y in two chains, of re and of im. */
static void plain_rank_channel(const kr_rank *p, size_t c)
{
    size_t       numbers = kr_rank_numbers(p->rank) * KR_LANES, at = c / KR_LANES * p->states;
    const float *w = p->w + at * numbers + c % KR_LANES;
    float       *x = p->x + at * 2 * KR_LANES + c % KR_LANES, sums[KR_MOST_RANK] = { 0 };

    for (size_t n = 0; n < p->states; n++)
        plain_rank_sums(w + n * numbers, x[n * 2 * KR_LANES], x[n * 2 * KR_LANES + KR_LANES], p->rank, p->precise, sums);
    for (size_t t = 0; t < p->rows; t++) {
        float u = p->u[t * p->u_stride + c], real = p->d ? p->d[c] * u : 0.0f, imaginary = 0;
        float next[KR_MOST_RANK] = { 0 };

        for (size_t n = 0; n < p->states; n++) {
            const float *own = w + n * numbers;
            float       *to = x + n * 2 * KR_LANES, re = to[0], im = to[KR_LANES];

            to[0] = plain_rank_part(own, sums, u, re, im, 0, p->rank, p->precise);
            to[KR_LANES] = plain_rank_part(own, sums, u, im, re, 1, p->rank, p->precise);
            plain_rank_sums(own, to[0], to[KR_LANES], p->rank, p->precise, next);
            real = kr_fma(own[KR_RANK_C * KR_LANES], to[0], real);
            imaginary = kr_fma(own[(KR_RANK_C + 1) * KR_LANES], to[KR_LANES], imaginary);
        }
        for (size_t r = 0; r < p->rank; r++)
            sums[r] = next[r];
        if (p->y)
            p->y[t * p->y_stride + c] = real + imaginary;
    }
}

static void plain_rank(const kr_rank *p)
{
    for (size_t c = 0; c < p->channels; c++)
        plain_rank_channel(p, c);
}

/* A number for every row: v; v x + v of a liquid system, or v x of its states alone. */
enum { PLAIN_V, PLAIN_LIQUID, PLAIN_ALONE };

/* Small terms come first: what is lost of them is least then. */
static void plain_turn_all(const kr_turn *p, int form)
{
    for (size_t t = 0; t < p->rows; t++)
        for (size_t s = 0; s < p->states; s++) {
            size_t       panel = s / KR_LANES, j = s % KR_LANES, at = t * p->stride + panel * 2 * KR_LANES + j;
            size_t       width = kr_min(KR_LANES, p->states - panel * KR_LANES);
            const float *a = p->a + panel * 4 * KR_LANES + j;
            float       *x = p->x + panel * 2 * KR_LANES + j, re = x[0], im = x[KR_LANES];
            float        v_re = p->v[at], v_im = p->v[at + width], new_re = v_re, new_im = v_im;

            if (form != PLAIN_V) {
                new_re = kr_fma(v_re, re, kr_fma(-v_im, im, form == PLAIN_ALONE ? 0.0f : v_re));
                new_im = kr_fma(v_re, im, kr_fma(v_im, re, form == PLAIN_ALONE ? 0.0f : v_im));
            }
            if (p->low) {
                new_re = kr_fma(a[2 * KR_LANES], re, kr_fma(-a[3 * KR_LANES], im, new_re));
                new_im = kr_fma(a[2 * KR_LANES], im, kr_fma(a[3 * KR_LANES], re, new_im));
            }
            x[0] = kr_flush(kr_fma(a[0], re, kr_fma(-a[KR_LANES], im, new_re)));
            x[KR_LANES] = kr_flush(kr_fma(a[0], im, kr_fma(a[KR_LANES], re, new_im)));
            if (p->out) {
                p->out[at] = x[0];
                p->out[at + width] = x[KR_LANES];
            }
        }
}

static void plain_turn(const kr_turn *p)
{
    plain_turn_all(p, PLAIN_V);
}

static void plain_liquid(const kr_turn *p, int alone)
{
    plain_turn_all(p, alone ? PLAIN_ALONE : PLAIN_LIQUID);
}

/* ---- rows --------------------------------------------------------------------------------------- */

/* The squares are summed in 16 chains by index modulo 16, folded by halves. */
static void plain_rms_norm(float *y, const float *x, const float *w, float eps, size_t rows,
                           size_t width)
{
    for (; rows > 0; rows--, x += width, y += width) {
        float sum[KR_LANES] = { 0 }, factor;

        for (size_t k = 0; k < width; k++)
            sum[k % KR_LANES] = kr_fma(x[k], x[k], sum[k % KR_LANES]);
        for (size_t half = KR_LANES / 2; half > 0; half /= 2)
            for (size_t j = 0; j < half; j++)
                sum[j] = sum[j] + sum[j + half];
        factor = 1.0f / kr_sqrt(sum[0] / (float)width + eps);
        for (size_t k = 0; k < width; k++)
            y[k] = w ? x[k] * factor * w[k] : x[k] * factor;
    }
}

static float plain_fold(float sum[KR_LANES])
{
    for (size_t half = KR_LANES / 2; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++)
            sum[j] = sum[j] + sum[j + half];
    return sum[0];
}

/* Two sums as in rms_norm: of x for the mean, then of the squares of x - mean. */
static void plain_layer_norm(float *y, const float *x, const float *w, const float *b, float eps,
                             size_t rows, size_t width)
{
    for (; rows > 0; rows--, x += width, y += width) {
        float sum[KR_LANES] = { 0 }, squares[KR_LANES] = { 0 }, mean, factor;

        for (size_t k = 0; k < width; k++)
            sum[k % KR_LANES] = sum[k % KR_LANES] + x[k];
        mean = plain_fold(sum) / (float)width;
        for (size_t k = 0; k < width; k++)
            squares[k % KR_LANES] = kr_fma(x[k] - mean, x[k] - mean, squares[k % KR_LANES]);
        factor = 1.0f / kr_sqrt(plain_fold(squares) / (float)width + eps);
        for (size_t k = 0; k < width; k++) {
            float z = (x[k] - mean) * factor;

            y[k] = w && b ? kr_fma(z, w[k], b[k]) : w ? z * w[k] : b ? z + b[k] : z;
        }
    }
}

static float plain_activation(float x, int kind)
{
    switch (kind) {
    case KR_SILU:      return kr_silu(x);
    case KR_SIGMOID:   return kr_sigmoid(x);
    case KR_SOFTPLUS:  return kr_softplus(x);
    case KR_RELU:      return kr_relu(x);
    case KR_TANH:      return kr_tanh(x);
    case KR_GELU:      return kr_gelu(x);
    case KR_GELU_TANH: return kr_gelu_tanh(x);
    default:           return x;
    }
}

static void plain_activate(float *x, size_t count, int kind)
{
    for (size_t i = 0; i < count; i++)
        x[i] = plain_activation(x[i], kind);
}

static void plain_gate(const kr_gate *p)
{
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->width; c++)
            p->y[r * p->y_stride + c] = p->a[r * p->a_stride + c] *
                                        plain_activation(p->g[r * p->g_stride + c], p->kind);
}

static void plain_add(float *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = y[i] + x[i];
}

static void plain_multiply(float *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = y[i] * x[i];
}

static void plain_scale(float *y, const float *x, const float *w, const float *b, size_t rows,
                        size_t width)
{
    for (; rows > 0; rows--, x += width, y += width)
        for (size_t k = 0; k < width; k++)
            y[k] = b ? kr_fma(x[k], w[k], b[k]) : x[k] * w[k];
}

const kr_kernels kr_kernels_plain = {
    "plain",
    plain_product_f32, plain_product_f16, plain_product_bf16, kr_plain_product_blocks,
    plain_quantize, plain_conv, plain_selective, plain_selective_summary, plain_combine,
    kr_plain_pace, kr_plain_heads, kr_plain_fade, kr_plain_chunk, kr_plain_weigh,
    plain_diagonal, plain_diagonal_combine, plain_turn, kr_plain_discretize, kr_plain_turn_timed,
    kr_plain_diagonal_timed, plain_rank, kr_plain_fourier, plain_liquid,
    plain_rms_norm, plain_layer_norm, plain_activate, plain_gate, plain_add, plain_multiply,
    plain_scale,
};
