/* prompt.c - prompts of ids, of text and of nothing. */
#include "cli/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/show.h"

static const char between[] = ", \t\n";

int prompt_of_ids(prompt *p, const krait_model *model, const char *ids)
{
    long  vocabulary = (long)model_number(model, KRAIT_VOCABULARY);
    char *end;

    if (!(p->tokens = malloc((strlen(ids) / 2 + 1) * sizeof *p->tokens)))
        return complain(NULL, "out of memory");
    while (*(ids += strspn(ids, between))) {
        long id = strtol(ids, &end, 10);

        if (end == ids || (*end && !strchr(between, *end)))
            return complain("--prompt-ids", "numbers with commas between are wanted");
        if (id < 0 || id >= vocabulary)
            return complain("--prompt-ids", "there is no token %ld: ids are 0 to %ld", id,
                            vocabulary - 1);
        p->tokens[p->count++] = (int32_t)id;
        ids = end;
    }
    return 0;
}

int prompt_of_text(prompt *p, const session *s, const char *text, size_t bytes, int32_t flags)
{
    const krait_tokenizer *t = s->tokenizer;
    krait_status           status = KRAIT_ERR_UNSUPPORTED;

    if (t)
        status = krait_tokenizer_encode(t, text, bytes, flags, NULL, 0, &p->count);
    if (status == KRAIT_ERR_UNSUPPORTED)
        return complain(s->path, "has no vocabulary that krait can use: give --tokenizer or --prompt-ids");
    if (status != KRAIT_OK && status != KRAIT_ERR_SPACE)
        return complain_status(s->path, status, NULL);
    if (!(p->tokens = malloc((p->count + 1) * sizeof *p->tokens)))
        return complain(NULL, "out of memory");
    status = krait_tokenizer_encode(t, text, bytes, flags, p->tokens, p->count, &p->count);
    return status == KRAIT_OK ? 0 : complain_status(s->path, status, NULL);
}

int prompt_of_file(prompt *p, const session *s, const char *file, int32_t flags)
{
    size_t bytes;
    char  *text = file_read(file, &bytes);
    int    bad = !text || prompt_of_text(p, s, text, bytes, flags);

    free(text);
    return bad;
}

int prompt_or_end(prompt *p, const session *s)
{
    int64_t end = model_number(s->model, KRAIT_END_TOKEN);

    if (p->count)
        return 0;
    free(p->tokens);
    if (!(p->tokens = malloc(sizeof *p->tokens)))
        return complain(NULL, "out of memory");
    p->tokens[0] = end >= 0 ? (int32_t)end : 0;
    p->count = 1;
    return 0;
}
