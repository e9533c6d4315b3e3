/*
 * number.h - decimal text to numbers and back, correctly rounded, in no locale.
 *
 * strtod and printf obey the host's locale and differ between systems in the last bit.
 */
#ifndef KR_NUMBER_H
#define KR_NUMBER_H

#include "core/build.h"

/*
 * The double nearest to the decimal number in text[0..length), ties to even:
 * [-] digits [. digits] [(e|E) [+|-] digits].  Too large gives infinity, too small zero.
 * Returns 0 if the text is anything else.  Work is bounded by the length, whatever it says.
 */
int    kr_number_parse(const char *text, size_t length, double *value);

/*
 * The shortest decimal that kr_number_parse() reads back as the same double ("inf", "-inf" and
 * "nan" otherwise): terminated, at most 32 bytes with the end; returns its length.
 */
size_t kr_number_print(double value, char text[32]);
/* The same for a float: the shortest decimal whose nearest float it is. */
size_t kr_number_print_float(float value, char text[32]);

#endif
