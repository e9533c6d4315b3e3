/*
 * tokenizer_gguf.c - tokenizer.ggml.*: "gpt2" with merges, "llama" with scores.
 *
 * Source: ggml's docs/gguf.md.  Normal forms are not in a GGUF: they follow from tokenizer.ggml.pre.
 */
#include <string.h>

#include "core/bits.h"
#include "text/bpe_make.h"

/*
 * Names of tokenizer.ggml.pre whose pattern is that of split.h.  A GGUF of GPT-NeoX's vocabulary has
 * "mpt", "olmo" or none: it wants NFC, as its tokenizer.json says; GPT-2's does not.
 */
static const struct gguf_pattern { const char *name; int nfc; } gguf_patterns[] = {
    { "gpt-2", 0 }, { "phi-2", 0 }, { "jais", 0 }, { "mpt", 1 }, { "olmo", 1 }
};

typedef struct gguf_vocabulary {
    krait_tokenizer           *t;
    const kr_tokens           *tokens;
    const kr_json             *metadata;
    const kr_tokenizer_source *source;
    uint8_t                   *wanted;  /* tokens that text is merged into */
} gguf_vocabulary;

static int32_t gguf_id(const gguf_vocabulary *v, const char *key)
{
    const kr_json *node = kr_json_get(v->metadata, key);

    if (!node || node->kind != KR_JSON_NUMBER || !node->flag || node->integer < 0 ||
        (uint64_t)node->integer >= v->tokens->count)
        return -1;
    return (int32_t)node->integer;
}

static int gguf_switch(const gguf_vocabulary *v, const char *key, int otherwise)
{
    const kr_json *node = kr_json_get(v->metadata, key);

    return node && node->kind == KR_JSON_BOOL ? node->flag : otherwise;
}

static uint8_t gguf_flags(uint8_t type)
{
    switch (type & ~KR_TOKENS_STRANGE) {
    case KR_TOKENS_UNKNOWN:      return KRAIT_TOKEN_SPECIAL | KRAIT_TOKEN_UNKNOWN;
    case KR_TOKENS_CONTROL:      return KRAIT_TOKEN_SPECIAL | KRAIT_TOKEN_ADDED;
    case KR_TOKENS_USER_DEFINED: return KRAIT_TOKEN_ADDED;
    case KR_TOKENS_UNUSED:       return KRAIT_TOKEN_UNUSED;
    case KR_TOKENS_BYTE:         return KRAIT_TOKEN_BYTE;
    default:                     return 0;
    }
}

/* Control tokens are looked for in the text as it is, user-defined ones in its normal form. */
static krait_status gguf_added(gguf_vocabulary *v)
{
    krait_tokenizer *t = v->t;
    kr_added        *lists[2];
    size_t           counts[2] = { 0, 0 }, i;
    krait_status     status;

    for (i = 0; i < t->count; i++)
        counts[(t->flags[i] & KRAIT_TOKEN_SPECIAL) == 0] += (t->flags[i] & KRAIT_TOKEN_ADDED) != 0;
    lists[0] = kr_arena_take(v->source->keep, counts[0] + 1, sizeof **lists);
    lists[1] = kr_arena_take(v->source->keep, counts[1] + 1, sizeof **lists);
    if (!lists[0] || !lists[1])
        return KRAIT_ERR_MEMORY;
    counts[0] = counts[1] = 0;
    for (i = 0; i < t->count; i++) {
        size_t length = t->first[i + 1] - t->first[i];
        int    normal = (t->flags[i] & KRAIT_TOKEN_SPECIAL) == 0;

        if (!(t->flags[i] & KRAIT_TOKEN_ADDED) || length == 0)
            continue;
        if (length > KR_ADDED_LONGEST)
            t->why = "an added token is longer than 1024 bytes";
        else
            lists[normal][counts[normal]++] = (kr_added){ t->bytes + t->first[i], length, (int32_t)i,
                                                          (uint8_t)!normal, 0, 0 };
    }
    status = kr_added_make(&t->raw, lists[0], counts[0], v->source->spare);
    return status == KRAIT_OK ? kr_added_make(&t->normal, lists[1], counts[1], v->source->spare) : status;
}

/* ---- gpt2 ---- */

static void gguf_choose_pattern(gguf_vocabulary *v)
{
    const kr_json *pre = kr_json_get(v->metadata, "tokenizer.ggml.pre");
    size_t         i;

    v->t->nfc = 1;
    v->t->splits = 1;
    for (i = 0; pre && i < sizeof gguf_patterns / sizeof gguf_patterns[0]; i++)
        if (kr_json_is(pre, gguf_patterns[i].name)) {
            v->t->nfc = (uint8_t)gguf_patterns[i].nfc;
            return;
        }
    if (pre)
        v->t->why = "tokenizer.ggml.pre names a pattern that krait does not have";
}

/* "left right": where the space between is, or 0. */
static size_t gguf_gap(const char *text, size_t length)
{
    const char *gap = length > 1 ? memchr(text + 1, ' ', length - 1) : NULL;

    return gap ? (size_t)(gap - text) : 0;
}

static krait_status gguf_merges(gguf_vocabulary *v, kr_tokens_array *array)
{
    kr_bpe_make   make = { .tokenizer = v->t, .source = v->source };
    kr_reader     in = array->in;
    uint64_t      longest = 0, length, i;
    krait_status  status;

    for (i = 0; i < array->count; i++) {
        length = kr_read_u64(&in);
        kr_read_bytes(&in, length);
        longest = length > longest ? length : longest;
    }
    if ((status = kr_bpe_make_start(&make, v->wanted, array->count, (size_t)longest)) != KRAIT_OK)
        return status;
    for (i = 0; i < array->count; i++) {
        const char *text;
        size_t      gap;

        length = kr_read_u64(&array->in);
        text = (const char *)kr_read_bytes(&array->in, length);
        gap = text ? gguf_gap(text, (size_t)length) : 0;
        if (!gap || !kr_bpe_make_merge(&make, text, gap, text + gap + 1, (size_t)length - gap - 1)) {
            v->t->why = "a merge in tokenizer.ggml.merges is not of two tokens that make a third";
            return KRAIT_OK;
        }
    }
    return kr_bpe_make_end(&make, v->wanted);
}

static krait_status gguf_bpe(gguf_vocabulary *v)
{
    kr_tokens_array merges;
    krait_status    status = kr_tokens_find(&merges, v->metadata, "tokenizer.ggml.merges", KR_TOKENS_TEXT,
                                            v->source->what, v->source->message);
    size_t          i;

    if (status != KRAIT_OK)
        return status;
    v->t->kind = KR_TOKENIZER_BPE;
    for (i = 0; i < v->t->count; i++)
        v->wanted[i] = v->tokens->types[i] == KR_TOKENS_NORMAL || v->tokens->types[i] == KR_TOKENS_UNDEFINED;
    gguf_choose_pattern(v);
    if (!kr_json_get(v->metadata, "tokenizer.ggml.merges"))
        v->t->why = "tokenizer.ggml.merges is missing";
    else if (!kr_bpe_bytes(v->t, v->wanted))
        v->t->why = "some byte has no token";
    return v->t->why ? KRAIT_OK : kr_tokenizer_table(v->source, gguf_merges(v, &merges));
}

/* ---- llama ---- */

/* Scores as whole numbers, lower the better; one that is no number cannot be ordered. */
static krait_status gguf_order(gguf_vocabulary *v, kr_tokens_array *scores)
{
    uint32_t *order = kr_arena_take(v->source->keep, v->t->count + 1, sizeof *order);
    size_t    i;

    if (!order)
        return kr_fail_memory(v->source->message);
    for (i = 0; i < v->t->count; i++) {
        float    score = kr_float_of(kr_read_u32(&scores->in)) + 0.0f;
        uint32_t bits = kr_bits_of(score);

        if (score != score)
            v->t->why = "tokenizer.ggml.scores holds what is no number";
        order[i] = bits & 0x80000000u ? bits : 0x7fffffffu - bits;
    }
    v->t->order = order;
    return KRAIT_OK;
}

/* Is there no token with a space behind something else? */
static int gguf_cuts(const gguf_vocabulary *v)
{
    const krait_tokenizer *t = v->t;
    size_t                 i, at;

    for (i = 0; i < t->count; i++)
        for (at = t->first[i] + 1; v->wanted[i] && at < t->first[i + 1]; at++)
            if (t->bytes[at] == ' ' && t->bytes[at - 1] != ' ')
                return 0;
    return 1;
}

static krait_status gguf_spm(gguf_vocabulary *v)
{
    krait_tokenizer *t = v->t;
    kr_tokens_array  scores;
    krait_status     status = kr_tokens_find(&scores, v->metadata, "tokenizer.ggml.scores", KR_TOKENS_F32,
                                             v->source->what, v->source->message);
    int              lacking = 0;
    size_t           i;

    t->kind = KR_TOKENIZER_SPM;
    t->prefix = (uint8_t)gguf_switch(v, "tokenizer.ggml.add_space_prefix", 1);
    if (status != KRAIT_OK)
        return status;
    for (i = 0; i < t->count; i++)
        v->wanted[i] = v->tokens->types[i] == KR_TOKENS_BYTE && t->first[i + 1] - t->first[i] == 1;
    lacking = !kr_bpe_bytes(t, v->wanted) || t->lacks;
    for (i = 0; i < t->count; i++)
        v->wanted[i] = (v->tokens->types[i] == KR_TOKENS_NORMAL || v->tokens->types[i] == KR_TOKENS_UNDEFINED) &&
                       t->first[i + 1] > t->first[i];
    if (!scores.count)
        t->why = "tokenizer.ggml.scores is missing";
    else if (lacking && t->unknown < 0)
        t->why = "some byte has no token, and there is none for what is unknown";
    else if (kr_json_get(v->metadata, "tokenizer.ggml.precompiled_charsmap") ||
             gguf_switch(v, "tokenizer.ggml.remove_extra_whitespaces", 0))
        t->why = "it wants text normalised in a way that krait does not know";
    if (t->why)
        return KRAIT_OK;
    t->cuts = (uint8_t)gguf_cuts(v);
    if ((status = gguf_order(v, &scores)) != KRAIT_OK)
        return status;
    status = kr_pieces_make(&t->pieces, t->first, t->bytes, t->count, v->wanted, v->source->keep);
    if (status == KRAIT_OK && t->pieces.longest > KR_ADDED_LONGEST)
        t->why = "a token is longer than 1024 bytes";
    return kr_tokenizer_table(v->source, status);
}

/* ---- together ---- */

static void gguf_around(gguf_vocabulary *v)
{
    krait_tokenizer *t = v->t;

    t->begin = gguf_id(v, "tokenizer.ggml.bos_token_id");
    t->end = gguf_id(v, "tokenizer.ggml.eos_token_id");
    t->unknown = gguf_id(v, "tokenizer.ggml.unknown_token_id");
    if (t->begin >= 0 && gguf_switch(v, "tokenizer.ggml.add_bos_token", strcmp(v->tokens->model, "llama") == 0))
        t->before[t->n_before++] = t->begin;
    if (t->end >= 0 && gguf_switch(v, "tokenizer.ggml.add_eos_token", 0))
        t->behind[t->n_behind++] = t->end;
}

krait_status kr_tokenizer_of_gguf(krait_tokenizer *t, const kr_tokens *tokens, const kr_json *metadata,
                                  const kr_tokenizer_source *source)
{
    gguf_vocabulary v = { t, tokens, metadata, source, NULL };
    krait_status    status;
    size_t          i;

    t->count = tokens->count;
    t->first = tokens->first;
    t->bytes = tokens->bytes;
    t->flags = kr_arena_take(source->keep, t->count + 1, 1);
    v.wanted = kr_arena_take(source->spare, t->count + 1, 1);
    if (!t->flags || !v.wanted || t->count > INT32_MAX)
        return kr_fail_memory(source->message);
    gguf_around(&v);
    for (i = 0; i < t->count; i++) {
        t->flags[i] = gguf_flags(tokens->types[i]);
        if ((t->flags[i] & KRAIT_TOKEN_UNKNOWN) && t->unknown < 0)
            t->unknown = (int32_t)i;
    }
    if ((status = gguf_added(&v)) != KRAIT_OK)
        return kr_tokenizer_table(source, status);
    return strcmp(tokens->model, "gpt2") == 0 ? gguf_bpe(&v) : gguf_spm(&v);
}
