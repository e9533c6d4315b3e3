/* s4d_run.c - rows through a layer s4d: in order, in segments, as a convolution, with times of their own, both ways. */
#include "layers/s4d.h"

#include <string.h>

#include "layers/convolve.h"
#include "layers/share.h"
#include "scan/diagonal.h"
#include "scan/timed.h"

void kr_s4d_memory(const kr_layer *layer, kr_parts *parts)
{
    const kr_s4d *p = layer->params;

    kr_part_add(parts, "ssm", KR_PART_CHANNELS, layer->out_width, 2 * p->states);
    if (p->bidirectional)
        kr_part_add(parts, "back", KR_PART_CHANNELS, layer->out_width, 2 * p->states);
}

typedef struct s4d_room {
    float *u;                   /* [rows][heads · width]: what comes, once for each head; NULL with one */
    float *turned, *back;       /* [rows][heads · width]: from last to first, and what is made of that; or NULL */
    kr_timed_room timed;        /* and of a scan's segments */
} s4d_room;

static kr_convolution s4d_convolution(const kr_layer *layer)
{
    const kr_s4d *p = layer->params;

    return (kr_convolution){ .channels = layer->out_width,
                             .numbers = 2 * KR_LANES * p->states, .reach = p->reach };
}

static s4d_room s4d_take(const kr_layer *layer, size_t rows, size_t tasks, kr_carve *carve)
{
    const kr_s4d *p = layer->params;
    s4d_room   room = { 0 };

    if (p->heads > 1)
        room.u = kr_carve_floats(carve, rows, layer->out_width);
    if (p->bidirectional) {
        room.turned = kr_carve_floats(carve, rows, layer->out_width);
        room.back = kr_carve_floats(carve, rows, layer->out_width);
    }
    room.timed = kr_timed_take(rows, layer->out_width, p->states, tasks, carve);
    return room;
}

void kr_s4d_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    kr_convolution of = s4d_convolution(layer);

    s4d_take(layer, most->rows, most->tasks, carve);
    kr_convolve_scratch(&of, most, carve);
}

/* A run in one direction, and how its tasks share it. */
typedef struct s4d_job {
    const kr_layer   *layer;
    kr_context       *context;
    const kr_rows    *in;
    s4d_room          room;
    const float      *u;        /* [rows][heads · width] */
    float            *out;
    const float      *read, *d;
    size_t            memory;   /* floats before its states in what a lane remembers */
    uint64_t          work;
    kr_shares         shares;
} s4d_job;

/* Rows from..to-1 of one episode, the task's channels. */
static void s4d_episode(const s4d_job *run, const kr_share *share, float *h, size_t from, size_t to)
{
    const kr_s4d *p = run->layer->params;
    size_t     width = run->layer->out_width, c = share->from;
    kr_diagonal job = { p->a + c * p->states * 4, run->read + c * p->states * 2, run->d + c, run->u + from * width + c,
                        width, h + c * p->states * 2, run->out + from * width + c, width, to - from,
                        share->to - c, p->states, p->precise };

    if (run->context->mode == KRAIT_SCAN)
        kr_diagonal_scan(run->context->kernels, &job, p->power, &run->context->tasks, run->room.timed.summaries);
    else
        run->context->kernels->diagonal(&job);
}

/* Of a panel, for a convolution. */
static void s4d_panel(const void *job, size_t panel, const kr_panel_rows *rows, float *h)
{
    static const float zeros[KR_LANES] = { 0 };
    const s4d_job *run = job;
    const kr_s4d     *p = run->layer->params;
    size_t         c = panel * KR_LANES;
    kr_diagonal    part = { p->a + c * p->states * 4, run->read + c * p->states * 2, run->d + c,
                            rows->x ? rows->x : zeros, rows->x ? rows->x_stride : 0, h, rows->y, rows->y_stride,
                            rows->rows, kr_min(KR_LANES, run->layer->out_width - c), p->states, p->precise };

    run->context->kernels->diagonal(&part);
}

static void s4d_convolve(s4d_job *run)
{
    size_t      width = run->layer->out_width;
    kr_convolve job = { s4d_convolution(run->layer), run->u, run->out, width, width, run->memory, run->work };

    job.of.run = s4d_panel;
    job.of.job = run;
    job.of.kernels = run->context->kernels;
    kr_convolve_run(run->layer, run->context, run->in, &job);
}

/* Rows of an episode with a time between them: of one panel, as kr_timed has it. */
typedef struct s4d_timed {
    const s4d_job *run;
    size_t         first;       /* the episode's row */
} s4d_timed;

static void s4d_timed_rows(const void *argument, const kr_timed_rows *rows)
{
    const s4d_timed *job = argument;
    const s4d_job   *run = job->run;
    const kr_s4d       *p = run->layer->params;
    size_t           width = run->layer->out_width, c = rows->panel * KR_LANES, n = kr_min(KR_LANES, width - c);
    size_t           at = (job->first + rows->row) * width + c;
    const float     *read = run->read + c * p->states * 2, *d = run->d + c;
    float           *y = rows->ends ? NULL : run->out + at;
    kr_diagonal       steady = { p->a + c * p->states * 4, read, d, run->u + at, width, rows->state, y, width,
                                 rows->rows, n, p->states, p->precise };
    kr_diagonal_timed timed = { rows->sets, rows->set, read, d, run->u + at, width, rows->state, y, width,
                                rows->rows, n, p->states };

    if (rows->set)
        run->context->kernels->diagonal_timed(&timed);
    else
        run->context->kernels->diagonal(&steady);
}

/* 'sets' are those of the share, which is a panel; NULL: all channels are scanned in segments. */
static void s4d_timed_episode(const s4d_job *run, const kr_share *share, kr_timed_sets *sets, float *h, size_t from,
                              size_t to)
{
    const kr_s4d    *p = run->layer->params;
    s4d_timed     own = { run, from };
    kr_timed      timed = { run->context->kernels, p->z, p->a, p->precise, p->rule, run->layer->out_width, p->states,
                            run->in->dt + from, &own, s4d_timed_rows };
    kr_timed_rows rows = { .panel = share->from / KR_LANES, .rows = to - from,
                           .state = h + share->from * p->states * 2 };

    if (sets)
        kr_timed_run(&timed, sets, &rows);
    else
        kr_timed_scan(&timed, to - from, h, &run->context->tasks, &run->room.timed);
}

/* Do rows have times that count? */
static int s4d_is_timed(const s4d_job *run)
{
    return run->in->dt && run->layer->uses_time;
}

static void s4d_lanes(const s4d_job *run, const kr_share *share, kr_timed_sets *sets)
{
    const kr_rows *in = run->in;
    size_t         numbers = ((const kr_s4d *)run->layer->params)->states * 2;

    for (size_t lane = share->lane; lane < share->lane_end; lane++) {
        float *memory = kr_layer_memory(run->layer, run->context, lane);
        size_t end = in->first[lane + 1];

        for (size_t from = in->first[lane], to; from < end; from = to) {
            to = kr_rows_episode(in, from, end);
            if (in->reset && in->reset[from])
                kr_layer_begin(run->layer, memory, run->memory + share->from * numbers,
                               kr_pad16(share->to - share->from) * numbers);
            if (s4d_is_timed(run) && !kr_timed_steady(in->dt + from, to - from))
                s4d_timed_episode(run, share, sets, memory + run->memory, from, to);
            else
                s4d_episode(run, share, memory + run->memory, from, to);
        }
    }
}

static void s4d_task(void *argument, size_t task)
{
    const s4d_job *run = argument;
    kr_share       share = kr_share_of(&run->shares, task, run->in->lanes, run->layer->out_width), panel = share;

    if (!s4d_is_timed(run)) {
        s4d_lanes(run, &share, NULL);
        return;
    }
    for (panel.from = share.from; panel.from < share.to; panel.from = panel.to) {
        kr_timed_sets sets = kr_timed_sets_of(&run->room.timed, ((const kr_s4d *)run->layer->params)->states, task);

        panel.to = kr_min(panel.from + KR_LANES, share.to);
        s4d_lanes(run, &panel, &sets);
    }
}

static void s4d_spread(const s4d_job *run, size_t rows, size_t heads)
{
    size_t width = run->in->width;

    for (size_t i = 0; i < rows * heads; i++)
        memcpy(run->room.u + i * width, run->in->data + i / heads * width, width * sizeof *run->room.u);
}

static void s4d_direction(s4d_job *job)
{
    size_t used = job->context->scratch.used;

    if (job->context->mode == KRAIT_CONVOLUTION && !s4d_is_timed(job))   /* pool may bring times */
        s4d_convolve(job);
    else if (job->context->mode == KRAIT_SCAN)
        s4d_lanes(job, &(kr_share){ 0, job->in->lanes, 0, job->layer->out_width }, NULL);
    else
        kr_tasks_run(&job->context->tasks, s4d_task, job, job->shares.channels * job->shares.lanes);
    job->context->scratch.used = used;
}

/* Calls 'each' with the rows from..to-1 of every episode. */
static void s4d_episodes(const s4d_job *job, void (*each)(const s4d_job *job, size_t from, size_t to))
{
    for (size_t lane = 0; lane < job->in->lanes; lane++)
        for (size_t from = job->in->first[lane], to; from < job->in->first[lane + 1]; from = to) {
            to = kr_rows_episode(job->in, from, job->in->first[lane + 1]);
            each(job, from, to);
        }
}

static void s4d_turn_round(const s4d_job *job, size_t from, size_t to)
{
    size_t width = job->layer->out_width;

    for (size_t i = from; i < to; i++)
        memcpy(job->room.turned + i * width, job->u + (from + to - 1 - i) * width, width * sizeof *job->u);
}

/* What row t + 1 left behind it, seen from the end, is added to row t. */
static void s4d_add_back(const s4d_job *job, size_t from, size_t to)
{
    size_t width = job->layer->out_width;

    for (size_t t = from; t + 1 < to; t++)
        job->context->kernels->add(job->out + t * width, job->room.back + (from + to - 2 - t) * width, width);
}

void kr_s4d_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const kr_s4d *p = layer->params;
    size_t     rows = kr_rows_count(in), width = layer->out_width;
    s4d_room   room = s4d_take(layer, rows, context->tasks.most, &context->scratch);
    s4d_job    job = { layer, context, in, room, in->data, out->data, p->read, p->skip, 0,
                       (uint64_t)rows * width * p->states * (p->precise ? 10 : 6), { 0, 0 } };

    job.shares = kr_shares_for(&context->tasks, job.work, in->lanes, width);
    if (p->heads > 1) {
        s4d_spread(&job, rows, p->heads);
        job.u = job.room.u;
    }
    s4d_direction(&job);
    if (p->bidirectional) {
        s4d_job back = job;

        s4d_episodes(&job, s4d_turn_round);
        back.u = job.room.turned;
        back.out = job.room.back;
        back.read = p->back;
        back.d = p->none;
        back.memory = kr_pad16(width) * 2 * p->states;
        s4d_direction(&back);
        s4d_episodes(&job, s4d_add_back);
    }
}
