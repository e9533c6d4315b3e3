/* lanes.c - lanes that run a subject, and check every row they are given. */
#include "layers/subject.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/build.h"
#include "test.h"

lanes lanes_made(const subject *s, size_t count, size_t chunk)
{
    krait_state_options options = { .size = sizeof options };
    lanes               l = { .s = s, .count = count, .scratch = 0xff };

    options.lanes = (uint32_t)count;
    options.chunk = (uint32_t)chunk;
    options.max_steps = s->whole ? STEPS : 0;
    options.tasks = s->tasks;
    for (size_t i = 0; i < count; i++)
        l.plays[i] = i % STREAMS;
    CHECK_STATUS(krait_state_bytes(s->model, &options, &l.bytes), KRAIT_OK);
    l.block = aligned_alloc(KRAIT_STATE_ALIGNMENT, (l.bytes + 63) / 64 * 64);
    memset(l.block, 0xff, l.bytes);
    CHECK_STATUS(krait_state_place(&l.state, s->model, &options, l.block, l.bytes), KRAIT_OK);
    return l;
}

void lanes_free(lanes *l)
{
    free(l->block);
}

unsigned char *lane_data(const lanes *l, size_t lane)
{
    size_t         bytes;
    unsigned char *data = krait_state_data(l->state, &bytes);

    CHECK_U64(bytes, l->count * l->s->lane_bytes);
    return data + lane * l->s->lane_bytes;
}

void fill_scratch(lanes *l)
{
    unsigned char *from = lane_data(l, l->count);

    memset(from, l->scratch, (size_t)((unsigned char *)l->block + l->bytes - from));
}

call_rows call_made(const lanes *l, const uint32_t *lengths, size_t steps, size_t room)
{
    const subject *s = l->s;
    size_t         rows = l->count * steps, out = l->count * room * s->out;
    call_rows      c = { 0 };

    c.features = malloc(rows * s->in * 4 + (rows == 0));
    c.out = malloc(out * 4 + (out == 0));
    c.reset = malloc(rows + (rows == 0));
    if (s->tokens)
        c.tokens = malloc(rows * sizeof *c.tokens + (rows == 0));
    if (s->dt)
        c.dt = malloc(rows * sizeof *c.dt + (rows == 0));
    memset(c.features, 0xff, rows * s->in * 4);
    memset(c.out, 0xee, out * 4);
    memset(c.reset, 1, rows);
    for (size_t r = 0; r < rows && c.tokens; r++)
        c.tokens[r] = INT32_MAX;
    for (size_t r = 0; r < rows && c.dt; r++)
        c.dt[r] = -1;
    for (size_t lane = 0; lane < l->count; lane++)
        for (size_t i = 0; i < lengths[lane]; i++) {
            size_t from = l->plays[lane] * STEPS + l->at[lane] + i, to = lane * steps + i;

            memcpy(c.features + to * s->in, s->features + from * s->in, s->in * 4);
            c.reset[to] = s->reset[from];
            if (c.tokens)
                c.tokens[to] = s->tokens[from];
            if (c.dt)
                c.dt[to] = s->dt[from];
        }
    return c;
}

void call_free(call_rows *c)
{
    free(c->features), free(c->out), free(c->tokens), free(c->reset), free(c->dt);
}

krait_input call_input(const lanes *l, const call_rows *c, const uint32_t *lengths, size_t steps)
{
    krait_input input = { .size = sizeof input, .steps = steps, .lengths = lengths };

    input.features = c->features;
    input.tokens = c->tokens;
    input.dt = c->dt;
    input.reset = l->no_resets ? NULL : c->reset;
    if (l->s->host)
        host_give(l->s->host, &input);
    return input;
}

int untouched(const float *row, size_t count)
{
    for (size_t i = 0; i < count * 4; i++)
        if (((const unsigned char *)row)[i] != 0xee)
            return 0;
    return 1;
}

/* Every NaN is one NaN: docs/numerics.md. */
int check_bits(const float *actual, const float *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(isnan(actual[i]) && isnan(expected[i])) &&
            !CHECK_BYTES(&actual[i], &expected[i], sizeof *actual))
            return 0;
    return 1;
}

/* The rows that a call was to write hold the expected bits, and no others were written. */
void check_rows(const lanes *l, const uint32_t *lengths, size_t steps, int which, const float *out)
{
    const subject *s = l->s;
    size_t         per_lane = which == KRAIT_ROWS_ALL ? steps : 1;

    for (size_t lane = 0; lane < l->count; lane++)
        for (size_t i = 0; i < per_lane; i++) {
            const float *row = out + (lane * per_lane + i) * s->out;
            size_t       last = lengths[lane] - 1;
            size_t       from = l->at[lane] + (which == KRAIT_ROWS_ALL ? i : last);

            if (which == KRAIT_ROWS_NONE || i >= lengths[lane])
                CHECK(untouched(row, s->out));
            else if (!check_bits(row, row_out(s, l->plays[lane], from), s->out))
                return;
        }
}

/* Every lane goes on by so many rows, in one call. */
void advance_which(lanes *l, const uint32_t *lengths, int which)
{
    uint32_t     counts[MOST_LANES];
    size_t       steps = 0;
    krait_input  input;
    krait_output output = { .size = sizeof output, .which = which, .counts = counts };
    call_rows    c;

    for (size_t lane = 0; lane < l->count; lane++)
        steps = lengths[lane] > steps ? lengths[lane] : steps;
    c = call_made(l, lengths, steps, steps);
    input = call_input(l, &c, lengths, steps);
    output.rows = c.out;
    output.capacity = (which == KRAIT_ROWS_ALL ? steps : 1) * l->count * l->s->out;
    if (steps == 0)
        output.rows = NULL, output.capacity = 0;
    if (which == KRAIT_ROWS_NONE)
        output.capacity = 0;
    fill_scratch(l);
    if (steps && CHECK_STATUS(krait_run(l->s->model, l->state, &input, &output, NULL), KRAIT_OK)) {
        CHECK_U64(output.steps_done, steps);
        CHECK_U64(output.stride, which == KRAIT_ROWS_ALL ? steps : which == KRAIT_ROWS_LAST);
        check_rows(l, lengths, steps, which, c.out);
        for (size_t lane = 0; lane < l->count; lane++)
            CHECK_U64(counts[lane], which == KRAIT_ROWS_ALL    ? lengths[lane]
                                    : which == KRAIT_ROWS_LAST ? lengths[lane] > 0 : 0);
    }
    for (size_t lane = 0; lane < l->count; lane++)
        l->at[lane] += lengths[lane];
    call_free(&c);
}

/* All lanes by so many rows, or as many as there are left. */
void advance(lanes *l, size_t rows)
{
    uint32_t lengths[MOST_LANES];

    for (size_t lane = 0; lane < l->count; lane++)
        lengths[lane] = (uint32_t)kr_min(rows, STEPS - l->at[lane]);
    advance_which(l, lengths, KRAIT_ROWS_ALL);
}

int finished(const lanes *l)
{
    for (size_t lane = 0; lane < l->count; lane++)
        if (l->at[lane] < STEPS)
            return 0;
    return 1;
}
