/*
 * orders.h - random orders for every name under which a model wants one.
 */
#ifndef CLI_ORDERS_H
#define CLI_ORDERS_H

#include "krait.h"

typedef struct order_set {
    krait_order *list;
    int32_t    **numbers;       /* of each: [lanes][steps][cells] */
    size_t      *cells;
    size_t       count;
} order_set;

/* 0, or 1 after a complaint; none at all if the model takes none. */
int  orders_make(order_set *set, const krait_model *model, size_t lanes, size_t steps,
                 uint64_t seed);
void orders_free(order_set *set);

/* 24 bits of splitmix64. */
uint32_t random_bits(uint64_t *random);

#endif /* CLI_ORDERS_H */
