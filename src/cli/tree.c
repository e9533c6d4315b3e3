/*
 * tree.c - draws {"sequence": [{"embed": {...}}, {"repeat": {"n": 10, "of": {...}}}]}.
 *
 * A layer is an object of one member: its type, and options, a list of layers, or the one
 * layer that it holds.  krait wrote the JSON itself; nevertheless nothing here trusts it:
 * what is not understood is not drawn, and no read goes past the NUL.
 */
#include "cli/tree.h"

#include <string.h>

#include "cli/show.h"

enum { DEEPEST = 64, MOST_VALUE = 60 };

/* Where one stands among the members of an object or array. */
typedef struct member {
    const char *rest;           /* of the text, after this member */
    const char *key;            /* between its quotes; NULL in an array */
    size_t      key_size;
    const char *value;
    int         object;
} member;

typedef struct drawing {
    FILE *out;
    int   indent;
    int   depth;
    char  more[DEEPEST];        /* of each level: does a line go on below? */
} drawing;

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

static int next_member(member *m)
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

static int first_member(member *m, const char *value)
{
    memset(m, 0, sizeof *m);
    if (!value || (*value != '{' && *value != '['))
        return 0;
    m->object = *value == '{';
    m->rest = value + 1;
    return next_member(m);
}

static int has_key(const member *m, const char *key)
{
    return m->key && m->key_size == strlen(key) && memcmp(m->key, key, m->key_size) == 0;
}

static const char *value_of(const char *object, const char *key)
{
    member m;
    int    more;

    for (more = first_member(&m, object); more; more = next_member(&m))
        if (has_key(&m, key))
            return m.value;
    return NULL;
}

/* ---- drawing ---- */

static void draw_branches(const drawing *d)
{
    static const char down[] = "\xe2\x94\x82  ", none[] = "   ";
    static const char fork[] = "\xe2\x94\x9c\xe2\x94\x80 ";
    static const char last[] = "\xe2\x94\x94\xe2\x94\x80 ";
    int               i;

    fprintf(d->out, "%*s", d->indent, "");
    for (i = 1; i < d->depth; i++)
        fputs(d->more[i] ? down : none, d->out);
    if (d->depth > 0)
        fputs(d->more[d->depth] ? fork : last, d->out);
}

static void draw_scalar(FILE *out, const char *value, const char *end)
{
    if (*value == '"') {
        value++;
        end -= end - value >= 1;
    }
    show_text(out, value, (size_t)(end - value), MOST_VALUE);
}

/* The options that are one word or number: "width 256, eps 1e-05". */
static void draw_options(const drawing *d, const char *options)
{
    const char *before = "  ";
    member      m;
    int         more;

    if (*options != '{')
        return;
    for (more = first_member(&m, options); more; more = next_member(&m)) {
        if (*m.value == '{' || *m.value == '[' || strncmp(m.value, "null", 4) == 0)
            continue;
        fputs(before, d->out);
        show_text(d->out, m.key, m.key_size, MOST_VALUE);
        fputc(' ', d->out);
        draw_scalar(d->out, m.value, m.rest);
        before = ", ";
    }
}

/* What the value of a layer's type says of its children: a list, a layer or NULL. */
static const char *children_of(const char *value)
{
    const char *of = *value == '[' ? value : value_of(value, "of");
    member      only, none;

    if (!of && first_member(&only, value) && !has_key(&only, "weights")
        && (*only.value == '{' || *only.value == '[')) {
        none = only;
        if (!next_member(&none))
            of = value;
    }
    return of;
}

static void draw_layer(drawing *d, const char *layer);

static void draw_children(drawing *d, const char *list)
{
    member m, child;
    int    more;

    if (d->depth + 1 >= DEEPEST)
        return;
    d->depth++;
    for (more = first_member(&m, list); more;) {
        child = m;
        more = next_member(&m);
        d->more[d->depth] = (char)more;
        draw_layer(d, child.value);
    }
    d->depth--;
}

static void draw_layer(drawing *d, const char *layer)
{
    const char *of;
    member      m;

    if (*layer != '{' || !first_member(&m, layer))
        return;
    draw_branches(d);
    show_text(d->out, m.key, m.key_size, MOST_VALUE);
    draw_options(d, m.value);
    fputc('\n', d->out);

    of = children_of(m.value);
    if (!of)
        return;
    if (*of == '[') {
        draw_children(d, of);
    } else if (d->depth + 1 < DEEPEST) {
        d->more[++d->depth] = 0;
        draw_layer(d, of);
        d->depth--;
    }
}

void tree_draw(FILE *out, const char *json, int indent)
{
    drawing     d;
    const char *tree = value_of(skip_blank(json), "tree");

    memset(&d, 0, sizeof d);
    d.out = out;
    d.indent = indent;
    if (tree)
        draw_layer(&d, tree);
}
