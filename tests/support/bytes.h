/*
 * bytes.h - files made by hand, byte by byte, and readers let loose on them.
 *
 * What is read lies in a block of exactly its size, so that a sanitizer sees every byte
 * that is read beyond it.
 */
#ifndef KR_TEST_BYTES_H
#define KR_TEST_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "formats/package.h"

typedef struct bytes {
    unsigned char *at;
    size_t         count, room;
} bytes;

void bytes_add(bytes *b, const void *data, size_t count);
void bytes_text(bytes *b, const char *text);            /* without its end */
void bytes_u8(bytes *b, uint8_t value);
void bytes_u32(bytes *b, uint32_t value);               /* little-endian, as all here */
void bytes_u64(bytes *b, uint64_t value);
void bytes_fill(bytes *b, uint8_t value, size_t count);
void bytes_pad(bytes *b, size_t alignment);             /* with zeros */
void bytes_free(bytes *b);

/* A copy in a malloc of its own of exactly that size. */
unsigned char *bytes_exact(const void *data, size_t count);

/* One attempt to read a package out of a copy of some bytes. */
typedef struct reading {
    kr_memory      memory;
    kr_arena       arena;
    kr_package     package;
    krait_status   status;
    krait_message  message;
    unsigned char *copy;
} reading;

void reading_start(reading *r, const void *data, size_t count);
/* Checks that all memory came back. */
void reading_end(reading *r);
/*
 * Either a failure with a message and an empty package, or a package of which every tensor's bytes
 * can be read, every name found and all metadata written.
 */
void reading_check(reading *r);

/* Reads, checks, ends; the status. */
krait_status bytes_read(const bytes *b);
/* The bytes must be refused with that status and a message in which 'word' stands. */
void bytes_refused(const bytes *b, krait_status status, const char *word);

/* Every prefix, then every single flipped bit: refused or read, never more than the bytes. */
void bytes_cut_everywhere(const bytes *b);
void bytes_flip_everything(const bytes *b);

/* CPU seconds that passed since 'begin', which clock() gave; 0 where KRAIT_UNTIMED says that a tool slows all. */
double seconds_since(long begin);

#endif
