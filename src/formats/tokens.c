/*
 * tokens.c - tokens as files write them, undone: GPT-2's characters that stand for bytes, and
 * SentencePiece's U+2581 for a space and <0xNN> for a byte.
 */
#include "formats/tokens.h"

#include <string.h>

#include "formats/package.h"

typedef struct tokens_parser {
    const kr_json *metadata;
    const char    *what;
    krait_message *message;
} tokens_parser;

static krait_status tokens_wrong(const tokens_parser *p, const char *key, const char *reason)
{
    return kr_fail(p->message, KRAIT_ERR_FORMAT, "%.96s: key \"%s\" %s", p->what, key, reason);
}

krait_status kr_tokens_find(kr_tokens_array *array, const kr_json *metadata, const char *key, uint32_t type,
                            const char *what, krait_message *message)
{
    const kr_json *node = kr_json_get(metadata, key);
    tokens_parser  p = { metadata, what, message };

    *array = (kr_tokens_array){ kr_reader_over(NULL, 0), 0 };
    if (!node)
        return KRAIT_OK;
    if (node->kind != KR_JSON_ARRAY && node->kind != KR_JSON_OPAQUE)
        return tokens_wrong(&p, key, "is no array");
    array->in = kr_reader_over(node->text, (size_t)node->integer);
    if (kr_read_u32(&array->in) != type)
        return tokens_wrong(&p, key, "has elements of another type than it should");
    array->count = (size_t)kr_read_u64(&array->in);
    return KRAIT_OK;
}

static krait_status tokens_of(const tokens_parser *p, const char *key, uint32_t type, kr_tokens_array *array)
{
    return kr_tokens_find(array, p->metadata, key, type, p->what, p->message);
}

/* The byte that a character of GPT-2's alphabet stands for, or -1. */
static int token_gpt2_byte(uint32_t c)
{
    if ((c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255))
        return (int)c;
    if (c < 256 || c > 256 + 67)
        return -1;
    c -= 256;                                   /* 0..32, 127..160 and 173, in this order */
    return c < 33 ? (int)c : c < 67 ? (int)(127 + c - 33) : 173;
}

/* The first character, of 'length' bytes, that are valid UTF-8. */
static uint32_t token_character(const char *at, size_t length)
{
    const unsigned char *u = (const unsigned char *)at;
    uint32_t             c = length == 1 ? u[0] : u[0] & (0x7fu >> length);

    for (size_t i = 1; i < length; i++)
        c = c << 6 | (u[i] & 0x3f);
    return c;
}

size_t kr_tokens_undo_gpt2(const char *text, size_t length, char *to, int *strange)
{
    size_t count = 0;

    for (size_t i = 0, n; i < length; i += n) {
        int byte;

        n = kr_json_utf8(text + i, length - i);
        byte = n ? token_gpt2_byte(token_character(text + i, n)) : -1;
        n = n ? n : 1;
        if (byte >= 0) {
            to[count++] = (char)byte;
        } else {
            memcpy(to + count, text + i, n);
            count += n;
            *strange = 1;
        }
    }
    return count;
}

static int token_hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "<0x0A>", whole: the byte, or -1. */
static int token_written_byte(const char *text, size_t length)
{
    if (length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>' || token_hex(text[3]) < 0 || token_hex(text[4]) < 0)
        return -1;
    return token_hex(text[3]) * 16 + token_hex(text[4]);
}

static size_t token_undo_pieces(const char *text, size_t length, char *to)
{
    size_t count = 0;

    for (size_t i = 0; i < length;)
        if (length - i >= 3 && memcmp(text + i, "\xe2\x96\x81", 3) == 0) {
            to[count++] = ' ';
            i += 3;
        } else {
            to[count++] = text[i++];
        }
    return count;
}

/* Special tokens are written as they are.  *type may become BYTE, or STRANGE too. */
static size_t token_undo(int gpt2, uint8_t *type, const char *text, size_t length, char *to)
{
    int    byte = gpt2 ? -1 : token_written_byte(text, length), strange = 0;
    size_t count;

    if (*type == KR_TOKENS_UNUSED)
        return 0;
    if (byte >= 0 && (*type == KR_TOKENS_BYTE || *type == KR_TOKENS_UNDEFINED)) {
        *type = KR_TOKENS_BYTE;
        *to = (char)byte;
        return 1;
    }
    if (*type != KR_TOKENS_NORMAL && *type != KR_TOKENS_UNDEFINED) {
        memcpy(to, text, length);
        return length;
    }
    if (!gpt2)
        return token_undo_pieces(text, length, to);
    count = kr_tokens_undo_gpt2(text, length, to, &strange);
    *type |= strange ? KR_TOKENS_STRANGE : 0;
    return count;
}

/* texts is of tokens, types of I32 or empty; both are at their first element. */
static krait_status tokens_undo(const tokens_parser *p, kr_tokens *tokens, kr_tokens_array *texts,
                                kr_tokens_array *types, kr_arena *arena)
{
    int      gpt2 = strcmp(tokens->model, "gpt2") == 0;
    size_t  *first = kr_arena_take(arena, tokens->count + 1, sizeof *first);
    char    *bytes = kr_arena_take(arena, kr_reader_left(&texts->in) + 1, 1);
    uint8_t *kept = kr_arena_take(arena, tokens->count + 1, 1);

    if (!first || !bytes || !kept)
        return kr_fail_memory(p->message);
    for (size_t i = 0; i < tokens->count; i++) {
        uint64_t    length = kr_read_u64(&texts->in);
        const char *text = (const char *)kr_read_bytes(&texts->in, length);
        uint32_t    type = types->count ? kr_read_u32(&types->in) : KR_TOKENS_UNDEFINED;

        if (type > KR_TOKENS_BYTE)
            return tokens_wrong(p, "tokenizer.ggml.token_type", "holds a type that is not known");
        kept[i] = (uint8_t)type;
        first[i + 1] = first[i];
        if (text)
            first[i + 1] += token_undo(gpt2, &kept[i], text, (size_t)length, bytes + first[i]);
    }
    tokens->first = first;
    tokens->bytes = bytes;
    tokens->types = kept;
    return KRAIT_OK;
}

krait_status kr_tokens_read(kr_tokens *tokens, const kr_json *metadata, size_t most, const char *what,
                            kr_arena *arena, krait_message *message)
{
    const kr_json  *model = kr_json_get(metadata, "tokenizer.ggml.model");
    tokens_parser   p = { metadata, what, message };
    kr_tokens_array texts, types, scores;
    krait_status    status;

    *tokens = (kr_tokens){ 0 };
    if (!kr_json_get(metadata, "tokenizer.ggml.tokens"))
        return KRAIT_OK;
    if (!model || model->kind != KR_JSON_TEXT)
        return tokens_wrong(&p, "tokenizer.ggml.model", "is missing or no text");
    if ((status = tokens_of(&p, "tokenizer.ggml.tokens", KR_TOKENS_TEXT, &texts)) != KRAIT_OK ||
        (status = tokens_of(&p, "tokenizer.ggml.token_type", KR_TOKENS_I32, &types)) != KRAIT_OK ||
        (status = tokens_of(&p, "tokenizer.ggml.scores", KR_TOKENS_F32, &scores)) != KRAIT_OK)
        return status;
    if ((types.count && types.count != texts.count) || (scores.count && scores.count != texts.count))
        return tokens_wrong(&p, types.count && types.count != texts.count ? "tokenizer.ggml.token_type"
                                                                          : "tokenizer.ggml.scores",
                            "is not as long as the tokens");
    if (texts.count > most)
        return kr_fail(message, KRAIT_ERR_SHAPE, "%.96s: %zu tokens, but the model has %zu", what, texts.count, most);
    tokens->model = kr_arena_text(arena, model->text, model->count);
    if (!tokens->model)
        return kr_fail_memory(message);
    tokens->count = texts.count;
    if (strcmp(tokens->model, "gpt2") != 0 && strcmp(tokens->model, "llama") != 0)
        return KRAIT_OK;
    return tokens_undo(&p, tokens, &texts, &types, arena);
}

krait_status kr_tokens_bytes(const kr_tokens *tokens, int32_t token, const char **bytes, size_t *count)
{
    if (!tokens->first)
        return KRAIT_ERR_UNSUPPORTED;
    if (token < 0 || (size_t)token >= tokens->count)
        return KRAIT_ERR_ARGUMENT;
    *bytes = tokens->bytes + tokens->first[token];
    *count = tokens->first[token + 1] - tokens->first[token];
    return KRAIT_OK;
}
