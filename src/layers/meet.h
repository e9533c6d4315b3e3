/*
 * meet.h - one channel of a diagonal plus low-rank state space (S4), stepped in rank form; in double.
 *
 * A = diag(a) - P^T conj(P) over n states and their conjugates, P of 'rank' rows.  The bilinear rule makes of it,
 * with z = dt a, g = 1 / (1 - z / 2), and r of rank by rank, r[i][j] = (i = j) + Re(sum of conj(p[i]) g dt p[j]):
 *
 *     x = d x - sum over j of w[j] s[j] + b u         s[j] = 2 Re(sum of q[j] x)
 *     d = (1 + z / 2) g       q[j] = conj(p[j]) g     w = g dt p r^-1         b = g dt B - sum of w[j] Re(sum of q[j] dt B)
 *
 * which is Woodbury's formula written out: 2 (1 - dt A / 2)^-1 - 1 is the matrix of the step.
 */
#ifndef KR_MEET_H
#define KR_MEET_H

#include "core/carve.h"
#include "core/complex.h"
#include "kernels/kernels.h"

typedef struct kr_meet {
    size_t      states, rank;
    kr_complex *a, *d, *b, *c;  /* [states]; c: what the caller wants of x, 2 Re(sum of c x) */
    double     *dt;             /* [states] */
    kr_complex *p, *q, *w;      /* [rank][states]; p as given, q and w made */
    double     *r;              /* [rank][rank] */
    double     *power, *next;   /* [2 states][2 states] */
    double     *row;            /* [2 states] */
    size_t     *pivots;         /* [2 states] */
    int         undone;         /* 'power' could be factored */
    uint32_t    reach;          /* of kr_meet_power: rows after which any state is 2^-32 of what it was, or less */
} kr_meet;

kr_meet kr_meet_take(size_t states, size_t rank, kr_carve *carve);
/* d, q, w of a, dt and p; b becomes that of the step, of B. */
void    kr_meet_discretize(kr_meet *m);
/* power = 1 - (the step's matrix to that power), transposed and factored; reach. */
void    kr_meet_power(kr_meet *m, uint64_t length);
/* c, which was stored for that length, becomes what is wanted of x: NaN if that cannot be told. */
void    kr_meet_undo(kr_meet *m);

#endif
