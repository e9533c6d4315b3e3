/*
 * test_tasks.c - trees of every registered type cut into tasks: the same bits, whoever runs them in
 * whatever order; few fork-joins; none for small work.
 */
#include <stdlib.h>

#include "layers/subject.h"
#include "model/model.h"
#include "test.h"

/* ---- the same bits ------------------------------------------------------------------------- */

static host_kind kind_now;

static void run_all(const subject *s)
{
    check_ragged(s);
    check_steps(s);
}

static void run_whole_all(const subject *s)
{
    check_whole_ragged(s);
    check_whole_episodes(s);
}

/* All work is cut that can be. */
static void check_host(const subject *s)
{
    subject cut = *s;
    host    by;

    if (!CHECK(host_start(&by, kind_now, 5)))
        return;
    s->model->task_work = 1;
    cut.host = &by;
    for (cut.tasks = 2; cut.tasks <= 5; cut.tasks += 3)
        (s->whole ? run_whole_all : run_all)(&cut);
    s->model->task_work = 0;
    CHECK_INT(atomic_load(&by.spoiled), 0);
    host_end(&by);
}

static void check_kind(host_kind kind)
{
    kind_now = kind;
    with_all(check_host);
}

TEST(layers_tasks_backwards)          { check_kind(HOST_BACKWARDS); }
TEST(layers_tasks_shuffled)           { check_kind(HOST_SHUFFLED); }
TEST(layers_tasks_one_thread_more)    { check_kind(HOST_POOL_1); }
TEST(layers_tasks_three_threads_more) { check_kind(HOST_POOL_3); }
TEST(layers_tasks_without_callback)   { check_kind(HOST_NONE); }

/* ---- fork-joins ------------------------------------------------------------------------------ */

static void check_small(const subject *s)
{
    subject small = *s;
    host    by;

    host_start(&by, HOST_BACKWARDS, 0);
    small.host = &by;
    small.tasks = 8;
    (s->whole ? run_whole_all : run_all)(&small);
    CHECK_U64(by.calls, 0);
    host_end(&by);
}

/* One token of a small model: the weights of a layer are read sooner than threads are woken. */
static void check_shipped(void)
{
    krait_state_options options = { .size = sizeof options, .tasks = 8 };
    krait_input         input = { .size = sizeof input, .steps = 1 };
    krait_output        output = { .size = sizeof output };
    int32_t             token = 'a';
    float               logits[256];
    krait_model        *model = NULL;
    krait_state        *state = NULL;
    host                by;

    host_start(&by, HOST_BACKWARDS, 0);
    CHECK_STATUS(krait_model_open(&model, test_data("examples/models/mamba-novels.gguf"), NULL, NULL), KRAIT_OK);
    CHECK_STATUS(krait_state_create(&state, model, &options, NULL), KRAIT_OK);
    host_give(&by, &input);
    input.tokens = &token;
    output.rows = logits;
    output.capacity = 256;
    CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
    CHECK_U64(by.calls, 0);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    host_end(&by);
}

TEST(layers_tasks_are_not_worth_it)
{
    with_all(check_small);
    check_shipped();
}

/* 'calls' fork-joins of a pass over 23 rows in which everything is cut. */
typedef struct forks {
    subject_case made_of;
    size_t       calls;
} forks;

static const forks fork_cases[] = {
    { { "linear(width=100)", 0, 40, KRAIT_F32 }, 1 },
    { { "linear(width=16)", 0, 40, KRAIT_F32 }, 1 },
    { { "linear(width=200)", 0, 64, KRAIT_Q8_0 }, 1 },
    { { "conv(taps=4)", 0, 40, KRAIT_F32 }, 1 },
    { { "rms_norm", 0, 40, KRAIT_F32 }, 1 },
    { { "residual[activation(kind=silu)]", 0, 40, KRAIT_F32 }, 2 },
    { { "mamba1(inner=200 rank=7)", 0, 40, KRAIT_F32 }, 4 },
    { { "mamba1(inner=128 rank=7)", 0, 64, KRAIT_Q8_0 }, 5 },
    { { "sequence[rms_norm, mamba1(inner=128 rank=32)]", 0, 64, KRAIT_Q8_0 }, 7 },
    { { "mamba2(heads=4 head_dim=32 states=16)", 0, 64, KRAIT_F32 }, 4 },
    { { "mamba2(heads=4 head_dim=32 states=16)", 0, 64, KRAIT_Q8_0 }, 5 },
    { { "mamba2(heads=4 head_dim=10 states=16)", 0, 64, KRAIT_F32 }, 5 },
};

static void run_once(const subject *s, size_t steps)
{
    lanes    l = lanes_made(s, 1, STEPS);
    uint32_t length = (uint32_t)steps;

    advance_which(&l, &length, KRAIT_ROWS_ALL);
    lanes_free(&l);
}

TEST(layers_tasks_are_few)
{
    for (size_t i = 0; i < sizeof fork_cases / sizeof *fork_cases; i++) {
        subject s;
        host    by;

        host_start(&by, HOST_BACKWARDS, 0);
        if (subject_made(&s, &fork_cases[i].made_of, 70 + i)) {
            s.model->task_work = 1;
            s.host = &by;
            s.tasks = 2;
            run_once(&s, STEPS);
            CHECK_U64(by.calls, fork_cases[i].calls);
            CHECK_U64(by.tasks, 2 * by.calls);
        }
        subject_free(&s);
        host_end(&by);
    }
}

/* One row of a matrix that takes longer to be read than threads to be woken: 1.5 million units of work a task. */
TEST(layers_tasks_of_large_work)
{
    static const subject_case large = { "linear(width=1024)", 0, 768, KRAIT_F32 };
    subject                   s;
    host                      by;

    host_start(&by, HOST_BACKWARDS, 0);
    if (subject_made(&s, &large, 90)) {
        s.host = &by;
        s.tasks = 8;
        run_once(&s, 1);
        CHECK_U64(by.calls, 1);
        CHECK_U64(by.tasks, 4);
    }
    subject_free(&s);
    host_end(&by);
}
