/*
 * pack_fast.c - whole panels of row-major tensors, square by square: the bytes of pack.c at memory's speed.
 *
 * A strip of 64 rows is read and written in pieces of 128 inputs, which stay in the inner caches.
 */
#include "kernels/pack.h"

#include <string.h>

#include "kernels/pack_tiles.h"

enum { FAST_PIECE = 128, FAST_Q8_0 = KR_BLOCK + 2 };   /* inputs; bytes of a block */

/* Inputs from..to-1 of the 16 outputs from 'output' on. */
static void fast_f32(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t output, size_t from,
                     size_t to)
{
    uint32_t *out = (uint32_t *)(void *)panels + kr_pack_index(w, output, 0);
    size_t    width = kr_pack_width(w, output), bytes = 4 * w->inputs, k = from;

    rows += output * bytes;
    for (; k + 4 <= to; k += 4)
        for (size_t o = 0; o < KR_LANES; o += 4)
            kr_tiles_turn4(out + k * width + o, width, rows + o * bytes + 4 * k, bytes, 0);
    for (; k < to; k++)
        for (size_t o = 0; o < KR_LANES; o++)
            memcpy(out + k * width + o, rows + o * bytes + 4 * k, 4);
}

static void fast_u16(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t output, size_t from,
                     size_t to)
{
    uint16_t *out = (uint16_t *)(void *)panels + kr_pack_index(w, output, 0);
    size_t    width = kr_pack_width(w, output), bytes = 2 * w->inputs, k = from;

    rows += output * bytes;
    for (; k + 8 <= to; k += 8)
        for (size_t o = 0; o < KR_LANES; o += 8)
            kr_tiles_turn8(out + k * width + o, width, rows + o * bytes + 2 * k, bytes);
    for (; k < to; k++)
        for (size_t o = 0; o < KR_LANES; o++)
            memcpy(out + k * width + o, rows + o * bytes + 2 * k, 2);
}

/* Scales stay halves; weights go in words of four inputs, with the highest bit of each turned: 128 more. */
static void fast_q8_0(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t output, size_t from,
                      size_t to)
{
    size_t width = kr_pack_width(w, output), blocks = w->inputs / KR_BLOCK, bytes = blocks * FAST_Q8_0;
    size_t strip = output / KR_STRIP * KR_STRIP * blocks, first = output % KR_STRIP;

    rows += output * bytes;
    for (size_t b = from / KR_BLOCK; b < to / KR_BLOCK; b++) {
        unsigned char       *record = panels + (strip + b * width) * FAST_Q8_0;
        const unsigned char *block = rows + b * FAST_Q8_0;
        uint32_t            *words = (uint32_t *)(void *)(record + 2 * width);

        for (size_t o = 0; o < KR_LANES; o++)
            memcpy(record + 2 * (first + o), block + o * bytes, 2);
        for (size_t k = 0; k < KR_BLOCK / 4; k += 4)
            for (size_t o = 0; o < KR_LANES; o += 4)
                kr_tiles_turn4(words + k * width + first + o, width, block + o * bytes + 2 + 4 * k, bytes, 0x80808080u);
    }
}

size_t kr_pack_whole(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t from, size_t to)
{
    void (*pack)(const kr_matrix *, unsigned char *, const unsigned char *, size_t, size_t, size_t) =
        w->type == KRAIT_F32 ? fast_f32 : w->type == KRAIT_Q8_0 ? fast_q8_0
        : w->type == KRAIT_F16 || w->type == KRAIT_BF16 ? fast_u16 : NULL;
    size_t end = to / KR_LANES * KR_LANES;

    if (!pack || end <= from)
        return from;
    for (size_t o = from; o < end; o += KR_STRIP)
        for (size_t k = 0; k < w->inputs; k += FAST_PIECE)
            for (size_t p = o; p < kr_min(o + KR_STRIP, end); p += KR_LANES)
                pack(w, panels, rows, p, k, kr_min(k + FAST_PIECE, w->inputs));
    return end;
}

void kr_pack_columns(const kr_matrix *w, unsigned char *panels, const unsigned char *columns, size_t from, size_t to)
{
    size_t size = w->type == KRAIT_F32 ? 4 : 2;

    for (size_t o = from; o < to; o += KR_STRIP) {
        size_t         width = kr_pack_width(w, o), there = kr_min(width, w->outputs - o);
        unsigned char *out = panels + o * w->inputs * size;

        for (size_t k = 0; k < w->inputs; k++, out += width * size) {
            memcpy(out, columns + (k * w->outputs + o) * size, there * size);
            memset(out + there * size, 0, (width - there) * size);
        }
    }
}
