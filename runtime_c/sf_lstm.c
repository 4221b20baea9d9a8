/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM over time: int8 values, int16 cell, gates in Q0.15, rounded as LiteRT's reference kernel
 * does it with gemmlowp's 16-bit words.
 *
 * Qm.n has a sign, m integer bits and n fractional bits. The exponential is a Taylor polynomial
 * around -1/8 on (-1/4, 0] times one constant per binary digit above; the reciprocal is three
 * Newton steps.
 */
#include "sf_internal.h"

enum { INPUT_GATE, FORGET_GATE, CELL_GATE, OUTPUT_GATE, GATES };
enum { GATE_INTEGER_BITS = 3 };

/* exp(-2^k) in Q0.15 for k = -2 .. 4. */
static const int16_t exp_of_digits[] = {25520, 19875, 12055, 4435, 600, 11, 0};

/* Q0.15 times Q0.15, halves up. */
static int32_t multiply(int32_t a, int32_t b) {
    return sf_min((a * b + (1 << 14)) >> 15, INT16_MAX);
}

/* exp(a), Q0.15, for a in [-1/4, 0). */
static int32_t exp_near_zero(int32_t a) {
    const int32_t exp_minus_eighth = 28918, one_third = 10923;
    const int32_t x = a + (1 << 12);
    const int32_t x2 = multiply(x, x);
    int32_t tail = sf_divide_by_power(multiply(x2, x2), 2) + multiply(x2, x);
    tail = sf_divide_by_power(multiply(tail, one_third) + x2, 1);
    return sf_saturate16(exp_minus_eighth + multiply(exp_minus_eighth, x + tail));
}

/* exp(a) for a <= 0 with so many integer bits, up to 7: to Q0.15; 0 below -32. */
static int32_t exp_of_negative(int32_t a, int32_t integer_bits) {
    const int32_t lowest_digit = 13 - integer_bits;
    const int32_t quarter = 1 << lowest_digit;
    const int32_t near_zero = (a & (quarter - 1)) - quarter;
    if (a == 0) {
        return INT16_MAX;
    }
    if (a < -(1 << (20 - integer_bits))) {
        return 0;
    }
    int32_t result = exp_near_zero(near_zero * (1 << integer_bits));
    for (int32_t i = 0; i < sf_min(integer_bits + 2, 7); i++) {
        if ((near_zero - a) & (quarter << i)) {
            result = multiply(result, exp_of_digits[i]);
        }
    }
    return result;
}

/* 2 / (1 + fraction) for a Q0.15 fraction in [0, 1): to Q2.13. */
static int32_t newton(int32_t fraction) {
    const int32_t q13_48_over_17 = 23130, q13_minus_32_over_17 = -15420;
    const int32_t half = (fraction + INT16_MAX + 1) >> 1;
    int32_t x = q13_48_over_17 + multiply(half, q13_minus_32_over_17);
    for (int32_t i = 0; i < 3; i++) {
        x += sf_saturate16(multiply(x, (1 << 13) - multiply(half, x)) * 4);
    }
    return x;
}

static int32_t magnitude(int32_t x) {
    return x < 0 ? -x : x;
}

/* 1 / (1 + exp(-a)), Q0.15. */
static int32_t logistic(int32_t a) {
    const int32_t exp = exp_of_negative(-magnitude(a), GATE_INTEGER_BITS);
    const int32_t positive = sf_saturate16(newton(exp) * 2);
    return a > 0 ? positive : a < 0 ? INT16_MAX - positive : 1 << 14;
}

/* tanh(a), Q0.15; a has so many integer bits. Twice a is the same word with one more of them. */
static int32_t tanh_of(int32_t a, int32_t integer_bits) {
    const int32_t exp = exp_of_negative(-magnitude(a), integer_bits + 1);
    const int32_t positive = sf_saturate16((newton(exp) - (1 << 13)) * 4);
    return a > 0 ? positive : a < 0 ? -positive : 0;
}

static int32_t dot(const int8_t *weights, const int8_t *in, int32_t count, int32_t zero_point) {
    int32_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += weights[i] * (in[i] - zero_point);
    }
    return sum;
}

/* A gate of one unit before its activation, Q3.12. */
static int32_t gate(const sf_lstm_params *p, int32_t which, int32_t unit, const int8_t *in,
                    const int8_t *hidden) {
    const int32_t row = which * p->units + unit;
    const int32_t from_input =
        dot(p->input_kernel + row * p->features, in, p->features, p->in_zero_point);
    const int32_t from_hidden =
        dot(p->recurrent_kernel + row * p->units, hidden, p->units, p->state_zero_point);
    const int32_t sum = (int32_t)((uint32_t)from_input + (uint32_t)p->bias[row]);
    const int32_t a = sf_requantize_double(sum, p->multiplier[which], p->shift[which]);
    const int32_t b =
        sf_requantize_double(from_hidden, p->multiplier[GATES + which], p->shift[GATES + which]);
    /* Past 2^16 the sum is saturated whatever a is. */
    return sf_saturate16(sf_clamp(b, -(1 << 16), 1 << 16) + sf_saturate16(a));
}

/* The next cell of one unit, and its output. */
static int8_t one_unit(const sf_lstm_params *p, int32_t unit, const int8_t *in,
                       const int8_t *hidden, int16_t *cell) {
    const int32_t let_in = logistic(gate(p, INPUT_GATE, unit, in, hidden));
    const int32_t keep = logistic(gate(p, FORGET_GATE, unit, in, hidden));
    const int32_t update = tanh_of(gate(p, CELL_GATE, unit, in, hidden), GATE_INTEGER_BITS);
    const int32_t let_out = logistic(gate(p, OUTPUT_GATE, unit, in, hidden));
    int32_t next = sf_saturate16(sf_divide_by_power(keep * *cell, 15) +
                                 sf_divide_by_power(let_in * update, 30 - p->cell_bits));
    if (p->cell_clip > 0) {
        next = sf_clamp(next, -p->cell_clip, p->cell_clip);
    }
    *cell = (int16_t)next;
    const int32_t product = let_out * tanh_of(next, 15 - p->cell_bits);
    const int32_t value =
        sf_requantize_double(product, p->multiplier[2 * GATES], p->shift[2 * GATES]);
    return sf_activate(value, p->out_zero_point, INT8_MIN, INT8_MAX);
}

void sf_lstm_s8(const sf_lstm_params *restrict p, const int8_t *in, int8_t *out, int8_t *hidden,
                void *cell) {
    int16_t *const cells = (int16_t *)cell;
    const int8_t *before = hidden;
    for (int32_t t = 0; t < p->steps; t++, in += p->features, out += p->units) {
        for (int32_t u = 0; u < p->units; u++) {
            out[u] = one_unit(p, u, in, before, cells + u);
        }
        before = out;
    }
    for (int32_t u = 0; u < p->units; u++) {
        hidden[u] = before[u];
    }
}
