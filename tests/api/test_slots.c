/*
 * What a model knows by name: rows that are kept and asked for, orders that come with a call; and
 * where the rows of whole sequences stand in the output.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/tiny.h"
#include "test.h"

#define TREE(input, tree) "{\"model_type\":\"krait\",\"version\":1,\"input\":" input ",\"tree\":{\"sequence\":[" tree "]}}"

/* Every weight here is 1, 2, 3, ... */
static krait_model *made(const char *description, const char *name, uint64_t rows, uint64_t columns)
{
    static float  numbers[256];
    krait_tensor  tensor = { .name = name, .data = numbers, .bytes = 4 * rows * columns,
                             .shape = { rows, columns }, .dimensions = 2 };
    krait_message why = { "" };
    krait_model  *model = NULL;

    for (size_t i = 0; i < 256; i++)
        numbers[i] = (float)(i + 1);
    CHECK_STATUS(krait_model_create(&model, description, &tensor, name ? 1 : 0, NULL, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    return model;
}

static krait_state *state_of(const krait_model *model, uint32_t lanes, uint32_t chunk, uint32_t max_steps)
{
    krait_state_options options = { .size = sizeof options, .lanes = lanes, .chunk = chunk,
                                    .max_steps = max_steps };
    krait_state        *state = NULL;

    CHECK_STATUS(krait_state_create(&state, model, &options, NULL), KRAIT_OK);
    return state;
}

/* 1, 2, 3, ... */
static void count_up(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(i + 1);
}

/* ---- kept rows ------------------------------------------------------------------------- */

TEST(slots_hidden_states_of_a_causal_model)
{
    krait_model    *model = made(TREE("{\"features\":2}",
                                      "{\"put\":{\"as\":\"in\"}},"
                                      "{\"repeat\":{\"n\":2,\"of\":{\"sequence\":["
                                      "{\"pool\":{\"kind\":\"mean\"}},{\"put\":{\"as\":\"h{i}\"}}]}}},"
                                      "{\"linear\":{\"width\":1,\"weights\":{\"weight\":\"w\"}}}"), "w", 1, 2);
    krait_state    *state = state_of(model, 2, 2, 0);
    krait_slot_info info = { .size = sizeof info };
    float           x[2][5][2], in[20], h1[20], out[10];
    uint32_t        lengths[2] = { 5, 3 };
    krait_slot      slots[2] = { { "h1", h1, 20, 0, 0 }, { "in", in, 20, 0, 0 } };
    krait_input     input = { .size = sizeof input, .steps = 5, .features = x[0][0], .lengths = lengths };
    krait_output    output = { .size = sizeof output, .rows = out, .capacity = 10, .slots = slots, .slot_count = 2 };
    krait_message   why;

    count_up(x[0][0], 20);
    memset(h1, 0, sizeof h1);
    memset(in, 0, sizeof in);
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = { "in", "h0", "h1" };

        CHECK_STATUS(krait_model_slot(model, i, &info), KRAIT_OK);
        CHECK_STR(info.name, names[i]);
        CHECK_U64(info.width, 2);
        CHECK_INT(info.kind, KRAIT_SLOT_ROWS);
    }
    CHECK_STATUS(krait_model_slot(model, 3, &info), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_OK);
    CHECK_U64(output.stride, 5);
    for (int i = 0; i < 2; i++) {
        CHECK_U64(slots[i].width, 2);
        CHECK_U64(slots[i].stride, 5);
    }
    for (size_t lane = 0; lane < 2; lane++)
        for (size_t s = 0; s < 5; s++) {
            int there = s < lengths[lane];

            CHECK_CLOSE(in[(lane * 5 + s) * 2], there ? x[lane][s][0] : 0, 0);
            /* The mean of the means of an arithmetic series: x0 + s / 2. */
            CHECK_CLOSE(h1[(lane * 5 + s) * 2 + 1], there ? x[lane][0][1] + (float)s / 2 : 0, 1e-6);
        }
    slots[0].capacity = 19;
    CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_ERR_SPACE);
    CHECK(strstr(why.text, "h1") != NULL);
    slots[0] = (krait_slot){ "h2", h1, 20, 0, 0 };
    CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_ERR_ARGUMENT);
    CHECK(strstr(why.text, "h2") != NULL);
    output.slots = NULL;
    CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_ERR_ARGUMENT);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

/* Within a grid: the rows of a step side by side, however few steps are taken at once. */
TEST(slots_of_a_grid)
{
    enum { STEPS = 1500 };
    krait_model    *model = made(TREE("{\"features\":1,\"grid\":[2,2]}",
                                      "{\"over\":{\"axis\":\"grid\",\"of\":{\"sequence\":["
                                      "{\"insert\":{\"at\":\"middle\",\"weights\":{\"weight\":\"w\"}}},"
                                      "{\"put\":{\"as\":\"five\"}},{\"pool\":{\"kind\":\"max\"}}]}}}"), "w", 1, 1);
    krait_state    *state = state_of(model, 1, 700, 0);
    krait_slot_info info = { .size = sizeof info };
    float          *x = malloc(STEPS * 4 * sizeof *x), *five = malloc(STEPS * 5 * sizeof *five);
    float          *out = malloc(STEPS * sizeof *out);
    krait_slot      slot = { "five", five, STEPS * 5, 0, 0 };
    krait_input     input = { .size = sizeof input, .steps = STEPS, .features = x };
    krait_output    output = { .size = sizeof output, .rows = out, .capacity = STEPS, .slots = &slot,
                               .slot_count = 1 };

    count_up(x, STEPS * 4);
    CHECK_STATUS(krait_model_slot(model, 0, &info), KRAIT_OK);
    CHECK_U64(info.width, 5);
    CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
    for (size_t s = 0; s < STEPS; s++) {
        CHECK_CLOSE(out[s], (double)(4 * s + 4), 0);
        CHECK_CLOSE(five[5 * s + 1], (double)(4 * s + 2), 0);
        CHECK_CLOSE(five[5 * s + 2], 1, 0);
        if (!CHECK_CLOSE(five[5 * s + 4], (double)(4 * s + 4), 0))
            break;
    }
    free(x), free(five), free(out);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

/* ---- whole sequences ----------------------------------------------------------------------- */

TEST(slots_strides_of_whole_sequences)
{
    krait_model  *model = made(TREE("{\"features\":1}",
                                    "{\"insert\":{\"at\":\"last\",\"rows\":2,\"weights\":{\"weight\":\"w\"}}},"
                                    "{\"put\":{\"as\":\"all\"}},{\"pool\":{\"kind\":\"last\"}}"), "w", 2, 1);
    krait_state  *state = state_of(model, 2, 1, 4);
    float         x[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[4] = { 0 }, all[20] = { 0 };
    uint8_t       reset[8] = { 0, 1, 0, 1, 0, 0, 0, 0 };
    uint32_t      lengths[2] = { 4, 2 }, counts[2];
    krait_slot    slot = { "all", all, 20, 0, 0 };
    krait_input   input = { .size = sizeof input, .steps = 4, .features = x, .reset = reset, .lengths = lengths };
    krait_output  output = { .size = sizeof output, .rows = out, .capacity = 5, .counts = counts, .slots = &slot,
                             .slot_count = 1 };
    krait_message why;

    /* Lane 0: episodes 1; 2 3; 4.  Lane 1: 5 6.  Each gets two more rows, and is then one. */
    CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_ERR_SPACE);
    CHECK_U64(output.stride, 3);
    output.capacity = 6;
    CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_OK);
    CHECK_U64(output.stride, 3);
    CHECK_U64(counts[0], 3);
    CHECK_U64(counts[1], 1);
    CHECK_U64(slot.stride, 10);
    CHECK_CLOSE(all[2], 2, 0);
    CHECK_CLOSE(all[3], 2, 0);
    CHECK_CLOSE(all[4], 3, 0);
    CHECK_CLOSE(all[5], 1, 0);
    CHECK_CLOSE(all[10], 5, 0);
    CHECK_CLOSE(all[13], 2, 0);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

/* ---- orders ---------------------------------------------------------------------------------- */

TEST(slots_orders_of_steps)
{
    krait_model    *model = made(TREE("{\"features\":1}",
                                      "{\"permute\":{\"input\":\"way\",\"of\":{\"sequence\":["
                                      "{\"put\":{\"as\":\"there\"}},{\"conv\":{\"taps\":2,\"weights\":{\"weight\":\"w\"}}}]}}}"),
                                 "w", 1, 2);
    krait_state    *state = state_of(model, 2, 1, 5);
    krait_slot_info info = { .size = sizeof info };
    float           x[10] = { 10, 20, 30, 40, 50, 1, 2, 3, 0, 0 }, out[10], there[10];
    uint8_t         reset[10] = { 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 };
    uint32_t        lengths[2] = { 5, 3 };
    int32_t         way[10] = { 1, 0, 2, 0, 1, 2, 1, 0, 99, 99 };
    krait_slot      slot = { "there", there, 10, 0, 0 };
    krait_order     order = { "way", way, 10 };
    krait_input     input = { .size = sizeof input, .steps = 5, .features = x, .reset = reset, .lengths = lengths,
                              .orders = &order, .order_count = 1 };
    krait_output    output = { .size = sizeof output, .rows = out, .capacity = 10, .slots = &slot, .slot_count = 1 };
    krait_message   why;
    /* y = x before + 2 x, in the order of the way, put back. */
    static const float seen[8] = { 20, 10, 50, 30, 40, 3, 2, 1 };
    static const float right[8] = { 20 + 20, 40, 50 + 60, 30 + 80, 100, 2 + 2, 3 + 4, 6 };

    CHECK_STATUS(krait_model_slot(model, 0, &info), KRAIT_OK);
    CHECK_STR(info.name, "way");
    CHECK_INT(info.kind, KRAIT_SLOT_ORDER);
    CHECK_U64(info.width, 1);
    CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_OK);
    for (size_t i = 0; i < 8; i++) {
        CHECK_CLOSE(there[i], seen[i], 0);
        CHECK_CLOSE(out[i], right[i], 0);
    }
    way[6] = 2;
    CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_ERR_ARGUMENT);
    CHECK(strstr(why.text, "way") != NULL && strstr(why.text, "lane 1") != NULL);
    way[6] = -1;
    CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_ERR_ARGUMENT);
    way[6] = 1;
    order.count = 9;
    CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_ERR_ARGUMENT);
    order = (krait_order){ "another", way, 10 };
    CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_ERR_ARGUMENT);
    CHECK(strstr(why.text, "another") != NULL);
    input.order_count = 0;
    CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_ERR_ARGUMENT);
    CHECK(strstr(why.text, "way") != NULL);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

/* Steps are grids, each with its order; the pass after the first finds its own. */
TEST(slots_orders_of_cells)
{
    krait_model *model = made(TREE("{\"features\":1,\"grid\":[3]}",
                                   "{\"over\":{\"axis\":\"grid\",\"of\":{\"permute\":{\"input\":\"way\",\"of\":{"
                                   "\"conv\":{\"taps\":2,\"weights\":{\"weight\":\"w\"}}}}}}}"), "w", 1, 2);
    krait_state *state = state_of(model, 2, 1, 0);
    float        x[12] = { 1, 2, 3, 10, 20, 30, 4, 5, 6, 40, 50, 60 }, out[12];
    int32_t      way[12] = { 2, 1, 0, 0, 2, 1, 1, 2, 0, 0, 1, 2 };
    krait_order  order = { "way", way, 12 };
    krait_input  input = { .size = sizeof input, .steps = 2, .features = x, .orders = &order, .order_count = 1 };
    krait_output output = { .size = sizeof output, .rows = out, .capacity = 12 };
    static const float right[12] = { 2 + 2, 3 + 4, 6, 20, 30 + 40, 10 + 60, 6 + 8, 10, 5 + 12, 80, 40 + 100, 50 + 120 };

    CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
    for (size_t i = 0; i < 12; i++)
        CHECK_CLOSE(out[i], right[i], 0);
    way[5] = 2;
    CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_ERR_ARGUMENT);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}
