/*
 * fork.c - all that a model remembers is a block of bytes: save it, branch, rewind.
 *
 *     fork [MODEL]
 *
 * Reads a prompt once, takes a snapshot, continues it with two seeds, puts the snapshot
 * back and continues with the first seed again.  Prints the continuations; the first and
 * the rewound one are the same byte for byte, or the program fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"

enum { LENGTH = 120 };

struct story {
    krait_model *model;
    krait_state *state;
    float       *logits;        /* what follows the last token read */
    size_t       width;
};

/* All that there is to a moment.  A game would keep its krait_rng here too. */
struct snapshot {
    unsigned char *data;
    float         *logits;
};

static int take_snapshot(const struct story *story, struct snapshot *moment)
{
    size_t      bytes;
    const void *data = krait_state_data(story->state, &bytes);

    moment->data = malloc(bytes);
    moment->logits = malloc(story->width * sizeof(float));
    if (!moment->data || !moment->logits)
        return 1;
    memcpy(moment->data, data, bytes);
    memcpy(moment->logits, story->logits, story->width * sizeof(float));
    printf("a snapshot takes %lu bytes\n", (unsigned long)bytes);
    return 0;
}

static void rewind_to(const struct story *story, const struct snapshot *moment)
{
    size_t bytes;
    void  *data = krait_state_data(story->state, &bytes);

    memcpy(data, moment->data, bytes);
    memcpy(story->logits, moment->logits, story->width * sizeof(float));
}

/* Writes LENGTH tokens with that seed; what does not fit 'room' is left out. */
static int go_on(const struct story *story, uint64_t seed, char *text, size_t room)
{
    krait_sample_options options = { 0 };
    krait_rng            random;
    size_t               length = 0, count;
    int                  i;

    options.size = sizeof options;
    options.temperature = 0.8f;
    krait_rng_seed(&random, seed);
    memset(text, 0, room);
    for (i = 0; i < LENGTH; i++) {
        const char *bytes;
        int32_t     token;

        if (krait_sample(story->logits, story->width, &options, &random, &token)
                != KRAIT_OK
            || krait_token_bytes(story->model, token, &bytes, &count) != KRAIT_OK
            || krait_step_tokens(story->model, story->state, &token, story->logits)
                   != KRAIT_OK)
            return 1;
        if (count < room - length) {
            memcpy(text + length, bytes, count);
            length += count;
        }
    }
    return 0;
}

static int open_story(struct story *story, const char *path, const char *prompt)
{
    krait_message why;
    int32_t       tokens[256];
    int64_t       width;
    size_t        count, i;

    if (krait_model_open(&story->model, path, NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "fork: %s\n", why.text);
        return 1;
    }
    krait_model_get(story->model, KRAIT_OUT_WIDTH, &width);
    story->width = (size_t)width;
    story->logits = malloc(story->width * sizeof(float));
    if (!story->logits
        || krait_state_create(&story->state, story->model, NULL, NULL) != KRAIT_OK
        || krait_encode(story->model, prompt, strlen(prompt), 0, tokens, 256, &count)
               != KRAIT_OK) {
        fprintf(stderr, "fork: %s: no memory, or no vocabulary\n", path);
        return 1;
    }
    for (i = 0; i < count; i++)
        krait_step_tokens(story->model, story->state, &tokens[i], story->logits);
    return 0;
}

int main(int argc, char **argv)
{
    const char     *path = argc > 1 ? argv[1] : "examples/models/mamba-novels.gguf";
    struct story    story = { NULL, NULL, NULL, 0 };
    struct snapshot moment;
    char            first[LENGTH * 16], second[LENGTH * 16], again[LENGTH * 16];
    int             same;

    if (open_story(&story, path, "She opened the door and ") != 0)
        return 1;
    if (take_snapshot(&story, &moment) != 0)
        return 1;
    if (go_on(&story, 1, first, sizeof first) != 0)
        return 1;
    rewind_to(&story, &moment);
    if (go_on(&story, 2, second, sizeof second) != 0)
        return 1;
    rewind_to(&story, &moment);
    if (go_on(&story, 1, again, sizeof again) != 0)
        return 1;

    same = memcmp(first, again, sizeof first) == 0;
    printf("seed 1: %s\n\nseed 2: %s\n\nrewound, seed 1: %s\n", first, second,
           same ? "the same again, byte for byte" : again);

    free(moment.data);
    free(moment.logits);
    free(story.logits);
    krait_state_destroy(story.state, NULL);
    krait_model_close(story.model);
    return !same;
}
