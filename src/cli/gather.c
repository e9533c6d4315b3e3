/* gather.c - random rows, those of one call, and behind them what no call may read. */
#include <string.h>

#include "cli/commands.h"
#include "cli/trial.h"

/* From -1 to 1. */
static float next_number(uint64_t *random)
{
    return (float)random_bits(random) * 0x1p-23f - 1.0f;
}

void trial_fill(trial *t, uint64_t seed)
{
    size_t   rows = t->lanes * t->steps, i;
    int64_t  vocabulary = model_number(t->model, KRAIT_VOCABULARY);
    uint64_t random = seed;

    for (i = 0; t->tokens && i < rows; i++)
        t->tokens[i] = (int32_t)((double)(next_number(&random) + 1.0f) / 2
                                 * (double)vocabulary);
    for (i = 0; t->features && i < rows * t->in_width; i++)
        t->features[i] = 2 * next_number(&random);
    for (i = 0; i < rows; i++)
        t->dt[i] = 1.0f + next_number(&random) / 2;
}

/* Number 'row' of each order, of all lanes and steps, as number 'to' of the call. */
static void gather_orders(const trial *t, size_t row, size_t to)
{
    size_t i;

    for (i = 0; i < t->orders.count; i++) {
        size_t cells = t->orders.cells[i];

        memcpy(t->call.orders.numbers[i] + to * cells, t->orders.numbers[i] + row * cells,
               cells * sizeof(int32_t));
    }
}

static void gather_row(const trial *t, size_t row, size_t to)
{
    size_t width = t->in_width;

    if (t->tokens)
        t->call.tokens[to] = t->tokens[row];
    else
        memcpy(t->call.features + to * width, t->features + row * width, width * sizeof(float));
    t->call.dt[to] = t->dt[row];
    gather_orders(t, row, to);
}

/* What is refused or spoils the result if it is read: no lane's rows come to here. */
static void gather_nothing(const trial *t, size_t to)
{
    size_t i;

    t->call.tokens[to] = INT32_MIN;
    if (t->features)
        trial_mark(t->call.features + to * t->in_width, t->in_width);
    trial_mark(&t->call.dt[to], 1);
    for (i = 0; i < t->orders.count; i++)
        memset(t->call.orders.numbers[i] + to * t->orders.cells[i], 0xff,
               t->orders.cells[i] * sizeof(int32_t));
}

void trial_gather(trial *t, const way *w, size_t first, size_t lanes, size_t n)
{
    size_t lane, i;

    for (lane = 0; lane < lanes; lane++)
        for (i = 0; i < n; i++) {
            size_t to = lane * n + i, from = t->call.at[lane] + i;

            t->call.reset[to] = (w->how & WAY_EPISODE) && from == t->steps;
            if (i < t->call.lengths[lane])
                gather_row(t, (first + lane) * t->steps + from % t->steps, to);
            else
                gather_nothing(t, to);
        }
    for (i = 0; i < t->orders.count; i++)
        t->call.orders.list[i].count = lanes * n * t->orders.cells[i];
}
