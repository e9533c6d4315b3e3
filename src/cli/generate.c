/* generate.c - krait generate: a prompt in, text out as it comes. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/pool.h"
#include "cli/progress.h"
#include "cli/prompt.h"
#include "cli/show.h"
#include "cli/text.h"

enum { RECENT = 64 };           /* tokens that --repetition looks back on */

struct generate_args {
    const char *model, *prompt, *prompt_file, *prompt_ids;
    uint32_t    tokens, top_k, chunk, threads;
    double      temperature, top_p, min_p, repetition;
    uint64_t    seed;
    int         stop_at_end, ids, echo, quiet;
};

static const arg_option generate_options[] = {
    { "MODEL", ARG_OPERAND, offsetof(struct generate_args, model), NULL, NULL },
    { "--prompt", ARG_TEXT, offsetof(struct generate_args, prompt), "TEXT",
      "what the text begins with" },
    { "--prompt-file", ARG_TEXT, offsetof(struct generate_args, prompt_file), "FILE",
      "the same out of a file" },
    { "--prompt-ids", ARG_TEXT, offsetof(struct generate_args, prompt_ids), "1,2,3",
      "the same as token ids" },
    { "--tokens", ARG_COUNT, offsetof(struct generate_args, tokens), "N",
      "how many to write (200)" },
    { "--temperature", ARG_REAL, offsetof(struct generate_args, temperature), "T",
      "0: always the likeliest token (0.8)" },
    { "--top-k", ARG_COUNT, offsetof(struct generate_args, top_k), "K",
      "only the K likeliest" },
    { "--top-p", ARG_REAL, offsetof(struct generate_args, top_p), "P",
      "only the likeliest that have P of the probability together" },
    { "--min-p", ARG_REAL, offsetof(struct generate_args, min_p), "P",
      "only those at least P times as likely as the likeliest" },
    { "--repetition", ARG_REAL, offsetof(struct generate_args, repetition), "R",
      "above 1: the last 64 tokens become less likely" },
    { "--seed", ARG_SEED, offsetof(struct generate_args, seed), "N",
      "another seed, another text (1)" },
    { "--chunk", ARG_COUNT, offsetof(struct generate_args, chunk), "N",
      "tokens of the prompt at a time (64)" },
    { "--threads", ARG_COUNT, offsetof(struct generate_args, threads), "N",
      "work on N threads (1); the text is the same" },
    { "--stop-at-end", ARG_FLAG, offsetof(struct generate_args, stop_at_end), NULL,
      "stop where the model ends the text" },
    { "--ids", ARG_FLAG, offsetof(struct generate_args, ids), NULL,
      "print token ids instead of text" },
    { "--echo", ARG_FLAG, offsetof(struct generate_args, echo), NULL,
      "print the prompt too" },
    { "--quiet", ARG_FLAG, offsetof(struct generate_args, quiet), NULL,
      "do not print speeds at the end" },
    { NULL, ARG_FLAG, 0, NULL, NULL }
};

static const arg_command generate_usage = {
    "generate",
    "Writes text, the same for the same seed on every machine.  Without a prompt it\n"
    "begins after an end of text.",
    generate_options
};

struct writer {
    krait_model *model;
    krait_state *state;
    pool        *threads;
    prompt       prompt;
    float       *logits;
    size_t       width;         /* of logits */
    size_t       choices;       /* of them that are tokens */
    int          ids;           /* print ids */
    text_stream  text;
    int32_t      recent[RECENT];
    size_t       recent_count;
    double       prompt_seconds, seconds;
    uint32_t     written;
};

/* ---- tokens ---- */

static void put_token(struct writer *w, int32_t token)
{
    const char *bytes;
    size_t      count;

    if (w->ids) {
        printf("%d ", (int)token);
        fflush(stdout);
    } else if (krait_token_bytes(w->model, token, &bytes, &count) == KRAIT_OK) {
        text_put(&w->text, bytes, count);
    }
}

/* Tokens that cannot come out are not looked back on. */
static void remember(struct writer *w, int32_t token)
{
    if ((size_t)token >= w->choices)
        return;
    if (w->recent_count == RECENT)
        memmove(w->recent, w->recent + 1, (RECENT - 1) * sizeof *w->recent);
    else
        w->recent_count++;
    w->recent[w->recent_count - 1] = token;
}

/* The logits after the last of the tokens. */
static krait_status run_tokens(struct writer *w, const int32_t *tokens, size_t count,
                               progress *bar, krait_message *message)
{
    krait_input  input = { 0 };
    krait_output output = { 0 };

    input.size = sizeof input;
    input.steps = count;
    input.tokens = tokens;
    input.progress = bar ? progress_tick : NULL;
    input.progress_user = bar;
    pool_serve(w->threads, &input);
    output.size = sizeof output;
    output.rows = w->logits;
    output.capacity = w->width;
    output.which = KRAIT_ROWS_LAST;
    return krait_run(w->model, w->state, &input, &output, message);
}

static int run_prompt(struct writer *w, const char *path)
{
    krait_message message = { "" };
    krait_status  status;
    progress      bar;
    size_t        i;

    progress_begin(&bar, "reading the prompt", "tokens");
    status = run_tokens(w, w->prompt.tokens, w->prompt.count, &bar, &message);
    w->prompt_seconds = progress_end(&bar);
    if (status == KRAIT_ERR_CANCELLED)
        return complain(NULL, "interrupted");
    if (status != KRAIT_OK)
        return complain_status(path, status, &message);
    for (i = 0; i < w->prompt.count; i++)
        remember(w, w->prompt.tokens[i]);
    return 0;
}

static int write_tokens(struct writer *w, const struct generate_args *args)
{
    krait_sample_options o = { 0 };
    krait_status         status = KRAIT_OK;
    krait_rng            rng;
    int32_t              token = 0;
    int64_t              end = model_number(w->model, KRAIT_END_TOKEN);
    double               begun = progress_clock();

    o.size = sizeof o;
    o.temperature = (float)args->temperature;
    o.top_k = args->top_k;
    o.top_p = (float)args->top_p;
    o.min_p = (float)args->min_p;
    o.repetition = (float)args->repetition;
    krait_rng_seed(&rng, args->seed);
    while (w->written < args->tokens && !progress_stopped() && !ferror(stdout)) {
        if (w->written)
            status = run_tokens(w, &token, 1, NULL, NULL);
        o.recent = w->recent;
        o.recent_count = w->recent_count;
        if (status == KRAIT_OK)
            status = krait_sample(w->logits, w->choices, &o, &rng, &token);
        if (status != KRAIT_OK)
            return complain_status(args->model, status, NULL);
        w->written++;
        if (args->stop_at_end && token == end)
            break;
        put_token(w, token);
        remember(w, token);
    }
    w->seconds = progress_clock() - begun;
    return 0;
}

static void print_speeds(const struct writer *w)
{
    int64_t bytes = model_number(w->model, KRAIT_STATE_BYTES_PER_LANE);

    fprintf(stderr, "prompt: %lu tokens", (unsigned long)w->prompt.count);
    if (w->prompt_seconds > 0)
        fprintf(stderr, ", %.1f/s", (double)w->prompt.count / w->prompt_seconds);
    fprintf(stderr, "; written: %lu tokens", (unsigned long)w->written);
    if (w->seconds > 0)
        fprintf(stderr, ", %.1f/s", (double)w->written / w->seconds);
    fprintf(stderr, "; state: %s\n", show_bytes((uint64_t)bytes));
}

/* ---- the whole ---- */

static int prepare(struct writer *w, const struct generate_args *args)
{
    krait_state_options o = { 0 };
    krait_status        status;
    int64_t             vocabulary;
    const char         *bytes;
    size_t              count;
    int                 bad = 0;

    if (pool_start_or_complain(&w->threads, args->threads)
        || !(w->model = model_open(args->model, 0)))
        return 1;
    vocabulary = model_number(w->model, KRAIT_VOCABULARY);
    w->width = w->choices = (size_t)model_number(w->model, KRAIT_OUT_WIDTH);
    if (vocabulary <= 0 || w->width == 0)
        return complain(args->model, "takes no tokens: krait run takes rows of numbers");
    if (w->choices > (size_t)vocabulary)
        w->choices = (size_t)vocabulary;        /* a head that was padded */
    o.size = sizeof o;
    o.chunk = args->chunk ? args->chunk : 64;
    o.tasks = args->threads;
    if ((status = krait_state_create(&w->state, w->model, &o, NULL)) != KRAIT_OK)
        return complain_status(args->model, status, NULL);
    if (!(w->logits = malloc(w->width * sizeof *w->logits)))
        return complain(NULL, "out of memory");

    w->text.terminal = isatty(STDOUT_FILENO);
    w->ids = args->ids;
    if (!w->ids
        && krait_token_bytes(w->model, 0, &bytes, &count) == KRAIT_ERR_UNSUPPORTED) {
        complain(args->model, "has no vocabulary: token ids follow");
        w->ids = 1;
    }
    if (args->prompt_ids)
        bad = prompt_of_ids(&w->prompt, w->model, args->prompt_ids);
    else if (args->prompt_file)
        bad = prompt_of_file(&w->prompt, w->model, args->model, args->prompt_file);
    else if (args->prompt && args->prompt[0])
        bad = prompt_of_text(&w->prompt, w->model, args->model, args->prompt,
                             strlen(args->prompt));
    return bad || prompt_or_end(&w->prompt, w->model);
}

static int generate(struct writer *w, const struct generate_args *args)
{
    size_t i;
    int    bad;

    if (prepare(w, args) || run_prompt(w, args->model))
        return 1;
    for (i = 0; args->echo && i < w->prompt.count; i++)
        put_token(w, w->prompt.tokens[i]);
    bad = write_tokens(w, args);
    text_end(&w->text);
    putchar('\n');
    fflush(stdout);
    if (!args->quiet && !bad)
        print_speeds(w);
    return bad || progress_stopped();
}

int command_generate(int argc, char **argv)
{
    struct generate_args args = { 0 };
    struct writer        w = { 0 };
    int                  go, bad;

    args.tokens = 200;
    args.temperature = 0.8;
    args.seed = 1;
    if ((go = args_parse(&generate_usage, argc, argv, &args)) != ARGS_GO)
        return go;
    if (!!args.prompt + !!args.prompt_file + !!args.prompt_ids > 1)
        return args_wrong("generate", "more than one prompt:", "--prompt, -file or -ids");
    bad = generate(&w, &args);
    pool_end(w.threads);
    free(w.prompt.tokens);
    free(w.logits);
    krait_state_destroy(w.state, NULL);
    krait_model_close(w.model);
    return bad ? EXIT_FAILED : EXIT_DONE;
}
