/* dss.c - what DSS makes of its Lambda, in double. */
#include "layers/dss.h"

#define DSS_LEAST 1e-7
#define DSS_MOST  1e-4              /* 'clip': of Re(Lambda) */

kr_complex kr_dss_lambda(int version, double re, double im)
{
    if (kr_dss_pairs(version))
        return kr_complex_of(version != KR_DSS_SOFTMAX && re > DSS_MOST ? DSS_MOST : re, im);
    return kr_complex_of(-kr_exp(re), version == KR_DSS_EXP_RE_IM || version == KR_DSS_EXP_RE_IM_NO_SCALE ? kr_exp(im) : im);
}

static kr_complex dss_softmax(kr_complex lambda, kr_complex z, size_t length)
{
    int        grows = lambda.re > 0;
    kr_complex s = kr_complex_scale(z, grows ? -1 : 1);
    kr_complex q = kr_complex_multiply(kr_complex_expm1(kr_complex_scale(s, (double)length)), lambda);
    kr_complex factor = kr_complex_multiply(kr_complex_expm1(s), kr_complex_conjugate(q));

    factor = kr_complex_scale(factor, 1 / (kr_complex_square(q) + DSS_LEAST));
    return grows ? kr_complex_multiply(factor, kr_complex_exp(kr_complex_scale(z, 1 - (double)length))) : factor;
}

kr_complex kr_dss_factor(int version, kr_complex lambda, kr_complex z, size_t length)
{
    double square = kr_complex_square(lambda);

    switch (version) {
    case KR_DSS_EXP: case KR_DSS_EXP_RE_IM: case KR_DSS_CLIP:
        return kr_complex_scale(kr_complex_multiply(kr_complex_expm1(z), kr_complex_conjugate(lambda)),
                                1 / (square > DSS_LEAST ? square : DSS_LEAST));
    case KR_DSS_SOFTMAX:
        return dss_softmax(lambda, z, length);
    default:
        return kr_complex_of(1, 0);
    }
}
