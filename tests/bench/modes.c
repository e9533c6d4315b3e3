/*
 * modes.c - rows per second of one layer in RECURRENT, SCAN and CONVOLUTION, and from how many rows on one wins.
 *
 *     modes [--quick]
 *
 * One lane, one thread, a fresh state, best of several; each figure is a call of so many rows, in passes of at most 131072.
 * S4D: 64 channels of 64 states, whose steps are 0.1, 0.01 (all channels alike) or 0.001 to 0.1 as in training: a state is
 * forgotten (2^-32) after 450, 4500 and up to 44000 rows.  S5: width 64, 64 states, steps of 0.01.
 */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/build.h"
#include "krait.h"
#include "support/random.h"

enum { WIDTH = 64, STATES = 64, MODES = 3, PASS = 131072, LARGEST = 1 << 20, MOST_TENSORS = 7 };

typedef struct subject {
    const char *name, *text;
    double      shortest, longest;      /* step; logarithms are even between */
    int         s5;
} subject;

static const subject subjects[] = {
    { "S4D 64x64, step 0.1",  "{\"s4d\":{\"states\":64,\"form\":\"minimal\"}}", 0.1, 0.1, 0 },
    { "S4D 64x64, step 0.01", "{\"s4d\":{\"states\":64,\"form\":\"minimal\"}}", 0.01, 0.01, 0 },
    { "S4D 64x64, steps 0.001 to 0.1", "{\"s4d\":{\"states\":64,\"form\":\"minimal\"}}", 0.001, 0.1, 0 },
    { "S5 width 64, step 0.01", "{\"s5\":{\"states\":64}}", 0.01, 0.01, 1 },
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float *filled(size_t count, float low, float high)
{
    kr_random random = kr_random_from(count);
    float    *x = malloc(count * sizeof *x);

    for (size_t i = 0; x && i < count; i++)
        x[i] = low + (high - low) * (0.5f + 0.5f * kr_random_unit(&random));
    if (!x)
        exit(1);
    return x;
}

static krait_tensor tensor(const char *name, float *data, uint64_t a, uint64_t b, uint64_t c)
{
    krait_tensor t = { .name = name, .data = data, .shape = { a, b, c }, .type = KRAIT_F32 };

    t.dimensions = c ? 3 : b ? 2 : 1;
    t.bytes = a * (b ? b : 1) * (c ? c : 1) * sizeof *data;
    return t;
}

/* A = -1/2 + i pi n, a step for each channel or state, the rest random. */
static krait_model *made(const subject *s)
{
    enum { ALL = WIDTH * STATES };
    float        *c = filled(2 * ALL, -1, 1), *d = filled(WIDTH, -1, 1), *b = filled(2 * ALL, -1, 1);
    float        *real = filled(ALL, 0, 0), *imag = filled(ALL, 0, 0), *step = filled(WIDTH, 0, 0);
    krait_tensor  list[MOST_TENSORS];
    size_t        count = 0;
    krait_model  *model = NULL;
    krait_message why;
    char          text[512];

    for (size_t i = 0; i < ALL; i++) {
        real[i] = s->s5 ? -0.5f : (float)log(0.5);
        imag[i] = (float)(3.14159265358979 * (double)(i % STATES));
    }
    for (size_t h = 0; h < WIDTH; h++)
        step[h] = (float)(log(s->shortest) + (log(s->longest) - log(s->shortest)) * (double)(h * 37 % WIDTH) / (WIDTH - 1));
    list[count++] = tensor("D", d, WIDTH, 0, 0);
    if (s->s5) {
        list[count++] = tensor("Lambda_re", real, STATES, 0, 0);
        list[count++] = tensor("Lambda_im", imag, STATES, 0, 0);
        list[count++] = tensor("log_step", step, STATES, 0, 0);
        list[count++] = tensor("B", b, STATES, WIDTH, 2);
        list[count++] = tensor("C", c, WIDTH, STATES, 2);
    } else {
        list[count++] = tensor("kernel.log_dt", step, WIDTH, 0, 0);
        list[count++] = tensor("kernel.log_A_real", real, WIDTH, STATES, 0);
        list[count++] = tensor("kernel.A_imag", imag, WIDTH, STATES, 0);
        list[count++] = tensor("kernel.C", c, WIDTH, STATES, 2);
    }
    snprintf(text, sizeof text, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":%d},\"tree\":%s}", WIDTH,
             s->text);
    if (krait_model_create(&model, text, list, count, NULL, &why) != KRAIT_OK)
        fprintf(stderr, "%s\n", why.text), exit(1);
    free(c), free(d), free(b), free(real), free(imag), free(step);
    return model;
}

static krait_state *state_for(const krait_model *model, size_t rows)
{
    krait_state_options options = { .size = sizeof options, .chunk = (uint32_t)kr_min(rows, PASS) };
    krait_state        *state;

    if (krait_state_create(&state, model, &options, NULL) != KRAIT_OK)
        exit(1);
    return state;
}

static double once(const krait_model *model, krait_state *state, int32_t mode, size_t rows, const float *x, float *y)
{
    krait_input   input = { .size = sizeof input, .steps = rows, .features = x, .mode = mode };
    krait_output  output = { .size = sizeof output, .rows = y, .capacity = rows * WIDTH };
    krait_message why;
    double        begin;

    krait_state_reset(model, state, KRAIT_ALL_LANES);
    begin = seconds();
    if (krait_run(model, state, &input, &output, &why) != KRAIT_OK)
        fprintf(stderr, "%s\n", why.text), exit(1);
    return seconds() - begin;
}

/* In turn, so that a machine that drifts does it to all of them. */
static void measure(const subject *s, size_t largest, const float *x, float *y)
{
    static const int32_t modes[MODES] = { KRAIT_RECURRENT, KRAIT_SCAN, KRAIT_CONVOLUTION };
    krait_model         *model = made(s);
    size_t               crossing = 0;

    printf("%s, %s\n%10s %12s %12s %12s %24s\n", s->name, krait_model_text(model, "krait.kernels"), "rows", "recurrent",
           "scan", "convolution", "convolution / recurrent");
    for (size_t rows = 1024; rows <= largest; rows *= 4) {
        double       best[MODES] = { 1e9, 1e9, 1e9 };
        krait_state *state = state_for(model, rows);

        for (int i = 0; i < (rows <= 16384 ? 9 : 3); i++)
            for (int m = 0; m < MODES; m++)
                best[m] = fmin(best[m], once(model, state, modes[m], rows, x, y));
        crossing = best[2] >= best[0] ? 0 : crossing ? crossing : rows;
        printf("%10zu %12.0f %12.0f %12.0f %24.2f\n", rows, (double)rows / best[0], (double)rows / best[1],
               (double)rows / best[2], best[0] / best[2]);
        fflush(stdout);
        krait_state_destroy(state, NULL);
    }
    if (crossing)
        printf("CONVOLUTION wins from %zu rows on\n\n", crossing);
    else
        printf("CONVOLUTION does not win\n\n");
    krait_model_close(model);
}

int main(int argc, char **argv)
{
    size_t largest = argc > 1 && strcmp(argv[1], "--quick") == 0 ? 4096 : LARGEST;
    float *x = filled(largest * WIDTH, -1, 1), *y = filled(largest * WIDTH, 0, 0);

    printf("rows per second\n");
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        measure(&subjects[i], largest, x, y);
    free(x), free(y);
    return 0;
}
