/*
 * subject.h - what the tests of layers are made with: models of every registered type, and lanes
 * that run them and check each row.
 *
 * A subject is a tree with random weights and STREAMS streams of STEPS random rows, some with a
 * new episode in the middle.  What one call over a whole stream gives is what every other way of
 * running it must give, bit for bit.  Scratch is full of NaN before every call, blocks have
 * exactly their size, and rows that are not to be read are not fit to be.
 */
#ifndef KR_TEST_SUBJECT_H
#define KR_TEST_SUBJECT_H

#include "krait.h"
#include "layers/tree.h"
#include "support/host.h"

enum { STREAMS = 3, STEPS = 23, MOST_LANES = 5, CHUNKS = 4 };

typedef struct subject_case {
    const char *text;               /* as tree.h says */
    size_t      tokens, features;
    int32_t     type;               /* of the weights */
} subject_case;

extern const subject_case subject_cases[];
extern const size_t       subject_count;
extern const size_t       chunk_sizes[CHUNKS];

typedef struct subject {
    const subject_case *made_of;
    tree                tree;
    krait_model        *model;
    int                 whole;      /* it needs all steps of an episode at once */
    size_t              in, out, lane_bytes;
    float              *features;   /* [STREAMS][STEPS][in] */
    int32_t            *tokens;     /* [STREAMS][STEPS] or NULL */
    float              *dt;         /* [STREAMS][STEPS] or NULL: the model has no use for it */
    uint8_t            *reset;      /* [STREAMS][STEPS] */
    size_t              rows[STREAMS], most;    /* that come out of a stream; STEPS if causal */
    float              *expected;   /* [STREAMS][most][out] */
    host               *host;       /* who runs the tasks of its calls, or NULL: there is one */
    uint32_t            tasks;      /* of its states; 0: 1 */
} subject;

/* 1, or 0 and a check has failed; to be freed in any case. */
int          subject_made(subject *s, const subject_case *made_of, uint64_t seed);
void         subject_free(subject *s);
/* What the oracle makes of the first 'steps' of a stream; to be freed. */
oracle_rows  subject_oracle(const subject *s, size_t stream, size_t steps, double *peak);
/* Makes each subject and calls 'check' with it: causal ones, those that need the whole, or both. */
void         with_subjects(void (*check)(const subject *s));
void         with_whole(void (*check)(const subject *s));
void         with_all(void (*check)(const subject *s));
const float *row_in(const subject *s, size_t stream, size_t step);
const float *row_out(const subject *s, size_t stream, size_t row);

/* A fresh state of 'count' lanes in a block of its own, and where in its stream each stands. */
typedef struct lanes {
    const subject *s;
    krait_state   *state;
    void          *block;
    size_t         bytes, count;
    size_t         plays[MOST_LANES];       /* the lane's stream; at first its number */
    size_t         at[MOST_LANES];          /* its next row */
    int            scratch;                 /* the byte it is filled with before every call */
    int            no_resets;
} lanes;

/* Rows of a call, and room for 'room' rows of output a lane. */
typedef struct call_rows {
    float   *features, *out, *dt;
    int32_t *tokens;
    uint8_t *reset;
} call_rows;

lanes          lanes_made(const subject *s, size_t count, size_t chunk);
void           lanes_free(lanes *l);
/* What lane 'lane' remembers; of lane 'count' on it is scratch. */
unsigned char *lane_data(const lanes *l, size_t lane);
void           fill_scratch(lanes *l);

/* The next lengths[i] rows of each lane; those up to 'steps' are nothing that could be read. */
call_rows      call_made(const lanes *l, const uint32_t *lengths, size_t steps, size_t room);
void           call_free(call_rows *c);
/* Nothing was written there since call_made(); the same bits, where NaN is NaN. */
int            untouched(const float *row, size_t count);
int            check_bits(const float *actual, const float *expected, size_t count);
krait_input    call_input(const lanes *l, const call_rows *c, const uint32_t *lengths,
                          size_t steps);

/* Lane i goes on by lengths[i] rows, in one call for KRAIT_ROWS_...; all is checked. */
void advance_which(lanes *l, const uint32_t *lengths, int which);
/* All lanes by so many rows, or as many as there are left. */
void advance(lanes *l, size_t rows);
int  finished(const lanes *l);
/* 'out' holds what a call of 'steps' steps was to write, and nothing else. */
void check_rows(const lanes *l, const uint32_t *lengths, size_t steps, int which, const float *out);

/* ---- test_layers.c and test_whole.c, for other trees too ------------------------------- */

enum { ALLOWED = 5 };           /* of the oracle's expected errors; the worst of all rows is 2.6 */

void check_plain(const subject *s);
void check_ragged(const subject *s);
void check_steps(const subject *s);
void check_whole_episodes(const subject *s);
void check_whole_plain(const subject *s);
void check_whole_ragged(const subject *s);
void check_whole_space(const subject *s);
void check_whole_steps(const subject *s);

#endif
