/*
 * workers.h - tests in several processes: each takes the next test that nobody has begun.
 *
 * A process that crashes takes its test with it and no other.  Where there is no fork() all tests run in
 * this process.
 */
#ifndef KR_TEST_WORKERS_H
#define KR_TEST_WORKERS_H

#include <stddef.h>

enum { WORKERS_PASSED, WORKERS_FAILED, WORKERS_SKIPPED, WORKERS_OUTCOMES };

typedef struct workers_job {
    size_t  count;                              /* tests */
    int   (*run)(size_t test, double *took);    /* says how it went */
    void  (*finish)(void);                      /* of every process, after its last test */
} workers_job;

/* In 'processes' processes; 'took' is [count], in seconds.  Tests whose process ended under them have failed. */
void workers_run(const workers_job *job, size_t processes, double *took, int outcomes[WORKERS_OUTCOMES]);
/* As many as there are processors, at most 16. */
size_t workers_best(void);

#endif
