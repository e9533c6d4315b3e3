/*
 * dss.h - diagonal state spaces as Gupta, Gu and Berant had them first (arXiv 2203.14343; ag1988/dss at 777084e,
 * standalone/dss.py): 'states' complex numbers without conjugates, Lambda shared by all channels, and
 *
 *     z = exp(log_dt[0]) Re(Lambda) + i exp(log_dt[1]) Im(Lambda)            a = exp(z)
 *     exp, clip   (exp(z) - 1) conj(Lambda) / max(|Lambda|^2, 1e-7)          what W is multiplied with
 *     no-scale    1
 *     softmax     (exp(s) - 1) conj(q) / (|q|^2 + 1e-7) exp(z g (1 - L)), q = (exp(s L) - 1) Lambda, s = z (1 - 2 g),
 *                 g = 1 where Re(Lambda) > 0, else 0, L the length that it was trained with
 */
#ifndef KR_DSS_H
#define KR_DSS_H

#include "core/complex.h"

enum {
    KR_DSS_EXP, KR_DSS_EXP_RE_IM, KR_DSS_EXP_NO_SCALE, KR_DSS_EXP_RE_IM_NO_SCALE, KR_DSS_CLIP, KR_DSS_CLIP_NO_SCALE,
    KR_DSS_SOFTMAX
};

#define KR_DSS_NAMES { "exp", "exp-re-im", "exp-no-scale", "exp-re-im-no-scale", "clip", "clip-no-scale", "softmax", NULL }

/* Is Lambda one tensor of pairs?  Else it is two: log(-re), and im or its logarithm. */
KR_INLINE int kr_dss_pairs(int version)
{
    return version >= KR_DSS_CLIP;
}

/* Of the parts as stored. */
kr_complex kr_dss_lambda(int version, double re, double im);
/* z of Lambda is given. */
kr_complex kr_dss_factor(int version, kr_complex lambda, kr_complex z, size_t length);

#endif
