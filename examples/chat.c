/*
 * chat.c - tell a story with a model, line by line, and take lines back.
 *
 *     chat [--tokens N] [--seed N] [--model MODEL]
 *
 *     > She opened the door and
 *      saw the old man, who had been sitting in the chair.
 *     > /undo
 *     (taken back)
 *     > She opened the door and
 *      saw the old man, who had been sitting in the chair.
 *     > /again
 *      the light of the candle fell upon the floor.
 *
 * Whatever you type goes on with the text, and the model adds a sentence.  /undo takes the last line and its answer back,
 * as often as you like; /again answers once more, otherwise; /save FILE and /load FILE keep the story's memory between two
 * runs; /quit or the end of the input leaves.  Going back costs no reading: before every line there is a snapshot of the
 * state, the logits and the random numbers, some kilobytes whatever the length of the story.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"

enum { MOST_LINE = 1000, MOST_BYTES = 64, SENTENCE = 400 };

/* All there is to a moment. */
struct moment {
    void          *data;                    /* of the state */
    float         *logits;
    krait_rng      random;
    krait_decoder  decoder;
    char           line[MOST_LINE];         /* what was typed then */
    struct moment *before;
};

struct story {
    krait_model           *model;
    krait_state           *state;
    const krait_tokenizer *tokenizer;
    float                 *logits;
    size_t                 width, bytes, most;
    int32_t                end;             /* token that ends a text, or -1 */
    krait_rng              random;
    krait_decoder          decoder;
    struct moment         *past;
};

/* ---- moments ---- */

static int remember(struct story *s, const char *line)
{
    struct moment *m = calloc(1, sizeof *m);

    if (m)
        m->data = malloc(s->bytes);
    if (m)
        m->logits = malloc(s->width * sizeof *m->logits);
    if (!m || !m->data || !m->logits) {
        if (m) {
            free(m->data);
            free(m->logits);
        }
        free(m);
        return 0;
    }
    memcpy(m->data, krait_state_data(s->state, NULL), s->bytes);
    memcpy(m->logits, s->logits, s->width * sizeof *m->logits);
    m->random = s->random;
    m->decoder = s->decoder;
    strcpy(m->line, line);
    m->before = s->past;
    s->past = m;
    return 1;
}

static void forget(struct story *s)
{
    struct moment *m = s->past;

    s->past = m->before;
    free(m->data);
    free(m->logits);
    free(m);
}

static void go_back(struct story *s)
{
    memcpy(krait_state_data(s->state, NULL), s->past->data, s->bytes);
    memcpy(s->logits, s->past->logits, s->width * sizeof *s->logits);
    s->random = s->past->random;
    s->decoder = s->past->decoder;
}

/* ---- reading and writing ---- */

static int read_line(struct story *s, const char *line)
{
    int32_t     *tokens = malloc((MOST_LINE + 16) * sizeof *tokens);
    size_t       count = 0, i;
    krait_status status = tokens ? krait_encode(s->model, line, strlen(line), s->past->before ? KRAIT_TEXT_GOES_ON : 0,
                                                tokens, MOST_LINE + 16, &count) : KRAIT_ERR_MEMORY;

    for (i = 0; i < count && status == KRAIT_OK; i++)
        status = krait_step_tokens(s->model, s->state, &tokens[i], i + 1 < count ? NULL : s->logits);
    free(tokens);
    return status == KRAIT_OK;
}

/* Up to the end of a sentence; whole characters are shown as soon as they are whole. */
static int answer(struct story *s)
{
    krait_sample_options how = { 0 };
    char                 text[MOST_BYTES];
    size_t               i, count = 0;
    int32_t              token;
    int                  ends = 0;

    how.size = sizeof how;
    how.temperature = 0.7f;
    how.top_k = 50;
    for (i = 0; i < s->most && !ends; i++) {
        if (krait_sample(s->logits, s->width, &how, &s->random, &token) != KRAIT_OK)
            return 0;
        if (token == s->end)
            break;
        if (krait_tokenizer_next(s->tokenizer, &s->decoder, token, KRAIT_TEXT_GOES_ON, text, sizeof text, &count)
                != KRAIT_OK
            || krait_step_tokens(s->model, s->state, &token, s->logits) != KRAIT_OK)
            return 0;
        fwrite(text, 1, count, stdout);
        fflush(stdout);
        ends = count && strchr(".!?", text[count - 1]) != NULL;
    }
    putchar('\n');
    return 1;
}

static int tell(struct story *s, const char *line)
{
    if (!remember(s, line))
        return 0;
    return read_line(s, line) && answer(s);
}

/* The same line, other random numbers. */
static int tell_again(struct story *s)
{
    char     line[MOST_LINE];
    uint64_t seed;

    if (!s->past) {
        puts("(there is nothing to answer yet)");
        return 1;
    }
    seed = s->random.word[0];
    strcpy(line, s->past->line);
    go_back(s);
    krait_rng_seed(&s->random, seed);
    return read_line(s, line) && answer(s);
}

/* ---- files ---- */

/* The saved form, the logits behind it. */
static void save(const struct story *s, const char *path)
{
    size_t bytes = 0;
    char  *form = NULL;
    FILE  *file = NULL;
    int    good = krait_state_save(s->model, s->state, 0, NULL, 0, &bytes) == KRAIT_OK && (form = malloc(bytes)) != NULL
               && krait_state_save(s->model, s->state, 0, form, bytes, &bytes) == KRAIT_OK
               && (file = fopen(path, "wb")) != NULL && fwrite(form, 1, bytes, file) == bytes
               && fwrite(s->logits, sizeof *s->logits, s->width, file) == s->width;

    good = file && fclose(file) == 0 && good;
    free(form);
    printf(good ? "(saved to %s)\n" : "(%s cannot be written)\n", path);
}

static void load(struct story *s, const char *path)
{
    krait_message why;
    size_t        bytes = 0, logits = s->width * sizeof *s->logits, count;
    char         *form = NULL;
    FILE         *file = fopen(path, "rb");

    strcpy(why.text, "cannot be read");
    if (krait_state_save(s->model, s->state, 0, NULL, 0, &bytes) == KRAIT_OK)
        form = malloc(bytes + logits + 1);
    count = file && form ? fread(form, 1, bytes + logits + 1, file) : 0;
    if (count && count != bytes + logits)
        strcpy(why.text, "is not a story of this model");
    else if (count && krait_state_load(s->model, s->state, 0, form, bytes, &why) == KRAIT_OK) {
        memcpy(s->logits, form + bytes, logits);
        while (s->past)
            forget(s);
        memset(&s->decoder, 0, sizeof s->decoder);
        strcpy(why.text, "goes on");
    }
    if (file)
        fclose(file);
    free(form);
    printf("(%s: %s)\n", path, why.text);
}

/* ---- the conversation ---- */

/* 0: leave. */
static int command(struct story *s, const char *line)
{
    if (strcmp(line, "/quit") == 0)
        return 0;
    if (strcmp(line, "/again") == 0)
        return tell_again(s);
    if (strcmp(line, "/undo") == 0 && s->past) {
        go_back(s);
        forget(s);
        puts("(taken back)");
    } else if (strcmp(line, "/undo") == 0) {
        puts("(nothing was said yet)");
    } else if (strncmp(line, "/save ", 6) == 0) {
        save(s, line + 6);
    } else if (strncmp(line, "/load ", 6) == 0) {
        load(s, line + 6);
    } else {
        puts("(/undo, /again, /save FILE, /load FILE or /quit)");
    }
    return 1;
}

static int talk(struct story *s)
{
    char line[MOST_LINE];
    int  good = 1;

    while (good && (fputs("> ", stdout), fflush(stdout), fgets(line, sizeof line, stdin))) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '/' && !command(s, line))
            break;
        if (line[0] && line[0] != '/')
            good = tell(s, line);
    }
    putchar('\n');
    if (!good)
        fprintf(stderr, "chat: no memory, or the model cannot be run\n");
    return good;
}

static int open_story(struct story *s, const char *path)
{
    krait_message why;
    int64_t       width = 0, end = -1;

    if (krait_model_open(&s->model, path, NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "chat: %s\n", why.text);
        return 0;
    }
    s->tokenizer = krait_model_tokenizer(s->model);
    krait_model_get(s->model, KRAIT_OUT_WIDTH, &width);
    krait_model_get(s->model, KRAIT_END_TOKEN, &end);
    s->width = (size_t)width;
    s->end = (int32_t)end;
    s->logits = calloc(s->width, sizeof *s->logits);
    if (!s->tokenizer || !s->logits || krait_state_create(&s->state, s->model, NULL, NULL) != KRAIT_OK) {
        fprintf(stderr, "chat: %s: no memory, or no vocabulary\n", path);
        return 0;
    }
    krait_state_data(s->state, &s->bytes);
    return 1;
}

int main(int argc, char **argv)
{
    static struct story s;
    const char         *model = "examples/models/mamba-novels.gguf";
    unsigned long       seed = 1, tokens = SENTENCE;
    int                 i, good;

    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--tokens") == 0)
            tokens = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--model") == 0)
            model = argv[i + 1];
        else
            break;
    }
    if (i != argc) {
        fputs("usage: chat [--tokens N] [--seed N] [--model MODEL]\n", stderr);
        return 2;
    }
    s.most = tokens;
    krait_rng_seed(&s.random, seed);
    good = open_story(&s, model) && talk(&s);
    while (s.past)
        forget(&s);
    free(s.logits);
    krait_state_destroy(s.state, NULL);
    krait_model_close(s.model);
    return !good;
}
