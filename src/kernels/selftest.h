/* selftest.h - was this build compiled so that its numbers are right? */
#ifndef KR_SELFTEST_H
#define KR_SELFTEST_H

#include "kernels/kernels.h"

/* Of what every right table makes of the fixed inputs; changes with KRAIT_NUMERICS. */
#define KR_SELFTEST_HASH 0xe77884b0bd44c978ull

uint64_t kr_selftest_hash(const kr_kernels *kernels);

/* 1 if that and a few fixed sums have the bits they must have; a fraction of a millisecond. */
int kr_selftest(const kr_kernels *kernels);

#endif
