/*
 * build.c - a description becomes layers.
 *
 * In krait's own trees nothing is ignored: an option that no layer knows is an error, since an
 * ignored option is a wrong number.  The model's id grows along the way, of everything that
 * decides results: types, names, options (defaults included) and the weights' shapes and types.
 */
#include <string.h>

#include "core/hash.h"
#include "model/model.h"

enum {
    BUILD_LAYERS = 65536,               /* most layers of one tree */
    BUILD_NAME   = 1024                 /* most bytes of a path or tensor's name: each layer has some */
};

/* Where in the tree we are: what names and {i} mean. */
typedef struct build_place {
    const char *path;
    const struct build_place *outer;    /* the repeat around this place */
    const char *variable;               /* of that repeat, "i" */
    size_t      index;
} build_place;

/* What flows into a layer. */
typedef struct build_flow { size_t width, vocabulary; } build_flow;

static krait_status build_layer(kr_loading *loading, const kr_json *node, const build_place *place,
                                build_flow in, kr_layer **layer);

static krait_status build_wrong(kr_loading *loading, const char *path, const char *what,
                                const char *name)
{
    return kr_fail(loading->message, KRAIT_ERR_FORMAT, "description: %.100s: %s '%.64s'",
                   *path ? path : "tree", what, name);
}

static void build_hash(kr_loading *loading, const char *text, uint64_t word)
{
    loading->model->id = kr_hash_word(kr_hash_text(loading->model->id, text), word);
}

/* outer.name; either may be empty. */
static const char *build_join(kr_loading *loading, const char *outer, const char *name, size_t length)
{
    kr_writer w;

    kr_writer_start(&w, &loading->model->arena);
    kr_write(&w, outer);
    if (*outer && length)
        kr_write(&w, ".");
    kr_write_bytes(&w, name, length);
    return w.broken ? NULL : w.text;
}

/* The text with {i} and the variables of outer repeats filled in; NULL without memory. */
static const char *build_fill(kr_loading *loading, const char *text, const build_place *place)
{
    kr_writer w;

    kr_writer_start(&w, &loading->model->arena);
    kr_write(&w, "");
    while (*text) {
        const build_place *at = place;
        size_t             length = 0;

        for (; *text == '{' && at; at = at->outer) {
            length = at->variable ? strlen(at->variable) : 0;
            if (length && strncmp(text + 1, at->variable, length) == 0 && text[length + 1] == '}')
                break;
        }
        if (*text == '{' && at) {
            kr_write_unsigned(&w, at->index);
            text += length + 2;
        } else {
            kr_write_bytes(&w, text++, 1);
        }
    }
    return w.broken ? NULL : w.text;
}

/* ---- options ---------------------------------------------------------------------------- */

static krait_status build_choice(kr_loading *loading, const char *path, const kr_option *option,
                                 const kr_json *value, int *choice)
{
    for (*choice = 0; option->choices[*choice]; ++*choice)
        if (kr_json_is(value, option->choices[*choice]))
            return KRAIT_OK;
    return build_wrong(loading, path, "not one of the choices of option", option->name);
}

static krait_status build_option(kr_loading *loading, const char *path, const kr_option *option,
                                 const kr_json *value, void *params, int later)
{
    void  *field = (char *)params + option->at;
    double number = option->fallback;

    if (!value && option->fallback == KR_REQUIRED)
        return build_wrong(loading, path, "there is no option", option->name);
    if (option->kind == KR_CHOICE) {
        *(int *)field = (int)option->fallback;
        if (value && build_choice(loading, path, option, value, field) != KRAIT_OK)
            return KRAIT_ERR_FORMAT;
        if (!later || *(int *)field != (int)option->fallback)
            build_hash(loading, option->name, (uint64_t)*(int *)field);
        return KRAIT_OK;
    }
    if (value) {
        if (value->kind != KR_JSON_NUMBER || (option->kind == KR_COUNT && !value->flag) ||
            !(value->number >= option->low && value->number <= option->high))
            return build_wrong(loading, path, "out of its range or no number: option", option->name);
        number = value->number;
    }
    if (option->kind == KR_COUNT)
        *(size_t *)field = (size_t)number;
    else
        number = *(float *)field = (float)number;       /* GGUF holds floats: one id from both */
    if (!later || number != (option->kind == KR_COUNT ? option->fallback : (float)option->fallback))
        build_hash(loading, option->name, kr_bits_of_double(number));
    return KRAIT_OK;
}

static int build_listed(const char *const *list, const char *name)
{
    while (*list && strcmp(*list, name) != 0)
        list++;
    return *list != NULL;
}

/* Every key of the object is an option of the type or one of these. */
static krait_status build_known(kr_loading *loading, const kr_layer *layer, const kr_json *options)
{
    static const char *const leaf[] = { "name", "path", "weights", NULL };
    static const char *const composite[] = { "name", "of", NULL };
    static const char *const repeat[] = { "name", "of", "n", "index", NULL };
    const char *const *common = layer->type->children == KR_LEAF ? leaf
                              : layer->type->children == KR_REPEAT ? repeat : composite;

    for (const kr_json *field = options->first; field; field = field->next) {
        const kr_option *option = layer->type->options;

        while (option && option->name && strcmp(option->name, field->key) != 0)
            option++;
        if (!build_listed(common, field->key) && !(option && option->name))
            return build_wrong(loading, layer->path, "unknown option", field->key);
    }
    return KRAIT_OK;
}

static krait_status build_options(kr_loading *loading, kr_layer *layer, const kr_json *options)
{
    const kr_option *option = layer->type->options;
    krait_status     status = options ? build_known(loading, layer, options) : KRAIT_OK;
    int              later = 0;

    for (; status == KRAIT_OK && option && option->name; option++) {
        later |= layer->type->later && strcmp(layer->type->later, option->name) == 0;
        status = build_option(loading, layer->path, option, kr_json_get(options, option->name),
                              layer->params, later);
    }
    return status;
}

/* ---- children ---------------------------------------------------------------------------- */

static krait_status build_room(kr_loading *loading, kr_layer *layer, size_t count)
{
    krait_model *model = loading->model;

    if (count > BUILD_LAYERS || model->n_layers + count > BUILD_LAYERS)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED,
                       "description: %.100s: more than %d layers", layer->path, (int)BUILD_LAYERS);
    layer->children = kr_arena_take(&model->arena, count + 1, sizeof *layer->children);
    if (!layer->children)
        return kr_fail_memory(loading->message);
    return KRAIT_OK;
}

/* [a, b, ...]: the place of a child is its name or its number. */
static krait_status build_chain(kr_loading *loading, kr_layer *layer, const kr_json *list,
                                const build_place *place, build_flow in)
{
    krait_status status;

    if (!list || list->kind != KR_JSON_ARRAY)
        return build_wrong(loading, layer->path, "a list of layers is wanted in", layer->type->name);
    if ((status = build_room(loading, layer, list->count)) != KRAIT_OK)
        return status;
    for (const kr_json *node = list->first; node; node = node->next) {
        build_place at = { layer->path, place, NULL, layer->n_children };
        kr_layer  **child = &layer->children[layer->n_children];

        if ((status = build_layer(loading, node, &at, in, child)) != KRAIT_OK)
            return status;
        layer->n_children++;
        in = (build_flow){ (*child)->out_width, 0 };
    }
    return KRAIT_OK;
}

static krait_status build_one(kr_loading *loading, kr_layer *layer, const kr_json *node,
                              const build_place *place, build_flow in)
{
    build_place  at = { layer->path, place, NULL, SIZE_MAX };
    krait_status status = build_room(loading, layer, 1);

    if (status == KRAIT_OK)
        status = build_layer(loading, node, &at, in, &layer->children[0]);
    layer->n_children = status == KRAIT_OK;
    return status;
}

static krait_status build_repeat(kr_loading *loading, kr_layer *layer, const kr_json *options,
                                 const build_place *place, build_flow in)
{
    const kr_json *n = kr_json_get(options, "n"), *variable = kr_json_get(options, "index");
    krait_status   status;

    if (!n || n->kind != KR_JSON_NUMBER || !n->flag || n->integer < 1 || n->integer > BUILD_LAYERS)
        return build_wrong(loading, layer->path, "1 or more and no other number is wanted for option", "n");
    if (variable && (variable->kind != KR_JSON_TEXT || variable->count == 0))
        return build_wrong(loading, layer->path, "a name is wanted for option", "index");
    if ((status = build_room(loading, layer, (size_t)n->integer)) != KRAIT_OK)
        return status;
    for (size_t i = 0; i < (size_t)n->integer; i++) {
        kr_writer   number;
        build_place at = { NULL, place, variable ? variable->text : "i", i };

        kr_writer_start(&number, &loading->arena);
        kr_write_unsigned(&number, i);
        at.path = number.broken ? NULL
                                : build_join(loading, layer->path, number.text, number.length);
        if (!at.path)
            return kr_fail_memory(loading->message);
        if ((status = build_layer(loading, kr_json_get(options, "of"), &at, in, &layer->children[i])) != KRAIT_OK)
            return status;
        layer->n_children++;
        in = (build_flow){ layer->children[i]->out_width, 0 };
    }
    return KRAIT_OK;
}

static krait_status build_children(kr_loading *loading, kr_layer *layer, const kr_json *value,
                                   const build_place *place, build_flow in)
{
    const kr_json *of = kr_json_get(value, "of");

    switch (layer->type->children) {
    case KR_CHAIN:
        return build_chain(loading, layer, of ? of : value, place, in);
    case KR_ONE:
        return build_one(loading, layer, of ? of : value, place, in);
    case KR_REPEAT:
        return build_repeat(loading, layer, value, place, in);
    default:
        return KRAIT_OK;
    }
}

/* ---- weights ------------------------------------------------------------------------------ */

/* The tensor names that a slot stands for: the "weights" map, else "path", else the layer's path. */
static krait_status build_lookup(kr_loading *loading, const kr_layer *layer, const kr_json *options,
                                 const kr_want *want, const build_place *place, kr_lookup *lookup)
{
    const kr_json *given = kr_json_get(kr_json_get(options, "weights"), want->slot);
    const kr_json *path = kr_json_get(options, "path");
    const char    *base = layer->path;

    *lookup = (kr_lookup){ 0 };
    if (path) {
        if (path->kind != KR_JSON_TEXT)
            return build_wrong(loading, layer->path, "text is wanted for option", "path");
        base = build_fill(loading, path->text, place);
    }
    if (given) {
        const kr_json *name = given->kind == KR_JSON_OBJECT ? kr_json_get(given, "tensor") : given;

        if (!name || name->kind != KR_JSON_TEXT)
            return build_wrong(loading, layer->path, "a tensor's name is wanted for weight", want->slot);
        lookup->tensor = build_fill(loading, name->text, place);
        lookup->view = given->kind == KR_JSON_OBJECT ? given : NULL;
        lookup->named = 1;
    } else if (base) {
        lookup->tensor = build_join(loading, base, want->slot, strlen(want->slot));
    }
    if (want->logarithm && lookup->tensor) {
        size_t length = strlen(lookup->tensor), slot = strlen(want->slot);

        if (length >= slot && strcmp(lookup->tensor + length - slot, want->slot) == 0) {
            const char *stem = build_join(loading, "", lookup->tensor, length - slot);
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
        return build_wrong(loading, layer->path, "the tensor's name is too long for weight", want->slot);
    return lookup->tensor ? KRAIT_OK : kr_fail_memory(loading->message);
}

/* Every key of "weights" is a slot of this layer. */
static krait_status build_slots(kr_loading *loading, const kr_layer *layer, const kr_json *options,
                                const kr_wants *wants)
{
    const kr_json *map = kr_json_get(options, "weights");

    if (map && map->kind != KR_JSON_OBJECT)
        return build_wrong(loading, layer->path, "an object is wanted for option", "weights");
    for (const kr_json *field = map ? map->first : NULL; field; field = field->next) {
        size_t i = 0;

        while (i < wants->count && strcmp(wants->list[i].slot, field->key) != 0)
            i++;
        if (i == wants->count)
            return build_wrong(loading, layer->path, "no such weight", field->key);
    }
    return KRAIT_OK;
}

/* Bound weights are gathered as a list first: their number is known at the end. */
static krait_status build_weights(kr_loading *loading, kr_layer *layer, const kr_json *options,
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
        bound->name = build_join(loading, layer->path, want->slot, strlen(want->slot));
        if (!bound->name)
            return kr_fail_memory(loading->message);
        if ((status = build_lookup(loading, layer, options, want, place, &lookup)) != KRAIT_OK ||
            (status = kr_bind(loading, bound, &lookup)) != KRAIT_OK)
            return status;
        if (!bound->source)
            continue;
        build_hash(loading, bound->name, (uint64_t)bound->type);
        build_hash(loading, "", kr_hash_word(want->shape[0], want->shape[1]));
        bound->same = model->bound;         /* a list for now; kr_build() makes it an array */
        model->bound = bound;
        model->n_bound++;
    }
    return KRAIT_OK;
}

/* ---- a layer -------------------------------------------------------------------------------- */

/* The layer's part of the path: its name, else its number in a sequence, else nothing. */
static const char *build_path(kr_loading *loading, const kr_json *options, const build_place *place)
{
    const kr_json *name = options ? kr_json_get(options, "name") : NULL;
    kr_writer      number;

    if (name)
        return build_join(loading, place->path, name->text, name->count);
    if (place->variable || place->index == SIZE_MAX)
        return build_join(loading, place->path, "", 0);
    kr_writer_start(&number, &loading->arena);
    kr_write_unsigned(&number, place->index);
    return number.broken ? NULL : build_join(loading, place->path, number.text, number.length);
}

static krait_status build_check_name(kr_loading *loading, const kr_json *options, const build_place *place)
{
    const kr_json *name = options ? kr_json_get(options, "name") : NULL;

    if (name && name->kind != KR_JSON_TEXT)
        return build_wrong(loading, place->path, "text is wanted for option", "name");
    if (strlen(place->path) + (name ? name->count : 0) > BUILD_NAME)
        return build_wrong(loading, place->path, "the path is too long with option", "name");
    return KRAIT_OK;
}

static krait_status build_layer(kr_loading *loading, const kr_json *node, const build_place *place,
                                build_flow in, kr_layer **out)
{
    krait_model         *model = loading->model;
    const kr_json       *value = node && node->kind == KR_JSON_OBJECT ? node->first : NULL;
    const kr_layer_type *type = value ? kr_layer_type_named(value->key) : NULL;
    const kr_json       *options;
    kr_layer            *layer;
    krait_status         status;

    if (!value || node->count != 1)
        return build_wrong(loading, place->path, "a layer is an object with one key:", "{\"type\": ...}");
    if (!type)
        return build_wrong(loading, place->path, "unknown layer type", value->key);
    if (++model->n_layers > BUILD_LAYERS)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "description: more than %d layers",
                       (int)BUILD_LAYERS);
    /* "residual": {...} is the child itself, "sequence": [...] the children, unless there is "of". */
    options = value->kind == KR_JSON_OBJECT &&
              (type->children == KR_LEAF || type->children == KR_REPEAT || kr_json_get(value, "of"))
                  ? value : NULL;
    if (type->children == KR_LEAF && !options)
        return build_wrong(loading, place->path, "an object with options is wanted for", value->key);
    if ((status = build_check_name(loading, options, place)) != KRAIT_OK)
        return status;
    layer = kr_arena_take(&model->arena, 1, sizeof *layer);
    if (!layer || !(layer->params = kr_arena_take(&model->arena, 1, type->params_size + 1)) ||
        !(layer->path = build_path(loading, options, place)))
        return kr_fail_memory(loading->message);
    layer->type = type;
    layer->in_width = in.width;
    layer->vocabulary = in.vocabulary;
    if (in.vocabulary && !(type->flags & KR_TAKES_TOKEN))
        return kr_fail(loading->message, KRAIT_ERR_SHAPE,
                       "description: %.100s: '%s' cannot take tokens; 'embed' comes first", layer->path,
                       type->name);
    build_hash(loading, type->name, layer->in_width);
    build_hash(loading, layer->path, layer->vocabulary);
    if ((status = build_options(loading, layer, options)) != KRAIT_OK ||
        (status = build_children(loading, layer, value, place, in)) != KRAIT_OK ||
        (status = type->shape(layer, loading->message)) != KRAIT_OK ||
        (status = build_weights(loading, layer, options, place)) != KRAIT_OK)
        return status;
    build_hash(loading, "end", layer->out_width);
    if (layer->n_children && layer->vocabulary)
        layer->in_width = layer->children[0]->in_width;
    *out = layer;
    return KRAIT_OK;
}

/* ---- the whole -------------------------------------------------------------------------------- */

/* "input": {"tokens": 256} or {"features": 9}. */
static krait_status build_input(kr_loading *loading, build_flow *in)
{
    const kr_json *input = kr_json_get(loading->tree, "input");
    const kr_json *tokens = kr_json_get(input, "tokens"), *features = kr_json_get(input, "features");
    const kr_json *given = tokens ? tokens : features;

    if (!given || (tokens && features) || input->count != 1 || given->kind != KR_JSON_NUMBER || !given->flag ||
        given->integer < 1 || given->integer > (int64_t)KR_MOST_WIDTH)
        return build_wrong(loading, "", "{\"tokens\": n} or {\"features\": n} is wanted for", "input");
    *in = tokens ? (build_flow){ 0, (size_t)given->integer } : (build_flow){ (size_t)given->integer, 0 };
    return KRAIT_OK;
}

static krait_status build_head(kr_loading *loading)
{
    static const char *const known[] = { "model_type", "version", "input", "tree", "vocabulary",
                                         "end_token", NULL };
    const kr_json *version = kr_json_get(loading->tree, "version");

    if (loading->tree->kind != KR_JSON_OBJECT ||
        !kr_json_is(kr_json_get(loading->tree, "model_type"), "krait"))
        return build_wrong(loading, "", "no description of krait's: 'model_type' is not", "krait");
    if (!version || version->kind != KR_JSON_NUMBER || version->number != 1)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "description: 'version' is not 1");
    for (const kr_json *field = loading->tree->first; field; field = field->next)
        if (!build_listed(known, field->key))
            return build_wrong(loading, "", "unknown field", field->key);
    return KRAIT_OK;
}

static krait_status build_vocabulary(kr_loading *loading)
{
    krait_model   *model = loading->model;
    const kr_json *vocabulary = kr_json_get(loading->tree, "vocabulary");
    const kr_json *end = kr_json_get(loading->tree, "end_token");

    model->end_token = -1;
    if (vocabulary) {
        if (!kr_json_is(vocabulary, "bytes") || model->vocabulary < 256)
            return build_wrong(loading, "", "only \"bytes\" over 256 tokens or more is known for", "vocabulary");
        model->bytes = 1;
    }
    if (end) {
        if (end->kind != KR_JSON_NUMBER || !end->flag || end->integer < 0 ||
            end->integer >= (int64_t)model->vocabulary)
            return build_wrong(loading, "", "no token of the vocabulary:", "end_token");
        model->end_token = end->integer;
    }
    return KRAIT_OK;
}

/* The list of bound weights, last first, into an array in the order of the tree. */
static krait_status build_bound(kr_loading *loading)
{
    krait_model *model = loading->model;
    kr_bound    *array = kr_arena_take(&model->arena, model->n_bound + 1, sizeof *array), *at;
    size_t       i = model->n_bound;

    if (!array)
        return kr_fail_memory(loading->message);
    for (at = model->bound; at; at = at->same)
        array[--i] = *at;
    for (i = 0; i < model->n_bound; i++)
        array[i].same = NULL;
    model->bound = array;
    return KRAIT_OK;
}

krait_status kr_build(kr_loading *loading)
{
    krait_model *model = loading->model;
    build_place  top = { "", NULL, NULL, SIZE_MAX };
    build_flow   in;
    krait_status status;

    model->id = kr_hash_word(KR_HASH_START, 1);
    if ((status = build_head(loading)) != KRAIT_OK || (status = build_input(loading, &in)) != KRAIT_OK)
        return status;
    model->vocabulary = in.vocabulary;
    if ((status = build_vocabulary(loading)) != KRAIT_OK ||
        (status = build_layer(loading, kr_json_get(loading->tree, "tree"), &top, in, &model->root)) != KRAIT_OK)
        return status;
    model->in_width = model->root->in_width;
    return build_bound(loading);
}
