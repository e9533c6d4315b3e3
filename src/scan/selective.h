/* selective.h - Mamba's selective scan over segments. */
#ifndef KR_SCAN_SELECTIVE_H
#define KR_SCAN_SELECTIVE_H

#include "kernels/kernels.h"
#include "scan/scan.h"

/*
 * Rows of a segment for so many states.  Summaries then take no more than a quarter of the floats of [rows]
 * [channels]: 2 states for each channel and segment.
 */
size_t kr_selective_segment(size_t states);
/* Room for scans of up to 'rows' rows of so many channels. */
float *kr_selective_take(size_t rows, size_t channels, size_t states, kr_carve *carve);
/* The part of that room that belongs to the channels from 'channel' on, a multiple of 16, for a scan of some of them. */
float *kr_selective_room(float *room, size_t rows, size_t channel, size_t states);
/* The kernel selective(p), segment by segment; 'room' of kr_selective_take() for at least p's rows. */
void   kr_selective_scan(const kr_kernels *kernels, const kr_selective *p, const kr_tasks *tasks, float *room);

#endif
