/*
 * cases.h - the models and inputs of the conformance table, made from integers alone.
 *
 * The ten tiny Mamba models of tests/golden with their seeds, and krait trees of every other
 * layer type; some of them again with their weights in another type, encoded here and not by
 * src/.  Making them computes in floats, so it is done before a test plays with the host's
 * floating-point environment.
 */
#ifndef KR_TEST_CASES_H
#define KR_TEST_CASES_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "golden/generator.h"
#include "krait.h"

enum { LANES = 5, ROWS = 68, MOST_TENSORS = 64 };

/* Sizes as in tests/golden/README.md; expand and epsilon are text, so that a locale could harm. */
typedef struct mamba_shape {
    const char *name;
    uint64_t    seed;
    size_t      vocabulary, width;
    const char *expand;
    size_t      inner, states, taps, rank, layers;
    int         bias, conv_bias, tied;
    const char *epsilon;
    size_t      rows;
} mamba_shape;

static const mamba_shape mamba_shapes[] = {
    { "plain",    1,                         11, 16, "2",    32,  4, 4, 1, 1, 0, 1, 1, "0.00001", ROWS },
    { "bytes",    2,                        256, 32, "2",    64, 16, 4, 2, 3, 0, 1, 1, "1e-5",    ROWS },
    { "fraction", 3,                         11, 33, "1.5",  49, 16, 3, 3, 2, 1, 1, 0, "1.0e-6",  ROWS },
    { "wide",     4,                        256, 20, "4",    80, 64, 2, 5, 2, 0, 0, 0, "1e-5",    30 },
    { "narrow",   5,                         11, 24, "1",    24,  4, 5, 7, 4, 1, 0, 1, "1e-6",    ROWS },
    { "words",    18364758544493064720u,  50280, 24, "2.0",  48, 16, 4, 2, 2, 0, 1, 1, "1e-5",     5 },
    { "words_untied", 7,                  50280, 20, "1.5",  30,  4, 3, 7, 2, 1, 1, 0, "1e-6",     5 },
    { "deep",     8,                        256, 48, "2",    96, 16, 4, 3, 4, 0, 0, 0, "1e-5",    ROWS },
    { "epsilon",  9223372036854775817u,      11, 40, "4",   160,  7, 5, 3, 1, 0, 1, 0, "0.0625",  ROWS },
    { "prime",   10,                        256, 17, "1",    17, 64, 2, 2, 3, 1, 1, 1, "1e-6",    ROWS },
};

enum { HALVES = 1000 };

/* A krait tree; its tensors are "name d0 d1;..." and vocabulary 0 means features alone. */
typedef struct krait_tree {
    const char *name;
    size_t      vocabulary, width;      /* width of features; 0: tokens alone */
    int         scale;                  /* features are about 2^scale, or HALVES */
    const char *description, *tensors;
} krait_tree;

#define HEAD "{\"model_type\":\"krait\",\"version\":1,\"input\":"

static const krait_tree krait_trees[] = {
    { "filters", 0, 20, 0,              /* every layer that is not Mamba's, three segments long */
      HEAD "{\"features\":20},\"tree\":{\"sequence\":["
      "{\"linear\":{\"name\":\"first\",\"width\":96}},{\"activation\":{\"kind\":\"silu\"}},"
      "{\"conv\":{\"name\":\"early\",\"taps\":5}},"
      "{\"repeat\":{\"name\":\"blocks\",\"n\":2,\"of\":{\"residual\":{\"sequence\":["
      "{\"rms_norm\":{\"name\":\"norm\",\"eps\":0.0025}},{\"conv\":{\"name\":\"late\",\"taps\":3}},"
      "{\"activation\":{\"kind\":\"sigmoid\"}},{\"linear\":{\"name\":\"mix\",\"width\":96}}]}}}},"
      "{\"activation\":{\"kind\":\"softplus\"}},{\"linear\":{\"name\":\"up\",\"width\":160}},"
      "{\"activation\":{\"kind\":\"relu\"}},{\"linear\":{\"name\":\"down\",\"width\":10}}]}}",
      "first.weight 96 20;first.bias 96;early.weight 96 5;early.bias 96;"
      "blocks.0.norm.weight 96;blocks.0.late.weight 96 3;blocks.0.mix.weight 96 96;"
      "blocks.1.norm.weight 96;blocks.1.late.weight 96 3;blocks.1.mix.weight 96 96;"
      "blocks.1.mix.bias 96;up.weight 160 96;up.bias 160;down.weight 10 160" },
    { "mixed", 40, 24, 0,               /* tokens, and features where the token is -1 */
      HEAD "{\"tokens\":40},\"tree\":{\"sequence\":[{\"embed\":{\"name\":\"table\",\"width\":24}},"
      "{\"residual\":{\"sequence\":[{\"rms_norm\":{\"name\":\"norm\"}},"
      "{\"mamba1\":{\"name\":\"mixer\",\"inner\":40,\"states\":5,\"taps\":3,\"rank\":4}}]}},"
      "{\"rms_norm\":{\"name\":\"last_norm\"}},{\"linear\":{\"name\":\"head\",\"width\":40,"
      "\"weights\":{\"weight\":\"table.weight\"}}}]}}",
      "table.weight 40 24;1.norm.weight 24;1.mixer.in_proj.weight 80 24;1.mixer.conv1d.weight 40 3;"
      "1.mixer.x_proj.weight 14 40;1.mixer.dt_proj.weight 40 4;1.mixer.A_log 40 5;1.mixer.D 40;"
      "1.mixer.out_proj.weight 24 40;last_norm.weight 24" },
    { "fading", 0, 12, 0,               /* no biases: states decay below 2^-100 over rows of zeros */
      HEAD "{\"features\":12},\"tree\":{\"sequence\":[{\"linear\":{\"width\":32,"
      "\"weights\":{\"weight\":{\"tensor\":\"first\",\"transpose\":true}}}},"
      "{\"mamba1\":{\"name\":\"m\",\"inner\":48,\"states\":20,\"rank\":3,"
      "\"weights\":{\"dt_proj.bias\":\"m.step\"}}},{\"linear\":{\"name\":\"last\",\"width\":7}}]}}",
      "first 12 32;m.in_proj.weight 96 32;m.conv1d.weight 48 4;m.x_proj.weight 43 48;"
      "m.dt_proj.weight 48 3;m.step 48;m.A_log 48 20;m.D 48;m.out_proj.weight 32 48;last.weight 7 32" },
    { "subnormal", 0, 16, -128,         /* what FTZ and DAZ would wipe out */
      HEAD "{\"features\":16},\"tree\":{\"sequence\":[{\"linear\":{\"name\":\"first\",\"width\":80}},"
      "{\"residual\":{\"sequence\":[{\"conv\":{\"name\":\"c\",\"taps\":3}}]}},"
      "{\"linear\":{\"name\":\"last\",\"width\":20}}]}}",
      "first.weight 80 16;1.c.weight 80 3;last.weight 20 80" },
    { "halves", 0, 64, HALVES,          /* blocks of int8 activations with ties, and too small ones */
      HEAD "{\"features\":64},\"tree\":{\"linear\":{\"name\":\"only\",\"width\":20}}}",
      "only.weight 20 64" },
    { "gates", 0, 20, 0,                /* layer_norm, scale and glu, each way, and what they call */
      HEAD "{\"features\":20},\"tree\":{\"sequence\":["
      "{\"linear\":{\"name\":\"a\",\"width\":48}},{\"glu\":{\"kind\":\"silu\"}},"
      "{\"layer_norm\":{\"name\":\"norm\",\"eps\":0.002}},{\"activation\":{\"kind\":\"gelu\"}},"
      "{\"linear\":{\"name\":\"b\",\"width\":70}},{\"glu\":{\"kind\":\"gelu\",\"gate\":\"first\"}},"
      "{\"scale\":{\"name\":\"scaled\"}},{\"activation\":{\"kind\":\"tanh\"}},{\"layer_norm\":{}},"
      "{\"residual\":{\"sequence\":[{\"linear\":{\"name\":\"c\",\"width\":70}},"
      "{\"glu\":{\"kind\":\"gelu_tanh\"}},{\"scale\":{\"name\":\"small\"}},"
      "{\"activation\":{\"kind\":\"gelu_tanh\"}}]}},{\"layer_norm\":{\"name\":\"half\",\"eps\":0}},"
      "{\"linear\":{\"name\":\"d\",\"width\":72}},{\"glu\":{\"kind\":\"tanh\",\"gate\":\"first\"}},"
      "{\"glu\":{\"kind\":\"none\"}},{\"linear\":{\"name\":\"e\",\"width\":52}},{\"glu\":{}},"
      "{\"glu\":{\"kind\":\"relu\"}}]}}",
      "a.weight 48 20;a.bias 48;norm.weight 24;norm.bias 24;b.weight 70 24;scaled.weight 35;"
      "scaled.bias 35;9.c.weight 70 35;9.c.bias 70;9.small.weight 35;half.bias 35;d.weight 72 35;"
      "d.bias 72;e.weight 52 18;e.bias 52" },
};

/* One line of the table: a model's name, the type of its weights. */
typedef struct case_name {
    const char *model;
    int32_t     type;
} case_name;

static const case_name case_names[] = {
    { "plain", KRAIT_F32 },     { "bytes", KRAIT_F32 },     { "fraction", KRAIT_F32 },
    { "wide", KRAIT_F32 },      { "narrow", KRAIT_F32 },    { "words", KRAIT_F32 },
    { "words_untied", KRAIT_F32 }, { "deep", KRAIT_F32 },   { "epsilon", KRAIT_F32 },
    { "prime", KRAIT_F32 },     { "filters", KRAIT_F32 },   { "mixed", KRAIT_F32 },
    { "fading", KRAIT_F32 },    { "subnormal", KRAIT_F32 },
    { "bytes", KRAIT_F16 },     { "bytes", KRAIT_BF16 },    { "bytes", KRAIT_Q8_0 },
    { "filters", KRAIT_F16 },   { "filters", KRAIT_BF16 },  { "filters", KRAIT_Q8_0 },
    { "halves", KRAIT_Q8_0 },   { "gates", KRAIT_F32 },     { "gates", KRAIT_F16 },
};

enum { CASES = sizeof case_names / sizeof *case_names };

/* A case with all that it needs to be opened and run. */
typedef struct conformance_case {
    char         name[32];
    char         description[2048];
    uint64_t     seed;
    int32_t      type;
    krait_tensor tensors[MOST_TENSORS];
    char         names[MOST_TENSORS][64];
    size_t       count, rows, vocabulary, width;
    int32_t     *tokens;                /* [LANES][rows] or NULL */
    float       *features;              /* [LANES][rows][width] or NULL */
    uint8_t      reset[LANES * ROWS];   /* [LANES][rows] */
} conformance_case;

/* ---- encoders ---------------------------------------------------------------------------- */

static inline void put_u16(unsigned char *to, unsigned value)
{
    to[0] = (unsigned char)(value & 0xff);
    to[1] = (unsigned char)(value >> 8 & 0xff);
}

static inline uint32_t word_of(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

/* Nearest half, ties to even, of a finite number in its range; *value is what it stands for. */
static inline unsigned half_nearest(double x, double *value)
{
    int    exponent;
    double magnitude = fabs(x), count, rest, step;

    frexp(magnitude, &exponent);
    exponent = exponent - 11 > -24 ? exponent - 11 : -24;
    step = ldexp(1, exponent);
    count = floor(magnitude / step);
    rest = magnitude / step - count;
    if (rest > 0.5 || (rest == 0.5 && fmod(count, 2) == 1))
        count += 1;
    *value = x < 0 ? -count * step : count * step;
    return (unsigned)(exponent + 24) * 1024 + (unsigned)count + (x < 0 ? 0x8000u : 0);
}

static inline unsigned bfloat_nearest(float x)
{
    uint32_t u = word_of(x), low = u & 0xffff, up = low > 0x8000 || (low == 0x8000 && (u >> 16 & 1));

    return (u >> 16) + up;
}

/* A block of 32: d = max / 127 as a half, then the nearest multiples of it. */
static inline void block_nearest(const float *x, unsigned char *to)
{
    double most = 0, scale;

    for (int i = 0; i < 32; i++)
        most = fabs(x[i]) > most ? fabs(x[i]) : most;
    put_u16(to, half_nearest(most / 127, &scale));
    for (int i = 0; i < 32; i++) {
        double q = scale > 0 ? floor(x[i] / scale + 0.5) : 0;

        q = q > 127 ? 127 : q < -127 ? -127 : q;
        to[2 + i] = (unsigned char)(int)(q < 0 ? q + 256 : q);
    }
}

/* Q8_0 is for matrices with whole blocks, F16 for other matrices; the rest stays float32. */
static inline int32_t type_within(int32_t wanted, const char *name, const uint64_t *shape, int dimensions)
{
    int matrix = dimensions == 2 && !kr_golden_ends(name, "A_log") && !strstr(name, "early") &&
                 !strstr(name, "late") && !strstr(name, "conv1d");

    if (wanted != KRAIT_Q8_0)
        return wanted;
    return !matrix ? KRAIT_F32 : shape[1] % 32 == 0 ? KRAIT_Q8_0 : KRAIT_F16;
}

static inline void encode_as(krait_tensor *t, const float *x, size_t count)
{
    unsigned char *to = malloc(4 * count);
    double         value;

    t->bytes = t->type == KRAIT_F32 ? 4 * count : t->type == KRAIT_Q8_0 ? count / 32 * 34 : 2 * count;
    for (size_t i = 0; i < count; i++)
        if (t->type == KRAIT_F32) {
            put_u16(to + 4 * i, word_of(x[i]) & 0xffff);
            put_u16(to + 4 * i + 2, word_of(x[i]) >> 16);
        } else if (t->type == KRAIT_F16) {
            put_u16(to + 2 * i, half_nearest(x[i], &value));
        } else if (t->type == KRAIT_BF16) {
            put_u16(to + 2 * i, bfloat_nearest(x[i]));
        } else if (i % 32 == 0) {
            block_nearest(x + i, to + i / 32 * 34);
        }
    t->data = to;
}

/* ---- models ------------------------------------------------------------------------------ */

static inline void add_tensor(conformance_case *c, const char *name, size_t a, size_t b, size_t d)
{
    krait_tensor *t = &c->tensors[c->count];
    size_t        count = a * (b ? b : 1) * (d ? d : 1);
    float        *x = malloc(count * sizeof *x);

    snprintf(c->names[c->count], sizeof c->names[c->count], "%s", name);
    t->name = c->names[c->count++];
    t->shape[0] = a, t->shape[1] = b, t->shape[2] = d;
    t->dimensions = d ? 3 : b ? 2 : 1;
    t->type = type_within(c->type, name, t->shape, t->dimensions);
    kr_golden_fill(name, c->seed, t->shape, t->dimensions, x);
    encode_as(t, x, count);
    free(x);
}

static inline void add_mixer(conformance_case *c, size_t layer, const char *slot, size_t a, size_t b,
                             size_t d)
{
    char name[64];

    snprintf(name, sizeof name, "backbone.layers.%zu.%s", layer, slot);
    add_tensor(c, name, a, b, d);
}

static inline void make_mamba(conformance_case *c, const mamba_shape *s)
{
    snprintf(c->description, sizeof c->description,
             "{\"model_type\":\"mamba\",\"vocab_size\":%zu,\"hidden_size\":%zu,\"expand\":%s,"
             "\"state_size\":%zu,\"conv_kernel\":%zu,\"time_step_rank\":%zu,\"num_hidden_layers\":%zu,"
             "\"use_bias\":%s,\"use_conv_bias\":%s,\"tie_word_embeddings\":%s,"
             "\"layer_norm_epsilon\":%s,\"hidden_act\":\"silu\"}",
             s->vocabulary, s->width, s->expand, s->states, s->taps, s->rank, s->layers,
             s->bias ? "true" : "false", s->conv_bias ? "true" : "false", s->tied ? "true" : "false",
             s->epsilon);
    c->rows = s->rows;
    c->vocabulary = s->vocabulary;
    add_tensor(c, "backbone.embeddings.weight", s->vocabulary, s->width, 0);
    for (size_t i = 0; i < s->layers; i++) {
        add_mixer(c, i, "norm.weight", s->width, 0, 0);
        add_mixer(c, i, "mixer.A_log", s->inner, s->states, 0);
        add_mixer(c, i, "mixer.D", s->inner, 0, 0);
        add_mixer(c, i, "mixer.in_proj.weight", 2 * s->inner, s->width, 0);
        add_mixer(c, i, "mixer.conv1d.weight", s->inner, 1, s->taps);
        add_mixer(c, i, "mixer.x_proj.weight", s->rank + 2 * s->states, s->inner, 0);
        add_mixer(c, i, "mixer.dt_proj.weight", s->inner, s->rank, 0);
        add_mixer(c, i, "mixer.dt_proj.bias", s->inner, 0, 0);
        add_mixer(c, i, "mixer.out_proj.weight", s->width, s->inner, 0);
        if (s->conv_bias)
            add_mixer(c, i, "mixer.conv1d.bias", s->inner, 0, 0);
        if (s->bias) {
            add_mixer(c, i, "mixer.in_proj.bias", 2 * s->inner, 0, 0);
            add_mixer(c, i, "mixer.out_proj.bias", s->width, 0, 0);
        }
    }
    add_tensor(c, "backbone.norm_f.weight", s->width, 0, 0);
    if (!s->tied)
        add_tensor(c, "lm_head.weight", s->vocabulary, s->width, 0);
}

static inline void make_tree(conformance_case *c, const krait_tree *tree)
{
    snprintf(c->description, sizeof c->description, "%s", tree->description);
    c->rows = ROWS;
    c->vocabulary = tree->vocabulary;
    c->width = tree->width;
    for (const char *at = tree->tensors; at; at = strchr(at, ';')) {
        char          name[64];
        unsigned long a = 0, b = 0;

        at += *at == ';';
        if (sscanf(at, "%63s %lu %lu", name, &a, &b) < 2)
            abort();
        add_tensor(c, name, a, b, 0);
    }
}

/* ---- inputs ------------------------------------------------------------------------------ */

/* Halves of whole numbers beside a 127, so that x * (127 / max) is x; now and then all far below. */
static inline float half_feature(uint64_t z, size_t row, size_t column)
{
    double x = column % 32 == row % 32 ? 127 : ((double)(z % 509) - 254) / 2;

    return (float)ldexp(x, row % 9 == 4 ? -108 : row % 9 == 5 ? -106 : 0);
}

/*
 * Numbers of about 2^scale; some rows 2^-130 smaller, or huge, or with NaN and infinity, which
 * the reset at row 40 of lane 0 clears; the last rows are zeros, but where all is small.
 */
static inline void fill_features(conformance_case *c, const krait_tree *tree)
{
    uint64_t state = kr_golden_hash("features") ^ c->seed;

    c->features = malloc(LANES * c->rows * c->width * sizeof *c->features);
    for (size_t i = 0; i < LANES * c->rows * c->width; i++) {
        size_t   row = i / c->width % c->rows;
        int      scale = row % 9 == 4 ? -130 : row == 7 ? 100 : 0;
        uint64_t z = kr_golden_next(&state);
        double   x = ldexp((double)(int32_t)(z >> 40) - 8388608, -23);

        if (tree->scale == HALVES) {
            c->features[i] = half_feature(z >> 20, row, i % c->width);
            continue;
        }
        x = ldexp(x, tree->scale ? tree->scale : scale);
        if (row >= 45 && !tree->scale && !tree->vocabulary)
            x = 0;
        c->features[i] = row == 33 && i % c->width == 3 ? (float)NAN
                       : row == 35 && i % c->width == 1 ? -(float)INFINITY : (float)x;
    }
}

static inline void fill_inputs(conformance_case *c, const krait_tree *tree)
{
    if (c->vocabulary) {
        c->tokens = malloc(LANES * c->rows * sizeof *c->tokens);
        for (size_t lane = 0; lane < LANES; lane++)
            kr_golden_ids(c->seed + 100 * lane, c->vocabulary, c->tokens + lane * c->rows, c->rows);
        for (size_t i = 0; c->width && i < LANES * c->rows; i++)
            c->tokens[i] = i % 6 == 2 ? -1 : c->tokens[i];
    }
    if (c->width)
        fill_features(c, tree);
    for (size_t lane = 0; lane < LANES; lane++)
        for (size_t r = 0; r < c->rows; r++)
            c->reset[lane * c->rows + r] = (r + 3 * lane) % 29 == 11;
}

static inline void case_make(conformance_case *c, const case_name *name)
{
    const char       *suffix = name->type == KRAIT_F16 ? ".f16" : name->type == KRAIT_BF16 ? ".bf16"
                             : name->type == KRAIT_Q8_0 ? ".q8_0" : "";
    const krait_tree *tree = NULL;

    memset(c, 0, sizeof *c);
    snprintf(c->name, sizeof c->name, "%s%s", name->model, suffix);
    c->type = name->type;
    for (size_t i = 0; i < sizeof mamba_shapes / sizeof *mamba_shapes; i++)
        if (strcmp(mamba_shapes[i].name, name->model) == 0) {
            c->seed = mamba_shapes[i].seed;
            make_mamba(c, &mamba_shapes[i]);
        }
    for (size_t i = 0; i < sizeof krait_trees / sizeof *krait_trees; i++)
        if (strcmp(krait_trees[i].name, name->model) == 0) {
            tree = &krait_trees[i];
            c->seed = kr_golden_hash(name->model);
            make_tree(c, tree);
        }
    fill_inputs(c, tree);
}

static inline void case_free(conformance_case *c)
{
    for (size_t i = 0; i < c->count; i++)
        free((void *)(uintptr_t)c->tensors[i].data);
    free(c->tokens);
    free(c->features);
}

#endif
