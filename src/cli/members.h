/*
 * members.h - walks over JSON that krait wrote itself, and nevertheless trusts none of it: what is
 * not understood ends a list, and no read goes past the NUL.
 */
#ifndef CLI_MEMBERS_H
#define CLI_MEMBERS_H

#include <stddef.h>

/* Where one stands among the members of an object or array. */
typedef struct member {
    const char *rest;           /* of the text, after this member's value */
    const char *key;            /* between its quotes; NULL in an array */
    size_t      key_size;
    const char *value;
    int         object;
} member;

/* Each is 1 if there is such a member.  value may be NULL or anything. */
int member_first(member *m, const char *value);
int member_next(member *m);
int member_is(const member *m, const char *key);
/* The member of an object that has the key. */
int member_named(member *m, const char *object, const char *key);
/* The value of that member, or NULL. */
const char *member_value(const char *object, const char *key);
size_t      member_count(const char *value);

#endif /* CLI_MEMBERS_H */
