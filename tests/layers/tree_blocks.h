/* tree_blocks.h - random blocks of any type of GGUF, and the numbers that they are. */
#ifndef KR_TEST_TREE_BLOCKS_H
#define KR_TEST_TREE_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "support/random.h"

/* Numbers of a block and its bytes; 0 if the type has none. */
size_t tree_block_numbers(int32_t type);
size_t tree_block_bytes(int32_t type);
/*
 * 'count' numbers of about -high to high, into a file's bytes and as floats.  They are read by krait, whose
 * reading test_types.c holds to recorded numbers.
 */
void   tree_blocks(kr_random *random, int32_t type, double high, size_t count, unsigned char *raw, float *numbers);

#endif
