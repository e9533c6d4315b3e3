/* convert.c - krait convert: any model that krait reads, as a GGUF file. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/system.h"

struct convert_args {
    const char *from, *to;
    int         type, layout, read, quiet;
};

static const arg_option convert_options[] = {
    { "FROM", ARG_OPERAND, offsetof(struct convert_args, from), NULL, NULL },
    { "TO.gguf", ARG_OPERAND, offsetof(struct convert_args, to), NULL, NULL },
    { "--type", ARG_CHOICE, offsetof(struct convert_args, type), "f32|f16|bf16|q8_0|q6_k|q5_k|q4_k|q5_1|q5_0|q4_1|q4_0",
      "of the large matrices (f32); the rest stays float32" },
    { "--layout", ARG_CHOICE, offsetof(struct convert_args, layout), "rows|panels",
      "rows: any reader of GGUF; panels: krait maps it in place" },
    { "--read", ARG_FLAG, offsetof(struct convert_args, read), NULL,
      "read FROM into memory instead of mapping it" },
    { "--quiet", ARG_FLAG, offsetof(struct convert_args, quiet), NULL,
      "do not print the sizes" },
    { NULL, ARG_FLAG, 0, NULL, NULL }
};

static const arg_command convert_usage = {
    "convert", "Reads a model and writes it as a GGUF file.", convert_options
};

static const int32_t types[] = {
    KRAIT_F32, KRAIT_F16, KRAIT_BF16, KRAIT_Q8_0, KRAIT_Q6_K, KRAIT_Q5_K, KRAIT_Q4_K, KRAIT_Q5_1,
    KRAIT_Q5_0, KRAIT_Q4_1, KRAIT_Q4_0
};
static const int32_t layouts[] = { KRAIT_LAYOUT_ROWS, KRAIT_LAYOUT_PANELS };

/* Of a file, or of the weights in a folder; 0 if there is nothing to measure. */
static uint64_t size_of(const char *path)
{
    char     inside[4096];
    int      folder;
    uint64_t bytes = system_bytes(path, &folder);

    if (!folder)
        return bytes;
    if ((size_t)snprintf(inside, sizeof inside, "%s/model.safetensors", path) >= sizeof inside)
        return 0;
    return system_bytes(inside, &folder);
}

static void warn_about(void *user, const char *text)
{
    const char **path = user;

    complain(*path, "warning: %s", text);
}

static void print_sizes(const struct convert_args *args, uint64_t before)
{
    uint64_t after = size_of(args->to);

    fprintf(stderr, "%s: %s", args->to, show_bytes(after));
    if (before)
        fprintf(stderr, ", %.0f %% of %s", 100 * (double)after / (double)before,
                show_bytes(before));
    fputc('\n', stderr);
}

int command_convert(int argc, char **argv)
{
    struct convert_args   args = { 0 };
    krait_convert_options o = { 0 };
    krait_message         message = { "" };
    krait_status          status;
    progress              bar;
    uint64_t              before;
    int                   go = args_parse(&convert_usage, argc, argv, &args);

    if (go != ARGS_GO)
        return go;
    o.size = sizeof o;
    o.progress = progress_tick;
    o.progress_user = &bar;
    o.warn = warn_about;
    o.warn_user = &args.from;
    o.type = types[args.type];
    o.layout = layouts[args.layout];
    o.flags = args.read ? KRAIT_OPEN_READ : 0;

    before = size_of(args.from);
    progress_begin(&bar, "converting", "B");
    status = krait_convert(args.from, args.to, &o, &message);
    progress_end(&bar);
    if (status == KRAIT_ERR_CANCELLED)
        return complain(args.to, "interrupted; nothing was written");
    if (status != KRAIT_OK)
        return complain_status(args.from, status, &message);
    if (!args.quiet)
        print_sizes(&args, before);
    return EXIT_DONE;
}
