/* inflate.c - blocks of literals and of copies of what came before, in canonical Huffman codes; RFC 1951. */
#include "support/inflate.h"

#include <string.h>

enum { CODE_MOST = 15, LITERALS = 288, DISTANCES = 30, ENDS = 256 };

typedef struct stream {
    const unsigned char *packed;
    size_t               packed_count, at;      /* bytes taken into 'held' */
    uint32_t             held;                  /* bits not yet used, the next one lowest */
    int                  bits;
    unsigned char       *bytes;
    size_t               count, made;
    int                  broken;
} stream;

/* How many codes there are of each length, and what they stand for, shortest first. */
typedef struct codes {
    uint16_t number[CODE_MOST + 1], symbol[LITERALS];
} codes;

static unsigned take_bits(stream *s, int bits)
{
    unsigned value;

    for (; s->bits < bits; s->bits += 8) {
        if (s->at >= s->packed_count) {
            s->broken = 1;
            return 0;
        }
        s->held |= (uint32_t)s->packed[s->at++] << s->bits;
    }
    value = s->held & ((1u << bits) - 1);
    s->held >>= bits;
    s->bits -= bits;
    return value;
}

/* 0: the lengths promise more codes than there can be. */
static int make_codes(codes *c, const unsigned char *lengths, int count)
{
    uint16_t offset[CODE_MOST + 2] = { 0 };
    int      left = 1;

    memset(c, 0, sizeof *c);
    for (int i = 0; i < count; i++)
        c->number[lengths[i]]++;
    c->number[0] = 0;
    for (int n = 1; n <= CODE_MOST; n++) {
        left = 2 * left - c->number[n];
        if (left < 0)
            return 0;
        offset[n + 1] = (uint16_t)(offset[n] + c->number[n]);
    }
    for (int i = 0; i < count; i++)
        if (lengths[i])
            c->symbol[offset[lengths[i]]++] = (uint16_t)i;
    return 1;
}

static int take_symbol(stream *s, const codes *c)
{
    int code = 0, first = 0, index = 0;

    for (int n = 1; n <= CODE_MOST && !s->broken; n++) {
        code |= (int)take_bits(s, 1);
        if (code - first < c->number[n])
            return c->symbol[index + code - first];
        index += c->number[n];
        first = (first + c->number[n]) << 1;
        code <<= 1;
    }
    s->broken = 1;
    return ENDS;
}

/* Lengths grow by 1, then by 2 after each four (distances: two), by 4, ... */
static unsigned take_size(stream *s, int symbol, int each, unsigned base)
{
    int extra = symbol < 2 * each ? 0 : symbol / each - 1;

    if (extra == 0)
        return base + (unsigned)symbol;
    return base + ((unsigned)(symbol % each + each) << extra) + take_bits(s, extra);
}

static void take_copy(stream *s, int symbol, const codes *distances)
{
    unsigned length = symbol == 285 ? 258 : take_size(s, symbol - 257, 4, 3), distance;
    int      far = take_symbol(s, distances);

    distance = far < DISTANCES ? take_size(s, far, 2, 1) : 0;
    if (s->broken || distance == 0 || distance > s->made || length > s->count - s->made) {
        s->broken = 1;
        return;
    }
    for (; length > 0; length--, s->made++)
        s->bytes[s->made] = s->bytes[s->made - distance];
}

static void take_block(stream *s, const codes *literals, const codes *distances)
{
    while (!s->broken) {
        int symbol = take_symbol(s, literals);

        if (symbol == ENDS)
            return;
        if (symbol > 285 || (symbol < ENDS && s->made == s->count))
            s->broken = 1;
        else if (symbol < ENDS)
            s->bytes[s->made++] = (unsigned char)symbol;
        else
            take_copy(s, symbol, distances);
    }
}

static void take_stored(stream *s)
{
    unsigned length, other;

    s->held = 0;                                /* the rest of a byte; whole bytes are never held */
    s->bits = 0;
    length = take_bits(s, 16);
    other = take_bits(s, 16);
    if (s->broken || length != (other ^ 0xFFFF) || length > s->packed_count - s->at || length > s->count - s->made) {
        s->broken = 1;
        return;
    }
    memcpy(s->bytes + s->made, s->packed + s->at, length);
    s->at += length;
    s->made += length;
}

static void take_fixed(stream *s)
{
    unsigned char lengths[LITERALS];
    codes         literals, distances;

    for (int i = 0; i < LITERALS; i++)
        lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    make_codes(&literals, lengths, LITERALS);
    memset(lengths, 5, DISTANCES);
    make_codes(&distances, lengths, DISTANCES);
    take_block(s, &literals, &distances);
}

/* The lengths of both codes, themselves in codes whose lengths come first. */
static void take_dynamic(stream *s)
{
    static const unsigned char order[19] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
    unsigned char lengths[LITERALS + 32] = { 0 }, short_lengths[19] = { 0 };
    int           n_literals = (int)take_bits(s, 5) + 257, n_distances = (int)take_bits(s, 5) + 1;
    int           n_short = (int)take_bits(s, 4) + 4, all = n_literals + n_distances;
    codes         literals, distances;

    for (int i = 0; i < n_short; i++)
        short_lengths[order[i]] = (unsigned char)take_bits(s, 3);
    s->broken |= n_literals > 286 || !make_codes(&literals, short_lengths, 19);
    for (int i = 0; i < all && !s->broken;) {
        int symbol = take_symbol(s, &literals), times = 1;
        unsigned char value = (unsigned char)symbol;

        if (symbol == 16) {
            value = i ? lengths[i - 1] : 0;
            s->broken |= i == 0;
            times = 3 + (int)take_bits(s, 2);
        } else if (symbol > 16) {
            value = 0;
            times = symbol == 17 ? 3 + (int)take_bits(s, 3) : 11 + (int)take_bits(s, 7);
        }
        if (times > all - i || symbol > 18)
            s->broken = 1;
        else
            memset(lengths + i, value, (size_t)times);
        i += times;
    }
    s->broken |= s->broken || !make_codes(&literals, lengths, n_literals) ||
                 !make_codes(&distances, lengths + n_literals, n_distances);
    if (!s->broken)
        take_block(s, &literals, &distances);
}

int inflate_bytes(const unsigned char *packed, size_t packed_count, unsigned char *bytes, size_t count)
{
    stream s = { .packed = packed, .packed_count = packed_count, .bytes = bytes, .count = count };
    int    last = 0;

    while (!last && !s.broken) {
        unsigned kind;

        last = (int)take_bits(&s, 1);
        kind = take_bits(&s, 2);
        if (kind == 0)
            take_stored(&s);
        else if (kind == 1)
            take_fixed(&s);
        else if (kind == 2)
            take_dynamic(&s);
        else
            s.broken = 1;
    }
    return !s.broken && s.made == count && s.at == packed_count;
}

uint32_t inflate_crc32(const unsigned char *bytes, size_t count)
{
    uint32_t table[16], crc = 0xFFFFFFFFu;

    for (uint32_t i = 0; i < 16; i++) {
        table[i] = i;
        for (int k = 0; k < 4; k++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xEDB88320u : 0);
    }
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}
