/*
 * random_tree.c - writes a tree from left to right and knows at every place what flows there: the
 * width of rows, the grid, how many rows there may be, and what may be made of them.
 */
#include "layers/random_writer.h"

#include <string.h>

static flow write_layer(writer *w, flow in, place p);

/* ---- grids --------------------------------------------------------------------------- */

static flow write_patch(writer *w, flow in)
{
    size_t height = 1 + below(w, in.grid[0]), width = 1 + below(w, in.grid[1]);
    size_t down = 1 + below(w, 3), right = 1 + below(w, 3);
    size_t h = (in.grid[0] - height) / down + 1, v = (in.grid[1] - width) / right + 1;

    if (h * v == 1 || in.width * height * width > MOST_WIDTH)
        return write_row_wise(w, in);
    put(w, "patch(height=%zu width=%zu down=%zu right=%zu)", height, width, down, right);
    in.width *= height * width;
    in.grid[0] = h;
    in.grid[1] = v;
    return with_rows(w, in, in.least, in.most);
}

/* Rows that were put inside are for the inside; with keep, f keeps the rows that it is given. */
static flow write_over(writer *w, flow in, place p)
{
    static const char *const axes[] = { "grid", "rows", "columns", "steps" };
    size_t                   axis = below(w, 4), before = w->n_kept;
    flow                     inner = in, out = in;

    put(w, "over(axis=%s)[", axes[axis]);
    inner.grid[0] = inner.grid[1] = 1;
    p.depth--;
    if (axis < 3) {
        inner.least = inner.most = axis == 0 ? in.grid[0] * in.grid[1] : in.grid[axis == 1];
        inner.rows = ++w->rows;
        p.whole = p.within = 1;
    }
    inner = write_layer(w, inner, p);
    put(w, "]");
    for (size_t i = before; i < w->n_kept; i++)
        if (w->kept[i].is_define)
            w->kept[before++] = w->kept[i];
    w->n_kept = before;
    out.width = inner.width;
    if (axis == 3) {
        out.rows = inner.rows, out.least = inner.least, out.most = inner.most;
        return out;
    }
    if (axis == 0 && inner.most != in.grid[0] * in.grid[1])
        out.grid[0] = inner.most, out.grid[1] = 1;
    else if (axis > 0)
        out.grid[axis == 1] = inner.most;
    return p.keep ? out : with_rows(w, out, out.least, out.most);
}

/* ---- composites ---------------------------------------------------------------------- */

/* Layers that keep the rows, and at last one that makes 'width' numbers of each. */
static flow write_to_width(writer *w, flow in, place p, size_t width)
{
    p.keep = 1;
    p.depth--;
    if (one_in(w, 3))
        return write_linear(w, in, width);
    put(w, "sequence[");
    in = write_layer(w, in, p);
    put(w, ", ");
    in = write_linear(w, in, width);
    put(w, "]");
    return in;
}

/* Behind each child: the same for all, so that their rows agree. */
static flow write_tail(writer *w, flow in, place p, size_t tail)
{
    static const char *const kinds[] = { "mean", "max", "last" };

    if (tail == 1)
        put(w, ", pool(kind=%s)", kinds[below(w, 3)]);
    if (tail == 2)
        put(w, ", insert(at=%s rows=2)", one_in(w, 2) ? "first" : "middle");
    if (tail == 1 && p.whole)
        return (flow){ in.width, { 1, 1 }, 1, 1, in.rows };
    if (tail == 2)
        return (flow){ in.width, { 1, 1 }, in.least + 2, in.most + 2, in.rows };
    return in;
}

static flow write_branches(writer *w, flow in, place p)
{
    static const char *const merges[] = { "sum", "mean", "multiply", "concatenate", "append" };
    int                      appends = !p.keep && !p.plain && p.whole && !has_grid(&in)
                                       && in.most <= MOST_ROWS / 2;
    size_t                   merge = below(w, appends ? 5 : 4), width = some_width(w), sum = 0;
    size_t                   count = 1 + below(w, 3), tail = 0;
    flow                     out = in;

    if (!p.keep && !p.plain && !has_grid(&in))
        tail = below(w, p.whole && in.most < MOST_ROWS - 2 && merge < 4 ? 3 : 2);
    put(w, "branches(merge=%s)[", merges[merge]);
    if (merge == 4)
        count = 2;
    for (size_t i = 0; i < count; i++) {
        put(w, "%s%s", i ? ", " : "", tail ? "sequence[" : "");
        out = write_to_width(w, in, p, merge == 3 ? 1 + below(w, 20) : width);
        out = write_tail(w, out, p, tail);
        put(w, "%s", tail ? "]" : "");
        sum += out.width;
    }
    put(w, "]");
    out.width = merge == 3 ? sum : width;
    if (merge == 4)
        return with_rows(w, out, 2 * out.least, 2 * out.most);
    return tail ? with_rows(w, out, out.least, out.most) : out;
}

static flow write_repeat(writer *w, flow in, place p)
{
    put(w, "repeat(n=%zu)[", 1 + below(w, 3));
    p.repeated = 1;
    if (one_in(w, 2))
        put(w, "residual[");
    else
        put(w, "sequence[");
    in = write_to_width(w, in, p, in.width);
    put(w, "]]");
    return in;
}

/* Rows in another order: what was put outside is for rows in that of outside. */
static flow write_turned(writer *w, flow in, place p)
{
    size_t before = in.rows, n = in.most, order[2 * MOST_ROWS];

    p.depth--;
    p.repeated = 1;
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t k = below(w, i), other = order[i - 1];

        order[i - 1] = order[k];
        order[k] = other;
    }
    if (p.within && n <= MOST_CELLS && one_in(w, 2)) {
        put(w, "permute(order=");
        for (size_t i = 0; i < n; i++)
            put(w, "%s%zu", i ? ":" : "", order[i]);
        put(w, ")[");
    } else {
        put(w, "reverse[");
    }
    n = in.rows = ++w->rows;
    in = write_layer(w, in, p);
    put(w, "]");
    if (in.rows == n)
        in.rows = before;
    return in;
}

/* A name for rows or layers, to be asked for later. */
static flow write_named(writer *w, flow in, place p)
{
    int  define = !has_grid(&in) && one_in(w, 2), number = ++w->names;
    flow out = in;

    if (w->n_kept == NAMES || p.repeated || p.plain) {
        return write_row_wise(w, in);
    } else if (define) {
        put(w, "define(as=n%d)[", number);
        p.plain = p.repeated = 1;
        out = write_to_width(w, in, p, in.width);
        put(w, "]");
    } else {
        put(w, "put(as=n%d)", number);
    }
    w->kept[w->n_kept++] = (kept){ in, define, number };
    return out;
}

/* Something of before, if there is anything that fits. */
static flow write_again(writer *w, flow in, place p)
{
    for (size_t i = w->n_kept; i-- > 0 && !p.plain;) {
        const kept *k = &w->kept[i];

        if (k->is_define && !has_grid(&in)) {
            if (k->at.width == in.width) {
                put(w, "use(as=n%d)", k->number);
            } else {
                put(w, "sequence[");
                write_linear(w, in, k->at.width);
                put(w, ", use(as=n%d)]", k->number);
            }
            return with_width(in, k->at.width);
        }
        if (!k->is_define && k->at.rows == in.rows && k->at.grid[0] == in.grid[0] &&
            k->at.grid[1] == in.grid[1]) {
            put(w, "get(as=n%d)", k->number);
            return with_width(in, k->at.width);
        }
    }
    return write_row_wise(w, in);
}

static flow write_sequence(writer *w, flow in, place p)
{
    size_t count = 1 + below(w, 4);

    put(w, "sequence[");
    p.depth--;
    for (size_t i = 0; i < count; i++) {
        put(w, "%s", i ? ", " : "");
        in = w->n_kept && one_in(w, 3) ? write_again(w, in, p) : write_layer(w, in, p);
    }
    put(w, "]");
    return in;
}

static flow write_composite(writer *w, flow in, place p)
{
    switch (below(w, 11)) {
    case 0:
    case 1:
    case 2:
        return write_sequence(w, in, p);
    case 3:
    case 4:
        return write_branches(w, in, p);
    case 5:
        put(w, "residual[");
        in = write_to_width(w, in, p, in.width);
        put(w, "]");
        return in;
    case 6:
        return write_repeat(w, in, p);
    case 7:
        return p.whole && !has_grid(&in) && !p.plain ? write_turned(w, in, p)
                                                     : write_sequence(w, in, p);
    case 8:
    case 9:
        return write_named(w, in, p);
    default:
        return write_again(w, in, p);
    }
}

static flow write_layer(writer *w, flow in, place p)
{
    if (++w->layers > MOST_LAYERS)
        p.depth = 0;
    if (p.depth > 0 && has_grid(&in) && one_in(w, 2))
        return one_in(w, 4) && !p.keep ? write_patch(w, in) : write_over(w, in, p);
    if (p.depth > 0 && !one_in(w, 3))
        return write_composite(w, in, p);
    return !has_grid(&in) && !one_in(w, 3) ? write_along(w, in, p) : write_row_wise(w, in);
}

void random_tree_make(random_tree *t, uint64_t seed)
{
    static const int32_t types[] = { KRAIT_F32, KRAIT_F32, KRAIT_F32, KRAIT_F16, KRAIT_BF16,
                                     KRAIT_Q8_0 };
    static const int32_t blocks[] = { KRAIT_Q8_0, KRAIT_Q4_0, KRAIT_Q5_1, KRAIT_Q4_1, KRAIT_Q5_0 };
    kr_random apart = kr_random_from(seed);
    writer    w = { .tree = t, .random = { kr_random_u64(&apart) } };
    flow      in = { some_width(&w), { 1, 1 }, 1, STEPS, 0 };
    place     p = { .depth = 2 + (int)below(&w, 3), .whole = one_in(&w, 2) };

    memset(t, 0, sizeof *t);
    t->made.text = t->text;
    t->made.type = types[below(&w, 6)];
    if (t->made.type == KRAIT_Q8_0)
        t->made.type = blocks[seed / 7 % 5];
    if (one_in(&w, 3)) {
        in.grid[0] = 1 + below(&w, 5);
        in.grid[1] = 2 + below(&w, 3);
        in.width = 1 + below(&w, 4);
        put(&w, "%zux%zu ", in.grid[0], in.grid[1]);
    } else if (one_in(&w, 4)) {
        t->made.tokens = 2 + below(&w, 40);
        put(&w, "sequence[embed(width=%zu), ", in.width);
    }
    t->made.features = t->made.tokens ? 0 : in.width;
    write_sequence(&w, in, p);
    put(&w, t->made.tokens ? "]" : "");
}
