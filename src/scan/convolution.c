/* convolution.c - blocks of rows through transforms, from any state. */
#include "scan/convolution.h"

#include <string.h>

#include "core/bits.h"
#include "core/double.h"

enum { CONVOLUTION_SHORT = 256 };           /* a shorter block is not worth its passes */

#define CONVOLUTION_GONE  22.180709777918249    /* 32 ln 2 */
#define CONVOLUTION_GROWS 0x1p-20               /* beyond 1: what rounding makes of an a that turns and stays */
#define CONVOLUTION_LARGE 0x1p40f

uint32_t kr_convolution_reach(double magnitude)
{
    double decay, rows;

    if (!(magnitude <= 1 + CONVOLUTION_GROWS))
        return 0;
    if (magnitude == 0)
        return 1;
    decay = -kr_log(magnitude);
    rows = decay > 1e-9 ? CONVOLUTION_GONE / decay + 2 : (double)UINT32_MAX;
    return rows < (double)UINT32_MAX ? (uint32_t)rows : UINT32_MAX;
}

void kr_convolution_extend(uint32_t *reach, double magnitude)
{
    uint32_t more = kr_convolution_reach(magnitude);

    *reach = *reach == 0 || more == 0 ? 0 : more > *reach ? more : *reach;
}

/* ---- memory ----------------------------------------------------------------------------------------- */

/* Floats of a block's numbers, for each row of it. */
static size_t convolution_wide(const kr_convolution *of)
{
    return (of->pairs ? 4 : 2) * KR_LANES;
}

void kr_convolution_take(kr_convolution *of, size_t rows, kr_carve *carve)
{
    of->fft = kr_fft_take(kr_fft_length(rows), of->pairs, carve);
}

kr_convolver kr_convolver_take(const kr_convolution *of, size_t rows, kr_carve *carve)
{
    size_t       length = kr_fft_length(rows);
    kr_convolver c = { .of = of };

    c.work = kr_carve_floats(carve, length, convolution_wide(of));
    c.spectrum = kr_carve_floats(carve, length, convolution_wide(of));
    c.state = kr_carve_floats(carve, of->numbers, 1);
    return c;
}

/* ---- one panel ---------------------------------------------------------------------------------------- */

static size_t convolver_channels(const kr_convolver *c)
{
    return kr_min(KR_LANES, c->of->channels - c->panel * KR_LANES);
}

/* Floats of a row. */
static size_t convolver_width(const kr_convolver *c)
{
    return convolver_channels(c) * (c->of->pairs ? 2 : 1);
}

void kr_convolver_begin(kr_convolver *c, size_t panel)
{
    c->panel = panel;
    c->length = 0;
}

/* No number is beyond the bound, or none at all. */
static int convolver_small(const float *x, size_t stride, size_t rows, size_t width)
{
    int small = 1;

    for (; rows > 0; rows--, x += stride)
        for (size_t i = 0; i < width; i++)
            small &= (kr_bits_of(x[i]) & 0x7fffffffu) <= kr_bits_of(CONVOLUTION_LARGE);
    return small;
}

static void convolver_recur(const kr_convolver *c, const float *x, size_t x_stride, float *y, size_t y_stride,
                            size_t rows, float *state)
{
    kr_panel_rows part = { x, y, x_stride, y_stride, rows };

    if (rows)
        c->of->run(c->of->job, c->panel, &part, state);
}

static kr_fourier convolver_block(const kr_convolver *c, size_t length)
{
    const kr_fft *fft = &c->of->fft;

    return (kr_fourier){ .twiddles = fft->twiddles, .angles = fft->angles, .angle_step = fft->length / length,
                         .length = length, .pairs = c->of->pairs, .channels = convolver_channels(c) };
}

/* The spectrum of K's first 'length' rows, or of those that count. */
static void convolver_kernel(kr_convolver *c, size_t length)
{
    size_t     width = convolver_width(c), taps = kr_min(length, c->of->reach[c->panel]);
    float      impulse[2 * KR_LANES] = { 0 };
    kr_fourier block = convolver_block(c, length);

    for (size_t i = 0; i < block.channels; i++)
        impulse[i] = 1;
    memset(c->state, 0, c->of->numbers * sizeof *c->state);
    convolver_recur(c, impulse, 0, c->work, width, 1, c->state);
    convolver_recur(c, NULL, 0, c->work + width, width, taps - 1, c->state);
    c->length = length;
    c->fits = convolver_small(c->work, width, taps, width);
    memset(c->work + taps * width, 0, (length - taps) * width * sizeof *c->work);
    block.before = c->work;
    block.x_stride = width;
    block.work = c->spectrum;
    c->of->kernels->fourier(&block);
}

/* ---- rows --------------------------------------------------------------------------------------------- */

static int convolver_zeros(const float *state, size_t count)
{
    int zeros = 1;

    for (size_t i = 0; i < count; i++)
        zeros &= state[i] == 0.0f;
    return zeros;
}

/* What the state says of the next rows into y, for 'most' of them; behind those zeros. */
static void convolver_answer(kr_convolver *c, float *y, size_t stride, size_t rows, size_t most)
{
    size_t width = convolver_width(c), n = kr_min(rows, most);

    convolver_recur(c, NULL, 0, y, stride, n, c->state);
    for (size_t t = n; t < rows; t++)
        memset(y + t * stride, 0, width * sizeof *y);
}

/* Rows in blocks that see those before them; the state at the start and behind them may count for 'reach' rows. */
static void convolver_span(kr_convolver *c, const kr_panel_rows *rows, float *state)
{
    size_t     reach = c->of->reach[c->panel], tail = kr_min(rows->rows, reach);
    size_t     answers = convolver_zeros(state, c->of->numbers) ? 0 : tail;
    kr_fourier block = convolver_block(c, c->length);

    memcpy(c->state, state, c->of->numbers * sizeof *state);
    block.work = c->work;
    block.spectrum = c->spectrum;
    block.x_stride = rows->x_stride;
    block.y_stride = rows->y_stride;
    for (size_t t = 0; t < rows->rows; t += block.length) {
        block.x = rows->x + t * rows->x_stride;
        block.y = rows->y + t * rows->y_stride;
        block.before = t ? block.x - block.length * rows->x_stride : NULL;
        block.rows = kr_min(block.length, rows->rows - t);
        block.add = t < answers;
        if (block.add)
            convolver_answer(c, block.y, rows->y_stride, block.rows, answers - t);
        c->of->kernels->fourier(&block);
    }
    if (tail < rows->rows)
        memset(state, 0, c->of->numbers * sizeof *state);
    convolver_recur(c, rows->x + (rows->rows - tail) * rows->x_stride, rows->x_stride, NULL, 0, tail, state);
}

void kr_convolver_run(kr_convolver *c, const kr_panel_rows *rows, float *state)
{
    size_t reach = c->of->reach[c->panel], n = rows->rows, length, step;
    int    fits = n >= KR_FFT_LEAST && reach > 0 &&
                  convolver_small(rows->x, rows->x_stride, n, convolver_width(c)) &&
                  convolver_small(state, c->of->numbers, 1, c->of->numbers);

    if (fits) {
        length = kr_fft_length(kr_min(n, reach > CONVOLUTION_SHORT ? reach : CONVOLUTION_SHORT));
        if (length != c->length)
            convolver_kernel(c, length);
        fits = c->fits;
    }
    if (!fits) {
        convolver_recur(c, rows->x, rows->x_stride, rows->y, rows->y_stride, n, state);
        return;
    }
    step = c->length >= reach ? n : c->length;
    for (size_t t = 0; t < n; t += step) {
        kr_panel_rows part = *rows;

        part.x += t * rows->x_stride;
        part.y += t * rows->y_stride;
        part.rows = kr_min(step, n - t);
        convolver_span(c, &part, state);
    }
}
