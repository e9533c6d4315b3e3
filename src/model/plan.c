/*
 * plan.c - what a tree remembers of one lane, and where; which layers are row-wise.
 *
 * Layers whose sequences come whole remember nothing between runs: what they need in one is
 * taken from scratch, and since they run one after another they share it.
 */
#include <string.h>

#include "model/model.h"

static void plan_parts(const kr_layer *layer, kr_parts *parts)
{
    parts->count = 0;
    if (layer->type->memory)
        layer->type->memory(layer, parts);
}

/* Where in the tree memory is being laid out. */
typedef struct plan_place {
    kr_carve carve;             /* of one lane, or of one cell of it */
    size_t   before;            /* in the lane's bytes */
    size_t   cells;
    int      whole;             /* 'carve.peak' is what the layers share */
} plan_place;

static void plan_count(const kr_layer *layer, size_t *count)
{
    kr_parts parts;

    plan_parts(layer, &parts);
    *count += layer->in.whole ? 0 : parts.count;
    for (size_t i = 0; i < layer->n_children; i++)
        plan_count(layer->children[i], count);
}

/* Numbers of a part, with room to add them up; 0 if absurd. */
static size_t plan_numbers(const kr_memory_part *part, size_t cells)
{
    uint64_t most = SIZE_MAX / 64 / cells, rows = part->shape[0] + KR_LANES, width = part->shape[1] + KR_LANES;

    return rows > most / width ? 0 : (size_t)(part->shape[0] * part->shape[1]) * cells;
}

static krait_status plan_part(kr_loading *loading, const kr_layer *layer, const kr_memory_part *shape,
                              const plan_place *place, kr_model_part *part)
{
    kr_writer name;

    part->part = *shape;
    part->offset = place->before + place->carve.used;
    part->cells = place->cells;
    part->count = plan_numbers(shape, place->cells);
    kr_writer_start(&name, &loading->model->arena);
    kr_write(&name, layer->path);
    kr_write(&name, *layer->path ? "." : "");
    kr_write(&name, shape->name);
    if (name.broken)
        return kr_fail_memory(loading->message);
    part->name = name.text;
    return KRAIT_OK;
}

static krait_status plan_memory(kr_loading *loading, kr_layer *layer, plan_place *place, size_t *n)
{
    krait_model *model = loading->model;
    kr_parts     parts;
    krait_status status = KRAIT_OK;

    plan_parts(layer, &parts);
    layer->memory = place->carve.used;
    model->n_remembering += parts.count > 0 && !place->whole;
    for (size_t i = 0; i < parts.count && status == KRAIT_OK; i++) {
        if (plan_numbers(&parts.list[i], place->cells) == 0)
            return kr_fail(loading->message, KRAIT_ERR_MEMORY, "%.100s: its state is too large", layer->path);
        if (!place->whole)
            status = plan_part(loading, layer, &parts.list[i], place, &model->parts[(*n)++]);
        kr_carve_bytes(&place->carve, kr_part_bytes(&parts.list[i]), 1);
    }
    layer->memory_bytes = place->carve.used - layer->memory;
    if (place->whole)
        place->carve.used = layer->memory;
    return status;
}

static krait_status plan_layer(kr_loading *loading, kr_layer *layer, plan_place *place, size_t *n);

/* An 'over': of its own, cell by cell within the lane's, or shared and taken from scratch. */
static krait_status plan_along(kr_loading *loading, kr_layer *layer, plan_place *outer, size_t *n)
{
    kr_layer    *child = layer->children[0];
    plan_place   place = { .before = outer->before + outer->carve.used, .cells = 1, .whole = child->in.whole };
    size_t       first = *n;
    krait_status status;

    if (!place.whole)
        place.cells = kr_flow_cells(&layer->in);
    layer->memory = outer->carve.used;
    if ((status = plan_layer(loading, child, &place, n)) != KRAIT_OK)
        return status;
    outer->carve.broken |= place.carve.broken;
    layer->along_bytes = place.whole ? place.carve.peak : place.carve.used;
    for (size_t i = first; i < *n; i++)
        loading->model->parts[i].cell_bytes = layer->along_bytes;
    if (!place.whole)
        kr_carve_bytes(&outer->carve, place.cells, layer->along_bytes);
    return KRAIT_OK;
}

static krait_status plan_layer(kr_loading *loading, kr_layer *layer, plan_place *place, size_t *n)
{
    krait_status status = plan_memory(loading, layer, place, n);

    loading->model->convolves |= (layer->type->flags & KR_CONVOLVES) && !layer->varies;
    loading->model->uses_time |= layer->uses_time && !(layer->in.axis && layer->in.axis->own_axis);
    if (status == KRAIT_OK && layer->n_children && layer->children[0]->in.axis == layer)
        return plan_along(loading, layer, place, n);
    for (size_t i = 0; i < layer->n_children && status == KRAIT_OK; i++)
        status = plan_layer(loading, layer->children[i], place, n);
    return status;
}

/* The longest sequence that every layer takes. */
static size_t plan_most_steps(const kr_flows *flows)
{
    size_t most = 0, found = 0;

    for (size_t i = 0; i < flows->n_limits; i++) {
        const kr_limit *limit = &flows->limits[i];
        size_t          steps = limit->most > limit->rows.plus ? (limit->most - limit->rows.plus) / limit->rows.each : 0;

        if (limit->most != SIZE_MAX && (found++ == 0 || steps < most))
            most = steps;
    }
    return most;
}

/* The root's last children that are row-wise run only for the rows that are asked for. */
static size_t plan_tail(const kr_layer *root)
{
    size_t tail = root->n_children;

    if (root->type->children != KR_CHAIN)
        return 0;
    while (tail > 1 && root->children[tail - 1]->row_wise)
        tail--;
    return tail;
}

krait_status kr_plan(kr_loading *loading)
{
    krait_model *model = loading->model;
    plan_place   place = { .cells = 1, .whole = model->whole };
    size_t       n = 0;
    krait_status status;

    plan_count(model->root, &model->n_parts);
    model->parts = kr_arena_take(&model->arena, model->n_parts + 1, sizeof *model->parts);
    if (!model->parts)
        return kr_fail_memory(loading->message);
    if ((status = plan_layer(loading, model->root, &place, &n)) != KRAIT_OK)
        return status;
    if (place.carve.broken)
        return kr_fail(loading->message, KRAIT_ERR_MEMORY, "the state of one lane is too large for this machine");
    model->lane_bytes = model->whole ? 0 : place.carve.used;
    model->along_bytes = model->whole ? place.carve.peak : 0;
    model->most_steps = plan_most_steps(&model->flows);
    model->tail = model->whole ? model->root->n_children : plan_tail(model->root);
    return KRAIT_OK;
}
