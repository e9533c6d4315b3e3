/*
 * bench.c - what krait reaches, as a fraction of what the machine allows.
 *
 *     bench [--quick] [--small] [--tasks 1,2,4] [MODEL ...]
 *
 * One thread, unless --tasks asks for a table of how decoding, prefilling and 64 lanes gain by tasks.  Bandwidth and FMA rate are probed before and after every figure, since the speed
 * of shared machines drifts.  Decode is one token at a time; its limit is reading every weight
 * once.  Prefill is many rows at once; its limit is the FMA rate.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "cli/probe.h"
#include "cli/progress.h"
#include "krait.h"
#include "support/pool.h"
#include "support/random.h"

/* ---- the machine -------------------------------------------------------------------------------- */

static probe machine;

static double bandwidth(void)
{
    return probe_bandwidth(&machine);
}

static double peak_megabytes(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

/* ---- a model of mamba-130m's shape with random weights ---------------------------------------------- */

enum { WIDTH = 768, LAYERS = 24, INNER = 1536, STATES = 16, RANK = 48, VOCABULARY = 50280 };

static const char config_130m[] =
    "{\"model_type\": \"mamba\", \"hidden_size\": 768, \"num_hidden_layers\": 24, \"state_size\": 16,"
    " \"expand\": 2, \"conv_kernel\": 4, \"time_step_rank\": 48, \"layer_norm_epsilon\": 1e-05,"
    " \"vocab_size\": 50280, \"tie_word_embeddings\": true}";

typedef struct weights {
    krait_tensor list[2 + 10 * LAYERS];
    char         names[2 + 10 * LAYERS][64];
    size_t       count;
} weights;

static float *random_floats(size_t count, float scale, float offset)
{
    kr_random random = kr_random_from(count);
    float    *x = malloc(count * sizeof *x);

    for (size_t i = 0; i < count; i++)
        x[i] = kr_random_unit(&random) * scale + offset;
    return x;
}

/* Blocks of 34 bytes with one scale; what matters here is their number. */
static void *random_blocks(size_t count)
{
    kr_random      random = kr_random_from(count);
    unsigned char *bytes = malloc(count / 32 * 34);

    for (size_t i = 0; i < count / 32 * 34; i++)
        bytes[i] = (unsigned char)kr_random_u32(&random);
    for (size_t i = 0; i < count / 32; i++) {
        bytes[34 * i] = 0;
        bytes[34 * i + 1] = 0x08;           /* 2^-13 */
    }
    return bytes;
}

static void add(weights *w, int layer, const char *name, int32_t type, uint64_t rows, uint64_t columns,
                float scale, float offset)
{
    krait_tensor *t = &w->list[w->count];
    char         *text = w->names[w->count++];
    size_t        count = (size_t)(rows * columns);

    if (layer >= 0)
        snprintf(text, 64, "backbone.layers.%d.%s", layer, name);
    else
        snprintf(text, 64, "backbone.%s", name);
    if (columns % 32)
        type = KRAIT_F32;
    *t = (krait_tensor){ .name = text, .shape = { rows, columns }, .dimensions = columns > 1 ? 2 : 1, .type = type };
    t->data = type == KRAIT_Q8_0 ? random_blocks(count) : random_floats(count, scale, offset);
    t->bytes = type == KRAIT_Q8_0 ? count / 32 * 34 : count * 4;
}

static krait_model *random_130m(int32_t type)
{
    weights      *w = calloc(1, sizeof *w);
    krait_message why;
    krait_model  *model;

    add(w, -1, "embeddings.weight", type, VOCABULARY, WIDTH, 0.05f, 0);
    add(w, -1, "norm_f.weight", KRAIT_F32, WIDTH, 1, 0.1f, 1);
    for (int i = 0; i < LAYERS; i++) {
        add(w, i, "norm.weight", KRAIT_F32, WIDTH, 1, 0.1f, 1);
        add(w, i, "mixer.in_proj.weight", type, 2 * INNER, WIDTH, 0.05f, 0);
        add(w, i, "mixer.conv1d.weight", KRAIT_F32, INNER, 4, 0.5f, 0);
        add(w, i, "mixer.conv1d.bias", KRAIT_F32, INNER, 1, 0.1f, 0);
        add(w, i, "mixer.x_proj.weight", type, RANK + 2 * STATES, INNER, 0.05f, 0);
        add(w, i, "mixer.dt_proj.weight", type, INNER, RANK, 0.1f, 0);
        add(w, i, "mixer.dt_proj.bias", KRAIT_F32, INNER, 1, 1, -4);
        add(w, i, "mixer.A_log", KRAIT_F32, INNER, STATES, 1, 1);
        add(w, i, "mixer.D", KRAIT_F32, INNER, 1, 0.1f, 1);
        add(w, i, "mixer.out_proj.weight", type, WIDTH, INNER, 0.05f, 0);
    }
    if (krait_model_create(&model, config_130m, w->list, w->count, NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "bench: %s\n", why.text);
        exit(1);
    }
    for (size_t i = 0; i < w->count; i++)
        free((void *)(uintptr_t)w->list[i].data);
    free(w);
    return model;
}

/* ---- figures ------------------------------------------------------------------------------------------- */

static int quick;

static int64_t get(const krait_model *model, int32_t key)
{
    int64_t value;

    krait_model_get(model, key, &value);
    return value;
}

/* Multiplications and additions of one row: two for every number of a matrix, about. */
static double operations(const krait_model *model)
{
    return 2.0 * (double)get(model, KRAIT_PARAMETERS);
}

static double decode_once(const krait_model *model, krait_state *state, float *logits, int tokens)
{
    int64_t vocabulary = get(model, KRAIT_VOCABULARY);
    double  start = progress_clock();

    for (int i = 0; i < tokens; i++) {
        int32_t token = (int32_t)(i * 7919 % vocabulary);

        krait_step_tokens(model, state, &token, logits);
    }
    return tokens / (progress_clock() - start);
}

static void decode(const krait_model *model, const char *name)
{
    enum { ROUNDS = 7 };
    double       rates[ROUNDS], limits[ROUNDS], bytes = (double)get(model, KRAIT_WEIGHT_BYTES);
    int          rounds = quick ? 1 : ROUNDS, tokens = (int)(4e9 / bytes) + 4;
    float       *logits = malloc((size_t)get(model, KRAIT_OUT_WIDTH) * sizeof *logits);
    krait_state *state;

    if (quick)
        tokens = 4;
    krait_state_create(&state, model, NULL, NULL);
    decode_once(model, state, logits, 2);
    for (int r = 0; r < rounds; r++) {
        double before = bandwidth();

        rates[r] = decode_once(model, state, logits, tokens);
        limits[r] = rates[r] * bytes / ((before + bandwidth()) / 2);
    }
    printf("%-28s decode   %8.1f tokens/s  %6.1f GB/s  %3.0f %% of bandwidth\n", name, probe_median(rates, (size_t)rounds),
           probe_median(rates, (size_t)rounds) * bytes * 1e-9, 100 * probe_median(limits, (size_t)rounds));
    krait_state_destroy(state, NULL);
    free(logits);
}

static double prefill_once(const krait_model *model, krait_state *state, const int32_t *tokens, size_t steps,
                           float *logits)
{
    krait_input  input = { .size = sizeof input, .steps = steps, .tokens = tokens };
    krait_output output = { .size = sizeof output, .rows = logits, .which = KRAIT_ROWS_LAST };
    double       start = progress_clock();

    output.capacity = (size_t)get(model, KRAIT_OUT_WIDTH);
    krait_run(model, state, &input, &output, NULL);
    return (double)steps / (progress_clock() - start);
}

static void prefill(const krait_model *model, const char *name, uint32_t chunk)
{
    enum { ROUNDS = 5, STEPS = 512 };
    static int32_t      tokens[STEPS];
    krait_state_options options = { .size = sizeof options, .chunk = chunk };
    double       rates[ROUNDS], limits[ROUNDS], head;
    int          rounds = quick ? 1 : ROUNDS;
    float       *logits = malloc((size_t)get(model, KRAIT_OUT_WIDTH) * sizeof *logits);
    krait_state *state;

    for (size_t i = 0; i < STEPS; i++)
        tokens[i] = (int32_t)((int64_t)i * 7919 % get(model, KRAIT_VOCABULARY));
    /* The head runs for one row of all. */
    head = 2.0 * (double)get(model, KRAIT_OUT_WIDTH) * (double)get(model, KRAIT_IN_WIDTH);
    krait_state_create(&state, model, &options, NULL);
    prefill_once(model, state, tokens, chunk, logits);
    for (int r = 0; r < rounds; r++) {
        double before = probe_fma();

        rates[r] = prefill_once(model, state, tokens, quick ? chunk : STEPS, logits);
        before = (before + probe_fma()) / 2;
        limits[r] = before > 0 ? rates[r] * (operations(model) - head) / before : 0;
    }
    printf("%-28s prefill  %8.1f tokens/s  %6.1f GFLOP/s  %3.0f %% of the FMA rate (chunk %u)\n", name,
           probe_median(rates, (size_t)rounds), probe_median(rates, (size_t)rounds) * (operations(model) - head) * 1e-9,
           100 * probe_median(limits, (size_t)rounds), (unsigned)chunk);
    krait_state_destroy(state, NULL);
    free(logits);
}

/* ---- several tasks ------------------------------------------------------------------------------------ */

enum { MOST_TASKS = 8, LANES = 64, PREFILL = 256 };

static size_t n_tasks;
static int    tasks[MOST_TASKS];

/* One way of running a model: its lanes and steps a call, by so many tasks. */
typedef struct way {
    size_t lanes, steps, calls;
    int    tasks;
} way;

static int32_t *some_tokens(const krait_model *model, size_t count)
{
    int32_t *tokens = malloc(count * sizeof *tokens);

    for (size_t i = 0; i < count; i++)
        tokens[i] = (int32_t)((int64_t)i * 7919 % get(model, KRAIT_VOCABULARY));
    return tokens;
}

/*
 * A host that runs the tasks one after another and adds up, in the CPU time of this thread, what they
 * took and what the longest of each fork-join did.
 */
typedef struct watch {
    double sum, longest;
    size_t forks;
} watch;

static double cpu_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void watched_run(void *user, krait_task_fn task, void *argument, size_t count)
{
    watch *w = user;
    double longest = 0;

    for (size_t i = 0; i < count; i++) {
        double start = cpu_clock(), took;

        task(argument, i);
        took = cpu_clock() - start;
        w->sum += took;
        longest = took > longest ? took : longest;
    }
    w->longest += longest;
    w->forks++;
}

/* Rows a second, of all lanes; with a watch, of CPU time in which tasks of a fork-join lie side by side. */
static double tasks_once(const krait_model *model, const way *w, pool *threads, watch *watched)
{
    krait_state_options options = { .size = sizeof options, .lanes = (uint32_t)w->lanes };
    krait_input  input = { .size = sizeof input, .steps = w->steps, .parallel = pool_run, .parallel_user = threads };
    krait_output output = { .size = sizeof output, .which = KRAIT_ROWS_LAST };
    krait_state *state;
    int32_t     *tokens = some_tokens(model, w->lanes * w->steps);
    double       start;

    options.chunk = (uint32_t)(w->steps < 64 ? w->steps : 64);
    options.tasks = (uint32_t)w->tasks;
    if (watched) {
        input.parallel = watched_run;
        input.parallel_user = watched;
    }
    if (w->tasks == 1)
        input.parallel = NULL;
    input.tokens = tokens;
    output.capacity = (size_t)get(model, KRAIT_OUT_WIDTH) * w->lanes;
    output.rows = malloc(output.capacity * sizeof *output.rows);
    krait_state_create(&state, model, &options, NULL);
    krait_run(model, state, &input, &output, NULL);
    if (watched)
        *watched = (watch){ 0, 0, 0 };
    start = watched ? cpu_clock() : progress_clock();
    for (size_t i = 0; i < w->calls; i++)
        krait_run(model, state, &input, &output, NULL);
    start = watched ? cpu_clock() - start - watched->sum + watched->longest : progress_clock() - start;
    start = (double)(w->lanes * w->steps * w->calls) / start;
    krait_state_destroy(state, NULL);
    free(output.rows), free(tokens);
    return start;
}

/*
 * Every number of tasks in turn, again and again: gains are of runs side by side.  What is possible at
 * best is as if fork-joins were free and cores did not share their memory's bandwidth.
 */
static void tasks_figure(const krait_model *model, const char *name, const char *what, way w, pool **threads)
{
    enum { ROUNDS = 7 };
    double rates[MOST_TASKS][ROUNDS], gains[MOST_TASKS][ROUNDS], bounds[MOST_TASKS][ROUNDS], forks[MOST_TASKS] = { 0 };
    int    rounds = quick ? 1 : ROUNDS;

    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < n_tasks; i++) {
            watch watched = { 0, 0, 0 };

            w.tasks = tasks[i];
            rates[i][r] = tasks_once(model, &w, threads[i], NULL);
            gains[i][r] = rates[i][r] / rates[0][r];
            bounds[i][r] = tasks_once(model, &w, NULL, &watched);
            if (i > 0)
                bounds[i][r] /= bounds[0][r];
            forks[i] = (double)watched.forks / (double)w.calls;
        }
    for (size_t i = 0; i < n_tasks; i++)
        printf("%-28s %-9s %2d tasks  %9.1f tokens/s  %5.2f times, at best %5.2f, %4.0f fork-joins a call\n", name,
               what, tasks[i], probe_median(rates[i], (size_t)rounds), probe_median(gains[i], (size_t)rounds),
               i ? probe_median(bounds[i], (size_t)rounds) : 1, forks[i]);
}

static void measure_tasks(const krait_model *model, const char *name)
{
    double bytes = (double)get(model, KRAIT_WEIGHT_BYTES);
    size_t some = quick ? 1 : 1 + (size_t)(1e9 / bytes);
    pool  *threads[MOST_TASKS];

    for (size_t i = 0; i < n_tasks; i++)
        threads[i] = pool_start(tasks[i] - 1);
    tasks_figure(model, name, "decode", (way){ 1, 1, 4 * some, 1 }, threads);
    tasks_figure(model, name, "prefill", (way){ 1, PREFILL, (some + 31) / 32, 1 }, threads);
    tasks_figure(model, name, "64 lanes", (way){ LANES, 1, (some + 7) / 8, 1 }, threads);
    for (size_t i = 0; i < n_tasks; i++)
        pool_end(threads[i]);
}

/* "1,2,4" */
static void read_tasks(const char *list)
{
    for (; list && n_tasks < MOST_TASKS; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
        if (atoi(list) >= 1 && atoi(list) <= 64)
            tasks[n_tasks++] = atoi(list);
}

static void measure(const krait_model *model, const char *name)
{
    if (n_tasks) {
        measure_tasks(model, name);
        return;
    }
    decode(model, name);
    prefill(model, name, 64);
    if (!quick)
        prefill(model, name, 256);
    printf("%-28s weights %.1f MB, state %.1f KB a lane, peak memory of this process so far %.0f MB\n", name,
           (double)get(model, KRAIT_WEIGHT_BYTES) * 1e-6, (double)get(model, KRAIT_STATE_BYTES_PER_LANE) * 1e-3,
           peak_megabytes());
}

static void measure_file(const char *path)
{
    krait_model  *model;
    krait_message why;
    double        start = progress_clock(), opened;

    if (krait_model_open(&model, path, NULL, &why) != KRAIT_OK) {
        printf("%s: skipped: %s\n", path, why.text);
        return;
    }
    opened = progress_clock() - start;
    printf("%-28s opened in %.2f ms\n", path, 1e3 * opened);
    measure(model, path);
    krait_model_close(model);
}

static void measure_random(int32_t type, const char *name)
{
    krait_model *model = random_130m(type);

    measure(model, name);
    krait_model_close(model);
}

int main(int count, char **words)
{
    int files = 0, big = 1;

    for (int i = 1; i < count; i++)
        if (strcmp(words[i], "--quick") == 0)
            quick = 1;
        else if (strcmp(words[i], "--small") == 0)
            big = 0;
        else if (strcmp(words[i], "--tasks") == 0 && i + 1 < count)
            read_tasks(words[++i]);
        else
            files++;
    printf("%s\n", krait_build());
    printf("bandwidth %.1f GB/s, fma %.1f GFLOP/s, one thread\n", bandwidth() * 1e-9, probe_fma() * 1e-9);
    for (int i = 1; i < count; i++)
        if (strcmp(words[i], "--tasks") == 0)
            i++;
        else if (words[i][0] != '-')
            measure_file(words[i]);
    if (files == 0)
        measure_file("examples/models/mamba-novels.gguf");
    if (big && !quick) {
        measure_random(KRAIT_F32, "mamba-130m shape, float32");
        measure_random(KRAIT_Q8_0, "mamba-130m shape, Q8_0");
    }
    return 0;
}
