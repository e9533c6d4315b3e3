/* subject.c - trees with random weights and rows, and lanes that run them. */
#include "layers/subject.h"

#include <stdlib.h>
#include <string.h>

#include "core/build.h"
#include "support/random.h"
#include "test.h"

/* Each registered type stands in several; tests below fail if one stands in none. */
const subject_case subject_cases[] = {
    { "activation(kind=silu)", 0, 5, KRAIT_F32 },
    { "activation(kind=sigmoid)", 0, 16, KRAIT_F32 },
    { "activation(kind=softplus)", 0, 33, KRAIT_F32 },
    { "activation(kind=relu)", 0, 1, KRAIT_F32 },
    { "activation(kind=tanh)", 0, 19, KRAIT_F32 },
    { "activation(kind=gelu)", 0, 34, KRAIT_F32 },
    { "activation(kind=gelu_tanh)", 0, 7, KRAIT_F32 },
    { "conv(taps=1)", 0, 5, KRAIT_F32 },
    { "conv(taps=2 bias)", 0, 17, KRAIT_F32 },
    { "conv(taps=3 bias)", 0, 1, KRAIT_BF16 },
    { "conv(taps=4)", 0, 48, KRAIT_F32 },
    { "conv(taps=5 bias)", 0, 31, KRAIT_F16 },
    { "conv(taps=40)", 0, 9, KRAIT_F32 },
    { "embed(width=1)", 2, 0, KRAIT_F32 },
    { "embed(width=19)", 11, 0, KRAIT_F16 },
    { "embed(width=64)", 33, 0, KRAIT_Q8_0 },
    { "glu", 0, 2, KRAIT_F32 },
    { "glu(kind=none gate=first)", 0, 34, KRAIT_F32 },
    { "glu(kind=silu)", 0, 62, KRAIT_F32 },
    { "glu(kind=gelu gate=second)", 0, 32, KRAIT_F32 },
    { "glu(kind=gelu_tanh gate=first)", 0, 10, KRAIT_F32 },
    { "glu(kind=relu)", 0, 14, KRAIT_F32 },
    { "glu(kind=tanh gate=first)", 0, 74, KRAIT_F32 },
    { "glu(kind=sigmoid gate=first)", 0, 16, KRAIT_F32 },
    { "layer_norm(no_weight)", 0, 1, KRAIT_F32 },
    { "layer_norm(eps=0.25 bias)", 0, 13, KRAIT_F32 },
    { "layer_norm", 0, 32, KRAIT_F16 },
    { "layer_norm(eps=0 no_weight bias)", 0, 47, KRAIT_F32 },
    { "layer_norm(eps=0.000001 bias)", 0, 130, KRAIT_BF16 },
    { "linear(width=1)", 0, 1, KRAIT_F32 },
    { "linear(width=7 bias)", 0, 33, KRAIT_F32 },
    { "linear(width=50)", 0, 130, KRAIT_BF16 },
    { "linear(width=16 bias)", 0, 16, KRAIT_F16 },
    { "linear(width=37 bias)", 0, 96, KRAIT_Q8_0 },
    { "linear(width=5)", 0, 700, KRAIT_F32 },
    { "rms_norm", 0, 1, KRAIT_F32 },
    { "rms_norm(eps=0.25)", 0, 13, KRAIT_F32 },
    { "rms_norm(eps=0)", 0, 130, KRAIT_BF16 },
    { "scale", 0, 1, KRAIT_F32 },
    { "scale(bias)", 0, 29, KRAIT_F32 },
    { "scale", 0, 64, KRAIT_F16 },
    { "scale(bias)", 0, 16, KRAIT_BF16 },
    { "mamba1(inner=1 states=1 taps=1 rank=1)", 0, 1, KRAIT_F32 },
    { "mamba1(inner=16 states=16 taps=4 rank=1 conv_bias)", 0, 8, KRAIT_F32 },
    { "mamba1(inner=49 states=7 taps=3 rank=5 bias conv_bias)", 0, 33, KRAIT_F32 },
    { "mamba1(inner=24 states=64 taps=2 rank=3 bias)", 0, 24, KRAIT_BF16 },
    { "mamba1(inner=15 states=4 taps=5 rank=15 plain_a no_dt_bias)", 0, 30, KRAIT_F16 },
    { "mamba1(inner=64 rank=4 conv_bias plain_a)", 0, 32, KRAIT_Q8_0 },
    { "mamba1(inner=33 states=3 taps=1 rank=2)", 0, 17, KRAIT_F32 },
    { "sequence[activation(kind=relu)]", 0, 6, KRAIT_F32 },
    { "sequence[linear(width=9), conv(taps=3), linear(width=20 bias), activation(kind=silu), "
      "linear(width=3)]", 0, 6, KRAIT_F32 },
    { "sequence[sequence[embed(width=12), conv(taps=2)], sequence[rms_norm(eps=0.1)], "
      "sequence[linear(width=17)]]", 7, 0, KRAIT_F32 },
    { "residual[conv(taps=4 bias)]", 0, 21, KRAIT_F32 },
    { "residual(name=around)[sequence[linear(width=40), activation(kind=softplus), "
      "linear(width=6)]]", 0, 6, KRAIT_F32 },
    { "residual[residual[mamba1(inner=8 states=2 rank=1)]]", 0, 4, KRAIT_F32 },
    { "repeat(n=1)[conv(taps=2)]", 0, 3, KRAIT_F32 },
    { "repeat(n=4)[residual[sequence[rms_norm(eps=0.01), conv(taps=3 bias)]]]", 0, 10, KRAIT_F32 },
    { "repeat(n=2)[sequence[linear(width=8), repeat(n=2)[conv(taps=2)], linear(width=5)]]", 0, 5,
      KRAIT_F32 },
    { "sequence[embed(width=24), repeat(n=3 name=layers)[residual[sequence[rms_norm(name=norm), "
      "mamba1(name=mixer inner=36 states=8 rank=2 conv_bias)]]], rms_norm(name=norm_f), "
      "linear(width=29 name=head)]", 29, 0, KRAIT_F32 },
    { "sequence[linear(width=24), glu(kind=silu), layer_norm(bias), scale, linear(width=40), "
      "glu(kind=gelu gate=first), activation(kind=tanh), linear(width=11)]", 0, 9, KRAIT_F32 },
    { "sequence(name=top)[embed(width=32), repeat(n=2)[residual[sequence[rms_norm(eps=0.001), "
      "mamba1(inner=64 rank=32)]]], rms_norm, linear(width=256)]", 256, 0, KRAIT_Q8_0 },
};

const size_t subject_count = sizeof subject_cases / sizeof *subject_cases;
const size_t chunk_sizes[CHUNKS] = { 1, 3, 7, STEPS };

const float *row_in(const subject *s, size_t stream, size_t step)
{
    return s->features + (stream * STEPS + step) * s->in;
}

const float *row_out(const subject *s, size_t stream, size_t step)
{
    return s->expected + (stream * STEPS + step) * s->out;
}

/* ---- a state under test -------------------------------------------------------------- */

lanes lanes_made(const subject *s, size_t count, size_t chunk)
{
    krait_state_options options = { .size = sizeof options };
    lanes               l = { .s = s, .count = count, .scratch = 0xff };

    options.lanes = (uint32_t)count;
    options.chunk = (uint32_t)chunk;
    for (size_t i = 0; i < count; i++)
        l.plays[i] = i % STREAMS;
    CHECK_STATUS(krait_state_bytes(s->model, &options, &l.bytes), KRAIT_OK);
    l.block = aligned_alloc(KRAIT_STATE_ALIGNMENT, l.bytes);
    memset(l.block, 0xff, l.bytes);
    CHECK_STATUS(krait_state_place(&l.state, s->model, &options, l.block, l.bytes), KRAIT_OK);
    return l;
}

void lanes_free(lanes *l)
{
    free(l->block);
}

unsigned char *lane_data(const lanes *l, size_t lane)
{
    size_t         bytes;
    unsigned char *data = krait_state_data(l->state, &bytes);

    CHECK_U64(bytes, l->count * l->s->lane_bytes);
    return data + lane * l->s->lane_bytes;
}

void fill_scratch(lanes *l)
{
    unsigned char *from = lane_data(l, l->count);

    memset(from, l->scratch, (size_t)((unsigned char *)l->block + l->bytes - from));
}

/* Rows of a call; those past a lane's length are nothing that could be read. */
typedef struct call_rows {
    float   *features, *out;
    int32_t *tokens;
    uint8_t *reset;
} call_rows;

static call_rows call_made(const lanes *l, const uint32_t *lengths, size_t steps)
{
    const subject *s = l->s;
    size_t         rows = l->count * steps;
    call_rows      c = { 0 };

    c.features = malloc(rows * s->in * 4 + (rows == 0));
    c.out = malloc(rows * s->out * 4 + (rows == 0));
    c.reset = malloc(rows + (rows == 0));
    if (s->tokens)
        c.tokens = malloc(rows * sizeof *c.tokens + (rows == 0));
    memset(c.features, 0xff, rows * s->in * 4);
    memset(c.out, 0xee, rows * s->out * 4);
    memset(c.reset, 1, rows);
    for (size_t r = 0; r < rows && c.tokens; r++)
        c.tokens[r] = INT32_MAX;
    for (size_t lane = 0; lane < l->count; lane++)
        for (size_t i = 0; i < lengths[lane]; i++) {
            size_t from = l->plays[lane] * STEPS + l->at[lane] + i, to = lane * steps + i;

            memcpy(c.features + to * s->in, s->features + from * s->in, s->in * 4);
            c.reset[to] = s->reset[from];
            if (c.tokens)
                c.tokens[to] = s->tokens[from];
        }
    return c;
}

static void call_free(call_rows *c)
{
    free(c->features), free(c->out), free(c->tokens), free(c->reset);
}

static int untouched(const float *row, size_t count)
{
    for (size_t i = 0; i < count * 4; i++)
        if (((const unsigned char *)row)[i] != 0xee)
            return 0;
    return 1;
}

/* The rows that a call was to write hold the expected bits, and no others were written. */
void check_rows(const lanes *l, const uint32_t *lengths, size_t steps, int which, const float *out)
{
    const subject *s = l->s;
    size_t         per_lane = which == KRAIT_ROWS_ALL ? steps : 1;

    for (size_t lane = 0; lane < l->count; lane++)
        for (size_t i = 0; i < per_lane; i++) {
            const float *row = out + (lane * per_lane + i) * s->out;
            size_t       last = lengths[lane] - 1;
            size_t       from = l->at[lane] + (which == KRAIT_ROWS_ALL ? i : last);

            if (which == KRAIT_ROWS_NONE || i >= lengths[lane])
                CHECK(untouched(row, s->out));
            else if (!CHECK_BYTES(row, row_out(s, l->plays[lane], from), s->out * 4))
                return;
        }
}

/* Every lane goes on by so many rows, in one call. */
void advance_which(lanes *l, const uint32_t *lengths, int which)
{
    uint32_t     counts[MOST_LANES];
    size_t       steps = 0;
    krait_input  input = { .size = sizeof input };
    krait_output output = { .size = sizeof output, .which = which, .counts = counts };
    call_rows    c;

    for (size_t lane = 0; lane < l->count; lane++)
        steps = lengths[lane] > steps ? lengths[lane] : steps;
    c = call_made(l, lengths, steps);
    input.steps = steps;
    input.features = c.features;
    input.tokens = c.tokens;
    input.reset = l->no_resets ? NULL : c.reset;
    input.lengths = lengths;
    output.rows = c.out;
    output.capacity = (which == KRAIT_ROWS_ALL ? steps : 1) * l->count * l->s->out;
    if (steps == 0)
        output.rows = NULL, output.capacity = 0;
    if (which == KRAIT_ROWS_NONE)
        output.capacity = 0;
    fill_scratch(l);
    if (steps && CHECK_STATUS(krait_run(l->s->model, l->state, &input, &output, NULL), KRAIT_OK)) {
        CHECK_U64(output.steps_done, steps);
        check_rows(l, lengths, steps, which, c.out);
        for (size_t lane = 0; lane < l->count; lane++)
            CHECK_U64(counts[lane], which == KRAIT_ROWS_ALL    ? lengths[lane]
                                    : which == KRAIT_ROWS_LAST ? lengths[lane] > 0 : 0);
    }
    for (size_t lane = 0; lane < l->count; lane++)
        l->at[lane] += lengths[lane];
    call_free(&c);
}

/* All lanes by so many rows, or as many as there are left. */
void advance(lanes *l, size_t rows)
{
    uint32_t lengths[MOST_LANES];

    for (size_t lane = 0; lane < l->count; lane++)
        lengths[lane] = (uint32_t)kr_min(rows, STEPS - l->at[lane]);
    advance_which(l, lengths, KRAIT_ROWS_ALL);
}

int finished(const lanes *l)
{
    for (size_t lane = 0; lane < l->count; lane++)
        if (l->at[lane] < STEPS)
            return 0;
    return 1;
}

/* ---- subjects ------------------------------------------------------------------------ */

/* Ordinary numbers with a few large, small and zero ones among them. */
static void make_rows(subject *s, kr_random *random)
{
    static const float odd[] = { 0.0f, -0.0f, 1e-30f, -30.0f, 9.0f, -1e-5f };
    size_t             rows = STREAMS * STEPS, vocabulary = s->made_of->tokens;

    s->features = malloc(rows * s->in * sizeof *s->features);
    s->tokens = vocabulary ? malloc(rows * sizeof *s->tokens) : NULL;
    s->reset = calloc(rows, 1);
    s->expected = malloc(rows * s->out * sizeof *s->expected);
    for (size_t i = 0; i < rows * s->in; i++)
        s->features[i] = kr_random_u32(random) % 200 ? 2 * kr_random_unit(random)
                                                     : odd[kr_random_u32(random) % 6];
    for (size_t i = 0; i < rows && vocabulary; i++)
        s->tokens[i] = kr_random_u32(random) % 4 ? (int32_t)(kr_random_u32(random) % vocabulary)
                                                 : -1;
    /* Stream 0 is one episode; 1 begins anew where it is interesting, 2 anywhere. */
    s->reset[STEPS] = s->reset[STEPS + 5] = s->reset[STEPS + 6] = s->reset[STEPS + STEPS - 1] = 1;
    for (size_t i = 0; i < STEPS; i++)
        s->reset[2 * STEPS + i] = kr_random_u32(random) % 8 == 0;
}

/* What one call over the whole stream gives is what everything else is compared with. */
static void make_expected(subject *s)
{
    for (size_t stream = 0; stream < STREAMS; stream++) {
        lanes        l = lanes_made(s, 1, STEPS);
        size_t       from = stream * STEPS;
        krait_input  input = { .size = sizeof input, .steps = STEPS, .reset = s->reset + from };
        krait_output output = { .size = sizeof output, .capacity = STEPS * s->out };

        input.features = row_in(s, stream, 0);
        input.tokens = s->tokens ? s->tokens + from : NULL;
        output.rows = s->expected + from * s->out;
        fill_scratch(&l);
        CHECK_STATUS(krait_run(s->model, l.state, &input, &output, NULL), KRAIT_OK);
        lanes_free(&l);
    }
}

static int subject_made(subject *s, size_t i)
{
    kr_random     random = kr_random_from(1000 + i);
    krait_message why = { "" };
    int64_t       in = 0, out = 0, lane_bytes = 0;

    *s = (subject){ .made_of = &subject_cases[i] };
    test_note("%.150s", s->made_of->text);
    if (!CHECK(tree_make(&s->tree, s->made_of->text, s->made_of->tokens, s->made_of->features,
                         s->made_of->type, 2000 + i)))
        return 0;
    CHECK_STATUS(krait_model_create(&s->model, s->tree.json, s->tree.tensors, s->tree.n_tensors,
                                    NULL, &why), KRAIT_OK);
    if (!CHECK_STR(why.text, ""))
        return 0;
    CHECK_STATUS(krait_model_get(s->model, KRAIT_IN_WIDTH, &in), KRAIT_OK);
    CHECK_STATUS(krait_model_get(s->model, KRAIT_OUT_WIDTH, &out), KRAIT_OK);
    CHECK_STATUS(krait_model_get(s->model, KRAIT_STATE_BYTES_PER_LANE, &lane_bytes), KRAIT_OK);
    CHECK_INT(in, (long long)s->tree.root->in);
    if (!CHECK_INT(out, (long long)s->tree.root->out))
        return 0;
    s->in = (size_t)in;
    s->out = (size_t)out;
    s->lane_bytes = (size_t)lane_bytes;
    make_rows(s, &random);
    make_expected(s);
    return 1;
}

static void subject_free(subject *s)
{
    krait_model_close(s->model);
    tree_free(&s->tree);
    free(s->features), free(s->tokens), free(s->reset), free(s->expected);
}

void with_subjects(void (*check)(const subject *s))
{
    for (size_t i = 0; i < subject_count; i++) {
        subject s;

        if (subject_made(&s, i))
            check(&s);
        subject_free(&s);
    }
}
