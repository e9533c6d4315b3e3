/* progress.c - the line is redrawn in place, at most ten times a second. */
#include "cli/progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/show.h"
#include "cli/system.h"

#define PATIENCE  0.5           /* seconds before the line appears */
#define REDRAW    0.1
#define BAR       24

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

void progress_catch(void)
{
    system_catch(stop);
}

int progress_stopped(void)
{
    return stopped != 0;
}

void progress_go_on(void)
{
    stopped = 0;
    progress_catch();
}

double progress_clock(void)
{
    return system_clock();
}

void progress_begin(progress *p, const char *what, const char *unit)
{
    memset(p, 0, sizeof *p);
    p->what = what;
    p->unit = unit;
    p->begun = p->drawn = progress_clock();
    p->terminal = system_terminal(stderr);
}

static void draw(const progress *p, uint64_t done, uint64_t total, double took)
{
    double      part = total ? (double)done / (double)total : 0;
    double      rate = (double)done / took;
    double      left = rate > 0 ? (double)(total - done) / rate : 0;
    int         bytes = strcmp(p->unit, "B") == 0, full = (int)(part * BAR);
    const char *amount = bytes ? show_bytes((uint64_t)rate) : show_count((uint64_t)rate);

    fprintf(stderr, "\r%s [%.*s%*s] %3.0f %%  %s%s%s/s", p->what, full,
            "########################", BAR - full, "", 100 * part, amount,
            bytes ? "" : " ", bytes ? "" : p->unit);
    if (rate > 0)
        fprintf(stderr, "  %.0f:%02d left", (double)((uint64_t)left / 60),
                (int)((uint64_t)left % 60));
    fputs("\033[K", stderr);
    fflush(stderr);
}

int32_t progress_tick(void *user, uint64_t done, uint64_t total)
{
    progress *p = user;

    if (p->terminal) {
        double now = progress_clock();

        done = done < total ? done : total;
        if (now - p->begun > PATIENCE && now - p->drawn > REDRAW) {
            draw(p, done, total, now - p->begun);
            p->drawn = now;
            p->shown = 1;
        }
    }
    return stopped != 0;
}

double progress_end(progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
    p->shown = 0;
    return progress_clock() - p->begun;
}
