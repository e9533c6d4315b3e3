/*
 * bits_per_byte.c - how well byte models predict a text: what a smaller type costs.
 *
 *     bits_per_byte [--quick] [--last PERCENT] TEXT MODEL ...
 *
 * One stream over the last PERCENT of the text (default 2, what the shipped model did not see),
 * from a fresh state.  Figures in docs/performance.md: the novels are in shared data, so without
 * arguments there is nothing to do.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"

enum { CHUNK = 256 };

static unsigned char *text;
static size_t         text_bytes;

static int read_text(const char *path, double percent)
{
    FILE *file = fopen(path, "rb");
    long  size, skip;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 0;
    }
    skip = size - (long)((double)size * percent / 100);
    text_bytes = (size_t)(size - skip);
    text = malloc(text_bytes + 1);
    fseek(file, skip, SEEK_SET);
    text_bytes = fread(text, 1, text_bytes, file);
    fclose(file);
    return text_bytes > 1;
}

/* -log2 of the probability that the row gives to the byte. */
static double bits(const float *logits, size_t width, int byte)
{
    double most = logits[0], sum = 0;

    for (size_t i = 1; i < width; i++)
        most = logits[i] > most ? logits[i] : most;
    for (size_t i = 0; i < width; i++)
        sum += exp(logits[i] - most);
    return (log(sum) - (logits[byte] - most)) / log(2);
}

static int measure(const char *path)
{
    krait_state_options options = { .size = sizeof options, .chunk = CHUNK };
    krait_model  *model;
    krait_state  *state;
    krait_message why;
    int64_t       width;
    float        *rows;
    double        total = 0;
    int32_t       tokens[CHUNK];

    if (krait_model_open(&model, path, NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "%s: %s\n", path, why.text);
        return 0;
    }
    krait_model_get(model, KRAIT_OUT_WIDTH, &width);
    if (krait_state_create(&state, model, &options, NULL) != KRAIT_OK)
        return 0;
    rows = malloc((size_t)(width * CHUNK) * sizeof *rows);
    for (size_t at = 0; at + 1 < text_bytes; at += CHUNK) {
        size_t       n = text_bytes - 1 - at < CHUNK ? text_bytes - 1 - at : CHUNK;
        krait_input  input = { .size = sizeof input, .steps = n, .tokens = tokens };
        krait_output output = { .size = sizeof output, .rows = rows, .capacity = (size_t)width * CHUNK };

        for (size_t i = 0; i < n; i++)
            tokens[i] = text[at + i];
        if (krait_run(model, state, &input, &output, &why) != KRAIT_OK) {
            fprintf(stderr, "%s: %s\n", path, why.text);
            return 0;
        }
        for (size_t i = 0; i < n; i++)
            total += bits(rows + i * (size_t)width, (size_t)width, text[at + i + 1]);
    }
    printf("%-40s %.5f bits per byte over %zu bytes\n", path, total / (double)(text_bytes - 1), text_bytes - 1);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    free(rows);
    return 1;
}

int main(int count, char **words)
{
    double percent = 2;
    int    at = 1, good = 1;

    while (at < count && words[at][0] == '-') {
        if (strcmp(words[at], "--last") == 0 && at + 1 < count)
            percent = atof(words[++at]);
        at++;
    }
    if (at + 1 >= count) {
        puts("bits_per_byte: give it a TEXT and a MODEL");
        return 0;
    }
    if (!read_text(words[at], percent))
        return 1;
    for (at++; at < count; at++)
        good &= measure(words[at]);
    return !good;
}
