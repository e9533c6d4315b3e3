/*
 * Files and descriptions of somebody who means harm, or of a broken disk: an error, or a model
 * that can be run.  What is read lies in blocks of exactly its size, for the sanitizers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "krait.h"
#include "support/tiny.h"
#include "test.h"

enum { MOST_BYTES = 1 << 22 };          /* that a file of two kilobytes may make anyone allocate */

static const tiny_sizes smallest = { .vocabulary = 3, .layers = 1, .width = 2, .inner = 3, .states = 2,
                                     .taps = 2, .rank = 1 };

/* A model that came of damage is a model: it steps, tells of itself, and its states are saved. */
static void use(const krait_model *model)
{
    krait_state_options options = { .size = sizeof options, .lanes = 2, .chunk = 3 };
    krait_state        *state;
    int64_t             vocabulary = 0, in = 0, width = 0;
    krait_tensor        tensor;
    uint64_t            hash;
    size_t              bytes;

    krait_model_get(model, KRAIT_VOCABULARY, &vocabulary);
    krait_model_get(model, KRAIT_IN_WIDTH, &in);
    krait_model_get(model, KRAIT_OUT_WIDTH, &width);
    CHECK(width > 0 && width < 5000 && in > 0 && in < 5000);
    for (size_t i = 0; krait_model_key(model, i); i++)
        CHECK(krait_model_text(model, krait_model_key(model, i)) != NULL);
    for (size_t i = 0; krait_model_tensor(model, i, &tensor) == KRAIT_OK; i++)
        CHECK(tensor.name != NULL);
    CHECK_STATUS(krait_model_hash(model, &hash), KRAIT_OK);
    CHECK_STATUS(krait_state_bytes(model, &options, &bytes), KRAIT_OK);
    if (bytes > MOST_BYTES || krait_state_create(&state, model, &options, NULL) != KRAIT_OK)
        return;
    {
        size_t       rows = 2 * 5;
        int32_t     *tokens = calloc(rows, sizeof *tokens);
        float       *features = calloc(rows * (size_t)in, sizeof *features);
        float       *out = malloc(rows * (size_t)width * sizeof *out);
        krait_input  input = { .size = sizeof input, .steps = 5, .tokens = vocabulary ? tokens : NULL,
                               .features = vocabulary ? NULL : features };
        krait_output output = { .size = sizeof output, .rows = out, .capacity = rows * (size_t)width };

        for (size_t i = 0; i < rows; i++)
            tokens[i] = vocabulary ? (int32_t)(i % (size_t)vocabulary) : 0;
        CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
        free(tokens);
        free(features);
        free(out);
    }
    CHECK_STATUS(krait_state_hash(model, state, KRAIT_ALL_LANES, &hash), KRAIT_OK);
    krait_state_destroy(state, NULL);
}

static void outcome(tiny_memory *memory, krait_model *model, krait_status status, const krait_message *message)
{
    if (status == KRAIT_OK) {
        CHECK(model != NULL && message->text[0] == '\0');
        if (model)
            use(model);
    } else {
        CHECK(model == NULL && message->text[0] != '\0');
        CHECK(memchr(message->text, '\0', sizeof message->text) != NULL);
    }
    krait_model_close(model);
    CHECK(memory->peak <= MOST_BYTES);
    CHECK(tiny_memory_end(memory));
}

/* Opens a copy of the bytes; BORROW needs it aligned. */
static krait_status attempt(const unsigned char *bytes, size_t count, int32_t flags)
{
    tiny_memory        memory;
    krait_model       *model = (krait_model *)1;
    krait_message      message = { "" };
    krait_open_options options = { .size = sizeof options, .flags = flags };
    unsigned char     *copy = flags & KRAIT_OPEN_BORROW ? tiny_aligned(bytes, count) : malloc(count ? count : 1);
    krait_status       status;

    if (count && !(flags & KRAIT_OPEN_BORROW))
        memcpy(copy, bytes, count);
    tiny_memory_start(&memory, 0, 0);
    options.allocator = &memory.allocator;
    status = krait_model_open_memory(&model, copy, count, &options, &message);
    outcome(&memory, model, status, &message);
    free(copy);
    return status;
}

/* The last 'padding' bytes may be missing: they pad the last tensor of a GGUF. */
static void cut_and_flip(unsigned char *bytes, size_t count, size_t padding, int32_t flags)
{
    for (size_t n = 0; n < count; n++) {
        test_note("the first %zu bytes of %zu", n, count);
        CHECK_INT(attempt(bytes, n, flags) == KRAIT_OK, n >= count - padding);
    }
    for (size_t bit = 0; bit < 8 * count; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        test_note("bit %zu of byte %zu", bit % 8, bit / 8);
        attempt(bytes, count, flags);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    test_note("%s", "");
    CHECK_STATUS(attempt(bytes, count, flags), KRAIT_OK);
}

static unsigned char *smallest_gguf(int32_t type, int32_t layout, size_t *count)
{
    tiny          *t = tiny_make(&smallest, 1);
    char           folder[256], path[256];
    unsigned char *bytes;

    test_path(folder, sizeof folder, "smallest");
    test_path(path, sizeof path, "smallest.gguf");
    CHECK_STATUS(tiny_gguf(t, folder, path, type, layout), KRAIT_OK);
    bytes = tiny_read(path, count);
    tiny_free(t);
    return bytes;
}

TEST(hostile_gguf)
{
    size_t         count = 0;
    unsigned char *bytes = smallest_gguf(KRAIT_F32, KRAIT_LAYOUT_ROWS, &count);

    CHECK(count > 1500 && count < 3000);
    cut_and_flip(bytes, count, 32 - 8, 0);      /* two floats */
    free(bytes);
}

TEST(hostile_panels)
{
    size_t         count = 0;
    unsigned char *bytes = smallest_gguf(KRAIT_F16, KRAIT_LAYOUT_PANELS, &count);

    CHECK(count > 1500 && count < 5000);
    cut_and_flip(bytes, count, 64 - 8, KRAIT_OPEN_BORROW);
    free(bytes);
}

/* krait's own tree with its description, as GGUF and as safetensors. */
static const char own_tree[] =
    "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":2},\"tree\":{\"sequence\":["
    "{\"repeat\":{\"n\":2,\"of\":{\"residual\":{\"linear\":{\"width\":2,\"weights\":{\"weight\":"
    "{\"tensor\":\"w\",\"rows\":[1,3],\"transpose\":true},\"bias\":{\"tensor\":\"w\",\"index\":0}}}}}}},"
    "{\"conv\":{\"taps\":2,\"name\":\"c\"}},{\"linear\":{\"width\":1,\"name\":\"h\"}}]}}";

static unsigned char *own_safetensors(size_t *count)
{
    static const float numbers[16] = { 1, -2, 0.5f, 4, 0.25f, 3, 1, 1 };
    tiny               t = { .count = 3 };

    t.tensors[0] = (krait_tensor){ "w", numbers, 24, { 3, 2 }, 2, KRAIT_F32 };
    t.tensors[1] = (krait_tensor){ "c.weight", numbers, 16, { 2, 1, 2 }, 3, KRAIT_F32 };
    t.tensors[2] = (krait_tensor){ "h.weight", numbers, 4, { 1, 2 }, 2, KRAIT_BF16 };
    return tiny_safetensors(&t, own_tree, count);
}

TEST(hostile_safetensors)
{
    size_t         count;
    unsigned char *bytes = own_safetensors(&count);

    CHECK(count > 500 && count < 2000);
    cut_and_flip(bytes, count, 0, 0);
    free(bytes);
}

TEST(hostile_gguf_with_a_description)
{
    char           from[256], to[256];
    size_t         count;
    unsigned char *bytes = own_safetensors(&count);
    krait_convert_options options = { .size = sizeof options, .layout = KRAIT_LAYOUT_PANELS };

    test_path(from, sizeof from, "own.safetensors");
    test_path(to, sizeof to, "own.gguf");
    tiny_write(from, bytes, count);
    free(bytes);
    CHECK_STATUS(krait_convert(from, to, &options, NULL), KRAIT_OK);
    bytes = tiny_read(to, &count);
    CHECK(count < 2000);
    cut_and_flip(bytes, count, 0, KRAIT_OPEN_BORROW);   /* panels are whole */
    free(bytes);
}

/* A safetensors file of Hugging Face's, with config.json given: prefixes and flips of both. */
TEST(hostile_folder)
{
    tiny              *t = tiny_make(&smallest, 1);
    size_t             count;
    unsigned char     *bytes = tiny_safetensors(t, NULL, &count);
    krait_open_options options = { .size = sizeof options, .description = t->config };

    CHECK(count > 1000 && count < 3000);
    for (size_t n = 0; n < 9 * count; n++) {
        size_t         kept = n < count ? n : count, bit = n - count;
        unsigned char *copy = malloc(kept ? kept : 1);
        tiny_memory    memory;
        krait_model   *model = (krait_model *)1;
        krait_message  message = { "" };
        krait_status   status;

        if (kept)
            memcpy(copy, bytes, kept);
        if (n >= count)
            copy[bit / 8] ^= (unsigned char)(1u << bit % 8);
        test_note("case %zu", n);
        tiny_memory_start(&memory, 0, 0);
        options.allocator = &memory.allocator;
        status = krait_model_open_memory(&model, copy, kept, &options, &message);
        CHECK(status != KRAIT_OK || n >= count);
        outcome(&memory, model, status, &message);
        free(copy);
    }
    test_note("%s", "");
    free(bytes);
    tiny_free(t);
}

static void described(const tiny *t, const char *config, size_t count)
{
    char              *copy = malloc(count + 1);
    tiny_memory        memory;
    krait_model       *model = (krait_model *)1;
    krait_message      message = { "" };
    krait_open_options options = { .size = sizeof options, .allocator = &memory.allocator };
    krait_status       status;

    memcpy(copy, config, count);
    copy[count] = '\0';
    tiny_memory_start(&memory, 0, 0);
    status = krait_model_create(&model, copy, t->tensors, t->count, &options, &message);
    outcome(&memory, model, status, &message);
    free(copy);
}

TEST(hostile_config)
{
    tiny  *t = tiny_make(&smallest, 1);
    size_t count = strlen(t->config);

    for (size_t n = 0; n < count; n++) {
        test_note("the first %zu bytes", n);
        described(t, t->config, n);
    }
    for (size_t bit = 0; bit < 8 * count; bit++) {
        t->config[bit / 8] ^= (char)(1u << bit % 8);
        test_note("bit %zu of byte %zu", bit % 8, bit / 8);
        described(t, t->config, count);
        t->config[bit / 8] ^= (char)(1u << bit % 8);
    }
    test_note("%s", "");
    tiny_free(t);
}

/* The same on disk, where a file's text has no end: every prefix of config.json and of the weights. */
TEST(hostile_files)
{
    static const char *const files[] = { "config.json", "model.safetensors" };
    tiny *t = tiny_make(&smallest, 1);
    char  folder[256];

    test_path(folder, sizeof folder, "cut");
    tiny_folder(t, folder);
    for (int i = 0; i < 2; i++) {
        char           path[300];
        size_t         count = 0;
        unsigned char *bytes;

        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        bytes = tiny_read(path, &count);
        for (size_t n = 0; n <= count; n += i ? 13 : 2) {
            tiny_memory        memory;
            krait_model       *model = (krait_model *)1;
            krait_message      message = { "" };
            krait_open_options options = { .size = sizeof options, .allocator = &memory.allocator,
                                           .flags = n % 3 ? KRAIT_OPEN_READ : 0 };
            krait_status       status;

            tiny_write(path, bytes, n);
            test_note("the first %zu bytes of %s", n, files[i]);
            tiny_memory_start(&memory, 0, 0);
            status = krait_model_open(&model, folder, &options, &message);
            CHECK(n + 13 > count || status == KRAIT_ERR_FORMAT);
            outcome(&memory, model, status, &message);
        }
        tiny_write(path, bytes, count);
        free(bytes);
    }
    test_note("%s", "");
    tiny_free(t);
}

/* ---- GGUF's keys ---- */

/* Where the head ends, before the padding; and where one key's type begins, and its value ends. */
typedef struct head { size_t end, type, value_end; } head;

static size_t u64_at(const unsigned char *bytes, size_t at)
{
    return (size_t)((uint64_t)kr_load_u32(bytes + at) | (uint64_t)kr_load_u32(bytes + at + 4) << 32);
}

static size_t key_end(const unsigned char *bytes, size_t at)
{
    at += 8 + u64_at(bytes, at);
    return at + 4 + (kr_load_u32(bytes + at) == 8 ? 8 + u64_at(bytes, at + 4) : 4);
}

static size_t info_end(const unsigned char *bytes, size_t at)
{
    at += 8 + u64_at(bytes, at);
    return at + 4 + 8 * kr_load_u32(bytes + at) + 4 + 8;
}

static head head_of(const unsigned char *bytes, const char *key)
{
    head   h = { 24, 0, 0 };
    size_t n_tensors = u64_at(bytes, 8), n_keys = u64_at(bytes, 16);

    while (n_keys-- > 0) {
        size_t length = u64_at(bytes, h.end), at = h.end + 8 + length;
        int    found = strlen(key) == length && memcmp(bytes + h.end + 8, key, length) == 0;

        h.end = key_end(bytes, h.end);
        if (found) {
            h.type = at;
            h.value_end = h.end;
        }
    }
    while (n_tensors-- > 0)
        h.end = info_end(bytes, h.end);
    return h;
}

/* The file with another type and value for one key; the data is moved to where it belongs. */
static krait_status with_value(const unsigned char *bytes, size_t count, const char *key, const void *value,
                               size_t size)
{
    head           h = head_of(bytes, key);
    size_t         data = h.end + (32 - h.end % 32) % 32, end = h.end - (h.value_end - h.type) + size;
    size_t         begin = end + (32 - end % 32) % 32;
    unsigned char *other = calloc(1, begin + count - data);
    krait_status   status;

    CHECK(h.type > 0);
    memcpy(other, bytes, h.type);
    memcpy(other + h.type, value, size);
    memcpy(other + h.type + size, bytes + h.value_end, h.end - h.value_end);
    memcpy(other + begin, bytes + data, count - data);
    status = attempt(other, begin + count - data, 0);
    free(other);
    return status;
}

static const char *const sizes[] = {
    "mamba.embedding_length", "mamba.block_count", "mamba.ssm.inner_size", "mamba.ssm.state_size",
    "mamba.ssm.conv_kernel", "mamba.ssm.time_step_rank",
};

TEST(hostile_gguf_sizes)
{
    static const uint32_t values[] = { 0, 1, 2, 3, 4, 5, 255, 4095, 4096, 4097, 65535, 65536, 65537, 1u << 20,
                                       (1u << 20) + 1, 1u << 22, (1u << 22) + 1, 0x7fffffffu, 0x80000000u, 0xffffffffu };
    size_t         count = 0;
    unsigned char *bytes = smallest_gguf(KRAIT_F32, KRAIT_LAYOUT_ROWS, &count);

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        head     h = head_of(bytes, sizes[i]);
        uint32_t right = kr_load_u32(bytes + h.type + 4);

        CHECK_U64(kr_load_u32(bytes + h.type), 4);
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            krait_status status;

            kr_store_u32(bytes + h.type + 4, values[k]);
            test_note("%s is %u", sizes[i], (unsigned)values[k]);
            status = attempt(bytes, count, 0);
            CHECK_INT(status == KRAIT_OK, values[k] == right);
            CHECK(status == KRAIT_OK || status == KRAIT_ERR_FORMAT || status == KRAIT_ERR_SHAPE);
        }
        kr_store_u32(bytes + h.type + 4, right);
    }
    test_note("%s", "");
    free(bytes);
}

/* Every key as every other type: a number of the right value may do, nothing else does. */
TEST(hostile_gguf_types)
{
    static const char *const others[] = { "mamba.attention.layer_norm_rms_epsilon", "general.architecture",
                                          "general.file_type", "tokenizer.ggml.model", "tokenizer.ggml.eos_token_id" };
    static const struct { const char *bytes; size_t size; int number; } values[] = {
        { "\0\0\0\0\1", 5, 1 }, { "\1\0\0\0\1", 5, 1 }, { "\1\0\0\0\377", 5, 0 }, { "\2\0\0\0\1\0", 6, 1 },
        { "\3\0\0\0\1\0", 6, 1 }, { "\3\0\0\0\0\200", 6, 0 }, { "\4\0\0\0\1\0\0\0", 8, 1 },
        { "\5\0\0\0\1\0\0\0", 8, 1 }, { "\5\0\0\0\377\377\377\377", 8, 0 }, { "\6\0\0\0\0\0\200\77", 8, 0 },
        { "\6\0\0\0\0\0\300\177", 8, 0 }, { "\6\0\0\0\0\0\200\177", 8, 0 }, { "\7\0\0\0\1", 5, 0 },
        { "\10\0\0\0\1\0\0\0\0\0\0\0001", 13, 0 }, { "\10\0\0\0\0\0\0\0\0\0\0\0", 12, 0 },
        { "\11\0\0\0\4\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0", 20, 0 }, { "\12\0\0\0\1\0\0\0\0\0\0\0", 12, 1 },
        { "\12\0\0\0\377\377\377\377\377\377\377\377", 12, 0 }, { "\13\0\0\0\1\0\0\0\0\0\0\0", 12, 1 },
        { "\13\0\0\0\377\377\377\377\377\377\377\377", 12, 0 }, { "\13\0\0\0\0\0\0\0\0\0\0\200", 12, 0 },
        { "\14\0\0\0\0\0\0\0\0\0\360\77", 12, 0 }, { "\14\0\0\0\0\0\0\0\0\0\370\177", 12, 0 },
        { "\15\0\0\0\1\0\0\0", 8, 0 }, { "\377\377\377\377\1\0\0\0", 8, 0 },
    };
    size_t         count = 0;
    unsigned char *bytes = smallest_gguf(KRAIT_F32, KRAIT_LAYOUT_ROWS, &count);

    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            /* The model has one block and a rank of one. */
            int right = values[k].number && (strcmp(sizes[i], "mamba.block_count") == 0 ||
                                             strcmp(sizes[i], "mamba.ssm.time_step_rank") == 0);

            test_note("%s as value %zu", sizes[i], k);
            CHECK_INT(with_value(bytes, count, sizes[i], values[k].bytes, values[k].size) == KRAIT_OK, right);
        }
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            test_note("%s as value %zu", others[i], k);
            with_value(bytes, count, others[i], values[k].bytes, values[k].size);
        }
    }
    test_note("%s", "");
    free(bytes);
}

/* Every tensor said to be of another type: its bytes are not what that type takes, or not usable. */
TEST(hostile_gguf_tensor_types)
{
    static const uint32_t types[] = { 0, 1, 2, 8, 12, 24, 26, 28, 30, 31, 99, 999999, 1000000, 1000001, 1000002,
                                      1000008, 1000030, 1000031, 0x7fffffffu, 0x80000000u, 0xffffffffu };

    for (int32_t layout = 0; layout < 2; layout++) {
        size_t         count = 0;
        unsigned char *bytes = smallest_gguf(KRAIT_F32, layout, &count);
        size_t         n = u64_at(bytes, 8);

        for (size_t i = 0; i < n; i++) {
            size_t   infos = 24, type;
            uint32_t right;

            for (size_t keys = u64_at(bytes, 16); keys-- > 0;)
                infos = key_end(bytes, infos);
            for (size_t k = 0; k < i; k++)
                infos = info_end(bytes, infos);
            type = infos + 8 + u64_at(bytes, infos);
            type += 4 + 8 * kr_load_u32(bytes + type);
            right = kr_load_u32(bytes + type);
            for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
                kr_store_u32(bytes + type, types[k]);
                test_note("layout %d, tensor %zu of type %u", (int)layout, i, (unsigned)types[k]);
                if (types[k] == right)
                    CHECK_STATUS(attempt(bytes, count, 0), KRAIT_OK);
                else
                    attempt(bytes, count, i % 2 ? KRAIT_OPEN_BORROW : 0);
            }
            kr_store_u32(bytes + type, right);
        }
        free(bytes);
    }
    test_note("%s", "");
}

/* ---- panels ---- */

/* A column in panels is not a row in panels, though both have as many numbers. */
TEST(hostile_panels_of_another_shape)
{
    static const struct { uint64_t shape[2], wanted[2]; size_t bytes; krait_status status; } cases[] = {
        { { 64, 1 }, { 1, 64 }, 256, KRAIT_ERR_SHAPE },     /* 256 bytes where 4096 would be read */
        { { 1, 64 }, { 64, 1 }, 4096, KRAIT_ERR_SHAPE },
        { { 16, 4 }, { 4, 16 }, 256, KRAIT_ERR_SHAPE },
        { { 64, 1 }, { 64, 1 }, 256, KRAIT_OK },
        { { 1, 64 }, { 1, 64 }, 4096, KRAIT_OK },
        { { 64, 1 }, { 64, 1 }, 255, KRAIT_ERR_SHAPE },
        { { 64, 1 }, { 64, 1 }, 260, KRAIT_ERR_SHAPE },
        { { 17, 2 }, { 17, 2 }, 136, KRAIT_ERR_SHAPE },     /* without the padding */
        { { 17, 2 }, { 17, 2 }, 256, KRAIT_OK },
        { { 1ull << 60, 1ull << 60 }, { 1, 64 }, 256, KRAIT_ERR_ARGUMENT },
        { { 1ull << 32, 1ull << 32 }, { 1, 64 }, 0, KRAIT_ERR_ARGUMENT },
        { { 0, 64 }, { 1, 64 }, 0, KRAIT_ERR_SHAPE },
        { { 1, 0 }, { 1, 64 }, 0, KRAIT_ERR_SHAPE },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int32_t borrow = 0; borrow < 2; borrow++) {
            unsigned char     *data;
            krait_tensor       tensor = { "weight", NULL, cases[i].bytes, { cases[i].shape[0], cases[i].shape[1] }, 2,
                                          1000000 + KRAIT_F32 };
            tiny_memory        memory;
            krait_model       *model = (krait_model *)1;
            krait_message      message = { "" };
            krait_open_options options = { .size = sizeof options, .allocator = &memory.allocator,
                                           .flags = borrow ? KRAIT_OPEN_BORROW : 0 };
            char               text[256];
            krait_status       status;
            void              *zeros = calloc(1, cases[i].bytes + 1);

            data = tiny_aligned(zeros, cases[i].bytes);
            free(zeros);
            tensor.data = data;
            snprintf(text, sizeof text, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":%d},"
                     "\"tree\":{\"linear\":{\"width\":%d}}}", (int)cases[i].wanted[1], (int)cases[i].wanted[0]);
            tiny_memory_start(&memory, 0, 0);
            test_note("case %zu, borrowed %d", i, (int)borrow);
            status = krait_model_create(&model, text, &tensor, 1, &options, &message);
            CHECK_STATUS(status, cases[i].status);
            outcome(&memory, model, status, &message);
            free(data);
        }
    test_note("%s", "");
}

static const struct { int32_t type; uint64_t numbers, bytes; const char *name; } block_types[] = {
    { KRAIT_Q8_0, 32, 34, "Q8_0" },   { KRAIT_Q4_0, 32, 18, "Q4_0" },   { KRAIT_Q4_1, 32, 20, "Q4_1" },
    { KRAIT_Q5_0, 32, 22, "Q5_0" },   { KRAIT_Q5_1, 32, 24, "Q5_1" },   { KRAIT_Q2_K, 256, 84, "Q2_K" },
    { KRAIT_Q3_K, 256, 110, "Q3_K" }, { KRAIT_Q4_K, 256, 144, "Q4_K" }, { KRAIT_Q5_K, 256, 176, "Q5_K" },
    { KRAIT_Q6_K, 256, 210, "Q6_K" },
};

enum { BLOCK_TYPES = sizeof block_types / sizeof *block_types };

/* Blocks are not cut: a part that begins within one is refused. */
TEST(hostile_parts_of_blocks)
{
    static const struct { int from, over, length; krait_status status; } cases[] = {    /* in blocks, and numbers */
        { 0, 0, 0, KRAIT_OK },         { 1, 0, 0, KRAIT_OK },         { 2, 0, 0, KRAIT_OK },
        { 0, 1, 0, KRAIT_ERR_SHAPE },  { 0, 5, 0, KRAIT_ERR_SHAPE },  { 2, -1, 0, KRAIT_ERR_SHAPE },
        { 0, 0, 1, KRAIT_ERR_SHAPE },  { 2, 1, 0, KRAIT_ERR_SHAPE },  { 1, 16, 0, KRAIT_ERR_SHAPE },
    };

    for (size_t i = 0; i < BLOCK_TYPES * sizeof cases / sizeof *cases; i++) {
        size_t         which = i % BLOCK_TYPES, c = i / BLOCK_TYPES;
        int            numbers = (int)block_types[which].numbers, from = cases[c].from * numbers + cases[c].over;
        unsigned char *data = calloc(1, 3 * (size_t)block_types[which].bytes);
        krait_tensor   tensor = { "w", data, 3 * block_types[which].bytes, { 3 * block_types[which].numbers }, 1,
                                  block_types[which].type };
        krait_model   *model;
        krait_message  message;
        char           text[256];

        snprintf(text, sizeof text, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":%d},\"tree\":"
                 "{\"linear\":{\"width\":1,\"weights\":{\"weight\":{\"tensor\":\"w\",\"rows\":[%d,%d]}}}}}", numbers,
                 from, from + numbers + cases[c].length);
        test_note("rows from %d of %s", from, block_types[which].name);
        CHECK_STATUS(krait_model_create(&model, text, &tensor, 1, NULL, &message), cases[c].status);
        CHECK_INT(message.text[0] == '\0', cases[c].status == KRAIT_OK);
        CHECK(cases[c].status == KRAIT_OK || strstr(message.text, "tensor w"));
        CHECK(cases[c].over == 0 || from + numbers > 3 * numbers || strstr(message.text, block_types[which].name));
        krait_model_close(model);
        free(data);
    }
    test_note("%s", "");
}

/* Bytes that are missing, rows that are no blocks, a matrix that lies the other way: refused, by the tensor's name. */
TEST(hostile_shapes_of_blocks)
{
    static const char text[] = "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":%d},\"tree\":"
                               "{\"linear\":{\"width\":%d,\"weights\":{\"weight\":%s}}}}";

    for (size_t i = 0; i < BLOCK_TYPES; i++) {
        uint64_t       n = block_types[i].numbers, size = block_types[i].bytes;
        unsigned char *data = calloc(2, (size_t)size);
        const struct { uint64_t bytes, rows, width; int features, outputs; const char *weight; krait_status status; } cases[] = {
            { 2 * size, 2, n, (int)n, 2, "\"w\"", KRAIT_OK },
            { 2 * size - 1, 2, n, (int)n, 2, "\"w\"", KRAIT_ERR_SHAPE },
            { size, 2, n, (int)n, 2, "\"w\"", KRAIT_ERR_SHAPE },
            { 2 * size, 2, n - 1, (int)n - 1, 2, "\"w\"", KRAIT_ERR_ARGUMENT },
            { 2 * size, 4, n / 2, (int)n / 2, 4, "\"w\"", KRAIT_ERR_ARGUMENT },
            { size, 1, n, 1, (int)n, "\"w\"", KRAIT_ERR_SHAPE },
            { 2 * size, 2, n, 2, (int)n, "{\"tensor\":\"w\",\"transpose\":true}", KRAIT_ERR_SHAPE },
        };

        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
            krait_tensor  tensor = { "w", data, cases[c].bytes, { cases[c].rows, cases[c].width }, 2, block_types[i].type };
            krait_model  *model;
            krait_message message;
            char          json[300];

            snprintf(json, sizeof json, text, cases[c].features, cases[c].outputs, cases[c].weight);
            test_note("%s, case %zu", block_types[i].name, c);
            CHECK_STATUS(krait_model_create(&model, json, &tensor, 1, NULL, &message), cases[c].status);
            CHECK(cases[c].status == KRAIT_OK || strstr(message.text, "tensor w") || strstr(message.text, "'w'"));
            krait_model_close(model);
        }
        free(data);
    }
    test_note("%s", "");
}

/* ---- absurd sizes ---- */

TEST(hostile_absurd_sizes)
{
#define FEATURES "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":4194304},\"tree\":"
    static const char *const descriptions[] = {
        FEATURES "{\"linear\":{\"width\":4194304}}}",
        FEATURES "{\"conv\":{\"taps\":4096}}}",
        FEATURES "{\"rms_norm\":{}}}",
        FEATURES "{\"mamba1\":{\"inner\":4194304,\"states\":65536,\"taps\":4096,\"rank\":4194304}}}",
        FEATURES "{\"repeat\":{\"n\":65000,\"of\":{\"linear\":{\"width\":4194304}}}}}",
        FEATURES "{\"repeat\":{\"n\":65000,\"of\":{\"mamba1\":{\"inner\":4194304,\"rank\":1}}}}}",
        "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"tokens\":4194304},\"tree\":{\"embed\":{\"width\":4194304}}}",
        "{\"model_type\":\"mamba\",\"hidden_size\":1048576,\"num_hidden_layers\":4096,\"vocab_size\":4194304,"
        "\"state_size\":65536,\"conv_kernel\":4096,\"expand\":1024,\"time_step_rank\":4194304}",
        "{\"model_type\":\"mamba\",\"hidden_size\":1048576,\"num_hidden_layers\":4096,\"vocab_size\":4194304,"
        "\"intermediate_size\":4194304}",
    };
    tiny *t = tiny_make(&smallest, 1);

    for (size_t i = 0; i < sizeof descriptions / sizeof *descriptions; i++) {
        tiny_memory        memory;
        krait_model       *model = (krait_model *)1;
        krait_message      message = { "" };
        krait_open_options options = { .size = sizeof options, .allocator = &memory.allocator };
        krait_status       status;

        tiny_memory_start(&memory, 0, 0);
        test_note("description %zu", i);
        status = krait_model_create(&model, descriptions[i], t->tensors, t->count, &options, &message);
        CHECK(status == KRAIT_ERR_SHAPE || status == KRAIT_ERR_FORMAT);
        outcome(&memory, model, status, &message);
    }
    test_note("%s", "");
    tiny_free(t);
}

/* Layers without weights may be as wide as they like: a state says what it would take, or fails. */
TEST(hostile_states)
{
    static const char description[] = FEATURES "{\"repeat\":{\"n\":100,\"of\":{\"activation\":{\"kind\":\"relu\"}}}}}";
    static const uint32_t options[][3] = { { 1, 1, 1 }, { 1, 0xffffffffu, 1 }, { 0x7fffffffu, 1, 1 },
                                           { 0x7fffffffu, 0xffffffffu, 0xffffffffu }, { 65536, 65536, 1 },
                                           /* so many floats that their number, or their size, wraps to 0 */
                                           { 1u << 20, 1u << 22, 1 }, { 1u << 21, 1u << 20, 1 },
                                           { 1u << 20, 1u << 20, 1 } };
    krait_model *model = NULL;

    CHECK_STATUS(krait_model_create(&model, description, NULL, 0, NULL, NULL), KRAIT_OK);
    CHECK_OR_RETURN(model != NULL);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        krait_state_options wanted = { .size = sizeof wanted, .lanes = options[i][0], .chunk = options[i][1],
                                       .tasks = options[i][2] };
        krait_state        *state = (krait_state *)1;
        tiny_memory         memory;
        size_t              bytes = 1;
        krait_status        status = krait_state_bytes(model, &wanted, &bytes);

        CHECK(status == KRAIT_OK || (status == KRAIT_ERR_ARGUMENT && bytes == 0));
        if (status == KRAIT_OK)
            CHECK((double)bytes >= 4194304.0 * 4 * options[i][0] * options[i][1]);
        tiny_memory_start(&memory, 0, 0);
        memory.limit = 1 << 20;
        CHECK_STATUS(krait_state_create(&state, model, &wanted, &memory.allocator),
                     status == KRAIT_OK ? KRAIT_ERR_MEMORY : KRAIT_ERR_ARGUMENT);
        CHECK(state == NULL);
        CHECK(tiny_memory_end(&memory));
    }
    krait_model_close(model);
}

/* max_bytes bounds what a file can make anyone allocate, whatever it says. */
TEST(hostile_max_bytes)
{
    size_t         count = 0;
    unsigned char *bytes = smallest_gguf(KRAIT_F32, KRAIT_LAYOUT_ROWS, &count);

    for (uint64_t most = 1; most < 1 << 20; most += most / 4 + 1) {
        krait_open_options options = { .size = sizeof options, .max_bytes = most };

        for (size_t bit = 0; bit < 8 * count; bit += 97) {
            tiny_memory   memory;
            krait_model  *model = (krait_model *)1;
            krait_message message = { "" };
            krait_status  status;

            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            tiny_memory_start(&memory, 0, 0);
            options.allocator = &memory.allocator;
            status = krait_model_open_memory(&model, bytes, count, &options, &message);
            CHECK(memory.peak <= most);
            CHECK_INT(model == NULL, status != KRAIT_OK);
            krait_model_close(model);
            CHECK(tiny_memory_end(&memory));
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
    }
    free(bytes);
}
