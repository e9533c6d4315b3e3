/*
 * tokens.h - the vocabulary of a GGUF: what bytes each token stands for.
 *
 * Source: ggml's docs/gguf.md, keys tokenizer.ggml.*.  Turning text into tokens is in text/.
 */
#ifndef KR_TOKENS_H
#define KR_TOKENS_H

#include "core/reader.h"
#include "formats/json.h"

/* GGUF's tokenizer.ggml.token_type; UNDEFINED where the file says nothing. */
enum {
    KR_TOKENS_UNDEFINED, KR_TOKENS_NORMAL, KR_TOKENS_UNKNOWN, KR_TOKENS_CONTROL, KR_TOKENS_USER_DEFINED,
    KR_TOKENS_UNUSED, KR_TOKENS_BYTE,
    KR_TOKENS_STRANGE = 128     /* or'ed: gpt2, with characters that stand for no byte */
};

/* GGUF's types of elements. */
enum { KR_TOKENS_I32 = 5, KR_TOKENS_F32 = 6, KR_TOKENS_TEXT = 8 };

typedef struct kr_tokens {
    const char   *model;        /* "gpt2", "llama", ...; NULL: the file has no vocabulary */
    size_t        count;
    const size_t *first;        /* [count + 1] in bytes; NULL: a model whose bytes are not known here */
    const char   *bytes;        /* of all tokens, one after another */
    const uint8_t *types;       /* KR_TOKENS_...; of no array in the file: BYTE where it is written so */
} kr_tokens;

/*
 * Reads and checks tokenizer.ggml.tokens, .scores and .token_type; metadata without tokens gives zeros.
 * 'most' is how many tokens there may be: padded models have fewer.  What is kept lies in 'arena' and
 * takes no more than a constant times what it takes in the file.
 */
krait_status kr_tokens_read(kr_tokens *tokens, const kr_json *metadata, size_t most, const char *what,
                            kr_arena *arena, krait_message *message);
/*
 * An array of such elements, short or long; without that key it is empty.  The format has checked the
 * elements.  KRAIT_ERR_FORMAT: it is something else.
 */
typedef struct kr_tokens_array {
    kr_reader in;               /* at the first element */
    size_t    count;
} kr_tokens_array;
krait_status kr_tokens_find(kr_tokens_array *array, const kr_json *metadata, const char *key, uint32_t type,
                            const char *what, krait_message *message);
/*
 * Text in GPT-2's alphabet as the bytes that it stands for, never more than 'length'; what is no character
 * of it stays, and *strange is set then.
 */
size_t       kr_tokens_undo_gpt2(const char *text, size_t length, char *to, int *strange);
/* KRAIT_ERR_UNSUPPORTED: no vocabulary of a known model; KRAIT_ERR_ARGUMENT: no such token in it. */
krait_status kr_tokens_bytes(const kr_tokens *tokens, int32_t token, const char **bytes, size_t *count);

#endif
