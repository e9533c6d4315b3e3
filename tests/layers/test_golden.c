/*
 * test_golden.c - models against recorded outputs of the original code.
 *
 * tests/golden/README.md says how the recordings in tests/golden/mamba were made.  The trained
 * model is not part of the repository: without it, and without the shipped model that is made
 * of it, the tests of these skip.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "formats/package.h"
#include "golden/generator.h"
#include "krait.h"
#include "support/npz.h"
#include "test.h"

enum { MOST_TENSORS = 64 };

/* A safetensors file of recorded numbers. */
typedef struct recording {
    kr_memory      memory;
    kr_arena       arena;
    kr_package     package;
    unsigned char *bytes;
} recording;

static int recording_open(recording *r, const char *path)
{
    size_t        count = 0;
    krait_message why = { "" };

    memset(r, 0, sizeof *r);
    kr_memory_start(&r->memory, NULL, 0);
    kr_arena_start(&r->arena, &r->memory);
    r->bytes = npz_read_file(path, &count);
    return CHECK(r->bytes != NULL) &&
           CHECK_STATUS(kr_package_read(&r->package, r->bytes, count, path, &r->arena, &why),
                        KRAIT_OK);
}

static void recording_close(recording *r)
{
    kr_arena_free(&r->arena);
    free(r->bytes);
}

/* Number i of a tensor of F32, F64, I32 or U8 that is surely there. */
static double number_at(const kr_source *source, size_t i)
{
    if (strcmp(source->type_name, "F64") == 0)
        return kr_double_of(kr_load_u32(source->data + 8 * i) |
                            (uint64_t)kr_load_u32(source->data + 8 * i + 4) << 32);
    if (source->type == KR_TYPE_F32)
        return (double)kr_float_of(kr_load_u32(source->data + 4 * i));
    if (source->type == KR_TYPE_I32)
        return (double)(int32_t)kr_load_u32(source->data + 4 * i);
    return source->data[i];
}

/* A list of whole numbers; for free(). */
static int32_t *integers_of(const kr_source *source)
{
    int32_t *list = malloc((size_t)source->shape[0] * sizeof *list + 1);

    for (size_t i = 0; i < source->shape[0]; i++)
        list[i] = (int32_t)number_at(source, i);
    return list;
}

/* ---- running ------------------------------------------------------------------------- */

/* Logits of every row, [steps][vocabulary]; chunk 0: step by step.  For free(). */
static float *logits_of(const krait_model *model, const int32_t *ids, size_t steps, uint32_t chunk)
{
    krait_state_options options = { .size = sizeof options, .chunk = chunk };
    krait_input         input = { .size = sizeof input, .steps = steps, .tokens = ids };
    krait_output        output = { .size = sizeof output };
    krait_state        *state = NULL;
    int64_t             width = 0;

    CHECK_STATUS(krait_model_get(model, KRAIT_OUT_WIDTH, &width), KRAIT_OK);
    CHECK_STATUS(krait_state_create(&state, model, &options, NULL), KRAIT_OK);
    output.capacity = steps * (size_t)width;
    output.rows = calloc(output.capacity, sizeof *output.rows);
    if (chunk)
        CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
    for (size_t t = 0; t < steps && chunk == 0; t++)
        CHECK_STATUS(krait_step_tokens(model, state, ids + t, output.rows + t * (size_t)width),
                     KRAIT_OK);
    krait_state_destroy(state, NULL);
    return output.rows;
}

/* ---- random models of transformers --------------------------------------------------- */

/* The model of a recording, with its weights out of the generator. */
typedef struct golden {
    recording      file;
    const kr_json *config, *metadata;
    const char    *description;
    uint64_t       seed, bits;          /* the bit patterns of all weights, added up */
    krait_tensor   tensors[MOST_TENSORS];
    size_t         n_tensors;
    krait_model   *model;
} golden;

static size_t config_size(const golden *g, const char *field)
{
    const kr_json *value = kr_json_get(g->config, field);

    return CHECK(value && value->flag) ? (size_t)value->integer : 1;
}

/* From README.md: names and shapes of MambaForCausalLM; FalconMambaForCausalLM has the same. */
static void shape_of(const golden *g, krait_tensor *t)
{
    size_t width = config_size(g, "hidden_size"), inner = config_size(g, "intermediate_size");
    size_t states = config_size(g, "state_size"), taps = config_size(g, "conv_kernel");
    size_t rank = config_size(g, "time_step_rank"), vocabulary = config_size(g, "vocab_size");
    const struct { const char *end; size_t shape[3]; } shapes[] = {
        { "embeddings.weight", { vocabulary, width } }, { "lm_head.weight", { vocabulary, width } },
        { "norm.weight", { width } },                   { "norm_f.weight", { width } },
        { "in_proj.weight", { 2 * inner, width } },     { "in_proj.bias", { 2 * inner } },
        { "conv1d.weight", { inner, 1, taps } },        { "conv1d.bias", { inner } },
        { "x_proj.weight", { rank + 2 * states, inner } },
        { "dt_proj.weight", { inner, rank } },          { "dt_proj.bias", { inner } },
        { "A_log", { inner, states } },                 { ".D", { inner } },
        { "out_proj.weight", { width, inner } },        { "out_proj.bias", { width } },
    };
    size_t i = 0;

    while (i < sizeof shapes / sizeof *shapes && !kr_golden_ends(t->name, shapes[i].end))
        i++;
    if (!CHECK(i < sizeof shapes / sizeof *shapes))
        return;
    for (; t->dimensions < 3 && shapes[i].shape[t->dimensions]; t->dimensions++)
        t->shape[t->dimensions] = shapes[i].shape[t->dimensions];
}

static void make_tensor(golden *g, const char *name, size_t length)
{
    krait_tensor *t = &g->tensors[g->n_tensors++];
    size_t        count = 1;
    float        *data;

    t->name = kr_arena_text(&g->file.arena, name, length);
    shape_of(g, t);
    for (int d = 0; d < t->dimensions; d++)
        count *= (size_t)t->shape[d];
    data = malloc(count * sizeof *data);
    kr_golden_fill(t->name, g->seed, t->shape, t->dimensions, data);
    for (size_t i = 0; i < count; i++) {
        g->bits += kr_bits_of(data[i]);
        kr_store_u32((unsigned char *)(data + i), kr_bits_of(data[i]));     /* as files have them */
    }
    t->data = data;
    t->bytes = count * sizeof *data;
    t->type = KRAIT_F32;
}

static const char *metadata_text(const golden *g, const char *key)
{
    const kr_json *value = kr_json_get(g->metadata, key);

    return CHECK(value && value->kind == KR_JSON_TEXT) ? value->text : "";
}

static int golden_open(golden *g, const char *name)
{
    char          path[128];
    krait_message why = { "" };

    memset(g, 0, sizeof *g);
    test_note("%s", name);
    snprintf(path, sizeof path, "tests/golden/mamba/%s.safetensors", name);
    if (!recording_open(&g->file, test_data(path)))
        return 0;
    g->metadata = g->file.package.metadata;
    g->description = metadata_text(g, "config");
    g->seed = strtoull(metadata_text(g, "seed"), NULL, 10);
    if (!CHECK_STATUS(kr_json_parse(&g->config, g->description, strlen(g->description), name,
                                    &g->file.arena, NULL), KRAIT_OK))
        return 0;
    for (const char *at = metadata_text(g, "tensors"); *at && CHECK(g->n_tensors < MOST_TENSORS);) {
        size_t length = strcspn(at, ",");

        make_tensor(g, at, length);
        at += length + (at[length] == ',');
    }
    CHECK_U64(g->bits, strtoull(metadata_text(g, "bits"), NULL, 10));
    CHECK_STATUS(krait_model_create(&g->model, g->description, g->tensors, g->n_tensors, NULL,
                                    &why), KRAIT_OK);
    return CHECK_STR(why.text, "");
}

static void golden_close(golden *g)
{
    krait_model_close(g->model);
    for (size_t i = 0; i < g->n_tensors; i++)
        free((void *)(uintptr_t)g->tensors[i].data);
    recording_close(&g->file);
}

/* The greatest difference from the recorded columns, as a part of the greatest recorded number. */
static double difference(const golden *g, const char *name, const float *logits)
{
    const kr_source *columns = kr_package_find(&g->file.package, "columns");
    const kr_source *recorded = kr_package_find(&g->file.package, name);
    size_t           n = (size_t)columns->shape[0], count = (size_t)recorded->shape[0] * n;
    size_t           vocabulary = config_size(g, "vocab_size");
    double           scale = 0, worst = 0;

    for (size_t i = 0; i < count; i++) {
        double theirs = number_at(recorded, i);
        double ours = (double)logits[i / n * vocabulary + (size_t)number_at(columns, i % n)];

        scale = fmax(scale, fabs(theirs));
        worst = fmax(worst, isnan(ours) ? INFINITY : fabs(ours - theirs));
    }
    CHECK(count > 0 && scale > 0);
    return worst / scale;
}

static void check_golden(const char *name)
{
    golden g;

    if (golden_open(&g, name)) {
        const kr_source *ids = kr_package_find(&g.file.package, "ids");
        size_t           steps = (size_t)ids->shape[0], vocabulary = config_size(&g, "vocab_size");
        int32_t         *recorded = integers_of(ids), *made = malloc(steps * sizeof *made);
        float           *run = logits_of(g.model, recorded, steps, 16);
        float           *stepped = logits_of(g.model, recorded, steps, 0);

        kr_golden_ids(g.seed, vocabulary, made, steps);
        CHECK_BYTES(made, recorded, steps * sizeof *made);
        CHECK_BYTES(stepped, run, steps * vocabulary * sizeof *run);
        test_note("%s: off by this part of its scale", name);
        CHECK_CLOSE(difference(&g, "logits", run), 0.0, 1e-5);
        CHECK_CLOSE(difference(&g, "logits64", run), 0.0, 2e-6);
        free(recorded), free(made), free(run), free(stepped);
    }
    golden_close(&g);
}

static const char *const golden_names[] = { "plain", "bytes", "fraction", "wide",    "narrow",
                                            "words", "words_untied", "deep", "epsilon", "prime",
                                            "falcon", "falcon_narrow", "falcon_wide", "falcon_epsilon" };
enum { GOLDEN = sizeof golden_names / sizeof *golden_names };

TEST(golden_mamba_logits)
{
    for (size_t i = 0; i < GOLDEN; i++)
        check_golden(golden_names[i]);
}

/* What the config's class was given, with expand and "auto" unresolved, describes the same model. */
TEST(golden_mamba_arguments)
{
    for (size_t i = 0; i < GOLDEN; i++) {
        golden       g;
        krait_model *model = NULL;

        if (golden_open(&g, golden_names[i])) {
            char text[1024];

            const char *type = kr_json_get(g.config, "model_type")->text;

            snprintf(text, sizeof text, "{\"model_type\": \"%s\", %s", type,
                     metadata_text(&g, "arguments") + 1);
            CHECK_STATUS(krait_model_create(&model, text, g.tensors, g.n_tensors, NULL, NULL),
                         KRAIT_OK);
            CHECK_U64(krait_model_id(model), krait_model_id(g.model));
        }
        krait_model_close(model);
        golden_close(&g);
    }
}

/* ---- a trained model ----------------------------------------------------------------- */

/* Mean of -log2 of the probability of the next id. */
static double bits_perowd(const float *logits, const int32_t *ids, size_t steps, size_t vocabulary)
{
    double bits = 0;

    for (size_t t = 0; t + 1 < steps; t++) {
        const float *row = logits + t * vocabulary;
        double       most = (double)row[0], sum = 0;

        for (size_t i = 1; i < vocabulary; i++)
            most = fmax(most, (double)row[i]);
        for (size_t i = 0; i < vocabulary; i++)
            sum += exp((double)row[i] - most);
        bits += (log(sum) + most - (double)row[ids[t + 1]]) / log(2.0);
    }
    return bits / (double)(steps - 1);
}

/* Every stored row, which is every stride-th, of the rows that there are. */
static void check_stored_rows(const npz_array *stored, size_t stride, const float *logits,
                              size_t steps)
{
    size_t width = stored->shape[1];
    double worst = 0;

    for (size_t row = 0; row < stored->shape[0] && row * stride < steps; row++)
        for (size_t i = 0; i < width; i++) {
            double ours = (double)logits[row * stride * width + i];
            double off = fabs(ours - npz_number(stored, row * width + i));

            worst = fmax(worst, isnan(off) ? INFINITY : off);
        }
    CHECK_CLOSE(worst, 0.0, 5e-5);
}

static void check_novels(const krait_model *model, const npz *reference)
{
    npz_array list = npz_get(reference, "ids"), logits = npz_get(reference, "logits");
    npz_array bits = npz_get(reference, "bits_per_byte");
    size_t    steps = list.count, first = 257, stride;
    int32_t  *ids = malloc((steps + 1) * sizeof *ids);
    float    *run, *stepped;

    if (!CHECK(list.data && logits.data && bits.data && logits.dimensions == 2 &&
               logits.shape[1] == 256 && logits.shape[0] > 0 && steps > first)) {
        free(ids);
        return;
    }
    for (size_t t = 0; t < steps; t++)
        ids[t] = (int32_t)npz_number(&list, t);
    stride = (steps + logits.shape[0] - 1) / logits.shape[0];
    run = logits_of(model, ids, steps, 64);
    stepped = logits_of(model, ids, first, 0);
    check_stored_rows(&logits, stride, run, steps);
    check_stored_rows(&logits, stride, stepped, first);
    CHECK_BYTES(stepped, run, first * 256 * sizeof *run);
    CHECK_CLOSE(bits_perowd(run, ids, steps, 256), npz_number(&bits, 0), 1e-6);
    free(ids), free(run), free(stepped);
}

TEST(golden_mamba_novels)
{
    const char   *folder = test_shared("models/mamba-novels");
    const char   *path = test_shared("models/mamba-novels/reference64.npz");
    krait_model  *model = NULL;
    npz           reference;
    krait_message why = { "" };

    if (!folder || !path)
        SKIP("no ../shared/models/mamba-novels (or in $KRAIT_SHARED): see golden_shipped_model");
    if (CHECK(npz_open(&reference, path)) &&
        CHECK_STATUS(krait_model_open(&model, folder, NULL, &why), KRAIT_OK))
        check_novels(model, &reference);
    krait_model_close(model);
    npz_close(&reference);
}

/* ---- the shipped model --------------------------------------------------------------- */

/*
 * tests/golden/shipped.safetensors, written by krait itself when the model was made:
 *
 *     ids      I32 [steps]             one sequence
 *     rows     I32 [rows]              which of its steps are stored
 *     logits   F32 [rows][vocabulary]  of KRAIT_RECURRENT
 *
 * These are the same bits on every machine until KRAIT_NUMERICS changes.
 */
static void check_shipped(const krait_model *model, const recording *r)
{
    const kr_source *ids = kr_package_find(&r->package, "ids");
    const kr_source *rows = kr_package_find(&r->package, "rows");
    const kr_source *logits = kr_package_find(&r->package, "logits");
    int64_t          vocabulary = 0;
    int32_t         *list, *stored;

    CHECK_STATUS(krait_model_get(model, KRAIT_VOCABULARY, &vocabulary), KRAIT_OK);
    if (!CHECK(ids && rows && logits && ids->type == KR_TYPE_I32 && rows->type == KR_TYPE_I32 &&
               logits->type == KR_TYPE_F32 && logits->dimensions == 2 && rows->shape[0] > 0 &&
               logits->shape[0] == rows->shape[0] && logits->shape[1] == (uint64_t)vocabulary))
        return;
    list = integers_of(ids);
    stored = integers_of(rows);
    for (uint32_t chunk = 0; chunk <= 64; chunk += 64) {
        float *out = logits_of(model, list, (size_t)ids->shape[0], chunk);

        test_note("chunk %u", (unsigned)chunk);
        for (size_t row = 0; row < rows->shape[0]; row++)
            for (size_t i = 0; i < (size_t)vocabulary; i++)
                if (!CHECK_U64(kr_bits_of(out[(size_t)stored[row] * (size_t)vocabulary + i]),
                               kr_load_u32(logits->data + 4 * (row * (size_t)vocabulary + i))))
                    break;
        free(out);
    }
    free(list), free(stored);
}

static int is_there(const char *path)
{
    FILE *stream = fopen(path, "rb");

    if (stream)
        fclose(stream);
    return stream != NULL;
}

TEST(golden_shipped_model)
{
    const char   *path = test_data("examples/models/mamba-novels.gguf");
    const char   *recorded = test_data("tests/golden/shipped.safetensors");
    krait_model  *model = NULL;
    krait_message why = { "" };
    recording     r;

    if (!is_there(path))
        SKIP("examples/models/mamba-novels.gguf is not made yet");
    if (!is_there(recorded))
        SKIP("tests/golden/shipped.safetensors is not made yet");
    if (recording_open(&r, recorded) &&
        CHECK_STATUS(krait_model_open(&model, path, NULL, &why), KRAIT_OK))
        check_shipped(model, &r);
    CHECK_STR(why.text, "");
    krait_model_close(model);
    recording_close(&r);
}
