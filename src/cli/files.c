/* files.c - whole files. */
#include "cli/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "cli/system.h"

char *file_read(const char *path, size_t *count)
{
    int    standard = strcmp(path, "-") == 0;
    FILE  *file = standard ? stdin : system_open(path, "rb");
    char  *bytes = NULL;
    size_t room = 0, got = 0;

    if (!file) {
        complain(path, "%s", strerror(errno));
        return NULL;
    }
    do {
        char *larger = room < got + 2 ? realloc(bytes, room = 2 * got + 65536) : bytes;

        if (!larger) {
            complain(path, "too large for the memory");
            goto failed;
        }
        bytes = larger;
        got += fread(bytes + got, 1, room - got - 1, file);
    } while (!feof(file) && !ferror(file));
    if (ferror(file)) {
        complain(path, "cannot be read: %s", strerror(errno));
        goto failed;
    }
    if (!standard)
        fclose(file);
    bytes[got] = '\0';
    *count = got;
    return bytes;
failed:
    free(bytes);
    if (!standard)
        fclose(file);
    return NULL;
}

int output_open(output_file *file, const char *path)
{
    size_t room = strlen(path) + 32;
    int    kind = system_kind(path);

    memset(file, 0, sizeof *file);
    file->path = path;
    if (kind == SYSTEM_NOTHING || kind == SYSTEM_FILE) {
        if (!(file->partial = malloc(room)))
            return complain(path, "out of memory");
        snprintf(file->partial, room, "%s.partial-%ld", path, system_process());
    }
    file->stream = system_open(file->partial ? file->partial : path, "wb");
    if (!file->stream) {
        complain(path, "cannot be written: %s", strerror(errno));
        free(file->partial);
        memset(file, 0, sizeof *file);
        return 1;
    }
    return 0;
}

void output_drop(output_file *file)
{
    if (file->stream)
        fclose(file->stream);
    if (file->partial)
        system_delete(file->partial);
    free(file->partial);
    memset(file, 0, sizeof *file);
}

int output_close(output_file *file)
{
    int bad = ferror(file->stream);

    errno = 0;
    bad |= fclose(file->stream) != 0;
    file->stream = NULL;
    if (!bad && file->partial)
        bad = system_rename(file->partial, file->path) != 0;
    if (bad) {
        complain(file->path, "cannot be written: %s",
                 errno ? strerror(errno) : "disk full?");
    } else {
        free(file->partial);
        file->partial = NULL;
    }
    output_drop(file);
    return bad ? 1 : 0;
}

int file_write(const char *path, const void *bytes, size_t count)
{
    output_file file;

    if (output_open(&file, path))
        return 1;
    fwrite(bytes, 1, count, file.stream);       /* output_close() looks for errors */
    return output_close(&file);
}
