/*
 * added.h - tokens that are cut out of a text before anything else is done with it.
 *
 * Where several begin at one place the longest counts.  Source: Hugging Face tokenizers,
 * AddedVocabulary, whose rules for lstrip and rstrip these are.
 */
#ifndef KR_ADDED_H
#define KR_ADDED_H

#include "core/memory.h"

enum { KR_ADDED_LONGEST = 1024 };       /* bytes of one: bounds the work at each byte of a text */

typedef struct kr_added {
    const char *text;
    size_t      length;         /* 1..KR_ADDED_LONGEST */
    int32_t     id;
    uint8_t     special;
    uint8_t     lstrip, rstrip; /* takes the white space before and behind it along */
} kr_added;

typedef struct kr_added_set {
    kr_added *list;             /* by text */
    size_t    count;
    uint32_t  begins[256];      /* the first that begins with the byte, or a higher one */
    uint32_t  ends[256];
} kr_added_set;

/* One that was found: text[begin..end). */
typedef struct kr_added_match {
    const kr_added *added;
    size_t          begin, end;
} kr_added_match;

/* Sorts the list, which stays the caller's; of equal texts the first counts.  Too many: KRAIT_ERR_UNSUPPORTED. */
krait_status kr_added_make(kr_added_set *set, kr_added *list, size_t count, kr_arena *spare);
/* The first from 'from' on; special ones only if they are asked for, else they are ordinary text.  0: none. */
int kr_added_find(const kr_added_set *set, const char *text, size_t bytes, size_t from, int special,
                  kr_added_match *match);

#endif
