/*
 * arch_mamba2.c - Mamba-2 language models: Hugging Face's Mamba2ForCausalLM (config.json of model_type
 * "mamba2") and GGUF's architecture "mamba2".
 */
#include <string.h>

#include "model/mamba.h"

/* ---- config.json ---------------------------------------------------------------------- */

static const char *const mamba2_used[] = {
    "model_type", "hidden_size", "num_hidden_layers", "state_size", "conv_kernel", "expand", "intermediate_size",
    "num_heads", "head_dim", "n_groups", "layer_norm_epsilon", "hidden_act", "vocab_size", "tie_word_embeddings",
    "use_bias", "use_conv_bias", "eos_token_id", "time_step_limit", "rms_norm", "norm_before_gate",
    "transformers_version", "quantization", "quantization_config", NULL
};

/* What only training, generation, other frameworks or the saving program look at. */
static const char *const mamba2_harmless[] = {
    "architectures", "bos_token_id", "pad_token_id", "initializer_range", "rescale_prenorm_residual",
    "residual_in_fp32", "time_step_floor", "time_step_max", "time_step_min", "time_step_rank", "torch_dtype", "dtype",
    "use_cache", "chunk_size", "_name_or_path", "name_or_path", "layer_types", "fused_add_norm", "return_dict",
    "output_attentions", "output_hidden_states", "chunk_size_feed_forward", "is_encoder_decoder", "id2label", "label2id",
    "problem_type", "max_position_embeddings", "tokenizer_class", "pad_vocab_size_multiple", "tie_embeddings", NULL
};

static krait_status mamba2_config_refuse(kr_loading *loading)
{
    const kr_json *act = kr_json_get(loading->config, "hidden_act");
    int            rms;
    krait_status   status = kr_field_flag(loading, loading->config, "rms_norm", &rms);

    if (status != KRAIT_OK)
        return status;
    if (act && !kr_json_is(act, "silu") && !kr_json_is(act, "swish"))
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: 'hidden_act' other than silu", loading->what);
    if (rms == 0)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: 'rms_norm' is false", loading->what);
    return kr_mamba_refuse_quantised(loading);
}

/* num_heads * head_dim, which is the whole part of expand * hidden_size. */
static krait_status mamba2_config_heads(kr_loading *loading, kr_mamba *m)
{
    const kr_json *c = loading->config;
    double         expand;
    size_t         heads, width, inner;
    krait_status   status;

    if ((status = kr_field_count(loading, c, "num_heads", 1, 65536, -1, &heads)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "head_dim", 1, 16384, 64, &width)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "n_groups", 1, 65536, 8, &m->second.groups)) != KRAIT_OK ||
        (status = kr_field_number(loading, c, "expand", 0.001, 1024, 2, &expand)) != KRAIT_OK)
        return status;
    m->inner = heads * width;
    inner = (size_t)(expand * (double)m->width);
    status = kr_field_count(loading, c, "intermediate_size", 1, (int64_t)KR_MOST_WIDTH, (int64_t)inner, &inner);
    if (status == KRAIT_OK && inner != m->inner)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT,
                       "%.100s: 'num_heads' * 'head_dim' is %zu, but 'expand' * 'hidden_size' %zu", loading->what, m->inner,
                       inner);
    return status == KRAIT_OK ? kr_mamba2_heads(loading, m, width) : status;
}

/* Is the version below major.minor? */
static int mamba2_before(const kr_json *version, unsigned major, unsigned minor)
{
    unsigned    numbers[2] = { 0, 0 };
    const char *at = version && version->kind == KR_JSON_TEXT ? version->text : "";

    for (int i = 0; i < 2; i++, at += *at == '.') {
        if (*at < '0' || *at > '9')
            return 0;
        for (; *at >= '0' && *at <= '9' && numbers[i] < 1000; at++)
            numbers[i] = 10 * numbers[i] + (unsigned)(*at - '0');
    }
    return numbers[0] < major || (numbers[0] == major && numbers[1] < minor);
}

/*
 * Over which channels the norm behind the scan goes.  transformers took all of them up to 5.22, and each group's since,
 * as the original does; whoever carries the original's fields was trained there.
 */
static void mamba2_config_norm(kr_loading *loading, kr_mamba *m)
{
    const kr_json            *c = loading->config;
    const krait_open_options *options = loading->options;
    int whole = mamba2_before(kr_json_get(c, "transformers_version"), 5, 23) && !kr_json_get(c, "rms_norm") &&
                !kr_json_get(c, "norm_before_gate");

    m->second.eps = m->eps;
    m->second.norm_size = whole ? m->inner : m->inner / m->second.groups;
    if (m->second.groups > 1 && options->warn) {
        krait_message line;

        kr_fail(&line, KRAIT_OK, "%.100s: 'n_groups' is %zu: norms behind the scan go over %s", loading->what,
                m->second.groups, whole ? "all channels, as in transformers before 5.23" : "the channels of each group");
        options->warn(options->warn_user, line.text);
    }
}

static krait_status mamba2_config_sizes(kr_loading *loading, kr_mamba *m)
{
    const kr_json *c = loading->config;
    int            tied;
    krait_status   status;

    if ((status = mamba2_config_refuse(loading)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "hidden_size", 1, 1 << 20, -1, &m->width)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "num_hidden_layers", 1, 4096, -1, &m->layers)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "vocab_size", 1, 1 << 22, -1, &m->vocabulary)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "state_size", 1, 65536, 128, &m->states)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "conv_kernel", 1, 4096, 4, &m->taps)) != KRAIT_OK ||
        (status = kr_field_number(loading, c, "layer_norm_epsilon", 0, 1, 1e-5, &m->eps)) != KRAIT_OK ||
        (status = kr_field_flag(loading, c, "tie_word_embeddings", &tied)) != KRAIT_OK ||
        (status = mamba2_config_heads(loading, m)) != KRAIT_OK ||
        (status = kr_mamba2_limits(loading, c, "time_step_limit", &m->second)) != KRAIT_OK ||
        (status = kr_mamba_is_bytes(loading, m->vocabulary, &m->bytes)) != KRAIT_OK ||
        (status = kr_mamba_check_flag(loading, c, "use_bias", -1, "backbone.layers.0.mixer.in_proj.bias")) != KRAIT_OK ||
        (status = kr_mamba_check_flag(loading, c, "use_conv_bias", -1, "backbone.layers.0.mixer.conv1d.bias")) != KRAIT_OK ||
        (status = kr_mamba_check_biases(loading, m)) != KRAIT_OK)
        return status;
    m->untied = tied == 0 || (tied < 0 && kr_package_find(m->package, "lm_head.weight"));
    m->end_token = kr_mamba_end(c, m->vocabulary);
    mamba2_config_norm(loading, m);
    return KRAIT_OK;
}

static krait_status mamba2_from_hugging(kr_loading *loading, kr_writer *description)
{
    kr_mamba     m = { .norm_eps = -1, .package = &loading->package };
    krait_status status = mamba2_config_sizes(loading, &m);

    if (status != KRAIT_OK)
        return status;
    kr_mamba2_arch(loading, &m);
    kr_field_warn_rest(loading, mamba2_used, mamba2_harmless);
    kr_mamba_tree(description, &m);
    return KRAIT_OK;
}

/* ---- GGUF ------------------------------------------------------------------------------- */

static krait_status mamba2_gguf_sizes(kr_loading *loading, kr_mamba *m, size_t *heads)
{
    const kr_json *from = loading->package.metadata;
    krait_status   status;

    if ((status = kr_field_count(loading, from, "mamba2.embedding_length", 1, 1 << 20, -1, &m->width)) != KRAIT_OK ||
        (status = kr_field_count(loading, from, "mamba2.block_count", 1, 4096, -1, &m->layers)) != KRAIT_OK ||
        (status = kr_field_count(loading, from, "mamba2.ssm.inner_size", 1, (int64_t)KR_MOST_WIDTH, -1, &m->inner)) != KRAIT_OK ||
        (status = kr_field_count(loading, from, "mamba2.ssm.state_size", 1, 65536, -1, &m->states)) != KRAIT_OK ||
        (status = kr_field_count(loading, from, "mamba2.ssm.conv_kernel", 1, 4096, -1, &m->taps)) != KRAIT_OK ||
        (status = kr_field_count(loading, from, "mamba2.ssm.time_step_rank", 1, 65536, -1, heads)) != KRAIT_OK ||
        (status = kr_field_count(loading, from, "mamba2.ssm.group_count", 1, 65536, 1, &m->second.groups)) != KRAIT_OK ||
        (status = kr_field_number(loading, from, "mamba2.attention.layer_norm_rms_epsilon", 0, 1, -1, &m->eps)) != KRAIT_OK)
        return status;
    m->second.eps = m->eps;
    if (*heads > m->inner || m->inner % *heads != 0 || m->inner / *heads > 16384)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT,
                       "%.100s: 'mamba2.ssm.inner_size' %zu is no whole number of %zu heads", loading->what, m->inner,
                       *heads);
    return kr_mamba2_heads(loading, m, m->inner / *heads);
}

static krait_status mamba2_from_gguf(kr_loading *loading, kr_writer *description)
{
    const kr_json   *from = loading->package.metadata;
    const kr_source *table = kr_package_find(&loading->package, kr_mamba_table(KR_MAMBA_GGUF));
    kr_mamba         m = { .norm_eps = -1, .names = KR_MAMBA_GGUF, .package = &loading->package };
    size_t           end, heads;
    krait_status     status;

    if ((status = mamba2_gguf_sizes(loading, &m, &heads)) != KRAIT_OK ||
        (status = kr_field_count(loading, from, "tokenizer.ggml.eos_token_id", 0, UINT32_MAX, UINT32_MAX, &end)) != KRAIT_OK ||
        (status = kr_mamba_check_biases(loading, &m)) != KRAIT_OK)
        return status;
    if (!table || table->dimensions != 2 || table->shape[0] > 1 << 22)
        return kr_fail(loading->message, KRAIT_ERR_SHAPE, "%.100s: token_embd.weight is no table of tokens", loading->what);
    m.second.norm_size = m.inner / m.second.groups;
    m.vocabulary = (size_t)table->shape[0];
    m.untied = kr_package_find(&loading->package, "output.weight") != NULL;
    m.bytes = m.vocabulary == 256 && !kr_json_get(from, "tokenizer.ggml.tokens") &&
              kr_json_is(kr_json_get(from, "krait.vocabulary"), "bytes");
    m.end_token = end < m.vocabulary ? (int64_t)end : -1;
    kr_mamba_tree(description, &m);
    return KRAIT_OK;
}

static uint32_t mamba2_size(const kr_json *options, const char *name)
{
    const kr_json *value = kr_json_get(options, name);

    return value && value->flag ? (uint32_t)value->integer : 0;
}

/* 'description' is what kr_mamba_tree() wrote of a model that kr_mamba2_arch() found usual: its places are known. */
static void mamba2_gguf_keys(const kr_json *description, kr_gguf_writer *w)
{
    const kr_json *first = kr_json_get(kr_json_get(description, "tree"), "sequence")->first;
    const kr_json *repeat = kr_json_get(first->next, "repeat");
    const kr_json *norm = kr_json_get(kr_json_get(kr_json_get(repeat, "of"), "residual"), "sequence")->first;
    const kr_json *mixer = kr_json_get(norm->next, "mamba2"), *eps = kr_json_get(kr_json_get(norm, "rms_norm"), "eps");

    kr_gguf_u32(w, "mamba2.context_length", 1u << 20);
    kr_gguf_u32(w, "mamba2.embedding_length", mamba2_size(kr_json_get(first, "embed"), "width"));
    kr_gguf_u32(w, "mamba2.feed_forward_length", 0);
    kr_gguf_u32(w, "mamba2.attention.head_count", 0);
    kr_gguf_u32(w, "mamba2.block_count", mamba2_size(repeat, "n"));
    kr_gguf_u32(w, "mamba2.ssm.conv_kernel", mamba2_size(mixer, "taps"));
    kr_gguf_u32(w, "mamba2.ssm.inner_size", mamba2_size(mixer, "heads") * mamba2_size(mixer, "head_dim"));
    kr_gguf_u32(w, "mamba2.ssm.state_size", mamba2_size(mixer, "states"));
    kr_gguf_u32(w, "mamba2.ssm.time_step_rank", mamba2_size(mixer, "heads"));
    kr_gguf_u32(w, "mamba2.ssm.group_count", mamba2_size(mixer, "groups"));
    kr_gguf_f32(w, "mamba2.attention.layer_norm_rms_epsilon", (float)eps->number);
    kr_gguf_u32(w, "mamba2.vocab_size", mamba2_size(kr_json_get(description, "input"), "tokens"));
}

const kr_arch kr_arch_mamba2 = {
    "mamba2", "mamba2", mamba2_from_hugging, mamba2_from_gguf, mamba2_gguf_keys, kr_mamba_gguf_name,
};
