/* SPDX-License-Identifier: Apache-2.0 */
/* The value from zero on, the value times a learnt slope below. */
#include "sf_lanes.h"

SF_NOINLINE static void prelu_row(const void *params, const int8_t *a, const int8_t *b,
                                  int8_t *out) {
    const sf_prelu_params *p = (const sf_prelu_params *)params;
    const sf_axis row = p->shape.row;
    const sf_scaler above = sf_prepare_scaler(p->multiplier_above, p->shift_above);
    const sf_scaler below = sf_prepare_scaler(p->multiplier_below, p->shift_below);
    const int32_t zero_a = p->zero_point_a, zero_b = p->zero_point_b, zero = p->out_zero_point;
    for (const int8_t *end = out + row.count; out < end; a += row.step_a, b += row.step_b) {
        const int32_t x = *a - zero_a;
        *out++ = (int8_t)(x >= 0 ? sf_scale_to_int8(&above, x, zero)
                                 : sf_scale_to_int8(&below, x * (*b - zero_b), zero));
    }
}

void sf_prelu_s8(const sf_prelu_params *restrict p, const int8_t *in, const int8_t *slope,
                 int8_t *out) {
    sf_for_rows(&p->shape, prelu_row, p, in, slope, out);
}
