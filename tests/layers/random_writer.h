/*
 * random_writer.h - what the two files that write random trees share: what flows, what may be
 * written, and the layers that hold no others.
 */
#ifndef KR_TEST_RANDOM_WRITER_H
#define KR_TEST_RANDOM_WRITER_H

#include "layers/random_tree.h"

enum { NAMES = 8, MOST_WIDTH = 70, MOST_ROWS = 60, MOST_CELLS = 20, MOST_LAYERS = 30 };

/*
 * What flows.  'rows' is another number wherever the number of rows, or their order in time, may be
 * another one; a sequence has 'least' to 'most' of them: within an 'over' both are its length.
 */
typedef struct flow {
    size_t width, grid[2], least, most, rows;
} flow;

/* What may be written here. */
typedef struct place {
    int depth;                  /* of further composites */
    int whole;                  /* all rows of a sequence are there */
    int within;                 /* an over: the number of rows is known */
    int keep;                   /* what comes out has the rows and grid of what goes in */
    int plain;                  /* only what works wherever there is no grid: for define */
    int repeated;               /* no name may be given here */
} place;

typedef struct kept {
    flow at;
    int  is_define, number;
} kept;

typedef struct writer {
    random_tree *tree;
    kr_random    random;
    size_t       length, rows;
    kept         kept[NAMES];
    size_t       n_kept;
    int          names, layers;
} writer;

/* ---- random_leaves.c ----------------------------------------------------------------- */

void        put(writer *w, const char *format, ...);
/* 0..n-1 */
size_t      below(writer *w, size_t n);
int         one_in(writer *w, size_t n);
size_t      some_width(writer *w);
const char *word_if(writer *w, const char *word);
int         has_grid(const flow *f);
flow        with_width(flow f, size_t width);
/* The rows are others from here on. */
flow        with_rows(writer *w, flow f, size_t least, size_t most);

/* Each writes a layer and says what flows out of it. */
flow        write_linear(writer *w, flow in, size_t width);
flow        write_row_wise(writer *w, flow in);
flow        write_along(writer *w, flow in, place p);

#endif
