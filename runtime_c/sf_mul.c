/* SPDX-License-Identifier: Apache-2.0 */
/* Product of two tensors, either of them broadcast. */
#include "sf_lanes.h"

SF_NOINLINE static void mul_row(const void *params, const int8_t *a, const int8_t *b, int8_t *out) {
    const sf_mul_params *p = (const sf_mul_params *)params;
    const sf_axis row = p->shape.row;
    const sf_scaler scale = sf_prepare_scaler(p->multiplier, p->shift);
    const int32_t zero_a = p->zero_point_a, zero_b = p->zero_point_b, zero = p->out_zero_point;
    int8_t *const start = out;
    for (const int8_t *end = out + row.count; out < end; a += row.step_a, b += row.step_b) {
        *out++ = (int8_t)sf_scale_to_int8(&scale, (*a - zero_a) * (*b - zero_b), zero);
    }
    sf_clamp_row(start, row.count, p->activation_min, p->activation_max);
}

void sf_mul_s8(const sf_mul_params *restrict p, const int8_t *a, const int8_t *b, int8_t *out) {
    sf_for_rows(&p->shape, mul_row, p, a, b, out);
}
