/*
 * see.c - reads an image file and names the digit that is on it.
 *
 *     see IMAGE [MODEL]
 *
 * IMAGE is a PGM, P2 (text) or P5 (bytes), white on black, of the size that the model
 * wants: 28 x 28 here.  Prints the digit and whatever else has 2 % or more:
 *
 *     examples/images/digit-3.pgm: 3 (61.49 %), 8 (30.23 %)
 *     examples/images/digit-7.pgm: 7 (95.59 %)
 *
 * The model was trained to be about 95 % sure at most.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"

static int complain(const char *path, const char *what)
{
    fprintf(stderr, "see: %s: %s\n", path, what);
    return 0;
}

/* A number of the head or of P2: digits after white space and comments; -1: none. */
static long read_number(FILE *file)
{
    int  c = getc(file);
    long number = 0;

    while (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '#') {
        while (c == '#' && c != EOF) {
            while (c != '\n' && c != EOF)
                c = getc(file);
        }
        c = getc(file);
    }
    if (c < '0' || c > '9')
        return -1;
    for (; c >= '0' && c <= '9'; c = getc(file))
        number = number > 99999 ? 100000 : number * 10 + (c - '0');
    ungetc(c, file);                            /* one byte of white space ends the head */
    return number;
}

/* The next pixel, or -1. */
static long read_pixel(FILE *file, int text, long most)
{
    long high = 0;
    int  low;

    if (text)
        return read_number(file);
    if (most > 255 && (high = getc(file)) == EOF)
        return -1;
    low = getc(file);
    return low == EOF ? -1 : high * 256 + low;
}

/* Pixels from 0 (black) to 1 (white) of an image of exactly rows x columns; 0 after a complaint. */
static int read_image(const char *path, long rows, long columns, float *pixels)
{
    FILE *file = fopen(path, "rb");
    char  what[128] = "";
    int   magic[2] = { 0, 0 }, text;
    long  width, height, most, i;

    if (!file)
        return complain(path, "cannot be opened");
    magic[0] = getc(file);
    magic[1] = getc(file);
    text = magic[1] == '2';
    width = read_number(file);
    height = read_number(file);
    most = read_number(file);
    if (magic[0] != 'P' || (magic[1] != '2' && magic[1] != '5'))
        strcpy(what, "is no PGM (P2 or P5)");
    else if (width < 1 || height < 1 || most < 1 || most > 65535)
        strcpy(what, "has a broken head");
    else if (width != columns || height != rows)
        sprintf(what, "is %ld x %ld, but the model wants %ld x %ld", width, height, columns, rows);
    if (!text)
        getc(file);
    for (i = 0; !what[0] && i < rows * columns; i++) {
        long pixel = read_pixel(file, text, most);

        if (pixel < 0)
            strcpy(what, "ends before its last pixel");
        else if (pixel > most)
            strcpy(what, "has a pixel above its maximum");
        pixels[i] = (float)pixel / (float)most;
    }
    fclose(file);
    return what[0] ? complain(path, what) : 1;
}

/* Logits become probabilities; returns the most likely class. */
static long softmax(float *row, long count)
{
    double sum = 0;
    long   best = 0, i;

    for (i = 1; i < count; i++)
        best = row[i] > row[best] ? i : best;
    for (i = 0; i < count; i++)
        sum += exp(row[i] - row[best]);
    for (i = 0; i < count; i++)
        row[i] = i == best ? row[i] : (float)(exp(row[i] - row[best]) / sum);
    row[best] = (float)(1 / sum);
    return best;
}

static void print_classes(const char *path, const float *p, long count, long best)
{
    long i;

    printf("%s: %ld (%.2f %%)", path, best, 100 * p[best]);
    for (i = 0; i < count; i++)
        if (i != best && p[i] >= 0.02f)
            printf(", %ld (%.2f %%)", i, 100 * p[i]);
    putchar('\n');
}

int main(int argc, char **argv)
{
    const char   *path = argc > 2 ? argv[2] : "examples/models/vim-mnist.gguf";
    krait_model  *model;
    krait_state  *state = NULL;
    krait_message why;
    int64_t       rows, columns, in, out;
    float        *pixels, *logits;
    int           good = 0;

    if (argc < 2 || argc > 3) {
        fputs("usage: see IMAGE [MODEL]\n", stderr);
        return 2;
    }
    if (krait_model_open(&model, path, NULL, &why) != KRAIT_OK)
        return !complain(path, why.text);
    krait_model_get(model, KRAIT_GRID_ROWS, &rows);
    krait_model_get(model, KRAIT_GRID_COLUMNS, &columns);
    krait_model_get(model, KRAIT_IN_WIDTH, &in);
    krait_model_get(model, KRAIT_OUT_WIDTH, &out);
    pixels = malloc((size_t)in * sizeof *pixels);
    logits = malloc((size_t)out * sizeof *logits);
    if (in != rows * columns || rows * columns == 1)
        complain(path, "takes no grey images");
    else if (!pixels || !logits || krait_state_create(&state, model, NULL, NULL) != KRAIT_OK)
        complain(path, "no memory");
    else if (read_image(argv[1], (long)rows, (long)columns, pixels)
             && krait_step(model, state, pixels, logits) == KRAIT_OK) {
        print_classes(argv[1], logits, (long)out, softmax(logits, (long)out));
        good = 1;
    }
    free(pixels);
    free(logits);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    return !good;
}
