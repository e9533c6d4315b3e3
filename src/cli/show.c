/* show.c - complaints, sizes and safe text. */
#include "cli/show.h"

#include <stdarg.h>
#include <string.h>

int complain(const char *about, const char *format, ...)
{
    va_list arguments;
    char    text[1024];

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fflush(stdout);
    fputs("krait: ", stderr);
    if (about) {
        show_text(stderr, about, strlen(about), 0);
        fputs(": ", stderr);
    }
    show_text(stderr, text, strlen(text), 0);
    fputc('\n', stderr);
    return 1;
}

int complain_status(const char *about, krait_status status, const krait_message *message)
{
    const char *text = krait_status_text(status);

    if (message && message->text[0])
        text = message->text;
    if (about && strncmp(text, about, strlen(about)) == 0)
        about = NULL;           /* it names the file itself */
    return complain(about, "%s", text);
}

static const char *scaled(double value, const char *suffix)
{
    static const char *const units[] = { "", "k", "M", "G", "T", "P", "E" };
    static char              texts[4][32];
    static int               next;
    char                    *text = texts[next++ % 4];
    size_t                   unit = 0;

    while (value >= 999.5 && unit < 6) {
        value /= 1000;
        unit++;
    }
    snprintf(text, sizeof texts[0], "%.*f %s%s",
             unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value, units[unit],
             suffix);
    if (!units[unit][0] && !suffix[0])
        text[strlen(text) - 1] = '\0';
    return text;
}

const char *show_count(uint64_t count)
{
    return scaled((double)count, "");
}

const char *show_bytes(uint64_t bytes)
{
    return scaled((double)bytes, "B");
}

/* The bytes of the character of UTF-8 that text begins with; 0 if it begins with none. */
static size_t character(const unsigned char *text, size_t count)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char         lead = text[0];
    size_t                size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    uint32_t              code = size > 1 ? lead & (0x7fu >> size) : lead;
    size_t                i;

    if (size > count)
        return 0;
    for (i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    if (size > 1 && (code < least[size] || code > 0x10ffff || (code >> 11) == 0x1b))
        return 0;
    return size;
}

void show_text(FILE *out, const char *text, size_t count, size_t most)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t               i = 0;

    while (i < count) {
        size_t size = character(p + i, count - i);
        int    control = p[i] < 0x20 || p[i] == 0x7f
                         || (size == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0);

        if (most && i + (size ? size : 1) > most) {
            fputs("...", out);
            return;
        }
        if (size && !control) {
            fwrite(p + i, 1, size, out);
            i += size;
        } else if (p[i] == '\n') {
            fputs("\\n", out);
            i++;
        } else {
            fprintf(out, "\\x%02x", (unsigned)p[i++]);
        }
    }
}

void show_json(FILE *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t               left = strlen(text);

    fputc('"', out);
    while (left > 0) {
        size_t size = character(p, left);

        if (size == 0)
            fputs("\\ufffd", out);
        else if (*p < 0x20 || *p == 0x7f)
            fprintf(out, "\\u%04x", (unsigned)*p);
        else {
            if (*p == '"' || *p == '\\')
                fputc('\\', out);
            fwrite(p, 1, size, out);
        }
        size = size ? size : 1;
        p += size;
        left -= size;
    }
    fputc('"', out);
}
