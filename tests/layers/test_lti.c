/* test_lti.c - s5 and lru where the tests of all layers do not look: long streams next to the unit circle. */
#include <math.h>
#include <stdlib.h>

#include "krait.h"
#include "test.h"

enum { ROWS = 60000, CALL = 1500 };

/* With one float for a the distance is 2e-4 at 0.9999 and 1.4e-3 at 0.99999. */
#define BOUND 3e-5

static krait_tensor floats_of(const char *name, const float *data, int64_t rows)
{
    krait_tensor t = { .name = name, .type = KRAIT_F32, .dimensions = 1, .data = data, .bytes = (uint64_t)rows * 4 };

    t.shape[0] = (uint64_t)rows;
    return t;
}

/* One state, |a| = 1 - below, turned by 'angle' a row; y = Re((1 - 2i) x); u is a pulse. */
static void check_lru(double below, double angle, int32_t mode)
{
    float         nu = (float)log(-log1p(-below)), theta = (float)log(angle), zero = 0, one = 1, minus = -2;
    krait_tensor  tensors[] = { floats_of("0.nu_log", &nu, 1), floats_of("0.theta_log", &theta, 1),
                                floats_of("0.gamma_log", &zero, 1), floats_of("0.B_re", &one, 1),
                                floats_of("0.B_im", &zero, 1), floats_of("0.C_re", &one, 1),
                                floats_of("0.C_im", &minus, 1) };
    double        a_re = exp(-exp((double)nu)) * cos(exp((double)theta));
    double        a_im = exp(-exp((double)nu)) * sin(exp((double)theta)), re = 0, im = 0, worst = 0, scale = 0;
    krait_state_options options = { .size = sizeof options, .lanes = 1 };
    krait_model  *model = NULL;
    krait_state  *state = NULL;
    krait_message why = { "" };
    float        *x = malloc(CALL * sizeof *x), *y = malloc(CALL * sizeof *y);

    CHECK_STATUS(krait_model_create(&model, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":1},"
                                    "\"tree\":{\"sequence\":[{\"lru\":{\"states\":1}}]}}", tensors, 7, NULL, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    CHECK_STATUS(krait_state_create(&state, model, &options, NULL), KRAIT_OK);
    for (size_t from = 0; state && from < ROWS; from += CALL) {
        krait_input  input = { .size = sizeof input, .steps = CALL, .features = x, .mode = mode };
        krait_output output = { .size = sizeof output, .rows = y, .capacity = CALL };

        for (size_t t = 0; t < CALL; t++)
            x[t] = from + t == 0 ? 1.0f : 0.0f;
        CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
        for (size_t t = 0; t < CALL; t++) {
            double new_re = a_re * re - a_im * im + (double)x[t];

            im = a_re * im + a_im * re;
            re = new_re;
            scale = fmax(scale, hypot(re, im));
            worst = fmax(worst, fabs((double)y[t] - (re + 2 * im)));
        }
    }
    test_note("|a| = 1 - %g, mode %d", below, (int)mode);
    CHECK_CLOSE(worst / scale, 0.0, BOUND);
    test_note("%s", "");
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    free(x), free(y);
}

TEST(lti_close_to_the_unit_circle)
{
    for (int32_t mode = KRAIT_RECURRENT; mode <= KRAIT_CONVOLUTION; mode += mode == KRAIT_RECURRENT ? 2 : 1) {
        check_lru(1e-3, 0.3, mode);
        check_lru(1e-4, 0.02, mode);
        check_lru(1e-5, 1.1, mode);
    }
}

/* ---- where states begin ------------------------------------------------------------------------ */

/* y = Re(x) and x = 0.5 x + u from 8 - 2i on, in 'state' of 3 lanes. */
static krait_model *learned(krait_state **state)
{
    static const float half = -0.36651292f, still = -100, zero = 0, one = 1, initial[2] = { 8, -2 };
    krait_tensor       tensors[] = { floats_of("0.nu_log", &half, 1), floats_of("0.theta_log", &still, 1),
                                     floats_of("0.gamma_log", &zero, 1), floats_of("0.B_re", &one, 1),
                                     floats_of("0.B_im", &zero, 1), floats_of("0.C_re", &one, 1),
                                     floats_of("0.C_im", &zero, 1), floats_of("0.initial_state", initial, 2) };
    krait_state_options options = { .size = sizeof options, .lanes = 3, .chunk = 2 };
    krait_model        *model = NULL;

    CHECK_STATUS(krait_model_create(&model, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":1},"
                                    "\"tree\":{\"sequence\":[{\"lru\":{\"states\":1}}]}}", tensors, 8, NULL, NULL),
                 KRAIT_OK);
    CHECK_STATUS(krait_state_create(state, model, &options, NULL), KRAIT_OK);
    return model;
}

/* The lane's x is re + i im. */
static void check_x(const krait_model *model, const krait_state *state, int32_t lane, double re, double im)
{
    float x[2] = { 0 };

    CHECK_STATUS(krait_part_read(model, state, 0, lane, x, 2), KRAIT_OK);
    CHECK_CLOSE((double)x[0], re, 1e-6);
    CHECK_CLOSE((double)x[1], im, 1e-6);
}

TEST(lti_begins_as_learned)
{
    static const uint8_t reset[9] = { 0, 0, 0, 0, 1, 0, 0, 1, 0 };
    float                features[9] = { 0, 0, 0, 1, 1, 1, 1, (float)NAN, (float)NAN }, y[9];
    krait_state         *state;
    krait_model         *model = learned(&state);
    krait_input  input = { .size = sizeof input, .steps = 3, .features = features, .reset = reset };
    krait_output output = { .size = sizeof output, .rows = y, .capacity = 9 };

    input.nan_policy = KRAIT_NAN_HOLD;
    for (int32_t lane = 0; lane < 3; lane++)
        check_x(model, state, lane, 8, -2);
    CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
    check_x(model, state, 0, 1, -0.25);         /* three rows of nothing */
    check_x(model, state, 1, 8 / 4.0 + 0.5 + 1, -0.5);      /* a reset before its second row */
    check_x(model, state, 2, 8, -2);            /* a reset among rows held at the end */
    CHECK_STATUS(krait_state_reset(model, state, 0), KRAIT_OK);
    check_x(model, state, 0, 8, -2);
    check_x(model, state, 1, 3.5, -0.5);
    CHECK_STATUS(krait_state_reset(model, state, KRAIT_ALL_LANES), KRAIT_OK);
    check_x(model, state, 1, 8, -2);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}
