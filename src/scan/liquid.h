/* liquid.h - complex recurrences x = a x + (v x + v) over segments: every row has coefficients of its own. */
#ifndef KR_SCAN_LIQUID_H
#define KR_SCAN_LIQUID_H

#include "kernels/kernels.h"
#include "scan/scan.h"

/* Room for scans of up to 'rows' rows. */
float *kr_liquid_take(size_t rows, size_t states, kr_carve *carve);
/* The kernel liquid(p), segment by segment; 'room' of kr_liquid_take() for at least p's rows. */
void   kr_liquid_scan(const kr_kernels *kernels, const kr_turn *p, const kr_tasks *tasks, float *room);

#endif
