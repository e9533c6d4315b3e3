/*
 * generator_dump.c - print what generator.h generates, for make_mamba.py
 * --check-generator to compare with its own.
 *
 * Reads lines "NAME SEED DIM..." from standard input, and for each writes the
 * tensor's float32 elements to standard output.  A line "ids SEED VOCAB N"
 * gives N int32 token ids instead.
 */
#include "generator.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_DIMENSIONS = 4 };

int main(void)
{
    char line[512];

    while (fgets(line, sizeof line, stdin) != NULL) {
        char name[256];
        uint64_t seed;
        uint64_t shape[MAX_DIMENSIONS];
        uint64_t count = 1;
        int dimensions;
        int d;
        void *elements;

        dimensions = sscanf(line, "%255s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
                            name, &seed, &shape[0], &shape[1], &shape[2], &shape[3]) - 2;
        if (dimensions < 1) {
            fprintf(stderr, "generator_dump: a line is not NAME SEED DIM...\n");
            return 1;
        }
        if (strcmp(name, "ids") == 0)
            count = shape[1];
        else
            for (d = 0; d < dimensions; d++)
                count *= shape[d];
        elements = malloc((size_t)count * 4);
        if (elements == NULL) {
            fprintf(stderr, "generator_dump: out of memory\n");
            return 1;
        }
        if (strcmp(name, "ids") == 0)
            kr_golden_ids(seed, shape[0], elements, (size_t)count);
        else
            kr_golden_fill(name, seed, shape, dimensions, elements);
        if (fwrite(elements, 4, (size_t)count, stdout) != count) {
            fprintf(stderr, "generator_dump: cannot write\n");
            free(elements);
            return 1;
        }
        free(elements);
    }
    return 0;
}
