/* Mamba-2 checkpoints: Hugging Face's, the original's, Mistral's and GGUF's are one model; what is refused, and how. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/package.h"
#include "krait.h"
#include "support/random.h"
#include "support/tiny.h"
#include "test.h"

/* Width 64, two layers, two heads of 64 in two groups, 128 states: what Mistral's params.json leaves to defaults. */
enum { WIDTH = 64, INNER = 128, STATES = 128, GROUPS = 2, HEADS = 2, MIXED = INNER + 2 * GROUPS * STATES, STEPS = 10 };

#define HUGGING \
    "{\"model_type\": \"mamba2\", \"vocab_size\": 40, \"hidden_size\": 64, \"num_hidden_layers\": 2, \"num_heads\": 2, " \
    "\"head_dim\": 64, \"state_size\": 128, \"n_groups\": 2, \"expand\": 2, \"conv_kernel\": 4, " \
    "\"layer_norm_epsilon\": 1e-05, \"use_bias\": false, \"use_conv_bias\": true, \"hidden_act\": \"silu\", " \
    "\"tie_word_embeddings\": false, \"time_step_limit\": [0.0, Infinity], \"chunk_size\": 256"
#define ORIGINAL \
    "{\"d_model\": 64, \"n_layer\": 2, \"vocab_size\": 40, \"rms_norm\": true, \"tie_embeddings\": false, " \
    "\"pad_vocab_size_multiple\": 8, \"d_intermediate\": 0, \"attn_layer_idx\": [], " \
    "\"ssm_cfg\": {\"layer\": \"Mamba2\", \"ngroups\": 2"
#define MISTRAL \
    "{\"dim\": 64, \"n_layers\": 2, \"vocab_size\": 40, \"n_groups\": 2, \"rms_norm\": true, \"residual_in_fp32\": true, " \
    "\"fused_add_norm\": true, \"pad_vocab_size_multiple\": 1, \"tie_embeddings\": false, \"model_type\": \"mamba\"}"

static void add(tiny *t, kr_random *random, const char *name, uint64_t a, uint64_t b, float low, float high)
{
    krait_tensor *tensor = &t->tensors[t->count];
    size_t        count = (size_t)(a * (b ? b : 1));
    float        *data = malloc(count * sizeof *data);

    strcpy(t->names[t->count], name);
    for (size_t i = 0; i < count; i++)
        data[i] = tiny_little(0.5f * (low + high) + 0.5f * (high - low) * kr_random_unit(random));
    *tensor = (krait_tensor){ .name = t->names[t->count++], .data = data, .bytes = count * sizeof *data,
                              .shape = { a, b }, .dimensions = b ? 2 : 1, .type = KRAIT_F32 };
}

/* The same numbers whatever they are called: 'before' PyTorch's names, and the table's. */
static tiny *made(const char *config, const char *before, const char *table)
{
    static const struct { const char *slot; uint64_t a, b; float low, high; } slots[] = {
        { "norm.weight", WIDTH, 0, 0.8f, 1.2f },
        { "mixer.in_proj.weight", INNER + MIXED + HEADS, WIDTH, -0.2f, 0.2f },
        { "mixer.conv1d.weight", MIXED, 4, -0.5f, 0.5f },
        { "mixer.conv1d.bias", MIXED, 0, -0.1f, 0.1f },
        { "mixer.dt_bias", HEADS, 0, -3, -1 },
        { "mixer.A_log", HEADS, 0, 0, 1.5f },
        { "mixer.D", HEADS, 0, 0.5f, 1.5f },
        { "mixer.norm.weight", INNER, 0, 0.8f, 1.2f },
        { "mixer.out_proj.weight", WIDTH, INNER, -0.2f, 0.2f },
    };
    tiny     *t = calloc(1, sizeof *t);
    kr_random random = kr_random_from(31);
    char      name[TINY_NAME];

    strcpy(t->config, config);
    snprintf(name, sizeof name, "%sbackbone.%s.weight", before, table);
    add(t, &random, name, 40, WIDTH, -1, 1);
    for (int layer = 0; layer < 2; layer++)
        for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
            snprintf(name, sizeof name, "%sbackbone.layers.%d.%s", before, layer, slots[i].slot);
            add(t, &random, name, slots[i].a, slots[i].b, slots[i].low, slots[i].high);
        }
    snprintf(name, sizeof name, "%sbackbone.norm_f.weight", before);
    add(t, &random, name, WIDTH, 0, 0.8f, 1.2f);
    snprintf(name, sizeof name, "%slm_head.weight", before);
    add(t, &random, name, 40, WIDTH, -1, 1);
    return t;
}

static void hear(void *user, const char *line)
{
    strncat(user, line, 1000);
    strcat(user, "\n");
}

/* 'said' is the only thing that opening tells; "": nothing. */
static krait_model *opened(const tiny *t, const char *said)
{
    char               heard[4096] = "";
    krait_open_options options = { .size = sizeof options, .warn = hear, .warn_user = heard };
    krait_message      why = { "" };
    krait_model       *model = NULL;

    CHECK_STATUS(krait_model_create(&model, t->config, t->tensors, t->count, &options, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    CHECK((*said != '\0') == (*heard != '\0') && strstr(heard, said) != NULL && !strstr(heard, "ignored"));
    return model;
}

static krait_model *opened_file(const char *path)
{
    krait_message why = { "" };
    krait_model  *model = NULL;

    CHECK_STATUS(krait_model_open(&model, path, NULL, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    return model;
}

static int same_outputs(const krait_model *a, const krait_model *b)
{
    size_t count;
    float *x, *y;
    int    same;

    if (!a || !b)
        return 0;
    x = tiny_logits(a, STEPS, &count);
    y = tiny_logits(b, STEPS, &count);
    same = memcmp(x, y, count * sizeof *x) == 0;
    free(x), free(y);
    return same;
}

TEST(mamba2_files_are_one_model)
{
    tiny        *hugging = made(HUGGING "}", "", "embeddings"), *original = made(ORIGINAL "}}", "", "embedding");
    tiny        *mistral = made(MISTRAL, "model.", "embedding");
    krait_model *first = opened(hugging, "the channels of each group"), *second = opened(original, "");
    krait_model *third = opened(mistral, "");

    CHECK(same_outputs(first, second));
    CHECK(same_outputs(first, third));
    CHECK_U64(krait_model_id(first), krait_model_id(second));
    CHECK_U64(krait_model_id(first), krait_model_id(third));
    krait_model_close(first), krait_model_close(second), krait_model_close(third);
    tiny_free(hugging), tiny_free(original), tiny_free(mistral);
}

/* params.json and consolidated.safetensors, the folder and the file. */
TEST(mamba2_files_of_mistral)
{
    tiny          *t = made(MISTRAL, "model.", "embedding");
    krait_model   *expected = opened(t, ""), *model;
    char           folder[256], path[300], to[300];
    unsigned char *bytes;
    size_t         count = 0;

    test_path(folder, sizeof folder, "codestral");
    tiny_folder(t, folder);
    snprintf(path, sizeof path, "%s/config.json", folder);
    remove(path);
    snprintf(to, sizeof to, "%s/params.json", folder);
    tiny_write(to, t->config, strlen(t->config));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    bytes = tiny_read(path, &count);
    remove(path);
    snprintf(to, sizeof to, "%s/consolidated.safetensors", folder);
    tiny_write(to, bytes, count);
    free(bytes);
    model = opened_file(folder);
    CHECK(same_outputs(model, expected));
    krait_model_close(model);
    model = opened_file(to);
    CHECK(same_outputs(model, expected));
    krait_model_close(model), krait_model_close(expected);
    tiny_free(t);
}

/* ---- norms ------------------------------------------------------------------------------------------ */

/* transformers before 5.23 went over all channels; who trained elsewhere carries fields that say so. */
TEST(mamba2_files_norm_as_it_was_trained)
{
    static const struct { const char *fields; int whole; } cases[] = {
        { "", 0 },
        { ", \"transformers_version\": \"5.23.0\"", 0 },
        { ", \"transformers_version\": \"10.0\"", 0 },
        { ", \"transformers_version\": \"5.22.2\"", 1 },
        { ", \"transformers_version\": \"4.57.6\"", 1 },
        { ", \"transformers_version\": \"4.44.0.dev0\", \"norm_before_gate\": true, \"rms_norm\": true", 0 },
        { ", \"transformers_version\": \"unknown\"", 0 },
    };
    tiny        *base = made(HUGGING "}", "", "embeddings");
    krait_model *grouped = opened(base, "each group");

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny        *t = made(HUGGING, "", "embeddings");
        krait_model *model;

        test_note("%s", cases[i].fields);
        strcat(t->config, cases[i].fields);
        strcat(t->config, "}");
        model = opened(t, cases[i].whole ? "all channels" : "each group");
        CHECK_INT(same_outputs(model, grouped), !cases[i].whole);
        krait_model_close(model);
        tiny_free(t);
    }
    test_note("%s", "");
    krait_model_close(grouped);
    tiny_free(base);
}

/* ---- GGUF ------------------------------------------------------------------------------------------- */

static void check_gguf(const tiny *t, const char *path, int foreign)
{
    kr_memory      memory;
    kr_arena       arena;
    kr_package     package;
    size_t         count = 0;
    unsigned char *bytes = tiny_read(path, &count);
    krait_message  why = { "" };

    (void)t;
    kr_memory_start(&memory, NULL, 0);
    kr_arena_start(&arena, &memory);
    if (CHECK(bytes) && CHECK_STATUS(kr_package_read(&package, bytes, count, path, &arena, &why), KRAIT_OK)) {
        const kr_json   *m = package.metadata;
        const kr_source *a = kr_package_find(&package, "blk.1.ssm_a"), *d = kr_package_find(&package, "blk.0.ssm_d");
        const kr_source *norm = kr_package_find(&package, "blk.1.ssm_norm.weight");

        CHECK(kr_json_is(kr_json_get(m, "general.architecture"), foreign ? "mamba2" : "krait"));
        CHECK((a && d && norm) == foreign);
        if (foreign && a && d && norm) {
            CHECK(a->dimensions == 2 && a->shape[0] == HEADS && a->shape[1] == 1);
            CHECK(d->dimensions == 2 && d->shape[0] == HEADS && d->shape[1] == 1);
            CHECK(norm->dimensions == 2 && norm->shape[0] == GROUPS && norm->shape[1] == INNER / GROUPS);
            CHECK_INT(kr_json_get(m, "mamba2.ssm.time_step_rank")->integer, HEADS);
            CHECK_INT(kr_json_get(m, "mamba2.ssm.group_count")->integer, GROUPS);
            CHECK_INT(kr_json_get(m, "mamba2.ssm.inner_size")->integer, INNER);
            CHECK_INT(kr_json_get(m, "mamba2.ssm.state_size")->integer, STATES);
        }
    }
    kr_arena_free(&arena);
    free(bytes);
}

/* What GGUF's mamba2 has a place for goes there, anything else into krait's own tree. */
TEST(mamba2_files_gguf)
{
    static const struct { const char *config, *table, *said; int foreign; } cases[] = {
        { HUGGING "}", "embeddings", "each group", 1 },
        { HUGGING ", \"transformers_version\": \"5.0.0\"}", "embeddings", "all channels", 0 },
        { ORIGINAL "}}", "embedding", "", 1 },
        { ORIGINAL ", \"norm_before_gate\": true}}", "embedding", "", 0 },
        { ORIGINAL ", \"dt_limit\": [0.01, 0.2]}}", "embedding", "", 0 },
    };
    static const int32_t layouts[] = { KRAIT_LAYOUT_ROWS, KRAIT_LAYOUT_PANELS };
    char                 folder[256], path[256], again[256];

    test_path(folder, sizeof folder, "mamba2");
    test_path(path, sizeof path, "mamba2.gguf");
    test_path(again, sizeof again, "mamba2-again.gguf");
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        tiny                 *t = made(cases[i / 2].config, "", cases[i / 2].table);
        krait_model          *model = opened(t, cases[i / 2].said), *other;
        krait_convert_options options = { .size = sizeof options, .type = KRAIT_F32 };

        test_note("%.40s..., layout %zu", cases[i / 2].config, i % 2);
        CHECK_STATUS(tiny_gguf(t, folder, path, KRAIT_F32, layouts[i % 2]), KRAIT_OK);
        other = opened_file(path);
        CHECK(same_outputs(model, other));
        krait_model_close(other);
        check_gguf(t, path, cases[i / 2].foreign);
        CHECK_STATUS(krait_convert(path, again, &options, NULL), KRAIT_OK);
        other = opened_file(again);
        CHECK(same_outputs(model, other));
        krait_model_close(other), krait_model_close(model);
        tiny_free(t);
    }
    test_note("%s", "");
}

/* ---- refusals ----------------------------------------------------------------------------------------- */

static void refused(const tiny *t, krait_status status, const char *text)
{
    krait_message why = { "" };
    krait_model  *model = (krait_model *)1;

    CHECK_STATUS(krait_model_create(&model, t->config, t->tensors, t->count, NULL, &why), status);
    CHECK(model == NULL);
    if (!strstr(why.text, text))
        CHECK_STR(why.text, text);
}

/* The first 'from' in the config becomes 'to'. */
static void replace(tiny *t, const char *from, const char *to)
{
    char *at = strstr(t->config, from), rest[sizeof t->config];

    if (!CHECK(at != NULL))
        return;
    strcpy(rest, at + strlen(from));
    snprintf(at, sizeof t->config - (size_t)(at - t->config), "%s%s", to, rest);
}

TEST(mamba2_files_refusals)
{
    static const struct { const char *from, *to; krait_status status; const char *text; } cases[] = {
        { "\"num_heads\": 2", "\"num_heads\": 3", KRAIT_ERR_FORMAT, "'num_heads' * 'head_dim' is 192" },
        { "\"num_heads\": 2, ", "", KRAIT_ERR_FORMAT, "'num_heads' is missing" },
        { "\"num_heads\": 2", "\"num_heads\": 0", KRAIT_ERR_FORMAT, "num_heads" },
        { "\"head_dim\": 64", "\"head_dim\": 4294967296", KRAIT_ERR_FORMAT, "head_dim" },
        { "\"head_dim\": 64", "\"head_dim\": 32", KRAIT_ERR_FORMAT, "'expand' * 'hidden_size' 128" },
        { "\"n_groups\": 2", "\"n_groups\": 3", KRAIT_ERR_FORMAT, "2 heads in 3 groups" },
        { "\"n_groups\": 2", "\"n_groups\": 0", KRAIT_ERR_FORMAT, "n_groups" },
        { "\"n_groups\": 2", "\"n_groups\": 1", KRAIT_ERR_SHAPE, "in_proj" },
        { "\"expand\": 2", "\"expand\": 3", KRAIT_ERR_FORMAT, "expand" },
        { "\"expand\": 2", "\"expand\": 2, \"intermediate_size\": 64", KRAIT_ERR_FORMAT, "num_heads" },
        { "\"state_size\": 128", "\"state_size\": 64", KRAIT_ERR_SHAPE, "in_proj" },
        { "\"conv_kernel\": 4", "\"conv_kernel\": 3", KRAIT_ERR_SHAPE, "conv1d" },
        { "\"use_bias\": false", "\"use_bias\": true", KRAIT_ERR_SHAPE, "in_proj.bias" },
        { "\"use_conv_bias\": true", "\"use_conv_bias\": false", KRAIT_ERR_SHAPE, "conv1d.bias" },
        { "\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", KRAIT_ERR_UNSUPPORTED, "hidden_act" },
        { "[0.0, Infinity]", "[0.0]", KRAIT_ERR_FORMAT, "time_step_limit" },
        { "[0.0, Infinity]", "[0.2, 0.1]", KRAIT_ERR_FORMAT, "time_step_limit" },
        { "[0.0, Infinity]", "[-0.1, 0.1]", KRAIT_ERR_FORMAT, "time_step_limit" },
        { "[0.0, Infinity]", "[NaN, 1]", KRAIT_ERR_FORMAT, "time_step_limit" },
        { "[0.0, Infinity]", "{}", KRAIT_ERR_FORMAT, "time_step_limit" },
        { "\"chunk_size\": 256", "\"rms_norm\": false", KRAIT_ERR_UNSUPPORTED, "rms_norm" },
        { "\"chunk_size\": 256", "\"quantization_config\": {}", KRAIT_ERR_UNSUPPORTED, "quantised" },
        { "\"vocab_size\": 40", "\"vocab_size\": 41", KRAIT_ERR_SHAPE, "embeddings" },
    };
    tiny *t;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        t = made(HUGGING "}", "", "embeddings");
        test_note("%s", cases[i].to);
        replace(t, cases[i].from, cases[i].to);
        refused(t, cases[i].status, cases[i].text);
        tiny_free(t);
    }
    test_note("%s", "");
    t = made(HUGGING "}", "", "embeddings");
    tiny_drop(t, "backbone.layers.1.mixer.dt_bias");
    refused(t, KRAIT_ERR_SHAPE, "layers.1.mixer.dt_bias is missing");
    tiny_free(t);
    t = made(HUGGING "}", "", "embeddings");
    tiny_drop(t, "backbone.layers.1.mixer.norm.weight");
    refused(t, KRAIT_ERR_SHAPE, "norm.weight");
    tiny_free(t);
}

TEST(mamba2_files_original_refusals)
{
    static const struct { const char *more; krait_status status; const char *text; } cases[] = {
        { ", \"headdim\": 48}}", KRAIT_ERR_FORMAT, "128 channels are no whole number of heads of 48" },
        { ", \"headdim\": 128}}", KRAIT_ERR_FORMAT, "1 heads in 2 groups" },
        { ", \"headdim\": 0}}", KRAIT_ERR_FORMAT, "headdim" },
        { ", \"d_ssm\": 64}}", KRAIT_ERR_UNSUPPORTED, "d_ssm" },
        { ", \"d_state\": 64}}", KRAIT_ERR_SHAPE, "in_proj" },
        { ", \"init_states\": true}}", KRAIT_ERR_UNSUPPORTED, "init_states" },
        { ", \"dt_limit\": [1]}}", KRAIT_ERR_FORMAT, "dt_limit" },
        { ", \"D_has_hdim\": true}}", KRAIT_ERR_SHAPE, ".D" },
        { ", \"rmsnorm\": 1}}", KRAIT_ERR_FORMAT, "rmsnorm" },
        { ", \"bias\": true}}", KRAIT_ERR_SHAPE, "in_proj.bias" },
    };
    tiny *t;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        t = made(ORIGINAL, "", "embedding");
        test_note("%s", cases[i].more);
        strcat(t->config, cases[i].more);
        refused(t, cases[i].status, cases[i].text);
        tiny_free(t);
    }
    test_note("%s", "");
    t = made(MISTRAL, "model.", "embedding");
    replace(t, "\"n_groups\": 2", "\"n_groups\": 4");
    refused(t, KRAIT_ERR_FORMAT, "2 heads in 4 groups");
    tiny_free(t);
    t = made(MISTRAL, "model.", "embedding");
    replace(t, "\"rms_norm\": true", "\"rms_norm\": false");
    refused(t, KRAIT_ERR_UNSUPPORTED, "rms_norm");
    tiny_free(t);
}
