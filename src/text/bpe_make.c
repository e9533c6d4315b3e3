/* bpe_make.c - merges are written as texts and done as ids. */
#include "text/bpe_make.h"

krait_status kr_bpe_make_start(kr_bpe_make *make, const uint8_t *wanted, size_t most, size_t longest)
{
    const krait_tokenizer *t = make->tokenizer;
    kr_arena              *spare = make->source->spare;

    make->count = 0;
    make->merges = kr_arena_take(spare, most + 1, sizeof *make->merges);
    make->bytes = kr_arena_take(spare, longest + 1, 1);
    if (!make->merges || !make->bytes || most > UINT32_MAX)
        return KRAIT_ERR_MEMORY;
    return kr_pieces_make(&make->pieces, t->first, t->bytes, t->count, wanted, spare);
}

int kr_bpe_make_merge(kr_bpe_make *make, const char *left, size_t n_left, const char *right, size_t n_right)
{
    int     strange = 0;
    size_t  a = kr_tokens_undo_gpt2(left, n_left, make->bytes, &strange);
    size_t  b = kr_tokens_undo_gpt2(right, n_right, make->bytes + a, &strange);
    int32_t ids[3];

    ids[0] = kr_pieces_find(&make->pieces, make->bytes, a);
    ids[1] = kr_pieces_find(&make->pieces, make->bytes + a, b);
    ids[2] = kr_pieces_find(&make->pieces, make->bytes, a + b);
    if (strange || a == 0 || b == 0 || ids[0] < 0 || ids[1] < 0 || ids[2] < 0)
        return 0;
    make->merges[make->count] =
        (kr_merge){ (uint32_t)ids[0], (uint32_t)ids[1], (uint32_t)make->count, ids[2] };
    make->count++;
    return 1;
}

krait_status kr_bpe_make_end(kr_bpe_make *make, const uint8_t *wanted)
{
    krait_tokenizer *t = make->tokenizer;
    krait_status     status = kr_pairs_make(&t->pairs, make->merges, make->count, make->source->keep);

    if (status == KRAIT_OK && t->whole_words)
        status = kr_pieces_make(&t->pieces, t->first, t->bytes, t->count, wanted, make->source->keep);
    return status;
}
