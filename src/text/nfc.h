/*
 * nfc.h - Unicode's normal form C: composed characters, marks in their order.
 *
 * Source: Unicode Standard Annex #15.  Bytes that are no UTF-8 stay as they are.
 */
#ifndef KR_NFC_H
#define KR_NFC_H

#include "core/memory.h"

typedef struct kr_nfc {
    const char *text;           /* the text given, if it is in the form already */
    size_t      bytes;
    void       *block;          /* else what it lies in */
    size_t      room;
} kr_nfc;

/*
 * KRAIT_ERR_MEMORY is the only failure.  Most text costs one pass and no memory; otherwise memory
 * is at most 3 * bytes and 32 bytes for each character of the longest run of marks.  Work grows as
 * the bytes do, whatever they are.
 */
krait_status kr_nfc_make(kr_nfc *nfc, const char *text, size_t bytes, kr_memory *memory);
void         kr_nfc_free(kr_nfc *nfc, kr_memory *memory);

#endif
