/*
 * share.h - how tasks share the work of a layer that runs along lanes: by channels, and by lanes
 * where there are more tasks than panels of 16 channels.
 */
#ifndef KR_SHARE_H
#define KR_SHARE_H

#include "core/tasks.h"

/* Parts of each; tasks: the product. */
typedef struct kr_shares { size_t channels, lanes; } kr_shares;

/* What one task has: lanes lane..lane_end-1, channels from..to-1. */
typedef struct kr_share { size_t lane, lane_end, from, to; } kr_share;

KR_INLINE kr_shares kr_shares_for(const kr_tasks *tasks, uint64_t work, size_t lanes, size_t channels)
{
    size_t panels = kr_pad16(channels) / KR_LANES, n = kr_tasks_for(tasks, work, SIZE_MAX);
    size_t parts = kr_min(n, panels);

    return (kr_shares){ parts, kr_min(n / parts, lanes) };
}

KR_INLINE kr_share kr_share_of(const kr_shares *shares, size_t task, size_t lanes, size_t channels)
{
    size_t c = task % shares->channels, l = task / shares->channels;

    return (kr_share){ kr_tasks_cut(lanes, 1, shares->lanes, l), kr_tasks_cut(lanes, 1, shares->lanes, l + 1),
                       kr_tasks_cut(channels, KR_LANES, shares->channels, c),
                       kr_tasks_cut(channels, KR_LANES, shares->channels, c + 1) };
}

#endif
