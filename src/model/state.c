/* state.c - layout of a state, and its parts one by one. */
#include "model/state.h"

#include <string.h>

#include "core/hash.h"

/* The last byte is the layout's number: another library's blocks are not taken up. */
#define STATE_MAGIC 0x6b72616974737402ull

enum { STATE_TILE = 64 };               /* rows of output held at once when lanes are scattered */

/* What stands before the tail. */
static const kr_layer *state_body(const krait_model *model)
{
    const kr_layer *root = model->root;

    return root->type->children == KR_CHAIN ? root->children[model->tail - 1] : root;
}

/* Steps of every lane that a pass takes. */
static size_t state_steps(const krait_model *model, const krait_state *state)
{
    return model->whole ? state->max_steps : state->chunk;
}

kr_extent kr_state_extent(const krait_model *model, const krait_state *state)
{
    size_t steps = state->lanes * state_steps(model, state);

    return (kr_extent){ state->lanes, kr_extent_sum(0, steps, model->grid[0] * model->grid[1]), steps,
                        state->tasks };
}

/* Rows under a name: of all sequences of all steps, however they are cut into episodes. */
static kr_rows state_kept(const kr_slot *slot, const kr_extent *most, size_t steps, kr_room *room, kr_carve *carve)
{
    const kr_flow *flow = &slot->flow;
    size_t         rows = kr_extent_sum(kr_extent_sum(0, steps, flow->rows.each), most->episodes, flow->rows.plus);

    if (!slot->put)                     /* while its name is still being built */
        rows = 0;
    rows = kr_extent_sum(0, rows, kr_extent_sum(0, flow->sequences, kr_flow_cells(flow)));
    room->data = kr_carve_floats(carve, rows, slot->width);
    room->first = flow->whole ? kr_carve_bytes(carve, most->lanes + 1, sizeof *room->first) : NULL;
    return (kr_rows){ .data = room->data, .width = slot->width, .room = room };
}

void kr_state_pass(kr_pass *pass, const krait_model *model, const krait_state *state, kr_carve *carve)
{
    const kr_layer *body = state_body(model);
    kr_extent       most = kr_state_extent(model, state), made = most;
    size_t          lanes = state->lanes, steps = lanes * state_steps(model, state);
    size_t          n_slots = model->flows.n_slots;

    if (model->root->type->children == KR_CHAIN)
        for (size_t i = 0; i < model->tail; i++)
            kr_layer_extent(model->root->children[i], &made);
    else
        kr_layer_extent(model->root, &made);
    pass->first = kr_carve_bytes(carve, lanes + 1, sizeof *pass->first);
    pass->awake = kr_carve_bytes(carve, lanes, sizeof *pass->awake);
    pass->where = kr_carve_bytes(carve, made.rows, sizeof *pass->where);
    pass->source = kr_carve_bytes(carve, steps, sizeof *pass->source);
    pass->tokens = kr_carve_bytes(carve, steps, sizeof *pass->tokens);
    pass->dt = kr_carve_floats(carve, steps, 1);
    pass->reset = kr_carve_bytes(carve, steps, 1);
    pass->body = kr_room_take(carve, kr_extent_sum(0, made.rows, body->out_width), &made, model->whole);
    pass->memory = kr_carve_bytes(carve, model->whole ? lanes : 0, model->along_bytes);
    pass->orders = kr_carve_bytes(carve, model->flows.n_inputs, sizeof *pass->orders);
    pass->marks = NULL;
    pass->input = pass->tile = NULL;
    pass->tile_rows = 0;
    if (model->flows.n_inputs)
        pass->marks = kr_carve_bytes(carve, kr_state_most_order(model, state), 1);
    pass->kept = kr_carve_bytes(carve, n_slots, sizeof *pass->kept);
    pass->rooms = kr_carve_bytes(carve, n_slots, sizeof *pass->rooms);
    for (size_t i = 0; i < n_slots; i++) {
        kr_room room;
        kr_rows kept = state_kept(&model->flows.slots[i], &most, steps, &room, carve);

        if (!carve->base)
            continue;
        pass->rooms[i] = room;
        pass->kept[i] = kept;
        pass->kept[i].room = &pass->rooms[i];
    }
    if (lanes > 1 || model->whole)
        pass->input = kr_carve_floats(carve, steps, model->in_width);
    if (lanes > 1 && !model->whole) {
        pass->tile_rows = kr_min(steps, STATE_TILE);
        pass->tile = kr_carve_floats(carve, pass->tile_rows, model->out_width);
    }
}

/* Numbers of the longest order that the caller can give for one sequence. */
size_t kr_state_most_order(const krait_model *model, const krait_state *state)
{
    size_t most = 0;

    for (size_t i = 0; i < model->flows.n_inputs; i++) {
        const kr_named *input = &model->flows.inputs[i];
        size_t          n = input->steps ? state_steps(model, state) : input->cells;

        most = n > most ? n : most;
    }
    return most;
}

static void state_scratch(const krait_model *model, const krait_state *header, kr_carve *carve)
{
    const kr_layer *root = model->root;
    kr_extent       most = kr_state_extent(model, header), made = most;
    kr_pass         pass;

    kr_state_pass(&pass, model, header, carve);
    if (root->type->children == KR_CHAIN) {
        kr_chain_scratch(root, 0, model->tail, &most, carve);
        for (size_t i = 0; i < model->tail; i++)
            kr_layer_extent(root->children[i], &made);
        kr_chain_scratch(root, model->tail, root->n_children, &made, carve);
    } else {
        kr_layer_scratch(root, &most, carve);
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
    header->max_steps = options->max_steps ? options->max_steps : (uint32_t)kr_min(model->most_steps, UINT32_MAX);
    if (header->lanes > INT32_MAX || (model->whole && header->max_steps == 0) ||
        !kr_mul_fits(header->lanes, state_steps(model, header), &rows) || rows > SIZE_MAX / 1024)
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

/* The layers that begin with other numbers than zeros, for each of 'cells' cells of a lane. */
static void state_begin(const kr_layer *layer, unsigned char *memory, size_t cells, size_t cell_bytes)
{
    if (layer->type->start && layer->memory_bytes && !layer->in.whole)
        for (size_t i = 0; i < cells; i++)
            kr_layer_begin(layer, (float *)(void *)(memory + i * cell_bytes + layer->memory), 0,
                           layer->memory_bytes / sizeof(float));
    if (layer->n_children && layer->children[0]->in.axis == layer) {
        memory += layer->memory;
        cells = kr_flow_cells(&layer->in);
        cell_bytes = layer->along_bytes;
    }
    for (size_t i = 0; i < layer->n_children; i++)
        state_begin(layer->children[i], memory, cells, cell_bytes);
}

void kr_state_begin(const krait_model *model, krait_state *state, size_t lane, size_t lanes)
{
    memset(kr_state_lane(model, state, lane), 0, lanes * model->lane_bytes);
    for (size_t i = lane; i < lane + lanes; i++)
        state_begin(model->root, kr_state_lane(model, state, i), 1, 0);
}

void kr_state_start(const krait_model *model, krait_state *state, const krait_state *header)
{
    *state = *header;
    memset(state + 1, 0, (size_t)(header->scratch - sizeof *state));
    kr_state_begin(model, state, 0, state->lanes);
}

/* ---- parts -------------------------------------------------------------------------------------- */

/* Number i of a lane's part, in the order of its shape: cell by cell if it has cells. */
float *kr_state_number(const krait_model *model, const krait_state *state, const kr_model_part *part,
                       size_t lane, size_t i)
{
    unsigned char *memory = kr_state_lane(model, state, lane) + part->offset;
    size_t         each = part->count / part->cells;

    if (part->cells > 1) {
        memory += i / each * part->cell_bytes;
        i %= each;
    }
    return (float *)(void *)memory + kr_part_index(&part->part, i);
}

void kr_state_read_part(const krait_model *model, const krait_state *state, const kr_model_part *part,
                        size_t lane, float *values)
{
    for (size_t i = 0; i < part->count; i++)
        values[i] = *kr_state_number(model, state, part, lane, i);
}

void kr_state_write_part(const krait_model *model, krait_state *state, const kr_model_part *part,
                         size_t lane, const float *values)
{
    for (size_t i = 0; i < part->count; i++)
        *kr_state_number(model, state, part, lane, i) = values[i];
}

uint64_t kr_state_hash_lane(const krait_model *model, const krait_state *state, size_t lane, uint64_t hash)
{
    for (size_t p = 0; p < model->n_parts; p++) {
        const kr_model_part *part = &model->parts[p];

        for (size_t i = 0; i < part->count; i++)
            hash = kr_hash_word(hash, kr_canonical_bits(*kr_state_number(model, state, part, lane, i)));
    }
    return hash;
}
