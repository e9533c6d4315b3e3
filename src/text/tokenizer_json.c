/*
 * tokenizer_json.c - Hugging Face's tokenizer.json with byte-level BPE; what else it may ask for is
 * refused by name.
 *
 * Ids are checked before anything is laid out by them: a table of ids has at most so many holes.
 */
#include <string.h>

#include "text/bpe_make.h"
#include "text/nfc.h"
#include "text/tokenizer_json.h"

typedef struct vocabulary_json {
    krait_tokenizer           *t;
    const kr_tokenizer_source *source;
    const kr_json             *root, *model, *vocab, *merges, *added;
    const kr_json            **texts;   /* [count]: the node of each id, of vocab or added_tokens */
    uint8_t                   *wanted;  /* [count]: of vocab, all of it in GPT-2's alphabet */
} vocabulary_json;

static krait_status vocabulary_wrong(const vocabulary_json *v, const char *field, const char *reason)
{
    return kr_fail(v->source->message, KRAIT_ERR_FORMAT, "%.96s: '%s' %s", v->source->what, field, reason);
}

/* ---- ids ---- */

static int vocabulary_id(const kr_json *node)
{
    return node && node->kind == KR_JSON_NUMBER && node->flag && node->integer >= 0 && node->integer < INT32_MAX;
}

static krait_status vocabulary_count(vocabulary_json *v)
{
    uint64_t       most = 0, entries = v->vocab->count + (v->added ? v->added->count : 0);
    const kr_json *node;

    for (node = v->vocab->first; node; node = node->next) {
        if (!vocabulary_id(node))
            return vocabulary_wrong(v, "model.vocab", "holds what is no id");
        most = (uint64_t)node->integer > most ? (uint64_t)node->integer : most;
    }
    for (node = v->added ? v->added->first : NULL; node; node = node->next) {
        const kr_json *id = kr_json_get(node, "id"), *content = kr_json_get(node, "content");

        if (!vocabulary_id(id) || !content || content->kind != KR_JSON_TEXT)
            return vocabulary_wrong(v, "added_tokens", "holds one without id or content");
        most = (uint64_t)id->integer > most ? (uint64_t)id->integer : most;
    }
    if (entries == 0 || most / 16 > entries + 4096)
        return vocabulary_wrong(v, "model.vocab", "is empty, or has ids far beyond the number of its tokens");
    v->t->count = (size_t)most + 1;
    return KRAIT_OK;
}

/* Who has which id; added tokens come last and win. */
static krait_status vocabulary_order(vocabulary_json *v)
{
    const kr_json *node;

    v->texts = kr_arena_take(v->source->spare, v->t->count, sizeof *v->texts);
    v->wanted = kr_arena_take(v->source->spare, v->t->count, 1);
    v->t->flags = kr_arena_take(v->source->keep, v->t->count, 1);
    if (!v->texts || !v->wanted || !v->t->flags)
        return kr_fail_memory(v->source->message);
    memset(v->t->flags, KR_TOKEN_NONE, v->t->count);
    for (node = v->vocab->first; node; node = node->next) {
        if (v->texts[node->integer])
            return vocabulary_wrong(v, "model.vocab", "gives one id to two tokens");
        v->texts[node->integer] = node;
        v->t->flags[node->integer] = 0;
    }
    for (node = v->added ? v->added->first : NULL; node; node = node->next) {
        int64_t        id = kr_json_get(node, "id")->integer;
        const kr_json *special = kr_json_get(node, "special");

        v->texts[id] = kr_json_get(node, "content");
        v->t->flags[id] = (uint8_t)(KRAIT_TOKEN_ADDED |
                                    (special && special->flag ? KRAIT_TOKEN_SPECIAL : 0));
    }
    return KRAIT_OK;
}

/* Keys of vocab are undone, contents of added tokens stand as they are. */
static krait_status vocabulary_bytes(vocabulary_json *v)
{
    size_t  total = 0, at = 0, i;
    size_t *first;
    char   *bytes;

    for (i = 0; i < v->t->count; i++)
        if (v->texts[i])
            total += v->t->flags[i] ? v->texts[i]->count : v->texts[i]->key_length;
    first = kr_arena_take(v->source->keep, v->t->count + 1, sizeof *first);
    bytes = kr_arena_take(v->source->keep, total + 1, 1);
    if (!first || !bytes)
        return kr_fail_memory(v->source->message);
    for (i = 0; i < v->t->count; i++) {
        const kr_json *node = v->texts[i];
        int            strange = 0;

        first[i] = at;
        if (!node)
            continue;
        if (v->t->flags[i]) {
            memcpy(bytes + at, node->text, node->count);
            at += node->count;
        } else {
            at += kr_tokens_undo_gpt2(node->key, node->key_length, bytes + at, &strange);
            v->wanted[i] = !strange && node->key_length > 0;
        }
    }
    first[i] = at;
    v->t->first = first;
    v->t->bytes = bytes;
    return KRAIT_OK;
}

/* ---- merges ---- */

static size_t merge_length(const kr_json *merge)
{
    return merge->kind == KR_JSON_TEXT ? merge->count
         : merge->kind == KR_JSON_ARRAY && merge->count == 2 ? merge->first->count + merge->first->next->count : 0;
}

/* "left right" or ["left", "right"]. */
static int add_merge(kr_bpe_make *make, const kr_json *merge)
{
    const kr_json *left = merge->first;
    const char    *gap;

    if (merge->kind == KR_JSON_TEXT) {
        gap = memchr(merge->text, ' ', merge->count);
        return gap && kr_bpe_make_merge(make, merge->text, (size_t)(gap - merge->text), gap + 1,
                                        merge->count - (size_t)(gap - merge->text) - 1);
    }
    return merge->kind == KR_JSON_ARRAY && merge->count == 2 && left->kind == KR_JSON_TEXT &&
           left->next->kind == KR_JSON_TEXT &&
           kr_bpe_make_merge(make, left->text, left->count, left->next->text, left->next->count);
}

static krait_status vocabulary_merges(vocabulary_json *v)
{
    kr_bpe_make    make = { .tokenizer = v->t, .source = v->source };
    const kr_json *merge;
    size_t         longest = 0;
    krait_status   status;

    for (merge = v->merges->first; merge; merge = merge->next)
        longest = merge_length(merge) > longest ? merge_length(merge) : longest;
    status = kr_bpe_make_start(&make, v->wanted, v->merges->count, longest);
    for (merge = v->merges->first; merge && status == KRAIT_OK; merge = merge->next)
        if (!add_merge(&make, merge))
            return kr_fail(v->source->message, KRAIT_ERR_FORMAT,
                           "%.96s: 'model.merges': number %zu is not of two tokens that make a third",
                           v->source->what, make.count);
    if (status == KRAIT_OK)
        status = kr_bpe_make_end(&make, v->wanted);
    return kr_tokenizer_table(v->source, status);
}

/* ---- added tokens ---- */

static krait_status added_of(vocabulary_json *v, const kr_json *node, kr_added *added)
{
    krait_tokenizer *t = v->t;
    int32_t          id = (int32_t)kr_json_get(node, "id")->integer;
    const kr_json   *single = kr_json_get(node, "single_word"), *lstrip = kr_json_get(node, "lstrip");
    const kr_json   *rstrip = kr_json_get(node, "rstrip");
    size_t           length = t->first[id + 1] - t->first[id];

    if (single && single->flag)
        return kr_fail(v->source->message, KRAIT_ERR_UNSUPPORTED,
                       "%.96s: 'added_tokens': 'single_word' of token %d is not supported", v->source->what, (int)id);
    if (length > KR_ADDED_LONGEST)
        return kr_fail(v->source->message, KRAIT_ERR_UNSUPPORTED,
                       "%.96s: 'added_tokens': token %d is longer than 1024 bytes", v->source->what, (int)id);
    *added = (kr_added){ t->bytes + t->first[id], length, id, (t->flags[id] & KRAIT_TOKEN_SPECIAL) != 0,
                         lstrip && lstrip->flag, rstrip && rstrip->flag };
    return KRAIT_OK;
}

/* Those to be found in the normal form are brought into it. */
static krait_status added_normal(vocabulary_json *v, kr_added *added)
{
    kr_nfc       nfc;
    krait_status status;
    char        *copy;

    if (!v->t->nfc)
        return KRAIT_OK;
    status = kr_nfc_make(&nfc, added->text, added->length, v->source->spare->memory);
    if (status != KRAIT_OK)
        return kr_fail_memory(v->source->message);
    copy = kr_arena_text(v->source->keep, nfc.text, nfc.bytes);
    added->length = nfc.bytes;
    kr_nfc_free(&nfc, v->source->spare->memory);
    if (!copy)
        return kr_fail_memory(v->source->message);
    added->text = copy;
    return added->length <= KR_ADDED_LONGEST ? KRAIT_OK
         : vocabulary_wrong(v, "added_tokens", "holds one of more than 1024 bytes");
}

static krait_status vocabulary_added(vocabulary_json *v)
{
    size_t         most = v->added ? v->added->count : 0, counts[2] = { 0, 0 };
    kr_added      *lists[2];
    const kr_json *node;
    krait_status   status = KRAIT_OK;

    lists[0] = kr_arena_take(v->source->keep, most + 1, sizeof **lists);
    lists[1] = kr_arena_take(v->source->keep, most + 1, sizeof **lists);
    if (!lists[0] || !lists[1])
        return kr_fail_memory(v->source->message);
    for (node = v->added ? v->added->first : NULL; node && status == KRAIT_OK; node = node->next) {
        const kr_json *normalized = kr_json_get(node, "normalized"), *special = kr_json_get(node, "special");
        int            normal = normalized ? normalized->flag : !(special && special->flag);
        kr_added      *added = &lists[normal][counts[normal]];

        status = added_of(v, node, added);
        if (status == KRAIT_OK && normal)
            status = added_normal(v, added);
        counts[normal] += status == KRAIT_OK && added->length > 0;
    }
    if (status != KRAIT_OK)
        return status;
    status = kr_added_make(&v->t->raw, lists[0], counts[0], v->source->spare);
    if (status == KRAIT_OK)
        status = kr_added_make(&v->t->normal, lists[1], counts[1], v->source->spare);
    return kr_tokenizer_table(v->source, status);
}

/* ---- the file ---- */

static krait_status vocabulary_find(vocabulary_json *v)
{
    v->model = kr_json_get(v->root, "model");
    v->vocab = kr_json_get(v->model, "vocab");
    v->merges = kr_json_get(v->model, "merges");
    v->added = kr_json_get(v->root, "added_tokens");
    if (!v->model || v->model->kind != KR_JSON_OBJECT)
        return vocabulary_wrong(v, "model", "is missing: not a tokenizer.json");
    if (v->added && v->added->kind == KR_JSON_NULL)
        v->added = NULL;
    if (v->added && v->added->kind != KR_JSON_ARRAY)
        return vocabulary_wrong(v, "added_tokens", "is no array");
    return KRAIT_OK;
}

krait_status kr_tokenizer_of_json(krait_tokenizer *t, const char *text, size_t length,
                                  const kr_tokenizer_source *source)
{
    vocabulary_json v = { .t = t, .source = source };
    krait_status    status = kr_json_parse(&v.root, text, length, source->what, source->spare, source->message);

    t->kind = KR_TOKENIZER_BPE;
    t->begin = t->end = t->unknown = -1;
    if (status != KRAIT_OK || (status = vocabulary_find(&v)) != KRAIT_OK ||
        (status = kr_tokenizer_json_pipeline(t, v.root, source)) != KRAIT_OK)
        return status;
    if (!v.vocab || v.vocab->kind != KR_JSON_OBJECT)
        return vocabulary_wrong(&v, "model.vocab", "is no object");
    if (!v.merges || v.merges->kind != KR_JSON_ARRAY)
        return vocabulary_wrong(&v, "model.merges", "is no array");
    if ((status = vocabulary_count(&v)) != KRAIT_OK || (status = vocabulary_order(&v)) != KRAIT_OK ||
        (status = vocabulary_bytes(&v)) != KRAIT_OK)
        return status;
    if (!kr_bpe_bytes(t, v.wanted))
        return kr_fail(source->message, KRAIT_ERR_UNSUPPORTED,
                       "%.96s: 'model.vocab': some byte has no token of its own", source->what);
    if ((status = vocabulary_merges(&v)) != KRAIT_OK)
        return status;
    if ((status = vocabulary_added(&v)) != KRAIT_OK)
        return status;
    return kr_tokenizer_json_around(t, v.root, source);
}
