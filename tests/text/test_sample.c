/*
 * test_sample.c - the sampler against a slow one that sorts and adds in double, against
 * frequencies, and against a recorded sequence.
 */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/sample.h"

enum { MOST_LOGITS = 5000 };

static uint64_t dice = 1;

static uint32_t throw_dice(void)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice >> 33);
}

static float one_of(const float *pool, size_t count)
{
    return pool[throw_dice() % count];
}

#define ONE_OF(pool) one_of(pool, sizeof pool / sizeof pool[0])

/* The 24 bits that the generator will give next. */
static uint32_t coming(const krait_rng *rng)
{
    return (uint32_t)((rng->word[0] + rng->word[1]) >> 40);
}

static int32_t sample(const float *logits, size_t count, const krait_sample_options *o,
                      krait_rng *rng)
{
    static float scratch[MOST_LOGITS];
    int32_t      token = -7;

    memcpy(scratch, logits, count * sizeof *logits);
    CHECK_STATUS(kr_sample_token(scratch, count, o, rng, &token), KRAIT_OK);
    return token;
}

/* ---- the generator ---- */

TEST(rng_published_numbers)
{
    static const uint64_t numbers[] = {     /* of the authors' program from 1, 2 */
        3u, 412333834243u, 2360170716294286339u, 9295852285959843169u,
        2797080929874688578u, 6019711933173041966u, 3076529664176959358u,
        3521761819100106140u, 7493067640054542992u, 920801338098114767u
    };
    krait_sample_options o = { .size = sizeof o, .temperature = 1 };
    krait_rng            rng;
    float                logits[2] = { 0, 0 };
    size_t               i;

    kr_rng_start(&rng, 1234567);
    CHECK_U64(rng.word[0], 6457827717110365317u);
    CHECK_U64(rng.word[1], 3203168211198807973u);

    rng = (krait_rng){ { 1, 2 } };
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        CHECK_U64(rng.word[0] + rng.word[1], numbers[i]);
        CHECK_INT(sample(logits, 2, &o, &rng), (int)(numbers[i] >> 63));
    }
}

TEST(rng_moves_once)
{
    static const float   cases[][3] = {
        { 1, 2, 3 }, { NAN, NAN, NAN }, { -INFINITY, NAN, -INFINITY },
        { INFINITY, 0, NAN }
    };
    krait_sample_options o = { .size = sizeof o, .temperature = 0.5f };
    krait_rng            a, b, zero = { { 0, 0 } }, seeded;
    size_t               i;

    kr_rng_start(&a, 9);
    for (i = 0; i < 4; i++) {
        b = (krait_rng){ { 5, 6 } };
        a = b;
        sample(cases[i], 3, &o, &a);
        sample(cases[0], 3, &o, &b);
        CHECK_BYTES(&a, &b, sizeof a);
    }
    o.temperature = 0;
    sample(cases[0], 3, &o, &a);
    CHECK_BYTES(&a, &b, sizeof a);

    o.temperature = 1;
    kr_rng_start(&seeded, 0);
    sample(cases[0], 3, &o, &zero);
    sample(cases[0], 3, &o, &seeded);
    CHECK_BYTES(&zero, &seeded, sizeof zero);
}

/* ---- arguments ---- */

TEST(sample_arguments)
{
    static const float bad[] = { -1, NAN, INFINITY, -INFINITY, -1e-30f };
    float              logits[4] = { 1, 2, 3, 4 }, before[4] = { 1, 2, 3, 4 };
    int32_t            token = -7, recent[3] = { 1, 4, 0 };
    krait_rng          rng = { { 1, 2 } }, same = rng;
    size_t             i;

#define REFUSED(...)                                                        \
    do {                                                                    \
        krait_sample_options o = { .size = sizeof o, __VA_ARGS__ };         \
        krait_status         status = kr_sample_token(logits, 4, &o, &rng,  \
                                                      &token);              \
                                                                            \
        CHECK_STATUS(status, KRAIT_ERR_ARGUMENT);                           \
    } while (0)

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        REFUSED(.temperature = bad[i]);
        REFUSED(.temperature = 1, .top_p = bad[i]);
        REFUSED(.temperature = 1, .min_p = bad[i]);
        REFUSED(.repetition = bad[i]);
    }
    REFUSED(.temperature = 1, .top_p = 1.0001f);
    REFUSED(.temperature = 1, .min_p = 1.0001f);
    REFUSED(.repetition = 1.1f, .recent = recent, .recent_count = 3);
    recent[1] = -1;
    REFUSED(.repetition = 1.1f, .recent = recent, .recent_count = 3);
    recent[1] = INT32_MIN;
    REFUSED(.repetition = 1.1f, .recent = recent, .recent_count = 3);
    REFUSED(.repetition = 1.1f, .recent_count = 3);
#undef REFUSED

    CHECK_STATUS(kr_sample_token(NULL, 4, NULL, &rng, &token), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(kr_sample_token(logits, 0, NULL, &rng, &token), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(kr_sample_token(logits, 4, NULL, &rng, NULL), KRAIT_ERR_ARGUMENT);
    if (SIZE_MAX > INT32_MAX)
        CHECK_STATUS(kr_sample_token(logits, (size_t)INT32_MAX + 1, NULL, &rng, &token),
                     KRAIT_ERR_ARGUMENT);
    {
        krait_sample_options o = { .size = sizeof o, .temperature = 1 };

        CHECK_STATUS(kr_sample_token(logits, 4, &o, NULL, &token), KRAIT_ERR_ARGUMENT);
    }
    CHECK_BYTES(logits, before, sizeof logits);
    CHECK_BYTES(&rng, &same, sizeof rng);
    CHECK_INT(token, -7);
    CHECK_STATUS(kr_sample_token(logits, 4, NULL, NULL, &token), KRAIT_OK);
    CHECK_INT(token, 3);
}

TEST(sample_special_values)
{
    static const struct {
        float   logits[5];
        int32_t first;                      /* greedy, and at any temperature below */
    } cases[] = {
        { { 1, 3, 3, 2, 3 }, 1 },
        { { -0.0f, 0, 0, -1, -0.0f }, 0 },
        { { NAN, NAN, NAN, NAN, NAN }, 0 },
        { { NAN, -INFINITY, NAN, -INFINITY, NAN }, 1 },
        { { NAN, NAN, -3e38f, -INFINITY, NAN }, 2 },
        { { 3e38f, NAN, INFINITY, 3e38f, -INFINITY }, 2 },
        { { -3e38f, 3e38f, -3e38f, NAN, 3e38f }, 1 },
        { { -1e-45f, 0, 1e-45f, 0, 0 }, 2 },
    };
    krait_rng rng;
    size_t    i;

    kr_rng_start(&rng, 3);
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        krait_sample_options one = { .size = sizeof one, .temperature = 1, .top_k = 1 };
        krait_sample_options all = { .size = sizeof all, .temperature = 1, .min_p = 1 };
        int32_t              token;

        test_note("case %d", (int)i);
        CHECK_INT(sample(cases[i].logits, 5, NULL, NULL), cases[i].first);
        CHECK_INT(sample(cases[i].logits, 5, &one, &rng), cases[i].first);
        token = sample(cases[i].logits, 5, &all, &rng);
        if (i < 7)      /* an equal of the best; 1e-45 and 0 have one probability */
            CHECK(token == cases[i].first
                  || cases[i].logits[token] == cases[i].logits[cases[i].first]);
    }
    test_note("%s", "");
}

/* A token met twice counts once; so do those beyond the first 32768 ids. */
TEST(sample_repetition)
{
    static float         logits[100000];
    int32_t              recent[] = { 7, 99999, 7, 7, 40000, 7, 32768, 99999, 32767 };
    krait_sample_options o = { .size = sizeof o, .repetition = 2, .recent = recent,
                               .recent_count = sizeof recent / sizeof recent[0] };
    int32_t              token;
    size_t               i;

    for (i = 0; i < 100000; i++)
        logits[i] = i % 2 ? 8 : -8;
    CHECK_STATUS(kr_sample_token(logits, 100000, &o, NULL, &token), KRAIT_OK);
    CHECK_INT(token, 1);
    for (i = 0; i < 100000; i++) {
        int   met = i == 7 || i == 99999 || i == 40000 || i == 32768 || i == 32767;
        float expected = i % 2 ? (met ? 4.0f : 8.0f) : (met ? -16.0f : -8.0f);

        if (!CHECK_CLOSE(logits[i], expected, 0))
            break;
    }
}

/* ---- the slow sampler ---- */

struct ranked {
    double  x;
    int32_t id;
};

static int better_first(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;

    if (isnan(a->x) != isnan(b->x))
        return isnan(a->x) ? 1 : -1;
    if (!isnan(a->x) && a->x != b->x)
        return a->x > b->x ? -1 : 1;
    return a->id < b->id ? -1 : 1;
}

static double relative(double x, double highest, double temperature)
{
    if (isnan(x))
        return 0;
    if (highest == (double)INFINITY)
        return x == highest;
    return exp((x - highest) / temperature);
}

static size_t rank_all(struct ranked *list, const float *logits, size_t count,
                       const krait_sample_options *o)
{
    size_t i, j;

    for (i = 0; i < count; i++) {
        float x = logits[i];

        for (j = 0; o->repetition > 0 && j < o->recent_count; j++)
            if ((size_t)o->recent[j] == i) {
                x = x > 0 ? x / o->repetition : x * o->repetition;
                break;
            }
        list[i] = (struct ranked){ (double)x, (int32_t)i };
    }
    qsort(list, count, sizeof *list, better_first);
    return o->top_k && o->top_k < count ? o->top_k : count;
}

static int by_id(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;

    return a->id < b->id ? -1 : 1;
}

/* Probabilities that are one float are ties, whatever the logits were. */
static void rank_again(struct ranked *list, size_t count, double highest,
                       double temperature)
{
    size_t i;

    for (i = 0; i < count; i++)
        list[i].x = (double)(float)relative(list[i].x, highest, temperature);
    qsort(list, count, sizeof *list, better_first);
}

/*
 * May 'token' come out when the generator says 'u'?  Cuts within 'slack' of a bound may
 * fall on either side of it, so each is tried three ways; and what is one float here may
 * be two there, so both orders are tried.
 */
static int plausible(const float *logits, size_t count, const krait_sample_options *o,
                     double u, int32_t token, double slack)
{
    static struct ranked ranked[MOST_LOGITS], kept[MOST_LOGITS];
    size_t               most = rank_all(ranked, logits, count, o), i;
    double               highest = ranked[0].x, t = (double)o->temperature;
    int                  way;

    if (isnan(highest) || highest == (double)-INFINITY || o->temperature <= 0)
        return token == ranked[0].id;
    for (way = 0; way < 18; way++) {
        double top_p = (double)o->top_p + slack * (way % 3 - 1);
        double min_p = (double)o->min_p * (1 + slack * (way / 3 % 3 - 1));
        double all = 0, sum = 0, total = 0;
        size_t n = 0;

        if (way == 9)
            rank_again(ranked, most, highest, t);
        for (i = 0; i < most; i++)
            all += way < 9 ? relative(ranked[i].x, highest, t) : ranked[i].x;
        for (i = 0; i < most; i++) {
            double w = way < 9 ? relative(ranked[i].x, highest, t) : ranked[i].x;

            if (i > 0 && o->top_p > 0 && o->top_p < 1 && sum >= top_p * all)
                break;
            sum += w;
            if (w < min_p)
                break;
            kept[n++] = (struct ranked){ w, ranked[i].id };
            total += w;
        }
        qsort(kept, n, sizeof *kept, by_id);
        for (sum = 0, i = 0; i < n; sum += kept[i++].x)
            if (kept[i].id == token && kept[i].x > 0 && u >= sum / total - slack
                && u <= (sum + kept[i].x) / total + slack)
                return 1;
    }
    return 0;
}

static void random_logits(float *logits, size_t count, int kind)
{
    static const float strange[] = {
        NAN, INFINITY, -INFINITY, 3.4e38f, -3.4e38f, 0, -0.0f, 1e-45f, -1e-45f, 1, 2,
        2.0000002f, 88, -104, 1e-30f
    };
    size_t             i;

    for (i = 0; i < count; i++) {
        float even = (float)throw_dice() * 0x1p-31f;

        if (kind == 0)
            logits[i] = 30 * even - 20;
        else if (kind == 1)
            logits[i] = (float)(int)(9 * even) * 0.5f;          /* many ties */
        else if (kind == 2)
            logits[i] = throw_dice() % 4 ? even : ONE_OF(strange);
        else if (kind == 3)
            logits[i] = (float)i * 0.01f;
        else if (kind == 4)
            logits[i] = throw_dice() % 50 ? NAN : -even;
        else
            logits[i] = i == count / 3 ? 0 : -13 - even;        /* together 1 % */
    }
}

TEST(sample_against_sorting)
{
    static const float temperatures[] = { 0, 1e-30f, 0.1f, 0.8f, 1, 1, 5, 1e30f };
    static const float shares[] = { 0, 0, 1e-9f, 0.1f, 0.5f, 0.9f, 0.95f, 1 };
    static const float leasts[] = { 0, 0, 0, 1e-6f, 0.05f, 0.5f, 1 };
    static const float repetitions[] = { 0, 0, 1.1f, 2, 0.5f, 1 };
    static const int   sizes[] = { 1, 2, 3, 11, 256, 300, 1023, 1024, 1025, 1500, 5000 };
    static const int   tops[] = { 0, 0, 1, 2, 40, 255, 256, 257, 700, 1024, 5000 };
    static float       logits[MOST_LOGITS];
    static int32_t     recent[64];
    krait_rng          rng;
    int                n;

    dice = 2024;
    kr_rng_start(&rng, 11);
    for (n = 0; n < 4000; n++) {
        size_t               count = (size_t)sizes[throw_dice() % 11], i;
        int                  kind = (int)(throw_dice() % 6);
        krait_sample_options o = { .size = sizeof o, .recent = recent };
        double               u = coming(&rng) * 0x1p-24;
        int32_t              token;

        o.temperature = ONE_OF(temperatures);
        o.top_p = ONE_OF(shares);
        o.min_p = ONE_OF(leasts);
        o.repetition = ONE_OF(repetitions);
        o.top_k = (uint32_t)tops[throw_dice() % 11];
        o.recent_count = throw_dice() % 64;
        for (i = 0; i < o.recent_count; i++)
            recent[i] = (int32_t)(throw_dice() % count);
        random_logits(logits, count, kind);

        token = sample(logits, count, &o, &rng);
        test_note("case %d: %d logits of kind %d, t %g k %u p %g m %g r %g, u %g: %d", n,
                  (int)count, kind, (double)o.temperature, o.top_k, (double)o.top_p,
                  (double)o.min_p, (double)o.repetition, u, (int)token);
        CHECK_OR_RETURN(token >= 0 && (size_t)token < count);
        CHECK_OR_RETURN(plausible(logits, count, &o, u, token, 2e-5));
    }
    test_note("%s", "");
}

/* Exactly the k best, ties to the lower id, however the logits lie. */
static void check_members(const float *logits, size_t count, uint32_t k)
{
    static struct ranked     ranked[MOST_LOGITS];
    static unsigned char     drawn[MOST_LOGITS];
    krait_sample_options     o = { .size = sizeof o, .temperature = 1e30f, .top_k = k };
    krait_rng                rng;
    size_t                   i;

    kr_rng_start(&rng, k);
    memset(drawn, 0, sizeof drawn);
    for (i = 0; i < 12 * (size_t)k; i++)
        drawn[sample(logits, count, &o, &rng)] = 1;
    rank_all(ranked, logits, count, &o);
    for (i = 0; i < count; i++)
        if (!CHECK_INT(drawn[ranked[i].id], i < k))
            return;
}

TEST(sample_top_k_members)
{
    static float    logits[MOST_LOGITS];
    static uint32_t tops[] = { 2, 40, 256, 257 };
    size_t          i, k;

    for (k = 0; k < sizeof tops / sizeof tops[0]; k++) {
        test_note("top-k %u, ascending", tops[k]);
        for (i = 0; i < 2500; i++)
            logits[i] = (float)i;
        check_members(logits, 2500, tops[k]);
        test_note("top-k %u, descending", tops[k]);
        for (i = 0; i < 2500; i++)
            logits[i] = -(float)i;
        check_members(logits, 2500, tops[k]);
        test_note("top-k %u, equal", tops[k]);
        for (i = 0; i < 2500; i++)
            logits[i] = i % 2 ? 0.0f : -0.0f;
        check_members(logits, 2500, tops[k]);
        test_note("top-k %u, ascending in pairs", tops[k]);
        for (i = 0; i < 2500; i++)
            logits[i] = (float)(i / 1001);
        check_members(logits, 2500, tops[k]);
    }
    test_note("%s", "");
}

/* Equal probabilities make bounds that are met exactly: 0.5 of four is two, not three. */
TEST(sample_top_p_members)
{
    static const float   logits[4] = { 1, 1, 1, 1 };
    static const float   shares[] = { 1e-9f, 0.25f, 0.26f, 0.5f, 0.51f, 0.75f, 0.76f };
    static const int     kept[] = { 1, 1, 2, 2, 3, 3, 4 };
    krait_rng            rng;
    size_t               i;
    int                  n, highest;

    kr_rng_start(&rng, 1);
    for (i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        krait_sample_options o = { .size = sizeof o, .temperature = 1,
                                   .top_p = shares[i] };

        for (highest = 0, n = 0; n < 200; n++) {
            int32_t token = sample(logits, 4, &o, &rng);

            highest = token > highest ? token : highest;
        }
        test_note("top-p %g", (double)shares[i]);
        CHECK_INT(highest + 1, kept[i]);
    }
    test_note("%s", "");
}

/* The ends of the range: a token of no weight is never chosen. */
TEST(sample_ends)
{
    static const float   logits[6] = { -INFINITY, NAN, 1, 2, -1e6f, NAN };
    krait_sample_options o = { .size = sizeof o, .temperature = 1 };
    krait_rng            rng = { { 1, 0 } };

    CHECK_INT(coming(&rng), 0);
    CHECK_INT(sample(logits, 6, &o, &rng), 2);
    rng = (krait_rng){ { UINT64_MAX, 0 } };
    CHECK_INT(coming(&rng), 0xffffff);
    CHECK_INT(sample(logits, 6, &o, &rng), 3);
}

/*
 * Of two tokens the first comes out below e / (1 + e), e = exp(-x): the border, searched
 * for in the generator's 24 bits, says how exact the probabilities are.
 */
TEST(sample_probabilities)
{
    krait_sample_options o = { .size = sizeof o, .temperature = 0.3f };
    int                  n;

    for (n = 0; n < 200; n++) {
        float    x = (float)n / 64, logits[2] = { 1000 - x, 1000 };
        double   e = exp(-(double)x / (double)0.3f);
        uint32_t low = 0, high = 1 << 24;

        while (high - low > 1) {
            uint32_t  middle = (low + high) / 2;
            krait_rng rng = { { (uint64_t)middle << 40, 1 } };

            if (sample(logits, 2, &o, &rng) == 0)
                low = middle;
            else
                high = middle;
        }
        test_note("x %d / 64", n);
        CHECK_CLOSE(high * 0x1p-24, e / (1 + e), 3e-7);
    }
    test_note("%s", "");
}

/* ---- frequencies ---- */

static double chi_square(const float *logits, size_t count, const krait_sample_options *o,
                         const double *expected)
{
    enum { DRAWS = 200000 };
    static int drawn[64];
    krait_rng  rng;
    double     sum = 0;
    size_t     i;
    int        n;

    memset(drawn, 0, sizeof drawn);
    kr_rng_start(&rng, 77);
    for (n = 0; n < DRAWS; n++)
        drawn[sample(logits, count, o, &rng)]++;
    for (i = 0; i < count; i++) {
        double off = drawn[i] - expected[i] * DRAWS;

        if (expected[i] > 0)
            sum += off * off / (expected[i] * DRAWS);
        else
            CHECK_INT(drawn[i], 0);
    }
    return sum;
}

TEST(sample_frequencies)
{
    krait_sample_options plain = { .size = sizeof plain, .temperature = 0.8f };
    krait_sample_options cut = { .size = sizeof cut, .temperature = 0.8f, .top_k = 10,
                                 .top_p = 0.9f };
    float                logits[32];
    double               p[32], total = 0, sum = 0, kept = 0;
    int                  i;

    for (i = 0; i < 32; i++) {
        logits[i] = (float)(i * 7 % 32) * -0.125f;      /* token i is number i * 7 % 32 */
        total += p[i] = exp((double)logits[i] / (double)0.8f);
    }
    for (i = 0; i < 32; i++)
        p[i] /= total;
    CHECK(chi_square(logits, 32, &plain, p) < 31 + 5 * sqrt(62));

    for (total = 0, i = 0; i < 10; i++)             /* number i is token i * 23 % 32 */
        total += p[i * 23 % 32];
    for (i = 0; i < 32; i++) {
        double *at = &p[i * 23 % 32], was = *at;

        *at = i < 10 && sum < (double)0.9f * total ? was : 0;
        sum += was;
        kept += *at;
    }
    for (i = 0; i < 32; i++)
        p[i] /= kept;
    CHECK(chi_square(logits, 32, &cut, p) < 9 + 5 * sqrt(18));
}

/* ---- the same on every machine ---- */

TEST(sample_recorded)
{
    static const int32_t recorded[4][12] = {
        { 2714, 235, 1612, 953, 1436, 2863, 2535, 1735, 2079, 1271, 869, 193 },
        { 2731, 235, 1670, 912, 1536, 2880, 2544, 1786, 2079, 1354, 927, 169 },
        { 2714, 235, 1612, 945, 1445, 2863, 2544, 1736, 2079, 1271, 869, 193 },
        { 2714, 235, 1595, 961, 1428, 2871, 2527, 1744, 2070, 1296, 869, 193 }
    };
    static float logits[3000];
    int32_t      recent[12];
    krait_rng    rng;
    int          way, n, i;

    for (way = 0; way < 4; way++) {
        krait_sample_options o = { .size = sizeof o, .recent = recent };

        o.temperature = way == 3 ? 1.7f : 0.8f;
        o.top_k = way == 1 ? 40 : way == 3 ? 500 : 0;
        o.top_p = way >= 1 ? 0.9f : 0;
        o.min_p = way == 2 ? 0.02f : 0;
        o.repetition = way == 1 ? 1.3f : 0;
        kr_rng_start(&rng, 42);
        for (n = 0; n < 12; n++) {
            for (i = 0; i < 3000; i++)
                logits[i] = (float)((i * 7919 + n * 104729) % 65536) * 0x1p-12f - 4;
            o.recent_count = (size_t)n;
            recent[n] = sample(logits, 3000, &o, &rng);
            test_note("way %d, number %d", way, n);
            CHECK_INT(recent[n], recorded[way][n]);
        }
    }
    test_note("%s", "");
}
