/*
 * window.h - what a causal convolution remembers: the last taps - 1 rows, oldest first.
 *
 * Kept in order, not as a ring: there is no index that could be wrong, and the rows are
 * already in their saved order.
 */
#ifndef KR_WINDOW_H
#define KR_WINDOW_H

#include <string.h>

#include "core/build.h"

/*
 * Let 'rows' rows of x pass through a window of 'keep' rows, 'stride' floats apart.  Of each row of the
 * window only 'width' floats are touched: other tasks have the rest.
 */
KR_INLINE void kr_window_push(float *window, size_t keep, size_t stride, const float *x,
                              size_t x_stride, size_t rows, size_t width)
{
    size_t fresh = kr_min(rows, keep), old = keep - fresh;

    for (size_t i = 0; i < old && fresh; i++)
        memcpy(window + i * stride, window + (i + fresh) * stride, width * sizeof *window);
    for (size_t i = 0; i < fresh; i++)
        memcpy(window + (old + i) * stride, x + (rows - fresh + i) * x_stride,
               width * sizeof *window);
}

#endif
