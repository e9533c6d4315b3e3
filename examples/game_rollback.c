/*
 * game_rollback.c - two players over a slow network, a creature with a neural network between them, and both see the
 * same fight: rollback netcode with krait in the simulation.
 *
 *     game_rollback [--frames N] [--seed N] [--model MODEL]
 *
 *     peers agree on numerics 1 and weights aa2d5c3f1fd5853f; kernels: avx512 and plain
 *     a snapshot takes 1660 bytes, 1600 of them are the creature's memory
 *     peer 0: 100000 frames, rolled back 6854 times, simulated 32055 frames again (at most 8 at once), waited 5199
 *     times, 12.2 us a frame
 *     ...
 *     100000 hashes of confirmed frames are equal, the last is 39a7f0f91893469b
 *
 * Each peer simulates at once with a guess of what the other player does (what was last heard of them), keeps a snapshot
 * of each of the last 8 frames, and when an input that arrives late was guessed wrong goes back and simulates again.
 * A peer that knows nothing for 8 frames waits.  This works only if a frame gives the same bits at both peers: here one
 * runs the best kernels of the CPU, as a player's new computer would, and the other the plain C ones.  Two peers that
 * agree on krait_numerics() and krait_model_hash() may as well be a phone and a console.
 *
 * A snapshot is a memcpy() of krait_state_data() and of the game itself.  Nothing is allocated in a frame.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "krait.h"

enum {
    PEERS = 2, ROLLBACK = 8, RING = 64,         /* frames; RING holds what is on its way, too */
    LATEST = 12,                                /* frames until a packet that was lost has come after all */
    INPUTS = 9, MOST_ACTIONS = 16, FIELD = 1 << 16,
    LEFT = 1, RIGHT = 2, UP = 4, DOWN = 8       /* buttons */
};

struct body { int32_t x, y, vx, vy; };

/* Whole numbers alone: the game has no rounding to disagree about. */
struct game {
    struct body player[PEERS], creature;
    int32_t     action, caught, since;          /* since the creature was born anew, in frames */
};

struct peer {
    krait_model   *model;
    krait_state   *state;
    struct game    game;
    uint32_t       frame;                       /* the next one to simulate */
    uint32_t       heard[PEERS];                /* inputs of frames before this one are known */
    uint8_t        input[PEERS][RING];          /* known or guessed, by frame % RING */
    struct game    kept_game[RING];             /* before the frame */
    unsigned char *kept_state[RING];
    uint32_t       wrong;                       /* the first frame that was guessed wrong, or 'frame' */
    uint32_t       hashed;                      /* frames whose hash is known */
    uint64_t       hash[RING];
    unsigned long  rollbacks, again, waits;
    uint32_t       most;
    double         took;
};

/* What one peer has sent: the input of a frame and when it comes. */
struct packets {
    uint8_t  input[RING];
    uint32_t arrives[RING], sent, taken;
};

static uint32_t random_from(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* ---- the game: one frame is a function of what was before and two inputs ---- */

static void push(struct body *b, int32_t x, int32_t y, int32_t limit)
{
    b->vx = (b->vx * 7 + x) / 8;
    b->vy = (b->vy * 7 + y) / 8;
    b->x += b->vx;
    b->y += b->vy;
    b->x = b->x < -limit ? -limit : b->x > limit ? limit : b->x;
    b->y = b->y < -limit ? -limit : b->y > limit ? limit : b->y;
}

static void press(struct body *b, uint8_t buttons)
{
    push(b, ((buttons & RIGHT) != 0) * 900 - ((buttons & LEFT) != 0) * 900,
         ((buttons & UP) != 0) * 900 - ((buttons & DOWN) != 0) * 900, FIELD);
}

/* What the creature sees: where the players are and how they move, seen from itself. */
static void look(const struct game *g, float *see)
{
    int i;

    for (i = 0; i < PEERS; i++) {
        const struct body *p = &g->player[i];

        see[4 * i] = (float)(p->x - g->creature.x) / FIELD;
        see[4 * i + 1] = (float)(p->y - g->creature.y) / FIELD;
        see[4 * i + 2] = (float)p->vx / 1024;
        see[4 * i + 3] = (float)p->vy / 1024;
    }
    see[8] = (float)g->action / 4;
}

static int32_t likeliest(const float *row, int64_t count)
{
    int32_t best = 0;
    int64_t i;

    for (i = 1; i < count; i++)
        best = row[i] > row[best] ? (int32_t)i : best;
    return best;
}

static int near(const struct body *a, const struct body *b)
{
    return abs(a->x - b->x) < 2000 && abs(a->y - b->y) < 2000;
}

static int simulate(struct peer *p, int64_t actions)
{
    static const int32_t ways[MOST_ACTIONS][2] = { { 700, 0 }, { -700, 0 }, { 0, 700 }, { 0, -700 }, { 500, 500 },
                                                   { -500, -500 } };
    struct game *g = &p->game;
    float        see[INPUTS], row[MOST_ACTIONS];
    int          i;

    for (i = 0; i < PEERS; i++)
        press(&g->player[i], p->input[i][p->frame % RING]);
    look(g, see);
    if (krait_step(p->model, p->state, see, row) != KRAIT_OK)
        return 0;
    g->action = likeliest(row, actions);
    push(&g->creature, ways[g->action][0], ways[g->action][1], FIELD / 2);
    g->since++;
    for (i = 0; i < PEERS; i++)
        if (near(&g->creature, &g->player[i]) || g->since == 600) {     /* born anew, with an empty memory */
            g->caught++;
            g->since = 0;
            memset(&g->creature, 0, sizeof g->creature);
            if (krait_state_reset(p->model, p->state, 0) != KRAIT_OK)
                return 0;
        }
    p->frame++;
    return 1;
}

/* ---- a peer ---- */

static void keep(struct peer *p)
{
    size_t bytes;
    void  *data = krait_state_data(p->state, &bytes);

    p->kept_game[p->frame % RING] = p->game;
    memcpy(p->kept_state[p->frame % RING], data, bytes);
}

static void go_back(struct peer *p, uint32_t frame)
{
    size_t bytes;
    void  *data = krait_state_data(p->state, &bytes);

    p->frame = frame;
    p->game = p->kept_game[frame % RING];
    memcpy(data, p->kept_state[frame % RING], bytes);
}

static uint32_t confirmed(const struct peer *p)
{
    return p->heard[0] < p->heard[1] ? p->heard[0] : p->heard[1];
}

/* Of a frame before which every input is known: what no rollback can change any more. */
static int hash_frames(struct peer *p)
{
    uint64_t memory, hash;
    size_t   i;

    while (p->hashed < confirmed(p) && p->hashed < p->frame) {
        const unsigned char *bytes = (const unsigned char *)&p->kept_game[p->hashed % RING];
        size_t               count;
        void                *data = krait_state_data(p->state, &count);
        int                  good;

        /* The state is borrowed to hash an older one: as cheap as a snapshot. */
        keep(p);
        memcpy(data, p->kept_state[p->hashed % RING], count);
        good = krait_state_hash(p->model, p->state, 0, &memory) == KRAIT_OK;
        memcpy(data, p->kept_state[p->frame % RING], count);
        if (!good)
            return 0;
        hash = 14695981039346656037u ^ memory;
        for (i = 0; i < sizeof(struct game); i++)
            hash = (hash ^ bytes[i]) * 1099511628211u;
        p->hash[p->hashed++ % RING] = hash;
    }
    return 1;
}

/* What came by now from the other player; a wrong guess is noticed. */
static void receive(struct peer *p, int other, struct packets *from, uint32_t now)
{
    while (from->taken < from->sent && from->arrives[from->taken % RING] <= now) {
        uint32_t frame = from->taken++;
        uint8_t  input = from->input[frame % RING], *had = &p->input[other][frame % RING];

        if (frame < p->wrong && *had != input)
            p->wrong = frame;
        *had = input;
        p->heard[other] = frame + 1;
    }
}

/* The last input that was heard of goes on: most frames it does. */
static void guess(struct peer *p, int other)
{
    uint32_t frame;

    for (frame = p->heard[other]; frame <= p->frame; frame++)
        p->input[other][frame % RING] = frame ? p->input[other][(frame - 1) % RING] : 0;
}

static int simulate_again(struct peer *p, int other, int64_t actions)
{
    uint32_t now = p->frame, from = p->wrong;

    if (from >= now)
        return 1;
    p->rollbacks++;
    p->again += now - from;
    p->most = now - from > p->most ? now - from : p->most;
    guess(p, other);
    go_back(p, from);
    while (p->frame < now) {
        keep(p);
        if (!simulate(p, actions))
            return 0;
    }
    return 1;
}

/* One sixtieth of a second at one peer. */
static int tick(struct peer *p, int me, struct packets *mine, struct packets *theirs, uint32_t now, uint32_t frames,
                uint32_t *seed, int64_t actions)
{
    int other = 1 - me;

    p->wrong = p->frame;
    receive(p, other, theirs, now);
    if (!simulate_again(p, other, actions) || !hash_frames(p))
        return 0;
    if (p->frame == frames)
        return 1;
    if (p->frame >= p->heard[other] + ROLLBACK) {
        p->waits++;
        return 1;
    }
    /* Players press something else about every 12 frames; a packet takes 1 to 6 frames, or is lost and sent again. */
    p->input[me][p->frame % RING] = p->frame && random_from(seed) % 12 ? p->input[me][(p->frame - 1) % RING]
                                                                       : (uint8_t)(random_from(seed) % 16);
    p->heard[me] = p->frame + 1;
    mine->input[mine->sent % RING] = p->input[me][p->frame % RING];
    mine->arrives[mine->sent % RING] = now + (random_from(seed) % 100 ? 1 + random_from(seed) % 6 : LATEST);
    mine->sent++;
    guess(p, other);
    keep(p);
    return simulate(p, actions);
}

/* ---- the two of them ---- */

static int open_peer(struct peer *p, const char *path, int32_t flags)
{
    krait_open_options options = { 0 };
    krait_message      why;
    size_t             bytes, i;

    options.size = sizeof options;
    options.flags = flags;
    if (krait_model_open(&p->model, path, &options, &why) != KRAIT_OK) {
        fprintf(stderr, "game_rollback: %s\n", why.text);
        return 0;
    }
    if (krait_state_create(&p->state, p->model, NULL, NULL) != KRAIT_OK)
        return 0;
    krait_state_data(p->state, &bytes);
    for (i = 0; i < RING; i++)
        if (!(p->kept_state[i] = malloc(bytes)))
            return 0;
    p->game.player[0].x = -FIELD / 2;
    p->game.player[1].x = FIELD / 2;
    return 1;
}

static void close_peer(struct peer *p)
{
    size_t i;

    for (i = 0; i < RING; i++)
        free(p->kept_state[i]);
    krait_state_destroy(p->state, NULL);
    krait_model_close(p->model);
}

/* Before a match: the same weights, and a library that makes the same numbers of them. */
static int agree(const struct peer *p, int64_t *actions)
{
    uint64_t a, b;
    int64_t  in, steps;
    size_t   bytes;

    krait_model_get(p[0].model, KRAIT_IN_WIDTH, &in);
    krait_model_get(p[0].model, KRAIT_OUT_WIDTH, actions);
    krait_model_get(p[0].model, KRAIT_CAN_STEP, &steps);
    if (in != INPUTS || *actions > MOST_ACTIONS || !steps) {
        fprintf(stderr, "game_rollback: the creature wants a model of %d inputs and at most %d outputs that steps\n",
                INPUTS, MOST_ACTIONS);
        return 0;
    }
    if (krait_model_hash(p[0].model, &a) != KRAIT_OK || krait_model_hash(p[1].model, &b) != KRAIT_OK || a != b) {
        fprintf(stderr, "game_rollback: the peers have other weights\n");
        return 0;
    }
    printf("peers agree on numerics %d and weights %016llx; kernels: %s and %s\n", (int)krait_numerics(),
           (unsigned long long)a, krait_model_text(p[0].model, "krait.kernels"),
           krait_model_text(p[1].model, "krait.kernels"));
    krait_state_data(p[0].state, &bytes);
    printf("a snapshot takes %lu bytes, %lu of them are the creature's memory\n",
           (unsigned long)(bytes + sizeof(struct game)), (unsigned long)bytes);
    return 1;
}

static int differ(const struct peer *p, uint32_t frame)
{
    return p[0].hash[frame % RING] != p[1].hash[frame % RING];
}

static int play(struct peer *p, uint32_t frames, uint32_t seed, int64_t actions)
{
    static struct packets packets[PEERS];
    uint32_t              now, compared = 0;
    int                   me;

    for (now = 0; compared < frames; now++) {
        for (me = 0; me < PEERS; me++) {
            clock_t begun = clock();

            if (!tick(&p[me], me, &packets[me], &packets[1 - me], now, frames, &seed, actions)) {
                fprintf(stderr, "game_rollback: the model cannot be run\n");
                return 0;
            }
            p[me].took += (double)(clock() - begun) / CLOCKS_PER_SEC;
        }
        for (; compared < p[0].hashed && compared < p[1].hashed; compared++)
            if (differ(p, compared)) {
                printf("frame %u is another one at the two peers\n", (unsigned)compared);
                return 0;
            }
    }
    for (me = 0; me < PEERS; me++)
        printf("peer %d: %u frames, rolled back %lu times, simulated %lu frames again (at most %u at once), waited %lu "
               "times, %.1f us a frame\n", me, (unsigned)frames, p[me].rollbacks, p[me].again, (unsigned)p[me].most,
               p[me].waits, 1e6 * p[me].took / frames);
    printf("the creature was caught %d times\n", (int)p[0].game.caught);
    printf("%u hashes of confirmed frames are equal, the last is %016llx\n", (unsigned)frames,
           (unsigned long long)p[0].hash[(frames - 1) % RING]);
    return 1;
}

int main(int argc, char **argv)
{
    static struct peer peers[PEERS];
    const char        *model = "examples/models/s5-har.safetensors";
    unsigned long      frames = 100000, seed = 1;
    int64_t            actions = 0;
    int                i, good;

    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--frames") == 0)
            frames = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--model") == 0)
            model = argv[i + 1];
        else
            break;
    }
    if (i != argc || frames < 1 || frames > 100000000) {
        fputs("usage: game_rollback [--frames N] [--seed N] [--model MODEL]\n", stderr);
        return 2;
    }
    good = open_peer(&peers[0], model, 0) && open_peer(&peers[1], model, KRAIT_OPEN_PLAIN) && agree(peers, &actions)
           && play(peers, (uint32_t)frames, (uint32_t)seed, actions);
    close_peer(&peers[0]);
    close_peer(&peers[1]);
    return !good;
}
