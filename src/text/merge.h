/*
 * merge.h - the symbols of a word merged two by two, best first, until nothing merges.
 *
 * Which two is a matter of a rank, lower first, then of the place, left first.  Work for n symbols
 * is n log n whatever they are.
 */
#ifndef KR_MERGE_H
#define KR_MERGE_H

#include "core/memory.h"

enum { KR_MERGE_FEW = 64 };     /* symbols for which nothing is allocated */

typedef struct kr_symbol {
    uint32_t begin, length;     /* bytes of the word; length 0: merged into the one before */
    int32_t  id;                /* KR_TABLE_NONE: no token */
    uint32_t before, behind;    /* numbers of symbols; the count: none */
} kr_symbol;

typedef struct kr_merge_item {
    uint64_t key;               /* rank, then the left one's number */
    uint32_t length;            /* of both: another one if either has merged since */
    int32_t  whole;
} kr_merge_item;

/* Do these two neighbours merge?  *rank and *whole of it. */
typedef int (*kr_merge_fn)(const void *user, const kr_symbol *left, const kr_symbol *right, uint32_t *rank,
                           int32_t *whole);

typedef struct kr_merge_room {
    kr_symbol     *symbols;
    kr_merge_item *items;       /* a heap; three for each symbol are enough */
    size_t         size;        /* symbols that fit */
    size_t         taken;       /* bytes that were allocated; 0: none */
    kr_symbol      few[KR_MERGE_FEW];
    kr_merge_item  few_items[3 * KR_MERGE_FEW];
} kr_merge_room;

void         kr_merge_start(kr_merge_room *room);
/* Room for a word of so many bytes; KRAIT_ERR_UNSUPPORTED beyond 2^31 - 1. */
krait_status kr_merge_reserve(kr_merge_room *room, size_t bytes, kr_memory *memory);
void         kr_merge_end(kr_merge_room *room, kr_memory *memory);
/* symbols[0..count), one after another, with begin, length and id set; the first one never goes away. */
void         kr_merge_all(kr_merge_room *room, size_t count, kr_merge_fn merges, const void *user);

#endif
