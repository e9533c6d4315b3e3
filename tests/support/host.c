/* host.c - orders and threads for krait's tasks. */
#include "support/host.h"

#include <fenv.h>
#include <stdlib.h>
#include <string.h>

#include "support/random.h"

#if defined(__SSE__) && defined(__GNUC__)
#include <xmmintrin.h>
#endif

const char *const host_names[HOSTS] = { "backwards", "shuffled", "one thread more", "three threads more", "no callback" };

/* ---- settings ------------------------------------------------------------------------------ */

/* Number i of a few: roundings, and subnormals as zeros in some. */
static void setting_make(size_t i)
{
#ifdef FE_UPWARD
    static const int roundings[] = { FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST };

    fesetround(roundings[i % 4]);
#endif
#if defined(__SSE__) && defined(__GNUC__)
    _mm_setcsr((_mm_getcsr() & ~0x3fu) | (i % 3 ? 0x8040u : 0));
#else
    (void)i;
#endif
}

static uint64_t setting_now(void)
{
    uint64_t now = (uint64_t)fegetround() << 32;

#if defined(__SSE__) && defined(__GNUC__)
    now |= _mm_getcsr();
#endif
    return now;
}

static void in_setting(void *user, size_t i)
{
    host    *h = user;
    fenv_t   found;
    uint64_t before;

    fegetenv(&found);
    setting_make(i);
    before = setting_now();
    h->task(h->argument, i);
    if (setting_now() != before)
        atomic_fetch_add(&h->spoiled, 1);
    fesetenv(&found);
}

/* ---- orders and threads ---------------------------------------------------------------------- */

/* Takes the tasks that are left one by one, whichever. */
static void run_shuffled(host *h, size_t count)
{
    kr_random random = kr_random_from(h->seed++);
    size_t   *order = malloc(count * sizeof *order);

    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t left = count; left > 0; left--) {
        size_t at = kr_random_u32(&random) % left, i = order[at];

        order[at] = order[left - 1];
        in_setting(h, i);
    }
    free(order);
}

static void host_run(void *user, krait_task_fn task, void *argument, size_t count)
{
    host *h = user;

    h->calls++;
    h->tasks += count;
    h->task = task;
    h->argument = argument;
    if (h->pool)
        pool_run(h->pool, in_setting, h, count);
    else if (h->kind == HOST_SHUFFLED)
        run_shuffled(h, count);
    else
        while (count-- > 0)
            in_setting(h, count);
}

int host_start(host *h, host_kind kind, uint64_t seed)
{
    memset(h, 0, sizeof *h);
    h->kind = kind;
    h->seed = seed;
    if (kind == HOST_POOL_1 || kind == HOST_POOL_3)
        h->pool = pool_start(kind == HOST_POOL_1 ? 1 : 3);
    return (kind != HOST_POOL_1 && kind != HOST_POOL_3) || h->pool;
}

void host_end(host *h)
{
    pool_end(h->pool);
    h->pool = NULL;
}

void host_give(host *h, krait_input *input)
{
    input->parallel = h->kind == HOST_NONE ? NULL : host_run;
    input->parallel_user = h;
}
