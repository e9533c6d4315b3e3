/* selective.c - Mamba's selective scan as a recurrence: A and B are kernels of their own. */
#include "scan/selective.h"

enum { SELECTIVE_ROWS = 128, SELECTIVE_STATES = 16 };

typedef struct selective_job {
    const kr_kernels   *kernels;
    const kr_selective *rows;
} selective_job;

size_t kr_selective_segment(size_t states)
{
    return SELECTIVE_ROWS * ((states + SELECTIVE_STATES - 1) / SELECTIVE_STATES);
}

/* The job of some rows of some channels; panels of 16 channels lie one behind another. */
static kr_selective selective_piece(const kr_selective *whole, const kr_scan_piece *piece)
{
    kr_selective p = *whole;
    size_t       row = piece->row, channel = piece->channel;

    p.a += channel * p.states;
    p.d += channel;
    p.x += row * p.x_stride + channel;
    p.dt += row * p.dt_stride + channel;
    if (p.z)
        p.z += row * p.z_stride + channel;
    p.b += row * p.bc_stride;
    p.c += row * p.bc_stride;
    p.y += row * p.y_stride + channel;
    p.rows = piece->rows;
    p.channels = piece->channels;
    return p;
}

static void selective_summary(const void *job, const kr_scan_piece *piece, kr_scan_summary summary)
{
    const selective_job *of = job;
    kr_selective         p = selective_piece(of->rows, piece);

    of->kernels->selective_summary(&p, summary.decay, summary.end);
}

static void selective_combine(const void *job, const kr_scan_piece *piece, kr_scan_summary before,
                              kr_scan_summary summary)
{
    const selective_job *of = job;

    of->kernels->combine(summary.decay, summary.end, before.decay, before.end,
                         kr_pad16(piece->channels) * of->rows->states);
}

static void selective_run(const void *job, const kr_scan_piece *piece, float *state)
{
    const selective_job *of = job;
    kr_selective         p = selective_piece(of->rows, piece);

    p.h = state;
    of->kernels->selective(&p);
}

static const kr_recurrence selective_recurrence = { selective_summary, selective_combine, selective_run };

static kr_scan selective_scan_of(size_t channels, size_t states)
{
    return (kr_scan){ .recurrence = &selective_recurrence, .segment = kr_selective_segment(states),
                      .channels = channels, .grain = KR_LANES, .decays = KR_LANES * states,
                      .ends = KR_LANES * states };
}

float *kr_selective_take(size_t rows, size_t channels, size_t states, kr_carve *carve)
{
    kr_scan scan = selective_scan_of(channels, states);

    return kr_scan_take(&scan, rows, carve);
}

float *kr_selective_room(float *room, size_t rows, size_t channel, size_t states)
{
    size_t segment = kr_selective_segment(states), segments = rows / segment + (rows % segment != 0);

    return segments < 3 ? room : room + (segments - 2) * 2 * channel * states;
}

void kr_selective_scan(const kr_kernels *kernels, const kr_selective *p, const kr_tasks *tasks, float *room)
{
    selective_job job = { kernels, p };
    kr_scan       scan = selective_scan_of(p->channels, p->states);

    scan.job = &job;
    scan.rows = p->rows;
    scan.state = p->h;
    scan.room = room;
    kr_scan_run(&scan, tasks);
}
