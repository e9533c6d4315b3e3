/*
 * Saved forms of states: what is written comes back, what is damaged is refused and leaves the
 * state as it was.
 *
 * saved-1.bin is a form of KRAIT_NUMERICS 1 that stays readable for ever.  It is what
 * krait_state_save() gave, once, for 'made' in the last test below.
 */
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/hash.h"
#include "krait.h"
#include "support/tiny.h"
#include "test.h"

enum { LANES = 2 };

/* A form of about two kilobytes: two lanes of a model with one layer. */
typedef struct saved {
    tiny          *t;
    krait_model   *model;
    krait_state   *state;
    unsigned char *bytes;
    size_t         count;
} saved;

static void saved_start(saved *s)
{
    s->t = tiny_make(&(tiny_sizes){ .vocabulary = 5, .layers = 1, .width = 8, .inner = 20, .states = 6 }, 5);
    s->model = tiny_model(s->t);
    s->state = tiny_state(s->model, LANES, 1);
    tiny_steps(s->model, s->state, LANES, 9, 1, NULL);
    CHECK_STATUS(krait_state_save(s->model, s->state, KRAIT_ALL_LANES, NULL, 0, &s->count), KRAIT_OK);
    s->bytes = malloc(s->count);
    CHECK_STATUS(krait_state_save(s->model, s->state, KRAIT_ALL_LANES, s->bytes, s->count, &s->count), KRAIT_OK);
}

static void saved_end(saved *s)
{
    free(s->bytes);
    krait_state_destroy(s->state, NULL);
    krait_model_close(s->model);
    tiny_free(s->t);
}

static void sign(unsigned char *bytes, size_t count)
{
    kr_store_u64(bytes + count - 8, kr_hash_bytes(KR_HASH_START, bytes, count - 8));
}

/* Loading 'count' bytes, in a block of exactly that size, must fail and leave the state alone. */
static krait_status refused(const krait_model *model, krait_state *state,
                            const unsigned char *bytes, size_t count, int32_t lane)
{
    unsigned char *copy = malloc(count ? count : 1);
    krait_message  message = { "" };
    uint64_t       before = tiny_hash(model, state, KRAIT_ALL_LANES);
    krait_status   status;

    memcpy(copy, bytes, count);
    status = krait_state_load(model, state, lane, copy, count, &message);
    CHECK(status != KRAIT_OK && message.text[0]);
    CHECK_U64(tiny_hash(model, state, KRAIT_ALL_LANES), before);
    free(copy);
    return status;
}

TEST(saved_comes_back)
{
    saved          s;
    krait_state   *to, *narrow;
    unsigned char *again, *one;
    size_t         count, one_count;

    saved_start(&s);
    CHECK(s.count > 1500 && s.count < 3000);
    to = tiny_state(s.model, LANES, 7);
    narrow = tiny_state(s.model, 1, 1);
    again = malloc(s.count);
    one = malloc(s.count);
    CHECK_STATUS(krait_state_load(s.model, to, KRAIT_ALL_LANES, s.bytes, s.count, NULL), KRAIT_OK);
    CHECK_U64(tiny_hash(s.model, to, KRAIT_ALL_LANES), tiny_hash(s.model, s.state, KRAIT_ALL_LANES));
    CHECK_STATUS(krait_state_save(s.model, to, KRAIT_ALL_LANES, again, s.count, &count), KRAIT_OK);
    CHECK_U64(count, s.count);
    CHECK_BYTES(again, s.bytes, s.count);

    /* One lane into another lane of another state; one lane is not all, unless there is one. */
    CHECK_STATUS(krait_state_save(s.model, s.state, 1, one, s.count, &one_count), KRAIT_OK);
    CHECK_STATUS(krait_state_load(s.model, to, 0, one, one_count, NULL), KRAIT_OK);
    CHECK_U64(tiny_hash(s.model, to, 0), tiny_hash(s.model, s.state, 1));
    CHECK_U64(tiny_hash(s.model, to, 1), tiny_hash(s.model, s.state, 1));
    CHECK_STATUS(krait_state_load(s.model, narrow, KRAIT_ALL_LANES, one, one_count, NULL), KRAIT_OK);
    CHECK_U64(tiny_hash(s.model, narrow, 0), tiny_hash(s.model, s.state, 1));
    CHECK_STATUS(refused(s.model, to, one, one_count, KRAIT_ALL_LANES), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(refused(s.model, to, s.bytes, s.count, 0), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(refused(s.model, narrow, s.bytes, s.count, KRAIT_ALL_LANES), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(refused(s.model, to, one, one_count, 2), KRAIT_ERR_ARGUMENT);
    CHECK_STATUS(refused(s.model, to, one, one_count, -2), KRAIT_ERR_ARGUMENT);

    /* Space: nothing is written; and not a byte more than was said. */
    memset(again, 0xa5, s.count);
    memset(one, 0xa5, s.count);
    CHECK_STATUS(krait_state_save(s.model, s.state, KRAIT_ALL_LANES, again, s.count - 1, &count), KRAIT_ERR_SPACE);
    CHECK_U64(count, s.count);
    CHECK_BYTES(again, one, s.count);
    CHECK_STATUS(krait_state_save(s.model, s.state, 0, again, s.count, &count), KRAIT_OK);
    CHECK_U64(count, one_count);
    CHECK_BYTES(again + count, one + count, s.count - count);
    CHECK_STATUS(krait_state_save(s.model, s.state, 2, again, s.count, &count), KRAIT_ERR_ARGUMENT);
    CHECK_U64(count, 0);
    free(again);
    free(one);
    krait_state_destroy(to, NULL);
    krait_state_destroy(narrow, NULL);
    saved_end(&s);
}

TEST(saved_refuses_every_prefix)
{
    saved          s;
    unsigned char *longer;

    saved_start(&s);
    for (size_t count = 0; count < s.count; count++) {
        test_note("the first %zu bytes", count);
        CHECK_STATUS(refused(s.model, s.state, s.bytes, count, KRAIT_ALL_LANES), KRAIT_ERR_FORMAT);
        if (count >= 32) {                      /* also with a checksum that fits */
            unsigned char *part = malloc(count);

            memcpy(part, s.bytes, count);
            sign(part, count);
            refused(s.model, s.state, part, count, KRAIT_ALL_LANES);
            free(part);
        }
    }
    longer = calloc(1, s.count + 8);
    memcpy(longer, s.bytes, s.count);
    for (size_t more = 1; more <= 8; more++)
        refused(s.model, s.state, longer, s.count + more, KRAIT_ALL_LANES);
    sign(longer, s.count + 8);
    CHECK_STATUS(refused(s.model, s.state, longer, s.count + 8, KRAIT_ALL_LANES), KRAIT_ERR_FORMAT);
    free(longer);
    test_note("%s", "");
    saved_end(&s);
}

TEST(saved_refuses_every_flip)
{
    saved s;

    saved_start(&s);
    for (size_t bit = 0; bit < 8 * s.count; bit++) {
        test_note("bit %zu of byte %zu", bit % 8, bit / 8);
        s.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        refused(s.model, s.state, s.bytes, s.count, KRAIT_ALL_LANES);
        s.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    test_note("%s", "");
    saved_end(&s);
}

/* Damage with a checksum that fits: every word of the head as large as can be, and small. */
TEST(saved_trusts_no_number)
{
    static const uint32_t words[] = { 0, 1, 2, 3, 0x7fffffff, 0x80000000u, 0xfffffffeu, 0xffffffffu };
    saved          s;
    unsigned char *copy;
    size_t         head;

    saved_start(&s);
    head = s.count - 8 - LANES * 4 * (3 * 20 + 20 * 6);
    copy = malloc(s.count);
    for (size_t at = 8; at < head; at++)
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            memcpy(copy, s.bytes, s.count);
            kr_store_u32(copy + at, words[i]);
            sign(copy, s.count);
            if (memcmp(copy, s.bytes, head) == 0 || (at > 8 && at < 16))    /* numerics: any */
                continue;
            test_note("%08x at byte %zu", (unsigned)words[i], at);
            refused(s.model, s.state, copy, s.count, KRAIT_ALL_LANES);
        }
    test_note("%s", "");
    memcpy(copy, s.bytes, s.count);
    kr_store_u32(copy + 12, 77);
    sign(copy, s.count);
    CHECK_STATUS(krait_state_load(s.model, s.state, KRAIT_ALL_LANES, copy, s.count, NULL), KRAIT_OK);
    kr_store_u32(copy + 8, 2);
    sign(copy, s.count);
    CHECK_STATUS(refused(s.model, s.state, copy, s.count, KRAIT_ALL_LANES), KRAIT_ERR_UNSUPPORTED);
    free(copy);
    saved_end(&s);
}

TEST(saved_refuses_other_models)
{
    static const tiny_sizes others[] = {
        { .vocabulary = 5, .layers = 1, .width = 9, .inner = 20, .states = 6 },
        { .vocabulary = 5, .layers = 1, .width = 8, .inner = 21, .states = 6 },
        { .vocabulary = 5, .layers = 1, .width = 8, .inner = 20, .states = 7 },
        { .vocabulary = 5, .layers = 2, .width = 8, .inner = 20, .states = 6 },
        { .vocabulary = 6, .layers = 1, .width = 8, .inner = 20, .states = 6 },
    };
    saved s;

    saved_start(&s);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        tiny        *t = tiny_make(&others[i], 1);
        krait_model *model = tiny_model(t);
        krait_state *state = tiny_state(model, LANES, 1);
        uint64_t     hash;
        size_t       count;
        float        out[LANES * 8];
        int32_t      tokens[LANES] = { 0 };

        tiny_steps(model, state, LANES, 3, 1, NULL);
        CHECK_STATUS(refused(model, state, s.bytes, s.count, KRAIT_ALL_LANES), KRAIT_ERR_MODEL);
        /* Nor does a state of one model go with another in any call. */
        CHECK_STATUS(krait_state_hash(s.model, state, 0, &hash), KRAIT_ERR_MODEL);
        CHECK_STATUS(krait_state_save(s.model, state, 0, NULL, 0, &count), KRAIT_ERR_MODEL);
        CHECK_STATUS(krait_state_reset(s.model, state, 0), KRAIT_ERR_MODEL);
        CHECK_STATUS(krait_state_copy(s.model, s.state, 0, state, 0), KRAIT_ERR_MODEL);
        CHECK_STATUS(krait_state_copy(s.model, state, 0, s.state, 0), KRAIT_ERR_MODEL);
        CHECK_STATUS(krait_state_load(s.model, state, KRAIT_ALL_LANES, s.bytes, s.count, NULL), KRAIT_ERR_MODEL);
        CHECK_STATUS(krait_part_read(s.model, state, 0, 0, out, 1), KRAIT_ERR_MODEL);
        CHECK_STATUS(krait_part_write(s.model, state, 0, 0, out, 1), KRAIT_ERR_MODEL);
        CHECK_STATUS(krait_step_tokens(s.model, state, tokens, out), KRAIT_ERR_MODEL);
        krait_state_destroy(state, NULL);
        krait_model_close(model);
        tiny_free(t);
    }
    saved_end(&s);
}

/* Whatever its payload, a NaN is saved and hashed as one and the same. */
TEST(saved_has_one_nan)
{
    static const uint32_t nans[] = { 0x7fc00000u, 0xffc00000u, 0x7f800001u, 0xffffffffu, 0x7fedcba9u };
    saved          s;
    float          values[3 * 20];
    unsigned char *bytes;
    uint64_t       hash = 0;
    size_t         count;

    saved_start(&s);
    bytes = malloc(s.count);
    CHECK_STATUS(krait_part_read(s.model, s.state, 0, 1, values, 60), KRAIT_OK);
    for (size_t i = 0; i < sizeof nans / sizeof *nans; i++) {
        memcpy(&values[7], &nans[i], 4);
        CHECK_STATUS(krait_part_write(s.model, s.state, 0, 1, values, 60), KRAIT_OK);
        CHECK_STATUS(krait_state_save(s.model, s.state, KRAIT_ALL_LANES, bytes, s.count, &count), KRAIT_OK);
        if (i > 0) {
            CHECK_BYTES(bytes, s.bytes, s.count);
            CHECK_U64(tiny_hash(s.model, s.state, 1), hash);
        }
        memcpy(s.bytes, bytes, s.count);
        hash = tiny_hash(s.model, s.state, 1);
        CHECK_STATUS(krait_state_load(s.model, s.state, KRAIT_ALL_LANES, bytes, s.count, NULL), KRAIT_OK);
        CHECK_STATUS(krait_part_read(s.model, s.state, 0, 1, values, 60), KRAIT_OK);
        CHECK_U64(kr_bits_of(values[7]), 0x7fc00000u);
    }
    free(bytes);
    saved_end(&s);
}

/* The golden form: read, and saved again to the same bytes. */
TEST(saved_1_is_read)
{
    static const uint32_t odd[] = { 0xffc12345u, 0x7f800000u, 0xff800000u, 0x80000000u, 0x00000001u };
    tiny          *t = tiny_make(&(tiny_sizes){ .layers = 1, .width = 8, .inner = 20, .states = 6 }, 6);
    krait_model   *model = tiny_model(t);
    krait_state   *state = tiny_state(model, 2, 1), *made = tiny_state(model, 2, 1);
    krait_message  message = { "" };
    unsigned char *bytes, *again;
    size_t         count = 0, made_count;
    float          values[60];

    tiny_steps(model, made, 2, 9, 1, NULL);
    CHECK_STATUS(krait_part_read(model, made, 0, 1, values, 60), KRAIT_OK);
    memcpy(values, odd, sizeof odd);
    CHECK_STATUS(krait_part_write(model, made, 0, 1, values, 60), KRAIT_OK);

    bytes = tiny_read(test_data("tests/api/saved-1.bin"), &count);
    CHECK_OR_RETURN(bytes != NULL);
    again = malloc(count);
    CHECK_STATUS(krait_state_save(model, made, KRAIT_ALL_LANES, NULL, 0, &made_count), KRAIT_OK);
    CHECK_U64(made_count, count);
    CHECK_STATUS(krait_state_load(model, state, KRAIT_ALL_LANES, bytes, count, &message), KRAIT_OK);
    CHECK_STR(message.text, "");
    CHECK_U64(tiny_hash(model, state, KRAIT_ALL_LANES), 0x985c7f41bdf5f63bull);
    CHECK_STATUS(krait_part_read(model, state, 0, 1, values, 60), KRAIT_OK);
    CHECK_U64(kr_bits_of(values[0]), 0x7fc00000u);
    CHECK_BYTES(values + 1, odd + 1, sizeof odd - sizeof *odd);
    CHECK_STATUS(krait_state_save(model, state, KRAIT_ALL_LANES, again, count, &made_count), KRAIT_OK);
    if (krait_numerics() == 1) {
        CHECK_BYTES(again, bytes, count);
    } else {                                    /* but for the number of the arithmetic */
        CHECK_BYTES(again, bytes, 12);
        CHECK_BYTES(again + 16, bytes + 16, count - 24);
    }
    free(bytes);
    free(again);
    krait_state_destroy(state, NULL);
    krait_state_destroy(made, NULL);
    krait_model_close(model);
    tiny_free(t);
}
