/*
 * texts.h - texts and the ids that Hugging Face's tokenizers gave them (tests/golden/make_tokens.py).
 */
#ifndef KR_TEST_TEXTS_H
#define KR_TEST_TEXTS_H

#include <stddef.h>
#include <stdint.h>

typedef struct texts {
    unsigned char *file;        /* all of it, for free() */
    size_t         size, at;
    /* The one that texts_next() came to. */
    int            special;     /* special tokens were asked for */
    char          *text;        /* in a block of its own of exactly 'bytes' */
    size_t         bytes;
    int32_t       *ids;
    size_t         count;
} texts;

/* 0: no such file, or of another kind. */
int  texts_open(texts *r, const char *path);
/* The next text; 0: there is none, or the file is damaged (then at < size). */
int  texts_next(texts *r);
void texts_close(texts *r);

#endif
