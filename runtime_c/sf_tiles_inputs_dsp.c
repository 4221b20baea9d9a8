/* SPDX-License-Identifier: Apache-2.0 */
/* Two tiles' inputs to sums and differences, two channels a word; see sf_tiles.h. The portable code
 * says what the assembly does, which keeps everything but one buffer in registers: what comes of a
 * column's four inputs waits in 192 bytes of stack until its row is complete. */
#include "sf_tiles.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

/* Places on the stack: [run of a column][even or odd channels][column], two pointers, then, behind
 * the saved registers, the last two arguments. */
#define FROM "[sp, #192]"
#define TO "[sp, #196]"
#define RUN_BYTES "[sp, #236]"
#define CHANNELS "[sp, #240]"

/* clang-format off */
/* d0 to d3 lie below each other. */
#define DOWN(d0, d1, d2, d3, at)                                                                   \
    "ssub16 " d0 ", " d0 ", " d2 "\n\t"                                                            \
    "ssub16 " d3 ", " d1 ", " d3 "\n\t"                                                            \
    "str.w " d3 ", [sp, #" at "]\n\t"                                                              \
    "str.w " d0 ", [sp, #" at "+144]\n\t"                                                          \
    "sadd16 " d0 ", " d1 ", " d2 "\n\t"                                                            \
    "ssub16 " d2 ", " d2 ", " d1 "\n\t"                                                            \
    "str.w " d2 ", [sp, #" at "+48]\n\t"                                                           \
    "str.w " d0 ", [sp, #" at "+96]\n\t"

/* r0: the column's first input; r2, r3, lr: bytes to the right, down, three down. */
#define COLUMN(at)                                                                                 \
    "ldr.w r4, [r0]\n\t"                                                                           \
    "ldr.w r5, [r0, r3]\n\t"                                                                       \
    "ldr.w r6, [r0, r3, lsl #1]\n\t"                                                               \
    "ldr.w r7, [r0, lr]\n\t"                                                                       \
    "add r0, r0, r2\n\t"                                                                           \
    "sxtb16 r8, r4\n\t"                                                                            \
    "sxtb16 r9, r5\n\t"                                                                            \
    "sxtb16 r10, r6\n\t"                                                                           \
    "sxtb16 r11, r7\n\t"                                                                           \
    DOWN("r8", "r9", "r10", "r11", at)                                                             \
    "sxtb16 r4, r4, ror #8\n\t"                                                                    \
    "sxtb16 r5, r5, ror #8\n\t"                                                                    \
    "sxtb16 r6, r6, ror #8\n\t"                                                                    \
    "sxtb16 r7, r7, ror #8\n\t"                                                                    \
    DOWN("r4", "r5", "r6", "r7", at "+24")

/* r0: six in a row; r1: where the data of the first run of these goes; r12: bytes to the next. */
#define ALONG(at)                                                                                  \
    "ldmia r0!, {r4-r9}\n\t"                                                                       \
    "ssub16 r4, r4, r6\n\t"                                                                        \
    "ssub16 r10, r6, r8\n\t"                                                                       \
    "str.w r4, [r1, #" at "]\n\t"                                                                  \
    "str.w r10, [r1, #" at "+4]\n\t"                                                               \
    "add r11, r1, r12\n\t"                                                                         \
    "sadd16 r4, r5, r6\n\t"                                                                        \
    "sadd16 r10, r7, r8\n\t"                                                                       \
    "str.w r4, [r11, #" at "]\n\t"                                                                 \
    "str.w r10, [r11, #" at "+4]\n\t"                                                              \
    "add r11, r11, r12\n\t"                                                                        \
    "ssub16 r6, r6, r5\n\t"                                                                        \
    "ssub16 r8, r8, r7\n\t"                                                                        \
    "str.w r6, [r11, #" at "]\n\t"                                                                 \
    "str.w r8, [r11, #" at "+4]\n\t"                                                               \
    "add r11, r11, r12\n\t"                                                                        \
    "ssub16 r5, r5, r7\n\t"                                                                        \
    "ssub16 r7, r7, r9\n\t"                                                                        \
    "str.w r5, [r11, #" at "]\n\t"                                                                 \
    "str.w r7, [r11, #" at "+4]\n\t"

#define BOTH_ALONG                                                                                 \
    ALONG("0")                                                                                     \
    ALONG("8")                                                                                     \
    "add r1, r1, r12, lsr #2\n\t"

__attribute__((naked)) void sf_tiles_inputs(__attribute__((unused)) const int8_t *from,
                                            __attribute__((unused)) uint32_t *to,
                                            __attribute__((unused)) int32_t step,
                                            __attribute__((unused)) int32_t row,
                                            __attribute__((unused)) uint32_t run_bytes,
                                            __attribute__((unused)) int32_t channels) {
    __asm volatile(
        "push {r4-r11, lr}\n\t"
        "sub sp, sp, #200\n\t"
        "ldr r12, " RUN_BYTES "\n\t"
        "lsl r12, r12, #2\n\t"
        "add lr, r3, r3, lsl #1\n\t"
        "1:\n\t"
        "str r0, " FROM "\n\t"
        "str r1, " TO "\n\t"
        COLUMN("0") COLUMN("4") COLUMN("8") COLUMN("12") COLUMN("16") COLUMN("20")
        "mov r0, sp\n\t"
        "2:\n\t"
        BOTH_ALONG
        BOTH_ALONG
        "add r11, sp, #192\n\t"
        "cmp r0, r11\n\t"
        "bne.w 2b\n\t"
        "ldr r0, " FROM "\n\t"
        "ldr r1, " TO "\n\t"
        "ldr r4, " CHANNELS "\n\t"
        "adds r0, #4\n\t"
        "adds r1, #16\n\t"
        "subs r4, #4\n\t"
        "str r4, " CHANNELS "\n\t"
        "bgt.w 1b\n\t"
        "add sp, sp, #200\n\t"
        "pop {r4-r11, pc}\n\t"
    );
}

/* clang-format on */

#else

/* d: inputs below each other, two channels of each; to: their part of a column's runs, each
 * SF_TILES_WIDE behind the one before. */
static void down(uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3, uint32_t *to) {
    to[0] = sf_ssub16(d1, d3);
    to[SF_TILES_WIDE] = sf_ssub16(d2, d1);
    to[2 * SF_TILES_WIDE] = sf_sadd16(d1, d2);
    to[3 * SF_TILES_WIDE] = sf_ssub16(d0, d2);
}

/* The same along a row, for both tiles, to the data of four columns, `apart` words apart. */
static void along(const uint32_t d[SF_TILES_WIDE], uint32_t *to, uint32_t apart) {
    for (uint32_t tile = 0; tile < 2; tile++, d += 2) {
        to[tile] = sf_ssub16(d[0], d[2]);
        to[apart + tile] = sf_sadd16(d[1], d[2]);
        to[2 * apart + tile] = sf_ssub16(d[2], d[1]);
        to[3 * apart + tile] = sf_ssub16(d[1], d[3]);
    }
}

void sf_tiles_inputs(const int8_t *from, uint32_t *to, int32_t step, int32_t row,
                     uint32_t run_bytes, int32_t channels) {
    const uint32_t run = run_bytes / 4;
    for (; channels > 0; channels -= 4, from += 4, to += 4) {
        uint32_t even[4 * SF_TILES_WIDE], odd[4 * SF_TILES_WIDE];
        for (int32_t j = 0; j < SF_TILES_WIDE; j++) {
            uint32_t d[SF_TILES_HIGH];
            for (int32_t i = 0; i < SF_TILES_HIGH; i++) {
                d[i] = sf_load32(from + i * row + j * step);
            }
            down(sf_sxtb16(d[0]), sf_sxtb16(d[1]), sf_sxtb16(d[2]), sf_sxtb16(d[3]), even + j);
            down(sf_sxtb16_ror8(d[0]), sf_sxtb16_ror8(d[1]), sf_sxtb16_ror8(d[2]),
                 sf_sxtb16_ror8(d[3]), odd + j);
        }
        for (uint32_t i = 0; i < 4; i++) {
            along(even + i * SF_TILES_WIDE, to + i * run, 4 * run);
            along(odd + i * SF_TILES_WIDE, to + i * run + 2, 4 * run);
        }
    }
}

#endif
