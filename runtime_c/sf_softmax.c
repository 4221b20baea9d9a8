/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax in fixed point, rounded as LiteRT's reference kernel does it with gemmlowp.
 *
 * Qm.n has a sign, m integer bits and n fractional bits. The exponential is a Taylor polynomial
 * around -1/8 on (-1/4, 0] times one constant per binary digit above; the reciprocal is three
 * Newton steps. Where there are many exponentials they are computed twice, which needs no scratch.
 */
#include "sf_internal.h"

enum { DIFF_FRACTION_BITS = 26, SUM_INTEGER_BITS = 12, OUTPUT_BITS = 8 };

/* Exponentials that are not computed a second time: those of a usual count of classes. */
enum { KEPT = 16 };

/* Twice exp(-2^k) in Q0.31 for k = -2 .. 4. */
static const uint32_t exp_of_digits[] = {3344923894u, 2605029348u, 1580030168u, 581260616u,
                                         78665070u,   1440802u,    484u};

/* round(x * y / 2^31) of numbers that are not negative; twice: 2 * y. */
static inline uint32_t multiply(uint32_t x, uint32_t twice) {
    return (uint32_t)(((uint64_t)x * twice + UINT32_C(0x80000000)) >> 32);
}

/* exp(a), Q0.31, for a in [-1/4, 0). |x| is at most 1/8, so that twice a factor fits int32; what
 * the reference rounds away from zero is not negative, and nothing saturates. */
static inline int32_t exp_near_zero(int32_t a) {
    const int32_t exp_minus_eighth = 1895147668;
    const int32_t one_third = 715827883;
    const int32_t x = a + (1 << 28);
    const int32_t x2 = sf_smmlar(2 * x, x, 0);
    const int32_t x3 = sf_smmlar(2 * x, x2, 0);
    const int32_t x4 = sf_smmlar(2 * x2, x2, 0);
    const int32_t cubic = ((x4 + 2) >> 2) + x3;
    const int32_t tail = (sf_smmlar(2 * cubic, one_third, x2) + 1) >> 1;
    return sf_smmlar(2 * (x + tail), exp_minus_eighth, exp_minus_eighth);
}

/* Q0.31, of a difference of inputs that is at most 0. */
static uint32_t exp_of_difference(const sf_softmax_params *p, int32_t difference) {
    if (difference < p->diff_min) {
        return 0;
    }
    const uint32_t quarter = UINT32_C(1) << (DIFF_FRACTION_BITS - 2);
    const int32_t wide = (int32_t)((uint32_t)difference << p->shift);
    /* Twice the multiplier is 2^32 too small as an int32. */
    const int32_t a = sf_smmlar(wide, (int32_t)((uint32_t)p->multiplier << 1), wide);
    const int32_t near_zero = (int32_t)((uint32_t)a & (quarter - 1)) - (int32_t)quarter;
    if (a == 0) {
        return INT32_MAX;
    }
    uint32_t result = (uint32_t)exp_near_zero(near_zero * 32);
    const uint32_t *digit = exp_of_digits;
    for (uint32_t rest = (uint32_t)(near_zero - a) / quarter; rest != 0; rest >>= 1, digit++) {
        if (rest & 1) {
            result = multiply(result, *digit);
        }
    }
    return result;
}

/* 1 / x, Q0.31, of an x in [1, 2) with 31 fractional bits. */
static int32_t reciprocal(uint32_t x) {
    const int32_t q29_48_over_17 = 1515870810;
    const int32_t q29_minus_32_over_17 = -1010580540;
    const int32_t half = (int32_t)(x >> 1);
    int32_t y = sf_smmlar(half, 2 * q29_minus_32_over_17, q29_48_over_17);
    for (int32_t i = 0; i < 3; i++) {
        /* Twice the half is 2^32 too small as an int32. The rest is at most 1/17. */
        const int32_t rest = (1 << 29) - sf_smmlar((int32_t)(x & ~1u), y, y);
        y += 4 * sf_smmlar(y, 2 * rest, 0);
    }
    return y < 1 << 30 ? 2 * y : INT32_MAX;
}

static void one_row(const sf_softmax_params *p, const int8_t *in, int8_t *out) {
    uint32_t kept[KEPT];
    int32_t largest = INT8_MIN;
    uint32_t sum = 0; /* Q12.19, at least 1: the largest input's exponential */
    for (int32_t i = 0; i < p->depth; i++) {
        largest = sf_max(largest, in[i]);
    }
    for (int32_t i = 0; i < p->depth; i++) {
        const uint32_t exp = exp_of_difference(p, in[i] - largest);
        sum += (exp + (1 << (SUM_INTEGER_BITS - 1))) >> SUM_INTEGER_BITS;
        if (i < KEPT) {
            kept[i] = exp;
        }
    }
    uint32_t exponent = SUM_INTEGER_BITS + 31 - OUTPUT_BITS;
    for (; sum < UINT32_C(0x80000000); sum <<= 1) {
        exponent--;
    }
    const uint32_t inverse = (uint32_t)reciprocal(sum);
    for (int32_t i = 0; i < p->depth; i++) {
        const uint32_t exp = i < KEPT ? kept[i] : exp_of_difference(p, in[i] - largest);
        const uint32_t value = multiply(inverse, 2 * exp) + (UINT32_C(1) << ((exponent - 1) & 31));
        /* A shift by 32 or more leaves less than a half. */
        const uint32_t steps = exponent < 32 ? value >> exponent : 0;
        out[i] = (int8_t)(sf_min((int32_t)steps, UINT8_MAX) + INT8_MIN);
    }
}

void sf_softmax_s8(const sf_softmax_params *restrict p, const int8_t *in, int8_t *out) {
    for (int32_t r = 0; r < p->rows; r++, in += p->depth, out += p->depth) {
        one_row(p, in, out);
    }
}
