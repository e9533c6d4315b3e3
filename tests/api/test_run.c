/* krait_run: what is refused before the first row, what is counted, and how a call is cancelled. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/random.h"
#include "support/tiny.h"
#include "test.h"

enum { LANES = 3, STEPS = 7, CHUNK = 2, VOCABULARY = 17, WIDTH = 16, ROWS = LANES * STEPS };

/* A model with a state that remembers something, and arguments for a call that would succeed. */
typedef struct call {
    tiny          *t;
    krait_model   *model;
    krait_state   *state;
    size_t         state_bytes;
    int32_t        tokens[ROWS];
    float          features[ROWS * WIDTH];
    uint32_t       lengths[LANES], counts[LANES];
    uint8_t        reset[ROWS], held[ROWS];
    float          rows[ROWS * VOCABULARY];
    krait_input    input;
    krait_output   output;
    krait_message  message;
} call;

static void call_start(call *c)
{
    kr_random random = kr_random_from(3);
    krait_state_options options = { .size = sizeof options, .lanes = LANES, .chunk = CHUNK };

    memset(c, 0, sizeof *c);
    c->t = tiny_make(&(tiny_sizes){ .vocabulary = VOCABULARY }, 1);
    c->model = tiny_model(c->t);
    c->state = tiny_state(c->model, LANES, CHUNK);
    CHECK_STATUS(krait_state_bytes(c->model, &options, &c->state_bytes), KRAIT_OK);
    tiny_steps(c->model, c->state, LANES, 3, 1, NULL);
    for (size_t i = 0; i < ROWS; i++)
        c->tokens[i] = (int32_t)(kr_random_u32(&random) % VOCABULARY);
    for (size_t i = 0; i < ROWS * WIDTH; i++)
        c->features[i] = kr_random_unit(&random);
    c->lengths[0] = c->lengths[1] = c->lengths[2] = STEPS;
    c->input = (krait_input){ .size = sizeof c->input, .steps = STEPS, .tokens = c->tokens };
    c->output = (krait_output){ .size = sizeof c->output, .rows = c->rows, .capacity = ROWS * VOCABULARY,
                                .counts = c->counts };
}

static void call_end(call *c)
{
    krait_state_destroy(c->state, NULL);
    krait_model_close(c->model);
    tiny_free(c->t);
}

static krait_status run(call *c)
{
    memset(&c->message, 'x', sizeof c->message);
    return krait_run(c->model, c->state, &c->input, &c->output, &c->message);
}

/* The call must fail so, with a message, and move and write nothing; all is as before then. */
static void refused(call *c, krait_status status, const char *word)
{
    krait_input    input = c->input;
    krait_output   output = c->output, expected;
    unsigned char *before = malloc(c->state_bytes);
    float          rows[ROWS * VOCABULARY];

    memcpy(before, c->state, c->state_bytes);
    for (size_t i = 0; i < ROWS * VOCABULARY; i++)
        c->rows[i] = rows[i] = (float)i;
    memset(c->counts, 0x5a, sizeof c->counts);
    memset(c->held, 0x5a, sizeof c->held);
    c->output.steps_done = 99;
    c->output.mode_used = 77;
    expected = c->output;
    expected.steps_done = 0;
    CHECK_STATUS(run(c), status);
    CHECK(strstr(c->message.text, word) != NULL);
    test_note("%s", c->message.text);
    CHECK(c->output.stride == 0 || c->output.stride == 1 || c->output.stride == c->input.steps);
    expected.stride = c->output.stride;
    CHECK_BYTES(c->state, before, c->state_bytes);
    CHECK_BYTES(c->rows, rows, sizeof rows);
    CHECK_BYTES(&c->output, &expected, sizeof expected);
    for (size_t i = 0; i < LANES; i++)
        CHECK_U64(c->counts[i], 0x5a5a5a5au);
    for (size_t i = 0; i < ROWS; i++)
        CHECK_INT(c->held[i], 0x5a);
    CHECK_BYTES(&c->input, &input, sizeof input);
    test_note("%s", "");
    c->output = output;
    free(before);
}

static void accepted(call *c)
{
    CHECK_STATUS(run(c), KRAIT_OK);
    CHECK_STR(c->message.text, "");
}

TEST(run_refuses_tokens_out_of_range)
{
    static const int32_t wrong[] = { -1, -2, VOCABULARY, VOCABULARY + 1, INT32_MAX, INT32_MIN };
    call c;

    call_start(&c);
    accepted(&c);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            int32_t kept = c.tokens[row];

            c.tokens[row] = wrong[i];
            refused(&c, KRAIT_ERR_ARGUMENT, "token");
            if (wrong[i] == -1) {               /* fine where its features are given */
                c.input.features = c.features;
                accepted(&c);
                c.input.features = NULL;
            }
            c.tokens[row] = kept;
        }
    c.input.features = c.features;
    c.tokens[ROWS - 1] = -2;
    refused(&c, KRAIT_ERR_ARGUMENT, "token");
    /* Beyond a lane's length nothing is looked at. */
    c.input.lengths = c.lengths;
    c.lengths[LANES - 1] = STEPS - 1;
    accepted(&c);
    call_end(&c);
}

TEST(run_refuses_nan)
{
    static const float wrong[] = { NAN, INFINITY, -INFINITY };
    call c;

    call_start(&c);
    c.input.tokens = NULL;
    c.input.features = c.features;
    c.input.nan_policy = KRAIT_NAN_REFUSE;
    accepted(&c);
    for (size_t at = 0; at < ROWS * WIDTH; at++) {
        float kept = c.features[at];

        c.features[at] = wrong[at % 3];
        refused(&c, KRAIT_ERR_ARGUMENT, "NaN");
        c.features[at] = kept;
    }
    /* A row with a token does not look at its features. */
    c.features[4 * WIDTH] = NAN;
    c.input.tokens = c.tokens;
    accepted(&c);
    c.tokens[4] = -1;
    refused(&c, KRAIT_ERR_ARGUMENT, "NaN");
    c.input.nan_policy = KRAIT_NAN_PROPAGATE;
    accepted(&c);
    CHECK(isnan(c.rows[4 * VOCABULARY]) && isnan(c.rows[6 * VOCABULARY]));
    CHECK(!isnan(c.rows[3 * VOCABULARY]) && !isnan(c.rows[7 * VOCABULARY]));
    call_end(&c);
}

TEST(run_refuses_arguments)
{
    static const float dt[ROWS] = { 1 };
    call c;

    call_start(&c);
    c.input.mode = 4;
    refused(&c, KRAIT_ERR_ARGUMENT, "mode");
    c.input.mode = -1;
    refused(&c, KRAIT_ERR_ARGUMENT, "mode");
    c.input.mode = KRAIT_SCAN;
    accepted(&c);
    CHECK_INT(c.output.mode_used, KRAIT_SCAN);
    c.input.mode = KRAIT_CONVOLUTION;
    refused(&c, KRAIT_ERR_UNSUPPORTED, "CONVOLUTION");
    c.input.mode = KRAIT_AUTO;
    accepted(&c);
    CHECK_INT(c.output.mode_used, KRAIT_RECURRENT);
    c.input.mode = KRAIT_RECURRENT;

    c.input.nan_policy = 3;
    refused(&c, KRAIT_ERR_ARGUMENT, "nan_policy");
    c.input.nan_policy = -1;
    refused(&c, KRAIT_ERR_ARGUMENT, "nan_policy");
    c.output.held = c.held;
    c.input.nan_policy = KRAIT_NAN_HOLD;
    refused(&c, KRAIT_ERR_ARGUMENT, "HOLD");
    c.input.nan_policy = 0;

    c.input.dt = dt;
    refused(&c, KRAIT_ERR_ARGUMENT, "dt");
    c.input.dt = NULL;

    c.input.tokens = NULL;
    refused(&c, KRAIT_ERR_ARGUMENT, "tokens nor features");
    c.input.tokens = c.tokens;

    c.output.which = 3;
    refused(&c, KRAIT_ERR_ARGUMENT, "which");
    c.output.which = -1;
    refused(&c, KRAIT_ERR_ARGUMENT, "which");
    c.output.which = KRAIT_ROWS_ALL;
    c.output.rows = NULL;
    refused(&c, KRAIT_ERR_ARGUMENT, "rows");
    c.output.which = KRAIT_ROWS_LAST;
    refused(&c, KRAIT_ERR_ARGUMENT, "rows");
    c.output.which = KRAIT_ROWS_NONE;
    accepted(&c);
    call_end(&c);
}

static int32_t cancel_at_once(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return 1;
}

TEST(run_refuses_sizes)
{
    static const size_t absurd[] = { SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / LANES + 1,
                                     SIZE_MAX / LANES / VOCABULARY + 1, SIZE_MAX / LANES / WIDTH + 1 };
    call c;

    call_start(&c);
    for (c.output.capacity = 0; c.output.capacity < ROWS * VOCABULARY; c.output.capacity++)
        refused(&c, KRAIT_ERR_SPACE, "capacity");
    c.output.which = KRAIT_ROWS_LAST;
    c.output.capacity = LANES * VOCABULARY - 1;
    refused(&c, KRAIT_ERR_SPACE, "capacity");
    c.output.capacity++;
    accepted(&c);

    c.input.lengths = c.lengths;
    for (size_t lane = 0; lane < LANES; lane++) {
        c.lengths[lane] = STEPS + 1;
        refused(&c, KRAIT_ERR_ARGUMENT, "lengths");
        c.lengths[lane] = UINT32_MAX;
        refused(&c, KRAIT_ERR_ARGUMENT, "lengths");
        c.lengths[lane] = STEPS;
    }
    /* Steps that no memory holds are refused, even where nothing of them would be looked at. */
    memset(c.lengths, 0, sizeof c.lengths);
    c.input.progress = cancel_at_once;
    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
        c.input.steps = absurd[i];
        c.output.which = KRAIT_ROWS_NONE;
        if (absurd[i] > SIZE_MAX / LANES / WIDTH)
            refused(&c, KRAIT_ERR_ARGUMENT, "memory");
        c.output.which = KRAIT_ROWS_ALL;
        c.output.capacity = SIZE_MAX;
        refused(&c, KRAIT_ERR_ARGUMENT, "memory");
    }
    call_end(&c);
}

TEST(run_refuses_structs)
{
    struct { krait_input input; size_t more[2]; } newer_input = { .more = { 0 } };
    struct { krait_output output; size_t more[2]; } newer_output = { .more = { 0 } };
    call c;

    call_start(&c);
    newer_input.input = c.input;
    newer_input.input.size = sizeof newer_input;
    newer_output.output = c.output;
    newer_output.output.size = sizeof newer_output;
    CHECK_STATUS(krait_run(c.model, c.state, &newer_input.input, &newer_output.output, NULL), KRAIT_OK);
    CHECK_U64(newer_output.output.size, sizeof newer_output);
    CHECK_U64(newer_output.output.steps_done, STEPS);
    newer_input.more[1] = 1;
    CHECK_STATUS(krait_run(c.model, c.state, &newer_input.input, &newer_output.output, &c.message),
                 KRAIT_ERR_ARGUMENT);
    CHECK(c.message.text[0]);
    CHECK_U64(newer_output.output.steps_done, 0);
    newer_input.more[1] = 0;
    newer_output.more[0] = 1;
    CHECK_STATUS(krait_run(c.model, c.state, &newer_input.input, &newer_output.output, &c.message),
                 KRAIT_ERR_ARGUMENT);
    CHECK(c.message.text[0]);
    for (size_t size = 0; size < sizeof(size_t); size++) {
        c.input.size = size;
        refused(&c, KRAIT_ERR_ARGUMENT, "size");
        c.input.size = sizeof c.input;
        c.output.size = size;
        CHECK_STATUS(run(&c), KRAIT_ERR_ARGUMENT);
        c.output.size = sizeof c.output;
    }
    /* An older program's struct: the fields that it does not have are their defaults. */
    c.input.size = offsetof(krait_input, features);
    c.input.features = c.features;
    c.input.mode = 55;
    accepted(&c);
    c.output.size = offsetof(krait_output, counts);
    memset(c.counts, 0x5a, sizeof c.counts);
    c.output.steps_done = 99;
    accepted(&c);
    CHECK_U64(c.output.steps_done, 99);
    CHECK_U64(c.counts[0], 0x5a5a5a5au);
    call_end(&c);
}

TEST(run_refuses_null_and_foreign_states)
{
    call c;

    call_start(&c);
    CHECK_STATUS(krait_run(NULL, c.state, &c.input, &c.output, &c.message), KRAIT_ERR_ARGUMENT);
    CHECK(c.message.text[0]);
    CHECK_STATUS(krait_run(c.model, NULL, &c.input, &c.output, &c.message), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_run(c.model, c.state, NULL, &c.output, &c.message), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_run(c.model, c.state, &c.input, NULL, &c.message), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_run(c.model, c.state, &c.input, NULL, NULL), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_step(c.model, c.state, NULL, c.rows), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_step(NULL, c.state, c.features, c.rows), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_step(c.model, NULL, c.features, c.rows), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_step_tokens(c.model, c.state, NULL, c.rows), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_step_tokens(NULL, c.state, c.tokens, c.rows), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_step_tokens(c.model, NULL, c.tokens, c.rows), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_step(c.model, c.state, c.features, NULL), KRAIT_OK);
    CHECK_STATUS(krait_step_tokens(c.model, c.state, c.tokens, NULL), KRAIT_OK);
    memset(c.state, 0, 8);                      /* no state at all */
    refused(&c, KRAIT_ERR_ARGUMENT, "state");
    CHECK_STATUS(krait_step_tokens(c.model, c.state, c.tokens, c.rows), KRAIT_ERR_ARGUMENT);
    call_end(&c);
}

/* A model of features has no tokens. */
TEST(run_refuses_tokens_for_features)
{
    static const char  description[] = "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":2},"
                                       "\"tree\":{\"activation\":{\"kind\":\"relu\"}}}";
    krait_model       *model = NULL;
    krait_state       *state;
    krait_message      message;
    float              in[2] = { -1, 2 }, out[2];
    int32_t            token = 0;
    krait_input        input = { .size = sizeof input, .steps = 1, .tokens = &token, .features = in };
    krait_output       output = { .size = sizeof output, .rows = out, .capacity = 2 };

    CHECK_STATUS(krait_model_create(&model, description, NULL, 0, NULL, &message), KRAIT_OK);
    CHECK_OR_RETURN(model != NULL);
    state = tiny_state(model, 1, 1);
    CHECK_STATUS(krait_run(model, state, &input, &output, &message), KRAIT_ERR_ARGUMENT);
    CHECK(strstr(message.text, "tokens") != NULL);
    CHECK_STATUS(krait_step_tokens(model, state, &token, out), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_step(model, state, in, out), KRAIT_OK);
    CHECK_CLOSE(out[0], 0, 0);
    CHECK_CLOSE(out[1], 2, 0);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

/* ---- what is written and counted ---- */

/* Rows of every length, of each kind: counts, places, and nothing beyond them. */
TEST(run_lengths_and_counts)
{
    static const uint32_t lengths[][LANES] = { { 7, 7, 7 }, { 7, 0, 3 }, { 0, 0, 0 }, { 1, 2, 0 }, { 0, 5, 6 } };
    call  c;
    float all[ROWS * VOCABULARY];

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int32_t which = KRAIT_ROWS_ALL; which <= KRAIT_ROWS_NONE; which++) {
            uint64_t before[LANES];

            call_start(&c);
            CHECK_STATUS(run(&c), KRAIT_OK);    /* what all rows are */
            memcpy(all, c.rows, sizeof all);
            call_end(&c);
            call_start(&c);
            for (int32_t lane = 0; lane < LANES; lane++)
                before[lane] = tiny_hash(c.model, c.state, lane);
            c.input.lengths = lengths[i];
            c.output.which = which;
            memset(c.rows, 0x5a, sizeof c.rows);
            memset(c.counts, 0x5a, sizeof c.counts);
            accepted(&c);
            CHECK_U64(c.output.steps_done, STEPS);
            for (size_t lane = 0; lane < LANES; lane++) {
                size_t length = lengths[i][lane], at = lane * (which == KRAIT_ROWS_ALL ? STEPS : 1);

                test_note("lengths %zu, rows %d, lane %zu", i, (int)which, lane);
                CHECK_U64(c.counts[lane], which == KRAIT_ROWS_ALL ? length
                                          : which == KRAIT_ROWS_LAST ? length > 0 : 0);
                if (which == KRAIT_ROWS_ALL)
                    CHECK_BYTES(c.rows + at * VOCABULARY, all + at * VOCABULARY, length * VOCABULARY * 4);
                else if (c.counts[lane] == 1)
                    CHECK_BYTES(c.rows + at * VOCABULARY, all + (lane * STEPS + length - 1) * VOCABULARY,
                                VOCABULARY * 4);
                for (size_t k = c.counts[lane] * VOCABULARY; which == KRAIT_ROWS_ALL && k < STEPS * VOCABULARY; k++) {
                    uint32_t bits;

                    memcpy(&bits, &c.rows[at * VOCABULARY + k], 4);
                    if (!CHECK_U64(bits, 0x5a5a5a5au))
                        break;
                }
                CHECK_INT(tiny_hash(c.model, c.state, (int32_t)lane) == before[lane], length == 0);
            }
            call_end(&c);
        }
    test_note("%s", "");
}

TEST(run_zero_steps)
{
    call     c;
    uint64_t before;

    call_start(&c);
    before = tiny_hash(c.model, c.state, KRAIT_ALL_LANES);
    c.input.steps = 0;
    c.input.tokens = NULL;
    accepted(&c);
    CHECK_U64(c.output.steps_done, 0);
    CHECK_U64(c.counts[0] | c.counts[1] | c.counts[2], 0);
    c.output.rows = NULL;
    c.output.capacity = 0;
    accepted(&c);
    CHECK_U64(tiny_hash(c.model, c.state, KRAIT_ALL_LANES), before);
    call_end(&c);
}

/* A row that begins an episode gives what a fresh state gives, in its lane alone. */
TEST(run_reset_rows)
{
    call  c;
    float all[ROWS * VOCABULARY];

    call_start(&c);
    accepted(&c);
    memcpy(all, c.rows, sizeof all);
    call_end(&c);
    for (size_t at = 0; at < STEPS; at++) {
        krait_state *state;
        float        out[VOCABULARY];

        call_start(&c);
        c.input.reset = c.reset;
        c.reset[STEPS + at] = (uint8_t)(at % 2 ? 1 : 255);      /* lane 1 */
        accepted(&c);
        test_note("reset before row %zu", at);
        CHECK_BYTES(c.rows, all, STEPS * VOCABULARY * 4);
        CHECK_BYTES(c.rows + 2 * STEPS * VOCABULARY, all + 2 * STEPS * VOCABULARY, STEPS * VOCABULARY * 4);
        CHECK_BYTES(c.rows + STEPS * VOCABULARY, all + STEPS * VOCABULARY, at * VOCABULARY * 4);
        state = tiny_state(c.model, 1, 1);
        for (size_t step = at; step < STEPS; step++) {
            CHECK_STATUS(krait_step_tokens(c.model, state, &c.tokens[STEPS + step], out), KRAIT_OK);
            CHECK_BYTES(c.rows + (STEPS + step) * VOCABULARY, out, sizeof out);
        }
        krait_state_destroy(state, NULL);
        call_end(&c);
    }
    test_note("%s", "");
}

/* ---- cancelling ---- */

typedef struct watch { size_t calls, cancel_at; uint64_t done; int wrong; } watch;

static int32_t watched(void *user, uint64_t done, uint64_t total)
{
    watch *w = user;

    w->wrong += total != STEPS || (w->calls && done <= w->done);
    w->done = done;
    return w->calls++ == w->cancel_at;
}

/* A cancelled call has done whole chunks; going on from there gives the same bits. */
TEST(run_cancelled_goes_on)
{
    static const uint32_t ragged[LANES] = { 7, 2, 5 };
    call     c;
    float    all[ROWS * VOCABULARY];
    uint64_t end;

    for (size_t at = 0; at < 8; at++) {
        int     lengths = at % 2;
        int32_t which = (int32_t)(at / 4);

        for (size_t cancel = 0; cancel <= STEPS; cancel++) {
            watch    w = { 0, cancel, 0, 0 };
            size_t   done;
            uint32_t rest[LANES];

            call_start(&c);
            c.input.lengths = lengths ? ragged : NULL;
            CHECK_STATUS(run(&c), KRAIT_OK);
            memcpy(all, c.rows, sizeof all);
            end = tiny_hash(c.model, c.state, KRAIT_ALL_LANES);
            call_end(&c);

            call_start(&c);
            c.input.lengths = lengths ? ragged : NULL;
            c.input.progress = watched;
            c.input.progress_user = &w;
            c.output.which = which;
            memset(c.rows, 0x5a, sizeof c.rows);
            test_note("cancelled at call %zu, lengths %d, rows %d", cancel, lengths, (int)which);
            if (cancel * CHUNK >= STEPS) {      /* too late */
                CHECK_STATUS(run(&c), KRAIT_OK);
                CHECK_U64(w.done, STEPS);
                CHECK_U64(w.calls, (STEPS + CHUNK - 1) / CHUNK + 1);
                CHECK_U64(tiny_hash(c.model, c.state, KRAIT_ALL_LANES), end);
                call_end(&c);
                break;
            }
            CHECK_STATUS(run(&c), KRAIT_ERR_CANCELLED);
            CHECK(c.message.text[0]);
            CHECK_INT(w.wrong, 0);
            CHECK_U64(w.calls, cancel + 1);
            done = c.output.steps_done;
            CHECK_U64(done, cancel * CHUNK);
            for (size_t lane = 0; lane < LANES; lane++) {
                size_t length = lengths ? ragged[lane] : STEPS, n = length < done ? length : done;
                size_t expected = which == KRAIT_ROWS_ALL ? n : length <= done;

                CHECK_U64(c.counts[lane], expected);
                if (which == KRAIT_ROWS_ALL)
                    CHECK_BYTES(c.rows + lane * STEPS * VOCABULARY, all + lane * STEPS * VOCABULARY,
                                n * VOCABULARY * 4);
                for (size_t k = expected * VOCABULARY;
                     k < (which == KRAIT_ROWS_ALL ? STEPS : 1) * VOCABULARY; k++) {
                    uint32_t bits;

                    memcpy(&bits, &c.rows[lane * (which == KRAIT_ROWS_ALL ? STEPS : 1) * VOCABULARY + k], 4);
                    if (!CHECK_U64(bits, 0x5a5a5a5au))
                        break;
                }
                rest[lane] = (uint32_t)(length - n);
            }
            /* The rest: the rows of every lane moved to its front. */
            for (size_t lane = 0; lane < LANES; lane++)
                memmove(c.tokens + lane * STEPS, c.tokens + lane * STEPS + done, (STEPS - done) * sizeof *c.tokens);
            c.input.lengths = rest;
            c.input.progress = NULL;
            c.output.which = KRAIT_ROWS_ALL;
            CHECK_STATUS(run(&c), KRAIT_OK);
            for (size_t lane = 0; lane < LANES; lane++)
                CHECK_BYTES(c.rows + lane * STEPS * VOCABULARY, all + (lane * STEPS + done) * VOCABULARY,
                            rest[lane] * VOCABULARY * 4);
            CHECK_U64(tiny_hash(c.model, c.state, KRAIT_ALL_LANES), end);
            call_end(&c);
        }
    }
    test_note("%s", "");
}

/* A second thread or a task pool that is offered is not needed, but must do no harm. */
static void one_after_another(void *user, krait_task_fn task, void *argument, size_t count)
{
    (void)user;
    while (count-- > 0)
        task(argument, count);
}

TEST(run_takes_parallel)
{
    call  c;
    float all[ROWS * VOCABULARY];

    call_start(&c);
    accepted(&c);
    memcpy(all, c.rows, sizeof all);
    call_end(&c);
    call_start(&c);
    c.input.parallel = one_after_another;
    accepted(&c);
    CHECK_BYTES(c.rows, all, sizeof all);
    call_end(&c);
}
