/*
 * open.c - how long a model takes to open and to its first row, and how much memory at most.
 *
 *     open [--quick] [--tasks N] [MODEL ...]
 *
 * Every figure is of a process of its own: from the file as it is and from panels, mapped, read and
 * prefetched.  Files are in the system's cache by then.  Beside them: the same bytes mapped and copied by memcpy
 * into fresh memory, which is what packing cannot beat, and the peak over the size of the file.  CPU
 * time is of all threads, and on a busy machine the one to look at.
 */
#define _DEFAULT_SOURCE 1

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/probe.h"
#include "cli/progress.h"
#include "krait.h"
#include "support/pool.h"

enum { ROUNDS = 5 };

static int      quick;
static uint32_t tasks = 1;

typedef struct figures {
    double opened, first;           /* seconds */
    double cpu, peak;               /* of opening, in seconds; of all, in MB */
} figures;

static double bytes_of(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 ? (double)about.st_size : 0;
}

/* Of this process, of all its threads. */
static double cpu_clock(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* ---- in a process of its own ---- */

static int open_once(const char *path, int32_t flags, figures *f)
{
    krait_open_options options = { .size = sizeof options, .flags = flags, .tasks = tasks };
    pool          *threads = tasks > 1 ? pool_start((int)tasks - 1) : NULL;
    krait_model   *model;
    krait_state   *state;
    krait_message  why;
    int64_t        width = 0;
    float         *out;
    int32_t        token = 1;
    double         begun = progress_clock();

    options.parallel = threads ? pool_run : NULL;
    options.parallel_user = threads;
    if (krait_model_open(&model, path, &options, &why) != KRAIT_OK) {
        printf("%s: skipped: %s\n", path, why.text);
        return 1;
    }
    f->opened = progress_clock() - begun;
    f->cpu = cpu_clock();
    krait_model_get(model, KRAIT_OUT_WIDTH, &width);
    out = malloc((size_t)width * sizeof *out);
    krait_state_create(&state, model, NULL, NULL);
    krait_step_tokens(model, state, &token, out);
    f->first = progress_clock() - begun;
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    free(out);
    if (threads)
        pool_end(threads);
    return 0;
}

static int copy_once(const char *path, int32_t flags, figures *f)
{
    size_t count = (size_t)bytes_of(path);
    int    file = open(path, O_RDONLY);
    double begun = progress_clock();
    void  *from = mmap(NULL, count, PROT_READ, MAP_PRIVATE, file, 0), *to = malloc(count);

    (void)flags;
    if (from == MAP_FAILED || !to)
        return 1;
    memcpy(to, from, count);
    __asm__ volatile("" : : "r"(to) : "memory");        /* somebody might look at it */
    f->opened = f->first = progress_clock() - begun;
    f->cpu = cpu_clock();
    free(to);
    close(file);
    return munmap(from, count) != 0;
}

typedef int once(const char *path, int32_t flags, figures *f);

/* What the child measured comes through a pipe, what it took from wait4(). */
static int apart(once *what, const char *path, int32_t flags, figures *f)
{
    struct rusage usage;
    int           ends[2], status, got;
    pid_t         child;

    fflush(stdout);
    if (pipe(ends) != 0 || (child = fork()) < 0)
        return 1;
    if (child == 0) {
        int bad = what(path, flags, f);

        fflush(stdout);
        _exit(bad || write(ends[1], f, sizeof *f) != (ssize_t)sizeof *f);
    }
    close(ends[1]);
    got = read(ends[0], f, sizeof *f) == (ssize_t)sizeof *f;
    close(ends[0]);
    if (wait4(child, &status, 0, &usage) != child || !got || !WIFEXITED(status) || WEXITSTATUS(status))
        return 1;
    f->peak = (double)usage.ru_maxrss * 1024e-6;
    return 0;
}

/* ---- figures ---- */

static void figure(const char *what, once *how, const char *path, int32_t flags)
{
    double opened[ROUNDS], first[ROUNDS], cpu[ROUNDS], peak[ROUNDS], bytes = bytes_of(path);
    int    rounds = quick ? 1 : ROUNDS;

    for (int r = 0; r < rounds; r++) {
        figures f = { 0 };

        if (apart(how, path, flags, &f))
            return;
        opened[r] = f.opened, first[r] = f.first, cpu[r] = f.cpu, peak[r] = f.peak;
    }
    printf("  %-24s open %9.2f ms, CPU %8.2f ms, %7.2f GB/s of it; first row %9.2f ms; peak %8.1f MB, file %+6.1f\n", what,
           1e3 * probe_median(opened, (size_t)rounds), 1e3 * probe_median(cpu, (size_t)rounds),
           bytes / probe_median(cpu, (size_t)rounds) * 1e-9, 1e3 * probe_median(first, (size_t)rounds),
           probe_median(peak, (size_t)rounds), probe_median(peak, (size_t)rounds) - bytes * 1e-6);
}

/* Of the largest tensor: what panels are to be of. */
static int32_t type_of(const char *path)
{
    krait_model *model;
    krait_tensor tensor;
    uint64_t     most = 0;
    int32_t      type = KRAIT_F32;

    if (krait_model_open(&model, path, NULL, NULL) != KRAIT_OK)
        return type;
    for (size_t i = 0; krait_model_tensor(model, i, &tensor) == KRAIT_OK; i++)
        if (tensor.bytes > most) {
            most = tensor.bytes;
            type = tensor.type;
        }
    krait_model_close(model);
    return type;
}

static void forms(const char *path, const char *of)
{
    char what[64];

    snprintf(what, sizeof what, "%s, mapped", of);
    figure(what, open_once, path, 0);
    snprintf(what, sizeof what, "%s, read", of);
    figure(what, open_once, path, KRAIT_OPEN_READ);
    snprintf(what, sizeof what, "%s, prefetched", of);
    figure(what, open_once, path, KRAIT_OPEN_PREFETCH);
}

/* The type is looked up in a child: this process stays small, and children begin as it is. */
static void measure(const char *path)
{
    krait_convert_options options = { .size = sizeof options, .layout = KRAIT_LAYOUT_PANELS };
    const char           *folder = getenv("TMPDIR");
    char                  panels[256];
    int                   status = 1;
    pid_t                 child;

    snprintf(panels, sizeof panels, "%.200s/krait-bench-open-%ld.gguf", folder ? folder : "/tmp", (long)getpid());
    printf("%s: %.1f MB, %u tasks\n", path, bytes_of(path) * 1e-6, (unsigned)tasks);
    fflush(stdout);
    if ((child = fork()) == 0) {
        options.type = type_of(path);
        _exit(options.type >= 1000000 || krait_convert(path, panels, &options, NULL) != KRAIT_OK);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        status = 1;
    figure("mapped and copied", copy_once, path, 0);
    forms(path, "as it is");
    if (status == 0)
        forms(panels, "in panels");
    unlink(panels);
}

int main(int count, char **words)
{
    int files = 0;

    for (int i = 1; i < count; i++)
        if (strcmp(words[i], "--quick") == 0)
            quick = 1;
        else if (strcmp(words[i], "--tasks") == 0 && i + 1 < count)
            tasks = (uint32_t)atoi(words[++i]);
        else
            words[++files] = words[i];
    for (int i = 1; i <= files; i++)
        measure(words[i]);
    if (files == 0)
        measure("examples/models/mamba-novels.gguf");
    return 0;
}
