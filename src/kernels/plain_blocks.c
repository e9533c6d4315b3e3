/* plain_blocks.c - products of weights that are codes with shared scales. */
#include "core/real.h"
#include "kernels/pack.h"
#include "kernels/plain.h"

/* Exact sums of (code - zero) q over a part, or over all 32 inputs. */
static int32_t plain_codes(const kr_layout *t, const kr_codes *w, const kr_q8 *x, size_t part)
{
    int32_t sum = 0;

    for (size_t k = part * 16; k < (t->parts == 2 ? part * 16 + 16 : KR_BLOCK); k++)
        sum += (w->code[k] - t->zero) * x->q[k];
    return sum;
}

/* 32 inputs: the product of weights' and activations' scales is rounded once, then one fma; minima likewise. */
static float plain_block(const kr_layout *t, const kr_codes *w, const kr_q8 *x, float total)
{
    float   d = kr_float_of_half(w->half[0]), m = kr_float_of_half(w->half[1]);
    int32_t sum = plain_codes(t, w, x, 0), second = x->sum - x->first;

    if (t->parts == 1) {
        float scale = t->scales ? d * (float)w->scale[0] : d;                   /* exact */
        float least = t->scales ? -(m * (float)w->scale[1]) : m;

        total = kr_fma((float)sum, scale * x->scale, total);
        return t->halves == 2 ? kr_fma((float)x->sum, least * x->scale, total) : total;
    }
    if (t->halves == 1) {
        sum = (int8_t)w->scale[0] * sum + (int8_t)w->scale[1] * plain_codes(t, w, x, 1);
        return kr_fma((float)sum, d * x->scale, total);
    }
    sum = (w->scale[0] & 15) * sum + (w->scale[1] & 15) * plain_codes(t, w, x, 1);
    total = kr_fma((float)sum, d * x->scale, total);
    return kr_fma(-(float)((w->scale[0] >> 4) * x->first + (w->scale[1] >> 4) * second), m * x->scale, total);
}

void kr_plain_product_blocks(const kr_product *p)
{
    kr_layout t = kr_layout_of(p->w->type);
    size_t    blocks = p->w->inputs / KR_BLOCK;

    for (size_t r = 0; r < p->rows; r++)
        for (size_t o = 0; o < p->w->outputs; o++) {
            size_t width = kr_pack_width(p->w, o);
            float  total = 0;

            for (size_t b = 0; b < blocks; b++) {
                kr_codes codes;

                kr_codes_get(&t, kr_pack_record(&t, p->w, o, b * KR_BLOCK), width, o % KR_STRIP,
                              b % (t.inputs / KR_BLOCK), &codes);
                total = plain_block(&t, &codes, &p->q[r * blocks + b], total);
            }
            p->y[r * p->y_stride + o] = p->bias ? total + p->bias[o] : total;
        }
}
