/* SPDX-License-Identifier: Apache-2.0 */
/* Files and exit over semihosting: what the images here need of the computer that runs them.
 * Semihosting for AArch32 and AArch64, Arm, release 3.0. */
#ifndef SF_SEMIHOST_H
#define SF_SEMIHOST_H

#include <stdint.h>

/* Operations, open modes "rb" and "wb", the reason that takes an exit status. */
enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_WRITE = 0x05, SYS_READ = 0x06 };
enum { SYS_EXIT_EXTENDED = 0x20, MODE_RB = 1, MODE_WB = 5, APPLICATION_EXIT = 0x20026 };

/* The operation's argument is a number or an address. */
static inline int32_t semihost_call(int32_t operation, uintptr_t argument) {
    register int32_t r0 __asm("r0") = operation;
    register uintptr_t r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* For operations whose argument is a block of three, each a number or an address. */
static inline int32_t semihost(int32_t operation, uintptr_t a, uintptr_t b, uintptr_t c) {
    const uintptr_t block[3] = {a, b, c};
    return semihost_call(operation, (uintptr_t)block);
}

static inline void finish(uint32_t status) {
    (void)semihost(SYS_EXIT_EXTENDED, APPLICATION_EXIT, status, 0);
    for (;;) {
    }
}

#endif
