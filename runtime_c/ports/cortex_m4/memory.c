/* SPDX-License-Identifier: Apache-2.0 */
/* What the compiler may call although the program never names it; the linker drops what is not
 * called. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);

/* Any address: ARMv7-M loads unaligned words in hardware, on ARMv6-M the compiler splits them. */
typedef uint32_t word __attribute__((aligned(1), may_alias));

/* The empty assembly keeps the compiler from seeing a memcpy or memset in the loop and calling
 * itself. */
#define KEEP_LOOP() __asm volatile("" ::: "memory")

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    uint8_t *out = to;
    const uint8_t *in = from;
    for (; count >= 4; count -= 4, out += 4, in += 4) {
        *(word *)out = *(const word *)in;
        KEEP_LOOP();
    }
    for (; count > 0; count--) {
        *out++ = *in++;
        KEEP_LOOP();
    }
    return to;
}

void *memmove(void *to, const void *from, size_t count) {
    if ((uintptr_t)to - (uintptr_t)from >= count) {
        return memcpy(to, from, count);
    }
    while (count > 0) {
        count--;
        ((uint8_t *)to)[count] = ((const uint8_t *)from)[count];
        KEEP_LOOP();
    }
    return to;
}

void *memset(void *to, int value, size_t count) {
    uint8_t *out = to;
    const uint32_t four = (uint8_t)value * 0x01010101u;
    for (; count >= 4; count -= 4, out += 4) {
        *(word *)out = four;
        KEEP_LOOP();
    }
    for (; count > 0; count--) {
        *out++ = (uint8_t)value;
        KEEP_LOOP();
    }
    return to;
}
