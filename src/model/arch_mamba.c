/*
 * arch_mamba.c - Mamba-1 language models: Hugging Face's MambaForCausalLM (config.json of
 * model_type "mamba") and GGUF's architecture "mamba".
 */
#include "model/arch.h"

#include <string.h>

typedef struct mamba_sizes {
    size_t width, layers, inner, states, taps, rank, vocabulary;
    double eps;
    int    untied;              /* the head has a tensor of its own */
    int    bytes;               /* tokens are bytes */
    int64_t end_token;
    const kr_package *package;  /* which optional tensors there are */
} mamba_sizes;

/* Canonical name, Hugging Face's and GGUF's; {i} is the layer. */
typedef struct mamba_name { const char *canonical, *config, *gguf; } mamba_name;

static const mamba_name mamba_names[] = {
    { "embeddings.weight",             "backbone.embeddings.weight",                 "token_embd.weight" },
    { "layers.{i}.norm.weight",        "backbone.layers.{i}.norm.weight",            "blk.{i}.attn_norm.weight" },
    { "layers.{i}.mixer.in_proj.weight", "backbone.layers.{i}.mixer.in_proj.weight", "blk.{i}.ssm_in.weight" },
    { "layers.{i}.mixer.in_proj.bias", "backbone.layers.{i}.mixer.in_proj.bias",     "blk.{i}.ssm_in.bias" },
    { "layers.{i}.mixer.conv1d.weight", "backbone.layers.{i}.mixer.conv1d.weight",   "blk.{i}.ssm_conv1d.weight" },
    { "layers.{i}.mixer.conv1d.bias",  "backbone.layers.{i}.mixer.conv1d.bias",      "blk.{i}.ssm_conv1d.bias" },
    { "layers.{i}.mixer.x_proj.weight", "backbone.layers.{i}.mixer.x_proj.weight",   "blk.{i}.ssm_x.weight" },
    { "layers.{i}.mixer.dt_proj.weight", "backbone.layers.{i}.mixer.dt_proj.weight", "blk.{i}.ssm_dt.weight" },
    { "layers.{i}.mixer.dt_proj.bias", "backbone.layers.{i}.mixer.dt_proj.bias",     "blk.{i}.ssm_dt.bias" },
    { "layers.{i}.mixer.A",            "backbone.layers.{i}.mixer.A",                "blk.{i}.ssm_a" },
    { "layers.{i}.mixer.D",            "backbone.layers.{i}.mixer.D",                "blk.{i}.ssm_d" },
    { "layers.{i}.mixer.out_proj.weight", "backbone.layers.{i}.mixer.out_proj.weight", "blk.{i}.ssm_out.weight" },
    { "layers.{i}.mixer.out_proj.bias", "backbone.layers.{i}.mixer.out_proj.bias",   "blk.{i}.ssm_out.bias" },
    { "norm_f.weight",                 "backbone.norm_f.weight",                     "output_norm.weight" },
    { "lm_head.weight",                "lm_head.weight",                             "output.weight" },
};

/* Is there the tensor of that name, in layer 0 if it has one in each? */
static int mamba_there(const kr_package *package, const char *foreign)
{
    char        name[64];
    const char *hole = strstr(foreign, "{i}");
    size_t      length = hole ? (size_t)(hole - foreign) : strlen(foreign);

    memcpy(name, foreign, length);
    name[length] = '\0';
    if (hole) {
        name[length] = '0';
        strcpy(name + length + 1, hole + 3);
    }
    return kr_package_find(package, name) != NULL;
}

/* "weights": every slot of the layer 'path' under its foreign name, biases where there are any. */
static void mamba_write_weights(kr_writer *w, const mamba_sizes *s, const char *path, int gguf)
{
    size_t length = strlen(path), n = 0;

    kr_write(w, "\"weights\":{");
    for (size_t i = 0; i < sizeof mamba_names / sizeof *mamba_names; i++) {
        const mamba_name *name = &mamba_names[i];
        const char       *foreign = gguf ? name->gguf : name->config, *slot = name->canonical + length + 1;

        if (strncmp(name->canonical, path, length) != 0 || name->canonical[length] != '.' ||
            (strstr(slot, "bias") && !mamba_there(s->package, foreign)))
            continue;
        kr_write(w, n++ ? ",\"" : "\"");
        kr_write(w, slot);
        kr_write(w, "\":\"");
        kr_write(w, foreign);
        kr_write(w, "\"");
    }
    kr_write(w, "}");
}

static void mamba_write_count(kr_writer *w, const char *name, size_t value)
{
    kr_write(w, "\"");
    kr_write(w, name);
    kr_write(w, "\":");
    kr_write_unsigned(w, value);
    kr_write(w, ",");
}

static void mamba_write_norm(kr_writer *w, const mamba_sizes *s, const char *name, const char *path,
                             int gguf)
{
    kr_write(w, "{\"rms_norm\":{\"name\":\"");
    kr_write(w, name);
    kr_write(w, "\",\"eps\":");
    kr_write_number(w, s->eps);
    kr_write(w, ",");
    mamba_write_weights(w, s, path, gguf);
    kr_write(w, "}}");
}

static void mamba_write_mixer(kr_writer *w, const mamba_sizes *s, int gguf)
{
    kr_write(w, "{\"mamba1\":{\"name\":\"mixer\",");
    mamba_write_count(w, "inner", s->inner);
    mamba_write_count(w, "states", s->states);
    mamba_write_count(w, "taps", s->taps);
    mamba_write_count(w, "rank", s->rank);
    mamba_write_weights(w, s, "layers.{i}.mixer", gguf);
    kr_write(w, "}}");
}

static void mamba_write_head(kr_writer *w, const mamba_sizes *s, int gguf)
{
    kr_write(w, "{\"linear\":{\"name\":\"lm_head\",");
    mamba_write_count(w, "width", s->vocabulary);
    if (s->untied) {
        mamba_write_weights(w, s, "lm_head", gguf);
    } else {
        kr_write(w, "\"weights\":{\"weight\":\"");
        kr_write(w, gguf ? mamba_names[0].gguf : mamba_names[0].config);
        kr_write(w, "\"}");
    }
    kr_write(w, "}}");
}

static void mamba_write_tree(kr_writer *w, const mamba_sizes *s, int gguf)
{
    kr_write(w, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"tokens\":");
    kr_write_unsigned(w, s->vocabulary);
    kr_write(w, s->bytes ? "},\"vocabulary\":\"bytes\"," : "},");
    if (s->end_token >= 0)
        mamba_write_count(w, "end_token", (size_t)s->end_token);
    kr_write(w, "\"tree\":{\"sequence\":[{\"embed\":{\"name\":\"embeddings\",");
    mamba_write_count(w, "width", s->width);
    mamba_write_weights(w, s, "embeddings", gguf);
    kr_write(w, "}},");
    kr_write(w, "{\"repeat\":{\"name\":\"layers\",");
    mamba_write_count(w, "n", s->layers);
    kr_write(w, "\"of\":{\"residual\":{\"sequence\":[");
    mamba_write_norm(w, s, "norm", "layers.{i}.norm", gguf);
    kr_write(w, ",");
    mamba_write_mixer(w, s, gguf);
    kr_write(w, "]}}}},");
    mamba_write_norm(w, s, "norm_f", "norm_f", gguf);
    kr_write(w, ",");
    mamba_write_head(w, s, gguf);
    kr_write(w, "]}}");
}

/*
 * A bias that is missing is zero to mamba1, so a file that lost one would give wrong numbers: dt's
 * is in every layer, the others are in all of them or in none.
 */
static krait_status mamba_check_biases(kr_loading *loading, size_t layers, int gguf)
{
    static const char *const slots[4] = { "in_proj.bias", "out_proj.bias", "conv1d.bias", "dt_proj.bias" };
    static const char *const gguf_slots[4] = { "ssm_in.bias", "ssm_out.bias", "ssm_conv1d.bias", "ssm_dt.bias" };
    int wanted[4] = { 0, 0, 0, 1 };

    for (size_t i = 0; i < layers; i++)
        for (size_t k = 0; k < 4; k++) {
            kr_writer name;
            int       there;

            kr_writer_start(&name, &loading->arena);
            kr_write(&name, gguf ? "blk." : "backbone.layers.");
            kr_write_unsigned(&name, i);
            kr_write(&name, gguf ? "." : ".mixer.");
            kr_write(&name, gguf ? gguf_slots[k] : slots[k]);
            if (name.broken)
                return kr_fail_memory(loading->message);
            there = kr_package_find(&loading->package, name.text) != NULL;
            if (i == 0 && k < 3)
                wanted[k] = there;
            if (there != wanted[k])
                return kr_fail(loading->message, KRAIT_ERR_SHAPE, "%.100s: tensor %s is %s", loading->what,
                               name.text, there ? "there, but not in layer 0" : "missing");
        }
    return KRAIT_OK;
}

/* ---- config.json ---------------------------------------------------------------------- */

static const char *const mamba_used[] = {
    "model_type", "hidden_size", "num_hidden_layers", "state_size", "conv_kernel", "expand",
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
    "problem_type", "name_or_path", "max_position_embeddings", "tokenizer_class", NULL
};

/* inner: intermediate_size if it is there, else the whole part of expand * hidden_size. */
static krait_status mamba_config_inner(kr_loading *loading, mamba_sizes *s)
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
static krait_status mamba_config_rank(kr_loading *loading, mamba_sizes *s)
{
    size_t automatic = (s->width + 15) / 16;

    s->rank = automatic;
    if (kr_json_is(kr_json_get(loading->config, "time_step_rank"), "auto"))
        return KRAIT_OK;
    return kr_field_count(loading, loading->config, "time_step_rank", 1, (int64_t)KR_MOST_WIDTH,
                          (int64_t)automatic, &s->rank);
}

/* A flag that says whether a bias is there must agree with the tensors. */
static krait_status mamba_config_bias(kr_loading *loading, const char *field, const char *tensor)
{
    int          said, there = kr_package_find(&loading->package, tensor) != NULL;
    krait_status status = kr_field_flag(loading, loading->config, field, &said);

    if (status == KRAIT_OK && said >= 0 && said != there)
        return kr_fail(loading->message, KRAIT_ERR_SHAPE, "%.100s: '%s' is %s, but tensor %s is %s",
                       loading->what, field, said ? "true" : "false", tensor,
                       there ? "there" : "missing");
    return status;
}

static krait_status mamba_config_refuse(kr_loading *loading)
{
    const kr_json *act = kr_json_get(loading->config, "hidden_act");

    if (act && !kr_json_is(act, "silu") && !kr_json_is(act, "swish"))
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: 'hidden_act' other than silu",
                       loading->what);
    if (kr_json_get(loading->config, "quantization") ||
        kr_json_get(loading->config, "quantization_config"))
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED,
                       "%.100s: quantised by another framework; use the original weights",
                       loading->what);
    return KRAIT_OK;
}

/* A vocabulary of 256 without a tokenizer beside it is bytes. */
static krait_status mamba_config_bytes(kr_loading *loading, mamba_sizes *s)
{
    static const char *const files[] = { "tokenizer.json", "tokenizer.model", "vocab.json", NULL };

    s->bytes = s->vocabulary == 256;
    for (size_t i = 0; s->bytes && loading->folder && files[i]; i++) {
        kr_writer path;

        kr_writer_start(&path, &loading->arena);
        kr_write(&path, loading->folder);
        kr_write(&path, files[i]);
        if (path.broken)
            return kr_fail_memory(loading->message);
        s->bytes = kr_file_is_folder(path.text) < 0;
    }
    return KRAIT_OK;
}

static void mamba_config_end(const kr_json *config, mamba_sizes *s)
{
    const kr_json *end = kr_json_get(config, "eos_token_id");

    if (end && end->kind == KR_JSON_ARRAY)
        end = end->first;
    s->end_token = end && end->kind == KR_JSON_NUMBER && end->flag && end->integer >= 0 &&
                   end->integer < (int64_t)s->vocabulary ? end->integer : -1;
}

static krait_status mamba_from_config(kr_loading *loading, kr_writer *description)
{
    const kr_json *c = loading->config;
    mamba_sizes    s = { .package = &loading->package };
    int            tied = 1;
    krait_status   status;

    if ((status = mamba_config_refuse(loading)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "hidden_size", 1, 1 << 20, -1, &s.width)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "num_hidden_layers", 1, 4096, -1, &s.layers)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "vocab_size", 1, 1 << 22, -1, &s.vocabulary)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "state_size", 1, 65536, 16, &s.states)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "conv_kernel", 1, 4096, 4, &s.taps)) != KRAIT_OK ||
        (status = kr_field_number(loading, c, "layer_norm_epsilon", 0, 1, 1e-5, &s.eps)) != KRAIT_OK ||
        (status = kr_field_flag(loading, c, "tie_word_embeddings", &tied)) != KRAIT_OK ||
        (status = mamba_config_inner(loading, &s)) != KRAIT_OK ||
        (status = mamba_config_rank(loading, &s)) != KRAIT_OK ||
        (status = mamba_config_bytes(loading, &s)) != KRAIT_OK ||
        (status = mamba_config_bias(loading, "use_bias", "backbone.layers.0.mixer.in_proj.bias")) != KRAIT_OK ||
        (status = mamba_config_bias(loading, "use_conv_bias", "backbone.layers.0.mixer.conv1d.bias")) != KRAIT_OK ||
        (status = mamba_check_biases(loading, s.layers, 0)) != KRAIT_OK)
        return status;
    s.untied = tied == 0;
    mamba_config_end(c, &s);
    kr_field_warn_rest(loading, mamba_used, mamba_harmless);
    mamba_write_tree(description, &s, 0);
    return KRAIT_OK;
}

/* ---- GGUF ------------------------------------------------------------------------------- */

static krait_status mamba_from_gguf(kr_loading *loading, kr_writer *description)
{
    const kr_json   *m = loading->package.metadata;
    const kr_source *table = kr_package_find(&loading->package, mamba_names[0].gguf);
    mamba_sizes      s = { .package = &loading->package };
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
    if (normed == 1)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED,
                       "%.100s: 'mamba.ssm.dt_b_c_rms' (Falcon-Mamba's norms) is not built yet",
                       loading->what);
    if ((status = mamba_check_biases(loading, s.layers, 1)) != KRAIT_OK)
        return status;
    if (!table || table->dimensions != 2 || table->shape[0] > 1 << 22)
        return kr_fail(loading->message, KRAIT_ERR_SHAPE, "%.100s: token_embd.weight is no table of tokens",
                       loading->what);
    s.vocabulary = (size_t)table->shape[0];
    s.untied = kr_package_find(&loading->package, "output.weight") != NULL;
    s.bytes = s.vocabulary == 256 && kr_json_is(kr_json_get(m, "krait.vocabulary"), "bytes");
    s.end_token = end < s.vocabulary ? (int64_t)end : -1;
    mamba_write_tree(description, &s, 1);
    return KRAIT_OK;
}

/* ---- writing GGUF ------------------------------------------------------------------------ */

/* "layers.12.norm.weight" as its row of mamba_names; *layer is what stood for {i}. */
static const mamba_name *mamba_name_of(const char *canonical, const char **layer, size_t *digits)
{
    static const char prefix[] = "layers.";
    const char       *rest = canonical;

    *layer = "";
    *digits = 0;
    if (strncmp(canonical, prefix, sizeof prefix - 1) == 0) {
        *layer = canonical + sizeof prefix - 1;
        *digits = strspn(*layer, "0123456789");
        rest = *layer + *digits;
    }
    for (size_t i = 0; i < sizeof mamba_names / sizeof *mamba_names; i++) {
        const char *pattern = mamba_names[i].canonical;

        if (*digits && strncmp(pattern, "layers.{i}", 10) == 0)
            pattern += 10;
        if (strcmp(pattern, rest) == 0)
            return &mamba_names[i];
    }
    return NULL;
}

static void mamba_gguf_name(const char *canonical, kr_writer *w)
{
    const char       *layer, *at, *hole;
    size_t            digits;
    const mamba_name *name = mamba_name_of(canonical, &layer, &digits);

    if (!name)
        return;
    at = name->gguf;
    hole = strstr(at, "{i}");
    if (hole) {
        kr_write_bytes(w, at, (size_t)(hole - at));
        kr_write_bytes(w, layer, digits);
        at = hole + 3;
    }
    kr_write(w, at);
}

static uint32_t mamba_size(const kr_json *options, const char *name)
{
    const kr_json *value = kr_json_get(options, name);

    return value && value->flag ? (uint32_t)value->integer : 0;
}

/* 'description' is what mamba_write_tree() wrote: its places are known. */
static void mamba_gguf_keys(const kr_json *description, kr_gguf_writer *w)
{
    const kr_json *first = kr_json_get(kr_json_get(description, "tree"), "sequence")->first;
    const kr_json *repeat = kr_json_get(first->next, "repeat"), *end = kr_json_get(description, "end_token");
    const kr_json *norm = kr_json_get(kr_json_get(kr_json_get(repeat, "of"), "residual"), "sequence")->first;
    const kr_json *mixer = kr_json_get(norm->next, "mamba1"), *eps = kr_json_get(kr_json_get(norm, "rms_norm"), "eps");
    const kr_json *input = kr_json_get(description, "input");

    kr_gguf_u32(w, "mamba.context_length", 1u << 20);
    kr_gguf_u32(w, "mamba.embedding_length", mamba_size(kr_json_get(first, "embed"), "width"));
    kr_gguf_u32(w, "mamba.feed_forward_length", 0);
    kr_gguf_u32(w, "mamba.attention.head_count", 0);
    kr_gguf_u32(w, "mamba.block_count", mamba_size(repeat, "n"));
    kr_gguf_u32(w, "mamba.ssm.conv_kernel", mamba_size(mixer, "taps"));
    kr_gguf_u32(w, "mamba.ssm.inner_size", mamba_size(mixer, "inner"));
    kr_gguf_u32(w, "mamba.ssm.state_size", mamba_size(mixer, "states"));
    kr_gguf_u32(w, "mamba.ssm.time_step_rank", mamba_size(mixer, "rank"));
    kr_gguf_f32(w, "mamba.attention.layer_norm_rms_epsilon", (float)eps->number);
    kr_gguf_u32(w, "mamba.vocab_size", mamba_size(input, "tokens"));
    kr_gguf_text(w, "tokenizer.ggml.model", "none");
    if (end)
        kr_gguf_u32(w, "tokenizer.ggml.eos_token_id", (uint32_t)end->integer);
    if (kr_json_get(description, "vocabulary"))
        kr_gguf_text(w, "krait.vocabulary", "bytes");
}

extern const kr_arch kr_arch_mamba;
const kr_arch kr_arch_mamba = {
    "mamba", "mamba", mamba_from_config, mamba_from_gguf, mamba_gguf_keys, mamba_gguf_name,
};
