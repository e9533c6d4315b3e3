/*
 * reader.h - the only way in which bytes of a file are read.
 *
 * Every read asks first whether the bytes are there.  A read past the end yields zero,
 * takes nothing and marks the reader, so that a parser may read a record and check once.
 */
#ifndef KR_READER_H
#define KR_READER_H

#include "core/build.h"

typedef struct kr_reader {
    const unsigned char *begin, *at, *end;
    int                  overrun;
} kr_reader;

KR_INLINE kr_reader kr_reader_over(const void *bytes, size_t count)
{
    kr_reader r = { (const unsigned char *)bytes, (const unsigned char *)bytes, NULL, 0 };

    r.end = count ? r.begin + count : r.begin;
    return r;
}

KR_INLINE size_t kr_reader_left(const kr_reader *r)
{
    return (size_t)(r->end - r->at);
}

KR_INLINE size_t kr_reader_offset(const kr_reader *r)
{
    return (size_t)(r->at - r->begin);
}

/* 'count' bytes in place, or NULL (and the reader is marked). */
KR_INLINE const unsigned char *kr_read_bytes(kr_reader *r, uint64_t count)
{
    const unsigned char *bytes = r->at;

    if (count > kr_reader_left(r)) {
        r->overrun = 1;
        return NULL;
    }
    r->at += (size_t)count;
    return bytes;
}

/* Little-endian, any alignment. */
KR_INLINE uint64_t kr_read_little(kr_reader *r, size_t bytes)
{
    const unsigned char *p = kr_read_bytes(r, bytes);
    uint64_t             value = 0;

    while (p && bytes-- > 0)
        value = value << 8 | p[bytes];
    return value;
}

KR_INLINE uint8_t  kr_read_u8(kr_reader *r)  { return (uint8_t)kr_read_little(r, 1); }
KR_INLINE uint16_t kr_read_u16(kr_reader *r) { return (uint16_t)kr_read_little(r, 2); }
KR_INLINE uint32_t kr_read_u32(kr_reader *r) { return (uint32_t)kr_read_little(r, 4); }
KR_INLINE uint64_t kr_read_u64(kr_reader *r) { return kr_read_little(r, 8); }

#endif
