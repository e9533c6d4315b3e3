/*
 * prepare.c - bound weights become what layers run with, in one block of memory.
 *
 * Everything was checked before: here sizes are added up, one block is allocated and filled.
 * Panels that lie aligned in bytes that stay are used in place.
 */
#include <string.h>

#include "core/hash.h"
#include "core/pages.h"
#include "core/panels.h"
#include "core/real.h"
#include "kernels/pack.h"
#include "model/fill.h"

enum { PREPARE_PIECE = 256 };           /* numbers made floats at a time */

static float prepare_float(int32_t type, const unsigned char *data, uint64_t i)
{
    switch (type) {
    case KR_TYPE_F32:  return kr_float_of(kr_load_u32(data + 4 * i));
    case KR_TYPE_F16:  return kr_float_of_half(kr_load_u16(data + 2 * i));
    default:           return kr_float_of_bfloat(kr_load_u16(data + 2 * i));
    }
}

void kr_source_floats(int32_t type, const unsigned char *data, uint64_t from, size_t count, float *x)
{
    kr_layout t = kr_layout_of(type);
    kr_codes  codes;
    float     numbers[KR_BLOCK];
    size_t    taken;

    for (size_t k = 0; t.inputs == 0 && k < count; k++)
        x[k] = prepare_float(type, data, from + k);
    for (; t.inputs && count; from += taken, x += taken, count -= taken) {
        size_t first = (size_t)(from % KR_BLOCK);

        kr_codes_read(&t, data + from / t.inputs * t.file, (size_t)(from % t.inputs / KR_BLOCK), &codes);
        kr_codes_floats(&t, &codes, numbers);
        taken = kr_min(KR_BLOCK - first, count);
        memcpy(x, numbers + first, taken * sizeof *x);
    }
}

/* Do the file's own bytes serve? */
static int prepare_in_place(const kr_loading *loading, const kr_bound *bound)
{
    int stays = loading->model->n_files > 0 || (loading->options->flags & KRAIT_OPEN_BORROW);

    return bound->panels && stays && (uintptr_t)bound->data % KR_ALIGN == 0;
}

static krait_status prepare_bytes(kr_loading *loading, const kr_bound *bound, size_t *bytes)
{
    const kr_want *want = bound->want;
    uint64_t       needed = 0, n = want->dimensions > 1 ? want->shape[1] : 1;
    int            fits = 1;

    if (want->form == KR_MATRIX)
        fits = kr_panels_bytes(bound->type, want->shape[0], n, &needed);
    else if (want->form == KR_FLOATS)
        needed = 4 * bound->count;
    else
        needed = 4 * kr_pad16((size_t)want->shape[0]) * n;
    if (!fits || needed > SIZE_MAX / 2)
        return kr_fail(loading->message, KRAIT_ERR_MEMORY, "tensor %.100s is too large for this machine",
                       bound->source->name);
    *bytes = (size_t)needed;
    return KRAIT_OK;
}

/* Where number i of the source goes. */
static size_t prepare_place(const kr_bound *bound, size_t i, size_t rows, size_t columns)
{
    size_t r = bound->transpose ? i % rows : i / columns, c = bound->transpose ? i / rows : i % columns;

    return bound->want->form == KR_CHANNELS ? (r / KR_LANES * columns + c) * KR_LANES + r % KR_LANES
                                            : r * columns + c;
}

static void prepare_floats(const kr_bound *bound, float *to)
{
    size_t rows = (size_t)bound->want->shape[0], columns = (size_t)(bound->count / rows), taken;
    float  numbers[PREPARE_PIECE];

    if (bound->want->form == KR_CHANNELS)
        memset(to, 0, kr_pad16(rows) * columns * sizeof *to);
    for (size_t i = 0; i < (size_t)bound->count; i += taken) {
        taken = kr_min(PREPARE_PIECE, (size_t)bound->count - i);
        kr_source_floats(bound->type, bound->data, i, taken, numbers);
        for (size_t k = 0; k < taken; k++)
            to[prepare_place(bound, i + k, rows, columns)] =
                bound->logarithm ? (float)-kr_exp(numbers[k]) : numbers[k];
    }
}

static int prepare_finite(const float *x, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if ((kr_bits_of(x[k]) & 0x7f800000u) == 0x7f800000u)
            return 0;
    return 1;
}

/* KRAIT_OPEN_CHECK: every number of the source; scales without a finite value make none that is finite. */
static krait_status prepare_check(kr_loading *loading, const kr_bound *bound)
{
    kr_matrix w = { bound->prepared, (size_t)bound->want->shape[0], (size_t)bound->want->shape[1], bound->type };
    float     numbers[PREPARE_PIECE], *row;
    int       finite = 1;
    size_t    taken;

    if (bound->panels) {
        row = kr_arena_take(&loading->arena, w.inputs, sizeof *row);
        if (!row)
            return kr_fail_memory(loading->message);
        for (size_t o = 0; o < w.outputs && finite; o++) {
            kr_pack_read_row(&w, o, row);
            finite = prepare_finite(row, w.inputs);
        }
    } else {
        for (uint64_t i = 0; i < bound->count && finite; i += taken) {
            taken = bound->count - i < PREPARE_PIECE ? (size_t)(bound->count - i) : PREPARE_PIECE;
            kr_source_floats(bound->type, bound->data, i, taken, numbers);
            finite = prepare_finite(numbers, taken);
        }
    }
    if (!finite)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "tensor %.100s holds NaN or infinity",
                       bound->source->name);
    return KRAIT_OK;
}

/* Panels are the same bytes on every machine; floats go in as numbers. */
uint64_t kr_model_hash(const krait_model *model)
{
    uint64_t hash = model->id;

    for (size_t i = 0; i < model->n_bound; i++) {
        const kr_bound *bound = &model->bound[i];
        uint64_t        n = bound->want->dimensions > 1 ? bound->want->shape[1] : 1, bytes = 0;

        hash = kr_hash_text(hash, bound->name);
        if (bound->same)
            continue;
        if (bound->want->form != KR_MATRIX)
            hash = kr_hash_floats(hash, bound->prepared, bound->want->form == KR_FLOATS
                                  ? (size_t)bound->count : kr_pad16((size_t)bound->want->shape[0]) * n);
        else if (kr_panels_bytes(bound->type, bound->want->shape[0], n, &bytes))
            hash = kr_hash_bytes(hash, bound->prepared, (size_t)bytes);
    }
    return hash;
}

/* The layer's own pointer, or its matrix. */
static void prepare_hand_over(const kr_bound *bound)
{
    void *field = (char *)bound->layer->params + bound->want->at;

    if (bound->want->form == KR_MATRIX)
        *(kr_matrix *)field = (kr_matrix){ bound->prepared, (size_t)bound->want->shape[0],
                                           (size_t)bound->want->shape[1], bound->type };
    else
        *(const float **)field = bound->prepared;
}

static krait_status prepare_measure(kr_loading *loading, kr_carve *carve, int place)
{
    krait_model *model = loading->model;

    for (size_t i = 0; i < model->n_bound; i++) {
        kr_bound    *bound = &model->bound[i];
        size_t       bytes = 0;
        krait_status status = prepare_bytes(loading, bound, &bytes);

        if (status != KRAIT_OK)
            return status;
        if (bound->same)
            continue;
        if (prepare_in_place(loading, bound))
            bound->prepared = bound->data;
        else if (place)
            bound->prepared = kr_carve_bytes(carve, bytes, 1);
        else
            kr_carve_bytes(carve, bytes, 1);
        model->held_bytes += place ? 0 : bytes;
    }
    return carve->broken ? kr_fail_memory(loading->message) : KRAIT_OK;
}

/* Floats are looked at before their bytes may be given back, panels where they are used. */
static krait_status prepare_one(kr_filling *filling, const kr_bound *bound)
{
    kr_loading  *loading = filling->loading;
    int          check = (loading->options->flags & KRAIT_OPEN_CHECK) != 0;
    size_t       bytes = 0;
    krait_status status = prepare_bytes(loading, bound, &bytes);

    if (status == KRAIT_OK && check && !bound->panels)
        status = prepare_check(loading, bound);
    if (status != KRAIT_OK || (status = kr_fill_tell(filling, 0)) != KRAIT_OK)
        return status;
    if (bound->prepared == bound->data)
        status = kr_fill_in_place(filling, bound, bytes);
    else if (bound->want->form == KR_MATRIX)
        status = kr_fill_matrix(filling, bound, bytes);
    else if (!kr_fill_floats(bound))
        prepare_floats(bound, (float *)(uintptr_t)bound->prepared);
    if (status == KRAIT_OK && check && bound->panels)
        status = prepare_check(loading, bound);
    filling->done += bytes;
    return status;
}

static krait_status prepare_fill(kr_loading *loading)
{
    krait_model *model = loading->model;
    kr_filling   filling;
    krait_status status = kr_fill_begin(&filling, loading);

    for (size_t i = 0; i < model->n_bound; i++)
        if (model->bound[i].same)
            model->bound[i].prepared = model->bound[i].same->prepared;
    for (size_t i = 0; i < filling.count && status == KRAIT_OK; i++)
        status = prepare_one(&filling, kr_fill_next(&filling, i));
    return status == KRAIT_OK ? kr_fill_end(&filling) : status;
}

/* What layers make of their weights; over no memory only its size. */
static void prepare_made(kr_layer *layer, kr_carve *carve)
{
    if (layer->type->prepare)
        layer->type->prepare(layer, carve);
    for (size_t i = 0; i < layer->n_children; i++)
        prepare_made(layer->children[i], carve);
}

krait_status kr_prepare(kr_loading *loading)
{
    krait_model *model = loading->model;
    kr_carve     carve = { 0 };
    krait_status status = prepare_measure(loading, &carve, 0);

    if (status != KRAIT_OK)
        return status;
    prepare_made(model->root, &carve);
    if (carve.broken)
        return kr_fail_memory(loading->message);
    if (carve.used) {                   /* what preparing needs for itself lies behind what is there by then */
        model->weights = kr_memory_take(&model->memory, carve.peak, KR_ALIGN);
        if (!model->weights)
            return kr_fail_memory(loading->message);
        if (kr_memory_is_own(&model->memory))
            kr_pages_fill(model->weights, carve.peak);
        model->weights_bytes = carve.used;
    }
    carve = (kr_carve){ .base = model->weights };
    if ((status = prepare_measure(loading, &carve, 1)) != KRAIT_OK ||
        (status = prepare_fill(loading)) != KRAIT_OK)
        return status;
    for (size_t i = 0; i < model->n_bound; i++)
        prepare_hand_over(&model->bound[i]);
    if (carve.base)
        prepare_made(model->root, &carve);
    return KRAIT_OK;
}
