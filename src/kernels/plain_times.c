/* plain_times.c - what the kernels of rows do that are not a step apart; plain.c has the rest. */
#include "core/real.h"
#include "kernels/plain.h"
#include "kernels/times.h"

/* x as two floats, of which none is subnormal. */
static void plain_split(double x, float *high, float *low)
{
    *high = (float)kr_times_flush(x);
    *low = (float)kr_times_flush(x - (double)*high);
}

void kr_plain_discretize(const kr_discretize *p)
{
    for (size_t i = 0; i < p->count * KR_LANES; i++) {
        const double *z = p->z + i / KR_LANES * 4 * KR_LANES + i % KR_LANES;
        float        *to = p->to + i / KR_LANES * 6 * KR_LANES + i % KR_LANES;
        double        x = z[0] * p->time, y = z[KR_LANES] * p->time;
        kr_complex    g = { z[2 * KR_LANES], z[3 * KR_LANES] }, by, r;
        kr_times_turn turn;

        if (p->rule == KR_BILINEAR) {
            turn = kr_times_bilinear(x, y, &by);
            r = kr_complex_scale(kr_complex_multiply(by, g), p->time);
        } else {
            turn = kr_times_exp(x, y);
            r = kr_complex_multiply(turn.less, g);
        }
        if (p->rule == KR_IMPULSE)
            r = kr_complex_of(1, 0);
        plain_split(turn.a.re, to, to + 2 * KR_LANES);
        plain_split(turn.a.im, to + KR_LANES, to + 3 * KR_LANES);
        to[4 * KR_LANES] = (float)kr_times_flush(r.re);
        to[5 * KR_LANES] = (float)kr_times_flush(r.im);
    }
}

/* h = a h + r (re, im) for one state; parts stand 16 apart. */
static void plain_timed_state(const float *a, float *h, float re, float im)
{
    float v_re = kr_fma(a[4 * KR_LANES], re, -(a[5 * KR_LANES] * im));
    float v_im = kr_fma(a[4 * KR_LANES], im, a[5 * KR_LANES] * re), old_re = h[0], old_im = h[KR_LANES];

    v_re = kr_fma(a[2 * KR_LANES], old_re, kr_fma(-a[3 * KR_LANES], old_im, v_re));
    v_im = kr_fma(a[2 * KR_LANES], old_im, kr_fma(a[3 * KR_LANES], old_re, v_im));
    h[0] = kr_flush(kr_fma(a[0], old_re, kr_fma(-a[KR_LANES], old_im, v_re)));
    h[KR_LANES] = kr_flush(kr_fma(a[0], old_im, kr_fma(a[KR_LANES], old_re, v_im)));
}

void kr_plain_turn_timed(const kr_turn_timed *p)
{
    for (size_t t = 0; t < p->rows; t++)
        for (size_t s = 0; s < p->states; s++) {
            size_t at = t * p->stride + s;

            plain_timed_state(p->sets + p->set[t] * 6 * KR_LANES + s, p->x + s, p->v[at], p->v[at + p->states]);
            if (p->out) {
                p->out[at] = p->x[s];
                p->out[at + p->states] = p->x[s + KR_LANES];
            }
        }
}

void kr_plain_diagonal_timed(const kr_diagonal_timed *p)
{
    for (size_t t = 0; t < p->rows; t++)
        for (size_t c = 0; c < p->channels; c++) {
            const float *a = p->sets + p->set[t] * p->states * 6 * KR_LANES + c;
            float       *h = p->h + c, x = p->x[t * p->x_stride + c], y = p->d[c] * x;

            for (size_t n = 0; n < p->states; n++, h += 2 * KR_LANES, a += 6 * KR_LANES) {
                const float *read = p->c + n * 2 * KR_LANES + c;

                plain_timed_state(a, h, x, 0.0f);
                y = kr_fma(read[KR_LANES], h[KR_LANES], kr_fma(read[0], h[0], y));
            }
            if (p->y)
                p->y[t * p->y_stride + c] = y;
        }
}
