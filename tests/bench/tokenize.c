/*
 * tokenize.c - how fast text becomes tokens and tokens text.
 *
 *     tokenize [--quick] [TOKENIZER TEXT]
 *
 * Without arguments: GPT-NeoX's vocabulary, if it is there, over this repository's documents many times.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "krait.h"

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static char *read_all(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long  size;

    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0 &&
        (text = malloc((size_t)size + 1)) != NULL)
        *bytes = fread(text, 1, (size_t)size, file);
    fclose(file);
    return text;
}

/* The text over and over until it has 'least' bytes. */
static char *repeated(char *text, size_t *bytes, size_t least)
{
    size_t one = *bytes;

    if (one == 0 || one >= least)
        return text;
    if (!(text = realloc(text, least + one)))
        exit(1);
    for (; *bytes < least; *bytes += one)
        memcpy(text + *bytes, text, one);
    return text;
}

int main(int argc, char **argv)
{
    int              quick = argc > 1 && strcmp(argv[1], "--quick") == 0, given = argc - quick > 2;
    const char      *vocabulary = given ? argv[1 + quick] : "../shared/data/20B_tokenizer.json";
    krait_tokenizer *t;
    krait_message    why;
    size_t           bytes = 0, count, again;
    char            *text = read_all(given ? argv[2 + quick] : "docs/layers.md", &bytes), *back;
    int32_t         *ids;
    double           begun = now(), opened, encoded, decoded;

    if (krait_tokenizer_open(&t, vocabulary, NULL, &why) != KRAIT_OK) {
        printf("tokenize: %s\n", why.text);
        return given;
    }
    opened = now() - begun;
    if (!text || bytes == 0)
        return 1;
    text = repeated(text, &bytes, quick ? 1000000 : 20000000);
    ids = malloc((3 * bytes + 1) * sizeof *ids);
    back = malloc(3 * bytes + 1);
    if (!ids || !back)
        return 1;
    begun = now();
    if (krait_tokenizer_encode(t, text, bytes, 0, ids, 3 * bytes, &count) != KRAIT_OK)
        return 1;
    encoded = now() - begun;
    begun = now();
    if (krait_tokenizer_decode(t, ids, count, KRAIT_TEXT_SPECIAL, back, 3 * bytes, &again) != KRAIT_OK)
        return 1;
    decoded = now() - begun;
    printf("tokenize: opened in %.0f ms; %.1f MB, %.2f bytes a token; encoded %.1f MB/s, decoded %.0f MB/s\n",
           1e3 * opened, 1e-6 * (double)bytes, (double)bytes / (double)count, 1e-6 * (double)bytes / encoded,
           1e-6 * (double)again / decoded);
    free(text);
    free(ids);
    free(back);
    krait_tokenizer_close(t);
    return 0;
}
