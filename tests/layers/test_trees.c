/*
 * test_trees.c - random trees: against the oracle, in every way of running them, and spoilt.
 *
 * KRAIT_TREES=5000 in the environment tries so many, KRAIT_TREE=17 that one alone, KRAIT_LINE="3
 * reverse[identity]" one of 3 features.  A failure is followed by the tree's line, which can be
 * pasted into subject.c.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/random_tree.h"
#include "test.h"

enum { TREES = 300, SPOILT = 12 };

static void with_trees(void (*check)(const random_tree *t, uint64_t seed))
{
    static random_tree t;
    const char        *count = getenv("KRAIT_TREES"), *one = getenv("KRAIT_TREE");
    char              *line = getenv("KRAIT_LINE");
    uint64_t           from = one && one[0] ? strtoull(one, NULL, 10) : 0;
    uint64_t           to = count && count[0] ? strtoull(count, NULL, 10) : TREES;

    if (line && line[0]) {
        t.made = (subject_case){ line, 0, strtoul(line, &line, 10), KRAIT_F32 };
        t.made.text = line + strspn(line, " ");
        snprintf(t.text, sizeof t.text, "%s", t.made.text);
        check(&t, 1);
        return;
    }
    for (uint64_t seed = from; seed < (one && one[0] ? from + 1 : to); seed++) {
        int before = test_failures();

        random_tree_make(&t, seed);
        test_note("tree %llu", (unsigned long long)seed);
        check(&t, seed);
        test_note("%s", "");
        if (test_failures() > before && before < 10)
            printf("     tree %llu:\n    { \"%s\", %zu, %zu, %d },\n", (unsigned long long)seed,
                   t.text, t.made.tokens, t.made.features, (int)t.made.type);
    }
}

/* ---- numbers ------------------------------------------------------------------------- */

static size_t compared, passed_over, convolved;

/* Errors that are not apart from each other add up in deep trees. */
enum { ALLOWED_DEEP = 4 * ALLOWED };

/* The largest number that a convolution may have beside it. */
enum { MOST_APART = 1000 };

/*
 * Where errors are no longer small the oracle's, which are of first order, say nothing; and layers
 * multiply up to four numbers, which floats must be able to hold.
 */
static int is_sharp(const oracle_number *y, double peak)
{
    return peak < 1e8 && y->e < 0.01 * (fabs(y->v) + 1);
}

static void check_numbers(const subject *s, size_t stream, const float *rows)
{
    double      peak;
    oracle_rows y = subject_oracle(s, stream, STEPS, &peak);

    for (size_t i = 0; i < y.count * y.width; i++) {
        if (!is_sharp(&y.x[i], peak)) {
            passed_over++;
            continue;
        }
        compared++;
        if (!CHECK_CLOSE((double)rows[i], y.x[i].v, ALLOWED_DEEP * y.x[i].e))
            break;
    }
    oracle_rows_free(&y);
}

/*
 * Numbers of a convolution are as exact as the largest of the stream; what comes behind one may lose more of them,
 * which a tree says by how far its own rows are off.  A norm behind it makes small rows as large as the others, and their
 * errors: trees in which rows of such different sizes may stand side by side say nothing.
 */
static void check_convolved(const subject *s, size_t stream, const float *rows)
{
    double      peak, largest = 0, error = 0;
    oracle_rows y = subject_oracle(s, stream, STEPS, &peak);

    for (size_t i = 0; i < y.count * y.width; i++) {
        largest = fmax(largest, fabs(y.x[i].v));
        error = fmax(error, y.x[i].e);
    }
    for (size_t i = 0; i < y.count * y.width; i++)
        if (peak < MOST_APART && is_sharp(&y.x[i], peak) && error < 0.01 * (largest + 1)) {
            convolved++;
            if (!CHECK_CLOSE((double)rows[i], y.x[i].v, ALLOWED_DEEP * error + 2e-6 * peak))
                break;
        }
    oracle_rows_free(&y);
}

/* The same in another mode, where the tree has it. */
static void check_mode(const subject *s, int32_t mode)
{
    for (size_t stream = 0; stream < STREAMS; stream++) {
        lanes        l = lanes_made(s, 1, STEPS);
        uint32_t     length = STEPS;
        krait_output output = { .size = sizeof output };
        krait_input  input;
        call_rows    c;
        krait_status status;

        l.plays[0] = stream;
        c = call_made(&l, &length, STEPS, s->most);
        input = call_input(&l, &c, &length, STEPS);
        input.mode = mode;
        if (mode == KRAIT_CONVOLUTION && stream == 0)
            input.dt = NULL;            /* its intervals are ones */
        output.rows = c.out;
        output.capacity = s->most * s->out;
        fill_scratch(&l);
        status = krait_run(s->model, l.state, &input, &output, NULL);
        CHECK(status != KRAIT_OK || mode != KRAIT_CONVOLUTION || !input.dt);
        if (status == KRAIT_OK && mode == KRAIT_SCAN)
            check_numbers(s, stream, c.out);
        else if (status == KRAIT_OK)
            check_convolved(s, stream, c.out);
        else if (CHECK(mode == KRAIT_CONVOLUTION) && status != KRAIT_ERR_UNSUPPORTED)
            CHECK(status == KRAIT_ERR_ARGUMENT && input.dt);
        call_free(&c);
        lanes_free(&l);
    }
}

static void check_tree(const random_tree *t, uint64_t seed)
{
    subject s;

    if (subject_made(&s, &t->made, seed)) {
        for (size_t stream = 0; stream < STREAMS; stream++)
            check_numbers(&s, stream, row_out(&s, stream, 0));
        check_mode(&s, KRAIT_SCAN);
        check_mode(&s, KRAIT_CONVOLUTION);
        if (s.whole) {
            check_whole_plain(&s);
            check_whole_ragged(&s);
            check_whole_episodes(&s);
            check_whole_steps(&s);
            check_whole_space(&s);
        } else {
            check_plain(&s);
            check_ragged(&s);
            check_steps(&s);
        }
    }
    subject_free(&s);
}

TEST(trees_equal_the_oracle)
{
    compared = passed_over = convolved = 0;
    with_trees(check_tree);
    CHECK(convolved > compared / 40);        /* where rows have a time one stream of three can be */
    CHECK(passed_over <= compared / 5);
}

/* ---- spoilt -------------------------------------------------------------------------- */

static size_t refused, accepted;

/* Something of the text is another, is gone or is there twice. */
static void spoil(char *json, size_t size, kr_random *random)
{
    static const char *const pieces[] = {
        "0", "1", "7", "-1", "4294967296", "1e9", "null", "{}", "[]", "\"\"", "true", "reverse",
        "pool", "over", "use", "get", "sequence", "\"of\":", "grid", "steps", "sum", "append"
    };
    static const char        stops[] = "{}[],:\"";
    size_t                   many = sizeof pieces / sizeof *pieces;
    const char              *piece = pieces[kr_random_u32(random) % many];
    size_t                   length = strlen(json), from = kr_random_u32(random) % length, to;
    char                    *rest;

    while (from > 0 && !strchr(stops, json[from - 1]))
        from--;
    to = from + strcspn(json + from, stops);
    to += to == from;
    if (kr_random_u32(random) % 4 == 0)             /* up to another stop */
        to += strcspn(json + to, stops);
    rest = malloc(length - to + 1);
    memcpy(rest, json + to, length - to + 1);
    if (kr_random_u32(random) % 3 == 0)
        piece = "";
    if (from + strlen(piece) + strlen(rest) < size)
        sprintf(json + from, "%s%s", piece, rest);
    free(rest);
}

/* It opened: it must run, or say why not, with nothing beyond its buffers. */
static void run_once(const krait_model *model)
{
    krait_state_options options = { .size = sizeof options, .lanes = 2, .max_steps = 5 };
    krait_input         input = { .size = sizeof input, .steps = 5 };
    krait_output        output = { .size = sizeof output };
    krait_state        *state = NULL;
    int64_t             in = 0, out = 0;
    size_t              bytes = 0;
    float              *features;

    CHECK_STATUS(krait_model_get(model, KRAIT_IN_WIDTH, &in), KRAIT_OK);
    CHECK_STATUS(krait_model_get(model, KRAIT_OUT_WIDTH, &out), KRAIT_OK);
    if (krait_state_bytes(model, &options, &bytes) != KRAIT_OK || bytes > 64u << 20 ||
        in > 1 << 16 || out > 1 << 16)
        return;
    if (!CHECK_STATUS(krait_state_create(&state, model, &options, NULL), KRAIT_OK))
        return;
    features = calloc(10 * (size_t)in, sizeof *features);
    input.features = features;
    if (krait_run(model, state, &input, &output, NULL) == KRAIT_ERR_SPACE) {
        output.capacity = 2 * output.stride * (size_t)out;
        output.rows = malloc(output.capacity * sizeof *output.rows);
        CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
        free(output.rows);
    }
    krait_state_destroy(state, NULL);
    free(features);
}

static void check_spoilt(const random_tree *t, uint64_t seed)
{
    static tree made;
    static char json[TREE_JSON];
    kr_random   random = kr_random_from(seed << 32);

    if (!CHECK(tree_make(&made, t->text, t->made.tokens, t->made.features, t->made.type, seed)))
        return;
    for (int i = 0; i < SPOILT; i++) {
        krait_open_options options = { .size = sizeof options, .max_bytes = 64u << 20 };
        krait_message      why = { "" };
        krait_model       *model = (krait_model *)1;
        krait_status       status;

        snprintf(json, sizeof json, "%s", made.json);
        for (uint32_t n = 1 + kr_random_u32(&random) % 2; n > 0; n--)
            spoil(json, sizeof json, &random);
        status = krait_model_create(&model, json, made.tensors, made.n_tensors, &options, &why);
        if (!CHECK((status == KRAIT_OK) == (model != NULL)) ||
            !CHECK((status == KRAIT_OK) == (why.text[0] == '\0')))
            printf("     %s\n", json);
        refused += status != KRAIT_OK;
        accepted += status == KRAIT_OK;
        if (status == KRAIT_OK)
            run_once(model);
        krait_model_close(model);
    }
    tree_free(&made);
}

TEST(trees_spoilt_are_refused)
{
    refused = accepted = 0;
    with_trees(check_spoilt);
    CHECK(refused > accepted);
}
