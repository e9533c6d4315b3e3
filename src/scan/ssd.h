/*
 * ssd.h - many rows of Mamba-2's recurrence as products of matrices: state space duality (Dao and Gu, arXiv
 * 2405.21060).
 *
 * Within a chunk of 64 rows, with L[i][j] the product of the decays of rows j + 1 .. i of a head and u = dt x,
 *
 *     y  = (L o C B^T) u + L[.][-1] (C h) + d x          h: before the chunk
 *     h' = L[last][-1] h + B^T (L[last][.] u)
 *
 * so all that grows with the number of states is done by products, and C B^T serves all heads of a group.
 */
#ifndef KR_SSD_H
#define KR_SSD_H

#include "core/carve.h"
#include "kernels/kernels.h"

/* What one task needs beside the rows, for heads of up to so many channels and states. */
typedef struct kr_ssd_room {
    float *b;                   /* [states][KR_CHUNK]: B of a chunk, a row's numbers under one another */
    float *products;            /* [KR_CHUNK][KR_CHUNK]: C B^T */
    float *weights;             /* the same, times what is left of each row */
    float *since, *left;        /* [KR_CHUNK], as kr_fade has them */
    float *u;                   /* [KR_CHUNK][KR_CHUNK]: dt x of a strip of channels */
    float *now, *before;        /* [KR_CHUNK][KR_CHUNK] */
    float *h;                   /* [states][KR_CHUNK]: what the chunk adds to a strip's */
    float *decays;              /* [KR_SSD_DECAYS]: one number again and again */
    float *panels;              /* room of kr_pack_numbers() */
} kr_ssd_room;

enum { KR_SSD_DECAYS = 16 * KR_CHUNK };

kr_ssd_room kr_ssd_take(size_t states, kr_carve *carve);

/* As kernels->heads does, but for the orders of sums: docs/numerics.md. */
void        kr_ssd_run(const kr_kernels *kernels, const kr_heads *p, const kr_ssd_room *room);

#endif
