/* pack.c - row-major tensors of files into panels. */
#include "kernels/pack.h"

#include "core/real.h"

/* Missing outputs of the last panel: zero weights, which in Q8_0 are stored as 128. */
static void pack_row_f32(const kr_matrix *w, unsigned char *panels, const unsigned char *row,
                         size_t output)
{
    float *out = (float *)panels + kr_pack_index(w, output, 0);
    size_t width = kr_pack_width(w, output);

    for (size_t k = 0; k < w->inputs; k++)
        kr_pack_put_f32(out, k * width, row ? kr_float_of(kr_load_u32(row + 4 * k)) : 0.0f);
}

static void pack_row_u16(const kr_matrix *w, unsigned char *panels, const unsigned char *row,
                         size_t output)
{
    uint16_t *out = (uint16_t *)panels + kr_pack_index(w, output, 0);
    size_t    width = kr_pack_width(w, output);

    for (size_t k = 0; k < w->inputs; k++)
        kr_pack_put_u16(out, k * width, row ? kr_load_u16(row + 2 * k) : 0);
}

static void pack_row_q8_0(const kr_matrix *w, unsigned char *panels, const unsigned char *row,
                          size_t output)
{
    size_t width = kr_pack_width(w, output);
    size_t strip = output / KR_STRIP * KR_STRIP * (w->inputs / KR_BLOCK);

    for (size_t b = 0; b < w->inputs / KR_BLOCK; b++) {
        unsigned char *record = panels + (strip + b * width) * KR_Q8_RECORD;

        kr_store_u16(record + 2 * (output % KR_STRIP), row ? kr_load_u16(row) : 0);
        for (size_t k = 0; k < KR_BLOCK; k++)
            record[kr_pack_q8_at(w, output, k)] = row ? (unsigned char)(row[2 + k] ^ 0x80) : 0x80;
        row = row ? row + KR_Q8_RECORD : NULL;
    }
}

/* Of the weights for one output. */
static size_t pack_row_bytes(const kr_matrix *w)
{
    return w->type == KRAIT_F32 ? 4 * w->inputs
         : w->type == KRAIT_Q8_0 ? w->inputs / KR_BLOCK * KR_Q8_RECORD : 2 * w->inputs;
}

kr_matrix kr_pack_part(const kr_matrix *w, size_t from, size_t to)
{
    size_t bytes = pack_row_bytes(w);

    return (kr_matrix){ (const unsigned char *)w->data + from * bytes, to - from, w->inputs, w->type };
}

size_t kr_pack_source(const kr_matrix *w, int panels, size_t output)
{
    return panels ? output : output * pack_row_bytes(w);
}

void kr_pack_rows(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t from,
                  size_t to)
{
    size_t bytes = pack_row_bytes(w);

    from = kr_pack_whole(w, panels, rows, from, kr_min(to, w->outputs));
    if (to >= w->outputs)
        to = kr_pad16(w->outputs);
    for (size_t o = from; o < to; o++) {
        const unsigned char *row = o < w->outputs ? rows + o * bytes : NULL;

        if (w->type == KRAIT_F32)
            pack_row_f32(w, panels, row, o);
        else if (w->type == KRAIT_Q8_0)
            pack_row_q8_0(w, panels, row, o);
        else
            pack_row_u16(w, panels, row, o);
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

            row[k] = w->type == KRAIT_F32 ? kr_pack_f32(w->data, at)
                   : w->type == KRAIT_F16 ? kr_float_of_half(kr_pack_u16(w->data, at))
                                          : kr_float_of_bfloat(kr_pack_u16(w->data, at));
        }
    }
}
