/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax in fixed point, rounded as LiteRT's reference kernel does it with gemmlowp.
 *
 * Qm.n has a sign, m integer bits and n fractional bits. The exponential is a Taylor polynomial
 * around -1/8 on (-1/4, 0] times one constant per binary digit above; the reciprocal is three
 * Newton steps. Each exponential is computed twice, which needs no scratch.
 */
#include "sf_internal.h"

enum { DIFF_FRACTION_BITS = 26, SUM_INTEGER_BITS = 12, OUTPUT_BITS = 8 };

/* exp(-2^k) in Q0.31 for k = -2 .. 4. */
static const int32_t exp_of_digits[] = {1672461947, 1302514674, 790015084, 290630308,
                                        39332535,   720401,     242};

static int32_t saturate(int64_t x) {
    return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : (int32_t)x;
}

/* exp(a), Q0.31, for a in [-1/4, 0). */
static int32_t exp_near_zero(int32_t a) {
    const int32_t exp_minus_eighth = 1895147668;
    const int32_t one_third = 715827883;
    const int32_t x = a + (1 << 28);
    const int32_t x2 = sf_high_mul(x, x);
    const int32_t x3 = sf_high_mul(x2, x);
    const int32_t x4 = sf_high_mul(x2, x2);
    int32_t tail = sf_divide_by_power(x4, 2) + x3;
    tail = sf_divide_by_power(sf_high_mul(tail, one_third) + x2, 1);
    return saturate((int64_t)exp_minus_eighth + sf_high_mul(exp_minus_eighth, x + tail));
}

/* exp(a) for a <= 0: Q5.26 to Q0.31. */
static int32_t exp_of_negative(int32_t a) {
    const int32_t quarter = 1 << (DIFF_FRACTION_BITS - 2);
    const int32_t near_zero = (a & (quarter - 1)) - quarter;
    const uint32_t rest = (uint32_t)near_zero - (uint32_t)a;
    if (a == 0) {
        return INT32_MAX;
    }
    int32_t result = exp_near_zero(near_zero * 32);
    for (int32_t i = 0; i < 7; i++) {
        if (rest & (UINT32_C(1) << (DIFF_FRACTION_BITS - 2 + i))) {
            result = sf_high_mul(result, exp_of_digits[i]);
        }
    }
    return result;
}

/* 1 / (1 + fraction) for a Q0.31 fraction in [0, 1). */
static int32_t reciprocal_of_one_plus(int32_t fraction) {
    const int32_t q29_48_over_17 = 1515870810;
    const int32_t q29_minus_32_over_17 = -1010580540;
    const int32_t half = (int32_t)(((int64_t)fraction + INT32_MAX + 1) >> 1);
    int32_t x = q29_48_over_17 + sf_high_mul(half, q29_minus_32_over_17);
    for (int32_t i = 0; i < 3; i++) {
        const int32_t rest = (1 << 29) - sf_high_mul(half, x);
        x += saturate((int64_t)sf_high_mul(x, rest) * 4);
    }
    return saturate((int64_t)x * 2);
}

static int32_t leading_zeros(uint32_t x) {
    int32_t count = 0;
    for (; x < UINT32_C(0x80000000); x <<= 1) {
        count++;
    }
    return count;
}

static int32_t exp_of_difference(const sf_softmax_params *p, int32_t difference) {
    const int32_t wide = (int32_t)((uint32_t)difference << p->shift);
    return exp_of_negative(sf_high_mul(wide, p->multiplier));
}

static void one_row(const sf_softmax_params *p, const int8_t *in, int8_t *out) {
    int32_t largest = INT8_MIN;
    int32_t sum = 0; /* Q12.19, at least 1: the largest input's exponential */
    for (int32_t i = 0; i < p->depth; i++) {
        largest = sf_max(largest, in[i]);
    }
    for (int32_t i = 0; i < p->depth; i++) {
        if (in[i] - largest >= p->diff_min) {
            sum += sf_divide_by_power(exp_of_difference(p, in[i] - largest), SUM_INTEGER_BITS);
        }
    }
    const int32_t zeros = leading_zeros((uint32_t)sum);
    const int32_t fraction = (int32_t)(((uint32_t)sum << zeros) - UINT32_C(0x80000000));
    const int32_t inverse = reciprocal_of_one_plus(fraction);
    const int32_t exponent = SUM_INTEGER_BITS - zeros + 31 - OUTPUT_BITS;
    for (int32_t i = 0; i < p->depth; i++) {
        int32_t value = 0;
        /* A shift by 32 or more leaves less than a half. */
        if (in[i] - largest >= p->diff_min && exponent < 32) {
            value = sf_divide_by_power(sf_high_mul(inverse, exp_of_difference(p, in[i] - largest)),
                                       exponent);
        }
        out[i] = (int8_t)sf_clamp(value + INT8_MIN, INT8_MIN, INT8_MAX);
    }
}

void sf_softmax_s8(const sf_softmax_params *restrict p, const int8_t *in, int8_t *out) {
    for (int32_t r = 0; r < p->rows; r++, in += p->depth, out += p->depth) {
        one_row(p, in, out);
    }
}
