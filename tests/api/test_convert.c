/* krait_convert: every type and layout, from every form, gives the model that it was given. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "krait.h"
#include "support/tiny.h"
#include "test.h"

enum { STEPS = 12 };

static const int32_t types[] = { KRAIT_F32,  KRAIT_F16,  KRAIT_BF16, KRAIT_Q8_0, KRAIT_Q6_K, KRAIT_Q5_K,
                                 KRAIT_Q4_K, KRAIT_Q5_1, KRAIT_Q5_0, KRAIT_Q4_1, KRAIT_Q4_0 };

enum { TYPES = sizeof types / sizeof *types };

static krait_status convert(const char *from, const char *to, int32_t type, int32_t layout, krait_message *message)
{
    krait_convert_options options = { .size = sizeof options, .type = type, .layout = layout };

    return krait_convert(from, to, &options, message);
}

/* The outputs of the model at 'path', opened with every kind of kernel; NULL if it does not open. */
static float *outputs(const char *path, size_t *count)
{
    krait_message      message = { "" };
    krait_model       *model;
    krait_open_options options = { .size = sizeof options, .flags = KRAIT_OPEN_PLAIN };
    float             *fast, *plain;

    CHECK_STATUS(krait_model_open(&model, path, NULL, &message), KRAIT_OK);
    CHECK_STR(message.text, "");
    if (!model)
        return NULL;
    fast = tiny_logits(model, STEPS, count);
    krait_model_close(model);
    CHECK_STATUS(krait_model_open(&model, path, &options, &message), KRAIT_OK);
    plain = tiny_logits(model, STEPS, count);
    CHECK_BYTES(plain, fast, *count * sizeof *fast);
    krait_model_close(model);
    free(plain);
    return fast;
}

static void same_files(const char *a, const char *b)
{
    size_t         n = 0, m = 1;
    unsigned char *x = tiny_read(a, &n), *y = tiny_read(b, &m);

    CHECK_U64(n, m);
    if (x && y && n == m)
        CHECK_BYTES(x, y, n);
    free(x);
    free(y);
}

static uint64_t id_of(const char *path)
{
    krait_model *model;
    uint64_t     id;

    CHECK_STATUS(krait_model_open(&model, path, NULL, NULL), KRAIT_OK);
    id = krait_model_id(model);
    krait_model_close(model);
    return id;
}

static double worst(const float *a, const float *b, size_t count)
{
    double most = 0, scale = 0;

    for (size_t i = 0; i < count; i++) {
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
        scale = fmax(scale, fabs((double)b[i]));
    }
    return most / scale;
}

/* From one form into each type, rows and panels; and each of these once more into the same. */
static void every_type(const char *from, const float *expected, size_t expected_count, double slack)
{
    static const double bounds[] = { 0, 2e-3, 2e-2, 5e-2, 6e-2, 0.15, 0.3, 0.15, 0.15, 0.3, 0.3 };
    char  rows[256], panels[256], again[256];
    float *of_rows, *of_panels;
    size_t count, other;

    test_path(rows, sizeof rows, "every-rows.gguf");
    test_path(panels, sizeof panels, "every-panels.gguf");
    test_path(again, sizeof again, "every-again.gguf");
    for (size_t i = 0; i < TYPES; i++) {
        test_note("type %d", (int)types[i]);
        CHECK_STATUS(convert(from, rows, types[i], KRAIT_LAYOUT_ROWS, NULL), KRAIT_OK);
        CHECK_STATUS(convert(from, panels, types[i], KRAIT_LAYOUT_PANELS, NULL), KRAIT_OK);
        of_rows = outputs(rows, &count);
        of_panels = outputs(panels, &other);
        if (!CHECK(of_rows && of_panels && count == other && count == expected_count))
            return;
        CHECK_BYTES(of_panels, of_rows, count * sizeof *of_rows);
        CHECK_INT(id_of(rows) == id_of(from), i == 0);
        CHECK_U64(id_of(panels), id_of(rows));
        if (i == 0)
            CHECK_BYTES(of_rows, expected, count * sizeof *expected);
        else
            CHECK(worst(of_rows, expected, count) > 0);
        CHECK(worst(of_rows, expected, count) <= slack * bounds[i]);
        free(of_rows);
        free(of_panels);
        /* GGUF to GGUF: the same bytes, from one layout into the other as well. */
        CHECK_STATUS(convert(rows, again, types[i], KRAIT_LAYOUT_ROWS, NULL), KRAIT_OK);
        same_files(again, rows);
        CHECK_STATUS(convert(rows, again, types[i], KRAIT_LAYOUT_PANELS, NULL), KRAIT_OK);
        same_files(again, panels);
        CHECK_STATUS(convert(panels, again, types[i], KRAIT_LAYOUT_PANELS, NULL), KRAIT_OK);
        same_files(again, panels);
        CHECK_STATUS(convert(panels, again, types[i], KRAIT_LAYOUT_ROWS, NULL), KRAIT_OK);
        same_files(again, rows);
    }
    test_note("%s", "");
}

TEST(convert_mamba)
{
    static const tiny_sizes sizes[] = {
        { .width = 32, .inner = 96, .untied = 1, .in_bias = 1 },        /* all rows are whole blocks but dt's */
        { .vocabulary = 70, .width = 19, .inner = 37, .states = 3, .rank = 3, .no_conv_bias = 1 },
        { .vocabulary = 70, .layers = 1, .width = 256, .inner = 256, .rank = 32 },      /* of 256, too */
    };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        tiny        *t = tiny_make(&sizes[i], 1);
        krait_model *model = tiny_model(t);
        char         folder[256], path[256];
        size_t       count;
        float       *expected = tiny_logits(model, STEPS, &count);
        double       slack = sizes[i].width > 100 ? 5 : 1;      /* so many random weights make much of a change */

        test_path(folder, sizeof folder, "mamba");
        test_path(path, sizeof path, "mamba.gguf");
        CHECK_STATUS(tiny_gguf(t, folder, path, KRAIT_F32, KRAIT_LAYOUT_ROWS), KRAIT_OK);
        every_type(folder, expected, count, slack);
        test_path(folder, sizeof folder, "mamba/model.safetensors");
        if (slack < 2) {
            every_type(folder, expected, count, slack);
            every_type(path, expected, count, slack);
        }
        free(expected);
        krait_model_close(model);
        tiny_free(t);
    }
}

/* A tree with names of its own: views, a transposed and a shared tensor, a vector used as a matrix. */
static const char tree[] =
    "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":5},\"tree\":{\"sequence\":["
    "{\"linear\":{\"width\":32,\"weights\":{\"weight\":{\"tensor\":\"in\",\"transpose\":true}}}},"
    "{\"repeat\":{\"n\":2,\"of\":{\"residual\":{\"sequence\":["
    "{\"rms_norm\":{\"weights\":{\"weight\":{\"tensor\":\"norms\",\"rows\":[2,34]}}}},"
    "{\"mamba1\":{\"inner\":40,\"states\":3,\"taps\":2,\"rank\":2,\"path\":\"m.{i}\","
    "\"weights\":{\"out_proj.weight\":{\"tensor\":\"outs\",\"index\":1}}}}]}}}},"
    "{\"linear\":{\"width\":7,\"weights\":{\"weight\":{\"tensor\":\"head\",\"rows\":[1,8]},\"bias\":\"b\"}}},"
    "{\"linear\":{\"width\":1,\"name\":\"last\"}},"
    "{\"linear\":{\"width\":7,\"weights\":{\"weight\":\"last.weight\"}}},"
    "{\"activation\":{\"kind\":\"silu\"}}]}}";

static void tree_tensor(tiny *t, const char *name, const float *numbers, uint64_t a, uint64_t b, uint64_t c)
{
    krait_tensor *tensor = &t->tensors[t->count];
    uint64_t      count = a * (b ? b : 1) * (c ? c : 1);
    float        *data = malloc(count * sizeof *data);

    for (uint64_t i = 0; i < count; i++)
        data[i] = tiny_little(0.4f * tiny_little(numbers[(i * 7 + t->count * 31) % 4096]));
    snprintf(t->names[t->count], TINY_NAME, "%s", name);
    *tensor = (krait_tensor){ t->names[t->count], data, 4 * count, { a, b, c, 0 }, c ? 3 : b ? 2 : 1, KRAIT_F32 };
    t->count++;
}

static tiny *tree_make(void)
{
    tiny        *source = tiny_make(NULL, 8), *t = calloc(1, sizeof *t);
    const float *numbers = tiny_data(source, "backbone.embeddings.weight");

    tree_tensor(t, "in", numbers, 5, 32, 0);
    tree_tensor(t, "norms", numbers, 40, 0, 0);
    tree_tensor(t, "outs", numbers, 2, 32, 40);
    tree_tensor(t, "head", numbers, 9, 32, 0);
    tree_tensor(t, "b", numbers, 7, 0, 0);
    tree_tensor(t, "last.weight", numbers, 1, 7, 0);    /* as 1 x 7, then as 7 x 1 */
    for (int i = 0; i < 2; i++) {
        static const struct { const char *name; uint64_t a, b, c; } list[] = {
            { "in_proj.weight", 80, 32, 0 }, { "conv1d.weight", 40, 1, 2 }, { "x_proj.weight", 8, 40, 0 },
            { "dt_proj.weight", 40, 2, 0 }, { "dt_proj.bias", 40, 0, 0 }, { "A_log", 40, 3, 0 }, { "D", 40, 0, 0 },
        };

        for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
            char name[TINY_NAME];

            snprintf(name, sizeof name, "m.%d.%s", i, list[k].name);
            tree_tensor(t, name, numbers, list[k].a, list[k].b, list[k].c);
        }
    }
    tiny_free(source);
    return t;
}

TEST(convert_tree)
{
    tiny          *t = tree_make();
    krait_model   *model = NULL;
    krait_message  message = { "" };
    char           path[256], gguf[256];
    unsigned char *bytes;
    float         *expected;
    size_t         count;

    CHECK_STATUS(krait_model_create(&model, tree, t->tensors, t->count, NULL, &message), KRAIT_OK);
    CHECK_STR(message.text, "");
    CHECK_OR_RETURN(model != NULL);
    expected = tiny_logits(model, STEPS, &count);
    krait_model_close(model);
    bytes = tiny_safetensors(t, tree, &count);
    test_path(path, sizeof path, "tree.safetensors");
    test_path(gguf, sizeof gguf, "tree.gguf");
    tiny_write(path, bytes, count);
    free(bytes);
    count = STEPS * 7;
    every_type(path, expected, count, 1);
    CHECK_STATUS(convert(path, gguf, KRAIT_F32, KRAIT_LAYOUT_PANELS, NULL), KRAIT_OK);
    every_type(gguf, expected, count, 1);
    /* Tensors keep their names and shapes; those that are taken in parts stay rows of floats. */
    CHECK_STATUS(convert(path, gguf, KRAIT_Q8_0, KRAIT_LAYOUT_PANELS, NULL), KRAIT_OK);
    CHECK_STATUS(krait_model_open(&model, gguf, NULL, NULL), KRAIT_OK);
    CHECK_STR(krait_model_text(model, "general.architecture"), "krait");
    for (size_t i = 0; model; i++) {
        krait_tensor tensor, *source;

        if (krait_model_tensor(model, i, &tensor) != KRAIT_OK)
            break;
        source = tiny_find(t, tensor.name);
        test_note("%s", tensor.name);
        if (!CHECK(source != NULL))
            continue;
        CHECK_INT(tensor.dimensions, source->dimensions);
        CHECK_BYTES(tensor.shape, source->shape, sizeof tensor.shape);
        CHECK_INT(tensor.type, strstr(tensor.name, "in_proj")                                     ? 1000000 + KRAIT_Q8_0
                               : strstr(tensor.name, "x_proj") || strstr(tensor.name, "dt_proj.w") ? 1000000 + KRAIT_F16
                                                                                                  : KRAIT_F32);
    }
    test_note("%s", "");
    krait_model_close(model);
    free(expected);
    tiny_free(t);
}

/* Of a mamba: large matrices get the type, or F16 where their rows are no blocks; the rest stays. */
TEST(convert_chooses_types)
{
    tiny *t = tiny_make(&(tiny_sizes){ .width = 16, .inner = 32, .in_bias = 1, .untied = 1 }, 1);
    char  folder[256], path[256];

    test_path(folder, sizeof folder, "chooses");
    test_path(path, sizeof path, "chooses.gguf");
    for (size_t i = 0; i < 8; i++) {            /* up to Q8_0 */
        krait_model *model = NULL;
        int32_t      panels = (int32_t)(i % 2) * 1000000;

        CHECK_STATUS(tiny_gguf(t, folder, path, types[i / 2], (int32_t)(i % 2)), KRAIT_OK);
        CHECK_STATUS(krait_model_open(&model, path, NULL, NULL), KRAIT_OK);
        for (size_t k = 0; model; k++) {
            krait_tensor tensor;
            int32_t      expected = KRAIT_F32;

            if (krait_model_tensor(model, k, &tensor) != KRAIT_OK) {
                CHECK_U64(k, t->count);
                break;
            }
            if (strstr(tensor.name, "ssm_in.weight") || strstr(tensor.name, "ssm_dt.weight") ||
                strcmp(tensor.name, "token_embd.weight") == 0 || strcmp(tensor.name, "output.weight") == 0)
                expected = panels + (types[i / 2] == KRAIT_Q8_0 ? KRAIT_F16 : types[i / 2]);
            else if (strstr(tensor.name, "ssm_x.weight") || strstr(tensor.name, "ssm_out.weight"))
                expected = panels + types[i / 2];
            test_note("%s as %d", tensor.name, (int)types[i / 2]);
            CHECK_INT(tensor.type, expected);
        }
        test_note("%s", "");
        krait_model_close(model);
    }
    tiny_free(t);
}

static void keep_warning(void *user, const char *text)
{
    char *kept = user;

    snprintf(kept + strlen(kept), 500 - strlen(kept), "%s\n", text);
}

/* Rows of 256, of 96 and of 48 numbers: what they become, and that it is said. */
TEST(convert_chooses_blocks)
{
    static const struct { int32_t type, of_96; const char *instead; } cases[] = {
        { KRAIT_Q6_K, KRAIT_Q8_0, "Q8_0" }, { KRAIT_Q5_K, KRAIT_Q5_1, "Q5_1" }, { KRAIT_Q4_K, KRAIT_Q5_0, "Q5_0" },
        { KRAIT_Q8_0, KRAIT_Q8_0, NULL },   { KRAIT_Q5_1, KRAIT_Q5_1, NULL },   { KRAIT_Q5_0, KRAIT_Q5_0, NULL },
        { KRAIT_Q4_1, KRAIT_Q4_1, NULL },   { KRAIT_Q4_0, KRAIT_Q4_0, NULL },
    };
    tiny *t = tiny_make(&(tiny_sizes){ .vocabulary = 40, .width = 256, .inner = 96, .rank = 48 }, 1);
    char  folder[256], path[256];

    test_path(folder, sizeof folder, "blocks");
    test_path(path, sizeof path, "blocks.gguf");
    tiny_folder(t, folder);
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
        char                  said[500] = "", expected[100];
        int32_t               panels = i % 2 ? 1000000 : 0;
        krait_convert_options options = { .size = sizeof options, .type = cases[i / 2].type, .layout = (int32_t)(i % 2),
                                          .warn = keep_warning, .warn_user = said };
        krait_model          *model = NULL;
        krait_tensor          tensor;

        CHECK_STATUS(krait_convert(folder, path, &options, NULL), KRAIT_OK);
        CHECK(strstr(said, "2 of the matrices, blk.0.ssm_dt.weight first, will be F16"));
        snprintf(expected, sizeof expected, "4 of the matrices, blk.0.ssm_x.weight first, will be %s",
                 cases[i / 2].instead ? cases[i / 2].instead : "");
        CHECK_INT(strstr(said, expected) != NULL, cases[i / 2].instead != NULL);
        CHECK_STATUS(krait_model_open(&model, path, NULL, NULL), KRAIT_OK);
        for (size_t k = 0; model && krait_model_tensor(model, k, &tensor) == KRAIT_OK; k++) {
            test_note("%s as %d", tensor.name, (int)options.type);
            if (strstr(tensor.name, "ssm_in.weight") || strcmp(tensor.name, "token_embd.weight") == 0)
                CHECK_INT(tensor.type, panels + options.type);
            else if (strstr(tensor.name, "ssm_x.weight") || strstr(tensor.name, "ssm_out.weight"))
                CHECK_INT(tensor.type, panels + cases[i / 2].of_96);
            else
                CHECK_INT(tensor.type, strstr(tensor.name, "ssm_dt.weight") ? panels + KRAIT_F16 : KRAIT_F32);
        }
        test_note("%s", "");
        krait_model_close(model);
    }
    tiny_free(t);
}

/* What a type cannot hold is refused by name; its largest numbers are held. */
TEST(convert_refuses_numbers)
{
    static const struct { float number; int f16, bf16, q8; } cases[] = {        /* other blocks: as F16 */
        { 65504.0f, 1, 1, 1 }, { -65504.0f, 1, 1, 1 }, { 65505.0f, 0, 1, 1 }, { -1e6f, 0, 1, 1 },
        { 8e6f, 0, 1, 1 }, { 9e6f, 0, 1, 0 }, { 3e38f, 0, 1, 0 }, { INFINITY, 0, 1, 0 }, { -INFINITY, 0, 1, 0 },
        { NAN, 0, 1, 0 },
    };
    tiny  *t = tiny_make(&(tiny_sizes){ .layers = 1, .width = 32 }, 1);
    float *data = tiny_data(t, "backbone.layers.0.mixer.out_proj.weight");
    char   folder[256], path[256];
    size_t count;

    test_path(folder, sizeof folder, "numbers");
    test_path(path, sizeof path, "numbers.gguf");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        data[37] = tiny_little(cases[i].number);
        tiny_folder(t, folder);
        for (int k = 0; k < 2 * TYPES; k++) {
            krait_message  message = { "" };
            int32_t        type = types[k / 2];
            int            held = type == KRAIT_F32    ? 1
                                  : type == KRAIT_BF16 ? cases[i].bf16
                                  : type == KRAIT_Q8_0 || type == KRAIT_Q6_K ? cases[i].q8   /* rows of 32 */
                                                       : cases[i].f16;
            unsigned char *file;

            remove(path);
            test_note("%g as type %d", (double)cases[i].number, (int)type);
            CHECK_STATUS(convert(folder, path, type, k % 2, &message), held ? KRAIT_OK : KRAIT_ERR_UNSUPPORTED);
            CHECK(held || strstr(message.text, "blk.0.ssm_out.weight"));
            file = tiny_read(path, &count);
            CHECK_INT(file != NULL, held);
            free(file);
        }
    }
    test_note("%s", "");
    tiny_free(t);
}

/* Weights of 16 bits go through their own type unchanged, infinities and all. */
TEST(convert_keeps_sixteen_bits)
{
    tiny         *t = tiny_make(&(tiny_sizes){ .layers = 1, .vocabulary = 40 }, 1);
    krait_tensor *table = tiny_find(t, "backbone.embeddings.weight");
    char          folder[256], path[256];

    test_path(folder, sizeof folder, "sixteen");
    test_path(path, sizeof path, "sixteen.gguf");
    for (int i = 0; i < 2; i++) {
        uint16_t      *bits = malloc(table->bytes / 2);
        krait_model   *model = NULL;
        krait_tensor   tensor;
        unsigned char *file, *borrowed;
        size_t         count;
        krait_open_options options = { .size = sizeof options, .flags = KRAIT_OPEN_BORROW };
        krait_tensor   kept = *table;

        for (size_t k = 0; k < 40 * 16; k++)
            bits[k] = (uint16_t)(k * 102 + 1);
        *table = (krait_tensor){ kept.name, bits, 2 * 40 * 16, { 40, 16 }, 2, i ? KRAIT_BF16 : KRAIT_F16 };
        CHECK_STATUS(tiny_gguf(t, folder, path, table->type, KRAIT_LAYOUT_ROWS), KRAIT_OK);
        file = tiny_read(path, &count);
        borrowed = tiny_aligned(file, count);
        CHECK_STATUS(krait_model_open_memory(&model, borrowed, count, &options, NULL), KRAIT_OK);
        CHECK_STATUS(krait_model_tensor(model, 0, &tensor), KRAIT_OK);
        CHECK_INT(tensor.type, table->type);
        CHECK_BYTES(tensor.data, bits, table->bytes);
        krait_model_close(model);
        free(file);
        free(borrowed);
        free(bits);
        *table = kept;
    }
    tiny_free(t);
}

/* What it must not turn into a wrong file: another's description, and no room. */
TEST(convert_options)
{
    tiny                 *t = tiny_make(NULL, 1);
    char                  folder[256], from[256], path[256], again[256];
    krait_convert_options options = { .size = sizeof options };
    tiny_memory           memory;
    krait_message         message;
    uint64_t              peak;

    test_path(folder, sizeof folder, "options");
    test_path(from, sizeof from, "options/model.safetensors");
    test_path(path, sizeof path, "options.gguf");
    test_path(again, sizeof again, "options-again.gguf");
    tiny_folder(t, folder);
    CHECK_STATUS(krait_convert(folder, path, &options, NULL), KRAIT_OK);
    options.description = t->config;
    CHECK_STATUS(krait_convert(from, again, &options, NULL), KRAIT_OK);
    same_files(again, path);
    options.description = "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"tokens\":256},"
                          "\"tree\":{\"embed\":{\"width\":16,\"path\":\"backbone.embeddings\"}}}";
    CHECK_STATUS(krait_convert(from, again, &options, NULL), KRAIT_OK);
    {
        krait_model *model = NULL;
        krait_tensor tensor;

        CHECK_STATUS(krait_model_open(&model, again, NULL, NULL), KRAIT_OK);
        CHECK_STATUS(krait_model_tensor(model, 0, &tensor), KRAIT_OK);
        CHECK_STR(tensor.name, "backbone.embeddings.weight");
        CHECK_STATUS(krait_model_tensor(model, 1, &tensor), KRAIT_ERR_ARGUMENT);    /* what it uses, no more */
        krait_model_close(model);
    }
    options.description = NULL;
    tiny_memory_start(&memory, 0, 0);
    options.allocator = &memory.allocator;
    CHECK_STATUS(krait_convert(folder, again, &options, NULL), KRAIT_OK);
    peak = memory.peak;
    CHECK(tiny_memory_end(&memory));
    for (int i = 0; i < 3; i++) {
        tiny_memory_start(&memory, 0, 0);
        options.max_bytes = peak - (uint64_t)i;
        CHECK_STATUS(krait_convert(folder, again, &options, &message), i ? KRAIT_ERR_MEMORY : KRAIT_OK);
        CHECK(memory.peak <= options.max_bytes);
        CHECK(tiny_memory_end(&memory));
    }
    tiny_free(t);
}
