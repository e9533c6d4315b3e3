/* pack.c - row-major tensors of files into panels. */
#include "kernels/pack.h"

#include "core/real.h"

/*
 * 16 rows at a time, so that what is written lies side by side.  Missing outputs of the last
 * panel are zero weights, which in Q8_0 are stored as 128.
 */
static void pack_panel_f32(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t output,
                           size_t count)
{
    float *out = (float *)(void *)panels + kr_pack_index(w, output, 0);
    size_t width = kr_pack_width(w, output), bytes = 4 * w->inputs;

    for (size_t k = 0; k < w->inputs; k++, out += width)
        for (size_t j = 0; j < KR_LANES; j++)
            out[j] = j < count ? kr_float_of(kr_load_u32(rows + j * bytes + 4 * k)) : 0.0f;
}

static void pack_panel_u16(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t output,
                           size_t count)
{
    uint16_t *out = (uint16_t *)(void *)panels + kr_pack_index(w, output, 0);
    size_t    width = kr_pack_width(w, output), bytes = 2 * w->inputs;

    for (size_t k = 0; k < w->inputs; k++, out += width)
        for (size_t j = 0; j < KR_LANES; j++)
            out[j] = j < count ? kr_load_u16(rows + j * bytes + 2 * k) : 0;
}

static void pack_block_q8_0(unsigned char *scale, unsigned char *weights, size_t width, const unsigned char *block)
{
    kr_store_u16(scale, block ? kr_load_u16(block) : 0);
    for (size_t k = 0; k < KR_BLOCK; k++)
        weights[k / 4 * width * 4 + k % 4] = block ? (unsigned char)(block[2 + k] ^ 0x80) : 0x80;
}

static void pack_panel_q8_0(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t output,
                            size_t count)
{
    size_t width = kr_pack_width(w, output), blocks = w->inputs / KR_BLOCK, shift = output % KR_STRIP;
    size_t strip = output / KR_STRIP * KR_STRIP * blocks;

    for (size_t b = 0; b < blocks; b++) {
        unsigned char *record = panels + (strip + b * width) * KR_Q8_RECORD;

        for (size_t j = 0; j < KR_LANES; j++)
            pack_block_q8_0(record + 2 * (shift + j), record + 2 * width + 4 * (shift + j), width,
                            j < count ? rows + (j * blocks + b) * KR_Q8_RECORD : NULL);
    }
}

void kr_pack_rows(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t from,
                  size_t to)
{
    size_t bytes = w->type == KRAIT_F32 ? 4 * w->inputs
                 : w->type == KRAIT_Q8_0 ? w->inputs / KR_BLOCK * KR_Q8_RECORD : 2 * w->inputs;

    for (size_t o = from; o < to; o += KR_LANES) {
        const unsigned char *row = rows + o * bytes;
        size_t               count = kr_min(w->outputs - o, KR_LANES);

        if (w->type == KRAIT_F32)
            pack_panel_f32(w, panels, row, o, count);
        else if (w->type == KRAIT_Q8_0)
            pack_panel_q8_0(w, panels, row, o, count);
        else
            pack_panel_u16(w, panels, row, o, count);
    }
}

void kr_pack_read_row(const kr_matrix *w, size_t output, float *row)
{
    for (size_t k = 0; k < w->inputs; k++) {
        if (w->type == KRAIT_Q8_0) {
            const unsigned char *record = kr_pack_q8_record(w, output, k / KR_BLOCK);
            float scale = kr_float_of_half(kr_pack_q8_scale(w, record, output));

            row[k] = (float)kr_pack_q8_weight(w, record, output, k % KR_BLOCK) * scale;
        } else {
            size_t at = kr_pack_index(w, output, k);

            row[k] = w->type == KRAIT_F32 ? ((const float *)w->data)[at]
                   : w->type == KRAIT_F16 ? kr_float_of_half(((const uint16_t *)w->data)[at])
                                  : kr_float_of_bfloat(((const uint16_t *)w->data)[at]);
        }
    }
}
