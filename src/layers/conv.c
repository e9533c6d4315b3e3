/* conv.c - depthwise causal convolution along the rows of each lane, zeros before the first. */
#include "layers/conv.h"
#include "layers/share.h"
#include "layers/window.h"

typedef kr_conv_params conv;

static const kr_option conv_options[] = {
    { "taps", KR_COUNT, KR_AT(conv, taps), 1, 4096, KR_REQUIRED, NULL },
    { 0 }
};

krait_status kr_conv_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->in_width;
    return KRAIT_OK;
}

static void conv_weights(const kr_layer *layer, kr_wants *wants)
{
    const conv *p = layer->params;

    kr_want_channels(wants, "weight", KR_AT(conv, weight), layer->in_width, p->taps);
    kr_want_floats(wants, "bias", KR_AT(conv, bias), layer->in_width, 1);
}

void kr_conv_memory(const kr_layer *layer, kr_parts *parts)
{
    const conv *p = layer->params;

    if (p->taps > 1)
        kr_part_add(parts, "window", KR_PART_ROWS, p->taps - 1, layer->in_width);
}

/* A run, and how its tasks share it. */
typedef struct conv_job {
    const kr_layer   *layer;
    const kr_context *context;
    const kr_rows    *in;
    float            *out;
    kr_shares         shares;
} conv_job;

/* Rows from..to-1 of one episode, and the task's channels of them. */
static void conv_episode(const conv_job *run, const kr_share *share, float *window, size_t from, size_t to)
{
    const conv  *p = run->layer->params;
    size_t       width = run->in->width, stride = kr_pad16(width), c = share->from;
    const float *x = run->in->data + from * width + c;
    kr_conv      job = { p->weight + c * p->taps, p->bias ? p->bias + c : NULL, x, width, window + c, stride,
                         run->out + from * width + c, width, to - from, share->to - c, p->taps, 0 };

    run->context->kernels->conv(&job);
    kr_window_push(window + c, p->taps - 1, stride, x, width, to - from, share->to - c);
}

static void conv_forget(const kr_layer *layer, const kr_share *share, float *window, size_t stride)
{
    for (size_t i = 0; i + 1 < ((const conv *)layer->params)->taps; i++)
        kr_layer_begin(layer, window, i * stride + share->from, kr_pad16(share->to - share->from));
}

static void conv_task(void *argument, size_t task)
{
    const conv_job *run = argument;
    const kr_rows  *in = run->in;
    kr_share        share = kr_share_of(&run->shares, task, in->lanes, in->width);

    for (size_t lane = share.lane; lane < share.lane_end; lane++) {
        float *window = kr_layer_memory(run->layer, run->context, lane);
        size_t end = in->first[lane + 1];

        for (size_t from = in->first[lane], to; from < end; from = to) {
            to = kr_rows_episode(in, from, end);
            if (in->reset && in->reset[from])
                conv_forget(run->layer, &share, window, kr_pad16(in->width));
            conv_episode(run, &share, window, from, to);
        }
    }
}

void kr_conv_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    const conv *p = layer->params;
    uint64_t    work = (uint64_t)kr_rows_count(in) * in->width * (p->taps + KR_WORK_NUMBER);
    conv_job    job = { layer, context, in, out->data, kr_shares_for(&context->tasks, work, in->lanes, in->width) };

    kr_tasks_run(&context->tasks, conv_task, &job, job.shares.channels * job.shares.lanes);
}

extern const kr_layer_type kr_layer_conv;
const kr_layer_type kr_layer_conv = {
    .name = "conv", .params_size = sizeof(conv), .options = conv_options, .shape = kr_conv_shape,
    .weights = conv_weights, .memory = kr_conv_memory, .run = kr_conv_run,
};
