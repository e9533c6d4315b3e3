/*
 * pool.c - the command's threads: every number once, at once, again and again; and what happens
 * when the system starts no more.
 *
 * The linker puts the function below in the place of pthread_create (pool.flags).
 */
#include "cli/pool.c"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MOST = 1000, ROUNDS = 3000 };

static size_t created, refused_from;    /* pthread_create succeeds that often; 0: always */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *), void *user);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *), void *user);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *), void *user)
{
    if (refused_from && created + 1 >= refused_from)
        return EAGAIN;
    created++;
    return __real_pthread_create(thread, how, start, user);
}

int complain(const char *about, const char *format, ...)
{
    (void)about, (void)format;
    return 1;
}

static int wrong;

static void expect(int right, const char *what)
{
    if (!right)
        printf("%s\n", what);
    wrong |= !right;
}

/* Each number has its own place: that it was given twice shows, and so does a race. */
struct work {
    pool         *pool;
    unsigned      times[MOST];
    atomic_size_t at_once, met;
};

static void count_one(void *user, size_t i)
{
    struct work *w = user;

    w->times[i]++;
}

/* 1 if the first n numbers were had 'times' times each and no other one. */
static int counted(const struct work *w, size_t n, unsigned times)
{
    size_t i;

    for (i = 0; i < MOST && w->times[i] == (i < n ? times : 0); i++)
        ;
    return i == MOST;
}

static void every_number_once(uint32_t threads)
{
    static const size_t counts[] = { 0, 1, 2, 3, 7, 64, MOST };
    struct work         w = { 0 };
    size_t              i, round;

    expect(pool_start(&w.pool, threads) == NULL && w.pool, "pool_start");
    for (i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        memset(w.times, 0, sizeof w.times);
        for (round = 0; round < ROUNDS; round++)
            pool_run(w.pool, count_one, &w, counts[i]);
        expect(counted(&w, counts[i], ROUNDS), "a number was left out or given twice");
    }
    pool_end(w.pool);
}

static void sleep_for(long microseconds)
{
    struct timespec time = { 0, 1000 * microseconds };

    nanosleep(&time, NULL);
}

/* Waits for the others to come, for two seconds: without threads nobody does. */
static void meet(void *user, size_t i)
{
    struct work *w = user;
    int          patience = 20000;

    (void)i;
    atomic_fetch_add(&w->at_once, 1);
    while (atomic_load(&w->at_once) < 3 && patience-- > 0)
        sleep_for(100);
    if (atomic_load(&w->at_once) == 3)
        atomic_fetch_add(&w->met, 1);
}

static void threads_work_at_once(void)
{
    struct work w = { 0 };

    expect(pool_start(&w.pool, 3) == NULL, "pool_start");
    sleep_for(50000);                      /* they sleep by now and have to be woken */
    pool_run(w.pool, meet, &w, 3);
    expect(atomic_load(&w.met) == 3, "three tasks of three threads did not run at once");
    pool_end(w.pool);
}

static void run_inside(void *user, size_t i)
{
    struct work *w = user;
    struct work  own = { 0 };

    pool_run(w->pool, count_one, &own, 10);
    w->times[i] += (unsigned)counted(&own, 10, 1);
}

static void tasks_may_have_tasks(void)
{
    struct work w = { 0 };
    int         round;

    expect(pool_start(&w.pool, 4) == NULL, "pool_start");
    for (round = 0; round < ROUNDS; round++)
        pool_run(w.pool, run_inside, &w, 20);
    expect(counted(&w, 20, ROUNDS), "tasks of tasks were lost");
    pool_end(w.pool);
}

static void one_thread_starts_none(void)
{
    krait_input input = { 0 };
    pool       *p;
    size_t      before = created;

    expect(pool_start(&p, 1) == NULL && !p && pool_start(&p, 0) == NULL && !p && created == before,
           "one thread started another");
    pool_serve(p, &input);
    expect(!input.parallel, "there is nothing to be parallel with");
    pool_end(p);
    expect(pool_start(&p, 2) == NULL && created == before + 1, "two threads are one more");
    pool_serve(p, &input);
    expect(input.parallel == pool_run && input.parallel_user == p, "pool_serve");
    pool_end(p);
}

static void the_system_refuses(void)
{
    pool       *p;
    const char *why;
    size_t      most;

    for (most = 1; most < 6; most++) {
        created = 0;
        refused_from = most;
        why = pool_start(&p, 7);
        expect(why && strstr(why, "no more threads") && !p, "a refused thread is an error");
        expect(created == most - 1, "it went on after a refusal");
    }
    refused_from = 0;
    created = 0;
    expect(pool_start(&p, POOL_MOST + 1) != NULL && !p && created == 0, "too many threads are refused");
    expect(pool_start_or_complain(&p, POOL_MOST + 1) == 1, "and complained about");
}

int main(void)
{
    one_thread_starts_none();
    every_number_once(2);
    every_number_once(5);
    threads_work_at_once();
    tasks_may_have_tasks();
    the_system_refuses();
    return wrong;
}
