/*
 * fft.h - what Fourier transforms of a length need beforehand: the plan, a function of that length alone.
 *
 * The kernel 'fourier' (kernels.h) does transforms of 2^k numbers in passes of four, one of two where k is odd, from the
 * whole to its parts; frequencies then stand in another order, which products of two spectra need not know and the way
 * back undoes.  A pass over 'size' numbers multiplies number k of three of its quarters with e^(-2 pi i k m / size), m = 1,
 * 2, 3: these six floats stand one behind another for all k, and those of larger sizes behind those of smaller ones.
 */
#ifndef KR_FFT_H
#define KR_FFT_H

#include "core/carve.h"

enum {
    KR_FFT_LEAST = 16,              /* rows of a block, a power of 2 */
    KR_FFT_MOST  = 16384
};

typedef struct kr_fft {
    size_t length;                  /* of the longest block */
    float *twiddles;                /* of transforms of up to 2 length numbers */
    float *angles;                  /* [length]: cosine and sine of pi t / (2 length) */
} kr_fft;

/* The least length that a block of so many rows, up to KR_FFT_MOST, may have. */
size_t kr_fft_length(size_t rows);
/* Room for the plan of blocks up to a length; pairs: of complex rows (kr_fourier). */
kr_fft kr_fft_take(size_t length, int pairs, kr_carve *carve);
/* Fills it, every number made in double and rounded once. */
void   kr_fft_plan(kr_fft *fft, int pairs);
/* Where a transform of n numbers, a power of 2, leaves frequency k. */
size_t kr_fft_place(size_t n, size_t k);

#endif
