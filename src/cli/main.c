/*
 * main.c - the command krait: a table of commands.
 *
 * Everything it does goes through krait.h: it is a program as anyone could write it.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/system.h"

static const struct {
    const char *name;
    int       (*run)(int argc, char **argv);
    const char *purpose;
} commands[] = {
    { "info", command_info, "what a model is: its tree, sizes, tensors and metadata" },
    { "run", command_run, "rows or tokens of a .npy file through a model" },
    { "generate", command_generate, "write text, token by token" },
    { "convert", command_convert, "make a GGUF file, also in smaller types" },
    { "check", command_check, "run every mode and cut against each other" },
    { "bench", command_bench, "measure how fast a model runs here" },
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_usage(FILE *out)
{
    int i;

    fprintf(out, "usage: krait COMMAND MODEL [options]\n\n");
    for (i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].purpose);
    fprintf(out, "\n"
                 "MODEL is a .gguf or .safetensors file, or a folder with config.json\n"
                 "and model.safetensors.  krait COMMAND --help says more about one, and\n"
                 "krait --version what this is.\n");
}

static void print_version(void)
{
    printf("krait %s (abi %d, numerics %d)\n%s\n", krait_version(), (int)krait_abi(),
           (int)krait_numerics(), krait_build());
}

static int run_command(int argc, char **argv)
{
    int i;

    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        print_version();
        return EXIT_DONE;
    }
    for (i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    fprintf(stderr, "krait: unknown %s %s; see krait --help\n",
            argv[1][0] == '-' ? "option" : "command", argv[1]);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    int status;

    argv = system_begin(argc, argv);
    progress_catch();
    status = run_command(argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_DONE)
        status = complain(NULL, "standard output cannot be written");
    return status;
}
