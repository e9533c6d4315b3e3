/*
 * test_real.c - measured errors of the scalar functions, and what must be exact.
 *
 * Bounds are just above the measured maxima that docs/numerics.md states.  The test looks at 1 in
 * 997 of the floats; KRAIT_SWEEP=1 looks at all of them and prints the maxima (minutes).
 */
#include "core/real.h"

#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/fpenv.h"
#include "support/random.h"
#include "test.h"

#if defined(__SSE__) && defined(__GNUC__)
#include <xmmintrin.h>
#endif

/* ---- errors -------------------------------------------------------------------------------- */

/* |got - want| in units of the last place of a float of that size. */
static double float_ulps(float got, double want)
{
    int exponent;

    if (want == 0)
        return got == 0 ? 0 : HUGE_VAL;
    frexp(want, &exponent);
    return fabs((double)got - want) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

typedef struct function {
    const char *name;
    float     (*ours)(float x);
    double    (*exact)(double x);
    float       low, high;              /* where the bound holds */
    double      bound;                  /* ulps */
} function;

static float  our_exp(float x)          { return kr_expf(x); }
static float  our_sigmoid(float x)      { return kr_sigmoid(x); }
static float  our_silu(float x)         { return kr_silu(x); }
static float  our_softplus(float x)     { return kr_softplus(x); }
static float  our_log1p(float x)        { return kr_log1p_unit(x); }
static float  our_tanh(float x)         { return kr_tanh(x); }
static float  our_gelu(float x)         { return kr_gelu(x); }
static float  our_gelu_tanh(float x)    { return kr_gelu_tanh(x); }
static double exact_gelu(double x)      { return 0.5 * x * erfc(-x * 0.70710678118654752440); }
static double exact_sigmoid(double x)   { return 1 / (1 + exp(-x)); }
static double exact_silu(double x)      { return x / (1 + exp(-x)); }
static double exact_softplus(double x)  { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }

static double exact_gelu_tanh(double x)
{
    return x / (1 + exp(-2 * 0.79788456080286535588 * x * (1 + 0.044715 * x * x)));
}

/* Every 'stride'th float of one sign from the smallest magnitude to the largest. */
static double sweep(const function *f, uint32_t sign, float low, float high, uint32_t stride, float *where)
{
    double worst = 0;

    for (uint64_t u = kr_bits_of(low); u <= kr_bits_of(high); u += stride) {
        float  x = kr_float_of((uint32_t)u | sign);
        double error = float_ulps(f->ours(x), f->exact(x));

        if (error > worst) {
            worst = error;
            *where = x;
        }
    }
    return worst;
}

static void measure(const function *f)
{
    const char *all = getenv("KRAIT_SWEEP");
    uint32_t    stride = all && all[0] ? 1 : 997;
    float       where = 0, other = 0;
    double      worst = 0, negative = 0;

    if (f->high > 0)
        worst = sweep(f, 0, f->low > 0 ? f->low : 0, f->high, stride, &where);
    if (f->low < 0)
        negative = sweep(f, 0x80000000u, f->high < 0 ? -f->high : 0, -f->low, stride, &other);
    if (negative > worst)
        where = other, worst = negative;
    if (stride == 1)
        printf("%s over [%g, %g]: %.4f ulp at %a\n", f->name, f->low, f->high, worst, where);
    test_note("%s: %.4f ulp at %a", f->name, worst, where);
    CHECK(worst <= f->bound);
    test_note("%s", "");
}

TEST(real_errors)
{
    static const function functions[] = {
        { "exp",      our_exp,      exp,            KR_EXP_LOW, KR_EXP_HIGH, 0.90 },
        { "sigmoid",  our_sigmoid,  exact_sigmoid,  -87.0f,     88.0f,       2.49 },
        { "silu",     our_silu,     exact_silu,     -87.0f,     FLT_MAX,     2.40 },
        { "softplus", our_softplus, exact_softplus, -87.0f,     FLT_MAX,     2.90 },
        { "log1p",    our_log1p,    log1p,          0,          1,           1.99 },
        { "tanh",     our_tanh,     tanh,           -FLT_MAX,   FLT_MAX,     2.60 },
        { "gelu",     our_gelu,     exact_gelu,     -11.75f,    FLT_MAX,     7.10 },
        { "gelu_tanh", our_gelu_tanh, exact_gelu_tanh, -1.0f,   FLT_MAX,     3.06 },
        { "gelu_tanh", our_gelu_tanh, exact_gelu_tanh, -9.125f, -1.0f,       154 },
    };

    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        measure(&functions[i]);
}

/* Out of reach exp keeps to its ends: never zero, subnormal or infinite. */
TEST(real_exp_is_clamped)
{
    const float low = kr_expf(KR_EXP_LOW), high = kr_expf(KR_EXP_HIGH);
    const float beyond[] = { 88.5f, 89.0f, 1e3f, FLT_MAX, (float)INFINITY };

    CHECK(low >= FLT_MIN && high <= FLT_MAX);
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        CHECK(kr_expf(beyond[i]) == high);
        CHECK(kr_expf(-beyond[i]) == low);
    }
    CHECK(kr_expf(0.0f) == 1.0f && kr_expf(-0.0f) == 1.0f);
    CHECK(isnan(kr_expf((float)NAN)) && isnan(kr_sigmoid((float)NAN)));
    CHECK(isnan(kr_silu((float)NAN)) && isnan(kr_softplus((float)NAN)));
    CHECK(kr_sigmoid((float)INFINITY) == 1.0f && kr_sigmoid(-(float)INFINITY) > 0);
    CHECK(kr_silu((float)INFINITY) == (float)INFINITY);
    CHECK(kr_softplus((float)INFINITY) == (float)INFINITY && kr_softplus(-(float)INFINITY) > 0);
    CHECK(kr_log1p_unit(0.0f) == 0.0f);
}

/* Odd, exact next to zero, 1 and 0 where they are; no subnormal numbers far below zero. */
TEST(real_tanh_and_gelu_ends)
{
    const float far[] = { 12.0f, 88.0f, 1e3f, FLT_MAX, (float)INFINITY };
    const float tiny[] = { 0.0f, 0x1p-149f, 0x1p-126f, 1e-30f, 1e-9f };

    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        CHECK(kr_tanh(far[i]) == 1.0f && kr_tanh(-far[i]) == -1.0f);
        CHECK(kr_gelu(far[i]) == far[i] && kr_gelu_tanh(far[i]) == far[i]);
        CHECK(kr_gelu(-far[i]) == 0 && kr_gelu_tanh(-far[i]) == 0);
    }
    for (size_t i = 0; i < sizeof tiny / sizeof *tiny; i++) {
        CHECK_INT(kr_bits_of(kr_tanh(tiny[i])), kr_bits_of(tiny[i]));
        CHECK_INT(kr_bits_of(kr_tanh(-tiny[i])), kr_bits_of(-tiny[i]));
    }
    for (float x = 0x1p-20f; x < 16; x *= 1.01f)
        CHECK(kr_tanh(-x) == -kr_tanh(x));
    for (float x = -13.0f; x < -9.0f; x += 0x1p-10f) {
        CHECK(kr_gelu(x) <= -FLT_MIN || kr_gelu(x) == 0);
        CHECK(kr_gelu_tanh(x) <= -FLT_MIN || kr_gelu_tanh(x) == 0);
    }
    CHECK(isnan(kr_tanh((float)NAN)) && isnan(kr_gelu((float)NAN)) && isnan(kr_gelu_tanh((float)NAN)));
}

TEST(real_exp_double)
{
    kr_random random = kr_random_from(1);
    double    worst = 0, where = 0;
    int       exponent;

    if (LDBL_MANT_DIG < 64)
        SKIP("long double is no better than double here");
    for (int i = 0; i < 2000000; i++) {
        double      unit = (double)(int64_t)kr_random_u64(&random) * 0x1p-63;
        double      x = i % 3 == 0 ? unit * 708 : i % 3 == 1 ? unit * 10 : ldexp(unit, -(i % 64)), error;
        long double want = expl(x);

        frexpl(want, &exponent);
        error = (double)(fabsl((long double)kr_exp(x) - want) / ldexpl(1, exponent - 53));
        if (error > worst)
            worst = error, where = x;
    }
    if (getenv("KRAIT_SWEEP"))
        printf("exp in double: %.4f ulp at %a\n", worst, where);
    test_note("%.4f ulp at %a", worst, where);
    CHECK(worst <= 1.2);
    test_note("%s", "");
    CHECK(kr_exp(0) == 1 && isnan(kr_exp(NAN)));
    CHECK(kr_exp(710) == HUGE_VAL && kr_exp(HUGE_VAL) == HUGE_VAL);
    CHECK(kr_exp(-708.1) == 0 && kr_exp(-HUGE_VAL) == 0 && kr_exp(-708) > DBL_MIN);
}

/* ---- fma ----------------------------------------------------------------------------------- */

/* The same number, the sign of zero included; any NaN is any NaN. */
static int check_fma(float a, float b, float c)
{
    volatile float x = a, y = b, z = c;         /* no folding by the compiler */
    float          want = fmaf(x, y, z), got = kr_fma_soft(x, y, z);

    test_note("%a * %a + %a: %a, expected %a", a, b, c, got, want);
    return CHECK(kr_canonical_bits(got) == kr_canonical_bits(want)) &
           CHECK(kr_canonical_bits(kr_fma(x, y, z)) == kr_canonical_bits(want));
}

/* That of musl leans on roundings, which WebAssembly has not; that of mingw-w64 on long double. */
static int fmaf_is_right(void)
{
    volatile float x = 0x1.001p+0f, y = 0x1p-70f;

    return fmaf(x, x, -y) == 0x1.002p+0f;
}

TEST(real_fma_of_odd_numbers)
{
    static const uint32_t odd[] = {
        0, 1, 2, 0x007fffff, 0x00800000, 0x00800001, 0x00ffffff, 0x01000000,    /* subnormal and near */
        0x33800000, 0x34000000, 0x3f000000, 0x3f7fffff, 0x3f800000, 0x3f800001, 0x3f800002, 0x3fc00000,
        0x4b000000, 0x4b7fffff, 0x4b800000, 0x5f000000, 0x7e800000, 0x7f000000, 0x7f7ffffe, 0x7f7fffff,
        0x7f800000, 0x7fc00000, 0x1f800000, 0x1f800001, 0x20000000, 0x3effffff, 0x40490fdb, 0x00400000
    };
    enum { N = sizeof odd / sizeof *odd };

    if (!fmaf_is_right()) {
        test_skip("this libm's fmaf rounds twice");
        return;
    }
    for (size_t i = 0; i < 2 * N; i++)
        for (size_t j = 0; j < N; j++)
            for (size_t k = 0; k < 2 * N; k++)
                if (!check_fma(kr_float_of(odd[i % N] | (i < N ? 0 : 0x80000000u)), kr_float_of(odd[j]),
                               kr_float_of(odd[k % N] | (k < N ? 0 : 0x80000000u))))
                    return;
    test_note("%s", "");
}

/* c near -a b or half a unit off a rounding: where a second rounding would show. */
static int check_hard_fma(kr_random *random)
{
    uint32_t bits = kr_random_u32(random);
    int      shift = (int)(bits % 60) - 30;
    float    a = kr_float_of((kr_random_u32(random) & 0x807fffffu) | 0x3f800000u);
    float    b = ldexpf(kr_float_of((kr_random_u32(random) & 0x007fff00u) | 0x3f800000u), shift);
    double   product = (double)a * b;

    switch (bits >> 6 & 7) {
    case 0:     /* cancellation, to the last bits */
        return check_fma(a, b, -(float)product) & check_fma(a, b, nextafterf(-(float)product, 0));
    case 1:     /* a sum halfway between two floats, or just beside it */
        return check_fma(ldexpf(1, shift), 1.0f + ldexpf(1, -12) * (float)(bits >> 20),
                         ldexpf(1, shift + 24 + (int)(bits >> 9 & 1)));
    case 2:     /* c far below the product, which is halfway: decides which way it goes */
        return check_fma(1.0f + 0x1p-12f, 1.0f + 0x1p-12f,
                         ldexpf(bits >> 9 & 1 ? a : -a, -40 - (shift + 30)));
    case 3:     /* the product far below c */
        return check_fma(ldexpf(a, -70), b, b);
    case 4:     /* subnormal results */
        return check_fma(ldexpf(a, -75), ldexpf(b, -65 - shift), ldexpf(a, -140));
    case 5:     /* halves of the smallest subnormal */
        return check_fma(ldexpf(1, -75), ldexpf((float)((bits >> 9 & 7) + 1), -76),
                         ldexpf((float)(bits >> 12 & 7), -149));
    case 6:     /* at the edge of overflow */
        return check_fma(ldexpf(a, 64), ldexpf(b, 63 - shift),
                         kr_float_of(0x7f7fffffu ^ (bits & 0x80000000u)));
    default:    /* any bits at all */
        return check_fma(kr_float_of(bits ^ kr_random_u32(random)), kr_float_of(kr_random_u32(random)),
                         kr_float_of(kr_random_u32(random)));
    }
}

TEST(real_fma_of_random_numbers)
{
    kr_random random = kr_random_from(2);

    if (!fmaf_is_right()) {
        test_skip("this libm's fmaf rounds twice");
        return;
    }
    for (int i = 0; i < 2000000; i++)
        if (!check_hard_fma(&random))
            return;
    test_note("%s", "");
}

/* ---- 16-bit floats ------------------------------------------------------------------------- */

static double half_value(unsigned h)
{
    unsigned exponent = h >> 10 & 31, fraction = h & 1023;
    double   magnitude = exponent == 31 ? (fraction ? NAN : HUGE_VAL)
                       : exponent ? ldexp(1024 + fraction, (int)exponent - 25) : ldexp(fraction, -24);

    return h & 0x8000 ? -magnitude : magnitude;
}

TEST(real_halves_to_floats)
{
    for (unsigned h = 0; h < 65536; h++) {
        float  x = kr_float_of_half((uint16_t)h);
        double want = half_value(h);

        test_note("half %04x", h);
        if (isnan(want)) {
            CHECK(isnan(x) && (kr_half_of_float(x) & 0x7fff) == 0x7e00);
            CHECK(kr_bits_of(x) >> 22 & 1);     /* quiet */
            continue;
        }
        CHECK(x == want && !signbit(x) == (h < 0x8000));
        CHECK_INT(kr_half_of_float(x), h);
    }
    test_note("%s", "");
}

/* The half nearest to x, by looking between 'below' and the next: their middle goes to the even one. */
static void check_half(float x, unsigned below)
{
    double   low = half_value(below), high = below == 0x7bff ? 65536.0 : half_value(below + 1);
    double   middle = (low + high) / 2;
    unsigned want = x < middle || (x == middle && below % 2 == 0) ? below : below + 1;

    test_note("float %a between halves %04x and %04x", x, below, below + 1);
    CHECK_INT(kr_half_of_float(x), want);
    CHECK_INT(kr_half_of_float(-x), want | 0x8000);
}

TEST(real_floats_to_halves)
{
    for (unsigned h = 0; h < 0x7c00; h++) {
        float low = (float)half_value(h), high = h == 0x7bff ? 65536.0f : (float)half_value(h + 1);
        float middle = (low + high) / 2;        /* exact */

        check_half(nextafterf(low, high), h);
        check_half(nextafterf(middle, low), h);
        check_half(middle, h);
        check_half(nextafterf(middle, high), h);
        check_half(nextafterf(high, low), h);
    }
    test_note("%s", "");
    CHECK_INT(kr_half_of_float((float)INFINITY), 0x7c00);
    CHECK_INT(kr_half_of_float(FLT_MAX), 0x7c00);
    CHECK_INT(kr_half_of_float(-65536.0f), 0xfc00);
    CHECK_INT(kr_half_of_float(FLT_TRUE_MIN), 0);
    CHECK_INT(kr_half_of_float(-FLT_MIN), 0x8000);
}

/* Every bfloat, its neighbours among floats, the middle to the next and the neighbours of that. */
TEST(real_bfloats)
{
    for (uint32_t b = 0; b < 65536; b++) {
        uint32_t u = b << 16, next = b + 1;

        test_note("bfloat %04x", (unsigned)b);
        CHECK_INT(kr_bits_of(kr_float_of_bfloat((uint16_t)b)), u);
        if ((b & 0x7fff) > 0x7f80) {
            CHECK((kr_bfloat_of_float(kr_float_of(u)) & 0x7fff) > 0x7f80);
            continue;
        }
        CHECK_INT(kr_bfloat_of_float(kr_float_of(u)), b);
        if ((b & 0x7fff) == 0x7f80)             /* infinity: what is above is NaN */
            continue;
        CHECK_INT(kr_bfloat_of_float(kr_float_of(u + 1)), b);
        CHECK_INT(kr_bfloat_of_float(kr_float_of(u + 0x7fff)), b);
        CHECK_INT(kr_bfloat_of_float(kr_float_of(u + 0x8000)), b % 2 ? next : b);
        CHECK_INT(kr_bfloat_of_float(kr_float_of(u + 0x8001)), next);
        CHECK_INT(kr_bfloat_of_float(kr_float_of(u + 0xffff)), next);
    }
    test_note("%s", "");
    for (uint32_t u = 0x7f800001u; u < 0x7f820000u; u++)        /* NaN in the low bits alone */
        if (!CHECK((kr_bfloat_of_float(kr_float_of(u)) & 0x7fff) > 0x7f80))
            return;
}

TEST(real_canonical_bits)
{
    CHECK_INT(kr_canonical_bits(kr_float_of(0xffc12345u)), 0x7fc00000);
    CHECK_INT(kr_canonical_bits(kr_float_of(0x7f800001u)), 0x7fc00000);
    CHECK_INT(kr_canonical_bits(-0.0f), 0x80000000u);
    CHECK_INT(kr_canonical_bits(1.0f), 0x3f800000);
}

TEST(real_flush)
{
    CHECK(kr_flush(KR_TINY) == KR_TINY && kr_flush(-KR_TINY) == -KR_TINY);
    CHECK_INT(kr_bits_of(kr_flush(nextafterf(KR_TINY, 0))), 0);
    CHECK_INT(kr_bits_of(kr_flush(-nextafterf(KR_TINY, 0))), 0);
    CHECK_INT(kr_bits_of(kr_flush(-0.0f)), 0);
    CHECK(isnan(kr_flush((float)NAN)) && kr_flush(-(float)INFINITY) == -(float)INFINITY);
}

/* ---- the environment ----------------------------------------------------------------------- */

static uint32_t env_bits(void)
{
#if defined(__SSE__) && defined(__GNUC__)
    return _mm_getcsr();
#elif defined(__aarch64__) && defined(__GNUC__)
    uint64_t control, flags;

    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    __asm__ volatile("mrs %0, fpsr" : "=r"(flags));
    return (uint32_t)(control | flags);         /* no bit is used by both */
#else
    return (uint32_t)fegetround();
#endif
}

/* The settings of the x87, where code goes through it: precision and rounding. */
static unsigned env_x87(void)
{
    uint16_t control = 0;

#if defined(__i386__) && defined(__GNUC__)
    __asm__ volatile("fnstcw %0" : "=m"(control));
#endif
    return control & 0xf00u;
}

/* 1 if floats round to nearest and subnormals are neither flushed nor taken as zero. */
static int env_is_ours(void)
{
    volatile float one = 1.0f, three = 3.0f, tiny = 0x1p-126f, half = 0.5f, least = 0x1p-149f;

    return kr_bits_of(one / three) == 0x3eaaaaabu && kr_bits_of(-one / three) == 0xbeaaaaabu &&
           kr_bits_of(tiny * half) == 0x00400000u && least * (one / least) > 0 && least + least > least &&
           fegetround() == FE_TONEAREST;
}

TEST(fpenv_enter_and_leave)
{
    static const int roundings[] = {
        FE_TONEAREST,
#ifdef FE_UPWARD
        FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO
#endif
    };

    for (size_t i = 0; i < sizeof roundings / sizeof *roundings; i++)
        for (unsigned flush = 0; flush < 2; flush++) {
            volatile float zero = 0.0f;
            uint32_t       before, within, after;
            unsigned       x87, x87_within;
            int            ours;
            kr_fpenv       host;

            fesetround(roundings[i]);
#if defined(__SSE__) && defined(__GNUC__)
            _mm_setcsr((_mm_getcsr() & ~0x3fu & ~0x200u) | (flush ? 0x8040u : 0));  /* traps on 1 / 0 */
#elif defined(__aarch64__) && defined(__GNUC__)
            feclearexcept(FE_ALL_EXCEPT);
            __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)(env_bits() | flush << 24)));
#endif
            before = env_bits();
            x87 = env_x87();
            host = kr_fpenv_enter();
            within = env_bits();
            x87_within = env_x87();
            zero = 1.0f / zero;                 /* no trap, and no flag left behind */
            kr_fpenv_leave(host);
            after = env_bits();
            x87 ^= env_x87();
            host = kr_fpenv_enter();
            fesetround(FE_TONEAREST);           /* where that is more than MXCSR */
            ours = env_is_ours();
            kr_fpenv_leave(host);
            fesetenv(FE_DFL_ENV);
            test_note("rounding %d, flush %u", roundings[i], flush);
            CHECK_U64(after, before);
            CHECK(ours && isinf(zero));
            CHECK_INT(x87, 0);
            CHECK(x87_within == 0 || x87_within == 0x300);      /* 64 bits, to nearest */
#if defined(__SSE__) && defined(__GNUC__)
            CHECK_U64(within, 0x1f80);
#elif defined(__aarch64__) && defined(__GNUC__)
            CHECK_U64(within, 0);
#else
            CHECK_INT(within, FE_TONEAREST);
#endif
        }
    test_note("%s", "");
}
