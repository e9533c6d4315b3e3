/* transform.h - what s4.py's parameters go through before they are used. */
#ifndef KR_TRANSFORM_H
#define KR_TRANSFORM_H

#include "core/double.h"
#include "core/real.h"

enum { KR_THROUGH_EXP, KR_THROUGH_NONE, KR_THROUGH_RELU, KR_THROUGH_SIGMOID, KR_THROUGH_SOFTPLUS };

#define KR_THROUGH_NAMES { "exp", "none", "relu", "sigmoid", "softplus", NULL }

KR_INLINE double kr_through(int transform, double x)
{
    switch (transform) {
    case KR_THROUGH_EXP:      return kr_exp(x);
    case KR_THROUGH_RELU:     return (x > 0 ? x : 0) + 1e-4;
    case KR_THROUGH_SIGMOID:  return 1 / (1 + kr_exp(-x));
    case KR_THROUGH_SOFTPLUS: return x > 20 ? x : kr_log1p(kr_exp(x));      /* as PyTorch has it */
    default:                  return x;
    }
}

#endif
