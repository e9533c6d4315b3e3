/*
 * accuracy.c - how many recordings and windows of whole test sets the trained classifiers name rightly, in every mode.
 *
 *     accuracy [--quick] [--mode NAME] [MODEL ...]
 *
 * MODEL is s4-digits, s4d-digits (300 recordings of spoken digits) or s5-har (950 windows of motion); all of them unless
 * given.  NAME is rows (RECURRENT, a row a call), recurrent, scan or convolution (a sequence a call).  Models and data are those of ../shared
 * (or $KRAIT_SHARED); without them there is nothing to do.  The class is the greatest output behind the last row.  Fails where
 * a count is more than one off what was measured after training.  --quick: the first 40 of a set, which must be
 * the same in every mode.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "krait.h"
#include "support/npz.h"

enum { MOST_CLASSES = 64, MOST_STEPS = 8000, QUICK = 40 };

/* The sequences of a test set, one behind another. */
typedef struct set {
    size_t   count, width;
    float   *rows;
    size_t  *first;                 /* [count + 1] rows before each */
    int64_t *label;
} set;

static int set_take(set *s, size_t count, size_t rows, size_t width)
{
    *s = (set){ .count = count, .width = width };
    s->rows = malloc(rows * width * sizeof *s->rows + 1);
    s->first = calloc(count + 1, sizeof *s->first);
    s->label = calloc(count + 1, sizeof *s->label);
    return s->rows && s->first && s->label;
}

static void set_free(set *s)
{
    free(s->rows), free(s->first), free(s->label);
}

/* The test split of digits.npz: int16 to -1..1, a second at most is there. */
static int read_digits(set *s, const npz *file)
{
    npz_array audio = npz_get(file, "audio"), length = npz_get(file, "length"), digit = npz_get(file, "digit"),
              test = npz_get(file, "test");
    size_t    most = audio.shape[1], count = 0, at = 0;

    if (!audio.data || !length.data || !digit.data || !test.data || most > MOST_STEPS)
        return 0;
    for (size_t i = 0; i < test.count; i++)
        count += npz_number(&test, i) != 0;
    if (!set_take(s, count, count * most, 1))
        return 0;
    for (size_t i = 0, n = 0; i < test.count; i++) {
        size_t steps = (size_t)npz_number(&length, i);

        if (npz_number(&test, i) == 0)
            continue;
        for (size_t t = 0; t < steps && t < most; t++)
            s->rows[at++] = (float)(npz_number(&audio, i * most + t) / 32768);
        s->label[n++] = (int64_t)npz_number(&digit, i);
        s->first[n] = at;
    }
    return 1;
}

static int read_windows(set *s, const npz *file)
{
    npz_array x = npz_get(file, "test_x"), y = npz_get(file, "test_y");

    if (!x.data || !y.data || x.dimensions != 3 || x.shape[1] > MOST_STEPS ||
        !set_take(s, y.count, x.shape[0] * x.shape[1], x.shape[2]))
        return 0;
    for (size_t i = 0; i < x.count; i++)
        s->rows[i] = (float)npz_number(&x, i);
    for (size_t i = 0; i < y.count; i++) {
        s->label[i] = (int64_t)npz_number(&y, i);
        s->first[i + 1] = (i + 1) * x.shape[1];
    }
    return 1;
}

/* right: of the whole test set, as measured after training in float32: ../shared/models/README.md. */
static const struct subject {
    const char *model, *data;
    int       (*read)(set *, const npz *);
    size_t      right;
} subjects[] = {
    { "s4-digits", "digits.npz", read_digits, 295 },
    { "s4d-digits", "digits.npz", read_digits, 292 },
    { "s5-har", "har.npz", read_windows, 886 },
};

static const struct way { const char *name, *title; int32_t mode; int whole; } ways[] = {
    { "rows", "RECURRENT, a row a call", KRAIT_RECURRENT, 0 },
    { "recurrent", "RECURRENT, a sequence a call", KRAIT_RECURRENT, 1 },
    { "scan", "SCAN, a sequence a call", KRAIT_SCAN, 1 },
    { "convolution", "CONVOLUTION, a sequence a call", KRAIT_CONVOLUTION, 1 },
};

static void show_bar(size_t done, size_t all)
{
    char bar[41] = "........................................";

    if (!isatty(STDERR_FILENO))
        return;
    memset(bar, '#', done * 40 / all);
    fprintf(stderr, "\r[%s] %zu of %zu%s", bar, done, all, done == all ? "\r\033[K" : "");
}

static int64_t greatest(const float *row, size_t count)
{
    size_t best = 0;

    for (size_t i = 1; i < count; i++)
        best = row[i] > row[best] ? i : best;
    return (int64_t)best;
}

/* The outputs behind the last row of a sequence, from a fresh state. */
static krait_status run_sequence(const krait_model *model, krait_state *state, const set *s, size_t i,
                                 const struct way *way, float *row, krait_message *why)
{
    size_t       steps = s->first[i + 1] - s->first[i], n = way->whole ? steps : 1;
    krait_status status = krait_state_reset(model, state, KRAIT_ALL_LANES);

    for (size_t t = 0; t < steps && status == KRAIT_OK; t += n) {
        krait_input  input = { .size = sizeof input, .steps = n, .mode = way->mode,
                               .features = s->rows + (s->first[i] + t) * s->width };
        krait_output output = { .size = sizeof output, .which = KRAIT_ROWS_LAST, .rows = row, .capacity = MOST_CLASSES };

        status = krait_run(model, state, &input, &output, why);
    }
    return status;
}

/* How many are named rightly, which is printed; -1: it fails; -2: such a model has no such mode. */
static long measure(const krait_model *model, const set *s, size_t count, const struct way *way)
{
    krait_state_options options = { .size = sizeof options, .chunk = way->whole ? MOST_STEPS : 1 };
    krait_state        *state = NULL;
    krait_message       why = { "" };
    krait_status        status = krait_state_create(&state, model, &options, NULL);
    int64_t             classes = 0;
    long                right = 0;
    float               row[MOST_CLASSES];
    clock_t             begin = clock();
    double              used;

    krait_model_get(model, KRAIT_OUT_WIDTH, &classes);
    for (size_t i = 0; i < count && status == KRAIT_OK; i++) {
        status = run_sequence(model, state, s, i, way, row, &why);
        right += greatest(row, (size_t)classes) == s->label[i];
        show_bar(i + 1, count);
    }
    krait_state_destroy(state, NULL);
    used = (double)(clock() - begin) / CLOCKS_PER_SEC;
    if (status == KRAIT_OK)
        printf("  %-32s %ld of %zu right, %.2f %%, %.2f us a row of one core\n", way->title, right, count,
               100.0 * (double)right / (double)count, 1e6 * used / (double)s->first[count]);
    else
        printf("  %-32s %s\n", way->title, why.text[0] ? why.text : krait_status_text(status));
    return status == KRAIT_OK ? right : status == KRAIT_ERR_UNSUPPORTED ? -2 : -1;
}

/* Every way, or the one that is named; 0 if one fails or counts otherwise. */
static int measure_ways(const krait_model *model, const set *s, const struct subject *subject, const char *mode, int quick)
{
    size_t count = quick && s->count > QUICK ? QUICK : s->count;
    long   wanted = quick ? -1 : (long)subject->right;
    int    good = 1;

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        long right = mode && strcmp(mode, ways[i].name) != 0 ? -2 : measure(model, s, count, &ways[i]);

        if (right == -2)
            continue;
        wanted = wanted < 0 ? right : wanted;
        if (right < wanted - 1 || right > wanted + 1) {
            printf("  wanted are %ld, or one more or less\n", wanted);
            good = 0;
        }
    }
    return good;
}

static int measure_subject(const struct subject *subject, const char *shared, const char *mode, int quick)
{
    krait_model  *model = NULL;
    krait_message why = { "" };
    krait_status  status;
    int64_t       in = 0, out = 0;
    char          path[512];
    set           s = { .count = 0 };
    npz           file;
    int           good = 0;

    snprintf(path, sizeof path, "%s/data/%s", shared, subject->data);
    if (!npz_open(&file, path)) {
        printf("%s: no %s\n", subject->model, path);
        return 1;
    }
    snprintf(path, sizeof path, "%s/models/%s", shared, subject->model);
    status = krait_model_open(&model, path, NULL, &why);
    printf("%s%s%s\n", subject->model, why.text[0] ? ": " : "", why.text);
    krait_model_get(model, KRAIT_IN_WIDTH, &in);
    krait_model_get(model, KRAIT_OUT_WIDTH, &out);
    if (model && subject->read(&s, &file) && in == (int64_t)s.width && out <= MOST_CLASSES)
        good = measure_ways(model, &s, subject, mode, quick);
    else if (model)
        puts("  the data are not for this model");
    set_free(&s);
    npz_close(&file);
    krait_model_close(model);
    return good || status == KRAIT_ERR_UNSUPPORTED;
}

int main(int count, char **words)
{
    const char *shared = getenv("KRAIT_SHARED"), *mode = NULL;
    int         quick = 0, good = 1, known = 0, i = 1;

    for (; i < count && strncmp(words[i], "--", 2) == 0; i++) {
        if (strcmp(words[i], "--mode") == 0 && i + 1 < count)
            mode = words[++i];
        quick |= strcmp(words[i], "--quick") == 0;
    }
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++)
        known |= !mode || strcmp(mode, ways[k].name) == 0;
    if (!known) {
        fputs("accuracy: --mode is rows, recurrent, scan or convolution\n", stderr);
        return 2;
    }
    for (size_t k = 0; k < sizeof subjects / sizeof *subjects; k++) {
        int wanted = i >= count;

        for (int w = i; w < count; w++)
            wanted |= strcmp(words[w], subjects[k].model) == 0;
        if (wanted)
            good &= measure_subject(&subjects[k], shared ? shared : "../shared", mode, quick);
    }
    return !good;
}
