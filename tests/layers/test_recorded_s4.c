/*
 * test_recorded_s4.c - s4 and dss beside outputs of their official code, run in double: tests/golden/make_lti.py.
 *
 * A layer that looks both ways is two: the second has the rows from the end, one row late.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "formats/package.h"
#include "krait.h"
#include "support/npz.h"
#include "test.h"

enum { MOST_TENSORS = 20, MOST_NUMBERS = 2048, NAME = 64 };

/* heads: of each direction; 0: one direction. */
typedef struct recording {
    const char *name, *options;
    int         heads;
} recording;

static const recording s4_recordings[] = {
    { "legs",          "\"states\":8,\"l_kernel\":96", 0 },
    { "legs_plain",    "\"states\":4", 0 },
    { "legs_64",       "\"states\":32,\"l_kernel\":256", 0 },
    { "tied",          "\"states\":4,\"l_kernel\":64,\"copies\":2,\"channels\":2", 0 },
    { "legt",          "\"states\":6,\"l_kernel\":100,\"rank\":2", 0 },
    { "fourier",       "\"states\":6,\"l_kernel\":64", 0 },
    { "rank3",         "\"states\":4,\"l_kernel\":65,\"rank\":3", 0 },
    { "bidirectional", "\"states\":4,\"l_kernel\":64", 1 },
    { "odd",           "\"states\":5,\"l_kernel\":51,\"real\":\"softplus\",\"step\":\"softplus\"", 0 },
    { "rate",          "\"states\":4,\"l_kernel\":64,\"rate\":2", 0 },
    { "untied_steps",  "\"states\":4,\"l_kernel\":64,\"tied\":false", 0 },
    { "circle",        "\"states\":8,\"l_kernel\":16000", 0 },
    { "tiny",          "\"states\":4,\"l_kernel\":1024", 0 },
};

#define DSS "\"form\":\"dss\","

static const recording dss_recordings[] = {
    { "exp",           DSS "\"states\":8", 0 },
    { "exp_one_step",  DSS "\"states\":8,\"channels\":2,\"sep_dt_re_im\":false", 0 },
    { "exp_re_im",     DSS "\"states\":8,\"version\":\"exp-re-im\"", 1 },
    { "no_scale",      DSS "\"states\":8,\"version\":\"exp-no-scale\"", 0 },
    { "clip",          DSS "\"states\":8,\"version\":\"clip\"", 0 },
    { "clip_no_scale", DSS "\"states\":8,\"version\":\"clip-no-scale\",\"channels\":2", 2 },
    { "softmax",       DSS "\"states\":8,\"version\":\"softmax\",\"length\":48", 0 },
    { "hyper",         DSS "\"states\":6,\"channels\":2", 0 },
    { "circle",        DSS "\"states\":8", 0 },
    { "tiny",          DSS "\"states\":8", 0 },
};

/* What s4d has of these besides test_s4d.c. */
static const recording s4d_recordings[] = {
    { "real",          "\"states\":8,\"is_real\":true", 0 },
    { "dss",           "\"states\":4,\"discretization\":\"dss\",\"length\":64", 0 },
    { "bidirectional", "\"states\":6,\"copies\":1", 1 },
    { "bilinear_tied", "\"states\":4,\"copies\":3,\"channels\":2,\"tied\":false,\"discretization\":\"bilinear\"", 2 },
};

/* One of them, read. */
typedef struct recorded {
    krait_tensor  tensors[MOST_TENSORS];
    char          names[MOST_TENSORS][NAME];
    size_t        count, rows, in, out;
    float         x[MOST_NUMBERS];
    double        y[MOST_NUMBERS], most;
    unsigned char late[MOST_NUMBERS];       /* a convolution's weights that hand on the row before */
    krait_model  *model;
} recorded;

static double recorded_number(const kr_source *from, size_t i)
{
    return kr_double_of(kr_load_u32(from->data + 8 * i) | (uint64_t)kr_load_u32(from->data + 8 * i + 4) << 32);
}

/* All tensors, each of the layer under "layer."; and what a delay takes. */
static void take_tensors(recorded *r, const kr_package *package)
{
    for (size_t i = 0; i < package->n_tensors && r->count < MOST_TENSORS - 1; i++) {
        const kr_source *from = &package->tensors[i];
        krait_tensor    *to = &r->tensors[r->count];

        snprintf(r->names[r->count], NAME, "%s%s", strncmp(from->name, "layer.", 6) == 0 ? "" : "layer.", from->name);
        *to = (krait_tensor){ .name = r->names[r->count++], .data = from->data, .bytes = from->bytes,
                              .dimensions = from->dimensions, .type = from->type };
        memcpy(to->shape, from->shape, sizeof to->shape);
    }
    for (size_t i = 0; i < r->in; i++)
        kr_store_u32(r->late + 8 * i, kr_bits_of(1.0f)), kr_store_u32(r->late + 8 * i + 4, 0);
    r->tensors[r->count++] = (krait_tensor){ .name = "late.weight", .data = r->late, .bytes = 8 * r->in, .dimensions = 2,
                                             .shape = { r->in, 2 }, .type = KRAIT_F32 };
}

/* Two of the layer: of C's rows each its own, D with the first alone. */
static void describe_both(char *text, size_t size, const char *type, const recording *of)
{
    static const char *const slots[] = { "log_dt", "inv_dt", "A_real", "A_imag", "B", "P", "Lambda", "Lambda_log_neg_re",
                                         "Lambda_im", "Lambda_log_im" };
    int    dss = strstr(of->options, "dss") != NULL, heads = of->heads;
    char   names[600] = "";
    size_t at = 0;

    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        if (strcmp(type, "s4") == 0 || strcmp(slots[i], "P") != 0)
            at += (size_t)snprintf(names + at, sizeof names - at, "\"kernel.%s\":\"layer.kernel.%s\",", slots[i], slots[i]);
    snprintf(text, size, "{\"branches\":{\"of\":[{\"%s\":{\"path\":\"layer\",%s,\"weights\":{\"kernel.%s\":{\"tensor\":"
             "\"layer.kernel.%s\",\"rows\":[0,%d]}}}},{\"reverse\":{\"sequence\":[{\"conv\":{\"path\":\"late\",\"taps\":2}},"
             "{\"%s\":{\"path\":\"back\",%s,\"weights\":{%s\"kernel.%s\":{\"tensor\":\"layer.kernel.%s\",\"rows\":[%d,%d]}}}}"
             "]}}]}}", type, of->options, dss ? "W" : "C", dss ? "W" : "C", heads, type, of->options, names,
             dss ? "W" : "C", dss ? "W" : "C", heads, 2 * heads);
}

/* The slots that a layer does not have are no weights of it. */
static void drop_slots(char *text, const recorded *r)
{
    char *from;

    while ((from = strstr(text, "\"kernel.")) != NULL) {
        char   tensor[NAME];
        char  *end = strchr(from + 1, '"') + 1;
        int    known = end[1] == '{';

        snprintf(tensor, sizeof tensor, "layer.%.*s", (int)(end - from - 2), from + 1);
        for (size_t i = 0; i < r->count; i++)
            known |= strcmp(r->names[i], tensor) == 0;
        if (known)
            *from = '\1';                       /* seen */
        else
            memmove(from, strchr(end, ',') + 1, strlen(strchr(end, ',') + 1) + 1);
    }
    while ((from = strchr(text, '\1')) != NULL)
        *from = '"';
}

static void describe(char *text, size_t size, const char *type, const recording *of, const recorded *r)
{
    char tree[3000];

    if (of->heads)
        describe_both(tree, sizeof tree, type, of);
    else
        snprintf(tree, sizeof tree, "{\"%s\":{\"path\":\"layer\",%s}}", type, of->options);
    drop_slots(tree, r);
    snprintf(text, size, "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":%zu},\"tree\":%s}", r->in, tree);
}

/* The last lane of some that all have the same rows, in calls of 'cut' rows: the largest error over the largest y. */
static double distance(const recorded *r, int32_t mode, size_t lanes, size_t cut)
{
    krait_state_options options = { .size = sizeof options, .lanes = (uint32_t)lanes, .max_steps = r->rows };
    krait_state *state = NULL;
    float       *x = malloc(lanes * r->rows * r->in * sizeof *x), *y = malloc(lanes * r->rows * r->out * sizeof *y);
    double       worst = 0;

    CHECK_STATUS(krait_state_create(&state, r->model, &options, NULL), KRAIT_OK);
    for (size_t from = 0; state && from < r->rows; from += cut) {
        size_t       n = from + cut < r->rows ? cut : r->rows - from;
        krait_input  input = { .size = sizeof input, .steps = n, .features = x, .mode = mode };
        krait_output output = { .size = sizeof output, .rows = y, .capacity = lanes * n * r->out };

        for (size_t lane = 0; lane < lanes; lane++)
            memcpy(x + lane * n * r->in, r->x + from * r->in, n * r->in * sizeof *x);
        CHECK_STATUS(krait_run(r->model, state, &input, &output, NULL), KRAIT_OK);
        for (size_t i = 0; i < n * r->out; i++) {
            double apart = fabs((double)y[(lanes - 1) * n * r->out + i] - r->y[from * r->out + i]);

            worst = isnan(apart) ? INFINITY : fmax(worst, apart);
        }
    }
    krait_state_destroy(state, NULL);
    free(x), free(y);
    return worst / r->most;
}

static void check_recorded(const recorded *r, const char *name, int both, double bound)
{
    static const int32_t modes[] = { KRAIT_RECURRENT, KRAIT_SCAN, KRAIT_CONVOLUTION };

    for (size_t mode = 0; mode < 3; mode++)
        for (size_t lanes = 1; lanes <= 3; lanes += 2)
            for (size_t cut = both ? r->rows : 1; cut <= r->rows; cut = cut == r->rows ? cut + 1 : cut == 1 ? 37 : r->rows) {
                double error = distance(r, modes[mode], lanes, cut);

                test_note("%s: mode %d, %zu lanes, cut %zu: off by %.2g", name, (int)modes[mode], lanes, cut, error);
                CHECK(error <= bound);
                if (getenv("KRAIT_DISTANCE") && lanes == 1 && cut == r->rows)
                    test_check(0, __FILE__, __LINE__, "asked for");
                if (cut == 1 && r->rows < 37)
                    cut = r->rows - 1;
            }
}

static void read_recorded(recorded *r, const kr_package *package)
{
    const kr_source *input = kr_package_find(package, "input"), *expected = kr_package_find(package, "ssm");

    r->rows = (size_t)input->shape[0];
    r->in = (size_t)input->shape[1];
    r->out = (size_t)expected->shape[1];
    for (size_t i = 0; i < r->rows * r->in && CHECK(i < MOST_NUMBERS); i++)
        r->x[i] = kr_float_of(kr_load_u32(input->data + 4 * i));
    for (size_t i = 0; i < r->rows * r->out && CHECK(i < MOST_NUMBERS); i++) {
        r->y[i] = recorded_number(expected, i);
        r->most = fmax(r->most, fabs(r->y[i]));
    }
    take_tensors(r, package);
}

static void check_file(const char *folder, const char *type, const recording *of, double bound)
{
    char           path[96], text[4000];
    size_t         count = 0;
    kr_memory      memory;
    kr_arena       arena;
    kr_package     package;
    krait_message  why = { "" };
    recorded      *r = calloc(1, sizeof *r);
    unsigned char *bytes;

    snprintf(path, sizeof path, "tests/golden/%s/%s.safetensors", folder, of->name);
    bytes = npz_read_file(test_data(path), &count);
    kr_memory_start(&memory, NULL, 0);
    kr_arena_start(&arena, &memory);
    test_note("%s", path);
    if (CHECK(bytes != NULL) && CHECK_STATUS(kr_package_read(&package, bytes, count, path, &arena, &why), KRAIT_OK)) {
        read_recorded(r, &package);
        describe(text, sizeof text, type, of, r);
        CHECK_STATUS(krait_model_create(&r->model, text, r->tensors, r->count, NULL, &why), KRAIT_OK);
        CHECK_STR(why.text, "");
        if (r->model)
            check_recorded(r, path, of->heads, bound);
    }
    test_note("%s", "");
    krait_model_close(r->model);
    kr_arena_free(&arena);
    free(bytes), free(r);
}

TEST(s4_recorded_outputs)
{
    for (size_t i = 0; i < sizeof s4_recordings / sizeof *s4_recordings; i++)
        check_file("s4", "s4", &s4_recordings[i], 2e-6);
}

TEST(dss_recorded_outputs)
{
    for (size_t i = 0; i < sizeof dss_recordings / sizeof *dss_recordings; i++)
        check_file("dss", "s4d", &dss_recordings[i], 2e-6);
}

TEST(s4d_recorded_variants)
{
    for (size_t i = 0; i < sizeof s4d_recordings / sizeof *s4d_recordings; i++)
        check_file("s4d", "s4d", &s4d_recordings[i], 2e-6);
}
