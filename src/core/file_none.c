/* file_none.c - a build without files: models come from memory. */
#if defined(KRAIT_MINIMAL)

#include "core/file.h"

static krait_status no_files(const char *path, krait_message *message)
{
    return kr_fail(message, KRAIT_ERR_UNSUPPORTED, "%s: this build of krait has no files", kr_fail_path(path));
}

krait_status kr_file_open(kr_file *file, const char *path, int read, kr_memory *memory, krait_message *message)
{
    (void)read, (void)memory;
    *file = (kr_file){ 0 };
    return no_files(path, message);
}

void kr_file_close(kr_file *file, kr_memory *memory)
{
    (void)file, (void)memory;
}

int kr_file_is_folder(const char *path)
{
    (void)path;
    return -1;
}

krait_status kr_output_create(kr_output_file *out, const char *path, kr_arena *arena, krait_message *message)
{
    (void)arena;
    *out = (kr_output_file){ 0 };
    return no_files(path, message);
}

krait_status kr_output_write(kr_output_file *out, const void *bytes, size_t count, krait_message *message)
{
    (void)bytes, (void)count;
    return no_files(out->path, message);
}

krait_status kr_output_finish(kr_output_file *out, krait_message *message)
{
    return no_files(out->path, message);
}

void kr_output_abandon(kr_output_file *out)
{
    (void)out;
}

#endif
