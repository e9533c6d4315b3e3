/*
 * krait.c - the public functions of versions, models and files: check arguments, call inward.  States and runs are in
 * krait_state.c, text in krait_text.c.
 */
#include "call.h"

#include "core/fpenv.h"
#include "kernels/selftest.h"
#include "model/convert.h"
#include "model/run.h"

/* ---- version -------------------------------------------------------------------------------------- */

#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)

const char *krait_version(void)
{
    return TEXT_OF(KRAIT_VERSION_MAJOR) "." TEXT_OF(KRAIT_VERSION_MINOR) "." TEXT_OF(KRAIT_VERSION_PATCH);
}

int32_t krait_abi(void)      { return KRAIT_ABI; }
int32_t krait_numerics(void) { return KRAIT_NUMERICS; }

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "a C compiler"
#endif

const char *krait_build(void)
{
    const char *best = kr_kernels_best()->name;

    if (strcmp(best, "avx512") == 0)
        return COMPILER "; kernels avx512 avx2 plain";
    if (strcmp(best, "avx2") == 0)
        return COMPILER "; kernels avx2 plain";
    if (strcmp(best, "neon_dot") == 0)
        return COMPILER "; kernels neon_dot neon plain";
    if (strcmp(best, "neon") == 0)
        return COMPILER "; kernels neon plain";
    return COMPILER "; kernels plain";
}

const char *krait_status_text(krait_status status)
{
    static const char *const texts[] = {
        "ok", "invalid argument", "out of memory", "input or output failed", "malformed file",
        "unsupported", "shapes do not agree", "state of another model", "misaligned memory",
        "buffer too small", "cancelled", "model cannot step", "unusable build"
    };

    if (status > 0 || status < KRAIT_ERR_BUILD)
        return "unknown status";
    return texts[-status];
}

/* ---- model ------------------------------------------------------------------------------------------ */

static krait_status open_options(krait_open_options *ours, const krait_open_options *theirs,
                                 krait_message *message)
{
    const int32_t known = KRAIT_OPEN_READ | KRAIT_OPEN_BORROW | KRAIT_OPEN_CHECK | KRAIT_OPEN_PLAIN |
                          KRAIT_OPEN_PREFETCH;

    if (kr_call_options(ours, sizeof *ours, theirs) != KRAIT_OK)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: size, or fields this library does not know");
    if (ours->flags & KRAIT_OPEN_FAST)
        return kr_fail(message, KRAIT_ERR_UNSUPPORTED, "options: KRAIT_OPEN_FAST is not built yet");
    if (ours->flags & ~known)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: unknown flags");
    if (ours->allocator && (!ours->allocator->allocate || !ours->allocator->release))
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: the allocator lacks a function");
    return KRAIT_OK;
}

static krait_status open_origin(krait_model **model, const kr_origin *origin, const krait_open_options *ours,
                                krait_message *message)
{
    kr_fpenv          host = kr_fpenv_enter();
    const kr_kernels *kernels = ours->flags & KRAIT_OPEN_PLAIN ? &kr_kernels_plain : kr_kernels_best();
    krait_status      status;

    if (!kr_selftest(kernels))
        status = kr_fail(message, KRAIT_ERR_BUILD,
                         "compiled with options that change arithmetic: results would be wrong");
    else
        status = kr_model_make(model, origin, ours, kernels, message);
    kr_fpenv_leave(host);
    return status;
}

krait_status krait_model_open(krait_model **model, const char *path, const krait_open_options *options,
                              krait_message *message)
{
    kr_origin          origin = { .path = path };
    krait_open_options ours;
    krait_status       status;

    kr_call_clear(message);
    if (!model)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "model is NULL");
    *model = NULL;
    if (!path)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "path is NULL");
    if ((status = open_options(&ours, options, message)) != KRAIT_OK)
        return status;
    ours.flags &= ~KRAIT_OPEN_BORROW;           /* nothing of the caller's to borrow */
    return open_origin(model, &origin, &ours, message);
}

krait_status krait_model_open_memory(krait_model **model, const void *bytes, size_t count,
                                     const krait_open_options *options, krait_message *message)
{
    kr_origin          origin = { .bytes = bytes, .count = count };
    krait_open_options ours;
    krait_status       status;

    kr_call_clear(message);
    if (!model)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "model is NULL");
    *model = NULL;
    if (!bytes && count)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "bytes is NULL");
    if ((status = open_options(&ours, options, message)) != KRAIT_OK)
        return status;
    if ((ours.flags & KRAIT_OPEN_BORROW) && (uintptr_t)bytes % KRAIT_STATE_ALIGNMENT)
        return kr_fail(message, KRAIT_ERR_ALIGNMENT, "borrowed bytes must be aligned to 64");
    return open_origin(model, &origin, &ours, message);
}

krait_status krait_model_create(krait_model **model, const char *description, const krait_tensor *tensors,
                                size_t count, const krait_open_options *options, krait_message *message)
{
    kr_origin          origin = { .description = description, .tensors = tensors, .n_tensors = count,
                                  .from_tensors = 1 };
    krait_open_options ours;
    krait_status       status;

    kr_call_clear(message);
    if (!model)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "model is NULL");
    *model = NULL;
    if (!description || (!tensors && count))
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "description or tensors is NULL");
    if ((status = open_options(&ours, options, message)) != KRAIT_OK)
        return status;
    if (ours.description)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: a second description");
    return open_origin(model, &origin, &ours, message);
}

void krait_model_close(krait_model *model)
{
    if (model)
        kr_model_free(model);
}

krait_status krait_model_get(const krait_model *model, int32_t key, int64_t *value)
{
    if (!model || !value)
        return KRAIT_ERR_ARGUMENT;
    *value = 0;
    switch (key) {
    case KRAIT_IN_WIDTH:             *value = (int64_t)model->in_width; break;
    case KRAIT_OUT_WIDTH:            *value = (int64_t)model->out_width; break;
    case KRAIT_VOCABULARY:           *value = (int64_t)model->vocabulary; break;
    case KRAIT_LAYERS:               *value = (int64_t)model->n_remembering; break;
    case KRAIT_PARAMETERS:           *value = (int64_t)model->parameters; break;
    case KRAIT_WHOLE_SEQUENCE:       *value = model->whole; break;
    case KRAIT_WEIGHT_BYTES:         *value = (int64_t)model->held_bytes; break;
    case KRAIT_STATE_BYTES_PER_LANE: *value = (int64_t)model->lane_bytes; break;
    case KRAIT_CAN_STEP:             *value = !model->whole; break;
    case KRAIT_USES_DT:              *value = model->uses_time; break;
    case KRAIT_TAKES_TOKENS:         *value = model->vocabulary > 0; break;
    case KRAIT_END_TOKEN:            *value = model->end_token; break;
    case KRAIT_GRID_ROWS:            *value = (int64_t)model->grid[0]; break;
    case KRAIT_GRID_COLUMNS:         *value = (int64_t)model->grid[1]; break;
    case KRAIT_MOST_STEPS:           *value = (int64_t)model->most_steps; break;
    default:                         return KRAIT_ERR_UNSUPPORTED;
    }
    return KRAIT_OK;
}

const char *krait_model_text(const krait_model *model, const char *key)
{
    if (model && key)
        for (size_t i = model->n_pairs; i-- > 0;)       /* krait's own come last and win */
            if (strcmp(model->pairs[i].key, key) == 0)
                return model->pairs[i].text;
    return NULL;
}

krait_status krait_model_tensor(const krait_model *model, size_t i, krait_tensor *tensor)
{
    if (!model || !tensor || i >= model->n_tensors)
        return KRAIT_ERR_ARGUMENT;
    *tensor = model->tensors[i];
    return KRAIT_OK;
}

const char *krait_model_key(const krait_model *model, size_t i)
{
    return model && i < model->n_pairs ? model->pairs[i].key : NULL;
}

krait_status krait_model_slot(const krait_model *model, size_t i, krait_slot_info *info)
{
    krait_slot_info ours = { sizeof ours, NULL, 0, KRAIT_SLOT_ORDER, 0 };
    size_t          size;

    if (!model || !info || i >= model->flows.n_inputs + model->flows.n_slots)
        return KRAIT_ERR_ARGUMENT;
    memcpy(&size, info, sizeof size);
    if (size < sizeof size)
        return KRAIT_ERR_ARGUMENT;
    if (i < model->flows.n_inputs) {
        ours.name = model->flows.inputs[i].name;
        ours.width = model->flows.inputs[i].cells;
    } else {
        const kr_slot *slot = &model->flows.slots[i - model->flows.n_inputs];

        ours.name = slot->name;
        ours.kind = slot->output ? KRAIT_SLOT_ROWS : KRAIT_SLOT_INNER;
        ours.width = slot->output ? kr_run_slot_width(slot) : slot->width;
    }
    ours.size = size;
    memcpy(info, &ours, size < sizeof ours ? size : sizeof ours);
    return KRAIT_OK;
}

uint64_t krait_model_id(const krait_model *model)
{
    return model ? model->id : 0;
}

krait_status krait_model_hash(const krait_model *model, uint64_t *hash)
{
    if (!model || !hash)
        return KRAIT_ERR_ARGUMENT;
    *hash = kr_model_hash(model);
    return KRAIT_OK;
}

/* ---- files --------------------------------------------------------------------------------------------- */

krait_status krait_convert(const char *from, const char *to, const krait_convert_options *options,
                           krait_message *message)
{
    krait_convert_options ours;
    kr_fpenv              host;
    krait_status          status;

    kr_call_clear(message);
    if (!from || !to)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "a path is NULL");
    if (kr_call_options(&ours, sizeof ours, options) != KRAIT_OK || (ours.flags & ~KRAIT_OPEN_READ))
        return kr_fail(message, KRAIT_ERR_ARGUMENT,
                       "options: size, flags, or fields this library does not know");
    if (!kr_convert_type(ours.type))
        return kr_fail(message, KRAIT_ERR_UNSUPPORTED, "type %d cannot be written", (int)ours.type);
    if (ours.layout != KRAIT_LAYOUT_ROWS && ours.layout != KRAIT_LAYOUT_PANELS)
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "layout %d is not known", (int)ours.layout);
    if (ours.allocator && (!ours.allocator->allocate || !ours.allocator->release))
        return kr_fail(message, KRAIT_ERR_ARGUMENT, "options: the allocator lacks a function");
    host = kr_fpenv_enter();
    status = kr_convert(from, to, &ours, message);
    kr_fpenv_leave(host);
    return status;
}
