/*
 * test_layers.c - what every layer type must do, for trees of every registered type.
 *
 * Outputs are compared with the oracle's once; from then on everything else must give the same
 * bits: kernels, cuts, chunks, lanes, sleeping lanes, resets, single steps.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "layers/layer.h"
#include "layers/subject.h"
#include "support/random.h"
#include "test.h"

/* ---- every type takes part ----------------------------------------------------------- */

TEST(layers_every_type_has_an_oracle)
{
    for (size_t i = 0; kr_layer_types[i]; i++) {
        test_note("%s", kr_layer_types[i]->name);
        CHECK(oracle_named(kr_layer_types[i]->name) != NULL);
    }
}

/* How often the type stands in the text: behind it comes no letter of a longer word. */
static size_t stands_in(const char *text, const char *name)
{
    size_t length = strlen(name), found = 0;

    for (const char *at = text; (at = strstr(at, name)) != NULL; at += length)
        found += (at == text || strchr("[ ", at[-1]) != NULL) && strchr("([],", at[length]) != NULL;
    return found;
}

TEST(layers_every_type_is_tried)
{
    for (size_t i = 0; kr_layer_types[i]; i++) {
        const char *name = kr_layer_types[i]->name;
        size_t      found = 0;

        for (size_t k = 0; k < subject_count; k++)
            found += stands_in(subject_cases[k].text, name) > 0;
        test_note("%s stands in %zu trees", name, found);
        CHECK(found >= 3);
    }
}

/* ---- the numbers --------------------------------------------------------------------- */

static void check_oracle(const subject *s)
{
    for (size_t stream = 0; stream < STREAMS; stream++) {
        oracle_rows y = subject_oracle(s, stream, STEPS, NULL);

        for (size_t i = 0; i < y.count * y.width; i++)
            if (!CHECK_CLOSE((double)row_out(s, stream, 0)[i], y.x[i].v, ALLOWED * y.x[i].e))
                break;
        oracle_rows_free(&y);
    }
}

TEST(layers_equal_the_oracle)
{
    with_all(check_oracle);
}

void check_plain(const subject *s)
{
    krait_open_options options = { .size = sizeof options, .flags = KRAIT_OPEN_PLAIN };
    subject            plain = *s;

    if (!CHECK_STATUS(krait_model_create(&plain.model, s->tree.json, s->tree.tensors,
                                         s->tree.n_tensors, &options, NULL), KRAIT_OK))
        return;
    CHECK_U64(krait_model_id(plain.model), krait_model_id(s->model));
    for (size_t chunk = 1; chunk <= STEPS; chunk += STEPS - 1) {
        lanes l = lanes_made(&plain, STREAMS, chunk);

        advance(&l, STEPS);
        lanes_free(&l);
    }
    krait_model_close(plain.model);
}

TEST(layers_plain_kernels_give_the_same_bits)
{
    with_subjects(check_plain);
}

/* ---- cuts, lanes, lengths ------------------------------------------------------------ */

static void check_cuts(const subject *s)
{
    static const size_t calls[] = { 1, 2, 5, 11, STEPS };

    for (size_t chunk = 0; chunk < CHUNKS; chunk++)
        for (size_t call = 0; call < 5; call++)
            for (size_t stream = 0; stream < STREAMS; stream++) {
                lanes l = lanes_made(s, 1, chunk_sizes[chunk]);

                l.plays[0] = stream;
                while (!finished(&l))
                    advance(&l, calls[call]);
                lanes_free(&l);
            }
}

TEST(layers_any_cut_gives_the_same_bits)
{
    with_subjects(check_cuts);
}

static void check_lanes(const subject *s)
{
    static const size_t plays[MOST_LANES] = { 2, 0, 1, 2, 0 };

    for (size_t chunk = 0; chunk < CHUNKS; chunk++)
        for (size_t count = 2; count <= MOST_LANES; count++) {
            lanes l = lanes_made(s, count, chunk_sizes[chunk]);

            memcpy(l.plays, plays, sizeof plays);
            advance(&l, 9);
            advance(&l, 1);
            advance(&l, STEPS);
            lanes_free(&l);
        }
}

TEST(layers_lanes_are_separate_streams)
{
    with_subjects(check_lanes);
}

/* One call of random lengths, often 0: a lane that sleeps keeps every byte. */
static void advance_ragged(lanes *l, kr_random *random)
{
    uint32_t       lengths[MOST_LANES];
    size_t         bytes = l->count * l->s->lane_bytes;
    unsigned char *before = malloc(bytes + 1);

    memcpy(before, lane_data(l, 0), bytes);
    for (size_t lane = 0; lane < l->count; lane++) {
        uint32_t left = (uint32_t)(STEPS - l->at[lane]);

        lengths[lane] = kr_random_u32(random) % 2 ? kr_random_u32(random) % (left + 1) : 0;
    }
    advance_which(l, lengths, KRAIT_ROWS_ALL);
    for (size_t lane = 0; lane < l->count; lane++)
        if (lengths[lane] == 0)
            CHECK_BYTES(lane_data(l, lane), before + lane * l->s->lane_bytes, l->s->lane_bytes);
    free(before);
}

void check_ragged(const subject *s)
{
    kr_random random = kr_random_from(7);

    for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
        lanes l = lanes_made(s, MOST_LANES, chunk_sizes[chunk]);

        while (!finished(&l))
            advance_ragged(&l, &random);
        lanes_free(&l);
    }
}

TEST(layers_ragged_lengths)
{
    with_subjects(check_ragged);
}

static void check_which(const subject *s)
{
    kr_random random = kr_random_from(8);

    for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
        lanes l = lanes_made(s, MOST_LANES, chunk_sizes[chunk]);

        for (int which = 0; !finished(&l); which = (which + 1) % 3) {
            uint32_t lengths[MOST_LANES];

            for (size_t lane = 0; lane < l.count; lane++) {
                uint32_t most = (uint32_t)kr_min(STEPS - l.at[lane], 9);

                lengths[lane] = kr_random_u32(&random) % (most + 1);
            }
            advance_which(&l, lengths, which);
        }
        lanes_free(&l);
    }
}

TEST(layers_last_and_no_rows)
{
    with_subjects(check_which);
}

/* ---- episodes ------------------------------------------------------------------------ */

/* Each episode of each stream without resets: from a state just made, and from one just reset. */
static void check_resets(const subject *s)
{
    lanes used = lanes_made(s, STREAMS, 4);

    advance(&used, 3);
    used.no_resets = 1;
    for (size_t stream = 0; stream < STREAMS; stream++)
        for (size_t from = 0, to; from < STEPS; from = to) {
            lanes    fresh = lanes_made(s, 1, 5);
            uint32_t lengths[MOST_LANES] = { 0 };

            for (to = from + 1; to < STEPS && !s->reset[stream * STEPS + to];)
                to++;
            lengths[0] = (uint32_t)(to - from);
            fresh.no_resets = 1;
            fresh.plays[0] = stream;
            fresh.at[0] = from;
            advance_which(&fresh, lengths, KRAIT_ROWS_ALL);
            lanes_free(&fresh);

            lengths[0] = 0;
            lengths[stream] = (uint32_t)(to - from);
            used.at[stream] = from;
            CHECK_STATUS(krait_state_reset(s->model, used.state, (int32_t)stream), KRAIT_OK);
            advance_which(&used, lengths, KRAIT_ROWS_ALL);
        }
    lanes_free(&used);
}

TEST(layers_resets_begin_anew)
{
    with_subjects(check_resets);
}

/* ---- steps --------------------------------------------------------------------------- */

/* What krait_step*() takes: all lanes alike, and resets before it. */
static int one_step(lanes *l, float *out)
{
    const subject *s = l->s;
    int32_t        tokens[MOST_LANES];
    size_t         with_token = 0;
    float         *features = malloc(l->count * s->in * sizeof *features);
    krait_status   status;

    for (size_t lane = 0; lane < l->count; lane++) {
        size_t row = l->plays[lane] * STEPS + l->at[lane];

        if (s->dt && s->dt[row] != 1) {         /* which a step cannot say */
            free(features);
            return 0;
        }
        tokens[lane] = s->tokens ? s->tokens[row] : -1;
        with_token += tokens[lane] >= 0;
        memcpy(features + lane * s->in, s->features + row * s->in, s->in * sizeof *features);
    }
    for (size_t lane = 0; lane < l->count; lane++)
        if (s->reset[l->plays[lane] * STEPS + l->at[lane]])
            CHECK_STATUS(krait_state_reset(s->model, l->state, (int32_t)lane), KRAIT_OK);
    fill_scratch(l);
    status = with_token == l->count ? krait_step_tokens(s->model, l->state, tokens, out)
           : with_token == 0        ? krait_step(s->model, l->state, features, out) : 1;
    free(features);
    return status == 1 ? 0 : CHECK_STATUS(status, KRAIT_OK);
}

void check_steps(const subject *s)
{
    for (size_t count = 1; count <= 3; count += 2) {
        lanes    l = lanes_made(s, count, count);
        uint32_t lengths[MOST_LANES] = { 1, 1, 1 };

        while (!finished(&l)) {
            float *out = l.at[0] % 5 == 4 ? NULL : malloc(count * s->out * sizeof *out);

            if (!one_step(&l, out)) {
                advance(&l, 1);         /* tokens in some lanes, features in others */
            } else {
                if (out)
                    check_rows(&l, lengths, 1, KRAIT_ROWS_ALL, out);
                for (size_t lane = 0; lane < count; lane++)
                    l.at[lane]++;
            }
            free(out);
        }
        lanes_free(&l);
    }
}

TEST(layers_steps_equal_runs)
{
    with_subjects(check_steps);
}

/* The embedding given as features is the token. */
static void check_features(const subject *s)
{
    const oracle_layer *embed = s->tree.root;
    subject             other = *s;
    lanes               l;

    if (!s->tokens)
        return;
    while (embed->n_children)
        embed = embed->children[0];
    other.tokens = NULL;
    other.features = malloc(STREAMS * STEPS * s->in * sizeof *other.features);
    for (size_t r = 0; r < STREAMS * STEPS; r++) {
        const float *row = s->features + r * s->in;

        if (s->tokens[r] >= 0)
            row = embed->weights[0].data + (size_t)s->tokens[r] * s->in;
        memcpy(other.features + r * s->in, row, s->in * sizeof *other.features);
    }
    l = lanes_made(&other, STREAMS, 7);
    advance(&l, STEPS);
    lanes_free(&l);
    free(other.features);
}

TEST(layers_features_stand_for_tokens)
{
    with_subjects(check_features);
}

/* ---- time ---------------------------------------------------------------------------- */

/* Stream 0 without its dt, which are ones. */
static void check_dt(const subject *s)
{
    subject  other = *s;
    uint32_t length = STEPS;
    lanes    l;

    other.dt = NULL;
    l = lanes_made(&other, 1, 6);
    if (s->dt && !s->whole)
        advance_which(&l, &length, KRAIT_ROWS_ALL);
    lanes_free(&l);
}

TEST(layers_no_dt_is_one)
{
    with_subjects(check_dt);
}

/* NaN and negative ones anywhere, and any where no layer has a use for them. */
static void check_refused_dt(const subject *s)
{
    static const float bad[] = { 1.0f, -0.5f, (float)NAN };
    uint32_t           lengths[MOST_LANES] = { STEPS, 3 };
    float              dt[2 * STEPS];

    for (size_t i = s->dt ? 1 : 0; i < 3; i++) {
        lanes        l = lanes_made(s, 2, 5);
        size_t       room = s->most;
        call_rows    c = call_made(&l, lengths, STEPS, room);
        krait_input  input = call_input(&l, &c, lengths, STEPS);
        krait_output output = { .size = sizeof output, .rows = c.out, .steps_done = 7 };

        for (size_t r = 0; r < 2 * STEPS; r++)
            dt[r] = 1;
        dt[STEPS + 2] = bad[i];
        input.dt = dt;
        output.capacity = 2 * room * s->out;
        CHECK_STATUS(krait_run(s->model, l.state, &input, &output, NULL), KRAIT_ERR_ARGUMENT);
        CHECK(untouched(c.out, output.capacity) && output.steps_done == 0);
        call_free(&c);
        if (!s->whole)
            advance(&l, STEPS);
        lanes_free(&l);
    }
}

TEST(layers_dt_is_refused)
{
    with_all(check_refused_dt);
}
