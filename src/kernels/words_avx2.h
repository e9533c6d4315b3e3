/*
 * words_avx2.h - the vector words of template.h for AVX2, FMA and F16C.
 *
 * V is a vector of KR_V floats.  MIN and MAX yield the second argument if either is NaN, as
 * the scalar forms in core/real.h do.
 */
#define KR_V              8
#define V                 __m256
#define V_ZERO()          _mm256_setzero_ps()
#define V_SET(x)          _mm256_set1_ps(x)
#define V_LOAD(p)         _mm256_loadu_ps(p)
#define V_STORE(p, a)     _mm256_storeu_ps(p, a)
#define V_LOAD_N(p, n)    _mm256_maskload_ps(p, avx2_mask(n))
#define V_STORE_N(p, a, n) _mm256_maskstore_ps(p, avx2_mask(n), a)
#define V_ADD(a, b)       _mm256_add_ps(a, b)
#define V_SUB(a, b)       _mm256_sub_ps(a, b)
#define V_MUL(a, b)       _mm256_mul_ps(a, b)
#define V_DIV(a, b)       _mm256_div_ps(a, b)
#define V_FMA(a, b, c)    _mm256_fmadd_ps(a, b, c)
/* c - a b with one rounding */
#define V_FNMA(a, b, c)   _mm256_fnmadd_ps(a, b, c)
#define V_MIN(a, b)       _mm256_min_ps(a, b)
#define V_MAX(a, b)       _mm256_max_ps(a, b)
/* +0 for a < 0, else a, also where it is -0 or NaN */
#define V_RELU(a)         _mm256_max_ps(_mm256_setzero_ps(), a)
#define V_NEGATE(a)       _mm256_xor_ps(a, _mm256_set1_ps(-0.0f))
/* a, which is not negative, with the sign of b */
#define V_WITH_SIGN(a, b) _mm256_or_ps(a, _mm256_and_ps(b, _mm256_set1_ps(-0.0f)))
#define V_ABS(a)          _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a)
/* 2^n for the integer n in the low bits of a (core/real.h, kr_expf) */
#define V_POWER(a) \
    _mm256_castsi256_ps(_mm256_add_epi32(_mm256_slli_epi32(_mm256_castps_si256(a), 23), \
                                         _mm256_set1_epi32(0x3f800000)))
/* p 2^n, where n is there as a number and in the low bits of 'shifted' */
#define V_TIMES_POWER(p, n, shifted) V_MUL(p, V_POWER(shifted))
/* a where |a| is not less than the bound (so for NaN too), else +0 */
#define V_FLUSH(a, bound) _mm256_and_ps(a, _mm256_cmp_ps(V_ABS(a), bound, _CMP_NLT_UQ))
/* Is there an x, neither +0 nor NaN, with |x| < bound?  LEAST gathers what BELOW looks at, from MOST on. */
#define V_MOST()          _mm256_set1_ps(__builtin_inff())
#define V_LEAST(least, a) V_MIN(V_ABS(a), least)
#define V_BELOW(least, bound) (_mm256_movemask_ps(_mm256_cmp_ps(least, bound, _CMP_LT_OQ)) != 0)
#define V_HALF(p)         _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p)))
#define V_BFLOAT(p) \
    _mm256_castsi256_ps(_mm256_slli_epi32( \
        _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(p))), 16))
#define V_PREFETCH(p)     _mm_prefetch(p, _MM_HINT_T0)

/* Integers: KR_V sums of 32 bits. */
#define I                 __m256i
#define I_FLOAT(a)        _mm256_cvtepi32_ps(a)
#define I_ROUND(a)        _mm256_cvtps_epi32(a)
#define I_STORE(p, a)     _mm256_storeu_si256((__m256i *)(p), a)
#define I_MAGNITUDE(a)    _mm256_castps_si256(V_ABS(a))
#define I_MAX(a, b)       _mm256_max_epi32(a, b)
#define I_ZERO()          _mm256_setzero_si256()
#define I_SET(x)          _mm256_set1_epi32(x)
#define I_LOAD(p)         _mm256_loadu_si256((const __m256i *)(p))
#define I_AND(a, b)       _mm256_and_si256(a, b)
#define I_OR(a, b)        _mm256_or_si256(a, b)
/* of each 32 bits; n is a constant wherever it matters */
#define I_LEFT(a, n)      ((__m256i)((__v8su)(a) << (n)))
#define I_RIGHT(a, n)     ((__m256i)((__v8su)(a) >> (n)))
/* KR_V bytes, unsigned or signed */
#define I_OF_BYTES(p)     _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p)))
#define I_OF_SIGNED(p)    _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(p)))
/* Products of stored weights (128 added) and activations, four to a sum. */
#define Q_START(sum)      ((void)(sum), _mm256_setzero_si256())
#define Q_WEIGHTS(p)      _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(p)), _mm256_set1_epi8(-128))
#define Q_INPUTS(p)       _mm256_set1_epi32(avx2_load_int(p))
#define Q_DOT(acc, w, x)  avx2_dot(acc, w, x)
/* The same for unsigned codes below 64, two groups of four at once. */
#define Q_DOT_CODES(acc, w, x, w2, x2) avx2_dot_codes(acc, w, x, w2, x2)

/* Tiles of products that fit 16 registers: rows by panels of 16 outputs. */
#define KR_TILE_ROWS      6
#define KR_TILE_PANELS    1
#define KR_BLOCK_ROWS     2
#define KR_BLOCK_PANELS   1
#define KR_PARTS_ROWS     2
#define KR_PARTS_PANELS   1
#define KR_ONE_PANELS     2
#define KR_SCAN_STATES    4
#define KR_EXP_VECTORS    4
#define KR_SCAN_ROWS      32
#define KR_HEAD_STATES    4
#define KR_HEAD_VECTORS   2
#define KR_DIAGONAL_STATES 2
#define KR_DIAGONAL_ROWS  64
#define KR_RANK_STATES    2

static const int32_t avx2_masks[16] = { -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0 };

KR_INLINE __m256i avx2_mask(size_t n)
{
    return _mm256_loadu_si256((const __m256i *)(avx2_masks + 8 - n));
}

KR_INLINE int32_t avx2_load_int(const int8_t *p)
{
    int32_t i;

    memcpy(&i, p, sizeof i);
    return i;
}

/* Two pairs of products are at most 4 * 63 * 127 and fit 16 bits. */
KR_INLINE __m256i avx2_dot_codes(__m256i acc, __m256i w, __m256i x, __m256i w2, __m256i x2)
{
    __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(w, x), _mm256_maddubs_epi16(w2, x2));

    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/* |w| <= 128 and |x| <= 127: a pair of products is at most 32512 and does not saturate. */
KR_INLINE __m256i avx2_dot(__m256i acc, __m256i w, __m256i x)
{
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));

    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
