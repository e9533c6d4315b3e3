/* trial.c - the calls of each way; what came out is put where it belongs. */
#include "cli/trial.h"

#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/show.h"

/* ---- input ---- */

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
    t->call.lengths = trial_room(t->lanes, sizeof *t->call.lengths);
    t->call.at = trial_room(t->lanes, sizeof *t->call.at);
    if ((!t->tokens && !t->features) || !t->dt || !t->call.tokens || !t->call.dt
        || !t->call.reset || !t->call.counts || !t->call.lengths || !t->call.at
        || (!tokens && !t->call.features))
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
    if (make_room(t, tokens) || kept_begin(t)
        || orders_make(&t->orders, t->model, t->lanes, t->steps, seed)
        || orders_make(&t->call.orders, t->model, t->lanes, 2 * t->steps, seed))
        return 1;
    trial_fill(t, seed);
    if ((status = count_made(t, &message)) != KRAIT_OK)
        return complain_status(path, status, &message);
    if (kept_room(t))
        return 1;
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
    free(t->call.lengths);
    free(t->call.at);
    kept_end(t);
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

/* The same n rows of every lane. */
static void gather_even(const walk *k, size_t from, size_t n)
{
    trial *t = k->trial;
    size_t lane;

    for (lane = 0; lane < k->lanes; lane++) {
        t->call.at[lane] = from;
        t->call.lengths[lane] = (uint32_t)n;
    }
    trial_gather(t, k->way, k->lane, k->lanes, n);
}

/*
 * What a call made: the second time's rows over the first one's.  A model of whole sequences
 * makes other numbers of rows.
 */
static void scatter(const walk *k, size_t stride)
{
    const trial *t = k->trial;
    size_t       width = t->out_width * sizeof(float), lane, i;
    int          last = (k->way->how & WAY_LAST) != 0;

    for (lane = 0; lane < k->lanes; lane++) {
        const float *rows = t->call.rows + lane * stride * t->out_width;
        float       *to = k->outcome->rows + (k->lane + lane) * t->made * t->out_width;
        size_t       count = t->call.counts[lane], n = t->call.lengths[lane];
        size_t       from = t->call.at[lane];

        if (!n)
            continue;
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
    input->lengths = k->way->how & WAY_RAGGED ? t->call.lengths : NULL;
    input->mode = k->mode;
    input->orders = t->call.orders.list;
    input->order_count = t->call.orders.count;
    output->size = sizeof *output;
    output->rows = t->call.rows;
    output->capacity = 2 * t->lanes * t->made * t->out_width;
    output->counts = t->call.counts;
    output->slots = t->kept.list;
    output->slot_count = t->kept.count;
    output->which = k->way->how & WAY_LAST ? KRAIT_ROWS_LAST : KRAIT_ROWS_ALL;
}

/* Behind a lane's rows nothing may be written. */
static void mark_all(const walk *k)
{
    const trial *t = k->trial;
    size_t       i;

    trial_mark(t->call.rows, 2 * t->lanes * t->made * t->out_width);
    for (i = 0; i < t->kept.count; i++)
        trial_mark(t->kept.list[i].rows, t->kept.list[i].capacity);
}

static void check_marks(const walk *k, size_t stride)
{
    const trial *t = k->trial;
    size_t       lane;

    for (lane = 0; lane < k->lanes; lane++) {
        size_t count = t->call.counts[lane];

        if ((!t->whole && count != t->call.lengths[lane]) || (count && !t->call.lengths[lane])
            || count > stride
            || trial_marks_broken(t->call.rows + (lane * stride + count) * t->out_width,
                                  (stride - count) * t->out_width))
            k->outcome->odd_rows = 1;
    }
}

/* With n rows of room for each lane. */
static krait_status call_run(walk *k, size_t n)
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
    if (k->way->how & WAY_RAGGED)
        mark_all(k);
    status = krait_run(k->model, k->state, &input, &output, k->message);
    if (status == KRAIT_OK) {
        scatter(k, output.stride);
        kept_scatter(t, k->way, k->outcome, k->lane, k->lanes);
    }
    if (status == KRAIT_OK && (k->way->how & WAY_RAGGED))
        check_marks(k, output.stride);
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
    size_t           i;

    t->made = t->steps;
    if (!t->whole)
        return KRAIT_OK;
    if ((status = make_state(&k, t->steps, &k.state)) != KRAIT_OK)
        return status;
    gather_even(&k, 0, t->steps);
    describe_call(&k, t->steps, &input, &output);
    output.rows = &none;
    output.capacity = 0;
    output.slot_count = 0;
    status = krait_run(t->model, k.state, &input, &output, message);
    t->made = output.stride;
    output.which = KRAIT_ROWS_NONE;
    output.slot_count = 1;
    for (i = 0; i < t->kept.count && status == KRAIT_ERR_SPACE; i++) {
        output.slots = &t->kept.list[i];
        output.slots->rows = &none;
        status = krait_run(t->model, k.state, &input, &output, message);
        output.slots->rows = NULL;
        t->kept.made[i] = output.slots->stride;
    }
    krait_state_destroy(k.state, NULL);
    if (status == KRAIT_ERR_SPACE)
        return KRAIT_OK;
    return status == KRAIT_OK ? KRAIT_ERR_SHAPE : status;       /* it makes no rows at all? */
}

static krait_status call_step(walk *k)
{
    const trial *t = k->trial;
    krait_status status;

    status = t->tokens ? krait_step_tokens(k->model, k->state, t->call.tokens, t->call.rows)
                       : krait_step(k->model, k->state, t->call.features, t->call.rows);
    if (status == KRAIT_OK)
        scatter(k, 1);
    k->outcome->without_kept = 1;
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

static krait_status count_done(trial *t, size_t rows)
{
    t->done += rows;
    return progress_tick(&t->bar, t->done, t->total) ? KRAIT_ERR_CANCELLED : KRAIT_OK;
}

/* The same rows of every lane in each call. */
static krait_status walk_even(walk *k, size_t rows)
{
    krait_status status = KRAIT_OK;
    size_t       from, n;

    for (from = 0; from < rows && status == KRAIT_OK; from += n) {
        size_t end = rows;

        if ((status = between(k, from, &end)) != KRAIT_OK)
            break;
        n = k->way->cut && k->way->cut < end - from ? k->way->cut : end - from;
        gather_even(k, from, n);
        status = k->way->how & WAY_STEP ? call_step(k) : call_run(k, n);
        if (status == KRAIT_OK)
            status = count_done(k->trial, n * k->lanes);
    }
    return status;
}

enum { RAGGED = 12 };

/*
 * 0, 12 or 24 rows by turns, each lane one turn ahead of the one before it; a whole sequence or
 * none.  Returns the sum.
 */
static size_t cut_ragged(const walk *k, size_t turn)
{
    trial *t = k->trial;
    size_t lane, sum = 0;

    for (lane = 0; lane < k->lanes; lane++) {
        size_t left = t->steps - t->call.at[lane];
        size_t n = t->whole ? (turn + lane) % 2 * left : (turn + lane) % 3 * RAGGED;

        t->call.lengths[lane] = (uint32_t)(n < left ? n : left);
        sum += t->call.lengths[lane];
    }
    return sum;
}

static krait_status walk_ragged(walk *k)
{
    trial       *t = k->trial;
    krait_status status = KRAIT_OK;
    size_t       lane, turn, n, done;
    size_t       most = t->whole || t->steps < 2 * RAGGED ? t->steps : 2 * RAGGED;

    memset(t->call.at, 0, t->lanes * sizeof *t->call.at);
    for (turn = done = 0; done < k->lanes * t->steps && status == KRAIT_OK; turn++) {
        n = cut_ragged(k, turn);
        trial_gather(t, k->way, k->lane, k->lanes, most);
        if ((status = call_run(k, most)) == KRAIT_OK)
            status = count_done(t, n);
        for (lane = 0; lane < k->lanes; lane++)
            t->call.at[lane] += t->call.lengths[lane];
        done += n;
    }
    return status;
}

static krait_status walk_rows(walk *k)
{
    trial       *t = k->trial;
    int          twice = (k->way->how & (WAY_RESET | WAY_EPISODE)) != 0;
    size_t       rows = twice ? 2 * t->steps : t->steps;
    krait_status status = make_state(k, rows, &k->state);

    if (status == KRAIT_OK)
        status = k->way->how & WAY_RAGGED ? walk_ragged(k) : walk_even(k, rows);
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
    o->odd_rows = o->odd_kept = o->without_kept = 0;
    o->first = w->how & WAY_LAST ? t->made - 1 : 0;
    for (k.lane = 0; k.lane < t->lanes && status == KRAIT_OK; k.lane += k.lanes) {
        k.state = NULL;
        status = walk_rows(&k);
    }
    return status;
}
