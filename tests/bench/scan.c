/*
 * scan.c - rows per second of Mamba's recurrence: row by row, and as a scan over segments.
 *
 *     scan [--quick]
 *
 * By one thread and by two; by two row by row means half of the channels each, in panels of 16. Best of several.
 * 16 states, random numbers, the gate included.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scan/selective.h"
#include "support/random.h"

enum { STATES = 16 };

/* ---- a second thread, which spins: a sleeping one would be measured too ------------------------------ */

typedef struct pool {
    krait_task_fn task;
    void         *argument;
    size_t        count;
    atomic_size_t next, round, finished;
    atomic_int    leave;
} pool;

static void work_off(pool *p)
{
    size_t i;

    while ((i = atomic_fetch_add(&p->next, 1)) < p->count)
        p->task(p->argument, i);
}

static void *second_thread(void *argument)
{
    pool  *p = argument;
    size_t seen = 0;

    for (; !atomic_load(&p->leave); sched_yield()) {
        if (atomic_load(&p->round) == seen)
            continue;
        seen++;
        work_off(p);
        atomic_store(&p->finished, seen);
    }
    return NULL;
}

static void on_two(void *user, krait_task_fn task, void *argument, size_t count)
{
    pool  *p = user;
    size_t round = atomic_load(&p->round) + 1;

    p->task = task;
    p->argument = argument;
    p->count = count;
    atomic_store(&p->next, 0);
    atomic_store(&p->round, round);
    work_off(p);
    while (atomic_load(&p->finished) != round)
        sched_yield();
}

/* ---- what is timed -------------------------------------------------------------------------------------- */

typedef struct bench {
    const kr_kernels *kernels;
    kr_selective      job;
    float            *room;
    size_t            parts;        /* of the channels, row by row */
} bench;

static float *random_floats(size_t count, float low, float high)
{
    kr_random random = kr_random_from(count);
    float    *x = aligned_alloc(KR_ALIGN, (count * 4 + KR_ALIGN) / KR_ALIGN * KR_ALIGN);

    if (!x)
        exit(1);
    for (size_t i = 0; i < count; i++)
        x[i] = low + (high - low) * (0.5f + 0.5f * kr_random_unit(&random));
    return x;
}

static void row_by_row(void *argument, size_t part)
{
    const bench *b = argument;
    size_t       from = kr_tasks_cut(b->job.channels, KR_LANES, b->parts, part);
    size_t       to = kr_tasks_cut(b->job.channels, KR_LANES, b->parts, part + 1);
    kr_selective p = b->job;

    p.a += from * STATES;
    p.h += from * STATES;
    p.d += from, p.x += from, p.dt += from, p.z += from, p.y += from;
    p.channels = to - from;
    if (p.channels)
        b->kernels->selective(&p);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double once(bench *b, const kr_tasks *tasks, int scan)
{
    double begin = seconds();

    b->parts = tasks->most;
    if (scan)
        kr_selective_scan(b->kernels, &b->job, tasks, b->room);
    else
        kr_tasks_run(tasks, row_by_row, b, b->parts);
    return seconds() - begin;
}

/* In turn, so that a machine that drifts does it to all of them. */
static void measure(size_t rows, size_t channels, int tries, pool *two)
{
    const kr_tasks hosts[2] = { { 1, NULL, NULL, 0 }, { 2, on_two, two, 0 } };
    size_t         count = rows * channels, memory = kr_pad16(channels) * STATES;
    double         best[4] = { 1e9, 1e9, 1e9, 1e9 };
    float         *bc = random_floats(rows * 2 * STATES, -1, 1), *x = random_floats(3 * count, 0.001f, 0.1f);
    float         *y = random_floats(count, 0, 0), *a = random_floats(memory, -16, -1);
    float         *d = random_floats(channels, -1, 1), *h = random_floats(memory, 0, 0);
    kr_carve       carve = { 0 };
    bench          b = { .kernels = kr_kernels_best() };

    kr_selective_take(rows, channels, STATES, &carve);
    b.room = random_floats(carve.used / 4, 0, 0);
    b.job = (kr_selective){ .a = a, .d = d, .x = x, .dt = x + count, .z = x + 2 * count, .x_stride = channels,
                            .dt_stride = channels, .z_stride = channels, .b = bc, .c = bc + STATES,
                            .bc_stride = 2 * STATES, .h = h, .y = y, .y_stride = channels, .rows = rows,
                            .channels = channels, .states = STATES };
    for (int i = 0; i < tries; i++)
        for (int k = 0; k < 4; k++) {
            double took = once(&b, &hosts[k / 2], k % 2);

            best[k] = took < best[k] ? took : best[k];
        }
    printf("%8zu %8zu", channels, rows);
    for (int k = 0; k < 4; k++)
        printf("%12.0f", (double)rows / best[k] / 1000);
    printf("%10.2f %8.2f\n", best[0] / best[1], best[2] / best[3]);
    fflush(stdout);
    free(bc), free(x), free(y), free(a), free(d), free(h), free(b.room);
}

int main(int argc, char **argv)
{
    static const size_t channels[] = { 16, 32, 64, 256, 1536 }, rows[] = { 1024, 16384, 131072, 1048576 };
    int                 quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    pool                two = { 0 };
    pthread_t           thread;

    if (pthread_create(&thread, NULL, second_thread, &two) != 0)
        return 1;
    printf("thousands of rows per second, %s, %d states\n", kr_kernels_best()->name, STATES);
    printf("%8s %8s%24s%24s%19s\n", "", "", "by one thread", "by two", "scan / row by row");
    printf("%8s %8s%12s%12s%12s%12s%10s %8s\n", "channels", "rows", "row by row", "scan", "row by row", "scan", "one",
           "two");
    for (size_t c = 0; c < 5; c++)
        for (size_t r = 0; r < (quick ? 2 : 4); r++)
            if (rows[r] * channels[c] <= 67108864)
                measure(rows[r], channels[c], rows[r] <= 16384 ? 15 : 5, &two);
    atomic_store(&two.leave, 1);
    pthread_join(thread, NULL);
    return 0;
}
