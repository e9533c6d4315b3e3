/* mamba.c - a language model of Mamba-1 or Mamba-2 as a tree, whoever named its tensors. */
#include "model/mamba.h"

#include <string.h>

/* Canonical name, the one in PyTorch's files, and GGUF's or NULL; {i} is the layer. */
typedef struct mamba_name { const char *canonical, *torch, *gguf; } mamba_name;

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
    { "layers.{i}.mixer.dt_bias",      "backbone.layers.{i}.mixer.dt_bias",          "blk.{i}.ssm_dt.bias" },
    { "layers.{i}.mixer.norm.weight",  "backbone.layers.{i}.mixer.norm.weight",      "blk.{i}.ssm_norm.weight" },
    { "layers.{i}.mixer.out_proj.weight", "backbone.layers.{i}.mixer.out_proj.weight", "blk.{i}.ssm_out.weight" },
    { "layers.{i}.mixer.out_proj.bias", "backbone.layers.{i}.mixer.out_proj.bias",   "blk.{i}.ssm_out.bias" },
    { "layers.{i}.norm.bias",          "backbone.layers.{i}.norm.bias",              NULL },
    { "layers.{i}.norm2.weight",       "backbone.layers.{i}.norm2.weight",           NULL },
    { "layers.{i}.norm2.bias",         "backbone.layers.{i}.norm2.bias",             NULL },
    { "layers.{i}.mlp.fc1.weight",     "backbone.layers.{i}.mlp.fc1.weight",         NULL },
    { "layers.{i}.mlp.fc2.weight",     "backbone.layers.{i}.mlp.fc2.weight",         NULL },
    { "norm_f.weight",                 "backbone.norm_f.weight",                     "output_norm.weight" },
    { "norm_f.bias",                   "backbone.norm_f.bias",                       NULL },
    { "lm_head.weight",                "lm_head.weight",                             "output.weight" },
};

/* Is there the tensor of that name, in layer 0 if it has one in each? */
static int mamba_there(const kr_mamba *m, const char *foreign)
{
    const char *prefix = kr_mamba_prefix(m->names), *hole = strstr(foreign, "{i}");
    char        name[80];
    size_t      length = strlen(prefix), before = hole ? (size_t)(hole - foreign) : strlen(foreign);

    memcpy(name, prefix, length);
    memcpy(name + length, foreign, before);
    length += before;
    name[length] = '\0';
    if (hole) {
        name[length] = '0';
        strcpy(name + length + 1, hole + 3);
    }
    return kr_package_find(m->package, name) != NULL;
}

const char *kr_mamba_prefix(kr_mamba_names names)
{
    return names == KR_MAMBA_MISTRAL ? "model." : "";
}

const char *kr_mamba_table(kr_mamba_names names)
{
    switch (names) {
    case KR_MAMBA_GGUF:     return mamba_names[0].gguf;
    case KR_MAMBA_ORIGINAL: return "backbone.embedding.weight";
    case KR_MAMBA_MISTRAL:  return "model.backbone.embedding.weight";
    default:                return mamba_names[0].torch;
    }
}

static const char *mamba_foreign(const mamba_name *name, kr_mamba_names names)
{
    if (name == mamba_names)
        return kr_mamba_table(names) + strlen(kr_mamba_prefix(names));
    return names == KR_MAMBA_GGUF ? name->gguf : name->torch;
}

/* Slots of a mixer that only one of the two kinds has. */
static int mamba_is_of(const kr_mamba *m, const char *slot)
{
    if (strncmp(slot, "x_proj.", 7) == 0 || strncmp(slot, "dt_proj.", 8) == 0)
        return m->second.heads == 0;
    if (strcmp(slot, "dt_bias") == 0)
        return m->second.heads > 0;
    return strcmp(slot, "norm.weight") != 0 || m->second.norm_size > 0;
}

/* Biases of linear layers are written where there are any; those of LayerNorm are always there. */
static int mamba_is_written(const kr_mamba *m, const char *slot, const char *foreign, int norm)
{
    if (!foreign || !mamba_is_of(m, slot) || !strstr(slot, "bias"))
        return foreign != NULL && mamba_is_of(m, slot);
    return norm ? m->layer_norm : mamba_there(m, foreign);
}

/* "weights": every slot of the layer 'path' under its foreign name. */
static void mamba_write_weights(kr_writer *w, const kr_mamba *m, const char *path, int norm)
{
    size_t length = strlen(path), n = 0;

    kr_write(w, "\"weights\":{");
    for (size_t i = 0; i < sizeof mamba_names / sizeof *mamba_names; i++) {
        const mamba_name *name = &mamba_names[i];
        const char       *foreign = mamba_foreign(name, m->names), *slot = name->canonical + length + 1;

        if (strncmp(name->canonical, path, length) != 0 || name->canonical[length] != '.' ||
            !mamba_is_written(m, slot, foreign, norm))
            continue;
        kr_write(w, n++ ? ",\"" : "\"");
        kr_write(w, slot);
        kr_write(w, "\":\"");
        kr_write(w, kr_mamba_prefix(m->names));
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

static void mamba_write_number(kr_writer *w, const char *name, double value)
{
    kr_write(w, "\"");
    kr_write(w, name);
    kr_write(w, "\":");
    kr_write_number(w, value);
    kr_write(w, ",");
}

/* {"type":{"name":"name", and what follows is up to the caller. */
static void mamba_open(kr_writer *w, const char *type, const char *name)
{
    kr_write(w, "{\"");
    kr_write(w, type);
    kr_write(w, "\":{\"name\":\"");
    kr_write(w, name);
    kr_write(w, "\",");
}

static void mamba_write_norm(kr_writer *w, const kr_mamba *m, const char *name, const char *path)
{
    mamba_open(w, m->layer_norm ? "layer_norm" : "rms_norm", name);
    mamba_write_number(w, "eps", m->eps);
    mamba_write_weights(w, m, path, 1);
    kr_write(w, "}}");
}

static void mamba_write_second(kr_writer *w, const kr_mamba *m)
{
    const kr_mamba2 *s = &m->second;

    mamba_open(w, "mamba2", "mixer");
    mamba_write_count(w, "heads", s->heads);
    mamba_write_count(w, "head_dim", m->inner / s->heads);
    mamba_write_count(w, "states", m->states);
    mamba_write_count(w, "groups", s->groups);
    mamba_write_count(w, "taps", m->taps);
    if (s->norm_size > 0) {
        mamba_write_count(w, "norm_size", s->norm_size);
        mamba_write_number(w, "norm_eps", s->eps);
        kr_write(w, s->before_gate ? "\"norm_before_gate\":true," : "");
    } else {
        kr_write(w, "\"norm\":\"none\",");
    }
    kr_write(w, s->channels ? "\"D\":\"channels\"," : "");
    if (s->low > 0)
        mamba_write_number(w, "dt_min", s->low);
    if (s->high > 0)
        mamba_write_number(w, "dt_max", s->high);
    mamba_write_weights(w, m, "layers.{i}.mixer", 0);
    kr_write(w, "}}");
}

static void mamba_write_mixer(kr_writer *w, const kr_mamba *m)
{
    if (m->second.heads > 0) {
        mamba_write_second(w, m);
        return;
    }
    mamba_open(w, "mamba1", "mixer");
    mamba_write_count(w, "inner", m->inner);
    mamba_write_count(w, "states", m->states);
    mamba_write_count(w, "taps", m->taps);
    mamba_write_count(w, "rank", m->rank);
    if (m->norm_eps >= 0) {
        kr_write(w, "\"norm\":\"rms\",");
        mamba_write_number(w, "norm_eps", m->norm_eps);
    }
    mamba_write_weights(w, m, "layers.{i}.mixer", 0);
    kr_write(w, "}}");
}

static void mamba_write_linear(kr_writer *w, const kr_mamba *m, const char *name, const char *path,
                               size_t width)
{
    mamba_open(w, "linear", name);
    mamba_write_count(w, "width", width);
    mamba_write_weights(w, m, path, 0);
    kr_write(w, "}}");
}

/* x + mixer(norm(x)), and behind it, without a name of its own, x + fc2(y silu(gate)), [y; gate] = fc1 norm2(x). */
static void mamba_write_block(kr_writer *w, const kr_mamba *m)
{
    kr_write(w, m->hidden ? "{\"sequence\":[{\"residual\":{\"name\":\"\",\"of\":{\"sequence\":["
                          : "{\"residual\":{\"sequence\":[");
    mamba_write_norm(w, m, "norm", "layers.{i}.norm");
    kr_write(w, ",");
    mamba_write_mixer(w, m);
    kr_write(w, "]}}");
    if (!m->hidden)
        return;
    kr_write(w, "},{\"residual\":{\"name\":\"\",\"of\":{\"sequence\":[");
    mamba_write_norm(w, m, "norm2", "layers.{i}.norm2");
    kr_write(w, ",");
    mamba_write_linear(w, m, "mlp.fc1", "layers.{i}.mlp.fc1", 2 * m->hidden);
    kr_write(w, ",{\"glu\":{\"name\":\"mlp.gate\",\"kind\":\"silu\",\"gate\":\"second\"}},");
    mamba_write_linear(w, m, "mlp.fc2", "layers.{i}.mlp.fc2", m->width);
    kr_write(w, "]}}}]}");
}

static void mamba_write_head(kr_writer *w, const kr_mamba *m)
{
    if (m->untied) {
        mamba_write_linear(w, m, "lm_head", "lm_head", m->vocabulary);
        return;
    }
    mamba_open(w, "linear", "lm_head");
    mamba_write_count(w, "width", m->vocabulary);
    kr_write(w, "\"weights\":{\"weight\":\"");
    kr_write(w, kr_mamba_table(m->names));
    kr_write(w, "\"}}}");
}

void kr_mamba_tree(kr_writer *w, const kr_mamba *m)
{
    kr_write(w, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"tokens\":");
    kr_write_unsigned(w, m->vocabulary);
    kr_write(w, m->bytes ? "},\"vocabulary\":\"bytes\"," : "},");
    if (m->end_token >= 0)
        mamba_write_count(w, "end_token", (size_t)m->end_token);
    kr_write(w, "\"tree\":{\"sequence\":[");
    mamba_open(w, "embed", "embeddings");
    mamba_write_count(w, "width", m->width);
    mamba_write_weights(w, m, "embeddings", 0);
    kr_write(w, "}},");
    mamba_open(w, "repeat", "layers");
    mamba_write_count(w, "n", m->layers);
    kr_write(w, "\"of\":");
    mamba_write_block(w, m);
    kr_write(w, "}},");
    mamba_write_norm(w, m, "norm_f", "norm_f");
    kr_write(w, ",");
    mamba_write_head(w, m);
    kr_write(w, "]}}");
}

krait_status kr_mamba_check_biases(kr_loading *loading, const kr_mamba *m)
{
    const char *const slots[4] = { "in_proj.bias", "out_proj.bias", "conv1d.bias",
                                   m->second.heads > 0 ? "dt_bias" : "dt_proj.bias" };
    static const char *const gguf_slots[4] = { "ssm_in.bias", "ssm_out.bias", "ssm_conv1d.bias", "ssm_dt.bias" };
    int wanted[4] = { 0, 0, 0, 1 }, gguf = m->names == KR_MAMBA_GGUF;

    for (size_t i = 0; i < m->layers; i++)
        for (size_t k = 0; k < 4; k++) {
            kr_writer name;
            int       there;

            kr_writer_start(&name, &loading->arena);
            kr_write(&name, kr_mamba_prefix(m->names));
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

void kr_mamba_gguf_name(const char *canonical, kr_writer *w)
{
    const char       *layer, *at, *hole;
    size_t            digits;
    const mamba_name *name = mamba_name_of(canonical, &layer, &digits);

    if (!name || !name->gguf)
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

/* 'description' is what kr_mamba_tree() wrote, with neither MLP nor LayerNorm: its places are known. */
void kr_mamba_gguf_keys(const kr_json *description, kr_gguf_writer *w)
{
    const kr_json *first = kr_json_get(kr_json_get(description, "tree"), "sequence")->first;
    const kr_json *repeat = kr_json_get(first->next, "repeat");
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
    if (kr_json_is(kr_json_get(mixer, "norm"), "rms")) {
        kr_gguf_bool(w, "mamba.ssm.dt_b_c_rms", 1);
        kr_gguf_f32(w, "krait.ssm.dt_b_c_rms_epsilon", (float)kr_json_get(mixer, "norm_eps")->number);
    }
    kr_gguf_u32(w, "mamba.vocab_size", mamba_size(input, "tokens"));
}
