#define _POSIX_C_SOURCE 200809L

#include "support/tiny.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/random.h"
#include "support/system.h"

static void *taken(void *block)
{
    if (!block)
        abort();
    return block;
}

/* ---- weights ---- */

float tiny_little(float x)
{
    uint32_t      bits;
    unsigned char bytes[4];

    memcpy(&bits, &x, sizeof bits);
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(bits >> 8 * i);
    memcpy(&x, bytes, sizeof x);
    return x;
}

/* Evenly between low and high; dimensions of 0 are not there. */
static void add(tiny *t, kr_random *random, float low, float high, const uint64_t shape[3],
                const char *format, size_t layer)
{
    krait_tensor *tensor = &t->tensors[t->count];
    char         *name = t->names[t->count];
    size_t        numbers = 1;
    float        *data;

    if (t->count++ == TINY_TENSORS)
        abort();
    snprintf(name, TINY_NAME, format, layer);
    *tensor = (krait_tensor){ .name = name, .type = KRAIT_F32 };
    while (tensor->dimensions < 3 && shape[tensor->dimensions]) {
        tensor->shape[tensor->dimensions] = shape[tensor->dimensions];
        numbers *= (size_t)shape[tensor->dimensions++];
    }
    tensor->bytes = numbers * sizeof *data;
    tensor->data = data = taken(malloc(numbers * sizeof *data));
    for (size_t i = 0; i < numbers; i++)
        data[i] = tiny_little(0.5f * (low + high) + 0.5f * (high - low) * kr_random_unit(random));
}

#define SHAPE(...) (const uint64_t[3]){ __VA_ARGS__ }

static void add_layer(tiny *t, kr_random *r, size_t i)
{
    const tiny_sizes *s = &t->sizes;
    uint64_t          wide = s->rank + 2 * s->states;

    add(t, r, 0.8f, 1.2f, SHAPE(s->width), "backbone.layers.%zu.norm.weight", i);
    add(t, r, -0.5f, 0.5f, SHAPE(2 * s->inner, s->width), "backbone.layers.%zu.mixer.in_proj.weight", i);
    if (s->in_bias)
        add(t, r, -0.1f, 0.1f, SHAPE(2 * s->inner), "backbone.layers.%zu.mixer.in_proj.bias", i);
    add(t, r, -0.5f, 0.5f, SHAPE(s->inner, 1, s->taps), "backbone.layers.%zu.mixer.conv1d.weight", i);
    if (!s->no_conv_bias)
        add(t, r, -0.1f, 0.1f, SHAPE(s->inner), "backbone.layers.%zu.mixer.conv1d.bias", i);
    add(t, r, -0.3f, 0.3f, SHAPE(wide, s->inner), "backbone.layers.%zu.mixer.x_proj.weight", i);
    add(t, r, -0.5f, 0.5f, SHAPE(s->inner, s->rank), "backbone.layers.%zu.mixer.dt_proj.weight", i);
    add(t, r, -4, -2, SHAPE(s->inner), "backbone.layers.%zu.mixer.dt_proj.bias", i);
    add(t, r, 0, 1.5f, SHAPE(s->inner, s->states), "backbone.layers.%zu.mixer.A_log", i);
    add(t, r, 0.5f, 1.5f, SHAPE(s->inner), "backbone.layers.%zu.mixer.D", i);
    add(t, r, -0.3f, 0.3f, SHAPE(s->width, s->inner), "backbone.layers.%zu.mixer.out_proj.weight", i);
    if (s->in_bias)
        add(t, r, -0.1f, 0.1f, SHAPE(s->width), "backbone.layers.%zu.mixer.out_proj.bias", i);
}

static void write_config(tiny *t)
{
    const tiny_sizes *s = &t->sizes;

    snprintf(t->config, sizeof t->config,
             "{\n  \"architectures\": [\n    \"MambaForCausalLM\"\n  ],\n  \"model_type\": \"mamba\",\n"
             "  \"hidden_size\": %zu,\n  \"intermediate_size\": %zu,\n  \"state_size\": %zu,\n"
             "  \"conv_kernel\": %zu,\n  \"time_step_rank\": %zu,\n  \"num_hidden_layers\": %zu,\n"
             "  \"vocab_size\": %zu,\n  \"expand\": 2,\n  \"hidden_act\": \"silu\",\n"
             "  \"layer_norm_epsilon\": 1e-05,\n  \"use_bias\": %s,\n  \"use_conv_bias\": %s,\n"
             "  \"residual_in_fp32\": true,\n  \"tie_word_embeddings\": %s,\n"
             "  \"eos_token_id\": 0,\n  \"torch_dtype\": \"float32\"\n}\n",
             s->width, s->inner, s->states, s->taps, s->rank, s->layers, s->vocabulary,
             s->in_bias ? "true" : "false", s->no_conv_bias ? "false" : "true",
             s->untied ? "false" : "true");
}

static size_t or_default(size_t given, size_t fallback)
{
    return given ? given : fallback;
}

tiny *tiny_make(const tiny_sizes *sizes, uint64_t seed)
{
    tiny       *t = taken(calloc(1, sizeof *t));
    tiny_sizes *s = &t->sizes;
    kr_random   random = kr_random_from(seed);

    if (sizes)
        *s = *sizes;
    s->vocabulary = or_default(s->vocabulary, 256);
    s->layers = or_default(s->layers, 2);
    s->width = or_default(s->width, 16);
    s->inner = or_default(s->inner, 32);
    s->states = or_default(s->states, 4);
    s->taps = or_default(s->taps, 4);
    s->rank = or_default(s->rank, 2);
    write_config(t);
    add(t, &random, -1, 1, SHAPE(s->vocabulary, s->width), "backbone.embeddings.weight", 0);
    for (size_t i = 0; i < s->layers; i++)
        add_layer(t, &random, i);
    add(t, &random, 0.8f, 1.2f, SHAPE(s->width), "backbone.norm_f.weight", 0);
    if (s->untied)
        add(t, &random, -1, 1, SHAPE(s->vocabulary, s->width), "lm_head.weight", 0);
    return t;
}

void tiny_free(tiny *t)
{
    for (size_t i = 0; t && i < t->count; i++)
        free((void *)(uintptr_t)t->tensors[i].data);
    free(t);
}

krait_tensor *tiny_find(tiny *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->tensors[i].name, name) == 0)
            return &t->tensors[i];
    return NULL;
}

float *tiny_data(tiny *t, const char *name)
{
    return (float *)(uintptr_t)((krait_tensor *)taken(tiny_find(t, name)))->data;
}

void tiny_drop(tiny *t, const char *name)
{
    krait_tensor *tensor = taken(tiny_find(t, name));

    free((void *)(uintptr_t)tensor->data);
    memmove(tensor, tensor + 1, (size_t)(t->tensors + t->count - 1 - tensor) * sizeof *tensor);
    t->count--;
}

krait_model *tiny_model(const tiny *t)
{
    krait_model *model;

    krait_model_create(&model, t->config, t->tensors, t->count, NULL, NULL);
    return model;
}

static size_t key(const krait_model *model, int32_t which)
{
    int64_t value;

    if (krait_model_get(model, which, &value) != KRAIT_OK || value < 0)
        abort();
    return (size_t)value;
}

krait_state *tiny_state(const krait_model *model, uint32_t lanes, uint32_t chunk)
{
    krait_state_options options = { .size = sizeof options, .lanes = lanes, .chunk = chunk };
    krait_state        *state;
    unsigned char      *data, *end;
    size_t              bytes, kept;

    krait_state_create(&state, model, &options, NULL);
    /* Scratch has no meaning, but tests compare whole blocks: give it bytes. */
    krait_state_bytes(model, &options, &bytes);
    data = krait_state_data(taken(state), &kept);
    end = (unsigned char *)state + bytes;
    memset(data + kept, 0, (size_t)(end - (data + kept)));
    return state;
}

void tiny_steps(const krait_model *model, krait_state *state, size_t lanes, size_t count, uint64_t seed,
                float *out)
{
    kr_random random = kr_random_from(seed);
    int32_t  *tokens = taken(malloc(lanes * sizeof *tokens));

    for (size_t i = 0; i < count; i++) {
        for (size_t lane = 0; lane < lanes; lane++)
            tokens[lane] = (int32_t)(kr_random_u32(&random) % key(model, KRAIT_VOCABULARY));
        if (krait_step_tokens(model, state, tokens, i + 1 == count ? out : NULL) != KRAIT_OK)
            abort();
    }
    free(tokens);
}

uint64_t tiny_hash(const krait_model *model, const krait_state *state, int32_t lane)
{
    uint64_t hash;

    if (krait_state_hash(model, state, lane, &hash) != KRAIT_OK)
        abort();
    return hash;
}

float *tiny_logits(const krait_model *model, size_t steps, size_t *count)
{
    size_t       in = key(model, KRAIT_IN_WIDTH), width = key(model, KRAIT_OUT_WIDTH);
    size_t       vocabulary = key(model, KRAIT_VOCABULARY);
    float       *out = taken(malloc((steps * width + in) * sizeof *out)), *row = out + steps * width;
    krait_state *state = tiny_state(model, 1, 1);
    kr_random    random = kr_random_from(7);

    for (size_t i = 0; i < steps; i++) {
        int32_t      token = vocabulary ? (int32_t)(kr_random_u32(&random) % vocabulary) : 0;
        krait_status status;

        for (size_t k = 0; !vocabulary && k < in; k++)
            row[k] = kr_random_unit(&random);
        status = vocabulary ? krait_step_tokens(model, state, &token, out + i * width)
                            : krait_step(model, state, row, out + i * width);
        if (status != KRAIT_OK)
            abort();
    }
    krait_state_destroy(state, NULL);
    if (count)
        *count = steps * width;
    return out;
}

/* ---- files ---- */

/* Text that grows. */
typedef struct text {
    char  *at;
    size_t count, room;
} text;

static void put(text *to, const char *bytes, size_t count)
{
    if (count > to->room - to->count) {
        to->room = 2 * (to->count + count);
        to->at = taken(realloc(to->at, to->room));
    }
    memcpy(to->at + to->count, bytes, count);
    to->count += count;
}

static void print(text *to, const char *format, ...)
{
    char    line[256];
    va_list arguments;
    int     count;

    va_start(arguments, format);
    count = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (count < 0 || (size_t)count >= sizeof line)
        abort();
    put(to, line, (size_t)count);
}

/* The inside of a JSON string, of ASCII. */
static void put_escaped(text *to, const char *from)
{
    for (; *from; from++)
        if (*from == '"' || *from == '\\')
            print(to, "\\%c", *from);
        else if ((unsigned char)*from < 0x20)
            print(to, "\\u%04x", (unsigned)*from);
        else
            put(to, from, 1);
}

static void put_entry(text *to, const krait_tensor *tensor, uint64_t begin)
{
    const char *type = tensor->type == KRAIT_F32 ? "F32" : tensor->type == KRAIT_F16 ? "F16" : "BF16";

    print(to, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", tensor->name, type);
    for (int32_t d = 0; d < tensor->dimensions; d++)
        print(to, "%s%llu", d ? "," : "", (unsigned long long)tensor->shape[d]);
    print(to, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)begin,
          (unsigned long long)(begin + tensor->bytes));
}

unsigned char *tiny_safetensors(const tiny *t, const char *description, size_t *count)
{
    text     file = { 0 };
    uint64_t at = 0;

    put(&file, "        {\"__metadata__\":{\"format\":\"pt\"", 38);
    if (description) {
        print(&file, ",\"krait\":\"");
        put_escaped(&file, description);
        print(&file, "\"");
    }
    print(&file, "}");
    for (size_t i = 0; i < t->count; at += t->tensors[i++].bytes)
        put_entry(&file, &t->tensors[i], at);
    print(&file, "}");
    while (file.count % 8)
        print(&file, " ");
    for (int i = 0; i < 8; i++)
        file.at[i] = (char)((uint64_t)(file.count - 8) >> 8 * i);
    for (size_t i = 0; i < t->count; i++)
        put(&file, t->tensors[i].data, (size_t)t->tensors[i].bytes);
    *count = file.count;
    return (unsigned char *)file.at;
}

void tiny_write(const char *path, const void *bytes, size_t count)
{
    FILE *file = taken(fopen(path, "wb"));

    if ((count && fwrite(bytes, 1, count, file) != count) || fclose(file) != 0)
        abort();
}

unsigned char *tiny_read(const char *path, size_t *count)
{
    FILE          *file = fopen(path, "rb");
    unsigned char *bytes;
    long           size;

    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0)
        abort();
    bytes = taken(malloc((size_t)size + 1));
    *count = fread(bytes, 1, (size_t)size, file);
    fclose(file);
    return bytes;
}

void tiny_folder(const tiny *t, const char *folder)
{
    size_t         count;
    unsigned char *bytes = tiny_safetensors(t, NULL, &count);
    char           path[1200];

    system_folder(folder);
    snprintf(path, sizeof path, "%s/config.json", folder);
    tiny_write(path, t->config, strlen(t->config));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    tiny_write(path, bytes, count);
    free(bytes);
}

krait_status tiny_gguf(const tiny *t, const char *folder, const char *to, int32_t type, int32_t layout)
{
    krait_convert_options options = { .size = sizeof options, .type = type, .layout = layout };

    tiny_folder(t, folder);
    return krait_convert(folder, to, &options, NULL);
}

unsigned char *tiny_aligned(const void *bytes, size_t count)
{
    void *copy;

    if (posix_memalign(&copy, KRAIT_STATE_ALIGNMENT, count ? count : 1) != 0)
        abort();
    if (count && bytes)
        memcpy(copy, bytes, count);
    return copy;
}

/* ---- memory ---- */

struct tiny_block {
    void       *at;
    size_t      bytes, alignment;
    tiny_block *next;
};

static void *counted_allocate(void *user, size_t bytes, size_t alignment)
{
    tiny_memory *m = user;
    tiny_block  *block;
    void        *at;

    m->calls++;
    m->wrong += alignment == 0 || (alignment & (alignment - 1)) != 0;
    if (m->fail_at && (m->for_good ? m->calls >= m->fail_at : m->calls == m->fail_at))
        return NULL;
    if ((m->limit && bytes > m->limit) ||
        posix_memalign(&at, alignment < sizeof at ? sizeof at : alignment, bytes ? bytes : 1) != 0)
        return NULL;
    memset(at, 0xa5, bytes);            /* nobody may count on zeros */
    block = taken(malloc(sizeof *block));
    *block = (tiny_block){ at, bytes, alignment, m->blocks };
    m->blocks = block;
    m->held += bytes;
    m->peak = m->held > m->peak ? m->held : m->peak;
    return at;
}

static void counted_release(void *user, void *at, size_t bytes, size_t alignment)
{
    tiny_memory *m = user;
    tiny_block **link = &m->blocks, *block;

    while (*link && (*link)->at != at)
        link = &(*link)->next;
    block = *link;
    if (!block || block->bytes != bytes || block->alignment != alignment) {
        m->wrong++;
        return;
    }
    *link = block->next;
    m->held -= bytes;
    free(at);
    free(block);
}

void tiny_memory_start(tiny_memory *m, size_t fail_at, int for_good)
{
    *m = (tiny_memory){ .fail_at = fail_at, .for_good = for_good };
    m->allocator = (krait_allocator){ m, counted_allocate, counted_release };
}

int tiny_memory_end(tiny_memory *m)
{
    int clean = !m->blocks && m->held == 0 && m->wrong == 0;

    while (m->blocks) {
        tiny_block *block = m->blocks;

        m->blocks = block->next;
        free(block->at);
        free(block);
    }
    return clean;
}
