/* print.c - see print.h. */
#include "core/print.h"

#include <string.h>

typedef struct printer {
    char  *at;
    size_t left;                        /* with the end */
} printer;

/* One conversion: what stands between % and its letter. */
typedef struct print_form {
    int    zeros, cut;                  /* cut: there is a precision */
    size_t width, precision;
    size_t bytes;                       /* of an integer */
    char   letter;
} print_form;

static void print_some(printer *p, const char *text, size_t count)
{
    count = kr_min(count, p->left - 1);
    memcpy(p->at, text, count);
    p->at += count;
    p->left -= count;
}

static void print_number(printer *p, const print_form *f, uint64_t value, int negative)
{
    char     digits[64];
    size_t   at = sizeof digits;
    unsigned base = f->letter == 'x' ? 16 : 10;

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (f->zeros && sizeof digits - at + (size_t)negative < f->width && at > 1)
        digits[--at] = '0';
    if (negative)
        digits[--at] = '-';
    while (sizeof digits - at < f->width && at > 0)
        digits[--at] = ' ';
    print_some(p, digits + at, sizeof digits - at);
}

static const char *print_count(const char *format, size_t *count)
{
    for (*count = 0; *format >= '0' && *format <= '9'; format++)
        *count = 10 * *count + (size_t)(*format - '0');
    return format;
}

/* After the %, to behind the letter; star: the precision is an argument. */
static const char *print_read(const char *format, print_form *f, int *star)
{
    *f = (print_form){ .bytes = sizeof(int) };
    *star = 0;
    f->zeros = *format == '0';
    format = print_count(format, &f->width);
    if (*format == '.') {
        f->cut = 1;
        *star = *++format == '*';
        format = *star ? format + 1 : print_count(format, &f->precision);
    }
    if (*format == 'z')
        f->bytes = sizeof(size_t), format++;
    else if (*format == 'l' && format[1] == 'l')
        f->bytes = sizeof(long long), format += 2;
    else if (*format == 'l')
        f->bytes = sizeof(long), format++;
    f->letter = *format;
    return *format ? format + 1 : format;
}

void kr_print(char *text, size_t size, const char *format, va_list arguments)
{
    printer p = { text, size };

    while (*format) {
        const char *percent = strchr(format, '%');
        size_t      plain = percent ? (size_t)(percent - format) : strlen(format);
        print_form  f;
        int         star;

        print_some(&p, format, plain);
        if (!percent)
            break;
        format = print_read(percent + 1, &f, &star);
        if (star)
            f.precision = (size_t)va_arg(arguments, int);
        if (f.letter == '%') {
            print_some(&p, "%", 1);
        } else if (f.letter == 's') {
            const char *s = va_arg(arguments, const char *);
            size_t      count = 0;

            while ((!f.cut || count < f.precision) && s[count])
                count++;
            print_some(&p, s, count);
        } else if (f.letter == 'd') {
            int64_t value = f.bytes == 8 ? va_arg(arguments, long long) : va_arg(arguments, int);

            print_number(&p, &f, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
        } else if (f.letter == 'u' || f.letter == 'x') {
            print_number(&p, &f, f.bytes == 8 ? va_arg(arguments, unsigned long long) : va_arg(arguments, unsigned), 0);
        } else {
            break;
        }
    }
    *p.at = '\0';
}
