/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the place of a firmware's main: runs the self-test of the model "net" and keeps what it
 * prints. An emulator calls sf_test_run; a whole board writes the text to outputs.bin. */
#include <stdint.h>

#include "net_selftest.h"

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_EXIT_EXTENDED = 0x20 };
enum { MODE_WB = 5, APPLICATION_EXIT = 0x20026, TEXT_BYTES = 512 };

static _Alignas(8) uint8_t sf_arena[NET_ARENA_BYTES];
static char said[TEXT_BYTES];
static uint32_t length;

static void say(const char *text) {
    for (; *text != 0 && length + 1 < TEXT_BYTES; text++) {
        said[length] = *text;
        length++;
    }
}

sf_status sf_test_run(void *arena);
sf_status sf_test_run(void *arena) {
    return net_selftest(arena, say) == 0 ? SF_OK : SF_ERROR_NULL;
}

const char *sf_test_said(const void *arena);
const char *sf_test_said(const void *arena) {
    (void)arena;
    return said;
}

static int32_t semihost(int32_t operation, uintptr_t a, uintptr_t b, uintptr_t c) {
    const uintptr_t block[3] = {a, b, c};
    register int32_t r0 __asm("r0") = operation;
    register const uintptr_t *r1 __asm("r1") = block;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* For the emulator to call; the volatile pointers keep them in the image. */
static sf_status (*volatile run)(void *) = sf_test_run;
static const char *(*volatile said_at)(const void *) = sf_test_said;

int main(void) {
    const int32_t out = semihost(SYS_OPEN, (uintptr_t) "outputs.bin", MODE_WB, 11);
    const sf_status status = run(sf_arena);
    semihost(SYS_WRITE, (uintptr_t)out, (uintptr_t)said_at(sf_arena), TEXT_BYTES);
    semihost(SYS_EXIT_EXTENDED, APPLICATION_EXIT, (uintptr_t)status, 0);
    for (;;) {
    }
}
