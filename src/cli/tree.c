/*
 * tree.c - draws {"sequence": [{"embed": {...}}, {"repeat": {"n": 10, "of": {...}}}]}.
 *
 * A layer is an object of one member: its type, and options, a list of layers, or the one
 * layer that it holds.  Types that this file does not know are drawn too: their options by
 * name.
 */
#include "cli/tree.h"

#include <stdlib.h>
#include <string.h>

#include "cli/members.h"
#include "cli/show.h"

enum { DEEPEST = 64, MOST_VALUE = 60, MOST_NAMES = 64, MOST_LIST = 4 };

/* A name that stands for rows or for a layer, and where it was given. */
typedef struct given {
    const char *type;           /* "define" or "put" */
    const char *name, *end;
    const char *of;             /* the layer that is defined */
    int         line;
} given;

typedef struct drawing {
    FILE  *out;
    int    indent;
    int    depth;
    int    line;
    char   more[DEEPEST];       /* of each level: does a line go on below? */
    given  names[MOST_NAMES];
    size_t n_names;
} drawing;

/*
 * How the options of a type are put: {key} is a value, {key=x} x if it is not given, {#key} how
 * many a list has.  Options that are not among them follow by name.  The first line of the type
 * whose 'needs' is given is taken.
 */
static const struct {
    const char *type, *needs, *text;
} phrases[] = {
    { "branches", NULL, "{merge=sum}" },
    { "permute", "input", "order from the input {input}" },
    { "permute", "order", "order of {#order}" },
    { "over", NULL, "{axis}" },
    { "define", NULL, "{as}" },
    { "use", NULL, "{as}" },
    { "put", NULL, "{as}" },
    { "get", NULL, "{as}" },
    { "pool", "index", "{kind} {index}" },
    { "pool", NULL, "{kind}" },
    { "insert", NULL, "{at}, rows {rows=1}" },
    { "position", NULL, "{rows} rows" },
    { "patch", NULL, "{height} x {width}" },
    { "slice", NULL, "{width} numbers from {from=0}" },
    { "activation", NULL, "{kind}" },
};

enum { PHRASES = sizeof phrases / sizeof phrases[0] };

/* ---- values ---- */

/* "[4, 4]"; what is longer as its length. */
static void draw_list(FILE *out, const char *list)
{
    size_t count = member_count(list), i = 0;
    member m;
    int    more;

    if (count > MOST_LIST) {
        fprintf(out, "[%lu]", (unsigned long)count);
        return;
    }
    fputc('[', out);
    for (more = member_first(&m, list); more; more = member_next(&m)) {
        fputs(i++ ? ", " : "", out);
        show_text(out, m.value, (size_t)(m.rest - m.value), MOST_VALUE);
    }
    fputc(']', out);
}

/* 9.999999747378752e-06 was written as 1e-5. */
static int draw_real(FILE *out, const char *value, size_t size)
{
    char text[32];

    if (size >= sizeof text || size < 9 || strspn(value, "+-.0123456789eE") < size)
        return 0;
    memcpy(text, value, size);
    text[size] = '\0';
    if (!strpbrk(text, ".eE"))
        return 0;
    fprintf(out, "%.6g", strtod(text, NULL));
    return 1;
}

static void draw_value(FILE *out, const member *m)
{
    const char *value = m->value, *end = m->rest;

    if (*value == '[') {
        draw_list(out, value);
        return;
    }
    if (*value == '"') {
        value++;
        end -= end - value >= 1;
    }
    if (!draw_real(out, value, (size_t)(end - value)))
        show_text(out, value, (size_t)(end - value), MOST_VALUE);
}

/* ---- names that point somewhere ---- */

/* What stands between the quotes of "as"; 0 if there is no such text. */
static int name_of(const char *options, const char **name, const char **end)
{
    member m;

    if (!member_named(&m, options, "as") || *m.value != '"' || m.rest - m.value < 2)
        return 0;
    *name = m.value + 1;
    *end = m.rest - 1;
    return 1;
}

static void give_name(drawing *d, const char *type, const char *options)
{
    given *g = &d->names[d->n_names];

    if (d->n_names == MOST_NAMES || !name_of(options, &g->name, &g->end))
        return;
    g->type = type;
    g->of = member_value(options, "of");
    g->line = d->line;
    d->n_names++;
}

/* " -> put 3 lines above"; the nearest one counts. */
static void point_back(const drawing *d, const char *type, const char *options)
{
    const char *name, *end;
    size_t      i;
    member      of;

    if (!name_of(options, &name, &end))
        return;
    for (i = d->n_names; i-- > 0;) {
        const given *g = &d->names[i];
        int          lines = d->line - g->line;

        if (strcmp(g->type, type) != 0 || g->end - g->name != end - name
            || memcmp(g->name, name, (size_t)(end - name)) != 0)
            continue;
        fputs(" -> ", d->out);
        if (g->of && member_first(&of, g->of))
            show_text(d->out, of.key, of.key_size, MOST_VALUE);
        else
            fputs(type, d->out);
        fprintf(d->out, ", %d line%s above", lines, lines == 1 ? "" : "s");
        return;
    }
    fputs(" -> not above", d->out);
}

/* ---- options ---- */

static const char *phrase_of(const member *layer)
{
    int i;

    for (i = 0; i < PHRASES; i++)
        if (member_is(layer, phrases[i].type)
            && (!phrases[i].needs || member_value(layer->value, phrases[i].needs)))
            return phrases[i].text;
    return "";
}

/* One {...} of a phrase, of 'size' bytes between the brackets. */
static void draw_field(FILE *out, const char *field, size_t size, const char *options)
{
    char   key[32];
    int    count = field[0] == '#';
    size_t length;
    member m;

    field += count;
    size -= (size_t)count;
    length = strcspn(field, "=}");
    if (length >= sizeof key)
        return;
    memcpy(key, field, length);
    key[length] = '\0';
    if (!member_named(&m, options, key)) {
        if (field[length] == '=')
            fprintf(out, "%.*s", (int)(size - length - 1), field + length + 1);
        else
            fputc('?', out);
    } else if (count) {
        fprintf(out, "%lu", (unsigned long)member_count(m.value));
    } else {
        draw_value(out, &m);
    }
}

static void draw_phrase(FILE *out, const char *text, const char *options)
{
    while (*text) {
        size_t size = strcspn(text, "{}");

        fprintf(out, "%.*s", (int)size, text);
        text += size;
        if (*text == '{') {
            size = strcspn(++text, "}");
            draw_field(out, text, size, options);
            text += size;
        }
        text += *text != '\0';
    }
}

static int in_phrase(const char *text, const member *m)
{
    while ((text = strpbrk(text, "{#")) != NULL) {
        text += strspn(text, "{#");
        if (strcspn(text, "=}") == m->key_size && memcmp(text, m->key, m->key_size) == 0)
            return 1;
    }
    return 0;
}

/* Options that are words, numbers or lists of them: "width 256, eps 1e-05". */
static void draw_options(const drawing *d, const member *layer, const char *phrase)
{
    const char *before = phrase[0] ? ", " : "  ";
    member      m, first;
    int         more;

    for (more = member_first(&m, layer->value); more; more = member_next(&m)) {
        if (!m.object || *m.value == '{' || strncmp(m.value, "null", 4) == 0
            || in_phrase(phrase, &m)
            || (*m.value == '[' && member_first(&first, m.value)
                && (*first.value == '{' || *first.value == '[')))
            continue;
        fputs(before, d->out);
        show_text(d->out, m.key, m.key_size, MOST_VALUE);
        fputc(' ', d->out);
        draw_value(d->out, &m);
        before = ", ";
    }
}

/* ---- layers ---- */

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

/* What the value of a layer's type says of its children: a list, a layer or NULL. */
static const char *children_of(const char *value)
{
    const char *of = *value == '[' ? value : member_value(value, "of");
    member      only, none;

    if (!of && member_first(&only, value) && only.object && !member_is(&only, "weights")
        && (*only.value == '{' || (*only.value == '[' && member_first(&none, only.value)
                                   && *none.value == '{'))) {
        none = only;
        if (!member_next(&none))
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
    for (more = member_first(&m, list); more;) {
        child = m;
        more = member_next(&m);
        d->more[d->depth] = (char)more;
        draw_layer(d, child.value);
    }
    d->depth--;
}

static void draw_line(drawing *d, const member *layer)
{
    const char *phrase = *layer->value == '{' ? phrase_of(layer) : "";

    if (member_is(layer, "branches") && *layer->value == '[')
        phrase = "sum";
    draw_branches(d);
    show_text(d->out, layer->key, layer->key_size, MOST_VALUE);
    if (phrase[0])
        fputs("  ", d->out);
    draw_phrase(d->out, phrase, layer->value);
    if (member_is(layer, "use"))
        point_back(d, "define", layer->value);
    if (member_is(layer, "get"))
        point_back(d, "put", layer->value);
    if (*layer->value == '{')
        draw_options(d, layer, phrase);
    fputc('\n', d->out);
    if (member_is(layer, "define"))
        give_name(d, "define", layer->value);
    if (member_is(layer, "put"))
        give_name(d, "put", layer->value);
    d->line++;
}

static void draw_layer(drawing *d, const char *layer)
{
    const char *of;
    member      m;

    if (*layer != '{' || !member_first(&m, layer))
        return;
    draw_line(d, &m);
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

/* "input  features 3, grid [32, 32]": every step is so many numbers. */
static void draw_input(drawing *d, const char *input)
{
    member layer = { 0 };

    if (!input || *input != '{')
        return;
    draw_branches(d);
    fputs("input", d->out);
    layer.value = input;
    draw_options(d, &layer, "");
    fputc('\n', d->out);
    d->line++;
}

void tree_draw(FILE *out, const char *json, int indent)
{
    drawing     d;
    const char *top = json + strspn(json, " \t\r\n");
    const char *tree = member_value(top, "tree");

    memset(&d, 0, sizeof d);
    d.out = out;
    d.indent = indent;
    draw_input(&d, member_value(top, "input"));
    if (tree)
        draw_layer(&d, tree);
}
