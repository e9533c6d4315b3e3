/* config.json as found in the wild: what is read, what is passed over, what is told, what is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/tiny.h"
#include "test.h"

/* The warnings of one call. */
typedef struct heard {
    int  lines;
    char text[2048];
} heard;

static void hear(void *user, const char *line)
{
    heard *h = user;

    h->lines++;
    strncat(h->text, line, sizeof h->text - strlen(h->text) - 2);
    strcat(h->text, "\n");
}

/* The config with 'field' in place of all lines that name one of its fields, or as a new line. */
static char *edited(const tiny *t, const char *field, const char *value)
{
    char  *text = malloc(strlen(t->config) + strlen(field) + (value ? strlen(value) : 0) + 64);
    char   quoted[128];
    char  *at, *end;

    strcpy(text, t->config);
    snprintf(quoted, sizeof quoted, "  \"%s\":", field);
    at = strstr(text, quoted);
    if (at) {
        end = strchr(at, '\n') + 1;
        memmove(at, end, strlen(end) + 1);
    }
    if (value) {
        char *old = malloc(strlen(text) + 1);

        strcpy(old, text + 1);
        sprintf(text + 1, "\n%s %s,%s", quoted, value, old);
        free(old);
    }
    return text;
}

static krait_status opened(const tiny *t, const char *config, krait_model **model, heard *h, krait_message *message)
{
    krait_open_options options = { .size = sizeof options, .warn = hear, .warn_user = h };

    memset(h, 0, sizeof *h);
    return krait_model_create(model, config, t->tensors, t->count, &options, message);
}

/* The same model, with no warning. */
static void same(const tiny *t, const char *field, const char *value)
{
    krait_model  *model = NULL, *plain = tiny_model(t);
    krait_message message = { "" };
    heard         h;
    char         *config = edited(t, field, value);

    test_note("%s: %s", field, value ? value : "(absent)");
    CHECK_STATUS(opened(t, config, &model, &h, &message), KRAIT_OK);
    CHECK_STR(message.text, "");
    CHECK_STR(h.text, "");
    CHECK_U64(krait_model_id(model), krait_model_id(plain));
    test_note("%s", "");
    krait_model_close(plain);
    krait_model_close(model);
    free(config);
}

static void refused(const tiny *t, const char *field, const char *value, krait_status status)
{
    krait_model  *model = (krait_model *)1;
    krait_message message = { "" };
    heard         h;
    char         *config = edited(t, field, value);

    test_note("%s: %s", field, value ? value : "(absent)");
    CHECK_STATUS(opened(t, config, &model, &h, &message), status);
    CHECK(model == NULL);
    if (strcmp(message.text, "") == 0 || !strstr(message.text, field))
        CHECK_STR(message.text, field);
    test_note("%s", "");
    free(config);
}

TEST(config_in_the_wild)
{
    tiny *t = tiny_make(NULL, 1);

    /* Bare Infinity, transformers 5's way of writing it, and other fields of no interest. */
    same(t, "time_step_limit_unused", NULL);
    same(t, "time_step_max", "Infinity");
    same(t, "time_step_min", "-Infinity");
    same(t, "time_step_floor", "NaN");
    same(t, "time_step_max", "{\"__float__\": \"Infinity\"}");
    same(t, "initializer_range", "{\"__float__\": \"-Infinity\"}");
    same(t, "ssm_cfg", "{\"layer\": \"Mamba1\", \"deep\": [{\"a\": [1, 2, null]}]}");
    same(t, "d_model", "16");
    same(t, "n_layer", "2");
    same(t, "id2label", "{\"0\": \"LABEL_0\"}");
    same(t, "_name_or_path", "\"caf\\u00e9 \\ud83d\\ude00 \xc3\xa9\"");
    same(t, "transformers_version", "\"5.3.0.dev0\"");
    same(t, "dtype", "\"bfloat16\"");
    /* Absent where there is a default, and null for absent. */
    same(t, "conv_kernel", NULL);
    same(t, "conv_kernel", "null");
    same(t, "layer_norm_epsilon", NULL);
    same(t, "layer_norm_epsilon", "0.00001");
    same(t, "layer_norm_epsilon", "1E-5");
    same(t, "use_bias", NULL);
    same(t, "use_bias", "null");
    same(t, "use_conv_bias", NULL);
    same(t, "tie_word_embeddings", NULL);
    same(t, "hidden_act", NULL);
    same(t, "hidden_act", "\"swish\"");
    same(t, "eos_token_id", NULL);
    same(t, "eos_token_id", "[0, 2]");
    same(t, "eos_token_id", "null");
    same(t, "eos_token_id", "-1");
    same(t, "eos_token_id", "70000");
    same(t, "eos_token_id", "\"</s>\"");
    same(t, "intermediate_size", NULL);                 /* expand is 2 */
    same(t, "intermediate_size", "null");
    same(t, "expand", "3");                             /* intermediate_size says otherwise */
    same(t, "expand", "2.0");
    tiny_free(t);
}

TEST(config_end_token)
{
    static const struct { const char *value; int64_t token; } cases[] = {
        { "10", 10 }, { "[10, 2]", 10 }, { "255", 255 }, { "256", -1 }, { "-1", -1 }, { "null", -1 },
        { "[]", -1 }, { "\"x\"", -1 }, { "1.5", -1 }, { NULL, -1 },
    };
    tiny *t = tiny_make(NULL, 1);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        krait_model *model = NULL;
        heard        h;
        char        *config = edited(t, "eos_token_id", cases[i].value);
        int64_t      value = -99;

        CHECK_STATUS(opened(t, config, &model, &h, NULL), KRAIT_OK);
        CHECK_STATUS(krait_model_get(model, KRAIT_END_TOKEN, &value), KRAIT_OK);
        CHECK_INT(value, cases[i].token);
        krait_model_close(model);
        free(config);
    }
    tiny_free(t);
}

/* inner and rank as their rules give them. */
TEST(config_derived_sizes)
{
    static const struct { size_t width, inner, rank; const char *expand; } cases[] = {
        { 16, 24, 1, "1.5" }, { 16, 64, 1, "4" }, { 16, 16, 1, "1" }, { 17, 25, 2, "1.5" }, { 32, 64, 2, NULL },
        { 33, 66, 3, "2" }, { 10, 7, 1, "0.75" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny        *t = tiny_make(&(tiny_sizes){ .width = cases[i].width, .inner = cases[i].inner,
                                                  .rank = cases[i].rank }, 1);
        krait_model *plain = tiny_model(t), *model = NULL;
        krait_message message = { "" };
        heard        h;
        char        *text = edited(t, "intermediate_size", NULL);

        strcpy(t->config, text);
        free(text);
        text = edited(t, "expand", cases[i].expand);
        strcpy(t->config, text);
        free(text);
        for (int k = 0; k < 2; k++) {
            text = edited(t, "time_step_rank", k ? "\"auto\"" : NULL);
            CHECK_STATUS(opened(t, text, &model, &h, &message), KRAIT_OK);
            CHECK_STR(message.text, "");
            CHECK_U64(krait_model_id(model), krait_model_id(plain));
            krait_model_close(model);
            free(text);
        }
        krait_model_close(plain);
        tiny_free(t);
    }
}

TEST(config_refuses_values)
{
    static const char *const counts[] = { "hidden_size", "num_hidden_layers", "vocab_size", "state_size",
                                          "conv_kernel", "intermediate_size", "time_step_rank" };
    static const char *const values[] = { "0", "-1", "1.5", "1e300", "\"16\"", "true", "[16]", "{}", "4294967296",
                                          "9223372036854775807", "18446744073709551615", "1e400", "Infinity",
                                          "-2147483648", "NaN" };
    tiny *t = tiny_make(NULL, 1);

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t k = 0; k < sizeof values / sizeof *values; k++)
            refused(t, counts[i], values[k], KRAIT_ERR_FORMAT);
    refused(t, "time_step_rank", "\"automatic\"", KRAIT_ERR_FORMAT);
    refused(t, "hidden_size", NULL, KRAIT_ERR_FORMAT);
    refused(t, "hidden_size", "null", KRAIT_ERR_FORMAT);
    refused(t, "num_hidden_layers", NULL, KRAIT_ERR_FORMAT);
    refused(t, "vocab_size", NULL, KRAIT_ERR_FORMAT);
    refused(t, "model_type", NULL, KRAIT_ERR_FORMAT);
    refused(t, "model_type", "7", KRAIT_ERR_FORMAT);
    refused(t, "model_type", "\"mamba3\"", KRAIT_ERR_UNSUPPORTED);
    refused(t, "layer_norm_epsilon", "-1e-5", KRAIT_ERR_FORMAT);
    refused(t, "layer_norm_epsilon", "Infinity", KRAIT_ERR_FORMAT);
    refused(t, "layer_norm_epsilon", "NaN", KRAIT_ERR_FORMAT);
    refused(t, "layer_norm_epsilon", "\"1e-5\"", KRAIT_ERR_FORMAT);
    refused(t, "expand", "0", KRAIT_ERR_FORMAT);
    refused(t, "expand", "Infinity", KRAIT_ERR_FORMAT);
    refused(t, "expand", "NaN", KRAIT_ERR_FORMAT);
    refused(t, "expand", "-2", KRAIT_ERR_FORMAT);
    refused(t, "use_bias", "1", KRAIT_ERR_FORMAT);
    refused(t, "use_conv_bias", "\"yes\"", KRAIT_ERR_FORMAT);
    refused(t, "tie_word_embeddings", "0", KRAIT_ERR_FORMAT);
    tiny_free(t);
}

TEST(config_refuses_what_it_cannot_do)
{
    tiny *t = tiny_make(NULL, 1);

    refused(t, "hidden_act", "\"gelu\"", KRAIT_ERR_UNSUPPORTED);
    refused(t, "hidden_act", "\"relu\"", KRAIT_ERR_UNSUPPORTED);
    refused(t, "hidden_act", "5", KRAIT_ERR_UNSUPPORTED);
    for (int i = 0; i < 2; i++) {
        const char   *field = i ? "quantization_config" : "quantization";
        char         *config = edited(t, field, "{\"group_size\": 64, \"bits\": 4}");
        krait_model  *model;
        krait_message message;
        heard         h;

        CHECK_STATUS(opened(t, config, &model, &h, &message), KRAIT_ERR_UNSUPPORTED);
        CHECK(strstr(message.text, "quanti") != NULL);
        free(config);
    }
    tiny_free(t);
}

/* What the config says of biases and the tensors must agree, either way. */
TEST(config_refuses_contradictions)
{
    tiny *none = tiny_make(&(tiny_sizes){ .no_conv_bias = 1 }, 1), *all = tiny_make(&(tiny_sizes){ .in_bias = 1 }, 1);

    refused(none, "use_bias", "true", KRAIT_ERR_SHAPE);
    refused(none, "use_conv_bias", "true", KRAIT_ERR_SHAPE);
    refused(all, "use_bias", "false", KRAIT_ERR_SHAPE);
    refused(all, "use_conv_bias", "false", KRAIT_ERR_SHAPE);
    same(none, "use_bias", "false");
    same(all, "use_bias", "true");
    tiny_free(none);
    tiny_free(all);
}

/* A bias that one layer lost, or has alone, is not taken for zero, whatever the config does not say. */
TEST(config_refuses_lost_biases)
{
    static const char *const lost[] = { "in_proj.bias", "out_proj.bias", "conv1d.bias", "dt_proj.bias" };

    for (size_t i = 0; i < 8; i++) {
        tiny         *t = tiny_make(&(tiny_sizes){ .in_bias = 1 }, 1);
        krait_model  *model;
        krait_message message;
        heard         h;
        char          name[TINY_NAME];
        char         *config;

        strcpy(t->config, config = edited(t, "use_bias", NULL));
        free(config);
        config = edited(t, "use_conv_bias", NULL);
        snprintf(name, sizeof name, "backbone.layers.%zu.mixer.%s", i / 4, lost[i % 4]);
        tiny_drop(t, name);
        test_note("without %s", name);
        CHECK_STATUS(opened(t, config, &model, &h, &message), KRAIT_ERR_SHAPE);
        CHECK(strstr(message.text, lost[i % 4]) != NULL);
        free(config);
        tiny_free(t);
    }
    test_note("%s", "");
}

/* Sizes that contradict the tensors, and every tensor missing in turn. */
TEST(config_refuses_other_tensors)
{
    static const struct { const char *field, *value; } others[] = {
        { "hidden_size", "17" }, { "vocab_size", "255" }, { "vocab_size", "257" }, { "num_hidden_layers", "3" },
        { "state_size", "5" }, { "state_size", "65536" }, { "conv_kernel", "3" }, { "conv_kernel", "4096" },
        { "intermediate_size", "33" }, { "intermediate_size", "4194304" }, { "time_step_rank", "3" },
        { "time_step_rank", "4194304" }, { "hidden_size", "1048576" }, { "vocab_size", "4194304" },
        { "num_hidden_layers", "4096" },
    };
    tiny *t = tiny_make(&(tiny_sizes){ .untied = 1 }, 1);

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        krait_model       *model = (krait_model *)1;
        krait_message      message = { "" };
        krait_open_options options = { .size = sizeof options };
        tiny_memory        memory;
        char              *config = edited(t, others[i].field, others[i].value);

        tiny_memory_start(&memory, 0, 0);
        options.allocator = &memory.allocator;
        test_note("%s: %s", others[i].field, others[i].value);
        CHECK_STATUS(krait_model_create(&model, config, t->tensors, t->count, &options, &message), KRAIT_ERR_SHAPE);
        CHECK(model == NULL && message.text[0] && memory.peak < 1 << 20);
        CHECK(tiny_memory_end(&memory));
        free(config);
    }
    test_note("%s", "");
    tiny_free(t);
    for (size_t i = 0;; i++) {
        krait_model  *model = (krait_model *)1;
        krait_message message = { "" };
        char          name[TINY_NAME];

        t = tiny_make(&(tiny_sizes){ .untied = 1 }, 1);
        if (i == t->count) {
            tiny_free(t);
            break;
        }
        strcpy(name, t->tensors[i].name);
        test_note("without %s", name);
        tiny_drop(t, name);
        CHECK_STATUS(krait_model_create(&model, t->config, t->tensors, t->count, NULL, &message), KRAIT_ERR_SHAPE);
        CHECK(model == NULL && strstr(message.text, name) != NULL);
        tiny_free(t);
    }
    test_note("%s", "");
}

/* Every tensor in a wrong shape, of a type that is not computed with, or in a wrong number of bytes. */
TEST(config_refuses_tensors)
{
    tiny *t = tiny_make(&(tiny_sizes){ .layers = 1 }, 1);

    for (size_t i = 0; i < t->count; i++)
        for (int k = 0; k < 8; k++) {
            krait_tensor *tensor = &t->tensors[i], kept = *tensor;
            krait_model  *model = (krait_model *)1;
            krait_message message = { "" };
            krait_status  status = KRAIT_ERR_SHAPE;

            if (k == 0) {                       /* one fewer of the slowest */
                tensor->bytes = tensor->bytes / tensor->shape[0] * (tensor->shape[0] - 1);
                tensor->shape[0]--;
            } else if (k == 1) {                /* the other way round, which may be as long */
                tensor->shape[0] = kept.shape[kept.dimensions - 1];
                tensor->shape[tensor->dimensions - 1] = kept.shape[0];
                if (kept.dimensions == 1)
                    continue;
            } else if (k == 2) {
                tensor->bytes--;
            } else if (k == 3) {
                tensor->type = 26;              /* I32 */
                status = KRAIT_ERR_UNSUPPORTED;
            } else if (k == 4) {
                tensor->type = 99;
                status = KRAIT_ERR_ARGUMENT;
            } else if (k == 5) {
                tensor->dimensions = 5;
                status = KRAIT_ERR_ARGUMENT;
            } else if (k == 6) {
                tensor->name = NULL;
                status = KRAIT_ERR_ARGUMENT;
            } else {
                tensor->data = NULL;
                status = KRAIT_ERR_ARGUMENT;
            }
            test_note("%s, %d", kept.name, k);
            CHECK_STATUS(krait_model_create(&model, t->config, t->tensors, t->count, NULL, &message), status);
            CHECK(model == NULL && message.text[0]);
            *tensor = kept;
        }
    test_note("%s", "");
    t->tensors[t->count++] = t->tensors[0];     /* twice the same name */
    {
        krait_model  *model;
        krait_message message;

        CHECK_STATUS(krait_model_create(&model, t->config, t->tensors, t->count, NULL, &message), KRAIT_ERR_FORMAT);
        CHECK(strstr(message.text, t->tensors[0].name) != NULL);
    }
    t->count--;
    tiny_free(t);
}

/* Fields that nobody knows are told, one line each; those of other programs are not. */
TEST(config_warns)
{
    tiny         *t = tiny_make(NULL, 1);
    krait_model  *model = NULL;
    heard         h;
    char         *once = edited(t, "time_step_limit", "[0.0, Infinity]"), *config;
    char          folder[256], path[256];
    krait_open_options    options = { .size = sizeof options, .warn = hear, .warn_user = &h };
    krait_convert_options convert = { .size = sizeof convert, .warn = hear, .warn_user = &h };

    CHECK_STATUS(opened(t, t->config, &model, &h, NULL), KRAIT_OK);
    CHECK_INT(h.lines, 0);
    krait_model_close(model);
    strcpy(t->config, once);
    config = edited(t, "rescale_\\u001b[31mmyself", "{\"a\": 1}");
    CHECK_STATUS(opened(t, config, &model, &h, NULL), KRAIT_OK);
    CHECK_INT(h.lines, 2);
    CHECK(strstr(h.text, "'time_step_limit'") && strstr(h.text, "rescale_") && !strchr(h.text, 27));
    krait_model_close(model);
    CHECK_STATUS(krait_model_create(&model, config, t->tensors, t->count, NULL, NULL), KRAIT_OK);
    krait_model_close(model);
    /* The same from a folder and when converting. */
    test_path(folder, sizeof folder, "warned");
    test_path(path, sizeof path, "warned.gguf");
    tiny_folder(t, folder);
    memset(&h, 0, sizeof h);
    CHECK_STATUS(krait_model_open(&model, folder, &options, NULL), KRAIT_OK);
    CHECK_INT(h.lines, 1);
    CHECK(strstr(h.text, "'time_step_limit'") && strstr(h.text, "config.json"));
    krait_model_close(model);
    memset(&h, 0, sizeof h);
    CHECK_STATUS(krait_convert(folder, path, &convert, NULL), KRAIT_OK);
    CHECK_INT(h.lines, 1);
    free(once);
    free(config);
    tiny_free(t);
}

/* A vocabulary of 256 is bytes, unless a tokenizer lies beside it. */
TEST(config_bytes_or_ids)
{
    static const char *const files[] = { "tokenizer.json", "tokenizer.model", "vocab.json" };
    tiny        *t = tiny_make(NULL, 1), *ids = tiny_make(&(tiny_sizes){ .vocabulary = 255 }, 1);
    krait_model *model = NULL;
    const char  *bytes;
    size_t       count;
    char         folder[256], path[300];
    int32_t      token;

    test_path(folder, sizeof folder, "with tokens");
    tiny_folder(t, folder);
    CHECK_STATUS(krait_model_open(&model, folder, NULL, NULL), KRAIT_OK);
    CHECK_STATUS(krait_token_bytes(model, 65, &bytes, &count), KRAIT_OK);
    CHECK(count == 1 && bytes[0] == 'A');
    CHECK_STATUS(krait_encode(model, "B", 1, 0, &token, 1, &count), KRAIT_OK);
    CHECK_INT(token, 'B');
    krait_model_close(model);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        tiny_write(path, "{}", 2);
        CHECK_STATUS(krait_model_open(&model, folder, NULL, NULL), KRAIT_OK);
        CHECK_STATUS(krait_token_bytes(model, 65, &bytes, &count), KRAIT_ERR_UNSUPPORTED);
        CHECK_STATUS(krait_encode(model, "B", 1, 0, &token, 1, &count), KRAIT_ERR_UNSUPPORTED);
        krait_model_close(model);
        remove(path);
    }
    model = tiny_model(ids);
    CHECK_STATUS(krait_token_bytes(model, 65, &bytes, &count), KRAIT_ERR_UNSUPPORTED);
    CHECK_STATUS(krait_encode(model, "B", 1, 0, &token, 1, &count), KRAIT_ERR_UNSUPPORTED);
    krait_model_close(model);
    tiny_free(t);
    tiny_free(ids);
}
