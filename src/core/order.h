/*
 * order.h - sorting what a file decides: never quadratic, no recursion, nothing allocated.
 *
 * Duplicate names are found by it and tensors are ordered by it.  A hash would be faster on
 * honest files, but then a file can choose names that collide.
 */
#ifndef KR_ORDER_H
#define KR_ORDER_H

#include "core/build.h"

typedef struct kr_ranked {
    uint64_t    rank;       /* compared first */
    const char *text;       /* then these bytes, as unsigned; a beginning comes before the whole */
    size_t      length;
    size_t      index;      /* the caller's; not compared */
} kr_ranked;

/* Stable.  'spare' has room for 'count' as well and is scratch. */
void   kr_order_sort(kr_ranked *items, kr_ranked *spare, size_t count);
/* The same by 'text' alone: sets rank so that most comparisons need not look at the text. */
void   kr_order_texts(kr_ranked *items, kr_ranked *spare, size_t count);
/* In sorted items: where one equals the one before it, or 'count'. */
size_t kr_order_twice(const kr_ranked *items, size_t count);

#endif
