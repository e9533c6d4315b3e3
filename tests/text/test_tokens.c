/* Texts that hurt: the ids that Hugging Face's tokenizers gave them, and the way back. */
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/recorded.h"
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

static void check_ids(const recorded *r, const int32_t *ids, size_t count)
{
    size_t i = 0;

    if (count == r->count && (count == 0 || memcmp(ids, r->ids, count * sizeof *ids) == 0))
        return;
    while (i < count && i < r->count && ids[i] == r->ids[i])
        i++;
    test_note("%zu bytes, %.60s: id %zu is %d, not %d", r->bytes, r->text, i, i < count ? (int)ids[i] : -1,
              i < r->count ? (int)r->ids[i] : -1);
    CHECK(!"the recorded ids");
}

static void check_recorded(const char *vocabulary)
{
    krait_tokenizer *t = opened(vocabulary);
    recorded         r;
    size_t           texts = 0;

    CHECK_OR_RETURN(t != NULL && recorded_open(&r, test_data("tests/golden/tokens/texts.bin")));
    while (recorded_next(&r) && test_failures() < 20) {
        size_t   count;
        int32_t *ids = encoded(t, r.text, r.bytes, r.special ? KRAIT_TEXT_SPECIAL : 0, &count);

        check_ids(&r, ids, count);
        free(ids);
        texts++;
    }
    test_note("%s", "");
    CHECK(r.at == r.size && texts >= LEAST_TEXTS);
    recorded_close(&r);
    krait_tokenizer_close(t);
}

TEST(tokens_recorded)
{
    const char *path = test_shared("data/20B_tokenizer.json");

    if (!path)
        SKIP("no ../shared: tokens_recorded_with_a_cut has the same texts");
    check_recorded(path);
}

TEST(tokens_recorded_with_a_cut)
{
    check_recorded(test_data("tests/golden/tokens/cut.json"));
}
