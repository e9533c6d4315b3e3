/*
 * vocabulary.c - a model's own tokenizer.
 *
 * A vocabulary that krait cannot use is no reason not to run the model: its ids still work.  So what is
 * wrong with a tokenizer.json is a warning; in a GGUF it is the file that is damaged.
 */
#include <string.h>

#include "model/model.h"

#if defined(KRAIT_MINIMAL)

/* Ids alone: the tables of characters are larger than the rest. */
krait_status kr_load_tokens(kr_loading *loading)
{
    (void)loading;
    return KRAIT_OK;
}

#else

static krait_status take_room(kr_loading *loading)
{
    krait_model *model = loading->model;

    model->tokenizer = kr_arena_take(&model->arena, 1, sizeof *model->tokenizer);
    if (!model->tokenizer)
        return kr_fail_memory(loading->message);
    model->tokenizer->memory.allocator = model->memory.allocator;
    return KRAIT_OK;
}

/* A tokenizer.json in the folder or in a GGUF; 'text' outlives the call. */
static krait_status of_json(kr_loading *loading, const char *text, size_t length, const char *what)
{
    krait_model        *model = loading->model;
    krait_message       reason = { "" };
    kr_tokenizer_source source = { what, &model->arena, NULL, &reason };
    kr_arena            spare;
    krait_status        status = take_room(loading);

    if (status != KRAIT_OK)
        return status;
    kr_arena_start(&spare, &model->memory);
    source.spare = &spare;
    status = kr_tokenizer_of_json(model->tokenizer, text, length, &source);
    kr_arena_free(&spare);
    if (status == KRAIT_OK && model->tokenizer->count <= model->vocabulary)
        return status;
    if (status == KRAIT_ERR_MEMORY)
        return kr_fail_memory(loading->message);
    model->tokenizer = NULL;
    if (status == KRAIT_OK)
        kr_fail(&reason, KRAIT_ERR_SHAPE, "%.96s: has more tokens than the model", what);
    if (loading->options->warn)
        loading->options->warn(loading->options->warn_user, reason.text);
    return KRAIT_OK;
}

static krait_status of_gguf(kr_loading *loading)
{
    krait_model        *model = loading->model;
    kr_tokenizer_source source = { loading->what, &model->arena, &loading->arena, loading->message };
    const kr_json      *json = kr_json_get(loading->package.metadata, KR_TOKENIZER_JSON_KEY);
    krait_status        status = kr_tokens_read(&model->tokens, loading->package.metadata, model->vocabulary,
                                                loading->what, &model->arena, loading->message);

    if (status != KRAIT_OK)
        return status;
    if (!model->tokens.model && json && json->kind == KR_JSON_TEXT)
        return of_json(loading, json->text, json->count, loading->what);
    if (!model->tokens.first)
        return KRAIT_OK;
    if ((status = take_room(loading)) != KRAIT_OK)
        return status;
    return kr_tokenizer_of_gguf(model->tokenizer, &model->tokens, loading->package.metadata, &source);
}

krait_status kr_load_tokens(kr_loading *loading)
{
    krait_model *model = loading->model;
    const char  *path;
    krait_status status;

    if (model->bytes || model->vocabulary == 0)
        return KRAIT_OK;
    if (strcmp(loading->package.format, "gguf") == 0)
        return of_gguf(loading);
    if (!loading->folder)
        return KRAIT_OK;
    path = kr_load_join(loading, loading->folder, strlen(loading->folder), "tokenizer.json");
    if (!path)
        return kr_fail_memory(loading->message);
    if (kr_file_is_folder(path) != 0)
        return KRAIT_OK;
    status = kr_file_open(&loading->tokenizer_file, path, 1, &model->memory, loading->message);
    if (status != KRAIT_OK)
        return status;
    return of_json(loading, (const char *)loading->tokenizer_file.bytes, loading->tokenizer_file.count,
                   kr_fail_path(path));
}

#endif
