/*
 * run.c - rows through a model, pass by pass.
 *
 * A pass takes up to 'chunk' rows of every lane that has any left through the body, all lanes
 * as one dense block.  The tail - the root's last row-wise layers, of which the head of a
 * language model is the dearest - runs only for the rows whose output is asked for.  A model that
 * needs whole sequences takes all of them in one pass.
 */
#include "model/run.h"

#include <string.h>

/* One call of krait_run. */
typedef struct run_call {
    const krait_model *model;
    krait_state       *state;
    const krait_input *input;
    krait_output      *output;
    kr_context         context;
    kr_pass            pass;
} run_call;

/* ---- the rows of a pass ------------------------------------------------------------------------------ */

/* A row begins an episode if it says so, or if one that was held before it did. */
static uint8_t run_begins(const run_call *call, size_t lane, size_t step)
{
    const krait_input *input = call->input;
    size_t             row = lane * input->steps + step;
    uint8_t            begins = input->reset[row];

    while (!begins && step-- > 0 && kr_run_held(call->model, input, --row))
        begins = input->reset[row];
    return begins;
}

/* One row of the caller's as number 'at' of the pass. */
static void run_take(run_call *call, kr_rows *rows, size_t lane, size_t step, size_t at)
{
    const krait_input *input = call->input;
    size_t             from = lane * input->steps + step, width = call->model->in_width;

    call->pass.source[at] = from;
    if (input->tokens)
        call->pass.tokens[at] = input->tokens[from];
    if (input->dt)
        call->pass.dt[at] = input->dt[from];
    if (input->reset)
        call->pass.reset[at] = run_begins(call, lane, step);
    if (input->features && call->pass.input)
        memcpy(rows->data + at * width, input->features + from * width, width * sizeof(float));
}

/* Steps of this pass; where features are read in place they end before one that is held. */
static size_t run_window(const run_call *call, size_t step, size_t longest)
{
    const krait_state *state = call->state;
    size_t n = kr_min(call->model->whole ? longest : state->chunk, longest - step), i = 0;

    if (call->pass.input || call->input->nan_policy != KRAIT_NAN_HOLD)
        return n;
    while (i < n && !kr_run_held(call->model, call->input, step + i))
        i++;
    return i ? i : 1;
}

/* Rows step..step+n-1 of every lane; a single lane's features are read where they are. */
static kr_rows run_rows(run_call *call, size_t step, size_t n)
{
    const krait_input *input = call->input;
    const krait_model *model = call->model;
    kr_rows            rows = { 0 };
    size_t             at = 0, awake = 0;

    rows.cells = model->grid[0] * model->grid[1];
    rows.width = model->in_width / rows.cells;
    rows.first = call->pass.first;
    rows.data = call->pass.input ? call->pass.input
              : input->features ? (float *)(uintptr_t)(input->features + step * model->in_width) : NULL;
    for (size_t lane = 0; lane < call->state->lanes; lane++) {
        size_t end = kr_min(kr_run_length(input, lane), step + n);

        if (end <= step && !model->whole)
            continue;                       /* it sleeps, and no layer hears of it */
        call->pass.awake[awake] = lane;
        call->pass.first[awake++] = at;
        for (size_t s = step; s < end; s++)
            if (!kr_run_held(model, input, lane * input->steps + s))
                run_take(call, &rows, lane, s, at++);
            else if (call->output->held)
                call->output->held[lane * input->steps + s] = 1;
    }
    call->pass.first[awake] = at;
    rows.lanes = awake;
    call->context.awake = awake < call->state->lanes ? call->pass.awake : NULL;
    rows.tokens = input->tokens ? call->pass.tokens : NULL;
    rows.dt = input->dt ? call->pass.dt : NULL;
    rows.reset = input->reset ? call->pass.reset : NULL;
    return rows;
}

static kr_rows run_body(run_call *call, const kr_rows *in)
{
    const kr_layer *root = call->model->root;
    kr_rows         out = kr_room_rows(&call->pass.body, in);

    if (root->type->children == KR_CHAIN)
        kr_chain_run(root, 0, call->model->tail, &call->context, in, &out);
    else
        kr_layer_run(root, &call->context, in, &out);
    return out;
}

/* ---- output ------------------------------------------------------------------------------------------- */

/* The last row of a lane that is not held, or its length if there is none. */
static size_t run_last(const run_call *call, size_t lane)
{
    size_t length = kr_run_length(call->input, lane), last = length;

    while (last > 0 && kr_run_held(call->model, call->input, lane * call->input->steps + last - 1))
        last--;
    return last ? last - 1 : length;
}

/* Moves the wanted rows to the front and says where their output goes; returns how many. */
static size_t run_select(run_call *call, const kr_rows *rows)
{
    const krait_input *input = call->input;
    int                all = call->output->which == KRAIT_ROWS_ALL;
    size_t             count = 0, step = rows->cells * rows->width;

    for (size_t i = 0; i < rows->lanes; i++) {
        size_t lane = call->pass.awake[i];
        size_t last = all || rows->first[i] == rows->first[i + 1] ? 0 : lane * input->steps + run_last(call, lane);

        for (size_t r = rows->first[i]; r < rows->first[i + 1]; r++) {
            if (!all && call->pass.source[r] != last)
                continue;
            if (count != r)
                memcpy(rows->data + count * step, rows->data + r * step, step * sizeof(float));
            call->pass.where[count++] = all ? call->pass.source[r] : lane;
        }
    }
    return count;
}

/* 'count' of the selected rows through the tail, into 'to'. */
static void run_tail(run_call *call, const kr_rows *body, size_t from, size_t count, float *to)
{
    const kr_layer *root = call->model->root;
    size_t          first[2] = { 0, count }, step = body->cells * body->width;
    kr_rows         in = { .data = body->data + from * step, .width = body->width, .lanes = 1, .first = first,
                           .cells = body->cells };
    kr_rows         out = in;

    out.data = to;
    if (root->type->children == KR_CHAIN && call->model->tail < root->n_children)
        kr_chain_run(root, call->model->tail, root->n_children, &call->context, &in, &out);
    else
        memcpy(to, in.data, count * step * sizeof *to);
}

static void run_output(run_call *call, const kr_rows *body)
{
    size_t width = call->model->out_width, count;
    float *rows = call->output->rows;

    if (call->output->which == KRAIT_ROWS_NONE)
        return;
    count = run_select(call, body);
    /* One lane's rows are neighbours in the output too, unless some between them are held. */
    if (!call->pass.tile && count)
        run_tail(call, body, 0, count, rows + call->pass.where[0] * width);
    for (size_t from = 0; call->pass.tile && from < count; from += call->pass.tile_rows) {
        size_t n = kr_min(call->pass.tile_rows, count - from);

        run_tail(call, body, from, n, call->pass.tile);
        for (size_t r = 0; r < n; r++)
            memcpy(rows + call->pass.where[from + r] * width, call->pass.tile + r * width,
                   width * sizeof *rows);
    }
}

/* All rows that came out of whole sequences, or the last of each lane. */
static void run_output_whole(run_call *call, const kr_rows *made)
{
    krait_output *output = call->output;
    size_t        width = call->model->out_width;

    for (size_t lane = 0; lane < made->lanes; lane++) {
        size_t from = made->first[lane], n = made->first[lane + 1] - from;

        if (output->which == KRAIT_ROWS_LAST && n > 1)
            from += n - 1, n = 1;
        if (output->which != KRAIT_ROWS_NONE && n)
            memcpy(output->rows + lane * output->stride * width, made->data + from * width,
                   n * width * sizeof *output->rows);
        if (output->counts)
            output->counts[lane] = output->which == KRAIT_ROWS_NONE ? 0 : (uint32_t)n;
    }
}

/* Rows that were kept under the names that the caller asks for. */
static void run_slots(run_call *call)
{
    for (size_t i = 0; i < call->output->slot_count; i++) {
        krait_slot    *to = &call->output->slots[i];
        const kr_slot *slot = kr_run_slot(call->model, to->name);
        const kr_rows *kept = &call->pass.kept[slot - call->model->flows.slots];

        for (size_t lane = 0; lane < kept->lanes; lane++)
            for (size_t r = kept->first[lane]; r < kept->first[lane + 1]; r++) {
                size_t at = call->model->whole ? lane * to->stride + r - kept->first[lane] : call->pass.source[r];

                memcpy(to->rows + at * to->width, kept->room->data + r * to->width, to->width * sizeof *to->rows);
            }
    }
}

/* ---- a call --------------------------------------------------------------------------------------------- */

/* Rows of a lane among its first 'steps' that are not held. */
static size_t run_counted(const run_call *call, size_t lane, size_t steps)
{
    size_t count = steps;

    for (size_t s = 0; call->input->nan_policy == KRAIT_NAN_HOLD && s < steps; s++)
        count -= (size_t)kr_run_held(call->model, call->input, lane * call->input->steps + s);
    return count;
}

static void run_count(const run_call *call, size_t done)
{
    krait_output *output = call->output;

    output->mode_used = call->context.mode;
    output->steps_done = done;
    for (size_t lane = 0; output->counts && !call->model->whole && lane < call->state->lanes; lane++) {
        size_t length = kr_run_length(call->input, lane), rows = run_counted(call, lane, kr_min(length, done));

        if (output->which == KRAIT_ROWS_ALL)
            output->counts[lane] = (uint32_t)rows;
        else
            output->counts[lane] = output->which == KRAIT_ROWS_LAST && rows > 0 && length <= done;
    }
}

/* Rows of the longest lane: behind it there is nothing to run. */
static size_t run_longest(const krait_input *input, size_t lanes)
{
    size_t longest = 0;

    for (size_t lane = 0; lane < lanes; lane++)
        longest = kr_run_length(input, lane) > longest ? kr_run_length(input, lane) : longest;
    return longest;
}

/* A reset among the rows held at the end of a lane: what comes in the next call begins anew. */
static void run_forget_held(run_call *call)
{
    const krait_input *input = call->input;

    for (size_t lane = 0; input->reset && input->nan_policy == KRAIT_NAN_HOLD && lane < call->state->lanes; lane++) {
        size_t row = lane * input->steps;

        for (size_t s = kr_run_length(input, lane); s-- > 0 && kr_run_held(call->model, input, row + s);)
            if (input->reset[row + s]) {
                kr_state_begin(call->model, call->state, lane, 1);
                break;
            }
    }
}

/*
 * The rule of AUTO (docs/performance.md has the measurements).  A scan does each row's work up to twice so that time can
 * be cut among tasks; on one thread it loses for every width, and whether there is another thread a rule
 * of model, steps and lanes must not ask.  So AUTO is RECURRENT.
 */
static int32_t run_mode(const krait_input *input)
{
    return input->mode == KRAIT_AUTO ? KRAIT_RECURRENT : input->mode;
}

static void run_start(run_call *call)
{
    const krait_model *model = call->model;
    krait_state       *state = call->state;
    kr_context        *context = &call->context;

    *context = (kr_context){ .kernels = model->kernels, .cells = 1 };
    context->mode = run_mode(call->input);
    context->tasks = (kr_tasks){ state->tasks, call->input->parallel, call->input->parallel_user, model->task_work };
    context->scratch.base = (unsigned char *)state + state->scratch;
    context->transient = model->whole;
    kr_state_pass(&call->pass, model, state, &context->scratch);
    context->memory = model->whole ? call->pass.memory : kr_state_lane(model, state, 0);
    context->lane_bytes = model->whole ? model->along_bytes : model->lane_bytes;
    context->kept = call->pass.kept;
    context->orders = (const int32_t *const *)call->pass.orders;
    context->source = call->pass.source;
    for (size_t i = 0; i < model->flows.n_inputs; i++) {
        const krait_order *order = kr_run_order(call->input, model->flows.inputs[i].name);

        call->pass.orders[i] = order ? order->order : NULL;
    }
}

static krait_status run_all(run_call *call, krait_message *message)
{
    const krait_input *input = call->input;
    size_t             longest = run_longest(input, call->state->lanes);

    if (call->output->held)
        memset(call->output->held, 0, input->steps * call->state->lanes);
    for (size_t lane = 0; call->output->counts && lane < call->state->lanes; lane++)
        call->output->counts[lane] = 0;
    for (size_t step = 0, n; step < longest; step += n) {
        kr_rows rows, body;

        if (input->progress && input->progress(input->progress_user, step, input->steps)) {
            run_count(call, step);
            return kr_fail(message, KRAIT_ERR_CANCELLED, "cancelled after %zu steps", step);
        }
        n = run_window(call, step, longest);
        rows = run_rows(call, step, n);
        body = run_body(call, &rows);
        if (call->model->whole)
            run_output_whole(call, &body);
        else
            run_output(call, &body);
        run_slots(call);
    }
    run_forget_held(call);
    run_count(call, input->steps);
    if (input->progress)
        input->progress(input->progress_user, input->steps, input->steps);
    return KRAIT_OK;
}

krait_status kr_run(const krait_model *model, krait_state *state, const krait_input *input,
                    krait_output *output, krait_message *message)
{
    run_call     call;
    krait_status status;

    call.model = model;
    call.state = state;
    call.input = input;
    call.output = output;
    run_start(&call);
    status = kr_run_check(model, state, input, output, call.pass.marks, message);
    return status == KRAIT_OK ? run_all(&call, message) : status;
}
