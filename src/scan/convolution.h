/*
 * convolution.h - linear recurrences that are the same in every row, as convolutions.
 *
 *     y = K * u + what the state at the start still says; the state behind the rows is right, too
 *
 * A layer brings one function: its recurrence, for a panel of 16 channels.  What it makes of an impulse is the
 * kernel K, of zeros what the state says, and without an output it moves the state on.  All this is made in scratch, the
 * spectrum of K once for all blocks, episodes and lanes of a run.
 *
 * The blocks of an episode of n rows (nothing else has a say in it, so modes may alternate at any cut, and
 * lanes and tasks change no bit).  'reach' is the number of rows after which a panel's states have
 * become 2^-32 of what they were.  L = kr_fft_length(min(n, max(reach, 256))) rows are a block.
 *
 *   L >= reach  every block is convolved with the rows before it, whatever the states are: the start counts
 *               for 'reach' rows, and the state at the end is made of the last 'reach' rows alone.
 *   else        every block begins with what its state says, and ends with its state.
 *
 * Row by row run: fewer than KR_FFT_LEAST rows; panels that grow (reach 0); episodes with a number of the rows, the
 * state or K beyond 2^40 or not finite, since a transform would spread it over rows that it does not reach.
 */
#ifndef KR_CONVOLUTION_H
#define KR_CONVOLUTION_H

#include "kernels/kernels.h"
#include "scan/fft.h"

/* Rows of one panel.  With 'pairs' they are complex: 'channels' real parts and then as many imaginary ones. */
typedef struct kr_panel_rows {
    const float *x;             /* NULL: zeros */
    float       *y;             /* not x; NULL: only the state is wanted */
    size_t       x_stride, y_stride, rows;
} kr_panel_rows;

/* Rows of panel 'panel' from 'state', which is moved on; x_stride may be 0. */
typedef void (*kr_panel_fn)(const void *job, size_t panel, const kr_panel_rows *rows, float *state);

typedef struct kr_convolution {
    const kr_kernels *kernels;
    kr_panel_fn       run;
    const void       *job;
    size_t            channels;     /* of all panels; pairs: complex ones */
    size_t            numbers;      /* floats of a panel's state */
    int               pairs;
    const uint32_t   *reach;        /* [panels] */
    kr_fft            fft;
} kr_convolution;

/* What one task works with: on one panel after another. */
typedef struct kr_convolver {
    const kr_convolution *of;
    float  *work, *spectrum, *state;    /* a block; of K; a copy */
    size_t  panel;
    size_t  length;                     /* of the block whose spectrum is there; 0: none */
    int     fits;                       /* and nothing in it is too large */
} kr_convolver;

/* Rows after which a^rows is 2^-32, given |a|; UINT32_MAX: it never is; 0: it grows. */
uint32_t kr_convolution_reach(double magnitude);
/* A panel's reach, at first 1, with one more state. */
void     kr_convolution_extend(uint32_t *reach, double magnitude);
/* The plan of blocks of episodes up to 'rows' rows, and one task's room. */
void     kr_convolution_take(kr_convolution *of, size_t rows, kr_carve *carve);
kr_convolver kr_convolver_take(const kr_convolution *of, size_t rows, kr_carve *carve);
/* From here on episodes are of this panel. */
void     kr_convolver_begin(kr_convolver *c, size_t panel);
/* One episode, or as much of it as there is: x and y are those of the panel. */
void     kr_convolver_run(kr_convolver *c, const kr_panel_rows *rows, float *state);

#endif
