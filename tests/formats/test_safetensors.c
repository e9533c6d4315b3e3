/* safetensors: what the reference reads, and what attacks on its readers looked like. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/bytes.h"
#include "test.h"

/* A file of that header and 'data' bytes 0, 1, 2, ... */
static bytes file_of(const char *header, size_t data)
{
    bytes b = { 0 };

    bytes_u64(&b, strlen(header));
    bytes_text(&b, header);
    for (size_t i = 0; i < data; i++)
        bytes_u8(&b, (uint8_t)i);
    return b;
}

static void refused(const char *header, size_t data, const char *word)
{
    bytes b = file_of(header, data);

    bytes_refused(&b, KRAIT_ERR_FORMAT, word);
    bytes_free(&b);
}

static void accepted(const char *header, size_t data)
{
    bytes b = file_of(header, data);

    test_note("%.100s", header);
    CHECK_STATUS(bytes_read(&b), KRAIT_OK);
    test_note("%s", "");
    bytes_free(&b);
}

#define ENTRY(name, dtype, shape, begin, end)                           \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "]," \
    "\"data_offsets\":[" #begin "," #end "]}"

TEST(safetensors_valid)
{
    bytes            b = file_of("{\"__metadata__\":{\"format\":\"pt\",\"x\":\"\"},"
                                 ENTRY("late", "F32", "2,3", 13, 37) ","
                                 ENTRY("odd", "BF16", "2", 9, 13) ","
                                 ENTRY("scalar", "F64", "", 1, 9) ","
                                 ENTRY("empty", "F16", "3,0", 13, 13) ","
                                 ENTRY("flag", "BOOL", "1", 0, 1) ","
                                 ENTRY("ids", "I64", "1,1,1,2", 37, 53)
                                 "}   ", 53);
    reading          r;
    const kr_source *s;

    reading_start(&r, b.at, b.count);
    reading_check(&r);
    CHECK_OR_RETURN(CHECK_STATUS(r.status, KRAIT_OK));
    CHECK_STR(r.package.format, "safetensors");
    CHECK_U64(r.package.n_tensors, 6);
    CHECK(kr_json_is(kr_json_get(r.package.metadata, "format"), "pt"));
    /* In the order of their bytes. */
    CHECK_STR(r.package.tensors[0].name, "flag");
    CHECK_STR(r.package.tensors[3].name, "empty");
    CHECK_STR(r.package.tensors[5].name, "ids");
    s = kr_package_find(&r.package, "late");
    CHECK(s->type == KR_TYPE_F32 && s->dimensions == 2 && s->shape[0] == 2 && s->shape[1] == 3);
    CHECK(s->bytes == 24 && s->data[0] == 13 && s->shape[2] == 0);
    CHECK_STR(s->type_name, "F32");
    s = kr_package_find(&r.package, "scalar");
    CHECK(s->type == KR_TYPE_F64 && s->dimensions == 0 && s->bytes == 8 && s->data[0] == 1);
    s = kr_package_find(&r.package, "odd");
    CHECK(s->type == KR_TYPE_BF16 && s->data[0] == 9);
    s = kr_package_find(&r.package, "flag");
    CHECK(s->type == KR_TYPE_OTHER);
    CHECK_STR(s->type_name, "BOOL");
    reading_end(&r);
    bytes_free(&b);
}

TEST(safetensors_accepted)
{
    accepted("{}", 0);
    accepted("{\"__metadata__\":{}}", 0);
    accepted("{}      ", 0);
    accepted("{" ENTRY("", "U8", "1", 0, 1) "}", 1);
    accepted("{" ENTRY("a", "F4", "2", 0, 1) "}", 1);
    accepted("{" ENTRY("a", "F6_E2M3", "4", 0, 3) "}", 3);
    accepted("{" ENTRY("a", "C64", "1", 0, 8) "," ENTRY("b", "F8_E4M3", "2", 8, 10) "}", 10);
    accepted("{\"a\":{\"shape\":[1],\"extra\":null,\"data_offsets\":[0,1],\"dtype\":\"U8\"}}", 1);
    accepted("{" ENTRY("a", "U8", "0", 0, 0) ","
             ENTRY("b", "U8", "9223372036854775807,0", 0, 0) "}", 0);
}

/* A newer dtype is no bad file: the tensor is listed and its size is what the offsets say. */
TEST(safetensors_unknown_dtype)
{
    bytes   b = file_of("{" ENTRY("a", "F3_\\u001b[31m", "5", 0, 3) ","
                        ENTRY("b", "U8", "1", 3, 4) "}", 4);
    reading r;

    reading_start(&r, b.at, b.count);
    reading_check(&r);
    CHECK_OR_RETURN(CHECK_STATUS(r.status, KRAIT_OK));
    CHECK_INT(r.package.tensors[0].type, KR_TYPE_OTHER);
    CHECK_STR(r.package.tensors[0].type_name, "F3_?[31m");
    CHECK_U64(r.package.tensors[0].bytes, 3);
    reading_end(&r);
    bytes_free(&b);
}

TEST(safetensors_five_dimensions)
{
    bytes b = file_of("{" ENTRY("conv3d", "U8", "1,1,1,1,1", 0, 1) "}", 1);

    bytes_refused(&b, KRAIT_ERR_UNSUPPORTED, "tensor \"conv3d\" has 5 dimensions");
    bytes_free(&b);
}

/* A length beyond the file, or one that wraps when 8 is added, made other readers read on. */
TEST(safetensors_header_length)
{
    static const uint64_t lengths[] = { 3, 100000000, 100000001, 0x7fffffffffffffff,
                                        0x8000000000000000, UINT64_MAX, UINT64_MAX - 7 };

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        bytes b = { 0 };

        bytes_u64(&b, lengths[i]);
        bytes_text(&b, "{}");
        bytes_refused(&b, KRAIT_ERR_FORMAT, "header of");
        bytes_free(&b);
    }
    for (uint64_t length = 0; length < 2; length++) {
        bytes b = { 0 };

        bytes_u64(&b, length);
        bytes_text(&b, "{}");
        bytes_refused(&b, KRAIT_ERR_FORMAT, length ? "line 1, column 2" : "does not begin");
        bytes_free(&b);
    }
}

TEST(safetensors_header_of_100000001)
{
    bytes b = { 0 };

    bytes_u64(&b, 100000001);
    bytes_text(&b, "{}");
    bytes_fill(&b, ' ', 16);
    /* All of it is there, and still it is too long. */
    b.at = realloc(b.at, 100000009);
    CHECK_OR_RETURN(b.at != NULL);
    memset(b.at + b.count, ' ', 100000009 - b.count);
    b.count = b.room = 100000009;
    bytes_refused(&b, KRAIT_ERR_FORMAT, "the format allows 100000000");
    bytes_free(&b);
}

TEST(safetensors_header_text)
{
    refused(" {}", 0, "does not begin with {");
    refused("\n{}", 0, "does not begin with {");
    refused("{}x", 0, "something follows");
    refused("{\"a\":1}", 0, "not described by an object");
    refused("{\"a\":{}}", 0, "has no \"shape\"");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "data_offsets");
    refused("{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "has no \"dtype\"");
    refused("{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "has no \"dtype\"");
    refused("{\"__metadata__\":{\"a\":1}}", 0, "not an object of texts");
    refused("{\"__metadata__\":{\"a\":null}}", 0, "not an object of texts");
    refused("{\"__metadata__\":{\"a\":{\"__float__\":\"NaN\"}}}", 0, "not an object of texts");
    refused("{\"__metadata__\":[\"a\"]}", 0, "not an object of texts");
    refused("{\"__metadata__\":null}", 0, "not an object of texts");
    refused("{\"a\\u0000b\":{}}", 0, "NUL");
    refused("{" ENTRY("a", "U8", "1", 0, 1) "," ENTRY("a", "U8", "1", 0, 1) "}", 1, "named \"a\"");
    refused("{" ENTRY("a", "U8", "1", 0, 1) "," ENTRY("\\u0061", "U8", "1", 1, 2) "}", 2,
            "named \"a\"");
    refused("{" ENTRY("a", "\\ud800", "1", 0, 1) "}", 1, "surrogate");
    refused("{\"__metadata__\":{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
            "[[[[[[[[[[[[[[[[[[[[[[[[", 0, "too deeply");
}

/* One, three, reversed, negative, fractional, huge offsets, and beyond the file. */
TEST(safetensors_offsets)
{
    static const char *const wrong[] = { "1", "0,1,1", "1,0", "-1,1", "-0,1", "0,1.0", "0,1e0",
                                         "\"0\",\"1\"", "0,null", "0,1e400", "0,2",
                                         "0,18446744073709551617", "9223372036854775807,1",
                                         "0,9223372036854775807", "[0,1]", "" };
    char header[200];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(header, sizeof header,
                 "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%s]}}", wrong[i]);
        refused(header, 1, "tensor \"a\"");
    }
    /* Of a dtype whose size nobody knows. */
    refused("{" ENTRY("a", "X", "1", 0, 4611686018427387904) "}", 1, "bytes 0 to 4611686018427387904");
    refused("{" ENTRY("a", "X", "1", 1, 2) "}", 1, "bytes 1 to 2 of 1");
}

TEST(safetensors_shapes)
{
    static const char *const wrong[] = { "2", "0", "-1", "1.0", "-0", "1,2", "1e0", "null", "[1]",
                                         "4294967296,4294967296", "9223372036854775807,2",
                                         "18446744073709551617", "4294967296,4294967296,0",
                                         "2305843009213693953", "1e400", "Infinity" };
    char header[200];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(header, sizeof header,
                 "{\"a\":{\"dtype\":\"U8\",\"shape\":[%s],\"data_offsets\":[0,1]}}", wrong[i]);
        refused(header, 1, "tensor \"a\"");
    }
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4,
            "disagree");
    refused("{" ENTRY("a", "F4", "1", 0, 1) "}", 1, "disagree");
    /* Products that are the right size if they wrap: 1, and 0. */
    refused("{" ENTRY("a", "U8", "7,7905747460161236407", 0, 1) "}", 1, "disagree");
    refused("{" ENTRY("a", "U8", "4294967296,4294967296", 0, 0) "}", 0, "disagree");
    refused("{" ENTRY("a", "F32", "576460752303423488", 0, 0) "}", 0, "disagree");
}

/* Holes, overlaps, bytes behind the end: any of them would let two readers see two files. */
TEST(safetensors_tiling)
{
    refused("{}", 1, "1 bytes follow");
    refused("{" ENTRY("a", "U8", "1", 0, 1) "}", 2, "1 bytes follow");
    refused("{" ENTRY("a", "U8", "1", 1, 2) "}", 2, "a hole");
    refused("{" ENTRY("a", "U8", "1", 0, 1) "," ENTRY("b", "U8", "1", 2, 3) "}", 3, "a hole");
    refused("{" ENTRY("a", "U8", "2", 0, 2) "," ENTRY("b", "U8", "2", 1, 3) "}", 3, "overlaps");
    refused("{" ENTRY("a", "U8", "2", 0, 2) "," ENTRY("b", "U8", "2", 0, 2) "}", 2, "overlaps");
    refused("{" ENTRY("a", "U8", "3", 0, 3) "," ENTRY("b", "U8", "0", 1, 1) "}", 3, "overlaps");
    accepted("{" ENTRY("a", "U8", "3", 0, 3) "," ENTRY("b", "U8", "0", 3, 3) "}", 3);
    accepted("{" ENTRY("a", "U8", "3", 0, 3) "," ENTRY("b", "U8", "0", 0, 0) "}", 3);
}

TEST(safetensors_unknown_files)
{
    static const char *const other[] = { "", "G", "GGU", "PK\3\4abcdefgh", "\x80\2}q",
                                         "{\"model_type\":\"mamba\"}", "12345678" };

    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        bytes b = { 0 };

        bytes_text(&b, other[i]);
        bytes_refused(&b, KRAIT_ERR_FORMAT, i == 3 || i == 4 ? "pickle" : "neither GGUF nor");
        bytes_free(&b);
    }
}

/* About two kilobytes, of several types, to damage. */
static bytes small_file(void)
{
    bytes header = { 0 }, b;
    char  entry[160];
    int   at = 0;

    bytes_text(&header, "{\"__metadata__\":{\"format\":\"pt\",\"note\":\"caf\xc3\xa9 \\u20ac\"}");
    for (int i = 0; i < 12; i++) {
        static const char *const types[] = { "F32", "F16", "BF16" };
        int                      bytes_each = 4 * (i + 1) * (i % 3 ? 2 : 4);

        snprintf(entry, sizeof entry,
                 ",\"backbone.layers.%d.mixer.x_proj.weight\":{\"dtype\":\"%s\",\"shape\":[4,%d],"
                 "\"data_offsets\":[%d,%d]}", i, types[i % 3], i + 1, at, at + bytes_each);
        bytes_text(&header, entry);
        at += bytes_each;
    }
    bytes_text(&header, "}");
    bytes_u8(&header, 0);
    b = file_of((char *)header.at, (size_t)at);
    bytes_free(&header);
    return b;
}

TEST(safetensors_cut_everywhere)
{
    bytes b = small_file(), prefix;

    CHECK_STATUS(bytes_read(&b), KRAIT_OK);
    bytes_cut_everywhere(&b);
    /* No prefix of a file is a file. */
    for (prefix = b, prefix.count = 0; prefix.count < b.count; prefix.count++)
        CHECK_OR_RETURN(bytes_read(&prefix) != KRAIT_OK);
    bytes_free(&b);
}

TEST(safetensors_flip_everything)
{
    bytes b = small_file();

    bytes_flip_everything(&b);
    bytes_free(&b);
}

/* Many tensors, names with one beginning, offsets in disorder. */
TEST(safetensors_many_tensors)
{
    enum { MANY = 100000 };
    bytes   header = { 0 }, b;
    reading r;
    char    entry[160];
    long    begin;

    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t at = (uint32_t)((uint64_t)i * 48611 % MANY);

        snprintf(entry, sizeof entry,
                 "%c\"layers.all.begin.alike.%u\":{\"dtype\":\"U8\",\"shape\":[1],"
                 "\"data_offsets\":[%u,%u]}", i ? ',' : '{', (unsigned)i, (unsigned)at,
                 (unsigned)at + 1);
        bytes_text(&header, entry);
    }
    bytes_text(&header, "}");
    bytes_u8(&header, 0);
    b = file_of((char *)header.at, MANY);
    begin = clock();
    reading_start(&r, b.at, b.count);
    CHECK_STATUS(r.status, KRAIT_OK);
    CHECK(seconds_since(begin) < 4);
    reading_check(&r);
    reading_end(&r);
    bytes_free(&header);
    bytes_free(&b);
}

/* A budget that is too small is told as such, wherever it runs out. */
TEST(safetensors_without_memory)
{
    bytes b = small_file();
    int   failures = 0;

    for (uint64_t budget = 1; budget < 100000; budget += 2000) {
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
    CHECK(failures > 3 && failures < 49);
    bytes_free(&b);
}
