/*
 * arch_h3.c - H3 language models without attention (Fu, Dao and others, arXiv 2212.14052): config.json of model_type
 * "h3" with the arguments of SSMLMHeadModel in HazyResearch/H3, src/models/ssm_seq.py, and the tensors of its state dict.
 *
 * Blocks are x + mixer(norm1(x)), then x + mlp(norm2(x)); the head is the table of tokens.
 */
#include "model/mamba.h"

#include <string.h>

typedef struct h3_sizes {
    size_t width, layers, hidden, vocabulary, states, head, copies;
    int    zoh, real, bytes;
    double eps, bandlimit;
} h3_sizes;

static const char *const h3_used[] = {
    "model_type", "d_model", "n_layer", "d_inner", "vocab_size", "pad_vocab_size_multiple", "ssm_cfg", "attn_layer_idx",
    "attn_cfg", "max_position_embeddings", "layer_norm_epsilon", NULL
};

/* How it is computed or was trained. */
static const char *const h3_harmless[] = {
    "source", "resid_dropout", "embed_dropout", "initializer_cfg", "fused_mlp", "fused_dropout_add_ln", "residual_in_fp32",
    "architectures", "torch_dtype", "dtype", NULL
};

/* Of ssm_cfg; measure, rank, dt_min, dt_max, deterministic and lr say how training begins. */
static const char *const h3_known[] = {
    "mode", "d_state", "head_dim", "n_ssm", "disc", "real_type", "bandlimit", "l_max", "measure", "measure_args", "rank",
    "dt_min", "dt_max", "deterministic", "lr", "dropout", "use_fast_fftconv", "verbose", "force_real", NULL
};

static const char *const h3_transforms[] = { "exp", "none", "relu", "sigmoid", "softplus", NULL };

static krait_status h3_unsupported(kr_loading *loading, const char *name, const char *what)
{
    return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: '%s': %s", loading->what, name, what);
}

/* ---- what is not built ------------------------------------------------------------------------------ */

/* By the list of the config, and by tensors of a checkpoint whose list is wrong. */
static krait_status h3_refuse_attention(kr_loading *loading)
{
    const kr_json *list = kr_json_get(loading->config, "attn_layer_idx");

    if (list && list->kind != KR_JSON_NULL && list->kind != KR_JSON_ARRAY)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: 'attn_layer_idx' must be a list", loading->what);
    if (list && list->kind == KR_JSON_ARRAY && list->count > 0)
        return h3_unsupported(loading, "attn_layer_idx", "layers of attention are not built");
    for (size_t i = 0; i < loading->package.n_tensors; i++) {
        const char *name = loading->package.tensors[i].name;

        if (strstr(name, ".mixer.Wqkv."))
            return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "tensor %.100s: layers of attention are not built", name);
        if (strncmp(name, "s4seq.encoder.", 14) == 0 || strcmp(name, "backbone.ln_0.weight") == 0)
            return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED,
                           "tensor %.100s: names of an older form; save what load_state_dict() makes of them", name);
    }
    return KRAIT_OK;
}

static krait_status h3_refuse(kr_loading *loading, const kr_json *cfg)
{
    const kr_json *mode = kr_json_get(cfg, "mode"), *length = kr_json_get(cfg, "l_max");
    size_t         positions;
    int            real;
    krait_status   status;

    for (const kr_json *field = cfg ? cfg->first : NULL; field; field = field->next) {
        size_t i = 0;

        while (h3_known[i] && strcmp(h3_known[i], field->key) != 0)
            i++;
        if (!h3_known[i])
            return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: '%.64s' in 'ssm_cfg' is not known",
                           loading->what, field->key);
    }
    if (mode && mode->kind != KR_JSON_NULL && !kr_json_is(mode, "diag"))
        return h3_unsupported(loading, "mode", "'diag' alone is built");
    if (length && length->kind != KR_JSON_NULL)
        return h3_unsupported(loading, "l_max", "kernels that end are not built");
    if ((status = kr_field_flag(loading, cfg, "force_real", &real)) != KRAIT_OK)
        return status;
    if (real > 0)
        return h3_unsupported(loading, "force_real", "it is not built");
    status = kr_field_count(loading, loading->config, "max_position_embeddings", 0, 1 << 30, 0, &positions);
    if (status == KRAIT_OK && positions > 0)
        return h3_unsupported(loading, "max_position_embeddings", "embeddings of positions are not built");
    return status == KRAIT_OK ? h3_refuse_attention(loading) : status;
}

/* ---- sizes ------------------------------------------------------------------------------------------ */

static krait_status h3_read_mixer(kr_loading *loading, const kr_json *cfg, h3_sizes *s)
{
    static const char *const discretizations[] = { "bilinear", "zoh", NULL };
    krait_status             status;

    if ((status = kr_field_count(loading, cfg, "d_state", 2, 4096, 64, &s->states)) != KRAIT_OK ||
        (status = kr_field_count(loading, cfg, "head_dim", 1, 4096, 1, &s->head)) != KRAIT_OK ||
        (status = kr_field_count(loading, cfg, "n_ssm", 0, 1 << 20, 0, &s->copies)) != KRAIT_OK ||
        (status = kr_field_number(loading, cfg, "bandlimit", 1e-9, 1e9, 0, &s->bandlimit)) != KRAIT_OK ||
        (status = kr_field_choice(loading, cfg, "disc", discretizations, 0, &s->zoh)) != KRAIT_OK)
        return status;
    if (s->states % 2)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: 'd_state' must be even", loading->what);
    if (s->width % s->head)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: 'head_dim' must divide 'd_model'", loading->what);
    return kr_field_choice(loading, cfg, "real_type", h3_transforms, 0, &s->real);
}

static krait_status h3_read(kr_loading *loading, h3_sizes *s)
{
    const kr_json *c = loading->config, *cfg = kr_json_get(c, "ssm_cfg");
    size_t         multiple;
    krait_status   status;

    if (cfg && cfg->kind != KR_JSON_OBJECT && cfg->kind != KR_JSON_NULL)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: 'ssm_cfg' must be an object", loading->what);
    if ((status = h3_refuse(loading, cfg)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "d_model", 1, 1 << 20, -1, &s->width)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "n_layer", 1, 4096, -1, &s->layers)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "vocab_size", 1, 1 << 22, -1, &s->vocabulary)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "pad_vocab_size_multiple", 1, 1 << 20, 1, &multiple)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "d_inner", 1, (int64_t)KR_MOST_WIDTH, (int64_t)(4 * s->width), &s->hidden)) !=
            KRAIT_OK ||
        (status = kr_field_number(loading, c, "layer_norm_epsilon", 0, 1, 1e-5, &s->eps)) != KRAIT_OK)
        return status;
    if ((status = kr_mamba_is_bytes(loading, s->vocabulary, &s->bytes)) != KRAIT_OK)
        return status;
    s->vocabulary = (s->vocabulary + multiple - 1) / multiple * multiple;
    return h3_read_mixer(loading, cfg, s);
}

/* ---- the tree --------------------------------------------------------------------------------------- */

/* In 'text' ' stands for a quotation mark, @ for a block's path in names, $ and a letter for a size. */
static void h3_write(kr_writer *w, const h3_sizes *s, const char *text)
{
    const struct { char letter; size_t size; } sizes[] = {
        { 'H', s->width }, { 'L', s->layers }, { 'I', s->hidden }, { 'V', s->vocabulary }, { 'K', s->states },
        { 'N', s->states / 2 }, { 'D', s->head }, { 'T', s->head * s->head }, { 'S', s->copies },
    };

    for (; *text; text++) {
        if (*text == '\'') {
            kr_write(w, "\"");
        } else if (*text == '@') {
            kr_write(w, "backbone.layers.{i}");
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

static void h3_write_norm(kr_writer *w, const h3_sizes *s, const char *name, const char *path)
{
    h3_write(w, s, "{'layer_norm':{'name':'");
    kr_write(w, name);
    h3_write(w, s, "','eps':");
    kr_write_number(w, s->eps);
    h3_write(w, s, ",'weights':{'weight':'");
    h3_write(w, s, path);
    h3_write(w, s, ".weight','bias':'");
    h3_write(w, s, path);
    h3_write(w, s, ".bias'}}}");
}

/* With its bias, always. */
static void h3_write_linear(kr_writer *w, const h3_sizes *s, const char *name, const char *width, const char *path)
{
    h3_write(w, s, "{'linear':{'name':'");
    kr_write(w, name);
    h3_write(w, s, "','width':");
    h3_write(w, s, width);
    h3_write(w, s, ",'weights':{'weight':'");
    h3_write(w, s, path);
    h3_write(w, s, ".weight','bias':'");
    h3_write(w, s, path);
    h3_write(w, s, ".bias'}}}");
}

static void h3_write_diagonal(kr_writer *w, const h3_sizes *s)
{
    h3_write(w, s, "{'s4d':{'name':'kernel','form':'h3','states':$N,'path':'@.mixer'");
    h3_write(w, s, s->zoh ? "" : ",'discretization':'bilinear'");
    h3_write(w, s, s->copies ? ",'copies':$S" : "");
    h3_write(w, s, s->head > 1 ? ",'tile':$T" : "");
    if (s->real) {
        h3_write(w, s, ",'real':'");
        kr_write(w, h3_transforms[s->real]);
        h3_write(w, s, "'");
    }
    if (s->bandlimit > 0) {
        h3_write(w, s, ",'bandlimit':");
        kr_write_number(w, s->bandlimit);
    }
    h3_write(w, s, "}}");
}

/* q times what the states make of k v; heads of one number need no matrices. */
static void h3_write_mixer(kr_writer *w, const h3_sizes *s)
{
    const char *merge = s->head > 1 ? "'merge':'concatenate'" : "'merge':'multiply'";

    h3_write(w, s, "{'branches':{'name':'q_k_v',");
    h3_write(w, s, merge);
    h3_write(w, s, ",'of':[");
    h3_write_linear(w, s, "q_proj", "$H", "@.mixer.q_proj");
    h3_write(w, s, ",{'sequence':[{'branches':{'name':'k_v',");
    h3_write(w, s, merge);
    h3_write(w, s, ",'of':[{'sequence':[");
    h3_write_linear(w, s, "k_proj", "$H", "@.mixer.k_proj");
    h3_write(w, s, ",{'shift':{'name':'ssm_k_kernel','states':$K,'path':'@.mixer','weights':{'ssm_k_D':'@.mixer.ssm_k_D'}}}]},");
    h3_write_linear(w, s, "v_proj", "$H", "@.mixer.v_proj");
    h3_write(w, s, s->head > 1 ? "]}},{'outer':{'head_dim':$D}}," : "]}},");
    h3_write_diagonal(w, s);
    h3_write(w, s, s->head > 1 ? "]}]}},{'contract':{'head_dim':$D}}," : "]}]}},");
    h3_write_linear(w, s, "output_linear", "$H", "@.mixer.output_linear");
}

static krait_status h3_from_config(kr_loading *loading, kr_writer *w)
{
    h3_sizes     s = { 0 };
    krait_status status = h3_read(loading, &s);

    if (status != KRAIT_OK)
        return status;
    kr_field_warn_rest(loading, h3_used, h3_harmless);
    h3_write(w, &s, "{'model_type':'krait','version':1,'input':{'tokens':$V},'tree':{'sequence':[{'embed':{'name':'embeddings',"
                    "'width':$H,'weights':{'weight':'backbone.embeddings.word_embeddings.weight'}}},"
                    "{'repeat':{'n':$L,'name':'layers','of':{'sequence':[{'residual':{'name':'mixer','of':{'sequence':[");
    h3_write_norm(w, &s, "norm1", "@.norm1");
    h3_write(w, &s, ",");
    h3_write_mixer(w, &s);
    h3_write(w, &s, "]}}},{'residual':{'name':'mlp','of':{'sequence':[");
    h3_write_norm(w, &s, "norm2", "@.norm2");
    h3_write(w, &s, ",");
    h3_write_linear(w, &s, "fc1", "$I", "@.mlp.fc1");
    h3_write(w, &s, ",{'activation':{'kind':'gelu_tanh'}},");
    h3_write_linear(w, &s, "fc2", "$H", "@.mlp.fc2");
    h3_write(w, &s, "]}}}]}}},");
    h3_write_norm(w, &s, "ln_f", "backbone.ln_f");
    h3_write(w, &s, ",{'linear':{'name':'lm_head','width':$V,'weights':{'weight':"
                    "'backbone.embeddings.word_embeddings.weight'}}}]}");
    h3_write(w, &s, s.bytes ? ",'vocabulary':'bytes'}" : "}");
    return KRAIT_OK;
}

extern const kr_arch kr_arch_h3;
const kr_arch kr_arch_h3 = {
    "h3", NULL, h3_from_config, NULL, NULL, NULL,
};
