/* table.c - open addressing, half full at most. */
#include "text/table.h"

#include <string.h>

#include "core/hash.h"

enum {
    TABLE_MOST  = 256,          /* places that one look-up may see */
    TABLE_TRIES = 8             /* hashes that are tried */
};

/* A power of two, twice 'count' or more, less 1; 0: too many. */
static uint32_t table_mask(size_t count)
{
    uint32_t size = 16;

    if (count > UINT32_MAX / 4)
        return 0;
    while (size < 2 * count)
        size *= 2;
    return size - 1;
}

static uint32_t pair_place(const kr_pairs *pairs, uint32_t left, uint32_t right)
{
    uint64_t hash = (pairs->seed ^ ((uint64_t)left << 32 | right)) * 0x9e3779b97f4a7c15u;

    return (uint32_t)((hash ^ hash >> 32) * 0x9e3779b1u >> 16) & pairs->mask;
}

static int pair_put(kr_pairs *pairs, const kr_merge *merge)
{
    uint32_t place = pair_place(pairs, merge->left, merge->right), i;

    for (i = 0; i < TABLE_MOST; i++, place = (place + 1) & pairs->mask) {
        kr_merge *at = &pairs->places[place];

        if (at->whole == KR_TABLE_NONE || (at->left == merge->left && at->right == merge->right)) {
            *at = *merge;
            return 1;
        }
    }
    return 0;
}

krait_status kr_pairs_make(kr_pairs *pairs, const kr_merge *merges, size_t count, kr_arena *arena)
{
    static const kr_merge none = { 0, 0, 0, KR_TABLE_NONE };
    size_t                i, size;
    int                   tries;

    *pairs = (kr_pairs){ .mask = table_mask(count), .seed = KR_HASH_START };
    if (!pairs->mask)
        return KRAIT_ERR_UNSUPPORTED;
    size = (size_t)pairs->mask + 1;
    pairs->places = kr_arena_take(arena, size, sizeof *pairs->places);
    if (!pairs->places)
        return KRAIT_ERR_MEMORY;
    for (tries = 0; tries < TABLE_TRIES; tries++) {
        for (i = 0; i < size; i++)
            pairs->places[i] = none;
        for (i = 0; i < count && pair_put(pairs, &merges[i]); i++)
            ;
        if (i == count)
            return KRAIT_OK;
        pairs->seed = kr_hash_word(pairs->seed, (uint64_t)tries);
    }
    return KRAIT_ERR_UNSUPPORTED;
}

const kr_merge *kr_pairs_find(const kr_pairs *pairs, uint32_t left, uint32_t right)
{
    uint32_t place = pair_place(pairs, left, right), i;

    for (i = 0; i < TABLE_MOST; i++, place = (place + 1) & pairs->mask) {
        const kr_merge *at = &pairs->places[place];

        if (at->whole == KR_TABLE_NONE)
            return NULL;
        if (at->left == left && at->right == right)
            return at;
    }
    return NULL;
}

static uint32_t piece_place(const kr_pieces *pieces, const char *text, size_t length)
{
    uint64_t hash = kr_hash_bytes(pieces->seed, text, length);

    return (uint32_t)(hash >> 24) & pieces->mask;
}

static int piece_is(const kr_pieces *pieces, int32_t id, const char *text, size_t length)
{
    size_t begin = pieces->first[id];

    return pieces->first[id + 1] - begin == length && memcmp(pieces->bytes + begin, text, length) == 0;
}

static int piece_put(kr_pieces *pieces, int32_t id)
{
    const char *text = pieces->bytes + pieces->first[id];
    size_t      length = pieces->first[id + 1] - pieces->first[id];
    uint32_t    place = piece_place(pieces, text, length), i;

    for (i = 0; i < TABLE_MOST; i++, place = (place + 1) & pieces->mask) {
        if (pieces->places[place] == KR_TABLE_NONE) {
            pieces->places[place] = id;
            pieces->longest = length > pieces->longest ? length : pieces->longest;
            return 1;
        }
        if (piece_is(pieces, pieces->places[place], text, length))
            return 1;
    }
    return 0;
}

krait_status kr_pieces_make(kr_pieces *pieces, const size_t *first, const char *bytes, size_t count,
                            const uint8_t *wanted, kr_arena *arena)
{
    size_t i, size;
    int    tries;

    *pieces = (kr_pieces){ .first = first, .bytes = bytes, .mask = table_mask(count),
                           .seed = KR_HASH_START };
    if (!pieces->mask)
        return KRAIT_ERR_UNSUPPORTED;
    size = (size_t)pieces->mask + 1;
    pieces->places = kr_arena_take(arena, size, sizeof *pieces->places);
    if (!pieces->places)
        return KRAIT_ERR_MEMORY;
    for (tries = 0; tries < TABLE_TRIES; tries++) {
        for (i = 0; i < size; i++)
            pieces->places[i] = KR_TABLE_NONE;
        for (i = 0; i < count && (!wanted[i] || piece_put(pieces, (int32_t)i)); i++)
            ;
        if (i == count)
            return KRAIT_OK;
        pieces->seed = kr_hash_word(pieces->seed, (uint64_t)tries);
    }
    return KRAIT_ERR_UNSUPPORTED;
}

int32_t kr_pieces_find(const kr_pieces *pieces, const char *text, size_t length)
{
    uint32_t place = piece_place(pieces, text, length), i;

    for (i = 0; i < TABLE_MOST; i++, place = (place + 1) & pieces->mask) {
        int32_t id = pieces->places[place];

        if (id == KR_TABLE_NONE || piece_is(pieces, id, text, length))
            return id;
    }
    return KR_TABLE_NONE;
}
