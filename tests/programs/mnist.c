/*
 * mnist.c - how many of MNIST's test images a model names rightly, and how fast.
 *
 *     mnist [--quick] [IMAGES LABELS MODEL ...]
 *
 * IMAGES and LABELS are idx files, compressed (.gz, which gzip unpacks) or not.  Without them those
 * in ../shared (or $KRAIT_SHARED) and the shipped model are taken, of which the number is known: a
 * program of `make test`.  --quick, and a build under sanitizers or for another machine, take the
 * first 500 images.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "krait.h"

enum { CLASSES = 10, CHUNK = 20, QUICK = 500, ALL = 10000 };

/* Of the shipped model; 9947 is also what was measured after training, with float32 weights. */
enum { RIGHT = 9947, RIGHT_QUICK = 496 };

/* Of processor time: one thread runs, and others may want the machine. */
static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static int ends(const char *text, const char *end)
{
    size_t length = strlen(text), n = strlen(end);

    return length >= n && strcmp(text + length - n, end) == 0;
}

/* An idx file of bytes: 0, 0, 8, dimensions, each in 4 bytes from high to low; data.  Or NULL. */
static unsigned char *read_idx(const char *path, int dimensions, size_t *count, size_t *each)
{
    int            packed = ends(path, ".gz");
    char           command[512];
    FILE          *file;
    unsigned char  head[16], *data = NULL;
    size_t         size[3] = { 0, 1, 1 }, length = 4 + 4 * (size_t)dimensions;

    if (snprintf(command, sizeof command, "gzip -dc '%s'", path) >= (int)sizeof command)
        return NULL;
    file = packed ? popen(command, "r") : fopen(path, "rb");
    if (file && fread(head, 1, length, file) == length && head[2] == 8 && head[3] == dimensions) {
        for (int d = 0; d < dimensions; d++)
            size[d] = (size_t)head[4 + 4 * d] << 24 | (size_t)head[5 + 4 * d] << 16 |
                      (size_t)head[6 + 4 * d] << 8 | head[7 + 4 * d];
        *count = size[0];
        *each = size[1] * size[2];
        data = size[0] <= 1000000 && *each <= 1000000 ? malloc(size[0] * *each + 1) : NULL;
        if (data && fread(data, *each, *count, file) != *count) {
            free(data);
            data = NULL;
        }
    }
    if (file && packed)
        pclose(file);
    else if (file)
        fclose(file);
    if (!data)
        fprintf(stderr, "%s: no idx file of %d dimensions\n", path, dimensions);
    return data;
}

static int greatest(const float *logits)
{
    int best = 0;

    for (int i = 1; i < CLASSES; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

/* How many of the images the model names as the labels do; -1: it cannot be run. */
static long measure(const char *path, const unsigned char *images, const unsigned char *labels,
                    size_t count, size_t pixels)
{
    krait_state_options options = { .size = sizeof options, .chunk = CHUNK };
    krait_model  *model;
    krait_state  *state = NULL;
    krait_message why = { "" };
    int64_t       in = 0, out = 0;
    long          right = 0;
    double        begin;
    float        *rows = malloc(CHUNK * pixels * sizeof *rows), logits[CHUNK * CLASSES];

    if (krait_model_open(&model, path, NULL, &why) == KRAIT_OK) {
        krait_model_get(model, KRAIT_IN_WIDTH, &in);
        krait_model_get(model, KRAIT_OUT_WIDTH, &out);
    }
    if (!model || in != (int64_t)pixels || out != CLASSES ||
        krait_state_create(&state, model, &options, NULL) != KRAIT_OK) {
        fprintf(stderr, "%s: %s\n", path, why.text[0] ? why.text : "not for these images");
        right = -1;
    }
    begin = seconds();
    for (size_t at = 0; at < count && right >= 0; at += CHUNK) {
        krait_input  input = { .size = sizeof input,
                               .steps = count - at < CHUNK ? count - at : CHUNK,
                               .features = rows };
        krait_output output = { .size = sizeof output,
                                .rows = logits,
                                .capacity = CHUNK * CLASSES };

        for (size_t i = 0; i < input.steps * pixels; i++)
            rows[i] = (float)images[at * pixels + i] / 255.0f;
        if (krait_run(model, state, &input, &output, &why) != KRAIT_OK) {
            fprintf(stderr, "%s: %s\n", path, why.text);
            right = -1;
        }
        for (size_t i = 0; i < input.steps && right >= 0; i++)
            right += greatest(logits + i * CLASSES) == labels[at + i];
    }
    if (right >= 0)
        printf("%-40s %ld of %zu images right, %.2f %%, %.0f images per second of one core\n", path,
               right, count, 100.0 * (double)right / (double)count,
               (double)count / (seconds() - begin));
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    free(rows);
    return right;
}

/* What tests/run.sh says of the build. */
static int slow(void)
{
    const char *special = getenv("SPECIAL"), *run = getenv("RUN");

    return (special && strstr(special, "sanitizers")) || (run && *run);
}

static int there(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file)
        fclose(file);
    return file != NULL;
}

int main(int count, char **words)
{
    const char    *shared = getenv("KRAIT_SHARED");
    char           paths[2][512];
    char          *own[4] = { NULL, paths[0], paths[1], (char *)"examples/models/vim-mnist.gguf" };
    unsigned char *images, *labels;
    size_t         n = 0, n_labels = 0, pixels = 0, one;
    int            quick = count > 1 && strcmp(words[1], "--quick") == 0, known, good = 1;

    count -= quick;
    words += quick;
    known = count == 1;
    if (known) {
        quick |= slow();
        snprintf(paths[0], sizeof paths[0], "%s/data/mnist/t10k-images-idx3-ubyte.gz",
                 shared ? shared : "../shared");
        snprintf(paths[1], sizeof paths[1], "%s/data/mnist/t10k-labels-idx1-ubyte.gz",
                 shared ? shared : "../shared");
        words = own;
        count = 4;
        if (!there(paths[0])) {
            printf("no %s: examples/see reads some of the images\n", paths[0]);
            return 77;
        }
    }
    if (count < 4) {
        fputs("usage: mnist [--quick] [IMAGES LABELS MODEL ...]\n", stderr);
        return 2;
    }
    images = read_idx(words[1], 3, &n, &pixels);
    labels = read_idx(words[2], 1, &n_labels, &one);
    if (!images || !labels || n != n_labels)
        return 1;
    n = quick && n > QUICK ? QUICK : n;
    for (int i = 3; i < count; i++) {
        long right = measure(words[i], images, labels, n, pixels);
        long wanted = n == ALL ? RIGHT : RIGHT_QUICK;

        good &= right >= 0 && (!known || (right >= wanted - 1 && right <= wanted + 1));
    }
    free(images), free(labels);
    return !good;
}
