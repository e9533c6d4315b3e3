/* Tables of merges and pieces: found again, also where a file was made so that they collide. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/hash.h"
#include "support/bytes.h"
#include "test.h"
#include "text/table.h"

enum { FEW = 400, MASK = 1023, MANY = 200000 };

static void check_pairs(const kr_merge *merges, size_t count, krait_status wanted)
{
    kr_memory memory;
    kr_arena  arena;
    kr_pairs  pairs;

    kr_memory_start(&memory, NULL, 0);
    kr_arena_start(&arena, &memory);
    CHECK_STATUS(kr_pairs_make(&pairs, merges, count, &arena), wanted);
    for (size_t i = 0; i < count && wanted == KRAIT_OK; i++) {
        const kr_merge *found = kr_pairs_find(&pairs, merges[i].left, merges[i].right);

        if (!CHECK(found != NULL && found->whole == merges[i].whole))
            break;
    }
    if (wanted == KRAIT_OK)
        CHECK(kr_pairs_find(&pairs, UINT32_MAX, 7) == NULL);
    kr_arena_free(&arena);
    CHECK_U64(memory.held, 0);
}

/* The place that table.c gives a pair with a seed: what somebody would compute who means harm. */
static uint32_t place_of(uint64_t seed, uint32_t left, uint32_t right)
{
    uint64_t hash = (seed ^ ((uint64_t)left << 32 | right)) * 0x9e3779b97f4a7c15u;

    return (uint32_t)((hash ^ hash >> 32) * 0x9e3779b1u >> 16) & MASK;
}

TEST(table_pairs_that_collide)
{
    kr_merge *merges = calloc(FEW, sizeof *merges);
    size_t    count = 0;

    for (uint32_t right = 0; count < FEW; right++)
        if (place_of(KR_HASH_START, 3, right) == 5) {
            merges[count] = (kr_merge){ 3, right, (uint32_t)count, (int32_t)count };
            count++;
        }
    check_pairs(merges, FEW, KRAIT_OK);         /* by the second hash */
    /* Alike for every hash: the same pair, which is one, and the later one's. */
    for (size_t i = 0; i < FEW; i++)
        merges[i] = (kr_merge){ 3, 4, (uint32_t)i, FEW };
    check_pairs(merges, FEW, KRAIT_OK);
    free(merges);
}

TEST(table_pairs_many)
{
    kr_merge *merges = calloc(MANY, sizeof *merges);
    long      begun = clock();

    for (uint32_t i = 0; i < MANY; i++)
        merges[i] = (kr_merge){ i % 1000, i / 1000, i, (int32_t)i };
    check_pairs(merges, MANY, KRAIT_OK);
    CHECK(seconds_since(begun) < 2);
    free(merges);
}

TEST(table_pieces)
{
    static const char    texts[] = "abababcabc";
    static const size_t  first[] = { 0, 1, 2, 4, 6, 7, 10, 10 };    /* a b ab ab c abc "" */
    static const uint8_t wanted[] = { 1, 0, 1, 1, 1, 1, 1 };
    kr_memory memory;
    kr_arena  arena;
    kr_pieces pieces;

    kr_memory_start(&memory, NULL, 0);
    kr_arena_start(&arena, &memory);
    CHECK_STATUS(kr_pieces_make(&pieces, first, texts, 7, wanted, &arena), KRAIT_OK);
    CHECK_INT(kr_pieces_find(&pieces, "a", 1), 0);
    CHECK_INT(kr_pieces_find(&pieces, "b", 1), -1);
    CHECK_INT(kr_pieces_find(&pieces, "ab", 2), 2);
    CHECK_INT(kr_pieces_find(&pieces, "abc", 3), 5);
    CHECK_INT(kr_pieces_find(&pieces, "", 0), 6);
    CHECK_INT(kr_pieces_find(&pieces, "abca", 4), -1);
    CHECK_U64(pieces.longest, 3);
    kr_arena_free(&arena);
}
