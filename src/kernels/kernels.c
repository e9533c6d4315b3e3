/* kernels.c - which tables there are, and which this CPU runs. */
#include "kernels/kernels.h"

#include <string.h>

#include "core/cpu.h"
#include "kernels/fast.h"

/* NULL where the compiler's target is another machine. */
#define KR_ISA(name, has) const kr_kernels *kr_kernels_##name(void);
#include "kernels/isa.def"
#undef KR_ISA

const kr_kernels *kr_kernels_named(const char *name)
{
#define KR_ISA(isa, has) \
    if (strcmp(name, #isa) == 0) \
        return has ? kr_kernels_##isa() : NULL;
#include "kernels/isa.def"
#undef KR_ISA
    return strcmp(name, kr_kernels_plain.name) == 0 ? &kr_kernels_plain : NULL;
}

const kr_kernels *kr_kernels_best(void)
{
#define KR_ISA(isa, has) \
    if (has && kr_kernels_##isa()) \
        return kr_kernels_##isa();
#include "kernels/isa.def"
#undef KR_ISA
    return &kr_kernels_plain;
}

const kr_kernels *kr_kernels_fast(void)
{
    return kr_cpu_has_avx512_bf16() && kr_fast_avx512_bf16() ? kr_fast_avx512_bf16() : kr_kernels_best();
}
