/*
 * small.c - one Mamba layer alone, step by step through krait_step(): what a control loop or an audio effect pays.
 *
 *     small [--quick]
 *
 * Warm: one step behind another, so that weights and states stay in the nearest cache that holds them; processor time of
 * blocks of steps, the least and the median.  Cold: each step alone after a walk through more memory than any
 * cache has, by the clock, the median.  "Call" is a step of a model that only copies 64 numbers: what a call costs by itself.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "krait.h"
#include "support/random.h"
#include "support/tiny.h"

enum { TRIES = 41, COLD_TRIES = 25, TENSORS = 12, MOST_WIDTH = 768, EVICT = 96 << 20 };

static double clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *list, size_t count)
{
    qsort(list, count, sizeof *list, by_size);
    return list[count / 2];
}

/* ---- models --------------------------------------------------------------------------------------------- */

typedef struct part { const char *name; uint64_t rows, columns; float middle, spread; } part;

static krait_model *make_model(const char *description, const part *parts, size_t count)
{
    krait_tensor  tensors[TENSORS] = { 0 };
    krait_model  *model = NULL;
    krait_message why;
    kr_random     random = kr_random_from(11);

    for (size_t i = 0; i < count; i++) {
        size_t numbers = (size_t)(parts[i].rows * parts[i].columns);
        float *data = malloc(numbers * sizeof *data);

        for (size_t k = 0; data && k < numbers; k++)
            data[k] = tiny_little(parts[i].middle + parts[i].spread * kr_random_unit(&random));
        tensors[i] = (krait_tensor){ .name = parts[i].name, .shape = { parts[i].rows, parts[i].columns },
                                     .dimensions = parts[i].columns > 1 ? 2 : 1, .type = KRAIT_F32 };
        tensors[i].data = data;
        tensors[i].bytes = data ? numbers * sizeof *data : 0;
    }
    if (krait_model_create(&model, description, tensors, count, NULL, &why) != KRAIT_OK)
        fprintf(stderr, "small: %s\n", why.text);
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)tensors[i].data);
    return model;
}

/* As published: twice as many channels inside, 16 states, 4 taps, a sixteenth of the width for dt. */
static krait_model *make_mamba1(unsigned width)
{
    unsigned   inner = 2 * width, rank = (width + 15) / 16;
    const part parts[] = {
        { "x.in_proj.weight", 2 * inner, width, 0, 0.1f }, { "x.conv1d.weight", inner, 4, 0, 0.5f },
        { "x.conv1d.bias", inner, 1, 0, 0.1f },            { "x.x_proj.weight", rank + 32, inner, 0, 0.1f },
        { "x.dt_proj.weight", inner, rank, 0, 0.1f },      { "x.dt_proj.bias", inner, 1, -4, 1 },
        { "x.A_log", inner, 16, 1, 1 },                    { "x.D", inner, 1, 1, 0.1f },
        { "x.out_proj.weight", width, inner, 0, 0.1f },
    };
    char text[256];

    snprintf(text, sizeof text, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":%u},\"tree\":{\"mamba1\":"
             "{\"name\":\"x\",\"inner\":%u,\"states\":16,\"taps\":4,\"rank\":%u}}}", width, inner, rank);
    return make_model(text, parts, sizeof parts / sizeof *parts);
}

/* Heads of 64 channels (of all, if there are fewer), 'width' states. */
static krait_model *make_mamba2(unsigned width)
{
    unsigned   inner = 2 * width, heads = inner / 64, states = width < 128 ? width : 128, mixed = inner + 2 * states;
    const part parts[] = {
        { "x.in_proj.weight", inner + mixed + heads, width, 0, 0.1f }, { "x.conv1d.weight", mixed, 4, 0, 0.5f },
        { "x.conv1d.bias", mixed, 1, 0, 0.1f },                        { "x.dt_bias", heads, 1, -4, 1 },
        { "x.A_log", heads, 1, 1, 1 },                                 { "x.D", heads, 1, 1, 0.1f },
        { "x.norm.weight", inner, 1, 1, 0.1f },                        { "x.out_proj.weight", width, inner, 0, 0.1f },
    };
    char text[256];

    snprintf(text, sizeof text, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":%u},\"tree\":{\"mamba2\":"
             "{\"name\":\"x\",\"heads\":%u,\"head_dim\":64,\"states\":%u,\"taps\":4}}}", width, heads, states);
    return make_model(text, parts, sizeof parts / sizeof *parts);
}

static krait_model *make_nothing(unsigned width)
{
    char text[128];

    snprintf(text, sizeof text, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":%u},\"tree\":{\"identity\":{}}}",
             width);
    return make_model(text, NULL, 0);
}

/* ---- figures --------------------------------------------------------------------------------------------- */

static void evict(void)
{
    static unsigned char *memory;

    if (!memory && !(memory = calloc(EVICT, 1)))
        exit(1);
    for (size_t i = 0; i < EVICT; i += 64)
        memory[i]++;
}

static void measure(krait_model *model, const char *name, unsigned width, int quick)
{
    double       warm[TRIES], cold[COLD_TRIES];
    float        rows[16 * MOST_WIDTH], out[MOST_WIDTH];
    int          steps = quick ? 64 : (int)(2000000 / (width * width)) + 32, tries = quick ? 5 : TRIES;
    int          colds = quick ? 3 : COLD_TRIES;
    kr_random    random = kr_random_from(width);
    krait_state *state = NULL;

    if (!model || krait_state_create(&state, model, NULL, NULL) != KRAIT_OK)
        exit(1);
    for (size_t i = 0; i < 16 * width; i++)
        rows[i] = kr_random_unit(&random);
    for (int t = -1; t < tries; t++) {
        double start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

        for (int i = 0; i < steps; i++)
            krait_step(model, state, rows + (size_t)(i % 16) * width, out);
        if (t >= 0)
            warm[t] = (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / steps;
    }
    for (int t = 0; t < colds; t++) {
        double start;

        evict();
        start = clock_ns(CLOCK_MONOTONIC);
        krait_step(model, state, rows, out);
        cold[t] = clock_ns(CLOCK_MONOTONIC) - start;
    }
    median(warm, (size_t)tries);
    printf("%-8s %5u %10.0f %10.0f %10.0f\n", name, width, warm[0], warm[tries / 2], median(cold, (size_t)colds));
    fflush(stdout);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

int main(int argc, char **argv)
{
    static const unsigned widths[] = { 32, 64, 128, 256, 768 };
    int                   quick = argc > 1 && strcmp(argv[1], "--quick") == 0;

    printf("nanoseconds a step, one thread, float32, kernels chosen for this machine\n");
    printf("%-8s %5s %10s %10s %10s\n", "layer", "width", "warm", "median", "cold");
    measure(make_nothing(64), "call", 64, quick);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        measure(make_mamba1(widths[i]), "mamba1", widths[i], quick);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        measure(make_mamba2(widths[i]), "mamba2", widths[i], quick);
    return 0;
}
