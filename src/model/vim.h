/*
 * vim.h - what a Vision Mamba is made of: arch_vim.c reads it, vim.c writes it as a tree.
 */
#ifndef KR_VIM_H
#define KR_VIM_H

#include "model/arch.h"

enum kr_vim_token { VIM_NO_TOKEN, VIM_FIRST, VIM_MIDDLE, VIM_DOUBLE };
enum kr_vim_pool  { VIM_LAST, VIM_MEAN, VIM_MAX, VIM_ALL };
enum kr_vim_both  { VIM_FORWARD, VIM_V1, VIM_V2 };

typedef struct kr_vim {
    size_t image[2], patch[2];  /* rows, columns */
    size_t stride, channels, width, depth, states, classes, inner, rank, taps;
    double eps;
    int    rms;                 /* else LayerNorm */
    int    token, pool, both;   /* enum kr_vim_... */
    int    positions;           /* there is pos_embed */
    int    divide;              /* v2: the mean of both directions in place of their sum */
    int    pairs;               /* layers 2i and 2i + 1 side by side, the second backwards */
    int    bias, conv_bias, gamma;
    const kr_json *mean, *std;  /* of pixels, or NULL */
    char   layer[24];           /* in tensors' names: "{i}" or a number */
} kr_vim;

/* Patches of an image that is no smaller than a patch. */
size_t kr_vim_patches(const kr_vim *s);
void   kr_vim_write(kr_writer *w, kr_vim *s);

#endif
