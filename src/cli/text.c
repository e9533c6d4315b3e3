/*
 * text.c - a token may be part of a character: what could become one waits for more.
 *
 * Bytes that can be no part of UTF-8 go out as they are; they hold nothing up.
 */
#include "cli/text.h"

#include <stdio.h>

/* How many bytes the character takes that begins with this byte; 1 if none does. */
static size_t wanted(unsigned char lead)
{
    return lead < 0xc2 || lead > 0xf4 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static void put_bytes(const text_stream *stream, const char *bytes, size_t count)
{
    size_t i;

    if (!stream->terminal) {
        fwrite(bytes, 1, count, stdout);
        return;
    }
    for (i = 0; i < count; i++) {
        unsigned char c = (unsigned char)bytes[i];

        putchar((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : c);
    }
}

void text_put(text_stream *stream, const char *bytes, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (stream->count && (c & 0xc0) != 0x80)
            text_end(stream);           /* the character was broken off */
        if (!stream->count && wanted(c) == 1) {
            put_bytes(stream, &bytes[i], 1);
            continue;
        }
        stream->held[stream->count++] = bytes[i];
        if (stream->count == wanted((unsigned char)stream->held[0]))
            text_end(stream);
    }
    fflush(stdout);
}

void text_end(text_stream *stream)
{
    put_bytes(stream, stream->held, stream->count);
    stream->count = 0;
}
