/*
 * fill.h - bound weights one after another, as they lie in their files, into the memory that was laid out for them.
 *
 * What was read is given back to the system on the way: of a file that is packed there is never much more in
 * memory than the file or what is made of it, whichever is larger.
 */
#ifndef KR_FILL_H
#define KR_FILL_H

#include "core/order.h"
#include "core/tasks.h"
#include "model/model.h"

typedef struct kr_filling {
    kr_loading          *loading;
    kr_tasks             tasks;
    kr_ranked           *order;     /* of those that are none of others again; by the address of their data */
    size_t               count;
    const unsigned char *next;      /* where the next one begins, or NULL */
    uint64_t             done;      /* bytes of prepared weights */
    int                  give_blocks;   /* files that were read are no longer needed either */
} kr_filling;

/* Everything is bound and has its place. */
krait_status kr_fill_begin(kr_filling *f, kr_loading *loading);
/* Number i of the order, to be filled now. */
kr_bound    *kr_fill_next(kr_filling *f, size_t i);
/* KRAIT_ERR_CANCELLED if progress() says so, at 'more' bytes beyond what is done. */
krait_status kr_fill_tell(kr_filling *f, uint64_t more);
/* A matrix of so many bytes in panels. */
krait_status kr_fill_matrix(kr_filling *f, const kr_bound *bound, size_t bytes);
/* Plain float32 that only has to be laid out; 0: prepare.c must take it number by number. */
int          kr_fill_floats(const kr_bound *bound);
/* Weights that stay where they are: looked at only if they are to be in memory at once. */
krait_status kr_fill_in_place(kr_filling *f, const kr_bound *bound, size_t bytes);
/* The last one is done. */
krait_status kr_fill_end(kr_filling *f);

#endif
