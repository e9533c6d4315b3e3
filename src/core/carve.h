/*
 * carve.h - pieces of one block, taken from its front.
 *
 * Layout is written once and run twice: over no memory to measure, over memory to place.
 * Sizes that come from a description may be absurd; 'broken' remembers that a sum did not fit.
 */
#ifndef KR_CARVE_H
#define KR_CARVE_H

#include "core/build.h"

typedef struct kr_carve {
    unsigned char *base;        /* NULL: only measure */
    size_t         used;        /* a multiple of KR_ALIGN; put back by who gives pieces back */
    size_t         peak;        /* the most that 'used' has been */
    int            broken;
} kr_carve;

KR_INLINE void *kr_carve_bytes(kr_carve *carve, size_t count, size_t size)
{
    size_t bytes, at = carve->used;

    if (!kr_mul_fits(count, size, &bytes) || !kr_add_fits(bytes, KR_ALIGN - 1, &bytes) ||
        !kr_add_fits(at, bytes & ~(size_t)(KR_ALIGN - 1), &carve->used)) {
        carve->broken = 1;
        return NULL;
    }
    if (carve->used > carve->peak)
        carve->peak = carve->used;
    return carve->base ? carve->base + at : NULL;
}

KR_INLINE float *kr_carve_floats(kr_carve *carve, size_t rows, size_t width)
{
    size_t count;

    if (!kr_mul_fits(rows, width, &count)) {
        carve->broken = 1;
        return NULL;
    }
    return kr_carve_bytes(carve, count, sizeof(float));
}

#endif
