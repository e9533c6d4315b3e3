/*
 * build_options.c - options of a description into a layer's params.
 *
 * Nothing is ignored, and everything enters the model's id, defaults included; but an option that a
 * type got late only where it is not the default, so that older models keep their ids and states.
 */
#include "model/build.h"

#include <string.h>

#include "core/bits.h"

static krait_status options_choice(kr_loading *loading, const char *path, const kr_option *option,
                                   const kr_json *value, int *choice)
{
    *choice = (int)option->fallback;
    for (int i = 0; value && option->choices[i]; i++)
        if (kr_json_is(value, option->choices[i])) {
            *choice = i;
            value = NULL;
        }
    if (value)
        return kr_build_wrong(loading, path, "not one of the choices of option", option->name);
    if (!(option->kind & KR_LATE) || *choice != (int)option->fallback)
        kr_build_hash(loading, option->name, (uint64_t)*choice);
    return KRAIT_OK;
}

static krait_status options_flag(kr_loading *loading, const char *path, const kr_option *option,
                                 const kr_json *value, int *flag)
{
    *flag = option->fallback != 0;
    if (value && value->kind != KR_JSON_BOOL)
        return kr_build_wrong(loading, path, "true or false is wanted for option", option->name);
    if (value)
        *flag = value->flag;
    if (!(option->kind & KR_LATE) || *flag != (option->fallback != 0))
        kr_build_hash(loading, option->name, (uint64_t)*flag);
    return KRAIT_OK;
}

static krait_status options_number(kr_loading *loading, const char *path, const kr_option *option,
                                   const kr_json *value, void *field)
{
    double number = option->fallback;

    if (value) {
        if (value->kind != KR_JSON_NUMBER || ((option->kind & ~KR_LATE) == KR_COUNT && !value->flag) ||
            !(value->number >= option->low && value->number <= option->high))
            return kr_build_wrong(loading, path, "out of its range or no number: option", option->name);
        number = value->number;
    }
    if ((option->kind & ~KR_LATE) == KR_COUNT)
        *(size_t *)field = (size_t)number;
    else
        number = *(float *)field = (float)number;       /* GGUF holds floats: one id from both */
    if (!(option->kind & KR_LATE) || value)
        kr_build_hash(loading, option->name, kr_bits_of_double(number));
    return KRAIT_OK;
}

/* [2, 0, 1]; absent: no items. */
static krait_status options_list(kr_loading *loading, const char *path, const kr_option *option,
                                 const kr_json *value, kr_list *list)
{
    size_t *items;

    if (!value)
        return KRAIT_OK;
    if (value->kind != KR_JSON_ARRAY || (double)value->count > option->high)
        return kr_build_wrong(loading, path, "a list of whole numbers is wanted for option", option->name);
    items = kr_arena_take(&loading->model->arena, value->count + 1, sizeof *items);
    list->marks = kr_arena_take(&loading->arena, value->count + 1, 1);
    if (!items || !list->marks)
        return kr_fail_memory(loading->message);
    list->items = items;
    kr_build_hash(loading, option->name, value->count);
    for (const kr_json *item = value->first; item; item = item->next) {
        if (item->kind != KR_JSON_NUMBER || !item->flag || !(item->number >= option->low && item->number <= option->high))
            return kr_build_wrong(loading, path, "a list of whole numbers is wanted for option", option->name);
        items[list->count++] = (size_t)item->integer;
        kr_build_hash(loading, "", (uint64_t)item->integer);
    }
    return KRAIT_OK;
}

/* 0.5 or [0.485, 0.456, 0.406]. */
static krait_status options_reals(kr_loading *loading, const char *path, const kr_option *option,
                                  const kr_json *value, kr_reals *reals)
{
    size_t         count = value && value->kind == KR_JSON_ARRAY ? value->count : 1;
    const kr_json *item = value && value->kind == KR_JSON_ARRAY ? value->first : value;
    float         *items;

    if (!value)
        return KRAIT_OK;
    if (count > (size_t)KR_MOST_WIDTH)
        return kr_build_wrong(loading, path, "too many numbers for option", option->name);
    items = kr_arena_take(&loading->model->arena, count + 1, sizeof *items);
    if (!items)
        return kr_fail_memory(loading->message);
    reals->items = items;
    kr_build_hash(loading, option->name, count);
    for (; reals->count < count; item = item->next) {
        if (item->kind != KR_JSON_NUMBER || !(item->number >= option->low && item->number <= option->high))
            return kr_build_wrong(loading, path, "out of its range or no number: option", option->name);
        items[reals->count] = (float)item->number;
        kr_build_hash(loading, "", kr_bits_of_double((double)items[reals->count++]));
    }
    return KRAIT_OK;
}

/* ---- names ---------------------------------------------------------------------------------- */

static krait_status options_put(kr_loading *loading, const kr_layer *layer, const char *name, kr_name_ref *ref)
{
    kr_flows *flows = &loading->model->flows;

    for (size_t i = 0; i < flows->n_slots; i++)
        if (strcmp(flows->slots[i].name, name) == 0)
            return kr_build_wrong(loading, layer->path, "rows are kept already under", name);
    if (flows->n_slots == KR_MOST_SLOTS)
        return kr_build_wrong(loading, layer->path, "too many names of rows, with", name);
    *ref = (kr_name_ref){ flows->n_slots, layer->in_width };
    flows->slots[flows->n_slots++] = (kr_slot){ .name = name, .width = layer->in_width };
    return KRAIT_OK;
}

static krait_status options_get(kr_loading *loading, const kr_layer *layer, const char *name, kr_name_ref *ref)
{
    const kr_flows *flows = &loading->model->flows;

    for (size_t i = 0; i < flows->n_slots; i++)
        if (strcmp(flows->slots[i].name, name) == 0) {
            *ref = (kr_name_ref){ i, flows->slots[i].width };
            return KRAIT_OK;
        }
    return kr_build_wrong(loading, layer->path, "no 'put' before it keeps rows under", name);
}

/* Several layers may read one order. */
static krait_status options_order(kr_loading *loading, const kr_layer *layer, const char *name, kr_name_ref *ref)
{
    kr_flows *flows = &loading->model->flows;
    size_t    i = 0;

    while (i < flows->n_inputs && strcmp(flows->inputs[i].name, name) != 0)
        i++;
    if (i == KR_MOST_INPUTS)
        return kr_build_wrong(loading, layer->path, "too many inputs, with", name);
    if (i == flows->n_inputs)
        flows->inputs[flows->n_inputs++] = (kr_named){ .name = name };
    *ref = (kr_name_ref){ i, 1 };
    return KRAIT_OK;
}

static krait_status options_name(kr_loading *loading, const kr_layer *layer, const kr_option *option,
                                 const kr_json *value, const build_place *place, kr_name_ref *ref)
{
    const char *name;

    *ref = (kr_name_ref){ KR_NO_NAME, 0 };
    if (!value)
        return KRAIT_OK;
    if (value->kind != KR_JSON_TEXT || value->count == 0 || value->count > BUILD_NAME)
        return kr_build_wrong(loading, layer->path, "a name is wanted for option", option->name);
    name = kr_build_fill(loading, value->text, place);
    if (!name)
        return kr_fail_memory(loading->message);
    kr_build_hash(loading, option->name, 0);
    kr_build_hash(loading, name, 0);
    switch (option->kind & ~KR_LATE) {
    case KR_PUT: return options_put(loading, layer, name, ref);
    case KR_GET: return options_get(loading, layer, name, ref);
    default:     return options_order(loading, layer, name, ref);
    }
}

/* ---- all of them ------------------------------------------------------------------------------- */

static krait_status options_one(kr_loading *loading, const kr_layer *layer, const kr_option *option,
                                const kr_json *value, const build_place *place)
{
    void *field = (char *)layer->params + option->at;

    if (!value && option->fallback == KR_REQUIRED)
        return kr_build_wrong(loading, layer->path, "there is no option", option->name);
    switch (option->kind & ~KR_LATE) {
    case KR_CHOICE: return options_choice(loading, layer->path, option, value, field);
    case KR_FLAG:   return options_flag(loading, layer->path, option, value, field);
    case KR_REALS:  return options_reals(loading, layer->path, option, value, field);
    case KR_LIST:   return options_list(loading, layer->path, option, value, field);
    case KR_COUNT:
    case KR_REAL:   return options_number(loading, layer->path, option, value, field);
    default:        return options_name(loading, layer, option, value, place, field);
    }
}

static int options_listed(const char *const *list, const char *name)
{
    while (*list && strcmp(*list, name) != 0)
        list++;
    return *list != NULL;
}

/* Every key of the object is an option of the type or one of these. */
static krait_status options_known(kr_loading *loading, const kr_layer *layer, const kr_json *options)
{
    static const char *const leaf[] = { "name", "path", "weights", NULL };
    static const char *const composite[] = { "name", "of", NULL };
    static const char *const repeat[] = { "name", "of", "n", "index", NULL };
    static const char *const define[] = { "name", "of", "as", NULL };
    static const char *const use[] = { "name", "as", NULL };
    const char *const *common = layer->type->children == KR_LEAF   ? leaf
                              : layer->type->children == KR_REPEAT ? repeat
                              : layer->type->children == KR_DEFINE ? define
                              : layer->type->children == KR_USE    ? use : composite;

    for (const kr_json *field = options->first; field; field = field->next) {
        const kr_option *option = layer->type->options;

        while (option && option->name && strcmp(option->name, field->key) != 0)
            option++;
        if (!options_listed(common, field->key) && !(option && option->name))
            return kr_build_wrong(loading, layer->path, "unknown option", field->key);
    }
    return KRAIT_OK;
}

krait_status kr_build_options(kr_loading *loading, kr_layer *layer, const kr_json *options,
                              const build_place *place)
{
    const kr_option *option = layer->type->options;
    krait_status     status = options ? options_known(loading, layer, options) : KRAIT_OK;

    for (; status == KRAIT_OK && option && option->name; option++)
        status = options_one(loading, layer, option, kr_json_get(options, option->name), place);
    return status;
}
