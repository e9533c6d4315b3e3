/* generate.c - krait generate: a prompt in, text out as it comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/perplexity.h"
#include "cli/prompt.h"
#include "cli/show.h"
#include "cli/system.h"
#include "cli/talk.h"

struct generate_args {
    const char *model, *prompt, *prompt_file, *prompt_ids, *tokenizer, *save, *load, *perplexity;
    uint32_t    tokens, top_k, chunk, threads;
    double      temperature, top_p, min_p, repetition;
    uint64_t    seed;
    arg_texts   stops;
    int         stop_at_end, ids, echo, quiet, special, verbose, interactive, prefetch;
};

static const arg_option generate_options[] = {
    { "MODEL", ARG_OPERAND, offsetof(struct generate_args, model), NULL, NULL },
    { "--prompt", ARG_TEXT, offsetof(struct generate_args, prompt), "TEXT",
      "what the text begins with" },
    { "--prompt-file", ARG_TEXT, offsetof(struct generate_args, prompt_file), "FILE",
      "the same out of a file; - is standard input" },
    { "--prompt-ids", ARG_TEXT, offsetof(struct generate_args, prompt_ids), "1,2,3",
      "the same as token ids" },
    { "--tokenizer", ARG_TEXT, offsetof(struct generate_args, tokenizer), "FILE",
      "a tokenizer.json, or a GGUF's vocabulary, for a model without" },
    { "--special", ARG_FLAG, offsetof(struct generate_args, special), NULL,
      "special tokens written in the prompt count as such,\nand those that come out are shown" },
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
    { "--prefetch", ARG_FLAG, offsetof(struct generate_args, prefetch), NULL,
      "bring all weights into memory first" },
    { "--stop", ARG_TEXTS, offsetof(struct generate_args, stops), "TEXT",
      "stop before TEXT; may be given several times" },
    { "--stop-at-end", ARG_FLAG, offsetof(struct generate_args, stop_at_end), NULL,
      "stop where the model ends the text" },
    { "--ids", ARG_FLAG, offsetof(struct generate_args, ids), NULL,
      "print token ids instead of text" },
    { "--echo", ARG_FLAG, offsetof(struct generate_args, echo), NULL,
      "print the prompt too" },
    { "--save-state", ARG_TEXT, offsetof(struct generate_args, save), "FILE",
      "keep where the text ended" },
    { "--load-state", ARG_TEXT, offsetof(struct generate_args, load), "FILE",
      "go on from there, with a prompt or without" },
    { "--perplexity", ARG_TEXT, offsetof(struct generate_args, perplexity), "FILE",
      "write nothing: how well is this text predicted?" },
    { "--interactive", ARG_FLAG, offsetof(struct generate_args, interactive), NULL,
      "take turns: a line of yours, up to --tokens of the model's;\n/undo takes a turn back, /help names more" },
    { "--verbose", ARG_FLAG, offsetof(struct generate_args, verbose), NULL,
      "print how long loading, the prompt and writing took" },
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

/* Seconds, for the last line. */
struct times {
    double   load, prompt, write;
    size_t   prompt_tokens;
    uint32_t written;
};

static void print_rate(const char *what, size_t tokens, double seconds)
{
    fprintf(stderr, "%s: %lu tokens", what, (unsigned long)tokens);
    if (seconds > 0)
        fprintf(stderr, ", %.1f/s", (double)tokens / seconds);
}

static void print_times(const session *s, const struct times *t, int verbose)
{
    int64_t bytes = model_number(s->model, KRAIT_STATE_BYTES_PER_LANE);

    if (verbose)
        fprintf(stderr, "load: %.3f s\nprefill: %lu tokens in %.3f s\ndecode: %lu tokens in %.3f s\n", t->load,
                (unsigned long)t->prompt_tokens, t->prompt, (unsigned long)t->written, t->write);
    print_rate("prompt", t->prompt_tokens, t->prompt);
    print_rate("; written", t->written, t->write);
    fprintf(stderr, "; state: %s\n", show_bytes((uint64_t)bytes));
}

/* ---- the pieces ---- */

static void set_sampling(session *s, const struct generate_args *args)
{
    s->sampling.temperature = (float)args->temperature;
    s->sampling.top_k = args->top_k;
    s->sampling.top_p = (float)args->top_p;
    s->sampling.min_p = (float)args->min_p;
    s->sampling.repetition = (float)args->repetition;
    krait_rng_seed(&s->place.rng, args->seed);
}

static int32_t text_flags(const struct generate_args *args, const session *s)
{
    return (args->special ? KRAIT_TEXT_SPECIAL : 0) | (s->place.tokens ? KRAIT_TEXT_GOES_ON : KRAIT_TEXT_AROUND);
}

static void set_voice(voice *v, const session *s, const struct generate_args *args)
{
    v->tokenizer = args->ids ? NULL : s->tokenizer;
    v->flags = args->special ? KRAIT_TEXT_SPECIAL : 0;
    v->stops = &args->stops;
    v->text.terminal = system_terminal(stdout);
    if (!args->ids && !v->tokenizer)
        complain(args->model, "has no vocabulary: token ids follow");
}

/* What the text begins with, or goes on with; *given: there was something. */
static int read_prompt(prompt *p, const session *s, const struct generate_args *args)
{
    int32_t flags = text_flags(args, s);
    int     bad = 0;

    if (args->prompt_ids)
        bad = prompt_of_ids(p, s->model, args->prompt_ids);
    else if (args->prompt_file)
        bad = prompt_of_file(p, s, args->prompt_file, flags);
    else if (args->prompt && args->prompt[0])
        bad = prompt_of_text(p, s, args->prompt, strlen(args->prompt), flags);
    if (bad || s->place.pending >= 0)
        return bad;
    return prompt_or_end(p, s);
}

/* The prompt through the model; with --echo to the screen as well. */
static int take_prompt(session *s, voice *v, const struct generate_args *args, struct times *times)
{
    prompt   p = { NULL, 0 };
    progress bar;
    size_t   i;
    int      said = args->prompt_ids || args->prompt_file || (args->prompt && args->prompt[0]);
    int      bad = read_prompt(&p, s, args);

    if (!bad) {
        progress_begin(&bar, "reading the prompt", "tokens");
        bad = session_feed(s, p.tokens, p.count, &bar);
        times->prompt = progress_end(&bar);
        times->prompt_tokens = p.count;
    }
    for (i = 0; !bad && args->echo && i < p.count; i++)
        voice_put(v, p.tokens[i]);
    if ((said && !args->echo) || args->load)
        v->flags |= KRAIT_TEXT_GOES_ON;         /* what comes now goes on what was said */
    free(p.tokens);
    return bad;
}

static int write_text(session *s, voice *v, const struct generate_args *args, struct times *times)
{
    talk   t = { s, v, args->tokens, args->stop_at_end, 0 };
    double begun = progress_clock();
    int    bad = talk_write(&t, args->tokens, &times->written);

    times->write = progress_clock() - begun;
    putchar('\n');
    fflush(stdout);
    return bad;
}

static int take_turns(session *s, voice *v, const struct generate_args *args, struct times *times)
{
    talk t = { s, v, args->tokens, args->stop_at_end, args->special ? KRAIT_TEXT_SPECIAL : 0 };
    int  said = args->prompt_ids || args->prompt_file || (args->prompt && args->prompt[0]);

    if (!s->tokenizer || args->ids)
        return complain(args->model, "--interactive wants a vocabulary and no --ids");
    if (said && (take_prompt(s, v, args, times) || write_text(s, v, args, times)))
        return 1;
    v->flags |= KRAIT_TEXT_GOES_ON;
    return talk_turns(&t);
}

/* ---- the whole ---- */

static int generate(session *s, voice *v, const struct generate_args *args)
{
    struct times times = { 0 };
    double       begun = progress_clock();
    int          bad;

    if (session_open(s, args->model, args->tokenizer, args->chunk, args->threads,
                     args->prefetch ? KRAIT_OPEN_PREFETCH : 0))
        return 1;
    set_sampling(s, args);
    if (args->load && session_load(s, args->load))
        return 1;
    times.load = progress_clock() - begun;
    if (args->perplexity)
        return perplexity_of_file(s, args->perplexity, text_flags(args, s), args->quiet);
    set_voice(v, s, args);
    if (args->interactive)
        bad = take_turns(s, v, args, &times);
    else
        bad = take_prompt(s, v, args, &times) || write_text(s, v, args, &times);
    if (!bad && args->save)
        bad = s->place.pending < 0 ? complain(args->save, "there is nothing to keep yet")
                                   : session_save(s, args->save);
    if (!args->quiet && !bad && !args->interactive)
        print_times(s, &times, args->verbose);
    return bad || progress_stopped();
}

/* What does not go together; ARGS_GO if all does. */
static int check_args(const struct generate_args *args)
{
    if (!!args->prompt + !!args->prompt_file + !!args->prompt_ids > 1)
        return args_wrong("generate", "more than one prompt:", "--prompt, -file or -ids");
    if (args->perplexity && (args->interactive || args->save || args->load || args->prompt || args->prompt_file ||
                             args->prompt_ids))
        return args_wrong("generate", "nothing is written with", "--perplexity");
    if (args->interactive && args->prompt_file && strcmp(args->prompt_file, "-") == 0)
        return args_wrong("generate", "standard input is for your turns with", "--interactive");
    return ARGS_GO;
}

int command_generate(int argc, char **argv)
{
    struct generate_args args = { 0 };
    session              s = { 0 };
    voice                v = { 0 };
    int                  go, bad;

    args.tokens = 200;
    args.temperature = 0.8;
    args.seed = 1;
    if ((go = args_parse(&generate_usage, argc, argv, &args)) != ARGS_GO || (go = check_args(&args)) != ARGS_GO)
        return go;
    bad = generate(&s, &v, &args);
    voice_free(&v);
    session_close(&s);
    return bad ? EXIT_FAILED : EXIT_DONE;
}
