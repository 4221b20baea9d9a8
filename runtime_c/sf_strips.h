/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loop of the 3x3 depthwise convolution: one channel's strip, a few neighbouring outputs
 * of every row, from a buffer of int16 whose rows are that strip's inputs. Private to the kernels.
 *
 * Weights and bias are doubled, which saves each output an instruction when it is requantized. */
#ifndef SF_STRIPS_H
#define SF_STRIPS_H

#include "sf_dsp.h"

/* Words in a row of the buffer: 6 outputs side by side reach 8 inputs, or 13 with stride 2. */
enum { SF_STRIP_WORDS = 4, SF_STRIP_WORDS_2 = 7, SF_STRIP_NEEDS_SIGN = 256 };

typedef struct sf_strip {
    uint32_t w[6];      /* of each row the taps (0, 1) and (1, 2) */
    int32_t bias;
    int32_t multiplier;
    int32_t offset;
    int32_t right;      /* and SF_STRIP_NEEDS_SIGN where out_zero_point is above -128 */
    int32_t out_step;   /* bytes from output to output, from row to row; from window to window */
    int32_t row_step;
    int32_t in_step;
    const int16_t *end; /* where the window after the last row's would start */
} sf_strip;

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

#define SF_NAKED __attribute__((naked, noinline, unused))
#define SF_UNUSED __attribute__((unused))

/* r0: window; r1, r2: weights; r3-r6: inputs; r7-r12: sums; lr: output. The struct is copied to
 * the stack, so that no register has to point to it. */
#define SF_STRIP_ENTER                                                                             \
    "push {r4-r11, lr}\n\t"                                                                        \
    "sub sp, #56\n\t"                                                                              \
    "mov lr, r2\n\t"                                                                               \
    "mov r12, sp\n\t"                                                                              \
    "ldm r0!, {r3-r9}\n\t"                                                                         \
    "stm r12!, {r3-r9}\n\t"                                                                        \
    "ldm r0, {r3-r9}\n\t"                                                                          \
    "stm r12, {r3-r9}\n\t"                                                                         \
    "mov r0, r1\n"

#define SF_STRIP_LOADS(w0, w1, x0, x1, x2, x3)                                                     \
    "ldr r1, [sp, #" w0 "]\n\t"                                                                    \
    "ldr r2, [sp, #" w1 "]\n\t"                                                                    \
    "ldr r3, [r0, #" x0 "]\n\t"                                                                    \
    "ldr r4, [r0, #" x1 "]\n\t"                                                                    \
    "ldr r5, [r0, #" x2 "]\n\t"                                                                    \
    "ldr r6, [r0, #" x3 "]\n\t"

/* Two sums from the words a and b; f, g: what they start from. */
#define SF_STRIP_PAIR(s, f, t, g, a, b)                                                            \
    "smlad " s ", r1, " a ", " f "\n\t"                                                            \
    "smlatb " s ", r2, " b ", " s "\n\t"                                                           \
    "smlabt " t ", r1, " a ", " g "\n\t"                                                           \
    "smlad " t ", r2, " b ", " t "\n\t"

/* One sum, where the next one starts a word later. */
#define SF_STRIP_ONE(s, f, a, b)                                                                   \
    "smlad " s ", r1, " a ", " f "\n\t"                                                            \
    "smlatb " s ", r2, " b ", " s "\n\t"

#define SF_STRIP_PARAMETERS                                                                        \
    "ldr r1, [sp, #28]\n\t"                                                                        \
    "ldr r2, [sp, #32]\n\t"                                                                        \
    "ldr r3, [sp, #36]\n\t"                                                                        \
    "ldr r4, [sp, #40]\n\t"                                                                        \
    "ldr r6, [sp, #44]\n\t"                                                                        \
    "lsls r5, r3, #23\n\t"                                                                         \
    "bmi 3f\n\t"

#define SF_STRIP_SCALE(s) "smmlar " s ", " s ", r1, r2\n\t"

#define SF_STRIP_SCALE_SIGNED(s)                                                                   \
    "smmulr " s ", " s ", r1\n\t"                                                                  \
    "add " s ", " s ", " s ", asr #31\n\t"                                                         \
    "add " s ", r2\n\t"

#define SF_STRIP_STORE(s, to)                                                                      \
    "asr " s ", r3\n\t"                                                                            \
    "ssat " s ", #8, " s "\n\t"                                                                    \
    "strb " s ", [" to "]\n\t"

#define SF_STRIP_FOUR                                                                              \
    SF_STRIP_STORE("r7", "lr")                                                                     \
    SF_STRIP_STORE("r8", "lr, r4")                                                                 \
    "add r5, lr, r4, lsl #1\n\t" SF_STRIP_STORE("r9", "r5") SF_STRIP_STORE("r10", "r5, r4")

#define SF_STRIP_NEXT                                                                              \
    "add lr, r6\n\t"                                                                               \
    "ldr r1, [sp, #48]\n\t"                                                                        \
    "ldr r2, [sp, #52]\n\t"                                                                        \
    "add r0, r1\n\t"                                                                               \
    "cmp r0, r2\n\t"                                                                               \
    "bne 1b\n\t"                                                                                   \
    "add sp, #56\n\t"                                                                              \
    "pop {r4-r11, pc}\n"

#define SF_STRIP_ROW_6(f7, f8, f9, f10, f11)                                                       \
    SF_STRIP_PAIR("r7", f7, "r8", f8, "r3", "r4")                                                  \
    SF_STRIP_PAIR("r9", f9, "r10", f10, "r4", "r5")                                                \
    SF_STRIP_PAIR("r11", f11, "r12", "r12", "r5", "r6")

#define SF_STRIP_ROW_5(f7, f8, f9, f10)                                                            \
    SF_STRIP_PAIR("r7", f7, "r8", f8, "r3", "r4")                                                  \
    SF_STRIP_PAIR("r9", f9, "r10", f10, "r4", "r5")                                                \
    SF_STRIP_ONE("r11", "r11", "r5", "r6")

#define SF_STRIP_ROW_2(f7, f8, f9, f10, f11, x4, x5, x6)                                           \
    SF_STRIP_ONE("r7", f7, "r3", "r4")                                                             \
    SF_STRIP_ONE("r8", f8, "r4", "r5")                                                             \
    SF_STRIP_ONE("r9", f9, "r5", "r6")                                                             \
    "ldr r3, [r0, #" x4 "]\n\t"                                                                    \
    "ldr r4, [r0, #" x5 "]\n\t"                                                                    \
    "ldr r5, [r0, #" x6 "]\n\t" SF_STRIP_ONE("r10", f10, "r6", "r3")                               \
        SF_STRIP_ONE("r11", f11, "r3", "r4") SF_STRIP_ONE("r12", "r12", "r4", "r5")

#define SF_STRIP_FINISH_6                                                                          \
    SF_STRIP_PARAMETERS                                                                            \
    SF_STRIP_SCALE("r7")                                                                           \
    SF_STRIP_SCALE("r8")                                                                           \
    SF_STRIP_SCALE("r9") SF_STRIP_SCALE("r10") SF_STRIP_SCALE("r11") SF_STRIP_SCALE("r12") "2:\n\t"      \
    SF_STRIP_FOUR "add r5, r5, r4, lsl #1\n\t" SF_STRIP_STORE("r11", "r5")                         \
        SF_STRIP_STORE("r12", "r5, r4") SF_STRIP_NEXT "3:\n\t" SF_STRIP_SCALE_SIGNED("r7")         \
            SF_STRIP_SCALE_SIGNED("r8") SF_STRIP_SCALE_SIGNED("r9") SF_STRIP_SCALE_SIGNED("r10")   \
                SF_STRIP_SCALE_SIGNED("r11") SF_STRIP_SCALE_SIGNED("r12") "b 2b\n"

/* See the portable twin. */
SF_NAKED static void
sf_strip_6(const sf_strip *strip SF_UNUSED, const int16_t *window SF_UNUSED, int8_t *out SF_UNUSED) {
    __asm volatile(SF_STRIP_ENTER
                   "1:\n\tldr r12, [sp, #24]\n\t" SF_STRIP_LOADS("0", "4", "0", "4", "8", "12")
                       SF_STRIP_ROW_6("r12", "r12", "r12", "r12", "r12")
                           SF_STRIP_LOADS("8", "12", "16", "20", "24", "28")
                               SF_STRIP_ROW_6("r7", "r8", "r9", "r10", "r11")
                                   SF_STRIP_LOADS("16", "20", "32", "36", "40", "44")
                                       SF_STRIP_ROW_6("r7", "r8", "r9", "r10", "r11")
                                           SF_STRIP_FINISH_6);
}

SF_NAKED static void
sf_strip_5(const sf_strip *strip SF_UNUSED, const int16_t *window SF_UNUSED, int8_t *out SF_UNUSED) {
    __asm volatile(
        SF_STRIP_ENTER "1:\n\tldr r11, [sp, #24]\n\t" SF_STRIP_LOADS("0", "4", "0", "4", "8", "12")
            SF_STRIP_ROW_5("r11", "r11", "r11", "r11")
                SF_STRIP_LOADS("8", "12", "16", "20", "24", "28")
                    SF_STRIP_ROW_5("r7", "r8", "r9", "r10")
                        SF_STRIP_LOADS("16", "20", "32", "36", "40", "44")
                            SF_STRIP_ROW_5("r7", "r8", "r9", "r10") SF_STRIP_PARAMETERS
                                SF_STRIP_SCALE("r7") SF_STRIP_SCALE("r8") SF_STRIP_SCALE("r9")
                                    SF_STRIP_SCALE("r10") SF_STRIP_SCALE("r11") "2:\n\t"
        SF_STRIP_FOUR SF_STRIP_STORE("r11", "r5, r4, lsl #1") SF_STRIP_NEXT "3:\n\t"
            SF_STRIP_SCALE_SIGNED("r7") SF_STRIP_SCALE_SIGNED("r8") SF_STRIP_SCALE_SIGNED("r9")
                SF_STRIP_SCALE_SIGNED("r10") SF_STRIP_SCALE_SIGNED("r11") "b 2b\n");
}

SF_NAKED static void
sf_strip_6_stride_2(const sf_strip *strip SF_UNUSED, const int16_t *window SF_UNUSED, int8_t *out SF_UNUSED) {
    __asm volatile(
        SF_STRIP_ENTER "1:\n\tldr r12, [sp, #24]\n\t" SF_STRIP_LOADS("0", "4", "0", "4", "8", "12")
            SF_STRIP_ROW_2("r12", "r12", "r12", "r12", "r12", "16", "20", "24")
                SF_STRIP_LOADS("8", "12", "28", "32", "36", "40")
                    SF_STRIP_ROW_2("r7", "r8", "r9", "r10", "r11", "44", "48", "52")
                        SF_STRIP_LOADS("16", "20", "56", "60", "64", "68")
                            SF_STRIP_ROW_2("r7", "r8", "r9", "r10", "r11", "72", "76", "80")
                                SF_STRIP_FINISH_6);
}

#else

static inline void sf_strip_any(const sf_strip *strip, const int16_t *window, int8_t *out,
                                int32_t outputs, int32_t stride, int32_t row) {
    const int32_t right = strip->right & (SF_STRIP_NEEDS_SIGN - 1);
    const int32_t sign = strip->right >= SF_STRIP_NEEDS_SIGN ? -1 : 0;
    for (; window != strip->end; window += strip->in_step / 2, out += strip->row_step) {
        for (int32_t x = 0; x < outputs; x++) {
            int32_t sum = strip->bias;
            for (int32_t i = 0; i < 3; i++) {
                const int16_t *from = window + i * row + x * stride;
                sum = sf_smlad(strip->w[2 * i], sf_load32(from), sum);
                sum += sf_high_half(strip->w[2 * i + 1]) * from[2];
            }
            const int32_t y = sf_smmulr(sum, strip->multiplier);
            const int32_t value = (y + ((y >> 31) & sign) + strip->offset) >> right;
            out[x * strip->out_step] = (int8_t)sf_ssat8(value);
        }
    }
}

/* So many outputs of every row; window: the first row's inputs. */
static inline void sf_strip_6(const sf_strip *strip, const int16_t *window, int8_t *out) {
    sf_strip_any(strip, window, out, 6, 1, 2 * SF_STRIP_WORDS);
}

static inline void sf_strip_5(const sf_strip *strip, const int16_t *window, int8_t *out) {
    sf_strip_any(strip, window, out, 5, 1, 2 * SF_STRIP_WORDS);
}

static inline void sf_strip_6_stride_2(const sf_strip *strip, const int16_t *window, int8_t *out) {
    sf_strip_any(strip, window, out, 6, 2, 2 * SF_STRIP_WORDS_2);
}

#endif

#endif
