/* recorded.c - reading tests/golden's files, and making the weights that they stand for. */
#include "support/recorded.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "golden/generator.h"
#include "support/npz.h"

static const char *recorded_text(const recorded *r, const char *key)
{
    const kr_json *value = kr_json_get(r->package.metadata, key);

    return value && value->kind == KR_JSON_TEXT ? value->text : "";
}

/* "name d0 d1" up to a comma or the end; the sum of the bits of its numbers. */
static uint64_t recorded_tensor(recorded *r, const char *text)
{
    krait_tensor *t = &r->tensors[r->count++];
    size_t        count = 1, length = strcspn(text, " ");
    uint64_t      bits = 0;
    float        *data;

    t->name = kr_arena_text(&r->arena, text, length);
    for (const char *at = text + length; *at == ' ' && t->dimensions < 4; t->dimensions++) {
        char *end;

        t->shape[t->dimensions] = strtoull(at + 1, &end, 10);
        count *= (size_t)t->shape[t->dimensions];
        at = end;
    }
    data = malloc(count * sizeof *data);
    kr_golden_fill(t->name, r->seed, t->shape, t->dimensions, data);
    for (size_t i = 0; i < count; i++) {
        bits += kr_bits_of(data[i]);
        kr_store_u32((unsigned char *)(data + i), kr_bits_of(data[i]));
    }
    t->data = data;
    t->bytes = count * sizeof *data;
    t->type = KRAIT_F32;
    return bits;
}

int recorded_open(recorded *r, const char *path)
{
    size_t           count = 0;
    uint64_t         bits = 0;
    krait_message    why;
    const kr_source *ids;

    memset(r, 0, sizeof *r);
    kr_memory_start(&r->memory, NULL, 0);
    kr_arena_start(&r->arena, &r->memory);
    r->bytes = npz_read_file(path, &count);
    if (!r->bytes || kr_package_read(&r->package, r->bytes, count, path, &r->arena, &why) != KRAIT_OK)
        return 0;
    r->config = recorded_text(r, "config");
    r->seed = strtoull(recorded_text(r, "seed"), NULL, 10);
    for (const char *at = recorded_text(r, "tensors"); *at && r->count < RECORDED_TENSORS;) {
        bits += recorded_tensor(r, at);
        at += strcspn(at, ",");
        at += *at == ',';
    }
    ids = kr_package_find(&r->package, "ids");
    r->steps = ids ? (size_t)ids->shape[0] : 0;
    r->ids = malloc((r->steps + 1) * sizeof *r->ids);
    for (size_t i = 0; i < r->steps; i++)
        r->ids[i] = (int32_t)recorded_number(r, "ids", i);
    return r->steps > 0 && bits == strtoull(recorded_text(r, "bits"), NULL, 10);
}

void recorded_close(recorded *r)
{
    for (size_t i = 0; i < r->count; i++)
        free((void *)(uintptr_t)r->tensors[i].data);
    free(r->ids);
    kr_arena_free(&r->arena);
    free(r->bytes);
}

double recorded_number(const recorded *r, const char *tensor, size_t i)
{
    const kr_source *source = kr_package_find(&r->package, tensor);

    if (!source)
        return NAN;
    if (strcmp(source->type_name, "F64") == 0)
        return kr_double_of(kr_load_u32(source->data + 8 * i) | (uint64_t)kr_load_u32(source->data + 8 * i + 4) << 32);
    if (source->type == KRAIT_F32)
        return (double)kr_float_of(kr_load_u32(source->data + 4 * i));
    return (double)(int32_t)kr_load_u32(source->data + 4 * i);
}

double recorded_distance(const recorded *r, const char *tensor, const float *logits, size_t vocabulary)
{
    const kr_source *columns = kr_package_find(&r->package, "columns");
    size_t           n = columns ? (size_t)columns->shape[0] : 0;
    double           scale = 0, worst = n ? 0 : INFINITY;

    for (size_t i = 0; i < r->steps * n; i++) {
        double theirs = recorded_number(r, tensor, i);
        double ours = (double)logits[i / n * vocabulary + (size_t)recorded_number(r, "columns", i % n)];

        scale = fmax(scale, fabs(theirs));
        worst = fmax(worst, isnan(ours) || isnan(theirs) ? INFINITY : fabs(ours - theirs));
    }
    return scale > 0 ? worst / scale : INFINITY;
}
