/* test_bytes.c - every byte is a token and comes back as itself. */
#include "test.h"

#include <string.h>

#include "text/bytes.h"

TEST(bytes_round_trip)
{
    char        text[256];
    const char *bytes;
    int32_t     tokens[256];
    size_t      count, i;

    for (i = 0; i < 256; i++)
        text[i] = (char)(unsigned char)i;
    CHECK_STATUS(kr_bytes_encode(text, 256, tokens, 256, &count), KRAIT_OK);
    CHECK_U64(count, 256);
    for (i = 0; i < 256; i++) {
        CHECK_INT(tokens[i], (int)i);
        CHECK_STATUS(kr_bytes_token(tokens[i], &bytes, &count), KRAIT_OK);
        CHECK_U64(count, 1);
        CHECK_BYTES(bytes, &text[i], 1);
    }
}

TEST(bytes_refused)
{
    int32_t     tokens[4] = { -7, -7, -7, -7 };
    const char *bytes;
    size_t      count = 9;

    CHECK_STATUS(kr_bytes_encode("abcd", 4, tokens, 3, &count), KRAIT_ERR_SPACE);
    CHECK_U64(count, 4);
    CHECK_INT(tokens[0], -7);
    CHECK_STATUS(kr_bytes_encode("abcd", 4, NULL, 0, &count), KRAIT_ERR_SPACE);
    CHECK_STATUS(kr_bytes_encode("", 0, NULL, 0, &count), KRAIT_OK);
    CHECK_U64(count, 0);
    CHECK_STATUS(kr_bytes_encode(NULL, 4, tokens, 4, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(kr_bytes_encode("abcd", 4, NULL, 4, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(kr_bytes_encode("abcd", 4, tokens, 4, NULL), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(kr_bytes_token(-1, &bytes, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(kr_bytes_token(256, &bytes, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(kr_bytes_token(0, NULL, &count), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(kr_bytes_token(0, &bytes, NULL), KRAIT_ERR_ARGUMENT);
}
