/*
 * motion.c - a trained model in a fixed arena, without files, threads, stdio and malloc; for a board or a host.
 *
 * The model of examples/models/s5-har.safetensors, as a GGUF of panels in read-only memory, names what the
 * recordings of examples/motion show: as many lines as windows, with all bits of the outputs.  After them what
 * it took, which depends on the machine.  'say' and 'stack_used' are the machine's.
 */
#include <stdint.h>
#include <string.h>

#include "embedded.h"
#include "krait.h"

enum { WINDOW = 128, INPUTS = 9, CLASSES = 6, ARENA_BYTES = 640 << 10, STATE_BYTES = 24 << 10 };

/* What motion_rows.h has: every recording's rows, one after another, in whole windows. */
static const float rows[][INPUTS] = {
#include "motion_rows.h"
};

typedef struct arena {
    size_t now, most;                   /* bytes up to the end of the newest block */
} arena;

static _Alignas(KRAIT_STATE_ALIGNMENT) unsigned char arena_bytes[ARENA_BYTES];
static _Alignas(KRAIT_STATE_ALIGNMENT) unsigned char state_bytes[STATE_BYTES];

static void *take(void *user, size_t bytes, size_t alignment)
{
    arena *a = user;
    size_t begin = (a->now + alignment - 1) / alignment * alignment;

    if (begin > sizeof arena_bytes || bytes > sizeof arena_bytes - begin)
        return NULL;
    a->now = begin + bytes;
    a->most = a->now > a->most ? a->now : a->most;
    return arena_bytes + begin;
}

/* What is newest can be used again; the rest stays until all is given up. */
static void give(void *user, void *block, size_t bytes, size_t alignment)
{
    arena *a = user;

    (void)alignment;
    if ((unsigned char *)block + bytes == arena_bytes + a->now)
        a->now = (size_t)((unsigned char *)block - arena_bytes);
}

static void say_number(uint32_t value)
{
    char   text[12];
    size_t at = sizeof text;

    text[--at] = '\0';
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    say(text + at);
}

static void say_bits(float x)
{
    char     text[10] = " ";
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    for (int i = 0; i < 8; i++)
        text[1 + i] = "0123456789abcdef"[bits >> (28 - 4 * i) & 15];
    say(text);
}

static void say_use(const char *what, size_t bytes)
{
    say("# ");
    say_number((uint32_t)bytes);
    say(" bytes: ");
    say(what);
    say("\n");
}

/* One window from the state's beginning, a row a step. */
static int window(const krait_model *model, krait_state *state, const float (*at)[INPUTS])
{
    float out[CLASSES];
    int   best = 0;

    krait_state_reset(model, state, KRAIT_ALL_LANES);
    for (int i = 0; i < WINDOW; i++)
        if (krait_step(model, state, at[i], out) != KRAIT_OK)
            return 0;
    for (int i = 1; i < CLASSES; i++)
        best = out[i] > out[best] ? i : best;
    say_number((uint32_t)best);
    say(":");
    for (int i = 0; i < CLASSES; i++)
        say_bits(out[i]);
    say("\n");
    return 1;
}

int embedded_main(void)
{
    arena              a = { 0, 0 };
    krait_allocator    allocator = { &a, take, give };
    krait_open_options options = { .size = sizeof options, .flags = KRAIT_OPEN_BORROW, .allocator = &allocator };
    krait_model       *model;
    krait_state       *state;
    krait_message      why = { "" };
    size_t             bytes, opened;

    if (krait_model_open_memory(&model, embedded_model, embedded_model_bytes(), &options, &why) != KRAIT_OK) {
        say(why.text);
        say("\n");
        return 1;
    }
    opened = a.now;
    if (krait_state_bytes(model, NULL, &bytes) != KRAIT_OK
        || krait_state_place(&state, model, NULL, state_bytes, sizeof state_bytes) != KRAIT_OK) {
        say("no room for the state\n");
        return 1;
    }
    say("# kernels: ");
    say(krait_build());
    say("\n");
    for (size_t i = 0; i + WINDOW <= sizeof rows / sizeof *rows; i += WINDOW)
        if (!window(model, state, rows + i)) {
            say("a step failed\n");
            return 1;
        }
    say_use("the model, beside the weights in place", opened);
    say_use("of the arena at most, while opening", a.most);
    say_use("the state of one stream", bytes);
    say_use("stack", stack_used());
    krait_model_close(model);
    return 0;
}
