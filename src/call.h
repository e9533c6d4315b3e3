/*
 * call.h - what the public functions share: a caller's options and messages.
 */
#ifndef KR_CALL_H
#define KR_CALL_H

#include <string.h>

#include "core/build.h"
#include "krait.h"

/*
 * A caller's struct of 'size' bytes (the first field) over defaults of zero.  One from a newer
 * header is taken if what this library does not know is zero.
 */
KR_INLINE krait_status kr_call_options(void *ours, size_t known, const void *theirs)
{
    size_t size;

    memset(ours, 0, known);
    if (!theirs)
        return KRAIT_OK;
    memcpy(&size, theirs, sizeof size);
    if (size < sizeof size)
        return KRAIT_ERR_ARGUMENT;
    for (size_t i = known; i < size; i++)
        if (((const unsigned char *)theirs)[i])
            return KRAIT_ERR_ARGUMENT;
    memcpy(ours, theirs, size < known ? size : known);
    return KRAIT_OK;
}

KR_INLINE void kr_call_clear(krait_message *message)
{
    if (message)
        message->text[0] = '\0';
}

#endif
