/*
 * job_system.c - krait on the workers that a game engine has anyway: no thread of its own, no lock in a step.
 *
 *     job_system [WORKERS [MODEL]]
 *
 *     a prompt of 2000 tokens on 1 worker: 0.559 s
 *     on 4 workers: 0.519 s, 1.1 times as fast; 630 calls of parallel(), 2220 tasks
 *     beside them the workers did 1500 jobs of the game
 *     the same logits, bit for bit
 *
 * (On two cores that others used too, which leaves little for four workers.)
 *
 * krait_run() hands pieces of its work to the function 'parallel' of its input, which is to call each once and to return
 * when all are done: on whatever threads, in whatever order, one after another if need be.  Here they become jobs in a
 * queue that also has the engine's own jobs; the thread that waits takes jobs, too, so nothing can wait for ever.  Where
 * no thread can be started the caller does it all.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "krait.h"

enum { MOST_WORKERS = 64, QUEUE = 1024, PROMPT = 2000, CHUNK = 128, GAME_JOBS = 1500 };

/* Calls run(argument, index); the last of its group says so. */
struct job {
    krait_task_fn run;
    void         *argument;
    size_t        index, *left;
};

struct engine {
    pthread_mutex_t lock;
    pthread_cond_t  more, done;
    struct job      queue[QUEUE];           /* a ring */
    size_t          first, count;
    int             stop;
    pthread_t       worker[MOST_WORKERS];
    size_t          workers;
    size_t          calls, tasks;           /* of krait */
    unsigned long   game[GAME_JOBS];        /* what the game's jobs made */
    size_t          game_left;
};

/* With the lock held; it is let go while the job runs. */
static void take_job(struct engine *e)
{
    struct job job = e->queue[e->first];

    e->first = (e->first + 1) % QUEUE;
    e->count--;
    pthread_mutex_unlock(&e->lock);
    job.run(job.argument, job.index);
    pthread_mutex_lock(&e->lock);
    if (--*job.left == 0)
        pthread_cond_broadcast(&e->done);
}

static void *work(void *user)
{
    struct engine *e = user;

    pthread_mutex_lock(&e->lock);
    while (!e->stop) {
        if (e->count)
            take_job(e);
        else
            pthread_cond_wait(&e->more, &e->lock);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

/* With the lock held.  A full queue does jobs until it has room. */
static void add_jobs(struct engine *e, krait_task_fn run, void *argument, size_t count, size_t *left)
{
    size_t i;

    *left = count;
    for (i = 0; i < count; i++) {
        struct job *job;

        while (e->count == QUEUE)
            take_job(e);
        job = &e->queue[(e->first + e->count++) % QUEUE];
        job->run = run;
        job->argument = argument;
        job->index = i;
        job->left = left;
    }
    pthread_cond_broadcast(&e->more);
}

/* With the lock held: helps until its own are done, with whatever comes first. */
static void wait_for(struct engine *e, size_t *left)
{
    while (*left) {
        if (e->count)
            take_job(e);
        else
            pthread_cond_wait(&e->done, &e->lock);
    }
}

/* What krait calls. */
static void parallel(void *user, krait_task_fn task, void *argument, size_t count)
{
    struct engine *e = user;
    size_t         left;

    pthread_mutex_lock(&e->lock);
    e->calls++;
    e->tasks += count;
    add_jobs(e, task, argument, count, &left);
    wait_for(e, &left);
    pthread_mutex_unlock(&e->lock);
}

/* The game has something to do as well. */
static void game_job(void *argument, size_t index)
{
    struct engine *e = argument;
    unsigned long  x = (unsigned long)index;
    int            i;

    for (i = 0; i < 2000; i++)
        x = (x * 1103515245u + 12345u) & 0xffffffffu;
    e->game[index] = x;
}

static void start_engine(struct engine *e, size_t workers)
{
    memset(e, 0, sizeof *e);
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->more, NULL);
    pthread_cond_init(&e->done, NULL);
    while (e->workers + 1 < workers && pthread_create(&e->worker[e->workers], NULL, work, e) == 0)
        e->workers++;
}

static void stop_engine(struct engine *e)
{
    size_t i;

    pthread_mutex_lock(&e->lock);
    e->stop = 1;
    pthread_cond_broadcast(&e->more);
    pthread_mutex_unlock(&e->lock);
    for (i = 0; i < e->workers; i++)
        pthread_join(e->worker[i], NULL);
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->more);
    pthread_cond_destroy(&e->done);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Reads the prompt with the engine's workers; the seconds it took, or -1. */
static double read_prompt(const krait_model *model, struct engine *e, const int32_t *tokens, float *logits, size_t width)
{
    krait_state_options options = { 0 };
    krait_input         input = { 0 };
    krait_output        output = { 0 };
    krait_state        *state = NULL;
    double              begun;
    int                 good;

    options.size = sizeof options;
    options.chunk = CHUNK;
    options.tasks = (uint32_t)e->workers + 1;
    input.size = sizeof input;
    input.steps = PROMPT;
    input.tokens = tokens;
    input.parallel = parallel;
    input.parallel_user = e;
    output.size = sizeof output;
    output.which = KRAIT_ROWS_LAST;
    output.rows = logits;
    output.capacity = width;
    good = krait_state_create(&state, model, &options, NULL) == KRAIT_OK;
    begun = now();
    good = good && krait_run(model, state, &input, &output, NULL) == KRAIT_OK;
    krait_state_destroy(state, NULL);
    return good ? now() - begun : -1;
}

static int compare(const krait_model *model, size_t workers, const int32_t *tokens, float *logits, size_t width)
{
    static struct engine alone, engine;
    double               one, many;
    int                  same;

    start_engine(&alone, 1);
    one = read_prompt(model, &alone, tokens, logits, width);
    stop_engine(&alone);
    start_engine(&engine, workers);
    pthread_mutex_lock(&engine.lock);
    add_jobs(&engine, game_job, &engine, GAME_JOBS, &engine.game_left);
    pthread_mutex_unlock(&engine.lock);
    many = read_prompt(model, &engine, tokens, logits + width, width);
    pthread_mutex_lock(&engine.lock);
    wait_for(&engine, &engine.game_left);
    pthread_mutex_unlock(&engine.lock);
    workers = engine.workers + 1;
    stop_engine(&engine);
    if (one < 0 || many < 0) {
        fprintf(stderr, "job_system: no memory, or not a model of bytes\n");
        return 0;
    }
    printf("a prompt of %d tokens on 1 worker: %.3f s\n", PROMPT, one);
    printf("on %lu workers: %.3f s, %.1f times as fast; %lu calls of parallel(), %lu tasks\n", (unsigned long)workers,
           many, one / many, (unsigned long)engine.calls, (unsigned long)engine.tasks);
    printf("beside them the workers did %d jobs of the game\n", GAME_JOBS);
    same = memcmp(logits, logits + width, width * sizeof *logits) == 0;
    puts(same ? "the same logits, bit for bit" : "other logits");
    return same;
}

int main(int argc, char **argv)
{
    unsigned long workers = argc > 1 ? strtoul(argv[1], NULL, 10) : 4;
    const char   *path = argc > 2 ? argv[2] : "examples/models/mamba-novels.gguf";
    int32_t       tokens[PROMPT];
    krait_model  *model;
    krait_message why;
    int64_t       width = 0;
    float        *logits;
    int           i, good;

    if (argc > 3 || workers < 1 || workers > MOST_WORKERS) {
        fputs("usage: job_system [WORKERS [MODEL]]\n", stderr);
        return 2;
    }
    if (krait_model_open(&model, path, NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "job_system: %s\n", why.text);
        return 1;
    }
    krait_model_get(model, KRAIT_OUT_WIDTH, &width);
    for (i = 0; i < PROMPT; i++)
        tokens[i] = "The rain fell on the hill. "[i % 27];
    logits = malloc(2 * (size_t)width * sizeof *logits);
    good = logits && compare(model, workers, tokens, logits, (size_t)width);
    free(logits);
    krait_model_close(model);
    return !good;
}
