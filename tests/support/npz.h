/*
 * npz.h - arrays out of NumPy's .npz: a zip of .npy files, stored or compressed.
 *
 * For files that tests trust: what is not as expected is an array of nothing.
 */
#ifndef KR_TEST_NPZ_H
#define KR_TEST_NPZ_H

#include <stddef.h>

typedef struct npz {
    unsigned char  *bytes;
    size_t          count;
    unsigned char **unpacked;       /* [entries] of the directory, where they were compressed and asked for */
} npz;

typedef struct npz_array {
    char   kind;                    /* 'f', 'i', 'u', 'b' */
    int    size;                    /* bytes of a number */
    size_t shape[4];
    int    dimensions;
    size_t count;
    const unsigned char *data;      /* little-endian, row-major; NULL: there is no such array */
} npz_array;

/* 0: it cannot be read. */
int       npz_open(npz *file, const char *path);
void      npz_close(npz *file);
/* By name without ".npy". */
npz_array npz_get(const npz *file, const char *name);
double    npz_number(const npz_array *array, size_t i);

/* A whole file; NULL: it cannot be read.  For free(). */
unsigned char *npz_read_file(const char *path, size_t *count);

#endif
