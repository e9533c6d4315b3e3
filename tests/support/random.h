/* random.h - the tests' own random numbers: splitmix64, the same everywhere. */
#ifndef KR_TEST_RANDOM_H
#define KR_TEST_RANDOM_H

#include <stdint.h>

typedef struct kr_random { uint64_t state; } kr_random;

static inline kr_random kr_random_from(uint64_t seed)
{
    kr_random random = { seed * 0x9e3779b97f4a7c15ull };

    return random;
}

static inline uint64_t kr_random_u64(kr_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static inline uint32_t kr_random_u32(kr_random *random)
{
    return (uint32_t)(kr_random_u64(random) >> 32);
}

/* Uniform in [-1, 1). */
static inline float kr_random_unit(kr_random *random)
{
    return (float)((int32_t)(kr_random_u32(random) >> 8) - 8388608) * 0x1p-23f;
}

#endif
