/*
 * arch_s5.c - S5 classifiers (Smith, Warrington, Linderman, arXiv 2208.04933): config.json of model_type "s5" with
 * the arguments of ClassificationModel in lindermanlab/S5, s5/seq_model.py, and flax's parameters under their
 * paths joined with dots.
 *
 * input_mean and input_std, if they are there, are of this form of config.json: what is taken from the inputs and
 * divides them.
 */
#include "model/arch.h"

#include <string.h>

typedef struct s5_sizes {
    size_t input, width, states, layers, classes;
    int    activation, prenorm, batch, pool, bilinear, whole_spectrum, clip, log_softmax;
    const kr_json *mean, *std;
} s5_sizes;

static const char *const s5_used[] = {
    "model_type", "d_input", "d_model", "ssm_size", "n_layers", "n_classes", "activation", "prenorm", "norm", "pooling",
    "discretization", "conj_sym", "clip_eigs", "bidirectional", "output", "input_mean", "input_std", NULL
};

/* blocks is how Lambda was begun with; the rest tells of training. */
static const char *const s5_harmless[] = {
    "source", "blocks", "sample_rate", "classes", "test_accuracy", "dropout", "bn_momentum", "dt_min", "dt_max",
    "C_init", NULL
};

enum { S5_FULL_GLU, S5_HALF_GLU1, S5_HALF_GLU2, S5_GELU };

static krait_status s5_read(kr_loading *loading, s5_sizes *s)
{
    static const char *const activations[] = { "full_glu", "half_glu1", "half_glu2", "gelu", NULL };
    static const char *const norms[] = { "layer", "batch", NULL }, *const pools[] = { "mean", "last", NULL };
    static const char *const discretizations[] = { "zoh", "bilinear", NULL };
    static const char *const outputs[] = { "logits", "log_softmax", NULL };
    const kr_json *c = loading->config;
    int            conjugates, both;
    krait_status   status;

    if ((status = kr_field_count(loading, c, "d_input", 1, 1 << 22, -1, &s->input)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "d_model", 1, 1 << 20, -1, &s->width)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "ssm_size", 1, 65536, -1, &s->states)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "n_layers", 1, 4096, -1, &s->layers)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "n_classes", 1, 1 << 22, -1, &s->classes)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "activation", activations, S5_GELU, &s->activation)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "norm", norms, 0, &s->batch)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "pooling", pools, 0, &s->pool)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "discretization", discretizations, 0, &s->bilinear)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "output", outputs, 1, &s->log_softmax)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "prenorm", 0, &s->prenorm)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "clip_eigs", 0, &s->clip)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "conj_sym", 1, &conjugates)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "bidirectional", 0, &both)) != KRAIT_OK)
        return status;
    if (both)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: 'bidirectional' is not built", loading->what);
    if (conjugates && s->states % 2)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: 'ssm_size' must be even with 'conj_sym'",
                       loading->what);
    s->whole_spectrum = !conjugates;
    s->states /= conjugates ? 2 : 1;
    return KRAIT_OK;
}

/* A number for each input, of 'low' or more. */
static krait_status s5_input_field(kr_loading *loading, const s5_sizes *s, const char *name, double low,
                                   const kr_json **value)
{
    const kr_json *field = kr_json_get(loading->config, name), *item;

    *value = NULL;
    if (!field || field->kind == KR_JSON_NULL)
        return KRAIT_OK;
    item = field->kind == KR_JSON_ARRAY && field->count == s->input ? field->first : NULL;
    for (*value = field; item && item->kind == KR_JSON_NUMBER && item->number >= low && item->number <= 1e30;)
        if (!(item = item->next))
            return KRAIT_OK;
    return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: '%s' must be a number for each input%s", loading->what,
                   name, low > 0 ? ", above 0" : "");
}

static krait_status s5_inputs(kr_loading *loading, s5_sizes *s)
{
    krait_status status;

    if ((status = s5_input_field(loading, s, "input_mean", -1e30, &s->mean)) != KRAIT_OK ||
        (status = s5_input_field(loading, s, "input_std", 1e-30, &s->std)) != KRAIT_OK)
        return status;
    if (!s->mean != !s->std)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: '%s' is missing", loading->what,
                       s->mean ? "input_std" : "input_mean");
    return KRAIT_OK;
}

/* ---- the tree ------------------------------------------------------------------------------------ */

/* In 'text' ' stands for a quotation mark, @ for a layer's path in names, $ and a letter for a size. */
static void s5_write(kr_writer *w, const s5_sizes *s, const char *text)
{
    const struct { char letter; size_t size; } sizes[] = {
        { 'I', s->input }, { 'H', s->width }, { 'P', s->states }, { 'N', s->layers }, { 'L', s->classes },
    };

    for (; *text; text++) {
        if (*text == '\'') {
            kr_write(w, "\"");
        } else if (*text == '@') {
            kr_write(w, "encoder.layers_{i}");
        } else if (*text == '$') {
            text++;
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
                if (sizes[i].letter == *text)
                    kr_write_unsigned(w, sizes[i].size);
        } else {
            kr_write_bytes(w, text, 1);
        }
    }
}

static void s5_write_norm(kr_writer *w, const s5_sizes *s)
{
    s5_write(w, s, s->batch ? "{'batch_norm':{'name':'norm','eps':1e-5,'weights':{'weight':'@.norm.scale','bias':'@.norm.bias',"
                              "'running_mean':'@.norm.mean','running_var':'@.norm.var'}}}"
                            : "{'layer_norm':{'name':'norm','eps':1e-6,'weights':{'weight':'@.norm.scale',"
                              "'bias':'@.norm.bias'}}}");
}

/* A Dense of flax: its kernel is [in, out]. */
static void s5_write_dense(kr_writer *w, const s5_sizes *s, const char *name, const char *width, const char *path)
{
    s5_write(w, s, "{'linear':{'name':'");
    kr_write(w, name);
    s5_write(w, s, "','width':");
    s5_write(w, s, width);
    s5_write(w, s, ",'weights':{'weight':{'tensor':'");
    s5_write(w, s, path);
    s5_write(w, s, ".kernel','transpose':true},'bias':'");
    s5_write(w, s, path);
    s5_write(w, s, ".bias'}}}");
}

static void s5_write_activation(kr_writer *w, const s5_sizes *s)
{
    static const char gelu[] = "{'activation':{'kind':'gelu_tanh'}}";
    static const char sigmoid[] = ",{'activation':{'kind':'sigmoid'}}";

    if (s->activation != S5_HALF_GLU2)
        s5_write(w, s, gelu);
    if (s->activation == S5_GELU)
        return;
    s5_write(w, s, s->activation == S5_HALF_GLU2 ? "{'branches':{'name':'glu','merge':'multiply','of':["
                                                 : ",{'branches':{'name':'glu','merge':'multiply','of':[");
    if (s->activation == S5_FULL_GLU)
        s5_write_dense(w, s, "out1", "$H", "@.out1");
    else
        s5_write(w, s, "{'identity':{}}");
    s5_write(w, s, ",{'sequence':[");
    if (s->activation == S5_HALF_GLU2) {
        s5_write(w, s, gelu);
        s5_write(w, s, ",");
    }
    s5_write_dense(w, s, "out2", "$H", "@.out2");
    s5_write(w, s, sigmoid);
    s5_write(w, s, "]}]}}");
}

static void s5_write_layer(kr_writer *w, const s5_sizes *s)
{
    s5_write(w, s, "{'residual':{'sequence':[");
    if (s->prenorm) {
        s5_write_norm(w, s);
        s5_write(w, s, ",");
    }
    s5_write(w, s, "{'s5':{'name':'seq','path':'@.seq','states':$P,'weights':{'D':'@.seq.D'}");
    s5_write(w, s, s->bilinear ? ",'discretization':'bilinear'" : "");
    s5_write(w, s, s->whole_spectrum ? ",'conj_sym':false" : "");
    s5_write(w, s, s->clip ? ",'clip_eigs':true}}," : "}},");
    s5_write_activation(w, s);
    s5_write(w, s, "]}}");
    if (!s->prenorm) {
        s5_write(w, s, ",");
        s5_write_norm(w, s);
    }
}

static krait_status s5_from_config(kr_loading *loading, kr_writer *w)
{
    s5_sizes     s = { 0 };
    krait_status status;

    if ((status = s5_read(loading, &s)) != KRAIT_OK || (status = s5_inputs(loading, &s)) != KRAIT_OK)
        return status;
    kr_field_warn_rest(loading, s5_used, s5_harmless);
    s5_write(w, &s, "{'model_type':'krait','version':1,'input':{'features':$I},'tree':{'sequence':[");
    if (s.mean) {
        s5_write(w, &s, "{'normalize':{'name':'inputs','mean':");
        kr_write_json(w, s.mean);
        s5_write(w, &s, ",'std':");
        kr_write_json(w, s.std);
        s5_write(w, &s, "}},");
    }
    s5_write_dense(w, &s, "encoder", "$H", "encoder.encoder");
    s5_write(w, &s, ",{'repeat':{'n':$N,'name':'layers','of':{'sequence':[");
    s5_write_layer(w, &s);
    s5_write(w, &s, s.pool ? "]}}},{'pool':{'kind':'last'}}," : "]}}},{'pool':{'kind':'mean'}},");
    s5_write_dense(w, &s, "decoder", "$L", "decoder");
    s5_write(w, &s, s.log_softmax ? ",{'log_softmax':{}}]}}" : "]}}");
    return KRAIT_OK;
}

extern const kr_arch kr_arch_s5;
const kr_arch kr_arch_s5 = {
    "s5", NULL, s5_from_config, NULL, NULL, NULL,
};
