/*
 * json.c - the parser: one loop, one stack of open arrays and objects, no recursion.
 *
 * Nodes stand in the arena from the start; a failure leaves them to whoever frees it.
 */
#include "formats/json.h"

#include <string.h>

#include "core/bits.h"
#include "core/number.h"
#include "core/reader.h"

typedef struct json_level {
    kr_json *node;              /* the open array or object */
    kr_json *last;              /* its newest member */
} json_level;

typedef struct json_parser {
    kr_reader      in;
    const char    *what;
    kr_arena      *arena;
    krait_message *message;
    json_level     levels[KR_JSON_DEPTH];
    int            depth;
} json_parser;

/* ---- messages ---- */

/* 'reason' at a place of the text; 'key' (may be NULL) is the one it is about. */
static krait_status json_fail(const json_parser *p, const unsigned char *place, const char *reason,
                              const kr_json *key)
{
    size_t line = 1, column = 1;
    char   shown[KR_SHOWN];

    for (const unsigned char *c = p->in.begin; c < place; c++) {
        column += (*c & 0xc0) != 0x80;          /* characters, not bytes */
        if (*c == '\n') {
            line++;
            column = 1;
        }
    }
    if (key)
        return kr_fail(p->message, KRAIT_ERR_FORMAT, "%.96s: line %zu, column %zu: %s \"%s\"",
                       p->what, line, column, reason,
                       kr_json_shown(shown, key->key, key->key_length));
    return kr_fail(p->message, KRAIT_ERR_FORMAT, "%.96s: line %zu, column %zu: %s", p->what, line,
                   column, reason);
}

/* ---- characters ---- */

static int json_peek(const json_parser *p)
{
    return kr_reader_left(&p->in) ? *p->in.at : -1;
}

/* Take the next byte if it is 'byte'. */
static int json_take(json_parser *p, int byte)
{
    return json_peek(p) == byte && kr_read_bytes(&p->in, 1) != NULL;
}

static int json_next(json_parser *p)
{
    int byte = json_peek(p);

    kr_read_bytes(&p->in, 1);
    return byte;
}

static void json_skip_space(json_parser *p)
{
    while (json_take(p, ' ') || json_take(p, '\n') || json_take(p, '\t') || json_take(p, '\r'))
        ;
}

static char *json_put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xe0 | c >> 12);
        } else {
            *to++ = (char)(0xf0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (c & 0x3f));
    return to;
}

/* ---- strings ---- */

/* Four hexadecimal digits; above 0xffff if they are something else. */
static uint32_t json_hex(json_parser *p)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        int c = json_next(p);

        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            value = value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return 0x10000;
    }
    return value;
}

/* The character that \u stands for, with its second half; 0x110000 if there is none. */
static uint32_t json_unicode(json_parser *p)
{
    uint32_t high = json_hex(p), low;

    if (high > 0xffff || (high >= 0xdc00 && high <= 0xdfff))
        return 0x110000;
    if (high < 0xd800 || high > 0xdbff)
        return high;
    if (!json_take(p, '\\') || !json_take(p, 'u'))
        return 0x110000;
    low = json_hex(p);
    if (low < 0xdc00 || low > 0xdfff)
        return 0x110000;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* Behind a backslash; NULL if it is no escape.  Never longer than what it was written as. */
static char *json_escape(json_parser *p, char *to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char       *found;
    uint32_t          c;
    int               byte = json_next(p);

    if (byte == 'u') {
        c = json_unicode(p);
        return c < 0x110000 ? json_put_utf8(to, c) : NULL;
    }
    found = byte > 0 ? strchr(from, byte) : NULL;
    if (!found)
        return NULL;
    *to++ = into[found - from];
    return to;
}

/* Bytes up to the closing quote, which is not counted; SIZE_MAX if there is none. */
static size_t json_measure(const json_parser *p)
{
    const unsigned char *c = p->in.at, *end = p->in.end;

    for (; c < end && *c != '"'; c++)
        if (*c == '\\' && end - c > 1)
            c++;
    return c < end ? (size_t)(c - p->in.at) : SIZE_MAX;
}

/* A string whose opening quote is taken. */
static krait_status json_string(json_parser *p, const char **text, size_t *length)
{
    const unsigned char *begin = p->in.at, *end, *place;
    size_t               raw = json_measure(p), n;
    char                *to, *start;

    if (raw == SIZE_MAX)
        return json_fail(p, begin - 1, "a string without an end", NULL);
    end = begin + raw;
    start = to = kr_arena_take(p->arena, raw + 1, 1);
    if (!to)
        return kr_fail_memory(p->message);
    while (p->in.at < end) {
        place = p->in.at;
        if (json_take(p, '\\')) {
            to = json_escape(p, to);
            if (!to)
                return json_fail(p, place, "not an escape, or half a surrogate pair", NULL);
            continue;
        }
        n = kr_json_utf8((const char *)place, (size_t)(end - place));
        if (*place < 0x20 || n == 0)
            return json_fail(p, place, n ? "a control character in a string" : "not UTF-8", NULL);
        memcpy(to, kr_read_bytes(&p->in, n), n);
        to += n;
    }
    json_next(p);               /* the closing quote */
    *text = start;
    *length = (size_t)(to - start);
    return KRAIT_OK;
}

/* ---- numbers and words ---- */

static size_t json_digits(json_parser *p)
{
    size_t n = 0;

    while (json_peek(p) >= '0' && json_peek(p) <= '9') {
        kr_read_bytes(&p->in, 1);
        n++;
    }
    return n;
}

/* Stricter than kr_number_parse(): no leading zeros.  *whole: neither point nor exponent. */
static int json_scan_number(json_parser *p, int *whole)
{
    json_take(p, '-');
    if (json_take(p, '0')) {
        if (json_digits(p) > 0)
            return 0;
    } else if (json_digits(p) == 0) {
        return 0;
    }
    *whole = 1;
    if (json_take(p, '.')) {
        *whole = 0;
        if (json_digits(p) == 0)
            return 0;
    }
    if (json_take(p, 'e') || json_take(p, 'E')) {
        *whole = 0;
        if (!json_take(p, '+'))
            json_take(p, '-');
        if (json_digits(p) == 0)
            return 0;
    }
    return 1;
}

/* 1 if the digits fit an int64; "-0" does not, since it would lose its sign. */
static int json_integer(const char *text, size_t length, int64_t *integer)
{
    int      negative = text[0] == '-';
    uint64_t value = 0, most = (uint64_t)INT64_MAX + (uint64_t)negative;

    for (size_t i = (size_t)negative; i < length; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');

        if (value > (most - digit) / 10)
            return 0;
        value = value * 10 + digit;
    }
    if (negative && value == 0)
        return 0;
    *integer = negative ? -(int64_t)(value - 1) - 1 : (int64_t)value;
    return 1;
}

static krait_status json_number(json_parser *p, kr_json *node)
{
    const unsigned char *begin = p->in.at;
    const char          *text = (const char *)begin;
    size_t               length;
    int                  whole;

    if (!json_scan_number(p, &whole))
        return json_fail(p, begin, "not a number as JSON writes it", NULL);
    length = (size_t)(p->in.at - begin);
    if (!kr_number_parse(text, length, &node->number))
        return json_fail(p, begin, "not a number as JSON writes it", NULL);
    node->kind = KR_JSON_NUMBER;
    node->flag = whole && json_integer(text, length, &node->integer);
    return KRAIT_OK;
}

static const struct json_word {
    const char  *text;
    kr_json_kind kind;
    int          flag;
    uint64_t     bits;          /* of the number */
} json_words[] = {
    { "null", KR_JSON_NULL, 0, 0 },
    { "true", KR_JSON_BOOL, 1, 0 },
    { "false", KR_JSON_BOOL, 0, 0 },
    { "Infinity", KR_JSON_NUMBER, 0, 0x7ff0000000000000u },
    { "-Infinity", KR_JSON_NUMBER, 0, 0xfff0000000000000u },
    { "NaN", KR_JSON_NUMBER, 0, 0x7ff8000000000000u },
};

enum { JSON_WORDS = sizeof json_words / sizeof json_words[0], JSON_FIRST_NUMBER = 3 };

static void json_set_word(kr_json *node, int word)
{
    node->kind = json_words[word].kind;
    node->flag = json_words[word].flag;
    node->number = kr_double_of(json_words[word].bits);
}

/* A word if one stands here. */
static int json_take_word(json_parser *p, kr_json *node)
{
    for (int i = 0; i < JSON_WORDS; i++) {
        size_t length = strlen(json_words[i].text);

        if (kr_reader_left(&p->in) >= length && !memcmp(p->in.at, json_words[i].text, length)) {
            kr_read_bytes(&p->in, length);
            json_set_word(node, i);
            return 1;
        }
    }
    return 0;
}

/* ---- arrays and objects ---- */

/* transformers writes what JSON has no number for as {"__float__": "Infinity"}. */
static void json_unwrap_float(kr_json *object)
{
    const kr_json *only = kr_json_get(object, "__float__");

    if (object->count != 1 || !only)
        return;
    for (int i = JSON_FIRST_NUMBER; i < JSON_WORDS; i++) {
        if (!kr_json_is(only, json_words[i].text))
            continue;
        json_set_word(object, i);
        object->count = 0;
        object->first = NULL;
        return;
    }
}

static krait_status json_close(json_parser *p)
{
    kr_json       *node = p->levels[--p->depth].node;
    const kr_json *twice;
    krait_status   status;

    if (node->kind == KR_JSON_ARRAY)
        return KRAIT_OK;
    status = kr_json_twice(&twice, node, p->arena, p->message);
    if (status != KRAIT_OK)
        return status;
    if (twice)
        return json_fail(p, p->in.at - 1, "two members of this object are named", twice);
    json_unwrap_float(node);
    return KRAIT_OK;
}

/* Begin the next member of the innermost array or object: its node, and its key. */
static krait_status json_member(json_parser *p, kr_json **member)
{
    json_level  *level = &p->levels[p->depth - 1];
    kr_json     *node = kr_arena_take(p->arena, 1, sizeof *node);
    krait_status status;

    if (!node)
        return kr_fail_memory(p->message);
    if (level->node->kind == KR_JSON_OBJECT) {
        json_skip_space(p);
        if (!json_take(p, '"'))
            return json_fail(p, p->in.at, "a key in quotes was expected", NULL);
        status = json_string(p, &node->key, &node->key_length);
        if (status != KRAIT_OK)
            return status;
        json_skip_space(p);
        if (!json_take(p, ':'))
            return json_fail(p, p->in.at, "a colon was expected after the key", node);
    }
    if (level->last)
        level->last->next = node;
    else
        level->node->first = node;
    level->last = node;
    level->node->count++;
    *member = node;
    return KRAIT_OK;
}

/* Open an array or object whose bracket is taken; *node becomes its first member, if any. */
static krait_status json_open(json_parser *p, kr_json **node, kr_json_kind kind)
{
    if (p->depth == KR_JSON_DEPTH)
        return json_fail(p, p->in.at - 1, "nested too deeply", NULL);
    (*node)->kind = kind;
    p->levels[p->depth++] = (json_level){ *node, NULL };
    json_skip_space(p);
    if (json_take(p, kind == KR_JSON_OBJECT ? '}' : ']')) {
        *node = NULL;
        return json_close(p);
    }
    return json_member(p, node);
}

/* After a value: *node becomes the next member, or NULL at the end of the document. */
static krait_status json_after(json_parser *p, kr_json **node)
{
    krait_status status;

    *node = NULL;
    while (p->depth > 0) {
        int object = p->levels[p->depth - 1].node->kind == KR_JSON_OBJECT;

        json_skip_space(p);
        if (json_take(p, ','))
            return json_member(p, node);
        if (!json_take(p, object ? '}' : ']'))
            return json_fail(p, p->in.at, object ? "a comma or } was expected"
                                                 : "a comma or ] was expected", NULL);
        status = json_close(p);
        if (status != KRAIT_OK)
            return status;
    }
    json_skip_space(p);
    if (kr_reader_left(&p->in))
        return json_fail(p, p->in.at, "something follows the end of the document", NULL);
    return KRAIT_OK;
}

/* A value into *node; then *node is the member that follows inside it, or NULL. */
static krait_status json_value(json_parser *p, kr_json **node)
{
    kr_json *value = *node;

    json_skip_space(p);
    if (json_take(p, '{'))
        return json_open(p, node, KR_JSON_OBJECT);
    if (json_take(p, '['))
        return json_open(p, node, KR_JSON_ARRAY);
    *node = NULL;
    if (json_take(p, '"')) {
        value->kind = KR_JSON_TEXT;
        return json_string(p, &value->text, &value->count);
    }
    if (json_take_word(p, value))
        return KRAIT_OK;
    if (json_peek(p) != '-' && (json_peek(p) < '0' || json_peek(p) > '9'))
        return json_fail(p, p->in.at, "a value was expected", NULL);
    return json_number(p, value);
}

krait_status kr_json_parse(const kr_json **root, const char *text, size_t length, const char *what,
                           kr_arena *arena, krait_message *message)
{
    json_parser  p;
    kr_json     *top = kr_arena_take(arena, 1, sizeof *top), *node = top;
    krait_status status = top ? KRAIT_OK : kr_fail_memory(message);

    *root = NULL;
    p.in = kr_reader_over(text, length);
    p.what = what;
    p.arena = arena;
    p.message = message;
    p.depth = 0;
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        return json_fail(&p, p.in.at, "begins with a byte order mark", NULL);
    while (status == KRAIT_OK && node) {
        status = json_value(&p, &node);
        if (status == KRAIT_OK && !node)
            status = json_after(&p, &node);
    }
    if (status == KRAIT_OK)
        *root = top;
    return status;
}
