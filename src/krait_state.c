/* krait_state.c - the public functions of states, their parts and runs: check arguments, call inward. */
#include "call.h"

#include "core/fpenv.h"
#include "core/hash.h"
#include "model/run.h"

/* ---- state ------------------------------------------------------------------------------------------- */

static krait_status state_header(const krait_model *model, const krait_state_options *options,
                                 krait_state *header)
{
    krait_state_options ours;

    if (!model || kr_call_options(&ours, sizeof ours, options) != KRAIT_OK)
        return KRAIT_ERR_ARGUMENT;
    return kr_state_layout(model, &ours, header);
}

krait_status krait_state_bytes(const krait_model *model, const krait_state_options *options, size_t *bytes)
{
    krait_state  header;
    krait_status status;

    if (!bytes)
        return KRAIT_ERR_ARGUMENT;
    *bytes = 0;
    if ((status = state_header(model, options, &header)) == KRAIT_OK)
        *bytes = (size_t)header.bytes;
    return status;
}

krait_status krait_state_place(krait_state **state, const krait_model *model,
                               const krait_state_options *options, void *memory, size_t bytes)
{
    krait_state  header;
    krait_status status;

    if (!state)
        return KRAIT_ERR_ARGUMENT;
    *state = NULL;
    if (!memory)
        return KRAIT_ERR_ARGUMENT;
    if ((status = state_header(model, options, &header)) != KRAIT_OK)
        return status;
    if ((uintptr_t)memory % KRAIT_STATE_ALIGNMENT)
        return KRAIT_ERR_ALIGNMENT;
    if (bytes < header.bytes)
        return KRAIT_ERR_SPACE;
    *state = memory;
    kr_state_start(model, *state, &header);
    return KRAIT_OK;
}

krait_status krait_state_adopt(krait_state **state, const krait_model *model, void *memory, size_t bytes)
{
    krait_state         header;
    krait_state_options options = { sizeof options, 0, 0, 0, 0, 0, 0 };
    krait_status        status;

    if (!state)
        return KRAIT_ERR_ARGUMENT;
    *state = NULL;
    if (!model || !memory)
        return KRAIT_ERR_ARGUMENT;
    if ((uintptr_t)memory % KRAIT_STATE_ALIGNMENT)
        return KRAIT_ERR_ALIGNMENT;
    if (bytes < sizeof header)
        return KRAIT_ERR_SPACE;
    memcpy(&header, memory, sizeof header);
    if ((status = kr_state_check(model, &header)) != KRAIT_OK)
        return status;
    options.lanes = header.lanes;
    options.chunk = header.chunk;
    options.tasks = header.tasks;
    options.context = header.context;
    options.max_steps = header.max_steps;
    if ((status = kr_state_layout(model, &options, &header)) != KRAIT_OK)
        return status;
    if (memcmp(&header, memory, sizeof header) != 0)
        return KRAIT_ERR_ARGUMENT;
    if (bytes < header.bytes)
        return KRAIT_ERR_SPACE;
    *state = memory;
    return KRAIT_OK;
}

krait_status krait_state_create(krait_state **state, const krait_model *model,
                                const krait_state_options *options, const krait_allocator *allocator)
{
    krait_state  header;
    kr_memory    memory;
    void        *block;
    krait_status status;

    if (!state)
        return KRAIT_ERR_ARGUMENT;
    *state = NULL;
    if (allocator && (!allocator->allocate || !allocator->release))
        return KRAIT_ERR_ARGUMENT;
    if ((status = state_header(model, options, &header)) != KRAIT_OK)
        return status;
    kr_memory_start(&memory, allocator, 0);
    block = kr_memory_take(&memory, (size_t)header.bytes, KRAIT_STATE_ALIGNMENT);
    if (!block)
        return KRAIT_ERR_MEMORY;
    *state = block;
    kr_state_start(model, *state, &header);
    return KRAIT_OK;
}

void krait_state_destroy(krait_state *state, const krait_allocator *allocator)
{
    kr_memory memory;

    kr_memory_start(&memory, allocator, 0);
    if (state)
        memory.allocator.release(memory.allocator.user, state, (size_t)state->bytes, KRAIT_STATE_ALIGNMENT);
}

void *krait_state_data(krait_state *state, size_t *bytes)
{
    if (bytes)
        *bytes = state ? (size_t)state->data_bytes : 0;
    return state ? (unsigned char *)state + state->data : NULL;
}

/* A lane or all of them: the first and how many. */
typedef struct lane_range { size_t first, count; } lane_range;

static krait_status lanes_of(const krait_model *model, const krait_state *state, int32_t lane,
                             lane_range *range)
{
    krait_status status;

    if (!model || !state)
        return KRAIT_ERR_ARGUMENT;
    if ((status = kr_state_check(model, state)) != KRAIT_OK)
        return status;
    if (lane < KRAIT_ALL_LANES || (lane >= 0 && (uint32_t)lane >= state->lanes))
        return KRAIT_ERR_ARGUMENT;
    *range = lane == KRAIT_ALL_LANES ? (lane_range){ 0, state->lanes } : (lane_range){ (size_t)lane, 1 };
    return KRAIT_OK;
}

krait_status krait_state_reset(const krait_model *model, krait_state *state, int32_t lane)
{
    lane_range   range;
    krait_status status = lanes_of(model, state, lane, &range);

    if (status == KRAIT_OK)
        kr_state_begin(model, state, range.first, range.count);
    return status;
}

krait_status krait_state_copy(const krait_model *model, krait_state *to, int32_t to_lane,
                              const krait_state *from, int32_t from_lane)
{
    lane_range   target, source;
    krait_status status;

    if ((status = lanes_of(model, to, to_lane, &target)) != KRAIT_OK ||
        (status = lanes_of(model, from, from_lane, &source)) != KRAIT_OK)
        return status;
    if ((to_lane == KRAIT_ALL_LANES) != (from_lane == KRAIT_ALL_LANES) || target.count != source.count)
        return KRAIT_ERR_ARGUMENT;
    memmove(kr_state_lane(model, to, target.first), kr_state_lane(model, from, source.first),
            target.count * model->lane_bytes);
    return KRAIT_OK;
}

krait_status krait_state_hash(const krait_model *model, const krait_state *state, int32_t lane, uint64_t *hash)
{
    lane_range   range;
    krait_status status;

    if (!hash)
        return KRAIT_ERR_ARGUMENT;
    if ((status = lanes_of(model, state, lane, &range)) != KRAIT_OK)
        return status;
    *hash = kr_hash_word(KR_HASH_START, range.count);
    for (size_t i = 0; i < range.count; i++)
        *hash = kr_state_hash_lane(model, state, range.first + i, *hash);
    return KRAIT_OK;
}

krait_status krait_state_save(const krait_model *model, const krait_state *state, int32_t lane, void *buffer,
                              size_t capacity, size_t *bytes)
{
    lane_range   range;
    krait_status status;

    if (!bytes)
        return KRAIT_ERR_ARGUMENT;
    *bytes = 0;
    if ((status = lanes_of(model, state, lane, &range)) != KRAIT_OK)
        return status;
    *bytes = kr_saved_bytes(model, range.count);
    if (*bytes == 0)
        return KRAIT_ERR_ARGUMENT;
    if (!buffer)
        return KRAIT_OK;
    if (capacity < *bytes)
        return KRAIT_ERR_SPACE;
    kr_saved_write(model, state, range.first, range.count, buffer);
    return KRAIT_OK;
}

krait_status krait_state_load(const krait_model *model, krait_state *state, int32_t lane, const void *buffer,
                              size_t bytes, krait_message *message)
{
    lane_range   range;
    krait_status status;

    kr_call_clear(message);
    if (!buffer)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "buffer is NULL");
    if ((status = lanes_of(model, state, lane, &range)) != KRAIT_OK)
        return kr_fail(message, status, "model, state or lane: %s", krait_status_text(status));
    return kr_saved_read(model, state, range.first, range.count, buffer, bytes, message);
}

/* ---- parts ------------------------------------------------------------------------------------------ */

krait_status krait_part_info(const krait_model *model, size_t index, krait_part *part)
{
    krait_part ours = { sizeof ours, NULL, { 0 }, 0, 0 };
    size_t     size;

    if (!model || !part || index >= model->n_parts)
        return KRAIT_ERR_ARGUMENT;
    memcpy(&size, part, sizeof size);
    if (size < sizeof size)
        return KRAIT_ERR_ARGUMENT;
    ours.size = size;
    ours.name = model->parts[index].name;
    if (model->parts[index].cells > 1)
        ours.shape[ours.dimensions++] = model->parts[index].cells;
    ours.shape[ours.dimensions++] = model->parts[index].part.shape[0];
    ours.shape[ours.dimensions++] = model->parts[index].part.shape[1];
    memcpy(part, &ours, size < sizeof ours ? size : sizeof ours);
    return KRAIT_OK;
}

static krait_status part_check(const krait_model *model, const krait_state *state, size_t index, int32_t lane,
                               const float *values, size_t count)
{
    lane_range   range;
    krait_status status = lanes_of(model, state, lane, &range);

    if (status != KRAIT_OK)
        return status;
    if (lane == KRAIT_ALL_LANES || index >= model->n_parts || !values || count != model->parts[index].count)
        return KRAIT_ERR_ARGUMENT;
    return KRAIT_OK;
}

krait_status krait_part_read(const krait_model *model, const krait_state *state, size_t index, int32_t lane,
                             float *values, size_t count)
{
    krait_status status = part_check(model, state, index, lane, values, count);

    if (status == KRAIT_OK)
        kr_state_read_part(model, state, &model->parts[index], (size_t)lane, values);
    return status;
}

krait_status krait_part_write(const krait_model *model, krait_state *state, size_t index, int32_t lane,
                              const float *values, size_t count)
{
    krait_status status = part_check(model, state, index, lane, values, count);

    if (status == KRAIT_OK)
        kr_state_write_part(model, state, &model->parts[index], (size_t)lane, values);
    return status;
}

/* ---- run --------------------------------------------------------------------------------------------- */

static krait_status run_rows_of(const krait_model *model, krait_state *state, const krait_input *input,
                                krait_output *output, krait_message *message)
{
    kr_fpenv     host;
    krait_status status;

    if ((status = kr_state_check(model, state)) != KRAIT_OK)
        return kr_fail(message, status, "state: %s", krait_status_text(status));
    host = kr_fpenv_enter();
    status = kr_run(model, state, input, output, message);
    kr_fpenv_leave(host);
    return status;
}

krait_status krait_run(const krait_model *model, krait_state *state, const krait_input *input,
                       krait_output *output, krait_message *message)
{
    krait_input  rows;
    krait_output to;
    krait_status status;

    kr_call_clear(message);
    if (!output || kr_call_options(&to, sizeof to, output) != KRAIT_OK)
        return kr_fail(message, KRAIT_ERR_ARGUMENT,
                       "output is NULL, or its size or fields are not known to this library");
    to.steps_done = to.stride = 0;
    if (!model || !state || !input)
        status = kr_fail(message, KRAIT_ERR_ARGUMENT, "model, state or input is NULL");
    else if (kr_call_options(&rows, sizeof rows, input) != KRAIT_OK)
        status = kr_fail(message, KRAIT_ERR_ARGUMENT, "input: size, or fields this library does not know");
    else
        status = run_rows_of(model, state, &rows, &to, message);
    memcpy(output, &to, to.size < sizeof to ? to.size : sizeof to);
    return status;
}

static krait_status step_rows(const krait_model *model, krait_state *state, const int32_t *tokens,
                              const float *features, float *out)
{
    krait_input  input = { .steps = 1, .tokens = tokens, .features = features };
    krait_output output = { .rows = out, .capacity = SIZE_MAX, .which = out ? KRAIT_ROWS_ALL : KRAIT_ROWS_NONE };

    if (!model || !state || (!tokens && !features))
        return KRAIT_ERR_ARGUMENT;
    if (model->whole)
        return KRAIT_ERR_CANNOT_STEP;
    return run_rows_of(model, state, &input, &output, NULL);
}

krait_status krait_step(const krait_model *model, krait_state *state, const float *features, float *out)
{
    return step_rows(model, state, NULL, features, out);
}

krait_status krait_step_tokens(const krait_model *model, krait_state *state, const int32_t *tokens, float *out)
{
    return step_rows(model, state, tokens, NULL, out);
}
