/*
 * s5.c - S5 (Smith, Warrington, Linderman, arXiv 2208.04933; lindermanlab/S5, s5/ssm.py).
 *
 *     Lambda = Lambda_re + i Lambda_im            clip_eigs: Lambda_re at most -1e-4
 *     dt     = step_rescale exp(log_step)         per state
 *     zoh        a = exp(Lambda dt)                         b = (a - 1) / Lambda
 *     bilinear   a = (1 + Lambda dt / 2) / (1 - Lambda dt / 2)   b = dt / (1 - Lambda dt / 2)
 *     dirac      a = exp(Lambda dt)                         b = 1
 *     async      a = exp(Lambda dt)                         b = (exp(Lambda step) - 1) / Lambda
 *     x = a x + (b B) u
 *     y = k Re(C x) + D u                         k = 2 with conj_sym, else 1
 *
 * A row's own dt multiplies dt.  Rows of dirac and async are events (Event-SSM, event_ssm/ssm.py): impulses, where the
 * time between them says how much is forgotten, and step is the dt of a row whose own is 1.
 *
 * With conj_sym the 'states' are one of each conjugate pair, without all of them (s5-pytorch).  All but
 * the recurrence is preparation, in double.
 */
#include "layers/lti.h"

#define S5_CLIPPED (-1e-4)

enum { S5_ZOH, S5_BILINEAR, S5_DIRAC, S5_ASYNC };

typedef struct s5 {
    kr_lti       lti;
    int          discretization, conj_sym, clip;
    float        rescale;
    const float *lambda_re, *lambda_im, *log_step;      /* [states] */
    const float *b;             /* [states][width][2] */
    const float *c;             /* [width][states][2] */
} s5;

static const char *const s5_discretizations[] = { "zoh", "bilinear", "dirac", "async", NULL };

static const kr_option s5_options[] = {
    { "states",         KR_COUNT,  KR_AT(s5, lti.states),     1, KR_MOST_STATES, KR_REQUIRED, NULL },
    { "discretization", KR_CHOICE, KR_AT(s5, discretization), 0, 0, S5_ZOH, s5_discretizations },
    { "conj_sym",       KR_FLAG,   KR_AT(s5, conj_sym),       0, 1, 1, NULL },
    { "clip_eigs",      KR_FLAG,   KR_AT(s5, clip),           0, 1, 0, NULL },
    { "step_rescale",   KR_REAL,   KR_AT(s5, rescale),        1e-9, 1e9, 1, NULL },
    { 0 }
};

static void s5_weights(const kr_layer *layer, kr_wants *wants)
{
    size_t states = ((const s5 *)layer->params)->lti.states, width = layer->in_width;

    kr_want_floats(wants, "Lambda_re", KR_AT(s5, lambda_re), states, 0);
    kr_want_floats(wants, "Lambda_im", KR_AT(s5, lambda_im), states, 0);
    kr_want_pairs(wants, "B", KR_AT(s5, b), states, width);
    kr_want_pairs(wants, "C", KR_AT(s5, c), width, states);
    kr_want_floats(wants, "D", KR_AT(s5, lti.d), width, 1);
    kr_want_floats(wants, "log_step", KR_AT(s5, log_step), states, 0);
    kr_lti_want_initial(wants, KR_AT(s5, lti.initial), states);
}

static krait_status s5_shape(kr_layer *layer, krait_message *message)
{
    layer->uses_time = 1;
    return kr_lti_shape(layer, message);
}

/* Lambda dt, a, and what B is multiplied with. */
static void s5_discretize(const s5 *p, size_t state, kr_complex *step, kr_complex *a, kr_complex *b)
{
    double     dt = (double)p->rescale * kr_exp((double)p->log_step[state]), re = (double)p->lambda_re[state];
    kr_complex one = { 1, 0 }, z;

    if (p->clip && re > S5_CLIPPED)
        re = S5_CLIPPED;
    z = kr_complex_scale(kr_complex_of(re, (double)p->lambda_im[state]), dt);
    *step = z;
    if (p->discretization != S5_BILINEAR) {
        *a = kr_complex_exp(z);
        *b = p->discretization == S5_DIRAC ? one : kr_complex_scale(kr_complex_exprel(z), dt);
    } else {
        kr_complex half = kr_complex_scale(z, 0.5), below = kr_complex_subtract(one, half);

        *a = kr_complex_divide(kr_complex_add(one, half), below);
        *b = kr_complex_divide(kr_complex_of(dt, 0), below);
    }
}

static void s5_prepare(kr_layer *layer, kr_carve *carve)
{
    s5    *p = layer->params;
    size_t states = p->lti.states, width = layer->in_width;
    double k = p->conj_sym ? 2 : 1;

    p->lti.rule = p->discretization == S5_ZOH ? KR_HOLD : p->discretization == S5_BILINEAR ? KR_BILINEAR : KR_IMPULSE;
    if (!kr_lti_take(&p->lti, width, carve))
        return;
    for (size_t s = 0; s < states; s++) {
        kr_complex z, a, factor;

        s5_discretize(p, s, &z, &a, &factor);
        kr_lti_set_a(&p->lti, s, a);
        kr_lti_set_z(&p->lti, s, z);
        for (size_t h = 0; h < width; h++) {
            const float *b = p->b + 2 * (s * width + h), *c = p->c + 2 * (h * states + s);

            kr_lti_set_b(&p->lti, s, h, kr_complex_multiply(factor, kr_complex_of((double)b[0], (double)b[1])));
            kr_lti_set_c(&p->lti, h, s, kr_complex_scale(kr_complex_of((double)c[0], (double)c[1]), k));
        }
    }
}

extern const kr_layer_type kr_layer_s5;
const kr_layer_type kr_layer_s5 = {
    .name = "s5", .params_size = sizeof(s5), .options = s5_options, .shape = s5_shape, .weights = s5_weights,
    .prepare = s5_prepare, .memory = kr_lti_memory, .start = kr_lti_start,
    .scratch = kr_lti_scratch, .run = kr_lti_run,
};
