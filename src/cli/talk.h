/*
 * talk.h - a text written in turns: a line of the user's, then the model's part.
 */
#ifndef CLI_TALK_H
#define CLI_TALK_H

#include "cli/session.h"
#include "cli/voice.h"

typedef struct talk {
    session *session;
    voice   *voice;
    uint32_t tokens;            /* of one turn, at most */
    int      stop_at_end;
    int32_t  flags;             /* of encoding */
} talk;

/*
 * Reads lines of standard input until it ends or says /quit.  What is typed goes on the text as it is, with
 * \n for a new line; then the model writes.  Lines that begin with / are orders: /help names them.  Returns
 * 0, or 1 after a complaint that ends it.
 */
int talk_turns(const talk *t);
/* The model writes up to so many tokens; *written is set to how many. */
int talk_write(const talk *t, uint32_t tokens, uint32_t *written);

#endif /* CLI_TALK_H */
