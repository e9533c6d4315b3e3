/* pages.c - madvise, which POSIX lacks in the form that does something. */
#define _DEFAULT_SOURCE 1

#include "core/pages.h"

#if defined(__unix__) || defined(__APPLE__)

#include <sys/mman.h>
#include <unistd.h>

/* The whole pages in from..to-1; 0: there are none. */
static size_t pages_inside(uintptr_t *from, uintptr_t to)
{
    long      size = sysconf(_SC_PAGESIZE);
    uintptr_t page = size > 0 ? (uintptr_t)size : 4096;

    *from = (*from + page - 1) / page * page;
    to = to / page * page;
    return to > *from ? to - *from : 0;
}

void kr_pages_fill(void *block, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    uintptr_t from = (uintptr_t)block;
    size_t    count = pages_inside(&from, from + bytes);

    if (count)
        madvise((void *)from, count, MADV_HUGEPAGE);
#else
    (void)block, (void)bytes, (void)pages_inside;
#endif
}

void kr_pages_want(const void *from, size_t bytes)
{
#ifdef MADV_WILLNEED
    uintptr_t first = (uintptr_t)from;
    size_t    count = pages_inside(&first, first + bytes);

    if (count)
        madvise((void *)first, count, MADV_WILLNEED);
#else
    (void)from, (void)bytes, (void)pages_inside;
#endif
}

void kr_pages_drop(const void *from, const void *to)
{
#ifdef MADV_DONTNEED
    uintptr_t first = (uintptr_t)from;
    size_t    count = pages_inside(&first, (uintptr_t)to);

    if (count)
        madvise((void *)first, count, MADV_DONTNEED);
#else
    (void)from, (void)to, (void)pages_inside;
#endif
}

#else

void kr_pages_fill(void *block, size_t bytes)
{
    (void)block, (void)bytes;
}

void kr_pages_want(const void *from, size_t bytes)
{
    (void)from, (void)bytes;
}

void kr_pages_drop(const void *from, const void *to)
{
    (void)from, (void)to;
}

#endif
