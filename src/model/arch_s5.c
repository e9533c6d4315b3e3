/*
 * arch_s5.c - S5 classifiers (Smith, Warrington, Linderman, arXiv 2208.04933): config.json of model_type "s5" with
 * the arguments of ClassificationModel in lindermanlab/S5, s5/seq_model.py, and flax's parameters under their
 * paths joined with dots.
 *
 * input_mean and input_std, if they are there, are of this form of config.json: what is taken from the inputs and
 * divides them.
 */
#include "model/flax.h"

typedef struct s5_sizes {
    kr_flax flax;
    int     bilinear, conjugates, clip, both;
    double  rescale;
} s5_sizes;

static const char *const s5_used[] = {
    "model_type", "d_input", "d_model", "ssm_size", "n_layers", "n_classes", "activation", "prenorm", "norm", "pooling",
    "discretization", "conj_sym", "clip_eigs", "bidirectional", "step_rescale", "output", "input_mean", "input_std",
    NULL
};

/* blocks is how Lambda was begun with; the rest tells of training. */
static const char *const s5_harmless[] = {
    "source", "blocks", "sample_rate", "classes", "test_accuracy", "dropout", "bn_momentum", "dt_min", "dt_max",
    "C_init", NULL
};

static krait_status s5_read_flags(kr_loading *loading, s5_sizes *s)
{
    static const char *const discretizations[] = { "zoh", "bilinear", NULL };
    const kr_json           *c = loading->config;
    krait_status             status;

    if ((status = kr_field_choice(loading, c, "discretization", discretizations, 0, &s->bilinear)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "prenorm", 0, &s->flax.prenorm)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "clip_eigs", 0, &s->clip)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "conj_sym", 1, &s->conjugates)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "bidirectional", 0, &s->both)) != KRAIT_OK)
        return status;
    return kr_field_number(loading, c, "step_rescale", 1e-9, 1e9, 1, &s->rescale);
}

static krait_status s5_read(kr_loading *loading, s5_sizes *s)
{
    static const char *const activations[] = { "full_glu", "half_glu1", "half_glu2", "gelu", NULL };
    static const char *const norms[] = { "layer", "batch", NULL }, *const pools[] = { "mean", "last", NULL };
    static const char *const outputs[] = { "logits", "log_softmax", NULL };
    const kr_json *c = loading->config;
    kr_flax       *f = &s->flax;
    krait_status   status;

    f->norm = "norm";
    if ((status = kr_field_count(loading, c, "d_input", 1, 1 << 22, -1, &f->input)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "d_model", 1, 1 << 20, -1, &f->width)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "ssm_size", 1, 65536, -1, &f->states)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "n_layers", 1, 4096, -1, &f->layers)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "n_classes", 1, 1 << 22, -1, &f->outputs)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "activation", activations, KR_FLAX_GELU, &f->activation)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "norm", norms, 0, &f->batch)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "pooling", pools, KR_FLAX_MEAN, &f->pool)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "output", outputs, 1, &f->log_softmax)) != KRAIT_OK ||
        (status = s5_read_flags(loading, s)) != KRAIT_OK)
        return status;
    if (s->conjugates && f->states % 2)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: 'ssm_size' must be even with 'conj_sym'",
                       loading->what);
    f->states /= s->conjugates ? 2 : 1;
    return kr_flax_inputs(loading, f);
}

/* ---- the layer ------------------------------------------------------------------------------------ */

/* One direction up to its weights; the first C has D beside it. */
static void s5_write_options(kr_writer *w, const s5_sizes *s, const char *name)
{
    kr_write(w, "{'s5':{'name':'");
    kr_write(w, name);
    kr_write(w, "','states':$P");
    kr_write(w, s->bilinear ? ",'discretization':'bilinear'" : "");
    kr_write(w, s->conjugates ? "" : ",'conj_sym':false");
    kr_write(w, s->clip ? ",'clip_eigs':true" : "");
    if (s->rescale < 1 || s->rescale > 1) {
        kr_write(w, ",'step_rescale':");
        kr_write_number(w, s->rescale);
    }
}

/* Both directions have all but C and D in common; C is two, or one with columns for both. */
static void s5_write_layer(kr_writer *w, const s5_sizes *s, int one_c)
{
    if (!s->both) {
        s5_write_options(w, s, "seq");
        kr_write(w, ",'path':'@.seq','weights':{'D':'@.seq.D'}}}");
        return;
    }
    kr_write(w, "{'branches':[");
    s5_write_options(w, s, "seq");
    kr_write(w, one_c ? ",'half':'first','path':'@.seq','weights':{'D':'@.seq.D'}}},{'reverse':"
                      : ",'path':'@.seq','weights':{'C':'@.seq.C1','D':'@.seq.D'}}},{'reverse':");
    s5_write_options(w, s, "seq_reverse");
    kr_write(w, one_c ? ",'half':'second','weights':{'C':'@.seq.C'," : ",'weights':{'C':'@.seq.C2',");
    kr_write(w, "'Lambda_re':'@.seq.Lambda_re','Lambda_im':'@.seq.Lambda_im','B':'@.seq.B',"
                "'log_step':'@.seq.log_step'}}}}]}");
}

static krait_status s5_from_config(kr_loading *loading, kr_writer *w)
{
    s5_sizes     s = { 0 };
    kr_writer    layer;
    krait_status status = s5_read(loading, &s);

    if (status != KRAIT_OK)
        return status;
    kr_field_warn_rest(loading, s5_used, s5_harmless);
    kr_writer_start(&layer, &loading->arena);
    s5_write_layer(&layer, &s, kr_package_find(&loading->package, "encoder.layers_0.seq.C") != NULL);
    if (layer.broken)
        return kr_fail_memory(loading->message);
    kr_flax_tree(w, &s.flax, layer.text);
    return KRAIT_OK;
}

extern const kr_arch kr_arch_s5;
const kr_arch kr_arch_s5 = {
    "s5", NULL, s5_from_config, NULL, NULL, NULL,
};
