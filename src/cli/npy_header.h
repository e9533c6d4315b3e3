/*
 * npy_header.h - how a .npy file begins.
 */
#ifndef CLI_NPY_HEADER_H
#define CLI_NPY_HEADER_H

#include <stdio.h>

#include "cli/npy.h"

typedef struct npy_header {
    char   kind;                /* 'f', 'i', 'u', 'b' */
    size_t item;                /* bytes of one number */
    int    fortran;
    int    told;                /* it was said already what is wrong */
} npy_header;

/* Fills the header and the array's shape and count; 0, or 1 after a complaint. */
int npy_header_read(const char *path, FILE *file, npy_array *array, npy_header *header);
/* Of an array of floats; the data begins at a multiple of 64 then. */
int npy_header_write(const npy_array *array, FILE *file);

#endif /* CLI_NPY_HEADER_H */
