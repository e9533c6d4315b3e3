/* members.c - one value is skipped at a time; quotes and brackets are all that is looked at. */
#include "cli/members.h"

#include <string.h>

static const char *skip_blank(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static const char *skip_string(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

static const char *skip_value(const char *p)
{
    size_t depth = 0;

    do {
        if (*p == '"') {
            p = skip_string(p);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            if (depth == 0)
                return p;
            depth--;
            p++;
        } else if (depth > 0 && *p) {
            p++;
        } else {
            p += strcspn(p, ",]} \t\r\n");
        }
    } while (depth > 0 && *p);
    return p;
}

int member_next(member *m)
{
    const char *p = skip_blank(m->rest);

    if (*p == ',')
        p = skip_blank(p + 1);
    if (!*p || *p == '}' || *p == ']')
        return 0;
    if (m->object) {
        const char *end;

        if (*p != '"')
            return 0;
        end = skip_string(p);
        m->key = p + 1;
        m->key_size = end - p >= 2 ? (size_t)(end - p) - 2 : 0;
        p = skip_blank(end);
        if (*p != ':')
            return 0;
        p = skip_blank(p + 1);
    }
    m->value = p;
    m->rest = skip_value(p);
    return m->rest > p;
}

int member_first(member *m, const char *value)
{
    memset(m, 0, sizeof *m);
    if (!value || (*value != '{' && *value != '['))
        return 0;
    m->object = *value == '{';
    m->rest = value + 1;
    return member_next(m);
}

int member_is(const member *m, const char *key)
{
    return m->key && m->key_size == strlen(key) && memcmp(m->key, key, m->key_size) == 0;
}

int member_named(member *m, const char *object, const char *key)
{
    int more;

    for (more = member_first(m, object); more; more = member_next(m))
        if (member_is(m, key))
            return 1;
    return 0;
}

const char *member_value(const char *object, const char *key)
{
    member m;

    return member_named(&m, object, key) ? m.value : NULL;
}

size_t member_count(const char *value)
{
    member m;
    size_t count = 0;
    int    more;

    for (more = member_first(&m, value); more; more = member_next(&m))
        count++;
    return count;
}
