/*
 * test_oracle.c - the oracle against sums done by hand and against itself, since all else leans
 * on it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "layers/tree.h"
#include "test.h"

/* The weight of that slot of the layer at 'path', of which there is one. */
static oracle_weight *weight_of(oracle_layer *l, const char *path, const char *slot)
{
    oracle_weight *found = NULL;

    for (size_t i = 0; i < l->n_weights && strcmp(l->path, path) == 0; i++)
        if (strcmp(l->weights[i].slot, slot) == 0)
            return &l->weights[i];
    for (size_t i = 0; i < l->n_children && !found; i++)
        found = weight_of(l->children[i], path, slot);
    return found;
}

static void set(tree *t, const char *path, const char *slot, const float *values)
{
    oracle_weight *w = weight_of(t->root, path, slot);

    if (CHECK(w != NULL))
        memcpy(w->data, values, w->count * sizeof *values);
}

static void made(tree *t, const char *text, size_t features)
{
    test_note("%.180s", text);
    CHECK(tree_make(t, text, 0, features, KRAIT_F32, 5));
}

static oracle_rows run(const tree *t, size_t count, const float *x, const float *dt,
                       const uint8_t *reset)
{
    oracle_stream in = { count, { t->grid[0], t->grid[1] }, .features = x, .dt = dt };

    in.reset = reset;
    return oracle_run(t->root, &in);
}

/* The rows hold these, and no more of them; the tree is freed. */
static void gives(tree *t, size_t count, const float *x, const float *dt, const uint8_t *reset,
                  size_t n, const double *expected)
{
    oracle_rows y = run(t, count, x, dt, reset);

    if (CHECK_U64(y.count * y.width, n))
        for (size_t i = 0; i < n; i++)
            CHECK_CLOSE(y.x[i].v, expected[i], 1e-9);
    oracle_rows_free(&y);
    tree_free(t);
    test_note("%s", "");
}

#define GIVES(t, count, x, dt, reset, ...)                       \
    do {                                                         \
        static const double e[] = { __VA_ARGS__ };               \
        gives(t, count, x, dt, reset, sizeof e / sizeof *e, e);  \
    } while (0)

static const float six[] = { 1, 2, 3, 4, 5, 6 };

/* y[t] = 2 x[t] + 10 x[t - 1] */
static void set_conv(tree *t, const char *path)
{
    set(t, path, "weight", (float[]){ 10, 2 });
}

TEST(oracle_orders_of_rows)
{
    static const uint8_t reset[6] = { 0, 0, 0, 0, 1, 0 };
    tree                 t;

    made(&t, "reverse[conv(taps=2)]", 1);
    set_conv(&t, "");
    GIVES(&t, 4, six, NULL, NULL, 22, 34, 46, 8);
    made(&t, "reverse[conv(taps=2)]", 1);
    set_conv(&t, "");
    GIVES(&t, 6, six, NULL, reset, 22, 34, 46, 8, 70, 12);
    made(&t, "reverse[reverse[conv(taps=2)]]", 1);
    set_conv(&t, "");
    GIVES(&t, 4, six, NULL, NULL, 2, 14, 26, 38);
    made(&t, "permute(order=2:0:1)[conv(taps=2)]", 1);
    set_conv(&t, "");
    GIVES(&t, 3, six, NULL, NULL, 32, 14, 6);
    made(&t, "insert(at=middle rows=2)", 1);
    set(&t, "", "weight", (float[]){ -1, -2 });
    GIVES(&t, 5, six, NULL, NULL, 1, 2, -1, -2, 3, 4, 5);
    made(&t, "sequence[insert(at=first), insert(at=last)]", 1);
    set(&t, "0", "weight", (float[]){ -1 });
    set(&t, "1", "weight", (float[]){ -2 });
    GIVES(&t, 2, six, NULL, NULL, -1, 1, 2, -2);
    made(&t, "position(rows=4)", 2);
    set(&t, "", "weight", (float[]){ 10, 20, 30, 40, 50, 60, 70, 80 });
    GIVES(&t, 3, six, NULL, NULL, 11, 22, 33, 44, 55, 66);
}

TEST(oracle_branches)
{
    tree t;

    made(&t, "branches(merge=append)[identity, reverse[conv(taps=2)]]", 1);
    set_conv(&t, "1");
    GIVES(&t, 2, six, NULL, NULL, 1, 2, 22, 4);
    made(&t, "branches(merge=concatenate)[slice(from=1 width=1), identity]", 2);
    GIVES(&t, 2, six, NULL, NULL, 2, 1, 2, 4, 3, 4);
    made(&t, "branches(merge=mean)[identity, identity, conv(taps=2)]", 1);
    set_conv(&t, "2");
    GIVES(&t, 2, six, NULL, NULL, 4.0 / 3, 6);
    made(&t, "branches(merge=multiply)[identity, identity, conv(taps=2)]", 1);
    set_conv(&t, "2");
    GIVES(&t, 2, six, NULL, NULL, 2, 56);
    made(&t, "branches[identity, conv(taps=2)]", 1);
    set_conv(&t, "1");
    GIVES(&t, 2, six, NULL, NULL, 3, 16);
    made(&t, "sequence[put(as=a), conv(taps=2), branches(merge=concatenate)[identity, get(as=a)]]",
         1);
    set_conv(&t, "1");
    GIVES(&t, 2, six, NULL, NULL, 2, 1, 14, 2);
    made(&t, "sequence[define(as=f)[conv(taps=2)], use(as=f)]", 1);
    set_conv(&t, "0");
    GIVES(&t, 3, six, NULL, NULL, 4, 48, 192);
}

TEST(oracle_pool)
{
    static const float   dt[] = { 0, 1, 3, 0.5f };
    static const uint8_t reset[] = { 0, 0, 1, 0 };
    static const float   x[] = { 3, -1, 2, 4 };
    tree                 t;

    made(&t, "pool(kind=mean)", 1);
    GIVES(&t, 4, x, NULL, NULL, 3, 1, 4.0 / 3, 2);
    made(&t, "pool(kind=mean)", 1);
    GIVES(&t, 4, x, dt, NULL, 3, -1, 1.25, 7 / 4.5);
    made(&t, "pool(kind=mean)", 1);
    GIVES(&t, 4, x, dt, reset, 3, -1, 2, 8 / 3.5);
    made(&t, "pool(kind=max)", 1);
    GIVES(&t, 4, x, NULL, NULL, 3, 3, 3, 4);
    made(&t, "pool(kind=last)", 1);
    GIVES(&t, 4, x, NULL, NULL, 3, -1, 2, 4);
    made(&t, "sequence[reverse[identity], pool(kind=mean)]", 1);
    GIVES(&t, 4, x, dt, reset, -1, 8 / 3.5);
    made(&t, "sequence[insert(at=last), pool(kind=token index=2)]", 1);
    GIVES(&t, 4, x, NULL, NULL, 2);
    made(&t, "reverse[pool(kind=last)]", 1);
    GIVES(&t, 4, x, NULL, NULL, 3);
}

TEST(oracle_grids)
{
    static const float x[] = { 1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60 };
    tree               t;

    made(&t, "2x3 over(axis=rows)[conv(taps=2)]", 1);
    set_conv(&t, "");
    GIVES(&t, 2, x, NULL, NULL, 2, 14, 26, 8, 50, 62, 20, 140, 260, 80, 500, 620);
    made(&t, "2x3 over(axis=columns)[conv(taps=2)]", 1);
    set_conv(&t, "");
    GIVES(&t, 2, x, NULL, NULL, 2, 4, 6, 18, 30, 42, 20, 40, 60, 180, 300, 420);
    made(&t, "2x3 over(axis=grid)[conv(taps=2)]", 1);
    set_conv(&t, "");
    GIVES(&t, 1, x, NULL, NULL, 2, 14, 26, 38, 50, 62);
    made(&t, "2x3 over(axis=steps)[conv(taps=2)]", 1);
    set_conv(&t, "");
    GIVES(&t, 2, x, NULL, NULL, 2, 4, 6, 8, 10, 12, 30, 60, 90, 120, 150, 180);
    made(&t, "2x3 over(axis=columns)[pool(kind=mean)]", 1);
    GIVES(&t, 2, x, NULL, NULL, 2.5, 3.5, 4.5, 25, 35, 45);
    made(&t, "2x3 over(axis=rows)[pool(kind=max)]", 1);
    GIVES(&t, 2, x, NULL, NULL, 3, 6, 30, 60);
    made(&t, "2x3 patch(height=2 width=2 down=1 right=1)", 1);
    GIVES(&t, 1, x, NULL, NULL, 1, 2, 4, 5, 2, 3, 5, 6);
    made(&t, "1x3 patch(height=1 width=2 right=1)", 2);
    GIVES(&t, 1, x, NULL, NULL, 1, 3, 2, 4, 3, 5, 4, 6);
}

/* h = exp(dt A) h + dt u B, y = C h + D u, with dt = softplus(dt + dt_bias). */
TEST(oracle_selective_scan)
{
    static const float x[] = { 2, 0.5f, 3, 5, 1, 1, 2, 7 };     /* u, dt, B, C twice */
    double             h;
    tree               t;

    made(&t, "selective_scan(inner=1 states=1 gate=false softplus=false plain_a)", 4);
    set(&t, "", "A", (float[]){ -0.5f });
    set(&t, "", "D", (float[]){ 10 });
    h = exp(-0.5 * 1) * (0.5 * 2 * 3) + 1 * 1 * 2;
    gives(&t, 2, x, NULL, NULL, 2, (double[]){ 5 * 3 + 20, 7 * h + 10 });
    made(&t, "selective_scan(inner=1 states=1 plain_a dt_bias)", 5);
    set(&t, "", "A", (float[]){ -0.5f });
    set(&t, "", "D", (float[]){ 10 });
    set(&t, "", "dt_bias", (float[]){ 0.25f });
    h = log(1 + exp(0.75)) * 2 * 3;
    gives(&t, 1, x, NULL, NULL, 1, (double[]){ (5 * h + 20) * 1 / (1 + exp(-1)) });
}

/* Backwards in time: the first keeps its interval, the others have the one to the row after. */
TEST(oracle_intervals)
{
    static const float x[] = { 1, 2, 4 }, dt[] = { 0.5f, 3, 1.25f };
    tree               t;

    made(&t, "reverse[pool(kind=mean)]", 1);
    GIVES(&t, 3, x, dt, NULL, (4 * 0.5 + 2 * 1.25 + 1 * 3) / 4.75);
    made(&t, "sequence[reverse[identity], pool(kind=mean)]", 1);
    GIVES(&t, 3, x, dt, NULL, (1 * 0.5 + 2 * 3 + 4 * 1.25) / 4.75);
    made(&t, "sequence[insert(at=first), pool(kind=mean)]", 1);
    set(&t, "0", "weight", (float[]){ 10 });
    GIVES(&t, 3, x, dt, NULL, (10 + 1 * 0.5 + 2 * 3 + 4 * 1.25) / 5.75);
    made(&t, "sequence[branches(merge=append)[pool(kind=last), identity], pool(kind=mean)]", 1);
    GIVES(&t, 3, x, dt, NULL, (4 * 4.75 + 1 * 0.5 + 2 * 3 + 4 * 1.25) / 9.5);
}
