/*
 * test_time.c - rows with a time between them: s5 and s4d against the continuous system itself, whose solution over an
 * interval is made here as the exponential of a matrix by squaring a series, and against themselves in other ways of running.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/build.h"
#include "krait.h"
#include "support/random.h"
#include "test.h"

enum { STATES = 3, INPUTS = 2, MOST = 1600 };

/* The system, in the words of s5: y = 2 Re(C x) + D u for s5; s4d has one input and one output for each channel. */
static const float  re[STATES] = { -0.5f, -0.02f, -3.0f }, im[STATES] = { 3.0f, 0.4f, 0.0f };
static const float  log_step[STATES] = { -1.0f, -2.5f, 0.25f };
static const float  b[STATES * INPUTS * 2] = { 1, 0.5f, -0.25f, 1, 0.75f, -1, 0.5f, 0.5f, -1, 0.125f, 0.25f, -0.5f };
static const float  c[INPUTS * STATES * 2] = { 0.5f, 1, -1, 0.25f, 0.75f, 0.5f, 1, -0.5f, 0.125f, 1, -0.25f, -1 };
static const float  d[INPUTS] = { 0.5f, -1 }, none[INPUTS] = { 0, 0 };

typedef struct timed_system {
    const char *layer, *rule;
    int         skips;          /* D counts */
    krait_model *model;
} timed_system;

static krait_tensor tensor_of(const char *name, const float *data, int dimensions, uint64_t n0, uint64_t n1, uint64_t n2)
{
    krait_tensor t = { .name = name, .type = KRAIT_F32, .dimensions = dimensions, .data = data };

    t.shape[0] = n0, t.shape[1] = n1, t.shape[2] = n2;
    t.bytes = 4 * n0 * (dimensions > 1 ? n1 : 1) * (dimensions > 2 ? n2 : 1);
    return t;
}

/* s4d: both channels have the same A; dt is the first state's. */
static void open_system(timed_system *s)
{
    static const float a_real[STATES] = { 0.5f, 0.02f, 3.0f }, a_imag[STATES] = { -3.0f, -0.4f, 0.0f };
    static const float steps[INPUTS] = { -1.0f, -2.0f };
    krait_tensor    of_c = tensor_of("0.kernel.C", c, 3, INPUTS, STATES, 2);
    const float    *skip = s->skips ? d : none;
    krait_tensor    s5[] = { tensor_of("0.Lambda_re", re, 1, STATES, 0, 0), tensor_of("0.Lambda_im", im, 1, STATES, 0, 0),
                             tensor_of("0.log_step", log_step, 1, STATES, 0, 0),
                             tensor_of("0.B", b, 3, STATES, INPUTS, 2), tensor_of("0.C", c, 3, INPUTS, STATES, 2),
                             tensor_of("0.D", skip, 1, INPUTS, 0, 0) };
    krait_tensor    s4d[] = { tensor_of("0.kernel.A_real", a_real, 2, 1, STATES, 0),
                              tensor_of("0.kernel.A_imag", a_imag, 2, 1, STATES, 0),
                              tensor_of("0.kernel.inv_dt", steps, 2, INPUTS, 1, 0), of_c,
                              tensor_of("0.kernel.B", b, 3, 1, STATES, 2), tensor_of("0.D", skip, 2, 1, INPUTS, 0) };
    char            text[400];
    krait_message   why = { "" };

    snprintf(text, sizeof text, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":%d},\"tree\":"
             "{\"sequence\":[{\"%s\":{\"states\":%d,\"discretization\":\"%s\"%s}}]}}", INPUTS, s->layer, STATES, s->rule,
             strcmp(s->layer, "s4d") == 0 ? ",\"copies\":1,\"real\":\"none\"" : "");
    CHECK_STATUS(krait_model_create(&s->model, text, strcmp(s->layer, "s5") == 0 ? s5 : s4d, 6, NULL, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
}

/* ---- the continuous system ---------------------------------------------------------------------- */

/* out = exp(m) of 3 x 3 numbers. */
static void exponential(const long double *m, long double *out)
{
    long double power[9], next[9], size = 0, scale = 1;
    int         halvings = 0;

    for (int i = 0; i < 9; i++)
        size = fmaxl(size, fabsl(m[i]));
    for (; size * scale > 0.03125L; halvings++)
        scale /= 2;
    for (int i = 0; i < 9; i++)
        out[i] = power[i] = i % 4 == 0;
    for (int n = 1; n <= 14; n++) {
        for (int i = 0; i < 9; i++) {
            next[i] = 0;
            for (int k = 0; k < 3; k++)
                next[i] += power[i / 3 * 3 + k] * m[k * 3 + i % 3] * scale / n;
        }
        memcpy(power, next, sizeof power);
        for (int i = 0; i < 9; i++)
            out[i] += power[i];
    }
    for (; halvings > 0; halvings--) {
        for (int i = 0; i < 9; i++) {
            next[i] = 0;
            for (int k = 0; k < 3; k++)
                next[i] += out[i / 3 * 3 + k] * out[k * 3 + i % 3];
        }
        memcpy(out, next, sizeof next);
    }
}

/* x after 'time' of x' = step (lambda x + v), v held. */
static void solve(double l_re, double l_im, double step, double v_re, double v_im, double time, double *x)
{
    long double t = (long double)step * time, e[9], old_re = x[0], old_im = x[1];
    long double m[9] = { t * l_re, -t * l_im, t * v_re, t * l_im, t * l_re, t * v_im, 0, 0, 0 };

    exponential(m, e);
    x[0] = (double)(e[0] * old_re + e[1] * old_im + e[2]);
    x[1] = (double)(e[3] * old_re + e[4] * old_im + e[5]);
}

/* How an input moves a state. */
enum { HELD, IMPULSE, SCALED_IMPULSE };

static void move(double l_re, double l_im, double step, const double *v, double time, int how, double *x)
{
    double one[2] = { 0, 0 };

    solve(l_re, l_im, step, how == HELD ? v[0] : 0, how == HELD ? v[1] : 0, time, x);
    if (how == SCALED_IMPULSE)
        solve(l_re, l_im, step, v[0], v[1], 1, one);
    x[0] += how == IMPULSE ? v[0] : one[0];
    x[1] += how == IMPULSE ? v[1] : one[1];
}

/* Of rows with dt, from nothing: y and the largest sum of magnitudes. */
static double solution(const timed_system *s, const float *u, const float *dt, size_t rows, int how, double *y)
{
    int    mimo = strcmp(s->layer, "s5") == 0;
    double x[INPUTS][STATES][2] = { 0 }, most = 0;

    for (size_t t = 0; t < rows; t++)
        for (int h = 0; h < INPUTS; h++) {
            double size = 0, *out = &y[t * INPUTS + (size_t)h];

            *out = s->skips ? d[h] * u[t * INPUTS + (size_t)h] : 0;
            for (int n = 0; n < STATES; n++) {
                double v[2] = { 0, 0 }, *at = x[h][n], step = exp(mimo ? log_step[n] : -1.0 - h);

                for (int k = 0; k < INPUTS; k++)
                    if (mimo || k == 0) {
                        const float *by = b + (mimo ? n * INPUTS + k : n) * 2;

                        v[0] += by[0] * u[t * INPUTS + (size_t)(mimo ? k : h)];
                        v[1] += by[1] * u[t * INPUTS + (size_t)(mimo ? k : h)];
                    }
                move(re[n], im[n], step, v, dt[t], how, at);
                *out += 2 * (c[(h * STATES + n) * 2] * at[0] - c[(h * STATES + n) * 2 + 1] * at[1]);
                size += 4 * hypot(at[0], at[1]);
            }
            most = fmax(most, size);
        }
    return most;
}

/* ---- running --------------------------------------------------------------------------------------- */

typedef struct way { int32_t mode; uint32_t lanes, chunk; size_t cut; } way;

/* Every lane is given the same rows. */
static void run_way(const timed_system *s, way how, const float *u, const float *dt, size_t rows, float *y)
{
    krait_state_options options = { .size = sizeof options, .lanes = how.lanes, .chunk = how.chunk };
    size_t              wide = rows * INPUTS;
    float              *x = malloc(how.lanes * wide * sizeof *x), *times = malloc(how.lanes * rows * sizeof *times);
    float              *out = malloc(how.lanes * wide * sizeof *out);
    krait_state        *state = NULL;

    CHECK_STATUS(krait_state_create(&state, s->model, &options, NULL), KRAIT_OK);
    for (size_t from = 0; from < rows; from += how.cut) {
        size_t       n = kr_min(how.cut, rows - from);
        krait_input  input = { .size = sizeof input, .steps = n, .features = x, .mode = how.mode };
        krait_output output = { .size = sizeof output, .rows = out, .capacity = how.lanes * n * INPUTS };

        for (size_t lane = 0; lane < how.lanes; lane++) {
            memcpy(x + lane * n * INPUTS, u + from * INPUTS, n * INPUTS * sizeof *x);
            if (dt)
                memcpy(times + lane * n, dt + from, n * sizeof *times);
        }
        input.dt = dt ? times : NULL;
        CHECK_STATUS(krait_run(s->model, state, &input, &output, NULL), KRAIT_OK);
        for (size_t lane = 1; lane < how.lanes; lane++)
            CHECK_BYTES(out + lane * n * INPUTS, out, n * INPUTS * sizeof *out);
        memcpy(y + from * INPUTS, out, n * INPUTS * sizeof *y);
    }
    krait_state_destroy(state, NULL);
    free(x), free(times), free(out);
}

/* ---- right, and not only consistent ------------------------------------------------------------------ */

/* Of the largest sum of magnitudes. */
#define BOUND 1e-6

static const way ways[] = {
    { KRAIT_RECURRENT, 1, MOST, MOST }, { KRAIT_RECURRENT, 3, 7, 50 }, { KRAIT_RECURRENT, 2, 1, 1 },
    { KRAIT_SCAN, 1, MOST, MOST }, { KRAIT_SCAN, 2, 600, 401 },
};

static void random_rows(kr_random *random, float *u, size_t rows)
{
    for (size_t i = 0; i < rows * INPUTS; i++)
        u[i] = kr_random_unit(random);
}

/* Times from none to so long that everything is forgotten; many that stand once. */
static void random_times(kr_random *random, float *dt, size_t rows)
{
    static const float some[] = { 1, 0, 1e-12f, 0.37f, 2, 1e6f, 1, 1, 0.001f, 5.5f };

    for (size_t t = 0; t < rows; t++)
        dt[t] = t % 2 ? some[kr_random_u32(random) % 10] : 0.02f + fabsf(kr_random_unit(random));
}

static void check_solution(const char *layer, const char *rule, int how)
{
    timed_system s = { layer, rule, 1, NULL };
    kr_random    random = kr_random_from(31);
    float       *u = malloc(MOST * INPUTS * sizeof *u), *dt = malloc(MOST * sizeof *dt), *y = malloc(MOST * INPUTS * 4);
    float       *first = malloc(MOST * INPUTS * 4);
    double      *exact = malloc(MOST * INPUTS * sizeof *exact), size;

    open_system(&s);
    random_rows(&random, u, MOST);
    random_times(&random, dt, MOST);
    size = solution(&s, u, dt, MOST, how, exact);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        test_note("%s, %s, way %zu", layer, rule, i);
        run_way(&s, ways[i], u, dt, MOST, i ? y : first);
        for (size_t k = 0; k < MOST * INPUTS; k++)
            if (!CHECK_CLOSE((double)(i ? y : first)[k], exact[k], BOUND * size))
                break;
        if (i && ways[i].mode == KRAIT_RECURRENT)
            CHECK_BYTES(y, first, MOST * INPUTS * 4);
    }
    test_note("%s", "");
    krait_model_close(s.model);
    free(u), free(dt), free(y), free(first), free(exact);
}

TEST(time_is_that_of_the_continuous_system)
{
    check_solution("s5", "zoh", HELD);
    check_solution("s4d", "zoh", HELD);
}

TEST(time_events_are_impulses)
{
    check_solution("s5", "dirac", IMPULSE);
    check_solution("s4d", "dirac", IMPULSE);
    check_solution("s5", "async", SCALED_IMPULSE);
    check_solution("s4d", "async", SCALED_IMPULSE);
}

/* Intervals of different lengths, the input held over each, in 'cuts' rows each: the error of where they end. */
static double bilinear_error(const timed_system *s, size_t cuts)
{
    enum { INTERVALS = 24 };
    kr_random random = kr_random_from(32);
    float     u[INTERVALS * INPUTS], dt[INTERVALS], *fine = malloc(INTERVALS * cuts * INPUTS * 4);
    float    *times = malloc(INTERVALS * cuts * sizeof *times), *y = malloc(INTERVALS * cuts * INPUTS * 4);
    double    exact[INTERVALS * INPUTS], worst = 0, size;
    way       how = { KRAIT_RECURRENT, 1, 64, INTERVALS * cuts };

    random_rows(&random, u, INTERVALS);
    for (size_t t = 0; t < INTERVALS; t++)
        dt[t] = 0.5f + 0.25f * (float)(kr_random_u32(&random) % 5);     /* exact in any number of halves */
    for (size_t t = 0; t < INTERVALS * cuts; t++) {
        times[t] = dt[t / cuts] / (float)cuts;
        memcpy(fine + t * INPUTS, u + t / cuts * INPUTS, INPUTS * sizeof *u);
    }
    size = solution(s, u, dt, INTERVALS, HELD, exact);
    run_way(s, how, fine, times, INTERVALS * cuts, y);
    for (size_t i = 0; i < INTERVALS * INPUTS; i++)
        worst = fmax(worst, fabs((double)y[((i / INPUTS + 1) * cuts - 1) * INPUTS + i % INPUTS] - exact[i]));
    free(fine), free(times), free(y);
    return worst / size;
}

/* Twice as many rows leave a quarter of the error. */
static void check_order(const char *layer)
{
    timed_system s = { layer, "bilinear", 1, NULL };
    double       before, after;

    open_system(&s);
    before = bilinear_error(&s, 8);
    for (size_t cuts = 16; cuts <= 64; cuts *= 2, before = after) {
        after = bilinear_error(&s, cuts);
        test_note("%s: %g, then %g of %zu rows", layer, before, after, cuts);
        CHECK_CLOSE(before / after, 4.0, 0.15);
    }
    test_note("%s", "");
    krait_model_close(s.model);
}

TEST(time_bilinear_is_of_second_order)
{
    check_order("s5");
    check_order("s4d");
}

/* One row of so little time: all digits of what it takes in are there. */
static void check_first(const char *layer, const char *rule, float dt)
{
    timed_system s = { layer, rule, 0, NULL };
    float        u[INPUTS] = { 0.75f, -0.5f }, y[INPUTS];
    double       exact[INPUTS], size;

    open_system(&s);
    size = solution(&s, u, &dt, 1, HELD, exact);
    run_way(&s, ways[0], u, &dt, 1, y);
    test_note("%s, %s, dt %g", layer, rule, (double)dt);
    for (int i = 0; i < INPUTS; i++)
        CHECK_CLOSE((double)y[i], exact[i], 5e-7 * size);
    CHECK((dt == 0) == (y[0] == 0));
    test_note("%s", "");
    krait_model_close(s.model);
}

TEST(time_short_and_long)
{
    static const float times[] = { 0, 1e-20f, 1e-12f, 1e-6f, 1e-3f, 0.1f, 7, 1e3f, 1e6f, 1e20f, 3e38f };

    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        check_first("s5", "zoh", times[i]);
        check_first("s4d", "zoh", times[i]);
        if (times[i] <= 1e-6f || times[i] == 0) {
            check_first("s5", "bilinear", times[i]);
            check_first("s4d", "bilinear", times[i]);
        }
    }
}

/* ---- ones, rates, numbers that are none ------------------------------------------------------------------- */

/* The bits without dt, in every way; and dt 0.5 everywhere is half the rate. */
static void check_ones(const char *layer)
{
    timed_system s = { layer, "zoh", 1, NULL };
    kr_random    random = kr_random_from(33);
    float       *u = malloc(MOST * INPUTS * sizeof *u), *dt = malloc(MOST * sizeof *dt), *y = malloc(MOST * INPUTS * 4);
    float       *expected = malloc(MOST * INPUTS * 4);

    open_system(&s);
    random_rows(&random, u, MOST);
    u[33] = (float)INFINITY;
    for (size_t t = 0; t < MOST; t++)
        dt[t] = 1;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        run_way(&s, ways[i], u, NULL, MOST, expected);
        run_way(&s, ways[i], u, dt, MOST, y);
        test_note("%s, way %zu", layer, i);
        CHECK_BYTES(y, expected, MOST * INPUTS * 4);
    }
    test_note("%s", "");
    krait_model_close(s.model);
    free(u), free(dt), free(y), free(expected);
}

TEST(time_of_one_step_is_none)
{
    check_ones("s5");
    check_ones("s4d");
}

/* A row with NaN: computed with, all behind it of its lane is NaN; held, it and its time are as if not given. */
static void check_nan_rows(const char *layer)
{
    enum { ROWS = 12, BAD = 5 };
    timed_system        s = { layer, "zoh", 1, NULL };
    krait_state_options options = { .size = sizeof options, .lanes = 2, .chunk = 3 };
    kr_random           random = kr_random_from(34);
    float               u[2 * ROWS * INPUTS], dt[2 * ROWS], y[2 * ROWS * INPUTS], less[ROWS * INPUTS], times[ROWS];
    float               expected[ROWS * INPUTS], other[ROWS * INPUTS];

    open_system(&s);
    random_rows(&random, u, 2 * ROWS);
    random_times(&random, dt, 2 * ROWS);
    dt[BAD + 1] = 0.3f;
    memcpy(less, u, sizeof less);
    memcpy(times, dt, sizeof times);
    memmove(less + BAD * INPUTS, less + (BAD + 1) * INPUTS, (ROWS - BAD - 1) * INPUTS * sizeof *less);
    memmove(times + BAD, times + BAD + 1, (ROWS - BAD - 1) * sizeof *times);
    run_way(&s, ways[0], less, times, ROWS - 1, expected);
    run_way(&s, ways[0], u + ROWS * INPUTS, dt + ROWS, ROWS, other);
    u[BAD * INPUTS] = u[BAD * INPUTS + 1] = (float)NAN;
    for (int32_t policy = KRAIT_NAN_PROPAGATE; policy <= KRAIT_NAN_HOLD; policy++) {
        krait_state *state = NULL;
        krait_input  input = { .size = sizeof input, .steps = ROWS, .features = u, .dt = dt };
        krait_output output = { .size = sizeof output, .rows = y, .capacity = 2 * ROWS * INPUTS };

        input.nan_policy = policy;
        memset(y, 0, sizeof y);
        CHECK_STATUS(krait_state_create(&state, s.model, &options, NULL), KRAIT_OK);
        CHECK_STATUS(krait_run(s.model, state, &input, &output, NULL),
                     policy == KRAIT_NAN_REFUSE ? KRAIT_ERR_ARGUMENT : KRAIT_OK);
        for (size_t i = 0; i < ROWS * INPUTS && policy != KRAIT_NAN_REFUSE; i++) {
            size_t t = i / INPUTS;

            CHECK_CLOSE((double)y[ROWS * INPUTS + i], (double)other[i], 0);
            if (t < BAD)
                CHECK_CLOSE((double)y[i], (double)expected[i], 0);
            else if (policy == KRAIT_NAN_PROPAGATE)
                CHECK(isnan(y[i]));
            else if (t > BAD)
                CHECK_CLOSE((double)y[i], (double)expected[i - INPUTS], 0);
        }
        krait_state_destroy(state, NULL);
    }
    krait_model_close(s.model);
}

TEST(time_rows_that_are_no_number)
{
    check_nan_rows("s5");
    check_nan_rows("s4d");
}

/* One state that turns for long: what a float lacks of its factor adds up over 20000 rows. */
TEST(time_close_to_the_unit_circle)
{
    enum { ROWS = 20000 };
    static const float  l_re = -1e-4f, l_im = 0.05f, zero = 0, one[2] = { 1, 0 }, less[2] = { 1, -2 };
    krait_tensor        tensors[] = { tensor_of("0.Lambda_re", &l_re, 1, 1, 0, 0),
                                      tensor_of("0.Lambda_im", &l_im, 1, 1, 0, 0),
                                      tensor_of("0.log_step", &zero, 1, 1, 0, 0), tensor_of("0.B", one, 3, 1, 1, 2),
                                      tensor_of("0.C", less, 3, 1, 1, 2) };
    krait_state_options options = { .size = sizeof options, .chunk = 5000 };
    float              *x = calloc(ROWS, sizeof *x), *y = malloc(ROWS * sizeof *y), *dt = malloc(ROWS * sizeof *dt);
    krait_model        *model = NULL;

    CHECK_STATUS(krait_model_create(&model, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":1},\"tree\":"
                                    "{\"sequence\":[{\"s5\":{\"states\":1,\"discretization\":\"dirac\"}}]}}", tensors, 5,
                                    NULL, NULL), KRAIT_OK);
    x[0] = 1;
    for (size_t t = 0; t < ROWS; t++)
        dt[t] = 0.7f;
    for (int32_t mode = KRAIT_RECURRENT; mode <= KRAIT_SCAN; mode += KRAIT_SCAN - KRAIT_RECURRENT) {
        krait_input  input = { .size = sizeof input, .steps = ROWS, .features = x, .dt = dt, .mode = mode };
        krait_output output = { .size = sizeof output, .rows = y, .capacity = ROWS };
        krait_state *state = NULL;
        double       worst = 0;

        CHECK_STATUS(krait_state_create(&state, model, &options, NULL), KRAIT_OK);
        CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
        for (size_t t = 0; t < ROWS; t++) {
            double time = (double)t * (double)dt[0], size = exp((double)l_re * time), angle = (double)l_im * time;

            worst = fmax(worst, fabs((double)y[t] - 2 * size * (cos(angle) + 2 * sin(angle))));
        }
        test_note("mode %d", (int)mode);
        CHECK_CLOSE(worst, 0.0, 5e-5);
        krait_state_destroy(state, NULL);
    }
    test_note("%s", "");
    krait_model_close(model);
    free(x), free(y), free(dt);
}

/* With lambda 0 a state adds up what comes in, times how long it was there. */
TEST(time_of_an_integrator)
{
    static const float  zero = 0, one[2] = { 1, 0 }, half[2] = { 0.5f, 0 };
    static const float  dt[6] = { 0.25f, 2, 1, 1e-12f, 3, 0 }, u[6] = { 1, 0.5f, -1, 1e12f, 0.25f, 100 };
    krait_tensor        tensors[] = { tensor_of("0.Lambda_re", &zero, 1, 1, 0, 0),
                                      tensor_of("0.Lambda_im", &zero, 1, 1, 0, 0),
                                      tensor_of("0.log_step", &zero, 1, 1, 0, 0), tensor_of("0.B", one, 3, 1, 1, 2),
                                      tensor_of("0.C", half, 3, 1, 1, 2) };
    float               y[6];
    double              sum = 0;
    krait_model        *model = NULL;
    krait_state        *state = NULL;
    krait_input  input = { .size = sizeof input, .steps = 6, .features = u, .dt = dt };
    krait_output output = { .size = sizeof output, .rows = y, .capacity = 6 };

    CHECK_STATUS(krait_model_create(&model, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":1},\"tree\":"
                                    "{\"sequence\":[{\"s5\":{\"states\":1}}]}}", tensors, 5, NULL, NULL), KRAIT_OK);
    CHECK_STATUS(krait_state_create(&state, model, NULL, NULL), KRAIT_OK);
    CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
    for (int t = 0; t < 6; t++) {
        sum += (double)dt[t] * (double)u[t];
        CHECK_CLOSE((double)y[t], sum, 1e-6);
    }
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}
