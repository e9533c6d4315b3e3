/*
 * oracle_parts.h - what the files of the oracle share: numbers with errors, options, weights, rows.
 */
#ifndef KR_TEST_ORACLE_PARTS_H
#define KR_TEST_ORACLE_PARTS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "layers/oracle.h"

#define HALF_UNIT 0x1p-24           /* most relative error of one rounding to float32 */
#define TINY      1e-36             /* below this float32 loses digits or is zero */

/* 1: a row's dt multiplies the step of mamba1 and selective_scan; docs/layers.md has 0. */
enum { SCANS_IN_TIME = 0 };

typedef oracle_number number;
typedef oracle_layer  layer;
typedef oracle_weight weight;

/* ---- numbers with errors ------------------------------------------------------------- */

static inline number *room(size_t count)
{
    return calloc(count + 1, sizeof(number));
}

static inline number exact(double v)
{
    return (number){ v, 0 };
}

/* Errors that know nothing of each other, together. */
static inline double apart(double a, double b)
{
    return sqrt(a * a + b * b);
}

static inline number times(number a, number b)
{
    double v = a.v * b.v;

    return (number){ v, apart(apart(a.v * b.e, b.v * a.e), HALF_UNIT * v) + TINY };
}

static inline number plus(number a, number b)
{
    double v = a.v + b.v;

    return (number){ v, apart(apart(a.e, b.e), HALF_UNIT * v) };
}

/* Every partial sum is rounded; other orders have others of about their size. */
static inline void add_to(number *sum, number term)
{
    sum->v += term.v;
    sum->e = apart(sum->e, term.e);
    sum->e = apart(sum->e, HALF_UNIT * apart(sum->v, term.v));
}

/* ---- oracle.c ------------------------------------------------------------------------ */

double        option(const layer *l, const char *name, double fallback);
size_t        size_option(const layer *l, const char *name, size_t fallback);
int           option_is(const layer *l, const char *name, const char *text);

void          want(layer *l, const char *slot, double low, double high, size_t a, size_t b,
                   size_t c);
/* Of a size that leaves sums about as large as their terms. */
void          want_matrix(layer *l, const char *slot, size_t outputs, size_t inputs);
/* Optional weights are there if an option says so that krait does not know: a word alone. */
void          want_bias(layer *l, const char *flag, const char *slot, size_t count);
const weight *get_weight(const layer *l, const char *slot);

number        silu(number x);
number        softplus(number x);
/* y = x / sqrt(mean(x^2) + eps) * w, one row; w NULL: 1.  y may be x. */
void          rms_row(const number *x, size_t width, double eps, const weight *w, number *y);
/* y = W x + bias */
void          product(const weight *w, const weight *bias, const number *x, size_t x_stride,
                      number *y, size_t rows);

/* Room for so many rows with all else as 'like' has it, dt of the first rows included. */
oracle_rows   rows_made(const oracle_rows *like, size_t count, size_t width);
/* What the layer makes of them. */
oracle_rows   rows_through(const layer *l, const oracle_rows *in);

/* ---- the other files: shapes and what they make ----------------------------------------- */

void same_width(layer *l);
/* a becomes the rows of a, then those of b. */
void append_rows(oracle_rows *a, const oracle_rows *b);

/* oracle_scan.c */
void convolve(const weight *w, const weight *bias, size_t taps, size_t count, const number *x, size_t x_stride,
              size_t channels, number *y);
void conv_shape(layer *l);
void conv_run(const layer *l, const oracle_rows *in, number *out);
void mamba1_shape(layer *l);
void mamba1_run(const layer *l, const oracle_rows *in, number *out);
void selective_scan_shape(layer *l);
void selective_scan_run(const layer *l, const oracle_rows *in, number *out);

/* oracle_mamba2.c */
void mamba2_shape(layer *l);
void mamba2_run(const layer *l, const oracle_rows *in, number *out);
/* oracle_s4.c, oracle_s4d.c */
/* What a parameter stands for, by the function that option 'name' says. */
double through(const layer *l, const char *name, const char *fallback, double x);
void s4_shape(layer *l);
void s4_run(const layer *l, const oracle_rows *in, number *out);
void lssl_shape(layer *l);
void lssl_run(const layer *l, const oracle_rows *in, number *out);
void s4d_shape(layer *l);
void s4d_run(const layer *l, const oracle_rows *in, number *out);
/* oracle_lti.c */
void s5_shape(layer *l);
void s5_run(const layer *l, const oracle_rows *in, number *out);
void lru_shape(layer *l);
void lru_run(const layer *l, const oracle_rows *in, number *out);

/* oracle_h3.c */
void shift_shape(layer *l);
void shift_run(const layer *l, const oracle_rows *in, number *out);
void outer_shape(layer *l);
void outer_run(const layer *l, const oracle_rows *in, number *out);
void contract_shape(layer *l);
void contract_run(const layer *l, const oracle_rows *in, number *out);

/* oracle_rows.c */
void        log_softmax_run(const layer *l, const oracle_rows *in, number *out);
void        insert_shape(layer *l);
oracle_rows insert_make(const layer *l, const oracle_rows *in);
void        patch_shape(layer *l);
oracle_rows patch_make(const layer *l, const oracle_rows *in);
void        pool_shape(layer *l);
oracle_rows pool_make(const layer *l, const oracle_rows *in);
void        normalize_run(const layer *l, const oracle_rows *in, number *out);
void        position_shape(layer *l);
void        position_run(const layer *l, const oracle_rows *in, number *out);
void        slice_shape(layer *l);
void        slice_run(const layer *l, const oracle_rows *in, number *out);

/* oracle_composites.c */
void        chain_shape(layer *l);
void        branches_shape(layer *l);
void        get_shape(layer *l);
oracle_rows chain_make(const layer *l, const oracle_rows *in);
oracle_rows residual_make(const layer *l, const oracle_rows *in);
oracle_rows branches_make(const layer *l, const oracle_rows *in);
oracle_rows reverse_make(const layer *l, const oracle_rows *in);
oracle_rows permute_make(const layer *l, const oracle_rows *in);
oracle_rows over_make(const layer *l, const oracle_rows *in);
oracle_rows put_make(const layer *l, const oracle_rows *in);
oracle_rows get_make(const layer *l, const oracle_rows *in);

#endif
