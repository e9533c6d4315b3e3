/* selftest.h - was this build compiled so that its numbers are right? */
#ifndef KR_SELFTEST_H
#define KR_SELFTEST_H

#include "kernels/kernels.h"

/* 1 if a few fixed sums have the bits they must have; runs in microseconds. */
int kr_selftest(const kr_kernels *kernels);

#endif
