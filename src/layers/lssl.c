/*
 * lssl.c - dense linear state spaces (Gu, Johnson, Goel, Saab, Dao, Rudra and Re, arXiv 2110.13985: LSSL).
 *
 *     bilinear:  Abar = (1 - dt A / 2)^-1 (1 + dt A / 2)       Bbar = (1 - dt A / 2)^-1 dt B
 *     zoh:       Abar = exp(dt A)                              Bbar = integral of exp(s A) B over s from 0 to dt
 *     x = Abar x + Bbar u                    per channel, 'states' real numbers; dt = exp(log_dt)
 *     y = C x + D u                          'channels' outputs of each
 *
 * What a row does is one product for each channel: [Abar Bbar; C Abar, C Bbar + D] times [x; u], made in double.
 * Where states fade slowly Abar is two floats, side by side: [what a float lacks, Abar, Bbar] times [x; x; u].
 */
#include "core/dense.h"
#include "core/double.h"
#include "core/panels.h"
#include "core/real.h"
#include "kernels/pack.h"
#include "layers/layer.h"

#include <string.h>

#define LSSL_FADED  0.36787944117144233     /* of a state after 256 rows, where 1 - |lambda| is 2^-8 */
enum { LSSL_ROWS = 8, LSSL_MOST = 512 };    /* log2 of 256; states */

enum { LSSL_BILINEAR, LSSL_ZOH };

typedef struct lssl {
    size_t       states, heads, copies;
    int          discretization;
    const float *log_dt;        /* [width] */
    const float *a;             /* [copies][states][states] */
    const float *b;             /* [copies][states] */
    const float *c;             /* [heads][width][states] */
    const float *d;             /* [heads][width] or NULL */
    unsigned char *steps;       /* made of them: a matrix for each channel, 'bytes' apart */
    size_t       bytes;
    int          precise;       /* their inputs are 2 states + 1, else states + 1 */
} lssl;

static const char *const lssl_discretizations[] = { "bilinear", "zoh", NULL };

static const kr_option lssl_options[] = {
    { "states",   KR_COUNT, KR_AT(lssl, states), 1, LSSL_MOST, KR_REQUIRED, NULL },
    { "channels", KR_COUNT, KR_AT(lssl, heads),  1, 4096, 1, NULL },
    { "copies",   KR_COUNT, KR_AT(lssl, copies), 0, KR_MOST_WIDTH, 0, NULL },
    { "discretization", KR_CHOICE, KR_AT(lssl, discretization), 0, 0, LSSL_BILINEAR, lssl_discretizations },
    { 0 }
};

static size_t lssl_copies(const kr_layer *layer)
{
    const lssl *p = layer->params;

    return p->copies ? p->copies : layer->in_width;
}

static krait_status lssl_shape(kr_layer *layer, krait_message *message)
{
    const lssl *p = layer->params;

    if (layer->in_width % lssl_copies(layer) != 0)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: %zu copies of A for %zu channels", layer->path,
                       p->copies, layer->in_width);
    if ((double)layer->in_width * (double)p->heads > KR_MOST_WIDTH)
        return kr_fail(message, KRAIT_ERR_SHAPE, "description: %.100s: %zu heads of %zu channels are too many",
                       layer->path, p->heads, layer->in_width);
    layer->out_width = p->heads * layer->in_width;
    return KRAIT_OK;
}

static void lssl_weights(const kr_layer *layer, kr_wants *wants)
{
    const lssl *p = layer->params;
    size_t      width = layer->in_width, copies = lssl_copies(layer);
    uint64_t    a[3] = { copies, p->states, p->states }, c[3] = { p->heads, width, p->states };

    kr_want_floats(wants, "log_dt", KR_AT(lssl, log_dt), width, 0);
    kr_want_array(wants, "A", KR_AT(lssl, a), a, 3);
    kr_want_table(wants, "B", KR_AT(lssl, b), copies, p->states);
    kr_want_array(wants, "C", KR_AT(lssl, c), c, 3);
    kr_want_table(wants, "D", KR_AT(lssl, d), p->heads, width);
    wants->list[wants->count - 1].optional = 1;
}

/* ---- setting up, in double --------------------------------------------------------------------- */

/* Room for one channel: matrices of states + 1. */
typedef struct lssl_step {
    double *step;               /* [states][states + 1]: Abar, Bbar */
    double *a, *spare, *more;   /* two of [states + 1][states + 1] behind 'spare', which is where 'more' is */
    size_t *pivots;
} lssl_step;

static lssl_step lssl_take_step(size_t states, kr_carve *carve)
{
    size_t    wide = states + 1;
    lssl_step s;

    s.step = kr_carve_bytes(carve, wide * wide, sizeof *s.step);
    s.a = kr_carve_bytes(carve, wide * wide, sizeof *s.a);
    s.spare = kr_carve_bytes(carve, 2 * wide * wide, sizeof *s.spare);
    s.more = s.spare ? s.spare + wide * wide : NULL;
    s.pivots = kr_carve_bytes(carve, wide, sizeof *s.pivots);
    return s;
}

/* exp of dt [A B; 0 0] is [Abar Bbar; 0 1]. */
static void lssl_hold(const lssl *p, const float *a, const float *b, double dt, lssl_step *s)
{
    size_t n = p->states, wide = n + 1;

    for (size_t i = 0; i < wide; i++)
        for (size_t j = 0; j < wide; j++)
            s->a[i * wide + j] = i == n ? 0 : dt * (double)(j < n ? a[i * n + j] : b[i]);
    kr_dense_exp(s->a, wide, s->spare);
    memcpy(s->step, s->a, n * wide * sizeof *s->step);
}

static void lssl_bend(const lssl *p, const float *a, const float *b, double dt, lssl_step *s)
{
    size_t n = p->states, wide = n + 1;

    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            double half = 0.5 * dt * (double)a[i * n + j];

            s->a[i * n + j] = (i == j) - half;
            s->step[i * wide + j] = (i == j) + half;
        }
        s->step[i * wide + n] = dt * (double)b[i];
    }
    if (kr_dense_factor(s->a, n, s->pivots))
        kr_dense_solve(s->a, s->pivots, n, s->step, wide);
    else
        s->step[0] = kr_double_of(0x7ff8000000000000u);     /* there is no such step */
}

static void lssl_discretize(const kr_layer *layer, size_t channel, lssl_step *s)
{
    const lssl  *p = layer->params;
    size_t       n = p->states, copy = channel % lssl_copies(layer);
    const float *a = p->a + copy * n * n, *b = p->b + copy * n;
    double       dt = kr_exp((double)p->log_dt[channel]);

    if (p->discretization == LSSL_ZOH)
        lssl_hold(p, a, b, dt, s);
    else
        lssl_bend(p, a, b, dt, s);
}

/* Does a state last longer than one float of Abar is good for? */
static int lssl_lasts(size_t n, lssl_step *s)
{
    double square = 0, *power = s->spare, *next = s->more;

    for (size_t i = 0; i < n; i++)
        memcpy(power + i * n, s->step + i * (n + 1), n * sizeof *power);
    for (int i = 0; i < LSSL_ROWS; i++) {
        double *t = power;

        kr_dense_multiply(next, power, power, n);
        power = next;
        next = t;
    }
    for (size_t i = 0; i < n * n; i++)
        square = square + power[i] * power[i];
    return !(square < LSSL_FADED * LSSL_FADED);
}

static kr_matrix lssl_matrix(const lssl *p, size_t channel)
{
    return (kr_matrix){ p->steps + channel * p->bytes, p->states + p->heads, (p->precise ? 2 : 1) * p->states + 1,
                        KRAIT_F32 };
}

/* One number of Abar, Bbar, C Abar or C Bbar + D. */
static void lssl_put(const lssl *p, const kr_matrix *w, size_t output, size_t j, double x)
{
    void  *panels = (void *)(uintptr_t)w->data;
    size_t n = p->states, high = p->precise ? n : 0;
    float  rounded = kr_flush((float)x);

    kr_pack_put_f32(panels, kr_pack_index(w, output, high + j), rounded);
    if (p->precise && j < n)
        kr_pack_put_f32(panels, kr_pack_index(w, output, j), kr_flush((float)(x - (double)rounded)));
}

static void lssl_put_channel(const kr_layer *layer, size_t channel, const lssl_step *s)
{
    const lssl *p = layer->params;
    size_t      n = p->states;
    kr_matrix   w = lssl_matrix(p, channel);

    for (size_t j = 0; j <= n; j++) {
        for (size_t i = 0; i < n; i++)
            lssl_put(p, &w, i, j, s->step[i * (n + 1) + j]);
        for (size_t head = 0; head < p->heads; head++) {
            size_t       at = head * layer->in_width + channel;
            const float *c = p->c + at * n;
            double       sum = j == n && p->d ? (double)p->d[at] : 0;

            for (size_t i = 0; i < n; i++)
                sum = sum + (double)c[i] * s->step[i * (n + 1) + j];
            lssl_put(p, &w, n + head, j, sum);
        }
    }
}

static void lssl_prepare(kr_layer *layer, kr_carve *carve)
{
    lssl     *p = layer->params;
    uint64_t  bytes = 0;
    size_t    used;
    lssl_step step;

    if (!kr_panels_bytes(KRAIT_F32, p->states + p->heads, 2 * p->states + 1, &bytes) || bytes > SIZE_MAX / 2)
        carve->broken = 1;
    p->bytes = (size_t)bytes;
    p->steps = kr_carve_bytes(carve, layer->in_width, p->bytes);
    used = carve->used;
    step = lssl_take_step(p->states, carve);
    carve->used = used;
    if (!carve->base || carve->broken)
        return;
    memset(p->steps, 0, layer->in_width * p->bytes);
    p->precise = 0;
    for (size_t channel = 0; channel < layer->in_width && !p->precise; channel++) {
        lssl_discretize(layer, channel, &step);
        p->precise = lssl_lasts(p->states, &step);
    }
    for (size_t channel = 0; channel < layer->in_width; channel++) {
        lssl_discretize(layer, channel, &step);
        lssl_put_channel(layer, channel, &step);
    }
}

/* ---- running ------------------------------------------------------------------------------------ */

static void lssl_memory(const kr_layer *layer, kr_parts *parts)
{
    kr_part_add(parts, "ssm", KR_PART_ROWS, layer->in_width, ((const lssl *)layer->params)->states);
}

/* Of each channel what goes into its product and what comes out. */
static float *lssl_take(const kr_layer *layer, kr_carve *carve)
{
    const lssl *p = layer->params;

    return kr_carve_floats(carve, layer->in_width, kr_pad16(3 * p->states + 1 + p->heads));
}

static void lssl_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    (void)most;
    lssl_take(layer, carve);
}

typedef struct lssl_job {
    const kr_layer   *layer;
    const kr_context *context;
    const kr_rows    *in;
    float            *out, *room;
} lssl_job;

/* One row of one channel. */
static void lssl_row(const lssl_job *job, size_t channel, size_t row, float *x, kr_product *product)
{
    const lssl *p = job->layer->params;
    size_t      n = p->states, width = job->layer->in_width;
    float      *z = job->room + channel * kr_pad16(3 * n + 1 + p->heads);

    memcpy(z, x, n * sizeof *z);
    if (p->precise)
        memcpy(z + n, x, n * sizeof *z);
    z[product->w->inputs - 1] = job->in->data[row * width + channel];
    product->x = z;
    product->y = z + product->w->inputs;
    job->context->kernels->product_f32(product);
    for (size_t i = 0; i < n; i++)
        x[i] = kr_flush(product->y[i]);
    for (size_t head = 0; head < p->heads; head++)
        job->out[row * job->layer->out_width + head * width + channel] = product->y[n + head];
}

/* All lanes of channels from..to-1. */
static void lssl_channels(void *argument, size_t from, size_t to)
{
    const lssl_job *job = argument;
    const lssl     *p = job->layer->params;
    const kr_rows  *in = job->in;

    for (size_t channel = from; channel < to; channel++) {
        kr_matrix  w = lssl_matrix(p, channel);
        kr_product product = { .w = &w, .rows = 1 };

        for (size_t lane = 0; lane < in->lanes; lane++) {
            float *x = kr_layer_memory(job->layer, job->context, lane) + channel * kr_pad16(p->states);

            for (size_t row = in->first[lane]; row < in->first[lane + 1]; row++) {
                if (in->reset && in->reset[row])
                    memset(x, 0, p->states * sizeof *x);
                lssl_row(job, channel, row, x, &product);
            }
        }
    }
}

static void lssl_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const lssl *p = layer->params;
    lssl_job    job = { layer, context, in, out->data, lssl_take(layer, &context->scratch) };
    size_t      width = layer->in_width;
    kr_matrix   w = lssl_matrix(p, 0);
    uint64_t    work = kr_product_work(&w, kr_rows_count(in)) * width;

    kr_tasks_ranges(&context->tasks, lssl_channels, &job, width, 1, kr_tasks_for(&context->tasks, work, width));
}

extern const kr_layer_type kr_layer_lssl;
const kr_layer_type kr_layer_lssl = {
    .name = "lssl", .params_size = sizeof(lssl), .options = lssl_options, .shape = lssl_shape, .weights = lssl_weights,
    .prepare = lssl_prepare, .memory = lssl_memory, .scratch = lssl_scratch, .run = lssl_run,
};
