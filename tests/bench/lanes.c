/*
 * lanes.c - many streams through one set of weights: tokens per second of 1, 8, 64 and 1000 lanes, and of 1000 of which 10 are awake.
 *
 *     lanes [--quick] [--mamba2] [--width N] [--layers N] [--q8]
 *
 * One step of every lane that is awake a call, one thread, random weights.  Width 256 and 8 layers unless said otherwise;
 * --width 768 --layers 24 is mamba-130m's or mamba2-130m's shape, whose 1000 lanes take 2.8 or 19.5 GB.  All cases
 * take turns, and the best of the turns is printed: "over one" is against a single lane.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"
#include "krait.h"
#include "support/random.h"
#include "support/tiny.h"

enum { VOCABULARY = 4096, MOST_TENSORS = 1024, MOST_LAYERS = 64, MOST_LANES = 1000 };

typedef struct weights {
    krait_tensor list[MOST_TENSORS];
    char         names[MOST_TENSORS][64];
    size_t       count;
    int          blocks;            /* matrices are Q8_0 */
    kr_random    random;
} weights;

typedef struct shape { unsigned width, layers; int second, blocks; } shape;

static void add(weights *w, int layer, const char *name, uint64_t rows, uint64_t columns, float middle, float spread)
{
    krait_tensor *t = &w->list[w->count];
    char         *text = w->names[w->count++];
    size_t        count = (size_t)(rows * columns);
    int           blocks = w->blocks && columns >= 32 && columns % 32 == 0 && strstr(name, "proj") != NULL;

    if (layer >= 0)
        snprintf(text, 64, "layers.%d.%s", layer, name);
    else
        snprintf(text, 64, "%s", name);
    *t = (krait_tensor){ .name = text, .shape = { rows, columns }, .dimensions = columns > 1 ? 2 : 1,
                         .type = blocks ? KRAIT_Q8_0 : KRAIT_F32 };
    t->bytes = blocks ? count / 32 * 34 : count * 4;
    if (!(t->data = malloc(t->bytes)))
        exit(1);
    for (size_t i = 0; i < t->bytes && blocks; i++)
        ((unsigned char *)(uintptr_t)t->data)[i] = i % 34 == 0 ? 0 : i % 34 == 1 ? 0x08 : (unsigned char)kr_random_u32(&w->random);
    for (size_t i = 0; i < count && !blocks; i++)
        ((float *)(uintptr_t)t->data)[i] = tiny_little(middle + spread * kr_random_unit(&w->random));
}

static void add_first(weights *w, int i, unsigned width, unsigned inner)
{
    unsigned rank = (width + 15) / 16;

    add(w, i, "mixer.in_proj.weight", 2 * inner, width, 0, 0.05f);
    add(w, i, "mixer.conv1d.weight", inner, 4, 0, 0.5f);
    add(w, i, "mixer.x_proj.weight", rank + 32, inner, 0, 0.05f);
    add(w, i, "mixer.dt_proj.weight", inner, rank, 0, 0.1f);
    add(w, i, "mixer.dt_proj.bias", inner, 1, -4, 1);
    add(w, i, "mixer.A_log", inner, 16, 1, 1);
    add(w, i, "mixer.D", inner, 1, 1, 0.1f);
    add(w, i, "mixer.out_proj.weight", width, inner, 0, 0.05f);
}

static void add_second(weights *w, int i, unsigned width, unsigned inner)
{
    unsigned heads = inner / 64, mixed = inner + 256;

    add(w, i, "mixer.in_proj.weight", inner + mixed + heads, width, 0, 0.05f);
    add(w, i, "mixer.conv1d.weight", mixed, 4, 0, 0.5f);
    add(w, i, "mixer.dt_bias", heads, 1, -4, 1);
    add(w, i, "mixer.A_log", heads, 1, 1, 1);
    add(w, i, "mixer.D", heads, 1, 1, 0.1f);
    add(w, i, "mixer.norm.weight", inner, 1, 1, 0.1f);
    add(w, i, "mixer.out_proj.weight", width, inner, 0, 0.05f);
}

static krait_model *make_model(const shape *s)
{
    weights      *w = calloc(1, sizeof *w);
    krait_message why;
    krait_model  *model;
    unsigned      inner = 2 * s->width;
    char          mixer[160], text[768];

    if (!w)
        exit(1);
    w->blocks = s->blocks;
    w->random = kr_random_from(3);
    add(w, -1, "table.weight", VOCABULARY, s->width, 0, 0.05f);
    add(w, -1, "last.weight", s->width, 1, 1, 0.1f);
    add(w, -1, "head.weight", VOCABULARY, s->width, 0, 0.05f);
    for (int i = 0; i < (int)s->layers; i++) {
        add(w, i, "norm.weight", s->width, 1, 1, 0.1f);
        (s->second ? add_second : add_first)(w, i, s->width, inner);
    }
    if (s->second)
        snprintf(mixer, sizeof mixer, "{\"mamba2\":{\"name\":\"mixer\",\"heads\":%u,\"head_dim\":64,\"states\":128}}", inner / 64);
    else
        snprintf(mixer, sizeof mixer, "{\"mamba1\":{\"name\":\"mixer\",\"inner\":%u,\"rank\":%u}}", inner, (s->width + 15) / 16);
    snprintf(text, sizeof text, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"tokens\":%d},\"tree\":{\"sequence\":["
             "{\"embed\":{\"name\":\"table\",\"width\":%u}},{\"repeat\":{\"name\":\"layers\",\"n\":%u,\"of\":{\"residual\":"
             "{\"sequence\":[{\"rms_norm\":{\"name\":\"norm\"}},%s]}}}},{\"rms_norm\":{\"name\":\"last\"}},"
             "{\"linear\":{\"name\":\"head\",\"width\":%d}}]}}", VOCABULARY, s->width, s->layers, mixer, VOCABULARY);
    if (krait_model_create(&model, text, w->list, w->count, NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "lanes: %s\n", why.text);
        exit(1);
    }
    for (size_t i = 0; i < w->count; i++)
        free((void *)(uintptr_t)w->list[i].data);
    free(w);
    return model;
}

/* ---- figures --------------------------------------------------------------------------------------------- */

typedef struct way {
    uint32_t     lanes, awake;
    krait_state *state;
    float       *logits;
    double       best;              /* tokens a second */
} way;

static void once(const krait_model *model, way *w, double seconds)
{
    static int32_t  tokens[MOST_LANES];
    static uint32_t lengths[MOST_LANES];
    krait_input     input = { .size = sizeof input, .steps = 1, .tokens = tokens, .lengths = lengths };
    krait_output    output = { .size = sizeof output, .rows = w->logits, .which = KRAIT_ROWS_LAST };
    double          start = progress_clock(), took;
    size_t          calls = 0;

    output.capacity = (size_t)w->lanes * VOCABULARY;
    for (uint32_t i = 0; i < w->lanes; i++) {
        tokens[i] = (int32_t)(i * 7919u % VOCABULARY);
        lengths[i] = i % (w->lanes / w->awake) == 0;
    }
    do {
        if (krait_run(model, w->state, &input, &output, NULL) != KRAIT_OK)
            exit(1);
        calls++;
    } while ((took = progress_clock() - start) < seconds);
    took = (double)(calls * w->awake) / took;
    w->best = took > w->best ? took : w->best;
}

int main(int argc, char **argv)
{
    way          ways[] = { { .lanes = 1, .awake = 1 }, { .lanes = 8, .awake = 8 }, { .lanes = 10, .awake = 10 },
                            { .lanes = 64, .awake = 64 }, { .lanes = 1000, .awake = 1000 }, { .lanes = 1000, .awake = 10 } };
    const size_t count = sizeof ways / sizeof *ways;
    shape        s = { 256, 8, 0, 0 };
    int          quick = 0;
    krait_model *model;

    for (int i = 1; i < argc; i++) {
        quick |= strcmp(argv[i], "--quick") == 0;
        s.second |= strcmp(argv[i], "--mamba2") == 0;
        s.blocks |= strcmp(argv[i], "--q8") == 0;
        if (i + 1 < argc && strcmp(argv[i], "--width") == 0)
            s.width = (unsigned)atoi(argv[i + 1]);
        if (i + 1 < argc && strcmp(argv[i], "--layers") == 0)
            s.layers = (unsigned)atoi(argv[i + 1]);
    }
    if (quick)
        s.width = 64, s.layers = 2;
    if (s.width < 32 || s.width > 4096 || s.width % 32 || s.layers < 1 || s.layers > MOST_LAYERS)
        return 1;
    model = make_model(&s);
    for (size_t i = 0; i < count; i++) {
        krait_state_options options = { .size = sizeof options, .lanes = ways[i].lanes };

        ways[i].logits = malloc((size_t)ways[i].lanes * VOCABULARY * sizeof(float));
        if (!ways[i].logits || krait_state_create(&ways[i].state, model, &options, NULL) != KRAIT_OK)
            return 1;
    }
    for (int round = 0; round < (quick ? 1 : 5); round++)
        for (size_t i = 0; i < count; i++)
            once(model, &ways[i], quick ? 0 : 0.2);
    printf("mamba%d, width %u, %u layers, %s, one thread\n%6s %6s %14s %10s %14s\n", s.second ? 2 : 1, s.width, s.layers,
           s.blocks ? "Q8_0" : "float32", "lanes", "awake", "tokens/s", "over one", "us a step");
    for (size_t i = 0; i < count; i++) {
        printf("%6u %6u %14.1f %10.2f %14.1f\n", (unsigned)ways[i].lanes, (unsigned)ways[i].awake, ways[i].best,
               ways[i].best / ways[0].best, 1e6 * ways[i].awake / ways[i].best);
        krait_state_destroy(ways[i].state, NULL);
        free(ways[i].logits);
    }
    krait_model_close(model);
    return 0;
}
