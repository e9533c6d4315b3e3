/*
 * arch_lru.c - classifiers of Linear Recurrent Units (Orvieto et al., arXiv 2303.06349): config.json of model_type
 * "lru" with the arguments of ClassificationModel in NicolasZucchet/minimal-LRU, lru/model.py, and flax's parameters
 * under their paths joined with dots.
 *
 * d_input, output, input_mean and input_std are of this form of config.json.
 */
#include "model/flax.h"

static const char *const lru_used[] = {
    "model_type", "d_input", "d_model", "d_hidden", "n_layers", "d_output", "multidim", "norm", "prenorm", "pooling",
    "bidirectional", "output", "input_mean", "input_std", NULL
};

/* How lambda was begun with; the rest tells of training. */
static const char *const lru_harmless[] = {
    "source", "r_min", "r_max", "max_phase", "dropout", "classes", "test_accuracy", NULL
};

static krait_status lru_read(kr_loading *loading, kr_flax *f)
{
    static const char *const norms[] = { "layer", "batch", NULL }, *const pools[] = { "mean", "last", "none", NULL };
    static const char *const outputs[] = { "logits", "log_softmax", NULL };
    const kr_json *c = loading->config;
    size_t         groups;
    int            both;
    krait_status   status;

    if ((status = kr_field_count(loading, c, "d_input", 1, 1 << 22, -1, &f->input)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "d_model", 1, 1 << 20, -1, &f->width)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "d_hidden", 1, 65536, -1, &f->states)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "n_layers", 1, 4096, -1, &f->layers)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "d_output", 1, 1 << 20, -1, &f->outputs)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "multidim", 1, 4096, 1, &groups)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "norm", norms, 1, &f->batch)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "pooling", pools, KR_FLAX_MEAN, &f->pool)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "output", outputs, 1, &f->log_softmax)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "prenorm", 0, &f->prenorm)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "bidirectional", 0, &both)) != KRAIT_OK)
        return status;
    if (both)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: 'bidirectional' is not known of LRU",
                       loading->what);
    if (groups > 1 && f->log_softmax)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED,
                       "%.100s: 'multidim' above 1 is built with 'output' \"logits\" alone", loading->what);
    f->outputs *= groups;
    return kr_flax_inputs(loading, f);
}

static krait_status lru_from_config(kr_loading *loading, kr_writer *w)
{
    kr_flax      f = { .activation = KR_FLAX_FULL_GLU, .norm = "normalization" };
    krait_status status = lru_read(loading, &f);

    if (status != KRAIT_OK)
        return status;
    kr_field_warn_rest(loading, lru_used, lru_harmless);
    kr_flax_tree(w, &f, "{'lru':{'name':'seq','path':'@.seq','states':$P,'weights':{'D':'@.seq.D'}}}");
    return KRAIT_OK;
}

extern const kr_arch kr_arch_lru;
const kr_arch kr_arch_lru = {
    "lru", NULL, lru_from_config, NULL, NULL, NULL,
};
