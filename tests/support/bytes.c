#include "support/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "test.h"

void bytes_add(bytes *b, const void *data, size_t count)
{
    if (count > b->room - b->count) {
        b->room = 2 * (b->count + count);
        b->at = realloc(b->at, b->room);
        if (!b->at)
            abort();
    }
    if (count)
        memcpy(b->at + b->count, data, count);
    b->count += count;
}

void bytes_text(bytes *b, const char *text)
{
    bytes_add(b, text, strlen(text));
}

void bytes_u8(bytes *b, uint8_t value)
{
    bytes_add(b, &value, 1);
}

void bytes_u32(bytes *b, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes_u8(b, (uint8_t)(value >> 8 * i));
}

void bytes_u64(bytes *b, uint64_t value)
{
    bytes_u32(b, (uint32_t)value);
    bytes_u32(b, (uint32_t)(value >> 32));
}

void bytes_fill(bytes *b, uint8_t value, size_t count)
{
    while (count-- > 0)
        bytes_u8(b, value);
}

void bytes_pad(bytes *b, size_t alignment)
{
    bytes_fill(b, 0, (alignment - b->count % alignment) % alignment);
}

void bytes_free(bytes *b)
{
    free(b->at);
    *b = (bytes){ 0 };
}

unsigned char *bytes_exact(const void *data, size_t count)
{
    unsigned char *copy = malloc(count ? count : 1);

    if (!copy)
        abort();
    if (count) {
        memcpy(copy, data, count);
        return copy;
    }
    free(copy);
    return NULL;
}

void reading_start(reading *r, const void *data, size_t count)
{
    memset(r, 0, sizeof *r);
    kr_memory_start(&r->memory, NULL, 0);
    kr_arena_start(&r->arena, &r->memory);
    r->copy = bytes_exact(data, count);
    memset(&r->package, 0x5a, sizeof r->package);
    r->status = kr_package_read(&r->package, r->copy, count, "file", &r->arena, &r->message);
}

void reading_end(reading *r)
{
    kr_arena_free(&r->arena);
    CHECK_U64(r->memory.held, 0);
    free(r->copy);
}

static int is_printable(const char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            return 0;
    return 1;
}

static uint64_t sum_of(const kr_source *source)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < source->bytes; i++)
        sum += source->data[i];
    return sum;
}

void reading_check(reading *r)
{
    static const kr_package nothing;
    volatile uint64_t       sum = 0;
    kr_writer               w;

    if (r->status != KRAIT_OK) {
        CHECK_BYTES(&r->package, &nothing, sizeof nothing);
        CHECK(r->message.text[0] != '\0' && is_printable(r->message.text));
        return;
    }
    CHECK(r->package.format != NULL && r->message.text[0] == '\0');
    for (size_t i = 0; i < r->package.n_tensors; i++) {
        const kr_source *source = &r->package.tensors[i];

        sum = sum + sum_of(source);
        CHECK(kr_package_find(&r->package, source->name) == source);
        CHECK(source->type_name != NULL && source->dimensions >= 0 && source->dimensions <= 4);
    }
    CHECK(kr_package_find(&r->package, "no such tensor") == NULL);
    kr_writer_start(&w, &r->arena);
    if (r->package.metadata)
        kr_write_json(&w, r->package.metadata);
    CHECK(!w.broken);
}

krait_status bytes_read(const bytes *b)
{
    reading      r;
    krait_status status;

    reading_start(&r, b->at, b->count);
    reading_check(&r);
    status = r.status;
    reading_end(&r);
    return status;
}

void bytes_refused(const bytes *b, krait_status status, const char *word)
{
    reading r;

    reading_start(&r, b->at, b->count);
    reading_check(&r);
    test_note("%.200s", r.message.text);
    CHECK_STATUS(r.status, status);
    CHECK(strstr(r.message.text, word) != NULL);
    test_note("%s", "");
    reading_end(&r);
}

void bytes_cut_everywhere(const bytes *b)
{
    bytes prefix = *b;

    for (prefix.count = 0; prefix.count < b->count; prefix.count++) {
        test_note("the first %zu bytes", prefix.count);
        bytes_read(&prefix);
    }
    test_note("%s", "");
}

void bytes_flip_everything(const bytes *b)
{
    for (size_t bit = 0; bit < 8 * b->count; bit++) {
        test_note("bit %zu of byte %zu", bit % 8, bit / 8);
        b->at[bit / 8] ^= (unsigned char)(1u << bit % 8);
        bytes_read(b);
        b->at[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    test_note("%s", "");
}

double seconds_since(long begin)
{
    if (getenv("KRAIT_UNTIMED"))
        return 0;
    return (double)(clock() - (clock_t)begin) / CLOCKS_PER_SEC;
}
