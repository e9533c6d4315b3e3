/*
 * arch_s4.c - stacks of S4 blocks: config.json of model_type "s4" (mode 'dplr' or 'nplr') and "s4d" (mode 'diag'),
 * and the names that example.py of state-spaces/s4 gives a classifier's tensors; "dss": the same of ag1988/dss's DSS.
 *
 *     x = encoder(x)
 *     x = x + GLU(W GELU(s4(norm(x))) + b)        n_layers times; without prenorm norm(x + ...)
 *     y = decoder(mean over time of norm(x))      'norm' only with final_norm
 *
 * What the blocks themselves may vary (models/s4/s4.py, S4Block's and its kernels' arguments) stands in the
 * same object; what is absent has that code's default.  What C is stored for, l_kernel, is a tensor.  DSS (its
 * standalone/dss.py) has no GLU but with postact 'glu'; its d_state are all states, none a conjugate.
 */
#include <string.h>

#include "core/bits.h"
#include "model/arch.h"

static const char *const s4_used[] = {
    "model_type", "d_input", "d_model", "d_state", "n_layers", "n_classes", "norm", "prenorm", "final_norm",
    "pooling", "mode", "disc", "channels", "n_ssm", "real_transform", "imag_transform", "dt_transform", "dt_tie",
    "dt_fast", "rate", "bandlimit", "bidirectional", "is_real", "swap_channels", "final_act", "activation", "rank",
    "version", "sep_dt_re_im", "postact", "hyper_act", "l_max", NULL
};

/* What only training or the saving program look at. */
static const char *const s4_harmless[] = {
    "source", "sample_rate", "test_accuracy", "dropout", "tie_dropout", "lr", "wd", "dt_min", "dt_max", "init",
    "transposed", "architectures", "torch_dtype", "dtype", NULL
};

typedef struct s4_stack {
    size_t inputs, width, states, layers, classes, channels, copies, rank;
    int    diagonal;
    int    dss, version, two_steps, glu;
    uint64_t length;            /* l_kernel; DSS: that softmax was trained with, or 0 */
    int    batch, prenorm, final_norm, tied, fast, bilinear, bidirectional;
    int    real, imag, step, pooling;
    double rate, bandlimit;
} s4_stack;

enum { S4_EXP, S4_NONE };

static const char *const s4_transforms[] = { "exp", "none", "relu", "sigmoid", "softplus", NULL };
static const char *const s4_norms[] = { "layer", "batch", NULL };
static const char *const s4_pools[] = { "mean", "last", NULL };
static const char *const s4_discs[] = { "zoh", "bilinear", NULL };
static const char *const s4_ends[] = { "glu", NULL };
static const char *const s4_versions[] = { "softmax", "exp", "exp-re-im", "exp-no-scale", "exp-re-im-no-scale", "clip",
                                           "clip-no-scale", NULL };

/* null is what Python calls None: no function. */
static krait_status s4_transform(kr_loading *loading, const char *name, int fallback, int *transform)
{
    const kr_json *field = kr_json_get(loading->config, name);

    if (field && field->kind == KR_JSON_NULL)
        fallback = S4_NONE;
    return kr_field_choice(loading, loading->config, name, s4_transforms, fallback, transform);
}

/* The type of the model says which mode it has if nothing else does. */
static krait_status s4_mode(kr_loading *loading, s4_stack *s)
{
    static const char *const modes[] = { "diag", "dplr", "nplr", NULL }, *const diagonal[] = { "diag", NULL };
    int          only = kr_json_is(kr_json_get(loading->config, "model_type"), "s4d"), mode;
    krait_status status = kr_field_choice(loading, loading->config, "mode", only ? diagonal : modes, only ? 0 : 1, &mode);

    s->diagonal = mode == 0;
    s->glu = 1;
    return status;
}

/* What DSS has of its own; l_max is the length of all that its softmax has seen. */
static krait_status s4_dss(kr_loading *loading, s4_stack *s)
{
    const kr_json *c = loading->config, *hyper = kr_json_get(c, "hyper_act"), *end = kr_json_get(c, "postact");
    size_t         length = 0;
    int            only;
    krait_status   status;

    s->dss = s->diagonal = 1;
    if ((status = kr_field_choice(loading, c, "version", s4_versions, 0, &s->version)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "sep_dt_re_im", 1, &s->two_steps)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "l_max", 1, 1 << 30, s->version == 0 ? -1 : 1, &length)) != KRAIT_OK)
        return status;
    if (hyper && hyper->kind != KR_JSON_NULL)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: 'hyper_act' is not built", loading->what);
    s->glu = end && end->kind != KR_JSON_NULL;
    if (s->glu && (status = kr_field_choice(loading, c, "postact", s4_ends, 0, &only)) != KRAIT_OK)
        return status;
    s->length = s->version == 0 ? length : 0;
    return KRAIT_OK;
}

static krait_status s4_refuse(kr_loading *loading)
{
    static const char *const activations[] = { "gelu", NULL };
    static const char *const flags[] = { "is_real", "swap_channels" };
    int          chosen, set = 0;
    krait_status status = kr_field_choice(loading, loading->config, "activation", activations, 0, &chosen);

    for (size_t i = 0; i < sizeof flags / sizeof *flags && status == KRAIT_OK; i++) {
        status = kr_field_switch(loading, loading->config, flags[i], 0, &set);
        if (status == KRAIT_OK && set)
            return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: '%s' is not built", loading->what, flags[i]);
    }
    return status;
}

static krait_status s4_sizes(kr_loading *loading, s4_stack *s)
{
    const kr_json *c = loading->config;
    size_t         state = 64;
    krait_status   status;

    if ((status = kr_field_count(loading, c, "d_input", 1, 1 << 20, -1, &s->inputs)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "d_model", 1, 1 << 20, -1, &s->width)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "d_state", 2, 131072, 64, &state)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "n_layers", 1, 4096, -1, &s->layers)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "n_classes", 1, 1 << 20, -1, &s->classes)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "channels", 1, 4096, 1, &s->channels)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "n_ssm", 1, 1 << 20, (int64_t)s->width, &s->copies)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "rank", 1, 16, 1, &s->rank)) != KRAIT_OK ||
        (status = kr_field_number(loading, c, "rate", 1e-9, 1e9, 1, &s->rate)) != KRAIT_OK ||
        (status = kr_field_number(loading, c, "bandlimit", 0, 1e9, 0, &s->bandlimit)) != KRAIT_OK)
        return status;
    if (state % 2 != 0 && !s->dss)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: 'd_state' must be even: half of it is kept",
                       loading->what);
    s->states = s->dss ? state : state / 2;
    return KRAIT_OK;
}

static krait_status s4_choices(kr_loading *loading, s4_stack *s)
{
    krait_status status;
    int          end;

    if ((status = kr_field_choice(loading, loading->config, "norm", s4_norms, 0, &s->batch)) != KRAIT_OK ||
        (status = kr_field_choice(loading, loading->config, "pooling", s4_pools, 0, &s->pooling)) != KRAIT_OK ||
        (status = kr_field_choice(loading, loading->config, "disc", s4_discs, 0, &s->bilinear)) != KRAIT_OK ||
        (status = kr_field_choice(loading, loading->config, "final_act", s4_ends, 0, &end)) != KRAIT_OK ||
        (status = s4_transform(loading, "real_transform", S4_EXP, &s->real)) != KRAIT_OK ||
        (status = s4_transform(loading, "imag_transform", S4_NONE, &s->imag)) != KRAIT_OK ||
        (status = s4_transform(loading, "dt_transform", S4_EXP, &s->step)) != KRAIT_OK ||
        (status = kr_field_switch(loading, loading->config, "prenorm", 0, &s->prenorm)) != KRAIT_OK ||
        (status = kr_field_switch(loading, loading->config, "final_norm", 0, &s->final_norm)) != KRAIT_OK ||
        (status = kr_field_switch(loading, loading->config, "bidirectional", 0, &s->bidirectional)) != KRAIT_OK ||
        (status = kr_field_switch(loading, loading->config, "dt_tie", 1, &s->tied)) != KRAIT_OK)
        return status;
    return kr_field_switch(loading, loading->config, "dt_fast", 0, &s->fast);
}

/* One whole number of any of its usual types. */
static int s4_whole(const kr_source *from, uint64_t *value)
{
    if (from->type == KR_TYPE_I64 && from->bytes == 8)
        *value = kr_load_u32(from->data) | (uint64_t)kr_load_u32(from->data + 4) << 32;
    else if (from->type == KR_TYPE_I32 && from->bytes == 4)
        *value = kr_load_u32(from->data);
    else
        return 0;
    return *value <= 1 << 30;
}

/* Every layer has an l_kernel of its own; one that has gone through the same training has the same. */
static krait_status s4_stored(kr_loading *loading, s4_stack *s)
{
    if (s->bidirectional && !s->diagonal)
        return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: 'bidirectional' is not built for this 'mode'",
                       loading->what);
    for (size_t i = 0; i < s->layers && !s->diagonal; i++) {
        uint64_t         length = 0;
        kr_writer        name = { 0 };
        const kr_source *from;

        kr_writer_start(&name, &loading->arena);
        kr_write(&name, "layers.");
        kr_write_unsigned(&name, i);
        kr_write(&name, ".layer.kernel.l_kernel");
        from = name.text ? kr_package_find(&loading->package, name.text) : NULL;
        if (!from)
            return kr_fail(loading->message, KRAIT_ERR_SHAPE, "%.100s: there is no tensor layers.%zu.layer.kernel.l_kernel",
                           loading->what, i);
        if (!s4_whole(from, &length))
            return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: tensor %.100s is no whole number up to 2^30",
                           loading->what, from->name);
        if (i > 0 && length != s->length)
            return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: tensor %.100s differs from the first layer's,"
                           " which is not built", loading->what, from->name);
        s->length = length;
    }
    return KRAIT_OK;
}

/* ---- the tree -------------------------------------------------------------------------------------- */

static void s4_write_linear(kr_writer *w, const char *name, size_t width)
{
    kr_write(w, "{\"linear\":{\"name\":\"");
    kr_write(w, name);
    kr_write(w, "\",\"width\":");
    kr_write_unsigned(w, width);
    kr_write(w, "}}");
}

static void s4_write_norm(kr_writer *w, const s4_stack *s, const char *name, const char *tensors)
{
    static const char *const slots[] = { "weight", "bias", "running_mean", "running_var" };

    kr_write(w, s->batch ? "{\"batch_norm\":{\"name\":\"" : "{\"layer_norm\":{\"name\":\"");
    kr_write(w, name);
    kr_write(w, "\",\"weights\":{");
    for (int i = 0; i < (s->batch ? 4 : 2); i++) {
        kr_write(w, i ? ",\"" : "\"");
        kr_write(w, slots[i]);
        kr_write(w, "\":\"");
        kr_write(w, tensors);
        kr_write(w, ".");
        kr_write(w, slots[i]);
        kr_write(w, "\"");
    }
    kr_write(w, "}}}");
}

static void s4_write_dss(kr_writer *w, const s4_stack *s)
{
    kr_write(w, "{\"s4d\":{\"name\":\"layer\",\"path\":\"layers.{i}.layer\",\"form\":\"dss\",\"states\":");
    kr_write_unsigned(w, s->states);
    kr_write(w, ",\"channels\":");
    kr_write_unsigned(w, s->channels);
    kr_write(w, ",\"version\":\"");
    kr_write(w, s4_versions[s->version]);
    kr_write(w, s->two_steps ? "\",\"sep_dt_re_im\":true,\"length\":" : "\",\"sep_dt_re_im\":false,\"length\":");
    kr_write_unsigned(w, s->length);
    kr_write(w, s->bidirectional ? ",\"bidirectional\":true}}" : "}}");
}

static void s4_write_kernel(kr_writer *w, const s4_stack *s)
{
    if (s->dss) {
        s4_write_dss(w, s);
        return;
    }
    kr_write(w, s->diagonal ? "{\"s4d\"" : "{\"s4\"");
    kr_write(w, ":{\"name\":\"layer\",\"path\":\"layers.{i}.layer\",\"states\":");
    kr_write_unsigned(w, s->states);
    kr_write(w, ",\"channels\":");
    kr_write_unsigned(w, s->channels);
    kr_write(w, ",\"copies\":");
    kr_write_unsigned(w, s->copies);
    if (s->diagonal) {
        kr_write(w, ",\"discretization\":\"");
        kr_write(w, s4_discs[s->bilinear]);
        kr_write(w, "\"");
    } else {
        kr_write(w, ",\"rank\":");
        kr_write_unsigned(w, s->rank);
        kr_write(w, ",\"l_kernel\":");
        kr_write_unsigned(w, s->length);
    }
    kr_write(w, ",\"real\":\"");
    kr_write(w, s4_transforms[s->real]);
    kr_write(w, "\",\"imag\":\"");
    kr_write(w, s4_transforms[s->imag]);
    kr_write(w, "\",\"step\":\"");
    kr_write(w, s4_transforms[s->step]);
    kr_write(w, s->tied ? "\",\"tied\":true" : "\",\"tied\":false");
    kr_write(w, s->fast ? ",\"fast\":true,\"rate\":" : ",\"fast\":false,\"rate\":");
    kr_write_number(w, s->rate);
    kr_write(w, ",\"bandlimit\":");
    kr_write_number(w, s->bandlimit);
    if (s->bidirectional)
        kr_write(w, ",\"bidirectional\":true");
    kr_write(w, "}}");
}

/* What is added to x: everything of a block between its norm and its sum. */
static void s4_write_block(kr_writer *w, const s4_stack *s)
{
    kr_write(w, "{\"residual\":{\"sequence\":[");
    if (s->prenorm) {
        s4_write_norm(w, s, "norm", "norms.{i}");
        kr_write(w, ",");
    }
    s4_write_kernel(w, s);
    kr_write(w, ",{\"activation\":{\"kind\":\"gelu\"}},");
    kr_write(w, s->glu ? "{\"linear\":{\"name\":\"output_linear.0\",\"path\":\"layers.{i}.output_linear.0\",\"width\":"
                       : "{\"linear\":{\"name\":\"output_linear\",\"path\":\"layers.{i}.output_linear\",\"width\":");
    kr_write_unsigned(w, (s->glu ? 2 : 1) * s->width);
    kr_write(w, s->glu ? "}},{\"glu\":{}}]}}" : "}}]}}");
}

static void s4_write_tree(kr_writer *w, const s4_stack *s)
{
    kr_write(w, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":");
    kr_write_unsigned(w, s->inputs);
    kr_write(w, "},\"tree\":{\"sequence\":[");
    s4_write_linear(w, "encoder", s->width);
    kr_write(w, ",{\"repeat\":{\"name\":\"layers\",\"n\":");
    kr_write_unsigned(w, s->layers);
    kr_write(w, ",\"of\":");
    if (!s->prenorm)
        kr_write(w, "{\"sequence\":[");
    s4_write_block(w, s);
    if (!s->prenorm) {
        kr_write(w, ",");
        s4_write_norm(w, s, "norm", "norms.{i}");
        kr_write(w, "]}");
    }
    kr_write(w, "}},");
    if (s->final_norm) {
        s4_write_norm(w, s, "norm", "norm");
        kr_write(w, ",");
    }
    kr_write(w, "{\"put\":{\"as\":\"features\"}},{\"pool\":{\"kind\":\"");
    kr_write(w, s4_pools[s->pooling]);
    kr_write(w, "\"}},");
    s4_write_linear(w, "decoder", s->classes);
    kr_write(w, "]}}");
}

static krait_status s4_from_config(kr_loading *loading, kr_writer *description)
{
    s4_stack     s = { 0 };
    krait_status status;

    if ((status = s4_mode(loading, &s)) != KRAIT_OK || (status = s4_refuse(loading)) != KRAIT_OK ||
        (status = s4_sizes(loading, &s)) != KRAIT_OK || (status = s4_choices(loading, &s)) != KRAIT_OK ||
        (status = s4_stored(loading, &s)) != KRAIT_OK)
        return status;
    kr_field_warn_rest(loading, s4_used, s4_harmless);
    s4_write_tree(description, &s);
    return KRAIT_OK;
}

static krait_status s4_from_dss(kr_loading *loading, kr_writer *description)
{
    s4_stack     s = { 0 };
    krait_status status;

    if ((status = s4_dss(loading, &s)) != KRAIT_OK || (status = s4_refuse(loading)) != KRAIT_OK ||
        (status = s4_sizes(loading, &s)) != KRAIT_OK || (status = s4_choices(loading, &s)) != KRAIT_OK)
        return status;
    kr_field_warn_rest(loading, s4_used, s4_harmless);
    s4_write_tree(description, &s);
    return KRAIT_OK;
}

extern const kr_arch kr_arch_s4, kr_arch_s4d, kr_arch_dss;
const kr_arch kr_arch_s4 = {
    "s4", NULL, s4_from_config, NULL, NULL, NULL,
};
const kr_arch kr_arch_s4d = {
    "s4d", NULL, s4_from_config, NULL, NULL, NULL,
};
const kr_arch kr_arch_dss = {
    "dss", NULL, s4_from_dss, NULL, NULL, NULL,
};
