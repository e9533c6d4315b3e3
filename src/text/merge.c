/* merge.c - a heap of pairs beside a list of symbols; what has become of a pair is seen when it comes up. */
#include "text/merge.h"

#define MERGE_BYTES (sizeof(kr_symbol) + 3 * sizeof(kr_merge_item))

void kr_merge_start(kr_merge_room *room)
{
    room->symbols = room->few;
    room->items = room->few_items;
    room->size = KR_MERGE_FEW;
    room->taken = 0;
}

krait_status kr_merge_reserve(kr_merge_room *room, size_t bytes, kr_memory *memory)
{
    size_t size = bytes, taken;
    void  *block;

    if (bytes <= room->size)
        return KRAIT_OK;
    if (bytes > INT32_MAX)
        return KRAIT_ERR_UNSUPPORTED;
    if (size < 2 * room->size)
        size = 2 * room->size;                  /* few allocations for words that grow */
    if (!kr_mul_fits(size, MERGE_BYTES, &taken))
        return KRAIT_ERR_MEMORY;
    kr_merge_end(room, memory);
    block = kr_memory_take(memory, taken, 16);
    if (!block)
        return KRAIT_ERR_MEMORY;
    room->items = block;
    room->symbols = (kr_symbol *)(void *)(room->items + 3 * size);
    room->size = size;
    room->taken = taken;
    return KRAIT_OK;
}

void kr_merge_end(kr_merge_room *room, kr_memory *memory)
{
    if (room->taken)
        kr_memory_give(memory, room->items, room->taken, 16);
    kr_merge_start(room);
}

static void heap_put(kr_merge_item *items, size_t count, kr_merge_item item)
{
    size_t at = count;

    while (at > 0 && items[(at - 1) / 2].key > item.key) {
        items[at] = items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    items[at] = item;
}

/* The least one; 'count' of them were there. */
static kr_merge_item heap_take(kr_merge_item *items, size_t count)
{
    kr_merge_item least = items[0], moved = items[count - 1];
    size_t        at = 0, child;

    while ((child = 2 * at + 1) < count) {
        if (child + 1 < count && items[child + 1].key < items[child].key)
            child++;
        if (items[child].key >= moved.key)
            break;
        items[at] = items[child];
        at = child;
    }
    items[at] = moved;
    return least;
}

typedef struct merge_state {
    kr_merge_room *room;
    size_t         count, held;         /* symbols; items of the heap */
    kr_merge_fn    merges;
    const void    *user;
} merge_state;

/* The pair that begins with that symbol, if it merges. */
static void offer_pair(merge_state *m, uint32_t left)
{
    const kr_symbol *a = &m->room->symbols[left], *b;
    uint32_t         rank;
    int32_t          whole;

    if (left >= m->count || a->behind >= m->count)
        return;
    b = &m->room->symbols[a->behind];
    if (m->merges(m->user, a, b, &rank, &whole))
        heap_put(m->room->items, m->held++,
                 (kr_merge_item){ (uint64_t)rank << 32 | left, a->length + b->length, whole });
}

void kr_merge_all(kr_merge_room *room, size_t count, kr_merge_fn merges, const void *user)
{
    merge_state m = { room, count, 0, merges, user };
    kr_symbol  *symbols = room->symbols;
    uint32_t    i;

    for (i = 0; i < count; i++) {
        symbols[i].before = i ? i - 1 : (uint32_t)count;
        symbols[i].behind = i + 1;
    }
    for (i = 0; i + 1 < count; i++)
        offer_pair(&m, i);
    while (m.held > 0) {
        kr_merge_item item = heap_take(room->items, m.held--);
        uint32_t      left = (uint32_t)item.key, right = symbols[left].behind;

        if (symbols[left].length == 0 || right >= count ||
            symbols[left].length + symbols[right].length != item.length)
            continue;
        symbols[left].length = item.length;
        symbols[left].id = item.whole;
        symbols[left].behind = symbols[right].behind;
        symbols[right].length = 0;
        if (symbols[left].behind < count)
            symbols[symbols[left].behind].before = left;
        offer_pair(&m, symbols[left].before);
        offer_pair(&m, left);
    }
}
