/*
 * words_avx512.h - the vector words of template.h for AVX-512 F, BW, DQ, VL and VNNI.
 *
 * See words_avx2.h for what each word means.
 */
#define KR_V              16
#define V                 __m512
#define V_ZERO()          _mm512_setzero_ps()
#define V_SET(x)          _mm512_set1_ps(x)
#define V_LOAD(p)         _mm512_loadu_ps(p)
#define V_STORE(p, a)     _mm512_storeu_ps(p, a)
#define V_LOAD_N(p, n)    _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), p)
#define V_STORE_N(p, a, n) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1), a)
#define V_ADD(a, b)       _mm512_add_ps(a, b)
#define V_SUB(a, b)       _mm512_sub_ps(a, b)
#define V_MUL(a, b)       _mm512_mul_ps(a, b)
#define V_DIV(a, b)       _mm512_div_ps(a, b)
#define V_FMA(a, b, c)    _mm512_fmadd_ps(a, b, c)
#define V_FNMA(a, b, c)   _mm512_fnmadd_ps(a, b, c)
#define V_MIN(a, b)       _mm512_min_ps(a, b)
#define V_MAX(a, b)       _mm512_max_ps(a, b)
#define V_RELU(a)         _mm512_max_ps(_mm512_setzero_ps(), a)
#define V_NEGATE(a)       _mm512_xor_ps(a, _mm512_set1_ps(-0.0f))
#define V_WITH_SIGN(a, b) _mm512_or_ps(a, _mm512_and_ps(b, _mm512_set1_ps(-0.0f)))
#define V_ABS(a)          _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a)
#define V_POWER(a) \
    _mm512_castsi512_ps(_mm512_add_epi32(_mm512_slli_epi32(_mm512_castps_si512(a), 23), \
                                         _mm512_set1_epi32(0x3f800000)))
#define V_TIMES_POWER(p, n, shifted) ((void)(shifted), _mm512_scalef_ps(p, n))
#define V_FLUSH(a, bound) \
    _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(V_ABS(a), bound, _CMP_NLT_UQ), a)
#define V_MOST()          _mm512_set1_ps(__builtin_inff())
#define V_LEAST(least, a) _mm512_range_ps(a, least, 10)
#define V_BELOW(least, bound) (_mm512_cmp_ps_mask(least, bound, _CMP_LT_OQ) != 0)
#define V_HALF(p)         _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p)))
#define V_BFLOAT(p) \
    _mm512_castsi512_ps(_mm512_slli_epi32( \
        _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(p))), 16))
#define V_PREFETCH(p)     _mm_prefetch(p, _MM_HINT_T0)

#define I                 __m512i
#define I_FLOAT(a)        _mm512_cvtepi32_ps(a)
#define I_ROUND(a)        _mm512_cvtps_epi32(a)
#define I_STORE(p, a)     _mm512_storeu_si512(p, a)
#define I_MAGNITUDE(a)    _mm512_castps_si512(V_ABS(a))
#define I_MAX(a, b)       _mm512_max_epi32(a, b)
#define I_ZERO()          _mm512_setzero_si512()
#define I_SET(x)          _mm512_set1_epi32(x)
#define I_LOAD(p)         _mm512_loadu_si512(p)
#define I_AND(a, b)       _mm512_and_si512(a, b)
#define I_OR(a, b)        _mm512_or_si512(a, b)
#define I_LEFT(a, n)      ((__m512i)((__v16su)(a) << (n)))
#define I_RIGHT(a, n)     ((__m512i)((__v16su)(a) >> (n)))
#define I_OF_BYTES(p)     _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define I_OF_SIGNED(p)    _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(p)))
/* Stored weights are unsigned, so the sum starts at what the added 128 will bring too much. */
#define Q_START(sum)      _mm512_set1_epi32(-128 * (sum))
#define Q_WEIGHTS(p)      _mm512_loadu_si512(p)
#define Q_INPUTS(p)       _mm512_set1_epi32(avx512_load_int(p))
#define Q_DOT(acc, w, x)  _mm512_dpbusd_epi32(acc, w, x)
#define Q_DOT_CODES(acc, w, x, w2, x2) Q_DOT(Q_DOT(acc, w, x), w2, x2)

#define KR_TILE_ROWS      6
#define KR_TILE_PANELS    4
#define KR_BLOCK_ROWS     4
#define KR_BLOCK_PANELS   2
#define KR_PARTS_ROWS     4
#define KR_PARTS_PANELS   2
#define KR_ONE_PANELS     4
#define KR_SCAN_STATES    8
#define KR_EXP_VECTORS    4
#define KR_SCAN_ROWS      32
#define KR_HEAD_STATES    8
#define KR_HEAD_VECTORS   2
#define KR_DIAGONAL_STATES 8
#define KR_DIAGONAL_ROWS  64
#define KR_RANK_STATES    4

KR_INLINE int32_t avx512_load_int(const int8_t *p)
{
    int32_t i;

    memcpy(&i, p, sizeof i);
    return i;
}
