/*
 * GGUF: what ggml's own reader takes, what krait's writer makes, and the ways in which files have
 * broken other readers, by the names under which those are known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/bits.h"
#include "core/panels.h"
#include "formats/gguf_write.h"
#include "support/bytes.h"
#include "test.h"

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, TEXT, ARRAY, U64, I64, F64 };

/* ---- files by hand ---- */

static void put_head(bytes *b, uint32_t version, uint64_t tensors, uint64_t keys)
{
    bytes_text(b, "GGUF");
    bytes_u32(b, version);
    bytes_u64(b, tensors);
    bytes_u64(b, keys);
}

static void put_text(bytes *b, const char *text)
{
    bytes_u64(b, strlen(text));
    bytes_text(b, text);
}

/* A key with a value of 'size' bytes. */
static void put_key(bytes *b, const char *key, uint32_t type, uint64_t value, size_t size)
{
    put_text(b, key);
    bytes_u32(b, type);
    for (; size > 0; size--, value >>= 8)
        bytes_u8(b, (uint8_t)value);
}

static void put_array(bytes *b, const char *key, uint32_t type, uint64_t count)
{
    put_key(b, key, ARRAY, type, 4);
    bytes_u64(b, count);
}

/* Dimensions fastest first, as the file has them. */
static void put_info(bytes *b, const char *name, uint32_t dimensions, const uint64_t *shape,
                     uint32_t type, uint64_t offset)
{
    put_text(b, name);
    bytes_u32(b, dimensions);
    for (uint32_t i = 0; i < dimensions && i < 8; i++)
        bytes_u64(b, shape[i]);
    bytes_u32(b, type);
    bytes_u64(b, offset);
}

/* One tensor and 'data' bytes behind the padded head. */
static bytes one_tensor(uint32_t dimensions, uint64_t a, uint64_t b, uint32_t type, uint64_t offset,
                        size_t data)
{
    uint64_t shape[8] = { a, b, 1, 1, 1, 1, 1, 1 };
    bytes    file = { 0 };

    put_head(&file, 3, 1, 0);
    put_info(&file, "w", dimensions, shape, type, offset);
    bytes_pad(&file, 32);
    bytes_fill(&file, 7, data);
    return file;
}

static void refused(bytes b, const char *word)
{
    bytes_refused(&b, KRAIT_ERR_FORMAT, word);
    bytes_free(&b);
}

static void unsupported(bytes b, const char *word)
{
    bytes_refused(&b, KRAIT_ERR_UNSUPPORTED, word);
    bytes_free(&b);
}

static void accepted(bytes b)
{
    CHECK_STATUS(bytes_read(&b), KRAIT_OK);
    bytes_free(&b);
}

/* About two kilobytes with every type of value and several of tensors. */
static bytes small_file(uint32_t version)
{
    static const uint64_t shape[] = { 32, 3, 2 };
    bytes                 b = { 0 };

    put_head(&b, version, 6, 19);
    put_key(&b, "general.architecture", TEXT, 5, 8);
    bytes_text(&b, "mamba");
    put_key(&b, "u8", U8, 200, 1);
    put_key(&b, "i8", I8, (uint64_t)-100, 1);
    put_key(&b, "u16", U16, 60000, 2);
    put_key(&b, "i16", I16, (uint64_t)-30000, 2);
    put_key(&b, "u32", U32, 4000000000u, 4);
    put_key(&b, "i32", I32, (uint64_t)-2000000000, 4);
    put_key(&b, "f32", F32, kr_bits_of(0.5f), 4);
    put_key(&b, "yes", BOOL, 1, 1);
    put_key(&b, "no", BOOL, 0, 1);
    put_key(&b, "u64", U64, UINT64_MAX, 8);
    put_key(&b, "i64", I64, (uint64_t)INT64_MIN, 8);
    put_key(&b, "f64", F64, kr_bits_of_double(0.1), 8);
    put_array(&b, "few", I16, 3);
    bytes_add(&b, "\1\0\377\377\3\0", 6);
    put_array(&b, "texts", TEXT, 2);
    put_text(&b, "caf\xc3\xa9");
    put_text(&b, "");
    put_array(&b, "none", F64, 0);
    put_array(&b, "tokens", TEXT, 65);
    for (int i = 0; i < 65; i++) {
        bytes_u64(&b, 1);
        bytes_u8(&b, (uint8_t)(128 + i));       /* need not be UTF-8 */
    }
    put_array(&b, "scores", F32, 65);
    for (int i = 0; i < 65; i++)
        bytes_u32(&b, kr_bits_of((float)i));
    put_key(&b, "general.alignment", U32, 64, 4);
    put_info(&b, "f32", 2, shape + 1, 0, 0);
    put_info(&b, "half", 3, shape, 1, 64);
    put_info(&b, "brain", 1, shape, 30, 448);
    put_info(&b, "eight", 2, shape, 8, 512);
    put_info(&b, "scalar", 0, shape, 28, 640);
    put_info(&b, "panels", 2, shape, 1000008, 704);
    bytes_pad(&b, 64);
    bytes_fill(&b, 3, 704 + 544);
    return b;
}

static const kr_json *meta(const reading *r, const char *key)
{
    static const kr_json nothing = { .kind = KR_JSON_NULL };
    const kr_json       *node = kr_json_get(r->package.metadata, key);

    test_note("%s", key);
    CHECK(node != NULL);
    test_note("%s", "");
    return node ? node : &nothing;
}

static void check_integer(const reading *r, const char *key, int64_t expected)
{
    const kr_json *node = meta(r, key);

    test_note("%s", key);
    CHECK(node->kind == KR_JSON_NUMBER && node->flag == 1);
    CHECK_INT(node->integer, expected);
    CHECK(node->number == (double)expected);
    test_note("%s", "");
}

TEST(gguf_values)
{
    bytes          b = small_file(3);
    reading        r;
    const kr_json *node;

    reading_start(&r, b.at, b.count);
    reading_check(&r);
    CHECK_OR_RETURN(CHECK_STATUS(r.status, KRAIT_OK));
    CHECK_STR(r.package.format, "gguf");
    CHECK_U64(r.package.metadata->count, 19);
    CHECK(kr_json_is(meta(&r, "general.architecture"), "mamba"));
    check_integer(&r, "u8", 200);
    check_integer(&r, "i8", -100);
    check_integer(&r, "u16", 60000);
    check_integer(&r, "i16", -30000);
    check_integer(&r, "u32", 4000000000);
    check_integer(&r, "i32", -2000000000);
    check_integer(&r, "i64", INT64_MIN);
    check_integer(&r, "general.alignment", 64);
    CHECK(meta(&r, "u64")->kind == KR_JSON_NUMBER && !meta(&r, "u64")->flag);
    CHECK(meta(&r, "u64")->number == 0x1p64);
    CHECK(meta(&r, "f32")->number == 0.5 && !meta(&r, "f32")->flag);
    CHECK(meta(&r, "f64")->number == 0.1);
    CHECK(meta(&r, "yes")->kind == KR_JSON_BOOL && meta(&r, "yes")->flag == 1);
    CHECK(meta(&r, "no")->kind == KR_JSON_BOOL && meta(&r, "no")->flag == 0);
    node = meta(&r, "few");
    CHECK(node->kind == KR_JSON_ARRAY && node->count == 3);
    CHECK(node->first->next->integer == -1 && node->first->next->next->integer == 3);
    node = meta(&r, "texts");
    CHECK(node->kind == KR_JSON_ARRAY && kr_json_is(node->first, "caf\xc3\xa9"));
    CHECK(kr_json_is(node->first->next, "") && node->first->next->next == NULL);
    CHECK(meta(&r, "none")->kind == KR_JSON_ARRAY && meta(&r, "none")->first == NULL);
    reading_end(&r);
    bytes_free(&b);
}

/* Long arrays stay in the file: type, count and elements, byte for byte. */
TEST(gguf_opaque_arrays)
{
    bytes          b = small_file(3);
    reading        r;
    const kr_json *node;

    reading_start(&r, b.at, b.count);
    CHECK_OR_RETURN(CHECK_STATUS(r.status, KRAIT_OK));
    node = meta(&r, "tokens");
    CHECK(node->kind == KR_JSON_OPAQUE && node->count == 65);
    CHECK_INT(node->integer, 12 + 65 * 9);
    CHECK_BYTES(node->text, "\10\0\0\0\101\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\200\1", 22);
    node = meta(&r, "scores");
    CHECK(node->kind == KR_JSON_OPAQUE && node->count == 65);
    CHECK_INT(node->integer, 12 + 65 * 4);
    CHECK_BYTES(node->text, "\6\0\0\0\101\0\0\0\0\0\0\0\0\0\0\0\0\0\200\77", 20);
    reading_end(&r);
    bytes_free(&b);
}

TEST(gguf_tensors)
{
    for (uint32_t version = 2; version <= 3; version++) {
        bytes            b = small_file(version);
        reading          r;
        const kr_source *s;

        reading_start(&r, b.at, b.count);
        CHECK_OR_RETURN(CHECK_STATUS(r.status, KRAIT_OK));
        CHECK_U64(r.package.n_tensors, 6);
        s = &r.package.tensors[0];
        CHECK_STR(s->name, "f32");
        CHECK(s->dimensions == 2 && s->shape[0] == 2 && s->shape[1] == 3 && s->bytes == 24);
        s = &r.package.tensors[1];
        CHECK(s->dimensions == 3 && s->shape[0] == 2 && s->shape[1] == 3 && s->shape[2] == 32);
        CHECK(s->type == KR_TYPE_F16 && s->bytes == 384);
        CHECK(s->data == r.package.tensors[0].data + 64);
        s = kr_package_find(&r.package, "eight");
        CHECK(s->type == KR_TYPE_Q8_0 && s->bytes == 3 * 34);
        s = kr_package_find(&r.package, "scalar");
        CHECK(s->dimensions == 0 && s->bytes == 8);
        s = kr_package_find(&r.package, "panels");
        CHECK(s->type == KR_TYPE_PANELS + KR_TYPE_Q8_0 && s->bytes == 544);
        CHECK_STR(s->type_name, "Q8_0 panels");
        CHECK(s->data + s->bytes == r.copy + b.count);
        reading_end(&r);
        bytes_free(&b);
    }
}

TEST(gguf_empty)
{
    bytes b = { 0 };

    put_head(&b, 3, 0, 0);
    accepted(b);
}

/* ---- the head ---- */

TEST(gguf_versions)
{
    static const uint32_t versions[] = { 0, 1, 4, 0xffffffff, 0x03000000, 0x02000000, 0x01000000 };

    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        bytes b = { 0 };

        put_head(&b, versions[i], 0, 0);
        if (versions[i] == 0)
            refused(b, "version 0");
        else
            unsupported(b, i >= 4 ? "big-endian" : "GGUF version");
    }
}

/* CVE-2024-23605 and -21836: counts whose product with a record's size wraps, or fits no file. */
TEST(gguf_counts_wrap)
{
    static const uint64_t counts[] = { 1, 2, 0x7fffffff, 0xffffffff, 0x100000000, UINT64_MAX,
                                       UINT64_MAX / 2, 0x8000000000000000, 0x2000000000000001,
                                       UINT64_MAX / 14, UINT64_MAX / 14 + 1, UINT64_MAX / 25,
                                       UINT64_MAX / 25 + 1, SIZE_MAX / sizeof(kr_source),
                                       SIZE_MAX / sizeof(kr_source) + 1,
                                       SIZE_MAX / sizeof(kr_json), SIZE_MAX / sizeof(kr_json) + 1,
                                       SIZE_MAX / 88, SIZE_MAX / 88 + 1 };

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (int sort = 0; sort < 3; sort++) {
            bytes b = { 0 };

            put_head(&b, 3, sort != 0 ? counts[i] : 0, sort != 1 ? counts[i] : 0);
            refused(b, "do not fit");
        }
    }
    for (int short_by = 0; short_by < 2; short_by++) {
        bytes b = { 0 };

        put_head(&b, 3, 1, 2);
        bytes_fill(&b, 0, 25 + 28 - (size_t)short_by);
        refused(b, short_by ? "do not fit" : "offset 24");
    }
}

/* ---- keys ---- */

TEST(gguf_key_names)
{
    static const uint64_t lengths[] = { 0, 65536, 0x100000000, UINT64_MAX, 0x8000000000000000, 60 };

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        bytes b = { 0 };

        put_head(&b, 3, 0, 1);
        bytes_u64(&b, lengths[i]);
        bytes_fill(&b, 'k', lengths[i] == 65536 ? 70000 : 50);
        refused(b, "not a name of 1 to 65535 bytes");
    }
    for (int i = 0; i < 2; i++) {
        bytes b = { 0 };

        put_head(&b, 3, 0, 1);
        put_key(&b, i ? "\xc3(" : "abc", U8, 1, 1);
        if (!i)
            b.at[b.count - 6] = '\0';
        refused(b, "not a name");
    }
}

TEST(gguf_key_of_65535)
{
    bytes b = { 0 };

    put_head(&b, 3, 0, 1);
    bytes_u64(&b, 65535);
    bytes_fill(&b, 'k', 65535);
    bytes_u32(&b, U8);
    bytes_u8(&b, 1);
    accepted(b);
}

TEST(gguf_key_types)
{
    static const uint32_t types[] = { 13, 14, 255, 0x7fffffff, 0x80000000, 0xffffffff };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        bytes b = { 0 }, array = { 0 };

        put_head(&b, 3, 0, 1);
        put_key(&b, "k", types[i], 1, 40);
        refused(b, "key \"k\" at offset 24: its type is unknown");
        put_head(&array, 3, 0, 1);
        put_array(&array, "k", types[i], 1);
        bytes_fill(&array, 0, 40);
        refused(array, "the type of its elements is unknown");
    }
}

TEST(gguf_bool)
{
    for (uint64_t value = 2; value < 256; value += 63) {
        bytes b = { 0 }, array = { 0 };

        put_head(&b, 3, 0, 1);
        put_key(&b, "k", BOOL, value, 1);
        refused(b, "neither 0 nor 1");
        for (uint64_t count = 3; count < 100; count += 90) {
            put_head(&array, 3, 0, 1);
            put_array(&array, "k", BOOL, count);
            bytes_fill(&array, 1, (size_t)count - 1);
            bytes_u8(&array, (uint8_t)value);
            refused(array, "neither 0 nor 1");
            array = (bytes){ 0 };
        }
    }
}

TEST(gguf_duplicate_keys)
{
    bytes b = { 0 }, many = { 0 };
    char  key[16];

    put_head(&b, 3, 0, 3);
    put_key(&b, "same", U8, 1, 1);
    put_key(&b, "other", U8, 1, 1);
    put_key(&b, "same", U32, 1, 4);
    refused(b, "key \"same\"");
    put_head(&many, 3, 0, 101);
    for (int i = 0; i < 101; i++) {
        snprintf(key, sizeof key, "key%d", i % 100);
        put_key(&many, key, U8, 1, 1);
    }
    refused(many, "key \"key0\"");
}

/* CVE-2024-23496: a string's length, plus one for its end, wraps; or reaches beyond the file. */
TEST(gguf_string_lengths)
{
    static const uint64_t lengths[] = { UINT64_MAX, UINT64_MAX - 1, 0x8000000000000000, 0x100000000,
                                        1ull << 30, 9 };

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (uint64_t count = 0; count < 100; count += 33) {
            bytes b = { 0 };

            put_head(&b, 3, 0, 1);
            if (count) {
                put_array(&b, "k", TEXT, count);
                for (uint64_t k = 1; k < count; k++)
                    put_text(&b, "x");
                bytes_u64(&b, lengths[i]);
            } else {
                put_key(&b, "k", TEXT, lengths[i], 8);
            }
            bytes_text(&b, "12345678");
            refused(b, "goes beyond the end of the file");
        }
    }
}

/* The last string of a long array lacks even its length, and nothing follows that would notice. */
TEST(gguf_string_array_cut_short)
{
    bytes b = { 0 };

    put_head(&b, 3, 0, 1);
    put_array(&b, "k", TEXT, 70);
    for (int i = 0; i < 69; i++)
        put_text(&b, "x");
    refused(b, "goes beyond the end of the file");
}

/* CVE-2024-21825: an array's length; and 58 bytes that ask for 2^64 turns of a loop. */
TEST(gguf_array_counts)
{
    static const uint64_t counts[] = { UINT64_MAX, 0x8000000000000000, 0x2000000000000001,
                                       0x2000000000000000, 0x4000000000000001, 1ull << 30, 9 };
    long begin = clock();

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (uint32_t type = U8; type <= F64; type++) {
            bytes b = { 0 };

            if (type == ARRAY)
                continue;
            put_head(&b, 3, 0, 1);
            put_array(&b, "k", type, counts[i]);
            bytes_fill(&b, 0, 8);
            refused(b, "more elements than the file can hold");
        }
    }
    CHECK(seconds_since(begin) < 1);
}

/* Arrays of arrays made other readers recurse until the stack was gone. */
TEST(gguf_nested_arrays)
{
    for (int deep = 2; deep <= 2000; deep += 1998) {
        bytes b = { 0 };

        put_head(&b, 3, 0, 1);
        put_array(&b, "k", ARRAY, 1);
        for (int i = 1; i < deep; i++) {
            bytes_u32(&b, ARRAY);
            bytes_u64(&b, 1);
        }
        refused(b, "an array of arrays");
    }
}

/* ---- alignment ---- */

static bytes aligned(uint32_t type, uint64_t alignment, size_t size)
{
    static const uint64_t shape[] = { 1 };
    bytes                 b = { 0 };

    put_head(&b, 3, 1, 1);
    put_key(&b, "general.alignment", type, alignment, size);
    put_info(&b, "w", 1, shape, 0, 0);
    bytes_pad(&b, alignment && alignment <= 1 << 20 ? (size_t)alignment : 32);
    bytes_u32(&b, 0);
    return b;
}

TEST(gguf_alignment)
{
    static const uint64_t right[] = { 8, 16, 32, 64, 4096, 65536, 1 << 20 };
    static const uint64_t wrong[] = { 0, 1, 2, 3, 4, 13, 24, 48, 1 << 21, 1u << 31, 0xffffffff };

    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        accepted(aligned(U32, right[i], 4));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        refused(aligned(U32, wrong[i], 4), "general.alignment");
}

/* An alignment of another type was an assertion in ggml. */
TEST(gguf_alignment_type)
{
    static const unsigned char sizes[] = { 1, 1, 2, 2, 4, 4, 4, 1, 8, 0, 8, 8, 8 };

    for (uint32_t type = U8; type <= F64; type++) {
        if (type == U32 || type == ARRAY)
            continue;
        /* 1 for a bool; for a text the length, and bytes enough follow. */
        refused(aligned(type, type == BOOL ? 1 : 32, sizes[type]), "general.alignment");
    }
}

/* ---- tensors ---- */

TEST(gguf_tensor_names)
{
    static const uint64_t shape[] = { 1 };
    char                  name[140];

    for (size_t length = 126; length < 130; length++) {
        bytes b = { 0 };

        memset(name, 'n', length);
        name[length] = '\0';
        put_head(&b, 3, 1, 0);
        put_info(&b, name, 1, shape, 0, 0);
        bytes_pad(&b, 32);
        bytes_u32(&b, 0);
        if (length <= 127)
            accepted(b);
        else
            refused(b, "not a name of 1 to 127 bytes");
    }
    for (int i = 0; i < 3; i++) {
        bytes b = { 0 };

        put_head(&b, 3, 1, 0);
        put_info(&b, i == 0 ? "" : i == 1 ? "\xff" : "abc", 1, shape, 0, 0);
        if (i == 2)
            b.at[24 + 8 + 1] = '\0';
        bytes_fill(&b, 0, 64);
        refused(b, "not a name of 1 to 127 bytes");
    }
}

TEST(gguf_duplicate_tensors)
{
    static const uint64_t shape[] = { 1 };
    bytes                 b = { 0 };

    put_head(&b, 3, 3, 0);
    put_info(&b, "blk.0.same", 1, shape, 0, 0);
    put_info(&b, "blk.0.other", 1, shape, 0, 32);
    put_info(&b, "blk.0.same", 1, shape, 0, 64);
    bytes_pad(&b, 32);
    bytes_fill(&b, 0, 96);
    refused(b, "two tensors are named \"blk.0.same\"");
}

/* CVE-2024-21802: dimensions believed, products that wrap. */
TEST(gguf_dimensions)
{
    static const uint32_t counts[] = { 5, 6, 0x7fffffff, 0x80000000, 0xffffffff };

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        refused(one_tensor(counts[i], 1, 1, 0, 0, 64), "more than 4 dimensions");
    refused(one_tensor(1, UINT64_MAX, 1, 0, 0, 64), "its shape is too large");
    refused(one_tensor(1, 0x8000000000000000, 1, 0, 0, 64), "its shape is too large");
    refused(one_tensor(2, 1ull << 32, 1ull << 32, 0, 0, 64), "its shape is too large");
    refused(one_tensor(2, 1ull << 32, 1ull << 31, 24, 0, 64), "its shape is too large");
    refused(one_tensor(2, 0x5555555555555556, 3, 0, 0, 64), "its shape is too large");
    accepted(one_tensor(2, 4, 4, 0, 0, 64));
}

/* No numbers at all: nothing to read, nothing to divide by. */
TEST(gguf_zero_dimensions)
{
    accepted(one_tensor(2, 0, 5, 0, 0, 0));
    accepted(one_tensor(2, 5, 0, 8 + 22, 0, 0));
    accepted(one_tensor(2, 0, 0, 8, 0, 0));
    accepted(one_tensor(2, 0, 5, 1000008, 0, 0));
}

/* CVE-2026-33298, -2025-53630, -2026-27940: sizes in bytes, their padding and sums wrap. */
TEST(gguf_sizes_wrap)
{
    static const uint64_t shape[] = { (1ull << 63) - 64 };
    static const uint64_t doubles[] = { (1ull << 61) - 1 };
    bytes                 b = { 0 };

    refused(one_tensor(1, 1ull << 62, 1, 0, 0, 64), "too large");
    refused(one_tensor(1, (1ull << 62) + 16, 1, 0, 0, 64), "too large");
    refused(one_tensor(1, 1ull << 61, 1, 28, 0, 64), "too large");
    refused(one_tensor(1, (1ull << 63) - 32, 1, 8, 0, 64), "the file has");
    refused(one_tensor(2, 32, (1ull << 58) - 1, 1000000, 0, 64), "too large");
    /* 2^64 - 8 bytes are a size, but not with their padding. */
    refused(one_tensor(1, doubles[0], 1, 28, 0, 64), "too large");
    put_head(&b, 3, 3, 0);
    put_info(&b, "a", 1, shape, 24, 0);
    put_info(&b, "b", 1, shape, 24, (1ull << 63) - 64);
    put_info(&b, "c", 1, shape, 24, UINT64_MAX - 127);
    bytes_pad(&b, 32);
    bytes_fill(&b, 0, 256);
    refused(b, "too large");
    refused(one_tensor(1, (1ull << 63) - 64, 1, 24, 0, 64), "the file has");
}

/* CVE-2026-7482 ("Bleeding Llama"): data beyond the file. */
TEST(gguf_data_beyond_the_file)
{
    refused(one_tensor(1, 16, 1, 0, 0, 63), "the file has");
    refused(one_tensor(1, 16, 1, 0, 0, 0), "the file has");
    accepted(one_tensor(1, 16, 1, 0, 0, 64));
    accepted(one_tensor(1, 15, 1, 0, 0, 60));       /* the last padding may be missing */
    refused(one_tensor(1, 1000000, 1, 0, 0, 64), "the file has");
}

TEST(gguf_offsets)
{
    static const uint64_t offsets[] = { 1, 4, 32, 64, UINT64_MAX, UINT64_MAX - 31, 1ull << 63 };
    static const uint64_t shape[] = { 9 };

    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
        refused(one_tensor(1, 16, 1, 0, offsets[i], 128), "not where the tensor before it ends");
    /* Second tensors: overlapping, unpadded, right, a hole, in disorder. */
    for (uint64_t offset = 0; offset <= 96; offset += offset == 32 ? 4 : offset == 36 ? 28 : 32) {
        bytes b = { 0 };

        put_head(&b, 3, 2, 0);
        put_info(&b, "a", 1, shape, 0, 0);
        put_info(&b, "b", 1, shape, 0, offset);
        bytes_pad(&b, 32);
        bytes_fill(&b, 0, 160);
        if (offset == 64)
            accepted(b);
        else
            refused(b, "tensor \"b\"");
    }
}

TEST(gguf_tensor_types)
{
    static const uint32_t unknown[] = { 4, 5, 31, 32, 33, 36, 37, 38, 42, 255, 0x7fffffff,
                                        0x80000000, 0xffffffff, 1000009, 1000015, 1000028,
                                        2000000 };
    bytes   b;
    reading r;
    char    word[64];

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        snprintf(word, sizeof word, "unsupported type %u for tensor \"w\"", (unsigned)unknown[i]);
        unsupported(one_tensor(2, 256, 1, unknown[i], 0, 4096), word);
    }
    /* Known to ggml: listed with the number, so that a loader can say what it lacks. */
    b = one_tensor(2, 256, 2, 12, 0, 288);
    reading_start(&r, b.at, b.count);
    CHECK_OR_RETURN(CHECK_STATUS(r.status, KRAIT_OK));
    CHECK_INT(r.package.tensors[0].type, 12);
    CHECK_STR(r.package.tensors[0].type_name, "Q4_K");
    CHECK_U64(r.package.tensors[0].bytes, 288);
    reading_end(&r);
    bytes_free(&b);
    refused(one_tensor(2, 255, 2, 12, 0, 288), "does not go with its type");
    refused(one_tensor(2, 16, 2, 8, 0, 288), "does not go with its type");
    refused(one_tensor(0, 1, 1, 8, 0, 288), "does not go with its type");
    refused(one_tensor(1, 32, 1, 1000000, 0, 4096), "does not go with its type");
    refused(one_tensor(3, 32, 1, 1000000, 0, 4096), "does not go with its type");
    refused(one_tensor(2, 16, 16, 1000008, 0, 4096), "does not go with its type");
    accepted(one_tensor(2, 3, 17, 1000000, 0, 32 * 3 * 4));
}

/* ---- damage ---- */

TEST(gguf_cut_everywhere)
{
    bytes b = small_file(3), prefix;

    CHECK_STATUS(bytes_read(&b), KRAIT_OK);
    bytes_cut_everywhere(&b);
    for (prefix = b, prefix.count = 0; prefix.count < b.count; prefix.count++)
        CHECK_OR_RETURN(bytes_read(&prefix) != KRAIT_OK);
    bytes_free(&b);
}

TEST(gguf_flip_everything)
{
    bytes b = small_file(3);

    bytes_flip_everything(&b);
    bytes_free(&b);
}

/* Every 32-bit word of the head made extreme. */
TEST(gguf_extreme_words)
{
    static const uint32_t extremes[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x20000001 };
    bytes                 b = small_file(3);
    unsigned char         kept[4];

    for (size_t at = 4; at + 4 < b.count - 1300; at++) {
        memcpy(kept, b.at + at, 4);
        for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++) {
            kr_store_u32(b.at + at, extremes[i]);
            bytes_read(&b);
        }
        memcpy(b.at + at, kept, 4);
    }
    bytes_free(&b);
}

/* ggml compares each tensor's name with all before it; 10^5 of them are nothing to sort. */
TEST(gguf_many_tensors)
{
    enum { MANY = 100000 };
    static const uint64_t shape[] = { 0 };
    bytes                 b = { 0 };
    reading               r;
    char                  name[64];
    long                  begin;

    put_head(&b, 3, MANY, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "key.all.begin.alike.%08x", (unsigned)(i * 2654435761u));
        put_key(&b, name, U8, 1, 1);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "blk.all.begin.alike.%08x", (unsigned)(i * 2654435761u));
        put_info(&b, name, 1, shape, 0, 0);
    }
    begin = clock();
    reading_start(&r, b.at, b.count);
    CHECK_STATUS(r.status, KRAIT_OK);
    CHECK(seconds_since(begin) < 2);
    reading_end(&r);
    bytes_free(&b);
}

TEST(gguf_without_memory)
{
    bytes b = small_file(3);
    int   failures = 0;

    for (uint64_t budget = 1; budget < 60000; budget += 1000) {
        kr_memory     memory;
        kr_arena      arena;
        kr_package    package;
        krait_message message = { "" };
        krait_status  status;

        kr_memory_start(&memory, NULL, budget);
        kr_arena_start(&arena, &memory);
        status = kr_package_read(&package, b.at, b.count, "file", &arena, &message);
        CHECK(status == KRAIT_OK || (status == KRAIT_ERR_MEMORY && package.n_tensors == 0));
        failures += status != KRAIT_OK;
        kr_arena_free(&arena);
        CHECK_U64(memory.held, 0);
    }
    CHECK(failures > 3 && failures < 59);
    bytes_free(&b);
}

/* ---- sizes ---- */

TEST(package_type_bytes)
{
    static const uint64_t wraps[2] = { 7, 7905747460161236407 };    /* to 1 */
    uint64_t              shape[4] = { 3, 64, 0, 0 }, got = 99;

    CHECK(kr_type_bytes(KR_TYPE_F32, shape, 2, &got) && got == 768);
    CHECK(kr_type_bytes(KR_TYPE_F32, shape, 0, &got) && got == 4);
    CHECK(kr_type_bytes(KR_TYPE_Q8_0, shape, 2, &got) && got == 204);
    CHECK(kr_type_bytes(KR_TYPE_I64, shape, 1, &got) && got == 24);
    CHECK(!kr_type_bytes(KR_TYPE_Q8_0, shape, 1, &got));
    CHECK(!kr_type_bytes(KR_TYPE_OTHER, shape, 1, &got));
    CHECK(!kr_type_bytes(KR_TYPE_F32, wraps, 2, &got));
    CHECK(kr_type_bytes(KR_TYPE_PANELS + KR_TYPE_F16, shape, 2, &got) && got == 2048);
    CHECK(!kr_type_bytes(KR_TYPE_PANELS + KR_TYPE_F16, shape, 1, &got));
    CHECK_STR(kr_type_name(KR_TYPE_BF16), "BF16");
    CHECK_STR(kr_type_name(KR_TYPE_PANELS + KR_TYPE_BF16), "BF16 panels");
    CHECK(kr_type_name(KR_TYPE_OTHER) == NULL && kr_type_name(4) == NULL);
}

TEST(panels_bytes)
{
    uint64_t got = 99;

    CHECK(kr_panels_bytes(KRAIT_F32, 17, 5, &got) && got == 2 * 16 * 5 * 4);
    CHECK(kr_panels_bytes(KRAIT_BF16, 16, 5, &got) && got == 16 * 5 * 2);
    CHECK(kr_panels_bytes(KRAIT_Q8_0, 1, 64, &got) && got == 2 * 544);
    CHECK(kr_panels_bytes(KRAIT_F32, 0, UINT64_MAX / 64, &got) && got == 0);
    CHECK(!kr_panels_bytes(KRAIT_Q8_0, 1, 33, &got));
    CHECK(!kr_panels_bytes(12, 1, 32, &got));
    CHECK(!kr_panels_bytes(KRAIT_F32, 1, UINT64_MAX / 64 + 1, &got));
    CHECK(!kr_panels_bytes(KRAIT_F32, UINT64_MAX, 1, &got));
    CHECK(!kr_panels_bytes(KRAIT_F32, 1ull << 32, 1ull << 32, &got));
    CHECK(kr_panels_bytes(KRAIT_F32, UINT64_MAX - 15, 0, &got) && got == 0);
}

/* ---- the writer ---- */

static const uint64_t wide[2] = { 3, 64 }, tall[4] = { 2, 1, 1, 5 };

static void describe(kr_gguf_writer *w)
{
    kr_gguf_text(w, "general.architecture", "mamba");
    kr_gguf_u32(w, "mamba.block_count", 4000000000u);
    kr_gguf_f32(w, "mamba.eps", 1e-5f);
    kr_gguf_bool(w, "yes", 7);
    kr_gguf_bool(w, "no", 0);
    kr_gguf_tensor(w, "first", KR_TYPE_Q8_0, wide, 2, 204);
    kr_gguf_tensor(w, "second", KR_TYPE_F32, tall, 4, 40);
    kr_gguf_tensor(w, "third", KR_TYPE_PANELS + KR_TYPE_F16, wide, 2, 2048);
}

static void write_file(const char *path, uint64_t alignment)
{
    static unsigned char data[2048];
    kr_memory            memory;
    kr_arena             arena;
    kr_output_file       out;
    kr_gguf_writer       w;

    kr_memory_start(&memory, NULL, 0);
    kr_arena_start(&arena, &memory);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7 + 1);
    CHECK_OR_RETURN(kr_output_create(&out, path, &arena, NULL) == KRAIT_OK);
    kr_gguf_start(&w, &out, &arena, alignment);
    describe(&w);
    CHECK_STATUS(kr_gguf_head(&w, NULL), KRAIT_OK);
    CHECK_STATUS(kr_gguf_data(&w, data, 200, NULL), KRAIT_OK);
    CHECK_STATUS(kr_gguf_data(&w, data + 200, 4, NULL), KRAIT_OK);
    CHECK_STATUS(kr_gguf_tensor_end(&w, NULL), KRAIT_OK);
    CHECK_STATUS(kr_gguf_data(&w, data, 40, NULL), KRAIT_OK);
    CHECK_STATUS(kr_gguf_tensor_end(&w, NULL), KRAIT_OK);
    CHECK_STATUS(kr_gguf_data(&w, data, 2048, NULL), KRAIT_OK);
    CHECK_STATUS(kr_gguf_tensor_end(&w, NULL), KRAIT_OK);
    CHECK_STATUS(kr_output_finish(&out, NULL), KRAIT_OK);
    kr_arena_free(&arena);
}

TEST(gguf_write_reads_back)
{
    static const uint64_t alignments[] = { 32, 64, 65536 };

    for (size_t i = 0; i < 3; i++) {
        char             path[512];
        kr_memory        memory;
        kr_file          file;
        reading          r;
        const kr_source *s;

        kr_memory_start(&memory, NULL, 0);
        write_file(test_path(path, sizeof path, "written.gguf"), alignments[i]);
        CHECK_OR_RETURN(kr_file_open(&file, path, 1, &memory, NULL) == KRAIT_OK);
        CHECK_U64(file.count % alignments[i], 0);
        reading_start(&r, file.bytes, file.count);
        reading_check(&r);
        CHECK_OR_RETURN(CHECK_STATUS(r.status, KRAIT_OK));
        CHECK_U64(r.package.metadata->count, alignments[i] == 32 ? 5 : 6);
        CHECK(kr_json_is(meta(&r, "general.architecture"), "mamba"));
        check_integer(&r, "mamba.block_count", 4000000000);
        CHECK(meta(&r, "mamba.eps")->number == (double)1e-5f);
        CHECK(meta(&r, "yes")->flag == 1 && meta(&r, "no")->flag == 0);
        CHECK_U64(r.package.n_tensors, 3);
        s = &r.package.tensors[0];
        CHECK(s->type == KR_TYPE_Q8_0 && s->bytes == 204 && s->data[203] == (203 * 7 + 1) % 256);
        CHECK_U64((uint64_t)(s->data - r.copy) % alignments[i], 0);
        s = &r.package.tensors[1];
        CHECK(s->dimensions == 4 && s->shape[0] == 2 && s->shape[3] == 5 && s->data[0] == 1);
        CHECK_U64((uint64_t)(s->data - r.copy) % alignments[i], 0);
        s = &r.package.tensors[2];
        CHECK(s->type == KR_TYPE_PANELS + KR_TYPE_F16 && s->data[2047] == (2047 * 7 + 1) % 256);
        CHECK(s->shape[0] == 3 && s->shape[1] == 64);
        reading_end(&r);
        kr_file_close(&file, &memory);
        CHECK_U64(memory.held, 0);
    }
}

/* What could not be read back is not written, and the head says so. */
TEST(gguf_write_refused)
{
    kr_memory      memory;
    kr_arena       arena;
    kr_output_file out;
    char           path[512], name[140];

    kr_memory_start(&memory, NULL, 0);
    kr_arena_start(&arena, &memory);
    test_path(path, sizeof path, "refused.gguf");
    memset(name, 'n', 128);
    name[128] = '\0';
    for (int i = 0; i < 4; i++) {
        kr_gguf_writer w;
        krait_message  message = { "" };

        CHECK_OR_RETURN(kr_output_create(&out, path, &arena, NULL) == KRAIT_OK);
        kr_gguf_start(&w, &out, &arena, 32);
        kr_gguf_tensor(&w, "w", KR_TYPE_F32, wide, 2, i == 2 ? UINT64_MAX - 63 : 768);
        kr_gguf_tensor(&w, i == 0 ? "" : i == 1 ? name : "v", KR_TYPE_F32, wide, i == 3 ? 5 : 2,
                       768);
        CHECK_STATUS(kr_gguf_head(&w, &message), KRAIT_ERR_UNSUPPORTED);
        CHECK(message.text[0] != '\0');
        kr_output_abandon(&out);
        CHECK_INT(kr_file_is_folder(path), -1);
    }
    kr_arena_free(&arena);
}

TEST(gguf_write_without_memory)
{
    kr_memory      memory, small;
    kr_arena       arena, small_arena;
    kr_output_file out;
    kr_gguf_writer w;
    char           path[512], key[32];

    kr_memory_start(&memory, NULL, 0);
    kr_arena_start(&arena, &memory);
    kr_memory_start(&small, NULL, 20000);
    kr_arena_start(&small_arena, &small);
    test_path(path, sizeof path, "small.gguf");
    CHECK_OR_RETURN(kr_output_create(&out, path, &arena, NULL) == KRAIT_OK);
    kr_gguf_start(&w, &out, &small_arena, 32);
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof key, "key%d", i);
        kr_gguf_u32(&w, key, 1);
    }
    CHECK_STATUS(kr_gguf_head(&w, NULL), KRAIT_ERR_MEMORY);
    kr_output_abandon(&out);
    kr_arena_free(&small_arena);
    kr_arena_free(&arena);
}
