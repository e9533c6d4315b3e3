/* workers.c - tests in several processes, which share what is in 'board' alone. */
#define _DEFAULT_SOURCE

#include "support/workers.h"

#include <stdio.h>
#include <stdlib.h>

static void workers_alone(const workers_job *job, double *took, int outcomes[WORKERS_OUTCOMES])
{
    for (size_t i = 0; i < job->count; i++)
        outcomes[job->run(i, &took[i])]++;
    job->finish();
}

#if defined _WIN32 || defined __wasi__

size_t workers_best(void)
{
    return 1;
}

void workers_run(const workers_job *job, size_t processes, double *took, int outcomes[WORKERS_OUTCOMES])
{
    (void)processes;
    workers_alone(job, took, outcomes);
}

#else

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 16, NOT_DONE = 0 };

typedef struct board {
    atomic_size_t next;                         /* test that nobody has begun */
    struct { double took; int outcome; } test[];    /* outcome + 1, or NOT_DONE */
} board;

static void workers_work(const workers_job *job, board *b)
{
    size_t i;

    while ((i = atomic_fetch_add(&b->next, 1)) < job->count)
        b->test[i].outcome = 1 + job->run(i, &b->test[i].took);
    job->finish();
    fflush(stdout);
}

size_t workers_best(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors < 1 ? 1 : processors > MOST ? MOST : (size_t)processors;
}

/* The end of each; 1 if all ended well, which leaks found at the end of a process prevent. */
static int workers_wait(size_t processes)
{
    int well = 1;

    while (processes-- > 0) {
        int status;

        if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            well = 0;
    }
    return well;
}

void workers_run(const workers_job *job, size_t processes, double *took, int outcomes[WORKERS_OUTCOMES])
{
    size_t bytes = sizeof(board) + job->count * sizeof ((board *)NULL)->test[0], begun = 0, lost = 0;
    board *b = processes < 2 ? MAP_FAILED
             : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (b == MAP_FAILED) {
        workers_alone(job, took, outcomes);
        return;
    }
    fflush(stdout);
    for (; begun < processes; begun++) {
        pid_t child = fork();

        if (child < 0)
            break;
        if (child == 0) {
            workers_work(job, b);
            exit(0);
        }
    }
    if (begun == 0)
        workers_work(job, b);
    if (!workers_wait(begun)) {
        printf("FAIL a process of the tests ended with an error\n");
        lost = 1;
    }
    for (size_t i = 0; i < job->count; i++) {
        took[i] = b->test[i].took;
        if (b->test[i].outcome == NOT_DONE)
            outcomes[WORKERS_FAILED]++;
        else
            outcomes[b->test[i].outcome - 1]++;
    }
    if (lost && outcomes[WORKERS_FAILED] == 0)
        outcomes[WORKERS_FAILED]++;
    munmap(b, bytes);
}

#endif
