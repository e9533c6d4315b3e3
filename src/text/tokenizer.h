/*
 * tokenizer.h - what a krait_tokenizer is: one never changes once made.
 *
 *     text -> added tokens cut out -> normal form -> words -> symbols, merged -> ids
 *             added.c                 nfc.c          split.c  bpe.c, spm.c; merge.c
 *
 * Readers: tokenizer_json.c for tokenizer.json, tokenizer_gguf.c for tokenizer.ggml.*.
 */
#ifndef KR_TOKENIZER_H
#define KR_TOKENIZER_H

#include "formats/tokens.h"
#include "text/added.h"
#include "text/merge.h"
#include "text/table.h"

typedef enum kr_tokenizer_kind {
    KR_TOKENIZER_BYTES,         /* token n is the byte n */
    KR_TOKENIZER_BPE,           /* byte-level, merges by rank */
    KR_TOKENIZER_SPM            /* characters, merges by score, bytes for what has no token */
} kr_tokenizer_kind;

enum { KR_TOKENIZER_AROUND = 8 };       /* tokens before a text, and behind it */
enum { KR_TOKEN_NONE = 128 };           /* flag of an id between others that has no token */

struct krait_tokenizer {
    kr_memory         memory;   /* where it lies, unless a model holds it; encoding allocates from a copy */
    kr_arena          arena;
    kr_tokenizer_kind kind;
    const char       *why;      /* it cannot encode; NULL: it can */
    size_t            count;    /* ids are 0..count-1 */
    const size_t     *first;    /* [count + 1] in 'bytes' */
    const char       *bytes;    /* of all tokens, as they are decoded */
    uint8_t          *flags;    /* KRAIT_TOKEN_..., KR_TOKEN_NONE */
    int32_t           of_byte[256];
    int32_t           begin, end, unknown;      /* -1: none */
    int32_t           before[KR_TOKENIZER_AROUND], behind[KR_TOKENIZER_AROUND];
    size_t            n_before, n_behind;
    kr_added_set      raw;      /* cut out of the text as it is */
    kr_added_set      normal;   /* and out of its normal form */
    uint8_t           nfc, splits, prefix;      /* prefix: a space is put before a text */
    uint8_t           lacks;    /* some byte that no UTF-8 holds has no token */
    uint8_t           whole_words;              /* BPE: a word that is a token does not get merged */
    uint8_t           cuts;     /* SPM: no token has a space behind something else */
    kr_pairs          pairs;    /* BPE */
    kr_pieces         pieces;   /* SPM; BPE with whole_words */
    const uint32_t   *order;    /* SPM: of a token's score, lower is better */
};

/* Of bytes, for models without another vocabulary. */
const krait_tokenizer *kr_tokenizer_of_bytes(void);

/* A text on its way to ids. */
typedef struct kr_encoding {
    const krait_tokenizer *tokenizer;
    kr_memory      memory;
    kr_merge_room  room;
    int32_t       *tokens;
    size_t         capacity, count;
    int            special, goes_on;
} kr_encoding;

KR_INLINE void kr_encoding_put(kr_encoding *e, int32_t token)
{
    if (e->count < e->capacity)
        e->tokens[e->count] = token;
    e->count++;
}

/* bpe.c: one word.  spm.c: text between added tokens; 'starts': a space belongs before it. */
krait_status kr_bpe_encode(kr_encoding *e, const char *word, size_t bytes);
krait_status kr_spm_encode(kr_encoding *e, const char *text, size_t bytes, int starts);

/* As krait_tokenizer_encode(). */
krait_status kr_tokenizer_encode(const krait_tokenizer *t, const char *text, size_t bytes, int32_t flags,
                                 int32_t *tokens, size_t capacity, size_t *count);
/* KRAIT_ERR_ARGUMENT: no such token. */
krait_status kr_tokenizer_token(const krait_tokenizer *t, int32_t token, const char **bytes, size_t *count,
                                int32_t *flags);

/* Where a GGUF may have a tokenizer.json, as one text. */
#define KR_TOKENIZER_JSON_KEY "tokenizer.huggingface.json"

/* What a reader has; 'keep' is for what stays, 'spare' for what does not. */
typedef struct kr_tokenizer_source {
    const char    *what;        /* the file, for messages */
    kr_arena      *keep, *spare;
    krait_message *message;
} kr_tokenizer_source;

/*
 * tokenizer_gguf.c: of keys that kr_tokens_read() has read.  What cannot encode is no failure: it says why.
 * 'tokens' stays where it is; tokenizer->flags is set here.
 */
krait_status kr_tokenizer_of_gguf(krait_tokenizer *t, const kr_tokens *tokens, const kr_json *metadata,
                                  const kr_tokenizer_source *source);
/* tokenizer_json.c: KRAIT_ERR_UNSUPPORTED names the field that is not known here. */
krait_status kr_tokenizer_of_json(krait_tokenizer *t, const char *text, size_t length,
                                  const kr_tokenizer_source *source);
/* bpe.c: fills of_byte from single-byte tokens with wanted[id] and sets lacks; 0: a byte of UTF-8 has none. */
int          kr_bpe_bytes(krait_tokenizer *t, const uint8_t *wanted);
/* Fails with the sentence about a table. */
krait_status kr_tokenizer_table(const kr_tokenizer_source *source, krait_status status);

/* A tokenizer.json, a folder that holds one, or a GGUF; path NULL: bytes. */
krait_status kr_tokenizer_open(krait_tokenizer **tokenizer, const char *path, const void *bytes, size_t count,
                               const krait_tokenizer_options *options, krait_message *message);
void         kr_tokenizer_free(krait_tokenizer *t);

/* decode.c: as krait_tokenizer_decode() and krait_tokenizer_next(). */
krait_status kr_decode_all(const krait_tokenizer *t, const int32_t *tokens, size_t n, int32_t flags, char *text,
                           size_t capacity, size_t *count);
krait_status kr_decode_next(const krait_tokenizer *t, krait_decoder *decoder, int32_t token, int32_t flags,
                            char *text, size_t capacity, size_t *count);

#endif
