/* test_fast.c - KRAIT_OPEN_FAST: products within their stated error, whatever the rows, for 16-bit weights alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "support/random.h"
#include "test.h"

enum { GUARD = 16, MOST_OUTPUTS = 144, MOST_INPUTS = 300, MOST_ROWS = 13 };

typedef struct fast_case {
    kr_matrix w;
    void     *room;
    float     weights[MOST_OUTPUTS * MOST_INPUTS], x[MOST_ROWS * MOST_INPUTS], bias[MOST_OUTPUTS];
} fast_case;

static fast_case *fast_case_of(int32_t type, size_t outputs, size_t inputs)
{
    kr_random      random = kr_random_from(51 + (uint64_t)type + outputs + inputs);
    fast_case     *c = malloc(sizeof *c);
    unsigned char *rows = malloc(2 * outputs * inputs), *panels;

    c->room = malloc(2 * kr_pad16(outputs) * inputs + 64);
    panels = (unsigned char *)c->room + (64 - (uintptr_t)c->room % 64) % 64;
    c->w = (kr_matrix){ panels, outputs, inputs, type };
    for (size_t i = 0; i < outputs * inputs; i++) {
        float    x = kr_random_unit(&random);
        uint16_t bits = type == KRAIT_F16 ? kr_half_of_float(x) : kr_bfloat_of_float(x);

        kr_store_u16(rows + 2 * i, bits);
        c->weights[i] = type == KRAIT_F16 ? kr_float_of_half(bits) : kr_float_of_bfloat(bits);
    }
    for (size_t i = 0; i < MOST_ROWS * inputs; i++)
        c->x[i] = kr_random_unit(&random);
    for (size_t o = 0; o < outputs; o++)
        c->bias[o] = kr_random_unit(&random);
    kr_pack_rows(&c->w, panels, rows, 0, outputs);
    free(rows);
    return c;
}

static void fast_case_end(fast_case *c)
{
    free(c->room);
    free(c);
}

/* 2^-8 of each activation is lost, and of each F16 weight as much again; sums in float lose less. */
static void check_close(int32_t type, size_t outputs, size_t inputs, size_t rows)
{
    fast_case *c = fast_case_of(type, outputs, inputs);
    float      y[GUARD + MOST_ROWS * (MOST_OUTPUTS + 3) + GUARD];
    kr_product p = { &c->w, rows % 2 ? c->bias : NULL, c->x, inputs, NULL, y + GUARD, outputs + 3, rows };

    for (size_t i = 0; i < sizeof y / sizeof *y; i++)
        y[i] = 12345.0f;
    kr_kernels_product(kr_kernels_fast(), &p);
    test_note("type %d, %zu x %zu, %zu rows", (int)type, outputs, inputs, rows);
    for (size_t r = 0; r < rows; r++)
        for (size_t o = 0; o < outputs; o++) {
            double sum = p.bias ? p.bias[o] : 0, size = 0;

            for (size_t k = 0; k < inputs; k++) {
                sum += (double)c->weights[o * inputs + k] * c->x[r * inputs + k];
                size += fabs((double)c->weights[o * inputs + k] * c->x[r * inputs + k]);
            }
            CHECK_CLOSE((double)p.y[r * p.y_stride + o], sum, size * (type == KRAIT_F16 ? 0x1p-7 : 0x1p-8) + 1e-6);
        }
    for (size_t i = 0; i < sizeof y / sizeof *y; i++)
        if (i < GUARD || i >= GUARD + rows * p.y_stride || (i - GUARD) % p.y_stride >= outputs)
            CHECK(y[i] == 12345.0f);
    test_note("%s", "");
    fast_case_end(c);
}

TEST(fast_products_are_close)
{
    static const size_t outputs[] = { 1, 16, 17, 64, 100, 144 }, inputs[] = { 1, 2, 7, 63, 64, 65, 200, 300 };

    for (size_t o = 0; o < sizeof outputs / sizeof *outputs; o++)
        for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
            for (size_t rows = 1; rows <= MOST_ROWS; rows += 3) {
                check_close(KRAIT_F16, outputs[o], inputs[i], rows);
                check_close(KRAIT_BF16, outputs[o], inputs[i], rows);
            }
}

/* A row alone is the row among others. */
TEST(fast_products_do_not_ask_for_rows)
{
    static const int32_t types[] = { KRAIT_F16, KRAIT_BF16 };

    for (size_t t = 0; t < 2; t++) {
        fast_case *c = fast_case_of(types[t], 100, 200);
        float      all[MOST_ROWS * 100], one[100];
        kr_product p = { &c->w, c->bias, c->x, 200, NULL, all, 100, MOST_ROWS };

        kr_kernels_product(kr_kernels_fast(), &p);
        p.y = one;
        p.rows = 1;
        for (size_t r = 0; r < MOST_ROWS; r++, p.x += 200) {
            kr_kernels_product(kr_kernels_fast(), &p);
            CHECK_BYTES(one, all + r * 100, sizeof one);
        }
        fast_case_end(c);
    }
}

/* All other kernels are those of the best table, and so are these where the CPU has no others. */
TEST(fast_is_for_sixteen_bits)
{
    kr_kernels fast = *kr_kernels_fast(), best = *kr_kernels_best();

    if (kr_kernels_fast() == kr_kernels_best())
        SKIP("this CPU has no products of bfloat16");
    CHECK(fast.product_f16 != best.product_f16 && fast.product_bf16 != best.product_bf16);
    CHECK(fast.product_f32 == best.product_f32 && fast.product_blocks == best.product_blocks);
    CHECK(fast.quantize == best.quantize && fast.selective == best.selective && fast.rms_norm == best.rms_norm);
}

/* A model asked for with the flag runs by that table, without it or with PLAIN by none such. */
static const char *kernels_of(int32_t flags, float *y)
{
    static const char    json[] = "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":64},"
                                  "\"tree\":{\"linear\":{\"width\":3,\"weights\":{\"weight\":\"w\"}}}}";
    kr_random            random = kr_random_from(3);
    unsigned char        weights[3 * 64 * 2];
    krait_tensor         tensor = { "w", weights, sizeof weights, { 3, 64, 0, 0 }, 2, KRAIT_BF16 };
    krait_open_options   options = { .size = sizeof options, .flags = flags };
    krait_model         *model = NULL;
    krait_state         *state = NULL;
    krait_message        why;
    float                x[64];
    const char          *name = "";

    for (size_t i = 0; i < 3 * 64; i++)
        kr_store_u16(weights + 2 * i, kr_bfloat_of_float(kr_random_unit(&random)));
    for (size_t i = 0; i < 64; i++)
        x[i] = kr_random_unit(&random);
    CHECK_STATUS(krait_model_create(&model, json, &tensor, 1, &options, &why), KRAIT_OK);
    if (!model)
        return name;
    CHECK_STATUS(krait_state_create(&state, model, NULL, NULL), KRAIT_OK);
    CHECK_STATUS(krait_step(model, state, x, y), KRAIT_OK);
    name = strcmp(krait_model_text(model, "krait.kernels"), kr_kernels_best()->name) == 0 ? "best" : "other";
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    return name;
}

TEST(fast_models)
{
    float fast[3], exact[3], plain[3];
    int   has = kr_kernels_fast() != kr_kernels_best();

    CHECK_STR(kernels_of(0, exact), "best");
    CHECK_STR(kernels_of(KRAIT_OPEN_FAST, fast), has ? "other" : "best");
    kernels_of(KRAIT_OPEN_FAST | KRAIT_OPEN_PLAIN, plain);
    CHECK_BYTES(exact, plain, sizeof exact);
    CHECK((memcmp(exact, fast, sizeof exact) != 0) == has);
    for (size_t i = 0; i < 3; i++)
        CHECK_CLOSE((double)fast[i], (double)exact[i], 64 * 0x1p-8);
}
