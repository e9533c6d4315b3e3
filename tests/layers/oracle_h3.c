/*
 * oracle_h3.c - what H3 is made of besides a diagonal state space: its shift state space with all its states, products
 * of heads, and matrices times heads.
 */
#include "layers/oracle_parts.h"

void shift_shape(layer *l)
{
    size_t n = size_option(l, "states", 64);

    l->out = l->in;
    want(l, "ssm_k_kernel.kernel.B", -1, 1, l->in, n, 0);
    want(l, "ssm_k_kernel.kernel.C", -1, 1, l->in, n, 0);
    if (!oracle_option_text(l, "no_d"))
        want(l, "ssm_k_D", -1, 1, l->in, 0, 0);
}

/* x[n] = x[n - 1] + B[n] u */
void shift_run(const layer *l, const oracle_rows *in, number *out)
{
    const weight *b = get_weight(l, "ssm_k_kernel.kernel.B"), *c = get_weight(l, "ssm_k_kernel.kernel.C");
    const weight *d = get_weight(l, "ssm_k_D");
    size_t        states = size_option(l, "states", 64);
    number       *x = room(states);

    for (size_t channel = 0; channel < l->in; channel++) {
        memset(x, 0, states * sizeof *x);
        for (size_t t = 0; t < in->count; t++) {
            number u = in->x[t * l->in + channel], *y = &out[t * l->in + channel];

            *y = d ? times(exact(d->data[channel]), u) : exact(0);
            for (size_t n = states; n-- > 0;) {
                x[n] = n ? x[n - 1] : exact(0);
                add_to(&x[n], times(exact(b->data[channel * states + n]), u));
            }
            for (size_t n = 0; n < states; n++)
                add_to(y, times(exact(c->data[channel * states + n]), x[n]));
        }
    }
    free(x);
}

void outer_shape(layer *l)
{
    l->out = l->in / 2 * size_option(l, "head_dim", 0);
}

void outer_run(const layer *l, const oracle_rows *in, number *out)
{
    size_t size = size_option(l, "head_dim", 0), width = l->in / 2, heads = width / size;

    for (size_t t = 0; t < in->count; t++)
        for (size_t head = 0; head < heads; head++)
            for (size_t i = 0; i < size; i++)
                for (size_t j = 0; j < size; j++)
                    out[t * l->out + (i * size + j) * heads + head] =
                        times(in->x[t * l->in + head * size + i], in->x[t * l->in + width + head * size + j]);
}

void contract_shape(layer *l)
{
    l->out = l->in / (1 + size_option(l, "head_dim", 0));
}

void contract_run(const layer *l, const oracle_rows *in, number *out)
{
    size_t size = size_option(l, "head_dim", 0), width = l->out, heads = width / size;

    for (size_t t = 0; t < in->count; t++) {
        const number *q = in->x + t * l->in, *x = q + width;

        for (size_t head = 0; head < heads; head++)
            for (size_t j = 0; j < size; j++) {
                number sum = exact(0);

                for (size_t i = 0; i < size; i++)
                    add_to(&sum, times(x[(i * size + j) * heads + head], q[head * size + i]));
                out[t * width + j * heads + head] = sum;
            }
    }
}
