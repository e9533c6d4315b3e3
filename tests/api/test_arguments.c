/* Every public function, given what it must not be given: a status, a message, and nothing else. */
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "kernels/kernels.h"
#include "support/tiny.h"
#include "test.h"

/* A struct of a newer program: 'size' is more than this library knows. */
#define NEWER(type) struct { type known; unsigned char more[24]; }

TEST(arguments_version)
{
    CHECK_STR(krait_version(), "0.1.0");
    CHECK_INT(krait_abi(), KRAIT_ABI);
    CHECK_INT(krait_numerics(), KRAIT_NUMERICS);
    CHECK(strstr(krait_build(), "kernels") && strstr(krait_build(), "plain"));
    CHECK(strstr(krait_build(), kr_kernels_best()->name) != NULL);
    CHECK_STR(krait_status_text(KRAIT_OK), "ok");
    for (krait_status status = KRAIT_ERR_BUILD; status < 0; status++) {
        CHECK(krait_status_text(status) && krait_status_text(status)[0]);
        for (krait_status other = KRAIT_ERR_BUILD; other < status; other++)
            CHECK(strcmp(krait_status_text(status), krait_status_text(other)) != 0);
    }
    CHECK_STR(krait_status_text(1), "unknown status");
    CHECK_STR(krait_status_text(KRAIT_ERR_BUILD - 1), "unknown status");
    CHECK_STR(krait_status_text(INT32_MIN), "unknown status");
    CHECK_STR(krait_status_text(INT32_MAX), "unknown status");
}

/* ---- opening ---- */

/* The three ways, with one set of options. */
static void open_all(const tiny *t, const char *folder, const krait_open_options *options, krait_status status)
{
    size_t         count;
    unsigned char *bytes = tiny_safetensors(t, NULL, &count);

    for (int way = 0; way < 3; way++) {
        krait_message message;
        krait_model  *model = (krait_model *)1;

        memset(&message, 'x', sizeof message);
        test_note("way %d", way);
        CHECK_STATUS(way == 0   ? krait_model_open(&model, folder, options, &message)
                     : way == 1 ? krait_model_open_memory(&model, bytes, count, options, &message)
                                : krait_model_create(&model, t->config, t->tensors, t->count, options, &message),
                     way == 1 && status == KRAIT_OK ? KRAIT_ERR_FORMAT : status);
        CHECK_INT(model == NULL, status != KRAIT_OK || way == 1);
        CHECK_INT(message.text[0] == '\0', status == KRAIT_OK && way != 1);
        CHECK(memchr(message.text, '\0', sizeof message.text) != NULL);
        krait_model_close(model);
    }
    test_note("%s", "");
    free(bytes);
}

static void *allocate_nothing(void *user, size_t bytes, size_t alignment)
{
    (void)user, (void)bytes, (void)alignment;
    return NULL;
}

static void release_nothing(void *user, void *block, size_t bytes, size_t alignment)
{
    (void)user, (void)block, (void)bytes, (void)alignment;
}

TEST(arguments_open)
{
    static const krait_allocator half[] = { { NULL, allocate_nothing, NULL }, { NULL, NULL, release_nothing },
                                            { NULL, NULL, NULL } };
    static const krait_allocator nothing = { NULL, allocate_nothing, release_nothing };
    tiny              *t = tiny_make(NULL, 1);
    char               folder[256];
    krait_open_options options = { .size = sizeof options };
    krait_model       *model;
    krait_message      message;
    NEWER(krait_open_options) newer;

    test_path(folder, sizeof folder, "arguments");
    tiny_folder(t, folder);
    open_all(t, folder, NULL, KRAIT_OK);
    open_all(t, folder, &options, KRAIT_OK);
    for (size_t size = 0; size < sizeof(size_t); size++) {
        options.size = size;
        open_all(t, folder, &options, KRAIT_ERR_ARGUMENT);
    }
    options.size = offsetof(krait_open_options, flags);         /* an older one: no flags yet */
    options.flags = -1;
    open_all(t, folder, &options, KRAIT_OK);
    options.size = sizeof options;
    for (int bit = 5; bit < 32; bit++) {
        options.flags = (int32_t)(1u << bit);
        open_all(t, folder, &options, KRAIT_ERR_ARGUMENT);
    }
    options.flags = KRAIT_OPEN_FAST;
    open_all(t, folder, &options, KRAIT_ERR_UNSUPPORTED);
    options.flags = 0;
    for (int i = 0; i < 3; i++) {
        options.allocator = &half[i];
        open_all(t, folder, &options, KRAIT_ERR_ARGUMENT);
    }
    options.allocator = &nothing;
    CHECK_STATUS(krait_model_open(&model, folder, &options, &message), KRAIT_ERR_MEMORY);
    CHECK(model == NULL && message.text[0]);
    memset(&newer, 0, sizeof newer);
    newer.known.size = sizeof newer;
    open_all(t, folder, &newer.known, KRAIT_OK);
    for (size_t i = 0; i < sizeof newer.more; i++) {
        newer.more[i] = 1;
        open_all(t, folder, &newer.known, KRAIT_ERR_ARGUMENT);
        newer.more[i] = 0;
    }

    CHECK_STATUS(krait_model_open(NULL, folder, NULL, &message), KRAIT_ERR_ARGUMENT);
    CHECK(message.text[0]);
    CHECK_STATUS(krait_model_open(NULL, folder, NULL, NULL), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_model_open(&model, NULL, NULL, &message), KRAIT_ERR_ARGUMENT);
    CHECK(model == NULL && message.text[0]);
    CHECK_STATUS(krait_model_open_memory(NULL, folder, 1, NULL, &message), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_model_open_memory(&model, NULL, 1, NULL, &message), KRAIT_ERR_ARGUMENT);
    CHECK(model == NULL && message.text[0]);
    CHECK_STATUS(krait_model_create(NULL, "{}", NULL, 0, NULL, &message), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_model_create(&model, NULL, NULL, 0, NULL, &message), KRAIT_ERR_ARGUMENT);
    CHECK(model == NULL && message.text[0]);
    CHECK_STATUS(krait_model_create(&model, t->config, NULL, 1, NULL, &message), KRAIT_ERR_ARGUMENT);
    CHECK(model == NULL && message.text[0]);
    options = (krait_open_options){ .size = sizeof options, .description = t->config };
    CHECK_STATUS(krait_model_create(&model, t->config, t->tensors, t->count, &options, &message), KRAIT_ERR_ARGUMENT);
    CHECK(model == NULL && message.text[0]);
    krait_model_close(NULL);
    tiny_free(t);
}

/* A path longer than any message. */
TEST(arguments_long_paths)
{
    char          path[5000];
    krait_model  *model;
    krait_message message;

    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK_STATUS(krait_model_open(&model, path, NULL, &message), KRAIT_ERR_IO);
    CHECK(model == NULL && memchr(message.text, '\0', sizeof message.text) != NULL);
    CHECK_STATUS(krait_convert(path, path, NULL, &message), KRAIT_ERR_IO);
    CHECK(memchr(message.text, '\0', sizeof message.text) != NULL);
}

TEST(arguments_model)
{
    tiny        *t = tiny_make(NULL, 1);
    krait_model *model = tiny_model(t);
    krait_tensor tensor;
    int64_t      value;
    uint64_t     hash;

    CHECK_STATUS(krait_model_get(NULL, KRAIT_IN_WIDTH, &value), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_model_get(model, KRAIT_IN_WIDTH, NULL), KRAIT_ERR_ARGUMENT);
    CHECK(krait_model_text(NULL, "krait.kernels") == NULL);
    CHECK(krait_model_text(model, NULL) == NULL);
    CHECK_STATUS(krait_model_tensor(NULL, 0, &tensor), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_model_tensor(model, 0, NULL), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_model_tensor(model, SIZE_MAX, &tensor), KRAIT_ERR_ARGUMENT);
    CHECK(krait_model_key(NULL, 0) == NULL);
    CHECK_U64(krait_model_id(NULL), 0);
    CHECK(krait_model_id(model) != 0);
    CHECK_STATUS(krait_model_hash(NULL, &hash), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_model_hash(model, NULL), KRAIT_ERR_ARGUMENT);
    krait_model_close(model);
    tiny_free(t);
}

/* ---- states ---- */

TEST(arguments_state_making)
{
    static const krait_allocator half[] = { { NULL, allocate_nothing, NULL }, { NULL, NULL, release_nothing } };
    static const krait_allocator nothing = { NULL, allocate_nothing, release_nothing };
    tiny        *t = tiny_make(NULL, 1);
    krait_model *model = tiny_model(t);
    krait_state *state = NULL;
    size_t       bytes = 0, other = 99;
    void        *memory;
    krait_state_options options = { .size = sizeof options };
    NEWER(krait_state_options) newer;

    CHECK_STATUS(krait_state_bytes(model, NULL, &bytes), KRAIT_OK);
    CHECK_STATUS(krait_state_bytes(NULL, NULL, &other), KRAIT_ERR_ARGUMENT);
    CHECK_U64(other, 0);
    CHECK_STATUS(krait_state_bytes(model, NULL, NULL), KRAIT_ERR_ARGUMENT);
    memory = malloc(bytes + 64);
    {
        unsigned char *at = (unsigned char *)memory + (64 - (uintptr_t)memory % 64) % 64;

        CHECK_STATUS(krait_state_place(NULL, model, NULL, at, bytes), KRAIT_ERR_ARGUMENT);
        state = (krait_state *)1;
        CHECK_STATUS(krait_state_place(&state, NULL, NULL, at, bytes), KRAIT_ERR_ARGUMENT);
        CHECK(state == NULL);
        state = (krait_state *)1;
        CHECK_STATUS(krait_state_place(&state, model, NULL, NULL, bytes), KRAIT_ERR_ARGUMENT);
        CHECK(state == NULL);
        CHECK_STATUS(krait_state_place(&state, model, NULL, at, bytes), KRAIT_OK);
        CHECK_STATUS(krait_state_adopt(NULL, model, at, bytes), KRAIT_ERR_ARGUMENT);
        CHECK_STATUS(krait_state_adopt(&state, NULL, at, bytes), KRAIT_ERR_ARGUMENT);
        CHECK(state == NULL);
        CHECK_STATUS(krait_state_adopt(&state, model, NULL, bytes), KRAIT_ERR_ARGUMENT);
    }
    free(memory);
    CHECK_STATUS(krait_state_create(NULL, model, NULL, NULL), KRAIT_ERR_ARGUMENT);
    state = (krait_state *)1;
    CHECK_STATUS(krait_state_create(&state, NULL, NULL, NULL), KRAIT_ERR_ARGUMENT);
    CHECK(state == NULL);
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(krait_state_create(&state, model, NULL, &half[i]), KRAIT_ERR_ARGUMENT);
    state = (krait_state *)1;
    CHECK_STATUS(krait_state_create(&state, model, NULL, &nothing), KRAIT_ERR_MEMORY);
    CHECK(state == NULL);

    for (options.size = 0; options.size < sizeof(size_t); options.size++)
        CHECK_STATUS(krait_state_bytes(model, &options, &other), KRAIT_ERR_ARGUMENT);
    options.size = offsetof(krait_state_options, chunk);        /* an older one: lanes alone */
    options.lanes = 1;
    options.chunk = 1000;
    CHECK_STATUS(krait_state_bytes(model, &options, &other), KRAIT_OK);
    CHECK_U64(other, bytes);
    memset(&newer, 0, sizeof newer);
    newer.known.size = sizeof newer;
    CHECK_STATUS(krait_state_bytes(model, &newer.known, &other), KRAIT_OK);
    CHECK_U64(other, bytes);
    newer.more[23] = 1;
    CHECK_STATUS(krait_state_bytes(model, &newer.known, &other), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_create(&state, model, &newer.known, NULL), KRAIT_ERR_ARGUMENT);
    krait_state_destroy(NULL, &nothing);
    krait_model_close(model);
    tiny_free(t);
}

TEST(arguments_state_using)
{
    tiny          *t = tiny_make(NULL, 1);
    krait_model   *model = tiny_model(t);
    krait_state   *state = tiny_state(model, 1, 1), *junk;
    krait_message  message;
    size_t         bytes = 99;
    uint64_t       hash;
    unsigned char  buffer[8192];
    float          values[4096] = { 0 };
    NEWER(krait_part) newer;
    krait_part     part = { .size = sizeof part };

    junk = (krait_state *)(void *)tiny_aligned(memset(buffer, 0x5a, sizeof buffer), sizeof buffer);
    CHECK(krait_state_data(NULL, &bytes) == NULL);
    CHECK_U64(bytes, 0);
    CHECK(krait_state_data(NULL, NULL) == NULL);
    CHECK_STATUS(krait_state_reset(NULL, state, 0), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_reset(model, NULL, 0), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_reset(model, junk, 0), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_copy(NULL, state, 0, state, 0), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_copy(model, NULL, 0, state, 0), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_copy(model, state, 0, NULL, 0), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_copy(model, state, 0, junk, 0), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_copy(model, junk, 0, state, 0), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_hash(NULL, state, 0, &hash), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_hash(model, NULL, 0, &hash), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_hash(model, state, 0, NULL), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_hash(model, state, 1, &hash), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_hash(model, state, -2, &hash), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_save(NULL, state, 0, buffer, sizeof buffer, &bytes), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_save(model, NULL, 0, buffer, sizeof buffer, &bytes), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_save(model, state, 0, buffer, sizeof buffer, NULL), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_save(model, state, 1, buffer, sizeof buffer, &bytes), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_save(model, state, 0, buffer, 0, &bytes), KRAIT_ERR_SPACE);
    CHECK_STATUS(krait_state_save(model, state, 0, NULL, 0, &bytes), KRAIT_OK);
    for (int i = 0; i < 4; i++) {
        memset(&message, 'x', sizeof message);
        CHECK_STATUS(krait_state_load(i == 0 ? NULL : model, i == 1 ? NULL : i == 3 ? junk : state, 0,
                                      i == 2 ? NULL : buffer, 100, &message),
                     KRAIT_ERR_ARGUMENT);
        CHECK(message.text[0] && memchr(message.text, '\0', sizeof message.text));
        CHECK_STATUS(krait_state_load(i == 0 ? NULL : model, i == 1 ? NULL : i == 3 ? junk : state, 0,
                                      i == 2 ? NULL : buffer, 100, NULL),
                     KRAIT_ERR_ARGUMENT);
    }
    CHECK_STATUS(krait_part_info(NULL, 0, &part), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_part_info(model, 0, NULL), KRAIT_ERR_ARGUMENT);
    for (part.size = 0; part.size < sizeof(size_t); part.size++)
        CHECK_STATUS(krait_part_info(model, 0, &part), KRAIT_ERR_ARGUMENT);
    part = (krait_part){ .size = offsetof(krait_part, shape), .dimensions = 77 };
    CHECK_STATUS(krait_part_info(model, 0, &part), KRAIT_OK);
    CHECK(part.name != NULL && part.dimensions == 77 && part.size == offsetof(krait_part, shape));
    memset(&newer, 0, sizeof newer);
    newer.known.size = sizeof newer;
    CHECK_STATUS(krait_part_info(model, 0, &newer.known), KRAIT_OK);
    CHECK_U64(newer.known.size, sizeof newer);
    CHECK_STATUS(krait_part_read(NULL, state, 0, 0, values, 96), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_part_read(model, NULL, 0, 0, values, 96), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_part_read(model, state, 0, 0, NULL, 96), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_part_read(model, state, 0, 0, values, 96), KRAIT_OK);
    CHECK_STATUS(krait_part_write(NULL, state, 0, 0, values, 96), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_part_write(model, NULL, 0, 0, values, 96), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_part_write(model, state, 0, 0, NULL, 96), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_part_write(model, junk, 0, 0, values, 96), KRAIT_ERR_ARGUMENT);
    krait_state_destroy(state, NULL);
    free(junk);
    krait_model_close(model);
    tiny_free(t);
}

/* ---- text ---- */

TEST(arguments_text)
{
    tiny        *t = tiny_make(NULL, 1);
    krait_model *model = tiny_model(t);
    const char  *bytes;
    size_t       count = 99;
    int32_t      tokens[4] = { 7, 7, 7, 7 };

    CHECK_STATUS(krait_encode(NULL, "ab", 2, 0, tokens, 4, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_encode(model, NULL, 2, 0, tokens, 4, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_encode(model, "ab", 2, 0, NULL, 4, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_encode(model, "ab", 2, 0, tokens, 4, NULL), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_encode(model, "ab", 2, 8, tokens, 4, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_encode(model, "ab", 2, -1, tokens, 4, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_encode(model, "ab", 2, KRAIT_TEXT_SPECIAL, tokens, 1, &count), KRAIT_ERR_SPACE);
    CHECK_U64(count, 2);
    CHECK_INT(tokens[0], 7);
    CHECK_STATUS(krait_encode(model, "ab", 2, 0, NULL, 0, &count), KRAIT_ERR_SPACE);
    CHECK_STATUS(krait_encode(model, NULL, 0, 0, NULL, 0, &count), KRAIT_OK);
    CHECK_U64(count, 0);
    CHECK_STATUS(krait_encode(model, "ab", 2, 0, tokens, 4, &count), KRAIT_OK);
    CHECK(tokens[0] == 'a' && tokens[1] == 'b' && tokens[2] == 7 && count == 2);
    CHECK_STATUS(krait_token_bytes(NULL, 0, &bytes, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_token_bytes(model, 0, NULL, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_token_bytes(model, 0, &bytes, NULL), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_token_bytes(model, -1, &bytes, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_token_bytes(model, 256, &bytes, &count), KRAIT_ERR_ARGUMENT);
    CHECK(bytes == NULL && count == 0);
    CHECK_STATUS(krait_token_bytes(model, INT32_MAX, &bytes, &count), KRAIT_ERR_ARGUMENT);
    krait_model_close(model);
    tiny_free(t);
}

TEST(arguments_sample)
{
    float     logits[3] = { 1, 2, 3 };
    krait_rng rng;
    int32_t   token;
    NEWER(krait_sample_options) newer;

    krait_rng_seed(NULL, 1);
    krait_rng_seed(&rng, 1);
    memset(&newer, 0, sizeof newer);
    newer.known.size = sizeof newer;
    CHECK_STATUS(krait_sample(logits, 3, &newer.known, &rng, &token), KRAIT_OK);
    CHECK_INT(token, 2);
    newer.more[0] = 1;
    CHECK_STATUS(krait_sample(logits, 3, &newer.known, &rng, &token), KRAIT_ERR_ARGUMENT);
    newer.known.size = sizeof(size_t) - 1;
    CHECK_STATUS(krait_sample(logits, 3, &newer.known, &rng, &token), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_sample(NULL, 3, NULL, &rng, &token), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_sample(logits, 0, NULL, &rng, &token), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_sample(logits, 3, NULL, &rng, NULL), KRAIT_ERR_ARGUMENT);
    newer.known = (krait_sample_options){ .size = sizeof newer.known, .temperature = 1 };
    CHECK_STATUS(krait_sample(logits, 3, &newer.known, NULL, &token), KRAIT_ERR_ARGUMENT);
}

/* ---- files ---- */

TEST(arguments_convert)
{
    static const krait_allocator half = { NULL, allocate_nothing, NULL };
    static const krait_allocator nothing = { NULL, allocate_nothing, release_nothing };
    tiny *t = tiny_make(NULL, 1);
    char  folder[256], to[256];
    struct { krait_status status; krait_convert_options options; } cases[] = {
        { KRAIT_ERR_ARGUMENT, { .size = 0 } },
        { KRAIT_ERR_ARGUMENT, { .size = sizeof(size_t) - 1 } },
        { KRAIT_ERR_ARGUMENT, { .size = sizeof(krait_convert_options), .flags = KRAIT_OPEN_BORROW } },
        { KRAIT_ERR_ARGUMENT, { .size = sizeof(krait_convert_options), .flags = KRAIT_OPEN_FAST } },
        { KRAIT_ERR_ARGUMENT, { .size = sizeof(krait_convert_options), .flags = INT32_MIN } },
        { KRAIT_ERR_UNSUPPORTED, { .size = sizeof(krait_convert_options), .type = KRAIT_Q2_K } },
        { KRAIT_ERR_UNSUPPORTED, { .size = sizeof(krait_convert_options), .type = KRAIT_Q3_K } },
        { KRAIT_ERR_UNSUPPORTED, { .size = sizeof(krait_convert_options), .type = 9 } },
        { KRAIT_ERR_UNSUPPORTED, { .size = sizeof(krait_convert_options), .type = -1 } },
        { KRAIT_ERR_UNSUPPORTED, { .size = sizeof(krait_convert_options), .type = 1000000 } },
        { KRAIT_ERR_ARGUMENT, { .size = sizeof(krait_convert_options), .layout = 2 } },
        { KRAIT_ERR_ARGUMENT, { .size = sizeof(krait_convert_options), .layout = -1 } },
        { KRAIT_ERR_ARGUMENT, { .size = sizeof(krait_convert_options), .allocator = &half } },
        { KRAIT_ERR_MEMORY, { .size = sizeof(krait_convert_options), .allocator = &nothing } },
        { KRAIT_ERR_MEMORY, { .size = sizeof(krait_convert_options), .max_bytes = 1 } },
        { KRAIT_ERR_FORMAT, { .size = sizeof(krait_convert_options), .description = "{" } },
    };
    krait_message message;
    NEWER(krait_convert_options) newer;

    test_path(folder, sizeof folder, "converting");
    test_path(to, sizeof to, "converting.gguf");
    tiny_folder(t, folder);
    CHECK_STATUS(krait_convert(NULL, to, NULL, &message), KRAIT_ERR_ARGUMENT);
    CHECK(message.text[0]);
    CHECK_STATUS(krait_convert(folder, NULL, NULL, &message), KRAIT_ERR_ARGUMENT);
    CHECK(message.text[0]);
    CHECK_STATUS(krait_convert(NULL, NULL, NULL, NULL), KRAIT_ERR_ARGUMENT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t count;

        memset(&message, 'x', sizeof message);
        test_note("case %zu", i);
        CHECK_STATUS(krait_convert(folder, to, &cases[i].options, &message), cases[i].status);
        CHECK(message.text[0] && memchr(message.text, '\0', sizeof message.text));
        CHECK(tiny_read(to, &count) == NULL);
    }
    test_note("%s", "");
    memset(&newer, 0, sizeof newer);
    newer.known.size = sizeof newer;
    newer.more[7] = 1;
    CHECK_STATUS(krait_convert(folder, to, &newer.known, NULL), KRAIT_ERR_ARGUMENT);
    newer.more[7] = 0;
    CHECK_STATUS(krait_convert(folder, to, &newer.known, &message), KRAIT_OK);
    CHECK_STR(message.text, "");
    CHECK_STATUS(krait_convert(folder, to, NULL, NULL), KRAIT_OK);
    tiny_free(t);
}
