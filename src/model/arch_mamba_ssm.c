/*
 * arch_mamba_ssm.c - checkpoints as state-spaces/mamba writes them (mamba_ssm/models/config_mamba.py and
 * mixer_seq_simple.py): config.json without a model_type.  Files that also carry Hugging Face's
 * fields are read by them where the original's are absent.
 */
#include <string.h>

#include "model/mamba.h"

enum { SSM_HIDDEN_STEP = 128 };         /* the width of the MLP is rounded up to a multiple of it */

static const char *const ssm_used[] = {
    "d_model", "n_layer", "vocab_size", "ssm_cfg", "rms_norm", "pad_vocab_size_multiple", "tie_embeddings",
    "d_intermediate", "attn_layer_idx", "norm_epsilon", "hidden_size", "num_hidden_layers", "state_size",
    "conv_kernel", "expand", "intermediate_size", "time_step_rank", "layer_norm_epsilon",
    "tie_word_embeddings", "eos_token_id", "quantization", "quantization_config", "model_type", NULL
};

static const char *const ssm_harmless[] = {
    "residual_in_fp32", "fused_add_norm", "attn_cfg", "initializer_cfg", "initializer_range", "architectures",
    "bos_token_id", "pad_token_id", "torch_dtype", "dtype", "transformers_version", "use_cache",
    "_name_or_path", "use_bias", "use_conv_bias", "hidden_act", "rescale_prenorm_residual", "time_step_min",
    "time_step_max", "time_step_floor", "time_step_scale", "time_step_init_scheme", NULL
};

/* Of ssm_cfg; what only starts training does not matter. */
static const char *const ssm_cfg_used[] = {
    "layer", "d_state", "d_conv", "expand", "dt_rank", "bias", "conv_bias", "dt_min", "dt_max", "dt_init",
    "dt_scale", "dt_init_floor", "use_fast_path", "device", "dtype", NULL
};

/* 'name' of 'from' if it is there, else Hugging Face's of config.json. */
static krait_status ssm_count(kr_loading *loading, const kr_json *from, const char *name, const char *hugging,
                              int64_t high, int64_t fallback, size_t *value)
{
    if (kr_json_get(from, name))
        return kr_field_count(loading, from, name, 1, high, fallback, value);
    return kr_field_count(loading, loading->config, hugging, 1, high, fallback, value);
}

static krait_status ssm_refuse(kr_loading *loading, const kr_json *cfg)
{
    const kr_json *attention = kr_json_get(loading->config, "attn_layer_idx"), *layer = kr_json_get(cfg, "layer");
    int            second = kr_json_is(layer, "Mamba2");

    if (attention && attention->kind == KR_JSON_ARRAY && attention->count > 0)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED,
                       "%.100s: 'attn_layer_idx' names layers of attention, which are not built yet", loading->what);
    if (layer && !second && !kr_json_is(layer, "Mamba1"))
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED,
                       "%.100s: 'layer' of 'ssm_cfg' is '%.32s'; only Mamba1 and Mamba2 are built", loading->what,
                       layer->kind == KR_JSON_TEXT ? layer->text : "no text");
    for (const kr_json *field = cfg && !second ? cfg->first : NULL; field; field = field->next) {
        size_t i = 0;

        while (ssm_cfg_used[i] && strcmp(ssm_cfg_used[i], field->key) != 0)
            i++;
        if (!ssm_cfg_used[i])
            return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: 'ssm_cfg' has the unknown field '%.64s'",
                           loading->what, field->key);
    }
    return kr_mamba_refuse_quantised(loading);
}

/* The whole part of expand * d_model. */
static krait_status ssm_inner(kr_loading *loading, const kr_json *cfg, kr_mamba *m)
{
    const kr_json *from = kr_json_get(cfg, "expand") ? cfg : loading->config;
    double         expand;
    krait_status   status = kr_field_number(loading, from, "expand", 0.001, 1024, 2, &expand);

    if (status != KRAIT_OK)
        return status;
    m->inner = (size_t)(expand * (double)m->width);
    if (!kr_json_get(cfg, "expand"))
        status = kr_field_count(loading, loading->config, "intermediate_size", 1, (int64_t)KR_MOST_WIDTH,
                                (int64_t)m->inner, &m->inner);
    if (status == KRAIT_OK && m->inner == 0)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: 'expand' leaves no channels", loading->what);
    return status;
}

/* "auto" or absent: a sixteenth of the width, rounded up. */
static krait_status ssm_rank(kr_loading *loading, const kr_json *cfg, kr_mamba *m)
{
    const char *name = kr_json_get(cfg, "dt_rank") ? "dt_rank" : "time_step_rank";
    const kr_json *from = kr_json_get(cfg, "dt_rank") ? cfg : loading->config;

    m->rank = (m->width + 15) / 16;
    if (kr_json_is(kr_json_get(from, name), "auto"))
        return KRAIT_OK;
    return kr_field_count(loading, from, name, 1, (int64_t)KR_MOST_WIDTH, (int64_t)m->rank, &m->rank);
}

/* Up to the multiple that the table of tokens was padded to. */
static krait_status ssm_vocabulary(kr_loading *loading, kr_mamba *m)
{
    size_t       multiple;
    krait_status status = kr_field_count(loading, loading->config, "pad_vocab_size_multiple", 1, 1 << 20, 8, &multiple);

    if (status == KRAIT_OK)
        status = kr_field_count(loading, loading->config, "vocab_size", 1, 1 << 22, 50277, &m->vocabulary);
    if (status == KRAIT_OK)
        status = kr_mamba_is_bytes(loading, m->vocabulary, &m->bytes);
    if (status == KRAIT_OK)
        m->vocabulary = (m->vocabulary + multiple - 1) / multiple * multiple;
    return status;
}

/* Biases are there as the flags say, the original's or Hugging Face's, or their defaults. */
static krait_status ssm_biases(kr_loading *loading, const kr_json *cfg, const kr_mamba *m)
{
    const kr_json *c = loading->config;
    int            bias = kr_json_get(cfg, "bias") != NULL, also = kr_json_get(cfg, "conv_bias") != NULL;
    krait_status   status = kr_mamba_check_flag(loading, bias ? cfg : c, bias ? "bias" : "use_bias", 0,
                                                "backbone.layers.0.mixer.in_proj.bias");

    if (status == KRAIT_OK)
        status = kr_mamba_check_flag(loading, also ? cfg : c, also ? "conv_bias" : "use_conv_bias", 1,
                                     "backbone.layers.0.mixer.conv1d.bias");
    return status == KRAIT_OK ? kr_mamba_check_biases(loading, m) : status;
}

/* Either flag; absent: tied.  Weights that are tied may be in the file twice. */
static krait_status ssm_tied(kr_loading *loading, kr_mamba *m)
{
    int          tied;
    krait_status status = kr_field_flag(loading, loading->config, "tie_embeddings", &tied);

    if (status == KRAIT_OK && tied < 0)
        status = kr_field_flag(loading, loading->config, "tie_word_embeddings", &tied);
    m->untied = tied == 0;
    return status;
}

/* RMSNorm unless rms_norm is false; biases of norms must agree. */
static krait_status ssm_norms(kr_loading *loading, kr_mamba *m)
{
    int          rms, biased = kr_package_find(&loading->package, "backbone.norm_f.bias") != NULL;
    krait_status status = kr_field_flag(loading, loading->config, "rms_norm", &rms);

    m->layer_norm = rms == 0;
    if (status == KRAIT_OK && m->layer_norm != biased)
        return kr_fail(loading->message, KRAIT_ERR_SHAPE,
                       "%.100s: 'rms_norm' is %s, but tensor backbone.norm_f.bias is %s", loading->what,
                       m->layer_norm ? "false" : "true or absent", biased ? "there" : "missing");
    return status;
}

static krait_status ssm_sizes(kr_loading *loading, kr_mamba *m)
{
    const kr_json *c = loading->config, *cfg = kr_json_get(c, "ssm_cfg");
    const char    *eps = kr_json_get(c, "norm_epsilon") ? "norm_epsilon" : "layer_norm_epsilon";
    int            second = kr_json_is(kr_json_get(cfg, "layer"), "Mamba2");
    krait_status   status;

    if (cfg && cfg->kind != KR_JSON_OBJECT && cfg->kind != KR_JSON_NULL)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: 'ssm_cfg' must be an object", loading->what);
    if ((status = ssm_refuse(loading, cfg)) != KRAIT_OK ||
        (status = ssm_count(loading, c, "d_model", "hidden_size", 1 << 20, -1, &m->width)) != KRAIT_OK ||
        (status = ssm_count(loading, c, "n_layer", "num_hidden_layers", 4096, -1, &m->layers)) != KRAIT_OK ||
        (status = ssm_count(loading, cfg, "d_state", "state_size", 65536, second ? 128 : 16, &m->states)) != KRAIT_OK ||
        (status = ssm_count(loading, cfg, "d_conv", "conv_kernel", 4096, 4, &m->taps)) != KRAIT_OK ||
        (status = kr_field_number(loading, c, eps, 0, 1, 1e-5, &m->eps)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "d_intermediate", 0, (int64_t)KR_MOST_WIDTH / 2, 0, &m->hidden)) != KRAIT_OK ||
        (status = ssm_inner(loading, cfg, m)) != KRAIT_OK || (status = ssm_rank(loading, cfg, m)) != KRAIT_OK ||
        (status = ssm_vocabulary(loading, m)) != KRAIT_OK || (status = ssm_tied(loading, m)) != KRAIT_OK ||
        (status = ssm_norms(loading, m)) != KRAIT_OK)
        return status;
    m->hidden = (m->hidden + SSM_HIDDEN_STEP - 1) / SSM_HIDDEN_STEP * SSM_HIDDEN_STEP;
    m->end_token = kr_mamba_end(c, m->vocabulary);
    if (second && (status = kr_mamba2_from_cfg(loading, cfg, m)) != KRAIT_OK)
        return status;
    return ssm_biases(loading, cfg, m);
}

krait_status kr_mamba_from_original(kr_loading *loading, kr_writer *description)
{
    kr_mamba     m = { .norm_eps = -1, .names = KR_MAMBA_ORIGINAL, .package = &loading->package };
    krait_status status = ssm_sizes(loading, &m);

    if (status != KRAIT_OK)
        return status;
    if (m.second.heads > 0)
        kr_mamba2_arch(loading, &m);
    else if (m.hidden || m.layer_norm)
        loading->model->arch = NULL;    /* GGUF's mamba has no place for these: krait's own tree */
    kr_field_warn_rest(loading, ssm_used, ssm_harmless);
    kr_mamba_tree(description, &m);
    return KRAIT_OK;
}

extern const kr_arch kr_arch_mamba_ssm;
const kr_arch kr_arch_mamba_ssm = {
    NULL, "mamba", kr_mamba_from_original, kr_mamba_from_gguf, kr_mamba_gguf_keys, kr_mamba_gguf_name,
};
