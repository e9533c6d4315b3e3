/*
 * timed.c - rows with a time between them, one after another and as a recurrence over segments.
 *
 * A of a segment is the product of what its rows multiply with, in double.
 */
#include "scan/timed.h"

#include <string.h>

#include "kernels/times.h"

enum {
    /* floats for a state of a panel */
    TIMED_SET = 6 * KR_LANES, TIMED_STEP = 4 * KR_LANES, TIMED_STATE = 2 * KR_LANES,
    TIMED_BLOCK = 64,           /* rows that are handed on at once */
    TIMED_SETS = 512,           /* states of a panel whose coefficients are kept, about: they stay in a cache */
    TIMED_SCAN = 8,             /* the same for each segment of a scan */
    TIMED_ROWS = 128, TIMED_GRAIN = 16  /* of a segment, for so many states */
};

/* z nearer to 0 than this is taken as this, whose exp is still 1: g would be infinite. */
#define TIMED_STILL 0x1p-80

static size_t timed_most(size_t states, size_t kept)
{
    return states > kept ? 1 : kr_min(kept / states, 64);
}

void kr_timed_put(double *z, size_t channel, size_t state, size_t states, int rule, kr_complex step)
{
    double    *to = z + (channel / KR_LANES * states + state) * TIMED_STEP + channel % KR_LANES;
    kr_complex one = { 1, 0 }, g;

    if (kr_complex_size(step) < TIMED_STILL)
        step = kr_complex_of(-TIMED_STILL, 0);
    if (rule == KR_BILINEAR)
        g = kr_complex_subtract(one, kr_complex_scale(step, 0.5));
    else
        g = kr_complex_divide(one, kr_complex_expm1(step));
    if (!(kr_complex_size(g) < 4 / TIMED_STILL))        /* what comes in counts for nothing in a step, so never */
        g = kr_complex_of(0, 0);
    to[0] = step.re;
    to[KR_LANES] = step.im;
    to[2 * KR_LANES] = g.re;
    to[3 * KR_LANES] = g.im;
}

/* ---- rows one after another ----------------------------------------------------------------------------- */

int kr_timed_steady(const float *dt, size_t rows)
{
    for (size_t t = 0; t < rows; t++)
        if (dt[t] != 1.0f)
            return 0;
    return 1;
}

kr_timed_sets kr_timed_sets_of(const kr_timed_room *room, size_t states, size_t task)
{
    size_t most = room->most;

    return (kr_timed_sets){ room->times + task * most, room->sets + task * most * states * TIMED_SET, most, 0 };
}

/* Which set is that of dt; -1: there is no room for it. */
static int timed_set(const kr_timed *p, kr_timed_sets *sets, size_t panel, float dt)
{
    size_t        i = 0, at = panel * p->states;
    kr_discretize job = { p->z + at * TIMED_STEP, NULL, p->states, (double)dt, p->rule };

    while (i < sets->count && sets->times[i] != dt)
        i++;
    if (i == sets->most)
        return -1;
    if (i == sets->count) {
        job.to = sets->sets + i * p->states * TIMED_SET;
        p->kernels->discretize(&job);
        sets->times[sets->count++] = dt;
    }
    return (int)i;
}

/* product *= a for every state, where a's parts stand 'stride' floats behind another's. */
static void timed_compound(double *product, const float *a, size_t stride, int low, size_t states)
{
    for (size_t s = 0; s < states; s++, a += stride, product += TIMED_STATE)
        for (size_t j = 0; j < KR_LANES; j++) {
            double a_re = (double)a[j] + (low ? (double)a[j + 2 * KR_LANES] : 0.0);
            double a_im = (double)a[j + KR_LANES] + (low ? (double)a[j + 3 * KR_LANES] : 0.0);
            double re = a_re * product[j] - a_im * product[j + KR_LANES];
            double im = a_re * product[j + KR_LANES] + a_im * product[j];

            product[j] = kr_times_flush(re);
            product[j + KR_LANES] = kr_times_flush(im);
        }
}

/* Rows from 'to->row' on with one way of running them; returns how many. */
static size_t timed_stretch(const kr_timed *p, kr_timed_sets *sets, kr_timed_rows to, size_t end, double *product)
{
    const float *a = p->a + to.panel * p->states * TIMED_STEP, *dt = p->dt + to.row;
    uint8_t      set[TIMED_BLOCK];
    size_t       n = 0;
    int          which = 0;

    to.sets = sets->sets;
    if (dt[0] == 1.0f) {
        while (to.row + n < end && dt[n] == 1.0f)
            n++;
        for (size_t i = 0; product && i < n; i++)
            timed_compound(product, a, TIMED_STEP, p->low, p->states);
    } else {
        to.set = set;
        while (n < TIMED_BLOCK && to.row + n < end && dt[n] != 1.0f && which >= 0) {
            which = timed_set(p, sets, to.panel, dt[n]);
            if (which >= 0)
                set[n++] = (uint8_t)which;
        }
        for (size_t i = 0; product && i < n; i++)
            timed_compound(product, sets->sets + set[i] * p->states * TIMED_SET, TIMED_SET, 1, p->states);
    }
    to.rows = n;
    if (n)
        p->rows(p->job, &to);
    if (which < 0)
        sets->count = 0;
    return n;
}

/* product: NULL, or [states][2][16] that is multiplied with what the rows do. */
static void timed_panel(const kr_timed *p, kr_timed_sets *sets, const kr_timed_rows *to, double *product)
{
    kr_timed_rows at = *to;

    at.set = NULL;
    while (at.row < to->row + to->rows)
        at.row += timed_stretch(p, sets, at, to->row + to->rows, product);
}

void kr_timed_run(const kr_timed *p, kr_timed_sets *sets, const kr_timed_rows *to)
{
    timed_panel(p, sets, to, NULL);
}

/* ---- segments --------------------------------------------------------------------------------------------- */

typedef struct timed_job {
    const kr_timed      *whole;
    const kr_timed_room *room;
} timed_job;

static size_t timed_segment(size_t states)
{
    return TIMED_ROWS * ((states + TIMED_GRAIN - 1) / TIMED_GRAIN);
}

/* Those of a panel of a segment. */
static kr_timed_sets timed_sets(const timed_job *job, size_t row, size_t panel)
{
    size_t states = job->whole->states, most = timed_most(states, TIMED_SCAN);
    size_t at = (row / timed_segment(states) * (kr_pad16(job->whole->channels) / KR_LANES) + panel) * most;

    return (kr_timed_sets){ job->room->times + at, job->room->sets + at * states * TIMED_SET, most, 0 };
}

/* Products in double become two floats each, where they are. */
static void timed_close(float *decay, size_t states)
{
    for (size_t s = 0; s < states; s++, decay += TIMED_STEP) {
        double product[TIMED_STATE];

        memcpy(product, decay, sizeof product);
        for (size_t j = 0; j < TIMED_STATE; j++) {
            decay[j] = kr_flush((float)product[j]);
            decay[j + TIMED_STATE] = kr_flush((float)(product[j] - (double)decay[j]));
        }
    }
}

static void timed_summary(const void *argument, const kr_scan_piece *piece, kr_scan_summary summary)
{
    const timed_job *job = argument;
    size_t           states = job->whole->states, first = piece->channel / KR_LANES;

    memset(summary.end, 0, kr_pad16(piece->channels) * 2 * states * sizeof *summary.end);
    for (size_t i = 0; i < kr_pad16(piece->channels) / KR_LANES; i++) {
        kr_timed_sets sets = timed_sets(job, piece->row, first + i);
        float        *decay = summary.decay + i * states * TIMED_STEP;
        double       *product = (double *)(void *)decay;
        kr_timed_rows rows = { .panel = first + i, .row = piece->row, .rows = piece->rows, .ends = 1,
                               .state = summary.end + i * states * TIMED_STATE };

        for (size_t j = 0; j < states * TIMED_STATE; j++)
            product[j] = j % TIMED_STATE < KR_LANES;
        timed_panel(job->whole, &sets, &rows, product);
        timed_close(decay, states);
    }
}

static void timed_combine(const void *argument, const kr_scan_piece *piece, kr_scan_summary before,
                          kr_scan_summary summary)
{
    const timed_job *job = argument;

    job->whole->kernels->diagonal_combine(summary.end, summary.decay, before.end,
                                          kr_pad16(piece->channels) / KR_LANES * job->whole->states);
}

static void timed_run(const void *argument, const kr_scan_piece *piece, float *state)
{
    const timed_job *job = argument;
    size_t           first = piece->channel / KR_LANES;

    for (size_t i = 0; i < kr_pad16(piece->channels) / KR_LANES; i++) {
        kr_timed_sets sets = timed_sets(job, piece->row, first + i);
        kr_timed_rows rows = { .panel = first + i, .row = piece->row, .rows = piece->rows,
                               .state = state + i * job->whole->states * TIMED_STATE };

        timed_panel(job->whole, &sets, &rows, NULL);
    }
}

static const kr_recurrence timed_recurrence = { timed_summary, timed_combine, timed_run };

static kr_scan timed_scan_of(size_t channels, size_t states)
{
    return (kr_scan){ .recurrence = &timed_recurrence, .segment = timed_segment(states), .channels = channels,
                      .grain = KR_LANES, .decays = TIMED_STEP * states, .ends = TIMED_STATE * states };
}

kr_timed_room kr_timed_take(size_t rows, size_t channels, size_t states, size_t tasks, kr_carve *carve)
{
    kr_scan       scan = timed_scan_of(channels, states);
    kr_timed_room room;
    size_t        segments = rows / scan.segment + (rows % scan.segment != 0), sets, panels;

    room.most = kr_min(timed_most(states, TIMED_SETS), rows ? rows : 1);
    if (!kr_mul_fits(segments, kr_pad16(channels) / KR_LANES, &panels) ||
        !kr_mul_fits(panels, timed_most(states, TIMED_SCAN), &panels) ||
        !kr_mul_fits(tasks ? tasks : 1, room.most, &sets))
        carve->broken = 1, panels = sets = 0;
    sets = sets > panels ? sets : panels;
    room.times = kr_carve_floats(carve, sets, 1);
    room.sets = kr_carve_floats(carve, sets, states * TIMED_SET);
    room.summaries = kr_scan_take(&scan, rows, carve);
    return room;
}

void kr_timed_scan(const kr_timed *p, size_t rows, float *state, const kr_tasks *tasks, const kr_timed_room *room)
{
    timed_job job = { p, room };
    kr_scan   scan = timed_scan_of(p->channels, p->states);

    scan.job = &job;
    scan.rows = rows;
    scan.state = state;
    scan.room = room->summaries;
    kr_scan_run(&scan, tasks);
}
