/* neon.c - the kernel table for AArch64. */
#include "core/real.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "kernels/times.h"

#if defined(__aarch64__) && defined(__GNUC__) && !KR_BIG_ENDIAN

#include <arm_neon.h>

#define KR_NAME(name) name##_neon
#include "kernels/words_neon.h"
#include "kernels/template.h"

static const kr_kernels table_neon = KR_TABLE("neon");

#include "kernels/words_end.h"

const kr_kernels *kr_kernels_neon(void);
const kr_kernels *kr_kernels_neon(void) { return &table_neon; }

#else

const kr_kernels *kr_kernels_neon(void);
const kr_kernels *kr_kernels_neon(void) { return NULL; }

#endif
