/* oracle_composites.c - layers made of layers. */
#include "layers/oracle_parts.h"

static size_t cells_of(const oracle_rows *rows)
{
    return rows->grid[0] * rows->grid[1];
}

static void copy_row(oracle_rows *to, size_t t, const oracle_rows *from, size_t s)
{
    memcpy(to->x + t * to->width, from->x + s * from->width, from->width * sizeof *to->x);
    to->dt[t] = from->dt[s];
}

/* ---- one after another --------------------------------------------------------------- */

/* sequence and repeat; of the others, all that have one child. */
void chain_shape(layer *l)
{
    l->in = l->children[0]->in;
    l->out = l->children[l->n_children - 1]->out;
}

oracle_rows chain_make(const layer *l, const oracle_rows *in)
{
    oracle_rows at = rows_through(l->children[0], in);

    for (size_t i = 1; i < l->n_children; i++) {
        oracle_rows next = rows_through(l->children[i], &at);

        oracle_rows_free(&at);
        at = next;
    }
    return at;
}

oracle_rows residual_make(const layer *l, const oracle_rows *in)
{
    oracle_rows out = rows_through(l->children[0], in);

    for (size_t i = 0; i < in->count * l->in; i++)
        out.x[i] = plus(in->x[i], out.x[i]);
    return out;
}

/* ---- side by side -------------------------------------------------------------------- */

void branches_shape(layer *l)
{
    l->in = l->children[0]->in;
    l->out = l->children[0]->out;
    for (size_t i = 1; i < l->n_children && option_is(l, "merge", "concatenate"); i++)
        l->out += l->children[i]->out;
}

/* Row by row; a's width is that of the whole, 'at' the first number of b in it. */
static void merge_rows(const layer *l, oracle_rows *a, const oracle_rows *b, size_t at)
{
    int side_by_side = option_is(l, "merge", "concatenate");

    for (size_t t = 0; t < a->count; t++)
        for (size_t c = 0; c < b->width; c++) {
            number *x = &a->x[t * a->width + at + c], y = b->x[t * b->width + c];

            *x = side_by_side ? y
               : option_is(l, "merge", "multiply") ? times(*x, y) : plus(*x, y);
        }
}

void append_rows(oracle_rows *a, const oracle_rows *b)
{
    oracle_rows out = rows_made(a, a->count + b->count, a->width);

    for (size_t t = 0; t < out.count; t++)
        copy_row(&out, t, t < a->count ? a : b, t < a->count ? t : t - a->count);
    oracle_rows_free(a);
    *a = out;
}

oracle_rows branches_make(const layer *l, const oracle_rows *in)
{
    oracle_rows out = rows_through(l->children[0], in);
    size_t      at = out.width;

    if (option_is(l, "merge", "concatenate")) {
        oracle_rows wide = rows_made(&out, out.count, l->out);

        merge_rows(l, &wide, &out, 0);
        oracle_rows_free(&out);
        out = wide;
    }
    for (size_t i = 1; i < l->n_children; i++) {
        oracle_rows next = rows_through(l->children[i], in);

        if (option_is(l, "merge", "append"))
            append_rows(&out, &next);
        else
            merge_rows(l, &out, &next, option_is(l, "merge", "concatenate") ? at : 0);
        at += next.width;
        oracle_rows_free(&next);
    }
    for (size_t i = 0; i < out.count * out.width && option_is(l, "merge", "mean"); i++)
        out.x[i] = times(out.x[i], exact(1 / (double)l->n_children));
    return out;
}

/* ---- in another order ---------------------------------------------------------------- */

/* Last row first.  A row's dt is the interval before it: now to the row that came after it. */
static oracle_rows backwards(const oracle_rows *in)
{
    size_t      n = in->count;
    oracle_rows out = rows_made(in, n, in->width);

    for (size_t t = 0; t < n; t++) {
        copy_row(&out, t, in, n - 1 - t);
        out.dt[t] = in->dt[t ? n - t : 0];
    }
    return out;
}

oracle_rows reverse_make(const layer *l, const oracle_rows *in)
{
    oracle_rows turned = backwards(in), made, out;

    made = rows_through(l->children[0], &turned);
    out = backwards(&made);
    oracle_rows_free(&turned), oracle_rows_free(&made);
    return out;
}

oracle_rows permute_make(const layer *l, const oracle_rows *in)
{
    const char *order = oracle_option_text(l, "order");
    size_t      from[ORACLE_VALUE];
    oracle_rows moved = rows_made(in, in->count, in->width), made, out;

    for (size_t k = 0; k < in->count; k++, order += *order == ':') {
        from[k] = strtoul(order, (char **)(uintptr_t)&order, 10);
        copy_row(&moved, k, in, from[k]);
    }
    made = rows_through(l->children[0], &moved);
    if (made.count != in->count) {      /* they have no places to go back to */
        oracle_rows_free(&moved);
        return made;
    }
    out = rows_made(&made, in->count, made.width);
    for (size_t k = 0; k < in->count; k++) {
        copy_row(&out, from[k], &made, k);
        out.dt[from[k]] = in->dt[from[k]];
    }
    oracle_rows_free(&moved), oracle_rows_free(&made);
    return out;
}

/* ---- along an axis of a grid ---------------------------------------------------------- */

/* Sequence s, as f sees it, is row i of it for i below length: where in the rows that is. */
typedef struct axis {
    size_t sequences, length;
    size_t (*at)(const oracle_rows *rows, size_t length, size_t s, size_t i);
} axis;

/* sequences: steps */
static size_t at_grid(const oracle_rows *rows, size_t length, size_t s, size_t i)
{
    (void)rows;
    return s * length + i;
}

/* sequences: the columns of one step, then those of the next; length is the grid's height */
static size_t at_columns(const oracle_rows *rows, size_t length, size_t s, size_t i)
{
    size_t w = rows->grid[1];

    return s / w * w * length + i * w + s % w;
}

/* sequences: cells */
static size_t at_steps(const oracle_rows *rows, size_t length, size_t s, size_t i)
{
    (void)length;
    return i * cells_of(rows) + s;
}

static axis axis_of(const layer *l, const oracle_rows *in)
{
    size_t cells = cells_of(in), steps = in->count / cells;

    if (option_is(l, "axis", "rows"))
        return (axis){ steps * in->grid[0], in->grid[1], at_grid };
    if (option_is(l, "axis", "columns"))
        return (axis){ steps * in->grid[1], in->grid[0], at_columns };
    if (option_is(l, "axis", "steps"))
        return (axis){ cells, steps, at_steps };
    return (axis){ steps, cells, at_grid };
}

/* The grid of what comes out, when every sequence became 'made' rows; as many cells keep theirs. */
static void over_grid(const layer *l, oracle_rows *out, const oracle_rows *in, size_t made)
{
    if (option_is(l, "axis", "grid") && made == cells_of(in))
        return;
    out->grid[0] = option_is(l, "axis", "rows") || option_is(l, "axis", "steps") ? in->grid[0]
                                                                                 : made;
    out->grid[1] = option_is(l, "axis", "rows") ? made
                 : option_is(l, "axis", "grid") ? 1 : in->grid[1];
}

oracle_rows over_make(const layer *l, const oracle_rows *in)
{
    axis        a = axis_of(l, in);
    int         in_time = option_is(l, "axis", "steps");
    oracle_rows out = { 0 };

    for (size_t s = 0; s < a.sequences; s++) {
        oracle_slots slots = { 0 };
        oracle_rows  one = rows_made(in, a.length, in->width), made;

        one.grid[0] = one.grid[1] = 1;
        one.slots = &slots;
        one.whole |= !in_time;
        for (size_t i = 0; i < a.length; i++) {
            copy_row(&one, i, in, a.at(in, a.length, s, i));
            one.dt[i] = in_time ? one.dt[i] : 1;
        }
        made = rows_through(l->children[0], &one);
        if (s == 0) {
            out = rows_made(in, a.sequences * made.count, made.width);
            over_grid(l, &out, in, made.count);
        }
        for (size_t i = 0; i < made.count; i++) {
            size_t to = a.at(&out, made.count, s, i);

            copy_row(&out, to, &made, i);
            if (!in_time)
                out.dt[to] = in->dt[a.at(in, a.length, s, 0)];
        }
        oracle_rows_free(&one), oracle_rows_free(&made);
        for (size_t i = 0; i < slots.count; i++)
            oracle_rows_free(&slots.of[i].rows);
    }
    return out;
}

/* ---- kept rows ----------------------------------------------------------------------- */

static oracle_rows copied(const oracle_rows *rows)
{
    oracle_rows copy = rows_made(rows, rows->count, rows->width);

    memcpy(copy.x, rows->x, rows->count * rows->width * sizeof *copy.x);
    return copy;
}

oracle_rows put_make(const layer *l, const oracle_rows *in)
{
    oracle_slots *slots = in->slots;

    slots->of[slots->count].as = oracle_option_text(l, "as");
    slots->of[slots->count++].rows = copied(in);
    return copied(in);
}

/* tree.c has set out. */
void get_shape(layer *l)
{
    (void)l;
}

/* What was kept last under the name. */
oracle_rows get_make(const layer *l, const oracle_rows *in)
{
    const oracle_slots *slots = in->slots;
    size_t              i = slots->count - 1;

    while (!option_is(l, "as", slots->of[i].as))
        i--;
    return copied(&slots->of[i].rows);
}

/* ---- causal or whole ----------------------------------------------------------------- */

static int is_one_of(const layer *l, const char *const *types)
{
    while (*types && strcmp(l->type->name, *types) != 0)
        types++;
    return *types != NULL;
}

/* Is there one for which 'holds' among the layers along the steps?  A grid's cells are no steps. */
static int any_in_time(const layer *l, int (*holds)(const layer *l))
{
    if (strcmp(l->type->name, "over") == 0 && !option_is(l, "axis", "steps"))
        return 0;
    for (size_t i = 0; i < l->n_children; i++)
        if (any_in_time(l->children[i], holds))
            return 1;
    return holds(l);
}

static int needs_whole(const layer *l)
{
    static const char *const types[] = { "insert", "permute", "position", "reverse", NULL };

    return is_one_of(l, types) || option_is(l, "merge", "append") || option_is(l, "kind", "token") ||
           option_is(l, "bidirectional", "true");
}

static int needs_dt(const layer *l)
{
    static const char *const types[] = { "mamba1", "selective_scan", NULL };
    static const char *const continuous[] = { "s4d", "s5", NULL };

    return (SCANS_IN_TIME && is_one_of(l, types)) || option_is(l, "kind", "mean") ||
           (is_one_of(l, continuous) && !option_is(l, "bidirectional", "true") && !option_is(l, "liquid", "true") &&
            !option_is(l, "form", "dss") && !option_is(l, "discretization", "dss") && option(l, "degree", 1) <= 1);
}

int oracle_whole(const layer *l)
{
    return any_in_time(l, needs_whole);
}

int oracle_uses_dt(const layer *l)
{
    return any_in_time(l, needs_dt);
}
