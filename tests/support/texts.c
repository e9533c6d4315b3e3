#include "support/texts.h"

#include <stdlib.h>
#include <string.h>

#include "support/tiny.h"

static const char magic[8] = "krTOK1\n";

int texts_open(texts *r, const char *path)
{
    memset(r, 0, sizeof *r);
    r->file = path ? tiny_read(path, &r->size) : NULL;
    r->at = sizeof magic;
    return r->file && r->size >= sizeof magic && memcmp(r->file, magic, sizeof magic) == 0;
}

/* A number in LEB128; r->at stays below r->size only where the file is damaged. */
static int number(texts *r, uint64_t *value)
{
    int shift = 0;

    for (*value = 0; r->at < r->size && shift < 63; shift += 7) {
        unsigned char byte = r->file[r->at++];

        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return 1;
    }
    return 0;
}

static void drop(texts *r)
{
    free(r->text);
    free(r->ids);
    r->text = NULL;
    r->ids = NULL;
}

int texts_next(texts *r)
{
    uint64_t flags, bytes, count, step;
    int32_t  id = 0;
    size_t   begin;

    drop(r);
    if (r->at == r->size || !number(r, &flags) || !number(r, &bytes) || bytes > r->size - r->at)
        return 0;
    begin = r->at;
    r->special = flags & 1;
    r->bytes = (size_t)bytes;
    r->text = malloc(r->bytes ? r->bytes : 1);
    memcpy(r->text, r->file + r->at, r->bytes);
    r->at += r->bytes;
    if (!number(r, &count) || count > r->size - r->at)
        return 0;
    r->count = (size_t)count;
    r->ids = malloc((r->count + 1) * sizeof *r->ids);
    for (size_t i = 0; i < r->count; i++) {
        if (!number(r, &step)) {
            r->at = begin;
            return 0;
        }
        id += step & 1 ? -(int32_t)((step + 1) / 2) : (int32_t)(step / 2);
        r->ids[i] = id;
    }
    return 1;
}

void texts_close(texts *r)
{
    drop(r);
    free(r->file);
    r->file = NULL;
}
