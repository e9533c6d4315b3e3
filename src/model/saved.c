/*
 * saved.c - a state's portable form, little-endian, number by number:
 *
 *     8 bytes  "KRAITSAV"
 *     u32      form: 1
 *     u32      KRAIT_NUMERICS of the library that saved it
 *     u64      krait_model_id
 *     u32      lanes
 *     u32      parts
 *     for every part: u32 length of its name, the name, u32 dimensions, u64 each (cells of a grid first)
 *     for every lane, for every part: float32 in the order of its shape, one canonical NaN
 *     u64      checksum: core/hash.h over all bytes before
 *
 * Released forms stay readable.  A windows' rows are oldest first; nothing is padded.
 */
#include <string.h>

#include "core/hash.h"
#include "core/reader.h"
#include "model/state.h"

enum { SAVED_FORM = 1, SAVED_HEAD = 32 };

static const char saved_magic[8] = { 'K', 'R', 'A', 'I', 'T', 'S', 'A', 'V' };

size_t kr_saved_bytes(const krait_model *model, size_t lanes)
{
    size_t head = SAVED_HEAD + 8, numbers = 0, bytes;

    for (size_t p = 0; p < model->n_parts; p++) {
        head += 4 + strlen(model->parts[p].name) + 4 + (model->parts[p].cells > 1 ? 3 : 2) * 8;
        numbers += model->parts[p].count;
    }
    if (!kr_mul_fits(numbers, 4, &bytes) || !kr_mul_fits(bytes, lanes, &bytes) ||
        !kr_add_fits(bytes, head, &bytes))
        return 0;
    return bytes;
}

static unsigned char *saved_write_part_head(unsigned char *out, const kr_model_part *part)
{
    size_t length = strlen(part->name);

    kr_store_u32(out, (uint32_t)length);
    memcpy(out + 4, part->name, length);
    out += 4 + length;
    kr_store_u32(out, part->cells > 1 ? 3 : 2);
    out += 4;
    if (part->cells > 1) {
        kr_store_u64(out, part->cells);
        out += 8;
    }
    kr_store_u64(out, part->part.shape[0]);
    kr_store_u64(out + 8, part->part.shape[1]);
    return out + 16;
}

static unsigned char *saved_write_numbers(const krait_model *model, const krait_state *state,
                                          const kr_model_part *part, size_t lane, unsigned char *out)
{
    for (size_t i = 0; i < part->count; i++, out += 4)
        kr_store_u32(out, kr_canonical_bits(*kr_state_number(model, state, part, lane, i)));
    return out;
}

void kr_saved_write(const krait_model *model, const krait_state *state, size_t lane, size_t lanes,
                    unsigned char *out)
{
    unsigned char *at = out;

    memcpy(at, saved_magic, sizeof saved_magic);
    kr_store_u32(at + 8, SAVED_FORM);
    kr_store_u32(at + 12, KRAIT_NUMERICS);
    kr_store_u64(at + 16, model->id);
    kr_store_u32(at + 24, (uint32_t)lanes);
    kr_store_u32(at + 28, (uint32_t)model->n_parts);
    at += SAVED_HEAD;
    for (size_t p = 0; p < model->n_parts; p++)
        at = saved_write_part_head(at, &model->parts[p]);
    for (size_t i = lane; i < lane + lanes; i++)
        for (size_t p = 0; p < model->n_parts; p++)
            at = saved_write_numbers(model, state, &model->parts[p], i, at);
    kr_store_u64(at, kr_hash_bytes(KR_HASH_START, out, (size_t)(at - out)));
}

/* ---- reading: everything is checked before the first number is written --------------------------- */

static krait_status saved_head(const krait_model *model, size_t lanes, kr_reader *r, krait_message *message)
{
    const unsigned char *magic = kr_read_bytes(r, sizeof saved_magic);
    uint32_t             form = kr_read_u32(r), count;
    uint64_t             id;

    if (!magic || memcmp(magic, saved_magic, sizeof saved_magic) != 0)
        return kr_fail(message, KRAIT_ERR_FORMAT, "saved state: it does not begin with KRAITSAV");
    if (form != SAVED_FORM)
        return kr_fail(message, form > SAVED_FORM ? KRAIT_ERR_UNSUPPORTED : KRAIT_ERR_FORMAT,
                       "saved state: form %u, this library knows form 1", (unsigned)form);
    kr_read_u32(r);                     /* numerics: any */
    id = kr_read_u64(r);
    if (!r->overrun && id != model->id)
        return kr_fail(message, KRAIT_ERR_MODEL, "saved state: of another model");
    count = kr_read_u32(r);
    if (!r->overrun && count != lanes)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "saved state: of %u lanes, %zu are wanted", (unsigned)count,
                       lanes);
    if (kr_read_u32(r) != model->n_parts || r->overrun)
        return kr_fail(message, KRAIT_ERR_FORMAT, "saved state: number of parts");
    return KRAIT_OK;
}

static int saved_same_part(const kr_model_part *part, kr_reader *r)
{
    uint32_t             length = kr_read_u32(r);
    const unsigned char *name = kr_read_bytes(r, length);

    return name && length == strlen(part->name) && memcmp(name, part->name, length) == 0 &&
           kr_read_u32(r) == (part->cells > 1 ? 3u : 2u) &&
           (part->cells == 1 || kr_read_u64(r) == part->cells) && kr_read_u64(r) == part->part.shape[0] &&
           kr_read_u64(r) == part->part.shape[1] && !r->overrun;
}

krait_status kr_saved_read(const krait_model *model, krait_state *state, size_t lane, size_t lanes,
                           const unsigned char *in, size_t bytes, krait_message *message)
{
    kr_reader    r = kr_reader_over(in, bytes), end;
    krait_status status = saved_head(model, lanes, &r, message);

    if (status != KRAIT_OK)
        return status;
    if (bytes != kr_saved_bytes(model, lanes))
        return kr_fail(message, KRAIT_ERR_FORMAT, "saved state: %zu bytes, %zu are wanted", bytes,
                       kr_saved_bytes(model, lanes));
    for (size_t p = 0; p < model->n_parts; p++)
        if (!saved_same_part(&model->parts[p], &r))
            return kr_fail(message, KRAIT_ERR_FORMAT, "saved state: part %zu is not %.100s", p,
                           model->parts[p].name);
    end = kr_reader_over(in + bytes - 8, 8);
    if (kr_read_u64(&end) != kr_hash_bytes(KR_HASH_START, in, bytes - 8))
        return kr_fail(message, KRAIT_ERR_FORMAT, "saved state: damaged (checksum)");
    for (size_t i = lane; i < lane + lanes; i++)
        for (size_t p = 0; p < model->n_parts; p++) {
            const kr_model_part *part = &model->parts[p];

            for (size_t n = 0; n < part->count; n++)
                *kr_state_number(model, state, part, i, n) = kr_float_of(kr_read_u32(&r));
        }
    return KRAIT_OK;
}
