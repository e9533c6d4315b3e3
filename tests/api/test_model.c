/* Opening a model from everything that one comes from, and what it tells of itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "krait.h"
#include "support/tiny.h"
#include "test.h"

enum { STEPS = 8 };

/* One model in every form. */
typedef struct forms {
    tiny          *t;
    char           folder[256], beside[256], own[256], rows[256], panels[256];
    unsigned char *safetensors, *gguf, *packed;     /* contents of own, rows and panels; aligned */
    size_t         n_safetensors, n_gguf, n_packed;
    uint64_t       id, hash;
    float         *logits;
    size_t         n_logits;
} forms;

static unsigned char *aligned_file(const char *path, size_t *count)
{
    unsigned char *plain = tiny_read(path, count), *copy;

    if (!CHECK(plain != NULL))
        return NULL;
    copy = tiny_aligned(plain, *count);
    free(plain);
    return copy;
}

static void forms_start(forms *f, const tiny_sizes *sizes)
{
    krait_model   *model;
    unsigned char *bytes;
    size_t         count;

    memset(f, 0, sizeof *f);
    f->t = tiny_make(sizes, 1);
    test_path(f->folder, sizeof f->folder, "forms");
    test_path(f->beside, sizeof f->beside, "forms/model.safetensors");
    test_path(f->own, sizeof f->own, "own.safetensors");
    test_path(f->rows, sizeof f->rows, "rows.gguf");
    test_path(f->panels, sizeof f->panels, "panels.gguf");
    CHECK_STATUS(tiny_gguf(f->t, f->folder, f->rows, KRAIT_F32, KRAIT_LAYOUT_ROWS), KRAIT_OK);
    CHECK_STATUS(tiny_gguf(f->t, f->folder, f->panels, KRAIT_F32, KRAIT_LAYOUT_PANELS), KRAIT_OK);
    model = tiny_model(f->t);
    bytes = tiny_safetensors(f->t, krait_model_text(model, "krait.description"), &count);
    tiny_write(f->own, bytes, count);
    free(bytes);
    f->safetensors = aligned_file(f->own, &f->n_safetensors);
    f->gguf = aligned_file(f->rows, &f->n_gguf);
    f->packed = aligned_file(f->panels, &f->n_packed);
    f->id = krait_model_id(model);
    CHECK_STATUS(krait_model_hash(model, &f->hash), KRAIT_OK);
    f->logits = tiny_logits(model, STEPS, &f->n_logits);
    krait_model_close(model);
}

static void forms_end(forms *f)
{
    free(f->safetensors);
    free(f->gguf);
    free(f->packed);
    free(f->logits);
    tiny_free(f->t);
}

/* Number i of the ways in which the same model is opened; 0 past the last. */
static const char *forms_open(const forms *f, int i, krait_model **model, const krait_open_options *options,
                              krait_status *status, krait_message *message)
{
    switch (i) {
    case 0:
        *status = krait_model_open(model, f->folder, options, message);
        return "folder";
    case 1:
        *status = krait_model_open(model, f->beside, options, message);
        return "safetensors beside config.json";
    case 2:
        *status = krait_model_open(model, f->own, options, message);
        return "safetensors with a description";
    case 3:
        *status = krait_model_open(model, f->rows, options, message);
        return "gguf";
    case 4:
        *status = krait_model_open(model, f->panels, options, message);
        return "gguf in panels";
    case 5:
        *status = krait_model_open_memory(model, f->safetensors, f->n_safetensors, options, message);
        return "safetensors in memory";
    case 6:
        *status = krait_model_open_memory(model, f->gguf, f->n_gguf, options, message);
        return "gguf in memory";
    case 7:
        *status = krait_model_open_memory(model, f->packed, f->n_packed, options, message);
        return "panels in memory";
    case 8:
        *status = krait_model_create(model, f->t->config, f->t->tensors, f->t->count, options, message);
        return "create";
    default:
        return NULL;
    }
}

static int64_t get(const krait_model *model, int32_t key)
{
    int64_t value = -99;

    CHECK_STATUS(krait_model_get(model, key, &value), KRAIT_OK);
    return value;
}

static void same_model(const forms *f, const krait_model *model)
{
    uint64_t hash = 0;
    float   *logits = tiny_logits(model, STEPS, NULL);

    CHECK_U64(krait_model_id(model), f->id);
    CHECK_STATUS(krait_model_hash(model, &hash), KRAIT_OK);
    CHECK_U64(hash, f->hash);
    CHECK_BYTES(logits, f->logits, f->n_logits * sizeof *logits);
    free(logits);
}

TEST(model_every_form_is_one_model)
{
    static const int32_t flags[] = { 0, KRAIT_OPEN_READ, KRAIT_OPEN_CHECK, KRAIT_OPEN_BORROW,
                                     KRAIT_OPEN_PLAIN, KRAIT_OPEN_READ | KRAIT_OPEN_CHECK,
                                     KRAIT_OPEN_BORROW | KRAIT_OPEN_CHECK };
    forms f;

    forms_start(&f, &(tiny_sizes){ .untied = 1, .in_bias = 1 });
    for (size_t k = 0; k < sizeof flags / sizeof *flags; k++)
        for (int i = 0;; i++) {
            tiny_memory        memory;
            krait_model       *model = NULL;
            krait_message      message = { "left over" };
            krait_open_options options = { .size = sizeof options, .flags = flags[k] };
            krait_status       status;
            const char        *name;

            tiny_memory_start(&memory, 0, 0);
            options.allocator = &memory.allocator;
            name = forms_open(&f, i, &model, &options, &status, &message);
            if (!name)
                break;
            test_note("%s, flags %d", name, (int)flags[k]);
            if (CHECK_STATUS(status, KRAIT_OK))
                same_model(&f, model);
            CHECK_STR(message.text, "");
            krait_model_close(model);
            CHECK(tiny_memory_end(&memory));
        }
    test_note("%s", "");
    forms_end(&f);
}

/* ---- memory ---- */

TEST(model_copies_what_it_is_given)
{
    forms f;

    forms_start(&f, NULL);
    for (size_t i = 0; i < 4; i++) {
        unsigned char *bytes = i / 2 ? f.packed : f.gguf;
        size_t         count = i / 2 ? f.n_packed : f.n_gguf, by = i % 2;
        unsigned char *copy = tiny_aligned(NULL, count + by);
        krait_model   *model;
        krait_tensor   tensor;

        memcpy(copy + by, bytes, count);        /* aligned, and not */
        CHECK_STATUS(krait_model_open_memory(&model, copy + by, count, NULL, NULL), KRAIT_OK);
        memset(copy, 0xff, count + by);
        free(copy);
        same_model(&f, model);
        CHECK_STATUS(krait_model_tensor(model, 0, &tensor), KRAIT_OK);
        CHECK(tensor.data == NULL);
        krait_model_close(model);
    }
    forms_end(&f);
}

TEST(model_borrows)
{
    forms              f;
    tiny_memory        memory;
    krait_open_options options = { .size = sizeof options, .flags = KRAIT_OPEN_BORROW };
    krait_model       *model = NULL;
    krait_message      message;
    unsigned char     *shifted;

    forms_start(&f, &(tiny_sizes){ .width = 64, .inner = 128 });
    tiny_memory_start(&memory, 0, 0);
    options.allocator = &memory.allocator;
    CHECK_STATUS(krait_model_open_memory(&model, f.packed, f.n_packed, &options, NULL), KRAIT_OK);
    same_model(&f, model);
    CHECK(memory.peak < f.n_packed / 2);        /* the matrices are where they were */
    for (size_t i = 0;; i++) {
        krait_tensor tensor;

        if (krait_model_tensor(model, i, &tensor) != KRAIT_OK)
            break;
        CHECK((const unsigned char *)tensor.data >= f.packed &&
              (const unsigned char *)tensor.data + tensor.bytes <= f.packed + f.n_packed);
    }
    krait_model_close(model);
    CHECK(tiny_memory_end(&memory));

    options.allocator = NULL;
    shifted = malloc(f.n_packed + 128);
    for (size_t by = 1; by < 64; by *= 2) {
        unsigned char *at = shifted + (64 - (uintptr_t)shifted % 64) % 64 + by;

        memcpy(at, f.packed, f.n_packed);
        model = (krait_model *)1;
        CHECK_STATUS(krait_model_open_memory(&model, at, f.n_packed, &options, &message),
                     KRAIT_ERR_ALIGNMENT);
        CHECK(model == NULL && message.text[0]);
    }
    free(shifted);
    forms_end(&f);
}

/* Panels that are borrowed but do not lie at 64 bytes are copied: kernels count on it. */
TEST(model_borrows_what_is_aligned)
{
    static const char description[] = "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":256},"
                                      "\"tree\":{\"linear\":{\"width\":256}}}";
    enum { BYTES = 256 * 256 * 4 };
    unsigned char *zeros = calloc(1, BYTES + 64), *memory = tiny_aligned(zeros, BYTES + 64);
    float          expected[256];

    free(zeros);
    for (size_t by = 0; by < 64; by += 4) {
        tiny_memory        counted;
        krait_open_options options = { .size = sizeof options, .flags = KRAIT_OPEN_BORROW };
        krait_tensor       tensor = { "weight", memory + by, BYTES, { 256, 256 }, 2, 1000000 + KRAIT_F32 };
        krait_model       *model = NULL;
        float             *out;

        for (size_t i = 0; i < BYTES / 4; i++)
            kr_store_u32(memory + by + 4 * i, kr_bits_of((float)(i % 7)));
        tiny_memory_start(&counted, 0, 0);
        options.allocator = &counted.allocator;
        CHECK_STATUS(krait_model_create(&model, description, &tensor, 1, &options, NULL), KRAIT_OK);
        CHECK_INT(counted.peak < BYTES, by == 0);
        out = tiny_logits(model, 1, NULL);
        if (by == 0)
            memcpy(expected, out, sizeof expected);
        CHECK_BYTES(out, expected, sizeof expected);
        free(out);
        krait_model_close(model);
        CHECK(tiny_memory_end(&counted));
    }
    free(memory);
}

/* Mapped: weights in place cost no memory; read, as always under WASI: the file does. */
TEST(model_maps_or_reads)
{
#if defined(__wasi__)
    const int maps = 0;
#else
    const int maps = 1;
#endif
    forms f;

    forms_start(&f, &(tiny_sizes){ .width = 64, .inner = 128 });
    for (int read = 0; read < 2; read++) {
        tiny_memory        memory;
        krait_open_options options = { .size = sizeof options, .flags = read ? KRAIT_OPEN_READ : 0 };
        krait_model       *model;

        tiny_memory_start(&memory, 0, 0);
        options.allocator = &memory.allocator;
        CHECK_STATUS(krait_model_open(&model, f.panels, &options, NULL), KRAIT_OK);
        CHECK(read || !maps ? memory.peak > f.n_packed : memory.peak < f.n_packed / 2);
        same_model(&f, model);
        krait_model_close(model);
        CHECK(tiny_memory_end(&memory));
    }
    forms_end(&f);
}

TEST(model_max_bytes)
{
    forms f;

    forms_start(&f, NULL);
    for (int i = 0; i < 18; i++) {
        uint64_t peak = 0;

        for (int n = 0; n < 12; n++) {
            tiny_memory        memory;
            krait_model       *model;
            krait_message      message = { "" };
            krait_open_options options = { .size = sizeof options };
            krait_status       status = KRAIT_OK;

            tiny_memory_start(&memory, 0, 0);
            options.allocator = &memory.allocator;
            options.flags = i % 2 ? KRAIT_OPEN_READ : 0;
            options.max_bytes = n == 0 ? 0 : n == 1 ? peak : n == 2 ? peak - 1 : peak / 9 * (uint64_t)(n - 2) + 1;
            test_note("%s, %llu bytes of %llu", forms_open(&f, i / 2, &model, &options, &status, &message),
                      (unsigned long long)options.max_bytes, (unsigned long long)peak);
            CHECK(!options.max_bytes || memory.peak <= options.max_bytes);
            if (n < 2) {
                CHECK_STATUS(status, KRAIT_OK);
                peak = memory.peak;
            } else if (options.max_bytes < peak) {
                CHECK_STATUS(status, KRAIT_ERR_MEMORY);
                CHECK(model == NULL && message.text[0]);
            }
            krait_model_close(model);
            CHECK(tiny_memory_end(&memory));
        }
    }
    test_note("%s", "");
    forms_end(&f);
}

/* ---- callbacks ---- */

typedef struct watch {
    int      calls, cancel_at;      /* 0: never */
    uint64_t done, total;
    int      wrong;
} watch;

static int32_t watched(void *user, uint64_t done, uint64_t total)
{
    watch *w = user;

    w->wrong += done < w->done || done > total || (w->calls && total != w->total);
    w->done = done;
    w->total = total;
    return ++w->calls == w->cancel_at;
}

TEST(model_progress_cancels)
{
    forms f;

    forms_start(&f, &(tiny_sizes){ .inner = 1100, .layers = 1 });   /* more than 16 strips */
    for (int i = 0; i < 9; i++) {
        int calls = 1;

        for (int at = 0; at <= calls; at++) {
            watch              w = { 0, at, 0, 0, 0 };
            tiny_memory        memory;
            krait_open_options options = { .size = sizeof options, .progress = watched, .progress_user = &w };
            krait_model       *model = NULL;
            krait_message      message = { "" };
            krait_status       status = KRAIT_OK;

            tiny_memory_start(&memory, 0, 0);
            options.allocator = &memory.allocator;
            test_note("%s, cancelled at call %d", forms_open(&f, i, &model, &options, &status, &message), at);
            CHECK_INT(w.wrong, 0);
            if (at == 0) {
                calls = w.calls;
                CHECK(calls > 10);
                CHECK_U64(w.done, w.total);
                CHECK_U64(w.total, (uint64_t)get(model, KRAIT_WEIGHT_BYTES));
            } else {
                CHECK_INT(w.calls, at);
                CHECK_STATUS(status, KRAIT_ERR_CANCELLED);
                CHECK(model == NULL && message.text[0]);
            }
            krait_model_close(model);
            CHECK(tiny_memory_end(&memory));
        }
    }
    test_note("%s", "");
    forms_end(&f);
}

/* NaN and infinity in every tensor, found and named from every form. */
TEST(model_check_names_the_tensor)
{
    static const float bad[] = { (float)(1e300 * 1e300), -(float)(1e300 * 1e300), 0 };
    tiny_sizes         sizes = { .layers = 1, .in_bias = 1, .untied = 1 };
    tiny              *t = tiny_make(&sizes, 2);
    char               folder[256], path[256];

    test_path(folder, sizeof folder, "bad");
    test_path(path, sizeof path, "bad.gguf");
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < 3; k++) {
            krait_tensor *tensor = &t->tensors[i];
            float        *data = (float *)(uintptr_t)tensor->data;
            size_t        at = k == 0 ? 0 : tensor->bytes / 4 - k;
            float         kept = data[at];
            krait_open_options options = { .size = sizeof options };
            krait_message message = { "" };
            krait_model  *model;

            data[at] = tiny_little(k < 2 ? bad[k] : kr_float_of(0x7fc00001u));
            test_note("%s number %zu", tensor->name, at);
            CHECK_STATUS(krait_model_create(&model, t->config, t->tensors, t->count, &options, NULL), KRAIT_OK);
            krait_model_close(model);
            options.flags = KRAIT_OPEN_CHECK;
            CHECK_STATUS(krait_model_create(&model, t->config, t->tensors, t->count, &options, &message),
                         KRAIT_ERR_FORMAT);
            CHECK(model == NULL && strstr(message.text, tensor->name) != NULL);
            if (k == 2 || strstr(tensor->name, "A_log")) {      /* -exp() of -infinity is 0 */
                data[at] = kept;
                continue;
            }
            CHECK_STATUS(tiny_gguf(t, folder, path, KRAIT_F32, k ? KRAIT_LAYOUT_PANELS : KRAIT_LAYOUT_ROWS),
                         KRAIT_OK);
            CHECK_STATUS(krait_model_open(&model, path, &options, &message), KRAIT_ERR_FORMAT);
            CHECK(model == NULL && strstr(message.text, "infinity") != NULL);
            data[at] = kept;
        }
    test_note("%s", "");
    tiny_free(t);
}

/* Scales of blocks and 16-bit numbers are looked at where they lie, in rows and in panels. */
TEST(model_check_looks_into_packed_weights)
{
    static const int32_t types[] = { KRAIT_Q8_0, KRAIT_F16, KRAIT_BF16, KRAIT_Q4_0, KRAIT_Q5_1, KRAIT_Q4_K, KRAIT_Q6_K };
    enum { TYPES = sizeof types / sizeof *types };
    tiny                *t = tiny_make(&(tiny_sizes){ .layers = 1, .width = 256, .inner = 256 }, 3);
    char                 folder[256], path[256];

    test_path(folder, sizeof folder, "packed");
    test_path(path, sizeof path, "packed.gguf");
    for (int i = 0; i < 2 * TYPES; i++) {
        krait_open_options options = { .size = sizeof options, .flags = KRAIT_OPEN_BORROW | KRAIT_OPEN_CHECK };
        krait_model       *model;
        krait_message      message;
        unsigned char     *bytes;
        size_t             count;

        CHECK_STATUS(tiny_gguf(t, folder, path, types[i % TYPES], i / TYPES), KRAIT_OK);
        bytes = aligned_file(path, &count);
        CHECK_STATUS(krait_model_open_memory(&model, bytes, count, &options, NULL), KRAIT_OK);
        for (size_t k = 0;; k++) {
            krait_tensor   tensor;
            krait_model   *refused;
            unsigned char *at;
            uint8_t        kept[2];

            if (krait_model_tensor(model, k, &tensor) != KRAIT_OK)
                break;
            if (tensor.type == KRAIT_F32)
                continue;
            at = (unsigned char *)(uintptr_t)tensor.data;
            at += tensor.type == KRAIT_Q6_K ? 208 : 0;      /* behind the codes; of panels it is first everywhere */
            memcpy(kept, at, 2);
            kr_store_u16(at, types[i % TYPES] == KRAIT_BF16 ? 0x7f80 : 0x7c00);
            test_note("%s of type %d", tensor.name, (int)tensor.type);
            CHECK_STATUS(krait_model_open_memory(&refused, bytes, count, &options, &message), KRAIT_ERR_FORMAT);
            CHECK(strstr(message.text, tensor.name) != NULL);
            memcpy(at, kept, 2);
        }
        krait_model_close(model);
        free(bytes);
    }
    test_note("%s", "");
    tiny_free(t);
}

/* ---- ids and hashes ---- */

TEST(model_ids_differ_with_shapes)
{
    static const tiny_sizes sizes[] = {
        { 0 }, { .vocabulary = 257 }, { .layers = 1 }, { .width = 24 }, { .inner = 48 }, { .states = 5 },
        { .taps = 3 }, { .rank = 3 }, { .in_bias = 1 }, { .no_conv_bias = 1 },
    };
    enum { SIZES = sizeof sizes / sizeof *sizes };
    uint64_t ids[SIZES];

    for (size_t i = 0; i < SIZES; i++) {
        tiny        *t = tiny_make(&sizes[i], 1);
        krait_model *model = tiny_model(t);

        CHECK(model != NULL);
        ids[i] = krait_model_id(model);
        for (size_t k = 0; k < i; k++)
            CHECK(ids[k] != ids[i]);        /* which tensor a weight is, is no matter of the id */
        krait_model_close(model);
        tiny_free(t);
    }
}

TEST(model_hash_is_of_the_weights)
{
    tiny        *t = tiny_make(NULL, 1);
    krait_model *model = tiny_model(t);
    uint64_t     id = krait_model_id(model), hash, other;

    CHECK_STATUS(krait_model_hash(model, &hash), KRAIT_OK);
    krait_model_close(model);
    for (size_t i = 0; i < t->count; i++) {
        float *data = (float *)(uintptr_t)t->tensors[i].data, kept = data[0];

        data[0] *= 1.5f;
        model = tiny_model(t);
        test_note("%s", t->tensors[i].name);
        CHECK_U64(krait_model_id(model), id);
        CHECK_STATUS(krait_model_hash(model, &other), KRAIT_OK);
        CHECK(other != hash);
        krait_model_close(model);
        data[0] = kept;
    }
    test_note("%s", "");
    tiny_free(t);
}

/* Rows and panels of every type are one model; types are different models. */
TEST(model_hash_of_every_type)
{
    static const int32_t types[] = { KRAIT_F32, KRAIT_F16, KRAIT_BF16, KRAIT_Q8_0 };
    tiny                *t = tiny_make(&(tiny_sizes){ .width = 32, .untied = 1 }, 4);
    char                 folder[256], path[256];
    uint64_t             ids[8] = { 0 }, hashes[8] = { 0 };

    test_path(folder, sizeof folder, "types");
    test_path(path, sizeof path, "types.gguf");
    for (int i = 0; i < 8; i++) {
        krait_model *model = NULL;

        CHECK_STATUS(tiny_gguf(t, folder, path, types[i / 2], i % 2), KRAIT_OK);
        CHECK_STATUS(krait_model_open(&model, path, NULL, NULL), KRAIT_OK);
        CHECK_OR_RETURN(model != NULL);
        ids[i] = krait_model_id(model);
        CHECK_STATUS(krait_model_hash(model, &hashes[i]), KRAIT_OK);
        for (int k = 0; k < i; k++) {
            CHECK_INT(ids[k] == ids[i], k / 2 == i / 2);
            CHECK_INT(hashes[k] == hashes[i], k / 2 == i / 2);
        }
        krait_model_close(model);
    }
    tiny_free(t);
}

/* ---- what a model tells ---- */

TEST(model_lists_tensors)
{
    forms f;

    forms_start(&f, NULL);
    for (int i = 0; i < 9; i++) {
        krait_model *model = NULL;
        krait_status status;
        krait_tensor tensor;

        test_note("%s", forms_open(&f, i, &model, NULL, &status, NULL));
        for (size_t k = 0; k < f.t->count; k++) {
            const krait_tensor *expected = &f.t->tensors[k];

            if (!CHECK_STATUS(krait_model_tensor(model, k, &tensor), KRAIT_OK))
                break;
            CHECK(tensor.name && tensor.name[0]);
            if (i == 3 || i == 4 || i == 6 || i == 7)   /* a GGUF's names and shapes are others */
                continue;
            CHECK_STR(tensor.name, expected->name);
            CHECK_INT(tensor.type, expected->type);
            CHECK_INT(tensor.dimensions, expected->dimensions);
            CHECK_U64(tensor.bytes, expected->bytes);
            CHECK_BYTES(tensor.shape, expected->shape, sizeof tensor.shape);
        }
        CHECK_STATUS(krait_model_tensor(model, f.t->count, &tensor), KRAIT_ERR_ARGUMENT);
        krait_model_close(model);
    }
    test_note("%s", "");
    forms_end(&f);
}

static int has_key(const krait_model *model, const char *key)
{
    const char *found;

    for (size_t i = 0; (found = krait_model_key(model, i)) != NULL; i++)
        if (strcmp(found, key) == 0)
            return 1;
    return 0;
}

TEST(model_lists_keys)
{
    forms        f;
    krait_model *model = NULL;
    krait_status status;
    size_t       n = 0;

    forms_start(&f, NULL);
    for (int i = 0; i < 9; i++) {
        test_note("%s", forms_open(&f, i, &model, NULL, &status, NULL));
        for (n = 0; krait_model_key(model, n); n++)
            CHECK(krait_model_text(model, krait_model_key(model, n)) != NULL);
        CHECK(krait_model_key(model, n) == NULL && krait_model_key(model, (size_t)-1) == NULL);
        CHECK(has_key(model, "krait.description") && has_key(model, "krait.kernels"));
        CHECK(krait_model_text(model, "no such key") == NULL);
        krait_model_close(model);
    }
    test_note("%s", "");
    CHECK_STATUS(krait_model_open(&model, f.folder, NULL, NULL), KRAIT_OK);
    CHECK_STR(krait_model_text(model, "format"), "pt");
    CHECK_STR(krait_model_text(model, "hidden_size"), "16");
    CHECK_STR(krait_model_text(model, "architectures"), "[\"MambaForCausalLM\"]");
    CHECK_STR(krait_model_text(model, "use_bias"), "false");
    CHECK_STR(krait_model_text(model, "layer_norm_epsilon"), "1e-05");
    krait_model_close(model);
    CHECK_STATUS(krait_model_open(&model, f.rows, NULL, NULL), KRAIT_OK);
    CHECK_STR(krait_model_text(model, "general.architecture"), "mamba");
    CHECK_STR(krait_model_text(model, "mamba.ssm.inner_size"), "32");
    CHECK_STR(krait_model_text(model, "krait.vocabulary"), "bytes");
    krait_model_close(model);
    forms_end(&f);
}

TEST(model_get_every_key)
{
    tiny        *t = tiny_make(&(tiny_sizes){ .untied = 1 }, 1);
    krait_model *model = tiny_model(t);
    krait_state *state;
    size_t       bytes;
    int64_t      parameters = 0, value;

    for (size_t i = 0; i < t->count; i++)
        parameters += (int64_t)t->tensors[i].bytes / 4;
    CHECK_INT(get(model, KRAIT_IN_WIDTH), 16);
    CHECK_INT(get(model, KRAIT_OUT_WIDTH), 256);
    CHECK_INT(get(model, KRAIT_VOCABULARY), 256);
    CHECK_INT(get(model, KRAIT_LAYERS), 2);
    CHECK_INT(get(model, KRAIT_PARAMETERS), parameters);
    CHECK_INT(get(model, KRAIT_WHOLE_SEQUENCE), 0);
    CHECK(get(model, KRAIT_WEIGHT_BYTES) >= 4 * parameters);
    CHECK_INT(get(model, KRAIT_CAN_STEP), 1);
    CHECK_INT(get(model, KRAIT_USES_DT), 0);
    CHECK_INT(get(model, KRAIT_TAKES_TOKENS), 1);
    CHECK_INT(get(model, KRAIT_END_TOKEN), 0);
    state = tiny_state(model, 3, 1);
    CHECK(krait_state_data(state, &bytes) != NULL);
    CHECK_INT(get(model, KRAIT_STATE_BYTES_PER_LANE), (int64_t)bytes / 3);
    CHECK_INT((int64_t)bytes / 3, 2 * 4 * (3 * 32 + 32 * 4));
    krait_state_destroy(state, NULL);
    CHECK_STATUS(krait_model_get(model, 0, &value), KRAIT_ERR_UNSUPPORTED);
    CHECK_STATUS(krait_model_get(model, KRAIT_END_TOKEN + 1000, &value), KRAIT_ERR_UNSUPPORTED);
    CHECK_STATUS(krait_model_get(model, -1, &value), KRAIT_ERR_UNSUPPORTED);
    krait_model_close(model);
    tiny_free(t);
}

/* A tied head costs nothing; nor does it count. */
TEST(model_holds_shared_tensors_once)
{
    tiny        *tied = tiny_make(&(tiny_sizes){ .layers = 1 }, 1);
    tiny        *untied = tiny_make(&(tiny_sizes){ .layers = 1, .untied = 1 }, 1);
    krait_model *a = tiny_model(tied), *b = tiny_model(untied);

    CHECK_INT(get(b, KRAIT_WEIGHT_BYTES) - get(a, KRAIT_WEIGHT_BYTES), 256 * 16 * 4);
    CHECK_INT(get(b, KRAIT_PARAMETERS) - get(a, KRAIT_PARAMETERS), 256 * 16);
    krait_model_close(a);
    krait_model_close(b);
    tiny_free(tied);
    tiny_free(untied);
}

/* What is where a model is looked for, but is none. */
TEST(model_refuses_files)
{
    tiny          *t = tiny_make(NULL, 1);
    char           path[256], alone[256], pickle[256], part[256], config[256];
    krait_model   *model;
    krait_message  message;
    unsigned char *bytes;
    size_t         count;

    test_path(path, sizeof path, "nothing here");
    CHECK_STATUS(krait_model_open(&model, path, NULL, &message), KRAIT_ERR_IO);
    CHECK(model == NULL && strstr(message.text, "nothing here") != NULL);
    CHECK_STATUS(krait_model_open(&model, "", NULL, &message), KRAIT_ERR_IO);
    CHECK_STATUS(krait_model_open(&model, "/dev/null", NULL, &message), KRAIT_ERR_IO);
    test_path(path, sizeof path, "empty.gguf");
    tiny_write(path, "", 0);
    for (int32_t flags = 0; flags < 2; flags++) {
        krait_open_options options = { .size = sizeof options, .flags = flags };

        CHECK_STATUS(krait_model_open(&model, path, &options, &message), KRAIT_ERR_FORMAT);
    }
    CHECK_STATUS(krait_model_open_memory(&model, NULL, 0, NULL, &message), KRAIT_ERR_FORMAT);
    test_path(pickle, sizeof pickle, "pytorch_model.bin");
    tiny_write(pickle, "PK\3\4abcdefgh", 12);
    CHECK_STATUS(krait_model_open(&model, pickle, NULL, &message), KRAIT_ERR_FORMAT);
    CHECK(strstr(message.text, "pickle") != NULL);

    test_path(path, sizeof path, "lonely");
    tiny_folder(t, path);
    test_path(config, sizeof config, "lonely/config.json");
    remove(config);
    CHECK_STATUS(krait_model_open(&model, path, NULL, &message), KRAIT_ERR_IO);
    CHECK(strstr(message.text, "config.json") != NULL);
    test_path(alone, sizeof alone, "lonely/model.safetensors");
    CHECK_STATUS(krait_model_open(&model, alone, NULL, &message), KRAIT_ERR_FORMAT);
    CHECK(strstr(message.text, "config.json") != NULL);
    {
        krait_open_options options = { .size = sizeof options, .description = t->config };

        CHECK_STATUS(krait_model_open(&model, path, &options, NULL), KRAIT_OK);
        krait_model_close(model);
        CHECK_STATUS(krait_model_open(&model, alone, &options, NULL), KRAIT_OK);
        krait_model_close(model);
    }
    bytes = tiny_safetensors(t, NULL, &count);
    CHECK_STATUS(krait_model_open_memory(&model, bytes, count, NULL, &message), KRAIT_ERR_FORMAT);
    CHECK(model == NULL && message.text[0]);
    free(bytes);
    remove(alone);
    CHECK_STATUS(krait_model_open(&model, path, NULL, &message), KRAIT_ERR_IO);
    test_path(part, sizeof part, "lonely/model.safetensors.index.json");
    tiny_write(part, "{}", 2);
    CHECK_STATUS(krait_model_open(&model, path, NULL, &message), KRAIT_ERR_FORMAT);
    CHECK(strstr(message.text, "weight_map") != NULL);
    remove(part);
    tiny_free(t);
}
