/* run.h - what checking a call and running it share. */
#ifndef KR_RUN_H
#define KR_RUN_H

#include "model/state.h"

KR_INLINE size_t kr_run_length(const krait_input *input, size_t lane)
{
    return input->lengths ? input->lengths[lane] : input->steps;
}

int                kr_run_finite(const float *x, size_t count);
/* Is that row of the caller's skipped, for KRAIT_NAN_HOLD? */
int                kr_run_held(const krait_model *model, const krait_input *input, size_t row);
/* NULL: there is none of that name. */
const kr_slot     *kr_run_slot(const krait_model *model, const char *name);
const krait_order *kr_run_order(const krait_input *input, const char *name);
/* Numbers of a slot for one step. */
size_t             kr_run_slot_width(const kr_slot *slot);

/* Checks every argument and sets the output's strides; rows may be written only if this is KRAIT_OK. */
krait_status kr_run_check(const krait_model *model, const krait_state *state, const krait_input *input,
                          krait_output *output, unsigned char *marks, krait_message *message);

#endif
