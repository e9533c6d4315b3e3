/* fail.h - a status and the sentence that goes with it. */
#ifndef KR_FAIL_H
#define KR_FAIL_H

#include "core/build.h"
#include "krait.h"

/*
 * Write the message (which may be NULL) and return 'status', so that a failure is one
 * statement.  Formats: %s %d %u %zu %llu and %.*s only: floats would obey the locale.
 */
krait_status kr_fail(krait_message *message, krait_status status, const char *format, ...) KR_PRINTF(3, 4);

/* The last 100 bytes of a path, the part that tells files apart: a message is short. */
const char *kr_fail_path(const char *path);

/* Allocation failed or went over the caller's budget. */
krait_status kr_fail_memory(krait_message *message);

#endif
