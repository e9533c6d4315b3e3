/* Opening: from every form the same weights, whoever helps; in place nothing is touched, or all of it at once. */
#define _DEFAULT_SOURCE 1

#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/pool.h"
#include "support/tiny.h"
#include "test.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

/* The table is 2 MB, so that its packing is worth several tasks. */
static const tiny_sizes sizes = { .vocabulary = 4096, .layers = 1, .width = 128, .inner = 200, .states = 4, .rank = 8 };

enum { FORMS = 4, STEPS = 3 };

typedef enum kind { FOLDER, PANELS, ROWS, SMALL } kind;

static const char *const names[FORMS] = { "open", "open-panels.gguf", "open-rows.gguf", "open-q8.gguf" };

typedef struct paths { char at[FORMS][256]; } paths;

static void write_forms(paths *p)
{
    tiny *t = tiny_make(&sizes, 5);

    for (size_t i = 0; i < FORMS; i++)
        test_path(p->at[i], sizeof p->at[i], names[i]);
    CHECK_STATUS(tiny_gguf(t, p->at[FOLDER], p->at[PANELS], KRAIT_F32, KRAIT_LAYOUT_PANELS), KRAIT_OK);
    CHECK_STATUS(tiny_gguf(t, p->at[FOLDER], p->at[ROWS], KRAIT_F32, KRAIT_LAYOUT_ROWS), KRAIT_OK);
    CHECK_STATUS(tiny_gguf(t, p->at[FOLDER], p->at[SMALL], KRAIT_Q8_0, KRAIT_LAYOUT_ROWS), KRAIT_OK);
    tiny_free(t);
}

typedef struct watch {
    size_t   calls, cancel_at;      /* 0: never */
    uint64_t done, total;
    int      wrong;
    size_t   forks, tasks;
    pool    *threads;
} watch;

static int32_t watched(void *user, uint64_t done, uint64_t total)
{
    watch *w = user;

    w->wrong += done < w->done || done > total || (w->calls && total != w->total);
    w->done = done;
    w->total = total;
    return ++w->calls == w->cancel_at;
}

static void counted_run(void *user, krait_task_fn task, void *argument, size_t count)
{
    watch *w = user;

    w->forks++;
    w->tasks += count;
    pool_run(w->threads, task, argument, count);
}

static uint64_t hash_of(const krait_model *model)
{
    uint64_t hash = 0;

    CHECK_STATUS(krait_model_hash(model, &hash), KRAIT_OK);
    return hash;
}

/* Mapped and read, prefetched and not, checked and not, alone and by tasks: the same weights. */
TEST(open_every_way_is_one_model)
{
    static const int32_t flags[] = { 0, KRAIT_OPEN_READ, KRAIT_OPEN_PREFETCH, KRAIT_OPEN_READ | KRAIT_OPEN_PREFETCH,
                                     KRAIT_OPEN_CHECK, KRAIT_OPEN_READ | KRAIT_OPEN_CHECK };
    watch w = { .threads = pool_start(1) };
    paths p;

    write_forms(&p);
    for (size_t form = 0; form < FORMS; form++) {
        uint64_t hash = 0;

        for (size_t i = 0; i < 2 * sizeof flags / sizeof *flags; i++) {
            krait_open_options options = { .size = sizeof options, .flags = flags[i / 2] };
            krait_model       *model = NULL;

            options.tasks = i % 2 ? 4 : 0;
            options.parallel = i % 2 ? counted_run : NULL;
            options.parallel_user = &w;
            w.forks = w.tasks = 0;
            test_note("%s, flags %d, tasks %d", p.at[form], (int)options.flags, (int)options.tasks);
            CHECK_STATUS(krait_model_open(&model, p.at[form], &options, NULL), KRAIT_OK);
            if (!model)
                continue;
            hash = hash ? hash : hash_of(model);
            CHECK_U64(hash_of(model), hash);
            /* Weights in place are nobody's work unless they are prefetched; Q8_0's table is too small for two. */
            if (i % 2 && (form != PANELS || (options.flags & KRAIT_OPEN_PREFETCH)) && form != SMALL)
                CHECK(w.forks > 0 && w.tasks > w.forks);
            else if (form != SMALL)
                CHECK_U64(w.forks, 0);
            krait_model_close(model);
        }
    }
    test_note("%s", "");
    pool_end(w.threads);
}

/* Every call of progress() may be the one that cancels; else it only goes up, to the end. */
TEST(open_prefetch_tells_and_cancels)
{
    krait_open_options options = { .size = sizeof options, .flags = KRAIT_OPEN_PREFETCH, .progress = watched };
    krait_model       *model;
    size_t             calls;
    watch              w = { 0 };
    paths              p;
    int64_t            bytes = 0;

    write_forms(&p);
    options.progress_user = &w;
    CHECK_STATUS(krait_model_open(&model, p.at[PANELS], &options, NULL), KRAIT_OK);
    CHECK_STATUS(krait_model_get(model, KRAIT_WEIGHT_BYTES, &bytes), KRAIT_OK);
    CHECK(w.calls > 4 && !w.wrong && w.done == w.total && w.total == (uint64_t)bytes);
    krait_model_close(model);
    calls = w.calls;
    for (size_t i = 1; i <= calls; i++) {
        tiny_memory memory;

        w = (watch){ .cancel_at = i };
        tiny_memory_start(&memory, 0, 0);
        options.allocator = &memory.allocator;
        CHECK_STATUS(krait_model_open(&model, p.at[PANELS], &options, NULL), KRAIT_ERR_CANCELLED);
        CHECK(model == NULL && w.calls == i && !w.wrong);
        CHECK(tiny_memory_end(&memory));
    }
}

/* Weights of a file in panels lie in pages that nobody may read while it is opened. */
TEST(open_in_place_touches_no_weight)
{
#if defined(__linux__)
    krait_open_options options = { .size = sizeof options, .flags = KRAIT_OPEN_BORROW };
    krait_model       *model = NULL, *mapped = NULL;
    krait_tensor       tensor;
    size_t             count, hidden = 0;
    unsigned char     *bytes, *place;
    paths              p;

    write_forms(&p);
    bytes = tiny_read(p.at[PANELS], &count);
    place = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED)
        abort();
    memcpy(place, bytes, count);
    CHECK_STATUS(krait_model_open(&mapped, p.at[PANELS], NULL, NULL), KRAIT_OK);
    CHECK_STATUS(krait_model_open_memory(&model, place, count, &options, NULL), KRAIT_OK);
    for (size_t i = 0; krait_model_tensor(model, i, &tensor) == KRAIT_OK; i++) {
        uintptr_t from = ((uintptr_t)tensor.data + 4095) / 4096 * 4096;
        uintptr_t to = ((uintptr_t)tensor.data + tensor.bytes) / 4096 * 4096;

        if (tensor.type >= 1000000 && to > from && mprotect((void *)from, to - from, PROT_NONE) == 0)
            hidden += to - from;
    }
    krait_model_close(model);
    CHECK(hidden > 2 << 20);
    CHECK_STATUS(krait_model_open_memory(&model, place, count, &options, NULL), KRAIT_OK);
    mprotect(place, count, PROT_READ);
    CHECK_U64(hash_of(model), hash_of(mapped));
    krait_model_close(model);
    krait_model_close(mapped);
    munmap(place, count);
    free(bytes);
#else
    test_note("%s", "only where pages can be hidden");
#endif
}
