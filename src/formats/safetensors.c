/*
 * safetensors.c - u64 length, JSON header, tensors that tile the rest of the file exactly.
 *
 * The tiling is what makes the format safe: no holes, no overlaps, nothing behind the end.
 */
#include <string.h>

#include "core/order.h"
#include "core/reader.h"
#include "formats/package.h"

enum { SAFE_HEADER_MOST = 100000000 };  /* as the reference has it */

static const struct safe_type {
    const char *name;
    int32_t     type;
    uint32_t    bits;
} safe_types[] = {
    { "F32", KR_TYPE_F32, 32 },       { "F16", KR_TYPE_F16, 16 },
    { "BF16", KR_TYPE_BF16, 16 },     { "F64", KR_TYPE_F64, 64 },
    { "I8", KR_TYPE_I8, 8 },          { "I16", KR_TYPE_I16, 16 },
    { "I32", KR_TYPE_I32, 32 },       { "I64", KR_TYPE_I64, 64 },
    { "BOOL", KR_TYPE_OTHER, 8 },     { "U8", KR_TYPE_OTHER, 8 },
    { "U16", KR_TYPE_OTHER, 16 },     { "U32", KR_TYPE_OTHER, 32 },
    { "U64", KR_TYPE_OTHER, 64 },     { "C64", KR_TYPE_OTHER, 64 },
    { "F4", KR_TYPE_OTHER, 4 },       { "F6_E2M3", KR_TYPE_OTHER, 6 },
    { "F6_E3M2", KR_TYPE_OTHER, 6 },  { "F8_E5M2", KR_TYPE_OTHER, 8 },
    { "F8_E4M3", KR_TYPE_OTHER, 8 },  { "F8_E8M0", KR_TYPE_OTHER, 8 },
    { "F8_E4M3FNUZ", KR_TYPE_OTHER, 8 }, { "F8_E5M2FNUZ", KR_TYPE_OTHER, 8 },
};

typedef struct safe_parser {
    kr_package          *package;
    const unsigned char *data;      /* behind the header */
    size_t               data_bytes;
    const char          *what;
    kr_arena            *arena;
    krait_message       *message;
} safe_parser;

static krait_status safe_fail(const safe_parser *p, const char *name, const char *reason)
{
    char shown[KR_SHOWN];

    return kr_fail(p->message, KRAIT_ERR_FORMAT, "%.96s: tensor \"%s\": %s", p->what,
                   kr_json_shown(shown, name, strlen(name)), reason);
}

/* ---- one entry of the header ---- */

/* A whole number from 0 up, written as one: 1.0 and -0 are not. */
static int safe_count(const kr_json *node, uint64_t *value)
{
    if (!node || node->kind != KR_JSON_NUMBER || !node->flag || node->integer < 0)
        return 0;
    *value = (uint64_t)node->integer;
    return 1;
}

static krait_status safe_read_shape(const safe_parser *p, kr_source *source, const kr_json *entry)
{
    const kr_json *shape = kr_json_get(entry, "shape"), *extent;
    char           shown[KR_SHOWN];

    if (!shape || shape->kind != KR_JSON_ARRAY)
        return safe_fail(p, source->name, "has no \"shape\"");
    if (shape->count > 4)
        return kr_fail(p->message, KRAIT_ERR_UNSUPPORTED,
                       "%.96s: tensor \"%s\" has %zu dimensions; krait takes 4 at most", p->what,
                       kr_json_shown(shown, source->name, strlen(source->name)), shape->count);
    for (extent = shape->first; extent; extent = extent->next)
        if (!safe_count(extent, &source->shape[source->dimensions++]))
            return safe_fail(p, source->name, "\"shape\" is not of whole numbers");
    return KRAIT_OK;
}

static krait_status safe_read_offsets(const safe_parser *p, kr_source *source, const kr_json *entry)
{
    const kr_json *offsets = kr_json_get(entry, "data_offsets");
    uint64_t       begin, end;
    char           shown[KR_SHOWN];

    if (!offsets || offsets->kind != KR_JSON_ARRAY || offsets->count != 2 ||
        !safe_count(offsets->first, &begin) || !safe_count(offsets->first->next, &end))
        return safe_fail(p, source->name, "\"data_offsets\" is not two whole numbers");
    if (end < begin || end > p->data_bytes)
        return kr_fail(p->message, KRAIT_ERR_FORMAT,
                       "%.96s: tensor \"%s\": bytes %llu to %llu of %zu bytes of data", p->what,
                       kr_json_shown(shown, source->name, strlen(source->name)),
                       (unsigned long long)begin, (unsigned long long)end, p->data_bytes);
    source->data = p->data + begin;
    source->bytes = end - begin;
    return KRAIT_OK;
}

/* The bits that the shape asks for; 0 if they do not fit. */
static int safe_bits(const kr_source *source, uint64_t bits, uint64_t *sum)
{
    *sum = 1;
    for (int32_t i = 0; i < source->dimensions; i++) {
        if (source->shape[i] && *sum > UINT64_MAX / source->shape[i])
            return 0;
        *sum *= source->shape[i];
    }
    if (*sum > UINT64_MAX / bits)
        return 0;
    *sum *= bits;
    return 1;
}

/* A dtype that is not in the table has no size to check: listed as it says it is. */
static krait_status safe_read_type(const safe_parser *p, kr_source *source, const kr_json *entry)
{
    const kr_json *dtype = kr_json_get(entry, "dtype");
    char           shown[KR_SHOWN];
    uint64_t       bits;

    if (!dtype || dtype->kind != KR_JSON_TEXT)
        return safe_fail(p, source->name, "has no \"dtype\"");
    source->type = KR_TYPE_OTHER;
    for (size_t i = 0; i < sizeof safe_types / sizeof safe_types[0]; i++) {
        if (!kr_json_is(dtype, safe_types[i].name))
            continue;
        source->type = safe_types[i].type;
        source->type_name = safe_types[i].name;
        if (!safe_bits(source, safe_types[i].bits, &bits) || bits % 8 || bits / 8 != source->bytes)
            return safe_fail(p, source->name, "shape and \"data_offsets\" disagree");
        return KRAIT_OK;
    }
    kr_json_shown(shown, dtype->text, dtype->count);
    source->type_name = kr_arena_text(p->arena, shown, strlen(shown));
    return source->type_name ? KRAIT_OK : kr_fail_memory(p->message);
}

static krait_status safe_read_tensor(const safe_parser *p, kr_source *source, const kr_json *entry)
{
    krait_status status;

    source->name = entry->key;
    if (entry->kind != KR_JSON_OBJECT)
        return safe_fail(p, source->name, "is not described by an object");
    if (strlen(entry->key) != entry->key_length)
        return safe_fail(p, source->name, "has a NUL in its name");
    status = safe_read_shape(p, source, entry);
    if (status == KRAIT_OK)
        status = safe_read_offsets(p, source, entry);
    if (status == KRAIT_OK)
        status = safe_read_type(p, source, entry);
    return status;
}

/* ---- all of them ---- */

static krait_status safe_read_metadata(const safe_parser *p, const kr_json *metadata)
{
    const kr_json *member = metadata->first;

    while (member && member->kind == KR_JSON_TEXT)
        member = member->next;
    if (metadata->kind != KR_JSON_OBJECT || member)
        return kr_fail(p->message, KRAIT_ERR_FORMAT,
                       "%.96s: \"__metadata__\" is not an object of texts", p->what);
    p->package->metadata = metadata;
    return KRAIT_OK;
}

/* Put the tensors into the order of their bytes and demand that these tile the data. */
static krait_status safe_tile(const safe_parser *p)
{
    size_t               count = p->package->n_tensors;
    kr_source           *sorted = kr_arena_take(p->arena, count, sizeof *sorted);
    kr_ranked           *items = kr_arena_take(p->arena, count, 2 * sizeof *items);
    const unsigned char *at = p->data;

    if (!sorted || !items)
        return kr_fail_memory(p->message);
    /* By the end, then, stable, by the beginning: empty tensors come before their neighbours. */
    for (size_t i = 0; i < count; i++) {
        const kr_source *source = &p->package->tensors[i];

        items[i] = (kr_ranked){ (uint64_t)(source->data - p->data) + source->bytes, NULL, 0, i };
    }
    kr_order_sort(items, items + count, count);
    for (size_t i = 0; i < count; i++)
        items[i].rank -= p->package->tensors[items[i].index].bytes;
    kr_order_sort(items, items + count, count);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = p->package->tensors[items[i].index];
        if (sorted[i].data != at)
            return safe_fail(p, sorted[i].name, sorted[i].data > at ? "a hole lies before its data"
                                                                    : "overlaps another tensor");
        at += sorted[i].bytes;
    }
    if (at != p->data + p->data_bytes)
        return kr_fail(p->message, KRAIT_ERR_FORMAT,
                       "%.96s: %zu bytes follow the last tensor", p->what,
                       (size_t)(p->data + p->data_bytes - at));
    p->package->tensors = sorted;
    return KRAIT_OK;
}

static krait_status safe_read_all(const safe_parser *p, const kr_json *header)
{
    const kr_json *entry;
    size_t         n = 0;
    krait_status   status = KRAIT_OK;

    p->package->tensors = kr_arena_take(p->arena, header->count, sizeof *p->package->tensors);
    if (!p->package->tensors)
        return kr_fail_memory(p->message);
    for (entry = header->first; entry && status == KRAIT_OK; entry = entry->next)
        status = entry->key_length == 12 && memcmp(entry->key, "__metadata__", 12) == 0
                     ? safe_read_metadata(p, entry)
                     : safe_read_tensor(p, &p->package->tensors[n++], entry);
    p->package->n_tensors = n;
    if (status == KRAIT_OK)
        status = safe_tile(p);
    if (status == KRAIT_OK)
        status = kr_package_index(p->package, p->what, p->arena, p->message);
    return status;
}

static krait_status safe_read(kr_package *package, const unsigned char *bytes, size_t count,
                              const char *what, kr_arena *arena, krait_message *message)
{
    kr_reader            in = kr_reader_over(bytes, count);
    safe_parser          p = { package, NULL, 0, what, arena, message };
    uint64_t             length = kr_read_u64(&in);
    const unsigned char *text;
    const kr_json       *header;
    krait_status         status;

    if (in.overrun || length > SAFE_HEADER_MOST || length > kr_reader_left(&in))
        return kr_fail(message, KRAIT_ERR_FORMAT,
                       "%.96s: a header of %llu bytes at offset 8; the file has %zu, the format "
                       "allows %d", what, (unsigned long long)length, kr_reader_left(&in),
                       (int)SAFE_HEADER_MOST);
    text = kr_read_bytes(&in, length);
    if (length == 0 || text[0] != '{')
        return kr_fail(message, KRAIT_ERR_FORMAT,
                       "%.96s: the header at offset 8 does not begin with {", what);
    p.data = in.at;
    p.data_bytes = kr_reader_left(&in);
    status = kr_json_parse(&header, (const char *)text, (size_t)length, what, arena, message);
    return status == KRAIT_OK ? safe_read_all(&p, header) : status;
}

/* A length, then the brace, which broken writers put spaces before. */
static int safe_probe(const unsigned char *bytes, size_t count)
{
    size_t i = 8;

    while (i < count && i < 64 && (bytes[i] == ' ' || bytes[i] == '\n'))
        i++;
    return i < count && bytes[i] == '{';
}

const kr_format kr_safetensors_format = { "safetensors", safe_probe, safe_read };
