/*
 * branches.c - several layers over the same rows, and what is made of their results.
 *
 * Sums and products go through the branches in order; a mean is the sum divided by their number.
 * 'append' puts the rows of each episode one branch after another: other rows than came in.
 */
#include "layers/layer.h"

#include <string.h>

typedef enum branches_merge {
    BRANCHES_SUM, BRANCHES_MEAN, BRANCHES_MULTIPLY, BRANCHES_CONCATENATE, BRANCHES_APPEND
} branches_merge;

typedef struct branches {
    int merge;
} branches;

static const char *const branches_merges[] = { "sum", "mean", "multiply", "concatenate", "append", NULL };

static const kr_option branches_options[] = {
    { "merge", KR_CHOICE, KR_AT(branches, merge), 0, 0, BRANCHES_SUM, branches_merges },
    { 0 }
};

static krait_status branches_shape(kr_layer *layer, krait_message *message)
{
    const branches *p = layer->params;

    if (layer->n_children == 0)
        return kr_fail(message, KRAIT_ERR_FORMAT, "%.100s: branches need at least one layer", layer->path);
    layer->whole = p->merge == BRANCHES_APPEND;
    layer->out_width = 0;
    for (size_t i = 0; i < layer->n_children; i++) {
        const kr_layer *child = layer->children[i];

        if (layer->vocabulary && child->in_width != layer->children[0]->in_width)
            return kr_fail(message, KRAIT_ERR_SHAPE, "%.100s: its branches embed tokens in different widths",
                           layer->path);
        if (p->merge == BRANCHES_CONCATENATE)
            layer->out_width += child->out_width;
        else if (i > 0 && child->out_width != layer->out_width)
            return kr_fail(message, KRAIT_ERR_SHAPE, "%.100s: branches make widths %zu and %zu", layer->path,
                           layer->out_width, child->out_width);
        else
            layer->out_width = child->out_width;
    }
    if (layer->out_width > (size_t)KR_MOST_WIDTH)
        return kr_fail(message, KRAIT_ERR_SHAPE, "%.100s: too wide", layer->path);
    return KRAIT_OK;
}

static krait_status branches_flow(kr_layer *layer, kr_flows *flows, kr_flow *flow)
{
    const branches *p = layer->params;
    kr_flow         merged = *flow;
    int             reshapes = 0, same = 1;

    if (p->merge == BRANCHES_APPEND && kr_flow_cells(flow) > 1)
        return kr_fail(flows->message, KRAIT_ERR_SHAPE, "description: %.100s: 'append' is given a grid", layer->path);
    for (size_t i = 0; i < layer->n_children; i++) {
        kr_flow      out = *flow;
        krait_status status = kr_flow_through(layer->children[i], flows, &out);

        if (status != KRAIT_OK)
            return status;
        reshapes += layer->children[i]->reshapes;
        if (i == 0) {
            merged = out;
        } else if (p->merge == BRANCHES_APPEND) {
            merged.rows.each = kr_extent_sum(merged.rows.each, 1, out.rows.each);
            merged.rows.plus = kr_extent_sum(merged.rows.plus, 1, out.rows.plus);
        } else {
            same &= kr_flow_same(&merged, &out);
        }
    }
    if (!same)
        return kr_fail(flows->message, KRAIT_ERR_SHAPE,
                       "description: %.100s: its branches make different numbers of rows", layer->path);
    layer->reshapes = reshapes > 0 || p->merge == BRANCHES_APPEND;
    layer->resizes = p->merge == BRANCHES_APPEND;
    *flow = merged;
    return KRAIT_OK;
}

static void branches_extent(const kr_layer *layer, kr_extent *extent)
{
    const branches *p = layer->params;
    kr_extent       sum = *extent;

    sum.rows = 0;
    for (size_t i = 0; i < layer->n_children; i++) {
        kr_extent one = *extent;

        kr_layer_extent(layer->children[i], &one);
        sum.rows = p->merge == BRANCHES_APPEND ? kr_extent_sum(sum.rows, 1, one.rows) : one.rows;
    }
    *extent = sum;
}

/* A branch whose rows are put together with others' has a room of its own. */
static int branches_in_place(const branches *p, size_t i)
{
    return i == 0 && p->merge != BRANCHES_CONCATENATE && p->merge != BRANCHES_APPEND;
}

/* What 'append' puts together: every branch's rows, and how far each has been taken. */
typedef struct branches_parts {
    kr_rows *rows;
    kr_room *rooms;
    size_t  *at;
    size_t   count;
} branches_parts;

static branches_parts branches_take(const kr_layer *layer, kr_carve *carve)
{
    branches_parts parts = { .count = layer->n_children };

    parts.rows = kr_carve_bytes(carve, parts.count, sizeof *parts.rows);
    parts.rooms = kr_carve_bytes(carve, parts.count, sizeof *parts.rooms);
    parts.at = kr_carve_bytes(carve, parts.count, sizeof *parts.at);
    return parts;
}

/* Rooms of 'append' are all held at once, others one after another. */
static void branches_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    const branches *p = layer->params;

    if (p->merge == BRANCHES_APPEND)
        branches_take(layer, carve);
    for (size_t i = 0; i < layer->n_children; i++) {
        size_t used = carve->used;

        if (!branches_in_place(p, i))
            kr_room_for(carve, layer->children[i], most);
        kr_layer_scratch(layer->children[i], most, carve);
        if (p->merge != BRANCHES_APPEND)
            carve->used = used;
    }
}

/* ---- row by row ------------------------------------------------------------------------- */

/* One branch's rows on their way into those of all. */
typedef struct branches_join {
    const branches   *p;
    const kr_kernels *kernels;
    const kr_rows    *from, *out;
    size_t            column;           /* of out, with which they begin */
    float             number;           /* of branches, or 0: they are not all there */
} branches_join;

/* Rows from..to-1. */
static void branches_task(void *argument, size_t from, size_t to)
{
    const branches_join *join = argument;
    size_t               width = join->from->width, count = (to - from) * width;
    const float         *x = join->from->data + from * width;
    float               *y = join->out->data + from * join->out->width;

    if (join->p->merge == BRANCHES_CONCATENATE)
        for (size_t r = 0; r < to - from; r++)
            memcpy(y + r * join->out->width + join->column, x + r * width, width * sizeof *y);
    else if (join->p->merge == BRANCHES_MULTIPLY)
        join->kernels->multiply(y, x, count);
    else
        join->kernels->add(y, x, count);
    if (join->number > 0)
        for (size_t i = 0; i < count; i++)
            y[i] = y[i] / join->number;
}

static void branches_side_by_side(const kr_layer *layer, kr_context *context, const kr_rows *in,
                                  const kr_extent *extent, kr_rows *out)
{
    const branches *p = layer->params;
    size_t          column = 0, used = context->scratch.used;

    for (size_t i = 0; i < layer->n_children; i++) {
        const kr_layer *child = layer->children[i];
        branches_join   join;
        kr_room         room;
        kr_rows         one;
        size_t          rows;

        if (branches_in_place(p, i)) {
            kr_layer_run(child, context, in, out);
            continue;
        }
        room = kr_room_for(&context->scratch, child, extent);
        one = kr_room_rows(&room, in);
        kr_layer_run(child, context, in, &one);
        if (i == 0 && child->reshapes)
            kr_rows_copy_shape(&one, out);
        join = (branches_join){ p, context->kernels, &one, out, column, 0 };
        if (p->merge == BRANCHES_MEAN && i + 1 == layer->n_children)
            join.number = (float)layer->n_children;
        rows = kr_rows_count(&one);
        kr_tasks_ranges(&context->tasks, branches_task, &join, rows, 1,
                        kr_tasks_for(&context->tasks, (uint64_t)rows * one.width * KR_WORK_NUMBER, rows));
        column += child->out_width;
        context->scratch.used = used;
    }
}

/* ---- one after another -------------------------------------------------------------------- */

/* The next episode of one branch goes behind the 'steps' steps that 'out' has; returns its length. */
static size_t branches_append_episode(branches_parts *parts, size_t i, size_t lane, kr_rows *out, size_t steps)
{
    const kr_rows *from = &parts->rows[i];
    size_t         at = parts->at[i], to = kr_rows_episode(from, at, from->first[lane + 1]), n = to - at;

    memcpy(out->data + steps * out->width, from->data + at * from->width, n * out->width * sizeof *out->data);
    memset(out->room->reset + steps, 0, n);
    for (size_t k = 0; k < n; k++)
        out->room->dt[steps + k] = from->dt ? from->dt[at + k] : 1.0f;
    parts->at[i] = to;
    return n;
}

/* All branches have the same episodes; the first says where they are. */
static void branches_append(branches_parts *parts, kr_rows *out)
{
    const kr_rows *first = &parts->rows[0];
    size_t         steps = 0;
    int            timed = 0;

    for (size_t i = 0; i < parts->count; i++)
        timed |= parts->rows[i].dt != NULL;
    for (size_t lane = 0; lane < out->lanes; lane++) {
        out->room->first[lane] = steps;
        for (size_t i = 0; i < parts->count; i++)
            parts->at[i] = parts->rows[i].first[lane];
        while (parts->at[0] < first->first[lane + 1]) {
            uint8_t reset = first->reset ? first->reset[parts->at[0]] : 0;
            size_t  begin = steps;

            for (size_t i = 0; i < parts->count; i++)
                steps += branches_append_episode(parts, i, lane, out, steps);
            out->room->reset[begin] = reset;
        }
    }
    out->room->first[out->lanes] = steps;
    out->first = out->room->first;
    out->dt = timed ? out->room->dt : NULL;
    out->reset = first->reset ? out->room->reset : NULL;
}

static void branches_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const branches *p = layer->params;
    kr_extent       extent = kr_rows_extent(in);
    branches_parts  parts;

    if (p->merge != BRANCHES_APPEND) {
        branches_side_by_side(layer, context, in, &extent, out);
        return;
    }
    parts = branches_take(layer, &context->scratch);
    for (size_t i = 0; i < parts.count; i++) {
        parts.rooms[i] = kr_room_for(&context->scratch, layer->children[i], &extent);
        parts.rows[i] = kr_room_rows(&parts.rooms[i], in);
        kr_layer_run(layer->children[i], context, in, &parts.rows[i]);
    }
    branches_append(&parts, out);
}

extern const kr_layer_type kr_layer_branches;
const kr_layer_type kr_layer_branches = {
    .name = "branches", .children = KR_BRANCHES, .flags = KR_TAKES_TOKEN | KR_ANY_GRID,
    .params_size = sizeof(branches), .options = branches_options, .shape = branches_shape,
    .flow = branches_flow, .extent = branches_extent, .scratch = branches_scratch, .run = branches_run,
};
