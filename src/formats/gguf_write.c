/* gguf_write.c - the head grows in two writers, since its counts stand before both. */
#include "formats/gguf_write.h"

#include <string.h>

#include "core/bits.h"

enum { GGUF_PUT_U32 = 4, GGUF_PUT_F32 = 6, GGUF_PUT_BOOL = 7, GGUF_PUT_TEXT = 8, GGUF_PUT_ARRAY = 9 };
enum { GGUF_PUT_NAME_MOST = 127, GGUF_PUT_PIECE = 4096 };

static void gguf_put_u32(kr_writer *w, uint32_t value)
{
    unsigned char bytes[4];

    kr_store_u32(bytes, value);
    kr_write_bytes(w, (const char *)bytes, sizeof bytes);
}

static void gguf_put_u64(kr_writer *w, uint64_t value)
{
    unsigned char bytes[8];

    kr_store_u64(bytes, value);
    kr_write_bytes(w, (const char *)bytes, sizeof bytes);
}

static void gguf_put_text(kr_writer *w, const char *text)
{
    gguf_put_u64(w, strlen(text));
    kr_write(w, text);
}

static uint64_t gguf_padding(const kr_gguf_writer *w, uint64_t count)
{
    return (w->alignment - count % w->alignment) % w->alignment;
}

static void gguf_put_key(kr_gguf_writer *w, const char *key, uint32_t type)
{
    gguf_put_text(&w->keys, key);
    gguf_put_u32(&w->keys, type);
    w->n_keys++;
}

void kr_gguf_start(kr_gguf_writer *w, kr_output_file *out, kr_arena *arena, uint64_t alignment)
{
    *w = (kr_gguf_writer){ .out = out, .alignment = alignment };
    kr_writer_start(&w->keys, arena);
    kr_writer_start(&w->infos, arena);
    if (alignment != 32)        /* what readers take when nothing is said */
        kr_gguf_u32(w, "general.alignment", (uint32_t)alignment);
}

void kr_gguf_text(kr_gguf_writer *w, const char *key, const char *text)
{
    gguf_put_key(w, key, GGUF_PUT_TEXT);
    gguf_put_text(&w->keys, text);
}

void kr_gguf_u32(kr_gguf_writer *w, const char *key, uint32_t value)
{
    gguf_put_key(w, key, GGUF_PUT_U32);
    gguf_put_u32(&w->keys, value);
}

void kr_gguf_f32(kr_gguf_writer *w, const char *key, float value)
{
    gguf_put_key(w, key, GGUF_PUT_F32);
    gguf_put_u32(&w->keys, kr_bits_of(value));
}

void kr_gguf_bool(kr_gguf_writer *w, const char *key, int value)
{
    gguf_put_key(w, key, GGUF_PUT_BOOL);
    kr_write_bytes(&w->keys, value ? "\1" : "\0", 1);
}

/* Bytes of a number of GGUF's type. */
static size_t gguf_put_size(size_t type)
{
    return type == 0 || type == 1 || type == GGUF_PUT_BOOL ? 1 : type == 2 || type == 3 ? 2 : type <= GGUF_PUT_F32 ? 4 : 8;
}

void kr_gguf_copy(kr_gguf_writer *w, const kr_json *node)
{
    int array = node->kind == KR_JSON_ARRAY || node->kind == KR_JSON_OPAQUE;

    if (node->kind == KR_JSON_TEXT) {
        gguf_put_key(w, node->key, GGUF_PUT_TEXT);
        gguf_put_u64(&w->keys, node->count);
        kr_write_bytes(&w->keys, node->text, node->count);
        return;
    }
    gguf_put_key(w, node->key, array ? GGUF_PUT_ARRAY : (uint32_t)node->count);
    kr_write_bytes(&w->keys, node->text, array ? (size_t)node->integer : gguf_put_size(node->count));
}

void kr_gguf_tensor(kr_gguf_writer *w, const char *name, int32_t type, const uint64_t *shape,
                    int32_t dimensions, uint64_t bytes)
{
    uint64_t padding = gguf_padding(w, bytes);
    size_t   length = strlen(name);

    if (length == 0 || length > GGUF_PUT_NAME_MOST || dimensions < 0 || dimensions > 4 ||
        bytes > UINT64_MAX - padding || bytes + padding > UINT64_MAX - w->offset) {
        w->refused = 1;
        return;
    }
    gguf_put_text(&w->infos, name);
    gguf_put_u32(&w->infos, (uint32_t)dimensions);
    while (dimensions-- > 0)
        gguf_put_u64(&w->infos, shape[dimensions]);
    gguf_put_u32(&w->infos, (uint32_t)type);
    gguf_put_u64(&w->infos, w->offset);
    w->offset += bytes + padding;
    w->n_tensors++;
}

static krait_status gguf_put_zeros(kr_gguf_writer *w, uint64_t count, krait_message *message)
{
    static const unsigned char zeros[GGUF_PUT_PIECE];
    krait_status               status = KRAIT_OK;

    while (count > 0 && status == KRAIT_OK) {
        size_t piece = count < GGUF_PUT_PIECE ? (size_t)count : GGUF_PUT_PIECE;

        status = kr_output_write(w->out, zeros, piece, message);
        count -= piece;
    }
    return status;
}

krait_status kr_gguf_head(kr_gguf_writer *w, krait_message *message)
{
    unsigned char first[24] = { 'G', 'G', 'U', 'F', 3 };
    uint64_t      length = sizeof first + (uint64_t)w->keys.length + w->infos.length;
    krait_status  status;

    if (w->refused)
        return kr_fail(message, KRAIT_ERR_UNSUPPORTED, "%.96s: a tensor's name has no or more than "
                       "%d bytes, or the sizes do not fit a GGUF", w->out->path,
                       (int)GGUF_PUT_NAME_MOST);
    if (w->keys.broken || w->infos.broken)
        return kr_fail_memory(message);
    kr_store_u64(first + 8, w->n_tensors);
    kr_store_u64(first + 16, w->n_keys);
    status = kr_output_write(w->out, first, sizeof first, message);
    if (status == KRAIT_OK)
        status = kr_output_write(w->out, w->keys.text, w->keys.length, message);
    if (status == KRAIT_OK)
        status = kr_output_write(w->out, w->infos.text, w->infos.length, message);
    if (status == KRAIT_OK)
        status = gguf_put_zeros(w, gguf_padding(w, length), message);
    return status;
}

krait_status kr_gguf_data(kr_gguf_writer *w, const void *bytes, size_t count,
                          krait_message *message)
{
    w->pending += count;
    return kr_output_write(w->out, bytes, count, message);
}

krait_status kr_gguf_tensor_end(kr_gguf_writer *w, krait_message *message)
{
    uint64_t padding = gguf_padding(w, w->pending);

    w->pending = 0;
    return gguf_put_zeros(w, padding, message);
}
