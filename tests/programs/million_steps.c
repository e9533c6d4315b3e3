/*
 * million_steps.c - a million steps of a tiny model allocate nothing, and steps and runs call the
 * system for nothing.
 *
 * The linker puts the functions below in the place of malloc and its like (million_steps.flags).  The
 * second part runs in a child under strict seccomp, where every system call but read, write and
 * exit is death.
 */
#define _GNU_SOURCE

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#ifndef SECCOMP_MODE_STRICT
#define SECCOMP_MODE_STRICT 1           /* linux/seccomp.h is not there for musl-gcc */
#endif
#endif

#include "krait.h"
#include "support/tiny.h"

enum { STEPS = 1000000, STRICT_STEPS = 100000, LANES = 2, ROWS = 400, VOCABULARY = 17, SKIPPED = 77 };

static volatile unsigned long allocations;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void  __real_free(void *block);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void  __wrap_free(void *block);

void *__wrap_malloc(size_t bytes)
{
    allocations++;
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    allocations++;
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *block, size_t bytes)
{
    allocations++;
    return __real_realloc(block, bytes);
}

void __wrap_free(void *block)
{
    allocations++;
    __real_free(block);
}

/* What a real-time thread may call, each with all its arguments ready. */
typedef struct work {
    krait_model  *model;
    krait_state  *state, *other;
    int32_t       tokens[LANES * ROWS];
    uint32_t      lengths[LANES];
    uint8_t       reset[LANES * ROWS];
    float         rows[LANES * ROWS * VOCABULARY], part[4096];
    unsigned char saved[65536];
    krait_part    about;
    krait_rng     rng;
} work;

static int32_t go_on(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return 0;
}

static krait_status step(work *w, size_t i)
{
    int32_t tokens[LANES];

    for (size_t lane = 0; lane < LANES; lane++)
        tokens[lane] = (int32_t)((i * 7 + lane * 3) % VOCABULARY);
    return krait_step_tokens(w->model, w->state, tokens, w->rows);
}

static krait_status run(work *w)
{
    krait_input   input = { .size = sizeof input, .steps = ROWS, .tokens = w->tokens, .lengths = w->lengths,
                            .reset = w->reset, .progress = go_on };
    krait_output  output = { .size = sizeof output, .rows = w->rows, .capacity = sizeof w->rows / sizeof *w->rows };
    krait_message message;
    krait_status  status = KRAIT_OK;

    for (output.which = KRAIT_ROWS_ALL; status == KRAIT_OK && output.which <= KRAIT_ROWS_NONE; output.which++)
        status = krait_run(w->model, w->state, &input, &output, &message);
    input.mode = KRAIT_SCAN;
    output.which = KRAIT_ROWS_ALL;
    if (status == KRAIT_OK)
        status = krait_run(w->model, w->state, &input, &output, &message);
    if (status == KRAIT_OK) {                   /* nor does a refusal */
        input.mode = KRAIT_CONVOLUTION;
        if (krait_run(w->model, w->state, &input, &output, &message) != KRAIT_ERR_UNSUPPORTED)
            status = KRAIT_ERR_ARGUMENT;
    }
    return status;
}

/* Everything else that is promised to allocate nothing. */
static krait_status look_after(work *w)
{
    krait_message message;
    krait_state  *adopted;
    uint64_t      hash;
    size_t        bytes = 0, data;
    int32_t       token;
    size_t        numbers = (size_t)(w->about.shape[0] * w->about.shape[1]);
    krait_sample_options options = { .size = sizeof options, .temperature = 1, .top_p = 0.9f, .min_p = 0.01f,
                                     .top_k = 5 };
    krait_status  status;

    if ((status = krait_state_save(w->model, w->state, KRAIT_ALL_LANES, w->saved, sizeof w->saved, &bytes)) ||
        (status = krait_state_load(w->model, w->other, KRAIT_ALL_LANES, w->saved, bytes, &message)) ||
        (status = krait_state_copy(w->model, w->other, 0, w->state, 1)) ||
        (status = krait_state_copy(w->model, w->state, KRAIT_ALL_LANES, w->other, KRAIT_ALL_LANES)) ||
        (status = krait_state_hash(w->model, w->state, KRAIT_ALL_LANES, &hash)) ||
        (status = krait_state_reset(w->model, w->other, 1)) ||
        (status = krait_state_adopt(&adopted, w->model, w->state, SIZE_MAX)) ||
        (status = krait_part_info(w->model, 0, &w->about)) ||
        (status = krait_part_read(w->model, w->state, 0, 0, w->part, numbers)) ||
        (status = krait_part_write(w->model, w->state, 0, 1, w->part, numbers)) ||
        (status = krait_sample(w->rows, VOCABULARY, &options, &w->rng, &token)))
        return status;
    w->saved[bytes / 2] ^= 1;
    if (krait_state_load(w->model, w->other, KRAIT_ALL_LANES, w->saved, bytes, &message) != KRAIT_ERR_FORMAT)
        return KRAIT_ERR_ARGUMENT;
    return krait_state_data(w->state, &data) ? KRAIT_OK : KRAIT_ERR_ARGUMENT;
}

static void work_start(work *w)
{
    tiny               *t = tiny_make(&(tiny_sizes){ .vocabulary = VOCABULARY, .width = 8, .inner = 16 }, 1);
    krait_state_options options = { .size = sizeof options, .lanes = LANES, .chunk = 350 };

    w->model = tiny_model(t);
    tiny_free(t);
    if (!w->model || krait_state_create(&w->state, w->model, &options, NULL) != KRAIT_OK ||
        krait_state_create(&w->other, w->model, &options, NULL) != KRAIT_OK)
        abort();
    for (size_t i = 0; i < LANES * ROWS; i++) {
        w->tokens[i] = (int32_t)(i % VOCABULARY);
        w->reset[i] = i == 77 || i == ROWS;
    }
    w->lengths[0] = ROWS;
    w->lengths[1] = ROWS / 3;
    w->about.size = sizeof w->about;
    if (krait_part_info(w->model, 0, &w->about) != KRAIT_OK)
        abort();
    krait_rng_seed(&w->rng, 1);
}

static int failed(const char *what, krait_status status)
{
    printf("%s: %s\n", what, krait_status_text(status));
    return 1;
}

/* In this process, counting. */
static int allocates_nothing(work *w)
{
    unsigned long before = allocations;
    krait_status  status = KRAIT_OK;

    if (before == 0) {
        printf("malloc is not counted: was it not wrapped?\n");
        return 1;
    }
    for (size_t i = 0; i < STEPS && status == KRAIT_OK; i++)
        status = step(w, i);
    if (status == KRAIT_OK)
        status = run(w);
    if (status == KRAIT_OK)
        status = look_after(w);
    if (status != KRAIT_OK)
        return failed("step, run or look after", status);
    if (allocations != before) {
        printf("malloc, calloc, realloc or free was called %lu times\n", allocations - before);
        return 1;
    }
    return 0;
}

#if defined(__linux__) && defined(SYS_exit)

static void leave(int status)
{
    for (;;)                    /* exit() and _exit() call exit_group, which is not allowed */
        syscall(SYS_exit, status);
}

static void live_strictly(work *w)
{
    krait_status status = KRAIT_OK;

    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        _exit(SKIPPED);
    for (size_t i = 0; i < STRICT_STEPS && status == KRAIT_OK; i++)
        status = step(w, i);
    if (status == KRAIT_OK)
        status = run(w);
    if (status == KRAIT_OK)
        status = look_after(w);
    leave(status == KRAIT_OK ? 0 : 1);
}

static int calls_no_system(work *w)
{
    int   status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0)
        live_strictly(w);
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("fork");
        return 1;
    }
    if (WIFSIGNALED(status)) {
        printf("a system call was made under strict seccomp (signal %d)\n", WTERMSIG(status));
        return 1;
    }
    if (WEXITSTATUS(status) == SKIPPED)
        printf("strict seccomp is not available here\n");
    return WEXITSTATUS(status);
}

#else

static int calls_no_system(work *w)
{
    (void)w;
    printf("strict seccomp is Linux's\n");
    return SKIPPED;
}

#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

int main(void)
{
#ifdef SANITIZED
    (void)allocates_nothing;
    (void)calls_no_system;
    (void)work_start;
    printf("sanitizers allocate and call the system themselves\n");
    return SKIPPED;
#else
    static work w;
    int         result;

    work_start(&w);
    result = allocates_nothing(&w);
    if (result == 0)
        result = calls_no_system(&w);
    krait_state_destroy(w.state, NULL);
    krait_state_destroy(w.other, NULL);
    krait_model_close(w.model);
    return result;
#endif
}
