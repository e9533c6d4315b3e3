/*
 * linear.h - small dense complex matrices in double, for setting up.
 *
 * Row-major, n by n.  The caller decides n, gives the memory, and bounds n: work grows with n^3.
 */
#ifndef KR_LINEAR_H
#define KR_LINEAR_H

#include "core/complex.h"

/*
 * a = P L U with partial pivoting, in place; pivots[k] is the row that came to row k.  0 if a
 * pivot is zero or not finite: a is then half done.
 */
int  kr_linear_factor(kr_complex *a, size_t n, size_t *pivots);
/* b of n by columns becomes a^-1 b. */
void kr_linear_solve(const kr_complex *factors, const size_t *pivots, size_t n, kr_complex *b,
                     size_t columns);
/* out = a b; out is neither of them. */
void kr_linear_multiply(kr_complex *out, const kr_complex *a, const kr_complex *b, size_t n);
/* a becomes a^exponent by squaring; spare has room for 2 n^2. */
void kr_linear_power(kr_complex *a, size_t n, uint64_t exponent, kr_complex *spare);

#endif
