/*
 * npy.h - NumPy's files of one array, as numpy.lib.format describes them.
 *
 * Read: versions 1 to 3, C order, 1 to 3 dimensions; float32 and float64, which become
 * float, and bool and integers of any size, which become int32 where they fit.  Written:
 * float32, version 1.
 */
#ifndef CLI_NPY_H
#define CLI_NPY_H

#include <stddef.h>
#include <stdint.h>

enum { NPY_DIMENSIONS = 3 };

typedef struct npy_array {
    int      dimensions;
    size_t   shape[NPY_DIMENSIONS];
    size_t   count;             /* the product of the shape */
    float   *reals;             /* one of the two is NULL */
    int32_t *integers;
} npy_array;

/* 0, or 1 after a complaint that names the file; then nothing is held. */
int  npy_read(npy_array *array, const char *path);
int  npy_write(const npy_array *array, const char *path);
void npy_free(npy_array *array);

#endif /* CLI_NPY_H */
