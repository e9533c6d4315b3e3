/*
 * flax.h - classifiers as flax code of S5 and LRU builds them: Dense, blocks of a sequence layer between norm, gate and
 * skip, pooling, Dense.  Parameters stand under their paths, joined with dots.
 */
#ifndef KR_FLAX_H
#define KR_FLAX_H

#include "model/arch.h"

/* What follows the sequence layer, in the order of S5's names for it. */
enum { KR_FLAX_FULL_GLU, KR_FLAX_HALF_GLU1, KR_FLAX_HALF_GLU2, KR_FLAX_GELU };
enum { KR_FLAX_MEAN, KR_FLAX_LAST, KR_FLAX_NONE };

typedef struct kr_flax {
    size_t         input, width, states, layers, outputs;
    int            activation, prenorm, batch, pool, log_softmax;
    const char    *norm;        /* the norm's part of its path */
    const kr_json *mean, *std;  /* of the inputs, to be taken out; both or none */
} kr_flax;

/* input_mean and input_std: a number for each input. */
krait_status kr_flax_inputs(kr_loading *loading, kr_flax *f);

/* In 'text' ' stands for a quotation mark, @ for a block's path in names, $ and I, H, P, N, L for input ... outputs. */
void         kr_flax_write(kr_writer *w, const kr_flax *f, const char *text);
/* The whole description; 'mixer' is the sequence layer's text. */
void         kr_flax_tree(kr_writer *w, const kr_flax *f, const char *mixer);

#endif
