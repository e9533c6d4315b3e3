/*
 * arch_mamba.c - Mamba-1 language models: Hugging Face's MambaForCausalLM (config.json of
 * model_type "mamba") and GGUF's architecture "mamba".
 */
#include <string.h>

#include "model/mamba.h"

/* ---- config.json ---------------------------------------------------------------------- */

/* The first is Falcon-Mamba's alone. */
static const char *const mamba_used[] = {
    "mixer_rms_eps", "model_type", "hidden_size", "num_hidden_layers", "state_size", "conv_kernel", "expand",
    "intermediate_size", "time_step_rank", "layer_norm_epsilon", "hidden_act", "vocab_size",
    "tie_word_embeddings", "use_bias", "use_conv_bias", "eos_token_id", "quantization",
    "quantization_config", NULL
};

/* What only training, generation, other frameworks or the saving program look at. */
static const char *const mamba_harmless[] = {
    "architectures", "bos_token_id", "pad_token_id", "initializer_range", "rescale_prenorm_residual",
    "residual_in_fp32", "time_step_floor", "time_step_init_scheme", "time_step_max", "time_step_min",
    "time_step_scale", "transformers_version", "torch_dtype", "dtype", "use_cache", "use_mambapy",
    "use_associative_scan", "_name_or_path", "d_inner", "d_model", "n_layer", "ssm_cfg", "rms_norm",
    "fused_add_norm", "pad_vocab_size_multiple", "return_dict", "output_attentions",
    "output_hidden_states", "chunk_size_feed_forward", "is_encoder_decoder", "id2label", "label2id",
    "use_falcon_mambapy", "layer_types", "problem_type", "name_or_path", "max_position_embeddings", "tokenizer_class", NULL
};

/* inner: intermediate_size if it is there, else the whole part of expand * hidden_size. */
static krait_status mamba_config_inner(kr_loading *loading, kr_mamba *s)
{
    double       expand;
    krait_status status = kr_field_number(loading, loading->config, "expand", 0.001, 1024, 2, &expand);

    if (status != KRAIT_OK)
        return status;
    s->inner = (size_t)(expand * (double)s->width);
    status = kr_field_count(loading, loading->config, "intermediate_size", 1, (int64_t)KR_MOST_WIDTH,
                            (int64_t)s->inner, &s->inner);
    if (status == KRAIT_OK && s->inner == 0)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: 'expand' leaves no channels",
                       loading->what);
    return status;
}

/* "auto" or absent: a sixteenth of the width, rounded up. */
static krait_status mamba_config_rank(kr_loading *loading, kr_mamba *s)
{
    size_t automatic = (s->width + 15) / 16;

    s->rank = automatic;
    if (kr_json_is(kr_json_get(loading->config, "time_step_rank"), "auto"))
        return KRAIT_OK;
    return kr_field_count(loading, loading->config, "time_step_rank", 1, (int64_t)KR_MOST_WIDTH,
                          (int64_t)automatic, &s->rank);
}

krait_status kr_mamba_check_flag(kr_loading *loading, const kr_json *from, const char *field, int fallback,
                                 const char *tensor)
{
    int          said, there = kr_package_find(&loading->package, tensor) != NULL;
    krait_status status = kr_field_flag(loading, from, field, &said);

    if (said < 0)
        said = fallback;
    if (status == KRAIT_OK && said >= 0 && said != there)
        return kr_fail(loading->message, KRAIT_ERR_SHAPE, "%.100s: '%s' is %s, but tensor %s is %s",
                       loading->what, field, said ? "true" : "false", tensor,
                       there ? "there" : "missing");
    return status;
}

krait_status kr_mamba_refuse_quantised(kr_loading *loading)
{
    if (kr_json_get(loading->config, "quantization") ||
        kr_json_get(loading->config, "quantization_config"))
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED,
                       "%.100s: quantised by another framework; use the original weights",
                       loading->what);
    return KRAIT_OK;
}

static krait_status mamba_config_refuse(kr_loading *loading)
{
    const kr_json *act = kr_json_get(loading->config, "hidden_act");

    if (act && !kr_json_is(act, "silu") && !kr_json_is(act, "swish"))
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: 'hidden_act' other than silu",
                       loading->what);
    return kr_mamba_refuse_quantised(loading);
}

krait_status kr_mamba_is_bytes(kr_loading *loading, size_t vocabulary, int *bytes)
{
    static const char *const files[] = { "tokenizer.json", "tokenizer.model", "vocab.json", NULL };

    *bytes = vocabulary == 256;
    for (size_t i = 0; *bytes && loading->folder && files[i]; i++) {
        kr_writer path;

        kr_writer_start(&path, &loading->arena);
        kr_write(&path, loading->folder);
        kr_write(&path, files[i]);
        if (path.broken)
            return kr_fail_memory(loading->message);
        *bytes = kr_file_is_folder(path.text) < 0;
    }
    return KRAIT_OK;
}

int64_t kr_mamba_end(const kr_json *config, size_t vocabulary)
{
    const kr_json *end = kr_json_get(config, "eos_token_id");

    if (end && end->kind == KR_JSON_ARRAY)
        end = end->first;
    return end && end->kind == KR_JSON_NUMBER && end->flag && end->integer >= 0 &&
           end->integer < (int64_t)vocabulary ? end->integer : -1;
}

static krait_status mamba_config_sizes(kr_loading *loading, kr_mamba *s)
{
    const kr_json *c = loading->config;
    int            tied = 1;
    krait_status   status;

    if ((status = mamba_config_refuse(loading)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "hidden_size", 1, 1 << 20, -1, &s->width)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "num_hidden_layers", 1, 4096, -1, &s->layers)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "vocab_size", 1, 1 << 22, -1, &s->vocabulary)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "state_size", 1, 65536, 16, &s->states)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "conv_kernel", 1, 4096, 4, &s->taps)) != KRAIT_OK ||
        (status = kr_field_number(loading, c, "layer_norm_epsilon", 0, 1, 1e-5, &s->eps)) != KRAIT_OK ||
        (status = kr_field_flag(loading, c, "tie_word_embeddings", &tied)) != KRAIT_OK ||
        (status = mamba_config_inner(loading, s)) != KRAIT_OK ||
        (status = mamba_config_rank(loading, s)) != KRAIT_OK ||
        (status = kr_mamba_is_bytes(loading, s->vocabulary, &s->bytes)) != KRAIT_OK ||
        (status = kr_mamba_check_flag(loading, c, "use_bias", -1, "backbone.layers.0.mixer.in_proj.bias")) != KRAIT_OK ||
        (status = kr_mamba_check_flag(loading, c, "use_conv_bias", -1, "backbone.layers.0.mixer.conv1d.bias")) != KRAIT_OK ||
        (status = kr_mamba_check_biases(loading, s)) != KRAIT_OK)
        return status;
    s->untied = tied == 0;
    s->end_token = kr_mamba_end(c, s->vocabulary);
    return KRAIT_OK;
}

/* A file that names a table as the original does is the original's, whatever else its config carries. */
krait_status kr_mamba_from_hugging(kr_loading *loading, kr_writer *description)
{
    kr_mamba     s = { .norm_eps = -1, .package = &loading->package };
    krait_status status;

    if (kr_package_find(s.package, kr_mamba_table(KR_MAMBA_ORIGINAL)) &&
        !kr_package_find(s.package, kr_mamba_table(KR_MAMBA_HUGGING)))
        return kr_mamba_from_original(loading, description);
    status = mamba_config_sizes(loading, &s);
    if (status != KRAIT_OK)
        return status;
    kr_field_warn_rest(loading, mamba_used + 1, mamba_harmless);
    kr_mamba_tree(description, &s);
    return KRAIT_OK;
}

/* The same with norms of dt's part, B and C, which have no weights. */
krait_status kr_mamba_from_falcon(kr_loading *loading, kr_writer *description)
{
    kr_mamba     s = { .package = &loading->package };
    krait_status status = kr_field_number(loading, loading->config, "mixer_rms_eps", 0, 1, 1e-6, &s.norm_eps);

    if (status != KRAIT_OK || (status = mamba_config_sizes(loading, &s)) != KRAIT_OK)
        return status;
    kr_field_warn_rest(loading, mamba_used, mamba_harmless);
    kr_mamba_tree(description, &s);
    return KRAIT_OK;
}

/* ---- GGUF ------------------------------------------------------------------------------- */

krait_status kr_mamba_from_gguf(kr_loading *loading, kr_writer *description)
{
    const kr_json   *m = loading->package.metadata;
    const kr_source *table = kr_package_find(&loading->package, kr_mamba_table(KR_MAMBA_GGUF));
    kr_mamba         s = { .names = KR_MAMBA_GGUF, .package = &loading->package };
    size_t           end;
    int              normed;
    krait_status     status;

    if ((status = kr_field_count(loading, m, "mamba.embedding_length", 1, 1 << 20, -1, &s.width)) != KRAIT_OK ||
        (status = kr_field_count(loading, m, "mamba.block_count", 1, 4096, -1, &s.layers)) != KRAIT_OK ||
        (status = kr_field_count(loading, m, "mamba.ssm.inner_size", 1, (int64_t)KR_MOST_WIDTH, -1, &s.inner)) != KRAIT_OK ||
        (status = kr_field_count(loading, m, "mamba.ssm.state_size", 1, 65536, -1, &s.states)) != KRAIT_OK ||
        (status = kr_field_count(loading, m, "mamba.ssm.conv_kernel", 1, 4096, -1, &s.taps)) != KRAIT_OK ||
        (status = kr_field_count(loading, m, "mamba.ssm.time_step_rank", 1, (int64_t)KR_MOST_WIDTH, -1, &s.rank)) != KRAIT_OK ||
        (status = kr_field_number(loading, m, "mamba.attention.layer_norm_rms_epsilon", 0, 1, -1, &s.eps)) != KRAIT_OK ||
        (status = kr_field_flag(loading, m, "mamba.ssm.dt_b_c_rms", &normed)) != KRAIT_OK ||
        (status = kr_field_count(loading, m, "tokenizer.ggml.eos_token_id", 0, UINT32_MAX, UINT32_MAX, &end)) != KRAIT_OK)
        return status;
    /* Whoever writes only the flag means the one epsilon of the file, as llama.cpp does. */
    s.norm_eps = -1;
    if (normed == 1)
        status = kr_field_number(loading, m, "krait.ssm.dt_b_c_rms_epsilon", 0, 1, s.eps, &s.norm_eps);
    if (status != KRAIT_OK || (status = kr_mamba_check_biases(loading, &s)) != KRAIT_OK)
        return status;
    if (!table || table->dimensions != 2 || table->shape[0] > 1 << 22)
        return kr_fail(loading->message, KRAIT_ERR_SHAPE, "%.100s: token_embd.weight is no table of tokens",
                       loading->what);
    s.vocabulary = (size_t)table->shape[0];
    s.untied = kr_package_find(&loading->package, "output.weight") != NULL;
    s.bytes = s.vocabulary == 256 && !kr_json_get(m, "tokenizer.ggml.tokens") &&
              kr_json_is(kr_json_get(m, "krait.vocabulary"), "bytes");
    s.end_token = end < s.vocabulary ? (int64_t)end : -1;
    kr_mamba_tree(description, &s);
    return KRAIT_OK;
}

extern const kr_arch kr_arch_mamba;
const kr_arch kr_arch_mamba = {
    "mamba", "mamba", kr_mamba_from_hugging, kr_mamba_from_gguf, kr_mamba_gguf_keys, kr_mamba_gguf_name,
};
