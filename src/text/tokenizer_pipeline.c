/* tokenizer_pipeline.c - the steps of a tokenizer.json: taken if known, else refused by their names. */
#include <string.h>

#include "text/tokenizer_json.h"

/* GPT-2's pattern as files write it that bring it along. */
static const char gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static int step_absent(const kr_json *node)
{
    return !node || node->kind == KR_JSON_NULL;
}

static int step_switch(const kr_json *step, const char *key, int otherwise)
{
    const kr_json *node = kr_json_get(step, key);

    return node && node->kind == KR_JSON_BOOL ? node->flag : otherwise;
}

static krait_status step_refused(const kr_tokenizer_source *source, const char *field, const kr_json *step)
{
    const kr_json *type = kr_json_get(step, "type");
    char           shown[KR_SHOWN] = "?";

    if (type && type->kind == KR_JSON_TEXT)
        kr_json_shown(shown, type->text, type->count);
    return kr_fail(source->message, KRAIT_ERR_UNSUPPORTED, "%.96s: '%s' of type %s, or with these options, "
                   "is not supported", source->what, field, shown);
}

/*
 * The next step of a field that is one step, a Sequence of them under 'list', or null: *at is NULL at the
 * beginning and NULL when there are no more.  A Sequence within one is given as a step.
 */
static void step_next(const kr_json *field, const char *list, const kr_json **at)
{
    const kr_json *steps = kr_json_is(kr_json_get(field, "type"), "Sequence") ? kr_json_get(field, list) : NULL;

    if (step_absent(field))
        *at = NULL;
    else if (!steps)
        *at = *at ? NULL : field;
    else if (steps->kind == KR_JSON_ARRAY)
        *at = *at ? (*at)->next : steps->first;
    else
        *at = NULL;
}

static krait_status take_normalizer(krait_tokenizer *t, const kr_json *field, const kr_tokenizer_source *source)
{
    const kr_json *step = NULL;

    for (step_next(field, "normalizers", &step); step; step_next(field, "normalizers", &step)) {
        if (!kr_json_is(kr_json_get(step, "type"), "NFC"))
            return step_refused(source, "normalizer", step);
        t->nfc = 1;
    }
    return KRAIT_OK;
}

/* ByteLevel with its own pattern, or behind a Split by the same one. */
static krait_status take_pre_tokenizer(krait_tokenizer *t, const kr_json *field, const kr_tokenizer_source *source)
{
    const kr_json *step = NULL;
    int            levels = 0, splits = 0, behind_split = 0;

    for (step_next(field, "pretokenizers", &step); step; step_next(field, "pretokenizers", &step)) {
        const kr_json *type = kr_json_get(step, "type");

        if (kr_json_is(type, "ByteLevel") && !levels) {
            levels = 1;
            splits += step_switch(step, "use_regex", 1);
            t->prefix = (uint8_t)step_switch(step, "add_prefix_space", 1);
        } else if (kr_json_is(type, "Split") && !levels && !splits && !step_switch(step, "invert", 0) &&
                   kr_json_is(kr_json_get(step, "behavior"), "Isolated") &&
                   kr_json_is(kr_json_get(kr_json_get(step, "pattern"), "Regex"), gpt2_pattern)) {
            splits = behind_split = 1;
        } else {
            return step_refused(source, "pre_tokenizer", step);
        }
    }
    if (!levels || splits > 1 || (behind_split && t->prefix))      /* a space before every word */
        return step_refused(source, "pre_tokenizer", field);
    t->splits = (uint8_t)splits;
    return KRAIT_OK;
}

static krait_status take_model(krait_tokenizer *t, const kr_json *model, const kr_tokenizer_source *source)
{
    static const char *const empty[] = { "continuing_subword_prefix", "end_of_word_suffix" };
    const kr_json           *type = kr_json_get(model, "type"), *dropout = kr_json_get(model, "dropout");

    if (type && !kr_json_is(type, "BPE"))
        return step_refused(source, "model", model);
    for (size_t i = 0; i < 2; i++) {
        const kr_json *node = kr_json_get(model, empty[i]);

        if (!step_absent(node) && !kr_json_is(node, ""))
            return kr_fail(source->message, KRAIT_ERR_UNSUPPORTED, "%.96s: 'model.%s' is not supported",
                           source->what, empty[i]);
    }
    if (!step_absent(dropout) && !(dropout->kind == KR_JSON_NUMBER && dropout->number == 0))
        return kr_fail(source->message, KRAIT_ERR_UNSUPPORTED, "%.96s: 'model.dropout' is not supported", source->what);
    if (step_switch(model, "byte_fallback", 0))
        return kr_fail(source->message, KRAIT_ERR_UNSUPPORTED, "%.96s: 'model.byte_fallback' is not supported",
                       source->what);
    t->whole_words = (uint8_t)step_switch(model, "ignore_merges", 0);
    return KRAIT_OK;
}

krait_status kr_tokenizer_json_pipeline(krait_tokenizer *t, const kr_json *root, const kr_tokenizer_source *source)
{
    const kr_json *decoder = kr_json_get(root, "decoder");
    krait_status   status;

    if ((status = take_model(t, kr_json_get(root, "model"), source)) != KRAIT_OK ||
        (status = take_normalizer(t, kr_json_get(root, "normalizer"), source)) != KRAIT_OK ||
        (status = take_pre_tokenizer(t, kr_json_get(root, "pre_tokenizer"), source)) != KRAIT_OK)
        return status;
    if (!step_absent(decoder) && !kr_json_is(kr_json_get(decoder, "type"), "ByteLevel"))
        return step_refused(source, "decoder", decoder);
    return KRAIT_OK;
}

/* ---- around a text ---- */

/* {"SpecialToken": {"id": "<s>", ...}}: the ids of special_tokens["<s>"] go where the text's side is. */
static int take_special(krait_tokenizer *t, const kr_json *step, const kr_json *special, int behind)
{
    const kr_json *name = kr_json_get(special, "id"), *tokens = kr_json_get(step, "special_tokens");
    const kr_json *ids = name && name->kind == KR_JSON_TEXT
                       ? kr_json_get(kr_json_get(tokens, name->text), "ids") : NULL;
    const kr_json *id = ids && ids->kind == KR_JSON_ARRAY ? ids->first : NULL;
    size_t        *count = behind ? &t->n_behind : &t->n_before;

    if (!id)
        return 0;
    for (; id; id = id->next) {
        if (*count == KR_TOKENIZER_AROUND || id->kind != KR_JSON_NUMBER || !id->flag || id->integer < 0 ||
            (uint64_t)id->integer >= t->count || (t->flags[id->integer] & KR_TOKEN_NONE))
            return 0;
        (behind ? t->behind : t->before)[(*count)++] = (int32_t)id->integer;
    }
    return 1;
}

static int take_template(krait_tokenizer *t, const kr_json *step)
{
    const kr_json *single = kr_json_get(step, "single"), *piece;
    int            behind = 0;

    if (!single || single->kind != KR_JSON_ARRAY)
        return 0;
    for (piece = single->first; piece; piece = piece->next) {
        const kr_json *special = kr_json_get(piece, "SpecialToken");

        if (kr_json_get(piece, "Sequence") && !behind)
            behind = 1;
        else if (!special || !take_special(t, step, special, behind))
            return 0;
    }
    return behind;
}

krait_status kr_tokenizer_json_around(krait_tokenizer *t, const kr_json *root, const kr_tokenizer_source *source)
{
    const kr_json *field = kr_json_get(root, "post_processor"), *step = NULL;
    int            templates = 0;

    for (step_next(field, "processors", &step); step; step_next(field, "processors", &step)) {
        const kr_json *type = kr_json_get(step, "type");

        if (kr_json_is(type, "ByteLevel"))
            continue;                   /* moves offsets, not ids */
        if (!kr_json_is(type, "TemplateProcessing") || templates++ || !take_template(t, step))
            return step_refused(source, "post_processor", step);
    }
    return KRAIT_OK;
}
