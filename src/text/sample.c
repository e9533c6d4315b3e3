/*
 * sample.c - one token out of a row of logits, in place and without sorting.
 *
 * Two things make the answer the same on every machine.  Probabilities are summed as
 * whole numbers (the weight of a token is floor(p / p_best * 2^40)), and whole numbers
 * have one sum in any order.  And "the best ones" are found by value first and id second,
 * so that every cut has one answer: a radix selection over the bits of the floats finds
 * the worst token that stays in four passes of one byte each, counting tokens for top-k,
 * weights for top-p.
 *
 * Work is bounded by 20 passes over the logits, whatever is in them, one exp for each
 * that top-k left, and one pass over the recent tokens for every 32768 ids.  A top-k of
 * up to 256 is one pass and a selection among 1024 for every 768 logits that beat the k
 * best before them: for 50 280 logits in no order that takes 0.1 ms.
 */
#include "text/sample.h"

#include "core/bits.h"
#include "core/real.h"

#define RADIX_BUCKETS  256u
#define SEEN_IDS       32768u   /* ids of one pass over the recent tokens: 4 KB of bits */
#define WEIGHT_BITS    40u
#define GATHER_ROOM    1024u    /* 4 KB of ids */
#define GATHER_MOST    256u
#define NEVER          (-30.0f) /* exp(-30) * 2^40 < 1: such a token has no weight */
#define MINUS_INFINITY kr_float_of(0xff800000u)
#define PLUS_INFINITY  kr_float_of(0x7f800000u)

/* ---- the generator ---- */

static uint64_t rotate_left(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

void kr_rng_start(krait_rng *rng, uint64_t seed)
{
    int i;

    for (i = 0; i < 2; i++) {           /* splitmix64 */
        uint64_t z = seed += 0x9e3779b97f4a7c15u;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        rng->word[i] = z ^ z >> 31;
    }
}

/*
 * The upper 24 bits of the next number of xoroshiro128+ (the constants of 2018), whose
 * lowest bits are weak.  Two words of zero, which it never leaves nor comes to by itself,
 * are what a caller has who forgot to seed: they stand for the seed 0.
 */
static uint32_t next_24_bits(krait_rng *rng)
{
    uint64_t a, b, sum;

    if (!rng->word[0] && !rng->word[1])
        kr_rng_start(rng, 0);
    a = rng->word[0];
    b = rng->word[1];
    sum = a + b;
    b ^= a;
    rng->word[0] = rotate_left(a, 24) ^ b ^ b << 16;
    rng->word[1] = rotate_left(b, 37);
    return (uint32_t)(sum >> 40);
}

/* ---- arguments ---- */

static int in_unit_range(float x)
{
    return x >= 0 && x <= 1;            /* NaN is in no range */
}

static int finite_from_zero(float x)
{
    return x >= 0 && x < PLUS_INFINITY;
}

static krait_status check_sampling(size_t count, const krait_sample_options *o,
                                   const krait_rng *rng)
{
    size_t i;

    if (!finite_from_zero(o->temperature) || !finite_from_zero(o->repetition)
        || !in_unit_range(o->top_p) || !in_unit_range(o->min_p))
        return KRAIT_ERR_ARGUMENT;
    if (o->temperature > 0 && !rng)
        return KRAIT_ERR_ARGUMENT;
    if (o->recent_count && !o->recent)
        return KRAIT_ERR_ARGUMENT;
    for (i = 0; i < o->recent_count; i++)
        if ((size_t)o->recent[i] >= count)      /* those below 0 too */
            return KRAIT_ERR_ARGUMENT;
    return KRAIT_OK;
}

/* ---- logits ---- */

/*
 * A recent token is made less likely once, however often it occurs.  The bits of those
 * already met are kept for a part of the ids at a time.
 */
static void discourage(float *logits, size_t count, const krait_sample_options *o)
{
    unsigned char seen[SEEN_IDS / 8];
    size_t        first, i;

    for (first = 0; first < count; first += SEEN_IDS) {
        memset(seen, 0, sizeof seen);
        for (i = 0; i < o->recent_count; i++) {
            size_t   id = (size_t)o->recent[i], bit = id - first;   /* huge below first */
            unsigned mask = 1u << (bit & 7);

            if (bit >= SEEN_IDS || (seen[bit >> 3] & mask))
                continue;
            seen[bit >> 3] = (unsigned char)(seen[bit >> 3] | mask);
            logits[id] = logits[id] > 0 ? logits[id] / o->repetition
                                        : logits[id] * o->repetition;
        }
    }
}

/* The lowest id of the highest logit, NaN being below all; 0 if all are NaN. */
static size_t most_likely(const float *logits, size_t count)
{
    float  highest = MINUS_INFINITY;
    size_t best = 0, i;

    for (i = 0; i < count; i++)
        if (logits[i] > highest) {
            highest = logits[i];
            best = i;
        }
    for (i = best; i < count && !(logits[i] >= highest); i++)   /* -infinity beats NaN */
        ;
    return i < count ? i : 0;
}

/* NaN becomes -infinity and -0 becomes +0: then values are ordered as their bits are. */
static float tidy_logit(float x)
{
    return x == x ? x + 0.0f : MINUS_INFINITY;
}

/* exp of NEVER..0, with no fma: that is slow where it is software. */
static float exp_of_negative(float x)
{
    float shifted = x * KR_LOG2_E + KR_ROUND, n = shifted - KR_ROUND;
    float r = (x - n * KR_LN2_HIGH) - n * KR_LN2_LOW;
    float p = KR_EXP_6 * r + KR_EXP_5;

    p = p * r + KR_EXP_4;
    p = p * r + KR_EXP_3;
    p = p * r + KR_EXP_2;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * kr_float_of((kr_bits_of(shifted) << 23) + 0x3f800000u);
}

/*
 * Logits become probabilities relative to the highest, exp((x - highest) / temperature).
 * NaN has none; beside a logit of +infinity nothing finite has any.
 */
static void weigh_logits(float *x, size_t count, float highest, float temperature)
{
    int    infinite = highest == PLUS_INFINITY;
    size_t i;

    for (i = 0; i < count; i++) {
        float cooled = (x[i] - highest) / temperature;

        if (infinite)
            x[i] = x[i] == highest ? 1.0f : 0.0f;
        else
            x[i] = cooled > NEVER ? exp_of_negative(cooled) : 0.0f;
    }
}

/* ---- cuts ---- */

/* Orders tidy floats as unsigned numbers. */
static uint32_t rank_bits(float x)
{
    uint32_t u = kr_bits_of(x);

    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

/* The largest shift up to 40 for which 'count' weights of 2^shift fit 63 bits. */
static unsigned weight_shift(size_t count)
{
    unsigned shift = WEIGHT_BITS;

    while ((uint64_t)count > (UINT64_MAX >> 1) >> shift)
        shift--;
    return shift;
}

/* A probability relative to the best one, 0..1, as a whole number. */
static uint64_t weight_of(float likelihood, float scale)
{
    return (uint64_t)(int64_t)(likelihood * scale);
}

static uint64_t sum_weights(const float *likelihood, size_t count, float scale)
{
    uint64_t total = 0;
    size_t   i;

    for (i = 0; i < count; i++)
        total += weight_of(likelihood[i], scale);
    return total;
}

/*
 * (total * fraction + rounding) / 2^24 without overflow: total < 2^63, fraction <= 2^24,
 * rounding below 2^24.
 */
static uint64_t part_of(uint64_t total, uint32_t fraction, uint32_t rounding)
{
    return (total >> 24) * fraction + (((total & 0xffffffu) * fraction + rounding) >> 24);
}

/*
 * Best first, values equal to the last bit by ascending id: keep the shortest beginning
 * whose weights reach 'mass' and set the rest to 'cut'.  Scale 0: every one weighs 1.
 * Each pass fixes one byte more of the worst value that stays; what is better than it has
 * been taken off 'mass' then.
 */
static void keep_best(float *values, size_t count, uint64_t mass, float scale, float cut)
{
    uint32_t worst = 0, known = 0;
    size_t   i;
    int      shift;

    for (shift = 24; shift >= 0; shift -= 8) {
        uint64_t bucket[RADIX_BUCKETS] = { 0 };
        uint32_t byte = RADIX_BUCKETS - 1;

        for (i = 0; i < count; i++) {
            uint32_t r = rank_bits(values[i]);

            if ((r & known) == worst)
                bucket[r >> shift & 0xffu] += scale > 0 ? weight_of(values[i], scale) : 1;
        }
        while (byte > 0 && bucket[byte] < mass)
            mass -= bucket[byte--];
        worst |= byte << shift;
        known |= 0xffu << shift;
    }
    for (i = 0; i < count; i++) {
        uint32_t r = rank_bits(values[i]);

        if (r > worst)
            continue;
        if (r < worst || mass == 0) {
            values[i] = cut;
        } else {
            uint64_t weight = scale > 0 ? weight_of(values[i], scale) : 1;

            mass -= weight < mass ? weight : mass;
        }
    }
}

/* ---- choosing ---- */

/*
 * Of the first 'held' values the 'most' best, moved together in their order, and their
 * ids; returns how many those are.
 */
static size_t thin_out(float *x, int32_t *ids, size_t held, size_t most)
{
    size_t kept = 0, i;

    keep_best(x, held, most, 0.0f, MINUS_INFINITY);
    for (i = 0; i < held; i++)
        if (x[i] > MINUS_INFINITY) {
            x[kept] = x[i];
            ids[kept++] = ids[i];
        }
    return kept;
}

static float lowest_of(const float *x, size_t count)
{
    float  lowest = PLUS_INFINITY;
    size_t i;

    for (i = 0; i < count; i++)
        if (x[i] < lowest)
            lowest = x[i];
    return lowest;
}

/*
 * The 'most' best logits move to the front, by ascending id; returns how many, which is
 * fewer only where the rest are -infinity or NaN.  Those ahead so far are held, and
 * thinned out when there are too many: from then on a logit must beat the worst of them.
 */
static size_t gather_best(float *x, size_t count, size_t most, int32_t *ids)
{
    float  bar = MINUS_INFINITY;
    size_t held = 0, i;

    for (i = 0; i < count; i++) {
        if (!(x[i] > bar))
            continue;
        if (held == GATHER_ROOM) {
            held = thin_out(x, ids, held, most);
            bar = lowest_of(x, held);
            if (!(x[i] > bar))
                continue;
        }
        x[held] = tidy_logit(x[i]);
        ids[held++] = (int32_t)i;
    }
    return held > most ? thin_out(x, ids, held, most) : held;
}

/* The same where they lie, for any number of them. */
static void mark_best(float *x, size_t count, size_t most)
{
    size_t i;

    for (i = 0; i < count; i++)
        x[i] = tidy_logit(x[i]);
    keep_best(x, count, most, 0.0f, MINUS_INFINITY);
}

static void drop_below(float *likelihood, size_t count, float least)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (likelihood[i] < least)
            likelihood[i] = 0.0f;
}

/* The first id at which the sum of weights so far exceeds fraction / 2^24 of them all. */
static size_t pick_token(const float *likelihood, size_t count, float scale,
                         uint32_t fraction)
{
    uint64_t target = part_of(sum_weights(likelihood, count, scale), fraction, 0);
    size_t   i;

    for (i = 0; i + 1 < count; i++) {
        uint64_t weight = weight_of(likelihood[i], scale);

        if (target < weight)
            break;
        target -= weight;
    }
    return i;
}

/*
 * Top-k comes before the division by the temperature, which keeps the order: the cut is
 * that of the exact quotients, and few need dividing.
 */
static int32_t choose_token(float *x, size_t count, float highest,
                            const krait_sample_options *o, uint32_t fraction)
{
    float   scale = (float)((uint64_t)1 << weight_shift(count));
    int     gathered = o->top_k > 0 && o->top_k < count && o->top_k <= GATHER_MOST;
    int32_t ids[GATHER_ROOM];
    size_t  chosen;

    if (gathered)
        count = gather_best(x, count, o->top_k, ids);
    else if (o->top_k > 0 && o->top_k < count)
        mark_best(x, count, o->top_k);

    weigh_logits(x, count, highest, o->temperature);
    if (o->top_p > 0 && o->top_p < 1) {
        uint32_t share = (uint32_t)(o->top_p * 0x1p24f);
        uint64_t mass = part_of(sum_weights(x, count, scale), share, 0xffffffu);

        keep_best(x, count, mass ? mass : 1, scale, 0.0f);
    }
    if (o->min_p > 0)
        drop_below(x, count, o->min_p);     /* the best one has exp(0), exactly 1 */
    chosen = pick_token(x, count, scale, fraction);
    return gathered ? ids[chosen] : (int32_t)chosen;
}

krait_status kr_sample_token(float *logits, size_t count,
                             const krait_sample_options *options, krait_rng *rng,
                             int32_t *token)
{
    static const krait_sample_options greedy = { .size = sizeof greedy };
    const krait_sample_options       *o = options ? options : &greedy;
    krait_status                      status;
    size_t                            best;
    uint32_t                          fraction;

    if (!logits || !token || count == 0 || count > (size_t)INT32_MAX)
        return KRAIT_ERR_ARGUMENT;
    if ((status = check_sampling(count, o, rng)) != KRAIT_OK)
        return status;

    if (o->repetition > 0)
        discourage(logits, count, o);
    best = most_likely(logits, count);
    *token = (int32_t)best;
    if (o->temperature > 0) {
        fraction = next_24_bits(rng);
        if (logits[best] > MINUS_INFINITY)      /* else none is likelier */
            *token = choose_token(logits, count, logits[best], o, fraction);
    }
    return KRAIT_OK;
}
