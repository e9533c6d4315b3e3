/*
 * times.c - nanoseconds a row of an s5 and an s4d layer, of 64 channels and 64 states, with and without a time between rows.
 *
 *     times [--quick]
 *
 * In calls of 64 rows of one lane, one thread, best of several: without dt; 0.5 everywhere; four times in turn; times that
 * are all different.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "krait.h"
#include "support/random.h"

enum { WIDTH = 64, STATES = 64, ROWS = 64, TENSORS = 6 };
enum { NO_TIME, ONE_TIME, FOUR_TIMES, MANY_TIMES, KINDS };

typedef struct shape { const char *name; double low, high; uint64_t sizes[3]; } shape;

static const shape s5_shapes[TENSORS] = {
    { "0.Lambda_re", -0.5, -0.1, { STATES, 0, 0 } }, { "0.Lambda_im", -20, 20, { STATES, 0, 0 } },
    { "0.log_step", -6, -2, { STATES, 0, 0 } },      { "0.B", -1, 1, { STATES, WIDTH, 2 } },
    { "0.C", -1, 1, { WIDTH, STATES, 2 } },          { "0.D", -1, 1, { WIDTH, 0, 0 } },
};

static const shape s4d_shapes[TENSORS] = {
    { "0.kernel.A_real", -2, 0, { WIDTH, STATES, 0 } }, { "0.kernel.A_imag", -20, 20, { WIDTH, STATES, 0 } },
    { "0.kernel.inv_dt", -6, -2, { WIDTH, 1, 0 } },     { "0.kernel.C", -1, 1, { WIDTH, STATES, 2 } },
    { "0.kernel.B", -1, 1, { WIDTH, STATES, 2 } },      { "0.D", -1, 1, { 1, WIDTH, 0 } },
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static krait_model *model_of(const char *layer, const shape *shapes)
{
    kr_random     random = kr_random_from(1);
    krait_tensor  tensors[TENSORS];
    krait_model  *model = NULL;
    krait_message why = { "" };
    char          text[200];

    memset(tensors, 0, sizeof tensors);
    for (int i = 0; i < TENSORS; i++) {
        size_t count = 1;
        float *data;

        tensors[i].name = shapes[i].name;
        tensors[i].type = KRAIT_F32;
        for (int d = 0; d < 3 && shapes[i].sizes[d]; d++) {
            tensors[i].shape[tensors[i].dimensions++] = shapes[i].sizes[d];
            count *= (size_t)shapes[i].sizes[d];
        }
        if (!(data = malloc(count * sizeof *data)))
            exit(1);
        for (size_t k = 0; k < count; k++)
            data[k] = (float)(shapes[i].low + (shapes[i].high - shapes[i].low) * (kr_random_unit(&random) + 1) / 2);
        tensors[i].data = data;
        tensors[i].bytes = count * sizeof *data;
    }
    snprintf(text, sizeof text, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":%d},\"tree\":{\"sequence\":"
             "[{\"%s\":{\"states\":%d}}]}}", WIDTH, layer, STATES);
    if (krait_model_create(&model, text, tensors, TENSORS, NULL, &why) != KRAIT_OK)
        fprintf(stderr, "%s\n", why.text);
    for (int i = 0; i < TENSORS; i++)
        free((void *)(uintptr_t)tensors[i].data);
    return model;
}

static double row(const krait_model *model, int kind, int tries)
{
    static float        x[ROWS * WIDTH], y[ROWS * WIDTH], dt[ROWS];
    krait_state_options options = { .size = sizeof options, .chunk = ROWS };
    krait_state        *state = NULL;
    kr_random           random = kr_random_from(2);
    double              best = 1e30;

    for (size_t i = 0; i < ROWS * WIDTH; i++)
        x[i] = kr_random_unit(&random);
    for (size_t t = 0; t < ROWS; t++)
        dt[t] = kind == ONE_TIME ? 0.5f : kind == FOUR_TIMES ? 0.5f + (float)(t % 4) : 1.5f + kr_random_unit(&random);
    if (krait_state_create(&state, model, &options, NULL) != KRAIT_OK)
        return 0;
    for (int i = 0; i < tries; i++) {
        krait_input  input = { .size = sizeof input, .steps = ROWS, .features = x, .dt = kind == NO_TIME ? NULL : dt };
        krait_output output = { .size = sizeof output, .rows = y, .capacity = ROWS * WIDTH };
        double       from = now(), took;

        for (int k = 0; k < 4; k++)
            krait_run(model, state, &input, &output, NULL);
        took = (now() - from) / (4 * ROWS);
        best = took < best ? took : best;
    }
    krait_state_destroy(state, NULL);
    return best;
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "s5", "s4d" };
    int                      tries = argc > 1 && strcmp(argv[1], "--quick") == 0 ? 3 : 200, bad = 0;

    printf("%d channels, %d states, ns a row: without dt, one dt, four in turn, all different\n", WIDTH, STATES);
    for (int i = 0; i < 2; i++) {
        krait_model *model = model_of(names[i], i ? s4d_shapes : s5_shapes);

        printf("%-4s", names[i]);
        for (int kind = 0; model && kind < KINDS; kind++)
            printf(" %8.0f", row(model, kind, tries));
        puts("");
        bad |= !model;
        krait_model_close(model);
    }
    return bad;
}
