/*
 * tasks.h - pieces of work that may run at once: on the host's threads, or OpenMP's, or one after another.
 *
 * krait starts no thread of its own.  Tasks never wait for one another, and how work is cut into
 * them changes no bit of a RECURRENT result: a sum is never cut.
 */
#ifndef KR_TASKS_H
#define KR_TASKS_H

#include "core/build.h"
#include "krait.h"

typedef struct kr_tasks {
    size_t            most;         /* at once; 0 and 1: one after another on this thread */
    krait_parallel_fn parallel;     /* NULL: OpenMP where it is built in, else this thread */
    void             *user;
    uint64_t          least;        /* work that a task has at least; 0: KR_TASK_WORK */
} kr_tasks;

/*
 * Work is counted in multiply-adds whose operands are at hand, of which one core does some 50 in
 * a nanosecond.  A fork-join of a pool of threads takes 5 to 20 us, so a task has 30 us of work.
 */
enum {
    KR_TASK_WORK = 3 << 19,
    KR_WORK_BYTE = 2,               /* a byte that is read once, from memory or an outer cache */
    KR_WORK_NUMBER = 16,            /* a number that a row-wise layer makes or a function is taken of */
    KR_WORK_STATE = 10              /* an exp and two fma */
};

/* How many tasks so much work is worth that can be cut into so many pieces; at least 1. */
size_t kr_tasks_for(const kr_tasks *tasks, uint64_t work, size_t pieces);

/* task(argument, i) for every i below count, each in krait's floating-point environment. */
void kr_tasks_run(const kr_tasks *tasks, krait_task_fn task, void *argument, size_t count);

/* range(argument, from, to) for n parts of 'count' things in multiples of 'grain'. */
typedef void (*kr_range_fn)(void *argument, size_t from, size_t to);
void kr_tasks_ranges(const kr_tasks *tasks, kr_range_fn range, void *argument, size_t count, size_t grain,
                     size_t n);

/* Where part i of 'parts' of 'count' things begins, in multiples of 'grain'; part 'parts' ends them. */
KR_INLINE size_t kr_tasks_cut(size_t count, size_t grain, size_t parts, size_t i)
{
    size_t grains = (count + grain - 1) / grain;

    return kr_min((grains / parts * i + kr_min(grains % parts, i)) * grain, count);
}

#endif
