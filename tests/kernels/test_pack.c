/* Packing: whole panels square by square are the bytes that pack.h says, number by number. */
#include <stdlib.h>
#include <string.h>

#include "core/panels.h"
#include "kernels/pack.h"
#include "support/random.h"
#include "test.h"

enum { MARGIN = 64, MARK = 0x5a };

static const int32_t types[] = { KRAIT_F32, KRAIT_F16, KRAIT_BF16, KRAIT_Q8_0 };
static const size_t  outputs[] = { 1, 15, 16, 17, 32, 47, 64, 65, 80, 127, 128, 200 };
static const size_t  inputs[] = { 1, 3, 4, 7, 8, 15, 16, 33, 96, 127, 128, 160, 300 };

enum { TYPES = 4, OUTPUTS = sizeof outputs / sizeof *outputs, INPUTS = sizeof inputs / sizeof *inputs };

static size_t number_bytes(int32_t type)
{
    return type == KRAIT_F32 ? 4 : 2;
}

static unsigned char *random_bytes(size_t count)
{
    kr_random      random = kr_random_from(count);
    unsigned char *bytes = malloc(count);

    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)kr_random_u32(&random);
    return bytes;
}

/* Float types: [strip][input][output of the strip]; written with its own arithmetic. */
static void expect_numbers(unsigned char *to, const kr_matrix *w, const unsigned char *rows)
{
    size_t size = number_bytes(w->type), padded = (w->outputs + 15) / 16 * 16;

    for (size_t o = 0; o < padded; o++) {
        size_t strip = o / 64 * 64, width = padded - strip < 64 ? padded - strip : 64;

        for (size_t k = 0; k < w->inputs; k++) {
            unsigned char *at = to + (strip * w->inputs + k * width + o - strip) * size;

            if (o < w->outputs)
                memcpy(at, rows + (o * w->inputs + k) * size, size);
            else
                memset(at, 0, size);
        }
    }
}

/* [strip][block]: scales of the outputs, then [4 inputs][output][4] with 128 added. */
static void expect_q8_0(unsigned char *to, const kr_matrix *w, const unsigned char *rows)
{
    size_t blocks = w->inputs / 32, padded = (w->outputs + 15) / 16 * 16;

    for (size_t o = 0; o < padded; o++) {
        size_t strip = o / 64 * 64, width = padded - strip < 64 ? padded - strip : 64;

        for (size_t b = 0; b < blocks; b++) {
            unsigned char       *record = to + (strip * blocks + b * width) * 34;
            const unsigned char *block = o < w->outputs ? rows + (o * blocks + b) * 34 : NULL;

            record[2 * (o - strip)] = block ? block[0] : 0;
            record[2 * (o - strip) + 1] = block ? block[1] : 0;
            for (size_t k = 0; k < 32; k++)
                record[2 * width + (k / 4 * width + o - strip) * 4 + k % 4] =
                    (unsigned char)((block ? block[2 + k] : 0) + 128);
        }
    }
}

/* In one piece and cut at 64; from bytes of any alignment; nothing behind the panels is written. */
static void pack_and_compare(const kr_matrix *w, size_t row_bytes)
{
    uint64_t       bytes = 0;
    size_t         count = w->outputs * row_bytes;
    unsigned char *source = random_bytes(count + 3), *expected, *got;

    CHECK(kr_panels_bytes(w->type, w->outputs, w->inputs, &bytes));
    expected = malloc((size_t)bytes + MARGIN), got = aligned_alloc(64, ((size_t)bytes + MARGIN + 63) / 64 * 64);
    for (size_t cut = 0; cut <= w->outputs; cut += 64) {
        memset(expected, MARK, (size_t)bytes + MARGIN);
        memset(got, MARK, (size_t)bytes + MARGIN);
        if (w->type == KRAIT_Q8_0)
            expect_q8_0(expected, w, source + 3);
        else
            expect_numbers(expected, w, source + 3);
        kr_pack_rows(w, got, source + 3, 0, cut);
        kr_pack_rows(w, got, source + 3, cut, w->outputs);
        CHECK_BYTES(got, expected, (size_t)bytes + MARGIN);
    }
    free(source), free(expected), free(got);
}

TEST(pack_rows_are_the_format)
{
    for (size_t t = 0; t < TYPES; t++)
        for (size_t o = 0; o < OUTPUTS; o++)
            for (size_t i = 0; i < INPUTS; i++) {
                kr_matrix w = { NULL, outputs[o], inputs[i], types[t] };

                if (types[t] == KRAIT_Q8_0 && inputs[i] % 32 == 0)
                    pack_and_compare(&w, inputs[i] / 32 * 34);
                else if (types[t] != KRAIT_Q8_0)
                    pack_and_compare(&w, inputs[i] * number_bytes(types[t]));
            }
}

/* A tensor that lies the other way gives the same panels. */
TEST(pack_columns_equal_rows)
{
    for (size_t t = 0; t < 2; t++)
        for (size_t o = 0; o < OUTPUTS; o++)
            for (size_t i = 0; i < INPUTS; i++) {
                kr_matrix      w = { NULL, outputs[o], inputs[i], types[t] };
                size_t         size = number_bytes(types[t]), count = w.outputs * w.inputs;
                uint64_t       bytes = 0;
                unsigned char *columns = random_bytes(count * size), *rows = malloc(count * size), *a, *b;

                for (size_t k = 0; k < count; k++)
                    memcpy(rows + k * size, columns + (k % w.inputs * w.outputs + k / w.inputs) * size, size);
                CHECK(kr_panels_bytes(w.type, w.outputs, w.inputs, &bytes));
                a = aligned_alloc(64, ((size_t)bytes + 63) / 64 * 64);
                b = aligned_alloc(64, ((size_t)bytes + 63) / 64 * 64);
                memset(a, MARK, (size_t)bytes), memset(b, MARK + 1, (size_t)bytes);
                kr_pack_rows(&w, a, rows, 0, w.outputs);
                for (size_t from = 0; from < w.outputs; from += 64)
                    kr_pack_columns(&w, b, columns, from, kr_min(from + 64, w.outputs));
                CHECK_BYTES(b, a, (size_t)bytes);
                free(columns), free(rows), free(a), free(b);
            }
}

/* Blocks of random bytes, one after another as codes.c puts them, and by whole panels; with rows that are left over. */
TEST(pack_blocks_are_put)
{
    static const int32_t blocks[] = { KRAIT_Q4_0, KRAIT_Q4_1, KRAIT_Q5_0, KRAIT_Q5_1, KRAIT_Q2_K, KRAIT_Q3_K, KRAIT_Q4_K,
                                      KRAIT_Q5_K, KRAIT_Q6_K, KRAIT_Q8_0 };

    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        for (size_t n = 0; n < 2 * OUTPUTS; n++) {
            kr_layout      t = kr_layout_of(blocks[i]);
            kr_matrix      w = { NULL, outputs[n / 2], t.inputs * (1 + n % 2 * 2), blocks[i] };
            size_t         row = w.inputs / t.inputs * t.file;
            uint64_t       bytes = 0;
            unsigned char *source = random_bytes(w.outputs * row), *expected, *got;

            CHECK(kr_panels_bytes(w.type, w.outputs, w.inputs, &bytes));
            expected = aligned_alloc(64, ((size_t)bytes + 63) / 64 * 64), got = malloc((size_t)bytes);
            memset(expected, MARK, (size_t)bytes), memset(got, MARK + 1, (size_t)bytes);
            w.data = expected;
            for (size_t o = 0; o < kr_pad16(w.outputs); o++)
                for (size_t k = 0; k < w.inputs; k += KR_BLOCK) {
                    kr_codes codes = { 0 };
                    size_t   b = k % t.inputs / KR_BLOCK;

                    memset(codes.code, t.zero, sizeof codes.code);
                    if (o < w.outputs)
                        kr_codes_read(&t, source + o * row + k / t.inputs * t.file, b, &codes);
                    kr_codes_put(&t, (unsigned char *)(uintptr_t)kr_pack_record(&t, &w, o, k), kr_pack_width(&w, o),
                                  o % KR_STRIP, b, &codes);
                }
            kr_pack_rows(&w, got, source, 0, w.outputs);
            test_note("type %d, %zu x %zu", (int)w.type, w.outputs, w.inputs);
            CHECK_BYTES(got, expected, (size_t)bytes);
            free(source), free(expected), free(got);
        }
    test_note("%s", "");
}
