/*
 * arch.h - families of checkpoints: a foreign config.json or GGUF -> krait's own description.
 *
 * One file arch_<name>.c and one line in archs.def each.  The result is text, so that it can be
 * read, tested and written into files; nothing behind it knows where a model came from.
 */
#ifndef KR_ARCH_H
#define KR_ARCH_H

#include "formats/gguf_write.h"
#include "model/model.h"

struct kr_arch {
    const char *model_type;         /* of config.json, or NULL: there is none in theirs */
    const char *architecture;       /* general.architecture of GGUF, or NULL */
    krait_status (*from_config)(kr_loading *loading, kr_writer *description);
    krait_status (*from_gguf)(kr_loading *loading, kr_writer *description);
    /* For writing GGUF: the keys of what from_*() wrote, and a canonical weight's tensor. */
    void (*gguf_keys)(const kr_json *description, kr_gguf_writer *w);
    void (*gguf_name)(const char *canonical, kr_writer *name);
};

/* The family of a config.json; NULL: none that is known. */
const kr_arch *kr_arch_for_config(const kr_json *config);
const kr_arch *kr_arch_for_gguf(const char *architecture);

/* ---- reading foreign fields; every failure names the field ---------------------------- */

/* A whole number in low..high; absent: fallback, or an error if that is negative. */
krait_status kr_field_count(kr_loading *loading, const kr_json *from, const char *name,
                            int64_t low, int64_t high, int64_t fallback, size_t *value);
krait_status kr_field_number(kr_loading *loading, const kr_json *from, const char *name, double low,
                             double high, double fallback, double *value);
/* 1, 0, or -1 if absent. */
krait_status kr_field_flag(kr_loading *loading, const kr_json *from, const char *name, int *value);
/* 1 or 0; absent: fallback. */
krait_status kr_field_switch(kr_loading *loading, const kr_json *from, const char *name, int fallback, int *value);
/* The index in 'names', which ends at NULL, of a text; absent: fallback. */
krait_status kr_field_choice(kr_loading *loading, const kr_json *from, const char *name, const char *const *names,
                             int fallback, int *choice);
/* Tells options->warn of every field of config.json that is in neither list (each ends at NULL). */
void         kr_field_warn_rest(kr_loading *loading, const char *const *used,
                                const char *const *harmless);

#endif
