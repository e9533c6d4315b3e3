/* blocks.c - blocks of GGUF as integers and as floats. */
#include "core/blocks.h"

#include "krait.h"

size_t kr_blocks_numbers(int32_t type)
{
    switch (type) {
    case KRAIT_Q4_0: case KRAIT_Q4_1: case KRAIT_Q5_0: case KRAIT_Q5_1: case KRAIT_Q8_0:
        return 32;
    case KRAIT_Q2_K: case KRAIT_Q3_K: case KRAIT_Q4_K: case KRAIT_Q5_K: case KRAIT_Q6_K:
        return 256;
    default:
        return 0;
    }
}

size_t kr_blocks_bytes(int32_t type)
{
    switch (type) {
    case KRAIT_Q4_0: return 18;
    case KRAIT_Q4_1: return 20;
    case KRAIT_Q5_0: return 22;
    case KRAIT_Q5_1: return 24;
    case KRAIT_Q8_0: return 34;
    case KRAIT_Q2_K: return 84;
    case KRAIT_Q3_K: return 110;
    case KRAIT_Q4_K: return 144;
    case KRAIT_Q5_K: return 176;
    case KRAIT_Q6_K: return 210;
    default:         return 0;
    }
}

static float half_at(const unsigned char *p)
{
    return kr_float_of_half(kr_load_u16(p));
}

/* ---- blocks of 32 ---- */

/* Low nibbles are the first 16 numbers, high ones the others; bit i of 'high' is the fifth of number i. */
static void unfold_nibbles(const unsigned char *q, uint32_t high, int middle, int8_t *out)
{
    for (int i = 0; i < 32; i++)
        out[i] = (int8_t)((q[i % 16] >> i / 16 * 4 & 15) + (int)(high >> i & 1) * 16 - middle);
}

static void unfold_small(int32_t type, const unsigned char *block, kr_blocks_open *open)
{
    int                  has_offset = type == KRAIT_Q4_1 || type == KRAIT_Q5_1;
    int                  five = type == KRAIT_Q5_0 || type == KRAIT_Q5_1;
    const unsigned char *rest = block + (has_offset ? 4 : 2);

    open->numbers = open->run = 32;
    open->scale[0] = half_at(block);
    open->offset[0] = has_offset ? half_at(block + 2) : -0.0f;
    if (type == KRAIT_Q8_0)
        memcpy(open->q, rest, 32);
    else
        unfold_nibbles(rest + (five ? 4 : 0), five ? kr_load_u32(rest) : 0,
                       has_offset ? 0 : five ? 16 : 8, open->q);
}

/* ---- blocks of 256 ---- */

static void unfold_q2_k(const unsigned char *block, kr_blocks_open *open)
{
    const unsigned char *scales = block, *q = block + 16;
    float                d = half_at(block + 80), least = half_at(block + 82);

    open->run = 16;
    for (int i = 0; i < 16; i++) {
        open->scale[i] = d * (float)(scales[i] & 15);
        open->offset[i] = -(least * (float)(scales[i] >> 4));
    }
    for (int i = 0; i < 256; i++)
        open->q[i] = (int8_t)(q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3);
}

/* A scale's upper two bits stand behind the lower four of all. */
static void unfold_q3_k(const unsigned char *block, kr_blocks_open *open)
{
    const unsigned char *h = block, *q = block + 32, *scales = block + 96;
    float                d = half_at(block + 108);

    open->run = 16;
    for (int i = 0; i < 16; i++) {
        int low = scales[i % 8] >> i / 8 * 4 & 15, high = scales[8 + i % 4] >> i / 4 * 2 & 3;

        open->scale[i] = d * (float)((low | high << 4) - 32);
        open->offset[i] = -0.0f;
    }
    for (int i = 0; i < 256; i++)
        open->q[i] = (int8_t)((q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3) +
                              (h[i % 32] >> i / 32 & 1) * 4 - 4);
}

/* Q4_K and Q5_K: eight pairs of six bits in twelve bytes. */
static void unfold_scales(const unsigned char *block, kr_blocks_open *open)
{
    const unsigned char *s = block + 4;
    float                d = half_at(block), least = half_at(block + 2);

    open->run = 32;
    for (int i = 0; i < 8; i++) {
        int scale = i < 4 ? s[i] & 63 : (s[i + 4] & 15) | s[i - 4] >> 6 << 4;
        int offset = i < 4 ? s[i + 4] & 63 : s[i + 4] >> 4 | s[i] >> 6 << 4;

        open->scale[i] = d * (float)scale;
        open->offset[i] = -(least * (float)offset);
    }
}

static void unfold_q4_k(const unsigned char *block, kr_blocks_open *open)
{
    const unsigned char *q = block + 16;

    unfold_scales(block, open);
    for (int i = 0; i < 256; i++)
        open->q[i] = (int8_t)(q[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15);
}

static void unfold_q5_k(const unsigned char *block, kr_blocks_open *open)
{
    const unsigned char *h = block + 16, *q = block + 48;

    unfold_scales(block, open);
    for (int i = 0; i < 256; i++)
        open->q[i] = (int8_t)((q[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15) +
                              (h[i % 32] >> i / 32 & 1) * 16);
}

static void unfold_q6_k(const unsigned char *block, kr_blocks_open *open)
{
    const unsigned char *q = block, *h = block + 128, *scales = block + 192;
    float                d = half_at(block + 208);

    open->run = 16;
    for (int i = 0; i < 16; i++) {
        open->scale[i] = d * (float)(int8_t)scales[i];
        open->offset[i] = -0.0f;
    }
    for (int i = 0; i < 256; i++)
        open->q[i] = (int8_t)((q[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15) +
                              (h[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3) * 16 - 32);
}

/* ---- any ---- */

void kr_blocks_unfold(int32_t type, const unsigned char *block, kr_blocks_open *open)
{
    open->numbers = 256;
    switch (type) {
    case KRAIT_Q2_K: unfold_q2_k(block, open); break;
    case KRAIT_Q3_K: unfold_q3_k(block, open); break;
    case KRAIT_Q4_K: unfold_q4_k(block, open); break;
    case KRAIT_Q5_K: unfold_q5_k(block, open); break;
    case KRAIT_Q6_K: unfold_q6_k(block, open); break;
    default:         unfold_small(type, block, open); break;
    }
}

/* scale q is exact in every type, so one rounding is all there is, with or without an fma. */
void kr_blocks_read(int32_t type, const unsigned char *block, float *x)
{
    kr_blocks_open open;

    kr_blocks_unfold(type, block, &open);
    for (int i = 0; i < open.numbers; i++)
        x[i] = open.scale[i / open.run] * (float)open.q[i] + open.offset[i / open.run];
}
