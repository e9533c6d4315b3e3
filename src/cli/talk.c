/* talk.c - turns, and the way back. */
#include "cli/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/prompt.h"
#include "cli/show.h"
#include "cli/system.h"

static const char talk_help[] =
    "What you type goes on the text, \\n being a new line and \\\\ a backslash; then the model writes.\n"
    "An empty line lets it go on.  Ctrl-C stops it.\n"
    "  /undo       take the last turn back: what you typed and what came of it\n"
    "  /again      take back what the model wrote, and let it write something else\n"
    "  /save FILE  what --load-state takes up again\n"
    "  /help       this\n"
    "  /quit       the end, as is Ctrl-D\n";

int talk_write(const talk *t, uint32_t tokens, uint32_t *written)
{
    int64_t end = model_number(t->session->model, KRAIT_END_TOKEN);
    int32_t token;

    *written = 0;
    while (*written < tokens && !progress_stopped() && !ferror(stdout)) {
        if (session_next(t->session, &token))
            return 1;
        ++*written;
        if ((t->stop_at_end && token == end) || voice_put(t->voice, token))
            break;
    }
    voice_end(t->voice);
    return 0;
}

/* \n, \t and \\ in place. */
static void unescape(char *line)
{
    char *to = line;

    for (; *line; line++) {
        if (line[0] == '\\' && line[1] && strchr("nt\\", line[1])) {
            line++;
            *to++ = *line == 'n' ? '\n' : *line == 't' ? '\t' : '\\';
        } else {
            *to++ = *line;
        }
    }
    *to = '\0';
}

static int feed_line(const talk *t, char *line)
{
    session *s = t->session;
    prompt   p = { NULL, 0 };
    size_t   bytes;
    int      begun = s->place.tokens > 0, bad;

    unescape(line);
    bytes = strlen(line);
    bad = bytes && prompt_of_text(&p, s, line, bytes, t->flags | (begun ? KRAIT_TEXT_GOES_ON : KRAIT_TEXT_AROUND));
    if (!bad && !begun)
        bad = prompt_or_end(&p, s);
    if (!bad)
        bad = session_feed(s, p.tokens, p.count, NULL);
    free(p.tokens);
    return bad;
}

/* 'past' has two places a turn: before what is typed, and before what is written. */
static int turn(const talk *t, session_past *past, char *line)
{
    uint32_t written;
    int      bad;

    session_past_keep(past, t->session);
    if (feed_line(t, line)) {
        session_past_back(past, t->session);
        return progress_stopped() ? 0 : 1;
    }
    session_past_keep(past, t->session);
    bad = talk_write(t, t->tokens, &written);
    putchar('\n');
    fflush(stdout);
    return bad;
}

/* Chance goes on from where it is, so that something else is written. */
static int again(const talk *t, session_past *past)
{
    krait_rng rng = t->session->place.rng;
    uint32_t  written;
    int       bad;

    if (!session_past_back(past, t->session)) {
        complain(NULL, "there is no turn to repeat");
        return 0;
    }
    t->session->place.rng = rng;
    session_past_keep(past, t->session);
    bad = talk_write(t, t->tokens, &written);
    putchar('\n');
    fflush(stdout);
    return bad;
}

static int undo(const talk *t, session_past *past)
{
    if (!session_past_back(past, t->session) || !session_past_back(past, t->session))
        complain(NULL, "there is nothing to take back");
    else
        fprintf(stderr, "%lu tokens are left\n", (unsigned long)t->session->place.tokens);
    return 0;
}

/* -1: go on. */
static int order(const talk *t, session_past *past, const char *line)
{
    if (strcmp(line, "/quit") == 0)
        return 0;
    if (strcmp(line, "/help") == 0)
        fputs(talk_help, stderr);
    else if (strcmp(line, "/undo") == 0)
        undo(t, past);
    else if (strcmp(line, "/again") == 0)
        return again(t, past) ? 1 : -1;
    else if (strncmp(line, "/save ", 6) == 0 && t->session->place.pending >= 0)
        session_save(t->session, line + 6);
    else
        complain(NULL, "no such order, or not yet: /help names them");
    return -1;
}

int talk_turns(const talk *t)
{
    session_past *past = session_past_make(t->session);
    char         *line = NULL;
    size_t        room = 0;
    int           result = past ? -1 : 1, asks = system_terminal(stdin) && system_terminal(stderr);

    if (asks)
        fputs("/help says what can be done\n", stderr);
    while (result < 0) {
        long n;

        if (asks)
            fputs("> ", stderr);
        n = system_line(&line, &room, stdin);
        if (n < 0)
            break;
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            line[--n] = '\0';
        if (line[0] == '/')
            result = order(t, past, line);
        else if (turn(t, past, line))
            result = 1;
        if (ferror(stdout))
            result = 1;
        progress_go_on();
    }
    free(line);
    session_past_free(past);
    return result > 0;
}
