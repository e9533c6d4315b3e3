/*
 * show.h - words on the terminal: complaints, sizes, and text that came out of files.
 */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "krait.h"

#if defined(__GNUC__)
#define SHOW_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define SHOW_PRINTF(text, first)
#endif

/* "krait: about: ..." on stderr; about may be NULL.  Returns 1: the work failed. */
int complain(const char *about, const char *format, ...) SHOW_PRINTF(2, 3);
/* What krait said, or the name of the status where it said nothing. */
int complain_status(const char *about, krait_status status, const krait_message *message);

/* "4.45 M", "17.8 MB": three digits and a unit; lives until four more were asked for. */
const char *show_count(uint64_t count);
const char *show_bytes(uint64_t bytes);

/*
 * Text out of a file: what could steer a terminal is shown as \xNN, and what is longer
 * than 'most' bytes ends in "...".  most 0: all of it.
 */
void show_text(FILE *out, const char *text, size_t count, size_t most);
/* A JSON string, quoted; bytes that are not UTF-8 become U+FFFD. */
void show_json(FILE *out, const char *text);

#endif /* CLI_SHOW_H */
