/*
 * dense.h - small dense real matrices in double, for setting up.
 *
 * Row-major, n by n.  The caller decides n, gives the memory, and bounds n: work grows with n^3.
 */
#ifndef KR_DENSE_H
#define KR_DENSE_H

#include "core/build.h"

/* out = a b; out is neither of them. */
void kr_dense_multiply(double *out, const double *a, const double *b, size_t n);
/*
 * a = P L U with partial pivoting, in place; pivots[k] is the row that came to row k.  0 if a
 * pivot is zero or not finite: a is then half done.
 */
int  kr_dense_factor(double *a, size_t n, size_t *pivots);
/* b of n by columns becomes a^-1 b. */
void kr_dense_solve(const double *factors, const size_t *pivots, size_t n, double *b, size_t columns);
/* a becomes exp(a); spare has room for 2 n^2.  NaN where a is not finite. */
void kr_dense_exp(double *a, size_t n, double *spare);

#endif
