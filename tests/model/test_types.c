/*
 * test_types.c - blocks of every type beside what ggml's own package makes of them (tests/golden/make_blocks.py), where
 * rows of files and panels are read as floats; and the blocks that numbers become.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/panels.h"
#include "core/real.h"
#include "formats/package.h"
#include "kernels/pack.h"
#include "model/encode.h"
#include "model/model.h"
#include "support/random.h"
#include "support/tiny.h"
#include "test.h"

static const int32_t types[] = { KRAIT_Q4_0, KRAIT_Q4_1, KRAIT_Q5_0, KRAIT_Q5_1, KRAIT_Q8_0, KRAIT_Q2_K, KRAIT_Q3_K,
                                 KRAIT_Q4_K, KRAIT_Q5_K, KRAIT_Q6_K };

enum { TYPES = sizeof types / sizeof *types };

/* ---- reading ----------------------------------------------------------------------------------- */

static void same_numbers(const float *x, const unsigned char *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float wanted = kr_float_of(kr_load_u32(expected + 4 * i));

        if (!CHECK_U64(kr_canonical_bits(x[i]), kr_canonical_bits(wanted)))
            return;
    }
}

/* Blocks as they stand, from any number to any other. */
static void read_rows(const kr_source *blocks, const unsigned char *expected, int32_t type, size_t count)
{
    float *x = malloc(count * sizeof *x);

    for (size_t from = 0; from < count; from += from < 40 ? 13 : 311)
        for (size_t n = 1; n <= count - from; n = n < 40 ? n + 19 : 3 * n) {
            test_note("%s, %zu numbers from %zu", blocks->name, n, from);
            kr_source_floats(type, blocks->data, from, n, x);
            same_numbers(x, expected + 4 * from, n);
        }
    free(x);
}

/* The same as rows of a matrix of one block each, in panels. */
static void read_panels(const kr_source *blocks, const unsigned char *expected, int32_t type)
{
    size_t         outputs = (size_t)blocks->shape[0], inputs = kr_layout_of(type).inputs;
    kr_matrix      w = { NULL, outputs, inputs, type };
    uint64_t       bytes = 0;
    unsigned char *panels;
    float          row[256];

    CHECK_OR_RETURN(kr_panels_bytes(type, outputs, inputs, &bytes));
    panels = malloc((size_t)bytes);
    kr_pack_rows(&w, panels, blocks->data, 0, outputs);
    w.data = panels;
    for (size_t o = 0; o < outputs; o++) {
        test_note("%s, row %zu of panels", blocks->name, o);
        kr_pack_read_row(&w, o, row);
        same_numbers(row, expected + 4 * o * inputs, inputs);
    }
    free(panels);
}

TEST(types_are_ggml_s_numbers)
{
    kr_memory      memory = { 0 };
    kr_arena       arena;
    kr_package     package;
    size_t         count;
    unsigned char *bytes = tiny_read(test_data("tests/golden/blocks.safetensors"), &count);
    krait_message  message = { "" };

    CHECK_OR_RETURN(bytes);
    kr_memory_start(&memory, NULL, 0);
    kr_arena_start(&arena, &memory);
    CHECK_STATUS(kr_package_read(&package, bytes, count, "blocks", &arena, &message), KRAIT_OK);
    for (size_t i = 0; i < TYPES; i++) {
        char             name[32];
        const kr_source *blocks, *numbers;

        snprintf(name, sizeof name, "%s.blocks", kr_type_name(types[i]));
        blocks = kr_package_find(&package, name);
        snprintf(name, sizeof name, "%s.numbers", kr_type_name(types[i]));
        numbers = kr_package_find(&package, name);
        if (!CHECK(blocks && numbers && blocks->shape[1] == kr_layout_of(types[i]).file &&
                   numbers->bytes == 4 * blocks->shape[0] * kr_layout_of(types[i]).inputs))
            continue;
        read_rows(blocks, numbers->data, types[i], (size_t)(numbers->bytes / 4));
        read_panels(blocks, numbers->data, types[i]);
    }
    test_note("%s", "");
    kr_arena_free(&arena);
    free(bytes);
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* A block's bytes from its integers: what was read, bit for bit. */
TEST(types_codes_go_both_ways)
{
    kr_random random = kr_random_from(3);

    for (size_t i = 0; i < TYPES; i++)
        for (int round = 0; round < 50; round++) {
            kr_layout     t = kr_layout_of(types[i]);
            kr_codes      codes[8];
            unsigned char block[256], again[256];

            if (kr_encode_limit(types[i]) == 0)
                continue;
            for (size_t k = 0; k < t.file; k++)
                block[k] = (unsigned char)kr_random_u32(&random);
            for (size_t b = 0; b < t.inputs / KR_BLOCK; b++)
                kr_codes_read(&t, block, b, codes + b);
            kr_encode_codes(&t, codes, again);
            test_note("%s", kr_type_name(types[i]));
            CHECK_BYTES(again, block, t.file);
        }
    test_note("%s", "");
}

/* Sums of four are close to normal numbers, as weights are; 'wide' ones differ in size from run to run. */
static void weights_like(kr_random *random, float *x, size_t count, float scale, int wide)
{
    for (size_t k = 0; k < count; k++) {
        float sum = 0;

        for (int i = 0; i < 4; i++)
            sum += kr_random_unit(random);
        x[k] = sum * scale * (wide ? 1.0f + (float)(k / 32 % 5) : 1.0f);
    }
}

static double error_of(const kr_layout *t, const float *x, const unsigned char *block)
{
    float  y[256];
    double error = 0, size = 0;

    kr_source_floats(t->type, block, 0, t->inputs, y);
    for (size_t k = 0; k < t->inputs; k++) {
        error += ((double)x[k] - y[k]) * ((double)x[k] - y[k]);
        size += (double)x[k] * x[k];
    }
    return size > 0 ? sqrt(error / size) : sqrt(error);
}

/* Root mean square errors of numbers like weights; ggml's own way has 0.08, 0.073, 0.041, 0.036 and 0.0045 for blocks of 32. */
TEST(types_written_are_close)
{
    static const struct { int32_t type; double bound; } cases[] = {
        { KRAIT_Q4_0, 0.082 },  { KRAIT_Q4_1, 0.074 },  { KRAIT_Q5_0, 0.041 },  { KRAIT_Q5_1, 0.036 },
        { KRAIT_Q8_0, 0.0055 }, { KRAIT_Q4_K, 0.075 },  { KRAIT_Q5_K, 0.038 },  { KRAIT_Q6_K, 0.019 },
    };
    static const float scales[] = { 1e-3f, 0.05f, 1.0f, 900.0f };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int s = 0; s < 8; s++) {
            kr_random random = kr_random_from(11);
            kr_layout t = kr_layout_of(cases[i].type);
            double    square = 0;

            for (int round = 0; round < 100; round++) {
                float         x[256];
                unsigned char block[256];
                double        error;

                weights_like(&random, x, t.inputs, scales[s / 2], s % 2);
                kr_encode_block(&t, x, block);
                error = error_of(&t, x, block);
                square += error * error / 100;
            }
            test_note("%s, numbers of %g", kr_type_name(t.type), (double)scales[s / 2]);
            if (!CHECK(sqrt(square) < cases[i].bound))
                printf("%s %g: %g\n", kr_type_name(t.type), (double)scales[s / 2], sqrt(square));
        }
    test_note("%s", "");
}

/* What has no spread or no size, and the largest numbers: finite, and as near as the block allows. */
TEST(types_written_of_odd_numbers)
{
    static const float values[] = { 0.0f, -0.0f, 1e-45f, 1e-30f, 6e-8f, 1e-4f, 1.0f, -1.0f, 3.5f, -2e4f, 65504.0f, -65504.0f };
    kr_random          random = kr_random_from(5);

    for (size_t i = 0; i < TYPES; i++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++)
            for (int way = 0; way < 4; way++) {
                kr_layout     t = kr_layout_of(types[i]);
                float         x[256], y[256];
                unsigned char block[256];

                if (kr_encode_limit(types[i]) == 0)
                    continue;
                for (size_t k = 0; k < t.inputs; k++)       /* all alike; one; signs; signs by chance, and sizes */
                    x[k] = way == 0   ? values[v]
                           : way == 1 ? (k == 7 ? values[v] : 0)
                           : way == 2 ? (k % 2 ? -values[v] : values[v])
                                      : kr_random_unit(&random) * values[v];
                kr_encode_block(&t, x, block);
                kr_source_floats(t.type, block, 0, t.inputs, y);
                test_note("%s, %g, way %d", kr_type_name(t.type), (double)values[v], way);
                for (size_t k = 0; k < t.inputs; k++)
                    if (!CHECK_CLOSE(y[k], x[k], 0.14 * fabs((double)values[v]) + 7e-7))
                        break;
            }
    test_note("%s", "");
}
