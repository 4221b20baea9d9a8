/* SPDX-License-Identifier: Apache-2.0 */
/* See sf_tiles.h. In assembly, as all fourteen registers are taken: eight sums, two pointers, two
 * words of weights, two of data. 16 cycles for 16 multiplications.
 *
 * r0: data; r1: weights. What else is needed waits in the FPU's registers, or on the stack where
 * there is none. */
#include "sf_tiles.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

/* Places in sf_tiles. */
#define DATA "0"
#define WEIGHTS "1"
#define RECORDS "2"
#define OUT "3"
#define GROUPS "4"
#define RUN_BYTES "5"
#define SUMS "6"
#define PIXEL_STEP "7"
#define ROW_STEP "8"
#define IS_SIGNED "9"
#define RUN_END "10"
#define SUM_AT "11"
#define SUMS_END "12"
#define ENTRY "13"

#if defined(__ARM_FP)
#define GET(to, place) "vmov " to ", s" place "\n\t"
#define PUT(from, place) "vmov s" place ", " from "\n\t"
#define FETCH "vldmia r0, {s0-s15}\n\t"
#define RELEASE
#else
#define GET(to, place) "ldr " to ", [sp, #4*" place "]\n\t"
#define PUT(from, place) "str " from ", [sp, #4*" place "]\n\t"
#define FETCH                \
    "sub sp, sp, #64\n\t"    \
    "ldmia r0, {r1-r10}\n\t" \
    "stmia sp, {r1-r10}\n\t"
#define RELEASE "add sp, sp, #64\n\t"
#endif

/* clang-format off */
/* One pair of channels. The first of a half turn moves the pointers on. */
#define STEP(x0, x1, w0, w1, w2, w3)                                                               \
    "ldr r12, [r0" x0 "\n\t"                                                                     \
    "ldr lr, [r0" x1 "\n\t"                                                                      \
    "ldr r10, [r1" w0 "\n\t"                                                                     \
    "ldr r11, [r1" w1 "\n\t"                                                                     \
    "smlad r2, r10, r12, r2\n\t"                                                                   \
    "smlad r3, r10, lr, r3\n\t"                                                                    \
    "smlad r4, r11, r12, r4\n\t"                                                                   \
    "smlad r5, r11, lr, r5\n\t"                                                                    \
    "ldr r10, [r1" w2 "\n\t"                                                                     \
    "ldr r11, [r1" w3 "\n\t"                                                                     \
    "smlad r6, r10, r12, r6\n\t"                                                                   \
    "smlad r7, r10, lr, r7\n\t"                                                                    \
    "smlad r8, r11, r12, r8\n\t"                                                                   \
    "smlad r9, r11, lr, r9\n\t"

#define FOUR_STEPS                                                                                 \
    STEP("], #32", ", #-28]", "], #64", ", #-60]", ", #-56]", ", #-52]")                           \
    STEP(", #-24]", ", #-20]", ", #-48]", ", #-44]", ", #-40]", ", #-36]")                         \
    STEP(", #-16]", ", #-12]", ", #-32]", ", #-28]", ", #-24]", ", #-20]")                         \
    STEP(", #-8]", ", #-4]", ", #-16]", ", #-12]", ", #-8]", ", #-4]")

/* One channel of one tile: the runs' sums, 32 bytes apart, to its outputs in r2 (top left), r3 (top
 * right), r4 (bottom left), r5 (bottom right), each four times too large. A column's sums are in
 * order E0 to E3, those of the column before end with P: below it counts E2 - P, above E3 - 2 E1 +
 * E0. */
#define OUTPUTS                                                                                    \
    "ldr r2, [r0]\n\t"                                                                           \
    "ldr r3, [r0, #32]\n\t"                                                                      \
    "ldr r4, [r0, #64]\n\t"                                                                      \
    "ldr r12, [r0, #96]\n\t"                                                                     \
    "ldr r6, [r0, #128]\n\t"                                                                     \
    "ldr r7, [r0, #160]\n\t"                                                                     \
    "ldr r8, [r0, #192]\n\t"                                                                     \
    "ldr r9, [r0, #224]\n\t"                                                                     \
    "sub r2, r2, r3, lsl #1\n\t"                                                                   \
    "add r2, r2, r12\n\t"                                                                          \
    "sub r5, r8, r12\n\t"                                                                          \
    "sub r3, r6, r7, lsl #1\n\t"                                                                   \
    "add r3, r3, r9\n\t"                                                                           \
    "add r2, r2, r3\n\t"                                                                           \
    "add r4, r4, r5\n\t"                                                                           \
    "ldr r6, [r0, #256]\n\t"                                                                     \
    "ldr r7, [r0, #288]\n\t"                                                                     \
    "ldr r8, [r0, #320]\n\t"                                                                     \
    "ldr r12, [r0, #352]\n\t"                                                                    \
    "sub r8, r8, r9\n\t"                                                                           \
    "sub r6, r6, r7, lsl #1\n\t"                                                                   \
    "add r6, r6, r12\n\t"                                                                          \
    "add r2, r2, r6\n\t"                                                                           \
    "sub r3, r3, r6\n\t"                                                                           \
    "add r4, r4, r8\n\t"                                                                           \
    "sub r5, r5, r8\n\t"                                                                           \
    "ldr r6, [r0, #384]\n\t"                                                                     \
    "ldr r7, [r0, #416]\n\t"                                                                     \
    "ldr r8, [r0, #448]\n\t"                                                                     \
    "ldr r9, [r0, #480]\n\t"                                                                     \
    "sub r8, r8, r12\n\t"                                                                          \
    "sub r6, r6, r7, lsl #1\n\t"                                                                   \
    "add r6, r6, r9\n\t"                                                                           \
    "sub r3, r3, r6\n\t"                                                                           \
    "sub r5, r5, r8\n\t"

/* Both roundings, as in sf_pairs_dsp.c. r8: twice the bias; r9: multiplier; r10: how far to shift;
 * r11: offset. */
#define ROUND_FROM_LOWEST(y)                                                                       \
    "add " y ", r8, " y ", asr #1\n\t"                                                             \
    "smmlar " y ", " y ", r9, r11\n\t"                                                             \
    "asr " y ", " y ", r10\n\t"                                                                    \
    "ssat " y ", #8, " y ", asr #1\n\t"

#define ROUND_SIGNED(y)                                                                            \
    "add " y ", r8, " y ", asr #1\n\t"                                                             \
    "smmulr " y ", " y ", r9\n\t"                                                                  \
    "add " y ", " y ", " y ", asr #31\n\t"                                                         \
    "add " y ", " y ", r11\n\t"                                                                    \
    "asr " y ", " y ", r10\n\t"                                                                    \
    "ssat " y ", #8, " y ", asr #1\n\t"

/* lr: where the tile's channel goes. */
#define TILE(ROUND)                                                                                \
    OUTPUTS                                                                                        \
    "ldmia r1, {r8-r11}\n\t"                                                                       \
    GET("r6", PIXEL_STEP)                                                                          \
    GET("r7", ROW_STEP)                                                                            \
    ROUND("r2")                                                                                    \
    ROUND("r3")                                                                                    \
    ROUND("r4")                                                                                    \
    ROUND("r5")                                                                                    \
    "strb r2, [lr]\n\t"                                                                            \
    "strb r3, [lr, r6]\n\t"                                                                        \
    "strb r4, [lr, r7]\n\t"                                                                        \
    "add r7, r7, r6\n\t"                                                                           \
    "strb r5, [lr, r7]\n\t"

/* Four channels of both tiles; the last sum's address is a multiple of 32 behind the first. */
#define FINISH(label, ROUND)                                                                       \
    label ":\n\t"                                                                                  \
    GET("lr", OUT)                                                                                 \
    TILE(ROUND)                                                                                    \
    "add r0, r0, #4\n\t"                                                                           \
    "add lr, lr, r6, lsl #1\n\t"                                                                   \
    TILE(ROUND)                                                                                    \
    "add r0, r0, #4\n\t"                                                                           \
    "add r1, r1, #16\n\t"                                                                          \
    "sub lr, lr, r6, lsl #1\n\t"                                                                   \
    "add lr, lr, #1\n\t"                                                                           \
    PUT("lr", OUT)                                                                                 \
    GET("r2", RUN_END)                                                                             \
    "cmp r0, r2\n\t"                                                                               \
    "bne.w " label "b\n\t"

__attribute__((naked)) void sf_tiles_four(__attribute__((unused)) const sf_tiles *job) {
    __asm volatile(
        "push {r4-r11, lr}\n\t"
        FETCH
        GET("r1", SUMS)
        "add r1, r1, #512\n\t"
        PUT("r1", SUMS_END)
        /* A run is entered in the middle of a turn where it has an odd number of halves. */
        GET("r1", RUN_BYTES)
        "adr.w r2, 2f\n\t"
        "tst r1, #32\n\t"
        "beq 1f\n\t"
        "adr.w r2, 3f\n\t"
        "1:\n\t"
        "orr r2, r2, #1\n\t"
        PUT("r2", ENTRY)
        "5:\n\t"
        GET("r0", SUMS)
        PUT("r0", SUM_AT)
        GET("r0", DATA)
        GET("r1", RUN_BYTES)
        "add r1, r1, r0\n\t"
        PUT("r1", RUN_END)
        GET("r1", WEIGHTS)
        "movs r2, #0\n\t"
        "movs r3, #0\n\t"
        "movs r4, #0\n\t"
        "movs r5, #0\n\t"
        "movs r6, #0\n\t"
        "movs r7, #0\n\t"
        "mov r8, #0\n\t"
        "mov r9, #0\n\t"
        GET("r10", ENTRY)
        "bx r10\n\t"
        ".balign 4\n\t"
        "2:\n\t"
        FOUR_STEPS
        ".balign 4\n\t"
        "3:\n\t"
        FOUR_STEPS
        GET("r11", RUN_END)
        "cmp r0, r11\n\t"
        "bne.w 2b\n\t"
        GET("r12", SUM_AT)
        GET("r10", RUN_BYTES)
        "add r11, r11, r10\n\t"
        PUT("r11", RUN_END)
        "stmia r12!, {r2-r9}\n\t"
        PUT("r12", SUM_AT)
        GET("r11", SUMS_END)
        GET("r10", ENTRY)
        "cmp r12, r11\n\t"
        "beq 4f\n\t"
        "bx r10\n\t"
        "4:\n\t"
        PUT("r1", WEIGHTS)
        GET("r0", SUMS)
        GET("r1", RECORDS)
        "add r2, r0, #32\n\t"
        PUT("r2", RUN_END)
        GET("r2", IS_SIGNED)
        "cmp r2, #0\n\t"
        "bne.w 7f\n\t"
        FINISH("6", ROUND_FROM_LOWEST)
        "8:\n\t"
        PUT("r1", RECORDS)
        GET("r10", GROUPS)
        "subs r10, r10, #1\n\t"
        PUT("r10", GROUPS)
        "bne.w 5b\n\t"
        RELEASE
        "pop {r4-r11, pc}\n\t"
        FINISH("7", ROUND_SIGNED)
        "b.w 8b\n\t"
    );
}

/* clang-format on */

#else

static int8_t finish(const sf_tiles *job, const int32_t *record, int32_t four_times) {
    int32_t x = sf_smmulr(record[0] + (four_times >> 1), record[1]);
    x = job->is_signed ? x + (x >> 31) : x;
    return (int8_t)sf_ssat8((x + record[3]) >> record[2] >> 1);
}

/* sums: of each run, as they stood at its end; unsigned, since they may wrap around. */
static void put_together(const sf_tiles *job, const uint32_t sums[SF_RUNS], const int32_t *record,
                         int8_t *out) {
    uint32_t above[4], below[4], before = 0;
    for (int32_t i = 0; i < 4; i++) {
        const uint32_t *const e = sums + 4 * i;
        above[i] = e[3] - 2u * e[1] + e[0];
        below[i] = e[2] - before;
        before = e[3];
    }
    out[0] = finish(job, record, (int32_t)(above[0] + above[1] + above[2]));
    out[job->pixel_step] = finish(job, record, (int32_t)(above[1] - above[2] - above[3]));
    out += job->row_step;
    out[0] = finish(job, record, (int32_t)(below[0] + below[1] + below[2]));
    out[job->pixel_step] = finish(job, record, (int32_t)(below[1] - below[2] - below[3]));
}

/* Channel `channel` of the group whose weights these are. */
static void one_channel(const sf_tiles *job, int32_t channel, int32_t tile) {
    const int32_t steps = (int32_t)(job->run_bytes / 8);
    const uint32_t *w = job->weights + channel, *x = job->data + tile;
    uint32_t sums[SF_RUNS];
    int32_t sum = 0;
    for (int32_t run = 0; run < SF_RUNS; run++) {
        for (int32_t i = 0; i < steps; i++, w += 4, x += 2) {
            sum = sf_smlad(*w, *x, sum);
        }
        sums[run] = (uint32_t)sum;
    }
    put_together(job, sums, job->records + SF_TILES_RECORD_WORDS * channel,
                 job->out + channel + 2 * tile * (int32_t)job->pixel_step);
}

void sf_tiles_four(const sf_tiles *job) {
    for (sf_tiles group = *job; group.groups > 0; group.groups--) {
        for (int32_t i = 0; i < 8; i++) {
            one_channel(&group, i / 2, i % 2);
        }
        group.weights += SF_RUNS * (group.run_bytes / 2);
        group.records += 4 * SF_TILES_RECORD_WORDS;
        group.out += 4;
    }
}

#endif
