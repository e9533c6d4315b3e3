/* krait's own trees: where weights come from, and that nothing in a description is passed over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/random.h"
#include "support/tiny.h"
#include "test.h"

#define TREE(input, tree) "{\"model_type\":\"krait\",\"version\":1,\"input\":" input ",\"tree\":" tree "}"
#define THREE(tree)       TREE("{\"features\":3}", tree)

enum { NUMBERS = 4096 };

/* Tensors over one pool of random numbers. */
typedef struct pool {
    float        numbers[NUMBERS];      /* as in files: read through tiny_little() */
    krait_tensor tensors[24];
    size_t       count;
} pool;

static void pool_start(pool *p)
{
    kr_random random = kr_random_from(11);

    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < NUMBERS; i++)
        p->numbers[i] = tiny_little(kr_random_unit(&random));
}

/* A tensor of the numbers from 'from' on; a dimension of 0 is not there. */
static void add(pool *p, const char *name, size_t from, uint64_t a, uint64_t b, uint64_t c)
{
    krait_tensor *tensor = &p->tensors[p->count++];

    *tensor = (krait_tensor){ .name = name, .data = p->numbers + from, .shape = { a, b, c },
                              .dimensions = c ? 3 : b ? 2 : 1, .type = KRAIT_F32 };
    tensor->bytes = 4 * a * (b ? b : 1) * (c ? c : 1);
}

static krait_model *made(const pool *p, const char *description)
{
    krait_message message = { "" };
    krait_model  *model;

    CHECK_STATUS(krait_model_create(&model, description, p->tensors, p->count, NULL, &message), KRAIT_OK);
    CHECK_STR(message.text, "");
    return model;
}

/* Fails so, with 'word' in its message; all memory comes back, and there was never much of it. */
static void refused(const pool *p, const char *description, krait_status status, const char *word)
{
    krait_message      message = { "" };
    krait_open_options options = { .size = sizeof options };
    krait_model       *model = (krait_model *)1;
    tiny_memory        memory;

    tiny_memory_start(&memory, 0, 0);
    options.allocator = &memory.allocator;
    test_note("%.180s", description);
    CHECK_STATUS(krait_model_create(&model, description, p->tensors, p->count, &options, &message), status);
    CHECK(model == NULL && memory.peak < 64 << 20);
    if (!CHECK(strstr(message.text, word) != NULL)) {
        test_note("%.250s", message.text);
        CHECK_STR("the message", word);
    }
    CHECK(tiny_memory_end(&memory));
    test_note("%s", "");
}

/* y = W x for one step of three features; W[o][k] is numbers[from + o * by_output + k * by_input]. */
static void multiplies(const pool *p, const char *description, size_t outputs, size_t from, size_t by_output,
                       size_t by_input)
{
    static const float x[3] = { 1.0f, 2.0f, -4.0f };
    krait_model *model = made(p, description);
    krait_state *state;
    float        y[64];

    if (!model)
        return;
    state = tiny_state(model, 1, 1);
    test_note("%.180s", description);
    CHECK_STATUS(krait_step(model, state, x, y), KRAIT_OK);
    for (size_t o = 0; o < outputs; o++) {
        double sum = 0;

        for (size_t k = 0; k < 3; k++)
            sum += (double)tiny_little(p->numbers[from + o * by_output + k * by_input]) * (double)x[k];
        CHECK_CLOSE(y[o], sum, 1e-5);
    }
    test_note("%s", "");
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

/* ---- weights ---- */

TEST(description_finds_weights)
{
    pool p;

    pool_start(&p);
    add(&p, "weight", 10, 2, 3, 0);
    add(&p, "a.b.weight", 20, 2, 3, 0);
    add(&p, "1.weight", 30, 2, 3, 0);
    add(&p, "x.y.weight", 40, 2, 3, 0);
    add(&p, "anything at all", 50, 2, 3, 0);
    add(&p, "conv.like", 60, 2, 1, 3);
    add(&p, "big", 100, 5, 3, 0);
    add(&p, "deep", 200, 4, 2, 3);
    add(&p, "across", 300, 3, 2, 0);
    add(&p, "tall", 400, 3, 9, 0);
    multiplies(&p, THREE("{\"linear\":{\"width\":2}}"), 2, 10, 3, 1);
    multiplies(&p, THREE("{\"linear\":{\"width\":2,\"name\":\"a.b\"}}"), 2, 20, 3, 1);
    multiplies(&p, THREE("{\"sequence\":{\"name\":\"a\",\"of\":[{\"linear\":{\"width\":2,\"name\":\"b\"}}]}}"),
               2, 20, 3, 1);
    multiplies(&p, THREE("{\"linear\":{\"width\":2,\"path\":\"x.y\"}}"), 2, 40, 3, 1);
    multiplies(&p, THREE("{\"linear\":{\"width\":2,\"weights\":{\"weight\":\"anything at all\"}}}"), 2, 50, 3, 1);
    multiplies(&p, THREE("{\"linear\":{\"width\":2,\"weights\":{\"weight\":\"conv.like\"}}}"), 2, 60, 3, 1);
    multiplies(&p, THREE("{\"linear\":{\"width\":2,\"weights\":{\"weight\":{\"tensor\":\"big\",\"rows\":[1,3]}}}}"),
               2, 103, 3, 1);
    multiplies(&p, THREE("{\"linear\":{\"width\":5,\"weights\":{\"weight\":{\"tensor\":\"big\",\"rows\":[0,5]}}}}"),
               5, 100, 3, 1);
    multiplies(&p, THREE("{\"linear\":{\"width\":1,\"weights\":{\"weight\":{\"tensor\":\"big\",\"index\":4}}}}"),
               1, 112, 3, 1);
    multiplies(&p, THREE("{\"linear\":{\"width\":2,\"weights\":{\"weight\":{\"tensor\":\"deep\",\"index\":3}}}}"),
               2, 218, 3, 1);
    multiplies(&p, THREE("{\"linear\":{\"width\":2,\"weights\":{\"weight\":{\"tensor\":\"deep\",\"rows\":[3,4]}}}}"),
               2, 218, 3, 1);
    multiplies(&p, THREE("{\"linear\":{\"width\":2,\"weights\":{\"weight\":{\"tensor\":\"across\",\"transpose\":true}}}}"),
               2, 300, 1, 2);
    multiplies(&p, THREE("{\"linear\":{\"width\":9,\"weights\":{\"weight\":{\"tensor\":\"tall\",\"transpose\":true}}}}"),
               9, 400, 1, 9);
    multiplies(&p, THREE("{\"linear\":{\"width\":2,\"weights\":{\"weight\":{\"tensor\":\"weight\",\"transpose\":false}}}}"),
               2, 10, 3, 1);
    add(&p, "kernel", 500, 2, 3, 1);
    p.tensors[p.count - 1] = (krait_tensor){ .name = "kernel", .data = p.numbers + 500, .bytes = 4 * 18,
                                             .shape = { 6, 1, 3, 1 }, .dimensions = 4, .type = KRAIT_F32 };
    multiplies(&p, THREE("{\"linear\":{\"width\":6,\"weights\":{\"weight\":{\"tensor\":\"kernel\",\"flatten\":true}}}}"),
               6, 500, 3, 1);
    add(&p, "tiles", 600, 3, 2, 2);
    multiplies(&p, THREE("{\"linear\":{\"width\":4,\"weights\":{\"weight\":{\"tensor\":\"tiles\",\"flatten\":true,"
                         "\"transpose\":true}}}}"), 4, 600, 1, 4);
    add(&p, "more", 700, 4, 3, 1);
    multiplies(&p, THREE("{\"linear\":{\"width\":2,\"weights\":{\"weight\":{\"tensor\":\"more\",\"rows\":[1,3],"
                         "\"flatten\":true}}}}"), 2, 703, 3, 1);
}

/* A matrix of four dimensions, two of which are not 1. */
TEST(description_flattens)
{
    static const char wide[] = TREE("{\"features\":6}", "{\"linear\":{\"width\":2,\"weights\":{\"weight\":%s}}}");
    static const float x[6] = { 1, 2, -4, 3, 0.5f, -1 };
    char         text[256];
    krait_model *model;
    krait_state *state;
    pool         p;
    float        y[2];

    pool_start(&p);
    p.tensors[p.count++] = (krait_tensor){ .name = "w", .data = p.numbers, .bytes = 48, .shape = { 2, 1, 3, 2 },
                                           .dimensions = 4, .type = KRAIT_F32 };
    snprintf(text, sizeof text, wide, "\"w\"");
    refused(&p, text, KRAIT_ERR_SHAPE, "2 x 6 is wanted");
    snprintf(text, sizeof text, wide, "{\"tensor\":\"w\",\"flatten\":false}");
    refused(&p, text, KRAIT_ERR_SHAPE, "2 x 6 is wanted");
    snprintf(text, sizeof text, wide, "{\"tensor\":\"w\",\"flatten\":1}");
    refused(&p, text, KRAIT_ERR_SHAPE, "true or false");
    snprintf(text, sizeof text, wide, "{\"tensor\":\"w\",\"flatten\":true}");
    model = made(&p, text);
    CHECK_OR_RETURN(model != NULL);
    state = tiny_state(model, 1, 1);
    CHECK_STATUS(krait_step(model, state, x, y), KRAIT_OK);
    for (int o = 0; o < 2; o++) {
        double sum = 0;

        for (int k = 0; k < 6; k++)
            sum += (double)tiny_little(p.numbers[6 * o + k]) * (double)x[k];
        CHECK_CLOSE(y[o], sum, 1e-5);
    }
    krait_state_destroy(state, NULL);
    krait_model_close(model);
}

/* A tensor of any name may hold log(-A), whole or in part; but not beside one that holds A. */
TEST(description_names_logarithms)
{
#define SCAN(weights) TREE("{\"features\":8}", "{\"selective_scan\":{\"inner\":2,\"states\":1," \
                           "\"weights\":{\"D\":\"d\"," weights "}}}")
    static const char *const same[] = {
        SCAN("\"A\":\"x.A\""), SCAN("\"A_log\":\"x.A_log\""), SCAN("\"A_log\":\"other\""),
        SCAN("\"A_log\":{\"tensor\":\"stacked\",\"index\":1}")
    };
    static const float x[8] = { 1, 2, 0.5f, -1, 3, 2, 1, 1 };
    float first[4], y[4];
    pool  p;

    pool_start(&p);
    add(&p, "d", 0, 2, 0, 0);
    add(&p, "x.A_log", 10, 2, 1, 0);
    add(&p, "other", 10, 2, 1, 0);
    add(&p, "stacked", 8, 2, 2, 1);
    for (int i = 0; i < 4; i++) {
        krait_model *model = made(&p, same[i]);
        krait_state *state;

        CHECK_OR_RETURN(model != NULL);
        state = tiny_state(model, 1, 1);
        for (int step = 0; step < 2; step++)
            CHECK_STATUS(krait_step(model, state, x, (i ? y : first) + 2 * step), KRAIT_OK);
        test_note("%s", same[i]);
        if (i)
            CHECK_BYTES(y, first, sizeof first);
        test_note("%s", "");
        krait_state_destroy(state, NULL);
        krait_model_close(model);
    }
    refused(&p, SCAN("\"A\":\"x.A\",\"A_log\":\"other\""), KRAIT_ERR_FORMAT, "logarithm");
    refused(&p, SCAN("\"A_log\":\"lost\""), KRAIT_ERR_SHAPE, "no tensor lost");
    refused(&p, SCAN("\"D_log\":\"other\""), KRAIT_ERR_FORMAT, "D_log");
#undef SCAN
}

/* rows and index of weights that are no matrices: a bias out of a longer vector. */
TEST(description_takes_parts_of_vectors)
{
    static const float zero[3] = { 0, 0, 0 };
    krait_model *model;
    krait_state *state;
    pool         p;
    float        y[2];

    pool_start(&p);
    add(&p, "weight", 0, 2, 3, 0);
    add(&p, "biases", 100, 7, 0, 0);
    add(&p, "rows of biases", 200, 3, 2, 0);
    for (int i = 0; i < 2; i++) {
        model = made(&p, i ? THREE("{\"linear\":{\"width\":2,\"weights\":{\"bias\":{\"tensor\":\"rows of biases\",\"index\":2}}}}")
                           : THREE("{\"linear\":{\"width\":2,\"weights\":{\"bias\":{\"tensor\":\"biases\",\"rows\":[3,5]}}}}"));
        if (!model)
            continue;
        state = tiny_state(model, 1, 1);
        CHECK_STATUS(krait_step(model, state, zero, y), KRAIT_OK);
        for (size_t k = 0; k < 2; k++)
            CHECK(y[k] == tiny_little(p.numbers[(i ? 204 : 103) + k]));
        krait_state_destroy(state, NULL);
        krait_model_close(model);
    }
}

TEST(description_refuses_parts)
{
    static const struct { const char *view, *word; } views[] = {
        { "{\"tensor\":\"big\",\"rows\":[4,6]}", "outside" },
        { "{\"tensor\":\"big\",\"rows\":[3,3]}", "outside" },
        { "{\"tensor\":\"big\",\"rows\":[3,1]}", "outside" },
        { "{\"tensor\":\"big\",\"rows\":[5,7]}", "outside" },
        { "{\"tensor\":\"big\",\"rows\":[9223372036854775806,9223372036854775807]}", "outside" },
        { "{\"tensor\":\"big\",\"rows\":[-2,0]}", "wanted" },
        { "{\"tensor\":\"big\",\"rows\":[0,-1]}", "outside" },
        { "{\"tensor\":\"big\",\"rows\":[0]}", "wanted" },
        { "{\"tensor\":\"big\",\"rows\":[0,1,2]}", "wanted" },
        { "{\"tensor\":\"big\",\"rows\":[0.5,2.5]}", "wanted" },
        { "{\"tensor\":\"big\",\"rows\":[0,\"2\"]}", "wanted" },
        { "{\"tensor\":\"big\",\"rows\":[]}", "wanted" },
        { "{\"tensor\":\"big\",\"rows\":2}", "wanted" },
        { "{\"tensor\":\"big\",\"rows\":null}", "wanted" },
        { "{\"tensor\":\"big\",\"rows\":{\"a\":1,\"b\":3}}", "wanted" },
        { "{\"tensor\":\"deep\",\"index\":4}", "outside" },
        { "{\"tensor\":\"deep\",\"index\":-1}", "wanted" },
        { "{\"tensor\":\"deep\",\"index\":1e300}", "wanted" },
        { "{\"tensor\":\"deep\",\"index\":\"1\"}", "wanted" },
        { "{\"tensor\":\"deep\",\"index\":9223372036854775807}", "outside" },
        { "{\"tensor\":\"big\",\"rows\":[0,2],\"index\":0}", "wanted" },
        { "{\"tensor\":\"big\",\"columns\":[0,2]}", "all that is known" },
        { "{\"tensor\":\"big\",\"rows\":[0,2],\"step\":2}", "all that is known" },
        { "{\"tensor\":\"square\",\"transpose\":1}", "true or false" },
        { "{\"tensor\":\"square\",\"transpose\":\"true\"}", "true or false" },
        { "{\"tensor\":\"square\",\"transpose\":null}", "true or false" },
        { "{\"tensor\":\"big\"}", "5 x 3" },
        { "{\"tensor\":\"nowhere\"}", "nowhere" },
        { "{\"rows\":[0,2]}", "name" },
        { "{\"tensor\":5,\"rows\":[0,2]}", "name" },
        { "{}", "name" }, { "5", "name" }, { "null", "name" }, { "[\"big\"]", "name" },
        { "\"scalar\"", "scalar" }, { "{\"tensor\":\"scalar\",\"index\":0}", "outside" },
        { "\"empty\"", "empty" }, { "{\"tensor\":\"empty\",\"rows\":[0,1]}", "outside" },
    };
    pool p;

    pool_start(&p);
    add(&p, "big", 0, 5, 3, 0);
    add(&p, "deep", 0, 4, 3, 3);
    add(&p, "square", 0, 3, 3, 0);
    add(&p, "scalar", 0, 1, 0, 0);
    p.tensors[p.count - 1].dimensions = 0;
    add(&p, "empty", 0, 0, 0, 0);
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        char         text[512];
        krait_status status = strcmp(views[i].word, "name") == 0 ? KRAIT_ERR_FORMAT : KRAIT_ERR_SHAPE;

        snprintf(text, sizeof text, THREE("{\"linear\":{\"width\":3,\"weights\":{\"weight\":%s}}}"), views[i].view);
        refused(&p, text, status, views[i].word);
    }
}

TEST(description_holds_shared_tensors_once)
{
    static const char two[] = THREE("{\"sequence\":[{\"linear\":{\"width\":3,\"path\":\"a\"}},"
                                    "{\"linear\":{\"width\":3,\"path\":\"b\"}}]}");
    static const char one[] = THREE("{\"sequence\":[{\"linear\":{\"width\":3,\"path\":\"a\"}},"
                                    "{\"linear\":{\"width\":3,\"path\":\"a\"}}]}");
    static const char part[] = THREE("{\"sequence\":[{\"linear\":{\"width\":3,\"path\":\"a\"}},"
                                     "{\"linear\":{\"width\":3,\"weights\":{\"weight\":"
                                     "{\"tensor\":\"a.weight\",\"transpose\":true}}}}]}");
    const char *const descriptions[] = { two, one, part };
    int64_t bytes[3], parameters[3];
    pool    p;

    pool_start(&p);
    add(&p, "a.weight", 0, 3, 3, 0);
    add(&p, "b.weight", 50, 3, 3, 0);
    for (int i = 0; i < 3; i++) {
        krait_model *model = made(&p, descriptions[i]);

        CHECK_OR_RETURN(model != NULL);
        CHECK_STATUS(krait_model_get(model, KRAIT_WEIGHT_BYTES, &bytes[i]), KRAIT_OK);
        CHECK_STATUS(krait_model_get(model, KRAIT_PARAMETERS, &parameters[i]), KRAIT_OK);
        krait_model_close(model);
    }
    CHECK_INT(2 * bytes[1], bytes[0]);
    CHECK_INT(parameters[0], 18);
    CHECK_INT(parameters[1], 9);
    CHECK_INT(bytes[2], bytes[0]);              /* another arrangement, held on its own */
}

/* Two tensors over the same bytes, one of them in panels, are not the same weight. */
TEST(description_tells_panels_from_rows)
{
    pool p;

    pool_start(&p);
    add(&p, "rows.weight", 0, 16, 3, 0);
    add(&p, "panels.weight", 0, 16, 3, 0);
    p.tensors[1].type = 1000000 + KRAIT_F32;
    multiplies(&p, THREE("{\"linear\":{\"width\":16,\"path\":\"rows\"}}"), 16, 0, 3, 1);
    multiplies(&p, THREE("{\"linear\":{\"width\":16,\"path\":\"panels\"}}"), 16, 0, 1, 16);
    add(&p, "id", 100, 16, 16, 0);
    memset(p.numbers + 100, 0, 1024);
    for (size_t i = 0; i < 16; i++)
        p.numbers[100 + 17 * i] = tiny_little(1);
    /* The second one is looked at: in the first's place 16 x 3 would do as well. */
    {
        static const char both[] = THREE("{\"sequence\":[{\"residual\":{\"sequence\":["
                                         "{\"linear\":{\"width\":16,\"path\":\"rows\"}},"
                                         "{\"linear\":{\"width\":3,\"weights\":{\"weight\":\"zero\"}}}]}},"
                                         "{\"linear\":{\"width\":16,\"path\":\"panels\"}}]}");

        add(&p, "zero", 1000, 3, 16, 0);
        memset(p.numbers + 1000, 0, 192);
        multiplies(&p, both, 16, 0, 1, 16);
    }
}

/* ---- repeats ---- */

TEST(description_repeats)
{
    static const char nested[] = THREE(
        "{\"repeat\":{\"name\":\"outer\",\"n\":2,\"index\":\"a\",\"of\":{\"repeat\":{\"n\":3,\"index\":\"b\","
        "\"of\":{\"linear\":{\"width\":3,\"weights\":{\"weight\":\"{b} of {a}, {c} {\"}}}}}}}");
    static const char counted[] = THREE("{\"repeat\":{\"name\":\"of\",\"n\":3,\"of\":{\"linear\":{\"width\":3}}}}");
    static const char shadowed[] = THREE(
        "{\"repeat\":{\"n\":2,\"of\":{\"repeat\":{\"n\":2,\"of\":{\"linear\":{\"width\":3,\"path\":\"p{i}\"}}}}}}");
    static const char *const names[] = { "0 of 0, {c} {", "1 of 0, {c} {", "2 of 0, {c} {",
                                         "0 of 1, {c} {", "1 of 1, {c} {", "2 of 1, {c} {" };
    static const char *const plain[] = { "of.0.weight", "of.1.weight", "of.2.weight" };
    static const float x[3] = { 1, 2, -4 };
    pool p;

    pool_start(&p);
    for (size_t i = 0; i < 6; i++)
        add(&p, names[i], 100 * i, 3, 3, 0);
    for (size_t i = 0; i < 3; i++)
        add(&p, plain[i], 100 * i, 3, 3, 0);
    add(&p, "p0.weight", 0, 3, 3, 0);
    add(&p, "p1.weight", 100, 3, 3, 0);
    for (int i = 0; i < 3; i++) {
        const char  *description = i == 0 ? nested : i == 1 ? counted : shadowed;
        size_t       n = i == 0 ? 6 : i == 1 ? 3 : 4;
        krait_model *model = made(&p, description);
        krait_state *state;
        double       v[3] = { 1, 2, -4 };
        float        y[3];

        CHECK_OR_RETURN(model != NULL);
        state = tiny_state(model, 1, 1);
        CHECK_STATUS(krait_step(model, state, x, y), KRAIT_OK);
        for (size_t layer = 0; layer < n; layer++) {
            const float *w = p.numbers + 100 * (i == 2 ? layer % 2 : layer);
            double       next[3];

            for (size_t o = 0; o < 3; o++)
                for (size_t k = 0, first = 3 * o; k < 3; k++)
                    next[o] = (k ? next[o] : 0) + (double)tiny_little(w[first + k]) * v[k];
            memcpy(v, next, sizeof v);
        }
        for (size_t o = 0; o < 3; o++)
            CHECK_CLOSE(y[o], v[o], 1e-4);
        krait_state_destroy(state, NULL);
        krait_model_close(model);
    }
}

TEST(description_bounds_its_layers)
{
    static const char relu[] = "{\"activation\":{\"kind\":\"relu\"}}";
    pool         p;
    krait_model *model;
    char         text[1024];

    pool_start(&p);
    snprintf(text, sizeof text, THREE("{\"repeat\":{\"n\":65535,\"of\":%s}}"), relu);
    model = made(&p, text);
    krait_model_close(model);
    snprintf(text, sizeof text, THREE("{\"repeat\":{\"n\":65536,\"of\":%s}}"), relu);
    refused(&p, text, KRAIT_ERR_UNSUPPORTED, "65536 layers");
    snprintf(text, sizeof text, THREE("{\"repeat\":{\"n\":65537,\"of\":%s}}"), relu);
    refused(&p, text, KRAIT_ERR_FORMAT, "'n'");
    snprintf(text, sizeof text, THREE("{\"repeat\":{\"n\":60000,\"of\":{\"repeat\":{\"n\":60000,\"of\":%s}}}}"), relu);
    refused(&p, text, KRAIT_ERR_UNSUPPORTED, "65536 layers");
    snprintf(text, sizeof text, THREE("{\"repeat\":{\"n\":65535,\"of\":{\"linear\":{\"width\":4194304}}}}"));
    refused(&p, text, KRAIT_ERR_SHAPE, "weight");
}

/* Names that grow with the depth, in a repeat of many: refused before they fill the memory. */
TEST(description_bounds_its_names)
{
    size_t long_name = 100000;
    char  *text = malloc(long_name + 1000), *at = text;
    pool   p;

    pool_start(&p);
    at += sprintf(at, "%s", "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":3},\"tree\":"
                            "{\"repeat\":{\"n\":60000,\"name\":\"");
    memset(at, 'x', long_name);
    strcpy(at + long_name, "\",\"of\":{\"activation\":{\"kind\":\"relu\"}}}}}");
    refused(&p, text, KRAIT_ERR_FORMAT, "name");
    free(text);
}

TEST(description_bounds_its_depth)
{
    pool   p;
    char   text[4096];

    pool_start(&p);
    for (int depth = 1; depth < 100; depth++) {
        char *at = text + sprintf(text, "%s", "{\"model_type\":\"krait\",\"version\":1,"
                                              "\"input\":{\"features\":3},\"tree\":");

        for (int i = 0; i < depth; i++)
            at += sprintf(at, "%s", i % 2 ? "{\"sequence\":[" : "{\"residual\":");
        at += sprintf(at, "%s", "{\"activation\":{\"kind\":\"relu\"}}");
        for (int i = depth; i-- > 0;)
            at += sprintf(at, "%s", i % 2 ? "]}" : "}");
        sprintf(at, "}");
        if (1 + depth + depth / 2 + 2 <= 64) {
            krait_model *model = made(&p, text);

            CHECK(model != NULL);
            krait_model_close(model);
        } else {
            refused(&p, text, KRAIT_ERR_FORMAT, "");
        }
    }
}

/* ---- what is not known is not passed over ---- */

TEST(description_refuses)
{
    static const struct { const char *text; krait_status status; const char *word; } cases[] = {
        { "", KRAIT_ERR_FORMAT, "description" },
        { "nonsense", KRAIT_ERR_FORMAT, "description" },
        { "[]", KRAIT_ERR_FORMAT, "model_type" },
        { "{}", KRAIT_ERR_FORMAT, "model_type" },
        { "{\"model_type\":5}", KRAIT_ERR_FORMAT, "model_type" },
        { "{\"model_type\":\"unheard-of\"}", KRAIT_ERR_UNSUPPORTED, "unheard-of" },
        { "{\"model_type\":\"krait\"}", KRAIT_ERR_UNSUPPORTED, "version" },
        { "{\"model_type\":\"krait\",\"version\":2}", KRAIT_ERR_UNSUPPORTED, "version" },
        { "{\"model_type\":\"krait\",\"version\":\"1\"}", KRAIT_ERR_UNSUPPORTED, "version" },
        { "{\"model_type\":\"krait\",\"version\":1}", KRAIT_ERR_FORMAT, "input" },
        { "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":3}}", KRAIT_ERR_FORMAT, "layer" },
        { TREE("{\"features\":0}", "{\"activation\":{\"kind\":\"relu\"}}"), KRAIT_ERR_FORMAT, "input" },
        { TREE("{\"features\":-1}", "{\"activation\":{\"kind\":\"relu\"}}"), KRAIT_ERR_FORMAT, "input" },
        { TREE("{\"features\":1.5}", "{\"activation\":{\"kind\":\"relu\"}}"), KRAIT_ERR_FORMAT, "input" },
        { TREE("{\"features\":4194305}", "{\"activation\":{\"kind\":\"relu\"}}"), KRAIT_ERR_FORMAT, "input" },
        { TREE("{\"features\":\"3\"}", "{\"activation\":{\"kind\":\"relu\"}}"), KRAIT_ERR_FORMAT, "input" },
        { TREE("{\"features\":3,\"tokens\":3}", "{\"activation\":{\"kind\":\"relu\"}}"), KRAIT_ERR_FORMAT, "input" },
        { TREE("{\"features\":3,\"else\":3}", "{\"activation\":{\"kind\":\"relu\"}}"), KRAIT_ERR_FORMAT, "input" },
        { TREE("3", "{\"activation\":{\"kind\":\"relu\"}}"), KRAIT_ERR_FORMAT, "input" },
        { TREE("{\"features\":3}", "{\"activation\":{\"kind\":\"relu\"}},\"more\":1"), KRAIT_ERR_FORMAT, "more" },
        { TREE("{\"features\":3}", "{\"activation\":{\"kind\":\"relu\"}},\"end_token\":0"), KRAIT_ERR_FORMAT, "end_token" },
        { TREE("{\"features\":3}", "{\"activation\":{\"kind\":\"relu\"}},\"vocabulary\":\"bytes\""), KRAIT_ERR_FORMAT, "vocabulary" },
        { TREE("{\"tokens\":255}", "{\"embed\":{\"width\":1}},\"vocabulary\":\"bytes\""), KRAIT_ERR_FORMAT, "vocabulary" },
        { TREE("{\"tokens\":256}", "{\"embed\":{\"width\":1}},\"vocabulary\":\"words\""), KRAIT_ERR_FORMAT, "vocabulary" },
        { TREE("{\"tokens\":5}", "{\"embed\":{\"width\":1}},\"end_token\":5"), KRAIT_ERR_FORMAT, "end_token" },
        { TREE("{\"tokens\":5}", "{\"embed\":{\"width\":1}},\"end_token\":-1"), KRAIT_ERR_FORMAT, "end_token" },
        { TREE("{\"tokens\":5}", "{\"activation\":{\"kind\":\"relu\"}}"), KRAIT_ERR_SHAPE, "embed" },
        { TREE("{\"tokens\":5}", "{\"sequence\":[{\"rms_norm\":{}}]}"), KRAIT_ERR_SHAPE, "embed" },
        { THREE("{\"embed\":{\"width\":3}}"), KRAIT_ERR_SHAPE, "features" },
        { THREE("{\"linaer\":{\"width\":3}}"), KRAIT_ERR_FORMAT, "linaer" },
        { THREE("{\"\":{}}"), KRAIT_ERR_FORMAT, "unknown layer" },
        { THREE("{}"), KRAIT_ERR_FORMAT, "one key" },
        { THREE("[]"), KRAIT_ERR_FORMAT, "one key" },
        { THREE("null"), KRAIT_ERR_FORMAT, "one key" },
        { THREE("\"linear\""), KRAIT_ERR_FORMAT, "one key" },
        { THREE("{\"linear\":{\"width\":3},\"rms_norm\":{}}"), KRAIT_ERR_FORMAT, "one key" },
        { THREE("{\"linear\":3}"), KRAIT_ERR_FORMAT, "object" },
        { THREE("{\"linear\":[]}"), KRAIT_ERR_FORMAT, "object" },
        { THREE("{\"linear\":{}}"), KRAIT_ERR_FORMAT, "width" },
        { THREE("{\"linear\":{\"width\":0}}"), KRAIT_ERR_FORMAT, "width" },
        { THREE("{\"linear\":{\"width\":4194305}}"), KRAIT_ERR_FORMAT, "width" },
        { THREE("{\"linear\":{\"width\":18446744073709551616}}"), KRAIT_ERR_FORMAT, "width" },
        { THREE("{\"linear\":{\"width\":2.5}}"), KRAIT_ERR_FORMAT, "width" },
        { THREE("{\"linear\":{\"width\":\"3\"}}"), KRAIT_ERR_FORMAT, "width" },
        { THREE("{\"linear\":{\"width\":NaN}}"), KRAIT_ERR_FORMAT, "width" },
        { THREE("{\"linear\":{\"width\":3,\"witdh\":3}}"), KRAIT_ERR_FORMAT, "witdh" },
        { THREE("{\"linear\":{\"width\":3,\"bias\":true}}"), KRAIT_ERR_FORMAT, "bias" },
        { THREE("{\"linear\":{\"width\":3,\"path\":3}}"), KRAIT_ERR_FORMAT, "path" },
        { THREE("{\"linear\":{\"width\":3,\"name\":3}}"), KRAIT_ERR_FORMAT, "name" },
        { THREE("{\"linear\":{\"width\":3,\"weights\":\"x\"}}"), KRAIT_ERR_FORMAT, "weights" },
        { THREE("{\"linear\":{\"width\":3,\"weights\":{\"wieght\":\"x\"}}}"), KRAIT_ERR_FORMAT, "wieght" },
        { THREE("{\"linear\":{\"width\":3,\"weights\":{\"weight\":\"x\"}}}"), KRAIT_ERR_SHAPE, "x" },
        { THREE("{\"rms_norm\":{\"eps\":-1}}"), KRAIT_ERR_FORMAT, "eps" },
        { THREE("{\"rms_norm\":{\"eps\":Infinity}}"), KRAIT_ERR_FORMAT, "eps" },
        { THREE("{\"activation\":{}}"), KRAIT_ERR_FORMAT, "kind" },
        { THREE("{\"activation\":{\"kind\":\"swish\"}}"), KRAIT_ERR_FORMAT, "kind" },
        { THREE("{\"activation\":{\"kind\":0}}"), KRAIT_ERR_FORMAT, "kind" },
        { THREE("{\"activation\":{\"kind\":\"relu\",\"of\":1}}"), KRAIT_ERR_FORMAT, "of" },
        { THREE("{\"layer_norm\":{\"eps\":-1}}"), KRAIT_ERR_FORMAT, "eps" },
        { THREE("{\"scale\":{}}"), KRAIT_ERR_SHAPE, "weight" },
        { THREE("{\"glu\":{}}"), KRAIT_ERR_SHAPE, "odd" },
        { THREE("{\"glu\":{\"kind\":\"softplus\"}}"), KRAIT_ERR_FORMAT, "kind" },
        { THREE("{\"glu\":{\"gate\":\"third\"}}"), KRAIT_ERR_FORMAT, "gate" },
        { THREE("{\"sequence\":[]}"), KRAIT_ERR_FORMAT, "at least one" },
        { THREE("{\"sequence\":{}}"), KRAIT_ERR_FORMAT, "list" },
        { THREE("{\"sequence\":5}"), KRAIT_ERR_FORMAT, "list" },
        { THREE("{\"sequence\":{\"of\":[{\"rms_norm\":{}}],\"n\":1}}"), KRAIT_ERR_FORMAT, "'n'" },
        { THREE("{\"residual\":[]}"), KRAIT_ERR_FORMAT, "one key" },
        { THREE("{\"residual\":{\"linear\":{\"width\":2,\"name\":\"two\"}}}"), KRAIT_ERR_SHAPE, "residual" },
        { THREE("{\"repeat\":{\"of\":{\"rms_norm\":{}}}}"), KRAIT_ERR_FORMAT, "'n'" },
        { THREE("{\"repeat\":{\"n\":0,\"of\":{\"rms_norm\":{}}}}"), KRAIT_ERR_FORMAT, "'n'" },
        { THREE("{\"repeat\":{\"n\":-1,\"of\":{\"rms_norm\":{}}}}"), KRAIT_ERR_FORMAT, "'n'" },
        { THREE("{\"repeat\":{\"n\":1.5,\"of\":{\"rms_norm\":{}}}}"), KRAIT_ERR_FORMAT, "'n'" },
        { THREE("{\"repeat\":{\"n\":4294967297,\"of\":{\"rms_norm\":{}}}}"), KRAIT_ERR_FORMAT, "'n'" },
        { THREE("{\"repeat\":{\"n\":2}}"), KRAIT_ERR_FORMAT, "one key" },
        { THREE("{\"repeat\":{\"n\":2,\"index\":\"\",\"of\":{\"rms_norm\":{}}}}"), KRAIT_ERR_FORMAT, "index" },
        { THREE("{\"repeat\":{\"n\":2,\"index\":5,\"of\":{\"rms_norm\":{}}}}"), KRAIT_ERR_FORMAT, "index" },
        { THREE("{\"repeat\":[1]}"), KRAIT_ERR_FORMAT, "'n'" },
        { THREE("{\"conv\":{\"taps\":4097}}"), KRAIT_ERR_FORMAT, "taps" },
        { THREE("{\"mamba1\":{\"inner\":4,\"rank\":1,\"states\":65537}}"), KRAIT_ERR_FORMAT, "states" },
        { THREE("{\"mamba1\":{\"inner\":4194304,\"rank\":4194304,\"states\":65536}}"), KRAIT_ERR_SHAPE, "in_proj" },
    };
    pool p;

    pool_start(&p);
    add(&p, "weight", 0, 5, 1, 0);              /* of the embeds */
    add(&p, "two.weight", 0, 2, 3, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&p, cases[i].text, cases[i].status, cases[i].word);
}

/* Control characters of a file do not reach the terminal through a message. */
TEST(description_messages_are_printable)
{
    static const char *const texts[] = {
        THREE("{\"lin\\u001b[31m\\u0007ear\":{}}"),
        THREE("{\"linear\":{\"width\":3,\"a\\nb\\u007f\":1}}"),
        THREE("{\"linear\":{\"width\":3,\"weights\":{\"weight\":\"\\u001b]0;title\\u0007\"}}}"),
        "{\"model_type\":\"\\u001b[2J\"}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        krait_message message;
        krait_model  *model;

        CHECK(krait_model_create(&model, texts[i], NULL, 0, NULL, &message) != KRAIT_OK);
        CHECK(message.text[0]);
        for (const char *at = message.text; *at; at++)
            CHECK((unsigned char)*at >= 0x20 && *at != 0x7f);
    }
}

/* An optional weight may be absent, but not one that the description names. */
TEST(description_wants_named_weights)
{
    static const float  ones[4] = { 1, 1, 1, 1 };
    const krait_tensor  weight = { "weight", ones, sizeof ones, { 2, 2, 0, 0 }, 2, KRAIT_F32 };
    static const char   unnamed[] = TREE("{\"features\":2}", "{\"linear\":{\"width\":2}}");
    static const char   named[] = TREE("{\"features\":2}",
                                       "{\"linear\":{\"width\":2,\"weights\":{\"bias\":\"lost\"}}}");
    krait_model  *model;
    krait_message why;

    CHECK_STATUS(krait_model_create(&model, unnamed, &weight, 1, NULL, &why), KRAIT_OK);
    krait_model_close(model);
    CHECK_STATUS(krait_model_create(&model, named, &weight, 1, NULL, &why), KRAIT_ERR_SHAPE);
    CHECK(strstr(why.text, "lost") != NULL);
}
