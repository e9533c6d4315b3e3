/* Texts that hurt: the ids that Hugging Face's tokenizers gave them, and the way back. */
#include <stdlib.h>
#include <string.h>

#include "formats/json.h"
#include "krait.h"
#include "support/texts.h"
#include "support/tiny.h"
#include "test.h"

enum { LEAST_TEXTS = 2000 };

static krait_tokenizer *opened(const char *path)
{
    krait_message    why = { "" };
    krait_tokenizer *t = NULL;

    CHECK_STATUS(krait_tokenizer_open(&t, path, NULL, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    return t;
}

/* A block of exactly that size: a sanitizer sees what is written beyond. */
static int32_t *encoded(const krait_tokenizer *t, const char *text, size_t bytes, int32_t flags, size_t *count)
{
    int32_t     *ids;
    krait_status status = krait_tokenizer_encode(t, text, bytes, flags, NULL, 0, count);

    CHECK_STATUS(status, *count ? KRAIT_ERR_SPACE : KRAIT_OK);
    ids = malloc((*count ? *count : 1) * sizeof *ids);
    CHECK_STATUS(krait_tokenizer_encode(t, text, bytes, flags, ids, *count, count), KRAIT_OK);
    return ids;
}

/* Bytes of the text for a message: it has no end of its own. */
static int shown(const texts *r)
{
    return r->bytes < 40 ? (int)r->bytes : 40;
}

static void check_ids(const texts *r, const int32_t *ids, size_t count)
{
    size_t i = 0;

    if (count == r->count && (count == 0 || memcmp(ids, r->ids, count * sizeof *ids) == 0))
        return;
    while (i < count && i < r->count && ids[i] == r->ids[i])
        i++;
    test_note("%zu bytes, %.*s: id %zu is %d, not %d", r->bytes, shown(r), r->text, i, i < count ? (int)ids[i] : -1,
              i < r->count ? (int)r->ids[i] : -1);
    CHECK(!"the recorded ids");
}

static void check_recorded(const char *vocabulary, const char *texts_of, size_t least)
{
    krait_tokenizer *t = opened(vocabulary);
    texts            r;
    size_t           seen = 0;

    CHECK_OR_RETURN(t != NULL && texts_open(&r, test_data(texts_of)));
    while (texts_next(&r) && test_failures() < 20) {
        size_t   count;
        int32_t *ids = encoded(t, r.text, r.bytes, r.special ? KRAIT_TEXT_SPECIAL : 0, &count);

        check_ids(&r, ids, count);
        free(ids);
        seen++;
    }
    test_note("%s", "");
    CHECK(r.at == r.size && seen >= least);
    texts_close(&r);
    krait_tokenizer_close(t);
}

TEST(tokens_recorded)
{
    const char *path = test_shared("data/20B_tokenizer.json");

    if (!path)
        SKIP("no ../shared: tokens_recorded_with_a_cut has the same texts");
    check_recorded(path, "tests/golden/tokens/texts.bin", LEAST_TEXTS);
}

TEST(tokens_recorded_with_a_cut)
{
    check_recorded(test_data("tests/golden/tokens/cut.json"), "tests/golden/tokens/texts.bin", LEAST_TEXTS);
}

TEST(tokens_recorded_pieces)
{
    check_recorded(test_data("tests/golden/tokens/pieces-bytes.gguf"), "tests/golden/tokens/pieces-bytes.bin", 500);
    check_recorded(test_data("tests/golden/tokens/pieces-unknown.gguf"), "tests/golden/tokens/pieces-unknown.bin",
                   500);
}

/* The cut without its normal form: then what comes back is the text. */
static krait_tokenizer *without_nfc(void)
{
    static const char field[] = "{\"type\":\"NFC\"}";
    size_t            count = 0;
    char             *json = (char *)tiny_read(test_data("tests/golden/tokens/cut.json"), &count), *at;
    krait_tokenizer  *t = NULL;

    CHECK(json != NULL);
    json[count] = '\0';
    at = strstr(json, field);
    if (CHECK(at != NULL))
        memcpy(at, "null           ", sizeof field - 1);
    CHECK_STATUS(krait_tokenizer_open_memory(&t, json, count, NULL, NULL), KRAIT_OK);
    free(json);
    return t;
}

/* A byte that no UTF-8 holds, for which GPT-NeoX has no token. */
static int has_lacking(const texts *r)
{
    for (size_t i = 0; i < r->bytes; i++) {
        unsigned char c = (unsigned char)r->text[i];

        if (c == 0xc0 || c == 0xc1 || c >= 0xf5)
            return 1;
    }
    return 0;
}

static int is_utf8(const texts *r)
{
    for (size_t i = 0, n; i < r->bytes; i += n)
        if ((n = kr_json_utf8(r->text + i, r->bytes - i)) == 0)
            return 0;
    return 1;
}

/* Whole, and token by token, which never cuts a character. */
static void check_way_back(const krait_tokenizer *t, const texts *r, const int32_t *ids, size_t count, int whole)
{
    size_t        got = 0, at = 0, n;
    char         *text = malloc(r->bytes + 1), piece[600];
    krait_decoder decoder = { { 0 }, 0, 0, { 0 } };

    CHECK_STATUS(krait_tokenizer_decode(t, ids, count, KRAIT_TEXT_SPECIAL, NULL, 0, &got), r->bytes ? KRAIT_ERR_SPACE : KRAIT_OK);
    if (CHECK_U64(got, r->bytes)) {
        CHECK_STATUS(krait_tokenizer_decode(t, ids, count, KRAIT_TEXT_SPECIAL, text, got, &got), KRAIT_OK);
        CHECK_BYTES(text, r->text, got);
    }
    for (size_t i = 0; i <= count; i++) {
        CHECK_STATUS(krait_tokenizer_next(t, &decoder, i < count ? ids[i] : -1, KRAIT_TEXT_SPECIAL, piece,
                                          sizeof piece, &n), KRAIT_OK);
        CHECK(decoder.count <= 3);
        if (!CHECK(at + n <= r->bytes))
            break;
        CHECK_BYTES(piece, r->text + at, n);
        at += n;
        if (whole && i < count)
            CHECK(at == r->bytes || ((unsigned char)r->text[at] & 0xc0) != 0x80);
    }
    CHECK_U64(at, r->bytes);
    free(text);
}

TEST(tokens_come_back)
{
    krait_tokenizer *t = without_nfc();
    texts            r;

    CHECK_OR_RETURN(t != NULL && texts_open(&r, test_data("tests/golden/tokens/texts.bin")));
    while (texts_next(&r) && test_failures() < 20) {
        size_t   count;
        int32_t *ids;

        if (has_lacking(&r))
            continue;
        test_note("%zu bytes, %.*s", r.bytes, shown(&r), r.text);
        ids = encoded(t, r.text, r.bytes, 0, &count);
        check_way_back(t, &r, ids, count, is_utf8(&r));
        free(ids);
    }
    test_note("%s", "");
    texts_close(&r);
    krait_tokenizer_close(t);
}
