/* JSON as files in the wild have it, and as somebody with bad intentions would write it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/bits.h"
#include "formats/json.h"
#include "support/bytes.h"
#include "test.h"

typedef struct document {
    kr_memory      memory;
    kr_arena       arena;
    krait_message  message;
    krait_status   status;
    const kr_json *root;
    unsigned char *copy;
} document;

static void document_start(document *d, const char *text, size_t length)
{
    memset(d, 0, sizeof *d);
    kr_memory_start(&d->memory, NULL, 0);
    kr_arena_start(&d->arena, &d->memory);
    d->copy = bytes_exact(text, length);
    d->status = kr_json_parse(&d->root, (const char *)d->copy, length, "c.json", &d->arena,
                              &d->message);
    CHECK((d->status == KRAIT_OK) == (d->root != NULL));
    CHECK((d->status == KRAIT_OK) == (d->message.text[0] == '\0'));
}

static void document_end(document *d)
{
    kr_arena_free(&d->arena);
    CHECK_U64(d->memory.held, 0);
    free(d->copy);
}

/* What kr_write_json() makes of it, or of the failure. */
static void check_json(const char *text, size_t length, const char *expected)
{
    document  d;
    kr_writer w;

    test_note("%.100s", text);
    document_start(&d, text, length);
    if (d.status == KRAIT_OK) {
        kr_writer_start(&w, &d.arena);
        kr_write_json(&w, d.root);
        CHECK(!w.broken);
        CHECK_U64(w.length, strlen(expected));
        CHECK_STR(w.text, expected);
    } else {
        CHECK_STR(d.message.text, expected);
    }
    document_end(&d);
    test_note("%s", "");
}

static void check_text(const char *text, const char *expected)
{
    check_json(text, strlen(text), expected);
}

TEST(json_values)
{
    check_text("null", "null");
    check_text(" true ", "true");
    check_text("\t\r\n[ false , {} , [ ] ]\n", "[false,{},[]]");
    check_text("{\"a\":{\"b\":[1,{\"c\":2}],\"d\":3},\"e\":[]}",
               "{\"a\":{\"b\":[1,{\"c\":2}],\"d\":3},\"e\":[]}");
    check_text("[[[1],2],3]", "[[[1],2],3]");
    check_text("{\"\":\"\"}", "{\"\":\"\"}");
}

TEST(json_numbers)
{
    check_text("[0,-1,12,9223372036854775807,-9223372036854775808]",
               "[0,-1,12,9223372036854775807,-9223372036854775808]");
    /* One more than an int64 holds: a double. */
    check_text("[9223372036854775808,-9223372036854775809,18446744073709551616]",
               "[9.223372036854776e+18,-9.223372036854776e+18,1.8446744073709552e+19]");
    check_text("[-0,0.0,1.0,1e2,1E-2,1.5e+3,0.1,-0.0]", "[-0,0,1,100,0.01,1500,0.1,-0]");
    check_text("[1e400,-1e400,1e-400]",
               "[{\"__float__\":\"Infinity\"},{\"__float__\":\"-Infinity\"},0]");
}

TEST(json_number_kinds)
{
    const char    *text = "[7,7.0,-0,1e1,true,99999999999999999999]";
    document       d;
    const kr_json *node;

    document_start(&d, text, strlen(text));
    CHECK_OR_RETURN(d.status == KRAIT_OK);
    CHECK_U64(d.root->count, 6);
    node = d.root->first;
    CHECK(node->kind == KR_JSON_NUMBER && node->flag && node->integer == 7 && node->number == 7);
    node = node->next;
    CHECK(node->kind == KR_JSON_NUMBER && !node->flag && !node->integer && node->number == 7);
    node = node->next;
    CHECK(node->kind == KR_JSON_NUMBER && !node->flag);
    CHECK_U64(kr_bits_of_double(node->number), (uint64_t)1 << 63);
    node = node->next;
    CHECK(node->kind == KR_JSON_NUMBER && !node->flag && node->number == 10);
    node = node->next;
    CHECK(node->kind == KR_JSON_BOOL && node->flag == 1);
    node = node->next;
    CHECK(node->kind == KR_JSON_NUMBER && !node->flag && node->number == 1e20);
    CHECK(node->next == NULL);
    document_end(&d);
}

/* As Python writes it, and as transformers 5 does. */
TEST(json_python_floats)
{
    const char *written = "[{\"__float__\":\"Infinity\"},{\"__float__\":\"-Infinity\"},"
                          "{\"__float__\":\"NaN\"}]";
    document    d;

    check_text("[Infinity,-Infinity,NaN]", written);
    check_text(written, written);
    check_text("{\"time_step_limit\":[0.0, Infinity]}",
               "{\"time_step_limit\":[0,{\"__float__\":\"Infinity\"}]}");
    /* Other objects of that key stay what they are. */
    check_text("[{\"__float__\":\"inf\"},{\"__float__\":1},{\"__float__\":\"NaN\",\"a\":1}]",
               "[{\"__float__\":\"inf\"},{\"__float__\":1},{\"__float__\":\"NaN\",\"a\":1}]");
    check_text("{\"__float__\\u0000\":\"NaN\"}", "{\"__float__\\u0000\":\"NaN\"}");
    check_text("[Infinit]", "c.json: line 1, column 2: a value was expected");
    check_text("[NaN1]", "c.json: line 1, column 5: a comma or ] was expected");
    document_start(&d, "{\"a\":{\"__float__\":\"Infinity\"}}", 30);
    CHECK(d.root && kr_json_get(d.root, "a")->kind == KR_JSON_NUMBER);
    CHECK(d.root && kr_json_get(d.root, "a")->number > 1e308 && kr_json_get(d.root, "a")->key);
    document_end(&d);
}

TEST(json_strings)
{
    document       d;
    const kr_json *node;

    check_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    check_text("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"",
               "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    check_text("\"\\u001f\\u007f\\uffff\"", "\"\\u001f\x7f\xef\xbf\xbf\"");
    check_text("\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"",
               "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
    document_start(&d, "{\"k\\u0000y\":\"a\\u0000b\"}", 23);
    CHECK_OR_RETURN(d.status == KRAIT_OK);
    node = d.root->first;
    CHECK_U64(node->key_length, 3);
    CHECK_BYTES(node->key, "k\0y", 4);
    CHECK_U64(node->count, 3);
    CHECK_BYTES(node->text, "a\0b", 4);
    CHECK(kr_json_get(d.root, "k") == NULL);
    CHECK(!kr_json_is(node, "a"));
    document_end(&d);
}

TEST(json_surrogates_refused)
{
    static const char *const lone[] = { "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800x\"",
                                        "\"\\ud800\\n\"", "\"\\ud800\\u0041\"",
                                        "\"\\ud800\\ud800\"", "\"\\u12\"", "\"\\u12g4\"",
                                        "\"\\x\"", "\"\\ud800\\\"" };

    for (size_t i = 0; i < sizeof lone / sizeof lone[0]; i++) {
        document d;

        test_note("%s", lone[i]);
        document_start(&d, lone[i], strlen(lone[i]));
        CHECK_STATUS(d.status, KRAIT_ERR_FORMAT);
        document_end(&d);
    }
}

TEST(json_utf8_refused)
{
    static const char *const wrong[] = {
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80", "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xe2\x82", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe", "\xf0\x9f\x98"
    };
    unsigned char *exact;
    char           text[16];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(text, sizeof text, "\"a%s\"", wrong[i]);
        check_text(text, "c.json: line 1, column 3: not UTF-8");
        exact = bytes_exact(wrong[i], strlen(wrong[i]));
        CHECK_U64(kr_json_utf8((const char *)exact, strlen(wrong[i])), 0);
        free(exact);
    }
}

TEST(json_refused)
{
    check_text("", "c.json: line 1, column 1: a value was expected");
    check_text("  \n ", "c.json: line 2, column 2: a value was expected");
    check_text("\xef\xbb\xbf{}", "c.json: line 1, column 1: begins with a byte order mark");
    check_text("{}x", "c.json: line 1, column 3: something follows the end of the document");
    check_text("{} {}", "c.json: line 1, column 4: something follows the end of the document");
    check_text("[1,]", "c.json: line 1, column 4: a value was expected");
    check_text("[,1]", "c.json: line 1, column 2: a value was expected");
    check_text("[1 2]", "c.json: line 1, column 4: a comma or ] was expected");
    check_text("[1}", "c.json: line 1, column 3: a comma or ] was expected");
    check_text("{\"a\":1]", "c.json: line 1, column 7: a comma or } was expected");
    check_text("{\"a\":1,}", "c.json: line 1, column 8: a key in quotes was expected");
    check_text("{a:1}", "c.json: line 1, column 2: a key in quotes was expected");
    check_text("{\"a\" 1}", "c.json: line 1, column 6: a colon was expected after the key \"a\"");
    check_text("{\n\"a\":1,\n  \"\xc3\xa9\": x}", "c.json: line 3, column 8: a value was expected");
    check_text("\"abc", "c.json: line 1, column 1: a string without an end");
    check_text("\"abc\\", "c.json: line 1, column 1: a string without an end");
    check_text("[\"a\nb\"]", "c.json: line 1, column 4: a control character in a string");
    check_json("[\"a\0b\"]", 7, "c.json: line 1, column 4: a control character in a string");
    check_json("[1\0]", 4, "c.json: line 1, column 3: a comma or ] was expected");
    check_text("[tru]", "c.json: line 1, column 2: a value was expected");
    check_text("[nul", "c.json: line 1, column 2: a value was expected");
    check_text("// comment\n1", "c.json: line 1, column 1: a value was expected");
    check_text("['a']", "c.json: line 1, column 2: a value was expected");
    check_text("]", "c.json: line 1, column 1: a value was expected");
    check_text("[", "c.json: line 1, column 2: a value was expected");
    check_text("{\"a\":", "c.json: line 1, column 6: a value was expected");
}

TEST(json_number_refused)
{
    static const char *const wrong[] = { "01", "-01", "-", "1.", "1.e1", "1e", "1e+", "00", "-a" };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check_text(wrong[i], "c.json: line 1, column 1: not a number as JSON writes it");
    check_text("+1", "c.json: line 1, column 1: a value was expected");
    check_text(".5", "c.json: line 1, column 1: a value was expected");
    check_text("0x10", "c.json: line 1, column 2: something follows the end of the document");
}

TEST(json_duplicates)
{
    char text[2048];
    int  at = 0;

    check_text("{\"a\":1,\"b\":2,\"a\":3}",
               "c.json: line 1, column 19: two members of this object are named \"a\"");
    check_text("{\"a\":{\"x\":1},\"b\":{\"x\":1}}", "{\"a\":{\"x\":1},\"b\":{\"x\":1}}");
    check_text("{\"a\":1,\"\\u0061\":2}",
               "c.json: line 1, column 18: two members of this object are named \"a\"");
    check_text("{\"a\":1,\"a\\u0000\":2}", "{\"a\":1,\"a\\u0000\":2}");
    /* More than are compared without memory. */
    text[at++] = '{';
    for (int i = 0; i < 40; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "\"key%d\":%d,", i, i);
    snprintf(text + at, sizeof text - (size_t)at, "\"key17\":0}");
    check_text(text, "c.json: line 1, column 431: two members of this object are named \"key17\"");
}

/* The depth is bounded, so hostile depth costs no stack. */
TEST(json_depth)
{
    enum { DEEP = 200000 };
    static char text[DEEP + 1];
    document    d;

    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    check_json(text, 128, (text[128] = '\0', text));
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    check_json(text, 130, "c.json: line 1, column 65: nested too deeply");
    for (int objects = 0; objects < 2; objects++) {
        for (int i = 0; i < DEEP; i++)
            text[i] = objects ? "{\"a\":"[i % 5] : '[';
        document_start(&d, text, DEEP);
        CHECK_STATUS(d.status, KRAIT_ERR_FORMAT);
        CHECK(strstr(d.message.text, "nested too deeply") != NULL);
        document_end(&d);
    }
}

/* Messages fit, and show nothing that a terminal would obey. */
TEST(json_messages_are_bounded)
{
    static char   text[70000];
    document      d;
    size_t        length;
    krait_message message;
    const char   *name = "a path that is longer than any message could ever be, which happens "
                         "deep in the trees of those who keep their models in nested folders/x";

    text[0] = '{';
    text[1] = '"';
    memset(text + 2, 'k', 30000);
    memcpy(text + 2, "\x7f\xc2\x9b[31m", 7);
    memcpy(text + 30002, "\" x", 4);
    document_start(&d, text, strlen(text));
    CHECK_STATUS(d.status, KRAIT_ERR_FORMAT);
    length = strlen(d.message.text);
    CHECK(length < 200 && strstr(d.message.text, "\"???[31mkkk") != NULL);
    for (size_t i = 0; i < length; i++)
        CHECK_OR_RETURN(d.message.text[i] >= 0x20 && d.message.text[i] < 0x7f);
    CHECK_STATUS(kr_json_parse(&d.root, "{\"a\"}", 5, name, &d.arena, &message), KRAIT_ERR_FORMAT);
    CHECK(strstr(message.text, "line 1, column 5: a colon") != NULL);
    document_end(&d);
}

static const char config[] =
    "{\n"
    "  \"architectures\": [\n    \"MambaForCausalLM\"\n  ],\n"
    "  \"bos_token_id\": 0,\n  \"conv_kernel\": 4,\n  \"d_inner\": 1536,\n  \"d_model\": 768,\n"
    "  \"eos_token_id\": 0,\n  \"expand\": 1.5,\n  \"fused_add_norm\": true,\n"
    "  \"hidden_act\": \"silu\",\n  \"hidden_size\": 768,\n  \"initializer_range\": 0.1,\n"
    "  \"layer_norm_epsilon\": 1e-05,\n  \"model_type\": \"mamba\",\n  \"n_layer\": 24,\n"
    "  \"pad_token_id\": null,\n  \"rescale_prenorm_residual\": false,\n"
    "  \"residual_in_fp32\": true,\n  \"ssm_cfg\": {},\n  \"state_size\": 16,\n"
    "  \"time_step_floor\": 0.0001,\n  \"time_step_limit\": [\n    0.0,\n    Infinity\n  ],\n"
    "  \"time_step_rank\": 48,\n  \"time_step_limits\": {\"__float__\": \"Infinity\"},\n"
    "  \"description\": \"caf\xc3\xa9 \\u20ac \\ud83d\\ude00 \\\"quoted\\\"\",\n"
    "  \"torch_dtype\": \"float32\",\n  \"vocab_size\": 50280\n}\n";

TEST(json_config_in_the_wild)
{
    document       d;
    const kr_json *limit;

    document_start(&d, config, sizeof config - 1);
    CHECK_OR_RETURN(d.status == KRAIT_OK);
    CHECK(kr_json_is(kr_json_get(d.root, "model_type"), "mamba"));
    CHECK_INT(kr_json_get(d.root, "vocab_size")->integer, 50280);
    CHECK(kr_json_get(d.root, "expand")->number == 1.5);
    CHECK(kr_json_get(d.root, "layer_norm_epsilon")->number == 1e-5);
    CHECK(kr_json_get(d.root, "pad_token_id")->kind == KR_JSON_NULL);
    limit = kr_json_get(d.root, "time_step_limit");
    CHECK(limit->count == 2 && limit->first->next->number > 1e308);
    CHECK(kr_json_get(d.root, "absent") == NULL);
    CHECK(kr_json_get(NULL, "absent") == NULL);
    CHECK(kr_json_get(limit, "absent") == NULL);
    CHECK(!kr_json_is(limit, "x"));
    CHECK(!kr_json_is(NULL, "x"));
    document_end(&d);
}

static void parse_and_write(const char *text, size_t length)
{
    document  d;
    kr_writer w;

    document_start(&d, text, length);
    if (d.status == KRAIT_OK) {
        kr_writer_start(&w, &d.arena);
        kr_write_json(&w, d.root);
        CHECK(!w.broken);
    } else {
        CHECK_STATUS(d.status, KRAIT_ERR_FORMAT);
    }
    document_end(&d);
}

TEST(json_cut_everywhere)
{
    for (size_t length = 0; length < sizeof config; length++)
        parse_and_write(config, length);
}

TEST(json_flip_everything)
{
    char text[sizeof config];

    memcpy(text, config, sizeof config);
    for (size_t bit = 0; bit < 8 * (sizeof config - 1); bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        test_note("bit %zu of byte %zu", bit % 8, bit / 8);
        parse_and_write(text, sizeof config - 1);
        text[bit / 8] = config[bit / 8];
    }
}

/* What is written reads back as the same. */
TEST(json_write_reads_back)
{
    document  d, again;
    kr_writer w, second;

    document_start(&d, config, sizeof config - 1);
    kr_writer_start(&w, &d.arena);
    kr_write_json(&w, d.root);
    document_start(&again, w.text, w.length);
    CHECK_STATUS(again.status, KRAIT_OK);
    kr_writer_start(&second, &again.arena);
    kr_write_json(&second, again.root);
    CHECK_STR(second.text, w.text);
    document_end(&again);
    document_end(&d);
}

TEST(json_write_pieces)
{
    document  d;
    kr_writer w;
    kr_json   opaque = { .kind = KR_JSON_OPAQUE, .count = 70, .text = "bytes" };

    document_start(&d, "1", 1);
    kr_writer_start(&w, &d.arena);
    kr_write(&w, "");
    CHECK_STR(w.text, "");
    kr_write_unsigned(&w, UINT64_MAX);
    kr_write_unsigned(&w, 0);
    kr_write(&w, " ");
    kr_write_integer(&w, INT64_MIN);
    kr_write_number(&w, 0.25);
    CHECK_STR(w.text, "184467440737095516150 -92233720368547758080.25");
    kr_writer_start(&w, &d.arena);
    kr_write_text(&w, "a\xff\0\xc3\xa9\x1b\"\xe2\x82", 9);
    kr_write_json(&w, &opaque);
    CHECK_STR(w.text, "\"a\xef\xbf\xbd\\u0000\xc3\xa9\\u001b\\\"\xef\xbf\xbd\xef\xbf\xbd\"null");
    kr_writer_start(&w, &d.arena);
    for (int i = 0; i < 100000; i++)
        kr_write(&w, "0123456789");
    CHECK(!w.broken && w.length == 1000000 && strlen(w.text) == 1000000);
    document_end(&d);
}

/* Out of memory is told once, at the end, whatever was written then. */
TEST(json_write_without_memory)
{
    kr_memory memory;
    kr_arena  arena;
    kr_writer w;

    kr_memory_start(&memory, NULL, 40000);
    kr_arena_start(&arena, &memory);
    kr_writer_start(&w, &arena);
    for (int i = 0; i < 100000; i++)
        kr_write(&w, "0123456789");
    CHECK(w.broken && w.text == NULL);
    kr_write_text(&w, "more", 4);
    CHECK(w.broken);
    kr_arena_free(&arena);
    CHECK_U64(memory.held, 0);
}

TEST(json_parse_without_memory)
{
    int failures = 0;

    for (uint64_t budget = 1; budget < 200000; budget += 4000) {
        kr_memory      memory;
        kr_arena       arena;
        const kr_json *root;
        krait_message  message = { "" };
        static char    text[8192];
        krait_status   status;
        int            at = 1;

        text[0] = '{';
        for (int i = 0; i < 300; i++)
            at += snprintf(text + at, sizeof text - (size_t)at, "\"k%d\":[\"%d\"]%s", i, i,
                           i < 299 ? "," : "}");
        kr_memory_start(&memory, NULL, budget);
        kr_arena_start(&arena, &memory);
        status = kr_json_parse(&root, text, (size_t)at, "c.json", &arena, &message);
        CHECK(status == KRAIT_OK || (status == KRAIT_ERR_MEMORY && !root && message.text[0]));
        failures += status != KRAIT_OK;
        kr_arena_free(&arena);
        CHECK_U64(memory.held, 0);
    }
    CHECK(failures > 3 && failures < 49);
}

/* Many keys with one beginning, in disorder: a comparison of all with all would take minutes. */
TEST(json_many_keys)
{
    enum { MANY = 100000 };
    bytes    text = { 0 };
    document d;
    long     begin;
    char     key[80];

    bytes_text(&text, "{");
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "%s\"blk.a.common.beginning.of.names.%08x\":1", i ? "," : "",
                 (unsigned)(i * 2654435761u));
        bytes_text(&text, key);
    }
    bytes_text(&text, "}");
    begin = clock();
    document_start(&d, (const char *)text.at, text.count);
    CHECK_STATUS(d.status, KRAIT_OK);
    CHECK(seconds_since(begin) < 2);
    document_end(&d);
    bytes_free(&text);
}

/* Each number is exact and slow to read; work stays in proportion to the text. */
TEST(json_many_numbers)
{
    enum { MANY = 100000 };
    bytes    text = { 0 };
    document d;
    long     begin;

    bytes_text(&text, "[0");
    for (int i = 0; i < MANY; i++)
        bytes_text(&text, ",1e-320");
    bytes_text(&text, "]");
    begin = clock();
    document_start(&d, (const char *)text.at, text.count);
    CHECK_STATUS(d.status, KRAIT_OK);
    CHECK(seconds_since(begin) < 4);
    document_end(&d);
    bytes_free(&text);
}
