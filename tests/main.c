/*
 * main.c - runs the tests that tests.def lists.
 *
 *     krait-test [-j processes] [-l] [-v] [filter...]
 *
 * Started in the source root.  -j runs them in so many processes (0: one a processor), -l lists, -v
 * prints what took longest; a filter keeps the tests whose name contains it.
 */
#define _XOPEN_SOURCE 700

#include "test.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "krait.h"
#include "support/system.h"
#include "support/workers.h"

enum { PATH_SIZE = 1024, PATHS = 8, MOST_PRINTED = 10, SLOWEST = 5 };

struct test_case {
    const char *name;
    void      (*run)(void);
};

#define TEST_CASE(name) void test_##name(void);
#include "tests.def"
#undef TEST_CASE

static const struct test_case cases[] = {
#define TEST_CASE(name) { #name, test_##name },
#include "tests.def"
#undef TEST_CASE
    { NULL, NULL }
};

enum { CASES = sizeof(cases) / sizeof(cases[0]) - 1 };

static const char *current = "";        /* the name of the test that runs */
static int         failures;            /* its failed checks */
static int         skipped;
static char        note[256];
static char        scratch[PATH_SIZE];  /* "" until a test asks for it */

/* ---- checks ---- */

/* Prints how a failure's line begins; 0 when enough were printed. */
static int fail(const char *file, int line, const char *text)
{
    failures++;
    if (failures > MOST_PRINTED)
        return 0;
    printf("FAIL %s: %s:%d: %s%s%s%s", current, file, line, note[0] ? "[" : "", note,
           note[0] ? "] " : "", text);
    return 1;
}

int test_check(int holds, const char *file, int line, const char *text)
{
    if (!holds && fail(file, line, text))
        printf(": does not hold\n");
    return holds;
}

int test_check_int(long long actual, long long expected, const char *file, int line,
                   const char *text)
{
    if (actual != expected && fail(file, line, text))
        printf(": %lld, expected %lld\n", actual, expected);
    return actual == expected;
}

int test_check_u64(uint64_t actual, uint64_t expected, const char *file, int line,
                   const char *text)
{
    if (actual != expected && fail(file, line, text))
        printf(": %" PRIu64 " (0x%" PRIx64 "), expected %" PRIu64 " (0x%" PRIx64 ")\n", actual,
               actual, expected, expected);
    return actual == expected;
}

int test_check_str(const char *actual, const char *expected, const char *file, int line,
                   const char *text)
{
    int same = actual && expected ? strcmp(actual, expected) == 0 : actual == expected;

    if (!same && fail(file, line, text))
        printf(": \"%s\", expected \"%s\"\n", actual ? actual : "(NULL)",
               expected ? expected : "(NULL)");
    return same;
}

int test_check_close(double actual, double expected, double bound, const char *file, int line,
                     const char *text)
{
    int close = actual == expected || (isnan(actual) && isnan(expected))
                || (isfinite(actual) && isfinite(expected) && fabs(actual - expected) <= bound);

    if (!close && fail(file, line, text))
        printf(": %.9g, expected %.9g: off by %.3g, bound %.3g\n", actual, expected,
               fabs(actual - expected), bound);
    return close;
}

int test_check_status(int32_t actual, int32_t expected, const char *file, int line,
                      const char *text)
{
    if (actual != expected && fail(file, line, text))
        printf(": %d (%s), expected %d (%s)\n", (int)actual, krait_status_text(actual),
               (int)expected, krait_status_text(expected));
    return actual == expected;
}

int test_check_bytes(const void *actual, const void *expected, size_t count, const char *file,
                     int line, const char *text)
{
    const unsigned char *a = actual, *e = expected;
    size_t               i = 0;

    while (i < count && a[i] == e[i])
        i++;
    if (i < count && fail(file, line, text))
        printf(": byte %zu of %zu is %02x, expected %02x\n", i, count, (unsigned)a[i],
               (unsigned)e[i]);
    return i == count;
}

void test_skip(const char *reason)
{
    if (!skipped)
        printf("SKIP %s: %s\n", current, reason);
    skipped = 1;
}

void test_note(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(note, sizeof note, format, arguments);
    va_end(arguments);
}

int test_failures(void)
{
    return failures;
}

/* ---- files ---- */

static const char *joined(const char *folder, const char *name)
{
    static char paths[PATHS][PATH_SIZE];
    static int  next;
    char       *path = paths[next++ % PATHS];

    if (snprintf(path, PATH_SIZE, "%s/%s", folder, name) >= PATH_SIZE) {
        fprintf(stderr, "krait-test: path too long: %s/%s\n", folder, name);
        exit(2);
    }
    return path;
}

const char *test_data(const char *name)
{
    return joined(".", name);
}

const char *test_shared(const char *name)
{
    const char *folder = getenv("KRAIT_SHARED");
    const char *path = joined(folder && folder[0] ? folder : "../shared", name);

    return access(path, R_OK) == 0 ? path : NULL;
}

char *test_path(char *buffer, size_t size, const char *name)
{
    if (!scratch[0]) {
        const char *folder = getenv("TMPDIR");

        snprintf(scratch, sizeof scratch, "%s/krait-test-XXXXXX",
                 folder && folder[0] ? folder : "/tmp");
        if (!system_scratch(scratch)) {
            perror(scratch);
            exit(2);
        }
    }
    if ((size_t)snprintf(buffer, size, "%s/%s", scratch, name) >= size) {
        fprintf(stderr, "krait-test: no room for the path of %s\n", name);
        exit(2);
    }
    return buffer;
}

/* ---- the run ---- */

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Only names the test; the default action of the signal then follows. */
static void crashed(int number)
{
    static const char before[] = "FAIL ", after[] = ": crashed\n";

    if (write(STDOUT_FILENO, before, sizeof before - 1) < 0
        || write(STDOUT_FILENO, current, strlen(current)) < 0
        || write(STDOUT_FILENO, after, sizeof after - 1) < 0)
        _exit(2);
    signal(number, SIG_DFL);
    raise(number);
}

static int wanted(const char *name, char **filters)
{
    if (!*filters)
        return 1;
    for (; *filters; filters++)
        if (strstr(name, *filters))
            return 1;
    return 0;
}

static size_t chosen[CASES + 1];        /* the tests that were asked for, in order */

static void print_slowest(double *took, size_t count)
{
    for (int n = 0; n < SLOWEST; n++) {
        size_t slowest = 0;

        for (size_t i = 1; i < count; i++)
            if (took[i] > took[slowest])
                slowest = i;
        if (took[slowest] <= 0)
            return;
        printf("%8.3f s  %s\n", took[slowest], cases[chosen[slowest]].name);
        took[slowest] = 0;
    }
}

static int run_one(size_t test, double *took)
{
    const struct test_case *test_case = &cases[chosen[test]];
    double                  begin;

    current = test_case->name;
    failures = skipped = 0;
    note[0] = '\0';
    begin = seconds();
    test_case->run();
    *took = seconds() - begin;
    if (failures > MOST_PRINTED)
        printf("FAIL %s: %d more\n", current, failures - MOST_PRINTED);
    return failures ? WORKERS_FAILED : skipped ? WORKERS_SKIPPED : WORKERS_PASSED;
}

static void remove_scratch(void)
{
    if (scratch[0])
        system_remove(scratch);
}

static size_t choose(char **filters, int list)
{
    size_t count = 0;

    for (size_t i = 0; i < CASES; i++)
        if (wanted(cases[i].name, filters)) {
            chosen[count++] = i;
            if (list)
                printf("%s\n", cases[i].name);
        }
    return count;
}

int main(int argc, char **argv)
{
    static double took[CASES + 1];
    int           list = 0, verbose = 0, outcomes[WORKERS_OUTCOMES] = { 0 };
    size_t        processes = 1;
    workers_job   job = { 0, run_one, remove_scratch };
    int           option;

    while ((option = getopt(argc, argv, "j:lv")) != -1) {
        if (option == '?') {
            fprintf(stderr, "usage: krait-test [-j processes] [-l] [-v] [filter...]\n");
            return 2;
        }
        if (option == 'j')
            processes = strtoul(optarg, NULL, 10);
        list |= option == 'l';
        verbose |= option == 'v';
    }
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    system_watch(crashed);

    job.count = choose(argv + optind, list);
    if (list)
        return 0;
    workers_run(&job, processes ? processes : workers_best(), took, outcomes);
    if (verbose)
        print_slowest(took, job.count);
    if (job.count == 0)
        printf("FAIL krait-test: no test has such a name\n");
    printf("%d passed, %d failed, %d skipped\n", outcomes[WORKERS_PASSED], outcomes[WORKERS_FAILED],
           outcomes[WORKERS_SKIPPED]);
    return outcomes[WORKERS_FAILED] > 0 || job.count == 0;
}
