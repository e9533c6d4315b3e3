/* test_lssl.c - lssl where the tests of all layers do not look: HiPPO's matrix over long rows, beside a loop in double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/random.h"
#include "test.h"

enum { STATES = 16, ROWS = 4000 };

/* The number whose bytes here are x's in a file. */
static float little(float x)
{
    unsigned char bytes[4];
    uint32_t      u;

    memcpy(&u, &x, sizeof u);
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(u >> 8 * i);
    memcpy(&x, bytes, sizeof x);
    return x;
}

/* HiPPO-LegS: lower triangular, eigenvalues -1 to -STATES. */
static double legs(size_t i, size_t j)
{
    double b = -sqrt((double)((2 * i + 1) * (2 * j + 1)));

    return (double)(float)(i > j ? b : i == j ? -(double)(i + 1) : 0);
}

/* One row more of (1 - dt A / 2) x' = (1 + dt A / 2) x + dt B u: A is triangular, so from the first state on. */
static void advance(double *x, double dt, double u)
{
    double next[STATES];

    for (size_t i = 0; i < STATES; i++) {
        double sum = x[i] + dt * (double)(float)sqrt((double)(2 * i + 1)) * u;

        for (size_t j = 0; j <= i; j++)
            sum += dt / 2 * legs(i, j) * x[j] + (j < i ? dt / 2 * legs(i, j) * next[j] : 0);
        next[i] = sum / (1 - dt / 2 * legs(i, i));
    }
    memcpy(x, next, sizeof next);
}

static void check_legs(double step, int32_t mode)
{
    float         a[STATES * STATES], b[STATES], c[STATES], dt = little((float)log(step)), *u = malloc(ROWS * sizeof *u);
    krait_tensor  tensors[] = {
        { .name = "A", .data = a, .bytes = sizeof a, .dimensions = 2, .shape = { STATES, STATES }, .type = KRAIT_F32 },
        { .name = "B", .data = b, .bytes = sizeof b, .dimensions = 1, .shape = { STATES }, .type = KRAIT_F32 },
        { .name = "C", .data = c, .bytes = sizeof c, .dimensions = 1, .shape = { STATES }, .type = KRAIT_F32 },
        { .name = "log_dt", .data = &dt, .bytes = 4, .dimensions = 1, .shape = { 1 }, .type = KRAIT_F32 } };
    double        x[STATES] = { 0 }, worst = 0, most = 0, held = exp((double)(float)log(step));
    krait_model  *model = NULL;
    krait_state  *state = NULL;
    krait_message why = { "" };
    kr_random     random = kr_random_from(5);
    float        *y = malloc(ROWS * sizeof *y);
    krait_input   input = { .size = sizeof input, .steps = ROWS, .features = u, .mode = mode };
    krait_output  output = { .size = sizeof output, .rows = y, .capacity = ROWS };

    for (size_t i = 0; i < STATES; i++) {
        b[i] = little((float)sqrt((double)(2 * i + 1)));
        c[i] = little(i % 2 ? -1.0f : 0.5f);
        for (size_t j = 0; j < STATES; j++)
            a[i * STATES + j] = little((float)legs(i, j));
    }
    for (size_t t = 0; t < ROWS; t++)
        u[t] = kr_random_unit(&random);
    CHECK_STATUS(krait_model_create(&model, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":1},\"tree\":"
                                    "{\"lssl\":{\"states\":16}}}", tensors, 4, NULL, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    if (CHECK_STATUS(krait_state_create(&state, model, NULL, NULL), KRAIT_OK))
        CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
    for (size_t t = 0; t < ROWS; t++) {
        double sum = 0, size = 0;

        advance(x, held, (double)u[t]);
        for (size_t i = 0; i < STATES; i++) {
            sum += (i % 2 ? -1 : 0.5) * x[i];
            size += fabs((i % 2 ? -1 : 0.5) * x[i]);
        }
        worst = fmax(worst, isnan(y[t]) ? INFINITY : fabs((double)y[t] - sum));
        most = fmax(most, size);
    }
    test_note("dt %g, mode %d: off by %.2g", step, (int)mode, worst / most);
    CHECK(worst <= 1e-6 * most);
    test_note("%s", "");
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    free(u), free(y);
}

TEST(lssl_hippo)
{
    for (int32_t mode = KRAIT_RECURRENT; mode <= KRAIT_SCAN; mode += KRAIT_SCAN - KRAIT_RECURRENT) {
        check_legs(1e-4, mode);
        check_legs(0.003, mode);
        check_legs(0.3, mode);
    }
}
