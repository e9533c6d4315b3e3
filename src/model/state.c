/* state.c - layout of a state, and its parts one by one. */
#include "model/state.h"

#include <string.h>

#include "core/hash.h"

/* The last byte is the layout's number: another library's blocks are not taken up. */
#define STATE_MAGIC 0x6b72616974737401ull

enum { STATE_TILE = 64 };               /* rows of output held at once when lanes are scattered */

static size_t state_body_width(const krait_model *model)
{
    const kr_layer *root = model->root;

    return root->type->children == KR_CHAIN ? root->children[model->tail - 1]->out_width : root->out_width;
}

kr_pass kr_state_pass(const krait_model *model, const krait_state *state, kr_carve *carve)
{
    size_t  lanes = state->lanes, rows = lanes * state->chunk;
    kr_pass pass = { 0 };

    pass.first = kr_carve_bytes(carve, lanes + 1, sizeof *pass.first);
    pass.where = kr_carve_bytes(carve, rows, sizeof *pass.where);
    pass.tokens = kr_carve_bytes(carve, rows, sizeof *pass.tokens);
    pass.dt = kr_carve_floats(carve, rows, 1);
    pass.reset = kr_carve_bytes(carve, rows, 1);
    pass.body = kr_carve_floats(carve, rows, state_body_width(model));
    if (lanes > 1) {
        pass.tile_rows = kr_min(rows, STATE_TILE);
        pass.input = kr_carve_floats(carve, rows, model->in_width);
        pass.tile = kr_carve_floats(carve, pass.tile_rows, model->root->out_width);
    }
    return pass;
}

static void state_scratch(const krait_model *model, const krait_state *header, kr_carve *carve)
{
    const kr_layer *root = model->root;
    size_t          rows = (size_t)header->lanes * header->chunk;

    kr_state_pass(model, header, carve);
    if (root->type->children == KR_CHAIN) {
        kr_chain_scratch(root, 0, model->tail, rows, carve);
        kr_chain_scratch(root, model->tail, root->n_children, rows, carve);
    } else {
        kr_layer_scratch(root, rows, carve);
    }
}

static uint64_t state_checksum(const krait_state *header)
{
    const uint64_t words[] = { header->magic, header->model_id, header->bytes, header->data,
                               header->data_bytes, header->scratch, header->scratch_bytes,
                               header->lanes, header->chunk, header->tasks, header->context,
                               header->max_steps, header->unused };
    uint64_t hash = KR_HASH_START;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        hash = kr_hash_word(hash, words[i]);
    return hash;
}

krait_status kr_state_layout(const krait_model *model, const krait_state_options *options,
                             krait_state *header)
{
    kr_carve whole = { 0 }, scratch = { 0 };
    size_t   rows;

    *header = (krait_state){ .magic = STATE_MAGIC, .model_id = model->id };
    header->lanes = options->lanes ? options->lanes : 1;
    header->chunk = options->chunk ? options->chunk : 1;
    header->tasks = options->tasks ? options->tasks : 1;
    header->context = options->context;
    header->max_steps = options->max_steps;
    if (header->lanes > INT32_MAX || !kr_mul_fits(header->lanes, header->chunk, &rows) || rows > SIZE_MAX / 1024)
        return KRAIT_ERR_ARGUMENT;
    state_scratch(model, header, &scratch);
    kr_carve_bytes(&whole, 1, sizeof *header);
    header->data = whole.used;
    kr_carve_bytes(&whole, header->lanes, model->lane_bytes);
    header->data_bytes = whole.used - header->data;
    header->scratch = whole.used;
    kr_carve_bytes(&whole, scratch.peak, 1);
    header->scratch_bytes = whole.used - header->scratch;
    header->bytes = whole.used;
    header->check = state_checksum(header);
    return whole.broken || scratch.broken || whole.used > PTRDIFF_MAX ? KRAIT_ERR_ARGUMENT : KRAIT_OK;
}

krait_status kr_state_check(const krait_model *model, const krait_state *state)
{
    if (state->magic != STATE_MAGIC || state->check != state_checksum(state))
        return KRAIT_ERR_ARGUMENT;
    return state->model_id == model->id ? KRAIT_OK : KRAIT_ERR_MODEL;
}

void kr_state_start(krait_state *state, const krait_state *header)
{
    *state = *header;
    memset(state + 1, 0, (size_t)(header->scratch - sizeof *state));
}

/* ---- parts -------------------------------------------------------------------------------------- */

static float *state_part(const krait_model *model, const krait_state *state, const kr_model_part *part,
                         size_t lane)
{
    return (float *)(void *)(kr_state_lane(model, state, lane) + part->offset);
}

void kr_state_read_part(const krait_model *model, const krait_state *state, const kr_model_part *part,
                        size_t lane, float *values)
{
    const float *memory = state_part(model, state, part, lane);

    for (size_t i = 0; i < part->count; i++)
        values[i] = memory[kr_part_index(&part->part, i)];
}

void kr_state_write_part(const krait_model *model, krait_state *state, const kr_model_part *part,
                         size_t lane, const float *values)
{
    float *memory = state_part(model, state, part, lane);

    for (size_t i = 0; i < part->count; i++)
        memory[kr_part_index(&part->part, i)] = values[i];
}

uint64_t kr_state_hash_lane(const krait_model *model, const krait_state *state, size_t lane, uint64_t hash)
{
    for (size_t p = 0; p < model->n_parts; p++) {
        const kr_model_part *part = &model->parts[p];
        const float         *memory = state_part(model, state, part, lane);

        for (size_t i = 0; i < part->count; i++)
            hash = kr_hash_word(hash, kr_canonical_bits(memory[kr_part_index(&part->part, i)]));
    }
    return hash;
}
