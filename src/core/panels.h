/* panels.h - how many bytes a matrix takes in panels; kernels/ says how they are arranged. */
#ifndef KR_PANELS_H
#define KR_PANELS_H

#include "core/build.h"

/*
 * Outputs are padded to a multiple of KR_LANES, one panel each.  KRAIT_F32, _F16, _BF16, and the types of
 * panels.def with inputs a multiple of a record's.  0 and no answer for anything else or if it does not fit.
 */
int kr_panels_bytes(int32_t type, uint64_t outputs, uint64_t inputs, uint64_t *bytes);

#endif
