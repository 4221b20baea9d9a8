/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the 3x3 depthwise convolution: the outputs of one channel's strip, a few
 * columns wide, from a buffer of int16 that has that strip's inputs; and what fills the buffer.
 * Private to the kernels. */
#ifndef SF_STRIPS_H
#define SF_STRIPS_H

#include "sf_dsp.h"

/* Words in a row of the buffer: 6 outputs side by side reach 8 inputs, or 13 with stride 2. */
enum { SF_STRIP_WORDS = 4, SF_STRIP_WORDS_2 = 7 };

/* Without SIGNED out_zero_point is -128, which a sum below 0 gives however it is rounded. The
 * columns of a strip are 6 without SF_STRIP_5, which goes with a stride_width of 1 only. */
enum { SF_STRIP_SIGNED = 256, SF_STRIP_5 = 1 << 17, SF_STRIP_STRIDE_2 = 1 << 18 };

/* The assembly reads it as words, in this order. Bytes: out_step, row_step from output to output
 * and from row to row; span from the first window to that behind the last one's, which lie a stride
 * of buffer rows apart. offset: 2 * out_zero_point + 1. */
typedef struct sf_strip {
    int32_t flags, out_step, row_step, span, offset;
} sf_strip;

/* How inputs come into the buffers: so many rows of the input, two neighbouring channels. Bytes
 * from pixel to pixel, from row to row, and from row to row of the buffers; what padding is. */
typedef struct sf_widening {
    int32_t channels, step, row, rows, padding;
} sf_widening;

/* A column of the input, or one pixel of padding: then its step is 0. */
typedef struct sf_column {
    const int8_t *from;
    int32_t step;
} sf_column;

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

#define SF_NAKED __attribute__((naked, noinline, unused))
#define SF_UNUSED __attribute__((unused))

/* r0: window; r1, r2: weights; r3-r6: inputs; r7-r12: sums; lr: output. Weights and parameters lie
 * on the stack, so that no register has to point to them; weights doubled, as the bias is, which
 * saves each output an instruction when it is requantized. At 24: right, bias, multiplier,
 * out_step, row_step, end, offset. */
#define SF_STRIP_ENTER                  \
    "push {r4-r11, lr}\n\t"             \
    "ldm r1, {r4-r8}\n\t"               \
    "ldm r0, {r0, r9-r11, lr}\n\t"      \
    "lsr r1, r8, #24\n\t"               \
    "lsl lr, lr, r1\n\t"                \
    "orr r0, r0, r1\n\t"                \
    "add r11, r11, r2\n\t"              \
    "push {r0, r4, r5, r9-r11, lr}\n\t" \
    "sxtb16 r4, r6\n\t"                 \
    "sxtb16 r5, r6, ror #8\n\t"         \
    "sxtb16 r6, r7\n\t"                 \
    "sxtb16 r7, r7, ror #8\n\t"         \
    "sxtb16 r9, r8\n\t"                 \
    "sxtb16 r10, r8, ror #8\n\t"        \
    "pkhbt r8, r9, r10, lsl #16\n\t"    \
    "pkhbt r9, r10, r9\n\t"             \
    "sadd16 r4, r4, r4\n\t"             \
    "sadd16 r5, r5, r5\n\t"             \
    "sadd16 r6, r6, r6\n\t"             \
    "sadd16 r7, r7, r7\n\t"             \
    "sadd16 r8, r8, r8\n\t"             \
    "sadd16 r9, r9, r9\n\t"             \
    "push {r4-r9}\n\t"                  \
    "lsls r1, r0, #14\n\t"              \
    "mov r0, r2\n\t"                    \
    "mov lr, r3\n\t"                    \
    "bmi 5f\n\t"                        \
    "bcs 6f\n"

#define SF_STRIP_LOADS(w0, w1, x0, x1, x2, x3) \
    "ldr r1, [sp, #" w0 "]\n\t"                \
    "ldr r2, [sp, #" w1 "]\n\t"                \
    "ldr r3, [r0, #" x0 "]\n\t"                \
    "ldr r4, [r0, #" x1 "]\n\t"                \
    "ldr r5, [r0, #" x2 "]\n\t"                \
    "ldr r6, [r0, #" x3 "]\n\t"

/* Two sums from the words a and b; f, g: what they start from. */
#define SF_STRIP_PAIR(s, f, t, g, a, b)  \
    "smlad " s ", r1, " a ", " f "\n\t"  \
    "smlatb " s ", r2, " b ", " s "\n\t" \
    "smlabt " t ", r1, " a ", " g "\n\t" \
    "smlad " t ", r2, " b ", " t "\n\t"

/* One sum, where the next one starts a word later. */
#define SF_STRIP_ONE(s, f, a, b)        \
    "smlad " s ", r1, " a ", " f "\n\t" \
    "smlatb " s ", r2, " b ", " s "\n\t"

#define SF_STRIP_PARAMETERS \
    "ldr r1, [sp, #32]\n\t" \
    "ldr r2, [sp, #48]\n\t" \
    "ldr r3, [sp, #24]\n\t" \
    "ldr r4, [sp, #36]\n\t" \
    "ldr r5, [sp, #44]\n\t" \
    "ldr r6, [sp, #40]\n\t" \
    "tst r3, #256\n\t"      \
    "bne 3f\n\t"

#define SF_STRIP_SCALE(s) "smmlar " s ", " s ", r1, r2\n\t"

#define SF_STRIP_SCALE_SIGNED(s)           \
    "smmulr " s ", " s ", r1\n\t"          \
    "add " s ", " s ", " s ", asr #31\n\t" \
    "add " s ", r2\n\t"

#define SF_STRIP_STORE(s, to)           \
    "asr " s ", r3\n\t"                 \
    "ssat " s ", #8, " s ", asr #1\n\t" \
    "strb " s ", [" to "]\n\t"

#define SF_STRIP_FOUR              \
    SF_STRIP_STORE("r7", "lr")     \
    SF_STRIP_STORE("r8", "lr, r4") \
    "add r1, lr, r4, lsl #1\n\t" SF_STRIP_STORE("r9", "r1") SF_STRIP_STORE("r10", "r1, r4")

#define SF_STRIP_NEXT(step) \
    "add lr, r6\n\t"        \
    "add r0, #" step "\n\t" \
    "cmp r0, r5\n\t"        \
    "bne 1b\n\t"            \
    "add sp, #52\n\t"       \
    "pop {r4-r11, pc}\n\t"

#define SF_STRIP_ROW_6(f7, f8, f9, f10, f11)        \
    SF_STRIP_PAIR("r7", f7, "r8", f8, "r3", "r4")   \
    SF_STRIP_PAIR("r9", f9, "r10", f10, "r4", "r5") \
    SF_STRIP_PAIR("r11", f11, "r12", "r12", "r5", "r6")

#define SF_STRIP_ROW_5(f7, f8, f9, f10)             \
    SF_STRIP_PAIR("r7", f7, "r8", f8, "r3", "r4")   \
    SF_STRIP_PAIR("r9", f9, "r10", f10, "r4", "r5") \
    SF_STRIP_ONE("r11", "r11", "r5", "r6")

#define SF_STRIP_ROW_2(f7, f8, f9, f10, f11, x4, x5, x6)             \
    SF_STRIP_ONE("r7", f7, "r3", "r4")                               \
    SF_STRIP_ONE("r8", f8, "r4", "r5")                               \
    SF_STRIP_ONE("r9", f9, "r5", "r6")                               \
    "ldr r3, [r0, #" x4 "]\n\t"                                      \
    "ldr r4, [r0, #" x5 "]\n\t"                                      \
    "ldr r5, [r0, #" x6 "]\n\t" SF_STRIP_ONE("r10", f10, "r6", "r3") \
        SF_STRIP_ONE("r11", f11, "r3", "r4") SF_STRIP_ONE("r12", "r12", "r4", "r5")

#define SF_STRIP_FINISH_6(step)                                                                    \
    SF_STRIP_PARAMETERS SF_STRIP_SCALE("r7") SF_STRIP_SCALE("r8") SF_STRIP_SCALE("r9")             \
        SF_STRIP_SCALE("r10") SF_STRIP_SCALE("r11") SF_STRIP_SCALE(                                \
            "r12") "2:\n\t" SF_STRIP_FOUR "add r1, r1, r4, lsl #1\n\t" SF_STRIP_STORE("r11", "r1") \
            SF_STRIP_STORE("r12", "r1, r4")                                                        \
                SF_STRIP_NEXT(step) "3:\n\t" SF_STRIP_SCALE_SIGNED("r7")                           \
                    SF_STRIP_SCALE_SIGNED("r8") SF_STRIP_SCALE_SIGNED("r9")                        \
                        SF_STRIP_SCALE_SIGNED("r10") SF_STRIP_SCALE_SIGNED("r11")                  \
                            SF_STRIP_SCALE_SIGNED("r12") "b 2b\n"

#define SF_STRIP_FINISH_5                                                                        \
    SF_STRIP_PARAMETERS SF_STRIP_SCALE("r7") SF_STRIP_SCALE("r8") SF_STRIP_SCALE("r9")           \
        SF_STRIP_SCALE("r10")                                                                    \
            SF_STRIP_SCALE("r11") "2:\n\t" SF_STRIP_FOUR SF_STRIP_STORE("r11", "r1, r4, lsl #1") \
                SF_STRIP_NEXT("16") "3:\n\t" SF_STRIP_SCALE_SIGNED("r7")                         \
                    SF_STRIP_SCALE_SIGNED("r8") SF_STRIP_SCALE_SIGNED("r9")                      \
                        SF_STRIP_SCALE_SIGNED("r10") SF_STRIP_SCALE_SIGNED("r11") "b 2b\n"

#define SF_STRIP_BODY_6                                                          \
    "1:\n\tldr r12, [sp, #28]\n\t" SF_STRIP_LOADS("0", "4", "0", "4", "8", "12") \
        SF_STRIP_ROW_6("r12", "r12", "r12", "r12", "r12")                        \
            SF_STRIP_LOADS("8", "12", "16", "20", "24", "28")                    \
                SF_STRIP_ROW_6("r7", "r8", "r9", "r10", "r11")                   \
                    SF_STRIP_LOADS("16", "20", "32", "36", "40", "44")           \
                        SF_STRIP_ROW_6("r7", "r8", "r9", "r10", "r11") SF_STRIP_FINISH_6("16")

#define SF_STRIP_BODY_5                                                          \
    "1:\n\tldr r11, [sp, #28]\n\t" SF_STRIP_LOADS("0", "4", "0", "4", "8", "12") \
        SF_STRIP_ROW_5("r11", "r11", "r11", "r11")                               \
            SF_STRIP_LOADS("8", "12", "16", "20", "24", "28")                    \
                SF_STRIP_ROW_5("r7", "r8", "r9", "r10")                          \
                    SF_STRIP_LOADS("16", "20", "32", "36", "40", "44")           \
                        SF_STRIP_ROW_5("r7", "r8", "r9", "r10") SF_STRIP_FINISH_5

#define SF_STRIP_BODY_6_STRIDE_2                                                         \
    "1:\n\tldr r12, [sp, #28]\n\t" SF_STRIP_LOADS("0", "4", "0", "4", "8", "12")         \
        SF_STRIP_ROW_2("r12", "r12", "r12", "r12", "r12", "16", "20", "24")              \
            SF_STRIP_LOADS("8", "12", "28", "32", "36", "40")                            \
                SF_STRIP_ROW_2("r7", "r8", "r9", "r10", "r11", "44", "48", "52")         \
                    SF_STRIP_LOADS("16", "20", "56", "60", "64", "68")                   \
                        SF_STRIP_ROW_2("r7", "r8", "r9", "r10", "r11", "72", "76", "80") \
                            SF_STRIP_FINISH_6("56")

/* See the portable twin. */
SF_NAKED static void sf_run_strip(const sf_strip *strip SF_UNUSED, const int32_t *record SF_UNUSED,
                                  const int16_t *window SF_UNUSED, int8_t *out SF_UNUSED) {
    __asm volatile(SF_STRIP_ENTER SF_STRIP_BODY_6 "5:\n\t" SF_STRIP_BODY_5
                                                  "6:\n\t" SF_STRIP_BODY_6_STRIDE_2);
}

/* See the portable twin. */
SF_NAKED static void sf_widen_columns(const sf_column *two SF_UNUSED, int16_t *first SF_UNUSED,
                                      int16_t *second SF_UNUSED,
                                      const sf_widening *widening SF_UNUSED) {
    __asm volatile("push {r4-r11, lr}\n\t"
                   "ldrd r6, r7, [r3, #8]\n\t"
                   "mov r3, r2\n\t"
                   "mov r2, r1\n\t"
                   "ldrd r1, r5, [r0, #8]\n\t"
                   "ldrd r0, r4, [r0]\n\t"
                   "subs r7, #2\n\t"
                   "blt 2f\n"
                   "1:\n\t"
                   "ldrh r8, [r0]\n\t"
                   "ldrh r9, [r1]\n\t"
                   "ldrh r10, [r0, r4]\n\t"
                   "ldrh r11, [r1, r5]\n\t"
                   "orr r8, r8, r9, lsl #16\n\t"
                   "orr r10, r10, r11, lsl #16\n\t"
                   "sxtb16 r9, r8\n\t"
                   "sxtb16 r8, r8, ror #8\n\t"
                   "sxtb16 r11, r10\n\t"
                   "sxtb16 r10, r10, ror #8\n\t"
                   "str r9, [r2]\n\t"
                   "str r11, [r2, r6]\n\t"
                   "str r8, [r3]\n\t"
                   "str r10, [r3, r6]\n\t"
                   "add r0, r0, r4, lsl #1\n\t"
                   "add r1, r1, r5, lsl #1\n\t"
                   "add r2, r2, r6, lsl #1\n\t"
                   "add r3, r3, r6, lsl #1\n\t"
                   "subs r7, #2\n\t"
                   "bge 1b\n"
                   "2:\n\t"
                   "adds r7, #1\n\t"
                   "bne 3f\n\t"
                   "ldrh r8, [r0]\n\t"
                   "ldrh r9, [r1]\n\t"
                   "orr r8, r8, r9, lsl #16\n\t"
                   "sxtb16 r9, r8\n\t"
                   "sxtb16 r8, r8, ror #8\n\t"
                   "str r9, [r2]\n\t"
                   "str r8, [r3]\n"
                   "3:\n\t"
                   "pop {r4-r11, pc}\n\t");
}

#define SF_WIDEN_ENTER        \
    "push {r4-r11, lr}\n\t"   \
    "ldm r3, {r3-r6, r8}\n\t" \
    "add r7, r3, r3, lsl #1\n\t"

/* Two pixels a and b of two channels to a word of each; `at`: bytes into the rows. */
#define SF_WIDEN_PAIR(a, b, at)            \
    "orr " a ", " a ", " b ", lsl #16\n\t" \
    "sxtb16 " b ", " a "\n\t"              \
    "sxtb16 " a ", " a ", ror #8\n\t"      \
    "str " b ", [r1, #" at "]\n\t"         \
    "str " a ", [r2, #" at "]\n\t"

#define SF_WIDEN_NEXT \
    "add r0, r4\n\t"  \
    "add r1, r5\n\t"  \
    "add r2, r5\n\t"  \
    "subs r6, #1\n\t" \
    "bgt 1b\n\t"      \
    "pop {r4-r11, pc}\n\t"

/* See the portable twin. */
SF_NAKED static void sf_widen_six(const int8_t *from SF_UNUSED, int16_t *first SF_UNUSED,
                                  int16_t *second SF_UNUSED,
                                  const sf_widening *widening SF_UNUSED) {
    __asm volatile(SF_WIDEN_ENTER
                   "add r8, r3, r3, lsl #2\n"
                   "1:\n\t"
                   "ldrh r9, [r0]\n\t"
                   "ldrh r10, [r0, r3]\n\t"
                   "ldrh r11, [r0, r3, lsl #1]\n\t"
                   "ldrh r12, [r0, r7]\n\t"
                   "ldrh lr, [r0, r3, lsl #2]\n\t" SF_WIDEN_PAIR("r9", "r10", "0") SF_WIDEN_PAIR(
                       "r11", "r12", "4") "ldrh r9, [r0, r8]\n\t" SF_WIDEN_PAIR("lr", "r9", "8")
                       SF_WIDEN_NEXT);
}

/* See the portable twin. */
SF_NAKED static void sf_widen_edge(const int8_t *from SF_UNUSED, int16_t *first SF_UNUSED,
                                   int16_t *second SF_UNUSED,
                                   const sf_widening *widening SF_UNUSED) {
    __asm volatile(SF_WIDEN_ENTER
                   "1:\n\t"
                   "ldrh r9, [r0, r3]\n\t"
                   "ldrh r10, [r0, r3, lsl #1]\n\t"
                   "ldrh r11, [r0, r7]\n\t"
                   "ldrh r12, [r0, r3, lsl #2]\n\t"
                   "ldrh lr, [r0]\n\t" SF_WIDEN_PAIR("r9", "r10", "4")
                       SF_WIDEN_PAIR("r11", "r12", "8") "sxtb r9, lr\n\t"
                                                        "sxtb r10, lr, ror #8\n\t"
                                                        "pkhbt r9, r8, r9, lsl #16\n\t"
                                                        "pkhbt r10, r8, r10, lsl #16\n\t"
                                                        "str r9, [r1]\n\t"
                                                        "str r10, [r2]\n\t" SF_WIDEN_NEXT);
}

#else

/* As many outputs of every row as `flags` says; record: the channel's of sf_depthwise_3x3_params;
 * window: the first row's inputs. */
static inline void sf_run_strip(const sf_strip *strip, const int32_t *record, const int16_t *window,
                                int8_t *out) {
    const int8_t *k = (const int8_t *)(record + 2);
    const int8_t weights[9] = {k[0], k[1], k[3], k[4], k[5], k[7], k[8], k[9], k[10]};
    const int32_t offset = (int32_t)((uint32_t)strip->offset << k[11]);
    const int32_t sign = strip->flags & SF_STRIP_SIGNED ? -1 : 0;
    const int32_t outputs = strip->flags & SF_STRIP_5 ? 5 : 6;
    const int32_t stride = strip->flags & SF_STRIP_STRIDE_2 ? 2 : 1;
    const int32_t row = 2 * (stride == 2 ? SF_STRIP_WORDS_2 : SF_STRIP_WORDS);
    const int16_t *const end = window + (strip->span >> 1);
    for (; window < end; window += stride * row, out += strip->row_step) {
        for (int32_t x = 0; x < outputs; x++) {
            const int16_t *from = window + x * stride;
            int32_t sum = record[0];
            for (const int8_t *w = weights; w < weights + 9; w += 3, from += row) {
                sum += 2 * (w[0] * from[0] + w[1] * from[1] + w[2] * from[2]);
            }
            const int32_t y = sf_smmulr(sum, record[1]);
            const int32_t value = (y + ((y >> 31) & sign) + offset) >> k[11];
            out[x * strip->out_step] = (int8_t)sf_ssat8(value >> 1);
        }
    }
}

/* Two columns of two neighbouring channels, side by side, to words of first and second. */
static inline void sf_widen_columns(const sf_column *two, int16_t *first, int16_t *second,
                                    const sf_widening *widening) {
    const int8_t *a = two[0].from, *b = two[1].from;
    for (int32_t rows = widening->rows; rows > 0; rows--) {
        first[0] = a[0];
        first[1] = b[0];
        second[0] = a[1];
        second[1] = b[1];
        a += two[0].step;
        b += two[1].step;
        first += widening->row >> 1;
        second += widening->row >> 1;
    }
}

/* Six columns that lie in the plane, from `from` on. */
static inline void sf_widen_six(const int8_t *from, int16_t *first, int16_t *second,
                                const sf_widening *widening) {
    for (int32_t i = 0; i < 6; i += 2, from += 2 * widening->channels) {
        const sf_column two[2] = {{from, widening->step},
                                  {from + widening->channels, widening->step}};
        sf_widen_columns(two, first + i, second + i, widening);
    }
}

/* One column of padding, then five that lie in the plane from `from` on. */
static inline void sf_widen_edge(const int8_t *from, int16_t *first, int16_t *second,
                                 const sf_widening *widening) {
    const int8_t outside[2] = {(int8_t)widening->padding, (int8_t)widening->padding};
    sf_column two[2] = {{outside, 0}, {from, widening->step}};
    for (int32_t i = 0; i < 6; i += 2) {
        sf_widen_columns(two, first + i, second + i, widening);
        two[0].from = two[1].from + widening->channels;
        two[0].step = widening->step;
        two[1].from = two[0].from + widening->channels;
    }
}

#endif

#endif
