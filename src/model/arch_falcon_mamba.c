/*
 * arch_falcon_mamba.c - Hugging Face's FalconMambaForCausalLM: Mamba-1 with norms of dt's part, B and
 * C.  A GGUF of it has the architecture "mamba" and says so in mamba.ssm.dt_b_c_rms.
 */
#include "model/mamba.h"

extern const kr_arch kr_arch_falcon_mamba;
const kr_arch kr_arch_falcon_mamba = {
    "falcon_mamba", "mamba", kr_mamba_from_falcon, kr_mamba_from_gguf, kr_mamba_gguf_keys, kr_mamba_gguf_name,
};
