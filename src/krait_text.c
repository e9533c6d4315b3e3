/* krait_text.c - the public functions of text: tokenizers, vocabularies and sampling. */
#include "call.h"

#include "core/fpenv.h"
#include "model/model.h"
#include "text/sample.h"
#include "text/tokenizer.h"

/* ---- text -------------------------------------------------------------------------------------------- */

static krait_status tokenizer_options(krait_tokenizer_options *ours, const krait_tokenizer_options *theirs,
                                      krait_message *message)
{
    if (kr_call_options(ours, sizeof *ours, theirs) != KRAIT_OK)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: size, or fields this library does not know");
    if (ours->allocator && (!ours->allocator->allocate || !ours->allocator->release))
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: the allocator lacks a function");
    return KRAIT_OK;
}

/* Of a path, or with path NULL of bytes. */
static krait_status tokenizer_open(krait_tokenizer **tokenizer, const char *path, const void *bytes, size_t count,
                                   const krait_tokenizer_options *options, krait_message *message)
{
    krait_tokenizer_options ours;
    krait_status            status = tokenizer_options(&ours, options, message);
    kr_fpenv                host;

    if (status != KRAIT_OK)
        return status;
    host = kr_fpenv_enter();
    status = kr_tokenizer_open(tokenizer, path, bytes, count, &ours, message);
    kr_fpenv_leave(host);
    return status;
}

krait_status krait_tokenizer_open(krait_tokenizer **tokenizer, const char *path,
                                  const krait_tokenizer_options *options, krait_message *message)
{
    kr_call_clear(message);
    if (!tokenizer)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "tokenizer is NULL");
    *tokenizer = NULL;
    if (!path)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "path is NULL");
    return tokenizer_open(tokenizer, path, NULL, 0, options, message);
}

krait_status krait_tokenizer_open_memory(krait_tokenizer **tokenizer, const void *bytes, size_t count,
                                         const krait_tokenizer_options *options, krait_message *message)
{
    kr_call_clear(message);
    if (!tokenizer)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "tokenizer is NULL");
    *tokenizer = NULL;
    if (!bytes && count)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "bytes is NULL");
    return tokenizer_open(tokenizer, NULL, bytes, count, options, message);
}

void krait_tokenizer_close(krait_tokenizer *tokenizer)
{
    if (tokenizer)
        kr_tokenizer_free(tokenizer);
}

const krait_tokenizer *krait_model_tokenizer(const krait_model *model)
{
    return !model ? NULL : model->bytes ? kr_tokenizer_of_bytes() : model->tokenizer;
}

krait_status krait_tokenizer_get(const krait_tokenizer *tokenizer, int32_t key, int64_t *value)
{
    if (!tokenizer || !value)
        return KRAIT_ERR_ARGUMENT;
    *value = 0;
    switch (key) {
    case KRAIT_TOKENIZER_COUNT:   *value = (int64_t)tokenizer->count; break;
    case KRAIT_TOKENIZER_BEGIN:   *value = tokenizer->begin; break;
    case KRAIT_TOKENIZER_END:     *value = tokenizer->end; break;
    case KRAIT_TOKENIZER_UNKNOWN: *value = tokenizer->unknown; break;
    case KRAIT_TOKENIZER_ENCODES: *value = !tokenizer->why; break;
    default:                      return KRAIT_ERR_UNSUPPORTED;
    }
    return KRAIT_OK;
}

krait_status krait_tokenizer_encode(const krait_tokenizer *tokenizer, const char *text, size_t bytes, int32_t flags,
                                    int32_t *tokens, size_t capacity, size_t *count)
{
    const int32_t known = KRAIT_TEXT_SPECIAL | KRAIT_TEXT_GOES_ON | KRAIT_TEXT_AROUND;

    if (!tokenizer || (!text && bytes) || !count || (!tokens && capacity) || (flags & ~known))
        return KRAIT_ERR_ARGUMENT;
    return kr_tokenizer_encode(tokenizer, text ? text : "", bytes, flags, tokens, capacity, count);
}

krait_status krait_tokenizer_decode(const krait_tokenizer *tokenizer, const int32_t *tokens, size_t n, int32_t flags,
                                    char *text, size_t capacity, size_t *count)
{
    if (!tokenizer || (!tokens && n) || !count || (!text && capacity) ||
        (flags & ~(KRAIT_TEXT_SPECIAL | KRAIT_TEXT_GOES_ON)))
        return KRAIT_ERR_ARGUMENT;
    return kr_decode_all(tokenizer, tokens, n, flags, text, capacity, count);
}

krait_status krait_tokenizer_next(const krait_tokenizer *tokenizer, krait_decoder *decoder, int32_t token,
                                  int32_t flags, char *text, size_t capacity, size_t *count)
{
    if (!tokenizer || !decoder || !count || (!text && capacity) ||
        (flags & ~(KRAIT_TEXT_SPECIAL | KRAIT_TEXT_GOES_ON)))
        return KRAIT_ERR_ARGUMENT;
    return kr_decode_next(tokenizer, decoder, token, flags, text, capacity, count);
}

krait_status krait_tokenizer_token(const krait_tokenizer *tokenizer, int32_t token, krait_token_info *info)
{
    krait_token_info ours = { sizeof ours, NULL, 0, 0, 0 };
    krait_status     status;
    size_t           size;

    if (!tokenizer || !info)
        return KRAIT_ERR_ARGUMENT;
    memcpy(&size, info, sizeof size);
    if (size < sizeof size)
        return KRAIT_ERR_ARGUMENT;
    status = kr_tokenizer_token(tokenizer, token, &ours.bytes, &ours.count, &ours.flags);
    if (status != KRAIT_OK)
        return status;
    ours.size = size;
    memcpy(info, &ours, size < sizeof ours ? size : sizeof ours);
    return KRAIT_OK;
}

krait_status krait_encode(const krait_model *model, const char *text, size_t bytes, int32_t flags,
                          int32_t *tokens, size_t capacity, size_t *count)
{
    const krait_tokenizer *tokenizer = krait_model_tokenizer(model);

    if (!model || !count)
        return KRAIT_ERR_ARGUMENT;
    *count = 0;
    if (!tokenizer)
        return (!text && bytes) || (!tokens && capacity) ? KRAIT_ERR_ARGUMENT : KRAIT_ERR_UNSUPPORTED;
    return krait_tokenizer_encode(tokenizer, text, bytes, flags, tokens, capacity, count);
}

krait_status krait_token_bytes(const krait_model *model, int32_t token, const char **bytes, size_t *count)
{
    const krait_tokenizer *tokenizer = krait_model_tokenizer(model);
    int32_t                flags;

    if (!model || !bytes || !count)
        return KRAIT_ERR_ARGUMENT;
    *bytes = NULL;
    *count = 0;
    return tokenizer ? kr_tokenizer_token(tokenizer, token, bytes, count, &flags) : KRAIT_ERR_UNSUPPORTED;
}

void krait_rng_seed(krait_rng *rng, uint64_t seed)
{
    if (rng)
        kr_rng_start(rng, seed);
}

krait_status krait_sample(float *logits, size_t count, const krait_sample_options *options, krait_rng *rng,
                          int32_t *token)
{
    krait_sample_options ours;
    kr_fpenv             host;
    krait_status         status;

    if (kr_call_options(&ours, sizeof ours, options) != KRAIT_OK)
        return KRAIT_ERR_ARGUMENT;
    host = kr_fpenv_enter();
    status = kr_sample_token(logits, count, &ours, rng, token);
    kr_fpenv_leave(host);
    return status;
}
