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

/* Do weights of this type meet activations that are integers? */
static int product_of_integers(const kr_matrix *w)
{
    return kr_layout_of(w->type).inputs != 0;
}

static kr_q8 *product_take_integers(const kr_matrix *w, size_t rows, kr_carve *carve)
{
    if (!product_of_integers(w))
        return NULL;
    return kr_carve_bytes(carve, rows * (w->inputs / KR_BLOCK), sizeof(kr_q8));
}

void kr_product_take(kr_product *p, const kr_matrix *w, size_t rows, kr_carve *carve)
{
    *p = (kr_product){ .w = w, .q = product_take_integers(w, rows, carve), .rows = rows };
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

    if (!product_of_integers(p->w) || from == to)
        return;
    q += from / KR_BLOCK;
    for (size_t r = 0; r < p->rows; r++, q += p->w->inputs / KR_BLOCK)
        kernels->quantize(q, p->x + r * p->x_stride + from, 0, 1, to - from);
}

void kr_product_block(const kr_kernels *kernels, const kr_product *p, size_t from, size_t to, float *y,
                      size_t y_stride)
{
    kr_product part = { p->w, p->bias, p->x, p->x_stride, p->q, y, y_stride, p->rows };
    kr_matrix  w;

    if (from == to)
        return;
    if (from > 0 || to < p->w->outputs) {
        w = kr_pack_part(p->w, from, to);
        part.w = &w;
        part.bias = p->bias ? p->bias + from : NULL;
    }
    kr_kernels_product(kernels, &part);
}

void kr_product_outputs(const kr_kernels *kernels, const kr_product *p, size_t from, size_t to)
{
    kr_product_block(kernels, p, from, to, p->y + from, p->y_stride);
}

/* ---- tasks -------------------------------------------------------------------------------------- */

typedef struct product_job {
    const kr_kernels *kernels;
    const kr_product *p;
    int               integers;         /* to be made of the rows first */
} product_job;

uint64_t kr_product_work(const kr_matrix *w, size_t rows)
{
    uint64_t bytes = w->type == KRAIT_F32 ? 4 : product_of_integers(w) ? 1 : 2;

    return (uint64_t)w->outputs * w->inputs * (rows + bytes * KR_WORK_BYTE);
}

static void product_task_outputs(void *argument, size_t from, size_t to)
{
    const product_job *job = argument;

    kr_product_outputs(job->kernels, job->p, from, to);
}

static void product_task_rows(void *argument, size_t from, size_t to)
{
    const product_job *job = argument;
    kr_product         part = product_rows(job->p, from, to);

    if (job->integers)
        product_quantize(job->kernels, &part);
    kr_kernels_product(job->kernels, &part);
}

static void product_task_integers(void *argument, size_t from, size_t to)
{
    const product_job *job = argument;
    kr_product         part = product_rows(job->p, from, to);

    product_quantize(job->kernels, &part);
}

/* By rows, if the busiest of n tasks then has less to do. */
static int product_by_rows(const kr_product *p, size_t n)
{
    size_t outputs = kr_pad16(p->w->outputs);

    return (uint64_t)outputs * kr_tasks_cut(p->rows, PRODUCT_ROWS, n, 1) <
           (uint64_t)kr_tasks_cut(outputs, KR_STRIP, n, 1) * p->rows;
}

static void product_apply(const kr_context *context, const kr_product *p, int integers)
{
    const kr_tasks *tasks = &context->tasks;
    product_job     job = { context->kernels, p, integers };
    size_t          outputs = p->w->outputs, n;

    if (p->rows == 0)
        return;
    n = kr_tasks_for(tasks, kr_product_work(p->w, p->rows), SIZE_MAX);
    if (product_by_rows(p, n)) {
        n = kr_min(n, (p->rows + PRODUCT_ROWS - 1) / PRODUCT_ROWS);
        kr_tasks_ranges(tasks, product_task_rows, &job, p->rows, PRODUCT_ROWS, n);
        return;
    }
    if (integers)
        kr_product_integers(context, p);
    n = kr_min(n, (outputs + KR_STRIP - 1) / KR_STRIP);
    kr_tasks_ranges(tasks, product_task_outputs, &job, outputs, KR_STRIP, n);
}

void kr_product_integers(const kr_context *context, const kr_product *p)
{
    product_job job = { context->kernels, p, 1 };

    if (product_of_integers(p->w) && p->rows > 0)
        kr_tasks_ranges(&context->tasks, product_task_integers, &job, p->rows, 1,
                        kr_tasks_for(&context->tasks, (uint64_t)p->rows * p->w->inputs * KR_WORK_NUMBER, p->rows));
}

void kr_product_all(const kr_context *context, const kr_product *p)
{
    product_apply(context, p, 0);
}

void kr_product_run(kr_context *context, const kr_matrix *w, const float *bias, const float *x,
                    size_t x_stride, float *y, size_t y_stride, size_t rows)
{
    size_t     used = context->scratch.used;
    kr_product p;

    kr_product_take(&p, w, rows, &context->scratch);
    p.bias = bias;
    p.x = x;
    p.x_stride = x_stride;
    p.y = y;
    p.y_stride = y_stride;
    product_apply(context, &p, p.q != NULL);
    context->scratch.used = used;
}
