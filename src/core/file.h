/* file.h - all that krait asks of the operating system: whole files in, one file out. */
#ifndef KR_FILE_H
#define KR_FILE_H

#include "core/fail.h"
#include "core/memory.h"

/* A whole file in memory, mapped or read. */
typedef struct kr_file {
    const unsigned char *bytes;
    size_t               count;
    void                *block;     /* of the allocator, when read */
    void                *mapping;   /* of the system, when mapped */
    size_t               given;     /* bytes from the beginning that nobody needs in memory: model/fill.c */
} kr_file;

/*
 * read 0: map it; the file must not shrink while it is open.  read 1: copy it into memory
 * aligned to 64.  An empty file has count 0 and no bytes.
 */
krait_status kr_file_open(kr_file *file, const char *path, int read, kr_memory *memory,
                          krait_message *message);
void         kr_file_close(kr_file *file, kr_memory *memory);
/* 1: a folder, 0: something else that exists, -1: nothing there. */
int          kr_file_is_folder(const char *path);

/* A file that appears under its name only when it is whole. */
typedef struct kr_output_file {
    void *stream;                   /* FILE * */
    char *path, *partial;           /* of the arena given to create */
} kr_output_file;

krait_status kr_output_create(kr_output_file *out, const char *path, kr_arena *arena,
                              krait_message *message);
krait_status kr_output_write(kr_output_file *out, const void *bytes, size_t count,
                             krait_message *message);
/* Flush and rename; on failure the partial file is gone. */
krait_status kr_output_finish(kr_output_file *out, krait_message *message);
/* Remove what was written; a file that is finished or was never created is fine. */
void         kr_output_abandon(kr_output_file *out);

#endif
