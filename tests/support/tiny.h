/*
 * tiny.h - tiny random Mamba models in every form in which a model comes, and an allocator that
 * counts and fails on demand.
 *
 * Weights come from random.h, so that one seed is one model everywhere.  Every tensor lies in a
 * malloc of exactly its size.  Nothing here needs test.h: programs and benches may use it too.
 * What must work and does not (memory, disk, a step) aborts.
 */
#ifndef KR_TEST_TINY_H
#define KR_TEST_TINY_H

#include <stddef.h>
#include <stdint.h>

#include "krait.h"

enum { TINY_TENSORS = 64, TINY_NAME = 56 };

/* 0 is the default: bytes, 2 layers, width 16, inner 32, states 4, taps 4, rank 2. */
typedef struct tiny_sizes {
    size_t vocabulary, layers, width, inner, states, taps, rank;
    int    in_bias;             /* use_bias: of in_proj and out_proj */
    int    no_conv_bias;
    int    untied;              /* a head of its own */
} tiny_sizes;

/* A model as Hugging Face has it: config.json and named tensors. */
typedef struct tiny {
    tiny_sizes   sizes;
    char         config[1024];
    krait_tensor tensors[TINY_TENSORS];     /* float32; data may be written to */
    char         names[TINY_TENSORS][TINY_NAME];
    size_t       count;
} tiny;

tiny  *tiny_make(const tiny_sizes *sizes, uint64_t seed);      /* sizes NULL: all defaults */
void   tiny_free(tiny *t);
/* The tensor of that name; NULL: none. */
krait_tensor *tiny_find(tiny *t, const char *name);
/* Its numbers, which lie as in files: read and written through tiny_little(). */
float *tiny_data(tiny *t, const char *name);
/* The number whose bytes here are x's in a little-endian file, and the other way round. */
float  tiny_little(float x);
/* Takes a tensor out. */
void   tiny_drop(tiny *t, const char *name);

/* krait_model_create() with default options; NULL if it fails. */
krait_model   *tiny_model(const tiny *t);
/* A fresh state with malloc's memory. */
krait_state   *tiny_state(const krait_model *model, uint32_t lanes, uint32_t chunk);
/* Steps with tokens out of the seed; the outputs of the last step go to 'out', if not NULL. */
void           tiny_steps(const krait_model *model, krait_state *state, size_t lanes, size_t count,
                          uint64_t seed, float *out);
uint64_t       tiny_hash(const krait_model *model, const krait_state *state, int32_t lane);
/*
 * Outputs of 'steps' steps on one lane of a fresh state, all rows after one another; to be freed.
 * Tokens or features come from random.h.  *count, if not NULL, is the number of floats.
 */
float         *tiny_logits(const krait_model *model, size_t steps, size_t *count);
/* A .safetensors file, with 'description' (or NULL) under "krait"; to be freed. */
unsigned char *tiny_safetensors(const tiny *t, const char *description, size_t *count);
/* folder/config.json and folder/model.safetensors; the folder is made if need be. */
void           tiny_folder(const tiny *t, const char *folder);
/* Through krait_convert(), with t's folder written to 'folder'. */
krait_status   tiny_gguf(const tiny *t, const char *folder, const char *to, int32_t type, int32_t layout);

void           tiny_write(const char *path, const void *bytes, size_t count);
unsigned char *tiny_read(const char *path, size_t *count);      /* NULL: no such file */
/* A copy of the bytes, if not NULL, aligned to 64 in a block of exactly that size; to be freed. */
unsigned char *tiny_aligned(const void *bytes, size_t count);

/* ---- memory ---- */

typedef struct tiny_block tiny_block;

typedef struct tiny_memory {
    krait_allocator allocator;      /* to be given to krait; not to be moved */
    size_t          calls;          /* of allocate() so far */
    size_t          fail_at;        /* this call fails; 0: none */
    int             for_good;       /* and all after it */
    uint64_t        limit;          /* larger requests fail; 0: none */
    uint64_t        held, peak;     /* bytes */
    size_t          wrong;          /* releases of what was not allocated so */
    tiny_block     *blocks;
} tiny_memory;

void tiny_memory_start(tiny_memory *m, size_t fail_at, int for_good);
/* 1 if all came back and nothing was wrong.  Frees what leaked. */
int  tiny_memory_end(tiny_memory *m);

#endif
