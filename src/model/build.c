/*
 * build.c - a description becomes layers.
 *
 * In krait's own trees nothing is ignored: an option that no layer knows is an error, since an
 * ignored option is a wrong number.  The model's id grows along the way, of everything that
 * decides results: types, names, options (defaults included) and the weights' shapes and types.
 */
#include "model/build.h"

#include <string.h>

#include "core/hash.h"

/* What flows into a layer. */
typedef struct build_flow { size_t width, vocabulary; } build_flow;

static krait_status build_layer(kr_loading *loading, const kr_json *node, const build_place *place,
                                build_flow in, kr_layer **layer);

krait_status kr_build_wrong(kr_loading *loading, const char *path, const char *what,
                                const char *name)
{
    return kr_fail(loading->message, KRAIT_ERR_FORMAT, "description: %.100s: %s '%.64s'",
                   *path ? path : "tree", what, name);
}

void kr_build_hash(kr_loading *loading, const char *text, uint64_t word)
{
    loading->model->id = kr_hash_word(kr_hash_text(loading->model->id, text), word);
}

/* outer.name; either may be empty. */
const char *kr_build_join(kr_loading *loading, const char *outer, const char *name, size_t length)
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
const char *kr_build_fill(kr_loading *loading, const char *text, const build_place *place)
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

/* The place of a child, which has a number, or none: SIZE_MAX. */
static build_place build_inside(const kr_layer *layer, const build_place *place, size_t index)
{
    return (build_place){ layer->path, layer->names, place, NULL, index, place->depth + 1 };
}

/* [a, b, ...]: the place of a child is its name or its number.  In a chain each is given what the one before makes. */
static krait_status build_list(kr_loading *loading, kr_layer *layer, const kr_json *list,
                                const build_place *place, build_flow in)
{
    krait_status status;

    if (!list || list->kind != KR_JSON_ARRAY)
        return kr_build_wrong(loading, layer->path, "a list of layers is wanted in", layer->type->name);
    if ((status = build_room(loading, layer, list->count)) != KRAIT_OK)
        return status;
    for (const kr_json *node = list->first; node; node = node->next) {
        build_place at = build_inside(layer, place, layer->n_children);
        kr_layer  **child = &layer->children[layer->n_children];

        if ((status = build_layer(loading, node, &at, in, child)) != KRAIT_OK)
            return status;
        layer->n_children++;
        if (layer->type->children == KR_CHAIN)
            in = (build_flow){ (*child)->out_width, 0 };
    }
    return KRAIT_OK;
}

static krait_status build_one(kr_loading *loading, kr_layer *layer, const kr_json *node,
                              const build_place *place, build_flow in)
{
    build_place  at = build_inside(layer, place, SIZE_MAX);
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
        return kr_build_wrong(loading, layer->path, "1 or more and no other number is wanted for option", "n");
    if (variable && (variable->kind != KR_JSON_TEXT || variable->count == 0))
        return kr_build_wrong(loading, layer->path, "a name is wanted for option", "index");
    if ((status = build_room(loading, layer, (size_t)n->integer)) != KRAIT_OK)
        return status;
    for (size_t i = 0; i < (size_t)n->integer; i++) {
        kr_writer   number;
        build_place at = build_inside(layer, place, i);

        kr_writer_start(&number, &loading->arena);
        kr_write_unsigned(&number, i);
        if (number.broken)
            return kr_fail_memory(loading->message);
        at.variable = variable ? variable->text : "i";
        at.path = kr_build_join(loading, layer->path, number.text, number.length);
        at.names = layer->names == layer->path
                       ? at.path : kr_build_join(loading, layer->names, number.text, number.length);
        if (!at.path || !at.names)
            return kr_fail_memory(loading->message);
        if ((status = build_layer(loading, kr_json_get(options, "of"), &at, in, &layer->children[i])) != KRAIT_OK)
            return status;
        layer->n_children++;
        in = (build_flow){ layer->children[i]->out_width, 0 };
    }
    return KRAIT_OK;
}

/* The name of a define or use. */
static krait_status build_as(kr_loading *loading, const kr_layer *layer, const kr_json *options,
                             const build_place *place, const char **name)
{
    const kr_json *as = kr_json_get(options, "as");

    if (!as || as->kind != KR_JSON_TEXT || as->count == 0 || as->count > BUILD_NAME)
        return kr_build_wrong(loading, layer->path, "a name is wanted for option", "as");
    *name = kr_build_fill(loading, as->text, place);
    return *name ? KRAIT_OK : kr_fail_memory(loading->message);
}

static const kr_definition *build_defined(const kr_loading *loading, const char *name)
{
    const kr_definition *at = loading->definitions;

    while (at && strcmp(at->name, name) != 0)
        at = at->next;
    return at;
}

/* The place with all that is around it, to last as long as loading does; NULL without memory. */
static const build_place *build_keep(kr_loading *loading, const build_place *place)
{
    build_place *kept = kr_arena_take(&loading->arena, 1, sizeof *kept);

    if (!kept)
        return NULL;
    *kept = *place;
    if (place->outer && !(kept->outer = build_keep(loading, place->outer)))
        return NULL;
    return kept;
}

static krait_status build_define(kr_loading *loading, kr_layer *layer, const kr_json *options,
                                 const build_place *place, build_flow in)
{
    kr_definition *made = kr_arena_take(&loading->arena, 1, sizeof *made);
    krait_status   status;

    if (!made)
        return kr_fail_memory(loading->message);
    if ((status = build_as(loading, layer, options, place, &made->name)) != KRAIT_OK)
        return status;
    if (build_defined(loading, made->name))
        return kr_build_wrong(loading, layer->path, "a second definition of", made->name);
    if ((status = build_one(loading, layer, kr_json_get(options, "of"), place, in)) != KRAIT_OK)
        return status;
    made->node = kr_json_get(options, "of");
    made->names = layer->names;
    made->place = build_keep(loading, place);
    made->next = loading->definitions;
    loading->definitions = made;
    return made->place ? KRAIT_OK : kr_fail_memory(loading->message);
}

/* The same node once more: its weights are named as where it was defined, what it remembers as here. */
static krait_status build_use(kr_loading *loading, kr_layer *layer, const kr_json *options,
                              const build_place *place, build_flow in)
{
    const kr_definition *made;
    build_place          at;
    const char          *name;
    krait_status         status = build_as(loading, layer, options, place, &name);

    if (status != KRAIT_OK)
        return status;
    if (!(made = build_defined(loading, name)))
        return kr_build_wrong(loading, layer->path, "no 'define' before it is called", name);
    if ((status = build_room(loading, layer, 1)) != KRAIT_OK)
        return status;
    at = build_inside(layer, made->place, SIZE_MAX);
    at.names = made->names;
    at.depth = place->depth + 1;
    if ((status = build_layer(loading, made->node, &at, in, &layer->children[0])) == KRAIT_OK)
        layer->n_children = 1;
    return status;
}

static krait_status build_children(kr_loading *loading, kr_layer *layer, const kr_json *value,
                                   const build_place *place, build_flow in)
{
    const kr_json *of = kr_json_get(value, "of");

    switch (layer->type->children) {
    case KR_CHAIN:
    case KR_BRANCHES:
        return build_list(loading, layer, of ? of : value, place, in);
    case KR_ONE:
        return build_one(loading, layer, of ? of : value, place, in);
    case KR_REPEAT:
        return build_repeat(loading, layer, value, place, in);
    case KR_DEFINE:
        return build_define(loading, layer, value, place, in);
    case KR_USE:
        return build_use(loading, layer, value, place, in);
    default:
        return KRAIT_OK;
    }
}

/* ---- a layer -------------------------------------------------------------------------------- */

/* The layer's part of a path behind 'outer': its name, else its number in a list, else nothing. */
static const char *build_path(kr_loading *loading, const kr_json *options, const build_place *place,
                              const char *outer)
{
    const kr_json *name = options ? kr_json_get(options, "name") : NULL;
    kr_writer      number;

    if (name)
        return kr_build_join(loading, outer, name->text, name->count);
    if (place->variable || place->index == SIZE_MAX)
        return kr_build_join(loading, outer, "", 0);
    kr_writer_start(&number, &loading->arena);
    kr_write_unsigned(&number, place->index);
    return number.broken ? NULL : kr_build_join(loading, outer, number.text, number.length);
}

static krait_status build_check_name(kr_loading *loading, const kr_json *options, const build_place *place)
{
    const kr_json *name = options ? kr_json_get(options, "name") : NULL;

    if (name && name->kind != KR_JSON_TEXT)
        return kr_build_wrong(loading, place->path, "text is wanted for option", "name");
    if (strlen(place->path) + (name ? name->count : 0) > BUILD_NAME)
        return kr_build_wrong(loading, place->path, "the path is too long with option", "name");
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
        return kr_build_wrong(loading, place->path, "a layer is an object with one key:", "{\"type\": ...}");
    if (!type)
        return kr_build_wrong(loading, place->path, "unknown layer type", value->key);
    if (place->depth > BUILD_DEPTH)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "description: %.100s: more than %d layers in each other",
                       place->path, (int)BUILD_DEPTH);
    if (++model->n_layers > BUILD_LAYERS)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "description: more than %d layers",
                       (int)BUILD_LAYERS);
    /* "residual": {...} is the child itself, "sequence": [...] the children, unless there is "of". */
    options = value->kind == KR_JSON_OBJECT &&
              (type->children == KR_LEAF || type->children == KR_REPEAT || type->children == KR_DEFINE ||
               type->children == KR_USE || kr_json_get(value, "of"))
                  ? value : NULL;
    if ((type->children == KR_LEAF || type->children == KR_USE || type->children == KR_DEFINE) && !options)
        return kr_build_wrong(loading, place->path, "an object with options is wanted for", value->key);
    if ((status = build_check_name(loading, options, place)) != KRAIT_OK)
        return status;
    layer = kr_arena_take(&model->arena, 1, sizeof *layer);
    if (!layer || !(layer->params = kr_arena_take(&model->arena, 1, type->params_size + 1)) ||
        !(layer->path = build_path(loading, options, place, place->path)) ||
        !(layer->names = place->names == place->path ? layer->path
                                                     : build_path(loading, options, place, place->names)))
        return kr_fail_memory(loading->message);
    layer->type = type;
    layer->in_width = in.width;
    layer->vocabulary = in.vocabulary;
    if (in.vocabulary && !(type->flags & KR_TAKES_TOKEN))
        return kr_fail(loading->message, KRAIT_ERR_SHAPE,
                       "description: %.100s: '%s' cannot take tokens; 'embed' comes first", layer->path,
                       type->name);
    kr_build_hash(loading, type->name, layer->in_width);
    kr_build_hash(loading, layer->path, layer->vocabulary);
    if ((status = kr_build_options(loading, layer, options, place)) != KRAIT_OK ||
        (status = build_children(loading, layer, value, place, in)) != KRAIT_OK ||
        (status = type->shape(layer, loading->message)) != KRAIT_OK ||
        (status = kr_build_weights(loading, layer, options, place)) != KRAIT_OK)
        return status;
    kr_build_hash(loading, "end", layer->out_width);
    if (layer->n_children && layer->vocabulary)
        layer->in_width = layer->children[0]->in_width;
    *out = layer;
    return KRAIT_OK;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static int build_is_count(const kr_json *value)
{
    return value && value->kind == KR_JSON_NUMBER && value->flag && value->integer >= 1 &&
           value->integer <= (int64_t)KR_MOST_WIDTH;
}

/* "grid": [rows, columns] or [cells] of a step. */
static krait_status build_grid(kr_loading *loading, const kr_json *grid, size_t features)
{
    size_t *sizes = loading->model->grid, numbers;

    sizes[0] = sizes[1] = 1;
    if (!grid)
        return KRAIT_OK;
    if (grid->kind != KR_JSON_ARRAY || grid->count < 1 || grid->count > 2 || !build_is_count(grid->first) ||
        (grid->count == 2 && !build_is_count(grid->first->next)))
        return kr_build_wrong(loading, "", "[rows, columns] or [cells] is wanted for", "grid");
    sizes[0] = (size_t)grid->first->integer;
    sizes[1] = grid->count == 2 ? (size_t)grid->first->next->integer : 1;
    if (!kr_mul_fits(sizes[0], sizes[1], &numbers) || !kr_mul_fits(numbers, features, &numbers) ||
        numbers > (size_t)KR_MOST_WIDTH)
        return kr_build_wrong(loading, "", "too many numbers in", "grid");
    kr_build_hash(loading, "grid", kr_hash_word(sizes[0], sizes[1]));
    return KRAIT_OK;
}

/* "input": {"tokens": 256} or {"features": 9} or {"features": 3, "grid": [28, 28]}. */
static krait_status build_input(kr_loading *loading, build_flow *in)
{
    const kr_json *input = kr_json_get(loading->tree, "input");
    const kr_json *tokens = kr_json_get(input, "tokens"), *features = kr_json_get(input, "features");
    const kr_json *given = tokens ? tokens : features, *grid = kr_json_get(input, "grid");

    if ((tokens && (features || grid)) || !build_is_count(given) || input->count != (grid ? 2u : 1u))
        return kr_build_wrong(loading, "", "{\"tokens\": n} or {\"features\": n} is wanted for", "input");
    *in = tokens ? (build_flow){ 0, (size_t)given->integer } : (build_flow){ (size_t)given->integer, 0 };
    return build_grid(loading, grid, in->width);
}

static int build_field_known(const char *name)
{
    static const char *const known[] = { "model_type", "version", "input", "tree", "vocabulary",
                                         "end_token", NULL };
    size_t i = 0;

    while (known[i] && strcmp(known[i], name) != 0)
        i++;
    return known[i] != NULL;
}

static krait_status build_head(kr_loading *loading)
{
    const kr_json *version = kr_json_get(loading->tree, "version");

    if (loading->tree->kind != KR_JSON_OBJECT ||
        !kr_json_is(kr_json_get(loading->tree, "model_type"), "krait"))
        return kr_build_wrong(loading, "", "no description of krait's: 'model_type' is not", "krait");
    if (!version || version->kind != KR_JSON_NUMBER || version->number != 1)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "description: 'version' is not 1");
    for (const kr_json *field = loading->tree->first; field; field = field->next)
        if (!build_field_known(field->key))
            return kr_build_wrong(loading, "", "unknown field", field->key);
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
            return kr_build_wrong(loading, "", "only \"bytes\" over 256 tokens or more is known for", "vocabulary");
        model->bytes = 1;
    }
    if (end) {
        if (end->kind != KR_JSON_NUMBER || !end->flag || end->integer < 0 ||
            end->integer >= (int64_t)model->vocabulary)
            return kr_build_wrong(loading, "", "no token of the vocabulary:", "end_token");
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

static krait_status build_flows_room(kr_loading *loading)
{
    kr_flows *flows = &loading->model->flows;

    flows->slots = kr_arena_take(&loading->model->arena, KR_MOST_SLOTS, sizeof *flows->slots);
    flows->inputs = kr_arena_take(&loading->model->arena, KR_MOST_INPUTS, sizeof *flows->inputs);
    flows->limits = kr_arena_take(&loading->model->arena, KR_MOST_LIMITS, sizeof *flows->limits);
    flows->message = loading->message;
    return flows->slots && flows->inputs && flows->limits ? KRAIT_OK : kr_fail_memory(loading->message);
}

/* How many rows flow where, now that it is known whether sequences come whole. */
static krait_status build_flows(kr_loading *loading)
{
    krait_model *model = loading->model;
    kr_flow      flow = { .rows = { 1, 0 }, .grid = { model->grid[0], model->grid[1] }, .sequences = 1,
                          .in_order = 1, .whole = kr_flow_needs_whole(model->root) };
    krait_status status;

    model->whole = flow.whole;
    status = kr_flow_through(model->root, &model->flows, &flow);
    model->flows.message = NULL;
    if (status == KRAIT_OK && (kr_flow_cells(&flow) > (size_t)KR_MOST_WIDTH / model->root->out_width))
        return kr_fail(loading->message, KRAIT_ERR_SHAPE, "description: a step of output has too many numbers");
    model->out_width = model->root->out_width * kr_flow_cells(&flow);
    return status;
}

krait_status kr_build(kr_loading *loading)
{
    krait_model *model = loading->model;
    build_place  top = { "", "", NULL, NULL, SIZE_MAX, 0 };
    build_flow   in;
    krait_status status;

    model->id = kr_hash_word(KR_HASH_START, 1);
    if ((status = build_flows_room(loading)) != KRAIT_OK || (status = build_head(loading)) != KRAIT_OK || (status = build_input(loading, &in)) != KRAIT_OK)
        return status;
    model->vocabulary = in.vocabulary;
    if ((status = build_vocabulary(loading)) != KRAIT_OK ||
        (status = build_layer(loading, kr_json_get(loading->tree, "tree"), &top, in, &model->root)) != KRAIT_OK)
        return status;
    model->in_width = model->root->in_width * model->grid[0] * model->grid[1];
    if ((status = build_bound(loading)) != KRAIT_OK)
        return status;
    return build_flows(loading);
}
