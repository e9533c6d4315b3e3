/* model.c - how every command opens its model. */
#include "cli/commands.h"

#include <stddef.h>

#include "cli/pool.h"
#include "cli/progress.h"
#include "cli/show.h"

static void warn(void *user, const char *text)
{
    const char **path = user;

    complain(*path, "warning: %s", text);
}

krait_model *model_open(const char *path, int32_t flags)
{
    return model_open_by(path, flags, NULL, 1);
}

krait_model *model_open_by(const char *path, int32_t flags, pool *threads, uint32_t count)
{
    krait_open_options options = { 0 };
    krait_model       *model = NULL;
    krait_message      message = { "" };
    krait_status       status;
    progress           bar;

    options.size = sizeof options;
    options.flags = flags;
    options.progress = progress_tick;
    options.progress_user = &bar;
    options.parallel = threads ? pool_run : NULL;
    options.parallel_user = threads;
    options.tasks = threads ? count : 1;
    options.warn = warn;
    options.warn_user = &path;
    progress_begin(&bar, "reading", "B");
    status = krait_model_open(&model, path, &options, &message);
    progress_end(&bar);
    if (status == KRAIT_ERR_CANCELLED)
        complain(path, "interrupted while reading");
    else if (status != KRAIT_OK)
        complain_status(path, status, &message);
    return model;
}

int64_t model_number(const krait_model *model, int32_t key)
{
    int64_t value = 0;

    krait_model_get(model, key, &value);
    return value;
}

/* It may take so many and no others. */
size_t model_steps(const krait_model *model, size_t usual)
{
    int64_t most = model_number(model, KRAIT_MOST_STEPS);

    return model_number(model, KRAIT_WHOLE_SEQUENCE) && most > 0 ? (size_t)most : usual;
}
