#include "support/vocabulary.h"

#include <stdio.h>
#include <string.h>

/* The byte in GPT-2's alphabet, as UTF-8. */
static const char *letter(unsigned byte, char text[4])
{
    unsigned extra = 0, c = byte;

    if (!((byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae)) {
        for (unsigned b = 0; b < byte; b++)
            extra += !((b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae);
        c = 256 + extra;
    }
    snprintf(text, 4, "%c%c", c < 0x80 ? (int)c : (int)(0xc0 | c >> 6), c < 0x80 ? 0 : (int)(0x80 | (c & 0x3f)));
    return text;
}

static const char *const wholes[] = { "he", "ll", "hell", "\xc4\xa0w" };
static const char *const merges_of[] = { "h e", "l l", "he ll", "\xc4\xa0 w" };

static const char *or_else(const char *given, const char *usual)
{
    return given ? given : usual;
}

bytes vocabulary_json_make(const vocabulary_json *parts)
{
    static const vocabulary_json usual = { 0 };
    const vocabulary_json *p = parts ? parts : &usual;
    bytes                  b = { 0 };
    char                   text[64], c[4];

    bytes_text(&b, "{\"version\":\"1.0\",\"added_tokens\":");
    bytes_text(&b, or_else(p->added, "[{\"id\":260,\"content\":\"<|end|>\",\"special\":true,\"normalized\":false},"
                                     "{\"id\":261,\"content\":\"   \",\"special\":false,\"normalized\":true}]"));
    bytes_text(&b, ",\"normalizer\":");
    bytes_text(&b, or_else(p->normalizer, "{\"type\":\"NFC\"}"));
    bytes_text(&b, ",\"pre_tokenizer\":");
    bytes_text(&b, or_else(p->pre_tokenizer, "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"));
    bytes_text(&b, ",\"post_processor\":");
    bytes_text(&b, or_else(p->post_processor, "null"));
    bytes_text(&b, ",\"decoder\":");
    bytes_text(&b, or_else(p->decoder, "{\"type\":\"ByteLevel\"}"));
    bytes_text(&b, ",\"model\":{\"type\":\"BPE\",");
    bytes_text(&b, or_else(p->options, "\"dropout\":null"));
    bytes_text(&b, ",\"vocab\":{");
    for (unsigned i = 0; i < 256 && !p->tokens; i++) {
        letter(i, c);
        snprintf(text, sizeof text, "\"%s%s\":%u,", c[0] == '"' || c[0] == '\\' ? "\\" : "", c, i);
        bytes_text(&b, text);
    }
    bytes_text(&b, or_else(p->tokens, "\"he\":256,\"ll\":257,\"hell\":258,\"\xc4\xa0w\":259"));
    bytes_text(&b, "},\"merges\":");
    bytes_text(&b, or_else(p->merges, "[\"h e\",\"l l\",\"he ll\",\"\xc4\xa0 w\"]"));
    bytes_text(&b, "}}");
    return b;
}

void vocabulary_text(bytes *b, const char *text)
{
    bytes_u64(b, strlen(text));
    bytes_text(b, text);
}

void vocabulary_key(bytes *b, const char *key, uint32_t type)
{
    vocabulary_text(b, key);
    bytes_u32(b, type);
}

void vocabulary_array(bytes *b, const char *key, uint32_t type, size_t count)
{
    vocabulary_key(b, key, 9);
    bytes_u32(b, type);
    bytes_u64(b, count);
}

bytes vocabulary_gguf_make(const char *pre, const bytes *keys, size_t n, int merges)
{
    bytes b = { 0 };
    char  c[4];

    bytes_text(&b, "GGUF");
    bytes_u32(&b, 3);
    bytes_u64(&b, 0);
    bytes_u64(&b, n + 3 + (pre != NULL) + (merges != 0));
    if (n)
        bytes_add(&b, keys->at, keys->count);
    vocabulary_key(&b, "tokenizer.ggml.model", 8);
    vocabulary_text(&b, "gpt2");
    if (pre) {
        vocabulary_key(&b, "tokenizer.ggml.pre", 8);
        vocabulary_text(&b, pre);
    }
    vocabulary_array(&b, "tokenizer.ggml.tokens", 8, VOCABULARY_COUNT);
    for (unsigned i = 0; i < 256; i++)
        vocabulary_text(&b, letter(i, c));
    for (unsigned i = 0; i < 4; i++)
        vocabulary_text(&b, wholes[i]);
    vocabulary_text(&b, "<|end|>");
    vocabulary_text(&b, "   ");
    vocabulary_array(&b, "tokenizer.ggml.token_type", 5, VOCABULARY_COUNT);
    for (unsigned i = 0; i < VOCABULARY_COUNT; i++)
        bytes_u32(&b, i < 260 ? 1 : i == 260 ? 3 : 4);
    if (merges) {
        vocabulary_array(&b, "tokenizer.ggml.merges", 8, 4);
        for (unsigned i = 0; i < 4; i++)
            vocabulary_text(&b, merges_of[i]);
    }
    return b;
}
