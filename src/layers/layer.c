/* layer.c - the list of layer types, and what they share. */
#include "layers/layer.h"

#include <string.h>

#include "kernels/pack.h"

#define KR_LAYER(name) extern const kr_layer_type kr_layer_##name;
#include "layers/layers.def"
#undef KR_LAYER

const kr_layer_type *const kr_layer_types[] = {
#define KR_LAYER(name) &kr_layer_##name,
#include "layers/layers.def"
#undef KR_LAYER
    NULL
};

const kr_layer_type *kr_layer_type_named(const char *name)
{
    const kr_layer_type *const *type = kr_layer_types;

    while (*type && strcmp((*type)->name, name) != 0)
        type++;
    return *type;
}

/* ---- weights ---------------------------------------------------------------------- */

static kr_want *want_next(kr_wants *wants, const char *slot, kr_want_form form, size_t at)
{
    kr_want *want = &wants->list[wants->count++];

    *want = (kr_want){ .slot = slot, .form = form, .at = at };
    return want;
}

void kr_want_matrix(kr_wants *wants, const char *slot, size_t at, size_t outputs, size_t inputs)
{
    kr_want *want = want_next(wants, slot, KR_MATRIX, at);

    want->shape[0] = outputs;
    want->shape[1] = inputs;
    want->dimensions = 2;
}

void kr_want_floats(kr_wants *wants, const char *slot, size_t at, size_t count, int optional)
{
    kr_want *want = want_next(wants, slot, KR_FLOATS, at);

    want->shape[0] = count;
    want->dimensions = 1;
    want->optional = optional;
}

void kr_want_pairs(kr_wants *wants, const char *slot, size_t at, size_t rows, size_t width)
{
    kr_want_array(wants, slot, at, (const uint64_t[]){ rows, width, 2 }, 3);
}

void kr_want_table(kr_wants *wants, const char *slot, size_t at, size_t rows, size_t width)
{
    kr_want *want = want_next(wants, slot, KR_FLOATS, at);

    want->shape[0] = rows;
    want->shape[1] = width;
    want->dimensions = 2;
}

void kr_want_array(kr_wants *wants, const char *slot, size_t at, const uint64_t *shape, int dimensions)
{
    kr_want *want = want_next(wants, slot, KR_FLOATS, at);

    memcpy(want->shape, shape, (size_t)dimensions * sizeof *shape);
    want->dimensions = dimensions;
}

void kr_want_channels(kr_wants *wants, const char *slot, size_t at, size_t channels, size_t n)
{
    kr_want *want = want_next(wants, slot, KR_CHANNELS, at);

    want->shape[0] = channels;
    want->shape[1] = n;
    want->dimensions = 2;
}

/* ---- memory ------------------------------------------------------------------------ */

void kr_part_add(kr_parts *parts, const char *name, kr_part_form form, size_t rows, size_t width)
{
    parts->list[parts->count++] = (kr_memory_part){ name, form, { rows, width }, 0 };
}

void kr_part_heads(kr_parts *parts, const char *name, size_t heads, size_t width, size_t n)
{
    parts->list[parts->count++] = (kr_memory_part){ name, KR_PART_HEADS, { heads * width, n }, width };
}

size_t kr_part_bytes(const kr_memory_part *part)
{
    size_t rows = (size_t)part->shape[0], width = (size_t)part->shape[1];

    if (part->form == KR_PART_HEADS)
        return rows / part->head * kr_pad16(part->head) * width * sizeof(float);
    return (part->form == KR_PART_ROWS ? rows * kr_pad16(width) : kr_pad16(rows) * width) *
           sizeof(float);
}

size_t kr_part_index(const kr_memory_part *part, size_t i)
{
    size_t width = (size_t)part->shape[1], row = i / width, column = i % width;

    if (part->form == KR_PART_ROWS)
        return row * kr_pad16(width) + column;
    if (part->form == KR_PART_HEADS) {
        kr_matrix layout = { NULL, part->head, width, KRAIT_F32 };

        return row / part->head * kr_pad16(part->head) * width + kr_pack_index(&layout, row % part->head, column);
    }
    return (row / KR_LANES * width + column) * KR_LANES + row % KR_LANES;
}

/* ---- running ------------------------------------------------------------------------ */

void kr_layer_begin(const kr_layer *layer, float *memory, size_t from, size_t count)
{
    const float *start = layer->type->start ? layer->type->start(layer) : NULL;

    if (start)
        memcpy(memory + from, start + from, count * sizeof *memory);
    else
        memset(memory + from, 0, count * sizeof *memory);
}

void kr_layer_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    size_t used = carve->used;

    if (layer->type->scratch)
        layer->type->scratch(layer, most, carve);
    carve->used = used;
}

/* A leaf that makes each row of that row alone, on blocks of rows. */
typedef struct layer_rows {
    const kr_layer *layer;
    kr_context     *context;            /* only read: such a layer has no scratch */
    const kr_rows  *in, *out;
} layer_rows;

static void layer_task_rows(void *argument, size_t from, size_t to)
{
    const layer_rows *job = argument;
    size_t            first[2] = { 0, to - from };
    kr_rows           in = *job->in, out = *job->out;

    in.data = in.data ? in.data + from * in.width : NULL;
    in.tokens = in.tokens ? in.tokens + from : NULL;
    out.data += from * out.width;
    in.first = out.first = first;
    in.lanes = out.lanes = in.cells = out.cells = 1;
    in.dt = out.dt = NULL;
    in.reset = out.reset = NULL;
    job->layer->type->run(job->layer, job->context, &in, &out);
}

/* In how many tasks: those that need scratch or make other cells of a grid see to it themselves. */
static size_t layer_tasks(const kr_layer *layer, const kr_context *context, const kr_rows *in)
{
    const kr_layer_type *type = layer->type;
    size_t               rows = kr_rows_count(in);

    if (type->children != KR_LEAF || !(type->flags & KR_ROW_WISE) || type->scratch || type->flow)
        return 1;
    return kr_tasks_for(&context->tasks, (uint64_t)rows * layer->out_width * KR_WORK_NUMBER, rows);
}

void kr_layer_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    size_t used = context->scratch.used, tasks;

    out->tokens = NULL;
    out->width = layer->out_width;
    out->lanes = in->lanes;
    out->first = in->first;
    out->cells = kr_flow_cells(&layer->out);
    out->dt = in->dt;
    out->reset = in->reset;
    if (context->transient && layer->memory_bytes)
        for (size_t lane = 0; lane < in->lanes; lane++)
            kr_layer_begin(layer, kr_layer_memory(layer, context, lane), 0, layer->memory_bytes / sizeof(float));
    tasks = layer_tasks(layer, context, in);
    if (tasks > 1)
        kr_tasks_ranges(&context->tasks, layer_task_rows, &(layer_rows){ layer, context, in, out }, kr_rows_count(in), 1,
                        tasks);
    else
        layer->type->run(layer, context, in, out);
    context->scratch.used = used;
}

typedef struct layer_sum {
    const kr_kernels *kernels;
    float            *y;
    const float      *x;
} layer_sum;

static void layer_task_add(void *argument, size_t from, size_t to)
{
    const layer_sum *sum = argument;

    sum->kernels->add(sum->y + from, sum->x + from, to - from);
}

void kr_rows_add(const kr_context *context, float *y, const float *x, size_t count)
{
    layer_sum sum = { context->kernels, y, x };

    kr_tasks_ranges(&context->tasks, layer_task_add, &sum, count, KR_LANES,
                    kr_tasks_for(&context->tasks, (uint64_t)count * KR_WORK_NUMBER,
                                 (count + KR_LANES - 1) / KR_LANES));
}
