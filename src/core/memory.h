/*
 * memory.h - the caller's allocator, a budget, and an arena over both.
 *
 * A kr_memory is where bytes come from; it counts them against 'budget'.  A kr_arena hands
 * out small pieces that live and die together: a model's names and layers, or what loading
 * needs and nobody afterwards.
 */
#ifndef KR_MEMORY_H
#define KR_MEMORY_H

#include "core/build.h"
#include "krait.h"

typedef struct kr_memory {
    krait_allocator allocator;
    uint64_t        budget;     /* most bytes held at once */
    uint64_t        held;
} kr_memory;

/* allocator NULL: malloc.  max_bytes 0: no limit. */
void  kr_memory_start(kr_memory *memory, const krait_allocator *allocator, uint64_t max_bytes);
/* NULL if there is none or the budget is spent; alignment is a power of two. */
void *kr_memory_take(kr_memory *memory, size_t bytes, size_t alignment);
/* Is it malloc's, and nobody's who may mind what the system is told about it? */
int   kr_memory_is_own(const kr_memory *memory);
void  kr_memory_give(kr_memory *memory, void *block, size_t bytes, size_t alignment);

typedef struct kr_arena_block kr_arena_block;
typedef struct kr_arena {
    kr_memory      *memory;
    kr_arena_block *blocks;     /* the newest first */
    size_t          used, size; /* of the newest */
} kr_arena;

void  kr_arena_start(kr_arena *arena, kr_memory *memory);
/* Zeroed, aligned to 16; NULL if memory is out. */
void *kr_arena_take(kr_arena *arena, size_t count, size_t size);
/* A terminated copy of 'length' bytes; NULL if memory is out. */
char *kr_arena_text(kr_arena *arena, const char *text, size_t length);
void  kr_arena_free(kr_arena *arena);

#endif
