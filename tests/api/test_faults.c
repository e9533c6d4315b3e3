/*
 * Every allocation made to fail in turn, once and for good; and files that cannot be written.
 * Nothing may leak, nothing may be left half done.
 */
#define _XOPEN_SOURCE 700

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if !defined(_WIN32) && !defined(__wasi__)
#include <signal.h>
#include <sys/resource.h>
#endif

#include "krait.h"
#include "support/system.h"
#include "support/tiny.h"
#include "test.h"

/* What is opened, made or converted. */
typedef struct attempt {
    const char         *path, *to;
    const void         *bytes;
    size_t              count;
    const char         *description;
    const krait_tensor *tensors;
    size_t              n_tensors;
    const krait_model  *model;          /* makes a state */
    int32_t             flags, type, layout;
} attempt;

static krait_status try(const attempt *a, const krait_allocator *allocator, krait_message *message)
{
    krait_open_options    open = { .size = sizeof open, .allocator = allocator, .flags = a->flags };
    krait_convert_options convert = { .size = sizeof convert, .allocator = allocator, .flags = a->flags,
                                      .type = a->type, .layout = a->layout };
    krait_state_options   lanes = { .size = sizeof lanes, .lanes = 3, .chunk = 5 };
    krait_model          *model = (krait_model *)1;
    krait_state          *state = (krait_state *)1;
    krait_status          status;

    if (a->to)
        return krait_convert(a->path, a->to, &convert, message);
    if (a->model) {
        status = krait_state_create(&state, a->model, &lanes, allocator);
        strcpy(message->text, status == KRAIT_OK ? "" : "takes no message");
        CHECK_INT(state == NULL, status != KRAIT_OK);
        if (state)
            krait_state_destroy(state, allocator);
        return status;
    }
    status = a->path    ? krait_model_open(&model, a->path, &open, message)
           : a->bytes   ? krait_model_open_memory(&model, a->bytes, a->count, &open, message)
                        : krait_model_create(&model, a->description, a->tensors, a->n_tensors, &open, message);
    CHECK_INT(model == NULL, status != KRAIT_OK);
    krait_model_close(model);
    return status;
}

/* Names in 'folder' that end in 'ending', but for its own and its parent's. */
static size_t names(const char *folder, const char *ending)
{
    DIR           *list = opendir(folder);
    struct dirent *entry;
    size_t         count = 0;

    while (list && (entry = readdir(list)) != NULL) {
        size_t length = strlen(entry->d_name), end = strlen(ending);

        count += length >= end && strcmp(entry->d_name + length - end, ending) == 0
                 && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (list)
        closedir(list);
    return count;
}

static void same_file(const char *path, const void *bytes, size_t count)
{
    size_t         found = 0;
    unsigned char *now = tiny_read(path, &found);

    CHECK(now != NULL);
    CHECK_U64(found, count);
    if (now && found == count)
        CHECK_BYTES(now, bytes, count);
    free(now);
}

/* The n-th call of allocate() fails, for every n: then the attempt fails, and all comes back. */
static void fail_in_turn(const attempt *a, const char *what)
{
    for (int for_good = 0; for_good < 2; for_good++)
        for (size_t n = 1;; n++) {
            tiny_memory   memory;
            krait_message message = { "" };
            krait_status  status;

            tiny_memory_start(&memory, n, for_good);
            test_note("%s, call %zu fails%s", what, n, for_good ? " for good" : "");
            status = try(a, &memory.allocator, &message);
            if (memory.calls < n) {
                CHECK(n > 1);
                CHECK_STATUS(status, KRAIT_OK);
                CHECK(tiny_memory_end(&memory));
                break;
            }
            CHECK_STATUS(status, KRAIT_ERR_MEMORY);
            CHECK(message.text[0] != '\0');
            CHECK(tiny_memory_end(&memory));
        }
    test_note("%s", "");
}

TEST(faults_open)
{
    tiny          *t = tiny_make(&(tiny_sizes){ .in_bias = 1, .untied = 1 }, 1);
    krait_model   *model = tiny_model(t);
    char           folder[256], rows[256], panels[256], own[256];
    unsigned char *bytes;
    size_t         count;
    attempt        a = { 0 };

    test_path(folder, sizeof folder, "faults");
    test_path(rows, sizeof rows, "faults.gguf");
    test_path(panels, sizeof panels, "faults-panels.gguf");
    test_path(own, sizeof own, "faults.safetensors");
    CHECK_STATUS(tiny_gguf(t, folder, rows, KRAIT_Q8_0, KRAIT_LAYOUT_ROWS), KRAIT_OK);
    CHECK_STATUS(tiny_gguf(t, folder, panels, KRAIT_F16, KRAIT_LAYOUT_PANELS), KRAIT_OK);
    bytes = tiny_safetensors(t, krait_model_text(model, "krait.description"), &count);
    tiny_write(own, bytes, count);
    free(bytes);
    for (a.flags = 0; a.flags <= (KRAIT_OPEN_READ | KRAIT_OPEN_CHECK); a.flags += KRAIT_OPEN_READ | KRAIT_OPEN_CHECK) {
        a.path = folder;
        fail_in_turn(&a, "a folder");
        a.path = own;
        fail_in_turn(&a, "safetensors");
        a.path = rows;
        fail_in_turn(&a, "gguf");
        a.path = panels;
        fail_in_turn(&a, "panels");
    }
    krait_model_close(model);
    tiny_free(t);
}

TEST(faults_open_memory)
{
    tiny          *t = tiny_make(NULL, 1);
    char           folder[256], path[256];
    unsigned char *plain, *bytes;
    size_t         count = 0;

    test_path(folder, sizeof folder, "memory");
    test_path(path, sizeof path, "memory.gguf");
    for (int32_t layout = 0; layout < 2; layout++) {
        attempt a = { 0 };

        CHECK_STATUS(tiny_gguf(t, folder, path, KRAIT_F32, layout), KRAIT_OK);
        plain = tiny_read(path, &count);
        bytes = tiny_aligned(plain, count);
        a.bytes = bytes;
        a.count = count;
        fail_in_turn(&a, "copied");
        a.flags = KRAIT_OPEN_BORROW;
        fail_in_turn(&a, "borrowed");
        free(plain);
        free(bytes);
    }
    tiny_free(t);
}

TEST(faults_create)
{
    static const char tree[] =
        "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":8},\"tree\":{\"sequence\":["
        "{\"linear\":{\"width\":32,\"name\":\"in\",\"weights\":{\"weight\":{\"tensor\":\"w\",\"transpose\":true}}}},"
        "{\"repeat\":{\"name\":\"r\",\"n\":3,\"index\":\"k\",\"of\":{\"residual\":{\"sequence\":["
        "{\"rms_norm\":{\"weights\":{\"weight\":{\"tensor\":\"w\",\"index\":1}}}},"
        "{\"linear\":{\"width\":32,\"weights\":{\"weight\":{\"tensor\":\"u\",\"rows\":[0,32]}}}},"
        "{\"conv\":{\"taps\":1,\"weights\":{\"weight\":{\"tensor\":\"w\",\"index\":2}}}}]}}}},"
        "{\"activation\":{\"kind\":\"silu\"}}]}}";
    static float  numbers[40 * 32];
    krait_tensor  tensors[] = { { "w", numbers, 1024, { 8, 32 }, 2, KRAIT_F32 },
                                { "u", numbers, 5120, { 40, 32 }, 2, KRAIT_F32 } };
    tiny         *t = tiny_make(NULL, 1);
    attempt       a = { .description = t->config, .tensors = t->tensors, .n_tensors = t->count };

    fail_in_turn(&a, "mamba");
    a = (attempt){ .description = tree, .tensors = tensors, .n_tensors = 2, .flags = KRAIT_OPEN_CHECK };
    fail_in_turn(&a, "a tree");
    a = (attempt){ .model = tiny_model(t) };
    fail_in_turn(&a, "a state");
    krait_model_close((krait_model *)(uintptr_t)a.model);
    tiny_free(t);
}

TEST(faults_convert)
{
    static const char before[] = "what was there before";
    tiny   *t = tiny_make(&(tiny_sizes){ .layers = 1 }, 1);
    char    folder[256], out[256], to[256], gguf[256];
    attempt a = { .type = KRAIT_Q8_0 };

    test_path(folder, sizeof folder, "convert");
    test_path(gguf, sizeof gguf, "convert.gguf");
    test_path(out, sizeof out, "out");
    test_path(to, sizeof to, "out/to.gguf");
    CHECK_INT(system_folder(out), 0);
    CHECK_STATUS(tiny_gguf(t, folder, gguf, KRAIT_F32, KRAIT_LAYOUT_PANELS), KRAIT_OK);
    a.to = to;
    for (int way = 0; way < 3; way++) {
        a.path = way == 1 ? gguf : folder;
        a.layout = way == 2 ? KRAIT_LAYOUT_PANELS : KRAIT_LAYOUT_ROWS;
        a.flags = way == 2 ? KRAIT_OPEN_READ : 0;
        for (int for_good = 0; for_good < 2; for_good++)
            for (size_t n = 1;; n++) {
                tiny_memory   memory;
                krait_message message = { "" };
                krait_status  status;

                tiny_write(to, before, sizeof before);
                tiny_memory_start(&memory, n, for_good);
                test_note("way %d, call %zu fails%s", way, n, for_good ? " for good" : "");
                status = try(&a, &memory.allocator, &message);
                CHECK(tiny_memory_end(&memory));
                CHECK_U64(names(out, "partial"), 0);
                if (memory.calls < n) {
                    CHECK_STATUS(status, KRAIT_OK);
                    break;
                }
                CHECK_STATUS(status, KRAIT_ERR_MEMORY);
                CHECK(message.text[0] != '\0');
                same_file(to, before, sizeof before);
                remove(to);
                CHECK_STATUS(status = try(&a, (tiny_memory_start(&memory, n, for_good), &memory.allocator), &message),
                             KRAIT_ERR_MEMORY);
                CHECK(tiny_memory_end(&memory));
                CHECK_U64(names(out, "gguf") + names(out, "partial"), 0);
            }
    }
    test_note("%s", "");
    tiny_free(t);
}

/* ---- files ---- */

typedef struct watch { int calls, cancel_at; uint64_t done, total; int wrong; } watch;

static int32_t watched(void *user, uint64_t done, uint64_t total)
{
    watch *w = user;

    w->wrong += done < w->done || done > total || (w->calls && total != w->total);
    w->done = done;
    w->total = total;
    return ++w->calls == w->cancel_at;
}

TEST(faults_convert_cancelled)
{
    static const char before[] = "what was there before";
    tiny *t = tiny_make(NULL, 1);
    char  folder[256], out[256], to[256];
    int   calls = 1;

    test_path(folder, sizeof folder, "cancel");
    test_path(out, sizeof out, "cancelled");
    test_path(to, sizeof to, "cancelled/to.gguf");
    tiny_folder(t, folder);
    CHECK_INT(system_folder(out), 0);
    for (int layout = 0; layout < 2; layout++)
        for (int at = 0; at <= calls; at++) {
            watch         w = { 0, at, 0, 0, 0 };
            tiny_memory   memory;
            krait_message message = { "" };
            krait_convert_options options = { .size = sizeof options, .progress = watched, .progress_user = &w,
                                              .layout = layout, .allocator = &memory.allocator };

            test_note("layout %d, cancelled at call %d", layout, at);
            tiny_write(to, before, sizeof before);
            tiny_memory_start(&memory, 0, 0);
            CHECK_STATUS(krait_convert(folder, to, &options, &message), at ? KRAIT_ERR_CANCELLED : KRAIT_OK);
            CHECK(tiny_memory_end(&memory));
            CHECK_INT(message.text[0] == '\0', at == 0);
            CHECK_INT(w.wrong, 0);
            CHECK_U64(names(out, "partial"), 0);
            if (at) {
                CHECK_INT(w.calls, at);
                same_file(to, before, sizeof before);
            } else {
                calls = w.calls;
                CHECK_U64(w.done, w.total);
                CHECK(calls > 10);
            }
        }
    test_note("%s", "");
    tiny_free(t);
}

#if defined(_WIN32) || defined(__wasi__)

TEST(faults_convert_disk_full)
{
    test_skip("no limit for the size of files");
}

#else

/* No file may grow beyond a limit, for every kilobyte: as on a disk that is full. */
TEST(faults_convert_disk_full)
{
    static const char before[] = "what was there before";
    tiny         *t = tiny_make(&(tiny_sizes){ .layers = 1 }, 1);
    char          folder[256], out[256], to[256], whole[256];
    struct rlimit kept, low;
    size_t        count = 0;
    unsigned char *expected;
    void        (*signalled)(int);
    krait_status  status = KRAIT_ERR_IO;

    test_path(folder, sizeof folder, "much");
    test_path(out, sizeof out, "full");
    test_path(to, sizeof to, "full/to.gguf");
    test_path(whole, sizeof whole, "whole.gguf");
    tiny_folder(t, folder);
    CHECK_STATUS(krait_convert(folder, whole, NULL, NULL), KRAIT_OK);
    expected = tiny_read(whole, &count);
    CHECK_INT(system_folder(out), 0);
    tiny_write(to, before, sizeof before);
    CHECK_OR_RETURN(getrlimit(RLIMIT_FSIZE, &kept) == 0);
    signalled = signal(SIGXFSZ, SIG_IGN);
    for (size_t limit = 0; status != KRAIT_OK && limit < 1 << 20; limit += 1000) {
        krait_message message = { "" };

        low = kept;
        low.rlim_cur = limit;
        setrlimit(RLIMIT_FSIZE, &low);
        status = krait_convert(folder, to, NULL, &message);
        setrlimit(RLIMIT_FSIZE, &kept);
        test_note("a file of %zu bytes at most", limit);
        CHECK_U64(names(out, "partial"), 0);
        if (status == KRAIT_OK) {
            CHECK(limit >= count && count > 20000);
            same_file(to, expected, count);
        } else {
            CHECK_STATUS(status, KRAIT_ERR_IO);
            CHECK(message.text[0] != '\0');
            same_file(to, before, sizeof before);
        }
    }
    signal(SIGXFSZ, signalled);
    free(expected);
    CHECK_STATUS(status, KRAIT_OK);
    test_note("%s", "");
    tiny_free(t);
}

#endif

/* A missing folder, a file for a folder, a folder for a file. */
TEST(faults_convert_cannot_write)
{
    tiny          *t = tiny_make(NULL, 1);
    char           folder[256], out[256], file[256], within[256], missing[256];
    const char    *targets[5] = { missing, within, out, "", "/dev/full/x" };
    krait_message  message;

    test_path(folder, sizeof folder, "unwritten");
    test_path(out, sizeof out, "unwritable");
    test_path(file, sizeof file, "unwritable/file");
    test_path(within, sizeof within, "unwritable/file/to.gguf");
    test_path(missing, sizeof missing, "no such folder/to.gguf");
    tiny_folder(t, folder);
    CHECK_INT(system_folder(out), 0);
    tiny_write(file, "x", 1);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        tiny_memory           memory;
        krait_convert_options options = { .size = sizeof options, .allocator = &memory.allocator };
        char                  top[256];

        tiny_memory_start(&memory, 0, 0);
        memset(&message, 0, sizeof message);
        test_note("to '%s'", targets[i]);
        CHECK_STATUS(krait_convert(folder, targets[i], &options, &message), KRAIT_ERR_IO);
        CHECK(message.text[0] != '\0');
        CHECK(tiny_memory_end(&memory));
        CHECK_U64(names(out, ""), 1);           /* file */
        CHECK_U64(names(test_path(top, sizeof top, ""), "partial"), 0);
    }
    same_file(file, "x", 1);
    test_note("%s", "");
    CHECK_STATUS(krait_convert("no such model", file, NULL, &message), KRAIT_ERR_IO);
    same_file(file, "x", 1);
    tiny_free(t);
}

/* A model in the place of its own converted form: read whole before it is replaced. */
TEST(faults_convert_onto_itself)
{
    tiny        *t = tiny_make(NULL, 1);
    char         folder[256], path[256];
    krait_model *model = NULL, *plain = tiny_model(t);
    float       *out, *expected;
    size_t       count;
    krait_convert_options options = { .size = sizeof options, .layout = KRAIT_LAYOUT_PANELS };

    test_path(folder, sizeof folder, "itself");
    test_path(path, sizeof path, "itself.gguf");
    CHECK_STATUS(tiny_gguf(t, folder, path, KRAIT_F32, KRAIT_LAYOUT_ROWS), KRAIT_OK);
    CHECK_STATUS(krait_model_open(&model, path, NULL, NULL), KRAIT_OK);     /* goes on with the old file */
    CHECK_STATUS(krait_convert(path, path, &options, NULL), KRAIT_OK);
    expected = tiny_logits(plain, 4, &count);
    for (int i = 0; i < 2; i++) {
        out = tiny_logits(model, 4, NULL);
        CHECK_BYTES(out, expected, count * sizeof *out);
        free(out);
        krait_model_close(model);
        model = NULL;
        if (i == 0)
            CHECK_STATUS(krait_model_open(&model, path, NULL, NULL), KRAIT_OK);
    }
    free(expected);
    krait_model_close(plain);
    tiny_free(t);
}
