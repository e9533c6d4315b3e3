/*
 * KRAIT_NAN_HOLD: a row with NaN or infinity is as if it had not been given.
 *
 * Whatever is run with such rows must give, bit for bit, what the same rows without them give: the
 * same outputs at the rows that are left, and the same memory.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/random.h"
#include "support/tiny.h"
#include "test.h"

enum { LANES = 3, STEPS = 29, WIDTH = 5, OUT = 4 };

static const char description[] =
    "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":5},\"tree\":{\"sequence\":["
    "{\"conv\":{\"taps\":3,\"weights\":{\"weight\":\"conv\"}}},{\"pool\":{\"kind\":\"mean\"}},"
    "{\"linear\":{\"width\":4,\"weights\":{\"weight\":\"linear\"}}}]}}";

typedef struct held_case {
    krait_model *model;
    float        numbers[64];
    float        features[LANES][STEPS][WIDTH], dt[LANES][STEPS];
    uint8_t      reset[LANES][STEPS], bad[LANES][STEPS];
    uint32_t     lengths[LANES];
} held_case;

static void case_start(held_case *c, uint64_t seed)
{
    static const float odd[] = { NAN, INFINITY, -INFINITY };
    kr_random          random = kr_random_from(seed);
    krait_tensor       tensors[2] = {
        { .name = "conv", .data = c->numbers, .bytes = 60, .shape = { WIDTH, 3 }, .dimensions = 2 },
        { .name = "linear", .data = c->numbers + 20, .bytes = 80, .shape = { OUT, WIDTH }, .dimensions = 2 },
    };

    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < 64; i++)
        c->numbers[i] = kr_random_unit(&random);
    CHECK_STATUS(krait_model_create(&c->model, description, tensors, 2, NULL, NULL), KRAIT_OK);
    for (size_t l = 0; l < LANES; l++) {
        c->lengths[l] = l == 1 ? STEPS : STEPS - kr_random_u32(&random) % 9;
        for (size_t s = 0; s < STEPS; s++) {
            for (size_t k = 0; k < WIDTH; k++)
                c->features[l][s][k] = kr_random_unit(&random);
            c->dt[l][s] = 1.0f + kr_random_unit(&random);
            c->reset[l][s] = kr_random_u32(&random) % 6 == 0;
            c->bad[l][s] = kr_random_u32(&random) % 3 == 0;
            if (c->bad[l][s])
                c->features[l][s][kr_random_u32(&random) % WIDTH] = odd[kr_random_u32(&random) % 3];
        }
    }
}

/* The rows of a lane that are left, each with the resets of those before it that are not. */
static size_t left(const held_case *c, size_t lane, size_t from, size_t to, float *features, float *dt,
                   uint8_t *reset, size_t *where)
{
    size_t  n = 0;
    uint8_t begins = 0;

    for (size_t s = from; s < to; s++) {
        begins |= c->reset[lane][s];
        if (c->bad[lane][s])
            continue;
        memcpy(features + n * WIDTH, c->features[lane][s], sizeof c->features[lane][s]);
        dt[n] = c->dt[lane][s];
        reset[n] = begins;
        where[n++] = s;
        begins = 0;
    }
    return n;
}

/* What lane 'lane' gives without the rows that are held, one by one; NAN where there is none. */
static void expected(const held_case *c, size_t lane, float rows[STEPS][OUT], uint64_t *hash)
{
    krait_state *state = tiny_state(c->model, 1, 1);
    float        features[STEPS * WIDTH], dt[STEPS];
    uint8_t      reset[STEPS], trailing = 0;
    size_t       where[STEPS], n = left(c, lane, 0, c->lengths[lane], features, dt, reset, where);

    for (size_t i = 0; i < n; i++) {
        krait_input  input = { .size = sizeof input, .steps = 1, .features = features + i * WIDTH, .dt = dt + i,
                               .reset = reset + i };
        krait_output output = { .size = sizeof output, .rows = rows[where[i]], .capacity = OUT };

        CHECK_STATUS(krait_run(c->model, state, &input, &output, NULL), KRAIT_OK);
    }
    for (size_t s = c->lengths[lane]; s-- > 0 && c->bad[lane][s];)
        trailing |= c->reset[lane][s];
    if (trailing)
        CHECK_STATUS(krait_state_reset(c->model, state, 0), KRAIT_OK);
    *hash = tiny_hash(c->model, state, 0);
    krait_state_destroy(state, NULL);
}

/* All lanes in calls of 'call' rows of a state with that chunk. */
static void check_held(const held_case *c, size_t call, uint32_t chunk)
{
    krait_state *state = tiny_state(c->model, LANES, chunk);
    float        rows[LANES][STEPS][OUT];

    memset(rows, 0xee, sizeof rows);
    for (size_t from = 0; from < STEPS; from += call) {
        size_t       n = STEPS - from < call ? STEPS - from : call;
        float        features[LANES * STEPS * WIDTH], dt[LANES * STEPS], out[LANES * STEPS * OUT];
        uint8_t      reset[LANES * STEPS], held[LANES * STEPS];
        uint32_t     lengths[LANES], counts[LANES];
        krait_input  input = { .size = sizeof input, .steps = n, .features = features, .dt = dt, .reset = reset,
                               .lengths = lengths, .nan_policy = KRAIT_NAN_HOLD };
        krait_output output = { .size = sizeof output, .rows = out, .capacity = LANES * n * OUT, .held = held,
                                .counts = counts };

        memset(out, 0xee, sizeof out);
        for (size_t l = 0; l < LANES; l++) {
            lengths[l] = c->lengths[l] <= from ? 0 : c->lengths[l] - from < n ? c->lengths[l] - (uint32_t)from
                                                                            : (uint32_t)n;
            memcpy(features + l * n * WIDTH, c->features[l][from], n * WIDTH * sizeof *features);
            memcpy(dt + l * n, c->dt[l] + from, n * sizeof *dt);
            memcpy(reset + l * n, c->reset[l] + from, n);
        }
        CHECK_STATUS(krait_run(c->model, state, &input, &output, NULL), KRAIT_OK);
        for (size_t l = 0; l < LANES; l++) {
            size_t good = 0;

            memcpy(rows[l][from], out + l * n * OUT, n * OUT * sizeof *out);
            for (size_t s = 0; s < n; s++) {
                CHECK_INT(held[l * n + s], s < lengths[l] && c->bad[l][from + s]);
                good += s < lengths[l] && !c->bad[l][from + s];
            }
            CHECK_U64(counts[l], good);
        }
    }
    for (size_t l = 0; l < LANES; l++) {
        float    right[STEPS][OUT];
        uint64_t hash;

        memset(right, 0xee, sizeof right);
        expected(c, l, right, &hash);
        CHECK_BYTES(rows[l], right, sizeof right);
        CHECK_U64(tiny_hash(c->model, state, (int32_t)l), hash);
    }
    krait_state_destroy(state, NULL);
}

TEST(hold_is_as_if_not_given)
{
    static const size_t calls[] = { 1, 4, STEPS };

    for (uint64_t seed = 1; seed < 20; seed++) {
        held_case c;

        case_start(&c, seed);
        for (size_t i = 0; i < 3; i++)
            for (uint32_t chunk = 1; chunk <= 8; chunk += 7) {
                test_note("seed %d, calls of %zu, chunk %d", (int)seed, calls[i], (int)chunk);
                check_held(&c, calls[i], chunk);
            }
        krait_model_close(c.model);
    }
}

/* One lane's features are read in place: a pass ends where one is held.  ROWS_LAST is the last row left. */
TEST(hold_one_lane_and_the_last_row)
{
    for (uint64_t seed = 30; seed < 60; seed++) {
        held_case c;
        float     right[STEPS][OUT], rows[STEPS][OUT], last[OUT];
        uint64_t  hash;
        uint32_t  counts[1];
        size_t    at = STEPS;

        case_start(&c, seed);
        for (uint32_t chunk = 1; chunk < STEPS; chunk += 6) {
            krait_state *all = tiny_state(c.model, 1, chunk), *one = tiny_state(c.model, 1, chunk);
            krait_input  input = { .size = sizeof input, .steps = c.lengths[0], .features = c.features[0][0],
                                   .dt = c.dt[0], .reset = c.reset[0], .nan_policy = KRAIT_NAN_HOLD };
            krait_output output = { .size = sizeof output, .rows = rows[0], .capacity = STEPS * OUT };
            krait_output end = { .size = sizeof end, .rows = last, .capacity = OUT, .which = KRAIT_ROWS_LAST,
                                 .counts = counts };

            test_note("seed %d, chunk %d", (int)seed, (int)chunk);
            memset(right, 0xee, sizeof right);
            memset(rows, 0xee, sizeof rows);
            memset(last, 0xee, sizeof last);
            expected(&c, 0, right, &hash);
            CHECK_STATUS(krait_run(c.model, all, &input, &output, NULL), KRAIT_OK);
            CHECK_BYTES(rows, right, sizeof right);
            CHECK_STATUS(krait_run(c.model, one, &input, &end, NULL), KRAIT_OK);
            for (at = c.lengths[0]; at-- > 0 && c.bad[0][at];)
                ;
            CHECK_BYTES(last, right[at], sizeof last);
            CHECK_U64(counts[0], 1);
            CHECK_U64(tiny_hash(c.model, one, 0), hash);
            krait_state_destroy(all, NULL);
            krait_state_destroy(one, NULL);
        }
        krait_model_close(c.model);
    }
}

/* Where all rows are held nothing moves, is written or counted. */
TEST(hold_of_every_row)
{
    held_case    c;
    float        rows[STEPS][OUT], before[STEPS][OUT];
    uint32_t     counts[1] = { 9 };
    uint64_t     hash;
    krait_state *state;
    krait_input  input = { .size = sizeof input, .steps = STEPS, .nan_policy = KRAIT_NAN_HOLD };
    krait_output output = { .size = sizeof output, .rows = rows[0], .capacity = STEPS * OUT, .counts = counts };

    case_start(&c, 3);
    state = tiny_state(c.model, 1, 7);
    for (size_t s = 0; s < STEPS; s++)
        c.features[0][s][0] = s % 2 ? NAN : INFINITY;
    input.features = c.features[0][0];
    memset(rows, 0x11, sizeof rows);
    memset(before, 0x11, sizeof before);
    hash = tiny_hash(c.model, state, 0);
    for (output.which = KRAIT_ROWS_ALL; output.which <= KRAIT_ROWS_NONE; output.which++) {
        CHECK_STATUS(krait_run(c.model, state, &input, &output, NULL), KRAIT_OK);
        CHECK_BYTES(rows, before, sizeof rows);
        CHECK_U64(counts[0], 0);
        CHECK_U64(output.steps_done, STEPS);
        CHECK_U64(tiny_hash(c.model, state, 0), hash);
    }
    krait_state_destroy(state, NULL);
    krait_model_close(c.model);
}
