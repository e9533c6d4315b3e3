/* bpe.c - byte-level byte pair encoding: every byte is a symbol, merges are ranked pairs of ids. */
#include "text/tokenizer.h"

int kr_bpe_bytes(krait_tokenizer *t, const uint8_t *wanted)
{
    size_t i;

    for (i = 0; i < 256; i++)
        t->of_byte[i] = -1;
    for (i = t->count; i-- > 0;)
        if (wanted[i] && t->first[i + 1] - t->first[i] == 1)
            t->of_byte[(unsigned char)t->bytes[t->first[i]]] = (int32_t)i;
    for (i = 0; i < 256; i++) {
        int never = i == 0xc0 || i == 0xc1 || i >= 0xf5;

        if (t->of_byte[i] < 0 && !never)
            return 0;
        t->lacks |= t->of_byte[i] < 0;
    }
    return 1;
}

static int bpe_merges(const void *user, const kr_symbol *left, const kr_symbol *right, uint32_t *rank,
                      int32_t *whole)
{
    const krait_tokenizer *t = user;
    const kr_merge        *merge = kr_pairs_find(&t->pairs, (uint32_t)left->id, (uint32_t)right->id);

    if (!merge)
        return 0;
    *rank = merge->rank;
    *whole = merge->whole;
    return 1;
}

krait_status kr_bpe_encode(kr_encoding *e, const char *word, size_t bytes)
{
    const krait_tokenizer *t = e->tokenizer;
    krait_status           status;
    kr_symbol             *symbols;
    size_t                 i;

    if (t->whole_words && bytes <= t->pieces.longest) {
        int32_t id = kr_pieces_find(&t->pieces, word, bytes);

        if (id >= 0) {
            kr_encoding_put(e, id);
            return KRAIT_OK;
        }
    }
    if ((status = kr_merge_reserve(&e->room, bytes, &e->memory)) != KRAIT_OK)
        return status;
    symbols = e->room.symbols;
    for (i = 0; i < bytes; i++)
        symbols[i] = (kr_symbol){ (uint32_t)i, 1, t->of_byte[(unsigned char)word[i]], 0, 0 };
    kr_merge_all(&e->room, bytes, bpe_merges, t);
    for (i = 0; i < bytes; i = symbols[i].behind)
        kr_encoding_put(e, symbols[i].id);
    return KRAIT_OK;
}
