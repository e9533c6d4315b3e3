/*
 * test_liquid.c - liquid complex recurrences in segments: against the recurrence row by row, and both against double.
 */
#include "scan/liquid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/real.h"
#include "support/random.h"
#include "test.h"

enum { STATES = 37, PADDED = 48 };

/* Rows of one stream: a as it was meant, and as floats or as two. */
typedef struct stream {
    double a[STATES][2];
    float  factors[4 * PADDED], begin[2 * PADDED];
    float *v;                           /* [rows][2 STATES] */
    size_t rows;
    int    low;
} stream;

/* What came out. */
typedef struct result {
    float *out, state[2 * PADDED];
} result;

static size_t column(size_t state, size_t part)
{
    size_t panel = state / 16 * 16, width = panel + 16 <= STATES ? 16 : STATES - panel;

    return 2 * panel + part * width + state % 16;
}

static size_t place(size_t state, size_t part, size_t parts)
{
    return (state / 16 * parts + part) * 16 + state % 16;
}

/* Every |a| is 1 - below; v is small enough for states to stay so. */
static stream stream_of(uint64_t seed, size_t rows, double below, int low)
{
    kr_random random = kr_random_from(seed);
    stream    s = { .rows = rows, .low = low };

    s.v = malloc(rows * 2 * STATES * sizeof *s.v);
    for (size_t i = 0; i < rows * 2 * STATES; i++)
        s.v[i] = (float)(0.25 * sqrt(below)) * kr_random_unit(&random);
    for (size_t i = 0; i < STATES; i++) {
        double angle = 3.14 * (double)kr_random_unit(&random);

        for (size_t part = 0; part < 2; part++) {
            s.a[i][part] = (1 - below) * (part ? sin(angle) : cos(angle));
            s.factors[place(i, part, 4)] = (float)s.a[i][part];
            s.factors[place(i, part + 2, 4)] = (float)(s.a[i][part] - (double)s.factors[place(i, part, 4)]);
            s.begin[place(i, part, 2)] = kr_random_unit(&random);
        }
    }
    return s;
}

static kr_turn turn_of(const stream *s, result *r)
{
    r->out = malloc(s->rows * 2 * STATES * sizeof *r->out);
    memcpy(r->out, s->v, s->rows * 2 * STATES * sizeof *r->out);
    memcpy(r->state, s->begin, sizeof r->state);
    return (kr_turn){ s->factors, s->low, r->state, r->out, r->out, 2 * STATES, s->rows, STATES };
}

static void backwards(void *user, krait_task_fn task, void *argument, size_t count)
{
    (void)user;
    while (count-- > 0)
        task(argument, count);
}

static result scanned(const stream *s, const kr_kernels *kernels, size_t tasks)
{
    kr_tasks host = { tasks, backwards, NULL, 0 };
    kr_carve carve = { 0 };
    result   r;
    kr_turn  turn = turn_of(s, &r);
    float   *room;

    kr_liquid_take(s->rows, STATES, &carve);
    room = aligned_alloc(KR_ALIGN, (carve.used + KR_ALIGN) / KR_ALIGN * KR_ALIGN);
    memset(room, 0xff, carve.used);
    kr_liquid_scan(kernels, &turn, &host, room);
    free(room);
    return r;
}

static result row_by_row(const stream *s)
{
    result  r;
    kr_turn turn = turn_of(s, &r);

    kr_kernels_plain.liquid(&turn, 0);
    return r;
}

/* The largest difference over the largest state, both of double's. */
static double distance(const stream *s, const result *r)
{
    double worst = 0, most = 0;

    for (size_t i = 0; i < STATES; i++) {
        double x[2] = { (double)s->begin[place(i, 0, 2)], (double)s->begin[place(i, 1, 2)] };

        for (size_t t = 0; t < s->rows; t++) {
            const float *v = s->v + t * 2 * STATES, *out = r->out + t * 2 * STATES;
            double       v_re = (double)v[column(i, 0)], v_im = (double)v[column(i, 1)];
            double       re = (s->a[i][0] + v_re) * x[0] - (s->a[i][1] + v_im) * x[1] + v_re;

            x[1] = (s->a[i][0] + v_re) * x[1] + (s->a[i][1] + v_im) * x[0] + v_im;
            x[0] = re;
            worst = fmax(worst, hypot((double)out[column(i, 0)] - x[0], (double)out[column(i, 1)] - x[1]));
            most = fmax(most, hypot(x[0], x[1]));
        }
    }
    return worst / most;
}

TEST(liquid_scan_is_as_close)
{
    static const struct { double below; int low; double bound; } cases[] = {
        { 0.1, 0, 2e-6 }, { 0.01, 0, 5e-6 }, { 0.001, 1, 5e-6 }, { 0.0001, 1, 1e-5 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stream s = stream_of(i, 20000, cases[i].below, cases[i].low);
        result rows = row_by_row(&s), scan = scanned(&s, kr_kernels_best(), 1);

        test_note("1 - |a| is %g: RECURRENT is off by %.2g, SCAN by %.2g", cases[i].below, distance(&s, &rows),
                  distance(&s, &scan));
        CHECK(distance(&s, &rows) <= cases[i].bound);
        CHECK(distance(&s, &scan) <= cases[i].bound);
        if (getenv("KRAIT_DISTANCE"))
            test_check(0, __FILE__, __LINE__, "asked for");
        test_note("%s", "");
        free(rows.out), free(scan.out), free(s.v);
    }
}

/* Any number of tasks, in any order, and plain C. */
TEST(liquid_scan_same_bits)
{
    static const size_t lengths[] = { 1, 128, 256, 257, 700, 1281 };

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int low = 0; low < 2; low++) {
            stream s = stream_of(20 + i, lengths[i], 0.01, low);
            result one = scanned(&s, kr_kernels_best(), 1), rows = row_by_row(&s);

            for (size_t tasks = 1; tasks < 6; tasks++) {
                result other = scanned(&s, tasks % 2 ? &kr_kernels_plain : kr_kernels_best(), tasks);

                CHECK_BYTES(other.out, one.out, s.rows * 2 * STATES * sizeof *one.out);
                CHECK_BYTES(other.state, one.state, sizeof one.state);
                free(other.out);
            }
            if (s.rows <= 256)                          /* two segments: the recurrence itself */
                CHECK_BYTES(one.out, rows.out, s.rows * 2 * STATES * sizeof *one.out);
            free(one.out), free(rows.out), free(s.v);
        }
}
