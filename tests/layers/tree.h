/*
 * tree.h - a model out of a line of text: the oracle's layers, krait's description and tensors.
 *
 *     sequence[embed(width=8), residual[mamba1(inner=16 rank=2 conv_bias)], linear(width=3)]
 *
 * A type, options in parentheses, children in brackets; repeat has one child and n.  An option
 * without a value is for the oracle alone: it says which optional weights are there.  The numbers
 * of a list have colons between them: permute(order=2:0:1)[...].  A use(as=f) has no children here.
 * A grid of the input stands before all: "4x5 over(axis=grid)[...]" has steps of 4 rows of 5 cells.
 */
#ifndef KR_TEST_TREE_H
#define KR_TEST_TREE_H

#include "krait.h"
#include "layers/oracle.h"

enum { TREE_TENSORS = 400, TREE_JSON = 32768 };

typedef struct tree {
    oracle_layer *root;
    char          json[TREE_JSON];
    krait_tensor  tensors[TREE_TENSORS];
    char          names[TREE_TENSORS][2 * ORACLE_TEXT];
    size_t        n_tensors;
    size_t        grid[2];          /* of a step of the input; 1 x 1: none */
} tree;

/*
 * tokens 0: the input is 'features' numbers.  Weights are random and of 'type'; those that
 * cannot be blocks of that type are then float32.  1, or 0: the text is wrong or too long.
 */
int  tree_make(tree *t, const char *text, size_t tokens, size_t features, int32_t type,
               uint64_t seed);
void tree_free(tree *t);

#endif
