/* SPDX-License-Identifier: Apache-2.0 */
/* The DSP instructions of Cortex-M4, M7 and M33, or portable C that gives the same bits, so that
 * hosts and sanitizers run the DSP kernels too. Private to the kernels. */
#ifndef SF_DSP_H
#define SF_DSP_H

#include <string.h>

#include "sf_internal.h"

/* Any address. The fixed length makes each one instruction on cores that load unaligned words. */
static inline uint32_t sf_load32(const void *from) {
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

static inline void sf_store32(void *to, uint32_t word) {
    memcpy(to, &word, sizeof word);
}

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

/* Assembly for what arm_acle.h lacks (SMMULR) or the compiler does not fuse (the rotation). */
static inline uint32_t sf_sxtb16(uint32_t x) {
    uint32_t y;
    __asm("sxtb16 %0, %1" : "=r"(y) : "r"(x));
    return y;
}

static inline uint32_t sf_sxtb16_ror8(uint32_t x) {
    uint32_t y;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
    return y;
}

static inline int32_t sf_smlad(uint32_t x, uint32_t y, int32_t sum) {
    int32_t result;
    __asm("smlad %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(sum));
    return result;
}

static inline int32_t sf_smmulr(int32_t x, int32_t y) {
    int32_t result;
    __asm("smmulr %0, %1, %2" : "=r"(result) : "r"(x), "r"(y));
    return result;
}

static inline int32_t sf_ssat8(int32_t x) {
    int32_t result;
    __asm("ssat %0, #8, %1" : "=r"(result) : "r"(x));
    return result;
}

#else

static inline int32_t sf_low_half(uint32_t x) {
    return (int16_t)(uint16_t)x;
}

static inline int32_t sf_high_half(uint32_t x) {
    return (int16_t)(uint16_t)(x >> 16);
}

/* Bytes 0 and 2, sign-extended into the two halves. */
static inline uint32_t sf_sxtb16(uint32_t x) {
    const uint32_t low = (uint32_t)(int8_t)(uint8_t)x & UINT32_C(0xFFFF);
    return low | (uint32_t)(int8_t)(uint8_t)(x >> 16) << 16;
}

/* Bytes 1 and 3. */
static inline uint32_t sf_sxtb16_ror8(uint32_t x) {
    return sf_sxtb16(x >> 8);
}

/* sum + x.low * y.low + x.high * y.high; wraps as the instruction does. */
static inline int32_t sf_smlad(uint32_t x, uint32_t y, int32_t sum) {
    const int32_t low = sf_low_half(x) * sf_low_half(y);
    const int32_t high = sf_high_half(x) * sf_high_half(y);
    return (int32_t)((uint32_t)sum + (uint32_t)low + (uint32_t)high);
}

/* round(x * y / 2^32), halves up. */
static inline int32_t sf_smmulr(int32_t x, int32_t y) {
    return (int32_t)(((int64_t)x * y + INT64_C(0x80000000)) >> 32);
}

static inline int32_t sf_ssat8(int32_t x) {
    return sf_clamp(x, INT8_MIN, INT8_MAX);
}

#endif

/* One output channel's requantization, loaded once for several accumulators. */
typedef struct sf_channel {
    int32_t multiplier;
    int32_t shift;
} sf_channel;

static inline sf_channel sf_load_channel(const sf_output_stage *stage, int32_t channel) {
    const sf_channel result = {stage->multiplier[channel], stage->shift[channel]};
    return result;
}

/* Double rounding, zero_point, clamp. The short way needs what `plain` promises: 2 * sum does not
 * overflow, and x + sign rounds halves away from zero because the shift is at least 1. */
static inline int8_t sf_finish_double(const sf_output_stage *stage, sf_channel channel,
                                      int32_t sum) {
    if (stage->plain) {
        const int32_t right = -channel.shift;
        const int32_t x = sf_smmulr(sum * 2, channel.multiplier);
        const int32_t half = (int32_t)(UINT32_C(1) << (right - 1));
        return (int8_t)sf_ssat8(((x + (x >> 31) + half) >> right) + stage->out_zero_point);
    }
    const int32_t x = sf_requantize_double(sum, channel.multiplier, channel.shift);
    return sf_finish(stage, x);
}

#endif
