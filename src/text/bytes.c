/* bytes.c - byte tokens, out of one constant table: a token has an address to give. */
#include "text/bytes.h"

#define FOUR(n)    (n), (n) + 1, (n) + 2, (n) + 3
#define SIXTEEN(n) FOUR(n), FOUR((n) + 4), FOUR((n) + 8), FOUR((n) + 12)
#define ROW(n)     SIXTEEN(n), SIXTEEN((n) + 16), SIXTEEN((n) + 32), SIXTEEN((n) + 48)

static const unsigned char byte_table[KR_BYTES_COUNT] = {
    ROW(0), ROW(64), ROW(128), ROW(192)
};

#undef FOUR
#undef SIXTEEN
#undef ROW

krait_status kr_bytes_encode(const char *text, size_t bytes, int32_t *tokens,
                             size_t capacity, size_t *count)
{
    size_t i;

    if (!count || (bytes && !text) || (capacity && !tokens))
        return KRAIT_ERR_ARGUMENT;
    *count = bytes;
    if (capacity < bytes)
        return KRAIT_ERR_SPACE;
    for (i = 0; i < bytes; i++)
        tokens[i] = (unsigned char)text[i];
    return KRAIT_OK;
}

krait_status kr_bytes_token(int32_t token, const char **bytes, size_t *count)
{
    if (!bytes || !count || token < 0 || token >= KR_BYTES_COUNT)
        return KRAIT_ERR_ARGUMENT;
    *bytes = (const char *)&byte_table[token];
    *count = 1;
    return KRAIT_OK;
}
