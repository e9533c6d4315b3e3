/*
 * mamba.h - what the families of Mamba-1 and Mamba-2 have in common: from a few sizes to krait's own
 * description, and back into the keys and names of a GGUF.
 */
#ifndef KR_MAMBA_H
#define KR_MAMBA_H

#include "model/arch.h"

/* Whose names the tensors have: Hugging Face's, those of state-spaces/mamba, Mistral's of these, GGUF's. */
typedef enum kr_mamba_names { KR_MAMBA_HUGGING, KR_MAMBA_ORIGINAL, KR_MAMBA_MISTRAL, KR_MAMBA_GGUF } kr_mamba_names;

/* What Mamba-2 has instead of a rank. */
typedef struct kr_mamba2 {
    size_t heads, groups;       /* heads 0: it is Mamba-1 */
    size_t norm_size;           /* channels of each norm behind the scan; 0: there is none */
    int    before_gate;         /* that norm comes before the gate */
    int    channels;            /* D has a number for each channel, not for each head */
    double eps;
    double low, high;           /* of dt; high 0: none */
} kr_mamba2;

typedef struct kr_mamba {
    size_t  width, layers, inner, states, taps, rank, vocabulary;
    size_t  hidden;             /* of a gated MLP behind each mixer; 0: there is none */
    double  eps;
    double  norm_eps;           /* of the norms of dt's part, B and C; below 0: there are none */
    int     layer_norm;         /* LayerNorm with biases instead of RMSNorm */
    int     untied;             /* the head has a tensor of its own */
    int     bytes;              /* tokens are bytes */
    int64_t end_token;          /* -1: none */
    kr_mamba2 second;
    kr_mamba_names    names;
    const kr_package *package;  /* which optional tensors there are */
} kr_mamba;

/* What stands before PyTorch's names. */
const char  *kr_mamba_prefix(kr_mamba_names names);
/* The name of the table of tokens. */
const char  *kr_mamba_table(kr_mamba_names names);
void         kr_mamba_tree(kr_writer *w, const kr_mamba *m);
/*
 * A bias that is missing is zero to mamba1, so a file that lost one would give wrong numbers: dt's
 * is in every layer, the others are in all of them or in none.
 */
krait_status kr_mamba_check_biases(kr_loading *loading, const kr_mamba *m);
/* The flag, or 'fallback' if it is absent (-1: either), says whether the tensor is there. */
krait_status kr_mamba_check_flag(kr_loading *loading, const kr_json *from, const char *field, int fallback,
                                 const char *tensor);
/* 1 in *bytes: a vocabulary of 256 without a tokenizer beside it. */
krait_status kr_mamba_is_bytes(kr_loading *loading, size_t vocabulary, int *bytes);
/* eos_token_id, or the first of them; -1: none that is a token. */
int64_t      kr_mamba_end(const kr_json *config, size_t vocabulary);
/* KRAIT_ERR_UNSUPPORTED for what another framework has quantised. */
krait_status kr_mamba_refuse_quantised(kr_loading *loading);

/* config.json of Hugging Face's MambaForCausalLM and FalconMambaForCausalLM, and of the original. */
krait_status kr_mamba_from_hugging(kr_loading *loading, kr_writer *description);
krait_status kr_mamba_from_falcon(kr_loading *loading, kr_writer *description);
krait_status kr_mamba_from_original(kr_loading *loading, kr_writer *description);
/* For kr_arch. */
krait_status kr_mamba_from_gguf(kr_loading *loading, kr_writer *description);
void         kr_mamba_gguf_keys(const kr_json *description, kr_gguf_writer *w);
void         kr_mamba_gguf_name(const char *canonical, kr_writer *name);


/* ---- Mamba-2 ------------------------------------------------------------------------------ */

/* Heads of 'width' channels each, in groups; m's inner is set. */
krait_status kr_mamba2_heads(kr_loading *loading, kr_mamba *m, size_t width);
/* The field [low, high]; absent: from 0 on. */
krait_status kr_mamba2_limits(kr_loading *loading, const kr_json *from, const char *field, kr_mamba2 *second);
/* GGUF's mamba2 has no place for more than the usual: of other models loading->model->arch becomes NULL. */
void         kr_mamba2_arch(kr_loading *loading, const kr_mamba *m);
/* Fields of ssm_cfg, which may be NULL, as modules/mamba2.py takes them. */
krait_status kr_mamba2_from_cfg(kr_loading *loading, const kr_json *cfg, kr_mamba *m);

extern const kr_arch kr_arch_mamba2;

#endif
