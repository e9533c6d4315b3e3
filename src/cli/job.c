/* job.c - the arrays of `krait run`, and whether they fit each other and the model. */
#include "cli/job.h"

#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/show.h"

void job_end(struct job *job)
{
    size_t i;

    npy_free(&job->input);
    npy_free(&job->output);
    free(job->dt);
    free(job->reset);
    for (i = 0; i < job->orders.count; i++)
        npy_free(&job->orders.numbers[i]);
    for (i = 0; i < job->kept.count; i++)
        npy_free(&job->kept.rows[i]);
    krait_state_destroy(job->state, NULL);
    krait_model_close(job->model);
}

static int read_input(struct job *job, const char *path)
{
    npy_array *x = &job->input;
    size_t     width = (size_t)model_number(job->model, KRAIT_IN_WIDTH);
    int        rows;

    if (npy_read(x, path))
        return 1;
    rows = x->integers ? 1 : 2;                 /* dimensions without lanes */
    if (x->integers && !model_number(job->model, KRAIT_TAKES_TOKENS))
        return complain(path, "integers, but the model takes rows of %lu floats",
                        (unsigned long)width);
    if (x->dimensions != rows && x->dimensions != rows + 1)
        return complain(path, x->integers
                        ? "tokens must be [steps] or [lanes, steps]"
                        : "rows must be [steps, width] or [lanes, steps, width]");
    if (x->reals && x->shape[x->dimensions - 1] != width)
        return complain(path, "rows of %lu numbers, but the model takes %lu",
                        (unsigned long)x->shape[x->dimensions - 1], (unsigned long)width);
    job->has_lanes = x->dimensions > rows;
    job->lanes = job->has_lanes ? x->shape[0] : 1;
    job->steps = x->shape[job->has_lanes];
    if (job->lanes == 0 || job->lanes > UINT32_MAX)
        return complain(path, "%lu lanes", (unsigned long)job->lanes);
    return 0;
}

/* Lane 0 of 'array' for each of 'lanes'; 0, or 1 if there is no memory. */
static int repeat_lane(void **array, size_t bytes, size_t lanes)
{
    char  *larger;
    size_t i;

    if (bytes && lanes > SIZE_MAX / 2 / bytes)
        return complain(NULL, "out of memory");
    larger = realloc(*array, bytes * lanes + 1);
    if (!larger)
        return complain(NULL, "out of memory");
    for (i = 1; i < lanes; i++)
        memcpy(larger + i * bytes, larger, bytes);
    *array = larger;
    return 0;
}

int job_repeat(npy_array *a, size_t lanes)
{
    void *numbers = a->reals ? (void *)a->reals : (void *)a->integers;

    if (repeat_lane(&numbers, 4 * a->count, lanes))
        return 1;
    if (a->reals)
        a->reals = numbers;
    else
        a->integers = numbers;
    a->count *= lanes;
    return 0;
}

int job_input(struct job *job, const char *path, uint32_t lanes)
{
    job->path = path;
    if (read_input(job, path))
        return 1;
    if (!lanes)
        return 0;
    if (job->has_lanes)
        return lanes == job->lanes ? 0 : complain(path, "has %lu lanes, not %lu",
                                                  (unsigned long)job->lanes,
                                                  (unsigned long)lanes);
    job->lanes = lanes;
    job->has_lanes = 1;
    return job_repeat(&job->input, lanes);
}

static int read_per_row(const struct job *job, npy_array *a, const char *path)
{
    int lanes;

    if (npy_read(a, path))
        return 1;
    lanes = a->dimensions == 2;
    if (a->dimensions > 2 || a->shape[lanes] != job->steps
        || (lanes && a->shape[0] != job->lanes)) {
        npy_free(a);
        return complain(path, "must be [%lu] or [%lu, %lu], a number for each row",
                        (unsigned long)job->steps, (unsigned long)job->lanes,
                        (unsigned long)job->steps);
    }
    if (lanes)
        return 0;
    if (job_repeat(a, job->lanes)) {
        npy_free(a);
        return 1;
    }
    return 0;
}

int job_dt(struct job *job, const char *path)
{
    npy_array a;
    size_t    i;

    if (read_per_row(job, &a, path))
        return 1;
    if (a.reals) {
        job->dt = a.reals;
        a.reals = NULL;
    } else if (!(job->dt = malloc(a.count * sizeof *job->dt + 1))) {
        npy_free(&a);
        return complain(NULL, "out of memory");
    } else {
        for (i = 0; i < a.count; i++)
            job->dt[i] = (float)a.integers[i];
    }
    npy_free(&a);
    return 0;
}

int job_reset(struct job *job, const char *path)
{
    npy_array a;
    size_t    i;

    if (read_per_row(job, &a, path))
        return 1;
    if (!(job->reset = malloc(a.count + 1))) {
        npy_free(&a);
        return complain(NULL, "out of memory");
    }
    for (i = 0; i < a.count; i++)
        job->reset[i] = a.reals ? a.reals[i] != 0 : a.integers[i] != 0;
    npy_free(&a);
    return 0;
}

int job_failed(const struct job *job, krait_status status, const krait_message *message)
{
    /* krait checks orders last, so that nothing else is wrong when it speaks of one. */
    int order = strncmp(message->text, "order '", 7) == 0;

    return complain_status(order ? "--order" : job->path, status, message);
}

int job_room(const struct job *job, npy_array *a, size_t rows, size_t width)
{
    memset(a, 0, sizeof *a);
    if (job->has_lanes)
        a->shape[a->dimensions++] = job->lanes;
    a->shape[a->dimensions++] = rows;
    a->shape[a->dimensions++] = width;
    if ((rows && job->lanes > SIZE_MAX / 8 / rows)
        || (width && job->lanes * rows > SIZE_MAX / 8 / width))
        return complain(NULL, "the output is too large");
    a->count = job->lanes * rows * width;
    a->reals = calloc(a->count + 1, sizeof *a->reals);
    return a->reals ? 0 : complain(NULL, "no memory for an output of %s",
                                   show_bytes(4 * (uint64_t)a->count));
}

int job_output(struct job *job, const krait_input *input, int last)
{
    npy_array    *y = &job->output;
    krait_message message = { "" };
    krait_output  output = { 0 };
    krait_status  status;
    float         none;

    output.size = sizeof output;
    output.rows = &none;
    output.which = last ? KRAIT_ROWS_LAST : KRAIT_ROWS_ALL;
    status = krait_run(job->model, job->state, input, &output, &message);
    if (status != KRAIT_OK && status != KRAIT_ERR_SPACE)
        return job_failed(job, status, &message);
    if (job_room(job, y, output.stride, (size_t)model_number(job->model, KRAIT_OUT_WIDTH)))
        return 1;
    if (last) {                                 /* one row is no dimension */
        y->dimensions--;
        y->shape[y->dimensions - 1] = y->shape[y->dimensions];
    }
    return 0;
}
