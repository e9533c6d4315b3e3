/*
 * prompt.h - what a text begins with, as tokens.
 */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

#include <stddef.h>

#include "cli/session.h"

typedef struct prompt {
    int32_t *tokens;            /* for free() */
    size_t   count;
} prompt;

/* Each returns 0, or 1 after a complaint. */

/* "1,2,3": every one is checked against the vocabulary. */
int prompt_of_ids(prompt *p, const krait_model *model, const char *ids);
/* Text with the session's tokenizer and KRAIT_TEXT_... */
int prompt_of_text(prompt *p, const session *s, const char *text, size_t bytes, int32_t flags);
/* "-" is standard input. */
int prompt_of_file(prompt *p, const session *s, const char *file, int32_t flags);
/* One token to begin after, if there is none: the end of a text before, or 0. */
int prompt_or_end(prompt *p, const session *s);

#endif /* CLI_PROMPT_H */
