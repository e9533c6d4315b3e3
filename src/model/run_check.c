/* run_check.c - everything that can be wrong with a call, before its first row. */
#include "core/bits.h"
#include "model/run.h"

#include <string.h>

static krait_status check_wrong(krait_message *message, const char *what, size_t lane, size_t step)
{
    return kr_fail(message, KRAIT_ERR_ARGUMENT, "%s at lane %zu, step %zu", what, lane, step);
}

static krait_status check_mode(const krait_model *model, const krait_input *input, krait_message *message)
{
    if (input->mode < KRAIT_RECURRENT || input->mode > KRAIT_CONVOLUTION)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "mode %d is not known", (int)input->mode);
    if (input->mode == KRAIT_CONVOLUTION && !model->convolves)
        return kr_fail(message, KRAIT_ERR_UNSUPPORTED, "mode CONVOLUTION: no layer of this model has such a form");
    if (input->mode == KRAIT_CONVOLUTION && input->dt)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "dt is given with mode CONVOLUTION, which has one for all rows");
    if (input->nan_policy < KRAIT_NAN_PROPAGATE || input->nan_policy > KRAIT_NAN_HOLD)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "nan_policy %d is not known", (int)input->nan_policy);
    if (input->dt && !model->uses_time)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "dt is given, but no layer of this model uses it");
    return KRAIT_OK;
}

/* ---- rows ----------------------------------------------------------------------------------------- */

int kr_run_finite(const float *x, size_t count)
{
    int finite = 1;

    for (size_t i = 0; i < count; i++)
        finite &= (kr_bits_of(x[i]) & 0x7f800000u) != 0x7f800000u;
    return finite;
}

int kr_run_held(const krait_model *model, const krait_input *input, size_t row)
{
    if (input->nan_policy != KRAIT_NAN_HOLD || (input->tokens && input->tokens[row] >= 0))
        return 0;
    return !kr_run_finite(input->features + row * model->in_width, model->in_width);
}

static krait_status check_row(const krait_model *model, const krait_input *input, size_t lane, size_t step,
                              krait_message *message)
{
    size_t row = lane * input->steps + step;

    if (input->dt && !(input->dt[row] >= 0.0f && kr_run_finite(&input->dt[row], 1)))
        return check_wrong(message, "dt is negative or not finite", lane, step);
    if (input->tokens) {
        int32_t token = input->tokens[row];

        if (token < (input->features ? -1 : 0) || (token >= 0 && (size_t)token >= model->vocabulary))
            return check_wrong(message, "token out of the vocabulary", lane, step);
        if (token >= 0)
            return KRAIT_OK;
    }
    if (input->nan_policy == KRAIT_NAN_REFUSE &&
        !kr_run_finite(input->features + row * model->in_width, model->in_width))
        return check_wrong(message, "NaN or infinity among the features", lane, step);
    return KRAIT_OK;
}

static krait_status check_rows(const krait_model *model, const krait_state *state, const krait_input *input,
                               krait_message *message)
{
    for (size_t lane = 0; lane < state->lanes; lane++) {
        if (kr_run_length(input, lane) > input->steps)
            return kr_fail(message, KRAIT_ERR_ARGUMENT, "lengths[%zu] is more than steps", lane);
        if (model->whole && kr_run_length(input, lane) > state->max_steps)
            return kr_fail(message, KRAIT_ERR_ARGUMENT, "a sequence of %zu steps in lane %zu, but max_steps is %u",
                           kr_run_length(input, lane), lane, (unsigned)state->max_steps);
        for (size_t step = 0; step < kr_run_length(input, lane); step++) {
            krait_status status = check_row(model, input, lane, step, message);

            if (status != KRAIT_OK)
                return status;
        }
    }
    return KRAIT_OK;
}

/* ---- episodes of whole-sequence models ---------------------------------------------------------------- */

/* The rows of one episode of a lane: from..to-1 without those held; 'at' moves on. */
static size_t check_episode(const krait_model *model, const krait_input *input, size_t lane, size_t *at)
{
    size_t row = lane * input->steps, length = kr_run_length(input, lane), rows = 0;

    do
        rows += !kr_run_held(model, input, row + *at);
    while (++*at < length && !(input->reset && input->reset[row + *at]));
    return rows;
}

static krait_status check_limits(const krait_model *model, size_t rows, krait_message *message)
{
    for (size_t i = 0; i < model->flows.n_limits; i++) {
        const kr_limit *limit = &model->flows.limits[i];
        size_t          here = kr_extent_sum(limit->rows.plus, rows, limit->rows.each);

        if (kr_flow_beyond(limit, here, KRAIT_ERR_ARGUMENT, message) != KRAIT_OK)
            return KRAIT_ERR_ARGUMENT;
    }
    return KRAIT_OK;
}

/* Rows that lane makes where 'flow' is: of all its episodes. */
static size_t check_made(const krait_model *model, const krait_input *input, const kr_flow *flow, size_t lane)
{
    size_t made = 0;

    for (size_t at = 0; at < kr_run_length(input, lane);) {
        size_t rows = check_episode(model, input, lane, &at);

        if (rows)
            made = kr_extent_sum(made, 1, kr_extent_sum(flow->rows.plus, rows, flow->rows.each));
    }
    return made;
}

static krait_status check_episodes(const krait_model *model, const krait_state *state, const krait_input *input,
                                   krait_message *message)
{
    for (size_t lane = 0; lane < state->lanes; lane++)
        for (size_t at = 0; at < kr_run_length(input, lane);) {
            size_t       rows = check_episode(model, input, lane, &at);
            krait_status status = rows ? check_limits(model, rows, message) : KRAIT_OK;

            if (status != KRAIT_OK)
                return status;
        }
    return KRAIT_OK;
}

/* Rows from one lane's first to the next one's. */
static size_t check_stride(const krait_model *model, const krait_state *state, const krait_input *input,
                           const kr_flow *flow)
{
    size_t stride = 0;

    if (!model->whole)
        return input->steps;
    for (size_t lane = 0; lane < state->lanes; lane++) {
        size_t made = check_made(model, input, flow, lane);

        stride = made > stride ? made : stride;
    }
    return stride;
}

/* ---- what is written -------------------------------------------------------------------------------------- */

static krait_status check_space(const krait_state *state, size_t stride, size_t width, const float *rows,
                                size_t capacity, const char *what, krait_message *message)
{
    size_t needed;

    if (!kr_mul_fits(stride, state->lanes, &needed) || !kr_mul_fits(needed, width, &needed))
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "%.64s: that many rows fit no memory", what);
    if (needed > 0 && !rows)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "%.64s: rows is NULL", what);
    if (capacity < needed)
        return kr_fail(message, KRAIT_ERR_SPACE, "%.64s: capacity %zu, %zu floats are needed", what, capacity, needed);
    return KRAIT_OK;
}

static krait_status check_output(const krait_model *model, const krait_state *state, const krait_input *input,
                                 krait_output *output, krait_message *message)
{
    if (output->which < KRAIT_ROWS_ALL || output->which > KRAIT_ROWS_NONE)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "output: which %d is not known", (int)output->which);
    if (output->which == KRAIT_ROWS_NONE)
        return KRAIT_OK;
    output->stride = output->which == KRAIT_ROWS_LAST ? 1 : check_stride(model, state, input, &model->root->out);
    return check_space(state, output->stride, model->out_width, output->rows, output->capacity, "output", message);
}

const kr_slot *kr_run_slot(const krait_model *model, const char *name)
{
    for (size_t i = 0; name && i < model->flows.n_slots; i++)
        if (strcmp(model->flows.slots[i].name, name) == 0)
            return &model->flows.slots[i];
    return NULL;
}

size_t kr_run_slot_width(const kr_slot *slot)
{
    size_t rows = slot->flow.axis && slot->flow.axis->own_axis ? slot->flow.sequences * slot->flow.rows.plus : 1;

    return rows * kr_flow_cells(&slot->flow) * slot->width;
}

static krait_status check_slots(const krait_model *model, const krait_state *state, const krait_input *input,
                                krait_output *output, krait_message *message)
{
    if (output->slot_count && !output->slots)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "output: slots is NULL");
    for (size_t i = 0; i < output->slot_count; i++) {
        krait_slot    *to = &output->slots[i];
        const kr_slot *slot = kr_run_slot(model, to->name);
        const kr_flow *flow;
        krait_status   status;

        if (!slot)
            return kr_fail(message, KRAIT_ERR_ARGUMENT, "output: nothing is kept as '%.100s'", to->name ? to->name : "");
        if (!slot->output)
            return kr_fail(message, KRAIT_ERR_UNSUPPORTED, "output: '%.100s' is kept within an 'over' by columns or steps",
                           to->name);
        flow = slot->flow.axis ? &slot->flow.axis->in : &slot->flow;
        to->width = kr_run_slot_width(slot);
        to->stride = check_stride(model, state, input, flow);
        status = check_space(state, to->stride, to->width, to->rows, to->capacity, to->name, message);
        if (status != KRAIT_OK)
            return status;
    }
    return KRAIT_OK;
}

/* ---- orders ------------------------------------------------------------------------------------------------- */

const krait_order *kr_run_order(const krait_input *input, const char *name)
{
    for (size_t i = 0; i < input->order_count; i++)
        if (input->orders[i].name && strcmp(input->orders[i].name, name) == 0)
            return &input->orders[i];
    return NULL;
}

static int check_is_order(const int32_t *order, size_t count, unsigned char *marks)
{
    memset(marks, 0, count);
    for (size_t i = 0; i < count; i++) {
        if (order[i] < 0 || (size_t)order[i] >= count || marks[order[i]])
            return 0;
        marks[order[i]] = 1;
    }
    return 1;
}

/* Of the episodes of every lane, or of the cells of every step. */
static krait_status check_order(const krait_state *state, const krait_input *input, const kr_named *named,
                                const krait_order *given, unsigned char *marks, krait_message *message)
{
    for (size_t lane = 0; lane < state->lanes; lane++)
        for (size_t at = 0, to; at < kr_run_length(input, lane); at = to) {
            size_t row = lane * input->steps + at, count = named->cells;

            to = at + 1;
            while (named->steps && to < kr_run_length(input, lane) && !(input->reset && input->reset[row - at + to]))
                to++;
            if (named->steps)
                count = to - at;
            if (!check_is_order(given->order + row * named->cells, count, marks))
                return kr_fail(message, KRAIT_ERR_ARGUMENT,
                               "order '%.64s' at lane %zu, step %zu: not every number below %zu stands in it once",
                               named->name, lane, at, count);
        }
    return KRAIT_OK;
}

static krait_status check_orders(const krait_model *model, const krait_state *state, const krait_input *input,
                                 unsigned char *marks, krait_message *message)
{
    if (input->order_count && !input->orders)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "input: orders is NULL");
    if (model->flows.n_inputs && input->nan_policy == KRAIT_NAN_HOLD)
        return kr_fail(message, KRAIT_ERR_UNSUPPORTED, "KRAIT_NAN_HOLD in a model that is given orders");
    for (size_t i = 0; i < input->order_count; i++) {
        size_t n = 0;

        while (n < model->flows.n_inputs && input->orders[i].name &&
               strcmp(model->flows.inputs[n].name, input->orders[i].name) != 0)
            n++;
        if (n == model->flows.n_inputs || !input->orders[i].name)
            return kr_fail(message, KRAIT_ERR_ARGUMENT, "input: the model takes no order '%.100s'",
                           input->orders[i].name ? input->orders[i].name : "");
    }
    for (size_t i = 0; i < model->flows.n_inputs; i++) {
        const kr_named    *named = &model->flows.inputs[i];
        const krait_order *given = kr_run_order(input, named->name);
        size_t             needed = kr_extent_sum(0, kr_extent_sum(0, state->lanes, input->steps), named->cells);
        krait_status       status;

        if (!given && input->steps)
            return kr_fail(message, KRAIT_ERR_ARGUMENT, "input: the order '%.100s' is not given", named->name);
        if (given && (given->count != needed || (needed && !given->order)))
            return kr_fail(message, KRAIT_ERR_ARGUMENT, "input: the order '%.64s' has %zu numbers, %zu are wanted",
                           named->name, given->count, needed);
        if (given && (status = check_order(state, input, named, given, marks, message)) != KRAIT_OK)
            return status;
    }
    return KRAIT_OK;
}

krait_status kr_run_check(const krait_model *model, const krait_state *state, const krait_input *input,
                          krait_output *output, unsigned char *marks, krait_message *message)
{
    size_t       rows;
    krait_status status;

    if ((status = check_mode(model, input, message)) != KRAIT_OK)
        return status;
    if (input->tokens && model->vocabulary == 0)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "tokens are given, but this model takes features");
    if (!input->tokens && !input->features && input->steps > 0)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "neither tokens nor features are given");
    if (input->nan_policy == KRAIT_NAN_HOLD && !input->features && input->steps > 0)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "KRAIT_NAN_HOLD is for features, but only tokens are given");
    if (!kr_mul_fits(input->steps, state->lanes, &rows) || !kr_mul_fits(rows, model->in_width, &rows))
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "that many steps fit no memory");
    if ((!model->whole && (status = check_output(model, state, input, output, message)) != KRAIT_OK) ||
        (status = check_rows(model, state, input, message)) != KRAIT_OK ||
        (model->whole && (status = check_output(model, state, input, output, message)) != KRAIT_OK) ||
        (status = check_slots(model, state, input, output, message)) != KRAIT_OK)
        return status;
    if (model->whole && (status = check_episodes(model, state, input, message)) != KRAIT_OK)
        return status;
    return check_orders(model, state, input, marks, message);
}
