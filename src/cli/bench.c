/*
 * bench.c - krait bench: how fast a model runs here, for numbers of lanes and threads.
 *
 * A figure is the median of what was measured for --seconds, the first call left out.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/orders.h"
#include "cli/pool.h"
#include "cli/probe.h"
#include "cli/progress.h"
#include "cli/show.h"

enum { MOST_LIST = 16, ROUNDS = 5 };
enum { ONLY_BOTH, ONLY_DECODE, ONLY_PREFILL };

struct bench_args {
    const char *model, *lanes, *threads;
    uint32_t    rows, chunk;
    double      seconds;
    int         only, mode, prefetch, json;
};

static const arg_option bench_options[] = {
    { "MODEL", ARG_OPERAND, offsetof(struct bench_args, model), NULL, NULL },
    { "--lanes", ARG_TEXT, offsetof(struct bench_args, lanes), "1,8,64",
      "numbers of streams at once (1,8,64)" },
    { "--threads", ARG_TEXT, offsetof(struct bench_args, threads), "1,2",
      "numbers of threads (1)" },
    { "--rows", ARG_COUNT, offsetof(struct bench_args, rows), "N",
      "rows of each lane when there are many at once (512, or what a\n"
      "whole sequence may have)" },
    { "--chunk", ARG_COUNT, offsetof(struct bench_args, chunk), "N",
      "of them at a time (64)" },
    { "--only", ARG_CHOICE, offsetof(struct bench_args, only), "both|decode|prefill",
      "which figures (both)" },
    { "--mode", ARG_CHOICE, offsetof(struct bench_args, mode),
      "recurrent|auto|scan|convolution", "how rows are run (recurrent)" },
    { "--prefetch", ARG_FLAG, offsetof(struct bench_args, prefetch), NULL,
      "bring all weights into memory when opening" },
    { "--seconds", ARG_REAL, offsetof(struct bench_args, seconds), "S",
      "how long to measure a figure (1)" },
    { "--json", ARG_FLAG, offsetof(struct bench_args, json), NULL,
      "the same for programs" },
    { NULL, ARG_FLAG, 0, NULL, NULL }
};

static const arg_command bench_usage = {
    "bench",
    "Measures how many rows or tokens a second a model takes: decoding, one row of each\n"
    "lane a call, and prefilling, many of them.",
    bench_options
};

struct list {
    uint32_t number[MOST_LIST];
    size_t   count;
};

/* Rows per second of all lanes together; 0: this model does not do that. */
struct figure {
    uint32_t lanes, threads;
    double   decode, prefill;
    size_t   state_bytes;       /* as used for prefilling, scratch included */
};

struct bench {
    const struct bench_args *args;
    krait_model   *model;
    double         opened;      /* seconds that opening took */
    double         bandwidth, fma;
    struct list    lanes, threads;
    struct figure *figures;
    size_t         rows;        /* of each lane at once */
    size_t         count, done;
    progress       bar;
};

/* ---- one figure ---- */

/* Calls of krait_run() that are all alike. */
struct load {
    struct bench *bench;
    krait_state  *state;
    krait_input   input;
    krait_output  output;
    size_t        lanes;
    int32_t      *tokens;
    float        *features, *rows;
    order_set     orders;
};

static void load_end(struct load *l)
{
    krait_state_destroy(l->state, NULL);
    free(l->tokens);
    free(l->features);
    free(l->rows);
    orders_free(&l->orders);
}

/* Tokens all over the vocabulary, so that their rows are not in the cache; small numbers. */
static int make_input(struct load *l, size_t rows)
{
    size_t  width = (size_t)model_number(l->bench->model, KRAIT_IN_WIDTH), i;
    int64_t vocabulary = model_number(l->bench->model, KRAIT_VOCABULARY);

    if (model_number(l->bench->model, KRAIT_TAKES_TOKENS)) {
        if (!(l->tokens = malloc(rows * sizeof *l->tokens)))
            return 1;
        for (i = 0; i < rows; i++)
            l->tokens[i] = (int32_t)((int64_t)i * 7919 % vocabulary);
    } else {
        if (rows > SIZE_MAX / 8 / width
            || !(l->features = malloc(rows * width * sizeof *l->features)))
            return 1;
        for (i = 0; i < rows * width; i++)
            l->features[i] = (float)(i * 7919 % 256) / 128 - 1;
    }
    return 0;
}

static int load_begin(struct load *l, const struct figure *f, size_t steps, pool *threads)
{
    krait_state_options o = { 0 };
    krait_status        status;
    size_t              width = (size_t)model_number(l->bench->model, KRAIT_OUT_WIDTH);
    uint32_t            chunk = l->bench->args->chunk;

    l->lanes = f->lanes;
    o.size = sizeof o;
    o.lanes = f->lanes;
    o.tasks = f->threads;
    o.chunk = steps < chunk ? (uint32_t)steps : chunk;
    if (model_number(l->bench->model, KRAIT_WHOLE_SEQUENCE))
        o.max_steps = (uint32_t)steps;
    status = krait_state_create(&l->state, l->bench->model, &o, NULL);
    if (status != KRAIT_OK)
        return complain_status(l->bench->args->model, status, NULL);
    if (orders_make(&l->orders, l->bench->model, l->lanes, steps, 1))
        return 1;
    if (make_input(l, l->lanes * steps)
        || !(l->rows = malloc((l->lanes * width + 1) * sizeof *l->rows)))
        return complain(NULL, "out of memory");
    l->input.size = sizeof l->input;
    l->input.steps = steps;
    l->input.mode = l->bench->args->mode;
    l->input.tokens = l->tokens;
    l->input.features = l->features;
    l->input.orders = l->orders.list;
    l->input.order_count = l->orders.count;
    pool_serve(threads, &l->input);
    l->output.size = sizeof l->output;
    l->output.rows = l->rows;
    l->output.capacity = l->lanes * width;
    l->output.which = KRAIT_ROWS_LAST;
    return 0;
}

/* 0, or 1 after a complaint. */
static int call_once(struct load *l)
{
    struct bench *b = l->bench;
    krait_message message = { "" };
    krait_status  status = KRAIT_OK;

    if (model_number(b->model, KRAIT_WHOLE_SEQUENCE))
        status = krait_state_reset(b->model, l->state, KRAIT_ALL_LANES);
    if (status == KRAIT_OK)
        status = krait_run(b->model, l->state, &l->input, &l->output, &message);
    if (status != KRAIT_OK)
        return complain_status(b->args->model, status, &message);
    if (progress_tick(&b->bar, b->done, 2 * b->count))
        return complain(b->args->model, "interrupted");
    return 0;
}

static int measure_rate(struct load *l, double *rate)
{
    double seconds = l->bench->args->seconds, begun, took, rates[ROUNDS];
    size_t count = 0, calls = 0, i;

    if (call_once(l))           /* memory is touched, the first time costs more */
        return 1;
    begun = progress_clock();
    do {
        double start = progress_clock();

        for (i = 0; i == 0 || (calls ? i < calls : took < seconds / ROUNDS); i++) {
            if (call_once(l))
                return 1;
            took = progress_clock() - start + 1e-9;     /* never 0 */
        }
        calls = i;
        rates[count++] = (double)(calls * l->lanes * l->input.steps) / took;
    } while (count < ROUNDS && progress_clock() - begun < seconds);
    *rate = probe_median(rates, count);
    return 0;
}

static int measure(struct bench *b, const struct figure *f, size_t steps, pool *threads,
                   double *rate)
{
    struct load l;
    int         bad;

    memset(&l, 0, sizeof l);
    l.bench = b;
    bad = load_begin(&l, f, steps, threads) || measure_rate(&l, rate);
    load_end(&l);
    b->done++;
    return bad;
}

static int measure_figure(struct bench *b, struct figure *f)
{
    krait_state_options o = { 0 };
    pool               *threads;
    int                 bad = 0;

    o.size = sizeof o;
    o.lanes = f->lanes;
    o.tasks = f->threads;
    o.chunk = b->args->chunk < b->rows ? b->args->chunk : (uint32_t)b->rows;
    if (model_number(b->model, KRAIT_WHOLE_SEQUENCE))
        o.max_steps = (uint32_t)b->rows;
    krait_state_bytes(b->model, &o, &f->state_bytes);
    if (pool_start_or_complain(&threads, f->threads))
        return 1;
    if (b->args->only != ONLY_PREFILL && model_number(b->model, KRAIT_CAN_STEP))
        bad = measure(b, f, 1, threads, &f->decode);
    if (!bad && b->args->only != ONLY_DECODE)
        bad = measure(b, f, b->rows, threads, &f->prefill);
    pool_end(threads);
    return bad;
}

/* ---- what is printed ---- */

/* Of the weights, in a second: every call of decoding reads them all. */
static double read_rate(const struct bench *b, const struct figure *f)
{
    return f->decode / f->lanes * (double)model_number(b->model, KRAIT_WEIGHT_BYTES);
}

static void print_table(const struct bench *b)
{
    const char *kernels = krait_model_text(b->model, "krait.kernels");
    size_t      i;

    show_text(stdout, b->args->model, strlen(b->args->model), 0);
    printf(": kernels %s, opened in %.1f ms\n", kernels ? kernels : "?", 1e3 * b->opened);
    printf("weights %s, state %s a lane\n",
           show_bytes((uint64_t)model_number(b->model, KRAIT_WEIGHT_BYTES)),
           show_bytes((uint64_t)model_number(b->model, KRAIT_STATE_BYTES_PER_LANE)));
    printf("one thread of this machine: %.1f GB/s from memory", b->bandwidth * 1e-9);
    if (b->fma > 0)
        printf(", %.1f GFLOP/s of fma", b->fma * 1e-9);
    printf("\n\n  threads  lanes   decode rows/s   weights GB/s   prefill rows/s   "
           "state, chunk %lu\n", (unsigned long)b->args->chunk);
    for (i = 0; i < b->count; i++) {
        const struct figure *f = &b->figures[i];

        printf("  %7lu  %5lu", (unsigned long)f->threads, (unsigned long)f->lanes);
        if (f->decode > 0)
            printf("   %13.1f   %12.1f", f->decode, read_rate(b, f) * 1e-9);
        else
            printf("   %13s   %12s", b->args->only == ONLY_PREFILL ? "" : "cannot step", "");
        if (f->prefill > 0)
            printf("   %14.1f", f->prefill);
        else
            printf("   %14s", "");
        printf("   %s\n", show_bytes(f->state_bytes));
    }
}

static void print_rate(double rate)
{
    if (rate > 0)
        printf("%.2f", rate);
    else
        printf("null");
}

static void print_json(const struct bench *b)
{
    const char *kernels = krait_model_text(b->model, "krait.kernels");
    size_t      i;

    printf("{\n  \"path\": ");
    show_json(stdout, b->args->model);
    printf(",\n  \"kernels\": ");
    show_json(stdout, kernels ? kernels : "");
    printf(",\n  \"open_seconds\": %.6f,\n  \"weight_bytes\": %" PRId64 ",\n", b->opened,
           model_number(b->model, KRAIT_WEIGHT_BYTES));
    printf("  \"state_bytes_per_lane\": %" PRId64 ",\n",
           model_number(b->model, KRAIT_STATE_BYTES_PER_LANE));
    printf("  \"memory_bytes_per_second\": %.0f,\n  \"fma_operations_per_second\": %.0f,\n",
           b->bandwidth, b->fma);
    printf("  \"rows\": %lu,\n  \"chunk\": %lu,\n  \"figures\": [",
           (unsigned long)b->rows, (unsigned long)b->args->chunk);
    for (i = 0; i < b->count; i++) {
        const struct figure *f = &b->figures[i];

        printf("%s\n    {\"threads\": %lu, \"lanes\": %lu, \"decode_rows_per_second\": ",
               i ? "," : "", (unsigned long)f->threads, (unsigned long)f->lanes);
        print_rate(f->decode);
        printf(", \"prefill_rows_per_second\": ");
        print_rate(f->prefill);
        printf(", \"state_bytes\": %lu}", (unsigned long)f->state_bytes);
    }
    printf("\n  ]\n}\n");
}

/* ---- the whole ---- */

/* "1,8,64": numbers from 1. */
static int read_list(const char *text, struct list *list)
{
    char *end;

    for (list->count = 0; list->count < MOST_LIST; text = end + 1) {
        unsigned long number;

        if (text[0] < '0' || text[0] > '9')
            return 1;
        number = strtoul(text, &end, 10);
        if (number < 1 || number > 1000000 || (*end && *end != ','))
            return 1;
        list->number[list->count++] = (uint32_t)number;
        if (!*end)
            return 0;
    }
    return 1;
}

static int measure_all(struct bench *b)
{
    probe  machine = { NULL };
    size_t i, k;
    int    bad = 0;

    b->bandwidth = probe_bandwidth(&machine);
    b->fma = probe_fma();
    progress_begin(&b->bar, "measuring", "figures");
    for (i = 0; i < b->threads.count && !bad; i++)
        for (k = 0; k < b->lanes.count && !bad; k++) {
            struct figure *f = &b->figures[i * b->lanes.count + k];

            f->threads = b->threads.number[i];
            f->lanes = b->lanes.number[k];
            bad = measure_figure(b, f);
        }
    progress_end(&b->bar);
    b->bandwidth = (b->bandwidth + probe_bandwidth(&machine)) / 2;
    b->fma = (b->fma + probe_fma()) / 2;
    probe_end(&machine);
    return bad;
}

static int run_bench(struct bench *b)
{
    double begun = progress_clock();

    if (!(b->model = model_open(b->args->model, b->args->prefetch ? KRAIT_OPEN_PREFETCH : 0)))
        return 1;
    b->opened = progress_clock() - begun;
    b->rows = b->args->rows ? b->args->rows : model_steps(b->model, 512);
    b->count = b->lanes.count * b->threads.count;
    if (!(b->figures = calloc(b->count, sizeof *b->figures)))
        return complain(NULL, "out of memory");
    if (measure_all(b))
        return 1;
    if (b->args->json)
        print_json(b);
    else
        print_table(b);
    return 0;
}

int command_bench(int argc, char **argv)
{
    struct bench_args args = { NULL, "1,8,64", "1", 0, 64, 1, ONLY_BOTH, KRAIT_RECURRENT, 0, 0 };
    struct bench      b;
    int               bad, go = args_parse(&bench_usage, argc, argv, &args);

    if (go != ARGS_GO)
        return go;
    memset(&b, 0, sizeof b);
    b.args = &args;
    if (read_list(args.lanes, &b.lanes))
        return args_wrong("bench", "--lanes wants numbers from 1:", "1,8,64");
    if (read_list(args.threads, &b.threads))
        return args_wrong("bench", "--threads wants numbers from 1:", "1,2");
    if (args.chunk == 0 || args.seconds < 0)
        return args_wrong("bench", "nothing to measure:", "--chunk or --seconds");
    bad = run_bench(&b);
    free(b.figures);
    krait_model_close(b.model);
    return bad ? EXIT_FAILED : EXIT_DONE;
}
