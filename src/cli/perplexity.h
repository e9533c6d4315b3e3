/*
 * perplexity.h - how well a model predicts a text.
 */
#ifndef CLI_PERPLEXITY_H
#define CLI_PERPLEXITY_H

#include "cli/session.h"

/*
 * Runs the text through a session from its beginning and prints what the model gave to each token after
 * the first: perplexity, bits a token and a byte.  "-" is standard input.  0, or 1 after a complaint.
 */
int perplexity_of_file(session *s, const char *file, int32_t flags, int quiet);

#endif /* CLI_PERPLEXITY_H */
