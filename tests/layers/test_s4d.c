/*
 * test_s4d.c - diagonal state spaces: recorded outputs of the official layers run in double, the trained
 * classifiers of spoken digits (S4's, too) against their references, and what checkpoints of their kind are refused for.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "formats/package.h"
#include "krait.h"
#include "support/npz.h"
#include "support/tiny.h"
#include "test.h"

enum { FEATURES = 64, DIGITS = 10, EVERY = 40, MOST = 3 };

/* One recording with what the model should make of it. */
typedef struct spoken {
    krait_model *model;
    npz          reference;
    npz_array    features, logits;
    size_t       rows;
    float       *audio;                 /* [rows] */
} spoken;

static double off(const float *actual, const npz_array *expected, size_t from, size_t count)
{
    double worst = 0;

    for (size_t i = 0; i < count; i++) {
        double apart = fabs((double)actual[i] - npz_number(expected, from + i));

        worst = isnan(apart) ? INFINITY : fmax(worst, apart);
    }
    return worst;
}

static double largest(const npz_array *array)
{
    double most = 0;

    for (size_t i = 0; i < array->count; i++)
        most = fmax(most, fabs(npz_number(array, i)));
    return most;
}

/* Next rows of every lane, all with the same audio; the rows and features of lane 'lane' go to y and kept. */
static void listen(const spoken *s, krait_state *state, size_t lanes, int32_t mode, size_t from, size_t rows,
                   size_t lane, float *y, float *kept)
{
    float       *in = malloc(lanes * rows * sizeof *in);
    float       *out = malloc(lanes * rows * DIGITS * sizeof *out), *slot = malloc(lanes * rows * FEATURES * sizeof *slot);
    krait_slot   asked = { "features", slot, lanes * rows * FEATURES, 0, 0 };
    krait_input  input = { .size = sizeof input, .steps = rows, .features = in, .mode = mode };
    krait_output output = { .size = sizeof output, .rows = out, .capacity = lanes * rows * DIGITS, .slots = &asked,
                            .slot_count = 1 };

    for (size_t i = 0; i < lanes; i++)
        memcpy(in + i * rows, s->audio + from, rows * sizeof *in);
    CHECK_STATUS(krait_run(s->model, state, &input, &output, NULL), KRAIT_OK);
    memcpy(y + from * DIGITS, out + lane * rows * DIGITS, rows * DIGITS * sizeof *y);
    memcpy(kept + from * FEATURES, slot + lane * rows * FEATURES, rows * FEATURES * sizeof *kept);
    free(in), free(out), free(slot);
}

static void check_spoken(const spoken *s, int32_t mode, size_t lanes, size_t cut, double bound)
{
    krait_state *state = tiny_state(s->model, (uint32_t)lanes, (uint32_t)cut);
    float       *y = malloc(s->rows * DIGITS * sizeof *y), *kept = malloc(s->rows * FEATURES * sizeof *kept);
    double       worst = 0;

    for (size_t from = 0; from < s->rows; from += cut)
        listen(s, state, lanes, mode, from, from + cut < s->rows ? cut : s->rows - from, lanes - 1, y, kept);
    for (size_t i = 0; i < s->features.shape[0]; i++)
        worst = fmax(worst, off(kept + i * EVERY * FEATURES, &s->features, i * FEATURES, FEATURES));
    test_note("mode %d, %zu lanes, cut %zu: features off by %.2g, logits by %.2g", (int)mode, lanes, cut,
              worst / largest(&s->features),
              off(y + (s->rows - 1) * DIGITS, &s->logits, 0, DIGITS) / largest(&s->logits));
    CHECK(worst <= bound * largest(&s->features));
    CHECK(off(y + (s->rows - 1) * DIGITS, &s->logits, 0, DIGITS) <= bound * largest(&s->logits));
    if (getenv("KRAIT_DISTANCE"))
        test_check(0, __FILE__, __LINE__, "asked for");
    test_note("%s", "");
    krait_state_destroy(state, NULL);
    free(y), free(kept);
}

static void check_digits(const char *folder, const char *path, int32_t last, double bound)
{
    spoken        s = { 0 };
    npz_array     audio;
    krait_message why = { "" };

    if (!CHECK(npz_open(&s.reference, path)))
        return;
    audio = npz_get(&s.reference, "audio");
    s.features = npz_get(&s.reference, "features");
    s.logits = npz_get(&s.reference, "logits");
    s.rows = audio.count;
    if (CHECK(s.logits.count == DIGITS && s.features.shape[0] == (s.rows + EVERY - 1) / EVERY) &&
        CHECK_STATUS(krait_model_open(&s.model, folder, NULL, &why), KRAIT_OK)) {
        s.audio = malloc(s.rows * sizeof *s.audio);
        for (size_t i = 0; i < s.rows; i++)
            s.audio[i] = (float)npz_number(&audio, i);
        for (int32_t mode = KRAIT_RECURRENT; mode <= last; mode++)
            for (size_t lanes = 1; lanes <= MOST; lanes += 2) {
                check_spoken(&s, mode, lanes, 37, bound);
                check_spoken(&s, mode, lanes, s.rows, bound);
                if (mode == KRAIT_RECURRENT)
                    check_spoken(&s, mode, lanes, 1, bound);
            }
        free(s.audio);
    }
    CHECK_STR(why.text, "");
    krait_model_close(s.model);
    npz_close(&s.reference);
}

TEST(s4d_digits)
{
    const char *folder = test_shared("models/s4d-digits"), *path = test_shared("models/s4d-digits/reference64.npz");

    if (!folder || !path)
        SKIP("no ../shared/models/s4d-digits (or in $KRAIT_SHARED): see s4d_recorded_outputs");
    check_digits(folder, path, KRAIT_SCAN, 2e-5);
}

TEST(s4_digits)
{
    const char *folder = test_shared("models/s4-digits"), *path = test_shared("models/s4-digits/reference64.npz");

    if (!folder || !path)
        SKIP("no ../shared/models/s4-digits (or in $KRAIT_SHARED): see s4_recorded_outputs");
    check_digits(folder, path, KRAIT_CONVOLUTION, 1e-5);
}

/* ---- recorded outputs: tests/golden/make_lti.py ----------------------------------------------------------- */

enum { MOST_TENSORS = 16, MOST_NUMBERS = 4096 };

static const struct { const char *name, *options; } recordings[] = {
    { "zoh",             "\"states\":8" },
    { "bilinear",        "\"states\":8,\"discretization\":\"bilinear\"" },
    { "tied",            "\"states\":4,\"copies\":2,\"channels\":2,\"tied\":false" },
    { "bidirectional",   "\"states\":6,\"copies\":1,\"bidirectional\":true" },
    { "bandlimit",       "\"states\":16,\"bandlimit\":0.5" },
    { "rate",            "\"states\":8,\"bandlimit\":0.5,\"rate\":2" },
    { "rate_bilinear",   "\"states\":8,\"rate\":0.5,\"discretization\":\"bilinear\"" },
    { "relu",            "\"states\":4,\"step\":\"relu\",\"real\":\"relu\",\"imag\":\"softplus\"" },
    { "sigmoid",         "\"states\":4,\"discretization\":\"bilinear\",\"step\":\"sigmoid\",\"real\":\"sigmoid\","
                         "\"imag\":\"relu\"" },
    { "softplus",        "\"states\":4,\"step\":\"softplus\",\"real\":\"softplus\",\"imag\":\"exp\"" },
    { "plain",           "\"states\":4,\"step\":\"none\",\"real\":\"none\",\"imag\":\"none\"" },
    { "fast",            "\"states\":4,\"fast\":true" },
    { "circle",          "\"states\":8" },
    { "circle_bilinear", "\"states\":8,\"discretization\":\"bilinear\"" },
    { "tiny",            "\"states\":4" },
    { "minimal",         "\"states\":8,\"form\":\"minimal\"" },
    { "minimal_circle",  "\"states\":8,\"form\":\"minimal\"" },
    { "minimal_tiny",    "\"states\":4,\"form\":\"minimal\"" },
};

static double recorded_double(const kr_source *from, size_t i)
{
    return kr_double_of(kr_load_u32(from->data + 8 * i) | (uint64_t)kr_load_u32(from->data + 8 * i + 4) << 32);
}

/* The tensors of the layer, "layer." taken off their names. */
static size_t layer_tensors(const kr_package *package, krait_tensor *tensors)
{
    size_t count = 0;

    for (size_t i = 0; i < package->n_tensors && count < MOST_TENSORS; i++) {
        const kr_source *from = &package->tensors[i];
        krait_tensor    *to = &tensors[count++];

        *to = (krait_tensor){ .name = strncmp(from->name, "layer.", 6) == 0 ? from->name + 6 : from->name,
                              .data = from->data, .bytes = from->bytes, .dimensions = from->dimensions,
                              .type = from->type };
        memcpy(to->shape, from->shape, sizeof to->shape);
    }
    return count;
}

/* All rows in one call; the largest error over the largest output. */
static double recorded_error(const krait_model *model, const kr_source *input, const kr_source *expected, int32_t mode)
{
    size_t       rows = (size_t)input->shape[0], count = (size_t)(expected->shape[0] * expected->shape[1]);
    float        in[MOST_NUMBERS], out[MOST_NUMBERS];
    krait_state_options options = { .size = sizeof options, .chunk = (uint32_t)rows, .max_steps = (uint32_t)rows };
    krait_state *state = NULL;
    krait_input  given = { .size = sizeof given, .steps = rows, .features = in, .mode = mode };
    krait_output made = { .size = sizeof made, .rows = out, .capacity = count };
    double       worst = 0, most = 0;

    CHECK_STATUS(krait_state_create(&state, model, &options, NULL), KRAIT_OK);
    for (size_t i = 0; i < rows * (size_t)input->shape[1]; i++)
        in[i] = kr_float_of(kr_load_u32(input->data + 4 * i));
    CHECK_STATUS(krait_run(model, state, &given, &made, NULL), KRAIT_OK);
    for (size_t i = 0; i < count; i++) {
        double apart = fabs((double)out[i] - recorded_double(expected, i));

        worst = isnan(apart) ? INFINITY : fmax(worst, apart);
        most = fmax(most, fabs(recorded_double(expected, i)));
    }
    krait_state_destroy(state, NULL);
    return worst / most;
}

/* The layer alone, as the recording has it: the models are small, and rows too few for a scan of segments. */
static void check_recording(const char *name, const char *options, const unsigned char *bytes, size_t count,
                            const char *path)
{
    char            text[512];
    kr_memory       memory;
    kr_arena        arena;
    kr_package      package;
    krait_tensor    tensors[MOST_TENSORS];
    krait_model    *model = NULL;
    krait_message   why = { "" };
    const kr_source *input, *expected;

    kr_memory_start(&memory, NULL, 0);
    kr_arena_start(&arena, &memory);
    if (CHECK_STATUS(kr_package_read(&package, bytes, count, path, &arena, &why), KRAIT_OK)) {
        input = kr_package_find(&package, "input");
        expected = kr_package_find(&package, "ssm");
        snprintf(text, sizeof text, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":%d},"
                 "\"tree\":{\"s4d\":{%s}}}", (int)input->shape[1], options);
        CHECK_STATUS(krait_model_create(&model, text, tensors, layer_tensors(&package, tensors), NULL, &why), KRAIT_OK);
        CHECK_STR(why.text, "");
        if (model) {
            double error = recorded_error(model, input, expected, KRAIT_RECURRENT);

            test_note("%s: off by %.2g", name, error);
            CHECK(error <= 1e-6);
            if (getenv("KRAIT_DISTANCE"))
                test_check(0, __FILE__, __LINE__, "asked for");
            CHECK(recorded_error(model, input, expected, KRAIT_SCAN) <= 1e-6);
            CHECK(recorded_error(model, input, expected, KRAIT_CONVOLUTION) <= 1e-6);
        }
    }
    test_note("%s", "");
    krait_model_close(model);
    kr_arena_free(&arena);
}

TEST(s4d_recorded_outputs)
{
    for (size_t i = 0; i < sizeof recordings / sizeof *recordings; i++) {
        char           path[96];
        size_t         count = 0;
        unsigned char *bytes;

        snprintf(path, sizeof path, "tests/golden/s4d/%s.safetensors", recordings[i].name);
        bytes = npz_read_file(test_data(path), &count);
        if (CHECK(bytes != NULL))
            check_recording(recordings[i].name, recordings[i].options, bytes, count, path);
        free(bytes);
    }
}

/* ---- the norm behind the sum ---------------------------------------------------------------------------- */

TEST(s4d_norm_behind_the_sum)
{
    static const char config[] = "{\"model_type\":\"s4d\",\"d_input\":1,\"d_model\":4,\"d_state\":2,\"n_layers\":1,"
                                 "\"n_ssm\":1,\"n_classes\":1,\"prenorm\":false}";
    static const struct { const char *name; int dimensions; uint64_t shape[4]; float value; } parts[] = {
        { "encoder.weight", 2, { 4, 1 }, 1 }, { "encoder.bias", 1, { 4 }, 1 },
        { "layers.0.layer.kernel.inv_dt", 2, { 4, 1 }, 0 }, { "layers.0.layer.kernel.A_real", 2, { 1, 1 }, 0 },
        { "layers.0.layer.kernel.A_imag", 2, { 1, 1 }, 1 }, { "layers.0.layer.kernel.C", 4, { 1, 4, 1, 2 }, 1 },
        { "layers.0.layer.D", 2, { 1, 4 }, 1 }, { "layers.0.output_linear.0.weight", 2, { 8, 4 }, 1 },
        { "layers.0.output_linear.0.bias", 1, { 8 }, 1 }, { "norms.0.weight", 1, { 4 }, 0.5f },
        { "norms.0.bias", 1, { 4 }, 3 }, { "decoder.weight", 2, { 1, 4 }, 1 }, { "decoder.bias", 1, { 1 }, 0.25f },
    };
    enum { PARTS = sizeof parts / sizeof *parts };
    unsigned char bytes[PARTS][32 * 4];
    krait_tensor  tensors[PARTS];
    krait_message why = { "" };
    krait_model  *model = NULL;
    krait_state  *state;
    float         in = 2, out = 0;

    for (size_t i = 0; i < PARTS; i++) {
        tensors[i] = (krait_tensor){ .name = parts[i].name, .data = bytes[i], .bytes = 4, .type = KRAIT_F32,
                                     .dimensions = parts[i].dimensions };
        for (int d = 0; d < parts[i].dimensions; d++)
            tensors[i].bytes *= tensors[i].shape[d] = parts[i].shape[d];
        for (size_t at = 0; at < tensors[i].bytes; at += 4)
            kr_store_u32(bytes[i] + at, kr_bits_of(parts[i].value));
    }
    CHECK_STATUS(krait_model_create(&model, config, tensors, PARTS, NULL, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    if (!model)
        return;
    state = tiny_state(model, 1, 1);
    CHECK_STATUS(krait_step(model, state, &in, &out), KRAIT_OK);
    CHECK(out == 12.25f);               /* all channels are alike: what is left of them is the norm's bias */
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

/* ---- refusals ----------------------------------------------------------------------------------------- */

TEST(s4d_refuses_by_name)
{
    static const struct { const char *fields, *word; krait_status status; } cases[] = {
        { "\"model_type\":\"s4\"", "layers.0.layer.kernel.l_kernel", KRAIT_ERR_SHAPE },
        { "\"model_type\":\"s4\",\"rank\":0", "'rank'", KRAIT_ERR_FORMAT },
        { "\"model_type\":\"s4\",\"mode\":\"ssd\"", "'mode'", KRAIT_ERR_UNSUPPORTED },
        { "\"model_type\":\"s4\",\"bidirectional\":true", "'bidirectional'", KRAIT_ERR_UNSUPPORTED },
        { "\"d_state\":7", "'d_state'", KRAIT_ERR_FORMAT },
        { "\"d_state\":0", "'d_state'", KRAIT_ERR_FORMAT },
        { "\"n_layers\":1.5", "'n_layers'", KRAIT_ERR_FORMAT },
        { "\"mode\":\"nplr\"", "'mode'", KRAIT_ERR_UNSUPPORTED },
        { "\"disc\":\"dss\"", "'disc'", KRAIT_ERR_UNSUPPORTED },
        { "\"norm\":\"rms\"", "'norm'", KRAIT_ERR_UNSUPPORTED },
        { "\"pooling\":7", "'pooling'", KRAIT_ERR_UNSUPPORTED },
        { "\"bidirectional\":1", "'bidirectional'", KRAIT_ERR_FORMAT },
        { "\"is_real\":true", "'is_real'", KRAIT_ERR_UNSUPPORTED },
        { "\"swap_channels\":true", "'swap_channels'", KRAIT_ERR_UNSUPPORTED },
        { "\"final_act\":\"relu\"", "'final_act'", KRAIT_ERR_UNSUPPORTED },
        { "\"activation\":\"relu\"", "'activation'", KRAIT_ERR_UNSUPPORTED },
        { "\"real_transform\":\"cube\"", "'real_transform'", KRAIT_ERR_UNSUPPORTED },
        { "\"prenorm\":1", "'prenorm'", KRAIT_ERR_FORMAT },
        { "\"n_ssm\":3", "copies", KRAIT_ERR_SHAPE },
        { "\"rate\":0", "'rate'", KRAIT_ERR_FORMAT },
    };
    float        weights[4] = { 0 };
    krait_tensor tensors[2] = { { .name = "encoder.weight", .data = weights, .bytes = 16, .shape = { 4, 1 },
                                  .dimensions = 2, .type = KRAIT_F32 },
                                { .name = "encoder.bias", .data = weights, .bytes = 16, .shape = { 4 },
                                  .dimensions = 1, .type = KRAIT_F32 } };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char          text[512];
        krait_message why = { "" };
        krait_model  *model = NULL;

        snprintf(text, sizeof text, "{%s\"d_input\":1,\"d_model\":4,%s%s%s}",
                 strstr(cases[i].fields, "model_type") ? "" : "\"model_type\":\"s4d\",", strstr(cases[i].fields, "n_layers") ? "" : "\"n_layers\":1,", "\"n_classes\":2,", cases[i].fields);
        test_note("%s", cases[i].fields);
        CHECK_STATUS(krait_model_create(&model, text, tensors, 2, NULL, &why), cases[i].status);
        if (!strstr(why.text, cases[i].word))
            CHECK_STR(why.text, cases[i].word);
    }
    test_note("%s", "");
}

/* l_kernel of two layers: equal, or refused by name; and no whole number. */
TEST(s4_refuses_other_lengths)
{
    static const struct { uint32_t second; int32_t type; const char *word; krait_status status; } cases[] = {
        { 32, 26, "encoder.weight", KRAIT_ERR_SHAPE },          /* beyond the lengths: no tensors are there */
        { 33, 26, "layers.1.layer.kernel.l_kernel", KRAIT_ERR_UNSUPPORTED },
        { 0x80000000u, 26, "layers.1.layer.kernel.l_kernel", KRAIT_ERR_FORMAT },
        { 32, KRAIT_F32, "layers.1.layer.kernel.l_kernel", KRAIT_ERR_FORMAT },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char lengths[8];
        krait_tensor  tensors[2] = {
            { .name = "layers.0.layer.kernel.l_kernel", .data = lengths, .bytes = 4, .type = 26 },
            { .name = "layers.1.layer.kernel.l_kernel", .data = lengths + 4, .bytes = 4, .type = cases[i].type } };
        krait_message why = { "" };
        krait_model  *model = NULL;

        kr_store_u32(lengths, 32);
        kr_store_u32(lengths + 4, cases[i].second);
        CHECK_STATUS(krait_model_create(&model, "{\"model_type\":\"s4\",\"d_input\":1,\"d_model\":4,\"n_layers\":2,"
                                        "\"n_classes\":2}", tensors, 2, NULL, &why), cases[i].status);
        if (!strstr(why.text, cases[i].word))
            CHECK_STR(why.text, cases[i].word);
    }
}
