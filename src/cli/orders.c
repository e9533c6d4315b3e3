/*
 * orders.c - an order is one of a lane's steps in a model of whole sequences, else of the cells
 * of every step.
 */
#include "cli/orders.h"

#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/show.h"

uint32_t random_bits(uint64_t *random)
{
    uint64_t x = *random += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return (uint32_t)(x >> 40);
}

static void shuffle(int32_t *order, size_t count, uint64_t *random)
{
    size_t i, k;

    for (i = 0; i < count; i++) {
        k = random_bits(random) % (i + 1);
        order[i] = order[k];
        order[k] = (int32_t)i;
    }
}

/* The place of every slot that is an order; returns how many there are. */
static size_t count_orders(order_set *set, const krait_model *model)
{
    krait_slot_info info = { 0 };
    size_t          i, count = 0;

    info.size = sizeof info;
    for (i = 0; krait_model_slot(model, i, &info) == KRAIT_OK; i++) {
        if (info.kind != KRAIT_SLOT_ORDER)
            continue;
        if (set->list) {
            set->list[count].name = info.name;
            set->cells[count] = info.width;
        }
        count++;
    }
    return count;
}

int orders_make(order_set *set, const krait_model *model, size_t lanes, size_t steps,
                uint64_t seed)
{
    size_t   count, i, at, each;
    uint64_t random = ~seed;
    int      whole = model_number(model, KRAIT_WHOLE_SEQUENCE) != 0;

    memset(set, 0, sizeof *set);
    if ((count = count_orders(set, model)) == 0)
        return 0;
    set->list = calloc(count, sizeof *set->list);
    set->numbers = calloc(count, sizeof *set->numbers);
    set->cells = calloc(count, sizeof *set->cells);
    if (!set->list || !set->numbers || !set->cells)
        return complain(NULL, "out of memory");
    set->count = count_orders(set, model);
    for (i = 0; i < set->count; i++) {
        each = whole && set->cells[i] == 1 ? steps : set->cells[i];
        count = lanes * steps * set->cells[i];
        if (!(set->numbers[i] = calloc(count + 1, sizeof **set->numbers)))
            return complain(NULL, "out of memory");
        for (at = 0; at < count; at += each)
            shuffle(set->numbers[i] + at, each, &random);
        set->list[i].order = set->numbers[i];
        set->list[i].count = count;
    }
    return 0;
}

void orders_free(order_set *set)
{
    size_t i;

    for (i = 0; i < set->count; i++)
        free(set->numbers[i]);
    free(set->list);
    free(set->numbers);
    free(set->cells);
    memset(set, 0, sizeof *set);
}
