/*
 * test_whole.c - models that need whole sequences: every call begins afresh, each episode stands
 * alone, lanes are separate, and what cannot be done is refused before anything is written.
 */
#include <stdlib.h>
#include <string.h>

#include "layers/subject.h"
#include "support/random.h"
#include "test.h"

static size_t longest(const lanes *l, const uint32_t *lengths)
{
    size_t steps = 0;

    for (size_t lane = 0; lane < l->count; lane++)
        steps = lengths[lane] > steps ? lengths[lane] : steps;
    return steps;
}

/*
 * One call for KRAIT_ROWS_..., with all that can be said about it but the numbers: the rows of lane
 * i are then at out + i * stride * s->out.  To be freed.
 */
static float *run_whole(const lanes *l, const uint32_t *lengths, int which, uint32_t *counts,
                        size_t *stride)
{
    size_t       steps = longest(l, lengths), most = 0;
    call_rows    c = call_made(l, lengths, steps, l->s->most);
    krait_input  input = call_input(l, &c, lengths, steps);
    krait_output output = { .size = sizeof output, .which = which, .counts = counts };
    lanes        filled = *l;

    output.rows = c.out;
    output.capacity = which == KRAIT_ROWS_NONE ? 0 : l->count * l->s->most * l->s->out;
    fill_scratch(&filled);
    memset(counts, 0xee, l->count * sizeof *counts);
    CHECK_STATUS(krait_run(l->s->model, l->state, &input, &output, NULL), KRAIT_OK);
    CHECK_U64(output.steps_done, steps);
    for (size_t lane = 0; lane < l->count; lane++) {
        most = counts[lane] > most ? counts[lane] : most;
        CHECK((counts[lane] == 0) == (lengths[lane] == 0 || which == KRAIT_ROWS_NONE));
    }
    CHECK_U64(output.stride, which == KRAIT_ROWS_LAST ? 1 : most);
    *stride = output.stride;
    for (size_t lane = 0; lane < l->count && most <= l->s->most; lane++)
        CHECK(untouched(c.out + (lane * *stride + counts[lane]) * l->s->out,
                        (*stride - counts[lane]) * l->s->out));
    free(c.features), free(c.tokens), free(c.dt), free(c.reset);
    return c.out;
}

/* The same for the rows from..from+length-1 of one stream, in a state of its own. */
static float *run_alone(const subject *s, size_t stream, size_t from, size_t length, int resets,
                        uint32_t *count)
{
    lanes    l = lanes_made(s, 1, 1);
    uint32_t lengths[1] = { (uint32_t)length };
    size_t   stride;
    float   *out;

    l.plays[0] = stream;
    l.at[0] = from;
    l.no_resets = !resets;
    out = run_whole(&l, lengths, KRAIT_ROWS_ALL, count, &stride);
    lanes_free(&l);
    return out;
}

static void check_lanes(const subject *s)
{
    static const size_t plays[MOST_LANES] = { 2, 0, 1, 2, 0 };
    uint32_t            lengths[MOST_LANES], counts[MOST_LANES];

    for (size_t count = 2; count <= MOST_LANES; count++) {
        lanes l = lanes_made(s, count, 1);

        memcpy(l.plays, plays, sizeof plays);
        for (size_t lane = 0; lane < count; lane++)
            lengths[lane] = STEPS;
        for (int again = 0; again < 2; again++) {
            size_t stride;
            float *out = run_whole(&l, lengths, KRAIT_ROWS_ALL, counts, &stride);

            for (size_t lane = 0; lane < count; lane++)
                if (CHECK_U64(counts[lane], s->rows[plays[lane]]))
                    check_bits(out + lane * stride * s->out, row_out(s, plays[lane], 0),
                                counts[lane] * s->out);
            free(out);
        }
        lanes_free(&l);
    }
}

TEST(whole_lanes_are_separate)
{
    with_whole(check_lanes);
}

/* Random lengths, often 0, in one state: nothing of a call is left in the next. */
void check_whole_ragged(const subject *s)
{
    kr_random      random = kr_random_from(17);
    lanes          l = lanes_made(s, MOST_LANES, 1);
    size_t         bytes = MOST_LANES * s->lane_bytes;
    unsigned char *before = malloc(bytes + 1);

    for (int call = 0; call < 6; call++) {
        uint32_t lengths[MOST_LANES], counts[MOST_LANES], count;
        size_t   stride;
        float   *out, *alone;

        for (size_t lane = 0; lane < MOST_LANES; lane++)
            lengths[lane] = kr_random_u32(&random) % 3 ? 1 + kr_random_u32(&random) % STEPS : 0;
        lengths[call % MOST_LANES] = call % 2 ? 1 : STEPS;
        memcpy(before, lane_data(&l, 0), bytes);
        out = run_whole(&l, lengths, KRAIT_ROWS_ALL, counts, &stride);
        CHECK_BYTES(lane_data(&l, 0), before, bytes);
        for (size_t lane = 0; lane < MOST_LANES; lane++) {
            if (lengths[lane] == 0)
                continue;
            alone = run_alone(s, l.plays[lane], 0, lengths[lane], 1, &count);
            if (CHECK_U64(counts[lane], count))
                check_bits(out + lane * stride * s->out, alone, count * s->out);
            free(alone);
        }
        free(out);
    }
    free(before);
    lanes_free(&l);
}

TEST(whole_ragged_lengths)
{
    with_whole(check_whole_ragged);
}

void check_whole_episodes(const subject *s)
{
    for (size_t stream = 0; stream < STREAMS; stream++) {
        size_t row = 0;

        for (size_t from = 0, to; from < STEPS; from = to) {
            uint32_t count;
            float   *alone;

            for (to = from + 1; to < STEPS && !s->reset[stream * STEPS + to];)
                to++;
            alone = run_alone(s, stream, from, to - from, 0, &count);
            if (CHECK(row + count <= s->rows[stream]))
                check_bits(alone, row_out(s, stream, row), count * s->out);
            row += count;
            free(alone);
        }
        CHECK_U64(row, s->rows[stream]);
    }
}

TEST(whole_episodes_stand_alone)
{
    with_whole(check_whole_episodes);
}

static void check_which(const subject *s)
{
    uint32_t lengths[MOST_LANES] = { STEPS, 0, STEPS }, counts[MOST_LANES];
    lanes    l = lanes_made(s, 3, 1);
    size_t   stride;
    float   *out = run_whole(&l, lengths, KRAIT_ROWS_LAST, counts, &stride);

    for (size_t lane = 0; lane < 3; lane += 2)
        if (CHECK_U64(counts[lane], 1))
            check_bits(out + lane * stride * s->out, row_out(s, lane, s->rows[lane] - 1),
                        s->out);
    free(out);
    free(run_whole(&l, lengths, KRAIT_ROWS_NONE, counts, &stride));
    lanes_free(&l);
}

TEST(whole_last_and_no_rows)
{
    with_whole(check_which);
}

void check_whole_plain(const subject *s)
{
    krait_open_options options = { .size = sizeof options, .flags = KRAIT_OPEN_PLAIN };
    subject            plain = *s;

    if (CHECK_STATUS(krait_model_create(&plain.model, s->tree.json, s->tree.tensors,
                                        s->tree.n_tensors, &options, NULL), KRAIT_OK))
        check_lanes(&plain);
    krait_model_close(plain.model);
}

TEST(whole_plain_kernels_give_the_same_bits)
{
    with_whole(check_whole_plain);
}

/* ---- refusals ------------------------------------------------------------------------ */

/* Fails with nothing written; *stride as it was set. */
static void refuses(const lanes *l, const uint32_t *lengths, size_t capacity, krait_status status,
                    size_t *stride)
{
    size_t        steps = longest(l, lengths);
    call_rows     c = call_made(l, lengths, steps, l->s->most);
    krait_input   input = call_input(l, &c, lengths, steps);
    krait_output  output = { .size = sizeof output, .rows = c.out, .capacity = capacity };
    krait_message why = { "" };

    output.steps_done = 9;
    CHECK_STATUS(krait_run(l->s->model, l->state, &input, &output, &why), status);
    CHECK(why.text[0] != '\0' && output.steps_done == 0);
    CHECK(untouched(c.out, l->count * l->s->most * l->s->out));
    *stride = output.stride;
    call_free(&c);
}

void check_whole_space(const subject *s)
{
    uint32_t lengths[MOST_LANES] = { STEPS, STEPS, STEPS };
    lanes    l = lanes_made(s, STREAMS, 1);
    size_t   stride = 0;

    refuses(&l, lengths, STREAMS * s->most * s->out - 1, KRAIT_ERR_SPACE, &stride);
    CHECK_U64(stride, s->most);
    refuses(&l, lengths, 0, KRAIT_ERR_SPACE, &stride);
    CHECK_U64(stride, s->most);
    lanes_free(&l);
}

TEST(whole_says_how_much_space)
{
    with_whole(check_whole_space);
}

static void check_max_steps(const subject *s)
{
    krait_state_options options = { .size = sizeof options, .lanes = 2, .max_steps = STEPS - 1 };
    uint32_t            lengths[MOST_LANES] = { 2, STEPS }, counts[MOST_LANES], count;
    lanes               l = { .s = s, .count = 2, .plays = { 0, 1 }, .scratch = 0xff };
    float              *out, *alone;
    size_t              stride;

    CHECK_STATUS(krait_state_bytes(s->model, &options, &l.bytes), KRAIT_OK);
    l.bytes = (l.bytes + 63) / 64 * 64;
    l.block = aligned_alloc(KRAIT_STATE_ALIGNMENT, l.bytes);
    CHECK_STATUS(krait_state_place(&l.state, s->model, &options, l.block, l.bytes), KRAIT_OK);
    refuses(&l, lengths, 2 * s->most * s->out, KRAIT_ERR_ARGUMENT, &stride);
    lengths[1] = STEPS - 1;
    out = run_whole(&l, lengths, KRAIT_ROWS_ALL, counts, &stride);
    alone = run_alone(s, 1, 0, STEPS - 1, 1, &count);
    if (CHECK_U64(counts[1], count))
        check_bits(out + stride * s->out, alone, count * s->out);
    free(out), free(alone);
    lanes_free(&l);
}

TEST(whole_max_steps_bounds_a_sequence)
{
    with_whole(check_max_steps);
}

/* Unless the model has a bound of its own, such as the rows of positions. */
static void check_no_max_steps(const subject *s)
{
    krait_state_options options = { .size = sizeof options };
    krait_state        *state = (krait_state *)1;
    size_t              bytes = 1;
    int64_t             most = 0;

    CHECK_STATUS(krait_model_get(s->model, KRAIT_MOST_STEPS, &most), KRAIT_OK);
    if (most > 0) {
        CHECK_STATUS(krait_state_create(&state, s->model, &options, NULL), KRAIT_OK);
        krait_state_destroy(state, NULL);
        return;
    }
    CHECK_STATUS(krait_state_bytes(s->model, &options, &bytes), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_create(&state, s->model, &options, NULL), KRAIT_ERR_ARGUMENT);
    CHECK(state == NULL);
}

TEST(whole_needs_max_steps)
{
    with_whole(check_no_max_steps);
}

void check_whole_steps(const subject *s)
{
    lanes        l = lanes_made(s, 2, 1);
    float       *out = malloc(2 * s->out * sizeof *out);
    int32_t      tokens[2] = { 0, 0 };
    krait_status status;

    memset(out, 0xee, 2 * s->out * sizeof *out);
    status = s->tokens ? krait_step_tokens(s->model, l.state, tokens, out)
                       : krait_step(s->model, l.state, s->features, out);
    CHECK_STATUS(status, KRAIT_ERR_CANNOT_STEP);
    CHECK_STATUS(krait_step(s->model, l.state, s->features, out), KRAIT_ERR_CANNOT_STEP);
    CHECK(untouched(out, 2 * s->out));
    free(out);
    lanes_free(&l);
}

TEST(whole_models_do_not_step)
{
    with_whole(check_whole_steps);
}
