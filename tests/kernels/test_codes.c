/*
 * test_codes.c - weights that are codes with shared scales: what blocks of files say, products in every table against
 * plain C, plain C against double.
 *
 * Outputs lie between guards; matrices end within a vector, a panel, a strip; scales are of either sign, zero, large
 * and small, now and then infinite or NaN; codes and activations are now and then the extremes.
 */
#include "kernels/codes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/panels.h"
#include "core/real.h"
#include "kernels/pack.h"
#include "support/random.h"
#include "test.h"

enum { GUARD = 16 };

static const char *const tables[] = { "avx512", "avx2", "neon_dot", "neon" };

static const struct block_type {
    const char *name;
    int32_t     type;
    size_t      halves[2];      /* where a file's block has them; the same twice: one */
    uint64_t    floats, product;        /* hashes below */
} types[] = {
    { "Q8_0", KRAIT_Q8_0, { 0, 0 }, 0x71baf84c5420d577ull, 0xa007e904aabb0efull },
    { "Q4_0", KRAIT_Q4_0, { 0, 0 }, 0x1e46bab67477a78aull, 0xcad13499ec1883bfull },
    { "Q4_1", KRAIT_Q4_1, { 0, 2 }, 0xca1893ab2dc0fe4dull, 0xa4a100658b3ddc45ull },
    { "Q5_0", KRAIT_Q5_0, { 0, 0 }, 0x867becd2daa62bd8ull, 0x180c4285f256b7a9ull },
    { "Q5_1", KRAIT_Q5_1, { 0, 2 }, 0xdb56ffe6b28459dfull, 0x23c5c7cfd5014473ull },
    { "Q2_K", KRAIT_Q2_K, { 80, 82 }, 0x287c3c9ac26e1f29ull, 0x6908d1f29d8bb36cull },
    { "Q3_K", KRAIT_Q3_K, { 108, 108 }, 0x325a25d67fde802ull, 0xdf7a96be0713f93bull },
    { "Q4_K", KRAIT_Q4_K, { 0, 2 }, 0x14b1884280412360ull, 0x16cda9f41dc175c0ull },
    { "Q5_K", KRAIT_Q5_K, { 0, 2 }, 0xe46e5a5e2f3469b6ull, 0x210bc30805a1bf7aull },
    { "Q6_K", KRAIT_Q6_K, { 208, 208 }, 0xc8798348dc2b942aull, 0x3f444185d1a659d8ull },
};

enum { TYPES = sizeof types / sizeof *types };

/* How random weights are: any, extreme codes and scales, any with scales that are not finite here and there. */
enum { ORDINARY, EXTREME, WILD, KINDS };

static uint16_t random_half(kr_random *random, int kind)
{
    uint32_t choice = kr_random_u32(random) % 64;

    if (kind == WILD && choice < 2)
        return choice ? 0x7c00u : 0x7e00u;
    if (choice < 8)
        return choice < 4 ? (uint16_t)(choice << 14) : (uint16_t)choice;         /* zeros, 2, -2, subnormals */
    return kr_half_of_float(kr_random_unit(random));
}

static unsigned char *random_rows(kr_random *random, const struct block_type *type, size_t outputs, size_t inputs,
                                  int kind)
{
    kr_layout      t = kr_layout_of(type->type);
    size_t         blocks = outputs * (inputs / t.inputs);
    unsigned char *rows = malloc(blocks * t.file);

    for (size_t i = 0; i < blocks; i++) {
        unsigned char *block = rows + i * t.file;
        uint32_t       extreme = kr_random_u32(random) % 3;

        for (size_t k = 0; k < t.file; k++)
            block[k] = kind != EXTREME || extreme == 2 ? (unsigned char)kr_random_u32(random)
                       : extreme ? 0xff : t.type == KRAIT_Q8_0 || t.type == KRAIT_Q6_K ? 0x80 : 0;
        for (size_t h = 0; h < 2; h++)
            kr_store_u16(block + type->halves[h], random_half(random, kind));
    }
    return rows;
}

/* In panels, aligned to 64; *room is to be freed. */
static kr_matrix panels_of(const struct block_type *type, const unsigned char *rows, size_t outputs, size_t inputs,
                           void **room)
{
    kr_matrix      w = { NULL, outputs, inputs, type->type };
    uint64_t       bytes = 0;
    unsigned char *panels;

    CHECK(kr_panels_bytes(type->type, outputs, inputs, &bytes));
    *room = malloc((size_t)bytes + 64);
    panels = (unsigned char *)*room + (64 - (uintptr_t)*room % 64) % 64;
    kr_pack_rows(&w, panels, rows, 0, outputs);
    w.data = panels;
    return w;
}

static float *some_floats(kr_random *random, size_t count, int kind)
{
    float *x = malloc((count + 2 * GUARD) * sizeof *x);

    for (size_t i = 0; i < count + 2 * GUARD; i++)
        x[i] = kind == EXTREME ? (kr_random_u32(random) % 2 ? 1.0f : -1.0f) : kr_random_unit(random);
    if (kind == WILD && count > 200)
        x[GUARD + 100] = kr_float_of(0x7f800000u), x[GUARD + 200] = 0;
    return x + GUARD;
}

static int same(const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count + 2 * GUARD; i++)
        if (kr_canonical_bits(a[i - GUARD]) != kr_canonical_bits(b[i - GUARD]))
            return 0;
    return 1;
}

/* ---- every table against plain C ------------------------------------------------------------- */

static void compare(const kr_kernels *k, kr_random *random, const struct block_type *type, size_t outputs,
                    size_t inputs, size_t rows, int kind)
{
    void          *room;
    unsigned char *file = random_rows(random, type, outputs, inputs, kind);
    kr_matrix      w = panels_of(type, file, outputs, inputs, &room);
    size_t         stride = outputs + 3, count = rows * stride;
    float         *x = some_floats(random, rows * inputs, kind), *bias = some_floats(random, outputs, ORDINARY);
    float         *y = some_floats(random, count, ORDINARY), *expected = malloc((count + 2 * GUARD) * sizeof *y);
    kr_q8         *q = malloc(rows * (inputs / KR_BLOCK) * sizeof *q);
    kr_product     p = { &w, rows % 2 ? bias : NULL, NULL, 0, q, y, stride, rows };

    memcpy(expected, y - GUARD, (count + 2 * GUARD) * sizeof *y);
    kr_kernels_plain.quantize(q, x, inputs, rows, inputs);
    kr_kernels_product(k, &p);
    p.y = expected + GUARD;
    kr_kernels_product(&kr_kernels_plain, &p);
    test_note("%s: %s, %zu x %zu, %zu rows, kind %d", k->name, type->name, outputs, inputs, rows, kind);
    CHECK(same(y, p.y, count));
    test_note("%s", "");
    free(room), free(file), free(q), free(expected);
    free(x - GUARD), free(bias - GUARD), free(y - GUARD);
}

/* Every kernel table for one type. */
static void compare_all(const struct block_type *type)
{
    static const size_t outputs[] = { 1, 15, 16, 17, 33, 48, 63, 64, 65, 100, 144 };
    static const size_t blocks[] = { 1, 2, 3, 8, 9, 17 };
    size_t              ran = 0;

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const kr_kernels *k = kr_kernels_named(tables[i]);
        kr_random         random = kr_random_from(31 + (uint64_t)type->type);

        if (!k)
            continue;
        ran++;
        for (size_t o = 0; o < sizeof outputs / sizeof *outputs; o++)
            for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
                for (size_t rows = 1; rows <= 13; rows += rows < 7 ? 1 : 6) {
                    size_t inputs = blocks[b] * kr_layout_of(type->type).inputs;

                    if (inputs < 1000)
                        compare(k, &random, type, outputs[o], inputs, rows, (int)(o + b + rows) % KINDS);
                }
    }
    if (ran == 0)
        SKIP("this CPU has no vector kernels");
}

TEST(kernels_q8_0_equals_plain) { compare_all(&types[0]); }
TEST(kernels_q4_0_equals_plain) { compare_all(&types[1]); }
TEST(kernels_q4_1_equals_plain) { compare_all(&types[2]); }
TEST(kernels_q5_0_equals_plain) { compare_all(&types[3]); }
TEST(kernels_q5_1_equals_plain) { compare_all(&types[4]); }
TEST(kernels_q2_k_equals_plain) { compare_all(&types[5]); }
TEST(kernels_q3_k_equals_plain) { compare_all(&types[6]); }
TEST(kernels_q4_k_equals_plain) { compare_all(&types[7]); }
TEST(kernels_q5_k_equals_plain) { compare_all(&types[8]); }
TEST(kernels_q6_k_equals_plain) { compare_all(&types[9]); }

/* ---- plain C against double ------------------------------------------------------------------- */

/* The bound grows with what is summed: a rounding of a scale and one of an fma for each block, of minima likewise. */
static void compare_with_double(const struct block_type *type, kr_random *random)
{
    enum { OUTPUTS = 70, INPUTS = 1024, BLOCKS = INPUTS / KR_BLOCK };
    void          *room;
    unsigned char *file = random_rows(random, type, OUTPUTS, INPUTS, ORDINARY);
    kr_matrix      w = panels_of(type, file, OUTPUTS, INPUTS, &room);
    float         *x = some_floats(random, INPUTS, ORDINARY), y[OUTPUTS], row[INPUTS];
    kr_q8          q[BLOCKS];
    kr_product     p = { &w, NULL, NULL, 0, q, y, OUTPUTS, 1 };

    kr_kernels_plain.quantize(q, x, INPUTS, 1, INPUTS);
    kr_kernels_product(&kr_kernels_plain, &p);
    for (size_t o = 0; o < OUTPUTS; o++) {
        double sum = 0, size = 0;

        kr_pack_read_row(&w, o, row);
        for (size_t k = 0; k < INPUTS; k++) {
            double term = (double)row[k] * (double)q[k / KR_BLOCK].scale * q[k / KR_BLOCK].q[k % KR_BLOCK];

            sum += term;
            size += fabs(term);
        }
        test_note("%s, output %zu", type->name, o);
        CHECK_CLOSE((double)y[o], sum, size * (type->halves[0] == type->halves[1] ? 4e-7 : 4e-6));
    }
    test_note("%s", "");
    free(room), free(file), free(x - GUARD);
}

TEST(blocks_products_are_close)
{
    kr_random random = kr_random_from(41);

    for (size_t t = 0; t < TYPES; t++)
        compare_with_double(&types[t], &random);
}

/* ---- recorded ----------------------------------------------------------------------------------- */

/*
 * Blocks of counted bytes, as floats: what gguf 0.19's dequantize() makes of them; and a product of theirs, as it was
 * when the type came.
 */
static void compare_with_recorded(const struct block_type *type)
{
    enum { OUTPUTS = 20, INPUTS = 512, BLOCKS = INPUTS / KR_BLOCK };
    kr_layout      t = kr_layout_of(type->type);
    size_t         count = OUTPUTS * (INPUTS / t.inputs);
    unsigned char *file = malloc(count * t.file);
    void          *room;
    float          row[INPUTS], x[INPUTS], y[OUTPUTS];
    kr_q8          q[BLOCKS];
    uint64_t       hash = KR_HASH_START;
    kr_product     p = { NULL, NULL, NULL, 0, q, y, OUTPUTS, 1 };
    kr_matrix      w;

    for (size_t i = 0; i < count * t.file; i++)
        file[i] = (unsigned char)(i * 40503u >> 5);
    for (size_t i = 0; i < count; i++)
        for (size_t h = 0; h < 2; h++)
            kr_store_u16(file + i * t.file + type->halves[h], (uint16_t)(0x2c01u + 37 * (i + 3 * h) % 2048));
    w = panels_of(type, file, OUTPUTS, INPUTS, &room);
    for (size_t o = 0; o < OUTPUTS; o++) {
        kr_pack_read_row(&w, o, row);
        hash = kr_hash_floats(hash, row, INPUTS);
    }
    for (size_t k = 0; k < INPUTS; k++)
        x[k] = (float)((int)(k * 7919 % 2001) - 1000) * 0x1p-9f;
    kr_kernels_plain.quantize(q, x, INPUTS, 1, INPUTS);
    p.w = &w;
    kr_kernels_product(&kr_kernels_plain, &p);
    test_note("%s", type->name);
    CHECK_U64(hash, type->floats);
    CHECK_U64(kr_hash_floats(KR_HASH_START, y, OUTPUTS), type->product);
    test_note("%s", "");
    free(room), free(file);
}

TEST(blocks_are_as_recorded)
{
    for (size_t t = 0; t < TYPES; t++)
        compare_with_recorded(&types[t]);
}

/* ---- panels -------------------------------------------------------------------------------------- */

/* Sizes follow the layout; panels are as good as files' blocks, byte for byte of what they hold; parts are in place. */
static void compare_panels(const struct block_type *type, kr_random *random)
{
    enum { OUTPUTS = 150, INPUTS = 512 };
    kr_layout      t = kr_layout_of(type->type);
    void          *room;
    unsigned char *file = random_rows(random, type, OUTPUTS, INPUTS, WILD);
    kr_matrix      w = panels_of(type, file, OUTPUTS, INPUTS, &room);
    kr_matrix      part = kr_pack_part(&w, 128, OUTPUTS);
    float          row[INPUTS], also[INPUTS];
    uint64_t       bytes;

    test_note("%s", type->name);
    CHECK(kr_panels_bytes(type->type, OUTPUTS, INPUTS, &bytes));
    CHECK_U64(bytes, 160 * (INPUTS / t.inputs) * kr_layout_record(t));
    CHECK(!kr_panels_bytes(type->type, OUTPUTS, INPUTS + KR_BLOCK / 2, &bytes));
    CHECK(t.inputs == 32 || !kr_panels_bytes(type->type, OUTPUTS, INPUTS + 32, &bytes));
    CHECK(!kr_panels_bytes(type->type, UINT64_MAX, INPUTS, &bytes));
    CHECK(kr_layout_record(t) >= t.file && kr_layout_record(t) * 100 <= t.file * 104);
    for (size_t o = 0; o < OUTPUTS - 128; o++) {
        kr_codes codes, read;

        kr_pack_read_row(&w, 128 + o, row);
        kr_pack_read_row(&part, o, also);
        CHECK_BYTES(row, also, sizeof row);
        for (size_t b = 0; b < INPUTS / KR_BLOCK; b++) {
            size_t at = b * KR_BLOCK / t.inputs, in = b % (t.inputs / KR_BLOCK);

            kr_codes_read(&t, file + ((128 + o) * (INPUTS / t.inputs) + at) * t.file, in, &codes);
            kr_codes_get(&t, kr_pack_record(&t, &w, 128 + o, b * KR_BLOCK), 32, o, in, &read);
            CHECK_BYTES(&codes, &read, sizeof codes);
        }
    }
    test_note("%s", "");
    free(room), free(file);
}

TEST(blocks_in_panels)
{
    kr_random random = kr_random_from(43);

    for (size_t t = 0; t < TYPES; t++)
        compare_panels(&types[t], &random);
}
