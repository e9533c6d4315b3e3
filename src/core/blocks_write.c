/*
 * blocks_write.c - a block's scales and integers for given numbers.
 *
 * A run's scale is chosen among some that spread its numbers over a little more or less than all
 * integers: each is fitted to the integers that it makes (least squares), and the one with the least
 * error is taken.  Scales are then rounded to what the block stores, and only then are the final
 * integers made, so that they belong to what a reader multiplies them with.  Sums are in double, in
 * order: the same bytes everywhere.
 */
#include "core/blocks.h"
#include "core/real.h"
#include "krait.h"

enum {
    FIT_SPREADS = 10,           /* candidates to either side, a tenth of an integer apart */
    FIT_LEAST_SCALE = 63,       /* of six bits */
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
    if ((half & 0x7fff) != 0 && (half & 0x7fff) < FIT_MOST_HALF &&
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

/* ---- blocks of 32 ---- */

/* The scale is rounded to half first; other readers know these very bytes, so nothing is searched. */
static void write_q8_0(const float *x, unsigned char *block)
{
    uint16_t half = kr_half_of_float(kr_magnitude(largest_of(x, 32)) / 127.0f);
    float    scale = kr_float_of_half(half);

    kr_store_u16(block, half);
    for (int i = 0; i < 32; i++)
        block[2 + i] = (unsigned char)(int8_t)round_within(scale > 0 ? x[i] / scale : 0.0f, -127, 127);
}

/* Q4_0, Q5_0; Q4_1 and Q5_1 with an offset. */
static void write_small(int32_t type, const float *x, unsigned char *block)
{
    int            has_offset = type == KRAIT_Q4_1 || type == KRAIT_Q5_1;
    int            middle = type == KRAIT_Q5_0 || type == KRAIT_Q5_1 ? 16 : 8;
    fit_line       line = { 0, 0 };
    float          scale, offset;
    uint32_t       high = 0;
    unsigned char *q = block + (has_offset ? 4 : 2) + (middle == 16 ? 4 : 0);

    if (has_offset)
        line = fit_both(x, 32, 2 * middle - 1, 0);
    else
        line.scale = fit_scale(x, 32, middle);
    kr_store_u16(block, half_for(line.scale, 0, 0));
    if (has_offset)
        kr_store_u16(block + 2, half_for(line.offset, 0, 0));
    scale = kr_float_of_half(kr_load_u16(block));
    offset = has_offset ? kr_float_of_half(kr_load_u16(block + 2)) : (float)-middle * scale;
    memset(q, 0, 16);
    for (int i = 0; i < 32; i++) {
        float stored = kr_magnitude(scale) > 0 ? (x[i] - offset) / scale : (float)(has_offset ? 0 : middle);
        int   code = (int)round_within(stored, 0, (float)(2 * middle - 1));

        q[i % 16] |= (unsigned char)((code & 15) << i / 16 * 4);
        high |= (uint32_t)(code >> 4) << i;
    }
    if (middle == 16)
        kr_store_u32(q - 4, high);
}

/* ---- blocks of 256 ---- */

/* The integer times 'unit' that is nearest to x. */
static int units_of(float x, float unit, int low, int high)
{
    return kr_magnitude(unit) > 0 ? (int)round_within(x / unit, (float)low, (float)high) : 0;
}

/* Q4_K and Q5_K keep eight pairs of six bits in twelve bytes. */
static void write_scales(const int *scale, const int *offset, unsigned char *s)
{
    for (int i = 0; i < 4; i++) {
        s[i] = (unsigned char)(scale[i] | scale[i + 4] >> 4 << 6);
        s[i + 4] = (unsigned char)(offset[i] | offset[i + 4] >> 4 << 6);
        s[i + 8] = (unsigned char)((scale[i + 4] & 15) | (offset[i + 4] & 15) << 4);
    }
}

static void write_pairs(int32_t type, const float *x, unsigned char *block)
{
    int            top = type == KRAIT_Q5_K ? 31 : 15, scale[8], offset[8];
    unsigned char *h = block + 16, *q = block + (type == KRAIT_Q5_K ? 48 : 16);
    fit_line       lines[8];
    float          most = 0, least = 0, d, d_offset;

    for (int r = 0; r < 8; r++) {
        lines[r] = fit_both(x + 32 * r, 32, top, 1);
        most = lines[r].scale > most ? lines[r].scale : most;
        least = lines[r].offset < least ? lines[r].offset : least;
    }
    kr_store_u16(block, half_for(most / FIT_LEAST_SCALE, most, FIT_LEAST_SCALE));
    kr_store_u16(block + 2, half_for(-least / FIT_LEAST_SCALE, least, FIT_LEAST_SCALE));
    d = kr_float_of_half(kr_load_u16(block));
    d_offset = kr_float_of_half(kr_load_u16(block + 2));
    for (int r = 0; r < 8; r++) {
        scale[r] = units_of(lines[r].scale, d, 0, FIT_LEAST_SCALE);
        offset[r] = units_of(-lines[r].offset, d_offset, 0, FIT_LEAST_SCALE);
    }
    write_scales(scale, offset, block + 4);
    memset(block + 16, 0, type == KRAIT_Q5_K ? 160 : 128);
    for (int i = 0; i < 256; i++) {
        int code = units_of(x[i] + d_offset * (float)offset[i / 32], d * (float)scale[i / 32], 0, top);

        q[i / 64 * 32 + i % 32] |= (unsigned char)((code & 15) << i % 64 / 32 * 4);
        if (type == KRAIT_Q5_K)
            h[i % 32] |= (unsigned char)(code >> 4 << i / 32);
    }
}

static void write_q6_k(const float *x, unsigned char *block)
{
    unsigned char *q = block, *h = block + 128;
    float          runs[16], largest, d;
    uint16_t       half;

    for (int r = 0; r < 16; r++)
        runs[r] = fit_scale(x + 16 * r, 16, 32);
    largest = largest_of(runs, 16);
    half = half_for(-largest / 128.0f, largest, 128.0f);
    d = kr_float_of_half(half);
    memset(block, 0, 192);
    kr_store_u16(block + 208, half);
    for (int r = 0; r < 16; r++)
        block[192 + r] = (unsigned char)(int8_t)units_of(runs[r], d, -128, 127);
    for (int i = 0; i < 256; i++) {
        int code = units_of(x[i], d * (float)(int8_t)block[192 + i / 16], -32, 31) + 32;

        q[i / 128 * 64 + i % 64] |= (unsigned char)((code & 15) << i % 128 / 64 * 4);
        h[i / 128 * 32 + i % 32] |= (unsigned char)(code >> 4 << i % 128 / 32 * 2);
    }
}

/* ---- any ---- */

float kr_blocks_limit(int32_t type)
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

void kr_blocks_write(int32_t type, const float *x, unsigned char *block)
{
    switch (type) {
    case KRAIT_Q8_0:                  write_q8_0(x, block); break;
    case KRAIT_Q4_K: case KRAIT_Q5_K: write_pairs(type, x, block); break;
    case KRAIT_Q6_K:                  write_q6_k(x, block); break;
    default:                          write_small(type, x, block); break;
    }
}
