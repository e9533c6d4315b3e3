/* The normal form, characters and words by hand; tokens_recorded has thousands more. */
#include <string.h>

#include "test.h"
#include "text/nfc.h"
#include "text/split.h"
#include "text/unicode.h"

TEST(nfc_by_hand)
{
    static const char *const cases[][2] = {
        { "", "" }, { "plain", "plain" }, { "\xc3\xa9", "\xc3\xa9" }, { "e\xcc\x81", "\xc3\xa9" },
        { "\xcc\x81" "e", "\xcc\x81" "e" },
        { "q\xcc\x87\xcc\xa3", "q\xcc\xa3\xcc\x87" },                       /* marks in their order */
        { "\xe1\xb8\x8b\xcc\xa3", "\xe1\xb8\x8d\xcc\x87" },                 /* d + dot above + below */
        { "\xe2\x84\xab", "\xc3\x85" },                                     /* angstrom */
        { "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c" },         /* hangul */
        { "\xed\x95\x98\xe1\x86\xab", "\xed\x95\x9c" },
        { "\xe0\xa5\x98", "\xe0\xa4\x95\xe0\xa4\xbc" },                     /* excluded from composing */
        { "\xf0\x9d\x85\x9e", "\xf0\x9d\x85\x97\xf0\x9d\x85\xa5" },         /* longer than before */
        { "e\xff\xcc\x81", "e\xff\xcc\x81" }, { "e\xcc", "e\xcc" },         /* no UTF-8 between */
        { "a\xcc\x81\xcc\x81 a\xcc\x81", "\xc3\xa1\xcc\x81 \xc3\xa1" },
    };
    kr_memory memory;

    kr_memory_start(&memory, NULL, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kr_nfc nfc;

        test_note("case %zu", i);
        CHECK_STATUS(kr_nfc_make(&nfc, cases[i][0], strlen(cases[i][0]), &memory), KRAIT_OK);
        if (CHECK_U64(nfc.bytes, strlen(cases[i][1])))
            CHECK_BYTES(nfc.text, cases[i][1], nfc.bytes);
        kr_nfc_free(&nfc, &memory);
    }
    test_note("%s", "");
    CHECK_U64(memory.held, 0);
}

TEST(unicode_characters)
{
    uint32_t c;
    char     text[4];

    for (uint32_t want = 0; want < 0x110000; want += want < 0x900 ? 1 : 61) {
        size_t n = kr_unicode_put(text, want);

        if (want >= 0xd800 && want < 0xe000)
            continue;
        if (!CHECK_U64(kr_unicode_next(text, n, &c), n) || !CHECK_U64(c, want))
            return;
        CHECK_U64(kr_unicode_unfinished(text, n), 0);
        for (size_t cut = 1; cut < n; cut++) {
            CHECK_U64(kr_unicode_next(text, cut, &c), 1);
            CHECK(c == KR_UNICODE_NONE);
            CHECK_U64(kr_unicode_unfinished(text, cut), cut);
        }
    }
    CHECK_INT(kr_unicode_class_of('a'), KR_UNICODE_LETTER);
    CHECK_INT(kr_unicode_class_of(0x664), KR_UNICODE_NUMBER);
    CHECK_INT(kr_unicode_class_of(0x3000), KR_UNICODE_SPACE);
    CHECK_INT(kr_unicode_class_of(0x1c), KR_UNICODE_OTHER);
    CHECK_INT(kr_unicode_class_of(0x323af), KR_UNICODE_LETTER);
    CHECK_INT(kr_unicode_class_of(KR_UNICODE_NONE), KR_UNICODE_OTHER);
}

/* Words with | between. */
static void check_words(const char *text, const char *words)
{
    char   got[256];
    size_t length = strlen(text), at = 0, put = 0;

    while (at < length) {
        size_t n = kr_split_next(text + at, length - at);

        if (put)
            got[put++] = '|';
        memcpy(got + put, text + at, n);
        put += n;
        at += n;
    }
    got[put] = '\0';
    CHECK_STR(got, words);
}

TEST(split_by_hand)
{
    check_words("Hello, it's 42km", "Hello|,| it|'s| 42|km");
    check_words("a  b   c ", "a| | b|  | c| ");
    check_words("a\n\n  b\t", "a|\n\n | b|\t");
    check_words("'re're'S'", "'re|'re|'|S|'");
    check_words(" 's ''ll", " '|s| ''|ll");
    check_words("\xc2\xa0x \xe2\x80\x89 y", "\xc2\xa0|x| \xe2\x80\x89| y");
    check_words("  ", "  ");
    check_words("a\xff\xff 1\xcc\x81", "a|\xff\xff| 1|\xcc\x81");
}
