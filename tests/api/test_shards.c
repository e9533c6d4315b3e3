/* Weights in several safetensors files with an index: the same model, and every index that lies is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "krait.h"
#include "support/system.h"
#include "support/tiny.h"
#include "test.h"

enum { SHARDS = 3, INDEX = 8192 };

static char folder[256];

static void path_of(char path[512], const char *name)
{
    snprintf(path, 512, "%s/%s", folder, name);
}

/* In which shard tensor i lies. */
static size_t shard_of(size_t i)
{
    return i * 7 % SHARDS;
}

static void shard_name(char name[64], size_t shard)
{
    snprintf(name, 64, "model-%05zu-of-%05d.safetensors", shard + 1, SHARDS);
}

/* config.json, the shards, and the text of an index that fits them. */
static void write_shards(const tiny *t, char index[INDEX])
{
    char   path[512], name[64];
    size_t used = 0;

    test_path(folder, sizeof folder, "shards");
    system_folder(folder);
    path_of(path, "config.json");
    tiny_write(path, t->config, strlen(t->config));
    for (size_t k = 0; k < SHARDS; k++) {
        tiny           part = { .count = 0 };
        unsigned char *bytes;
        size_t         count;

        for (size_t i = 0; i < t->count; i++)
            if (shard_of(i) == k)
                part.tensors[part.count++] = t->tensors[i];
        bytes = tiny_safetensors(&part, NULL, &count);
        shard_name(name, k);
        path_of(path, name);
        tiny_write(path, bytes, count);
        free(bytes);
    }
    used += (size_t)snprintf(index, INDEX, "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {");
    for (size_t i = 0; i < t->count; i++) {
        shard_name(name, shard_of(i));
        used += (size_t)snprintf(index + used, INDEX - used, "%s\"%s\": \"%s\"", i ? ", " : "", t->tensors[i].name, name);
    }
    snprintf(index + used, INDEX - used, "}}");
}

static void write_index(const char *text)
{
    char path[512];

    path_of(path, "model.safetensors.index.json");
    tiny_write(path, text, strlen(text));
}

/* Mappings of this process that lie in the folder; 0 where the system does not say. */
static size_t mappings(void)
{
    size_t n = 0;
    FILE  *file = fopen("/proc/self/maps", "r");
    char   line[1024];

    while (file && fgets(line, sizeof line, file))
        n += strstr(line, folder) != NULL;
    if (file)
        fclose(file);
    return n;
}

static void same_model(const krait_model *model, const tiny *t)
{
    krait_model *plain = tiny_model(t);
    size_t       count;
    float       *x, *y;

    if (CHECK(model && plain)) {
        CHECK_U64(krait_model_id(model), krait_model_id(plain));
        x = tiny_logits(model, 8, &count);
        y = tiny_logits(plain, 8, NULL);
        CHECK_BYTES(x, y, count * sizeof *x);
        free(x), free(y);
    }
    krait_model_close(plain);
}

TEST(shards_are_one_model)
{
    tiny               *t = tiny_make(&(tiny_sizes){ .untied = 1, .layers = 3 }, 3);
    krait_open_options  options = { .size = sizeof options };
    char                index[INDEX], path[512], to[256];
    krait_model        *model = NULL;
    krait_tensor        tensor;
    size_t              n = 0;

    write_shards(t, index);
    write_index(index);
    test_path(to, sizeof to, "shards.gguf");
    for (options.flags = 0; options.flags <= KRAIT_OPEN_READ; options.flags++) {
        krait_message why = { "" };

        CHECK_STATUS(krait_model_open(&model, folder, &options, &why), KRAIT_OK);
        CHECK_STR(why.text, "");
        same_model(model, t);
        for (n = 0; krait_model_tensor(model, n, &tensor) == KRAIT_OK; n++)
            CHECK(tensor.data == NULL);         /* nothing was left open */
        CHECK_U64(n, t->count);
        CHECK_U64(mappings(), 0);
        krait_model_close(model);
    }
    path_of(path, "model.safetensors.index.json");
    CHECK_STATUS(krait_model_open(&model, path, NULL, NULL), KRAIT_OK);
    same_model(model, t);
    krait_model_close(model);
    for (int32_t layout = 0; layout < 2; layout++) {
        krait_convert_options convert = { .size = sizeof convert, .layout = layout };

        CHECK_STATUS(krait_convert(folder, to, &convert, NULL), KRAIT_OK);
        CHECK_STATUS(krait_model_open(&model, to, NULL, NULL), KRAIT_OK);
        same_model(model, t);
        krait_model_close(model);
    }
    tiny_free(t);
}

/* READ takes the bytes of all files and of the index out of max_bytes; mapped, they are free. */
TEST(shards_in_a_budget)
{
    tiny               *t = tiny_make(&(tiny_sizes){ .layers = 1 }, 3);
    krait_open_options  options = { .size = sizeof options };
    char                index[INDEX];
    tiny_memory         memory;
    krait_model        *model = NULL;
    uint64_t            peaks[2];

    write_shards(t, index);
    write_index(index);
    for (int read = 0; read < 2; read++) {
        tiny_memory_start(&memory, 0, 0);
        options.allocator = &memory.allocator;
        options.flags = read ? KRAIT_OPEN_READ : 0;
        options.max_bytes = 0;
        CHECK_STATUS(krait_model_open(&model, folder, &options, NULL), KRAIT_OK);
        krait_model_close(model);
        peaks[read] = memory.peak;
        options.max_bytes = memory.peak;
        CHECK_STATUS(krait_model_open(&model, folder, &options, NULL), KRAIT_OK);
        krait_model_close(model);
        options.max_bytes = memory.peak - 1;
        CHECK_STATUS(krait_model_open(&model, folder, &options, NULL), KRAIT_ERR_MEMORY);
        CHECK_U64(mappings(), 0);
        CHECK(tiny_memory_end(&memory));
    }
    CHECK(peaks[1] > peaks[0] + 10000);         /* the weights have more than 10 kB */
    tiny_free(t);
}

static void refused(const char *index, krait_status status, const char *text)
{
    krait_message why = { "" };
    krait_model  *model = (krait_model *)1;

    write_index(index);
    CHECK_STATUS(krait_model_open(&model, folder, NULL, &why), status);
    CHECK(model == NULL);
    if (!strstr(why.text, text))
        CHECK_STR(why.text, text);
    CHECK_U64(mappings(), 0);
}

/* The index with every 'from' made 'to'. */
static void refused_with(const char *index, const char *from, const char *to, krait_status status, const char *text)
{
    char        changed[2 * INDEX];
    size_t      used = 0;
    const char *at = index, *next;

    test_note("%.40s -> %.40s", from, to);
    CHECK(strstr(index, from) != NULL);
    for (; (next = strstr(at, from)) != NULL; at = next + strlen(from))
        used += (size_t)snprintf(changed + used, sizeof changed - used, "%.*s%s", (int)(next - at), at, to);
    snprintf(changed + used, sizeof changed - used, "%s", at);
    refused(changed, status, text);
    test_note("%s", "");
}

/* Where a name leads is never followed: no file by these names is ever opened. */
TEST(shards_refuse_names)
{
    static const char *const names[] = {
        "../model-00001-of-00003.safetensors", "/etc/passwd.safetensors", "a/b.safetensors", "a\\\\b.safetensors",
        "..safetensors", ".safetensors", ".hidden.safetensors", "", "model-00001-of-00003.bin", "C:x.safetensors",
        "x\\u0000.safetensors", "x.safetensors\\u0000", "model.safetensors.", "./model-00001-of-00003.safetensors",
    };
    static const char first[] = "\"model-00001-of-00003.safetensors\"";
    tiny *t = tiny_make(&(tiny_sizes){ .layers = 1 }, 3);
    char  index[INDEX], name[512];

    write_shards(t, index);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "\"%s\"", names[i]);
        refused_with(index, first, name, KRAIT_ERR_FORMAT, "plain name");
    }
    memset(name, 'n', 400);
    memcpy(name, "\"", 1);
    strcpy(name + 300, ".safetensors\"");
    refused_with(index, first, name, KRAIT_ERR_FORMAT, "plain name");
    refused_with(index, first, "3", KRAIT_ERR_FORMAT, "plain name");
    refused_with(index, first, "null", KRAIT_ERR_FORMAT, "plain name");
    refused_with(index, first, "[\"x.safetensors\"]", KRAIT_ERR_FORMAT, "plain name");
    refused_with(index, first, "\"absent.safetensors\"", KRAIT_ERR_IO, "absent.safetensors");
    tiny_free(t);
}

TEST(shards_refuse_indices)
{
    tiny *t = tiny_make(&(tiny_sizes){ .layers = 1 }, 3);
    char  index[INDEX], path[512], many[256 * 1024];
    size_t used;

    write_shards(t, index);
    refused("", KRAIT_ERR_FORMAT, "safetensors.index");
    refused("[]", KRAIT_ERR_FORMAT, "weight_map");
    refused("{}", KRAIT_ERR_FORMAT, "weight_map");
    refused("{\"weight_map\": {}}", KRAIT_ERR_FORMAT, "weight_map");
    refused("{\"weight_map\": []}", KRAIT_ERR_FORMAT, "weight_map");
    /* A tensor that its file does not have; one that no file is said to have; twice; in the other file. */
    refused_with(index, "backbone.norm_f.weight", "backbone.norm_g.weight", KRAIT_ERR_FORMAT, "norm_g");
    refused_with(index, "\"backbone.norm_f.weight\": \"model-00003-of-00003.safetensors\"}", "\"x\": \"y.safetensors\"}",
                 KRAIT_ERR_FORMAT, "norm_f");
    refused_with(index, "\"weight_map\": {", "\"weight_map\": {\"backbone.norm_f.weight\": \"model-00001-of-00003.safetensors\", ",
                 KRAIT_ERR_FORMAT, "norm_f");
    refused_with(index, "\"backbone.norm_f.weight\": \"model-00003", "\"backbone.norm_f.weight\": \"model-00001",
                 KRAIT_ERR_FORMAT, "norm_f");
    refused_with(index, "backbone.norm_f.weight", "backbone.norm_f\\u0000", KRAIT_ERR_FORMAT, "NUL");
    /* One file under two tensors is opened once; 5000 files are too many. */
    used = (size_t)snprintf(many, sizeof many, "{\"weight_map\": {");
    for (int i = 0; i < 5000; i++)
        used += (size_t)snprintf(many + used, sizeof many - used, "%s\"t%d\": \"f%d.safetensors\"", i ? "," : "", i, i);
    snprintf(many + used, sizeof many - used, "}}");
    refused(many, KRAIT_ERR_UNSUPPORTED, "4096");
    /* A shard that is damaged, or no safetensors file. */
    path_of(path, "model-00002-of-00003.safetensors");
    tiny_write(path, "GGUF", 4);
    refused(index, KRAIT_ERR_FORMAT, "model-00002");
    remove(path);
    refused(index, KRAIT_ERR_IO, "model-00002");
    tiny_free(t);
}

/* The same tensor in two files: whichever the index names, the other is one too many. */
TEST(shards_refuse_duplicates)
{
    tiny          *t = tiny_make(&(tiny_sizes){ .layers = 1 }, 3), part = { .count = 0 };
    char           index[INDEX], path[512];
    unsigned char *bytes;
    size_t         count;

    write_shards(t, index);
    for (size_t i = 0; i < t->count; i++)
        if (shard_of(i) == 0 || i == 1)
            part.tensors[part.count++] = t->tensors[i];
    bytes = tiny_safetensors(&part, NULL, &count);
    path_of(path, "model-00001-of-00003.safetensors");
    tiny_write(path, bytes, count);
    free(bytes);
    refused(index, KRAIT_ERR_FORMAT, t->tensors[1].name);
    tiny_free(t);
}

/* Every allocation fails in turn: no file stays mapped, no byte is kept. */
TEST(shards_without_memory)
{
    tiny *t = tiny_make(&(tiny_sizes){ .layers = 1 }, 3);
    char  index[INDEX];

    write_shards(t, index);
    write_index(index);
    for (int32_t flags = 0; flags <= KRAIT_OPEN_READ; flags++)
        for (size_t n = 1;; n++) {
            tiny_memory        memory;
            krait_open_options options = { .size = sizeof options, .flags = flags };
            krait_message      why = { "" };
            krait_model       *model = NULL;
            krait_status       status;
            int                done;

            tiny_memory_start(&memory, n, 0);
            options.allocator = &memory.allocator;
            status = krait_model_open(&model, folder, &options, &why);
            done = memory.calls < n;
            test_note("call %zu fails", n);
            CHECK_STATUS(status, done ? KRAIT_OK : KRAIT_ERR_MEMORY);
            krait_model_close(model);
            CHECK(tiny_memory_end(&memory));
            CHECK_U64(mappings(), 0);
            if (done)
                break;
        }
    test_note("%s", "");
    tiny_free(t);
}
