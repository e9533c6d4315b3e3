/*
 * robot_control.c - a control loop at 1 kHz with a network inside: a leg brace that knows what its wearer does.
 *
 *     robot_control [--seconds S] [--drop PERCENT] [--model MODEL] RECORDING.csv
 *
 *     the loop runs at real-time priority, memory is locked
 *     2.5 s  walking upstairs (99 %), stiffness 39
 *     ...
 *     5000 ticks at 1 kHz, 3732 with a sample, 1 to 7 ms since the one before
 *     the network took 7.8 us in the median, 23.7 us at 99.9 %, 141.4 us at worst
 *     ticks came late by 15.7 us in the median, 148.5 us at 99.9 %, 3860.0 us at worst
 *
 * and how many there were of each length (two cores that others used too).
 *
 * Each tick reads the sensor, if a sample has come: they are lost at random, and the network, which was trained on samples
 * 20 ms apart, is told how much time has passed since the last one (dt, 0.05 for a millisecond).  What it recognises sets
 * the stiffness to which the controller drives the joint.  The thread asks for SCHED_FIFO and locks its memory where it
 * may; all is allocated before the loop, and the model is read, not mapped, so that a step never waits for a disk.
 */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "krait.h"

enum { MOST_INPUTS = 16, MOST_CLASSES = 16, MOST_ROWS = 4096, TICK_NS = 1000000, EPISODE = 2560, MOST_SECONDS = 3600 };

struct joint { double angle, speed, stiffness; };

/* What is printed is kept for the end: a terminal may take longer than a tick. */
struct seen { long tick; size_t doing; float log_probability; double stiffness; };

struct robot {
    krait_model *model;
    krait_state *state;
    size_t       inputs, classes, rows;
    float        recording[MOST_ROWS][MOST_INPUTS];     /* 50 samples a second */
    double       drop;
    uint32_t     random;
    long         ticks, samples, since, least, most;    /* since the last sample, in ticks */
    struct joint joint;
    float       *step_us, *late_us;                     /* [ticks], [samples] */
    int          failed;
    struct seen  seen[2 * MOST_SECONDS];                /* not on a thread's stack, which may be small */
};

static double random_number(struct robot *r)
{
    r->random = r->random * 1664525u + 1013904223u;
    return (double)(r->random >> 8) / 16777216.0;
}

static double us_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) * 1e6 + (double)(to->tv_nsec - from->tv_nsec) * 1e-3;
}

static void next_tick(struct timespec *t)
{
    t->tv_nsec += TICK_NS;
    if (t->tv_nsec >= 1000000000) {
        t->tv_nsec -= 1000000000;
        t->tv_sec++;
    }
}

/* The recording between its samples, again and again. */
static void read_sensor(const struct robot *r, long tick, float *row)
{
    double at = fmod((double)tick * 0.05, (double)(r->rows - 1)), part = at - floor(at);
    size_t i, k = (size_t)at;

    for (i = 0; i < r->inputs; i++)
        row[i] = (float)((1 - part) * (double)r->recording[k][i] + part * (double)r->recording[k + 1][i]);
}

static size_t likeliest(const float *row, size_t count)
{
    size_t best = 0, i;

    for (i = 1; i < count; i++)
        best = row[i] > row[best] ? i : best;
    return best;
}

/* A spring that is to be as stiff as the class wants: 1/500 of the way each tick, so that no step is felt. */
static void control(struct joint *j, size_t doing, long tick)
{
    static const double wanted[MOST_CLASSES] = { 20, 40, 30, 10, 15, 5 };
    double              target = 0.3 * sin((double)tick * 0.006);

    j->stiffness += (wanted[doing] - j->stiffness) / 500;
    j->speed += 0.001 * (j->stiffness * (target - j->angle) - 2 * j->speed);
    j->angle += 0.001 * j->speed;
}

static void name_class(const struct robot *r, size_t number, char *name)
{
    const char *text = krait_model_text(r->model, "classes");

    while (text && number-- > 0 && (text = strchr(text, ',')))
        text++;
    if (!text || sscanf(text, "%31[^,]", name) != 1)
        strcpy(name, "?");
}

/* One millisecond: 1 if a sample came. */
static int tick(struct robot *r, long n, float *probability)
{
    float        row[MOST_INPUTS], dt = 0.05f * (float)++r->since;
    uint8_t      reset = n % EPISODE == 0;
    krait_input  input = { 0 };
    krait_output output = { 0 };

    if (!reset && random_number(r) < r->drop)
        return 0;
    read_sensor(r, n, row);
    input.size = sizeof input;
    input.steps = 1;
    input.features = row;
    input.dt = &dt;
    input.reset = &reset;
    output.size = sizeof output;
    output.rows = probability;
    output.capacity = MOST_CLASSES;
    r->failed |= krait_run(r->model, r->state, &input, &output, NULL) != KRAIT_OK;
    r->least = r->since < r->least ? r->since : r->least;
    r->most = r->since > r->most ? r->since : r->most;
    r->since = 0;
    return 1;
}

static void *loop(void *user)
{
    struct robot   *r = user;
    struct seen    *seen = r->seen;
    size_t          n_seen = 0, i, doing = 0;
    float           row[MOST_CLASSES] = { 0 };
    struct timespec due, woke, done;
    long            n;

    clock_gettime(CLOCK_MONOTONIC, &due);
    for (n = 0; n < r->ticks; n++) {
        next_tick(&due);
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
            ;
        clock_gettime(CLOCK_MONOTONIC, &woke);
        if (tick(r, n, row)) {
            clock_gettime(CLOCK_MONOTONIC, &done);
            r->step_us[r->samples++] = (float)us_between(&woke, &done);
            doing = likeliest(row, r->classes);
        }
        control(&r->joint, doing, n);
        r->late_us[n] = (float)us_between(&due, &woke);
        if (n % 500 == 499 && n_seen < 2 * MOST_SECONDS)
            seen[n_seen++] = (struct seen){ n, doing, row[doing], r->joint.stiffness };
    }
    for (i = 0; i < n_seen; i++) {
        char name[32];

        name_class(r, seen[i].doing, name);
        printf("%.1f s  %s (%.0f %%), stiffness %.0f\n", (double)(seen[i].tick + 1) / 1000, name,
               100 * exp((double)seen[i].log_probability), seen[i].stiffness);
    }
    return NULL;
}

/* On a thread of real-time priority, or as it may. */
static int run_loop(struct robot *r)
{
    struct sched_param priority;
    pthread_attr_t     how;
    pthread_t          thread;
    int                locked = mlockall(MCL_CURRENT | MCL_FUTURE) == 0, real;

    memset(&priority, 0, sizeof priority);
    priority.sched_priority = 80;
    pthread_attr_init(&how);
    pthread_attr_setinheritsched(&how, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&how, SCHED_FIFO);
    pthread_attr_setschedparam(&how, &priority);
    real = pthread_create(&thread, &how, loop, r) == 0;
    pthread_attr_destroy(&how);
    printf("the loop runs at %s priority, memory is %s\n", real ? "real-time" : "ordinary", locked ? "locked" : "not locked");
    if (real)
        return pthread_join(thread, NULL) == 0 && !r->failed;
    loop(r);
    return !r->failed;
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void print_times(const char *what, float *us, long count)
{
    static const double edges[] = { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000 };
    long                i, from = 0;
    size_t              k;

    qsort(us, (size_t)count, sizeof *us, by_size);
    printf("%s %.1f us in the median, %.1f us at 99.9 %%, %.1f us at worst\n", what, (double)us[count / 2],
           (double)us[(size_t)(0.999 * (double)(count - 1))], (double)us[count - 1]);
    for (k = 0; k <= sizeof edges / sizeof *edges; k++) {
        double edge = k < sizeof edges / sizeof *edges ? edges[k] : HUGE_VAL;

        for (i = from; i < count && (double)us[i] < edge; i++)
            ;
        if (i > from && k < sizeof edges / sizeof *edges)
            printf("  below %4.0f us  %6ld\n", edge, i - from);
        else if (i > from)
            printf("  more           %6ld\n", i - from);
        from = i;
    }
}

/* ---- what is there before the loop ---- */

static int read_recording(struct robot *r, const char *path)
{
    FILE *file = fopen(path, "r");
    char  line[1024];

    while (file && r->rows < MOST_ROWS && fgets(line, sizeof line, file)) {
        char  *text = line, *end;
        size_t i;

        for (i = 0; line[0] != '#' && i < r->inputs; i++, text = end + (*end == ',')) {
            r->recording[r->rows][i] = (float)strtod(text, &end);
            if (end == text)
                break;
        }
        r->rows += i == r->inputs;
    }
    if (file)
        fclose(file);
    if (r->rows < 2)
        fprintf(stderr, "robot_control: %s: has no two samples of %lu numbers\n", path, (unsigned long)r->inputs);
    return r->rows >= 2;
}

static int open_robot(struct robot *r, const char *path)
{
    krait_open_options options = { 0 };
    krait_message      why;
    int64_t            in = 0, out = 0, steps = 0, dt = 0;

    options.size = sizeof options;
    options.flags = KRAIT_OPEN_READ;
    if (krait_model_open(&r->model, path, &options, &why) != KRAIT_OK) {
        fprintf(stderr, "robot_control: %s\n", why.text);
        return 0;
    }
    krait_model_get(r->model, KRAIT_IN_WIDTH, &in);
    krait_model_get(r->model, KRAIT_OUT_WIDTH, &out);
    krait_model_get(r->model, KRAIT_CAN_STEP, &steps);
    krait_model_get(r->model, KRAIT_USES_DT, &dt);
    r->inputs = (size_t)in;
    r->classes = (size_t)out;
    r->step_us = malloc((size_t)r->ticks * sizeof *r->step_us);
    r->late_us = malloc((size_t)r->ticks * sizeof *r->late_us);
    if (in < 1 || in > MOST_INPUTS || out < 1 || out > MOST_CLASSES || !steps || !dt || !r->step_us || !r->late_us
        || krait_state_create(&r->state, r->model, NULL, NULL) != KRAIT_OK) {
        fprintf(stderr, "robot_control: %s: no memory, or no classifier of a sensor that steps and uses dt\n", path);
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    static struct robot r;
    const char         *model = "examples/models/s5-har.safetensors";
    double              seconds = 5;
    int                 i, good;

    r.drop = 0.25;
    for (i = 1; i + 2 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            seconds = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--drop") == 0)
            r.drop = strtod(argv[i + 1], NULL) / 100;
        else if (strcmp(argv[i], "--model") == 0)
            model = argv[i + 1];
        else
            break;
    }
    if (i + 1 != argc || !(seconds >= 0.1 && seconds <= MOST_SECONDS) || !(r.drop >= 0 && r.drop <= 0.95)) {
        fputs("usage: robot_control [--seconds S] [--drop PERCENT] [--model MODEL] RECORDING.csv\n", stderr);
        return 2;
    }
    r.ticks = (long)(1000 * seconds);
    r.random = 1;
    r.least = r.ticks;
    r.joint.stiffness = 20;
    good = open_robot(&r, model) && read_recording(&r, argv[i]) && run_loop(&r);
    if (good) {
        printf("%ld ticks at 1 kHz, %ld with a sample, %ld to %ld ms since the one before\n", r.ticks, r.samples, r.least,
               r.most);
        print_times("the network took", r.step_us, r.samples);
        print_times("ticks came late by", r.late_us, r.ticks);
    }
    free(r.step_us);
    free(r.late_us);
    krait_state_destroy(r.state, NULL);
    krait_model_close(r.model);
    return !good;
}
