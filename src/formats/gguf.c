/*
 * gguf.c - GGUF versions 2 and 3: keys, tensor infos, then the data at an alignment.
 *
 * A count in the file is believed only when the bytes left could hold that many of the
 * smallest records, so that no file makes the reader allocate or loop beyond its own size.
 */
#include <string.h>

#include "core/bits.h"
#include "core/reader.h"
#include "formats/package.h"

enum {
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_TEXT,
    GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64, GGUF_TYPES
};

enum {
    GGUF_KEY_LEAST    = 8 + 1 + 4 + 1,      /* bytes: length, key, type, value */
    GGUF_TENSOR_LEAST = 8 + 1 + 4 + 4 + 8,  /* length, name, dimensions, type, offset */
    GGUF_KEY_MOST     = 65535,
    GGUF_NAME_MOST    = 127,                /* ggml takes 63; foreign trees have longer names */
    GGUF_SMALL_ARRAY  = 64,
    GGUF_ALIGN_LEAST  = 8,
    GGUF_ALIGN_MOST   = 1 << 20
};

typedef struct gguf_parser {
    kr_reader      in;
    kr_package    *package;
    const char    *what;
    kr_arena      *arena;
    krait_message *message;
    uint64_t       alignment;
} gguf_parser;

/* "FILE: SORT "NAME" at offset N: REASON"; name NULL: it could not be read. */
static krait_status gguf_fail(const gguf_parser *p, krait_status status, const char *sort,
                              const char *name, size_t offset, const char *reason)
{
    char shown[KR_SHOWN] = "?";

    if (name)
        kr_json_shown(shown, name, strlen(name));
    return kr_fail(p->message, status, "%.96s: %s \"%s\" at offset %zu: %s", p->what, sort, shown,
                   offset, reason);
}

/*
 * A length and that many bytes, copied and terminated.  NULL with *status OK: the file
 * has fewer bytes, or more than 'most'.
 */
static const char *gguf_take_text(gguf_parser *p, uint64_t most, size_t *length,
                                  krait_status *status)
{
    uint64_t             count = kr_read_u64(&p->in);
    const unsigned char *bytes = NULL;
    const char          *copy;

    if (!p->in.overrun && count <= most)
        bytes = kr_read_bytes(&p->in, count);
    if (!bytes)
        return NULL;
    *length = (size_t)count;
    copy = kr_arena_text(p->arena, (const char *)bytes, (size_t)count);
    if (!copy)
        *status = kr_fail_memory(p->message);
    return copy;
}

/* Names are shown, compared and terminated: UTF-8 without NUL. */
static int gguf_is_name(const char *name, size_t length)
{
    for (size_t i = 0, n; i < length; i += n) {
        n = kr_json_utf8(name + i, length - i);
        if (n == 0 || name[i] == '\0')
            return 0;
    }
    return length > 0;
}

/* ---- values ---- */

/* Bytes of a number of that type; 0: no type of numbers. */
static uint64_t gguf_size(uint32_t type)
{
    static const unsigned char sizes[GGUF_TYPES] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

    return type < GGUF_TYPES ? sizes[type] : 0;
}

static void gguf_set_integer(kr_json *node, int64_t value)
{
    node->kind = KR_JSON_NUMBER;
    node->flag = 1;
    node->integer = value;
    node->number = (double)value;
}

static void gguf_set_float(kr_json *node, double value)
{
    node->kind = KR_JSON_NUMBER;
    node->number = value;
}

/* 0: a bool that is neither 0 nor 1, or the file has ended. */
static int gguf_read_number(gguf_parser *p, kr_json *node, uint32_t type)
{
    const char *at = (const char *)p->in.at;
    uint64_t    raw = kr_read_little(&p->in, (size_t)gguf_size(type));

    node->text = at;
    node->count = type;
    switch (type) {
    case GGUF_I8:
        gguf_set_integer(node, (int64_t)(raw ^ 0x80) - 0x80);
        break;
    case GGUF_I16:
        gguf_set_integer(node, (int64_t)(raw ^ 0x8000) - 0x8000);
        break;
    case GGUF_I32:
        gguf_set_integer(node, (int64_t)(raw ^ 0x80000000u) - 0x80000000ll);
        break;
    case GGUF_F32:
        gguf_set_float(node, (double)kr_float_of((uint32_t)raw));
        break;
    case GGUF_F64:
        gguf_set_float(node, kr_double_of(raw));
        break;
    case GGUF_BOOL:
        node->kind = KR_JSON_BOOL;
        node->flag = raw == 1;
        return !p->in.overrun && raw <= 1;
    case GGUF_I64:
        gguf_set_integer(node, raw <= INT64_MAX ? (int64_t)raw : -(int64_t)(UINT64_MAX - raw) - 1);
        break;
    default:
        if (raw <= INT64_MAX)
            gguf_set_integer(node, (int64_t)raw);
        else
            gguf_set_float(node, (double)raw);
    }
    return !p->in.overrun;
}

/* What is wrong with the value, or NULL.  Running out of memory sets *status. */
static const char *gguf_read_scalar(gguf_parser *p, kr_json *node, uint32_t type,
                                    krait_status *status)
{
    if (type == GGUF_TEXT) {
        node->kind = KR_JSON_TEXT;
        node->text = gguf_take_text(p, UINT64_MAX, &node->count, status);
        return node->text ? NULL : "its text goes beyond the end of the file";
    }
    if (gguf_size(type) == 0)
        return "its type is unknown";
    if (gguf_read_number(p, node, type))
        return NULL;
    return p->in.overrun ? "the file ends in its value" : "a bool is neither 0 nor 1";
}

/* Walk over the elements of a long array: every string and bool is looked at. */
static const char *gguf_skip_elements(gguf_parser *p, uint32_t type, uint64_t count)
{
    if (type != GGUF_TEXT && type != GGUF_BOOL) {
        kr_read_bytes(&p->in, count * gguf_size(type));     /* the caller knows that they fit */
        return NULL;
    }
    for (; count > 0; count--) {
        if (type == GGUF_BOOL && kr_read_u8(&p->in) > 1)
            return "a bool is neither 0 nor 1";
        if (type == GGUF_TEXT)
            kr_read_bytes(&p->in, kr_read_u64(&p->in));
        if (p->in.overrun)
            return "a text in it goes beyond the end of the file";
    }
    return NULL;
}

static const char *gguf_read_array(gguf_parser *p, kr_json *node, krait_status *status)
{
    const unsigned char *begin = p->in.at;
    uint32_t             type = kr_read_u32(&p->in);
    uint64_t             count = kr_read_u64(&p->in);
    uint64_t             least = type == GGUF_TEXT ? 8 : gguf_size(type);
    kr_json            **link = &node->first;
    const char          *wrong = NULL;

    if (p->in.overrun)
        return "the file ends in its value";
    if (type == GGUF_ARRAY)
        return "an array of arrays is not supported";
    if (least == 0)
        return "the type of its elements is unknown";
    if (count > kr_reader_left(&p->in) / least)
        return "more elements than the file can hold";
    node->count = (size_t)count;
    node->text = (const char *)begin;
    if (count > GGUF_SMALL_ARRAY) {
        node->kind = KR_JSON_OPAQUE;
        wrong = gguf_skip_elements(p, type, count);
        node->integer = (int64_t)(p->in.at - begin);
        return wrong;
    }
    node->kind = KR_JSON_ARRAY;
    for (; count > 0 && !wrong && *status == KRAIT_OK; count--) {
        *link = kr_arena_take(p->arena, 1, sizeof **link);
        if (!*link) {
            *status = kr_fail_memory(p->message);
            return NULL;
        }
        wrong = gguf_read_scalar(p, *link, type, status);
        link = &(*link)->next;
    }
    node->integer = (int64_t)(p->in.at - begin);
    return wrong;
}

/* ---- keys ---- */

static krait_status gguf_set_alignment(gguf_parser *p, const kr_json *node, uint32_t type,
                                       size_t offset)
{
    uint64_t value = (uint64_t)node->integer;

    if (type != GGUF_U32 || value < GGUF_ALIGN_LEAST || value > GGUF_ALIGN_MOST ||
        (value & (value - 1)) != 0)
        return gguf_fail(p, KRAIT_ERR_FORMAT, "key", node->key, offset,
                         "is not a u32 and power of two from 8 to 1048576");
    p->alignment = value;
    return KRAIT_OK;
}

static krait_status gguf_read_key(gguf_parser *p, kr_json *node)
{
    size_t       offset = kr_reader_offset(&p->in);
    krait_status status = KRAIT_OK;
    const char  *wrong;
    uint32_t     type;

    node->key = gguf_take_text(p, GGUF_KEY_MOST, &node->key_length, &status);
    if (status != KRAIT_OK)
        return status;
    if (!node->key || !gguf_is_name(node->key, node->key_length))
        return gguf_fail(p, KRAIT_ERR_FORMAT, "key", node->key, offset,
                         "not a name of 1 to 65535 bytes");
    type = kr_read_u32(&p->in);
    if (p->in.overrun)
        return gguf_fail(p, KRAIT_ERR_FORMAT, "key", node->key, offset, "the file ends in it");
    wrong = type == GGUF_ARRAY ? gguf_read_array(p, node, &status)
                               : gguf_read_scalar(p, node, type, &status);
    if (status != KRAIT_OK)
        return status;
    if (wrong)
        return gguf_fail(p, KRAIT_ERR_FORMAT, "key", node->key, offset, wrong);
    if (strcmp(node->key, "general.alignment") == 0)
        return gguf_set_alignment(p, node, type, offset);
    return KRAIT_OK;
}

static krait_status gguf_read_keys(gguf_parser *p, uint64_t count)
{
    kr_json       *root = kr_arena_take(p->arena, 1, sizeof *root), **link;
    const kr_json *twice;
    krait_status   status = KRAIT_OK;

    if (!root)
        return kr_fail_memory(p->message);
    root->kind = KR_JSON_OBJECT;
    root->count = (size_t)count;
    for (link = &root->first; count > 0; count--, link = &(*link)->next) {
        *link = kr_arena_take(p->arena, 1, sizeof **link);
        status = *link ? gguf_read_key(p, *link) : kr_fail_memory(p->message);
        if (status != KRAIT_OK)
            return status;
    }
    status = kr_json_twice(&twice, root, p->arena, p->message);
    if (status == KRAIT_OK && twice)
        return gguf_fail(p, KRAIT_ERR_FORMAT, "key", twice->key, kr_reader_offset(&p->in),
                         "stands twice before here");
    p->package->metadata = root;
    return status;
}

/* ---- tensors ---- */

static krait_status gguf_tensor_fail(const gguf_parser *p, const kr_source *source, size_t at,
                                     const char *reason)
{
    return gguf_fail(p, KRAIT_ERR_FORMAT, "tensor", source->name, at, reason);
}

/* Dimensions, reversed into slowest first; 0: the number of elements is beyond an int64. */
static int gguf_read_shape(gguf_parser *p, kr_source *source)
{
    uint64_t count = 1;

    for (int32_t i = source->dimensions; i-- > 0;) {
        uint64_t extent = kr_read_u64(&p->in);

        if (extent > INT64_MAX || (extent && count > INT64_MAX / extent))
            return 0;
        count *= extent;
        source->shape[i] = extent;
    }
    return 1;
}

static krait_status gguf_check_type(const gguf_parser *p, kr_source *source, uint32_t type,
                                    size_t at)
{
    char shown[KR_SHOWN];

    source->type_name = type <= INT32_MAX ? kr_type_name((int32_t)type) : NULL;
    if (!source->type_name)
        return kr_fail(p->message, KRAIT_ERR_UNSUPPORTED,
                       "%.96s: unsupported type %u for tensor \"%s\" at offset %zu", p->what,
                       (unsigned)type, kr_json_shown(shown, source->name, strlen(source->name)),
                       at);
    source->type = (int32_t)type;
    if (!kr_type_bytes(source->type, source->shape, source->dimensions, &source->bytes))
        return gguf_tensor_fail(p, source, at,
                                "its shape does not go with its type, or is too large");
    return KRAIT_OK;
}

/* One info; its offset must be *next, where the tensors before it end. */
static krait_status gguf_read_tensor(gguf_parser *p, kr_source *source, uint64_t *next)
{
    size_t       at = kr_reader_offset(&p->in), length = 0;
    krait_status status = KRAIT_OK;
    uint32_t     dimensions, type;
    uint64_t     offset, padding;

    source->name = gguf_take_text(p, GGUF_NAME_MOST, &length, &status);
    if (status != KRAIT_OK)
        return status;
    if (!source->name || !gguf_is_name(source->name, length))
        return gguf_tensor_fail(p, source, at, "not a name of 1 to 127 bytes");
    dimensions = kr_read_u32(&p->in);
    if (dimensions > 4)
        return gguf_tensor_fail(p, source, at, "more than 4 dimensions");
    source->dimensions = (int32_t)dimensions;
    if (!gguf_read_shape(p, source))
        return gguf_tensor_fail(p, source, at, "its shape is too large");
    type = kr_read_u32(&p->in);
    offset = kr_read_u64(&p->in);
    if (p->in.overrun)
        return gguf_tensor_fail(p, source, at, "the file ends in it");
    status = gguf_check_type(p, source, type, at);
    if (status != KRAIT_OK)
        return status;
    if (offset != *next)
        return gguf_tensor_fail(p, source, at, "its data is not where the tensor before it ends");
    padding = (p->alignment - source->bytes % p->alignment) % p->alignment;
    if (source->bytes > UINT64_MAX - padding || source->bytes + padding > UINT64_MAX - offset)
        return gguf_tensor_fail(p, source, at, "its data is too large");
    *next = offset + source->bytes + padding;
    return KRAIT_OK;
}

/* All infos are read, so the data's beginning is known: every tensor must lie in the file. */
static krait_status gguf_place_tensors(gguf_parser *p)
{
    size_t   head = kr_reader_offset(&p->in);
    uint64_t at = head + (p->alignment - head % p->alignment) % p->alignment;
    uint64_t count = head + kr_reader_left(&p->in);
    char     shown[KR_SHOWN];

    for (size_t i = 0; i < p->package->n_tensors; i++) {
        kr_source *source = &p->package->tensors[i];

        source->data = p->in.end;           /* of no bytes */
        if (source->bytes == 0)
            continue;
        if (at > count || source->bytes > count - at)
            return kr_fail(p->message, KRAIT_ERR_FORMAT,
                           "%.96s: tensor \"%s\": %llu bytes at offset %llu, the file has %llu",
                           p->what, kr_json_shown(shown, source->name, strlen(source->name)),
                           (unsigned long long)source->bytes, (unsigned long long)at,
                           (unsigned long long)count);
        source->data = p->in.begin + at;
        at += source->bytes + (p->alignment - source->bytes % p->alignment) % p->alignment;
    }
    return KRAIT_OK;
}

static krait_status gguf_read_tensors(gguf_parser *p, uint64_t count)
{
    kr_source   *tensors = kr_arena_take(p->arena, (size_t)count, sizeof *tensors);
    uint64_t     next = 0;
    krait_status status = tensors ? KRAIT_OK : kr_fail_memory(p->message);

    for (uint64_t i = 0; i < count && status == KRAIT_OK; i++)
        status = gguf_read_tensor(p, &tensors[i], &next);
    p->package->tensors = tensors;
    p->package->n_tensors = (size_t)count;
    if (status == KRAIT_OK)
        status = gguf_place_tensors(p);
    if (status == KRAIT_OK)
        status = kr_package_index(p->package, p->what, p->arena, p->message);
    return status;
}

/* ---- the file ---- */

static krait_status gguf_check_version(const gguf_parser *p, uint32_t version)
{
    if (version == 2 || version == 3)
        return KRAIT_OK;
    if (version && (version & 0xffff) == 0)
        return kr_fail(p->message, KRAIT_ERR_UNSUPPORTED,
                       "%.96s: a GGUF of a big-endian machine, which is not supported", p->what);
    return kr_fail(p->message, version ? KRAIT_ERR_UNSUPPORTED : KRAIT_ERR_FORMAT,
                   "%.96s: GGUF version %u at offset 4; 2 and 3 are supported", p->what,
                   (unsigned)version);
}

static krait_status gguf_read(kr_package *package, const unsigned char *bytes, size_t count,
                              const char *what, kr_arena *arena, krait_message *message)
{
    gguf_parser  p = { kr_reader_over(bytes, count), package, what, arena, message, 32 };
    krait_status status;
    uint64_t     n_tensors, n_keys, left;
    uint32_t     version;

    kr_read_bytes(&p.in, 4);
    version = kr_read_u32(&p.in);
    if (p.in.overrun)
        return kr_fail(message, KRAIT_ERR_FORMAT, "%.96s: the file ends before offset 8", what);
    status = gguf_check_version(&p, version);
    if (status != KRAIT_OK)
        return status;
    n_tensors = kr_read_u64(&p.in);
    n_keys = kr_read_u64(&p.in);
    left = kr_reader_left(&p.in);
    if (p.in.overrun || n_tensors > left / GGUF_TENSOR_LEAST ||
        n_keys > (left - n_tensors * GGUF_TENSOR_LEAST) / GGUF_KEY_LEAST)
        return kr_fail(message, KRAIT_ERR_FORMAT,
                       "%.96s: %llu tensors and %llu keys, at offset 8, do not fit %zu bytes", what,
                       (unsigned long long)n_tensors, (unsigned long long)n_keys, count);
    status = gguf_read_keys(&p, n_keys);
    if (status == KRAIT_OK)
        status = gguf_read_tensors(&p, n_tensors);
    return status;
}

static int gguf_probe(const unsigned char *bytes, size_t count)
{
    return count >= 4 && memcmp(bytes, "GGUF", 4) == 0;
}

const kr_format kr_gguf_format = { "gguf", gguf_probe, gguf_read };
