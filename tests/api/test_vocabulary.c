/* Vocabularies of GGUF files: the bytes of tokens, what is refused, and that converting keeps them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "krait.h"
#include "support/bytes.h"
#include "support/tiny.h"
#include "support/vocabulary.h"
#include "test.h"

enum { I32 = 5, F32 = 6, TEXT = 8, ARRAY = 9, U32 = 4, ROWS = 300 };
enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

/* ---- files --------------------------------------------------------------------------- */

static void put_text(bytes *b, const char *text)
{
    bytes_u64(b, strlen(text));
    bytes_text(b, text);
}

static void put_key(bytes *b, const char *key, uint32_t type)
{
    put_text(b, key);
    bytes_u32(b, type);
}

static void put_array(bytes *b, const char *key, uint32_t type, size_t count)
{
    put_key(b, key, ARRAY);
    bytes_u32(b, type);
    bytes_u64(b, count);
}

/* A model of ROWS tokens as a GGUF without a word of its tokens. */
static unsigned char *plain_file(const char *path, size_t *count)
{
    static const char word[] = "tokenizer.ggml.";
    tiny          *t = tiny_make(&(tiny_sizes){ .vocabulary = ROWS, .layers = 1 }, 4);
    char           folder[256];
    unsigned char *file;

    test_path(folder, sizeof folder, "vocabulary");
    CHECK_STATUS(tiny_gguf(t, folder, path, KRAIT_F32, KRAIT_LAYOUT_ROWS), KRAIT_OK);
    file = tiny_read(path, count);
    for (size_t i = 0; i + sizeof word < *count; i++)
        if (memcmp(file + i, word, sizeof word - 1) == 0)
            file[i] = 'x';
    tiny_free(t);
    return file;
}

/* The file with these keys before its own.  One more of no meaning keeps the data where it is aligned. */
static bytes with_keys(const unsigned char *file, size_t count, const bytes *keys, size_t n)
{
    bytes  b = { 0 };
    size_t filler = 32 - (keys->count + 8 + 6 + 4 + 8) % 32;

    bytes_add(&b, file, 16);
    bytes_u64(&b, kr_load_u32(file + 16) + n + 1);
    bytes_add(&b, keys->at, keys->count);
    put_key(&b, "filler", TEXT);
    bytes_u64(&b, filler);
    bytes_fill(&b, '.', filler);
    bytes_add(&b, file + 24, count - 24);
    return b;
}

typedef struct entry { const char *text; int32_t type; const char *bytes; } entry;

static const entry gpt2[] = {
    { "<|endoftext|>", CONTROL, "<|endoftext|>" },
    { "\xc4\xa0the", NORMAL, " the" },                  /* U+0120 */
    { "\xc4\x8a", NORMAL, "\n" },                       /* U+010A */
    { "caf\xc3\x83\xc2\xa9", NORMAL, "caf\xc3\xa9" },   /* U+00C3 U+00A9 */
    { "\xc5\x83", NORMAL, "\xad" },                     /* U+0143, the last of the alphabet */
    { "\xc4\xa1\xc5\x82", NORMAL, "\x7f\xa0" },         /* U+0121, U+0142: behind the 33 first */
    { "    ", USER_DEFINED, "    " },
    { "\xc4\xa0", USER_DEFINED, "\xc4\xa0" },           /* as it is */
    { "[PAD8]", UNUSED, "" },
    { "\xe6\xbc\xa2", NORMAL, "\xe6\xbc\xa2" },         /* no character of the alphabet */
    { "\xc5\x84", NORMAL, "\xc5\x84" },                 /* U+0144: one beyond it */
    { "a\xff\xc4\xff", NORMAL, "a\xff\xc4\xff" },               /* not UTF-8 */
    { "", NORMAL, "" },
};
static const entry llama[] = {
    { "<unk>", UNKNOWN, "<unk>" },
    { "<s>", CONTROL, "<s>" },
    { "<0x0A>", BYTE, "\n" },
    { "<0xfF>", BYTE, "\xff" },
    { "<0x0G>", BYTE, "<0x0G>" },
    { "<0x41>", NORMAL, "<0x41>" },                     /* a text that looks so */
    { "\xe2\x96\x81the\xe2\x96\x81", NORMAL, " the " },
    { "\xe2\x96\x81", USER_DEFINED, "\xe2\x96\x81" },
    { "\xe2\x96", NORMAL, "\xe2\x96" },
    { "\xc4\xa0", NORMAL, "\xc4\xa0" },
    { "x", UNUSED, "" },
};
enum { GPT2 = sizeof gpt2 / sizeof *gpt2, LLAMA = sizeof llama / sizeof *llama };

/* Keys of a vocabulary of 'count' tokens: the entries over and over. */
static bytes vocabulary(const char *model, const entry *entries, size_t n, size_t count)
{
    bytes b = { 0 };

    put_key(&b, "tokenizer.ggml.model", TEXT);
    put_text(&b, model);
    put_array(&b, "tokenizer.ggml.tokens", TEXT, count);
    for (size_t i = 0; i < count; i++)
        put_text(&b, entries[i % n].text);
    put_array(&b, "tokenizer.ggml.token_type", I32, count);
    for (size_t i = 0; i < count; i++)
        bytes_u32(&b, (uint32_t)entries[i % n].type);
    put_array(&b, "tokenizer.ggml.scores", F32, count);
    for (size_t i = 0; i < count; i++)
        bytes_u32(&b, 0xc0a00000u + (uint32_t)i);
    put_array(&b, "tokenizer.ggml.merges", TEXT, 2);
    put_text(&b, "t h");
    put_text(&b, "th e");
    put_key(&b, "tokenizer.ggml.bos_token_id", U32);
    bytes_u32(&b, 1);
    put_key(&b, "tokenizer.ggml.eos_token_id", U32);
    bytes_u32(&b, 2);
    put_key(&b, "tokenizer.ggml.add_bos_token", 7);
    bytes_u8(&b, 1);
    put_key(&b, "tokenizer.ggml.some_number", 6);
    bytes_u32(&b, 0x3f800000u);
    return b;
}
enum { KEYS = 9 };

static krait_model *opened(const char *path)
{
    krait_message why = { "" };
    krait_model  *model = NULL;

    CHECK_STATUS(krait_model_open(&model, path, NULL, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    return model;
}

/* Neither can encode: gpt2's lacks bytes, and llama's only can where it has its token for what is unknown. */
static void check_tokens(const krait_model *model, const entry *entries, size_t n, size_t count)
{
    const char *text;
    size_t      length, tokens;
    int64_t     value = 0, encodes = 0;

    for (size_t i = 0; i < count; i++) {
        test_note("token %zu", i);
        if (!CHECK_STATUS(krait_token_bytes(model, (int32_t)i, &text, &length), KRAIT_OK))
            return;
        if (CHECK_U64(length, strlen(entries[i % n].bytes)))
            CHECK_BYTES(text, entries[i % n].bytes, length);
    }
    test_note("%s", "");
    CHECK_STATUS(krait_token_bytes(model, (int32_t)count, &text, &length), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_token_bytes(model, -1, &text, &length), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_token_bytes(model, INT32_MAX, &text, &length), KRAIT_ERR_ARGUMENT);
    CHECK(text == NULL && length == 0);
    CHECK_STATUS(krait_tokenizer_get(krait_model_tokenizer(model), KRAIT_TOKENIZER_ENCODES, &encodes), KRAIT_OK);
    CHECK_INT(encodes, entries[0].type == UNKNOWN);
    CHECK_STATUS(krait_encode(model, "x", 1, 0, NULL, 0, &tokens), encodes ? KRAIT_ERR_SPACE : KRAIT_ERR_UNSUPPORTED);
    CHECK_STATUS(krait_model_get(model, KRAIT_END_TOKEN, &value), KRAIT_OK);
    CHECK_INT(value, 2);
    CHECK_STATUS(krait_model_get(model, KRAIT_VOCABULARY, &value), KRAIT_OK);
    CHECK_INT(value, ROWS);
}

/* The bytes of one file as long as they stand somewhere in the other. */
static int holds(const char *path, const bytes *part)
{
    size_t         count = 0, at = 0;
    unsigned char *file = tiny_read(path, &count);

    while (at + part->count <= count && memcmp(file + at, part->at, part->count) != 0)
        at++;
    free(file);
    return at + part->count <= count;
}

/* Short ones are read as small arrays, long ones as opaque ones; the last is of every row. */
static void check_vocabulary(const char *name, const entry *entries, size_t n)
{
    static const size_t counts[] = { 1, 64, 65, 200, ROWS };
    char           path[256], again[256], third[256];
    size_t         size = 0;
    unsigned char *plain;

    test_path(path, sizeof path, "vocabulary.gguf");
    test_path(again, sizeof again, "vocabulary-again.gguf");
    test_path(third, sizeof third, "vocabulary-third.gguf");
    plain = plain_file(path, &size);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        krait_convert_options options = { .size = sizeof options, .layout = i % 2 };
        bytes        keys = vocabulary(name, entries, n, counts[i]), file = with_keys(plain, size, &keys, KEYS);
        krait_model *model;

        test_note("%s, %zu tokens", name, counts[i]);
        tiny_write(path, file.at, file.count);
        model = opened(path);
        check_tokens(model, entries, n, counts[i]);
        krait_model_close(model);
        /* All of it goes over, once and twice. */
        CHECK_STATUS(krait_convert(path, again, &options, NULL), KRAIT_OK);
        CHECK(holds(again, &keys));
        CHECK_STATUS(krait_convert(again, third, NULL, NULL), KRAIT_OK);
        CHECK(holds(third, &keys));
        model = opened(again);
        check_tokens(model, entries, n, counts[i]);
        krait_model_close(model);
        bytes_free(&keys);
        bytes_free(&file);
    }
    test_note("%s", "");
    free(plain);
}

TEST(vocabulary_gpt2)
{
    check_vocabulary("gpt2", gpt2, GPT2);
}

TEST(vocabulary_llama)
{
    check_vocabulary("llama", llama, LLAMA);
}

/* Every byte and its character of GPT-2's alphabet, as its paper's code pairs them. */
TEST(vocabulary_gpt2_alphabet)
{
    char           path[256], texts[256][3];
    entry          entries[256];
    size_t         size = 0, extra = 0;
    unsigned char *plain, all[256];
    krait_model   *model;
    bytes          keys, file;

    for (size_t byte = 0; byte < 256; byte++) {
        int      itself = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
        unsigned c = (unsigned)(itself ? byte : 256 + extra++);

        snprintf(texts[byte], 3, "%c%c", c < 0x80 ? (int)c : (int)(0xc0 | c >> 6), c < 0x80 ? 0 : (int)(0x80 | (c & 0x3f)));
        entries[byte] = (entry){ texts[byte], NORMAL, NULL };
        all[byte] = (unsigned char)byte;
    }
    test_path(path, sizeof path, "vocabulary-alphabet.gguf");
    plain = plain_file(path, &size);
    keys = vocabulary("gpt2", entries, 256, 256);
    file = with_keys(plain, size, &keys, KEYS);
    tiny_write(path, file.at, file.count);
    model = opened(path);
    for (size_t byte = 0; byte < 256; byte++) {
        const char *text = NULL;
        size_t      length = 0;

        CHECK_STATUS(krait_token_bytes(model, (int32_t)byte, &text, &length), KRAIT_OK);
        if (CHECK_U64(length, 1))
            CHECK_BYTES(text, &all[byte], 1);
    }
    krait_model_close(model);
    bytes_free(&keys);
    bytes_free(&file);
    free(plain);
}

/* Of a kind that is not known: kept, but nobody guesses at bytes. */
TEST(vocabulary_unknown_kind)
{
    char           path[256], to[256];
    size_t         size = 0, length;
    unsigned char *plain;
    bytes          keys = vocabulary("rwkv", gpt2, GPT2, 100), file;
    const char    *text;
    krait_model   *model;

    test_path(path, sizeof path, "vocabulary-unknown.gguf");
    test_path(to, sizeof to, "vocabulary-unknown-to.gguf");
    plain = plain_file(path, &size);
    file = with_keys(plain, size, &keys, KEYS);
    tiny_write(path, file.at, file.count);
    model = opened(path);
    CHECK_STATUS(krait_token_bytes(model, 1, &text, &length), KRAIT_ERR_UNSUPPORTED);
    CHECK_STR(krait_model_text(model, "tokenizer.ggml.model"), "rwkv");
    krait_model_close(model);
    CHECK_STATUS(krait_convert(path, to, NULL, NULL), KRAIT_OK);
    CHECK(holds(to, &keys));
    bytes_free(&keys);
    bytes_free(&file);
    free(plain);
}

static void refused(const unsigned char *plain, size_t size, bytes keys, size_t n, krait_status status, const char *word)
{
    bytes          file = with_keys(plain, size, &keys, n);
    unsigned char *exact = tiny_aligned(file.at, file.count);
    krait_message  why = { "" };
    krait_model   *model = (krait_model *)1;

    CHECK_STATUS(krait_model_open_memory(&model, exact, file.count, NULL, &why), status);
    CHECK(model == NULL);
    if (!strstr(why.text, word))
        CHECK_STR(why.text, word);
    free(exact);
    bytes_free(&keys);
    bytes_free(&file);
}

/* Key 'key' of the vocabulary, of 'count' zeros of that type and size in place of its own. */
static bytes other_array(const char *key, uint32_t type, size_t width, size_t count)
{
    bytes b = { 0 };

    put_key(&b, "tokenizer.ggml.model", TEXT);
    put_text(&b, "gpt2");
    put_array(&b, "tokenizer.ggml.tokens", TEXT, 70);
    for (size_t i = 0; i < 70; i++)
        put_text(&b, "t");
    put_array(&b, key, type, count);
    bytes_fill(&b, 0, width * count);
    return b;
}

TEST(vocabulary_refusals)
{
    static const entry wrong[] = { { "a", 7, "" } }, below[] = { { "a", -1, "" } };
    char           path[256];
    size_t         size = 0;
    unsigned char *plain;
    bytes          b = { 0 };

    test_path(path, sizeof path, "vocabulary-refused.gguf");
    plain = plain_file(path, &size);
    refused(plain, size, vocabulary("gpt2", gpt2, GPT2, ROWS + 1), KEYS, KRAIT_ERR_SHAPE, "301 tokens");
    refused(plain, size, vocabulary("gpt2", wrong, 1, 3), KEYS, KRAIT_ERR_FORMAT, "token_type");
    refused(plain, size, vocabulary("llama", below, 1, 100), KEYS, KRAIT_ERR_FORMAT, "token_type");
    refused(plain, size, other_array("tokenizer.ggml.token_type", I32, 4, 69), 3, KRAIT_ERR_FORMAT, "token_type");
    refused(plain, size, other_array("tokenizer.ggml.token_type", I32, 4, 71), 3, KRAIT_ERR_FORMAT, "token_type");
    refused(plain, size, other_array("tokenizer.ggml.token_type", F32, 4, 70), 3, KRAIT_ERR_FORMAT, "token_type");
    refused(plain, size, other_array("tokenizer.ggml.scores", F32, 4, 3), 3, KRAIT_ERR_FORMAT, "scores");
    refused(plain, size, other_array("tokenizer.ggml.scores", 12, 8, 70), 3, KRAIT_ERR_FORMAT, "scores");
    put_array(&b, "tokenizer.ggml.tokens", TEXT, 1);
    put_text(&b, "a");
    refused(plain, size, b, 1, KRAIT_ERR_FORMAT, "tokenizer.ggml.model");
    b = (bytes){ 0 };
    put_key(&b, "tokenizer.ggml.model", TEXT);
    put_text(&b, "gpt2");
    put_key(&b, "tokenizer.ggml.tokens", U32);
    bytes_u32(&b, 0);
    refused(plain, size, b, 2, KRAIT_ERR_FORMAT, "tokenizer.ggml.tokens");
    b = (bytes){ 0 };
    put_key(&b, "tokenizer.ggml.model", TEXT);
    put_text(&b, "gpt2");
    put_array(&b, "tokenizer.ggml.tokens", I32, 100);
    bytes_fill(&b, 0, 400);
    refused(plain, size, b, 2, KRAIT_ERR_FORMAT, "tokenizer.ggml.tokens");
    b = (bytes){ 0 };
    put_key(&b, "tokenizer.ggml.model", TEXT);
    put_text(&b, "gpt2");
    put_array(&b, "tokenizer.ggml.tokens", TEXT, UINT32_MAX);
    refused(plain, size, b, 2, KRAIT_ERR_FORMAT, "tokenizer.ggml.tokens");
    free(plain);
}

/* The most memory that opening takes at once. */
static uint64_t peak_of(const unsigned char *file, size_t count)
{
    krait_open_options options = { .size = sizeof options };
    krait_model       *model = NULL;
    tiny_memory        memory;

    tiny_memory_start(&memory, 0, 0);
    options.allocator = &memory.allocator;
    CHECK_STATUS(krait_model_open_memory(&model, file, count, &options, NULL), KRAIT_OK);
    krait_model_close(model);
    CHECK(tiny_memory_end(&memory));
    return memory.peak;
}

/* No byte of the vocabulary, whatever becomes of it, makes krait read or keep more than there is. */
TEST(vocabulary_damaged)
{
    char           path[256];
    size_t         size = 0;
    unsigned char *plain, *exact;
    bytes          keys = vocabulary("gpt2", gpt2, GPT2, 70), none = { 0 }, file;
    uint64_t       most;

    test_path(path, sizeof path, "vocabulary-damaged.gguf");
    plain = plain_file(path, &size);
    file = with_keys(plain, size, &none, 0);
    exact = tiny_aligned(file.at, file.count);
    most = peak_of(exact, file.count) + 8 * keys.count + 32768;     /* two blocks of an arena */
    free(exact);
    bytes_free(&file);
    file = with_keys(plain, size, &keys, KEYS);
    exact = tiny_aligned(file.at, file.count);
    CHECK(peak_of(exact, file.count) <= most);
    for (size_t i = 24; i < 24 + keys.count; i++)
        for (int bit = 0; bit < 8; bit += 1 + (i % 3 != 0)) {
            krait_open_options options = { .size = sizeof options };
            krait_model       *model = NULL;
            tiny_memory        memory;
            const char        *text;
            size_t             length;

            tiny_memory_start(&memory, 0, 0);
            options.allocator = &memory.allocator;
            exact[i] ^= (unsigned char)(1 << bit);
            if (krait_model_open_memory(&model, exact, file.count, &options, NULL) == KRAIT_OK)
                for (int32_t token = -1; token <= ROWS; token++)
                    if (krait_token_bytes(model, token, &text, &length) == KRAIT_OK)
                        CHECK(length <= keys.count);
            exact[i] ^= (unsigned char)(1 << bit);
            krait_model_close(model);
            CHECK(memory.peak <= most);
            CHECK(tiny_memory_end(&memory));
        }
    free(exact);
    bytes_free(&keys);
    bytes_free(&file);
    free(plain);
}

TEST(vocabulary_without_memory)
{
    char           path[256];
    size_t         size = 0;
    unsigned char *plain;
    bytes          keys = vocabulary("llama", llama, LLAMA, ROWS), file;

    test_path(path, sizeof path, "vocabulary-memory.gguf");
    plain = plain_file(path, &size);
    file = with_keys(plain, size, &keys, KEYS);
    tiny_write(path, file.at, file.count);
    for (size_t n = 1;; n++) {
        krait_open_options options = { .size = sizeof options };
        krait_model       *model = NULL;
        tiny_memory        memory;
        krait_status       status;
        int                done;

        tiny_memory_start(&memory, n, 0);
        options.allocator = &memory.allocator;
        status = krait_model_open(&model, path, &options, NULL);
        done = memory.calls < n;
        CHECK_STATUS(status, done ? KRAIT_OK : KRAIT_ERR_MEMORY);
        krait_model_close(model);
        CHECK(tiny_memory_end(&memory));
        if (done)
            break;
    }
    bytes_free(&keys);
    bytes_free(&file);
    free(plain);
}

/* The tokenizer.json of a folder is the model's own, and goes over into a GGUF and out of it. */
TEST(vocabulary_of_a_folder)
{
    tiny         *t = tiny_make(&(tiny_sizes){ .vocabulary = ROWS, .layers = 1 }, 4);
    bytes         json = vocabulary_json_make(NULL);
    char          folder[256], path[300], to[256], again[256];
    krait_model  *model;
    krait_message why = { "" };

    test_path(folder, sizeof folder, "vocabulary-folder");
    test_path(to, sizeof to, "vocabulary-folder.gguf");
    test_path(again, sizeof again, "vocabulary-folder-again.gguf");
    tiny_folder(t, folder);
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    tiny_write(path, json.at, json.count);
    CHECK_STATUS(krait_convert(folder, to, NULL, NULL), KRAIT_OK);
    CHECK_STATUS(krait_convert(to, again, NULL, NULL), KRAIT_OK);
    for (int i = 0; i < 3; i++) {
        krait_tokenizer *alone = NULL;
        const char      *from = i == 0 ? folder : i == 1 ? to : again;
        int32_t          ids[4] = { 0 };
        size_t           count = 0;

        test_note("%s", from);
        model = opened(from);
        CHECK(krait_model_tokenizer(model) != NULL);
        CHECK_STATUS(krait_encode(model, "hello", 5, 0, ids, 4, &count), KRAIT_OK);
        CHECK(count == 2 && ids[0] == 258 && ids[1] == 'o');
        CHECK_STATUS(krait_tokenizer_open(&alone, from, NULL, &why), KRAIT_OK);
        CHECK_STATUS(krait_tokenizer_encode(alone, "hello", 5, 0, ids, 4, &count), KRAIT_OK);
        CHECK(count == 2 && ids[0] == 258);
        krait_tokenizer_close(alone);
        krait_model_close(model);
    }
    test_note("%s", "");
    /* One that cannot be used is no reason not to run the model. */
    tiny_write(path, "{\"model\":{}}", 12);
    model = opened(folder);
    CHECK(krait_model_tokenizer(model) == NULL);
    CHECK_STATUS(krait_encode(model, "hello", 5, 0, NULL, 0, &(size_t){ 0 }), KRAIT_ERR_UNSUPPORTED);
    krait_model_close(model);
    bytes_free(&json);
    tiny_free(t);
}
