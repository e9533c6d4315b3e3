/*
 * test_refused.c - composites that make no sense are refused with the path of the layer that does
 * not, and lengths that no layer can take before anything is written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/subject.h"
#include "support/tiny.h"
#include "test.h"

/* A tree in which the layer named "bad" is to blame: as tree.h says, or as JSON without tensors. */
typedef struct refusal {
    const char  *tree;
    krait_status status;
    const char  *word;              /* also in the message */
} refusal;

static void refused(const refusal *r, const char *json, const krait_tensor *tensors, size_t count)
{
    krait_message      message = { "" };
    krait_open_options options = { .size = sizeof options };
    krait_model       *model = (krait_model *)1;
    tiny_memory        memory;

    tiny_memory_start(&memory, 0, 0);
    options.allocator = &memory.allocator;
    test_note("%.180s", r->tree);
    CHECK_STATUS(krait_model_create(&model, json, tensors, count, &options, &message), r->status);
    CHECK(model == NULL);
    krait_model_close(model);
    test_note("%.80s: %.150s", r->tree, message.text);
    CHECK(strstr(message.text, "bad") != NULL && strstr(message.text, r->word) != NULL);
    CHECK(tiny_memory_end(&memory));
    test_note("%s", "");
}

/* Layers of a sequence, with ' for ". */
static void json_refused(size_t features, const refusal *r)
{
    char text[1200];

    snprintf(text, sizeof text, "{\"model_type\":\"krait\",\"version\":1,"
             "\"input\":{\"features\":%zu},\"tree\":{\"sequence\":{\"name\":\"here\",\"of\":[%s]}}}", features, r->tree);
    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    refused(r, text, NULL, 0);
}

static void text_refused(size_t features, const refusal *r)
{
    tree t;

    test_note("%.180s", r->tree);
    if (CHECK(tree_make(&t, r->tree, 0, features, KRAIT_F32, 1)))
        refused(r, t.json, t.tensors, t.n_tensors);
    tree_free(&t);
}

static void all_refused(void (*one)(size_t features, const refusal *r), size_t features,
                        const refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++)
        one(features, &refusals[i]);
}

#define ALL_REFUSED(one, features, refusals) \
    all_refused(one, features, refusals, sizeof refusals / sizeof *refusals)

TEST(refused_rows_that_do_not_agree)
{
    static const refusal refusals[] = {
        { "sequence[residual(name=bad)[insert(at=first)]]", KRAIT_ERR_SHAPE, "rows" },
        { "sequence[reverse[identity], residual(name=bad)[pool(kind=max)]]", KRAIT_ERR_SHAPE,
          "rows" },
        { "residual(name=bad)[branches(merge=append)[identity, identity]]", KRAIT_ERR_SHAPE,
          "rows" },
        { "branches(name=bad)[identity, insert(at=last)]", KRAIT_ERR_SHAPE, "rows" },
        { "branches(name=bad merge=concatenate)[insert(at=last rows=2), insert(at=last)]",
          KRAIT_ERR_SHAPE, "rows" },
        { "sequence[put(as=a), insert(at=middle), get(name=bad as=a)]", KRAIT_ERR_SHAPE, "'a'" },
    };
    ALL_REFUSED(text_refused, 6, refusals);
}

TEST(refused_widths_that_do_not_agree)
{
    static const refusal refusals[] = {
        { "branches(name=bad)[identity, linear(width=5)]", KRAIT_ERR_SHAPE, "5" },
        { "branches(name=bad merge=append)[linear(width=7), linear(width=5)]", KRAIT_ERR_SHAPE,
          "5" },
        { "slice(name=bad from=4 width=3)", KRAIT_ERR_SHAPE, "3" },
        { "selective_scan(name=bad inner=3 states=1)", KRAIT_ERR_SHAPE, "6" },
        { "mamba1(name=bad project=none inner=4 rank=1)", KRAIT_ERR_SHAPE, "8" },
        { "mamba2(name=bad heads=3 head_dim=4 groups=2)", KRAIT_ERR_SHAPE, "3 heads in 2 groups" },
        { "mamba2(name=bad heads=2 head_dim=4 groups=4)", KRAIT_ERR_SHAPE, "2 heads in 4 groups" },
        { "mamba2(name=bad heads=3 head_dim=4 norm_size=5)", KRAIT_ERR_SHAPE, "each 5 of 12" },
        { "mamba2(name=bad heads=1 head_dim=4 norm_size=8)", KRAIT_ERR_SHAPE, "each 8 of 4" },
        { "mamba2(name=bad heads=1 head_dim=4 dt_min=2 dt_max=1)", KRAIT_ERR_SHAPE, "dt_min" },
        { "sequence[define(name=bad as=f)[linear(width=6)], slice(width=2), use(as=f)]",
          KRAIT_ERR_SHAPE, "2" },
    };
    ALL_REFUSED(text_refused, 6, refusals);
}

TEST(refused_sizes)
{
    static const refusal refusals[] = {
        { "outer(name=bad head_dim=2)", KRAIT_ERR_SHAPE, "heads of 2" },
        { "sequence[linear(width=5), outer(name=bad head_dim=1)]", KRAIT_ERR_SHAPE, "5" },
        { "outer(name=bad head_dim=0)", KRAIT_ERR_FORMAT, "head_dim" },
        { "contract(name=bad head_dim=5)", KRAIT_ERR_SHAPE, "heads of 5" },
        { "contract(name=bad head_dim=4)", KRAIT_ERR_SHAPE, "heads of 4" },
        { "s4d(name=bad states=1 tile=4)", KRAIT_ERR_SHAPE, "tile of 4" },
        { "s4d(name=bad states=1 tile=2 copies=2)", KRAIT_ERR_SHAPE, "copies" },
        { "shift(name=bad states=0)", KRAIT_ERR_FORMAT, "states" },
        { "shift(name=bad states=4097)", KRAIT_ERR_FORMAT, "states" },
        { "s5(name=bad states=1 degree=0)", KRAIT_ERR_FORMAT, "degree" },
        { "s5(name=bad states=1 bandlimit=-1)", KRAIT_ERR_FORMAT, "bandlimit" },
    };
    ALL_REFUSED(text_refused, 6, refusals);
}

TEST(refused_choices)
{
    static const refusal refusals[] = {
        { "{'s5':{'name':'bad','states':1,'half':'third'}}", KRAIT_ERR_FORMAT, "half" },
        { "{'s5':{'name':'bad','states':1,'lambda':'polar'}}", KRAIT_ERR_FORMAT, "lambda" },
        { "{'s5':{'name':'bad','states':1,'liquid':1}}", KRAIT_ERR_FORMAT, "liquid" },
        { "{'s5':{'name':'bad','states':1,'width':3}}", KRAIT_ERR_FORMAT, "width" },
        { "{'s4d':{'name':'bad','form':'h4'}}", KRAIT_ERR_FORMAT, "form" },
        { "{'outer':{'name':'bad'}}", KRAIT_ERR_FORMAT, "head_dim" },
        { "{'lru':{'name':'bad','states':1,'liquid':true}}", KRAIT_ERR_FORMAT, "liquid" },
    };
    ALL_REFUSED(json_refused, 6, refusals);
}

TEST(refused_grids)
{
    static const refusal refusals[] = {
        { "2x3 conv(name=bad taps=3)", KRAIT_ERR_SHAPE, "over" },
        { "2x3 mamba1(name=bad inner=4 rank=1)", KRAIT_ERR_SHAPE, "over" },
        { "2x3 mamba2(name=bad heads=1 head_dim=4)", KRAIT_ERR_SHAPE, "over" },
        { "2x3 selective_scan(name=bad inner=1 states=1)", KRAIT_ERR_SHAPE, "over" },
        { "2x3 pool(name=bad kind=mean)", KRAIT_ERR_SHAPE, "over" },
        { "2x3 reverse(name=bad)[identity]", KRAIT_ERR_SHAPE, "over" },
        { "2x3 permute(name=bad order=1:0)[identity]", KRAIT_ERR_SHAPE, "over" },
        { "2x3 insert(name=bad at=first)", KRAIT_ERR_SHAPE, "over" },
        { "2x3 position(name=bad rows=6)", KRAIT_ERR_SHAPE, "over" },
        { "2x3 patch(name=bad height=3 width=1)", KRAIT_ERR_SHAPE, "grid" },
        { "2x3 patch(name=bad height=1 width=4)", KRAIT_ERR_SHAPE, "grid" },
        { "2x3 over(axis=grid)[sequence[identity, permute(name=bad order=1:0)[identity]]]",
          KRAIT_ERR_SHAPE, "6" },
        { "2x3 over(axis=rows)[position(name=bad rows=2)]", KRAIT_ERR_SHAPE, "3" },
        { "2x3 over(axis=columns)[pool(name=bad kind=token index=2)]", KRAIT_ERR_SHAPE, "3" },
        { "2x3 over(axis=grid)[over(name=bad axis=rows)[identity]]", KRAIT_ERR_SHAPE, "grid" },
        { "over(name=bad axis=grid)[identity]", KRAIT_ERR_SHAPE, "grid" },
        { "over(name=bad axis=steps)[identity]", KRAIT_ERR_SHAPE, "grid" },
        { "patch(name=bad height=1 width=1)", KRAIT_ERR_SHAPE, "grid" },
    };
    ALL_REFUSED(text_refused, 5, refusals);
}

TEST(refused_names)
{
    static const refusal refusals[] = {
        { "{'get':{'name':'bad','as':'a'}}", KRAIT_ERR_FORMAT, "a" },
        { "{'get':{'name':'bad','as':'a'}},{'put':{'as':'a'}}", KRAIT_ERR_FORMAT, "a" },
        { "{'use':{'name':'bad','as':'f'}}", KRAIT_ERR_FORMAT, "f" },
        { "{'use':{'name':'bad','as':'f'}},{'define':{'as':'f','of':{'identity':{}}}}",
          KRAIT_ERR_FORMAT, "f" },
        { "{'define':{'as':'f','of':{'use':{'name':'bad','as':'f'}}}}", KRAIT_ERR_FORMAT, "f" },
        { "{'put':{'as':'f'}},{'use':{'name':'bad','as':'f'}}", KRAIT_ERR_FORMAT, "f" },
        { "{'get':{'name':'bad'}}", KRAIT_ERR_FORMAT, "as" },
        { "{'put':{'name':'bad'}}", KRAIT_ERR_FORMAT, "as" },
        { "{'use':{'name':'bad'}}", KRAIT_ERR_FORMAT, "as" },
        { "{'define':{'name':'bad','of':{'identity':{}}}}", KRAIT_ERR_FORMAT, "as" },
    };
    ALL_REFUSED(json_refused, 4, refusals);
}

TEST(refused_options_of_composites)
{
    static const refusal refusals[] = {
        { "{'permute':{'name':'bad','order':[0,0,1],'of':{'identity':{}}}}", KRAIT_ERR_FORMAT,
          "order" },
        { "{'permute':{'name':'bad','order':[1,2,3],'of':{'identity':{}}}}", KRAIT_ERR_FORMAT,
          "order" },
        { "{'permute':{'name':'bad','order':[],'of':{'identity':{}}}}", KRAIT_ERR_FORMAT, "order" },
        { "{'permute':{'name':'bad','order':[0,-1],'of':{'identity':{}}}}", KRAIT_ERR_FORMAT,
          "order" },
        { "{'permute':{'name':'bad','order':[0.5,1],'of':{'identity':{}}}}", KRAIT_ERR_FORMAT,
          "order" },
        { "{'permute':{'name':'bad','of':{'identity':{}}}}", KRAIT_ERR_FORMAT, "order" },
        { "{'normalize':{'name':'bad','std':1}}", KRAIT_ERR_FORMAT, "mean" },
        { "{'normalize':{'name':'bad','mean':0}}", KRAIT_ERR_FORMAT, "std" },
        { "{'normalize':{'name':'bad','mean':0,'std':0}}", KRAIT_ERR_FORMAT, "std" },
        { "{'normalize':{'name':'bad','mean':0,'std':-1}}", KRAIT_ERR_FORMAT, "std" },
        { "{'normalize':{'name':'bad','mean':0,'std':NaN}}", KRAIT_ERR_FORMAT, "std" },
        { "{'normalize':{'name':'bad','mean':'0','std':1}}", KRAIT_ERR_FORMAT, "mean" },
        { "{'normalize':{'name':'bad','mean':[0,null],'std':1}}", KRAIT_ERR_FORMAT, "mean" },
        { "{'normalize':{'name':'bad','mean':[],'std':1}}", KRAIT_ERR_SHAPE, "mean" },
        { "{'normalize':{'name':'bad','mean':[0,1],'std':1}}", KRAIT_ERR_SHAPE, "2 numbers" },
        { "{'normalize':{'name':'bad','mean':0,'std':[1,1,1,1,1,1,1]}}", KRAIT_ERR_SHAPE, "7 numbers" },
        { "{'branches':{'name':'bad','merge':'average','of':[{'identity':{}}]}}", KRAIT_ERR_FORMAT,
          "merge" },
        { "{'branches':{'name':'bad','of':[]}}", KRAIT_ERR_FORMAT, "at least one" },
        { "{'over':{'name':'bad','axis':'cells','of':{'identity':{}}}}", KRAIT_ERR_FORMAT, "axis" },
        { "{'over':{'name':'bad','of':{'identity':{}}}}", KRAIT_ERR_FORMAT, "axis" },
        { "{'pool':{'name':'bad','kind':'sum'}}", KRAIT_ERR_FORMAT, "kind" },
        { "{'pool':{'name':'bad'}}", KRAIT_ERR_FORMAT, "kind" },
        { "{'insert':{'name':'bad','at':'end'}}", KRAIT_ERR_FORMAT, "at" },
        { "{'insert':{'name':'bad'}}", KRAIT_ERR_FORMAT, "at" },
        { "{'position':{'name':'bad'}}", KRAIT_ERR_FORMAT, "rows" },
        { "{'slice':{'name':'bad','from':1}}", KRAIT_ERR_FORMAT, "width" },
        { "{'patch':{'name':'bad','height':2}}", KRAIT_ERR_FORMAT, "width" },
        { "{'reverse':{'name':'bad','of':3}}", KRAIT_ERR_FORMAT, "key" },
        { "{'mamba1':{'name':'bad','project':'in','inner':2,'rank':1}}", KRAIT_ERR_FORMAT,
          "project" },
        { "{'mamba2':{'name':'bad','heads':2}}", KRAIT_ERR_FORMAT, "head_dim" },
        { "{'mamba2':{'name':'bad','heads':0,'head_dim':2}}", KRAIT_ERR_FORMAT, "heads" },
        { "{'mamba2':{'name':'bad','heads':65536,'head_dim':16384}}", KRAIT_ERR_SHAPE, "more than 4194304 channels" },
        { "{'mamba2':{'name':'bad','heads':65536,'head_dim':1,'states':65536,'groups':65536}}", KRAIT_ERR_SHAPE,
          "more than 4194304 channels" },
        { "{'mamba2':{'name':'bad','heads':1,'head_dim':2,'norm':'layer'}}", KRAIT_ERR_FORMAT, "norm" },
        { "{'mamba2':{'name':'bad','heads':1,'head_dim':2,'D':'all'}}", KRAIT_ERR_FORMAT, "D" },
        { "{'mamba2':{'name':'bad','heads':1,'head_dim':2,'dt_max':-1}}", KRAIT_ERR_FORMAT, "dt_max" },
        { "{'selective_scan':{'name':'bad','inner':24,'groups':2}}", KRAIT_ERR_UNSUPPORTED,
          "groups" },
        { "{'selective_scan':{'name':'bad','inner':33,'groups':2}}", KRAIT_ERR_SHAPE, "groups" },
        { "{'selective_scan':{'name':'bad','inner':32,'gate':'no'}}", KRAIT_ERR_FORMAT, "gate" },
        { "{'selective_scan':{'name':'bad','inner':32,'softplus':1}}", KRAIT_ERR_FORMAT,
          "softplus" },
    };
    ALL_REFUSED(json_refused, 4, refusals);
}

/* ---- lengths that only a run can know ------------------------------------------------- */

/* Either no state for so many steps can be made, or a run of 'good' works and one of 'bad' not. */
static void takes_only(const char *text, uint32_t good, uint32_t bad)
{
    krait_state_options options = { .size = sizeof options, .max_steps = good > bad ? good : bad };
    static const float  zeros[2 * STEPS] = { 0 };
    float               out[2 * STEPS];
    krait_input         input = { .size = sizeof input, .features = zeros };
    krait_output        output = { .size = sizeof output, .rows = out, .capacity = 2 * STEPS };
    krait_state        *state = NULL;
    krait_model        *model = NULL;
    krait_message       why = { "" };
    tree                t;

    test_note("%s, %u steps", text, (unsigned)bad);
    if (CHECK(tree_make(&t, text, 0, 2, KRAIT_F32, 1)) &&
        CHECK_STATUS(krait_model_create(&model, t.json, t.tensors, t.n_tensors, NULL, &why),
                     KRAIT_OK) &&
        krait_state_create(&state, model, &options, NULL) == KRAIT_OK) {
        memset(out, 0xee, sizeof out);
        input.steps = bad;
        CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_ERR_ARGUMENT);
        CHECK(strstr(why.text, "here.bad") != NULL && untouched(out, 2 * STEPS));
        input.steps = good;
        CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_OK);
    }
    options.max_steps = good;
    krait_state_destroy(state, NULL);
    if (model && CHECK_STATUS(krait_state_create(&state, model, &options, NULL), KRAIT_OK)) {
        input.steps = good;
        CHECK_STATUS(krait_run(model, state, &input, &output, &why), KRAIT_OK);
        krait_state_destroy(state, NULL);
    }
    krait_model_close(model);
    tree_free(&t);
    test_note("%s", "");
}

TEST(refused_lengths)
{
    takes_only("sequence(name=here)[permute(name=bad order=2:0:3:1)[identity]]", 4, 3);
    takes_only("sequence(name=here)[permute(name=bad order=2:0:3:1)[identity]]", 4, 5);
    takes_only("sequence(name=here)[position(name=bad rows=6)]", 6, 7);
    takes_only("sequence(name=here)[pool(name=bad kind=token index=3)]", 4, 3);
}

/* ---- the input's grid ------------------------------------------------------------------ */

TEST(refused_input_grids)
{
    static const char *const inputs[] = {
        "{\"features\":3,\"grid\":[]}", "{\"features\":3,\"grid\":[2,3,4]}",
        "{\"features\":3,\"grid\":[0,3]}", "{\"features\":3,\"grid\":[-1,3]}",
        "{\"features\":3,\"grid\":5}", "{\"features\":3,\"grid\":[2.5,2]}",
        "{\"features\":3,\"grid\":[\"2\",2]}", "{\"features\":3,\"grid\":[4294967296,4294967296]}",
        "{\"tokens\":3,\"grid\":[2,2]}", "{\"grid\":[2,2]}",
    };

    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        char          text[200];
        krait_message why = { "" };
        krait_model  *model = (krait_model *)1;

        snprintf(text, sizeof text, "{\"model_type\":\"krait\",\"version\":1,\"input\":%s,\"tree\":"
                 "{\"identity\":{}}}", inputs[i]);
        test_note("%s", inputs[i]);
        CHECK_STATUS(krait_model_create(&model, text, NULL, 0, NULL, &why), KRAIT_ERR_FORMAT);
        CHECK(model == NULL && (strstr(why.text, "grid") || strstr(why.text, "input")));
    }
}
