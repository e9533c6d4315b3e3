/*
 * ssd.c - a chunk of rows, strip of channels by strip of channels.
 *
 * A strip has up to 64 channels of a head, and its states are a matrix in panels as they stand.  What is not
 * finite, or grows, runs row by row: there a product's zeros would be NaN, and rows would see what came later.
 */
#include "scan/ssd.h"

#include <string.h>

#include "core/bits.h"
#include "kernels/pack.h"

enum { SSD_LEAST = 16 };        /* rows of a chunk that the products are worth */

/* One chunk of the heads of a group, and one strip of them. */
typedef struct ssd_work {
    const kr_kernels  *k;
    const kr_ssd_room *room;
    kr_heads           rows;    /* of the chunk */
    size_t             wide;    /* rows, padded to 16 */
} ssd_work;

typedef struct ssd_strip {
    size_t head, from, width;   /* its channels within the head */
    size_t wide;                /* width, padded to 16 */
    float *h;                   /* [states][wide] */
} ssd_strip;

kr_ssd_room kr_ssd_take(size_t states, kr_carve *carve)
{
    kr_ssd_room room;
    size_t      most = states > KR_CHUNK ? states : KR_CHUNK;

    room.b = kr_carve_floats(carve, states, KR_CHUNK);
    room.products = kr_carve_floats(carve, KR_CHUNK, KR_CHUNK);
    room.weights = kr_carve_floats(carve, KR_CHUNK, KR_CHUNK);
    room.since = kr_carve_floats(carve, KR_CHUNK, 1);
    room.left = kr_carve_floats(carve, KR_CHUNK, 1);
    room.u = kr_carve_floats(carve, KR_CHUNK, KR_CHUNK);
    room.now = kr_carve_floats(carve, KR_CHUNK, KR_CHUNK);
    room.before = kr_carve_floats(carve, KR_CHUNK, KR_CHUNK);
    room.h = kr_carve_floats(carve, states, KR_CHUNK);
    room.decays = kr_carve_floats(carve, KR_SSD_DECAYS, 1);
    room.panels = kr_carve_floats(carve, most, KR_CHUNK);
    return room;
}

/* y = W x, where W is panels of 'outputs' and 'inputs' that lie as numbers, one strip of them. */
static void ssd_product(const ssd_work *w, const float *panels, size_t outputs, size_t inputs, const float *x,
                        size_t x_stride, float *y, size_t y_stride, size_t rows)
{
    kr_matrix  matrix = { kr_pack_numbers(w->room->panels, panels, kr_pad16(outputs) * inputs), outputs, inputs,
                          KRAIT_F32 };
    kr_product p = { .w = &matrix, .x = x, .x_stride = x_stride, .y = y, .y_stride = y_stride, .rows = rows };

    w->k->product_f32(&p);
}

/* C B^T of the chunk, and B under one another. */
static void ssd_products(const ssd_work *w)
{
    const kr_heads *p = &w->rows;

    memset(w->room->b, 0, p->states * w->wide * sizeof *w->room->b);
    for (size_t r = 0; r < p->rows; r++)
        for (size_t n = 0; n < p->states; n++)
            w->room->b[n * w->wide + r] = p->b[r * p->bc_stride + n];
    ssd_product(w, w->room->b, p->rows, p->states, p->c, p->bc_stride, w->room->products, KR_CHUNK, p->rows);
}

static int ssd_finite(const float *x, size_t count)
{
    int finite = 1;

    for (size_t i = 0; i < count; i++)
        finite &= (kr_bits_of(x[i]) & 0x7f800000u) != 0x7f800000u;
    return finite;
}

/* Does the head forget, in every row?  NaN does not. */
static int ssd_decays(const kr_heads *p, size_t head)
{
    int decays = 1;

    for (size_t r = 0; r < p->rows; r++)
        decays &= p->decay[r * p->dt_stride + head] <= 1;
    return decays;
}

/* The sums of a strip; 0 if there is something among its rows or states that is not finite. */
static int ssd_sums(const ssd_work *w, const ssd_strip *s)
{
    const kr_heads    *p = &w->rows;
    const kr_ssd_room *room = w->room;
    const float       *x = p->x + s->head * p->width + s->from;

    ssd_product(w, s->h, s->wide, p->states, p->c, p->bc_stride, room->before, KR_CHUNK, p->rows);
    if (s->width < s->wide)
        memset(room->u, 0, p->rows * s->wide * sizeof *room->u);
    w->k->weigh(room->u, s->wide, x, p->x_stride, p->dt + s->head, p->dt_stride, p->rows, s->width);
    for (size_t from = 0; from < p->rows; from += KR_LANES) {
        size_t to = kr_min(from + KR_LANES, p->rows);

        ssd_product(w, room->u, s->wide, to, room->weights + from * KR_CHUNK, KR_CHUNK, room->now + from * KR_CHUNK,
                    KR_CHUNK, to - from);
    }
    /* Whatever is not finite in h is not in C h of any row; what is not in u, B or C B^T is not in the last row. */
    return ssd_finite(room->before, s->width) && ssd_finite(room->now + (p->rows - 1) * KR_CHUNK, s->width);
}

/* h = decay h + what the rows add. */
static void ssd_move(const ssd_work *w, const ssd_strip *s)
{
    const kr_heads    *p = &w->rows;
    const kr_ssd_room *room = w->room;
    size_t             count = p->states * s->wide;

    w->k->weigh(room->u, s->wide, room->u, s->wide, room->left, 1, p->rows, s->wide);
    ssd_product(w, room->u, s->wide, p->rows, room->b, w->wide, room->h, s->wide, p->states);
    for (size_t i = 0; i < KR_SSD_DECAYS; i++)
        room->decays[i] = room->since[p->rows - 1];
    for (size_t i = 0; i < count; i += KR_SSD_DECAYS)
        w->k->combine(room->decays, room->h + i, NULL, s->h + i, kr_min(KR_SSD_DECAYS, count - i));
    memcpy(s->h, room->h, count * sizeof *s->h);
}

/* The strip's channels row by row. */
static void ssd_rows(const ssd_work *w, const ssd_strip *s)
{
    kr_heads part = w->rows;
    size_t   at = s->head * part.width + s->from;

    part.x += at;
    part.d += at;
    part.y += at;
    part.dt += s->head;
    part.decay += s->head;
    part.h = s->h;
    part.heads = 1;
    part.width = s->width;
    w->k->heads(&part);
}

static void ssd_strip_run(const ssd_work *w, const ssd_strip *s, int decays)
{
    const kr_heads *p = &w->rows;
    size_t          at = s->head * p->width + s->from;
    kr_chunk        chunk = { w->room->now, w->room->before, w->room->since, p->x + at, p->d + at, p->y + at, p->x_stride,
                              p->y_stride, p->rows, s->width };

    if (!decays || !ssd_sums(w, s)) {
        ssd_rows(w, s);
        return;
    }
    w->k->chunk(&chunk);
    ssd_move(w, s);
}

static void ssd_head(const ssd_work *w, size_t head)
{
    const kr_heads *p = &w->rows;
    kr_matrix       layout = { NULL, p->width, p->states, KRAIT_F32 };
    kr_fade         fade = { w->room->products, p->decay + head, p->dt_stride, p->rows, w->room->weights, w->room->since,
                             w->room->left };
    float          *h = p->h + head * kr_pad16(p->width) * p->states;
    int             decays = ssd_decays(p, head);

    if (decays)
        w->k->fade(&fade);
    for (size_t c = 0; c < p->width; c += KR_STRIP) {
        ssd_strip strip = { head, c, kr_min(KR_STRIP, p->width - c), kr_pack_width(&layout, c),
                            h + kr_pack_index(&layout, c, 0) };

        ssd_strip_run(w, &strip, decays);
    }
}

void kr_ssd_run(const kr_kernels *kernels, const kr_heads *p, const kr_ssd_room *room)
{
    for (size_t t = 0; t < p->rows; t += KR_CHUNK) {
        ssd_work w = { kernels, room, *p, 0 };

        w.rows.rows = kr_min(p->rows - t, KR_CHUNK);
        w.rows.x += t * p->x_stride;
        w.rows.dt += t * p->dt_stride;
        w.rows.decay += t * p->dt_stride;
        w.rows.b += t * p->bc_stride;
        w.rows.c += t * p->bc_stride;
        w.rows.y += t * p->y_stride;
        w.wide = kr_pad16(w.rows.rows);
        if (w.rows.rows < SSD_LEAST) {
            kernels->heads(&w.rows);
            continue;
        }
        ssd_products(&w);
        for (size_t head = 0; head < p->heads; head++)
            ssd_head(&w, head);
    }
}
