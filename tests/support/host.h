/*
 * host.h - hosts that run krait's tasks, each in a way of its own, and count them.
 *
 * Whoever runs a task does so in a floating-point setting of its own - another rounding, zeros for
 * subnormals - and looks whether it finds it again.
 */
#ifndef KR_TEST_HOST_H
#define KR_TEST_HOST_H

#include <stdatomic.h>

#include "support/pool.h"

typedef enum host_kind {
    HOST_BACKWARDS,             /* the last task first, on the caller's thread */
    HOST_SHUFFLED,              /* in an order of its own, likewise */
    HOST_POOL_1, HOST_POOL_3,   /* one more thread, three more */
    HOST_NONE,                  /* no callback: OpenMP where it is built in */
    HOSTS
} host_kind;

typedef struct host {
    host_kind     kind;
    pool         *pool;
    uint64_t      seed;
    size_t        calls, tasks; /* fork-joins, and tasks in all of them */
    atomic_int    spoiled;      /* tasks after which the setting was another */
    krait_task_fn task;         /* that now runs */
    void         *argument;
} host;

extern const char *const host_names[HOSTS];

/* 1, or 0: its threads could not be started. */
int  host_start(host *h, host_kind kind, uint64_t seed);
void host_end(host *h);
/* Sets input's callback. */
void host_give(host *h, krait_input *input);

#endif
