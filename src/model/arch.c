/* arch.c - the list of families, and reading their fields. */
#include "model/arch.h"

#include <string.h>

#define KR_ARCH(name) extern const kr_arch kr_arch_##name;
#include "model/archs.def"
#undef KR_ARCH

static const kr_arch *const arch_list[] = {
#define KR_ARCH(name) &kr_arch_##name,
#include "model/archs.def"
#undef KR_ARCH
    NULL
};

#if defined(KRAIT_MINIMAL)

const kr_arch *kr_arch_for_config(const kr_json *config)
{
    (void)config;                       /* there are no files that could have one */
    return NULL;
}

#else

/* The original Mamba's has no model_type, and Mistral's says "mamba", but they have sizes under names of their own. */
const kr_arch *kr_arch_for_config(const kr_json *config)
{
    const kr_json *type = kr_json_get(config, "model_type");

    if ((!type || kr_json_is(type, "mamba")) && kr_json_get(config, "dim") && kr_json_get(config, "n_groups"))
        return &kr_arch_codestral;
    for (const kr_arch *const *arch = arch_list; *arch; arch++)
        if ((*arch)->model_type && kr_json_is(type, (*arch)->model_type))
            return *arch;
    return !type && kr_json_get(config, "d_model") && kr_json_get(config, "n_layer") ? &kr_arch_mamba_ssm : NULL;
}

#endif

const kr_arch *kr_arch_for_gguf(const char *architecture)
{
    for (const kr_arch *const *arch = arch_list; *arch; arch++)
        if ((*arch)->architecture && strcmp((*arch)->architecture, architecture) == 0)
            return *arch;
    return NULL;
}

static krait_status field_missing(kr_loading *loading, const char *name)
{
    return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: '%s' is missing", loading->what, name);
}

krait_status kr_field_count(kr_loading *loading, const kr_json *from, const char *name,
                            int64_t low, int64_t high, int64_t fallback, size_t *value)
{
    const kr_json *field = kr_json_get(from, name);

    if (!field || field->kind == KR_JSON_NULL) {
        *value = (size_t)fallback;
        return fallback < 0 ? field_missing(loading, name) : KRAIT_OK;
    }
    if (field->kind != KR_JSON_NUMBER || !field->flag || field->integer < low || field->integer > high)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT,
                       "%.100s: '%s' must be a whole number in %lld..%lld", loading->what, name,
                       (long long)low, (long long)high);
    *value = (size_t)field->integer;
    return KRAIT_OK;
}

krait_status kr_field_number(kr_loading *loading, const kr_json *from, const char *name, double low,
                             double high, double fallback, double *value)
{
    const kr_json *field = kr_json_get(from, name);

    if (!field || field->kind == KR_JSON_NULL) {
        *value = fallback;
        return fallback < 0 ? field_missing(loading, name) : KRAIT_OK;
    }
    if (field->kind != KR_JSON_NUMBER || !(field->number >= low && field->number <= high))
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: '%s' is not a number in its range",
                       loading->what, name);
    *value = field->number;
    return KRAIT_OK;
}

krait_status kr_field_flag(kr_loading *loading, const kr_json *from, const char *name, int *value)
{
    const kr_json *field = kr_json_get(from, name);

    *value = -1;
    if (!field || field->kind == KR_JSON_NULL)
        return KRAIT_OK;
    if (field->kind != KR_JSON_BOOL)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: '%s' must be true or false",
                       loading->what, name);
    *value = field->flag;
    return KRAIT_OK;
}

krait_status kr_field_switch(kr_loading *loading, const kr_json *from, const char *name, int fallback, int *value)
{
    krait_status status = kr_field_flag(loading, from, name, value);

    if (status == KRAIT_OK && *value < 0)
        *value = fallback;
    return status;
}

krait_status kr_field_choice(kr_loading *loading, const kr_json *from, const char *name, const char *const *names,
                             int fallback, int *choice)
{
    const kr_json *field = kr_json_get(from, name);

    *choice = fallback;
    if (!field || field->kind == KR_JSON_NULL)
        return KRAIT_OK;
    for (*choice = 0; names[*choice]; ++*choice)
        if (kr_json_is(field, names[*choice]))
            return KRAIT_OK;
    return kr_fail(loading->message, KRAIT_ERR_UNSUPPORTED, "%.100s: '%.64s' is '%.32s', which is not built",
                   loading->what, name, field->kind == KR_JSON_TEXT ? field->text : "no text");
}

static int field_listed(const char *const *list, const char *name)
{
    while (*list && strcmp(*list, name) != 0)
        list++;
    return *list != NULL;
}

void kr_field_warn_rest(kr_loading *loading, const char *const *used, const char *const *harmless)
{
    const krait_open_options *options = loading->options;
    const kr_json            *field = loading->config ? loading->config->first : NULL;

    for (; field && options->warn; field = field->next) {
        krait_message line;

        if (field_listed(used, field->key) || field_listed(harmless, field->key))
            continue;
        kr_fail(&line, KRAIT_OK, "%.100s: field '%.64s' is not known and was ignored", loading->what,
                field->key);
        options->warn(options->warn_user, line.text);
    }
}
