/*
 * pool.h - threads that wait for tasks: a krait_parallel_fn for those who say --threads.
 *
 * krait itself starts none.  With KRAIT_NO_THREADS, or where the system has none, more than
 * one thread is refused.
 */
#ifndef CLI_POOL_H
#define CLI_POOL_H

#include <stdint.h>

#include "krait.h"

enum { POOL_MOST = 256 };

typedef struct pool pool;

/*
 * A pool of that many threads, of which the caller's is one: for 1 (or 0) nothing is started
 * and *p is NULL, which pool_serve() and pool_end() take.  Returns NULL, or what failed; then
 * nothing is left behind.
 */
const char *pool_start(pool **p, uint32_t threads);
/* The same with a complaint about --threads; returns 1 then. */
int  pool_start_or_complain(pool **p, uint32_t threads);
/* Has the input's tasks run in the pool; one call at a time. */
void pool_serve(pool *p, krait_input *input);
/* The krait_parallel_fn; its user is the pool.  A task may call it: that runs where it is. */
void pool_run(void *user, krait_task_fn task, void *argument, size_t count);
void pool_end(pool *p);

#endif /* CLI_POOL_H */
