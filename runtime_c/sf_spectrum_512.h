/* SPDX-License-Identifier: Apache-2.0 */
/* The even bins of an FFT of 512 real numbers in assembly: all 13 registers that there are hold
 * what a butterfly needs, which no compiler manages. What it computes is in sf_spectrum_dsp.c and
 * sf_spectrum.c, which other sizes and other cores use. Private to sf_spectrum_dsp.c.
 *
 * Sequences 0 and 2, of 64 points each, follow one another. Sequence 0 holds real numbers: point k
 * has those of 2 k and 2 k + 1, and lies at word 2 k; the points from 32 on lie between them. */
#ifndef SF_SPECTRUM_512_H
#define SF_SPECTRUM_512_H

#include "sf_points.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define SF_HAS_512 1

/* Two neighbouring samples, so many of each eight; returns in the named operands. a to h:
 * temporaries. The count of what is left is in s above the shift's byte. */
static inline const uint32_t *sf_512_first_6(const uint32_t *x, const uint32_t *table,
                                             uint32_t *out, int32_t shift, int32_t count) {
    uint32_t a, b, c, d, e, f, g;
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
        "shadd16 %[a], %[a], %[b]\n\t"
        "ldr %[b], [%[x], #252]\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "smulbb %[e], %[b], %[d]\n\t"
        "smultt %[b], %[b], %[d]\n\t"
        "lsl %[e], %[e], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[e], asr #16\n\t"
        "mov %[d], #0\n\t"
        "shadd16 %[b], %[b], %[d]\n\t"
        "ssub16 %[c], %[a], %[b]\n\t"
        "shadd16 %[a], %[a], %[b]\n\t"
        "str %[a], [%[out]], #8\n\t"
        "ldr %[a], [%[x], #124]\n\t"
        "ldr %[b], [%[x], #636]\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "ldr %[e], [%[p]], #4\n\t"
        "smulbb %[f], %[a], %[d]\n\t"
        "smultt %[a], %[a], %[d]\n\t"
        "lsl %[f], %[f], %[s]\n\t"
        "lsl %[a], %[a], %[s]\n\t"
        "pkhtb %[a], %[a], %[f], asr #16\n\t"
        "smulbb %[f], %[b], %[e]\n\t"
        "smultt %[b], %[b], %[e]\n\t"
        "lsl %[f], %[f], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[f], asr #16\n\t"
        "shadd16 %[a], %[a], %[b]\n\t"
        "ldr %[b], [%[x], #380]\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "smulbb %[e], %[b], %[d]\n\t"
        "smultt %[b], %[b], %[d]\n\t"
        "lsl %[e], %[e], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[e], asr #16\n\t"
        "mov %[d], #0\n\t"
        "shadd16 %[b], %[b], %[d]\n\t"
        "ssub16 %[d], %[a], %[b]\n\t"
        "shadd16 %[a], %[a], %[b]\n\t"
        "str %[a], [%[out], #-4]\n\t"
        "pkhbt %[a], %[c], %[d], lsl #16\n\t"
        "pkhtb %[b], %[d], %[c], asr #16\n\t"
        "ldr %[c], [%[p]], #4\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "smlsd %[e], %[a], %[c], %[round]\n\t"
        "smladx %[a], %[a], %[c], %[round]\n\t"
        "pkhtb %[a], %[a], %[e], asr #16\n\t"
        "str %[a], [%[out], #248]\n\t"
        "smlsd %[e], %[b], %[d], %[round]\n\t"
        "smladx %[b], %[b], %[d], %[round]\n\t"
        "pkhtb %[b], %[b], %[e], asr #16\n\t"
        "str %[b], [%[out], #252]\n\t"
        "subs %[s], %[s], #256\n\t"
        "bpl 1b\n\t"
        : [x] "+r"(x), [p] "+r"(table), [out] "+r"(out), [s] "+r"(s), [a] "=&r"(a), [b] "=&r"(b),
          [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f), [g] "=&r"(g)
        : [round] "r"(1 << 15)
        : "memory", "cc");
    return table;
}

static inline const uint32_t *sf_512_first_7(const uint32_t *x, const uint32_t *table,
                                             uint32_t *out, int32_t shift, int32_t count) {
    uint32_t a, b, c, d, e, f, g;
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
        "shadd16 %[a], %[a], %[b]\n\t"
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
        "shadd16 %[b], %[b], %[d]\n\t"
        "ssub16 %[c], %[a], %[b]\n\t"
        "shadd16 %[a], %[a], %[b]\n\t"
        "str %[a], [%[out]], #8\n\t"
        "ldr %[a], [%[x], #124]\n\t"
        "ldr %[b], [%[x], #636]\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "ldr %[e], [%[p]], #4\n\t"
        "smulbb %[f], %[a], %[d]\n\t"
        "smultt %[a], %[a], %[d]\n\t"
        "lsl %[f], %[f], %[s]\n\t"
        "lsl %[a], %[a], %[s]\n\t"
        "pkhtb %[a], %[a], %[f], asr #16\n\t"
        "smulbb %[f], %[b], %[e]\n\t"
        "smultt %[b], %[b], %[e]\n\t"
        "lsl %[f], %[f], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[f], asr #16\n\t"
        "shadd16 %[a], %[a], %[b]\n\t"
        "ldr %[b], [%[x], #380]\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "smulbb %[e], %[b], %[d]\n\t"
        "smultt %[b], %[b], %[d]\n\t"
        "lsl %[e], %[e], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[e], asr #16\n\t"
        "mov %[d], #0\n\t"
        "shadd16 %[b], %[b], %[d]\n\t"
        "ssub16 %[d], %[a], %[b]\n\t"
        "shadd16 %[a], %[a], %[b]\n\t"
        "str %[a], [%[out], #-4]\n\t"
        "pkhbt %[a], %[c], %[d], lsl #16\n\t"
        "pkhtb %[b], %[d], %[c], asr #16\n\t"
        "ldr %[c], [%[p]], #4\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "smlsd %[e], %[a], %[c], %[round]\n\t"
        "smladx %[a], %[a], %[c], %[round]\n\t"
        "pkhtb %[a], %[a], %[e], asr #16\n\t"
        "str %[a], [%[out], #248]\n\t"
        "smlsd %[e], %[b], %[d], %[round]\n\t"
        "smladx %[b], %[b], %[d], %[round]\n\t"
        "pkhtb %[b], %[b], %[e], asr #16\n\t"
        "str %[b], [%[out], #252]\n\t"
        "subs %[s], %[s], #256\n\t"
        "bpl 1b\n\t"
        : [x] "+r"(x), [p] "+r"(table), [out] "+r"(out), [s] "+r"(s), [a] "=&r"(a), [b] "=&r"(b),
          [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f), [g] "=&r"(g)
        : [round] "r"(1 << 15)
        : "memory", "cc");
    return table;
}

static inline const uint32_t *sf_512_first_8(const uint32_t *x, const uint32_t *table,
                                             uint32_t *out, int32_t shift, int32_t count) {
    uint32_t a, b, c, d, e, f, g;
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
        "shadd16 %[a], %[a], %[b]\n\t"
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
        "shadd16 %[b], %[b], %[d]\n\t"
        "ssub16 %[c], %[a], %[b]\n\t"
        "shadd16 %[a], %[a], %[b]\n\t"
        "str %[a], [%[out]], #8\n\t"
        "ldr %[a], [%[x], #124]\n\t"
        "ldr %[b], [%[x], #636]\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "ldr %[e], [%[p]], #4\n\t"
        "smulbb %[f], %[a], %[d]\n\t"
        "smultt %[a], %[a], %[d]\n\t"
        "lsl %[f], %[f], %[s]\n\t"
        "lsl %[a], %[a], %[s]\n\t"
        "pkhtb %[a], %[a], %[f], asr #16\n\t"
        "smulbb %[f], %[b], %[e]\n\t"
        "smultt %[b], %[b], %[e]\n\t"
        "lsl %[f], %[f], %[s]\n\t"
        "lsl %[b], %[b], %[s]\n\t"
        "pkhtb %[b], %[b], %[f], asr #16\n\t"
        "shadd16 %[a], %[a], %[b]\n\t"
        "ldr %[b], [%[x], #380]\n\t"
        "ldr %[d], [%[x], #892]\n\t"
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
        "shadd16 %[b], %[b], %[d]\n\t"
        "ssub16 %[d], %[a], %[b]\n\t"
        "shadd16 %[a], %[a], %[b]\n\t"
        "str %[a], [%[out], #-4]\n\t"
        "pkhbt %[a], %[c], %[d], lsl #16\n\t"
        "pkhtb %[b], %[d], %[c], asr #16\n\t"
        "ldr %[c], [%[p]], #4\n\t"
        "ldr %[d], [%[p]], #4\n\t"
        "smlsd %[e], %[a], %[c], %[round]\n\t"
        "smladx %[a], %[a], %[c], %[round]\n\t"
        "pkhtb %[a], %[a], %[e], asr #16\n\t"
        "str %[a], [%[out], #248]\n\t"
        "smlsd %[e], %[b], %[d], %[round]\n\t"
        "smladx %[b], %[b], %[d], %[round]\n\t"
        "pkhtb %[b], %[b], %[e], asr #16\n\t"
        "str %[b], [%[out], #252]\n\t"
        "subs %[s], %[s], #256\n\t"
        "bpl 1b\n\t"
        : [x] "+r"(x), [p] "+r"(table), [out] "+r"(out), [s] "+r"(s), [a] "=&r"(a), [b] "=&r"(b),
          [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f), [g] "=&r"(g)
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
    const uint32_t *w = twiddles;
    for (const uint32_t *stop = x + 16; x < stop; x += 2) {
        w = sf_512_middle_real_butterfly(x, w);
    }
    x += 48;
    w = twiddles;
    for (const uint32_t *stop = x + 8; x < stop; x++) {
        w = sf_512_middle_butterfly(x, w);
    }
}

/* The last DFT of eight points; their powers. When x is no longer needed its register holds what
 * rounds, and then `down`. */
static inline void sf_512_last_powers(const uint32_t *x, uint32_t *up, uint32_t *down) {
    uint32_t a, b, c, d, e, f, g, h, t, u;
    __asm volatile(
        "ldr %[a], [%[x]]\n\t"
        "ldr %[b], [%[x], #4]\n\t"
        "ldr %[c], [%[x], #8]\n\t"
        "ldr %[d], [%[x], #12]\n\t"
        "ldr %[e], [%[x], #16]\n\t"
        "ldr %[f], [%[x], #20]\n\t"
        "ldr %[g], [%[x], #24]\n\t"
        "ldr %[h], [%[x], #28]\n\t"
        "movw %[x], #0x8000\n\t"
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
        "smlsd %[f], %[e], %[u], %[x]\n\t"
        "smlad %[e], %[e], %[u], %[x]\n\t"
        "pkhtb %[e], %[e], %[f], asr #16\n\t"
        "smlsd %[f], %[h], %[u], %[x]\n\t"
        "smlad %[h], %[h], %[u], %[x]\n\t"
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
        "ldr %[x], %[down]\n\t"
        "smuad %[d], %[d], %[d]\n\t"
        "str %[d], [%[up]]\n\t"
        "smuad %[f], %[f], %[f]\n\t"
        "str %[f], [%[up], #256]\n\t"
        "smuad %[g], %[g], %[g]\n\t"
        "str %[g], [%[up], #512]\n\t"
        "smuad %[a], %[a], %[a]\n\t"
        "str %[a], [%[up], #768]\n\t"
        "smuad %[h], %[h], %[h]\n\t"
        "str %[h], [%[x]]\n\t"
        "smuad %[c], %[c], %[c]\n\t"
        "str %[c], [%[x], #256]\n\t"
        "smuad %[e], %[e], %[e]\n\t"
        "str %[e], [%[x], #512]\n\t"
        "smuad %[b], %[b], %[b]\n\t"
        "str %[b], [%[x], #768]\n\t"
        : [x] "+r"(x), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e),
          [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h), [t] "=&r"(t), [u] "=&r"(u)
        : [up] "r"(up), [down] "m"(down)
        : "memory");
}

/* The last DFT of eight points of sequence 0, to where they belong. */
static inline void sf_512_last_points(const uint32_t *x, uint32_t *out) {
    uint32_t a, b, c, d, e, f, g, h, t, u;
    __asm volatile(
        "ldr %[a], [%[x]]\n\t"
        "ldr %[b], [%[x], #8]\n\t"
        "ldr %[c], [%[x], #16]\n\t"
        "ldr %[d], [%[x], #24]\n\t"
        "ldr %[e], [%[x], #32]\n\t"
        "ldr %[f], [%[x], #40]\n\t"
        "ldr %[g], [%[x], #48]\n\t"
        "ldr %[h], [%[x], #56]\n\t"
        "movw %[x], #0x8000\n\t"
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
        "smlsd %[f], %[e], %[u], %[x]\n\t"
        "smlad %[e], %[e], %[u], %[x]\n\t"
        "pkhtb %[e], %[e], %[f], asr #16\n\t"
        "smlsd %[f], %[h], %[u], %[x]\n\t"
        "smlad %[h], %[h], %[u], %[x]\n\t"
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
        : [x] "+r"(x), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e),
          [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h), [t] "=&r"(t), [u] "=&r"(u)
        : [out] "r"(out)
        : "memory");
}

/* The powers of the bins 8 r + 2 and of those that mirror them; the points of sequence 0 in their
 * order behind sequence 2, and the first again behind the last. */
SF_NOINLINE static void sf_512_last(uint32_t *x, uint32_t *power) {
    uint32_t *up = power + 2, *down = power + 62;
    for (int32_t m = 0; m < 8; m++) {
        sf_512_last_points(x + 16 * (m & 3) + (m >> 2), x + 128 + m);
    }
    x[192] = x[128];
    x += 64;
    for (const uint32_t *stop = x + 64; x < stop; x += 8, up += 8, down -= 8) {
        sf_512_last_powers(x, up, down);
    }
}

/* The bins 4 t from the points of sequence 0 in their order. */
SF_NOINLINE static void sf_512_real_bins(const uint32_t *x, const uint32_t *split,
                                         uint32_t *power) {
    const uint32_t *y = x + 64;
    uint32_t *up = power, *down = power + 256;
    uint32_t a, b, m, w, z;
    int32_t n = 33;
    __asm volatile(
        "1:\n\t"
        "ldr %[z], [%[x]], #4\n\t"
        "ldr %[m], [%[y]], #-4\n\t"
        "ldr %[w], [%[split]], #4\n\t"
        "shadd16 %[a], %[z], %[m]\n\t"
        "shsub16 %[b], %[z], %[m]\n\t"
        "pkhbt %[a], %[a], %[b]\n\t"
        "ssub16 %[b], %[z], %[m]\n\t"
        "sadd16 %[z], %[z], %[m]\n\t"
        "pkhbt %[b], %[b], %[z]\n\t"
        "smlsd %[z], %[b], %[w], %[round]\n\t"
        "smladx %[b], %[b], %[w], %[round]\n\t"
        "pkhtb %[b], %[b], %[z], asr #16\n\t"
        "ssub16 %[z], %[a], %[b]\n\t"
        "sadd16 %[a], %[a], %[b]\n\t"
        "smuad %[z], %[z], %[z]\n\t"
        "smuad %[a], %[a], %[a]\n\t"
        "str %[z], [%[down]], #-16\n\t"
        "str %[a], [%[up]], #16\n\t"
        "subs %[n], %[n], #1\n\t"
        "bne 1b\n\t"
        : [x] "+r"(x), [y] "+r"(y), [split] "+r"(split), [up] "+r"(up), [down] "+r"(down),
          [n] "+r"(n), [a] "=&r"(a), [b] "=&r"(b), [m] "=&r"(m), [w] "=&r"(w), [z] "=&r"(z)
        : [round] "r"(1 << 15)
        : "memory", "cc");
}

#else
#define SF_HAS_512 0
#endif

#endif
