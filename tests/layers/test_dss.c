/*
 * test_dss.c - classifiers of DSS: config.json of model_type "dss" is the same model as the tree that it stands for,
 * whose layers are held to the recordings of the official code (test_recorded_s4.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "krait.h"
#include "support/random.h"
#include "test.h"

enum { MOST = 24, ROWS = 40 };

typedef struct dss_weights {
    unsigned char data[MOST][8 * 8 * 4 * 2];
    char          names[MOST][48];
    krait_tensor  tensors[MOST];
    size_t        count;
    kr_random     random;
} dss_weights;

/* Numbers from low to low + 1, little-endian; b, c, d: 0 where there are fewer dimensions. */
static void dss_add(dss_weights *w, const char *name, int a, int b, int c, int d, double low)
{
    const int     shape[4] = { a, b, c, d };
    krait_tensor *t = &w->tensors[w->count];

    snprintf(w->names[w->count], sizeof w->names[0], "%s", name);
    *t = (krait_tensor){ .name = w->names[w->count], .data = w->data[w->count], .bytes = 4, .type = KRAIT_F32 };
    for (; t->dimensions < 4 && shape[t->dimensions]; t->dimensions++)
        t->bytes *= t->shape[t->dimensions] = (uint64_t)shape[t->dimensions];
    for (size_t i = 0; i < t->bytes; i += 4)
        kr_store_u32(w->data[w->count] + i, kr_bits_of((float)low + 0.5f + 0.5f * kr_random_unit(&w->random)));
    w->count++;
}

/* Two layers of 4 channels and 3 states; 'two' heads in both directions. */
static void dss_make(dss_weights *w, int clip, int glu, int two)
{
    memset(w, 0, sizeof *w);
    w->random = kr_random_from(7);
    dss_add(w, "encoder.weight", 4, 2, 0, 0, -0.5);
    dss_add(w, "encoder.bias", 4, 0, 0, 0, -0.5);
    for (int i = 0; i < 2; i++) {
        char name[48];

#define DSS_ADD(text, a, b, c, d, low) (snprintf(name, sizeof name, text, i), dss_add(w, name, a, b, c, d, low))
        DSS_ADD("layers.%d.layer.D", two, 4, 0, 0, -0.5);
        DSS_ADD("layers.%d.layer.kernel.log_dt", 4, 2, 0, 0, -2);
        DSS_ADD("layers.%d.layer.kernel.W", clip ? 2 * two : two, 4, 3, 2, -0.5);
        if (clip) {
            DSS_ADD("layers.%d.layer.kernel.Lambda", 3, 2, 0, 0, -1.5);
        } else {
            DSS_ADD("layers.%d.layer.kernel.Lambda_log_neg_re", 3, 0, 0, 0, -0.5);
            DSS_ADD("layers.%d.layer.kernel.Lambda_im", 3, 0, 0, 0, 1);
        }
        if (glu) {
            DSS_ADD("layers.%d.output_linear.0.weight", 8, 4 * two, 0, 0, -0.5);
            DSS_ADD("layers.%d.output_linear.0.bias", 8, 0, 0, 0, -0.5);
        } else {
            DSS_ADD("layers.%d.output_linear.weight", 4, 4 * two, 0, 0, -0.5);
            DSS_ADD("layers.%d.output_linear.bias", 4, 1, 0, 0, -0.5);
        }
        DSS_ADD("norms.%d.weight", 4, 0, 0, 0, 0.5);
        DSS_ADD("norms.%d.bias", 4, 0, 0, 0, -0.5);
#undef DSS_ADD
    }
    dss_add(w, "decoder.weight", 3, 4, 0, 0, -0.5);
    dss_add(w, "decoder.bias", 3, 0, 0, 0, -0.5);
}

static void dss_rows(const char *description, const dss_weights *w, float *out)
{
    krait_state_options options = { .size = sizeof options, .chunk = ROWS, .max_steps = ROWS };
    float               in[2 * ROWS];
    krait_input         input = { .size = sizeof input, .steps = ROWS, .features = in };
    krait_output        output = { .size = sizeof output, .rows = out, .capacity = 3 * ROWS, .which = KRAIT_ROWS_LAST };
    krait_message       why = { "" };
    krait_model        *model = NULL;
    krait_state        *state = NULL;
    kr_random           random = kr_random_from(9);

    for (size_t i = 0; i < 2 * ROWS; i++)
        in[i] = kr_random_unit(&random);
    CHECK_STATUS(krait_model_create(&model, description, w->tensors, w->count, NULL, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    if (!model)
        return;
    CHECK_STATUS(krait_state_create(&state, model, &options, NULL), KRAIT_OK);
    CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

#define HEAD "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":2},\"tree\":{\"sequence\":[" \
             "{\"linear\":{\"name\":\"encoder\",\"width\":4}},{\"repeat\":{\"name\":\"layers\",\"n\":2,\"of\":"
#define NORM "{\"layer_norm\":{\"name\":\"norm\",\"weights\":{\"weight\":\"norms.{i}.weight\",\"bias\":\"norms.{i}.bias\"}}}"
#define TAIL "}},{\"pool\":{\"kind\":\"mean\"}},{\"linear\":{\"name\":\"decoder\",\"width\":3}}]}}"
#define SIZES "{\"model_type\":\"dss\",\"d_input\":2,\"d_model\":4,\"d_state\":3,\"n_layers\":2,\"n_classes\":3"

TEST(dss_configs_are_trees)
{
    static const struct { int clip, glu, heads; const char *config, *tree; } cases[] = {
        { 0, 0, 1, SIZES ",\"version\":\"exp\",\"prenorm\":true}",
          HEAD "{\"residual\":{\"sequence\":[" NORM ",{\"s4d\":{\"name\":\"layer\",\"path\":\"layers.{i}.layer\",\"form\":\"dss\","
          "\"states\":3}},{\"activation\":{\"kind\":\"gelu\"}},{\"linear\":{\"name\":\"o\",\"path\":\"layers.{i}.output_linear\","
          "\"width\":4}}]}}" TAIL },
        { 1, 1, 2, SIZES ",\"version\":\"softmax\",\"l_max\":40,\"channels\":2,\"postact\":\"glu\",\"bidirectional\":true}",
          HEAD "{\"sequence\":[{\"residual\":{\"sequence\":[{\"s4d\":{\"name\":\"layer\",\"path\":\"layers.{i}.layer\","
          "\"form\":\"dss\",\"states\":3,\"channels\":2,\"version\":\"softmax\",\"length\":40,\"bidirectional\":true}},"
          "{\"activation\":{\"kind\":\"gelu\"}},{\"linear\":{\"name\":\"o\",\"path\":\"layers.{i}.output_linear.0\","
          "\"width\":8}},{\"glu\":{}}]}}," NORM "]}" TAIL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dss_weights *w = malloc(sizeof *w);
        float        read[3 * ROWS] = { 0 }, built[3 * ROWS] = { 0 };

        test_note("case %zu", i);
        dss_make(w, cases[i].clip, cases[i].glu, cases[i].heads);
        dss_rows(cases[i].config, w, read);
        dss_rows(cases[i].tree, w, built);
        CHECK_BYTES(read, built, sizeof read);
        CHECK(read[0] != 0 && read[0] != read[1]);
        free(w);
    }
    test_note("%s", "");
}

TEST(dss_configs_refused)
{
    static const struct { const char *fields, *word; krait_status status; } cases[] = {
        { "", "'l_max'", KRAIT_ERR_FORMAT },
        { ",\"version\":\"softmin\"", "'version'", KRAIT_ERR_UNSUPPORTED },
        { ",\"version\":\"exp\",\"hyper_act\":\"relu\"", "'hyper_act'", KRAIT_ERR_UNSUPPORTED },
        { ",\"version\":\"exp\",\"postact\":\"relu\"", "'postact'", KRAIT_ERR_UNSUPPORTED },
        { ",\"version\":\"exp\",\"sep_dt_re_im\":2", "'sep_dt_re_im'", KRAIT_ERR_FORMAT },
        { ",\"version\":\"exp\",\"l_max\":0", "'l_max'", KRAIT_ERR_FORMAT },
        { ",\"version\":\"clip\"", "kernel.Lambda", KRAIT_ERR_SHAPE },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dss_weights  *w = malloc(sizeof *w);
        char          config[512];
        krait_message why = { "" };
        krait_model  *model = NULL;

        dss_make(w, 0, 0, 1);
        snprintf(config, sizeof config, SIZES "%s}", cases[i].fields);
        test_note("%s", cases[i].fields);
        CHECK_STATUS(krait_model_create(&model, config, w->tensors, w->count, NULL, &why), cases[i].status);
        CHECK(strstr(why.text, cases[i].word) != NULL);
        CHECK(model == NULL);
        free(w);
    }
    test_note("%s", "");
}
