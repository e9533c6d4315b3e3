/*
 * test_conformance.c - the promise of docs/numerics.md: the same bits everywhere.
 *
 * table.txt holds, for each model of cases.h, a hash of every output bit and one of the final
 * state.  They must come out of every kernel table, however the rows are cut into calls, chunks
 * and lanes, and whatever the host did to rounding, denormals, traps and locale, which must be
 * found as they were.  Where KRAIT_NUMERICS was raised on purpose, this writes a new table:
 *
 *     KRAIT_CONFORMANCE_WRITE=tests/conformance/table.txt .build/cc/krait-test conformance_table
 */
#include "conformance/cases.h"

#include <fenv.h>
#include <inttypes.h>
#include <locale.h>

#include "core/bits.h"
#include "core/fail.h"
#include "core/fpenv.h"
#include "kernels/kernels.h"
#include "kernels/selftest.h"
#include "model/model.h"
#include "support/host.h"
#include "test.h"

#if defined(__SSE__) && defined(__GNUC__)
#include <xmmintrin.h>
#endif

#define TABLE "tests/conformance/table.txt"

typedef struct hashes { uint64_t output, state; } hashes;

typedef struct table {
    long   numerics;
    hashes of[CASES];
    int    found[CASES];
} table;

/* How rows are given: 0 stands for all of them, STEPS for krait_step() and its like. */
enum { STEPS = -1 };

/* That come out of a lane: inserted and appended ones, and the longest input. */
enum { MOST_ROWS = 2 * (ROWS + 6 * 4) };

typedef struct cut {
    const char *name;
    size_t      lanes, lane;            /* streams side by side, and which is the table's */
    size_t      others;                 /* rows of the other lanes */
    size_t      chunk;
    int         call;
    int         plain;                  /* of plain C too, which is slow where fma is software */
} cut;

static const cut cuts[] = {
    { "whole", 1, 0, 0, 0, 0, 1 },
    { "steps", 1, 0, 0, 1, STEPS, 1 },
    { "calls of 7, chunk 5", 1, 0, 0, 5, 7, 1 },
    { "calls of 64, chunk 7", 1, 0, 0, 7, 64, 1 },
    { "5 lanes, four short ones, calls of 7, lane 3", LANES, 3, 10, 64, 7, 1 },
    { "5 lanes", LANES, 0, ROWS, 0, 0, 0 },
    { "5 lanes, chunk 7", LANES, 0, ROWS, 7, 0, 0 },
    { "5 lanes, calls of 1", LANES, 0, ROWS, 1, 1, 0 },
    { "chunk 1", 1, 0, 0, 1, 0, 0 },
    { "chunk 7", 1, 0, 0, 7, 0, 0 },
    { "chunk 64", 1, 0, 0, 64, 0, 0 },
    { "calls of 1", 1, 0, 0, 7, 1, 0 },
};

/* ---- the host ------------------------------------------------------------------------------ */

/* What a host may have done to its floating-point environment. */
typedef struct setting {
    const char *name;
    int         rounding, flush, traps;
} setting;

static const setting hosts[] = {
    { "FTZ and DAZ", FE_TONEAREST, 1, 0 },
#ifdef FE_UPWARD
    { "rounding up", FE_UPWARD, 0, 0 },
    { "rounding down", FE_DOWNWARD, 0, 0 },
    { "rounding toward zero", FE_TOWARDZERO, 0, 0 },
    { "FTZ, DAZ, rounding up, traps", FE_UPWARD, 1, 1 },
#endif
};

static void host_set(const setting *h)
{
    CHECK(fesetround(h->rounding) == 0);
#if defined(__SSE__) && defined(__GNUC__)
    /* FTZ, DAZ; masks of invalid, division by zero, overflow, underflow */
    _mm_setcsr((_mm_getcsr() & ~0x3fu & ~(h->traps ? 0xe80u : 0)) | (h->flush ? 0x8040u : 0));
#elif defined(__aarch64__) && defined(__GNUC__)
    if (h->flush) {
        uint64_t fpcr;

        __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
        __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | 1u << 24));
    }
#endif
}

/* Everything of it that can be seen. */
static uint64_t host_now(void)
{
    uint64_t now = (uint64_t)fegetround() << 32;

#if defined(__SSE__) && defined(__GNUC__)
    now |= _mm_getcsr();
#elif defined(__aarch64__) && defined(__GNUC__)
    uint64_t control, flags;

    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    __asm__ volatile("mrs %0, fpsr" : "=r"(flags));
    now |= control | flags;
#endif
    return now;
}

/* ---- running ------------------------------------------------------------------------------- */

static krait_model *open_case(const conformance_case *c, const kr_kernels *kernels)
{
    krait_open_options options = { .size = sizeof options };
    kr_origin          origin = { .description = c->description, .tensors = c->tensors,
                                  .n_tensors = c->count, .from_tensors = 1 };
    krait_model       *model = NULL;
    krait_message      message = { "" };
    krait_status       status;
    uint64_t           before = host_now();

    if (kernels == &kr_kernels_plain || kernels == kr_kernels_best()) {
        options.flags = kernels == &kr_kernels_plain ? KRAIT_OPEN_PLAIN : 0;
        status = krait_model_create(&model, c->description, c->tensors, c->count, &options, &message);
    } else {                            /* no public option asks for it */
        kr_fpenv env = kr_fpenv_enter();

        status = kr_selftest(kernels) ? kr_model_make(&model, &origin, &options, kernels, &message)
                                      : kr_fail(&message, KRAIT_ERR_BUILD, "%s fails the self-test", kernels->name);
        kr_fpenv_leave(env);
    }
    CHECK_U64(host_now(), before);
    if (!CHECK_STATUS(status, KRAIT_OK))
        printf("     %s: %s\n", c->name, message.text);
    else
        CHECK_STR(krait_model_text(model, "krait.kernels"), kernels->name);
    return model;
}

/* A run of one case: the buffers of its calls, [lanes][rows of the call]. */
typedef struct running {
    const conformance_case *c;
    const cut   *cut;
    host        *host;                  /* who runs the tasks, or NULL */
    krait_model *model;
    krait_state *state;
    size_t       width;                 /* of the output */
    int32_t     *tokens;
    float       *features, *dt, *out;
    uint8_t     *reset;
    uint32_t     lengths[LANES], counts[LANES];
    size_t       stride;                /* rows of output from one lane to the next */
} running;

/* Rows from..from+n-1; lane l gets the stream that makes 'cut->lane' the table's. */
static void gather(running *r, size_t from, size_t n)
{
    const conformance_case *c = r->c;

    for (size_t l = 0; l < r->cut->lanes; l++) {
        size_t at = (l + LANES - r->cut->lane) % LANES * c->rows + from;

        r->lengths[l] = (uint32_t)(l == r->cut->lane ? n
                      : r->cut->others > from ? kr_min(r->cut->others - from, n) : 0);
        memcpy(r->reset + l * n, c->reset + at, n);
        if (c->dt)
            memcpy(r->dt + l * n, c->dt + at, n * sizeof *c->dt);
        if (c->tokens)
            memcpy(r->tokens + l * n, c->tokens + at, n * sizeof *c->tokens);
        if (c->features)
            memcpy(r->features + l * n * c->width, c->features + at * c->width,
                   n * c->width * sizeof *c->features);
    }
}

static void call_run(running *r, size_t n)
{
    krait_input   input = { .size = sizeof input, .steps = n, .reset = r->reset,
                             .lengths = r->lengths };
    krait_output  output = { .size = sizeof output, .rows = r->out, .counts = r->counts };
    krait_message message = { "" };
    uint64_t      before = host_now();
    krait_status  status;

    input.tokens = r->c->tokens ? r->tokens : NULL;
    input.features = r->c->features ? r->features : NULL;
    input.dt = r->c->dt ? r->dt : NULL;
    output.capacity = r->cut->lanes * MOST_ROWS * r->width;
    if (r->host)
        host_give(r->host, &input);
    status = krait_run(r->model, r->state, &input, &output, &message);
    CHECK_U64(host_now(), before);
    CHECK_STATUS(status, KRAIT_OK);
    r->stride = output.stride;
}

static void call_step(running *r)
{
    uint64_t     before = host_now();
    krait_status status = KRAIT_OK;

    if (r->reset[0])
        status = krait_state_reset(r->model, r->state, KRAIT_ALL_LANES);
    CHECK_STATUS(status, KRAIT_OK);
    if (r->c->tokens && r->tokens[0] >= 0)
        status = krait_step_tokens(r->model, r->state, r->tokens, r->out);
    else
        status = krait_step(r->model, r->state, r->features, r->out);
    CHECK_U64(host_now(), before);
    CHECK_STATUS(status, KRAIT_OK);
    r->stride = r->counts[r->cut->lane] = 1;
}

/* FNV-1a over the bytes, every NaN as one NaN. */
static uint64_t add_outputs(uint64_t hash, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = word_of(x[i]);

        if ((bits & 0x7fffffffu) > 0x7f800000u)
            bits = 0x7fc00000u;
        for (int b = 0; b < 32; b += 8)
            hash = (hash ^ (bits >> b & 0xff)) * 0x100000001b3u;
    }
    return hash;
}

/* A model that needs whole sequences is given them whole. */
static int can_run(krait_model *model, const cut *k)
{
    int64_t whole = 0;

    CHECK_STATUS(krait_model_get(model, KRAIT_WHOLE_SEQUENCE, &whole), KRAIT_OK);
    return !whole || k->call == 0;
}

static const cut *cut_for(krait_model *model, size_t k)
{
    return &cuts[can_run(model, &cuts[k]) ? k : 0];
}

static hashes run_tasks(const conformance_case *c, krait_model *model, const cut *k, host *by, uint32_t tasks)
{
    size_t              rows = k->lanes * c->rows, n;
    krait_state_options options = { .size = sizeof options, .lanes = (uint32_t)k->lanes };
    running             r = { .c = c, .cut = k, .model = model, .host = by };
    hashes              h = { 0xcbf29ce484222325u, 0 };
    int64_t             width = 0;

    options.chunk = (uint32_t)(k->chunk ? k->chunk : c->rows);
    options.max_steps = (uint32_t)c->rows;
    options.tasks = tasks;
    CHECK_STATUS(krait_model_get(model, KRAIT_OUT_WIDTH, &width), KRAIT_OK);
    if (!CHECK_STATUS(krait_state_create(&r.state, model, &options, NULL), KRAIT_OK))
        return h;
    r.width = (size_t)width;
    r.tokens = malloc(rows * sizeof *r.tokens);
    r.features = malloc((rows * c->width + 1) * sizeof *r.features);
    r.dt = malloc(rows * sizeof *r.dt);
    r.out = malloc(k->lanes * MOST_ROWS * r.width * sizeof *r.out);
    r.reset = malloc(rows);
    for (size_t from = 0; from < c->rows; from += n) {
        n = k->call == STEPS ? 1 : k->call ? kr_min((size_t)k->call, c->rows - from) : c->rows;
        gather(&r, from, n);
        if (k->call == STEPS && !c->dt)
            call_step(&r);
        else
            call_run(&r, n);
        h.output = add_outputs(h.output, r.out + k->lane * r.stride * r.width,
                               r.counts[k->lane] * r.width);
    }
    CHECK_STATUS(krait_state_hash(model, r.state, (int32_t)k->lane, &h.state), KRAIT_OK);
    krait_state_destroy(r.state, NULL);
    free(r.tokens), free(r.features), free(r.dt), free(r.out), free(r.reset);
    return h;
}

static hashes run_case(const conformance_case *c, krait_model *model, const cut *k)
{
    return run_tasks(c, model, k, NULL, 1);
}

/* ---- the table ----------------------------------------------------------------------------- */

static void case_text(const case_name *name, char text[32])
{
    snprintf(text, 32, "%s%s", name->model, name->type == KRAIT_F16 ? ".f16"
             : name->type == KRAIT_BF16 ? ".bf16" : name->type == KRAIT_Q8_0 ? ".q8_0" : "");
}

/* Inputs are made in krait's own environment: a program may have been linked to start in another. */
static void make(conformance_case *c, size_t i)
{
    kr_fpenv env = kr_fpenv_enter();

    case_make(c, &case_names[i]);
    kr_fpenv_leave(env);
}

/* 1 if it could be read; lines that begin with # are for people. */
static int table_read(table *t)
{
    FILE *file = fopen(test_data(TABLE), "r");
    char  line[256], name[32], expected[32];

    memset(t, 0, sizeof *t);
    if (!CHECK(file != NULL))
        return 0;
    while (fgets(line, sizeof line, file)) {
        hashes h;
        size_t i = 0;

        if (line[0] == '#' || line[0] == '\n' || sscanf(line, "KRAIT_NUMERICS %ld", &t->numerics) == 1)
            continue;
        test_note("%.*s", (int)strcspn(line, "\n"), line);
        CHECK(sscanf(line, "%31s %" SCNx64 " %" SCNx64, name, &h.output, &h.state) == 3);
        for (; i < CASES; i++) {
            case_text(&case_names[i], expected);
            if (strcmp(name, expected) == 0)
                break;
        }
        if (CHECK(i < CASES && !t->found[i])) {
            t->of[i] = h;
            t->found[i] = 1;
        }
        test_note("%s", "");
    }
    fclose(file);
    return 1;
}

static void table_write(const char *path)
{
    static conformance_case c;
    FILE *file = fopen(path, "w");

    CHECK_OR_RETURN(file != NULL);
    fprintf(file, "# Hashes of outputs and final states that no machine, compiler, kernel, cut or host may "
                  "change:\n# tests/conformance/test_conformance.c, docs/numerics.md.  case, outputs, "
                  "state.\n\nKRAIT_NUMERICS %d\n\n", KRAIT_NUMERICS);
    for (size_t i = 0; i < CASES; i++) {
        krait_model *model;

        make(&c, i);
        model = open_case(&c, &kr_kernels_plain);
        if (model) {
            hashes h = run_case(&c, model, &cuts[0]);

            fprintf(file, "%-14s %016" PRIx64 " %016" PRIx64 "\n", c.name, h.output, h.state);
        }
        krait_model_close(model);
        case_free(&c);
    }
    CHECK(fclose(file) == 0);
}

/* The table is of this KRAIT_NUMERICS and has every case. */
TEST(conformance_table)
{
    const char *path = getenv("KRAIT_CONFORMANCE_WRITE");
    char        name[32];
    table       t;

    if (path && path[0]) {
        table_write(path);
        SKIP("wrote a new table instead");
    }
    if (!table_read(&t))
        return;
    CHECK_INT(t.numerics, KRAIT_NUMERICS);
    CHECK_INT(krait_numerics(), KRAIT_NUMERICS);
    for (size_t i = 0; i < CASES; i++) {
        case_text(&case_names[i], name);
        test_note("%s", name);
        CHECK(t.found[i]);
    }
}

static void compare(const table *t, size_t i, hashes h)
{
    CHECK_U64(h.output, t->of[i].output);
    CHECK_U64(h.state, t->of[i].state);
}

/* One case under one kernel table: every cut, then every host with one cut or two; fewer of plain C. */
static void check_case(const table *t, size_t i, const kr_kernels *kernels)
{
    static conformance_case c;
    krait_model            *model;
    int                     plain = kernels == &kr_kernels_plain;
    fenv_t                  found;

    make(&c, i);
    test_note("%s, %s", c.name, kernels->name);
    model = open_case(&c, kernels);
    for (size_t k = 0; model && k < sizeof cuts / sizeof *cuts; k++)
        if ((!plain || cuts[k].plain) && can_run(model, &cuts[k])) {
            test_note("%s, %s, %s", c.name, kernels->name, cuts[k].name);
            compare(t, i, run_case(&c, model, &cuts[k]));
        }
    krait_model_close(model);
    for (size_t n = 0; model && n < sizeof hosts / sizeof *hosts; n++) {
        hashes h[2] = { { 0, 0 }, { 0, 0 } };

        if (plain && n % 2 != i % 2)    /* some hosts are enough */
            continue;
        test_note("%s, %s, host with %s", c.name, kernels->name, hosts[n].name);
        fegetenv(&found);
        host_set(&hosts[n]);
        if ((model = open_case(&c, kernels)) != NULL)
            for (int k = 0; k < 2 - plain; k++)
                h[k] = run_case(&c, model, cut_for(model, 1 + ((size_t)k + n) % 2));
        krait_model_close(model);
        fesetenv(&found);
        for (int k = 0; k < 2 - plain; k++)
            compare(t, i, h[k]);
    }
    test_note("%s", "");
    case_free(&c);
}

static void check_kernels(const char *name)
{
    const kr_kernels *kernels = kr_kernels_named(name);
    char              reason[64];
    table             t;

    if (!kernels) {
        snprintf(reason, sizeof reason, "this CPU has no %s", name);
        SKIP(reason);
    }
    if (!table_read(&t))
        return;
    for (size_t i = 0; i < CASES; i++)
        check_case(&t, i, kernels);
}

TEST(conformance_plain)
{
    check_kernels("plain");
}

TEST(conformance_avx2)
{
    check_kernels("avx2");
}

TEST(conformance_avx512)
{
    check_kernels("avx512");
}

TEST(conformance_neon)
{
    check_kernels("neon");
}

TEST(conformance_neon_dot)
{
    check_kernels("neon_dot");
}

/* Every piece of work that can be cut is, however small, by hosts of every kind. */
static void check_tasks(const table *t, size_t i, host *by, const kr_kernels *kernels)
{
    static const size_t     some[] = { 0, 2, 6 };
    static conformance_case c;
    krait_model            *model;

    make(&c, i);
    if ((model = open_case(&c, kernels)) != NULL) {
        model->task_work = 1;
        for (uint32_t tasks = 2; tasks <= 5; tasks += 3)
            for (size_t k = 0; k < sizeof some / sizeof *some; k++) {
                const cut *way = cut_for(model, some[k]);

                test_note("%s, %s, %s, %u tasks, %s", c.name, kernels->name, way->name, (unsigned)tasks,
                          host_names[by->kind]);
                compare(t, i, run_tasks(&c, model, way, by, tasks));
            }
    }
    CHECK_INT(atomic_load(&by->spoiled), 0);
    test_note("%s", "");
    krait_model_close(model);
    case_free(&c);
}

TEST(conformance_tasks)
{
    table t;

    if (!table_read(&t))
        return;
    for (int kind = 0; kind < HOSTS; kind++) {
        host by;

        if (!CHECK(host_start(&by, (host_kind)kind, 31)))
            continue;
        for (size_t i = 0; i < CASES; i++)
            check_tasks(&t, i, &by, kind == HOST_SHUFFLED && i % 4 == 0 ? &kr_kernels_plain : kr_kernels_best());
        CHECK(kind == HOST_NONE ? by.calls == 0 : by.calls > CASES && by.tasks > 2 * by.calls);
        host_end(&by);
    }
}

/* Any locale that writes 1,5. */
static const char *comma_locale(void)
{
    static const char *const names[] = {
        "de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "es_ES.UTF-8", "it_IT.UTF-8",
        "nl_NL.UTF-8", "pl_PL.UTF-8", "pt_BR.UTF-8", "ru_RU.UTF-8", "sv_SE.UTF-8", "de-DE"
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (setlocale(LC_ALL, names[i]) && strcmp(localeconv()->decimal_point, ",") == 0)
            return names[i];
    setlocale(LC_ALL, "C");
    return NULL;
}

TEST(conformance_locale)
{
    static conformance_case c;
    table                   t;

    if (!table_read(&t))
        return;
    if (!comma_locale())
        SKIP("no locale with a decimal comma is installed");
    for (size_t i = 0; i < CASES; i++) {
        krait_model *model;

        make(&c, i);
        test_note("%s, %s", c.name, setlocale(LC_ALL, NULL));
        model = open_case(&c, kr_kernels_best());
        if (model) {
            compare(&t, i, run_case(&c, model, cut_for(model, 3)));
            CHECK_STR(localeconv()->decimal_point, ",");
        }
        krait_model_close(model);
        case_free(&c);
    }
    setlocale(LC_ALL, "C");
}
