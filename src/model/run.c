/*
 * run.c - rows through a model, pass by pass.
 *
 * A pass takes up to 'chunk' rows of every lane that has any left through the body, all lanes
 * as one dense block.  The tail - the root's last row-wise layers, of which the head of a
 * language model is the dearest - runs only for the rows whose output is asked for.
 */
#include <string.h>

#include "core/bits.h"
#include "model/state.h"

/* One call of krait_run. */
typedef struct run_call {
    const krait_model *model;
    krait_state       *state;
    const krait_input *input;
    krait_output      *output;
    kr_context         context;
    kr_pass            pass;
} run_call;

static size_t run_length(const krait_input *input, size_t lane)
{
    return input->lengths ? input->lengths[lane] : input->steps;
}

/* ---- checks: all of them before the first row ------------------------------------------------------ */

static krait_status run_wrong(krait_message *message, const char *what, size_t lane, size_t step)
{
    return kr_fail(message, KRAIT_ERR_ARGUMENT, "%s at lane %zu, step %zu", what, lane, step);
}

static krait_status run_check_mode(const krait_model *model, const krait_input *input, krait_message *message)
{
    (void)model;
    if (input->mode < KRAIT_RECURRENT || input->mode > KRAIT_CONVOLUTION)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "mode %d is not known", (int)input->mode);
    if (input->mode == KRAIT_SCAN || input->mode == KRAIT_CONVOLUTION)
        return kr_fail(message, KRAIT_ERR_UNSUPPORTED, "modes SCAN and CONVOLUTION are not built yet");
    if (input->nan_policy < KRAIT_NAN_PROPAGATE || input->nan_policy > KRAIT_NAN_HOLD)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "nan_policy %d is not known", (int)input->nan_policy);
    if (input->nan_policy == KRAIT_NAN_HOLD)
        return kr_fail(message, KRAIT_ERR_UNSUPPORTED, "KRAIT_NAN_HOLD is not built yet");
    if (input->dt)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "dt is given, but no layer of this model uses it");
    return KRAIT_OK;
}

static krait_status run_check_output(const krait_model *model, const krait_state *state,
                                     const krait_input *input, const krait_output *output,
                                     krait_message *message)
{
    size_t rows = output->which == KRAIT_ROWS_ALL ? input->steps : 1, needed;

    if (output->which < KRAIT_ROWS_ALL || output->which > KRAIT_ROWS_NONE)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "output: which %d is not known", (int)output->which);
    if (output->which == KRAIT_ROWS_NONE)
        return KRAIT_OK;
    if (!kr_mul_fits(rows, state->lanes, &needed) || !kr_mul_fits(needed, model->root->out_width, &needed))
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "output: that many rows fit no memory");
    if (needed > 0 && !output->rows)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "output: rows is NULL");
    if (output->capacity < needed)
        return kr_fail(message, KRAIT_ERR_SPACE, "output: capacity %zu, %zu floats are needed",
                       output->capacity, needed);
    return KRAIT_OK;
}

static int run_finite(const float *x, size_t count)
{
    int finite = 1;

    for (size_t i = 0; i < count; i++)
        finite &= (kr_bits_of(x[i]) & 0x7f800000u) != 0x7f800000u;
    return finite;
}

static krait_status run_check_row(const krait_model *model, const krait_input *input, size_t lane, size_t step,
                                  krait_message *message)
{
    size_t row = lane * input->steps + step;

    if (input->tokens) {
        int32_t token = input->tokens[row];

        if (token < (input->features ? -1 : 0) || (token >= 0 && (size_t)token >= model->vocabulary))
            return run_wrong(message, "token out of the vocabulary", lane, step);
        if (token >= 0)
            return KRAIT_OK;
    }
    if (input->nan_policy == KRAIT_NAN_REFUSE &&
        !run_finite(input->features + row * model->in_width, model->in_width))
        return run_wrong(message, "NaN or infinity among the features", lane, step);
    return KRAIT_OK;
}

krait_status kr_run_check(const krait_model *model, const krait_state *state, const krait_input *input,
                          const krait_output *output, krait_message *message)
{
    size_t       rows;
    krait_status status;

    if ((status = run_check_mode(model, input, message)) != KRAIT_OK ||
        (status = run_check_output(model, state, input, output, message)) != KRAIT_OK)
        return status;
    if (input->tokens && model->vocabulary == 0)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "tokens are given, but this model takes features");
    if (!input->tokens && !input->features && input->steps > 0)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "neither tokens nor features are given");
    if (!kr_mul_fits(input->steps, state->lanes, &rows) || !kr_mul_fits(rows, model->in_width, &rows))
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "that many steps fit no memory");
    for (size_t lane = 0; lane < state->lanes; lane++) {
        if (run_length(input, lane) > input->steps)
            return kr_fail(message, KRAIT_ERR_ARGUMENT, "lengths[%zu] is more than steps", lane);
        for (size_t step = 0; step < run_length(input, lane); step++)
            if ((status = run_check_row(model, input, lane, step, message)) != KRAIT_OK)
                return status;
    }
    return KRAIT_OK;
}

/* ---- a pass ------------------------------------------------------------------------------------------- */

/* The rows step .. step + n - 1 of one lane, copied behind those of the lanes before. */
static void run_gather(run_call *call, kr_rows *rows, size_t lane, size_t step, size_t at, size_t n)
{
    const krait_input *input = call->input;
    size_t             from = lane * input->steps + step, width = call->model->in_width;

    if (input->tokens)
        memcpy(call->pass.tokens + at, input->tokens + from, n * sizeof *call->pass.tokens);
    if (input->dt)
        memcpy(call->pass.dt + at, input->dt + from, n * sizeof *call->pass.dt);
    if (input->reset)
        memcpy(call->pass.reset + at, input->reset + from, n);
    if (input->features && call->pass.input)
        memcpy(rows->data + at * width, input->features + from * width, n * width * sizeof(float));
}

/* Rows of this pass; a single lane's features are read where they are. */
static kr_rows run_rows(run_call *call, size_t step)
{
    const krait_input *input = call->input;
    kr_rows            rows = { 0 };
    size_t             at = 0;

    rows.width = call->model->in_width;
    rows.lanes = call->state->lanes;
    rows.first = call->pass.first;
    rows.data = call->pass.input ? call->pass.input
              : input->features ? (float *)(uintptr_t)(input->features + step * rows.width) : NULL;
    for (size_t lane = 0; lane < rows.lanes; lane++) {
        size_t length = run_length(input, lane), n = length > step ? length - step : 0;

        n = kr_min(n, call->state->chunk);
        call->pass.first[lane] = at;
        if (n)
            run_gather(call, &rows, lane, step, at, n);
        at += n;
    }
    call->pass.first[rows.lanes] = at;
    rows.tokens = input->tokens ? call->pass.tokens : NULL;
    rows.dt = input->dt ? call->pass.dt : NULL;
    rows.reset = input->reset ? call->pass.reset : NULL;
    return rows;
}

static kr_rows run_body(run_call *call, const kr_rows *in)
{
    const kr_layer *root = call->model->root;
    kr_rows         out = *in;

    out.data = call->pass.body;
    out.tokens = NULL;
    if (root->type->children == KR_CHAIN) {
        kr_chain_run(root, 0, call->model->tail, &call->context, in, &out);
    } else {
        out.width = root->out_width;
        kr_layer_run(root, &call->context, in, &out);
    }
    return out;
}

/* Moves the wanted rows to the front and says where their output goes; returns how many. */
static size_t run_select(run_call *call, const kr_rows *rows, size_t step)
{
    const krait_input *input = call->input;
    int                all = call->output->which == KRAIT_ROWS_ALL;
    size_t             count = 0;

    for (size_t lane = 0; lane < rows->lanes; lane++)
        for (size_t r = rows->first[lane]; r < rows->first[lane + 1]; r++) {
            size_t at = step + r - rows->first[lane];

            if (!all && at + 1 != run_length(input, lane))
                continue;
            if (count != r)
                memcpy(rows->data + count * rows->width, rows->data + r * rows->width,
                       rows->width * sizeof(float));
            call->pass.where[count++] = all ? lane * input->steps + at : lane;
        }
    return count;
}

/* 'count' of the selected rows through the tail, into 'to'. */
static void run_tail(run_call *call, const kr_rows *body, size_t from, size_t count, float *to)
{
    const kr_layer *root = call->model->root;
    size_t          first[2] = { 0, count };
    kr_rows         in = { .data = body->data + from * body->width, .width = body->width, .lanes = 1,
                           .first = first };
    kr_rows         out = in;

    out.data = to;
    if (root->type->children == KR_CHAIN && call->model->tail < root->n_children)
        kr_chain_run(root, call->model->tail, root->n_children, &call->context, &in, &out);
    else
        memcpy(to, in.data, count * in.width * sizeof *to);
}

static void run_output(run_call *call, const kr_rows *body, size_t step)
{
    size_t width = call->model->root->out_width, count;
    float *rows = call->output->rows;

    if (call->output->which == KRAIT_ROWS_NONE)
        return;
    count = run_select(call, body, step);
    if (!call->pass.tile && count)      /* one lane: its rows are neighbours in the output too */
        run_tail(call, body, 0, count, rows + call->pass.where[0] * width);
    for (size_t from = 0; call->pass.tile && from < count; from += call->pass.tile_rows) {
        size_t n = kr_min(call->pass.tile_rows, count - from);

        run_tail(call, body, from, n, call->pass.tile);
        for (size_t r = 0; r < n; r++)
            memcpy(rows + call->pass.where[from + r] * width, call->pass.tile + r * width,
                   width * sizeof *rows);
    }
}

/* ---- a call --------------------------------------------------------------------------------------------- */

static void run_count(const run_call *call, size_t done)
{
    krait_output *output = call->output;

    output->mode_used = KRAIT_RECURRENT;
    output->steps_done = done;
    for (size_t lane = 0; output->counts && lane < call->state->lanes; lane++) {
        size_t length = run_length(call->input, lane);

        if (output->which == KRAIT_ROWS_ALL)
            output->counts[lane] = (uint32_t)kr_min(length, done);
        else
            output->counts[lane] = output->which == KRAIT_ROWS_LAST && length > 0 && length <= done;
    }
}

/* Rows of the longest lane: behind it there is nothing to run. */
static size_t run_longest(const krait_input *input, size_t lanes)
{
    size_t longest = 0;

    for (size_t lane = 0; lane < lanes; lane++)
        longest = run_length(input, lane) > longest ? run_length(input, lane) : longest;
    return longest;
}

krait_status kr_run(const krait_model *model, krait_state *state, const krait_input *input,
                    krait_output *output, krait_message *message)
{
    run_call call = { .model = model, .state = state, .input = input, .output = output };
    size_t   longest = run_longest(input, state->lanes);

    call.context.kernels = model->kernels;
    call.context.memory = kr_state_lane(model, state, 0);
    call.context.lane_bytes = model->lane_bytes;
    call.context.mode = KRAIT_RECURRENT;
    call.context.scratch.base = (unsigned char *)state + state->scratch;
    call.pass = kr_state_pass(model, state, &call.context.scratch);
    for (size_t step = 0; step < longest; step += kr_min(state->chunk, longest - step)) {
        kr_rows rows, body;

        if (input->progress && input->progress(input->progress_user, step, input->steps)) {
            run_count(&call, step);
            return kr_fail(message, KRAIT_ERR_CANCELLED, "cancelled after %zu steps", step);
        }
        rows = run_rows(&call, step);
        body = run_body(&call, &rows);
        run_output(&call, &body, step);
    }
    run_count(&call, input->steps);
    if (input->progress)
        input->progress(input->progress_user, input->steps, input->steps);
    return KRAIT_OK;
}
