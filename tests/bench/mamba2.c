/*
 * mamba2.c - Mamba-2 of the 130m shape with random weights: decoding, and prefilling row by row and in SCAN; and the
 * recurrence of one of its layers alone, both ways.
 *
 *     mamba2 [--quick]
 *
 * One thread. Medians; with --quick once, a model of two layers. Both ways are compared by the CPU time of the thread, since
 * others may be at work on the machine; decoding, which memory bounds, by the clock and beside the bandwidth.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/probe.h"
#include "cli/progress.h"
#include "krait.h"
#include "scan/ssd.h"
#include "support/random.h"

enum { WIDTH = 768, LAYERS = 24, HEADS = 24, HEAD_DIM = 64, INNER = HEADS * HEAD_DIM, STATES = 128, VOCABULARY = 50288,
       MIXED = INNER + 2 * STATES, ROUNDS = 5, STEPS = 512 };

static int quick;

/* ---- the model ---------------------------------------------------------------------------------------- */

static const char config[] =
    "{\"model_type\": \"mamba2\", \"hidden_size\": 768, \"num_hidden_layers\": %d, \"state_size\": 128, \"expand\": 2,"
    " \"num_heads\": 24, \"head_dim\": 64, \"n_groups\": 1, \"conv_kernel\": 4, \"layer_norm_epsilon\": 1e-05,"
    " \"vocab_size\": 50288, \"tie_word_embeddings\": true}";

typedef struct weights {
    krait_tensor list[2 + 9 * LAYERS];
    char         names[2 + 9 * LAYERS][64];
    size_t       count;
} weights;

static float *random_floats(size_t count, float scale, float offset)
{
    kr_random random = kr_random_from(count);
    float    *x = malloc(count * sizeof *x);

    for (size_t i = 0; i < count; i++)
        x[i] = kr_random_unit(&random) * scale + offset;
    return x;
}

/* Blocks of 34 bytes with one scale, 2^-13. */
static void *random_blocks(size_t count)
{
    kr_random      random = kr_random_from(count);
    unsigned char *bytes = malloc(count / 32 * 34);

    for (size_t i = 0; i < count / 32 * 34; i++)
        bytes[i] = (unsigned char)kr_random_u32(&random);
    for (size_t i = 0; i < count / 32; i++) {
        bytes[34 * i] = 0;
        bytes[34 * i + 1] = 0x08;
    }
    return bytes;
}

static void add(weights *w, int layer, const char *name, int32_t type, uint64_t rows, uint64_t columns, float scale,
                float offset)
{
    krait_tensor *t = &w->list[w->count];
    char         *text = w->names[w->count++];
    size_t        count = (size_t)(rows * columns);

    if (layer >= 0)
        snprintf(text, 64, "backbone.layers.%d.%s", layer, name);
    else
        snprintf(text, 64, "backbone.%s", name);
    *t = (krait_tensor){ .name = text, .shape = { rows, columns }, .dimensions = columns > 1 ? 2 : 1, .type = type };
    t->data = type == KRAIT_Q8_0 ? random_blocks(count) : random_floats(count, scale, offset);
    t->bytes = type == KRAIT_Q8_0 ? count / 32 * 34 : count * 4;
}

static krait_model *random_model(int32_t type, int layers)
{
    weights      *w = calloc(1, sizeof *w);
    char          text[sizeof config + 16];
    krait_message why;
    krait_model  *model;

    snprintf(text, sizeof text, config, layers);
    add(w, -1, "embeddings.weight", type, VOCABULARY, WIDTH, 0.05f, 0);
    add(w, -1, "norm_f.weight", KRAIT_F32, WIDTH, 1, 0.1f, 1);
    for (int i = 0; i < layers; i++) {
        add(w, i, "norm.weight", KRAIT_F32, WIDTH, 1, 0.1f, 1);
        add(w, i, "mixer.in_proj.weight", type, INNER + MIXED + HEADS, WIDTH, 0.05f, 0);
        add(w, i, "mixer.conv1d.weight", KRAIT_F32, MIXED, 4, 0.5f, 0);
        add(w, i, "mixer.conv1d.bias", KRAIT_F32, MIXED, 1, 0.1f, 0);
        add(w, i, "mixer.dt_bias", KRAIT_F32, HEADS, 1, 1, -4);
        add(w, i, "mixer.A_log", KRAIT_F32, HEADS, 1, 1, 1);
        add(w, i, "mixer.D", KRAIT_F32, HEADS, 1, 0.1f, 1);
        add(w, i, "mixer.norm.weight", KRAIT_F32, INNER, 1, 0.1f, 1);
        add(w, i, "mixer.out_proj.weight", type, WIDTH, INNER, 0.05f, 0);
    }
    if (krait_model_create(&model, text, w->list, w->count, NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "mamba2: %s\n", why.text);
        exit(1);
    }
    for (size_t i = 0; i < w->count; i++)
        free((void *)(uintptr_t)w->list[i].data);
    free(w);
    return model;
}

/* ---- figures ------------------------------------------------------------------------------------------- */

static int64_t get(const krait_model *model, int32_t key)
{
    int64_t value = 0;

    krait_model_get(model, key, &value);
    return value;
}

static double cpu_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void decode(const krait_model *model, const char *name)
{
    double       rates[ROUNDS], limits[ROUNDS];
    double       bytes = (double)(get(model, KRAIT_WEIGHT_BYTES) + 2 * get(model, KRAIT_STATE_BYTES_PER_LANE));
    int          rounds = quick ? 1 : ROUNDS, tokens = quick ? 4 : (int)(3e9 / bytes) + 4;
    float       *logits = malloc(VOCABULARY * sizeof *logits);
    krait_state *state;
    probe        machine = { 0 };

    krait_state_create(&state, model, NULL, NULL);
    for (int r = -1; r < rounds; r++) {
        double before = probe_bandwidth(&machine), start = progress_clock();

        for (int32_t i = 0; i < tokens; i++) {
            int32_t token = i * 7919 % VOCABULARY;

            krait_step_tokens(model, state, &token, logits);
        }
        start = tokens / (progress_clock() - start);
        if (r >= 0)
            rates[r] = start, limits[r] = start * bytes / ((before + probe_bandwidth(&machine)) / 2);
    }
    printf("%-32s decode     %8.1f tokens/s  %6.1f GB/s, states included  %3.0f %% of bandwidth\n", name,
           probe_median(rates, (size_t)rounds), probe_median(rates, (size_t)rounds) * bytes * 1e-9,
           100 * probe_median(limits, (size_t)rounds));
    krait_state_destroy(state, NULL);
    free(logits);
}

static double prefill_once(const krait_model *model, krait_state *state, int32_t mode, size_t steps, float *logits)
{
    static int32_t tokens[STEPS];
    krait_input    input = { .size = sizeof input, .steps = steps, .tokens = tokens, .mode = mode };
    krait_output   output = { .size = sizeof output, .rows = logits, .which = KRAIT_ROWS_LAST, .capacity = VOCABULARY };
    double         start;

    for (int32_t i = 0; i < STEPS; i++)
        tokens[i] = i * 7919 % VOCABULARY;
    start = cpu_clock();
    krait_run(model, state, &input, &output, NULL);
    return (double)steps / (cpu_clock() - start);
}

/* Both modes in turn, so that what the machine does in between meets both. */
static void prefill(const krait_model *model, const char *name, uint32_t chunk)
{
    krait_state_options options = { .size = sizeof options, .chunk = chunk };
    double       rows[ROUNDS], scans[ROUNDS], gains[ROUNDS];
    int          rounds = quick ? 1 : ROUNDS;
    float       *logits = malloc(VOCABULARY * sizeof *logits);
    krait_state *state;

    krait_state_create(&state, model, &options, NULL);
    prefill_once(model, state, KRAIT_SCAN, chunk, logits);
    for (int r = 0; r < rounds; r++) {
        rows[r] = prefill_once(model, state, KRAIT_RECURRENT, quick ? chunk : STEPS, logits);
        scans[r] = prefill_once(model, state, KRAIT_SCAN, quick ? chunk : STEPS, logits);
        gains[r] = scans[r] / rows[r];
    }
    printf("%-32s prefill    %8.1f tokens/s row by row, %8.1f in SCAN: %4.2f times (chunk %u)\n", name,
           probe_median(rows, (size_t)rounds), probe_median(scans, (size_t)rounds), probe_median(gains, (size_t)rounds),
           (unsigned)chunk);
    krait_state_destroy(state, NULL);
    free(logits);
}

/* One layer's recurrence, without what is around it. */
static void recurrence(size_t rows)
{
    const kr_kernels *k = kr_kernels_best();
    float   *x = random_floats(rows * MIXED, 1, 0), *dt = random_floats(rows * HEADS, 0.04f, 0.05f);
    float   *decay = random_floats(rows * HEADS, 0.1f, 0.85f), *d = random_floats(INNER, 1, 0);
    float   *h = aligned_alloc(64, INNER * STATES * sizeof *h), *y = malloc(rows * INNER * sizeof *y);
    kr_heads p = { x, dt, decay, x + INNER, x + INNER + STATES, d, h, y, MIXED, HEADS, MIXED, INNER, rows, HEADS, HEAD_DIM,
                   STATES };
    kr_carve carve = { 0 };
    kr_ssd_room room;
    double   times[2][ROUNDS];
    int      rounds = quick ? 1 : ROUNDS, calls = quick ? 1 : (int)(4096 / rows);

    memset(h, 0, INNER * STATES * sizeof *h);
    kr_ssd_take(STATES, &carve);
    carve.base = aligned_alloc(64, carve.used);
    carve.used = 0;
    room = kr_ssd_take(STATES, &carve);
    for (int r = -1; r < rounds; r++)
        for (int form = 0; form < 2; form++) {
            double start = cpu_clock();

            for (int i = 0; i < calls; i++)
                if (form)
                    kr_ssd_run(k, &p, &room);
                else
                    k->heads(&p);
            if (r >= 0)
                times[form][r] = (cpu_clock() - start) / calls / (double)rows;
        }
    printf("%-32s %4zu rows  %8.2f us a row, row by row, %8.2f as products: %4.2f times\n", "a layer's recurrence", rows,
           1e6 * probe_median(times[0], (size_t)rounds), 1e6 * probe_median(times[1], (size_t)rounds),
           probe_median(times[0], (size_t)rounds) / probe_median(times[1], (size_t)rounds));
    free(x), free(dt), free(decay), free(d), free(h), free(y), free(carve.base);
}

int main(int count, char **words)
{
    static const struct { int32_t type; const char *name; } types[] = {
        { KRAIT_F32, "mamba2-130m shape, float32" }, { KRAIT_Q8_0, "mamba2-130m shape, Q8_0" },
    };

    quick = count > 1 && strcmp(words[1], "--quick") == 0;
    printf("%s\n", krait_build());
    for (size_t rows = 64; rows <= STEPS; rows *= 2)
        recurrence(rows);
    for (size_t i = 0; i < 2; i++) {
        krait_model *model = random_model(types[i].type, quick ? 2 : LAYERS);

        decode(model, types[i].name);
        prefill(model, types[i].name, 64);
        if (!quick)
            prefill(model, types[i].name, 256);
        printf("%-32s weights %.1f MB, state %.1f MB a lane\n", types[i].name, (double)get(model, KRAIT_WEIGHT_BYTES) * 1e-6,
               (double)get(model, KRAIT_STATE_BYTES_PER_LANE) * 1e-6);
        krait_model_close(model);
    }
    return 0;
}
