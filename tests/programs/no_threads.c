/* no_threads.c - a command built where there are no threads: one is fine, two are refused. */
#ifndef KRAIT_NO_THREADS
#define KRAIT_NO_THREADS
#endif
#include "cli/pool.c"

#include <stdio.h>
#include <string.h>

static char complaint[200];

int complain(const char *about, const char *format, ...)
{
    (void)about;
    snprintf(complaint, sizeof complaint, "%s", format);
    return 1;
}

static void add(void *user, size_t i)
{
    *(size_t *)user += i;
}

int main(void)
{
    krait_input input = { 0 };
    pool       *p = NULL;
    const char *why = pool_start(&p, 2);
    size_t      sum = 0;
    int         right;

    right = why && strstr(why, "no threads") && !p;
    right &= pool_start_or_complain(&p, 2) == 1 && strstr(complaint, "--threads") && !p;
    right &= pool_start_or_complain(&p, 1) == 0 && !p;
    pool_serve(p, &input);
    right &= !input.parallel;
    pool_run(p, add, &sum, 5);
    right &= sum == 10;
    pool_end(p);
    if (!right)
        printf("more than one thread was not refused, or one was: %s\n", why ? why : "no reason");
    return !right;
}
