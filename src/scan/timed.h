/*
 * timed.h - diagonal complex recurrences over rows with a time between them: x = a(dt) x + r(dt) v.
 *
 * A row with dt 1 has the coefficients that the layer made beforehand and is run by the layer's own kernel, so that
 * dt 1 everywhere is no dt at all, bit for bit.  Those of other times are made here, once for all rows and lanes of a
 * panel of 16 channels that have the same dt, as long as there is room to keep them; then they are made again.
 */
#ifndef KR_SCAN_TIMED_H
#define KR_SCAN_TIMED_H

#include "core/complex.h"
#include "kernels/kernels.h"
#include "scan/scan.h"

/* Some rows of one panel, from 'state' on, which is moved on. */
typedef struct kr_timed_rows {
    size_t         panel, row, rows;
    float         *state;       /* [states][2][16] */
    int            ends;        /* nobody asks for what the rows make */
    const float   *sets;
    const uint8_t *set;         /* [rows]: of the sets, which each has; NULL: they are a step apart */
} kr_timed_rows;

/* A recurrence of a layer's; channels have 'states' states each. */
typedef struct kr_timed {
    const kr_kernels *kernels;
    const double     *z;        /* [panels][states][4][16]: as kr_discretize has it */
    const float      *a;        /* [panels][states][4][16]: of a step, as kr_diagonal has it */
    int               low;      /* the lower parts of a count */
    int               rule;     /* KR_HOLD, ... */
    size_t            channels, states;
    const float      *dt;       /* [rows] */
    const void       *job;
    void            (*rows)(const void *job, const kr_timed_rows *rows);
} kr_timed;

/* Coefficients of one panel that are there. */
typedef struct kr_timed_sets {
    float *times;               /* [most] */
    float *sets;                /* [most][states][6][16] */
    size_t most, count;
} kr_timed_sets;

typedef struct kr_timed_room {
    float *sets, *times, *summaries;
    size_t most;                /* sets for each task */
} kr_timed_room;

/* Puts z, which is 'step', and g of a channel's state. */
void          kr_timed_put(double *z, size_t channel, size_t state, size_t states, int rule, kr_complex step);
/* Room for up to 'rows' rows in as many tasks; its summaries serve scans of rows that are all a step apart, too. */
kr_timed_room kr_timed_take(size_t rows, size_t channels, size_t states, size_t tasks, kr_carve *carve);
/* Empty, for one task. */
kr_timed_sets kr_timed_sets_of(const kr_timed_room *room, size_t states, size_t task);
/* Are 'rows' rows all a step apart? */
int           kr_timed_steady(const float *dt, size_t rows);
/* Rows of one panel: to->panel, row, rows, state and ends are set.  'sets' are that panel's. */
void          kr_timed_run(const kr_timed *p, kr_timed_sets *sets, const kr_timed_rows *to);
/* All channels, segment by segment. */
void          kr_timed_scan(const kr_timed *p, size_t rows, float *state, const kr_tasks *tasks,
                            const kr_timed_room *room);

#endif
