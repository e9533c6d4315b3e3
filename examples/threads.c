/*
 * threads.c - one model, many threads: each takes streams of its own, and what comes out is
 * what one thread makes.
 *
 *     threads [MODEL [THREADS]]
 *
 * A krait_model may be used by any number of threads without a lock, a krait_state by one call at
 * a time.  Writes eight texts on this thread, then again on THREADS (4) threads that take turns
 * at them, and compares.  Where no thread can be started this one does the work.  Printed on two
 * cores that others used too:
 *
 *     1 thread:  8 texts of 200 tokens, 9260 tokens a second
 *     4 threads: 8 texts of 200 tokens, 11666 tokens a second
 *     the same, byte for byte; the first begins " The post of Treby, and the co"
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "krait.h"

enum { STREAMS = 8, LENGTH = 200, MOST_THREADS = 64 };

/* What is shared: the model, and who takes the next stream. */
struct work {
    krait_model    *model;
    size_t          width;          /* of the logits */
    int32_t         tokens[STREAMS][LENGTH];
    int             next, failed;
    pthread_mutex_t lock;
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Everything a stream needs of its own: a state, logits, random numbers. */
static int write_stream(const struct work *work, int number, int32_t *tokens)
{
    krait_sample_options options = { 0 };
    krait_state         *state = NULL;
    krait_rng            random;
    float               *logits = malloc(work->width * sizeof *logits);
    int32_t              token = '\n';
    int                  i, bad;

    options.size = sizeof options;
    options.temperature = 0.7f;
    krait_rng_seed(&random, (uint64_t)number);
    bad = !logits || krait_state_create(&state, work->model, NULL, NULL) != KRAIT_OK;
    for (i = 0; i < LENGTH && !bad; i++) {
        bad = krait_step_tokens(work->model, state, &token, logits) != KRAIT_OK
              || krait_sample(logits, work->width, &options, &random, &token) != KRAIT_OK;
        tokens[i] = token;
    }
    krait_state_destroy(state, NULL);
    free(logits);
    return bad;
}

static int take_stream(struct work *work)
{
    int number;

    pthread_mutex_lock(&work->lock);
    number = work->next < STREAMS ? work->next++ : -1;
    pthread_mutex_unlock(&work->lock);
    return number;
}

static void *write_streams(void *user)
{
    struct work *work = user;
    int          number;

    while ((number = take_stream(work)) >= 0)
        if (write_stream(work, number, work->tokens[number]) != 0) {
            pthread_mutex_lock(&work->lock);
            work->failed = 1;
            pthread_mutex_unlock(&work->lock);
        }
    return NULL;
}

/* On this thread and others; a thread that cannot be started leaves its part to the rest. */
static int write_all(struct work *work, int threads)
{
    pthread_t others[MOST_THREADS];
    double    begun = seconds();
    int       started = 0, i;

    work->next = work->failed = 0;
    while (started + 1 < threads
           && pthread_create(&others[started], NULL, write_streams, work) == 0)
        started++;
    write_streams(work);
    for (i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    if (started + 1 < threads)
        printf("no more threads can be started\n");
    printf("%d thread%s %d texts of %d tokens, %.0f tokens a second\n", started + 1,
           started ? "s:" : ": ", STREAMS, LENGTH, STREAMS * LENGTH / (seconds() - begun));
    return work->failed;
}

static void print_beginning(const struct work *work)
{
    const char *bytes;
    size_t      count;
    int         i;

    fputs("the same, byte for byte; the first begins \"", stdout);
    for (i = 0; i < 30; i++)
        if (krait_token_bytes(work->model, work->tokens[0][i], &bytes, &count) == KRAIT_OK
            && bytes[0] != '\n')
            fwrite(bytes, 1, count, stdout);
    puts("\"");
}

int main(int argc, char **argv)
{
    const char        *path = argc > 1 ? argv[1] : "examples/models/mamba-novels.gguf";
    int                threads = argc > 2 ? atoi(argv[2]) : 4, same;
    static struct work one, many;
    krait_message      why;
    int64_t            width;

    if (threads < 1 || threads > MOST_THREADS) {
        fprintf(stderr, "threads: from 1 to %d of them\n", MOST_THREADS);
        return 2;
    }
    if (krait_model_open(&one.model, path, NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "threads: %s\n", why.text);
        return 1;
    }
    krait_model_get(one.model, KRAIT_OUT_WIDTH, &width);
    one.width = (size_t)width;
    many = one;
    pthread_mutex_init(&one.lock, NULL);
    pthread_mutex_init(&many.lock, NULL);
    if (write_all(&one, 1) != 0 || write_all(&many, threads) != 0) {
        fprintf(stderr, "threads: %s: not a model of bytes, or no memory\n", path);
        return 1;
    }
    same = memcmp(one.tokens, many.tokens, sizeof one.tokens) == 0;
    if (same)
        print_beginning(&many);
    else
        puts("the threads made something else");
    krait_model_close(one.model);
    return !same;
}
