/* SPDX-License-Identifier: Apache-2.0 */
/* See sf_pairs.h. In assembly, as all fourteen registers are taken: eight sums, two pointers, two
 * words of weights, two of pixels. 15 cycles for 16 multiplications.
 *
 * r0: pixels, then records; r1: weights, then zero_point_twice. What else is needed waits in the
 * FPU's registers, or on the stack where there is none. */
#include "sf_pairs.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

/* Places in sf_pairs. */
#define FIRST_TURN "0"
#define LAST_TURN "1"
#define WEIGHTS "2"
#define RECORDS "3"
#define RECORDS_END "4"
#define OUT_0 "5"
#define OUT_1 "6"
#define ZERO_POINT "7"
#define ADVANCE "8"
#define ENTRY "9"

#if defined(__ARM_FP)
#define GET(to, place) "vmov " to ", s" place "\n\t"
#define PUT(from, place) "vmov s" place ", " from "\n\t"
#define FETCH "vldmia r0, {s0-s9}\n\t"
#define RELEASE
#else
#define GET(to, place) "ldr " to ", [sp, #4*" place "]\n\t"
#define PUT(from, place) "str " from ", [sp, #4*" place "]\n\t"
#define FETCH "ldmia r0, {r1-r10}\n\tpush {r1-r10}\n\t"
#define RELEASE "add sp, sp, #40\n\t"
#endif

/* code_bytes: of one step. Forward to the label 1: the loop. */
/* clang-format off */
#define BEGIN(code_bytes)                                                                          \
    "push {r4-r11, lr}\n\t"                                                                        \
    FETCH                                                                                          \
    GET("r12", ENTRY)                                                                              \
    "mov r10, #" code_bytes "\n\t"                                                                 \
    "adr.w r11, 1f\n\t"                                                                            \
    "mla r11, r12, r10, r11\n\t"                                                                   \
    "orr r11, r11, #1\n\t"                                                                         \
    PUT("r11", ENTRY)

#define ENTER                                                                                      \
    GET("r1", WEIGHTS)                                                                             \
    GET("r10", ADVANCE)                                                                            \
    GET("r0", FIRST_TURN)                                                                          \
    "add r1, r1, r10\n\t"                                                                          \
    GET("r10", ENTRY)

#define END_OF_LOOP                                                                                \
    GET("r10", LAST_TURN)                                                                                \
    "cmp r0, r10\n\t"                                                                              \
    "bne.w 1b\n\t"

#define RETURN RELEASE "pop {r4-r11, pc}\n\t"

/* Both channels of a pair for both pixels: sums to outputs. raw: of the words as they are. */
#define SUMS(load, raw_0, raw_1, low_0, low_1, shift_a, shift_b, ROUND)                                  \
    "ldm r0!, {" load "r11, r12}\n\t"                                                               \
    "uxtb lr, r10" shift_a "\n\t"                                                                  \
    "sub " raw_0 ", " raw_0 ", " low_0 "\n\t"                                                      \
    "sub " raw_1 ", " raw_1 ", " low_1 "\n\t"                                                      \
    "add " raw_0 ", r11, " raw_0 ", asr #7\n\t"                                                    \
    "add " raw_1 ", r11, " raw_1 ", asr #7\n\t"                                                    \
    ROUND(raw_0, raw_1)                                                                            \
    "ldm r0!, {r11, r12}\n\t"                                                                      \
    "uxtb lr, r10" shift_b "\n\t"                                                                  \
    "add " low_0 ", r11, " low_0 ", lsl #1\n\t"                                                    \
    "add " low_1 ", r11, " low_1 ", lsl #1\n\t"                                                    \
    ROUND(low_0, low_1)

/* Both roundings. Where the zero_point is -128 a negative sum ends there however it is rounded. */
#define ROUND_FROM_LOWEST(x, y)         \
    "lsl r11, r1, lr\n\t"               \
    "smmlar " x ", " x ", r12, r11\n\t" \
    "smmlar " y ", " y ", r12, r11\n\t" SATURATE(x, y)

#define ROUND_SIGNED(x, y)                 \
    "lsl r11, r1, lr\n\t"                  \
    "smmulr " x ", " x ", r12\n\t"         \
    "smmulr " y ", " y ", r12\n\t"         \
    "add " x ", " x ", " x ", asr #31\n\t" \
    "add " y ", " y ", " y ", asr #31\n\t" \
    "add " x ", " x ", r11\n\t"            \
    "add " y ", " y ", r11\n\t" SATURATE(x, y)

#define SATURATE(x, y)                  \
    "asr " x ", " x ", lr\n\t"          \
    "asr " y ", " y ", lr\n\t"          \
    "ssat " x ", #8, " x ", asr #1\n\t" \
    "ssat " y ", #8, " y ", asr #1\n\t"

/* The first step of a turn moves the pointers on. */
#define STEP_FOUR(first, at)                                                                       \
    "ldr.w r10, [r1, #" first "\n\t"                                                               \
    "ldr.w r11, [r1, #" at "+4]\n\t"                                                               \
    "ldr.w r12, [r0, #" first "\n\t"                                                               \
    "ldr.w lr, [r0, #" at "+4]\n\t"                                                                \
    "smlad r2, r10, r12, r2\n\t"                                                                   \
    "smlad r3, r10, lr, r3\n\t"                                                                    \
    "sxtb16 r10, r10\n\t"                                                                          \
    "smlad r6, r11, r12, r6\n\t"                                                                   \
    "smlad r7, r11, lr, r7\n\t"                                                                    \
    "sxtb16 r11, r11\n\t"                                                                          \
    "smlad r4, r10, r12, r4\n\t"                                                                   \
    "smlad r5, r10, lr, r5\n\t"                                                                    \
    "smlad r8, r11, r12, r8\n\t"                                                                   \
    "smlad r9, r11, lr, r9\n\t"
#define NEXT_FOUR(at) STEP_FOUR(at "]", at)

#define FINISH_FOUR(ROUND)                              \
    SUMS("r10, ", "r2", "r3", "r4", "r5", "", ", ror #8", ROUND) \
    SUMS("", "r6", "r7", "r8", "r9", ", ror #16", ", ror #24", ROUND)

__attribute__((naked)) void sf_pairs_four(__attribute__((unused)) const sf_pairs *job) {
    __asm volatile(
        BEGIN("56")
        "2:\n\t"
        ENTER
        "movs r2, #0\n\t"
        "movs r3, #0\n\t"
        "movs r4, #0\n\t"
        "movs r5, #0\n\t"
        "movs r6, #0\n\t"
        "movs r7, #0\n\t"
        "mov r8, #0\n\t"
        "mov r9, #0\n\t"
        "bx r10\n\t"
        ".balign 4\n\t"
        "1:\n\t"
        STEP_FOUR("128]!", "0") NEXT_FOUR("8") NEXT_FOUR("16") NEXT_FOUR("24")
        NEXT_FOUR("32") NEXT_FOUR("40") NEXT_FOUR("48") NEXT_FOUR("56")
        NEXT_FOUR("64") NEXT_FOUR("72") NEXT_FOUR("80") NEXT_FOUR("88")
        NEXT_FOUR("96") NEXT_FOUR("104") NEXT_FOUR("112") NEXT_FOUR("120")
        END_OF_LOOP
        PUT("r1", WEIGHTS)
        GET("r0", RECORDS)
        GET("r1", ZERO_POINT)
        "cmn r1, #255\n\t"
        "bne.w 3f\n\t"
        FINISH_FOUR(ROUND_FROM_LOWEST)
        "4:\n\t"
        PUT("r0", RECORDS)
        GET("r10", RECORDS_END)
        GET("r11", OUT_0)
        GET("r12", OUT_1)
        "strb r2, [r11], #4\n\t"
        "strb r4, [r11, #-3]\n\t"
        "strb r6, [r11, #-2]\n\t"
        "strb r8, [r11, #-1]\n\t"
        "strb r3, [r12], #4\n\t"
        "strb r5, [r12, #-3]\n\t"
        "strb r7, [r12, #-2]\n\t"
        "strb r9, [r12, #-1]\n\t"
        PUT("r11", OUT_0)
        PUT("r12", OUT_1)
        "cmp r0, r10\n\t"
        "bne.w 2b\n\t"
        RETURN
        "3:\n\t"
        FINISH_FOUR(ROUND_SIGNED)
        "b.w 4b\n\t"
    );
}

#define STEP_TWO(first_weight, first, at)                                                          \
    "ldr.w r10, [r1, #" first_weight "\n\t"                                                        \
    "ldr.w r12, [r0, #" first "\n\t"                                                               \
    "ldr.w lr, [r0, #" at "+4]\n\t"                                                                \
    "smlad r2, r10, r12, r2\n\t"                                                                   \
    "smlad r3, r10, lr, r3\n\t"                                                                    \
    "sxtb16 r10, r10\n\t"                                                                          \
    "smlad r4, r10, r12, r4\n\t"                                                                   \
    "smlad r5, r10, lr, r5\n\t"
#define NEXT_TWO(at) STEP_TWO(at "/2]", at "]", at)

__attribute__((naked)) void sf_pairs_two(__attribute__((unused)) const sf_pairs *job) {
    __asm volatile(
        BEGIN("32")
        ENTER
        "movs r2, #0\n\t"
        "movs r3, #0\n\t"
        "movs r4, #0\n\t"
        "movs r5, #0\n\t"
        "bx r10\n\t"
        ".balign 4\n\t"
        "1:\n\t"
        STEP_TWO("32]!", "64]!", "0") NEXT_TWO("8") NEXT_TWO("16") NEXT_TWO("24")
        NEXT_TWO("32") NEXT_TWO("40") NEXT_TWO("48") NEXT_TWO("56")
        END_OF_LOOP
        GET("r0", RECORDS)
        GET("r1", ZERO_POINT)
        "cmn r1, #255\n\t"
        "bne.w 3f\n\t"
        SUMS("r10, ", "r2", "r3", "r4", "r5", "", ", ror #8", ROUND_FROM_LOWEST)
        "b.w 4f\n\t"
        "3:\n\t"
        SUMS("r10, ", "r2", "r3", "r4", "r5", "", ", ror #8", ROUND_SIGNED)
        "4:\n\t"
        GET("r11", OUT_0)
        "strb r2, [r11]\n\t"
        "strb r4, [r11, #1]\n\t"
        GET("r11", OUT_1)
        "strb r3, [r11]\n\t"
        "strb r5, [r11, #1]\n\t"
        RETURN
    );
}

/* clang-format on */

#else

/* Channels 2 * pair and the next one, for one pixel. */
static void one_pair(const sf_pairs *job, const uint32_t *pixel, const uint32_t *weights,
                     int32_t words, int32_t pair, int8_t *out) {
    const int32_t *record = job->records + 1 + 4 * pair;
    const uint32_t shifts = (uint32_t)job->records[0];
    int32_t raw = 0, low = 0;
    for (; pixel < job->pixels_end; pixel += 2, weights += words) {
        raw = sf_smlad(*weights, *pixel, raw);
        low = sf_smlad(sf_sxtb16(*weights), *pixel, low);
    }
    const int32_t high = (int32_t)((uint32_t)raw - (uint32_t)low) >> 7;
    const int32_t sums[2] = {record[0] + high, record[2] + low * 2};
    for (int32_t i = 0; i < 2; i++) {
        const uint32_t shift = (shifts >> (16 * pair + 8 * i)) & 0xFFu;
        const int32_t offset = (int32_t)((uint32_t)job->zero_point_twice << shift);
        int32_t x = sf_smmulr(sums[i], record[2 * i + 1]);
        x = job->zero_point_twice == -255 ? x : x + (x >> 31);
        out[i] = (int8_t)sf_ssat8((x + offset) >> shift >> 1);
    }
}

static void one_group(const sf_pairs *job, int32_t words) {
    for (int32_t pair = 0; pair < words; pair++) {
        one_pair(job, job->pixels, job->weights + pair, words, pair, job->out_0 + 2 * pair);
        one_pair(job, job->pixels + 1, job->weights + pair, words, pair, job->out_1 + 2 * pair);
    }
}

void sf_pairs_four(const sf_pairs *job) {
    for (sf_pairs group = *job; group.records < group.records_end;) {
        one_group(&group, 2);
        group.weights += group.pixels_end - group.pixels;
        group.records += SF_RECORD_WORDS;
        group.out_0 += 4;
        group.out_1 += 4;
    }
}

void sf_pairs_two(const sf_pairs *job) {
    one_group(job, 1);
}

#endif
