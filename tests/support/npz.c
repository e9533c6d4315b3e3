/* npz.c - the zip's directory, the header of an array, numbers. */
#include "support/npz.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/inflate.h"

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

static uint64_t little(const unsigned char *at, int bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | at[bytes];
    return value;
}

static size_t count_entries(const npz *file)
{
    const unsigned char *end = file->bytes + file->count;

    if (file->count < ZIP_END || little(end - ZIP_END, 4) != 0x06054b50)
        return 0;
    return (size_t)little(end - ZIP_END + 10, 2);
}

int npz_open(npz *file, const char *path)
{
    *file = (npz){ NULL, 0, NULL };
    file->bytes = npz_read_file(path, &file->count);
    if (file->bytes)
        file->unpacked = calloc(count_entries(file) + 1, sizeof *file->unpacked);
    if (!file->unpacked)
        npz_close(file);
    return file->bytes != NULL;
}

void npz_close(npz *file)
{
    for (size_t i = 0; file->unpacked && i < count_entries(file); i++)
        free(file->unpacked[i]);
    free(file->unpacked);
    free(file->bytes);
    *file = (npz){ NULL, 0, NULL };
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
    return *shape == ')' && strchr("fiub", array->kind) && array->size > 0 && array->size <= 8;
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

/* An entry's bytes, packed or not; NULL unless they are what was put in. */
static const unsigned char *unpack(const npz *file, size_t i, const unsigned char *entry, const unsigned char *data)
{
    const unsigned char *end = file->bytes + file->count;
    size_t               packed = (size_t)little(entry + 20, 4), size = (size_t)little(entry + 24, 4);
    uint64_t             method = little(entry + 10, 2);
    unsigned char       *bytes;

    if (data > end || (size_t)(end - data) < packed || (method != 0 && method != 8))
        return NULL;
    if (method == 0)
        return packed == size ? data : NULL;
    if (!file->unpacked[i] && (bytes = malloc(size + 1)) != NULL) {
        file->unpacked[i] = bytes;
        if (!inflate_bytes(data, packed, bytes, size) || inflate_crc32(bytes, size) != little(entry + 16, 4)) {
            free(bytes);
            file->unpacked[i] = NULL;
        }
    }
    return file->unpacked[i];
}

npz_array npz_get(const npz *file, const char *name)
{
    const unsigned char *bytes = file->bytes, *end = bytes + file->count, *at;
    size_t               length = strlen(name), entries = count_entries(file);

    if (entries == 0)
        return (npz_array){ 0 };
    at = bytes + little(end - ZIP_END + 16, 4);
    for (size_t i = 0; i < entries && end - at > ZIP_ENTRY && little(at, 4) == 0x02014b50; i++) {
        size_t               named = (size_t)little(at + 28, 2);
        const unsigned char *local = bytes + little(at + 42, 4), *data;

        if (named == length + 4 && memcmp(at + ZIP_ENTRY, name, length) == 0) {
            data = unpack(file, i, at, local + ZIP_LOCAL + little(local + 26, 2) + little(local + 28, 2));
            return read_npy(data, data ? (size_t)little(at + 24, 4) : 0);
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
