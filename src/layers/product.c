/*
 * product.c - y = W x + bias for dense rows, in one task or several.
 *
 * The sum over inputs is never cut.  Tasks take strips of 64 outputs, each of which is read by one
 * of them alone; where there are fewer strips than tasks and many rows they take rows.
 */
#include "layers/layer.h"

#include "kernels/pack.h"

enum { PRODUCT_ROWS = 4 };              /* rows of a task are a multiple of this: what kernels do at once */

/* ---- pieces ------------------------------------------------------------------------------------ */

static kr_q8 *product_take_integers(const kr_matrix *w, size_t rows, kr_carve *carve)
{
    if (w->type != KRAIT_Q8_0)
        return NULL;
    return kr_carve_bytes(carve, rows * (w->inputs / KR_BLOCK), sizeof(kr_q8));
}

kr_product kr_product_take(const kr_matrix *w, size_t rows, kr_carve *carve)
{
    return (kr_product){ .w = w, .q = product_take_integers(w, rows, carve), .rows = rows };
}

void kr_product_scratch(const kr_matrix *w, size_t rows, kr_carve *carve)
{
    size_t used = carve->used;

    product_take_integers(w, rows, carve);
    carve->used = used;
}

/* Rows from..to-1 of a product. */
static kr_product product_rows(const kr_product *p, size_t from, size_t to)
{
    kr_product part = *p;

    part.x += from * p->x_stride;
    part.q = p->q ? p->q + from * (p->w->inputs / KR_BLOCK) : NULL;
    part.y += from * p->y_stride;
    part.rows = to - from;
    return part;
}

/* They stand in scratch, which the kernels that read them do not write. */
static void product_quantize(const kr_kernels *kernels, const kr_product *p)
{
    kernels->quantize((kr_q8 *)(uintptr_t)p->q, p->x, p->x_stride, p->rows, p->w->inputs);
}

void kr_product_columns(const kr_kernels *kernels, const kr_product *p, size_t from, size_t to)
{
    kr_q8 *q = (kr_q8 *)(uintptr_t)p->q;

    if (p->w->type != KRAIT_Q8_0 || from == to)
        return;
    q += from / KR_BLOCK;
    for (size_t r = 0; r < p->rows; r++, q += p->w->inputs / KR_BLOCK)
        kernels->quantize(q, p->x + r * p->x_stride + from, 0, 1, to - from);
}

void kr_product_outputs(const kr_kernels *kernels, const kr_product *p, size_t from, size_t to)
{
    kr_product part = *p;
    kr_matrix  w;

    if (from == to)
        return;
    w = kr_pack_part(p->w, from, to);
    part.w = &w;
    part.bias = p->bias ? p->bias + from : NULL;
    part.y += from;
    kr_kernels_product(kernels, &part);
}

/* ---- tasks -------------------------------------------------------------------------------------- */

typedef struct product_job {
    const kr_kernels *kernels;
    const kr_product *p;
    size_t            count;            /* of tasks */
    int               integers;         /* make them first; by rows */
} product_job;

uint64_t kr_product_work(const kr_matrix *w, size_t rows)
{
    uint64_t bytes = w->type == KRAIT_F32 ? 4 : w->type == KRAIT_Q8_0 ? 1 : 2;

    return (uint64_t)w->outputs * w->inputs * (rows + bytes * KR_WORK_BYTE);
}

static void product_task_outputs(void *argument, size_t i)
{
    const product_job *job = argument;
    size_t             outputs = job->p->w->outputs;

    kr_product_outputs(job->kernels, job->p, kr_tasks_cut(outputs, KR_STRIP, job->count, i),
                       kr_tasks_cut(outputs, KR_STRIP, job->count, i + 1));
}

static void product_task_rows(void *argument, size_t i)
{
    const product_job *job = argument;
    size_t             rows = job->p->rows;
    kr_product         part = product_rows(job->p, kr_tasks_cut(rows, PRODUCT_ROWS, job->count, i),
                                           kr_tasks_cut(rows, PRODUCT_ROWS, job->count, i + 1));

    if (job->integers)
        product_quantize(job->kernels, &part);
    kr_kernels_product(job->kernels, &part);
}

static void product_task_integers(void *argument, size_t i)
{
    const product_job *job = argument;
    size_t             rows = job->p->rows;
    kr_product         part = product_rows(job->p, kr_tasks_cut(rows, 1, job->count, i),
                                           kr_tasks_cut(rows, 1, job->count, i + 1));

    product_quantize(job->kernels, &part);
}

/* Of 'count' things in multiples of 'grain', those that the busiest of n tasks has. */
static size_t product_most(size_t count, size_t grain, size_t n)
{
    return kr_tasks_cut(count, grain, n, 1);
}

/* By rows, if the busiest task then has less to do; panels are what an output costs. */
static int product_by_rows(const kr_product *p, size_t n)
{
    size_t outputs = kr_pad16(p->w->outputs);

    return (uint64_t)outputs * product_most(p->rows, PRODUCT_ROWS, n) <
           (uint64_t)product_most(outputs, KR_STRIP, n) * p->rows;
}

static void product_apply(const kr_context *context, const kr_product *p, int integers)
{
    product_job job = { context->kernels, p, 1, integers };
    int         by_rows;

    if (p->rows == 0)
        return;
    job.count = kr_tasks_for(&context->tasks, kr_product_work(p->w, p->rows), SIZE_MAX);
    by_rows = product_by_rows(p, job.count);
    job.count = kr_min(job.count, by_rows ? (p->rows + PRODUCT_ROWS - 1) / PRODUCT_ROWS
                                          : (p->w->outputs + KR_STRIP - 1) / KR_STRIP);
    if (integers && !by_rows)
        kr_product_integers(context, p);
    kr_tasks_run(&context->tasks, by_rows ? product_task_rows : product_task_outputs, &job, job.count);
}

void kr_product_integers(const kr_context *context, const kr_product *p)
{
    product_job job = { context->kernels, p, 1, 1 };

    if (p->w->type != KRAIT_Q8_0 || p->rows == 0)
        return;
    job.count = kr_tasks_for(&context->tasks, (uint64_t)p->rows * p->w->inputs * KR_WORK_NUMBER, p->rows);
    kr_tasks_run(&context->tasks, product_task_integers, &job, job.count);
}

void kr_product_all(const kr_context *context, const kr_product *p)
{
    product_apply(context, p, 0);
}

void kr_product_run(kr_context *context, const kr_matrix *w, const float *bias, const float *x,
                    size_t x_stride, float *y, size_t y_stride, size_t rows)
{
    size_t     used = context->scratch.used;
    kr_product p = kr_product_take(w, rows, &context->scratch);

    p.bias = bias;
    p.x = x;
    p.x_stride = x_stride;
    p.y = y;
    p.y_stride = y_stride;
    product_apply(context, &p, p.q != NULL);
    context->scratch.used = used;
}
