/*
 * test_diagonal.c - diagonal complex recurrences in segments: against the recurrence row by row, and both
 * against double.
 */
#include "scan/diagonal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/real.h"
#include "support/random.h"
#include "test.h"

/* Rows of one stream; poles a = radius e^(i angle), held as floats or as two. */
typedef struct stream {
    kr_diagonal job;
    size_t      memory;                 /* floats of a part of all states, padded */
    double     *re, *im;                /* [channels][states] as they were meant */
    float      *a, *power, *c, *d, *x, *h, *y;
} stream;

static float *numbers(kr_random *random, size_t count, float most)
{
    float *x = aligned_alloc(KR_ALIGN, (count + 16) * 4 / KR_ALIGN * KR_ALIGN + KR_ALIGN);

    for (size_t i = 0; i < count; i++)
        x[i] = most * kr_random_unit(random);
    return x;
}

static size_t place(const stream *s, size_t channel, size_t state, size_t parts)
{
    return (channel / 16 * s->job.states + state) * 16 * parts + channel % 16;
}

static void put_split(float *to, double x)
{
    to[0] = (float)x;
    to[32] = (float)(x - (double)to[0]);
}

/* 1 - |a| from 'near' to 'far', evenly in its logarithm. */
static void put_poles(stream *s, kr_random *random, double near, double far)
{
    size_t states = s->job.states;

    for (size_t i = 0; i < s->job.channels * states; i++) {
        double share = 0.5 + 0.5 * (double)kr_random_unit(random), angle = 3.14 * (double)kr_random_unit(random);
        double radius = 1 - near * pow(far / near, share), re, im;
        float *a = s->a + place(s, i / states, i % states, 4), *power = s->power + place(s, i / states, i % states, 4);

        s->re[i] = radius * cos(angle);
        s->im[i] = radius * sin(angle);
        put_split(a, s->re[i]);
        put_split(a + 16, s->im[i]);
        re = (double)a[0] + (s->job.precise ? (double)a[32] : 0);
        im = (double)a[16] + (s->job.precise ? (double)a[48] : 0);
        radius = pow(hypot(re, im), (double)kr_diagonal_segment(states));
        angle = atan2(im, re) * (double)kr_diagonal_segment(states);
        put_split(power, radius * cos(angle));
        put_split(power + 16, radius * sin(angle));
    }
}

static stream stream_of(uint64_t seed, size_t rows, size_t channels, size_t states, int precise, double near, double far)
{
    kr_random random = kr_random_from(seed);
    stream    s = { .memory = kr_pad16(channels) * states };

    s.a = numbers(&random, 4 * s.memory, 0);
    s.power = numbers(&random, 4 * s.memory, 0);
    s.c = numbers(&random, 2 * s.memory, 1);
    s.d = numbers(&random, channels, 1);
    s.x = numbers(&random, rows * channels, 1);
    s.h = numbers(&random, 2 * s.memory, 1);
    s.y = numbers(&random, rows * channels, 0);
    s.re = calloc(channels * states, sizeof *s.re);
    s.im = calloc(channels * states, sizeof *s.im);
    s.job = (kr_diagonal){ s.a, s.c, s.d, s.x, channels, s.h, s.y, channels, rows, channels, states, precise };
    put_poles(&s, &random, near, far);
    for (size_t i = 0; i < 2 * s.memory; i++)          /* the padding of a panel holds zeros */
        if (i / 16 / (2 * states) * 16 + i % 16 >= channels)
            s.h[i] = 0;
    return s;
}

static void stream_free(stream *s)
{
    free(s->a), free(s->power), free(s->c), free(s->d), free(s->x), free(s->h), free(s->y), free(s->re), free(s->im);
}

static void backwards(void *user, krait_task_fn task, void *argument, size_t count)
{
    (void)user;
    while (count-- > 0)
        task(argument, count);
}

static void scan_stream(const stream *s, const kr_kernels *kernels, size_t tasks)
{
    kr_tasks host = { tasks, backwards, NULL, 0 };
    kr_carve carve = { 0 };
    float   *room;

    kr_diagonal_take(s->job.rows, s->job.channels, s->job.states, &carve);
    room = aligned_alloc(KR_ALIGN, carve.used + KR_ALIGN);
    memset(room, 0xff, carve.used);
    kr_diagonal_scan(kernels, &s->job, s->power, &host, room);
    free(room);
}

static void check_same(const stream *a, const stream *b)
{
    CHECK_BYTES(a->y, b->y, a->job.rows * a->job.channels * sizeof *a->y);
    CHECK_BYTES(a->h, b->h, 2 * a->memory * sizeof *a->h);
}

/* Any number of tasks, in any order, and plain C. */
TEST(diagonal_scan_is_the_same_for_any_tasks)
{
    static const size_t rows[] = { 1, 128, 257, 385, 700 }, tasks[] = { 0, 2, 5, 40 };

    for (size_t r = 0; r < 5; r++)
        for (size_t t = 0; t < 4; t++) {
            stream a = stream_of(7, rows[r], 70, 5, (int)(t % 2), 1e-4, 0.5);
            stream b = stream_of(7, rows[r], 70, 5, (int)(t % 2), 1e-4, 0.5);

            test_note("%zu rows, %zu tasks", rows[r], tasks[t]);
            scan_stream(&a, kr_kernels_best(), 1);
            scan_stream(&b, tasks[t] ? kr_kernels_best() : &kr_kernels_plain, tasks[t]);
            check_same(&a, &b);
            stream_free(&a), stream_free(&b);
        }
    test_note("%s", "");
}

/* Up to two segments it is the recurrence itself. */
TEST(diagonal_scan_of_two_segments_is_exact)
{
    static const size_t rows[] = { 1, 127, 128, 129, 256 };

    CHECK_U64(kr_diagonal_segment(1), 128);
    CHECK_U64(kr_diagonal_segment(16), 128);
    CHECK_U64(kr_diagonal_segment(17), 256);
    for (size_t r = 0; r < 5; r++) {
        stream a = stream_of(8, rows[r], 37, 5, 1, 1e-4, 0.5), b = stream_of(8, rows[r], 37, 5, 1, 1e-4, 0.5);

        scan_stream(&a, kr_kernels_best(), 2);
        kr_kernels_best()->diagonal(&b.job);
        check_same(&a, &b);
        stream_free(&a), stream_free(&b);
    }
}

/* ---- how far from the truth ------------------------------------------------------------------------------- */

typedef struct distance { double recurrent, scan, apart; } distance;

/* y in double, of poles as they were meant; most[c]: the largest sum of magnitudes that the channel has made up. */
static double *truth_of(const stream *s, double *most)
{
    size_t  channels = s->job.channels, states = s->job.states;
    double *y = malloc(s->job.rows * channels * sizeof *y), *h = malloc(2 * states * sizeof *h);

    for (size_t c = 0; c < channels; c++) {
        for (size_t n = 0; n < 2 * states; n++)
            h[n] = (double)s->h[place(s, c, n / 2, 2) + 16 * (n % 2)];
        for (size_t t = 0; t < s->job.rows; t++) {
            double x = (double)s->x[t * channels + c], sum = (double)s->d[c] * x, size = fabs(sum);

            for (size_t n = 0; n < states; n++) {
                const float *read = s->c + place(s, c, n, 2);
                double       re = s->re[c * states + n], im = s->im[c * states + n], old = h[2 * n];

                h[2 * n] = re * old - im * h[2 * n + 1] + x;
                h[2 * n + 1] = re * h[2 * n + 1] + im * old;
                sum += (double)read[0] * h[2 * n] + (double)read[16] * h[2 * n + 1];
                size += hypot((double)read[0], (double)read[16]) * hypot(h[2 * n], h[2 * n + 1]);
            }
            y[t * channels + c] = sum;
            most[c] = fmax(most[c], size);
        }
    }
    free(h);
    return y;
}

static distance distances(stream *s)
{
    size_t   count = s->job.rows * s->job.channels;
    double  *most = calloc(s->job.channels, sizeof *most), *truth = truth_of(s, most);
    float   *h = malloc(2 * s->memory * sizeof *h), *y = malloc(count * sizeof *y);
    distance d = { 0 };

    memcpy(h, s->h, 2 * s->memory * sizeof *h);
    kr_kernels_best()->diagonal(&s->job);
    memcpy(y, s->y, count * sizeof *y);
    memcpy(s->h, h, 2 * s->memory * sizeof *h);
    scan_stream(s, kr_kernels_best(), 1);
    for (size_t i = 0; i < count; i++) {
        double unit = most[i % s->job.channels];

        d.recurrent = fmax(d.recurrent, fabs((double)y[i] - truth[i]) / unit);
        d.scan = fmax(d.scan, fabs((double)s->y[i] - truth[i]) / unit);
        d.apart = fmax(d.apart, fabs((double)s->y[i] - (double)y[i]) / unit);
    }
    free(most), free(truth), free(h), free(y);
    return d;
}

/* KRAIT_DISTANCE=1 prints the table of docs/numerics.md. */
TEST(diagonal_scan_is_as_close_as_the_recurrence)
{
    static const struct { double near, far; int precise; double truth, apart; } cases[] = {
        { 1e-2, 0.5, 0, 1.5e-6, 4e-7 },
        { 1e-3, 1e-3, 0, 3e-5, 1.5e-6 },          /* what one float for a would do */
        { 1e-3, 1e-3, 1, 1.5e-6, 1.5e-6 },
        { 1e-4, 1e-4, 0, 3e-4, 4e-6 },
        { 1e-4, 1e-4, 1, 4e-6, 4e-6 },
        { 1e-5, 1e-5, 1, 7e-6, 7e-6 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stream   s = stream_of(100 + i, 20000, 20, 16, cases[i].precise, cases[i].near, cases[i].far);
        distance d = distances(&s);

        test_note("1 - |a| %g to %g, precise %d: recurrent %.2g, scan %.2g, apart %.2g", cases[i].near, cases[i].far,
                  cases[i].precise, d.recurrent, d.scan, d.apart);
        if (getenv("KRAIT_DISTANCE"))
            test_check(0, __FILE__, __LINE__, "asked for");
        CHECK(d.recurrent <= cases[i].truth && d.scan <= cases[i].truth);
        CHECK(d.apart <= cases[i].apart);
        if (i == 3)
            CHECK(d.recurrent > 2e-5);          /* else nothing is said for two floats */
        stream_free(&s);
    }
    test_note("%s", "");
}
