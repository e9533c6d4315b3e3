/*
 * own_network.c - a layer of krait's inside a network of your own, with weights in C arrays.
 *
 *     own_network
 *
 * Follows a noisy signal: a layer written here, a Mamba mixer by krait, a layer written here.  The
 * weights stand for those that a training program printed.  Shows krait_model_create(), a row at
 * a time and many at once with the same bits, and a prediction that is taken back: the state
 * is copied, the network runs ahead on guessed input, and goes on from the copy when the true
 * input comes.  Printed here:
 *
 *     the layer: 2272 numbers, 896 bytes remembered
 *     100 rows one by one: the last result is 0.073603
 *     100 rows at once: the same, bit by bit
 *     10 rows ahead on guesses: 0.113408; taken back, on the true rows: 0.073603
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"

enum { SENSORS = 4, WIDTH = 16, INNER = 32, STATES = 4, RANK = 2, TAPS = 4 };
enum { ROWS = 100, AHEAD = 10 };

/* ---- weights ---- */

static float before_w[WIDTH][SENSORS], before_b[WIDTH];     /* of the layers written here */
static float after_w[WIDTH], after_b;

static float in_proj[2 * INNER][WIDTH], conv_w[INNER][TAPS], conv_b[INNER];
static float x_proj[RANK + 2 * STATES][INNER], dt_w[INNER][RANK], dt_b[INNER];
static float a_log[INNER][STATES], d[INNER], out_proj[WIDTH][INNER];

static const char description[] =
    "{\"model_type\": \"krait\", \"version\": 1, \"input\": {\"features\": 16}, \"tree\":"
    " {\"residual\": {\"mamba1\":"
    " {\"name\": \"mixer\", \"inner\": 32, \"states\": 4, \"rank\": 2}}}}";

#define ARRAY_1(name, x)    { name, x, sizeof(x), { sizeof(x) / sizeof(float) }, 1, KRAIT_F32 }
#define ARRAY_2(name, x)    { name, x, sizeof(x), { sizeof(x) / sizeof((x)[0]), \
                              sizeof((x)[0]) / sizeof(float) }, 2, KRAIT_F32 }

static const krait_tensor tensors[] = {
    ARRAY_2("mixer.in_proj.weight", in_proj),   ARRAY_2("mixer.conv1d.weight", conv_w),
    ARRAY_1("mixer.conv1d.bias", conv_b),       ARRAY_2("mixer.x_proj.weight", x_proj),
    ARRAY_2("mixer.dt_proj.weight", dt_w),      ARRAY_1("mixer.dt_proj.bias", dt_b),
    ARRAY_2("mixer.A_log", a_log),              ARRAY_1("mixer.D", d),
    ARRAY_2("mixer.out_proj.weight", out_proj),
};

static uint32_t random_state = 1;

/* Evenly between low and high, the same everywhere. */
static float random_number(float low, float high)
{
    random_state = random_state * 1664525u + 1013904223u;
    return low + (float)(random_state >> 8) / 16777216.0f * (high - low);
}

static void fill(void *numbers, size_t bytes, float low, float high)
{
    float *x = numbers;
    size_t i;

    for (i = 0; i < bytes / sizeof *x; i++)
        x[i] = random_number(low, high);
}

static void fill_weights(void)
{
    fill(before_w, sizeof before_w, -0.7f, 0.7f);
    fill(before_b, sizeof before_b, -0.1f, 0.1f);
    fill(after_w, sizeof after_w, -0.3f, 0.3f);
    fill(in_proj, sizeof in_proj, -0.4f, 0.4f);
    fill(conv_w, sizeof conv_w, -0.5f, 0.5f);
    fill(conv_b, sizeof conv_b, -0.1f, 0.1f);
    fill(x_proj, sizeof x_proj, -0.3f, 0.3f);
    fill(dt_w, sizeof dt_w, -0.5f, 0.5f);
    fill(dt_b, sizeof dt_b, -3.0f, -1.0f);
    fill(a_log, sizeof a_log, 0.0f, 1.5f);
    fill(d, sizeof d, 0.5f, 1.5f);
    fill(out_proj, sizeof out_proj, -0.3f, 0.3f);
}

/* ---- the layers written here ---- */

static void run_before(const float *sensors, float *row)
{
    int i, k;

    for (i = 0; i < WIDTH; i++) {
        row[i] = before_b[i];
        for (k = 0; k < SENSORS; k++)
            row[i] += before_w[i][k] * sensors[k];
        row[i] = row[i] > 0 ? row[i] : 0.1f * row[i];
    }
}

static float run_after(const float *row)
{
    float sum = after_b;
    int   i;

    for (i = 0; i < WIDTH; i++)
        sum += after_w[i] * row[i];
    return sum;
}

/* ---- the network ---- */

struct network {
    krait_model *model;
    krait_state *state;
};

static void check(krait_status status)
{
    if (status != KRAIT_OK) {
        fprintf(stderr, "own_network: %s\n", krait_status_text(status));
        exit(1);
    }
}

static float step(const struct network *n, const float *sensors)
{
    float row[WIDTH], made[WIDTH];

    run_before(sensors, row);
    check(krait_step(n->model, n->state, row, made));
    return run_after(made);
}

/* The same for many rows: krait turns them into matrix products. */
static void run_many(const struct network *n, float sensors[][SENSORS], size_t count,
                     float *results)
{
    static float rows[ROWS][WIDTH], made[ROWS][WIDTH];
    krait_input  input = { 0 };
    krait_output output = { 0 };
    size_t       i;

    for (i = 0; i < count; i++)
        run_before(sensors[i], rows[i]);
    input.size = sizeof input;
    input.steps = count;
    input.features = rows[0];
    output.size = sizeof output;
    output.rows = made[0];
    output.capacity = ROWS * WIDTH;
    check(krait_run(n->model, n->state, &input, &output, NULL));
    for (i = 0; i < count; i++)
        results[i] = run_after(made[i]);
}

/* The last rows come late: guess them, run ahead, and do it again when they are there. */
static float guess_and_take_back(const struct network *n, float sensors[][SENSORS],
                                 float *guessed)
{
    size_t bytes;
    void  *now = krait_state_data(n->state, &bytes);    /* all that is remembered, no pointer */
    void  *copy = malloc(bytes);
    float  result = 0;
    int    i;

    if (!copy)
        check(KRAIT_ERR_MEMORY);
    memcpy(copy, now, bytes);
    for (i = 0; i < AHEAD; i++)
        *guessed = step(n, sensors[ROWS - AHEAD - 1]);  /* as if nothing changed any more */
    memcpy(now, copy, bytes);
    for (i = ROWS - AHEAD; i < ROWS; i++)
        result = step(n, sensors[i]);
    free(copy);
    return result;
}

static void make_network(struct network *n)
{
    krait_state_options options = { 0 };
    krait_message       why;
    int64_t             parameters, bytes;

    fill_weights();
    if (krait_model_create(&n->model, description, tensors, sizeof tensors / sizeof tensors[0],
                           NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "own_network: %s\n", why.text);
        exit(1);
    }
    options.size = sizeof options;
    options.chunk = 32;                 /* rows that run_many() takes at a time */
    check(krait_state_create(&n->state, n->model, &options, NULL));
    check(krait_model_get(n->model, KRAIT_PARAMETERS, &parameters));
    check(krait_model_get(n->model, KRAIT_STATE_BYTES_PER_LANE, &bytes));
    printf("the layer: %ld numbers, %ld bytes remembered\n", (long)parameters, (long)bytes);
}

int main(void)
{
    static float   sensors[ROWS][SENSORS], results[ROWS], again[ROWS];
    struct network n;
    float          late, guessed = 0;
    int            i, same;

    make_network(&n);
    fill(sensors, sizeof sensors, -1, 1);
    for (i = 0; i < ROWS; i++)
        results[i] = step(&n, sensors[i]);
    printf("%d rows one by one: the last result is %.6f\n", ROWS, (double)results[ROWS - 1]);

    check(krait_state_reset(n.model, n.state, KRAIT_ALL_LANES));
    run_many(&n, sensors, ROWS, again);
    same = memcmp(results, again, sizeof results) == 0;
    printf("%d rows at once: %s\n", ROWS, same ? "the same, bit by bit" : "not the same");

    check(krait_state_reset(n.model, n.state, KRAIT_ALL_LANES));
    run_many(&n, sensors, ROWS - AHEAD, again);
    late = guess_and_take_back(&n, sensors, &guessed);
    printf("%d rows ahead on guesses: %.6f; taken back, on the true rows: %.6f\n", AHEAD,
           (double)guessed, (double)late);
    same &= memcmp(&late, &results[ROWS - 1], sizeof late) == 0;

    krait_state_destroy(n.state, NULL);
    krait_model_close(n.model);
    return !same;
}
