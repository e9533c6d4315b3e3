/*
 * server_batch.c - a thousand streams against one model: requests join, are served together and leave, and each gets
 * the text that it would have got alone.
 *
 *     server_batch [--requests N] [--lanes N] [--model MODEL]
 *
 *     1000 requests in 64 lanes: 20250 tokens read, 64030 written, in 1064 calls
 *     latency of a request: 0.876 s in the median, 1.460 s at worst
 *     together 6082 tokens a second, one at a time 4674: 1.3 times
 *     33 of 33 texts are what the request gets alone, byte for byte
 *
 * (On one of two cores that others used too.  This model stays in the cache anyway; one that does not gains more.)
 *
 * A state has lanes; a call of krait_run() takes as many rows of each lane as there are: a prompt's for one that has
 * just come, one for one that is being written, none (lengths 0) for one that is free.  The weights are read once for all
 * of them.  A lane that is given back is reset, which touches no other.  Nothing is allocated while serving.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "krait.h"

enum { PROMPT = 40, MOST_WRITTEN = 96, PIECE = 16, COMPARED = 32 };    /* tokens; PIECE: of a prompt in one call */

struct request {
    int32_t   prompt[PROMPT], text[MOST_WRITTEN];
    size_t    length, read, wanted, written;
    krait_rng random;
    double    came, left;
};

struct server {
    krait_model     *model;
    krait_state     *state;
    size_t           lanes, width;
    struct request **serves;        /* [lanes]; NULL: free */
    int32_t         *tokens;        /* [lanes][PIECE] */
    uint32_t        *lengths;       /* [lanes] */
    float           *logits;        /* [lanes][width] */
    size_t           calls, read, written;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int open_server(struct server *s, krait_model *model, size_t lanes)
{
    krait_state_options options = { 0 };
    int64_t             width = 0;

    memset(s, 0, sizeof *s);
    krait_model_get(model, KRAIT_OUT_WIDTH, &width);
    s->model = model;
    s->lanes = lanes;
    s->width = (size_t)width;
    options.size = sizeof options;
    options.lanes = (uint32_t)lanes;
    options.chunk = PIECE;
    s->serves = calloc(lanes, sizeof *s->serves);
    s->tokens = calloc(lanes * PIECE, sizeof *s->tokens);
    s->lengths = calloc(lanes, sizeof *s->lengths);
    s->logits = malloc(lanes * s->width * sizeof *s->logits);
    return s->serves && s->tokens && s->lengths && s->logits
           && krait_state_create(&s->state, model, &options, NULL) == KRAIT_OK;
}

static void close_server(struct server *s)
{
    krait_state_destroy(s->state, NULL);
    free(s->serves);
    free(s->tokens);
    free(s->lengths);
    free(s->logits);
}

/* Rows of this call: a piece of a prompt, or the token that was written last. */
static uint32_t next_rows(const struct request *r, int32_t *tokens)
{
    size_t count = r->length - r->read;

    if (count == 0) {
        tokens[0] = r->text[r->written - 1];
        return 1;
    }
    count = count < PIECE ? count : PIECE;
    memcpy(tokens, r->prompt + r->read, count * sizeof *tokens);
    return (uint32_t)count;
}

static int choose(struct request *r, float *logits, size_t width)
{
    krait_sample_options how = { 0 };

    how.size = sizeof how;
    how.temperature = 0.8f;
    how.top_k = 40;
    return krait_sample(logits, width, &how, &r->random, &r->text[r->written++]) == KRAIT_OK;
}

/* One call for all lanes. */
static int serve(struct server *s)
{
    krait_input  input = { 0 };
    krait_output output = { 0 };
    size_t       i, most = 0;

    for (i = 0; i < s->lanes; i++) {
        s->lengths[i] = s->serves[i] ? next_rows(s->serves[i], s->tokens + i * PIECE) : 0;
        most = s->lengths[i] > most ? s->lengths[i] : most;
    }
    /* Rows of a lane follow each other: [lanes][steps]. */
    for (i = 1; i < s->lanes; i++)
        memmove(s->tokens + i * most, s->tokens + i * PIECE, s->lengths[i] * sizeof *s->tokens);
    input.size = sizeof input;
    input.steps = most;
    input.tokens = s->tokens;
    input.lengths = s->lengths;
    output.size = sizeof output;
    output.which = KRAIT_ROWS_LAST;
    output.rows = s->logits;
    output.capacity = s->lanes * s->width;
    if (krait_run(s->model, s->state, &input, &output, NULL) != KRAIT_OK)
        return 0;
    s->calls++;
    for (i = 0; i < s->lanes; i++) {
        struct request *r = s->serves[i];

        if (!r)
            continue;
        if (r->read < r->length) {
            r->read += s->lengths[i];
            s->read += s->lengths[i];
        }
        if (r->read == r->length) {
            s->written++;
            if (!choose(r, s->logits + i * s->width, s->width))
                return 0;
            if (r->written == r->wanted) {                  /* it leaves, and its lane forgets it */
                r->left = now();
                s->serves[i] = NULL;
                if (krait_state_reset(s->model, s->state, (int32_t)i) != KRAIT_OK)
                    return 0;
            }
        }
    }
    return 1;
}

/* Requests come one after another, as many at a time as there are free lanes. */
static int serve_all(struct server *s, struct request *requests, size_t count)
{
    size_t next = 0, served, i;

    do {
        for (i = served = 0; i < s->lanes; i++) {
            if (!s->serves[i] && next < count) {
                requests[next].came = now();
                s->serves[i] = &requests[next++];
            }
            served += s->serves[i] != NULL;
        }
        if (served && !serve(s))
            return 0;
    } while (served);
    return 1;
}

/* Every request asks for something else, of another length. */
static int make_request(const krait_model *model, struct request *r, unsigned number)
{
    static const char *const begins[] = { "The old house stood ", "\"I never saw ", "In the year of the great storm, ",
                                          "She laughed and " };
    const char *text = begins[number % 4];

    memset(r, 0, sizeof *r);
    krait_rng_seed(&r->random, number);
    r->wanted = 32 + number * 37 % (MOST_WRITTEN - 32 + 1);
    return krait_encode(model, text, strlen(text), 0, r->prompt, PROMPT, &r->length) == KRAIT_OK && r->length > 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int print_latency(const struct request *requests, size_t count)
{
    double *took = malloc(count * sizeof *took);
    size_t  i;

    if (!took)
        return 0;
    for (i = 0; i < count; i++)
        took[i] = requests[i].left - requests[i].came;
    qsort(took, count, sizeof *took, by_size);
    printf("latency of a request: %.3f s in the median, %.3f s at worst\n", took[count / 2], took[count - 1]);
    free(took);
    return 1;
}

/* Some of them again, each alone. */
static int compare(krait_model *model, const struct request *requests, size_t count, double together)
{
    struct server  alone;
    struct request r;
    size_t         step = count > COMPARED ? count / COMPARED : 1, i, tried = 0, same = 0;
    double         begun = now();
    int            good = open_server(&alone, model, 1);

    for (i = 0; good && i < count; i += step, tried++) {
        good = make_request(model, &r, (unsigned)i) && serve_all(&alone, &r, 1);
        same += good && r.written == requests[i].written
                && memcmp(r.text, requests[i].text, r.written * sizeof *r.text) == 0;
    }
    if (good) {
        double one = (double)(alone.read + alone.written) / (now() - begun);

        printf("together %.0f tokens a second, one at a time %.0f: %.1f times\n", together, one, together / one);
        printf("%lu of %lu texts are what the request gets alone, byte for byte\n", (unsigned long)same,
               (unsigned long)tried);
    }
    close_server(&alone);
    return good && same == tried;
}

static int run(krait_model *model, size_t lanes, size_t count)
{
    struct request *requests = calloc(count, sizeof *requests);
    struct server   s;
    double          begun;
    size_t          i;
    int             good = open_server(&s, model, lanes) && requests;

    for (i = 0; good && i < count; i++)
        good = make_request(model, &requests[i], (unsigned)i);
    begun = now();
    good = good && serve_all(&s, requests, count);
    if (good) {
        double together = (double)(s.read + s.written) / (now() - begun);

        printf("%lu requests in %lu lanes: %lu tokens read, %lu written, in %lu calls\n", (unsigned long)count,
               (unsigned long)lanes, (unsigned long)s.read, (unsigned long)s.written, (unsigned long)s.calls);
        good = print_latency(requests, count) && compare(model, requests, count, together);
    } else {
        fprintf(stderr, "server_batch: no memory, or not a model that reads text\n");
    }
    close_server(&s);
    free(requests);
    return good;
}

int main(int argc, char **argv)
{
    const char   *path = "examples/models/mamba-novels.gguf";
    unsigned long count = 1000, lanes = 64;
    krait_model  *model;
    krait_message why;
    int           i, good;

    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--requests") == 0)
            count = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--lanes") == 0)
            lanes = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--model") == 0)
            path = argv[i + 1];
        else
            break;
    }
    if (i != argc || count < 1 || count > 1000000 || lanes < 1 || lanes > 65536) {
        fputs("usage: server_batch [--requests N] [--lanes N] [--model MODEL]\n", stderr);
        return 2;
    }
    if (krait_model_open(&model, path, NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "server_batch: %s\n", why.text);
        return 1;
    }
    good = run(model, lanes, count);
    krait_model_close(model);
    return !good;
}
