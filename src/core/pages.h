/*
 * pages.h - what the system is told about memory that is mapped or will be filled.
 *
 * Hints: where a system has no such thing, or refuses, nothing happens, and no result depends on them.
 */
#ifndef KR_PAGES_H
#define KR_PAGES_H

#include "core/build.h"

/* All of it will be written soon: large pages are filled several times as fast. */
void kr_pages_fill(void *block, size_t bytes);
/* It will be read soon: a mapped file may begin to come from the disk. */
void kr_pages_want(const void *from, size_t bytes);
/*
 * The whole pages between are not needed in memory: those of a mapped file are read again if they are, of
 * any other memory what they held may be lost.
 */
void kr_pages_drop(const void *from, const void *to);

#endif
