/*
 * tokens.h - the vocabulary of a GGUF: what bytes each token stands for.
 *
 * Source: ggml's docs/gguf.md, keys tokenizer.ggml.*.  Turning text into tokens is not here.
 */
#ifndef KR_TOKENS_H
#define KR_TOKENS_H

#include "formats/json.h"

typedef struct kr_tokens {
    const char   *model;        /* "gpt2", "llama", ...; NULL: the file has no vocabulary */
    size_t        count;
    const size_t *first;        /* [count + 1] in bytes; NULL: a model whose bytes are not known here */
    const char   *bytes;        /* of all tokens, one after another */
} kr_tokens;

/*
 * Reads and checks tokenizer.ggml.tokens, .scores and .token_type; metadata without tokens gives zeros.
 * 'most' is how many tokens there may be: padded models have fewer.  What is kept lies in 'arena' and
 * takes no more than a constant times what it takes in the file.
 */
krait_status kr_tokens_read(kr_tokens *tokens, const kr_json *metadata, size_t most, const char *what,
                            kr_arena *arena, krait_message *message);
/* KRAIT_ERR_UNSUPPORTED: no vocabulary of a known model; KRAIT_ERR_ARGUMENT: no such token in it. */
krait_status kr_tokens_bytes(const kr_tokens *tokens, int32_t token, const char **bytes, size_t *count);

#endif
