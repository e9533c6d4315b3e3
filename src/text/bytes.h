/*
 * bytes.h - the vocabulary without a vocabulary: token n is the byte n.
 */
#ifndef KR_BYTES_H
#define KR_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "krait.h"

#define KR_BYTES_COUNT 256

/**
 * krait_encode() for byte tokens.  *count is set to 'bytes', also when 'capacity' is
 * smaller: then the answer is KRAIT_ERR_SPACE and nothing is written.
 */
krait_status kr_bytes_encode(const char *text, size_t bytes, int32_t *tokens,
                             size_t capacity, size_t *count);

/** The one byte of 'token', in static storage; KRAIT_ERR_ARGUMENT unless 0..255. */
krait_status kr_bytes_token(int32_t token, const char **bytes, size_t *count);

#endif /* KR_BYTES_H */
