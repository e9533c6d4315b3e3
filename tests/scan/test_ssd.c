/*
 * test_ssd.c - Mamba-2's rows as products of matrices: beside the recurrence row by row, both beside double, and the
 * same bits on every table of kernels.
 */
#include "scan/ssd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "kernels/pack.h"
#include "support/random.h"
#include "test.h"

enum { HEADS = 2, WIDTH = 20, STATES = 12, ALL = HEADS * WIDTH, MEMORY = HEADS * 32 * STATES };

typedef struct stream {
    size_t rows;
    float  a[HEADS];
    float *x, *dt, *decay, *bc, *d, *h, *y;
} stream;

static float *numbers(kr_random *random, size_t count, float low, float high)
{
    float *x = aligned_alloc(KR_ALIGN, (count * 4 + KR_ALIGN) / KR_ALIGN * KR_ALIGN);

    for (size_t i = 0; i < count; i++)
        x[i] = 0.5f * (low + high) + 0.5f * (high - low) * kr_random_unit(random);
    return x;
}

/* -A from 'least' to 'most', dt likewise; h begins with small numbers, and its padding with zeros. */
static stream stream_made(uint64_t seed, size_t rows, float least, float most, float quickest, float slowest)
{
    kr_random random = kr_random_from(seed);
    stream    s = { .rows = rows };

    s.x = numbers(&random, rows * ALL, -1, 1);
    s.dt = numbers(&random, rows * HEADS, quickest, slowest);
    s.decay = numbers(&random, rows * HEADS, 0, 1);
    s.bc = numbers(&random, rows * 2 * STATES, -1, 1);
    s.d = numbers(&random, ALL, -1, 1);
    s.h = numbers(&random, MEMORY, -1, 1);
    s.y = numbers(&random, rows * ALL, 0, 0);
    for (size_t i = 0; i < MEMORY; i++)
        s.h[i] = i % 32 < WIDTH ? s.h[i] : 0;
    for (size_t head = 0; head < HEADS; head++)
        s.a[head] = -(least + (most - least) * (float)head / (HEADS - 1));
    for (size_t i = 0; i < rows * HEADS; i++)
        s.decay[i] = (float)exp((double)s.dt[i] * (double)s.a[i % HEADS]);
    return s;
}

static void stream_free(stream *s)
{
    free(s->x), free(s->dt), free(s->decay), free(s->bc), free(s->d), free(s->h), free(s->y);
}

static kr_heads job_of(const stream *s)
{
    return (kr_heads){ s->x, s->dt, s->decay, s->bc, s->bc + STATES, s->d, s->h, s->y, ALL, HEADS, 2 * STATES, ALL, s->rows,
                       HEADS, WIDTH, STATES };
}

/* In room that holds rubbish. */
static void run_products(const stream *s, const kr_kernels *k)
{
    kr_heads    job = job_of(s);
    kr_carve    carve = { 0 };
    kr_ssd_room room;

    kr_ssd_take(STATES, &carve);
    carve.base = aligned_alloc(KR_ALIGN, carve.used);
    memset(carve.base, 0xff, carve.used);
    carve.used = 0;
    room = kr_ssd_take(STATES, &carve);
    kr_ssd_run(k, &job, &room);
    free(carve.base);
}

static void run_rows(const stream *s, const kr_kernels *k)
{
    kr_heads job = job_of(s);

    k->heads(&job);
}

/* ---- how far from the truth --------------------------------------------------------------------------------- */

/* fmax() would pass over a NaN. */
static double further(double most, double off)
{
    return off <= most ? most : off == off ? off : INFINITY;
}

/* y in double, and the largest sum of magnitudes of every channel. */
static void truth_of(const stream *s, double *truth, double *scale)
{
    kr_matrix layout = { NULL, WIDTH, STATES, KRAIT_F32 };

    for (size_t c = 0; c < ALL; c++) {
        double state[STATES];

        for (size_t n = 0; n < STATES; n++)
            state[n] = (double)s->h[c / WIDTH * 32 * STATES + kr_pack_index(&layout, c % WIDTH, n)];
        for (size_t t = 0; t < s->rows; t++) {
            const float *b = s->bc + t * 2 * STATES;
            double       dt = (double)s->dt[t * HEADS + c / WIDTH], x = (double)s->x[t * ALL + c];
            double       sum = (double)s->d[c] * x, size = fabs(sum), decay = exp(dt * (double)s->a[c / WIDTH]);

            for (size_t n = 0; n < STATES; n++) {
                state[n] = decay * state[n] + dt * x * (double)b[n];
                sum += (double)b[STATES + n] * state[n];
                size += fabs((double)b[STATES + n] * state[n]);
            }
            truth[t * ALL + c] = sum;
            scale[c] = fmax(scale[c], size);
        }
    }
}

/* KRAIT_DISTANCE=1 prints the table of docs/numerics.md. */
TEST(ssd_is_as_close_as_the_recurrence)
{
    static const struct { size_t rows; float least, most, quickest, slowest; double truth, apart; } cases[] = {
        { 3000, 1, 16, 0.001f, 0.1f, 3e-7, 4e-7 },              /* as Mamba-2's begin */
        { 3000, 1, 16, 0.1f, 20, 3e-7, 4e-7 },                  /* decays that underflow */
        { 3000, 0.01f, 1, 0.001f, 0.1f, 2e-6, 2e-6 },           /* a memory of a few thousand rows */
        { 20000, 0.001f, 0.01f, 0.01f, 0.03f, 5e-6, 6e-6 },     /* of tens of thousands */
        { 20000, 0, 0, 0.01f, 0.03f, 2e-6, 6e-6 },              /* nothing is forgotten */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stream  s = stream_made(20 + i, cases[i].rows, cases[i].least, cases[i].most, cases[i].quickest, cases[i].slowest);
        stream  also = stream_made(20 + i, cases[i].rows, cases[i].least, cases[i].most, cases[i].quickest, cases[i].slowest);
        double *truth = malloc(s.rows * ALL * sizeof *truth), scale[ALL] = { 0 }, recurrent = 0, scan = 0, between = 0;

        truth_of(&s, truth, scale);
        run_products(&s, kr_kernels_best());
        run_rows(&also, kr_kernels_best());
        for (size_t k = 0; k < s.rows * ALL; k++) {
            recurrent = further(recurrent, fabs((double)also.y[k] - truth[k]) / scale[k % ALL]);
            scan = further(scan, fabs((double)s.y[k] - truth[k]) / scale[k % ALL]);
            between = further(between, fabs((double)s.y[k] - (double)also.y[k]) / scale[k % ALL]);
        }
        test_note("case %zu: recurrent %.2g, scan %.2g, apart %.2g", i, recurrent, scan, between);
        if (getenv("KRAIT_DISTANCE"))
            test_check(0, __FILE__, __LINE__, "asked for");
        CHECK(scan <= cases[i].truth);
        CHECK(between <= cases[i].apart);
        free(truth);
        stream_free(&s), stream_free(&also);
    }
    test_note("%s", "");
}

/* ---- the same bits ----------------------------------------------------------------------------------------------- */

TEST(ssd_is_the_same_on_every_table)
{
    static const char *const tables[] = { "avx512", "avx2", "neon_dot", "neon" };

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (size_t rows = 1; rows < 300; rows += rows < 20 ? 1 : 37) {
            const kr_kernels *k = kr_kernels_named(tables[i]);
            stream            a = stream_made(rows, rows, 1, 4, 0.001f, 0.5f), b = stream_made(rows, rows, 1, 4, 0.001f, 0.5f);

            test_note("%s, %zu rows", tables[i], rows);
            if (k) {
                run_products(&a, k);
                run_products(&b, &kr_kernels_plain);
                CHECK_BYTES(a.y, b.y, rows * ALL * 4);
                CHECK_BYTES(a.h, b.h, MEMORY * 4);
            }
            stream_free(&a), stream_free(&b);
        }
    test_note("%s", "");
}

/* Fewer than 16 rows, and what follows the last whole chunk if it is as few, are the recurrence itself. */
TEST(ssd_of_few_rows_is_the_recurrence)
{
    for (size_t rows = 1; rows < 80; rows++) {
        stream a = stream_made(rows, rows, 1, 4, 0.001f, 0.5f), b = stream_made(rows, rows, 1, 4, 0.001f, 0.5f);

        run_products(&a, kr_kernels_best());
        run_rows(&b, kr_kernels_best());
        test_note("%zu rows", rows);
        CHECK_INT(memcmp(a.y, b.y, rows * ALL * 4) == 0, rows < 16);
        stream_free(&a), stream_free(&b);
    }
    test_note("%s", "");
}

/* A head that grows, and one with a state that is infinite, run row by row. */
TEST(ssd_of_what_grows_is_the_recurrence)
{
    for (int infinite = 0; infinite < 2; infinite++) {
        stream a = stream_made(3, 64, 1, 4, 0.001f, 0.5f), b = stream_made(3, 64, 1, 4, 0.001f, 0.5f);

        if (infinite)
            a.h[3] = b.h[3] = INFINITY;
        else
            a.decay[2 * 30] = b.decay[2 * 30] = 1.5f;
        run_products(&a, kr_kernels_best());
        run_rows(&b, kr_kernels_best());
        for (size_t r = 0; r < 64; r++)
            CHECK_BYTES(a.y + r * ALL, b.y + r * ALL, WIDTH * 4);
        CHECK_BYTES(a.h, b.h, MEMORY / HEADS * 4);
        CHECK(memcmp(a.y, b.y, 64 * ALL * 4) != 0);     /* the other head does not */
        stream_free(&a), stream_free(&b);
    }
}
