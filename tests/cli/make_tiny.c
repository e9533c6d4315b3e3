/*
 * make_tiny.c - writes a tiny random model for the tests of the command: config.json and
 * model.safetensors as Hugging Face names them, into the folder given, which exists.
 *
 *     make_tiny FOLDER [whole|mean|grid|kept]
 *
 * Mamba over bytes, 2 layers of width 16; or a tree of krait's own: one that needs whole
 * sequences and an order, one that uses dt, one over images, one that keeps
 * rows, the last of which are its output.  Needs libc alone.  The weights come
 * out of an integer generator, so that the files are the same everywhere.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 16, INNER = 32, STATES = 4, TAPS = 4, RANK = 2, LAYERS = 2 };
enum { VOCABULARY = 256, TREE = -2 };

static const char config[] =
    "{\n"
    "  \"architectures\": [\"MambaForCausalLM\"],\n"
    "  \"model_type\": \"mamba\",\n"
    "  \"bos_token_id\": 0, \"eos_token_id\": 10, \"pad_token_id\": 0,\n"
    "  \"hidden_size\": 16, \"intermediate_size\": 32, \"expand\": 2,\n"
    "  \"state_size\": 4, \"conv_kernel\": 4, \"time_step_rank\": 2,\n"
    "  \"num_hidden_layers\": 2, \"vocab_size\": 256, \"hidden_act\": \"silu\",\n"
    "  \"layer_norm_epsilon\": 1e-05, \"use_bias\": false, \"use_conv_bias\": true,\n"
    "  \"residual_in_fp32\": true, \"tie_word_embeddings\": true\n"
    "}\n";

#define MIXER "{\"mamba1\": {\"inner\": 32, \"states\": 4, \"rank\": 2, \"path\": \"mixer\"}}"
#define BLOCK "{\"residual\": {\"sequence\": [{\"rms_norm\": {\"path\": \"norm\"}}, " MIXER "]}}"
#define IN    "{\"linear\": {\"width\": 16, \"path\": \"in\"}}"
#define OUT   "{\"linear\": {\"width\": 3, \"path\": \"out\"}}"
#define SHARED "{\"use\": {\"as\": \"shared\"}}"
#define INSERT "{\"insert\": {\"at\": \"middle\", \"path\": \"token\"}}"

/* Trees of krait's own. */
static const struct {
    const char *kind, *description;
    int         features;
} trees[] = {
    { "whole",
      "{\"model_type\": \"krait\", \"version\": 1, \"input\": {\"features\": 6},\n"
      " \"tree\": {\"sequence\": [" IN ", \n"
      " {\"define\": {\"as\": \"shared\", \"of\": " BLOCK "}},\n"
      " {\"put\": {\"as\": \"hidden\"}},\n"
      " {\"branches\": {\"merge\": \"mean\", \"of\":\n"
      "  [" SHARED ", {\"reverse\": {\"of\": " SHARED "}}]}},\n"
      " {\"permute\": {\"input\": \"path\", \"of\": " SHARED "}}, " INSERT ",\n"
      " {\"put\": {\"as\": \"longer\"}}, " OUT "]}}\n", 6 },
    { "mean",
      "{\"model_type\": \"krait\", \"version\": 1, \"input\": {\"features\": 6},\n"
      " \"tree\": {\"sequence\": [" IN ", " BLOCK ", {\"pool\": {\"kind\": \"mean\"}}, " OUT "]}}\n", 6 },
    { "grid",
      "{\"model_type\": \"krait\", \"version\": 1, \n"
      " \"input\": {\"features\": 2, \"grid\": [4, 3]},\n"
      " \"tree\": {\"sequence\": [" IN ", \n"
      " {\"over\": {\"axis\": \"steps\", \"of\": " MIXER "}},\n"
      " {\"over\": {\"axis\": \"grid\", \"of\": {\"sequence\": [\n"
      "  {\"permute\": {\"input\": \"cells\", \"of\": " BLOCK "}},\n"
      "  " INSERT ", {\"pool\": {\"kind\": \"token\", \"index\": 3}}]}}}, " OUT "]}}\n", 2 },
    { "kept",
      "{\"model_type\": \"krait\", \"version\": 1, \"input\": {\"features\": 6},\n"
      " \"tree\": {\"sequence\": [" IN ", " BLOCK ", {\"put\": {\"as\": \"hidden\"}}, " OUT ",\n"
      " {\"put\": {\"as\": \"last\"}}]}}\n", 6 },
};

enum { TREES = sizeof trees / sizeof trees[0] };

struct tensor {
    char   name[96], shape[32];
    size_t count;
    float  low, high;           /* the weights lie evenly between */
};

static struct tensor tensors[2 + 10 * LAYERS];
static size_t        tensor_count;

static void add(const char *name, int layer, int a, int b, int c, float low, float high)
{
    struct tensor *t = &tensors[tensor_count++];

    if (layer == TREE)
        snprintf(t->name, sizeof t->name, "%s", name);
    else if (layer >= 0)
        snprintf(t->name, sizeof t->name, "backbone.layers.%d.%s", layer, name);
    else
        snprintf(t->name, sizeof t->name, "backbone.%s", name);
    if (c)
        snprintf(t->shape, sizeof t->shape, "%d,%d,%d", a, b, c);
    else if (b)
        snprintf(t->shape, sizeof t->shape, "%d,%d", a, b);
    else
        snprintf(t->shape, sizeof t->shape, "%d", a);
    t->count = (size_t)a * (size_t)(b ? b : 1) * (size_t)(c ? c : 1);
    t->low = low;
    t->high = high;
}

static void add_layer(int i)
{
    add("mixer.A_log", i, INNER, STATES, 0, 0, 1.5f);
    add("mixer.D", i, INNER, 0, 0, 0.5f, 1.5f);
    add("mixer.conv1d.bias", i, INNER, 0, 0, -0.1f, 0.1f);
    add("mixer.conv1d.weight", i, INNER, 1, TAPS, -0.5f, 0.5f);
    add("mixer.dt_proj.bias", i, INNER, 0, 0, -4, -2);
    add("mixer.dt_proj.weight", i, INNER, RANK, 0, -0.5f, 0.5f);
    add("mixer.in_proj.weight", i, 2 * INNER, WIDTH, 0, -0.5f, 0.5f);
    add("mixer.out_proj.weight", i, WIDTH, INNER, 0, -0.3f, 0.3f);
    add("mixer.x_proj.weight", i, RANK + 2 * STATES, INNER, 0, -0.3f, 0.3f);
    add("norm.weight", i, WIDTH, 0, 0, 0.8f, 1.2f);
}

static void add_mamba(void)
{
    int i;

    add("embeddings.weight", -1, VOCABULARY, WIDTH, 0, -1, 1);
    for (i = 0; i < LAYERS; i++)
        add_layer(i);
    add("norm_f.weight", -1, WIDTH, 0, 0, 0.8f, 1.2f);
}

static void add_tree(int features)
{
    add("in.weight", TREE, WIDTH, features, 0, -0.5f, 0.5f);
    add("in.bias", TREE, WIDTH, 0, 0, -0.1f, 0.1f);
    add_layer(TREE);
    add("token.weight", TREE, 1, WIDTH, 0, -0.5f, 0.5f);
    add("out.weight", TREE, 3, WIDTH, 0, -0.5f, 0.5f);
}

static FILE *open_in(const char *folder, const char *name)
{
    char  path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!(file = fopen(path, "wb"))) {
        perror(path);
        exit(1);
    }
    return file;
}

static void put_little_endian(FILE *file, uint64_t value, int bytes)
{
    for (; bytes > 0; bytes--, value >>= 8)
        fputc((int)(value & 0xff), file);
}

static void write_weights(FILE *file)
{
    uint64_t state = 1;
    size_t   i, k;

    for (i = 0; i < tensor_count; i++)
        for (k = 0; k < tensors[i].count; k++) {
            float    even, weight;
            uint32_t bits;

            state = state * 6364136223846793005u + 1442695040888963407u;
            even = (float)(state >> 40) / 16777216.0f;
            weight = tensors[i].low + even * (tensors[i].high - tensors[i].low);
            memcpy(&bits, &weight, sizeof bits);
            put_little_endian(file, bits, 4);
        }
}

static void write_safetensors(FILE *file)
{
    static char header[16384];
    size_t      size = 0, at = 0, i;

    size += (size_t)sprintf(header + size, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (i = 0; i < tensor_count; i++) {
        size_t end = at + 4 * tensors[i].count;

        size += (size_t)sprintf(header + size,
                                ",\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],"
                                "\"data_offsets\":[%lu,%lu]}",
                                tensors[i].name, tensors[i].shape, (unsigned long)at,
                                (unsigned long)end);
        at = end;
    }
    header[size++] = '}';
    while (size % 8)
        header[size++] = ' ';
    put_little_endian(file, size, 8);
    fwrite(header, 1, size, file);
    write_weights(file);
}

int main(int argc, char **argv)
{
    const char *text = config;
    FILE       *file;
    int         i;

    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: make_tiny FOLDER [whole|mean|grid|kept]\n");
        return 2;
    }
    for (i = 0; argc == 3 && i < TREES; i++)
        if (strcmp(argv[2], trees[i].kind) == 0) {
            text = trees[i].description;
            add_tree(trees[i].features);
        }
    if (text == config)
        add_mamba();
    file = open_in(argv[1], "config.json");
    fputs(text, file);
    if (fclose(file) != 0)
        return 1;
    file = open_in(argv[1], "model.safetensors");
    write_safetensors(file);
    return fclose(file) != 0;
}
