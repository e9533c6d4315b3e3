/* panels.c - sizes of panels, for any numbers that a file may claim. */
#include "core/panels.h"

#include "krait.h"

enum {
    PANELS_Q8_BLOCK  = 32,
    PANELS_Q8_RECORD = KR_LANES * 2 + KR_LANES * PANELS_Q8_BLOCK    /* half scales, weights */
};

int kr_panels_bytes(int32_t type, uint64_t outputs, uint64_t inputs, uint64_t *bytes)
{
    uint64_t panels = outputs / KR_LANES + (outputs % KR_LANES != 0), unit, count = inputs;

    switch (type) {
    case KRAIT_F32:
        unit = KR_LANES * 4;
        break;
    case KRAIT_F16:
    case KRAIT_BF16:
        unit = KR_LANES * 2;
        break;
    case KRAIT_Q8_0:
        if (inputs % PANELS_Q8_BLOCK != 0)
            return 0;
        unit = PANELS_Q8_RECORD;
        count = inputs / PANELS_Q8_BLOCK;
        break;
    default:
        return 0;
    }
    if (count > UINT64_MAX / unit || (panels && count * unit > UINT64_MAX / panels))
        return 0;
    *bytes = panels * (count * unit);
    return 1;
}
