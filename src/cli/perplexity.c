/* perplexity.c - a text in one stream, chunk by chunk, with a row of logits for each token. */
#include "cli/perplexity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/files.h"
#include "cli/prompt.h"
#include "cli/show.h"

/* -log of the probability that the logits give to the token. */
static double surprise(const float *logits, size_t count, int32_t token)
{
    double most = logits[0], sum = 0;
    size_t i;

    for (i = 1; i < count; i++)
        most = logits[i] > most ? (double)logits[i] : most;
    for (i = 0; i < count; i++)
        sum += exp((double)logits[i] - most);
    return log(sum) - ((double)logits[token] - most);
}

/* Tokens of the text up to all but the last are run; *total is what those behind them cost. */
static int run_text(session *s, const prompt *text, float *rows, double *total, progress *bar)
{
    krait_message message = { "" };
    krait_status  status;
    size_t        at, n, i;

    *total = 0;
    for (at = 0; at + 1 < text->count; at += n) {
        krait_input  input = { 0 };
        krait_output output = { 0 };

        n = text->count - 1 - at < s->chunk ? text->count - 1 - at : s->chunk;
        input.size = sizeof input;
        input.steps = n;
        input.tokens = text->tokens + at;
        pool_serve(s->threads, &input);
        output.size = sizeof output;
        output.rows = rows;
        output.capacity = n * s->width;
        status = krait_run(s->model, s->state, &input, &output, &message);
        if (status != KRAIT_OK)
            return complain_status(s->path, status, &message);
        for (i = 0; i < n; i++)
            *total += surprise(rows + i * s->width, s->choices, text->tokens[at + i + 1]);
        if (progress_tick(bar, at + n, text->count - 1))
            return complain(NULL, "interrupted");
    }
    return 0;
}

static int measure_text(session *s, const prompt *text, size_t bytes, int quiet)
{
    size_t   predicted = text->count ? text->count - 1 : 0, i;
    double   total, took, bits;
    float   *rows;
    progress bar;
    int      bad;

    if (predicted == 0)
        return complain(NULL, "a text of one token has nothing to predict");
    for (i = 0; i < text->count; i++)
        if ((size_t)text->tokens[i] >= s->choices)
            return complain(s->path, "has no output for token %d", (int)text->tokens[i]);
    if (s->chunk > SIZE_MAX / sizeof *rows / s->width || !(rows = malloc(s->chunk * s->width * sizeof *rows)))
        return complain(NULL, "out of memory");
    progress_begin(&bar, "predicting", "tokens");
    bad = run_text(s, text, rows, &total, &bar);
    took = progress_end(&bar);
    free(rows);
    if (bad)
        return 1;
    bits = total / log(2);
    printf("perplexity %.4f, %.4f bits a token, %.4f bits a byte\n", exp(total / (double)predicted),
           bits / (double)predicted, bits / (double)bytes);
    if (!quiet)
        fprintf(stderr, "%lu tokens of %lu bytes, %.1f/s\n", (unsigned long)text->count, (unsigned long)bytes,
                took > 0 ? (double)predicted / took : 0);
    return 0;
}

int perplexity_of_file(session *s, const char *file, int32_t flags, int quiet)
{
    prompt text = { NULL, 0 };
    size_t bytes = 0;
    char  *all = file_read(file, &bytes);
    int    bad = !all || prompt_of_text(&text, s, all, bytes, flags) || measure_text(s, &text, bytes, quiet);

    free(all);
    free(text.tokens);
    return bad;
}
