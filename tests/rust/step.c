/*
 * step.c - nanoseconds of one step of a tiny model from C: the model, the batches and the count of them are those of
 * examples/rust/krait/benches/step.rs.  overhead.sh runs the two in turns.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <time.h>

#include "krait.h"

enum { BATCHES = 2000, STEPS = 500 };

static const char description[] =
    "{\"model_type\": \"krait\", \"version\": 1, \"input\": {\"features\": 4},"
    " \"tree\": {\"lru\": {\"states\": 8, \"name\": \"lru\"}}}";

static float nu[8], theta[8], gamma_log[8], inputs[32], outputs[32], d[4];

#define TENSOR(name, x, n, rows, columns, dimensions) \
    { name, x, (n) * sizeof(float), { rows, columns }, dimensions, KRAIT_F32 }
static const krait_tensor tensors[] = {
    TENSOR("lru.nu_log", nu, 8, 8, 0, 1),         TENSOR("lru.theta_log", theta, 8, 8, 0, 1),
    TENSOR("lru.gamma_log", gamma_log, 8, 8, 0, 1), TENSOR("lru.B_re", inputs, 32, 8, 4, 2),
    TENSOR("lru.B_im", inputs, 32, 8, 4, 2),      TENSOR("lru.C_re", outputs, 32, 4, 8, 2),
    TENSOR("lru.C_im", outputs, 32, 4, 8, 2),     TENSOR("lru.D", d, 4, 4, 0, 1),
};

static void fill(float *to, int count, float from)
{
    int i;

    for (i = 0; i < count; i++)
        to[i] = from + 0.01f * (float)i;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The fastest batch, in nanoseconds a step; negative after an error. */
static double time_steps(krait_model *model, krait_state *state)
{
    const float row[4] = { 0.5f, -0.25f, 0.125f, 1.0f };
    float       out[4];
    double      best = 1e30;
    int         batch, step;

    for (batch = 0; batch < BATCHES; batch++) {
        double begun = now();

        for (step = 0; step < STEPS; step++)
            if (krait_step(model, state, row, out) != KRAIT_OK)
                return -1;
        begun = (now() - begun) / STEPS;
        best = begun < best ? begun : best;
    }
    return best;
}

int main(void)
{
    krait_model  *model;
    krait_state  *state;
    krait_message why;
    double        best;

    fill(nu, 8, -2.0f);
    fill(theta, 8, 0.1f);
    fill(gamma_log, 8, -1.0f);
    fill(inputs, 32, 0.1f);
    fill(outputs, 32, -0.2f);
    fill(d, 4, 0.5f);
    if (krait_model_create(&model, description, tensors, sizeof tensors / sizeof *tensors, NULL, &why)
            != KRAIT_OK
        || krait_state_create(&state, model, NULL, NULL) != KRAIT_OK) {
        fprintf(stderr, "step: %s\n", why.text);
        return 1;
    }
    best = time_steps(model, state);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    printf("C %.1f ns a step\n", best);
    return best < 0;
}
