/* file.c - POSIX, but for a build without files and Windows: open, fstat, mmap, read; stdio for writing. */
#if !defined(KRAIT_MINIMAL) && !defined(_WIN32)
#define _POSIX_C_SOURCE 200809L

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#if !defined(__wasi__)
#include <sys/mman.h>
#endif
#include <sys/stat.h>
#include <unistd.h>

#include "core/pages.h"

static krait_status read_all(kr_file *file, int descriptor, const char *path, kr_memory *memory,
                             krait_message *message)
{
    unsigned char *block = kr_memory_take(memory, file->count, KR_ALIGN);
    size_t         done = 0;

    if (!block)
        return kr_fail_memory(message);
    if (kr_memory_is_own(memory))
        kr_pages_fill(block, file->count);
    while (done < file->count) {
        ssize_t got = read(descriptor, block + done, file->count - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            kr_memory_give(memory, block, file->count, KR_ALIGN);
            return kr_fail(message, KRAIT_ERR_IO, "%s: read stopped after %zu of %zu bytes",
                           kr_fail_path(path), done, file->count);
        }
        done += (size_t)got;
    }
    file->block = block;
    file->bytes = block;
    return KRAIT_OK;
}

#if defined(__wasi__)

/* WASI maps no files: this one is read. */
static krait_status map_all(kr_file *file, int descriptor, const char *path, kr_memory *memory,
                            krait_message *message)
{
    return read_all(file, descriptor, path, memory, message);
}

static void unmap_all(kr_file *file)
{
    (void)file;
}

#else

static krait_status map_all(kr_file *file, int descriptor, const char *path, kr_memory *memory,
                            krait_message *message)
{
    void *mapping = mmap(NULL, file->count, PROT_READ, MAP_PRIVATE, descriptor, 0);

    (void)memory;
    if (mapping == MAP_FAILED)
        return kr_fail(message, KRAIT_ERR_IO, "%s: cannot be mapped: %s", kr_fail_path(path),
                       strerror(errno));
    file->mapping = mapping;
    file->bytes = mapping;
    return KRAIT_OK;
}

static void unmap_all(kr_file *file)
{
    if (file->mapping)
        munmap(file->mapping, file->count);
}

#endif

krait_status kr_file_open(kr_file *file, const char *path, int read, kr_memory *memory,
                          krait_message *message)
{
    struct stat  about;
    int          descriptor = open(path, O_RDONLY | O_CLOEXEC);
    krait_status status = KRAIT_OK;

    *file = (kr_file){ 0 };
    if (descriptor < 0)
        return kr_fail(message, KRAIT_ERR_IO, "%s: %s", kr_fail_path(path), strerror(errno));
    if (fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode))
        status = kr_fail(message, KRAIT_ERR_IO, "%s: not a regular file", kr_fail_path(path));
    else if ((uintmax_t)about.st_size > SIZE_MAX / 2)
        status = kr_fail(message, KRAIT_ERR_MEMORY, "%s: too large for this machine", kr_fail_path(path));
    else if (about.st_size > 0) {
        file->count = (size_t)about.st_size;
        status = read ? read_all(file, descriptor, path, memory, message)
                      : map_all(file, descriptor, path, memory, message);
    }
    close(descriptor);
    if (status != KRAIT_OK)
        *file = (kr_file){ 0 };
    return status;
}

void kr_file_close(kr_file *file, kr_memory *memory)
{
    unmap_all(file);
    kr_memory_give(memory, file->block, file->count, KR_ALIGN);
    *file = (kr_file){ 0 };
}

int kr_file_is_folder(const char *path)
{
    struct stat about;

    if (stat(path, &about) != 0)
        return -1;
    return S_ISDIR(about.st_mode) ? 1 : 0;
}

krait_status kr_output_create(kr_output_file *out, const char *path, kr_arena *arena,
                              krait_message *message)
{
    size_t length = strlen(path), room = length + 32;
    int    descriptor;

    *out = (kr_output_file){ 0 };
    out->path = kr_arena_text(arena, path, length);
    out->partial = kr_arena_take(arena, room, 1);
    if (!out->path || !out->partial)
        return kr_fail_memory(message);
    /* The process id keeps two converters onto one output apart; O_EXCL finds the rest. */
    snprintf(out->partial, room, "%s.%ld.partial", path, (long)getpid());
    unlink(out->partial);
    descriptor = open(out->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 && !(out->stream = fdopen(descriptor, "wb"))) {
        close(descriptor);
        unlink(out->partial);
        descriptor = -1;
    }
    if (descriptor < 0)
        return kr_fail(message, KRAIT_ERR_IO, "%s: %s", kr_fail_path(out->partial), strerror(errno));
    return KRAIT_OK;
}

krait_status kr_output_write(kr_output_file *out, const void *bytes, size_t count,
                             krait_message *message)
{
    if (count && fwrite(bytes, 1, count, out->stream) != count)
        return kr_fail(message, KRAIT_ERR_IO, "%s: %s", kr_fail_path(out->partial), strerror(errno));
    return KRAIT_OK;
}

krait_status kr_output_finish(kr_output_file *out, krait_message *message)
{
    FILE *stream = out->stream;
    int   bad = fflush(stream) != 0;

    bad |= fsync(fileno(stream)) != 0 && errno != EINVAL && errno != ENOTSUP;
    bad |= fclose(stream) != 0;
    out->stream = NULL;
    if (!bad)
        bad = rename(out->partial, out->path) != 0;
    if (!bad)
        return KRAIT_OK;
    kr_fail(message, KRAIT_ERR_IO, "%s: %s", kr_fail_path(out->path), strerror(errno));
    unlink(out->partial);
    return KRAIT_ERR_IO;
}

void kr_output_abandon(kr_output_file *out)
{
    if (!out->stream)
        return;
    fclose(out->stream);
    unlink(out->partial);
    out->stream = NULL;
}

#endif
