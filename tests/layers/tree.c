/* tree.c - text -> layers -> description and tensors. */
#include "layers/tree.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/tree_blocks.h"
#include "support/random.h"

enum { NAMED = 64 };

/* A define, whose layers its uses share, or a put. */
typedef struct named {
    const char   *as;
    oracle_layer *layer;
} named;

typedef struct maker {
    tree       *tree;
    const char *at;             /* in the text */
    int32_t     type;
    kr_random   random;
    int         wrong;
    named       named[NAMED];
    size_t      n_named;
} maker;

/* ---- text -> layers ------------------------------------------------------------------ */

static void read_word(maker *m, char *word, size_t size)
{
    size_t length = 0;

    while (*m->at == ' ')
        m->at++;
    while (isalnum((unsigned char)*m->at) || (*m->at && strchr("_.-:", *m->at))) {
        m->wrong |= length == size - 1;
        if (length < size - 1)
            word[length++] = *m->at;
        m->at++;
    }
    word[length] = '\0';
    m->wrong |= length == 0;
}

/* Takes the character if it is next. */
static int take(maker *m, char c)
{
    while (*m->at == ' ')
        m->at++;
    if (*m->at != c)
        return 0;
    m->at++;
    return 1;
}

static void read_options(maker *m, oracle_layer *l)
{
    while (!m->wrong && !take(m, ')')) {
        oracle_option *option = &l->options[l->n_options++];

        read_word(m, option->name, sizeof option->name);
        option->text[0] = '\0';
        if (*m->at == '=') {
            m->at++;
            read_word(m, option->text, sizeof option->text);
        }
        m->wrong |= l->n_options == ORACLE_OPTIONS;
    }
}

static void join(maker *m, char *path, const char *outer, const char *name)
{
    const char *point = *outer && *name ? "." : "";

    m->wrong |= snprintf(path, ORACLE_TEXT, "%s%s%s", outer, point, name) >= ORACLE_TEXT;
}

static oracle_layer *read_layer(maker *m, const char *outer, const char *number, size_t in,
                                size_t vocabulary);

static int is(const oracle_layer *l, const char *type)
{
    return strcmp(l->type->name, type) == 0;
}

/* Its children stand in a list. */
static int is_list(const oracle_layer *l)
{
    return is(l, "sequence") || is(l, "branches");
}

static void read_children(maker *m, oracle_layer *l, size_t in, size_t vocabulary)
{
    int         repeat = is(l, "repeat"), one = !repeat && !is_list(l);
    const char *n = oracle_option_text(l, "n"), *again = m->at;
    size_t      most = repeat && n ? strtoul(n, NULL, 10) : one ? 1 : ORACLE_CHILDREN;
    char        number[24];

    m->wrong |= most > ORACLE_CHILDREN;
    for (size_t i = 0; !m->wrong && i < most; i++) {
        snprintf(number, sizeof number, "%zu", i);
        if (repeat)
            m->at = again;
        l->children[i] = read_layer(m, l->path, one ? "" : number, in, vocabulary);
        if (m->wrong)
            return;
        l->n_children++;
        if (!is(l, "branches")) {
            in = l->children[i]->out;
            vocabulary = 0;
        }
        if (!repeat && !take(m, ','))
            break;
    }
    m->wrong |= !take(m, ']');
}

/* What a use or get stands for: the last of that name. */
static const oracle_layer *find_named(maker *m, const oracle_layer *l, const char *type)
{
    const char *as = oracle_option_text(l, "as");

    for (size_t i = m->n_named; as && i-- > 0;)
        if (strcmp(m->named[i].as, as) == 0 && is(m->named[i].layer, type))
            return m->named[i].layer;
    m->wrong = 1;
    return NULL;
}

static void resolve_names(maker *m, oracle_layer *l)
{
    const oracle_layer *other;

    if ((is(l, "define") || is(l, "put")) && !(m->wrong |= m->n_named == NAMED))
        m->named[m->n_named++] = (named){ oracle_option_text(l, "as"), l };
    if (is(l, "get") && (other = find_named(m, l, "put")) != NULL)
        l->out = other->in;
    if (is(l, "use") && (other = find_named(m, l, "define")) != NULL) {
        l->children[0] = other->children[0];
        l->n_children = 1;
    }
}

static void make_weight(maker *m, const oracle_layer *l, oracle_weight *w);

static oracle_layer *read_layer(maker *m, const char *outer, const char *number, size_t in,
                                size_t vocabulary)
{
    oracle_layer *l = calloc(1, sizeof *l);
    char          word[ORACLE_TEXT];
    const char   *name;

    read_word(m, word, sizeof word);
    l->type = oracle_named(word);
    l->in = in;
    l->vocabulary = vocabulary;
    m->wrong |= !l->type;
    if (!m->wrong && take(m, '('))
        read_options(m, l);
    name = oracle_option_text(l, "name");
    join(m, l->path, outer, name ? name : number);
    if (!m->wrong && take(m, '['))
        read_children(m, l, in, vocabulary);
    if (!m->wrong)
        resolve_names(m, l);
    if (m->wrong)
        return l;
    l->type->shape(l);
    for (size_t i = 0; i < l->n_weights; i++)
        make_weight(m, l, &l->weights[i]);
    return l;
}

/* ---- layers -> description ----------------------------------------------------------- */

static void print(tree *t, const char *format, ...)
{
    size_t  length = strlen(t->json);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(t->json + length, sizeof t->json - length, format, arguments);
    va_end(arguments);
}

static void print_value(tree *t, const oracle_option *option)
{
    const char *text = option->text, *quote = "\"";

    if (strcmp(option->name, "order") == 0 || strcmp(option->name, "mean") == 0 ||
        strcmp(option->name, "std") == 0) {
        print(t, "[");
        for (const char *c = text; *c; c++)
            print(t, "%c", *c == ':' ? ',' : *c);
        print(t, "]");
        return;
    }
    if (isdigit((unsigned char)text[0]) || text[0] == '-' || strcmp(text, "true") == 0 ||
        strcmp(text, "false") == 0)
        quote = "";
    print(t, "%s%s%s", quote, text, quote);
}

/* Every option that has a value; returns how many. */
static size_t print_options(tree *t, const oracle_layer *l)
{
    size_t count = 0;

    for (size_t i = 0; i < l->n_options; i++)
        if (l->options[i].text[0]) {
            print(t, "%s\"%s\":", count++ ? "," : "{", l->options[i].name);
            print_value(t, &l->options[i]);
        }
    return count;
}

static void print_layer(tree *t, const oracle_layer *l)
{
    int    list = is_list(l);
    size_t options, children = is(l, "repeat") ? 1 : is(l, "use") ? 0 : l->n_children;

    print(t, "{\"%s\":", l->type->name);
    options = print_options(t, l);
    if (children == 0 && options == 0)
        print(t, "{");
    if (children && options)
        print(t, ",\"of\":");
    print(t, "%s", list ? "[" : "");
    for (size_t i = 0; i < children; i++) {
        print(t, "%s", i ? "," : "");
        print_layer(t, l->children[i]);
    }
    print(t, "%s%s", list ? "]" : "", children && !options ? "}" : "}}");
}

/* ---- layers -> tensors --------------------------------------------------------------- */

/* At most 11 bits of mantissa, as F16 has them. */
static float cut_to_half(double x)
{
    int    exponent;
    double mantissa = frexp(x, &exponent);

    return exponent < -13 ? 0.0f : (float)ldexp(trunc(mantissa * 2048) / 2048, exponent);
}

static void put_half(unsigned char *to, double x)
{
    int      exponent;
    double   mantissa = frexp(fabs(x), &exponent);
    unsigned bits = (unsigned)(exponent + 14) << 10 | ((unsigned)(mantissa * 2048) & 1023);

    if (x == 0)
        bits = 0;
    bits |= x < 0 ? 0x8000u : 0;
    to[0] = (unsigned char)bits;
    to[1] = (unsigned char)(bits >> 8);
}

/* Bytes 'from' to 3 of a float, least first: the upper two are BF16. */
static void put_float(unsigned char *to, float x, int from)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    for (int i = from; i < 4; i++)
        *to++ = (unsigned char)(bits >> 8 * i);
}

static float cut_to_bfloat(double x)
{
    float    y = (float)x;
    uint32_t bits;

    memcpy(&bits, &y, sizeof bits);
    bits &= 0xffff0000u;
    memcpy(&y, &bits, sizeof bits);
    return y;
}

/* Random values that the type can hold, into both. */
static void fill_values(maker *m, oracle_weight *w, int32_t type, unsigned char *raw)
{
    for (size_t i = 0; i < w->count; i++) {
        double x = w->low + (w->high - w->low) * (0.5 + 0.5 * (double)kr_random_unit(&m->random));

        w->data[i] = type == KRAIT_F32 ? (float)x
                   : type == KRAIT_F16 ? cut_to_half(x) : cut_to_bfloat(x);
        if (type == KRAIT_F32)
            put_float(raw + 4 * i, w->data[i], 0);
        else if (type == KRAIT_F16)
            put_half(raw + 2 * i, w->data[i]);
        else
            put_float(raw + 2 * i, w->data[i], 2);
    }
}

static void fill_blocks(maker *m, oracle_weight *w, unsigned char *raw)
{
    float scale = 0;

    for (size_t i = 0; i < w->count; i++) {
        unsigned char *block = raw + i / 32 * 34;
        int            q = (int)(kr_random_u32(&m->random) % 255) - 127;

        if (i % 32 == 0) {
            scale = cut_to_half(w->high / 127 * (0.75 + 0.25 * (double)kr_random_unit(&m->random)));
            put_half(block, scale);
        }
        block[2 + i % 32] = (unsigned char)(q & 255);
        w->data[i] = scale * (float)q;
    }
}

static void make_weight(maker *m, const oracle_layer *l, oracle_weight *w)
{
    tree          *t = m->tree;
    krait_tensor  *tensor = &t->tensors[t->n_tensors];
    int32_t        type = m->type;
    size_t         block = tree_block_numbers(type);
    unsigned char *raw;

    if ((m->wrong |= t->n_tensors == TREE_TENSORS - 1))
        return;
    w->quantised = block && w->matrix && w->shape[1] % block == 0;
    if (block && !w->quantised)
        type = KRAIT_F32;
    tensor->bytes = type == KRAIT_F32 ? 4 * w->count
                  : w->quantised      ? w->count / block * tree_block_bytes(type) : 2 * w->count;
    raw = malloc((size_t)tensor->bytes);
    w->data = malloc(w->count * sizeof *w->data);
    if (w->quantised && type != KRAIT_Q8_0)
        tree_blocks(&m->random, type, w->high, w->count, raw, w->data);
    else if (w->quantised)
        fill_blocks(m, w, raw);
    else
        fill_values(m, w, type, raw);
    snprintf(t->names[t->n_tensors], sizeof *t->names, "%s%s%s", l->path, *l->path ? "." : "",
             w->slot);
    tensor->name = t->names[t->n_tensors++];
    tensor->data = raw;
    tensor->dimensions = w->dimensions;
    tensor->type = type;
    for (int i = 0; i < w->dimensions; i++)
        tensor->shape[i] = w->shape[i];
}

/* ---- all of it ----------------------------------------------------------------------- */

/* A grid, if the text begins with one. */
static void read_grid(maker *m, size_t *grid)
{
    char *end = NULL;

    grid[0] = grid[1] = 1;
    if (!isdigit((unsigned char)*m->at))
        return;
    grid[0] = strtoul(m->at, &end, 10);
    m->wrong |= *end != 'x';
    grid[1] = strtoul(end + 1, &end, 10);
    m->at = end;
}

int tree_make(tree *t, const char *text, size_t tokens, size_t features, int32_t type,
              uint64_t seed)
{
    maker m = { .tree = t, .at = text, .type = type, .random = kr_random_from(seed) };

    memset(t, 0, sizeof *t);
    read_grid(&m, t->grid);
    t->root = read_layer(&m, "", "", tokens ? 0 : features, tokens);
    if (m.wrong || *m.at)
        return 0;
    print(t, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"%s\":%zu",
          tokens ? "tokens" : "features", tokens ? tokens : features);
    if (t->grid[0] * t->grid[1] > 1)
        print(t, ",\"grid\":[%zu,%zu]", t->grid[0], t->grid[1]);
    print(t, "},\"tree\":");
    print_layer(t, t->root);
    print(t, "}");
    return strlen(t->json) < sizeof t->json - 1;
}

static void free_layer(oracle_layer *l)
{
    for (size_t i = 0; l && !(l->type && is(l, "use")) && i < ORACLE_CHILDREN; i++)
        free_layer(l->children[i]);
    for (size_t i = 0; l && i < l->n_weights; i++)
        free(l->weights[i].data);
    free(l);
}

void tree_free(tree *t)
{
    for (size_t i = 0; i < t->n_tensors; i++)
        free((void *)(uintptr_t)t->tensors[i].data);
    free_layer(t->root);
    memset(t, 0, sizeof *t);
}
