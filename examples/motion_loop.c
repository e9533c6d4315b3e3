/*
 * motion_loop.c - a loop at 50 Hz that names what someone is doing, from a sensor whose samples come late or not at all.
 *
 *     motion_loop [--drop PERCENT] [--jitter PERCENT] [--seed N] [--no-dt] [--live] [--model MODEL] RECORDING.csv ...
 *
 *     examples/motion/walking-upstairs.csv (walking upstairs)
 *       2.54 s  walking upstairs (99 %)
 *       5.10 s  walking upstairs (93 %), walking downstairs (6 %)
 *       6.38 s  walking upstairs (99 %)
 *     ...
 *     17 of 17 windows named rightly
 *     1809 steps, 111 samples dropped, 0.5 to 4.1 periods apart
 *     a step took 5.9 us in the median, 23.5 us at 99.9 %, 42.1 us at worst, of 20000 us
 *
 * A recording is a line of numbers for every sample; a first line "# standing" says what it is.  The program samples it
 * again at moments that are off by up to 'jitter' of a period and loses some, and tells krait how far apart two
 * samples are (dt).  Every 2.56 s, the length that the model was trained on, a new episode begins (reset); its last
 * sample is never lost.  Everything is allocated before the loop.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "krait.h"

enum { MOST_INPUTS = 64, MOST_CLASSES = 64, MOST_NAME = 32, MOST_LINE = 4096, WINDOW = 128 };

struct recording {
    const char *path;
    char        truth[MOST_NAME];               /* "": nobody says */
    float      *rows;                           /* [count][inputs] */
    size_t      count, room;
};

struct loop {
    krait_model *model;
    krait_state *state;
    size_t       inputs, classes;
    char         names[MOST_CLASSES][MOST_NAME];
    double       rate, drop, jitter;            /* samples a second; 0..1, and of a period */
    int          live, no_dt;
    uint32_t     random;
    double      *took;                          /* seconds of every step */
    size_t       steps, dropped, windows, right;
    double       least, most;                   /* dt */
};

static int complain(const char *path, const char *what)
{
    fprintf(stderr, "motion_loop: %s: %s\n", path, what);
    return 0;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void wait_until(double moment)
{
    struct timespec t;
    double          left = moment - now();

    if (left > 0) {
        t.tv_sec = (time_t)left;
        t.tv_nsec = (long)((left - (double)t.tv_sec) * 1e9);
        nanosleep(&t, NULL);
    }
}

/* From 0 to 1, the same everywhere. */
static double random_number(struct loop *l)
{
    l->random = l->random * 1664525u + 1013904223u;
    return (double)(l->random >> 8) / 16777216.0;
}

/* ---- recordings ---- */

/* "1.5,-0.25,3" as exactly so many finite numbers. */
static int read_numbers(const char *text, float *row, size_t count)
{
    char  *end;
    size_t i;

    for (i = 0; i < count; i++) {
        double x = strtod(text, &end);

        if (end == text || !(fabs(x) <= 1e6))
            return 0;
        row[i] = (float)x;
        text = end + (*end == ',' && i + 1 < count);
    }
    return text[strspn(text, " \r\n")] == 0;
}

static int grow(struct recording *r, size_t inputs)
{
    size_t room = r->room ? 2 * r->room : 512;
    float *rows = room < 4000000 ? realloc(r->rows, room * inputs * sizeof *rows) : NULL;

    if (!rows)
        return 0;
    r->rows = rows;
    r->room = room;
    return 1;
}

static int read_recording(struct recording *r, const char *path, size_t inputs)
{
    FILE         *file = fopen(path, "r");
    char          line[MOST_LINE], what[96] = "";
    unsigned long number = 0;

    r->path = path;
    if (!file)
        return complain(path, strerror(errno));
    while (!what[0] && fgets(line, sizeof line, file)) {
        number++;
        if (!strchr(line, '\n') && !feof(file)) {
            sprintf(what, "line %lu is too long", number);
        } else if (line[0] == '#') {
            if (number == 1)
                sscanf(line, "# %31[^\r\n]", r->truth);
        } else if (r->count == r->room && !grow(r, inputs)) {
            strcpy(what, "is too long");
        } else if (!read_numbers(line, r->rows + r->count * inputs, inputs)) {
            sprintf(what, "line %lu: %lu numbers with commas between them are wanted", number, (unsigned long)inputs);
        } else {
            r->count++;
        }
    }
    if (ferror(file))
        strcpy(what, "cannot be read");
    else if (!what[0] && r->count < 2)
        strcpy(what, "has no two samples");
    fclose(file);
    return what[0] ? complain(path, what) : 1;
}

/* What the sensor shows at a moment, in periods from the first sample. */
static void sample(const struct loop *l, const struct recording *r, double moment, float *row)
{
    size_t i, at;

    moment = moment < 0 ? 0 : moment > (double)(r->count - 1) ? (double)(r->count - 1) : moment;
    at = (size_t)moment;
    at -= at == r->count - 1;
    for (i = 0; i < l->inputs; i++) {
        const float *x = r->rows + at * l->inputs + i;

        row[i] = (float)(x[0] + (moment - (double)at) * (x[l->inputs] - x[0]));
    }
}

/* ---- the loop ---- */

/* Logarithms of probabilities, or logits, become probabilities; returns the likeliest class. */
static size_t softmax(float *row, size_t count)
{
    float  greatest;
    double sum = 0;
    size_t best = 0, i;

    for (i = 1; i < count; i++)
        best = row[i] > row[best] ? i : best;
    greatest = row[best];
    for (i = 0; i < count; i++)
        sum += exp(row[i] - greatest);
    for (i = 0; i < count; i++)
        row[i] = (float)(exp(row[i] - greatest) / sum);
    return best;
}

/* What the window that ends here looks like; it counts if the truth is known. */
static void print_window(struct loop *l, const struct recording *r, double moment, float *row)
{
    size_t best = softmax(row, l->classes), i;
    int    right = strcmp(l->names[best], r->truth) == 0;

    printf("  %.2f s  %s (%.0f %%)", moment / l->rate, l->names[best], 100 * (double)row[best]);
    for (i = 0; i < l->classes; i++)
        if (i != best && row[i] >= 0.05f)
            printf(", %s (%.0f %%)", l->names[i], 100 * (double)row[i]);
    puts(r->truth[0] && !right ? "  WRONG" : "");
    l->windows += r->truth[0] != 0;
    l->right += right;
}

static int step(struct loop *l, const float *row, float dt, uint8_t begins, float *out)
{
    krait_input  input = { 0 };
    krait_output output = { 0 };
    double       from;
    krait_status status;

    input.size = sizeof input;
    input.steps = 1;
    input.features = row;
    input.dt = l->no_dt ? NULL : &dt;
    input.reset = &begins;
    output.size = sizeof output;
    output.rows = out;
    output.capacity = MOST_CLASSES;
    from = now();
    status = krait_run(l->model, l->state, &input, &output, NULL);
    l->took[l->steps++] = now() - from;
    return status == KRAIT_OK;
}

static int play(struct loop *l, const struct recording *r)
{
    float   row[MOST_INPUTS], out[MOST_CLASSES];
    double  moment, last = 0, begun = now(), dt;
    size_t  k, began = 0;                       /* the sample with which the window begins */
    uint8_t begins = 1;

    printf("%s (%s)\n", r->path, r->truth[0] ? r->truth : "unknown");
    for (k = 0; k < r->count; k++) {
        int due = k + 1 == r->count || k - began + 1 == WINDOW;

        moment = (double)k + l->jitter * (2 * random_number(l) - 1);
        if (random_number(l) < l->drop && !due) {
            l->dropped++;
            continue;
        }
        if (l->live)
            wait_until(begun + (moment + l->jitter) / l->rate);
        sample(l, r, moment, row);
        dt = begins ? 1 : moment - last;        /* the first row of an episode: one period */
        l->least = dt < l->least ? dt : l->least;
        l->most = dt > l->most ? dt : l->most;
        if (!step(l, row, (float)dt, begins, out))
            return complain(r->path, "the model cannot be run");
        last = moment;
        begins = due != 0;
        if (due) {
            print_window(l, r, moment, out);
            began = k + 1;
        }
    }
    return 1;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_loop(struct loop *l)
{
    qsort(l->took, l->steps, sizeof *l->took, by_size);
    if (l->windows)
        printf("%lu of %lu windows named rightly\n", (unsigned long)l->right, (unsigned long)l->windows);
    printf("%lu steps, %lu samples dropped, %.1f to %.1f periods apart\n", (unsigned long)l->steps,
           (unsigned long)l->dropped, l->least, l->most);
    printf("a step took %.1f us in the median, %.1f us at 99.9 %%, %.1f us at worst, of %.0f us\n",
           1e6 * l->took[l->steps / 2], 1e6 * l->took[(size_t)(0.999 * (double)(l->steps - 1))],
           1e6 * l->took[l->steps - 1], 1e6 / l->rate);
}

/* ---- the model and the command's words ---- */

/* "a,b,c" of the file's metadata; numbers where it names none. */
static int name_classes(struct loop *l)
{
    const char *text = krait_model_text(l->model, "classes");
    size_t      i, length;

    for (i = 0; i < l->classes; i++) {
        sprintf(l->names[i], "%u", (unsigned)i);
        if (text) {
            length = strcspn(text, ",");
            if (length == 0 || length >= MOST_NAME || (text[length] == ',') != (i + 1 < l->classes))
                return 0;
            memcpy(l->names[i], text, length);
            l->names[i][length] = 0;
            text += length + (text[length] == ',');
        }
    }
    return 1;
}

static int open_loop(struct loop *l, const char *path)
{
    krait_message why;
    const char   *rate;
    int64_t       in, out, steps;

    if (krait_model_open(&l->model, path, NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "motion_loop: %s\n", why.text);
        return 0;
    }
    krait_model_get(l->model, KRAIT_IN_WIDTH, &in);
    krait_model_get(l->model, KRAIT_OUT_WIDTH, &out);
    krait_model_get(l->model, KRAIT_CAN_STEP, &steps);
    rate = krait_model_text(l->model, "sample_rate");
    l->rate = rate ? strtod(rate, NULL) : 50;
    l->inputs = (size_t)in;
    l->classes = (size_t)out;
    if (in < 1 || in > MOST_INPUTS || !steps || out < 2 || out > MOST_CLASSES || !(l->rate > 0 && l->rate < 1e6)
        || !name_classes(l))
        return complain(path, "is no classifier of a sensor that can run along with it");
    return krait_state_create(&l->state, l->model, NULL, NULL) == KRAIT_OK ? 1 : complain(path, "no memory");
}

static int play_all(struct loop *l, char **paths, size_t count)
{
    struct recording *recordings = calloc(count, sizeof *recordings);
    size_t            i, samples = 0;
    int               good = recordings != NULL;

    for (i = 0; good && i < count; i++) {
        good = read_recording(&recordings[i], paths[i], l->inputs);
        samples += recordings[i].count;
    }
    if (good && !(l->took = malloc(samples * sizeof *l->took)))
        good = complain(paths[0], "no memory");
    for (i = 0; good && i < count; i++)
        good = play(l, &recordings[i]);
    if (good)
        print_loop(l);
    for (i = 0; recordings && i < count; i++)
        free(recordings[i].rows);
    free(recordings);
    free(l->took);
    return good;
}

static const char usage[] =
    "usage: motion_loop [options] RECORDING.csv ...\n"
    "\n"
    "Samples recordings of a sensor at irregular moments and names what is done, a line\n"
    "for every 128 periods.\n"
    "\n"
    "  RECORDING.csv     a line of numbers a sample; \"# name\" in the first line says\n"
    "                    what it is\n"
    "  --drop PERCENT    samples that are lost (default 5)\n"
    "  --jitter PERCENT  of a period by which they may be early or late (default 25, at\n"
    "                    most 45)\n"
    "  --seed N          other moments (default 1)\n"
    "  --no-dt           do not tell krait how far apart samples are: every row is a period\n"
    "  --live            wait for every sample as for a sensor; otherwise as fast as it goes\n"
    "  --model MODEL     default: examples/models/s5-har.safetensors; its metadata may name\n"
    "                    \"sample_rate\" and \"classes\"\n"
    "  --help            this text\n"
    "\n"
    "Ends with 0 if all could be run, 1 if not, 2 for wrong arguments.\n";

/* The value of an option from low to high; 0 if it is none. */
static int read_option(const char *text, double low, double high, double *value)
{
    char *end;

    *value = text ? strtod(text, &end) : 0;
    return text && end != text && !*end && *value >= low && *value <= high;
}

/* How many words were options; -1: they are wrong. */
static int read_options(struct loop *l, const char **model, int argc, char **argv)
{
    double value;
    int    i;

    for (i = 1; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--live") == 0)
            l->live = 1;
        else if (strcmp(argv[i], "--no-dt") == 0)
            l->no_dt = 1;
        else if (strcmp(argv[i], "--model") == 0 && i + 1 < argc)
            *model = argv[++i];
        else if (strcmp(argv[i], "--drop") == 0 && read_option(argv[i + 1], 0, 95, &value))
            l->drop = value / 100, i++;
        else if (strcmp(argv[i], "--jitter") == 0 && read_option(argv[i + 1], 0, 45, &value))
            l->jitter = value / 100, i++;
        else if (strcmp(argv[i], "--seed") == 0 && read_option(argv[i + 1], 0, 4294967295.0, &value))
            l->random = (uint32_t)value, i++;
        else
            return -1;
    }
    return i < argc ? i : -1;
}

int main(int argc, char **argv)
{
    static struct loop l;
    const char        *model = "examples/models/s5-har.safetensors";
    int                first, good;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    l.drop = 0.05;
    l.jitter = 0.25;
    l.random = 1;
    l.least = 1e30;
    first = read_options(&l, &model, argc, argv);
    if (first < 0) {
        fputs(usage, stderr);
        return 2;
    }
    good = open_loop(&l, model) && play_all(&l, argv + first, (size_t)(argc - first));
    krait_state_destroy(l.state, NULL);
    krait_model_close(l.model);
    return !good;
}
