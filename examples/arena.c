/*
 * arena.c - a model in a fixed block of memory, as in a game or on a small board.
 *
 *     arena [MODEL]
 *
 * krait asks the arena below for every byte of the model; the state lies in a buffer of
 * its own.  When the block is too small, opening says so and nothing is lost.  Prints
 * what was used and a line of text, so that one sees it run.  (stdio may have memory of
 * its own: a board would print otherwise.)
 */
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "krait.h"

enum { ARENA_BYTES = 96 << 20, STATE_BYTES = 4 << 20, WIDTH = 4096 };

static alignas(KRAIT_STATE_ALIGNMENT) unsigned char arena[ARENA_BYTES];
static alignas(KRAIT_STATE_ALIGNMENT) unsigned char state_memory[STATE_BYTES];
static float logits[WIDTH];

struct arena_use {
    size_t now, most;           /* bytes up to the end of the newest block */
    size_t live;                /* of blocks that were not given back */
};

static void *take(void *user, size_t bytes, size_t alignment)
{
    struct arena_use *use = user;
    size_t            begin = (use->now + alignment - 1) / alignment * alignment;

    if (begin > sizeof arena || bytes > sizeof arena - begin)
        return NULL;
    use->now = begin + bytes;
    use->live += bytes;
    if (use->now > use->most)
        use->most = use->now;
    return arena + begin;
}

/* The newest block can be used again, and everything once nothing is left. */
static void give(void *user, void *block, size_t bytes, size_t alignment)
{
    struct arena_use *use = user;

    (void)alignment;
    use->live -= bytes;
    if (use->live == 0)
        use->now = 0;
    else if ((unsigned char *)block + bytes == arena + use->now)
        use->now = (size_t)((unsigned char *)block - arena);
}

static int write_line(const krait_model *model, krait_state *state, size_t width)
{
    const char *bytes;
    int32_t     token = '\n';
    size_t      count;
    int         i;

    for (i = 0; i < 60; i++) {
        if (krait_step_tokens(model, state, &token, logits) != KRAIT_OK
            || krait_sample(logits, width, NULL, NULL, &token) != KRAIT_OK
            || krait_token_bytes(model, token, &bytes, &count) != KRAIT_OK)
            return 1;
        fwrite(bytes, 1, count, stdout);
    }
    putchar('\n');
    return 0;
}

int main(int argc, char **argv)
{
    const char        *path = argc > 1 ? argv[1] : "examples/models/mamba-novels.gguf";
    struct arena_use   use = { 0, 0, 0 };
    krait_allocator    allocator = { NULL, take, give };
    krait_open_options options = { 0 };
    krait_model       *model;
    krait_state       *state;
    krait_message      why;
    int64_t            width;
    size_t             state_bytes;

    allocator.user = &use;
    options.size = sizeof options;
    options.allocator = &allocator;
    options.max_bytes = sizeof arena;
    options.flags = KRAIT_OPEN_READ;            /* mapping would be memory too */
    if (krait_model_open(&model, path, &options, &why) != KRAIT_OK) {
        fprintf(stderr, "arena: %s\n", why.text);
        return 1;
    }
    krait_model_get(model, KRAIT_OUT_WIDTH, &width);
    krait_state_bytes(model, NULL, &state_bytes);
    if (width > WIDTH || krait_state_place(&state, model, NULL, state_memory,
                                           sizeof state_memory) != KRAIT_OK) {
        fprintf(stderr, "arena: %s: the state or its output is too large\n", path);
        return 1;
    }
    printf("model: %lu bytes of the arena, at most %lu while opening\n",
           (unsigned long)use.now, (unsigned long)use.most);
    printf("state: %lu bytes\n", (unsigned long)state_bytes);
    if (write_line(model, state, (size_t)width) != 0) {
        fprintf(stderr, "arena: %s: not a model of text\n", path);
        return 1;
    }

    krait_model_close(model);                   /* the state was never given to krait */
    printf("left after closing: %lu bytes\n", (unsigned long)use.live);
    return use.live != 0;
}
