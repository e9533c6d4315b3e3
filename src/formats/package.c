/* package.c - types of tensors, the index by name, and the choice of a format. */
#include "formats/package.h"

#include <string.h>

#include "core/order.h"
#include "core/panels.h"

/* ---- types ---- */

/* GGUF's types: 'block' numbers of a row take 'bytes'.  Numbers not here are retired or newer. */
static const struct type_row {
    int32_t     type;
    uint32_t    block, bytes;
    const char *name;
} type_rows[] = {
    { KR_TYPE_F32, 1, 4, "F32" },       { KR_TYPE_F16, 1, 2, "F16" },
    { KR_TYPE_Q4_0, 32, 18, "Q4_0" },   { KR_TYPE_Q4_1, 32, 20, "Q4_1" },
    { KR_TYPE_Q5_0, 32, 22, "Q5_0" },   { KR_TYPE_Q5_1, 32, 24, "Q5_1" },
    { KR_TYPE_Q8_0, 32, 34, "Q8_0" },   { 9, 32, 36, "Q8_1" },
    { KR_TYPE_Q2_K, 256, 84, "Q2_K" },  { KR_TYPE_Q3_K, 256, 110, "Q3_K" },
    { KR_TYPE_Q4_K, 256, 144, "Q4_K" }, { KR_TYPE_Q5_K, 256, 176, "Q5_K" },
    { KR_TYPE_Q6_K, 256, 210, "Q6_K" }, { 15, 256, 292, "Q8_K" },
    { 16, 256, 66, "IQ2_XXS" },         { 17, 256, 74, "IQ2_XS" },
    { 18, 256, 98, "IQ3_XXS" },         { 19, 256, 50, "IQ1_S" },
    { 20, 32, 18, "IQ4_NL" },           { 21, 256, 110, "IQ3_S" },
    { 22, 256, 82, "IQ2_S" },           { 23, 256, 136, "IQ4_XS" },
    { KR_TYPE_I8, 1, 1, "I8" },         { KR_TYPE_I16, 1, 2, "I16" },
    { KR_TYPE_I32, 1, 4, "I32" },       { KR_TYPE_I64, 1, 8, "I64" },
    { KR_TYPE_F64, 1, 8, "F64" },       { 29, 256, 56, "IQ1_M" },
    { KR_TYPE_BF16, 1, 2, "BF16" },     { 34, 256, 54, "TQ1_0" },
    { 35, 256, 66, "TQ2_0" },           { 39, 32, 17, "MXFP4" },
    { 40, 64, 36, "NVFP4" },            { 41, 128, 18, "Q1_0" },
};

static const struct type_row *type_find(int32_t type)
{
    for (size_t i = 0; i < sizeof type_rows / sizeof type_rows[0]; i++)
        if (type_rows[i].type == type)
            return &type_rows[i];
    return NULL;
}

const char *kr_type_name(int32_t type)
{
    const struct type_row *row = type_find(type);

    switch (type) {
    case KR_TYPE_PANELS + KR_TYPE_F32:   return "F32 panels";
    case KR_TYPE_PANELS + KR_TYPE_F16:   return "F16 panels";
    case KR_TYPE_PANELS + KR_TYPE_BF16:  return "BF16 panels";
    case KR_TYPE_PANELS + KR_TYPE_Q8_0:  return "Q8_0 panels";
    case KR_TYPE_PANELS + KR_TYPE_Q4_0:  return "Q4_0 panels";
    case KR_TYPE_PANELS + KR_TYPE_Q4_1:  return "Q4_1 panels";
    case KR_TYPE_PANELS + KR_TYPE_Q5_0:  return "Q5_0 panels";
    case KR_TYPE_PANELS + KR_TYPE_Q5_1:  return "Q5_1 panels";
    case KR_TYPE_PANELS + KR_TYPE_Q2_K:  return "Q2_K panels";
    case KR_TYPE_PANELS + KR_TYPE_Q3_K:  return "Q3_K panels";
    case KR_TYPE_PANELS + KR_TYPE_Q4_K:  return "Q4_K panels";
    case KR_TYPE_PANELS + KR_TYPE_Q5_K:  return "Q5_K panels";
    case KR_TYPE_PANELS + KR_TYPE_Q6_K:  return "Q6_K panels";
    default:                             return row ? row->name : NULL;
    }
}

int kr_type_bytes(int32_t type, const uint64_t *shape, int32_t dimensions, uint64_t *bytes)
{
    const struct type_row *row = type_find(type);
    uint64_t               count = 1;

    if (type >= KR_TYPE_PANELS)
        return dimensions == 2 && kr_panels_bytes(type - KR_TYPE_PANELS, shape[0], shape[1], bytes);
    if (!row || (dimensions ? shape[dimensions - 1] : 1) % row->block != 0)
        return 0;
    for (int32_t i = 0; i < dimensions; i++) {
        if (shape[i] && count > UINT64_MAX / shape[i])
            return 0;
        count *= shape[i];
    }
    if (count / row->block > UINT64_MAX / row->bytes)
        return 0;
    *bytes = count / row->block * row->bytes;
    return 1;
}

/* ---- the index ---- */

krait_status kr_package_index(kr_package *package, const char *what, kr_arena *arena,
                              krait_message *message)
{
    size_t     count = package->n_tensors, twice;
    kr_ranked *items;
    char       shown[KR_SHOWN];

    if (count > UINT32_MAX)
        return kr_fail(message, KRAIT_ERR_UNSUPPORTED, "%.96s: has %zu tensors, too many", what,
                       count);
    items = kr_arena_take(arena, count, 2 * sizeof *items);
    package->by_name = kr_arena_take(arena, count, sizeof *package->by_name);
    if (!items || !package->by_name)
        return kr_fail_memory(message);
    for (size_t i = 0; i < count; i++) {
        const char *name = package->tensors[i].name;

        items[i] = (kr_ranked){ 0, name, strlen(name), i };
    }
    kr_order_texts(items, items + count, count);
    twice = kr_order_twice(items, count);
    if (twice < count)
        return kr_fail(message, KRAIT_ERR_FORMAT, "%.96s: two tensors are named \"%s\"", what,
                       kr_json_shown(shown, items[twice].text, items[twice].length));
    for (size_t i = 0; i < count; i++)
        package->by_name[i] = (uint32_t)items[i].index;
    return KRAIT_OK;
}

const kr_source *kr_package_find(const kr_package *package, const char *name)
{
    size_t low = 0, high = package->n_tensors;

    while (low < high) {
        size_t           middle = low + (high - low) / 2;
        const kr_source *source = &package->tensors[package->by_name[middle]];
        int              sign = strcmp(name, source->name);

        if (sign == 0)
            return source;
        if (sign < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* ---- the choice ---- */

static const kr_format *const package_formats[] = {
#define KR_FORMAT(name) &kr_##name##_format,
#include "formats/formats.def"
#undef KR_FORMAT
};

krait_status kr_package_read(kr_package *package, const unsigned char *bytes, size_t count,
                             const char *what, kr_arena *arena, krait_message *message)
{
    *package = (kr_package){ 0 };
    for (size_t i = 0; i < sizeof package_formats / sizeof package_formats[0]; i++) {
        const kr_format *format = package_formats[i];
        kr_package       found = { .format = format->name };
        krait_status     status;

        if (!format->probe(bytes, count))
            continue;
        status = format->read(&found, bytes, count, what, arena, message);
        if (status == KRAIT_OK)
            *package = found;
        return status;
    }
    if (count >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "\x80\2", 2) == 0))
        return kr_fail(message, KRAIT_ERR_FORMAT, "%.96s: a PyTorch pickle, which krait does not "
                       "read: examples/python/to_safetensors.py makes a safetensors file of it", what);
    return kr_fail(message, KRAIT_ERR_FORMAT, "%.96s: neither GGUF nor safetensors", what);
}
