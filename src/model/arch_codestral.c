/*
 * arch_codestral.c - Mamba-2 as Mistral publishes it (mamba-codestral-7B): params.json beside consolidated.safetensors,
 * whose names are those of state-spaces/mamba behind "model.".  What params.json does not say is the original's default.
 */
#include "model/mamba.h"

static const char *const codestral_used[] = {
    "dim", "n_layers", "n_groups", "vocab_size", "pad_vocab_size_multiple", "tie_embeddings", "rms_norm", "model_type",
    "eos_token_id", NULL
};

static const char *const codestral_harmless[] = { "residual_in_fp32", "fused_add_norm", NULL };

static krait_status codestral_sizes(kr_loading *loading, kr_mamba *m)
{
    const kr_json *c = loading->config;
    size_t         multiple;
    int            tied, rms;
    krait_status   status;

    if ((status = kr_field_count(loading, c, "dim", 1, 1 << 20, -1, &m->width)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "n_layers", 1, 4096, -1, &m->layers)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "vocab_size", 1, 1 << 22, -1, &m->vocabulary)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "pad_vocab_size_multiple", 1, 1 << 20, 1, &multiple)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "n_groups", 1, 65536, -1, &m->second.groups)) != KRAIT_OK ||
        (status = kr_field_flag(loading, c, "tie_embeddings", &tied)) != KRAIT_OK ||
        (status = kr_field_flag(loading, c, "rms_norm", &rms)) != KRAIT_OK ||
        (status = kr_mamba_is_bytes(loading, m->vocabulary, &m->bytes)) != KRAIT_OK)
        return status;
    if (rms == 0)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: 'rms_norm' is false", loading->what);
    m->vocabulary = (m->vocabulary + multiple - 1) / multiple * multiple;
    m->inner = 2 * m->width;
    m->untied = tied != 1;
    m->second.norm_size = m->inner / m->second.groups;
    m->end_token = kr_mamba_end(c, m->vocabulary);
    return kr_mamba2_heads(loading, m, 64);
}

static krait_status codestral_from_params(kr_loading *loading, kr_writer *description)
{
    kr_mamba     m = { .states = 128, .taps = 4, .eps = 1e-5, .norm_eps = -1, .second.eps = 1e-5,
                       .names = KR_MAMBA_MISTRAL, .package = &loading->package };
    krait_status status = codestral_sizes(loading, &m);

    if (status != KRAIT_OK || (status = kr_mamba_check_biases(loading, &m)) != KRAIT_OK)
        return status;
    kr_mamba2_arch(loading, &m);
    kr_field_warn_rest(loading, codestral_used, codestral_harmless);
    kr_mamba_tree(description, &m);
    return KRAIT_OK;
}

extern const kr_arch kr_arch_codestral;
const kr_arch kr_arch_codestral = { NULL, NULL, codestral_from_params, NULL, NULL, NULL };
