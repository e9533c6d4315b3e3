/*
 * test_selective.c - summaries of Mamba's recurrence, how they are put together, and the scan made of
 * them: against the recurrence row by row, and both against double.
 */
#include "scan/selective.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/real.h"
#include "support/random.h"
#include "test.h"

enum { STATES = 5, CHANNELS = 37, PADDED = 48, COUNT = PADDED * STATES };

/* Rows of one stream with all that they need; dt from low to high, a from -least to -most. */
typedef struct stream {
    kr_selective job;
    size_t       rows, channels, states;
    float       *a, *d, *x, *dt, *b, *c, *h, *y;
} stream;

static float *uniform(kr_random *random, size_t count, float low, float high)
{
    float *x = aligned_alloc(KR_ALIGN, (count + 16) * 4 / KR_ALIGN * KR_ALIGN + KR_ALIGN);

    for (size_t i = 0; i < count; i++)
        x[i] = low + (high - low) * (0.5f + 0.5f * kr_random_unit(random));
    return x;
}

static stream stream_made(uint64_t seed, size_t rows, size_t channels, size_t states, float least, float most,
                          float quickest, float slowest)
{
    kr_random random = kr_random_from(seed);
    stream    s = { .rows = rows, .channels = channels, .states = states };
    size_t    memory = kr_pad16(channels) * states;

    s.a = uniform(&random, memory, -most, -least);
    s.d = uniform(&random, channels, -1, 1);
    s.x = uniform(&random, rows * channels, -1, 1);
    s.dt = uniform(&random, rows * channels, logf(quickest), logf(slowest));
    for (size_t i = 0; i < rows * channels; i++)
        s.dt[i] = expf(s.dt[i]);
    s.b = uniform(&random, rows * states, -1, 1);
    s.c = uniform(&random, rows * states, -1, 1);
    s.h = uniform(&random, memory, -1, 1);
    s.y = uniform(&random, rows * channels, 0, 0);
    s.job = (kr_selective){ .a = s.a, .d = s.d, .x = s.x, .dt = s.dt, .x_stride = channels, .dt_stride = channels,
                            .b = s.b, .c = s.c, .bc_stride = states, .h = s.h, .y = s.y, .y_stride = channels,
                            .rows = rows, .channels = channels, .states = states };
    return s;
}

static void stream_free(stream *s)
{
    free(s->a), free(s->d), free(s->x), free(s->dt), free(s->b), free(s->c), free(s->h), free(s->y);
}

static size_t place(size_t channel, size_t state, size_t states)
{
    return (channel / 16 * states + state) * 16 + channel % 16;
}

/* The job without its first rows, and no more than 'rows' of them. */
static kr_selective part_of(const stream *s, size_t from, size_t rows)
{
    kr_selective p = s->job;

    p.x += from * s->channels;
    p.dt += from * s->channels;
    p.b += from * s->states;
    p.c += from * s->states;
    p.y += from * s->channels;
    p.rows = rows;
    return p;
}

typedef struct pair { float decay[COUNT], end[COUNT]; } pair;

static pair summary_of(const stream *s, size_t from, size_t rows)
{
    kr_selective p = part_of(s, from, rows);
    pair         made;

    kr_kernels_best()->selective_summary(&p, made.decay, made.end);
    return made;
}

static pair combined(const pair *first, pair then)
{
    kr_kernels_best()->combine(then.decay, then.end, first->decay, first->end, COUNT);
    return then;
}

static int same(const pair *a, const pair *b)
{
    return CHECK_BYTES(a->decay, b->decay, sizeof a->decay) && CHECK_BYTES(a->end, b->end, sizeof a->end);
}

static void close_to(const pair *a, const pair *b, double bound)
{
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_CLOSE((double)a->decay[i], (double)b->decay[i], bound * (double)b->decay[i]);
        CHECK_CLOSE((double)a->end[i], (double)b->end[i], bound);
    }
}

/* ---- summary and combine ------------------------------------------------------------------------------ */

TEST(selective_empty_summary_is_the_identity)
{
    stream s = stream_made(1, 40, CHANNELS, STATES, 0.1f, 4, 0.001f, 0.3f);
    pair   none = summary_of(&s, 3, 0), some = summary_of(&s, 0, 40), both;

    for (size_t i = 0; i < COUNT; i++)
        CHECK(none.decay[i] == 1 && kr_bits_of(none.end[i]) == 0);
    both = combined(&none, some);
    same(&both, &some);
    both = combined(&some, none);
    same(&both, &some);
    stream_free(&s);
}

TEST(selective_rows_of_no_time_are_the_identity)
{
    stream s = stream_made(2, 9, CHANNELS, STATES, 0.1f, 4, 1, 1);
    pair   none = summary_of(&s, 0, 0), still;

    memset(s.dt, 0, 9 * CHANNELS * sizeof *s.dt);
    still = summary_of(&s, 0, 9);
    same(&still, &none);
    stream_free(&s);
}

TEST(selective_summary_of_one_row)
{
    stream s = stream_made(3, 3, CHANNELS, STATES, 0.1f, 4, 0.001f, 3);
    pair   one = summary_of(&s, 2, 1);

    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t n = 0; n < STATES; n++) {
            float dt = s.dt[2 * CHANNELS + c], dtx = dt * s.x[2 * CHANNELS + c];
            size_t at = place(c, n, STATES);

            CHECK_U64(kr_bits_of(one.decay[at]), kr_bits_of(kr_expf(dt * s.a[at])));
            CHECK_U64(kr_bits_of(one.end[at]), kr_bits_of(kr_flush(dtx * s.b[2 * STATES + n]) + 0.0f));
        }
    stream_free(&s);
}

TEST(selective_combining_is_associative)
{
    stream s = stream_made(4, 90, CHANNELS, STATES, 0.01f, 4, 0.001f, 0.1f);

    for (size_t cut = 0; cut <= 90; cut += 9)
        for (size_t after = cut; after <= 90; after += 15) {
            pair a = summary_of(&s, 0, cut), b = summary_of(&s, cut, after - cut), c = summary_of(&s, after, 90 - after);
            pair whole = summary_of(&s, 0, 90), left = combined(&a, b), right = combined(&b, c);

            left = combined(&left, c);
            right = combined(&a, right);
            close_to(&left, &right, 3e-7);
            close_to(&left, &whole, 3e-6);
        }
    stream_free(&s);
}

/* What a summary does to a state is what its rows do, from any state. */
TEST(selective_summary_moves_states)
{
    stream s = stream_made(5, 70, CHANNELS, STATES, 0.01f, 4, 0.001f, 0.1f);
    pair   made = summary_of(&s, 0, 70);

    kr_kernels_best()->combine(made.decay, made.end, NULL, s.h, COUNT);
    kr_kernels_best()->selective(&s.job);
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t n = 0; n < STATES; n++) {
            size_t at = place(c, n, STATES);

            CHECK_CLOSE((double)made.end[at], (double)s.h[at], 1e-6);
        }
    stream_free(&s);
}

/* Products at the ends of the range, with states of every kind. */
TEST(selective_decays_out_of_range)
{
    static const float odd[] = { 0.0f, 1.0f, -1e30f, 0x1p-90f, INFINITY, -INFINITY, NAN };
    static const float times[] = { 0, 1e-3f, 5, 100, 1e30f, 3e38f, INFINITY };
    static const float rates[] = { -0.5f, -80, 0, 30 };

    for (size_t o = 0; o < 7; o++)
        for (size_t t = 0; t < 7; t++)
            for (size_t r = 0; r < 4; r++) {
                stream s = stream_made(6, 30, CHANNELS, STATES, 1, 1, 1, 1);
                pair   made;

                for (size_t i = 0; i < COUNT; i++)
                    s.a[i] = rates[r], s.h[i] = odd[o];
                for (size_t i = 0; i < 30 * CHANNELS; i++)
                    s.dt[i] = times[t], s.x[i] = 0;
                made = summary_of(&s, 0, 30);
                kr_kernels_best()->combine(made.decay, made.end, NULL, s.h, COUNT);
                kr_kernels_best()->selective(&s.job);
                test_note("h %g, dt %g, a %g", (double)odd[o], (double)times[t], (double)rates[r]);
                CHECK(!(fabsf(made.end[0]) < 0x1p-100f) || kr_bits_of(made.end[0]) == 0);
                /* Above the range a product stops growing, so the state that it moves may stop short of infinity. */
                if (rates[r] > 0 && times[t] > 1 && isfinite(times[t]) && odd[o] != 0 && isfinite(odd[o]))
                    CHECK(made.end[0] / odd[o] > 1e8f && s.h[0] / odd[o] > 1e8f);
                else
                    CHECK_CLOSE((double)made.end[0], (double)s.h[0],
                                1e-6 * fabs((double)odd[o]) + 2e-6 * fabs((double)s.h[0]));
                stream_free(&s);
            }
    test_note("%s", "");
}

/* ---- the scan -------------------------------------------------------------------------------------------- */

static void backwards(void *user, krait_task_fn task, void *argument, size_t count)
{
    (void)user;
    while (count-- > 0)
        task(argument, count);
}

static void scan_stream(stream *s, const kr_kernels *kernels, size_t tasks)
{
    kr_tasks host = { tasks, backwards, NULL, 0 };
    kr_carve carve = { 0 };
    float   *room;

    kr_selective_take(s->rows, s->channels, s->states, &carve);
    room = aligned_alloc(KR_ALIGN, carve.used + KR_ALIGN);
    memset(room, 0xff, carve.used);
    kr_selective_scan(kernels, &s->job, &host, room);
    free(room);
}

static int equal_rows(const stream *a, const stream *b)
{
    for (size_t i = 0; i < a->rows * a->channels; i++)
        if (kr_canonical_bits(a->y[i]) != kr_canonical_bits(b->y[i]))
            return 0;
    for (size_t c = 0; c < a->channels; c++)
        for (size_t n = 0; n < a->states; n++)
            if (kr_canonical_bits(a->h[place(c, n, a->states)]) != kr_canonical_bits(b->h[place(c, n, a->states)]))
                return 0;
    return 1;
}

/* Any number of tasks, in any order, and plain C. */
TEST(selective_scan_is_the_same_for_any_tasks)
{
    static const size_t rows[] = { 1, 128, 129, 256, 257, 385, 700 }, tasks[] = { 0, 2, 5, 40 };

    for (size_t r = 0; r < 7; r++)
        for (size_t t = 0; t < 4; t++) {
            stream a = stream_made(7, rows[r], 70, STATES, 0.01f, 4, 0.001f, 0.1f);
            stream b = stream_made(7, rows[r], 70, STATES, 0.01f, 4, 0.001f, 0.1f);

            test_note("%zu rows, %zu tasks", rows[r], tasks[t]);
            a.x[a.rows / 2 * 70 + 3] = NAN;
            b.x[a.rows / 2 * 70 + 3] = NAN;
            scan_stream(&a, kr_kernels_best(), 1);
            scan_stream(&b, tasks[t] ? kr_kernels_best() : &kr_kernels_plain, tasks[t]);
            CHECK(equal_rows(&a, &b));
            stream_free(&a), stream_free(&b);
        }
    test_note("%s", "");
}

/* Tasks that have some channels each scan them in their part of the room, and do not disturb one another. */
TEST(selective_scan_of_some_channels)
{
    stream   a = stream_made(9, 700, 70, STATES, 0.01f, 4, 0.001f, 0.1f), whole;
    kr_tasks host = { 2, backwards, NULL, 0 };
    kr_carve carve = { 0 };
    size_t   bytes;
    float   *room, *y = malloc(700 * 70 * 4), *h = malloc(80 * STATES * 4);

    kr_selective_take(700, 70, STATES, &carve);
    bytes = carve.used;
    CHECK_U64(bytes, 4 * 80 * 2 * STATES * 4);
    room = aligned_alloc(KR_ALIGN, bytes);
    for (size_t half = 0; half < 2; half++) {
        size_t       from = 32 * half, width = half ? 38 : 32;
        float       *own = kr_selective_room(room, 700, from, STATES);
        kr_selective p = a.job;

        p.a += from * STATES, p.h += from * STATES;
        p.d += from, p.x += from, p.dt += from, p.y += from;
        p.channels = width;
        memset(room, 0xa5, bytes);
        kr_selective_scan(kr_kernels_best(), &p, &host, own);
        for (unsigned char *at = (unsigned char *)room; at < (unsigned char *)(room + bytes / 4); at++)
            if (half ? at < (unsigned char *)own : at >= (unsigned char *)kr_selective_room(room, 700, 32, STATES))
                if (!CHECK(*at == 0xa5))
                    break;
    }
    memcpy(y, a.y, 700 * 70 * 4);
    memcpy(h, a.h, 80 * STATES * 4);
    stream_free(&a);
    whole = stream_made(9, 700, 70, STATES, 0.01f, 4, 0.001f, 0.1f);
    scan_stream(&whole, kr_kernels_best(), 1);
    CHECK_BYTES(y, whole.y, 700 * 70 * 4);
    CHECK_BYTES(h, whole.h, 70 / 16 * 16 * STATES * 4);
    stream_free(&whole);
    free(room), free(y), free(h);
}

/* Up to two segments it is the recurrence itself. */
TEST(selective_scan_of_two_segments_is_exact)
{
    static const size_t rows[] = { 1, 127, 128, 129, 256 };

    CHECK_U64(kr_selective_segment(1), 128);
    CHECK_U64(kr_selective_segment(16), 128);
    CHECK_U64(kr_selective_segment(17), 256);
    for (size_t r = 0; r < 5; r++) {
        stream a = stream_made(8, rows[r], CHANNELS, STATES, 0.01f, 4, 0.001f, 0.1f);
        stream b = stream_made(8, rows[r], CHANNELS, STATES, 0.01f, 4, 0.001f, 0.1f);

        scan_stream(&a, kr_kernels_best(), 2);
        kr_kernels_best()->selective(&b.job);
        CHECK(equal_rows(&a, &b));
        stream_free(&a), stream_free(&b);
    }
}

/* What is not a number is so at the same places, and the rest is close beside what its channel came through. */
TEST(selective_scan_spreads_nan_alike)
{
    static const float odd[] = { NAN, INFINITY, -INFINITY, 1e38f };
    kr_random          random = kr_random_from(9);
    double             scale[CHANNELS];

    for (size_t k = 0; k < 60; k++) {
        stream a = stream_made(10 + k, 600, CHANNELS, STATES, 0.01f, 4, 0.001f, 3);
        stream b = stream_made(10 + k, 600, CHANNELS, STATES, 0.01f, 4, 0.001f, 3);

        for (size_t i = 0; i < 3; i++) {
            size_t at = kr_random_u32(&random) % (600 * CHANNELS), what = kr_random_u32(&random) % 4;
            size_t field = kr_random_u32(&random) % 4;

            if (field == 0)
                a.x[at] = b.x[at] = odd[what];
            else if (field == 1)
                a.dt[at] = b.dt[at] = fabsf(odd[what]);
            else if (field == 2)
                a.h[at % COUNT] = b.h[at % COUNT] = odd[what];
            else if (k % 8 == 0)
                a.b[at % (600 * STATES)] = b.b[at % (600 * STATES)] = odd[what];
        }
        scan_stream(&a, kr_kernels_best(), 3);
        kr_kernels_best()->selective(&b.job);
        for (size_t i = 0; i < 600 * CHANNELS; i++) {
            double *most = &scale[i % CHANNELS];

            *most = i < CHANNELS ? 1 : *most;
            if (isfinite(b.y[i]))
                *most = fmax(*most, fabs((double)b.y[i]));
            if (!CHECK_CLOSE((double)a.y[i], (double)b.y[i], 2e-6 * *most))
                break;
        }
        stream_free(&a), stream_free(&b);
    }
}

/* ---- how far from the truth ------------------------------------------------------------------------------- */

typedef struct distance { double recurrent, scan, apart; } distance;

/* Largest errors of y, each over the largest sum of magnitudes that its channel has made up. */
/* fmax() would pass over a NaN. */
static double further(double most, double off)
{
    return off <= most ? most : off == off ? off : INFINITY;
}

static distance distances(stream *s)
{
    distance most = { 0 };
    size_t   count = s->rows * s->channels, memory = kr_pad16(s->channels) * s->states;
    double  *truth = malloc(count * sizeof *truth), *scale = calloc(s->channels, sizeof *scale);
    float   *h = malloc(memory * sizeof *h), *y = malloc(count * sizeof *y);

    memcpy(h, s->h, memory * sizeof *h);
    for (size_t c = 0; c < s->channels; c++) {
        double *state = malloc(s->states * sizeof *state);

        for (size_t n = 0; n < s->states; n++)
            state[n] = (double)h[place(c, n, s->states)];
        for (size_t t = 0; t < s->rows; t++) {
            double dt = (double)s->dt[t * s->channels + c], x = (double)s->x[t * s->channels + c];
            double sum = (double)s->d[c] * x, size = fabs(sum);

            for (size_t n = 0; n < s->states; n++) {
                state[n] = exp(dt * (double)s->a[place(c, n, s->states)]) * state[n] +
                           dt * x * (double)s->b[t * s->states + n];
                sum += (double)s->c[t * s->states + n] * state[n];
                size += fabs((double)s->c[t * s->states + n] * state[n]);
            }
            truth[t * s->channels + c] = sum;
            scale[c] = size > scale[c] ? size : scale[c];
        }
        free(state);
    }
    kr_kernels_best()->selective(&s->job);
    memcpy(y, s->y, count * sizeof *y);
    memcpy(s->h, h, memory * sizeof *h);
    scan_stream(s, kr_kernels_best(), 1);
    for (size_t i = 0; i < count; i++) {
        double unit = scale[i % s->channels];

        most.recurrent = further(most.recurrent, fabs((double)y[i] - truth[i]) / unit);
        most.scan = further(most.scan, fabs((double)s->y[i] - truth[i]) / unit);
        most.apart = further(most.apart, fabs((double)s->y[i] - (double)y[i]) / unit);
    }
    free(truth), free(scale), free(h), free(y);
    return most;
}

/* -v of the runner does not show it: KRAIT_DISTANCE=1 prints the table of docs/numerics.md. */
TEST(selective_scan_is_as_close_as_the_recurrence)
{
    static const struct { size_t rows; float least, most, quickest, slowest; double truth, apart; } cases[] = {
        { 3000, 1, 16, 0.001f, 0.1f, 3e-7, 1e-7 },              /* as Mamba's begin */
        { 3000, 1, 16, 0.1f, 20, 3e-7, 1e-7 },                  /* decays that underflow */
        { 3000, 0.01f, 1, 0.001f, 0.1f, 5e-7, 5e-7 },           /* a memory of a few thousand rows */
        { 20000, 0.001f, 0.01f, 0.01f, 0.03f, 5e-6, 5e-6 },     /* of tens of thousands */
        { 20000, 0, 0, 0.01f, 0.03f, 5e-6, 5e-6 },              /* nothing is forgotten */
        { 20000, 5, 50, 0.01f, 0.01f, 3e-7, 1e-7 },             /* every row alike, so decays are rounded alike: */
        { 20000, 0.05f, 0.5f, 0.01f, 0.01f, 2e-5, 1e-6 },       /* 0.9995 to 0.995 */
        { 20000, 0.005f, 0.05f, 0.01f, 0.01f, 2e-4, 3e-6 },     /* 0.99995 to 0.9995 */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stream   s = stream_made(100 + i, cases[i].rows, 20, 16, cases[i].least, cases[i].most, cases[i].quickest,
                                 cases[i].slowest);
        distance d = distances(&s);

        test_note("case %zu: recurrent %.2g, scan %.2g, apart %.2g", i, d.recurrent, d.scan, d.apart);
        if (getenv("KRAIT_DISTANCE"))
            test_check(0, __FILE__, __LINE__, "asked for");
        CHECK(d.scan <= cases[i].truth);
        CHECK(d.apart <= cases[i].apart);
        stream_free(&s);
    }
    test_note("%s", "");
}
