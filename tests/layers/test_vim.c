/*
 * test_vim.c - Vision Mamba: small random models against tests/golden/make_vim.py's double
 * precision, the trained one against its reference, and the shipped one against what
 * make_shipped_vim.py recorded.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "formats/package.h"
#include "krait.h"
#include "support/npz.h"
#include "support/tiny.h"
#include "test.h"

enum { MOST_TENSORS = 128, MOST_OUT = 32 };

/* A file of tests/golden/vim: a model with some images and what it makes of them. */
typedef struct recorded {
    kr_memory        memory;
    kr_arena         arena;
    kr_package       package;
    unsigned char   *bytes;
    const char      *config;
    const kr_source *output;
    krait_tensor     tensors[MOST_TENSORS];
    size_t           n_tensors, n_images, pixels, width;
    float           *images;            /* [n_images][pixels] */
} recorded;

static const char *const recorded_names[] = {
    "overlap", "middle", "shared", "forward", "pairs", "greatest", "every", "headless"
};
enum { RECORDED = sizeof recorded_names / sizeof *recorded_names };

static int recorded_open(recorded *r, const char *name)
{
    char             path[128];
    size_t           count = 0;
    krait_message    why = { "" };
    const kr_json   *config;
    const kr_source *images;

    memset(r, 0, sizeof *r);
    test_note("%s", name);
    snprintf(path, sizeof path, "tests/golden/vim/%s.safetensors", name);
    kr_memory_start(&r->memory, NULL, 0);
    kr_arena_start(&r->arena, &r->memory);
    r->bytes = npz_read_file(test_data(path), &count);
    if (!CHECK(r->bytes != NULL) ||
        !CHECK_STATUS(kr_package_read(&r->package, r->bytes, count, path, &r->arena, &why),
                      KRAIT_OK))
        return 0;
    config = kr_json_get(r->package.metadata, "config");
    images = kr_package_find(&r->package, "recorded.images");
    r->output = kr_package_find(&r->package, "recorded.output");
    if (!CHECK(config && images && r->output && r->package.n_tensors < MOST_TENSORS))
        return 0;
    r->config = config->text;
    for (size_t i = 0; i < r->package.n_tensors; i++) {
        const kr_source *from = &r->package.tensors[i];
        krait_tensor    *to = &r->tensors[r->n_tensors];

        if (strncmp(from->name, "recorded.", 9) == 0)
            continue;
        *to = (krait_tensor){ .name = from->name, .data = from->data, .bytes = from->bytes,
                              .dimensions = from->dimensions, .type = from->type };
        memcpy(to->shape, from->shape, sizeof to->shape);
        r->n_tensors++;
    }
    r->n_images = (size_t)images->shape[0];
    r->pixels = (size_t)(images->shape[1] * images->shape[2] * images->shape[3]);
    r->width = (size_t)r->output->shape[1];
    r->images = malloc(r->n_images * r->pixels * sizeof *r->images);
    for (size_t i = 0; i < r->n_images * r->pixels; i++)
        r->images[i] = kr_float_of(kr_load_u32(images->data + 4 * i));
    return CHECK(r->width <= MOST_OUT && r->n_images > 0);
}

static void recorded_close(recorded *r)
{
    kr_arena_free(&r->arena);
    free(r->bytes), free(r->images);
    test_note("%s", "");
}

static double recorded_number(const recorded *r, size_t i)
{
    return kr_double_of(kr_load_u32(r->output->data + 8 * i) |
                        (uint64_t)kr_load_u32(r->output->data + 8 * i + 4) << 32);
}

/* ---- running ------------------------------------------------------------------------ */

/* Image after image through krait_step(); for free(). */
static float *stepped(const krait_model *model, const float *images, size_t count, size_t pixels,
                      size_t width)
{
    krait_state *state = tiny_state(model, 1, 1);
    float       *out = malloc(count * width * sizeof *out);

    for (size_t i = 0; i < count; i++)
        CHECK_STATUS(krait_step(model, state, images + i * pixels, out + i * width), KRAIT_OK);
    krait_state_destroy(state, NULL);
    return out;
}

/* All images on every lane, from another one on, some at a time: the same bits as 'expected'. */
static void check_run(const krait_model *model, const float *images, size_t count, size_t pixels,
                      size_t width, uint32_t lanes, uint32_t chunk, const float *expected)
{
    krait_state *state = tiny_state(model, lanes, chunk);
    krait_input  input = { .size = sizeof input, .steps = count };
    krait_output output = { .size = sizeof output, .capacity = lanes * count * width };
    float       *in = malloc(lanes * count * pixels * sizeof *in);
    float       *out = malloc(output.capacity * sizeof *out);

    for (size_t lane = 0; lane < lanes; lane++)
        for (size_t i = 0; i < count; i++)
            memcpy(in + (lane * count + i) * pixels, images + (lane + i) % count * pixels,
                   pixels * sizeof *in);
    input.features = in;
    output.rows = out;
    CHECK_STATUS(krait_run(model, state, &input, &output, NULL), KRAIT_OK);
    for (size_t lane = 0; lane < lanes; lane++)
        for (size_t i = 0; i < count; i++)
            CHECK_BYTES(out + (lane * count + i) * width, expected + (lane + i) % count * width,
                        width * sizeof *out);
    krait_state_destroy(state, NULL);
    free(in), free(out);
}

TEST(vim_recorded_outputs)
{
    for (size_t m = 0; m < RECORDED; m++) {
        recorded      r;
        krait_model  *model = NULL;
        krait_message why = { "" };

        if (recorded_open(&r, recorded_names[m]) &&
            CHECK_STATUS(krait_model_create(&model, r.config, r.tensors, r.n_tensors, NULL, &why),
                         KRAIT_OK)) {
            float *out = stepped(model, r.images, r.n_images, r.pixels, r.width);
            double scale = 0, worst = 0;

            for (size_t i = 0; i < r.n_images * r.width; i++) {
                double off = fabs((double)out[i] - recorded_number(&r, i));

                scale = fmax(scale, fabs(recorded_number(&r, i)));
                worst = fmax(worst, isnan(off) ? INFINITY : off);
            }
            CHECK_CLOSE(worst / scale, 0.0, 1e-6);
            check_run(model, r.images, r.n_images, r.pixels, r.width, 3, 2, out);
            free(out);
        }
        CHECK_STR(why.text, "");
        krait_model_close(model);
        recorded_close(&r);
    }
}

/* ---- what a file lacks, and what it should not have --------------------------------- */

/* Without any one of its tensors a model is refused, and the message names it. */
TEST(vim_every_tensor_is_wanted)
{
    for (size_t m = 0; m < RECORDED; m++) {
        recorded r;

        if (recorded_open(&r, recorded_names[m]))
            for (size_t i = 0; i < r.n_tensors; i++) {
                krait_tensor  all[MOST_TENSORS];
                krait_model  *model = NULL;
                krait_message why = { "" };
                int           idle = strcmp(recorded_names[m], "pairs") == 0 &&
                                     strncmp(r.tensors[i].name, "layers.4.", 9) == 0;

                memcpy(all, r.tensors, sizeof all);
                all[i] = all[r.n_tensors - 1];
                test_note("%s without %s: %.120s", recorded_names[m], r.tensors[i].name, why.text);
                CHECK_STATUS(krait_model_create(&model, r.config, all, r.n_tensors - 1, NULL, &why),
                             idle ? KRAIT_OK : KRAIT_ERR_SHAPE);
                CHECK(idle || strstr(why.text, r.tensors[i].name) != NULL);
                krait_model_close(model);
            }
        recorded_close(&r);
    }
}

/* The config with more fields in front: what is said twice is an error, so they are new ones. */
static krait_status opened(const recorded *r, const char *fields, krait_model **model,
                           krait_message *why)
{
    char *text = malloc(strlen(r->config) + strlen(fields) + 8);
    krait_status status;

    sprintf(text, "{%s%s", fields, r->config + 1);
    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    status = krait_model_create(model, text, r->tensors, r->n_tensors, NULL, why);
    free(text);
    return status;
}

TEST(vim_refuses_by_name)
{
    static const struct { const char *model, *fields, *word; krait_status status; } cases[] = {
        { "every", "'if_rope':true,", "if_rope", KRAIT_ERR_UNSUPPORTED },
        { "every", "'flip_img_sequences_ratio':0.5,", "flip_img_sequences_ratio",
          KRAIT_ERR_UNSUPPORTED },
        { "every", "'ssm_cfg':{'use_fast_path':false},", "use_fast_path", KRAIT_ERR_UNSUPPORTED },
        { "every", "'ssm_cfg':{'d_state':4},", "d_state", KRAIT_ERR_UNSUPPORTED },
        { "every", "'ssm_cfg':[],", "ssm_cfg", KRAIT_ERR_FORMAT },
        { "every", "'ssm_cfg':{'bias':1},", "bias", KRAIT_ERR_FORMAT },
        { "every", "'ssm_cfg':{'expand':0.01},", "expand", KRAIT_ERR_FORMAT },
        { "every", "'ssm_cfg':{'conv_bias':false},", "layers.0.mixer.conv1d.bias",
          KRAIT_ERR_SHAPE },
        { "every", "'ssm_cfg':{'bias':true},", "layers.0.mixer.in_proj.bias", KRAIT_ERR_SHAPE },
        { "every", "'ssm_cfg':{'d_conv':3},", "layers.0.mixer.conv1d.weight", KRAIT_ERR_SHAPE },
        { "every", "'ssm_cfg':{'dt_rank':2},", "layers.0.mixer.x_proj.weight", KRAIT_ERR_SHAPE },
        { "every", "'rms_norm':false,", "norm.bias", KRAIT_ERR_SHAPE },
        { "every", "'rms_norm':'yes',", "rms_norm", KRAIT_ERR_FORMAT },
        { "every", "'norm_epsilon':2,", "norm_epsilon", KRAIT_ERR_FORMAT },
        { "every", "'if_abs_pos_embed':false,", "pos_embed", KRAIT_ERR_SHAPE },
        { "every", "'init_layer_scale':0.1,", "gamma", KRAIT_ERR_SHAPE },
        { "every", "'image_mean':0.5,", "image_std", KRAIT_ERR_FORMAT },
        { "every", "'image_std':0.5,", "image_mean", KRAIT_ERR_FORMAT },
        { "every", "'image_mean':0,'image_std':0,", "image_std", KRAIT_ERR_FORMAT },
        { "every", "'image_mean':[0,1],'image_std':1,", "image_mean", KRAIT_ERR_FORMAT },
        { "every", "'image_mean':['a'],'image_std':1,", "image_mean", KRAIT_ERR_FORMAT },
        { "greatest", "'bimamba_type':'v3',", "bimamba_type", KRAIT_ERR_UNSUPPORTED },
        { "greatest", "'bimamba_type':'none',", "A_b_log", KRAIT_ERR_SHAPE },
        { "greatest", "'bimamba_type':'v1',", "x_proj_b.weight", KRAIT_ERR_SHAPE },
        { "greatest", "'if_bimamba':true,", "x_proj_b.weight", KRAIT_ERR_SHAPE },
        { "middle", "'final_pool_type':'max',", "final_pool_type", KRAIT_ERR_UNSUPPORTED },
        { "middle", "'final_pool_type':'sum',", "final_pool_type", KRAIT_ERR_UNSUPPORTED },
        { "middle", "'if_cls_token':false,", "cls_token", KRAIT_ERR_SHAPE },
        { "middle", "'use_double_cls_token':true,", "cls_token", KRAIT_ERR_SHAPE },
        { "middle", "'rms_norm':false,", "norm.bias", KRAIT_ERR_SHAPE },
        { "overlap", "'use_double_cls_token':true,", "cls_token", KRAIT_ERR_SHAPE },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        recorded      r;
        krait_model  *model = (krait_model *)1;
        krait_message why = { "" };

        if (recorded_open(&r, cases[i].model)) {
            test_note("%s with %s", cases[i].model, cases[i].fields);
            CHECK_STATUS(opened(&r, cases[i].fields, &model, &why), cases[i].status);
            CHECK(model == NULL);
            if (!strstr(why.text, cases[i].word))
                CHECK_STR(why.text, cases[i].word);
        }
        recorded_close(&r);
    }
}

/* Sizes of the config that the tensors contradict, in whole configs. */
TEST(vim_refuses_sizes)
{
    static const struct { const char *config, *word; krait_status status; } cases[] = {
        { "'img_size':[4,6],'patch_size':8", "patch_size", KRAIT_ERR_FORMAT },
        { "'img_size':2,'patch_size':2", "patch_size", KRAIT_ERR_UNSUPPORTED },
        { "'img_size':[4,6,1],'patch_size':2", "img_size", KRAIT_ERR_FORMAT },
        { "'img_size':[4,0],'patch_size':2", "img_size", KRAIT_ERR_FORMAT },
        { "'img_size':[4,6],'patch_size':2.5", "patch_size", KRAIT_ERR_FORMAT },
        { "'img_size':[4,6],'patch_size':2,'stride':1", "pos_embed", KRAIT_ERR_SHAPE },
        { "'img_size':[4,6],'patch_size':2,'stride':0", "stride", KRAIT_ERR_FORMAT },
        { "'img_size':[4,8],'patch_size':2,'stride':2", "pos_embed", KRAIT_ERR_SHAPE },
        { "'img_size':[4,6],'patch_size':[1,2],'stride':2", "patch_embed.proj.weight",
          KRAIT_ERR_SHAPE },
        { "'img_size':[4,6],'patch_size':2,'stride':2,'depth':1", "layers.1.norm.weight",
          KRAIT_ERR_SHAPE },
        { "'img_size':[4,6],'patch_size':2,'stride':2,'depth':3", "layers.2.norm.weight",
          KRAIT_ERR_SHAPE },
        { "'img_size':[4,6],'patch_size':2,'stride':2,'num_classes':4", "head.weight",
          KRAIT_ERR_SHAPE },
        { "'img_size':[4,6],'patch_size':2,'stride':2,'num_classes':-1", "num_classes",
          KRAIT_ERR_FORMAT },
        { "'img_size':[4,6],'patch_size':2,'stride':2,'depth':1,'if_bidirectional':true", "depth",
          KRAIT_ERR_FORMAT },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        recorded      r;
        krait_model  *model = (krait_model *)1;
        krait_message why = { "" };

        if (recorded_open(&r, "every")) {
            char text[512];

            snprintf(text, sizeof text,
                     "{%s%s%s,'model_type':'vim','channels':1,'embed_dim':8,'d_state':4,"
                     "'if_cls_token':false,'final_pool_type':'all','bimamba_type':'none'}",
                     cases[i].config, strstr(cases[i].config, "depth") ? "" : ",'depth':2",
                     strstr(cases[i].config, "num_classes") ? "" : ",'num_classes':3");
            r.config = text;
            for (char *c = text; *c; c++)
                *c = *c == '\'' ? '"' : *c;
            test_note("%s", cases[i].config);
            CHECK_STATUS(krait_model_create(&model, text, r.tensors, r.n_tensors, NULL, &why),
                         cases[i].status);
            CHECK(model == NULL);
            if (!strstr(why.text, cases[i].word))
                CHECK_STR(why.text, cases[i].word);
        }
        recorded_close(&r);
    }
}

static void hear(void *user, const char *line)
{
    strncat(user, line, 1000);
}

/* Fields of training change nothing and are not told of; one that nobody knows is. */
TEST(vim_passes_over)
{
    recorded           r;
    char               heard[4096] = "", text[1024];
    krait_open_options options = { .size = sizeof options, .warn = hear, .warn_user = heard };
    krait_model       *plain = NULL, *model = NULL;
    krait_message      why = { "" };

    if (recorded_open(&r, "every")) {
        CHECK_STATUS(krait_model_create(&plain, r.config, r.tensors, r.n_tensors, &options, NULL),
                     KRAIT_OK);
        CHECK_STR(heard, "");
        snprintf(text, sizeof text,
                 "{\"drop_path_rate\":0.1,\"fused_add_norm\":false,\"residual_in_fp32\":true,"
                 "\"pt_hw_seq_len\":14,\"if_rope_residual\":true,\"ssm_cfg\":{\"dt_min\":0.001,"
                 "\"dt_rank\":\"auto\"},"
                 "\"if_rope\":null,\"flip_img_sequences_ratio\":-1.0,\"image_mean\":null,\"if_"
                 "devide_out\":true,%s",
                 r.config + 1);
        CHECK_STATUS(krait_model_create(&model, text, r.tensors, r.n_tensors, &options, &why),
                     KRAIT_OK);
        CHECK_STR(why.text, "");
        CHECK(strstr(heard, "'if_devide_out'") != NULL && !strstr(heard, "drop_path_rate"));
        CHECK_U64(krait_model_id(model), krait_model_id(plain));
    }
    krait_model_close(model);
    krait_model_close(plain);
    recorded_close(&r);
}

/* ---- the trained model -------------------------------------------------------------- */

enum { PIXELS = 784, CLASSES = 10, TRIED = 100 };

TEST(vim_mnist)
{
    const char   *folder = test_shared("models/vim-mnist");
    const char   *path = test_shared("models/vim-mnist/reference64.npz");
    krait_model  *model = NULL;
    npz           reference;
    npz_array     images, logits;
    krait_message why = { "" };

    if (!folder || !path)
        SKIP("no ../shared/models/vim-mnist (or in $KRAIT_SHARED): see vim_recorded_outputs, "
             "vim_shipped");
    if (!CHECK(npz_open(&reference, path)))
        return;
    images = npz_get(&reference, "images");
    logits = npz_get(&reference, "logits");
    if (CHECK(images.count == TRIED * PIXELS && logits.count == TRIED * CLASSES) &&
        CHECK_STATUS(krait_model_open(&model, folder, NULL, &why), KRAIT_OK)) {
        float *pixels = malloc(TRIED * PIXELS * sizeof *pixels), *out;
        double scale = 0, worst = 0;

        for (size_t i = 0; i < TRIED * PIXELS; i++)
            pixels[i] = (float)npz_number(&images, i) / 255.0f;
        out = stepped(model, pixels, TRIED, PIXELS, CLASSES);
        for (size_t i = 0; i < TRIED * CLASSES; i++) {
            double off = fabs((double)out[i] - npz_number(&logits, i));

            scale = fmax(scale, fabs(npz_number(&logits, i)));
            worst = fmax(worst, isnan(off) ? INFINITY : off);
        }
        CHECK_CLOSE(worst / scale, 0.0, 1e-6);
        check_run(model, pixels, 12, PIXELS, CLASSES, 10, 5, out);
        free(pixels), free(out);
    }
    CHECK_STR(why.text, "");
    krait_model_close(model);
    npz_close(&reference);
}

/* The pixels of examples/images/digit-<d>.pgm, which ends with them. */
static int read_digit(int d, float *pixels)
{
    char           path[64];
    size_t         count = 0;
    unsigned char *bytes;

    snprintf(path, sizeof path, "examples/images/digit-%d.pgm", d);
    bytes = npz_read_file(test_data(path), &count);
    if (!CHECK(bytes != NULL && count > PIXELS))
        return 0;
    for (size_t i = 0; i < PIXELS; i++)
        pixels[i] = (float)bytes[count - PIXELS + i] / 255.0f;
    free(bytes);
    return 1;
}

/* What was recorded: its own bits, and double precision with the weights as shipped. */
static void check_shipped_vim(const recorded *r, const float *out)
{
    const kr_source *logits = kr_package_find(&r->package, "logits");
    double           scale = 0, worst = 0;

    if (!CHECK(logits && r->output && logits->shape[0] == CLASSES && logits->shape[1] == CLASSES &&
               r->output->shape[0] == CLASSES))
        return;
    for (size_t i = 0; i < CLASSES * CLASSES; i++) {
        double off = fabs((double)out[i] - recorded_number(r, i));

        CHECK_U64(kr_bits_of(out[i]), kr_load_u32(logits->data + 4 * i));
        scale = fmax(scale, fabs(recorded_number(r, i)));
        worst = fmax(worst, isnan(off) ? INFINITY : off);
    }
    CHECK_CLOSE(worst / scale, 0.0, 1e-6);
}

/* Ten test images, and the model that examples/see.c opens. */
TEST(vim_shipped)
{
    const char   *path = test_data("examples/models/vim-mnist.gguf");
    krait_model  *model = NULL;
    krait_message why = { "" };
    recorded      r = { 0 };
    size_t        count = 0;
    float        *pixels = calloc(CLASSES * PIXELS, sizeof *pixels);

    kr_memory_start(&r.memory, NULL, 0);
    kr_arena_start(&r.arena, &r.memory);
    r.bytes = npz_read_file(test_data("tests/golden/shipped_vim.safetensors"), &count);
    if (CHECK(r.bytes != NULL) &&
        CHECK_STATUS(kr_package_read(&r.package, r.bytes, count, "", &r.arena, &why), KRAIT_OK) &&
        CHECK_STATUS(krait_model_open(&model, path, NULL, &why), KRAIT_OK)) {
        float *out;

        r.output = kr_package_find(&r.package, "logits64");
        for (int d = 0; d < CLASSES; d++)
            read_digit(d, pixels + d * PIXELS);
        out = stepped(model, pixels, CLASSES, PIXELS, CLASSES);
        check_shipped_vim(&r, out);
        for (size_t d = 0; d < CLASSES; d++)
            for (size_t i = 0; i < CLASSES; i++)
                CHECK(i == d || out[d * CLASSES + i] < out[d * CLASSES + d]);
        check_run(model, pixels, CLASSES, PIXELS, CLASSES, 10, 3, out);
        free(out);
    }
    CHECK_STR(why.text, "");
    krait_model_close(model);
    kr_arena_free(&r.arena);
    free(r.bytes), free(pixels);
}
