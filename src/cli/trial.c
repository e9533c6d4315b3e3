/* trial.c - rows are gathered for each call and its output is put where it belongs. */
#include "cli/trial.h"

#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/show.h"

/* ---- input ---- */

/* From -1 to 1. */
static float next_number(uint64_t *random)
{
    return (float)random_bits(random) * 0x1p-23f - 1.0f;
}

static void fill_input(trial *t, uint64_t seed)
{
    size_t   rows = t->lanes * t->steps, i;
    int64_t  vocabulary = model_number(t->model, KRAIT_VOCABULARY);
    uint64_t random = seed;

    for (i = 0; t->tokens && i < rows; i++)
        t->tokens[i] = (int32_t)((double)(next_number(&random) + 1.0f) / 2
                                 * (double)vocabulary);
    for (i = 0; t->features && i < rows * t->in_width; i++)
        t->features[i] = 2 * next_number(&random);
    for (i = 0; i < rows; i++)
        t->dt[i] = 1.0f + next_number(&random) / 2;
}

void *trial_room(size_t count, size_t each)
{
    return each && count > SIZE_MAX / 8 / each ? NULL : calloc(count + 1, each);
}

/* Of one lane, in all parts. */
static size_t count_numbers(const krait_model *model)
{
    krait_part part = { 0 };
    size_t     index, numbers = 0, count;
    int        d;

    part.size = sizeof part;
    for (index = 0; krait_part_info(model, index, &part) == KRAIT_OK; index++) {
        for (count = 1, d = 0; d < part.dimensions && d < 4; d++)
            count *= (size_t)part.shape[d];
        numbers += count;
    }
    return numbers;
}

static krait_status count_made(trial *t, krait_message *message);

static int make_room(trial *t, int tokens)
{
    size_t rows = t->lanes * t->steps;

    t->tokens = tokens ? trial_room(rows, sizeof *t->tokens) : NULL;
    t->features = tokens ? NULL : trial_room(rows, t->in_width * sizeof *t->features);
    t->dt = trial_room(rows, sizeof *t->dt);
    t->call.tokens = trial_room(2 * rows, sizeof *t->call.tokens);
    t->call.features = tokens ? NULL : trial_room(2 * rows, t->in_width * sizeof(float));
    t->call.dt = trial_room(2 * rows, sizeof *t->call.dt);
    t->call.reset = trial_room(2 * rows, 1);
    t->call.counts = trial_room(t->lanes, sizeof *t->call.counts);
    if ((!t->tokens && !t->features) || !t->dt || !t->call.tokens || !t->call.dt
        || !t->call.reset || !t->call.counts || (!tokens && !t->call.features))
        return complain(NULL, "no memory for %lu rows", (unsigned long)rows);
    return 0;
}

int trial_begin(trial *t, const char *path, uint64_t seed)
{
    int           tokens = model_number(t->model, KRAIT_TAKES_TOKENS) != 0;
    krait_message message = { "" };
    krait_status  status;

    t->in_width = (size_t)model_number(t->model, KRAIT_IN_WIDTH);
    t->out_width = (size_t)model_number(t->model, KRAIT_OUT_WIDTH);
    t->whole = model_number(t->model, KRAIT_WHOLE_SEQUENCE) != 0;
    t->can_step = model_number(t->model, KRAIT_CAN_STEP) != 0;
    t->numbers = count_numbers(t->model);
    if (make_room(t, tokens) || orders_make(&t->orders, t->model, t->lanes, t->steps, seed)
        || orders_make(&t->call.orders, t->model, t->lanes, 2 * t->steps, seed))
        return 1;
    fill_input(t, seed);
    if ((status = count_made(t, &message)) != KRAIT_OK)
        return complain_status(path, status, &message);
    t->call.rows = trial_room(2 * t->lanes * t->made, t->out_width * sizeof(float));
    return t->call.rows ? 0 : complain(NULL, "no memory for the output");
}

void trial_end(trial *t)
{
    free(t->tokens);
    free(t->features);
    free(t->dt);
    free(t->call.tokens);
    free(t->call.features);
    free(t->call.dt);
    free(t->call.reset);
    free(t->call.rows);
    free(t->call.counts);
    orders_free(&t->orders);
    orders_free(&t->call.orders);
}

/* ---- running ---- */

/* One state's way through the rows. */
typedef struct walk {
    trial             *trial;
    const way         *way;
    const krait_model *model;
    krait_state       *state;
    int32_t            mode;
    size_t             lane, lanes;     /* the trial's that the state has */
    outcome           *outcome;
    krait_message     *message;
    size_t             calls;           /* of krait_run() so far */
} walk;

static void run_backwards(void *user, krait_task_fn task, void *argument, size_t count)
{
    (void)user;
    while (count-- > 0)
        task(argument, count);
}

static int32_t tick(void *user, uint64_t done, uint64_t total)
{
    walk *k = user;

    (void)total;
    return progress_tick(&k->trial->bar, k->trial->done + done * k->lanes, k->trial->total);
}

static krait_status make_state(const walk *k, size_t rows, krait_state **state)
{
    krait_state_options o = { 0 };

    o.size = sizeof o;
    o.lanes = (uint32_t)k->lanes;
    o.chunk = k->way->chunk ? k->way->chunk : (uint32_t)rows;
    o.tasks = k->way->how & (WAY_THREADS | WAY_BACKWARDS) ? 2 : 1;
    o.max_steps = k->trial->whole ? (uint32_t)rows : 0;
    return krait_state_create(state, k->model, &o, NULL);
}

/* Number 'row' of each order, of all lanes and steps, as number 'to' of the call. */
static void gather_orders(const trial *t, size_t row, size_t to)
{
    size_t i;

    for (i = 0; i < t->orders.count; i++) {
        size_t cells = t->orders.cells[i];

        memcpy(t->call.orders.numbers[i] + to * cells, t->orders.numbers[i] + row * cells,
               cells * sizeof(int32_t));
    }
}

/* Rows from .. from + n - 1 of each lane, of all rows twice, side by side. */
static void gather(const walk *k, size_t from, size_t n)
{
    trial *t = k->trial;
    size_t lane, i, width = t->in_width;

    for (lane = 0; lane < k->lanes; lane++)
        for (i = 0; i < n; i++) {
            size_t to = lane * n + i;
            size_t row = (k->lane + lane) * t->steps + (from + i) % t->steps;

            if (t->tokens)
                t->call.tokens[to] = t->tokens[row];
            else
                memcpy(t->call.features + to * width, t->features + row * width,
                       width * sizeof(float));
            t->call.dt[to] = t->dt[row];
            t->call.reset[to] = (k->way->how & WAY_EPISODE) && from + i == t->steps;
            gather_orders(t, row, to);
        }
    for (i = 0; i < t->orders.count; i++)
        t->call.orders.list[i].count = k->lanes * n * t->orders.cells[i];
}

/*
 * What a call with rows from .. from + n - 1 made: the second time's rows over the first one's.
 * A model of whole sequences makes other numbers of rows.
 */
static void scatter(const walk *k, size_t from, size_t n, size_t stride)
{
    const trial *t = k->trial;
    size_t       width = t->out_width * sizeof(float), lane, i;
    int          last = (k->way->how & WAY_LAST) != 0;

    for (lane = 0; lane < k->lanes; lane++) {
        const float *rows = t->call.rows + lane * stride * t->out_width;
        float       *to = k->outcome->rows + (k->lane + lane) * t->made * t->out_width;
        size_t       count = t->call.counts[lane];

        k->outcome->counts[k->lane + lane] = t->made;
        if (last)
            memcpy(to + (t->made - 1) * t->out_width, rows, width);
        else if (!t->whole)
            for (i = 0; i < n; i++)
                memcpy(to + (from + i) % t->steps * t->out_width, rows + i * t->out_width,
                       width);
        else if (count == t->made || ((k->way->how & WAY_EPISODE) && count == 2 * t->made))
            memcpy(to, rows + (count - t->made) * t->out_width, t->made * width);
        else
            k->outcome->counts[k->lane + lane] = count;         /* that is a difference */
    }
}

static void describe_call(const walk *k, size_t n, krait_input *input, krait_output *output)
{
    trial *t = k->trial;

    memset(input, 0, sizeof *input);
    memset(output, 0, sizeof *output);
    input->size = sizeof *input;
    input->steps = n;
    input->tokens = t->tokens ? t->call.tokens : NULL;
    input->features = t->tokens ? NULL : t->call.features;
    input->dt = t->with_dt ? t->call.dt : NULL;
    input->reset = k->way->how & WAY_EPISODE ? t->call.reset : NULL;
    input->mode = k->mode;
    input->orders = t->call.orders.list;
    input->order_count = t->call.orders.count;
    output->size = sizeof *output;
    output->rows = t->call.rows;
    output->capacity = 2 * t->lanes * t->made * t->out_width;
    output->counts = t->call.counts;
    output->which = k->way->how & WAY_LAST ? KRAIT_ROWS_LAST : KRAIT_ROWS_ALL;
}

static krait_status call_run(walk *k, size_t from, size_t n)
{
    trial       *t = k->trial;
    krait_input  input;
    krait_output output;
    krait_status status;

    describe_call(k, n, &input, &output);
    input.progress = tick;
    input.progress_user = k;
    if (k->way->how & WAY_THREADS)
        pool_serve(t->two, &input);
    if (k->way->how & WAY_BACKWARDS)
        input.parallel = run_backwards;
    status = krait_run(k->model, k->state, &input, &output, k->message);
    if (status == KRAIT_OK)
        scatter(k, from, n, output.stride);
    k->outcome->mode = k->calls++ == 0 || k->outcome->mode == output.mode_used
                           ? output.mode_used : KRAIT_AUTO;
    return status;
}

/* Asks krait, with no room for rows at all. */
static krait_status count_made(trial *t, krait_message *message)
{
    static const way all = { "", 0, 0, 0, 1 };
    walk             k = { t, &all, t->model, NULL, KRAIT_RECURRENT, 0, t->lanes, NULL,
                           message, 0 };
    krait_input      input;
    krait_output     output;
    krait_status     status;
    float            none;

    t->made = t->steps;
    if (!t->whole)
        return KRAIT_OK;
    if ((status = make_state(&k, t->steps, &k.state)) != KRAIT_OK)
        return status;
    gather(&k, 0, t->steps);
    describe_call(&k, t->steps, &input, &output);
    output.rows = &none;
    output.capacity = 0;
    status = krait_run(t->model, k.state, &input, &output, message);
    krait_state_destroy(k.state, NULL);
    t->made = output.stride;
    if (status == KRAIT_ERR_SPACE)
        return KRAIT_OK;
    return status == KRAIT_OK ? KRAIT_ERR_SHAPE : status;       /* it makes no rows at all? */
}

static krait_status call_step(walk *k, size_t from)
{
    const trial *t = k->trial;
    krait_status status;

    status = t->tokens ? krait_step_tokens(k->model, k->state, t->call.tokens, t->call.rows)
                       : krait_step(k->model, k->state, t->call.features, t->call.rows);
    if (status == KRAIT_OK)
        scatter(k, from, 1, 1);
    k->outcome->mode = KRAIT_RECURRENT;
    return status;
}

/* The state saved, and loaded into one of another chunk that takes its place. */
static krait_status save_and_load(walk *k)
{
    krait_state *other = NULL;
    krait_status status;
    size_t       bytes = 0;
    char        *saved = NULL;

    status = krait_state_save(k->model, k->state, KRAIT_ALL_LANES, NULL, 0, &bytes);
    if (status == KRAIT_OK && !(saved = malloc(bytes + 1)))
        status = KRAIT_ERR_MEMORY;
    if (status == KRAIT_OK)
        status = krait_state_save(k->model, k->state, KRAIT_ALL_LANES, saved, bytes, &bytes);
    if (status == KRAIT_OK)
        status = make_state(k, 17, &other);
    if (status == KRAIT_OK)
        status = krait_state_load(k->model, other, KRAIT_ALL_LANES, saved, bytes, k->message);
    free(saved);
    krait_state_destroy(status == KRAIT_OK ? k->state : other, NULL);
    if (status == KRAIT_OK)
        k->state = other;
    return status;
}

/* What has to happen before row 'from'; *end is where the call before it has to end. */
static krait_status between(walk *k, size_t from, size_t *end)
{
    size_t steps = k->trial->steps, half = steps / 2;

    if (k->way->how & WAY_SAVED) {
        *end = from < half ? half : *end;
        return from == half && half > 0 ? save_and_load(k) : KRAIT_OK;
    }
    if (k->way->how & WAY_RESET) {
        *end = from < steps ? steps : *end;
        if (from == steps)
            return krait_state_reset(k->model, k->state, KRAIT_ALL_LANES);
    }
    return KRAIT_OK;
}

static krait_status read_memory(const walk *k)
{
    const trial *t = k->trial;
    krait_part   part = { 0 };
    krait_status status = KRAIT_OK;
    size_t       index, lane, at = 0, count;
    int          d;

    part.size = sizeof part;
    for (index = 0; status == KRAIT_OK
                    && krait_part_info(k->model, index, &part) == KRAIT_OK; index++) {
        for (count = 1, d = 0; d < part.dimensions && d < 4; d++)
            count *= (size_t)part.shape[d];
        for (lane = 0; lane < k->lanes && status == KRAIT_OK; lane++)
            status = krait_part_read(k->model, k->state, index, (int32_t)lane,
                                     k->outcome->memory + (k->lane + lane) * t->numbers + at,
                                     count);
        at += count;
    }
    return status;
}

static krait_status walk_rows(walk *k)
{
    trial       *t = k->trial;
    int          twice = (k->way->how & (WAY_RESET | WAY_EPISODE)) != 0;
    size_t       rows = twice ? 2 * t->steps : t->steps, from, n;
    krait_status status = make_state(k, rows, &k->state);

    for (from = 0; from < rows && status == KRAIT_OK; from += n) {
        size_t end = rows;

        if ((status = between(k, from, &end)) != KRAIT_OK)
            break;
        n = k->way->cut && k->way->cut < end - from ? k->way->cut : end - from;
        gather(k, from, n);
        status = k->way->how & WAY_STEP ? call_step(k, from) : call_run(k, from, n);
        t->done += n * k->lanes;
        if (status == KRAIT_OK && progress_tick(&t->bar, t->done, t->total))
            status = KRAIT_ERR_CANCELLED;
    }
    if (status == KRAIT_OK)
        status = read_memory(k);
    krait_state_destroy(k->state, NULL);
    return status;
}

krait_status trial_run(trial *t, const way *w, int32_t mode, outcome *o, krait_message *message)
{
    walk         k = { t, w, NULL, NULL, mode, 0, 0, o, message, 0 };
    krait_status status = KRAIT_OK;
    int          alone = (w->how & WAY_ALONE) != 0;

    message->text[0] = '\0';
    k.model = w->how & WAY_PLAIN ? t->plain : t->model;
    k.lanes = alone ? 1 : t->lanes;
    o->first = w->how & WAY_LAST ? t->made - 1 : 0;
    for (k.lane = 0; k.lane < t->lanes && status == KRAIT_OK; k.lane += k.lanes) {
        k.state = NULL;
        status = walk_rows(&k);
    }
    return status;
}
