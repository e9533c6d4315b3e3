/*
 * test_fft.c - transforms of every length that there is, against sums in double, by every table of the CPU.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scan/fft.h"

#include "kernels/kernels.h"
#include "support/random.h"
#include "test.h"

#define TURN 6.28318530717958647692

enum { CHANNELS = 3, CHECKED = 24 };

static const char *const tables[] = { "plain", "avx2", "avx512", "neon" };

/* Plan, rows and room of transforms of one length. */
typedef struct bench {
    kr_fft     fft;
    kr_fourier block;
    float     *plan, *rows, *work, *out;        /* rows: [3 length][width], of which the first length are the kernel */
    size_t     width;
} bench;

static float *floats(size_t count)
{
    float *x = aligned_alloc(KR_ALIGN, (count * sizeof *x + KR_ALIGN - 1) / KR_ALIGN * KR_ALIGN);

    memset(x, 0, count * sizeof *x);
    return x;
}

static bench made(size_t length, int pairs, uint64_t seed)
{
    kr_carve  carve = { 0 };
    kr_random random = kr_random_from(seed);
    bench     b = { .width = CHANNELS * (pairs ? 2 : 1) };

    kr_fft_take(length, pairs, &carve);
    b.plan = floats(carve.used / sizeof *b.plan);
    carve = (kr_carve){ .base = (unsigned char *)b.plan };
    b.fft = kr_fft_take(length, pairs, &carve);
    kr_fft_plan(&b.fft, pairs);
    b.rows = floats(3 * length * b.width);
    b.out = floats(length * b.width);
    b.work = floats(2 * (size_t)(pairs ? 4 : 2) * KR_LANES * length);
    for (size_t i = 0; i < 3 * length * b.width; i++)
        b.rows[i] = kr_random_unit(&random);
    b.block = (kr_fourier){ .twiddles = b.fft.twiddles, .angles = b.fft.angles, .angle_step = 1, .length = length,
                            .pairs = pairs, .channels = CHANNELS, .before = b.rows, .x_stride = b.width,
                            .work = b.work, .y = b.out, .y_stride = b.width };
    return b;
}

static void freed(bench *b)
{
    free(b->plan), free(b->rows), free(b->work), free(b->out);
}

/* Frequency k of a channel: of real numbers the turns are k - 1/4 of 'length' numbers, t up to 2 length. */
static void frequency(const bench *b, size_t k, size_t channel, double *re, double *im)
{
    size_t length = b->block.length, n = (b->block.pairs ? 2 : 1) * length;

    *re = *im = 0;
    for (size_t t = 0; t < 2 * length; t++) {
        double x = (double)b->rows[t * b->width + channel], y = 0, part;

        if (b->block.pairs) {
            y = (double)b->rows[t * b->width + CHANNELS + channel];
            part = (double)(k * t % n) / (double)n;
        } else {
            part = (double)((4 * k + 4 * n - 1) * t % (4 * n)) / (double)(4 * n);
        }
        *re += x * cos(TURN * part) + y * sin(TURN * part);
        *im += y * cos(TURN * part) - x * sin(TURN * part);
    }
}

/* The largest error of some frequencies, the first and the last among them, over the root of the numbers. */
static double spectrum_error(const bench *b)
{
    size_t n = (b->block.pairs ? 2 : 1) * b->block.length, step = n / CHECKED + 1;
    double worst = 0;

    for (size_t i = 0; i < n + step; i += step)
        for (size_t channel = 0; channel < CHANNELS; channel++) {
            size_t k = i < n ? i : n - 1, at = kr_fft_place(n, k) * 2 * KR_LANES + channel;
            double re, im;

            frequency(b, k, channel, &re, &im);
            worst = fmax(worst, fabs((double)b->work[at] * (double)n - re));
            worst = fmax(worst, fabs((double)b->work[at + KR_LANES] * (double)n - im));
        }
    return worst / sqrt((double)n);
}

static void with_lengths(void (*check)(const kr_kernels *kernels, bench *b))
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const kr_kernels *kernels = kr_kernels_named(tables[i]);

        for (size_t length = KR_FFT_LEAST; kernels && length <= KR_FFT_MOST; length *= 2)
            for (int pairs = 0; pairs < 2; pairs++) {
                bench b = made(length, pairs, length + (size_t)pairs);

                test_note("%s, %zu rows, pairs %d", tables[i], length, pairs);
                check(kernels, &b);
                freed(&b);
            }
    }
    test_note("%s", "");
}

static void check_spectrum(const kr_kernels *kernels, bench *b)
{
    b->block.x = b->rows + b->block.length * b->width;
    b->block.rows = b->block.length;
    kernels->fourier(&b->block);
    CHECK_CLOSE(spectrum_error(b), 0, 1.5e-6);
}

TEST(fft_is_a_fourier_transform)
{
    with_lengths(check_spectrum);
}

/* y[t] of a channel: k are the first rows, x those behind them. */
static void convolved(const bench *b, size_t t, size_t channel, double *re, double *im)
{
    size_t length = b->block.length;

    *re = *im = 0;
    for (size_t s = 0; s < length; s++) {
        const float *k = b->rows + s * b->width + channel, *x = b->rows + (2 * length + t - s) * b->width + channel;

        *re += (double)k[0] * (double)x[0];
        if (b->block.pairs) {
            *re -= (double)k[CHANNELS] * (double)x[CHANNELS];
            *im += (double)k[0] * (double)x[CHANNELS] + (double)k[CHANNELS] * (double)x[0];
        }
    }
}

static void check_convolution(const kr_kernels *kernels, bench *b)
{
    size_t     length = b->block.length, numbers = (b->block.pairs ? 64 : 32) * length, step = length / CHECKED + 1;
    kr_fourier block = b->block;
    double     worst = 0;

    kernels->fourier(&b->block);
    block.spectrum = b->work;
    block.work = b->work + numbers;
    block.before = b->rows + length * b->width;
    block.x = block.before + length * b->width;
    block.rows = length;
    kernels->fourier(&block);
    for (size_t i = 0; i < length + step; i += step)
        for (size_t channel = 0; channel < CHANNELS; channel++) {
            size_t t = i < length ? i : length - 1;
            double re, im;

            convolved(b, t, channel, &re, &im);
            worst = fmax(worst, fabs((double)b->out[t * b->width + channel] - re));
            if (b->block.pairs)
                worst = fmax(worst, fabs((double)b->out[t * b->width + CHANNELS + channel] - im));
        }
    CHECK_CLOSE(worst / sqrt((double)length), 0, 2e-6);
}

TEST(fft_spectra_multiply_to_convolutions)
{
    with_lengths(check_convolution);
}

/* A shorter block takes its numbers out of a longer one's plan. */
TEST(fft_plan_nests)
{
    bench large = made(1024, 0, 1), small = made(64, 0, 1);

    CHECK_BYTES(small.fft.twiddles, large.fft.twiddles, 6 * 31 * sizeof(float));
    for (size_t t = 0; t < 64; t++)
        CHECK_BYTES(small.fft.angles + 2 * t, large.fft.angles + 2 * 16 * t, 2 * sizeof(float));
    CHECK(kr_fft_length(1) == KR_FFT_LEAST && kr_fft_length(64) == 64 && kr_fft_length(65) == 128);
    CHECK(kr_fft_length(1u << 20) == KR_FFT_MOST);
    freed(&large), freed(&small);
}
