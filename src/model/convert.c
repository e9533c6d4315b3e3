/*
 * convert.c - the bound weights of a model, tensor by tensor, into a GGUF.
 *
 * A family that GGUF knows is written under GGUF's names and keys; any other tree under its own
 * names with its description.  One strip of 64 rows is in memory at a time.
 */
#include "model/convert.h"

#include <string.h>

#include "core/panels.h"
#include "core/real.h"
#include "kernels/pack.h"
#include "model/arch.h"
#include "model/encode.h"

/* One tensor to write. */
typedef struct convert_item {
    const kr_bound *bound;
    const char     *name;
    int32_t         type;           /* of the numbers */
    int             panels;
    uint64_t        shape[4];
    int             dimensions;
    size_t          rows, width;    /* as a matrix */
    uint64_t        bytes;
} convert_item;

typedef struct convert_job {
    const krait_convert_options *options;
    krait_message  *message;
    kr_loading      loading;
    krait_open_options open;
    convert_item   *items;
    size_t          count;
    uint64_t        done, total;
    size_t          unlike[2];      /* matrices of another type than was asked for: of blocks; F16 */
    const char     *first[2];       /* one of them */
    int32_t         instead;        /* those of blocks */
    float          *row;            /* the widest one */
    unsigned char  *strip, *packed; /* 64 rows, encoded; and the same in panels */
    size_t          strip_bytes;
    kr_output_file  out;
    kr_gguf_writer  gguf;
} convert_job;

static size_t convert_row_bytes(int32_t type, size_t width)
{
    kr_layout t = kr_layout_of(type);

    return t.inputs ? width / t.inputs * t.file : (type == KR_TYPE_F32 ? 4 : 2) * width;
}

/* ---- what to write -------------------------------------------------------------------------------- */

static int convert_foreign(const convert_job *job)
{
    return job->loading.model->arch && job->loading.model->arch->gguf_name;
}

int kr_convert_type(int32_t type)
{
    return type == KR_TYPE_F32 || type == KR_TYPE_F16 || type == KR_TYPE_BF16 || kr_encode_limit(type) > 0;
}

/* Rows that are no blocks of 256 get the blocks of 32 with one bit more a number, those that are none of 32 F16. */
static int32_t convert_fitting(int32_t type, size_t width)
{
    if (kr_layout_of(type).inputs == 256 && width % 256 != 0)
        type = type == KR_TYPE_Q4_K ? KR_TYPE_Q5_0 : type == KR_TYPE_Q5_K ? KR_TYPE_Q5_1 : KR_TYPE_Q8_0;
    return kr_layout_of(type).inputs && width % kr_layout_of(type).inputs != 0 ? KR_TYPE_F16 : type;
}

/* Large matrices get the type that was asked for, or what fits their rows. */
static void convert_choose(convert_job *job, convert_item *item, int matrix)
{
    int half;

    item->type = matrix ? convert_fitting(job->options->type, item->width) : KR_TYPE_F32;
    item->panels = matrix && job->options->layout == KRAIT_LAYOUT_PANELS;
    if (!matrix || item->type == job->options->type)
        return;
    half = item->type == KR_TYPE_F16;
    job->instead = half ? job->instead : item->type;
    if (job->unlike[half]++ == 0)
        job->first[half] = item->name;
}

static void convert_warn(convert_job *job)
{
    for (int half = 0; half < 2; half++) {
        krait_message line;

        if (!job->options->warn || !job->unlike[half])
            continue;
        kr_fail(&line, KRAIT_OK, "%zu of the matrices, %.100s first, will be %s: rows that are no blocks of %s",
                job->unlike[half], job->first[half], kr_type_name(half ? KR_TYPE_F16 : job->instead),
                kr_type_name(job->options->type));
        job->options->warn(job->options->warn_user, line.text);
    }
}

/* Under GGUF's names every weight is written in the shape that its layer wants. */
static krait_status convert_foreign_item(convert_job *job, const kr_bound *bound, convert_item *item)
{
    kr_writer name;

    kr_writer_start(&name, &job->loading.arena);
    kr_write(&name, "");
    job->loading.model->arch->gguf_name(bound->name, &name);
    if (name.broken)
        return kr_fail_memory(job->message);
    if (name.length == 0)
        return kr_fail(job->message, KRAIT_ERR_UNSUPPORTED, "%.100s has no name in GGUF", bound->name);
    item->name = name.text;
    item->dimensions = bound->want->dimensions;
    memcpy(item->shape, bound->want->shape, sizeof bound->want->shape);
    return KRAIT_OK;
}

/* Under its own name a tensor is written once, whole; packed only if all uses are whole matrices of its shape. */
static int convert_own_matrix(const krait_model *model, const kr_source *source)
{
    int matrix = 1;

    for (size_t i = 0; i < model->n_bound; i++)
        if (model->bound[i].source == source)
            matrix &= model->bound[i].want->form == KR_MATRIX && model->bound[i].whole &&
                      source->dimensions == 2 &&
                      memcmp(source->shape, model->bound[i].want->shape, 2 * sizeof *source->shape) == 0;
    return matrix;
}

static void convert_own_item(const kr_bound *bound, convert_item *item)
{
    item->name = bound->source->name;
    item->dimensions = bound->source->dimensions;
    memcpy(item->shape, bound->source->shape, sizeof item->shape);
}

static int convert_first_use(const krait_model *model, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (model->bound[k].source == model->bound[i].source)
            return 0;
    return 1;
}

static krait_status convert_list(convert_job *job)
{
    krait_model *model = job->loading.model;

    job->items = kr_arena_take(&job->loading.arena, model->n_bound + 1, sizeof *job->items);
    if (!job->items)
        return kr_fail_memory(job->message);
    for (size_t i = 0; i < model->n_bound; i++) {
        const kr_bound *bound = &model->bound[i];
        convert_item   *item = &job->items[job->count];
        krait_status    status = KRAIT_OK;

        if (convert_foreign(job) ? bound->same != NULL : !convert_first_use(model, i))
            continue;
        item->bound = bound;
        if (convert_foreign(job))
            status = convert_foreign_item(job, bound, item);
        else
            convert_own_item(bound, item);
        if (status != KRAIT_OK)
            return status;
        item->rows = item->width = 1;
        if (item->dimensions > 0)
            item->width = (size_t)item->shape[item->dimensions - 1];
        for (int d = 0; d + 1 < item->dimensions; d++)
            item->rows *= (size_t)item->shape[d];
        convert_choose(job, item, convert_foreign(job) ? bound->want->form == KR_MATRIX
                                                       : convert_own_matrix(model, bound->source));
        item->bytes = (uint64_t)item->rows * convert_row_bytes(item->type, item->width);
        if (item->panels && !kr_panels_bytes(item->type, item->rows, item->width, &item->bytes))
            return kr_fail(job->message, KRAIT_ERR_UNSUPPORTED, "tensor %.100s is too large", item->name);
        job->total += item->bytes;
        job->count++;
    }
    convert_warn(job);
    return KRAIT_OK;
}

/* ---- numbers -------------------------------------------------------------------------------------- */

/* Row r of what is written, as floats. */
static void convert_read(const convert_job *job, const convert_item *item, size_t r, float *row)
{
    const kr_bound *bound = item->bound;
    int             own = !convert_foreign(job);
    const unsigned char *data = own ? bound->source->data : bound->data;

    if (bound->panels) {
        kr_matrix w = { data, item->rows, item->width, bound->type };

        kr_pack_read_row(&w, r, row);
        return;
    }
    if (own || !bound->transpose)
        kr_source_floats(bound->type, data, (uint64_t)r * item->width, item->width, row);
    for (size_t k = 0; k < item->width; k++) {
        if (!own && bound->transpose)
            kr_source_floats(bound->type, data, (uint64_t)k * item->rows + r, 1, row + k);
        if (!own && bound->logarithm)
            row[k] = (float)-kr_exp(row[k]);
    }
}

static void convert_encode(int32_t type, const float *row, size_t width, unsigned char *out)
{
    kr_layout t = kr_layout_of(type);

    for (size_t k = 0; t.inputs && k < width; k += t.inputs, out += t.file)
        kr_encode_block(&t, row + k, out);
    for (size_t k = 0; t.inputs == 0 && k < width; k++)
        switch (type) {
        case KR_TYPE_F32: kr_store_u32(out + 4 * k, kr_bits_of(row[k])); break;
        case KR_TYPE_F16: kr_store_u16(out + 2 * k, kr_half_of_float(row[k])); break;
        default:          kr_store_u16(out + 2 * k, kr_bfloat_of_float(row[k])); break;
        }
}

/* NaN has no place in blocks, and infinity none in F16 or blocks if the weight was finite. */
static krait_status convert_representable(convert_job *job, const convert_item *item, const float *row)
{
    float limit = item->type == KR_TYPE_F16 ? 65504.0f : kr_encode_limit(item->type);

    for (size_t k = 0; limit > 0 && k < item->width; k++)
        if (!(row[k] <= limit && row[k] >= -limit))
            return kr_fail(job->message, KRAIT_ERR_UNSUPPORTED,
                           "tensor %.100s holds a number that %s cannot hold", item->name, kr_type_name(item->type));
    return KRAIT_OK;
}

/* Row r of panels of blocks as a row of the same blocks. */
static void convert_unpack(const kr_matrix *w, size_t r, unsigned char *out)
{
    kr_layout t = kr_layout_of(w->type);
    kr_codes  codes[8];

    for (size_t k = 0; k < w->inputs; k += t.inputs, out += t.file) {
        for (size_t b = 0; b < t.inputs / KR_BLOCK; b++)
            kr_codes_get(&t, kr_pack_record(&t, w, r, k), kr_pack_width(w, r), r % KR_STRIP, b, codes + b);
        kr_encode_codes(&t, codes, out);
    }
}

/* A row whose numbers are the source's own bits; 0: it is to be made. */
static int convert_copy(const convert_job *job, const convert_item *item, size_t r, unsigned char *out)
{
    const kr_bound      *bound = item->bound;
    const unsigned char *data = convert_foreign(job) ? bound->data : bound->source->data;
    size_t               bytes = convert_row_bytes(item->type, item->width);
    kr_matrix            w = { data, item->rows, item->width, item->type };

    if (bound->type != item->type || bound->transpose || bound->logarithm)
        return 0;
    if (!bound->panels)
        memcpy(out, data + r * bytes, bytes);
    else if (kr_layout_of(item->type).inputs)
        convert_unpack(&w, r, out);
    else
        return 0;
    return 1;
}

static krait_status convert_strip(convert_job *job, const convert_item *item, size_t from, size_t rows)
{
    size_t bytes = convert_row_bytes(item->type, item->width);
    krait_status status = KRAIT_OK;

    for (size_t r = 0; r < rows && status == KRAIT_OK; r++) {
        if (convert_copy(job, item, from + r, job->strip + r * bytes))
            continue;
        convert_read(job, item, from + r, job->row);
        status = convert_representable(job, item, job->row);
        if (status == KRAIT_OK)
            convert_encode(item->type, job->row, item->width, job->strip + r * bytes);
    }
    if (status != KRAIT_OK || !item->panels)
        return status == KRAIT_OK ? kr_gguf_data(&job->gguf, job->strip, rows * bytes, job->message) : status;
    {
        kr_matrix w = { NULL, rows, item->width, item->type };
        uint64_t  packed;

        if (!kr_panels_bytes(item->type, rows, item->width, &packed))
            return kr_fail_memory(job->message);
        kr_pack_rows(&w, job->packed, job->strip, 0, rows);
        return kr_gguf_data(&job->gguf, job->packed, (size_t)packed, job->message);
    }
}

/* ---- the file --------------------------------------------------------------------------------------- */

static krait_status convert_tensor(convert_job *job, const convert_item *item)
{
    for (size_t r = 0; r < item->rows; r += KR_STRIP) {
        size_t       rows = kr_min(item->rows - r, KR_STRIP);
        krait_status status = convert_strip(job, item, r, rows);

        if (status != KRAIT_OK)
            return status;
        if (job->options->progress &&
            job->options->progress(job->options->progress_user, job->done + item->bytes / item->rows * r, job->total))
            return kr_fail(job->message, KRAIT_ERR_CANCELLED, "converting was cancelled");
    }
    job->done += item->bytes;
    return kr_gguf_tensor_end(&job->gguf, job->message);
}

/* A vocabulary goes over as it is; without one the file says what is known of its tokens. */
static void convert_vocabulary(convert_job *job)
{
    const kr_json *tree = job->loading.tree, *end = kr_json_get(tree, "end_token");
    const kr_json *json = kr_json_get(job->loading.package.metadata, KR_TOKENIZER_JSON_KEY);
    const kr_file *file = &job->loading.tokenizer_file;
    kr_json        own = { .kind = KR_JSON_TEXT, .key = KR_TOKENIZER_JSON_KEY,
                           .text = (const char *)file->bytes, .count = file->count };

    if (job->loading.model->tokens.model) {
        for (const kr_json *field = job->loading.package.metadata->first; field; field = field->next)
            if (strncmp(field->key, "tokenizer.", 10) == 0)
                kr_gguf_copy(&job->gguf, field);
        return;
    }
    if (job->loading.model->tokenizer && file->count)
        json = &own;
    if (json && json->kind == KR_JSON_TEXT)
        kr_gguf_copy(&job->gguf, json);
    if (!convert_foreign(job))
        return;                     /* the description says it */
    kr_gguf_text(&job->gguf, "tokenizer.ggml.model", "none");
    if (end)
        kr_gguf_u32(&job->gguf, "tokenizer.ggml.eos_token_id", (uint32_t)end->integer);
    if (kr_json_get(tree, "vocabulary"))
        kr_gguf_text(&job->gguf, "krait.vocabulary", "bytes");
}

/* general.file_type, which is what other readers say of a file. */
static uint32_t convert_file_type(int32_t type)
{
    switch (type) {
    case KR_TYPE_F16:  return 1;
    case KR_TYPE_BF16: return 32;
    case KR_TYPE_Q4_0: return 2;
    case KR_TYPE_Q4_1: return 3;
    case KR_TYPE_Q5_0: return 8;
    case KR_TYPE_Q5_1: return 9;
    case KR_TYPE_Q8_0: return 7;
    case KR_TYPE_Q4_K: return 14;       /* "small": all matrices alike */
    case KR_TYPE_Q5_K: return 16;
    case KR_TYPE_Q6_K: return 18;
    default:           return 0;
    }
}

static void convert_keys(convert_job *job)
{
    const krait_model *model = job->loading.model;
    int                foreign = convert_foreign(job), quantised = kr_layout_of(job->options->type).inputs != 0;

    kr_gguf_start(&job->gguf, &job->out, &job->loading.arena,
                  job->options->layout == KRAIT_LAYOUT_PANELS ? KR_ALIGN : 32);
    kr_gguf_text(&job->gguf, "general.architecture", foreign ? model->arch->architecture : "krait");
    kr_gguf_u32(&job->gguf, "general.file_type", convert_file_type(job->options->type));
    if (quantised)
        kr_gguf_u32(&job->gguf, "general.quantization_version", 2);
    if (foreign) {
        model->arch->gguf_keys(job->loading.tree, &job->gguf);
    } else {
        kr_writer tree;

        kr_writer_start(&tree, &job->loading.arena);
        kr_write_json(&tree, job->loading.tree);
        kr_gguf_text(&job->gguf, "krait.description", tree.broken ? "" : tree.text);
        job->gguf.keys.broken |= tree.broken;
    }
    convert_vocabulary(job);
    for (size_t i = 0; i < job->count; i++) {
        const convert_item *item = &job->items[i];

        kr_gguf_tensor(&job->gguf, item->name, item->type + (item->panels ? KR_TYPE_PANELS : 0), item->shape,
                       item->dimensions, item->bytes);
    }
}

static krait_status convert_buffers(convert_job *job)
{
    size_t width = 1;

    for (size_t i = 0; i < job->count; i++)
        width = job->items[i].width > width ? job->items[i].width : width;
    if (!kr_mul_fits(width, KR_STRIP * 4, &job->strip_bytes))
        return kr_fail_memory(job->message);
    job->row = kr_arena_take(&job->loading.arena, width, sizeof *job->row);
    job->strip = kr_arena_take(&job->loading.arena, job->strip_bytes, 1);
    job->packed = kr_arena_take(&job->loading.arena, job->strip_bytes, 1);
    return job->row && job->strip && job->packed ? KRAIT_OK : kr_fail_memory(job->message);
}

static krait_status convert_write(convert_job *job, const char *to)
{
    krait_status status;

    if ((status = convert_list(job)) != KRAIT_OK || (status = convert_buffers(job)) != KRAIT_OK ||
        (status = kr_output_create(&job->out, to, &job->loading.arena, job->message)) != KRAIT_OK)
        return status;
    convert_keys(job);
    if ((status = kr_gguf_head(&job->gguf, job->message)) != KRAIT_OK)
        return status;
    for (size_t i = 0; i < job->count; i++)
        if ((status = convert_tensor(job, &job->items[i])) != KRAIT_OK)
            return status;
    if (job->options->progress &&
        job->options->progress(job->options->progress_user, job->total, job->total))
        return kr_fail(job->message, KRAIT_ERR_CANCELLED, "converting was cancelled");
    return kr_output_finish(&job->out, job->message);
}

krait_status kr_convert(const char *from, const char *to, const krait_convert_options *options,
                        krait_message *message)
{
    convert_job  job = { .options = options, .message = message };
    kr_origin    origin = { .path = from };
    krait_status status;

    job.open.max_bytes = options->max_bytes;
    job.open.allocator = options->allocator;
    job.open.warn = options->warn;
    job.open.warn_user = options->warn_user;
    job.open.description = options->description;
    job.open.flags = options->flags;
    status = kr_load_begin(&job.loading, &origin, &job.open, &kr_kernels_plain, message);
    if (status == KRAIT_OK)
        status = convert_write(&job, to);
    kr_output_abandon(&job.out);
    kr_load_end(&job.loading, 0);
    return status;
}
