/*
 * over.c - f along one axis of a grid: through a step's cells, its rows, its columns, or through
 * time at each cell.
 *
 * Along an axis within the step every step is on its own, from a fresh memory that is forgotten:
 * so steps are taken a few at a time and scratch is bounded.  Where there are as many steps as tasks, each
 * task takes steps of its own through all that is inside; with fewer, what is inside cuts its own work.
 * Through time every cell is a lane with a memory of its own.
 */
#include "layers/layer.h"

#include <string.h>

typedef enum over_axis { OVER_GRID, OVER_ROWS, OVER_COLUMNS, OVER_STEPS } over_axis;

typedef struct over {
    int axis;
} over;

enum { OVER_GROUP = 1024 };             /* rows of the steps that are taken at once, or one step */

static const char *const over_axes[] = { "grid", "rows", "columns", "steps", NULL };

static const kr_option over_options[] = {
    { "axis", KR_CHOICE, KR_AT(over, axis), 0, 0, KR_REQUIRED, over_axes },
    { 0 }
};

static krait_status over_shape(kr_layer *layer, krait_message *message)
{
    const over *p = layer->params;

    (void)message;
    layer->out_width = layer->children[0]->out_width;
    layer->own_axis = p->axis != OVER_STEPS;
    return KRAIT_OK;
}

/* Sequences that the axis cuts a step into. */
static size_t over_sequences(const kr_layer *layer)
{
    const over *p = layer->params;

    switch (p->axis) {
    case OVER_GRID:    return 1;
    case OVER_ROWS:    return layer->in.grid[0];
    case OVER_COLUMNS: return layer->in.grid[1];
    default:           return kr_flow_cells(&layer->in);
    }
}

/* Rows of one of them that come in, and go out; along the steps 0. */
static size_t over_length(const kr_layer *layer)
{
    return layer->own_axis ? kr_flow_cells(&layer->in) / over_sequences(layer) : 0;
}

static size_t over_made(const kr_layer *layer)
{
    return layer->children[0]->out.rows.plus;
}

static krait_status over_flow(kr_layer *layer, kr_flows *flows, kr_flow *flow)
{
    const over  *p = layer->params;
    kr_flow      along = { .grid = { 1, 1 }, .axis = layer, .whole = 1 };
    size_t       made;
    krait_status status;

    if (kr_flow_cells(flow) <= 1)
        return kr_fail(flows->message, KRAIT_ERR_SHAPE, "description: %.100s: 'over' is not given a grid", layer->path);
    along.sequences = over_sequences(layer);
    along.in_order = p->axis == OVER_GRID || p->axis == OVER_ROWS;
    along.rows = layer->own_axis ? (kr_count){ 0, over_length(layer) } : flow->rows;
    along.whole = layer->own_axis || flow->whole;
    if ((status = kr_flow_through(layer->children[0], flows, &along)) != KRAIT_OK)
        return status;
    if (!layer->own_axis) {
        flow->rows = along.rows;
        return KRAIT_OK;
    }
    made = along.rows.plus;
    if (p->axis == OVER_GRID && made != kr_flow_cells(flow)) {
        flow->grid[0] = made;
        flow->grid[1] = 1;
    } else if (p->axis != OVER_GRID) {
        flow->grid[p->axis == OVER_ROWS] = made;
    }
    if (made > (size_t)KR_MOST_WIDTH || kr_flow_cells(flow) > (size_t)KR_MOST_WIDTH)
        return kr_fail(flows->message, KRAIT_ERR_SHAPE, "description: %.100s: a grid of too many cells", layer->path);
    return KRAIT_OK;
}

static size_t over_group(const kr_layer *layer, size_t steps)
{
    size_t cells = kr_flow_cells(&layer->in), group = cells < OVER_GROUP ? OVER_GROUP / cells : 1;

    return kr_min(group, steps);
}

static void over_extent(const kr_layer *layer, kr_extent *extent)
{
    kr_extent along = *extent;

    if (layer->own_axis) {
        extent->rows = kr_extent_sum(0, extent->rows / kr_flow_cells(&layer->in), kr_flow_cells(&layer->out));
        return;
    }
    along.lanes = kr_extent_sum(0, extent->lanes, kr_flow_cells(&layer->in));
    along.episodes = kr_extent_sum(0, extent->episodes, kr_flow_cells(&layer->in));
    kr_layer_extent(layer->children[0], &along);
    extent->rows = along.rows;
}

/* ---- scratch: what is taken, in a run and to measure it -------------------------------------- */

typedef struct over_work {
    size_t        *first;               /* [sequences + 1] */
    unsigned char *memory;              /* [sequences][memory_bytes] */
    kr_room        in, out;             /* what is gathered; what f made of it */
} over_work;

static int over_gathers(const kr_layer *layer)
{
    const over *p = layer->params;

    return p->axis == OVER_COLUMNS || p->axis == OVER_STEPS;
}

/* The most that f is given at once. */
static kr_extent over_along(const kr_layer *layer, const kr_extent *most)
{
    size_t    cells = kr_flow_cells(&layer->in), steps = most->rows / cells;
    kr_extent along = { .tasks = most->tasks };

    if (layer->own_axis) {
        steps = over_group(layer, steps);
        along.lanes = kr_extent_sum(0, steps, over_sequences(layer));
        along.rows = kr_extent_sum(0, steps, cells);
        along.episodes = along.lanes;
    } else {
        along.lanes = kr_extent_sum(0, most->lanes, cells);
        along.rows = most->rows;
        along.episodes = kr_extent_sum(0, most->episodes, cells);
    }
    return along;
}

static over_work over_take(const kr_layer *layer, const kr_extent *along, kr_carve *carve)
{
    const kr_layer *child = layer->children[0];
    over_work       work = { 0 };
    kr_extent       made = *along;

    kr_layer_extent(child, &made);
    work.first = kr_carve_bytes(carve, kr_extent_sum(1, 1, along->lanes), sizeof *work.first);
    if (layer->in.whole || layer->own_axis)
        work.memory = kr_carve_bytes(carve, along->lanes, layer->along_bytes);
    if (over_gathers(layer))
        work.in = kr_room_take(carve, kr_extent_sum(0, along->rows, layer->in_width), along, 1);
    /* In place, f needs room for its lanes alone. */
    work.out = kr_room_take(carve, over_gathers(layer) ? kr_extent_sum(0, made.rows, layer->out_width) : 0,
                            &made, 1);
    return work;
}

/* Of what is given to f at once. */
static void over_measure(const kr_layer *layer, const kr_extent *along, kr_carve *carve)
{
    over_take(layer, along, carve);
    kr_layer_scratch(layer->children[0], along, carve);
}

/* Bytes that a task needs for groups of so many steps; what is inside is then one task. */
static size_t over_task_bytes(const kr_layer *layer, size_t steps)
{
    kr_extent most = { 1, kr_extent_sum(0, steps, kr_flow_cells(&layer->in)), steps, 1 };
    kr_extent along = over_along(layer, &most);
    kr_carve  carve = { 0 };

    over_measure(layer, &along, &carve);
    return carve.broken ? SIZE_MAX : carve.peak;
}

/* Rows kept under names and the caller's orders are of all steps at once. */
static int over_has_tasks(const kr_layer *layer, size_t tasks, size_t steps)
{
    return layer->own_axis && !layer->pinned && tasks > 1 && steps >= tasks;
}

static void over_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    size_t    steps = most->rows / kr_flow_cells(&layer->in), used = carve->used;
    kr_extent along = over_along(layer, most);

    over_measure(layer, &along, carve);
    carve->used = used;
    if (over_has_tasks(layer, most->tasks, steps))
        kr_carve_bytes(carve, most->tasks, over_task_bytes(layer, steps));
}

/* ---- along an axis within the step ------------------------------------------------------------- */

/* [steps][a][b][width] -> [steps][b][a][width] */
static void over_turn(const float *in, float *out, size_t steps, size_t a, size_t b, size_t width)
{
    for (size_t s = 0; s < steps; s++, in += a * b * width)
        for (size_t j = 0; j < b; j++)
            for (size_t i = 0; i < a; i++, out += width)
                memcpy(out, in + (i * b + j) * width, width * sizeof *out);
}

/* Steps from..from+n-1 of all lanes. */
static void over_run_group(const kr_layer *layer, const kr_context *outer, const kr_rows *in, kr_rows *out,
                           size_t from, size_t n)
{
    const kr_layer *child = layer->children[0];
    size_t          sequences = over_sequences(layer), length = over_length(layer), made = over_made(layer);
    kr_context      context = *outer;
    kr_extent       along = { n * sequences, n * sequences * length, n * sequences, 1 };
    over_work       work = over_take(layer, &along, &context.scratch);
    float          *to = out->data + from * sequences * made * out->width;
    kr_rows         rows = { .width = in->width, .lanes = along.lanes, .first = work.first, .cells = 1 };
    kr_rows         result = { .data = over_gathers(layer) ? work.out.data : to, .room = &work.out };

    for (size_t i = 0; i <= along.lanes; i++)
        work.first[i] = i * length;
    rows.data = in->data + from * sequences * length * in->width;
    if (over_gathers(layer)) {          /* columns */
        over_turn(rows.data, work.in.data, n, length, sequences, in->width);
        rows.data = work.in.data;
    }
    context.memory = work.memory;
    context.lane_bytes = layer->along_bytes;
    context.awake = NULL;
    context.cells = 1;
    context.transient = 1;
    context.step = from;
    context.steps = in;
    kr_layer_run(child, &context, &rows, &result);
    if (over_gathers(layer))
        over_turn(work.out.data, to, n, sequences, made, out->width);
}

/* ---- along the steps ------------------------------------------------------------------------------ */

/* [lane][step][cell] and [lane][cell][step], lanes from 'first' on; dt and reset of the steps go with them. */
static void over_gather_cells(const kr_rows *in, size_t *first, kr_room *room)
{
    size_t cells = in->cells, to = 0;

    for (size_t lane = 0; lane < in->lanes; lane++)
        for (size_t cell = 0; cell < cells; cell++) {
            first[lane * cells + cell] = to;
            for (size_t s = in->first[lane]; s < in->first[lane + 1]; s++, to++) {
                memcpy(room->data + to * in->width, in->data + (s * cells + cell) * in->width,
                       in->width * sizeof *in->data);
                room->dt[to] = in->dt ? in->dt[s] : 1.0f;
                room->reset[to] = in->reset ? in->reset[s] : 0;
            }
        }
    first[in->lanes * cells] = to;
}

/* The lanes of the cells are alike: those of cell 0 say where steps, times and resets are. */
static void over_scatter_cells(const kr_rows *made, size_t cells, int reshapes, kr_rows *out)
{
    size_t steps = 0;

    for (size_t lane = 0; lane < out->lanes; lane++) {
        size_t at = made->first[lane * cells], n = made->first[lane * cells + 1] - at;

        for (size_t s = 0; s < n; s++)
            for (size_t cell = 0; cell < cells; cell++)
                memcpy(out->data + ((steps + s) * cells + cell) * out->width,
                       made->data + (made->first[lane * cells + cell] + s) * out->width,
                       out->width * sizeof *out->data);
        if (reshapes) {
            out->room->first[lane] = steps;
            for (size_t s = 0; s < n; s++) {
                out->room->dt[steps + s] = made->dt ? made->dt[at + s] : 1.0f;
                out->room->reset[steps + s] = made->reset ? made->reset[at + s] : 0;
            }
        }
        steps += n;
    }
    if (reshapes)
        out->room->first[out->lanes] = steps;
}

static void over_run_steps(const kr_layer *layer, const kr_context *outer, const kr_rows *in, kr_rows *out)
{
    const kr_layer *child = layer->children[0];
    kr_context      context = *outer;
    kr_extent       most = kr_rows_extent(in), along = over_along(layer, &most);
    over_work       work = over_take(layer, &along, &context.scratch);
    kr_rows         rows = { .data = work.in.data, .width = in->width, .lanes = along.lanes, .first = work.first,
                             .cells = 1 };
    kr_rows         result = { .data = work.out.data, .room = &work.out };

    over_gather_cells(in, work.first, &work.in);
    rows.dt = in->dt ? work.in.dt : NULL;
    rows.reset = in->reset ? work.in.reset : NULL;
    context.step = 0;
    if (layer->in.whole) {
        context.memory = work.memory;
        context.lane_bytes = layer->along_bytes;
        context.awake = NULL;
    } else {
        context.memory += layer->memory;
        context.cells = in->cells;
        context.cell_bytes = layer->along_bytes;
    }
    kr_layer_run(child, &context, &rows, &result);
    over_scatter_cells(&result, in->cells, child->reshapes, out);
    if (child->reshapes) {
        out->first = out->room->first;
        out->dt = result.dt ? out->room->dt : NULL;
        out->reset = result.reset ? out->room->reset : NULL;
    }
}

/* Each of n tasks takes some of the steps, with scratch of its own. */
typedef struct over_job {
    const kr_layer   *layer;
    const kr_context *context;
    const kr_rows    *in;
    kr_rows          *out;
    size_t            n, steps, bytes;
} over_job;

static void over_task(void *argument, size_t task)
{
    const over_job *job = argument;
    kr_context      context = *job->context;
    size_t          from = kr_tasks_cut(job->steps, 1, job->n, task), to = kr_tasks_cut(job->steps, 1, job->n, task + 1);
    size_t          group = over_group(job->layer, job->steps);

    context.scratch.used += task * job->bytes;
    context.tasks.most = 1;
    for (; from < to; from += group)
        over_run_group(job->layer, &context, job->in, job->out, from, kr_min(group, to - from));
}

/* What one row costs at the least: products are more. */
static uint64_t over_row_work(const kr_layer *layer)
{
    uint64_t work = layer->n_children ? 0 : layer->in_width + layer->out_width;

    for (size_t i = 0; i < layer->n_children; i++)
        work += over_row_work(layer->children[i]);
    return work;
}

static size_t over_tasks(const kr_layer *layer, const kr_context *context, size_t steps)
{
    if (!over_has_tasks(layer, context->tasks.most, steps))
        return 1;
    return kr_tasks_for(&context->tasks, steps * kr_flow_cells(&layer->in) * over_row_work(layer) * KR_WORK_NUMBER,
                        steps);
}

static void over_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    size_t   steps = in->first[in->lanes], group = over_group(layer, steps);
    over_job job = { layer, context, in, out, over_tasks(layer, context, steps), steps, 0 };

    if (!layer->own_axis && steps)
        over_run_steps(layer, context, in, out);
    if (job.n > 1) {
        job.bytes = over_task_bytes(layer, steps);
        kr_tasks_run(&context->tasks, over_task, &job, job.n);
        return;
    }
    for (size_t from = 0; layer->own_axis && from < steps; from += group)
        over_run_group(layer, context, in, out, from, kr_min(group, steps - from));
}

extern const kr_layer_type kr_layer_over;
const kr_layer_type kr_layer_over = {
    .name = "over", .children = KR_ONE, .flags = KR_ANY_GRID, .params_size = sizeof(over),
    .options = over_options, .shape = over_shape, .flow = over_flow, .extent = over_extent,
    .scratch = over_scratch, .run = over_run,
};
