/*
 * inflate.h - what zip's method 8 packed (RFC 1951), and its check sum.
 */
#ifndef KR_TEST_INFLATE_H
#define KR_TEST_INFLATE_H

#include <stddef.h>
#include <stdint.h>

/* 1 if the packed bytes make exactly 'count' bytes, and are used up to their last one. */
int      inflate_bytes(const unsigned char *packed, size_t packed_count, unsigned char *bytes, size_t count);
uint32_t inflate_crc32(const unsigned char *bytes, size_t count);

#endif
