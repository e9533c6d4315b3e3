/*
 * eigen.h - eigenvalues and eigenvectors of a small dense complex matrix, in double.
 *
 * Nothing is assumed of the matrix.  An eigenvector of a matrix far from normal may be worth
 * little: the caller looks at what comes out (the residual, the condition of the vectors).
 */
#ifndef KR_EIGEN_H
#define KR_EIGEN_H

#include "core/linear.h"

/* Steps of QR in all, per eigenvalue: three are usual. */
enum { KR_EIGEN_STEPS = 30 };

/*
 * a vectors = vectors diag(values); column j of 'vectors' has length 1.  'a' of n by n is
 * destroyed, 'vectors' is n by n, 'values' has n, 'spare' has room for n.  0 if a number is not
 * finite or KR_EIGEN_STEPS were not enough.
 */
int kr_eigen_find(kr_complex *a, size_t n, kr_complex *values, kr_complex *vectors,
                  kr_complex *spare);

#endif
