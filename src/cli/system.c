/* system.c - POSIX, and WASI, which has most of it. */
#if !defined(_WIN32)
#define _POSIX_C_SOURCE 200809L

#include "cli/system.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

char **system_begin(int argc, char **argv)
{
    (void)argc;
    return argv;
}

FILE *system_open(const char *path, const char *mode)
{
    return fopen(path, mode);
}

int system_kind(const char *path)
{
    struct stat about;

    if (lstat(path, &about) != 0)
        return SYSTEM_NOTHING;
    return S_ISREG(about.st_mode) ? SYSTEM_FILE : S_ISDIR(about.st_mode) ? SYSTEM_FOLDER : SYSTEM_OTHER;
}

uint64_t system_bytes(const char *path, int *folder)
{
    struct stat about;

    *folder = 0;
    if (stat(path, &about) != 0)
        return 0;
    *folder = S_ISDIR(about.st_mode) != 0;
    return (uint64_t)about.st_size;
}

int system_rename(const char *from, const char *to)
{
    return rename(from, to);
}

void system_delete(const char *path)
{
    unlink(path);
}

long system_process(void)
{
    return (long)getpid();
}

int system_terminal(FILE *stream)
{
    return isatty(fileno(stream));
}

long system_line(char **line, size_t *room, FILE *stream)
{
    return (long)getline(line, room, stream);
}

#if defined(__wasi__)

void system_catch(void (*caught)(int number))
{
    (void)caught;                       /* nobody sends signals there */
}

#else

/* A signal that is ignored, as by a shell's job in the background, stays so. */
static void catch_signal(int number, void (*caught)(int number))
{
    struct sigaction action;

    if (sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_IGN)
        return;
    memset(&action, 0, sizeof action);
    action.sa_handler = caught;
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(number, &action, NULL);
}

void system_catch(void (*caught)(int number))
{
    catch_signal(SIGINT, caught);
    catch_signal(SIGTERM, caught);
}

#endif

double system_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
