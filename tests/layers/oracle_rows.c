/* oracle_rows.c - slices, and layers that make, take away or mark rows. */
#include "layers/oracle_parts.h"

/* ---- numbers of a row ---------------------------------------------------------------- */

void slice_shape(layer *l)
{
    l->out = size_option(l, "width", 0);
}

void slice_run(const layer *l, const oracle_rows *in, number *out)
{
    size_t from = size_option(l, "from", 0);

    for (size_t t = 0; t < in->count; t++)
        for (size_t c = 0; c < l->out; c++)
            out[t * l->out + c] = in->x[t * l->in + from + c];
}

/* Number c of a list, or the only one, as a float32 holds it. */
static double listed(const layer *l, const char *name, size_t c)
{
    const char *text = oracle_option_text(l, name);

    for (const char *next = strchr(text, ':'); next && c > 0; next = strchr(text, ':'), c--)
        text = next + 1;
    return (double)strtof(text, NULL);
}

/* (x - mean) / std */
void normalize_run(const layer *l, const oracle_rows *in, number *out)
{
    for (size_t i = 0; i < in->count * l->in; i++) {
        number x = plus(in->x[i], exact(-listed(l, "mean", i % l->in)));

        out[i] = times(x, exact(1 / listed(l, "std", i % l->in)));
    }
}

/* ---- positions ----------------------------------------------------------------------- */

void position_shape(layer *l)
{
    l->out = l->in;
    want(l, "weight", -1.5, 1.5, size_option(l, "rows", 0), l->in, 0);
}

void position_run(const layer *l, const oracle_rows *in, number *out)
{
    const weight *w = get_weight(l, "weight");

    for (size_t i = 0; i < in->count * l->in; i++)
        out[i] = plus(in->x[i], exact(w->data[i]));
}

void insert_shape(layer *l)
{
    l->out = l->in;
    want(l, "weight", -1.5, 1.5, size_option(l, "rows", 1), l->in, 0);
}

oracle_rows insert_make(const layer *l, const oracle_rows *in)
{
    const weight *w = get_weight(l, "weight");
    size_t        rows = size_option(l, "rows", 1);
    size_t        at = option_is(l, "at", "first") ? 0
                     : option_is(l, "at", "middle") ? in->count / 2 : in->count;
    oracle_rows   out = rows_made(in, in->count + rows, l->out);

    for (size_t t = 0; t < out.count; t++) {
        int    own = t >= at && t < at + rows;
        size_t from = own ? t - at : t < at ? t : t - rows;

        out.dt[t] = own ? 1 : in->dt[from];
        for (size_t c = 0; c < l->out; c++)
            out.x[t * l->out + c] = own ? exact(w->data[from * l->in + c])
                                        : in->x[from * l->in + c];
    }
    return out;
}

/* ---- pool ---------------------------------------------------------------------------- */

void pool_shape(layer *l)
{
    l->out = l->in;
}

/* Over rows 0..last of channel c: the sum of dt x over the sum of dt. */
static number pool_mean(const oracle_rows *in, size_t last, size_t c)
{
    number sum = { 0, 0 };
    double weights = 0, v;

    for (size_t t = 0; t <= last; t++) {
        number x = in->x[t * in->width + c];

        add_to(&sum, in->dt[t] == 1 ? x : times(exact(in->dt[t]), x));
        weights += in->dt[t];
    }
    if (weights == 0)
        return in->x[last * in->width + c];
    v = sum.v / weights;
    return (number){ v, apart(sum.e / weights, (2 + sqrt((double)last)) * HALF_UNIT * v) + TINY };
}

/* Any of those that may be the largest, but for their errors, may be it. */
static number pool_max(const oracle_rows *in, size_t last, size_t c)
{
    number most = in->x[c];

    for (size_t t = 1; t <= last; t++)
        if (in->x[t * in->width + c].v > most.v)
            most = in->x[t * in->width + c];
    for (size_t t = 0; t <= last; t++) {
        number x = in->x[t * in->width + c];

        if (x.v + 6 * x.e >= most.v - 6 * most.e)
            most.e = fmax(most.e, x.e);
    }
    return most;
}

static number pool_at(const layer *l, const oracle_rows *in, size_t last, size_t c)
{
    if (option_is(l, "kind", "mean"))
        return pool_mean(in, last, c);
    if (option_is(l, "kind", "max"))
        return pool_max(in, last, c);
    return in->x[last * in->width + c];
}

oracle_rows pool_make(const layer *l, const oracle_rows *in)
{
    size_t      token = option_is(l, "kind", "token") ? size_option(l, "index", 0) : in->count - 1;
    oracle_rows out = rows_made(in, in->whole ? 1 : in->count, l->out);

    for (size_t t = 0; t < out.count; t++)
        for (size_t c = 0; c < l->out; c++)
            out.x[t * l->out + c] = pool_at(l, in, in->whole ? token : t, c);
    if (in->whole) {
        out.dt[0] = 0;
        for (size_t t = 0; t < in->count; t++)
            out.dt[0] += in->dt[t];
    }
    return out;
}

/* ---- patch --------------------------------------------------------------------------- */

void patch_shape(layer *l)
{
    l->out = l->in * size_option(l, "height", 0) * size_option(l, "width", 0);
}

oracle_rows patch_make(const layer *l, const oracle_rows *in)
{
    size_t      height = size_option(l, "height", 0), width = size_option(l, "width", 0);
    size_t      down = size_option(l, "down", height), right = size_option(l, "right", width);
    size_t      cells = in->grid[0] * in->grid[1], steps = in->count / cells, at = 0;
    size_t      h = (in->grid[0] - height) / down + 1, w = (in->grid[1] - width) / right + 1;
    oracle_rows out = rows_made(in, steps * h * w, l->out);

    out.grid[0] = h, out.grid[1] = w;
    for (size_t t = 0; t < steps; t++)
        for (size_t i = 0; i < h * w; i++) {
            out.dt[t * h * w + i] = in->dt[t * cells];
            for (size_t c = 0; c < l->in; c++)
                for (size_t y = 0; y < height; y++)
                    for (size_t x = 0; x < width; x++) {
                        size_t row = i / w * down + y, column = i % w * right + x;

                        out.x[at++] = in->x[(t * cells + row * in->grid[1] + column) * l->in + c];
                    }
        }
    return out;
}

/* ---- log_softmax ----------------------------------------------------------------------- */

/* The sum's error is that of its terms, each of which has its own and that of the exponential. */
void log_softmax_run(const layer *l, const oracle_rows *in, number *out)
{
    for (size_t t = 0; t < in->count; t++) {
        const number *x = in->x + t * l->in;
        double        most = -INFINITY, sum = 0, error = 0;

        for (size_t i = 0; i < l->in; i++)
            most = fmax(most, x[i].v);
        for (size_t i = 0; i < l->in; i++) {
            double term = exp(x[i].v - most);

            sum += term;
            error = apart(error, term * apart(x[i].e, HALF_UNIT * (4 + fabs(x[i].v - most))));
            error = apart(error, HALF_UNIT * sum);
        }
        for (size_t i = 0; i < l->in; i++) {
            double part = x[i].v - most, v = part - log(sum);
            double roundings = HALF_UNIT * apart(apart(part, v), log(sum));

            out[t * l->in + i] = (number){ v, apart(apart(x[i].e, error / sum), roundings) + TINY };
        }
    }
}
