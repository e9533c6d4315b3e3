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

#include "conformance/trees.h"
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
    { "normed", KRAIT_F32 },    { "diagonal", KRAIT_F32 },
    { "branches", KRAIT_F32 },  { "names", KRAIT_F32 },     { "selective", KRAIT_F32 },
    { "image", KRAIT_F32 },     { "cells", KRAIT_F32 },     { "directions", KRAIT_F32 },
    { "inserted", KRAIT_F32 },  { "token", KRAIT_F32 },     { "turning", KRAIT_F32 },
    { "facing", KRAIT_F32 },
    { "liquid", KRAIT_F32 },    { "heads", KRAIT_F32 },
    { "branches", KRAIT_Q8_0 }, { "selective", KRAIT_F16 }, { "directions", KRAIT_BF16 },
    { "lowrank", KRAIT_F32 },   { "dense", KRAIT_F32 },
    { "mamba2", KRAIT_F32 },    { "mamba2", KRAIT_BF16 },
    { "intervals", KRAIT_F32 },
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
    float       *dt;                    /* [LANES][rows] or NULL */
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

static inline void add_array(conformance_case *c, const char *name, size_t a, size_t b, size_t d, size_t e)
{
    krait_tensor *t = &c->tensors[c->count];
    size_t        count = a * (b ? b : 1) * (d ? d : 1) * (e ? e : 1);
    float        *x = malloc(count * sizeof *x);

    snprintf(c->names[c->count], sizeof c->names[c->count], "%s", name);
    t->name = c->names[c->count++];
    t->shape[0] = a, t->shape[1] = b, t->shape[2] = d, t->shape[3] = e;
    t->dimensions = e ? 4 : d ? 3 : b ? 2 : 1;
    t->type = type_within(c->type, name, t->shape, t->dimensions);
    kr_golden_fill(name, c->seed, t->shape, t->dimensions, x);
    for (size_t i = 0; i < count && kr_golden_ends(name, "running_var"); i++)
        x[i] += 1.25f;
    encode_as(t, x, count);
    free(x);
}

static inline void add_tensor(conformance_case *c, const char *name, size_t a, size_t b, size_t d)
{
    add_array(c, name, a, b, d, 0);
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
        unsigned long a = 0, b = 0, d = 0, e = 0;

        at += *at == ';';
        if (sscanf(at, "%63s %lu %lu %lu %lu", name, &a, &b, &d, &e) < 2)
            abort();
        add_array(c, name, a, b, d, e);
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
        x = ldexp(x, tree->scale && tree->scale != TIMED ? tree->scale : scale);
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
    if (tree && tree->scale == TIMED) {
        uint64_t state = kr_golden_hash("dt") ^ c->seed;

        c->dt = malloc(LANES * c->rows * sizeof *c->dt);
        for (size_t i = 0; i < LANES * c->rows; i++)
            c->dt[i] = (float)(kr_golden_next(&state) >> 60) / 8.0f;
    }
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
    free(c->dt);
}

#endif
