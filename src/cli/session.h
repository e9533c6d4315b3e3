/*
 * session.h - a text being written: the model, what it remembers, and what it chooses next.
 *
 * The last token is not run until one more is wanted: so a session can be put away at any place, as a
 * state and a token, and goes on as if it had not been.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stddef.h>

#include "cli/pool.h"
#include "cli/progress.h"
#include "krait.h"

enum { SESSION_RECENT = 64 };           /* tokens that --repetition looks back on */

/* What changes while a text is written, but for the state. */
typedef struct session_place {
    int32_t   pending;                  /* the last token, not run yet; -1: none */
    uint32_t  recent_count;
    int32_t   recent[SESSION_RECENT];
    krait_rng rng;
    uint64_t  tokens;                   /* of the text so far */
} session_place;

/* All zero holds nothing. */
typedef struct session {
    const char            *path;        /* of the model */
    krait_model           *model;
    krait_state           *state;
    pool                  *threads;
    krait_tokenizer       *own;         /* of --tokenizer */
    const krait_tokenizer *tokenizer;   /* NULL: ids alone */
    float                 *logits;
    size_t                 width;       /* of logits */
    size_t                 choices;     /* of them that are tokens */
    uint32_t               chunk;       /* tokens at a time */
    krait_sample_options   sampling;    /* but for recent */
    session_place          place;
} session;

/* Each returns 0, or 1 after a complaint. */

/* Opens model and tokenizer (tokenizer NULL: the model's own) and makes a state. */
int  session_open(session *s, const char *model, const char *tokenizer, uint32_t chunk, uint32_t threads, int32_t flags);
void session_close(session *s);
/* The tokens follow what has been so far; bar may be NULL. */
int  session_feed(session *s, const int32_t *tokens, size_t count, progress *bar);
/* One more token, chosen after all so far. */
int  session_next(session *s, int32_t *token);

/* Portable: everything that going on needs but the model.  file.c's way of writing. */
int  session_save(const session *s, const char *path);
int  session_load(session *s, const char *path);

/* The last few places of a session, to go back to. */
typedef struct session_past session_past;
session_past *session_past_make(const session *s);      /* NULL after a complaint */
void          session_past_free(session_past *past);
void          session_past_keep(session_past *past, const session *s);
/* To the place kept last, which is not kept any more; 0: there is none. */
int           session_past_back(session_past *past, session *s);

#endif /* CLI_SESSION_H */
