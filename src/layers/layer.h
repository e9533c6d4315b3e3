/*
 * layer.h - what a layer is, and what flows between layers.
 *
 * A model is a tree of layers and a tree is a layer.  A layer type is one const table in one
 * file with one line in layers.def.  It answers: which options and weights do you want, what
 * width do you make of this width, what do you remember, how much scratch do you need - and
 * runs.  Everything that turns JSON and files into layers is in src/model; everything about
 * numbers is here.  docs/layers.md shows how to add one.
 */
#ifndef KR_LAYER_H
#define KR_LAYER_H

#include "core/carve.h"
#include "core/fail.h"
#include "kernels/kernels.h"

typedef struct kr_layer kr_layer;

/* ---- rows: what flows ------------------------------------------------------------ */

/*
 * Lane i owns the consecutive rows first[i] .. first[i + 1] - 1; a lane may have none.  Linear
 * layers see one dense block, sequence layers loop over lanes.
 */
typedef struct kr_rows {
    float         *data;        /* [first[lanes]][width], dense */
    const int32_t *tokens;      /* per row or NULL; -1: the row's data stands for it */
    size_t         width;
    size_t         lanes;
    const size_t  *first;       /* [lanes + 1] */
    size_t         grid[2];     /* a step is itself a grid of rows; 0: it is one row */
    const float   *dt;          /* per row or NULL: 1 */
    const uint8_t *reset;       /* per row or NULL: an episode begins before it */
} kr_rows;

KR_INLINE size_t kr_rows_count(const kr_rows *rows)
{
    return rows->first[rows->lanes];
}

/* The end of the episode that begins at row 'from' of a lane whose rows end at 'end'. */
KR_INLINE size_t kr_rows_episode(const kr_rows *rows, size_t from, size_t end)
{
    size_t to = from + 1;

    while (to < end && !(rows->reset && rows->reset[to]))
        to++;
    return to;
}

/* What a run carries past the rows. */
typedef struct kr_context {
    const kr_kernels *kernels;
    unsigned char    *memory;       /* what the lanes remember, lane by lane */
    size_t            lane_bytes;
    kr_carve          scratch;      /* whoever takes from it puts 'used' back */
    int32_t           mode;         /* KRAIT_RECURRENT, ... */
} kr_context;

/* ---- what a type says of itself --------------------------------------------------- */

typedef enum kr_option_kind { KR_COUNT, KR_REAL, KR_CHOICE } kr_option_kind;

/* An option in the description, read into params. */
typedef struct kr_option {
    const char        *name;
    kr_option_kind     kind;        /* of the field: size_t, float, int (index of the choice) */
    size_t             at;          /* offset in params */
    double             low, high;   /* bounds, inclusive */
    double             fallback;    /* KR_REQUIRED: there is none */
    const char *const *choices;     /* ends at NULL */
} kr_option;

#define KR_REQUIRED (-1.0)
/* Bounds that keep every product of two or three sizes far from overflow. */
#define KR_MOST_WIDTH  4194304.0
#define KR_MOST_STATES 65536.0

typedef enum kr_want_form {
    KR_MATRIX,                      /* [outputs][inputs] -> a kr_matrix in panels */
    KR_FLOATS,                      /* any shape -> const float *, as it is */
    KR_CHANNELS                     /* [channels][n] -> const float *, [channels / 16][n][16] */
} kr_want_form;

/* A weight that a layer wants, and where in params it goes. */
typedef struct kr_want {
    const char  *slot;              /* its name within the layer, "in_proj.weight" */
    const char  *logarithm;         /* a tensor of this name holds log(-w) instead; or NULL */
    kr_want_form form;
    size_t       at;
    int          optional;          /* absent: NULL */
    uint64_t     shape[2];          /* without dimensions of 1 */
    int          dimensions;
} kr_want;

enum { KR_MOST_WANTS = 24, KR_MOST_PARTS = 8 };

typedef struct kr_wants {
    kr_want list[KR_MOST_WANTS];
    size_t  count;
} kr_wants;

typedef enum kr_part_form {
    KR_PART_ROWS,                   /* [rows][width], each row padded to 16 */
    KR_PART_CHANNELS                /* [channels][n] held as [channels / 16][n][16] */
} kr_part_form;

/* A named piece of what a layer remembers, in floats; saved in the order of its shape. */
typedef struct kr_memory_part {
    const char  *name;
    kr_part_form form;
    uint64_t     shape[2];
} kr_memory_part;

typedef struct kr_parts {
    kr_memory_part list[KR_MOST_PARTS];
    size_t         count;
} kr_parts;

/* Which children a type has in the description, and how widths flow through them. */
typedef enum kr_children {
    KR_LEAF,
    KR_ONE,                         /* {...}: one child, given the layer's own input */
    KR_CHAIN,                       /* [...]: each is given what the one before makes */
    KR_REPEAT                       /* {"n": 10, "of": {...}}: a chain of n with weights of their own */
} kr_children;

enum {
    KR_ROW_WISE    = 1,             /* a row of output depends on that row of input alone */
    KR_TAKES_TOKEN = 2              /* turns tokens into rows */
};

typedef struct kr_layer_type {
    const char      *name;
    kr_children      children;
    int              flags;
    size_t           params_size;
    const kr_option *options;       /* ends at name == NULL; NULL: none */
    /* From the option of this name on, ids are older than the option: defaults do not enter them. */
    const char      *later;
    /* Check params and children, set layer->out_width. */
    krait_status (*shape)(kr_layer *layer, krait_message *message);
    /* NULL: no weights; nothing to remember; no scratch. */
    void (*weights)(const kr_layer *layer, kr_wants *wants);
    void (*memory)(const kr_layer *layer, kr_parts *parts);
    void (*scratch)(const kr_layer *layer, size_t rows, kr_carve *carve);
    /*
     * in -> out, which has the data and width to be filled, shares lanes with 'in' and does
     * not overlap it.  Scratch has room for what scratch() said.
     */
    void (*run)(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out);
} kr_layer_type;

struct kr_layer {
    const kr_layer_type *type;
    void       *params;
    const char *path;               /* "layers.3.mixer" */
    kr_layer  **children;
    size_t      n_children;
    size_t      in_width, out_width;
    size_t      vocabulary;         /* the rows come as tokens below this; 0: as numbers */
    size_t      memory;             /* offset of what it remembers in a lane's bytes */
};

extern const kr_layer_type *const kr_layer_types[];     /* ends at NULL */
const kr_layer_type *kr_layer_type_named(const char *name);

/* ---- used by types ------------------------------------------------------------------- */

#define KR_AT(type, field) offsetof(type, field)

void kr_want_matrix(kr_wants *wants, const char *slot, size_t at, size_t outputs, size_t inputs);
void kr_want_floats(kr_wants *wants, const char *slot, size_t at, size_t count, int optional);
void kr_want_channels(kr_wants *wants, const char *slot, size_t at, size_t channels, size_t n);

/* Bytes that a part takes in a lane. */
size_t kr_part_bytes(const kr_memory_part *part);
/* Where number i, in the order of the part's shape, stands in it, in floats. */
size_t kr_part_index(const kr_memory_part *part, size_t i);
void   kr_part_add(kr_parts *parts, const char *name, kr_part_form form, size_t rows, size_t width);
/* What a layer remembers of one lane. */
KR_INLINE float *kr_layer_memory(const kr_layer *layer, const kr_context *context, size_t lane)
{
    return (float *)(void *)(context->memory + lane * context->lane_bytes + layer->memory);
}

/* Scratch of a layer with its children, and running it. */
void kr_layer_scratch(const kr_layer *layer, size_t rows, kr_carve *carve);
void kr_layer_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out);
/* Children from..to-1 as a chain. */
void kr_chain_scratch(const kr_layer *layer, size_t from, size_t to, size_t rows, kr_carve *carve);
void kr_chain_run(const kr_layer *layer, size_t from, size_t to, kr_context *context,
                  const kr_rows *in, kr_rows *out);

/* y = W x + bias for dense rows; Q8_0 takes scratch for the rows as integers. */
void kr_product_scratch(const kr_matrix *w, size_t rows, kr_carve *carve);
void kr_product_run(kr_context *context, const kr_matrix *w, const float *bias, const float *x,
                    size_t x_stride, float *y, size_t y_stride, size_t rows);

#endif
