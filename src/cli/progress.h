/*
 * progress.h - a line on stderr while work takes long, and Ctrl-C.
 *
 * The line appears only on a terminal and after half a second.  progress_tick() is a
 * krait_progress_fn whose user is the progress; it cancels once Ctrl-C was pressed.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdint.h>

typedef struct progress {
    const char *what;           /* "reading" */
    const char *unit;           /* "B", "rows" */
    double      begun;          /* seconds */
    double      drawn;          /* when last */
    int         terminal;
    int         shown;
} progress;

void    progress_begin(progress *p, const char *what, const char *unit);
int32_t progress_tick(void *user, uint64_t done, uint64_t total);
/* Takes the line away; returns the seconds since it began.  Safe to do twice. */
double  progress_end(progress *p);

/* From now on Ctrl-C only asks to stop, once; the second one ends the program. */
void    progress_catch(void);
int     progress_stopped(void);
/* Whatever was to stop has: Ctrl-C asks again. */
void    progress_go_on(void);

double  progress_clock(void);

#endif /* CLI_PROGRESS_H */
