/*
 * minimal.c - a first program: open a model, read a few words, write what most likely
 * follows.
 *
 *     minimal [MODEL]
 *
 * Prints the prompt and 100 bytes more, the same ones every time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "krait.h"

int main(int argc, char **argv)
{
    const char   *path = argc > 1 ? argv[1] : "examples/models/mamba-novels.gguf";
    const char    prompt[] = "It was a dark and stormy ", *bytes;
    krait_model  *model;
    krait_state  *state = NULL;
    krait_message why;
    int32_t       tokens[64], token;
    int64_t       width;
    size_t        count, i;
    float        *logits;

    if (krait_model_open(&model, path, NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "minimal: %s\n", why.text);
        return 1;
    }
    krait_model_get(model, KRAIT_OUT_WIDTH, &width);
    logits = malloc((size_t)width * sizeof *logits);
    if (!logits || krait_state_create(&state, model, NULL, NULL) != KRAIT_OK
        || krait_encode(model, prompt, sizeof prompt - 1, 0, tokens, 64, &count)
               != KRAIT_OK) {
        fprintf(stderr, "minimal: %s: no memory, or no vocabulary\n", path);
        return 1;
    }

    for (i = 0; i < count; i++)                     /* only the last logits matter */
        krait_step_tokens(model, state, &tokens[i], i + 1 < count ? NULL : logits);
    fputs(prompt, stdout);
    for (i = 0; i < 100; i++) {
        krait_sample(logits, (size_t)width, NULL, NULL, &token);
        krait_token_bytes(model, token, &bytes, &count);
        fwrite(bytes, 1, count, stdout);
        krait_step_tokens(model, state, &token, logits);
    }
    putchar('\n');

    free(logits);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    return 0;
}
