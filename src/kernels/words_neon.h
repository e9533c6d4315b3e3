/*
 * words_neon.h - the vector words of template.h for AArch64: NEON as every such CPU has it.
 *
 * See words_avx2.h for what each word means.  With KR_NEON_DOT integers are multiplied by the
 * dot product instructions that ARMv8.2 brought.
 */
#define KR_V              4
#define V                 float32x4_t
#define V_ZERO()          vdupq_n_f32(0)
#define V_SET(x)          vdupq_n_f32(x)
#define V_LOAD(p)         vld1q_f32(p)
#define V_STORE(p, a)     vst1q_f32(p, a)
#define V_LOAD_N(p, n)    KR_NAME(load_part)(p, n)
#define V_STORE_N(p, a, n) KR_NAME(store_part)(p, a, n)
#define V_ADD(a, b)       vaddq_f32(a, b)
#define V_SUB(a, b)       vsubq_f32(a, b)
#define V_MUL(a, b)       vmulq_f32(a, b)
#define V_DIV(a, b)       vdivq_f32(a, b)
#define V_FMA(a, b, c)    vfmaq_f32(c, a, b)
#define V_FNMA(a, b, c)   vfmsq_f32(c, a, b)
/* vminq and vmaxq would yield NaN if either is, and order zeros by their sign. */
#define V_MIN(a, b)       KR_NAME(lesser)(a, b)
#define V_MAX(a, b)       KR_NAME(greater)(a, b)
#define V_RELU(a)         KR_NAME(relu)(a)              /* in integers, as kr_relu() */
#define V_NEGATE(a)       vnegq_f32(a)
#define V_ABS(a)          vabsq_f32(a)
#define V_WITH_SIGN(a, b) vbslq_f32(vdupq_n_u32(0x80000000u), b, a)
#define V_POWER(a) \
    vreinterpretq_f32_s32(vaddq_s32(vshlq_n_s32(vreinterpretq_s32_f32(a), 23), \
                                    vdupq_n_s32(0x3f800000)))
#define V_TIMES_POWER(p, n, shifted) V_MUL(p, V_POWER(shifted))
#define V_FLUSH(a, bound) KR_NAME(flushed)(a, bound)
#define V_MOST()          vdupq_n_f32(__builtin_inff())
#define V_LEAST(least, a) vminnmq_f32(vabsq_f32(a), least)
#define V_BELOW(least, bound) (vmaxvq_u32(vcltq_f32(least, bound)) != 0)
#define V_HALF(p)         vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16((const uint16_t *)(p))))
#define V_BFLOAT(p)       vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))
#define V_PREFETCH(p)     __builtin_prefetch(p)

#define I                 int32x4_t
#define I_FLOAT(a)        vcvtq_f32_s32(a)
#define I_ROUND(a)        vcvtnq_s32_f32(a)
#define I_STORE(p, a)     vst1q_s32((int32_t *)(void *)(p), a)
#define I_MAGNITUDE(a)    vreinterpretq_s32_f32(vabsq_f32(a))
#define I_MAX(a, b)       vmaxq_s32(a, b)
#define I_ZERO()          vdupq_n_s32(0)
#define I_SET(x)          vdupq_n_s32(x)
#define I_LOAD(p)         vreinterpretq_s32_u8(vld1q_u8(p))
#define I_AND(a, b)       vandq_s32(a, b)
#define I_OR(a, b)        vorrq_s32(a, b)
#define I_LEFT(a, n)      vreinterpretq_s32_u32(vreinterpretq_u32_s32(a) << (uint32_t)(n))
#define I_RIGHT(a, n)     vreinterpretq_s32_u32(vreinterpretq_u32_s32(a) >> (uint32_t)(n))
#define I_OF_BYTES(p)     KR_NAME(of_bytes)(p)
#define I_OF_SIGNED(p)    KR_NAME(of_signed)(p)
#define Q_START(sum)      ((void)(sum), vdupq_n_s32(0))
#define Q_WEIGHTS(p)      vreinterpretq_s32_u8(veorq_u8(vld1q_u8(p), vdupq_n_u8(0x80)))
#define Q_INPUTS(p)       KR_NAME(load_inputs)(p)
#define Q_DOT(acc, w, x)  KR_NAME(dot)(acc, w, x)
#define Q_DOT_CODES(acc, w, x, w2, x2) KR_NAME(dot_codes)(acc, w, x, w2, x2)

/* 32 registers: six rows by a panel of four vectors, or one row by four panels. */
#define KR_TILE_ROWS      6
#define KR_TILE_PANELS    1
#define KR_BLOCK_ROWS     2
#define KR_BLOCK_PANELS   1
#define KR_PARTS_ROWS     2
#define KR_PARTS_PANELS   1
#define KR_ONE_PANELS     2
#define KR_SCAN_STATES    8
#define KR_EXP_VECTORS    4
#define KR_SCAN_ROWS      32
#define KR_HEAD_STATES    4
#define KR_HEAD_VECTORS   2
#define KR_DIAGONAL_STATES 4
#define KR_DIAGONAL_ROWS  64
#define KR_RANK_STATES    4

KR_INLINE float32x4_t KR_NAME(load_part)(const float *p, size_t n)
{
    float part[4] = { 0 };

    for (size_t i = 0; i < n; i++)
        part[i] = p[i];
    return vld1q_f32(part);
}

KR_INLINE void KR_NAME(store_part)(float *p, float32x4_t a, size_t n)
{
    float part[4];

    vst1q_f32(part, a);
    for (size_t i = 0; i < n; i++)
        p[i] = part[i];
}

KR_INLINE float32x4_t KR_NAME(lesser)(float32x4_t a, float32x4_t b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}

KR_INLINE float32x4_t KR_NAME(greater)(float32x4_t a, float32x4_t b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}

KR_INLINE float32x4_t KR_NAME(relu)(float32x4_t a)
{
    uint32x4_t bits = vreinterpretq_u32_f32(a);
    uint32x4_t below = vcleq_u32(vsubq_u32(bits, vdupq_n_u32(0x80000001u)), vdupq_n_u32(0x7f7fffffu));

    return vreinterpretq_f32_u32(vbicq_u32(bits, below));
}

KR_INLINE float32x4_t KR_NAME(flushed)(float32x4_t a, float32x4_t bound)
{
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(a), vcaltq_f32(a, bound)));
}

KR_INLINE int32x4_t KR_NAME(load_inputs)(const int8_t *p)
{
    int32_t i;

    memcpy(&i, p, sizeof i);
    return vdupq_n_s32(i);
}

/* |w| <= 128 and |x| <= 127: a pair of products is at most 32512 and fits 16 bits. */
KR_INLINE int32x4_t KR_NAME(dot)(int32x4_t acc, int32x4_t w, int32x4_t x)
{
    int8x16_t a = vreinterpretq_s8_s32(w), b = vreinterpretq_s8_s32(x);

#if defined(KR_NEON_DOT) && defined(__clang__)      /* before 16 it hides the intrinsic */
    __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(acc) : "w"(a), "w"(b));
    return acc;
#elif defined(KR_NEON_DOT)
    return vdotq_s32(acc, a, b);
#else
    return vpadalq_s16(acc, vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)));
#endif
}

/* Codes below 64: four products are at most 4 * 63 * 127 and fit 16 bits. */
KR_INLINE int32x4_t KR_NAME(dot_codes)(int32x4_t acc, int32x4_t w, int32x4_t x, int32x4_t w2, int32x4_t x2)
{
#if defined(KR_NEON_DOT)
    return KR_NAME(dot)(KR_NAME(dot)(acc, w, x), w2, x2);
#else
    int8x16_t a = vreinterpretq_s8_s32(w), b = vreinterpretq_s8_s32(x);
    int8x16_t a2 = vreinterpretq_s8_s32(w2), b2 = vreinterpretq_s8_s32(x2);
    int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vget_low_s8(a2), vget_low_s8(b2));
    int16x8_t high = vmlal_high_s8(vmull_high_s8(a, b), a2, b2);

    return vpadalq_s16(acc, vpaddq_s16(low, high));
#endif
}

KR_INLINE int32x4_t KR_NAME(of_bytes)(const unsigned char *p)
{
    uint32_t four;

    memcpy(&four, p, sizeof four);
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four)))));
}

KR_INLINE int32x4_t KR_NAME(of_signed)(const unsigned char *p)
{
    uint32_t four;

    memcpy(&four, p, sizeof four);
    return vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(four))));
}
