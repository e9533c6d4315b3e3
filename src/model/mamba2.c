/* mamba2.c - what the families of Mamba-2 have in common: sizes, ssm_cfg, what GGUF can say of them. */
#include <string.h>

#include "model/mamba.h"

krait_status kr_mamba2_heads(kr_loading *loading, kr_mamba *m, size_t width)
{
    kr_mamba2 *s = &m->second;

    s->heads = m->inner / width;
    if (s->heads == 0 || s->heads * width != m->inner)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: %zu channels are no whole number of heads of %zu",
                       loading->what, m->inner, width);
    if (s->groups > s->heads || s->heads % s->groups != 0)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: %zu heads in %zu groups", loading->what, s->heads,
                       s->groups);
    return KRAIT_OK;
}

krait_status kr_mamba2_limits(kr_loading *loading, const kr_json *from, const char *field, kr_mamba2 *second)
{
    const kr_json *limits = kr_json_get(from, field), *low = limits ? limits->first : NULL;
    const kr_json *high = low ? low->next : NULL;

    if (!limits || limits->kind == KR_JSON_NULL)
        return KRAIT_OK;
    if (limits->kind != KR_JSON_ARRAY || limits->count != 2 || low->kind != KR_JSON_NUMBER ||
        high->kind != KR_JSON_NUMBER || !(low->number >= 0) || !(high->number > low->number) || low->number > 1e30)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: '%s' must be two numbers, of which the first is not "
                       "below 0 and the second above it", loading->what, field);
    second->low = low->number;
    second->high = high->number <= 1e30 ? high->number : 0;
    return KRAIT_OK;
}

void kr_mamba2_arch(kr_loading *loading, const kr_mamba *m)
{
    const kr_mamba2 *s = &m->second;
    int usual = s->norm_size == m->inner / s->groups && !s->before_gate && !s->channels && s->eps == m->eps &&
                s->low == 0 && s->high == 0 && !m->hidden && !m->layer_norm;

    loading->model->arch = usual ? &kr_arch_mamba2 : NULL;
}

/* ---- ssm_cfg ------------------------------------------------------------------------------ */

/* What only starts training or chooses among kernels does not matter. */
static const char *const mamba2_cfg_used[] = {
    "layer", "d_state", "d_conv", "conv_init", "expand", "headdim", "d_ssm", "ngroups", "A_init_range", "D_has_hdim",
    "rmsnorm", "norm_before_gate", "dt_min", "dt_max", "dt_init_floor", "dt_limit", "bias", "conv_bias", "chunk_size",
    "use_mem_eff_path", "sequence_parallel", "device", "dtype", NULL
};

/* 1 unless a field is there that says otherwise, or another than 'fallback'. */
static krait_status mamba2_cfg_flag(kr_loading *loading, const kr_json *cfg, const char *name, int fallback, int *value)
{
    krait_status status = kr_field_flag(loading, cfg, name, value);

    if (*value < 0)
        *value = fallback;
    return status;
}

static krait_status mamba2_cfg_refuse(kr_loading *loading, const kr_json *cfg, const kr_mamba *m)
{
    size_t       inner;
    krait_status status = kr_field_count(loading, cfg, "d_ssm", 1, (int64_t)KR_MOST_WIDTH, (int64_t)m->inner, &inner);

    if (status == KRAIT_OK && inner != m->inner)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED,
                       "%.100s: 'd_ssm' of 'ssm_cfg' leaves channels to an MLP within the mixer, which is not built",
                       loading->what);
    for (const kr_json *field = cfg ? cfg->first : NULL; status == KRAIT_OK && field; field = field->next) {
        size_t i = 0;

        while (mamba2_cfg_used[i] && strcmp(mamba2_cfg_used[i], field->key) != 0)
            i++;
        if (!mamba2_cfg_used[i])
            return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: 'ssm_cfg' has the unknown field '%.64s'",
                           loading->what, field->key);
    }
    return status;
}

/* Width, inner and eps of m are set. */
krait_status kr_mamba2_from_cfg(kr_loading *loading, const kr_json *cfg, kr_mamba *m)
{
    kr_mamba2   *s = &m->second;
    size_t       width;
    int          normed;
    krait_status status;

    if ((status = mamba2_cfg_refuse(loading, cfg, m)) != KRAIT_OK ||
        (status = kr_field_count(loading, cfg, "headdim", 1, 16384, 64, &width)) != KRAIT_OK ||
        (status = kr_field_count(loading, cfg, "ngroups", 1, 65536, 1, &s->groups)) != KRAIT_OK ||
        (status = kr_mamba2_heads(loading, m, width)) != KRAIT_OK ||
        (status = kr_mamba2_limits(loading, cfg, "dt_limit", s)) != KRAIT_OK ||
        (status = mamba2_cfg_flag(loading, cfg, "rmsnorm", 1, &normed)) != KRAIT_OK ||
        (status = mamba2_cfg_flag(loading, cfg, "norm_before_gate", 0, &s->before_gate)) != KRAIT_OK ||
        (status = mamba2_cfg_flag(loading, cfg, "D_has_hdim", 0, &s->channels)) != KRAIT_OK)
        return status;
    s->norm_size = normed ? m->inner / s->groups : 0;
    s->eps = 1e-5;                          /* the mixer's own, whatever the blocks' norms have */
    return KRAIT_OK;
}
