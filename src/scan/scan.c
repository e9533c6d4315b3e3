/*
 * scan.c - the order of the work: summaries, how they follow from one another, runs.
 *
 * The first segment begins with the scan's own state and just runs; where it ends is exact.  The last
 * needs no summary.  With n segments that makes n runs and n - 2 summaries.  Segment s from 2 on begins
 * where the summary of s - 1 ended, in place.
 */
#include "scan/scan.h"

#include <string.h>

enum { SCAN_CHANNELS = 64 };    /* of a piece, about: with 128 rows it stays in a core's cache */

typedef struct scan_work {
    const kr_scan *scan;
    size_t         segments, groups;
    size_t         width;       /* channels of a group */
} scan_work;

static size_t scan_segments(const kr_scan *scan, size_t rows)
{
    return rows / scan->segment + (rows % scan->segment != 0);
}

static size_t scan_grains(const kr_scan *scan, size_t channels)
{
    return channels / scan->grain + (channels % scan->grain != 0);
}

float *kr_scan_take(const kr_scan *scan, size_t rows, kr_carve *carve)
{
    size_t segments = scan_segments(scan, rows), grains;

    if (segments < 3)
        return NULL;
    if (!kr_mul_fits(segments - 2, scan_grains(scan, scan->channels), &grains)) {
        carve->broken = 1;
        return NULL;
    }
    return kr_carve_floats(carve, grains, scan->decays + scan->ends);
}

static kr_scan_piece scan_piece(const scan_work *w, size_t segment, size_t group)
{
    size_t row = segment * w->scan->segment, channel = group * w->width;

    return (kr_scan_piece){ row, kr_min(w->scan->segment, w->scan->rows - row),
                            channel, kr_min(w->width, w->scan->channels - channel) };
}

/* Of segment 1 .. segments - 2, and there from this channel on. */
static kr_scan_summary scan_summary(const scan_work *w, size_t segment, size_t channel)
{
    const kr_scan *scan = w->scan;
    size_t         grains = scan_grains(scan, scan->channels), grain = channel / scan->grain;
    float         *ends = scan->room + (segment - 1) * grains * (scan->ends + scan->decays);

    return (kr_scan_summary){ ends + grains * scan->ends + grain * scan->decays, ends + grain * scan->ends };
}

/* Where a segment finds the state that it begins with, and leaves the one that it ends with. */
static float *scan_state(const scan_work *w, size_t segment, size_t channel)
{
    if (segment < 2)
        return w->scan->state + channel / w->scan->grain * w->scan->ends;
    return scan_summary(w, segment - 1, channel).end;
}

static void scan_run(const scan_work *w, size_t segment, size_t group)
{
    kr_scan_piece piece = scan_piece(w, segment, group);

    w->scan->recurrence->run(w->scan->job, &piece, scan_state(w, segment, piece.channel));
}

static void scan_summarise(const scan_work *w, size_t segment, size_t group)
{
    kr_scan_piece piece = scan_piece(w, segment, group);

    w->scan->recurrence->summary(w->scan->job, &piece, scan_summary(w, segment, piece.channel));
}

/* The segment's summary becomes the state behind it. */
static void scan_combine(const scan_work *w, size_t segment, size_t group)
{
    kr_scan_piece   piece = scan_piece(w, segment, group);
    kr_scan_summary before = { NULL, scan_state(w, segment, piece.channel) };

    w->scan->recurrence->combine(w->scan->job, &piece, before, scan_summary(w, segment, piece.channel));
}

/* ---- in pieces: three rounds of tasks -------------------------------------------------------------- */

static void scan_ahead(void *argument, size_t i)
{
    const scan_work *w = argument;

    if (i < w->groups)
        scan_run(w, 0, i);
    else
        scan_summarise(w, i / w->groups, i % w->groups);
}

static void scan_follow(void *argument, size_t group)
{
    const scan_work *w = argument;

    for (size_t s = 1; s + 1 < w->segments; s++)
        scan_combine(w, s, group);
}

static void scan_behind(void *argument, size_t i)
{
    const scan_work *w = argument;

    scan_run(w, 1 + i / w->groups, i % w->groups);
}

/* ---- or group by group: a segment's rows are still in the cache when they run ------------------------ */

static void scan_group(void *argument, size_t group)
{
    const scan_work *w = argument;

    scan_run(w, 0, group);
    for (size_t s = 1; s < w->segments; s++) {
        if (s + 1 < w->segments) {
            scan_summarise(w, s, group);
            scan_combine(w, s, group);
        }
        scan_run(w, s, group);
    }
}

void kr_scan_run(const kr_scan *scan, const kr_tasks *tasks)
{
    scan_work w = { .scan = scan, .segments = scan_segments(scan, scan->rows) };

    if (scan->rows == 0 || scan->channels == 0)
        return;
    w.width = scan->grain < SCAN_CHANNELS ? SCAN_CHANNELS / scan->grain * scan->grain : scan->grain;
    w.groups = scan->channels / w.width + (scan->channels % w.width != 0);
    if (w.segments < 3 || tasks->most < 2 || w.groups / 2 >= tasks->most) {
        kr_tasks_run(tasks, scan_group, &w, w.groups);
    } else {
        kr_tasks_run(tasks, scan_ahead, &w, (w.segments - 1) * w.groups);
        kr_tasks_run(tasks, scan_follow, &w, w.groups);
        kr_tasks_run(tasks, scan_behind, &w, (w.segments - 1) * w.groups);
    }
    if (w.segments > 2)
        memcpy(scan->state, scan_state(&w, w.segments - 1, 0),
               scan_grains(scan, scan->channels) * scan->ends * sizeof *scan->state);
}
