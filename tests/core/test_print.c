/* What messages are written with where there is no stdio: the same text as vsnprintf's. */
#include <stdio.h>

#include "core/print.h"
#include "test.h"

static void both(const char *format, ...)
{
    char    got[48], want[48];
    va_list arguments;

    for (size_t size = 1; size <= sizeof got; size++) {
        va_start(arguments, format);
        kr_print(got, size, format, arguments);
        va_end(arguments);
        va_start(arguments, format);
        vsnprintf(want, size, format, arguments);
        va_end(arguments);
        test_note("%s, %zu bytes", format, size);
        CHECK_STR(got, want);
    }
}

TEST(print_as_vsnprintf)
{
    both("nothing to write");
    both("%s of %s%%", "one", "");
    both("%.4s|%.100s|%.*s|%.0s.", "longer than four", "short", 3, "abcdef", "none");
    both("%d %d %d %5d %05d", 0, -7, 2147483647, -42, -42);
    both("%u %x %02x %04x %4u", 4294967295u, 0xabcu, 5u, 77u, 9u);
    both("%zu %lu %ld %llu %lld", (size_t)-1, 12345ul, -12345l, 18446744073709551615ull, -9223372036854775807ll);
    test_note("%s", "");
}
