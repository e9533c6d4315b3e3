/*
 * table.h - pairs of ids to merges, and pieces of text to ids: hash tables made once, then only read.
 *
 * A file may choose keys that collide.  So no look-up goes further than TABLE_MOST places, and a
 * table that this is too few for is made again with another hash; when all have failed the file is
 * refused.  A file that nobody made for it does not come near.
 */
#ifndef KR_TABLE_H
#define KR_TABLE_H

#include "core/memory.h"

enum { KR_TABLE_NONE = -1 };

typedef struct kr_merge {
    uint32_t left, right;       /* ids */
    uint32_t rank;              /* lower goes first */
    int32_t  whole;             /* the id that they become; KR_TABLE_NONE: an empty place */
} kr_merge;

typedef struct kr_pairs {
    kr_merge *places;
    uint32_t  mask;             /* a power of two less 1 */
    uint64_t  seed;
} kr_pairs;

/* Of two merges of one pair the later one counts.  KRAIT_ERR_MEMORY, or _UNSUPPORTED: see above. */
krait_status kr_pairs_make(kr_pairs *pairs, const kr_merge *merges, size_t count, kr_arena *arena);
/* NULL if these do not merge. */
const kr_merge *kr_pairs_find(const kr_pairs *pairs, uint32_t left, uint32_t right);

/* Texts that lie one after another: number i is bytes[first[i]] up to bytes[first[i + 1]]. */
typedef struct kr_pieces {
    const size_t *first;
    const char   *bytes;
    int32_t      *places;
    uint32_t      mask;
    uint64_t      seed;
    size_t        longest;      /* bytes of a piece in the table */
} kr_pieces;

/* Of the texts up to 'count' those with wanted[i]; of equal ones the first. */
krait_status kr_pieces_make(kr_pieces *pieces, const size_t *first, const char *bytes, size_t count,
                            const uint8_t *wanted, kr_arena *arena);
int32_t      kr_pieces_find(const kr_pieces *pieces, const char *text, size_t length);

#endif
