/* npz.c - the zip's directory, the header of an array, numbers. */
#include "support/npz.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sizes of zip's records without names, and the least of a .npy. */
enum { ZIP_END = 22, ZIP_ENTRY = 46, ZIP_LOCAL = 30, NPY_HEAD = 10 };

unsigned char *npz_read_file(const char *path, size_t *count)
{
    FILE          *stream = fopen(path, "rb");
    unsigned char *bytes = NULL;
    long           length = -1;

    if (stream && fseek(stream, 0, SEEK_END) == 0 && (length = ftell(stream)) >= 0 &&
        fseek(stream, 0, SEEK_SET) == 0 && (bytes = malloc((size_t)length + 1)) != NULL)
        *count = fread(bytes, 1, (size_t)length, stream);
    if (bytes && *count != (size_t)length) {
        free(bytes);
        bytes = NULL;
    }
    if (bytes)
        bytes[length] = 0;
    if (stream)
        fclose(stream);
    return bytes;
}

int npz_open(npz *file, const char *path)
{
    *file = (npz){ NULL, 0 };
    file->bytes = npz_read_file(path, &file->count);
    return file->bytes != NULL;
}

void npz_close(npz *file)
{
    free(file->bytes);
    *file = (npz){ NULL, 0 };
}

static uint64_t little(const unsigned char *at, int bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | at[bytes];
    return value;
}

/* "{'descr': '<f8', 'fortran_order': False, 'shape': (64, 256), }" */
static int read_header(npz_array *array, const char *text)
{
    const char *type = strstr(text, "'descr': '"), *shape = strstr(text, "'shape': (");
    char       *end;

    if (!type || !shape || !strstr(text, "'fortran_order': False") || type[10] == '>')
        return 0;
    array->kind = type[11];
    array->size = atoi(type + 12);
    array->count = 1;
    for (shape += 10; *shape != ')' && array->dimensions < 4; shape = end + strspn(end, ", ")) {
        size_t length = strtoul(shape, &end, 10);

        if (end == shape)
            return 0;
        array->shape[array->dimensions++] = length;
        array->count *= length;
    }
    return *shape == ')' && strchr("fiu", array->kind) && array->size > 0 && array->size <= 8;
}

static npz_array read_npy(const unsigned char *bytes, size_t count)
{
    npz_array array = { 0 };
    size_t    length;
    char      text[1024];

    if (count < NPY_HEAD || memcmp(bytes, "\x93NUMPY\x01", 7) != 0)
        return array;
    length = (size_t)little(bytes + 8, 2);
    if (length >= sizeof text || NPY_HEAD + length > count)
        return array;
    memcpy(text, bytes + NPY_HEAD, length);
    text[length] = '\0';
    if (read_header(&array, text) && NPY_HEAD + length + array.count * (size_t)array.size == count)
        array.data = bytes + NPY_HEAD + length;
    return array;
}

npz_array npz_get(const npz *file, const char *name)
{
    const unsigned char *bytes = file->bytes, *end = bytes + file->count, *at;
    size_t               length = strlen(name);
    uint64_t             entries;

    if (file->count < ZIP_END || little(end - ZIP_END, 4) != 0x06054b50)
        return (npz_array){ 0 };
    entries = little(end - ZIP_END + 10, 2);
    at = bytes + little(end - ZIP_END + 16, 4);
    for (; entries > 0 && end - at > ZIP_ENTRY && little(at, 4) == 0x02014b50; entries--) {
        size_t               named = (size_t)little(at + 28, 2), size = (size_t)little(at + 24, 4);
        const unsigned char *local = bytes + little(at + 42, 4);

        if (named == length + 4 && memcmp(at + ZIP_ENTRY, name, length) == 0 &&
            little(at + 10, 2) == 0) {
            local += ZIP_LOCAL + little(local + 26, 2) + little(local + 28, 2);
            return read_npy(local, (size_t)(end - local) < size ? 0 : size);
        }
        at += ZIP_ENTRY + named + little(at + 30, 2) + little(at + 32, 2);
    }
    return (npz_array){ 0 };
}

double npz_number(const npz_array *array, size_t i)
{
    uint64_t bits = little(array->data + i * (size_t)array->size, array->size);
    uint32_t half = (uint32_t)bits;
    uint64_t sign = (uint64_t)1 << (8 * array->size - 1);
    double   number;
    float    single;

    if (array->kind == 'f' && array->size == 8) {
        memcpy(&number, &bits, sizeof number);
        return number;
    }
    if (array->kind == 'f') {
        memcpy(&single, &half, sizeof single);
        return (double)single;
    }
    if (array->kind == 'i' && (bits & sign))
        return -(double)(sign - (bits & (sign - 1)));
    return (double)bits;
}
