/*
 * pack_blocks.c - whole panels of blocks of 4 to 6 bits: words of four codes at a time, as blocks.c puts them one by one.
 *
 * Masks are the same for every byte of a word, so that the order of bytes does not matter.
 */
#include "kernels/pack.h"

#include <string.h>

#include "kernels/pack_tiles.h"

/* Where a file's block has the upper bits of its b-th 32 codes, and from which bit on. */
typedef struct planes_source {
    const unsigned char *low, *high;
    size_t               low_from, high_from;
} planes_source;

static uint32_t planes_word(const unsigned char *p)
{
    uint32_t word;

    memcpy(&word, p, 4);
    return word;
}

static planes_source planes_of(const kr_layout *t, const unsigned char *p, size_t b)
{
    switch (t->type) {
    case KRAIT_Q4_K: return (planes_source){ p + 16 + b / 2 * 32, NULL, b % 2 * 4, 0 };
    case KRAIT_Q5_K: return (planes_source){ p + 48 + b / 2 * 32, p + 16, b % 2 * 4, b };
    default:         return (planes_source){ p + b / 4 * 64 + b % 2 * 32, p + 128 + b / 4 * 32, b % 4 / 2 * 4, b % 4 * 2 };
    }
}

/* Words 0..3 of the low plane: of Q4_0 and Q4_1 they are the file's bytes. */
static void planes_low(uint32_t *low, const kr_layout *t, const unsigned char *p, size_t b)
{
    planes_source from;

    if (t->inputs == KR_BLOCK) {
        memcpy(low, p + 2 * t->halves, 16);
        return;
    }
    from = planes_of(t, p, b);
    for (size_t j = 0; j < 4; j++)
        low[j] = (planes_word(from.low + 4 * j) >> from.low_from & 0x0f0f0f0fu) |
                 (planes_word(from.low + 16 + 4 * j) >> from.low_from & 0x0f0f0f0fu) << 4;
}

static void planes_high(unsigned char *to, size_t width, const kr_layout *t, const unsigned char *p, size_t b)
{
    planes_source from = planes_of(t, p, b);
    uint32_t      mask = t->high == 1 ? 0x01010101u : 0x03030303u, high[2] = { 0, 0 };

    for (size_t j = 0; j < KR_BLOCK / 4; j++)
        high[j % t->high] |= (planes_word(from.high + 4 * j) >> from.high_from & mask) << j / t->high * t->high;
    for (size_t i = 0; i < t->high; i++)
        memcpy(to + 4 * i * width, &high[i], 4);
}

static void planes_scales(unsigned char *record, unsigned char *at, size_t width, const kr_layout *t,
                          const unsigned char *p, size_t b)
{
    const unsigned char *halves = t->type == KRAIT_Q6_K ? p + 208 : p;
    kr_codes             codes;

    for (size_t i = 0; b == 0 && i < t->halves; i++)
        memcpy(record + 2 * i * width, halves + 2 * i, 2);
    if (t->type == KRAIT_Q6_K) {
        at[0] = p[192 + 2 * b];
        at[width] = p[192 + 2 * b + 1];
    } else if (t->scales) {
        kr_blocks_sixes(&codes, p + 4, b);
        at[0] = codes.scale[0];
        at[width] = codes.scale[1];
    }
}

int kr_pack_has_planes(int32_t type)
{
    return type == KRAIT_Q4_0 || type == KRAIT_Q4_1 || type == KRAIT_Q4_K || type == KRAIT_Q5_K || type == KRAIT_Q6_K;
}

void kr_pack_planes(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t output, size_t from,
                    size_t to)
{
    kr_layout t = kr_layout_of(w->type);
    kr_matrix in = { panels, w->outputs, w->inputs, w->type };
    size_t    width = kr_pack_width(w, output), bytes = w->inputs / t.inputs * t.file, first = output % KR_STRIP;

    rows += output * bytes;
    for (size_t k = from; k < to; k += KR_BLOCK) {
        size_t         b = k % t.inputs / KR_BLOCK;
        unsigned char *record = (unsigned char *)(uintptr_t)kr_pack_record(&t, &in, output, k);
        unsigned char *at = record + kr_layout_at(t, width, b), *low = at + t.scales * width;
        const unsigned char *p = rows + k / t.inputs * t.file;

        for (size_t o = 0; o < KR_LANES; o += 4) {
            uint32_t words[4][4];

            for (size_t i = 0; i < 4; i++) {
                size_t               column = first + o + i;
                const unsigned char *block = p + (o + i) * bytes;

                planes_low(words[i], &t, block, b);
                planes_scales(record + 2 * column, at + column, width, &t, block, b);
                if (t.high)
                    planes_high(low + 4 * (t.low * width + column), width, &t, block, b);
            }
            kr_tiles_turn4((uint32_t *)(void *)low + first + o, width, (const unsigned char *)words, sizeof *words, 0);
        }
    }
}
