/*
 * test_flax.c - S5 and LRU classifiers of every kind that a config.json can name, with random weights, against the same
 * in double; and what is refused.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/random.h"
#include "support/tiny.h"
#include "test.h"

enum { IN = 3, WIDTH = 5, STATES = 4, LAYERS = 2, CLASSES = 4, STEPS = 30, MOST = 64, NAME = 48 };
enum { ONE_WAY, TWO_C, ONE_C };          /* directions, and how many C they have */

typedef struct weights {
    krait_tensor tensors[MOST];
    char         names[MOST][NAME];
    float        data[MOST][4 * WIDTH * STATES + WIDTH * WIDTH];     /* as in files: little-endian */
    size_t       count;
    kr_random    random;
} weights;

/* How a model of the table differs. */
typedef struct variant {
    const char *fields;
    int         activation;     /* full_glu, half_glu1, half_glu2, gelu */
    int         prenorm, batch, bilinear, whole, last, logits;
    int         both, lru, none;
    double      rescale;        /* 0: 1 */
} variant;

static const variant variants[] = {
    { "'activation':'full_glu','prenorm':true,'norm':'layer','output':'log_softmax'", 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
    { "'activation':'half_glu1','prenorm':false,'norm':'batch','discretization':'bilinear'", 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0 },
    { "'activation':'half_glu2','prenorm':true,'norm':'batch','conj_sym':false,'output':'logits'", 2, 1, 1, 0, 1, 0, 1, 0, 0, 0, 0 },
    { "'activation':'gelu','norm':'layer','pooling':'last','conj_sym':true,'discretization':'zoh'", 3, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0 },
    { "'activation':'half_glu1','bidirectional':true,'prenorm':true,'step_rescale':0.5", 1, 1, 0, 0, 0, 0, 0, TWO_C, 0, 0, 0.5 },
    { "'activation':'gelu','bidirectional':true,'norm':'batch','conj_sym':false,'discretization':'bilinear','clip_eigs':true",
      3, 0, 1, 1, 1, 0, 0, ONE_C, 0, 0, 0 },
};

static const variant lru_variants[] = {
    { "'prenorm':true,'norm':'layer','output':'log_softmax'", 0, 1, 0, 0, 1, 0, 0, ONE_WAY, 1, 0, 0 },
    { "'pooling':'last','r_min':0.5", 0, 0, 1, 0, 1, 1, 0, ONE_WAY, 1, 0, 0 },
    { "'pooling':'none','norm':'layer','output':'logits','multidim':1", 0, 0, 0, 0, 1, 0, 1, ONE_WAY, 1, 1, 0 },
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
        w->data[w->count][i] = tiny_little((float)(low + (high - low) * (0.5 + 0.5 * (double)kr_random_unit(&w->random))));
    w->count++;
}

static double number(const weights *w, int layer, const char *name, size_t i)
{
    char full[2 * NAME];                /* the compiler knows no bound of name but NAME */

    if (layer < 0)
        snprintf(full, sizeof full, "%s", name);
    else
        snprintf(full, sizeof full, "encoder.layers_%d.%s", layer, name);
    for (size_t t = 0; t < w->count; t++)
        if (strcmp(w->names[t], full) == 0)
            return (double)tiny_little(w->data[t][i]);
    CHECK_STR(full, "is there");
    return 0;
}

static void make_ssm(weights *w, const variant *v, int i)
{
    int p = v->whole ? STATES : STATES / 2;

    add(w, i, "seq.D", -1, 1, WIDTH, 0, 0);
    if (v->lru) {
        add(w, i, "seq.nu_log", -3, 0.5, p, 0, 0);
        add(w, i, "seq.theta_log", -3, 1.1, p, 0, 0);
        add(w, i, "seq.gamma_log", -2, 0, p, 0, 0);
        add(w, i, "seq.B_re", -1, 1, p, WIDTH, 0);
        add(w, i, "seq.B_im", -1, 1, p, WIDTH, 0);
        add(w, i, "seq.C_re", -1, 1, WIDTH, p, 0);
        add(w, i, "seq.C_im", -1, 1, WIDTH, p, 0);
        return;
    }
    add(w, i, "seq.Lambda_re", -1, -0.1, p, 0, 0);
    add(w, i, "seq.Lambda_im", -3, 3, p, 0, 0);
    add(w, i, "seq.B", -1, 1, p, WIDTH, 2);
    add(w, i, "seq.log_step", -3, 0, p, 1, 0);
    if (v->both == TWO_C) {
        add(w, i, "seq.C1", -1, 1, WIDTH, p, 2);
        add(w, i, "seq.C2", -1, 1, WIDTH, p, 2);
    } else {
        add(w, i, "seq.C", -1, 1, WIDTH, v->both == ONE_C ? 2 * p : p, 2);
    }
}

static void make_norm(weights *w, const variant *v, int i)
{
    static const char *const parts[] = { "scale", "bias", "mean", "var" };

    for (int part = 0; part < (v->batch ? 4 : 2); part++) {
        char name[NAME];

        snprintf(name, sizeof name, "%s.%s", v->lru ? "normalization" : "norm", parts[part]);
        add(w, i, name, part % 2 == part / 2 ? 0.5 : -1, part % 2 == part / 2 ? 1.5 : 1, WIDTH, 0, 0);
    }
}

static void make_weights(weights *w, const variant *v, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->random = kr_random_from(seed);
    add(w, -1, "encoder.encoder.kernel", -1, 1, IN, WIDTH, 0);
    add(w, -1, "encoder.encoder.bias", -1, 1, WIDTH, 0, 0);
    add(w, -1, "decoder.kernel", -1, 1, WIDTH, CLASSES, 0);
    add(w, -1, "decoder.bias", -1, 1, CLASSES, 0, 0);
    for (int i = 0; i < LAYERS; i++) {
        make_ssm(w, v, i);
        make_norm(w, v, i);
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

typedef double rows_of[STEPS][WIDTH];

static void dense(const weights *w, int layer, const char *name, const double *x, int in, int out, double *y)
{
    char kernel[NAME], bias[NAME];

    snprintf(kernel, sizeof kernel, "%s.kernel", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    for (int o = 0; o < out; o++) {
        y[o] = number(w, layer, bias, (size_t)o);
        for (int i = 0; i < in; i++)
            y[o] += x[i] * number(w, layer, kernel, (size_t)(i * out + o));
    }
}

static double gelu(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

static double norm_part(const weights *w, const variant *v, int layer, const char *part, int i)
{
    char name[NAME];

    snprintf(name, sizeof name, "%s.%s", v->lru ? "normalization" : "norm", part);
    return number(w, layer, name, (size_t)i);
}

static void norm(const weights *w, const variant *v, int layer, double *x)
{
    double mean = 0, var = 0;

    for (int i = 0; i < WIDTH; i++)
        mean += x[i] / WIDTH;
    for (int i = 0; i < WIDTH; i++)
        var += (x[i] - mean) * (x[i] - mean) / WIDTH;
    for (int i = 0; i < WIDTH; i++) {
        double m = v->batch ? norm_part(w, v, layer, "mean", i) : mean;
        double s = v->batch ? norm_part(w, v, layer, "var", i) + 1e-5 : var + 1e-6;

        x[i] = (x[i] - m) / sqrt(s) * norm_part(w, v, layer, "scale", i) + norm_part(w, v, layer, "bias", i);
    }
}

/* A state: a, what B is multiplied with; and its parts of B and C. */
typedef struct pole { double a[2], f[2], b[WIDTH][2], c[WIDTH][2], k; } pole;

/* n / d of complex numbers. */
static void divide(const double n[2], const double d[2], double out[2])
{
    double size = d[0] * d[0] + d[1] * d[1];

    out[0] = (n[0] * d[0] + n[1] * d[1]) / size;
    out[1] = (n[1] * d[0] - n[0] * d[1]) / size;
}

static void s5_pole(const weights *w, const variant *v, int layer, size_t s, int back, pole *p)
{
    size_t      states = v->whole ? STATES : STATES / 2, columns = v->both == ONE_C ? 2 * states : states;
    const char *c = v->both == TWO_C ? back ? "seq.C2" : "seq.C1" : "seq.C";
    double      l[2] = { number(w, layer, "seq.Lambda_re", s), number(w, layer, "seq.Lambda_im", s) };
    double      dt = exp(number(w, layer, "seq.log_step", s)) * (v->rescale > 0 ? v->rescale : 1);
    double      above[2] = { 1 + l[0] * dt / 2, l[1] * dt / 2 }, below[2] = { 1 - l[0] * dt / 2, -l[1] * dt / 2 };

    if (v->bilinear) {
        divide(above, below, p->a);
        divide((double[2]){ dt, 0 }, below, p->f);
    } else {
        p->a[0] = exp(l[0] * dt) * cos(l[1] * dt), p->a[1] = exp(l[0] * dt) * sin(l[1] * dt);
        divide((double[2]){ p->a[0] - 1, p->a[1] }, l, p->f);
    }
    for (size_t h = 0; h < WIDTH; h++)
        for (size_t part = 0; part < 2; part++) {
            p->b[h][part] = number(w, layer, "seq.B", (s * WIDTH + h) * 2 + part);
            p->c[h][part] = number(w, layer, c, (h * columns + s + (back ? columns - states : 0)) * 2 + part);
        }
    p->k = v->whole ? 1 : 2;
}

static void lru_pole(const weights *w, int layer, size_t s, pole *p)
{
    double radius = exp(-exp(number(w, layer, "seq.nu_log", s))), angle = exp(number(w, layer, "seq.theta_log", s));

    *p = (pole){ .a = { radius * cos(angle), radius * sin(angle) }, .f = { exp(number(w, layer, "seq.gamma_log", s)), 0 },
                 .k = 1 };
    for (size_t h = 0; h < WIDTH; h++) {
        p->b[h][0] = number(w, layer, "seq.B_re", s * WIDTH + h), p->b[h][1] = number(w, layer, "seq.B_im", s * WIDTH + h);
        p->c[h][0] = number(w, layer, "seq.C_re", h * STATES + s), p->c[h][1] = number(w, layer, "seq.C_im", h * STATES + s);
    }
}

/* y += k Re(C x), with x from the first row on or, going back, from the last. */
static void run_pole(const pole *p, rows_of u, int back, rows_of y)
{
    double x[2] = { 0, 0 };

    for (int i = 0; i < STEPS; i++) {
        int    t = back ? STEPS - 1 - i : i;
        double re = p->a[0] * x[0] - p->a[1] * x[1], im = p->a[0] * x[1] + p->a[1] * x[0];

        for (int h = 0; h < WIDTH; h++) {
            re += (p->f[0] * p->b[h][0] - p->f[1] * p->b[h][1]) * u[t][h];
            im += (p->f[0] * p->b[h][1] + p->f[1] * p->b[h][0]) * u[t][h];
        }
        x[0] = re, x[1] = im;
        for (int h = 0; h < WIDTH; h++)
            y[t][h] += p->k * (p->c[h][0] * re - p->c[h][1] * im);
    }
}

static void ssm(const weights *w, const variant *v, int layer, rows_of u, rows_of y)
{
    for (int t = 0; t < STEPS; t++)
        for (int h = 0; h < WIDTH; h++)
            y[t][h] = number(w, layer, "seq.D", (size_t)h) * u[t][h];
    for (int back = 0; back <= (v->both != ONE_WAY); back++)
        for (size_t s = 0; s < (v->whole ? STATES : STATES / 2); s++) {
            pole p;

            if (v->lru)
                lru_pole(w, layer, s, &p);
            else
                s5_pole(w, v, layer, s, back, &p);
            run_pole(&p, u, back, y);
        }
}

/* What is behind the state space, in one row. */
static void mix(const weights *w, const variant *v, int layer, const double *y, double *row)
{
    double g[WIDTH], one[WIDTH], two[WIDTH];

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
    rows_of rows, u, y;
    double  mean[WIDTH] = { 0 }, sum = 0;

    for (int t = 0; t < STEPS; t++) {
        double in[IN];

        for (int i = 0; i < IN; i++)
            in[i] = (double)inputs[t * IN + i];
        dense(w, -1, "encoder.encoder", in, IN, WIDTH, rows[t]);
    }
    for (int layer = 0; layer < LAYERS; layer++) {
        memcpy(u, rows, sizeof u);
        for (int t = 0; t < STEPS && v->prenorm; t++)
            norm(w, v, layer, u[t]);
        ssm(w, v, layer, u, y);
        for (int t = 0; t < STEPS; t++)
            mix(w, v, layer, y[t], rows[t]);
    }
    for (int t = 0; t < STEPS; t++)
        for (int i = 0; i < WIDTH; i++)
            mean[i] = v->last || v->none ? rows[t][i] : mean[i] + rows[t][i] / STEPS;
    dense(w, -1, "decoder", mean, WIDTH, CLASSES, out);
    for (int i = 0; i < CLASSES; i++)
        sum += exp(out[i]);
    for (int i = 0; i < CLASSES && !v->logits; i++)
        out[i] -= log(sum);
}

/* ---- tests ------------------------------------------------------------------------------------------ */

#define S5_CONFIG  "{'model_type':'s5','d_input':3,'d_model':5,'ssm_size':4,'n_layers':2,'n_classes':4,%s}"
#define LRU_CONFIG "{'model_type':'lru','d_input':3,'d_model':5,'d_hidden':4,'n_layers':2,'d_output':4,%s}"

static krait_status create(const weights *w, int lru, const char *fields, krait_model **model, krait_message *why)
{
    char text[512];

    snprintf(text, sizeof text, lru ? LRU_CONFIG : S5_CONFIG, fields);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    return krait_model_create(model, text, w->tensors, w->count, NULL, why);
}

static void check_variant(const weights *w, const variant *v)
{
    krait_state_options options = { .size = sizeof options, .lanes = 1, .max_steps = STEPS };
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
    if (CHECK_STATUS(create(w, v->lru, v->fields, &model, &why), KRAIT_OK) &&
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
        CHECK_STATUS(create(less, v->lru, v->fields, &model, &why), KRAIT_ERR_SHAPE);
        CHECK(model == NULL);
        if (!strstr(why.text, w->names[i]))
            CHECK_STR(why.text, w->names[i]);
        free(less);
    }
}

static void check_variants(const variant *list, size_t count)
{
    weights *w = malloc(sizeof *w);

    for (size_t i = 0; i < count; i++) {
        test_note("%s", list[i].fields);
        make_weights(w, &list[i], 50 + i);
        check_variant(w, &list[i]);
        check_wanted(w, &list[i]);
    }
    test_note("%s", "");
    free(w);
}

TEST(s5_configs_equal_double)
{
    check_variants(variants, sizeof variants / sizeof *variants);
}

TEST(lru_configs_equal_double)
{
    check_variants(lru_variants, sizeof lru_variants / sizeof *lru_variants);
}

typedef struct refused { const char *fields, *word; krait_status status; } refused;

static void check_refused(const variant *of, const refused *cases, size_t count)
{
    weights *w = malloc(sizeof *w);

    make_weights(w, of, 60);
    for (size_t i = 0; i < count; i++) {
        krait_model  *model = (krait_model *)1;
        krait_message why = { "" };

        test_note("%s", cases[i].fields);
        CHECK_STATUS(create(w, of->lru, cases[i].fields, &model, &why), cases[i].status);
        CHECK(model == NULL);
        if (!strstr(why.text, cases[i].word))
            CHECK_STR(why.text, cases[i].word);
    }
    test_note("%s", "");
    free(w);
}

TEST(s5_configs_refused)
{
    static const refused cases[] = {
        { "'bidirectional':true", "5 x 4 x 2", KRAIT_ERR_SHAPE },
        { "'bidirectional':'both'", "bidirectional", KRAIT_ERR_FORMAT },
        { "'step_rescale':0", "step_rescale", KRAIT_ERR_FORMAT },
        { "'activation':'relu'", "activation", KRAIT_ERR_UNSUPPORTED },
        { "'discretization':'dirac'", "discretization", KRAIT_ERR_UNSUPPORTED },
        { "'norm':'rms'", "norm", KRAIT_ERR_UNSUPPORTED },
        { "'prenorm':'yes'", "prenorm", KRAIT_ERR_FORMAT },
        { "'input_mean':[1,2,3]", "input_std", KRAIT_ERR_FORMAT },
        { "'input_mean':[1,2],'input_std':[1,2,3]", "input_mean", KRAIT_ERR_FORMAT },
        { "'input_mean':[1,2,3],'input_std':[1,0,3]", "input_std", KRAIT_ERR_FORMAT },
        { "'conj_sym':false", "Lambda_re", KRAIT_ERR_SHAPE },
    };

    check_refused(&variants[3], cases, sizeof cases / sizeof *cases);
}

TEST(lru_configs_refused)
{
    static const refused cases[] = {
        { "'bidirectional':true", "bidirectional", KRAIT_ERR_UNSUPPORTED },
        { "'multidim':2", "multidim", KRAIT_ERR_UNSUPPORTED },
        { "'multidim':0", "multidim", KRAIT_ERR_FORMAT },
        { "'multidim':2,'output':'logits','norm':'layer'", "decoder", KRAIT_ERR_SHAPE },
        { "'norm':'rms'", "norm", KRAIT_ERR_UNSUPPORTED },
        { "'norm':'batch'", "normalization.mean", KRAIT_ERR_SHAPE },
        { "'pooling':'max'", "pooling", KRAIT_ERR_UNSUPPORTED },
        { "'prenorm':1", "prenorm", KRAIT_ERR_FORMAT },
        { "'output':'softmax'", "output", KRAIT_ERR_UNSUPPORTED },
    };

    check_refused(&lru_variants[0], cases, sizeof cases / sizeof *cases);
}
