/*
 * arch_vim.c - Vision Mamba (Zhu et al., arXiv 2401.09417): config.json of model_type "vim" with
 * the arguments of VisionMamba in hustvl/Vim, vim/models_mamba.py, and the names of its state dict.
 *
 * What is absent has that code's default.  Two fields are not of that code: image_mean and
 * image_std, as image processors name what is taken from pixels of 0 to 1 and divides them.
 */
#include "model/vim.h"

#include <string.h>

static const char *const vim_used[] = {
    "model_type", "img_size", "patch_size", "stride", "depth", "embed_dim", "d_state", "channels",
    "num_classes", "ssm_cfg", "norm_epsilon", "rms_norm", "if_bidirectional", "final_pool_type",
    "if_abs_pos_embed", "if_rope", "flip_img_sequences_ratio", "if_bimamba", "bimamba_type",
    "if_cls_token", "if_divide_out", "init_layer_scale", "use_double_cls_token",
    "use_middle_cls_token", "image_mean", "image_std", NULL
};

/* What only training, rope or the saving program look at. */
static const char *const vim_harmless[] = {
    "drop_rate", "drop_path_rate", "initializer_cfg", "fused_add_norm", "residual_in_fp32",
    "device", "dtype", "torch_dtype", "ft_seq_len", "pt_hw_seq_len", "if_rope_residual",
    "pretrained", "pretrained_cfg", "default_cfg", "architectures", "_name_or_path",
    "transformers_version", NULL
};

/* Arguments of Mamba: those that matter, and those of training. */
static const char *const vim_mixer_known[] = {
    "d_conv", "expand", "dt_rank", "conv_bias", "bias", "use_fast_path", "dt_min", "dt_max",
    "dt_init", "dt_scale", "dt_init_floor", NULL
};

static krait_status vim_unsupported(const kr_loading *loading, const char *field, const char *why)
{
    return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: '%s'%s", loading->what, field,
                   why);
}

/* 28, or [rows, columns]. */
static krait_status vim_extent(kr_loading *loading, const char *name, size_t fallback,
                               size_t *extent)
{
    const kr_json *field = kr_json_get(loading->config, name);
    const kr_json *item =
        field && field->kind == KR_JSON_ARRAY && field->count == 2 ? field->first : NULL;

    if (!item) {
        krait_status status =
            kr_field_count(loading, loading->config, name, 1, 65536, (int64_t)fallback, extent);

        extent[1] = extent[0];
        return status;
    }
    for (int i = 0; i < 2; i++, item = item->next) {
        if (item->kind != KR_JSON_NUMBER || !item->flag || item->integer < 1 ||
            item->integer > 65536)
            return kr_fail(loading->message, KRAIT_ERR_FORMAT,
                           "%.100s: '%s' must be [rows, columns] of 1..65536", loading->what, name);
        extent[i] = (size_t)item->integer;
    }
    return KRAIT_OK;
}

/* ---- what cannot be run ------------------------------------------------------------- */

static krait_status vim_refuse(kr_loading *loading)
{
    const kr_json *mixer = kr_json_get(loading->config, "ssm_cfg");
    double         flips;
    int            rope, fast;
    krait_status   status;

    if ((status = kr_field_switch(loading, loading->config, "if_rope", 0, &rope)) != KRAIT_OK ||
        (status = kr_field_number(loading, loading->config, "flip_img_sequences_ratio", -1e30,
                                  1e30, 0, &flips)) != KRAIT_OK ||
        (status = kr_field_switch(loading, mixer, "use_fast_path", 1, &fast)) != KRAIT_OK)
        return status;
    if (rope)
        return vim_unsupported(loading, "if_rope", ": rotary embeddings are not built");
    if (flips > 0)
        return vim_unsupported(loading, "flip_img_sequences_ratio",
                               " above 0 flips sequences at random");
    if (!fast)
        return vim_unsupported(loading, "ssm_cfg.use_fast_path",
                               ": false runs one direction alone");
    if (mixer && mixer->kind != KR_JSON_OBJECT && mixer->kind != KR_JSON_NULL)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: 'ssm_cfg' must be an object",
                       loading->what);
    for (const kr_json *field = mixer ? mixer->first : NULL; field; field = field->next) {
        size_t i = 0;

        while (vim_mixer_known[i] && strcmp(vim_mixer_known[i], field->key) != 0)
            i++;
        if (!vim_mixer_known[i])
            return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED,
                           "%.100s: field '%.64s' of 'ssm_cfg' is not known", loading->what,
                           field->key);
    }
    return KRAIT_OK;
}

/* ---- sizes -------------------------------------------------------------------------- */

static krait_status vim_sizes(kr_loading *loading, kr_vim *s)
{
    const kr_json *c = loading->config;
    krait_status   status;

    if ((status = vim_extent(loading, "img_size", 224, s->image)) != KRAIT_OK ||
        (status = vim_extent(loading, "patch_size", 16, s->patch)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "stride", 1, 65536, 16, &s->stride)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "channels", 1, 65536, 3, &s->channels)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "embed_dim", 1, 1 << 20, 192,
                                 &s->width)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "depth", 1, 4096, 24, &s->depth)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "d_state", 1, 65536, 16, &s->states)) != KRAIT_OK ||
        (status = kr_field_count(loading, c, "num_classes", 0, 1 << 22, 1000,
                                 &s->classes)) != KRAIT_OK ||
        (status = kr_field_number(loading, c, "norm_epsilon", 0, 1, 1e-5, &s->eps)) != KRAIT_OK)
        return status;
    if (s->patch[0] > s->image[0] || s->patch[1] > s->image[1])
        return kr_fail(loading->message, KRAIT_ERR_FORMAT,
                       "%.100s: 'patch_size' is more than 'img_size'", loading->what);
    if (kr_vim_patches(s) < 2)
        return vim_unsupported(loading, "patch_size", ": a single patch is no sequence");
    return KRAIT_OK;
}

/* inner: the whole part of expand * width; rank "auto": a sixteenth of the width, rounded up. */
static krait_status vim_mixer(kr_loading *loading, kr_vim *s)
{
    const kr_json *mixer = kr_json_get(loading->config, "ssm_cfg"), *scale;
    size_t         automatic = (s->width + 15) / 16;
    double         expand;
    krait_status   status;

    if ((status = kr_field_number(loading, mixer, "expand", 0.001, 1024, 2, &expand)) != KRAIT_OK ||
        (status = kr_field_count(loading, mixer, "d_conv", 1, 4096, 4, &s->taps)) != KRAIT_OK ||
        (status = kr_field_switch(loading, mixer, "bias", 0, &s->bias)) != KRAIT_OK ||
        (status = kr_field_switch(loading, mixer, "conv_bias", 1, &s->conv_bias)) != KRAIT_OK)
        return status;
    s->inner = (size_t)(expand * (double)s->width);
    s->rank = automatic;
    scale = kr_json_get(loading->config, "init_layer_scale");
    s->gamma = scale && scale->kind != KR_JSON_NULL;
    if (s->inner < 1 || s->inner > (size_t)KR_MOST_WIDTH / 2)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT,
                       "%.100s: 'expand' leaves no or too many channels", loading->what);
    if (kr_json_is(kr_json_get(mixer, "dt_rank"), "auto"))
        return KRAIT_OK;
    return kr_field_count(loading, mixer, "dt_rank", 1, (int64_t)KR_MOST_WIDTH, (int64_t)automatic,
                          &s->rank);
}

static krait_status vim_flow(kr_loading *loading, kr_vim *s)
{
    static const char *const pools[] = { "none", "mean", "max", "all", NULL };
    static const char *const both[] = { "none", "v1", "v2", NULL };
    const kr_json *c = loading->config;
    int            token, twice, middle, v1;
    krait_status   status;

    if ((status = kr_field_choice(loading, c, "final_pool_type", pools, VIM_LAST, &s->pool)) != KRAIT_OK ||
        (status = kr_field_choice(loading, c, "bimamba_type", both, VIM_V2, &s->both)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "if_bimamba", 0, &v1)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "rms_norm", 1, &s->rms)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "if_divide_out", 1, &s->divide)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "if_bidirectional", 0, &s->pairs)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "if_abs_pos_embed", 1, &s->positions)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "if_cls_token", 1, &token)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "use_double_cls_token", 0, &twice)) != KRAIT_OK ||
        (status = kr_field_switch(loading, c, "use_middle_cls_token", 1, &middle)) != KRAIT_OK)
        return status;
    if (v1)
        s->both = VIM_V1;
    s->token = !token ? VIM_NO_TOKEN : twice ? VIM_DOUBLE : middle ? VIM_MIDDLE : VIM_FIRST;
    if (token && s->pool == VIM_MAX)
        return vim_unsupported(loading, "final_pool_type",
                               " max with a class token is the greatest of all classes");
    if (s->pairs && s->depth < 2)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT,
                       "%.100s: 'if_bidirectional' needs a 'depth' of 2", loading->what);
    return KRAIT_OK;
}

/* A number, or one for each channel, of 'low' or more. */
static krait_status vim_pixel_field(kr_loading *loading, const kr_vim *s, const char *name,
                                    double low, const kr_json **value)
{
    const kr_json *field = kr_json_get(loading->config, name), *item = field;
    size_t         count = 1;

    *value = NULL;
    if (!field || field->kind == KR_JSON_NULL)
        return KRAIT_OK;
    if (field->kind == KR_JSON_ARRAY) {
        count = field->count;
        item = field->first;
    }
    if (count == 1 || count == s->channels) {
        while (count && item->kind == KR_JSON_NUMBER && item->number >= low &&
               item->number <= 1e30) {
            item = item->next;
            count--;
        }
        if (count == 0) {
            *value = field;
            return KRAIT_OK;
        }
    }
    return kr_fail(loading->message, KRAIT_ERR_FORMAT,
                   "%.100s: '%s' must be a number, or one for each channel%s", loading->what, name,
                   low > 0 ? ", above 0" : "");
}

static krait_status vim_pixels(kr_loading *loading, kr_vim *s)
{
    krait_status status;

    if ((status = vim_pixel_field(loading, s, "image_mean", -1e30, &s->mean)) != KRAIT_OK ||
        (status = vim_pixel_field(loading, s, "image_std", 1e-30, &s->std)) != KRAIT_OK)
        return status;
    if (!s->mean != !s->std)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: '%s' is missing", loading->what,
                       s->mean ? "image_std" : "image_mean");
    return KRAIT_OK;
}

/* ---- tensors that the fields say are not there -------------------------------------- */

/* A tensor, and the field that says whether it is there. */
typedef struct vim_tensor { const char *tensor; int wanted; const char *field; } vim_tensor;

/* Those that are wanted are named in the tree, so that one that is lost is an error there. */
static krait_status vim_check_absent(kr_loading *loading, const char *layer, const char *tensor,
                                     int wanted, const char *field)
{
    kr_writer name;

    if (wanted)
        return KRAIT_OK;
    kr_writer_start(&name, &loading->arena);
    kr_write(&name, layer);
    kr_write(&name, tensor);
    if (name.broken)
        return kr_fail_memory(loading->message);
    if (!kr_package_find(&loading->package, name.text))
        return KRAIT_OK;
    return kr_fail(loading->message, KRAIT_ERR_SHAPE,
                   "%.100s: tensor %.100s is there, but not by '%s'", loading->what, name.text,
                   field);
}

static krait_status vim_check_layer(kr_loading *loading, const kr_vim *s, size_t i)
{
    const vim_tensor tensors[] = {
        { "norm.weight", i < s->depth, "depth" },
        { "norm.bias", !s->rms, "rms_norm" },
        { "mixer.in_proj.bias", s->bias, "ssm_cfg.bias" },
        { "mixer.out_proj.bias", s->bias, "ssm_cfg.bias" },
        { "mixer.conv1d.bias", s->conv_bias, "ssm_cfg.conv_bias" },
        { "mixer.A_b_log", s->both != VIM_FORWARD, "bimamba_type" },
        { "mixer.x_proj_b.weight", s->both == VIM_V2, "bimamba_type" },
        { "mixer.conv1d_b.bias", s->conv_bias && s->both == VIM_V2, "ssm_cfg.conv_bias" },
        { "mixer.gamma", s->gamma, "init_layer_scale" },
    };
    kr_writer    layer;
    krait_status status = KRAIT_OK;

    kr_writer_start(&layer, &loading->arena);
    kr_write(&layer, "layers.");
    kr_write_unsigned(&layer, i);
    kr_write(&layer, ".");
    if (layer.broken)
        return kr_fail_memory(loading->message);
    for (size_t k = 0; k < sizeof tensors / sizeof *tensors && status == KRAIT_OK; k++)
        status = vim_check_absent(loading, layer.text, tensors[k].tensor, tensors[k].wanted,
                                  tensors[k].field);
    return status;
}

/* A head that num_classes 0 leaves out is welcome to be there. */
static krait_status vim_check(kr_loading *loading, const kr_vim *s)
{
    int one = s->token == VIM_FIRST || s->token == VIM_MIDDLE, two = s->token == VIM_DOUBLE;
    const vim_tensor tensors[] = {
        { "cls_token", one, two ? "use_double_cls_token" : "if_cls_token" },
        { "cls_token_head", two, "use_double_cls_token" },
        { "cls_token_tail", two, "use_double_cls_token" },
        { "pos_embed", s->positions, "if_abs_pos_embed" },
        { "norm_f.bias", !s->rms, "rms_norm" },
    };
    krait_status status;

    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        if ((status = vim_check_absent(loading, "", tensors[i].tensor, tensors[i].wanted,
                                       tensors[i].field)) != KRAIT_OK)
            return status;
    for (size_t i = 0; i <= s->depth; i++)
        if ((status = vim_check_layer(loading, s, i)) != KRAIT_OK)
            return status;
    return KRAIT_OK;
}

static krait_status vim_from_config(kr_loading *loading, kr_writer *description)
{
    kr_vim       s = { 0 };
    krait_status status;

    if ((status = vim_refuse(loading)) != KRAIT_OK ||
        (status = vim_sizes(loading, &s)) != KRAIT_OK ||
        (status = vim_mixer(loading, &s)) != KRAIT_OK ||
        (status = vim_flow(loading, &s)) != KRAIT_OK ||
        (status = vim_pixels(loading, &s)) != KRAIT_OK ||
        (status = vim_check(loading, &s)) != KRAIT_OK)
        return status;
    kr_field_warn_rest(loading, vim_used, vim_harmless);
    kr_vim_write(description, &s);
    return KRAIT_OK;
}

extern const kr_arch kr_arch_vim;
const kr_arch kr_arch_vim = {
    "vim", NULL, vim_from_config, NULL, NULL, NULL,
};
