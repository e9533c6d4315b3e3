/*
 * lti.h - linear layers whose states do not meet: x = a x + B u, y = Re(C x) + D u.
 *
 * What s5 and lru have in common once their parameters are made into a, B and C.  B and C are real matrices here:
 * [2 states][width] and [width][2 states] with the sign of the imaginary parts in it, in the order of kr_turn.
 */
#ifndef KR_LTI_H
#define KR_LTI_H

#include "core/complex.h"
#include "layers/layer.h"

/* Also flags of a type that runs with kr_lti_run(). */
#define KR_LTI_FLAGS KR_CONVOLVES

/* The first thing in such a layer's params: its memory, scratch and run are those below. */
typedef struct kr_lti {
    size_t       states;
    const float *d;             /* [width] or NULL */
    float       *a, *power;     /* as kr_turn's a; power: a to the KR_TURNING_ROWS */
    int          liquid;        /* x = a x + B u (x + 1) */
    int          low;           /* some a is so close to the unit circle that a float is too short for it */
    uint32_t    *reach;         /* of every 16 states: kr_convolution */
    kr_matrix    b, c;
    double      *z;             /* as kr_timed's; of a layer that uses time */
    int          rule;          /* KR_HOLD, ...: set before kr_lti_take() */
    const float *initial;       /* [states][2]: x before the first row; NULL: zeros */
    float       *start;         /* that, as memory has it */
} kr_lti;

/* Room for all of it, with zeros; 1 if there is memory to set numbers in. */
int  kr_lti_take(kr_lti *p, size_t width, kr_carve *carve);
void kr_lti_set_a(kr_lti *p, size_t state, kr_complex a);
/* What a is exp(), or the bilinear form, of. */
void kr_lti_set_z(kr_lti *p, size_t state, kr_complex z);
void kr_lti_set_b(kr_lti *p, size_t state, size_t input, kr_complex b);
void kr_lti_set_c(kr_lti *p, size_t output, size_t state, kr_complex c);

/* The weight initial_state, an addition of krait's: no official code learns where s5 or lru begin. */
void kr_lti_want_initial(kr_wants *wants, size_t at, size_t states);

krait_status kr_lti_shape(kr_layer *layer, krait_message *message);
void         kr_lti_memory(const kr_layer *layer, kr_parts *parts);
const float *kr_lti_start(const kr_layer *layer);
void         kr_lti_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve);
void         kr_lti_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out);

#endif
