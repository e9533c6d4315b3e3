/*
 * commands.h - the commands of krait, and what they share.
 *
 * A command gets the arguments after its name and returns the exit status: 0, 1 if the
 * work failed, 2 if it was asked for wrongly.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/pool.h"
#include "krait.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int command_info(int argc, char **argv);
int command_run(int argc, char **argv);
int command_generate(int argc, char **argv);
int command_convert(int argc, char **argv);
int command_check(int argc, char **argv);
int command_bench(int argc, char **argv);

/* krait_model_open() with KRAIT_OPEN_... and a progress bar; NULL after a complaint. */
krait_model *model_open(const char *path, int32_t flags);
/* The same with the help of a pool of so many threads, which may be NULL. */
krait_model *model_open_by(const char *path, int32_t flags, pool *threads, uint32_t count);
/* krait_model_get() of a key that is known; 0 if this library does not know it. */
int64_t      model_number(const krait_model *model, int32_t key);
/* Rows of one sequence: 'usual', or what a model of whole sequences names as the most. */
size_t       model_steps(const krait_model *model, size_t usual);

#endif /* CLI_COMMANDS_H */
