/* SPDX-License-Identifier: Apache-2.0 */
/* Sum and difference of two tensors with different scales, and the change of one tensor's scale. */
#include "sf_internal.h"

/* 255 << 20 leaves room in an int32 for the sum of two. */
enum { ADD_LEFT_SHIFT = 20 };

/* a + sign * b for count elements. */
static inline void add(const sf_add_params *p, int32_t count, int32_t step_a, int32_t step_b,
                       int32_t sign, const int8_t *a, const int8_t *b, int8_t *out) {
    const sf_scaler scale_a = sf_prepare_scaler(p->multiplier_a, p->shift_a);
    const sf_scaler scale_b = sf_prepare_scaler(p->multiplier_b, p->shift_b);
    const sf_scaler scale_out = sf_prepare_scaler(p->multiplier_out, p->shift_out);
    for (const int8_t *end = out + count; out < end; a += step_a, b += step_b) {
        const int32_t wide_a = (*a - p->zero_point_a) * (1 << ADD_LEFT_SHIFT);
        const int32_t wide_b = (*b - p->zero_point_b) * (1 << ADD_LEFT_SHIFT);
        const int32_t sum = sf_scale(&scale_a, wide_a) + sign * sf_scale(&scale_b, wide_b);
        *out++ = sf_activate(sf_scale(&scale_out, sum), p->out_zero_point, p->activation_min,
                             p->activation_max);
    }
}

void sf_add_s8(const sf_add_params *restrict p, const int8_t *a, const int8_t *b, int8_t *out) {
    add(p, (int32_t)p->count, 1, 1, 1, a, b, out);
}

static void add_row(const void *params, const int8_t *a, const int8_t *b, int8_t *out) {
    const sf_broadcast_add_params *p = (const sf_broadcast_add_params *)params;
    const sf_axis *row = &p->shape.row;
    add(&p->sum, row->count, row->step_a, row->step_b, 1, a, b, out);
}

static void sub_row(const void *params, const int8_t *a, const int8_t *b, int8_t *out) {
    const sf_broadcast_add_params *p = (const sf_broadcast_add_params *)params;
    const sf_axis *row = &p->shape.row;
    add(&p->sum, row->count, row->step_a, row->step_b, -1, a, b, out);
}

void sf_broadcast_add_s8(const sf_broadcast_add_params *restrict p, const int8_t *a,
                         const int8_t *b, int8_t *out) {
    sf_for_rows(&p->shape, add_row, p, a, b, out);
}

void sf_sub_s8(const sf_broadcast_add_params *restrict p, const int8_t *a, const int8_t *b,
               int8_t *out) {
    sf_for_rows(&p->shape, sub_row, p, a, b, out);
}

void sf_requantize_s8(const sf_requantize_params *restrict p, const int8_t *in, int8_t *out) {
    const sf_scaler scale = sf_prepare_scaler(p->multiplier, p->shift);
    for (const int8_t *end = in + p->count; in < end;) {
        const int32_t value = sf_scale(&scale, *in++ - p->in_zero_point);
        *out++ = sf_activate(value, p->out_zero_point, p->activation_min, p->activation_max);
    }
}
