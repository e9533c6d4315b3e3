/*
 * scan.h - a recurrence over many rows, cut into segments that need not wait for one another.
 *
 *     h = a h + b, row by row
 *
 * What a segment's rows do to any h is h = A h + B: A is the product of its a's, B where it ends from
 * zero.  So the summaries (A, B) of all segments can be made at once; one after another they
 * say with which h each segment begins; then all segments can run at once.  That is the associative scan
 * (Blelloch 1990; Martin and Cundy, arXiv 1709.04057) with one level.
 *
 * A recurrence is three functions.  What a state and a summary hold is its own affair, in floats for
 * each 'grain' of channels: real a's now, pairs for complex ones, one a for a whole matrix of states.
 * The cut is given by the rows alone, never by tasks: results are the same bits for any number of them.
 */
#ifndef KR_SCAN_H
#define KR_SCAN_H

#include "core/carve.h"
#include "core/tasks.h"

/* Some rows of some channels. */
typedef struct kr_scan_piece {
    size_t row, rows;           /* counted from the first row of the scan */
    size_t channel, channels;   /* whole grains, but for the last channels */
} kr_scan_piece;

/* Of a piece's channels. */
typedef struct kr_scan_summary {
    float *decay;               /* A; NULL: what came before is a state, and has none */
    float *end;                 /* B; laid out as a state */
} kr_scan_summary;

/* Pieces of different channels or segments are worked on at once. */
typedef struct kr_recurrence {
    /* Of the piece's rows alone. */
    void (*summary)(const void *job, const kr_scan_piece *piece, kr_scan_summary summary);
    /* 'summary' becomes that of 'before' and then it; of the piece only the channels are meant. */
    void (*combine)(const void *job, const kr_scan_piece *piece, kr_scan_summary before, kr_scan_summary summary);
    /* The rows themselves, from 'state', which is moved on. */
    void (*run)(const void *job, const kr_scan_piece *piece, float *state);
} kr_recurrence;

/* One scan: rows of one stream without a reset among them. */
typedef struct kr_scan {
    const kr_recurrence *recurrence;
    const void *job;            /* what its functions are given */
    size_t      rows, segment;  /* rows of each segment but the last */
    size_t      channels, grain;
    size_t      decays, ends;   /* floats for a grain of channels */
    float      *state;          /* [grains][ends]: before the first row, then behind the last */
    float      *room;           /* of kr_scan_take() */
} kr_scan;

/*
 * Room for the summaries of scans of up to 'rows' rows; scan's segment, channels, grain, decays and ends
 * are set.  Nothing where there are fewer than three segments: the first and the last need no summary.
 */
float *kr_scan_take(const kr_scan *scan, size_t rows, kr_carve *carve);
void   kr_scan_run(const kr_scan *scan, const kr_tasks *tasks);

#endif
