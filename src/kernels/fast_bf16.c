/*
 * fast_bf16.c - KRAIT_OPEN_FAST on x86 with AVX512-BF16: products of bfloat16 pairs for F16 and BF16 weights.
 *
 * Activations, and F16 weights, are rounded to bfloat16; y is one chain over ascending pairs of inputs, in segments of
 * 64 inputs that are added in order.  So y depends on neither rows nor tasks, but it has other bits than everywhere
 * else, and an error of its own (docs/numerics.md).
 *
 * A segment of a strip is turned once into pairs of one output, which stay in the nearest cache while the rows pass.
 */
#include "core/real.h"
#include "kernels/fast.h"
#include "kernels/pack.h"

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")
#endif

enum { FAST_PAIRS = KR_SEGMENT / 2, FAST_ROWS = 6, FAST_VECTORS = KR_STRIP / 16 };

typedef struct fast_room {
    _Alignas(64) uint32_t w[FAST_PAIRS][KR_STRIP];      /* inputs 2 i and 2 i + 1 of every output */
    _Alignas(64) uint32_t x[FAST_ROWS][FAST_PAIRS];
} fast_room;

/* 16 outputs' weights for two inputs; the second may be missing. */
KR_INLINE __m512i fast_pair_bf16(const uint16_t *first, const uint16_t *second)
{
    __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)first));

    if (!second)
        return low;
    return _mm512_or_si512(low, _mm512_slli_epi32(
        _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)second)), 16));
}

KR_INLINE __m512i fast_pair_f16(const uint16_t *first, const uint16_t *second)
{
    __m256i low = (__m256i)_mm512_cvtneps_pbh(_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)first)));
    __m512i high = _mm512_setzero_si512();

    if (second)
        high = _mm512_cvtepu16_epi32(
            (__m256i)_mm512_cvtneps_pbh(_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)second))));
    return _mm512_or_si512(_mm512_cvtepu16_epi32(low), _mm512_slli_epi32(high, 16));
}

/* Inputs from..to-1 of a strip; the segment behind is asked for meanwhile. */
KR_INLINE void fast_weights(fast_room *room, const uint16_t *w, size_t width, size_t inputs, const int halves)
{
    for (size_t i = 0; i < inputs; i += 2) {
        const uint16_t *first = w + i * width;

        for (size_t o = 0; o < width; o += 16) {
            const uint16_t *second = i + 1 < inputs ? first + width + o : NULL;

            _mm_prefetch((const char *)(first + KR_SEGMENT * width + 2 * o), _MM_HINT_T0);
            _mm512_store_si512(&room->w[i / 2][o],
                               halves ? fast_pair_f16(first + o, second) : fast_pair_bf16(first + o, second));
        }
    }
}

KR_INLINE void fast_inputs(uint32_t *pairs, const float *x, size_t inputs)
{
    for (size_t i = 0; i < inputs; i += 16) {
        size_t    n = kr_min(16, inputs - i);
        __mmask16 some = (__mmask16)((1u << n) - 1);

        _mm256_store_si256((__m256i *)(pairs + i / 2), (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(some, x + i)));
    }
}

KR_INLINE void fast_end(const kr_product *p, size_t row, size_t output, __m512 sum, int first, int last)
{
    size_t    n = output < p->w->outputs ? kr_min(16, p->w->outputs - output) : 0;
    __mmask16 some = (__mmask16)((1u << n) - 1);
    float    *y = p->y + row * p->y_stride + output;

    if (!first)
        sum = _mm512_add_ps(_mm512_maskz_loadu_ps(some, y), sum);
    if (last && p->bias)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(some, p->bias + output));
    _mm512_mask_storeu_ps(y, some, sum);
}

/* 'rows' rows by a strip, inputs from..to-1. */
KR_INLINE void fast_tile(const kr_product *p, fast_room *room, size_t output, size_t row, size_t from, size_t to,
                         const size_t rows)
{
    __m512 sum[FAST_ROWS][FAST_VECTORS];

    KR_UNROLL
    for (size_t r = 0; r < rows; r++) {
        fast_inputs(room->x[r], p->x + (row + r) * p->x_stride + from, to - from);
        KR_UNROLL
        for (size_t j = 0; j < FAST_VECTORS; j++)
            sum[r][j] = _mm512_setzero_ps();
    }
    for (size_t i = 0; i < (to - from + 1) / 2; i++) {
        __m512i w[FAST_VECTORS];

        KR_UNROLL
        for (size_t j = 0; j < FAST_VECTORS; j++)
            w[j] = _mm512_load_si512(&room->w[i][16 * j]);
        KR_UNROLL
        for (size_t r = 0; r < rows; r++) {
            __m512bh x = (__m512bh)_mm512_set1_epi32((int)room->x[r][i]);

            KR_UNROLL
            for (size_t j = 0; j < FAST_VECTORS; j++)
                sum[r][j] = _mm512_dpbf16_ps(sum[r][j], (__m512bh)w[j], x);
        }
    }
    KR_UNROLL
    for (size_t r = 0; r < rows; r++)
        KR_UNROLL
        for (size_t j = 0; j < FAST_VECTORS; j++)
            fast_end(p, row + r, output + 16 * j, sum[r][j], from == 0, to == p->w->inputs);
}

KR_INLINE void fast_product(const kr_product *p, const int halves)
{
    fast_room room;

    memset(&room, 0, sizeof room);      /* a strip may be narrower than its room */
    for (size_t o = 0; o < p->w->outputs; o += KR_STRIP) {
        size_t          width = kr_pack_width(p->w, o);
        const uint16_t *w = (const uint16_t *)p->w->data + o * p->w->inputs;

        for (size_t from = 0; from < p->w->inputs; from += KR_SEGMENT) {
            size_t to = kr_min(p->w->inputs, from + KR_SEGMENT), row = 0;

            fast_weights(&room, w + from * width, width, to - from, halves);
            for (; row + FAST_ROWS <= p->rows; row += FAST_ROWS)
                fast_tile(p, &room, o, row, from, to, FAST_ROWS);
            for (; row + 2 <= p->rows; row += 2)
                fast_tile(p, &room, o, row, from, to, 2);
            if (row < p->rows)
                fast_tile(p, &room, o, row, from, to, 1);
        }
    }
}

void kr_fast_product_f16(const kr_product *p)  { fast_product(p, 1); }
void kr_fast_product_bf16(const kr_product *p) { fast_product(p, 0); }

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
