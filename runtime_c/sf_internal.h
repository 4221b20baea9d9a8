/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed point, as gemmlowp and LiteRT round it. Private to the kernels. */
#ifndef SF_INTERNAL_H
#define SF_INTERNAL_H

#include "shrinkfit.h"

/* C++ has no such word, but its compilers have the meaning. */
#ifdef __cplusplus
#define restrict __restrict
#endif

/* C leaves the right shift of a negative number to the compiler; all that matter shift in the sign.
 */
typedef char sf_arithmetic_shift_needed[((-1) >> 1) == -1 ? 1 : -1];

static inline int32_t sf_min(int32_t a, int32_t b) {
    return a < b ? a : b;
}

static inline int32_t sf_max(int32_t a, int32_t b) {
    return a > b ? a : b;
}

static inline int32_t sf_clamp(int32_t x, int32_t low, int32_t high) {
    return sf_min(sf_max(x, low), high);
}

/* round(a * b / 2^31), halves up. Not for a == b == INT32_MIN. */
static inline int32_t sf_high_mul(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/* round(x / 2^exponent), halves away from zero; exponent in [0, 31]. */
static inline int32_t sf_divide_by_power(int32_t x, int32_t exponent) {
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1u);
    const int32_t threshold = (mask >> 1) + (x < 0);
    return (x >> exponent) + ((x & mask) > threshold);
}

/* x * multiplier * 2^(shift - 31), rounded twice: after the product and after the right shift.
 * What a left shift pushes out is lost, as in LiteRT. */
static inline int32_t sf_requantize_double(int32_t x, int32_t multiplier, int32_t shift) {
    if (shift > 0) {
        return sf_high_mul((int32_t)((uint32_t)x << shift), multiplier);
    }
    return sf_divide_by_power(sf_high_mul(x, multiplier), -shift);
}

/* sum + round(x * y / 2^32), halves up; wraps as the instruction does. */
static inline int32_t sf_smmlar(int32_t x, int32_t y, int32_t sum) {
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
    int32_t result;
    __asm("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(sum));
    return result;
#else
    const int32_t product = (int32_t)(((int64_t)x * y + INT64_C(0x80000000)) >> 32);
    return (int32_t)((uint32_t)sum + (uint32_t)product);
#endif
}

/* sf_requantize_double for |x| < 2^30, prepared for a loop. */
typedef struct sf_scaler {
    int32_t above_half; /* twice the multiplier less 2^32: x is added instead */
    int32_t left, right;
    int32_t half; /* of the last bit that stays; 0 where nothing is shifted out */
    int32_t sign; /* all ones where halves have to go away from zero */
} sf_scaler;

/* multiplier: in [2^30, 2^31), or 0; that is a half with all bits shifted out. */
static inline sf_scaler sf_prepare_scaler(int32_t multiplier, int32_t shift) {
    sf_scaler s = {(int32_t)((uint32_t)multiplier << 1), sf_max(shift, 0), sf_max(-shift, 0), 0, 0};
    if (multiplier == 0) {
        s.above_half = INT32_MIN;
        s.left = 0;
        s.right = 31;
    }
    if (s.right > 0) {
        s.half = (int32_t)(UINT32_C(1) << (s.right - 1));
        s.sign = -1;
    }
    return s;
}

static inline int32_t sf_scale(const sf_scaler *s, int32_t x) {
    const int32_t wide = (int32_t)((uint32_t)x << s->left);
    const int32_t y = sf_smmlar(wide, s->above_half, wide);
    return (y + ((y >> 31) & s->sign) + s->half) >> s->right;
}

/* Rounded once, halves up, and saturated; shift in [-31, 30]. */
static inline int32_t sf_requantize_single(int32_t x, int32_t multiplier, int32_t shift) {
    const int32_t total = 31 - shift;
    const int64_t product = (int64_t)x * multiplier;
    const int64_t value = (product + (INT64_C(1) << (total - 1))) >> total;
    if (shift <= 0) {
        return (int32_t)value;
    }
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

static inline int32_t sf_saturate16(int32_t x) {
    return sf_clamp(x, INT16_MIN, INT16_MAX);
}

/* Adds the zero_point and clamps, in the order that cannot overflow. */
static inline int8_t sf_activate(int32_t x, int32_t zero_point, int32_t low, int32_t high) {
    return (int8_t)(sf_clamp(x, low - zero_point, high - zero_point) + zero_point);
}

static inline int8_t sf_finish(const sf_output_stage *stage, int32_t x) {
    return sf_activate(x, stage->out_zero_point, stage->activation_min, stage->activation_max);
}

/* One row of an operator on two inputs; p is the operator's parameter struct. */
typedef void sf_row(const void *p, const int8_t *a, const int8_t *b, int8_t *out);

static inline void sf_for_rows(const sf_broadcast *shape, sf_row *row, const void *p,
                               const int8_t *a, const int8_t *b, int8_t *out) {
    const sf_axis *const o = &shape->outer, *const m = &shape->middle, *const n = &shape->inner;
    for (int32_t i = 0; i < o->count; i++) {
        for (int32_t j = 0; j < m->count; j++) {
            for (int32_t k = 0; k < n->count; k++) {
                row(p, a + i * o->step_a + j * m->step_a + k * n->step_a,
                    b + i * o->step_b + j * m->step_b + k * n->step_b, out);
                out += shape->row.count;
            }
        }
    }
}

#endif
