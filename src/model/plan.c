/* plan.c - what a tree remembers of one lane, and where; which layers are row-wise. */
#include <string.h>

#include "model/model.h"

int kr_layer_is_row_wise(const kr_layer *layer)
{
    int row_wise = layer->n_children > 0 || (layer->type->flags & KR_ROW_WISE);

    for (size_t i = 0; row_wise && i < layer->n_children; i++)
        row_wise = kr_layer_is_row_wise(layer->children[i]);
    return row_wise;
}

static void plan_parts(const kr_layer *layer, kr_parts *parts)
{
    parts->count = 0;
    if (layer->type->memory)
        layer->type->memory(layer, parts);
}

static void plan_count(const kr_layer *layer, size_t *count)
{
    kr_parts parts;

    plan_parts(layer, &parts);
    *count += parts.count;
    for (size_t i = 0; i < layer->n_children; i++)
        plan_count(layer->children[i], count);
}

/* Numbers of a part, with room to add them up; 0 if absurd. */
static size_t plan_numbers(const kr_memory_part *part)
{
    uint64_t most = SIZE_MAX / 64, rows = part->shape[0] + KR_LANES, width = part->shape[1] + KR_LANES;

    return rows > most / width ? 0 : (size_t)(part->shape[0] * part->shape[1]);
}

static krait_status plan_layer(kr_loading *loading, kr_layer *layer, kr_carve *carve, size_t *n)
{
    krait_model *model = loading->model;
    kr_parts     parts;

    plan_parts(layer, &parts);
    layer->memory = carve->used;
    model->n_remembering += parts.count > 0;
    for (size_t i = 0; i < parts.count; i++) {
        kr_model_part *part = &model->parts[(*n)++];
        kr_writer      name;

        part->part = parts.list[i];
        part->offset = carve->used;
        part->count = plan_numbers(&part->part);
        if (part->count == 0)
            return kr_fail(loading->message, KRAIT_ERR_MEMORY, "%.100s: its state is too large", layer->path);
        kr_carve_bytes(carve, kr_part_bytes(&part->part), 1);
        kr_writer_start(&name, &model->arena);
        kr_write(&name, layer->path);
        kr_write(&name, *layer->path ? "." : "");
        kr_write(&name, part->part.name);
        if (name.broken)
            return kr_fail_memory(loading->message);
        part->name = name.text;
    }
    for (size_t i = 0; i < layer->n_children; i++) {
        krait_status status = plan_layer(loading, layer->children[i], carve, n);

        if (status != KRAIT_OK)
            return status;
    }
    return KRAIT_OK;
}

/* The root's last children that are row-wise run only for the rows that are asked for. */
static size_t plan_tail(const kr_layer *root)
{
    size_t tail = root->n_children;

    if (root->type->children != KR_CHAIN)
        return 0;
    while (tail > 1 && kr_layer_is_row_wise(root->children[tail - 1]))
        tail--;
    return tail;
}

krait_status kr_plan(kr_loading *loading)
{
    krait_model *model = loading->model;
    kr_carve     carve = { 0 };
    size_t       n = 0;
    krait_status status;

    plan_count(model->root, &model->n_parts);
    model->parts = kr_arena_take(&model->arena, model->n_parts + 1, sizeof *model->parts);
    if (!model->parts)
        return kr_fail_memory(loading->message);
    if ((status = plan_layer(loading, model->root, &carve, &n)) != KRAIT_OK)
        return status;
    if (carve.broken)
        return kr_fail(loading->message, KRAIT_ERR_MEMORY, "the state of one lane is too large for this machine");
    model->lane_bytes = carve.used;
    model->tail = plan_tail(model->root);
    return KRAIT_OK;
}
