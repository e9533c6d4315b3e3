/* print.h - the little of vsnprintf that messages use, where there is no stdio. */
#ifndef KR_PRINT_H
#define KR_PRINT_H

#include <stdarg.h>

#include "core/build.h"

/*
 * Text of at most 'size' bytes with its end, size > 0: %s %.<n>s %.*s, and %d %u %x with l, ll, z and a width with
 * zeros or without.  As vsnprintf writes it; another conversion ends the text.
 */
void kr_print(char *text, size_t size, const char *format, va_list arguments);

#endif
