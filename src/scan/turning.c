/*
 * turning.c - complex recurrences with coefficients that are the same in every row.
 *
 * So the A of every segment is one power of a, and a summary holds B alone: where zeros end.
 */
#include "scan/turning.h"

#include <string.h>

enum { TURNING_PANEL = 2 * KR_LANES, TURNING_FACTORS = 4 * KR_LANES };  /* floats of a panel's x and a */

typedef struct turning_job {
    const kr_kernels *kernels;
    const kr_turn    *whole;
    const float      *power;
} turning_job;

kr_turn kr_turning_piece(const kr_turn *whole, const kr_scan_piece *piece, float *x)
{
    kr_turn p = *whole;
    size_t  at = piece->row * p.stride + piece->channel * 2;

    p.a += piece->channel * 4;
    p.x = x;
    p.v += at;
    p.out += at;
    p.rows = piece->rows;
    p.states = piece->channels;
    return p;
}

static void turning_summary(const void *job, const kr_scan_piece *piece, kr_scan_summary summary)
{
    const turning_job *of = job;
    kr_turn            p = kr_turning_piece(of->whole, piece, summary.end);

    memset(summary.end, 0, kr_pad16(piece->channels) * 2 * sizeof *summary.end);
    p.out = NULL;
    of->kernels->turn(&p);
}

/* One row with the power for a; what was before is wanted as it was. */
static void turning_combine(const void *job, const kr_scan_piece *piece, kr_scan_summary before,
                            kr_scan_summary summary)
{
    const turning_job *of = job;
    size_t             first = piece->channel / KR_LANES;

    for (size_t i = 0; i < kr_pad16(piece->channels) / KR_LANES; i++) {
        float   x[TURNING_PANEL], *end = summary.end + i * TURNING_PANEL;
        kr_turn p = { of->power + (first + i) * TURNING_FACTORS, of->whole->low, x, end, end, TURNING_PANEL, 1,
                      KR_LANES };

        memcpy(x, before.end + i * TURNING_PANEL, sizeof x);
        of->kernels->turn(&p);
    }
}

static void turning_run(const void *job, const kr_scan_piece *piece, float *state)
{
    const turning_job *of = job;
    kr_turn            p = kr_turning_piece(of->whole, piece, state);

    of->kernels->turn(&p);
}

static const kr_recurrence turning_recurrence = { turning_summary, turning_combine, turning_run };

static kr_scan turning_scan_of(size_t states)
{
    return (kr_scan){ .recurrence = &turning_recurrence, .segment = KR_TURNING_ROWS, .channels = states,
                      .grain = KR_LANES, .ends = TURNING_PANEL };
}

float *kr_turning_take(size_t rows, size_t states, kr_carve *carve)
{
    kr_scan scan = turning_scan_of(states);

    return kr_scan_take(&scan, rows, carve);
}

void kr_turning_scan(const kr_kernels *kernels, const kr_turn *p, const float *power, const kr_tasks *tasks,
                     float *room)
{
    turning_job job = { kernels, p, power };
    kr_scan     scan = turning_scan_of(p->states);

    scan.job = &job;
    scan.rows = p->rows;
    scan.state = p->x;
    scan.room = room;
    kr_scan_run(&scan, tasks);
}
