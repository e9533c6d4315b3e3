/* diagonal.h - diagonal complex recurrences over segments. */
#ifndef KR_SCAN_DIAGONAL_H
#define KR_SCAN_DIAGONAL_H

#include "kernels/kernels.h"
#include "scan/scan.h"

/* Rows of a segment for so many states: summaries then take a quarter of the floats of [rows][channels]. */
size_t kr_diagonal_segment(size_t states);
/* Room for scans of up to 'rows' rows of so many channels. */
float *kr_diagonal_take(size_t rows, size_t channels, size_t states, kr_carve *carve);
/*
 * The kernel diagonal(p), segment by segment; 'room' of kr_diagonal_take() for at least p's rows.  power: laid
 * out as p->a, to the power of kr_diagonal_segment(), always with its lower parts.
 */
void   kr_diagonal_scan(const kr_kernels *kernels, const kr_diagonal *p, const float *power, const kr_tasks *tasks,
                        float *room);

#endif
