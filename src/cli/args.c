/* args.c - options: --name value or --name=value; operands that begin with - after --. */
#include "cli/args.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/show.h"

int args_wrong(const char *command, const char *what, const char *about)
{
    fprintf(stderr, "krait %s: %s%s%s; see krait %s --help\n", command, what,
            about ? " " : "", about ? about : "", command);
    return EXIT_USAGE;
}

/* ---- help ---- */

static void print_operands(const arg_command *command)
{
    const arg_option *o;

    for (o = command->options; o->name; o++)
        if (o->kind == ARG_OPERAND)
            printf(" %s", o->name);
}

/* Each of its lines at the same place. */
static void print_lines(const char *text)
{
    while (*text) {
        size_t size = strcspn(text, "\n");

        printf("%.*s\n", (int)size, text);
        text += size + (text[size] != '\0');
        if (*text)
            printf("%*s", 28, "");
    }
}

static void print_help(const arg_command *command)
{
    const arg_option *o;

    printf("usage: krait %s", command->name);
    print_operands(command);
    printf(" [options]\n\n%s\n\n", command->purpose);
    for (o = command->options; o->name; o++) {
        int width;

        if (o->kind == ARG_OPERAND)
            continue;
        width = printf("  %s%s%s", o->name, o->value ? " " : "",
                           o->value ? o->value : "");

        if (width > 26)
            width = printf("\n") - 1;
        printf("%*s", 28 - width, "");
        print_lines(o->help);
    }
    printf("  %-26s%s\n", "--help", "this");
}

/* ---- values ---- */

static int parse_unsigned(const char *text, uint64_t most, uint64_t *value)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')         /* strtoull would take spaces and signs */
        return 0;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0 && *value <= most;
}

/* In the locale "C": this program never sets another. */
static int parse_real(const char *text, double *value)
{
    char *end;

    if (strchr(" \t\n", text[0]))               /* "" too */
        return 0;
    *value = strtod(text, &end);
    return *end == '\0' && *value - *value == 0;
}

static int parse_choice(const char *text, const char *choices, int *place)
{
    size_t length = strlen(text);

    for (*place = 0;; (*place)++) {
        size_t size = strcspn(choices, "|");

        if (size == length && memcmp(text, choices, size) == 0)
            return 1;
        if (!choices[size])
            return 0;
        choices += size + 1;
    }
}

static int add_pair(const char *text, arg_pairs *pairs)
{
    const char *equals = strchr(text, '=');
    arg_pair    pair;
    size_t      i;

    if (!equals || equals == text || !equals[1] || pairs->count == ARG_MOST_PAIRS)
        return 0;
    pair.name = text;
    pair.size = (size_t)(equals - text);
    pair.value = equals + 1;
    for (i = 0; i < pairs->count; i++)
        if (pairs->list[i].size == pair.size
            && memcmp(pairs->list[i].name, text, pair.size) == 0)
            return 0;
    pairs->list[pairs->count++] = pair;
    return 1;
}

static int add_text(const char *text, arg_texts *texts)
{
    if (!text[0] || texts->count == ARG_MOST_PAIRS)
        return 0;
    texts->list[texts->count++] = text;
    return 1;
}

static int store_value(const arg_option *o, const char *text, void *values)
{
    void    *at = (char *)values + o->offset;
    uint64_t number;

    switch (o->kind) {
    case ARG_COUNT:
        if (!parse_unsigned(text, UINT32_MAX, &number))
            return 0;
        *(uint32_t *)at = (uint32_t)number;
        return 1;
    case ARG_SEED:
        return parse_unsigned(text, UINT64_MAX, at);
    case ARG_REAL:
        return parse_real(text, at);
    case ARG_CHOICE:
        return parse_choice(text, o->value, at);
    case ARG_PAIRS:
        return add_pair(text, at);
    case ARG_TEXTS:
        return add_text(text, at);
    default:
        *(const char **)at = text;
        return 1;
    }
}

static const char *wanted_value(const arg_option *o)
{
    switch (o->kind) {
    case ARG_CHOICE:
        return o->value;
    case ARG_REAL:
        return "a number is wanted";
    case ARG_TEXTS:
        return "a text is wanted, 32 of them at most";
    case ARG_PAIRS:
        return "NAME=FILE is wanted, with another NAME each time, 32 at most";
    default:
        return "a whole number from 0 is wanted";
    }
}

/* ---- the table ---- */

static const arg_option *find_option(const arg_command *command, const char *text,
                                     size_t length)
{
    const arg_option *o;

    for (o = command->options; o->name; o++)
        if (o->kind != ARG_OPERAND && strlen(o->name) == length
            && memcmp(o->name, text, length) == 0)
            return o;
    return NULL;
}

static const arg_option *next_operand(const arg_option *o)
{
    while (o->name && o->kind != ARG_OPERAND)
        o++;
    return o;
}

/* argv[*i] is an option; *i moves to its value if that is an argument of its own. */
static int take_option(const arg_command *command, int argc, char **argv, int *i,
                       void *values)
{
    const char       *text = argv[*i], *given = strchr(text, '=');
    size_t            length = given ? (size_t)(given - text) : strlen(text);
    const arg_option *o = find_option(command, text, length);

    if (!o)
        return args_wrong(command->name, "unknown option", text);
    if (o->kind == ARG_FLAG) {
        if (given)
            return args_wrong(command->name, "no value belongs to", o->name);
        *(int *)((char *)values + o->offset) = 1;
        return ARGS_GO;
    }
    if (!given && *i + 1 == argc)
        return args_wrong(command->name, "a value is missing after", o->name);
    given = given ? given + 1 : argv[++*i];
    if (!store_value(o, given, values)) {
        char what[160];

        snprintf(what, sizeof what, "%.60s cannot be %.80s:", o->name, given);
        return args_wrong(command->name, what, wanted_value(o));
    }
    return ARGS_GO;
}

int args_parse(const arg_command *command, int argc, char **argv, void *values)
{
    const arg_option *operand = next_operand(command->options);
    int               i, status, only_operands = 0;

    for (i = 0; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = 1;
        } else if (!only_operands && strcmp(argv[i], "--help") == 0) {
            print_help(command);
            return EXIT_DONE;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1]) {
            if ((status = take_option(command, argc, argv, &i, values)) != ARGS_GO)
                return status;
        } else {
            if (!operand->name)
                return args_wrong(command->name, "one argument too many:", argv[i]);
            store_value(operand, argv[i], values);
            operand = next_operand(operand + 1);
        }
    }
    if (operand->name)
        return args_wrong(command->name, "there is no", operand->name);
    return ARGS_GO;
}
