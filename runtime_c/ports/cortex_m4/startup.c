/* SPDX-License-Identifier: Apache-2.0 */
/* From reset to main: vector table, floating point unit, .data, .bss, painted stack. */
#include <stdint.h>

/* Addresses set by link.ld; only the addresses mean something. */
extern uint32_t __data_load[], __data_start[], __data_end[];
extern uint32_t __bss_start[], __bss_end[];
extern uint32_t __stack_start[], __stack_end[];

int main(void);
void Reset_Handler(void);
void Fault_Handler(void);

struct vectors {
    uint32_t *stack;
    void (*handler[15])(void);
};

/* Armv7-M Architecture Reference Manual, B1.5.3: entry 0 is the stack, 1 reset, 4 to 15 the
 * system's. */
__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    __stack_end,
    {Reset_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, 0, 0,
     0, 0, Fault_Handler, Fault_Handler, 0, Fault_Handler, Fault_Handler},
};

/* A firmware replaces this with what it wants done after a fault. */
__attribute__((weak)) void Fault_Handler(void) {
    for (;;) {
    }
}

/* Volatile, so that the compiler does not turn the loops into calls to memset. */
static inline void fill(volatile uint32_t *at, const uint32_t *end, uint32_t value) {
    while (at < end) {
        *at++ = value;
    }
}

void Reset_Handler(void) {
#ifdef __ARM_FP
    /* CPACR: full access to coprocessors 10 and 11, before the first floating point instruction. */
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
    __asm volatile("dsb\n\tisb" ::: "memory");
#endif
    const uint32_t *from = __data_load;
    for (volatile uint32_t *to = __data_start; to < __data_end;) {
        *to++ = *from++;
    }
    fill(__bss_start, __bss_end, 0);
    /* What is still painted after a run has never been used: the stack's high-water mark. */
    const uint32_t *stack_pointer;
    __asm volatile("mov %0, sp" : "=r"(stack_pointer));
    fill(__stack_start, stack_pointer, 0xC5C5C5C5u);
    main();
    Fault_Handler();
}
