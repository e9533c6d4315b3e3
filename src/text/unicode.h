/*
 * unicode.h - characters of UTF-8 and what tokenizers ask of them.
 *
 * Text may be any bytes: one that is no part of a character stands for itself, as KR_UNICODE_NONE.
 */
#ifndef KR_UNICODE_H
#define KR_UNICODE_H

#include "core/build.h"
#include "text/unicode_data.h"

#define KR_UNICODE_NONE 0xffffffffu

/* General categories L and N; White_Space; everything else, NONE too. */
typedef enum kr_unicode_class {
    KR_UNICODE_OTHER, KR_UNICODE_LETTER, KR_UNICODE_NUMBER, KR_UNICODE_SPACE
} kr_unicode_class;

enum { KR_UNICODE_CHANGES = 4 };

/* Bytes of the character at at[0..left), left > 0: at least 1. */
size_t kr_unicode_next(const char *at, size_t left, uint32_t *c);
/* Writes up to 4 bytes and returns how many. */
size_t kr_unicode_put(char *to, uint32_t c);

/* How many bytes at the end begin a character that is not there yet, 0..3. */
size_t kr_unicode_unfinished(const char *text, size_t bytes);

/* Its class, and KR_UNICODE_CHANGES if NFC may change it or what stands before it. */
KR_INLINE unsigned kr_unicode_bits(uint32_t c)
{
    unsigned two;

    if (c >= KR_UNICODE_LAST)
        return 0;
    two = kr_unicode_classes[kr_unicode_blocks[c / 128]][c % 128 / 2];
    return c & 1 ? two >> 4 : two & 15;
}

KR_INLINE kr_unicode_class kr_unicode_class_of(uint32_t c)
{
    return (kr_unicode_class)(kr_unicode_bits(c) & 3);
}

#endif
