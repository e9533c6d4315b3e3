/*
 * pack.h - how weights lie in memory: panels of 16 outputs, four panels side by side.
 *
 * A strip holds up to four panels.  Float types: [input][panel][16], so that one step of all
 * 64 sums reads 64 neighbours, and a matrix-vector product reads memory as one stream.  Types of
 * blocks: for every 32 or 256 inputs a record (codes.h); in Q8_0 for every 32 one of [panel][16]
 * half scales and then [input / 4][panel][16][4] weights, stored with 128 added.  The last strip
 * has the panels that are left; missing outputs are zero.  These bytes are also the file form
 * (--layout panels).
 */
#ifndef KR_PACK_H
#define KR_PACK_H

#include "core/bits.h"
#include "kernels/codes.h"
#include "kernels/kernels.h"

enum { KR_STRIP = 64, KR_Q8_RECORD = KR_BLOCK + 2 };    /* outputs; bytes of a Q8_0 record per output */

/* Outputs of the strip that holds 'output', padded to whole panels. */
KR_INLINE size_t kr_pack_width(const kr_matrix *w, size_t output)
{
    return kr_min(kr_pad16(w->outputs) - output / KR_STRIP * KR_STRIP, KR_STRIP);
}

/* Where a number of a float type stands, in numbers. */
KR_INLINE size_t kr_pack_index(const kr_matrix *w, size_t output, size_t input)
{
    return output / KR_STRIP * KR_STRIP * w->inputs + input * kr_pack_width(w, output) +
           output % KR_STRIP;
}

/* The record of a type of blocks that has the scales and codes of an output for 'input'. */
KR_INLINE const unsigned char *kr_pack_record(const kr_layout *t, const kr_matrix *w, size_t output, size_t input)
{
    size_t strip = output / KR_STRIP * KR_STRIP * (w->inputs / t->inputs);

    return (const unsigned char *)w->data +
           (strip + input / t->inputs * kr_pack_width(w, output)) * kr_layout_record(*t);
}

KR_INLINE const unsigned char *kr_pack_q8_record(const kr_matrix *w, size_t output, size_t block)
{
    kr_layout t = kr_layout_of(KRAIT_Q8_0);

    return kr_pack_record(&t, w, output, block * KR_BLOCK);
}

KR_INLINE uint16_t kr_pack_q8_scale(const kr_matrix *w, const unsigned char *record, size_t output)
{
    (void)w;
    return kr_load_u16(record + 2 * (output % KR_STRIP));
}

/*
 * Numbers of float types in panels are little-endian everywhere, since files hold them and are
 * used in place: where number 'at' is read or written.
 */
KR_INLINE float kr_pack_f32(const void *panels, size_t at)
{
#if KR_BIG_ENDIAN
    return kr_float_of(kr_load_u32((const unsigned char *)panels + 4 * at));
#else
    return ((const float *)panels)[at];
#endif
}

KR_INLINE uint16_t kr_pack_u16(const void *panels, size_t at)
{
#if KR_BIG_ENDIAN
    return kr_load_u16((const unsigned char *)panels + 2 * at);
#else
    return ((const uint16_t *)panels)[at];
#endif
}

KR_INLINE void kr_pack_put_f32(void *panels, size_t at, float x)
{
#if KR_BIG_ENDIAN
    kr_store_u32((unsigned char *)panels + 4 * at, kr_bits_of(x));
#else
    ((float *)panels)[at] = x;
#endif
}

KR_INLINE void kr_pack_put_u16(void *panels, size_t at, uint16_t x)
{
#if KR_BIG_ENDIAN
    kr_store_u16((unsigned char *)panels + 2 * at, x);
#else
    ((uint16_t *)panels)[at] = x;
#endif
}

/* Numbers that a product is to take as panels: they themselves, or where bytes are the other way round a copy in 'room'. */
KR_INLINE const float *kr_pack_numbers(float *room, const float *x, size_t count)
{
#if KR_BIG_ENDIAN
    for (size_t i = 0; i < count; i++)
        kr_pack_put_f32(room, i, x[i]);
    return room;
#else
    (void)room;
    (void)count;
    return x;
#endif
}

/* Outputs from..to-1 (from is a multiple of 64; to too, or all of them) as a matrix of their own, in place. */
kr_matrix kr_pack_part(const kr_matrix *w, size_t from, size_t to);

/* Where a row-major tensor of w's type has row 'output'; of panels: where byte 'output' is. */
size_t kr_pack_source(const kr_matrix *w, int panels, size_t output);

/*
 * Pack outputs from..to-1 (from is a multiple of 64; to too, or all of them) of a row-major
 * little-endian tensor of w's type into 'panels', where w->data will point.
 */
void kr_pack_rows(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t from,
                  size_t to);

/* The same of as many whole panels of them as there are, faster; returns where it stopped. */
size_t kr_pack_whole(const kr_matrix *w, unsigned char *panels, const unsigned char *rows, size_t from, size_t to);

/* The same of a tensor that lies the other way, [inputs][outputs]: float types alone. */
void kr_pack_columns(const kr_matrix *w, unsigned char *panels, const unsigned char *columns, size_t from, size_t to);

/* One row of the matrix as floats: an embedding. */
void kr_pack_read_row(const kr_matrix *w, size_t output, float *row);

#endif
