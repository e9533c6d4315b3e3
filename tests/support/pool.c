/*
 * pool.c - a pool without a queue: one job at a time, its tasks taken by number.
 *
 * A ticket holds the job's number, how many tasks it has and how many are taken; a thread that
 * moves it on by one owns that task.  Whoever comes late finds another job's number in it.
 */
#define _POSIX_C_SOURCE 200809L

#include "support/pool.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#if !defined(KRAIT_NO_THREADS)

#include <pthread.h>
#include <sched.h>

enum {
    MOST_THREADS = 64,
    WATCH        = 20000,               /* looks before a thread sleeps: about 0.2 ms */
    COUNT_BITS   = 20
};

#define COUNT_MASK (((uint64_t)1 << COUNT_BITS) - 1)

struct pool {
    pthread_t             threads[MOST_THREADS];
    int                   started;
    pthread_mutex_t       lock;
    pthread_cond_t        wake;
    atomic_int            sleeping, ending;
    _Atomic uint64_t      ticket;       /* job << 40 | tasks << 20 | taken */
    _Atomic krait_task_fn task;
    _Atomic(void *)       argument;
    atomic_size_t         done;
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Takes one task and does it; 0: there is none. */
static int work(pool *p)
{
    uint64_t      ticket = atomic_load(&p->ticket);
    krait_task_fn task = atomic_load(&p->task);
    void         *argument = atomic_load(&p->argument);

    if ((ticket & COUNT_MASK) >= (ticket >> COUNT_BITS & COUNT_MASK))
        return 0;
    if (!atomic_compare_exchange_strong(&p->ticket, &ticket, ticket + 1))
        return 1;
    task(argument, (size_t)(ticket & COUNT_MASK));
    atomic_fetch_add(&p->done, 1);
    return 1;
}

static int has_work(pool *p)
{
    uint64_t ticket = atomic_load(&p->ticket);

    return (ticket & COUNT_MASK) < (ticket >> COUNT_BITS & COUNT_MASK) || atomic_load(&p->ending);
}

static void *thread_main(void *user)
{
    pool *p = user;

    while (!atomic_load(&p->ending)) {
        int looks = 0;

        while (!has_work(p) && looks++ < WATCH)
            relax();
        if (!has_work(p)) {
            pthread_mutex_lock(&p->lock);
            atomic_fetch_add(&p->sleeping, 1);
            while (!has_work(p))
                pthread_cond_wait(&p->wake, &p->lock);
            atomic_fetch_sub(&p->sleeping, 1);
            pthread_mutex_unlock(&p->lock);
        }
        while (work(p))
            ;
    }
    return NULL;
}

static void wake_all(pool *p)
{
    if (atomic_load(&p->sleeping) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

void pool_run(void *user, krait_task_fn task, void *argument, size_t count)
{
    pool    *p = user;
    uint64_t job = (atomic_load(&p->ticket) >> 2 * COUNT_BITS) + 1;
    unsigned looks = 0;

    atomic_store(&p->task, task);
    atomic_store(&p->argument, argument);
    atomic_store(&p->done, 0);
    atomic_store(&p->ticket, job << 2 * COUNT_BITS | (uint64_t)count << COUNT_BITS);
    wake_all(p);
    while (work(p))
        ;
    while (atomic_load(&p->done) < count)
        if (++looks % 1024)
            relax();
        else
            sched_yield();
}

pool *pool_start(int threads)
{
    pool *p = calloc(1, sizeof *p);

    if (!p || threads > MOST_THREADS)
        goto failed;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (; p->started < threads; p->started++)
        if (pthread_create(&p->threads[p->started], NULL, thread_main, p) != 0) {
            pool_end(p);
            return NULL;
        }
    return p;
failed:
    free(p);
    return NULL;
}

void pool_end(pool *p)
{
    if (!p)
        return;
    atomic_store(&p->ending, 1);
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->started; i++)
        pthread_join(p->threads[i], NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    free(p);
}

#else

/* No threads there: the caller does all tasks. */
struct pool { int nothing; };

void pool_run(void *user, krait_task_fn task, void *argument, size_t count)
{
    (void)user;
    for (size_t i = 0; i < count; i++)
        task(argument, i);
}

pool *pool_start(int threads)
{
    (void)threads;
    return calloc(1, sizeof(pool));
}

void pool_end(pool *p)
{
    free(p);
}

#endif
