/*
 * gguf_write.h - writes a GGUF version 3, head first, then tensor by tensor.
 *
 * Usage: start; any number of keys and tensors (each writes only into the head in memory);
 * then head (writes it out) and, for every tensor in the same order, data in any number of pieces;
 * tensor_end pads to the alignment.  The file itself is kr_output_file's business.
 */
#ifndef KR_GGUF_WRITE_H
#define KR_GGUF_WRITE_H

#include "core/file.h"
#include "formats/package.h"

typedef struct kr_gguf_writer {
    kr_output_file *out;
    kr_writer       keys, infos;        /* bytes of the head so far */
    uint64_t        n_keys, n_tensors;
    uint64_t        alignment;          /* a power of two, 32 or more */
    uint64_t        offset;             /* of the next tensor in the data section */
    uint64_t        pending;            /* bytes of the current tensor written so far */
    int             refused;            /* a tensor that no reader would take: head says so */
} kr_gguf_writer;

/* Writes the key general.alignment itself where it is needed. */
void kr_gguf_start(kr_gguf_writer *w, kr_output_file *out, kr_arena *arena, uint64_t alignment);
void kr_gguf_text(kr_gguf_writer *w, const char *key, const char *text);
void kr_gguf_u32(kr_gguf_writer *w, const char *key, uint32_t value);
void kr_gguf_f32(kr_gguf_writer *w, const char *key, float value);
void kr_gguf_bool(kr_gguf_writer *w, const char *key, int value);
/* A key with its value as a GGUF had it that was read: package.h says what 'node' holds. */
void kr_gguf_copy(kr_gguf_writer *w, const kr_json *node);
/* shape slowest first; 'bytes' is the size of the data that will follow. */
void kr_gguf_tensor(kr_gguf_writer *w, const char *name, int32_t type, const uint64_t *shape,
                    int32_t dimensions, uint64_t bytes);
/* Here all that went wrong before is told: memory, or KRAIT_ERR_UNSUPPORTED for a tensor. */
krait_status kr_gguf_head(kr_gguf_writer *w, krait_message *message);
krait_status kr_gguf_data(kr_gguf_writer *w, const void *bytes, size_t count,
                          krait_message *message);
krait_status kr_gguf_tensor_end(kr_gguf_writer *w, krait_message *message);

#endif
