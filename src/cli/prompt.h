/*
 * prompt.h - what a text begins with, as tokens.
 */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

#include <stddef.h>

#include "krait.h"

typedef struct prompt {
    int32_t *tokens;            /* for free() */
    size_t   count;
} prompt;

/* Each returns 0, or 1 after a complaint. */

/* "1,2,3": every one is checked against the vocabulary. */
int prompt_of_ids(prompt *p, const krait_model *model, const char *ids);
/* 'path' names the model. */
int prompt_of_text(prompt *p, const krait_model *model, const char *path,
                   const char *text, size_t bytes);
int prompt_of_file(prompt *p, const krait_model *model, const char *path,
                   const char *file);
/* One token to begin after, if there is none: the end of a text before, or 0. */
int prompt_or_end(prompt *p, const krait_model *model);

#endif /* CLI_PROMPT_H */
