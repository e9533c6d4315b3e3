/*
 * Numbers against the C library's own, which glibc and musl round correctly, and against
 * decimals that the tests make by halving and doubling.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/bits.h"
#include "core/number.h"
#include "support/bytes.h"
#include "support/random.h"
#include "test.h"

static kr_random numbers = { 1 };

static uint64_t random_bits(void)
{
    return kr_random_u64(&numbers);
}

/* Parse out of a block of exactly that size. */
static int parse(const char *text, double *value)
{
    size_t         length = strlen(text);
    unsigned char *copy = bytes_exact(text, length);
    int            right = kr_number_parse((const char *)copy, length, value);

    free(copy);
    return right;
}

static int parses_as_strtod(const char *text)
{
    double value = 1234, expected = strtod(text, NULL);

    test_note("%.80s", text);
    return CHECK(parse(text, &value)) &&
           CHECK_U64(kr_bits_of_double(value), kr_bits_of_double(expected));
}

static void check_bits(const char *text, uint64_t bits)
{
    double value = 1234;

    test_note("%.40s... (%zu characters)", text, strlen(text));
    CHECK(parse(text, &value));
    CHECK_U64(kr_bits_of_double(value), bits);
}

TEST(number_parse_grammar)
{
    static const char *const right[] = { "0", "-0", "1", "12.5", "00.5", "1e5", "1E+5", "1e-5",
                                         "123456789012345678901234567890", "0e999999999999" };
    static const char *const wrong[] = { "", "-", "+1", ".5", "1.", "1.e5", "1e", "1e+", "1e5.",
                                         " 1", "1 ", "1,5", "0x1", "inf", "nan", "--1", "1e5e5" };
    double value;

    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        parses_as_strtod(right[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        test_note("%s", wrong[i]);
        CHECK(!parse(wrong[i], &value));
    }
    check_bits("-0", (uint64_t)1 << 63);
}

TEST(number_parse_random_bits)
{
    char   text[64];
    double value;

    for (int i = 0; i < 300000; i++) {
        uint64_t bits = random_bits();

        value = kr_double_of(bits);
        if (value != value || value - value != 0)
            continue;
        snprintf(text, sizeof text, "%.*e", (int)(random_bits() % 26), value);
        if (!parses_as_strtod(text))
            return;
    }
}

TEST(number_parse_random_digits)
{
    char text[64];

    for (int i = 0; i < 200000; i++) {
        int digits = 1 + (int)(random_bits() % 25), at = 0;

        for (; at < digits; at++)
            text[at] = (char)('0' + random_bits() % 10);
        snprintf(text + at, sizeof text - (size_t)at, "e%d", (int)(random_bits() % 700) - 350);
        if (!parses_as_strtod(text))
            return;
    }
}

/*
 * With a wide long double, half way between two doubles, exactly; a last digit one
 * less; and half way but for a one behind 800 zeros.
 */
TEST(number_parse_halfway)
{
    static char text[2400];

    for (int i = 0; i < 3000; i++) {
        double      low = kr_double_of(random_bits() >> 1);
        double      high = kr_double_of(kr_bits_of_double(low) + 1);
        long double middle = ((long double)low + high) / 2;
        size_t      length;

        if (!(high - high == 0))
            continue;
        /* Large ones fit without an exponent; of the small ones only those near 1. */
        if (low < 1e-200)
            middle = (long double)(low = 1 + 1e-9 * i) + 0x1p-53L;
        length = (size_t)snprintf(text, sizeof text, "%.760Lf", middle);
        if (!parses_as_strtod(text))
            return;
        memset(text + length, '0', 800);
        memcpy(text + length + 800, "1", 2);
        if (!parses_as_strtod(text))
            return;
        text[length] = '\0';
        while (text[length - 1] == '0')
            text[--length] = '\0';
        if (text[length - 1] == '.')
            continue;
        text[length - 1]--;
        if (!parses_as_strtod(text))
            return;
    }
}

/* 2^-n: "0." and n digits. */
static void power_of_half(char *text, int n)
{
    int length = 3;

    memcpy(text, "0.5", 4);
    while (--n > 0) {
        int rest = 0;

        for (int i = 2; i < length; i++) {
            int digit = 10 * rest + (text[i] - '0');

            text[i] = (char)('0' + digit / 2);
            rest = digit % 2;
        }
        text[length++] = '5';
        text[length] = '\0';
    }
}

TEST(number_parse_subnormals)
{
    static char text[4000];
    size_t      length;

    power_of_half(text, 1074);
    check_bits(text, 1);
    power_of_half(text, 1022);
    check_bits(text, (uint64_t)1 << 52);
    /* Half of the least double goes to zero, anything more up. */
    power_of_half(text, 1075);
    check_bits(text, 0);
    length = strlen(text);
    memcpy(text + length, "1", 2);
    check_bits(text, 1);
    memset(text + length, '0', 1500);
    memcpy(text + length + 1500, "1", 2);
    check_bits(text, 1);
    text[length - 1] = '4';
    text[length] = '\0';
    check_bits(text, 0);
    check_bits("4.9406564584124654e-324", 1);
    check_bits("2.4703282292062328e-324", 1);
    check_bits("2.4703282292062327e-324", 0);
    check_bits("2.2250738585072011e-308", 0x000fffffffffffff);
    check_bits("2.2250738585072014e-308", 0x0010000000000000);
    check_bits("1e-400", 0);
    check_bits("-1e-400", (uint64_t)1 << 63);
    check_bits("1e-99999999999999999999999", 0);
}

TEST(number_parse_large)
{
    uint64_t infinity = (uint64_t)0x7ff << 52;

    check_bits("1.7976931348623157e308", infinity - 1);
    check_bits("1.7976931348623158e308", infinity - 1);
    check_bits("1.7976931348623159e308", infinity);
    check_bits("1e400", infinity);
    check_bits("-1e400", infinity | (uint64_t)1 << 63);
    check_bits("1e99999999999999999999999", infinity);
    check_bits("9007199254740993", 0x4340000000000000);
    check_bits("9007199254740993.0000000000000000000000000000000000000001", 0x4340000000000001);
}

/* A million digits anywhere take no more than being looked at. */
TEST(number_parse_long_text)
{
    enum { MANY = 1000000 };
    char  *text = malloc(MANY + 64);
    double value;
    long   begin = clock();

    CHECK_OR_RETURN(text != NULL);
    memset(text, '9', MANY);
    CHECK(kr_number_parse(text, MANY, &value) && value > 1e308);
    memset(text, '0', MANY);
    memcpy(text + MANY, "1", 2);
    CHECK(kr_number_parse(text, MANY + 1, &value) && value == 1);
    text[1] = '.';
    CHECK(kr_number_parse(text, MANY + 1, &value) && value == 0);
    memcpy(text + MANY, "1e999999", 9);
    CHECK(kr_number_parse(text, MANY + 8, &value) && value == 1);
    memset(text, '9', MANY);
    text[1] = 'e';
    CHECK(kr_number_parse(text, MANY, &value) && value > 1e308);
    CHECK(seconds_since(begin) < 1);
    free(text);
}

static void check_print(double value, const char *expected)
{
    char text[32];

    CHECK_U64(kr_number_print(value, text), strlen(expected));
    CHECK_STR(text, expected);
}

static void check_print_float(float value, const char *expected)
{
    char text[32];

    kr_number_print_float(value, text);
    CHECK_STR(text, expected);
}

TEST(number_print_fixed)
{
    check_print(0, "0");
    check_print(-0.0, "-0");
    check_print(1, "1");
    check_print(-1, "-1");
    check_print(0.1, "0.1");
    check_print(0.30000000000000004, "0.30000000000000004");
    check_print(100, "100");
    check_print(1234.5, "1234.5");
    check_print(0.0001, "0.0001");
    check_print(0.00001, "1e-05");
    check_print(1.5e-7, "1.5e-07");
    check_print(1e15, "1000000000000000");
    check_print(1e16, "1e+16");
    check_print(9007199254740993.0, "9007199254740992");
    check_print(1e22, "1e+22");
    check_print(1.7976931348623157e308, "1.7976931348623157e+308");
    check_print(-2.2250738585072014e-308, "-2.2250738585072014e-308");
    check_print(5e-324, "5e-324");
    check_print(9.5367431640625e-07, "9.5367431640625e-07");
    check_print(2e-44, "2e-44");
    check_print(9007199254740992.0 * 1024, "9.223372036854776e+18");
    check_print(kr_double_of((uint64_t)0x7ff << 52), "inf");
    check_print(-kr_double_of((uint64_t)0x7ff << 52), "-inf");
    check_print(kr_double_of((uint64_t)0x7ff8 << 48), "nan");
    check_print_float(0.1f, "0.1");
    check_print_float(1e-5f, "1e-05");
    check_print_float(16777216.0f, "16777216");
    check_print_float(3.4028235e38f, "3.4028235e+38");
    check_print_float(1e-45f, "1e-45");
    check_print_float(-0.0f, "-0");
    check_print_float(1.1754944e-38f, "1.1754944e-38");
}

static int digits_of(const char *text)
{
    int n = 0, zeros = 0;

    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (n == 0 && *text == '0'))
            continue;
        n++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return n - zeros;
}

/* Reads back, and no shorter "%.*e" does. */
TEST(number_print_random)
{
    char   text[32], shorter[64];
    size_t length;

    for (int i = 0; i < 20000; i++) {
        double value = kr_double_of(random_bits());
        int    digits;

        if (i % 4 == 0)
            value = (double)(int64_t)(random_bits() >> (i % 60)) / 1024;
        if (value != value || value - value != 0)
            continue;
        length = kr_number_print(value, text);
        CHECK_U64(length, strlen(text));
        test_note("%.17g", value);
        CHECK_OR_RETURN(strtod(text, NULL) == value);
        digits = digits_of(text);
        snprintf(shorter, sizeof shorter, "%.*e", digits > 1 ? digits - 2 : 0, value);
        CHECK_OR_RETURN(digits <= 1 || strtod(shorter, NULL) != value);
    }
}

TEST(number_print_random_floats)
{
    char text[32], shorter[64];

    for (int i = 0; i < 20000; i++) {
        float value = kr_float_of((uint32_t)random_bits());
        int   digits;

        if (value != value || value - value != 0)
            continue;
        kr_number_print_float(value, text);
        test_note("%.9g", (double)value);
        CHECK_OR_RETURN(strtof(text, NULL) == value);
        digits = digits_of(text);
        snprintf(shorter, sizeof shorter, "%.*e", digits > 1 ? digits - 2 : 0, (double)value);
        CHECK_OR_RETURN(digits <= 1 || strtof(shorter, NULL) != value);
    }
}

/* Below a power of two doubles lie twice as close: nearest and shortest differ there. */
TEST(number_print_powers_of_two)
{
    char   text[32];
    double value;

    for (uint64_t exponent = 1; exponent < 0x7ff; exponent++) {
        value = kr_double_of(exponent << 52);
        kr_number_print(value, text);
        CHECK_OR_RETURN(strtod(text, NULL) == value);
        value = kr_double_of((exponent << 52) - 1);
        kr_number_print(value, text);
        CHECK_OR_RETURN(strtod(text, NULL) == value);
    }
    check_print(0x1p-44, "5.684341886080802e-14");
}
