/* split.c - the pattern as a scanner: one look ahead, no going back. */
#include "text/split.h"

#include <string.h>

#include "text/unicode.h"

/* Bytes of "'s" and its like at the beginning, or 0. */
static size_t contraction(const char *text, size_t bytes)
{
    static const char words[][3] = { "s", "t", "re", "ve", "m", "ll", "d" };
    size_t            i;

    if (text[0] != '\'')
        return 0;
    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = strlen(words[i]);

        if (bytes > n && memcmp(text + 1, words[i], n) == 0)
            return 1 + n;
    }
    return 0;
}

/* Where the characters of that class end which begin at 'at'; *last is where the last one begins. */
static size_t class_end(const char *text, size_t bytes, size_t at, kr_unicode_class wanted, size_t *last)
{
    uint32_t c;

    while (at < bytes) {
        size_t n = kr_unicode_next(text + at, bytes - at, &c);

        if (kr_unicode_class_of(c) != wanted)
            break;
        *last = at;
        at += n;
    }
    return at;
}

size_t kr_split_next(const char *text, size_t bytes)
{
    size_t           at = contraction(text, bytes), last = 0, end;
    kr_unicode_class wanted;
    uint32_t         c;

    if (at)
        return at;
    if (text[0] == ' ' && bytes > 1) {
        kr_unicode_next(text + 1, bytes - 1, &c);
        at = kr_unicode_class_of(c) != KR_UNICODE_SPACE;
    }
    kr_unicode_next(text + at, bytes - at, &c);
    wanted = kr_unicode_class_of(c);
    end = class_end(text, bytes, at, wanted, &last);
    /* The last of several spaces belongs to the word behind them. */
    return wanted == KR_UNICODE_SPACE && end < bytes && last > 0 ? last : end;
}
