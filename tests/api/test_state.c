/* States: where they lie, what they hold, and how it is read, copied and set. */
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/tiny.h"
#include "test.h"

static krait_state_options state_options(uint32_t lanes, uint32_t chunk)
{
    return (krait_state_options){ .size = sizeof(krait_state_options), .lanes = lanes, .chunk = chunk };
}

/* ---- where states lie ---- */

TEST(state_place_uses_its_bytes)
{
    tiny               *t = tiny_make(&(tiny_sizes){ .vocabulary = 5 }, 1);
    krait_model        *model = tiny_model(t);
    krait_state_options options = state_options(3, 4);
    krait_state        *state = (krait_state *)1, *made = tiny_state(model, 3, 4);
    float               out[15], expected[15];
    size_t              bytes, data_bytes;
    unsigned char      *memory, *before, *data;

    CHECK_STATUS(krait_state_bytes(model, &options, &bytes), KRAIT_OK);
    before = malloc(bytes);
    memset(before, 0xa5, bytes);
    memory = tiny_aligned(before, bytes);
    CHECK_STATUS(krait_state_place(&state, model, &options, memory, bytes - 1), KRAIT_ERR_SPACE);
    CHECK(state == NULL);
    CHECK_STATUS(krait_state_place(&state, model, &options, memory, 0), KRAIT_ERR_SPACE);
    for (size_t by = 1; by < 64; by++)
        CHECK_STATUS(krait_state_place(&state, model, &options, memory + by, bytes), KRAIT_ERR_ALIGNMENT);
    CHECK_BYTES(memory, before, bytes);
    CHECK_STATUS(krait_state_place(&state, model, &options, memory, bytes), KRAIT_OK);
    CHECK((void *)state == memory);
    data = krait_state_data(state, &data_bytes);
    CHECK(data > memory && data + data_bytes <= memory + bytes && (uintptr_t)data % 64 == 0);
    for (size_t i = 0; i < data_bytes; i++)
        if (!CHECK_INT(data[i], 0))
            break;
    CHECK_U64(tiny_hash(model, state, KRAIT_ALL_LANES), tiny_hash(model, made, KRAIT_ALL_LANES));
    tiny_steps(model, state, 3, 5, 1, out);
    tiny_steps(model, made, 3, 5, 1, expected);
    CHECK_BYTES(out, expected, sizeof out);
    krait_state_destroy(made, NULL);
    krait_model_close(model);
    free(before);
    free(memory);
    tiny_free(t);
}

TEST(state_sizes)
{
    tiny        *t = tiny_make(&(tiny_sizes){ .vocabulary = 5 }, 1);
    krait_model *model = tiny_model(t);
    size_t       one, bytes, wide;
    krait_state_options options = state_options(1, 1);
    static const uint32_t absurd[][3] = {
        { 0x80000000u, 1, 1 }, { 0xffffffffu, 1, 1 }, { 0x7fffffffu, 0xffffffffu, 1 },
        { 0xffffffffu, 0xffffffffu, 0xffffffffu }, { 0x7fffffffu, 0x00ffffffu, 1 },
    };

    CHECK_STATUS(krait_state_bytes(model, NULL, &one), KRAIT_OK);
    CHECK_STATUS(krait_state_bytes(model, &options, &bytes), KRAIT_OK);
    CHECK_U64(bytes, one);
    options.chunk = 64;
    CHECK_STATUS(krait_state_bytes(model, &options, &wide), KRAIT_OK);
    CHECK(wide > one);
    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
        krait_state *state = (krait_state *)1;
        tiny_memory  memory;
        krait_status status;

        tiny_memory_start(&memory, 0, 0);
        memory.limit = 1 << 20;
        options.lanes = absurd[i][0];
        options.chunk = absurd[i][1];
        options.tasks = absurd[i][2];
        status = krait_state_create(&state, model, &options, &memory.allocator);
        CHECK(status == KRAIT_ERR_ARGUMENT || status == KRAIT_ERR_MEMORY);
        CHECK(state == NULL);
        CHECK(tiny_memory_end(&memory));
    }
    krait_model_close(model);
    tiny_free(t);
}

TEST(state_create_gives_back)
{
    tiny         *t = tiny_make(&(tiny_sizes){ .vocabulary = 5 }, 1);
    krait_model  *model = tiny_model(t);
    tiny_memory   memory;
    krait_state  *state;

    tiny_memory_start(&memory, 0, 0);
    CHECK_STATUS(krait_state_create(&state, model, NULL, &memory.allocator), KRAIT_OK);
    CHECK_U64(memory.calls, 1);
    tiny_steps(model, state, 1, 3, 1, NULL);
    CHECK_U64(memory.calls, 1);
    krait_state_destroy(state, &memory.allocator);
    CHECK(tiny_memory_end(&memory));
    krait_state_destroy(NULL, NULL);
    krait_model_close(model);
    tiny_free(t);
}

/* A block that was moved goes on; one that was changed anywhere in its header is refused. */
TEST(state_adopt)
{
    tiny               *t = tiny_make(&(tiny_sizes){ .vocabulary = 5 }, 1), *other;
    krait_model        *model = tiny_model(t), *stranger;
    krait_state_options options = state_options(2, 3);
    krait_state        *state = tiny_state(model, 2, 3), *moved = NULL;
    size_t              bytes;
    unsigned char      *block;
    float               out[10], expected[10];

    CHECK_STATUS(krait_state_bytes(model, &options, &bytes), KRAIT_OK);
    tiny_steps(model, state, 2, 4, 1, NULL);
    block = tiny_aligned(state, bytes);
    CHECK_STATUS(krait_state_adopt(&moved, model, block, bytes), KRAIT_OK);
    CHECK((void *)moved == block);
    CHECK_BYTES(block, state, bytes);
    CHECK_U64(tiny_hash(model, moved, KRAIT_ALL_LANES), tiny_hash(model, state, KRAIT_ALL_LANES));
    tiny_steps(model, state, 2, 4, 2, expected);
    tiny_steps(model, moved, 2, 4, 2, out);
    CHECK_BYTES(out, expected, sizeof out);

    for (size_t count = 0; count < bytes; count += count < 300 ? 1 : 61) {
        unsigned char *part = tiny_aligned(block, count);

        moved = (krait_state *)1;
        CHECK_STATUS(krait_state_adopt(&moved, model, part, count), KRAIT_ERR_SPACE);
        CHECK(moved == NULL);
        free(part);
    }
    for (size_t by = 1; by < 64; by++)
        CHECK_STATUS(krait_state_adopt(&moved, model, block + by, bytes - 64), KRAIT_ERR_ALIGNMENT);
    for (size_t bit = 0; bit < 8 * 88; bit++) {     /* the header: 7 + 3 + 1 words of 8 bytes */
        krait_status status;

        block[bit / 8] ^= (unsigned char)(1u << bit % 8);
        status = krait_state_adopt(&moved, model, block, bytes);
        test_note("bit %zu of byte %zu", bit % 8, bit / 8);
        CHECK(status == KRAIT_ERR_ARGUMENT && moved == NULL);
        block[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    test_note("%s", "");
    memset(block, 0, bytes);
    CHECK_STATUS(krait_state_adopt(&moved, model, block, bytes), KRAIT_ERR_ARGUMENT);
    free(block);

    other = tiny_make(&(tiny_sizes){ .vocabulary = 5, .states = 5 }, 1);
    stranger = tiny_model(other);
    CHECK_STATUS(krait_state_adopt(&moved, stranger, state, bytes), KRAIT_ERR_MODEL);
    CHECK(moved == NULL);
    krait_model_close(stranger);
    tiny_free(other);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    tiny_free(t);
}

/* A state outlives its model and goes on with another one of the same id. */
TEST(state_outlives_its_model)
{
    tiny        *t = tiny_make(&(tiny_sizes){ .vocabulary = 5 }, 1);
    krait_model *model = tiny_model(t);
    krait_state *state = tiny_state(model, 1, 1);
    float        out[5], expected[5];

    tiny_steps(model, state, 1, 4, 1, NULL);
    tiny_steps(model, state, 1, 1, 2, expected);
    CHECK_STATUS(krait_state_reset(model, state, 0), KRAIT_OK);
    tiny_steps(model, state, 1, 4, 1, NULL);
    krait_model_close(model);
    model = tiny_model(t);
    tiny_steps(model, state, 1, 1, 2, out);
    CHECK_BYTES(out, expected, sizeof out);
    krait_model_close(model);
    krait_state_destroy(state, NULL);
    tiny_free(t);
}

/* ---- what they hold ---- */

TEST(state_data_is_a_snapshot)
{
    tiny          *t = tiny_make(&(tiny_sizes){ .vocabulary = 5 }, 1);
    krait_model   *model = tiny_model(t);
    krait_state   *state = tiny_state(model, 2, 1), *wide = tiny_state(model, 2, 16);
    size_t         bytes, wide_bytes;
    unsigned char *data = krait_state_data(state, &bytes), *copy = malloc(bytes);
    float          out[10], expected[10];

    CHECK(krait_state_data(wide, &wide_bytes) != NULL && krait_state_data(state, NULL) == data);
    CHECK_U64(wide_bytes, bytes);
    tiny_steps(model, state, 2, 5, 1, NULL);
    memcpy(copy, data, bytes);
    tiny_steps(model, state, 2, 3, 2, expected);
    memcpy(krait_state_data(wide, NULL), copy, bytes);
    tiny_steps(model, wide, 2, 3, 2, out);
    CHECK_BYTES(out, expected, sizeof out);
    free(copy);
    krait_state_destroy(state, NULL);
    krait_state_destroy(wide, NULL);
    krait_model_close(model);
    tiny_free(t);
}

TEST(state_reset_by_lane)
{
    tiny        *t = tiny_make(&(tiny_sizes){ .vocabulary = 5 }, 1);
    krait_model *model = tiny_model(t);
    krait_state *state = tiny_state(model, 3, 1);
    uint64_t     empty = tiny_hash(model, state, 0), before[3];

    tiny_steps(model, state, 3, 5, 1, NULL);
    for (int32_t i = 0; i < 3; i++)
        CHECK((before[i] = tiny_hash(model, state, i)) != empty);
    CHECK_STATUS(krait_state_reset(model, state, 1), KRAIT_OK);
    CHECK_U64(tiny_hash(model, state, 0), before[0]);
    CHECK_U64(tiny_hash(model, state, 1), empty);
    CHECK_U64(tiny_hash(model, state, 2), before[2]);
    CHECK_STATUS(krait_state_reset(model, state, KRAIT_ALL_LANES), KRAIT_OK);
    for (int32_t i = 0; i < 3; i++)
        CHECK_U64(tiny_hash(model, state, i), empty);
    CHECK_STATUS(krait_state_reset(model, state, 3), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_reset(model, state, -2), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_reset(model, state, INT32_MAX), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_state_reset(model, state, INT32_MIN), KRAIT_ERR_ARGUMENT);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    tiny_free(t);
}

TEST(state_copy_between_lanes_and_chunks)
{
    tiny        *t = tiny_make(&(tiny_sizes){ .vocabulary = 5 }, 1);
    krait_model *model = tiny_model(t);
    krait_state *a = tiny_state(model, 3, 1), *b = tiny_state(model, 2, 9), *c = tiny_state(model, 3, 5);
    uint64_t     of_a[3], of_b[2], all;
    static const int32_t wrong[][2] = { { 2, 0 }, { 0, 3 }, { -2, 0 }, { 0, -2 }, { -1, 0 }, { 0, -1 },
                                        { -1, -1 }, { INT32_MAX, 0 }, { 0, INT32_MIN } };

    tiny_steps(model, a, 3, 5, 1, NULL);
    tiny_steps(model, b, 2, 5, 2, NULL);
    for (int32_t i = 0; i < 3; i++)
        of_a[i] = tiny_hash(model, a, i);
    for (int32_t i = 0; i < 2; i++)
        of_b[i] = tiny_hash(model, b, i);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_STATUS(krait_state_copy(model, b, wrong[i][0], a, wrong[i][1]), KRAIT_ERR_ARGUMENT);
    for (int32_t i = 0; i < 2; i++)
        CHECK_U64(tiny_hash(model, b, i), of_b[i]);
    CHECK_STATUS(krait_state_copy(model, b, 0, a, 2), KRAIT_OK);
    CHECK_U64(tiny_hash(model, b, 0), of_a[2]);
    CHECK_U64(tiny_hash(model, b, 1), of_b[1]);
    CHECK_STATUS(krait_state_copy(model, a, 0, a, 1), KRAIT_OK);        /* within one state */
    CHECK_U64(tiny_hash(model, a, 0), of_a[1]);
    CHECK_STATUS(krait_state_copy(model, a, 1, a, 1), KRAIT_OK);
    CHECK_U64(tiny_hash(model, a, 1), of_a[1]);
    all = tiny_hash(model, a, KRAIT_ALL_LANES);
    CHECK_STATUS(krait_state_copy(model, c, KRAIT_ALL_LANES, a, KRAIT_ALL_LANES), KRAIT_OK);
    CHECK_U64(tiny_hash(model, c, KRAIT_ALL_LANES), all);
    CHECK_STATUS(krait_state_copy(model, a, KRAIT_ALL_LANES, a, KRAIT_ALL_LANES), KRAIT_OK);
    CHECK_U64(tiny_hash(model, a, KRAIT_ALL_LANES), all);
    krait_state_destroy(a, NULL);
    krait_state_destroy(b, NULL);
    krait_state_destroy(c, NULL);
    krait_model_close(model);
    tiny_free(t);
}

/* Hashes look at every number of a lane, and at nothing else of the block. */
TEST(state_hash_looks_at_everything)
{
    tiny        *t = tiny_make(&(tiny_sizes){ .vocabulary = 5, .layers = 1, .inner = 3, .width = 2 }, 1);
    krait_model *model = tiny_model(t);
    krait_state *state = tiny_state(model, 2, 4);
    krait_part   part = { .size = sizeof part };
    size_t       bytes;
    uint64_t     empty = tiny_hash(model, state, 1);
    unsigned char *data;
    float        zeros[64] = { 0 };

    for (size_t i = 0; krait_part_info(model, i, &part) == KRAIT_OK; i++)
        for (size_t k = 0; k < part.shape[0] * part.shape[1]; k++) {
            zeros[k] = 1;
            CHECK_STATUS(krait_part_write(model, state, i, 1, zeros, part.shape[0] * part.shape[1]), KRAIT_OK);
            CHECK(tiny_hash(model, state, 1) != empty);
            CHECK_U64(tiny_hash(model, state, 0), empty);
            zeros[k] = 0;
            CHECK_STATUS(krait_part_write(model, state, i, 1, zeros, part.shape[0] * part.shape[1]), KRAIT_OK);
            CHECK_U64(tiny_hash(model, state, 1), empty);
        }
    data = krait_state_data(state, &bytes);
    memset(data + bytes, 0xff, 64);         /* scratch */
    CHECK_U64(tiny_hash(model, state, 1), empty);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    tiny_free(t);
}

/* ---- parts ---- */

TEST(state_parts_read_and_write)
{
    static const char *const names[] = { "layers.0.mixer.conv", "layers.0.mixer.ssm",
                                         "layers.1.mixer.conv", "layers.1.mixer.ssm" };
    static const uint64_t shapes[][2] = { { 3, 19 }, { 19, 5 } };
    tiny        *t = tiny_make(&(tiny_sizes){ .vocabulary = 5, .inner = 19, .states = 5 }, 1);
    krait_model *model = tiny_model(t);
    krait_state *state = tiny_state(model, 2, 1), *to = tiny_state(model, 2, 1);
    krait_part   part = { .size = sizeof part };
    float        values[128], back[128];
    uint64_t     other;

    tiny_steps(model, state, 2, 7, 1, NULL);
    for (size_t i = 0; i < 4; i++) {
        size_t count = (size_t)(shapes[i % 2][0] * shapes[i % 2][1]);

        CHECK_STATUS(krait_part_info(model, i, &part), KRAIT_OK);
        CHECK_STR(part.name, names[i]);
        CHECK_INT(part.dimensions, 2);
        CHECK_BYTES(part.shape, shapes[i % 2], 2 * sizeof part.shape[0]);
        CHECK_U64(part.shape[2] | part.shape[3], 0);
        for (int32_t lane = 0; lane < 2; lane++) {
            CHECK_STATUS(krait_part_read(model, state, i, lane, values, count), KRAIT_OK);
            CHECK_STATUS(krait_part_write(model, to, i, lane, values, count), KRAIT_OK);
            CHECK_STATUS(krait_part_read(model, to, i, lane, back, count), KRAIT_OK);
            CHECK_BYTES(back, values, count * sizeof *values);
        }
        other = tiny_hash(model, to, KRAIT_ALL_LANES);
        CHECK_STATUS(krait_part_read(model, state, i, 0, values, count - 1), KRAIT_ERR_ARGUMENT);
        CHECK_STATUS(krait_part_read(model, state, i, 0, values, count + 1), KRAIT_ERR_ARGUMENT);
        CHECK_STATUS(krait_part_read(model, state, i, 2, values, count), KRAIT_ERR_ARGUMENT);
        CHECK_STATUS(krait_part_read(model, state, i, KRAIT_ALL_LANES, values, count), KRAIT_ERR_ARGUMENT);
        CHECK_STATUS(krait_part_write(model, to, i, 0, values, count - 1), KRAIT_ERR_ARGUMENT);
        CHECK_STATUS(krait_part_write(model, to, i, 2, values, count), KRAIT_ERR_ARGUMENT);
        CHECK_STATUS(krait_part_write(model, to, i, -1, values, count), KRAIT_ERR_ARGUMENT);
        CHECK_U64(tiny_hash(model, to, KRAIT_ALL_LANES), other);
    }
    CHECK_U64(tiny_hash(model, to, KRAIT_ALL_LANES), tiny_hash(model, state, KRAIT_ALL_LANES));
    CHECK_STATUS(krait_part_info(model, 4, &part), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_part_info(model, SIZE_MAX, &part), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_part_read(model, state, 4, 0, values, 1), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(krait_part_write(model, state, 4, 0, values, 1), KRAIT_ERR_ARGUMENT);
    krait_state_destroy(state, NULL);
    krait_state_destroy(to, NULL);
    krait_model_close(model);
    tiny_free(t);
}

/* A window's rows are oldest first: the inputs of the last three steps, in their order. */
TEST(state_window_is_oldest_first)
{
    static const char description[] =
        "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":2},"
        "\"tree\":{\"sequence\":[{\"conv\":{\"name\":\"c\",\"taps\":4}}]}}";
    static const float weights[8] = { 0 };
    krait_tensor       tensor = { "c.weight", weights, sizeof weights, { 2, 4 }, 2, KRAIT_F32 };
    krait_model       *model = NULL;
    krait_state       *state;
    krait_part         part = { .size = sizeof part };
    float              values[6];

    CHECK_STATUS(krait_model_create(&model, description, &tensor, 1, NULL, NULL), KRAIT_OK);
    CHECK_OR_RETURN(model != NULL);
    state = tiny_state(model, 1, 1);
    for (int i = 1; i <= 5; i++)
        CHECK_STATUS(krait_step(model, state, (float[]){ (float)i, (float)-i }, NULL), KRAIT_OK);
    CHECK_STATUS(krait_part_info(model, 0, &part), KRAIT_OK);
    CHECK_STR(part.name, "c.window");
    CHECK_STATUS(krait_part_read(model, state, 0, 0, values, 6), KRAIT_OK);
    CHECK_BYTES(values, ((float[]){ 3, -3, 4, -4, 5, -5 }), sizeof values);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}
