/* system.c - POSIX, and what Windows and WASI have of it. */
#define _XOPEN_SOURCE 700

#include "support/system.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(_WIN32)
#include <direct.h>
#endif

int system_folder(const char *path)
{
#if defined(_WIN32)
    return _mkdir(path);
#else
    return mkdir(path, 0777);
#endif
}

#if defined(_WIN32) || defined(__wasi__)

/* Only the tests of one machine meet here. */
int system_scratch(char *path)
{
    char *end = path + strlen(path) - 6;

    for (unsigned n = 0; n < 1000000; n++) {
        snprintf(end, 7, "%06u", n % 1000000);
        if (system_folder(path) == 0)
            return 1;
        if (errno != EEXIST)
            return 0;
    }
    return 0;
}

#else

int system_scratch(char *path)
{
    return mkdtemp(path) != NULL;
}

#endif

void system_remove(const char *path)
{
    DIR           *list = opendir(path);
    struct dirent *entry;

    while (list && (entry = readdir(list)) != NULL) {
        char inside[1200];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if ((size_t)snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name) < sizeof inside
            && unlink(inside) != 0)
            system_remove(inside);
    }
    if (list)
        closedir(list);
    rmdir(path);
}

#if defined(_WIN32) || defined(__wasi__)

void system_watch(void (*crashed)(int number))
{
    static const int numbers[] = { SIGSEGV, SIGFPE, SIGILL, SIGABRT };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        signal(numbers[i], crashed);
}

#else

/* Sanitizers have handlers of their own, which say more: those stay. */
void system_watch(void (*crashed)(int number))
{
    static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    struct sigaction found;

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sigaction(numbers[i], NULL, &found) == 0 && !(found.sa_flags & SA_SIGINFO)
            && found.sa_handler == SIG_DFL)
            signal(numbers[i], crashed);
}

#endif
