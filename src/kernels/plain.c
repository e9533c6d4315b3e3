/*
 * plain.c - what every kernel does, in loops one can read.
 *
 * This text is the definition: the order of every sum and the place of every rounding.  The
 * vector tables are written apart from it, so that a slip is not in both.
 */
#include "core/real.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "kernels/times.h"

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

/* Per block the exact integer sum, the product of the scales rounded once, one fma. */
static void plain_product_q8_0(const kr_product *p)
{
    size_t blocks = p->w->inputs / KR_BLOCK;

    for (size_t r = 0; r < p->rows; r++)
        for (size_t o = 0; o < p->w->outputs; o++) {
            float total = 0;

            for (size_t b = 0; b < blocks; b++) {
                const kr_q8         *x = &p->q[r * blocks + b];
                const unsigned char *w = kr_pack_q8_record(p->w, o, b);
                float   scale = kr_float_of_half(kr_pack_q8_scale(p->w, w, o)) * x->scale;
                int32_t sum = 0;

                for (size_t k = 0; k < KR_BLOCK; k++)
                    sum += kr_pack_q8_weight(p->w, w, o, k) * x->q[k];
                total = kr_fma((float)sum, scale, total);
            }
            p->y[r * p->y_stride + o] = p->bias ? total + p->bias[o] : total;
        }
}

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
            float        dtx = dt * x, y = 0;

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

static void plain_pace(const kr_pace *p)
{
    for (size_t r = 0; r < p->rows; r++)
        for (size_t i = 0; i < p->heads; i++) {
            float raw = p->raw[r * p->raw_stride + i], dt = kr_softplus(p->bias ? raw + p->bias[i] : raw);

            dt = p->low > dt ? p->low : dt;
            dt = p->high < dt ? p->high : dt;
            p->dt[r * p->heads + i] = dt;
            p->decay[r * p->heads + i] = kr_expf(dt * p->a[i]);
        }
}

/* Row r of one channel, whose states are 'wide' apart: chains of 64 states from +0, added in order; then d x. */
static float plain_head(const kr_heads *p, size_t r, size_t head, size_t channel, float *h, size_t wide)
{
    const float *b = p->b + r * p->bc_stride, *c = p->c + r * p->bc_stride;
    size_t       at = head * p->width + channel;
    float        decay = p->decay[r * p->dt_stride + head], x = p->x[r * p->x_stride + at];
    float        dtx = p->dt[r * p->dt_stride + head] * x, total = 0;

    for (size_t from = 0; from < p->states; from += KR_SEGMENT) {
        float sum = 0;

        for (size_t n = from; n < kr_min(p->states, from + KR_SEGMENT); n++) {
            h[n * wide] = kr_flush(kr_fma(decay, h[n * wide], dtx * b[n]));
            sum = kr_fma(c[n], h[n * wide], sum);
        }
        total = total + sum;
    }
    return kr_fma(p->d[at], x, total);
}

static void plain_heads(const kr_heads *p)
{
    kr_matrix layout = { NULL, p->width, p->states, KRAIT_F32 };
    size_t    floats = kr_pad16(p->width) * p->states;

    for (size_t r = 0; r < p->rows; r++)
        for (size_t head = 0; head < p->heads; head++)
            for (size_t c = 0; c < p->width; c++)
                p->y[r * p->y_stride + head * p->width + c] =
                    plain_head(p, r, head, c, p->h + head * floats + kr_pack_index(&layout, c, 0),
                               kr_pack_width(&layout, c));
}

/* One more decay: the product, and its distance from 1, which is what counts as long as it is small. */
static float plain_fade_on(float *product, float *below, float decay)
{
    *product = kr_flush(*product * decay);
    *below = kr_fma(decay, *below, decay - 1.0f);
    return kr_nearer(1.0f + *below, *product);
}

/* From row to row: what is left of each row before, of what was there before them all, and the row itself. */
static void plain_fade(const kr_fade *p)
{
    float product[KR_CHUNK] = { 0 }, below[KR_CHUNK] = { 0 }, left[KR_CHUNK] = { 0 }, since = 1, since_below = 0;

    for (size_t i = 0; i < p->rows; i++) {
        float decay = p->decay[i * p->decay_stride];

        for (size_t j = 0; j < i; j++)
            left[j] = plain_fade_on(&product[j], &below[j], decay);
        left[i] = product[i] = 1;
        p->since[i] = plain_fade_on(&since, &since_below, decay);
        for (size_t j = 0; j < kr_pad16(i + 1); j++)
            p->weights[i * KR_CHUNK + j] = j <= i ? left[j] * p->products[i * KR_CHUNK + j] : 0.0f;
    }
    for (size_t j = 0; j < p->rows; j++)
        p->left[j] = left[j];
}

static void plain_chunk(const kr_chunk *p)
{
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->width; c++) {
            float y = kr_fma(p->since[r], p->before[r * KR_CHUNK + c], p->now[r * KR_CHUNK + c]);

            p->y[r * p->y_stride + c] = kr_fma(p->d[c], p->x[r * p->x_stride + c], y);
        }
}

static void plain_weigh(float *y, size_t y_stride, const float *x, size_t x_stride, const float *w, size_t w_stride,
                        size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < width; c++)
            y[r * y_stride + c] = x[r * x_stride + c] * w[r * w_stride];
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

/* ---- rows that are not a step apart ------------------------------------------------------------------ */

/* x as two floats, of which none is subnormal. */
static void plain_split(double x, float *high, float *low)
{
    *high = (float)kr_times_flush(x);
    *low = (float)kr_times_flush(x - (double)*high);
}

static void plain_discretize(const kr_discretize *p)
{
    for (size_t i = 0; i < p->count * KR_LANES; i++) {
        const double *z = p->z + i / KR_LANES * 4 * KR_LANES + i % KR_LANES;
        float        *to = p->to + i / KR_LANES * 6 * KR_LANES + i % KR_LANES;
        double        x = z[0] * p->time, y = z[KR_LANES] * p->time;
        kr_complex    g = { z[2 * KR_LANES], z[3 * KR_LANES] }, by, r;
        kr_times_turn turn;

        if (p->rule == KR_BILINEAR) {
            turn = kr_times_bilinear(x, y, &by);
            r = kr_complex_scale(kr_complex_multiply(by, g), p->time);
        } else {
            turn = kr_times_exp(x, y);
            r = kr_complex_multiply(turn.less, g);
        }
        if (p->rule == KR_IMPULSE)
            r = kr_complex_of(1, 0);
        plain_split(turn.a.re, to, to + 2 * KR_LANES);
        plain_split(turn.a.im, to + KR_LANES, to + 3 * KR_LANES);
        to[4 * KR_LANES] = (float)kr_times_flush(r.re);
        to[5 * KR_LANES] = (float)kr_times_flush(r.im);
    }
}

/* h = a h + r (re, im) for one state; parts stand 16 apart. */
static void plain_timed_state(const float *a, float *h, float re, float im)
{
    float v_re = kr_fma(a[4 * KR_LANES], re, -(a[5 * KR_LANES] * im));
    float v_im = kr_fma(a[4 * KR_LANES], im, a[5 * KR_LANES] * re), old_re = h[0], old_im = h[KR_LANES];

    v_re = kr_fma(a[2 * KR_LANES], old_re, kr_fma(-a[3 * KR_LANES], old_im, v_re));
    v_im = kr_fma(a[2 * KR_LANES], old_im, kr_fma(a[3 * KR_LANES], old_re, v_im));
    h[0] = kr_flush(kr_fma(a[0], old_re, kr_fma(-a[KR_LANES], old_im, v_re)));
    h[KR_LANES] = kr_flush(kr_fma(a[0], old_im, kr_fma(a[KR_LANES], old_re, v_im)));
}

static void plain_turn_timed(const kr_turn_timed *p)
{
    for (size_t t = 0; t < p->rows; t++)
        for (size_t s = 0; s < p->states; s++) {
            size_t at = t * p->stride + s;

            plain_timed_state(p->sets + p->set[t] * 6 * KR_LANES + s, p->x + s, p->v[at], p->v[at + p->states]);
            if (p->out) {
                p->out[at] = p->x[s];
                p->out[at + p->states] = p->x[s + KR_LANES];
            }
        }
}

static void plain_diagonal_timed(const kr_diagonal_timed *p)
{
    for (size_t t = 0; t < p->rows; t++)
        for (size_t c = 0; c < p->channels; c++) {
            const float *a = p->sets + p->set[t] * p->states * 6 * KR_LANES + c;
            float       *h = p->h + c, x = p->x[t * p->x_stride + c], y = p->d[c] * x;

            for (size_t n = 0; n < p->states; n++, h += 2 * KR_LANES, a += 6 * KR_LANES) {
                const float *read = p->c + n * 2 * KR_LANES + c;

                plain_timed_state(a, h, x, 0.0f);
                y = kr_fma(read[KR_LANES], h[KR_LANES], kr_fma(read[0], h[0], y));
            }
            if (p->y)
                p->y[t * p->y_stride + c] = y;
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

/* ---- transforms: scan/fft.h says what is where ----------------------------------------------------- */

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

static void plain_fourier(const kr_fourier *p)
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
    plain_product_f32, plain_product_f16, plain_product_bf16, plain_product_q8_0,
    plain_quantize, plain_conv, plain_selective, plain_selective_summary, plain_combine,
    plain_pace, plain_heads, plain_fade, plain_chunk, plain_weigh,
    plain_diagonal, plain_diagonal_combine, plain_turn, plain_discretize, plain_turn_timed,
    plain_diagonal_timed, plain_rank, plain_fourier, plain_liquid,
    plain_rms_norm, plain_layer_norm, plain_activate, plain_gate, plain_add, plain_multiply,
    plain_scale,
};
