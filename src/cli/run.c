/* run.c - krait run: arrays in, arrays out, to compare with where a model was trained. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/job.h"
#include "cli/pool.h"
#include "cli/progress.h"
#include "cli/show.h"

struct run_args {
    const char *model, *input, *dt, *reset, *output, *state_in, *state_out;
    int         mode, last, quiet;
    uint32_t    chunk, lanes, threads;
    arg_pairs   orders, rows;
};

static const arg_option run_options[] = {
    { "MODEL", ARG_OPERAND, offsetof(struct run_args, model), NULL, NULL },
    { "--input", ARG_TEXT, offsetof(struct run_args, input), "X.npy",
      "[steps, width] of floats or [steps] of tokens; lanes may come before" },
    { "--output", ARG_TEXT, offsetof(struct run_args, output), "Y.npy",
      "float32, shaped like the input" },
    { "--rows", ARG_PAIRS, offsetof(struct run_args, rows), "NAME=FILE.npy",
      "rows that the model keeps under a name: [steps, width],\n"
      "lanes before as in the output; may be given several times" },
    { "--last", ARG_FLAG, offsetof(struct run_args, last), NULL,
      "only the last row of each lane: [width] or [lanes, width]" },
    { "--dt", ARG_TEXT, offsetof(struct run_args, dt), "T.npy",
      "time before each row, 1 as trained: [steps] or [lanes, steps]" },
    { "--reset", ARG_TEXT, offsetof(struct run_args, reset), "R.npy",
      "not 0: a new episode begins before the row; shaped likewise" },
    { "--order", ARG_PAIRS, offsetof(struct run_args, orders), "NAME=FILE.npy",
      "an order that the model takes by name: integers [steps] or\n"
      "[lanes, steps], and [cells] of a grid; may be given several times" },
    { "--mode", ARG_CHOICE, offsetof(struct run_args, mode),
      "recurrent|auto|scan|convolution", "how to run (recurrent)" },
    { "--chunk", ARG_COUNT, offsetof(struct run_args, chunk), "N",
      "rows at a time (64)" },
    { "--lanes", ARG_COUNT, offsetof(struct run_args, lanes), "N",
      "the same rows for N lanes, if the input has no lanes itself" },
    { "--threads", ARG_COUNT, offsetof(struct run_args, threads), "N",
      "work on N threads (1); the results are the same" },
    { "--state-in", ARG_TEXT, offsetof(struct run_args, state_in), "S",
      "go on from a saved state" },
    { "--state-out", ARG_TEXT, offsetof(struct run_args, state_out), "S",
      "save the state afterwards" },
    { "--quiet", ARG_FLAG, offsetof(struct run_args, quiet), NULL,
      "do not print what was done" },
    { NULL, ARG_FLAG, 0, NULL, NULL }
};

static const arg_command run_usage = {
    "run",
    "Runs rows of numbers, or tokens, through a model.  Arrays are NumPy's .npy files.",
    run_options
};

/* ---- states ---- */

static int make_state(struct job *job, const struct run_args *args)
{
    krait_state_options o = { 0 };
    krait_message       message = { "" };
    krait_status        status;
    size_t              bytes;
    char               *saved;

    o.size = sizeof o;
    o.lanes = (uint32_t)job->lanes;
    o.chunk = args->chunk ? args->chunk : 64;
    o.tasks = args->threads;
    if (model_number(job->model, KRAIT_WHOLE_SEQUENCE))
        o.max_steps = (uint32_t)job->steps;
    if ((status = krait_state_create(&job->state, job->model, &o, NULL)) != KRAIT_OK)
        return complain_status(args->model, status, NULL);
    if (!args->state_in)
        return 0;
    if (!(saved = file_read(args->state_in, &bytes)))
        return 1;
    status = krait_state_load(job->model, job->state, KRAIT_ALL_LANES, saved, bytes,
                              &message);
    free(saved);
    return status == KRAIT_OK ? 0 : complain_status(args->state_in, status, &message);
}

static int save_state(const struct job *job, const char *path)
{
    krait_status status;
    size_t       bytes = 0;
    char        *saved;
    int          bad;

    status = krait_state_save(job->model, job->state, KRAIT_ALL_LANES, NULL, 0, &bytes);
    if (status != KRAIT_OK)
        return complain_status(path, status, NULL);
    if (!(saved = malloc(bytes)))
        return complain(path, "out of memory");
    status = krait_state_save(job->model, job->state, KRAIT_ALL_LANES, saved, bytes,
                              &bytes);
    bad = status == KRAIT_OK ? file_write(path, saved, bytes)
                             : complain_status(path, status, NULL);
    free(saved);
    return bad;
}

/* ---- the run ---- */

static void print_run(const struct job *job, int32_t mode, double seconds)
{
    static const char *const modes[] = { "recurrent", "auto", "scan", "convolution" };
    double                   rows = (double)job->lanes * (double)job->steps;

    fprintf(stderr, "%lu steps of %lu lane%s, %s, %.3f s, %s rows/s\n",
            (unsigned long)job->steps, (unsigned long)job->lanes,
            job->lanes == 1 ? "" : "s",
            mode >= 0 && mode < 4 ? modes[mode] : "?", seconds,
            show_count(seconds > 0 ? (uint64_t)(rows / seconds) : 0));
}

static void describe_input(const struct job *job, const struct run_args *args,
                           krait_input *input)
{
    memset(input, 0, sizeof *input);
    input->size = sizeof *input;
    input->steps = job->steps;
    input->tokens = job->input.integers;
    input->features = job->input.reals;
    input->dt = job->dt;
    input->reset = job->reset;
    input->mode = args->mode;
    input->orders = job->orders.list;
    input->order_count = job->orders.count;
}

static int run_rows(struct job *job, const struct run_args *args, krait_input input,
                    pool *threads)
{
    krait_output  output = { 0 };
    krait_message message = { "" };
    krait_status  status;
    progress      bar;
    double        seconds;

    input.progress = progress_tick;
    input.progress_user = &bar;
    pool_serve(threads, &input);
    output.size = sizeof output;
    output.rows = job->output.reals;
    output.capacity = job->output.count;
    output.which = !args->output ? KRAIT_ROWS_NONE : args->last ? KRAIT_ROWS_LAST
                                                                : KRAIT_ROWS_ALL;
    output.slots = job->kept.list;
    output.slot_count = job->kept.count;
    progress_begin(&bar, "running", "rows");
    status = krait_run(job->model, job->state, &input, &output, &message);
    seconds = progress_end(&bar);
    if (status == KRAIT_ERR_CANCELLED)
        return complain(NULL, "interrupted after %lu of %lu steps; nothing was written",
                        (unsigned long)output.steps_done, (unsigned long)job->steps);
    if (status != KRAIT_OK)
        return job_failed(job, status, &message);
    if (!args->quiet)
        print_run(job, output.mode_used, seconds);
    return 0;
}

static int do_run(struct job *job, const struct run_args *args)
{
    krait_input input;
    pool       *threads;
    int         bad;

    if (!(job->model = model_open(args->model, 0)))
        return 1;
    if (job_input(job, args->input, args->lanes))
        return 1;
    if (args->dt && job_dt(job, args->dt))
        return 1;
    if (args->reset && job_reset(job, args->reset))
        return 1;
    if (job_orders(job, &args->orders) || make_state(job, args))
        return 1;
    describe_input(job, args, &input);
    if ((args->output && job_output(job, &input, args->last))
        || job_kept(job, &input, &args->rows))
        return 1;
    if (pool_start_or_complain(&threads, args->threads))
        return 1;
    bad = run_rows(job, args, input, threads);
    pool_end(threads);
    if (bad)
        return 1;
    if (args->output && npy_write(&job->output, args->output))
        return 1;
    if (job_write_kept(job, &args->rows))
        return 1;
    return args->state_out ? save_state(job, args->state_out) : 0;
}

int command_run(int argc, char **argv)
{
    struct run_args args = { 0 };
    struct job      job = { 0 };
    int             bad, go = args_parse(&run_usage, argc, argv, &args);

    if (go != ARGS_GO)
        return go;
    if (!args.input)
        return args_wrong("run", "there is no", "--input");
    if (!args.output && !args.state_out && !args.rows.count)
        return args_wrong("run", "there is no --output, no --rows and no", "--state-out");
    bad = do_run(&job, &args);
    job_end(&job);
    return bad ? EXIT_FAILED : EXIT_DONE;
}
