/* fill.c - panels and floats out of files, at the speed of memory. */
#include "model/fill.h"

#include <string.h>

#include "core/pages.h"
#include "kernels/pack.h"

enum {
    FILL_STEP  = 1 << 20,           /* bytes for each task between two calls of progress() */
    FILL_GIVE  = 2 << 20,           /* given back at once: a large page */
    FILL_TOUCH = 4096               /* no page is smaller */
};

/* ---- giving back --------------------------------------------------------------------------------- */

/* What lies before 'upto' is done with; whole large pages of it, or all where something else begins. */
static void fill_give(kr_filling *f, const unsigned char *upto, int all)
{
    krait_model *model = f->loading->model;

    for (size_t i = 0; i < model->n_files; i++) {
        kr_file             *file = &model->files[i];
        const unsigned char *from = file->bytes + file->given, *to = file->bytes + file->count;

        if ((uintptr_t)upto < (uintptr_t)to) {
            to = (uintptr_t)upto > (uintptr_t)from ? upto : from;
            to -= all ? 0 : kr_min((uintptr_t)to % FILL_GIVE, (size_t)(to - from));
        }
        if (to == from)
            continue;
        if (file->mapping || f->give_blocks)
            kr_pages_drop(from, to);
        file->given = (size_t)(to - file->bytes);
    }
}

/* The file in which they lie, or NULL: they are the caller's. */
static kr_file *fill_file(kr_filling *f, const unsigned char *data)
{
    krait_model *model = f->loading->model;

    for (size_t i = 0; i < model->n_files; i++)
        if ((uintptr_t)data - (uintptr_t)model->files[i].bytes < model->files[i].count)
            return &model->files[i];
    return NULL;
}

/* ---- the order ----------------------------------------------------------------------------------- */

/* What stands before the first weight of a file is needed as long as the file is. */
static void fill_files(kr_filling *f)
{
    krait_model *model = f->loading->model;

    for (size_t i = 0; i < model->n_files; i++)
        model->files[i].given = model->files[i].count;
    f->give_blocks = kr_memory_is_own(&model->memory);
    for (size_t i = 0; i < model->n_bound; i++) {
        const kr_bound *bound = &model->bound[i];
        kr_file        *file = fill_file(f, bound->data);

        if (bound->prepared == bound->data)
            f->give_blocks = 0;         /* the file stays, and the listing shows all of it */
        if (file)
            file->given = kr_min(file->given, (size_t)(bound->data - file->bytes));
    }
}

krait_status kr_fill_begin(kr_filling *f, kr_loading *loading)
{
    const krait_open_options *options = loading->options;
    krait_model              *model = loading->model;
    kr_ranked                *spare = kr_arena_take(&loading->arena, model->n_bound + 1, sizeof *spare);

    *f = (kr_filling){ .loading = loading };
    f->tasks = (kr_tasks){ options->tasks, options->parallel, options->parallel_user, model->task_work };
    f->order = kr_arena_take(&loading->arena, model->n_bound + 1, sizeof *f->order);
    if (!spare || !f->order)
        return kr_fail_memory(loading->message);
    for (size_t i = 0; i < model->n_bound; i++)
        if (!model->bound[i].same)
            f->order[f->count++] = (kr_ranked){ .rank = (uintptr_t)model->bound[i].data, .index = i };
    kr_order_sort(f->order, spare, f->count);
    fill_files(f);
    return KRAIT_OK;
}

kr_bound *kr_fill_next(kr_filling *f, size_t i)
{
    kr_bound *bound = f->loading->model->bound;

    f->next = i + 1 < f->count ? bound[f->order[i + 1].index].data : NULL;
    bound += f->order[i].index;
    fill_give(f, bound->data, 0);
    return bound;
}

krait_status kr_fill_end(kr_filling *f)
{
    krait_model *model = f->loading->model;

    for (size_t i = 0; i < model->n_files; i++)
        fill_give(f, model->files[i].bytes + model->files[i].count, 1);
    return kr_fill_tell(f, 0);
}

krait_status kr_fill_tell(kr_filling *f, uint64_t more)
{
    const krait_open_options *options = f->loading->options;

    if (options->progress && options->progress(options->progress_user, f->done + more, f->loading->model->held_bytes))
        return kr_fail(f->loading->message, KRAIT_ERR_CANCELLED, "opening was cancelled");
    return KRAIT_OK;
}

/* Bytes of one step. */
static size_t fill_step(const kr_filling *f)
{
    size_t most = f->tasks.most < 64 ? f->tasks.most : 64;

    return FILL_STEP * (most ? most : 1);
}

/* ---- matrices ------------------------------------------------------------------------------------ */

typedef struct fill_job {
    const kr_bound *bound;
    kr_matrix       w;
    unsigned char  *to;
    size_t          first;          /* of the outputs of this step, or the bytes */
} fill_job;

static void fill_pack(void *argument, size_t from, size_t to)
{
    const fill_job *job = argument;

    if (job->bound->panels)
        memcpy(job->to + job->first + from, job->bound->data + job->first + from, to - from);
    else if (job->bound->transpose)
        kr_pack_columns(&job->w, job->to, job->bound->data, job->first + from, job->first + to);
    else
        kr_pack_rows(&job->w, job->to, job->bound->data, job->first + from, job->first + to);
}

krait_status kr_fill_matrix(kr_filling *f, const kr_bound *bound, size_t bytes)
{
    const kr_want *want = bound->want;
    fill_job       job = { .bound = bound, .to = (unsigned char *)(uintptr_t)bound->prepared };
    size_t         count = bound->panels ? bytes : (size_t)want->shape[0], grain = bound->panels ? KR_ALIGN : KR_STRIP;
    size_t         each = bound->panels ? 1 : bytes / kr_pad16(count), step;

    job.w = (kr_matrix){ job.to, (size_t)want->shape[0], (size_t)want->shape[1], bound->type };
    step = each * grain < fill_step(f) ? fill_step(f) / (each * grain) * grain : grain;
    for (; job.first < count; job.first += kr_min(step, count - job.first)) {
        size_t       some = kr_min(step, count - job.first);
        uint64_t     work = (uint64_t)some * each * 2 * KR_WORK_BYTE;
        krait_status status = kr_fill_tell(f, (uint64_t)job.first * each);

        if (status != KRAIT_OK)
            return status;
        kr_tasks_ranges(&f->tasks, fill_pack, &job, some, grain, kr_tasks_for(&f->tasks, work, (some + grain - 1) / grain));
        if (!bound->transpose) {
            const unsigned char *at = bound->data + kr_pack_source(&job.w, bound->panels, job.first + some);

            fill_give(f, f->next && (uintptr_t)f->next < (uintptr_t)at ? f->next : at, 0);
        }
    }
    return KRAIT_OK;
}

/* ---- floats -------------------------------------------------------------------------------------- */

int kr_fill_floats(const kr_bound *bound)
{
    const kr_want *want = bound->want;
    size_t         rows = (size_t)want->shape[0], columns = (size_t)(bound->count / want->shape[0]);
    unsigned char *to = (unsigned char *)(uintptr_t)bound->prepared;

    if (KR_BIG_ENDIAN || bound->type != KR_TYPE_F32 || bound->transpose || bound->logarithm)
        return 0;
    if (want->form == KR_FLOATS) {
        memcpy(to, bound->data, 4 * (size_t)bound->count);
        return 1;
    }
    for (size_t r = 0; r < rows; r += KR_LANES) {       /* channels are matrices of one panel each */
        kr_matrix w = { to + 4 * r * columns, kr_min(KR_LANES, rows - r), columns, KRAIT_F32 };

        kr_pack_rows(&w, to + 4 * r * columns, bound->data + 4 * r * columns, 0, w.outputs);
    }
    return 1;
}

/* ---- in place ------------------------------------------------------------------------------------ */

static void fill_touch(void *argument, size_t from, size_t to)
{
    const fill_job               *job = argument;
    const volatile unsigned char *bytes = job->bound->data + job->first;

    for (size_t i = from; i < to; i += FILL_TOUCH)
        (void)bytes[i];
}

krait_status kr_fill_in_place(kr_filling *f, const kr_bound *bound, size_t bytes)
{
    kr_file *file = fill_file(f, bound->data);
    fill_job job = { .bound = bound };
    size_t   step = fill_step(f);

    fill_give(f, bound->data, 1);
    if (file && file->bytes + file->given < bound->data + bytes)
        file->given = (size_t)(bound->data - file->bytes) + bytes;
    if (!(f->loading->options->flags & KRAIT_OPEN_PREFETCH))
        return KRAIT_OK;
    kr_pages_want(bound->data, kr_min(bytes, step));
    for (; job.first < bytes; job.first += kr_min(step, bytes - job.first)) {
        size_t       some = kr_min(step, bytes - job.first);
        krait_status status = kr_fill_tell(f, job.first);

        if (status != KRAIT_OK)
            return status;
        kr_pages_want(bound->data + job.first + some, kr_min(bytes - job.first - some, step));
        kr_tasks_ranges(&f->tasks, fill_touch, &job, some, FILL_TOUCH,
                        kr_tasks_for(&f->tasks, (uint64_t)some * KR_WORK_BYTE, some / FILL_TOUCH));
    }
    return KRAIT_OK;
}
