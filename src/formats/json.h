/*
 * json.h - JSON as read and as written.
 *
 * A document is a tree of nodes in an arena.  Python's bare Infinity, -Infinity and NaN and
 * transformers' {"__float__": "Infinity"} are read as numbers, since config.json files have
 * them.  Duplicate keys, more than KR_JSON_DEPTH levels, lone surrogates, control characters
 * in strings and anything after the document are errors.  Metadata of GGUF files is held in the
 * same nodes.
 */
#ifndef KR_JSON_H
#define KR_JSON_H

#include "core/fail.h"
#include "core/memory.h"

enum { KR_JSON_DEPTH = 64 };

typedef enum kr_json_kind {
    KR_JSON_NULL, KR_JSON_BOOL, KR_JSON_NUMBER, KR_JSON_TEXT, KR_JSON_ARRAY, KR_JSON_OBJECT,
    KR_JSON_OPAQUE              /* a long array of a GGUF, left in the file: see package.h */
} kr_json_kind;

typedef struct kr_json {
    kr_json_kind    kind;
    int             flag;       /* BOOL: its value.  NUMBER: 1 if 'integer' holds it (-0: 0) */
    size_t          count;      /* TEXT: bytes.  ARRAY, OBJECT, OPAQUE: members */
    const char     *key;        /* in an object: terminated; NULL elsewhere */
    size_t          key_length; /* in bytes; a key may hold NUL as \u0000 */
    const char     *text;       /* TEXT: terminated, may hold NUL.  OPAQUE: see package.h */
    double          number;     /* NUMBER */
    int64_t         integer;    /* NUMBER without point and exponent.  OPAQUE: bytes at 'text' */
    struct kr_json *first;      /* ARRAY, OBJECT: members in their order */
    struct kr_json *next;       /* the next member of the parent */
} kr_json;

/*
 * Parse text[0..length).  'what' names the text in messages, which give line and column.
 * *root is owned by the arena.  KRAIT_ERR_FORMAT or KRAIT_ERR_MEMORY on failure.  Work and
 * memory are bounded by a constant times the length (find duplicates by sorting or hashing).
 */
krait_status kr_json_parse(const kr_json **root, const char *text, size_t length, const char *what,
                           kr_arena *arena, krait_message *message);

/* The member of that name, or NULL; 'object' may be NULL or no object. */
const kr_json *kr_json_get(const kr_json *object, const char *key);
/* Is it TEXT and equal to 'text'? */
int            kr_json_is(const kr_json *node, const char *text);

/*
 * The beginning of a text nobody has looked at, for a message: '?' for every byte that a
 * terminal should not get, "..." where it is cut.  Returns 'shown'.
 */
enum { KR_SHOWN = 64 };
const char *kr_json_shown(char shown[KR_SHOWN], const char *text, size_t length);
/* Bytes of the UTF-8 character at at[0..left); 0 if there is none or it is not valid. */
size_t      kr_json_utf8(const char *at, size_t left);
/*
 * Where in 'object' a member has the key of another one: *twice is that member, or NULL.
 * KRAIT_ERR_MEMORY is the only failure.
 */
krait_status kr_json_twice(const kr_json **twice, const kr_json *object, kr_arena *arena,
                           krait_message *message);

/*
 * Text that grows in an arena.  A failed allocation is remembered: check once, at the end.
 */
typedef struct kr_writer {
    kr_arena *arena;
    char     *text;             /* terminated */
    size_t    length, room;
    int       broken;           /* out of memory: text is NULL */
} kr_writer;

void kr_writer_start(kr_writer *w, kr_arena *arena);
void kr_write(kr_writer *w, const char *text);
void kr_write_bytes(kr_writer *w, const char *bytes, size_t count);
void kr_write_unsigned(kr_writer *w, uint64_t value);
void kr_write_number(kr_writer *w, double value);               /* shortest that reads back */
void kr_write_integer(kr_writer *w, int64_t value);
/* Quoted and escaped; a byte that is not UTF-8 becomes U+FFFD. */
void kr_write_text(kr_writer *w, const char *text, size_t count);
/* Compact.  OPAQUE, and what is nested deeper than a parser would take, becomes null. */
void kr_write_json(kr_writer *w, const kr_json *node);

#endif
