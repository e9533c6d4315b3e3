/* tasks.c - handing tasks out. */
#include "core/tasks.h"

#include "core/fpenv.h"

#ifdef _OPENMP
#include <omp.h>
enum { TASKS_BUILT_IN = 1 };
#else
enum { TASKS_BUILT_IN = 0 };
#endif

size_t kr_tasks_for(const kr_tasks *tasks, uint64_t work, size_t pieces)
{
    size_t   most = tasks->parallel || TASKS_BUILT_IN ? kr_min(tasks->most, pieces) : 1;
    uint64_t worth = work / (tasks->least ? tasks->least : KR_TASK_WORK);

    most = worth < most ? (size_t)worth : most;
    return most ? most : 1;
}

typedef struct tasks_job {
    krait_task_fn task;
    void         *argument;
} tasks_job;

/* The thread may be anyone's, with any setting of its floating-point unit. */
static void tasks_one(void *argument, size_t i)
{
    const tasks_job *job = argument;
    kr_fpenv         host = kr_fpenv_enter();

    job->task(job->argument, i);
    kr_fpenv_leave(host);
}

void kr_tasks_run(const kr_tasks *tasks, krait_task_fn task, void *argument, size_t count)
{
    tasks_job job = { task, argument };

    if (count > 1 && tasks->most > 1 && tasks->parallel) {
        tasks->parallel(tasks->user, tasks_one, &job, count);
        return;
    }
#ifdef _OPENMP
    if (count > 1 && tasks->most > 1) {
#pragma omp parallel for schedule(static, 1) num_threads((int)kr_min(tasks->most, count))
        for (size_t i = 0; i < count; i++)
            tasks_one(&job, i);
        return;
    }
#endif
    for (size_t i = 0; i < count; i++)
        task(argument, i);
}

/* ---- ranges -------------------------------------------------------------------------------------- */

typedef struct tasks_split {
    kr_range_fn range;
    void       *argument;
    size_t      count, grain, n;
} tasks_split;

static void tasks_range(void *argument, size_t i)
{
    const tasks_split *split = argument;

    split->range(split->argument, kr_tasks_cut(split->count, split->grain, split->n, i),
                 kr_tasks_cut(split->count, split->grain, split->n, i + 1));
}

void kr_tasks_ranges(const kr_tasks *tasks, kr_range_fn range, void *argument, size_t count, size_t grain,
                     size_t n)
{
    tasks_split split = { range, argument, count, grain, n };

    if (n <= 1)
        range(argument, 0, count);
    else
        kr_tasks_run(tasks, tasks_range, &split, n);
}
