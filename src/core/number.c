/*
 * number.c - decimal and binary, both exactly, in big integers on the stack.
 *
 * Reading: the digits and a power of ten become a fraction of two integers; its quotient to
 * 63 bits or more and whether anything remains decide the rounding, once.  Printing: a float
 * is a finite decimal; of its beginnings, rounded down or up, the shortest that reads back
 * is taken.
 */
#include "core/number.h"

#include <string.h>

#include "core/big.h"
#include "core/bits.h"

/*
 * Halfway between two doubles is a decimal of at most 768 digits, so beyond 800 all that
 * counts is whether another digit than 0 follows.
 */
enum { NUMBER_DIGITS = 800 };

/* 0.d1 d2 d3 ... times ten to the 'point'; no digits: zero. */
typedef struct number_decimal {
    int64_t       point;
    int           count;
    int           more;         /* of the digits left out one is not 0 */
    unsigned char digit[NUMBER_DIGITS + 1];
} number_decimal;

/* What a binary format can hold: mantissas of 'bits' bits times 2^least or more, below 2^most. */
typedef struct number_kind {
    int bits, least, most;
} number_kind;

static const number_kind number_of_double = { 53, -1074, 1024 };
static const number_kind number_of_float = { 24, -149, 128 };

/* ---- decimal to binary ---- */

/* mantissa * 2^exponent, which a double can hold, by its bits: the environment may flush. */
static double number_compose(uint64_t mantissa, int exponent)
{
    while (mantissa < (uint64_t)1 << 52 && exponent > -1074) {
        mantissa <<= 1;
        exponent--;
    }
    if (mantissa < (uint64_t)1 << 52)
        return kr_double_of(mantissa);
    return kr_double_of(((uint64_t)(exponent + 1075) << 52) + (mantissa - ((uint64_t)1 << 52)));
}

static double number_infinity(void)
{
    return kr_double_of((uint64_t)0x7ff << 52);
}

/* q * 2^exponent, and a little more if 'more', to the nearest of that kind; q is not 0. */
static double number_round(uint64_t q, int exponent, int more, const number_kind *kind)
{
    int      unit = exponent + kr_bit_length(q) - kind->bits, drop;
    uint64_t mantissa, rest;

    if (unit < kind->least)
        unit = kind->least;
    drop = unit - exponent;     /* 10 or more, since q has 63 bits */
    if (drop > 64)
        return 0;
    mantissa = drop < 64 ? q >> drop : 0;
    rest = q << (64 - drop);
    if (rest > (uint64_t)1 << 63 || (rest == (uint64_t)1 << 63 && (more || (mantissa & 1))))
        mantissa++;
    if (mantissa && kr_bit_length(mantissa) + unit > kind->most)
        return number_infinity();
    return mantissa ? number_compose(mantissa, unit) : 0;
}

static void number_digits_to_big(kr_big *b, const number_decimal *d)
{
    b->count = 0;
    for (int i = 0; i < d->count;) {
        uint32_t chunk = 0, scale = 1;

        for (; i < d->count && scale < 1000000000u; i++, scale *= 10)
            chunk = chunk * 10 + d->digit[i];
        kr_big_scale(b, scale, chunk);
    }
}

/* Both numbers are exact doubles, so one operation rounds once: most numbers are such. */
static int number_is_easy(const number_decimal *d, double *value)
{
    static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    int64_t             digits = 0, power = d->point - d->count;

    if (d->count > 15 || power < -22 || power > 22)
        return 0;
    for (int i = 0; i < d->count; i++)
        digits = digits * 10 + d->digit[i];
    *value = power < 0 ? (double)digits / tens[-power] : (double)digits * tens[power];
    return 1;
}

static double number_nearest(const number_decimal *d, const number_kind *kind)
{
    kr_big   num, den;
    double   value;
    uint64_t q;
    int      power, exponent, more;

    if (d->count == 0 || d->point < -330)
        return 0;
    if (d->point > 310)
        return number_infinity();
    if (kind->bits == 53 && number_is_easy(d, &value))
        return value;
    power = (int)d->point - d->count;
    number_digits_to_big(&num, d);
    kr_big_start(&den, 1);
    kr_big_times_5(power < 0 ? &den : &num, power < 0 ? -power : power);
    q = kr_big_divide(&num, &den, &exponent, &more);
    return number_round(q, exponent + power, more, kind);
}

/* ---- text to decimal ---- */

/* Digits at text[i..length); 'fraction': behind the point.  Returns the index after them. */
static size_t number_scan_digits(number_decimal *d, const char *text, size_t i, size_t length,
                                 int fraction)
{
    for (; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
        unsigned char digit = (unsigned char)(text[i] - '0');

        if (d->count == 0 && digit == 0) {
            d->point -= fraction;
            continue;
        }
        d->point += !fraction;
        if (d->count < NUMBER_DIGITS)
            d->digit[d->count++] = digit;
        else
            d->more |= digit != 0;
    }
    return i;
}

/* What follows the e; returns 0 if it is no exponent that ends the text. */
static int number_scan_exponent(int64_t *exponent, const char *text, size_t i, size_t length)
{
    int     negative = 0;
    int64_t value = 0;

    if (i < length && (text[i] == '+' || text[i] == '-'))
        negative = text[i++] == '-';
    if (i == length)
        return 0;
    for (; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        if (value < (int64_t)1 << 56)   /* more than any number of digits before it undoes */
            value = value * 10 + (text[i] - '0');
    }
    *exponent = negative ? -value : value;
    return 1;
}

static int number_scan(number_decimal *d, const char *text, size_t length)
{
    size_t  begin = 0, i;
    int64_t exponent = 0;

    i = number_scan_digits(d, text, begin, length, 0);
    if (i == begin)
        return 0;
    if (i < length && text[i] == '.') {
        begin = i + 1;
        i = number_scan_digits(d, text, begin, length, 1);
        if (i == begin)
            return 0;
    }
    if (i < length) {
        if (text[i] != 'e' && text[i] != 'E')
            return 0;
        if (!number_scan_exponent(&exponent, text, i + 1, length))
            return 0;
    }
    d->point += exponent;
    if (d->more)
        d->digit[d->count++] = 1;
    while (d->count && d->digit[d->count - 1] == 0)
        d->count--;
    return 1;
}

int kr_number_parse(const char *text, size_t length, double *value)
{
    number_decimal d;
    int            negative = length > 0 && text[0] == '-';

    d.point = d.count = d.more = 0;
    if (!number_scan(&d, text + negative, length - (size_t)negative))
        return 0;
    *value = number_nearest(&d, &number_of_double);
    if (negative)
        *value = -*value;
    return 1;
}

/* ---- binary to decimal ---- */

/* mantissa * 2^exponent, every digit of it. */
static void number_expand(number_decimal *d, uint64_t mantissa, int exponent)
{
    kr_big b;
    int    at = NUMBER_DIGITS;

    kr_big_start(&b, mantissa);
    if (exponent < 0)           /* m / 2^k = m * 5^k / 10^k */
        kr_big_times_5(&b, -exponent);
    else
        kr_big_shift(&b, exponent);
    while (b.count) {
        uint32_t nine = kr_big_take_9_digits(&b);

        for (int i = 0; i < 9; i++, nine /= 10)
            d->digit[--at] = (unsigned char)(nine % 10);
    }
    while (at < NUMBER_DIGITS - 1 && d->digit[at] == 0)
        at++;
    d->count = NUMBER_DIGITS - at;
    memmove(d->digit, d->digit + at, (size_t)d->count);
    d->point = d->count + (exponent < 0 ? exponent : 0);
    while (d->digit[d->count - 1] == 0)
        d->count--;
}

/* The first 'places' digits of 'exact', or the decimal of as many digits next above. */
static void number_cut(number_decimal *d, const number_decimal *exact, int places, int up)
{
    int i = places;

    d->point = exact->point;
    d->count = places;
    memcpy(d->digit, exact->digit, (size_t)places);
    if (!up)
        return;
    while (i > 0 && d->digit[i - 1] == 9)
        i--;
    d->count = i;               /* nines became zeros, which are not kept */
    if (i > 0) {
        d->digit[i - 1]++;
        return;
    }
    d->digit[0] = 1;
    d->count = 1;
    d->point++;
}

static void number_shorten(number_decimal *d, double value, const number_kind *kind)
{
    uint64_t       bits = kr_bits_of_double(value), mantissa = bits & (((uint64_t)1 << 52) - 1);
    int            exponent = (int)(bits >> 52 & 0x7ff);
    number_decimal exact = { 0 };       /* for compilers that do not see it set */

    if (exponent)
        mantissa |= (uint64_t)1 << 52;
    number_expand(&exact, mantissa, (exponent ? exponent : 1) - 1075);
    for (int places = 1; places < exact.count; places++) {
        int up = exact.digit[places] >= 5;

        /* Near a power of two the farther one may read back where the nearer does not. */
        for (int k = 0; k < 2; k++) {
            number_cut(d, &exact, places, up ^ k);
            if (kr_bits_of_double(number_nearest(d, kind)) == bits)
                return;
        }
    }
    *d = exact;
}

static char *number_put_digits(char *to, const number_decimal *d, int from, int end)
{
    for (; from < end; from++)
        *to++ = (char)('0' + (from < d->count ? d->digit[from] : 0));
    return to;
}

static char *number_put_plain(char *to, const number_decimal *d)
{
    int point = (int)d->point;

    if (point > 0)
        to = number_put_digits(to, d, 0, point);
    else
        *to++ = '0';
    if (d->count <= point)
        return to;
    *to++ = '.';
    for (; point < 0; point++)
        *to++ = '0';
    return number_put_digits(to, d, point, d->count);
}

static char *number_put_power(char *to, const number_decimal *d)
{
    int power = (int)d->point - 1;

    to = number_put_digits(to, d, 0, 1);
    if (d->count > 1) {
        *to++ = '.';
        to = number_put_digits(to, d, 1, d->count);
    }
    *to++ = 'e';
    *to++ = power < 0 ? '-' : '+';
    if (power < 0)
        power = -power;
    if (power >= 100)
        *to++ = (char)('0' + power / 100);
    *to++ = (char)('0' + power / 10 % 10);
    *to++ = (char)('0' + power % 10);
    return to;
}

static size_t number_print(double value, const number_kind *kind, char *text)
{
    uint64_t       bits = kr_bits_of_double(value), rest = bits & ~((uint64_t)1 << 63);
    number_decimal d;
    char          *to = text;

    if (rest > (uint64_t)0x7ff << 52) {
        memcpy(text, "nan", 4);
        return 3;
    }
    if (rest != bits)
        *to++ = '-';
    if (rest == (uint64_t)0x7ff << 52) {
        memcpy(to, "inf", 3);
        to += 3;
    } else if (rest == 0) {
        *to++ = '0';
    } else {
        number_shorten(&d, kr_double_of(rest), kind);
        to = d.point > -4 && d.point <= 16 ? number_put_plain(to, &d) : number_put_power(to, &d);
    }
    *to = '\0';
    return (size_t)(to - text);
}

size_t kr_number_print(double value, char text[32])
{
    return number_print(value, &number_of_double, text);
}

size_t kr_number_print_float(float value, char text[32])
{
    return number_print((double)value, &number_of_float, text);
}
