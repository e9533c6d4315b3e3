/* build_weights.c - which tensor each weight of a layer is: its "weights" map, its "path", or its place. */
#include "model/build.h"

#include <string.h>

#include "core/hash.h"

/* What the "weights" map says of a slot: of "A_log" where that is given in place of "A". */
static krait_status build_given(kr_loading *loading, const kr_layer *layer, const kr_json *map,
                                const kr_want *want, kr_lookup *lookup, const kr_json **given)
{
    const kr_json *logarithm = want->logarithm ? kr_json_get(map, want->logarithm) : NULL;

    *given = kr_json_get(map, want->slot);
    if (*given && logarithm)
        return kr_build_wrong(loading, layer->path, "its logarithm is named as well as weight", want->slot);
    lookup->is_logarithm = logarithm != NULL;
    if (logarithm)
        *given = logarithm;
    return KRAIT_OK;
}

/* The tensor names that a slot stands for: the "weights" map, else "path", else the layer's path. */
static krait_status build_lookup(kr_loading *loading, const kr_layer *layer, const kr_json *options,
                                 const kr_want *want, const build_place *place, kr_lookup *lookup)
{
    const kr_json *given, *path = kr_json_get(options, "path");
    const char    *base = layer->names;
    krait_status   status;

    *lookup = (kr_lookup){ 0 };
    status = build_given(loading, layer, kr_json_get(options, "weights"), want, lookup, &given);
    if (status != KRAIT_OK)
        return status;
    if (path) {
        if (path->kind != KR_JSON_TEXT)
            return kr_build_wrong(loading, layer->path, "text is wanted for option", "path");
        base = kr_build_fill(loading, path->text, place);
    }
    if (given) {
        const kr_json *name = given->kind == KR_JSON_OBJECT ? kr_json_get(given, "tensor") : given;

        if (!name || name->kind != KR_JSON_TEXT)
            return kr_build_wrong(loading, layer->path, "a tensor's name is wanted for weight", want->slot);
        lookup->tensor = kr_build_fill(loading, name->text, place);
        lookup->view = given->kind == KR_JSON_OBJECT ? given : NULL;
        lookup->named = 1;
    } else if (base) {
        lookup->tensor = kr_build_join(loading, base, want->slot, strlen(want->slot));
    }
    if (want->logarithm && lookup->tensor && !lookup->is_logarithm) {
        size_t length = strlen(lookup->tensor), slot = strlen(want->slot);

        if (length >= slot && strcmp(lookup->tensor + length - slot, want->slot) == 0) {
            const char *stem = kr_build_join(loading, "", lookup->tensor, length - slot);
            kr_writer   w;

            kr_writer_start(&w, &loading->arena);
            kr_write(&w, stem ? stem : "");
            kr_write(&w, want->logarithm);
            lookup->logarithm = w.broken || !stem ? NULL : w.text;
            if (!lookup->logarithm)
                return kr_fail_memory(loading->message);
        }
    }
    if (lookup->tensor && strlen(lookup->tensor) > BUILD_NAME)
        return kr_build_wrong(loading, layer->path, "the tensor's name is too long for weight", want->slot);
    return lookup->tensor ? KRAIT_OK : kr_fail_memory(loading->message);
}

/* Every key of "weights" is a slot of this layer. */
static krait_status build_slots(kr_loading *loading, const kr_layer *layer, const kr_json *options,
                                const kr_wants *wants)
{
    const kr_json *map = kr_json_get(options, "weights");

    if (map && map->kind != KR_JSON_OBJECT)
        return kr_build_wrong(loading, layer->path, "an object is wanted for option", "weights");
    for (const kr_json *field = map ? map->first : NULL; field; field = field->next) {
        size_t i = 0;

        while (i < wants->count && strcmp(wants->list[i].slot, field->key) != 0 &&
               !(wants->list[i].logarithm && strcmp(wants->list[i].logarithm, field->key) == 0))
            i++;
        if (i == wants->count)
            return kr_build_wrong(loading, layer->path, "no such weight", field->key);
    }
    return KRAIT_OK;
}

/* Bound weights are gathered as a list first: their number is known at the end. */
krait_status kr_build_weights(kr_loading *loading, kr_layer *layer, const kr_json *options,
                                  const build_place *place)
{
    krait_model *model = loading->model;
    kr_wants     wants = { .count = 0 };
    kr_want     *list;
    krait_status status;

    if (layer->type->weights)
        layer->type->weights(layer, &wants);
    if ((status = build_slots(loading, layer, options, &wants)) != KRAIT_OK || wants.count == 0)
        return status;
    list = kr_arena_take(&model->arena, wants.count, sizeof *list);
    if (!list)
        return kr_fail_memory(loading->message);
    memcpy(list, wants.list, wants.count * sizeof *list);
    for (size_t i = 0; i < wants.count; i++) {
        const kr_want *want = &list[i];
        kr_bound      *bound = kr_arena_take(&model->arena, 1, sizeof *bound);
        kr_lookup      lookup;

        if (!bound)
            return kr_fail_memory(loading->message);
        bound->layer = layer;
        bound->want = want;
        bound->name = kr_build_join(loading, layer->names, want->slot, strlen(want->slot));
        if (!bound->name)
            return kr_fail_memory(loading->message);
        if ((status = build_lookup(loading, layer, options, want, place, &lookup)) != KRAIT_OK ||
            (status = kr_bind(loading, bound, &lookup)) != KRAIT_OK)
            return status;
        if (!bound->source)
            continue;
        kr_build_hash(loading, bound->name, (uint64_t)bound->type);
        kr_build_hash(loading, "", kr_hash_word(want->shape[0], want->shape[1]));
        if (want->dimensions > 2)
            kr_build_hash(loading, "", kr_hash_word(want->shape[2], want->shape[3]));
        bound->same = model->bound;         /* a list for now; kr_build() makes it an array */
        model->bound = bound;
        model->n_bound++;
    }
    return KRAIT_OK;
}

