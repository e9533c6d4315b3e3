/* cpu.h - what this CPU can run, asked of the CPU itself and of the system's saved registers. */
#ifndef KR_CPU_H
#define KR_CPU_H

int kr_cpu_has_avx2(void);      /* AVX2, FMA, F16C */
int kr_cpu_has_avx512(void);    /* F, BW, DQ, VL, VNNI beside the above */
int kr_cpu_has_avx512_bf16(void);       /* the above and products of bfloat16 pairs */
int kr_cpu_has_neon(void);      /* every AArch64 */
int kr_cpu_has_neon_dot(void);  /* dot products of 8-bit integers; known on Linux alone */

#endif
