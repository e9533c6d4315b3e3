/*
 * threads_refused.c - examples/threads.c where the system starts no thread: the work is done all the
 * same, on one.
 *
 * The linker puts the function below in the place of pthread_create (threads_refused.flags).
 */
int example_main(int argc, char **argv);

#define main example_main
#include "../../examples/threads.c"
#undef main

#include <errno.h>

static int refused;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *), void *user);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *), void *user)
{
    (void)thread, (void)how, (void)start, (void)user;
    refused++;
    return EAGAIN;
}

int main(void)
{
    char  name[] = "threads";
    char *arguments[] = { name, NULL };

    if (example_main(1, arguments) != 0)
        return 1;
    if (refused != 1)
        printf("pthread_create was called %d times: once is enough to know\n", refused);
    return refused != 1;
}
