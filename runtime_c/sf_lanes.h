/* SPDX-License-Identifier: Apache-2.0 */
/* Four int8 values in a word: more of the DSP instructions, or portable C that gives the same bits.
 * Private to the kernels. */
#ifndef SF_LANES_H
#define SF_LANES_H

#include "sf_dsp.h"

/* A line's sum has that many fractional bits: graph/linear.py proves it equal to the reference. */
enum { SF_LINE_BITS = 21 };

/* A word's values 1 and 3, or 0 and 2, times 256 in its halves: SMLAWB's and SMLAWT's operands. */
#define SF_ODD_VALUES UINT32_C(0xFF00FF00)

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

/* sums + bytes 0 and 2, half by half. */
static inline uint32_t sf_sxtab16(uint32_t sums, uint32_t x) {
    uint32_t result;
    __asm("sxtab16 %0, %1, %2" : "=r"(result) : "r"(sums), "r"(x));
    return result;
}

/* sums + bytes 1 and 3. */
static inline uint32_t sf_sxtab16_ror8(uint32_t sums, uint32_t x) {
    uint32_t result;
    __asm("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(sums), "r"(x));
    return result;
}

/* Adds the words at in and in + step. Two loads in a row are one cycle less than apart. */
static inline void sf_sum_two(const int8_t *in, int32_t step, uint32_t *even, uint32_t *odd) {
    uint32_t first, second;
    __asm("ldr %[a], [%[in]]\n\t"
          "ldr %[b], [%[in], %[step]]\n\t"
          "sxtab16 %[even], %[even], %[a]\n\t"
          "sxtab16 %[odd], %[odd], %[a], ror #8\n\t"
          "sxtab16 %[even], %[even], %[b]\n\t"
          "sxtab16 %[odd], %[odd], %[b], ror #8\n\t"
          : [even] "+r"(*even), [odd] "+r"(*odd), [a] "=&r"(first), [b] "=&r"(second)
          : [in] "r"(in), [step] "r"(step)
          : "memory");
}

/* The larger of each pair of bytes. */
static inline uint32_t sf_max4(uint32_t a, uint32_t b) {
    uint32_t result;
    __asm("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b) : "cc");
    return result;
}

/* sum + (factor * the half of x >> 16). */
static inline int32_t sf_smlawb(int32_t factor, uint32_t x, int32_t sum) {
    int32_t result;
    __asm("smlawb %0, %1, %2, %3" : "=r"(result) : "r"(factor), "r"(x), "r"(sum));
    return result;
}

static inline int32_t sf_smlawt(int32_t factor, uint32_t x, int32_t sum) {
    int32_t result;
    __asm("smlawt %0, %1, %2, %3" : "=r"(result) : "r"(factor), "r"(x), "r"(sum));
    return result;
}

/* A line's sum as int8. */
static inline int8_t sf_on_line(int32_t sum) {
    int32_t result;
    __asm("ssat %0, #8, %1, asr #21" : "=r"(result) : "r"(sum));
    return (int8_t)result;
}

/* Four sums of a line; the pointers move on. Bytes are stored one by one: putting them together
 * takes as long. */
static inline void sf_add_four(const sf_line *l, uint32_t odd_values, const int8_t **a,
                               const int8_t **b, int8_t **out) {
    uint32_t x, y, even_x, even_y, sum;
    __asm volatile("ldr %[x], [%[a]], #4\n\t"
                   "ldr %[y], [%[b]], #4\n\t"
                   "and %[ex], %[mask], %[x], lsl #8\n\t"
                   "and %[ey], %[mask], %[y], lsl #8\n\t"
                   "smlawb %[sum], %[fa], %[ex], %[offset]\n\t"
                   "smlawb %[sum], %[fb], %[ey], %[sum]\n\t"
                   "ssat %[sum], #8, %[sum], asr #21\n\t"
                   "strb %[sum], [%[out]], #4\n\t"
                   "and %[x], %[x], %[mask]\n\t"
                   "and %[y], %[y], %[mask]\n\t"
                   "smlawb %[sum], %[fa], %[x], %[offset]\n\t"
                   "smlawb %[sum], %[fb], %[y], %[sum]\n\t"
                   "ssat %[sum], #8, %[sum], asr #21\n\t"
                   "strb %[sum], [%[out], #-3]\n\t"
                   "smlawt %[sum], %[fa], %[ex], %[offset]\n\t"
                   "smlawt %[sum], %[fb], %[ey], %[sum]\n\t"
                   "ssat %[sum], #8, %[sum], asr #21\n\t"
                   "strb %[sum], [%[out], #-2]\n\t"
                   "smlawt %[sum], %[fa], %[x], %[offset]\n\t"
                   "smlawt %[sum], %[fb], %[y], %[sum]\n\t"
                   "ssat %[sum], #8, %[sum], asr #21\n\t"
                   "strb %[sum], [%[out], #-1]\n\t"
                   : [a] "+r"(*a), [b] "+r"(*b), [out] "+r"(*out), [x] "=&r"(x), [y] "=&r"(y),
                     [ex] "=&r"(even_x), [ey] "=&r"(even_y), [sum] "=&r"(sum)
                   : [fa] "r"(l->factor_a), [fb] "r"(l->factor_b), [offset] "r"(l->offset),
                     [mask] "r"(odd_values)
                   : "memory");
}

static inline int32_t sf_qadd(int32_t a, int32_t b) {
    int32_t result;
    __asm("qadd %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

#else

static inline uint32_t sf_sxtab16(uint32_t sums, uint32_t x) {
    const uint32_t two = sf_sxtb16(x);
    return ((sums + two) & UINT32_C(0xFFFF)) |
           ((sums & UINT32_C(0xFFFF0000)) + (two & UINT32_C(0xFFFF0000)));
}

static inline uint32_t sf_sxtab16_ror8(uint32_t sums, uint32_t x) {
    return sf_sxtab16(sums, x >> 8);
}

static inline void sf_sum_two(const int8_t *in, int32_t step, uint32_t *even, uint32_t *odd) {
    const uint32_t first = sf_load32(in), second = sf_load32(in + step);
    *even = sf_sxtab16(sf_sxtab16(*even, first), second);
    *odd = sf_sxtab16_ror8(sf_sxtab16_ror8(*odd, first), second);
}

static inline uint32_t sf_max4(uint32_t a, uint32_t b) {
    uint32_t result = 0;
    for (uint32_t shift = 0; shift < 32; shift += 8) {
        const int32_t x = (int8_t)(uint8_t)(a >> shift), y = (int8_t)(uint8_t)(b >> shift);
        result |= (uint32_t)(uint8_t)sf_max(x, y) << shift;
    }
    return result;
}

static inline int32_t sf_wide_product(int32_t factor, int32_t half, int32_t sum) {
    return (int32_t)((uint32_t)sum + (uint32_t)(int32_t)(((int64_t)factor * half) >> 16));
}

static inline int32_t sf_smlawb(int32_t factor, uint32_t x, int32_t sum) {
    return sf_wide_product(factor, sf_low_half(x), sum);
}

static inline int32_t sf_smlawt(int32_t factor, uint32_t x, int32_t sum) {
    return sf_wide_product(factor, sf_high_half(x), sum);
}

static inline int8_t sf_on_line(int32_t sum) {
    return (int8_t)sf_clamp(sum >> SF_LINE_BITS, INT8_MIN, INT8_MAX);
}

static inline void sf_add_four(const sf_line *l, uint32_t odd_values, const int8_t **a,
                               const int8_t **b, int8_t **out) {
    const uint32_t x = sf_load32(*a), y = sf_load32(*b);
    const uint32_t even_x = x << 8 & odd_values, even_y = y << 8 & odd_values;
    const uint32_t odd_x = x & odd_values, odd_y = y & odd_values;
    int8_t *to = *out;
    to[0] = sf_on_line(sf_smlawb(l->factor_b, even_y, sf_smlawb(l->factor_a, even_x, l->offset)));
    to[1] = sf_on_line(sf_smlawb(l->factor_b, odd_y, sf_smlawb(l->factor_a, odd_x, l->offset)));
    to[2] = sf_on_line(sf_smlawt(l->factor_b, even_y, sf_smlawt(l->factor_a, even_x, l->offset)));
    to[3] = sf_on_line(sf_smlawt(l->factor_b, odd_y, sf_smlawt(l->factor_a, odd_x, l->offset)));
    *a += 4;
    *b += 4;
    *out += 4;
}

static inline int32_t sf_qadd(int32_t a, int32_t b) {
    const int64_t sum = (int64_t)a + b;
    return sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : (int32_t)sum;
}

#endif

/* sf_scale, the zero_point and the limits of int8. */
static inline int32_t sf_scale_to_int8(const sf_scaler *s, int32_t x, int32_t zero_point) {
    return sf_ssat8(sf_qadd(sf_scale(s, x), zero_point));
}

/* A narrower activation range is rare enough for a second pass. */
static inline void sf_clamp_row(int8_t *out, int32_t count, int32_t low, int32_t high) {
    if (low == INT8_MIN && high == INT8_MAX) {
        return;
    }
    for (const int8_t *end = out + count; out < end; out++) {
        *out = (int8_t)sf_clamp(*out, low, high);
    }
}

#endif
