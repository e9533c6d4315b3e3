/*
 * text.h - tokens to the screen as they come, whole characters only.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stddef.h>

typedef struct text_stream {
    char   held[4];             /* the beginning of a character of UTF-8 */
    size_t count;
    int    terminal;            /* control characters do not go to terminals */
} text_stream;

/* All zero is a fresh stream, but 'terminal' wants setting. */
void text_put(text_stream *stream, const char *bytes, size_t count);
/* What is still held, whole or not. */
void text_end(text_stream *stream);

#endif /* CLI_TEXT_H */
