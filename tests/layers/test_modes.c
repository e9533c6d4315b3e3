/*
 * test_modes.c - SCAN and CONVOLUTION beside RECURRENT, for trees with and without a recurrence: close for any cut,
 * start, length, reset and number of lanes, and the same bits for any number of lanes, tasks and order of tasks.
 *
 * Rows are many: a scan of fewer than three segments of 128 rows is the recurrence itself, and so is a convolution of
 * fewer than 16 rows.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/build.h"
#include "krait.h"
#include "layers/tree.h"
#include "support/pool.h"
#include "support/random.h"
#include "test.h"

enum { ROWS = 700, STREAMS = 3, LANES = 5, MOST_CALLS = 3 };

/* Of the largest number of a stream, beside which rounding is to be seen. */
#define BOUND      2e-6
#define BOUND_FFT  5e-6     /* a transform's error is spread over its block */

enum { WHOLE = 1, TIMED = 2 };

/* Without a layer that convolves, or with dt, a model has no such mode. */
static const struct { const char *text; size_t features; int kind; } models[] = {
    { "selective_scan(inner=32 states=5 groups=2 dt_bias D)", 116, 0 },
    { "selective_scan(inner=7 states=3 gate=false softplus=false)", 20, 0 },
    { "selective_scan(inner=150 states=20 gate=false dt_bias)", 340, 0 },
    { "s4d(states=3)", 20, 0 },
    { "s4(slow states=4 rank=2 channels=2 l_kernel=20)", 20, 0 },
    { "s4d(slow states=20 with_b channels=2 discretization=bilinear rate=8)", 40, 0 },
    { "mamba2(heads=3 head_dim=16 states=16 conv_bias)", 8, 0 },
    { "residual[mamba2(heads=4 head_dim=20 states=70 groups=2 norm_size=40 D=channels init_states=true)]", 5, 0 },
    { "mamba2(heads=2 head_dim=80 states=5 norm=none dt_max=0.02)", 6, 0 },
    { "residual[mamba1(inner=40 states=16 rank=2 conv_bias)]", 8, 0 },
    { "sequence[linear(width=6), branches(merge=mean)[mamba1(inner=16 states=4 rank=2), "
      "reverse[mamba1(inner=16 states=4 rank=2)]], linear(width=3)]", 4, WHOLE },
    { "sequence[s4d(states=6 channels=3 fading), linear(width=4), residual[mamba1(inner=8 states=4 rank=2)], "
      "s4d(states=5 form=minimal)]", 18, 0 },
    { "sequence[linear(width=9), s4d(states=6 bidirectional=true channels=2)]", 7, WHOLE },
    { "sequence[branches(merge=concatenate)[linear(width=6), sequence[branches(merge=concatenate)[sequence["
      "linear(width=6), shift(states=6)], linear(width=6)], outer(head_dim=3), s4d(form=h3 states=18 tile=9)]], "
      "contract(head_dim=3)]", 4, 0 },
    { "s5(states=35)", 6, 0 },
    { "s5(states=140 slow)", 4, 0 },
    { "s5(states=35 liquid=true)", 6, 0 },
    { "s5(states=140 slow liquid=true)", 4, 0 },
    { "residual[lru(states=16 slow)]", 5, 0 },
    { "s5(states=35 initial)", 6, TIMED },
    { "s5(states=140 slow discretization=bilinear)", 4, TIMED },
    { "s5(states=17 discretization=async)", 4, TIMED },
    { "s4d(states=3 initial)", 20, TIMED },
    { "s4d(states=20 with_b channels=2 rate=0.5)", 40, TIMED },
    { "lru(states=20 fading)", 5, 0 },
    { "s4d(states=7 fading discretization=bilinear)", 33, 0 },
    { "sequence[conv(taps=4), linear(width=6), activation(kind=silu)]", 5, 0 },
};

/* One model, and what RECURRENT makes of every stream in one call. */
typedef struct modal {
    tree         tree;
    krait_model *model;
    size_t       in, out, numbers;      /* numbers: floats of the state's parts */
    int          whole, fades;
    float       *features;              /* [STREAMS][ROWS][in] */
    uint8_t     *reset;                 /* [STREAMS][ROWS] */
    float       *dt;                    /* [STREAMS][ROWS], or NULL */
    float       *expected;              /* [STREAMS][ROWS][out] */
    float       *left;                  /* [STREAMS][numbers]: the states behind them */
    double       scale[STREAMS];
} modal;

/* ---- running --------------------------------------------------------------------------------------------- */

typedef struct manner {
    int32_t           mode;
    size_t            lanes, chunk;
    uint32_t          tasks;
    krait_parallel_fn parallel;
    void             *user;
    size_t            calls[MOST_CALLS];    /* rows of each; the first is all in whole-sequence models */
} manner;

static void forwards(void *user, krait_task_fn task, void *argument, size_t count)
{
    (void)user;
    for (size_t i = 0; i < count; i++)
        task(argument, i);
}

static void backwards(void *user, krait_task_fn task, void *argument, size_t count)
{
    (void)user;
    while (count-- > 0)
        task(argument, count);
}

/* The numbers of all parts of a lane. */
static size_t parts_of(const modal *m, const krait_state *state, int32_t lane, float *numbers)
{
    krait_part part = { .size = sizeof part };
    size_t     count = 0;

    for (size_t i = 0; krait_part_info(m->model, i, &part) == KRAIT_OK; i++) {
        size_t n = 1;

        for (int d = 0; d < part.dimensions; d++)
            n *= (size_t)part.shape[d];
        if (numbers)
            CHECK_STATUS(krait_part_read(m->model, state, i, lane, numbers + count, n), KRAIT_OK);
        count += n;
    }
    return count;
}

/* Call after call of all lanes, lane i being stream i % STREAMS: [lanes][ROWS][out] and [lanes][numbers]. */
static void run(const modal *m, const manner *how, float *out, float *left)
{
    krait_state_options options = { .size = sizeof options, .lanes = (uint32_t)how->lanes, .tasks = how->tasks };
    krait_state        *state;
    size_t              done = 0;

    options.chunk = (uint32_t)how->chunk;
    options.max_steps = m->whole ? ROWS : 0;
    if (!CHECK_STATUS(krait_state_create(&state, m->model, &options, NULL), KRAIT_OK))
        return;
    for (size_t call = 0; call < MOST_CALLS && done < ROWS; call++) {
        size_t       n = m->whole ? ROWS : kr_min(how->calls[call], ROWS - done);
        float       *x = malloc(how->lanes * n * m->in * 4), *y = malloc(how->lanes * n * m->out * 4);
        uint8_t     *reset = malloc(how->lanes * n);
        float       *dt = malloc(how->lanes * n * 4);
        krait_input  input = { .size = sizeof input, .steps = n, .features = x, .reset = reset, .mode = how->mode,
                               .parallel = how->parallel, .parallel_user = how->user };
        krait_output output = { .size = sizeof output, .rows = y, .capacity = how->lanes * n * m->out };

        for (size_t lane = 0; lane < how->lanes; lane++) {
            size_t from = lane % STREAMS * ROWS + done;

            memcpy(x + lane * n * m->in, m->features + from * m->in, n * m->in * 4);
            memcpy(reset + lane * n, m->reset + from, n);
            if (m->dt)
                memcpy(dt + lane * n, m->dt + from, n * 4);
        }
        input.dt = m->dt ? dt : NULL;
        CHECK_STATUS(krait_run(m->model, state, &input, &output, NULL), KRAIT_OK);
        CHECK_INT(output.mode_used, how->mode);
        for (size_t lane = 0; lane < how->lanes; lane++)
            memcpy(out + (lane * ROWS + done) * m->out, y + lane * n * m->out, n * m->out * 4);
        done += n;
        free(x), free(y), free(reset), free(dt);
    }
    for (size_t lane = 0; lane < how->lanes; lane++)
        parts_of(m, state, (int32_t)lane, left + lane * m->numbers);
    krait_state_destroy(state, NULL);
}

/* ---- models ----------------------------------------------------------------------------------------------- */

static void make_streams(modal *m, uint64_t seed)
{
    kr_random random = kr_random_from(seed);

    m->features = malloc(STREAMS * ROWS * m->in * 4);
    m->reset = calloc(STREAMS, ROWS);
    m->expected = malloc(STREAMS * ROWS * m->out * 4);
    m->left = malloc((STREAMS * m->numbers + 1) * 4);
    for (size_t i = 0; i < STREAMS * ROWS * m->in; i++)
        m->features[i] = kr_random_unit(&random);
    for (size_t r = 0; strstr(m->tree.json, "softplus\":false") && r < STREAMS * ROWS; r++)
        for (size_t c = 7; c < 14; c++)                 /* times as they are: most of them short */
            m->features[r * m->in + c] = 0.1f * fabsf(m->features[r * m->in + c]);
    m->reset[ROWS] = m->reset[ROWS + 5] = m->reset[ROWS + 6] = m->reset[ROWS + 406] = 1;
    m->reset[2 * ROWS + 130] = m->reset[2 * ROWS + ROWS - 1] = 1;
}

/* Times of their own, of two sizes, and steps; an episode of steps alone. */
static void make_times(modal *m, uint64_t seed)
{
    kr_random random = kr_random_from(seed);

    m->dt = malloc(STREAMS * ROWS * 4);
    for (size_t r = 0; r < STREAMS * ROWS; r++) {
        uint32_t kind = r / 50 % 3;

        m->dt[r] = kind == 0 ? 1.0f + 0.9f * kr_random_unit(&random) : kr_random_u32(&random) % 3 ? 1.0f : 0.25f;
        if (kind == 2 || (r >= ROWS && r < ROWS + 406))
            m->dt[r] = 1;
    }
}

static int modal_made(modal *m, size_t i)
{
    manner        once = { KRAIT_RECURRENT, STREAMS, ROWS, 1, NULL, NULL, { ROWS } };
    krait_message why;
    int64_t       in = 0, out = 0;

    *m = (modal){ .whole = models[i].kind == WHOLE, .fades = strstr(models[i].text, "fading") != NULL };
    test_note("%.150s", models[i].text);
    if (!CHECK(tree_make(&m->tree, models[i].text, 0, models[i].features, KRAIT_F32, 50 + i)))
        return 0;
    krait_model_create(&m->model, m->tree.json, m->tree.tensors, m->tree.n_tensors, NULL, &why);
    if (!CHECK_STR(why.text, ""))
        return 0;
    krait_model_get(m->model, KRAIT_IN_WIDTH, &in);
    krait_model_get(m->model, KRAIT_OUT_WIDTH, &out);
    m->in = (size_t)in;
    m->out = (size_t)out;
    m->numbers = parts_of(m, NULL, 0, NULL);
    make_streams(m, 60 + i);
    if (models[i].kind == TIMED)
        make_times(m, 70 + i);
    run(m, &once, m->expected, m->left);
    for (size_t k = 0; k < STREAMS * ROWS * m->out; k++)
        m->scale[k / (ROWS * m->out)] = fmax(m->scale[k / (ROWS * m->out)], fabs((double)m->expected[k]));
    return 1;
}

static void modal_free(modal *m)
{
    krait_model_close(m->model);
    tree_free(&m->tree);
    free(m->features), free(m->reset), free(m->dt), free(m->expected), free(m->left);
}

/* ---- close -------------------------------------------------------------------------------------------------- */

static int32_t tried;                   /* KRAIT_SCAN or KRAIT_CONVOLUTION */
static size_t others;                   /* numbers that were other bits: a scan did run */

static void check_close(const modal *m, const manner *how)
{
    float *out = malloc(how->lanes * ROWS * m->out * 4), *left = malloc((how->lanes * m->numbers + 1) * 4);
    double bound = how->mode == KRAIT_CONVOLUTION ? BOUND_FFT : BOUND;

    run(m, how, out, left);
    for (size_t lane = 0; lane < how->lanes; lane++) {
        size_t        stream = lane % STREAMS;
        const float  *y = m->expected + stream * ROWS * m->out, *h = m->left + stream * m->numbers;

        for (size_t i = 0; i < ROWS * m->out; i++) {
            others += out[lane * ROWS * m->out + i] != y[i];
            if (!CHECK_CLOSE((double)out[lane * ROWS * m->out + i], (double)y[i], bound * m->scale[stream]))
                break;
        }
        for (size_t i = 0; i < m->numbers; i++)
            if (!CHECK_CLOSE((double)left[lane * m->numbers + i], (double)h[i],
                             bound * (fabs((double)h[i]) + m->scale[stream])))
                break;
    }
    free(out), free(left);
}

static void check_manners(const modal *m)
{
    static const size_t chunks[] = { ROWS, 300, 257, 129, 1 };
    static const size_t calls[][MOST_CALLS] = { { ROWS }, { 257, 1, 500 }, { 1, 690, 9 } };
    size_t              before = others;

    for (size_t chunk = 0; chunk < 5; chunk++)
        for (size_t call = 0; call < 3; call++)
            for (size_t lanes = 1; lanes <= LANES; lanes += 2) {
                manner how = { tried, lanes, chunks[chunk], 2, forwards, NULL, { 0 } };

                memcpy(how.calls, calls[call], sizeof how.calls);
                check_close(m, &how);
            }
    if (tried != KRAIT_SCAN || !m->fades)       /* else what a segment begins with hardly matters */
        CHECK((others > before) == (!strstr(m->tree.json, "conv\"") && (tried != KRAIT_SCAN || !strstr(m->tree.json, "\"s4\""))));
}

/* The models that have the mode. */
static void with_mode(int32_t mode, void (*check)(const modal *m))
{
    tried = mode;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        int   convolves = (strstr(models[i].text, "s4") || strstr(models[i].text, "s5") || strstr(models[i].text, "lru"))
                          && !strstr(models[i].text, "liquid") && models[i].kind != TIMED;
        modal m;

        if (mode == KRAIT_CONVOLUTION && !convolves)
            continue;
        if (modal_made(&m, i))
            check(&m);
        modal_free(&m);
    }
    test_note("%s", "");
}

TEST(modes_scan_is_close_to_recurrent)
{
    others = 0;
    with_mode(KRAIT_SCAN, check_manners);
}

TEST(modes_convolution_is_close_to_recurrent)
{
    others = 0;
    with_mode(KRAIT_CONVOLUTION, check_manners);
}

/* ---- the same bits ------------------------------------------------------------------------------------------- */

static void check_equal(const modal *m, const manner *how, const float *first, const float *left)
{
    float *out = malloc(LANES * ROWS * m->out * 4), *other = malloc((LANES * m->numbers + 1) * 4);

    run(m, how, out, other);
    for (size_t lane = 0; lane < how->lanes; lane++) {
        size_t stream = lane % STREAMS;

        CHECK_BYTES(out + lane * ROWS * m->out, first + stream * ROWS * m->out, ROWS * m->out * 4);
        CHECK_BYTES(other + lane * m->numbers, left + stream * m->numbers, m->numbers * 4);
    }
    free(out), free(other);
}

/* One lane and one task against many, of each stream; at last on threads, whose rooms are their own. */
static void check_same(const modal *m)
{
    static const struct { uint32_t tasks; krait_parallel_fn parallel; } hosts[] = {
        { 1, NULL }, { 1, forwards }, { 2, forwards }, { 5, forwards }, { 5, backwards }, { 64, backwards },
    };
    float *first = malloc(STREAMS * ROWS * m->out * 4), *left = malloc((STREAMS * m->numbers + 1) * 4);
    pool  *threads = pool_start(2);
    manner how = { tried, STREAMS, ROWS, 1, NULL, NULL, { 350, 350 } };

    run(m, &how, first, left);
    for (size_t host = 0; host < sizeof hosts / sizeof *hosts; host++)
        for (how.lanes = 1; how.lanes <= LANES; how.lanes += 4) {
            how.tasks = hosts[host].tasks;
            how.parallel = hosts[host].parallel;
            check_equal(m, &how, first, left);
        }
    how.user = threads;
    how.parallel = pool_run;
    how.tasks = 3;
    for (int i = 0; threads && i < 3; i++)
        check_equal(m, &how, first, left);
    if (threads)
        pool_end(threads);
    free(first), free(left);
}

TEST(modes_scan_is_the_same_for_any_tasks_and_lanes)
{
    with_mode(KRAIT_SCAN, check_same);
}

TEST(modes_convolution_is_the_same_for_any_tasks_and_lanes)
{
    with_mode(KRAIT_CONVOLUTION, check_same);
}

/* ---- NaN ------------------------------------------------------------------------------------------------------ */

/* A row that is no number spoils the rows that RECURRENT spoils, and no others. */
static void check_nan(const modal *m)
{
    static const float odd[] = { NAN, INFINITY, -INFINITY };
    manner             how = { KRAIT_RECURRENT, STREAMS, ROWS, 2, backwards, NULL, { ROWS } };
    size_t             count = STREAMS * ROWS * m->out;
    float             *a = malloc(count * 4), *b = malloc(count * 4), *left = malloc((STREAMS * m->numbers + 1) * 4);

    for (size_t k = 0; k < 3; k++) {
        size_t at = ((k * ROWS) + 140 + 60 * k) * m->in + 2 * k;
        float  kept = m->features[at];
        size_t spoilt = 0;

        m->features[at] = odd[k];
        how.mode = KRAIT_RECURRENT;
        run(m, &how, a, left);
        how.mode = tried;
        run(m, &how, b, left);
        for (size_t i = 0; i < count; i++) {
            spoilt += !isfinite(a[i]);
            if (!CHECK((isnan(a[i]) != 0) == (isnan(b[i]) != 0) && isinf(a[i]) == isinf(b[i])))
                break;
        }
        CHECK(spoilt > 0 || k > 0);
        m->features[at] = kept;
    }
    free(a), free(b), free(left);
}

TEST(modes_scan_spoils_the_same_rows)
{
    with_mode(KRAIT_SCAN, check_nan);
}

TEST(modes_convolution_spoils_the_same_rows)
{
    with_mode(KRAIT_CONVOLUTION, check_nan);
}
