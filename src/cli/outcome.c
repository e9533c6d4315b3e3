/* outcome.c - what came out of two ways, number by number. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "cli/trial.h"

int outcome_begin(const trial *t, outcome *o)
{
    memset(o, 0, sizeof *o);
    o->rows = trial_room(t->lanes * t->made, t->out_width * sizeof(float));
    o->memory = trial_room(t->lanes, t->numbers * sizeof(float));
    o->counts = trial_room(t->lanes, sizeof *o->counts);
    o->kept = trial_room(t->kept.floats, sizeof *o->kept);
    if (o->rows && o->memory && o->counts && o->kept)
        return 0;
    outcome_end(o);
    return complain(NULL, "out of memory");
}

void outcome_end(outcome *o)
{
    free(o->rows);
    free(o->memory);
    free(o->counts);
    free(o->kept);
    memset(o, 0, sizeof *o);
}

static int same_bits(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* Adds to *d; *most is the largest magnitude that is finite. */
static void compare(distance *d, double *most, const float *reference, const float *x,
                    size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        double apart = fabs((double)reference[i] - (double)x[i]);

        if (isfinite(reference[i]) && fabs((double)reference[i]) > *most)
            *most = fabs((double)reference[i]);
        if (same_bits(reference[i], x[i]))
            continue;
        d->same = 0;
        if (!(apart <= d->apart))       /* NaN too, which then stays */
            d->apart = isnan(apart) ? INFINITY : apart;
    }
}

static distance relative(distance d, double most)
{
    if (d.apart > 0 && most > 0)
        d.apart /= most;
    return d;
}

distance trial_rows_apart(const trial *t, const outcome *reference, const outcome *o)
{
    distance d = { 1, 0 };
    double   most = 0;
    size_t   lane, width = t->out_width;

    for (lane = 0; lane < t->lanes; lane++) {
        size_t at = (lane * t->made + o->first) * width, count = reference->counts[lane];

        if (o->counts[lane] != count) {
            d.same = 0;
            d.apart = INFINITY;
        } else if (count > o->first) {
            compare(&d, &most, reference->rows + at, o->rows + at,
                    (count - o->first) * width);
        }
    }
    if (o->odd_rows) {
        d.same = 0;
        d.apart = INFINITY;
    }
    return relative(d, most);
}

/* Each name by its own magnitude; the farthest counts. */
distance trial_kept_apart(const trial *t, const outcome *reference, const outcome *o)
{
    distance all = { !o->odd_kept, o->odd_kept ? INFINITY : 0 };
    size_t   i;

    for (i = 0; i < t->kept.count && !o->without_kept; i++) {
        size_t   at = t->kept.at[i];
        distance d = { 1, 0 };
        double   most = 0;

        compare(&d, &most, reference->kept + at, o->kept + at,
                t->lanes * t->kept.made[i] * t->kept.list[i].width);
        d = relative(d, most);
        all.same &= d.same;
        all.apart = d.apart > all.apart ? d.apart : all.apart;
    }
    return all;
}

distance trial_memory_apart(const trial *t, const outcome *reference, const outcome *o)
{
    distance d = { 1, 0 };
    double   most = 0;

    compare(&d, &most, reference->memory, o->memory, t->lanes * t->numbers);
    return relative(d, most);
}

void trial_scale(const trial *t, const outcome *o, double *rows, double *memory)
{
    distance d = { 1, 0 };
    size_t   lane, at;

    *rows = *memory = 0;
    for (lane = 0; lane < t->lanes; lane++) {
        at = lane * t->made * t->out_width;
        compare(&d, rows, o->rows + at, o->rows + at, o->counts[lane] * t->out_width);
    }
    compare(&d, memory, o->memory, o->memory, t->lanes * t->numbers);
}
