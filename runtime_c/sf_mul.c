/* SPDX-License-Identifier: Apache-2.0 */
/* Product of two tensors, either of them broadcast. */
#include "sf_internal.h"

static void mul_row(const void *params, const int8_t *a, const int8_t *b, int8_t *out) {
    const sf_mul_params *p = (const sf_mul_params *)params;
    const sf_axis *row = &p->shape.row;
    const sf_scaler scale = sf_prepare_scaler(p->multiplier, p->shift);
    for (const int8_t *end = out + row->count; out < end; a += row->step_a, b += row->step_b) {
        const int32_t product = (*a - p->zero_point_a) * (*b - p->zero_point_b);
        *out++ = sf_activate(sf_scale(&scale, product), p->out_zero_point, p->activation_min,
                             p->activation_max);
    }
}

void sf_mul_s8(const sf_mul_params *restrict p, const int8_t *a, const int8_t *b, int8_t *out) {
    sf_for_rows(&p->shape, mul_row, p, a, b, out);
}
