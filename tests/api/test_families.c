/* Families of Mamba-1 checkpoints beside Hugging Face's own: Falcon-Mamba, and state-spaces/mamba's files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/random.h"
#include "support/tiny.h"
#include "test.h"

enum { STEPS = 10 };

/* The first 'from' in the config becomes 'to'. */
static void replace(tiny *t, const char *from, const char *to)
{
    char *at = strstr(t->config, from);
    char  rest[sizeof t->config];

    if (!CHECK(at != NULL))
        return;
    strcpy(rest, at + strlen(from));
    snprintf(at, sizeof t->config - (size_t)(at - t->config), "%s%s", to, rest);
}

static void hear(void *user, const char *line)
{
    strncat(user, line, 1000);
    strcat(user, "\n");
}

/* Opened without a warning. */
static krait_model *opened(const tiny *t)
{
    char               heard[4096] = "";
    krait_open_options options = { .size = sizeof options, .warn = hear, .warn_user = heard };
    krait_message      why = { "" };
    krait_model       *model = NULL;

    CHECK_STATUS(krait_model_create(&model, t->config, t->tensors, t->count, &options, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    CHECK_STR(heard, "");
    return model;
}

/* The status, and a message that holds 'text'. */
static void refused(const tiny *t, krait_status status, const char *text)
{
    krait_message why = { "" };
    krait_model  *model = (krait_model *)1;

    CHECK_STATUS(krait_model_create(&model, t->config, t->tensors, t->count, NULL, &why), status);
    CHECK(model == NULL);
    if (!strstr(why.text, text))
        CHECK_STR(why.text, text);
}

static krait_model *opened_file(const char *path)
{
    krait_message why = { "" };
    krait_model  *model = NULL;

    CHECK_STATUS(krait_model_open(&model, path, NULL, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    return model;
}

static void same_models(const krait_model *a, const krait_model *b)
{
    size_t count = 0, other = 1;
    float *x, *y;

    if (!CHECK(a && b))
        return;
    CHECK_U64(krait_model_id(a), krait_model_id(b));
    x = tiny_logits(a, STEPS, &count);
    y = tiny_logits(b, STEPS, &other);
    if (CHECK_U64(count, other))
        CHECK_BYTES(x, y, count * sizeof *x);
    free(x), free(y);
}

static int same_outputs(const krait_model *a, const krait_model *b)
{
    size_t count;
    float *x = tiny_logits(a, STEPS, &count), *y = tiny_logits(b, STEPS, &count);
    int    same = memcmp(x, y, count * sizeof *x) == 0;

    free(x), free(y);
    return same;
}

/* Through a folder and a GGUF of either layout it stays the same model; 'text' is in the GGUF. */
static void check_files(const tiny *t, const char *text, int there)
{
    static const int32_t layouts[] = { KRAIT_LAYOUT_ROWS, KRAIT_LAYOUT_PANELS };
    krait_model         *model = opened(t), *other;
    char                 folder[256], path[256];

    test_path(folder, sizeof folder, "family");
    test_path(path, sizeof path, "family.gguf");
    for (size_t i = 0; i < 2; i++) {
        unsigned char *bytes;
        size_t         count = 0, at = 0, length = strlen(text);

        CHECK_STATUS(tiny_gguf(t, folder, path, KRAIT_F32, layouts[i]), KRAIT_OK);
        other = opened_file(path);
        same_models(other, model);
        krait_model_close(other);
        bytes = tiny_read(path, &count);
        while (bytes && at + length < count && memcmp(bytes + at, text, length) != 0)
            at++;
        CHECK_INT(bytes && at + length < count, there);
        free(bytes);
    }
    other = opened_file(folder);
    same_models(other, model);
    krait_model_close(other);
    krait_model_close(model);
}

/* ---- Falcon-Mamba ---------------------------------------------------------------------- */

static tiny *falcon(const char *epsilon)
{
    tiny *t = tiny_make(&(tiny_sizes){ .width = 24, .inner = 48, .states = 5, .rank = 3, .untied = 1 }, 5);
    char  text[128];

    snprintf(text, sizeof text, "\"falcon_mamba\", %s%s%s", epsilon ? "\"mixer_rms_eps\": " : "",
             epsilon ? epsilon : "", epsilon ? "," : "");
    replace(t, "\"mamba\",", text);
    return t;
}

TEST(families_falcon_mamba)
{
    static const char *const epsilons[] = { NULL, "1e-06", "0.0625", "0" };
    krait_model             *models[4], *plain;
    tiny                    *t;

    for (size_t i = 0; i < 4; i++) {
        t = falcon(epsilons[i]);
        models[i] = opened(t);
        check_files(t, "mamba.ssm.dt_b_c_rms", 1);
        tiny_free(t);
    }
    same_models(models[0], models[1]);          /* the default is 1e-6 */
    CHECK(krait_model_id(models[0]) != krait_model_id(models[2]));
    CHECK(!same_outputs(models[0], models[2]) && !same_outputs(models[0], models[3]));
    t = tiny_make(&(tiny_sizes){ .width = 24, .inner = 48, .states = 5, .rank = 3, .untied = 1 }, 5);
    plain = opened(t);
    CHECK(krait_model_id(models[0]) != krait_model_id(plain));
    CHECK(!same_outputs(models[0], plain));
    check_files(t, "dt_b_c_rms", 0);
    tiny_free(t);
    for (size_t i = 0; i < 4; i++)
        krait_model_close(models[i]);
    krait_model_close(plain);
}

/* Without krait's own key the file's one epsilon is meant: 1e-5 here. */
TEST(families_falcon_gguf_epsilon)
{
    static const char key[] = "krait.ssm.dt_b_c_rms_epsilon";
    tiny          *t = falcon("0.25"), *meant = falcon("1e-05");
    krait_model   *model, *expected = opened(meant);
    char           folder[256], path[256];
    unsigned char *bytes;
    size_t         count = 0, at = 0;

    test_path(folder, sizeof folder, "falcon");
    test_path(path, sizeof path, "falcon.gguf");
    CHECK_STATUS(tiny_gguf(t, folder, path, KRAIT_F32, KRAIT_LAYOUT_ROWS), KRAIT_OK);
    bytes = tiny_read(path, &count);
    while (at + sizeof key < count && memcmp(bytes + at, key, sizeof key - 1) != 0)
        at++;
    bytes[at] = 'x';
    tiny_write(path, bytes, count);
    model = opened_file(path);
    same_models(model, expected);
    krait_model_close(model);
    krait_model_close(expected);
    free(bytes);
    tiny_free(t);
    tiny_free(meant);
}

TEST(families_falcon_refusals)
{
    static const char *const epsilons[] = { "-1e-6", "2", "\"1e-6\"", "NaN", "[]" };

    for (size_t i = 0; i < sizeof epsilons / sizeof *epsilons; i++) {
        tiny *t = falcon(epsilons[i]);

        test_note("%s", epsilons[i]);
        refused(t, KRAIT_ERR_FORMAT, "mixer_rms_eps");
        tiny_free(t);
    }
    test_note("%s", "");
}

/* ---- the original's files ---------------------------------------------------------------- */

/* The same weights under the original's names, and this config. */
static tiny *original(const tiny_sizes *sizes, const char *config)
{
    tiny *t = tiny_make(sizes, 6);

    strcpy(t->names[0], "backbone.embedding.weight");
    snprintf(t->config, sizeof t->config, "%s", config);
    return t;
}

static void add(tiny *t, kr_random *random, const char *name, uint64_t a, uint64_t b, float low, float high)
{
    krait_tensor *tensor = &t->tensors[t->count];
    size_t        count = (size_t)(a * (b ? b : 1));
    float        *data = malloc(count * sizeof *data);

    strcpy(t->names[t->count++], name);
    for (size_t i = 0; i < count; i++)
        data[i] = 0.5f * (low + high) + 0.5f * (high - low) * kr_random_unit(random);
    *tensor = (krait_tensor){ .name = t->names[t->count - 1], .data = data, .bytes = count * sizeof *data,
                              .shape = { a, b }, .dimensions = b ? 2 : 1, .type = KRAIT_F32 };
}

#define ORIGINAL "\"d_model\": 16, \"n_layer\": 2, \"vocab_size\": 256, \"rms_norm\": true, " \
                 "\"residual_in_fp32\": true, \"fused_add_norm\": true, \"pad_vocab_size_multiple\": 8"
#define CFG "\"ssm_cfg\": {\"d_state\": 4, \"dt_rank\": 2}"

/* Under whichever names and fields, it is the model that Hugging Face's files hold. */
TEST(families_original_is_the_same_model)
{
    static const char *const configs[] = {
        "{" ORIGINAL ", " CFG "}",
        "{" ORIGINAL ", \"ssm_cfg\": {\"layer\": \"Mamba1\", \"d_state\": 4, \"dt_rank\": 2, \"expand\": 2, \"d_conv\": 4, "
        "\"dt_min\": 0.001, \"conv_bias\": true, \"bias\": false}, \"tie_embeddings\": true, \"d_intermediate\": 0, "
        "\"attn_layer_idx\": [], \"attn_cfg\": {}}",
        "{" ORIGINAL ", " CFG ", \"norm_epsilon\": 1e-05}",
        /* Both kinds of fields, with and without a type; a table named as the original's decides. */
        "{" ORIGINAL ", \"ssm_cfg\": {}, \"hidden_size\": 16, \"state_size\": 4, \"time_step_rank\": 2, \"expand\": 2, "
        "\"conv_kernel\": 4, \"intermediate_size\": 32, \"num_hidden_layers\": 2, \"layer_norm_epsilon\": 1e-05}",
        "{\"model_type\": \"mamba\", " ORIGINAL ", " CFG ", \"hidden_size\": 16, \"num_hidden_layers\": 2}",
        ("{\"model_type\": \"mamba\", \"hidden_size\": 16, \"state_size\": 4, \"time_step_rank\": 2, "
         "\"num_hidden_layers\": 2, \"vocab_size\": 256}"),
    };
    tiny        *plain = tiny_make(NULL, 6);
    krait_model *expected;

    expected = opened(plain);
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        tiny        *t = original(NULL, configs[i]);
        krait_model *model;

        test_note("config %zu", i);
        model = opened(t);
        same_models(model, expected);
        krait_model_close(model);
        check_files(t, "blk.1.ssm_in.weight", 1);
        tiny_free(t);
    }
    test_note("%s", "");
    krait_model_close(expected);
    tiny_free(plain);
}

/* Rows are padded as the original's code pads them; a head may be there twice, or of its own. */
TEST(families_original_vocabulary)
{
    static const struct { const char *config; size_t rows; } cases[] = {
        { "{\"d_model\": 16, \"n_layer\": 2, \"vocab_size\": 50, \"pad_vocab_size_multiple\": 16, " CFG "}", 64 },
        { "{\"d_model\": 16, \"n_layer\": 2, \"vocab_size\": 50, " CFG "}", 56 },
        { "{\"d_model\": 16, \"n_layer\": 2, \"vocab_size\": 50, \"pad_vocab_size_multiple\": 1, " CFG "}", 50 },
        { "{\"d_model\": 16, \"n_layer\": 2, \"vocab_size\": 250, \"tie_embeddings\": false, " CFG "}", 256 },
    };

    for (size_t i = 0; i < 4; i++) {
        tiny_sizes    sizes = { .vocabulary = cases[i].rows, .untied = i == 3 };
        tiny         *t = original(&sizes, cases[i].config), *hugging = tiny_make(&sizes, 6);
        krait_model  *model = opened(t), *expected = opened(hugging);
        const char   *bytes;
        size_t        count;

        test_note("config %zu", i);
        same_models(model, expected);
        CHECK_STATUS(krait_token_bytes(model, 65, &bytes, &count), KRAIT_ERR_UNSUPPORTED);
        krait_model_close(model);
        krait_model_close(expected);
        tiny_free(t);
        tiny_free(hugging);
    }
    test_note("%s", "");
}

/* With norm2 and mlp of 128 after each mixer, and biases of norms if layer_norm. */
static tiny *extended(const char *config, int layer_norm, size_t hidden)
{
    static const char *const norms[] = { "backbone.layers.0.norm", "backbone.layers.1.norm",
                                         "backbone.layers.0.norm2", "backbone.layers.1.norm2", "backbone.norm_f" };
    tiny     *t = original(NULL, config);
    kr_random random = kr_random_from(9);
    char      name[TINY_NAME];

    for (size_t i = 0; i < 5; i++) {
        if (layer_norm && (hidden || i < 2 || i == 4)) {
            snprintf(name, sizeof name, "%s.bias", norms[i]);
            add(t, &random, name, 16, 0, -0.3f, 0.3f);
        }
        if (hidden && i >= 2 && i < 4) {
            snprintf(name, sizeof name, "%s.weight", norms[i]);
            add(t, &random, name, 16, 0, 0.8f, 1.2f);
        }
    }
    for (int i = 0; hidden && i < 2; i++) {
        snprintf(name, sizeof name, "backbone.layers.%d.mlp.fc1.weight", i);
        add(t, &random, name, 2 * hidden, 16, -0.4f, 0.4f);
        snprintf(name, sizeof name, "backbone.layers.%d.mlp.fc2.weight", i);
        add(t, &random, name, 16, hidden, -0.2f, 0.2f);
    }
    return t;
}

#define WEIGHT(name) "\"weights\": {\"weight\": \"" name ".weight\"}"
#define MAP(name, bias) "\"weights\": {\"weight\": \"" name ".weight\"" bias(name) "}"
#define BIAS(name) ", \"bias\": \"" name ".bias\""
#define NOTHING(name) ""

/* The tree, by hand: 'norm' is the type of norms, 'bias' their weight. */
#define TREE(norm, bias, mlp) \
    "{\"model_type\": \"krait\", \"version\": 1, \"input\": {\"tokens\": 256}, \"tree\": {\"sequence\": [" \
    "{\"embed\": {\"width\": 16, " WEIGHT("backbone.embedding") "}}, " \
    "{\"repeat\": {\"n\": 2, \"of\": {\"sequence\": [{\"residual\": {\"sequence\": [" \
    "{\"" norm "\": {" MAP("backbone.layers.{i}.norm", bias) "}}, " \
    "{\"mamba1\": {\"inner\": 32, \"states\": 4, \"rank\": 2, \"path\": \"backbone.layers.{i}.mixer\"}}]}}" mlp "]}}}, " \
    "{\"" norm "\": {" MAP("backbone.norm_f", bias) "}}, " \
    "{\"linear\": {\"width\": 256, " WEIGHT("backbone.embedding") "}}]}}"
#define MLP(norm, bias) \
    ", {\"residual\": {\"sequence\": [{\"" norm "\": {" MAP("backbone.layers.{i}.norm2", bias) "}}, " \
    "{\"linear\": {\"width\": 256, " WEIGHT("backbone.layers.{i}.mlp.fc1") "}}, {\"glu\": {\"kind\": \"silu\"}}, " \
    "{\"linear\": {\"width\": 16, " WEIGHT("backbone.layers.{i}.mlp.fc2") "}}]}}"

TEST(families_original_layer_norm_and_mlp)
{
    static const struct { const char *config, *tree; int layer_norm; size_t hidden; } cases[] = {
        { "{\"d_model\": 16, \"n_layer\": 2, \"vocab_size\": 256, \"rms_norm\": false, " CFG "}",
          TREE("layer_norm", BIAS, ""), 1, 0 },
        { "{" ORIGINAL ", \"d_intermediate\": 100, " CFG "}", TREE("rms_norm", NOTHING, MLP("rms_norm", NOTHING)), 0, 128 },
        { "{\"d_model\": 16, \"n_layer\": 2, \"vocab_size\": 256, \"rms_norm\": false, \"d_intermediate\": 128, " CFG "}",
          TREE("layer_norm", BIAS, MLP("layer_norm", BIAS)), 1, 128 },
    };

    for (size_t i = 0; i < 3; i++) {
        tiny         *t = extended(cases[i].config, cases[i].layer_norm, cases[i].hidden);
        krait_model  *model, *expected = NULL;
        krait_message why = { "" };

        test_note("config %zu", i);
        model = opened(t);
        CHECK_STATUS(krait_model_create(&expected, cases[i].tree, t->tensors, t->count, NULL, &why), KRAIT_OK);
        CHECK_STR(why.text, "");
        if (CHECK(model && expected))
            CHECK(same_outputs(model, expected));
        krait_model_close(model);
        krait_model_close(expected);
        check_files(t, "krait.description", 1);     /* GGUF's mamba has no place for it */
        tiny_free(t);
    }
    test_note("%s", "");
}

TEST(families_original_refusals)
{
    static const struct { const char *config; krait_status status; const char *text; } cases[] = {
        { "{" ORIGINAL ", \"ssm_cfg\": {\"layer\": \"Mamba3\", \"d_state\": 4}}", KRAIT_ERR_UNSUPPORTED, "Mamba3" },
        { "{" ORIGINAL ", \"ssm_cfg\": {\"layer\": 2}}", KRAIT_ERR_UNSUPPORTED, "layer" },
        { "{" ORIGINAL ", " CFG ", \"attn_layer_idx\": [1]}", KRAIT_ERR_UNSUPPORTED, "attn_layer_idx" },
        { "{" ORIGINAL ", \"ssm_cfg\": {\"d_state\": 4, \"dt_rank\": 2, \"headdim\": 4}}", KRAIT_ERR_UNSUPPORTED, "headdim" },
        { "{" ORIGINAL ", \"ssm_cfg\": [1]}", KRAIT_ERR_FORMAT, "ssm_cfg" },
        { "{" ORIGINAL ", \"ssm_cfg\": {\"d_state\": 0}}", KRAIT_ERR_FORMAT, "d_state" },
        { "{" ORIGINAL ", \"ssm_cfg\": {\"d_state\": 4, \"dt_rank\": \"automatic\"}}", KRAIT_ERR_FORMAT, "dt_rank" },
        { "{" ORIGINAL ", \"ssm_cfg\": {\"d_state\": 4, \"dt_rank\": 2, \"bias\": true}}", KRAIT_ERR_SHAPE, "in_proj.bias" },
        { "{" ORIGINAL ", \"ssm_cfg\": {\"d_state\": 4, \"dt_rank\": 2, \"conv_bias\": false}}", KRAIT_ERR_SHAPE, "conv1d.bias" },
        { "{" ORIGINAL ", \"ssm_cfg\": {\"d_state\": 4, \"dt_rank\": 2, \"expand\": 3}}", KRAIT_ERR_SHAPE, "in_proj" },
        { "{\"d_model\": 16, \"n_layer\": 2, \"vocab_size\": 256, \"rms_norm\": false, " CFG "}", KRAIT_ERR_SHAPE, "norm_f.bias" },
        { "{" ORIGINAL ", " CFG ", \"d_intermediate\": 64}", KRAIT_ERR_SHAPE, "norm2" },
        { "{" ORIGINAL ", " CFG ", \"d_intermediate\": -1}", KRAIT_ERR_FORMAT, "d_intermediate" },
        { "{" ORIGINAL ", " CFG ", \"pad_vocab_size_multiple\": 0}", KRAIT_ERR_FORMAT, "pad_vocab_size_multiple" },
        { "{" ORIGINAL ", " CFG ", \"quantization\": {}}", KRAIT_ERR_UNSUPPORTED, "quantised" },
        { "{\"n_layer\": 2, " CFG "}", KRAIT_ERR_FORMAT, "model_type" },
        { "{\"d_model\": 16, \"n_layer\": 2, \"model_type\": 3}", KRAIT_ERR_FORMAT, "model_type" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny *t = original(NULL, cases[i].config);

        test_note("%s", cases[i].config);
        /* A key twice is refused by itself, so the later one takes the place of the first. */
        if (strstr(cases[i].config, "\"pad_vocab_size_multiple\": 0"))
            replace(t, ", \"pad_vocab_size_multiple\": 8", "");
        refused(t, cases[i].status, cases[i].text);
        tiny_free(t);
    }
    test_note("%s", "");
}

/* Pickles are not read; the message says what makes a safetensors file of one. */
TEST(families_pickle_is_refused)
{
    static const char config[] = "{" ORIGINAL ", " CFG "}";
    krait_message     why = { "" };
    krait_model      *model = NULL;
    char              folder[256], path[512];
    tiny             *t = original(NULL, config);

    test_path(folder, sizeof folder, "pickle");
    tiny_folder(t, folder);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    remove(path);
    snprintf(path, sizeof path, "%s/pytorch_model.bin", folder);
    tiny_write(path, "PK\3\4 and so on", 14);
    CHECK_STATUS(krait_model_open(&model, folder, NULL, &why), KRAIT_ERR_UNSUPPORTED);
    CHECK(strstr(why.text, "examples/python/to_safetensors.py") != NULL);
    CHECK_STATUS(krait_model_open(&model, path, NULL, &why), KRAIT_ERR_FORMAT);
    CHECK(strstr(why.text, "examples/python/to_safetensors.py") != NULL);
    remove(path);
    tiny_free(t);
}
