/* json_write.c - text that grows, and JSON written into it. */
#include <string.h>

#include "core/bits.h"
#include "core/number.h"
#include "formats/json.h"

enum { WRITER_FIRST = 256 };

void kr_writer_start(kr_writer *w, kr_arena *arena)
{
    *w = (kr_writer){ .arena = arena };
}

/* Room for 'count' bytes more and the terminator. */
static int writer_grow(kr_writer *w, size_t count)
{
    size_t need, room = w->room ? w->room : WRITER_FIRST;
    char  *text = NULL;

    if (w->broken)
        return 0;
    if (kr_add_fits(w->length, count, &need) && need < SIZE_MAX / 2) {
        if (need < w->room)
            return 1;
        while (room <= need)
            room *= 2;
        text = kr_arena_take(w->arena, room, 1);
    }
    if (!text) {
        w->broken = 1;
        w->text = NULL;
        w->length = 0;
        return 0;
    }
    if (w->length)
        memcpy(text, w->text, w->length);
    w->text = text;
    w->room = room;
    return 1;
}

void kr_write_bytes(kr_writer *w, const char *bytes, size_t count)
{
    if (!writer_grow(w, count))
        return;
    if (count)
        memcpy(w->text + w->length, bytes, count);
    w->length += count;
    w->text[w->length] = '\0';
}

void kr_write(kr_writer *w, const char *text)
{
    kr_write_bytes(w, text, strlen(text));
}

void kr_write_unsigned(kr_writer *w, uint64_t value)
{
    char digits[20], *at = digits + sizeof digits;

    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    kr_write_bytes(w, at, (size_t)(digits + sizeof digits - at));
}

void kr_write_integer(kr_writer *w, int64_t value)
{
    if (value < 0)
        kr_write(w, "-");
    kr_write_unsigned(w, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void kr_write_number(kr_writer *w, double value)
{
    uint64_t bits = kr_bits_of_double(value), infinity = (uint64_t)0x7ff << 52;
    char     text[32];

    /* JSON has no such numbers: as transformers writes them, any reader takes the file. */
    if ((bits & infinity) == infinity) {
        kr_write(w, "{\"__float__\":\"");
        kr_write(w, value != value ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
        kr_write(w, "\"}");
        return;
    }
    kr_write_bytes(w, text, kr_number_print(value, text));
}

/* An escape for one byte below 0x20, a quote or a backslash. */
static void writer_escape(kr_writer *w, unsigned char byte)
{
    static const char from[] = "\"\\\b\f\n\r\t", into[] = "\"\\bfnrt", hex[] = "0123456789abcdef";
    const char       *found = byte ? strchr(from, byte) : NULL;
    char              escape[6] = { '\\', 'u', '0', '0', 0, 0 };

    if (found) {
        escape[1] = into[found - from];
        kr_write_bytes(w, escape, 2);
        return;
    }
    escape[4] = hex[byte >> 4];
    escape[5] = hex[byte & 15];
    kr_write_bytes(w, escape, 6);
}

void kr_write_text(kr_writer *w, const char *text, size_t count)
{
    size_t at = 0, plain = 0;   /* text[plain..at) needs no escape */

    kr_write(w, "\"");
    while (at < count) {
        unsigned char byte = (unsigned char)text[at];
        size_t        n = kr_json_utf8(text + at, count - at);

        if (n && byte >= 0x20 && byte != '"' && byte != '\\') {
            at += n;
            continue;
        }
        kr_write_bytes(w, text + plain, at - plain);
        if (n)
            writer_escape(w, byte);
        else
            kr_write(w, "\xef\xbf\xbd");
        plain = ++at;
    }
    if (at > plain)
        kr_write_bytes(w, text + plain, at - plain);
    kr_write(w, "\"");
}

/* Any value but an array or object that has members. */
static void writer_scalar(kr_writer *w, const kr_json *node)
{
    switch (node->kind) {
    case KR_JSON_BOOL:
        kr_write(w, node->flag ? "true" : "false");
        break;
    case KR_JSON_NUMBER:
        if (node->flag)
            kr_write_integer(w, node->integer);
        else
            kr_write_number(w, node->number);
        break;
    case KR_JSON_TEXT:
        kr_write_text(w, node->text, node->count);
        break;
    case KR_JSON_ARRAY:
        kr_write(w, node->first ? "null" : "[]");
        break;
    case KR_JSON_OBJECT:
        kr_write(w, node->first ? "null" : "{}");
        break;
    default:
        kr_write(w, "null");
    }
}

static void writer_key(kr_writer *w, const kr_json *parent, const kr_json *node)
{
    if (parent->kind != KR_JSON_OBJECT)
        return;
    kr_write_text(w, node->key, node->key_length);
    kr_write(w, ":");
}

void kr_write_json(kr_writer *w, const kr_json *node)
{
    const kr_json *parents[KR_JSON_DEPTH];
    int            depth = 0;

    for (;;) {
        int inside = node->kind == KR_JSON_ARRAY || node->kind == KR_JSON_OBJECT;

        if (inside && node->first && depth < KR_JSON_DEPTH) {
            kr_write(w, node->kind == KR_JSON_OBJECT ? "{" : "[");
            parents[depth++] = node;
            node = node->first;
            writer_key(w, parents[depth - 1], node);
            continue;
        }
        writer_scalar(w, node);
        while (depth > 0 && !node->next) {
            node = parents[--depth];
            kr_write(w, node->kind == KR_JSON_OBJECT ? "}" : "]");
        }
        if (depth == 0)
            return;
        node = node->next;
        kr_write(w, ",");
        writer_key(w, parents[depth - 1], node);
    }
}
