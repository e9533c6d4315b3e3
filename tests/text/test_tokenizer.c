/* Tokenizers: arguments, what files are refused and why, hostile files and texts, memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/bits.h"
#include "krait.h"
#include "support/tiny.h"
#include "support/vocabulary.h"
#include "test.h"

enum { I32 = 5, F32 = 6, BOOL = 7, TEXT = 8, U32 = 4 };

/* Out of a copy of exactly those bytes, which are freed. */
static krait_status open_bytes(krait_tokenizer **t, bytes b, const krait_tokenizer_options *options, krait_message *why)
{
    unsigned char *exact = bytes_exact(b.at, b.count);
    krait_status   status = krait_tokenizer_open_memory(t, exact, b.count, options, why);

    free(exact);
    bytes_free(&b);
    return status;
}

static krait_tokenizer *opened(bytes b)
{
    krait_message    why = { "" };
    krait_tokenizer *t = NULL;

    CHECK_STATUS(open_bytes(&t, b, NULL, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    return t;
}

/* The ids as "1 2 3". */
static const char *ids_of(const krait_tokenizer *t, const char *text, int32_t flags)
{
    static char shown[512];
    int32_t     ids[64];
    size_t      count = 0, at = 0;

    shown[0] = '\0';
    if (CHECK_STATUS(krait_tokenizer_encode(t, text, strlen(text), flags, ids, 64, &count), KRAIT_OK))
        for (size_t i = 0; i < count; i++)
            at += (size_t)snprintf(shown + at, sizeof shown - at, "%s%d", i ? " " : "", (int)ids[i]);
    return shown;
}

static void check_small(const krait_tokenizer *t)
{
    int64_t value;

    CHECK_STR(ids_of(t, "", 0), "");
    CHECK_STR(ids_of(t, "hello", 0), "258 111");
    CHECK_STR(ids_of(t, "hel hll", 0), "256 108 32 104 257");
    CHECK_STR(ids_of(t, "a wo\n w", 0), "97 259 111 10 259");
    CHECK_STR(ids_of(t, "    w", 0), "261 259");
    CHECK_STR(ids_of(t, "x     ", 0), "120 261 32 32");
    CHECK_STR(ids_of(t, "a<|end|>b", KRAIT_TEXT_SPECIAL), "97 260 98");
    CHECK_STR(ids_of(t, "<|end|>", 0), "60 124 101 110 100 124 62");
    CHECK_STATUS(krait_tokenizer_get(t, KRAIT_TOKENIZER_COUNT, &value), KRAIT_OK);
    CHECK_INT(value, VOCABULARY_COUNT);
    CHECK_STATUS(krait_tokenizer_get(t, KRAIT_TOKENIZER_ENCODES, &value), KRAIT_OK);
    CHECK_INT(value, 1);
}

TEST(tokenizer_json_small)
{
    krait_tokenizer *t = opened(vocabulary_json_make(NULL));

    check_small(t);
    CHECK_STR(ids_of(t, "e\xcc\x81", 0), "195 169");
    krait_tokenizer_close(t);
    t = opened(vocabulary_json_make(&(vocabulary_json){ .normalizer = "null" }));
    CHECK_STR(ids_of(t, "e\xcc\x81", 0), "101 204 129");
    krait_tokenizer_close(t);
}

TEST(tokenizer_json_forms)
{
    static const char split[] =
        "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"'s|'t|'re|'ve|'m|'ll|'d| ?"
        "\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":false},"
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}";
    krait_tokenizer *t = opened(vocabulary_json_make(&(vocabulary_json){ .pre_tokenizer = split }));

    check_small(t);
    krait_tokenizer_close(t);
    t = opened(vocabulary_json_make(&(vocabulary_json){
        .merges = "[[\"h\",\"e\"],[\"l\",\"l\"],[\"he\",\"ll\"],[\"\xc4\xa0\",\"w\"]]",
        .normalizer = "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"}]}" }));
    check_small(t);
    krait_tokenizer_close(t);
    /* Not cut into words: a merge goes over what would be a boundary. */
    t = opened(vocabulary_json_make(&(vocabulary_json){
        .pre_tokenizer = "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":false}",
        .tokens = NULL, .merges = "[\"h e\",\"l l\",\"he ll\",\"\xc4\xa0 w\"]" }));
    CHECK_STR(ids_of(t, "w w", 0), "259 259");
    CHECK_STR(ids_of(t, " w", 0), "259");
    CHECK_STR(ids_of(t, "w", KRAIT_TEXT_GOES_ON), "119");
    krait_tokenizer_close(t);
    t = opened(vocabulary_json_make(&(vocabulary_json){ .options = "\"ignore_merges\":true", .merges = "[\"h e\"]" }));
    CHECK_STR(ids_of(t, "hell hello", 0), "258 32 256 108 108 111");
    krait_tokenizer_close(t);
    t = opened(vocabulary_json_make(&(vocabulary_json){ .post_processor =
        "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"E\",\"type_id\":0}},"
        "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"E\"}}],\"pair\":[],"
        "\"special_tokens\":{\"E\":{\"id\":\"E\",\"ids\":[260],\"tokens\":[\"E\"]}}}" }));
    CHECK_STR(ids_of(t, "a", KRAIT_TEXT_AROUND), "260 97 260");
    CHECK_STR(ids_of(t, "a", 0), "97");
    krait_tokenizer_close(t);
    t = opened(vocabulary_json_make(&(vocabulary_json){ .added =
        "[{\"id\":260,\"content\":\"<m>\",\"special\":true,\"normalized\":false,\"lstrip\":true,\"rstrip\":true},"
        "{\"id\":261,\"content\":\"<m>x\",\"special\":false,\"normalized\":false}]" }));
    CHECK_STR(ids_of(t, "a \t<m>\xc2\xa0 b", KRAIT_TEXT_SPECIAL), "97 260 98");
    CHECK_STR(ids_of(t, "<m>xx", KRAIT_TEXT_SPECIAL), "261 120");
    CHECK_STR(ids_of(t, "<m>", 0), "60 109 62");
    krait_tokenizer_close(t);
}

TEST(tokenizer_gguf_small)
{
    static const char *const pres[] = { NULL, "mpt", "olmo", "gpt-2", "jais" };

    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++) {
        krait_tokenizer *t = opened(vocabulary_gguf_make(pres[i], NULL, 0, 1));

        test_note("%s", pres[i] ? pres[i] : "none");
        check_small(t);
        CHECK_STR(ids_of(t, "e\xcc\x81", 0), i < 3 ? "195 169" : "101 204 129");
        krait_tokenizer_close(t);
    }
    test_note("%s", "");
}

/* A GGUF of the kind llama: unknown, a, b, c, "ab", "bc" with these scores, and no space before a text. */
static bytes scored(float ab, float bc)
{
    static const char *const texts[] = { "?", "a", "b", "c", "ab", "bc" };
    const float scores[] = { 0, 0, 0, 0, ab, bc };
    bytes       b = { 0 };

    bytes_text(&b, "GGUF");
    bytes_u32(&b, 3);
    bytes_u64(&b, 0);
    bytes_u64(&b, 5);
    vocabulary_key(&b, "tokenizer.ggml.model", TEXT);
    vocabulary_text(&b, "llama");
    vocabulary_array(&b, "tokenizer.ggml.tokens", TEXT, 6);
    for (size_t i = 0; i < 6; i++)
        vocabulary_text(&b, texts[i]);
    vocabulary_array(&b, "tokenizer.ggml.token_type", I32, 6);
    for (size_t i = 0; i < 6; i++)
        bytes_u32(&b, i ? 1 : 2);
    vocabulary_array(&b, "tokenizer.ggml.scores", F32, 6);
    for (size_t i = 0; i < 6; i++)
        bytes_u32(&b, kr_bits_of(scores[i]));
    vocabulary_key(&b, "tokenizer.ggml.add_space_prefix", BOOL);
    bytes_u8(&b, 0);
    return b;
}

TEST(tokenizer_scores)
{
    static const struct { float ab, bc; const char *ids; } cases[] = {
        { 1.5f, 2.5f, "1 5" }, { 2.5f, 1.5f, "4 3" }, { -1.5f, -2.5f, "4 3" }, { -2.5f, -1.5f, "1 5" },
        { -1, 1, "1 5" }, { 1, -1, "4 3" }, { 3, 3, "4 3" }, { -3, -3, "4 3" }, { -0.0f, 0.0f, "4 3" },
        { 1e-45f, 0, "4 3" }, { 0, 1e-45f, "1 5" }
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        krait_tokenizer *t = opened(scored(cases[i].ab, cases[i].bc));

        test_note("case %zu", i);
        CHECK_STR(ids_of(t, "abc", 0), cases[i].ids);
        CHECK_STR(ids_of(t, "xya", 0), "0 1");
        krait_tokenizer_close(t);
    }
    test_note("%s", "");
}

static void refused(bytes b, krait_status status, const char *word)
{
    krait_message    why = { "" };
    krait_tokenizer *t = (krait_tokenizer *)1;

    CHECK_STATUS(open_bytes(&t, b, NULL, &why), status);
    CHECK(t == NULL);
    if (!strstr(why.text, word))
        CHECK_STR(why.text, word);
}

TEST(tokenizer_json_refusals)
{
    const krait_status    unsupported = KRAIT_ERR_UNSUPPORTED, format = KRAIT_ERR_FORMAT;
    const struct { vocabulary_json parts; krait_status status; const char *word; } cases[] = {
        { { .normalizer = "{\"type\":\"Lowercase\"}" }, unsupported, "'normalizer' of type Lowercase" },
        { { .normalizer = "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"NFKC\"}]}" },
          unsupported, "'normalizer' of type NFKC" },
        { { .pre_tokenizer = "{\"type\":\"Metaspace\"}" }, unsupported, "'pre_tokenizer' of type Metaspace" },
        { { .pre_tokenizer = "null" }, unsupported, "'pre_tokenizer'" },
        { { .pre_tokenizer = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"},{\"type\":\"ByteLevel\"}]}" },
          unsupported, "'pre_tokenizer' of type Digits" },
        { { .pre_tokenizer = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"x\"},"
                             "\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\"}]}" }, unsupported, "type Split" },
        { { .post_processor = "{\"type\":\"BertProcessing\"}" }, unsupported, "'post_processor' of type BertProcessing" },
        { { .post_processor = "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"E\"}},"
                              "{\"Sequence\":{}}],\"special_tokens\":{\"E\":{\"ids\":[262]}}}" }, unsupported, "post_processor" },
        { { .decoder = "{\"type\":\"WordPiece\"}" }, unsupported, "'decoder' of type WordPiece" },
        { { .options = "\"dropout\":0.1" }, unsupported, "'model.dropout'" },
        { { .options = "\"byte_fallback\":true" }, unsupported, "'model.byte_fallback'" },
        { { .options = "\"end_of_word_suffix\":\"</w>\"" }, unsupported, "'model.end_of_word_suffix'" },
        { { .options = "\"continuing_subword_prefix\":\"##\"" }, unsupported, "'model.continuing_subword_prefix'" },
        { { .tokens = "\"a\":0" }, unsupported, "'model.vocab': some byte" },
        { { .tokens = "" }, unsupported, "some byte" },
        { { .merges = "[\"h x\"]" }, format, "'model.merges': number 0" },
        { { .merges = "[\"h e\",\"he\"]" }, format, "number 1" },
        { { .merges = "[\"h e\",\" he\"]" }, format, "number 1" },
        { { .merges = "[[\"h\",7]]" }, format, "number 0" },
        { { .merges = "[[\"h\"]]" }, format, "number 0" },
        { { .merges = "[7]" }, format, "number 0" },
        { { .merges = "{}" }, format, "'model.merges' is no array" },
        { { .added = "[{\"id\":260}]" }, format, "'added_tokens'" },
        { { .added = "[7]" }, format, "'added_tokens'" },
        { { .added = "{}" }, format, "'added_tokens' is no array" },
        { { .added = "[{\"id\":260,\"content\":\"x\",\"single_word\":true}]" }, unsupported, "'single_word' of token 260" },
        { { .added = "[{\"id\":-1,\"content\":\"x\"}]" }, format, "'added_tokens'" },
        { { .added = "[{\"id\":2147483647,\"content\":\"x\"}]" }, format, "'added_tokens'" },
        { { .added = "[{\"id\":9223372036854775808,\"content\":\"x\"}]" }, format, "'added_tokens'" },
        { { .added = "[{\"id\":1e9,\"content\":\"x\"}]" }, format, "'added_tokens'" },
        { { .added = "[{\"id\":2147483646,\"content\":\"x\"}]" }, format, "ids far beyond" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_note("case %zu", i);
        refused(vocabulary_json_make(&cases[i].parts), cases[i].status, cases[i].word);
    }
    test_note("%s", "");
}

static bytes of_text(const char *text)
{
    bytes b = { 0 };

    bytes_text(&b, text);
    return b;
}

TEST(tokenizer_files_refused)
{
    krait_message    why;
    krait_tokenizer *t = NULL;
    bytes            keys = { 0 }, none = { 0 };

    refused(none, KRAIT_ERR_FORMAT, "memory");
    refused(of_text("{}"), KRAIT_ERR_FORMAT, "'model' is missing");
    refused(of_text("[1]"), KRAIT_ERR_FORMAT, "'model' is missing");
    refused(of_text("{\"model\":{\"type\":\"WordPiece\"}}"), KRAIT_ERR_UNSUPPORTED, "'model' of type WordPiece");
    refused(of_text("{\"model\":{\"type\":\"BPE\"},\"pre_tokenizer\":{\"type\":\"ByteLevel\"}}"), KRAIT_ERR_FORMAT,
            "'model.vocab' is no object");
    refused(of_text("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1,\"a\":2}}}"), KRAIT_ERR_FORMAT, "a");
    refused(of_text("GGUF"), KRAIT_ERR_FORMAT, "memory");
    refused(vocabulary_gguf_make("llama-bpe", NULL, 0, 1), KRAIT_ERR_UNSUPPORTED, "tokenizer.ggml.pre");
    refused(vocabulary_gguf_make(NULL, NULL, 0, 0), KRAIT_ERR_UNSUPPORTED, "tokenizer.ggml.merges is missing");
    vocabulary_array(&keys, "tokenizer.ggml.merges", TEXT, 1);
    vocabulary_text(&keys, "h z");
    refused(vocabulary_gguf_make(NULL, &keys, 1, 0), KRAIT_ERR_UNSUPPORTED, "a merge in tokenizer.ggml.merges");
    bytes_free(&keys);
    keys = none;
    vocabulary_array(&keys, "tokenizer.ggml.merges", I32, 4);       /* element-type confusion */
    bytes_fill(&keys, 0, 16);
    refused(vocabulary_gguf_make(NULL, &keys, 1, 0), KRAIT_ERR_FORMAT, "tokenizer.ggml.merges");
    bytes_free(&keys);
    refused(scored(kr_float_of(0x7fc00000u), 0), KRAIT_ERR_UNSUPPORTED, "scores holds what is no number");
    CHECK_STATUS(krait_tokenizer_open(&t, "no such file", NULL, &why), KRAIT_ERR_IO);
    CHECK(strstr(why.text, "no such file") != NULL);
    CHECK_STATUS(krait_tokenizer_open(&t, test_data("tests/golden"), NULL, &why), KRAIT_ERR_IO);
}

/* Special ids beyond the vocabulary are as if they were not named (llama.cpp#14145). */
TEST(tokenizer_special_ids)
{
    static const uint32_t ids[] = { 260, 262, 0x7fffffff, 0x80000000, 0xffffffff };

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        bytes            keys = { 0 };
        krait_tokenizer *t;
        int64_t          value;

        vocabulary_key(&keys, "tokenizer.ggml.bos_token_id", U32);
        bytes_u32(&keys, ids[i]);
        vocabulary_key(&keys, "tokenizer.ggml.eos_token_id", U32);
        bytes_u32(&keys, ids[i]);
        vocabulary_key(&keys, "tokenizer.ggml.add_bos_token", BOOL);
        bytes_u8(&keys, 1);
        vocabulary_key(&keys, "tokenizer.ggml.add_eos_token", BOOL);
        bytes_u8(&keys, 1);
        t = opened(vocabulary_gguf_make(NULL, &keys, 4, 1));
        CHECK_STATUS(krait_tokenizer_get(t, KRAIT_TOKENIZER_BEGIN, &value), KRAIT_OK);
        CHECK_INT(value, i ? -1 : 260);
        CHECK_STATUS(krait_tokenizer_get(t, KRAIT_TOKENIZER_END, &value), KRAIT_OK);
        CHECK_INT(value, i ? -1 : 260);
        CHECK_STR(ids_of(t, "h", KRAIT_TEXT_AROUND), i ? "104" : "260 104 260");
        krait_tokenizer_close(t);
        bytes_free(&keys);
    }
}

TEST(tokenizer_arguments)
{
    krait_tokenizer        *t = opened(vocabulary_json_make(NULL));
    krait_tokenizer_options options = { .size = sizeof options };
    krait_token_info        info = { .size = sizeof info };
    krait_decoder           decoder = { { 0 }, 0, 0, { 0 } };
    krait_allocator         half = { 0 };
    krait_tokenizer        *none = (krait_tokenizer *)1;
    int32_t                 ids[4] = { -7, -7, -7, -7 };
    char                    text[8];
    int64_t                 value = 9;
    size_t                  count = 9;

    CHECK_U64(sizeof(krait_decoder), 8);
    CHECK_U64(offsetof(krait_decoder, begun), 5);
    CHECK_U64(offsetof(krait_token_info, bytes), sizeof(size_t));
    CHECK_U64(sizeof(krait_token_info), 3 * sizeof(size_t) + 8);
    CHECK_STATUS(krait_tokenizer_open(NULL, "x", NULL, NULL), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_tokenizer_open(&none, NULL, NULL, NULL), KRAIT_ERR_ARGUMENT);
    CHECK(none == NULL);
    CHECK_STATUS(krait_tokenizer_open_memory(&none, NULL, 4, NULL, NULL), KRAIT_ERR_ARGUMENT);
    options.allocator = &half;
    CHECK_STATUS(krait_tokenizer_open_memory(&none, "{}", 2, &options, NULL), KRAIT_ERR_ARGUMENT);
    options.size = 1;
    CHECK_STATUS(krait_tokenizer_open_memory(&none, "{}", 2, &options, NULL), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_tokenizer_get(t, 99, &value), KRAIT_ERR_UNSUPPORTED);
    CHECK_INT(value, 0);
    CHECK_STATUS(krait_tokenizer_get(NULL, 1, &value), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_tokenizer_encode(t, "abcdef", 6, 0, ids, 3, &count), KRAIT_ERR_SPACE);
    CHECK_U64(count, 6);
    CHECK(ids[0] == 'a' && ids[2] == 'c' && ids[3] == -7);
    CHECK_STATUS(krait_tokenizer_encode(t, "a", 1, 8, ids, 3, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_tokenizer_encode(t, NULL, 1, 0, ids, 3, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_tokenizer_encode(t, NULL, 0, 0, NULL, 0, &count), KRAIT_OK);
    CHECK_STATUS(krait_tokenizer_encode(t, "a", 1, 0, NULL, 1, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_tokenizer_encode(t, "a", 1, 0, ids, 1, NULL), KRAIT_ERR_ARGUMENT);
    ids[0] = 262;
    CHECK_STATUS(krait_tokenizer_decode(t, ids, 1, 0, text, 8, &count), KRAIT_ERR_ARGUMENT);
    ids[0] = -2;
    CHECK_STATUS(krait_tokenizer_decode(t, ids, 1, 0, text, 8, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_tokenizer_next(t, &decoder, -2, 0, text, 8, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_tokenizer_next(t, NULL, 1, 0, text, 8, &count), KRAIT_ERR_ARGUMENT);
    decoder.count = 4;
    CHECK_STATUS(krait_tokenizer_next(t, &decoder, 1, 0, text, 8, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_tokenizer_token(t, 260, &info), KRAIT_OK);
    CHECK(info.count == 7 && memcmp(info.bytes, "<|end|>", 7) == 0);
    CHECK_INT(info.flags, KRAIT_TOKEN_SPECIAL | KRAIT_TOKEN_ADDED);
    CHECK_STATUS(krait_tokenizer_token(t, 262, &info), KRAIT_ERR_ARGUMENT);
    info.size = 0;
    CHECK_STATUS(krait_tokenizer_token(t, 1, &info), KRAIT_ERR_ARGUMENT);
    krait_tokenizer_close(t);
    krait_tokenizer_close(NULL);
}

/* One euro sign in three tokens, then half of it, then what cannot become one. */
TEST(tokenizer_next_holds_back)
{
    static const struct { int32_t token; const char *out; size_t held; } steps[] = {
        { 'a', "a", 0 }, { 0xe2, "", 1 }, { 0x82, "", 2 }, { 0xac, "\xe2\x82\xac", 0 }, { 260, "", 0 },
        { 0xf0, "", 1 }, { 0x9f, "", 2 }, { 0x98, "", 3 }, { 258, "\xf0\x9f\x98hell", 0 }, { 0x80, "\x80", 0 },
        { 0xe0, "", 1 }, { 0x80, "\xe0\x80", 0 }, { 0xed, "", 1 }, { 0xa0, "\xed\xa0", 0 }, { 0xff, "\xff", 0 },
        { 0xc3, "", 1 }, { 0xe2, "\xc3", 1 }, { -1, "\xe2", 0 }, { -1, "", 0 }
    };
    krait_tokenizer *t = opened(vocabulary_json_make(NULL));
    krait_decoder    decoder = { { 0 }, 0, 0, { 0 } };
    char             text[16];
    size_t           count;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        size_t length = strlen(steps[i].out);

        test_note("step %zu", i);
        if (length) {
            CHECK_STATUS(krait_tokenizer_next(t, &decoder, steps[i].token, 0, text, length - 1, &count), KRAIT_ERR_SPACE);
            CHECK_U64(count, length);
        }
        CHECK_STATUS(krait_tokenizer_next(t, &decoder, steps[i].token, 0, text, length, &count), KRAIT_OK);
        if (CHECK_U64(count, length))
            CHECK_BYTES(text, steps[i].out, length);
        CHECK_U64(decoder.count, steps[i].held);
    }
    test_note("%s", "");
    krait_tokenizer_close(t);
}

/* Every prefix, then a flipped bit in every byte: opened or refused, all memory back, bounded. */
static void check_damaged(bytes b)
{
    unsigned char *exact;

    for (size_t i = 0; i < 2 * b.count; i++) {
        krait_tokenizer_options options = { .size = sizeof options };
        krait_tokenizer        *t = NULL;
        tiny_memory             memory;
        size_t                  cut = i < b.count ? i : b.count, count;
        int32_t                 ids[64];

        exact = bytes_exact(b.at, cut);
        if (i >= b.count)
            exact[i - b.count] ^= (unsigned char)(1 << i % 8);
        tiny_memory_start(&memory, 0, 0);
        options.allocator = &memory.allocator;
        if (krait_tokenizer_open_memory(&t, exact, cut, &options, NULL) == KRAIT_OK) {
            krait_tokenizer_encode(t, "hell<|end|>   w\xff", 15, KRAIT_TEXT_SPECIAL, ids, 64, &count);
            CHECK(count <= 64);
        }
        krait_tokenizer_close(t);
        CHECK(memory.peak < 200 * b.count + 2000000);
        CHECK_OR_RETURN(tiny_memory_end(&memory));
        free(exact);
    }
    bytes_free(&b);
}

TEST(tokenizer_json_damaged)
{
    check_damaged(vocabulary_json_make(NULL));
}

TEST(tokenizer_gguf_damaged)
{
    check_damaged(vocabulary_gguf_make("mpt", NULL, 0, 1));
}

static void check_without_memory(bytes (*make)(void))
{
    static const char text[] = "hell w   e\xcc\x81\xff aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    for (size_t n = 1; n < 10000; n++) {
        krait_tokenizer_options options = { .size = sizeof options };
        krait_tokenizer        *t = NULL;
        tiny_memory             memory;
        krait_status            status;
        size_t                  count = 7;
        int                     done;

        tiny_memory_start(&memory, n, 0);
        options.allocator = &memory.allocator;
        status = open_bytes(&t, make(), &options, NULL);
        if (status == KRAIT_OK)
            status = krait_tokenizer_encode(t, text, sizeof text - 1, 0, NULL, 0, &count);
        done = memory.calls < n;
        CHECK_STATUS(status, done ? KRAIT_ERR_SPACE : KRAIT_ERR_MEMORY);
        krait_tokenizer_close(t);
        CHECK(tiny_memory_end(&memory));
        if (done)
            return;
    }
    CHECK(!"it ends");
}

static bytes usual_json(void) { return vocabulary_json_make(NULL); }
static bytes usual_gguf(void) { return vocabulary_gguf_make("mpt", NULL, 0, 1); }

TEST(tokenizer_without_memory)
{
    krait_tokenizer_options options = { .size = sizeof options, .max_bytes = 100000 };
    krait_tokenizer        *t = NULL;

    check_without_memory(usual_json);
    check_without_memory(usual_gguf);
    CHECK_STATUS(open_bytes(&t, vocabulary_json_make(NULL), &options, NULL), KRAIT_OK);
    krait_tokenizer_close(t);
    options.max_bytes = 30000;
    CHECK_STATUS(open_bytes(&t, vocabulary_json_make(NULL), &options, NULL), KRAIT_ERR_MEMORY);
}

/* Texts on which a tokenizer that is not careful takes the square of their length, or its stack. */
TEST(tokenizer_long_texts)
{
    enum { LONG = 1000000 };
    static const char *const parts[] = { "a", "hell", "he", " ", "   ", "\xcc\x81\xcc\xa3", "\xe1\x84\x80", "<|end", "\n ", "'",
                                         "\xff", "\xf0\x9f", "ll", "\xe3\x80\x80" };
    krait_tokenizer *t = opened(vocabulary_json_make(NULL));
    char            *text = malloc(LONG);

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t length = strlen(parts[i]), count;
        long   begun = clock();

        for (size_t k = 0; k < LONG; k++)
            text[k] = parts[i][k % length];
        test_note("1 MB of part %zu", i);
        CHECK_STATUS(krait_tokenizer_encode(t, text, LONG, KRAIT_TEXT_SPECIAL, NULL, 0, &count), KRAIT_ERR_SPACE);
        CHECK(count <= LONG);
        CHECK(seconds_since(begun) < 4);
    }
    test_note("%s", "");
    free(text);
    krait_tokenizer_close(t);
}

TEST(tokenizer_of_bytes)
{
    tiny                  *small = tiny_make(NULL, 3);
    krait_model           *model = tiny_model(small);
    const krait_tokenizer *t = krait_model_tokenizer(model);
    krait_token_info       info = { .size = sizeof info };

    CHECK(krait_model_tokenizer(NULL) == NULL);
    if (CHECK(t != NULL)) {
        CHECK_STR(ids_of(t, "a\xff", 0), "97 255");
        CHECK_STATUS(krait_tokenizer_token(t, 255, &info), KRAIT_OK);
        CHECK(info.count == 1 && info.flags == 0);
        CHECK_STATUS(krait_tokenizer_token(t, 256, &info), KRAIT_ERR_ARGUMENT);
    }
    krait_model_close(model);
    tiny_free(small);
}
