/*
 * convolve.h - KRAIT_CONVOLUTION of a layer whose recurrence is the same in every row (scan/convolution.h).
 *
 * The layer says what its recurrence is; lanes, episodes and tasks are gone through here.  Tasks have panels of 16
 * channels, with all lanes, and a room each.
 */
#ifndef KR_CONVOLVE_H
#define KR_CONVOLVE_H

#include "layers/layer.h"
#include "scan/convolution.h"

/* One run: rows [rows][..] of x and y, in which panels lie side by side; what a lane remembers lies panel by panel. */
typedef struct kr_convolve {
    kr_convolution of;          /* but for fft: what the layer says */
    const float   *x;
    float         *y;           /* not x */
    size_t         x_stride, y_stride;
    size_t         memory;      /* floats before the panels in what a lane remembers */
    uint64_t       work;        /* of all rows, as kr_tasks_for() counts it */
} kr_convolve;

/* Scratch for runs of up to most->rows rows. */
void kr_convolve_scratch(const kr_convolution *of, const kr_extent *most, kr_carve *carve);
void kr_convolve_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_convolve *job);

#endif
