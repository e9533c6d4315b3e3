/*
 * split.h - where GPT-2 and GPT-NeoX cut a text into words that are merged by themselves.
 *
 * The pattern, of which the first alternative that fits wins:
 *
 *     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 */
#ifndef KR_SPLIT_H
#define KR_SPLIT_H

#include "core/build.h"

/* Bytes of the first word of text[0..bytes), bytes > 0.  Every word together is the text. */
size_t kr_split_next(const char *text, size_t bytes);

#endif
