/* codes.c - codes and scales out of the blocks of files, into records of panels and out of them. */
#include "kernels/codes.h"

#include "core/real.h"

/* ---- blocks of files ------------------------------------------------------------------------- */

/* 32 codes: the first 16 in the low halves of bytes. */
static void blocks_nibbles(kr_codes *c, const unsigned char *p)
{
    for (size_t k = 0; k < KR_BLOCK; k++)
        c->code[k] = (uint8_t)(p[k % 16] >> k / 16 * 4 & 15);
}

/* A field of 'bits' bits of each of 32 bytes becomes bits 'to' and above of the codes. */
static void blocks_fields(kr_codes *c, const unsigned char *p, size_t from, size_t bits, size_t to)
{
    for (size_t k = 0; k < KR_BLOCK; k++)
        c->code[k] |= (uint8_t)((p[k] >> from & ((1u << bits) - 1)) << to);
}

static void blocks_fifth(kr_codes *c, const unsigned char *p)
{
    uint32_t bits = kr_load_u32(p);

    for (size_t k = 0; k < KR_BLOCK; k++)
        c->code[k] |= (uint8_t)((bits >> k & 1) << 4);
}

static void blocks_halves(kr_codes *c, const unsigned char *p, size_t halves)
{
    for (size_t i = 0; i < halves; i++)
        c->half[i] = kr_load_u16(p + 2 * i);
}

/* Scale and minimum of 6 bits each: the first four in whole bytes, whose upper bits belong to the others. */
static void blocks_sixes(kr_codes *c, const unsigned char *p, size_t b)
{
    if (b < 4) {
        c->scale[0] = p[b] & 63;
        c->scale[1] = p[b + 4] & 63;
    } else {
        c->scale[0] = (uint8_t)((p[b + 4] & 15) | p[b - 4] >> 6 << 4);
        c->scale[1] = (uint8_t)(p[b + 4] >> 4 | p[b] >> 6 << 4);
    }
}

/* Number i of 16 with 6 bits, less 32. */
static uint8_t blocks_signed_six(const unsigned char *p, size_t i)
{
    return (uint8_t)(((p[i % 8] >> i / 8 * 4 & 15) | (p[8 + i % 4] >> i / 4 * 2 & 3) << 4) - 32);
}

void kr_codes_read(const kr_layout *t, const unsigned char *p, size_t b, kr_codes *c)
{
    *c = (kr_codes){ 0 };
    switch (t->type) {
    case KRAIT_Q8_0:
        blocks_halves(c, p, 1);
        for (size_t k = 0; k < KR_BLOCK; k++)
            c->code[k] = p[2 + k] ^ 0x80;
        break;
    case KRAIT_Q4_0:
    case KRAIT_Q4_1:
        blocks_halves(c, p, t->halves);
        blocks_nibbles(c, p + 2 * t->halves);
        break;
    case KRAIT_Q5_0:
    case KRAIT_Q5_1:
        blocks_halves(c, p, t->halves);
        blocks_nibbles(c, p + 2 * t->halves + 4);
        blocks_fifth(c, p + 2 * t->halves);
        break;
    case KRAIT_Q2_K:
        c->scale[0] = p[2 * b];
        c->scale[1] = p[2 * b + 1];
        blocks_fields(c, p + 16 + b / 4 * 32, b % 4 * 2, 2, 0);
        blocks_halves(c, p + 80, 2);
        break;
    case KRAIT_Q3_K:
        blocks_fields(c, p, b, 1, 2);
        blocks_fields(c, p + 32 + b / 4 * 32, b % 4 * 2, 2, 0);
        c->scale[0] = blocks_signed_six(p + 96, 2 * b);
        c->scale[1] = blocks_signed_six(p + 96, 2 * b + 1);
        blocks_halves(c, p + 108, 1);
        break;
    case KRAIT_Q4_K:
    case KRAIT_Q5_K:
        blocks_halves(c, p, 2);
        blocks_sixes(c, p + 4, b);
        blocks_fields(c, p + (t->high ? 48 : 16) + b / 2 * 32, b % 2 * 4, 4, 0);
        if (t->high)
            blocks_fields(c, p + 16, b, 1, 4);
        break;
    default:                    /* Q6_K */
        blocks_fields(c, p + b / 4 * 64 + b % 2 * 32, b % 4 / 2 * 4, 4, 0);
        blocks_fields(c, p + 128 + b / 4 * 32, b % 4 * 2, 2, 4);
        c->scale[0] = p[192 + 2 * b];
        c->scale[1] = p[192 + 2 * b + 1];
        blocks_halves(c, p + 208, 1);
        break;
    }
}

/* ---- records --------------------------------------------------------------------------------- */

/* The same bits of four codes in the four bytes of a word. */
static uint32_t blocks_mask(size_t bits)
{
    return 0x01010101u * ((1u << bits) - 1);
}

void kr_codes_put(const kr_layout *t, unsigned char *record, size_t width, size_t column, size_t b,
                   const kr_codes *c)
{
    unsigned char *at = record + kr_layout_at(*t, width, b), *low = at + t->scales * width + 4 * column;
    unsigned char *high = low + 4 * t->low * width;
    uint32_t       lows[8] = { 0 }, highs[2] = { 0 };

    for (size_t i = 0; i < t->halves; i++)
        kr_store_u16(record + 2 * (i * width + column), c->half[i]);
    for (size_t i = 0; i < t->scales; i++)
        at[i * width + column] = c->scale[i];
    for (size_t j = 0; j < KR_BLOCK / 4; j++) {
        uint32_t four = kr_load_u32(c->code + 4 * j);

        lows[j % t->low] |= (four & blocks_mask(t->low)) << j / t->low * t->low;
        if (t->high)
            highs[j % t->high] |= (four >> t->low & blocks_mask(t->high)) << j / t->high * t->high;
    }
    for (size_t i = 0; i < t->low; i++)
        kr_store_u32(low + 4 * i * width, lows[i]);
    for (size_t i = 0; i < t->high; i++)
        kr_store_u32(high + 4 * i * width, highs[i]);
}

void kr_codes_get(const kr_layout *t, const unsigned char *record, size_t width, size_t column, size_t b,
                   kr_codes *c)
{
    const unsigned char *at = record + kr_layout_at(*t, width, b), *low = at + t->scales * width + 4 * column;
    const unsigned char *high = low + 4 * t->low * width;

    *c = (kr_codes){ 0 };
    for (size_t i = 0; i < t->halves; i++)
        c->half[i] = kr_load_u16(record + 2 * (i * width + column));
    for (size_t i = 0; i < t->scales; i++)
        c->scale[i] = at[i * width + column];
    for (size_t j = 0; j < KR_BLOCK / 4; j++) {
        uint32_t four = kr_load_u32(low + 4 * (j % t->low) * width) >> j / t->low * t->low & blocks_mask(t->low);

        if (t->high)
            four |= (kr_load_u32(high + 4 * (j % t->high) * width) >> j / t->high * t->high &
                     blocks_mask(t->high)) << t->low;
        kr_store_u32(c->code + 4 * j, four);
    }
}

/* In the order of roundings in which files' own library has it: what a row of an embedding is. */
void kr_codes_floats(const kr_layout *t, const kr_codes *c, float *weights)
{
    float d = kr_float_of_half(c->half[0]), m = kr_float_of_half(c->half[1]);

    for (size_t k = 0; k < KR_BLOCK; k++) {
        uint8_t scale = c->scale[k / 16 * (t->parts - 1)];
        float   code = (float)(c->code[k] - t->zero);

        if (t->scales == 0)
            weights[k] = t->halves == 2 ? code * d + m : code * d;
        else if (t->parts == 1)
            weights[k] = d * (float)scale * code - m * (float)c->scale[1];
        else if (t->halves == 1)
            weights[k] = d * (float)(int8_t)scale * code;
        else
            weights[k] = d * (float)(scale & 15) * code - m * (float)(scale >> 4);
    }
}
