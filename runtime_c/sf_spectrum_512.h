/* SPDX-License-Identifier: Apache-2.0 */
/* The passes of an FFT of 512 real numbers in assembly: all 13 registers that there are hold what a
 * butterfly needs, which no compiler manages. What they compute is in sf_spectrum_dsp.c and
 * sf_spectrum.c, which other sizes and other cores use. Private to sf_spectrum_dsp.c.
 *
 * Four sequences of 64 points follow one another. Sequence 0 holds real numbers: point k has those
 * of 2 k and 2 k + 1, and lies at word 2 k, the points from 32 on between them. */
#ifndef SF_SPECTRUM_512_H
#define SF_SPECTRUM_512_H

#include "sf_points.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define SF_HAS_512 1

/* Two neighbouring samples, so many of each eight; returns in the named operands. a to h:
 * temporaries. The count of what is left is in s above the shift's byte. */
static inline const uint32_t *sf_512_first_6(const uint32_t *x, const uint32_t *table,
                                             uint32_t *out, int32_t shift, int32_t count) {
    uint32_t a, b, c, d, e, f, g, h;
    int32_t s = shift + (count - 1) * 256;
    __asm volatile(
        "1:\n\t"
        "ldr %[a], [%[x]], #4\n\t"
        "ldr %[b], [%[x], #508]\n\t"
        "ldr %[c], [%[p]], #4\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "smulbb %[e], %[a], %[c]\n\t"
        "smultt %[a], %[a], %[c]\n\t"
        "lsl %[e], %[e], %[s]\n\t"
        "lsl %[a], %[a], %[s]\n\t"
        "pkhtb %[a], %[a], %[e], asr #16\n\t"
        "smulbb %[e], %[b], %[d]\n\t"
        "smultt %[b], %[b], %[d]\n\t"
        "lsl %[e], %[e], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[e], asr #16\n\t"
        "shadd16 %[c], %[a], %[b]\n\t"
        "shsub16 %[a], %[a], %[b]\n\t"
        "ldr %[b], [%[x], #252]\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "smulbb %[e], %[b], %[d]\n\t"
        "smultt %[b], %[b], %[d]\n\t"
        "lsl %[e], %[e], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[e], asr #16\n\t"
        "mov %[d], #0\n\t"
        "shadd16 %[e], %[b], %[d]\n\t"
        "ssub16 %[f], %[c], %[e]\n\t"
        "shadd16 %[c], %[c], %[e]\n\t"
        "str %[c], [%[out]], #8\n\t"
        "ldr %[b], [%[x], #124]\n\t"
        "ldr %[c], [%[x], #636]\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smulbb %[h], %[b], %[d]\n\t"
        "smultt %[b], %[b], %[d]\n\t"
        "lsl %[h], %[h], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[h], asr #16\n\t"
        "smulbb %[h], %[c], %[g]\n\t"
        "smultt %[c], %[c], %[g]\n\t"
        "lsl %[h], %[h], %[s]\n\t"
        "lsl %[c], %[c], %[s]\n\t"
        "pkhtb %[c], %[c], %[h], asr #16\n\t"
        "shadd16 %[d], %[b], %[c]\n\t"
        "ssub16 %[c], %[b], %[c]\n\t"
        "ldr %[b], [%[x], #380]\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smulbb %[h], %[b], %[g]\n\t"
        "smultt %[b], %[b], %[g]\n\t"
        "lsl %[h], %[h], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[h], asr #16\n\t"
        "mov %[g], #0\n\t"
        "shadd16 %[g], %[b], %[g]\n\t"
        "ssub16 %[h], %[d], %[g]\n\t"
        "shadd16 %[d], %[d], %[g]\n\t"
        "str %[d], [%[out], #-4]\n\t"
        "pkhbt %[d], %[f], %[h], lsl #16\n\t"
        "pkhtb %[f], %[h], %[f], asr #16\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smlsd %[h], %[d], %[g], %[round]\n\t"
        "smladx %[d], %[d], %[g], %[round]\n\t"
        "pkhtb %[d], %[d], %[h], asr #16\n\t"
        "str %[d], [%[out], #504]\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smlsd %[h], %[f], %[g], %[round]\n\t"
        "smladx %[f], %[f], %[g], %[round]\n\t"
        "pkhtb %[f], %[f], %[h], asr #16\n\t"
        "str %[f], [%[out], #508]\n\t"
        "ssub16 %[f], %[c], %[b]\n\t"
        "sadd16 %[c], %[c], %[b]\n\t"
        "movw %[b], #23170\n\t"
        "smlabb %[d], %[f], %[b], %[round]\n\t"
        "smlatb %[f], %[f], %[b], %[round]\n\t"
        "pkhtb %[f], %[f], %[d], asr #16\n\t"
        "smlabb %[d], %[c], %[b], %[round]\n\t"
        "smlatb %[c], %[c], %[b], %[round]\n\t"
        "pkhtb %[c], %[c], %[d], asr #16\n\t"
        "sadd16 %[b], %[a], %[f]\n\t"
        "ssub16 %[f], %[a], %[f]\n\t"
        "sadd16 %[a], %[e], %[c]\n\t"
        "ssub16 %[c], %[c], %[e]\n\t"
        "pkhbt %[d], %[b], %[a], lsl #16\n\t"
        "pkhtb %[b], %[a], %[b], asr #16\n\t"
        "pkhbt %[e], %[f], %[c], lsl #16\n\t"
        "pkhtb %[f], %[c], %[f], asr #16\n\t"
        "ldr %[a], [%[p]], #4\n\t"
        "ldr %[c], [%[p]], #4\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smlsd %[h], %[d], %[a], %[round]\n\t"
        "smladx %[d], %[d], %[a], %[round]\n\t"
        "pkhtb %[d], %[d], %[h], asr #16\n\t"
        "str %[d], [%[out], #248]\n\t"
        "smlsd %[h], %[b], %[c], %[round]\n\t"
        "smladx %[b], %[b], %[c], %[round]\n\t"
        "pkhtb %[b], %[b], %[h], asr #16\n\t"
        "str %[b], [%[out], #252]\n\t"
        "smlsd %[h], %[e], %[g], %[round]\n\t"
        "smladx %[e], %[e], %[g], %[round]\n\t"
        "pkhtb %[e], %[e], %[h], asr #16\n\t"
        "str %[e], [%[out], #760]\n\t"
        "ldr %[a], [%[p]], #4\n\t"
        "smlsd %[h], %[f], %[a], %[round]\n\t"
        "smladx %[f], %[f], %[a], %[round]\n\t"
        "pkhtb %[f], %[f], %[h], asr #16\n\t"
        "str %[f], [%[out], #764]\n\t"
        "subs %[s], %[s], #256\n\t"
        "bpl 1b\n\t"
        : [x] "+r"(x), [p] "+r"(table), [out] "+r"(out), [s] "+r"(s), [a] "=&r"(a), [b] "=&r"(b),
          [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h)
        : [round] "r"(1 << 15)
        : "memory", "cc");
    return table;
}

static inline const uint32_t *sf_512_first_7(const uint32_t *x, const uint32_t *table,
                                             uint32_t *out, int32_t shift, int32_t count) {
    uint32_t a, b, c, d, e, f, g, h;
    int32_t s = shift + (count - 1) * 256;
    __asm volatile(
        "1:\n\t"
        "ldr %[a], [%[x]], #4\n\t"
        "ldr %[b], [%[x], #508]\n\t"
        "ldr %[c], [%[p]], #4\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "smulbb %[e], %[a], %[c]\n\t"
        "smultt %[a], %[a], %[c]\n\t"
        "lsl %[e], %[e], %[s]\n\t"
        "lsl %[a], %[a], %[s]\n\t"
        "pkhtb %[a], %[a], %[e], asr #16\n\t"
        "smulbb %[e], %[b], %[d]\n\t"
        "smultt %[b], %[b], %[d]\n\t"
        "lsl %[e], %[e], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[e], asr #16\n\t"
        "shadd16 %[c], %[a], %[b]\n\t"
        "shsub16 %[a], %[a], %[b]\n\t"
        "ldr %[b], [%[x], #252]\n\t"
        "ldr %[d], [%[x], #764]\n\t"
        "ldr %[e], [%[p]], #4\n\t"
        "ldr %[f], [%[p]], #4\n\t"
        "smulbb %[g], %[b], %[e]\n\t"
        "smultt %[b], %[b], %[e]\n\t"
        "lsl %[g], %[g], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[g], asr #16\n\t"
        "smulbb %[g], %[d], %[f]\n\t"
        "smultt %[d], %[d], %[f]\n\t"
        "lsl %[g], %[g], %[s]\n\t"
        "lsl %[d], %[d], %[s]\n\t"
        "pkhtb %[d], %[d], %[g], asr #16\n\t"
        "shadd16 %[g], %[b], %[d]\n\t"
        "shsub16 %[e], %[b], %[d]\n\t"
        "ssub16 %[f], %[c], %[g]\n\t"
        "shadd16 %[c], %[c], %[g]\n\t"
        "str %[c], [%[out]], #8\n\t"
        "ldr %[b], [%[x], #124]\n\t"
        "ldr %[c], [%[x], #636]\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smulbb %[h], %[b], %[d]\n\t"
        "smultt %[b], %[b], %[d]\n\t"
        "lsl %[h], %[h], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[h], asr #16\n\t"
        "smulbb %[h], %[c], %[g]\n\t"
        "smultt %[c], %[c], %[g]\n\t"
        "lsl %[h], %[h], %[s]\n\t"
        "lsl %[c], %[c], %[s]\n\t"
        "pkhtb %[c], %[c], %[h], asr #16\n\t"
        "shadd16 %[d], %[b], %[c]\n\t"
        "ssub16 %[c], %[b], %[c]\n\t"
        "ldr %[b], [%[x], #380]\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smulbb %[h], %[b], %[g]\n\t"
        "smultt %[b], %[b], %[g]\n\t"
        "lsl %[h], %[h], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[h], asr #16\n\t"
        "mov %[g], #0\n\t"
        "shadd16 %[g], %[b], %[g]\n\t"
        "ssub16 %[h], %[d], %[g]\n\t"
        "shadd16 %[d], %[d], %[g]\n\t"
        "str %[d], [%[out], #-4]\n\t"
        "pkhbt %[d], %[f], %[h], lsl #16\n\t"
        "pkhtb %[f], %[h], %[f], asr #16\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smlsd %[h], %[d], %[g], %[round]\n\t"
        "smladx %[d], %[d], %[g], %[round]\n\t"
        "pkhtb %[d], %[d], %[h], asr #16\n\t"
        "str %[d], [%[out], #504]\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smlsd %[h], %[f], %[g], %[round]\n\t"
        "smladx %[f], %[f], %[g], %[round]\n\t"
        "pkhtb %[f], %[f], %[h], asr #16\n\t"
        "str %[f], [%[out], #508]\n\t"
        "ssub16 %[f], %[c], %[b]\n\t"
        "sadd16 %[c], %[c], %[b]\n\t"
        "movw %[b], #23170\n\t"
        "smlabb %[d], %[f], %[b], %[round]\n\t"
        "smlatb %[f], %[f], %[b], %[round]\n\t"
        "pkhtb %[f], %[f], %[d], asr #16\n\t"
        "smlabb %[d], %[c], %[b], %[round]\n\t"
        "smlatb %[c], %[c], %[b], %[round]\n\t"
        "pkhtb %[c], %[c], %[d], asr #16\n\t"
        "sadd16 %[b], %[a], %[f]\n\t"
        "ssub16 %[f], %[a], %[f]\n\t"
        "sadd16 %[a], %[e], %[c]\n\t"
        "ssub16 %[c], %[c], %[e]\n\t"
        "pkhbt %[d], %[b], %[a], lsl #16\n\t"
        "pkhtb %[b], %[a], %[b], asr #16\n\t"
        "pkhbt %[e], %[f], %[c], lsl #16\n\t"
        "pkhtb %[f], %[c], %[f], asr #16\n\t"
        "ldr %[a], [%[p]], #4\n\t"
        "ldr %[c], [%[p]], #4\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smlsd %[h], %[d], %[a], %[round]\n\t"
        "smladx %[d], %[d], %[a], %[round]\n\t"
        "pkhtb %[d], %[d], %[h], asr #16\n\t"
        "str %[d], [%[out], #248]\n\t"
        "smlsd %[h], %[b], %[c], %[round]\n\t"
        "smladx %[b], %[b], %[c], %[round]\n\t"
        "pkhtb %[b], %[b], %[h], asr #16\n\t"
        "str %[b], [%[out], #252]\n\t"
        "smlsd %[h], %[e], %[g], %[round]\n\t"
        "smladx %[e], %[e], %[g], %[round]\n\t"
        "pkhtb %[e], %[e], %[h], asr #16\n\t"
        "str %[e], [%[out], #760]\n\t"
        "ldr %[a], [%[p]], #4\n\t"
        "smlsd %[h], %[f], %[a], %[round]\n\t"
        "smladx %[f], %[f], %[a], %[round]\n\t"
        "pkhtb %[f], %[f], %[h], asr #16\n\t"
        "str %[f], [%[out], #764]\n\t"
        "subs %[s], %[s], #256\n\t"
        "bpl 1b\n\t"
        : [x] "+r"(x), [p] "+r"(table), [out] "+r"(out), [s] "+r"(s), [a] "=&r"(a), [b] "=&r"(b),
          [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h)
        : [round] "r"(1 << 15)
        : "memory", "cc");
    return table;
}

static inline const uint32_t *sf_512_first_8(const uint32_t *x, const uint32_t *table,
                                             uint32_t *out, int32_t shift, int32_t count) {
    uint32_t a, b, c, d, e, f, g, h;
    int32_t s = shift + (count - 1) * 256;
    __asm volatile(
        "1:\n\t"
        "ldr %[a], [%[x]], #4\n\t"
        "ldr %[b], [%[x], #508]\n\t"
        "ldr %[c], [%[p]], #4\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "smulbb %[e], %[a], %[c]\n\t"
        "smultt %[a], %[a], %[c]\n\t"
        "lsl %[e], %[e], %[s]\n\t"
        "lsl %[a], %[a], %[s]\n\t"
        "pkhtb %[a], %[a], %[e], asr #16\n\t"
        "smulbb %[e], %[b], %[d]\n\t"
        "smultt %[b], %[b], %[d]\n\t"
        "lsl %[e], %[e], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[e], asr #16\n\t"
        "shadd16 %[c], %[a], %[b]\n\t"
        "shsub16 %[a], %[a], %[b]\n\t"
        "ldr %[b], [%[x], #252]\n\t"
        "ldr %[d], [%[x], #764]\n\t"
        "ldr %[e], [%[p]], #4\n\t"
        "ldr %[f], [%[p]], #4\n\t"
        "smulbb %[g], %[b], %[e]\n\t"
        "smultt %[b], %[b], %[e]\n\t"
        "lsl %[g], %[g], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[g], asr #16\n\t"
        "smulbb %[g], %[d], %[f]\n\t"
        "smultt %[d], %[d], %[f]\n\t"
        "lsl %[g], %[g], %[s]\n\t"
        "lsl %[d], %[d], %[s]\n\t"
        "pkhtb %[d], %[d], %[g], asr #16\n\t"
        "shadd16 %[g], %[b], %[d]\n\t"
        "shsub16 %[e], %[b], %[d]\n\t"
        "ssub16 %[f], %[c], %[g]\n\t"
        "shadd16 %[c], %[c], %[g]\n\t"
        "str %[c], [%[out]], #8\n\t"
        "ldr %[b], [%[x], #124]\n\t"
        "ldr %[c], [%[x], #636]\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smulbb %[h], %[b], %[d]\n\t"
        "smultt %[b], %[b], %[d]\n\t"
        "lsl %[h], %[h], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[h], asr #16\n\t"
        "smulbb %[h], %[c], %[g]\n\t"
        "smultt %[c], %[c], %[g]\n\t"
        "lsl %[h], %[h], %[s]\n\t"
        "lsl %[c], %[c], %[s]\n\t"
        "pkhtb %[c], %[c], %[h], asr #16\n\t"
        "shadd16 %[d], %[b], %[c]\n\t"
        "ssub16 %[c], %[b], %[c]\n\t"
        "str %[f], [%[out], #504]\n\t"
        "ldr %[b], [%[x], #380]\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smulbb %[h], %[b], %[g]\n\t"
        "smultt %[b], %[b], %[g]\n\t"
        "lsl %[h], %[h], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[h], asr #16\n\t"
        "ldr %[f], [%[x], #892]\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smulbb %[h], %[f], %[g]\n\t"
        "smultt %[f], %[f], %[g]\n\t"
        "lsl %[h], %[h], %[s]\n\t"
        "lsl %[f], %[f], %[s]\n\t"
        "pkhtb %[f], %[f], %[h], asr #16\n\t"
        "shadd16 %[g], %[b], %[f]\n\t"
        "ssub16 %[b], %[b], %[f]\n\t"
        "ldr %[f], [%[out], #504]\n\t"
        "ssub16 %[h], %[d], %[g]\n\t"
        "shadd16 %[d], %[d], %[g]\n\t"
        "str %[d], [%[out], #-4]\n\t"
        "pkhbt %[d], %[f], %[h], lsl #16\n\t"
        "pkhtb %[f], %[h], %[f], asr #16\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smlsd %[h], %[d], %[g], %[round]\n\t"
        "smladx %[d], %[d], %[g], %[round]\n\t"
        "pkhtb %[d], %[d], %[h], asr #16\n\t"
        "str %[d], [%[out], #504]\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smlsd %[h], %[f], %[g], %[round]\n\t"
        "smladx %[f], %[f], %[g], %[round]\n\t"
        "pkhtb %[f], %[f], %[h], asr #16\n\t"
        "str %[f], [%[out], #508]\n\t"
        "ssub16 %[f], %[c], %[b]\n\t"
        "sadd16 %[c], %[c], %[b]\n\t"
        "movw %[b], #23170\n\t"
        "smlabb %[d], %[f], %[b], %[round]\n\t"
        "smlatb %[f], %[f], %[b], %[round]\n\t"
        "pkhtb %[f], %[f], %[d], asr #16\n\t"
        "smlabb %[d], %[c], %[b], %[round]\n\t"
        "smlatb %[c], %[c], %[b], %[round]\n\t"
        "pkhtb %[c], %[c], %[d], asr #16\n\t"
        "sadd16 %[b], %[a], %[f]\n\t"
        "ssub16 %[f], %[a], %[f]\n\t"
        "sadd16 %[a], %[e], %[c]\n\t"
        "ssub16 %[c], %[c], %[e]\n\t"
        "pkhbt %[d], %[b], %[a], lsl #16\n\t"
        "pkhtb %[b], %[a], %[b], asr #16\n\t"
        "pkhbt %[e], %[f], %[c], lsl #16\n\t"
        "pkhtb %[f], %[c], %[f], asr #16\n\t"
        "ldr %[a], [%[p]], #4\n\t"
        "ldr %[c], [%[p]], #4\n\t"
        "ldr %[g], [%[p]], #4\n\t"
        "smlsd %[h], %[d], %[a], %[round]\n\t"
        "smladx %[d], %[d], %[a], %[round]\n\t"
        "pkhtb %[d], %[d], %[h], asr #16\n\t"
        "str %[d], [%[out], #248]\n\t"
        "smlsd %[h], %[b], %[c], %[round]\n\t"
        "smladx %[b], %[b], %[c], %[round]\n\t"
        "pkhtb %[b], %[b], %[h], asr #16\n\t"
        "str %[b], [%[out], #252]\n\t"
        "smlsd %[h], %[e], %[g], %[round]\n\t"
        "smladx %[e], %[e], %[g], %[round]\n\t"
        "pkhtb %[e], %[e], %[h], asr #16\n\t"
        "str %[e], [%[out], #760]\n\t"
        "ldr %[a], [%[p]], #4\n\t"
        "smlsd %[h], %[f], %[a], %[round]\n\t"
        "smladx %[f], %[f], %[a], %[round]\n\t"
        "pkhtb %[f], %[f], %[h], asr #16\n\t"
        "str %[f], [%[out], #764]\n\t"
        "subs %[s], %[s], #256\n\t"
        "bpl 1b\n\t"
        : [x] "+r"(x), [p] "+r"(table), [out] "+r"(out), [s] "+r"(s), [a] "=&r"(a), [b] "=&r"(b),
          [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h)
        : [round] "r"(1 << 15)
        : "memory", "cc");
    return table;
}

/* `count` times two neighbouring samples of the first pass, of which the first `inputs` of eight,
 * 64 samples apart, are there; x, table and out: where they begin. Returns the rest of the table.
 */
SF_NOINLINE static const uint32_t *sf_512_first(const uint32_t *x, const uint32_t *table,
                                                uint32_t *out, int32_t shift, int32_t count,
                                                int32_t inputs) {
    if (count == 0) {
        return table;
    }
    if (inputs == 6) {
        return sf_512_first_6(x, table, out, shift, count);
    }
    if (inputs == 7) {
        return sf_512_first_7(x, table, out, shift, count);
    }
    return sf_512_first_8(x, table, out, shift, count);
}

/* One butterfly of the middle pass; returns the rest of the twiddles. */
static inline const uint32_t *sf_512_middle_butterfly(uint32_t *x, const uint32_t *w) {
    uint32_t a, b, c, d, e, f, g, h, t, u;
    __asm volatile(
        "ldr %[a], [%[x]]\n\t"
        "ldr %[b], [%[x], #32]\n\t"
        "ldr %[c], [%[x], #64]\n\t"
        "ldr %[d], [%[x], #96]\n\t"
        "ldr %[e], [%[x], #128]\n\t"
        "ldr %[f], [%[x], #160]\n\t"
        "ldr %[g], [%[x], #192]\n\t"
        "ldr %[h], [%[x], #224]\n\t"
        "shadd16 %[t], %[a], %[e]\n\t"
        "shsub16 %[e], %[a], %[e]\n\t"
        "shadd16 %[a], %[b], %[f]\n\t"
        "shsub16 %[f], %[b], %[f]\n\t"
        "shadd16 %[b], %[c], %[g]\n\t"
        "shsub16 %[g], %[c], %[g]\n\t"
        "shadd16 %[c], %[d], %[h]\n\t"
        "shsub16 %[h], %[d], %[h]\n\t"
        "shadd16 %[d], %[t], %[b]\n\t"
        "shsub16 %[b], %[t], %[b]\n\t"
        "shadd16 %[t], %[a], %[c]\n\t"
        "shsub16 %[c], %[a], %[c]\n\t"
        "shasx %[a], %[e], %[g]\n\t"
        "shsax %[g], %[e], %[g]\n\t"
        "sasx %[e], %[f], %[h]\n\t"
        "ssax %[h], %[f], %[h]\n\t"
        "movw %[u], #0x5A82\n\t"
        "movt %[u], #0x5A82\n\t"
        "smlsd %[f], %[e], %[u], %[round]\n\t"
        "smlad %[e], %[e], %[u], %[round]\n\t"
        "pkhtb %[e], %[e], %[f], asr #16\n\t"
        "smlsd %[f], %[h], %[u], %[round]\n\t"
        "smlad %[h], %[h], %[u], %[round]\n\t"
        "pkhtb %[h], %[h], %[f], asr #16\n\t"
        "sadd16 %[f], %[a], %[e]\n\t"
        "ssub16 %[e], %[a], %[e]\n\t"
        "sasx %[a], %[g], %[h]\n\t"
        "ssax %[h], %[g], %[h]\n\t"
        "sasx %[g], %[b], %[c]\n\t"
        "ssax %[c], %[b], %[c]\n\t"
        "ssub16 %[b], %[d], %[t]\n\t"
        "mov %[u], #0x00010001\n\t"
        "sadd16 %[d], %[d], %[u]\n\t"
        "shadd16 %[d], %[d], %[t]\n\t"
        "str %[d], [%[x]]\n\t"
        "ldr %[u], [%[w]], #4\n\t"
        "ldr %[d], [%[w]], #4\n\t"
        "smlsd %[t], %[f], %[u], %[round]\n\t"
        "smladx %[f], %[f], %[u], %[round]\n\t"
        "pkhtb %[f], %[f], %[t], asr #16\n\t"
        "str %[f], [%[x], #32]\n\t"
        "smlsd %[t], %[g], %[d], %[round]\n\t"
        "smladx %[g], %[g], %[d], %[round]\n\t"
        "pkhtb %[g], %[g], %[t], asr #16\n\t"
        "str %[g], [%[x], #64]\n\t"
        "ldr %[u], [%[w]], #4\n\t"
        "ldr %[d], [%[w]], #4\n\t"
        "ldr %[f], [%[w]], #4\n\t"
        "ldr %[g], [%[w]], #4\n\t"
        "smlsd %[t], %[a], %[u], %[round]\n\t"
        "smladx %[a], %[a], %[u], %[round]\n\t"
        "pkhtb %[a], %[a], %[t], asr #16\n\t"
        "str %[a], [%[x], #96]\n\t"
        "smlsd %[t], %[b], %[d], %[round]\n\t"
        "smladx %[b], %[b], %[d], %[round]\n\t"
        "pkhtb %[b], %[b], %[t], asr #16\n\t"
        "str %[b], [%[x], #128]\n\t"
        "smlsd %[t], %[e], %[f], %[round]\n\t"
        "smladx %[e], %[e], %[f], %[round]\n\t"
        "pkhtb %[e], %[e], %[t], asr #16\n\t"
        "str %[e], [%[x], #160]\n\t"
        "smlsd %[t], %[c], %[g], %[round]\n\t"
        "smladx %[c], %[c], %[g], %[round]\n\t"
        "pkhtb %[c], %[c], %[t], asr #16\n\t"
        "str %[c], [%[x], #192]\n\t"
        "ldr %[u], [%[w]], #4\n\t"
        "smlsd %[t], %[h], %[u], %[round]\n\t"
        "smladx %[h], %[h], %[u], %[round]\n\t"
        "pkhtb %[h], %[h], %[t], asr #16\n\t"
        "str %[h], [%[x], #224]\n\t"
        : [w] "+r"(w), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e),
          [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h), [t] "=&r"(t), [u] "=&r"(u)
        : [x] "r"(x), [round] "r"(1 << 15)
        : "memory");
    return w;
}

/* One butterfly of the middle pass in sequence 0; returns the rest of the twiddles. */
static inline const uint32_t *sf_512_middle_real_butterfly(uint32_t *x, const uint32_t *w) {
    uint32_t a, b, c, d, e, f, g, h, t, u;
    __asm volatile(
        "ldr %[a], [%[x]]\n\t"
        "ldr %[b], [%[x], #64]\n\t"
        "ldr %[c], [%[x], #128]\n\t"
        "ldr %[d], [%[x], #192]\n\t"
        "ldr %[e], [%[x], #4]\n\t"
        "ldr %[f], [%[x], #68]\n\t"
        "ldr %[g], [%[x], #132]\n\t"
        "ldr %[h], [%[x], #196]\n\t"
        "shadd16 %[t], %[a], %[e]\n\t"
        "shsub16 %[e], %[a], %[e]\n\t"
        "shadd16 %[a], %[b], %[f]\n\t"
        "shsub16 %[f], %[b], %[f]\n\t"
        "shadd16 %[b], %[c], %[g]\n\t"
        "shsub16 %[g], %[c], %[g]\n\t"
        "shadd16 %[c], %[d], %[h]\n\t"
        "shsub16 %[h], %[d], %[h]\n\t"
        "shadd16 %[d], %[t], %[b]\n\t"
        "shsub16 %[b], %[t], %[b]\n\t"
        "shadd16 %[t], %[a], %[c]\n\t"
        "shsub16 %[c], %[a], %[c]\n\t"
        "shasx %[a], %[e], %[g]\n\t"
        "shsax %[g], %[e], %[g]\n\t"
        "sasx %[e], %[f], %[h]\n\t"
        "ssax %[h], %[f], %[h]\n\t"
        "movw %[u], #0x5A82\n\t"
        "movt %[u], #0x5A82\n\t"
        "smlsd %[f], %[e], %[u], %[round]\n\t"
        "smlad %[e], %[e], %[u], %[round]\n\t"
        "pkhtb %[e], %[e], %[f], asr #16\n\t"
        "smlsd %[f], %[h], %[u], %[round]\n\t"
        "smlad %[h], %[h], %[u], %[round]\n\t"
        "pkhtb %[h], %[h], %[f], asr #16\n\t"
        "sadd16 %[f], %[a], %[e]\n\t"
        "ssub16 %[e], %[a], %[e]\n\t"
        "sasx %[a], %[g], %[h]\n\t"
        "ssax %[h], %[g], %[h]\n\t"
        "sasx %[g], %[b], %[c]\n\t"
        "ssax %[c], %[b], %[c]\n\t"
        "ssub16 %[b], %[d], %[t]\n\t"
        "mov %[u], #0x00010001\n\t"
        "sadd16 %[d], %[d], %[u]\n\t"
        "shadd16 %[d], %[d], %[t]\n\t"
        "str %[d], [%[x]]\n\t"
        "ldr %[u], [%[w]], #4\n\t"
        "ldr %[d], [%[w]], #4\n\t"
        "smlsd %[t], %[f], %[u], %[round]\n\t"
        "smladx %[f], %[f], %[u], %[round]\n\t"
        "pkhtb %[f], %[f], %[t], asr #16\n\t"
        "str %[f], [%[x], #64]\n\t"
        "smlsd %[t], %[g], %[d], %[round]\n\t"
        "smladx %[g], %[g], %[d], %[round]\n\t"
        "pkhtb %[g], %[g], %[t], asr #16\n\t"
        "str %[g], [%[x], #128]\n\t"
        "ldr %[u], [%[w]], #4\n\t"
        "ldr %[d], [%[w]], #4\n\t"
        "ldr %[f], [%[w]], #4\n\t"
        "ldr %[g], [%[w]], #4\n\t"
        "smlsd %[t], %[a], %[u], %[round]\n\t"
        "smladx %[a], %[a], %[u], %[round]\n\t"
        "pkhtb %[a], %[a], %[t], asr #16\n\t"
        "str %[a], [%[x], #192]\n\t"
        "smlsd %[t], %[b], %[d], %[round]\n\t"
        "smladx %[b], %[b], %[d], %[round]\n\t"
        "pkhtb %[b], %[b], %[t], asr #16\n\t"
        "str %[b], [%[x], #4]\n\t"
        "smlsd %[t], %[e], %[f], %[round]\n\t"
        "smladx %[e], %[e], %[f], %[round]\n\t"
        "pkhtb %[e], %[e], %[t], asr #16\n\t"
        "str %[e], [%[x], #68]\n\t"
        "smlsd %[t], %[c], %[g], %[round]\n\t"
        "smladx %[c], %[c], %[g], %[round]\n\t"
        "pkhtb %[c], %[c], %[t], asr #16\n\t"
        "str %[c], [%[x], #132]\n\t"
        "ldr %[u], [%[w]], #4\n\t"
        "smlsd %[t], %[h], %[u], %[round]\n\t"
        "smladx %[h], %[h], %[u], %[round]\n\t"
        "pkhtb %[h], %[h], %[t], asr #16\n\t"
        "str %[h], [%[x], #196]\n\t"
        : [w] "+r"(w), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e),
          [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h), [t] "=&r"(t), [u] "=&r"(u)
        : [x] "r"(x), [round] "r"(1 << 15)
        : "memory");
    return w;
}

SF_NOINLINE static void sf_512_middle(uint32_t *x, const uint32_t *twiddles) {
    const uint32_t *w = twiddles, *end = x + 256;
    for (const uint32_t *stop = x + 16; x < stop; x += 2) {
        w = sf_512_middle_real_butterfly(x, w);
    }
    for (x += 48; x < end; x += 56) {
        w = twiddles;
        for (const uint32_t *stop = x + 8; x < stop; x++) {
            w = sf_512_middle_butterfly(x, w);
        }
    }
}

/* The last DFT of eight points; their powers. */
static inline void sf_512_last_powers(const uint32_t *x, uint32_t *up, uint32_t *down) {
    uint32_t a, b, c, d, e, f, g, h, t, u;
    __asm volatile("ldr %[a], [%[x]]\n\t"
                   "ldr %[b], [%[x], #4]\n\t"
                   "ldr %[c], [%[x], #8]\n\t"
                   "ldr %[d], [%[x], #12]\n\t"
                   "ldr %[e], [%[x], #16]\n\t"
                   "ldr %[f], [%[x], #20]\n\t"
                   "ldr %[g], [%[x], #24]\n\t"
                   "ldr %[h], [%[x], #28]\n\t"
                   "shadd16 %[t], %[a], %[e]\n\t"
                   "shsub16 %[e], %[a], %[e]\n\t"
                   "shadd16 %[a], %[b], %[f]\n\t"
                   "shsub16 %[f], %[b], %[f]\n\t"
                   "shadd16 %[b], %[c], %[g]\n\t"
                   "shsub16 %[g], %[c], %[g]\n\t"
                   "shadd16 %[c], %[d], %[h]\n\t"
                   "shsub16 %[h], %[d], %[h]\n\t"
                   "shadd16 %[d], %[t], %[b]\n\t"
                   "shsub16 %[b], %[t], %[b]\n\t"
                   "shadd16 %[t], %[a], %[c]\n\t"
                   "shsub16 %[c], %[a], %[c]\n\t"
                   "shasx %[a], %[e], %[g]\n\t"
                   "shsax %[g], %[e], %[g]\n\t"
                   "sasx %[e], %[f], %[h]\n\t"
                   "ssax %[h], %[f], %[h]\n\t"
                   "movw %[u], #0x5A82\n\t"
                   "movt %[u], #0x5A82\n\t"
                   "smlsd %[f], %[e], %[u], %[round]\n\t"
                   "smlad %[e], %[e], %[u], %[round]\n\t"
                   "pkhtb %[e], %[e], %[f], asr #16\n\t"
                   "smlsd %[f], %[h], %[u], %[round]\n\t"
                   "smlad %[h], %[h], %[u], %[round]\n\t"
                   "pkhtb %[h], %[h], %[f], asr #16\n\t"
                   "sadd16 %[f], %[a], %[e]\n\t"
                   "ssub16 %[e], %[a], %[e]\n\t"
                   "sasx %[a], %[g], %[h]\n\t"
                   "ssax %[h], %[g], %[h]\n\t"
                   "sasx %[g], %[b], %[c]\n\t"
                   "ssax %[c], %[b], %[c]\n\t"
                   "ssub16 %[b], %[d], %[t]\n\t"
                   "mov %[u], #0x00010001\n\t"
                   "sadd16 %[d], %[d], %[u]\n\t"
                   "sadd16 %[d], %[d], %[t]\n\t"
                   "smuad %[d], %[d], %[d]\n\t"
                   "str %[d], [%[up]]\n\t"
                   "smuad %[f], %[f], %[f]\n\t"
                   "str %[f], [%[up], #256]\n\t"
                   "smuad %[g], %[g], %[g]\n\t"
                   "str %[g], [%[up], #512]\n\t"
                   "smuad %[a], %[a], %[a]\n\t"
                   "str %[a], [%[up], #768]\n\t"
                   "smuad %[h], %[h], %[h]\n\t"
                   "str %[h], [%[down]]\n\t"
                   "smuad %[c], %[c], %[c]\n\t"
                   "str %[c], [%[down], #256]\n\t"
                   "smuad %[e], %[e], %[e]\n\t"
                   "str %[e], [%[down], #512]\n\t"
                   "smuad %[b], %[b], %[b]\n\t"
                   "str %[b], [%[down], #768]\n\t"
                   : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e),
                     [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h), [t] "=&r"(t), [u] "=&r"(u)
                   : [x] "r"(x), [up] "r"(up), [down] "r"(down), [round] "r"(1 << 15)
                   : "memory");
}

/* The last DFT of eight points of sequence 0, to where they belong. */
static inline void sf_512_last_points(const uint32_t *x, uint32_t *out) {
    uint32_t a, b, c, d, e, f, g, h, t, u;
    __asm volatile("ldr %[a], [%[x]]\n\t"
                   "ldr %[b], [%[x], #8]\n\t"
                   "ldr %[c], [%[x], #16]\n\t"
                   "ldr %[d], [%[x], #24]\n\t"
                   "ldr %[e], [%[x], #32]\n\t"
                   "ldr %[f], [%[x], #40]\n\t"
                   "ldr %[g], [%[x], #48]\n\t"
                   "ldr %[h], [%[x], #56]\n\t"
                   "shadd16 %[t], %[a], %[e]\n\t"
                   "shsub16 %[e], %[a], %[e]\n\t"
                   "shadd16 %[a], %[b], %[f]\n\t"
                   "shsub16 %[f], %[b], %[f]\n\t"
                   "shadd16 %[b], %[c], %[g]\n\t"
                   "shsub16 %[g], %[c], %[g]\n\t"
                   "shadd16 %[c], %[d], %[h]\n\t"
                   "shsub16 %[h], %[d], %[h]\n\t"
                   "shadd16 %[d], %[t], %[b]\n\t"
                   "shsub16 %[b], %[t], %[b]\n\t"
                   "shadd16 %[t], %[a], %[c]\n\t"
                   "shsub16 %[c], %[a], %[c]\n\t"
                   "shasx %[a], %[e], %[g]\n\t"
                   "shsax %[g], %[e], %[g]\n\t"
                   "sasx %[e], %[f], %[h]\n\t"
                   "ssax %[h], %[f], %[h]\n\t"
                   "movw %[u], #0x5A82\n\t"
                   "movt %[u], #0x5A82\n\t"
                   "smlsd %[f], %[e], %[u], %[round]\n\t"
                   "smlad %[e], %[e], %[u], %[round]\n\t"
                   "pkhtb %[e], %[e], %[f], asr #16\n\t"
                   "smlsd %[f], %[h], %[u], %[round]\n\t"
                   "smlad %[h], %[h], %[u], %[round]\n\t"
                   "pkhtb %[h], %[h], %[f], asr #16\n\t"
                   "sadd16 %[f], %[a], %[e]\n\t"
                   "ssub16 %[e], %[a], %[e]\n\t"
                   "sasx %[a], %[g], %[h]\n\t"
                   "ssax %[h], %[g], %[h]\n\t"
                   "sasx %[g], %[b], %[c]\n\t"
                   "ssax %[c], %[b], %[c]\n\t"
                   "ssub16 %[b], %[d], %[t]\n\t"
                   "mov %[u], #0x00010001\n\t"
                   "sadd16 %[d], %[d], %[u]\n\t"
                   "sadd16 %[d], %[d], %[t]\n\t"
                   "str %[d], [%[out]]\n\t"
                   "str %[f], [%[out], #32]\n\t"
                   "str %[g], [%[out], #64]\n\t"
                   "str %[a], [%[out], #96]\n\t"
                   "str %[b], [%[out], #128]\n\t"
                   "str %[e], [%[out], #160]\n\t"
                   "str %[c], [%[out], #192]\n\t"
                   "str %[h], [%[out], #224]\n\t"
                   : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e),
                     [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h), [t] "=&r"(t), [u] "=&r"(u)
                   : [x] "r"(x), [out] "r"(out), [round] "r"(1 << 15)
                   : "memory");
}

/* Of one of the sequences 1 and 3 only the powers below bin 32: of eight DFTs the first output of
 * the first four, the last of the others. */
static inline void sf_512_last_low(const uint32_t *x, uint32_t *up, uint32_t *down) {
    uint32_t a, b, c, d, e, f, g, h, u;
    for (const uint32_t *stop = x + 32; x < stop; x += 8) {
        __asm volatile("ldr %[a], [%[x]]\n\t"
                       "ldr %[b], [%[x], #4]\n\t"
                       "ldr %[c], [%[x], #8]\n\t"
                       "ldr %[d], [%[x], #12]\n\t"
                       "ldr %[e], [%[x], #16]\n\t"
                       "ldr %[f], [%[x], #20]\n\t"
                       "ldr %[g], [%[x], #24]\n\t"
                       "ldr %[h], [%[x], #28]\n\t"
                       "shadd16 %[a], %[a], %[e]\n\t"
                       "shadd16 %[b], %[b], %[f]\n\t"
                       "shadd16 %[c], %[c], %[g]\n\t"
                       "shadd16 %[d], %[d], %[h]\n\t"
                       "shadd16 %[a], %[a], %[c]\n\t"
                       "shadd16 %[b], %[b], %[d]\n\t"
                       "mov %[u], #0x00010001\n\t"
                       "sadd16 %[a], %[a], %[u]\n\t"
                       "sadd16 %[a], %[a], %[b]\n\t"
                       "smuad %[a], %[a], %[a]\n\t"
                       "str %[a], [%[up]], #32\n\t"
                       : [up] "+r"(up), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d),
                         [e] "=&r"(e), [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h), [u] "=&r"(u)
                       : [x] "r"(x)
                       : "memory");
    }
    for (const uint32_t *stop = x + 32; x < stop; x += 8) {
        __asm volatile("ldr %[a], [%[x]]\n\t"
                       "ldr %[b], [%[x], #4]\n\t"
                       "ldr %[c], [%[x], #8]\n\t"
                       "ldr %[d], [%[x], #12]\n\t"
                       "ldr %[e], [%[x], #16]\n\t"
                       "ldr %[f], [%[x], #20]\n\t"
                       "ldr %[g], [%[x], #24]\n\t"
                       "ldr %[h], [%[x], #28]\n\t"
                       "shsub16 %[a], %[a], %[e]\n\t"
                       "shsub16 %[b], %[b], %[f]\n\t"
                       "shsub16 %[c], %[c], %[g]\n\t"
                       "shsub16 %[d], %[d], %[h]\n\t"
                       "shsax %[a], %[a], %[c]\n\t"
                       "ssax %[b], %[b], %[d]\n\t"
                       "movw %[u], #0x5A82\n\t"
                       "movt %[u], #0x5A82\n\t"
                       "smlsd %[f], %[b], %[u], %[round]\n\t"
                       "smlad %[b], %[b], %[u], %[round]\n\t"
                       "pkhtb %[b], %[b], %[f], asr #16\n\t"
                       "ssax %[a], %[a], %[b]\n\t"
                       "smuad %[a], %[a], %[a]\n\t"
                       "str %[a], [%[down]], #-32\n\t"
                       : [down] "+r"(down), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d),
                         [e] "=&r"(e), [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h), [u] "=&r"(u)
                       : [x] "r"(x), [round] "r"(1 << 15)
                       : "memory");
    }
}

/* The powers of the bins 8 r + q and of those that mirror them; the points of sequence 0 in their
 * order over sequence 1, and the first again behind the last. even: odd bins from 32 on are not
 * needed. */
SF_NOINLINE static void sf_512_last(uint32_t *x, uint32_t *power, int32_t even) {
    const uint32_t *in = x + 64;
    for (int32_t q = 1; q <= 3; q++) {
        uint32_t *up = power + q, *down = power + 64 - q;
        const uint32_t *stop = in + 64;
        if (even && q != 2) {
            sf_512_last_low(in, up, down - 32);
            in = stop;
        }
        for (; in < stop; in += 8, up += 8, down -= 8) {
            sf_512_last_powers(in, up, down);
        }
    }
    for (int32_t m = 0; m < 8; m++) {
        sf_512_last_points(x + 16 * (m & 3) + (m >> 2), x + 64 + m);
    }
    x[128] = x[64];
}

#else
#define SF_HAS_512 0
#endif

#endif
