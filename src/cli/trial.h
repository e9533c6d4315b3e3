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
    WAY_LAST      = 256         /* only the last row is asked for */
};

typedef struct way {
    const char *name;
    size_t      cut;            /* rows of a call; 0: all */
    uint32_t    chunk;          /* 0: all */
    int         how;            /* WAY_... */
    int         whole;          /* it means something to a model of whole sequences */
} way;

/* What came out of one way. */
typedef struct outcome {
    float  *rows;               /* [lanes][made][out_width] */
    float  *memory;             /* [lanes][numbers] */
    size_t *counts;             /* per lane, rows that came out */
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
    int          with_dt;
    pool        *two;           /* threads; NULL: there are none */
    struct {                    /* of one call, for twice the rows */
        int32_t *tokens;
        float   *features, *dt, *rows;
        uint8_t *reset;
        uint32_t *counts;
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
/* The largest magnitudes of what came out and of what is remembered. */
void     trial_scale(const trial *t, const outcome *o, double *rows, double *memory);

#endif /* CLI_TRIAL_H */
