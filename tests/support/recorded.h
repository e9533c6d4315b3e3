/*
 * recorded.h - a model of tests/golden whose weights come from the generator, and its recorded outputs.
 *
 * The file's metadata has "config", "seed", "bits" and "tensors": "name d0 d1,name d0,...".
 */
#ifndef KR_TEST_RECORDED_H
#define KR_TEST_RECORDED_H

#include <stddef.h>
#include <stdint.h>

#include "formats/package.h"
#include "krait.h"

enum { RECORDED_TENSORS = 64 };

typedef struct recorded {
    kr_memory      memory;
    kr_arena       arena;
    kr_package     package;
    unsigned char *bytes;
    const char    *config;
    uint64_t       seed;
    krait_tensor   tensors[RECORDED_TENSORS];   /* float32, as files have them */
    size_t         count;
    int32_t       *ids;
    size_t         steps;
} recorded;

/* 1, or 0 with 'r' still to be closed: no such file, or weights that do not add up to its "bits". */
int    recorded_open(recorded *r, const char *path);
void   recorded_close(recorded *r);
/* Number i of a tensor of F32, F64 or I32 of the file. */
double recorded_number(const recorded *r, const char *tensor, size_t i);
/* The greatest distance of 'logits' [steps][vocabulary] from the recorded columns, as a part of the greatest of them. */
double recorded_distance(const recorded *r, const char *tensor, const float *logits, size_t vocabulary);

#endif
