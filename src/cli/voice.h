/*
 * voice.h - tokens as they come to the screen: as text, up to a word to stop at, or as ids.
 */
#ifndef CLI_VOICE_H
#define CLI_VOICE_H

#include "cli/args.h"
#include "cli/text.h"
#include "krait.h"

typedef struct voice {
    const krait_tokenizer *tokenizer;   /* NULL: ids */
    int32_t                flags;       /* of decoding */
    const arg_texts       *stops;       /* texts at which it stops, which are not written */
    krait_decoder          decoder;
    text_stream            text;
    char                  *held;        /* what may become one of them */
    size_t                 count, room;
} voice;

/* All zero but tokenizer, flags, stops and text.terminal is a fresh one.  1: it came to one of the texts. */
int  voice_put(voice *v, int32_t token);
/* What is still held back; a text may begin afresh then. */
void voice_end(voice *v);
void voice_free(voice *v);

#endif /* CLI_VOICE_H */
