/*
 * krait.c - every public function: check the arguments, set the floating-point environment,
 * call inward.
 */
#include "krait.h"

#include <string.h>

#include "core/fpenv.h"
#include "core/hash.h"
#include "kernels/selftest.h"
#include "model/convert.h"
#include "model/run.h"
#include "text/sample.h"
#include "text/tokenizer.h"

/*
 * A caller's struct of 'size' bytes (the first field) over defaults of zero.  One from a newer
 * header is taken if what this library does not know is zero.
 */
static krait_status options_copy(void *ours, size_t known, const void *theirs)
{
    size_t size;

    memset(ours, 0, known);
    if (!theirs)
        return KRAIT_OK;
    memcpy(&size, theirs, sizeof size);
    if (size < sizeof size)
        return KRAIT_ERR_ARGUMENT;
    for (size_t i = known; i < size; i++)
        if (((const unsigned char *)theirs)[i])
            return KRAIT_ERR_ARGUMENT;
    memcpy(ours, theirs, size < known ? size : known);
    return KRAIT_OK;
}

static void message_clear(krait_message *message)
{
    if (message)
        message->text[0] = '\0';
}

/* ---- version -------------------------------------------------------------------------------------- */

#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)

const char *krait_version(void)
{
    return TEXT_OF(KRAIT_VERSION_MAJOR) "." TEXT_OF(KRAIT_VERSION_MINOR) "." TEXT_OF(KRAIT_VERSION_PATCH);
}

int32_t krait_abi(void)      { return KRAIT_ABI; }
int32_t krait_numerics(void) { return KRAIT_NUMERICS; }

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "a C compiler"
#endif

const char *krait_build(void)
{
    const char *best = kr_kernels_best()->name;

    if (strcmp(best, "avx512") == 0)
        return COMPILER "; kernels avx512 avx2 plain";
    if (strcmp(best, "avx2") == 0)
        return COMPILER "; kernels avx2 plain";
    if (strcmp(best, "neon_dot") == 0)
        return COMPILER "; kernels neon_dot neon plain";
    if (strcmp(best, "neon") == 0)
        return COMPILER "; kernels neon plain";
    return COMPILER "; kernels plain";
}

const char *krait_status_text(krait_status status)
{
    static const char *const texts[] = {
        "ok", "invalid argument", "out of memory", "input or output failed", "malformed file",
        "unsupported", "shapes do not agree", "state of another model", "misaligned memory",
        "buffer too small", "cancelled", "model cannot step", "unusable build"
    };

    if (status > 0 || status < KRAIT_ERR_BUILD)
        return "unknown status";
    return texts[-status];
}

/* ---- model ------------------------------------------------------------------------------------------ */

static krait_status open_options(krait_open_options *ours, const krait_open_options *theirs,
                                 krait_message *message)
{
    const int32_t known = KRAIT_OPEN_READ | KRAIT_OPEN_BORROW | KRAIT_OPEN_CHECK | KRAIT_OPEN_PLAIN;

    if (options_copy(ours, sizeof *ours, theirs) != KRAIT_OK)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: size, or fields this library does not know");
    if (ours->flags & KRAIT_OPEN_FAST)
        return kr_fail(message, KRAIT_ERR_UNSUPPORTED, "options: KRAIT_OPEN_FAST is not built yet");
    if (ours->flags & ~known)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: unknown flags");
    if (ours->allocator && (!ours->allocator->allocate || !ours->allocator->release))
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: the allocator lacks a function");
    return KRAIT_OK;
}

static krait_status open_origin(krait_model **model, const kr_origin *origin, const krait_open_options *ours,
                                krait_message *message)
{
    kr_fpenv          host = kr_fpenv_enter();
    const kr_kernels *kernels = ours->flags & KRAIT_OPEN_PLAIN ? &kr_kernels_plain : kr_kernels_best();
    krait_status      status;

    if (!kr_selftest(kernels))
        status = kr_fail(message, KRAIT_ERR_BUILD,
                         "compiled with options that change arithmetic: results would be wrong");
    else
        status = kr_model_make(model, origin, ours, kernels, message);
    kr_fpenv_leave(host);
    return status;
}

krait_status krait_model_open(krait_model **model, const char *path, const krait_open_options *options,
                              krait_message *message)
{
    kr_origin          origin = { .path = path };
    krait_open_options ours;
    krait_status       status;

    message_clear(message);
    if (!model)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "model is NULL");
    *model = NULL;
    if (!path)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "path is NULL");
    if ((status = open_options(&ours, options, message)) != KRAIT_OK)
        return status;
    ours.flags &= ~KRAIT_OPEN_BORROW;           /* nothing of the caller's to borrow */
    return open_origin(model, &origin, &ours, message);
}

krait_status krait_model_open_memory(krait_model **model, const void *bytes, size_t count,
                                     const krait_open_options *options, krait_message *message)
{
    kr_origin          origin = { .bytes = bytes, .count = count };
    krait_open_options ours;
    krait_status       status;

    message_clear(message);
    if (!model)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "model is NULL");
    *model = NULL;
    if (!bytes && count)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "bytes is NULL");
    if ((status = open_options(&ours, options, message)) != KRAIT_OK)
        return status;
    if ((ours.flags & KRAIT_OPEN_BORROW) && (uintptr_t)bytes % KRAIT_STATE_ALIGNMENT)
        return kr_fail(message, KRAIT_ERR_ALIGNMENT, "borrowed bytes must be aligned to 64");
    return open_origin(model, &origin, &ours, message);
}

krait_status krait_model_create(krait_model **model, const char *description, const krait_tensor *tensors,
                                size_t count, const krait_open_options *options, krait_message *message)
{
    kr_origin          origin = { .description = description, .tensors = tensors, .n_tensors = count,
                                  .from_tensors = 1 };
    krait_open_options ours;
    krait_status       status;

    message_clear(message);
    if (!model)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "model is NULL");
    *model = NULL;
    if (!description || (!tensors && count))
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "description or tensors is NULL");
    if ((status = open_options(&ours, options, message)) != KRAIT_OK)
        return status;
    if (ours.description)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: a second description");
    return open_origin(model, &origin, &ours, message);
}

void krait_model_close(krait_model *model)
{
    if (model)
        kr_model_free(model);
}

krait_status krait_model_get(const krait_model *model, int32_t key, int64_t *value)
{
    if (!model || !value)
        return KRAIT_ERR_ARGUMENT;
    *value = 0;
    switch (key) {
    case KRAIT_IN_WIDTH:             *value = (int64_t)model->in_width; break;
    case KRAIT_OUT_WIDTH:            *value = (int64_t)model->out_width; break;
    case KRAIT_VOCABULARY:           *value = (int64_t)model->vocabulary; break;
    case KRAIT_LAYERS:               *value = (int64_t)model->n_remembering; break;
    case KRAIT_PARAMETERS:           *value = (int64_t)model->parameters; break;
    case KRAIT_WHOLE_SEQUENCE:       *value = model->whole; break;
    case KRAIT_WEIGHT_BYTES:         *value = (int64_t)model->held_bytes; break;
    case KRAIT_STATE_BYTES_PER_LANE: *value = (int64_t)model->lane_bytes; break;
    case KRAIT_CAN_STEP:             *value = !model->whole; break;
    case KRAIT_USES_DT:              *value = model->uses_time; break;
    case KRAIT_TAKES_TOKENS:         *value = model->vocabulary > 0; break;
    case KRAIT_END_TOKEN:            *value = model->end_token; break;
    case KRAIT_GRID_ROWS:            *value = (int64_t)model->grid[0]; break;
    case KRAIT_GRID_COLUMNS:         *value = (int64_t)model->grid[1]; break;
    case KRAIT_MOST_STEPS:           *value = (int64_t)model->most_steps; break;
    default:                         return KRAIT_ERR_UNSUPPORTED;
    }
    return KRAIT_OK;
}

const char *krait_model_text(const krait_model *model, const char *key)
{
    if (model && key)
        for (size_t i = model->n_pairs; i-- > 0;)       /* krait's own come last and win */
            if (strcmp(model->pairs[i].key, key) == 0)
                return model->pairs[i].text;
    return NULL;
}

krait_status krait_model_tensor(const krait_model *model, size_t i, krait_tensor *tensor)
{
    if (!model || !tensor || i >= model->n_tensors)
        return KRAIT_ERR_ARGUMENT;
    *tensor = model->tensors[i];
    return KRAIT_OK;
}

const char *krait_model_key(const krait_model *model, size_t i)
{
    return model && i < model->n_pairs ? model->pairs[i].key : NULL;
}

krait_status krait_model_slot(const krait_model *model, size_t i, krait_slot_info *info)
{
    krait_slot_info ours = { sizeof ours, NULL, 0, KRAIT_SLOT_ORDER, 0 };
    size_t          size;

    if (!model || !info || i >= model->flows.n_inputs + model->flows.n_slots)
        return KRAIT_ERR_ARGUMENT;
    memcpy(&size, info, sizeof size);
    if (size < sizeof size)
        return KRAIT_ERR_ARGUMENT;
    if (i < model->flows.n_inputs) {
        ours.name = model->flows.inputs[i].name;
        ours.width = model->flows.inputs[i].cells;
    } else {
        const kr_slot *slot = &model->flows.slots[i - model->flows.n_inputs];

        ours.name = slot->name;
        ours.kind = slot->output ? KRAIT_SLOT_ROWS : KRAIT_SLOT_INNER;
        ours.width = slot->output ? kr_run_slot_width(slot) : slot->width;
    }
    ours.size = size;
    memcpy(info, &ours, size < sizeof ours ? size : sizeof ours);
    return KRAIT_OK;
}

uint64_t krait_model_id(const krait_model *model)
{
    return model ? model->id : 0;
}

krait_status krait_model_hash(const krait_model *model, uint64_t *hash)
{
    if (!model || !hash)
        return KRAIT_ERR_ARGUMENT;
    *hash = kr_model_hash(model);
    return KRAIT_OK;
}

/* ---- state ------------------------------------------------------------------------------------------- */

static krait_status state_header(const krait_model *model, const krait_state_options *options,
                                 krait_state *header)
{
    krait_state_options ours;

    if (!model || options_copy(&ours, sizeof ours, options) != KRAIT_OK)
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

    message_clear(message);
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

    message_clear(message);
    if (!output || options_copy(&to, sizeof to, output) != KRAIT_OK)
        return kr_fail(message, KRAIT_ERR_ARGUMENT,
                       "output is NULL, or its size or fields are not known to this library");
    to.steps_done = to.stride = 0;
    if (!model || !state || !input)
        status = kr_fail(message, KRAIT_ERR_ARGUMENT, "model, state or input is NULL");
    else if (options_copy(&rows, sizeof rows, input) != KRAIT_OK)
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

/* ---- text -------------------------------------------------------------------------------------------- */

static krait_status tokenizer_options(krait_tokenizer_options *ours, const krait_tokenizer_options *theirs,
                                      krait_message *message)
{
    if (options_copy(ours, sizeof *ours, theirs) != KRAIT_OK)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: size, or fields this library does not know");
    if (ours->allocator && (!ours->allocator->allocate || !ours->allocator->release))
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: the allocator lacks a function");
    return KRAIT_OK;
}

/* Of a path, or with path NULL of bytes. */
static krait_status tokenizer_open(krait_tokenizer **tokenizer, const char *path, const void *bytes, size_t count,
                                   const krait_tokenizer_options *options, krait_message *message)
{
    krait_tokenizer_options ours;
    krait_status            status = tokenizer_options(&ours, options, message);
    kr_fpenv                host;

    if (status != KRAIT_OK)
        return status;
    host = kr_fpenv_enter();
    status = kr_tokenizer_open(tokenizer, path, bytes, count, &ours, message);
    kr_fpenv_leave(host);
    return status;
}

krait_status krait_tokenizer_open(krait_tokenizer **tokenizer, const char *path,
                                  const krait_tokenizer_options *options, krait_message *message)
{
    message_clear(message);
    if (!tokenizer)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "tokenizer is NULL");
    *tokenizer = NULL;
    if (!path)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "path is NULL");
    return tokenizer_open(tokenizer, path, NULL, 0, options, message);
}

krait_status krait_tokenizer_open_memory(krait_tokenizer **tokenizer, const void *bytes, size_t count,
                                         const krait_tokenizer_options *options, krait_message *message)
{
    message_clear(message);
    if (!tokenizer)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "tokenizer is NULL");
    *tokenizer = NULL;
    if (!bytes && count)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "bytes is NULL");
    return tokenizer_open(tokenizer, NULL, bytes, count, options, message);
}

void krait_tokenizer_close(krait_tokenizer *tokenizer)
{
    if (tokenizer)
        kr_tokenizer_free(tokenizer);
}

const krait_tokenizer *krait_model_tokenizer(const krait_model *model)
{
    return !model ? NULL : model->bytes ? kr_tokenizer_of_bytes() : model->tokenizer;
}

krait_status krait_tokenizer_get(const krait_tokenizer *tokenizer, int32_t key, int64_t *value)
{
    if (!tokenizer || !value)
        return KRAIT_ERR_ARGUMENT;
    *value = 0;
    switch (key) {
    case KRAIT_TOKENIZER_COUNT:   *value = (int64_t)tokenizer->count; break;
    case KRAIT_TOKENIZER_BEGIN:   *value = tokenizer->begin; break;
    case KRAIT_TOKENIZER_END:     *value = tokenizer->end; break;
    case KRAIT_TOKENIZER_UNKNOWN: *value = tokenizer->unknown; break;
    case KRAIT_TOKENIZER_ENCODES: *value = !tokenizer->why; break;
    default:                      return KRAIT_ERR_UNSUPPORTED;
    }
    return KRAIT_OK;
}

krait_status krait_tokenizer_encode(const krait_tokenizer *tokenizer, const char *text, size_t bytes, int32_t flags,
                                    int32_t *tokens, size_t capacity, size_t *count)
{
    const int32_t known = KRAIT_TEXT_SPECIAL | KRAIT_TEXT_GOES_ON | KRAIT_TEXT_AROUND;

    if (!tokenizer || (!text && bytes) || !count || (!tokens && capacity) || (flags & ~known))
        return KRAIT_ERR_ARGUMENT;
    return kr_tokenizer_encode(tokenizer, text ? text : "", bytes, flags, tokens, capacity, count);
}

krait_status krait_tokenizer_decode(const krait_tokenizer *tokenizer, const int32_t *tokens, size_t n, int32_t flags,
                                    char *text, size_t capacity, size_t *count)
{
    if (!tokenizer || (!tokens && n) || !count || (!text && capacity) ||
        (flags & ~(KRAIT_TEXT_SPECIAL | KRAIT_TEXT_GOES_ON)))
        return KRAIT_ERR_ARGUMENT;
    return kr_decode_all(tokenizer, tokens, n, flags, text, capacity, count);
}

krait_status krait_tokenizer_next(const krait_tokenizer *tokenizer, krait_decoder *decoder, int32_t token,
                                  int32_t flags, char *text, size_t capacity, size_t *count)
{
    if (!tokenizer || !decoder || !count || (!text && capacity) ||
        (flags & ~(KRAIT_TEXT_SPECIAL | KRAIT_TEXT_GOES_ON)))
        return KRAIT_ERR_ARGUMENT;
    return kr_decode_next(tokenizer, decoder, token, flags, text, capacity, count);
}

krait_status krait_tokenizer_token(const krait_tokenizer *tokenizer, int32_t token, krait_token_info *info)
{
    krait_token_info ours = { sizeof ours, NULL, 0, 0, 0 };
    krait_status     status;
    size_t           size;

    if (!tokenizer || !info)
        return KRAIT_ERR_ARGUMENT;
    memcpy(&size, info, sizeof size);
    if (size < sizeof size)
        return KRAIT_ERR_ARGUMENT;
    status = kr_tokenizer_token(tokenizer, token, &ours.bytes, &ours.count, &ours.flags);
    if (status != KRAIT_OK)
        return status;
    ours.size = size;
    memcpy(info, &ours, size < sizeof ours ? size : sizeof ours);
    return KRAIT_OK;
}

krait_status krait_encode(const krait_model *model, const char *text, size_t bytes, int32_t flags,
                          int32_t *tokens, size_t capacity, size_t *count)
{
    const krait_tokenizer *tokenizer = krait_model_tokenizer(model);

    if (!model || !count)
        return KRAIT_ERR_ARGUMENT;
    *count = 0;
    if (!tokenizer)
        return (!text && bytes) || (!tokens && capacity) ? KRAIT_ERR_ARGUMENT : KRAIT_ERR_UNSUPPORTED;
    return krait_tokenizer_encode(tokenizer, text, bytes, flags, tokens, capacity, count);
}

krait_status krait_token_bytes(const krait_model *model, int32_t token, const char **bytes, size_t *count)
{
    const krait_tokenizer *tokenizer = krait_model_tokenizer(model);
    int32_t                flags;

    if (!model || !bytes || !count)
        return KRAIT_ERR_ARGUMENT;
    *bytes = NULL;
    *count = 0;
    return tokenizer ? kr_tokenizer_token(tokenizer, token, bytes, count, &flags) : KRAIT_ERR_UNSUPPORTED;
}

void krait_rng_seed(krait_rng *rng, uint64_t seed)
{
    if (rng)
        kr_rng_start(rng, seed);
}

krait_status krait_sample(float *logits, size_t count, const krait_sample_options *options, krait_rng *rng,
                          int32_t *token)
{
    krait_sample_options ours;
    kr_fpenv             host;
    krait_status         status;

    if (options_copy(&ours, sizeof ours, options) != KRAIT_OK)
        return KRAIT_ERR_ARGUMENT;
    host = kr_fpenv_enter();
    status = kr_sample_token(logits, count, &ours, rng, token);
    kr_fpenv_leave(host);
    return status;
}

/* ---- files --------------------------------------------------------------------------------------------- */

krait_status krait_convert(const char *from, const char *to, const krait_convert_options *options,
                           krait_message *message)
{
    krait_convert_options ours;
    kr_fpenv              host;
    krait_status          status;

    message_clear(message);
    if (!from || !to)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "a path is NULL");
    if (options_copy(&ours, sizeof ours, options) != KRAIT_OK || (ours.flags & ~KRAIT_OPEN_READ))
        return kr_fail(message, KRAIT_ERR_ARGUMENT,
                       "options: size, flags, or fields this library does not know");
    if (ours.type != KRAIT_F32 && ours.type != KRAIT_F16 && ours.type != KRAIT_BF16 && ours.type != KRAIT_Q8_0)
        return kr_fail(message, KRAIT_ERR_UNSUPPORTED, "type %d cannot be written", (int)ours.type);
    if (ours.layout != KRAIT_LAYOUT_ROWS && ours.layout != KRAIT_LAYOUT_PANELS)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "layout %d is not known", (int)ours.layout);
    if (ours.allocator && (!ours.allocator->allocate || !ours.allocator->release))
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: the allocator lacks a function");
    host = kr_fpenv_enter();
    status = kr_convert(from, to, &ours, message);
    kr_fpenv_leave(host);
    return status;
}
