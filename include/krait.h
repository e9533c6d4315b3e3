/*
 * krait.h - run state space models from C, one row at a time or many at once.
 *
 * A krait_model is read-only once made: any number of threads may use it at once.
 * A krait_state is what 'lanes' streams remember; one call at a time may use it,
 * and copying, saving or hashing it counts as a use.  Neither knows the other:
 * every call is given both, and a state outlives its model and may be used with
 * any open model of the same krait_model_id().
 *
 * All sizes are in bytes unless said otherwise; floats are IEEE 754 binary32; text
 * is UTF-8.  Functions return 0 or a negative krait_status; nothing is told through errno, a
 * global or an output stream.  Every struct with a 'size' field is set to zero
 * first and given its sizeof; zero means the default for every other field.  A
 * size that this library does not know is accepted as long as what lies beyond
 * the fields it knows is zero.
 *
 * A first program:
 *
 *     krait_model *model;
 *     krait_state *state;
 *     krait_message why;
 *     if (krait_model_open(&model, "model.gguf", NULL, &why)) { puts(why.text); return 1; }
 *     krait_state_create(&state, model, NULL, NULL);
 *     krait_step_tokens(model, state, &token, logits);
 */
#ifndef KRAIT_H
#define KRAIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef KRAIT_API
#if defined(_WIN32) && defined(KRAIT_SHARED)
#ifdef KRAIT_BUILD
#define KRAIT_API __declspec(dllexport)
#else
#define KRAIT_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define KRAIT_API __attribute__((visibility("default")))
#else
#define KRAIT_API
#endif
#endif

/* ---- version ----------------------------------------------------------------- */

#define KRAIT_VERSION_MAJOR 0
#define KRAIT_VERSION_MINOR 1
#define KRAIT_VERSION_PATCH 0
#define KRAIT_ABI           0   /* the soname's number, its only home               */
#define KRAIT_NUMERICS      1   /* changes when any RECURRENT result changes a bit */

/** "0.1.0" of the library that runs, not of the header; static storage. */
KRAIT_API const char *krait_version(void);
/** KRAIT_ABI of the library that runs. */
KRAIT_API int32_t     krait_abi(void);
/** KRAIT_NUMERICS of the library that runs: peers in lockstep compare this. */
KRAIT_API int32_t     krait_numerics(void);
/** Compiler and the kernels built in and usable here, best first; static storage. */
KRAIT_API const char *krait_build(void);

/* ---- status ------------------------------------------------------------------ */

typedef int32_t krait_status;                   /* never a C enum: its size varies */
enum {
    KRAIT_OK              =   0,
    KRAIT_ERR_ARGUMENT    =  -1,    /* NULL, size, range, NaN where refused */
    KRAIT_ERR_MEMORY      =  -2,    /* allocation failed, or over max_bytes */
    KRAIT_ERR_IO          =  -3,    /* a file cannot be opened, read or written */
    KRAIT_ERR_FORMAT      =  -4,    /* the bytes are not what they claim to be */
    KRAIT_ERR_UNSUPPORTED =  -5,    /* valid, but not something this build can do */
    KRAIT_ERR_SHAPE       =  -6,    /* tensors and description disagree */
    KRAIT_ERR_MODEL       =  -7,    /* this state belongs to another model */
    KRAIT_ERR_ALIGNMENT   =  -8,    /* memory is not aligned to KRAIT_STATE_ALIGNMENT */
    KRAIT_ERR_SPACE       =  -9,    /* caller's buffer too small; needed size is set */
    KRAIT_ERR_CANCELLED   = -10,    /* by progress(); see each function */
    KRAIT_ERR_CANNOT_STEP = -11,    /* the model needs the whole sequence */
    KRAIT_ERR_BUILD       = -12     /* compiled so that its numbers would be wrong */
};
/** A short English name of 'status'; never NULL, static storage. */
KRAIT_API const char *krait_status_text(krait_status status);

/** What went wrong, for people.  Frozen: 256 bytes, always terminated, "" on success. */
typedef struct krait_message { char text[256]; } krait_message;

/* ---- callbacks --------------------------------------------------------------- */

/**
 * Memory for models and states.  allocate() returns memory aligned to 'alignment' (a
 * power of two) or NULL; release() is given back exactly what allocate() was asked for.
 * Frozen.  Called on the thread that calls krait, never while running or stepping.
 */
typedef struct krait_allocator {
    void  *user;
    void *(*allocate)(void *user, size_t bytes, size_t alignment);
    void  (*release)(void *user, void *block, size_t bytes, size_t alignment);
} krait_allocator;

/** Called between pieces of long work on the calling thread; nonzero cancels. */
typedef int32_t (*krait_progress_fn)(void *user, uint64_t done, uint64_t total);

/** Receives one line of text, without a newline, that lives during the call only. */
typedef void (*krait_warn_fn)(void *user, const char *text);

/**
 * Run task(argument, i) for every i in 0..count-1, in any order, on any threads,
 * one after another if need be, and return when all have returned.  Tasks never
 * wait for one another.  No unwinding may pass through.
 */
typedef void (*krait_task_fn)(void *argument, size_t index);
typedef void (*krait_parallel_fn)(void *user, krait_task_fn task, void *argument, size_t count);

/* ---- model ------------------------------------------------------------------- */

typedef struct krait_model krait_model;

/**
 * Types of tensors; the numbers and the bytes are GGUF's.  Types with a Q are blocks of 32 numbers
 * of a row, those with a K of 256.
 */
enum {
    KRAIT_F32 = 0, KRAIT_F16 = 1, KRAIT_BF16 = 30, KRAIT_Q8_0 = 8,
    KRAIT_Q4_0 = 2, KRAIT_Q4_1 = 3, KRAIT_Q5_0 = 6, KRAIT_Q5_1 = 7,
    KRAIT_Q2_K = 10, KRAIT_Q3_K = 11, KRAIT_Q4_K = 12, KRAIT_Q5_K = 13, KRAIT_Q6_K = 14
};

/** A named array, slowest dimension first (as PyTorch prints it).  Frozen: arrays of it are passed. */
typedef struct krait_tensor {
    const char *name;
    const void *data;           /* dense, row-major, little-endian; any alignment */
    uint64_t    bytes;          /* of data */
    uint64_t    shape[4];       /* slowest first; unused entries 0 */
    int32_t     dimensions;     /* 0..4; 0 is one number */
    int32_t     type;           /* KRAIT_F32, ...; others are listed, not computed with */
} krait_tensor;

enum {
    KRAIT_OPEN_READ   = 1,  /* read, do not map: for untrusted or changing files, hard real time */
    KRAIT_OPEN_BORROW = 2,  /* open_memory, create: the bytes outlive the model and stay in place */
    KRAIT_OPEN_CHECK  = 4,  /* read every weight now; refuse NaN and infinity */
    KRAIT_OPEN_PLAIN  = 8,  /* plain C kernels, for comparison: same bits, slower */
    KRAIT_OPEN_FAST   = 16, /* may trade bits for speed in 16-bit weights; not built yet: unsupported */
    KRAIT_OPEN_PREFETCH = 32    /* bring weights that are used in place into memory now, not when first used */
};

typedef struct krait_open_options {
    size_t                 size;
    uint64_t               max_bytes;   /* most memory to allocate, read files included; 0: no limit */
    const krait_allocator *allocator;   /* copied; its user must outlive the model; NULL: malloc */
    krait_progress_fn      progress;    /* done and total in bytes of weights; nonzero: CANCELLED */
    void                  *progress_user;
    krait_warn_fn          warn;        /* fields of foreign files that were ignored */
    void                  *warn_user;
    const char            *description; /* JSON that replaces the file's own; read during the call */
    int32_t                flags;       /* KRAIT_OPEN_... or'ed */
    int32_t                unused_;
    krait_parallel_fn      parallel;    /* helps to pack and to prefetch; NULL: OpenMP if built in, else nobody */
    void                  *parallel_user;
    uint32_t               tasks;       /* most at once; default 1; no bit depends on it */
    uint32_t               unused2_;
} krait_open_options;

/**
 * Open a model.  'path' names a .gguf or .safetensors file, or a folder that holds
 * config.json and model.safetensors, or pieces of it and model.safetensors.index.json, which
 * may be named itself.  A .safetensors file brings its description under
 * "krait" in its metadata, or is read with the config.json beside it.
 * A GGUF in panel layout is used in place from the mapping: no weight is looked at before it is
 * used, or KRAIT_OPEN_PREFETCH brings all of them in, with progress().  Any other file is packed, and
 * what was read of it is given back to the system on the way.
 * 'options' and 'message' may be NULL.  On failure *model is NULL, nothing is held and
 * the message names the file, tensor or field.  Threads: any.
 * Sources: Hugging Face safetensors; GGUF version 3 as in ggml's docs/gguf.md.
 */
KRAIT_API krait_status krait_model_open(krait_model **model, const char *path,
                                        const krait_open_options *options, krait_message *message);
/**
 * The same from 'count' bytes of a .gguf or .safetensors file in memory.  They are read
 * during the call only, unless KRAIT_OPEN_BORROW is given: then they must outlive the
 * model and be aligned to KRAIT_STATE_ALIGNMENT (else KRAIT_ERR_ALIGNMENT), and a GGUF
 * in panel layout is used in place.
 */
KRAIT_API krait_status krait_model_open_memory(krait_model **model, const void *bytes, size_t count,
                                               const krait_open_options *options, krait_message *message);
/**
 * Make a model of a description (JSON: krait's own tree or a known config.json) and
 * 'count' tensors.  Everything is copied.  options->description must be NULL.
 */
KRAIT_API krait_status krait_model_create(krait_model **model, const char *description,
                                          const krait_tensor *tensors, size_t count,
                                          const krait_open_options *options, krait_message *message);
/** Give everything back.  NULL is fine.  No call may be using the model. */
KRAIT_API void krait_model_close(krait_model *model);

/** Keys of krait_model_get(). */
enum {
    KRAIT_IN_WIDTH = 1,         /* floats of one row of features: of all cells, if it is a grid */
    KRAIT_OUT_WIDTH,            /* floats of one row of output, likewise */
    KRAIT_VOCABULARY,           /* token ids are 0..this-1; 0: takes no tokens */
    KRAIT_LAYERS,               /* layers that remember something */
    KRAIT_PARAMETERS,           /* numbers in the weights; shared ones count once */
    KRAIT_WHOLE_SEQUENCE,       /* 1: needs a whole sequence per run, see max_steps */
    KRAIT_WEIGHT_BYTES,         /* of the weights as they are held */
    KRAIT_STATE_BYTES_PER_LANE, /* of krait_state_data() */
    KRAIT_CAN_STEP,             /* 1: krait_step() works */
    KRAIT_USES_DT,              /* 1: some layer uses the time between rows */
    KRAIT_TAKES_TOKENS,         /* 1: input->tokens works */
    KRAIT_END_TOKEN,            /* id that ends a text; -1: none named */
    KRAIT_GRID_ROWS,            /* a step of input is a grid of so many rows */
    KRAIT_GRID_COLUMNS,         /* and columns; 1 and 1: it is no grid */
    KRAIT_MOST_STEPS            /* bound of a sequence of a whole-sequence model; 0: max_steps alone */
};
/** Sets *value; KRAIT_ERR_UNSUPPORTED (and 0) for a key this library does not know. */
KRAIT_API krait_status krait_model_get(const krait_model *model, int32_t key, int64_t *value);
/**
 * The metadata under 'key' as text; under "krait.description" the whole tree as JSON and
 * under "krait.kernels" the name of the kernels in use.  NULL if absent.  Owned by the model.
 */
KRAIT_API const char  *krait_model_text(const krait_model *model, const char *key);
/**
 * Tensor number i of the file, in its order; KRAIT_ERR_ARGUMENT past the last.  The name is
 * owned by the model; data is NULL where only a prepared form is kept.
 */
KRAIT_API krait_status krait_model_tensor(const krait_model *model, size_t i, krait_tensor *tensor);
/** Kinds of krait_slot_info. */
enum {
    KRAIT_SLOT_ORDER = 1,       /* an order that krait_input.orders must bring */
    KRAIT_SLOT_ROWS  = 2,       /* rows that krait_output.slots may ask for */
    KRAIT_SLOT_INNER = 3        /* rows that only the model itself uses */
};
/** Something that the model knows by a name besides its input and output. */
typedef struct krait_slot_info {
    size_t      size;
    const char *name;           /* owned by the model */
    size_t      width;          /* floats of a step; of an order: numbers of a step, 1 or a grid's cells */
    int32_t     kind;           /* KRAIT_SLOT_... */
    int32_t     unused_;
} krait_slot_info;
/** Slot number i; KRAIT_ERR_ARGUMENT past the last.  info->size is given. */
KRAIT_API krait_status krait_model_slot(const krait_model *model, size_t i, krait_slot_info *info);
/** Metadata key number i; NULL past the last.  Owned by the model. */
KRAIT_API const char  *krait_model_key(const krait_model *model, size_t i);
/**
 * A number of the translated tree and the tensors' canonical names, shapes and types: cheap,
 * reads no weights.  The same for one model from safetensors and from GGUF.  0 for NULL.
 */
KRAIT_API uint64_t     krait_model_id(const krait_model *model);
/** Of every weight too: reads the whole model.  Peers in lockstep compare this once. */
KRAIT_API krait_status krait_model_hash(const krait_model *model, uint64_t *hash);

/* ---- state ------------------------------------------------------------------- */

typedef struct krait_state krait_state;
#define KRAIT_STATE_ALIGNMENT 64

typedef struct krait_state_options {
    size_t   size;
    uint32_t lanes;         /* independent streams; default 1 */
    uint32_t chunk;         /* rows per lane and pass of krait_run(): sizes scratch only; default 1 */
    uint32_t tasks;         /* most tasks at once, scratch is per task; default 1 */
    uint32_t context;       /* rows that attention layers keep; default: the model's own */
    uint32_t max_steps;     /* longest sequence of a whole-sequence model, which sizes scratch; default: KRAIT_MOST_STEPS */
    uint32_t unused_;
} krait_state_options;

/** Bytes that a state takes.  options may be NULL.  KRAIT_ERR_ARGUMENT if it would not fit a size_t. */
KRAIT_API krait_status krait_state_bytes(const krait_model *model, const krait_state_options *options,
                                         size_t *bytes);
/**
 * Makes a fresh state in the caller's memory of at least krait_state_bytes(), aligned to
 * KRAIT_STATE_ALIGNMENT; *state == memory.  It is not destroyed: the memory is the caller's.
 * On failure *state is NULL and the memory is untouched (KRAIT_ERR_ALIGNMENT, KRAIT_ERR_SPACE).
 */
KRAIT_API krait_status krait_state_place(krait_state **state, const krait_model *model,
                                         const krait_state_options *options, void *memory, size_t bytes);
/**
 * Takes up a state block that was moved or mapped: checks alignment, header, size and model,
 * changes nothing.  *state == memory, or NULL on failure.
 */
KRAIT_API krait_status krait_state_adopt(krait_state **state, const krait_model *model,
                                         void *memory, size_t bytes);
/** Makes a fresh state in memory of its own; allocator NULL: malloc.  On failure *state is NULL. */
KRAIT_API krait_status krait_state_create(krait_state **state, const krait_model *model,
                                          const krait_state_options *options,
                                          const krait_allocator *allocator);
/** Gives a created state back to the allocator it came from.  NULL is fine. */
KRAIT_API void         krait_state_destroy(krait_state *state, const krait_allocator *allocator);

/**
 * What the streams remember, without header and scratch: the only bytes a snapshot
 * needs.  They depend on the model and lanes, not on chunk, tasks or CPU.  Copy them
 * out and in freely between calls; whatever is in them, calls stay memory-safe.
 * *bytes (may be NULL) is set; NULL only if state is.  Lives as long as the state.
 */
KRAIT_API void *krait_state_data(krait_state *state, size_t *bytes);

enum { KRAIT_ALL_LANES = -1 };
/** Forget: the lane is as it was when made. */
KRAIT_API krait_status krait_state_reset(const krait_model *model, krait_state *state, int32_t lane);
/**
 * Copies one lane to one lane, also between states of different lanes, chunk or tasks; both
 * KRAIT_ALL_LANES copies all (the same number of lanes).  Nothing is written on failure.
 */
KRAIT_API krait_status krait_state_copy(const krait_model *model, krait_state *to, int32_t to_lane,
                                        const krait_state *from, int32_t from_lane);
/** Same for equal states on every machine; ignores scratch, padding and NaN payloads. */
KRAIT_API krait_status krait_state_hash(const krait_model *model, const krait_state *state,
                                        int32_t lane, uint64_t *hash);
/**
 * Portable form of one lane or all: versioned, little-endian, checked; docs/formats.md has its
 * layout.  *bytes is set to its size.  buffer NULL: only that; capacity too small: KRAIT_ERR_SPACE
 * and nothing written.  Allocates nothing.
 */
KRAIT_API krait_status krait_state_save(const krait_model *model, const krait_state *state, int32_t lane,
                                        void *buffer, size_t capacity, size_t *bytes);
/**
 * The reverse.  A saved lane goes into 'lane'; a form saved with KRAIT_ALL_LANES is loaded with it,
 * into as many lanes.  KRAIT_ERR_FORMAT: damaged; KRAIT_ERR_MODEL: of another model; KRAIT_ERR_UNSUPPORTED:
 * of a newer form.  On failure the state is as it was.  Allocates nothing.
 */
KRAIT_API krait_status krait_state_load(const krait_model *model, krait_state *state, int32_t lane,
                                        const void *buffer, size_t bytes, krait_message *message);

/** One named piece of one layer's memory, to look at or to set. */
typedef struct krait_part {
    size_t      size;
    const char *name;           /* "layers.3.mixer.ssm"; owned by the model */
    uint64_t    shape[4];       /* without lanes; unused entries 0 */
    int32_t     dimensions;
    int32_t     unused_;
} krait_part;
/** Part number 'index'; KRAIT_ERR_ARGUMENT past the last.  part->size is given. */
KRAIT_API krait_status krait_part_info(const krait_model *model, size_t index, krait_part *part);
/** Reads or writes one lane's part in its canonical order; count is the product of its shape. */
KRAIT_API krait_status krait_part_read(const krait_model *model, const krait_state *state, size_t index,
                                       int32_t lane, float *values, size_t count);
KRAIT_API krait_status krait_part_write(const krait_model *model, krait_state *state, size_t index,
                                        int32_t lane, const float *values, size_t count);

/* ---- run --------------------------------------------------------------------- */

/**
 * SCAN works on segments of a long sequence at once, CONVOLUTION on blocks of it through Fourier transforms: the
 * same bits for any tasks and lanes, and within the bounds of docs/numerics.md of RECURRENT, outputs and what is
 * remembered.  CONVOLUTION is for layers whose recurrence is the same in every row (s4, s4d, s5, lru); beside one of them
 * other layers run row by row, a model without any answers KRAIT_ERR_UNSUPPORTED, and 'dt' is an error.  AUTO is
 * RECURRENT so far.
 */
enum { KRAIT_RECURRENT = 0, KRAIT_AUTO = 1, KRAIT_SCAN = 2, KRAIT_CONVOLUTION = 3 };
enum { KRAIT_ROWS_ALL = 0, KRAIT_ROWS_LAST = 1, KRAIT_ROWS_NONE = 2 };
/**
 * Features that are NaN or infinite: computed with; an error before the first row; or that row of that
 * lane is held: all is as if it had not been given (a reset before it stays), and it is marked.
 */
enum { KRAIT_NAN_PROPAGATE = 0, KRAIT_NAN_REFUSE = 1, KRAIT_NAN_HOLD = 2 };

/** An order of rows that a model takes by name: every number below a sequence's length once. */
typedef struct krait_order {            /* frozen; arrays of it are passed */
    const char    *name;
    const int32_t *order;               /* [lanes][steps], or [lanes][steps][cells] of a grid */
    size_t         count;               /* of all these numbers */
} krait_order;

/** Rows that the model keeps under a name: hidden states. */
typedef struct krait_slot {             /* frozen; arrays of it are passed */
    const char *name;
    float      *rows;                   /* [lanes][stride][width] */
    size_t      capacity;               /* of rows, in floats */
    size_t      width;                  /* set: floats of a row */
    size_t      stride;                 /* set: rows from one lane's first to the next one's; steps if the model is causal */
} krait_slot;

/**
 * Rows are [lanes][steps], dense, lane by lane.  Give tokens or features, or both: a row whose
 * token is -1 takes its features (they stand for the embedding).  Nothing here is written.
 */
typedef struct krait_input {
    size_t            size;
    size_t            steps;
    const int32_t    *tokens;       /* [lanes][steps] */
    const float      *features;     /* [lanes][steps][KRAIT_IN_WIDTH] */
    const float      *dt;           /* [lanes][steps], in units of the step trained with; NULL: 1 */
    const uint8_t    *reset;        /* [lanes][steps], nonzero: a new episode begins before the row */
    const uint32_t   *lengths;      /* per lane: its rows in this call; 0: it sleeps, nothing of it is read or written; NULL: steps */
    krait_parallel_fn parallel;     /* NULL: this thread, or OpenMP when built in and tasks > 1 */
    void             *parallel_user;
    krait_progress_fn progress;     /* between chunks; done and total in steps */
    void             *progress_user;
    int32_t           mode;         /* KRAIT_RECURRENT, ... */
    int32_t           nan_policy;   /* KRAIT_NAN_... */
    const krait_order *orders;      /* every one that the model takes by name */
    size_t            order_count;
} krait_input;

typedef struct krait_output {
    size_t    size;
    float    *rows;                 /* [lanes][stride][KRAIT_OUT_WIDTH]; NULL with ROWS_NONE */
    size_t    capacity;             /* of rows, in floats */
    int32_t   which;                /* KRAIT_ROWS_... */
    int32_t   mode_used;            /* set: the mode that ran */
    uint8_t  *held;                 /* [lanes][steps], set with KRAIT_NAN_HOLD; may be NULL */
    uint32_t *counts;               /* per lane, set: rows written; may be NULL */
    size_t    steps_done;           /* set: equals steps unless cancelled */
    size_t    stride;               /* set, also on KRAIT_ERR_SPACE: rows from one lane's first to the next one's */
    krait_slot *slots;              /* kept rows that are asked for; all of them, whatever 'which' is */
    size_t    slot_count;
} krait_output;

/**
 * Run rows through the model and remember.  In RECURRENT mode, the default, the result does not
 * depend on how the rows are cut into calls or chunks, on lanes, threads, kernels or the machine.
 * Every argument, token and (with KRAIT_NAN_REFUSE) feature is checked before the first row runs:
 * an error other than KRAIT_ERR_CANCELLED means that nothing has advanced and nothing was written
 * but output->steps_done = 0 and the strides.  Cancelling stops between chunks with steps_done rows of every lane
 * run, written and remembered; with ROWS_LAST only lanes that came to their last row are written.
 * Rows past a lane's length are not written.  Allocates nothing; message may be NULL.
 *
 * A whole-sequence model (KRAIT_WHOLE_SEQUENCE) is given one sequence a lane of at most the state's
 * max_steps rows, begins afresh with each call and remembers nothing.  It may make another number of
 * rows than it was given: output->stride and counts say how many.
 */
KRAIT_API krait_status krait_run(const krait_model *model, krait_state *state,
                                 const krait_input *input, krait_output *output, krait_message *message);
/**
 * One row of features for every lane: [lanes][KRAIT_IN_WIDTH] -> out [lanes][KRAIT_OUT_WIDTH] or NULL.
 * KRAIT_ERR_CANNOT_STEP for a whole-sequence model.
 */
KRAIT_API krait_status krait_step(const krait_model *model, krait_state *state,
                                  const float *features, float *out);
/** One token for every lane: [lanes] -> out [lanes][KRAIT_OUT_WIDTH], or NULL where no output is wanted. */
KRAIT_API krait_status krait_step_tokens(const krait_model *model, krait_state *state,
                                         const int32_t *tokens, float *out);

/* ---- text -------------------------------------------------------------------- */

/**
 * Text to token ids and back.  A krait_tokenizer is read-only once made: any number of threads use it
 * at once, and each call to encode may allocate (and gives back) working memory from its allocator.
 */
typedef struct krait_tokenizer krait_tokenizer;

typedef struct krait_tokenizer_options {
    size_t                 size;
    uint64_t               max_bytes;   /* most memory to allocate while opening; 0: no limit */
    const krait_allocator *allocator;   /* copied; its user must outlive the tokenizer, and serve all
                                           threads that encode; NULL: malloc */
} krait_tokenizer_options;

/**
 * Open a vocabulary by itself: 'path' names a tokenizer.json, a folder that holds one, or a .gguf with
 * tokenizer.ggml.*; or 'count' bytes of such a file, read during the call only.  docs/formats.md says
 * what is known of both; anything else in them is KRAIT_ERR_UNSUPPORTED and the message names the
 * field.  On failure *tokenizer is NULL and nothing is held.  options and message may be NULL.
 */
KRAIT_API krait_status krait_tokenizer_open(krait_tokenizer **tokenizer, const char *path,
                                            const krait_tokenizer_options *options, krait_message *message);
KRAIT_API krait_status krait_tokenizer_open_memory(krait_tokenizer **tokenizer, const void *bytes, size_t count,
                                                   const krait_tokenizer_options *options,
                                                   krait_message *message);
/** Give an opened tokenizer back.  NULL is fine.  One of krait_model_tokenizer() is the model's. */
KRAIT_API void krait_tokenizer_close(krait_tokenizer *tokenizer);
/**
 * The model's own: of its GGUF, of the tokenizer.json beside its config.json, or of bytes.  Owned by the
 * model.  NULL: it came without a vocabulary, or with one of a kind that this library does not know:
 * such a model runs on ids.
 */
KRAIT_API const krait_tokenizer *krait_model_tokenizer(const krait_model *model);

/** Keys of krait_tokenizer_get(). */
enum {
    KRAIT_TOKENIZER_COUNT = 1,      /* ids are 0..this-1; some between may have no token */
    KRAIT_TOKENIZER_BEGIN,          /* id that the file says begins a text; -1: none named */
    KRAIT_TOKENIZER_END,            /* ends it; -1: none named, as in every tokenizer.json */
    KRAIT_TOKENIZER_UNKNOWN,        /* stands for what has no token; -1: none */
    KRAIT_TOKENIZER_ENCODES         /* 0: its ids can be decoded, but what text becomes is not known here */
};
/** Sets *value; KRAIT_ERR_UNSUPPORTED (and 0) for a key this library does not know. */
KRAIT_API krait_status krait_tokenizer_get(const krait_tokenizer *tokenizer, int32_t key, int64_t *value);

/** Flags of encoding and decoding. */
enum {
    KRAIT_TEXT_SPECIAL = 1, /* encode: special tokens written in the text become theirs, else they are
                               ordinary text; decode: special tokens give their text, else nothing */
    KRAIT_TEXT_GOES_ON = 2, /* the text follows another one: no space is put before it or taken away */
    KRAIT_TEXT_AROUND  = 4  /* encode: with the tokens that the file wants before and behind a text */
};
/**
 * Text to token ids.  The text may hold any bytes, NUL too; what is no UTF-8 is kept where the vocabulary
 * has tokens for bytes.  *count is set to how many ids there are; with capacity too small (or tokens NULL
 * and capacity 0) KRAIT_ERR_SPACE, and the first 'capacity' of them are there; tokens of bytes: none.
 * KRAIT_ERR_MEMORY: no working memory, *count is 0.  KRAIT_ERR_UNSUPPORTED unless KRAIT_TOKENIZER_ENCODES.
 */
KRAIT_API krait_status krait_tokenizer_encode(const krait_tokenizer *tokenizer, const char *text, size_t bytes,
                                              int32_t flags, int32_t *tokens, size_t capacity, size_t *count);
/**
 * The text of n tokens, not terminated; *count is set to its bytes.  KRAIT_ERR_SPACE: the first 'capacity'
 * of them are there.  KRAIT_ERR_ARGUMENT for an id without a token.  Allocates nothing.
 */
KRAIT_API krait_status krait_tokenizer_decode(const krait_tokenizer *tokenizer, const int32_t *tokens, size_t n,
                                              int32_t flags, char *text, size_t capacity, size_t *count);

/** What decoding one token after another remembers.  Frozen; all zero is the beginning of a text. */
typedef struct krait_decoder {
    uint8_t held[4];            /* the beginning of a character of UTF-8 */
    uint8_t count;              /* bytes of it, 0..3 */
    uint8_t begun;              /* not 0: some text went out */
    uint8_t unused_[2];
} krait_decoder;
/**
 * Appends one token to a text: what has become whole characters by it is written, at most 3 bytes are held
 * back.  Token -1: nothing follows, what is held goes out as it is.  *count is set to the bytes written;
 * with capacity too small (3 more than krait_token_bytes() gives is enough) KRAIT_ERR_SPACE, *count is what
 * is needed and nothing else has happened.  Bytes that are no UTF-8 hold nothing up.  Allocates nothing.
 */
KRAIT_API krait_status krait_tokenizer_next(const krait_tokenizer *tokenizer, krait_decoder *decoder,
                                            int32_t token, int32_t flags, char *text, size_t capacity,
                                            size_t *count);

/** Flags of a token. */
enum {
    KRAIT_TOKEN_SPECIAL = 1,    /* of control: text never becomes it unasked */
    KRAIT_TOKEN_ADDED   = 2,    /* cut out of a text before anything else */
    KRAIT_TOKEN_BYTE    = 4,    /* one byte of a character without a token */
    KRAIT_TOKEN_UNUSED  = 8,    /* the file has it and says that nobody uses it */
    KRAIT_TOKEN_UNKNOWN = 16    /* stands for what has no token */
};
typedef struct krait_token_info {
    size_t      size;
    const char *bytes;          /* maybe part of a character or none; not terminated; the tokenizer's */
    size_t      count;
    int32_t     flags;          /* KRAIT_TOKEN_... */
    int32_t     unused_;
} krait_token_info;
/** One token; info->size is given.  KRAIT_ERR_ARGUMENT for an id without a token. */
KRAIT_API krait_status krait_tokenizer_token(const krait_tokenizer *tokenizer, int32_t token,
                                             krait_token_info *info);

/**
 * krait_tokenizer_encode() with the model's own tokenizer.  KRAIT_ERR_UNSUPPORTED if the model came without
 * a vocabulary that this library can use.
 */
KRAIT_API krait_status krait_encode(const krait_model *model, const char *text, size_t bytes, int32_t flags,
                                    int32_t *tokens, size_t capacity, size_t *count);
/**
 * The bytes of one token, maybe part of a character or none; not terminated; owned by the model.
 * KRAIT_ERR_ARGUMENT for an id without a token: a padded model has more ids than tokens.
 * KRAIT_ERR_UNSUPPORTED without a vocabulary, or with one of a kind that this library does not know.
 */
KRAIT_API krait_status krait_token_bytes(const krait_model *model, int32_t token,
                                         const char **bytes, size_t *count);

/** Random numbers in the caller's hands (xoroshiro128+).  Frozen; copy it with your snapshot. */
typedef struct krait_rng { uint64_t word[2]; } krait_rng;
KRAIT_API void krait_rng_seed(krait_rng *rng, uint64_t seed);

typedef struct krait_sample_options {
    size_t         size;
    float          temperature;     /* 0: greedy */
    float          top_p;           /* 0: off */
    float          min_p;           /* 0: off */
    float          repetition;      /* 0: off; 1.1 divides or multiplies the logits of recent tokens */
    uint32_t       top_k;           /* 0: off */
    uint32_t       unused_;
    const int32_t *recent;          /* tokens that 'repetition' looks at */
    size_t         recent_count;
} krait_sample_options;
/**
 * Choose a token: repetition, temperature, top-k, top-p, min-p, in this order; ties go to the
 * lower id, NaN comes last.  The same on every machine.  'logits' is scratch and is not what it
 * was afterwards.  options NULL: greedy; rng may be NULL when greedy.
 */
KRAIT_API krait_status krait_sample(float *logits, size_t count, const krait_sample_options *options,
                                    krait_rng *rng, int32_t *token);

/* ---- files ------------------------------------------------------------------- */

enum { KRAIT_LAYOUT_ROWS = 0, KRAIT_LAYOUT_PANELS = 1 };

typedef struct krait_convert_options {
    size_t                 size;
    uint64_t               max_bytes;   /* most memory to allocate; 0: no limit */
    const krait_allocator *allocator;   /* NULL: malloc */
    krait_progress_fn      progress;    /* done and total in bytes written */
    void                  *progress_user;
    krait_warn_fn          warn;
    void                  *warn_user;
    const char            *description; /* as in krait_open_options */
    int32_t                type;        /* of the large matrices: KRAIT_F32, ... but Q2_K and Q3_K */
    int32_t                layout;      /* ROWS: any reader of GGUF; PANELS: krait maps it in place */
    int32_t                flags;       /* KRAIT_OPEN_READ */
    int32_t                unused_;
} krait_convert_options;
/**
 * Reads what krait_model_open() reads and writes a GGUF.  The large matrices get 'type', the
 * rest stays float32.  A matrix whose rows are no multiple of 256 becomes Q8_0 instead of Q6_K,
 * Q5_1 instead of Q5_K, Q5_0 instead of Q4_K, one whose rows are no multiple of 32 F16; 'warn' is told.
 * The file is written beside 'to' and renamed at the end: no half file is left.
 */
KRAIT_API krait_status krait_convert(const char *from, const char *to,
                                     const krait_convert_options *options, krait_message *message);

#ifdef __cplusplus
}
#endif
#endif
