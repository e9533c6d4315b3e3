/* fail.c - messages: printf's integers and strings obey no locale. */
#include "core/fail.h"

#include <stdarg.h>
#include <string.h>

#if defined(KRAIT_MINIMAL)
#include "core/print.h"
#define fail_print kr_print
#else
#include <stdio.h>
#define fail_print vsnprintf
#endif

krait_status kr_fail(krait_message *message, krait_status status, const char *format, ...)
{
    va_list arguments;

    if (!message)
        return status;
    va_start(arguments, format);
    fail_print(message->text, sizeof message->text, format, arguments);
    va_end(arguments);
    for (char *at = message->text; *at; at++)   /* names out of files may hold a terminal's orders */
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    return status;
}

const char *kr_fail_path(const char *path)
{
    size_t length = strlen(path);

    return length > 100 ? path + length - 100 : path;
}

krait_status kr_fail_memory(krait_message *message)
{
    return kr_fail(message, KRAIT_ERR_MEMORY, "out of memory, or over the caller's max_bytes");
}
