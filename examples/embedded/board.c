/*
 * board.c - a Cortex-M of Arm's MPS2 boards as QEMU has them: the vectors, the start, and a debugger's
 * console (semihosting).  A board of your own has its own.
 */
#include <stdint.h>

#include "embedded.h"

extern uint32_t board_stack[], board_stack_end[], board_bss[], board_bss_end[];
extern uint32_t board_data[], board_data_end[], board_data_load[];

enum {
    STACK_PAINT = 0x5a5a5a5a,
    SEMIHOSTING_WRITE0 = 4, SEMIHOSTING_EXIT = 0x18,
    EXIT_DONE = 0x20026, EXIT_FAILED = 0x20023
};

static void semihosting(uint32_t order, uint32_t argument)
{
    register uint32_t r0 __asm__("r0") = order;
    register uint32_t r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void say(const char *text)
{
    semihosting(SEMIHOSTING_WRITE0, (uint32_t)(uintptr_t)text);
}

size_t stack_used(void)
{
    const uint32_t *lowest = board_stack;

    while (lowest < board_stack_end && *lowest == STACK_PAINT)
        lowest++;
    return (size_t)(board_stack_end - lowest) * sizeof *lowest;
}

static void __attribute__((noreturn)) board_exit(uint32_t how)
{
    for (;;)
        semihosting(SEMIHOSTING_EXIT, how);
}

static void __attribute__((noreturn)) fault(void)
{
    say("a fault\n");
    board_exit(EXIT_FAILED);
}

static void __attribute__((noreturn, noinline)) start(void)
{
    for (uint32_t *at = board_bss; at < board_bss_end; at++)
        *at = 0;
    for (uint32_t *at = board_data, *from = board_data_load; at < board_data_end; at++, from++)
        *at = *from;
    board_exit(embedded_main() == 0 ? EXIT_DONE : EXIT_FAILED);
}

/* Before the first function with a frame: the stack is painted, and the floating-point unit is on. */
void board_reset(void);
void __attribute__((noreturn, naked)) board_reset(void)
{
    __asm__ volatile("ldr r0, =board_stack\n"
                     "ldr r1, =board_stack_end\n"
                     "ldr r2, =0x5a5a5a5a\n"
                     "1: str r2, [r0], #4\n"
                     "cmp r0, r1\n"
                     "blo 1b\n"
#if defined(__ARM_FP)
                     "ldr r0, =0xe000ed88\n"            /* CPACR: CP10 and CP11 */
                     "ldr r1, [r0]\n"
                     "orr r1, r1, #0x00f00000\n"
                     "str r1, [r0]\n"
                     "dsb\n"
                     "isb\n"
#endif
                     "b %c0" : : "i"(start));
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void    (*handlers[15])(void);
} vectors = {
    board_stack_end, { board_reset, fault, fault, fault, fault, fault, fault, fault, fault, fault,
                       fault, fault, fault, fault, fault }
};
