/*
 * npy.c - the numbers of .npy files.
 *
 * What the header says of their count is not believed: memory grows with the data that is
 * there, so that a shape of a million million costs nothing.
 */
#include "cli/npy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/files.h"
#include "cli/npy_header.h"
#include "cli/show.h"
#include "cli/system.h"

enum { BLOCK = 65536 };

static uint64_t little_endian(const unsigned char *p, size_t size)
{
    uint64_t value = 0;

    while (size-- > 0)
        value = value << 8 | p[size];
    return value;
}

static float read_real(const unsigned char *p, size_t size)
{
    uint64_t bits = little_endian(p, size);
    uint32_t low = (uint32_t)bits;
    float    single;
    double   wide;

    if (size == 4) {
        memcpy(&single, &low, sizeof single);
        return single;
    }
    memcpy(&wide, &bits, sizeof wide);
    return (float)wide;
}

/* 0 if it does not fit an int32. */
static int read_integer(const unsigned char *p, const npy_header *h, int32_t *value)
{
    uint64_t bits = little_endian(p, h->item), sign = (uint64_t)1 << (8 * h->item - 1);

    if (h->kind == 'i' && (bits & sign)) {
        bits |= ~(sign - 1);                    /* minus what is missing to 2^64 */
        if (bits < (uint64_t)INT32_MIN)
            return 0;
        *value = -(int32_t)(~bits) - 1;
        return 1;
    }
    *value = (int32_t)bits;
    return bits <= INT32_MAX;
}

static int keep_numbers(const char *path, npy_array *a, const npy_header *h, size_t at,
                        const unsigned char *block, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        const unsigned char *p = block + i * h->item;

        if (a->reals)
            a->reals[at + i] = read_real(p, h->item);
        else if (!read_integer(p, h, &a->integers[at + i]))
            return complain(path, "number %lu of the array does not fit 32 bits",
                            (unsigned long)(at + i));
    }
    return 0;
}

static int make_room(const char *path, npy_array *a, const npy_header *h, size_t *room)
{
    size_t wanted = *room ? 2 * *room : BLOCK;
    void  *larger;

    wanted = wanted < a->count ? wanted : a->count;
    larger = realloc(a->reals ? (void *)a->reals : (void *)a->integers, 4 * wanted + 4);
    if (!larger)
        return complain(path, "out of memory");
    if (h->kind == 'f')
        a->reals = larger;
    else
        a->integers = larger;
    *room = wanted;
    return 0;
}

static int read_numbers(const char *path, FILE *file, npy_array *a, const npy_header *h)
{
    static unsigned char block[BLOCK];
    size_t               done = 0, room = 0;

    if (make_room(path, a, h, &room))
        return 1;
    while (done < a->count) {
        size_t most = BLOCK / h->item, got;

        if (done == room && make_room(path, a, h, &room))
            return 1;
        most = most < room - done ? most : room - done;
        got = fread(block, h->item, most, file);
        if (keep_numbers(path, a, h, done, block, got))
            return 1;
        done += got;
        if (got < most)
            return complain(path, ferror(file) ? "cannot be read after %lu of %lu numbers"
                                               : "the file ends after %lu of %lu numbers",
                            (unsigned long)done, (unsigned long)a->count);
    }
    if (fgetc(file) != EOF)
        return complain(path, "there is more in the file than its header says");
    return 0;
}

int npy_read(npy_array *array, const char *path)
{
    FILE      *file = system_open(path, "rb");
    npy_header header;
    int        bad;

    memset(array, 0, sizeof *array);
    memset(&header, 0, sizeof header);
    if (!file)
        return complain(path, "%s", strerror(errno));
    bad = npy_header_read(path, file, array, &header);
    if (!bad)
        bad = read_numbers(path, file, array, &header);
    fclose(file);
    if (bad)
        npy_free(array);
    return bad;
}

void npy_free(npy_array *array)
{
    free(array->reals);
    free(array->integers);
    memset(array, 0, sizeof *array);
}

/* ---- writing ---- */

int npy_write(const npy_array *array, const char *path)
{
    static unsigned char block[BLOCK];
    output_file          file;
    size_t               i = 0, n, k;

    if (output_open(&file, path))
        return 1;
    if (npy_header_write(array, file.stream) == 0)
        while (i < array->count && !ferror(file.stream)) {
            for (n = 0; n < BLOCK / 4 && i < array->count; n++, i++) {
                uint32_t bits;

                memcpy(&bits, &array->reals[i], sizeof bits);
                for (k = 0; k < 4; k++)
                    block[4 * n + k] = (unsigned char)(bits >> 8 * k);
            }
            fwrite(block, 4, n, file.stream);
        }
    return output_close(&file);
}
