/* tree.h - a model's description, drawn. */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include <stdio.h>

/* Draws the tree in krait's own JSON, one layer a line, 'indent' blanks before each. */
void tree_draw(FILE *out, const char *json, int indent);

#endif /* CLI_TREE_H */
