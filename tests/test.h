/*
 * test.h - what a test can say.
 *
 * TEST(name) { ... } in tests/<folder>/test_<thing>.c, and TEST_CASE(name) in
 * tests/tests.def.  A check that fails prints where and what, fails its test and goes
 * on; it yields 1 or 0, so that a loop can leave early.  Checks belong to the thread
 * that runs the test.
 */
#ifndef KR_TEST_H
#define KR_TEST_H

#include <stddef.h>
#include <stdint.h>

#define TEST(name)       \
    void test_##name(void); \
    void test_##name(void)

#define CHECK(condition)       test_check((condition) ? 1 : 0, __FILE__, __LINE__, #condition)
#define CHECK_INT(actual, expected) \
    test_check_int(actual, expected, __FILE__, __LINE__, #actual)
#define CHECK_U64(actual, expected) \
    test_check_u64(actual, expected, __FILE__, __LINE__, #actual)
#define CHECK_STR(actual, expected) \
    test_check_str(actual, expected, __FILE__, __LINE__, #actual)
/* |actual - expected| <= bound; NaN equals NaN, and each infinity itself. */
#define CHECK_CLOSE(actual, expected, bound) \
    test_check_close(actual, expected, bound, __FILE__, __LINE__, #actual)
#define CHECK_STATUS(actual, expected) \
    test_check_status(actual, expected, __FILE__, __LINE__, #actual)
/* Every byte of the two is equal. */
#define CHECK_BYTES(actual, expected, count) \
    test_check_bytes(actual, expected, count, __FILE__, __LINE__, #actual)

#define CHECK_OR_RETURN(condition)  \
    do {                            \
        if (!CHECK(condition))      \
            return;                 \
    } while (0)
#define SKIP(reason)         \
    do {                     \
        test_skip(reason);   \
        return;              \
    } while (0)

#if defined(__GNUC__)
#define TEST_PRINTF __attribute__((format(printf, 1, 2)))
#else
#define TEST_PRINTF
#endif

/* Say which case of a loop is tried: printed with the failures that follow; "" ends it. */
void test_note(const char *format, ...) TEST_PRINTF;

/* How many checks of this test have failed so far. */
int test_failures(void);

/* The path of a scratch file, in a folder that is removed when the runner ends. */
char *test_path(char *buffer, size_t size, const char *name);

/*
 * The path of a file of the source tree, and of one below $KRAIT_SHARED or ../shared
 * (NULL: not there).  Each lives until eight more were asked for.
 */
const char *test_data(const char *name);
const char *test_shared(const char *name);

/* ---- Private Part ---- */

int  test_check(int holds, const char *file, int line, const char *text);
int  test_check_int(long long actual, long long expected, const char *file, int line,
                    const char *text);
int  test_check_u64(uint64_t actual, uint64_t expected, const char *file, int line,
                    const char *text);
int  test_check_str(const char *actual, const char *expected, const char *file, int line,
                    const char *text);
int  test_check_close(double actual, double expected, double bound, const char *file, int line,
                      const char *text);
int  test_check_status(int32_t actual, int32_t expected, const char *file, int line,
                       const char *text);
int  test_check_bytes(const void *actual, const void *expected, size_t count, const char *file,
                      int line, const char *text);
void test_skip(const char *reason);

#endif /* KR_TEST_H */
