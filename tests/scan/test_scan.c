/*
 * test_scan.c - the order of the work, with a recurrence whose numbers are exact: h = a h + b in 64-bit integers
 * modulo 2^32, held in the bits of floats, so that any slip in cutting, combining or placing changes a bit and
 * nothing else does.
 */
#include "scan/scan.h"

#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "support/random.h"
#include "test.h"

enum { GRAIN = 4, MOST_ROWS = 90, MOST_CHANNELS = 150, GUARD = 16 };

/* A grain's state: its channels' h, then a number that says how many rows it went through. */
enum { ENDS = GRAIN + 1, DECAYS = GRAIN };

typedef struct whole {
    uint32_t *a, *b;            /* [rows][channels] */
    uint32_t *y;                /* [rows][channels] */
    size_t    channels;
} whole;

static uint32_t bits(const float *x)
{
    uint32_t word;

    memcpy(&word, x, sizeof word);
    return word;
}

static void put(float *x, uint32_t word)
{
    memcpy(x, &word, sizeof word);
}

static void whole_run(const void *job, const kr_scan_piece *piece, float *state)
{
    const whole *w = job;

    for (size_t t = piece->row; t < piece->row + piece->rows; t++)
        for (size_t c = 0; c < piece->channels; c++) {
            float *h = state + c / GRAIN * ENDS + c % GRAIN;
            size_t at = t * w->channels + piece->channel + c;

            put(h, w->a[at] * bits(h) + w->b[at]);
            w->y[at] += bits(h);                        /* a second run of a row would show */
        }
    for (size_t g = 0; g * GRAIN < piece->channels; g++)
        put(state + g * ENDS + GRAIN, bits(state + g * ENDS + GRAIN) + (uint32_t)piece->rows);
}

static void whole_summary(const void *job, const kr_scan_piece *piece, kr_scan_summary summary)
{
    const whole *w = job;

    for (size_t c = 0; c < piece->channels; c++) {
        uint32_t a = 1, b = 0;

        for (size_t t = piece->row; t < piece->row + piece->rows; t++) {
            size_t at = t * w->channels + piece->channel + c;

            a *= w->a[at];
            b = w->a[at] * b + w->b[at];
        }
        put(summary.decay + c, a);
        put(summary.end + c / GRAIN * ENDS + c % GRAIN, b);
        put(summary.end + c / GRAIN * ENDS + GRAIN, (uint32_t)piece->rows);
    }
}

static void whole_combine(const void *job, const kr_scan_piece *piece, kr_scan_summary before, kr_scan_summary summary)
{
    (void)job;
    for (size_t c = 0; c < piece->channels; c++) {
        size_t   at = c / GRAIN * ENDS + c % GRAIN, counted = c / GRAIN * ENDS + GRAIN;
        uint32_t a = bits(summary.decay + c);

        put(summary.end + at, a * bits(before.end + at) + bits(summary.end + at));
        if (before.decay)
            put(summary.decay + c, a * bits(before.decay + c));
        if (c % GRAIN == 0)
            put(summary.end + counted, bits(before.end + counted) + bits(summary.end + counted));
    }
}

static const kr_recurrence whole_recurrence = { whole_summary, whole_combine, whole_run };

/* ---- hosts ---------------------------------------------------------------------------------------- */

static size_t rounds, most_tasks;

static void backwards(void *user, krait_task_fn task, void *argument, size_t count)
{
    (void)user;
    rounds++;
    most_tasks = count > most_tasks ? count : most_tasks;
    while (count-- > 0)
        task(argument, count);
}

/* Odd ones first. */
static void shuffled(void *user, krait_task_fn task, void *argument, size_t count)
{
    (void)user;
    for (size_t i = 1; i < count; i += 2)
        task(argument, i);
    for (size_t i = 0; i < count; i += 2)
        task(argument, i);
}

/* ---- one scan -------------------------------------------------------------------------------------- */

static void check_scan(size_t rows, size_t channels, size_t segment, const kr_tasks *tasks)
{
    static uint32_t a[MOST_ROWS * MOST_CHANNELS], b[MOST_ROWS * MOST_CHANNELS], y[MOST_ROWS * MOST_CHANNELS];
    kr_random random = kr_random_from(rows * 1000 + channels);
    size_t    grains = (channels + GRAIN - 1) / GRAIN;
    float     state[(MOST_CHANNELS / GRAIN + 1) * ENDS] = { 0 };
    whole     job = { a, b, y, channels };
    kr_scan   scan = { .recurrence = &whole_recurrence, .job = &job, .rows = rows, .segment = segment,
                       .channels = channels, .grain = GRAIN, .decays = DECAYS, .ends = ENDS, .state = state };
    kr_carve  carve = { 0 };
    float    *room;

    memset(y, 0, sizeof y);
    for (size_t i = 0; i < rows * channels; i++) {
        a[i] = kr_random_u32(&random);
        b[i] = kr_random_u32(&random);
    }
    for (size_t c = 0; c < channels; c++)
        put(state + c / GRAIN * ENDS + c % GRAIN, (uint32_t)c + 7);
    kr_scan_take(&scan, rows, &carve);
    room = aligned_alloc(KR_ALIGN, carve.used + 64);
    memset(room, 0xa5, carve.used + 64);
    carve = (kr_carve){ .base = (unsigned char *)room };
    scan.room = kr_scan_take(&scan, rows, &carve);
    kr_scan_run(&scan, tasks);

    test_note("%zu rows of %zu channels, segments of %zu, %zu tasks", rows, channels, segment, tasks->most);
    for (size_t c = 0; c < channels; c++) {
        uint32_t h = (uint32_t)c + 7;

        for (size_t t = 0; t < rows; t++) {
            h = a[t * channels + c] * h + b[t * channels + c];
            CHECK_U64(y[t * channels + c], h);
        }
        CHECK_U64(bits(state + c / GRAIN * ENDS + c % GRAIN), h);
    }
    for (size_t g = 0; g < grains; g++)
        CHECK_U64(bits(state + g * ENDS + GRAIN), rows);
    for (size_t i = 0; i < 64; i++)
        CHECK_INT(((unsigned char *)room)[carve.used + i], 0xa5);
    free(room);
}

TEST(scan_any_cut_and_order)
{
    static const size_t channels[] = { 1, 3, 4, 5, 63, 64, 65, 131 };
    static const size_t segments[] = { 1, 2, 7, 16, 100 };
    const kr_tasks tasks[] = { { 0, NULL, NULL, 0 }, { 1, backwards, NULL, 0 }, { 2, backwards, NULL, 0 },
                               { 5, shuffled, NULL, 0 }, { 5, NULL, NULL, 0 } };

    for (size_t rows = 0; rows <= MOST_ROWS; rows = rows < 18 ? rows + 1 : rows + 9)
        for (size_t c = 0; c < 8; c++)
            for (size_t s = 0; s < 5; s++)
                for (size_t t = 0; t < 5; t++)
                    check_scan(rows, channels[c], segments[s], &tasks[t]);
    test_note("%s", "");
}

/* Of a long narrow scan every segment is a task. */
TEST(scan_cuts_time_into_tasks)
{
    kr_tasks two = { 2, backwards, NULL, 0 };

    rounds = most_tasks = 0;
    check_scan(80, 5, 8, &two);
    CHECK_U64(most_tasks, 9);
    CHECK_U64(rounds, 2);                               /* what follows from what is one task */
    rounds = most_tasks = 0;
    check_scan(16, 5, 8, &two);
    CHECK_U64(rounds, 0);                               /* two segments have nothing to gain */
    test_note("%s", "");
}

TEST(scan_room)
{
    kr_scan  scan = { .segment = 8, .channels = 5, .grain = GRAIN, .decays = DECAYS, .ends = ENDS };
    kr_carve carve = { 0 };

    kr_scan_take(&scan, 16, &carve);
    CHECK_U64(carve.used, 0);
    kr_scan_take(&scan, 17, &carve);
    CHECK_U64(carve.used, (2 * (ENDS + DECAYS) * sizeof(float) + KR_ALIGN - 1) / KR_ALIGN * KR_ALIGN);
    CHECK_INT(carve.broken, 0);
    scan.channels = SIZE_MAX;
    kr_scan_take(&scan, SIZE_MAX, &carve);
    CHECK_INT(carve.broken, 1);
}
