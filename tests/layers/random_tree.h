/*
 * random_tree.h - small random trees that are valid by construction, as lines for subject.c.
 */
#ifndef KR_TEST_RANDOM_TREE_H
#define KR_TEST_RANDOM_TREE_H

#include "layers/subject.h"
#include "support/random.h"

enum { RANDOM_TEXT = 3000 };

typedef struct random_tree {
    subject_case made;              /* its text is the one below */
    char         text[RANDOM_TEXT];
} random_tree;

/* Tree number 'seed': the same on every machine. */
void random_tree_make(random_tree *t, uint64_t seed);

#endif
