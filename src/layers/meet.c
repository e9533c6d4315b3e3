/* meet.c - discretising a channel of S4, and undoing what was stored of it. */
#include "layers/meet.h"

#include "core/dense.h"

#define MEET_LN2 0.69314718055994530942

static kr_complex *meet_numbers(kr_carve *carve, size_t rows, size_t count)
{
    size_t wanted;

    if (!kr_mul_fits(rows, count, &wanted)) {
        carve->broken = 1;
        return NULL;
    }
    return kr_carve_bytes(carve, wanted, sizeof(kr_complex));
}

kr_meet kr_meet_take(size_t states, size_t rank, kr_carve *carve)
{
    size_t  wide = 2 * states;
    kr_meet m = { .states = states, .rank = rank };

    m.a = meet_numbers(carve, 4, states);
    m.p = meet_numbers(carve, 3 * rank, states);
    m.dt = kr_carve_bytes(carve, states, sizeof *m.dt);
    m.r = kr_carve_bytes(carve, rank * rank, sizeof *m.r);
    m.power = kr_carve_bytes(carve, wide * wide, sizeof *m.power);
    m.next = kr_carve_bytes(carve, wide * wide, sizeof *m.next);
    m.row = kr_carve_bytes(carve, wide, sizeof *m.row);
    m.pivots = kr_carve_bytes(carve, wide > rank ? wide : rank, sizeof *m.pivots);
    if (m.a && m.p) {
        m.d = m.a + states, m.b = m.d + states, m.c = m.b + states;
        m.q = m.p + rank * states, m.w = m.q + rank * states;
    }
    return m;
}

/* Re(sum of x dt y) */
static double meet_sum(const kr_meet *m, const kr_complex *x, const kr_complex *y)
{
    double sum = 0;

    for (size_t n = 0; n < m->states; n++)
        sum = sum + m->dt[n] * kr_complex_multiply(x[n], y[n]).re;
    return sum;
}

/* w = g dt p r^-1, that is w of each state from r^T w = g dt p; 'w' holds g. */
static void meet_solve(kr_meet *m)
{
    size_t rank = m->rank, states = m->states;

    for (size_t i = 0; i < rank; i++)
        for (size_t j = 0; j < rank; j++)
            m->r[j * rank + i] = (i == j) + meet_sum(m, m->q + i * states, m->p + j * states);
    if (!kr_dense_factor(m->r, rank, m->pivots)) {
        for (size_t i = 0; i < rank * states; i++)
            m->w[i] = kr_complex_of(kr_double_of(0x7ff8000000000000u), 0);
        return;
    }
    for (size_t n = 0; n < states; n++) {
        double     both[2 * KR_MOST_RANK];
        kr_complex g = m->w[n];

        for (size_t i = 0; i < rank; i++) {
            kr_complex w = kr_complex_scale(kr_complex_multiply(g, m->p[i * states + n]), m->dt[n]);

            both[2 * i] = w.re;
            both[2 * i + 1] = w.im;
        }
        kr_dense_solve(m->r, m->pivots, rank, both, 2);
        for (size_t i = 0; i < rank; i++)
            m->w[i * states + n] = kr_complex_of(both[2 * i], both[2 * i + 1]);
    }
}

void kr_meet_discretize(kr_meet *m)
{
    size_t     states = m->states;
    kr_complex one = kr_complex_of(1, 0);
    double     held[KR_MOST_RANK];

    for (size_t n = 0; n < states; n++) {
        kr_complex half = kr_complex_scale(m->a[n], 0.5 * m->dt[n]), below = kr_complex_subtract(one, half);
        kr_complex g = kr_complex_divide(one, below);

        m->d[n] = kr_complex_divide(kr_complex_add(one, half), below);
        for (size_t i = 0; i < m->rank; i++)
            m->q[i * states + n] = kr_complex_multiply(kr_complex_conjugate(m->p[i * states + n]), g);
        m->w[n] = g;
    }
    for (size_t i = 0; i < m->rank; i++)
        held[i] = meet_sum(m, m->q + i * states, m->b);
    for (size_t n = 0; n < states; n++)
        m->b[n] = kr_complex_scale(kr_complex_multiply(m->w[n], m->b[n]), m->dt[n]);
    meet_solve(m);
    for (size_t i = 0; i < m->rank; i++)
        for (size_t n = 0; n < states; n++)
            m->b[n] = kr_complex_subtract(m->b[n], kr_complex_scale(m->w[i * states + n], held[i]));
}

/* Rows of real and imaginary parts: row = row times the step's matrix. */
static void meet_step_row(const kr_meet *m, double *row)
{
    size_t states = m->states;
    double met[KR_MOST_RANK];

    for (size_t i = 0; i < m->rank; i++) {
        const kr_complex *w = m->w + i * states;

        met[i] = 0;
        for (size_t n = 0; n < states; n++)
            met[i] = met[i] + (kr_complex_rounded(row[n] * w[n].re) + kr_complex_rounded(row[states + n] * w[n].im));
        met[i] = 2 * met[i];
    }
    for (size_t n = 0; n < states; n++) {
        kr_complex to = kr_complex_multiply(kr_complex_of(row[n], row[states + n]), kr_complex_conjugate(m->d[n]));

        for (size_t i = 0; i < m->rank; i++)
            to = kr_complex_subtract(to, kr_complex_scale(kr_complex_conjugate(m->q[i * states + n]), met[i]));
        row[n] = to.re;
        row[states + n] = to.im;
    }
}

/* Rows after which states are 2^-32 of what they were, as a power of the step's matrix says. */
static uint32_t meet_reach(const double *power, size_t wide, uint64_t rows)
{
    double square = 0, reach;

    for (size_t i = 0; i < wide * wide; i++)
        square = square + power[i] * power[i];
    if (!(square < 1))
        return UINT32_MAX;
    reach = (double)rows * (1 + (double)(uint64_t)(64 * MEET_LN2 / -kr_log(square + 1e-300)));
    return reach < (double)UINT32_MAX ? (uint32_t)reach : UINT32_MAX;
}

/* From the highest bit: squared, and one step more where the bit is set. */
void kr_meet_power(kr_meet *m, uint64_t length)
{
    size_t   wide = 2 * m->states;
    double  *power = m->power, *next = m->next;
    uint64_t bit = 1;

    m->reach = UINT32_MAX;
    while (length >> 1 >= bit)
        bit <<= 1;
    for (size_t i = 0; i < wide * wide; i++)
        power[i] = i % (wide + 1) == 0 ? 1 : 0;
    for (; bit; bit >>= 1) {
        double *t = power;

        kr_dense_multiply(next, power, power, wide);
        power = next;
        next = t;
        for (size_t i = 0; i < wide && (length & bit); i++)
            meet_step_row(m, power + i * wide);
        m->reach = (uint32_t)kr_min(m->reach, meet_reach(power, wide, length / bit));
    }
    for (size_t i = 0; i < wide; i++)
        for (size_t j = 0; j < wide; j++)
            next[j * wide + i] = (i == j) - power[i * wide + j];
    m->power = next;
    m->next = power;
    m->undone = kr_dense_factor(next, wide, m->pivots);
}

void kr_meet_undo(kr_meet *m)
{
    size_t states = m->states;

    for (size_t n = 0; n < states; n++) {
        m->row[n] = m->c[n].re;
        m->row[states + n] = -m->c[n].im;
    }
    if (m->undone)
        kr_dense_solve(m->power, m->pivots, 2 * states, m->row, 1);
    for (size_t n = 0; n < states; n++)
        m->c[n] = m->undone ? kr_complex_of(m->row[n], -m->row[states + n])
                            : kr_complex_of(kr_double_of(0x7ff8000000000000u), 0);
}
