/* tokenizer.c - a text from one end to the other, and how a tokenizer is opened. */
#include "text/tokenizer.h"

#include <string.h>

#include "core/file.h"
#include "formats/package.h"
#include "text/bytes.h"
#include "text/nfc.h"
#include "text/split.h"

const krait_tokenizer *kr_tokenizer_of_bytes(void)
{
    static const krait_tokenizer of_bytes = {
        .kind = KR_TOKENIZER_BYTES, .count = KR_BYTES_COUNT, .begin = -1, .end = -1, .unknown = -1
    };

    return &of_bytes;
}

/* ---- encoding ---- */

static krait_status encode_words(kr_encoding *e, const char *text, size_t bytes)
{
    krait_status status = KRAIT_OK;
    size_t       at = 0;

    while (at < bytes && status == KRAIT_OK) {
        size_t n = e->tokenizer->splits ? kr_split_next(text + at, bytes - at) : bytes - at;

        status = kr_bpe_encode(e, text + at, n);
        at += n;
    }
    return status;
}

/* With a space before it, unless it begins with one: that needs a copy. */
static krait_status encode_after_space(kr_encoding *e, const char *text, size_t bytes)
{
    krait_status status;
    size_t       room;
    char        *copy;

    if (!kr_add_fits(bytes, 1, &room) || !(copy = kr_memory_take(&e->memory, room, 16)))
        return KRAIT_ERR_MEMORY;
    copy[0] = ' ';
    memcpy(copy + 1, text, bytes);
    status = encode_words(e, copy, room);
    kr_memory_give(&e->memory, copy, room, 16);
    return status;
}

/* Text without added tokens, in normal form; 'starts': nothing, or a special token, stands before it. */
static krait_status encode_ordinary(kr_encoding *e, const char *text, size_t bytes, int starts)
{
    const krait_tokenizer *t = e->tokenizer;

    if (bytes == 0)
        return KRAIT_OK;
    if (t->kind == KR_TOKENIZER_SPM)
        return kr_spm_encode(e, text, bytes, t->prefix && starts);
    if (t->prefix && text[0] != ' ' && !(e->goes_on && starts))
        return encode_after_space(e, text, bytes);
    return encode_words(e, text, bytes);
}

/* Cut at added tokens; 'raw': those of the text as it is, and what lies between goes through here again. */
static krait_status encode_cut(kr_encoding *e, const char *text, size_t bytes, int raw, int starts)
{
    const krait_tokenizer *t = e->tokenizer;
    krait_status           status = KRAIT_OK;
    size_t                 at = 0;

    for (;;) {
        kr_added_match match = { NULL, bytes, bytes };
        int            found = kr_added_find(raw ? &t->raw : &t->normal, text, bytes, at, e->special, &match);
        size_t         n = match.begin - at;

        if (raw && n > 0) {
            kr_nfc nfc = { text + at, n, NULL, 0 };

            if (t->nfc)
                status = kr_nfc_make(&nfc, text + at, n, &e->memory);
            if (status == KRAIT_OK)
                status = encode_cut(e, nfc.text, nfc.bytes, 0, starts);
            kr_nfc_free(&nfc, &e->memory);
        } else if (n > 0) {
            status = encode_ordinary(e, text + at, n, starts);
        } else if (!raw && found && starts && t->prefix && t->kind == KR_TOKENIZER_SPM) {
            status = kr_spm_encode(e, text, 0, 1);      /* the space before a text that begins with such a token */
        }
        if (status != KRAIT_OK || !found)
            return status;
        kr_encoding_put(e, match.added->id);
        starts = match.added->special;
        e->goes_on = 0;
        at = match.end;
    }
}

static int byte_lacks(const krait_tokenizer *t, char byte)
{
    return (unsigned char)byte >= 0xc0 && t->of_byte[(unsigned char)byte] < 0;
}

/*
 * Bytes that have no token, which no UTF-8 holds: each becomes U+FFFD, whose bytes have.  To be given back,
 * if it is not the text itself.
 */
static krait_status replace_lacking(kr_encoding *e, const char **text, size_t *bytes, char **copy, size_t *room)
{
    const krait_tokenizer *t = e->tokenizer;
    size_t                 n = 0, i;
    char                  *to;

    for (i = 0; t->lacks && t->kind == KR_TOKENIZER_BPE && i < *bytes; i++)
        n += (size_t)byte_lacks(t, (*text)[i]);
    if (n == 0)
        return KRAIT_OK;
    if (!kr_mul_fits(n, 2, room) || !kr_add_fits(*room, *bytes, room) ||
        !(*copy = kr_memory_take(&e->memory, *room, 16)))
        return KRAIT_ERR_MEMORY;
    for (to = *copy, i = 0; i < *bytes; i++)
        if (byte_lacks(t, (*text)[i])) {
            memcpy(to, "\xef\xbf\xbd", 3);
            to += 3;
        } else {
            *to++ = (*text)[i];
        }
    *text = *copy;
    *bytes = *room;
    return KRAIT_OK;
}

krait_status kr_tokenizer_encode(const krait_tokenizer *t, const char *text, size_t bytes, int32_t flags,
                                 int32_t *tokens, size_t capacity, size_t *count)
{
    kr_encoding  e;
    krait_status status;
    size_t       room = 0, i;
    char        *copy = NULL;

    *count = 0;
    if (t->kind == KR_TOKENIZER_BYTES)
        return kr_bytes_encode(text, bytes, tokens, capacity, count);
    if (t->why)
        return KRAIT_ERR_UNSUPPORTED;
    e.tokenizer = t;
    kr_memory_start(&e.memory, &t->memory.allocator, 0);
    kr_merge_start(&e.room);
    e.tokens = tokens;
    e.capacity = capacity;
    e.count = 0;
    e.special = (flags & KRAIT_TEXT_SPECIAL) != 0;
    e.goes_on = (flags & KRAIT_TEXT_GOES_ON) != 0;
    for (i = 0; (flags & KRAIT_TEXT_AROUND) && i < t->n_before; i++)
        kr_encoding_put(&e, t->before[i]);
    status = replace_lacking(&e, &text, &bytes, &copy, &room);
    if (status == KRAIT_OK)
        status = encode_cut(&e, text, bytes, 1, !e.goes_on || t->kind != KR_TOKENIZER_SPM);
    kr_memory_give(&e.memory, copy, room, 16);
    for (i = 0; (flags & KRAIT_TEXT_AROUND) && i < t->n_behind; i++)
        kr_encoding_put(&e, t->behind[i]);
    kr_merge_end(&e.room, &e.memory);
    if (status != KRAIT_OK)
        return status;
    *count = e.count;
    return e.count <= capacity ? KRAIT_OK : KRAIT_ERR_SPACE;
}

krait_status kr_tokenizer_token(const krait_tokenizer *t, int32_t token, const char **bytes, size_t *count,
                                int32_t *flags)
{
    *flags = 0;
    if (t->kind == KR_TOKENIZER_BYTES)
        return kr_bytes_token(token, bytes, count);
    if (token < 0 || (size_t)token >= t->count || (t->flags[token] & KR_TOKEN_NONE))
        return KRAIT_ERR_ARGUMENT;
    *bytes = t->bytes + t->first[token];
    *count = t->first[token + 1] - t->first[token];
    *flags = t->flags[token];
    return KRAIT_OK;
}

/* ---- opening ---- */

krait_status kr_tokenizer_table(const kr_tokenizer_source *source, krait_status status)
{
    if (status == KRAIT_ERR_MEMORY)
        return kr_fail_memory(source->message);
    if (status != KRAIT_OK)
        return kr_fail(source->message, status, "%.96s: its tokens are too many, or made to collide", source->what);
    return status;
}

static krait_status open_gguf(krait_tokenizer *t, const kr_file *file, const kr_tokenizer_source *source)
{
    kr_tokens     *tokens = kr_arena_take(source->keep, 1, sizeof *tokens);
    const kr_json *json;
    kr_package     package;
    krait_status   status;

    if (!tokens)
        return kr_fail_memory(source->message);
    status = kr_package_read(&package, file->bytes, file->count, source->what, source->spare, source->message);
    if (status == KRAIT_OK)
        status = kr_tokens_read(tokens, package.metadata, INT32_MAX, source->what, source->keep, source->message);
    if (status != KRAIT_OK)
        return status;
    json = kr_json_get(package.metadata, KR_TOKENIZER_JSON_KEY);
    if (!tokens->model && json && json->kind == KR_JSON_TEXT)
        return kr_tokenizer_of_json(t, json->text, json->count, source);
    if (!tokens->first)
        return kr_fail(source->message, KRAIT_ERR_UNSUPPORTED, "%.96s: holds no vocabulary%s%.64s", source->what,
                       tokens->model ? " that krait knows: tokenizer.ggml.model is " : "",
                       tokens->model ? tokens->model : "");
    status = kr_tokenizer_of_gguf(t, tokens, package.metadata, source);
    if (status == KRAIT_OK && t->why)
        return kr_fail(source->message, KRAIT_ERR_UNSUPPORTED, "%.96s: %s", source->what, t->why);
    return status;
}

static krait_status open_bytes(krait_tokenizer *t, const kr_file *file, const kr_tokenizer_source *source)
{
    if (file->count >= 4 && memcmp(file->bytes, "GGUF", 4) == 0)
        return open_gguf(t, file, source);
    return kr_tokenizer_of_json(t, (const char *)file->bytes, file->count, source);
}

/* folder/tokenizer.json, or the path itself. */
static const char *open_name(const char *path, kr_arena *spare)
{
    size_t length = strlen(path);
    char  *name;

    if (kr_file_is_folder(path) != 1)
        return path;
    name = kr_arena_take(spare, length + sizeof "/tokenizer.json", 1);
    if (name) {
        memcpy(name, path, length);
        memcpy(name + length, "/tokenizer.json", sizeof "/tokenizer.json");
    }
    return name;
}

krait_status kr_tokenizer_open(krait_tokenizer **tokenizer, const char *path, const void *bytes, size_t count,
                               const krait_tokenizer_options *options, krait_message *message)
{
    kr_memory           memory;
    kr_arena            spare;
    kr_file             file = { .bytes = bytes, .count = count };
    krait_tokenizer    *t;
    kr_tokenizer_source source = { path ? path : "memory", NULL, &spare, message };
    krait_status        status = KRAIT_OK;

    kr_memory_start(&memory, options->allocator, options->max_bytes);
    t = kr_memory_take(&memory, sizeof *t, KR_ALIGN);
    if (!t)
        return kr_fail_memory(message);
    memset(t, 0, sizeof *t);
    t->memory = memory;
    kr_arena_start(&t->arena, &t->memory);
    kr_arena_start(&spare, &t->memory);
    source.keep = &t->arena;
    if (path) {
        source.what = open_name(path, &spare);
        status = source.what ? kr_file_open(&file, source.what, 1, &t->memory, message) : kr_fail_memory(message);
        source.what = source.what ? kr_fail_path(source.what) : "";
    }
    if (status == KRAIT_OK)
        status = open_bytes(t, &file, &source);
    kr_arena_free(&spare);
    if (path)
        kr_file_close(&file, &t->memory);
    if (status != KRAIT_OK) {
        kr_tokenizer_free(t);
        return status;
    }
    *tokenizer = t;
    return KRAIT_OK;
}

void kr_tokenizer_free(krait_tokenizer *t)
{
    kr_memory memory = t->memory;

    t->arena.memory = &memory;
    kr_arena_free(&t->arena);
    kr_memory_give(&memory, t, sizeof *t, KR_ALIGN);
}
