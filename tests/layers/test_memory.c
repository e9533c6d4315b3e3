/*
 * test_memory.c - what lanes remember, moved, copied, saved, and what they must not remember: for
 * trees of every registered type, the rows that follow are the same bits.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "layers/subject.h"
#include "support/random.h"
#include "test.h"

/* ---- the block ----------------------------------------------------------------------- */

static void move_block(lanes *l)
{
    unsigned char *other = aligned_alloc(KRAIT_STATE_ALIGNMENT, l->bytes);
    krait_state   *state = NULL;

    memcpy(other, l->block, l->bytes);
    memset(l->block, 0xff, l->bytes);
    free(l->block);
    l->block = other;
    CHECK_STATUS(krait_state_adopt(&state, l->s->model, other, l->bytes), KRAIT_OK);
    CHECK((void *)state == (void *)other);
    l->state = (krait_state *)(void *)other;
}

static void check_moved(const subject *s)
{
    for (size_t count = 1; count <= 3; count += 2) {
        lanes l = lanes_made(s, count, 4);

        while (!finished(&l)) {
            advance(&l, 5);
            move_block(&l);
        }
        lanes_free(&l);
    }
}

TEST(layers_moved_blocks_go_on)
{
    with_subjects(check_moved);
}

/* A snapshot, then on, back and on again; and in a state with another chunk. */
static void check_data(const subject *s)
{
    lanes          l = lanes_made(s, STREAMS, 3), other = lanes_made(s, STREAMS, STEPS), then;
    size_t         bytes = STREAMS * s->lane_bytes;
    unsigned char *copy = malloc(bytes + 1);

    advance(&l, 8);
    memcpy(copy, lane_data(&l, 0), bytes);
    then = l;
    advance(&l, STEPS);
    memset(lane_data(&l, 0), 0xff, bytes);
    memcpy(lane_data(&l, 0), copy, bytes);
    memcpy(l.at, then.at, sizeof l.at);
    advance(&l, 6);
    advance(&l, STEPS);
    memcpy(lane_data(&other, 0), copy, bytes);
    memcpy(other.at, then.at, sizeof other.at);
    advance(&other, STEPS);
    free(copy);
    lanes_free(&l);
    lanes_free(&other);
}

TEST(layers_data_copied_out_and_in)
{
    with_subjects(check_data);
}

static void check_scratch(const subject *s)
{
    static const int fills[] = { 0x00, 0xff, 0x7f, 0xc1 };

    for (size_t i = 0; i < 4; i++)
        for (size_t count = 1; count <= 3; count += 2) {
            lanes l = lanes_made(s, count, 6);

            l.scratch = fills[i];
            while (!finished(&l))
                advance(&l, 8);
            lanes_free(&l);
        }
}

TEST(layers_scratch_is_not_remembered)
{
    with_subjects(check_scratch);
}

/* From any bytes: nothing but the block and the rows is touched, and twice the same comes out. */
static void run_from_bytes(const subject *s, const unsigned char *bytes, size_t chunk, float *out)
{
    lanes        l = lanes_made(s, STREAMS, chunk);
    krait_input  input = { .size = sizeof input, .steps = STEPS };
    krait_output output = { .size = sizeof output, .rows = out };
    uint64_t     hash;

    input.features = s->features;
    input.tokens = s->tokens;
    output.capacity = STREAMS * STEPS * s->out;
    memcpy(lane_data(&l, 0), bytes, STREAMS * s->lane_bytes);
    fill_scratch(&l);
    CHECK_STATUS(krait_run(s->model, l.state, &input, &output, NULL), KRAIT_OK);
    CHECK_STATUS(krait_state_hash(s->model, l.state, KRAIT_ALL_LANES, &hash), KRAIT_OK);
    for (size_t i = 0; i < output.capacity; i++)
        if (isnan(out[i]))
            out[i] = 0.125f;            /* which NaN it is may differ */
    lanes_free(&l);
}

static void check_any_memory(const subject *s)
{
    kr_random      random = kr_random_from(9);
    size_t         bytes = STREAMS * s->lane_bytes, count = STREAMS * STEPS * s->out;
    unsigned char *memory = malloc(bytes + 1);
    float         *a = malloc(count * sizeof *a), *b = malloc(count * sizeof *b);

    for (size_t i = 0; i < bytes; i++)
        memory[i] = (unsigned char)kr_random_u32(&random);
    run_from_bytes(s, memory, 1, a);
    for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
        run_from_bytes(s, memory, chunk_sizes[chunk], b);
        CHECK_BYTES(b, a, count * sizeof *a);
    }
    free(memory), free(a), free(b);
}

TEST(layers_any_memory_is_safe)
{
    with_subjects(check_any_memory);
}

/* ---- tiny states ---------------------------------------------------------------------- */

static size_t states_at_rest;           /* of a scan, exactly zero after rows of zeros */

/* Every part of a scan: nothing between 0 and 2^-100 (docs/numerics.md). */
static void check_part_at_rest(const lanes *l, size_t index, const krait_part *part)
{
    size_t count = 1;
    float *values;

    for (int d = 0; d < part->dimensions; d++)
        count *= (size_t)part->shape[d];
    values = malloc(count * sizeof *values);

    CHECK_STATUS(krait_part_read(l->s->model, l->state, index, 0, values, count), KRAIT_OK);
    for (size_t i = 0; i < count; i++) {
        if (!CHECK(values[i] == 0.0f || fabsf(values[i]) >= 0x1p-100f))
            break;
        states_at_rest += values[i] == 0.0f;
    }
    free(values);
}

static void check_rest(const subject *s)
{
    lanes      l = lanes_made(s, 1, 1);
    krait_part part = { .size = sizeof part };
    float     *zeros = calloc(s->in, sizeof *zeros);

    advance(&l, STEPS);
    for (size_t t = 0; t < 200; t++) {
        CHECK_STATUS(krait_step(s->model, l.state, zeros, NULL), KRAIT_OK);
        for (size_t i = 0; krait_part_info(s->model, i, &part) == KRAIT_OK; i++) {
            size_t length = strlen(part.name);

            if (length >= 3 && strcmp(part.name + length - 3, "ssm") == 0)
                check_part_at_rest(&l, i, &part);
        }
    }
    free(zeros);
    lanes_free(&l);
}

TEST(layers_tiny_states_become_zero)
{
    states_at_rest = 0;
    with_subjects(check_rest);
    CHECK(states_at_rest > 0);
}

/* ---- saved, copied, read and written ------------------------------------------------- */

static void check_same_lane(const lanes *a, size_t i, const lanes *b, size_t k)
{
    uint64_t x = 1, y = 2;

    CHECK_STATUS(krait_state_hash(a->s->model, a->state, (int32_t)i, &x), KRAIT_OK);
    CHECK_STATUS(krait_state_hash(b->s->model, b->state, (int32_t)k, &y), KRAIT_OK);
    CHECK_U64(x, y);
}

/* 'to' goes on where lane 'lane' of 'from' stands, in its lane 'into', which was full of NaN. */
static void save_and_load(const lanes *from, int32_t lane, lanes *to, int32_t into)
{
    size_t         bytes = 0;
    unsigned char *saved;

    CHECK_STATUS(krait_state_save(from->s->model, from->state, lane, NULL, 0, &bytes), KRAIT_OK);
    saved = malloc(bytes);
    CHECK_STATUS(krait_state_save(from->s->model, from->state, lane, saved, bytes, &bytes),
                 KRAIT_OK);
    CHECK_STATUS(krait_state_load(to->s->model, to->state, into, saved, bytes, NULL), KRAIT_OK);
    free(saved);
}

static void parts_over(const lanes *from, size_t lane, lanes *to, size_t into)
{
    krait_part part = { .size = sizeof part };

    for (size_t i = 0; krait_part_info(from->s->model, i, &part) == KRAIT_OK; i++) {
        size_t count = 1;
        float *values;

        for (int d = 0; d < part.dimensions; d++)
            count *= (size_t)part.shape[d];
        values = malloc(count * sizeof *values);
        CHECK_STATUS(krait_part_read(from->s->model, from->state, i, (int32_t)lane, values, count),
                     KRAIT_OK);
        CHECK_STATUS(krait_part_write(to->s->model, to->state, i, (int32_t)into, values, count),
                     KRAIT_OK);
        free(values);
    }
}

/* Each way of getting a lane into another state: the next rows are the same. */
static void check_saved(const subject *s)
{
    lanes  from = lanes_made(s, STREAMS, 4), to = lanes_made(s, MOST_LANES, 2);
    lanes  all = lanes_made(s, STREAMS, 1);
    size_t bytes = s->lane_bytes;

    advance(&from, 9);
    memset(lane_data(&to, 0), 0xff, MOST_LANES * bytes);
    memset(lane_data(&all, 0), 0xff, STREAMS * bytes);
    save_and_load(&from, 2, &to, 0);
    save_and_load(&from, 0, &to, 4);
    parts_over(&from, 1, &to, 1);
    CHECK_STATUS(krait_state_copy(s->model, to.state, 2, from.state, 1), KRAIT_OK);
    CHECK_STATUS(krait_state_copy(s->model, to.state, 3, to.state, 0), KRAIT_OK);
    memcpy(to.plays, (size_t[]){ 2, 1, 1, 2, 0 }, sizeof to.plays);
    for (size_t lane = 0; lane < MOST_LANES; lane++) {
        to.at[lane] = 9;
        check_same_lane(&from, to.plays[lane], &to, lane);
    }
    advance(&to, STEPS);
    save_and_load(&from, KRAIT_ALL_LANES, &all, KRAIT_ALL_LANES);
    memcpy(all.at, from.at, sizeof all.at);
    advance(&all, 4);
    CHECK_STATUS(krait_state_copy(s->model, all.state, KRAIT_ALL_LANES, from.state,
                                  KRAIT_ALL_LANES), KRAIT_OK);
    memcpy(all.at, from.at, sizeof all.at);
    advance(&all, STEPS);
    advance(&from, STEPS);
    for (size_t lane = 0; lane < STREAMS; lane++)
        check_same_lane(&from, lane, &all, lane);
    lanes_free(&from), lanes_free(&to), lanes_free(&all);
}

TEST(layers_saved_and_copied_lanes_go_on)
{
    with_subjects(check_saved);
}
