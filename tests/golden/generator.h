/*
 * generator.h - the weights and token ids behind the recorded outputs in this
 * folder.  The recorded files hold outputs only; inputs and weights come from
 * this generator, which make_mamba.py holds a second time in Python.  The two
 * agree bit for bit (make_mamba.py --check-generator compares them).
 *
 *   seed of a tensor:  FNV-1a-64 of its name's bytes, XOR the model's seed
 *   element i:         the (i+1)-th output z of splitmix64 from that seed
 *   unit:              u = ((int32)(z >> 40) - 2^23) * 2^-23, in [-1, 1)
 *   value:             float(offset + float(scale * u))
 *   token id:          (z >> 33) % vocabulary, of the tensor named "ids"
 *
 * scale and offset follow from the end of the name, first match wins:
 *
 *   A_log                         1.0    1.0
 *   .D                            0.5    1.0
 *   norm.weight, norm_f.weight    0.25   1.0
 *   dt_proj.bias, mixer.dt_bias   1.0   -2.5
 *   conv1d.weight                 0.5    0
 *   .bias                         0.1    0
 *   embeddings.weight             1.0    0
 *   any other matrix [out, in]    2^-e   0,  e = (bits of in - 1) / 2 rounded down
 *
 * C99, no dependency, no state; the results do not depend on -ffp-contract.
 */
#ifndef KR_GOLDEN_GENERATOR_H
#define KR_GOLDEN_GENERATOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* FNV-1a over the bytes of a name, without its final zero. */
static inline uint64_t kr_golden_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name != '\0'; name++) {
        hash ^= (unsigned char)*name;
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}

/* One step of splitmix64. */
static inline uint64_t kr_golden_next(uint64_t *state)
{
    uint64_t z;

    *state += UINT64_C(0x9E3779B97F4A7C15);
    z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Does the name end so? */
static inline int kr_golden_ends(const char *name, const char *end)
{
    size_t name_length = strlen(name);
    size_t end_length = strlen(end);

    return name_length >= end_length && strcmp(name + (name_length - end_length), end) == 0;
}

/* 2^-e with e = (bits of `inputs` - 1) / 2: about 1 / sqrt(inputs). */
static inline float kr_golden_matrix_scale(uint64_t inputs)
{
    float scale = 1.0f;

    for (; inputs >= 4; inputs >>= 2)
        scale *= 0.5f;
    return scale;
}

/* The scale and offset of a tensor whose last dimension is `inputs`. */
static inline void kr_golden_range(const char *name, uint64_t inputs, float *scale, float *offset)
{
    *offset = 0.0f;
    if (kr_golden_ends(name, "A_log")) {
        *scale = 1.0f;
        *offset = 1.0f;
    } else if (kr_golden_ends(name, ".D")) {
        *scale = 0.5f;
        *offset = 1.0f;
    } else if (kr_golden_ends(name, "norm.weight") || kr_golden_ends(name, "norm_f.weight")) {
        *scale = 0.25f;
        *offset = 1.0f;
    } else if (kr_golden_ends(name, "dt_proj.bias") || kr_golden_ends(name, "mixer.dt_bias")) {
        *scale = 1.0f;
        *offset = -2.5f;
    } else if (kr_golden_ends(name, "conv1d.weight")) {
        *scale = 0.5f;
    } else if (kr_golden_ends(name, ".bias")) {
        *scale = 0.1f;
    } else if (kr_golden_ends(name, "embeddings.weight")) {
        *scale = 1.0f;
    } else {
        *scale = kr_golden_matrix_scale(inputs);
    }
}

/* Fill `out`, row-major, with the named tensor of the model with this seed. */
static inline void kr_golden_fill(const char *name, uint64_t seed, const uint64_t *shape,
                                  int dimensions, float *out)
{
    uint64_t state = kr_golden_hash(name) ^ seed;
    uint64_t count = 1;
    uint64_t i;
    float scale;
    float offset;
    int d;

    for (d = 0; d < dimensions; d++)
        count *= shape[d];
    kr_golden_range(name, dimensions > 0 ? shape[dimensions - 1] : 1, &scale, &offset);
    for (i = 0; i < count; i++) {
        int32_t bits = (int32_t)(kr_golden_next(&state) >> 40) - 8388608;
        float unit = (float)bits * (1.0f / 8388608.0f);
        /* volatile: round the product to float, never fuse it with the sum */
        volatile float product = scale * unit;

        out[i] = offset + product;
    }
}

/* Fill `out` with the n token ids of the model with this seed. */
static inline void kr_golden_ids(uint64_t seed, uint64_t vocab, int32_t *out, size_t n)
{
    uint64_t state = kr_golden_hash("ids") ^ seed;
    size_t i;

    for (i = 0; i < n; i++)
        out[i] = (int32_t)((kr_golden_next(&state) >> 33) % vocab);
}

#endif
