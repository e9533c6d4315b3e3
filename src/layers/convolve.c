/* convolve.c - lanes and episodes of a layer, panel by panel. */
#include "layers/convolve.h"

/* A run, and what its tasks share. */
typedef struct convolve_job {
    const kr_layer    *layer;
    const kr_context  *context;
    const kr_rows     *in;
    const kr_convolve *what;
    unsigned char     *rooms;       /* [tasks][room_bytes] */
    size_t             room_bytes, tasks;
    size_t             longest;
} convolve_job;

static size_t convolve_panels(const kr_convolution *of)
{
    return kr_pad16(of->channels) / KR_LANES;
}

/* Rows of one lane, of which all have the same most. */
static size_t convolve_lane_rows(const kr_extent *most)
{
    return most->lanes ? most->rows / most->lanes + (most->rows % most->lanes != 0) : 0;
}

void kr_convolve_scratch(const kr_convolution *of, const kr_extent *most, kr_carve *carve)
{
    kr_convolution plan = *of;
    size_t         rows = convolve_lane_rows(most), used, bytes;
    kr_carve       room = { 0 };

    kr_convolution_take(&plan, rows, carve);
    kr_convolver_take(&plan, rows, &room);
    used = kr_min(most->tasks > 1 ? most->tasks : 1, convolve_panels(of));
    carve->broken |= room.broken || !kr_mul_fits(used, room.used, &bytes);
    if (!carve->broken)
        kr_carve_bytes(carve, bytes, 1);
}

static void convolve_lane(const convolve_job *job, kr_convolver *c, size_t lane)
{
    const kr_convolve *what = job->what;
    const kr_rows     *in = job->in;
    size_t             numbers = what->of.numbers, end = in->first[lane + 1];
    size_t             column = c->panel * KR_LANES * (what->of.pairs ? 2 : 1);
    size_t             at = what->memory + c->panel * numbers;
    float             *memory = kr_layer_memory(job->layer, job->context, lane);

    for (size_t from = in->first[lane], to; from < end; from = to) {
        kr_panel_rows rows = { what->x + from * what->x_stride + column, what->y + from * what->y_stride + column,
                               what->x_stride, what->y_stride, 0 };

        to = kr_rows_episode(in, from, end);
        rows.rows = to - from;
        if (in->reset && in->reset[from])
            kr_layer_begin(job->layer, memory, at, numbers);
        kr_convolver_run(c, &rows, memory + at);
    }
}

static void convolve_task(void *argument, size_t task)
{
    const convolve_job *job = argument;
    size_t              panels = convolve_panels(&job->what->of);
    kr_carve            room = { .base = job->rooms + task * job->room_bytes };
    kr_convolver        c = kr_convolver_take(&job->what->of, job->longest, &room);

    for (size_t p = kr_tasks_cut(panels, 1, job->tasks, task); p < kr_tasks_cut(panels, 1, job->tasks, task + 1); p++) {
        kr_convolver_begin(&c, p);
        for (size_t lane = 0; lane < job->in->lanes; lane++)
            convolve_lane(job, &c, lane);
    }
}

void kr_convolve_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_convolve *what)
{
    size_t       panels = convolve_panels(&what->of);
    convolve_job job = { .layer = layer, .context = context, .in = in, .what = what };
    kr_carve     room = { 0 };

    for (size_t lane = 0; lane < in->lanes; lane++)
        job.longest = in->first[lane + 1] - in->first[lane] > job.longest ? in->first[lane + 1] - in->first[lane]
                                                                           : job.longest;
    kr_convolution_take(&what->of, job.longest, &context->scratch);
    if (job.longest >= KR_FFT_LEAST)
        kr_fft_plan(&what->of.fft, what->of.pairs);
    kr_convolver_take(&what->of, job.longest, &room);
    job.room_bytes = room.used;
    job.tasks = kr_tasks_for(&context->tasks, what->work, panels);
    job.rooms = kr_carve_bytes(&context->scratch, job.tasks, job.room_bytes);
    kr_tasks_run(&context->tasks, convolve_task, &job, job.tasks);
}
