/*
 * test_s5_config.c - S5 classifiers of every kind that a config.json can name, with random weights, against the same
 * in double; and what is refused.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/random.h"
#include "test.h"

enum { IN = 3, WIDTH = 5, STATES = 4, LAYERS = 2, CLASSES = 4, STEPS = 30, MOST = 64, NAME = 48 };

typedef struct weights {
    krait_tensor tensors[MOST];
    char         names[MOST][NAME];
    float        data[MOST][2 * WIDTH * STATES + WIDTH * WIDTH];
    size_t       count;
    kr_random    random;
} weights;

/* How a model of the table differs. */
typedef struct variant {
    const char *fields;
    int         activation;     /* full_glu, half_glu1, half_glu2, gelu */
    int         prenorm, batch, bilinear, whole, last, logits;
} variant;

static const variant variants[] = {
    { "'activation':'full_glu','prenorm':true,'norm':'layer','output':'log_softmax'", 0, 1, 0, 0, 0, 0, 0 },
    { "'activation':'half_glu1','prenorm':false,'norm':'batch','discretization':'bilinear'", 1, 0, 1, 1, 0, 0, 0 },
    { "'activation':'half_glu2','prenorm':true,'norm':'batch','conj_sym':false,'output':'logits'", 2, 1, 1, 0, 1, 0, 1 },
    { "'activation':'gelu','norm':'layer','pooling':'last','conj_sym':true,'discretization':'zoh'", 3, 0, 0, 0, 0, 1, 0 },
};

static void add(weights *w, int layer, const char *name, double low, double high, int a, int b, int c)
{
    krait_tensor *t = &w->tensors[w->count];
    size_t        count = (size_t)a * (size_t)(b ? b : 1) * (size_t)(c ? c : 1);

    if (layer < 0)
        snprintf(w->names[w->count], NAME, "%s", name);
    else
        snprintf(w->names[w->count], NAME, "encoder.layers_%d.%s", layer, name);
    *t = (krait_tensor){ .name = w->names[w->count], .type = KRAIT_F32, .dimensions = c ? 3 : b ? 2 : 1,
                         .data = w->data[w->count], .bytes = count * 4 };
    t->shape[0] = (uint64_t)a, t->shape[1] = (uint64_t)b, t->shape[2] = (uint64_t)c;
    for (size_t i = 0; i < count; i++)
        w->data[w->count][i] = (float)(low + (high - low) * (0.5 + 0.5 * (double)kr_random_unit(&w->random)));
    w->count++;
}

static const float *get(const weights *w, int layer, const char *name)
{
    char full[2 * NAME];                /* the compiler knows no bound of name but NAME */

    if (layer < 0)
        snprintf(full, sizeof full, "%s", name);
    else
        snprintf(full, sizeof full, "encoder.layers_%d.%s", layer, name);
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->names[i], full) == 0)
            return w->data[i];
    CHECK_STR(full, "is there");
    return w->data[0];
}

static void make_weights(weights *w, const variant *v, uint64_t seed)
{
    int p = v->whole ? STATES : STATES / 2;

    memset(w, 0, sizeof *w);
    w->random = kr_random_from(seed);
    add(w, -1, "encoder.encoder.kernel", -1, 1, IN, WIDTH, 0);
    add(w, -1, "encoder.encoder.bias", -1, 1, WIDTH, 0, 0);
    add(w, -1, "decoder.kernel", -1, 1, WIDTH, CLASSES, 0);
    add(w, -1, "decoder.bias", -1, 1, CLASSES, 0, 0);
    for (int i = 0; i < LAYERS; i++) {
        add(w, i, "seq.Lambda_re", -1, -0.1, p, 0, 0);
        add(w, i, "seq.Lambda_im", -3, 3, p, 0, 0);
        add(w, i, "seq.B", -1, 1, p, WIDTH, 2);
        add(w, i, "seq.C", -1, 1, WIDTH, p, 2);
        add(w, i, "seq.D", -1, 1, WIDTH, 0, 0);
        add(w, i, "seq.log_step", -3, 0, p, 1, 0);
        add(w, i, "norm.scale", 0.5, 1.5, WIDTH, 0, 0);
        add(w, i, "norm.bias", -1, 1, WIDTH, 0, 0);
        if (v->batch) {
            add(w, i, "norm.mean", -1, 1, WIDTH, 0, 0);
            add(w, i, "norm.var", 0.5, 1.5, WIDTH, 0, 0);
        }
        if (v->activation == 0) {
            add(w, i, "out1.kernel", -1, 1, WIDTH, WIDTH, 0);
            add(w, i, "out1.bias", -1, 1, WIDTH, 0, 0);
        }
        if (v->activation < 3) {
            add(w, i, "out2.kernel", -1, 1, WIDTH, WIDTH, 0);
            add(w, i, "out2.bias", -1, 1, WIDTH, 0, 0);
        }
    }
}

/* ---- the same in double --------------------------------------------------------------------------- */

static void dense(const weights *w, int layer, const char *name, const double *x, int in, int out, double *y)
{
    char         kernel[NAME], bias[NAME];
    const float *k, *b;

    snprintf(kernel, sizeof kernel, "%s.kernel", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    k = get(w, layer, kernel), b = get(w, layer, bias);
    for (int o = 0; o < out; o++) {
        y[o] = (double)b[o];
        for (int i = 0; i < in; i++)
            y[o] += x[i] * (double)k[i * out + o];
    }
}

static double gelu(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

static void norm(const weights *w, const variant *v, int layer, double *x)
{
    const float *scale = get(w, layer, "norm.scale"), *bias = get(w, layer, "norm.bias");
    double       mean = 0, var = 0;

    for (int i = 0; i < WIDTH; i++)
        mean += x[i] / WIDTH;
    for (int i = 0; i < WIDTH; i++)
        var += (x[i] - mean) * (x[i] - mean) / WIDTH;
    for (int i = 0; i < WIDTH; i++) {
        double m = v->batch ? (double)get(w, layer, "norm.mean")[i] : mean;
        double s = v->batch ? (double)get(w, layer, "norm.var")[i] + 1e-5 : var + 1e-6;

        x[i] = (x[i] - m) / sqrt(s) * (double)scale[i] + (double)bias[i];
    }
}

/* One row of the SSM; x: [STATES][2] is moved on.  a = n / d of complex numbers written out. */
static void ssm(const weights *w, const variant *v, int layer, const double *u, double *x, double *y)
{
    const float *b = get(w, layer, "seq.B"), *c = get(w, layer, "seq.C"), *d = get(w, layer, "seq.D");
    int          p = v->whole ? STATES : STATES / 2;

    for (int h = 0; h < WIDTH; h++)
        y[h] = (double)d[h] * u[h];
    for (int s = 0; s < p; s++) {
        double re = (double)get(w, layer, "seq.Lambda_re")[s], im = (double)get(w, layer, "seq.Lambda_im")[s];
        double dt = exp((double)get(w, layer, "seq.log_step")[s]), a_re, a_im, f_re, f_im, v_re = 0, v_im = 0, old = x[2 * s];

        if (v->bilinear) {
            double below_re = 1 - re * dt / 2, below_im = -im * dt / 2, size = below_re * below_re + below_im * below_im;
            double above_re = 1 + re * dt / 2, above_im = im * dt / 2;

            a_re = (above_re * below_re + above_im * below_im) / size;
            a_im = (above_im * below_re - above_re * below_im) / size;
            f_re = dt * below_re / size, f_im = -dt * below_im / size;
        } else {
            double size = re * re + im * im;

            a_re = exp(re * dt) * cos(im * dt), a_im = exp(re * dt) * sin(im * dt);
            f_re = ((a_re - 1) * re + a_im * im) / size, f_im = (a_im * re - (a_re - 1) * im) / size;
        }
        for (int h = 0; h < WIDTH; h++) {
            double b_re = (double)b[2 * (s * WIDTH + h)], b_im = (double)b[2 * (s * WIDTH + h) + 1];

            v_re += (f_re * b_re - f_im * b_im) * u[h], v_im += (f_re * b_im + f_im * b_re) * u[h];
        }
        x[2 * s] = a_re * old - a_im * x[2 * s + 1] + v_re;
        x[2 * s + 1] = a_re * x[2 * s + 1] + a_im * old + v_im;
        for (int h = 0; h < WIDTH; h++)
            y[h] += (v->whole ? 1 : 2) * ((double)c[2 * (h * p + s)] * x[2 * s] - (double)c[2 * (h * p + s) + 1] * x[2 * s + 1]);
    }
}

static void layer_of(const weights *w, const variant *v, int layer, double *row, double *x)
{
    double u[WIDTH], y[WIDTH], g[WIDTH], one[WIDTH], two[WIDTH];

    memcpy(u, row, sizeof u);
    if (v->prenorm)
        norm(w, v, layer, u);
    ssm(w, v, layer, u, x, y);
    for (int i = 0; i < WIDTH; i++)
        g[i] = gelu(y[i]);
    if (v->activation == 0)
        dense(w, layer, "out1", g, WIDTH, WIDTH, one);
    else
        memcpy(one, v->activation == 2 ? y : g, sizeof one);
    if (v->activation < 3)
        dense(w, layer, "out2", g, WIDTH, WIDTH, two);
    for (int i = 0; i < WIDTH; i++)
        row[i] += v->activation < 3 ? one[i] / (1 + exp(-two[i])) : one[i];
    if (!v->prenorm)
        norm(w, v, layer, row);
}

static void truth(const weights *w, const variant *v, const float *inputs, double *out)
{
    double states[LAYERS][2 * STATES] = { { 0 } }, mean[WIDTH] = { 0 }, sum = 0;

    for (int t = 0; t < STEPS; t++) {
        double in[IN], row[WIDTH];

        for (int i = 0; i < IN; i++)
            in[i] = (double)inputs[t * IN + i];
        dense(w, -1, "encoder.encoder", in, IN, WIDTH, row);
        for (int i = 0; i < LAYERS; i++)
            layer_of(w, v, i, row, states[i]);
        for (int i = 0; i < WIDTH; i++)
            mean[i] = v->last ? row[i] : mean[i] + row[i] / STEPS;
    }
    dense(w, -1, "decoder", mean, WIDTH, CLASSES, out);
    for (int i = 0; i < CLASSES; i++)
        sum += exp(out[i]);
    for (int i = 0; i < CLASSES && !v->logits; i++)
        out[i] -= log(sum);
}

/* ---- tests ------------------------------------------------------------------------------------------ */

#define CONFIG "{'model_type':'s5','d_input':3,'d_model':5,'ssm_size':4,'n_layers':2,'n_classes':4,%s}"

static krait_status create(const weights *w, const char *fields, krait_model **model, krait_message *why)
{
    char text[512];

    snprintf(text, sizeof text, CONFIG, fields);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    return krait_model_create(model, text, w->tensors, w->count, NULL, why);
}

static void check_variant(const weights *w, const variant *v)
{
    krait_state_options options = { .size = sizeof options, .lanes = 1 };
    krait_model  *model = NULL;
    krait_state  *state = NULL;
    krait_message why = { "" };
    float         inputs[STEPS * IN], out[CLASSES];
    double        expected[CLASSES];
    kr_random     random = kr_random_from(7);
    krait_input   input = { .size = sizeof input, .steps = STEPS, .features = inputs };
    krait_output  output = { .size = sizeof output, .which = KRAIT_ROWS_LAST, .rows = out, .capacity = CLASSES };

    for (size_t i = 0; i < STEPS * IN; i++)
        inputs[i] = kr_random_unit(&random);
    if (CHECK_STATUS(create(w, v->fields, &model, &why), KRAIT_OK) &&
        CHECK_STATUS(krait_state_create(&state, model, &options, NULL), KRAIT_OK) &&
        CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK)) {
        truth(w, v, inputs, expected);
        for (int i = 0; i < CLASSES; i++)
            CHECK_CLOSE((double)out[i], expected[i], 1e-5);
    }
    CHECK_STR(why.text, "");
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

/* D alone may be absent from a layer, but the description names it. */
static void check_wanted(const weights *w, const variant *v)
{
    for (size_t i = 0; i < w->count; i++) {
        weights      *less = malloc(sizeof *less);
        krait_model  *model = (krait_model *)1;
        krait_message why = { "" };

        *less = *w;
        less->tensors[i].name = "elsewhere";
        CHECK_STATUS(create(less, v->fields, &model, &why), KRAIT_ERR_SHAPE);
        CHECK(model == NULL);
        if (!strstr(why.text, w->names[i]))
            CHECK_STR(why.text, w->names[i]);
        free(less);
    }
}

TEST(s5_configs_equal_double)
{
    weights *w = malloc(sizeof *w);

    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        test_note("%s", variants[i].fields);
        make_weights(w, &variants[i], 50 + i);
        check_variant(w, &variants[i]);
        check_wanted(w, &variants[i]);
    }
    test_note("%s", "");
    free(w);
}

TEST(s5_configs_refused)
{
    static const struct { const char *fields, *word; krait_status status; } cases[] = {
        { "'bidirectional':true", "bidirectional", KRAIT_ERR_UNSUPPORTED },
        { "'activation':'relu'", "activation", KRAIT_ERR_UNSUPPORTED },
        { "'discretization':'dirac'", "discretization", KRAIT_ERR_UNSUPPORTED },
        { "'norm':'rms'", "norm", KRAIT_ERR_UNSUPPORTED },
        { "'prenorm':'yes'", "prenorm", KRAIT_ERR_FORMAT },
        { "'input_mean':[1,2,3]", "input_std", KRAIT_ERR_FORMAT },
        { "'input_mean':[1,2],'input_std':[1,2,3]", "input_mean", KRAIT_ERR_FORMAT },
        { "'input_mean':[1,2,3],'input_std':[1,0,3]", "input_std", KRAIT_ERR_FORMAT },
        { "'conj_sym':false", "Lambda_re", KRAIT_ERR_SHAPE },
    };
    weights *w = malloc(sizeof *w);

    make_weights(w, &variants[3], 60);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        krait_model  *model = (krait_model *)1;
        krait_message why = { "" };

        test_note("%s", cases[i].fields);
        CHECK_STATUS(create(w, cases[i].fields, &model, &why), cases[i].status);
        CHECK(model == NULL);
        if (!strstr(why.text, cases[i].word))
            CHECK_STR(why.text, cases[i].word);
    }
    test_note("%s", "");
    free(w);
}
