/*
 * kernels.h - the few loops in which all time is spent, one table of them per instruction set.
 *
 * plain.c defines what each does, bit for bit; every other table must do exactly that
 * (tests/kernels compares them with ==).  Kernels never allocate, fail or call the system;
 * arguments are checked far above.  Strides are in floats.
 */
#ifndef KR_KERNELS_H
#define KR_KERNELS_H

#include "core/build.h"
#include "krait.h"

/* A matrix of weights in panels (pack.h): y = W x, W is [outputs][inputs]. */
typedef struct kr_matrix {
    const void *data;           /* aligned to 64; NULL: absent */
    size_t      outputs, inputs;
    int32_t     type;           /* KRAIT_F32, F16, BF16, or a type of core/panels.def */
} kr_matrix;

enum {
    KR_SEGMENT = 64,            /* terms of one chain of a product */
    KR_TIMES   = 32,            /* rows of one chain of a sum of times */
    KR_BLOCK   = 32,            /* numbers that share one scale */
    KR_CHUNK   = 64             /* rows of Mamba-2's matrix form, and channels of a strip of a head */
};

/* 32 activations as integers: x is about scale * q.  Sums of q, of all and of the first 16, serve codes that are not 0 for 0. */
typedef struct kr_q8 {
    float   scale;
    int32_t sum, first;
    int8_t  q[KR_BLOCK];
} kr_q8;

/* y[r][o] = bias[o] + sum over k of w[o][k] x[r][k]. */
typedef struct kr_product {
    const kr_matrix *w;
    const float     *bias;      /* [outputs] or NULL */
    const float     *x;         /* [rows][inputs]; float types */
    size_t           x_stride;
    const kr_q8     *q;         /* [rows][inputs / 32]; types of blocks */
    float           *y;         /* [rows][outputs] */
    size_t           y_stride, rows;
} kr_product;

/* Depthwise causal convolution: y[t][c] = bias[c] + sum over k of w[c][k] x[t - taps + 1 + k][c]. */
typedef struct kr_conv {
    const float *w;             /* [channels / 16][taps][16] */
    const float *bias;          /* [channels] or NULL */
    const float *x;             /* [rows][channels] */
    size_t       x_stride;
    const float *window;        /* [taps - 1][window_stride]: the rows before, oldest first */
    size_t       window_stride;
    float       *y;
    size_t       y_stride, rows, channels, taps;
    int          silu;          /* apply it to y */
} kr_conv;

/*
 * Mamba's selective scan with its output gate, for one stream:
 * h[c][n] = exp(dt[c] a[c][n]) h[c][n] + dt[c] x[c] b[n];  y[c] = (sum over n of c[n] h[c][n] + d[c] x[c]) silu(z[c]).
 */
typedef struct kr_selective {
    const float *a;             /* [channels / 16][states][16] */
    const float *d;             /* [channels] */
    const float *x, *dt, *z;    /* [rows][channels]; z NULL: no gate */
    size_t       x_stride, dt_stride, z_stride;
    const float *b, *c;         /* [rows][states] */
    size_t       bc_stride;
    float       *h;             /* [channels / 16][states][16], updated */
    float       *y;             /* [rows][channels], not x or dt; may be z */
    size_t       y_stride, rows, channels, states;
    int          softplus;      /* dt is that of what stands there; not for selective_summary() */
} kr_selective;

/* Mamba-2's steps: dt = softplus(raw + bias), held within low..high, and decay = exp(dt a), for every head. */
typedef struct kr_pace {
    const float *raw;           /* [rows][heads] */
    size_t       raw_stride;
    const float *bias;          /* [heads] or NULL */
    const float *a;             /* [heads] */
    float        low, high;
    float       *dt, *decay;    /* [rows][heads], dense */
    size_t       rows, heads;
} kr_pace;

/*
 * Mamba-2's recurrence for heads that share B and C, for one stream: every head has 'width' channels with 'states'
 * numbers each and one decay for all of them.  h = decay h + (dt x) b; y = sum over n of c[n] h[n] + d x.
 */
typedef struct kr_heads {
    const float *x;             /* [rows][heads][width] */
    const float *dt, *decay;    /* [rows][heads] */
    const float *b, *c;         /* [rows][states] */
    const float *d;             /* [heads][width] */
    float       *h;             /* [heads] of what pack.h makes of [width] outputs and [states] inputs; updated */
    float       *y;             /* [rows][heads][width], not x */
    size_t       x_stride, dt_stride, bc_stride, y_stride;
    size_t       rows, heads, width, states;
} kr_heads;

/* How much of row j is left in row i of a chunk, for one head: the product of the decays of rows j + 1 .. i. */
typedef struct kr_fade {
    const float *products;      /* [rows][KR_CHUNK]: c of row i times b of row j, j <= i */
    const float *decay;         /* [rows] */
    size_t       decay_stride, rows;
    float       *weights;       /* [rows][KR_CHUNK]: what is left times products, and zeros up to a multiple of 16 */
    float       *since;         /* [rows]: of what was before the first row */
    float       *left;          /* [rows]: of row j in the last */
} kr_fade;

/* What rows of a chunk make: y[r][c] = now[r][c] + since[r] before[r][c] + d[c] x[r][c]. */
typedef struct kr_chunk {
    const float *now, *before;  /* [rows][KR_CHUNK] */
    const float *since;         /* [rows] */
    const float *x, *d;         /* [rows][width], [width] */
    float       *y;             /* [rows][width], not x */
    size_t       x_stride, y_stride, rows, width;
} kr_chunk;

/* Of some states and what comes to them: how their flush is cheapest.  KR_STILL: all are +0 and stay so. */
typedef enum kr_liveliness { KR_LIVELY, KR_FADING, KR_STILL } kr_liveliness;

/*
 * Diagonal complex recurrences with one input each, for one stream: h[c][n] = a[c][n] h[c][n] + x[c];
 * y[c] = d[c] x[c] + sum over n of Re(c[c][n] h[c][n]).
 */
typedef struct kr_diagonal {
    const float *a;             /* [channels / 16][states][4][16]: re, im, what these lack of a's re and im */
    const float *c;             /* [channels / 16][states][2][16]: re, -im */
    const float *d;             /* [channels] */
    const float *x;             /* [rows][channels] */
    size_t       x_stride;
    float       *h;             /* [channels / 16][states][2][16]: re, im; updated */
    float       *y;             /* [rows][channels], not x; NULL: h alone */
    size_t       y_stride, rows, channels, states;
    int          precise;       /* the lower parts of a count */
} kr_diagonal;

/*
 * Diagonal states that meet in 'rank' sums, with one input a channel, for one stream:
 * s[r] = sum over n of Re(q[r][n] x[n]), then x[n] = d[n] x[n] + b[n] u + sum over r of w[r][n] s[r], and
 * y = D u + sum over n of Re(c[n] x[n]).  The first q of a state is 1 or 0.
 */
typedef struct kr_rank {
    const float *w;             /* [channels / 16][states][kr_rank_numbers][16]: as KR_RANK_... has it */
    const float *d;             /* [channels]: D; or NULL: 0 */
    const float *u;             /* [rows][channels] */
    size_t       u_stride;
    float       *x;             /* [channels / 16][states][2][16]: re, im; updated */
    float       *y;             /* [rows][channels], not u; NULL: x alone */
    size_t       y_stride, rows, channels, states, rank;
    int          precise;       /* the lower parts of d, w and q count */
} kr_rank;

/*
 * A state's numbers: re, im of d and what these lack; re, im of b; re, -im of c; the first q; then for each r
 * re, im of w and what these lack; then for each r from 1 on re, -im of q and what these lack.
 */
enum { KR_RANK_D = 0, KR_RANK_B = 4, KR_RANK_C = 6, KR_RANK_Q = 8, KR_RANK_W = 9, KR_MOST_RANK = 16 };

KR_INLINE size_t kr_rank_q(size_t rank, size_t r)       /* r >= 1 */
{
    return KR_RANK_W + 4 * rank + 4 * (r - 1);
}

KR_INLINE size_t kr_rank_numbers(size_t rank)
{
    return kr_rank_q(rank, rank);
}

/*
 * Many complex recurrences x = a x + v over rows of one stream, each for itself.  Rows hold the states
 * in panels of 16: 16 real parts, then 16 imaginary ones; of the last panel only those that there are.  So
 * a row is 2 states wide without a gap, and is what the product before it makes and the one behind it reads.
 */
typedef struct kr_turn {
    const float *a;             /* [states / 16][4][16]: real, imaginary, and what both lack as floats */
    int          low;           /* use what they lack; else it is not looked at */
    float       *x;             /* [states / 16][2][16]: real, imaginary; updated */
    const float *v;             /* [rows][2 states] */
    float       *out;           /* [rows][2 states], what x is behind each row; may be v; NULL: nobody asks */
    size_t       stride;        /* of v and out */
    size_t       rows, states;
} kr_turn;

/* What the input of a row is worth: held since the row before, bilinear, or the same whatever the time. */
enum { KR_HOLD, KR_BILINEAR, KR_IMPULSE };

/*
 * Coefficients of states for rows that are 'time' steps apart: a = exp(time z), as two floats, and r = (a - 1) g;
 * or bilinear a = (1 + time z / 2) / (1 - time z / 2) and r = time / (1 - time z / 2) g; or r = 1.
 */
typedef struct kr_discretize {
    const double *z;            /* [count][4][16]: z of a step and g, real and imaginary */
    float        *to;           /* [count][6][16]: a, what that lacks, r: real, imaginary */
    size_t        count;
    double        time;
    int           rule;
} kr_discretize;

/* turn() of one panel: x = a x + r v, where row t has coefficients of its own, number set[t] of 'sets'. */
typedef struct kr_turn_timed {
    const float   *sets;        /* [][6][16] */
    const uint8_t *set;         /* [rows] */
    float         *x;           /* [2][16] */
    const float   *v;           /* [rows][2][states] */
    float         *out;         /* as v, which it may be; NULL: nobody asks */
    size_t         stride, rows, states;    /* up to 16 */
} kr_turn_timed;

/* diagonal() of up to 16 channels: h = a h + r x, where row t has coefficients of its own, number set[t] of 'sets'. */
typedef struct kr_diagonal_timed {
    const float   *sets;        /* [][states][6][16] */
    const uint8_t *set;         /* [rows] */
    const float   *c;           /* [states][2][16]: re, -im */
    const float   *d;           /* [channels] */
    const float   *x;
    size_t         x_stride;
    float         *h;           /* [states][2][16] */
    float         *y;           /* not x; NULL: h alone */
    size_t         y_stride, rows, channels, states;
} kr_diagonal_timed;

/*
 * One block of a convolution of 16 channels: y[t] = sum over s < length of k[s] x[t - s], for the rows of the
 * block; of those before it 'length' are looked at.  'spectrum' is what this function leaves in 'work' for k as
 * the rows before and none behind.
 *
 * Real numbers: rows t and t + length of [before, x] are the two parts of one complex number, turned by an angle
 * of pi t / (2 length), and 'length' of these are transformed: at odd frequencies products of spectra are products of
 * polynomials modulo z^(2 length) + 1, and what wraps round falls on the rows before.  Pairs: complex rows, 16 real
 * parts and 16 imaginary ones (or 'channels' of each), in 2 length numbers, modulo z^(2 length) - 1.
 */
typedef struct kr_fourier {
    const float *twiddles;      /* scan/fft.h */
    const float *angles;        /* [length] every angle_step: cosine, sine; pairs: not looked at */
    size_t       angle_step;
    size_t       length;        /* a power of 2 */
    int          pairs;
    size_t       channels;      /* up to 16; what work and spectrum hold is 16 wide */
    const float *before;        /* [length] rows, or NULL: zeros */
    const float *x;             /* [rows], rows up to length; zeros behind them */
    size_t       x_stride, rows;
    float       *work;          /* [length][2][16]; pairs: [2 length][2][16] */
    const float *spectrum;      /* as work; NULL: that of the rows, over the transform's length, stays in work */
    float       *y;             /* [rows] */
    size_t       y_stride;
    int          add;           /* y += */
} kr_fourier;

enum {
    KR_SILU, KR_SIGMOID, KR_SOFTPLUS, KR_RELU, KR_TANH, KR_GELU, KR_GELU_TANH,
    KR_ACTIVATIONS,
    KR_NONE = KR_ACTIVATIONS    /* x itself; not for activate() */
};

/* y[r][c] = a[r][c] act(g[r][c]). */
typedef struct kr_gate {
    const float *a, *g;         /* [rows][width] */
    size_t       a_stride, g_stride;
    float       *y;
    size_t       y_stride, rows, width;
    int          kind;          /* KR_SILU, ..., KR_NONE */
} kr_gate;

typedef struct kr_kernels {
    const char *name;
    void (*product_f32)(const kr_product *p);
    void (*product_f16)(const kr_product *p);
    void (*product_bf16)(const kr_product *p);
    void (*product_blocks)(const kr_product *p);        /* every type of core/panels.def */
    /* [rows][inputs] -> [rows][inputs / 32]; inputs is a multiple of 32. */
    void (*quantize)(kr_q8 *q, const float *x, size_t x_stride, size_t rows, size_t inputs);
    void (*conv)(const kr_conv *p);
    void (*selective)(const kr_selective *p);
    /*
     * What p's rows do to any h: h becomes decay h + end.  decay, end: [channels / 16][states][16],
     * panels whole; p's c, d, z, h and y are not looked at.
     */
    void (*selective_summary)(const kr_selective *p, float *decay, float *end);
    /*
     * 'before' and then decay and end: decay = before_decay decay, end = decay before_end + end.  before_decay
     * NULL: what was before is a state, and decay stays.
     */
    void (*combine)(float *decay, float *end, const float *before_decay, const float *before_end, size_t count);
    void (*pace)(const kr_pace *p);
    void (*heads)(const kr_heads *p);
    void (*fade)(const kr_fade *p);
    void (*chunk)(const kr_chunk *p);
    /* y[r][c] = x[r][c] w[r]; y may be x with the same stride. */
    void (*weigh)(float *y, size_t y_stride, const float *x, size_t x_stride, const float *w, size_t w_stride,
                  size_t rows, size_t width);
    void (*diagonal)(const kr_diagonal *p);
    /* end = a before + end for 'count' panels of a state each: a [count][4][16], the others [count][2][16]. */
    void (*diagonal_combine)(float *end, const float *a, const float *before, size_t count);
    void (*turn)(const kr_turn *p);
    void (*discretize)(const kr_discretize *p);
    void (*turn_timed)(const kr_turn_timed *p);
    void (*diagonal_timed)(const kr_diagonal_timed *p);
    void (*rank)(const kr_rank *p);
    void (*fourier)(const kr_fourier *p);
    /* x = a x + (v x + v); alone: x = a x + v x, what the rows do to the states that there are. */
    void (*liquid)(const kr_turn *p, int alone);
    /* y = x / sqrt(mean(x^2) + eps) * w, for dense rows; w: [width] or NULL; y may be x. */
    void (*rms_norm)(float *y, const float *x, const float *w, float eps, size_t rows, size_t width);
    /* y = (x - mean(x)) / sqrt(variance(x) + eps) * w + b, for dense rows; w, b: [width] or NULL. */
    void (*layer_norm)(float *y, const float *x, const float *w, const float *b, float eps, size_t rows,
                       size_t width);
    /* In place: KR_SILU, ... */
    void (*activate)(float *x, size_t count, int kind);
    void (*gate)(const kr_gate *p);
    /* y += x */
    void (*add)(float *y, const float *x, size_t count);
    /* y *= x */
    void (*multiply)(float *y, const float *x, size_t count);
    /* y[r][c] = x[r][c] w[c] + b[c], for dense rows; b: [width] or NULL; y may be x. */
    void (*scale)(float *y, const float *x, const float *w, const float *b, size_t rows, size_t width);
} kr_kernels;

/* The table by that name if it is built in and this CPU has it, else NULL. */
const kr_kernels *kr_kernels_named(const char *name);
/* The best one for this CPU. */
const kr_kernels *kr_kernels_best(void);
extern const kr_kernels kr_kernels_plain;

/* The product for w's type. */
KR_INLINE void kr_kernels_product(const kr_kernels *k, const kr_product *p)
{
    switch (p->w->type) {
    case KRAIT_F32:  k->product_f32(p); break;
    case KRAIT_F16:  k->product_f16(p); break;
    case KRAIT_BF16: k->product_bf16(p); break;
    default:         k->product_blocks(p); break;
    }
}

#endif
