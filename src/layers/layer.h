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
#include "core/tasks.h"
#include "kernels/kernels.h"

typedef struct kr_layer kr_layer;

/* ---- rows: what flows ------------------------------------------------------------ */

/* Memory for what rows are made of, of a layer that hands on others than it was given. */
typedef struct kr_room {
    float   *data;
    size_t  *first;             /* [lanes + 1] */
    float   *dt;                /* per step */
    uint8_t *reset;             /* per step */
} kr_room;

/*
 * Lane i owns the consecutive steps first[i] .. first[i + 1] - 1; a lane may have none.  A step
 * is one row, or the 'cells' rows of a grid.  Linear layers see one dense block, sequence layers
 * loop over lanes.
 */
typedef struct kr_rows {
    float         *data;        /* [first[lanes]][cells][width], dense */
    const int32_t *tokens;      /* per row or NULL; -1: the row's data stands for it */
    size_t         width;
    size_t         lanes;
    const size_t  *first;       /* [lanes + 1] */
    size_t         cells;
    const float   *dt;          /* per step or NULL: 1 */
    const uint8_t *reset;       /* per step or NULL: an episode begins before it */
    const kr_room *room;        /* of what a layer makes: where first, dt and reset go if they are others */
} kr_rows;

KR_INLINE size_t kr_rows_count(const kr_rows *rows)
{
    return rows->first[rows->lanes] * rows->cells;
}

/* The end of the episode that begins at step 'from' of a lane whose steps end at 'end'. */
KR_INLINE size_t kr_rows_episode(const kr_rows *rows, size_t from, size_t end)
{
    size_t to = from + 1;

    while (to < end && !(rows->reset && rows->reset[to]))
        to++;
    return to;
}

/* The most that comes to a layer at once. */
typedef struct kr_extent {
    size_t lanes, rows, episodes;       /* rows: those of all cells */
    size_t tasks;                       /* that may need scratch of their own at once; when it is measured */
} kr_extent;

/* What a run carries past the rows. */
typedef struct kr_context {
    const kr_kernels *kernels;
    unsigned char    *memory;       /* what the lanes remember, lane by lane */
    size_t            lane_bytes;
    const size_t     *awake;        /* [lanes of the rows]: which of those remembered they are; NULL: all, in order */
    size_t            cells;        /* of each lane, kept side by side, cell_bytes apart; 1 */
    size_t            cell_bytes;
    int               transient;    /* memory is cleared before a layer uses it */
    kr_carve          scratch;      /* whoever takes from it puts 'used' back */
    int32_t           mode;         /* KRAIT_RECURRENT, ... */
    kr_tasks          tasks;        /* scratch is laid out for so many at once */
    kr_rows          *kept;         /* [names]: rows under the names of put */
    size_t            step;         /* of the pass, with which this part of it begins */
    const kr_rows    *steps;        /* the rows over which an 'over' along an axis of its own runs */
    const int32_t *const *orders;   /* [inputs]: the caller's, [lanes][steps] or [lanes][steps][cells] */
    const size_t     *source;       /* of every step of the pass: its number in the caller's rows */
} kr_context;

/* ---- how rows flow: their number, and grids ---------------------------------------- */

/* Rows of one sequence: each * T + plus, where T are those of the model's input. */
typedef struct kr_count { size_t each, plus; } kr_count;

/* What stands between two layers, known when the model is built. */
typedef struct kr_flow {
    kr_count        rows;       /* along the axis that sequence layers run on */
    size_t          grid[2];    /* of a step; { 1, 1 }: none */
    const kr_layer *axis;       /* the 'over' around, or NULL: the model's steps */
    size_t          sequences;  /* side by side in a step: those that this axis cuts it into */
    int             in_order;   /* a step's rows are neighbours, sequence by sequence as in its grid */
    int             whole;      /* sequences come whole, from a fresh memory that is then forgotten */
} kr_flow;

/* Rows under a name: of a put, until a get or the caller takes them. */
typedef struct kr_slot {
    const char     *name;
    size_t          width;
    kr_flow         flow;
    const kr_layer *put;
    int             output;     /* the caller may ask for it */
} kr_slot;

/* An order that the caller gives by name. */
typedef struct kr_named {
    const char *name;
    size_t      cells;          /* numbers for each step: 1, or all cells of the grid */
    int         steps;          /* it orders the steps */
} kr_named;

/* Sequences must have at least and at most so many rows at a place. */
typedef struct kr_limit {
    const kr_layer *layer;
    kr_count        rows;
    size_t          least, most;    /* most: SIZE_MAX, or there is no bound */
} kr_limit;

enum { KR_MOST_SLOTS = 256, KR_MOST_INPUTS = 32, KR_MOST_LIMITS = 256 };

/* Everything about flow that a model keeps. */
typedef struct kr_flows {
    kr_slot  *slots;            /* [KR_MOST_SLOTS] */
    size_t    n_slots;
    kr_named *inputs;           /* [KR_MOST_INPUTS] */
    size_t    n_inputs;
    kr_limit *limits;           /* [KR_MOST_LIMITS] */
    size_t    n_limits;
    krait_message *message;
} kr_flows;

/* ---- what a type says of itself --------------------------------------------------- */

typedef enum kr_option_kind {
    KR_COUNT,                       /* size_t */
    KR_REAL,                        /* float */
    KR_CHOICE,                      /* int: index of the choice */
    KR_FLAG,                        /* int: true or false */
    KR_LIST,                        /* kr_list of whole numbers */
    KR_REALS,                       /* kr_reals: a number or a list of them */
    KR_PUT, KR_GET,                 /* kr_name_ref of kept rows */
    KR_ORDER,                       /* kr_name_ref of an input; may be absent */
    KR_LATE = 64                    /* with a kind: its type did without it at first; the default is in no id */
} kr_option_kind;

/* marks: a zero for each item, for whoever checks them. */
typedef struct kr_list { const size_t *items; size_t count; unsigned char *marks; } kr_list;
typedef struct kr_reals { const float *items; size_t count; } kr_reals;
typedef struct kr_name_ref { size_t index, width; } kr_name_ref;    /* width: of what was put */
#define KR_NO_NAME SIZE_MAX

/* An option in the description, read into params. */
typedef struct kr_option {
    const char        *name;
    int                kind;        /* KR_COUNT, ... and perhaps KR_LATE */
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
    int          flat;              /* may also come with one dimension for all */
    uint64_t     shape[4];          /* dimensions of 1 do not count; floats alone have more than 2 */
    int          dimensions;
} kr_want;

enum { KR_MOST_WANTS = 24, KR_MOST_PARTS = 8 };

typedef struct kr_wants {
    kr_want list[KR_MOST_WANTS];
    size_t  count;
} kr_wants;

typedef enum kr_part_form {
    KR_PART_ROWS,                   /* [rows][width], each row padded to 16 */
    KR_PART_CHANNELS,               /* [channels][n] held as [channels / 16][n][16] */
    KR_PART_HEADS                   /* [channels][n]: every head's as pack.h makes panels of a matrix */
} kr_part_form;

/* A named piece of what a layer remembers, in floats; saved in the order of its shape. */
typedef struct kr_memory_part {
    const char  *name;
    kr_part_form form;
    uint64_t     shape[2];
    size_t       head;              /* KR_PART_HEADS: channels of each */
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
    KR_BRANCHES,                    /* [...]: each is given the layer's own input */
    KR_REPEAT,                      /* {"n": 10, "of": {...}}: a chain of n with weights of their own */
    KR_DEFINE,                      /* {"as": name, "of": {...}}: one, which may be used again */
    KR_USE                          /* {"as": name}: that one, with a memory of its own */
} kr_children;

enum {
    KR_ROW_WISE    = 1,             /* a row of output depends on that row of input alone */
    KR_TAKES_TOKEN = 2,             /* turns tokens into rows */
    KR_ANY_GRID    = 4,             /* may stand over a grid though it is not row-wise */
    KR_CONVOLVES   = 8              /* it has a form of its own for KRAIT_CONVOLUTION (convolve.h) */
};

typedef struct kr_layer_type {
    const char      *name;
    kr_children      children;
    int              flags;
    size_t           params_size;
    const kr_option *options;       /* ends at name == NULL; NULL: none */
    /* Check params and children, set layer->out_width. */
    krait_status (*shape)(kr_layer *layer, krait_message *message);
    /* NULL: no weights; nothing to remember; no scratch. */
    void (*weights)(const kr_layer *layer, kr_wants *wants);
    void (*memory)(const kr_layer *layer, kr_parts *parts);
    void (*scratch)(const kr_layer *layer, const kr_extent *most, kr_carve *carve);
    /*
     * Numbers made of weights once they are there: run over no memory to measure (weights are
     * not yet set), then over memory to make them.  NULL: none.
     */
    void (*prepare)(kr_layer *layer, kr_carve *carve);
    /* What it remembers at the beginning of an episode: all memory_bytes as they lie.  NULL, or no function: zeros. */
    const float *(*start)(const kr_layer *layer);
    /* What flows out, from what flows in; composites ask their children.  NULL: the same, or the one child's. */
    krait_status (*flow)(kr_layer *layer, kr_flows *flows, kr_flow *flow);
    /* The most that goes out, from the most that comes in.  NULL: the same, or the children's one after another. */
    void (*extent)(const kr_layer *layer, kr_extent *extent);
    /*
     * in -> out, which has the data to be filled, width and cells set, shares lanes with 'in'
     * and does not overlap it.  Scratch has room for what scratch() said.
     */
    void (*run)(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out);
} kr_layer_type;

struct kr_layer {
    const kr_layer_type *type;
    void       *params;
    const char *path;               /* "layers.3.mixer" */
    const char *names;              /* of its weights: the path, unless this is used again */
    kr_layer  **children;
    size_t      n_children;
    size_t      in_width, out_width;
    size_t      vocabulary;         /* the rows come as tokens below this; 0: as numbers */
    size_t      memory;             /* offset of what it remembers in a lane's bytes */
    size_t      memory_bytes;
    kr_flow     in, out;
    int         whole;              /* it needs whole sequences */
    int         uses_time;          /* dt changes what it makes */
    int         varies;             /* as it is set up its rows are not alike: no KR_CONVOLVES */
    int         own_axis;           /* its children run along an axis within a step */
    size_t      along_bytes;        /* an 'over': what its children remember of one sequence */
    /* The rest is of the whole subtree. */
    int         row_wise;           /* a step of output depends on that step of input alone */
    int         pinned;             /* it keeps rows under names or reads the caller's orders */
    int         reshapes;           /* it hands on other lanes, times or resets than it was given */
    int         resizes;            /* it makes another number of rows */
};

extern const kr_layer_type *const kr_layer_types[];     /* ends at NULL */
const kr_layer_type *kr_layer_type_named(const char *name);

/* ---- used by types ------------------------------------------------------------------- */

#define KR_AT(type, field) offsetof(type, field)

void kr_want_matrix(kr_wants *wants, const char *slot, size_t at, size_t outputs, size_t inputs);
void kr_want_floats(kr_wants *wants, const char *slot, size_t at, size_t count, int optional);
/* [rows][width] as it is. */
void kr_want_table(kr_wants *wants, const char *slot, size_t at, size_t rows, size_t width);
/* Of up to 4 dimensions, as it is. */
void kr_want_array(kr_wants *wants, const char *slot, size_t at, const uint64_t *shape, int dimensions);
/* [rows][width][2]: complex numbers. */
void kr_want_pairs(kr_wants *wants, const char *slot, size_t at, size_t rows, size_t width);
void kr_want_channels(kr_wants *wants, const char *slot, size_t at, size_t channels, size_t n);

/* Bytes that a part takes in a lane. */
size_t kr_part_bytes(const kr_memory_part *part);
/* Where number i, in the order of the part's shape, stands in it, in floats. */
size_t kr_part_index(const kr_memory_part *part, size_t i);
void   kr_part_add(kr_parts *parts, const char *name, kr_part_form form, size_t rows, size_t width);
/* KR_PART_HEADS: so many heads of 'width' channels, 'n' numbers each. */
void   kr_part_heads(kr_parts *parts, const char *name, size_t heads, size_t width, size_t n);
/* What a layer remembers of one lane. */
KR_INLINE float *kr_layer_memory(const kr_layer *layer, const kr_context *context, size_t lane)
{
    size_t own = context->cells > 1 ? lane / context->cells : lane, at;

    at = (context->awake ? context->awake[own] : own) * context->lane_bytes;
    if (context->cells > 1)
        at += lane % context->cells * context->cell_bytes;
    return (float *)(void *)(context->memory + at + layer->memory);
}

/* 'count' floats of a lane's memory, from 'from' on, become what they are before an episode's first row. */
void kr_layer_begin(const kr_layer *layer, float *memory, size_t from, size_t count);

/* Scratch of a layer with its children, and running it. */
void kr_layer_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve);
void kr_layer_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out);
/* Children from..to-1 as a chain. */
void kr_chain_scratch(const kr_layer *layer, size_t from, size_t to, const kr_extent *most,
                      kr_carve *carve);
void kr_chain_run(const kr_layer *layer, size_t from, size_t to, kr_context *context,
                  const kr_rows *in, kr_rows *out);

/* ---- flow.c: rows that are others than those that came ----------------------------------- */

KR_INLINE size_t kr_flow_cells(const kr_flow *flow)
{
    return flow->grid[0] * flow->grid[1];
}

/* What flows out of a layer; sets its in, out and what is said of its subtree. */
krait_status kr_flow_through(kr_layer *layer, kr_flows *flows, kr_flow *flow);
/* Does a layer on the model's own steps need whole sequences? */
int          kr_flow_needs_whole(const kr_layer *layer);
/* The layer's sequences have least to most rows: checked now or before every run. */
krait_status kr_flow_limit(kr_flows *flows, const kr_layer *layer, kr_count rows, size_t least, size_t most);
/* KRAIT_OK, or fails with 'status' if an episode of so many rows is beyond the limit. */
krait_status kr_flow_beyond(const kr_limit *limit, size_t rows, krait_status status, krait_message *message);
int          kr_flow_same(const kr_flow *a, const kr_flow *b);
void         kr_layer_extent(const kr_layer *layer, kr_extent *extent);
/* Of the rows that are there. */
kr_extent    kr_rows_extent(const kr_rows *rows);
/* a + n b, or SIZE_MAX if that does not fit. */
size_t       kr_extent_sum(size_t a, size_t n, size_t b);

/* Room for rows of so many floats together; the rest only if 'others' is set. */
kr_room      kr_room_take(kr_carve *carve, size_t floats, const kr_extent *most, int others);
/* Room for what a layer makes of the most that comes to it. */
kr_room      kr_room_for(kr_carve *carve, const kr_layer *layer, const kr_extent *most);
/* Rows like 'in' with the room's data; a layer that reshapes finds the room in them. */
kr_rows      kr_room_rows(const kr_room *room, const kr_rows *in);
/* out's lanes, times and resets are those of 'in', copied. */
void         kr_rows_copy_shape(const kr_rows *in, kr_rows *out);

/* y += x, cut into tasks; layer.c. */
void         kr_rows_add(const kr_context *context, float *y, const float *x, size_t count);

/* ---- product.c: y = W x + bias for dense rows, cut into tasks by outputs or by rows ------------ */

/* Q8_0 takes scratch for the rows as integers. */
void kr_product_scratch(const kr_matrix *w, size_t rows, kr_carve *carve);
void kr_product_run(kr_context *context, const kr_matrix *w, const float *bias, const float *x,
                    size_t x_stride, float *y, size_t y_stride, size_t rows);

/*
 * The same in pieces, for a layer that does more on the same cut: take, set bias, x, y and their
 * strides; make integers of x, if there are to be any; then the outputs.
 */
void       kr_product_take(kr_product *p, const kr_matrix *w, size_t rows, kr_carve *carve);
/* Integers of all of x. */
void       kr_product_integers(const kr_context *context, const kr_product *p);
/* Integers of columns from..to-1 of x, multiples of 32 or the end. */
void       kr_product_columns(const kr_kernels *kernels, const kr_product *p, size_t from, size_t to);
/* Outputs from..to-1, multiples of 64 or the end, of integers that are there. */
void       kr_product_outputs(const kr_kernels *kernels, const kr_product *p, size_t from, size_t to);
/* The same, to another place: output 'from' of row 0 goes to *y. */
void       kr_product_block(const kr_kernels *kernels, const kr_product *p, size_t from, size_t to, float *y,
                            size_t y_stride);
/* All outputs, of integers that are there. */
void       kr_product_all(const kr_context *context, const kr_product *p);
/* As kr_tasks_for() counts it. */
uint64_t   kr_product_work(const kr_matrix *w, size_t rows);

#endif
