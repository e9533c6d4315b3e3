/*
 * files.h - whole files: read, and written so that no half file is left.
 */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include <stddef.h>
#include <stdio.h>

/* All of a file, or with "-" of standard input, for free(); a NUL follows it.  NULL: it was complained about. */
char *file_read(const char *path, size_t *count);

/*
 * A file that gets its name when it is whole: written beside it and renamed.  What is
 * there and no plain file itself (a pipe, a link, as /dev/stdout is one) is written in
 * place: renaming would replace it.
 */
typedef struct output_file {
    const char *path;
    char       *partial;        /* NULL: written in place */
    FILE       *stream;
} output_file;

/* Each returns 0, or 1 after a complaint; then nothing is left of the file. */
int output_open(output_file *file, const char *path);
int output_close(output_file *file);
/* Gives the file up; fine after a failure and after closing. */
void output_drop(output_file *file);

/* All of it in one call. */
int file_write(const char *path, const void *bytes, size_t count);

#endif /* CLI_FILES_H */
