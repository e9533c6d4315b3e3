/* voice.c - what could be the beginning of a text to stop at waits until it is one, or none. */
#include "cli/voice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"

/* Where the first of the texts to stop at stands in what is held, or its count. */
static size_t first_stop(const voice *v)
{
    size_t at, i;

    for (at = 0; at < v->count; at++)
        for (i = 0; v->stops && i < v->stops->count; i++) {
            size_t length = strlen(v->stops->list[i]);

            if (length <= v->count - at && memcmp(v->held + at, v->stops->list[i], length) == 0)
                return at;
        }
    return v->count;
}

/* How much of what is held can go: up to where one of the texts may begin. */
static size_t free_to_go(const voice *v)
{
    size_t at, i;

    for (at = 0; at < v->count; at++)
        for (i = 0; v->stops && i < v->stops->count; i++) {
            size_t left = v->count - at;

            if (left < strlen(v->stops->list[i]) && memcmp(v->held + at, v->stops->list[i], left) == 0)
                return at;
        }
    return v->count;
}

static void let_go(voice *v, size_t count)
{
    text_put(&v->text, v->held, count);
    v->count -= count;
    memmove(v->held, v->held + count, v->count);
}

/* The token's text behind what is held; -1 flushes what is no whole character.  0: no memory. */
static int hold(voice *v, int32_t token)
{
    size_t       n = 0;
    krait_status status = v->held ? KRAIT_OK : KRAIT_ERR_SPACE;

    if (status == KRAIT_OK)
        status = krait_tokenizer_next(v->tokenizer, &v->decoder, token, v->flags, v->held + v->count,
                                      v->room - v->count, &n);
    if (status == KRAIT_ERR_SPACE) {
        size_t room = v->count + n + 256;
        char  *larger = realloc(v->held, room);

        if (!larger)
            return 0;
        v->held = larger;
        v->room = room;
        status = krait_tokenizer_next(v->tokenizer, &v->decoder, token, v->flags, v->held + v->count,
                                      v->room - v->count, &n);
        if (status == KRAIT_ERR_SPACE)
            return hold(v, token);              /* now it is known how much is needed */
    }
    if (status == KRAIT_OK)
        v->count += n;
    return 1;
}

int voice_put(voice *v, int32_t token)
{
    size_t at;

    if (!v->tokenizer) {
        printf("%d ", (int)token);
        fflush(stdout);
        return 0;
    }
    if (!hold(v, token)) {
        complain(NULL, "out of memory");
        return 1;
    }
    at = first_stop(v);
    if (at < v->count) {
        let_go(v, at);
        v->count = 0;
        text_end(&v->text);
        return 1;
    }
    let_go(v, free_to_go(v));
    return 0;
}

void voice_end(voice *v)
{
    if (v->tokenizer && hold(v, -1))
        let_go(v, v->count);
    text_end(&v->text);
    fflush(stdout);
}

void voice_free(voice *v)
{
    free(v->held);
    v->held = NULL;
}
