/*
 * npy_header.c - a line of Python, which may be a dict of the three known keys and
 * nothing else.
 */
#include "cli/npy_header.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"

enum { MOST_HEADER = 65536 };

static const char magic[6] = { '\x93', 'N', 'U', 'M', 'P', 'Y' };

static const char *blank(const char *p)
{
    return p + strspn(p, " \t\n");
}

/* Letters in either quotes, into text; NULL if it is something else. */
static const char *quoted(const char *p, char *text, size_t room)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789<>|=_";
    char   quote = *p;
    size_t size;

    if (quote != '\'' && quote != '"')
        return NULL;
    size = strcspn(++p, quote == '"' ? "\"\\" : "'\\");
    if (p[size] != quote || size >= room)
        return NULL;
    memcpy(text, p, size);
    text[size] = '\0';
    return text[strspn(text, letters)] ? NULL : p + size + 1;
}

static const char *read_type(const char *path, const char *p, npy_header *h)
{
    char type[16];

    h->told = 1;
    if (!(p = quoted(p, type, sizeof type)) || strlen(type) < 3) {
        complain(path, "only plain numbers are read, not records");
        return NULL;
    }
    h->kind = type[1];
    h->item = (size_t)strtoul(type + 2, NULL, 10);
    if (h->kind == 'f' && h->item == 2)
        complain(path, "float16 is not read: save it as float32");
    else if (type[0] == '>')
        complain(path, "big-endian numbers (%s) are not read: save them as '<%s'", type,
                 type + 1);
    else if (!((h->kind == 'f' && (h->item == 4 || h->item == 8))
               || (h->kind == 'b' && h->item == 1)
               || ((h->kind == 'i' || h->kind == 'u')
                   && (h->item == 1 || h->item == 2 || h->item == 4 || h->item == 8)))
             || strlen(type) != 3)
        complain(path, "type '%s' is not read: float32, float64 and integers are", type);
    else {
        h->told = 0;
        return p;
    }
    return NULL;
}

static const char *read_bool(const char *p, int *value)
{
    if (strncmp(p, "True", 4) == 0) {
        *value = 1;
        return p + 4;
    }
    *value = 0;
    return strncmp(p, "False", 5) == 0 ? p + 5 : NULL;
}

static const char *read_shape(const char *path, const char *p, npy_array *a,
                              npy_header *h)
{
    if (*p++ != '(')
        return NULL;
    for (p = blank(p); *p != ')'; p = blank(p)) {
        size_t size = 0;

        if (a->dimensions == NPY_DIMENSIONS) {
            h->told = complain(path, "an array of more than %d dimensions",
                               NPY_DIMENSIONS);
            return NULL;
        }
        if (*p < '0' || *p > '9')
            return NULL;
        for (; *p >= '0' && *p <= '9'; p++) {
            if (size > (SIZE_MAX - 9) / 10)
                return NULL;
            size = 10 * size + (size_t)(*p - '0');
        }
        a->shape[a->dimensions++] = size;
        p = blank(p);
        if (*p == ',')
            p++;
        else if (*p != ')')
            return NULL;
    }
    return p + 1;
}

/* Which of the three keys stood at p, as a bit; 0 if none or its value is wrong. */
static int read_entry(const char *path, const char **p, npy_array *a, npy_header *h)
{
    char key[16];
    int  which;

    if (!(*p = quoted(*p, key, sizeof key)))
        return 0;
    *p = blank(*p);
    if (*(*p)++ != ':')
        return 0;
    *p = blank(*p);
    if (strcmp(key, "descr") == 0) {
        which = 1;
        *p = read_type(path, *p, h);
    } else if (strcmp(key, "fortran_order") == 0) {
        which = 2;
        *p = read_bool(*p, &h->fortran);
    } else if (strcmp(key, "shape") == 0) {
        which = 4;
        a->dimensions = 0;
        *p = read_shape(path, *p, a, h);
    } else {
        return 0;
    }
    return *p ? which : 0;
}

static int header_is_odd(const char *path)
{
    return complain(path, "the header of this .npy file cannot be understood");
}

static int parse_header(const char *path, const char *p, npy_array *a, npy_header *h)
{
    int have = 0, entry, i;

    p = blank(p);
    if (*p++ != '{')
        return header_is_odd(path);
    for (p = blank(p); *p != '}'; p = blank(p)) {
        if ((entry = read_entry(path, &p, a, h)) == 0 || (have & entry))
            return h->told ? 1 : header_is_odd(path);
        have |= entry;
        p = blank(p);
        if (*p == ',')
            p++;
        else if (*p != '}')
            return header_is_odd(path);
    }
    if (have != 7 || *blank(p + 1))
        return header_is_odd(path);
    if (a->dimensions == 0)
        return complain(path, "one number, where an array is wanted");
    if (h->fortran && a->dimensions > 1)
        return complain(path, "the array is in Fortran order: save it with order='C'");
    for (a->count = 1, i = 0; i < a->dimensions; i++) {
        if (a->shape[i] && a->count > SIZE_MAX / 8 / a->shape[i])
            return complain(path, "the shape is too large");
        a->count *= a->shape[i];
    }
    return 0;
}

int npy_header_read(const char *path, FILE *file, npy_array *a, npy_header *h)
{
    unsigned char start[12];
    size_t        size, room;
    char         *text;
    int           bad = 1;

    if (fread(start, 1, 10, file) != 10 || memcmp(start, magic, sizeof magic) != 0)
        return complain(path, "not a .npy file");
    if (start[6] < 1 || start[6] > 3)
        return complain(path, "version %d of .npy is not known", start[6]);
    size = start[8] | (size_t)start[9] << 8;
    if (start[6] > 1) {
        if (fread(start + 10, 1, 2, file) != 2)
            return complain(path, "the file ends within its header");
        size |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    }
    if (size > MOST_HEADER)
        return complain(path, "a header of %lu bytes", (unsigned long)size);
    room = size + 1;
    if (!(text = malloc(room)))
        return complain(path, "out of memory");
    if (fread(text, 1, size, file) != size) {
        complain(path, "the file ends within its header");
    } else if (memchr(text, '\0', size)) {
        header_is_odd(path);
    } else {
        text[size] = '\0';
        bad = parse_header(path, text, a, h);
    }
    free(text);
    return bad;
}

int npy_header_write(const npy_array *a, FILE *file)
{
    char   text[256];
    size_t size, i;

    size = (size_t)snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, "
                                               "'shape': (");
    for (i = 0; i < (size_t)a->dimensions; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%lu", i ? ", " : "",
                                 (unsigned long)a->shape[i]);
    size += (size_t)snprintf(text + size, sizeof text - size, "%s), }",
                             a->dimensions == 1 ? "," : "");
    while ((10 + size + 1) % 64)
        text[size++] = ' ';
    text[size++] = '\n';
    fwrite(magic, 1, sizeof magic, file);
    fputc(1, file);
    fputc(0, file);
    fputc((int)(size & 0xff), file);
    fputc((int)(size >> 8), file);
    return fwrite(text, 1, size, file) != size;
}
