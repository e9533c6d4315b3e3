/*
 * test_h3.c - H3 language models of random weights as their config.json names them, against the same in double with every
 * state space as a convolution; and what is refused.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/random.h"
#include "support/tiny.h"
#include "test.h"

enum { TOKENS = 11, PADDED = 12, WIDTH = 6, HIDDEN = 10, LAYERS = 2, STATES = 4, STEPS = 24, MOST = 64, NAME = 64 };
enum { MOST_NUMBERS = PADDED * WIDTH };

typedef struct weights {
    krait_tensor tensors[MOST];
    char         names[MOST][NAME];
    float        data[MOST][MOST_NUMBERS];      /* as in files: little-endian */
    size_t       count;
    kr_random    random;
} weights;

/* ssm_cfg, and what it says. */
typedef struct variant {
    const char *fields;
    int         head, copies, zoh, relu;
    double      bandlimit;
} variant;

static const variant variants[] = {
    { "'d_state':4", 1, WIDTH, 0, 0, 0 },
    { "'d_state':4,'mode':'diag','measure':'diag-lin','head_dim':1,'n_ssm':2,'disc':'zoh','bandlimit':0.5", 1, 2, 1, 0, 0.5 },
    { "'d_state':4,'head_dim':2,'real_type':'relu','bandlimit':null,'disc':'bilinear'", 2, WIDTH / 2, 0, 1, 0 },
    { "'d_state':4,'head_dim':3,'n_ssm':1,'l_max':null", 3, 1, 0, 0, 0 },
};

typedef double rows_of[STEPS][WIDTH];

static void add(weights *w, int layer, const char *name, double low, double high, int a, int b, int c)
{
    krait_tensor *t = &w->tensors[w->count];
    size_t        count = (size_t)a * (size_t)(b ? b : 1) * (size_t)(c ? c : 1);

    if (layer < 0)
        snprintf(w->names[w->count], NAME, "backbone.%s", name);
    else
        snprintf(w->names[w->count], NAME, "backbone.layers.%d.%s", layer, name);
    *t = (krait_tensor){ .name = w->names[w->count], .type = KRAIT_F32, .dimensions = c ? 3 : b ? 2 : 1,
                         .data = w->data[w->count], .bytes = count * 4 };
    t->shape[0] = (uint64_t)a, t->shape[1] = (uint64_t)b, t->shape[2] = (uint64_t)c;
    for (size_t i = 0; i < count; i++)
        w->data[w->count][i] = tiny_little((float)(low + (high - low) * (0.5 + 0.5 * (double)kr_random_unit(&w->random))));
    w->count++;
}

static double number(const weights *w, int layer, const char *name, int i)
{
    char full[2 * NAME];                /* the compiler knows no bound of name but NAME */

    if (layer < 0)
        snprintf(full, sizeof full, "backbone.%s", name);
    else
        snprintf(full, sizeof full, "backbone.layers.%d.%s", layer, name);
    for (size_t t = 0; t < w->count; t++)
        if (strcmp(w->names[t], full) == 0)
            return (double)tiny_little(w->data[t][i]);
    CHECK_STR(full, "is there");
    return 0;
}

/* A matrix and its bias, or a norm's two vectors. */
static void add_pair(weights *w, int layer, const char *name, double low, double high, int a, int b)
{
    char full[NAME];

    snprintf(full, sizeof full, "%s.weight", name);
    add(w, layer, full, low, high, a, b, 0);
    snprintf(full, sizeof full, "%s.bias", name);
    add(w, layer, full, -0.5, 0.5, a, 0, 0);
}

static void make_weights(weights *w, const variant *v, uint64_t seed)
{
    int heads = WIDTH / v->head;

    memset(w, 0, sizeof *w);
    w->random = kr_random_from(seed);
    add(w, -1, "embeddings.word_embeddings.weight", -1, 1, PADDED, WIDTH, 0);
    add_pair(w, -1, "ln_f", 0.5, 1.5, WIDTH, 0);
    for (int i = 0; i < LAYERS; i++) {
        add_pair(w, i, "norm1", 0.5, 1.5, WIDTH, 0);
        add_pair(w, i, "norm2", 0.5, 1.5, WIDTH, 0);
        add_pair(w, i, "mlp.fc1", -0.5, 0.5, HIDDEN, WIDTH);
        add_pair(w, i, "mlp.fc2", -0.5, 0.5, WIDTH, HIDDEN);
        add_pair(w, i, "mixer.q_proj", -0.5, 0.5, WIDTH, WIDTH);
        add_pair(w, i, "mixer.k_proj", -0.5, 0.5, WIDTH, WIDTH);
        add_pair(w, i, "mixer.v_proj", -0.5, 0.5, WIDTH, WIDTH);
        add_pair(w, i, "mixer.output_linear", -0.5, 0.5, WIDTH, WIDTH);
        add(w, i, "mixer.ssm_k_kernel.kernel.B", -1, 1, WIDTH, STATES, 0);
        add(w, i, "mixer.ssm_k_kernel.kernel.C", -1, 1, 1, WIDTH, STATES);
        add(w, i, "mixer.ssm_k_D", -1, 1, WIDTH, 0, 0);
        add(w, i, "mixer.kernel.kernel.log_dt", -3, 0, heads, 0, 0);
        add(w, i, "mixer.kernel.kernel.inv_A_real", -1, 0.5, v->copies, STATES / 2, 0);
        add(w, i, "mixer.kernel.kernel.A_imag", 0, 6, v->copies, STATES / 2, 0);
        add(w, i, "mixer.kernel.kernel.B", -1, 1, v->copies, STATES / 2, 2);
        add(w, i, "mixer.kernel.kernel.C", -1, 1, heads, STATES / 2, 2);
        add(w, i, "mixer.D", -1, 1, heads, 0, 0);
    }
}

/* ---- the same in double --------------------------------------------------------------------------- */

static void linear(const weights *w, int layer, const char *name, const double *x, int in, int out, double *y)
{
    char weight[NAME], bias[NAME];

    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    for (int o = 0; o < out; o++) {
        y[o] = number(w, layer, bias, o);
        for (int i = 0; i < in; i++)
            y[o] += x[i] * number(w, layer, weight, o * in + i);
    }
}

static void norm(const weights *w, int layer, const char *name, const double *x, double *y)
{
    char   weight[NAME], bias[NAME];
    double mean = 0, var = 0;

    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    for (int i = 0; i < WIDTH; i++)
        mean += x[i] / WIDTH;
    for (int i = 0; i < WIDTH; i++)
        var += (x[i] - mean) * (x[i] - mean) / WIDTH;
    for (int i = 0; i < WIDTH; i++)
        y[i] = (x[i] - mean) / sqrt(var + 1e-5) * number(w, layer, weight, i) + number(w, layer, bias, i);
}

static void through(const weights *w, int layer, const char *name, rows_of x, rows_of y)
{
    for (int t = 0; t < STEPS; t++)
        linear(w, layer, name, x[t], WIDTH, WIDTH, y[t]);
}

/* What a row of one channel, 'lag' rows back, is multiplied with. */
static double shift_at(const weights *w, int layer, int channel, int lag)
{
    double sum = lag == 0 ? number(w, layer, "mixer.ssm_k_D", channel) : 0;

    for (int n = 0; n + lag < STATES; n++)
        sum += number(w, layer, "mixer.ssm_k_kernel.kernel.B", channel * STATES + n) *
               number(w, layer, "mixer.ssm_k_kernel.kernel.C", channel * STATES + n + lag);
    return sum;
}

static double diagonal_at(const weights *w, const variant *v, int layer, int head, int lag)
{
    double dt = exp(number(w, layer, "mixer.kernel.kernel.log_dt", head)), sum = lag == 0 ? number(w, layer, "mixer.D", head) : 0;

    for (int n = 0; n < STATES / 2; n++) {
        int    at = head % v->copies * (STATES / 2) + n, c = (head * (STATES / 2) + n) * 2;
        double raw = number(w, layer, "mixer.kernel.kernel.inv_A_real", at), y = number(w, layer, "mixer.kernel.kernel.A_imag", at);
        double x = v->relu ? -fmax(raw, 0) - 1e-4 : -exp(raw), below = hypot(1 - dt * x / 2, dt * y / 2);
        double size = v->zoh ? exp(dt * x) : hypot(1 + dt * x / 2, dt * y / 2) / below;
        double turn = v->zoh ? dt * y : atan2(dt * y / 2, 1 + dt * x / 2) + atan2(dt * y / 2, 1 - dt * x / 2);
        double re = v->zoh ? (size * cos(turn) - 1) : dt, im = v->zoh ? size * sin(turn) : 0;  /* over A, or below */
        double over = v->zoh ? hypot(x, y) : below, angle = v->zoh ? atan2(y, x) : -atan2(dt * y / 2, 1 - dt * x / 2);
        double b_re = number(w, layer, "mixer.kernel.kernel.B", 2 * at), b_im = number(w, layer, "mixer.kernel.kernel.B", 2 * at + 1);
        double c_re = number(w, layer, "mixer.kernel.kernel.C", c), c_im = number(w, layer, "mixer.kernel.kernel.C", c + 1);
        double all = hypot(re, im) / over * hypot(b_re, b_im) * hypot(c_re, c_im) * pow(size, lag);
        double phase = atan2(im, re) - angle + atan2(b_im, b_re) + atan2(c_im, c_re) + lag * turn;

        if (!(v->bandlimit > 0 && dt * fabs(y) / (2 * acos(-1)) >= v->bandlimit / 2))
            sum += 2 * all * cos(phase);
    }
    return sum;
}

/* y[t][j of head] = sum over i, s of kernel[t - s] k[s][i] v[s][j] q[t][i] */
static void mixer(const weights *w, const variant *v, int layer, rows_of u, rows_of out)
{
    static rows_of q, k, value, moved, y;
    int            d = v->head, heads = WIDTH / d;

    through(w, layer, "mixer.q_proj", u, q), through(w, layer, "mixer.k_proj", u, k), through(w, layer, "mixer.v_proj", u, value);
    memset(moved, 0, sizeof moved), memset(y, 0, sizeof y);
    for (int c = 0; c < WIDTH; c++)
        for (int t = 0; t < STEPS; t++)
            for (int lag = 0; lag <= t && lag < STATES; lag++)
                moved[t][c] += shift_at(w, layer, c, lag) * k[t - lag][c];
    for (int head = 0; head < heads; head++)
        for (int lag = 0; lag < STEPS; lag++) {
            double kernel = diagonal_at(w, v, layer, head, lag);

            for (int t = lag; t < STEPS; t++)
                for (int pair = 0; pair < d * d; pair++)
                    y[t][pair % d * heads + head] += kernel * moved[t - lag][head * d + pair / d] *
                                                     value[t - lag][head * d + pair % d] * q[t][head * d + pair / d];
        }
    through(w, layer, "mixer.output_linear", y, out);
}

static void truth(const weights *w, const variant *v, const int32_t *tokens, double out[STEPS][PADDED])
{
    static rows_of x, u, y;

    for (int t = 0; t < STEPS; t++)
        for (int i = 0; i < WIDTH; i++)
            x[t][i] = number(w, -1, "embeddings.word_embeddings.weight", tokens[t] * WIDTH + i);
    for (int layer = 0; layer < LAYERS; layer++) {
        for (int t = 0; t < STEPS; t++)
            norm(w, layer, "norm1", x[t], u[t]);
        mixer(w, v, layer, u, y);
        for (int t = 0; t < STEPS; t++) {
            double hidden[HIDDEN], more[WIDTH];

            for (int i = 0; i < WIDTH; i++)
                x[t][i] += y[t][i];
            norm(w, layer, "norm2", x[t], u[t]);
            linear(w, layer, "mlp.fc1", u[t], WIDTH, HIDDEN, hidden);
            for (int i = 0; i < HIDDEN; i++)
                hidden[i] *= 0.5 * (1 + tanh(sqrt(2 / acos(-1)) * (hidden[i] + 0.044715 * pow(hidden[i], 3))));
            linear(w, layer, "mlp.fc2", hidden, HIDDEN, WIDTH, more);
            for (int i = 0; i < WIDTH; i++)
                x[t][i] += more[i];
        }
    }
    for (int t = 0; t < STEPS; t++) {
        norm(w, -1, "ln_f", x[t], u[t]);
        for (int o = 0; o < PADDED; o++) {
            out[t][o] = 0;
            for (int i = 0; i < WIDTH; i++)
                out[t][o] += u[t][i] * number(w, -1, "embeddings.word_embeddings.weight", o * WIDTH + i);
        }
    }
}

/* ---- tests ------------------------------------------------------------------------------------------ */

static krait_status create(const weights *w, const char *more, const char *mixer_fields, krait_model **model,
                           krait_message *why)
{
    char text[512];

    snprintf(text, sizeof text, "{'model_type':'h3','d_model':6,'n_layer':2,'d_inner':10,'vocab_size':11,"
             "'pad_vocab_size_multiple':4,%s'ssm_cfg':{%s}}", more, mixer_fields);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    return krait_model_create(model, text, w->tensors, w->count, NULL, why);
}

static void check_variant(const weights *w, const variant *v)
{
    krait_model  *model = NULL;
    krait_message why = { "" };
    int32_t       tokens[STEPS];
    float         out[STEPS * PADDED];
    static double expected[STEPS][PADDED];
    kr_random     random = kr_random_from(9);
    krait_input   input = { .size = sizeof input, .steps = STEPS, .tokens = tokens };
    krait_output  output = { .size = sizeof output, .rows = out, .capacity = STEPS * PADDED };

    for (size_t t = 0; t < STEPS; t++)
        tokens[t] = (int32_t)(kr_random_u32(&random) % TOKENS);
    truth(w, v, tokens, expected);
    CHECK_STATUS(create(w, "'attn_layer_idx':[],", v->fields, &model, &why), KRAIT_OK);
    CHECK_STR(why.text, "");
    for (int32_t mode = KRAIT_RECURRENT; model && mode <= KRAIT_SCAN; mode += KRAIT_SCAN - KRAIT_RECURRENT) {
        krait_state *state = tiny_state(model, 1, 7);

        input.mode = mode;
        CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
        for (int t = 0; t < STEPS; t++)
            for (int i = 0; i < PADDED; i++)
                CHECK_CLOSE((double)out[t * PADDED + i], expected[t][i], 1e-5);
        krait_state_destroy(state, NULL);
    }
    krait_model_close(model);
}

/* Every tensor is asked for by its name. */
static void check_wanted(weights *w, const variant *v)
{
    for (size_t i = 0; i < w->count; i++) {
        krait_model  *model = (krait_model *)1;
        krait_message why = { "" };

        w->tensors[i].name = "elsewhere";
        CHECK_STATUS(create(w, "", v->fields, &model, &why), KRAIT_ERR_SHAPE);
        CHECK(model == NULL);
        if (!strstr(why.text, w->names[i]))
            CHECK_STR(why.text, w->names[i]);
        w->tensors[i].name = w->names[i];
    }
}

TEST(h3_configs_equal_double)
{
    weights *w = malloc(sizeof *w);

    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        test_note("%s", variants[i].fields);
        make_weights(w, &variants[i], 70 + i);
        check_variant(w, &variants[i]);
        check_wanted(w, &variants[i]);
    }
    test_note("%s", "");
    free(w);
}

TEST(h3_configs_refused)
{
    static const struct { const char *more, *mixer, *word; krait_status status; } cases[] = {
        { "'attn_layer_idx':[1],", "", "attention", KRAIT_ERR_UNSUPPORTED },
        { "'attn_layer_idx':1,", "", "attn_layer_idx", KRAIT_ERR_FORMAT },
        { "'max_position_embeddings':64,", "", "max_position_embeddings", KRAIT_ERR_UNSUPPORTED },
        { "'layer_norm_epsilon':-1,", "", "layer_norm_epsilon", KRAIT_ERR_FORMAT },
        { "", "'mode':'shift'", "mode", KRAIT_ERR_UNSUPPORTED },
        { "", "'disc':'dss'", "disc", KRAIT_ERR_UNSUPPORTED },
        { "", "'real_type':'cube'", "real_type", KRAIT_ERR_UNSUPPORTED },
        { "", "'force_real':true", "force_real", KRAIT_ERR_UNSUPPORTED },
        { "", "'l_max':128", "l_max", KRAIT_ERR_UNSUPPORTED },
        { "", "'d_state':5", "d_state", KRAIT_ERR_FORMAT },
        { "", "'head_dim':4", "head_dim", KRAIT_ERR_FORMAT },
        { "", "'d_state':4,'n_ssm':4", "copies", KRAIT_ERR_SHAPE },
        { "", "'bandlimit':0", "bandlimit", KRAIT_ERR_FORMAT },
        { "", "'channels':2", "channels", KRAIT_ERR_UNSUPPORTED },
    };
    static const struct { const char *name, *word; } tensors[] = {
        { "backbone.layers.1.mixer.Wqkv.weight", "attention" }, { "backbone.ln_0.weight", "older" },
        { "s4seq.encoder.layers.0.norm1.weight", "older" },
    };
    weights *w = malloc(sizeof *w);

    make_weights(w, &variants[0], 80);
    for (size_t i = 0; i < sizeof cases / sizeof *cases + sizeof tensors / sizeof *tensors; i++) {
        size_t        named = i - sizeof cases / sizeof *cases;
        int           by_name = i >= sizeof cases / sizeof *cases;
        const char   *word = by_name ? tensors[named].word : cases[i].word;
        krait_model  *model = (krait_model *)1;
        krait_message why = { "" };

        test_note("%s%s", by_name ? tensors[named].name : cases[i].more, by_name ? "" : cases[i].mixer);
        if (by_name)
            w->tensors[w->count - 1].name = tensors[named].name;
        CHECK_STATUS(create(w, by_name ? "" : cases[i].more, by_name ? "'d_state':4" : cases[i].mixer, &model, &why),
                     by_name ? KRAIT_ERR_UNSUPPORTED : cases[i].status);
        CHECK(model == NULL);
        if (!strstr(why.text, word))
            CHECK_STR(why.text, word);
    }
    test_note("%s", "");
    free(w);
}
