/* decode.c - ids back to text, whole or as they come. */
#include <string.h>

#include "text/tokenizer.h"
#include "text/unicode.h"

/* The bytes of a token as text has them: special ones none, and no space before the first of a text. */
static krait_status decode_token(const krait_tokenizer *t, int32_t token, int32_t flags, int *begun,
                                 const char **bytes, size_t *count)
{
    int32_t      what;
    krait_status status = kr_tokenizer_token(t, token, bytes, count, &what);

    if (status != KRAIT_OK)
        return status;
    if ((what & KRAIT_TOKEN_SPECIAL) && !(flags & KRAIT_TEXT_SPECIAL)) {
        *count = 0;
        return KRAIT_OK;
    }
    if (!*begun && *count > 0) {
        if (t->prefix && !(what & KRAIT_TOKEN_SPECIAL) && !(flags & KRAIT_TEXT_GOES_ON) && **bytes == ' ') {
            ++*bytes;
            --*count;
        }
        *begun = 1;
    }
    return KRAIT_OK;
}

krait_status kr_decode_all(const krait_tokenizer *t, const int32_t *tokens, size_t n, int32_t flags, char *text,
                           size_t capacity, size_t *count)
{
    size_t needed = 0, i;
    int    begun = 0;

    *count = 0;
    for (i = 0; i < n; i++) {
        const char  *bytes;
        size_t       length;
        krait_status status = decode_token(t, tokens[i], flags, &begun, &bytes, &length);

        if (status != KRAIT_OK)
            return status;
        if (needed < capacity)
            memcpy(text + needed, bytes, kr_min(length, capacity - needed));
        if (!kr_add_fits(needed, length, &needed))
            return KRAIT_ERR_ARGUMENT;
    }
    *count = needed;
    return needed <= capacity ? KRAIT_OK : KRAIT_ERR_SPACE;
}

krait_status kr_decode_next(const krait_tokenizer *t, krait_decoder *decoder, int32_t token, int32_t flags,
                            char *text, size_t capacity, size_t *count)
{
    const char  *bytes = "";
    size_t       length = 0, held = decoder->count, total, keep, from, i;
    int          begun = decoder->begun != 0;
    char         tail[6];
    krait_status status = KRAIT_OK;

    *count = 0;
    if (held > 3)
        return KRAIT_ERR_ARGUMENT;
    if (token != -1)
        status = decode_token(t, token, flags, &begun, &bytes, &length);
    if (status != KRAIT_OK)
        return status;
    if (!kr_add_fits(held, length, &total))
        return KRAIT_ERR_ARGUMENT;
    /* The last three bytes of what is held and of the token say how many have to wait. */
    from = total > 3 ? total - 3 : 0;
    for (i = from; i < total; i++)
        tail[i - from] = i < held ? (char)decoder->held[i] : bytes[i - held];
    keep = token == -1 ? 0 : kr_unicode_unfinished(tail, total - from);
    *count = total - keep;
    if (*count > capacity)
        return KRAIT_ERR_SPACE;
    for (i = 0; i < held && i < *count; i++)
        text[i] = (char)decoder->held[i];
    if (*count > held)
        memcpy(text + held, bytes, *count - held);
    for (i = 0; i < keep; i++)
        decoder->held[i] = (uint8_t)tail[total - from - keep + i];
    decoder->count = (uint8_t)keep;
    decoder->begun = (uint8_t)begun;
    return KRAIT_OK;
}
