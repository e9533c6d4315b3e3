/*
 * state.h - what streams remember: one block of header, memory of the lanes, scratch.
 *
 * There is no pointer in it, so it may be copied, moved and mapped.
 */
#ifndef KR_STATE_H
#define KR_STATE_H

#include "model/model.h"

/* The header; 'bytes' and all offsets are of the block. */
struct krait_state {
    uint64_t magic, model_id;
    uint64_t bytes;
    uint64_t data, data_bytes;          /* the lanes, lane_bytes each */
    uint64_t scratch, scratch_bytes;
    uint32_t lanes, chunk, tasks, context, max_steps, unused;
    uint64_t check;                     /* hash of all of the above */
};

/* Scratch of a run that is not a layer's. */
typedef struct kr_pass {
    size_t  *first;                     /* [lanes + 1] */
    size_t  *awake;                     /* [lanes]: those that have rows in this pass */
    size_t  *where;                     /* [rows]: row of the output */
    size_t  *source;                    /* [steps]: number among the caller's rows */
    int32_t *tokens;                    /* [steps] */
    float   *dt;
    uint8_t *reset;
    float   *input;                     /* [steps][in width]; several lanes */
    kr_room  body;                      /* what comes before the tail */
    float   *tile;                      /* [some rows][out width]; several lanes */
    size_t   tile_rows;
    unsigned char  *memory;             /* [lanes][along_bytes] of a whole-sequence model */
    const int32_t **orders;             /* [inputs] */
    unsigned char  *marks;              /* for the longest order */
    kr_rows *kept;                      /* [names] */
    kr_room *rooms;                     /* theirs */
} kr_pass;

/* Checks options (already normalised) and fills a header. */
krait_status kr_state_layout(const krait_model *model, const krait_state_options *options,
                             krait_state *header);
/* The most that a pass takes. */
kr_extent    kr_state_extent(const krait_model *model, const krait_state *state);
size_t       kr_state_most_order(const krait_model *model, const krait_state *state);
void         kr_state_pass(kr_pass *pass, const krait_model *model, const krait_state *state, kr_carve *carve);
/* KRAIT_OK if this is a state of this model. */
krait_status kr_state_check(const krait_model *model, const krait_state *state);
/* A new block: every lane at the beginning of an episode. */
void         kr_state_start(const krait_model *model, krait_state *state, const krait_state *header);
/* So do 'lanes' lanes from 'lane' on become. */
void         kr_state_begin(const krait_model *model, krait_state *state, size_t lane, size_t lanes);

KR_INLINE unsigned char *kr_state_lane(const krait_model *model, const krait_state *state, size_t lane)
{
    return (unsigned char *)(uintptr_t)state + state->data + lane * model->lane_bytes;
}

/* One lane's part, in the order of its shape, or one number of it. */
float   *kr_state_number(const krait_model *model, const krait_state *state, const kr_model_part *part,
                         size_t lane, size_t i);
void     kr_state_read_part(const krait_model *model, const krait_state *state, const kr_model_part *part,
                            size_t lane, float *values);
void     kr_state_write_part(const krait_model *model, krait_state *state, const kr_model_part *part,
                             size_t lane, const float *values);
uint64_t kr_state_hash_lane(const krait_model *model, const krait_state *state, size_t lane, uint64_t hash);

/* ---- saved.c -------------------------------------------------------------------------------- */

/* Bytes of the saved form of that many lanes; 0 if it does not fit. */
size_t       kr_saved_bytes(const krait_model *model, size_t lanes);
void         kr_saved_write(const krait_model *model, const krait_state *state, size_t lane, size_t lanes,
                            unsigned char *out);
/* Checks all, then writes 'lanes' lanes from 'lane' on. */
krait_status kr_saved_read(const krait_model *model, krait_state *state, size_t lane, size_t lanes,
                           const unsigned char *in, size_t bytes, krait_message *message);

/* ---- run.c ------------------------------------------------------------------------------------ */

/* Checks every argument, then runs; output's rows are written only if nothing is wrong. */
krait_status kr_run(const krait_model *model, krait_state *state, const krait_input *input,
                    krait_output *output, krait_message *message);

#endif
