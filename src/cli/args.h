/*
 * args.h - a command's options, out of a table.
 *
 * Each line of the table names an option and where in a struct of the command its value
 * goes; what the struct holds before is the default.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stddef.h>

typedef enum arg_kind {
    ARG_OPERAND,                /* const char *: MODEL, in the order of the table */
    ARG_FLAG,                   /* int: 1 */
    ARG_TEXT,                   /* const char * */
    ARG_COUNT,                  /* uint32_t */
    ARG_SEED,                   /* uint64_t */
    ARG_REAL,                   /* double, finite */
    ARG_CHOICE,                 /* int: the place of a word in "rows|panels", from 0 */
    ARG_PAIRS,                  /* arg_pairs: NAME=VALUE, given any number of times */
    ARG_TEXTS                   /* arg_texts: given any number of times */
} arg_kind;

enum { ARG_MOST_PAIRS = 32 };

typedef struct arg_texts {
    size_t      count;
    const char *list[ARG_MOST_PAIRS];   /* none is empty */
} arg_texts;

typedef struct arg_pair {
    const char *name;           /* 'size' bytes of it, never 0 and never twice in a list */
    size_t      size;
    const char *value;          /* never empty */
} arg_pair;

typedef struct arg_pairs {
    size_t   count;
    arg_pair list[ARG_MOST_PAIRS];
} arg_pairs;

typedef struct arg_option {
    const char *name;           /* "--tokens", "MODEL"; NULL ends the table */
    arg_kind    kind;
    size_t      offset;
    const char *value;          /* what stands after the name in the help: "N" */
    const char *help;
} arg_option;

typedef struct arg_command {
    const char       *name;
    const char       *purpose;  /* some lines */
    const arg_option *options;
} arg_command;

enum { ARGS_GO = -1 };

/*
 * Fills 'values', a struct, from what follows the command's name.  ARGS_GO: do the work;
 * anything else is the status to exit with, help or complaint having been printed.
 */
int args_parse(const arg_command *command, int argc, char **argv, void *values);
/* A complaint about how the command was called, with a hint; returns EXIT_USAGE. */
int args_wrong(const char *command, const char *what, const char *about);

#endif /* CLI_ARGS_H */
