/* unicode.c - UTF-8, byte by byte. */
#include "text/unicode.h"

/* What the second byte of a character may be that begins with 'lead', from 'low' to 'high'. */
static void second_byte(unsigned lead, unsigned *low, unsigned *high)
{
    *low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
}

size_t kr_unicode_next(const char *at, size_t left, uint32_t *c)
{
    const unsigned char *u = (const unsigned char *)at;
    unsigned             low, high;
    size_t               n, i;

    *c = u[0];
    if (u[0] < 0x80)
        return 1;
    *c = KR_UNICODE_NONE;
    n = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
    if (u[0] < 0xc2 || u[0] > 0xf4 || n > left)
        return 1;
    second_byte(u[0], &low, &high);
    if (u[1] < low || u[1] > high)
        return 1;
    for (i = 2; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 1;
    *c = u[0] & (0x7fu >> n);
    for (i = 1; i < n; i++)
        *c = *c << 6 | (u[i] & 0x3fu);
    return n;
}

size_t kr_unicode_put(char *to, uint32_t c)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

    if (n == 1) {
        to[0] = (char)c;
        return 1;
    }
    for (i = n - 1; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)((0xf00u >> n & 0xf0u) | c);
    return n;
}

size_t kr_unicode_unfinished(const char *text, size_t bytes)
{
    const unsigned char *end = (const unsigned char *)text + bytes;
    unsigned             low, high;
    size_t               k, i;

    for (k = 1; k <= 3 && k <= bytes && (end[-(ptrdiff_t)k] & 0xc0) == 0x80; k++)
        ;
    if (k > 3 || k > bytes)
        return 0;
    end -= k;                           /* the lead byte, if it is one, and k - 1 more */
    if (end[0] < 0xc2 || end[0] > 0xf4 || k >= (end[0] >= 0xf0 ? 4u : end[0] >= 0xe0 ? 3u : 2u))
        return 0;
    second_byte(end[0], &low, &high);
    for (i = 1; i < k; i++, low = 0x80, high = 0xbf)
        if (end[i] < low || end[i] > high)
            return 0;
    return k;
}
