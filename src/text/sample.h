/*
 * sample.h - from a row of logits to one token, the same one on every machine.
 *
 * docs/numerics.md holds the definition; sample.c says how it stays in place and bounded.
 */
#ifndef KR_SAMPLE_H
#define KR_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "krait.h"

/** Fills both words of the generator from 'seed' by splitmix64: any seed will do. */
void kr_rng_start(krait_rng *rng, uint64_t seed);

/**
 * krait_sample() on options whose every field may be read; NULL is greedy.  Every
 * argument is checked before a logit is written.  With a temperature above 0 the
 * generator moves on by exactly one number, whatever the logits are; else it is not read.
 */
krait_status kr_sample_token(float *logits, size_t count,
                             const krait_sample_options *options, krait_rng *rng,
                             int32_t *token);

#endif /* KR_SAMPLE_H */
