/*
 * oracle.h - every layer type a second time: in double, as in the textbook, for whole sequences.
 *
 * Nothing here is shared with src, and nothing runs row by row: a layer looks up the row it
 * needs by its index in the sequence, so it has no window to shift wrongly and no state to mix
 * up.  Every number carries the error that a computation in float32 is expected to have: errors
 * of inputs times slopes and the roundings of every partial sum, in quadrature, since they know
 * nothing of each other.  So it grows with what was added up, not with the result, and stays
 * sharp through many layers, where sums of worst cases would grow without end.
 *
 * tree.h makes these layers out of a line of text.
 */
#ifndef KR_TEST_ORACLE_H
#define KR_TEST_ORACLE_H

#include <stddef.h>
#include <stdint.h>

enum { ORACLE_OPTIONS = 8, ORACLE_WEIGHTS = 16, ORACLE_CHILDREN = 8, ORACLE_TEXT = 64 };

/* A value, and the error that float32 is expected to have in it. */
typedef struct oracle_number { double v, e; } oracle_number;

/* What one layer is given: one stream from zero state. */
typedef struct oracle_rows {
    size_t               count;
    const int32_t       *tokens;    /* or NULL; -1: the row's numbers stand for it */
    const oracle_number *x;         /* [count][in] */
    const size_t        *begin;     /* per row: the row with which its episode began */
} oracle_rows;

typedef struct oracle_option { char name[ORACLE_TEXT], text[ORACLE_TEXT]; } oracle_option;

/* A weight that a layer asks for; tree.c fills it with random numbers from low to high. */
typedef struct oracle_weight {
    const char *slot;
    size_t      shape[3];
    int         dimensions;
    int         matrix;             /* it may come as Q8_0 */
    double      low, high;
    size_t      count;
    float      *data;               /* the values, exactly as the model has them */
    int         quantised;          /* Q8_0: the model rounds what it multiplies with, too */
} oracle_weight;

typedef struct oracle_layer oracle_layer;

typedef struct oracle_type {
    const char *name;
    /* Given options, in, vocabulary and shaped children: sets out, asks for weights. */
    void (*shape)(oracle_layer *layer);
    /* out: [rows][layer->out] */
    void (*run)(const oracle_layer *layer, const oracle_rows *in, oracle_number *out);
} oracle_type;

struct oracle_layer {
    const oracle_type *type;
    oracle_option      options[ORACLE_OPTIONS];
    size_t             n_options;
    oracle_weight      weights[ORACLE_WEIGHTS];
    size_t             n_weights;
    oracle_layer      *children[ORACLE_CHILDREN];
    size_t             n_children;
    size_t             in, out, vocabulary;
    char               path[ORACLE_TEXT];
};

/* NULL: there is no oracle for such a layer. */
const oracle_type *oracle_named(const char *name);
/* The option's text, or NULL: not given. */
const char        *oracle_option_text(const oracle_layer *layer, const char *name);
/*
 * A stream of 'count' rows from zero state; tokens and reset may be NULL, features only if all
 * tokens are there.  out: [count][tree->out].
 */
void               oracle_run(const oracle_layer *tree, size_t count, const int32_t *tokens,
                              const float *features, const uint8_t *reset, oracle_number *out);

#endif
