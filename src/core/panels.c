/* panels.c - sizes of panels, for any numbers that a file may claim. */
#include "core/panels.h"

#include "krait.h"

/* Inputs that share a record, and its bytes for one output. */
static int panels_record(int32_t type, uint64_t *inputs, uint64_t *bytes)
{
    switch (type) {
    case KRAIT_F32:
        *inputs = 1, *bytes = 4;
        return 1;
    case KRAIT_F16:
    case KRAIT_BF16:
        *inputs = 1, *bytes = 2;
        return 1;
#define KR_PANELS(name, TYPE, in, file, halves, scales, parts, low, high, zero) \
    case TYPE: \
        *inputs = in, *bytes = 2 * halves + in / 32 * (scales + 4 * (low + high)); \
        return 1;
#include "core/panels.def"
#undef KR_PANELS
    default:
        return 0;
    }
}

int kr_panels_bytes(int32_t type, uint64_t outputs, uint64_t inputs, uint64_t *bytes)
{
    uint64_t panels = outputs / KR_LANES + (outputs % KR_LANES != 0), group, unit, count;

    if (!panels_record(type, &group, &unit) || inputs % group != 0)
        return 0;
    unit *= KR_LANES;
    count = inputs / group;
    if (count > UINT64_MAX / unit || (panels && count * unit > UINT64_MAX / panels))
        return 0;
    *bytes = panels * (count * unit);
    return 1;
}
