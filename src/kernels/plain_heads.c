/* plain_heads.c - what the kernels of Mamba-2 do: states of heads, and the weights of a chunk; plain.c has the rest. */
#include "core/real.h"
#include "kernels/pack.h"
#include "kernels/plain.h"

void kr_plain_pace(const kr_pace *p)
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

void kr_plain_heads(const kr_heads *p)
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
void kr_plain_fade(const kr_fade *p)
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

void kr_plain_chunk(const kr_chunk *p)
{
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->width; c++) {
            float y = kr_fma(p->since[r], p->before[r * KR_CHUNK + c], p->now[r * KR_CHUNK + c]);

            p->y[r * p->y_stride + c] = kr_fma(p->d[c], p->x[r * p->x_stride + c], y);
        }
}

void kr_plain_weigh(float *y, size_t y_stride, const float *x, size_t x_stride, const float *w, size_t w_stride,
                    size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < width; c++)
            y[r * y_stride + c] = x[r * x_stride + c] * w[r * w_stride];
}
