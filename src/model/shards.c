/*
 * shards.c - weights in several safetensors files, and the index that says which tensor is where.
 *
 * Nothing in the index is believed: a shard's name must be a plain file name beside the index, and each
 * file must hold the tensors that the index puts there, all of them and no others.
 */
#include <string.h>

#include "core/order.h"
#include "model/model.h"

enum {
    SHARDS_MOST     = 4096,             /* files; a model of 2 TB in pieces of 500 MB */
    SHARDS_NAME_MOST = 255              /* bytes of a file's name */
};

/* One tensor of the index. */
typedef struct shard_entry { const char *tensor, *file; } shard_entry;

/* An index on its way: entries in the order of their files' names. */
typedef struct shards {
    kr_loading  *loading;
    const char  *what, *folder;         /* of the index; the folder ends in a slash or is empty */
    size_t       count, n_files;
    kr_ranked   *sorted;                /* text: the file's name; index: of the entry */
    shard_entry *entries;
    kr_source   *tensors;               /* of all files so far */
    size_t       n_tensors;
} shards;

/* A plain name that ends as it should and leads nowhere else. */
static int shard_is_name(const kr_json *value)
{
    static const char ending[] = ".safetensors";
    size_t            end = sizeof ending - 1;

    return value->kind == KR_JSON_TEXT && value->count > end && value->count <= SHARDS_NAME_MOST &&
           strlen(value->text) == value->count && value->text[0] != '.' && !strpbrk(value->text, "/\\:") &&
           strcmp(value->text + value->count - end, ending) == 0;
}

static krait_status shard_wrong(const shards *s, const char *what, const char *name)
{
    char shown[KR_SHOWN];

    return kr_fail(s->loading->message, KRAIT_ERR_FORMAT, "%.96s: %s \"%s\"", s->what, what,
                   kr_json_shown(shown, name, strlen(name)));
}

/* weight_map into entries, sorted by file. */
static krait_status shards_list(shards *s, const kr_json *map)
{
    kr_arena *arena = &s->loading->arena;
    size_t    i = 0;

    if (!map || map->kind != KR_JSON_OBJECT || map->count == 0)
        return kr_fail(s->loading->message, KRAIT_ERR_FORMAT, "%.96s: 'weight_map' is missing or no object of names",
                       s->what);
    s->count = map->count;
    s->entries = kr_arena_take(arena, s->count, sizeof *s->entries);
    s->sorted = kr_arena_take(arena, s->count, 2 * sizeof *s->sorted);
    if (!s->entries || !s->sorted)
        return kr_fail_memory(s->loading->message);
    for (const kr_json *field = map->first; field; field = field->next, i++) {
        if (strlen(field->key) != field->key_length)
            return shard_wrong(s, "a NUL in the name of tensor", field->key);
        if (!shard_is_name(field))
            return shard_wrong(s, "no plain name that ends in .safetensors is the file of tensor", field->key);
        s->entries[i] = (shard_entry){ field->key, field->text };
        s->sorted[i] = (kr_ranked){ 0, field->text, field->count, i };
    }
    kr_order_texts(s->sorted, s->sorted + s->count, s->count);
    for (i = 0; i < s->count; i++)
        s->n_files += i == 0 || strcmp(s->sorted[i].text, s->sorted[i - 1].text) != 0;
    if (s->n_files > SHARDS_MOST)
        return kr_fail(s->loading->message, KRAIT_ERR_UNSUPPORTED, "%.96s: %zu files; %d are the most", s->what,
                       s->n_files, (int)SHARDS_MOST);
    return KRAIT_OK;
}

/* The entries from..to-1 are the tensors of the file, each once: then none is left over. */
static krait_status shard_match(shards *s, const kr_package *package, size_t from, size_t to)
{
    unsigned char *seen = kr_arena_take(&s->loading->arena, package->n_tensors + 1, 1);
    const char    *file = s->sorted[from].text;
    char           shown[KR_SHOWN], where[KR_SHOWN];

    if (!seen)
        return kr_fail_memory(s->loading->message);
    kr_json_shown(where, file, strlen(file));
    for (size_t i = from; i < to; i++) {
        const char      *name = s->entries[s->sorted[i].index].tensor;
        const kr_source *source = kr_package_find(package, name);

        if (!source)
            return kr_fail(s->loading->message, KRAIT_ERR_FORMAT, "%.96s: tensor \"%s\" is not in %s", s->what,
                           kr_json_shown(shown, name, strlen(name)), where);
        seen[source - package->tensors] = 1;
    }
    for (size_t i = 0; i < package->n_tensors; i++)
        if (!seen[i])
            return kr_fail(s->loading->message, KRAIT_ERR_FORMAT,
                           "%.96s: tensor \"%s\" of %s is not in the index, or in another file", s->what,
                           kr_json_shown(shown, package->tensors[i].name, strlen(package->tensors[i].name)), where);
    memcpy(s->tensors + s->n_tensors, package->tensors, package->n_tensors * sizeof *s->tensors);
    s->n_tensors += package->n_tensors;
    return KRAIT_OK;
}

/* Opens, reads and checks the file of the entries from..to-1. */
static krait_status shard_read(shards *s, size_t from, size_t to)
{
    kr_loading  *loading = s->loading;
    const char  *path = kr_load_join(loading, s->folder, strlen(s->folder), s->sorted[from].text);
    kr_package   package;
    krait_status status;

    if (!path)
        return kr_fail_memory(loading->message);
    if ((status = kr_load_file(loading, path, &package)) != KRAIT_OK)
        return status;
    if (strcmp(package.format, "safetensors") != 0)
        return shard_wrong(s, "no safetensors file is", s->sorted[from].text);
    if (from == 0)
        loading->package = package;         /* its metadata and format stand for all */
    return shard_match(s, &package, from, to);
}

static krait_status shards_read(shards *s)
{
    kr_loading  *loading = s->loading;
    krait_status status = kr_load_room(loading, s->n_files);

    s->tensors = kr_arena_take(&loading->arena, s->count, sizeof *s->tensors);
    if (status != KRAIT_OK || !s->tensors)
        return kr_fail_memory(loading->message);
    for (size_t from = 0, to; from < s->count; from = to) {
        to = from + 1;
        while (to < s->count && strcmp(s->sorted[to].text, s->sorted[from].text) == 0)
            to++;
        if ((status = shard_read(s, from, to)) != KRAIT_OK)
            return status;
    }
    loading->package.tensors = s->tensors;
    loading->package.n_tensors = s->n_tensors;
    return kr_package_index(&loading->package, s->what, &loading->arena, loading->message);
}

krait_status kr_load_shards(kr_loading *loading, const char *folder, const char *path)
{
    shards         s = { .loading = loading, .what = kr_fail_path(path), .folder = folder };
    kr_file        file;
    const kr_json *index = NULL;
    krait_status   status = kr_file_open(&file, path, 1, &loading->model->memory, loading->message);

    if (status != KRAIT_OK)
        return status;
    status = kr_json_parse(&index, (const char *)file.bytes, file.count, s.what, &loading->arena, loading->message);
    if (status == KRAIT_OK)
        status = shards_list(&s, kr_json_get(index, "weight_map"));
    kr_file_close(&file, &loading->model->memory);      /* the nodes hold copies of their texts */
    return status == KRAIT_OK ? shards_read(&s) : status;
}
