/*
 * s4d.h - a layer s4d: its parameters, and what is made of them (s4d.c), as its rows are run (s4d_run.c).
 */
#ifndef KR_S4D_H
#define KR_S4D_H

#include "layers/layer.h"

typedef struct kr_s4d {
    size_t       states, heads, copies, tile;
    int          form, discretization, real, imag, step;
    int          tied, fast, bidirectional, real_valued;
    int          version, two_steps;    /* of DSS */
    size_t       length;
    float        rate, bandlimit;
    const float *dt;            /* [width], or [width][states]; here and below width without the tile */
    const float *a_real, *a_imag;       /* [copies][states]; DSS: [states], with dt of [width] or [width][2] */
    const float *lambda;        /* DSS: [states][2] instead */
    const float *b;             /* [copies][states][2] or NULL: 1 */
    const float *c;             /* [heads][width][states][2] */
    const float *d;             /* [heads][width] or NULL: 0 */
    const float *initial;       /* [width][states][2]: b h before the first row; NULL: zeros */
    /* made of them, for heads · width channels: kr_diagonal's a, that to the power of a segment, its c */
    float       *a, *power, *read, *start;
    double      *z;             /* as kr_timed's */
    int          rule;
    float       *back, *none;   /* bidirectional: of the second heads, their c and d, which is 0 */
    uint32_t    *reach;         /* of every panel of 16: kr_convolution */
    float       *skip;          /* d for all channels */
    int          precise;
} kr_s4d;

void kr_s4d_memory(const kr_layer *layer, kr_parts *parts);
void kr_s4d_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve);
void kr_s4d_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out);

#endif
