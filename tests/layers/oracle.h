/*
 * oracle.h - every layer type a second time: in double, as in the textbook, for whole sequences.
 *
 * Nothing here is shared with src, and nothing runs row by row: a stream falls into episodes,
 * each of which is computed by itself from all of its rows, so there is no window to shift wrongly,
 * no state to mix up and nothing to reset.  Every number carries the error that a computation in
 * float32 is expected to have: errors of inputs times slopes and the roundings of every partial
 * sum, in quadrature, since they know nothing of each other.  So it grows with what was added up,
 * not with the result, and stays sharp through many layers, where sums of worst cases would grow
 * without end.
 *
 * tree.h makes these layers out of a line of text.
 */
#ifndef KR_TEST_ORACLE_H
#define KR_TEST_ORACLE_H

#include <stddef.h>
#include <stdint.h>

enum { ORACLE_OPTIONS = 20, ORACLE_WEIGHTS = 16, ORACLE_CHILDREN = 8, ORACLE_SLOTS = 8 };
enum { ORACLE_TEXT = 64, ORACLE_VALUE = 160 };

/* A value, and the error that float32 is expected to have in it. */
typedef struct oracle_number { double v, e; } oracle_number;

/* What a layer is given and makes: one episode, or one sequence that an 'over' found in it. */
typedef struct oracle_rows {
    size_t               count;     /* of rows: steps times cells of a step's grid */
    size_t               width;
    size_t               grid[2];   /* rows and columns of a step; 1 x 1: a step is a row */
    const int32_t       *tokens;    /* or NULL; -1: the row's numbers stand for it */
    oracle_number       *x;         /* [count][width] */
    double              *dt;        /* [count]; all cells of a step have the step's */
    int                  whole;     /* all of it is there at once: pool makes one row */
    struct oracle_slots *slots;     /* of put and get */
    double              *peak;      /* the largest number that any layer has made */
} oracle_rows;

typedef struct oracle_slots {
    size_t count;
    struct {
        const char *as;
        oracle_rows rows;
    } of[ORACLE_SLOTS];
} oracle_slots;

typedef struct oracle_option { char name[ORACLE_TEXT], text[ORACLE_VALUE]; } oracle_option;

/* A weight that a layer asks for; tree.c fills it with random numbers from low to high. */
typedef struct oracle_weight {
    const char *slot;
    size_t      shape[4];
    int         dimensions;
    int         matrix;             /* it may come as blocks */
    double      low, high;
    size_t      count;
    float      *data;               /* the values, exactly as the model has them */
    int         quantised;          /* blocks: the model rounds what it multiplies with, too */
} oracle_weight;

typedef struct oracle_layer oracle_layer;

typedef struct oracle_type {
    const char *name;
    /* Given options, in, vocabulary and shaped children: sets out, asks for weights. */
    void (*shape)(oracle_layer *layer);
    /* Row t of out, [rows][layer->out], for row t of in; or NULL, and then: */
    void (*run)(const oracle_layer *layer, const oracle_rows *in, oracle_number *out);
    /* Any rows.  What comes back is the caller's to free. */
    oracle_rows (*make)(const oracle_layer *layer, const oracle_rows *in);
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

/* Steps of one lane: features of [count][cells][in]; all but count and grid may be NULL. */
typedef struct oracle_stream {
    size_t         count;
    size_t         grid[2];         /* 1 x 1: none */
    const int32_t *tokens;
    const float   *features;        /* NULL only if all tokens are there */
    const float   *dt;
    const uint8_t *reset;
    double        *peak;            /* or NULL: is set */
} oracle_stream;

/* NULL: there is no oracle for such a layer. */
const oracle_type *oracle_named(const char *name);
/* The option's text, or NULL: not given. */
const char        *oracle_option_text(const oracle_layer *layer, const char *name);
/* 1 if it needs all steps of a sequence at once. */
int                oracle_whole(const oracle_layer *tree);
/* 1 if the time between steps changes what comes out. */
int                oracle_uses_dt(const oracle_layer *tree);
/* What comes out of all its episodes, one behind the other; to be freed. */
oracle_rows        oracle_run(const oracle_layer *tree, const oracle_stream *stream);
void               oracle_rows_free(oracle_rows *rows);

#endif
