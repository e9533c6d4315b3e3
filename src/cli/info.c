/* info.c - krait info: what a model is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/show.h"
#include "cli/tree.h"

struct info_args {
    const char *model;
    int         tensors, metadata, json, hash;
};

static const arg_option info_options[] = {
    { "MODEL", ARG_OPERAND, offsetof(struct info_args, model), NULL, NULL },
    { "--tensors", ARG_FLAG, offsetof(struct info_args, tensors), NULL,
      "list the tensors: type, shape, name" },
    { "--metadata", ARG_FLAG, offsetof(struct info_args, metadata), NULL,
      "list the metadata" },
    { "--hash", ARG_FLAG, offsetof(struct info_args, hash), NULL,
      "read every weight and print a number of them" },
    { "--json", ARG_FLAG, offsetof(struct info_args, json), NULL,
      "the same for programs" },
    { NULL, ARG_FLAG, 0, NULL, NULL }
};

static const arg_command info_usage = {
    "info", "Says what a model is: its tree, its sizes, and more if asked.", info_options
};

enum { MOST_METADATA = 100, BYTES, NUMBER, FIRST_TOKENS = 8 };

static const struct {
    const char *name, *json;
    int32_t     key;
    int         kind;
} numbers[] = {
    { "parameters", "parameters", KRAIT_PARAMETERS, NUMBER },
    { "weights", "weight_bytes", KRAIT_WEIGHT_BYTES, BYTES },
    { "state per lane", "state_bytes_per_lane", KRAIT_STATE_BYTES_PER_LANE, BYTES },
    { "layers", "layers", KRAIT_LAYERS, NUMBER },
    { "vocabulary", "vocabulary", KRAIT_VOCABULARY, NUMBER },
    { "end of text", "end_token", KRAIT_END_TOKEN, NUMBER },
    { "input width", "in_width", KRAIT_IN_WIDTH, NUMBER },
    { "output width", "out_width", KRAIT_OUT_WIDTH, NUMBER },
    { "takes tokens", "takes_tokens", KRAIT_TAKES_TOKENS, NUMBER },
    { "can step", "can_step", KRAIT_CAN_STEP, NUMBER },
    { "whole sequences", "whole_sequence", KRAIT_WHOLE_SEQUENCE, NUMBER },
    { "most steps", "most_steps", KRAIT_MOST_STEPS, NUMBER },
    { "grid rows", "grid_rows", KRAIT_GRID_ROWS, NUMBER },
    { "grid columns", "grid_columns", KRAIT_GRID_COLUMNS, NUMBER },
    { "uses dt", "uses_dt", KRAIT_USES_DT, NUMBER },
};

enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static const struct {
    int32_t     type;
    const char *name;
} named_types[] = {
    { KRAIT_F32, "F32" },   { KRAIT_F16, "F16" },   { KRAIT_BF16, "BF16" }, { KRAIT_Q8_0, "Q8_0" },
    { KRAIT_Q4_0, "Q4_0" }, { KRAIT_Q4_1, "Q4_1" }, { KRAIT_Q5_0, "Q5_0" }, { KRAIT_Q5_1, "Q5_1" },
    { KRAIT_Q2_K, "Q2_K" }, { KRAIT_Q3_K, "Q3_K" }, { KRAIT_Q4_K, "Q4_K" }, { KRAIT_Q5_K, "Q5_K" },
    { KRAIT_Q6_K, "Q6_K" },
};

enum { TYPES = sizeof named_types / sizeof named_types[0] };

static const char *type_name(int32_t type, char *text, size_t room)
{
    size_t i;

    for (i = 0; i < TYPES; i++)
        if (named_types[i].type == type)
            return named_types[i].name;
    snprintf(text, room, "type %d", (int)type);
    return text;
}

/* ---- for people ---- */

static void label(const char *name)
{
    printf("  %-18s", name);
}

/* Said already, or not worth a line. */
static int goes_without(const krait_model *model, int32_t key)
{
    if (key == KRAIT_GRID_ROWS || key == KRAIT_GRID_COLUMNS)
        return model_number(model, KRAIT_GRID_ROWS) * model_number(model, KRAIT_GRID_COLUMNS)
               == 1;
    return key == KRAIT_WHOLE_SEQUENCE
           || (key == KRAIT_MOST_STEPS && model_number(model, key) == 0);
}

static int is_answer(int32_t key)
{
    return key == KRAIT_TAKES_TOKENS || key == KRAIT_USES_DT;
}

/* What people want to know of the two answers together. */
static void print_steps(const krait_model *model)
{
    int whole = model_number(model, KRAIT_WHOLE_SEQUENCE) != 0;
    int step = model_number(model, KRAIT_CAN_STEP) != 0;

    label("runs");
    printf("%s%s\n", whole ? "whole sequences only" : "any number of rows at a time",
           step ? "" : ", cannot step");
}

static void print_numbers(const krait_model *model)
{
    int i;

    for (i = 0; i < NUMBERS; i++) {
        int64_t value = model_number(model, numbers[i].key);

        if (numbers[i].key == KRAIT_CAN_STEP) {
            print_steps(model);
            continue;
        }
        if (goes_without(model, numbers[i].key))
            continue;
        label(numbers[i].name);
        if (is_answer(numbers[i].key))
            printf("%s\n", value ? "yes" : "no");
        else if (numbers[i].key == KRAIT_END_TOKEN && value < 0)
            printf("not named\n");
        else if (numbers[i].kind == BYTES && value >= 1000)
            printf("%" PRId64 " (%s)\n", value, show_bytes((uint64_t)value));
        else if (value >= 1000000)
            printf("%" PRId64 " (%s)\n", value, show_count((uint64_t)value));
        else
            printf("%" PRId64 "\n", value);
    }
}

static void print_text(const krait_model *model, const char *name, const char *key)
{
    const char *text = krait_model_text(model, key);

    if (!text)
        return;
    label(name);
    show_text(stdout, text, strlen(text), MOST_METADATA);
    putchar('\n');
}

/* How many ids are tokens, as their bytes are known; 0: of none. */
static int32_t count_tokens(const krait_model *model)
{
    const char *bytes;
    size_t      count;
    int32_t     token = 0;

    while (krait_token_bytes(model, token, &bytes, &count) == KRAIT_OK)
        token++;
    return token;
}

/* "begin 1, end 2": the file's own names, for ids that are there. */
static void print_special(const krait_model *model)
{
    static const char *const names[] = { "bos", "eos", "eot", "unknown", "separator", "padding", "mask" };
    char   key[64];
    size_t i, shown = 0;

    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value;

        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", names[i]);
        if ((value = krait_model_text(model, key)) == NULL)
            continue;
        printf("%s%s ", shown++ ? ", " : "; ", names[i]);
        show_text(stdout, value, strlen(value), 20);
    }
}

/* The vocabulary of a GGUF: its kind, its size, its special tokens, its first entries. */
static void print_vocabulary(const krait_model *model)
{
    const char *kind = krait_model_text(model, "tokenizer.ggml.model"), *bytes;
    size_t      count;
    int32_t     tokens, i;

    if (!kind || !krait_model_text(model, "tokenizer.ggml.tokens"))
        return;
    label("tokenizer");
    show_text(stdout, kind, strlen(kind), 40);
    tokens = count_tokens(model);
    if (tokens == 0)
        printf(", whose tokens are not known here");
    else
        printf(", %d tokens", (int)tokens);
    print_special(model);
    putchar('\n');
    for (i = 0; i < FIRST_TOKENS && krait_token_bytes(model, i, &bytes, &count) == KRAIT_OK; i++) {
        label(i ? "" : "first tokens");
        printf("%d \"", (int)i);
        show_text(stdout, bytes, count, 40);
        printf("\"\n");
    }
}

static const char *kind_of_slot(int32_t kind)
{
    return kind == KRAIT_SLOT_ORDER ? "takes order"
           : kind == KRAIT_SLOT_ROWS ? "gives rows"
                                     : "keeps within";
}

/* What goes in and comes out by name. */
static void print_slots(const krait_model *model)
{
    krait_slot_info slot = { 0 };
    size_t          i;

    slot.size = sizeof slot;
    for (i = 0; krait_model_slot(model, i, &slot) == KRAIT_OK; i++) {
        label(kind_of_slot(slot.kind));
        show_text(stdout, slot.name, strlen(slot.name), 0);
        printf(", %lu number%s a step\n", (unsigned long)slot.width,
               slot.width == 1 ? "" : "s");
    }
}

static void print_tensors(const krait_model *model)
{
    krait_tensor tensor;
    char         type[32];
    size_t       i;
    int          d;

    printf("\ntensors\n");
    for (i = 0; krait_model_tensor(model, i, &tensor) == KRAIT_OK; i++) {
        char   shape[96] = "";
        size_t size = 0;

        for (d = 0; d < tensor.dimensions && d < 4; d++)
            size += (size_t)snprintf(shape + size, sizeof shape - size, "%s%" PRIu64,
                                     d ? ", " : "", tensor.shape[d]);
        printf("  %-5s [%s]%*s ", type_name(tensor.type, type, sizeof type), shape,
               size < 16 ? (int)(16 - size) : 0, "");
        show_text(stdout, tensor.name, strlen(tensor.name), 0);
        putchar('\n');
    }
}

static void print_metadata(const krait_model *model)
{
    const char *key, *value;
    size_t      i;

    printf("\nmetadata\n");
    for (i = 0; (key = krait_model_key(model, i)) != NULL; i++) {
        printf("  ");
        show_text(stdout, key, strlen(key), 0);
        printf(" = ");
        if ((value = krait_model_text(model, key)) != NULL)
            show_text(stdout, value, strlen(value), MOST_METADATA);
        putchar('\n');
    }
}

static void print_all(const krait_model *model, const struct info_args *args,
                      const uint64_t *hash)
{
    const char *description = krait_model_text(model, "krait.description");

    show_text(stdout, args->model, strlen(args->model), 0);
    putchar('\n');
    print_text(model, "name", "general.name");
    print_text(model, "architecture", "general.architecture");
    print_numbers(model);
    print_vocabulary(model);
    print_slots(model);
    print_text(model, "kernels", "krait.kernels");
    label("model id");
    printf("%016" PRIx64 "\n", krait_model_id(model));
    if (hash) {
        label("model hash");
        printf("%016" PRIx64 "\n", *hash);
    }
    if (description) {
        printf("\ntree\n");
        tree_draw(stdout, description, 2);
    }
    if (args->tensors)
        print_tensors(model);
    if (args->metadata)
        print_metadata(model);
}

/* ---- for programs ---- */

static void json_text(const char *name, const char *text)
{
    printf("  \"%s\": ", name);
    if (text)
        show_json(stdout, text);
    else
        printf("null");
    printf(",\n");
}

static void json_slots(const krait_model *model)
{
    krait_slot_info slot = { 0 };
    size_t          i;

    slot.size = sizeof slot;
    printf("  \"slots\": [");
    for (i = 0; krait_model_slot(model, i, &slot) == KRAIT_OK; i++) {
        printf("%s\n    {\"name\": ", i ? "," : "");
        show_json(stdout, slot.name);
        printf(", \"kind\": \"%s\", \"width\": %lu}",
               slot.kind == KRAIT_SLOT_ORDER ? "order"
               : slot.kind == KRAIT_SLOT_ROWS ? "rows" : "inner",
               (unsigned long)slot.width);
    }
    printf("%s],\n", i ? "\n  " : "");
}

static void json_tensors(const krait_model *model)
{
    krait_tensor tensor;
    char         type[32];
    size_t       i;
    int          d;

    printf("  \"tensors\": [");
    for (i = 0; krait_model_tensor(model, i, &tensor) == KRAIT_OK; i++) {
        printf("%s\n    {\"name\": ", i ? "," : "");
        show_json(stdout, tensor.name);
        printf(", \"type\": \"%s\", \"shape\": [",
               type_name(tensor.type, type, sizeof type));
        for (d = 0; d < tensor.dimensions && d < 4; d++)
            printf("%s%" PRIu64, d ? ", " : "", tensor.shape[d]);
        printf("]}");
    }
    printf("\n  ],\n");
}

static void json_metadata(const krait_model *model)
{
    const char *key, *value;
    size_t      i;

    printf("  \"metadata\": {");
    for (i = 0; (key = krait_model_key(model, i)) != NULL; i++) {
        printf("%s\n    ", i ? "," : "");
        show_json(stdout, key);
        printf(": ");
        value = krait_model_text(model, key);
        show_json(stdout, value ? value : "");
    }
    printf("\n  },\n");
}

/* The description is JSON already; ids and hashes are text, since numbers lose digits. */
static void json_all(const krait_model *model, const struct info_args *args,
                     const uint64_t *hash)
{
    const char *description = krait_model_text(model, "krait.description");
    int         i;

    printf("{\n");
    json_text("path", args->model);
    json_text("name", krait_model_text(model, "general.name"));
    json_text("architecture", krait_model_text(model, "general.architecture"));
    json_text("kernels", krait_model_text(model, "krait.kernels"));
    json_text("tokenizer", krait_model_text(model, "tokenizer.ggml.model"));
    printf("  \"tokens\": %d,\n", (int)count_tokens(model));
    for (i = 0; i < NUMBERS; i++)
        printf("  \"%s\": %" PRId64 ",\n", numbers[i].json,
               model_number(model, numbers[i].key));
    json_slots(model);
    printf("  \"id\": \"%016" PRIx64 "\",\n", krait_model_id(model));
    if (hash)
        printf("  \"hash\": \"%016" PRIx64 "\",\n", *hash);
    if (args->tensors)
        json_tensors(model);
    if (args->metadata)
        json_metadata(model);
    printf("  \"description\": %s\n}\n", description ? description : "null");
}

int command_info(int argc, char **argv)
{
    struct info_args args = { 0 };
    krait_model     *model;
    krait_status     status = KRAIT_OK;
    uint64_t         hash = 0;
    int              go = args_parse(&info_usage, argc, argv, &args);

    if (go != ARGS_GO)
        return go;
    if (!(model = model_open(args.model, 0)))
        return EXIT_FAILED;
    if (args.hash)
        status = krait_model_hash(model, &hash);
    if (status != KRAIT_OK)
        complain_status(args.model, status, NULL);
    else if (args.json)
        json_all(model, &args, args.hash ? &hash : NULL);
    else
        print_all(model, &args, args.hash ? &hash : NULL);
    krait_model_close(model);
    return status == KRAIT_OK ? EXIT_DONE : EXIT_FAILED;
}
