/* added.c - a sorted list and, for each byte, where those that begin with it stand. */
#include "text/added.h"

#include <string.h>

#include "core/order.h"
#include "text/unicode.h"

krait_status kr_added_make(kr_added_set *set, kr_added *list, size_t count, kr_arena *spare)
{
    kr_ranked *items = kr_arena_take(spare, count + 1, 2 * sizeof *items);
    kr_added  *copy = kr_arena_take(spare, count + 1, sizeof *copy);
    size_t     i, kept = 0;

    *set = (kr_added_set){ .list = list };
    if (count > INT32_MAX)
        return KRAIT_ERR_UNSUPPORTED;
    if (!items || !copy)
        return KRAIT_ERR_MEMORY;
    for (i = 0; i < count; i++) {
        items[i] = (kr_ranked){ 0, list[i].text, list[i].length, i };
        copy[i] = list[i];
    }
    kr_order_texts(items, items + count, count);
    for (i = 0; i < count; i++) {
        const kr_added *added = &copy[items[i].index];

        if (kept && list[kept - 1].length == added->length &&
            memcmp(list[kept - 1].text, added->text, added->length) == 0)
            continue;
        list[kept++] = *added;
    }
    set->count = kept;
    for (i = kept; i-- > 0;)
        set->begins[(unsigned char)list[i].text[0]] = (uint32_t)i;
    for (i = 0; i < kept; i++)
        set->ends[(unsigned char)list[i].text[0]] = (uint32_t)(i + 1);
    return KRAIT_OK;
}

/* In list[low..high), alike up to 'depth': the first whose byte there is 'byte' or higher. */
static size_t added_bound(const kr_added_set *set, size_t low, size_t high, size_t depth, unsigned byte)
{
    while (low < high) {
        size_t          middle = low + (high - low) / 2;
        const kr_added *added = &set->list[middle];

        if (added->length > depth && (unsigned char)added->text[depth] >= byte)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The longest that begins at text[0], or NULL. */
static const kr_added *added_here(const kr_added_set *set, const char *text, size_t left)
{
    unsigned        byte = (unsigned char)text[0];
    size_t          low = set->begins[byte], high = set->ends[byte], depth = 1;
    const kr_added *found = NULL;

    while (low < high) {
        if (set->list[low].length == depth)     /* the shortest stands first */
            found = &set->list[low];
        if (depth == left)
            break;
        byte = (unsigned char)text[depth];
        low = added_bound(set, low, high, depth, byte);
        high = byte == 255 ? high : added_bound(set, low, high, depth, byte + 1);
        depth++;
    }
    return found;
}

/* Where the white space begins that ends at 'end', not before 'from'. */
static size_t space_before(const char *text, size_t from, size_t end)
{
    while (end > from) {
        size_t   n = 1;
        uint32_t c;

        while (n < 4 && end - n > from && ((unsigned char)text[end - n] & 0xc0) == 0x80)
            n++;
        if (kr_unicode_next(text + end - n, n, &c) != n || kr_unicode_class_of(c) != KR_UNICODE_SPACE)
            break;
        end -= n;
    }
    return end;
}

static size_t space_behind(const char *text, size_t bytes, size_t at)
{
    while (at < bytes) {
        uint32_t c;
        size_t   n = kr_unicode_next(text + at, bytes - at, &c);

        if (kr_unicode_class_of(c) != KR_UNICODE_SPACE)
            break;
        at += n;
    }
    return at;
}

int kr_added_find(const kr_added_set *set, const char *text, size_t bytes, size_t from, int special,
                  kr_added_match *match)
{
    size_t at = from;

    if (set->count == 0)
        return 0;
    while (at < bytes) {
        const kr_added *added = NULL;

        if (set->ends[(unsigned char)text[at]])
            added = added_here(set, text + at, bytes - at);
        if (added && (!added->special || special)) {
            match->added = added;
            match->begin = added->lstrip ? space_before(text, from, at) : at;
            match->end = at + added->length;
            if (added->rstrip)
                match->end = space_behind(text, bytes, match->end);
            return 1;
        }
        at += added ? added->length : 1;
    }
    return 0;
}
