/* order.c - a merge sort from the bottom up. */
#include "core/order.h"

#include <string.h>

static int order_compare(const kr_ranked *a, const kr_ranked *b)
{
    size_t shorter = kr_min(a->length, b->length);
    int    sign;

    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    sign = shorter ? memcmp(a->text, b->text, shorter) : 0;
    if (sign != 0)
        return sign;
    return (a->length > b->length) - (a->length < b->length);
}

static void order_merge(kr_ranked *to, const kr_ranked *a, const kr_ranked *a_end,
                        const kr_ranked *b, const kr_ranked *b_end)
{
    while (a < a_end && b < b_end)
        *to++ = order_compare(a, b) <= 0 ? *a++ : *b++;
    while (a < a_end)
        *to++ = *a++;
    while (b < b_end)
        *to++ = *b++;
}

static int order_is_done(const kr_ranked *items, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (order_compare(items + i - 1, items + i) > 0)
            return 0;
    return 1;
}

void kr_order_sort(kr_ranked *items, kr_ranked *spare, size_t count)
{
    kr_ranked *from = items, *to = spare;

    if (order_is_done(items, count))
        return;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t i = 0; i < count;) {
            size_t middle = i + kr_min(width, count - i);
            size_t end = middle + kr_min(width, count - middle);

            order_merge(to + i, from + i, from + middle, from + middle, from + end);
            i = end;
        }
        to = from;
        from = from == items ? spare : items;
    }
    if (from != items)
        memcpy(items, from, count * sizeof *items);
}

static size_t order_common(const kr_ranked *items, size_t count)
{
    size_t common = count ? items[0].length : 0;

    for (size_t i = 1; i < count; i++) {
        size_t same = 0, most = kr_min(common, items[i].length);

        while (same < most && items[i].text[same] == items[0].text[same])
            same++;
        common = same;
    }
    return common;
}

void kr_order_texts(kr_ranked *items, kr_ranked *spare, size_t count)
{
    size_t common = order_common(items, count);

    /* Eight bytes behind what all have in common, the first in the highest place. */
    for (size_t i = 0; i < count; i++) {
        items[i].rank = 0;
        for (size_t k = common; k < common + 8; k++)
            items[i].rank = items[i].rank << 8 |
                            (k < items[i].length ? (unsigned char)items[i].text[k] : 0u);
    }
    kr_order_sort(items, spare, count);
}

size_t kr_order_twice(const kr_ranked *items, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (order_compare(items + i - 1, items + i) == 0)
            return i;
    return count;
}
