/*
 * har.c - how many windows of motion a classifier names rightly, and how fast it runs along them.
 *
 *     har [--quick] MODEL WINDOWS.npy LABELS.npy
 *
 * WINDOWS holds float32 [windows][steps][inputs], LABELS int64 [windows]: test_x and test_y of the shared har.npz. The
 * class is the greatest output behind a window's last row. Without arguments there is nothing to do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "krait.h"

enum { MOST_CLASSES = 64, QUICK = 100 };

/* The numbers of a .npy file of version 1 whose header holds 'type'; shape: up to three sizes. */
static void *read_npy(const char *path, const char *type, size_t *shape)
{
    FILE          *file = fopen(path, "rb");
    char           header[65536] = "", *at;
    unsigned char  head[10];
    size_t         length, count;
    unsigned long  sizes[3] = { 1, 1, 1 };
    void          *data = NULL;

    if (file && fread(head, 1, 10, file) == 10 && memcmp(head, "\x93NUMPY\x01", 7) == 0) {
        length = head[8] | (size_t)head[9] << 8;
        if (fread(header, 1, length, file) == length && strstr(header, type) &&
            strstr(header, "'fortran_order': False") && (at = strstr(header, "'shape': (")) != NULL &&
            sscanf(at + 10, "%lu, %lu, %lu", &sizes[0], &sizes[1], &sizes[2]) >= 1) {
            count = sizes[0] * sizes[1] * sizes[2];
            data = malloc(count * 8 + 8);
            if (data && fread(data, strstr(type, "8") ? 8 : 4, count, file) != count) {
                free(data);
                data = NULL;
            }
        }
    }
    if (file)
        fclose(file);
    if (!data)
        fprintf(stderr, "%s: no little-endian numbers of type %s\n", path, type);
    for (int i = 0; i < 3; i++)
        shape[i] = sizes[i];
    return data;
}

static int greatest(const float *row, size_t count)
{
    size_t best = 0;

    for (size_t i = 1; i < count; i++)
        best = row[i] > row[best] ? i : best;
    return (int)best;
}

static void show_bar(size_t done, size_t all)
{
    char bar[41] = "........................................";

    memset(bar, '#', done * 40 / all);
    fprintf(stderr, "\r[%s] %zu of %zu", bar, done, all);
    if (done == all)
        fputc('\n', stderr);
}

/* One window, from a fresh episode, its rows at once or one by one; 0 if that fails. */
static int classify(const krait_model *model, krait_state *state, const float *rows, const size_t *shape, int32_t mode,
                    float *row, size_t classes)
{
    static const uint8_t first[1] = { 1 }, other[1] = { 0 };
    size_t               n = mode == KRAIT_SCAN ? shape[1] : 1;
    uint8_t             *reset = calloc(n, 1);
    int                  good = 1;

    reset[0] = 1;
    for (size_t t = 0; t < shape[1] && good; t += n) {
        krait_input  input = { .size = sizeof input, .steps = n, .features = rows + t * shape[2], .mode = mode };
        krait_output output = { .size = sizeof output, .which = KRAIT_ROWS_LAST, .rows = row, .capacity = classes };

        input.reset = n > 1 ? reset : t ? other : first;
        good = krait_run(model, state, &input, &output, NULL) == KRAIT_OK;
    }
    free(reset);
    return good;
}

static int measure(const krait_model *model, const float *x, const int64_t *labels, const size_t *shape, int32_t mode)
{
    krait_state_options options = { .size = sizeof options, .lanes = 1 };
    krait_state        *state = NULL;
    int64_t             in = 0, out = 0;
    size_t              right = 0;
    float               row[MOST_CLASSES];
    double              used;
    clock_t             begin;

    krait_model_get(model, KRAIT_IN_WIDTH, &in);
    krait_model_get(model, KRAIT_OUT_WIDTH, &out);
    if (in != (int64_t)shape[2] || out > MOST_CLASSES || krait_state_create(&state, model, &options, NULL) != KRAIT_OK) {
        fputs("the model is not for these windows\n", stderr);
        return 0;
    }
    begin = clock();
    for (size_t i = 0; i < shape[0]; i++) {
        if (!classify(model, state, x + i * shape[1] * shape[2], shape, mode, row, (size_t)out)) {
            krait_state_destroy(state, NULL);
            return 0;
        }
        right += greatest(row, (size_t)out) == labels[i];
        if (i % 50 == 49 || i + 1 == shape[0])
            show_bar(i + 1, shape[0]);
    }
    used = (double)(clock() - begin) / CLOCKS_PER_SEC;
    printf("%s: %zu of %zu windows right, %.2f %%, %.2f us a row of one core\n",
           mode == KRAIT_SCAN ? "SCAN, a window a call" : "RECURRENT, a row a call", right, shape[0],
           100.0 * (double)right / (double)shape[0], 1e6 * used / (double)(shape[0] * shape[1]));
    krait_state_destroy(state, NULL);
    return 1;
}

int main(int count, char **words)
{
    int           quick = count > 1 && strcmp(words[1], "--quick") == 0, good = 0;
    size_t        shape[3], labelled[3];
    krait_model  *model = NULL;
    krait_message why = { "" };
    float        *x;
    int64_t      *labels;

    count -= quick;
    words += quick;
    if (count != 4) {
        puts("har: MODEL WINDOWS.npy LABELS.npy are wanted: docs/performance.md");
        return count != 1;
    }
    x = read_npy(words[2], "<f4", shape);
    labels = read_npy(words[3], "<i8", labelled);
    if (x && labels && krait_model_open(&model, words[1], NULL, &why) != KRAIT_OK)
        fprintf(stderr, "%s\n", why.text);
    if (model && shape[0] == labelled[0]) {
        shape[0] = quick && shape[0] > QUICK ? QUICK : shape[0];
        good = measure(model, x, labels, shape, KRAIT_RECURRENT) && measure(model, x, labels, shape, KRAIT_SCAN);
    }
    krait_model_close(model);
    free(x), free(labels);
    return !good;
}
