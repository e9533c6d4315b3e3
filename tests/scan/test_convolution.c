/*
 * test_convolution.c - convolutions against the recurrence in double: memories that are short, longer than the
 * longest block and endless, from any state, for any cut, and behind rows of the other modes.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/hash.h"
#include "core/complex.h"
#include "scan/convolution.h"
#include "scan/diagonal.h"
#include "support/random.h"
#include "test.h"

enum { CHANNELS = 19, STATES = 2, PANELS = 2, NUMBERS = 2 * KR_LANES * STATES, ALL = PANELS * NUMBERS, STRIDE = 23 };

/* A bank of diagonal recurrences, all as far from the unit circle, with rows for it and what they should become. */
typedef struct bank {
    float       a[2 * ALL], power[2 * ALL], c[ALL], d[PANELS * KR_LANES], h[ALL];
    float      *x, *y;                  /* [rows][STRIDE] */
    double     *truth;                  /* [rows][CHANNELS] */
    double      left[ALL];              /* the states behind */
    double      scale[CHANNELS], most;  /* the largest sum of magnitudes in a y; the largest state */
    size_t      rows;
    uint32_t    reach[PANELS];
    kr_diagonal job;
    const kr_kernels *kernels;
} bank;

/* ---- a bank ---------------------------------------------------------------------------------------- */

static size_t place(size_t channel, size_t state, size_t parts)
{
    return (channel / KR_LANES * STATES + state) * parts * KR_LANES + channel % KR_LANES;
}

/* a as two floats. */
static void set_pole(float *to, double re, double im)
{
    to[0] = (float)re;
    to[KR_LANES] = (float)im;
    to[2 * KR_LANES] = (float)(re - (double)to[0]);
    to[3 * KR_LANES] = (float)(im - (double)to[KR_LANES]);
}

static void fill_truth(bank *b)
{
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t n = 0; n < STATES; n++) {
            const float *a = b->a + place(c, n, 4), *read = b->c + place(c, n, 2), *h = b->h + place(c, n, 2);
            double       a_re = (double)a[0] + (double)a[2 * KR_LANES], a_im = (double)a[KR_LANES] + (double)a[3 * KR_LANES];
            double       re = (double)h[0], im = (double)h[KR_LANES];

            for (size_t t = 0; t < b->rows; t++) {
                double u = (double)b->x[t * STRIDE + c], old = re, *y = b->truth + t * CHANNELS + c;

                re = a_re * old - a_im * im + u;
                im = a_re * im + a_im * old;
                *y += (n ? 0 : (double)b->d[c] * u) + (double)read[0] * re + (double)read[KR_LANES] * im;
                b->scale[c] = fmax(b->scale[c], fabs((double)b->d[c] * u) +
                                                    hypot(re, im) * hypot((double)read[0], (double)read[KR_LANES]));
                b->most = fmax(b->most, hypot(re, im));
            }
            b->left[place(c, n, 2)] = re;
            b->left[place(c, n, 2) + KR_LANES] = im;
        }
}

static bank *bank_of(double radius, size_t rows, uint64_t seed)
{
    kr_random random = kr_random_from(seed);
    bank     *b = calloc(1, sizeof *b);

    b->rows = rows;
    b->x = calloc(rows * STRIDE, sizeof *b->x);
    b->y = calloc(rows * STRIDE, sizeof *b->y);
    b->truth = calloc(rows * CHANNELS, sizeof *b->truth);
    for (size_t i = 0; i < ALL; i++)
        b->c[i] = kr_random_unit(&random);
    for (size_t i = 0; i < PANELS * KR_LANES; i++)
        b->d[i] = kr_random_unit(&random);
    b->reach[0] = b->reach[1] = 1;
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t n = 0; n < STATES; n++) {
            double     angle = 3 * (double)kr_random_unit(&random);
            kr_complex a = { radius * cos(angle), radius * sin(angle) };

            set_pole(b->a + place(c, n, 4), a.re, a.im);
            a = kr_complex_power(a, kr_diagonal_segment(STATES));
            set_pole(b->power + place(c, n, 4), a.re, a.im);
            b->h[place(c, n, 2)] = 4 * kr_random_unit(&random);
            b->h[place(c, n, 2) + KR_LANES] = 4 * kr_random_unit(&random);
            kr_convolution_extend(&b->reach[c / KR_LANES], radius);
        }
    for (size_t i = 0; i < rows * STRIDE; i++)
        b->x[i] = kr_random_unit(&random);
    b->job = (kr_diagonal){ b->a, b->c, b->d, b->x, STRIDE, b->h, b->y, STRIDE, rows, CHANNELS, STATES, 1 };
    b->kernels = kr_kernels_best();
    fill_truth(b);
    return b;
}

static void bank_free(bank *b)
{
    free(b->x), free(b->y), free(b->truth), free(b);
}

static void run_panel(const void *job, size_t panel, const kr_panel_rows *rows, float *state)
{
    static const float zeros[KR_LANES];
    const bank *b = job;
    kr_diagonal p = b->job;

    p.a += panel * 2 * NUMBERS;
    p.c += panel * NUMBERS;
    p.d += panel * KR_LANES;
    p.x = rows->x ? rows->x : zeros;
    p.x_stride = rows->x ? rows->x_stride : 0;
    p.y = rows->y;
    p.y_stride = rows->y_stride;
    p.h = state;
    p.rows = rows->rows;
    p.channels = panel ? CHANNELS - KR_LANES : KR_LANES;
    b->kernels->diagonal(&p);
}

/* ---- three ways on ------------------------------------------------------------------------------------ */

static void convolve(bank *b, size_t from, size_t rows)
{
    kr_convolution of = { b->kernels, run_panel, b, CHANNELS, NUMBERS, 0, b->reach, { 0, NULL, NULL } };
    kr_carve       carve = { 0 };
    kr_convolver   c;

    kr_convolution_take(&of, rows, &carve);
    kr_convolver_take(&of, rows, &carve);
    carve = (kr_carve){ .base = aligned_alloc(KR_ALIGN, carve.used) };
    memset(carve.base, 0xff, KR_ALIGN);
    kr_convolution_take(&of, rows, &carve);
    kr_fft_plan(&of.fft, 0);
    c = kr_convolver_take(&of, rows, &carve);
    for (size_t panel = 0; panel < PANELS; panel++) {
        kr_panel_rows part = { b->x + from * STRIDE + panel * KR_LANES, b->y + from * STRIDE + panel * KR_LANES, STRIDE,
                               STRIDE, rows };

        kr_convolver_begin(&c, panel);
        kr_convolver_run(&c, &part, b->h + panel * NUMBERS);
    }
    free(carve.base);
}

static kr_diagonal rows_of(const bank *b, size_t from, size_t rows)
{
    kr_diagonal p = b->job;

    p.x += from * STRIDE;
    p.y += from * STRIDE;
    p.rows = rows;
    return p;
}

static void recur(bank *b, size_t from, size_t rows)
{
    kr_diagonal p = rows_of(b, from, rows);

    kr_kernels_best()->diagonal(&p);
}

static void scan(bank *b, size_t from, size_t rows)
{
    kr_diagonal p = rows_of(b, from, rows);
    kr_tasks    tasks = { 1, NULL, NULL, 0 };
    kr_carve    carve = { 0 };
    float      *room;

    kr_diagonal_take(rows, CHANNELS, STATES, &carve);
    room = aligned_alloc(KR_ALIGN, carve.used + KR_ALIGN);
    kr_diagonal_scan(kr_kernels_best(), &p, b->power, &tasks, room);
    free(room);
}

/* Of the largest sum, and of the largest state. */
static void check_bank(const bank *b, double bound)
{
    double worst = 0, state = 0;

    for (size_t t = 0; t < b->rows; t++)
        for (size_t c = 0; c < CHANNELS; c++)
            worst = fmax(worst, fabs((double)b->y[t * STRIDE + c] - b->truth[t * CHANNELS + c]) / b->scale[c]);
    for (size_t i = 0; i < ALL; i++) {
        double distance = fabs((double)b->h[i] - b->left[i]) / b->most;

        if (!(distance <= state))       /* no fmax: gcc 12 for AArch64 breaks down at it */
            state = distance;
    }
    CHECK_CLOSE(worst, 0, bound);
    CHECK_CLOSE(state, 0, bound);
    for (size_t t = 0; t < b->rows; t++)
        for (size_t c = CHANNELS; c < STRIDE; c++)
            CHECK(b->y[t * STRIDE + c] == 0);
    if (getenv("KRAIT_DISTANCE")) {
        printf("     %zu rows, reach %u: y %.2g, state %.2g\n", b->rows, b->reach[0], worst, state);
    }
}

/* KRAIT_DISTANCE=1 prints the table of docs/numerics.md. */
static const struct { double radius, bound; } memories[] = {
    { 0, 1e-6 }, { 0.5, 1e-6 }, { 0.92, 1e-6 }, { 0.97, 1e-6 }, { 0.995, 2e-6 }, { 0.9999, 2e-5 }, { 1, 3e-5 },
};

TEST(convolution_from_any_state)
{
    static const size_t cuts[][3] = { { 40000 }, { 15, 16, 39969 }, { 20000, 1, 19999 }, { 700, 300, 39000 } };

    for (size_t i = 0; i < sizeof memories / sizeof *memories; i++)
        for (size_t cut = 0; cut < sizeof cuts / sizeof *cuts; cut++) {
            bank *b = bank_of(memories[i].radius, 40000, 100 + i);

            test_note("1 - |a| = %g, cut %zu", 1 - memories[i].radius, cut);
            for (size_t k = 0, from = 0; k < 3 && from < b->rows; from += cuts[cut][k++])
                convolve(b, from, cuts[cut][k]);
            check_bank(b, memories[i].bound);
            bank_free(b);
            b = bank_of(memories[i].radius, 40000, 100 + i);
            recur(b, 0, cut == 0 ? b->rows : 0);        /* it is as far from the truth itself, if asked for */
            if (cut == 0)
                check_bank(b, memories[i].bound);
            bank_free(b);
        }
    test_note("%s", "");
}

TEST(convolution_after_other_modes)
{
    static void (*const ways[])(bank *b, size_t from, size_t rows) = { recur, convolve, scan, convolve, recur, scan };

    for (size_t i = 0; i < sizeof memories / sizeof *memories; i++) {
        bank *b = bank_of(memories[i].radius, 9000, 200 + i);

        test_note("1 - |a| = %g", 1 - memories[i].radius);
        for (size_t k = 0; k < 18; k++)
            ways[k % 6](b, k * 500, 500);
        check_bank(b, memories[i].bound);
        bank_free(b);
    }
    test_note("%s", "");
}

/* ---- where it is the recurrence ---------------------------------------------------------------------- */

/* The same bits as row by row, NaN being NaN. */
static void check_recurs(double radius, size_t rows, float odd, size_t at, float start)
{
    bank *a = bank_of(radius, rows, 300), *b = bank_of(radius, rows, 300);

    test_note("1 - |a| = %g, %zu rows, %g at %zu, from %g", 1 - radius, rows, (double)odd, at, (double)start);
    if (odd != 0)
        a->x[at] = b->x[at] = odd;
    if (start != 0)
        a->h[NUMBERS + 3] = b->h[NUMBERS + 3] = start;
    recur(a, 0, rows);
    convolve(b, 0, rows);
    for (size_t i = 0; i < rows * STRIDE; i++)
        if ((odd == 0 || i % STRIDE < KR_LANES) && (start == 0 || i % STRIDE >= KR_LANES) &&
            !CHECK(kr_canonical_bits(a->y[i]) == kr_canonical_bits(b->y[i])))
            break;
    for (size_t i = start == 0 ? 0 : NUMBERS; i < (odd == 0 ? ALL : NUMBERS); i++)
        CHECK(kr_canonical_bits(a->h[i]) == kr_canonical_bits(b->h[i]));
    test_note("%s", "");
    bank_free(a), bank_free(b);
}

TEST(convolution_is_row_by_row_where_it_must)
{
    check_recurs(0.9, KR_FFT_LEAST - 1, 0, 0, 0);
    check_recurs(1.001, 3000, 0, 0, 0);
    check_recurs(0.9, 3000, NAN, 2000 * STRIDE + 3, 0);
    check_recurs(0.9, 3000, -INFINITY, 2, 0);
    check_recurs(0.9, 3000, 3e30f, 2999 * STRIDE, 0);
    check_recurs(0.9, 3000, 0, 0, INFINITY);
    check_recurs(0.99, 500, 0, 0, -2e20f);
    check_recurs(0.99, 500, 0, 0, NAN);
}

/* What every machine makes of it: blocks of 256 rows that see one another, and one from a state that stays. */
TEST(convolution_bits)
{
    static const char *const tables[] = { "plain", "avx2", "avx512", "neon", "neon_dot" };
    static const uint64_t    right[] = { 0x4ed43dada8ac19c7u, 0x27e8763b711af186u };

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (size_t k = 0; k < 2 && kr_kernels_named(tables[i]); k++) {
            bank    *b = bank_of(k ? 1 : 0.875, 1000, 400);
            uint64_t hash = KR_HASH_START;

            b->kernels = kr_kernels_named(tables[i]);
            for (size_t t = 0; t < b->rows * STRIDE; t++)       /* no rounding of libm's in it */
                b->x[t] = (float)((int)(t * 40503u >> 4 & 1023) - 512) * 0x1p-9f;
            for (size_t at = 0; at < 2 * ALL; at++)
                b->a[at] = at / KR_LANES % 4 == 0 ? (k ? 0.8f : 0.625f) : at / KR_LANES % 4 == 1 ? (k ? 0.6f : 0.5f) : 0;
            convolve(b, 0, b->rows);
            hash = kr_hash_floats(kr_hash_floats(hash, b->y, b->rows * STRIDE), b->h, ALL);
            test_note("%s", tables[i]);
            CHECK_U64(hash, right[k]);
            bank_free(b);
        }
    test_note("%s", "");
}

TEST(convolution_reaches)
{
    uint32_t reach = 1;

    CHECK_INT(kr_convolution_reach(0), 1);
    CHECK_INT(kr_convolution_reach(1.001), 0);
    CHECK_INT(kr_convolution_reach((double)NAN), 0);
    CHECK(kr_convolution_reach(1) == UINT32_MAX && kr_convolution_reach(1 + 0x1p-24) == UINT32_MAX);
    for (double radius = 0.25; radius < 0.9999; radius = (1 + radius) / 2) {
        double rows = (double)kr_convolution_reach(radius);

        CHECK(pow(radius, rows) <= 0x1p-32 && pow(radius, rows - 3) > 0x1p-32);
    }
    kr_convolution_extend(&reach, 0.9);
    kr_convolution_extend(&reach, 0.5);
    CHECK_INT(reach, kr_convolution_reach(0.9));
    kr_convolution_extend(&reach, 2);
    kr_convolution_extend(&reach, 0.5);
    CHECK_INT(reach, 0);
}
