/*
 * bpe_make.h - a table of merges out of the texts that files write them in.
 */
#ifndef KR_BPE_MAKE_H
#define KR_BPE_MAKE_H

#include "text/tokenizer.h"

typedef struct kr_bpe_make {
    krait_tokenizer *tokenizer; /* count, first and bytes are set */
    const kr_tokenizer_source *source;
    kr_pieces pieces;           /* of the tokens that merges are about */
    kr_merge *merges;
    size_t    count;
    char     *bytes;            /* of one merge, undone */
} kr_bpe_make;

/*
 * For 'most' merges of up to 'longest' bytes; wanted[id]: merges may be about it.  KRAIT_ERR_MEMORY, or
 * KRAIT_ERR_UNSUPPORTED as in table.h.
 */
krait_status kr_bpe_make_start(kr_bpe_make *make, const uint8_t *wanted, size_t most, size_t longest);
/* The next merge, as GPT-2's alphabet has it, at left and right; 0: it is about no token that is there. */
int          kr_bpe_make_merge(kr_bpe_make *make, const char *left, size_t n_left, const char *right,
                               size_t n_right);
/* The tokenizer's pairs, and its pieces if it takes whole words. */
krait_status kr_bpe_make_end(kr_bpe_make *make, const uint8_t *wanted);

#endif
