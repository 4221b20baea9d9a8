/* SPDX-License-Identifier: Apache-2.0 */
/* From one element type to another at a model's edges: float to integers, back, and between
 * integers.
 */
#include "sf_internal.h"

typedef union sf_float_bits {
    float value;
    uint32_t bits;
} sf_float_bits;

/* A float's magnitude: mantissa in [2^23, 2^24), times 2^exponent. */
typedef struct sf_magnitude {
    uint32_t mantissa;
    int32_t exponent;
} sf_magnitude;

enum { MANTISSA_BITS = 23, EXPONENT_OF_INFINITY = 255, BEYOND_BITS = 17 };

static int32_t load(const void *from, uint32_t i, int32_t type) {
    return type == SF_INT8    ? ((const int8_t *)from)[i]
           : type == SF_UINT8 ? ((const uint8_t *)from)[i]
                              : ((const int16_t *)from)[i];
}

/* Clamps to the type's range. */
static void store(void *to, uint32_t i, int32_t type, int32_t value) {
    if (type == SF_INT8) {
        ((int8_t *)to)[i] = (int8_t)sf_clamp(value, INT8_MIN, INT8_MAX);
    } else if (type == SF_UINT8) {
        ((uint8_t *)to)[i] = (uint8_t)sf_clamp(value, 0, UINT8_MAX);
    } else {
        ((int16_t *)to)[i] = (int16_t)sf_clamp(value, INT16_MIN, INT16_MAX);
    }
}

/* Of a finite number that is not 0; subnormal ones too. */
static sf_magnitude take_apart(uint32_t bits) {
    sf_magnitude m = {bits & ((UINT32_C(1) << MANTISSA_BITS) - 1),
                      (int32_t)(bits >> MANTISSA_BITS)};
    if (m.exponent > 0) {
        m.mantissa |= UINT32_C(1) << MANTISSA_BITS;
        return m;
    }
    for (m.exponent = 1; m.mantissa < UINT32_C(1) << MANTISSA_BITS; m.exponent--) {
        m.mantissa <<= 1;
    }
    return m;
}

/* x / y rounded to a float, then to an integer, halves away from zero; 2^17 for all that is as
 * large. x: bits of a float without its sign. The first rounding can lift a quotient onto a half.
 */
static int32_t divide(uint32_t x, sf_magnitude y) {
    const int32_t beyond = 1 << BEYOND_BITS;
    if (x == 0 || x > (uint32_t)EXPONENT_OF_INFINITY << MANTISSA_BITS) {
        return 0;
    }
    if (x == (uint32_t)EXPONENT_OF_INFINITY << MANTISSA_BITS) {
        return beyond;
    }
    sf_magnitude rest = take_apart(x);
    int32_t exponent = rest.exponent - y.exponent;
    if (rest.mantissa < y.mantissa) {
        rest.mantissa <<= 1;
        exponent--;
    }
    /* Below a half: two floats' quotient cannot come so near to it that the float is the half. */
    if (exponent < -1) {
        return 0;
    }
    if (exponent >= BEYOND_BITS) {
        return beyond;
    }
    uint32_t quotient = 1;
    rest.mantissa -= y.mantissa;
    /* So many bits at once that the rest, below 2^24, still fits 31 bits. */
    for (int32_t left = MANTISSA_BITS, bits = 2; left > 0; left -= bits, bits = 7) {
        const int32_t wide = (int32_t)(rest.mantissa << bits), divisor = (int32_t)y.mantissa;
        const int32_t digits = wide / divisor;
        rest.mantissa = (uint32_t)(wide - digits * divisor);
        quotient = quotient << bits | (uint32_t)digits;
    }
    /* No quotient of two floats lies in the middle between two others. */
    quotient += rest.mantissa * 2 > y.mantissa;
    const int32_t drop = MANTISSA_BITS - exponent;
    return (int32_t)((quotient + (UINT32_C(1) << (drop - 1))) >> drop);
}

void sf_quantize(const sf_quantize_params *restrict p, const void *in, void *out) {
    const sf_float_bits scale = {p->scale};
    const sf_magnitude divisor = take_apart(scale.bits);
    for (uint32_t i = 0; i < p->count; i++) {
        const sf_float_bits x = {((const float *)in)[i]};
        const int32_t steps = divide(x.bits & INT32_MAX, divisor);
        store(out, i, p->type, (x.bits >> 31 ? -steps : steps) + p->zero_point);
    }
}

void sf_dequantize(const sf_quantize_params *restrict p, const void *in, void *out) {
    for (uint32_t i = 0; i < p->count; i++) {
        ((float *)out)[i] = p->scale * (float)(load(in, i, p->type) - p->zero_point);
    }
}

void sf_convert(const sf_convert_params *restrict p, const void *in, void *out) {
    const sf_scaler scale = sf_prepare_scaler(p->multiplier, p->shift);
    for (uint32_t i = 0; i < p->count; i++) {
        const int32_t steps = sf_scale(&scale, load(in, i, p->in_type) - p->in_zero_point);
        /* Any sum past an end is clamped; the clamp before it keeps the sum inside int32. */
        store(out, i, p->out_type, sf_clamp(steps, -(1 << 30), 1 << 30) + p->out_zero_point);
    }
}
