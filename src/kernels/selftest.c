/*
 * selftest.c - fixed sums that come out wrong when a compiler flag changes arithmetic.
 *
 * Macros show some of those flags (core/build.h); -fassociative-math, -freciprocal-math,
 * -ffp-contract=fast and their like, in one file or in all, show only in results.  So every
 * kernel is called once and its bits are compared with those of a right build; the inputs hold
 * what such flags change: sums that cancel, products that round to -0, sums next to halfway.
 */
#include "kernels/selftest.h"

#include "core/hash.h"
#include "core/real.h"
#include "kernels/pack.h"

/* ---- sums written out: volatile, so that the compiler computes none of them -------------- */

/* (a * b) - a * b is zero unless one of the two products was kept wide. */
static int selftest_contraction(void)
{
    volatile float  a = 0x1.000002p0f, b = 0x1.fffffep-1f;
    volatile double x = 0x1.0000000000001p0, y = 0x1.fffffffffffffp-1;
    float           product = a * b, contracted = a * b - product;
    double          wide = x * y, also = x * y - wide;

    return contracted == 0.0f && also == 0.0;
}

static int selftest_rules(void)
{
    volatile float one = 1.0f, big = 0x1p30f, tiny = 0x1p-130f, minus = -0.0f, odd = 0x1.063p0f;
    float          grouped = (one + big) - big, down = tiny * 0.5f, zero = minus + 0.0f;

    return grouped == 0.0f && down == 0x1p-131f && kr_bits_of(zero) == 0 &&
           kr_bits_of(odd / 127.0f) == 0x3c042041u;
}

/* Many quotients of one divisor: times its reciprocal they are others. */
static int selftest_division(void)
{
    volatile float numbers[4] = { 3.0f, 6.0f, 12.0f, 17.0f }, three = 0x1.800004p1f;
    const uint32_t right[4] = { 0x3f7ffffdu, 0x3ffffffdu, 0x407ffffdu, 0x40b55553u };
    float          divisor = three;
    int            same = 0;

    for (int i = 0; i < 4; i++)
        same += kr_bits_of(numbers[i] / divisor) == right[i];
    return same == 4;
}

/* The product is halfway between two floats, and c, lost in a double, decides. */
static int selftest_fma(void)
{
    volatile float a = 0x1.001p0f, c = 0x1p-80f;
    float          up = kr_fma_soft(a, a, c), down = kr_fma_soft(a, a, -c);

    return up == 0x1.002002p0f && down == 0x1.002p0f && kr_fma(a, a, c) == up && kr_fma(a, a, -c) == down &&
           kr_fma(a, a, -a * a) == 0x1p-24f;
}

/* ---- every kernel, once ------------------------------------------------------------------- */

enum {
    ST_ROWS = 3, ST_IN = 72, ST_OUT = 20, ST_PADDED = 32,   /* two segments, a panel and a part */
    ST_BLOCKS = 2, ST_TAPS = 3, ST_STATES = 10, ST_WIDTH = 37, ST_MET = 3
};

/* Numbers in [-1, 1). */
static void selftest_fill(float *x, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)((int32_t)(seed >> 8) - 8388608) * 0x1p-23f;
    }
}

/* The first output sums to next to halfway, the last row of x to zeros of either sign. */
static uint64_t selftest_floats(const kr_kernels *k, uint64_t hash)
{
    float      w[ST_IN * ST_PADDED], x[ST_ROWS * ST_IN], bias[ST_OUT], y[ST_ROWS * ST_OUT];
    uint16_t   half[ST_IN * ST_PADDED];
    kr_matrix  matrix = { w, ST_OUT, ST_IN, KRAIT_F32 };
    kr_product p = { &matrix, NULL, x, ST_IN, NULL, y, ST_OUT, ST_ROWS };

    selftest_fill(w, ST_IN * ST_PADDED, 1);
    selftest_fill(x, ST_ROWS * ST_IN, 2);
    selftest_fill(bias, ST_OUT, 3);
    for (size_t i = 0; i < ST_IN; i++) {
        w[i * ST_PADDED] = i == 0 ? 0x1p-40f : i == 1 ? 0x1.001p0f : 0.0f;
        x[(ST_ROWS - 1) * ST_IN + i] = -0x1p-149f;
    }
    x[0] = 0x1p-40f;
    x[1] = 0x1.001p0f;
    for (size_t i = 0; i < ST_IN * ST_PADDED; i++)
        kr_pack_put_f32(w, i, w[i]);
    k->product_f32(&p);
    hash = kr_hash_floats(hash, y, ST_ROWS * ST_OUT);
    p.bias = bias;
    k->product_f32(&p);
    hash = kr_hash_floats(hash, y, ST_ROWS * ST_OUT);
    for (size_t i = 0; i < ST_IN * ST_PADDED; i++)      /* 1 to 2, and -1 to -2 */
        kr_pack_put_u16(half, i, (uint16_t)(0x3c00u + (i * 40503u >> 3 & 0x3ffu) + (i % 3 == 1 ? 0x8000u : 0)));
    matrix.data = half;
    k->product_f16(&p);
    hash = kr_hash_floats(hash, y, ST_ROWS * ST_OUT);
    k->product_bf16(&p);
    return kr_hash_floats(hash, y, ST_ROWS * ST_OUT);
}

static uint64_t selftest_blocks(const kr_kernels *k, uint64_t hash)
{
    enum { INPUTS = ST_BLOCKS * KR_BLOCK, RECORD = 2 * ST_PADDED + KR_BLOCK * ST_PADDED };
    unsigned char records[ST_BLOCKS * RECORD];
    float         x[ST_ROWS * INPUTS], y[ST_ROWS * ST_OUT];
    kr_q8         q[ST_ROWS * ST_BLOCKS];
    kr_matrix     matrix = { records, ST_OUT, INPUTS, KRAIT_Q8_0 };
    kr_product    p = { &matrix, NULL, NULL, 0, q, y, ST_OUT, ST_ROWS };

    selftest_fill(x, ST_ROWS * INPUTS, 4);
    for (size_t i = 0; i < KR_BLOCK; i++)
        x[i] = i % 2 ? (float)(i / 2) + 0.5f : 127.0f - 2.0f * (float)i;        /* ties */
    for (size_t b = 1; b < ST_ROWS * ST_BLOCKS; b++)    /* / 127 is not * (1 / 127) */
        x[b * KR_BLOCK + b] = -1.0f - (float)(127 * b - 28) * 0x1p-12f;
    k->quantize(q, x, INPUTS, ST_ROWS, INPUTS);
    for (size_t i = 0; i < ST_ROWS * ST_BLOCKS; i++) {
        hash = kr_hash_floats(hash, &q[i].scale, 1);
        hash = kr_hash_word(kr_hash_bytes(hash, q[i].q, KR_BLOCK), (uint32_t)q[i].sum);
    }
    for (size_t i = 0; i < sizeof records; i++)
        records[i] = (unsigned char)(1 + (i * 40503u >> 5) % 255);
    for (size_t i = 0; i < ST_BLOCKS * ST_PADDED; i++)
        kr_store_u16(records + i / ST_PADDED * RECORD + 2 * (i % ST_PADDED), (uint16_t)(0x1c01u + 37 * i));
    k->product_blocks(&p);
    return kr_hash_floats(hash, y, ST_ROWS * ST_OUT);
}

/* Every type of blocks, one record of 256 inputs or as many of 32: any bytes are codes and scales, but for halves. */
static uint64_t selftest_types(const kr_kernels *k, uint64_t hash)
{
    enum { INPUTS = 256, BLOCKS = INPUTS / KR_BLOCK, MOST = BLOCKS * (KR_BLOCK + 2) * ST_PADDED };
    static const int32_t types[] = {
#define KR_PANELS(name, TYPE, ...) TYPE,
#include "core/panels.def"
#undef KR_PANELS
    };
    unsigned char records[MOST];
    float         x[ST_ROWS * INPUTS], y[ST_ROWS * ST_OUT];
    kr_q8         q[ST_ROWS * BLOCKS];
    kr_matrix     matrix = { records, ST_OUT, INPUTS, 0 };
    kr_product    p = { &matrix, NULL, NULL, 0, q, y, ST_OUT, ST_ROWS };

    selftest_fill(x, ST_ROWS * INPUTS, 28);
    k->quantize(q, x, INPUTS, ST_ROWS, INPUTS);
    for (size_t i = 0; i < ST_ROWS * BLOCKS; i++)
        hash = kr_hash_word(hash, (uint32_t)q[i].first);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        kr_layout layout = kr_layout_of(types[t]);

        matrix.type = types[t];
        for (size_t i = 0; i < sizeof records; i++)
            records[i] = (unsigned char)(i * 40503u >> 5);
        for (size_t i = 0; i < INPUTS / layout.inputs; i++)
            for (size_t h = 0; h < layout.halves * ST_PADDED; h++)
                kr_store_u16(records + i * kr_layout_record(layout) * ST_PADDED + 2 * h, (uint16_t)(0x1c01u + 37 * h));
        k->product_blocks(&p);
        hash = kr_hash_floats(hash, y, ST_ROWS * ST_OUT);
    }
    return hash;
}

static uint64_t selftest_states(uint64_t hash, const float *h)
{
    for (size_t c = 0; c < ST_OUT; c++)
        for (size_t n = 0; n < ST_STATES; n++)
            hash = kr_hash_floats(hash, &h[(c / KR_LANES * ST_STATES + n) * KR_LANES + c % KR_LANES], 1);
    return hash;
}

/* States of two parts. */
static uint64_t selftest_pairs(uint64_t hash, const float *h)
{
    for (size_t c = 0; c < ST_OUT; c++)
        for (size_t n = 0; n < 2 * ST_STATES; n++)
            hash = kr_hash_floats(hash, &h[(c / KR_LANES * 2 * ST_STATES + n) * KR_LANES + c % KR_LANES], 1);
    return hash;
}

static uint64_t selftest_sequences(const kr_kernels *k, uint64_t hash)
{
    float w[ST_TAPS * ST_PADDED], x[ST_ROWS * ST_OUT], dt[ST_ROWS * ST_OUT], y[ST_ROWS * ST_OUT];
    float a[ST_STATES * ST_PADDED], h[ST_STATES * ST_PADDED], bc[ST_ROWS * 2 * ST_STATES];
    float left[ST_STATES * ST_PADDED], end[ST_STATES * ST_PADDED];
    kr_conv      conv = { w, a, x, ST_OUT, h, ST_OUT, y, ST_OUT, ST_ROWS, ST_OUT, ST_TAPS, 0 };
    kr_selective scan = { a, w, x, dt, y, ST_OUT, ST_OUT, ST_OUT, bc, bc + ST_STATES, 2 * ST_STATES, h, dt,
                          ST_OUT, ST_ROWS, ST_OUT, ST_STATES, 0 };
    float        out[ST_ROWS * ST_OUT];

    selftest_fill(w, ST_TAPS * ST_PADDED, 5);
    selftest_fill(x, ST_ROWS * ST_OUT, 6);
    selftest_fill(dt, ST_ROWS * ST_OUT, 7);
    selftest_fill(a, ST_STATES * ST_PADDED, 8);
    selftest_fill(h, ST_STATES * ST_PADDED, 9);
    selftest_fill(bc, ST_ROWS * 2 * ST_STATES, 10);
    k->conv(&conv);
    hash = kr_hash_floats(hash, y, ST_ROWS * ST_OUT);
    conv.silu = 1;
    k->conv(&conv);
    hash = kr_hash_floats(hash, y, ST_ROWS * ST_OUT);
    k->activate(dt, ST_ROWS * ST_OUT, KR_SOFTPLUS);
    h[0] = 0x1.8p-100f;                                 /* decays to +0 */
    x[0] = 0;
    scan.y = out;
    k->selective_summary(&scan, left, end);
    hash = selftest_states(selftest_states(hash, left), end);
    left[1] = 0x1p-99f;
    k->combine(left, end, a, h, ST_STATES * ST_PADDED);
    hash = selftest_states(selftest_states(hash, left), end);
    k->combine(left, end, NULL, h, ST_STATES * ST_PADDED);
    hash = selftest_states(selftest_states(hash, left), end);
    k->selective(&scan);
    hash = kr_hash_floats(selftest_states(hash, h), out, ST_ROWS * ST_OUT);
    scan.softplus = 1;
    k->selective(&scan);
    return kr_hash_floats(selftest_states(hash, h), out, ST_ROWS * ST_OUT);
}

/* Two heads of a panel and a part, more states than a segment has; the first state decays to +0. */
static uint64_t selftest_heads(const kr_kernels *k, uint64_t hash)
{
    enum { HEADS = 2, WIDTH = 18, STATES = KR_SEGMENT + 3, ALL = HEADS * WIDTH };
    float    raw[ST_ROWS * HEADS], a[HEADS], dt[ST_ROWS * HEADS], decay[ST_ROWS * HEADS];
    float    x[ST_ROWS * ALL], y[ST_ROWS * ALL], d[ALL], bc[ST_ROWS * 2 * STATES], h[HEADS * ST_PADDED * STATES];
    kr_pace  pace = { raw, HEADS, NULL, a, 0.25f, 0.75f, dt, decay, ST_ROWS, HEADS };
    kr_heads p = { x, dt, decay, bc, bc + STATES, d, h, y, ALL, HEADS, 2 * STATES, ALL, ST_ROWS, HEADS, WIDTH, STATES };

    selftest_fill(raw, ST_ROWS * HEADS, 18);
    selftest_fill(a, HEADS, 19);
    selftest_fill(x, ST_ROWS * ALL, 20);
    selftest_fill(d, ALL, 21);
    selftest_fill(bc, ST_ROWS * 2 * STATES, 22);
    selftest_fill(h, HEADS * ST_PADDED * STATES, 23);
    a[0] = -0.75f;
    h[0] = 0x1.1p-100f;
    x[0] = 0;
    k->pace(&pace);
    pace.bias = d;
    pace.high = 0.875f;
    hash = kr_hash_floats(kr_hash_floats(hash, dt, ST_ROWS * HEADS), decay, ST_ROWS * HEADS);
    k->pace(&pace);
    hash = kr_hash_floats(kr_hash_floats(hash, dt, ST_ROWS * HEADS), decay, ST_ROWS * HEADS);
    k->heads(&p);
    hash = kr_hash_floats(hash, y, ST_ROWS * ALL);
    for (size_t i = 0; i < HEADS * STATES; i++)         /* channels, without their padding */
        hash = kr_hash_floats(hash, h + i * ST_PADDED, WIDTH);
    return hash;
}

/* The small parts of the matrix form; next to 1, and in the end below the bound of the flush. */
static uint64_t selftest_chunk(const kr_kernels *k, uint64_t hash)
{
    enum { WIDTH = 18 };
    float    products[ST_ROWS * KR_CHUNK], weights[ST_ROWS * KR_CHUNK], before[ST_ROWS * KR_CHUNK];
    float    decay[ST_ROWS] = { 0.9f, 0.8f, 0x1.8p-101f }, since[ST_ROWS], left[ST_ROWS];
    float    x[ST_ROWS * WIDTH], d[WIDTH], y[ST_ROWS * WIDTH];
    kr_fade  fade = { products, decay, 1, ST_ROWS, weights, since, left };
    kr_chunk chunk = { products, before, since, x, d, y, WIDTH, WIDTH, ST_ROWS, WIDTH };

    selftest_fill(products, ST_ROWS * KR_CHUNK, 24);
    selftest_fill(before, ST_ROWS * KR_CHUNK, 25);
    selftest_fill(x, ST_ROWS * WIDTH, 26);
    selftest_fill(d, WIDTH, 27);
    k->fade(&fade);
    for (size_t r = 0; r < ST_ROWS; r++)
        hash = kr_hash_floats(hash, weights + r * KR_CHUNK, KR_LANES);
    hash = kr_hash_floats(kr_hash_floats(hash, since, ST_ROWS), left, ST_ROWS);
    k->chunk(&chunk);
    hash = kr_hash_floats(hash, y, ST_ROWS * WIDTH);
    k->weigh(y, WIDTH, x, WIDTH, decay, 1, ST_ROWS, WIDTH);
    return kr_hash_floats(hash, y, ST_ROWS * WIDTH);
}

/* Both parts of the first state fall below the bound in the first row. */
static uint64_t selftest_diagonal(const kr_kernels *k, uint64_t hash)
{
    float       a[4 * ST_STATES * ST_PADDED], c[2 * ST_STATES * ST_PADDED], h[2 * ST_STATES * ST_PADDED];
    float       end[2 * ST_STATES * ST_PADDED], d[ST_OUT], x[ST_ROWS * ST_OUT], y[ST_ROWS * ST_OUT];
    kr_diagonal p = { a, c, d, x, ST_OUT, h, y, ST_OUT, ST_ROWS, ST_OUT, ST_STATES, 0 };

    selftest_fill(a, 4 * ST_STATES * ST_PADDED, 13);
    selftest_fill(c, 2 * ST_STATES * ST_PADDED, 14);
    selftest_fill(h, 2 * ST_STATES * ST_PADDED, 15);
    selftest_fill(d, ST_OUT, 16);
    selftest_fill(x, ST_ROWS * ST_OUT, 17);
    h[0] = h[KR_LANES] = 0x1p-100f;
    x[0] = 0;
    for (; p.precise < 2; p.precise++) {
        k->diagonal(&p);
        hash = kr_hash_floats(hash, y, ST_ROWS * ST_OUT);
        hash = selftest_pairs(hash, h);
    }
    for (size_t i = 0; i < 2 * ST_STATES * ST_PADDED; i++)
        end[i] = c[i];
    k->diagonal_combine(end, a, h, ST_STATES * ST_PADDED / KR_LANES);
    hash = selftest_pairs(hash, end);
    p.y = NULL;
    k->diagonal(&p);
    return selftest_pairs(hash, h);
}

/* A panel and a part, with and without low parts, and in liquid form; the first state decays to +0. */
static uint64_t selftest_turns(const kr_kernels *k, uint64_t hash)
{
    float   a[4 * ST_PADDED], x[2 * ST_PADDED], v[ST_ROWS * 2 * ST_OUT], y[ST_ROWS * 2 * ST_OUT];
    kr_turn p = { a, 0, x, v, y, 2 * ST_OUT, ST_ROWS, ST_OUT };

    selftest_fill(a, 4 * ST_PADDED, 13);
    selftest_fill(v, ST_ROWS * 2 * ST_OUT, 14);
    v[0] = v[KR_LANES] = 0;
    for (int form = 0; form < 3; form++)
        for (p.low = 0; p.low < 2; p.low++) {
            selftest_fill(x, 2 * ST_PADDED, 15);
            x[0] = 0x1.8p-100f;
            x[KR_LANES] = 0;
            if (form == 0)
                k->turn(&p);
            else
                k->liquid(&p, form == 2);
            hash = kr_hash_floats(hash, y, ST_ROWS * 2 * ST_OUT);
            for (size_t s = 0; s < ST_OUT; s++)
                for (size_t part = 0; part < 2; part++)
                    hash = kr_hash_floats(hash, &x[(s / KR_LANES * 2 + part) * KR_LANES + s % KR_LANES], 1);
        }
    return hash;
}

/* Each number of sums, with and without low parts; the first state decays to +0 in the first row. */
static uint64_t selftest_ranks(const kr_kernels *k, uint64_t hash)
{
    float   w[29 * ST_MET * ST_PADDED], x[2 * ST_MET * ST_PADDED], d[ST_OUT], u[ST_ROWS * ST_OUT], y[ST_ROWS * ST_OUT];
    kr_rank p = { w, d, u, ST_OUT, x, y, ST_OUT, ST_ROWS, ST_OUT, ST_MET, 1, 0 };

    selftest_fill(w, 29 * ST_MET * ST_PADDED, 18);
    selftest_fill(d, ST_OUT, 19);
    selftest_fill(u, ST_ROWS * ST_OUT, 20);
    u[0] = 0;
    for (int i = 0; i < 6; i++) {
        p.rank = 1 + (size_t)i / 2;
        p.precise = i % 2;
        selftest_fill(x, 2 * ST_MET * ST_PADDED, 21);
        for (size_t n = 0; n < 2 * ST_MET; n++)
            x[n * KR_LANES] = 0x1p-101f;
        k->rank(&p);
        hash = kr_hash_floats(hash, y, ST_ROWS * ST_OUT);
        p.y = NULL;
        k->rank(&p);
        p.y = y;
        for (size_t c = 0; c < ST_OUT; c++)
            for (size_t n = 0; n < 2 * ST_MET; n++)
                hash = kr_hash_floats(hash, &x[(c / KR_LANES * 2 * ST_MET + n) * KR_LANES + c % KR_LANES], 1);
    }
    return hash;
}

/* A spectrum, what it makes of rows, and that added to them: of 8 numbers and of 16, which have no pass of two. */
static uint64_t selftest_fourier(const kr_kernels *k, uint64_t hash)
{
    enum { LENGTH = 8, CHANNELS = 13, STRIDE = 2 * CHANNELS };
    float      twiddles[6 * LENGTH], angles[2 * LENGTH], x[2 * LENGTH * STRIDE], y[LENGTH * STRIDE];
    float      work[4 * LENGTH * KR_LANES], spectrum[4 * LENGTH * KR_LANES];
    kr_fourier p = { twiddles, angles, 1, LENGTH, 0, CHANNELS, x, NULL, STRIDE, 0, spectrum, NULL, y, STRIDE, 0 };

    selftest_fill(twiddles, 6 * LENGTH, 18);
    selftest_fill(angles, 2 * LENGTH, 19);
    selftest_fill(x, 2 * LENGTH * STRIDE, 20);
    for (size_t i = 0; i < LENGTH * STRIDE; i++)
        y[i] = x[i];
    for (; p.pairs < 2; p.pairs++) {
        kr_fourier block = p;

        k->fourier(&p);
        /* Without the padding, zeros whose sign valgrind's fnmadd gets wrong. */
        for (size_t i = 0; i < (size_t)(p.pairs ? 4 : 2) * LENGTH; i++)
            hash = kr_hash_floats(hash, spectrum + i * KR_LANES, CHANNELS);
        block.work = work;
        block.spectrum = spectrum;
        block.x = x + LENGTH * STRIDE;
        block.rows = LENGTH - 1;
        for (; block.add < 2; block.add++) {
            k->fourier(&block);
            hash = kr_hash_floats(hash, y, LENGTH * STRIDE);
        }
    }
    return hash;
}

/* Steps of all sizes, some next to 0; then rows whose times alternate. */
static uint64_t selftest_times(const kr_kernels *k, uint64_t hash)
{
    enum { COUNT = 2, SET = COUNT * 6 * KR_LANES };
    float         numbers[COUNT * 4 * KR_LANES], sets[2 * SET], h[COUNT * 2 * KR_LANES], x[ST_ROWS * 2 * KR_LANES];
    float         c[COUNT * 2 * KR_LANES], y[ST_ROWS * 2 * KR_LANES];
    double        z[COUNT * 4 * KR_LANES];
    const uint8_t which[ST_ROWS] = { 1, 0, 1 };
    kr_discretize p = { z, sets, COUNT, 0.25, KR_HOLD };
    kr_turn_timed turn = { sets, which, h, x, y, 2 * KR_LANES, ST_ROWS, ST_OUT - KR_LANES };
    kr_diagonal_timed diagonal = { sets, which, c, c, x, KR_LANES, h, y, KR_LANES, ST_ROWS, ST_OUT - KR_LANES, COUNT };

    selftest_fill(numbers, COUNT * 4 * KR_LANES, 18);
    for (size_t i = 0; i < COUNT * 4 * KR_LANES; i++)
        z[i] = (double)numbers[i] * (i % 5 == 0 ? 0x1p-30 : i % 5 == 1 ? 40.0 : 3.0);
    for (p.rule = KR_HOLD; p.rule <= KR_IMPULSE; p.rule++)
        for (size_t i = 0; i < 2; i++) {
            p.to = sets + (1 - i) * SET;
            p.time = i ? 0.25 : 1e4;
            k->discretize(&p);
            hash = kr_hash_floats(hash, p.to, SET);
        }
    selftest_fill(h, COUNT * 2 * KR_LANES, 19);
    selftest_fill(x, ST_ROWS * 2 * KR_LANES, 20);
    selftest_fill(c, COUNT * 2 * KR_LANES, 21);
    k->turn_timed(&turn);
    for (size_t i = 0; i < ST_ROWS * 2 * (ST_OUT - KR_LANES); i++)
        hash = kr_hash_floats(hash, &y[i / 8 * 2 * KR_LANES + i % 8], 1);
    k->diagonal_timed(&diagonal);
    for (size_t i = 0; i < ST_ROWS * (ST_OUT - KR_LANES); i++)
        hash = kr_hash_floats(hash, &y[i / 4 * KR_LANES + i % 4], 1);
    for (size_t i = 0; i < COUNT * 2 * (ST_OUT - KR_LANES); i++)
        hash = kr_hash_floats(hash, &h[i / 4 * KR_LANES + i % 4], 1);
    return hash;
}

static uint64_t selftest_rows(const kr_kernels *k, uint64_t hash)
{
    float   x[2 * ST_WIDTH], w[ST_WIDTH], y[2 * ST_WIDTH];
    kr_gate gate = { w, x, 0, ST_WIDTH, y, ST_WIDTH, 2, ST_WIDTH, 0 };

    selftest_fill(x, 2 * ST_WIDTH, 11);
    selftest_fill(w, ST_WIDTH, 12);
    k->rms_norm(y, x, w, 1e-5f, 2, ST_WIDTH);
    hash = kr_hash_floats(hash, y, 2 * ST_WIDTH);
    k->add(y, x, 2 * ST_WIDTH);
    hash = kr_hash_floats(hash, y, 2 * ST_WIDTH);
    for (int given = 0; given < 4; given++) {
        k->layer_norm(y, x, given & 1 ? w : NULL, given & 2 ? w + 1 : NULL, 1e-5f, 2, ST_WIDTH - 1);
        hash = kr_hash_floats(hash, y, 2 * ST_WIDTH - 2);
    }
    k->scale(y, x, w, NULL, 2, ST_WIDTH);
    hash = kr_hash_floats(hash, y, 2 * ST_WIDTH);
    k->scale(y, x, w, x, 2, ST_WIDTH);
    hash = kr_hash_floats(hash, y, 2 * ST_WIDTH);
    k->multiply(y, x, 2 * ST_WIDTH);
    hash = kr_hash_floats(hash, y, 2 * ST_WIDTH);
    for (gate.kind = 0; gate.kind <= KR_NONE; gate.kind++) {
        k->gate(&gate);
        hash = kr_hash_floats(hash, y, 2 * ST_WIDTH);
    }
    for (int kind = 0; kind < KR_ACTIVATIONS; kind++) {
        for (size_t i = 0; i < ST_WIDTH; i++)
            y[i] = i == 0 ? -0.0f : x[i] * (i < 20 ? 8.0f : 100.0f);
        k->activate(y, ST_WIDTH, kind);
        hash = kr_hash_floats(hash, y, ST_WIDTH);
    }
    return hash;
}

uint64_t kr_selftest_hash(const kr_kernels *kernels)
{
    uint64_t hash = KR_HASH_START;

    hash = selftest_floats(kernels, hash);
    hash = selftest_blocks(kernels, hash);
    hash = selftest_types(kernels, hash);
    hash = selftest_sequences(kernels, hash);
    hash = selftest_turns(kernels, hash);
    hash = selftest_rows(kernels, hash);
    hash = selftest_diagonal(kernels, hash);
    hash = selftest_times(kernels, hash);
    hash = selftest_ranks(kernels, hash);
    hash = selftest_heads(kernels, hash);
    hash = selftest_chunk(kernels, hash);
    hash = selftest_fourier(kernels, hash);
    for (int i = -9; i < 9; i++)
        hash = kr_hash_word(hash, kr_bits_of_double(kr_exp((double)i * 0.7310585786300049)));
    return hash;
}

int kr_selftest(const kr_kernels *kernels)
{
    return selftest_contraction() && selftest_rules() && selftest_division() && selftest_fma() &&
           kr_selftest_hash(kernels) == KR_SELFTEST_HASH;
}
