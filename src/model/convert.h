/* convert.h - any model that can be opened, written as one GGUF. */
#ifndef KR_CONVERT_H
#define KR_CONVERT_H

#include "model/model.h"

/* Can matrices be written as that type? */
int kr_convert_type(int32_t type);

/* Options are normalised and in range. */
krait_status kr_convert(const char *from, const char *to, const krait_convert_options *options,
                        krait_message *message);

#endif
