/* session.c - one stream through a model, token by token or many at once. */
#include "cli/session.h"

#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/show.h"

static int open_tokenizer(session *s, const char *path)
{
    krait_message message = { "" };
    krait_status  status;
    int64_t       count = 0;

    s->tokenizer = krait_model_tokenizer(s->model);
    if (!path)
        return 0;
    status = krait_tokenizer_open(&s->own, path, NULL, &message);
    if (status != KRAIT_OK)
        return complain_status(path, status, &message);
    s->tokenizer = s->own;
    krait_tokenizer_get(s->own, KRAIT_TOKENIZER_COUNT, &count);
    if (count > model_number(s->model, KRAIT_VOCABULARY))
        return complain(path, "has %ld tokens, but the model %ld", (long)count,
                        (long)model_number(s->model, KRAIT_VOCABULARY));
    return 0;
}

int session_open(session *s, const char *model, const char *tokenizer, uint32_t chunk,
                 uint32_t threads, int32_t flags)
{
    krait_state_options o = { 0 };
    krait_status        status;
    int64_t             vocabulary;

    s->path = model;
    s->place.pending = -1;
    if (pool_start_or_complain(&s->threads, threads) ||
        !(s->model = model_open_by(model, flags, s->threads, threads)))
        return 1;
    vocabulary = model_number(s->model, KRAIT_VOCABULARY);
    s->width = s->choices = (size_t)model_number(s->model, KRAIT_OUT_WIDTH);
    if (vocabulary <= 0 || s->width == 0)
        return complain(model, "takes no tokens: krait run takes rows of numbers");
    if (s->choices > (size_t)vocabulary)
        s->choices = (size_t)vocabulary;        /* a head that was padded */
    s->chunk = chunk ? chunk : 64;
    o.size = sizeof o;
    o.chunk = s->chunk;
    o.tasks = threads;
    if ((status = krait_state_create(&s->state, s->model, &o, NULL)) != KRAIT_OK)
        return complain_status(model, status, NULL);
    if (!(s->logits = malloc(s->width * sizeof *s->logits)))
        return complain(NULL, "out of memory");
    return open_tokenizer(s, tokenizer);
}

void session_close(session *s)
{
    pool_end(s->threads);
    free(s->logits);
    krait_state_destroy(s->state, NULL);
    krait_tokenizer_close(s->own);
    krait_model_close(s->model);
}

/* The logits after the last of the tokens, if they are wanted. */
static int run_tokens(session *s, const int32_t *tokens, size_t count, int wanted, progress *bar)
{
    krait_input   input = { 0 };
    krait_output  output = { 0 };
    krait_message message = { "" };
    krait_status  status;

    input.size = sizeof input;
    input.steps = count;
    input.tokens = tokens;
    input.progress = bar ? progress_tick : NULL;
    input.progress_user = bar;
    pool_serve(s->threads, &input);
    output.size = sizeof output;
    output.rows = wanted ? s->logits : NULL;
    output.capacity = wanted ? s->width : 0;
    output.which = wanted ? KRAIT_ROWS_LAST : KRAIT_ROWS_NONE;
    status = krait_run(s->model, s->state, &input, &output, &message);
    if (status == KRAIT_ERR_CANCELLED)
        return complain(NULL, "interrupted");
    return status == KRAIT_OK ? 0 : complain_status(s->path, status, &message);
}

/* Tokens that cannot come out are not looked back on. */
static void remember(session *s, int32_t token)
{
    session_place *p = &s->place;

    p->tokens++;
    if ((size_t)token >= s->choices)
        return;
    if (p->recent_count == SESSION_RECENT)
        memmove(p->recent, p->recent + 1, (SESSION_RECENT - 1) * sizeof *p->recent);
    else
        p->recent_count++;
    p->recent[p->recent_count - 1] = token;
}

int session_feed(session *s, const int32_t *tokens, size_t count, progress *bar)
{
    size_t i;

    if (count == 0)
        return 0;
    if (s->place.pending >= 0 && run_tokens(s, &s->place.pending, 1, 0, NULL))
        return 1;
    s->place.pending = -1;
    if (count > 1 && run_tokens(s, tokens, count - 1, 0, bar))
        return 1;
    for (i = 0; i < count; i++)
        remember(s, tokens[i]);
    s->place.pending = tokens[count - 1];
    return 0;
}

int session_next(session *s, int32_t *token)
{
    krait_sample_options o = s->sampling;
    krait_status         status;

    if (run_tokens(s, &s->place.pending, 1, 1, NULL))
        return 1;
    o.size = sizeof o;
    o.recent = s->place.recent;
    o.recent_count = s->place.recent_count;
    status = krait_sample(s->logits, s->choices, &o, &s->place.rng, token);
    if (status != KRAIT_OK)
        return complain_status(s->path, status, NULL);
    s->place.pending = *token;
    remember(s, *token);
    return 0;
}
