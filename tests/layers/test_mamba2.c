/*
 * test_mamba2.c - Mamba-2 against recorded outputs: transformers' Mamba2ForCausalLM, the original's reference
 * functions, and the trained model of ../shared.  tests/golden/README.md says how they were made.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/npz.h"
#include "support/recorded.h"
#include "test.h"

/* Logits of every row, [steps][vocabulary], 'rows' rows a call and a pass; 0: step by step.  For free(). */
static float *logits_by(const krait_model *model, const int32_t *ids, size_t steps, size_t rows, int32_t mode)
{
    krait_state_options options = { .size = sizeof options, .chunk = (uint32_t)rows };
    krait_state        *state = NULL;
    int64_t             width = 0;
    float              *logits;

    CHECK_STATUS(krait_model_get(model, KRAIT_OUT_WIDTH, &width), KRAIT_OK);
    CHECK_STATUS(krait_state_create(&state, model, &options, NULL), KRAIT_OK);
    logits = calloc(steps * (size_t)width + 1, sizeof *logits);
    for (size_t t = 0, n; t < steps; t += n) {
        float       *to = logits + t * (size_t)width;
        krait_input  input = { .size = sizeof input, .tokens = ids + t, .mode = mode };
        krait_output output = { .size = sizeof output, .rows = to };

        n = rows == 0 ? 1 : rows < steps - t ? rows : steps - t;
        input.steps = n;
        output.capacity = n * (size_t)width;
        if (rows == 0)
            CHECK_STATUS(krait_step_tokens(model, state, ids + t, to), KRAIT_OK);
        else if (!CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK))
            break;
    }
    krait_state_destroy(state, NULL);
    return logits;
}

/* ---- small random models --------------------------------------------------------------------------- */

/* In RECURRENT and in SCAN, whole and in two pieces that no chunk ends with. */
static void check_recorded(const char *name)
{
    char          path[128];
    recorded      r;
    krait_model  *model = NULL;
    krait_message why = { "" };

    test_note("%s", name);
    snprintf(path, sizeof path, "tests/golden/mamba2/%s.safetensors", name);
    if (CHECK(recorded_open(&r, test_data(path)))) {
        static const struct { size_t rows; int32_t mode; } ways[] = {
            { 16, KRAIT_RECURRENT }, { 0, KRAIT_RECURRENT }, { 1000, KRAIT_SCAN }, { 53, KRAIT_SCAN },
        };
        int64_t width = 0;

        CHECK_STATUS(krait_model_create(&model, r.config, r.tensors, r.count, NULL, &why), KRAIT_OK);
        CHECK_STR(why.text, "");
        for (size_t i = 0; model && i < sizeof ways / sizeof *ways; i++) {
            float *logits = logits_by(model, r.ids, r.steps, ways[i].rows, ways[i].mode);

            krait_model_get(model, KRAIT_OUT_WIDTH, &width);
            test_note("%s, way %zu: off by this part of its scale", name, i);
            CHECK_CLOSE(recorded_distance(&r, "logits", logits, (size_t)width), 0.0, 1e-5);
            CHECK_CLOSE(recorded_distance(&r, "logits64", logits, (size_t)width), 0.0, 2e-6);
            free(logits);
        }
    }
    krait_model_close(model);
    recorded_close(&r);
    test_note("%s", "");
}

TEST(mamba2_equals_transformers)
{
    static const char *const names[] = { "one", "two", "four", "wide", "deep", "limits", "narrow", "half", "old" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_recorded(names[i]);
}

TEST(mamba2_equals_the_original)
{
    check_recorded("original");
    check_recorded("original_gate");
    check_recorded("original_bare");
}

/* ---- the trained model ------------------------------------------------------------------------------- */

static void check_novels(const krait_model *model, const npz *reference)
{
    static const struct { size_t rows, steps; int32_t mode; } ways[] = {
        { 64, 1024, KRAIT_RECURRENT }, { 0, 257, KRAIT_RECURRENT }, { 1024, 1024, KRAIT_SCAN }, { 100, 1024, KRAIT_SCAN },
    };
    npz_array list = npz_get(reference, "ids"), stored = npz_get(reference, "logits");
    int32_t  *ids = malloc((list.count + 1) * sizeof *ids);

    for (size_t t = 0; t < list.count; t++)
        ids[t] = (int32_t)npz_number(&list, t);
    CHECK(list.count == 1024 && stored.dimensions == 2 && stored.shape[0] == 64 && stored.shape[1] == 256);
    for (size_t i = 0; list.count == 1024 && i < sizeof ways / sizeof *ways; i++) {
        float *logits = logits_by(model, ids, ways[i].steps, ways[i].rows, ways[i].mode);
        double worst = 0;

        for (size_t row = 0; row < 64 && row * 16 < ways[i].steps; row++)
            for (size_t k = 0; k < 256; k++) {
                double off = fabs((double)logits[row * 16 * 256 + k] - npz_number(&stored, row * 256 + k));

                worst = fmax(worst, isnan(off) ? INFINITY : off);
            }
        test_note("way %zu", i);
        CHECK_CLOSE(worst, 0.0, 5e-5);
        free(logits);
    }
    test_note("%s", "");
    free(ids);
}

TEST(mamba2_novels)
{
    const char   *folder = test_shared("models/mamba2-novels");
    const char   *path = test_shared("models/mamba2-novels/reference64.npz");
    krait_model  *model = NULL;
    npz           reference;
    krait_message why = { "" };

    if (!folder || !path)
        SKIP("no ../shared/models/mamba2-novels (or in $KRAIT_SHARED)");
    if (CHECK(npz_open(&reference, path)) &&
        CHECK_STATUS(krait_model_open(&model, folder, NULL, &why), KRAIT_OK))
        check_novels(model, &reference);
    CHECK_STR(why.text, "");
    krait_model_close(model);
    npz_close(&reference);
}
