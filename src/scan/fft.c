/*
 * fft.c - sines and cosines of transforms.
 *
 * Those of a full turn's m-th part are products of two from short tables, in double: the error of one more
 * product is far below the rounding to float.
 */
#include "scan/fft.h"

#include "core/complex.h"

enum { FFT_FINE = 256, FFT_COARSE = 4 * KR_FFT_MOST / FFT_FINE };
#define FFT_TURN 6.28318530717958647692

/* e^(2 pi i j / turn), j below FFT_FINE, and of every FFT_FINE-th beyond. */
typedef struct fft_circle {
    size_t     turn;
    kr_complex fine[FFT_FINE], coarse[FFT_COARSE];
} fft_circle;

static kr_complex fft_direction(double part)
{
    kr_complex z;

    kr_sin_cos(FFT_TURN * part, &z.im, &z.re);
    return z;
}

/* turn: a power of 2, up to 4 KR_FFT_MOST. */
static void fft_circle_make(fft_circle *circle, size_t turn)
{
    circle->turn = turn;
    for (size_t j = 0; j < FFT_FINE; j++)
        circle->fine[j] = fft_direction((double)j / (double)turn);
    for (size_t j = 0; j < turn / FFT_FINE; j++)
        circle->coarse[j] = fft_direction((double)(j * FFT_FINE) / (double)turn);
}

static kr_complex fft_at(const fft_circle *circle, size_t j)
{
    if (j < FFT_FINE)
        return circle->fine[j];
    return kr_complex_multiply(circle->coarse[j / FFT_FINE], circle->fine[j % FFT_FINE]);
}

size_t kr_fft_length(size_t rows)
{
    size_t length = KR_FFT_LEAST;

    while (length < rows && length < KR_FFT_MOST)
        length *= 2;
    return length;
}

kr_fft kr_fft_take(size_t length, int pairs, kr_carve *carve)
{
    kr_fft fft = { .length = length };

    /* Sizes 4, 8, ... up to n have n / 4 k's each: less than n / 2 together. */
    fft.twiddles = kr_carve_floats(carve, length, pairs ? 6 : 3);
    fft.angles = kr_carve_floats(carve, pairs ? 0 : length, 2);
    return fft;
}

void kr_fft_plan(kr_fft *fft, int pairs)
{
    fft_circle circle;
    size_t     n = pairs ? 2 * fft->length : fft->length, turn = 4 * fft->length;

    fft_circle_make(&circle, turn);
    for (size_t size = 4; size <= n; size *= 2)
        for (size_t k = 0; k < size / 4; k++)
            for (size_t m = 1; m < 4; m++) {
                kr_complex w = fft_at(&circle, turn / size * k * m);
                float     *to = fft->twiddles + 6 * (size / 4 - 1 + k) + 2 * (m - 1);

                to[0] = (float)w.re;
                to[1] = (float)-w.im;
            }
    for (size_t t = 0; !pairs && t < fft->length; t++) {
        kr_complex w = fft_at(&circle, t);

        fft->angles[2 * t] = (float)w.re;
        fft->angles[2 * t + 1] = (float)w.im;
    }
}

size_t kr_fft_place(size_t n, size_t k)
{
    size_t place = 0;

    for (; n >= 4; n /= 4, k /= 4)
        place += k % 4 * (n / 4);
    return place + (n == 2 ? k % 2 : 0);
}
