/*
 * lru.c - the Linear Recurrent Unit (Orvieto et al., arXiv 2303.06349; NicolasZucchet/minimal-LRU, lru/model.py).
 *
 *     a = exp(-exp(nu_log) + i exp(theta_log))
 *     x = a x + exp(gamma_log) (B_re + i B_im) u
 *     y = Re((C_re + i C_im) x) + D u
 */
#include "layers/lti.h"

typedef struct lru {
    kr_lti       lti;
    const float *nu_log, *theta_log, *gamma_log;        /* [states] */
    const float *b_re, *b_im;   /* [states][width] */
    const float *c_re, *c_im;   /* [width][states] */
} lru;

static const kr_option lru_options[] = {
    { "states", KR_COUNT, KR_AT(lru, lti.states), 1, KR_MOST_STATES, KR_REQUIRED, NULL },
    { 0 }
};

static void lru_weights(const kr_layer *layer, kr_wants *wants)
{
    size_t states = ((const lru *)layer->params)->lti.states, width = layer->in_width;

    kr_want_floats(wants, "nu_log", KR_AT(lru, nu_log), states, 0);
    kr_want_floats(wants, "theta_log", KR_AT(lru, theta_log), states, 0);
    kr_want_floats(wants, "gamma_log", KR_AT(lru, gamma_log), states, 0);
    kr_want_table(wants, "B_re", KR_AT(lru, b_re), states, width);
    kr_want_table(wants, "B_im", KR_AT(lru, b_im), states, width);
    kr_want_table(wants, "C_re", KR_AT(lru, c_re), width, states);
    kr_want_table(wants, "C_im", KR_AT(lru, c_im), width, states);
    kr_want_floats(wants, "D", KR_AT(lru, lti.d), width, 1);
    kr_lti_want_initial(wants, KR_AT(lru, lti.initial), states);
}

static void lru_prepare(kr_layer *layer, kr_carve *carve)
{
    lru   *p = layer->params;
    size_t states = p->lti.states, width = layer->in_width;

    if (!kr_lti_take(&p->lti, width, carve))
        return;
    for (size_t s = 0; s < states; s++) {
        double gamma = kr_exp((double)p->gamma_log[s]);

        kr_lti_set_a(&p->lti, s, kr_complex_exp(kr_complex_of(-kr_exp((double)p->nu_log[s]),
                                                              kr_exp((double)p->theta_log[s]))));
        for (size_t h = 0; h < width; h++) {
            size_t b = s * width + h, c = h * states + s;

            kr_lti_set_b(&p->lti, s, h, kr_complex_of(gamma * (double)p->b_re[b], gamma * (double)p->b_im[b]));
            kr_lti_set_c(&p->lti, h, s, kr_complex_of((double)p->c_re[c], (double)p->c_im[c]));
        }
    }
}

extern const kr_layer_type kr_layer_lru;
const kr_layer_type kr_layer_lru = {
    .name = "lru", .flags = KR_LTI_FLAGS, .params_size = sizeof(lru), .options = lru_options, .shape = kr_lti_shape,
    .weights = lru_weights, .prepare = lru_prepare, .memory = kr_lti_memory, .start = kr_lti_start,
    .scratch = kr_lti_scratch, .run = kr_lti_run,
};
