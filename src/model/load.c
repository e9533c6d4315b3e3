/*
 * load.c - from a path, bytes or tensors to a model.
 */
#include <string.h>

#include "model/arch.h"

static krait_status load_start(kr_loading *loading, const kr_kernels *kernels)
{
    const krait_open_options *options = loading->options;
    kr_memory                 memory;

    kr_memory_start(&memory, options->allocator, options->max_bytes);
    loading->model = kr_memory_take(&memory, sizeof *loading->model, KR_ALIGN);
    if (!loading->model)
        return kr_fail_memory(loading->message);
    *loading->model = (krait_model){ .memory = memory, .end_token = -1 };
    loading->model->kernels = kernels ? kernels
                            : options->flags & KRAIT_OPEN_PLAIN ? &kr_kernels_plain : kr_kernels_best();
    kr_arena_start(&loading->model->arena, &loading->model->memory);
    kr_arena_start(&loading->arena, &loading->model->memory);
    return KRAIT_OK;
}

const char *kr_load_join(kr_loading *loading, const char *folder, size_t length, const char *name)
{
    kr_writer w;

    kr_writer_start(&w, &loading->arena);
    kr_write_bytes(&w, folder, length);
    if (length && folder[length - 1] != '/')
        kr_write(&w, "/");
    kr_write(&w, name);
    return w.broken ? NULL : w.text;
}

static krait_status load_config_file(kr_loading *loading, const char *path)
{
    krait_status status = kr_file_open(&loading->config_file, path, 1, &loading->model->memory, loading->message);

    if (status != KRAIT_OK)
        return status;
    loading->what = kr_fail_path(path);
    return kr_json_parse(&loading->config, (const char *)loading->config_file.bytes, loading->config_file.count,
                         loading->what, &loading->arena, loading->message);
}

krait_status kr_load_room(kr_loading *loading, size_t count)
{
    krait_model *model = loading->model;

    model->files = kr_arena_take(&model->arena, count, sizeof *model->files);
    return model->files ? KRAIT_OK : kr_fail_memory(loading->message);
}

krait_status kr_load_file(kr_loading *loading, const char *path, kr_package *package)
{
    krait_model *model = loading->model;
    kr_file     *file = &model->files[model->n_files];
    int          read = (loading->options->flags & KRAIT_OPEN_READ) != 0;
    krait_status status = kr_file_open(file, path, read, &model->memory, loading->message);

    if (status != KRAIT_OK)
        return status;
    model->n_files++;
    return kr_package_read(package, file->bytes, file->count, kr_fail_path(path), &loading->arena,
                           loading->message);
}

static krait_status load_weights_file(kr_loading *loading, const char *path)
{
    krait_status status = kr_load_room(loading, 1);

    return status == KRAIT_OK ? kr_load_file(loading, path, &loading->package) : status;
}

/* The first of two files of the folder, the second where it alone is there; NULL without memory. */
static const char *load_either(kr_loading *loading, const char *folder, const char *first, const char *second)
{
    size_t      length = strlen(folder);
    const char *one = kr_load_join(loading, folder, length, first), *other = kr_load_join(loading, folder, length, second);

    return one && other && kr_file_is_folder(one) < 0 && kr_file_is_folder(other) == 0 ? other : other ? one : NULL;
}

/*
 * A folder with config.json and model.safetensors, whole or in pieces with an index; or with Mistral's params.json and
 * consolidated.safetensors.
 */
static krait_status load_folder(kr_loading *loading, const char *path)
{
    size_t      length = strlen(path);
    const char *config = load_either(loading, path, "config.json", "params.json");
    const char *weights = load_either(loading, path, "model.safetensors", "consolidated.safetensors");
    const char *index = kr_load_join(loading, path, length, "model.safetensors.index.json");
    const char *pickle = kr_load_join(loading, path, length, "pytorch_model.bin");
    krait_status status;

    loading->folder = kr_load_join(loading, path, length, "");
    if (!config || !weights || !index || !pickle || !loading->folder)
        return kr_fail_memory(loading->message);
    if (kr_file_is_folder(weights) < 0 && kr_file_is_folder(index) < 0 && kr_file_is_folder(pickle) == 0)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: the weights are a pickle, pytorch_model.bin, "
                       "which krait does not read: examples/python/to_safetensors.py makes model.safetensors of it",
                       loading->what);
    if (kr_file_is_folder(weights) < 0 && kr_file_is_folder(index) == 0)
        status = kr_load_shards(loading, loading->folder, index);
    else
        status = load_weights_file(loading, weights);
    if (status != KRAIT_OK)
        return status;
    return loading->options->description ? KRAIT_OK : load_config_file(loading, config);
}

/* The folder of a file, as text that ends in a slash or is empty; NULL without memory. */
static const char *load_folder_of(kr_loading *loading, const char *path)
{
    const char *slash = strrchr(path, '/');

    return kr_load_join(loading, path, slash ? (size_t)(slash - path) + 1 : 0, "");
}

/* A safetensors file without a description of its own goes with the config.json beside it. */
static krait_status load_beside(kr_loading *loading, const char *path)
{
    const char *config;

    if (loading->options->description || strcmp(loading->package.format, "safetensors") != 0 ||
        kr_json_get(loading->package.metadata, "krait"))
        return KRAIT_OK;
    loading->folder = load_folder_of(loading, path);
    if (!loading->folder)
        return kr_fail_memory(loading->message);
    config = load_either(loading, loading->folder, "config.json", "params.json");
    if (!config)
        return kr_fail_memory(loading->message);
    if (kr_file_is_folder(config) != 0)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT,
                       "%.150s: no description under \"krait\" in its metadata and no config.json beside it", loading->what);
    return load_config_file(loading, config);
}

static krait_status load_path(kr_loading *loading, const char *path)
{
    static const char ending[] = ".safetensors.index.json";
    size_t            length = strlen(path), end = sizeof ending - 1;
    krait_status      status;

    loading->what = kr_fail_path(path);
    if (kr_file_is_folder(path) == 1)
        return load_folder(loading, path);
    if (length >= end && strcmp(path + length - end, ending) == 0) {
        loading->folder = load_folder_of(loading, path);
        status = loading->folder ? kr_load_shards(loading, loading->folder, path) : kr_fail_memory(loading->message);
    } else {
        status = load_weights_file(loading, path);
    }
    if (status != KRAIT_OK)
        return status;
    return load_beside(loading, path);
}

/* ---- tensors of the caller ------------------------------------------------------------------ */

static krait_status load_tensor(kr_loading *loading, const krait_tensor *from, kr_source *to)
{
    uint64_t bytes;
    size_t   length = from->name ? strlen(from->name) : 0;

    if (length == 0 || from->dimensions < 0 || from->dimensions > 4 || (!from->data && from->bytes))
        return kr_fail(loading->message, KRAIT_ERR_ARGUMENT, "tensor '%.100s': name, data or dimensions",
                       from->name ? from->name : "");
    *to = (kr_source){ .type = from->type, .type_name = kr_type_name(from->type),
                       .dimensions = from->dimensions, .data = from->data, .bytes = from->bytes };
    memcpy(to->shape, from->shape, (size_t)from->dimensions * sizeof *to->shape);
    to->name = kr_arena_text(&loading->arena, from->name, length);
    if (!to->name)
        return kr_fail_memory(loading->message);
    if (!to->type_name || !kr_type_bytes(from->type, from->shape, from->dimensions, &bytes))
        return kr_fail(loading->message, KRAIT_ERR_ARGUMENT, "tensor '%.100s': type %d or shape", to->name,
                       (int)from->type);
    if (bytes != from->bytes)
        return kr_fail(loading->message, KRAIT_ERR_SHAPE, "tensor '%.100s': %llu bytes given, its shape has %llu",
                       to->name, (unsigned long long)from->bytes, (unsigned long long)bytes);
    return KRAIT_OK;
}

static krait_status load_tensors(kr_loading *loading, const kr_origin *origin)
{
    kr_package *package = &loading->package;

    package->format = "tensors";
    package->tensors = kr_arena_take(&loading->arena, origin->n_tensors + (origin->n_tensors < SIZE_MAX),
                                     sizeof *package->tensors);
    if (!package->tensors)
        return kr_fail_memory(loading->message);
    for (; package->n_tensors < origin->n_tensors; package->n_tensors++) {
        krait_status status = load_tensor(loading, &origin->tensors[package->n_tensors],
                                          &package->tensors[package->n_tensors]);

        if (status != KRAIT_OK)
            return status;
    }
    return kr_package_index(package, "tensors", &loading->arena, loading->message);
}

/* ---- descriptions ----------------------------------------------------------------------------- */

static krait_status load_parse(kr_loading *loading, const char *text, size_t length, const char *what)
{
    loading->what = what;
    return kr_json_parse(&loading->config, text, length, what, &loading->arena, loading->message);
}

/* The file's own description: under "krait" in safetensors, under "krait.description" in GGUF. */
static krait_status load_own(kr_loading *loading)
{
    const kr_json *m = loading->package.metadata;
    const kr_json *own = kr_json_get(m, "krait");

    if (strcmp(loading->package.format, "gguf") == 0)
        own = kr_json_is(kr_json_get(m, "general.architecture"), "krait") ? kr_json_get(m, "krait.description")
                                                                          : NULL;
    if (!own || own->kind != KR_JSON_TEXT)
        return KRAIT_OK;
    return load_parse(loading, own->text, own->count, "the file's description");
}

/* Whatever described the model, as krait's own tree. */
static krait_status load_translate(kr_loading *loading, kr_writer *description)
{
    const kr_json *type = kr_json_get(loading->config, "model_type");
    const kr_json *gguf = kr_json_get(loading->package.metadata, "general.architecture");
    krait_model   *model = loading->model;

    if (kr_json_is(type, "krait")) {
        kr_write_json(description, loading->config);
        return KRAIT_OK;
    }
    if (loading->config) {
        model->arch = kr_arch_for_config(loading->config);
        if (!model->arch && (!type || type->kind != KR_JSON_TEXT))
            return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.150s: 'model_type' is missing", loading->what);
        if (!model->arch)
            return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: model_type '%.64s' is not known",
                           loading->what, type->text);
        return model->arch->from_config(loading, description);
    }
    if (strcmp(loading->package.format, "gguf") != 0 || !gguf || gguf->kind != KR_JSON_TEXT)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.150s: nothing in it describes the model",
                       loading->what);
    model->arch = kr_arch_for_gguf(gguf->text);
    if (!model->arch)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: architecture '%.64s' is not known",
                       loading->what, gguf->text);
    return model->arch->from_gguf(loading, description);
}

static krait_status load_describe(kr_loading *loading, const kr_origin *origin)
{
    const char  *given = origin->from_tensors ? origin->description : loading->options->description;
    kr_writer    description;
    krait_status status = KRAIT_OK;

    if (given)
        status = load_parse(loading, given, strlen(given), "description");
    else if (!loading->config)
        status = load_own(loading);
    if (status != KRAIT_OK)
        return status;
    kr_writer_start(&description, &loading->arena);
    if ((status = load_translate(loading, &description)) != KRAIT_OK)
        return status;
    if (description.broken)
        return kr_fail_memory(loading->message);
    return kr_json_parse(&loading->tree, description.text, description.length, "description",
                         &loading->arena, loading->message);
}

/* ---- the listing -------------------------------------------------------------------------------- */

static const char *load_keep(kr_loading *loading, const char *text, size_t length)
{
    return kr_arena_text(&loading->model->arena, text, length);
}

/* Metadata as text: strings as they are, the rest as JSON; long arrays by their length. */
static krait_status load_pair(kr_loading *loading, const char *key, size_t key_length, const kr_json *value)
{
    kr_pair  *pair = &loading->model->pairs[loading->model->n_pairs++];
    kr_writer w;

    kr_writer_start(&w, &loading->arena);
    kr_write(&w, "");
    if (value->kind == KR_JSON_TEXT) {
        kr_write_bytes(&w, value->text, value->count);
    } else if (value->kind == KR_JSON_OPAQUE) {
        kr_write(&w, "[");
        kr_write_unsigned(&w, value->count);
        kr_write(&w, " values]");
    } else {
        kr_write_json(&w, value);
    }
    pair->key = load_keep(loading, key, key_length);
    pair->text = w.broken ? NULL : load_keep(loading, w.text, w.length);
    return pair->key && pair->text ? KRAIT_OK : kr_fail_memory(loading->message);
}

static krait_status load_text_pair(kr_loading *loading, const char *key, const char *text)
{
    kr_json value = { .kind = KR_JSON_TEXT, .text = text, .count = strlen(text) };

    return load_pair(loading, key, strlen(key), &value);
}

/* The file's metadata, config.json's own fields, then krait's two. */
static krait_status load_pairs(kr_loading *loading)
{
    krait_model   *model = loading->model;
    const kr_json *sources[2] = { loading->package.metadata, loading->config };
    size_t         most = 2;
    kr_writer      tree;
    krait_status   status = KRAIT_OK;

    if (kr_json_is(kr_json_get(loading->config, "model_type"), "krait"))
        sources[1] = NULL;
    for (int i = 0; i < 2; i++)
        most += sources[i] && sources[i]->kind == KR_JSON_OBJECT ? sources[i]->count : 0;
    model->pairs = kr_arena_take(&model->arena, most, sizeof *model->pairs);
    if (!model->pairs)
        return kr_fail_memory(loading->message);
    for (int i = 0; i < 2; i++)
        if (sources[i] && sources[i]->kind == KR_JSON_OBJECT)
            for (const kr_json *field = sources[i]->first; field && status == KRAIT_OK; field = field->next)
                status = load_pair(loading, field->key, field->key_length, field);
    kr_writer_start(&tree, &loading->arena);
    kr_write_json(&tree, loading->tree);
    if (tree.broken)
        return kr_fail_memory(loading->message);
    if (status == KRAIT_OK)
        status = load_text_pair(loading, "krait.description", tree.text);
    if (status == KRAIT_OK)
        status = load_text_pair(loading, "krait.kernels", model->kernels->name);
    return status;
}

static krait_status load_listing(kr_loading *loading)
{
    krait_model      *model = loading->model;
    const kr_package *package = &loading->package;

    model->tensors = kr_arena_take(&model->arena, package->n_tensors + 1, sizeof *model->tensors);
    if (!model->tensors)
        return kr_fail_memory(loading->message);
    for (; model->n_tensors < package->n_tensors; model->n_tensors++) {
        const kr_source *source = &package->tensors[model->n_tensors];
        krait_tensor    *tensor = &model->tensors[model->n_tensors];

        tensor->name = load_keep(loading, source->name, strlen(source->name));
        if (!tensor->name)
            return kr_fail_memory(loading->message);
        tensor->bytes = source->bytes;
        tensor->type = source->type;
        tensor->dimensions = source->dimensions;
        memcpy(tensor->shape, source->shape, sizeof tensor->shape);
        tensor->data = source->data;
    }
    return load_pairs(loading);
}

/* ---- together ------------------------------------------------------------------------------------ */

static krait_status load_package(kr_loading *loading, const kr_origin *origin)
{
    if (origin->from_tensors)
        return load_tensors(loading, origin);
    if (origin->path)
        return load_path(loading, origin->path);
    loading->what = "memory";
    return kr_package_read(&loading->package, origin->bytes, origin->count, "memory", &loading->arena,
                           loading->message);
}

krait_status kr_load_begin(kr_loading *loading, const kr_origin *origin,
                           const krait_open_options *options, const kr_kernels *kernels,
                           krait_message *message)
{
    krait_status status;

    *loading = (kr_loading){ .options = options, .message = message, .what = "" };
    if ((status = load_start(loading, kernels)) != KRAIT_OK ||
        (status = load_package(loading, origin)) != KRAIT_OK ||
        (status = load_describe(loading, origin)) != KRAIT_OK ||
        (status = kr_build(loading)) != KRAIT_OK ||
        (status = kr_bind_shared(loading)) != KRAIT_OK ||
        (status = kr_load_tokens(loading)) != KRAIT_OK)
        return status;
    return kr_plan(loading);
}

void kr_load_end(kr_loading *loading, int keep)
{
    krait_model *model = loading->model;

    if (!model)
        return;
    kr_arena_free(&loading->arena);
    kr_file_close(&loading->config_file, &model->memory);
    kr_file_close(&loading->tokenizer_file, &model->memory);
    if (!keep)
        kr_model_free(model);
}

static void load_close(krait_model *model, kr_memory *memory)
{
    while (model->n_files > 0)
        kr_file_close(&model->files[--model->n_files], memory);
}

/* Files stay open only if weights lie in them; the listing shows data only where it stays. */
static void load_settle(kr_loading *loading)
{
    krait_model *model = loading->model;
    int          used = 0, stays;

    for (size_t i = 0; i < model->n_bound; i++)
        used |= model->bound[i].prepared == model->bound[i].data;
    if (!used)
        load_close(model, &model->memory);
    stays = used || (loading->options->flags & KRAIT_OPEN_BORROW);
    for (size_t i = 0; i < model->n_tensors; i++)
        if (!stays)
            model->tensors[i].data = NULL;
    for (size_t i = 0; i < model->n_bound; i++) {
        model->bound[i].source = NULL;      /* they were in the loading's arena or the file */
        if (!stays)
            model->bound[i].data = NULL;
    }
}

krait_status kr_model_make(krait_model **model, const kr_origin *origin,
                           const krait_open_options *options, const kr_kernels *kernels,
                           krait_message *message)
{
    kr_loading   loading;
    krait_status status = kr_load_begin(&loading, origin, options, kernels, message);

    if (status == KRAIT_OK)
        status = kr_prepare(&loading);
    if (status == KRAIT_OK)
        status = load_listing(&loading);
    if (status == KRAIT_OK)
        load_settle(&loading);
    kr_load_end(&loading, status == KRAIT_OK);
    *model = status == KRAIT_OK ? loading.model : NULL;
    return status;
}

void kr_model_free(krait_model *model)
{
    kr_memory memory = model->memory;

    kr_memory_give(&memory, model->weights, model->weights_bytes, KR_ALIGN);
    load_close(model, &memory);
    model->arena.memory = &memory;
    kr_arena_free(&model->arena);
    kr_memory_give(&memory, model, sizeof *model, KR_ALIGN);
}
