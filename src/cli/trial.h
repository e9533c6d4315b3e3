/*
 * trial.h - one input through a model in many ways, and how far what comes out is apart.
 */
#ifndef CLI_TRIAL_H
#define CLI_TRIAL_H

#include "cli/orders.h"
#include "cli/pool.h"
#include "cli/progress.h"
#include "krait.h"

enum {
    WAY_STEP      = 1,          /* krait_step() or krait_step_tokens() */
    WAY_ALONE     = 2,          /* every lane in a state of its own */
    WAY_THREADS   = 4,          /* the tasks on two threads */
    WAY_BACKWARDS = 8,          /* the tasks on this thread, from the last to the first */
    WAY_PLAIN     = 16,         /* plain C kernels */
    WAY_SAVED     = 32,         /* saved after half of the rows, loaded into another state */
    WAY_RESET     = 64,         /* all rows twice, krait_state_reset() between them */
    WAY_EPISODE   = 128,        /* all rows twice, a reset before the second time in the input */
    WAY_LAST      = 256,        /* only the last row is asked for */
    WAY_RAGGED    = 512         /* in every call each lane has a length of its own, or sleeps */
};

typedef struct way {
    const char *name;
    size_t      cut;            /* rows of a call; 0: all */
    uint32_t    chunk;          /* 0: all */
    int         how;            /* WAY_... */
    int         whole;          /* it means something to a model of whole sequences */
} way;

/* The rows that a model keeps for the caller under names. */
typedef struct kept_set {
    krait_slot *list;           /* with room for the rows of one call, twice the steps */
    size_t     *made;           /* of each: rows that a lane's rows make */
    size_t     *at;             /* of each: where it is among the floats of an outcome */
    size_t      count, floats;
} kept_set;

/* What came out of one way. */
typedef struct outcome {
    float  *rows;               /* [lanes][made][out_width] */
    float  *memory;             /* [lanes][numbers] */
    size_t *counts;             /* per lane, rows that came out */
    float  *kept;               /* of each name: [lanes][made][width] */
    int     odd_rows, odd_kept; /* rows where there may be none, or not as many as promised */
    int     without_kept;       /* a step does not give them */
    size_t  first;              /* row that is the first to be compared */
    int32_t mode;               /* that ran; KRAIT_AUTO: not the same one in every call */
} outcome;

typedef struct trial {
    krait_model *model, *plain;
    size_t       lanes, steps;
    size_t       made;          /* rows of output that a lane's rows make */
    size_t       in_width, out_width, numbers;
    int          whole, can_step;
    int32_t     *tokens;        /* [lanes][steps]; or */
    float       *features;      /* [lanes][steps][in_width] */
    float       *dt;            /* [lanes][steps], used if with_dt */
    order_set    orders;
    kept_set     kept;
    int          with_dt;
    pool        *two;           /* threads; NULL: there are none */
    struct {                    /* of one call, for twice the rows */
        int32_t *tokens;
        float   *features, *dt, *rows;
        uint8_t *reset;
        uint32_t *counts;
        uint32_t *lengths;      /* per lane: its rows */
        size_t  *at;            /* per lane: the first of them, of all rows twice */
        order_set orders;       /* of twice the steps */
    } call;
    progress     bar;
    uint64_t     done, total;   /* rows */
} trial;

/*
 * Each returns 0, or 1 after a complaint.  Models, lanes, steps and threads are set before and
 * stay the caller's; 'path' names the model.
 */
int  trial_begin(trial *t, const char *path, uint64_t seed);
int  outcome_begin(const trial *t, outcome *o);
void trial_end(trial *t);
void outcome_end(outcome *o);

/* Finds the names; the models are set.  Room is made once 'made' and widths are. */
int  kept_begin(trial *t);
int  kept_room(trial *t);
void kept_end(trial *t);
/* Random rows, and times between them from 0.5 to 1.5. */
void trial_fill(trial *t, uint64_t seed);
/*
 * The rows of a call whose first lane is the trial's 'first': each lane's by its place and
 * length, in room for n side by side.
 */
void trial_gather(trial *t, const way *w, size_t first, size_t lanes, size_t n);
/* Puts what a call kept of the trial's lanes from 'lane' on where it belongs. */
void kept_scatter(trial *t, const way *w, outcome *o, size_t lane, size_t lanes);
/* What no call may write to: marks it, and says whether one of the floats was written to. */
void trial_mark(float *rows, size_t count);
int  trial_marks_broken(const float *rows, size_t count);

/* Zeros, for free(); NULL if that is too many. */
void *trial_room(size_t count, size_t each);

/* From a fresh state to the outcome. */
krait_status trial_run(trial *t, const way *w, int32_t mode, outcome *o, krait_message *message);

typedef struct distance {
    int    same;                /* bit by bit, NaN being equal to NaN */
    double apart;               /* largest difference over the reference's largest magnitude */
} distance;

distance trial_rows_apart(const trial *t, const outcome *reference, const outcome *o);
distance trial_memory_apart(const trial *t, const outcome *reference, const outcome *o);
distance trial_kept_apart(const trial *t, const outcome *reference, const outcome *o);
/* The largest magnitudes of what came out and of what is remembered. */
void     trial_scale(const trial *t, const outcome *o, double *rows, double *memory);

#endif /* CLI_TRIAL_H */
