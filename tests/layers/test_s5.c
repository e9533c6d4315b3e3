/*
 * test_s5.c - the trained S5 classifier against the official code in double precision: in all modes,
 * for any cut and number of lanes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/build.h"
#include "krait.h"
#include "support/npz.h"
#include "test.h"

enum { WINDOWS = 32, STEPS = 128, ROWS = WINDOWS * STEPS, INPUTS = 9, CLASSES = 6, LANES = 3 };

/* Of the largest value: 1.94e-7 is what it is off by, 4e-5 the official code in float32. */
#define BOUND 1e-6

/* The windows as one stream of measurements: the reference has them with mean and deviation taken out. */
static float *measured(const npz *reference, const krait_model *model)
{
    static const double mean[INPUTS] = {
        -0.000565810187254101, 0.00040949834510684013, -0.000569171505048871, 0.006330196280032396,
        -0.0027644711080938578, -0.0009449589415453374, 0.8059371113777161, 0.023011911660432816, 0.08340712636709213
    };
    static const double std[INPUTS] = {
        0.19442139565944672, 0.12401124835014343, 0.10788597166538239, 0.40646496415138245, 0.37913060188293457,
        0.2543380856513977, 0.4119361937046051, 0.39052814245224, 0.35963958501815796
    };
    npz_array x = npz_get(reference, "x");
    float    *rows = malloc(ROWS * INPUTS * sizeof *rows);
    int64_t   in = 0, out = 0;

    CHECK_STATUS(krait_model_get(model, KRAIT_IN_WIDTH, &in), KRAIT_OK);
    CHECK_STATUS(krait_model_get(model, KRAIT_OUT_WIDTH, &out), KRAIT_OK);
    if (!CHECK(x.count == ROWS * INPUTS && in == INPUTS && out == CLASSES)) {
        free(rows);
        return NULL;
    }
    for (size_t i = 0; i < ROWS * INPUTS; i++)
        rows[i] = (float)(npz_number(&x, i) * std[i % INPUTS] + mean[i % INPUTS]);
    return rows;
}

/* Lane l plays the windows from l on, in calls of 'cut' rows: [lanes][WINDOWS][CLASSES], of their last rows. */
static void play(const krait_model *model, const float *rows, int32_t mode, size_t lanes, size_t cut, float *out)
{
    krait_state_options options = { .size = sizeof options, .lanes = (uint32_t)lanes, .tasks = 3 };
    krait_state        *state = NULL;
    float              *x = malloc(lanes * cut * INPUTS * sizeof *x), *y = malloc(lanes * cut * CLASSES * sizeof *y);
    uint8_t            *reset = malloc(lanes * cut);

    CHECK_STATUS(krait_state_create(&state, model, &options, NULL), KRAIT_OK);
    for (size_t from = 0; from < ROWS; from += cut) {
        size_t       n = kr_min(cut, ROWS - from);
        krait_input  input = { .size = sizeof input, .steps = n, .features = x, .reset = reset, .mode = mode };
        krait_output output = { .size = sizeof output, .rows = y, .capacity = lanes * n * CLASSES };

        for (size_t lane = 0; lane < lanes; lane++)
            for (size_t i = 0; i < n; i++) {
                memcpy(x + (lane * n + i) * INPUTS, rows + (from + i + lane * STEPS) % ROWS * INPUTS, INPUTS * sizeof *x);
                reset[lane * n + i] = (from + i) % STEPS == 0;
            }
        if (!CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK))
            break;
        CHECK_INT(output.mode_used, mode);
        for (size_t lane = 0; lane < lanes; lane++)
            for (size_t i = 0; i < n; i++)
                if ((from + i) % STEPS == STEPS - 1)
                    memcpy(out + (lane * WINDOWS + (from + i) / STEPS) * CLASSES, y + (lane * n + i) * CLASSES,
                           CLASSES * sizeof *out);
    }
    krait_state_destroy(state, NULL);
    free(x), free(y), free(reset);
}

static void compare(const npz *reference, const float *out, size_t lanes)
{
    npz_array truth = npz_get(reference, "log_probs");
    double    scale = 0, worst = 0;

    if (!CHECK(truth.count == WINDOWS * CLASSES))
        return;
    for (size_t i = 0; i < truth.count; i++)
        scale = fmax(scale, fabs(npz_number(&truth, i)));
    for (size_t lane = 0; lane < lanes; lane++)
        for (size_t i = 0; i < truth.count; i++) {
            double off = fabs((double)out[lane * truth.count + i] - npz_number(&truth, (i + lane * CLASSES) % truth.count));

            worst = fmax(worst, isnan(off) ? INFINITY : off);
        }
    CHECK_CLOSE(worst / scale, 0.0, BOUND);
}

static void check_har(const krait_model *model, const npz *reference)
{
    static const size_t  cuts[] = { 1, 37, ROWS };
    static const int32_t modes[] = { KRAIT_RECURRENT, KRAIT_SCAN, KRAIT_CONVOLUTION };
    static const char   *names[] = { "RECURRENT", "SCAN", "CONVOLUTION" };
    float               *rows = measured(reference, model), out[LANES * WINDOWS * CLASSES];

    for (size_t m = 0; rows && m < 3; m++)
        for (size_t lanes = 1; lanes <= LANES; lanes += 2)
            for (size_t c = 0; c < 3; c++) {
                test_note("%s, %zu lanes, calls of %zu rows", names[m], lanes, cuts[c]);
                memset(out, 0xff, sizeof out);
                play(model, rows, modes[m], lanes, cuts[c], out);
                compare(reference, out, lanes);
            }
    test_note("%s", "");
    free(rows);
}

TEST(s5_har)
{
    const char   *folder = test_shared("models/s5-har");
    const char   *path = test_shared("models/s5-har/reference64.npz");
    krait_model  *model = NULL;
    krait_message why = { "" };
    npz           reference;

    if (!folder || !path)
        SKIP("no ../shared/models/s5-har (or in $KRAIT_SHARED)");
    if (CHECK(npz_open(&reference, path)) && CHECK_STATUS(krait_model_open(&model, folder, NULL, &why), KRAIT_OK))
        check_har(model, &reference);
    CHECK_STR(why.text, "");
    krait_model_close(model);
    npz_close(&reference);
}
