/*
 * program.c - a program of an older release: check.sh compiles it against each recorded krait.h and
 * runs it with the library of now.  It gives every struct of 0.1 to the library and looks at every field
 * that comes back; what a later krait.h adds stands behind its version.  C11, from the top folder.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"

static int failures;

#define CHECK(what)                                                  \
    do {                                                             \
        if (!(what)) {                                               \
            printf("program.c:%d: not so: %s\n", __LINE__, #what);   \
            failures++;                                              \
        }                                                            \
    } while (0)

/* ---- what the caller lends ------------------------------------------------------------- */

struct purse { int blocks, tasks, warnings; uint64_t total; };

static void *lend(void *user, size_t bytes, size_t alignment)
{
    ((struct purse *)user)->blocks++;
    return alignment < sizeof(void *) ? malloc(bytes) : aligned_alloc(alignment, (bytes + 63) & ~(size_t)63);
}

static void take_back(void *user, void *block, size_t bytes, size_t alignment)
{
    (void)bytes;
    (void)alignment;
    ((struct purse *)user)->blocks--;
    free(block);
}

static void in_turn(void *user, krait_task_fn task, void *argument, size_t count)
{
    ((struct purse *)user)->tasks += (int)count;
    for (size_t i = 0; i < count; i++)
        task(argument, i);
}

static int32_t note_total(void *user, uint64_t done, uint64_t total)
{
    (void)done;
    ((struct purse *)user)->total = total;
    return 0;
}

static void note_warning(void *user, const char *text)
{
    ((struct purse *)user)->warnings += text[0] != '\0';
}

/* ---- rows ------------------------------------------------------------------------------ */

/* in -> put "in" -> running mean -> weight 1 2 */
static krait_model *small_model(const krait_open_options *options)
{
    static const char  tree[] = "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":2},"
                                "\"tree\":{\"sequence\":[{\"put\":{\"as\":\"in\"}},{\"pool\":{\"kind\":\"mean\"}},"
                                "{\"linear\":{\"width\":1,\"weights\":{\"weight\":\"w\"}}}]}}";
    static const float weight[2] = { 1, 2 };
    krait_tensor       tensor = { "w", weight, sizeof weight, { 1, 2, 0, 0 }, 2, KRAIT_F32 };
    krait_model       *model;
    krait_message      why;
    int64_t            width = 0;

    CHECK(krait_model_create(&model, tree, &tensor, 1, options, &why) == KRAIT_OK);
    CHECK(why.text[0] == '\0');
    CHECK(krait_model_get(model, KRAIT_IN_WIDTH, &width) == KRAIT_OK && width == 2);
    CHECK(krait_model_get(model, KRAIT_OUT_WIDTH, &width) == KRAIT_OK && width == 1);
    CHECK(krait_model_tensor(model, 0, &tensor) == KRAIT_OK && strcmp(tensor.name, "w") == 0);
    CHECK(tensor.shape[0] == 1 && tensor.shape[1] == 2 && tensor.dimensions == 2 && tensor.type == KRAIT_F32);
    CHECK(krait_model_id(model) != 0);
    return model;
}

static void names(const krait_model *model)
{
    krait_slot_info slot = { sizeof slot, NULL, 0, 0, 0 };
    krait_part      part = { sizeof part, NULL, { 0 }, 0, 0 };

    CHECK(krait_model_slot(model, 0, &slot) == KRAIT_OK && strcmp(slot.name, "in") == 0);
    CHECK(slot.width == 2 && slot.kind == KRAIT_SLOT_ROWS);
    CHECK(krait_part_info(model, 0, &part) == KRAIT_OK && part.name && part.dimensions >= 1);
}

/* Two lanes, three rows, the second lane shorter and its second row no number, on two tasks. */
static void rows(const krait_model *model, struct purse *purse)
{
    static const float    x[12] = { 1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 0, 0 };
    static const uint32_t lengths[2] = { 3, 2 };
    static const uint8_t  resets[6] = { 0, 0, 1, 0, 0, 0 };
    krait_allocator       allocator = { NULL, lend, take_back };
    krait_state_options   options = { sizeof options, 2, 1, 2, 0, 0, 0 };
    krait_state          *state;
    float                 out[6] = { 0 }, kept[12] = { 0 }, values[12];
    uint8_t               held[6] = { 9, 9, 9, 9, 9, 9 };
    uint32_t              counts[2] = { 0, 0 };
    krait_slot            slot = { "in", kept, 12, 0, 0 };
    krait_input           in;
    krait_output          to;

    memcpy(values, x, sizeof x);
    values[8] = values[8] - values[8];
    values[8] /= values[8];                 /* NaN */
    allocator.user = purse;
    memset(&in, 0, sizeof in);
    in.size = sizeof in;
    in.steps = 3;
    in.features = values;
    in.reset = resets;
    in.lengths = lengths;
    in.parallel = in_turn;
    in.parallel_user = purse;
    in.progress = note_total;
    in.progress_user = purse;
    in.mode = KRAIT_RECURRENT;
    in.nan_policy = KRAIT_NAN_HOLD;
    memset(&to, 0, sizeof to);
    to.size = sizeof to;
    to.rows = out;
    to.capacity = 6;
    to.which = KRAIT_ROWS_ALL;
    to.mode_used = -1;
    to.held = held;
    to.counts = counts;
    to.slots = &slot;
    to.slot_count = 1;
    CHECK(krait_state_create(&state, model, &options, &allocator) == KRAIT_OK && purse->blocks > 0);
    CHECK(krait_run(model, state, &in, &to, NULL) == KRAIT_OK);
    CHECK(to.mode_used == KRAIT_RECURRENT && to.steps_done == 3 && to.stride == 3);
    CHECK(counts[0] == 3 && counts[1] == 1 && held[0] == 0 && held[3] == 0 && held[4] == 1);
    CHECK(out[0] == 5 && out[1] == 8 && out[2] == 17 && out[3] == 50);
    CHECK(slot.width == 2 && slot.stride == 3 && kept[4] == 5 && kept[7] == 20);
    CHECK(purse->total == 3);
    krait_state_destroy(state, &allocator);
    CHECK(purse->blocks == 0);
}

/* A whole sequence in an order that the call brings. */
static void orders(void)
{
    static const char    tree[] = "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":1},"
                                  "\"tree\":{\"permute\":{\"input\":\"way\",\"of\":{\"conv\":{\"taps\":2,"
                                  "\"weights\":{\"weight\":\"w\"}}}}}}";
    static const float   x[3] = { 1, 2, 3 };
    static const int32_t way[3] = { 2, 0, 1 };
    static const float   weight[2] = { 1, 2 };
    krait_tensor         tensor = { "w", weight, sizeof weight, { 1, 2, 0, 0 }, 2, KRAIT_F32 };
    krait_state_options  options = { sizeof options, 1, 1, 1, 0, 3, 0 };
    krait_order          order = { "way", way, 3 };
    krait_model         *model;
    krait_state         *state;
    krait_message        why;
    krait_input          in;
    krait_output         to;
    float                out[3] = { 0 };

    if (krait_model_create(&model, tree, &tensor, 1, NULL, &why) != KRAIT_OK) {
        puts(why.text);
        failures++;
        return;
    }
    CHECK(krait_state_create(&state, model, &options, NULL) == KRAIT_OK);
    memset(&in, 0, sizeof in);
    in.size = sizeof in;
    in.steps = 3;
    in.features = x;
    in.orders = &order;
    in.order_count = 1;
    memset(&to, 0, sizeof to);
    to.size = sizeof to;
    to.rows = out;
    to.capacity = 3;
    CHECK(krait_run(model, state, &in, &to, &why) == KRAIT_OK);
    CHECK(out[0] == 5 && out[1] == 5 && out[2] == 6);       /* of 3 1 2: the one before and twice itself */
    order.count = 2;
    CHECK(krait_run(model, state, &in, &to, &why) == KRAIT_ERR_ARGUMENT && why.text[0]);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

/* ---- text ------------------------------------------------------------------------------ */

static void text(void)
{
    static float         logits[256];
    krait_sample_options choice = { sizeof choice, 0.8f, 0.9f, 0.01f, 1.1f, 40, 0, NULL, 0 };
    krait_token_info     info = { sizeof info, NULL, 0, 0, 0 };
    krait_decoder        decoder = { { 0 }, 0, 0, { 0 } };
    krait_rng            rng;
    krait_model         *model;
    krait_state         *state;
    krait_message        why;
    uint64_t             before, after;
    int32_t              token = 'O';
    size_t               count = 0;
    char                 out[8];

    if (krait_model_open(&model, "examples/models/mamba-novels.gguf", NULL, &why) != KRAIT_OK) {
        puts(why.text);
        failures++;
        return;
    }
    CHECK(krait_state_create(&state, model, NULL, NULL) == KRAIT_OK);
    krait_rng_seed(&rng, 1);
    choice.recent = &token;
    choice.recent_count = 1;
    for (int i = 0; i < 20; i++) {
        CHECK(krait_step_tokens(model, state, &token, logits) == KRAIT_OK);
        CHECK(krait_sample(logits, 256, &choice, &rng, &token) == KRAIT_OK && token >= 0 && token < 256);
    }
    CHECK(krait_tokenizer_token(krait_model_tokenizer(model), 'A', &info) == KRAIT_OK);
    CHECK(info.count == 1 && info.bytes[0] == 'A');
    CHECK(krait_tokenizer_next(krait_model_tokenizer(model), &decoder, 0xc3, 0, out, 8, &count) == KRAIT_OK);
    CHECK(count == 0 && decoder.count == 1 && decoder.held[0] == 0xc3);
    CHECK(krait_state_hash(model, state, 0, &before) == KRAIT_OK);
    CHECK(krait_state_copy(model, state, KRAIT_ALL_LANES, state, KRAIT_ALL_LANES) == KRAIT_OK);
    CHECK(krait_state_hash(model, state, 0, &after) == KRAIT_OK && before == after);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

/* ---- files ----------------------------------------------------------------------------- */

static void files(struct purse *purse)
{
    krait_convert_options   options;
    krait_tokenizer_options lent;
    krait_allocator         allocator = { NULL, lend, take_back };
    krait_tokenizer        *tokenizer;
    krait_message           why;

    allocator.user = purse;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.max_bytes = 1;
    options.allocator = &allocator;
    options.progress = note_total;
    options.progress_user = purse;
    options.warn = note_warning;
    options.warn_user = purse;
    options.type = KRAIT_Q8_0;
    options.layout = KRAIT_LAYOUT_PANELS;
    options.flags = KRAIT_OPEN_READ;
    CHECK(krait_convert("examples/models/s5-har.safetensors", "/dev/null/none", &options, &why) < 0);
    memset(&lent, 0, sizeof lent);
    lent.size = sizeof lent;
    lent.max_bytes = 1;
    lent.allocator = &allocator;
    CHECK(krait_tokenizer_open(&tokenizer, "examples/models/mamba-novels.gguf", &lent, &why) ==
          KRAIT_ERR_MEMORY);
    CHECK(purse->blocks == 0);
}

int main(void)
{
    struct purse       purse = { 0, 0, 0, 0 };
    krait_allocator    allocator = { NULL, lend, take_back };
    krait_open_options options;
    krait_model       *model;

    CHECK(krait_abi() == KRAIT_ABI);
    allocator.user = &purse;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.max_bytes = 1 << 20;
    options.allocator = &allocator;
    options.progress = note_total;
    options.progress_user = &purse;
    options.warn = note_warning;
    options.warn_user = &purse;
    options.flags = KRAIT_OPEN_CHECK | KRAIT_OPEN_PLAIN;
    model = small_model(&options);
    CHECK(purse.blocks > 0);
    names(model);
    krait_model_close(model);
    CHECK(purse.blocks == 0);
    model = small_model(NULL);
    rows(model, &purse);
    krait_model_close(model);
    orders();
    text();
    files(&purse);
    return failures != 0;
}
