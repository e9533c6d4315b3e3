/*
 * faults.c - a library that breaks its promises, for test_check.sh.
 *
 * The linker puts these functions before krait's own; KRAIT_FAULT says what goes wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"

krait_status __real_krait_model_open(krait_model **model, const char *path,
                                     const krait_open_options *options, krait_message *message);
krait_status __real_krait_model_get(const krait_model *model, int32_t key, int64_t *value);
krait_status __real_krait_state_create(krait_state **state, const krait_model *model,
                                       const krait_state_options *options,
                                       const krait_allocator *allocator);
krait_status __real_krait_state_reset(const krait_model *model, krait_state *state, int32_t lane);
krait_status __real_krait_state_load(const krait_model *model, krait_state *state, int32_t lane,
                                     const void *buffer, size_t bytes, krait_message *message);
krait_status __real_krait_part_read(const krait_model *model, const krait_state *state,
                                    size_t index, int32_t lane, float *values, size_t count);
krait_status __real_krait_run(const krait_model *model, krait_state *state,
                              const krait_input *input, krait_output *output, krait_message *message);
krait_status __real_krait_step_tokens(const krait_model *model, krait_state *state,
                                      const int32_t *tokens, float *out);

krait_status __wrap_krait_model_open(krait_model **model, const char *path,
                                     const krait_open_options *options, krait_message *message);
krait_status __wrap_krait_model_get(const krait_model *model, int32_t key, int64_t *value);
krait_status __wrap_krait_state_create(krait_state **state, const krait_model *model,
                                       const krait_state_options *options,
                                       const krait_allocator *allocator);
krait_status __wrap_krait_state_reset(const krait_model *model, krait_state *state, int32_t lane);
krait_status __wrap_krait_state_load(const krait_model *model, krait_state *state, int32_t lane,
                                     const void *buffer, size_t bytes, krait_message *message);
krait_status __wrap_krait_part_read(const krait_model *model, const krait_state *state,
                                    size_t index, int32_t lane, float *values, size_t count);
krait_status __wrap_krait_run(const krait_model *model, krait_state *state,
                              const krait_input *input, krait_output *output, krait_message *message);
krait_status __wrap_krait_step_tokens(const krait_model *model, krait_state *state,
                                      const int32_t *tokens, float *out);

static const krait_model *plain;        /* the one with plain kernels */
static uint32_t           lanes = 1, chunk;     /* of the state that was made last */
static size_t             steps;                /* of the run that was made last */

static int fault(const char *name)
{
    const char *wanted = getenv("KRAIT_FAULT");

    return wanted && strcmp(wanted, name) == 0;
}

static int fault_begins(const char *name)
{
    const char *wanted = getenv("KRAIT_FAULT");

    return wanted && strncmp(wanted, name, strlen(name)) == 0;
}

/* The smallest change there is. */
static void flip(float *x)
{
    uint32_t bits;

    memcpy(&bits, x, sizeof bits);
    bits ^= 1;
    memcpy(x, &bits, sizeof bits);
}

krait_status __wrap_krait_model_open(krait_model **model, const char *path,
                                     const krait_open_options *options, krait_message *message)
{
    krait_status status = __real_krait_model_open(model, path, options, message);

    if (options && (options->flags & KRAIT_OPEN_PLAIN))
        plain = *model;
    return status;
}

krait_status __wrap_krait_model_get(const krait_model *model, int32_t key, int64_t *value)
{
    krait_status status = __real_krait_model_get(model, key, value);

    if (key == KRAIT_USES_DT && fault_begins("dt"))
        *value = 1;
    return status;
}

krait_status __wrap_krait_state_create(krait_state **state, const krait_model *model,
                                       const krait_state_options *options,
                                       const krait_allocator *allocator)
{
    lanes = options ? options->lanes : 1;
    chunk = options ? options->chunk : 1;
    return __real_krait_state_create(state, model, options, allocator);
}

krait_status __wrap_krait_state_reset(const krait_model *model, krait_state *state, int32_t lane)
{
    return fault("reset") ? KRAIT_OK : __real_krait_state_reset(model, state, lane);
}

krait_status __wrap_krait_state_load(const krait_model *model, krait_state *state, int32_t lane,
                                     const void *buffer, size_t bytes, krait_message *message)
{
    return fault("load") ? KRAIT_OK
                         : __real_krait_state_load(model, state, lane, buffer, bytes, message);
}

krait_status __wrap_krait_part_read(const krait_model *model, const krait_state *state,
                                    size_t index, int32_t lane, float *values, size_t count)
{
    krait_status status = __real_krait_part_read(model, state, index, lane, values, count);

    if (fault("state") && steps == 1)
        flip(&values[count - 1]);
    return status;
}

krait_status __wrap_krait_step_tokens(const krait_model *model, krait_state *state,
                                      const int32_t *tokens, float *out)
{
    krait_status status = __real_krait_step_tokens(model, state, tokens, out);

    if (fault("step"))
        flip(out);
    return status;
}

/* What modes this library does not have would do: all that recurrent does, and a little more. */
static krait_status pretend(const krait_model *model, krait_state *state, const krait_input *input,
                            krait_output *output, krait_message *message)
{
    krait_input  ours = *input;
    krait_status status;
    size_t       i, count;
    int64_t      width;
    float        factor = fault("scan-far") ? 1.001f : 1.000001f;

    if (fault("scan-threads") && input->parallel)
        factor = 1.000002f;
    if (fault("scan-fails"))
        return KRAIT_ERR_IO;
    ours.mode = KRAIT_RECURRENT;
    status = __real_krait_run(model, state, &ours, output, message);
    __real_krait_model_get(model, KRAIT_OUT_WIDTH, &width);
    count = lanes * (output->which == KRAIT_ROWS_ALL ? input->steps : 1) * (size_t)width;
    for (i = 0; i < count; i++)
        output->rows[i] *= factor;
    output->mode_used = fault("auto-lies") ? KRAIT_CONVOLUTION : KRAIT_SCAN;
    return status;
}

static int goes_wrong(const krait_model *model, const krait_input *input,
                      const krait_output *output)
{
    return (fault("cut-1") && input->steps == 1) || (fault("cut-7") && input->steps == 7)
           || (fault("cut-37") && input->steps == 37) || (fault("cut-64") && input->steps == 64)
           || (fault("chunk-1") && chunk == 1) || (fault("chunk-all") && chunk == 100)
           || (fault("alone") && lanes == 1)
           || (fault("threads") && input->parallel && input->parallel_user)
           || (fault("backwards") && input->parallel && !input->parallel_user)
           || (fault("lengths") && input->lengths)
           || (fault("last") && output->which == KRAIT_ROWS_LAST)
           || (fault("plain") && model == plain)
           || (fault("dt-cut") && input->dt && input->steps == 7);
}

/* Of rows by name, where the outputs are right, and of lanes of other lengths. */
static void spoil_more(const krait_input *input, krait_output *output, int64_t width)
{
    const uint32_t   *lengths = input->lengths;
    const krait_slot *first = output->slots;
    size_t            lane, n = output->slot_count;

    if (n && fault("kept-cut") && input->steps == 7)
        flip(output->slots[0].rows);
    if (n && fault("kept-end") && output->which == KRAIT_ROWS_LAST)      /* of the last lane */
        flip(&output->slots[n - 1].rows[lanes * output->slots[n - 1].stride
                                        * output->slots[n - 1].width - 1]);
    if (n && fault("kept-stride") && input->parallel && !input->parallel_user)
        output->slots[0].stride++;
    for (lane = 0; lengths && lane < lanes; lane++) {
        size_t next = (lane + 1) * output->stride;

        if (fault("past") && lengths[lane] < input->steps && output->counts[lane] < output->stride)
            output->rows[next * (size_t)width - 1] = 0;
        if (n && fault("kept-past") && lengths[lane] < input->steps && first->stride)
            first->rows[(lane + 1) * first->stride * first->width - 1] = 0;
        if (fault("counts") && lengths[lane] == 0)
            output->counts[lane] = 1;
    }
}

krait_status __wrap_krait_run(const krait_model *model, krait_state *state,
                              const krait_input *input, krait_output *output, krait_message *message)
{
    int64_t      width;
    krait_input  ours = *input;
    krait_status status;

    steps = input->steps;
    if ((fault_begins("scan") && input->mode == KRAIT_SCAN)
        || (fault_begins("auto") && input->mode == KRAIT_AUTO))
        return pretend(model, state, input, output, message);
    if (fault_begins("dt"))
        ours.dt = NULL;
    if (fault("episode"))
        ours.reset = NULL;
    if (fault("awake"))
        ours.lengths = NULL;
    status = __real_krait_run(model, state, &ours, output, message);
    __real_krait_model_get(model, KRAIT_OUT_WIDTH, &width);
    if (status == KRAIT_OK)
        spoil_more(input, output, width);
    if (status == KRAIT_OK && goes_wrong(model, input, output))
        flip(output->rows);
    if (status == KRAIT_OK && fault("second") && input->reset)  /* the end of the first lane */
        flip(&output->rows[output->counts[0] * (size_t)width - 1]);
    return status;
}
