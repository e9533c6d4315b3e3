/*
 * diagonal.c - diagonal complex recurrences as one recurrence over segments.
 *
 * Every row has the same a, and every segment that needs a summary is whole: A is a to the power of its
 * rows, made once beforehand, and a summary is B alone.
 */
#include "scan/diagonal.h"

#include <string.h>

enum { DIAGONAL_ROWS = 128, DIAGONAL_STATES = 16 };

typedef struct diagonal_job {
    const kr_kernels  *kernels;
    const kr_diagonal *rows;
    const float       *power;
} diagonal_job;

size_t kr_diagonal_segment(size_t states)
{
    return DIAGONAL_ROWS * ((states + DIAGONAL_STATES - 1) / DIAGONAL_STATES);
}

/* The job of some rows of some channels; panels of 16 channels lie one behind another. */
static kr_diagonal diagonal_piece(const kr_diagonal *whole, const kr_scan_piece *piece, float *h)
{
    kr_diagonal p = *whole;

    p.a += piece->channel * p.states * 4;
    p.c += piece->channel * p.states * 2;
    p.d += piece->channel;
    p.x += piece->row * p.x_stride + piece->channel;
    p.y += piece->row * p.y_stride + piece->channel;
    p.h = h;
    p.rows = piece->rows;
    p.channels = piece->channels;
    return p;
}

static void diagonal_summary(const void *job, const kr_scan_piece *piece, kr_scan_summary summary)
{
    const diagonal_job *of = job;
    kr_diagonal         p = diagonal_piece(of->rows, piece, summary.end);

    memset(summary.end, 0, kr_pad16(piece->channels) * p.states * 2 * sizeof *summary.end);
    p.y = NULL;
    of->kernels->diagonal(&p);
}

static void diagonal_combine(const void *job, const kr_scan_piece *piece, kr_scan_summary before,
                             kr_scan_summary summary)
{
    const diagonal_job *of = job;
    size_t              states = of->rows->states;

    of->kernels->diagonal_combine(summary.end, of->power + piece->channel * states * 4, before.end,
                                  kr_pad16(piece->channels) / KR_LANES * states);
}

static void diagonal_run(const void *job, const kr_scan_piece *piece, float *state)
{
    const diagonal_job *of = job;
    kr_diagonal         p = diagonal_piece(of->rows, piece, state);

    of->kernels->diagonal(&p);
}

static const kr_recurrence diagonal_recurrence = { diagonal_summary, diagonal_combine, diagonal_run };

static kr_scan diagonal_scan_of(size_t channels, size_t states)
{
    return (kr_scan){ .recurrence = &diagonal_recurrence, .segment = kr_diagonal_segment(states),
                      .channels = channels, .grain = KR_LANES, .ends = 2 * KR_LANES * states };
}

float *kr_diagonal_take(size_t rows, size_t channels, size_t states, kr_carve *carve)
{
    kr_scan scan = diagonal_scan_of(channels, states);

    return kr_scan_take(&scan, rows, carve);
}

void kr_diagonal_scan(const kr_kernels *kernels, const kr_diagonal *p, const float *power, const kr_tasks *tasks,
                      float *room)
{
    diagonal_job job = { kernels, p, power };
    kr_scan      scan = diagonal_scan_of(p->channels, p->states);

    scan.job = &job;
    scan.rows = p->rows;
    scan.state = p->h;
    scan.room = room;
    kr_scan_run(&scan, tasks);
}
