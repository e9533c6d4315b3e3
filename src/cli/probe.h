/*
 * probe.h - what this machine allows one thread: two limits to hold figures against.
 *
 * The speed of shared machines drifts: probe before and after what is measured.
 */
#ifndef CLI_PROBE_H
#define CLI_PROBE_H

#include <stddef.h>

typedef struct probe {
    float *buffer;              /* 256 MB once the bandwidth was asked for */
} probe;

/* Bytes per second of reading what no cache holds, with the widest loads; 0: no memory. */
double probe_bandwidth(probe *p);
/* Float operations per second in registers, two for an fma; 0 where there is no probe. */
double probe_fma(void);
/* Operations on 8-bit integers per second, two for a product and its sum; 0 where there is no probe. */
double probe_dot(void);
void   probe_end(probe *p);

/* The middle one; sorts them. */
double probe_median(double *x, size_t count);

#endif /* CLI_PROBE_H */
