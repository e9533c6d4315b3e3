/* memory.c - the default allocator is C11's aligned malloc, written over malloc. */
#include "core/memory.h"

#if !defined(KRAIT_MINIMAL)
#include <stdlib.h>
#endif
#include <string.h>

struct kr_arena_block {
    kr_arena_block *older;
    size_t          bytes;      /* with this head */
};

enum { ARENA_HEAD = 64, ARENA_BLOCK = 16384 };

#if defined(KRAIT_MINIMAL)

/* Without an allocator of the caller's there is no memory. */
static void *malloc_aligned(void *user, size_t bytes, size_t alignment)
{
    (void)user, (void)bytes, (void)alignment;
    return NULL;
}

static void free_aligned(void *user, void *block, size_t bytes, size_t alignment)
{
    (void)user, (void)block, (void)bytes, (void)alignment;
}

#else

/* malloc's own pointer stands before the aligned block: aligned_alloc is not everywhere. */
static void *malloc_aligned(void *user, size_t bytes, size_t alignment)
{
    size_t         room;
    unsigned char *raw, *block;

    (void)user;
    if (!kr_add_fits(bytes, alignment + sizeof(void *), &room))
        return NULL;
    raw = malloc(room);
    if (!raw)
        return NULL;
    block = raw + sizeof(void *);
    block += (alignment - (uintptr_t)block % alignment) % alignment;
    memcpy(block - sizeof(void *), &raw, sizeof raw);
    return block;
}

static void free_aligned(void *user, void *block, size_t bytes, size_t alignment)
{
    void *raw;

    (void)user, (void)bytes, (void)alignment;
    memcpy(&raw, (unsigned char *)block - sizeof(void *), sizeof raw);
    free(raw);
}

#endif

void kr_memory_start(kr_memory *memory, const krait_allocator *allocator, uint64_t max_bytes)
{
    static const krait_allocator libc_allocator = { NULL, malloc_aligned, free_aligned };

    memory->allocator = allocator ? *allocator : libc_allocator;
    memory->budget = max_bytes ? max_bytes : UINT64_MAX;
    memory->held = 0;
}

void *kr_memory_take(kr_memory *memory, size_t bytes, size_t alignment)
{
    void *block;

    if (bytes > memory->budget - memory->held)
        return NULL;
    block = memory->allocator.allocate(memory->allocator.user, bytes, alignment);
    if (block)
        memory->held += bytes;
    return block;
}

int kr_memory_is_own(const kr_memory *memory)
{
    return memory->allocator.allocate == malloc_aligned;
}

void kr_memory_give(kr_memory *memory, void *block, size_t bytes, size_t alignment)
{
    if (!block)
        return;
    memory->allocator.release(memory->allocator.user, block, bytes, alignment);
    memory->held -= bytes;
}

void kr_arena_start(kr_arena *arena, kr_memory *memory)
{
    *arena = (kr_arena){ .memory = memory };
}

static int arena_grow(kr_arena *arena, size_t bytes)
{
    kr_arena_block *block;
    size_t          want = bytes > ARENA_BLOCK / 4 ? bytes : ARENA_BLOCK - ARENA_HEAD;

    if (!kr_add_fits(want, ARENA_HEAD, &want))
        return 0;
    block = kr_memory_take(arena->memory, want, KR_ALIGN);
    if (!block)
        return 0;
    block->bytes = want;
    block->older = arena->blocks;
    arena->blocks = block;
    arena->used = ARENA_HEAD;
    arena->size = want;
    return 1;
}

void *kr_arena_take(kr_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    void  *piece;

    if (!kr_mul_fits(count, size, &bytes) || !kr_add_fits(bytes, 15, &bytes))
        return NULL;
    bytes &= ~(size_t)15;
    if (!arena->blocks || bytes > arena->size - arena->used)
        if (!arena_grow(arena, bytes))
            return NULL;
    piece = (unsigned char *)arena->blocks + arena->used;
    arena->used += bytes;
    memset(piece, 0, bytes);
    return piece;
}

char *kr_arena_text(kr_arena *arena, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? kr_arena_take(arena, length + 1, 1) : NULL;

    if (copy && length)
        memcpy(copy, text, length);
    return copy;
}

void kr_arena_free(kr_arena *arena)
{
    while (arena->blocks) {
        kr_arena_block *block = arena->blocks;

        arena->blocks = block->older;
        kr_memory_give(arena->memory, block, block->bytes, KR_ALIGN);
    }
    arena->used = arena->size = 0;
}
