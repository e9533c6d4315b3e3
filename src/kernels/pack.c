/* pack.c - row-major tensors of files into panels. */
#include "kernels/pack.h"

#include "core/real.h"

/* Missing outputs of the last panel: zero weights, in blocks the code of 0 and scales of +0. */
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

static void pack_row_blocks(const kr_matrix *w, const kr_layout *t, unsigned char *panels, const unsigned char *row,
                            size_t output)
{
    kr_matrix to = { panels, w->outputs, w->inputs, w->type };
    size_t    width = kr_pack_width(w, output);
    kr_codes  codes = { 0 };

    memset(codes.code, t->zero, sizeof codes.code);
    for (size_t k = 0; k < w->inputs; k += KR_BLOCK) {
        size_t b = k % t->inputs / KR_BLOCK;

        if (row)
            kr_codes_read(t, row + k / t->inputs * t->file, b, &codes);
        kr_codes_put(t, (unsigned char *)(uintptr_t)kr_pack_record(t, &to, output, k), width, output % KR_STRIP, b,
                      &codes);
    }
}

/* Of the weights for one output: in panels, and in a row of a file. */
static size_t pack_bytes(const kr_matrix *w)
{
    kr_layout t = kr_layout_of(w->type);

    if (t.inputs)
        return w->inputs / t.inputs * kr_layout_record(t);
    return (w->type == KRAIT_F32 ? 4 : 2) * w->inputs;
}

static size_t pack_row_bytes(const kr_matrix *w)
{
    kr_layout t = kr_layout_of(w->type);

    return t.inputs ? w->inputs / t.inputs * t.file : pack_bytes(w);
}

kr_matrix kr_pack_part(const kr_matrix *w, size_t from, size_t to)
{
    size_t bytes = pack_bytes(w);

    return (kr_matrix){ (const unsigned char *)w->data + from * bytes, to - from, w->inputs, w->type };
}

size_t kr_pack_source(const kr_matrix *w, int panels, size_t output)
{
    return panels ? output : output * pack_row_bytes(w);
}

void kr_pack_rows(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t from,
                  size_t to)
{
    kr_layout t = kr_layout_of(w->type);
    size_t    bytes = pack_row_bytes(w);

    from = kr_pack_whole(w, panels, rows, from, kr_min(to, w->outputs));
    if (to >= w->outputs)
        to = kr_pad16(w->outputs);
    for (size_t o = from; o < to; o++) {
        const unsigned char *row = o < w->outputs ? rows + o * bytes : NULL;

        if (t.inputs)
            pack_row_blocks(w, &t, panels, row, o);
        else if (w->type == KRAIT_F32)
            pack_row_f32(w, panels, row, o);
        else
            pack_row_u16(w, panels, row, o);
    }
}

void kr_pack_read_row(const kr_matrix *w, size_t output, float *row)
{
    kr_layout t = kr_layout_of(w->type);
    kr_codes  codes;

    for (size_t k = 0; t.inputs && k < w->inputs; k += KR_BLOCK) {
        kr_codes_get(&t, kr_pack_record(&t, w, output, k), kr_pack_width(w, output), output % KR_STRIP,
                      k % t.inputs / KR_BLOCK, &codes);
        kr_codes_floats(&t, &codes, row + k);
    }
    for (size_t k = 0; t.inputs == 0 && k < w->inputs; k++) {
        size_t at = kr_pack_index(w, output, k);

        row[k] = w->type == KRAIT_F32 ? kr_pack_f32(w->data, at)
               : w->type == KRAIT_F16 ? kr_float_of_half(kr_pack_u16(w->data, at))
                                      : kr_float_of_bfloat(kr_pack_u16(w->data, at));
    }
}
