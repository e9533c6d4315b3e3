/*
 * spm.c - SentencePiece's byte pair encoding: the neighbours whose text has the best score merge.
 *
 * SentencePiece writes a space as U+2581; here both are a space.  A character without a token becomes its bytes' tokens, where the vocabulary has
 * them, else unknown, once for a run of them.  Source: SentencePiece, bpe_model.cc.
 */
#include <string.h>

#include "text/tokenizer.h"
#include "text/unicode.h"

/* What bytes a symbol's text begins at: symbols know places alone. */
typedef struct spm_text {
    const krait_tokenizer *tokenizer;
    const char            *text;
} spm_text;

static int spm_merges(const void *user, const kr_symbol *left, const kr_symbol *right, uint32_t *rank,
                      int32_t *whole)
{
    const spm_text  *s = user;
    const kr_pieces *pieces = &s->tokenizer->pieces;
    size_t           length = (size_t)left->length + right->length;

    if (length > pieces->longest)
        return 0;
    *whole = kr_pieces_find(pieces, s->text + left->begin, length);
    if (*whole < 0)
        return 0;
    *rank = s->tokenizer->order[*whole];
    return 1;
}

/* 1 if it was written as unknown. */
static int put_symbol(kr_encoding *e, const char *text, const kr_symbol *symbol, int was_unknown)
{
    const krait_tokenizer *t = e->tokenizer;
    uint32_t               i;

    if (symbol->id >= 0) {
        kr_encoding_put(e, symbol->id);
        return 0;
    }
    for (i = 0; i < symbol->length; i++)
        if (t->of_byte[(unsigned char)text[symbol->begin + i]] < 0) {
            if (!was_unknown)
                kr_encoding_put(e, t->unknown);
            return 1;
        }
    for (i = 0; i < symbol->length; i++)
        kr_encoding_put(e, t->of_byte[(unsigned char)text[symbol->begin + i]]);
    return 0;
}

/* One stretch; the last symbol's being unknown goes from one call to the next. */
static krait_status merge_pieces(kr_encoding *e, const char *text, size_t bytes, int *unknown)
{
    spm_text     s = { e->tokenizer, text };
    krait_status status = kr_merge_reserve(&e->room, bytes, &e->memory);
    kr_symbol   *symbols = e->room.symbols;
    size_t       count = 0, at, n;
    uint32_t     c;

    if (status != KRAIT_OK)
        return status;
    for (at = 0; at < bytes; at += n) {
        n = kr_unicode_next(text + at, bytes - at, &c);
        symbols[count++] = (kr_symbol){ (uint32_t)at, (uint32_t)n,
                                        kr_pieces_find(&e->tokenizer->pieces, text + at, n), 0, 0 };
    }
    kr_merge_all(&e->room, count, spm_merges, &s);
    for (at = 0; at < count; at = symbols[at].behind)
        *unknown = put_symbol(e, text, &symbols[at], *unknown);
    return KRAIT_OK;
}

/* Where to cut first: before a space that follows something else.  No token goes over it. */
static size_t cut_length(const char *text, size_t bytes)
{
    size_t at = 0;

    while (at < bytes && text[at] == ' ')
        at++;
    while (at < bytes && text[at] != ' ')
        at++;
    return at;
}

krait_status kr_spm_encode(kr_encoding *e, const char *text, size_t bytes, int starts)
{
    size_t       room, written = 0, i;
    char        *spaced;
    krait_status status = KRAIT_OK;
    int          unknown = 0;

    if (!kr_add_fits(bytes, 1, &room) || !(spaced = kr_memory_take(&e->memory, room, 16)))
        return KRAIT_ERR_MEMORY;
    if (starts)
        spaced[written++] = ' ';
    for (i = 0; i < bytes; i++)
        if (bytes - i >= 3 && memcmp(text + i, "\xe2\x96\x81", 3) == 0) {
            spaced[written++] = ' ';
            i += 2;
        } else {
            spaced[written++] = text[i];
        }
    for (i = 0; i < written && status == KRAIT_OK;) {
        size_t n = e->tokenizer->cuts ? cut_length(spaced + i, written - i) : written - i;

        status = merge_pieces(e, spaced + i, n, &unknown);
        i += n;
    }
    kr_memory_give(&e->memory, spaced, room, 16);
    return status;
}
