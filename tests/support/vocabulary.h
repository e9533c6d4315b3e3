/*
 * vocabulary.h - small vocabularies of every byte, as tokenizer.json and as GGUF.
 *
 * Ids: the byte n is n; then the wholes of the merges "h e", "l l", "he ll", "\x20 w", in this order, 256
 * to 259; 260 is the special token <|end|>, 261 the added token of three spaces.
 */
#ifndef KR_TEST_VOCABULARY_H
#define KR_TEST_VOCABULARY_H

#include "support/bytes.h"

enum { VOCABULARY_COUNT = 262 };

/* Parts of the file put in place of the usual ones; NULL: those. */
typedef struct vocabulary_json {
    const char *normalizer, *pre_tokenizer, *post_processor, *decoder, *options, *merges, *added, *tokens;
} vocabulary_json;

bytes vocabulary_json_make(const vocabulary_json *parts);
/* A GGUF without tensors; pre NULL: no such key.  keys are put before its own, n of them. */
bytes vocabulary_gguf_make(const char *pre, const bytes *keys, size_t n, int merges);
/* Keys of a GGUF. */
void  vocabulary_key(bytes *b, const char *key, uint32_t type);
void  vocabulary_text(bytes *b, const char *text);
void  vocabulary_array(bytes *b, const char *key, uint32_t type, size_t count);

#endif
