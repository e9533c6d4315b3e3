/* json_node.c - looking at nodes and at text, whoever made them. */
#include <string.h>

#include "core/order.h"
#include "formats/json.h"

const kr_json *kr_json_get(const kr_json *object, const char *key)
{
    const kr_json *member = object && object->kind == KR_JSON_OBJECT ? object->first : NULL;
    size_t         length = strlen(key);

    while (member && (member->key_length != length || memcmp(member->key, key, length) != 0))
        member = member->next;
    return member;
}

int kr_json_is(const kr_json *node, const char *text)
{
    size_t length = strlen(text);

    return node && node->kind == KR_JSON_TEXT && node->count == length &&
           memcmp(node->text, text, length) == 0;
}

enum { NODE_FEW = 8 };          /* members that are compared each with each */

static const kr_json *node_twice_of_few(const kr_json *object)
{
    const kr_json *a, *b;

    for (a = object->first; a; a = a->next)
        for (b = object->first; b != a; b = b->next)
            if (a->key_length == b->key_length && memcmp(a->key, b->key, a->key_length) == 0)
                return a;
    return NULL;
}

krait_status kr_json_twice(const kr_json **twice, const kr_json *object, kr_arena *arena,
                           krait_message *message)
{
    size_t         count = object->count, i = 0, found;
    const kr_json *member = object->first;
    kr_ranked     *items;

    *twice = NULL;
    if (count <= NODE_FEW) {
        *twice = node_twice_of_few(object);
        return KRAIT_OK;
    }
    items = kr_arena_take(arena, count, 2 * sizeof *items);
    if (!items)
        return kr_fail_memory(message);
    for (; member; member = member->next, i++)
        items[i] = (kr_ranked){ 0, member->key, member->key_length, i };
    kr_order_texts(items, items + count, count);
    found = kr_order_twice(items, count);
    if (found == count)
        return KRAIT_OK;
    member = object->first;
    for (i = items[found].index; i > 0; i--)
        member = member->next;
    *twice = member;
    return KRAIT_OK;
}

size_t kr_json_utf8(const char *at, size_t left)
{
    const unsigned char *u = (const unsigned char *)at;
    size_t               n, i;

    if (left == 0)
        return 0;
    if (u[0] < 0x80)
        return 1;
    n = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
    if (u[0] < 0xc2 || u[0] > 0xf4 || n > left)
        return 0;
    for (i = 1; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    /* Longer than needed, a surrogate, beyond the last character. */
    if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
        (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
        return 0;
    return n;
}

const char *kr_json_shown(char shown[KR_SHOWN], const char *text, size_t length)
{
    size_t i, most = length < KR_SHOWN ? length : KR_SHOWN - 4;

    for (i = 0; i < most; i++)
        shown[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
    memcpy(shown + i, most < length ? "..." : "", most < length ? 4 : 1);
    return shown;
}
