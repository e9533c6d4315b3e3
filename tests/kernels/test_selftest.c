/* test_selftest.c - the self-test passes for every table here, and sees one wrong bit in any kernel. */
#include "kernels/selftest.h"

#include <string.h>

#include "core/bits.h"
#include "test.h"

static const char *const tables[] = { "plain", "avx2", "avx512", "neon", "neon_dot" };

TEST(selftest_passes)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const kr_kernels *k = kr_kernels_named(tables[i]);

        test_note("%s", tables[i]);
        if (k) {
            CHECK_U64(kr_selftest_hash(k), KR_SELFTEST_HASH);
            CHECK(kr_selftest(k));
        }
    }
    CHECK(kr_selftest(kr_kernels_best()));
}

/* The last bit of the first result. */
static void spoil(float *y)
{
    *y = kr_float_of(kr_bits_of(*y) ^ 1);
}

#define WRONG_PRODUCT(type) \
    static void wrong_##type(const kr_product *p) { kr_kernels_plain.product_##type(p); spoil(p->y); }
WRONG_PRODUCT(f32)
WRONG_PRODUCT(f16)
WRONG_PRODUCT(bf16)

/* One type alone is wrong. */
#define KR_PANELS(name, TYPE, ...)                  \
    static void wrong_##name(const kr_product *p)   \
    {                                               \
        kr_kernels_plain.product_blocks(p);         \
        if (p->w->type == TYPE)                     \
            spoil(p->y);                            \
    }
#include "core/panels.def"
#undef KR_PANELS

static void wrong_quantize(kr_q8 *q, const float *x, size_t x_stride, size_t rows, size_t inputs)
{
    kr_kernels_plain.quantize(q, x, x_stride, rows, inputs);
    spoil(&q[0].scale);
}

static void wrong_integers(kr_q8 *q, const float *x, size_t x_stride, size_t rows, size_t inputs)
{
    kr_kernels_plain.quantize(q, x, x_stride, rows, inputs);
    q[0].q[3] ^= 1;
}

static void wrong_first(kr_q8 *q, const float *x, size_t x_stride, size_t rows, size_t inputs)
{
    kr_kernels_plain.quantize(q, x, x_stride, rows, inputs);
    q[0].first ^= 1;
}

static void wrong_conv(const kr_conv *p)
{
    kr_kernels_plain.conv(p);
    spoil(p->y);
}

static void wrong_selective(const kr_selective *p)
{
    kr_kernels_plain.selective(p);
    spoil(p->y);
}

static void wrong_state(const kr_selective *p)
{
    kr_kernels_plain.selective(p);
    spoil(p->h);
}

static void wrong_decay(const kr_selective *p, float *decay, float *end)
{
    kr_kernels_plain.selective_summary(p, decay, end);
    spoil(decay);
}

static void wrong_end(const kr_selective *p, float *decay, float *end)
{
    kr_kernels_plain.selective_summary(p, decay, end);
    spoil(end);
}

static void wrong_combine(float *decay, float *end, const float *before_decay, const float *before_end, size_t count)
{
    kr_kernels_plain.combine(decay, end, before_decay, before_end, count);
    spoil(before_decay ? decay : end);
}

static void wrong_following(float *decay, float *end, const float *before_decay, const float *before_end, size_t count)
{
    kr_kernels_plain.combine(decay, end, before_decay, before_end, count);
    if (!before_decay)
        spoil(decay);
}

static void wrong_diagonal(const kr_diagonal *p)
{
    kr_kernels_plain.diagonal(p);
    spoil(p->y ? p->y : p->h + 1);
}

static void wrong_diagonal_low(const kr_diagonal *p)
{
    kr_kernels_plain.diagonal(p);
    if (p->precise)
        spoil(p->h + 1);
}

static void wrong_diagonal_end(const kr_diagonal *p)
{
    kr_kernels_plain.diagonal(p);
    if (!p->y)
        spoil(p->h + 1);
}

static void wrong_diagonal_combine(float *end, const float *a, const float *before, size_t count)
{
    kr_kernels_plain.diagonal_combine(end, a, before, count);
    spoil(end);
}

static void wrong_turn(const kr_turn *p)
{
    kr_kernels_plain.turn(p);
    spoil(p->out);
}

/* The state alone, and only where low parts count. */
static void wrong_turned(const kr_turn *p)
{
    kr_kernels_plain.turn(p);
    if (p->low)
        spoil(p->x + 1);
}

static void wrong_discretize(const kr_discretize *p)
{
    kr_kernels_plain.discretize(p);
    if (p->rule == KR_BILINEAR)
        spoil(p->to + 3 * 16);
}

static void wrong_impulse(const kr_discretize *p)
{
    kr_kernels_plain.discretize(p);
    if (p->rule == KR_IMPULSE)
        spoil(p->to + 4 * 16);
}

static void wrong_turn_timed(const kr_turn_timed *p)
{
    kr_kernels_plain.turn_timed(p);
    spoil(p->out + p->stride);
}

static void wrong_diagonal_timed(const kr_diagonal_timed *p)
{
    kr_kernels_plain.diagonal_timed(p);
    spoil(p->h + 16);
}

static void wrong_rank(const kr_rank *p)
{
    kr_kernels_plain.rank(p);
    if (p->y)
        spoil(p->y);
}

static void wrong_rank_end(const kr_rank *p)
{
    kr_kernels_plain.rank(p);
    if (!p->y)
        spoil(p->x + 1);
}

/* The state alone, and only where low parts count and sums are many. */
static void wrong_ranks(const kr_rank *p)
{
    kr_kernels_plain.rank(p);
    if (p->precise && p->rank == 3)
        spoil(p->x + 1);
}

static void wrong_pace(const kr_pace *p)
{
    kr_kernels_plain.pace(p);
    if (p->bias)
        spoil(p->dt + 1);
}

static void wrong_paced(const kr_pace *p)
{
    kr_kernels_plain.pace(p);
    spoil(p->decay + 1);
}

static void wrong_heads(const kr_heads *p)
{
    kr_kernels_plain.heads(p);
    spoil(p->y);
}

static void wrong_head_state(const kr_heads *p)
{
    kr_kernels_plain.heads(p);
    spoil(p->h + 1);
}

static void wrong_fade(const kr_fade *p)
{
    kr_kernels_plain.fade(p);
    spoil(p->weights + KR_CHUNK);
}

static void wrong_since(const kr_fade *p)
{
    kr_kernels_plain.fade(p);
    spoil(p->since);
}

static void wrong_left(const kr_fade *p)
{
    kr_kernels_plain.fade(p);
    spoil(p->left + 2);
}

static void wrong_chunk(const kr_chunk *p)
{
    kr_kernels_plain.chunk(p);
    spoil(p->y + p->y_stride);
}

static void wrong_weigh(float *y, size_t y_stride, const float *x, size_t x_stride, const float *w, size_t w_stride,
                        size_t rows, size_t width)
{
    kr_kernels_plain.weigh(y, y_stride, x, x_stride, w, w_stride, rows, width);
    spoil(y + 1);
}

static void wrong_spectrum(const kr_fourier *p)
{
    kr_kernels_plain.fourier(p);
    if (!p->spectrum && !p->pairs)
        spoil(p->work + 1);
}

static void wrong_fourier(const kr_fourier *p)
{
    kr_kernels_plain.fourier(p);
    if (p->spectrum && p->pairs)
        spoil(p->y);
}

static void wrong_liquid(const kr_turn *p, int alone)
{
    kr_kernels_plain.liquid(p, alone);
    if (!alone)
        spoil(p->out);
}

static void wrong_alone(const kr_turn *p, int alone)
{
    kr_kernels_plain.liquid(p, alone);
    if (alone)
        spoil(p->x + 1);
}

static void wrong_rms_norm(float *y, const float *x, const float *w, float eps, size_t rows, size_t width)
{
    kr_kernels_plain.rms_norm(y, x, w, eps, rows, width);
    spoil(y);
}

/* One kind of activation alone is wrong. */
static void wrong_activate(float *x, size_t count, int kind, int wrong)
{
    kr_kernels_plain.activate(x, count, kind);
    if (kind == wrong)
        spoil(x);
}

static void wrong_silu(float *x, size_t count, int kind)     { wrong_activate(x, count, kind, KR_SILU); }
static void wrong_sigmoid(float *x, size_t count, int kind)  { wrong_activate(x, count, kind, KR_SIGMOID); }
static void wrong_softplus(float *x, size_t count, int kind) { wrong_activate(x, count, kind, KR_SOFTPLUS); }
static void wrong_relu(float *x, size_t count, int kind)     { wrong_activate(x, count, kind, KR_RELU); }

static void wrong_tanh(float *x, size_t count, int kind)     { wrong_activate(x, count, kind, KR_TANH); }
static void wrong_gelu(float *x, size_t count, int kind)     { wrong_activate(x, count, kind, KR_GELU); }
static void wrong_gelu_tanh(float *x, size_t count, int kind)
{
    wrong_activate(x, count, kind, KR_GELU_TANH);
}

/* Without one weight or the other, and with both. */
static void wrong_layer_norm(float *y, const float *x, const float *w, const float *b, float eps, size_t rows,
                             size_t width)
{
    kr_kernels_plain.layer_norm(y, x, w, b, eps, rows, width);
    spoil(y);
}

static void wrong_layer_norm_alone(float *y, const float *x, const float *w, const float *b, float eps,
                                   size_t rows, size_t width)
{
    kr_kernels_plain.layer_norm(y, x, w, b, eps, rows, width);
    if (!w && !b)
        spoil(y);
}

static void wrong_gate(const kr_gate *p)
{
    kr_kernels_plain.gate(p);
    if (p->kind == KR_NONE)
        spoil(p->y + p->y_stride);
}

static void wrong_multiply(float *y, const float *x, size_t count)
{
    kr_kernels_plain.multiply(y, x, count);
    spoil(y);
}

static void wrong_scale(float *y, const float *x, const float *w, const float *b, size_t rows, size_t width)
{
    kr_kernels_plain.scale(y, x, w, b, rows, width);
    if (b)
        spoil(y);
}

static void wrong_add(float *y, const float *x, size_t count)
{
    kr_kernels_plain.add(y, x, count);
    spoil(y);
}

static void must_fail(const char *what, kr_kernels table)
{
    test_note("%s", what);
    CHECK(!kr_selftest(&table));
    test_note("%s", "");
}

#define MUST_FAIL(field, function)                  \
    do {                                            \
        kr_kernels table = kr_kernels_plain;        \
                                                    \
        table.field = function;                     \
        must_fail(#function, table);                \
    } while (0)

TEST(selftest_sees_a_wrong_bit)
{
    MUST_FAIL(product_f32, wrong_f32);
    MUST_FAIL(product_f16, wrong_f16);
    MUST_FAIL(product_bf16, wrong_bf16);
#define KR_PANELS(name, TYPE, ...) MUST_FAIL(product_blocks, wrong_##name);
#include "core/panels.def"
#undef KR_PANELS
    MUST_FAIL(quantize, wrong_quantize);
    MUST_FAIL(quantize, wrong_integers);
    MUST_FAIL(quantize, wrong_first);
    MUST_FAIL(conv, wrong_conv);
    MUST_FAIL(selective, wrong_selective);
    MUST_FAIL(selective, wrong_state);
    MUST_FAIL(selective_summary, wrong_decay);
    MUST_FAIL(selective_summary, wrong_end);
    MUST_FAIL(combine, wrong_combine);
    MUST_FAIL(combine, wrong_following);
    MUST_FAIL(diagonal, wrong_diagonal);
    MUST_FAIL(diagonal, wrong_diagonal_low);
    MUST_FAIL(diagonal, wrong_diagonal_end);
    MUST_FAIL(diagonal_combine, wrong_diagonal_combine);
    MUST_FAIL(turn, wrong_turn);
    MUST_FAIL(turn, wrong_turned);
    MUST_FAIL(discretize, wrong_discretize);
    MUST_FAIL(discretize, wrong_impulse);
    MUST_FAIL(turn_timed, wrong_turn_timed);
    MUST_FAIL(diagonal_timed, wrong_diagonal_timed);
    MUST_FAIL(rank, wrong_rank);
    MUST_FAIL(rank, wrong_rank_end);
    MUST_FAIL(rank, wrong_ranks);
    MUST_FAIL(pace, wrong_pace);
    MUST_FAIL(pace, wrong_paced);
    MUST_FAIL(heads, wrong_heads);
    MUST_FAIL(heads, wrong_head_state);
    MUST_FAIL(fade, wrong_fade);
    MUST_FAIL(fade, wrong_since);
    MUST_FAIL(fade, wrong_left);
    MUST_FAIL(chunk, wrong_chunk);
    MUST_FAIL(weigh, wrong_weigh);
    MUST_FAIL(fourier, wrong_spectrum);
    MUST_FAIL(fourier, wrong_fourier);
    MUST_FAIL(liquid, wrong_liquid);
    MUST_FAIL(liquid, wrong_alone);
    MUST_FAIL(rms_norm, wrong_rms_norm);
    MUST_FAIL(activate, wrong_silu);
    MUST_FAIL(activate, wrong_sigmoid);
    MUST_FAIL(activate, wrong_softplus);
    MUST_FAIL(activate, wrong_relu);
    MUST_FAIL(activate, wrong_tanh);
    MUST_FAIL(activate, wrong_gelu);
    MUST_FAIL(activate, wrong_gelu_tanh);
    MUST_FAIL(layer_norm, wrong_layer_norm);
    MUST_FAIL(layer_norm, wrong_layer_norm_alone);
    MUST_FAIL(gate, wrong_gate);
    MUST_FAIL(add, wrong_add);
    MUST_FAIL(multiply, wrong_multiply);
    MUST_FAIL(scale, wrong_scale);
}
