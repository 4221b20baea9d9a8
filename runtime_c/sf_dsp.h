/* SPDX-License-Identifier: Apache-2.0 */
/* The DSP instructions of Cortex-M4, M7 and M33, or portable C that gives the same bits, so that
 * hosts and sanitizers run the DSP kernels too. Private to the kernels. */
#ifndef SF_DSP_H
#define SF_DSP_H

#include <string.h>

#include "sf_internal.h"

/* Keeps what is seldom needed out of the registers of what is hot. */
#if defined(__GNUC__)
#define SF_NOINLINE __attribute__((noinline, unused))
#else
#define SF_NOINLINE
#endif

/* Any address. The fixed length makes each one instruction on cores that load unaligned words. */
static inline uint32_t sf_load32(const void *from) {
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

static inline void sf_store32(void *to, uint32_t word) {
    memcpy(to, &word, sizeof word);
}

/* A few bytes, for which a call of memcpy takes longer than it moves. */
static inline void sf_move(void *out, const void *in, uint32_t bytes) {
    uint8_t *to = (uint8_t *)out;
    const uint8_t *from = (const uint8_t *)in;
    for (; bytes >= 4; bytes -= 4, from += 4, to += 4) {
        sf_store32(to, sf_load32(from));
    }
    if (bytes & 2u) {
        uint16_t half;
        memcpy(&half, from, sizeof half);
        memcpy(to, &half, sizeof half);
        from += 2;
        to += 2;
    }
    if (bytes & 1u) {
        *to = *from;
    }
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

static inline uint32_t sf_sadd16(uint32_t x, uint32_t y) {
    uint32_t result;
    __asm("sadd16 %0, %1, %2" : "=r"(result) : "r"(x), "r"(y));
    return result;
}

static inline uint32_t sf_ssub16(uint32_t x, uint32_t y) {
    uint32_t result;
    __asm("ssub16 %0, %1, %2" : "=r"(result) : "r"(x), "r"(y));
    return result;
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

/* See the portable twin. One block, so that it needs 13 registers: the compiler spills otherwise.
 */
static inline void sf_multiply_block(const int8_t **weights_0, const int8_t **weights_1,
                                     const uint32_t **pixels, int32_t *s0, int32_t *s1, int32_t *s2,
                                     int32_t *s3) {
    uint32_t w0, w1, x0, x1, pair;
    __asm volatile("ldr %[w0], [%[p0]], #4\n\t"
                   "ldr %[w1], [%[p1]], #4\n\t"
                   "ldr %[x0], [%[px]], #16\n\t"
                   "ldr %[x1], [%[px], #-12]\n\t"
                   "sxtb16 %[pair], %[w0]\n\t"
                   "smlad %[s0], %[pair], %[x0], %[s0]\n\t"
                   "smlad %[s1], %[pair], %[x1], %[s1]\n\t"
                   "sxtb16 %[pair], %[w1]\n\t"
                   "smlad %[s2], %[pair], %[x0], %[s2]\n\t"
                   "smlad %[s3], %[pair], %[x1], %[s3]\n\t"
                   "ldr %[x0], [%[px], #-8]\n\t"
                   "ldr %[x1], [%[px], #-4]\n\t"
                   "sxtb16 %[w0], %[w0], ror #8\n\t"
                   "smlad %[s0], %[w0], %[x0], %[s0]\n\t"
                   "smlad %[s1], %[w0], %[x1], %[s1]\n\t"
                   "sxtb16 %[w1], %[w1], ror #8\n\t"
                   "smlad %[s2], %[w1], %[x0], %[s2]\n\t"
                   "smlad %[s3], %[w1], %[x1], %[s3]\n\t"
                   : [p0] "+r"(*weights_0), [p1] "+r"(*weights_1), [px] "+r"(*pixels),
                     [s0] "+r"(*s0), [s1] "+r"(*s1), [s2] "+r"(*s2), [s3] "+r"(*s3), [w0] "=&r"(w0),
                     [w1] "=&r"(w1), [x0] "=&r"(x0), [x1] "=&r"(x1), [pair] "=&r"(pair)
                   :
                   : "memory");
}

/* See the portable twin. */
static inline const uint32_t *sf_window_row(const int16_t *in, const uint32_t *weights,
                                            int32_t pairs, int32_t *s0, int32_t *s1, int32_t *s2,
                                            int32_t *s3) {
    uint32_t a, b, c, w;
    __asm volatile("ldr %[a], [%[in]], #4\n\t"
                   "ldr %[b], [%[in]], #4\n"
                   "1:\n\t"
                   "ldr %[w], [%[weights]], #4\n\t"
                   "ldr %[c], [%[in]], #4\n\t"
                   "smlad %[s0], %[w], %[a], %[s0]\n\t"
                   "smlabt %[s1], %[w], %[a], %[s1]\n\t"
                   "smlatb %[s1], %[w], %[b], %[s1]\n\t"
                   "smlad %[s2], %[w], %[b], %[s2]\n\t"
                   "smlabt %[s3], %[w], %[b], %[s3]\n\t"
                   "smlatb %[s3], %[w], %[c], %[s3]\n\t"
                   "mov %[a], %[b]\n\t"
                   "mov %[b], %[c]\n\t"
                   "subs %[pairs], #1\n\t"
                   "bne 1b\n\t"
                   : [in] "+r"(in), [weights] "+r"(weights), [pairs] "+r"(pairs), [s0] "+r"(*s0),
                     [s1] "+r"(*s1), [s2] "+r"(*s2), [s3] "+r"(*s3), [a] "=&r"(a), [b] "=&r"(b),
                     [c] "=&r"(c), [w] "=&r"(w)
                   :
                   : "memory", "cc");
    return weights;
}

/* See the portable twin; 13 registers. */
static inline void sf_multiply_four(const int8_t **in, const int8_t **w0, const int8_t **w1,
                                    const int8_t **w2, const int8_t **w3, int32_t *s0, int32_t *s1,
                                    int32_t *s2, int32_t *s3) {
    uint32_t even, odd, t, u;
    __asm volatile("ldr %[odd], [%[in]], #4\n\t"
                   "ldr %[t], [%[w0]], #4\n\t"
                   "sxtb16 %[even], %[odd]\n\t"
                   "sxtb16 %[odd], %[odd], ror #8\n\t"
                   "sxtb16 %[u], %[t]\n\t"
                   "smlad %[s0], %[u], %[even], %[s0]\n\t"
                   "sxtb16 %[t], %[t], ror #8\n\t"
                   "smlad %[s0], %[t], %[odd], %[s0]\n\t"
                   "ldr %[t], [%[w1]], #4\n\t"
                   "sxtb16 %[u], %[t]\n\t"
                   "smlad %[s1], %[u], %[even], %[s1]\n\t"
                   "sxtb16 %[t], %[t], ror #8\n\t"
                   "smlad %[s1], %[t], %[odd], %[s1]\n\t"
                   "ldr %[t], [%[w2]], #4\n\t"
                   "sxtb16 %[u], %[t]\n\t"
                   "smlad %[s2], %[u], %[even], %[s2]\n\t"
                   "sxtb16 %[t], %[t], ror #8\n\t"
                   "smlad %[s2], %[t], %[odd], %[s2]\n\t"
                   "ldr %[t], [%[w3]], #4\n\t"
                   "sxtb16 %[u], %[t]\n\t"
                   "smlad %[s3], %[u], %[even], %[s3]\n\t"
                   "sxtb16 %[t], %[t], ror #8\n\t"
                   "smlad %[s3], %[t], %[odd], %[s3]\n\t"
                   : [in] "+r"(*in), [w0] "+r"(*w0), [w1] "+r"(*w1), [w2] "+r"(*w2), [w3] "+r"(*w3),
                     [s0] "+r"(*s0), [s1] "+r"(*s1), [s2] "+r"(*s2), [s3] "+r"(*s3),
                     [even] "=&r"(even), [odd] "=&r"(odd), [t] "=&r"(t), [u] "=&r"(u)
                   :
                   : "memory");
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

/* Halves, each modulo 2^16. */
static inline uint32_t sf_sadd16(uint32_t x, uint32_t y) {
    return ((x + y) & UINT32_C(0xFFFF)) | ((x >> 16) + (y >> 16)) << 16;
}

static inline uint32_t sf_ssub16(uint32_t x, uint32_t y) {
    return ((x - y) & UINT32_C(0xFFFF)) | ((x >> 16) - (y >> 16)) << 16;
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

/* Four inputs times the weights of four outputs. All pointers move on. */
static inline void sf_multiply_four(const int8_t **in, const int8_t **w0, const int8_t **w1,
                                    const int8_t **w2, const int8_t **w3, int32_t *s0, int32_t *s1,
                                    int32_t *s2, int32_t *s3) {
    const int8_t **weights[4] = {w0, w1, w2, w3};
    int32_t *sums[4] = {s0, s1, s2, s3};
    const uint32_t word = sf_load32(*in);
    for (int32_t i = 0; i < 4; i++) {
        const uint32_t w = sf_load32(*weights[i]);
        *sums[i] = sf_smlad(sf_sxtb16(w), sf_sxtb16(word), *sums[i]);
        *sums[i] = sf_smlad(sf_sxtb16_ror8(w), sf_sxtb16_ror8(word), *sums[i]);
        *weights[i] += 4;
    }
    *in += 4;
}

/* One row of four neighbouring windows with a stride of 1: `pairs` words with two taps each, whose
 * inputs follow one another from `in` on; 2 * pairs + 4 are read. Returns the weights behind. */
static inline const uint32_t *sf_window_row(const int16_t *in, const uint32_t *weights,
                                            int32_t pairs, int32_t *s0, int32_t *s1, int32_t *s2,
                                            int32_t *s3) {
    int32_t *sums[4] = {s0, s1, s2, s3};
    for (; pairs > 0; pairs--, in += 2, weights++) {
        for (int32_t i = 0; i < 4; i++) {
            *sums[i] = sf_smlad(*weights, sf_load32(in + i), *sums[i]);
        }
    }
    return weights;
}

/* Four taps of two channels and two pixels: a word of weights of each channel, and the four words
 * {pixel 0, pixel 1} x {taps 0 and 2, taps 1 and 3}. All pointers move on.
 * s0, s1: sums of channel 0 with pixel 0 and 1; s2, s3: of channel 1. */
static inline void sf_multiply_block(const int8_t **weights_0, const int8_t **weights_1,
                                     const uint32_t **pixels, int32_t *s0, int32_t *s1, int32_t *s2,
                                     int32_t *s3) {
    const uint32_t w0 = sf_load32(*weights_0), w1 = sf_load32(*weights_1);
    const uint32_t *x = *pixels;
    *s0 = sf_smlad(sf_sxtb16_ror8(w0), x[2], sf_smlad(sf_sxtb16(w0), x[0], *s0));
    *s1 = sf_smlad(sf_sxtb16_ror8(w0), x[3], sf_smlad(sf_sxtb16(w0), x[1], *s1));
    *s2 = sf_smlad(sf_sxtb16_ror8(w1), x[2], sf_smlad(sf_sxtb16(w1), x[0], *s2));
    *s3 = sf_smlad(sf_sxtb16_ror8(w1), x[3], sf_smlad(sf_sxtb16(w1), x[1], *s3));
    *weights_0 += 4;
    *weights_1 += 4;
    *pixels += 4;
}

#endif

/* One output channel's requantization, prepared once for several accumulators. */
typedef struct sf_channel {
    int32_t multiplier;
    int32_t right; /* how far to shift right; below 0: left, only where not plain */
    int32_t
        offset; /* where plain: a half for the rounding, and the zero_point, both shifted left */
} sf_channel;

static inline sf_channel sf_load_channel(const sf_output_stage *stage, int32_t channel) {
    sf_channel result;
    result.multiplier = stage->multiplier[channel];
    result.right = -stage->shift[channel];
    /* Unsigned, so that it is defined for the shifts that make no sense of it. */
    result.offset = (int32_t)((uint32_t)(2 * stage->out_zero_point + 1)
                              << ((uint32_t)(result.right - 1) & 31u));
    return result;
}

/* Double rounding, zero_point and clamp in six instructions; needs what `plain` promises: 2 * sum
 * and what is added do not overflow, and x + sign rounds halves away from zero, as right >= 1. */
static inline int32_t sf_finish_plain(sf_channel channel, int32_t sum) {
    const int32_t x = sf_smmulr(sum * 2, channel.multiplier);
    return sf_ssat8((x + (x >> 31) + channel.offset) >> channel.right);
}

SF_NOINLINE static int32_t sf_finish_any(const sf_output_stage *stage, sf_channel channel,
                                         int32_t sum) {
    return sf_finish(stage, sf_requantize_double(sum, channel.multiplier, -channel.right));
}

static inline int32_t sf_finish_double(const sf_output_stage *stage, sf_channel channel,
                                       int32_t sum) {
    return stage->plain ? sf_finish_plain(channel, sum) : sf_finish_any(stage, channel, sum);
}

/* For kernels whose outputs are saturated to int8 first. */
static inline void sf_clamp_bytes(int8_t *out, int32_t count, int32_t low, int32_t high) {
    if (low > INT8_MIN || high < INT8_MAX) {
        for (int32_t i = 0; i < count; i++) {
            out[i] = (int8_t)sf_clamp(out[i], low, high);
        }
    }
}

#endif
