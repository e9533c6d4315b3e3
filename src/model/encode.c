/*
 * encode.c - a block's scales and integers for given numbers.
 *
 * A run's scale is chosen among some that spread its numbers over a little more or less than all
 * integers: each is fitted to the integers that it makes (least squares), and the one with the least
 * error is taken.  Scales are then rounded to what the block stores, and only then are the final
 * integers made, so that they belong to what a reader multiplies them with.  Sums are in double, in
 * order: the same bytes everywhere.
 */
#include "model/encode.h"

#include "core/real.h"
#include "krait.h"

enum {
    FIT_SPREADS = 10,           /* candidates to either side, a tenth of an integer apart */
    ENCODE_SIX = 63,            /* the largest scale of six bits */
    FIT_MOST_HALF = 0x7bff
};

/* Below it the scale of the largest type is less than half's least number: the block is zero. */
#define FIT_ZERO 0x1p-40f

static float round_within(float q, float low, float high)
{
    q = q > high ? high : q < low ? low : q;
    return (q + KR_ROUND) - KR_ROUND;
}

static float largest_of(const float *x, int count)
{
    float most = 0;

    for (int i = 0; i < count; i++)
        most = kr_magnitude(x[i]) > kr_magnitude(most) ? x[i] : most;
    return most;
}

/*
 * The half nearest to 'scale', or, where next to zero halves are few, the next one away from zero: so that
 * 'whole' is at most 'most' of them and a half.
 */
static uint16_t half_for(float scale, float whole, float most)
{
    uint16_t half = kr_half_of_float(scale);

    if ((half & 0x7fff) > FIT_MOST_HALF)
        half = (uint16_t)((half & 0x8000) | FIT_MOST_HALF);
    if ((half & 0x7fff) < FIT_MOST_HALF &&
        kr_magnitude(whole) > (most + 0.5f) * kr_magnitude(kr_float_of_half(half)))
        half++;
    return half;
}

/* ---- scales ---- */

/* How much an error at x counts: larger numbers were found to matter more. */
static double weight_at(float x, double mean)
{
    return mean + (double)x * x;
}

static double mean_square(const float *x, int count)
{
    double sum = 0;

    for (int i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return sum / count;
}

/* x is near scale q with q in -middle .. middle - 1: the scale, of either sign. */
static float fit_scale(const float *x, int count, int middle)
{
    float  largest = largest_of(x, count), found = 0;
    double mean = mean_square(x, count), best = 0;

    if (kr_magnitude(largest) < FIT_ZERO)
        return 0;
    for (int k = -FIT_SPREADS; k <= FIT_SPREADS; k++) {
        float  inverse = -((float)middle + 0.1f * (float)k) / largest;
        double xq = 0, qq = 0;

        for (int i = 0; i < count; i++) {
            double q = round_within(x[i] * inverse, (float)-middle, (float)(middle - 1));
            double w = weight_at(x[i], mean);

            xq += w * x[i] * q;
            qq += w * q * q;
        }
        if (qq > 0 && xq * xq > best * qq) {
            best = xq * xq / qq;
            found = (float)(xq / qq);
        }
    }
    return found;
}

/* x is near scale q + offset with q in 0 .. top. */
typedef struct fit_line {
    float scale, offset;
} fit_line;

/* Sums of one candidate: of w, w q, w q q, w x, w q x, w x x. */
typedef struct fit_sums {
    double one, q, qq, x, qx, xx;
} fit_sums;

static fit_sums sum_candidate(const float *x, int count, float inverse, float low, int top, double mean)
{
    fit_sums s = { 0, 0, 0, 0, 0, 0 };

    for (int i = 0; i < count; i++) {
        double q = round_within((x[i] - low) * inverse, 0, (float)top), w = weight_at(x[i], mean);

        s.one += w;
        s.q += w * q;
        s.qq += w * q * q;
        s.x += w * x[i];
        s.qx += w * q * x[i];
        s.xx += w * x[i] * x[i];
    }
    return s;
}

/* The least error of a line through the sums; with 'below' its offset is at most 0. */
static double fit_sums_line(const fit_sums *s, int below, double *scale, double *offset)
{
    double determinant = s->one * s->qq - s->q * s->q;

    *scale = s->qq > 0 ? s->qx / s->qq : 0;
    *offset = 0;
    if (determinant > 0) {
        double b = (s->qq * s->x - s->q * s->qx) / determinant;

        if (b < 0 || !below) {
            *scale = (s->one * s->qx - s->q * s->x) / determinant;
            *offset = b;
        }
    }
    return s->xx - 2 * *scale * s->qx - 2 * *offset * s->x + *scale * *scale * s->qq +
           2 * *scale * *offset * s->q + *offset * *offset * s->one;
}

static fit_line fit_both(const float *x, int count, int top, int below)
{
    float    low = x[0], high = x[0];
    double   mean = mean_square(x, count), best = -1;
    fit_line found;

    for (int i = 1; i < count; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    low = below && low > 0 ? 0 : low;
    found = (fit_line){ 0, low };
    if (high - low < FIT_ZERO)
        return found;
    for (int k = -FIT_SPREADS; k <= FIT_SPREADS; k++) {
        fit_sums s = sum_candidate(x, count, ((float)top + 0.1f * (float)k) / (high - low), low, top, mean);
        double   scale, offset, error = fit_sums_line(&s, below, &scale, &offset);

        if (scale > 0 && (best < 0 || error < best)) {
            best = error < 0 ? 0 : error;
            found = (fit_line){ (float)scale, (float)offset };
        }
    }
    return found;
}

/* ---- integers into the bytes of a block -------------------------------------------------------- */

static void encode_small(const kr_layout *t, const kr_codes *c, unsigned char *block)
{
    unsigned char *q = block + 2 * t->halves + 4 * t->high;
    uint32_t       fifth = 0;

    for (size_t i = 0; i < t->halves; i++)
        kr_store_u16(block + 2 * i, c->half[i]);
    for (size_t i = 0; i < KR_BLOCK; i++) {
        q[i % 16] |= (unsigned char)((c->code[i] & 15) << i / 16 * 4);
        fifth |= (uint32_t)(c->code[i] >> 4 & 1) << i;
    }
    if (t->high)
        kr_store_u32(block + 2 * t->halves, fifth);
}

/* Eight pairs of six bits in twelve bytes; of code i of 32 the b-th byte pair's nibble, above it a bit of h. */
static void encode_pairs(const kr_layout *t, const kr_codes *c, unsigned char *block)
{
    unsigned char *s = block + 4, *h = block + 16, *q = block + (t->high ? 48 : 16);

    kr_store_u16(block, c->half[0]);
    kr_store_u16(block + 2, c->half[1]);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 2; k++) {
            s[4 * k + i] = (unsigned char)(c[i].scale[k] | c[i + 4].scale[k] >> 4 << 6);
            s[8 + i] |= (unsigned char)((c[i + 4].scale[k] & 15) << 4 * k);
        }
    for (size_t b = 0; b < 8; b++)
        for (size_t i = 0; i < KR_BLOCK; i++) {
            q[b / 2 * 32 + i] |= (unsigned char)((c[b].code[i] & 15) << b % 2 * 4);
            if (t->high)
                h[i] |= (unsigned char)(c[b].code[i] >> 4 << b);
        }
}

static void encode_sixes(const kr_codes *c, unsigned char *block)
{
    for (size_t b = 0; b < 8; b++) {
        for (size_t i = 0; i < KR_BLOCK; i++) {
            block[b / 4 * 64 + b % 2 * 32 + i] |= (unsigned char)((c[b].code[i] & 15) << b % 4 / 2 * 4);
            block[128 + b / 4 * 32 + i] |= (unsigned char)(c[b].code[i] >> 4 << b % 4 * 2);
        }
        memcpy(block + 192 + 2 * b, c[b].scale, 2);
    }
    kr_store_u16(block + 208, c->half[0]);
}

void kr_encode_codes(const kr_layout *t, const kr_codes *codes, unsigned char *block)
{
    memset(block, 0, t->file);
    if (t->type == KRAIT_Q8_0) {
        kr_store_u16(block, codes->half[0]);
        for (size_t i = 0; i < KR_BLOCK; i++)
            block[2 + i] = codes->code[i] ^ 0x80;
    } else if (t->type == KRAIT_Q6_K) {
        encode_sixes(codes, block);
    } else if (t->inputs == KR_BLOCK) {
        encode_small(t, codes, block);
    } else {
        encode_pairs(t, codes, block);
    }
}

/* ---- integers for numbers ---------------------------------------------------------------------- */

/* Code 'zero' is 0; q is x / unit. */
static uint8_t code_of(float x, float unit, int zero, int top)
{
    float q = kr_magnitude(unit) > 0 ? x / unit : 0.0f;

    return (uint8_t)((int)round_within(q, (float)-zero, (float)(top - zero)) + zero);
}

/* The scale is rounded to half first.  -128 is not used: the same magnitudes on both sides. */
static void choose_q8_0(const float *x, kr_codes *c)
{
    float scale;

    c->half[0] = kr_half_of_float(kr_magnitude(largest_of(x, KR_BLOCK)) / 127.0f);
    scale = kr_float_of_half(c->half[0]);
    for (size_t i = 0; i < KR_BLOCK; i++)
        c->code[i] = (uint8_t)((int)round_within(scale > 0 ? x[i] / scale : 0.0f, -127, 127) + 128);
}

static void choose_small(const kr_layout *t, const float *x, kr_codes *c)
{
    int      top = t->high ? 31 : 15;
    fit_line line = { 0, 0 };

    if (t->halves == 2)
        line = fit_both(x, KR_BLOCK, top, 0);
    else
        line.scale = fit_scale(x, KR_BLOCK, t->zero);
    c->half[0] = half_for(line.scale, 0, 0);
    c->half[1] = half_for(line.offset, 0, 0);
    for (size_t i = 0; i < KR_BLOCK; i++)
        c->code[i] = code_of(x[i] - kr_float_of_half(c->half[1]), kr_float_of_half(c->half[0]), t->zero, top);
}

static void choose_pairs(const kr_layout *t, const float *x, kr_codes *c)
{
    int      top = t->high ? 31 : 15;
    fit_line lines[8];
    float    most = 0, least = 0, d, d_offset;

    for (int b = 0; b < 8; b++) {
        lines[b] = fit_both(x + KR_BLOCK * b, KR_BLOCK, top, 1);
        most = lines[b].scale > most ? lines[b].scale : most;
        least = lines[b].offset < least ? lines[b].offset : least;
    }
    c->half[0] = half_for(most / ENCODE_SIX, most, ENCODE_SIX);
    c->half[1] = half_for(-least / ENCODE_SIX, least, ENCODE_SIX);
    d = kr_float_of_half(c->half[0]);
    d_offset = kr_float_of_half(c->half[1]);
    for (int b = 0; b < 8; b++) {
        c[b].scale[0] = code_of(lines[b].scale, d, 0, ENCODE_SIX);
        c[b].scale[1] = code_of(-lines[b].offset, d_offset, 0, ENCODE_SIX);
        for (int i = 0; i < KR_BLOCK; i++)
            c[b].code[i] = code_of(x[KR_BLOCK * b + i] + d_offset * (float)c[b].scale[1], d * (float)c[b].scale[0], 0, top);
    }
}

static void choose_sixes(const kr_layout *t, const float *x, kr_codes *c)
{
    float runs[16], largest, d;

    for (int r = 0; r < 16; r++)
        runs[r] = fit_scale(x + 16 * r, 16, t->zero);
    largest = largest_of(runs, 16);
    c->half[0] = half_for(-largest / 128.0f, largest, 128);
    d = kr_float_of_half(c->half[0]);
    for (int r = 0; r < 16; r++) {
        int scale = (int)code_of(runs[r], d, 128, 255) - 128;

        c[r / 2].scale[r % 2] = (uint8_t)scale;
        for (int i = 0; i < 16; i++)
            c[r / 2].code[r % 2 * 16 + i] = code_of(x[16 * r + i], d * (float)scale, t->zero, 63);
    }
}

/* ---- any --------------------------------------------------------------------------------------- */

float kr_encode_limit(int32_t type)
{
    switch (type) {
    case KRAIT_Q8_0:
        return 65504.0f * 127.0f;
    case KRAIT_Q4_0: case KRAIT_Q4_1: case KRAIT_Q5_0: case KRAIT_Q5_1:
    case KRAIT_Q4_K: case KRAIT_Q5_K: case KRAIT_Q6_K:
        return 65504.0f;
    default:
        return 0;
    }
}

void kr_encode_block(const kr_layout *t, const float *x, unsigned char *block)
{
    kr_codes codes[8] = { { { 0 }, { 0 }, { 0 } } };

    switch (t->type) {
    case KRAIT_Q8_0:                  choose_q8_0(x, codes); break;
    case KRAIT_Q4_K: case KRAIT_Q5_K: choose_pairs(t, x, codes); break;
    case KRAIT_Q6_K:                  choose_sixes(t, x, codes); break;
    default:                          choose_small(t, x, codes); break;
    }
    kr_encode_codes(t, codes, block);
}
