/*
 * job.h - what `krait run` holds: the arrays, their shapes, the model and its state.
 */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "cli/args.h"
#include "cli/npy.h"
#include "krait.h"

/* All zero holds nothing. */
struct job {
    const char  *path;          /* of the input */
    krait_model *model;
    krait_state *state;
    npy_array    input, output;
    float       *dt;
    uint8_t     *reset;
    size_t       lanes, steps;
    int          has_lanes;     /* the input has a dimension for them */
    struct {
        size_t      count;
        krait_order list[ARG_MOST_PAIRS];
        npy_array   numbers[ARG_MOST_PAIRS];
    } orders;
    struct {
        size_t      count;
        krait_slot  list[ARG_MOST_PAIRS];
        npy_array   rows[ARG_MOST_PAIRS];
    } kept;
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
/* What the model takes by name: [steps], [lanes, steps], or either with a grid's cells. */
int  job_orders(struct job *job, const arg_pairs *given);
/*
 * Room for what comes out of 'input', and for rows kept by name.  How many rows that is krait
 * says: whole sequences may make other numbers of rows, and what a lane has fewer of than
 * another stays 0.
 */
int  job_output(struct job *job, const krait_input *input, int last);
int  job_kept(struct job *job, const krait_input *input, const arg_pairs *wanted);
int  job_write_kept(const struct job *job, const arg_pairs *wanted);
/* Lane 0 of an array for each of 'lanes'. */
int  job_repeat(npy_array *a, size_t lanes);
/* Room for [lanes, rows, width], or for [rows, width] where the input has no lanes. */
int  job_room(const struct job *job, npy_array *a, size_t rows, size_t width);
/* Complains about what krait said of a run. */
int  job_failed(const struct job *job, krait_status status, const krait_message *message);
void job_end(struct job *job);

#endif /* CLI_JOB_H */
