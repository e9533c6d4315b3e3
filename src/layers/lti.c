/* lti.c - what s5 and lru run: a product, many complex recurrences, a product. */
#include "layers/lti.h"

#include <string.h>

#include "core/panels.h"
#include "kernels/pack.h"
#include "layers/convolve.h"
#include "layers/share.h"
#include "scan/liquid.h"
#include "scan/timed.h"
#include "scan/turning.h"

/* A float's rounding of a coefficient costs 2^-24 / (1 - |a|) of a state: below this one float is too few. */
#define LTI_CLOSE 0x1p-8

enum { LTI_TRANSFORM = 100 };       /* work of a state's part in two transforms, a row */

/* ---- preparation --------------------------------------------------------------------------------- */

static void lti_take_matrix(kr_matrix *w, size_t outputs, size_t inputs, kr_carve *carve)
{
    uint64_t bytes;
    void    *data;

    if (!kr_panels_bytes(KRAIT_F32, outputs, inputs, &bytes) || bytes > SIZE_MAX / 2) {
        carve->broken = 1;
        return;
    }
    data = kr_carve_bytes(carve, (size_t)bytes, 1);
    if (data)
        memset(data, 0, (size_t)bytes);
    *w = (kr_matrix){ data, outputs, inputs, KRAIT_F32 };
}

int kr_lti_take(kr_lti *p, size_t width, kr_carve *carve)
{
    size_t count = kr_pad16(p->states) * 4, panels = kr_pad16(p->states) / KR_LANES;

    p->a = kr_carve_floats(carve, count, 1);
    p->power = kr_carve_floats(carve, count, 1);
    p->start = kr_carve_floats(carve, kr_pad16(p->states), 2);
    p->z = kr_carve_bytes(carve, count, sizeof *p->z);
    p->reach = kr_carve_bytes(carve, panels, sizeof *p->reach);
    lti_take_matrix(&p->b, 2 * p->states, width, carve);
    lti_take_matrix(&p->c, width, 2 * p->states, carve);
    if (!carve->base || carve->broken)
        return 0;
    for (size_t i = 0; i < panels; i++)
        p->reach[i] = 1;
    memset(p->a, 0, count * sizeof *p->a);
    memset(p->power, 0, count * sizeof *p->power);
    memset(p->z, 0, count * sizeof *p->z);
    memset(p->start, 0, kr_pad16(p->states) * 2 * sizeof *p->start);
    for (size_t s = 0; p->initial && s < p->states; s++)
        for (size_t part = 0; part < 2; part++)
            p->start[(s / KR_LANES * 2 + part) * KR_LANES + s % KR_LANES] = p->initial[2 * s + part];
    return 1;
}

/* Where a state's part stands in a row. */
static size_t lti_column(const kr_lti *p, size_t state, int imaginary)
{
    size_t panel = state / KR_LANES * KR_LANES, width = kr_min(KR_LANES, p->states - panel);

    return 2 * panel + state % KR_LANES + (imaginary ? width : 0);
}

/* As one float, or two if they are wanted; an infinite factor would make NaN of a state of 0. */
static void lti_put_part(float *to, double part, int low)
{
    double most = part > KR_MOST ? KR_MOST : part < -KR_MOST ? -KR_MOST : part;

    to[0] = kr_flush((float)most);
    to[2 * KR_LANES] = low ? kr_flush((float)(most - (double)to[0])) : 0.0f;
}

static int lti_put_factor(float *factors, size_t state, kr_complex a)
{
    float *to = factors + state / KR_LANES * 4 * KR_LANES + state % KR_LANES;
    int    low = 1 - kr_complex_magnitude(a) < LTI_CLOSE;

    lti_put_part(to, a.re, low);
    lti_put_part(to + KR_LANES, a.im, low);
    return low;
}

/* The power is that of the numbers that rows are turned with. */
void kr_lti_set_a(kr_lti *p, size_t state, kr_complex a)
{
    const float *at = p->a + state / KR_LANES * 4 * KR_LANES + state % KR_LANES;
    int          low = lti_put_factor(p->a, state, a);
    kr_complex   turned = { (double)at[0] + (double)at[2 * KR_LANES],
                            (double)at[KR_LANES] + (double)at[3 * KR_LANES] };

    kr_convolution_extend(&p->reach[state / KR_LANES], kr_complex_magnitude(turned));
    low |= lti_put_factor(p->power, state, kr_complex_power(turned, KR_TURNING_ROWS));
    p->low |= low;
}

void kr_lti_set_z(kr_lti *p, size_t state, kr_complex z)
{
    kr_timed_put(p->z, state, 0, 1, p->rule, z);
}

static void lti_put(kr_matrix *w, size_t output, size_t input, double x)
{
    kr_pack_put_f32((void *)(uintptr_t)w->data, kr_pack_index(w, output, input), (float)x);
}

void kr_lti_set_b(kr_lti *p, size_t state, size_t input, kr_complex b)
{
    lti_put(&p->b, lti_column(p, state, 0), input, b.re);
    lti_put(&p->b, lti_column(p, state, 1), input, b.im);
}

void kr_lti_set_c(kr_lti *p, size_t output, size_t state, kr_complex c)
{
    lti_put(&p->c, output, lti_column(p, state, 0), c.re);
    lti_put(&p->c, output, lti_column(p, state, 1), -c.im);
}

/* ---- running -------------------------------------------------------------------------------------- */

krait_status kr_lti_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    layer->varies = ((const kr_lti *)layer->params)->liquid;
    return KRAIT_OK;
}

void kr_lti_memory(const kr_layer *layer, kr_parts *parts)
{
    kr_part_add(parts, "ssm", KR_PART_CHANNELS, ((const kr_lti *)layer->params)->states, 2);
}

void kr_lti_want_initial(kr_wants *wants, size_t at, size_t states)
{
    kr_want_pairs(wants, "initial_state", at, states, 1);
    wants->list[wants->count - 1].optional = 1;
}

const float *kr_lti_start(const kr_layer *layer)
{
    const kr_lti *p = layer->params;

    return p->initial ? p->start : NULL;
}

/* A run, and how its tasks share it. */
typedef struct lti_job {
    const kr_layer   *layer;
    const kr_lti     *p;
    const kr_context *context;
    const kr_rows    *in;
    float            *out;
    float            *x;        /* [rows][2 states]: B u, then the states */
    float            *v;        /* the same of B u, for a convolution */
    float            *skipped;  /* [rows][width]: D u */
    float            *summaries;
    kr_timed_room     timed;    /* of a layer that uses time */
    kr_shares         shares;
} lti_job;

static lti_job lti_take(const kr_layer *layer, size_t rows, size_t tasks, kr_carve *carve)
{
    lti_job job = { .layer = layer, .p = layer->params };

    job.x = kr_carve_floats(carve, rows, 2 * job.p->states);
    job.v = kr_carve_floats(carve, rows, 2 * job.p->states);
    job.skipped = kr_carve_floats(carve, job.p->d ? rows : 0, layer->in_width);
    if (layer->uses_time)
        job.timed = kr_timed_take(rows, job.p->states, 1, tasks, carve);
    job.summaries = layer->uses_time ? job.timed.summaries
                    : job.p->liquid  ? kr_liquid_take(rows, job.p->states, carve)
                                     : kr_turning_take(rows, job.p->states, carve);
    return job;
}

static kr_convolution lti_convolution(const kr_lti *p)
{
    return (kr_convolution){ .channels = p->states, .numbers = 2 * KR_LANES, .pairs = 1, .reach = p->reach };
}

void kr_lti_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    kr_convolution of = lti_convolution(layer->params);

    lti_take(layer, most->rows, most->tasks, carve);
    kr_convolve_scratch(&of, most, carve);
}

/* A panel of states, for a convolution: every state is its own input's, and no row has a gap. */
static void lti_panel(const void *argument, size_t panel, const kr_panel_rows *rows, float *state)
{
    const lti_job *job = argument;
    size_t         states = kr_min(KR_LANES, job->p->states - panel * KR_LANES);
    size_t         stride = rows->y ? rows->y_stride : rows->x_stride;
    kr_turn        turn = { job->p->a + panel * 4 * KR_LANES, job->p->low, state, rows->x ? rows->x : rows->y, rows->y,
                            stride, rows->rows, states };

    for (size_t r = 0; !rows->x && r < rows->rows; r++)
        memset(rows->y + r * stride, 0, 2 * states * sizeof *rows->y);
    job->context->kernels->turn(&turn);
}

/* From v to x. */
static void lti_convolve(lti_job *job, kr_context *context, size_t rows)
{
    size_t      wide = 2 * job->p->states;
    kr_convolve convolve = { lti_convolution(job->p), job->v, job->x, wide, wide, 0,
                             (uint64_t)rows * job->p->states * LTI_TRANSFORM };

    convolve.of.run = lti_panel;
    convolve.of.job = job;
    convolve.of.kernels = context->kernels;
    kr_convolve_run(job->layer, context, job->in, &convolve);
}

static void lti_rows(const lti_job *job, const kr_turn *turn)
{
    const kr_lti     *p = job->p;
    const kr_kernels *kernels = job->context->kernels;
    int               scan = job->context->mode == KRAIT_SCAN;

    if (scan && p->liquid)
        kr_liquid_scan(kernels, turn, &job->context->tasks, job->summaries);
    else if (scan)
        kr_turning_scan(kernels, turn, p->power, &job->context->tasks, job->summaries);
    else if (p->liquid)
        kernels->liquid(turn, 0);
    else
        kernels->turn(turn);
}

/* Rows of an episode with a time between them: of one panel, as kr_timed has it. */
typedef struct lti_timed {
    const kr_kernels *kernels;
    const kr_lti     *p;
    float            *x;        /* [rows][2 states]: the episode's */
} lti_timed;

static void lti_timed_rows(const void *argument, const kr_timed_rows *rows)
{
    const lti_timed *job = argument;
    size_t           panel = rows->panel * KR_LANES, stride = 2 * job->p->states;
    size_t           states = kr_min(KR_LANES, job->p->states - panel);
    float           *x = job->x + rows->row * stride + 2 * panel, *out = rows->ends ? NULL : x;
    kr_turn          turn = { job->p->a + 4 * panel, job->p->low, rows->state, x, out, stride, rows->rows, states };
    kr_turn_timed    timed = { rows->sets, rows->set, rows->state, x, out, stride, rows->rows, states };

    if (rows->set)
        job->kernels->turn_timed(&timed);
    else
        job->kernels->turn(&turn);
}

/* 'sets' are those of the share, which is a panel; NULL: all states are scanned in segments. */
static void lti_timed_episode(const lti_job *job, const kr_share *share, kr_timed_sets *sets, float *state, size_t from,
                              size_t to)
{
    const kr_lti *p = job->p;
    lti_timed     own = { job->context->kernels, p, job->x + from * 2 * p->states };
    kr_timed      timed = { own.kernels, p->z, p->a, p->low, p->rule, p->states, 1, job->in->dt + from, &own,
                            lti_timed_rows };
    kr_timed_rows rows = { .panel = share->from / KR_LANES, .rows = to - from, .state = state };

    if (sets)
        kr_timed_run(&timed, sets, &rows);
    else
        kr_timed_scan(&timed, to - from, state, &job->context->tasks, &job->timed);
}

/* The states of the share, lane by lane and episode by episode. */
static void lti_lanes(const lti_job *job, const kr_share *share, kr_timed_sets *sets)
{
    const kr_lti  *p = job->p;
    const kr_rows *in = job->in;
    size_t         stride = 2 * p->states, count = share->to - share->from;

    for (size_t lane = share->lane; lane < share->lane_end; lane++) {
        float *state = kr_layer_memory(job->layer, job->context, lane) + 2 * share->from;
        size_t end = in->first[lane + 1];

        for (size_t from = in->first[lane], to; from < end; from = to) {
            float  *x = job->x + from * stride + 2 * share->from;
            kr_turn turn = { p->a + 4 * share->from, p->low, state, x, x, stride, 0, count };

            to = kr_rows_episode(in, from, end);
            turn.rows = to - from;
            if (in->reset && in->reset[from])
                kr_layer_begin(job->layer, state - 2 * share->from, 2 * share->from, kr_pad16(count) * 2);
            if (in->dt && job->layer->uses_time && !kr_timed_steady(in->dt + from, turn.rows))
                lti_timed_episode(job, share, sets, state, from, to);
            else
                lti_rows(job, &turn);
        }
    }
}

static void lti_task(void *argument, size_t task)
{
    const lti_job *job = argument;
    kr_share       share = kr_share_of(&job->shares, task, job->in->lanes, job->p->states), panel = share;

    if (!job->in->dt || !job->layer->uses_time) {
        lti_lanes(job, &share, NULL);
        return;
    }
    for (panel.from = share.from; panel.from < share.to; panel.from = panel.to) {
        kr_timed_sets sets = kr_timed_sets_of(&job->timed, 1, task);

        panel.to = kr_min(panel.from + KR_LANES, share.to);
        lti_lanes(job, &panel, &sets);
    }
}

/* A scan in segments has tasks of its own. */
static void lti_turn(lti_job *job, size_t rows)
{
    const kr_tasks *tasks = &job->context->tasks;
    size_t          states = job->p->states, lanes = job->in->lanes;

    if (job->context->mode == KRAIT_SCAN) {
        lti_lanes(job, &(kr_share){ 0, lanes, 0, states }, NULL);
        return;
    }
    job->shares = kr_shares_for(tasks, (uint64_t)rows * states * KR_WORK_STATE, lanes, states);
    kr_tasks_run(tasks, lti_task, job, job->shares.channels * job->shares.lanes);
}

/* y += D u of rows from..to-1. */
static void lti_skip(void *argument, size_t from, size_t to)
{
    const lti_job *job = argument;
    size_t         width = job->in->width, at = from * width;

    job->context->kernels->scale(job->skipped + at, job->in->data + at, job->p->d, NULL, to - from, width);
    job->context->kernels->add(job->out + at, job->skipped + at, (to - from) * width);
}

void kr_lti_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    size_t  rows = kr_rows_count(in);
    lti_job job = lti_take(layer, rows, context->tasks.most, &context->scratch);
    size_t  wide = 2 * job.p->states;
    /* The caller gives no dt with this mode, but a pool before this layer may. */
    int     convolve = context->mode == KRAIT_CONVOLUTION && !job.p->liquid && !(in->dt && layer->uses_time);

    if (rows == 0)
        return;
    job.context = context;
    job.in = in;
    job.out = out->data;
    kr_product_run(context, &job.p->b, NULL, in->data, in->width, convolve ? job.v : job.x, wide, rows);
    if (convolve)
        lti_convolve(&job, context, rows);
    else
        lti_turn(&job, rows);
    kr_product_run(context, &job.p->c, NULL, job.x, wide, out->data, out->width, rows);
    if (job.p->d)
        kr_tasks_ranges(&context->tasks, lti_skip, &job, rows, 1,
                        kr_tasks_for(&context->tasks, (uint64_t)rows * in->width * KR_WORK_NUMBER, rows));
}
