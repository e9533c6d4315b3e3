/*
 * package.h - what every file format is turned into: metadata and named tensors.
 *
 * A format is one file with one kr_format and one line in formats.def.  It validates all of
 * the file before it answers, and points into the file's bytes, which outlive the package.
 */
#ifndef KR_PACKAGE_H
#define KR_PACKAGE_H

#include "formats/json.h"

/*
 * Metadata of a GGUF: numbers, BOOL, TEXT (any bytes), arrays of at most 64 of these as ARRAY.
 * A longer array is OPAQUE.  'text' of both points into the file, at the value as GGUF has it (u32 type
 * of the elements, u64 count, the elements), 'integer' bytes long and checked to the last string.  Of
 * numbers and BOOL it does so too, and 'count' is GGUF's type.
 */

/* Types of tensors: GGUF's numbers where it has one. */
enum {
    KR_TYPE_F32 = 0, KR_TYPE_F16 = 1, KR_TYPE_Q8_0 = 8, KR_TYPE_BF16 = 30,
    KR_TYPE_Q4_0 = 2, KR_TYPE_Q4_1 = 3, KR_TYPE_Q5_0 = 6, KR_TYPE_Q5_1 = 7,
    KR_TYPE_Q2_K = 10, KR_TYPE_Q3_K = 11, KR_TYPE_Q4_K = 12, KR_TYPE_Q5_K = 13, KR_TYPE_Q6_K = 14,
    KR_TYPE_I8 = 24, KR_TYPE_I16 = 25, KR_TYPE_I32 = 26, KR_TYPE_I64 = 27, KR_TYPE_F64 = 28,
    KR_TYPE_OTHER = -1,         /* known to the format, not to krait: listed, not used */
    KR_TYPE_PANELS = 1000000    /* + a type: the same numbers in krait's panels (core/panels.h) */
};

/* A tensor as it stands in the file. */
typedef struct kr_source {
    const char          *name;          /* terminated */
    const char          *type_name;     /* "F32", "I64", "F8_E4M3", ...: for people */
    int32_t              type;
    int32_t              dimensions;    /* 0..4 */
    uint64_t             shape[4];      /* slowest first */
    const unsigned char *data;          /* little-endian, any alignment */
    uint64_t             bytes;         /* checked: all of them lie in the file */
} kr_source;

typedef struct kr_package {
    kr_source     *tensors;             /* in the file's order */
    size_t         n_tensors;
    const kr_json *metadata;            /* all keys of a GGUF; safetensors' __metadata__ or NULL */
    const char    *format;              /* "gguf", "safetensors", "tensors" */
    uint32_t      *by_name;             /* indices sorted by name, for kr_package_find() */
} kr_package;

typedef struct kr_format {
    const char *name;
    int         (*probe)(const unsigned char *bytes, size_t count);
    krait_status (*read)(kr_package *package, const unsigned char *bytes, size_t count,
                         const char *what, kr_arena *arena, krait_message *message);
} kr_format;

/*
 * Recognise the format by its content and read it.  'what' is the file's name for messages.
 * KRAIT_ERR_FORMAT if no format knows the bytes.  On failure *package is all zero.
 */
krait_status kr_package_read(kr_package *package, const unsigned char *bytes, size_t count,
                             const char *what, kr_arena *arena, krait_message *message);
/* Fills by_name from tensors; two of one name are KRAIT_ERR_FORMAT.  Every reader ends with it. */
krait_status kr_package_index(kr_package *package, const char *what, kr_arena *arena,
                              krait_message *message);
/* NULL if there is none. */
const kr_source *kr_package_find(const kr_package *package, const char *name);

/*
 * Bytes of a row-major tensor of 'type' with these dimensions; 0 and no answer if it does not
 * fit, the type is unknown or the last dimension is no multiple of the type's block.  Panels
 * have two dimensions.
 */
int         kr_type_bytes(int32_t type, const uint64_t *shape, int32_t dimensions, uint64_t *bytes);
/*
 * "Q4_K", "Q8_0 panels", or NULL.  Types of GGUF that krait only lists have a name and bytes too:
 * whoever computes with a tensor asks for the types it can take.
 */
const char *kr_type_name(int32_t type);

/* The formats themselves: kr_gguf_format, kr_safetensors_format. */
#define KR_FORMAT(name) extern const kr_format kr_##name##_format;
#include "formats/formats.def"
#undef KR_FORMAT

#endif
