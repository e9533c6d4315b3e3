/*
 * session_file.c - sessions in files, and the last few in memory.
 *
 * A file is some lines of text, an empty one, and the state as krait_state_save() writes it:
 *
 *     krait session 1
 *     pending 101
 *     tokens 5
 *     random 1 2
 *     recent 72 101 108
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/files.h"
#include "cli/session.h"
#include "cli/show.h"

static void write_place(FILE *out, const session_place *p)
{
    uint32_t i;

    fprintf(out, "krait session 1\npending %d\ntokens %" PRIu64 "\nrandom %" PRIu64 " %" PRIu64 "\nrecent",
            (int)p->pending, p->tokens, p->rng.word[0], p->rng.word[1]);
    for (i = 0; i < p->recent_count; i++)
        fprintf(out, " %d", (int)p->recent[i]);
    fputs("\n\n", out);
}

int session_save(const session *s, const char *path)
{
    output_file   file;
    unsigned char *bytes;
    size_t        count = 0;
    krait_status  status = krait_state_save(s->model, s->state, 0, NULL, 0, &count);

    if (!(bytes = malloc(count + 1)))
        return complain(NULL, "out of memory");
    if (status == KRAIT_OK)
        status = krait_state_save(s->model, s->state, 0, bytes, count, &count);
    if (status != KRAIT_OK || output_open(&file, path)) {
        free(bytes);
        return status != KRAIT_OK ? complain_status(path, status, NULL) : 1;
    }
    write_place(file.stream, &s->place);
    fwrite(bytes, 1, count, file.stream);
    free(bytes);
    return output_close(&file);
}

/* A word and numbers up to the line's end; how many there were, or -1: it is another line. */
static int read_line(char **at, const char *word, uint64_t *numbers, int most)
{
    size_t length = strlen(word);
    int    count = 0;

    if (strncmp(*at, word, length) != 0)
        return -1;
    *at += length;
    while (**at == ' ') {
        char *end;

        if (count == most || (*at)[1] < '0' || (*at)[1] > '9')
            return -1;
        numbers[count++] = strtoull(*at + 1, &end, 10);
        *at = end;
    }
    if (**at != '\n')
        return -1;
    ++*at;
    return count;
}

/* Where the state begins, or NULL. */
static char *read_place(char *at, size_t choices, size_t vocabulary, session_place *p)
{
    uint64_t n[SESSION_RECENT];
    int      count, i;

    if (read_line(&at, "krait session 1", n, 0) != 0 || read_line(&at, "pending", n, 1) != 1 || n[0] >= vocabulary)
        return NULL;
    p->pending = (int32_t)n[0];
    if (read_line(&at, "tokens", &p->tokens, 1) != 1 || read_line(&at, "random", p->rng.word, 2) != 2 ||
        (count = read_line(&at, "recent", n, SESSION_RECENT)) < 0 || *at++ != '\n')
        return NULL;
    for (i = 0; i < count; i++) {
        if (n[i] >= choices)
            return NULL;
        p->recent[i] = (int32_t)n[i];
    }
    p->recent_count = (uint32_t)count;
    return at;
}

int session_load(session *s, const char *path)
{
    size_t        count = 0;
    char         *bytes = file_read(path, &count), *state;
    session_place place;
    krait_message message = { "" };
    krait_status  status;
    int64_t       vocabulary = 0;

    if (!bytes)
        return 1;
    krait_model_get(s->model, KRAIT_VOCABULARY, &vocabulary);
    memset(&place, 0, sizeof place);
    state = read_place(bytes, s->choices, (size_t)vocabulary, &place);
    if (!state) {
        free(bytes);
        return complain(path, "is no session of this model");
    }
    status = krait_state_load(s->model, s->state, 0, state, count - (size_t)(state - bytes), &message);
    free(bytes);
    if (status != KRAIT_OK)
        return complain_status(path, status, &message);
    s->place = place;
    return 0;
}

/* ---- in memory ---- */

enum { PAST_MOST = 32 };

struct session_past {
    size_t        count;                /* kept; the oldest goes when there are too many */
    size_t        bytes;                /* of a state */
    session_place places[PAST_MOST];
    unsigned char *states[PAST_MOST];
};

session_past *session_past_make(const session *s)
{
    session_past *past = calloc(1, sizeof *past);
    size_t        i;

    if (past)
        krait_state_data(s->state, &past->bytes);
    for (i = 0; past && i < PAST_MOST; i++)
        if (!(past->states[i] = malloc(past->bytes + 1))) {
            session_past_free(past);
            past = NULL;
        }
    if (!past)
        complain(NULL, "out of memory");
    return past;
}

void session_past_free(session_past *past)
{
    size_t i;

    for (i = 0; past && i < PAST_MOST; i++)
        free(past->states[i]);
    free(past);
}

void session_past_keep(session_past *past, const session *s)
{
    unsigned char *oldest = past->states[0];

    if (past->count == PAST_MOST) {
        memmove(past->states, past->states + 1, (PAST_MOST - 1) * sizeof *past->states);
        memmove(past->places, past->places + 1, (PAST_MOST - 1) * sizeof *past->places);
        past->states[PAST_MOST - 1] = oldest;
        past->count--;
    }
    memcpy(past->states[past->count], krait_state_data(s->state, NULL), past->bytes);
    past->places[past->count++] = s->place;
}

int session_past_back(session_past *past, session *s)
{
    if (past->count == 0)
        return 0;
    past->count--;
    memcpy(krait_state_data(s->state, NULL), past->states[past->count], past->bytes);
    s->place = past->places[past->count];
    return 1;
}
