/* named.c - what `krait run` brings and gets by the names that the model has for it. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/show.h"

typedef char about_text[128];           /* "--order NAME", for a complaint */

static const char *about_pair(about_text text, const char *option, const arg_pair *pair)
{
    snprintf(text, sizeof(about_text), "%s %.*s", option,
             pair->size < 100 ? (int)pair->size : 100, pair->name);
    return text;
}

/* The model's own slot of that kind and name; 0 if it has none. */
static int find_slot(const krait_model *model, int32_t kind, const arg_pair *pair,
                     krait_slot_info *info)
{
    size_t i;

    info->size = sizeof *info;
    for (i = 0; krait_model_slot(model, i, info) == KRAIT_OK; i++)
        if (info->kind == kind && strlen(info->name) == pair->size
            && memcmp(info->name, pair->name, pair->size) == 0)
            return 1;
    return 0;
}

/* ---- orders ---- */

static int check_shape(const struct job *job, const char *about, const npy_array *a, size_t cells)
{
    int           plain = cells > 1 ? 2 : 1;    /* dimensions without lanes */
    int           lanes = a->dimensions == plain + 1;
    unsigned long l = (unsigned long)job->lanes, s = (unsigned long)job->steps;

    if (a->reals)
        return complain(about, "floats, where an order of whole numbers is wanted");
    if ((a->dimensions == plain || lanes) && a->shape[lanes] == job->steps
        && (!lanes || a->shape[0] == job->lanes) && (cells == 1 || a->shape[lanes + 1] == cells))
        return 0;
    if (cells == 1)
        return complain(about, "must be [%lu] or [%lu, %lu], a number for each row", s, l, s);
    return complain(about, "must be [%lu, %lu] or [%lu, %lu, %lu], a number for each cell", s,
                    (unsigned long)cells, l, s, (unsigned long)cells);
}

static int read_order(struct job *job, const arg_pair *pair)
{
    npy_array      *a = &job->orders.numbers[job->orders.count];
    krait_order    *order = &job->orders.list[job->orders.count];
    krait_slot_info info = { 0 };
    about_text      about;

    about_pair(about, "--order", pair);
    if (!find_slot(job->model, KRAIT_SLOT_ORDER, pair, &info))
        return complain(about, "the model takes no order of that name; krait info lists them");
    if (npy_read(a, pair->value))
        return 1;
    job->orders.count++;                        /* from here on job_end() frees it */
    if (check_shape(job, about, a, info.width))
        return 1;
    if (a->dimensions == (info.width > 1 ? 2 : 1) && job_repeat(a, job->lanes))
        return 1;
    order->name = info.name;
    order->order = a->integers;
    order->count = a->count;
    return 0;
}

static int is_given(const struct job *job, const char *name)
{
    size_t i;

    for (i = 0; i < job->orders.count; i++)
        if (strcmp(job->orders.list[i].name, name) == 0)
            return 1;
    return 0;
}

int job_orders(struct job *job, const arg_pairs *given)
{
    krait_slot_info info = { 0 };
    size_t          i;

    for (i = 0; i < given->count; i++)
        if (read_order(job, &given->list[i]))
            return 1;
    info.size = sizeof info;
    for (i = 0; krait_model_slot(job->model, i, &info) == KRAIT_OK; i++)
        if (info.kind == KRAIT_SLOT_ORDER && !is_given(job, info.name))
            return complain(NULL, "the model takes an order: --order %s=FILE.npy is missing",
                            info.name);
    return 0;
}

/* ---- rows that were kept ---- */

/* Asks krait for one slot with no room for its rows, which sets their width and stride. */
static int add_kept(struct job *job, const krait_input *input, const arg_pair *pair)
{
    krait_slot     *slot = &job->kept.list[job->kept.count];
    npy_array      *rows = &job->kept.rows[job->kept.count];
    krait_slot_info info = { 0 };
    krait_message   message = { "" };
    krait_output    output = { 0 };
    krait_status    status;
    about_text      about;
    float           none;

    about_pair(about, "--rows", pair);
    if (find_slot(job->model, KRAIT_SLOT_INNER, pair, &info))
        return complain(about, "these rows are for the model itself: they cannot be written");
    if (!find_slot(job->model, KRAIT_SLOT_ROWS, pair, &info))
        return complain(about, "the model keeps no rows of that name; krait info lists them");
    slot->name = info.name;
    slot->rows = &none;
    output.size = sizeof output;
    output.which = KRAIT_ROWS_NONE;
    output.slots = slot;
    output.slot_count = 1;
    status = krait_run(job->model, job->state, input, &output, &message);
    if (status != KRAIT_OK && status != KRAIT_ERR_SPACE)
        return job_failed(job, status, &message);
    if (job_room(job, rows, slot->stride, slot->width))
        return 1;
    slot->rows = rows->reals;
    slot->capacity = rows->count;
    job->kept.count++;
    return 0;
}

int job_kept(struct job *job, const krait_input *input, const arg_pairs *wanted)
{
    size_t i;

    for (i = 0; i < wanted->count; i++)
        if (add_kept(job, input, &wanted->list[i]))
            return 1;
    return 0;
}

int job_write_kept(const struct job *job, const arg_pairs *wanted)
{
    size_t i;

    for (i = 0; i < job->kept.count; i++)
        if (npy_write(&job->kept.rows[i], wanted->list[i].value))
            return 1;
    return 0;
}
