/*
 * build.h - what the files that turn a description into layers share.
 *
 *     build.c            the tree: layers and their children
 *     build_options.c    options into params, names of kept rows and of orders
 *     build_weights.c    which tensor each weight is
 */
#ifndef KR_BUILD_TREE_H
#define KR_BUILD_TREE_H

#include "model/model.h"

enum {
    BUILD_LAYERS = 65536,               /* most layers of one tree */
    BUILD_DEPTH  = 256,                 /* most layers in each other: used ones nest deeper than JSON does */
    BUILD_NAME   = 1024                 /* most bytes of a path or tensor's name: each layer has some */
};

/* Where in the tree we are: what names and {i} mean. */
typedef struct build_place {
    const char *path;                   /* of what is remembered */
    const char *names;                  /* of weights: the same, but where a layer is used again */
    const struct build_place *outer;    /* the repeat around this place */
    const char *variable;               /* of that repeat, "i" */
    size_t      index;
    size_t      depth;
} build_place;

krait_status kr_build_wrong(kr_loading *loading, const char *path, const char *what, const char *name);
/* The model's id grows by text and word. */
void         kr_build_hash(kr_loading *loading, const char *text, uint64_t word);
/* outer.name; either may be empty.  NULL without memory. */
const char  *kr_build_join(kr_loading *loading, const char *outer, const char *name, size_t length);
/* The text with {i} and the variables of outer repeats filled in; NULL without memory. */
const char  *kr_build_fill(kr_loading *loading, const char *text, const build_place *place);

/* Reads, checks and hashes every option of the layer's type; others are errors. */
krait_status kr_build_options(kr_loading *loading, kr_layer *layer, const kr_json *options,
                              const build_place *place);
/* Asks the layer for its weights and binds them. */
krait_status kr_build_weights(kr_loading *loading, kr_layer *layer, const kr_json *options,
                              const build_place *place);

#endif
