/*
 * system.h - what the command asks of the system beyond C: paths are UTF-8 everywhere, and the standard
 * streams carry bytes.
 */
#ifndef CLI_SYSTEM_H
#define CLI_SYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Before all else; returns the arguments in UTF-8, which last as long as the process. */
char **system_begin(int argc, char **argv);

/* fopen of a path in UTF-8. */
FILE *system_open(const char *path, const char *mode);

enum { SYSTEM_NOTHING, SYSTEM_FILE, SYSTEM_FOLDER, SYSTEM_OTHER };

/* What there is under a path; a link is SYSTEM_OTHER. */
int  system_kind(const char *path);
/* Bytes of a file or of what a link leads to; 0 if there is none. *folder: it is one. */
uint64_t system_bytes(const char *path, int *folder);
/* Gives a file another name, in the place of what has it; 0: done. */
int  system_rename(const char *from, const char *to);
void system_delete(const char *path);
/* Tells two processes apart that write at the same time. */
long system_process(void);

/* Somebody looks at it, or types. */
int    system_terminal(FILE *stream);
/* getline() of POSIX as to the result; -1: no more lines. */
long   system_line(char **line, size_t *room, FILE *stream);
/* Calls 'caught' at the first interruption by the user; the second ends the process. */
void   system_catch(void (*caught)(int number));
/* Seconds of a clock that never goes back. */
double system_clock(void);

#endif /* CLI_SYSTEM_H */
