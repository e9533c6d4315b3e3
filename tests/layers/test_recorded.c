/*
 * test_recorded.c - s5, lru and what H3 is made of against recorded outputs of the official layers run in double
 * (tests/golden/make_lti.py): the state space alone, kept under the name "ssm", and the block around it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "formats/package.h"
#include "krait.h"
#include "support/npz.h"
#include "support/tiny.h"
#include "test.h"

enum { MOST_TENSORS = 32, MOST_NUMBERS = 2048, MOST_ROWS = 256, MOST_TREE = 2048 };

/* Of the largest output; the worst is given by KRAIT_DISTANCE=1. */
#define BOUND 2e-6

typedef struct recording {
    const char *name;               /* of the file under tests/golden */
    const char *tree;               /* with ' for " */
    int         whole;              /* no call but one for all rows */
} recording;

/* ---- the blocks ------------------------------------------------------------------------------------------- */

#define SSM "{'put':{'as':'ssm'}}"
#define RESIDUAL(...) "{'residual':{'sequence':[" __VA_ARGS__ "]}}"
#define SEQUENCE(...) "{'sequence':[" __VA_ARGS__ "]}"
#define FUNCTION(kind) "{'activation':{'kind':'" kind "'}}"
#define LAYER_NORM(name) "{'layer_norm':{'eps':1e-6,'weights':{'weight':'" name ".scale','bias':'" name ".bias'}}}"
#define BATCH_NORM(name) \
    "{'batch_norm':{'eps':1e-5,'weights':{'weight':'" name ".scale','bias':'" name ".bias'," \
    "'running_mean':'" name ".mean','running_var':'" name ".var'}}}"
#define DENSE(name, width) \
    "{'linear':{'width':" width ",'weights':{'weight':{'tensor':'" name ".kernel','transpose':true}," \
    "'bias':'" name ".bias'}}}"

#define S5(options) "{'s5':{'path':'seq'," options "}}"
#define GATE(width, value) \
    "{'branches':{'merge':'multiply','of':[" value "," SEQUENCE(DENSE("out2", width) "," FUNCTION("sigmoid")) "]}}"
#define HALF_GLU1(width) FUNCTION("gelu_tanh") "," GATE(width, "{'identity':{}}")
#define FULL_GLU(width) FUNCTION("gelu_tanh") "," GATE(width, DENSE("out1", width))
#define HALF_GLU2(width) \
    "{'branches':{'merge':'multiply','of':[{'identity':{}}," \
    SEQUENCE(FUNCTION("gelu_tanh") "," DENSE("out2", width) "," FUNCTION("sigmoid")) "]}}"
/* The way back has no D. */
#define S5_BOTH(options, forward, backward) \
    "{'branches':[{'s5':{'path':'seq'," options forward "}},{'reverse':{'s5':{" options backward "," \
    "'Lambda_re':'seq.Lambda_re','Lambda_im':'seq.Lambda_im','B':'seq.B','log_step':'seq.log_step'}}}}]}"

#define TORCH_NORM(name) "{'layer_norm':{'path':'" name "','eps':1e-5}}"
#define TORCH_BLOCK(width, twice, ssm) \
    SEQUENCE(TORCH_NORM("attn_norm") "," RESIDUAL(ssm "," SSM "," FUNCTION("gelu")) "," TORCH_NORM("ff_norm") "," \
             RESIDUAL("{'linear':{'path':'ff_enc','width':" twice "}},{'glu':{'kind':'gelu'}}," \
                      "{'linear':{'path':'ff_dec','width':" width "}}"))
#define TORCH_S5(options) "{'s5':{'path':'s5.seq','lambda':'pairs','conj_sym':false," options "}}"
#define TORCH_S5_BOTH(states, options) \
    "{'branches':[" TORCH_S5("'half':'first'," options "'states':" states) ",{'reverse':{'s5':{'lambda':'pairs'," \
    "'conj_sym':false,'half':'second','states':" states ",'weights':{'Lambda':'s5.seq.Lambda','B':'s5.seq.B'," \
    "'C':'s5.seq.C','log_step':'s5.seq.log_step'}}}}]}"

#define LRU(states) "{'lru':{'path':'seq','states':" states "}}"

#define H3_LINEAR(name, width) "{'linear':{'path':'" name "_proj','width':" width "}}"
#define H3_SHIFT(width, states) SEQUENCE(H3_LINEAR("k", width) ",{'shift':{'path':'','states':" states "}}")
#define H3_DIAGONAL(options) "{'s4d':{'path':'','form':'h3'," options "}}"
#define H3_OUT(width) SSM ",{'linear':{'path':'output_linear','width':" width "}}"
/* Heads of one number: products alone. */
#define H3_ONE(width, states, options) \
    SEQUENCE("{'branches':{'merge':'multiply','of':[" H3_LINEAR("q", width) "," \
             SEQUENCE("{'branches':{'merge':'multiply','of':[" H3_SHIFT(width, states) "," H3_LINEAR("v", width) "]}}," \
                      H3_DIAGONAL(options)) "]}}," H3_OUT(width))
#define H3_HEADS(width, states, size, options) \
    SEQUENCE("{'branches':{'merge':'concatenate','of':[" H3_LINEAR("q", width) "," \
             SEQUENCE("{'branches':{'merge':'concatenate','of':[" H3_SHIFT(width, states) "," H3_LINEAR("v", width) "]}}," \
                      "{'outer':{'head_dim':" size "}}," H3_DIAGONAL(options)) "]}}," \
             "{'contract':{'head_dim':" size "}}," H3_OUT(width))

static const recording recordings[] = {
    { "s5/zoh", RESIDUAL(BATCH_NORM("norm") "," S5("'states':8") "," SSM "," HALF_GLU1("6")), 0 },
    { "s5/bilinear",
      RESIDUAL(LAYER_NORM("norm") "," S5("'states':8,'discretization':'bilinear'") "," SSM "," FULL_GLU("6")), 0 },
    { "s5/full",
      SEQUENCE(RESIDUAL(S5("'states':6,'conj_sym':false") "," SSM "," HALF_GLU2("4")) "," LAYER_NORM("norm")), 0 },
    { "s5/clipped",
      SEQUENCE(RESIDUAL(S5("'states':6,'clip_eigs':true,'discretization':'bilinear'") "," SSM ","
                        FUNCTION("gelu_tanh")) "," BATCH_NORM("norm")), 0 },
    { "s5/rescaled", RESIDUAL(LAYER_NORM("norm") "," S5("'states':7,'step_rescale':2") "," SSM "," HALF_GLU1("5")), 0 },
    { "s5/circle", RESIDUAL(LAYER_NORM("norm") "," S5("'states':8") "," SSM "," FUNCTION("gelu_tanh")), 0 },
    { "s5/tiny", RESIDUAL(LAYER_NORM("norm") "," S5("'states':8") "," SSM "," FUNCTION("gelu_tanh")), 0 },
    { "s5/bidirectional",
      RESIDUAL(BATCH_NORM("norm") "," S5_BOTH("'states':6,", "'weights':{'C':'seq.C1'}", "'weights':{'C':'seq.C2'")
               "," SSM "," HALF_GLU1("4")), 1 },
    { "s5/bidirectional_one_c",
      RESIDUAL(LAYER_NORM("norm") "," S5_BOTH("'states':6,'conj_sym':false,'discretization':'bilinear',",
                                              "'half':'first'", "'half':'second','weights':{'C':'seq.C'")
               "," SSM "," FUNCTION("gelu_tanh")), 1 },
    { "s5_pytorch/block", TORCH_BLOCK("6", "12", TORCH_S5("'states':8")), 0 },
    { "s5_pytorch/bilinear", TORCH_BLOCK("4", "8", TORCH_S5("'states':6,'discretization':'bilinear'")), 0 },
    { "s5_pytorch/degree", TORCH_BLOCK("6", "12", TORCH_S5("'states':6,'degree':2")), 0 },
    { "s5_pytorch/circle", TORCH_BLOCK("4", "8", TORCH_S5("'states':8")), 0 },
    { "s5_pytorch/tiny", TORCH_BLOCK("4", "8", TORCH_S5("'states':8")), 0 },
    { "s5_pytorch/bidirectional", TORCH_BLOCK("4", "8", TORCH_S5_BOTH("6", "")), 1 },
    { "s5_pytorch/liquid", TORCH_BLOCK("4", "8", TORCH_S5("'states':6,'liquid':true")), 0 },
    { "s5_pytorch/liquid_bidirectional", TORCH_BLOCK("4", "8", TORCH_S5_BOTH("6", "'liquid':true,")), 1 },
    /* a time of its own for every row, and a state before the first */
    { "s5_pytorch/irregular", SEQUENCE(TORCH_S5("'states':6,'weights':{'initial_state':'state'}") "," SSM), 0 },
    { "lru/layer", SEQUENCE(RESIDUAL(LRU("8") "," SSM "," FULL_GLU("6")) "," LAYER_NORM("normalization")), 0 },
    { "lru/batch", RESIDUAL(BATCH_NORM("normalization") "," LRU("7") "," SSM "," FULL_GLU("5")), 0 },
    { "lru/post", SEQUENCE(RESIDUAL(LRU("16") "," SSM "," FULL_GLU("4")) "," BATCH_NORM("normalization")), 0 },
    { "lru/circle", RESIDUAL(LAYER_NORM("normalization") "," LRU("8") "," SSM "," FULL_GLU("4")), 0 },
    { "h3/heads_of_1", H3_ONE("6", "8", "'states':4,'discretization':'bilinear'"), 0 },
    { "h3/zoh", H3_ONE("6", "32", "'states':16,'copies':2"), 0 },
    { "h3/circle", H3_ONE("4", "8", "'states':4,'discretization':'bilinear'"), 0 },
    { "h3/heads_of_1", H3_HEADS("6", "8", "1", "'states':4,'discretization':'bilinear'"), 0 },
    { "h3/heads_of_2", H3_HEADS("8", "8", "2", "'states':4,'tile':4,'discretization':'bilinear'"), 0 },
    { "h3/heads_of_4", H3_HEADS("8", "16", "4", "'states':8,'tile':16,'copies':1,'discretization':'bilinear'"), 0 },
    { "h3/tiny", H3_HEADS("4", "8", "2", "'states':4,'tile':4,'discretization':'bilinear'"), 0 },
    { "lru/tiny", RESIDUAL(LAYER_NORM("normalization") "," LRU("8") "," SSM "," FULL_GLU("4")), 0 },
};

/* ---- running ---------------------------------------------------------------------------------------------- */

/* A recording with the model that should give it. */
typedef struct recorded {
    krait_model     *model;
    const kr_source *ssm, *block;   /* block NULL: the model's output is the ssm's */
    const kr_source *times, *last;  /* of rows, and the state behind them; or NULL */
    size_t           rows, in, width, out;      /* width: of the ssm's rows */
    float            features[MOST_NUMBERS], dt[MOST_ROWS];
} recorded;

static double recorded_number(const kr_source *from, size_t i)
{
    return kr_double_of(kr_load_u32(from->data + 8 * i) | (uint64_t)kr_load_u32(from->data + 8 * i + 4) << 32);
}

/* The largest difference over the largest number. */
static double recorded_distance(const float *actual, const kr_source *expected)
{
    size_t count = (size_t)(expected->shape[0] * expected->shape[1]);
    double worst = 0, most = 0;

    for (size_t i = 0; i < count; i++) {
        double apart = fabs((double)actual[i] - recorded_number(expected, i));

        worst = isnan(apart) ? INFINITY : fmax(worst, apart);
        most = fmax(most, fabs(recorded_number(expected, i)));
    }
    return worst / most;
}

static void check_last(const recorded *r, const krait_state *state)
{
    float  left[MOST_NUMBERS];
    size_t count = (size_t)(r->last->shape[0] * r->last->shape[1]);

    CHECK_STATUS(krait_part_read(r->model, state, 0, 0, left, count), KRAIT_OK);
    CHECK(recorded_distance(left, r->last) <= BOUND);
}

/* All rows, 'cut' in a call, and how far they are off. */
static void check_run(const recorded *r, const char *name, int32_t mode, size_t cut)
{
    krait_state_options options = { .size = sizeof options, .lanes = 1, .chunk = (uint32_t)cut,
                                    .max_steps = (uint32_t)r->rows };
    float               ssm[MOST_NUMBERS], out[MOST_NUMBERS];
    krait_state        *state = NULL;
    krait_message       why = { "" };

    if (!CHECK_STATUS(krait_state_create(&state, r->model, &options, NULL), KRAIT_OK))
        return;
    for (size_t from = 0; from < r->rows; from += cut) {
        size_t       steps = from + cut < r->rows ? cut : r->rows - from;
        krait_slot   slot = { "ssm", ssm + from * r->width, steps * r->width, 0, 0 };
        krait_input  input = { .size = sizeof input, .steps = steps, .features = r->features + from * r->in,
                               .mode = mode, .dt = r->times ? r->dt + from : NULL };
        krait_output output = { .size = sizeof output, .rows = out + from * r->out, .capacity = steps * r->out,
                                .slots = &slot, .slot_count = 1 };

        CHECK_STATUS(krait_run(r->model, state, &input, &output, &why), KRAIT_OK);
        CHECK_STR(why.text, "");
    }
    test_note("%s, mode %d, cut %zu: off by %.2g, the block by %.2g", name, (int)mode, cut,
              recorded_distance(ssm, r->ssm), r->block ? recorded_distance(out, r->block) : 0);
    CHECK(recorded_distance(ssm, r->ssm) <= BOUND);
    CHECK(!r->block || recorded_distance(out, r->block) <= BOUND);
    if (r->last)
        check_last(r, state);
    if (getenv("KRAIT_DISTANCE"))
        test_check(0, __FILE__, __LINE__, "asked for");
    test_note("%s", "");
    krait_state_destroy(state, NULL);
}

static size_t recorded_tensors(const kr_package *package, krait_tensor *tensors)
{
    size_t count = 0;

    for (size_t i = 0; i < package->n_tensors && CHECK(count < MOST_TENSORS); i++) {
        const kr_source *from = &package->tensors[i];
        krait_tensor    *to = &tensors[count++];

        *to = (krait_tensor){ .name = from->name, .data = from->data, .bytes = from->bytes,
                              .dimensions = from->dimensions, .type = from->type };
        memcpy(to->shape, from->shape, sizeof to->shape);
    }
    return count;
}

static int recorded_open(recorded *r, const recording *of, const kr_package *package)
{
    const kr_source *input = kr_package_find(package, "input");
    char             text[MOST_TREE];
    krait_tensor     tensors[MOST_TENSORS];
    krait_message    why = { "" };

    *r = (recorded){ .ssm = kr_package_find(package, "ssm"), .block = kr_package_find(package, "block"),
                     .times = kr_package_find(package, "step_scale"), .last = kr_package_find(package, "last") };
    if (!CHECK(input && r->ssm && input->shape[0] * input->shape[1] <= MOST_NUMBERS && input->shape[0] <= MOST_ROWS))
        return 0;
    r->rows = (size_t)input->shape[0], r->in = (size_t)input->shape[1], r->width = (size_t)r->ssm->shape[1];
    r->out = r->block ? (size_t)r->block->shape[1] : r->width;
    for (size_t i = 0; i < r->rows * r->in; i++)
        r->features[i] = kr_float_of(kr_load_u32(input->data + 4 * i));
    for (size_t t = 0; t < r->rows && r->times; t++)
        r->dt[t] = kr_float_of(kr_load_u32(r->times->data + 4 * t));
    snprintf(text, sizeof text, "{'model_type':'krait','version':1,'input':{'features':%d},'tree':%s}", (int)r->in,
             of->tree);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    CHECK_STATUS(krait_model_create(&r->model, text, tensors, recorded_tensors(package, tensors), NULL, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    return r->model != NULL;
}

static void check_recording(const recording *of)
{
    static const int32_t modes[] = { KRAIT_RECURRENT, KRAIT_SCAN, KRAIT_CONVOLUTION };
    char           path[96];
    size_t         count = 0;
    unsigned char *bytes;
    kr_memory      memory;
    kr_arena       arena;
    kr_package     package;
    recorded       r = { 0 };
    krait_message  why = { "" };

    snprintf(path, sizeof path, "tests/golden/%s.safetensors", of->name);
    bytes = npz_read_file(test_data(path), &count);
    kr_memory_start(&memory, NULL, 0);
    kr_arena_start(&arena, &memory);
    test_note("%s", of->name);
    if (CHECK(bytes != NULL) && CHECK_STATUS(kr_package_read(&package, bytes, count, path, &arena, &why), KRAIT_OK) &&
        recorded_open(&r, of, &package))
        for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
            int32_t mode = modes[m];

            if (mode == KRAIT_CONVOLUTION && (r.times || strcmp(of->name, "s5_pytorch/liquid") == 0))
                continue;               /* they are none */
            check_run(&r, of->name, mode, r.rows);
            if (!of->whole) {
                check_run(&r, of->name, mode, 7);
                check_run(&r, of->name, mode, 1);
            }
        }
    test_note("%s", "");
    krait_model_close(r.model);
    kr_arena_free(&arena);
    free(bytes);
}

static void check_folder(const char *folder)
{
    size_t checked = 0;

    for (size_t i = 0; i < sizeof recordings / sizeof *recordings; i++)
        if (strncmp(recordings[i].name, folder, strlen(folder)) == 0) {
            check_recording(&recordings[i]);
            checked++;
        }
    CHECK(checked > 0);
}

TEST(s5_recorded_outputs)
{
    check_folder("s5/");
}

TEST(s5_pytorch_recorded_outputs)
{
    check_folder("s5_pytorch/");
}

TEST(h3_recorded_outputs)
{
    check_folder("h3/");
}

TEST(lru_recorded_outputs)
{
    check_folder("lru/");
}
