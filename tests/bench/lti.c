/*
 * lti.c - nanoseconds a row of the time-invariant layers and of the trained classifiers, one thread.
 *
 *     lti [--quick]
 *
 * A step is one krait_step() from a row to the next; a block is a krait_run() of 64 rows.  The plain loop does what S4D does, as
 * anyone would write it down, compiled with the same flags as krait; tries of all are interleaved and medians printed, so
 * that ratios hold on a machine that others use too.  Then what happens when a loud signal ends: the same
 * rows as ordinary ones against as many zeros.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "krait.h"
#include "support/random.h"
#include "support/tiny.h"

enum { WIDTH = 64, STATES = 64, ROWS = 64, MOST_TRIES = 31, TENSORS = 8 };

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);        /* others may want the core too */
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* ---- the plain loop ------------------------------------------------------------------------------------- */

typedef struct plain { struct { float a[2], b[2], c[2], h[2]; } state[WIDTH][STATES]; float d[WIDTH]; } plain;

static void fill_plain(plain *p)
{
    kr_random random = kr_random_from(5);

    memset(p, 0, sizeof *p);
    for (int h = 0; h < WIDTH; h++) {
        for (int n = 0; n < STATES; n++)
            for (int k = 0; k < 2; k++) {
                p->state[h][n].a[k] = 0.6f + 0.05f * kr_random_unit(&random);
                p->state[h][n].b[k] = kr_random_unit(&random);
                p->state[h][n].c[k] = kr_random_unit(&random);
            }
        p->d[h] = kr_random_unit(&random);
    }
}

static void step_plain(plain *p, const float *u, float *y)
{
    for (int h = 0; h < WIDTH; h++) {
        float sum = 0;

        for (int n = 0; n < STATES; n++) {
            float *a = p->state[h][n].a, *b = p->state[h][n].b, *c = p->state[h][n].c, *x = p->state[h][n].h;
            float  re = a[0] * x[0] - a[1] * x[1] + b[0] * u[h], im = a[0] * x[1] + a[1] * x[0] + b[1] * u[h];

            x[0] = re, x[1] = im;
            sum += c[0] * re - c[1] * im;
        }
        y[h] = 2 * sum + p->d[h] * u[h];
    }
}

/* ---- models --------------------------------------------------------------------------------------------- */

typedef struct part { const char *name; int dimensions; uint64_t shape[4]; float middle, spread; } part;

/* A layer with random weights: each between middle - spread and middle + spread. */
static krait_model *make_model(const char *description, const part *parts, size_t count)
{
    krait_tensor  tensors[TENSORS];
    krait_model  *model = NULL;
    krait_message why;
    kr_random     random = kr_random_from(7);

    for (size_t i = 0; i < count; i++) {
        krait_tensor *t = &tensors[i];
        size_t        numbers = 1;
        float        *data;

        *t = (krait_tensor){ .name = parts[i].name, .dimensions = parts[i].dimensions, .type = KRAIT_F32 };
        for (int d = 0; d < t->dimensions; d++)
            numbers *= (size_t)(t->shape[d] = parts[i].shape[d]);
        data = malloc(numbers * sizeof *data);
        for (size_t k = 0; data && k < numbers; k++)
            data[k] = tiny_little(parts[i].middle + parts[i].spread * kr_random_unit(&random));
        t->data = data;
        t->bytes = data ? numbers * sizeof *data : 0;
    }
    if (krait_model_create(&model, description, tensors, count, NULL, &why) != KRAIT_OK)
        fprintf(stderr, "lti: %s\n", why.text);
    for (size_t i = 0; i < count; i++)
        free((void *)tensors[i].data);
    return model;
}

/* With dt from 0.001 on, as models are begun with, some a are so close to 1 that all are held as two floats. */
static krait_model *make_s4d(int slow)
{
    const part parts[] = {
        { "x.kernel.inv_dt", 2, { WIDTH, 1 }, slow ? -4.6f : -3.4f, slow ? 2.3f : 1.1f },
        { "x.kernel.A_real", 2, { WIDTH, STATES }, -0.7f, 0.1f },
        { "x.kernel.A_imag", 2, { WIDTH, STATES }, 100, 100 },
        { "x.kernel.C", 4, { 1, WIDTH, STATES, 2 }, 0, 1 },
        { "x.D", 2, { 1, WIDTH }, 0, 1 },
    };

    return make_model("{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":64},"
                      "\"tree\":{\"s4d\":{\"name\":\"x\",\"states\":64}}}", parts, sizeof parts / sizeof *parts);
}

static krait_model *make_s5(void)
{
    static const part parts[] = {
        { "x.Lambda_re", 1, { STATES }, -0.5f, 0.1f },   { "x.Lambda_im", 1, { STATES }, 100, 100 },
        { "x.log_step", 2, { STATES, 1 }, -4.5f, 2 },    { "x.B", 3, { STATES, WIDTH, 2 }, 0, 0.1f },
        { "x.C", 3, { WIDTH, STATES, 2 }, 0, 0.1f },     { "x.D", 1, { WIDTH }, 0, 1 },
    };

    return make_model("{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":64},"
                      "\"tree\":{\"s5\":{\"name\":\"x\",\"states\":64}}}", parts, sizeof parts / sizeof *parts);
}

static krait_model *open_model(const char *path)
{
    krait_model  *model = NULL;
    krait_message why;

    if (krait_model_open(&model, path, NULL, &why) != KRAIT_OK)
        fprintf(stderr, "lti: %s\n", why.text);
    return model;
}

/* ---- what is timed -------------------------------------------------------------------------------------- */

typedef struct subject {
    const char  *title;
    krait_model *model;
    krait_state *state;
    double       step[MOST_TRIES], block[MOST_TRIES];
} subject;

static int start_subject(subject *s, const char *title, krait_model *model)
{
    krait_state_options options = { .size = sizeof options, .chunk = ROWS };
    int64_t             in = 0, out = 0;

    *s = (subject){ .title = title, .model = model };
    krait_model_get(model, KRAIT_IN_WIDTH, &in);
    krait_model_get(model, KRAIT_OUT_WIDTH, &out);
    return model && in <= WIDTH && out <= WIDTH && krait_state_create(&s->state, model, &options, NULL) == KRAIT_OK;
}

/* Nanoseconds a row. */
static double time_steps(subject *s, const float *x, float *y, int times)
{
    double from = now();

    for (int i = 0; i < times * ROWS; i++)
        krait_step(s->model, s->state, x + i % ROWS, y);
    return (now() - from) / ((double)times * ROWS);
}

static double time_blocks(subject *s, const float *x, float *y, int64_t times)
{
    krait_input  input = { .size = sizeof input, .steps = ROWS, .features = x };
    krait_output output = { .size = sizeof output, .rows = y, .capacity = ROWS * WIDTH };
    double       from = now();

    for (int64_t i = 0; i < times; i++)
        krait_run(s->model, s->state, &input, &output, NULL);
    return (now() - from) / ((double)times * ROWS);
}

static double time_plain(plain *p, const float *x, float *y, int times)
{
    double from = now();

    for (int i = 0; i < times * ROWS; i++)
        step_plain(p, x + i % ROWS, y);
    return (now() - from) / ((double)times * ROWS);
}

static double median(double *x, int count)
{
    qsort(x, (size_t)count, sizeof *x, by_size);
    return x[count / 2];
}

/* Ordinary rows, a loud block, then as many zeros: their mean, and the slowest piece of them over an ordinary one. */
static void measure_silence(subject *s, const float *x, float *y, int64_t rows)
{
    static float loud[ROWS * WIDTH], zeros[ROWS * WIDTH];
    int64_t      pieces = 100, blocks = rows / ROWS / pieces;
    double       signal = 0, silence = 0, worst = 0;

    for (size_t i = 0; i < ROWS * WIDTH; i++)
        loud[i] = 1e6f * x[i];
    for (int64_t i = 0; i < pieces; i++)
        signal += time_blocks(s, x, y, blocks) / (double)pieces;
    time_blocks(s, loud, y, 100);
    for (int64_t i = 0; i < pieces; i++) {
        double took = time_blocks(s, zeros, y, blocks);

        silence += took / (double)pieces;
        worst = took > worst ? took : worst;
    }
    printf("%-28s %8.0f %8.0f %9.2f %9.2f\n", s->title, signal, silence, silence / signal, worst / signal);
}

int main(int argc, char **argv)
{
    static float x[(ROWS + 1) * WIDTH], y[ROWS * WIDTH];
    static plain loop;
    enum { SUBJECTS = 5 };
    static subject subjects[SUBJECTS];
    double       plain_step[MOST_TRIES], base;
    int          quick = argc > 1 && strcmp(argv[1], "--quick") == 0, tries = quick ? 5 : MOST_TRIES, good;
    kr_random    random = kr_random_from(1);

    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = kr_random_unit(&random);
    fill_plain(&loop);
    good = start_subject(&subjects[0], "S4D, 64 channels of 64", make_s4d(0)) &&
           start_subject(&subjects[1], "... with dt from 0.001 on", make_s4d(1)) &&
           start_subject(&subjects[2], "S5, width 64, 64 states", make_s5()) &&
           start_subject(&subjects[3], "s4d-digits, 4 layers", open_model("examples/models/s4d-digits.safetensors")) &&
           start_subject(&subjects[4], "s5-har, 4 layers", open_model("examples/models/s5-har.safetensors"));
    for (int t = 0; good && t < tries; t++) {
        plain_step[t] = time_plain(&loop, x, y, 4);
        for (int i = 0; i < SUBJECTS; i++) {
            subjects[i].step[t] = time_steps(&subjects[i], x, y, 20);
            subjects[i].block[t] = time_blocks(&subjects[i], x, y, 40);
        }
    }
    if (good) {
        base = median(plain_step, tries);
        printf("kernels %s; ns a row, medians of %d\n%-28s %8s %14s\n", krait_model_text(subjects[0].model, "krait.kernels"),
               tries, "", "a step", "block of 64");
        printf("%-28s %8.0f\n", "S4D as a plain loop", base);
        for (int i = 0; i < SUBJECTS; i++)
            printf("%-28s %8.0f %14.0f\n", subjects[i].title, median(subjects[i].step, tries),
                   median(subjects[i].block, tries));
        printf("the plain loop over S4D: %.1f a step, %.1f in blocks\n", base / median(subjects[0].step, tries),
               base / median(subjects[0].block, tries));
        printf("\n%.1f million rows in blocks, ns a row %9s %8s %9s %9s\n", quick ? 0.2 : 10.0, "signal", "silence", "ratio",
               "worst");
        for (int i = 0; i < SUBJECTS; i++)
            measure_silence(&subjects[i], x, y, quick ? 200000 : 10000000);
    }
    for (int i = 0; i < SUBJECTS; i++) {
        krait_state_destroy(subjects[i].state, NULL);
        krait_model_close(subjects[i].model);
    }
    return !good;
}
