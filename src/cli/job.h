/*
 * job.h - what `krait run` holds: the arrays, their shapes, the model and its state.
 */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "cli/npy.h"
#include "krait.h"

/* All zero holds nothing. */
struct job {
    krait_model *model;
    krait_state *state;
    npy_array    input, output;
    float       *dt;
    uint8_t     *reset;
    size_t       lanes, steps;
    int          has_lanes;     /* the input has a dimension for them */
};

/* Each returns 0, or 1 after a complaint. */

/*
 * Takes the input apart into lanes, steps and width and checks them against the model;
 * an input without lanes is repeated for 'lanes' of them, 0 being one that is not named.
 */
int  job_input(struct job *job, const char *path, uint32_t lanes);
/* An array of one number a row: [lanes, steps], or [steps] for every lane. */
int  job_dt(struct job *job, const char *path);
int  job_reset(struct job *job, const char *path);
/* Room for what comes out. */
int  job_output(struct job *job, int last);
void job_end(struct job *job);

#endif /* CLI_JOB_H */
