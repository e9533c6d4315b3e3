/*
 * pool.c - a thread joins the work that is open, takes numbers until there are none left, and
 * waits for more.
 *
 * Who comes too late finds the work closed: the caller waits only for those that joined.
 */
#define _POSIX_C_SOURCE 200809L

#include "cli/pool.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/show.h"

int pool_start_or_complain(pool **p, uint32_t threads)
{
    const char *why = pool_start(p, threads);

    return why ? complain(NULL, "--threads %lu: %s", (unsigned long)threads, why) : 0;
}

void pool_serve(pool *p, krait_input *input)
{
    input->parallel = p ? pool_run : NULL;
    input->parallel_user = p;
}

#if defined(_POSIX_THREADS) && _POSIX_THREADS > 0 && !defined(KRAIT_NO_THREADS)

#include <pthread.h>
#include <stdatomic.h>

/* Looks at the work's number before a thread sleeps: some 20 us, less than waking takes. */
enum { SPINS = 4000 };

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t  wake, left;
    krait_task_fn   task;           /* these three change only while the work is closed */
    void           *argument;
    size_t          count;
    atomic_size_t   next;           /* the first number that nobody took */
    atomic_uint     work;           /* how often there was any */
    int             open, stop;     /* under the lock, as are these */
    size_t          joined;         /* threads besides the caller that are at work */
    size_t          threads;        /* that were started */
    pthread_t       thread[];
};

static void take_numbers(pool *p)
{
    size_t i;

    while ((i = atomic_fetch_add(&p->next, 1)) < p->count)
        p->task(p->argument, i);
}

static void spin(pool *p, unsigned seen)
{
    int i;

    for (i = 0; i < SPINS && atomic_load_explicit(&p->work, memory_order_relaxed) == seen; i++) {
#if defined(__x86_64__) && defined(__GNUC__)
        __builtin_ia32_pause();
#endif
    }
}

static void *work_on(void *user)
{
    pool    *p = user;
    unsigned seen = 0;

    for (;;) {
        spin(p, seen);
        pthread_mutex_lock(&p->lock);
        while (!p->stop && (!p->open || atomic_load(&p->work) == seen))
            pthread_cond_wait(&p->wake, &p->lock);
        if (p->stop)
            break;
        seen = atomic_load(&p->work);
        p->joined++;
        pthread_mutex_unlock(&p->lock);
        take_numbers(p);
        pthread_mutex_lock(&p->lock);
        if (--p->joined == 0)
            pthread_cond_signal(&p->left);
        pthread_mutex_unlock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void pool_run(void *user, krait_task_fn task, void *argument, size_t count)
{
    pool  *p = user;
    size_t i;

    pthread_mutex_lock(&p->lock);
    if (p->open || p->joined > 0 || count < 2) {    /* a task of its own calls, or no use */
        pthread_mutex_unlock(&p->lock);
        for (i = 0; i < count; i++)
            task(argument, i);
        return;
    }
    p->task = task;
    p->argument = argument;
    p->count = count;
    atomic_store(&p->next, 0);
    atomic_fetch_add(&p->work, 1);
    p->open = 1;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);

    take_numbers(p);
    pthread_mutex_lock(&p->lock);
    p->open = 0;
    while (p->joined > 0)
        pthread_cond_wait(&p->left, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

const char *pool_start(pool **made, uint32_t threads)
{
    pool *p;

    *made = NULL;
    if (threads > POOL_MOST)
        return "too many";
    if (threads < 2)
        return NULL;
    if (!(p = calloc(1, sizeof *p + (threads - 1) * sizeof p->thread[0])))
        return "out of memory";
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->left, NULL);
    for (; p->threads < threads - 1; p->threads++)
        if (pthread_create(&p->thread[p->threads], NULL, work_on, p) != 0) {
            pool_end(p);
            return "the system starts no more threads";
        }
    *made = p;
    return NULL;
}

void pool_end(pool *p)
{
    size_t i;

    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = 1;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (i = 0; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->left);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

#else

const char *pool_start(pool **made, uint32_t threads)
{
    *made = NULL;
    return threads < 2 ? NULL : "this build of krait has no threads";
}

void pool_run(void *user, krait_task_fn task, void *argument, size_t count)
{
    size_t i;

    (void)user;
    for (i = 0; i < count; i++)
        task(argument, i);
}

void pool_end(pool *p)
{
    (void)p;
}

#endif
