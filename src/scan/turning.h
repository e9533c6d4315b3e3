/* turning.h - complex recurrences x = a x + v over segments. */
#ifndef KR_SCAN_TURNING_H
#define KR_SCAN_TURNING_H

#include "kernels/kernels.h"
#include "scan/scan.h"

/* Rows of a segment: its summary is one row of states, and the power of a that it needs is known beforehand. */
enum { KR_TURNING_ROWS = 128 };

/* The rows of a piece, from the states x. */
kr_turn kr_turning_piece(const kr_turn *whole, const kr_scan_piece *piece, float *x);
/* Room for scans of up to 'rows' rows. */
float *kr_turning_take(size_t rows, size_t states, kr_carve *carve);
/*
 * The kernel turn(p), segment by segment; power: a to the KR_TURNING_ROWS, arranged as a is; 'room' of
 * kr_turning_take() for at least p's rows.
 */
void   kr_turning_scan(const kr_kernels *kernels, const kr_turn *p, const float *power, const kr_tasks *tasks,
                       float *room);

#endif
