/*
 * liquid.c - complex recurrences whose coefficients a + v are others in every row.
 *
 * A of a segment is what its rows make of a state of 1 with nothing added, B what they make of zero.
 */
#include "scan/liquid.h"

#include <string.h>

#include "scan/turning.h"

enum { LIQUID_ROWS = 128 };
/* Floats of a panel: of its states; of A, which is laid out as kr_turn's a. */
enum { LIQUID_PANEL = 2 * KR_LANES, LIQUID_FACTORS = 4 * KR_LANES };

typedef struct liquid_job {
    const kr_kernels *kernels;
    const kr_turn    *whole;
} liquid_job;

/* A comes out panel behind panel, as states do; the last is moved first. */
static void liquid_spread(float *decay, size_t panels)
{
    for (size_t i = panels; i-- > 0;) {
        memmove(decay + i * LIQUID_FACTORS, decay + i * LIQUID_PANEL, LIQUID_PANEL * sizeof *decay);
        memset(decay + i * LIQUID_FACTORS + LIQUID_PANEL, 0, LIQUID_PANEL * sizeof *decay);
    }
}

static void liquid_summary(const void *job, const kr_scan_piece *piece, kr_scan_summary summary)
{
    const liquid_job *of = job;
    size_t            panels = kr_pad16(piece->channels) / KR_LANES;
    kr_turn           p = kr_turning_piece(of->whole, piece, summary.end);

    p.out = NULL;
    memset(summary.end, 0, panels * LIQUID_PANEL * sizeof *summary.end);
    of->kernels->liquid(&p, 0);
    for (size_t i = 0; i < panels * LIQUID_PANEL; i++)
        summary.decay[i] = i % LIQUID_PANEL < KR_LANES ? 1.0f : 0.0f;
    p.x = summary.decay;
    of->kernels->liquid(&p, 1);
    liquid_spread(summary.decay, panels);
}

static void liquid_combine(const void *job, const kr_scan_piece *piece, kr_scan_summary before,
                           kr_scan_summary summary)
{
    const liquid_job *of = job;

    of->kernels->diagonal_combine(summary.end, summary.decay, before.end, kr_pad16(piece->channels) / KR_LANES);
}

static void liquid_run(const void *job, const kr_scan_piece *piece, float *state)
{
    const liquid_job *of = job;
    kr_turn           p = kr_turning_piece(of->whole, piece, state);

    of->kernels->liquid(&p, 0);
}

static const kr_recurrence liquid_recurrence = { liquid_summary, liquid_combine, liquid_run };

static kr_scan liquid_scan_of(size_t states)
{
    return (kr_scan){ .recurrence = &liquid_recurrence, .segment = LIQUID_ROWS, .channels = states,
                      .grain = KR_LANES, .decays = LIQUID_FACTORS, .ends = LIQUID_PANEL };
}

float *kr_liquid_take(size_t rows, size_t states, kr_carve *carve)
{
    kr_scan scan = liquid_scan_of(states);

    return kr_scan_take(&scan, rows, carve);
}

void kr_liquid_scan(const kr_kernels *kernels, const kr_turn *p, const kr_tasks *tasks, float *room)
{
    liquid_job job = { kernels, p };
    kr_scan    scan = liquid_scan_of(p->states);

    scan.job = &job;
    scan.rows = p->rows;
    scan.state = p->x;
    scan.room = room;
    kr_scan_run(&scan, tasks);
}
