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
 * With conj_sym the 'states' are one of each conjugate pair, without all of them (s5-pytorch, which has
 * Lambda as pairs, may take each number of b B to a power, and in its liquid form has x = (a + b B u) x + b B u).
 * All but the recurrence is preparation, in double.
 */
#include "layers/lti.h"

#define S5_CLIPPED (-1e-4)
#define S5_PI      3.14159265358979323846

enum { S5_ZOH, S5_BILINEAR, S5_DIRAC, S5_ASYNC };
enum { S5_ALL, S5_FIRST, S5_SECOND };

typedef struct s5 {
    kr_lti       lti;
    int          discretization, conj_sym, clip;
    int          pairs;         /* lambda stands for lambda_re and lambda_im */
    int          half;          /* c has as many columns again, of the other direction */
    size_t       degree;
    float        rescale, bandlimit;
    const float *lambda_re, *lambda_im, *log_step;      /* [states] */
    const float *lambda;        /* [states][2] */
    const float *b;             /* [states][width][2] */
    const float *c;             /* [width][states][2], or twice as many columns */
} s5;

static const char *const s5_discretizations[] = { "zoh", "bilinear", "dirac", "async", NULL };
static const char *const s5_lambdas[] = { "parts", "pairs", NULL };
static const char *const s5_halves[] = { "none", "first", "second", NULL };

static const kr_option s5_options[] = {
    { "states",         KR_COUNT,  KR_AT(s5, lti.states),     1, KR_MOST_STATES, KR_REQUIRED, NULL },
    { "discretization", KR_CHOICE, KR_AT(s5, discretization), 0, 0, S5_ZOH, s5_discretizations },
    { "conj_sym",       KR_FLAG,   KR_AT(s5, conj_sym),       0, 1, 1, NULL },
    { "clip_eigs",      KR_FLAG,   KR_AT(s5, clip),           0, 1, 0, NULL },
    { "step_rescale",   KR_REAL,   KR_AT(s5, rescale),        1e-9, 1e9, 1, NULL },
    { "lambda",         KR_CHOICE | KR_LATE, KR_AT(s5, pairs),     0, 0, 0, s5_lambdas },
    { "half",           KR_CHOICE | KR_LATE, KR_AT(s5, half),      0, 0, S5_ALL, s5_halves },
    { "liquid",         KR_FLAG | KR_LATE,   KR_AT(s5, lti.liquid), 0, 1, 0, NULL },
    { "degree",         KR_COUNT | KR_LATE,  KR_AT(s5, degree),    1, 64, 1, NULL },
    { "bandlimit",      KR_REAL | KR_LATE,   KR_AT(s5, bandlimit), 0, 1e9, 0, NULL },
    { 0 }
};

static void s5_weights(const kr_layer *layer, kr_wants *wants)
{
    const s5 *p = layer->params;
    size_t    states = p->lti.states, width = layer->in_width;

    if (p->pairs) {
        kr_want_table(wants, "Lambda", KR_AT(s5, lambda), states, 2);
    } else {
        kr_want_floats(wants, "Lambda_re", KR_AT(s5, lambda_re), states, 0);
        kr_want_floats(wants, "Lambda_im", KR_AT(s5, lambda_im), states, 0);
    }
    kr_want_pairs(wants, "B", KR_AT(s5, b), states, width);
    kr_want_pairs(wants, "C", KR_AT(s5, c), width, p->half == S5_ALL ? states : 2 * states);
    kr_want_floats(wants, "D", KR_AT(s5, lti.d), width, 1);
    kr_want_floats(wants, "log_step", KR_AT(s5, log_step), states, 0);
    kr_lti_want_initial(wants, KR_AT(s5, lti.initial), states);
}

static kr_complex s5_lambda(const s5 *p, size_t state)
{
    const float *pair = p->lambda + 2 * state;
    double       re = (double)(p->pairs ? pair[0] : p->lambda_re[state]);

    if (p->clip && re > S5_CLIPPED)
        re = S5_CLIPPED;
    return kr_complex_of(re, (double)(p->pairs ? pair[1] : p->lambda_im[state]));
}

/* Powers of B are no input's worth, and liquid rows have no kernel with a time of their own. */
static krait_status s5_shape(kr_layer *layer, krait_message *message)
{
    const s5 *p = layer->params;

    layer->uses_time = p->degree == 1 && !p->lti.liquid;
    return kr_lti_shape(layer, message);
}

/* Lambda dt, a, and what B is multiplied with. */
static void s5_discretize(const s5 *p, size_t state, kr_complex *step, kr_complex *a, kr_complex *b)
{
    double     dt = (double)p->rescale * kr_exp((double)p->log_step[state]);
    kr_complex one = { 1, 0 }, z = kr_complex_scale(s5_lambda(p, state), dt);

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

/* What C is multiplied with: 0 where the state turns too fast for what the model was trained with. */
static double s5_factor_of_c(const s5 *p, size_t state)
{
    double turns = kr_exp((double)p->log_step[state]) * kr_magnitude_double(s5_lambda(p, state).im) / (2 * S5_PI);

    if (p->bandlimit > 0 && turns >= (double)p->bandlimit / 2)
        return 0;
    return p->conj_sym ? 2 : 1;
}

static void s5_prepare(kr_layer *layer, kr_carve *carve)
{
    s5    *p = layer->params;
    size_t states = p->lti.states, width = layer->in_width;
    size_t columns = p->half == S5_ALL ? states : 2 * states, first = p->half == S5_SECOND ? states : 0;

    p->lti.rule = p->discretization == S5_ZOH ? KR_HOLD : p->discretization == S5_BILINEAR ? KR_BILINEAR : KR_IMPULSE;
    if (!kr_lti_take(&p->lti, width, carve))
        return;
    for (size_t s = 0; s < states; s++) {
        kr_complex z, a, factor;
        double     k = s5_factor_of_c(p, s);

        s5_discretize(p, s, &z, &a, &factor);
        kr_lti_set_a(&p->lti, s, a);
        kr_lti_set_z(&p->lti, s, z);
        for (size_t h = 0; h < width; h++) {
            const float *b = p->b + 2 * (s * width + h), *c = p->c + 2 * (h * columns + first + s);
            kr_complex   enter = kr_complex_multiply(factor, kr_complex_of((double)b[0], (double)b[1]));

            kr_lti_set_b(&p->lti, s, h, p->degree > 1 ? kr_complex_power(enter, p->degree) : enter);
            kr_lti_set_c(&p->lti, h, s, kr_complex_scale(kr_complex_of((double)c[0], (double)c[1]), k));
        }
    }
}

extern const kr_layer_type kr_layer_s5;
const kr_layer_type kr_layer_s5 = {
    .name = "s5", .flags = KR_LTI_FLAGS, .params_size = sizeof(s5), .options = s5_options, .shape = s5_shape,
    .weights = s5_weights, .prepare = s5_prepare, .memory = kr_lti_memory, .start = kr_lti_start,
    .scratch = kr_lti_scratch, .run = kr_lti_run,
};
