/*
 * test_kernels.c - every table this CPU has against plain C, bit for bit.
 *
 * Sizes straddle every vector, panel, strip, segment and tile; outputs lie between guards, so
 * that a write past the end is seen; inputs hold zeros, tiny and huge numbers, infinities, NaN.
 */
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/real.h"
#include "kernels/pack.h"
#include "support/random.h"
#include "test.h"

enum { GUARD = 64 };

static const char *const tables[] = { "avx512", "avx2", "neon_dot", "neon" };

/* Runs 'check' for every table but plain; says which are not on this CPU. */
static void with_tables(void (*check)(const kr_kernels *k))
{
    size_t ran = 0;

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const kr_kernels *k = kr_kernels_named(tables[i]);

        if (k)
            check(k), ran++;
    }
    if (ran == 0)
        SKIP("this CPU has no vector kernels");
}

/* Now and then something that is not an ordinary number. */
static float wild(kr_random *random)
{
    static const float odd[] = { 0.0f, -0.0f, 1e-42f, -1e-38f, 1e38f, -3e38f, 1e-30f };
    uint32_t choice = kr_random_u32(random) % 64;

    if (choice < 7)
        return odd[choice];
    if (choice == 7 && kr_random_u32(random) % 16 == 0)
        return kr_random_u32(random) % 2 ? kr_float_of(0x7f800000u) : kr_float_of(0x7fc00000u);
    return kr_random_unit(random) * (choice % 8 == 0 ? 100.0f : 1.0f);
}

static float *floats(kr_random *random, size_t count, int odd)
{
    float *x = malloc((count + 2 * GUARD) * sizeof *x);

    for (size_t i = 0; i < count + 2 * GUARD; i++)
        x[i] = odd ? wild(random) : kr_random_unit(random);
    return x + GUARD;
}

static void release(float *x)
{
    free(x - GUARD);
}

static float *copy_of(const float *x, size_t count)
{
    float *y = malloc((count + 2 * GUARD) * sizeof *y);

    memcpy(y, x - GUARD, (count + 2 * GUARD) * sizeof *y);
    return y + GUARD;
}

/* Equal, guards included; any NaN equals any NaN. */
static int equal(const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count + 2 * GUARD; i++)
        if (kr_canonical_bits(a[i - GUARD]) != kr_canonical_bits(b[i - GUARD]))
            return 0;
    return 1;
}

static size_t row_bytes(int32_t type, size_t inputs)
{
    return type == KRAIT_F32 ? 4 * inputs : type == KRAIT_Q8_0 ? inputs / 32 * 34 : 2 * inputs;
}

/* A random matrix in panels, aligned to 64; *block is to be freed. */
static kr_matrix random_matrix(kr_random *random, int32_t type, size_t outputs, size_t inputs,
                               void **block)
{
    size_t         bytes = row_bytes(type, inputs), padded = kr_pad16(outputs) * bytes;
    unsigned char *rows = malloc(outputs * bytes + 1), *panels;
    kr_matrix      w = { NULL, outputs, inputs, type };

    for (size_t o = 0; o < outputs; o++)
        for (size_t k = 0; k < inputs; k++) {
            unsigned char *row = rows + o * bytes;
            float          x = wild(random);

            if (type == KRAIT_F32)
                kr_store_u32(row + 4 * k, kr_bits_of(x));
            else if (type == KRAIT_F16)
                kr_store_u16(row + 2 * k, kr_half_of_float(x));
            else if (type == KRAIT_BF16)
                kr_store_u16(row + 2 * k, kr_bfloat_of_float(x));
            else {
                row[k / 32 * 34 + 2 + k % 32] = (unsigned char)kr_random_u32(random);
                kr_store_u16(row + k / 32 * 34, kr_half_of_float(kr_random_unit(random)));
            }
        }
    *block = malloc(padded + 64);
    panels = (unsigned char *)*block + (64 - (uintptr_t)*block % 64) % 64;
    kr_pack_rows(&w, panels, rows, 0, outputs);
    w.data = panels;
    free(rows);
    return w;
}

static void compare_product(const kr_kernels *k, kr_random *random, int32_t type, size_t outputs,
                            size_t inputs, size_t rows, int biased)
{
    void      *block;
    kr_matrix  w = random_matrix(random, type, outputs, inputs, &block);
    size_t     x_stride = inputs + 3, y_stride = outputs + 5, count = rows * y_stride;
    float     *x = floats(random, rows * x_stride, 1), *bias = floats(random, outputs, 1);
    float     *y = floats(random, count, 0), *expected = copy_of(y, count);
    kr_q8     *q = malloc((rows * (inputs / 32) + 1) * sizeof *q);
    kr_product p = { &w, biased ? bias : NULL, x, x_stride, NULL, y, y_stride, rows };

    if (type == KRAIT_Q8_0) {
        k->quantize(q, x, x_stride, rows, inputs);
        p.q = q;
    }
    kr_kernels_product(k, &p);
    p.y = expected;
    if (type == KRAIT_Q8_0)
        kr_kernels_plain.quantize(q, x, x_stride, rows, inputs);
    kr_kernels_product(&kr_kernels_plain, &p);
    test_note("%s: product of type %d, %zu x %zu, %zu rows, bias %d", k->name, (int)type, outputs, inputs, rows, biased);
    CHECK(equal(y, expected, count));
    test_note("%s", "");
    free(block);
    free(q);
    release(x), release(bias), release(y), release(expected);
}

static void check_products(const kr_kernels *k)
{
    static const int32_t types[] = { KRAIT_F32, KRAIT_F16, KRAIT_BF16, KRAIT_Q8_0 };
    static const size_t  outputs[] = { 1, 15, 16, 17, 24, 33, 48, 63, 64, 65, 100, 144 };
    static const size_t  inputs[] = { 1, 7, 32, 63, 64, 65, 128, 200, 544 };
    kr_random            random = kr_random_from(1);

    for (size_t t = 0; t < 4; t++)
        for (size_t o = 0; o < sizeof outputs / sizeof *outputs; o++)
            for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
                for (size_t rows = 1; rows <= 13; rows += rows < 7 ? 1 : 6)
                    if (types[t] != KRAIT_Q8_0 || inputs[i] % 32 == 0)
                        compare_product(k, &random, types[t], outputs[o], inputs[i], rows,
                                        (int)(rows + o) % 2);
}

TEST(kernels_products_equal_plain)
{
    with_tables(check_products);
}

static void check_quantize(const kr_kernels *k)
{
    kr_random random = kr_random_from(2);

    for (int round = 0; round < 200; round++) {
        float *x = floats(&random, 3 * 100, 1);
        kr_q8  a[9], b[9];

        if (round % 10 == 0)        /* blocks below 2^-100; ties, since 127 makes the factor 1 */
            for (size_t i = 0; i < 300; i++)
                x[i] = round % 20 ? kr_random_unit(&random) * 1e-31f
                                  : i % 100 % 32 == 0 ? 127.0f : (float)(i % 100 % 32) + 0.5f;
        k->quantize(a, x, 100, 3, 96);
        kr_kernels_plain.quantize(b, x, 100, 3, 96);
        for (size_t i = 0; i < 9; i++) {
            CHECK_U64(kr_canonical_bits(a[i].scale), kr_canonical_bits(b[i].scale));
            CHECK(a[i].sum == b[i].sum && a[i].first == b[i].first && memcmp(a[i].q, b[i].q, sizeof a[i].q) == 0);
        }
        release(x);
    }
}

TEST(kernels_quantize_equals_plain)
{
    with_tables(check_quantize);
}

static void compare_conv(const kr_kernels *k, kr_random *random, size_t channels, size_t taps,
                         size_t rows, int silu)
{
    size_t  stride = channels + 1, count = rows * stride;
    float  *w = floats(random, kr_pad16(channels) * taps, 1), *bias = floats(random, channels, 1);
    float  *window = floats(random, (taps - 1) * stride, 1), *x = floats(random, count, 1);
    float  *y = floats(random, count, 0), *expected = copy_of(y, count);
    kr_conv p = { w, rows % 2 ? bias : NULL, x, stride, window, stride, y, stride, rows,
                  channels, taps, silu };

    k->conv(&p);
    p.y = expected;
    kr_kernels_plain.conv(&p);
    test_note("%s: conv of %zu channels, %zu taps, %zu rows, silu %d", k->name, channels, taps, rows, silu);
    CHECK(equal(y, expected, count));
    test_note("%s", "");
    release(w), release(bias), release(window), release(x), release(y), release(expected);
}

static void check_conv(const kr_kernels *k)
{
    kr_random random = kr_random_from(3);

    for (size_t channels = 1; channels <= 50; channels += 7)
        for (size_t taps = 1; taps <= 6; taps++)
            for (size_t rows = 1; rows <= 9; rows += 2)
                compare_conv(k, &random, channels, taps, rows, (int)(taps % 2));
}

TEST(kernels_conv_equals_plain)
{
    with_tables(check_conv);
}

static void compare_selective(const kr_kernels *k, kr_random *random, size_t channels, size_t states,
                              size_t rows, int gated)
{
    size_t stride = channels + 2, count = rows * stride, memory = kr_pad16(channels) * states;
    float *a = floats(random, memory, 1), *d = floats(random, channels, 1);
    float *x = floats(random, count, 1), *dt = floats(random, count, 0), *z = floats(random, count, 1);
    float *bc = floats(random, rows * 2 * states, 1), *h = floats(random, memory, 1);
    float *y = floats(random, count, 0), *expected = copy_of(y, count), *h2 = copy_of(h, memory);
    kr_selective p = { a, d, x, dt, gated ? z : NULL, stride, stride, stride, bc, bc + states,
                       2 * states, h, y, stride, rows, channels, states, 0 };

    for (size_t i = 0; rows == 1 && i < stride; i++)
        dt[i] = 0;              /* what is flushed shows at its bound, where states stay as they are */
    for (size_t i = 0; rows == 1 && i < memory; i++)
        h[i] = h2[i] = kr_float_of(kr_bits_of(KR_TINY) - i / 2 % 2) * (i % 2 ? -1.0f : 1.0f);
    k->selective(&p);
    p.y = expected;
    p.h = h2;
    kr_kernels_plain.selective(&p);
    test_note("%s: scan of %zu channels, %zu states, %zu rows, gate %d: y", k->name, channels, states, rows, gated);
    CHECK(equal(y, expected, count));
    test_note("%s", "");
    for (size_t c = 0; c < channels; c++)
        for (size_t n = 0; n < states; n++) {
            size_t at = (c / 16 * states + n) * 16 + c % 16;

            CHECK_U64(kr_canonical_bits(h[at]), kr_canonical_bits(h2[at]));
        }
    release(a), release(d), release(x), release(dt), release(z), release(bc), release(h), release(y);
    release(expected), release(h2);
}

static void check_selective(const kr_kernels *k)
{
    static const size_t states[] = { 1, 3, 4, 7, 8, 16, 21 };
    kr_random           random = kr_random_from(4);

    for (size_t s = 0; s < sizeof states / sizeof *states; s++)
        for (size_t channels = 1; channels <= 40; channels += 5)
            for (size_t rows = 1; rows <= 9; rows += 4)
                compare_selective(k, &random, channels, states[s], rows, (int)(rows & 4));
}

TEST(kernels_selective_equals_plain)
{
    with_tables(check_selective);
}

static void compare_summary(const kr_kernels *k, kr_random *random, size_t channels, size_t states, size_t rows)
{
    size_t stride = channels + 2, count = rows * stride, memory = kr_pad16(channels) * states;
    float *a = floats(random, memory, 1), *x = floats(random, count, 1), *dt = floats(random, count, (int)(rows % 2));
    float *b = floats(random, rows * states, 1);
    float *decay = floats(random, memory, 0), *decay2 = copy_of(decay, memory);
    float *end = floats(random, memory, 0), *end2 = copy_of(end, memory);
    kr_selective p = { .a = a, .x = x, .dt = dt, .x_stride = stride, .dt_stride = stride, .b = b, .bc_stride = states,
                       .rows = rows, .channels = channels, .states = states };

    for (size_t c = 0; c < kr_pad16(channels); c++)             /* the padding of a panel holds zeros */
        for (size_t n = 0; c >= channels && n < states; n++)
            a[(c / 16 * states + n) * 16 + c % 16] = 0;
    k->selective_summary(&p, decay, end);
    kr_kernels_plain.selective_summary(&p, decay2, end2);
    test_note("%s: summary of %zu channels, %zu states, %zu rows", k->name, channels, states, rows);
    for (size_t i = 0; i < memory; i++)
        if ((i / 16 / states * 16 + i % 16) < channels) {
            CHECK_U64(kr_canonical_bits(decay[i]), kr_canonical_bits(decay2[i]));
            CHECK_U64(kr_canonical_bits(end[i]), kr_canonical_bits(end2[i]));
        }
    CHECK_BYTES(decay - GUARD, decay2 - GUARD, GUARD * sizeof *decay);
    CHECK_BYTES(decay + memory, decay2 + memory, GUARD * sizeof *decay);
    CHECK_BYTES(end + memory, end2 + memory, GUARD * sizeof *end);
    test_note("%s", "");
    release(a), release(x), release(dt), release(b);
    release(decay), release(decay2), release(end), release(end2);
}

static void check_summary(const kr_kernels *k)
{
    static const size_t states[] = { 1, 3, 4, 7, 8, 16, 21 };
    static const size_t rows[] = { 0, 1, 6, 40, 67 };
    kr_random           random = kr_random_from(9);

    for (size_t s = 0; s < sizeof states / sizeof *states; s++)
        for (size_t channels = 1; channels <= 40; channels += 5)
            for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
                compare_summary(k, &random, channels, states[s], rows[r]);
}

TEST(kernels_selective_summary_equals_plain)
{
    with_tables(check_summary);
}

static void check_combine(const kr_kernels *k)
{
    kr_random random = kr_random_from(10);

    for (size_t count = 1; count <= 70; count++)
        for (int state = 0; state < 2; state++) {
            float *before = floats(&random, count, 1), *start = floats(&random, count, 1);
            float *decay = floats(&random, count, 1), *decay2 = copy_of(decay, count);
            float *end = floats(&random, count, 1), *end2 = copy_of(end, count);

            k->combine(decay, end, state ? NULL : before, start, count);
            kr_kernels_plain.combine(decay2, end2, state ? NULL : before, start, count);
            test_note("%s: %zu numbers, state %d", k->name, count, state);
            CHECK(equal(decay, decay2, count));
            CHECK(equal(end, end2, count));
            release(before), release(start), release(decay), release(decay2), release(end), release(end2);
        }
    test_note("%s", "");
}

TEST(kernels_combine_equals_plain)
{
    with_tables(check_combine);
}

/* Parts of states, but for the padding of panels. */
static void check_pairs(const float *h, const float *expected, size_t channels, size_t states)
{
    for (size_t i = 0; i < kr_pad16(channels) * 2 * states; i++)
        if (i / 16 / (2 * states) * 16 + i % 16 < channels)
            CHECK_U64(kr_canonical_bits(h[i]), kr_canonical_bits(expected[i]));
}

/* Silence after a loud signal, which some states outlast; then one channel in three hears something. */
static void make_fading(float *a, float *x, float *h, size_t memory, size_t rows, size_t stride)
{
    for (size_t i = 0; i < 4 * memory; i++)
        a[i] = i / 16 % 4 > 1 ? 0 : i / 16 % 4 ? -0.1f : i / 64 % 5 == 4 ? 1.0f : 0.1f + 0.3f * (float)(i % 3);
    for (size_t i = 0; i < rows * stride; i++)
        x[i] = i + stride > rows * stride && i % 3 == 0 ? 1.0f : i % 2 ? 0.0f : -0.0f;
    for (size_t i = 0; i < 2 * memory; i++)
        if (i % 11 == 0)
            h[i] = i % 2 ? 0.0f : i == 66 ? kr_float_of(0x7fc00000u) : -0.0f;
}

static void compare_diagonal(const kr_kernels *k, kr_random *random, size_t channels, size_t states, size_t rows,
                             int precise)
{
    size_t stride = channels + 2, count = rows * stride, memory = kr_pad16(channels) * states;
    float *a = floats(random, 4 * memory, (int)(states % 2)), *c = floats(random, 2 * memory, (int)(states % 2));
    float *d = floats(random, channels, 1), *x = floats(random, count, (int)(states % 2));
    float *h = floats(random, 2 * memory, 1), *h2 = copy_of(h, 2 * memory), *ends = copy_of(h, 2 * memory);
    float *y = floats(random, count, 0), *expected = copy_of(y, count);
    kr_diagonal p = { a, c, d, x, stride, h, y, stride, rows, channels, states, precise };
    int edge = rows == 1 && states % 3 == 1;

    for (size_t i = 0; edge && i < 4 * memory; i++)
        a[i] = i / 16 % 4 == 0;     /* what is flushed shows at its bound, where states stay as they are */
    for (size_t i = 0; edge && i < stride; i++)
        x[i] = 0;
    for (size_t i = 0; edge && i < 2 * memory; i++)
        h[i] = h2[i] = ends[i] = kr_float_of(kr_bits_of(KR_TINY) - i / 2 % 2) * (i % 2 ? -1.0f : 1.0f);
    if (rows > 130) {
        make_fading(a, x, h, memory, rows, stride);
        memcpy(h2, h, 2 * memory * sizeof *h);
        memcpy(ends, h, 2 * memory * sizeof *h);
    }
    k->diagonal(&p);
    p.y = expected;
    p.h = h2;
    kr_kernels_plain.diagonal(&p);
    test_note("%s: diagonal of %zu channels, %zu states, %zu rows, precise %d", k->name, channels, states, rows,
              precise);
    CHECK(equal(y, expected, count));
    check_pairs(h, h2, channels, states);
    p.y = NULL;
    p.h = ends;
    k->diagonal(&p);
    check_pairs(ends, h2, channels, states);
    k->diagonal_combine(ends, a, h2, memory / 16);
    kr_kernels_plain.diagonal_combine(h, a, h2, memory / 16);
    check_pairs(ends, h, channels, states);
    CHECK_BYTES(ends - GUARD, h2 - GUARD, GUARD * sizeof *ends);
    CHECK_BYTES(ends + 2 * memory, h2 + 2 * memory, GUARD * sizeof *ends);
    test_note("%s", "");
    release(a), release(c), release(d), release(x), release(h), release(h2), release(ends), release(y);
    release(expected);
}

static void check_diagonal(const kr_kernels *k)
{
    static const size_t states[] = { 1, 2, 3, 4, 7, 8, 13 };
    static const size_t rows[] = { 0, 1, 5, 65, 130, 330 };
    kr_random           random = kr_random_from(11);

    for (size_t s = 0; s < sizeof states / sizeof *states; s++)
        for (size_t channels = 1; channels <= 40; channels += 5)
            for (size_t r = 0; r < 2 * sizeof rows / sizeof *rows; r++)
                compare_diagonal(k, &random, channels, states[s], rows[r / 2], (int)(r % 2));
}

TEST(kernels_diagonal_equals_plain)
{
    with_tables(check_diagonal);
}

/* x = a x + v and what a liquid system makes of v. */
enum { TURN, LIQUID, LIQUID_ALONE, TURN_FORMS };

static void run_turn(const kr_kernels *k, const kr_turn *p, int form)
{
    if (form == TURN)
        k->turn(p);
    else
        k->liquid(p, form == LIQUID_ALONE);
}

static void compare_turn(const kr_kernels *k, kr_random *random, size_t states, size_t rows, int low, int odd, int form)
{
    size_t  stride = 2 * states + 3, count = rows * stride, memory = 2 * kr_pad16(states);
    float  *a = floats(random, 2 * memory, odd), *x = floats(random, memory, odd), *x2 = copy_of(x, memory);
    float  *v = floats(random, count, odd), *out = copy_of(v, count), *none = copy_of(x, memory);
    kr_turn p = { a, low, x, out, out, stride, rows, states };

    for (size_t i = 0; rows == 1 && i < memory; i++)            /* what is flushed shows at its bound */
        x[i] = x2[i] = none[i] = i % 32 < 16 ? kr_float_of(kr_bits_of(KR_TINY) - i / 2 % 2) : 0.0f;
    for (size_t i = 0; rows == 1 && i < 2 * memory; i++)
        a[i] = i % 64 < 16 ? (i % 2 ? -1.0f : 1.0f) : 0.0f;
    for (size_t i = 0; rows == 1 && i < count; i++)
        v[i] = out[i] = 0;
    run_turn(k, &p, form);
    p.x = none;
    p.v = v;
    p.out = NULL;
    run_turn(k, &p, form);
    p.x = x2;
    p.out = v;
    run_turn(&kr_kernels_plain, &p, form);
    test_note("%s: %zu complex states, %zu rows, low parts %d, form %d", k->name, states, rows, low, form);
    CHECK(equal(out, v, count));
    CHECK(equal(x, x2, memory));
    CHECK(equal(none, x2, memory));
    test_note("%s", "");
    release(a), release(x), release(x2), release(v), release(out), release(none);
}

static void check_turn(const kr_kernels *k)
{
    kr_random random = kr_random_from(11);

    for (size_t states = 1; states <= 83; states += states < 40 ? 1 : 6)
        for (size_t rows = 1; rows <= 9; rows += 4)
            for (int i = 0; i < 4; i++)
                compare_turn(k, &random, states, rows, i % 2, i / 2, TURN);
}

static void check_liquid(const kr_kernels *k)
{
    kr_random random = kr_random_from(17);

    for (size_t states = 1; states <= 83; states += states < 40 ? 1 : 6)
        for (size_t rows = 1; rows <= 9; rows += 4)
            for (int i = 0; i < 8; i++)
                compare_turn(k, &random, states, rows, i % 2, i / 2 % 2, i < 4 ? LIQUID : LIQUID_ALONE);
}

/* ---- Mamba-2 ------------------------------------------------------------------------- */

static void compare_pace(const kr_kernels *k, kr_random *random, size_t heads, int odd)
{
    size_t  rows = 3, stride = heads + 2, count = rows * heads;
    float  *raw = floats(random, rows * stride, odd), *bias = floats(random, heads, odd), *a = floats(random, heads, odd);
    float  *dt = floats(random, count, 0), *dt2 = copy_of(dt, count), *decay = copy_of(dt, count), *decay2 = copy_of(dt, count);
    kr_pace p = { raw, stride, odd ? bias : NULL, a, 0.3f, heads % 2 ? 0.8f : kr_float_of(0x7f800000u), dt, decay, rows, heads };

    k->pace(&p);
    p.dt = dt2;
    p.decay = decay2;
    kr_kernels_plain.pace(&p);
    test_note("%s: %zu heads", k->name, heads);
    CHECK(equal(dt, dt2, count));
    CHECK(equal(decay, decay2, count));
    test_note("%s", "");
    release(raw), release(bias), release(a), release(dt), release(dt2), release(decay), release(decay2);
}

/* Of a head's states the padding is nobody's. */
static void compare_heads(const kr_kernels *k, kr_random *random, size_t width, size_t states, size_t rows, int odd)
{
    size_t    heads = 2, all = heads * width, padded = kr_pad16(width), memory = heads * padded * states;
    size_t    stride = all + 3, bc_stride = 2 * states + 1, dt_stride = heads + 1;
    kr_matrix layout = { NULL, width, states, KRAIT_F32 };
    float    *x = floats(random, rows * stride, odd), *dt = floats(random, rows * dt_stride, odd);
    float    *decay = floats(random, rows * dt_stride, odd), *bc = floats(random, rows * bc_stride, odd);
    float    *d = floats(random, all, odd), *h = floats(random, memory, odd), *h2 = copy_of(h, memory);
    float    *y = floats(random, rows * stride, 0), *y2 = copy_of(y, rows * stride);
    kr_heads  p = { x, dt, decay, bc, bc + states, d, h, y, stride, dt_stride, bc_stride, stride, rows, heads, width, states };

    for (size_t i = 0; rows == 1 && i < memory; i++)            /* what is flushed shows at its bound */
        h[i] = h2[i] = kr_float_of(kr_bits_of(KR_TINY) - i % 2);
    for (size_t i = 0; rows == 1 && i < all; i++)
        x[i] = 0;
    for (size_t i = 0; rows == 1 && i < heads; i++)
        decay[i] = dt[i] = 1;
    k->heads(&p);
    p.h = h2;
    p.y = y2;
    kr_kernels_plain.heads(&p);
    test_note("%s: heads of %zu channels, %zu states, %zu rows", k->name, width, states, rows);
    CHECK(equal(y, y2, rows * stride));
    for (size_t i = 0; i < heads * width * states; i++) {
        size_t c = i / states % width, at = i / states / width * padded * states + kr_pack_index(&layout, c, i % states);

        if (!CHECK(kr_canonical_bits(h[at]) == kr_canonical_bits(h2[at])))
            break;
    }
    test_note("%s", "");
    release(x), release(dt), release(decay), release(bc), release(d), release(h), release(h2), release(y), release(y2);
}

static void compare_fade(const kr_kernels *k, kr_random *random, size_t rows, int odd)
{
    size_t   count = rows * KR_CHUNK;
    float   *products = floats(random, count, odd), *decay = floats(random, 2 * rows, odd);
    float   *weights = floats(random, count, 0), *weights2 = copy_of(weights, count);
    float   *since = floats(random, rows, 0), *since2 = copy_of(since, rows), *left = copy_of(since, rows);
    float   *left2 = copy_of(since, rows);
    kr_fade  p = { products, decay, 2, rows, weights, since, left };

    k->fade(&p);
    p.weights = weights2;
    p.since = since2;
    p.left = left2;
    kr_kernels_plain.fade(&p);
    test_note("%s: %zu rows of a chunk", k->name, rows);
    CHECK(equal(weights, weights2, count));
    CHECK(equal(since, since2, rows));
    CHECK(equal(left, left2, rows));
    test_note("%s", "");
    release(products), release(decay), release(weights), release(weights2), release(since), release(since2);
    release(left), release(left2);
}

static void compare_chunk(const kr_kernels *k, kr_random *random, size_t width, int odd)
{
    size_t   rows = 5, stride = width + 2, count = rows * stride;
    float   *now = floats(random, rows * KR_CHUNK, odd), *before = floats(random, rows * KR_CHUNK, odd);
    float   *since = floats(random, rows, odd), *x = floats(random, count, odd), *d = floats(random, width, odd);
    float   *y = floats(random, count, 0), *y2 = copy_of(y, count), *w = copy_of(y, count), *w2 = copy_of(y, count);
    kr_chunk p = { now, before, since, x, d, y, stride, stride, rows, width };

    k->chunk(&p);
    p.y = y2;
    kr_kernels_plain.chunk(&p);
    k->weigh(w, stride, x, stride, since, 1, rows, width);
    kr_kernels_plain.weigh(w2, stride, x, stride, since, 1, rows, width);
    test_note("%s: %zu channels of a chunk", k->name, width);
    CHECK(equal(y, y2, count));
    CHECK(equal(w, w2, count));
    test_note("%s", "");
    release(now), release(before), release(since), release(x), release(d), release(y), release(y2), release(w), release(w2);
}

static void check_heads(const kr_kernels *k)
{
    static const size_t states[] = { 1, 3, 8, 17, 63, 64, 65, 130 };
    kr_random           random = kr_random_from(12);

    for (size_t width = 1; width <= 150; width += width < 40 ? 3 : 17)
        for (size_t i = 0; i < sizeof states / sizeof *states; i++)
            for (size_t rows = 1; rows <= 37; rows += 12)
                compare_heads(k, &random, width, states[i], rows, (int)(width + i) % 2);
    for (size_t n = 1; n <= KR_CHUNK; n++)
        for (int odd = 0; odd < 2; odd++) {
            compare_pace(k, &random, n, odd);
            compare_fade(k, &random, n, odd);
            compare_chunk(k, &random, n, odd);
        }
}

TEST(kernels_heads_equal_plain)
{
    with_tables(check_heads);
}

TEST(kernels_turn_equals_plain)
{
    with_tables(check_turn);
}

/* Times of all sizes; steps next to 0, far from it, and no numbers at all. */
static void compare_discretize(const kr_kernels *k, kr_random *random, int rule, size_t count)
{
    static const double times[] = { 0, 1e-12, 0.05, 1, 2.5, 977, 1e6, 3e38 };
    size_t              n = count * 4 * 16;
    double             *z = malloc(n * sizeof *z);
    float              *to = floats(random, count * 6 * 16, 0), *expected = copy_of(to, count * 6 * 16);
    kr_discretize       p = { z, NULL, count, 0, rule };

    for (size_t i = 0; i < n; i++)
        z[i] = (double)wild(random) * (kr_random_u32(random) % 3 ? 1.0 : 0x1p-40);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        p.time = times[i];
        p.to = to;
        k->discretize(&p);
        p.to = expected;
        kr_kernels_plain.discretize(&p);
        test_note("%s: rule %d, %g steps", k->name, rule, times[i]);
        CHECK(equal(to, expected, count * 6 * 16));
    }
    test_note("%s", "");
    free(z);
    release(to), release(expected);
}

static void check_discretize(const kr_kernels *k)
{
    kr_random random = kr_random_from(21);

    for (int rule = KR_HOLD; rule <= KR_IMPULSE; rule++)
        for (size_t count = 1; count <= 40; count += 13)
            compare_discretize(k, &random, rule, count);
}

TEST(kernels_discretize_equals_plain)
{
    with_tables(check_discretize);
}

static void compare_timed(const kr_kernels *k, kr_random *random, size_t n, size_t states, size_t rows, int odd)
{
    size_t  stride = 2 * n + 3, count = rows * stride, memory = states * 32;
    float  *sets = floats(random, 3 * states * 96, odd), *x = floats(random, memory, odd), *x2 = copy_of(x, memory);
    float  *v = floats(random, count, odd), *out = copy_of(v, count), *c = floats(random, memory, odd);
    float  *y = floats(random, rows * stride, 0), *expected = copy_of(y, rows * stride);
    uint8_t set[9];
    kr_turn_timed     turn = { sets, set, x, out, out, stride, rows, n };
    kr_diagonal_timed p = { sets, set, c, c, v, stride, x, y, stride, rows, n, states };

    for (size_t t = 0; t < rows; t++)
        set[t] = (uint8_t)(kr_random_u32(random) % 3);
    k->turn_timed(&turn);
    turn.x = x2;
    turn.v = turn.out = v;
    kr_kernels_plain.turn_timed(&turn);
    test_note("%s: %zu channels, %zu states, %zu rows with a time", k->name, n, states, rows);
    CHECK(equal(out, v, count));
    CHECK(equal(x, x2, memory));
    k->diagonal_timed(&p);
    p.h = x2;
    p.y = expected;
    kr_kernels_plain.diagonal_timed(&p);
    CHECK(equal(y, expected, rows * stride));
    check_pairs(x, x2, n, states);
    p.y = NULL;
    k->diagonal_timed(&p);
    p.h = x;
    kr_kernels_plain.diagonal_timed(&p);
    check_pairs(x2, x, n, states);
    test_note("%s", "");
    release(sets), release(x), release(x2), release(v), release(out), release(c), release(y), release(expected);
}

static void check_timed(const kr_kernels *k)
{
    kr_random random = kr_random_from(22);

    for (size_t n = 1; n <= 16; n++)
        for (size_t states = 1; states <= 9; states += 4)
            for (size_t rows = 1; rows <= 9; rows += 4)
                for (int odd = 0; odd < 2; odd++)
                    compare_timed(k, &random, n, states, rows, odd);
}

TEST(kernels_timed_rows_equal_plain)
{
    with_tables(check_timed);
}

static void compare_rank(const kr_kernels *k, kr_random *random, size_t channels, size_t states, size_t rank, size_t rows,
                         int precise)
{
    int     odd = (int)(states % 2);
    size_t  stride = channels + 2, count = rows * stride, memory = 2 * kr_pad16(channels) * states;
    size_t  numbers = kr_rank_numbers(rank) * memory / 2;
    float  *w = floats(random, numbers, odd), *d = floats(random, channels, 1), *u = floats(random, count, odd);
    float  *x = floats(random, memory, 1), *x2 = copy_of(x, memory), *y = floats(random, count, 0), *expected = copy_of(y, count);
    kr_rank p = { w, states == 2 ? NULL : d, u, stride, x, y, stride, rows, channels, states, rank, precise };

    for (size_t i = 0; rows == 1 && i < numbers; i++)           /* what is flushed shows at its bound */
        w[i] = i / 16 % kr_rank_numbers(rank) == 0;
    for (size_t i = 0; rows == 1 && i < stride; i++)
        u[i] = 0;
    for (size_t i = 0; rows == 1 && i < memory; i++)
        x[i] = x2[i] = kr_float_of(kr_bits_of(KR_TINY) - i / 2 % 2) * (i % 2 ? -1.0f : 1.0f);
    k->rank(&p);
    p.y = expected;
    p.x = x2;
    kr_kernels_plain.rank(&p);
    test_note("%s: rank %zu of %zu channels, %zu states, %zu rows, precise %d", k->name, rank, channels, states, rows,
              precise);
    CHECK(equal(y, expected, count));
    check_pairs(x, x2, channels, states);
    p.y = NULL;
    p.x = x;
    k->rank(&p);
    p.x = x2;
    kr_kernels_plain.rank(&p);
    check_pairs(x, x2, channels, states);
    CHECK_BYTES(x - GUARD, x2 - GUARD, GUARD * sizeof *x);
    CHECK_BYTES(x + memory, x2 + memory, GUARD * sizeof *x);
    test_note("%s", "");
    release(w), release(d), release(u), release(x), release(x2), release(y), release(expected);
}

static void check_rank(const kr_kernels *k)
{
    static const size_t states[] = { 1, 2, 3, 4, 5, 8, 11 }, ranks[] = { 1, 2, 3, KR_MOST_RANK }, rows[] = { 0, 1, 6 };
    kr_random           random = kr_random_from(12);

    for (size_t s = 0; s < sizeof states / sizeof *states; s++)
        for (size_t channels = 1; channels <= 40; channels += 5)
            for (size_t r = 0; r < sizeof ranks / sizeof *ranks; r++)
                for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++)
                    compare_rank(k, &random, channels, states[s], ranks[r], rows[i / 2], (int)(i % 2));
}

TEST(kernels_rank_equals_plain)
{
    with_tables(check_rank);
}

/* A spectrum and two blocks of rows, the second in part, with what was there and without. */
static void compare_fourier(const kr_kernels *k, kr_random *random, size_t length, size_t channels, int pairs)
{
    size_t     width = channels * (pairs ? 2 : 1), stride = width + 3, rows = length - length / 3;
    size_t     numbers = (pairs ? 64 : 32) * length, count = (length + rows) * stride;
    float     *twiddles = floats(random, 6 * length, 0), *angles = floats(random, 4 * length, 0);
    float     *x = floats(random, count, 0), *y = floats(random, count, 0), *y2 = copy_of(y, count);
    float     *spectrum = floats(random, numbers, 0), *spectrum2 = copy_of(spectrum, numbers);
    float     *work = floats(random, numbers, 0);
    kr_fourier p = { twiddles, angles, 2, length, pairs, channels, x, NULL, stride, 0, spectrum, NULL, NULL, stride, 0 };

    k->fourier(&p);
    p.work = spectrum2;
    kr_kernels_plain.fourier(&p);
    test_note("%s: %zu rows of %zu channels, pairs %d", k->name, length, channels, pairs);
    CHECK(equal(spectrum, spectrum2, numbers));
    p.work = work;
    p.spectrum = spectrum;
    for (p.add = 0; p.add < 2; p.add++) {
        p.before = p.add ? x : NULL;
        p.x = p.add ? x + length * stride : x;
        p.rows = p.add ? rows : length;
        p.y = p.add ? y + length * stride : y;
        k->fourier(&p);
        p.y = p.add ? y2 + length * stride : y2;
        kr_kernels_plain.fourier(&p);
    }
    CHECK(equal(y, y2, count));
    test_note("%s", "");
    release(twiddles), release(angles), release(x), release(y), release(y2), release(spectrum), release(spectrum2);
    release(work);
}

static void check_fourier(const kr_kernels *k)
{
    kr_random random = kr_random_from(13);

    for (size_t channels = 1; channels <= 16; channels++)
        for (int pairs = 0; pairs < 2; pairs++)
            for (size_t length = channels % 5 == 1 ? 2 : 64; length <= (channels % 5 == 1 ? 2048 : 128); length *= 2)
                compare_fourier(k, &random, length, channels, pairs);
}

TEST(kernels_fourier_equals_plain)
{
    with_tables(check_fourier);
}

TEST(kernels_liquid_equals_plain)
{
    with_tables(check_liquid);
}

/* Without weights, in place: what weights of 1 give. */
static void check_bare_rms_norm(const kr_kernels *k, const float *x, size_t width)
{
    size_t count = 3 * width;
    float *y = copy_of(x, count), *expected = copy_of(x, count), *ones = copy_of(x, width);

    for (size_t i = 0; i < width; i++)
        ones[i] = 1;
    k->rms_norm(y, y, NULL, 1e-6f, 3, width);
    kr_kernels_plain.rms_norm(expected, x, NULL, 1e-6f, 3, width);
    CHECK(equal(y, expected, count));
    k->rms_norm(y, x, ones, 1e-6f, 3, width);
    CHECK(equal(y, expected, count));
    release(y), release(expected), release(ones);
}

static void check_rows(const kr_kernels *k)
{
    kr_random random = kr_random_from(5);

    for (size_t width = 1; width <= 70; width++) {
        size_t count = 3 * width;
        float *x = floats(&random, count, 1), *w = floats(&random, width, 1);
        float *y = floats(&random, count, 0), *expected = copy_of(y, count);

        k->rms_norm(y, x, w, 1e-5f, 3, width);
        kr_kernels_plain.rms_norm(expected, x, w, 1e-5f, 3, width);
        CHECK(equal(y, expected, count));
        check_bare_rms_norm(k, x, width);
        k->add(y, x, count);
        kr_kernels_plain.add(expected, x, count);
        CHECK(equal(y, expected, count));
        k->multiply(y, x, count);
        kr_kernels_plain.multiply(expected, x, count);
        CHECK(equal(y, expected, count));
        release(x), release(w), release(y), release(expected);
    }
}

/* With and without weight and bias; every other width with ordinary numbers alone. */
static void check_scaling(const kr_kernels *k)
{
    kr_random random = kr_random_from(7);

    for (size_t width = 1; width <= 70; width++)
        for (int given = 0; given < 4; given++) {
            size_t count = 3 * width;
            float *x = floats(&random, count, width % 2), *w = floats(&random, width, 1);
            float *b = floats(&random, width, 1), *weight = given & 1 ? w : NULL, *bias = given & 2 ? b : NULL;
            float *y = floats(&random, count, 0), *expected = copy_of(y, count);

            test_note("%s: %zu wide, weight %d, bias %d", k->name, width, given & 1, given >> 1);
            k->layer_norm(y, x, weight, bias, 1e-5f, 3, width);
            kr_kernels_plain.layer_norm(expected, x, weight, bias, 1e-5f, 3, width);
            CHECK(equal(y, expected, count));
            k->scale(y, x, w, bias, 3, width);
            kr_kernels_plain.scale(expected, x, w, bias, 3, width);
            CHECK(equal(y, expected, count));
            k->scale(y, y, w, bias, 3, width);
            kr_kernels_plain.scale(expected, expected, w, bias, 3, width);
            CHECK(equal(y, expected, count));
            release(x), release(w), release(b), release(y), release(expected);
        }
    test_note("%s", "");
}

TEST(kernels_scaling_equals_plain)
{
    with_tables(check_scaling);
}

static void check_gates(const kr_kernels *k)
{
    kr_random random = kr_random_from(8);

    for (int kind = 0; kind <= KR_NONE; kind++)
        for (size_t width = 1; width <= 36; width++) {
            size_t  stride = 2 * width + 1, count = 3 * (width + 2);
            float  *x = floats(&random, 3 * stride, 1);
            float  *y = floats(&random, count, 0), *expected = copy_of(y, count);
            kr_gate p = { x + width, x, stride, stride, y, width + 2, 3, width, kind };

            k->gate(&p);
            p.y = expected;
            kr_kernels_plain.gate(&p);
            test_note("%s: gate of kind %d, %zu wide", k->name, kind, width);
            CHECK(equal(y, expected, count));
            release(x), release(y), release(expected);
        }
    test_note("%s", "");
}

TEST(kernels_gates_equal_plain)
{
    with_tables(check_gates);
}

TEST(kernels_rows_equal_plain)
{
    with_tables(check_rows);
}

/* All exponents and signs, and what lies around the clamps. */
static void check_activations(const kr_kernels *k)
{
    enum { COUNT = 40003 };
    kr_random random = kr_random_from(6);

    for (int kind = 0; kind < KR_ACTIVATIONS; kind++) {
        float *x = floats(&random, COUNT, 0), *expected;

        for (size_t i = 0; i < COUNT; i++)
            x[i] = i % 2 ? kr_float_of(kr_random_u32(&random)) : kr_random_unit(&random) * 100.0f;
        for (size_t i = 0; i < 40; i++)             /* zeros of both signs in every place of a vector */
            x[i] = i % 3 ? -0.0f : 0.0f;
        expected = copy_of(x, COUNT);
        k->activate(x, COUNT, kind);
        kr_kernels_plain.activate(expected, COUNT, kind);
        CHECK(equal(x, expected, COUNT));
        release(x), release(expected);
    }
}

TEST(kernels_activations_equal_plain)
{
    with_tables(check_activations);
}
