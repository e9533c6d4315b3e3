/* kept.c - rows under names: all that a model offers are asked for in every call. */
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "cli/trial.h"

static size_t count_kept(const krait_model *model, kept_set *set)
{
    krait_slot_info info = { 0 };
    size_t          i, count = 0;

    info.size = sizeof info;
    for (i = 0; krait_model_slot(model, i, &info) == KRAIT_OK; i++) {
        if (info.kind != KRAIT_SLOT_ROWS)
            continue;
        if (set->list) {
            set->list[count].name = info.name;
            set->list[count].width = info.width;
        }
        count++;
    }
    return count;
}

int kept_begin(trial *t)
{
    kept_set *set = &t->kept;
    size_t    count = count_kept(t->model, set), i;

    set->list = trial_room(count, sizeof *set->list);
    set->made = trial_room(count, sizeof *set->made);
    set->at = trial_room(count, sizeof *set->at);
    if (!set->list || !set->made || !set->at)
        return complain(NULL, "out of memory");
    set->count = count_kept(t->model, set);
    for (i = 0; i < set->count; i++)
        set->made[i] = t->steps;
    return 0;
}

int kept_room(trial *t)
{
    kept_set *set = &t->kept;
    size_t    i;

    for (i = 0; i < set->count; i++) {
        krait_slot *slot = &set->list[i];
        size_t      rows = t->lanes * set->made[i];

        if (!(slot->rows = trial_room(2 * rows, slot->width * sizeof *slot->rows)))
            return complain(NULL, "no memory for the rows '%.64s'", slot->name);
        slot->capacity = 2 * rows * slot->width;
        set->at[i] = set->floats;
        set->floats += rows * slot->width;
    }
    return 0;
}

void kept_end(trial *t)
{
    kept_set *set = &t->kept;
    size_t    i;

    for (i = 0; i < set->count; i++)
        free(set->list[i].rows);
    free(set->list);
    free(set->made);
    free(set->at);
    memset(set, 0, sizeof *set);
}

/* All bits: a NaN that no arithmetic makes. */
void trial_mark(float *rows, size_t count)
{
    if (count)
        memset(rows, 0xff, count * sizeof *rows);
}

int trial_marks_broken(const float *rows, size_t count)
{
    const unsigned char *bytes = (const unsigned char *)rows;
    size_t               i;

    for (i = 0; i < count * sizeof *rows; i++)
        if (bytes[i] != 0xff)
            return 1;
    return 0;
}

/* Of one lane of one slot; a model of whole sequences makes other numbers of rows. */
static int put_lane(const trial *t, const way *w, size_t i, size_t lane, float *to)
{
    const krait_slot *slot = &t->kept.list[i];
    const float      *rows = slot->rows + lane * slot->stride * slot->width;
    size_t            made = t->kept.made[i], n = t->call.lengths[lane], r;

    if (!t->whole)
        for (r = 0; r < n; r++)
            memcpy(to + (t->call.at[lane] + r) % t->steps * slot->width,
                   rows + r * slot->width, slot->width * sizeof *to);
    else if (n && (slot->stride == made || ((w->how & WAY_EPISODE) && slot->stride == 2 * made)))
        memcpy(to, rows + (slot->stride - made) * slot->width, made * slot->width * sizeof *to);
    else if (n)
        return 1;
    if (!(w->how & WAY_RAGGED))
        return 0;
    n = t->whole && n ? slot->stride : n;
    return trial_marks_broken(rows + n * slot->width, (slot->stride - n) * slot->width);
}

void kept_scatter(trial *t, const way *w, outcome *o, size_t lane, size_t lanes)
{
    size_t i, k;

    for (i = 0; i < t->kept.count; i++)
        for (k = 0; k < lanes; k++)
            if (put_lane(t, w, i, k, o->kept + t->kept.at[i]
                                         + (lane + k) * t->kept.made[i] * t->kept.list[i].width))
                o->odd_kept = 1;
}
