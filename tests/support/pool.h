/*
 * pool.h - threads that stand ready for krait_run(): what a host may hand it as 'parallel'.
 *
 * The caller's thread works too.  Threads watch for work for a while, then sleep.
 */
#ifndef KR_TEST_POOL_H
#define KR_TEST_POOL_H

#include "krait.h"

typedef struct pool pool;

/* With so many threads besides the caller's; NULL if they could not be started. */
pool *pool_start(int threads);
void  pool_end(pool *p);
/* A krait_parallel_fn; one call at a time. */
void  pool_run(void *user, krait_task_fn task, void *argument, size_t count);

#endif
