/*
 * nfc.c - only what may change is looked at: a run of such characters and the one before it.
 *
 * A code is a character in the lower 24 bits and its combining class above.
 */
#include "text/nfc.h"

#include <string.h>

#include "text/unicode.h"

enum {
    NFC_MOST_PARTS = 4,         /* of one character, taken apart as far as it goes */
    NFC_FEW        = 16         /* marks that are sorted by inserting */
};

/* Hangul syllables are composed by arithmetic: 19 leads, 21 vowels, 28 tails with none. */
enum {
    HANGUL_FIRST = 0xac00, HANGUL_LEAD = 0x1100, HANGUL_VOWEL = 0x1161, HANGUL_TAIL = 0x11a7,
    HANGUL_LEADS = 19, HANGUL_VOWELS = 21, HANGUL_TAILS = 28, HANGUL_COUNT = 11172
};

/* ---- tables ---- */

static uint32_t mark_rank(uint32_t c)
{
    size_t low = 0, high = KR_UNICODE_MARKS;

    while (low < high) {
        size_t                middle = low + (high - low) / 2;
        const kr_unicode_run *run = &kr_unicode_marks[middle];

        if (c < run->first)
            high = middle;
        else if (c - run->first > run->more)
            low = middle + 1;
        else
            return run->rank;
    }
    return 0;
}

static const kr_unicode_pair *parts_of(uint32_t c)
{
    size_t low = 0, high = KR_UNICODE_PAIRS;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (kr_unicode_pairs[middle].whole == c)
            return &kr_unicode_pairs[middle];
        if (kr_unicode_pairs[middle].whole < c)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The character that two make, or 0. */
static uint32_t whole_of(uint32_t a, uint32_t b)
{
    uint64_t key = (uint64_t)a << 32 | b;
    size_t   low = 0, high = KR_UNICODE_COMPOSITIONS;

    if (a - HANGUL_LEAD < HANGUL_LEADS && b - HANGUL_VOWEL < HANGUL_VOWELS)
        return HANGUL_FIRST + ((a - HANGUL_LEAD) * HANGUL_VOWELS + (b - HANGUL_VOWEL)) * HANGUL_TAILS;
    if (a - HANGUL_FIRST < HANGUL_COUNT && (a - HANGUL_FIRST) % HANGUL_TAILS == 0 &&
        b - HANGUL_TAIL - 1 < HANGUL_TAILS - 1)
        return a + (b - HANGUL_TAIL);
    while (low < high) {
        size_t                 middle = low + (high - low) / 2;
        const kr_unicode_pair *pair = &kr_unicode_pairs[kr_unicode_compositions[middle]];
        uint64_t               at = (uint64_t)pair->first << 32 | pair->second;

        if (at == key)
            return pair->whole;
        if (at < key)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* ---- one run ---- */

static uint32_t nfc_code_of(uint32_t c)
{
    return mark_rank(c) << 24 | c;
}

/* The codes of one character taken apart; returns how many.  Hangul stays: it would come back. */
static size_t take_apart(uint32_t c, uint32_t codes[NFC_MOST_PARTS])
{
    const kr_unicode_pair *pair;
    uint32_t               behind[NFC_MOST_PARTS];
    size_t                 n = 0, i;

    while ((pair = parts_of(c)) != NULL) {
        if (pair->second)
            behind[n++] = pair->second;
        c = pair->first;
    }
    codes[0] = nfc_code_of(c);
    for (i = 0; i < n; i++)
        codes[1 + i] = nfc_code_of(behind[n - 1 - i]);
    return n + 1;
}

/* Marks by their classes, those of one class in their order. */
static void sort_marks(uint32_t *codes, uint32_t *spare, size_t count)
{
    size_t first[257] = { 0 }, i, k;

    if (count <= NFC_FEW) {
        for (i = 1; i < count; i++) {
            uint32_t code = codes[i];

            for (k = i; k > 0 && codes[k - 1] >> 24 > code >> 24; k--)
                codes[k] = codes[k - 1];
            codes[k] = code;
        }
        return;
    }
    for (i = 0; i < count; i++)
        first[(codes[i] >> 24) + 1]++;
    for (i = 1; i < 257; i++)
        first[i] += first[i - 1];
    for (i = 0; i < count; i++)
        spare[first[codes[i] >> 24]++] = codes[i];
    memcpy(codes, spare, count * sizeof *codes);
}

static void order_marks(uint32_t *codes, uint32_t *spare, size_t count)
{
    size_t i, end;

    for (i = 0; i < count; i = end + 1) {
        for (end = i; end < count && codes[end] >> 24; end++)
            ;
        sort_marks(codes + i, spare, end - i);
    }
}

/* Put together what belongs together; returns how many codes are left. */
static size_t put_together(uint32_t *codes, size_t count)
{
    size_t   starter = 0, kept = 1, i;
    uint32_t last = codes[0] >> 24 ? 256 : 0;   /* class of the one before; 0: that is the starter */

    for (i = 1; i < count; i++) {
        uint32_t rank = codes[i] >> 24;
        uint32_t whole = last < rank || last == 0
                       ? whole_of(codes[starter] & 0xffffff, codes[i] & 0xffffff) : 0;

        if (whole) {
            codes[starter] = whole;
            continue;
        }
        if (rank == 0)
            starter = kept;
        last = rank;
        codes[kept++] = codes[i];
    }
    return kept;
}

/* ---- text ---- */

/* A run that has to be looked at: its bytes, and how many characters it has. */
typedef struct nfc_run { size_t begin, end, characters; } nfc_run;

/* The next one from 'from' on; 0: there is none. */
static int next_run(const char *text, size_t bytes, size_t from, nfc_run *run)
{
    size_t   before = from, at = from, n;
    int      firm = 0;                  /* a character stands before that may compose */
    uint32_t c;

    for (;; before = at, firm = c != KR_UNICODE_NONE, at += n) {
        while (at + 1 < bytes && (unsigned char)text[at] < 0x80 && (unsigned char)text[at + 1] < 0x80)
            at++;
        if (at >= bytes)
            return 0;
        n = kr_unicode_next(text + at, bytes - at, &c);
        if (kr_unicode_bits(c) & KR_UNICODE_CHANGES)
            break;
    }
    run->begin = firm ? before : at;
    run->characters = 1 + (size_t)firm;
    for (at += n; at < bytes; at += n, run->characters++) {
        n = kr_unicode_next(text + at, bytes - at, &c);
        if (!(kr_unicode_bits(c) & KR_UNICODE_CHANGES))
            break;
    }
    run->end = at;
    return 1;
}

/* Writes the run's normal form; returns its bytes. */
static size_t write_run(const char *text, const nfc_run *run, uint32_t *codes, char *to)
{
    uint32_t *spare = codes + NFC_MOST_PARTS * run->characters, c;
    size_t    count = 0, written = 0, at, i;

    for (at = run->begin; at < run->end;) {
        at += kr_unicode_next(text + at, run->end - at, &c);
        count += take_apart(c, codes + count);
    }
    order_marks(codes, spare, count);
    count = put_together(codes, count);
    for (i = 0; i < count; i++)
        written += kr_unicode_put(to + written, codes[i] & 0xffffff);
    return written;
}

krait_status kr_nfc_make(kr_nfc *nfc, const char *text, size_t bytes, kr_memory *memory)
{
    nfc_run   run;
    uint32_t *codes;
    char     *to;
    size_t    from = 0, longest = 0, room, most;

    *nfc = (kr_nfc){ text, bytes, NULL, 0 };
    while (next_run(text, bytes, from, &run)) {
        longest = run.characters > longest ? run.characters : longest;
        from = run.end;
    }
    if (longest == 0)
        return KRAIT_OK;
    if (!kr_mul_fits(longest, 2 * NFC_MOST_PARTS * sizeof *codes, &room) ||
        !kr_mul_fits(bytes, 3, &most) || !kr_add_fits(room, most, &nfc->room) ||
        !(nfc->block = kr_memory_take(memory, nfc->room, 16)))
        return KRAIT_ERR_MEMORY;
    codes = nfc->block;
    nfc->text = to = (char *)nfc->block + room;
    for (from = 0; next_run(text, bytes, from, &run); from = run.end) {
        memcpy(to, text + from, run.begin - from);
        to += run.begin - from;
        to += write_run(text, &run, codes, to);
    }
    memcpy(to, text + from, bytes - from);
    nfc->bytes = (size_t)(to - nfc->text) + (bytes - from);
    return KRAIT_OK;
}

void kr_nfc_free(kr_nfc *nfc, kr_memory *memory)
{
    kr_memory_give(memory, nfc->block, nfc->room, 16);
    nfc->block = NULL;
}
