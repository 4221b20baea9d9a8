/* SPDX-License-Identifier: Apache-2.0 */
/* Two int16 in a word, as the DSP instructions of Cortex-M4, M7 and M33 take them, or portable C
 * that gives the same bits. As a complex number: the real part in the low half. Halves wrap.
 * Private to sf_spectrum_dsp.c. */
#ifndef SF_POINTS_H
#define SF_POINTS_H

#include "sf_dsp.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

#define SF_TWO(name)                                                \
    static inline uint32_t sf_##name(uint32_t a, uint32_t b) {      \
        uint32_t result;                                            \
        __asm(#name " %0, %1, %2" : "=r"(result) : "r"(a), "r"(b)); \
        return result;                                              \
    }
#define SF_SUM(name)                                                              \
    static inline int32_t sf_##name(uint32_t a, uint32_t b, int32_t sum) {        \
        int32_t result;                                                           \
        __asm(#name " %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum)); \
        return result;                                                            \
    }

SF_TWO(qsub16)
SF_TWO(shadd16)
SF_TWO(shsub16)
SF_TWO(sasx)
SF_TWO(ssax)
SF_TWO(shasx)
SF_TWO(shsax)
SF_SUM(smladx)
SF_SUM(smlsd)
SF_SUM(smlabb)
SF_SUM(smlatb)
SF_SUM(smlatt)

static inline uint32_t sf_smuad(uint32_t a, uint32_t b) {
    uint32_t result;
    __asm("smuad %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

/* The high halves: of low to the low half, of high to the high one. */
static inline uint32_t sf_high_halves(uint32_t low, uint32_t high) {
    uint32_t result;
    __asm("pkhtb %0, %1, %2, asr #16" : "=r"(result) : "r"(high), "r"(low));
    return result;
}

/* The low halves. */
static inline uint32_t sf_low_halves(uint32_t low, uint32_t high) {
    uint32_t result;
    __asm("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(low), "r"(high));
    return result;
}

/* The low half of low, the high half of high. */
static inline uint32_t sf_halves_of(uint32_t low, uint32_t high) {
    uint32_t result;
    __asm("pkhbt %0, %1, %2" : "=r"(result) : "r"(low), "r"(high));
    return result;
}

#undef SF_TWO
#undef SF_SUM

#else

static inline uint32_t sf_pair(int32_t low, int32_t high) {
    return ((uint32_t)low & UINT32_C(0xFFFF)) | (uint32_t)high << 16;
}

/* Each half of a - b, saturated. */
static inline uint32_t sf_qsub16(uint32_t a, uint32_t b) {
    return sf_pair(sf_saturate16(sf_low_half(a) - sf_low_half(b)),
                   sf_saturate16(sf_high_half(a) - sf_high_half(b)));
}

/* Each half of a + b and of a - b, halved and rounded down. */
static inline uint32_t sf_shadd16(uint32_t a, uint32_t b) {
    return sf_pair((sf_low_half(a) + sf_low_half(b)) >> 1,
                   (sf_high_half(a) + sf_high_half(b)) >> 1);
}

static inline uint32_t sf_shsub16(uint32_t a, uint32_t b) {
    return sf_pair((sf_low_half(a) - sf_low_half(b)) >> 1,
                   (sf_high_half(a) - sf_high_half(b)) >> 1);
}

/* a + i b and a - i b, then the same halved. */
static inline uint32_t sf_sasx(uint32_t a, uint32_t b) {
    return sf_pair(sf_low_half(a) - sf_high_half(b), sf_high_half(a) + sf_low_half(b));
}

static inline uint32_t sf_ssax(uint32_t a, uint32_t b) {
    return sf_pair(sf_low_half(a) + sf_high_half(b), sf_high_half(a) - sf_low_half(b));
}

static inline uint32_t sf_shasx(uint32_t a, uint32_t b) {
    return sf_pair((sf_low_half(a) - sf_high_half(b)) >> 1,
                   (sf_high_half(a) + sf_low_half(b)) >> 1);
}

static inline uint32_t sf_shsax(uint32_t a, uint32_t b) {
    return sf_pair((sf_low_half(a) + sf_high_half(b)) >> 1,
                   (sf_high_half(a) - sf_low_half(b)) >> 1);
}

/* sum + a.low * b.high + a.high * b.low */
static inline int32_t sf_smladx(uint32_t a, uint32_t b, int32_t sum) {
    return sf_smlad(a, b >> 16 | b << 16, sum);
}

/* sum + a.low * b.low - a.high * b.high */
static inline int32_t sf_smlsd(uint32_t a, uint32_t b, int32_t sum) {
    const uint32_t low = (uint32_t)(sf_low_half(a) * sf_low_half(b));
    return (int32_t)((uint32_t)sum + low - (uint32_t)(sf_high_half(a) * sf_high_half(b)));
}

/* sum + a half of a times a half of b: b for the low, t for the high one. */
static inline int32_t sf_smlabb(uint32_t a, uint32_t b, int32_t sum) {
    return sum + sf_low_half(a) * sf_low_half(b);
}

static inline int32_t sf_smlatb(uint32_t a, uint32_t b, int32_t sum) {
    return sum + sf_high_half(a) * sf_low_half(b);
}

static inline int32_t sf_smlatt(uint32_t a, uint32_t b, int32_t sum) {
    return sum + sf_high_half(a) * sf_high_half(b);
}

static inline uint32_t sf_smuad(uint32_t a, uint32_t b) {
    return (uint32_t)sf_smlad(a, b, 0);
}

/* The high halves: of low to the low half, of high to the high one. */
static inline uint32_t sf_high_halves(uint32_t low, uint32_t high) {
    return (high & UINT32_C(0xFFFF0000)) | low >> 16;
}

/* The low halves. */
static inline uint32_t sf_low_halves(uint32_t low, uint32_t high) {
    return (low & UINT32_C(0xFFFF)) | high << 16;
}

/* The low half of low, the high half of high. */
static inline uint32_t sf_halves_of(uint32_t low, uint32_t high) {
    return (low & UINT32_C(0xFFFF)) | (high & UINT32_C(0xFFFF0000));
}

#endif

#endif
