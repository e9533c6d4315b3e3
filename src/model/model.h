/*
 * model.h - what a krait_model is, and the way there.
 *
 *     file -> package -> description -> layers -> bound weights -> prepared weights
 *     formats/          arch_*.c       build.c    bind.c           prepare.c        all: load.c
 */
#ifndef KR_MODEL_H
#define KR_MODEL_H

#include "core/file.h"
#include "core/memory.h"
#include "formats/package.h"
#include "formats/tokens.h"
#include "layers/layer.h"
#include "text/tokenizer.h"

/* One want of one layer and the tensor that it got. */
typedef struct kr_bound {
    kr_layer        *layer;
    const kr_want   *want;
    const char      *name;      /* canonical: the layer's path and the slot */
    const kr_source *source;
    const unsigned char *data;  /* of the part of the source that is wanted */
    uint64_t         count;     /* numbers */
    int32_t          type;      /* of the numbers; panels: without KR_TYPE_PANELS */
    uint8_t          panels;    /* they lie in panels already */
    uint8_t          whole;     /* all of the source, as it lies */
    uint8_t          transpose;
    uint8_t          logarithm; /* the source holds log(-w) */
    struct kr_bound *same;      /* an earlier one that is prepared alike, or NULL */
    const void      *prepared;
} kr_bound;

/* One part of one layer, as the public functions see it. */
typedef struct kr_model_part {
    const char    *name;        /* "layers.3.mixer.ssm" */
    kr_memory_part part;
    size_t         offset;      /* in a lane's bytes */
    size_t         cells;       /* of a lane that have one each, */
    size_t         cell_bytes;  /* so far apart; 1 */
    size_t         count;       /* numbers, of all cells */
} kr_model_part;

typedef struct kr_pair { const char *key, *text; } kr_pair;
typedef struct kr_arch kr_arch;

struct krait_model {
    kr_memory         memory;
    kr_arena          arena;        /* layers, names, the listing */
    kr_file          *files;        /* in the arena; open while loading, then where weights are used in place */
    size_t            n_files;
    void             *weights;      /* one block of prepared weights, aligned to 64 */
    size_t            weights_bytes;
    const kr_kernels *kernels;
    const kr_arch    *arch;         /* of the file, or NULL: krait's own tree */
    kr_layer         *root;
    size_t            tail;         /* the root's children from here on are row-wise */
    size_t            n_layers;     /* in the tree */
    size_t            in_width, vocabulary; /* of a step: all cells of its grid */
    size_t            out_width;
    size_t            grid[2];      /* of a step of input; 1, 1: none */
    int               whole;        /* takes whole sequences, remembers nothing */
    int               uses_time;
    int               convolves;    /* a layer has a form of its own for KRAIT_CONVOLUTION */
    size_t            along_bytes;  /* whole: of one lane in a run */
    size_t            most_steps;   /* whole: bound of a sequence; 0: none */
    kr_flows          flows;
    int64_t           end_token;    /* -1: none */
    int               bytes;        /* tokens are bytes */
    kr_tokens         tokens;       /* else what they stand for, if a GGUF says so */
    krait_tokenizer  *tokenizer;    /* of that, or of tokenizer.json; in the arena; NULL: none */
    kr_bound         *bound;
    size_t            n_bound;
    kr_model_part    *parts;
    size_t            n_parts, n_remembering;
    size_t            lane_bytes;
    uint64_t          id, parameters, held_bytes;
    uint64_t          task_work;    /* kr_tasks.least; 0 but for tests that want small work cut */
    krait_tensor     *tensors;
    size_t            n_tensors;
    kr_pair          *pairs;        /* metadata; "krait.description" and "krait.kernels" last */
    size_t            n_pairs;
};

/* ---- load.c ------------------------------------------------------------------------ */

/* Where a model comes from: a path, bytes, or a description with tensors. */
typedef struct kr_origin {
    const char         *path;
    const void         *bytes;
    size_t              count;
    const char         *description;
    const krait_tensor *tensors;
    size_t              n_tensors;
    int                 from_tensors;
} kr_origin;

/* A 'define' that a 'use' may name. */
typedef struct kr_definition {
    const char    *name, *names;        /* its own; of its weights */
    const kr_json *node;
    const struct build_place *place;
    struct kr_definition *next;
} kr_definition;

/* A model on its way: what is only needed until it is prepared. */
typedef struct kr_loading {
    const krait_open_options *options;
    krait_message  *message;
    krait_model    *model;
    kr_arena        arena;          /* gone when loading ends */
    kr_file         config_file;
    kr_file         tokenizer_file; /* the tokenizer.json that the model's tokenizer is of */
    kr_package      package;
    const kr_json  *config;         /* a config.json or krait's own description */
    const kr_json  *tree;           /* krait's own description */
    const char     *folder;         /* where tokenizer files would be, or NULL */
    const char     *what;           /* the file, for messages */
    kr_definition  *definitions;
} kr_loading;

/* Everything but the weights: bound, not prepared.  On failure kr_load_end() is still called. */
krait_status kr_load_begin(kr_loading *loading, const kr_origin *origin,
                           const krait_open_options *options, const kr_kernels *kernels,
                           krait_message *message);
/* folder/name in the loading's arena, or NULL; the folder's text may end in a slash or be empty. */
const char  *kr_load_join(kr_loading *loading, const char *folder, size_t length, const char *name);
/* Room for so many files of weights, once; then each is opened as the options say, kept and read. */
krait_status kr_load_room(kr_loading *loading, size_t count);
krait_status kr_load_file(kr_loading *loading, const char *path, kr_package *package);
/* shards.c: the files of the index at 'path', beside it in 'folder', as one package. */
krait_status kr_load_shards(kr_loading *loading, const char *folder, const char *path);
/* vocabulary.c: of the GGUF, or of the tokenizer.json in the folder, if tokens are not bytes. */
krait_status kr_load_tokens(kr_loading *loading);
/* Frees what loading needed; with keep 0 the model too. */
void         kr_load_end(kr_loading *loading, int keep);
/* All of it.  kernels NULL: what options and the CPU say. */
krait_status kr_model_make(krait_model **model, const kr_origin *origin,
                           const krait_open_options *options, const kr_kernels *kernels,
                           krait_message *message);
void         kr_model_free(krait_model *model);
/* Of every prepared weight, in the order of the tree. */
uint64_t     kr_model_hash(const krait_model *model);

/* ---- build.c ----------------------------------------------------------------------- */

/* Description -> layers with parameters and wants; fills root, bound (without sources), id. */
krait_status kr_build(kr_loading *loading);

/* ---- bind.c, prepare.c -------------------------------------------------------------- */

/* What a want was told to look for: in the description's "weights" and "path". */
typedef struct kr_lookup {
    const char    *tensor;          /* full name */
    const char    *logarithm;       /* or this one, if the want has a logarithm; may be NULL */
    const kr_json *view;            /* {"tensor", "rows" | "index", "flatten", "transpose"} or NULL */
    int            is_logarithm;    /* 'tensor' is already that of a logarithm */
    int            named;           /* in "weights": then it must be there */
} kr_lookup;

/* Finds, checks and records one want; KRAIT_OK and no source if it is optional and absent. */
krait_status kr_bind(kr_loading *loading, kr_bound *bound, const kr_lookup *lookup);
/* Which bound weights are prepared alike: tied embeddings are held once. */
krait_status kr_bind_shared(kr_loading *loading);
/* Pack, convert, or use in place; sets the layers' pointers. */
krait_status kr_prepare(kr_loading *loading);
/* Numbers from..from+count-1 of a row-major tensor's data, exactly as floats. */
void         kr_source_floats(int32_t type, const unsigned char *data, uint64_t from, size_t count, float *x);

/* ---- plan.c ------------------------------------------------------------ */

/* Fills parts, lane_bytes, most_steps and tail. */
krait_status kr_plan(kr_loading *loading);

#endif
