/*
 * check.c - krait check: every mode and cut of random rows against each other.
 *
 * What is promised is in docs/numerics.md.  Recurrent results are the same bits however they
 * are made.  Those of another mode are within a bound of them, and the same bits for any
 * lanes, tasks and threads.  Auto is one of the others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/show.h"
#include "cli/trial.h"

struct check_args {
    const char *model;
    uint32_t    steps, lanes;
    uint64_t    seed;
};

static const arg_option check_options[] = {
    { "MODEL", ARG_OPERAND, offsetof(struct check_args, model), NULL, NULL },
    { "--steps", ARG_COUNT, offsetof(struct check_args, steps), "N",
      "random rows of each lane (100, or what a whole sequence may have)" },
    { "--lanes", ARG_COUNT, offsetof(struct check_args, lanes), "N",
      "lanes, each with rows of its own (3)" },
    { "--seed", ARG_SEED, offsetof(struct check_args, seed), "N", "other rows (1)" },
    { NULL, ARG_FLAG, 0, NULL, NULL }
};

static const arg_command check_usage = {
    "check",
    "Runs random rows through a model in every mode and cut, and says how far apart the\n"
    "results are and whether that is as promised.  Exits with 1 if it is not.",
    check_options
};

/* Of modes that add up in another order: of float weights, of weights and rows in int8. */
#define BOUND_FLOAT 1e-4
#define BOUND_INT8  1e-2

enum { MODES = 4, MOST_NAME = 30 };

static const char *const mode_names[MODES] = { "recurrent", "auto", "scan", "convolution" };

/* In this order: what auto is compared with has run before it. */
static const int32_t modes[MODES] = { KRAIT_RECURRENT, KRAIT_SCAN, KRAIT_CONVOLUTION,
                                      KRAIT_AUTO };

static const way ways[] = {
    { "one call, chunk 64",     0, 64, 0, 1 },
    { "single steps",           1, 1, WAY_STEP, 0 },
    { "calls of 1 row",         1, 64, 0, 0 },
    { "calls of 7 rows",        7, 64, 0, 0 },
    { "calls of 37 rows",       37, 64, 0, 0 },
    { "calls of 64 rows",       64, 64, 0, 0 },
    { "chunk 1",                0, 1, 0, 1 },
    { "chunk of all rows",      0, 0, 0, 1 },
    { "each lane alone",        0, 64, WAY_ALONE, 1 },
    { "2 threads",              0, 64, WAY_THREADS, 1 },
    { "2 tasks, the last first", 0, 64, WAY_BACKWARDS, 1 },
    { "only the last row",      0, 64, WAY_LAST, 1 },
    { "plain C kernels",        0, 64, WAY_PLAIN, 1 },
    { "saved and loaded",       0, 64, WAY_SAVED, 0 },
    { "again after a reset",    0, 64, WAY_RESET, 1 },
    { "a second episode",       0, 64, WAY_EPISODE, 1 },
    { "lanes of other lengths", 0, 64, WAY_RAGGED, 1 },
};

enum { WAYS = sizeof ways / sizeof ways[0], BASE = 0 };

struct report {
    trial    trial;
    outcome  base[MODES];       /* of each mode; rows NULL: it is not there */
    outcome  now;
    double   bound;
    unsigned held, broken;
};

/* ---- what is promised ---- */

static int has_type(const krait_model *model, int32_t type)
{
    krait_tensor tensor;
    size_t       i;

    for (i = 0; krait_model_tensor(model, i, &tensor) == KRAIT_OK; i++)
        if (tensor.type == type)
            return 1;
    return 0;
}

/* Nothing that another mode's sums depend on is changed. */
static int keeps_sums(const way *w)
{
    return w->chunk == ways[BASE].chunk && w->cut == ways[BASE].cut
           && !(w->how & ~(WAY_ALONE | WAY_THREADS | WAY_BACKWARDS | WAY_LAST));
}

/*
 * What the way is compared with, and whether the bits have to be the same; NULL if auto ran in
 * a mode that is not there.
 */
static const outcome *reference_of(const struct report *r, const way *w, int32_t mode, int *same)
{
    int32_t used = mode == KRAIT_AUTO ? r->now.mode : mode;

    if (used < 0 || used >= MODES)
        return NULL;
    *same = used == KRAIT_RECURRENT
            || (used != KRAIT_AUTO && keeps_sums(w) && (mode == KRAIT_AUTO || w != &ways[BASE]));
    if (!*same)
        used = KRAIT_RECURRENT;
    return r->base[used].rows ? &r->base[used] : NULL;
}

/* Why a way makes no sense for this model, or here; NULL if it does. */
static const char *not_for(const trial *t, const way *w, int32_t mode)
{
    if (t->whole && !w->whole)
        return "";              /* there is nothing to cut */
    if ((w->how & WAY_STEP) && (mode != KRAIT_RECURRENT || t->with_dt))
        return "";              /* a step has no mode and no dt */
    if ((w->how & WAY_STEP) && t->orders.count)
        return "a step brings no orders";
    if ((w->how & WAY_THREADS) && !t->two)
        return "there are no threads";
    return NULL;
}

/* ---- the table ---- */

static void print_line(const trial *t, int32_t mode, const char *name)
{
    char text[MOST_NAME + 1];

    snprintf(text, sizeof text, "%s%s", name,
             !t->with_dt ? "" : name[0] ? ", dt" : "with dt");
    printf("  %-12s %-*s ", mode_names[mode], MOST_NAME, text);
}

static void print_distance(distance d, int empty)
{
    char text[32];

    if (empty)
        snprintf(text, sizeof text, "none");
    else if (d.same)
        snprintf(text, sizeof text, "same bits");
    else
        snprintf(text, sizeof text, "%.1e", d.apart);
    printf("%-11s", text);
}

static void print_verdict(struct report *r, const outcome *reference, int same, const outcome *o)
{
    const trial *t = &r->trial;
    distance     rows = trial_rows_apart(t, reference, o);
    distance     memory = trial_memory_apart(t, reference, o);
    distance     kept = trial_kept_apart(t, reference, o);
    int          held = same ? rows.same && memory.same && kept.same
                             : rows.apart <= r->bound && memory.apart <= r->bound
                                   && kept.apart <= r->bound;
    char         promise[32];

    snprintf(promise, sizeof promise, same ? "same bits" : "%.0e", r->bound);
    printf("%-11s", promise);
    print_distance(rows, 0);
    print_distance(memory, t->numbers == 0);
    if (t->kept.count)
        print_distance(kept, o->without_kept);
    printf("%s\n", held ? "held" : "BROKEN");
    r->held += (unsigned)held;
    r->broken += (unsigned)!held;
}

static int stop_for(const char *path, krait_status status, const krait_message *message)
{
    return status == KRAIT_ERR_CANCELLED ? complain(path, "interrupted")
                                         : complain_status(path, status, message);
}

/* 1 if the work cannot go on. */
static int check_way(struct report *r, const char *path, const way *w, int32_t mode)
{
    krait_message  message;
    const outcome *reference;
    const char    *why = not_for(&r->trial, w, mode);
    krait_status   status;
    int            same = 1;

    if (why) {
        if (why[0]) {
            print_line(&r->trial, mode, w->name);
            printf("%s\n", why);
        }
        return 0;
    }
    status = trial_run(&r->trial, w, mode, &r->now, &message);
    progress_end(&r->trial.bar);
    if (status == KRAIT_ERR_CANCELLED || status == KRAIT_ERR_MEMORY)
        return stop_for(path, status, &message);
    print_line(&r->trial, mode, w->name);
    if (status != KRAIT_OK) {
        printf("%s  BROKEN\n", message.text[0] ? message.text : krait_status_text(status));
        r->broken++;
        return 0;
    }
    if (!(reference = reference_of(r, w, mode, &same))) {
        printf("ran in mode %d, which is not there  BROKEN\n", (int)r->now.mode);
        r->broken++;
        return 0;
    }
    print_verdict(r, reference, same, &r->now);
    fflush(stdout);
    return 0;
}

/* The first way of a mode; *there is set if the mode is. */
static int check_base(struct report *r, const char *path, int32_t mode, int *there)
{
    trial        *t = &r->trial;
    krait_message message;
    krait_status  status;

    *there = 0;
    if (outcome_begin(t, &r->base[mode]))
        return 1;
    status = trial_run(t, &ways[BASE], mode, &r->base[mode], &message);
    progress_end(&t->bar);
    if (status == KRAIT_OK) {
        *there = 1;
        if (mode == KRAIT_RECURRENT) {
            print_line(t, mode, ways[BASE].name);
            printf("the reference\n");
        }
        return 0;
    }
    outcome_end(&r->base[mode]);
    if (mode == KRAIT_RECURRENT || status == KRAIT_ERR_CANCELLED || status == KRAIT_ERR_MEMORY)
        return stop_for(path, status, &message);
    print_line(t, mode, "");
    if (status == KRAIT_ERR_UNSUPPORTED
        || (mode == KRAIT_CONVOLUTION && t->with_dt && status == KRAIT_ERR_ARGUMENT)) {
        printf("not there: %s\n", message.text);
    } else {
        printf("%s  BROKEN\n", message.text);
        r->broken++;
    }
    return 0;
}

static int check_mode(struct report *r, const char *path, int32_t mode)
{
    size_t i, first = mode == KRAIT_RECURRENT;
    int    there;

    if (check_base(r, path, mode, &there))
        return 1;
    for (i = first; i < WAYS && there; i++)
        if (check_way(r, path, &ways[i], mode))
            return 1;
    return 0;
}

/* ---- the whole ---- */

static void forget(struct report *r)
{
    int i;

    for (i = 0; i < MODES; i++)
        outcome_end(&r->base[i]);
}

static int check_modes(struct report *r, const char *path)
{
    trial *t = &r->trial;
    double rows, memory;
    int    i;

    t->done = 0;
    t->total = (uint64_t)MODES * WAYS * t->lanes * t->steps;
    progress_begin(&t->bar, "checking", "rows");
    for (i = 0; i < MODES; i++)
        if (check_mode(r, path, modes[i])) {
            progress_end(&t->bar);
            return 1;
        }
    progress_end(&t->bar);
    trial_scale(t, &r->base[KRAIT_RECURRENT], &rows, &memory);
    printf("  the largest output is %.3g", rows);
    if (t->numbers)
        printf(", the largest number remembered %.3g", memory);
    printf("\n");
    forget(r);
    return 0;
}

static int check_all(struct report *r, const struct check_args *args)
{
    trial      *t = &r->trial;
    const char *kernels;

    if (!(t->model = model_open(args->model, 0))
        || !(t->plain = model_open(args->model, KRAIT_OPEN_PLAIN)))
        return 1;
    t->lanes = args->lanes;
    t->steps = args->steps ? args->steps : model_steps(t->model, 100);
    if (pool_start(&t->two, 2) != NULL)
        t->two = NULL;
    if (trial_begin(t, args->model, args->seed) || outcome_begin(t, &r->now))
        return 1;
    r->bound = has_type(t->model, KRAIT_Q8_0) ? BOUND_INT8 : BOUND_FLOAT;
    kernels = krait_model_text(t->model, "krait.kernels");
    show_text(stdout, args->model, strlen(args->model), 0);
    printf(": %lu lane%s of %lu rows, seed %llu, kernels %s%s%s\n\n", (unsigned long)t->lanes,
           t->lanes == 1 ? "" : "s", (unsigned long)t->steps, (unsigned long long)args->seed,
           kernels ? kernels : "?", t->whole ? "; whole sequences" : "",
           t->can_step ? "" : ", cannot step");
    printf("  %-12s %-*s %-11s%-11s%s\n", "mode", MOST_NAME, "run", "promised", "outputs",
           t->kept.count ? "states     named rows" : "states");
    if (check_modes(r, args->model))
        return 1;
    t->with_dt = model_number(t->model, KRAIT_USES_DT) != 0;
    return t->with_dt && check_modes(r, args->model);
}

int command_check(int argc, char **argv)
{
    struct check_args args = { NULL, 0, 3, 1 };
    struct report     r;
    int               bad, go = args_parse(&check_usage, argc, argv, &args);

    if (go != ARGS_GO)
        return go;
    if (args.lanes == 0)
        return args_wrong("check", "nothing to run:", "--lanes is from 1");
    memset(&r, 0, sizeof r);
    bad = check_all(&r, &args);
    if (!bad)
        printf("\n%u promises held, %u broken\n", r.held, r.broken);
    forget(&r);
    outcome_end(&r.now);
    trial_end(&r.trial);
    pool_end(r.trial.two);
    krait_model_close(r.trial.plain);
    krait_model_close(r.trial.model);
    return bad || r.broken ? EXIT_FAILED : EXIT_DONE;
}
