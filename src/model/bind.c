/*
 * bind.c - which tensor is which weight, checked before anything is allocated for it.
 */
#include <string.h>

#include "core/panels.h"
#include "kernels/codes.h"
#include "model/model.h"

/* A source with its dimensions of 1 left out, and perhaps a part of it. */
typedef struct bind_view {
    uint64_t shape[4];
    int      dimensions;
    uint64_t skip, count;       /* numbers before the part; numbers in it */
} bind_view;

static krait_status bind_wrong(kr_loading *loading, const kr_bound *bound, const char *tensor,
                               const char *what)
{
    return kr_fail(loading->message, KRAIT_ERR_SHAPE, "%.64s: tensor %.100s: %s", bound->name, tensor,
                   what);
}

static uint64_t bind_numbers(const uint64_t *shape, int dimensions)
{
    uint64_t count = 1;

    for (int i = 0; i < dimensions; i++)
        count *= shape[i];      /* fits: the format has checked the size in bytes */
    return count;
}

/* {"rows": [a, b]} or {"index": i} of the first dimension. */
static krait_status bind_part(kr_loading *loading, const kr_bound *bound, const kr_json *json,
                              bind_view *view)
{
    const kr_json *rows = kr_json_get(json, "rows"), *index = kr_json_get(json, "index");
    const kr_json *low = rows ? rows->first : index, *high = rows && rows->first ? rows->first->next : NULL;
    uint64_t       from, to;

    for (const kr_json *field = json->first; field; field = field->next)
        if (strcmp(field->key, "tensor") != 0 && strcmp(field->key, "rows") != 0 &&
            strcmp(field->key, "index") != 0 && strcmp(field->key, "flatten") != 0 &&
            strcmp(field->key, "transpose") != 0)
            return bind_wrong(loading, bound, bound->source->name,
                              "\"rows\", \"index\", \"flatten\" and \"transpose\" are all that is known of a part");
        else if ((strcmp(field->key, "flatten") == 0 || strcmp(field->key, "transpose") == 0) &&
                 field->kind != KR_JSON_BOOL)
            return bind_wrong(loading, bound, bound->source->name,
                              "\"flatten\" and \"transpose\" must be true or false");
    if (!rows && !index)
        return KRAIT_OK;
    if ((rows && index) || !low || low->kind != KR_JSON_NUMBER || !low->flag || low->integer < 0 ||
        (rows && (!high || high->kind != KR_JSON_NUMBER || !high->flag || rows->count != 2)))
        return bind_wrong(loading, bound, bound->source->name, "\"rows\": [a, b] or \"index\": i is wanted");
    from = (uint64_t)low->integer;
    to = rows ? (uint64_t)high->integer : from + 1;
    if (view->dimensions < 1 || (rows && high->integer < 0) || from >= to || to > view->shape[0])
        return bind_wrong(loading, bound, bound->source->name, "that part is outside of it");
    view->count = view->count / view->shape[0] * (to - from);
    view->skip = view->count / (to - from) * from;
    view->shape[0] = to - from;
    if (index)
        memmove(view->shape, view->shape + 1, (size_t)--view->dimensions * sizeof *view->shape);
    return KRAIT_OK;
}

/* "flatten": all dimensions behind the first as one, as a convolution's weight is a matrix. */
static void bind_flatten(const kr_json *json, bind_view *view)
{
    const kr_json *flatten = json ? kr_json_get(json, "flatten") : NULL;

    if (!flatten || !flatten->flag || view->dimensions < 2)
        return;
    view->shape[1] = bind_numbers(view->shape + 1, view->dimensions - 1);
    view->dimensions = 2;
}

static void bind_squeeze(bind_view *view)
{
    int kept = 0;

    for (int i = 0; i < view->dimensions; i++)
        if (view->shape[i] != 1)
            view->shape[kept++] = view->shape[i];
    view->dimensions = kept;
}

/* Panels of a x 1 and 1 x a are not the same bytes, so theirs must be the very shape. */
static int bind_fits(const bind_view *given, const kr_bound *bound)
{
    const kr_want *want = bound->want;
    bind_view      wanted = { { want->shape[0], want->shape[1], want->shape[2], want->shape[3] }, want->dimensions, 0, 0 };

    if (bound->panels)
        return memcmp(bound->source->shape, want->shape, 2 * sizeof *want->shape) == 0;
    bind_squeeze(&wanted);
    if (want->flat && given->dimensions == 1 && given->shape[0] == bind_numbers(want->shape, want->dimensions))
        return 1;
    return wanted.dimensions == given->dimensions &&
           memcmp(wanted.shape, given->shape, (size_t)wanted.dimensions * sizeof *wanted.shape) == 0;
}

/* Where the part begins.  Blocks are not cut, and a matrix has whole ones in every row. */
static krait_status bind_data(kr_loading *loading, kr_bound *bound, const bind_view *view)
{
    const kr_source *source = bound->source;
    kr_layout        t = kr_layout_of(bound->type);
    const char      *wrong = NULL;

    if (!t.inputs) {
        bound->data = source->data + view->skip * (bound->type == KR_TYPE_F32 ? 4 : 2);
        return KRAIT_OK;
    }
    if (view->skip % t.inputs != 0)
        wrong = "that part begins within a block of";
    else if (bound->want->form == KR_MATRIX && bound->want->shape[1] % t.inputs != 0)
        wrong = "its rows are no whole blocks of";
    if (wrong)
        return kr_fail(loading->message, KRAIT_ERR_SHAPE, "%.64s: tensor %.100s: %s %s", bound->name,
                       source->name, wrong, kr_type_name(bound->type));
    bound->data = source->data + view->skip / t.inputs * t.file;
    return KRAIT_OK;
}

static krait_status bind_shape(kr_loading *loading, kr_bound *bound, const kr_json *json)
{
    const kr_source *source = bound->source;
    const kr_want   *want = bound->want;
    const kr_json   *transpose = json ? kr_json_get(json, "transpose") : NULL;
    bind_view        view = { { 0 }, source->dimensions, 0, 0 };
    krait_status     status;

    memcpy(view.shape, source->shape, sizeof view.shape);
    view.count = bind_numbers(view.shape, view.dimensions);
    if (json && (status = bind_part(loading, bound, json, &view)) != KRAIT_OK)
        return status;
    bound->whole = view.count == bind_numbers(source->shape, source->dimensions);
    bind_flatten(json, &view);
    bound->count = view.count;
    bind_squeeze(&view);
    if (transpose && transpose->flag && view.dimensions == 2) {
        uint64_t rows = view.shape[0];

        view.shape[0] = view.shape[1];
        view.shape[1] = rows;
        bound->transpose = 1;
        bound->whole = 0;
    }
    if (!bind_fits(&view, bound)) {
        return kr_fail(loading->message, KRAIT_ERR_SHAPE,
                       "%.64s: tensor %.64s is %llu x %llu, %llu x %llu%s is wanted", bound->name,
                       source->name, (unsigned long long)(view.dimensions > 0 ? view.shape[0] : 1),
                       (unsigned long long)(view.dimensions > 1 ? view.shape[1] : 1),
                       (unsigned long long)want->shape[0],
                       (unsigned long long)(want->dimensions > 1 ? want->shape[1] : 1),
                       want->dimensions == 3 && want->shape[2] == 2 ? " x 2" : "");
    }
    return bind_data(loading, bound, &view);
}

/* Which types a want can be made of. */
static krait_status bind_type(kr_loading *loading, kr_bound *bound, const kr_json *json)
{
    const kr_source *source = bound->source;
    int              matrix = bound->want->form == KR_MATRIX;

    bound->type = source->type;
    bound->panels = source->type >= KR_TYPE_PANELS;
    if (bound->panels)
        bound->type -= KR_TYPE_PANELS;
    if ((bound->type != KR_TYPE_F32 && bound->type != KR_TYPE_F16 && bound->type != KR_TYPE_BF16 &&
         !kr_layout_of(bound->type).inputs) || (!matrix && bound->panels))
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "unsupported type %d (%s) for tensor %.100s",
                       (int)source->type, source->type_name, source->name);
    if (json && (bound->panels || (kr_layout_of(bound->type).inputs && kr_json_get(json, "transpose"))))
        return bind_wrong(loading, bound, source->name, "no part of a packed tensor can be taken");
    if (bound->panels && source->dimensions != 2)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED,
                       "tensor %.100s: panels of what is no matrix", source->name);
    return KRAIT_OK;
}

krait_status kr_bind(kr_loading *loading, kr_bound *bound, const kr_lookup *lookup)
{
    krait_status status;

    bound->source = kr_package_find(&loading->package, lookup->tensor);
    bound->logarithm = lookup->is_logarithm && bound->source;
    if (!bound->source && lookup->logarithm) {
        bound->source = kr_package_find(&loading->package, lookup->logarithm);
        bound->logarithm = bound->source != NULL;
    }
    if (!bound->source && bound->want->optional && !lookup->named)
        return KRAIT_OK;
    if (!bound->source)
        return kr_fail(loading->message, KRAIT_ERR_SHAPE, "%.64s: there is no tensor %.100s%s%.64s", bound->name,
                       lookup->tensor, lookup->logarithm ? " nor " : "",
                       lookup->logarithm ? lookup->logarithm : "");
    if ((status = bind_type(loading, bound, lookup->view)) != KRAIT_OK)
        return status;
    return bind_shape(loading, bound, lookup->view);
}

/* ---- sharing ---------------------------------------------------------------------------- */

static int bind_alike(const kr_bound *a, const kr_bound *b)
{
    return a->data == b->data && a->want->form == b->want->form && a->type == b->type &&
           a->panels == b->panels && a->count == b->count && a->transpose == b->transpose && a->logarithm == b->logarithm &&
           a->want->shape[0] == b->want->shape[0];
}

/* An open table of the bound weights by the address of their data. */
krait_status kr_bind_shared(kr_loading *loading)
{
    krait_model *model = loading->model;
    size_t       room = 16;
    kr_bound   **table;

    while (room < 2 * model->n_bound)
        room *= 2;
    table = kr_arena_take(&loading->arena, room, sizeof *table);
    if (!table)
        return kr_fail_memory(loading->message);
    for (size_t i = 0; i < model->n_bound; i++) {
        kr_bound *bound = &model->bound[i];
        size_t    at = (size_t)((uintptr_t)bound->data * 0x9e3779b97f4a7c15ull >> 20) & (room - 1);

        while (table[at] && !bind_alike(table[at], bound))
            at = (at + 1) & (room - 1);
        if (table[at])
            bound->same = table[at];
        else
            table[at] = bound;
        model->parameters += table[at] == bound ? bound->count : 0;
    }
    return KRAIT_OK;
}
