/*
 * draw.c - draws the description on stdin, for test_tree.sh.
 *
 *     draw [--cut]
 *
 * --cut draws every beginning of it instead, with a block of memory of exactly that size each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/tree.h"

int main(int argc, char **argv)
{
    static char text[65536];
    size_t      count = fread(text, 1, sizeof text - 1, stdin), size;

    (void)argv;
    if (argc == 1) {
        tree_draw(stdout, text, 0);
        return 0;
    }
    for (size = 0; size <= count; size++) {
        char *part = malloc(size + 1);

        if (!part)
            return 1;
        memcpy(part, text, size);
        part[size] = '\0';
        tree_draw(stdout, part, 0);
        free(part);
    }
    return 0;
}
