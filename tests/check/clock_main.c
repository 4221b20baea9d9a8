/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the model once on inputs.bin and writes how far the core's own timer (SysTick) went down
 * meanwhile, as a uint32. Under QEMU's -icount shift=0 an instruction takes 1 ns of it. */
#include <stdint.h>

#include "sf_model.h"

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };
enum { MODE_RB = 1, MODE_WB = 5, APPLICATION_EXIT = 0x20026, FAILED = 1 };

/* Armv7-M Architecture Reference Manual, B3.3: control (1 = on, 4 = core's clock), reload, count.
 */
#define TIMER ((volatile uint32_t *)0xE000E010u)
#define TIMER_MASK 0xFFFFFFu

static _Alignas(8) uint8_t sf_arena[SF_MODEL_ARENA_BYTES];

static int32_t semihost(int32_t operation, uintptr_t a, uintptr_t b, uintptr_t c) {
    const uintptr_t block[3] = {a, b, c};
    register int32_t r0 __asm("r0") = operation;
    register const uintptr_t *r1 __asm("r1") = block;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void finish(uint32_t status) {
    semihost(SYS_EXIT_EXTENDED, APPLICATION_EXIT, status, 0);
    for (;;) {
    }
}

#define READ(input, bytes) \
    (void)semihost(SYS_READ, (uintptr_t)in, (uintptr_t)input(sf_arena), bytes);

int main(void) {
    const int32_t in = semihost(SYS_OPEN, (uintptr_t) "inputs.bin", MODE_RB, 10);
    const int32_t out = semihost(SYS_OPEN, (uintptr_t) "outputs.bin", MODE_WB, 11);
    sf_model_reset(sf_arena);
    SF_MODEL_EACH_INPUT(READ);
    TIMER[1] = TIMER_MASK;
    TIMER[2] = 0;
    TIMER[0] = 5;
    const uint32_t before = TIMER[2];
    const sf_status status = sf_model_run(sf_arena);
    const uint32_t ticks = (before - TIMER[2]) & TIMER_MASK;
    semihost(SYS_WRITE, (uintptr_t)out, (uintptr_t)&ticks, sizeof ticks);
    finish(status == SF_OK ? 0 : FAILED);
}
